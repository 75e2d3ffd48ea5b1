# What one grep by a call's SID shows: its whole story, in order, at an
# operator's levels, with cause and remedy where something went wrong.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );

master_off();

sub call {
    my $phone = phone(@_)->connect;

    $phone->start(parameters => { agent_id => 'agent_1',
                                  direction => 'outbound' });
    return $phone;
}

sub over {
    my $phone = shift;

    $phone->recv_close;
    $phone->send_close(1000);
    $phone->recv_eof;
}

# the lines of a call, without what nginx puts around them

sub story {
    my ($sid, $last) = @_;

    log_has(qr/$sid.*$last/);

    open my $log, '<', $Test::Nginx::Util::ErrLogFile or die;

    my @story;

    for (grep { /$sid/ && !/\[debug\]/ } <$log>) {
        my ($level, $line) = /^\S+ \S+ (\[\w+\]) \S+ (?:\*\d+ )?(.*)/ or die;

        push @story, "$level " . $line =~ s/ while \w[\w ]*, client: .*//r;
    }

    return @story;
}

# a pattern for each line, and no other line

sub is_story {
    my ($phone, $last, @expected) = @_;

    my $sid = $phone->{call_sid};
    my @got = story($sid, $last);

    for my $i (0 .. $#expected) {
        like $got[$i] // 'nothing', qr/^\Q$expected[$i][0]\E $expected[$i][1]/,
             $expected[$i][1] =~ s/\\//gr;
    }

    is scalar(@got), scalar(@expected), 'and no more'
        or diag(join "\n", @got);
}

run_tests();

__DATA__

=== a good call
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }

    location = /twilio/call-status {
        voicebridge_call_status;
        $TEST_NGINX_VOICEBRIDGE
    }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- twilio
    return {};
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'pcm_16000');
    $socket->agent_response("Hello,\nthis is Ada.");
    $socket->audio("\0" x 640, 1);
    $socket->await_cue;
    $socket->user_transcript('Stop, please');
    $socket->interruption(1);
    $socket->send_json({
        type => 'agent_response_correction',
        agent_response_correction_event => {
            original_agent_response => 'Hello, this is Ada.',
            corrected_agent_response => 'Hello,', event_id => 1 },
    });
    $socket->audio("\0" x 640, 2);
    $socket->close_with(1000, 'bye');
--- test
    my $answer = http(POST => '/twilio/outbound-call',
                      headers => { 'X-API-Key' => $ENV{TEST_NGINX_API_KEY} },
                      json => { agent_id => 'agent_1', session_id => 'order-1',
                                metadata => { to_number => '+15005550009' } });
    my $sid = $answer->{json}{call_sid};

    my $status = sub {
        http(POST => '/twilio/call-status', token =>
             $ENV{TEST_NGINX_AUTH_TOKEN}, form => [ CallSid => $sid, @_ ]);
    };

    $status->(CallStatus => 'ringing');

    my $phone = call(call_sid => $sid, return_marks => 1);

    $phone->recv_audio(160);
    $phone->dtmf('5');
    log_has(qr/a key was pressed/);
    agent()->cue;
    $phone->recv_event('mark');
    over($phone);
    $status->(CallStatus => 'completed', SipResponseCode => 200,
              CallDuration => 7);

    my $call = "call $sid";

    is_story($phone, 'completed',
        [ '[info]', "Outbound call initiated: $sid to .{5,}0009, session order-1" ],
        [ '[info]', "Call status of $sid: status ringing" ],
        [ '[info]', "$call: Media stream started, stream MZ.*, outbound" ],
        [ '[info]', "$call: Connecting to ElevenLabs agent \"agent_1\"" ],
        [ '[info]', "$call: Sent initialization to ElevenLabs" ],
        [ '[info]', "$call: conversation conv_\\w+, caller in ulaw_8000, "
                    . 'agent in pcm_16000' ],
        [ '[info]', "$call: Agent response: Hello, this is Ada." ],
        [ '[info]', "$call: a key was pressed\$" ],
        [ '[info]', "$call: User said: Stop, please" ],
        [ '[info]', "$call: the caller interrupted the agent" ],
        [ '[info]', "$call: Agent response corrected: Hello," ],
        [ '[info]', "$call: Call ended: the agent ended the conversation: "
                    . 'closed with 1000 "bye", reason=agent_ended '
                    . 'duration=\\d+\\.\\d{3} caller_audio=0\\.000 '
                    . 'agent_audio=0\\.040 interruptions=1$' ],
        [ '[info]', "Call status of $sid: status completed, SIP 200, "
                    . 'duration 7' ]);



=== an agent that cannot be reached
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- test
    my $phone = call();

    over($phone);

    my $call = "call $phone->{call_sid}";

    # nginx's own lines have the SID at their end
    is_story($phone, 'Call ended',
        [ '[info]', "$call: Media stream started" ],
        [ '[info]', "$call: Connecting to ElevenLabs agent" ],
        [ '[error]', 'connect\\(\\) failed \\(111: Connection refused\\)' ],
        [ '[warn]', "$call: ElevenLabs agent \"agent_1\": could not connect"
                    . ', trying once more' ],
        [ '[info]', "$call: Connecting to ElevenLabs agent" ],
        [ '[error]', 'connect\\(\\) failed \\(111: Connection refused\\)' ],
        [ '[error]', "$call: Call ended: the agent could not be reached: "
                     . 'could not connect.*, reason=agent_unreachable .*; check '
                     . '.*api_key.*the agent\'s id.*resolver, network' ]);
--- error_log
Connection refused



=== an agent that does not exist
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    $agent->signed_url(status => 404, body => { detail => {
        status => 'not_found', message => 'no such agent' } });
--- test
    my $phone = call();

    over($phone);

    my $call = "call $phone->{call_sid}";

    is_story($phone, 'Call ended',
        [ '[info]', "$call: Media stream started" ],
        [ '[info]', "$call: Connecting to ElevenLabs agent" ],
        [ '[error]', "$call: Call ended: the agent could not be reached: no "
                     . 'signed URL: status 404 no such agent, '
                     . 'reason=agent_unreachable .*; check .*the agent\'s id' ]);



=== an agent that breaks down
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
    $socket->send_json({ type => 'error', error_event => { code => 1002,
        error_type => 'quota', message => 'no credits are left' } });
    $socket->close_with(1011, 'sorry');
--- test
    my $phone = call();

    over($phone);

    my $call = "call $phone->{call_sid}";

    is_story($phone, 'Call ended',
        [ '[info]', "$call: Media stream started" ],
        [ '[info]', "$call: Connecting to ElevenLabs agent" ],
        [ '[info]', "$call: Sent initialization to ElevenLabs" ],
        [ '[info]', "$call: conversation conv_" ],
        [ '[error]', "$call: ElevenLabs error: 1002 quota no credits are left, "
                     . 'see conversation conv_\\w+ there' ],
        [ '[error]', "$call: Call ended: the agent broke down: closed with "
                     . '1011 "sorry", reason=agent_failed .*; see the '
                     . 'conversation at ElevenLabs' ]);



=== a stream that is refused
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'agent_1', vb_token => 'forged' });
    over($phone);

    is_story($phone, 'Call ended',
        [ '[warn]', "call $phone->{call_sid}: Call ended: the media stream was "
                    . 'refused: vb_token is malformed, reason=bad_token .*; '
                    . 'have one voicebridge_twilio_auth_token' ]);



=== a stream that never starts
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_start_timeout 100ms;
    }
--- test
    my $phone = phone()->connect;

    over($phone);

    log_has(qr/\[warn\].*call -: Call ended: no start .*; see who connects/);
