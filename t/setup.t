# What a call's set-up consists of: the agent's socket is opened while the URL
# for it is being signed.

use strict;
use warnings;

use Time::HiRes qw( sleep time );

use Voicebridge::Test;
use Voicebridge::Metrics qw( metrics );
use Voicebridge::NameServer ();

# what takes its time, much longer than anything else here, but not as long as
# a call may take to be set up

use constant DELAY => 1 + ($ENV{VOICEBRIDGE_TIME_FACTOR} || 1);


# libcurl knows without asking that such names are this machine's own

my $dns = Voicebridge::NameServer->start(sub {
    sleep DELAY if $_[0] eq 'slow.localhost';

    return $_[0] eq 'nobody.localhost' ? undef : '127.0.0.1';
});

$ENV{TEST_NGINX_DNS_PORT} = $dns->port;

run_tests();


# In the agent: both connections, that over which a URL is asked for and that
# which says nothing.

sub both {
    my $agent = shift;

    my @connections = map { $agent->accept } 1 .. 2;
    my $api = asked($agent, $agent->accept(undef, @connections));

    my ($early) = grep { $_ != $api } @connections;

    return ($api, $early);
}

sub asked {
    my ($agent, $api) = @_;

    $api->next_request;
    die "asked for $api->{request}{target}\n"
        unless $api->{request}{path} =~ /get-signed-url$/;

    $agent->note(event => 'asked');

    return $api;
}

# a call on a connection, from its handshake on

sub serve {
    my $socket = shift;

    $socket->next_request or die "the connection ends\n";
    $socket->upgrade;
    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->audio('a' x 160, 1);
    $socket->recv_close;
}

sub gone {
    my ($agent, $socket) = @_;

    $socket->recv_eof;
    $agent->note(event => 'gone');
}


# In the test: a call that begins, one that is heard and ends.

sub started {
    my $phone = phone(path => shift // '/twilio/media-stream')->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });

    return $phone;
}

sub heard {
    my ($phone, $name) = @_;

    is $phone->recv_audio(160), 'a' x 160, "$name: the agent is heard";
    $phone->stop;
    is(($phone->recv_close)[0], 1000, "$name: to the end");
    $phone->send_close(1000);
    $phone->recv_eof;
}

sub events { my $name = shift;
             return grep { $_->{event} eq $name } agent()->events }

__DATA__

=== the socket is there before its URL
--- config
    $TEST_NGINX_VOICEBRIDGE
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;

    location = /address {
        voicebridge_media_stream;
    }

    location = /name {
        voicebridge_media_stream;
        voicebridge_elevenlabs_url http://agent.localhost:$TEST_NGINX_AGENT_PORT;
    }

    location = /known {
        voicebridge_media_stream;
        voicebridge_elevenlabs_url http://localhost:$TEST_NGINX_AGENT_PORT;
    }
--- agent
    for my $host (qw( 127.0.0.1 agent.localhost localhost )) {
        my ($api, $early) = both($agent);

        $agent->await_cue;
        $api->answer_signed_url(url => "ws://$host:" . $agent->port
                                       . '/v1/convai/conversation?agent_id=a');
        $api->disconnect;
        serve($early);
    }
--- test
    for my $path (qw( /address /name /known )) {
        my $phone = started($path);

        agent()->event('asked');
        pass("$path: there are two connections, and no URL yet");
        agent()->cue;
        heard($phone, $path);
    }
--- no_error_log
[error]
trying once more



=== with TLS, verified, its session resumed
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }
--- agent_options
tls => 'good'
--- agent
    my ($api, $early) = both($agent);

    while (1) {
        $agent->await_cue;
        $api->answer_signed_url;
        serve($early);

        # the other connection is kept for the next request
        $early = $agent->accept;
        asked($agent, $api);
    }
--- test
    for my $n (1 .. 3) {
        my $phone = started();

        agent()->event('asked');
        is scalar(events('tls')), $n + 1, 'TLS is done before there is a URL';
        agent()->cue;
        heard($phone, "call $n");
        is scalar(events('tls')), $n + 1, 'and was done once';
    }

    # the host may have two addresses, each with a session of its own
    is +(events('tls'))[-1]{resumed}, 1, 'the session is resumed';
--- no_error_log
[error]
trying once more



=== it takes as long as the longer, not as both
--- config
    $TEST_NGINX_VOICEBRIDGE
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;

    location = /twilio/media-stream {
        voicebridge_media_stream;
        voicebridge_elevenlabs_url http://slow.localhost:$TEST_NGINX_AGENT_PORT;
    }
--- agent
    my $api = $agent->accept;

    asked($agent, $api);
    sleep main::DELAY;
    $agent->note(event => 'answered');
    $api->answer_signed_url(url => 'ws://slow.localhost:' . $agent->port
                                   . '/v1/convai/conversation?agent_id=a');
    serve($agent->accept);
--- test
    my $start = time();
    my $phone = started();

    agent()->event('initiation');

    my $time = time() - $start;

    cmp_ok $time, '>=', main::DELAY, 'the URL and the name take their time';
    cmp_ok $time, '<', 1.95 * main::DELAY, 'at the same time';
    heard($phone, 'slow');
--- no_error_log
[error]



=== a URL that leads elsewhere
--- config
    $TEST_NGINX_VOICEBRIDGE
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }
--- agent
    my $other = Voicebridge::Peer::listener('127.0.0.1', 0);

    push @{$agent->{listeners}}, $other;

    for my $host ('other.localhost:' . $agent->port,
                  '127.0.0.1:' . $other->sockport)
    {
        my ($api, $early) = both($agent);

        $api->answer_signed_url(url => "ws://$host/?agent_id=a");
        $api->disconnect;
        gone($agent, $early);

        my $socket = $agent->accept;

        serve($socket);
        $agent->note(event => 'host', right =>
                     $socket->{request}{headers}{host} eq $host ? 1 : 0);
    }
