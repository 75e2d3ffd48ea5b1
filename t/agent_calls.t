# voicebridge_max_agent_calls: no more calls of an agent at a time, whoever
# serves them and whatever becomes of that process.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );
use Voicebridge::Metrics qw( metrics until_calls until_metric );
use Voicebridge::Process qw( children );
use Voicebridge::WebSocket qw( deadline_after );

use Time::HiRes qw( sleep time );

add_block_preprocessor(sub {
    my $many = $_[0]->name =~ /workers/;

    master_on() if $many;
    master_off() unless $many;
    workers($many ? 2 : 1);
    worker_connections($_[0]->name =~ /counted/ ? 1024 : 512);
});

sub request {
    my ($to, %o) = @_;

    return (POST => delete $o{path} // '/twilio/outbound-call',
            headers => { 'X-API-Key' => $ENV{TEST_NGINX_API_KEY},
                         %{delete $o{headers} // {}} },
            json => { agent_id => 'agent_1',
                      metadata => { to_number => $to }, %o });
}

sub place { return http(request(@_)) }

sub status { return place(@_)->{status} }

sub callback {
    my ($sid, $status) = @_;

    return http(POST => '/twilio/call-status',
                token => $ENV{TEST_NGINX_AUTH_TOKEN},
                form => [ CallSid => $sid, CallStatus => $status ])
           ->{status};
}

# a stream, of a call that was placed or not

sub live {
    my %sid = @_ ? (call_sid => shift) : ();
    my $phone = phone(%sid)->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    agent()->event('live');

    return $phone;
}

# until there is room again

sub until_placed {
    my @how = @_;
    my $deadline = deadline_after();

    while (1) {
        my $status = eval { status(@how) } // 0;

        return $status if $status == 200 || time() > $deadline;
        sleep 0.02;
    }
}

run_tests();

__DATA__

=== calls that ring, and those that are over
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_max_agent_calls 2;

    location = /twilio/outbound-call { voicebridge_outbound_call; }
    location = /twilio/call-status { voicebridge_call_status; }

    location = /more {
        voicebridge_outbound_call;
        voicebridge_max_agent_calls 3;
        voicebridge_agent agent_1;
    }

    location = /any {
        voicebridge_outbound_call;
        voicebridge_max_agent_calls 0;
    }
--- twilio
    return { status => 400, body => { code => 21211, message => 'no' } }
        if $request->{form}{To} =~ /7$/;
    return {};
--- test
    is status('+15005550007'), 400, 'what Twilio refuses does not count';

    my @placed = map { place('+15005550001', headers =>
                             { 'Idempotency-Key' => "key-$_" }) } 1, 2;

    is join(' ', map { $_->{status} } @placed), '200 200', 'two calls';

    my $answer = place('+15005550002', headers =>
                       { 'Idempotency-Key' => 'key-3' });

    is $answer->{status}, 429, 'no third';
    is $answer->{headers}{'retry-after'}, 5, 'at the moment';
    like $answer->{json}{detail},
         qr/^The agent has 2 calls.*see voicebridge_max_agent_calls/, 'and why';
    like log_has(qr/voicebridge_max_agent_calls/),
         qr/\[warn\].*Outbound call to \+\*{7}0002.*agent_1 has 2 calls/,
         'in the log as well';

    is place('+15005550001', headers => { 'Idempotency-Key' => 'key-1' })
           ->{body}, $placed[0]{body}, 'one that is repeated is no third';
    is status('+15005550002', agent_id => 'agent_2'), 200, 'another agent';
    is status('+15005550002', path => '/any'), 200, 'where nobody counts';
    is status('+15005550002', path => '/more'), 429, 'but all are counted';

    is callback($placed[0]{json}{call_sid}, 'busy'), 204, 'one is over';
    is status('+15005550002'), 429, 'there are two others';
    is callback($placed[1]{json}{call_sid}, 'no-answer'), 204, 'and another';

    is place('+15005550002', headers => { 'Idempotency-Key' => 'key-3' })
           ->{status}, 200, 'so there is room, with the same key, too';
    is status('+15005550002'), 429, 'for one';



=== agents whose ids differ late
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    voicebridge_max_agent_calls 1;

    location = /twilio/outbound-call { voicebridge_outbound_call; }
    location = /twilio/media-stream { voicebridge_media_stream; }
--- agent_options
each => 1
--- agent
    $agent->upgrade;

    $agent->expect_initiation;
    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $agent->note(event => 'live');
    $agent->recv_close;

    return 1;
--- twilio
    return {};
--- test
    # the longest there are

    my ($one, $other) = map { 'a' x 255 . $_ } 1, 2;
    my $answer = place('+15005550001', agent_id => $one);

    is $answer->{status}, 200, 'a call of one';
    is status('+15005550002', agent_id => $one), 429, 'which has no second';
    is status('+15005550002', agent_id => $other), 200, 'one of the other';
    is status('+15005550002', agent_id => $other), 429, 'no second, either';
    is status('+15005550002', agent_id => substr $one, 0, 63), 200,
       'and one whose id is their beginning';

    my $phone = phone(call_sid => $answer->{json}{call_sid})->connect;

    $phone->start(parameters => { agent_id => $one });
    agent()->event('live');

    is status('+15005550002', agent_id => $one), 429, 'one is live';

    $phone->disconnect;
    is until_placed('+15005550002', agent_id => $one), 200, 'it is over';
    is status('+15005550002', agent_id => $other), 429, 'the other\'s is not';



=== calls that Twilio is being asked for
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_max_agent_calls 1;
    voicebridge_twilio_timeout 4s;

    location = /twilio/outbound-call { voicebridge_outbound_call; }
--- twilio
    return { never => 1 } if $request->{form}{To} =~ /1$/;
    return {};
--- test
    my $client = Voicebridge::HTTP->connect;

    $client->send_request(request('+15005550001'));
    twilio()->event('request');

    is status('+15005550002'), 429, 'one is under way';
    is $client->response->{status}, 504, 'of which nobody knows';
    is status('+15005550002'), 200, 'is no call';
    is status('+15005550002'), 429, 'and that was one';



=== calls that are live
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    voicebridge_max_agent_calls 2;

    location = /twilio/outbound-call { voicebridge_outbound_call; }
    location = /twilio/media-stream { voicebridge_media_stream; }
    location = /calls { voicebridge_calls; }
    location = /metrics { voicebridge_metrics; }
--- agent_options
each => 1
--- agent
    $agent->upgrade;

    $agent->expect_initiation;
    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $agent->note(event => 'live');
    $agent->recv_close;

    return 1;
--- twilio
    return {};
--- test
    # one that somebody called

    my $phone = live();

    # and one that was placed, which is one before it is answered and after

    my $sid = place('+15005550001')->{json}{call_sid};

    is status('+15005550002'), 429, 'one is live, one rings';

    my $other = live($sid);

    is status('+15005550002'), 429, 'both are live';

    $phone->disconnect;
    is until_placed('+15005550002'), 200, 'one is over';
    is status('+15005550002'), 429, 'there is one more';



=== workers that reload, and die
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    voicebridge_max_agent_calls 3;

    location = /twilio/outbound-call { voicebridge_outbound_call; }
    location = /twilio/media-stream { voicebridge_media_stream; }
--- agent_options
each => 1
--- agent
    $agent->upgrade;

    $agent->expect_initiation;
    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $agent->note(event => 'live');
    eval { $agent->recv_close };

    return 1;
--- twilio
    return { never => 1 } if $request->{form}{To} =~ /1$/;
    return {};
--- test
    my $master = nginx_pid();
    my $phone = live();
    my $client = Voicebridge::HTTP->connect;

    is status('+15005550002'), 200, 'one rings';

    $client->send_request(request('+15005550001'));
    twilio()->event('request') for 1, 2;

    is status('+15005550002'), 429, 'three calls, of two workers';

    my @old = children($master);

    kill HUP => $master;
    log_has(qr/gracefully shutting down/);
    is status('+15005550002'), 429, 'three after a reload';

    # the live one ends with its worker, and so does the one that was asked
    # for: what rings is left

    kill KILL => @old;

    # one that had nothing to do has gone before
    log_has(qr/worker process $_ exited/) for @old;

    my @status = (until_placed('+15005550002'),
                  map { status('+15005550002') } 1, 2);

    is "@status", '200 200 429', 'with their worker they are over';
--- error_log eval
qr/exited on signal 9/



=== a zone that is too small
--- http_config
    voicebridge_zone voicebridge:32k;
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        voicebridge_max_agent_calls 2;
        $TEST_NGINX_VOICEBRIDGE
    }
--- must_die
--- error_log
too small for "voicebridge_max_agent_calls", make it larger



=== without a zone
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        voicebridge_max_agent_calls 2;
        $TEST_NGINX_VOICEBRIDGE
    }
