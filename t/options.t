# How a call is placed and what its agent is told: by the request, by the
# location, as Twilio and the agent get it.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );
use Voicebridge::WebSocket qw( json );

sub place {
    my ($metadata, %o) = @_;

    return http(POST => $o{path} // '/twilio/outbound-call',
                headers => { 'X-API-Key' => $ENV{TEST_NGINX_API_KEY} },
                json => { agent_id => 'agent_1', session_id => 's & 1',
                          metadata => { to_number => '+15005550009',
                                        %$metadata } });
}

# what Twilio was asked for

sub asked { return twilio()->event('request')->{form} }

sub placed {
    my $answer = place(@_);

    is $answer->{status}, 200, 'placed' or Test::More::diag($answer->{body});

    return asked();
}

sub is_refused {
    my ($metadata, $detail, %o) = @_;

    my $answer = place($metadata, %o);

    is $answer->{status}, 400, json()->encode($metadata);
    like $answer->{json}{detail}, $detail, $detail;
}


# the parameters that a stream will have

sub parameters {
    my $twiml = shift;

    utf8::decode($twiml);

    my %entity = (amp => '&', lt => '<', gt => '>', quot => '"');

    return map { s/&(\w+);/$entity{$1}/gr =~ s/&#x?(\d+);/chr $1/ger }
               $twiml =~ /<Parameter name="([^"]*)" value="([^"]*)"/g;
}

# what the agent gets on a stream with these parameters

sub initiation {
    my %parameters = @_;

    my $phone = phone()->connect;

    $phone->start(parameters => \%parameters);

    my $got = agent()->event('initiation')->{message};

    $phone->stop;
    $phone->recv_close;

    return $got;
}

sub serve {
    my $socket = shift;

    $socket->upgrade;
    $socket->expect_initiation;
    $socket->recv_close;

    return 1;
}


# Twilio tells who has answered, at the URL it was given

sub answered {
    my ($url, $by) = @_;

    my ($target) = $url =~ m{^http://[^/]+(/.*)$};

    return http(POST => $target, form => [
                    CallSid => 'CA' . '0' x 32,
                    AccountSid => $ENV{TEST_NGINX_ACCOUNT_SID},
                    AnsweredBy => $by, MachineDetectionDuration => '2400' ],
                token => $ENV{TEST_NGINX_AUTH_TOKEN});
}

run_tests();

__DATA__

=== how a request has its call placed
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_public_url https://voice.example.com;
    }
--- twilio
    return {};
--- test
    my $form = placed({});

    is_deeply [ grep { exists $form->{$_} }
                    qw( Timeout SendDigits Record RecordingChannels
                        RecordingStatusCallback MachineDetection AsyncAmd
                        AsyncAmdStatusCallback ) ], [], 'nothing was said';
    is $form->{From}, $ENV{TEST_NGINX_PHONE_NUMBER}, 'the number';

    $form = placed({ from_number => '+15005550001', ring_timeout => 25,
                     send_digits => 'ww1234#', record => JSON::PP::true });

    is $form->{From}, '+15005550001', 'from_number';
    is { parameters($form->{Twiml}) }->{from}, '+15005550001',
       'which the agent is told, too';
    is $form->{Timeout}, 25, 'ring_timeout';
    is $form->{SendDigits}, 'ww1234#', 'send_digits';
    is $form->{Record}, 'true', 'record';
    is $form->{RecordingChannels}, undef, 'as Twilio does it';
    is $form->{RecordingStatusCallback},
       'https://voice.example.com/twilio/call-status', 'and where to tell';

    is placed({ record => 'dual' })->{RecordingChannels}, 'dual', 'two sides';
    is placed({ record => JSON::PP::false })->{Record}, undef, 'not recorded';

    $form = placed({ machine_detection => 'start' });
    is $form->{MachineDetection}, 'Enable', 'machine_detection start';
    is $form->{AsyncAmd}, 'true', 'nobody waits for it';
    is $form->{AsyncAmdStatusCallback}, 'https://voice.example.com'
       . '/twilio/call-status?agent_id=agent_1&session_id=s+%26+1',
       'and where to tell';

    $form = placed({ machine_detection => 'message_end', answered_by => {
                         machine => 'hang_up', machine_end_beep => 'message',
                         human => 'continue' } });
    is $form->{MachineDetection}, 'DetectMessageEnd', 'message_end';
    is $form->{AsyncAmdStatusCallback}, 'https://voice.example.com'
       . '/twilio/call-status?machine_start=hang_up&machine_end_beep=message'
       . '&machine_end_silence=hang_up&machine_end_other=hang_up'
       . '&agent_id=agent_1&session_id=s+%26+1', 'with what to do';

    is placed({ machine_detection => 'off' })->{MachineDetection}, undef,
       'off';

    is_refused(@$_) for
        [ { from_number => '5005550001' }, qr/^from_number must be in E\.164/ ],
        [ { ring_timeout => 601 }, qr/^metadata\.ring_timeout must be a wh/ ],
        [ { ring_timeout => '25' }, qr/^metadata\.ring_timeout must be a num/ ],
        [ { send_digits => '1x' }, qr/^metadata\.send_digits must be 1 to 32/ ],
        [ { record => 'yes' }, qr/^metadata\.record must be true, false or/ ],
        [ { machine_detection => 'on' }, qr/^metadata\.machine_detection mus/ ],
        [ { answered_by => { dog => 'hang_up' } },
          qr/^metadata\.answered_by has no "dog"/ ],
        [ { answered_by => { fax => 'eat' } },
          qr/^metadata\.answered_by\.fax must be "continue", "hang_up" or/ ],
        [ { send_digits => '1', machine_detection => 'start' },
          qr/exclude each other/ ];



=== how a location has them placed
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_ring_timeout 40s;
    voicebridge_record dual;
    voicebridge_machine_detection start;
    voicebridge_answered_by machine hang_up;
    voicebridge_answered_by fax hang_up;
    voicebridge_message_twiml "<Say>Hello</Say>";

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }

    location = /digits {
        voicebridge_outbound_call;
        voicebridge_send_digits $arg_digits;
        voicebridge_answered_by unknown hang_up;
    }
