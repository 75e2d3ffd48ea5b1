# voicebridge_uplink_frame: the caller's frames joined to longer messages.

use Voicebridge::Test;
use Voicebridge::Tone qw( formats second );

use List::Util qw( sum0 );
use MIME::Base64 qw( decode_base64 encode_base64 );


# every value that mu-law has, in no order

sub said { return join '', map { pack 'C', $_ * 73 % 256 } 0 .. $_[0] - 1 }


# the audio of the next messages until there are $n bytes, a list

sub recv_chunks {
    my ($socket, $n) = @_;

    my @chunks;

    while ($n > 0) {
        my $message = $socket->recv_json;

        next unless exists $message->{user_audio_chunk};

        my $text = $message->{user_audio_chunk};

        push @chunks, decode_base64($text);
        $n -= length $chunks[-1];

        # one text, and not several in a row
        die "not base64 as it is written: $text\n"
            unless encode_base64($chunks[-1], '') eq $text;
    }

    return @chunks;
}


# an agent that has taken a call

sub live {
    my ($agent, $format) = @_;

    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => $format // 'ulaw_8000', output => 'ulaw_8000');
    $socket->note(event => 'live');

    return $socket;
}


# a phone in the location of a frame

sub started {
    my $frame = shift;

    my $phone = phone(path => "/$frame")->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    agent()->event('live');

    # what comes before nginx has seen that is kept, and joined otherwise
    log_has(qr/call $phone->{call_sid}: conversation/);

    return $phone;
}

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value(config => join '', map { <<"EOC" } qw( 20 40 60 100 ));
    location = /$_ {
        voicebridge_media_stream;
        \$TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_stream_timeout 120s;
        voicebridge_uplink_frame ${_}ms;
    }
EOC
});

run_tests();

__DATA__

=== as many bytes as were asked for, all of them, in order
--- agent
    for my $ms (qw( 20 40 60 100 )) {
        my $socket = live($agent);
        my @chunks = recv_chunks($socket, 4800);

        $socket->note(event => 'heard', sizes => [ map { length } @chunks ],
                      right => join('', @chunks) eq said(4800) ? 1 : 0);
        $socket->recv_close;
    }
--- test
    for my $ms (qw( 20 40 60 100 )) {
        my $phone = started($ms);

        $phone->speak(said(4800));

        my $heard = agent()->event('heard');
        my $size = $ms * 8;

        ok $heard->{right}, "$ms ms: what was said";
        is_deeply $heard->{sizes}, [ ($size) x (4800 / $size) ],
                  "$ms ms: in messages of $size bytes";

        $phone->stop;
        $phone->recv_close;
    }
--- no_error_log
[error]



=== in every format, to the bit what single frames make
--- agent
    for my $format (formats()) {
        for my $ms (qw( 20 40 60 100 )) {
            my $socket = live($agent, $format);

            # but for what a filter holds back of the last
            my @chunks = recv_chunks($socket, .597 * second($format));

            $socket->note(event => 'heard', chunks => scalar @chunks,
                          audio => join '', @chunks);
            $socket->recv_close;
        }
    }
--- test
    for my $format (formats()) {
        my $single;

        for my $ms (qw( 20 40 60 100 )) {
            my $phone = started($ms);

            $phone->speak(said(4800));

            my $heard = agent()->event('heard');

            $single //= $heard->{audio};

            is $heard->{chunks}, 600 / $ms, "$format: messages of $ms ms";
            ok $heard->{audio} eq $single, "$format: the same audio";

            $phone->stop;
            $phone->recv_close;
        }
    }
--- no_error_log
[error]



=== frames of a length of their own
--- agent
    my $socket = live($agent);
    my @chunks = recv_chunks($socket, 4000);

    $socket->note(event => 'heard', sizes => [ map { length } @chunks ],
                  right => join('', @chunks) eq said(4000) ? 1 : 0);
    $socket->recv_close;
--- test
    my $phone = started(40);

    # 25 ms, then 2 s in one
    $phone->speak(said(1600), 200);
    $phone->media(substr said(4000), 1600, 1600);
    $phone->speak(substr(said(4000), 3200), 100);

    my $heard = agent()->event('heard');

    ok $heard->{right}, 'all of it in order';
    is_deeply $heard->{sizes}, [ (400) x 4, 800, 800, 400, 400 ],
              'joined to 40 ms at least';

    $phone->stop;
    $phone->recv_close;
--- no_error_log
[error]



=== nothing is held back at the end of a call
--- agent
    for (1 .. 3) {
        my $socket = live($agent);
        my @chunks = recv_chunks($socket, 960);

        $socket->note(event => 'heard', sizes => [ map { length } @chunks ],
                      right => join('', @chunks) eq said(960) ? 1 : 0);
        $socket->recv_close;
    }
--- test
    my %ways = (
        stop  => sub { $_[0]->stop },
        close => sub { $_[0]->send_close(1000) },
        lost  => sub { $_[0]->disconnect },
    );

    for my $way (sort keys %ways) {
        my $phone = started(100);

        $phone->speak(said(960));
        $ways{$way}->($phone);

        my $heard = agent()->event('heard');

        ok $heard->{right}, "$way: the caller's last words";
        is_deeply $heard->{sizes}, [ 800, 160 ], "$way: in two messages";
        is agent()->event('close')->{code}, 1000, "$way: then the close";
    }
--- no_error_log
[error]



=== nor when the phone pauses
--- agent
    my $socket = live($agent);

    for (1 .. 2) {
        my @chunks = recv_chunks($socket, 960);

        $socket->note(event => 'heard', sizes => [ map { length } @chunks ],
                      right => join('', @chunks) eq said(960) ? 1 : 0);
    }

    $socket->recv_close;
--- test
    my $phone = started(100);

    for (1 .. 2) {
        $phone->speak(said(960));

        my $heard = agent()->event('heard');

        ok $heard->{right}, 'what was said before';
        is_deeply $heard->{sizes}, [ 800, 160 ], 'in two messages';
    }

    $phone->stop;
    $phone->recv_close;
--- no_error_log
[error]



=== what was said before the agent was there
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->await_cue;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');

    my @chunks = recv_chunks($socket, 2400);

    $socket->note(event => 'heard', sizes => [ map { length } @chunks ],
                  right => join('', @chunks) eq said(2400) ? 1 : 0);
    $socket->recv_close;
--- test
    my $phone = phone(path => '/60')->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    agent()->event('initiation');

    $phone->speak(said(1760));
    $phone->send_ping('settled');
    $phone->recv_message;
    agent()->cue;

    # a message of the agent has been taken when its first audio is here
    $phone->speak(substr said(2400), 1760);

    my $heard = agent()->event('heard');

    ok $heard->{right}, 'is heard first';
    is sum0(@{$heard->{sizes}}), 2400, 'and nothing is lost';
    cmp_ok scalar @{$heard->{sizes}}, '<=', 6, 'in long messages';

    $phone->stop;
    $phone->recv_close;
--- no_error_log
[error]
