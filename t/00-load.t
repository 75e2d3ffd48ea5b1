#!/usr/bin/perl

# The module loads into nginx, and nginx serves with it.

use Voicebridge::Test;

run_tests();

__DATA__

=== TEST 1: nginx runs with the module loaded
--- config
    location = /t {
        return 200 "served\n";
    }
--- request
    GET /t
--- response_body
served
--- no_error_log
[error]



=== TEST 2: the directives are known
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }

    location = /t {
        return 200 "served\n";
    }
--- request
    GET /t
--- response_body
served
--- no_error_log
[error]



=== TEST 3: an unknown value is refused when the configuration is read
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        voicebridge_verify_signature perhaps;
    }
--- must_die
--- suppress_stderr
--- error_log
invalid value "perhaps"
[emerg]
