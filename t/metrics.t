# voicebridge_metrics: what is counted, exactly, whoever ends how.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );
use Voicebridge::Metrics qw( metrics promtool until_metric );
use Voicebridge::Process qw( children );
use Voicebridge::WebSocket qw( deadline_after );

use Time::HiRes qw( sleep time );

add_block_preprocessor(sub {
    my $block = shift;

    my $many = $block->name =~ /workers/;

    master_on() if $many;
    master_off() unless $many;
    workers($many ? 2 : 1);
});


# a call that the agent has taken

sub call {
    my $phone = phone(@_)->connect;

    $phone->start(parameters => { agent_id => 'agent_1',
                                  direction => 'outbound' });
    $phone->recv_audio(80);

    return $phone;
}

sub hang_up {
    for (@_) {
        $_->stop;
        $_->recv_close;
        $_->send_close(1000);
        $_->recv_eof;
    }
}

sub lost { return 'voicebridge_calls_total{direction="outbound",'
                  . 'reason="worker_lost"}' }

sub ended { return 'voicebridge_calls_total{direction="outbound",'
                   . 'reason="caller_hung_up"}' }

sub worker_of {
    return log_has(qr/call $_[0]{call_sid}: Media stream started/)
           =~ / (\d+)#/ ? $1 : die;
}

run_tests();

__DATA__

=== before the first call
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    location = /metrics { voicebridge_metrics; }
--- test
    my $m = metrics();

    is $m->{voicebridge_calls_live}, 0, 'no call is live';
    is $m->{"voicebridge_${_}_seconds_count"}, 0, "no $_"
        for qw( setup first_audio answer );
    is scalar(grep { /voicebridge_calls_total/ } keys %$m), 0,
       'none has ended';

    my $answer = http(HEAD => '/metrics');

    is $answer->{status}, 200, 'HEAD';
    ok $answer->{headers}{'content-length'}, 'has a length';
    is $answer->{headers}{'cache-control'}, 'no-store', 'nothing is stored';

    $answer = http(POST => '/metrics', body => 'x');

    is $answer->{status}, 405, 'POST';
    is $answer->{headers}{allow}, 'GET, HEAD', 'is told what is allowed';



