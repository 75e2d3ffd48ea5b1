# A call between a phone and an agent, as it should be.

use Voicebridge::Test;
use Voicebridge::Certificates qw( certificate );
use Voicebridge::WebSocket qw( json );


# an agent that has taken a call and speaks mu-law

sub live {
    my ($agent, %o) = @_;

    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000', %o);

    return $socket;
}


# a phone on which the stream has started

sub started {
    my %o = @_;

    return phone()->connect->connected->start(
        parameters => { agent_id => 'agent_1', %o });
}


# the phone's end of a good-bye

sub closed {
    my ($phone, $code, $name) = @_;

    is(($phone->recv_close)[0], $code, $name // "the phone is closed: $code");

    $phone->send_close($code);
    $phone->recv_eof;
}


# a round trip: whatever was sent before it has arrived after it

sub settled {
    my $phone = shift;

    $phone->send_ping('settled');

    while (my $message = $phone->recv_message) {
        return if $message->{opcode} == 10;

        die 'a close' if $message->{opcode} == 8;
    }
}

run_tests();

__DATA__

=== from start to hang-up
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        access_log $TEST_NGINX_CALLS_LOG calls;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->note(event => 'raw',
                  text => $socket->{messages}[0]{payload});
    $socket->metadata(id => 'conv_1', input => 'ulaw_8000',
                      output => 'ulaw_8000');
    $socket->note(event => 'heard', audio => $socket->recv_audio(480));
    $socket->user_transcript("Hello,\nis this \x{260e}?");
    $socket->agent_response('It is.');
    $socket->send_json({
        type => 'agent_response_correction',
        agent_response_correction_event => {
            original_agent_response => 'It is.',
            corrected_agent_response => 'It' } });
    $socket->audio('xyz' x 800, 1);
    $socket->recv_close;
--- test
    my $variables = '{"name":"Zo\u00eb \"<&>\"","price":1.50,"ok":true,'
                    . '"none":null,"big":12345678901234567890,"e":1e3,'
                    . '"list":["a",2,false],"' . "\x{260e}" . '":"'
                    . "\x{1f600}" . '","empty":""}';

    my $phone = started(
        session_id        => 'session-1',
        direction         => 'outbound',
        from              => '+15005550006',
        to                => '+15005550009',
        dynamic_variables => $variables,
        Campaign          => 'spring "sale"',
    );
    my $sid = $phone->{call_sid};

    # first a signed URL

    my $request = agent->event('request');

    is $request->{method}, 'GET', 'a signed URL';
    is $request->{path}, '/v1/convai/conversation/get-signed-url',
       'is asked for';
    is_deeply $request->{query}, { agent_id => 'agent_1' }, 'for the agent';
    is $request->{headers}{'xi-api-key'}, $ENV{TEST_NGINX_XI_API_KEY},
       'with the API key';

    # then it is used as it is

    $request = agent->event('request');

    is $request->{target}, '/v1/convai/conversation?agent_id=agent_1'
                           . '&conversation_signature=cvtkn_0123456789',
       'and used as it is';
    is $request->{headers}{'xi-api-key'}, undef, 'the key is not needed now';
    is $request->{headers}{host}, '127.0.0.1:' . agent->port, 'the host';

    for my $header (qw( origin sec-websocket-protocol
                        sec-websocket-extensions cookie
                        x-twilio-signature )) {
        ok !exists $request->{headers}{$header}, "no $header";
    }

    # the first message

    my $initiation = agent->event('initiation')->{message};

    is_deeply [ sort keys %$initiation ], [ qw( dynamic_variables type ) ],
              'the initiation is flat and says no more than it must';

    my %got = %{$initiation->{dynamic_variables}};

    is delete $got{name}, "Zo\x{eb} \"<&>\"", 'a string';
    is delete $got{"\x{260e}"}, "\x{1f600}", 'Unicode';
    is_deeply delete $got{list}, [ 'a', 2, JSON::PP::false ], 'a list';
    is delete $got{empty}, '', 'an empty string';
    is delete $got{Campaign}, 'spring "sale"', 'a parameter nobody knows';

    delete @got{qw( price ok none big e )};
    is_deeply \%got, {
        caller_number  => '+15005550006',
        called_number  => '+15005550009',
        call_sid       => $sid,
        call_direction => 'outbound',
        session_id     => 'session-1',
    }, 'and what the call is';

    my $raw = agent->event('raw')->{text};

    like $raw, qr/[{,]\Q$_\E[,}]/, "$_ is as it was written"
        for '"price":1.50', '"ok":true', '"none":null', '"e":1e3',
            '"big":12345678901234567890';

    # audio

    $phone->speak(join '', 'a' .. 'z', 'A' .. 'Z', 0 .. 9, 'a' x 418);
    is agent->event('heard')->{audio},
       join('', 'a' .. 'z', 'A' .. 'Z', 0 .. 9, 'a' x 418),
       'the agent hears the caller';
    is $phone->recv_audio(2400), 'xyz' x 800, 'the caller hears the agent';

    $phone->dtmf('7');
    $phone->stop;

    is agent->event('close')->{code}, 1000, 'the agent is told of the end';
    closed($phone, 1000);

    # what the operator sees, all of it found with the call's SID

    like log_has(qr/\[info\].*call $sid: \Q$_\E/), qr/\Q$_\E/, $_
        for 'Media stream started', 'Connecting to ElevenLabs agent',
            'Sent initialization to ElevenLabs', 'conversation conv_1',
            "User said: Hello, is this \xe2\x98\x8e?",
            'Agent response: It is.', 'a key was pressed';

    my $line = log_has(qr/\[info\].*call $sid: Call ended/);

    like $line, qr/reason=caller_hung_up\ duration=\d+\.\d{3}
                   \ caller_audio=0\.060\ agent_audio=0\.300
                   \ interruptions=0/x, 'the end';

    like calls_log_has($sid),
         qr/call=$sid\ agent=agent_1\ http=101\ status=completed
            \ reason=caller_hung_up\ conversation=conv_1
            \ first_audio=\d+\.\d{3}\ caller=0\.060\ agent=0\.300
            \ interruptions=0/x, 'and the access log';
--- no_error_log
[error]
a key was pressed: 7



=== variables in pieces, in whatever order they are told
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    live($agent)->recv_close for 1 .. 2;
--- test
    # sorted by name 10 comes before 2
    my $text = '{"a":"0123456789abcdef","b":[1,2,3],"c":"xyz"}';
    my @pieces = unpack '(a4)*', $text;

    cmp_ok scalar @pieces, '>', 10, 'in more than ten pieces';

    my $phone = started(
        dynamic_variables_x  => 'not a piece',
        dynamic_variables_02 => 'nor this',
        map { ('dynamic_variables' . ($_ ? '_' . ($_ + 1) : ''),
               $pieces[$_]) } 0 .. $#pieces);

    my $got = agent->event('initiation')->{message}{dynamic_variables};

    is $got->{a}, '0123456789abcdef', 'put together again';
    is_deeply $got->{b}, [ 1, 2, 3 ], 'all of them';
    is $got->{c}, 'xyz', 'to the last';
    is $got->{dynamic_variables_x}, 'not a piece', 'and what is none';
    is $got->{dynamic_variables_02}, 'nor this', 'is none';

    $phone->stop;
    closed($phone, 1000);

    # backwards

    $phone = phone()->connect;
    $phone->send_text('{"event":"start","streamSid":"' . $phone->{stream_sid}
        . '","start":{"customParameters":{"dynamic_variables_3":"2}",'
        . '"dynamic_variables_2":"d\\":","dynamic_variables":"{\\"",'
        . '"agent_id":"agent_1"},"mediaFormat":{"channels":1,'
        . '"sampleRate":8000,"encoding":"audio/x-mulaw"},"callSid":"'
        . $phone->{call_sid} . '","accountSid":"' . $phone->{account_sid}
        . '"}}');

    is agent->event('initiation')->{message}{dynamic_variables}{d}, 2,
       'backwards, too';
    $phone->stop;
    closed($phone, 1000);
--- no_error_log
[error]



=== with the key on the socket, and with none
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth header;
    }

    location = /none {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_agent $arg_of;
    }
--- agent
    live($agent)->recv_close for 1 .. 2;
--- test
    my $phone = started(agent_id => 'agent a&b=c/+');
    my $request = agent->event('request');

    is $request->{path}, '/v1/convai/conversation', 'no signed URL';
    is_deeply $request->{query}, { agent_id => 'agent a&b=c/+' }, 'the agent';
    is $request->{headers}{'xi-api-key'}, $ENV{TEST_NGINX_XI_API_KEY},
       'the key';

    agent->event('initiation');
    $phone->stop;
    closed($phone, 1000);

    # the agent is the location's here

    $phone = phone(path => '/none?of=agent_2')->connect;
    $phone->start;
    $request = agent->event('request');

    is_deeply $request->{query}, { agent_id => 'agent_2' }, 'another agent';
    ok !exists $request->{headers}{'xi-api-key'}, 'no key';

    my $got = agent->event('initiation')->{message}{dynamic_variables};

    is_deeply $got, { call_sid => $phone->{call_sid},
                      call_direction => 'inbound' },
              'a call that says nothing is one that came in';

    $phone->stop;
    closed($phone, 1000);
--- no_error_log
[error]



=== a signed URL on another host, with escapes
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    my $host = $agent->have_ipv6 ? '[::1]' : '127.0.0.1';
    my $url = "ws://$host:" . $agent->port
              . '/v1/convai/conversation?agent_id=agent_9&x=%20y';

    $agent->signed_url(body => '{"conversation_id":null,"signed_url":"'
                               . ($url =~ s{/}{\\/}gr) . '"}');
    live($agent)->recv_close;
--- test
    my $phone = started();

    agent->event('request');
    my $request = agent->event('request');

    is $request->{target}, '/v1/convai/conversation?agent_id=agent_9&x=%20y',
       'the path is what was answered';
    like $request->{headers}{host}, qr/^(?:\[::1\]|127\.0\.0\.1):\d+$/,
         'and the host';

    agent->event('initiation');
    $phone->stop;
    closed($phone, 1000);
--- no_error_log
[error]



=== a caller who speaks early
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    my $next = sub { $agent->await_cue };

    my $connection = $agent->request;      # a signed URL

    $next->();
    $connection->answer_signed_url;
    $connection = $agent->request;         # the socket

    $next->();
    $connection->upgrade;
    $connection->expect_initiation;
    $next->();
    $connection->metadata(input => 'ulaw_8000', output => 'ulaw_8000');

    my $audio = $connection->recv_audio(4 * 4000);

    $connection->note(event => 'heard', right =>
                      $audio eq join('', map { $_ x 4000 } 'a' .. 'd')
                      ? 1 : 0, others => $connection->{others});
    $connection->recv_close;
--- test
    my $phone = started();

    # before each step there is a piece that has arrived

    agent->event('request');
    $phone->speak('a' x 4000);
    settled($phone);
    agent->cue;

    agent->event('request');
    $phone->speak('b' x 4000);
    settled($phone);
    agent->cue;

    agent->event('initiation');
    $phone->speak('c' x 4000);
    settled($phone);
    agent->cue;

    $phone->speak('d' x 4000);

    my $heard = agent->event('heard');

    ok $heard->{right}, 'is heard from the first word';
    is $heard->{others}, undef, 'and nothing else comes before';

    $phone->stop;
    closed($phone, 1000);
--- no_error_log
[error]



=== pings
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;

    # as in one documented example: type last, no ping_ms, id 0
    $socket->send_text('{"ping_event":{"event_id":0,"ping_ms":null},'
                       . '"type":"ping"}');
    $socket->note(event => 'pong', text => json()->encode($socket->recv_other));

    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->ping(12345678901, 40);
    $socket->ping(2);
    $socket->note(event => 'pong', text => json()->encode($socket->recv_other))
        for 1, 2;

    $socket->send_ping('protocol');
    my $message = $socket->recv_message;
    $socket->note(event => 'pong', text => "$message->{opcode} "
                                           . $message->{payload});
    $socket->recv_close;
--- test
    my $phone = started();

    is agent->event('pong')->{text}, '{"event_id":0,"type":"pong"}',
       'even before the metadata';
    is agent->event('pong')->{text}, '{"event_id":12345678901,"type":"pong"}',
       'with the same id';
    is agent->event('pong')->{text}, '{"event_id":2,"type":"pong"}',
       'each of them';
    is agent->event('pong')->{text}, '10 protocol', 'and those of WebSocket';

    $phone->send_ping('and here');
    is $phone->recv_message->{payload}, 'and here', 'on both sides';

    $phone->stop;
    closed($phone, 1000);
--- no_error_log
[error]



=== an interruption
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        access_log $TEST_NGINX_CALLS_LOG calls;
    }
