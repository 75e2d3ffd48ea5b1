# Audio in each of ElevenLabs' formats, each way, through the whole module.

use Voicebridge::Test;
use Voicebridge::Tone qw( formats level second tone tone_snr );

use List::Util qw( sum );

# what telephone companies test lines with
use constant HZ => 1004;


# every value that mu-law has, in no order

sub all_values { return join '', map { pack 'C', $_ * 73 % 256 } 0 .. 1599 }


# $bytes cut into pieces of sizes that fit nothing

sub pieces {
    my $bytes = shift;

    my @sizes = (1, 3, 641, 3200, 2, 20_001, 7);
    my @pieces;

    while (length $bytes) {
        push @sizes, my $size = shift @sizes;
        push @pieces, substr $bytes, 0, $size, '';
    }

    return @pieces;
}


# a call with these formats: what the caller says, and what the agent does

sub call {
    my ($input, $output, $said, $sent) = @_;

    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => "$input/$output" });
    $phone->speak($said);

    my $heard = agent()->event('heard', 20);

    # to the last sample but for what the filter holds back
    my $expected = sprintf '%.0f', length($sent) / second($output) * 8000;

    $phone->recv_event('mark', 20);
    $phone->stop;
    $phone->recv_close;

    my $lost = $expected - length $phone->{audio};

    return ($heard, $phone->{audio}, $lost);
}

run_tests();

__DATA__

=== a tone in each format, both ways
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    for my $format (formats()) {
        my $socket = $agent->socket;

        $socket->expect_initiation;
        $socket->metadata(input => $format, output => $format);

        # a second, but for what a filter holds back
        my $audio = $socket->recv_audio(.99 * second($format));
        my ($snr, $amplitude) = tone_snr($format, HZ, $audio);

        $socket->note(event => 'heard', snr => $snr, level => $amplitude,
                      format => $format,
                      odd => length($audio) + length($socket->{audio})
                             - second($format));

        $socket->audio($_, 1) for pieces(tone($format, HZ, 1));
        $socket->close_with(1000);
    }
--- test
    for my $format (formats()) {
        my ($heard, $audio, $lost) = call($format, $format,
                                          tone('ulaw_8000', HZ, 1),
                                          tone($format, HZ, 1));

        is $heard->{format}, $format, "$format: the agent hears";
        cmp_ok $heard->{snr}, '>=', 35,
               sprintf '%s: the caller at %.1f dB', $format, $heard->{snr};
        cmp_ok abs($heard->{level} - 0.5), '<', 0.01,
               "$format: as loud as he speaks";
        cmp_ok -$heard->{odd}, '<=', second($format) * .003,
               "$format: and at most 3 ms late";

        my ($snr, $level) = tone_snr('ulaw_8000', HZ, $audio);

        cmp_ok $snr, '>=', 35,
               sprintf '%s: the caller hears the agent at %.1f dB', $format,
                       $snr;
        cmp_ok abs($level - 0.5), '<', 0.01, "$format: as loud";
        cmp_ok $lost, '<=', 24, "$format: and at most 3 ms late";
        cmp_ok $lost, '>=', 0, "$format: but no more than was said";
    }
--- no_error_log
[error]



=== mu-law passes untouched
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->note(event => 'heard',
                  right => $socket->recv_audio(1600) eq all_values() ? 1 : 0);

    $socket->audio($_, 1) for pieces(all_values() x 40);
    $socket->close_with(1000);
--- test
    my ($heard, $audio) = call('ulaw_8000', 'ulaw_8000', all_values(),
                               all_values() x 40);

    ok $heard->{right}, 'to the agent';
    ok $audio eq all_values() x 40, 'and to the caller';
--- no_error_log
[error]



=== passthrough is of the text: what decodes goes on as it was written
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->note(event => 'live');

    for (1 .. 3) {
        my $message = $socket->recv_json;

        redo unless exists $message->{user_audio_chunk};

        $socket->note(event => 'text', text => $message->{user_audio_chunk});
        $socket->send_json({ type => 'audio', audio_event => {
            event_id => $_, audio_base_64 => $message->{user_audio_chunk} } });
    }

    $socket->close_with(1000);
