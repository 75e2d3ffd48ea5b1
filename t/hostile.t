# Strangers, broken clients and people with time: a good call that is on
# meanwhile does not notice.

use Voicebridge::Test;
use Voicebridge::Process qw( descriptors memory memory_is_plain );
use Voicebridge::WebSocket qw( deadline_after );

use IO::Socket::IP ();
use Time::HiRes qw( time );

worker_connections(4096);


# a good call, and a round trip on it: every byte, and how long it took

sub good_call {
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    said_and_heard($phone);

    return $phone;
}

my $frame = 0;

sub said_and_heard {
    my $phone = shift;

    my $said = pack 'N40', map { $frame++ } 1 .. 40;
    my $start = time();

    $phone->media($said);
    die "another thing was heard\n" unless $phone->recv_audio(160) eq $said;

    return time() - $start;
}

sub echo {
    my $socket = shift->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');

    while (my $message = $socket->recv_message) {
        last if $message->{opcode} == 8;

        my $value = Voicebridge::WebSocket::json()->decode(
            $message->{payload});

        $socket->send_json({ type => 'audio', audio_event => {
            event_id => 1, audio_base_64 => $value->{user_audio_chunk} } });
    }

    $socket->send_close(1000);
}

sub raw {
    return IO::Socket::IP->new(PeerHost => '127.0.0.1',
                               PeerPort => server_port())
           // die "connect: $!\n";
}

# not the same every time, but what was sent can be found out

our $seed = $ENV{VOICEBRIDGE_SEED} // time() % 100_000;

sub garbage {
    my $n = shift;

    return join '', map { chr rand 256 } 1 .. $n;
}


# 13 MB of pings in one go

sub pings {
    my $socket = shift;

    my $bytes = $socket->frame_bytes(9, 'p' x 125) x 100_000;

    $socket->send_bytes($bytes);
}

# reads all that were answered; then there is room for one more

sub answered {
    my $socket = shift;

    eval { 1 while $socket->recv_message(0.5) };
    $socket->send_ping('last');
    1 while $socket->recv_message->{payload} ne 'last';
}

run_tests();

__DATA__

=== ten thousand connections of garbage
--- config
    error_log logs/error.log warn;

    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }

    location = /open {
        voicebridge_media_stream;
        voicebridge_verify_signature off;
        voicebridge_elevenlabs_url http://127.0.0.1:1;
    }
--- agent
    echo($agent);
--- test
    my $pid = nginx_pid();
    my $good = good_call();

    srand our $seed;
    diag("VOICEBRIDGE_SEED=$seed");

    my $handshake = phone(path => '/open')->handshake_bytes(signature => undef);
    my @times;
    my ($descriptors, $memory) = (descriptors($pid), 0);

    for my $n (1 .. 10_000) {
        my $sock = raw();

        local $SIG{PIPE} = sub { };

        # HTTP that is none; frames that are none; half a handshake
        syswrite $sock, $n % 4 == 0 ? garbage(1 + rand 300)
                      : $n % 4 == 1 ? $handshake . garbage(1 + rand 300)
                      : $n % 4 == 2 ? substr $handshake, 0,
                                             rand length $handshake
                      :               $handshake . "\x81\xfe\xff\xff"
                                      . garbage(1 + rand 300);
        close $sock;

        if ($n % 100 == 0) {
            push @times, said_and_heard($good);
        }

        $memory = memory($pid) if $n == 2000;
    }

    pass('a good call goes on');

    # a machine that pauses delays some
    my ($slowest) = (sort { $b <=> $a } @times)[@times / 4];

    cmp_ok $slowest, '<', 0.5,
           sprintf 'three frames in four take no longer than %.0f ms',
                   1000 * $slowest;

    my $deadline = deadline_after();

    Time::HiRes::sleep(0.01)
        while descriptors($pid) > $descriptors && time() < $deadline;

    cmp_ok descriptors($pid), '<=', $descriptors, 'all descriptors are back';
    cmp_ok memory($pid) - $memory, '<', 500, 'and so is memory'
        if memory_is_plain($pid);

    $good->stop;
    is(($good->recv_close)[0], 1000, 'until it ends');



=== sockets that are open and nothing else
--- http_config
    client_header_timeout 1s;
--- config
    error_log logs/error.log warn;

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_start_timeout 1s;
    }
--- agent
    echo($agent);
--- test
    my $pid = nginx_pid();
    my $good = good_call();
    my $before = descriptors($pid);

    # nothing, half a request, a stream that does not start, half a frame
    my @open = map { raw() } 1 .. 300;
    my @half = map { my $sock = raw(); syswrite $sock, "GET / HTT"; $sock }
                   1 .. 300;
    my @mute = map { phone()->connect } 1 .. 100;
    my @stuck = map { my $phone = phone()->connect;
                      $phone->send_bytes("\x81\xfe\x40"); $phone } 1 .. 100;

    said_and_heard($good) for 1 .. 20;
    pass('a good call goes on');

    is(($_->recv_close)[0], 1008, 'a stream that does not start is closed')
        for $mute[0], $stuck[0];

    my $deadline = deadline_after();

    while (descriptors($pid) > $before && time() < $deadline) {
        said_and_heard($good);
    }

    is descriptors($pid), $before, 'in the end they are all gone';

    $good->stop;
    is(($good->recv_close)[0], 1000, 'but the good one');



=== who pings and does not read
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent_options
each => 1
--- agent
    my $name = $agent->{request}{query}{agent_id};

    $agent->upgrade;
    $agent->expect_initiation;
    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');

    if ($name eq 'pings') {
        pings($agent);
        $agent->note(event => 'pinged');
        $agent->await_cue;
        answered($agent);
        $agent->note(event => 'answered');
    }

    $agent->recv_close;

    return 1;
--- test
    my $pid = nginx_pid();
    my $phone = phone(receive_buffer => 16384)->connect;

    $phone->start(parameters => { agent_id => 'quiet' });
    log_has(qr/call $phone->{call_sid}: conversation/);

    my $before = memory($pid);

    pings($phone);

    # twice a queue, and what it is moved to when it grows
    my $grown = memory($pid) - $before;

    cmp_ok $grown, '<', 1500, "the phone: $grown KiB" if memory_is_plain($pid);

    answered($phone);
    pass('then it reads, and is answered');

    $phone->stop;
    is(($phone->recv_close)[0], 1000, 'to the end');
    $phone->disconnect;

    $phone = phone()->connect;
    $phone->start(parameters => { agent_id => 'pings' });
    agent->event('pinged');
    $grown = memory($pid) - $before;
    cmp_ok $grown, '<', 1500, "the agent: $grown KiB" if memory_is_plain($pid);
    agent->cue;
    agent->event('answered');
    pass('it is answered, too');
    $phone->stop;
    is(($phone->recv_close)[0], 1000, 'to the end');
--- no_error_log
[error]
