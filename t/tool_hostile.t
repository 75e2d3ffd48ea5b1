# The command-line tool and servers that mean it no good.

use Voicebridge::Test;
use Voicebridge::Tool qw( scratch tool );
use Voicebridge::WebSocket qw( json );

our %env = (
    TWILIO_ACCOUNT_SID  => 'AC' . 'a' x 32,
    TWILIO_AUTH_TOKEN   => 'token',
    TWILIO_PHONE_NUMBER => '+14155550100',
    ELEVENLABS_API_KEY  => 'key',
);

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', "    location = /none { return 404; }\n");
});

sub raw {
    my $body = shift;

    return { raw => "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    . 'Content-Length: ' . length($body) . "\r\n\r\n$body" };
}

# what a terminal would obey

sub is_plain {
    my ($text, $name) = @_;

    unlike $text, qr/[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/, $name;
}

sub check {
    return tool(\%env, 'check', '--twilio-api-url' => twilio()->url,
                '--elevenlabs-url' => twilio()->url, '--agent' => 'agent_1',
                'http://127.0.0.1:1');
}

run_tests();

__DATA__

=== check: an agent of a million levels
--- twilio
    return main::raw('{"a":' . '[' x 1000000 . ']' x 1000000 . '}');
--- test
    my $run = check();

    is $run->{status}, 1, 'is a finding' or diag $run->{out} . $run->{err};
    like $run->{out}, qr/^failed   agent: /m, 'about it';
    like $run->{out}, qr/^failed   twilio account: /m, 'and about the account';



=== check: words for a terminal, a number that only begins alike
--- twilio
    return main::raw('{"status": "\u001b]0;x\u0007\u009bclosed"}')
        if $request->{path} =~ m{/Accounts/AC\w+\.json$} && !our $asked++;
    return { status => 200, body => { status => 'active' } }
        if $request->{path} =~ m{/Accounts/AC\w+\.json$};
    return { status => 200, body => { incoming_phone_numbers =>
             [ { phone_number => '+141555501009',
                 capabilities => { voice => \1 } } ] } }
        if $request->{path} =~ m{/IncomingPhoneNumbers\.json$};
    return main::raw('{"conversation_config": {"tts": '
                     . '{"agent_output_audio_format": "\u001b[2J"}}}');
--- test
    my $run = check();

    like $run->{out}, qr/it is .*closed/, 'the account';
    like $run->{out}, qr/agent output format: .*is not known/, 'the format';
    is_plain $run->{out}, 'are only read';

    $run = check();
    like $run->{out}, qr/^warning  twilio number: .*none of the account's/m,
         'another number is not ours';



=== check: an address of IPv6
--- twilio
    return {};
--- test
    like tool('check', 'http://[::1]:1')->{out},
         qr/^failed   address: \[::1\] is ::1, which Twilio cannot/m, 'is one';



=== call: words for a terminal
--- twilio
    return { status => 200, body => { call_sid => 'CA' . 'a' x 32 } }
        if $request->{method} eq 'POST';

    my $sid = 'CA' . 'a' x 32;
    return main::raw('{"live": [], "recent": [{"call_sid": "' . $sid . '", '
        . '"state": "ended", "end_reason": "\u001b[2Jfailed", '
        . '"error": "\u001b]0;x\u0007", "duration": 1e300}]}');
--- test
    my $run = tool({ VOICEBRIDGE_URL => twilio()->url }, 'call', '--to' =>
                   '+14155550123', '--poll' => '20ms');

    is $run->{status}, 1, 'a call that broke down' or diag $run->{out} . $run->{err};
    is_plain $run->{out} . $run->{err}, 'is told in plain text';



=== call: a mistake among the options, and a SID that is a path
--- twilio
    return { status => 200, body => { call_sid => '../../x?' } };
--- test
    my $call = sub { tool({ VOICEBRIDGE_URL => twilio()->url,
        TWILIO_ACCOUNT_SID => undef }, 'call', '--to' => '+14155550123', @_) };

    is $call->('--follow' => 'me')->{status}, 2, 'nobody who follows';
    is $call->('--follow' => 'twilio')->{status}, 2, 'nor without a key';
    is $call->('--poll' => '0')->{status}, 2, 'nor all the time';
    is $call->('--timeout' => '0')->{status}, 2, 'nor for ever';
    is scalar(grep { $_->{event} eq 'request' } twilio()->events), 0,
       'nobody was called';

    my $run = $call->();
    is $run->{status}, 6, 'a call without a SID is unknown';
    like $run->{err}, qr/no call_sid/, 'is told';



=== phone: a server that does not stop, and writes to the terminal
--- agent
    my $socket = $agent->socket;
    my $sid = $socket->recv_json->{streamSid} // $socket->recv_json->{streamSid};
    my $mark = json()->encode({ event => 'mark', streamSid => $sid,
                                mark => { name => "\e[2J" } });

    local $SIG{PIPE} = 'IGNORE';
    my $bytes = Voicebridge::WebSocket::frame(2, 'x') x 1000;

    $socket->send_text($mark);
    1 while eval { $socket->send_bytes($bytes); 1 };
--- test
    my $url = agent()->url =~ s/^http/ws/r . '/v1/convai/conversation';
    my $run = tool('phone', "$url?agent_id=x", '--unsigned', '--for' => '1s');

    ok !$run->{signal}, 'hangs up when it is time';
    ok $run->{out} =~ /^ +[1-5]\.\d\d  hung up/m, 'is told';
    is_plain substr($run->{out}, 0, 1000), 'in plain text';



=== a server that is another one
--- twilio
    return { status => 301, headers => { Location =>
             "https://voice.example.com$request->{path}" } }
        if $request->{path} =~ m{^/moved/};
    return main::raw('<html>Who are you?</html>');
--- test
    my $url = twilio()->url;
    my $rows = scratch('other.csv', "phone_number\n+14155550123\n");
    my @call = ('call', '--to' => '+14155550123');
    my @bulk = ('bulk', $rows, '--agent' => 'a');

    my $run = tool({ VOICEBRIDGE_URL => "$url/moved" }, @call);

    is $run->{status}, 3, 'elsewhere: call';
    like $run->{err}, qr{answered 301, it is at https://voice\.example\.com/mov},
         'where';
    like $run->{err}, qr/; --url has to lead there itself$/, 'what to do';

    $run = tool({ VOICEBRIDGE_URL => "$url/moved" }, @bulk);
    is $run->{status}, 3, 'bulk';
    like $run->{out}, qr/answers 301: --url has to lead where that does/,
         'what to do';

    $run = tool({ VOICEBRIDGE_URL => $url }, @call);
    is $run->{status}, 6, 'a page: call';
    like $run->{err}, qr/no call_sid and is no JSON: is it the right --url\?/,
         'is told';
