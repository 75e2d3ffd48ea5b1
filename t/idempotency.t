# Idempotency-Key: whoever asks twice for a call gets one.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );
use Voicebridge::Metrics qw( metrics );
use Voicebridge::Process qw( children );

use Time::HiRes qw( sleep time );

add_block_preprocessor(sub {
    my $block = shift;

    my $many = $block->name =~ /worker/;

    master_on() if $many;
    master_off() unless $many;
    workers($block->name =~ /two workers/ ? 2 : 1);
});

sub body {
    my ($to, %o) = @_;

    return { agent_id => 'agent_1', metadata => { to_number => $to }, %o };
}

sub request {
    my ($key, $body, %o) = @_;

    return (POST => $o{path} // '/twilio/outbound-call',
            headers => { 'X-API-Key' => $o{api_key}
                                        // $ENV{TEST_NGINX_API_KEY},
                         defined $key ? ('Idempotency-Key' => $key) : () },
            json => ref $body ? $body : body($body // '+15005550009'));
}

sub place { return http(request(@_)) }

sub asked {
    return scalar grep { $_->{event} eq 'request' } twilio()->events;
}

sub is_repeated {
    my ($answer, $first, $name) = @_;

    is $answer->{status}, $first->{status}, "$name: the same status";
    is $answer->{body}, $first->{body}, "$name: the same answer";
    is $answer->{headers}{'content-type'}, 'application/json', "$name: JSON";
    is $answer->{headers}{'idempotent-replayed'}, 'true', "$name: repeated";
}

# a request that is under way, since Twilio takes its time

sub under_way {
    my $client = Voicebridge::HTTP->connect;

    $client->send_request(request(@_));
    twilio()->event('request');

    return $client;
}

run_tests();

__DATA__

=== asked for twice
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        voicebridge_api_keys other-key;
        voicebridge_api_keys $TEST_NGINX_API_KEY;
    }

    location = /other { voicebridge_outbound_call; }

    location = /account {
        voicebridge_outbound_call;
        voicebridge_twilio_account_sid AC$arg_account;
    }
--- twilio
    return {};
--- test
    my $first = place('key-1');

    is $first->{status}, 200, 'a call';
    is $first->{headers}{'idempotent-replayed'}, undef, 'the first';

    is_repeated(place('key-1'), $first, "once more ($_)") for 1 .. 3;
    is asked(), 1, 'Twilio was asked once';

    log_has(qr/\[info\].*Outbound call to \+\*+0009 was asked for before/);

    # of somebody else, or for something else

    my $other = place('key-1', '+15005550008');

    is $other->{status}, 422, 'another body';
    like $other->{json}{detail}, qr/^This Idempotency-Key was used with anoth/,
         'it says so';
    is $other->{headers}{'idempotent-replayed'}, undef, 'not repeated';

    for (['key-2'], ['KEY-1'], ['key-1', undef, api_key => 'other-key'],
         ['key-1', undef, path => '/other'],
         ['key-1', undef, path => '/account?account=1'],
         ['key-1', undef, path => '/account?account=2'], [undef], [undef])
    {
        my $answer = place(@$_);

        is $answer->{status}, 200, 'another call';
        isnt $answer->{body}, $first->{body}, 'with another answer';
    }

    is asked(), 9, 'Twilio was asked for each';



=== keys that are none
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }

    location = /off {
        voicebridge_outbound_call;
        voicebridge_idempotency off;
    }
--- twilio
    return {};
--- test
    for my $key ('', 'two words', "\x01", "Zo\xc3\xab", 'x' x 256) {
        my $answer = place($key);

        is $answer->{status}, 400, '"' . substr($key, 0, 10) . '"';
        like $answer->{json}{detail}, qr/^Idempotency-Key must be 1 to 255/,
             'says what it must be';
    }

    is asked(), 0, 'no call';

    is place($_)->{status}, 200, $_ for 'x' x 255, '"quoted"', '!~';

    isnt place('x', undef, path => '/off')->{body},
         place('x', undef, path => '/off')->{body}, 'where nobody looks';
    is place('', undef, path => '/off')->{status}, 200, 'at any of them';



