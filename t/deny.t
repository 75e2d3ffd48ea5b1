# voicebridge_deny: who is not called, by what is known of the call.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );
use Voicebridge::Metrics qw( metrics );

sub place {
    my ($to, %o) = @_;

    return http(POST => $o{path} // '/twilio/outbound-call',
                headers => { 'X-API-Key' => $ENV{TEST_NGINX_API_KEY},
                             'X-Office' => '10.1.2.3',
                             %{$o{headers} // {}} },
                json => { agent_id => $o{agent_id} // 'agent_1',
                          session_id => 'session-1',
                          metadata => { to_number => $to } });
}

sub is_denied {
    my ($answer, $why, $name) = @_;

    is $answer->{status}, 403, "$name: denied";
    is_deeply $answer->{json}, { detail => $why }, "$name: $why";
}

sub asked {
    return scalar grep { $_->{event} eq 'request' } twilio()->events;
}

run_tests();

__DATA__

=== lists, prefixes, hours, addresses
--- http_config
    voicebridge_zone voicebridge:1m;

    map $voicebridge_to $do_not_call {
        +15005550009  "this number does not want to be called";
        default       "";
    }

    map $voicebridge_to $premium {
        ~^\+1900      "premium numbers are not called";
        ~^\+49900     "premium numbers are not called";
    }

    map $http_x_time $closed {
        ~T(0[89]|1[0-7]):  "";
        ""                 "";
        default            "nobody is called between 18:00 and 8:00";
    }

    geo $http_x_office $elsewhere {
        default       "calls are placed from the office only";
        10.0.0.0/8    0;
    }

    map $voicebridge_agent_id:$voicebridge_from $agents {
        agent_2:+15005550006  "agent_2 calls nobody from $voicebridge_from";
    }
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        voicebridge_deny $do_not_call $premium;
        voicebridge_deny $elsewhere $closed;
        voicebridge_deny $agents;
    }

    location = /metrics { voicebridge_metrics; }
--- twilio
    return {};
--- test
    is place('+15005550001')->{status}, 200, 'a good one';
    is place('+15005550001', headers =>
             { 'X-Time' => '2026-01-02T09:59:59+00:00' })->{status},
       200, 'at a good time';

    my $asked = asked();

    is_denied(place('+15005550009'),
              'this number does not want to be called', 'a list');
    is_denied(place($_), 'premium numbers are not called', "prefix $_")
        for '+19005550009', '+499005550009';
    is_denied(place('+15005550001', headers =>
                    { 'X-Time' => '2026-01-02T18:00:00+00:00' }),
              'nobody is called between 18:00 and 8:00', 'hours');

    is_denied(place('+15005550001', headers => { 'X-Office' => '11.1.2.3' }),
              'calls are placed from the office only', 'an address');

    # what is in a text is no way for a number to get out
    is_denied(place('+15005550001', agent_id => 'agent_2'),
              'agent_2 calls nobody from +*******0006', 'several things');

    is asked(), $asked, 'Twilio was not asked';

    my $line = log_has(qr/\[warn\].*session-1, denied/);

    like $line, qr/call to \+\*+0009, .*"voicebridge_deny": this number does/,
         'the log says who and why';

    my $m = metrics();

    is $m->{'voicebridge_outbound_requests_total{status="403"}'}, 6,
       'counted';
    is $m->{'voicebridge_outbound_requests_total{status="200"}'}, 2,
       'the others, too';



=== after the body, before the credentials
--- config
    voicebridge_api_keys $TEST_NGINX_API_KEY;
    voicebridge_deny $arg_why;

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }

    location = /own {
        voicebridge_outbound_call;
        voicebridge_deny 0;
        voicebridge_deny "" 00;
    }
--- test
    my $path = '/twilio/outbound-call';

    is_denied(place('+15005550001', path => "$path?why=no"), 'no',
              'not configured, but denied first');

    is place('+15005550001', path => "$path?why=$_")->{status}, 500,
       "\"$_\" does not deny" for '', '0';
    is place('1', path => "$path?why=no")->{status}, 400, 'a bad body first';
    is http(POST => "$path?why=no", json => {})->{status}, 401,
       'a key before all';

    is_denied(place('+15005550001', path => '/own?why=no'), '00',
              'a location has its own values, and their order counts');
    is_denied(place('+15005550001', path => "$path?why=" . 'x' x 5000),
              'x' x 512, 'a long one');
--- error_log
Twilio credentials not configured



=== nothing to deny with
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        voicebridge_deny;
    }
--- must_die
--- error_log
invalid number of arguments in "voicebridge_deny" directive
