# voicebridge_caller_lookup: while the phone rings somebody is asked who calls.
# The service is a Voicebridge::Twilio, which answers what it is told to.

use Voicebridge::Test;
use Voicebridge::HTTP qw( base http );
use Voicebridge::Metrics qw( metrics );
use Voicebridge::WebSocket qw( json );

use Time::HiRes qw( time );

my $sid = 'CA' . '0123456789abcdef' x 2;

sub sid { return $sid }

sub incoming {
    my ($path, %form) = @_;

    %form = (AccountSid => $ENV{TEST_NGINX_ACCOUNT_SID}, CallSid => $sid,
             CallStatus => 'ringing', Direction => 'inbound',
             From => '+15005550009', To => '+15005550006', %form);

    return http(POST => $path, form => [ %form ],
                token => $ENV{TEST_NGINX_AUTH_TOKEN});
}

sub parameters {
    my $twiml = shift->{body};

    utf8::decode($twiml);

    my %entity = (amp => '&', lt => '<', gt => '>', quot => '"');

    return map { s/&(\w+);/$entity{$1}/gr =~ s/&#x?(\d+);/chr $1/ger }
               $twiml =~ /<Parameter name="([^"]*)" value="([^"]*)"/g;
}

sub asked { return twilio()->event('request') }

# a service's answer by what the path is

sub service {
    my $request = shift;

    my %answer = (
        500   => { status => 500, body => 'no' },
        404   => { status => 404, body => {} },
        204   => { status => 204 },
        late  => { delay => 1.5, status => 200, body => {} },
        never => { never => 1 },
        gone  => { close => 1 },
        text  => { status => 200, body => 'Hello' },
        list  => { status => 200, body => '[1]' },
        utf8  => { status => 200, body => "{\"user_id\":\"\xff\"}" },
        type  => { status => 200, body => { type => 'ping' } },
        agent => { status => 200, body => { agent_id => 7 } },
        c1    => { status => 200, body => { agent_id => "a\x{85}" } },
        names => { status => 200, body => {
                       dynamic_variables => { system__x => 1 } } },
        large => { status => 200, body => {
                       dynamic_variables => { x => 'x' x 66_000 } } },
        long  => { status => 200, body => {
                       dynamic_variables => { x => '<' x 30_000 } } },
    );

    my ($what) = $request->{path} =~ m{([^/]+)$};

    return $answer{$what} // { status => 200, body => {
        type => 'conversation_initiation_client_data',
        dynamic_variables => { name => "Zo\x{eb} <&>", due => 120.5,
                               vip => JSON::PP::true, none => undef },
    } };
}

run_tests();

__DATA__

=== what is asked, and what comes of it
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    voicebridge_agent agent_1;

    location = /twilio/incoming-call {
        voicebridge_incoming_call;
        voicebridge_caller_lookup $TEST_NGINX_TWILIO_URL/who?v=1;
        voicebridge_caller_lookup_timeout 14s;
        voicebridge_caller_lookup_header X-Key env:PATH;
        voicebridge_caller_lookup_header Authorization "Bearer secret-0815";
        voicebridge_caller_lookup_header X-To $voicebridge_to;
        voicebridge_caller_lookup_header X-None $arg_none;
        access_log $TEST_NGINX_CALLS_LOG calls;
    }

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->recv_close;
--- twilio
    return { status => 200, body => '{ "type":'
        . ' "conversation_initiation_client_data",
        "dynamic_variables": { "name": "Zo\u00eb <&>", "due": 120.50,
                               "vip": true, "none": null },
        "conversation_config_override": {
            "agent": { "first_message": "Hello\n\"you\"" } },
        "user_id": "u 1", "environment": "staging",
        "custom_llm_extra_body": { "a": [ 1 ] },
        "agent_id": "agent_2", "something": "new" }' };
