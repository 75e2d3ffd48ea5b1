# voicebridge call: one call, placed and followed through a real nginx.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );
use Voicebridge::Tool qw( scratch tool );
use Voicebridge::WebSocket qw( json );

our $to = '+15005550009';
our $sid = 'CA' . 'c' x 32;

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', "    voicebridge_zone voicebridge:1m;\n")
        unless defined $block->http_config;

    $block->set_value('config', <<'EOC') unless defined $block->config;
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;

    location = /twilio/outbound-call { voicebridge_outbound_call; }
    location = /twilio/media-stream  { voicebridge_media_stream; }
    location = /twilio/call-status   { voicebridge_call_status; }
    location = /voicebridge/calls    { voicebridge_calls; }
EOC
});

# what Twilio does once somebody answers: opens the stream of the TwiML

sub answer_the_phone {
    my $request = twilio()->event('request');

    my %parameters = $request->{form}{Twiml}
        =~ /<Parameter name="([^"]*)" value="([^"]*)"/g;
    s/&quot;/"/g, s/&lt;/</g, s/&gt;/>/g, s/&amp;/&/g, utf8::decode($_)
        for values %parameters;

    my $phone = phone(call_sid => $sid)->connect;
    $phone->start(parameters => \%parameters);

    return ($phone, $request);
}

sub hang_up {
    my $phone = shift;

    $phone->stop;
    $phone->send_close(1000);
    $phone->recv_close;
    $phone->recv_eof;
}

run_tests();

__DATA__

=== a call from its request to its end
--- agent
    my $socket = $agent->socket;

    my $initiation = $socket->expect_initiation;
    $agent->note(event => 'variables',
                 variables => $initiation->{dynamic_variables});
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->audio('a' x 160, 1);
    $socket->recv_close;
--- twilio
    return { body => { sid => $main::sid, status => 'queued' } };
--- test
    my $tool = Voicebridge::Tool->start('call', '--to' => $main::to,
        '--agent' => 'agent_1', '--session' => 'order-1',
        '--var' => "name=Zo\xc3\xab", '--var' => 'due=120.50:number',
        '--var' => 'vip=yes:boolean', '--var' => 'at=10:30',
        '--poll' => '20ms', '--idempotency-key' => 'k1');

    $tool->has(out => qr/^Placed: $main::sid to \+\*+0009\n/);

    my ($phone, $request) = answer_the_phone();

    is $request->{form}{To}, $main::to, 'Twilio is asked for it';

    my $variables = agent()->event('variables')->{variables};
    is $variables->{name}, "Zo\x{eb}", 'a string reaches the agent';
    like $request->{form}{Twiml}, qr/due&quot;: ?120\.50\b/,
         'a number as written';
    cmp_ok $variables->{due}, '==', 120.5, 'and as one';
    ok $variables->{vip} && ref $variables->{vip}, 'a boolean';
    is $variables->{at}, '10:30', 'a colon that is no type';
    is $variables->{session_id}, 'order-1', 'the session';

    $tool->has(out => qr/ s  live\n/);
    $phone->recv_audio(160);
    hang_up($phone);

    my $run = $tool->finish;

    is $run->{status}, 0, 'a good end';
    like $run->{out}, qr/ s  completed: caller_hung_up, \d+\.\d s\n\z/,
         'how it ended';
    unlike $run->{out}, qr/15005550009/, 'no whole number';



=== an agent that breaks down, as JSON
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->send_json({ type => 'error', error_event => { code => 1008,
        error_type => 'missing_dynamic_variable', message => 'Missing required '
        . q(dynamic variables in first message: {'customer', 'amount_due'}) } });
    $socket->close_with(1008, 'no such variable');
--- twilio
    return { body => { sid => $main::sid, status => 'queued' } };
--- test
    my $tool = Voicebridge::Tool->start('call', '--to' => $main::to,
        '--agent' => 'agent_1', '--poll' => '20ms', '--json');

    my ($phone) = answer_the_phone();

    $phone->recv_close;
    $phone->send_close(1011);
    $phone->recv_eof;

    my $run = $tool->finish;
    my $result = json()->decode($run->{out});

    is $run->{status}, 1, 'not a good end';
    is $result->{outcome}, 'broken', 'its outcome';
    is $result->{reason}, 'agent_failed', 'why';
    like $result->{error}, qr/^1008 missing_dynamic_variable .*'amount_due'\}$/,
         'in all of its words';
    is $result->{call_sid}, $main::sid, 'the call';
    cmp_ok $result->{duration}, '<', 60, 'its duration';



