# Peers that are slow, or that send more than anybody wants: nothing is lost,
# and a worker's memory stays within its bounds.

use Voicebridge::Test;
use Voicebridge::Process qw( cpu_time memory memory_is_plain peak_memory
                             reset_peak );
use Voicebridge::WebSocket qw( deadline_after json );

use Digest::MD5 qw( md5_hex );
use MIME::Base64 qw( encode_base64 );
use Socket qw( SOL_SOCKET SO_RCVBUF SO_SNDBUF );
use Time::HiRes qw( time );

# All of this takes its time where others work, too; and where a process pauses
# with its window closed TCP asks ever more rarely whether it is open again.
$Voicebridge::WebSocket::Timeout *= 8;


# Audio of $n bytes that differs everywhere, so that what is lost, doubled or
# in the wrong place is seen: the number of every fourth byte.

sub audio {
    my ($from, $n) = @_;

    return pack 'N*', $from / 4 .. ($from + $n) / 4 - 1;
}


# what one side sent, as messages for a buffer that is filled once

sub audio_messages {
    my ($socket, $n, $size) = @_;

    my $bytes = '';

    for (my $at = 0; $at < $n; $at += $size) {
        $bytes .= $socket->frame_bytes(1, '{"type":"audio","audio_event":{'
            . '"event_id":1,"audio_base_64":"'
            . encode_base64(audio($at, $at + $size > $n ? $n - $at : $size),
                            '')
            . '"}}');
    }

    return $bytes;
}


# Sends as much of $$bytes as the other side takes: true when all of it has
# gone, false when nothing was taken for half a second.

sub send_some {
    my ($socket, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';

    while (length $$bytes) {
        my $n = $socket->sock->syswrite($$bytes);

        if (defined $n) {
            substr $$bytes, 0, $n, '';
            next;
        }

        die "sending: $!\n" unless $!{EAGAIN} || $!{EINTR};

        IO::Select->new($socket->sock)->can_write(0.5) or return 0;
    }

    return 1;
}


# the most that a worker had, above what it had before

sub grown {
    my ($pid, $before) = @_;

    return peak_memory($pid) - $before;
}

sub within {
    my ($pid, $before, $limit, $name) = @_;

    my $grown = grown($pid, $before);

    if (memory_is_plain($pid)) {
        cmp_ok $grown, '<', $limit, "$name: $grown KiB";
    } else {
        pass("$name: memory is not to be measured here");
    }
}

# a call that has been and gone, so that what a worker keeps anyway is there
sub warm_up {
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'warm' });
    $phone->speak('x' x 160);
    $phone->recv_audio(160);
    $phone->stop;
    $phone->recv_close;
    $phone->disconnect;

    reset_peak(nginx_pid());

    return memory(nginx_pid());
}

sub warm {
    my ($agent, %o) = @_;

    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000',
                      $o{id} ? %o : ());

    # what the kernel keeps, up to ten megabytes, only takes time
    setsockopt $socket->sock, SOL_SOCKET, $_, 65536 or die "setsockopt: $!\n"
        for SO_SNDBUF, SO_RCVBUF;

    return $socket if $o{id};

    $socket->audio('x' x 160, 1);
    $socket->recv_close;
    $socket->disconnect;

    return warm($agent, %o, id => 'conv_1');
}

run_tests();

__DATA__

=== a phone that does not listen to much speech
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_stream_timeout 120s;
    }
--- agent
    # 25 minutes of mu-law in messages of 2 s
    my $socket = warm($agent);
    my $bytes = audio_messages($socket, 12_000_000, 16_000);

    # the kernel may take the rest, what the worker takes is measured
    send_some($socket, \$bytes);
    $socket->note(event => 'stuck');
    send_some($socket, \$bytes) while length $bytes;
    $socket->close_with(1000);
--- test
    my $before = warm_up();
    my $pid = nginx_pid();
    my $phone = phone(receive_buffer => 65536)->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });

    agent->event('stuck');
    within($pid, $before, 1500, 'and nothing is piled up');

    # it is not that the phone is not served
    $phone->speak('y' x 1600);

    my $audio = $phone->recv_audio(12_000_000);

    is md5_hex($audio), md5_hex(audio(0, 12_000_000)), 'every byte arrives';

    my $mark = $phone->recv_event('mark');

    $phone->mark($mark->{mark}{name});
    is(($phone->recv_close)[0], 1000, 'to the end');
    within($pid, $before, 1500, 'and nothing was piled up');
--- no_error_log
[error]



=== a phone that does not listen to a long message
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_stream_timeout 120s;
    }
--- agent
    my $socket = warm($agent);

    # 10 MiB each
    my $size = 7_864_200;
    my $bytes = audio_messages($socket, 2 * $size, $size);

    # the kernel may take the rest, what the worker takes is measured
    send_some($socket, \$bytes);
    $socket->note(event => 'stuck');
    send_some($socket, \$bytes) while length $bytes;

    # the largest message there may be, and then its memory is given back
    $socket->recv_audio(160);
    $socket->note(event => 'rest');
    $socket->recv_close;
