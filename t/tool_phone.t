# voicebridge phone: a telephone at a media stream of a real nginx.

use Voicebridge::Test;
use Voicebridge::Certificates qw( certificate );
use Voicebridge::Tone qw( samples tone tone_snr );
use Voicebridge::Tool qw( scratch tool );
use Voicebridge::WebSocket qw( json );

our %twilio = (TWILIO_AUTH_TOKEN => $ENV{TEST_NGINX_AUTH_TOKEN});

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', "    voicebridge_zone voicebridge:1m;\n");

    $block->set_value('config', <<'EOC') unless defined $block->config;
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
EOC
});

sub url { return "ws://127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}"
                 . '/twilio/media-stream' }

# a WAV file of these samples, little-endian, with a chunk nobody needs

sub wav {
    my ($name, $rate, $channels, $samples) = @_;

    my $fmt = pack 'vvVVvv', 1, $channels, $rate, 2 * $channels * $rate,
                             2 * $channels, 16;
    my $chunks = 'LIST' . pack('V', 3) . "abc\0"
                 . 'fmt ' . pack('V', 16) . $fmt
                 . 'data' . pack('V', length $samples) . $samples;

    return scratch($name, 'RIFF' . pack('V', 4 + length $chunks) . 'WAVE'
                          . $chunks);
}

# the samples of one that was recorded

sub recorded {
    open my $in, '<:raw', shift or die;
    local $/;
    my $bytes = <$in>;

    my ($size, $rate, $data) = unpack 'x4 V x16 V x12 V', $bytes;

    is $size, length($bytes) - 8, 'the recording has its length';
    is $rate, 8000, 'and its rate';
    is $data, length($bytes) - 44, 'and that of its samples';

    return substr $bytes, 44;
}

sub report { return json()->decode((split /\n/, $_[0]{out})[-1]) }

run_tests();

__DATA__

=== a conversation: what is said and heard, an interruption, marks, the end
--- agent
    my $socket = $agent->socket;

    my $initiation = $socket->expect_initiation;
    $agent->note(event => 'given',
                 variables => $initiation->{dynamic_variables});
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');

    # what the caller says, from the first sample that is no silence on
    my $heard = '';
    $heard .= $socket->recv_audio(160) while length $heard < 8000;
    my @tone = main::tone_snr('ulaw_8000', 1000, substr $heard, 0, 7840);
    $agent->note(event => 'heard', snr => $tone[0], level => $tone[1]);

    # six seconds, most of which are cut off
    $socket->audio(main::tone('ulaw_8000', 500, 6), 1);
    $socket->recv_audio(160 * 10);
    $socket->interruption(1);
    $socket->audio(main::tone('ulaw_8000', 800, 0.6), 2);
    $socket->close_with(1000);
--- test
    my $said = wav('said.wav', 44100, 2, pack 's<*', map { ($_, $_) }
        unpack 's<*', tone('pcm_44100', 1000, 1));
    my $file = scratch('heard.wav');

    my $run = tool(\%main::twilio, 'phone', url(), '--param' =>
        'agent_id=agent_1', '--param' => "name=Zo\xc3\xab", '--play' => $said,
        '--record' => $file);

    is $run->{status}, 0, 'it ends well' or diag $run->{out} . $run->{err};

    is agent()->event('given')->{variables}{name}, "Zo\x{eb}", 'a parameter';

    my $heard = agent()->event('heard');
    cmp_ok $heard->{snr}, '>', 30, 'the agent hears the tone, of 44.1 kHz';
    cmp_ok abs($heard->{level} - 0.5), '<', 0.02, 'as loud as it was';

    like $run->{out}, qr/^ +\d\.\d\d  connected: ws:.*, signed\n/, 'connected';
    like $run->{out}, qr/start: stream MZ[0-9a-f]{32} of call CA[0-9a-f]{32}/,
         'the stream';
    like $run->{out}, qr/clear: [2-6]\.\d\d s of speech dropped/, 'clear';
    like $run->{out}, qr/mark: .* is returned/, 'a mark';
    like $run->{out}, qr/closed: by the server: 1000/, 'the end';
    like $run->{out}, qr/^Said 1\.00 s, heard \d\.\d\d of 6\.60 s; /m, 'heard';

    my @times = $run->{out} =~ /^ *(\d+\.\d\d)  /mg;
    is "@times", join(' ', sort { $a <=> $b } @times), 'one after the other';
    like $run->{out}, qr/; marks [1-9]\d*, clears 1, warnings 0\.$/m, 'in all';

    # the last 0.6 s that were played are those behind the interruption
    my $samples = recorded($file);
    $samples =~ s/(?:\0\0)+\z//;
    my ($snr) = tone_snr('pcm_8000', 800, substr $samples, -8000);
    cmp_ok $snr, '>', 25, 'all of it was heard to its end';



