# The variables of contract section 3, where no call is going on.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );
use Voicebridge::WebSocket qw( deadline_after );

use Time::HiRes qw( sleep time );

my $sid = 'CA' . '0123456789abcdef' x 2;

sub sid { return $sid }


# a request that Twilio has signed, and its line in the access log

sub incoming {
    my ($path, %o) = @_;

    return http(POST => $path, token => $ENV{TEST_NGINX_AUTH_TOKEN},
                form => [ CallSid => $sid, CallStatus => 'ringing',
                          From => '+15005550009', To => '+15005550006' ], %o);
}

# the next line of the access log, which is written after the answer was sent

my ($log, $line);

add_block_preprocessor(sub { undef $log });

sub next_line {
    my $path = server_root() . '/logs/line.log';
    my $deadline = deadline_after();

    if (!$log) {
        open $log, '<', $path or die "$path: $!\n";
        $line = '';
    }

    while ($line !~ /\n/) {
        my $more = <$log>;

        if (defined $more) {
            $line .= $more;
            next;
        }

        die "no line in the access log\n" if time() > $deadline;

        sleep 0.01;
        seek $log, 0, 1;
    }

    $line =~ s/^(.*)\n//;

    return $1;
}

run_tests();

__DATA__

=== of a request that is none of ours
--- config
    location = /other {
        set $all "";
        set $all "$all.$voicebridge_call_sid.$voicebridge_stream_sid";
        set $all "$all.$voicebridge_session_id.$voicebridge_agent_id";
        set $all "$all.$voicebridge_conversation_id.$voicebridge_direction";
        set $all "$all.$voicebridge_from.$voicebridge_to";
        set $all "$all.$voicebridge_status.$voicebridge_end_reason";
        set $all "$all.$voicebridge_first_audio_time";
        set $all "$all.$voicebridge_interruptions";
        set $all "$all.$voicebridge_caller_audio_time";
        set $all "$all.$voicebridge_agent_audio_time";
        set $all "$all.$voicebridge_from_masked.$voicebridge_to_masked";
        return 200 "$all";
    }
--- request
    GET /other
--- response_body chop
................



=== of an incoming call, in the access log
--- numbers
--- http_config
    log_format line  "$voicebridge_call_sid $voicebridge_stream_sid "
                     "$voicebridge_session_id $voicebridge_agent_id "
                     "$voicebridge_conversation_id $voicebridge_direction "
                     "$voicebridge_from $voicebridge_to "
                     "$voicebridge_from_masked $voicebridge_to_masked "
                     "$voicebridge_status $voicebridge_end_reason "
                     "$voicebridge_first_audio_time "
                     "$voicebridge_interruptions "
                     "$voicebridge_caller_audio_time "
                     "$voicebridge_agent_audio_time $status";
--- config
    access_log logs/line.log line;

    location = /incoming {
        voicebridge_incoming_call;
        voicebridge_agent agent_1;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    my $answer = incoming('/incoming');
    my ($session) = $answer->{body} =~ /name="session_id" value="([^"]+)"/;

    is next_line(), sid() . " - $session agent_1 - inbound "
                    . '+15005550009 +15005550006 +*******0009 +*******0006 '
                    . 'ringing - - - - - 200', 'all of it';

    is http(POST => '/incoming', form => [ From => '+15005550009' ])
           ->{status}, 403, 'unsigned';
    is next_line(), '- - - - - - - - - - - - - - - - 403',
       'what is not signed is not believed';



=== of an outbound call
--- numbers
--- http_config
    log_format line  "$voicebridge_call_sid $voicebridge_session_id "
                     "$voicebridge_agent_id $voicebridge_direction "
                     "$voicebridge_from $voicebridge_to $voicebridge_status "
                     "$status";
