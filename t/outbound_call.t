# POST to a location with voicebridge_outbound_call: contract 1.1, every row
# of its table.

use Voicebridge::Test;
use Voicebridge::HTTP qw( base http );
use Voicebridge::WebSocket qw( json );

sub key { return $ENV{TEST_NGINX_API_KEY} }

sub number { return '+15005550009' }


# a request as it should be, but for what is said

sub order {
    my %o = @_;

    return {
        agent_id => 'agent_1',
        metadata => { to_number => number() },
        %o,
    };
}

sub place {
    my ($order, %o) = @_;

    return http(POST => $o{path} // '/twilio/outbound-call',
                headers => { 'X-API-Key' => key(), %{$o{headers} // {}} },
                ref $order ? (json => $order) : (body => $order),
                map { $_ => $o{$_} } grep { exists $o{$_} }
                    qw( chunked pieces ));
}


# an error: its status, its JSON, and nothing else in it

sub is_error {
    my ($answer, $status, $detail, $name) = @_;

    is $answer->{status}, $status, "$name: status $status";
    is $answer->{headers}{'content-type'}, 'application/json',
       "$name: JSON";
    is join(',', keys %{$answer->{json} // {}}), 'detail',
       "$name: a detail and nothing else";
    like $answer->{json}{detail} // '', $detail, "$name: $detail";
}


# what Twilio is to do is told by the number's last digits

sub twilio_answer {
    my $request = shift;

    my ($digits) = ($request->{form}{To} // '') =~ /(\d{3})$/;
    my $says = sub { +{ status => $digits, body => {
                        code => $_[0], message => $_[1],
                        status => $digits } } };

    return {
        400 => $says->(21211, "The phone number $request->{form}{To}, in other\n"
                              . 'words (500) 555-0400, is no valid phone '
                              . 'number.'),
        401 => $says->(20003, 'Authenticate'),
        403 => $says->(20403, 'Account may not use the API'),
        404 => $says->(20404, 'The requested resource was not found'),
        429 => { %{$says->(20429, 'Too many requests')},
                 headers => { 'Retry-After' => 7 } },
        430 => { status => 429, body => '' },
        500 => $says->(20500, 'Internal server error'),
        503 => { status => 503, body => '<html>busy</html>' },
        201 => { status => 201, body => '<html>fine</html>' },
        202 => { status => 201, body => {} },
        203 => { status => 201, body => 'x' x 100_000 },
        204 => { status => 201, close => 1,
                 raw => "HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{" },
        302 => { status => 302, body => '',
                 headers => { Location => 'https://example.com/' } },
        900 => { close => 1 },
        901 => { never => 1 },
        902 => { delay => 1 },
    }->{$digits // ''};
}

run_tests();

__DATA__

=== a call is placed
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_public_url https://voice.example.com/;
        voicebridge_max_call_duration 90500ms;
    }
--- twilio
    return {};
--- test
    my $answer = place(order(session_id => 'session-1'));

    my $request = twilio()->event('request');
    my $form = $request->{form};

    is $request->{method}, 'POST', 'Twilio is asked to create';
    is $request->{path}, '/2010-04-01/Accounts/'
                         . "$ENV{TEST_NGINX_ACCOUNT_SID}/Calls.json",
       'a call of the account';
    is $request->{user}, $ENV{TEST_NGINX_ACCOUNT_SID}, 'with the SID';
    is $request->{password}, $ENV{TEST_NGINX_AUTH_TOKEN}, 'and the token';

    is $form->{To}, number(), 'to the number';
    is $form->{From}, $ENV{TEST_NGINX_PHONE_NUMBER}, 'from the number';
    is $form->{TimeLimit}, 91, 'for as long as it may take';
    is $form->{StatusCallback}, 'https://voice.example.com/twilio/call-status',
       'and to tell how it goes';

    like $form->{Twiml}, qr{<Stream [^>]*url="wss://voice\.example\.com/twilio
                            /media-stream"}x, 'the stream';
    like $form->{Twiml}, qr{statusCallback="https://voice\.example\.com/twilio
                            /call-status"}x, 'and its callback';

    for (['agent_id', 'agent_1'], ['session_id', 'session-1'],
         ['direction', 'outbound'], ['to', number()],
         ['from', $ENV{TEST_NGINX_PHONE_NUMBER}])
    {
        like $form->{Twiml},
             qr{<Parameter name="$$_[0]" value="\Q$$_[1]\E"\s*/>},
             "parameter $$_[0]";
    }

    like $form->{Twiml}, qr{name="vb_token" value="[^"]{40,}"}, 'a token';

    is $answer->{status}, 200, 'the answer';
    is $answer->{headers}{'content-type'}, 'application/json', 'is JSON';

    like delete $answer->{json}{call_sid}, qr/^CA[0-9a-f]{32}$/, 'with the SID';
    is_deeply $answer->{json}, {
        success    => JSON::PP::true,
        to         => number(),
        status     => 'queued',
        message    => 'Outbound call initiated successfully',
        session_id => 'session-1',
    }, 'and what the contract says';

    my $line = log_has(qr/\[info\].*Outbound call initiated/);

    like $line, qr/CA[0-9a-f]{32}/, 'the log has the SID';
    unlike $line, qr/\+?15005550009/, 'and not the number';
    like $line, qr/0009/, 'but its last digits';



=== a session id is made where none is given
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    return {};
--- test
    my $v4 = qr/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}
                -[89ab][0-9a-f]{3}-[0-9a-f]{12}/x;
    my @ids = map { place(order())->{json}{session_id} } 1, 2;

    like $_, qr/^$v4$/, 'a random UUID' for @ids;
    isnt $ids[0], $ids[1], 'another one each time';

    like twilio()->event('request')->{form}{Twiml}, qr/"$ids[0]"/,
         'the stream knows it';



=== variables keep their types on their way
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    return {};
--- test
    my $sent = '{"name":"Zo\u00eb <\"&\'>","n":1,"big":12345678901234567890,'
               . '"price":1.50,"vip":true,"no":null,"tags":["a",2]}';

    my $answer = place('{"agent_id":"agent_1","metadata":{"to_number":"'
                       . number() . '","dynamic_variables":' . $sent . '}}');

    is $answer->{status}, 200, 'placed';

    my $twiml = twilio()->event('request')->{form}{Twiml};

    my ($json) = $twiml =~ /name="dynamic_variables" value="([^"]*)"/;

    $json =~ s/&quot;/"/g;
    $json =~ s/&apos;|&#39;/'/g;
    $json =~ s/&lt;/</g;
    $json =~ s/&gt;/>/g;
    $json =~ s/&amp;/&/g;

    is_deeply json()->decode($json), json()->decode($sent), 'the same values';
    like $json, qr/"big":12345678901234567890\b/, 'every digit';
    like $json, qr/"price":1\.50\b/, 'as it was written';



=== what the request may be refused for, in the contract's order
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    return {};
--- test
    for my $method (qw( GET PUT DELETE OPTIONS )) {
        my $answer = http($method => '/twilio/outbound-call');

        is_error($answer, 405, qr/POST/, $method);
        is $answer->{headers}{allow}, 'POST', "$method: what is allowed";
    }

    my $head = http(HEAD => '/twilio/outbound-call');
    is $head->{status}, 405, 'HEAD';
    is $head->{headers}{allow}, 'POST', 'HEAD: what is allowed';

    # a key comes before the body

    my $refused = qr/^Invalid or missing API key$/;

    is_error(http(POST => '/twilio/outbound-call', json => order()), 401,
             $refused, 'no key');

    for my $wrong ('', 'x', substr(key(), 1), key() . "0", uc key()) {
        is_error(place('{', headers => { 'X-API-Key' => $wrong }), 401,
                 $refused, "key \"$wrong\"");
    }

    my @bad = (
        [ '',                            qr/./,             'no body' ],
        [ 'abc',                         qr/./,             'no JSON' ],
        [ '[]',                          qr/object/i,       'an array' ],
        [ '"text"',                      qr/object/i,       'a string' ],
        [ '{"agent_id":"a"',             qr/./,             'cut short' ],
        [ '{"agent_id":"a",}',           qr/./,             'a comma' ],
        [ '{}',                          qr/^agent_id is required$/,
                                                            'no agent' ],
        [ order(agent_id => ''),         qr/^agent_id is required$/,
                                                            'empty agent' ],
        [ { agent_id => 'a' },           qr/^to_number is required$/,
                                                            'no metadata' ],
        [ order(metadata => {}),         qr/^to_number is required$/,
                                                            'no number' ],
        [ order(agent_id => 1),          qr/agent_id/,      'agent 1' ],
        [ order(session_id => {}),       qr/session_id/,    'session {}' ],
        [ order(metadata => 'x'),        qr/metadata/,      'metadata' ],
        [ order(metadata => { to_number => 15005550009 }),
                                         qr/to_number/,     'a number' ],
        (map { [ order(metadata => { to_number => $_ }),
                 qr/to_number.*E\.164|E\.164.*to_number/,   "number $_" ] }
             '15005550009', '+05005550009', '+1', '+1500555000912345',
             '+1500555000a', '+1 500 555 0009', "+15005550009\n"),
        (map { [ order(metadata => { to_number => number(),
                                     dynamic_variables => $$_[0] }),
                 $$_[1], 'variables ' . json()->encode($$_[0]) ] }
             [ [], qr/dynamic_variables/ ],
             [ 'x', qr/dynamic_variables/ ],
             [ { address => {} }, qr/address/ ],
             [ { list => [ {} ] }, qr/list/ ],
             [ { system__time => 1 }, qr/system__time/ ]),
    );

    is_error(place($$_[0]), 400, $$_[1], $$_[2]) for @bad;

    is scalar(grep { $_->{event} eq 'request' } twilio()->events), 0,
       'Twilio was asked for none of it';



=== null and no variables are the same
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    return {};
--- test
    is place(order(metadata => { to_number => number(),
                                 dynamic_variables => undef }))->{status},
       200, 'null';

    unlike twilio()->event('request')->{form}{Twiml}, qr/dynamic_variables/,
           'no parameter';



=== what Twilio may refuse
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_twilio_timeout 4s;
    }
--- twilio
    return main::twilio_answer($request);
--- test
    my %error = (
        400 => [ 400, qr/21211.* \(\*{3}\) \*{3}-0400, is no valid phone number/ ],
        401 => [ 502, qr/20003/ ],
        403 => [ 502, qr/20403/ ],
        404 => [ 502, qr/20404/ ],
        429 => [ 429, qr/20429/ ],
        430 => [ 429, qr/Twilio/ ],
        500 => [ 502, qr/may exist.*20500/ ],
        503 => [ 502, qr/503.*may exist/ ],
        201 => [ 502, qr/could not be read, the call may exist/ ],
        202 => [ 502, qr/could not be read, the call may exist/ ],
        203 => [ 502, qr/may exist.*too large/ ],
        204 => [ 502, qr/may exist/ ],
        302 => [ 502, qr/302/ ],
        900 => [ 502, qr/may exist/ ],
        901 => [ 504, qr/did not answer in time.*may exist/ ],
    );

    for my $digits (sort keys %error) {
        my $to = "+15005550$digits";
        my $answer = place(order(metadata => { to_number => $to }));

        is_error($answer, @{$error{$digits}}, "Twilio's $digits");
        unlike $answer->{json}{detail}, qr/\Q$to\E/, "$digits: no number";
        unlike $answer->{json}{detail}, qr/[\x00-\x1f]/, "$digits: one line";

        is $answer->{headers}{'retry-after'},
           { 429 => 7, 430 => 1 }->{$digits}, "$digits: when to try again";

        like log_has(qr/\[error\].*Outbound call to \S+0\Q$digits\E/),
             $error{$digits}[1], "$digits: a line in the log";
    }

    is place(order(metadata => { to_number => '+15005550902' }))->{status},
       200, 'late, but in time';



=== Twilio cannot be reached
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /refused {
        voicebridge_outbound_call;
        voicebridge_twilio_api_url http://127.0.0.1:1;
    }

    location = /unknown {
        voicebridge_outbound_call;
        voicebridge_twilio_api_url https://nobody.invalid;
    }
--- test
    for my $path (qw( /refused /unknown )) {
        my $answer = place(order(), path => $path);

        is_error($answer, 502, qr/could not be reached, there is no call/,
                 $path);
        log_has(qr/\[error\].*Outbound call to .*could not be reached/);
    }



=== a certificate that is good, for a CA that is trusted
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /good {
        voicebridge_outbound_call;
        voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;
    }

    location = /unknown {
        voicebridge_outbound_call;
    }

    location = /unverified {
        voicebridge_outbound_call;
        voicebridge_ssl_verify off;
    }
--- twilio
    return {};
--- twilio_options
    tls => 'good'
--- test
    is place(order(), path => '/good')->{status}, 200, 'trusted';
    is_error(place(order(), path => '/unknown'), 502, qr/certificate/,
             'unknown CA');
    is place(order(), path => '/unverified')->{status}, 200, 'not asked';

    is scalar(grep { $_->{event} eq 'request' } twilio()->events), 2,
       'nothing was told to who was not trusted';



=== certificates that are not
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;
    }
--- twilio
    return {};
--- twilio_options
    tls => 'wrong-host'
--- test
    is_error(place(order()), 502, qr/certificate/, 'wrong host');



=== nor an expired one
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;
    }
--- twilio
    return {};
--- twilio_options
    tls => 'expired'
--- test
    is_error(place(order()), 502, qr/certificate/, 'expired');



=== bodies in every form
--- config
    client_body_buffer_size 1k;

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }

    location = /file {
        client_body_in_file_only clean;
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    return {};
--- test
    my %long = (ignored => 'x' x 20_000);
    my %variables = (metadata => { to_number => number(),
                                   dynamic_variables => { v => 'y' x 900 } });

    my %cases = (
        'one'                => [ order() ],
        'two pieces'         => [ order(), pieces => [ 250, 100_000 ] ],
        'small pieces'       => [ order(%variables), pieces => [ 7 ] ],
        'chunks'             => [ order(%variables), chunked => 10 ],
        'chunks in pieces'   => [ order(%variables), chunked => 100,
                                  pieces => [ 13 ] ],
        'a temporary file'   => [ order(%long, %variables) ],
        'a file by chunks'   => [ order(%long), chunked => 999 ],
        'a small file'       => [ order(%variables), path => '/file' ],
    );

    for my $name (sort keys %cases) {
        my $answer = place(@{$cases{$name}});

        is $answer->{status}, 200, $name;
        like twilio()->event('request')->{form}{Twiml}, qr/"agent_1"/,
             "$name: to Twilio";
    }



=== many requests on one connection
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    return {};
--- test
    my $client = Voicebridge::HTTP->connect;
    my @request = (POST => '/twilio/outbound-call',
                   headers => { 'X-API-Key' => key() });

    # one after the other, then without waiting; bad ones in between

    for (1 .. 3) {
        $client->send_request(@request, json => order());
        is $client->response->{status}, 200, 'good';

        $client->send_request(@request, body => '{"agent_id":');
        is $client->response->{status}, 400, 'bad';
    }

    $client->send_request(@request, json => order(session_id => "s$_"))
        for 1 .. 5;

    is $client->response->{json}{session_id}, "s$_", "session s$_"
        for 1 .. 5;



=== a body that is too large
--- config
    location = /twilio/outbound-call {
        client_max_body_size 2000;
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    return {};
--- test
    my $large = order(ignored => 'x' x 3000);
    my $limit = qr/client_max_body_size.*2000/;

    is_error(place($large), 413, $limit, 'by its length');
    is_error(place($large, chunked => 100), 413, $limit, 'by its chunks');

    is_error(place($large, headers => { 'X-API-Key' => 'x' }), 401, qr/key/,
             'the key comes first');

    my $answer = http(PUT => '/twilio/outbound-call', json => $large);

    is_error($answer, 405, qr/POST/, 'and the method before it');
    is $answer->{headers}{allow}, 'POST', 'what is allowed';

    is place(order())->{status}, 200, 'one that is not';
--- error_log
client intended to send too large



=== a body that does not fit the TwiML
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    return {};
--- test
    my $with = sub { order(metadata => {
        to_number => number(), dynamic_variables => { v => 'x' x shift } }) };

    is_error(place($with->(4000)), 413, qr/dynamic_variables.*4000/,
             'too many');

    is place($with->(1500))->{status}, 200, 'not too many';

    my $twiml = twilio()->event('request')->{form}{Twiml};

    like $twiml, qr/"dynamic_variables_$_"/, "part $_" for 2, 3;
    cmp_ok length $twiml, '<=', 4000, 'no more than Twilio takes';



=== other modules' errors
--- http_config
    limit_req_zone $server_port zone=orders:32k rate=1r/m;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /denied {
        deny all;
        voicebridge_outbound_call;
    }

    location = /limited {
        limit_req zone=orders;
        limit_req_status 429;
        voicebridge_outbound_call;
    }

    location = /page {
        deny all;
        error_page 403 =418 /teapot;
        voicebridge_outbound_call;
    }

    location = /teapot {
        return 418 "short and stout\n";
    }
--- twilio
    return {};
--- test
    is_error(place(order(), path => '/denied'), 403, qr/denied/, 'deny');

    is place(order(), path => '/limited')->{status}, 200, 'the first';
    is_error(place(order(), path => '/limited'), 429, qr/Too many/,
             'limit_req');

    my $answer = place(order(), path => '/page');
    is $answer->{status}, 418, 'an error_page of somebody';
    is $answer->{body}, "short and stout\n", 'is left to them';



=== chunks that are none
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    return {};
--- test
    for my $body ("zz\r\n", "3\r\n{\"a\r\nzz\r\n") {
        my $client = Voicebridge::HTTP->connect;

        $client->send_request(POST => '/twilio/outbound-call', headers => {
                                  'X-API-Key' => key(),
                                  'Transfer-Encoding' => 'chunked' });
        $client->send_bytes($body);

        is_error($client->response, 400, qr/could not be read/,
                 json()->encode($body));
    }
--- error_log
client sent invalid chunked body



=== credentials that are not configured
--- config
    voicebridge_api_keys $TEST_NGINX_API_KEY;
    voicebridge_twilio_api_url $TEST_NGINX_TWILIO_URL;

    location = /sid {
        voicebridge_twilio_auth_token $TEST_NGINX_AUTH_TOKEN;
        voicebridge_twilio_phone_number $TEST_NGINX_PHONE_NUMBER;
        voicebridge_outbound_call;
    }

    location = /token {
        voicebridge_twilio_account_sid $TEST_NGINX_ACCOUNT_SID;
        voicebridge_twilio_phone_number $TEST_NGINX_PHONE_NUMBER;
        voicebridge_outbound_call;
    }

    location = /number {
        voicebridge_twilio_account_sid $TEST_NGINX_ACCOUNT_SID;
        voicebridge_twilio_auth_token $TEST_NGINX_AUTH_TOKEN;
        voicebridge_twilio_phone_number $arg_none;
        voicebridge_outbound_call;
    }
--- twilio
    return {};
--- test
    my $detail = qr/^Twilio credentials not configured$/;

    is_error(place(order(), path => $_), 500, $detail, $_)
        for qw( /sid /token /number );

    is_error(place('{}', path => '/sid'), 400, qr/agent_id/,
             'the body comes first');

    log_has(qr/no "voicebridge_twilio_$_"/)
        for qw( account_sid auth_token phone_number );



=== keys
--- http_config
    voicebridge_api_keys one,two;
    voicebridge_api_keys " three , four ";
--- config
    voicebridge_twilio_account_sid $TEST_NGINX_ACCOUNT_SID;
    voicebridge_twilio_auth_token $TEST_NGINX_AUTH_TOKEN;
    voicebridge_twilio_phone_number $TEST_NGINX_PHONE_NUMBER;
    voicebridge_twilio_api_url $TEST_NGINX_TWILIO_URL;

    location = /inherited {
        voicebridge_outbound_call;
    }

    location = /own {
        voicebridge_api_keys five;
        voicebridge_outbound_call;
    }

    location = /open {
        voicebridge_api_keys off;
        voicebridge_outbound_call;
    }

    location = /closed {
        voicebridge_api_keys env:NOBODY_SETS_THIS;
        voicebridge_outbound_call;
    }
--- twilio
    return {};
--- test
    my %keys = (
        '/inherited' => [ qw( one two three four ) ],
        '/own'       => [ 'five' ],
        '/open'      => [ qw( one five six ) ],
        '/closed'    => [],
    );

    for my $path (sort keys %keys) {
        my %good = map { $_ => 1 } @{$keys{$path}};

        for my $given ('', 'one,two', qw( one two three four five six )) {
            next if $path eq '/open' && !$good{$given};

            is place(order(), path => $path,
                     headers => { 'X-API-Key' => $given })->{status},
               $good{$given} ? 200 : 401, "$path: \"$given\"";
        }
    }

    is http(POST => '/open', json => order())->{status}, 200,
       'no key at all where none is asked for';



=== an agent of the location
--- http_config
    map $voicebridge_to $agent {
        +15005550009  agent_nine;
        ~^\+49        agent_german;
        default       "";
    }
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /constant {
        voicebridge_agent agent_default;
        voicebridge_outbound_call;
    }

    location = /map {
        voicebridge_agent $agent;
        voicebridge_outbound_call;
    }
--- twilio
    return {};
--- test
    my $agent = sub {
        my ($path, %order) = @_;

        my $answer = place(\%order, path => $path);
        return $answer->{json}{detail} if $answer->{status} != 200;

        return (twilio()->event('request')->{form}{Twiml}
                =~ /name="agent_id" value="([^"]*)"/)[0];
    };

    my $to = sub { (metadata => { to_number => shift }) };

    is $agent->('/constant', $to->(number())), 'agent_default', 'the default';
    is $agent->('/constant', $to->(number()), agent_id => 'mine'), 'mine',
       'the request wins';
    is $agent->('/map', $to->(number())), 'agent_nine', 'by number';
    is $agent->('/map', $to->('+4930123456')), 'agent_german', 'by country';
    is $agent->('/map', $to->('+441234567')), 'agent_id is required', 'none';



=== tenants have accounts of their own
--- http_config
    map $http_x_tenant $sid    { a ACa; b AC%b/..; }
    map $http_x_tenant $token  { a token-a; b token-b; }
    map $http_x_tenant $number { a +15005550001; b +15005550002; }
--- config
    location = /twilio/outbound-call {
        voicebridge_api_keys $TEST_NGINX_API_KEY;
        voicebridge_twilio_api_url $TEST_NGINX_TWILIO_URL/prefix/;
        voicebridge_twilio_account_sid $sid;
        voicebridge_twilio_auth_token $token;
        voicebridge_twilio_phone_number $number;
        voicebridge_outbound_call;
    }
--- twilio
    return { status => 201, body => { sid => 'CA' . '0' x 32,
                                      status => 'queued' } };
--- test
    my %tenants = (
        a => [ 'ACa', 'token-a', '+15005550001', 'ACa' ],
        b => [ 'AC%b/..', 'token-b', '+15005550002', 'AC%25b%2F..' ],
    );

    for my $tenant (sort keys %tenants) {
        my ($sid, $token, $from, $path) = @{$tenants{$tenant}};

        is place(order(), headers => { 'X-Tenant' => $tenant })->{status},
           200, $tenant;

        my $request = twilio()->event('request');

        is $request->{path}, "/prefix/2010-04-01/Accounts/$path/Calls.json",
           'the path';
        is $request->{user}, $sid, 'the user';
        is $request->{password}, $token, 'the password';
        is $request->{form}{From}, $from, 'the number';
    }

    is place(order())->{status}, 500, 'no tenant, no account';



=== a hundred calls while Twilio takes its time
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }

    location = /other {
        return 200 "here\n";
    }
