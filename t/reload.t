# Live calls while nginx reloads, stops, or loses a worker.

use Voicebridge::Test;
use Voicebridge::Metrics qw( metrics until_metric );
use Voicebridge::Process qw( children );
use Voicebridge::WebSocket qw( deadline_after );

use Time::HiRes qw( time );

worker_connections(1024);

add_block_preprocessor(sub {
    my $alone = $_[0]->name =~ /without a master/;

    master_on() unless $alone;
    master_off() if $alone;
    workers($_[0]->name =~ /dies|two workers/ ? 2 : 1);
});


# An agent that says what it hears, in all the calls there are.

sub echo {
    my $agent = shift;

    my %sockets;

    while (1) {
        my @waiting = ($agent->waiting, map { $_->sock } values %sockets);

        for my $ready (IO::Select->new(@waiting)->can_read) {
            my $socket = $sockets{$ready};

            if (!$socket) {
                my $caller = $agent->arrived;

                # who waits is not the same any more
                $sockets{$caller->sock} = conversation($caller) if $caller;
                last;
            }

            next if hear($socket);

            delete $sockets{$ready};
            $socket->disconnect;
        }
    }
}

sub conversation {
    my $socket = shift->open_socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');

    return $socket;
}

# what there is in one call; false when it is over

sub hear {
    my $socket = shift;

    do {
        my $message = $socket->recv_message or return 0;

        if ($message->{opcode} == 8) {
            $socket->note(event => 'close', code => $message->{code});
            $socket->send_close($message->{code});
            return 0;
        }

        if ($message->{opcode} == 1) {
            my $value = Voicebridge::WebSocket::json()->decode(
                $message->{payload});

            $socket->send_json({ type => 'audio', audio_event => {
                event_id => 1, audio_base_64 => $value->{user_audio_chunk} } });
        }
    } while length $socket->{in};

    return 1;
}


# calls that have been through it all once

sub calls {
    my ($n, %o) = @_;

    my @phones = map {
        my $phone = phone(%o)->connect;

        $phone->start(parameters => { agent_id => 'agent_1' });

        # what the agent has to tell about many would fill its pipe
        agent()->event('initiation');

        $phone->{begun} = 1;
        $phone;
    } 1 .. $n;

    rounds(1, @phones);

    return @phones;
}


# $n frames of each caller, and what comes back: how many were wrong.  Between
# the saying and the hearing there is something to do.

my $frame = 0;

sub rounds {
    my ($n, @phones) = @_;

    my $between = ref $phones[0] eq 'CODE' ? shift @phones : sub { };
    my $wrong = 0;

    for (1 .. $n) {
        my @said = map {
            my $said = pack 'N40', map { $frame++ } 1 .. 40;

            $_->media($said);
            $said;
        } @phones;

        $between->();

        for (@phones) {
            $wrong++ unless $_->recv_audio(160) eq shift @said;
            $wrong++ if length $_->{audio};
        }
    }

    return $wrong;
}

sub hang_up {
    for (@_) {
        $_->stop;

        my ($code) = $_->recv_close;

        die "closed with $code\n" unless $code == 1000;

        $_->send_close(1000);
        $_->recv_eof;
    }
}

sub gone {
    my $pid = shift;

    my $deadline = deadline_after();

    while (kill 0, $pid) {
        return 0 if time() > $deadline;
        Time::HiRes::sleep(0.01);
    }

    return 1;
}

# calls that were cut by a stop: of n of them an agent knows

sub stopped {
    my ($n, @phones) = @_;

    for my $phone (@phones) {
        is(($phone->recv_close)[0], 1001, 'the phone is told');
        $phone->disconnect;
    }

    is agent()->event('close')->{code}, 1001, 'and the agent' for 1 .. $n;

    for my $phone (@phones) {
        my $sid = $phone->{begun} ? $phone->{call_sid} : '-';

        like log_has(qr/call $sid: Call ended: this worker had to exit/),
             qr/\[warn\].*, reason=shutdown /, 'the log';
        like calls_log_has(qr/^call=$sid .*reason=shutdown/), qr/ http=101 /,
             'the access log';
    }
}

# nginx's, when there are n: it has written its PID before it has any

