# TLS sessions with agents are taken up again, for each host of a location,
# also where the host's name is resolved for each call.

use strict;
use warnings;

use Voicebridge::NameServer ();
use Voicebridge::Test;

# every name but one is 127.0.0.1

my $dns = Voicebridge::NameServer->start(sub {
    $_[0] =~ /nowhere/ ? undef : '127.0.0.1';
});

$ENV{TEST_NGINX_NAME_SERVER} = '127.0.0.1:' . $dns->port;

run_tests();


# one call through a location: whether its agent's session was resumed

sub call {
    my $phone = phone(@_)->connect;

    $phone->start(parameters => { agent_id => 'a' });

    my $tls = agent()->event('tls');

    agent()->event('initiation');
    $phone->stop;
    $phone->recv_close;

    return "$tls->{name} $tls->{resumed}";
}

__DATA__

=== a name that is resolved for each call
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    voicebridge_ssl_verify off;
    resolver $TEST_NGINX_NAME_SERVER ipv6=off;

    location = /one {
        voicebridge_media_stream;
        voicebridge_elevenlabs_url https://one.test:$TEST_NGINX_AGENT_PORT;
    }

    location = /two {
        voicebridge_media_stream;
        voicebridge_elevenlabs_url https://two.test:$TEST_NGINX_AGENT_PORT;
    }

    location = /nowhere {
        voicebridge_media_stream;
        voicebridge_elevenlabs_url https://nowhere.test:$TEST_NGINX_AGENT_PORT;
    }
--- agent_options
tls => 'good'
--- agent
    for (1 .. 6) {
        my $socket = $agent->socket;

        $socket->expect_initiation;
        $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
        $socket->recv_close;
    }
--- test
    is call(path => '/one'), 'one.test 0', 'the first call';
    is call(path => '/one'), 'one.test 1', 'the second resumes its session';
    is call(path => '/one'), 'one.test 1', 'and the third';
    is call(path => '/two'), 'two.test 0', 'another host has its own';
    is call(path => '/two'), 'two.test 1', 'and keeps it';
    is call(path => '/one'), 'one.test 1', 'as does the first';

    my $lost = phone(path => '/nowhere')->connect;

    $lost->start(parameters => { agent_id => 'a' });
    is(($lost->recv_close)[0], 1011, 'a name that is not found');

=== a host of /etc/hosts, verified
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;

    location = /localhost {
        voicebridge_media_stream;
    }
--- agent_options
tls => 'good'
--- agent
    for (1 .. 3) {
        my $socket = $agent->socket;

        $socket->expect_initiation;
        $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
        $socket->recv_close;
    }
--- test
    # it may have two addresses, of which each keeps its own

    is call(path => '/localhost'), 'localhost 0', 'the first call';
    call(path => '/localhost');
    is call(path => '/localhost'), 'localhost 1', 'the third';