--- test
    secret('secret-0815');

    my $answer = incoming('/twilio/incoming-call');

    is $answer->{status}, 200, 'answered';

    my $request = asked();

    is $request->{method}, 'POST', 'it is asked';
    is $request->{target}, '/who?v=1', 'where it is';
    is $request->{headers}{'content-type'}, 'application/json', 'in JSON';
    is $request->{headers}{'x-key'}, $ENV{PATH}, 'with a header';
    is $request->{headers}{authorization}, 'Bearer secret-0815', 'and another';
    is $request->{headers}{'x-to'}, '+15005550006', 'of a variable';
    is $request->{headers}{'x-none'}, undef, 'but none that is empty';
    is_deeply json()->decode($request->{body}), {
        caller_id => '+15005550009', called_number => '+15005550006',
        agent_id => 'agent_1', call_sid => sid(),
    }, "as ElevenLabs' webhook";

    my %parameters = parameters($answer);

    is $parameters{agent_id}, 'agent_2', 'the answer names the agent';
    is $parameters{dynamic_variables},
       '{"name":"Zo\u00eb <&>","due":120.50,"vip":true,"none":null}',
       'and variables, as they were written';

    my $phone = phone()->connect;

    $phone->start(parameters => \%parameters);

    my $got = agent()->event('initiation')->{message};

    is $got->{dynamic_variables}{name}, "Zo\x{eb} <&>", 'the agent gets them';
    is $got->{dynamic_variables}{caller_number}, '+15005550009', 'and ours';
    is_deeply $got->{conversation_config_override},
              { agent => { first_message => "Hello\n\"you\"" } }, 'overrides';
    is_deeply $got->{custom_llm_extra_body}, { a => [ 1 ] }, 'an extra body';
    is $got->{user_id}, 'u 1', 'a user';
    is $got->{environment}, 'staging', 'an environment';
    ok !exists $got->{something}, 'and nothing else';

    $phone->stop;
    $phone->recv_close;

    like log_has(qr/Incoming call ${\sid()}/), qr/for agent agent_2/,
         'the log has the agent';
    calls_log_has(qr/call=${\sid()} agent=agent_2 http=200/);



=== when it does not know, and the call goes on
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    location = /metrics { voicebridge_metrics; }

    $TEST_NGINX_VOICEBRIDGE
    voicebridge_agent agent_1;
    voicebridge_user_id "user $voicebridge_from_masked";
    voicebridge_caller_lookup_timeout 14s;

    location /ask/ {
        voicebridge_incoming_call;
        voicebridge_caller_lookup $TEST_NGINX_TWILIO_URL$uri;
    }

    location ~ ^/ask/(?:late|never)$ {
        voicebridge_incoming_call;
        voicebridge_caller_lookup $TEST_NGINX_TWILIO_URL$uri;
        voicebridge_caller_lookup_timeout 500ms;
    }

    location = /refused {
        voicebridge_incoming_call;
        voicebridge_caller_lookup http://127.0.0.1:1/;
    }

    location = /url {
        voicebridge_incoming_call;
        voicebridge_caller_lookup $arg_url;
    }

    location = /header {
        voicebridge_incoming_call;
        voicebridge_caller_lookup $TEST_NGINX_TWILIO_URL$uri;
        voicebridge_caller_lookup_header X-From $voicebridge_from;
    }

    location = /off {
        voicebridge_incoming_call;
        voicebridge_caller_lookup off;
    }
--- twilio
    return main::service($request);
--- test
    my %why = (
        '/ask/500'   => qr/it answered with status 500/,
        '/ask/404'   => qr/it answered with status 404/,
        '/ask/204'   => qr/it answered with status 204/,
        '/ask/late'  => qr/no answer within voicebridge_caller_lookup_timeout/,
        '/ask/never' => qr/no answer within voicebridge_caller_lookup_timeout/,
        '/ask/gone'  => qr/looked up: .*(?:empty|reset)/i,
        '/ask/text'  => qr/the answer is not a JSON object/,
        '/ask/list'  => qr/the answer is not a JSON object/,
        '/ask/utf8'  => qr/the answer is not a JSON object/,
        '/ask/type'  => qr/type is not conversation_initiation_client_data/,
        '/ask/agent' => qr/agent_id is not a string/,
        '/ask/c1'    => qr/agent_id has a control character/,
        '/ask/names' => qr/dynamic variable "system__x" is refused/,
        '/ask/large' => qr/the answer is too large/,
        '/ask/long'  => qr/does not fit the call's TwiML, which Twilio limits/,
        '/refused' => qr/looked up: .*(?:connect|refused)/i,
        '/url?url=ftp://x' => qr/its URL does not begin with/,
    );

    for my $path (sort keys %why) {
        my $began = time;
        my $answer = incoming($path);

        is $answer->{status}, 200, "$path: answered";

        my %parameters = parameters($answer);

        is $parameters{agent_id}, 'agent_1', "$path: by the location's agent";
        is $parameters{dynamic_variables}, undef, "$path: without variables";
        is $parameters{vb_client_data}, '{"user_id":"user +*******0009"}',
           "$path: with what the location says";

        like log_has(qr/\[error\].*call ${\sid()}: the caller could not be/),
             qr/could not be looked up/, "$path: the log says so";
        log_has(qr/$why{$path}.*; it goes on without/);
    }

    # what a caller's network says of them is no header of its own

    my $answer = incoming('/header', From => "sip:a\@b\r\nX-Key: 1");

    is { parameters($answer) }->{agent_id}, 'agent_1', 'more than one header';
    log_has(qr/"voicebridge_caller_lookup_header X-From" has a control/);

    my $m = metrics();
    my %count = ('4xx' => 1, '5xx' => 1, timeout => 2, closed => 1,
                 connect => 1, invalid => 9, other => 3);

    is $m->{"voicebridge_request_failures_total{service=\"caller_lookup\","
            . "kind=\"$_\"}"}, $count{$_}, "counted as $_"
        for sort keys %count;

    my %parameters = parameters(incoming('/ask/good'));

    like $parameters{dynamic_variables}, qr/Zo/, 'one that knows';
    is { parameters(incoming($_)) }->{dynamic_variables}, undef, "$_: nobody"
        for '/off', '/url', '/url?url=';