--- agent
    my $socket = live($agent);

    $socket->audio('a' x 1600, 1);
    $socket->audio('b' x 1600, 2);
    $socket->await_cue;                    # or it would not be sent any more
    $socket->interruption(2);
    $socket->audio('c' x 1600, 1);
    $socket->audio('d' x 1600, 2);
    $socket->audio('e' x 1600, 3);
    $socket->audio('f' x 1600, '4');
    $socket->await_cue;
    $socket->interruption(3);
    $socket->audio('g' x 1600, 3);
    $socket->audio('h' x 1600, 5);
    $socket->send_json({ type => 'audio', audio_event => {
                             audio_base_64 => 'aWlp' } });
    $socket->recv_close;
--- test
    my $phone = started();
    my @heard;

    while (@heard < 7) {
        my $message = $phone->recv_json;

        push @heard, $message->{event} eq 'media'
                     ? substr $phone->{audio}, -1 : $message->{event};

        agent->cue if $heard[-1] =~ /^[bf]$/;
    }

    is "@heard", 'a b clear e f clear h',
       'empties the queue, and what comes late is dropped by its id';
    is $phone->recv_json->{media}{payload}, 'aWlp', 'what has none is not';

    $phone->stop;
    closed($phone, 1000);

    log_has(qr/call $phone->{call_sid}: the caller interrupted the agent/);
    like calls_log_has($phone->{call_sid}), qr/interruptions=2/, 'counted';
