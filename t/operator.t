# What an operator sees and does beyond a stream: calls that ring, what
# Twilio's callbacks tell of them, what happened to a call, its end by hand,
# and why requests failed.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );
use Voicebridge::Metrics qw( calls metrics until_calls until_metric );
use Voicebridge::WebSocket qw( deadline_after );

add_block_preprocessor(sub {
    my $two = $_[0]->name =~ /another worker/;

    master_on() if $two;
    master_off() unless $two;
    workers($two ? 2 : 1);
});

# no label of a name is that long: no server is asked for it
$ENV{TEST_NGINX_NO_NAME} = 'x' x 64 . '.test';

my $sid = 'CA' . '0123456789abcdef' x 2;

sub sid { return $sid }

sub place {
    my $agent = shift // 'agent_1';
    my $answer = http(POST => '/twilio/outbound-call',
                      headers => { 'X-API-Key' => $ENV{TEST_NGINX_API_KEY} },
                      json => { agent_id => $agent, session_id => 's1',
                                metadata => { to_number => '+15005550009' } });

    die "not placed: $answer->{body}\n" unless $answer->{status} == 200;

    return $answer->{json}{call_sid};
}

sub callback {
    my ($of, @more) = @_;

    my $answer = http(POST => '/twilio/call-status',
                      token => $ENV{TEST_NGINX_AUTH_TOKEN},
                      form => [ CallSid => $of, Direction => 'outbound-api',
                                From => '+15005550006', To => '+15005550009',
                                @more ]);

    die "callback: $answer->{status}\n" unless $answer->{status} == 204;
}

