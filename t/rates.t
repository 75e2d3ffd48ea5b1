# nginx's own limits, by what is known of a call: limit_req and limit_conn,
# which look before access is decided and before anybody answers.

use Voicebridge::Test;
use Voicebridge::HTTP qw( base http );

use File::Temp ();
use FindBin ();

my $sid = 'CA' . '0123456789abcdef' x 2;

sub sid { return $sid }

sub key { return $ENV{TEST_NGINX_API_KEY} }


# a request of a call

sub order {
    my ($to, %o) = @_;

    return { agent_id => 'agent_1', metadata => { to_number => $to }, %o };
}

sub request {
    my ($to, %o) = @_;

    my %how = map { $_ => delete $o{$_} }
              grep { exists $o{$_} }
                  qw( body chunked headers head_only path pieces );
    my %body = exists $how{body} ? () : (json => order($to, %o));

    return (POST => delete $how{path} // '/twilio/outbound-call', %how, %body,
            headers => { 'X-API-Key' => key(), %{$how{headers} // {}} });
}

sub place { return http(request(@_)) }


# one that goes on while others are asked

sub placing {
    my $client = Voicebridge::HTTP->connect;

    $client->send_request(request(@_));

    return $client;
}


# a form that Twilio has signed

sub told {
    my ($path, %o) = @_;

    return http(POST => $path, token => $ENV{TEST_NGINX_AUTH_TOKEN},
                form => [ CallSid => $sid, From => '+15005550009',
                          To => '+15005550006', @{delete $o{form} // []} ],
                %o);
}


# the example's calling hours, by what the request says of the time

{
    open my $in, '<', "$FindBin::Bin/../nginx.conf.example"
        or die "nginx.conf.example: $!\n";

    ($ENV{TEST_NGINX_HOURS}) = join('', <$in>) =~
        /^(\s*map \$time_iso8601 \$closed \{.*?^\s*\})$/ms
        or die "no calling hours in nginx.conf.example\n";

    $ENV{TEST_NGINX_HOURS_ASKED} =
        $ENV{TEST_NGINX_HOURS} =~ s/\$time_iso8601\s+\$closed\b
                                   /\$http_x_time \$closed_then/xr;
}

sub asked {
    return scalar grep { $_->{event} eq 'request' } twilio()->events;
}

run_tests();

__DATA__

=== a number is not called twice a minute
--- numbers
--- http_config
    limit_req_zone $voicebridge_to zone=numbers:64k rate=1r/m;
    limit_req_status 429;

    log_format line "to=$voicebridge_to_masked agent=$voicebridge_agent_id "
                    "session=$voicebridge_session_id $status";
--- config
    $TEST_NGINX_VOICEBRIDGE
    access_log logs/line.log line;

    location = /twilio/outbound-call {
        limit_req zone=numbers;
        voicebridge_outbound_call;
    }
--- twilio
    return {};
--- test
    is place('+15005550001')->{status}, 200, 'the first call';

    my $answer = place('+15005550001', session_id => 's2');

    is $answer->{status}, 429, 'the second to the same number';
    is_deeply $answer->{json}, { detail => 'Too many requests' },
              'is told so in JSON';
    is place('+15005550002')->{status}, 200, 'one to another';
    is asked(), 2, 'Twilio was asked for two';

    # what is no request of a call has no number to be limited by

    for (1 .. 2) {
        $answer = place('', body => '{"agent_id":');
        is $answer->{status}, 400, 'a body that is none';
        like $answer->{json}{detail}, qr/JSON/, 'and why';

        $answer = place('0123');
        is $answer->{status}, 400, 'a number that is none';
        like $answer->{json}{detail}, qr/to_number.*E\.164/, 'and why';
    }

    is place('+15005550003', headers => { 'X-API-Key' => 'x' })->{status},
       401, 'without a key';
    is place('+15005550003')->{status}, 200, 'nobody has called that number';

    my $file = server_root() . '/logs/line.log';

    Voicebridge::Test::file_has($file,
                      qr/^to=\+\*{7}0001 agent=agent_1 session=s2 429$/);
    pass 'the log knows who was refused';
    Voicebridge::Test::file_has($file, qr/^to=- agent=- session=- 400$/);
    Voicebridge::Test::file_has($file, qr/^to=- agent=- session=- 401$/);
    pass 'and nothing of what was not understood or not believed';
--- error_log
limiting requests



=== bodies in every form, over every protocol
--- numbers
--- http_config
    limit_req_zone $voicebridge_to zone=numbers:64k rate=1r/m;
    limit_req_status 429;

    server {
        listen 127.0.0.1:$TEST_NGINX_TLS_PORT http2;

        location = /twilio/outbound-call {
            limit_req zone=numbers;
            voicebridge_outbound_call;
            $TEST_NGINX_VOICEBRIDGE
        }
    }
--- config
    $TEST_NGINX_VOICEBRIDGE
    client_body_buffer_size 1k;
    limit_req zone=numbers;

    location = /twilio/outbound-call { voicebridge_outbound_call; }

    location = /file {
        client_body_in_file_only clean;
        voicebridge_outbound_call;
    }

    location = /elsewhere { try_files /nothing /twilio/outbound-call; }
--- twilio
    return {};
--- test
    my %long = (ignored => 'x' x 20_000);
    my $expect = { Expect => '100-continue' };

    my %cases = (
        'pieces'           => [ pieces => [ 300, 9, 1 ] ],
        'chunks'           => [ chunked => 10 ],
        'chunks in pieces' => [ chunked => 100, pieces => [ 13 ] ],
        'a temporary file' => [ %long ],
        'a file by chunks' => [ %long, chunked => 999 ],
        'a small file'     => [ path => '/file' ],
        'a redirect'       => [ path => '/elsewhere' ],
    );

    my $n = 15005550100;

    for my $name (sort keys %cases) {
        my $to = '+' . $n++;

        is place($to, @{$cases{$name}})->{status}, 200, $name;
        is twilio()->event('request')->{form}{To}, $to, "$name: to Twilio";
        is place($to, @{$cases{$name}})->{status}, 429, "$name: not twice";
    }

    # a request and the one behind it, on one connection

    my $client = Voicebridge::HTTP->connect;

    $client->send_request(request('+15005550200')) for 1 .. 2;
    $client->send_request(request('+15005550201'));
    is join(' ', map { $client->response->{status} } 1 .. 3), '200 429 200',
       'without waiting';

    # HTTP/2, with a body that comes in frames and none at all

    my $url = "http://127.0.0.1:$ENV{TEST_NGINX_TLS_PORT}"
              . '/twilio/outbound-call';
    my $json = Voicebridge::WebSocket::json()
               ->encode(order('+15005550202', ignored => 'x' x 50_000));

    my $curl = sub {
        open my $out, '-|', 'curl', '-s', '--http2-prior-knowledge',
             '-o', '/dev/null', '-w', '%{http_version} %{http_code}',
             '-H', 'X-API-Key: ' . key(), @_, $url or die "curl: $!\n";
        return scalar readline $out;
    };

    my $body = File::Temp->new;

    print $body $json;
    close $body;

    is $curl->('--data-binary', "\@$body"), '2 200', 'HTTP/2';
    is $curl->('--data-binary', "\@$body"), '2 429', 'not twice';
    is $curl->('-X', 'POST'), '2 400', 'HTTP/2 without a body';
--- error_log
limiting requests



=== what is refused without its body is not waited for
--- http_config
    limit_req_zone $voicebridge_to zone=numbers:64k rate=1r/m;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        limit_req zone=numbers;
        voicebridge_outbound_call;
    }

    location = /denied {
        deny all;
        limit_req zone=numbers;
        voicebridge_outbound_call;
    }

    location = /twilio/incoming-call {
        limit_req zone=numbers;
        voicebridge_incoming_call;
        voicebridge_agent agent_1;
    }
--- twilio
    return {};
--- test
    my @later = (body => '', head_only => 1);
    my @headers = ('Content-Length' => 1000);

    is place('', @later, headers => { @headers, 'X-API-Key' => 'x' })
           ->{status}, 401, 'a wrong key';

    my $answer = http(PUT => '/twilio/outbound-call', @later,
                      headers => { @headers });

    is $answer->{status}, 405, 'not POST';
    is $answer->{headers}{allow}, 'POST', 'what is allowed';

    # as nginx does it: who may not come in hears of nothing else

    $answer = place('', @later, path => '/denied',
                    headers => { @headers, 'X-API-Key' => 'x' });
    is $answer->{status}, 403, 'denied';

    $answer = http(PUT => '/denied', @later, headers => { @headers });
    is $answer->{status}, 403, 'denied, too';
    ok !exists $answer->{headers}{allow}, 'and nothing of what is allowed';
    is place('+15005550001', path => '/denied')->{status}, 403,
       'with a good key';

    is http(POST => '/twilio/incoming-call', @later,
            headers => { @headers, 'Content-Type' =>
                                   'application/x-www-form-urlencoded' })
           ->{status}, 403, 'no signature';

    # and one that is waited for is asked for

    my $client = Voicebridge::HTTP->connect;
    my $json = Voicebridge::WebSocket::json()->encode(order('+15005550002'));

    $client->send_request(request('', body => $json, head_only => 1, headers =>
        { Expect => '100-continue', 'Content-Length' => length $json }));
    is $client->response->{status}, 100, 'go on';
    $client->send_bytes($json);
    is $client->response->{status}, 200, 'a call';



=== who leaves while the body comes, or while waiting for a turn
--- http_config
    limit_req_zone $voicebridge_to zone=numbers:64k rate=6r/m;
    limit_conn_zone $voicebridge_agent_id zone=agents:64k;
--- config
    $TEST_NGINX_VOICEBRIDGE
    client_body_timeout 200ms;

    location = /twilio/outbound-call {
        limit_req zone=numbers burst=5;
        limit_conn agents 3;
        voicebridge_outbound_call;
    }
--- twilio
    return {};
--- test
    my %part = (body => '{"agent_id":', headers =>
                { 'X-API-Key' => key(), 'Content-Length' => 100 });

    for (1 .. 5) {
        placing('', %part)->disconnect;
        placing('', %part)->reset;
    }

    is placing('', %part)->response, undef, 'or is too slow';

    # the next one would have its turn in ten seconds

    is place('+15005550001')->{status}, 200, 'the first';

    for (1 .. 3) {
        my $client = placing('+15005550001');

        log_has(qr/delaying request/);
        $client->reset;
    }

    is place('+15005550002')->{status}, 200,
       'none of them is in the way of others';
    is asked(), 2, 'nor was Twilio asked for one';
--- error_log
delaying request



=== as many requests at a time as an agent has lines
--- http_config
    limit_conn_zone $voicebridge_agent_id zone=agents:64k;
    limit_conn_status 429;
--- config
    $TEST_NGINX_VOICEBRIDGE
    limit_conn agents 1;
    voicebridge_twilio_timeout 5s;

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }

    location = /one {
        voicebridge_outbound_call;
        voicebridge_agent agent_1;
    }
--- twilio
    return { never => 1 } if $request->{form}{To} =~ /1$/;
    return {};
--- test
    my $first = placing('+15005550001');

    twilio()->event('request');

    is place('+15005550002')->{status}, 429, 'another for the same agent';
    is place('+15005550002', path => '/one')->{status}, 429,
       'and this agent named elsewhere';

    my $answer = http(POST => '/one', headers => { 'X-API-Key' => key() },
                      json => { metadata => { to_number => '+15005550002' } });

    is $answer->{status}, 429, 'it is the agent of the location, too';
    is place('+15005550002', agent_id => 'agent_2')->{status}, 200,
       'for another agent';

    is $first->response->{status}, 504, 'the first is over';
    is place('+15005550002')->{status}, 200, 'so there is room';
--- error_log
limiting connections



=== callers and calls, as Twilio tells of them
--- numbers
--- http_config
    limit_req_zone $voicebridge_from zone=callers:64k rate=1r/m;
    limit_req_zone $voicebridge_call_sid$voicebridge_status
                   zone=calls:64k rate=1r/m;
    limit_req_status 429;

    log_format line "$voicebridge_from_masked $voicebridge_direction "
                    "$voicebridge_agent_id $voicebridge_status $status";
--- config
    $TEST_NGINX_VOICEBRIDGE
    access_log logs/line.log line;

    location = /twilio/incoming-call {
        limit_req zone=callers;
        voicebridge_incoming_call;
        voicebridge_agent agent_1;
    }

    location = /twilio/call-status {
        limit_req zone=calls;
        voicebridge_call_status;
    }
--- test
    # what somebody else says counts for nothing

    is http(POST => '/twilio/incoming-call', headers =>
            { 'X-Twilio-Signature' => 'A' x 27 . '=' },
            form => [ From => '+15005550009' ])->{status}, 403, 'mis-signed'
        for 1 .. 2;

    is told('/twilio/incoming-call')->{status}, 200, 'a call';
    is told('/twilio/incoming-call')->{status}, 429, 'the same caller again';

    my $query = 'From=%2B15005550009';
    my $signature = Voicebridge::Phone::signature(
        $ENV{TEST_NGINX_AUTH_TOKEN}, base() . "/twilio/incoming-call?$query");

    is http(GET => "/twilio/incoming-call?$query",
            headers => { 'X-Twilio-Signature' => $signature })->{status}, 429,
       'by GET as well';

    my $line = log_has(qr/limiting requests.*"GET/);

    unlike $line, qr/5005550009/, 'whose number is in no log';

    Voicebridge::Test::file_has(server_root() . '/logs/line.log',
                                qr/^\+\*{7}0009 inbound agent_1 - 429$/);
    pass 'but for the last digits';

    my @status = map {
        told('/twilio/call-status', form => [ CallStatus => $_ ])->{status};
    } qw( ringing ringing in-progress );

    is "@status", '204 429 204', 'callbacks, by call and what is told of it';
--- error_log
limiting requests



=== what only access control knows is not asked for before
--- http_config
    map $tenant $tenants_agent {
        default  "";
        a        agent_a;
    }

    map $tenant $tenants_number {
        default  "";
        a        +15005550007;
    }

    limit_req_zone $voicebridge_to zone=numbers:64k rate=1r/m;
    limit_req_status 429;
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        auth_request /who;
        limit_req zone=numbers;

        voicebridge_outbound_call;
        voicebridge_agent $tenants_agent;
        voicebridge_twilio_phone_number $tenants_number;
    }

    location = /who {
        set $tenant a;
        return 204;
    }
--- twilio
    return {};
--- test
    my @request = (POST => '/twilio/outbound-call',
                   headers => { 'X-API-Key' => key() },
                   json => { metadata => { to_number => '+15005550001' } });

    is http(@request)->{status}, 200, 'a call';

    my $form = twilio()->event('request')->{form};

    like $form->{Twiml}, qr/"agent_a"/, 'for the agent of who it is';
    is $form->{From}, '+15005550007', 'from the number of who it is';

    is http(@request)->{status}, 429, 'and limited';
--- error_log
limiting requests



=== the hours of the example
--- http_config
$TEST_NGINX_HOURS
$TEST_NGINX_HOURS_ASKED
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        voicebridge_deny $closed_then;
    }

    location = /now {
        voicebridge_outbound_call;
        voicebridge_deny $closed;
    }
--- twilio
    return {};
--- test
    my $at = sub { place('+15005550001', headers => { 'X-Time' => shift }) };

    is $at->("2026-01-31T$_+02:00")->{status}, 200, "$_: open"
        for qw( 08:00:00 09:59:59 10:00:00 12:34:56 19:59:59 );

    for (qw( 00:00:00 07:59:59 20:00:00 23:59:59 )) {
        my $answer = $at->("2026-01-31T$_-05:00");

        is $answer->{status}, 403, "$_: closed";
        is $answer->{json}{detail},
           'nobody is called before 8:00 and after 20:00', "$_: and why";
    }

    # and by the clock of the server, which may strike meanwhile

    my $open = sub { my $hour = (localtime)[2];
                     return $hour >= 8 && $hour < 20 ? 200 : 403 };

    my $before = $open->();
    my $now = place('+15005550001', path => '/now')->{status};
    my $after = $open->();

    ok $now == $before || $now == $after, 'now';



=== when a limit leads elsewhere
--- numbers
--- http_config
    limit_req_zone $voicebridge_to zone=numbers:64k rate=1r/m;
    limit_req_status 429;

    log_format line "to=$voicebridge_to $voicebridge_agent_id $status";
--- config
    $TEST_NGINX_VOICEBRIDGE
    access_log logs/line.log line;

    location = /page {
        limit_req zone=numbers;
        error_page 429 = /sorry;
        voicebridge_outbound_call;
    }

    location = /sorry {
        return 200 "not $voicebridge_to again";
    }

    location = /other {
        limit_req zone=numbers;
        error_page 429 = @other;
        voicebridge_outbound_call;
    }

    location @other {
        voicebridge_outbound_call;
        voicebridge_twilio_phone_number +15005550008;
    }

    location = /mirrored {
        mirror /mirror;
        voicebridge_outbound_call;
    }

    location = /mirror {
        voicebridge_outbound_call;
        voicebridge_twilio_phone_number +15005550008;
    }
--- twilio
    return {};
--- test
    is place('+15005550001', path => '/page')->{status}, 200, 'a call';
    is place('+15005550001', path => '/page')->{body},
       'not +15005550001 again', 'a page knows the number';

    is place('+15005550002', path => '/other')->{status}, 200, 'another';
    is twilio()->event('request')->{form}{From}, '+15005550006', 'from one';
    twilio()->event('request');
    is place('+15005550002', path => '/other', agent_id => 'agent_2')
           ->{status}, 200, 'again, by another location of ours';

    my $form = twilio()->event('request')->{form};

    is $form->{From}, '+15005550008', 'which has its own number';
    like $form->{Twiml}, qr/"agent_2"/, 'and read the request';
    Voicebridge::Test::file_has(server_root() . '/logs/line.log',
                                qr/^to=\+15005550002 agent_2 200$/);

    is place('+15005550003', path => '/mirrored')->{status}, 200,
       'a request that is mirrored';
    is join(' ', sort map { twilio()->event('request')->{form}{From} } 1, 2),
       '+15005550006 +15005550008', 'is one of each location';
--- error_log
limiting requests