--- test
    my $before = warm_up();
    my $pid = nginx_pid();
    my $phone = phone(receive_buffer => 65536)->connect;
    my $size = 2 * 7_864_200;

    $phone->start(parameters => { agent_id => 'agent_1' });

    agent->event('stuck');

    my $audio = $phone->recv_audio($size);

    is md5_hex($audio), md5_hex(audio(0, 7_864_200) . audio(7_864_200,
                                                            7_864_200)),
       'every byte arrives';

    # while it grows there are two of it
    within($pid, $before, 26_000, 'one message is kept');

    $phone->speak('y' x 160);
    agent->event('rest');

    cmp_ok memory($pid) - $before, '<', 1500, 'and none after it'
        if memory_is_plain($pid);

    $phone->stop;
    is(($phone->recv_close)[0], 1000, 'to the end');
--- no_error_log
[error]



=== five minutes in one burst, in each format
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_stream_timeout 120s;
    }
--- agent
    # 28.8 MB of pcm_48000
    my $socket = warm($agent, output => 'pcm_48000');
    my $message = $socket->frame_bytes(1, json()->encode({
        type => 'audio', audio_event => { event_id => 1, audio_base_64 =>
            encode_base64("\x10\x27" x 96_000, '') } }));

    for (1 .. 150) {
        my $bytes = $message;

        send_some($socket, \$bytes) while length $bytes;
    }

    $socket->close_with(1000);
--- test
    my $before = warm_up();
    my $pid = nginx_pid();
    my $phone = phone(receive_buffer => 65536)->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });

    my $mark = $phone->recv_event('mark');

    cmp_ok abs(length($phone->{audio}) - 2_400_000), '<', 30,
           'it is five minutes';
    is $phone->{audio} =~ tr/\x9c//, length($phone->{audio})
       - ($phone->{audio} =~ tr/\x9c//c), 'of the same';
    within($pid, $before, 2500, 'and nothing is piled up');
    $phone->mark($mark->{mark}{name});
    $phone->recv_close;
--- no_error_log
[error]



=== an agent that does not listen
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_stream_timeout 2s;
    }
--- agent
    my $socket = warm($agent);

    # a small window, and then nobody looks
    $socket->note(event => 'live');
    $socket->await_cue;

    my $n = 18_000_000;


    my $audio = $socket->recv_audio($n);

    $socket->note(event => 'heard', sum => md5_hex($audio));
    $socket->recv_close;
--- test
    my $before = warm_up();
    my $pid = nginx_pid();
    my $phone = phone();

    # both take their time, which is none of the call's; 37 minutes at
    # once, in frames of 2 s
    my $bytes = join '', map {
        $phone->frame_bytes(1, '{"event":"media","media":{"payload":"'
                               . encode_base64(audio($_ * 16_000, 16_000), '')
                               . '"}}')
    } 0 .. 1124;

    my $sum = md5_hex(audio(0, 18_000_000));

    $phone->connect->start(parameters => { agent_id => 'agent_1' });
    agent->event('live');

    ok !send_some($phone, \$bytes), 'the caller is held up';
    within($pid, $before, 1500, 'and nothing is piled up');

    # a phone that nobody reads is not silent: it is on for longer than that
    my $until = time() + 3;
    send_some($phone, \$bytes) while time() < $until;

    agent->cue;
    send_some($phone, \$bytes) while length $bytes;

    # the caller goes on speaking until all has been heard
    my $heard;
    $phone->media('y' x 160)
        until $heard = eval { agent->event('heard', 0.1) };

    $phone->stop;

    is $heard->{sum}, $sum, 'every byte arrives';
    within($pid, $before, 1500, 'and nothing was piled up');
    is(($phone->recv_close)[0], 1000, 'to the end');
--- no_error_log
[error]



=== a caller who leaves an agent that does not listen
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_stream_timeout 2s;
    }
--- agent
    my $socket = warm($agent);

    $socket->note(event => 'live');
    $socket->await_cue;

    # it reads what there is, and there is an end, be it inside a frame
    eval { 1 while $socket->recv_message };
    $socket->note(event => 'eof', right => $socket->{eof});
--- test
    my $before = warm_up();
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    agent->event('live');

    my $bytes = $phone->frame_bytes(1, '{"event":"media","media":{"payload":"'
                                       . 'abcd' x 4000 . '"}}') x 1500;

    ok !send_some($phone, \$bytes), 'the caller is held up';

    # epoll tells at once, others when it is asked whether the phone is silent

    my $start = time();

    $phone->reset;
    log_has(qr/call $phone->{call_sid}: Call ended.*reason=caller_lost/);
    cmp_ok time() - $start, '<', 8, 'that he leaves is seen';
    agent->cue;
    ok agent->event('eof')->{right}, 'and the agent is left';



