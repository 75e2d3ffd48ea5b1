# TLS sessions with agents are taken up again, for each host of a location,
# also where the host's name is resolved for each call.

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();

use Voicebridge::Test;

# a name server to which every name but one is 127.0.0.1

my $name_server = IO::Socket::INET->new(Proto => 'udp',
                                        LocalAddr => '127.0.0.1')
    or die "cannot open a socket: $!";

$ENV{TEST_NGINX_NAME_SERVER} = '127.0.0.1:' . $name_server->sockport;

my $pid = fork // die "fork: $!";

if ($pid == 0) {
    while (defined $name_server->recv(my $query, 512)) {
        my ($id) = unpack 'n', $query;
        my ($name, $type) = substr($query, 12) =~ /^([^\0]*\0)(..)/s or next;

        my @answer = $type eq "\0\1" && $name !~ /nowhere/
                     ? pack('n n n N n C4', 0xc00c, 1, 1, 60, 4, 127, 0, 0, 1)
                     : ();

        $name_server->send(pack('n n n n n n', $id, 0x8180, 1,
                                scalar @answer, 0, 0)
                           . $name . $type . "\0\1" . join('', @answer));
    }

    POSIX::_exit(0);
}

END {
    my $status = $?;
    kill KILL => $pid if $pid;
    waitpid $pid, 0 if $pid;
    $? = $status;
}

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