--- twilio
    return {};
--- test
    my $form = placed({});

    is $form->{Timeout}, 40, 'ring_timeout';
    is $form->{RecordingChannels}, 'dual', 'record';
    is $form->{MachineDetection}, 'Enable', 'machine_detection';
    like $form->{AsyncAmdStatusCallback},
         qr/\?machine_start=hang_up&.*&fax=hang_up&agent_id=/, 'answered_by';

    # the request's word counts more

    $form = placed({ ring_timeout => 5, record => JSON::PP::false,
                     machine_detection => 'message_end',
                     answered_by => { machine => 'continue',
                                      machine_end_beep => 'message' } });

    is $form->{Timeout}, 5, 'another ring_timeout';
    is $form->{Record}, undef, 'no recording';
    is $form->{MachineDetection}, 'DetectMessageEnd', 'another detection';
    like $form->{AsyncAmdStatusCallback},
         qr/\?machine_end_beep=message&fax=hang_up&agent_id=/,
         'another answered_by';

    # digits are sent, and nothing is detected

    $form = placed({}, path => '/digits?digits=123');
    is $form->{SendDigits}, '123', 'send_digits';
    is $form->{MachineDetection}, undef, 'and no machine_detection';

    $form = placed({ machine_detection => 'start' },
                   path => '/digits?digits=123');
    is $form->{SendDigits}, undef, 'who asks for a detection';
    like $form->{AsyncAmdStatusCallback}, qr/\?unknown=hang_up&agent_id=/,
         'gets one, as the location says';

    is place({}, path => '/digits?digits=12x')->{status}, 500, 'no digits';
    log_has(qr/\[error\].*"voicebridge_send_digits" must be 1 to 32/);
    is placed({}, path => '/digits')->{SendDigits}, undef, 'none';



=== what the agent is told
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }

    location = /defaults {
        voicebridge_outbound_call;
        voicebridge_user_id "of $voicebridge_session_id";
        voicebridge_environment staging;
        voicebridge_branch_id $arg_branch;
        voicebridge_conversation_config_override
            '{"agent": {"language": "de"}}';
    }

    location = /variable {
        voicebridge_outbound_call;
        voicebridge_conversation_config_override $arg_override;
        voicebridge_environment $arg_environment;
    }

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }
--- agent_options
    each => 1
--- agent
    if ($agent->{request}{path} =~ /get-signed-url$/) {
        $agent->answer_signed_url;
        return 0;
    }

    return main::serve($agent);
--- twilio
    return {};