--- no_error_log
[error]



=== messages in all their forms
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;

    # a format that is not named is that of ElevenLabs' own SDK
    $socket->send_text('{ "conversation_initiation_metadata_event" : {'
                       . ' "agent_output_audio_format" : "ulaw_8000",'
                       . ' "user_input_audio_format" : "ulaw_8000",'
                       . ' "new" : [ {} ], "conversation_id" : "conv_2" },'
                       . "\t\r\n"
                       . '"type":"conversation_initiation_metadata"}');

    # the type last, slashes escaped as PHP does, and one of the others
    $socket->send_text('{"audio_event":{"event_id":"1","audio_base_64":'
                       . '"\/\/\/\/aaa\u002b","alignment":{"chars":["\"}"],'
                       . '"char_start_times_ms":[0]}},"type":"audio"}');
    $socket->send_json({ type => 'audio', audio => { chunk => 'YmJi' } });
    $socket->send_frame(2, json()->encode({ type => 'audio', audio_event => {
                            audio_base_64 => 'Y2Nj', event_id => 2 } }));

    # nothing to hear
    $socket->audio('', 3, is_final => JSON::PP::true);
    $socket->send_json({ type => 'audio', audio_event => { event_id => 3 } });
    $socket->send_json({ type => 'audio' });

    # what nobody has to know
    $socket->send_json($_) for
        { type => 'vad_score', vad_score_event => { vad_score => 0.5 } },
        { type => 'tentative_user_transcript' },
        { type => 'agent_tool_response', agent_tool_response => {} },
        { type => 'queue_status', queue_status_event => {
              status => 'waiting' } },
        { type => 'client_error' },
        { type => "no\nsuch\x{1f600}", audio_event => 1 },
        { type => 'agent_response' },
        { type => 'metadata', deep => [ [ [ [ { a => [] } ] ] ] ] };

    $socket->send_text("\n {\"type\":\"audio\",\"audio_event\":{"
                       . '"audio_base_64":"ZGRk","event_id":9}} ');
    $socket->recv_close;