=== what was not done may be asked for again
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_twilio_timeout 3s;

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        voicebridge_deny $arg_deny;
    }

    location = /refused {
        voicebridge_outbound_call;
        voicebridge_twilio_api_url http://127.0.0.1:1;
    }
--- twilio
    my ($digits) = $request->{form}{To} =~ /(\d{3})$/;

    return { status => $digits, body => { code => 20000 + $digits,
             message => 'No. ' . 'x' x 600 } } if $digits =~ /^[45]/;
    return { never => 1 } if $digits == 901;
    return { close => 1 } if $digits == 902;
    return {};
--- test
    # Twilio has not got it, or has not taken it

    for (['+15005550429', 429], ['+15005550401', 502], ['+15005550404', 502])
    {
        my ($to, $status) = @$_;

        for (1 .. 2) {
            my $answer = place("key-$to", $to);

            is $answer->{status}, $status, "$to: $status";
            is $answer->{headers}{'idempotent-replayed'}, undef, 'asked again';
        }
    }

    is asked(), 6, 'Twilio was asked each time';

    is place('unreachable', undef, path => '/refused')->{headers}
            {'idempotent-replayed'}, undef, 'nobody there' for 1 .. 2;

    # it has said no, or may have done it

    for (['+15005550400', 400, qr/refused the call/],
         ['+15005550500', 502, qr/may exist/],
         ['+15005550901', 504, qr/did not answer in time, the call may/],
         ['+15005550902', 502, qr/may exist/])
    {
        my ($to, $status, $detail) = @$_;
        my $before = asked();
        my $first = place("key-$to", $to);

        is $first->{status}, $status, "$to: $status";
        like $first->{json}{detail}, $detail, $detail;
        is_repeated(place("key-$to", $to), $first, $to);
        is asked(), $before + 1, 'Twilio was asked once';
    }

    # what is refused here has used no key

    my $bad = body('1');

    is place('mine', $bad)->{status}, 400, 'a bad number';
    is place('mine', undef, path => '/twilio/outbound-call?deny=x')->{status},
       403, 'denied';
    is place('mine')->{status}, 200, 'and the same key for a good one';

    # but what was answered is answered
    is place('mine', undef, path => '/twilio/outbound-call?deny=x')->{status},
       200, 'whatever is denied now';



=== whatever Twilio says
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }
--- twilio
    my ($n) = $request->{form}{To} =~ /(\d)$/;

    return { status => 201, body => { sid => 'CA' . 'a' x 32,
             status => "que\nued\x{eb}\x{9b}" } } if $n == 9;
    return { status => 400, body => { code => 21211,
             message => 'x' x $n . "\x{20ac}" x 400 } };
--- test
    my $first = place('key-9');

    is $first->{json}{status}, "que ued\x{eb} ", 'on one line';
    is_repeated(place('key-9'), $first, 'a call');

    # cut between characters, wherever they end

    for my $n (0 .. 3) {
        $first = place("key-$n", "+1500555000$n");

        is $first->{status}, 400, "refused $n";
        like $first->{json}{detail}, qr/ x{$n}\x{20ac}+$/, 'whole characters';
        cmp_ok length $first->{body}, '<=', 192, 'what can be kept';
        cmp_ok length $first->{body}, '>', 188, 'and no less';
        is_repeated(place("key-$n", "+1500555000$n"), $first, "refused $n");
    }



=== while the first is under way
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }
--- twilio
    return { cue => 1 };