--- config
    access_log logs/line.log line;

    location = /outbound {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    return { status => 400, body => { code => 21211, message => 'no' } }
        if $request->{form}{To} =~ /7$/;
    return {};
--- test
    my $place = sub {
        http(POST => '/outbound',
             headers => { 'X-API-Key' => $ENV{TEST_NGINX_API_KEY} },
             json => { agent_id => 'agent_1', session_id => 's1',
                       metadata => { to_number => shift } });
    };

    my $call = $place->('+15005550009')->{json}{call_sid};

    is next_line(), "$call s1 agent_1 outbound +15005550006 +15005550009 "
                    . 'queued 200', 'placed';

    $place->('+15005550007');
    is next_line(), '- s1 agent_1 outbound +15005550006 +15005550007 400 400',
       'refused by Twilio';

    $place->('5');
    is next_line(), '- - - - - - - 400', 'refused by us';



=== of a callback
--- http_config
    log_format line  "$voicebridge_call_sid $voicebridge_stream_sid "
                     "$voicebridge_direction $voicebridge_status $status";
--- config
    access_log logs/line.log line;

    location = /status {
        voicebridge_call_status;
        voicebridge_verify_signature off;
    }
--- test
    my $stream = 'MZ' . '0' x 32;
    my $tell = sub { http(POST => '/status', form => \@_); next_line() };

    is $tell->(CallSid => sid(), CallStatus => 'busy',
               Direction => 'outbound-api'),
       sid() . ' - outbound busy 204', 'of a call';

    is $tell->(CallSid => sid(), StreamSid => $stream,
               StreamEvent => 'stream-stopped'),
       sid() . " $stream - stream-stopped 204", 'of a stream';

    is $tell->(CallSid => 'CA1', StreamSid => 'MZ2', Direction => 'inbound'),
       '- - inbound - 204', 'of something else';



=== after a redirect
--- http_config
    log_format line  "$voicebridge_call_sid $voicebridge_to_masked $status";
--- config
    access_log logs/line.log line;

    location = /incoming {
        voicebridge_incoming_call;
        $TEST_NGINX_VOICEBRIDGE
        error_page 500 = /operator;
    }

    location = /operator {
        return 200 "$voicebridge_call_sid $voicebridge_to";
    }
--- test
    my $answer = incoming('/incoming');

    is $answer->{body}, sid() . ' +15005550006',
       'another location knows the call';
    is next_line(), sid() . ' +*******0006 200', 'and the log, too';
--- error_log
no agent for the incoming call



=== asked for before they are known
--- numbers
--- http_config
    map $voicebridge_to $tenant {
        +15005550006  six;
        default       nobody;
    }

    log_format line  "$voicebridge_to [$early]";
--- config
    access_log logs/line.log line;
    set $early $voicebridge_to;

    location = /incoming {
        if ($voicebridge_call_sid) {
            return 400;
        }

        voicebridge_incoming_call;
        voicebridge_agent agent-$tenant;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    my $answer = incoming('/incoming');

    like $answer->{body}, qr/"agent-six"/, 'known to the agent';
    is next_line(), '+15005550006 []', 'and to the log';



=== a line for calls only
--- http_config
    log_format line  "$voicebridge_from_masked $voicebridge_agent_id";
--- config
    location = /incoming {
        voicebridge_incoming_call;
        voicebridge_agent agent_1;
        $TEST_NGINX_VOICEBRIDGE
        access_log logs/line.log line if=$voicebridge_call_sid;
    }
--- test
    incoming('/incoming');
    is next_line(), '+*******0009 agent_1', 'a call';

    http(POST => '/incoming', form => [ From => '+15005550001' ]);
    incoming('/incoming');
    is next_line(), '+*******0009 agent_1', 'no call, no line';



=== of streams, behind a redirect and by how they end
--- http_config
    map $voicebridge_end_reason $failed {
        default         1;
        ""              0;
        caller_hung_up  0;
    }

    log_format line  "$voicebridge_call_sid $voicebridge_direction "
                     "$voicebridge_to_masked $voicebridge_status "
                     "$voicebridge_end_reason $voicebridge_first_audio_time "
                     "$voicebridge_interruptions "
                     "$voicebridge_caller_audio_time "
                     "$voicebridge_agent_audio_time $status";
--- config
    $TEST_NGINX_VOICEBRIDGE
    access_log logs/line.log line if=$failed;

    location = /entry { rewrite ^ /stream last; }

    location = /stream {
        internal;
        voicebridge_media_stream;
        error_page 403 = /other;
    }

    location = /other { return 200 "$voicebridge_end_reason"; }
--- test
    my $end = sub {
        my ($phone, $code) = @_;

        $phone->recv_close;
        $phone->send_close($code);
        $phone->recv_eof;
    };

    my $phone = phone(path => '/entry')->connect;

    $phone->stop;
    $end->($phone, 1000);

    is phone(path => '/entry')->handshake(signature => undef), 200,
       'one that is refused goes elsewhere';

    # it has no agent
    $phone = phone(path => '/entry')->connect;
    $phone->start(parameters => { direction => 'outbound',
                                  to => '+15005550009' });
    $end->($phone, 1008);

    is next_line(), "$phone->{call_sid} outbound +*******0009 failed "
                    . 'bad_start - 0 0.000 0.000 101',
       'only the one that failed is logged';
--- error_log
no agent: give