sub serving {
    my $n = shift;
    my $deadline = deadline_after();
    my @workers;

    until ((@workers = children(nginx_pid())) >= $n || time() > $deadline) {
        sleep 0.02;
    }

    return @workers;
}

run_tests();

__DATA__

=== a reload under two hundred calls
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    echo($agent);
--- test
    my $master = nginx_pid();
    my ($old) = serving(1);
    my @phones = calls(200);

    is rounds(2, @phones), 0, 'two hundred calls';

    is rounds(1, sub {
        kill HUP => $master;
        log_has(qr/gracefully shutting down/);
    }, @phones), 0, 'hear what was said before the reload';

    is rounds(5, @phones), 0, 'and go on';

    my ($new) = grep { $_ != $old } children($master);

    ok $new, 'there is a new worker';
    ok kill(0, $old), 'and the old one';

    my @more = calls(10);

    like log_has(qr/call $more[0]{call_sid}: Media stream started/), qr/ $new#/,
         'which serves new calls';

    # a reload more changes nothing
    is rounds(1, sub { kill HUP => $master }, @phones, @more), 0,
       'another reload';

    is scalar(grep { $_->{event} eq 'close' } agent->events), 0,
       'nobody was closed';

    hang_up(@phones, @more);
    ok gone($old), 'the old worker leaves when its calls are over';
    log_has(qr/worker process $old exited with code 0/);
--- no_error_log
[error]
[crit]



=== a quit
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    echo($agent);
--- test
    my $master = nginx_pid();
    my @phones = calls(20);

    is rounds(1, sub {
        kill QUIT => $master;
        log_has(qr/gracefully shutting down/);
    }, @phones), 0, 'calls go on';

    is rounds(3, @phones), 0, 'as if nothing was';
    ok kill(0, $master), 'nginx is there for them';

    hang_up(@phones);
    ok gone($master), 'and not longer';
--- no_error_log
[error]
[crit]



=== a quit while the agent's last words are played
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->audio('a' x 80_000, 1);
    $socket->close_with(1000);
--- test
    my $master = nginx_pid();
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });

    my $mark = $phone->recv_event('mark');

    kill QUIT => $master;
    log_has(qr/gracefully shutting down/);

    $phone->send_ping('still here');
    is $phone->recv_message->{payload}, 'still here', 'the caller hears them';

    $phone->mark($mark->{mark}{name});
    is(($phone->recv_close)[0], 1000, 'to the end');
    $phone->send_close;
    ok gone($master), 'then nginx leaves';
--- no_error_log
[error]
[crit]



=== when the time for that is over
--- main_config
    worker_shutdown_timeout 500ms;
--- config
    listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
    ssl_certificate      $TEST_NGINX_CERTIFICATES/good.crt;
    ssl_certificate_key  $TEST_NGINX_CERTIFICATES/good.key;

    access_log $TEST_NGINX_CALLS_LOG calls;

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    echo($agent);
--- test
    my $master = nginx_pid();

    # one that has not begun, some that are on
    my @phones = (phone()->connect, calls(3),
                  calls(2, port => $ENV{TEST_NGINX_TLS_PORT}, tls => {
                      ca => "$ENV{TEST_NGINX_CERTIFICATES}/ca.crt" }));

    kill QUIT => $master;

    for my $phone (@phones) {
        my ($code, $reason) = $phone->recv_close;

        is $code, 1001, 'the phone is told';
        $phone->send_close(1001);
        $phone->recv_eof;
    }

    is agent->event('close')->{code}, 1001, 'and the agent' for 1 .. 5;

    ok gone($master), 'nginx leaves';
    like calls_log_has(qr/reason=shutdown/), qr/http=101/, 'the access log';
    log_has(qr/\[warn\].*Call ended: this worker had to exit/);
--- no_error_log
[alert]
[crit]



=== a stop
--- config
    listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
    ssl_certificate      $TEST_NGINX_CERTIFICATES/good.crt;
    ssl_certificate_key  $TEST_NGINX_CERTIFICATES/good.key;

    access_log $TEST_NGINX_CALLS_LOG calls buffer=64k;

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    echo($agent);
--- test
    my $master = nginx_pid();
    my @phones = (phone()->connect, calls(20),
                  calls(5, port => $ENV{TEST_NGINX_TLS_PORT}, tls => {
                      ca => "$ENV{TEST_NGINX_CERTIFICATES}/ca.crt" }));

    kill TERM => $master;
    stopped(25, @phones);
    ok gone($master), 'nginx has stopped';
