# voicebridge check: what is right with a server, and what is not.

use Voicebridge::Test;
use Voicebridge::Certificates qw( certificate );
use Voicebridge::Tool qw( program tool );
use Voicebridge::WebSocket qw( json );

our %env = (
    TWILIO_ACCOUNT_SID  => $ENV{TEST_NGINX_ACCOUNT_SID},
    TWILIO_AUTH_TOKEN   => $ENV{TEST_NGINX_AUTH_TOKEN},
    TWILIO_PHONE_NUMBER => $ENV{TEST_NGINX_PHONE_NUMBER},
    ELEVENLABS_API_KEY  => $ENV{TEST_NGINX_XI_API_KEY},
);

our $agent = {
    conversation_config => {
        tts => { agent_output_audio_format => 'ulaw_8000' },
        asr => { user_input_audio_format => 'pcm_16000' },
        conversation => { client_events => [ qw( audio interruption
            user_transcript agent_response ) ] },
    },
    platform_settings => { auth => { enable_auth => \1 } },
};

# both services are one peer's, which looks at who asks

sub service {
    my ($request, %o) = @_;

    return { status => $o{account} // 200, body => { status => 'active' } }
        if $request->{path} =~ m{/Accounts/AC\w+\.json$};
    return { status => 200, body => { incoming_phone_numbers =>
             $o{numbers} // [ { phone_number => $ENV{TEST_NGINX_PHONE_NUMBER},
                                capabilities => { voice => \1 } } ] } }
        if $request->{path} =~ m{/IncomingPhoneNumbers\.json$};
    return { status => $o{status} // 200, body => $o{agent} // $agent };
}

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', "    voicebridge_zone voicebridge:1m;\n");
    $block->set_value('config', <<'EOC' . ($block->config // ''));
    listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
    ssl_certificate      $TEST_NGINX_CERTIFICATES/good.crt;
    ssl_certificate_key  $TEST_NGINX_CERTIFICATES/good.key;

    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/media-stream { voicebridge_media_stream; }
    location = /twilio/call-status  { voicebridge_call_status; }
    location = /moved               { return 301 /twilio/call-status; }
    location = /broken              { return 502; }
EOC
});

# { check => result }, and the whole

sub check {
    my ($env, @options) = @_;

    my $run = tool($env, 'check', '--json', '--twilio-api-url' =>
        twilio()->url, '--elevenlabs-url' => twilio()->url,
        "https://localhost:$ENV{TEST_NGINX_TLS_PORT}", @options);

    my $result = eval { json()->decode($run->{out}) }
                 // die "no JSON: $run->{out}$run->{err}\n";

    my %found;
    $found{$_->{check}} = $_ for @{$result->{findings}};

    return ($run, \%found, $result);
}

sub trusted { return ('--cacert' => certificate('ca')->{ca}) }

run_tests();

__DATA__

=== a server, an account and an agent as they should be
--- twilio
    return main::service($request);
--- test
    my ($run, $found, $result) = check(\%main::env, trusted(),
                                       '--agent' => 'agent_1');

    # a test's server is on no public address
    is_deeply [ map { $_->{check} } grep { $_->{result} eq 'failed' }
                    @{$result->{findings}} ], [ 'address' ],
              'only that is wrong' or diag $run->{out};
    is $run->{status}, 1, 'which is an error';
    is $result->{failures}, 1, 'one';
    is $found->{url}{result}, 'warning', 'nor on port 443';

    is $found->{$_}{result}, 'ok', $_
        for 'connection', 'unsigned stream', 'signed stream',
            'unsigned webhook', 'signed webhook', 'twilio account',
            'twilio number', 'agent', 'agent output format',
            'agent input format', 'agent client events',
            'agent authentication';

    like $found->{'agent input format'}{detail}, qr/^pcm_16000; ulaw_8000 w/,
         'what would be better';

    my %asked = map { $_->{path} => $_ } grep { $_->{method} }
                    twilio()->events;
    is $asked{'/v1/convai/agents/agent_1'}{headers}{'xi-api-key'},
       $ENV{TEST_NGINX_XI_API_KEY}, 'ElevenLabs is asked with the key';
    is $asked{"/2010-04-01/Accounts/$ENV{TEST_NGINX_ACCOUNT_SID}.json"}{password},
       $ENV{TEST_NGINX_AUTH_TOKEN}, 'Twilio with the token';

    for my $secret (@ENV{qw( TEST_NGINX_XI_API_KEY TEST_NGINX_AUTH_TOKEN
                             TEST_NGINX_PHONE_NUMBER )})
    {
        ok index($run->{out}, $secret) < 0, 'no secret is shown';
    }

    # in words
    my $text = tool('check', "https://localhost:$ENV{TEST_NGINX_TLS_PORT}",
                    trusted());
    like $text->{out}, qr/^ok       unsigned stream: is refused, 403$/m,
         'what is good';
    like $text->{out}, qr/^failed   address: .*\n         -> its name has/m,
         'what is not, and what to do';
    like $text->{out}, qr/^skipped  signed stream: TWILIO_AUTH_TOKEN/m,
         'what was not looked at';



