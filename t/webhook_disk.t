# voicebridge_webhook_spool on a disk that hangs: no worker waits for it, and
# no more events do than may.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );
use Voicebridge::Metrics qw( metrics until_metric );
use Voicebridge::Receiver;
use Voicebridge::WebSocket qw( deadline_after );

use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use Time::HiRes qw( sleep time );

# threads wake a worker by what poll has not
plan(skip_all => 'nginx has no thread pools with poll')
    if ($ENV{TEST_NGINX_EVENT_TYPE} // '') eq 'poll';

# these want to be the first that is loaded
plan(skip_all => 'not with sanitizers or valgrind')
    if ($ENV{TEST_NGINX_BINARY} // '') =~ /nginx-(?:sanitize|valgrind)$/;

my $secret = 'whsec-0badc0de0badc0de';
my $dir = tempdir(CLEANUP => 1);
my $receiver;

secret($secret);

my @cc = ($ENV{CC} || 'cc', qw( -O2 -W -Wall -Wextra -Werror -shared -fPIC ),
          '-o', "$dir/slow_disk.so", dirname(__FILE__) . '/lib/slow_disk.c');

system(@cc) == 0 or die "@cc failed\n";

# nginx's workers may not be who we are
chmod 0755, $dir;

$ENV{TEST_NGINX_LD_PRELOAD} = "$dir/slow_disk.so";
$ENV{TEST_NGINX_SPOOL} = "$dir/spool";
$ENV{TEST_NGINX_SECRET} = $secret;
$ENV{VOICEBRIDGE_HOLD} = "$dir/hold";

END {
    local $?;

    $receiver->stop if $receiver;
}

add_block_preprocessor(sub {
    receive();
    $ENV{TEST_NGINX_RECEIVER_URL} = $receiver->url;
});

sub receive {
    $receiver = Voicebridge::Receiver->start(secret => $secret, @_);
}

sub receiver { return $receiver }

sub hold {
    open my $out, '>', "$dir/hold" or die "$dir/hold: $!\n";
}

sub release { unlink "$dir/hold" }

sub files { return grep { !/lock$/ } glob "$dir/spool/*/*" }

my $calls = 0;

sub busy {
    for (1 .. shift) {
        my $status = http(
            POST => '/twilio/call-status',
            token => $ENV{TEST_NGINX_AUTH_TOKEN}, form => [
                CallSid => sprintf('CA%032x', ++$calls),
                From => '+15005550006', To => '+15005550009',
                Direction => 'outbound-api', CallStatus => 'busy' ])->{status};

        die "status $status\n" unless $status == 204;
    }
}

run_tests();

__DATA__

=== a disk that hangs
--- main_config
    thread_pool default threads=1 max_queue=1;
    env VOICEBRIDGE_HOLD;
--- http_config
    voicebridge_zone voicebridge:1m;
    voicebridge_webhook_spool $TEST_NGINX_SPOOL max=10;
--- config
    location = /metrics { voicebridge_metrics; }

    $TEST_NGINX_VOICEBRIDGE
    voicebridge_webhook $TEST_NGINX_RECEIVER_URL/calls;
    voicebridge_webhook_secret $TEST_NGINX_SECRET;

    location = /twilio/call-status { voicebridge_call_status; }
--- test
    my $port = receiver()->port;

    receiver()->stop;
    hold();

    busy(40);

    my $m = metrics();

    is $m->{voicebridge_webhook_events_waiting}, 10, 'as many wait as may';
    is $m->{'voicebridge_webhook_events_total{result="given_up"}'}, 30,
       'the others are given up';

    like log_has(qr/\[crit\].*spool ".*" cannot be written to/, 30),
         qr/its disk has not answered for 5 s, events are kept in memory only/,
         'the log tells what is wrong';
    is metrics()->{voicebridge_webhook_events_waiting}, 10, 'nobody waits';

    release();
    log_has(qr/\[notice\].*can be written to again/);

    my $deadline = deadline_after();

    sleep 0.02 until files() == 10 || time() > $deadline;

    is scalar(files()), 10, 'all that waits is written';

    receive(port => $port);
    receiver()->event('told') for 1 .. 10;
    until_metric('voicebridge_webhook_events_waiting', 0);
    is scalar(files()), 0, 'and delivered';
