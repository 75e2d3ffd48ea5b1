# A signed URL and its early socket where the host is an upstream block: a
# server of it that is not there costs nobody a call, or a descriptor.
#
# Such a block is found by a host without a port, and REST, which does not go
# through nginx, takes it for one: the port is that of the scheme.

use strict;
use warnings;

use Voicebridge::Test;
use Voicebridge::Metrics qw( metrics );
use Voicebridge::Peer ();
use Voicebridge::Process qw( descriptors );
use Voicebridge::WebSocket qw( deadline_after );
use IO::Socket::IP ();
use Time::HiRes qw( sleep time );

# nobody else's, of the loopback network

our $host = join '.', 127, map { 1 + int rand 254 } 1 .. 3;
our $rest = Voicebridge::Peer::listener($host, 80);

plan(skip_all => "port 80 of $host cannot be listened on") unless $rest;

# a port that is taken, and that nobody listens on

our $dead = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0,
                                Type => Socket::SOCK_STREAM())
    or die "a socket: $@\n";

$ENV{TEST_NGINX_HOST} = $host;
$ENV{TEST_NGINX_DEAD_PORT} = $dead->sockport;

run_tests();


# In the agent: a URL is given once there is a connection that says nothing yet.

sub serve {
    my ($agent, $rest) = @_;

    my ($asked, @silent);

    push @{$agent->{listeners}}, $rest;

    while (1) {
        my $socket = $agent->accept(undef, @silent);

        if (!grep { $_ == $socket } @silent) {
            push @silent, $socket;
            $agent->note(event => 'connected') unless is_rest($socket);

        } else {
            @silent = grep { $_ != $socket } @silent;

            if ($socket->next_request && is_rest($socket)) {
                $asked = $socket;

            } elsif ($socket->{request}) {
                speak($socket);
            }
        }

        if ($asked && grep { !is_rest($_) } @silent) {
            $asked->answer_signed_url(
                url => "ws://$host/v1/convai/conversation?agent_id=a");
            push @silent, $asked;
            undef $asked;
        }
    }
}

sub is_rest { return $_[0]->sock->sockport == 80 }

sub speak {
    my $socket = shift;

    $socket->upgrade;
    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->audio('a' x 160, 1);

    # or the caller is lost
    eval { $socket->recv_close };
}


# in the test

sub no_calls { return metrics()->{voicebridge_calls_live} == 0 }

sub wait_for {
    my $true = shift;

    my $deadline = deadline_after();

    sleep 0.01 until $true->() || time() > $deadline;
}

__DATA__

=== one of two servers is dead
--- http_config
    voicebridge_zone voicebridge:1m;

    upstream $TEST_NGINX_HOST {
        server 127.0.0.1:$TEST_NGINX_DEAD_PORT max_fails=0;
        server 127.0.0.1:$TEST_NGINX_AGENT_PORT max_fails=0;
    }
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /metrics { voicebridge_metrics; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        voicebridge_elevenlabs_url http://$TEST_NGINX_HOST;
    }
--- agent
    serve($agent, $main::rest);
--- test
    my $pid = nginx_pid();
    my $before;

    # the servers are taken in turns

    for my $n (1 .. 12) {
        my $phone = phone()->connect;

        $phone->start(parameters => { agent_id => 'agent_1' });
        is $phone->recv_audio(160), 'a' x 160, "call $n: the agent is heard";

        if ($n % 3) {
            $phone->stop;
            is(($phone->recv_close)[0], 1000, "call $n: to the end");
            $phone->send_close(1000);
            $phone->recv_eof;

        } else {
            $phone->reset;
        }

        if ($n == 4) {
            wait_for(\&no_calls);
            $before = descriptors($pid);
        }
    }

    wait_for(\&no_calls);
    wait_for(sub { descriptors($pid) <= $before });
    cmp_ok descriptors($pid), '<=', $before, 'all descriptors are back';

    is scalar(grep { $_->{event} eq 'connected' } agent()->events), 12,
       'each call had one connection, and the early one';

    open my $log, '<', $Test::Nginx::Util::ErrLogFile or die;
    my @refused = grep { /\[info\].*connect\(\) failed .*refused/ } <$log>;

    cmp_ok scalar(@refused), '>=', 4, 'the dead one was tried again and again';
    is_deeply [ grep { /^voicebridge_request_failures/ } keys %{metrics()} ],
              [], 'nothing has failed';
--- no_error_log
[error]
trying once more
