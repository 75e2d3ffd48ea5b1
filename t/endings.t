# Every way a call may end: the line in the log, $voicebridge_end_reason, the
# status of the Close on each side, and that nothing is left behind.

use Voicebridge::Test;
use Voicebridge::Metrics qw( metrics );
use Voicebridge::Process qw( descriptors memory memory_is_plain );
use Voicebridge::WebSocket qw( deadline_after json );

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Time::HiRes qw( time );


# What agents do, by the name that a call asks for.  Each is given the socket
# whose initiation has been read.

sub live {
    my $socket = shift;

    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->note(event => 'live');
}

# speaks until there is nobody left, and never listens

sub speak_on {
    my $socket = shift;

    live($socket);

    my $cue = IO::Select->new($socket->{peer}{cues});

    while (!$cue->can_read(0.1)) {
        eval { $socket->agent_response('And another thing.'); 1 } or last;
        eval { $socket->audio('a' x 80, 1); 1 } or last;
    }

    $socket->await_cue;
}

sub speaks { live($_[0]); $_[0]->audio('a' x ($_[1] // 1600), 1) }

our %agents = (
    quiet     => sub { live($_[0]); $_[0]->recv_close },
    speaking  => sub { speaks($_[0]); $_[0]->recv_close },
    silent    => sub { $_[0]->recv_close },
    ending    => sub { speaks($_[0]); $_[0]->close_with(1000, 'bye') },
    leaving   => sub { live($_[0]); $_[0]->close_with(1000) },
    nameless  => sub { live($_[0]); $_[0]->send_close; $_[0]->recv_close },
    # without a reset, which would take along what it has said
    lost      => sub { speaks($_[0]); $_[0]->shutdown_write;
                       eval { $_[0]->recv_other while 1 } },
    reset     => sub { live($_[0]); $_[0]->reset },
    early     => sub { $_[0]->close_with(1008, 'Missing variable') },
    talkative => sub { speaks($_[0], 80_000); $_[0]->close_with(1000, 'bye') },
    blocked   => sub { $_[0]->close_with(1008, 'No calls to +1 (500) 555-0006, '
                                               . 'error 21211 of 2026-11-26') },
    told      => sub { live($_[0]);
                       $_[0]->send_json({ type => 'error', error_event => {
                           code => 1008, error_type => 'blocked',
                           message => '500-555-0006 is blocked' } });
                       $_[0]->close_with(1008, '') },
    gone      => sub { },
    junk      => sub { live($_[0]); $_[0]->send_text('junk');
                       $_[0]->recv_close },
    rsv       => sub { live($_[0]); $_[0]->send_frame(1, '{}', rsv => 4);
                       $_[0]->recv_close },
    impatient => sub { $_[0]->audio('a' x 160, 1); $_[0]->recv_close },
    no_base64 => sub { live($_[0]); $_[0]->send_text('{"type":"audio",'
                       . '"audio_event":{"audio_base_64":"a*b="}}');
                       $_[0]->recv_close },
    deaf      => sub { speaks($_[0]); $_[0]->await_cue },
    deafened  => \&speak_on,
    (map { my $status = $_; ("status_$status" => sub {
               my $socket = shift;

               speaks($socket);
               $socket->send_json({ type => 'error', error_event => {
                   code => $status, error_type => 'llm_timeout',
                   message => "too\nslow" } }) if $status == 1002;
               $socket->close_with($status, $status == 1002 ? '' : 'because');
           }) } 1001, 1002, 1008, 1011, 3000, 4300),
);

sub serve {
    my $socket = shift;

    my $name = $socket->{request}{query}{agent_id};

    $socket->upgrade;
    $socket->expect_initiation;
    $agents{$name}->($socket);

    return 1;
}


# What a phone does, and what comes of it: code for the phone, agent_code for
# the agent, reason, level and text in the log; after an event of the agent's;
# slow where somebody has to be waited for.

sub ends {
    my ($agent, %o) = @_;

    my $name = $o{name} // $agent;
    my $event = sub {
        my ($phone, $what) = @_;

        return agent()->event(sub { $_->{event} eq $what
                                    && ($_->{call} // '')
                                       eq $phone->{call_sid} });
    };
    my $phone = phone(path => $o{path} // '/twilio/media-stream')->connect;

    $phone->start(parameters => { agent_id => $agent,
                                  %{$o{parameters} // {}} })
        unless $o{no_start};

    $event->($phone, $o{after}) if $o{after};

    $o{phone}->($phone) if $o{phone};

    if (defined $o{code}) {
        my ($code, $reason) = $phone->recv_close;

        is $code, $o{code}, "$name: the phone's close";
        $phone->send_close($code) unless $o{closed};
        eval { $phone->recv_eof } or fail("$name: $@");
        $phone->disconnect;
    }

    if (defined $o{agent_code}) {
        is $event->($phone, 'close')->{code}, $o{agent_code},
           "$name: the agent's close";
    }

    my $sid = $o{no_start} ? '' : $phone->{call_sid};

    # a call that has not started has no SID
    my $line = $sid ? qr/call $sid: Call ended/
                    : qr/call -: Call ended: $o{text}/;

    like log_has($line),
         qr/\[$o{level}\].*Call ended: $o{text}.* reason=$o{reason} /,
         "$name: the log";

    my $status = $o{level} eq 'info' || $o{reason} eq 'too_long'
                 ? 'completed' : 'failed';

    like calls_log_has(qr/call=\Q$sid\E.*reason=$o{reason}/),
         qr/http=101 status=$status /, "$name: the access log";

    # the log of the call does not wait for the other side's FIN, which it
    # would for three seconds
    my ($duration) = log_has($line) =~ /duration=([\d.]+)/;

    cmp_ok $duration, '<', 3, "$name: in time" unless $o{slow};

    return $phone;
}

# marks go back as they come, until the close does

sub listen_well {
    my $phone = shift;

    $phone->{return_marks} = 1;
    $phone->recv_event('mark');
}


# waits until something is so

sub until_true {
    my ($true, $name) = @_;

    my $deadline = deadline_after();

    while (time() < $deadline) {
        return pass($name) if $true->();
        Time::HiRes::sleep(0.01);
    }

    fail($name);
}


# a TLS connection to the agent that must not come to be

sub refused_tls {
    my ($path, $why) = @_;

    my $phone = phone(path => $path)->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    is(($phone->recv_close)[0], 1011, "$path: the call ends");
    $phone->send_close(1011);
    $phone->recv_eof;

    like log_has(qr/call $phone->{call_sid}: Call ended/), $why,
         "$path: the log says why";
    is scalar(grep { $_->{event} =~ /^(?:request|open)$/ } agent()->events), 0,
       "$path: and nothing was said to that server";
}


# a call whose agent has just failed

sub failing {
    my ($path, %parameters) = @_;

    my $phone = phone(path => $path)->connect;

    $phone->start(parameters => { agent_id => 'reset', %parameters });

    return $phone;
}


# a server that takes connections and says nothing

my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8)
    or die "no socket: $!\n";

$ENV{TEST_NGINX_MUTE_PORT} = $mute->sockport;


# a line that is there already, or not at all

sub log_lines {
    my $pattern = shift;

    open my $in, '<', $Test::Nginx::Util::ErrLogFile or die;

    return scalar grep { $_ =~ $pattern } <$in>;
}

run_tests();

__DATA__

=== every cause
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    access_log $TEST_NGINX_CALLS_LOG calls;

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }

    location = /start {
        voicebridge_media_stream;
        voicebridge_start_timeout 200ms;
    }

    location = /silence {
        voicebridge_media_stream;
        voicebridge_stream_timeout 1500ms;
    }

    location = /connect {
        voicebridge_media_stream;
        voicebridge_connect_timeout 1500ms;
    }

    location = /duration {
        voicebridge_media_stream;
        voicebridge_max_call_duration 1500ms;
    }

    location = /goodbye {
        voicebridge_media_stream;
        voicebridge_max_call_duration 600ms;
    }

    location = /life {
        voicebridge_media_stream;
        voicebridge_agent_timeout 1500ms;
    }

    location = /nobody {
        voicebridge_media_stream;
        voicebridge_elevenlabs_url http://127.0.0.1:1;
    }
--- agent_options
each => 1
--- agent
    serve($agent);
--- test
    my $before;
    my $pid = nginx_pid();

    # the caller

    ends('quiet', name => 'a stop', phone => sub { $_[0]->stop },
         after => 'live', code => 1000, agent_code => 1000,
         reason => 'caller_hung_up',
         level => 'info', text => 'the caller hung up');

    $before = descriptors($pid);

    ends('quiet', name => 'a close', phone => sub { $_[0]->send_close(1000) },
         after => 'live', closed => 1, code => 1000, agent_code => 1000,
         reason => 'caller_hung_up', level => 'info',
         text => 'the caller hung up');
    ends('quiet', name => 'a close without a status', after => 'live',
         phone => sub { $_[0]->send_close }, closed => 1, code => 1000,
         agent_code => 1000, reason => 'caller_hung_up', level => 'info',
         text => 'the caller hung up');
    ends('quiet', name => 'a connection that ends', after => 'live',
         phone => sub { $_[0]->disconnect }, agent_code => 1000,
         reason => 'caller_lost', level => 'warn',
         text => "the phone's connection was lost");
    ends('quiet', name => 'one that is half closed', after => 'live',
         phone => sub { $_[0]->shutdown_write }, agent_code => 1000,
         reason => 'caller_lost', level => 'warn',
         text => "the phone's connection was lost");
    ends('quiet', name => 'one that is reset', after => 'live',
         phone => sub { $_[0]->reset }, agent_code => 1000,
         reason => 'caller_lost', level => 'warn',
         text => "the phone's connection was lost");
    ends('silent', name => 'a stop before the metadata',
         after => 'initiation', phone => sub { $_[0]->stop }, code => 1000,
         reason => 'caller_hung_up', level => 'info',
         text => 'the caller hung up');
    ends('none', name => 'a stop before the start', no_start => 1,
         phone => sub { $_[0]->stop }, code => 1000,
         reason => 'caller_hung_up', level => 'info',
         text => 'the caller hung up');
    ends('quiet', name => 'silence', path => '/silence', after => 'live',
         code => 1001, agent_code => 1000, reason => 'caller_silent',
         level => 'warn', text => 'the phone sends nothing any more: '
                                  . '1500ms without a frame');

    # what the phone must not do

    my %wrong = (agent_code => 1000, after => 'live', level => 'error',
                 reason => 'phone_protocol');

    for (['junk', 1007, 'not', sub { $_[0]->send_text('junk') }],
         ['binary', 1003, 'a binary message', sub {
              $_[0]->send_frame(2, '{}') }],
         ['reserved bits', 1002, 'reserved bit set', sub {
              $_[0]->send_frame(1, '{}', rsv => 1) }],
         ['no mask', 1002, 'client frame without a mask', sub {
              $_[0]->send_frame(1, '{}', mask => undef) }],
         ['too big', 1009, 'message too big', sub {
              $_[0]->send_text(' ' x 200_000) }],
         ['no base64', 1007, 'media that is not base64', sub {
              $_[0]->send_json({ event => 'media',
                                 media => { payload => '!' } }) }],
         ['no payload', 1007, 'media without a payload', sub {
              $_[0]->send_json({ event => 'media', media => {} }) }],
         ['no event', 1007, 'a message without an event', sub {
              $_[0]->send_json({ type => 'media' }) }],
         ['a second start', 1008, 'a second start', sub { $_[0]->start }])
    {
        my ($name, $code, $text, $phone) = @$_;

        ends('quiet', %wrong, name => $name, code => $code, phone => $phone,
             text => "the phone broke the protocol: .*$text");
    }

    for (['media first', 1008, 'media before start', sub {
              $_[0]->media('a' x 160) }],
         ['another format', 1007, 'a mediaFormat that is not', sub {
              $_[0]->start(mediaFormat => { encoding => 'audio/x-alaw',
                           sampleRate => 8000, channels => 1 }) }],
         ['no call SID', 1007, 'without a callSid', sub {
              $_[0]->start(callSid => '../Calls') }],
         ['no stream SID', 1007, 'without a streamSid', sub {
              $_[0]{stream_sid} = '"MZ"'; $_[0]->start }])
    {
        my ($name, $code, $text, $phone) = @$_;

        ends('none', name => $name, no_start => 1, phone => $phone,
             code => $code, reason => 'phone_protocol', level => 'error',
             text => "the phone broke the protocol: .*$text");
    }

    ends('none', name => 'no start', path => '/start', no_start => 1,
         code => 1008, reason => 'no_start', level => 'warn',
         text => 'no start came');
    ends('none', name => 'no agent', parameters => { agent_id => '' },
         code => 1008, reason => 'bad_start', level => 'error',
         text => 'the media stream cannot be served: no agent: .*'
                 . 'voicebridge_agent');
    ends('none', name => 'variables that are none', code => 1008,
         parameters => { dynamic_variables => '{"a":{}}' },
         reason => 'bad_start', level => 'error', text => '.*cannot be served');
    ends('none', name => 'variables cut off', code => 1008,
         parameters => { dynamic_variables => '{"a":"' },
         reason => 'bad_start', level => 'error', text => '.*cannot be served');
    ends('none', name => 'reserved variables', code => 1008,
         parameters => { dynamic_variables => '{"system__x":1}' },
         reason => 'bad_start', level => 'error', text => '.*cannot be served');
    ends('none', name => 'too many parameters', code => 1008,
         parameters => { map { ("p$_" => 'x') } 1 .. 40 },
         reason => 'bad_start', level => 'error',
         text => '.*cannot be served: more parameters');

    # nobody writes lines into the log

    for (['agent_id', "agent\nforged 1"], ['direction', "in\r\nforged 2"],
         ['agent_id', "\x1b[31mforged"], ['direction', "forged \x7f"])
    {
        my ($name, $value) = @$_;

        ends('none', name => 'a control character', code => 1008,
             parameters => { $name => $value }, reason => 'bad_start',
             level => 'error', text => '.*cannot be served: .*control char');
    }

    is log_lines(qr/^forged|\x1b/), 0, 'no line is forged';

    # the agent

    ends('ending', phone => \&listen_well, code => 1000, agent_code => 1000,
         reason => 'agent_ended', level => 'info',
         text => 'the agent ended the conversation: closed with 1000 "bye"');
    ends('leaving', code => 1000, agent_code => 1000, reason => 'agent_ended',
         level => 'info', text => 'the agent ended the conversation');
    ends('nameless', code => 1000, agent_code => 1000,
         reason => 'agent_ended', level => 'info',
         text => 'the agent ended the conversation: closed with 1005');

    for my $status (1001, 1002, 1008, 1011, 3000, 4300) {
        my $why = $status == 1002 ? '1002 llm_timeout too slow' : 'because';

        ends("status_$status", phone => \&listen_well, code => 1011,
             agent_code => $status, reason => 'agent_failed', level => 'error',
             text => qq{the agent broke down: closed with $status "$why"});
    }

    ends('lost', phone => \&listen_well, code => 1011, reason => 'agent_lost',
         level => 'error', text => "the agent's connection was lost");
    ends('reset', code => 1011, reason => 'agent_lost', level => 'error',
         text => "the agent's connection was lost");

    for (['junk', 1007, ''], ['rsv', 1002, 'reserved bit set'],
         ['impatient', 1008, 'audio before the metadata'],
         ['no_base64', 1007, 'audio that is not base64'])
    {
        my ($name, $code, $text) = @$_;

        ends($name, code => 1011, agent_code => $code, level => 'error',
             reason => 'agent_protocol',
             text => "the agent broke the protocol: .*$text");
    }

    ends('early', code => 1011, reason => 'agent_unreachable',
         level => 'error', text => 'the agent could not be reached: closed '
             . 'with 1008 "Missing variable" before its metadata');
    ends('blocked', code => 1011, reason => 'agent_unreachable',
         level => 'error', text => 'the agent could not be reached: closed '
             . 'with 1008 "No calls to \+\* \(\*{3}\) \*{3}-0006, error 21211 '
             . 'of 2026-11-26" before its metadata');
    ends('told', code => 1011, agent_code => 1008, reason => 'agent_failed',
         level => 'error', text => 'the agent broke down: closed with 1008 '
             . '"1008 blocked \*{3}-\*{3}-0006 is blocked"');
    log_has('ElevenLabs error: 1008 blocked ***-***-0006 is blocked');
    ends('gone', code => 1011, reason => 'agent_unreachable',
         level => 'error', text => 'the agent could not be reached: closed '
             . 'the connection before its metadata');
    ends('nobody', path => '/nobody', code => 1011,
         reason => 'agent_unreachable', level => 'error',
         text => 'the agent could not be reached: could not connect');
    ends('silent', name => 'no metadata', path => '/connect', code => 1011,
         reason => 'agent_timeout', level => 'error', agent_code => undef,
         text => 'the agent did not answer in time: no metadata within 1500ms');

    ends('deaf', name => 'an agent that does not live', path => '/life',
         phone => \&listen_well, code => 1011, reason => 'agent_silent',
         level => 'error', slow => 1,
         text => 'the agent shows no sign of life: nothing came for 1500ms');
    agent->cue;

    ends('deafened', name => 'one that speaks but does not listen',
         path => '/life', code => 1011, reason => 'agent_silent',
         level => 'error', text => 'the agent shows no sign of life: '
                                   . 'nothing was taken for 1500ms',
         slow => 1, phone => sub {
             my $phone = shift;

             # until nobody takes any more of it
             my $bytes = $phone->frame_bytes(1,
                 '{"event":"media","media":{"payload":"' . 'abcd' x 4000
                 . '"}}') x 2000;

             eval { local $phone->{timeout} = 3; $phone->send_bytes($bytes) };
             listen_well($phone);
         });
    agent->cue;

    # one that has nothing to say but answers is alive

    my $phone = phone(path => '/life')->connect;
    my $until = time() + 3;

    $phone->start(parameters => { agent_id => 'quiet' });

    while (time() < $until) {
        $phone->send_ping;
        $phone->recv_message;
    }

    $phone->stop;
    is(($phone->recv_close)[0], 1000, 'one that answers a ping is alive');
    $phone->disconnect;

    ends('quiet', name => 'a long call', path => '/duration', code => 1000,
         reason => 'too_long', level => 'warn',
         text => 'the call reached voicebridge_max_call_duration');
    ends('silent', name => 'a long time of nothing', path => '/duration',
         code => 1000, reason => 'too_long', level => 'warn',
         text => 'the call reached voicebridge_max_call_duration');

    ends('talkative', name => 'a long good-bye', path => '/goodbye',
         code => 1000, agent_code => 1000, reason => 'agent_ended',
         level => 'info', text => 'the agent ended the conversation');

    until_true(sub { descriptors($pid) <= $before },
               'all descriptors are back');



=== a stop, whatever calls are at
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    voicebridge_fallback_twiml '<Say>Sorry</Say>';
    access_log $TEST_NGINX_CALLS_LOG calls;

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }

    location = /signed {
        voicebridge_media_stream;
        voicebridge_elevenlabs_auth signed_url;
        voicebridge_elevenlabs_url http://127.0.0.1:$TEST_NGINX_MUTE_PORT;
    }

    location = /socket {
        voicebridge_media_stream;
        voicebridge_elevenlabs_url http://127.0.0.1:$TEST_NGINX_MUTE_PORT;
    }
--- agent_options
each => 1
--- agent
    serve($agent);
--- twilio
    return { never => 1 };
--- test
    my $says = sub {
        my ($phone, $what) = @_;
        log_has(qr/call $phone->{call_sid}: $what/);
    };

    # an agent, where its socket is, until then, and what comes of it

    my @calls = (
        [ undef, undef, sub { }, 1001, 'shutdown' ],
        [ 'none', '/signed', sub { $says->($_[0], 'Connecting') }, 1001,
          'shutdown' ],
        [ 'none', '/socket', sub { $says->($_[0], 'Connecting') }, 1001,
          'shutdown' ],
        [ 'silent', undef, sub { $says->($_[0], 'Sent init') }, 1001,
          'shutdown' ],
        [ 'speaking', undef, sub { $says->($_[0], 'conversation') }, 1001,
          'shutdown' ],
        [ 'ending', undef, sub { $_[0]->recv_event('mark') }, 1000,
          'agent_ended' ],
        [ 'reset', undef, sub { twilio()->event('request') }, 1011,
          'agent_lost' ],
        [ 'quiet', undef, sub { $says->($_[0], 'conversation');
                                $_[0]->stop; $_[0]->recv_close },
          undef, 'caller_hung_up' ],
    );

    my @phones;

    for (@calls) {
        my ($agent, $path, $until) = @$_;
        my $phone = phone(path => $path // '/twilio/media-stream')->connect;

        $phone->start(parameters => { agent_id => $agent }) if $agent;
        $until->($phone);

        push @phones, $phone;
    }

    kill TERM => nginx_pid();

    for (0 .. $#calls) {
        my ($code, $reason) = @{$calls[$_]}[3, 4];
        my $name = $calls[$_][0] // 'no start';
        my $sid = $calls[$_][0] ? $phones[$_]{call_sid} : '-';

        is(($phones[$_]->recv_close)[0], $code, "$name: the phone is told")
            if $code;
        $phones[$_]->recv_eof;

        log_has(qr/call $sid: Call ended: .* reason=$reason /);
        like calls_log_has(qr/^call=$sid .*reason=$reason /), qr/ http=101 /,
             "$name: the access log";
    }

    is log_lines(qr/Call ended/), scalar @calls, 'each once';
--- no_error_log
[alert]
[crit]



=== a last mark that never comes back
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_stream_timeout 1s;
        access_log $TEST_NGINX_CALLS_LOG calls;
    }
--- agent_options
each => 1
--- agent
    my $socket = $agent;

    $socket->upgrade;
    $socket->expect_initiation;
    speaks($socket, 16_000);

    # and the agent does not close its connection either
    $socket->close_with(1000);
    $socket->recv_eof;
    $socket->note(event => 'eof');

    return 1;
--- test
    my $start = time();
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    $phone->recv_event('mark');

    my $marked = time();

    ok eval { agent->event('eof', 6) }, 'the agent is let go before that';

    my ($code) = $phone->recv_close;

    is $code, 1000, 'the call ends all the same';

    # two seconds of audio, five more, and the agent's close is 3 s old
    cmp_ok time() - $start, '>', 6.8, 'after the time it takes to play';
    cmp_ok time() - $marked, '<', 9.5, 'and no later';
    cmp_ok log_lines(qr/event timer add: -1: 1:/), '<', 10,
           'nobody looks at the clock all the time';

    $phone->send_close($code);
    $phone->recv_eof;

    log_has(qr/\[warn\].*the last mark did not come back/);
    log_has(qr/Call ended.*reason=agent_ended/);



=== a phone that does not answer a close
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    live($socket);

    # nor this agent: it is waited for no longer than that
    $socket->await_cue;
--- test
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    agent->event('live');

    my $stop = time();

    $phone->stop;

    is(($phone->recv_close)[0], 1000, 'the close');

    my $start = time();

    $phone->recv_eof;
    cmp_ok time() - $start, '<', 5.5, 'the end comes within three seconds';
    cmp_ok time() - $stop, '>', 2.5, 'but not at once';
    agent->cue;

    log_has(qr/Call ended.*reason=caller_hung_up/);
--- no_error_log
[error]



=== once more, with a signed URL of its own
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    my $url = sub { 'ws://127.0.0.1:' . $agent->port
                    . '/v1/convai/conversation?agent_id=agent_1&try=' . shift };

    # each way of failing that another try may mend, then a good one

    my @failures = (
        sub { $agent->signed_url(status => 500, body => 'oops') },
        sub { $agent->signed_url(status => 429, body => {
                  detail => { status => 'busy', message => 'Try later' } }) },
        sub { $agent->signed_url(body => '{"signed_url":1}') },
        sub { $agent->signed_url(body => '') },
        sub { $agent->request->disconnect },
        sub { $agent->signed_url(url => $url->(1));
              $agent->request->respond(503, {}) },
        sub { $agent->signed_url(url => $url->(1));
              $agent->request->disconnect },
        sub { $agent->signed_url(url => $url->(1));
              my $socket = $agent->request;
              $socket->upgrade;
              $socket->expect_initiation;
              $socket->close_with(1008, 'not you') },
    );

    for my $failure (@failures) {
        $failure->();
        $agent->signed_url(url => $url->(2));

        my $socket = $agent->request;

        $socket->upgrade;
        $socket->expect_initiation;
        $socket->note(event => 'good', try => $socket->{request}{query}{try});
        live($socket);
        $socket->note(event => 'heard', audio => $socket->recv_audio(160));
        $socket->recv_close;
    }
--- test
    for my $why ('no signed URL: status 500',
                 'no signed URL: status 429 Try later',
                 'no signed URL in the answer', 'no signed URL in the answer',
                 'no signed URL: ', 'refused the WebSocket, status 503',
                 'did not complete the handshake',
                 'closed with 1008 "not you" before its metadata')
    {
        my $phone = phone()->connect;

        $phone->start(parameters => { agent_id => 'agent_1' });
        $phone->media('e' x 160);

        is agent->event('good')->{try}, 2, "$why: the second is good";
        is agent->event('heard')->{audio}, 'e' x 160, 'nothing is lost';
        $phone->stop;
        $phone->recv_close;
        $phone->disconnect;

        like log_has(qr/call $phone->{call_sid}:.*trying once more/),
             qr/\[warn\].*\Q$why\E/, 'and the log tells';
    }



=== what another try does not mend
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }

    location = /timeout {
        voicebridge_media_stream;
        voicebridge_connect_timeout 1s;
    }
--- agent_options
each => 1
--- agent
    my $name = $agent->{request}{query}{agent_id};

    # one does not even give a URL, the other does not take it

    $agent->answer_signed_url if $name eq 'mute' && $agent->{request}{path}
                                                    =~ /signed-url$/;

    $agent->answer_signed_url(status => $name, body => {
        detail => [ { loc => [ 'query' ], msg => 'no such agent',
                      type => 'value' } ] }) if $name eq '422';
    $agent->answer_signed_url(status => $name, body => {
        detail => { status => 'x', message => 'Invalid API key' } })
        if $name eq '401';
    $agent->answer_signed_url(url => "$name://127.0.0.1/") if $name eq 'ftp';
    $agent->answer_signed_url(url => "ws://unix:$ENV{TEST_NGINX_SERVROOT}.s:/")
        if $name eq 'unix';

    return 0;
--- test
    for (['401', 'status 401 Invalid API key'], ['422', 'status 422']) {
        my ($name, $why) = @$_;
        my $phone = phone()->connect;

        $phone->start(parameters => { agent_id => $name });
        is(($phone->recv_close)[0], 1011, "status $name");
        $phone->disconnect;

        like log_has(qr/call $phone->{call_sid}: Call ended/),
             qr/\[error\].*could not be reached: no signed URL: \Q$why\E/,
             'the log says why';
        is scalar(grep { $_->{event} eq 'request'
                         && $_->{query}{agent_id} eq $name } agent->events), 1,
           'it is not asked again';
    }

    # what listens here is nobody's but this system's

    my $path = "$ENV{TEST_NGINX_SERVROOT}.s";

    unlink $path;

    my $own = IO::Socket::UNIX->new(Local => $path, Listen => 1)
        or die "$path: $!\n";

    for my $name (qw( ftp unix )) {
        my $phone = phone()->connect;

        $phone->start(parameters => { agent_id => $name });
        is(($phone->recv_close)[0], 1011, "a URL of another kind: $name");
        $phone->disconnect;
        like log_has(qr/call $phone->{call_sid}: Call ended/),
             qr/could not be reached: the signed URL cannot be used/, 'is told';
    }

    ok !IO::Select->new($own)->can_read(0), 'and led nowhere';
    unlink $path;

    # time is bounded for all of it together

    for my $name ('never', 'mute') {
        my $phone = phone(path => '/timeout')->connect;
        my $start = time();

        $phone->start(parameters => { agent_id => $name });
        is(($phone->recv_close)[0], 1011, $name);
        cmp_ok time() - $start, '<', 4, 'in time';
        $phone->disconnect;

        log_has(qr/call $phone->{call_sid}: Call ended.*reason=agent_timeout/);
    }



=== a signed URL that leads out of TLS
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;
    }
--- agent_options
tls => 'good'
--- agent
    $agent->signed_url(url => 'ws://127.0.0.1:' . $agent->port . '/');
--- test
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    is(($phone->recv_close)[0], 1011, 'the call ends');
    $phone->disconnect;
    log_has(qr/Call ended: .*could not be reached: the signed URL cannot/);



=== certificates that must not be trusted
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /signed {
        voicebridge_media_stream;
        voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;
    }

    location = /socket {
        voicebridge_media_stream;
        voicebridge_elevenlabs_auth none;
        voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;
    }

    location = /system {
        voicebridge_media_stream;
        voicebridge_elevenlabs_auth none;
    }

    location = /off {
        voicebridge_media_stream;
        voicebridge_elevenlabs_auth none;
        voicebridge_ssl_verify off;
    }
--- agent_options
tls => 'expired', each => 1
--- agent
    $agent->upgrade;
    $agent->expect_initiation;
    $agent->recv_close;

    return 1;
--- test
    refused_tls('/signed', qr/certificate has expired/);
    refused_tls('/socket', qr/TLS/);
    log_has(qr/upstream SSL certificate verify error: .*has expired/);
    refused_tls('/system', qr/TLS/);

    my $phone = phone(path => '/off')->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    agent->event('initiation');
    pass('unless nobody looks');
    $phone->stop;
    $phone->recv_close;



=== a certificate of another host
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /signed {
        voicebridge_media_stream;
        voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;
    }

    location = /socket {
        voicebridge_media_stream;
        voicebridge_elevenlabs_auth none;
        voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;
    }
--- agent_options
tls => 'wrong-host', each => 1
--- agent
    return 1;
--- test
    refused_tls('/signed', qr/certificate/);
    refused_tls('/socket', qr/TLS/);
    log_has(qr/upstream SSL certificate does not match/);



=== a certificate that signs itself
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /signed {
        voicebridge_media_stream;
        voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;
    }

    location = /socket {
        voicebridge_media_stream;
        voicebridge_elevenlabs_auth none;
        voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;
    }
--- agent_options
tls => 'self-signed', each => 1
--- agent
    return 1;
--- test
    refused_tls('/signed', qr/certificate/);
    refused_tls('/socket', qr/TLS/);
    log_has(qr/upstream SSL certificate verify error: .*self/);



=== other TwiML where the agent fails
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    voicebridge_fallback_twiml '<Say>Sorry, &amp; good-bye.</Say>';
    access_log $TEST_NGINX_CALLS_LOG calls;

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }

    location = /connect {
        voicebridge_media_stream;
        voicebridge_connect_timeout 200ms;
    }
--- agent_options
each => 1
--- agent
    serve($agent);
--- twilio
    return {};
--- test
    for (['gone', 'agent_unreachable'], ['early', 'agent_unreachable'],
         ['status_1011', 'agent_failed'], ['lost', 'agent_lost'],
         ['reset', 'agent_lost'], ['junk', 'agent_protocol'],
         ['silent', 'agent_timeout', '/connect'])
    {
        my ($name, $reason, $path) = @$_;
        my $phone = phone(path => $path // '/twilio/media-stream')->connect;
        my $sid = $phone->{call_sid};

        $phone->start(parameters => { agent_id => $name });

        if ($name =~ /^(?:status|lost)/) {

            # what was said already is heard first

            my $mark = $phone->recv_event('mark');

            $phone->send_ping('still here');
            $phone->recv_message;
            is scalar(grep { $_->{event} eq 'request' && !$_->{seen} }
                           twilio->events), 0, "$name: it can wait";
            $phone->mark($mark->{mark}{name});
        }

        my $request = twilio->event('request');

        is $request->{method}, 'POST', "$name: the call";
        is $request->{path}, "/2010-04-01/Accounts/$ENV{TEST_NGINX_ACCOUNT_SID}"
                             . "/Calls/$sid.json", 'is updated';
        is $request->{user}, $ENV{TEST_NGINX_ACCOUNT_SID}, 'by its account';
        is $request->{password}, $ENV{TEST_NGINX_AUTH_TOKEN}, 'with its token';
        is_deeply [ keys %{$request->{form}} ], [ 'Twiml' ], 'with TwiML';
        like $request->{form}{Twiml},
             qr{<Response>\s*<Say>Sorry,\ &amp;\ good-bye\.</Say>
                \s*</Response>\s*$}x, 'as configured';

        # Twilio ends the stream now; until then it is served

        log_has(qr/call $sid: voicebridge_fallback_twiml was put on the call/);
        $phone->media('x' x 160);
        $phone->send_ping('still here');
        is $phone->recv_message->{payload}, 'still here', 'the stream is up';

        $phone->stop;
        is(($phone->recv_close)[0], 1011, 'and it is Twilio who ends it');
        $phone->send_close;
        $phone->recv_eof;

        log_has(qr/call $sid: Call ended.*reason=$reason/);
    }

    # where the agent does not fail nothing is put on the call

    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'ending' });
    listen_well($phone);
    is(($phone->recv_close)[0], 1000, 'not otherwise');
    is scalar(grep { $_->{event} eq 'request' && !$_->{seen} }
                   twilio->events), 0, 'is Twilio asked';



=== other TwiML, of which Twilio tells when the stream has ended
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    voicebridge_fallback_twiml "$arg_twiml<Say>$voicebridge_from</Say>";

    location = /twilio/media-stream {
        voicebridge_media_stream;
        voicebridge_twilio_account_sid AC$arg_account;
    }
--- agent_options
each => 1
--- agent
    serve($agent);
--- twilio
    return { cue => 1, status => 200, body => {} }
        if $request->{form}{Twiml} =~ m{<good/>};

    return { cue => 1, status => 500, body => '<html>' };
--- test
    for (['good', qr/\[info\].*was put on the call/],
         ['bad', qr/\[error\].*was not put on the call: .*status 500/])
    {
        my ($what, $said) = @$_;
        my $phone = failing("/twilio/media-stream?twiml=<$what/>&account=%/..",
                            from => '<Dial>1');
        my $asked = twilio->event('request');

        is $asked->{form}{Twiml},
           "<Response><$what/><Say>&lt;Dial&gt;1</Say></Response>",
           "$what: a caller says nothing to Twilio";
        like $asked->{path}, qr{/Accounts/AC%25%2F\.\./Calls/CA},
             "$what: nor does a variable";
        $phone->stop;
        is(($phone->recv_close)[0], 1011, "$what: the stream ends");
        twilio->cue;
        $phone->send_close;
        $phone->recv_eof;

        my $sid = $phone->{call_sid};

        like log_has(qr/call $sid: voicebridge_fallback_twiml/), $said,
             "$what: how that went is told";
        log_has(qr/call $sid: Call ended.*reason=agent_lost/);
    }
--- error_log
was not put on the call



=== other TwiML that cannot be put on the call
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    voicebridge_fallback_twiml $arg_twiml;
    voicebridge_twilio_timeout 1500ms;

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }

    location = /sid {
        voicebridge_media_stream;
        voicebridge_twilio_account_sid "";
    }