--- twilio
    return { cue => 1 };
--- test
    my @clients = map { Voicebridge::HTTP->connect } 1 .. 100;

    $clients[$_]->send_request(POST => '/twilio/outbound-call',
                               headers => { 'X-API-Key' => key() },
                               json => order(session_id => "s$_"))
        for 0 .. $#clients;

    # Twilio has the last before it answers the first

    twilio()->event('request') for @clients;

    is http(GET => '/other')->{body}, "here\n", 'others are served meanwhile'
        for 1 .. 10;

    ok !IO::Select->new(map { $_->sock } @clients)->can_read(0),
       'and none of them is answered yet';

    twilio()->cue for @clients;

    for (0 .. $#clients) {
        my $answer = $clients[$_]->response;

        is $answer->{status}, 200, "call $_";
        is $answer->{json}{session_id}, "s$_", "call $_: its own answer";
    }



=== a client that leaves
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    return { cue => 1 };
--- test
    my $client = Voicebridge::HTTP->connect;

    $client->send_request(POST => '/twilio/outbound-call',
                          headers => { 'X-API-Key' => key() },
                          json => order(session_id => 'left-alone'));

    twilio()->event('request');
    $client->reset;
    twilio()->cue;

    like log_has(qr/Outbound call initiated/), qr/CA[0-9a-f]{32}.*left-alone/,
         'the call is there and is logged';

    is scalar(grep { $_->{event} eq 'request' } twilio()->events), 1,
       'and only once';