--- test
    for my $what (qw( host port )) {
        my $phone = started();

        heard($phone, "another $what");
        agent()->event('gone');
        ok agent()->event('host')->{right}, 'on a connection of its own';
    }
--- no_error_log
[error]
trying once more



=== a URL whose host is not found
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;

    location = /metrics { voicebridge_metrics; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }
--- agent
    my ($api, $early) = both($agent);

    $api->answer_signed_url(url => 'ws://nobody.localhost/?agent_id=a');
    gone($agent, $early);

    $early = $agent->accept;
    asked($agent, $api);
    $api->answer_signed_url(url => 'ws://nobody.localhost/?agent_id=a');
    gone($agent, $early);
--- test
    my $phone = started();

    is(($phone->recv_close)[0], 1011, 'the call ends');
    $phone->send_close(1011);
    $phone->recv_eof;
    agent()->event('gone') for 1 .. 2;

    my %failures = map { /failures_total(.*)/ ? ($1 => metrics()->{$_}) : () }
                   keys %{metrics()};

    is_deeply \%failures, { '{service="elevenlabs",kind="resolve"}' => 2 },
              'and the metrics say why';
--- error_log
could not be resolved



=== an early connection that fails is no failure of the call
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;

    location = /metrics { voicebridge_metrics; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }
--- agent
    my ($api, $early) = both($agent);

    $api->answer_signed_url;
    serve($early);

    # nobody listens until the URL is there

    close $_ for @{$agent->{listeners}};

    asked($agent, $api);
    $agent->await_cue;
    $agent->{listeners} = [ Voicebridge::Peer::listener('127.0.0.1',
                                                        $agent->port) ];
    $api->answer_signed_url;
    serve($agent->accept);

    # the connection ends, is reset, or something is said there

    for my $way (sub { $_[0]->disconnect }, sub { $_[0]->reset },
                 sub { $_[0]->respond(408); $_[0]->recv_eof })
    {
        $early = $agent->accept;
        asked($agent, $api);
        $way->($early);
        $agent->await_cue;
        $api->answer_signed_url;
        serve($agent->accept);
    }
--- test
    my $phone = started();

    agent()->event('asked');
    heard($phone, 'none');

    for my $name ('refused', 'closed', 'reset', 'a word') {
        $phone = started();
        agent()->event('asked');

        log_has(qr/\[info\] .*connect\(\) failed .*refused/)
            if $name eq 'refused';

        like log_has(qr/call $phone->{call_sid}: .* is opened again/),
             qr/\[info\]/, "$name: it is no error";

        agent()->cue;
        heard($phone, $name);
    }

    is_deeply [ grep { /^voicebridge_request_failures/ } keys %{metrics()} ],
              [], 'nothing has failed';
--- no_error_log
[error]
trying once more



=== a name that is not found, and is not needed
--- config
    $TEST_NGINX_VOICEBRIDGE
    resolver 127.0.0.1:$TEST_NGINX_DNS_PORT ipv6=off;

    location = /twilio/media-stream {
        voicebridge_media_stream;
        voicebridge_elevenlabs_url
            http://nobody.localhost:$TEST_NGINX_AGENT_PORT;
    }
--- agent
    my $api = $agent->accept;

    asked($agent, $api);
    $agent->await_cue;
    $api->answer_signed_url;
    serve($agent->accept);
--- test
    my $phone = started();

    log_has(qr/nobody.localhost could not be resolved/);
    agent()->cue;
    heard($phone, 'an address');
--- no_error_log
trying once more



=== what becomes of it when there is no URL
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }

    location = /timeout {
        voicebridge_media_stream;
        voicebridge_connect_timeout 3s;
    }
--- agent
    my ($api, $early) = both($agent);

    # the caller hangs up, or is lost: nobody waits for the answer any more

    for (1 .. 2) {
        gone($agent, $early);
        $api->answer_signed_url;
        $early = $agent->accept;
        asked($agent, $api);
    }

    $api->respond(401, { detail => { status => 'x', message => 'No' } });
    gone($agent, $early);

    # another try goes on where the first was

    $early = $agent->accept;
    asked($agent, $api);
    $api->respond(500, {});

    asked($agent, $api);
    $api->answer_signed_url;
    serve($early);

    $early = $agent->accept;
    asked($agent, $api);
    gone($agent, $early);
--- test
    for my $how (sub { $_[0]->stop; $_[0]->recv_close; $_[0]->send_close(1000) },
                 sub { $_[0]->reset })
    {
        my $phone = started();

        agent()->event('asked');
        $how->($phone);
        agent()->event('gone');
        log_has(qr/call $phone->{call_sid}: Call ended/);
    }

    pass('the agent is left with the caller');

    my $phone = started();

    is(($phone->recv_close)[0], 1011, 'a key that is wrong');
    agent()->event('gone');
    $phone->send_close(1011);

    heard($phone = started(), 'a second try');
    log_has(qr/call $phone->{call_sid}: .*status 500 , trying once more/);

    $phone = started('/timeout');
    is(($phone->recv_close)[0], 1011, 'a time that is over');
    agent()->event('gone');
    like log_has(qr/call $phone->{call_sid}: Call ended/),
         qr/reason=agent_timeout/, 'as before';