--- test
    my %override = (agent => { first_message => "Zo\x{eb} <\"&'>\n",
                               prompt => { prompt => 'x' x 600 } },
                    tts => { speed => 1.1, voice_id => 'v' });

    my %parameters = parameters(placed({
        dynamic_variables => { name => 'Ada' },
        conversation_config_override => \%override,
        user_id => "user \x{1f600}", environment => 'staging & more',
        branch_id => 'branch_1' })->{Twiml});

    ok exists $parameters{vb_client_data_2}, 'in pieces';

    my $got = initiation(%parameters);

    is_deeply [ sort keys %$got ],
              [ qw( branch_id conversation_config_override dynamic_variables
                    environment type user_id ) ], 'all members';
    is_deeply $got->{conversation_config_override}, \%override,
              'conversation_config_override';
    is $got->{user_id}, "user \x{1f600}", 'user_id';
    is $got->{environment}, 'staging & more', 'environment';
    is $got->{branch_id}, 'branch_1', 'branch_id';
    is $got->{dynamic_variables}{name}, 'Ada', 'and variables';

    is_deeply agent()->event('request')->{query},
              { agent_id => 'agent_1', environment => 'staging & more',
                branch_id => 'branch_1' }, 'the signed URL is asked for so';

    # it is what was signed

    for ([ vb_client_data => '{"user_id":"mine"}' ],
         [ vb_client_data_2 => '' ])
    {
        my ($name, $value) = @$_;
        my $phone = phone()->connect;

        $phone->start(parameters => { %parameters, $name => $value });
        is(($phone->recv_close)[0], 1008, "another $name");
        $phone->send_close(1008);
        $phone->recv_eof;
        log_has(qr/call $phone->{call_sid}: .*the parameters were altered/);
    }

    # a location's

    %parameters = parameters(placed({}, path => '/defaults?branch=b')->{Twiml});
    $got = initiation(%parameters);

    is $got->{user_id}, 'of s & 1', 'a location has a user_id';
    is $got->{environment}, 'staging', 'an environment';
    is $got->{branch_id}, 'b', 'a branch_id';
    is_deeply $got->{conversation_config_override},
              { agent => { language => 'de' } }, 'an override';

    %parameters = parameters(placed({ environment => 'mine',
        conversation_config_override => { tts => {} } },
        path => '/defaults')->{Twiml});
    $got = initiation(%parameters);

    is $got->{environment}, 'mine', 'the request comes first';
    is_deeply $got->{conversation_config_override}, { tts => {} },
              'with all of an override';
    ok !exists $got->{branch_id}, 'an empty value is none';

    is place({}, path => '/variable?override=[1]')->{status}, 500,
       'a variable that is no object';
    log_has(qr/"voicebridge_conversation_config_override" must be a JSON obj/);
    is place({}, path => '/variable?environment=' . 'x' x 257)->{status}, 500,
       'or too long';
    is place({}, path => '/variable?override={}')->{status}, 200, 'a good one';

    is_refused(@$_) for
        [ { conversation_config_override => '{}' },
          qr/^metadata\.conversation_config_override must be an object/ ],
        [ { user_id => 1 }, qr/^metadata\.user_id must be a string/ ],
        [ { environment => "a\nb" }, qr/^metadata\.environment must not con/ ],
        [ { branch_id => 'x' x 257 }, qr/^metadata\.branch_id must not be lo/ ];

    my $large = place({ conversation_config_override => { a => 'x' x 9000 } });

    is $large->{status}, 413, 'more than TwiML holds';
    like $large->{json}{detail}, qr/what else the agent is told do not fit.*40/,
         'it says so';



=== a stream from TwiML of somebody else
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent_options
    each => 1
--- agent
    return main::serve($agent);
--- test
    my $got = initiation(agent_id => 'agent_1', user_id => 'variable',
                         vb_client_data => '{"user_id":"u","branch_id":"b"}');

    is $got->{user_id}, 'u', 'user_id';
    is $got->{dynamic_variables}{user_id}, 'variable', 'and a variable';
    is_deeply agent()->event('request')->{query},
              { agent_id => 'agent_1', branch_id => 'b' }, 'the URL';

    for my $bad ('x', '[]', '{"type":"x"}', '{"user_id":1}',
                 '{"dynamic_variables":{}}')
    {
        my $phone = phone()->connect;

        $phone->start(parameters => { agent_id => 'agent_1',
                                      vb_client_data => $bad });
        is(($phone->recv_close)[0], 1008, $bad);
        $phone->send_close(1008);
        $phone->recv_eof;
        log_has(qr/call $phone->{call_sid}: .*vb_client_data: /);
    }



=== who has answered
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_machine_detection message_end;
    voicebridge_answered_by machine hang_up;
    voicebridge_answered_by machine_end_beep message;
    voicebridge_answered_by fax hang_up;

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }

    location = /twilio/call-status {
        voicebridge_call_status;
        voicebridge_message_twiml
            "<Say>For $voicebridge_agent_id: $voicebridge_session_id</Say>";
    }
--- twilio
    return {};