=== signatures
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->recv_close;
--- test
    my $run = tool('phone', url(), '--param' => 'agent_id=a');
    is $run->{status}, 1, 'no signature';
    like $run->{out}, qr/refused: the handshake was answered 403: it wants a/,
         'what to give';

    $run = tool({ TWILIO_AUTH_TOKEN => 'other' }, 'phone', url());
    is $run->{status}, 1, 'a wrong one';
    like $run->{out}, qr/403: the signature is that of another/, 'why';

    $run = tool(\%main::twilio, 'phone', url(), '--sign-url' =>
                'wss://voice.example.com/twilio/media-stream');
    is $run->{status}, 1, 'for another URL';

    $run = tool(\%main::twilio, 'phone', url(), '--unsigned');
    is $run->{status}, 1, 'none although there is a token';

    $run = tool(\%main::twilio, 'phone', url() . '/other');
    is $run->{status}, 1, 'another location';
    like $run->{out}, qr/404: there is no such location/, 'why';

    $run = tool('phone', 'ws://127.0.0.1:1/');
    is $run->{status}, 3, 'nobody there';

    my $token = scratch('token', "$ENV{TEST_NGINX_AUTH_TOKEN}\n");
    my $sid = 'CA' . 'e' x 32;

    $run = tool('phone', url(), '--param' => 'agent_id=a', '--auth-token-file'
        => $token, '--for' => '300ms', '--json', '--call-sid' => $sid,
        '--dtmf' => '1');

    is $run->{status}, 0, 'signed, and hung up' or diag $run->{out};
    is report($run)->{call_sid}, $sid, 'the call we named';
    ok report($run)->{hung_up}, 'by us';
    unlike $run->{out}, qr/$ENV{TEST_NGINX_AUTH_TOKEN}/, 'no token is shown';
    is +(grep { !eval { json()->decode($_) } } split /\n/, $run->{out}), 0,
       'each line is JSON';



=== a stream that is refused is an error, Ctrl-C is none
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->audio('a' x 160, 1);
    $socket->recv_close;
--- test
    my $run = tool(\%main::twilio, 'phone', url(), '--json');

    is $run->{status}, 1, 'no agent';
    is report($run)->{status}, 1008, 'the code it was closed with';
    like $run->{out}, qr/its error log has the call's SID/, 'where to look';

    my $tool = Voicebridge::Tool->start(\%main::twilio, 'phone', url(),
        '--param' => 'agent_id=agent_1');

    $tool->has(out => qr/audio: the first/)->kill('INT');
    $run = $tool->finish;

    is $run->{status}, 0, 'Ctrl-C hangs up';
    like $run->{out}, qr/hung up\n.*closed: by the server: 1000/s, 'properly';



=== over TLS
--- config
    listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
    ssl_certificate      $TEST_NGINX_CERTIFICATES/good.crt;
    ssl_certificate_key  $TEST_NGINX_CERTIFICATES/good.key;

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->audio('b' x 3200, 1);
    $socket->close_with(1000);
--- test
    my $url = "wss://localhost:$ENV{TEST_NGINX_TLS_PORT}/twilio/media-stream";

    my $run = tool(\%main::twilio, 'phone', $url, '--param' => 'agent_id=a');
    is $run->{status}, 3, 'a certificate nobody knows';
    like $run->{out}, qr/certificate/, 'is told';

    $run = tool(\%main::twilio, 'phone', $url, '--param' => 'agent_id=a',
                '--cacert' => certificate('ca')->{ca}, '--json');
    is $run->{status}, 0, 'one that is known' or diag $run->{out};
    is report($run)->{heard_seconds}, 0.4, 'all is heard before the end';



=== mistakes
--- test
    for ([ [],                                  qr/which stream/ ],
         [ ['http://a/'],                       qr/a stream is like/ ],
         [ ['ws://a/', '--param' => 'x'],       qr/is not name=value/ ],
         [ ['ws://a/', '--dtmf' => '1x'],       qr/--dtmf has/ ],
         [ ['ws://a/', '--call-sid' => 'CA1'],  qr/a SID is CA and 32/ ],
         [ ['ws://a/', '--play' => $0],         qr/not a WAV file/ ],
         [ ['ws://a/', '--play' => '/none'],    qr/none: No such file/ ],
         [ ['ws://a/', '--record' => '/none/x'], qr/none\/x: No such file/ ],
         [ ['ws://a/', '--play' => main::wav('r.wav', 11025, 1, "\0\0")],
           qr/its rate is none of/ ])
    {
        my ($arguments, $says) = @$_;

        my $run = tool('phone', @$arguments);
        is $run->{status}, 2, "phone @$arguments";
        like $run->{err}, $says, 'says what is wrong';
    }
