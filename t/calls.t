# voicebridge_calls: live and recent calls as JSON.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );
use Voicebridge::Metrics qw( calls until_calls );
use Voicebridge::WebSocket qw( deadline_after );

add_block_preprocessor(sub {
    my $block = shift;

    my $dies = $block->name =~ /dies/;

    master_on() if $dies;
    master_off() unless $dies;
    workers(1);
});

sub hang_up {
    for (@_) {
        $_->send_close(1000);
        $_->recv_close;
        $_->recv_eof;
    }
}

run_tests();

__DATA__

=== one call from its beginning to its end
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    location = /calls { voicebridge_calls; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $agent->await_cue;
    $socket->metadata(id => 'conv_1', input => 'ulaw_8000',
                      output => 'ulaw_8000');
    $socket->audio('a' x 800, 1);
    $socket->recv_audio(160);
    $socket->user_transcript('hello');
    $agent->await_cue;
    $socket->send_json({ type => 'client_error',
                         client_error_event => {
                             code => 1011, message => 'x' } });
    $socket->interruption(1);
    $socket->recv_close;
--- test
    is_deeply calls(), { live => [], recent => [] }, 'no calls';

    my $phone = phone()->connect;

    my $now = calls();
    my ($call) = @{$now->{live}};

    is scalar @{$now->{live}}, 1, 'a call is there with its handshake';
    is $call->{state}, 'accepted', 'accepted';
    is $call->{call_sid}, undef, 'its SID is not known';

    $phone->start(parameters => {
        agent_id => 'agent_"1"', session_id => "s\x{e9}ssion",
        direction => 'outbound',
        from => '+15005550006', to => '+15005550009' });
    agent()->event('initiation');

    $now = until_calls('', sub { $_[0]{live}[0]{state} eq 'initiated' });
    $call = $now->{live}[0];

    is $call->{call_sid}, $phone->{call_sid}, 'the call';
    is $call->{stream_sid}, $phone->{stream_sid}, 'its stream';
    is $call->{agent_id}, 'agent_"1"', 'its agent';
    is $call->{session_id}, "s\x{e9}ssion", 'its session';
    is $call->{direction}, 'outbound', 'its direction';
    is $call->{from}, '+*******0006', 'who calls, masked';
    is $call->{to}, '+*******0009', 'who is called, masked';
    is $call->{conversation_id}, undef, 'no conversation yet';
    is $call->{first_audio_seconds}, undef, 'nor any audio';
    is $call->{end_reason}, undef, 'nor an end';
    like $call->{started}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
         'RFC 3339';

    agent()->cue;
    $phone->recv_audio(800);
    $phone->media('x' x 160);

    $now = until_calls('', sub { $_[0]{live}[0]{caller_audio_seconds} > 0 });
    $call = $now->{live}[0];

    is $call->{state}, 'live', 'live';
    is $call->{conversation_id}, 'conv_1', 'the conversation';
    is $call->{caller_audio_seconds}, 0.02, 'what the caller said';
    is $call->{agent_audio_seconds}, 0.1, 'and the agent';
    cmp_ok $call->{first_audio_seconds}, '<=', $call->{duration}, 'since when';

    agent()->cue;
    $phone->recv_event('clear');

    is calls()->{live}[0]{interruptions}, 1, 'an interruption';

    $phone->stop;
    hang_up($phone);

    $now = until_calls('', sub { @{$_[0]{recent}} });

    is_deeply $now->{live}, [], 'nobody is there any more';

    my %last = %{$now->{recent}[0]};

    is $last{state}, 'ended', 'ended';
    is $last{end_reason}, 'caller_hung_up', 'why';
    is $last{started}, $call->{started}, 'the same call';
    cmp_ok $last{duration}, '>=', $call->{duration}, 'and its duration';
    is calls()->{recent}[0]{duration}, $last{duration}, 'which stays';

    is_deeply [ sort keys %last ], [ sort qw( agent_audio_seconds agent_id
        answered_by call_sid call_status caller_audio_seconds conversation_id
        created direction duration end_reason error error_code
        first_audio_seconds from interruptions session_id sip_response_code
        started state stream_sid to ) ], 'all of its members';

    my ($head) = http(GET => '/calls')->{body} =~ /^(\{"live": \[)/;
    ok $head, 'the same lists whatever there is';



=== what went wrong
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    location = /calls { voicebridge_calls; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->close_with(1008, "no\x{22} 15005550009 here");
--- test
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    $phone->recv_close;
    $phone->send_close(1011);
    $phone->recv_eof;

    my ($call) = @{until_calls('', sub { @{$_[0]{recent}} })->{recent}};

    is $call->{end_reason}, 'agent_failed', 'the reason';
    like $call->{error}, qr/no" \*+0009 here/, 'the words, without a number';



=== filter and limit
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    location = /calls { voicebridge_calls; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    # none of them has an agent
    my @over = map { phone()->connect->start } 1 .. 5;

    for (@over) {
        $_->recv_close;
        $_->send_close(1008);
        $_->recv_eof;
    }

    my @on = map { phone()->connect } 1 .. 3;

    my $all = until_calls('', sub { @{$_[0]{recent}} == 5 });

    is scalar @{$all->{live}}, 3, 'all that are live';

    my $some = calls('?limit=2');

    is scalar @{$some->{live}}, 2, 'a limit';
    is_deeply $some->{recent}, [ @{$all->{recent}}[0, 1] ], 'the newest';

    is_deeply calls('?limit=0'), { live => [], recent => [] }, 'none at all';

    my $one = calls("?sid=$over[1]{call_sid}");

    is_deeply $one->{live}, [], 'one call';
    is scalar @{$one->{recent}}, 1, 'which is over';
    is $one->{recent}[0]{call_sid}, $over[1]{call_sid}, 'the right one';
    is $one->{recent}[0]{end_reason}, 'bad_start', 'and how it ended';

    is_deeply calls('?sid=CA' . '0' x 32), { live => [], recent => [] },
              'nobody';

    for my $bad (qw( x -1 1x 99999999999999999999 )) {
        my $answer = http(GET => "/calls?limit=$bad");

        is $answer->{status}, 400, "limit=$bad";
        like $answer->{json}{detail}, qr/limit/, 'is no limit';
    }

    is http(PUT => '/calls', body => 'x')->{status}, 405, 'PUT';
    is http(HEAD => '/calls')->{status}, 200, 'HEAD';

    hang_up(@on);
--- error_log
no agent: give



=== the oldest go
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    location = /calls { voicebridge_calls; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    my @phones = map { phone()->connect->start } 1 .. 105;

    for (@phones) {
        $_->recv_close;
        hang_up_after($_);
    }

    my $last = $phones[-1]{call_sid};
    my $all = until_calls('', sub {
        @{$_[0]{live}} == 0 && @{$_[0]{recent}} == 100 });

    my %is = map { $_->{call_sid} => 1 } @{$all->{recent}};

    ok $is{$last}, 'the last is there';
    is scalar keys %is, 100, 'and a hundred in all';

    sub hang_up_after { $_[0]->send_close(1008); $_[0]->recv_eof }
--- error_log
no agent: give



=== what is not UTF-8
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_verify_signature off;
    voicebridge_agent $arg_agent;

    location = /calls { voicebridge_calls; }
    location = /twilio/call-status { voicebridge_call_status; }
    location = /twilio/incoming-call { voicebridge_incoming_call; }
    location = /twilio/media-stream { voicebridge_media_stream; }
--- test
    my $sid = 'CA' . '0123456789abcdef' x 2;
    my @form = (CallSid => $sid, From => "\xff\xfe+15005550009");

    is http(POST => '/twilio/incoming-call?agent=a', form => \@form)->{status},
       200, 'a call';
    is http(POST => '/twilio/call-status',
            form => [ @form, AnsweredBy => "\xc3\xa9\xff" ])->{status},
       204, 'what is said of it';

    my ($call) = @{calls()->{live}};

    is $call->{call_sid}, $sid, 'can be read';
    is $call->{answered_by}, '???', 'whatever was said';

    # it would be another one in the call's TwiML

    is http(POST => "/twilio/incoming-call?agent=\xff", form => \@form)
           ->{status}, 500, 'is no agent';
    log_has(qr/"voicebridge_agent" has more than 256 bytes/);

    my $phone = phone(path => "/twilio/media-stream?agent=\xc2")->connect;

    $phone->start;
    is scalar(($phone->recv_close)[0]), 1008, 'nor at a stream';
    log_has(qr/CA\w+: .*voicebridge_agent has more than 256 bytes/);
--- error_log
voicebridge_agent



=== without a zone
--- config
    location = /calls { voicebridge_calls; }
--- test
    my $answer = http(GET => '/calls');

    is $answer->{status}, 503, 'there are no calls';
    like $answer->{json}{detail}, qr/voicebridge_zone/, 'the answer says why';



=== a worker that dies
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    location = /calls { voicebridge_calls; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    $agent->socket->expect_initiation;
    $agent->await_cue;
--- test
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    agent()->event('initiation');

    my ($pid) = log_has(qr/call $phone->{call_sid}: Sent init/) =~ / (\d+)#/;

    kill KILL => $pid;
    log_has(qr/worker process $pid exited on signal 9/);

    my $now = until_calls('', sub { @{$_[0]{recent}} });

    is_deeply $now->{live}, [], 'leaves no call behind';
    is $now->{recent}[0]{call_sid}, $phone->{call_sid}, 'its call';
    is $now->{recent}[0]{end_reason}, 'worker_lost', 'is lost';
    is $now->{recent}[0]{state}, 'ended', 'and over';

    agent()->cue;
    $phone->disconnect;
--- error_log eval
qr/exited on signal 9/
