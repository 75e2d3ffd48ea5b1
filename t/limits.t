# What one message may be: its size and its depth, on both legs and in the API.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );


# a value that is nested $n deep

sub nested { return '[' x $_[0] . ']' x $_[0] }


# a call whose phone sends one message more: what it is closed with

sub phone_says {
    my ($text, %o) = @_;

    my $phone = phone(%o)->connect;

    $phone->start(parameters => { agent_id => 'quiet' });
    agent()->event('live');
    $phone->send_text($text);

    # whoever takes it goes on
    $phone->stop;

    my ($code) = $phone->recv_close;

    $phone->disconnect;

    return ($code, scalar log_has(qr/call $phone->{call_sid}: Call ended/));
}


# and one whose agent does

sub agent_says {
    my ($text, %o) = @_;

    my $phone = phone(%o)->connect;

    $phone->start(parameters => { agent_id => $text });

    my ($code) = $phone->recv_close;

    $phone->disconnect;

    return ($code, scalar log_has(qr/call $phone->{call_sid}: Call ended/));
}

sub serve {
    my $socket = shift;

    my ($what, $n) = split /-/, $socket->{request}{query}{agent_id};

    $socket->upgrade;
    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->note(event => 'live');

    $socket->send_text('{"type":"x","y":' . nested($n) . '}')
        if $what eq 'deep';
    $socket->send_text('{"type":"x","y":"' . 'y' x $n . '"}')
        if $what eq 'long';

    return $what eq 'quiet' ? $socket->recv_close : $socket->close_with(1000);
}

run_tests();

__DATA__

=== depth
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;

    location = /twilio/media-stream { voicebridge_media_stream; }

    location = /8 {
        voicebridge_media_stream;
        voicebridge_max_json_depth 8;
    }

    location = /256 {
        voicebridge_media_stream;
        voicebridge_max_json_depth 256;
    }

    location = /api { voicebridge_outbound_call; }

    location = /api/8 {
        voicebridge_outbound_call;
        voicebridge_max_json_depth 8;
    }

    location = /api/256 {
        voicebridge_outbound_call;
        voicebridge_max_json_depth 256;
    }
--- agent_options
each => 1
--- agent
    eval { serve($agent) };

    return 1;
--- twilio
    return {};
--- test
    my $why = 'nested too deep \(see voicebridge_max_json_depth\)';
    my %limits = ('' => 64, '/8' => 8, '/256' => 256);

    for my $path (sort keys %limits) {
        my $n = $limits{$path};
        my %path = $path ? (path => $path) : ();

        # the message itself is an object

        is((phone_says('{"event":"x","y":' . nested($n - 1) . '}', %path))[0],
           1000, "the phone: $n");

        my ($code, $line) =
            phone_says('{"event":"x","y":' . nested($n) . '}', %path);

        is $code, 1007, 'not more';
        like $line, qr/reason=phone_protocol/, 'it broke the protocol';
        like $line, qr/$why/, 'and how';

        is((agent_says('deep-' . ($n - 1), %path))[0], 1000, "the agent: $n");

        ($code, $line) = agent_says("deep-$n", %path);

        is $code, 1011, 'not more';
        like $line, qr/reason=agent_protocol/, 'it broke the protocol';
        like $line, qr/$why/, 'and how';

        for my $deep ($n - 1, $n) {
            my $answer = http(POST => "/api$path",
                headers => { 'X-API-Key' => $ENV{TEST_NGINX_API_KEY} },
                body => '{"agent_id":"a","metadata":{"to_number":'
                        . '"+15005550009"},"x":' . nested($deep) . '}');

            is $answer->{status}, $deep < $n ? 200 : 400, "the API: $deep";
            like $answer->{json}{detail}, qr/$why/, 'and why' if $deep == $n;
        }
    }



=== size
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;

    location = /twilio/media-stream {
        voicebridge_media_stream;
        voicebridge_max_message_size 2k;
    }

    location = /more {
        voicebridge_media_stream;
        voicebridge_max_stream_message_size 300k;
        voicebridge_max_message_size 300k;
    }
--- agent_options
each => 1
--- agent
    eval { serve($agent) };

    return 1;
--- test
    my $text = '{"event":"x","y":"' . 'y' x 200_000 . '"}';
    my ($code, $line) = phone_says($text);

    is $code, 1009, 'the phone says too much';
    like $line, qr/too big \(see voicebridge_max_stream_message_size\)/,
         'what to change';
    is((phone_says($text, path => '/more'))[0], 1000, 'and not for all');

    ($code, $line) = agent_says('long-2100');

    is $code, 1011, 'the agent says too much';
    like $line, qr/too big \(see voicebridge_max_message_size\)/,
         'what to change';
    is((agent_says('long-200000', path => '/more'))[0], 1000,
       'and not for all');