=== everything that can be wrong
--- twilio
    return main::service($request, numbers => [], account => 401,
                         status => 404)
        if ($request->{headers}{'xi-api-key'} // '') eq 'wrong'
           || ($request->{headers}{authorization} // '') ne
              'Basic ' . MIME::Base64::encode_base64(
                  "$ENV{TEST_NGINX_ACCOUNT_SID}:$ENV{TEST_NGINX_AUTH_TOKEN}",
                  '') && $request->{path} =~ /Accounts/;

    return main::service($request, numbers => [], agent => {
        conversation_config => {
            tts => { agent_output_audio_format => 'opus_48000' },
            conversation => { client_events => [ 'audio' ] } } });
--- test
    my ($run, $found) = check({ %main::env, TWILIO_AUTH_TOKEN => 'other',
        ELEVENLABS_API_KEY => 'wrong' }, trusted(), '--agent' => 'agent_1');

    is $run->{status}, 1, 'something is wrong';
    is $found->{'signed stream'}{result}, 'failed', 'another token';
    like $found->{'signed stream'}{remedy}, qr/voicebridge_public_url/,
         'what to do';
    is $found->{'signed webhook'}{result}, 'failed', 'for webhooks, too';
    is $found->{'twilio account'}{result}, 'failed', 'and the account';
    like $found->{'twilio account'}{remedy}, qr/console/, 'where to look';
    like $found->{agent}{detail}, qr/there is no such agent/, 'no agent';

    ($run, $found) = check(\%main::env, trusted(), '--agent' => 'agent_1');

    is $found->{'twilio number'}{result}, 'warning', 'another number';
    is $found->{'agent output format'}{result}, 'failed', 'a format';
    is $found->{'agent client events'}{result}, 'warning', 'events';
    is $found->{'agent authentication'}{result}, 'warning', 'open to all';
    like $run->{out}, qr/interruption is missing: the agent cannot be/, 'why';

    # without the CA, another name, nothing at all
    ($run, $found) = check(\%main::env);
    is $found->{certificate}{result}, 'failed', 'a certificate nobody knows';
    ok !$found->{'signed stream'}, 'and no further';

    ($run, $found) = check(\%main::env, trusted(), '--media-stream-path' =>
                           '/other', '--call-status-path' => '/none');
    like $found->{'media stream'}{remedy}, qr/voicebridge_media_stream/,
         'no location';
    like $found->{'unsigned webhook'}{remedy}, qr/voicebridge_call_status/,
         'nor another';

    ($run, $found) = check(\%main::env, trusted(), '--media-stream-path' =>
                           '/moved', '--call-status-path' => '/moved');
    like $found->{$_}{remedy}, qr/redirect/, "a redirect, $_"
        for 'media stream', 'unsigned webhook';
    ok !$found->{'signed webhook'}, 'is not asked twice';

    ($run, $found) = check(\%main::env, trusted(), '--call-status-path' =>
                           '/broken');
    like $found->{$_}{remedy}, qr/error log/, "a fault, $_"
        for 'unsigned webhook', 'signed webhook';

    $run = tool('check', 'https://127.0.0.1:1');
    like $run->{out}, qr/^failed   connection: /m, 'nobody there';

    $run = tool('check', 'http://name.invalid');
    like $run->{out}, qr/^failed   url: .*TLS/m, 'no TLS';
    like $run->{out}, qr/^failed   address: /m, 'no address';

    is tool('check')->{status}, 2, 'no server';
    is tool('check', 'voice.example.com')->{status}, 2, 'no URL';



=== a server that lets everybody in
--- config
    voicebridge_verify_signature off;
--- twilio
    return main::service($request);
--- test
    my ($run, $found) = check(\%main::env, trusted());

    is $found->{'unsigned stream'}{result}, 'failed', 'streams';
    like $found->{'unsigned stream'}{detail}, qr/anybody can talk/, 'why';
    is $found->{'unsigned webhook'}{result}, 'failed', 'and webhooks';
    is $found->{agent}{result}, 'skipped', 'no agent was named';