--- agent_options
each => 1
--- agent
    serve($agent);
--- twilio
    my ($what) = ($request->{form}{Twiml} // '') =~ m{<(\w+)/>};

    return { over   => { status => 400, body => {
                 code => 21220, status => 400,
                 message => 'Call is not in-progress. Cannot redirect.' } },
             gone   => { status => 404, body => {
                 code => 20404, status => 404, message => 'not found' } },
             wrong  => { status => 401, body => {
                 code => 20003, status => 401, message => 'Authenticate' } },
             number => { status => 400, body => {
                 code => 21212, status => 400,
                 message => 'The number +14155550123 is not yours' } },
             broken => { status => 500, body => '<html>' },
             closed => { close => 1 },
             never  => { never => 1 },
           }->{$what};
--- test
    # a call that is over needs nothing more

    for my $what ('over', 'gone') {
        my $phone = failing("/twilio/media-stream?twiml=<$what/>");

        is(($phone->recv_close)[0], 1011, "$what: the line is closed");
        $phone->disconnect;
        log_has(qr/call $phone->{call_sid}: Call ended/);

        ok !log_lines(qr/call $phone->{call_sid}: voicebridge_fallback_twiml/),
           "$what: and this is no error";
    }

    for (['wrong', 'Twilio refused, status 401, code 20003 Authenticate'],
         ['number', 'code 21212 The number +*******0123 is not yours'],
         ['broken', 'Twilio refused, status 500'],
         ['closed', 'Empty reply from server; the call ends instead'],
         ['never', 'Operation timed out'])
    {
        my ($what, $why) = @$_;
        my $phone = failing("/twilio/media-stream?twiml=<$what/>");

        is(($phone->recv_close)[0], 1011, "$what: the line is closed");
        $phone->disconnect;

        like log_has(qr/call $phone->{call_sid}: voicebridge_fallback_twiml/),
             qr/\[error\].*was not put on the call: .*\Q$why\E/,
             "$what: the log says why";
    }

    my $phone = failing('/twilio/media-stream');

    is(($phone->recv_close)[0], 1011, 'nothing to put on it');
    $phone->disconnect;

    $phone = failing('/sid?twiml=<Hangup/>');
    is(($phone->recv_close)[0], 1011, 'no credentials');
    $phone->disconnect;
    log_has(qr/\[error\].*call $phone->{call_sid}: .*credentials/);

    # a Twilio that does not end the stream: a bounded time later we do

    $phone = failing('/twilio/media-stream?twiml=<Hangup/>');

    my $start = time();

    is(($phone->recv_close)[0], 1011, 'a stream that goes on is ended');
    cmp_ok time() - $start, '<', 7, 'in time';
    $phone->disconnect;



=== a thousand calls that end in every way
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    access_log off;
    error_log logs/error.log warn;

    location = /metrics { voicebridge_metrics; }

    location = /twilio/media-stream { voicebridge_media_stream; }

    location = /times {
        voicebridge_media_stream;
        voicebridge_start_timeout 100ms;
        voicebridge_stream_timeout 150ms;
        voicebridge_connect_timeout 100ms;
    }

    location = /long {
        voicebridge_media_stream;
        voicebridge_max_call_duration 150ms;
    }

    location = /dead {
        voicebridge_media_stream;
        voicebridge_agent_timeout 150ms;
    }

    location = /fallback {
        voicebridge_media_stream;
        voicebridge_fallback_twiml <Hangup/>;
    }
--- twilio
    return {};
--- agent
    # one process for all of them: they come one after another

    while (1) {
        my $connection = $agent->request;

        eval { serve($connection) };
        $connection->disconnect;
    }
--- test
    my $pid = nginx_pid();

    # agent, what the phone does, path; those that take their time are rarer

    my $stop = sub { $_[0]->stop };
    my $close = sub { $_[0]->send_close };
    my $nothing = sub { };

    my @quick = (
        [ 'quiet', $stop ], [ 'speaking', $stop ], [ 'quiet', $close ],
        [ 'quiet', sub { $_[0]->reset } ],
        [ 'quiet', sub { $_[0]->disconnect } ],
        [ 'speaking', sub { $_[0]->shutdown_write } ],
        [ 'quiet', sub { $_[0]->send_text('junk') } ],
        [ 'quiet', sub { $_[0]->send_frame(1, '{}', mask => undef) } ],
        [ 'quiet', sub { $_[0]->send_frame(2, 'binary') } ],
        [ 'quiet', sub { $_[0]->send_text(' ' x 200_000) } ],
        [ 'quiet', sub { $_[0]->start } ],
        [ '', $nothing ],
        (map { [ $_, $nothing ] } qw( ending leaving nameless lost reset junk
            rsv impatient no_base64 early gone status_1001 status_1002
            status_1008 status_1011 status_3000 status_4300 )),
        [ 'reset', $stop, '/fallback' ],
    );

    my @slow = ([ 'quiet', $nothing, '/times' ],
                [ 'silent', $nothing, '/times' ], [ 'quiet', $nothing, '/long' ],
                [ undef, $nothing, '/times' ]);

    my ($descriptors, $memory);
    my $n = 0;

    while ($n < 1000) {
        my ($agent, $what, $path) =
            @{++$n == 500 ? [ 'deaf', $nothing, '/dead' ]
              : $n % 25 ? $quick[$n % @quick] : $slow[$n / 25 % @slow]};

        my $phone = phone(return_marks => 1,
                          $path ? (path => $path) : ())->connect;

        # where time is short it may be over before all is said
        eval {
            if (defined $agent) {
                $phone->start(parameters => { agent_id => $agent });
                $phone->media('x' x 160) for 1 .. 3;
                $phone->recv_audio(160) if $agent eq 'speaking';
            }

            $what->($phone);
            1;
        } or $path or die $@;

        eval {
            while ($phone->sock->opened) {
                my $message = $phone->recv_message or last;

                if ($message->{opcode} == 8) {
                    $phone->send_close($message->{code});
                    last;
                }

                my $event = json()->decode($message->{payload});

                $phone->mark($event->{mark}{name}) if $event->{event} eq 'mark';
                $phone->stop if $path && $path eq '/fallback';
            }
        };

        $phone->disconnect;

        # what they have to tell waits for a reader
        agent->cue if ($agent // '') eq 'deaf';
        $_->events for agent, twilio;

        if ($n == 300) {
            until_true(sub { metrics()->{voicebridge_calls_live} == 0 },
                       'those before are over');
            $descriptors = descriptors($pid);
            $memory = memory($pid);
        }
    }

    until_true(sub { metrics()->{voicebridge_calls_live} == 0 },
               'nobody is left');
    until_true(sub { descriptors($pid) <= $descriptors },
               "$descriptors descriptors after 300 calls, no more after $n");

    my $growth = memory($pid) - $memory;

    # less than a kilobyte for each
    cmp_ok $growth, '<', 600, "$memory KiB after 300 calls, $growth more after "
                              . $n if memory_is_plain($pid);

    # all of them are counted, and what ended them was this

    my $m = metrics();
    my (%ended, $all);

    for (grep { /^voicebridge_calls_total\{/ } keys %$m) {
        my ($reason) = /reason="(\w+)"/;

        $ended{$reason} += $m->{$_};
        $all += $m->{$_};
    }

    is $all, $n, 'each call was counted';
    is join(' ', sort keys %ended),
       'agent_ended agent_failed agent_lost agent_protocol agent_silent'
       . ' agent_timeout agent_unreachable bad_start caller_hung_up caller_lost'
       . ' caller_silent no_start phone_protocol too_long',
       join ', ', map { "$_ $ended{$_}" } sort keys %ended;



=== no memory
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    voicebridge_fallback_twiml <Hangup/>;
    access_log $TEST_NGINX_CALLS_LOG calls;

    location = /twilio/media-stream { voicebridge_media_stream; }
--- agent_options
each => 1
--- agent
    my $name = $agent->{request}{query}{agent_id};

    $agent->upgrade;
    $agent->expect_initiation;
    live($agent);

    if ($name eq 'huge') {
        $agent->await_cue;
        eval { $agent->send_text('{"type":"' . 'x' x 15_000_000 . '"}') };
        eval { $agent->recv_other while 1 };

    } else {
        $agent->recv_close;
    }

    return 1;
--- twilio
    return {};
--- test
    my $pid = nginx_pid();

    return pass('memory cannot be limited here') unless memory_is_plain($pid);

    my ($other, $phone) = map {
        my $phone = phone()->connect;

        $phone->start(parameters => { agent_id => $_ });
        log_has(qr/call $phone->{call_sid}: conversation/);
        $phone;
    } qw( quiet huge );

    open my $in, '<', "/proc/$pid/statm" or die;
    my ($pages) = <$in> =~ /^(\d+)/;

    # two megabytes more than it has now, for this message and for all else
    system('prlimit', "--pid=$pid", '--as=' . ($pages * 4096 + 2_097_152)) == 0
        or die "prlimit: $?\n";

    agent->cue;
    like log_has(qr/call $phone->{call_sid}: voicebridge_fallback_twiml was put/),
         qr/\[info\]/, 'the call goes on elsewhere';
    $phone->stop;
    is(($phone->recv_close)[0], 1011, 'the phone is told');
    $phone->send_close;
    $phone->recv_eof;
    like log_has(qr/call $phone->{call_sid}: Call ended/),
         qr/\[crit\].*something failed here: no memory, reason=internal_error /,
         'the log';
    like calls_log_has(qr/call=$phone->{call_sid}.*reason=internal_error/),
         qr/status=failed/, 'the access log';

    # it is nobody else's affair
    $other->stop;
    is(($other->recv_close)[0], 1000, 'the other call has not noticed');
    log_has(qr/call $other->{call_sid}: Call ended.*reason=caller_hung_up/);
--- error_log eval
# who watches memory does not let it be limited
defined $ENV{REPORTS} ? qr/\[notice\]/ : qr/malloc\(/
