# Calls that are being placed while nginx reloads or stops.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );

master_on();
workers(1);


# a request that Twilio has and has not answered

sub placing {
    my $client = Voicebridge::HTTP->connect;

    $client->send_request(POST => '/twilio/outbound-call',
                          headers => { 'X-API-Key' =>
                                       $ENV{TEST_NGINX_API_KEY} },
                          json => { agent_id => 'agent_1',
                                    metadata => {
                                        to_number => '+15005550009' } });
    twilio()->event('request');

    return $client;
}

sub signal { kill shift, nginx_pid() }

run_tests();

__DATA__

=== a reload
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
    my $client = placing();

    signal('HUP');
    log_has(qr/gracefully shutting down/);

    is http(GET => '/other')->{body}, "here\n", 'the new worker serves';

    twilio()->cue;
    is $client->response->{status}, 200, 'the old one has not forgotten';

    # nginx waits for clients to close first
    $client->disconnect;
    log_has(qr/exited with code 0/);

    $client = placing();
    twilio()->cue;
    is $client->response->{status}, 200, 'and the new one places calls, too';



=== a client that leaves and a reload
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    return { cue => 1 };
--- test
    placing()->reset;
    signal('HUP');
    log_has(qr/gracefully shutting down/);
    twilio()->cue;

    like log_has(qr/Outbound call initiated/), qr/CA[0-9a-f]{32}/,
         'the call is logged';
    log_has(qr/exited with code 0/);



=== a quiet end
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    return { cue => 1 };
--- test
    my $client = placing();

    signal('QUIT');
    log_has(qr/gracefully shutting down/);
    twilio()->cue;

    is $client->response->{status}, 200, 'answered before';



=== a quick end
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    return { never => 1 };
--- test
    my $client = placing();

    signal('TERM');

    is $client->response, undef, 'no answer';
    like log_has(qr/\[error\].*worker exits/), qr/may have been carried out/,
         'nor a call that nobody knows of';