=== when it does not know, and the call does not go on
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_agent agent_1;
    voicebridge_caller_lookup $TEST_NGINX_TWILIO_URL$uri;
    voicebridge_caller_lookup_timeout 14s;

    location /reject/ {
        voicebridge_incoming_call;
        voicebridge_caller_lookup_failure reject;
    }

    location /fallback/ {
        voicebridge_incoming_call;
        voicebridge_caller_lookup_failure fallback;
    }

    location /agentless/ {
        voicebridge_incoming_call;
        voicebridge_agent "";
    }
--- twilio
    return { status => 200, body => { agent_id => 'agent_3' } }
        if $request->{path} eq '/agentless/named';

    return main::service($request);
--- test
    my $answer = incoming('/reject/500');

    is $answer->{status}, 200, 'reject';
    is $answer->{headers}{'content-type'}, 'text/xml', 'with TwiML';
    like $answer->{body}, qr{<Response><Reject/></Response>$}, 'that rejects';
    log_has(qr/status 500; it is rejected/);

    is incoming('/fallback/text')->{status}, 500, 'fallback';
    log_has(qr/not a JSON object; its fallback URL takes it/);

    like incoming("/$_/good")->{body}, qr{dynamic_variables},
         "$_: one that knows"
        for qw( reject fallback );

    # the agent may be known to nobody else

    is { parameters(incoming('/agentless/named')) }->{agent_id}, 'agent_3',
       'an agent by the answer';
    is incoming("/agentless/$_")->{status}, 500, "none: $_" for qw( good 500 );

    is json()->decode($_->{body})->{agent_id}, '', 'none is asked about'
        for grep { $_->{path} =~ /agentless/ }
            map { asked() } 1 .. 7;



=== many at a time, and one who does not wait
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_agent agent_1;
    voicebridge_caller_lookup_timeout 10s;

    location = /twilio/incoming-call {
        voicebridge_incoming_call;
        voicebridge_caller_lookup $TEST_NGINX_TWILIO_URL/who;
    }
--- twilio
    my $body = Voicebridge::WebSocket::json()->decode($request->{body});

    return { delay => 0.5, status => 200, body => {
                 dynamic_variables => { who => $body->{caller_id} } } };
--- test
    my @clients = map { Voicebridge::HTTP->connect } 1 .. 50;

    $clients[$_]->send_request(POST => '/twilio/incoming-call',
        form => [ From => "+1500555$_", CallSid => sid() ],
        token => $ENV{TEST_NGINX_AUTH_TOKEN}) for 0 .. $#clients;

    asked() for @clients;

    $clients[0]->reset;

    for (1 .. $#clients) {
        my %parameters = parameters($clients[$_]->response);

        is $parameters{dynamic_variables}, "{\"who\":\"+1500555$_\"}",
           "caller $_";
    }



=== who is trusted
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_agent agent_1;
    voicebridge_caller_lookup $TEST_NGINX_TWILIO_URL/who;
    voicebridge_caller_lookup_timeout 14s;

    location = /good {
        voicebridge_incoming_call;
        voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;
    }

    location = /unknown {
        voicebridge_incoming_call;
    }
--- twilio
    return main::service($request);
--- twilio_options
    tls => 'good'
--- test
    like incoming('/good')->{body}, qr{dynamic_variables}, 'a good certificate';
    unlike incoming('/unknown')->{body}, qr{dynamic_variables},
           'an unknown one';
    log_has(qr/could not be looked up: .*certificate/i);

    is scalar(grep { $_->{event} eq 'request' } twilio()->events), 1,
       'who is not trusted is told nothing';



=== a URL that is none
--- config
    location = /x {
        voicebridge_incoming_call;
        voicebridge_caller_lookup who.example.com;
    }
--- must_die
--- error_log
"voicebridge_caller_lookup" directive must be "off" or a URL that begins



=== longer than Twilio waits
--- config
    location = /x {
        voicebridge_incoming_call;
        voicebridge_caller_lookup_timeout 15s;
    }
--- must_die
--- error_log
directive must be more than 0 and at most 14s, since Twilio waits 15s



=== a header that is none
--- config
    location = /x {
        voicebridge_incoming_call;
        voicebridge_caller_lookup_header "X Y" z;
    }
--- must_die
--- error_log
invalid name of a header "X Y"