--- test
    my $first = under_way('key-1');
    my $answer = place('key-1');

    is $answer->{status}, 409, 'the second has to wait';
    is $answer->{headers}{'retry-after'}, 1, 'it is told for how long';
    like $answer->{json}{detail}, qr/under way/, 'and why';

    is place('key-1', '+15005550008')->{status}, 422, 'another body';

    twilio()->cue;
    $answer = $first->response;
    is $answer->{status}, 200, 'the first has its answer';
    is_repeated(place('key-1'), $answer, 'now the second');

    # the client that does not wait, and comes back

    my $gone = under_way('key-2',
                         body('+15005550009', session_id => 'gone'));

    $gone->reset;
    twilio()->cue;
    log_has(qr/Outbound call initiated: .*, session gone/);

    $answer = place('key-2', body('+15005550009', session_id => 'gone'));
    is $answer->{status}, 200, 'finds its call';
    is $answer->{headers}{'idempotent-replayed'}, 'true', 'as it was placed';
    is asked(), 2, 'and no other';



=== a worker that dies
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }
--- twilio
    return { never => $request->{form}{To} =~ /9$/ };
--- test
    my $first = under_way('key-1');
    my ($worker) = children(nginx_pid());

    kill KILL => $worker;
    log_has(qr/worker process $worker exited on signal 9/);

    my $answer = place('key-1');

    is $answer->{status}, 504, 'nobody knows';
    like $answer->{json}{detail}, qr/is not known, the call may exist/,
         'and it says so';
    is $answer->{headers}{'idempotent-replayed'}, 'true', 'as the answer';
    is_repeated(place('key-1'), $answer, 'once more');
    is place('key-2', '+15005550008')->{status}, 200, 'others go on';
    is asked(), 2, 'Twilio was not asked again';
--- error_log eval
qr/exited on signal 9/



=== two workers, one of which dies again and again
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }
--- twilio
    return { delay => $request->{form}{To} =~ /[05]$/ ? 0.05 : 0 };
--- test
    my $master = nginx_pid();
    my %status;

    # each number has a key; whoever gets no answer asks again

    for my $n (1 .. 60) {
        my $to = '+15005551' . (100 + $n);

        for (1 .. 200) {
            my $client = eval { Voicebridge::HTTP->connect } or next;

            eval { $client->send_request(request($to, $to)); 1 } or next;

            if ($n % 5 == 0 && $_ == 1) {
                my @workers = children($master);

                # Twilio may have it already, or not yet
                twilio()->event('request') if $n % 10 == 0;
                kill KILL => $workers[rand @workers] if @workers;
            }

            my $answer = eval { $client->response } or next;

            # Twilio has something to tell, and waits for a reader
            asked();

            next if $answer->{status} == 409;

            $status{$answer->{status}}++;
            last;
        }
    }

    my $answers = 0;

    $answers += $_ for values %status;

    is $answers, 60, 'everybody has an answer at last';
    cmp_ok $status{200}, '>=', 48, 'mostly a good one';
    is join(' ', grep { !/^(?:200|504)$/ } keys %status), '',
       'or that nobody knows';

    my %asked;

    $asked{$_->{form}{To}}++
        for grep { $_->{event} eq 'request' } twilio()->events;

    is join(' ', grep { $asked{$_} > 1 } sort keys %asked), '',
       'and nobody was called twice';
--- error_log eval
qr/exited on signal 9/



=== two workers, and a reload
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }

    location = /pid { return 200 $pid; }
--- twilio
    return {};
--- test
    my %first = map { ("key-$_" => place("key-$_")) } 1 .. 20;

    is_repeated(place($_), $first{$_}, $_) for sort keys %first;
    is asked(), 20, 'each was placed once';

    my @old = children(nginx_pid());

    kill HUP => nginx_pid();
    log_has(qr/worker process $_ exited with code 0/) for @old;

    is_repeated(place($_), $first{$_}, "$_, reloaded") for sort keys %first;
    is asked(), 20, 'and no more';



=== for a while
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        voicebridge_idempotency_lifetime 4s;
    }
--- twilio
    return {};
--- test
    my $first = place('key-1');

    is_repeated(place('key-1'), $first, 'at once');

    my $until = time + 60;
    my $again;

    do { sleep 0.2; $again = place('key-1') }
        while $again->{body} eq $first->{body} && time < $until;

    is $again->{status}, 200, 'later';
    isnt $again->{body}, $first->{body}, 'it is a new request';
    is asked(), 2, 'and a new call';



