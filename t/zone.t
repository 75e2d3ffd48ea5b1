# voicebridge_zone: what workers share is true, whoever of them dies, and
# whether there is room for it or not.

use Voicebridge::Test;
use Voicebridge::Metrics qw( metrics until_metric );
use Voicebridge::Process qw( children );
use Voicebridge::WebSocket qw( deadline_after );

use Digest::SHA qw( hmac_sha256 sha256 );
use MIME::Base64 qw( encode_base64 );
use Time::HiRes qw( sleep time );

master_on();

add_block_preprocessor(sub { workers($_[0]->name =~ /die/ ? 2 : 1) });


# the formula of vb_token, for calls whose only parameter is the agent

my $key = hmac_sha256('voicebridge vb_token', $ENV{TEST_NGINX_AUTH_TOKEN});
my $claims = sha256(join '', map { pack 'Q>a*', length, $_ }
                    'agent_1', ('') x 5);
my $tokens = 0;

sub token {
    my $nonce = pack 'NNNN', rand 2**32, rand 2**32, $$, ++$tokens;
    my $head = int(time() + 600) . '.' . base64url($nonce);

    return "$head." . base64url(hmac_sha256($head . $claims, $key));
}

sub base64url { return encode_base64($_[0], '') =~ tr{+/=}{-_}dr }


# A stream with a token, for which there is no agent: the status it is closed
# with.  undef where its worker is no more, 0 where no call has begun.

sub stream {
    my $token = shift;

    my $phone = phone();

    eval { $phone->connect; 1 } or return 0;

    eval {
        $phone->start(parameters => { agent_id => 'agent_1',
                                      vb_token => $token });
    };

    my ($code) = eval { $phone->recv_close };

    eval { $phone->send_close($code); $phone->recv_eof } if $code;
    $phone->disconnect;

    return $code;
}

run_tests();

__DATA__

=== workers that die while they use tokens and count calls
--- http_config
    voicebridge_zone voicebridge:16m;
--- config
    access_log off;
    error_log logs/error.log warn;

    location = /metrics { voicebridge_metrics; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- test
    # how streams ended: all there are, and those that have been told
    my ($begun, $told, @used) = (0, 0);

    my $count = sub {
        my $code = stream(@_);

        $begun++ unless defined $code && $code == 0;
        $told++ if $code;

        return $code // 0;
    };

    # others have calls all the time

    my @others = map {
        pipe my $r, my $w or die "pipe: $!\n";

        my $pid = fork() // die "fork: $!\n";

        if ($pid == 0) {
            my $end = 0;

            $SIG{TERM} = sub { $end = 1 };
            srand;

            $count->(token()) until $end;

            syswrite $w, pack 'NN', $begun, $told;
            POSIX::_exit(0);
        }

        close $w;
        [ $pid, $r ];
    } 1 .. 3;

    my $master = nginx_pid();
    my $until = time() + 6;
    my $kills = 0;

    # on a machine that is busy longer than that
    while (time() < $until
           || (($kills <= 5 || @used <= 50) && time() < $until + 30))
    {
        my @workers = children($master);

        $kills += kill KILL => $workers[rand @workers] if @workers;

        for (1 .. 20) {
            my $token = token();

            push @used, $token if $count->($token) == 1011;
        }
    }

    for (@others) {
        my ($pid, $r) = @$_;

        kill TERM => $pid;
        sysread $r, my $n, 8;
        waitpid $pid, 0;

        my @n = unpack 'NN', $n;

        $begun += $n[0];
        $told += $n[1];
    }

    cmp_ok $kills, '>', 5, "$kills workers were killed";
    cmp_ok scalar @used, '>', 50, @used . ' tokens were used meanwhile';

    is scalar(grep { $count->($_) != 1008 } @used[-50 .. -1]), 0,
       'and none of them is good once more';

    my $m = until_metric('voicebridge_calls_live', 0);

    pass('no call is left');

    my $total = 0;

    $total += $m->{$_} for grep { /^voicebridge_calls_total\{/ } keys %$m;

    # one may be killed between its 101 and its beginning
    cmp_ok $total, '>=', $told, 'each call is counted';
    cmp_ok $total, '<=', $begun, 'and none twice';
    is $m->{voicebridge_zone_full_total}, 0, 'and there was room for all';
--- error_log eval
[qr/exited on signal 9|zone "voicebridge" was locked by/]
--- no_error_log
[emerg]
exited on signal 11



=== no room for a token
--- http_config
    voicebridge_zone voicebridge:32k;
--- config
    access_log off;

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- test
    my $first = token();

    is stream($first), 1011, 'a token';
    is stream($first), 1008, 'which is used';

    is stream(token()), 1011, 'another one' for 1 .. 110;

    log_has(qr/\[warn\].*zone "voicebridge" is too small: not all used tokens/);
    is stream($first), 1008, 'the first is known all the same';
--- no_error_log
[emerg]