=== what Twilio knows of a call that nobody answered
--- twilio
    return { body => { sid => $main::sid, status => 'queued' } }
        if $request->{method} eq 'POST';

    our $asked;
    return { body => { sid => $main::sid, duration => '0',
                       status => ++$asked < 3 ? 'ringing' : 'busy' } };
--- test
    my $run = tool({ TWILIO_ACCOUNT_SID => $ENV{TEST_NGINX_ACCOUNT_SID},
                     TWILIO_AUTH_TOKEN => $ENV{TEST_NGINX_AUTH_TOKEN} },
        'call', '--to' => $main::to, '--agent' => 'agent_1',
        '--follow' => 'twilio', '--twilio-api-url' => twilio()->url,
        '--poll' => '20ms');

    is $run->{status}, 1, 'nobody was spoken to';
    like $run->{out}, qr/ringing\n.* busy/, 'busy';

    my @get = grep { $_->{method} && $_->{method} eq 'GET' }
                   twilio()->events;

    is $get[-1]{path}, "/2010-04-01/Accounts/$ENV{TEST_NGINX_ACCOUNT_SID}"
                      . "/Calls/$main::sid.json", 'who was asked';



=== a call that Twilio's callbacks tell of: nobody answered
--- twilio
    return { body => { sid => $main::sid, status => 'queued' } };
--- test
    my $tool = Voicebridge::Tool->start('call', '--to' => $main::to,
        '--agent' => 'agent_1', '--poll' => '20ms');

    $tool->has(out => qr/ s  queued\n/);

    my $answer = http(POST => '/twilio/call-status',
        token => $ENV{TEST_NGINX_AUTH_TOKEN}, form => [
            CallSid => $main::sid, CallStatus => 'no-answer',
            CallDuration => 0, SipResponseCode => 487, SequenceNumber => 2 ]);
    is $answer->{status}, 204, 'the callback is taken';

    my $run = $tool->finish;

    is $run->{status}, 1, 'nobody was spoken to';
    like $run->{out}, qr/ s  no-answer, \d/, 'which is said once';

    $run = tool('call', '--to' => $main::to, '--agent' => 'agent_1',
                '--no-wait', '--json');

    is $run->{status}, 0, 'placed, and that was all that was asked';
    is json()->decode($run->{out})->{outcome}, 'placed', 'no outcome yet';



=== a call the server does not tell of
--- twilio
    return { status => 200, body => { live => [], recent => [] } }
        if $request->{method} eq 'GET';
    return { status => 200, body => { call_sid => $main::sid } };
--- test
    my $run = tool({ VOICEBRIDGE_URL => twilio()->url }, 'call', '--to' =>
        $main::to, '--poll' => '20ms', '--answer-timeout' => '100ms');

    is $run->{status}, 6, 'nobody knows';
    like $run->{out}, qr/unknown: the server does not tell of it/, 'in words';



=== what is refused, and how that is told
--- twilio
    my $to = $request->{form}{To};

    return { status => 400, body => { code => 21211, message => 'not valid' } }
        if $to eq '+15005550001';
    return { status => 429, headers => { 'Retry-After' => 7 },
             body => { code => 20429, message => 'Too Many Requests' } }
        if $to eq '+15005550029';
    return { status => 500, body => { code => 20500, message => 'x' } };
--- test
    my $call = sub {
        my $run = tool(@_, '--agent' => 'a', '--json');
        $run->{json} = json()->decode($run->{out}) if length $run->{out};
        return $run;
    };

    my $run = $call->('call', '--to' => '+15005550001');
    is $run->{status}, 1, 'Twilio refuses a number';
    is $run->{json}{status}, 400, 'its status';
    like $run->{json}{detail}, qr/21211/, 'its code';

    $run = $call->('call', '--to' => '+15005550029');
    is $run->{status}, 3, 'too many requests';
    like $run->{err}, qr/try again in 7 s/, 'when to try again';

    $run = $call->('call', '--to' => '+15005550050');
    is $run->{status}, 6, 'Twilio fails';
    is $run->{json}{outcome}, 'unknown', 'there may be a call';
    is scalar(() = $run->{err} =~ /the call may exist/g), 1, 'it is said once';
    like $run->{err}, qr/; look at Twilio's calls before you call again$/,
         'and what to do';

    $run = $call->({ VOICEBRIDGE_API_KEY => 'wrong' }, 'call',
                   '--to' => $main::to);
    is $run->{status}, 3, 'a wrong key';
    like $run->{err}, qr/Invalid or missing API key/, 'is told';
    unlike $run->{err}, qr/wrong/, 'but not shown';
    like $run->{err}, qr/; VOICEBRIDGE_API_KEY or --key-file has to give/,
         'and what to do';

    $run = tool('call', '--to' => $main::to);
    is $run->{status}, 3, 'no agent';
    like $run->{err}, qr/agent_id is required; --agent, or .* names it$/,
         'and what to do';

    $run = $call->({ VOICEBRIDGE_URL =>
                     "https://127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}" },
                   'call', '--to' => $main::to);
    is $run->{status}, 3, 'no TLS';
    like $run->{err}, qr/; does it speak https, and is its CA .* --cacert\?$/,
         'and what to do';

    $run = tool('call', '--to' => '5005550009');
    unlike $run->{err}, qr/500555/, 'a number that is none is not shown';

    $run = $call->('call', '--to' => $main::to, '--outbound-path' => '/none');
    is $run->{status}, 3, 'a wrong path';
    like $run->{err}, qr/answered 404; --outbound-path is the location/,
         'and what to do';

    $run = $call->({ VOICEBRIDGE_URL => 'http://127.0.0.1:1' }, 'call',
                   '--to' => $main::to);
    is $run->{status}, 3, 'nobody there';
    like $run->{err}, qr/127\.0\.0\.1/, 'where';