--- test
    my $phone = started();

    is $phone->recv_audio(6 + 9),
       "\xff\xff\xff\x69\xa6\xbe" . 'bbbcccddd', 'all audio is found';

    log_has('ElevenLabs queue: waiting');
    log_has('ElevenLabs error');

    # Twilio's, too: unknown members and events, another order

    $phone->send_text('{"new":{"event":"stop"},"event":"\u006eew"}');
    $phone->send_text('{"event":"whatever","streamSid":null}');
    $phone->send_text(' { "media" : { "payload" : "", "track":"inbound" } ,'
                      . ' "event" : "media" } ');
    settled($phone);

    $phone->stop;
    closed($phone, 1000);



=== frames without audio before the agent is there
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->await_cue;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->note(event => 'heard', audio => $socket->recv_audio(3));
    $socket->recv_close;
--- test
    my $phone = started();

    agent->event('initiation');
    $phone->media($_) for '', 'abc', '';
    settled($phone);
    agent->cue;

    is agent->event('heard')->{audio}, 'abc', 'only those that have some';

    $phone->stop;
    closed($phone, 1000);



=== a tool that is not here
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    my $socket = live($agent);
    my $call = sub {
        my ($id, $expects) = @_;

        $socket->send_json({ type => 'client_tool_call', client_tool_call => {
            tool_name => 'transfer', tool_call_id => $id, event_id => 1,
            parameters => { number => '+15005550008' },
            expects_response => $expects } });
    };

    $call->('call_0', JSON::PP::false);
    $call->("call \"1\" \x{1f600}", JSON::PP::true);
    $socket->note(event => 'result', message => $socket->recv_other);
    $socket->recv_close;