--- test
    my $url = placed({})->{AsyncAmdStatusCallback};
    my $sid = 'CA' . '0' x 32;

    my %action = (human => undef, unknown => undef, machine_start => 'hang_up',
                  machine_end_beep => 'message',
                  machine_end_silence => 'hang_up',
                  machine_end_other => 'hang_up', fax => 'hang_up',
                  something_new => undef);

    for my $by (sort keys %action) {
        is answered($url, $by)->{status}, 204, "$by: taken";
        log_has(qr/Call status of $sid: answered by $by/);

        next unless $action{$by};

        my $request = twilio()->event('request');

        is $request->{path}, '/2010-04-01/Accounts/'
           . "$ENV{TEST_NGINX_ACCOUNT_SID}/Calls/$sid.json",
           "$by: the call is changed";
        is $request->{user}, $ENV{TEST_NGINX_ACCOUNT_SID}, "$by: with the SID";
        is_deeply $request->{form}, $action{$by} eq 'hang_up'
            ? { Status => 'completed' }
            : { Twiml => '<Response><Say>For agent_1: s &amp; 1</Say>'
                       . '</Response>' },
            "$by: $action{$by}";
        log_has($action{$by} eq 'hang_up'
                ? qr/\[info\].*call $sid: answered by $by: hanging up/
                : qr/\[info\].*call $sid: answered by $by: a message is left/);
    }

    # what the request said

    $url = placed({ answered_by => { human => 'hang_up', machine => 'continue',
                                     machine_end_beep => 'hang_up' }
                  })->{AsyncAmdStatusCallback};

    for my $by (qw( machine_start machine_end_silence human machine_end_beep ))
    {
        is answered($url, $by)->{status}, 204, $by;
        is_deeply twilio()->event('request')->{form}, { Status => 'completed' },
                  "$by is hung up" if $by =~ /human|beep/;
    }

    # nobody else decides

    is http(POST => "$url&fax=hang_up" =~ s{^http://[^/]+}{}r,
            form => [ CallSid => $sid, AnsweredBy => 'fax' ],
            token => 'other')->{status}, 403, 'not signed';

    is scalar(grep { $_->{event} eq 'request' } twilio()->events), 9,
       'that was all';



=== when Twilio will not have it
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_machine_detection start;
    voicebridge_answered_by machine hang_up;
    voicebridge_answered_by fax message;

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }

    location = /twilio/call-status {
        voicebridge_call_status;
    }
--- twilio
    return $request->{form}{To} ? {}
           : { status => 400, body => { code => 21220, message => 'Over.' } }
        if ++$main::n < 3;

    return { status => 500, body => { code => 20500, message => 'Broken.' } };
--- test
    my $url = placed({})->{AsyncAmdStatusCallback};
    my $sid = 'CA' . '0' x 32;

    is answered($url, 'machine_start')->{status}, 204, 'a call that is over';
    log_has(qr/\[info\].*call $sid: was over already/);

    is answered($url, 'machine_start')->{status}, 204, 'an error';
    like log_has(qr/\[error\].*call $sid: goes on after who answered it/),
         qr/status 500, code 20500 Broken\./, 'is logged';

    is answered($url, 'fax')->{status}, 204, 'no message';
    log_has(qr/\[error\].*set "voicebridge_message_twiml"/);
    log_has(qr/\[error\].*call $sid: answered by fax, which was to get a mess/);



=== what has become of a recording
--- config
    location = /twilio/call-status {
        voicebridge_call_status;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    is http(POST => '/twilio/call-status',
            form => [ CallSid => 'CA' . '0' x 32,
                      RecordingSid => 'RE' . '1' x 32,
                      RecordingStatus => 'completed',
                      RecordingDuration => 62,
                      RecordingUrl => 'https://api.twilio.com/x' ],
            token => $ENV{TEST_NGINX_AUTH_TOKEN})->{status}, 204, 'taken';

    log_has(qr/of CA0+: recording completed, recording SID RE1+, recorded 62/);



=== a location that says what cannot be
--- config
    location = /x {
        voicebridge_outbound_call;
        voicebridge_answered_by dog hang_up;
    }
--- must_die
--- error_log
"dog" does not answer calls; these do: human, machine



=== an action that is none
--- config
    location = /x {
        voicebridge_outbound_call;
        voicebridge_answered_by fax eat;
    }
--- must_die
--- error_log
invalid action "eat", it must be "continue", "hang_up" or "message"



=== one thing twice
--- config
    location = /x {
        voicebridge_outbound_call;
        voicebridge_answered_by fax hang_up;
        voicebridge_answered_by fax continue;
    }
--- must_die
--- error_log
"voicebridge_answered_by" directive is duplicate



=== an override that is no object
--- config
    location = /x {
        voicebridge_outbound_call;
        voicebridge_conversation_config_override '{"agent"}';
    }
--- must_die
--- error_log
"voicebridge_conversation_config_override" directive must be a JSON object



=== digits that are none
--- config
    location = /x {
        voicebridge_outbound_call;
        voicebridge_send_digits 12e;
    }
--- must_die
--- error_log
"voicebridge_send_digits" directive must be 1 to 32 of 0-9



=== a phone that rings for too long
--- config
    location = /x {
        voicebridge_outbound_call;
        voicebridge_ring_timeout 11m;
    }
--- must_die
--- error_log
"voicebridge_ring_timeout" directive must be 1s to 600s