=== a call
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    location = /metrics { voicebridge_metrics; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->audio('a' x 80, 1);
    $socket->recv_audio(1600);
    $socket->interruption(1);
    $socket->user_transcript('hello');

    # which has been read when this is answered
    $socket->ping(2, 0);
    $socket->recv_other;
    $socket->note(event => 'answered');
    $agent->await_cue;
    $socket->audio('b' x 800, 2);
    $socket->audio('c' x 800, 2);
    $socket->recv_close;
--- test
    my $begin = time();
    my $phone = call();

    my $m = metrics();

    is $m->{voicebridge_calls_live}, 1, 'is live';
    is $m->{voicebridge_setup_seconds_count}, 1, 'has been set up';
    cmp_ok $m->{voicebridge_setup_seconds_sum}, '<=', time() - $begin,
           'no later than now';

    $phone->speak('x' x 1600);
    $phone->recv_event('clear');

    $m = until_metric('voicebridge_audio_seconds_total'
                      . '{direction="caller_to_agent"}', 0.2);

    is $m->{voicebridge_interruptions_total}, 1, 'interrupted';
    is $m->{'voicebridge_audio_seconds_total{direction="agent_to_caller"}'},
       0.01, 'what the agent has said';
    is $m->{voicebridge_first_audio_seconds_count}, 1, 'first audio';
    is $m->{voicebridge_answer_seconds_count}, 0, 'no answer yet';

    # long enough to be found in another bucket than zero
    agent()->event('answered');
    sleep 0.06;
    agent()->cue;
    $phone->recv_audio(1600);

    $m = metrics();

    is $m->{voicebridge_answer_seconds_count}, 1, 'one answer';
    is $m->{'voicebridge_answer_seconds_bucket{le="0.05"}'}, 0,
       'which took a time';

    hang_up($phone);
    $m = until_metric(ended(), 1);

    is $m->{voicebridge_calls_live}, 0, 'is over';
    is $m->{'voicebridge_audio_seconds_total{direction="agent_to_caller"}'},
       0.21, 'all audio of the agent';
    is $m->{"voicebridge_${_}_seconds_count"}, 1, "one $_"
        for qw( setup first_audio answer );
    is $m->{voicebridge_interruptions_total}, 1, 'one interruption';
    is $m->{voicebridge_zone_full_total}, 0, 'there was room for all of it';

    is promtool(http(GET => '/metrics')->{body}), '',
       'promtool has nothing to say';



=== what never becomes a call
--- http_config
    voicebridge_zone voicebridge:1m;
    limit_req_zone $arg_limit zone=slow:64k rate=1r/m;
--- config
    location = /metrics { voicebridge_metrics; }

    location = /twilio/media-stream {
        limit_req zone=slow;
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }

    # as in many a server that has other locations, too
    error_page 401 403 404 /page;
    error_page 500 502 503 504 /page;

    location = /page { return 200 'sorry'; }

    location = /denied {
        deny all;
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        client_max_body_size 1k;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    return { status => 500 } if $request->{form}{To} =~ /7$/;
    return {};
--- test
    my $place = sub {
        http(POST => '/twilio/outbound-call',
             headers => { 'X-API-Key' => $ENV{TEST_NGINX_API_KEY} },
             json => { agent_id => 'agent_1', @_ > 1 ? (session_id => $_[1])
                                                     : (),
                       metadata => { to_number => shift } })->{status};
    };

    is $place->('+15005550009'), 200, 'placed';
    is $place->('+15005550009'), 200, 'and once more';
    is $place->('+15005550007'), 502, 'Twilio fails';
    is $place->('5'), 400, 'no number';
    is $place->('+15005550009', 'x' x 2000), 413, 'too long';
    is http(POST => '/twilio/outbound-call')->{status}, 401, 'no key';
    is http(GET => '/twilio/outbound-call')->{status}, 405, 'not POST';

    my $try = sub {
        my ($query, %o) = @_;
        phone(path => "/twilio/media-stream$query")->handshake(%o);
    };

    is $try->('?a', signature => undef), 403, 'no signature';
    is $try->('?a', signature => 'x'), 403, 'no good one';
    is $try->('?a', headers => { Upgrade => undef }), 426, 'no WebSocket';
    is $try->('?a', headers => { 'Sec-WebSocket-Key' => 'x' }), 400, 'bad key';
    is phone(path => '/denied')->handshake, 403, 'denied';

    is $try->('?limit=1', signature => undef), 403, 'the first';
    is $try->('?limit=1'), 503, 'the second';

    my $refused = 'voicebridge_handshakes_refused_total';
    my $m = until_metric("$refused\{reason=\"limited\"}", 1);

    is $m->{"$refused\{reason=\"signature\"}"}, 3, 'signatures';
    is $m->{"$refused\{reason=\"not_websocket\"}"}, 1, 'not WebSocket';
    is $m->{"$refused\{reason=\"malformed\"}"}, 1, 'malformed';
    is $m->{"$refused\{reason=\"denied\"}"}, 1, 'denied';
    is scalar(grep { /^$refused/ } keys %$m), 5, 'and no more';

    my $requests = 'voicebridge_outbound_requests_total';

    is $m->{"$requests\{status=\"200\"}"}, 2, 'calls that were placed';
    is $m->{"$requests\{status=\"$_\"}"}, 1, "and those answered $_"
        for qw( 400 401 405 413 502 );
    is scalar(grep { /^$requests/ } keys %$m), 6, 'and no more';
--- error_log
limiting requests



=== without a zone
--- config
    location = /metrics { voicebridge_metrics; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    my $answer = http(GET => '/metrics');

    is $answer->{status}, 503, 'there are no metrics';
    like $answer->{body}, qr/voicebridge_zone/, 'the answer says why';

    my $phone = phone()->connect;

    $phone->send_close(1000);
    is(($phone->recv_close)[0], 1000, 'calls need none');



=== a zone that is full
--- http_config
    voicebridge_zone voicebridge:32k;
--- config
    location = /metrics { voicebridge_metrics; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    my @phones = map { phone()->connect } 1 .. 60;

    my $m = metrics();

    is $m->{voicebridge_calls_live}, 60, 'refuses no call';
    cmp_ok $m->{voicebridge_zone_full_total}, '>', 0, 'and says it is full';

    for (@phones) {
        $_->send_close(1000);
        $_->recv_close;
        $_->recv_eof;
    }

    $m = until_metric('voicebridge_calls_live', 0);

    is $m->{'voicebridge_calls_total{direction="unknown",'
            . 'reason="caller_hung_up"}'}, 60, 'all are counted';



=== workers that share, are replaced, and die
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    location = /metrics { voicebridge_metrics; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    $agent->upgrade;
    $agent->expect_initiation;
    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $agent->audio('a' x 80, 1);

    # it ends without a word where its worker dies
    eval { $agent->recv_close };
--- agent_options
    each => 1
--- test
    my $master = nginx_pid();
    my %calls;
    my $n = 0;

    while (keys %calls < 2 || $n < 10) {
        my $phone = call();

        push @{$calls{worker_of($phone)}}, $phone;
        die "one worker has all the calls\n" if ++$n > 200;
    }

    is metrics()->{voicebridge_calls_live}, $n, 'workers share the count';

    my @old = keys %calls;

    kill HUP => $master;
    log_has(qr/gracefully shutting down/);

    my $deadline = deadline_after();

    while (1) {
        my %is = map { $_ => 1 } children($master);
        last if 2 == grep { !/^(?:$old[0]|$old[1])$/ } keys %is;
        die "no new workers\n" if time() > $deadline;
        sleep 0.02;
    }

    is metrics()->{voicebridge_calls_live}, $n, 'a reload changes nothing';

    my @more = map { call() } 1 .. 4;

    is metrics()->{voicebridge_calls_live}, $n + 4,
       'old workers and new ones count together';

    # one of the old workers dies
    my ($dead, $alive) = @old;
    my $lost = @{$calls{$dead}};

    kill KILL => $dead;
    log_has(qr/worker process $dead exited on signal 9/);

    my $m = until_metric('voicebridge_calls_live', $n + 4 - $lost);

    is $m->{lost()}, $lost, 'its calls are lost';
    is metrics()->{lost()}, $lost, 'once';

    # and a new one, which has a successor
    my $worker = worker_of($more[0]);
    my @gone = grep { worker_of($_) == $worker } @more;
    my @left = grep { worker_of($_) != $worker } @more;

    kill KILL => $worker;
    log_has(qr/worker process $worker exited on signal 9/);

    $m = until_metric(lost(), $lost + @gone);
    is $m->{voicebridge_calls_live}, $n + 4 - $lost - @gone, 'likewise';

    hang_up(@left, @{$calls{$alive}});

    $m = until_metric('voicebridge_calls_live', 0);
    is $m->{ended()}, @left + @{$calls{$alive}}, 'the others end as ever';
    is $m->{lost()}, $lost + @gone, 'and no more were lost';

    $_->disconnect for @gone, @{$calls{$dead}};

    hang_up(call());
    until_metric(ended(), 1 + @left + @{$calls{$alive}});
--- error_log eval
qr/exited on signal 9/