--- no_error_log
[alert]
[crit]



=== a stop without a master
--- config
    access_log $TEST_NGINX_CALLS_LOG calls;

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    echo($agent);
--- test
    my $nginx = nginx_pid();
    my @phones = calls(5);

    # a quit does not wait, either

    kill QUIT => $nginx;
    stopped(5, @phones);
    ok gone($nginx), 'nginx has stopped';
--- no_error_log
[alert]
[crit]



=== a worker that is to exit at once
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    access_log $TEST_NGINX_CALLS_LOG calls;

    location = /metrics { voicebridge_metrics; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    echo($agent);
--- test
    my ($old) = serving(1);
    my @phones = (calls(4), phone()->connect);

    # one whose end has begun, and has its reason

    $phones[0]->stop;
    is(($phones[0]->recv_close)[0], 1000, 'one has hung up');
    is agent()->event('close')->{code}, 1000, 'as its agent knows';

    kill TERM => $old;
    log_has(qr/worker process $old exited with code 0/);

    stopped(3, @phones[1 .. $#phones]);
    log_has(qr/call $phones[0]{call_sid}: Call ended: the caller hung up/);

    # another worker tells

    until_metric('voicebridge_calls_live', 0);

    my $m = metrics();
    my %n;

    $n{/reason="(\w+)"/ ? $1 : ''} += $m->{$_}
        for grep { /^voicebridge_calls_total\{/ } keys %$m;

    is join(' ', map { "$n{$_} $_" } sort keys %n),
       '1 caller_hung_up 4 shutdown', 'all are counted, and none is lost';
--- no_error_log
[alert]
[crit]



=== a worker that dies
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    echo($agent);
--- test
    my @workers = serving(2);

    is scalar @workers, 2, 'there are two workers';

    # as many calls as it takes for each to have some
    my %calls;

    for (1 .. 200) {
        my ($phone) = calls(1);
        my ($pid) = log_has(qr/call $phone->{call_sid}: Media stream started/)
                    =~ / (\d+)#/;

        push @{$calls{$pid}}, $phone;
        last if keys %calls == 2 && $_ >= 10;
    }

    is join(' ', sort keys %calls), join(' ', sort @workers), 'which share';

    my ($dead, $alive) = sort keys %calls;

    kill KILL => $dead;
    log_has(qr/worker process $dead exited on signal 9/);

    is rounds(5, @{$calls{$alive}}), 0, 'the other goes on';

    for (@{$calls{$dead}}) {
        eval { 1 while $_->recv_message };
        $_->disconnect;
    }

    my @more = calls(10);

    is rounds(2, @more, @{$calls{$alive}}), 0, 'and new calls are served';
    hang_up(@more, @{$calls{$alive}});
--- error_log eval
qr/exited on signal 9/



=== two workers, each with a socket of its own
--- config
    listen 127.0.0.1:$TEST_NGINX_TLS_PORT reuseport;

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    echo($agent);
--- test
    my $master = nginx_pid();
    my @workers = serving(2);
    my %port = (port => $ENV{TEST_NGINX_TLS_PORT});
    my (%calls, @phones);

    for (1 .. 200) {
        my ($phone) = calls(1, %port);
        my ($pid) = log_has(qr/call $phone->{call_sid}: Media stream started/)
                    =~ / (\d+)#/;

        $calls{$pid}++;
        push @phones, $phone;
        last if keys %calls == 2 && $_ >= 10;
    }

    is join(' ', sort keys %calls), join(' ', sort @workers),
       'the kernel gives calls to both';
    is rounds(3, @phones), 0, 'which serve them';

    is rounds(1, sub {
        kill HUP => $master;
        log_has(qr/gracefully shutting down/);
    }, @phones), 0, 'a reload under them';

    my @more = calls(10, %port);

    is rounds(3, @phones, @more), 0, 'old and new ones go on';
    hang_up(@phones, @more);
    ok gone($_), 'the old workers leave' for @workers;
--- no_error_log
[error]
[crit]
