# A signed URL names any host: nginx asks a resolver for it while it serves.

use strict;
use warnings;

use Voicebridge::NameServer ();
use Voicebridge::Test;
use Voicebridge::Metrics qw( metrics );

my %address = ('agent.example.test' => '127.0.0.1', 'slow.example.test' => '');

my $dns = Voicebridge::NameServer->start(sub { $address{$_[0]} });

$ENV{TEST_NGINX_DNS_PORT} = $dns->port;

run_tests();

__DATA__

=== in a signed URL
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    location = /metrics { voicebridge_metrics; }

    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off valid=1s;
    resolver_timeout 2s;

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