=== by session_id
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_idempotency session_id;

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }
--- twilio
    return {};
--- test
    my $order = body('+15005550009', session_id => "order 4711, Zo\x{eb}");
    my $first = place(undef, $order);

    is_repeated(place(undef, $order), $first, 'the same session');

    $order->{agent_id} = 'agent_2';
    my $other = place(undef, $order);
    is $other->{status}, 422, 'with another agent';
    like $other->{body}, qr/This session_id was used with another body/,
         'and what was used';
    is place('key-1', $order)->{status}, 200, 'a header comes first';
    is place(undef)->{status}, 200, 'no session' for 1 .. 2;
    is asked(), 4, 'calls';

    # what one calls a session another may call a key

    $order->{session_id} = 'key-1';
    my $session = place(undef, $order);

    is $session->{status}, 200, 'a session of the name of a key';
    is_repeated(place(undef, $order), $session, 'which is one of its own');

    $order->{session_id} = 'key-2';
    my $key = place('key-2', $order);

    is $key->{status}, 200, 'a key of the name of its session';
    is_repeated(place('key-2', $order), $key, 'by the key');
    isnt place(undef, $order)->{body}, $key->{body}, 'by the session another';
    is asked(), 7, 'calls';



=== a zone that is full
--- http_config
    voicebridge_zone voicebridge:128k;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        voicebridge_idempotency_lifetime 5s;
    }

    location = /metrics { voicebridge_metrics; }
--- twilio
    return {};
--- test
    my ($n, $answer) = 0;

    # while they expire, new ones find room; more come than go

    for my $key (1 .. 2000) {
        $answer = place("key-$key", '+15005550009');
        last if $answer->{status} != 200;
        $n++;

        # Twilio has something to tell about each, and waits for a reader
        asked();
    }

    cmp_ok $n, '>', 8, 'some are kept';
    is $answer->{status}, 503, 'then there is no room';
    like $answer->{json}{detail}, qr/no room.*no call was placed/,
         'and it says so';
    is $answer->{headers}{'retry-after'}, 60, 'and when to try again';
    is asked(), $n, 'nobody was called without a promise';
    log_has(qr/\[error\].*no room in "voicebridge_zone" for another/);
    cmp_ok metrics()->{voicebridge_zone_full_total}, '>', 0, 'counted';

    is place(undef)->{status}, 200, 'without a key there is no promise';

    my $until = time + 60;

    sleep 0.2 while ($answer = place('late'))->{status} == 503
                    && time < $until;

    is $answer->{status}, 200, 'those that expire make room';



=== a zone that is too small
--- http_config
    voicebridge_zone voicebridge:64k;
--- config
    $TEST_NGINX_VOICEBRIDGE

    # which takes what the rest has left
    voicebridge_max_agent_calls 9;

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }
--- twilio
    return {};
--- test
    like log_has(qr/\[error\].*voicebridge_zone "voicebridge" has no room/),
         qr/"Idempotency-Key", which are all refused: make it larger/,
         'is told when nginx starts';

    is place('key-1')->{status}, 503, 'no key can be kept';
    is place(undef)->{status}, 200, 'without one all is well';
    is asked(), 1, 'one call';



=== without a zone
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }
--- twilio
    return {};
--- test
    my $answer = place('key-1');

    is $answer->{status}, 501, 'no key can be kept';
    like $answer->{json}{detail}, qr/no voicebridge_zone; no call was placed/,
         'it says what is missing';
    log_has(qr/\[error\].*cannot be placed without "voicebridge_zone"/);
    is place(undef)->{status}, 200, 'without one all is well';
    is asked(), 1, 'one call';



=== session_id without a zone
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        voicebridge_idempotency session_id;
    }
--- must_die
--- error_log
"voicebridge_idempotency session_id" needs "voicebridge_zone"