--- test
    my $phone = started();
    my $result = agent->event('result')->{message};

    is $result->{type}, 'client_tool_result', 'is answered where it must be';
    is $result->{tool_call_id}, "call \"1\" \x{1f600}", 'with its id';
    ok !ref $result->{result}, 'a text';
    is $result->{is_error}, JSON::PP::true, 'that it failed';
    is join(' ', sort keys %$result), 'is_error result tool_call_id type',
       'and nothing else';

    log_has(qr/\[warn\].*client tool "transfer"/);

    $phone->stop;
    closed($phone, 1000);



=== the agent's last words
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    my $socket = live($agent);

    $socket->audio('a' x 40_000, 1);
    $socket->note(event => 'answer', code => $socket->close_with(1000));
--- test
    my $phone = started();

    is agent->event('answer')->{code}, 1000, 'its close is answered at once';
    is $phone->recv_audio(40_000), 'a' x 40_000, 'the caller hears all';

    my $mark = $phone->recv_json;
    is $mark->{event}, 'mark', 'then comes a mark';

    settled($phone);
    pass('and no close');

    # the caller goes on speaking, to nobody
    $phone->speak('z' x 1600);
    settled($phone);
    pass('even then');

    $phone->mark($mark->{mark}{name});
    closed($phone, 1000, 'but when it is back');

    like log_has(qr/Call ended/),
         qr/the agent ended the conversation.*reason=agent_ended/, 'the log';
--- no_error_log
[error]
[warn] call



=== a mark also when all should have been played
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    my $socket = live($agent);

    $socket->audio('a' x 80, 1);
    $socket->await_cue;
    $socket->close_with(1000);
