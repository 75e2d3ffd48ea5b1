# A signed URL names any host: nginx asks a resolver for it while it serves.

use strict;
use warnings;

use IO::Socket::IP ();
use Socket qw( SOCK_DGRAM );

# a name server that knows one name, and how long to wait for the others

my $dns;

BEGIN {
    $dns = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0,
                               Type => SOCK_DGRAM) or die "socket: $!\n";
    $ENV{TEST_NGINX_DNS_PORT} = $dns->sockport;
}

use Voicebridge::Test;
use Voicebridge::Metrics qw( metrics );

my $pid = fork() // die "fork: $!\n";

if ($pid == 0) {
    while (my $from = $dns->recv(my $query, 512)) {
        my ($id, $flags) = unpack 'nn', $query;

        my $name = '';
        my $at = 12;

        while (my $len = unpack "x$at C", $query) {
            $name .= '.' . substr $query, $at + 1, $len;
            $at += 1 + $len;
        }

        my $type = unpack 'x' . ($at + 1) . ' n', $query;
        my $question = substr $query, 12, $at + 5 - 12;

        next if $name eq '.slow.example.test';

        my $known = $name eq '.agent.example.test';
        my $answers = $known && $type == 1;

        $dns->send(pack('n6', $id, 0x8180 | ($known ? 0 : 3), 1, $answers, 0,
                        0) . $question
                   . ($answers ? pack 'nnnNnC4', 0xc00c, 1, 1, 60, 4,
                                      127, 0, 0, 1 : ''), 0, $from);
    }

    POSIX::_exit(0);
}

END {
    kill TERM => $pid if $pid;
}

run_tests();

__DATA__

=== in a signed URL
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    location = /metrics { voicebridge_metrics; }

    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off valid=1s;
    resolver_timeout 300ms;

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    for my $host (qw( agent nobody nobody slow slow )) {
        $agent->signed_url(url => "ws://$host.example.test:" . $agent->port
                                  . '/v1/convai/conversation?agent_id=a');
        next unless $host eq 'agent';

        my $socket = $agent->request;

        $socket->upgrade;
        $socket->expect_initiation;
        $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
        $socket->note(event => 'host', host =>
                      $socket->{request}{headers}{host});
        $socket->audio('a' x 160, 1);
        $socket->recv_close;
    }
--- test
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    is $phone->recv_audio(160), 'a' x 160, 'the agent is found';
    is agent->event('host')->{host}, 'agent.example.test:' . agent->port,
       'by its name';
    $phone->stop;
    is(($phone->recv_close)[0], 1000, 'and served');
    $phone->disconnect;

    for (['nobody', 'nobody.example.test could not be resolved .*not found'],
         ['slow', 'slow.example.test could not be resolved .*timed out'])
    {
        my ($name, $why) = @$_;
        my $phone = phone()->connect;

        $phone->start(parameters => { agent_id => 'agent_1' });
        is(($phone->recv_close)[0], 1011, "$name is not");
        $phone->disconnect;
        log_has(qr/\[error\].*$why/i);
        log_has(qr/call $phone->{call_sid}: Call ended.*be resolved,.*=agent_unr/);
    }

    # each was tried twice
    is metrics()->{'voicebridge_request_failures_total'
                   . '{service="elevenlabs",kind="resolve"}'}, 4, 'counted';
--- error_log
could not be resolved
