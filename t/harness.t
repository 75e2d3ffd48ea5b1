#!/usr/bin/perl

# The sections that Voicebridge::Test adds, tried on nginx itself.

use Voicebridge::Test;

run_tests();

__DATA__

=== TEST 1: a phone, nginx and an agent
--- config
    location = /twilio/media-stream {
        proxy_pass          $TEST_NGINX_AGENT_URL/v1/convai/conversation;
        proxy_http_version  1.1;
        proxy_set_header    Upgrade $http_upgrade;
        proxy_set_header    Connection "upgrade";
    }
--- agent
my $socket = $agent->socket;

$socket->note(event => 'start', message => $socket->recv_json);
$socket->send_json({ event => 'mark', mark => { name => 'one' },
                     streamSid => 'MZ1' });
$socket->recv_close;
--- test
my $phone = phone(stream_sid => 'MZ1')->connect;

$phone->start(parameters => { agent_id => 'agent_1' });
is $phone->recv_event('mark')->{mark}{name}, 'one', 'the phone got its mark';

$phone->send_close(1000);
is(($phone->recv_close)[0], 1000, 'and its close');

is agent->event('start')->{message}{start}{customParameters}{agent_id},
   'agent_1', 'the agent its message';

agent->finish;
like log_has('http upstream'), qr/debug/, 'the log can be waited for';
--- no_error_log
[error]



=== TEST 2: over TLS
--- config
    location = /twilio/media-stream {
        proxy_pass          $TEST_NGINX_AGENT_URL/v1/convai/conversation;
        proxy_http_version  1.1;
        proxy_set_header    Upgrade $http_upgrade;
        proxy_set_header    Connection "upgrade";

        proxy_ssl_verify               on;
        proxy_ssl_trusted_certificate  $TEST_NGINX_CERTIFICATES/ca.crt;
        proxy_ssl_name                 localhost;
        proxy_ssl_server_name          on;
    }
--- agent_options
tls => 'good'
--- agent
$agent->socket->recv_close;
--- test
my $phone = phone()->connect;

$phone->send_close(1001);
$phone->recv_close;

is agent->event('close')->{code}, 1001, 'the agent got the close';
is agent->event('tls')->{name}, 'localhost', 'over TLS';
--- no_error_log
[error]



=== TEST 3: requests and a mock of the REST API
--- config
    location /2010-04-01/ {
        proxy_pass          $TEST_NGINX_TWILIO_URL;
        proxy_http_version  1.1;
    }
--- twilio
return { status => 400, body => { code => 21211, path => $request->{path} } };
--- request
    POST /2010-04-01/Accounts/AC1/Calls.json
To=1
--- response_body chomp
{"code":21211,"path":"/2010-04-01/Accounts/AC1/Calls.json"}
--- error_code: 400
--- no_error_log
[error]