=== a burst, and then nothing that would wake anybody
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_stream_timeout 120s;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'pcm_48000', output => 'ulaw_8000');
    $socket->audio("\xff" x 160, 1);

    # three seconds of what grows twelvefold on its way
    my $heard = $socket->recv_audio(2.99 * 96_000);

    $socket->note(event => 'heard');
    $socket->await_cue;

    # and 300 KB in messages of 1 KB, one behind the other
    $socket->send_bytes(audio_messages($socket, 300_000, 800));
    $socket->recv_close;
--- test
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    $phone->recv_audio(160);

    $phone->send_bytes(join '', map {
        $phone->frame_bytes(1, json()->encode(
            $phone->media_message("\x80" x 160))) } 1 .. 150);

    ok eval { agent->event('heard', 5) }, 'the agent hears all of it';

    agent->cue;
    is md5_hex($phone->recv_audio(300_000)), md5_hex(audio(0, 300_000)),
       'and the caller';
    $phone->stop;
    $phone->recv_close;
--- no_error_log
[error]



=== early audio without end
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_stream_timeout 120s;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->audio('x' x 160, 1);
    $socket->recv_close;
    $socket->disconnect;

    my $connection = $agent->request;

    $connection->await_cue;
    $connection->upgrade;
    $connection->expect_initiation;
    $connection->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $connection->note(event => 'heard', sum =>
                      md5_hex($connection->recv_audio(12_000_000)));
    $connection->recv_close;
--- test
    my $before = warm_up();
    my $pid = nginx_pid();
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });

    my $bytes = join '', map {
        $phone->frame_bytes(1, '{"event":"media","media":{"payload":"'
                               . encode_base64(audio($_ * 1600, 1600), '')
                               . '"}}')
    } 0 .. 7499;

    ok !send_some($phone, \$bytes), 'the caller is held up';
    within($pid, $before, 1500, 'what is kept is bounded');
    agent->cue;
    send_some($phone, \$bytes) while length $bytes;

    is agent->event('heard')->{sum}, md5_hex(audio(0, 12_000_000)),
       'every byte arrives';
    $phone->stop;
    $phone->recv_close;
--- no_error_log
[error]



=== both at once, over TLS
--- config
    listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
    ssl_certificate      $TEST_NGINX_CERTIFICATES/good.crt;
    ssl_certificate_key  $TEST_NGINX_CERTIFICATES/good.key;

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_stream_timeout 120s;
        voicebridge_agent_timeout 120s;
        voicebridge_ssl_verify off;
    }
--- agent_options
    tls => 'good'
--- agent
    my $socket = warm($agent);
    my $bytes = audio_messages($socket, 4_000_000, 40_000);

    # What it sends and what it hears take turns.  It hears all that is said for
    # 160,000 bytes: what nobody reads would fill every buffer in the end, and
    # both sides would wait for the other to read.
    my $part = length($bytes) / 25;

    while (length $bytes) {
        $socket->send_bytes(substr $bytes, 0, $part, '');
        $socket->recv_audio(25_600);
    }

    $socket->note(event => 'sent');
    $socket->recv_close;
--- test
    my $before = warm_up();
    my $phone = phone(port => $ENV{TEST_NGINX_TLS_PORT},
                      tls => { ca => "$ENV{TEST_NGINX_CERTIFICATES}/ca.crt" });

    $phone->connect->start(parameters => { agent_id => 'agent_1' });

    my $heard = '';

    while (length $heard < 4_000_000) {
        $phone->speak('z' x 3200);
        $heard .= $phone->recv_audio(20_000);
    }

    is md5_hex($heard), md5_hex(audio(0, 4_000_000)), 'every byte arrives';
    agent->event('sent');
    within(nginx_pid(), $before, 2000, 'and nothing is piled up');
    $phone->stop;
    is(($phone->recv_close)[0], 1000, 'to the end');
--- no_error_log
[error]



=== an interruption of what a slow phone has not got yet
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_stream_timeout 120s;
    }
--- agent
    my $socket = warm($agent);

    # 40 KB stay in the module where the phone has stopped reading
    my $bytes = audio_messages($socket, 12_000_000, 1600);

    send_some($socket, \$bytes);
    $socket->note(event => 'stuck', left => length $bytes);
    $socket->await_cue;

    # a frame may be cut where it got stuck
    send_some($socket, \$bytes) while length $bytes;
    $socket->interruption(1);
    $socket->audio('later', 2);
    $socket->recv_close;
--- test
    warm_up();

    my $phone = phone(receive_buffer => 16384)->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    cmp_ok agent->event('stuck')->{left}, '>', 0, 'the agent is held up';
    agent->cue;

    my $clear = $phone->recv_event('clear');

    ok $clear, 'the clear comes';
    is $phone->recv_audio(5), 'later', 'then what is not interrupted';
    $phone->stop;
    $phone->recv_close;
--- no_error_log
[error]