=== settings
--- twilio
    return { body => { sid => $main::sid, status => 'queued' } };
--- test
    my $url = "http://127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}";
    my $key = $ENV{TEST_NGINX_API_KEY};
    my %none = (VOICEBRIDGE_URL => undef, VOICEBRIDGE_API_KEY => undef);
    my @call = ('call', '--to' => $main::to, '--no-wait');

    my $run = tool(\%none, @call);
    is $run->{status}, 2, 'no server';
    like $run->{err}, qr/--url/, 'says what to give';

    my $file = scratch('key', "$key\r\n");
    $run = tool(\%none, @call, '--agent' => 'a', '--url' => "$url/",
                '--key-file' => $file);
    is $run->{status}, 0, 'a key in a file'
        or diag $run->{err};

    my $conf = scratch('conf', "# mine\nurl = $url\n api_key=$key\n"
                               . "agent = agent_conf\n");
    chmod 0644, $conf;
    $run = tool(\%none, @call, '--config' => $conf);
    is $run->{status}, 0, 'a configuration file';
    like $run->{err}, qr/conf has a secret and can be read by others/,
         'that is open to all';

    chmod 0600, $conf;
    $run = tool({ %none, VOICEBRIDGE_CONFIG => $conf }, @call);
    is "$run->{status}$run->{err}", 0, 'or to its owner';

    $run = tool({ %none, VOICEBRIDGE_CONFIG => $conf }, @call,
                '--key' => $key);
    like $run->{err}, qr/can be seen by others/, 'a key among the arguments';
    unlike $run->{err}, qr/\Q$key\E/, 'is not shown';

    $conf = scratch('bad', "url = $url\nkye = 1\n");
    $run = tool(\%none, @call, '--config' => $conf);
    is $run->{status}, 2, 'a mistake in it';
    like $run->{err}, qr/bad, line 2: there is no setting "kye"/, 'where';

    for ([ ['--to' => '4155550123'],              qr/E\.164/ ],
         [ [],                                    qr/--to/ ],
         [ [@call[1, 2], '--var' => 'x'],         qr/name=value/ ],
         [ [@call[1, 2], '--var' => 'x=1e:number'], qr/is no number/ ],
         [ [@call[1, 2], '--var' => 'x=maybe:boolean'], qr/is no boolean/ ],
         [ [@call[1, 2], '--var' => 'x={:json'],  qr/is no JSON/ ],
         [ [@call[1, 2], '--var' => 'system__x=1'], qr/system__/ ],
         [ [@call[1, 2], '--var' => "x=\xff"],    qr/UTF-8/ ],
         [ [@call[1, 2], '--url' => 'voice'],     qr/https:/ ],
         [ [@call[1, 2], '--poll' => 'soon'],     qr/--poll wants a time/ ],
         [ [@call[1, 2], 'more'],                 qr/"more"/ ])
    {
        my ($arguments, $says) = @$_;

        $run = tool('call', @$arguments);
        is $run->{status}, 2, "call @$arguments";
        like $run->{err}, $says, 'says what is wrong';
    }



=== help
--- test
    my $run = tool('call', '--help');

    is $run->{status}, 0, 'help is no error';
    like $run->{out}, qr/^Usage: voicebridge call.*Examples:.*Exit status:/s,
         'with examples and exit codes';
    unlike $run->{out}, qr/^.{81}/m, 'that fits a terminal';

    is tool('--help')->{status}, 0, 'the tool itself';
    like tool('--version')->{out}, qr/^voicebridge \d/, 'its version';
    is tool('fax')->{status}, 2, 'an unknown command';
    is tool()->{status}, 2, 'none';