sub hangup {
    my ($of, %o) = @_;

    return http(POST => "/calls?sid=$of&action=hangup",
                headers => { 'X-API-Key' => $o{key}
                                            // $ENV{TEST_NGINX_API_KEY} });
}

# the one call that is known by a SID, live or recent

sub one {
    my $of = shift;
    my $calls = calls("?sid=$of");
    my @all = (@{$calls->{live}}, @{$calls->{recent}});

    die scalar(@all) . " calls with $of\n" unless @all == 1;

    return $all[0];
}

sub until_one {
    my ($of, $done) = @_;

    until_calls("?sid=$of", sub {
        my @all = (@{$_[0]{live}}, @{$_[0]{recent}});
        return @all == 1 && $done->($all[0]);
    });

    return one($of);
}

sub events { return [ map { join ' ', $_->{event}, $_->{status} // () }
                      @{$_[0]{events}} ] }

sub total {
    my ($direction, $reason) = @_;

    return metrics()->{qq(voicebridge_calls_total{direction="$direction",)
                       . qq(reason="$reason"})} // 0;
}

run_tests();

__DATA__

=== a call from its placing to its end
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /calls { voicebridge_calls; }
    location = /metrics { voicebridge_metrics; }
    location = /twilio/outbound-call { voicebridge_outbound_call; }
    location = /twilio/call-status { voicebridge_call_status; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        voicebridge_elevenlabs_auth none;
    }
--- twilio
    return {};
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->audio('a' x 80, 1);
    $socket->user_transcript('hello');
    $socket->agent_response('good day');
    $socket->interruption(1);
    $socket->recv_close;
--- test
    my $call = place();
    my $is = one($call);

    is $is->{state}, 'queued', 'Twilio has it';
    is $is->{session_id}, 's1', 'its session';
    is $is->{agent_id}, 'agent_1', 'its agent';
    is $is->{to}, '+*******0009', 'a masked number';
    is $is->{call_status}, 'queued', 'what Twilio says';
    is metrics()->{voicebridge_calls_waiting}, 1, 'it waits';
    is metrics()->{voicebridge_calls_live}, 0, 'and has no stream';

    my $n = 0;

    for my $status (qw( initiated ringing in-progress )) {
        callback($call, CallStatus => $status, SequenceNumber => $n++);
        is one($call)->{call_status}, $status, $status;
    }

    is one($call)->{state}, 'answered', 'answered';

    my $phone = phone(call_sid => $call)->connect;

    is metrics()->{voicebridge_calls_waiting}, 1, 'whose stream is not known';

    $phone->start(parameters => { agent_id => 'agent_1', session_id => 's1',
                                  direction => 'outbound' });
    $phone->recv_event('clear');

    $is = until_one($call, sub { $_[0]{interruptions} == 1 });

    is $is->{state}, 'live', 'one call, which is live';
    is metrics()->{voicebridge_calls_waiting}, 0, 'none waits';
    is metrics()->{voicebridge_calls_live}, 1, 'one has a stream';
    cmp_ok $is->{created}, 'le', $is->{started}, 'created before its stream';

    callback($call, StreamEvent => 'stream-started', CallStatus => 'busy',
             StreamSid => $phone->{stream_sid});

    $phone->stop;
    $phone->recv_close;
    $phone->send_close(1000);
    $phone->recv_eof;

    until_one($call, sub { $_[0]{state} eq 'ended' });

    callback($call, CallStatus => 'completed', SequenceNumber => 3,
             SipResponseCode => 200, CallDuration => 4);
    callback($call, AnsweredBy => 'human');

    $is = one($call);

    is $is->{end_reason}, 'caller_hung_up', 'its stream says how it ended';
    is $is->{call_status}, 'completed', 'what came afterwards';
    is $is->{sip_response_code}, 200, 'is known';
    is $is->{answered_by}, 'human', 'as well';

    is_deeply events($is), [
        'placed', 'call_status initiated', 'call_status ringing',
        'call_status in-progress', 'accepted', 'agent_connecting',
        'agent_initiated', 'agent_metadata', 'first_audio', 'user_said',
        'agent_response', 'interruption', 'stream_status stream-started',
        'ending', 'ended', 'call_status completed', 'answered_by',
    ], 'its story';

    is $is->{events_dropped}, 0, 'all of it';

    my @at = map { $_->{at} } @{$is->{events}};

    is_deeply \@at, [ sort { $a <=> $b } @at ], 'in order';

    is total('outbound', 'caller_hung_up'), 1, 'counted once';
    is_deeply [ map { exists $_->{events} } @{calls()->{recent}} ], [ '' ],
              'events are of one call only';



=== calls without a stream
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /calls { voicebridge_calls; }
    location = /metrics { voicebridge_metrics; }
    location = /twilio/outbound-call { voicebridge_outbound_call; }
    location = /twilio/call-status { voicebridge_call_status; }
--- twilio
    return {};
--- test
    my %ends = (busy => 'busy', 'no-answer' => 'no_answer',
                failed => 'failed', canceled => 'canceled',
                completed => 'no_stream');

    for my $status (sort keys %ends) {
        my $call = place();

        # out of order, and the last one twice
        callback($call, CallStatus => 'ringing', SequenceNumber => 1);
        callback($call, CallStatus => 'initiated', SequenceNumber => 0);

        is one($call)->{state}, 'ringing', "$status: it rings";

        callback($call, CallStatus => $status, SequenceNumber => 2,
                 SipResponseCode => 486, ErrorCode => 13227) for 1 .. 2;
        callback($call, CallStatus => 'in-progress', SequenceNumber => 3);

        my $is = one($call);

        is $is->{state}, 'ended', "$status: ended";
        is $is->{end_reason}, $ends{$status}, "$status: why";
        is $is->{call_status}, $status, "$status: it stays so";
        is $is->{sip_response_code}, 486, "$status: SIP";
        is $is->{error_code}, 13227, "$status: Twilio's code";
        is total('outbound', $ends{$status}), 1, "$status: counted once";

        is_deeply events($is), [
            'placed', 'call_status ringing', 'call_status initiated',
            "call_status $status", 'ended', 'call_status in-progress',
        ], "$status: as it came";
    }

    is metrics()->{voicebridge_calls_waiting}, 0, 'none is left';

    # of a call that was placed elsewhere

    callback(sid(), CallStatus => 'ringing');
    is_deeply calls('?sid=' . sid()), { live => [], recent => [] },
              'a strange call that rings is not ours';

    callback(sid(), CallStatus => 'completed');
    is_deeply calls('?sid=' . sid()), { live => [], recent => [] },
              'nor one that was a good one';

    callback(sid(), CallStatus => 'busy', SipResponseCode => 486) for 1 .. 3;

    is one(sid())->{end_reason}, 'busy', 'but one that failed is told';
    is one(sid())->{from}, '+*******0006', 'from its callback';
    is total('outbound', 'busy'), 2, 'once';

    callback(sid(), CallStatus => 'nonsense', SequenceNumber => 99999,
             SipResponseCode => 'x' x 100, ErrorCode => -1,
             AnsweredBy => "\x{1}machine" . 'x' x 100);

    is one(sid())->{sip_response_code}, 486, 'nonsense changes nothing';



=== chosen by query
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /calls { voicebridge_calls; }
    location = /twilio/outbound-call { voicebridge_outbound_call; }
    location = /twilio/call-status { voicebridge_call_status; }
--- twilio
    return {};
--- test
    my @calls = map { place() } 1 .. 4;

    callback($calls[1], CallStatus => 'ringing');
    callback($calls[2], CallStatus => 'busy');
    callback($calls[3], CallStatus => 'failed');

    my $found = sub {
        my $answer = calls("?$_[0]");
        my %n = map { $calls[$_] => $_ } 0 .. $#calls;

        return join ' ', map {
            join ',', map { $n{$_->{call_sid}} } @{$answer->{$_}}
        } qw( live recent );
    };

    is $found->(''), '1,0 3,2', 'all';
    is $found->('state=ringing'), '1 ', 'a state';
    is $found->('state=ended'), ' 3,2', 'all that are over';
    is $found->('reason=busy'), ' 2', 'a reason';
    is $found->('reason=busy&state=ringing'), ' ', 'both';
    is $found->('agent=agent_1&limit=1'), '1 3', 'the first of an agent';
    is $found->('agent=agent%5F2'), ' ', 'another agent';
    is $found->('direction=outbound'), '1,0 3,2', 'a direction';
    is $found->('direction=inbound'), ' ', 'the other';
    is $found->('since=1h'), '1,0 3,2', 'of an hour';
    is $found->('since=2026-01-31T23:59:59Z'), '1,0 3,2', 'since a day';
    is $found->('since=9999-01-31T23:59:59.5Z'), ' ', 'in the future';
    is $found->('state='), '1,0 3,2', 'an empty field is none';

    my $created = one($calls[0])->{created} =~ s/\.\d+Z/Z/r;

    is $found->("since=$created"), '1,0 3,2', 'a second is found';

    # what is shown of an agent's id is not all of it

    my @long = map { 'a' x 63 . "-$_" } 1, 2;

    push @calls, map { place($_) } @long;

    is $found->("agent=$long[0]"), '4 ', 'a long id';
    is $found->("agent=$long[1]"), '5 ', 'and one that differs late';
    is $found->("agent=$long[0]0"), ' ', 'and a longer one';
    is $found->('agent=' . one($calls[5])->{agent_id}), '5,4 ', 'as shown';

    my %bad = (
        'sid=CA1'                    => 'sid',
        'state=happy'                => 'state',
        'direction=up'               => 'direction',
        'reason=no%20reason'         => 'reason',
        'limit=-1'                   => 'limit',
        'since=yesterday'            => 'since',
        'since=2026-13-31T23:59:59Z' => 'since',
        'since=2026-01-31T23:59:5%00Z' => 'since',
        'agnet=x'                    => 'the query may have sid',
        'limit=%'                    => 'broken percent escape',
        join('&', ('limit=1') x 50)  => 'too many fields',
    );

    for my $query (sort keys %bad) {
        my $answer = http(GET => "/calls?$query");

        is $answer->{status}, 400, substr("$query: status", 0, 60);
        like $answer->{json}{detail}, qr/\Q$bad{$query}/, 'and what is wrong';
    }



=== hung up by an operator
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /calls { voicebridge_calls; }
    location = /metrics { voicebridge_metrics; }
    location = /twilio/outbound-call { voicebridge_outbound_call; }
    location = /twilio/call-status { voicebridge_call_status; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        voicebridge_elevenlabs_auth none;
    }
--- twilio
    my $status = $request->{form}{Status} or return {};

    return { status => 404,
             body => { code => 20404, message => 'not found' } }
        if $request->{path} =~ /CAee/;

    return { status => 500, body => { code => 20500, message => 'no' } }
        if $request->{path} =~ /CAff/;

    return {};
--- agent
    $agent->upgrade;
    $agent->expect_initiation;
    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $agent->audio('a' x 80, 1);
    eval { $agent->recv_close };
--- agent_options
    each => 1
--- test
    my $phone = phone()->connect;
    my $call = $phone->{call_sid};

    $phone->start(parameters => { agent_id => 'agent_1',
                                  direction => 'outbound' });
    $phone->recv_audio(80);

    is hangup($call, key => 'x')->{status}, 401, 'not without a key';
    is hangup('CA' . 'a' x 32)->{status}, 404, 'nobody';

    for (["/calls?sid=$call", 'action'], ["/calls", 'action'],
         ["/calls?action=hangup", 'sid'],
         ["/calls?action=hangup&sid=x", 'sid'],
         ["/calls?action=dance&sid=$call", 'action'])
    {
        my $answer = http(POST => $_->[0],
                      headers => { 'X-API-Key' => $ENV{TEST_NGINX_API_KEY} });

        is $answer->{status}, 400, 'bad query';
        like $answer->{json}{detail}, qr/\b$_->[1]\b/, "$_->[1] is wrong";
    }

    my $answer = http(PUT => '/calls', body => 'x');

    is $answer->{status}, 405, 'PUT';
    is $answer->{headers}{allow}, 'GET, HEAD, POST', 'is told what is allowed';

    $answer = hangup($call);

    is $answer->{status}, 200, 'hung up';
    is_deeply $answer->{json}, { success => JSON::PP::true(),
                                 call_sid => $call, status => 'completed' },
              'the answer';

    my $asked = twilio()->event('request');

    is $asked->{form}{Status}, 'completed', 'Twilio was asked to';
    like $asked->{path}, qr{/Calls/$call\.json$}, 'of this call';

    # what Twilio does then
    $phone->stop;
    $phone->recv_close;
    $phone->send_close(1000);
    $phone->recv_eof;

    my $is = until_one($call, sub { $_[0]{state} eq 'ended' });

    is $is->{end_reason}, 'operator', 'the reason';
    is total('outbound', 'operator'), 1, 'counted so';
    is_deeply [ (@{events($is)})[-3 .. -1] ],
              [ 'hangup_requested', 'ending', 'ended' ], 'the end of its story';

    $answer = hangup($call);

    is $answer->{status}, 200, 'once more';
    is $answer->{json}{status}, 'ended', 'it is over';
    log_has(qr/call $call: an operator hangs up/);
    log_has(qr/call $call: Call ended: an operator ended.*reason=operator/);

    # one that rings

    $call = place();
    is hangup($call)->{json}{status}, 'completed', 'one that rings';
    callback($call, CallStatus => 'canceled');
    is one($call)->{end_reason}, 'operator', 'was not given up by Twilio';

    # Twilio's refusals

    $call = 'CAee' . '0' x 30;
    my $gone = phone(call_sid => $call)->connect;
    $gone->start(parameters => { agent_id => 'agent_1' });
    $gone->recv_audio(80);
    is hangup($call)->{json}{status}, 'ended', 'Twilio knows it is over';

    $call = 'CAff' . '0' x 30;
    my $on = phone(call_sid => $call)->connect;
    $on->start(parameters => { agent_id => 'agent_1' });
    $on->recv_audio(80);

    $answer = hangup($call);
    is $answer->{status}, 502, 'Twilio fails';
    like $answer->{json}{detail}, qr/status 500.*20500: no/, 'and why';
    is metrics()->{'voicebridge_request_failures_total{service="twilio",'
                   . 'kind="5xx"}'}, 1, 'counted';

    $on->stop;
    is until_one($call, sub { $_[0]{end_reason} })->{end_reason},
       'caller_hung_up', 'then it was the caller who hung up';

    $_->disconnect for $gone, $on;
--- error_log
an operator could not hang up



=== hung up, for it is an answering machine
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_machine_detection start;
    voicebridge_answered_by machine hang_up;
    voicebridge_answered_by fax message;
    voicebridge_message_twiml <Hangup/>;

    location = /calls {
        voicebridge_calls;
        voicebridge_twilio_account_sid AC-of-operators;
    }

    location = /metrics { voicebridge_metrics; }
    location = /twilio/outbound-call { voicebridge_outbound_call; }
    location = /twilio/call-status { voicebridge_call_status; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        voicebridge_elevenlabs_auth none;
    }
--- twilio
    my $form = $request->{form};

    return {} unless $form->{Status} || $form->{Twiml};

    return { status => 500, body => { code => 20500, message => 'no' } }
        if $request->{path} =~ m{/CAff|/AC0a.*/CAee};

    return {};
--- agent
    $agent->upgrade;
    $agent->expect_initiation;
    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $agent->audio('a' x 80, 1);
    eval { $agent->recv_close };
--- agent_options
    each => 1
--- test
    place();

    my ($url) = map { $_->{form}{AsyncAmdStatusCallback} // () }
                    twilio()->event('request');
    $url =~ s{^https?://[^/]+}{};

    my %ends;

    for (['00', 'machine_start', 'machine'], ['01', 'fax', 'caller_hung_up'],
         ['02', 'human', 'caller_hung_up'],
         ['ff', 'machine_start', 'caller_hung_up'],
         ['ee', 'machine_start', 'operator'])
    {
        my ($kind, $by, $reason) = @$_;

        my $call = "CA$kind" . '0' x 30;
        my $phone = phone(call_sid => $call)->connect;

        $phone->start(parameters => { agent_id => 'agent_1',
                                      direction => 'outbound' });
        $phone->recv_audio(80);

        # whose wish it still is when another one's fails
        is hangup($call)->{status}, 200, "$by: an operator was there before"
            if $reason eq 'operator';

        is http(POST => $url, token => $ENV{TEST_NGINX_AUTH_TOKEN},
                form => [ CallSid => $call, AnsweredBy => $by ])->{status},
           204, "$by: is told";

        twilio()->event('request') if $by ne 'human';
        log_has(qr/call $call: goes on after who answered/)
            if $kind =~ /ee|ff/;

        $phone->stop;
        $phone->recv_close;
        $phone->send_close(1000);
        $phone->recv_eof;

        my $is = until_one($call, sub { $_[0]{state} eq 'ended' });

        is $is->{end_reason}, $reason, "$by, $kind: the reason";
        is $is->{answered_by}, $by, "$by: who it was";
        $ends{$reason}++;
    }

    is total('outbound', $_), $ends{$_}, "$_ is counted so" for sort keys %ends;
    log_has(qr/call CA0+: Call ended: .* hung up on.*reason=machine/);

    # one without a stream

    my $call = place();
    is http(POST => $url, token => $ENV{TEST_NGINX_AUTH_TOKEN},
            form => [ CallSid => $call, AnsweredBy => 'machine_start' ]
           )->{status}, 204, 'before its stream';
    callback($call, CallStatus => 'completed');
    is one($call)->{end_reason}, 'machine', 'is the same';
--- error_log
goes on after who answered it



=== hung up by another worker
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /calls { voicebridge_calls; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        voicebridge_elevenlabs_auth none;
    }
--- twilio
    return {};
--- agent
    # some hang up while it is being connected
    eval {
        $agent->upgrade;
        $agent->expect_initiation;
        $agent->recv_close;
    };
--- agent_options
    each => 1
--- test
    # until one is hung up by who does not have it
    my $other = 0;

    for (1 .. 200) {
        my $phone = phone()->connect;
        my $call = $phone->{call_sid};

        $phone->start(parameters => { agent_id => 'agent_1' });

        my ($worker) = log_has(qr/call $call: Media stream started/)
                       =~ / (\d+)#/;

        die "not hung up\n" unless hangup($call)->{status} == 200;

        my ($by) = log_has(qr/call $call: an operator hangs up/) =~ / (\d+)#/;

        $phone->stop;
        $phone->recv_close;
        $phone->send_close(1000);
        $phone->recv_eof;

        my $reason = until_one($call, sub { $_[0]{end_reason} })->{end_reason};

        die "ended as $reason\n" if $reason ne 'operator';

        last if $other = ($worker != $by);
    }

    ok $other, 'by its end the call knows who wanted it';



=== why requests fail
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    access_log off;

    location = /metrics { voicebridge_metrics; }

    # services that are no such services
    location /say/200/ { return 200 '{}'; }
    location /say/403/ { return 403; }
    location /say/500/ { return 500; }

    location = /stream/early { voicebridge_media_stream; }

    location = /stream/silent {
        voicebridge_media_stream;
        voicebridge_connect_timeout 200ms;
    }

    location = /stream/nobody {
        voicebridge_media_stream;
        voicebridge_elevenlabs_url http://127.0.0.1:1;
    }

    location = /stream/tls {
        voicebridge_media_stream;
        voicebridge_elevenlabs_url https://127.0.0.1:$TEST_NGINX_SERVER_PORT;
    }

    location = /stream/200 {
        voicebridge_media_stream;
        voicebridge_elevenlabs_url
            http://127.0.0.1:$TEST_NGINX_SERVER_PORT/say/200;
    }

    location = /stream/403 {
        voicebridge_media_stream;
        voicebridge_elevenlabs_url
            http://127.0.0.1:$TEST_NGINX_SERVER_PORT/say/403;
    }

    location = /stream/500 {
        voicebridge_media_stream;
        voicebridge_elevenlabs_url
            http://127.0.0.1:$TEST_NGINX_SERVER_PORT/say/500;
    }

    location = /signed/200 {
        voicebridge_media_stream;
        voicebridge_elevenlabs_auth signed_url;
        voicebridge_elevenlabs_url
            http://127.0.0.1:$TEST_NGINX_SERVER_PORT/say/200;
    }

    location = /signed/403 {
        voicebridge_media_stream;
        voicebridge_elevenlabs_auth signed_url;
        voicebridge_elevenlabs_url
            http://127.0.0.1:$TEST_NGINX_SERVER_PORT/say/403;
    }

    location = /signed/nobody {
        voicebridge_media_stream;
        voicebridge_elevenlabs_auth signed_url;
        voicebridge_elevenlabs_url http://127.0.0.1:1;
    }

    location = /place/nobody {
        voicebridge_outbound_call;
        voicebridge_twilio_api_url http://127.0.0.1:1;
    }

    location = /place/name {
        voicebridge_outbound_call;
        voicebridge_twilio_api_url http://$TEST_NGINX_NO_NAME;
    }

    location = /place/500 {
        voicebridge_outbound_call;
        voicebridge_twilio_api_url
            http://127.0.0.1:$TEST_NGINX_SERVER_PORT/say/500;
    }

    location = /place/200 {
        voicebridge_outbound_call;
        voicebridge_twilio_api_url
            http://127.0.0.1:$TEST_NGINX_SERVER_PORT/say/200;
    }
--- agent
    my $early = $agent->{request}{query}{agent_id} eq 'early';

    $agent->upgrade;
    $agent->expect_initiation;

    if ($early) {
        $agent->close_with(1000, '');

    } else {
        eval { $agent->recv_close };
    }
--- agent_options
each => 1
--- test
    my %counted;

    my $fails = sub {
        my ($name, $service, $kind, $n) = @_;

        my $series = 'voicebridge_request_failures_total'
                     . qq({service="$service",kind="$kind"});

        is metrics()->{$series}, $counted{$series} += $n, "$name: $kind";
    };

    # a second attempt is made, but where it is of no use
    my @streams = (
        [ 'stream/early',  closed    => 2 ],
        [ 'stream/silent', timeout   => 1 ],
        [ 'stream/nobody', connect   => 2 ],
        [ 'stream/tls',    tls       => 2 ],
        [ 'stream/200',    handshake => 2 ],
        [ 'stream/403',    '4xx'     => 2 ],
        [ 'stream/500',    '5xx'     => 2 ],
        [ 'signed/200',    invalid   => 2 ],
        [ 'signed/403',    '4xx'     => 1 ],
        [ 'signed/nobody', connect   => 2 ],
    );

    for (@streams) {
        my ($name, $kind, $n) = @$_;
        my $phone = phone(path => "/$name")->connect;

        $phone->start(parameters => {
            agent_id => $name =~ m{/(.*)} ? $1 : '' });
        $phone->recv_close;
        $phone->send_close(1011);
        $phone->recv_eof;

        $fails->($name, elevenlabs => $kind, $n);
    }

    for ([ 'place/nobody', 'connect' ], [ 'place/name', 'resolve' ],
         [ 'place/500', '5xx' ], [ 'place/200', 'invalid' ])
    {
        my ($name, $kind) = @$_;

        http(POST => "/$name",
             headers => { 'X-API-Key' => $ENV{TEST_NGINX_API_KEY} },
             json => { agent_id => 'agent_1',
                       metadata => { to_number => '+15005550009' } });

        $fails->($name, twilio => $kind, 1);
    }

    # what to do stands behind why
    log_has(qr/Outbound call to .*, failed: $_/)
        for 'Twilio could not be reached, .*; look at resolver, network',
            'Twilio failed \(status 500\), .*; see Twilio\'s log of calls',
            'Twilio\'s answer .* be read, .*; see Twilio\'s log of calls';

    is scalar(grep { /^voicebridge_request_failures/ } keys %{metrics()}),
       keys %counted, 'and no others';
--- error_log eval
[qr/agent could not be reached/]



=== how fast it is, and what waits
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;

    location = /metrics { voicebridge_metrics; }
    location = /twilio/media-stream { voicebridge_media_stream; }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $agent->await_cue;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');

    for (1 .. 64) {
        $socket->recv_audio(160);
        $socket->audio('a' x 160, $_);
    }

    $socket->recv_close;
--- test
    my $relay = sub {
        my ($m, $what) = @_;
        return map { $m->{"voicebridge_relay_seconds_$what"
                          . qq({direction="$_"})} }
                   qw( caller_to_agent agent_to_caller );
    };

    my $peak = sub {
        return $_[0]{qq(voicebridge_queue_peak_bytes{queue="$_[1]"})};
    };

    my $m = metrics();

    is_deeply [ $relay->($m, 'count') ], [ 0, 0 ], 'nothing has been relayed';
    is $peak->($m, 'before_agent'), 0, 'and nothing waited';

    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    agent()->event('initiation');
    $phone->media('x' x 160);
    $phone->send_ping;
    $phone->recv_message;
    agent()->cue;

    for (1 .. 64) {
        $phone->recv_audio(160);
        $phone->media('x' x 160) if $_ < 64;
    }

    $phone->stop;
    $phone->recv_close;
    $phone->send_close(1000);
    $phone->recv_eof;

    $m = until_metric('voicebridge_calls_live', 0);

    my ($up, $down) = $relay->($m, 'count');

    # each message is an event of its own, or nearly so: 128 of them
    cmp_ok $up + $down, '>=', 4, "$up and $down samples";
    cmp_ok $up + $down, '<=', 12, 'one in 16';

    my $sum = 0;

    $sum += $_ for $relay->($m, 'sum');

    cmp_ok $sum, '>', 0, 'which took a time';
    cmp_ok $sum / ($up + $down), '<', 0.5, 'and not a long one';

    is $peak->($m, 'before_agent'), 160, 'what waited for the agent';
    is $peak->($m, 'to_agent'), 0, 'all was taken at once';



=== too many calls for a zone
--- http_config
    voicebridge_zone voicebridge:32k;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /calls { voicebridge_calls; }
    location = /metrics { voicebridge_metrics; }
    location = /twilio/outbound-call { voicebridge_outbound_call; }
    location = /twilio/call-status { voicebridge_call_status; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        voicebridge_elevenlabs_auth none;
    }
--- twilio
    return {};
--- test
    my @calls = map { place() } 1 .. 40;
    my $known = @{calls()->{live}};

    cmp_ok $known, '>', 0, "$known of 40 calls are known";
    cmp_ok $known, '<', 40, 'and not all';

    open my $log, '<', $Test::Nginx::Util::ErrLogFile or die;
    is scalar(grep { /\[warn\].*zone "voicebridge" is too small/ } <$log>), 1,
       'one line for all of them';

    # streams come first
    my $full = metrics()->{voicebridge_zone_full_total};
    my $phone = phone()->connect;

    is metrics()->{voicebridge_zone_full_total}, $full + 1,
       'a call that has to go for one is told of';

    is scalar(grep { $_->{state} eq 'accepted' } @{calls()->{live}}), 1,
       'a stream finds room';

    callback($_, CallStatus => 'busy') for @calls;

    is total('outbound', 'busy'), 40, 'all are counted, shown or not';

    $phone->send_close(1000);
    $phone->recv_close;
--- error_log
make it larger
