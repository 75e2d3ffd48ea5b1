# A new binary beside the old one, and then in its place: nginx hands the
# environment on to it only as far as "env" directives name it.

BEGIN {
    # nginx does not look for itself in PATH
    ($ENV{TEST_NGINX_BINARY}) = grep { -x } map { "$_/nginx" }
                                split(/:/, $ENV{PATH}), '/usr/sbin'
        unless $ENV{TEST_NGINX_BINARY};
}

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );

master_on();
workers(1);

$ENV{UPGRADE_API_KEY} = 'key-of-the-environment';
$ENV{ENVIRONMENT} = 'production';
$ENV{HOST} = 'upgrade.example.com';

run_tests();

__DATA__

=== what is read of the environment outlives the binary
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        voicebridge_api_keys env:UPGRADE_API_KEY;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    return {};
--- test
    my $place = sub {
        my $name = shift;

        my $answer = http(POST => '/twilio/outbound-call',
            headers => { 'X-API-Key' => $ENV{UPGRADE_API_KEY} },
            json => { agent_id => 'agent_1',
                      metadata => { to_number => '+15005550009' } });

        is $answer->{status}, 200, "$name: the key is known";
        like twilio()->event('request')->{form}{Twiml},
             qr{wss://upgrade\.example\.com/}, "$name: and the server's name";
    };

    $place->('the old one');

    my $old = nginx_pid();

    kill 'USR2', $old;
    log_has(qr/start new binary process/);
    log_has(qr/ (?!$old)\d+#\d+: start worker processes/);

    kill 'QUIT', $old;
    log_has(qr/ $old#\d+: exit$/);

    $place->('the new one');