--- test
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    agent->event('live');
    log_has(qr/call $phone->{call_sid}: conversation/);

    # bits behind the last byte, and padding that is left out
    for (['AA==', 'AA=='], ['AB==', 'AB=='], ['AAE', 'AAE=']) {
        my $message = $phone->media_message('');

        $message->{media}{payload} = $_->[0];
        $phone->send_json($message);

        is agent->event('text')->{text}, $_->[1], "$_->[0] to the agent";
        is $phone->recv_event('media')->{media}{payload}, $_->[1],
           'and to the caller';
    }

    $phone->stop;
    $phone->recv_close;
--- no_error_log
[error]



=== each way has a format of its own
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    for (1 .. 3) {
        my $socket = $agent->socket;

        my ($input, $output) = split m{/},
                                     $socket->{request}{query}{agent_id};

        $socket->expect_initiation;
        $socket->metadata(input => $input, output => $output);

        my $audio = $socket->recv_audio(.99 * second($input));

        $socket->note(event => 'heard',
                      snr => (tone_snr($input, HZ, $audio))[0]);
        $socket->audio(tone($output, HZ, 1), 1);
        $socket->close_with(1000);
    }
--- test
    for (['ulaw_8000', 'pcm_44100'], ['pcm_16000', 'ulaw_8000'],
         ['pcm_48000', 'pcm_22050'])
    {
        my ($input, $output) = @$_;
        my ($heard, $audio) = call($input, $output, tone('ulaw_8000', HZ, 1),
                                   tone($output, HZ, 1));

        cmp_ok $heard->{snr}, '>=', 35, "$input in";
        cmp_ok +(tone_snr('ulaw_8000', HZ, $audio))[0], '>=', 35,
               "$output out";
    }
--- no_error_log
[error]



=== what a telephone cannot carry is not folded into what it can
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    for my $format (grep { !/_8000$/ } formats()) {
        my $socket = $agent->socket;

        $socket->expect_initiation;
        $socket->metadata(input => 'ulaw_8000', output => $format);
        $socket->recv_audio(160);
        $socket->note(event => 'heard');
        $socket->audio(tone($format, 4300, 1, .9), 1);
        $socket->close_with(1000);
    }
--- test
    for my $format (grep { !/_8000$/ } formats()) {
        my (undef, $audio) = call('ulaw_8000', $format, "\xff" x 160,
                                  tone($format, 4300, 1, .9));

        cmp_ok level('ulaw_8000', $audio), '<', -60,
               sprintf '%s: 4300 Hz at %.1f dB', $format,
                       level('ulaw_8000', $audio);
    }
--- no_error_log
[error]



=== an interruption leaves nothing behind
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'pcm_16000');

    # half a sample of something loud
    $socket->audio("\xff\x7f" x 1600 . "\x7f", 1);
    $socket->interruption(1);
    $socket->audio("\0\0" x 1600, 2);
    $socket->close_with(1000);
--- test
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    $phone->recv_event('clear');
    $phone->recv_event('mark');
    is $phone->{audio} =~ tr/\xff\x7f//c, 0, 'silence is silence';
    cmp_ok length $phone->{audio}, '>', 700, 'and there is some';

    $phone->stop;
    $phone->recv_close;
--- no_error_log
[error]



=== formats that there are not
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    for (['pcm_16000', 'mp3_44100_128'], ['alaw_8000', 'pcm_16000'],
         ['pcm_16000', 'pcm_11025'])
    {
        my $socket = $agent->socket;

        $socket->expect_initiation;
        $socket->metadata(input => $_->[0], output => $_->[1]);
        $socket->recv_close;
    }
--- test
    for (1 .. 3) {
        my $phone = phone()->connect;

        $phone->start(parameters => { agent_id => 'agent_1' });
        is agent->event('close')->{code}, 1008, 'the agent is told so';
        is(($phone->recv_close)[0], 1011, 'and the call ends');
    }

    log_has(qr/\[error\].*an audio format that is not known/);