--- test
    my $phone = started();

    $phone->recv_audio(80);

    # 10 ms of audio are played by now, but the phone is farther away
    my $until = Time::HiRes::time() + 0.05;
    settled($phone) while Time::HiRes::time() < $until;

    agent->cue;

    my $mark = $phone->recv_event('mark');
    settled($phone);
    $phone->mark($mark->{mark}{name});
    closed($phone, 1000);
--- no_error_log
[error]



=== a caller who leaves while the agent's words are played
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    my $socket = live($agent);

    $socket->audio('a' x 40_000, 1);
    $socket->close_with(1000);
--- test
    my $phone = started();

    $phone->recv_event('mark');
    $phone->stop;
    closed($phone, 1000);

    log_has(qr/Call ended.*reason=agent_ended/);
--- no_error_log
[error]



=== an agent that says nothing and leaves
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    live($agent)->close_with(1000, 'done');
--- test
    my $phone = started();

    closed($phone, 1000);
    is_deeply $phone->{marks}, [], 'there is nothing to wait for';

    like log_has(qr/Call ended/), qr/closed with 1000 "done"/, 'the reason';
--- no_error_log
[error]



=== an agent that never closes its connection
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    my $socket = live($agent);

    # closes as RFC 6455 has it, but for the TCP connection
    $socket->recv_close;
    $socket->recv_eof;
    $socket->note(event => 'eof');
--- test
    my $phone = started();

    agent->event('initiation');
    $phone->stop;
    closed($phone, 1000);
    agent->event('eof');
    pass('is closed all the same');
--- no_error_log
[error]



=== over TLS on both sides
--- config
    listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
    ssl_certificate      $TEST_NGINX_CERTIFICATES/good.crt;
    ssl_certificate_key  $TEST_NGINX_CERTIFICATES/good.key;

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;
    }
--- agent_options
    tls => 'good'
--- agent
    my $socket = live($agent);

    $socket->audio('cde' x 200_000, 1);
    $socket->note(event => 'heard', right =>
                  $socket->recv_audio(160_000) eq 'ab' x 80_000 ? 1 : 0);
    $socket->recv_close;
--- test
    my $phone = phone(port => $ENV{TEST_NGINX_TLS_PORT},
                      tls => { ca => certificate('good')->{ca} });

    $phone->connect->start(parameters => { agent_id => 'agent_1' });

    is agent->event('tls')->{name}, 'localhost', 'SNI of the REST request';

    $phone->speak('ab' x 80_000);
    ok agent->event('heard')->{right}, 'the agent hears the caller';
    ok $phone->recv_audio(600_000) eq 'cde' x 200_000,
       'the caller hears the agent';
    is agent->event('tls')->{name}, 'localhost', 'SNI of the socket';

    $phone->stop;
    is agent->event('close')->{code}, 1000, 'the agent is closed';
    closed($phone, 1000);
--- no_error_log
[error]



=== nothing in the log that a terminal obeys
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;

    location = /twilio/media-stream { voicebridge_media_stream; }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->agent_response("red\x{9b}31m \x1b[31m Zo\x{eb}");
    $socket->close_with(4300, "red\xc2\x9b31m");
--- test
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => "agent_1\x{9b}31m" });
    is(($phone->recv_close)[0], 1008, 'an agent of that name');
    $phone->disconnect;

    $phone = phone()->connect;
    $phone->start(parameters => { agent_id => 'agent_1' });
    is(($phone->recv_close)[0], 1011, 'an agent that writes it');
    $phone->disconnect;

    like log_has(qr/call $phone->{call_sid}: Agent response/),
         qr/: red  31m  \[31m Zo\xc3\xab/, 'its words';
    log_has(qr/call $phone->{call_sid}: Call ended/);

    open my $in, '<', $Test::Nginx::Util::ErrLogFile or die;
    is scalar(grep { !/\[debug\]/ && /\xc2[\x80-\x9f]|\x1b/ } <$in>), 0,
       'there is nothing of the kind';
