# Twilio's callbacks at a location with voicebridge_call_status.

use Voicebridge::Test;
use Voicebridge::HTTP qw( base http );

my $sid = 'CA' . '0123456789abcdef' x 2;
my $stream = 'MZ' . 'fedcba9876543210' x 2;

sub sid { return $sid }
sub stream { return $stream }

sub callback {
    return http(POST => '/twilio/call-status', form => \@_,
                token => $ENV{TEST_NGINX_AUTH_TOKEN});
}

run_tests();

__DATA__

=== what becomes of a call
--- config
    location = /twilio/call-status {
        voicebridge_call_status;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    my @call = (CallSid => sid(), From => '+15005550006',
                To => '+15005550009', Direction => 'outbound-api');

    my %lines = (
        'status ringing'          => [ CallStatus => 'ringing' ],
        'status busy, SIP 486'    => [ CallStatus => 'busy',
                                       SipResponseCode => 486 ],
        'status completed, duration 62'
                                  => [ CallStatus => 'completed',
                                       CallDuration => 62 ],
        'status in-progress, answered by machine_start'
                                  => [ CallStatus => 'in-progress',
                                       AnsweredBy => 'machine_start' ],
        'stream stream-started'   => [ StreamEvent => 'stream-started',
                                       StreamSid => stream() ],
        'stream stream-stopped'   => [ StreamEvent => 'stream-stopped',
                                       StreamSid => stream() ],
    );

    for my $line (sort keys %lines) {
        my $answer = callback(@call, @{$lines{$line}});

        is $answer->{status}, 204, $line;
        is $answer->{body}, '', "$line: nothing to say";

        my $log = log_has(qr/\[info\].*Call status of ${\sid()}: $line while/);

        unlike $log, qr/1500555000/, "$line: no numbers";
    }



=== why a stream could not be opened
--- config
    location = /twilio/call-status {
        voicebridge_call_status;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    is callback(CallSid => sid(), StreamSid => stream(),
                StreamEvent => 'stream-error',
                StreamError => "31920\nhandshake of +15005550009 failed"
                               . 'x' x 5000)->{status}, 204, 'taken';

    my $line = log_has(qr/\[error\].*Call status of/);

    like $line, qr/stream-error, error 31920 handshake of \+\*+0009 failedx/,
         'in one line';
    cmp_ok length $line, '<', 600, 'of a bearable length';



=== who may tell
--- config
    location = /twilio/call-status {
        voicebridge_call_status;
        $TEST_NGINX_VOICEBRIDGE
    }

    location = /anyone {
        voicebridge_call_status;
        voicebridge_verify_signature off;
    }
--- test
    my @post = (POST => '/twilio/call-status',
                form => [ CallSid => sid(), CallStatus => 'ringing' ]);

    is http(@post)->{status}, 403, 'unsigned';
    is http(@post, token => 'x')->{status}, 403, 'signed by somebody else';
    is http(@post, token => $ENV{TEST_NGINX_AUTH_TOKEN})->{status}, 204,
       'signed';
    is http(POST => '/anyone', form => [ CallStatus => 'ringing' ])->{status},
       204, 'unsigned where nobody asks';
    is http(PUT => '/anyone')->{status}, 405, 'PUT';

    my $query = '/twilio/call-status?CallStatus=busy&CallSid=' . sid();

    is http(GET => $query, token => $ENV{TEST_NGINX_AUTH_TOKEN})->{status},
       204, 'GET';
    log_has(qr/Call status of ${\sid()}: status busy/);



=== what is written by somebody else is not trusted
--- config
    location = /anyone {
        voicebridge_call_status;
        voicebridge_verify_signature off;
    }
--- test
    is http(POST => '/anyone', form => [
                CallSid => "CA\n2026/01/01 [notice] forged",
                CallStatus => "fine\n2026/01/01 [notice] forged\xc2\x9b31m",
            ])->{status}, 204, 'taken';

    my $line = log_has(qr/Call status/);

    like $line, qr/Call status of -: status fine 2026/, 'as one line';
    unlike $line, qr/^2026.01.01/m, 'not as another';
    like $line, qr/forged +31m/, 'and no terminal is told anything';