--- must_die
--- error_log
"voicebridge_max_agent_calls" needs "voicebridge_zone"



=== more than can be counted at a time
--- http_config
    voicebridge_zone voicebridge:4m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_max_agent_calls 1000;

    location = /twilio/outbound-call { voicebridge_outbound_call; }
--- twilio
    return { never => 1 };
--- test
    my @clients = map { Voicebridge::HTTP->connect } 1 .. 256;

    $_->send_request(request('+15005550001')) for @clients;
    twilio()->event('request') for @clients;

    my $answer = place('+15005550002');

    is $answer->{status}, 429, 'no more';
    is $answer->{headers}{'retry-after'}, 5, 'at the moment';
    is $answer->{json}{detail},
       'Too many calls are being placed at the moment',
       'and it is not for the agent\'s calls';
    log_has(qr/\[warn\].*\+\*+0002 is not placed: Twilio is being asked for 2/);

    is scalar(grep { $_->{event} eq 'request' } twilio()->events), 256,
       'Twilio is not asked';



=== more than a zone has room for
--- http_config
    voicebridge_zone voicebridge:64k;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_max_agent_calls 100;

    location = /twilio/outbound-call { voicebridge_outbound_call; }
    location = /twilio/call-status { voicebridge_call_status; }
    location = /calls { voicebridge_calls; }

    location = /any {
        voicebridge_outbound_call;
        voicebridge_max_agent_calls 0;
    }
--- twilio
    return {};
--- test
    my @placed;

    while (@placed < 100) {
        my $answer = place('+15005550001');

        last if $answer->{status} != 200;

        push @placed, $answer->{json}{call_sid};
        twilio()->event('request');
    }

    my $known = http(GET => '/calls')->{json}{live};

    cmp_ok scalar(@placed), '>', 1, 'calls are placed';
    is scalar(@placed), scalar(@$known), 'as many as can be counted';

    my $answer = place('+15005550002');

    is $answer->{status}, 429, 'and no more';
    is $answer->{json}{detail},
       'Too many calls are being placed at the moment', 'at the moment';
    log_has(qr/\[warn\].*\+\*+0002 is not placed: .*"voicebridge_zone"/);

    is status('+15005550003', path => '/any'), 200,
       'where nobody counts it is placed';

    callback($placed[0], 'completed');
    is status('+15005550004'), 200, 'when one is over there is room';
