# A call whose worker exits is given to another one.

use Voicebridge::Test;

master_on();
workers(1);

run_tests();

__DATA__

=== to a fresh stream
--- main_config
    worker_shutdown_timeout 2s;
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_shutdown_handoff on;
    }
--- agent
    my $socket = $agent->socket;
    $socket->expect_initiation;
    $socket->metadata(output => 'ulaw_8000', input => 'ulaw_8000');
    $socket->recv_audio(160);
    $socket->note(event => 'live');
    $socket->recv_close;
    $socket = $agent->socket;
    $socket->note(event => 'again', message => $socket->expect_initiation);
    $socket->metadata(output => 'ulaw_8000', input => 'ulaw_8000');
    $socket->audio("\xff" x 160, 1);
    $socket->recv_close;
--- twilio
    return {};
--- test
    my $phone = phone();

    $phone->connect->connected;
    $phone->start(parameters => { agent_id => 'agent_1', session_id => 's_1',
                                  dynamic_variables => '{"due":1.50}',
                                  colour => 'blue' });
    $phone->media("\xff" x 160);

    agent()->event('live');
    kill HUP => nginx_pid();

    my $request = twilio()->event('request');

    like $request->{path}, qr{/Calls/$phone->{call_sid}\.json$},
         'the live call is redirected';

    my %given = $request->{form}{Twiml}
                =~ /<Parameter name="(\w+)" value="([^"]*)"/g;

    like $request->{form}{Twiml}, qr{<Stream url="ws://127\.0\.0\.1:},
         'to a stream of this server';
    is $given{agent_id}, 'agent_1', 'with the agent';
    is $given{session_id}, 's_1', 'the session';
    is $given{dynamic_variables},
       '{&quot;due&quot;:1.50,&quot;colour&quot;:&quot;blue&quot;}',
       'the variables, all of them';

    is agent()->event('close')->{code}, 1001, 'the agent was told';

    # as Twilio does: the old stream stops, the new TwiML opens another
    $phone->stop;
    is +($phone->recv_close)[0], 1001, 'the old stream is closed';
    $phone->send_close(1001);
    $phone->recv_eof;

    s/&quot;/"/g for values %given;

    my $second = phone(call_sid => $phone->{call_sid});

    $second->connect->connected;
    $second->start(parameters => \%given);

    is agent()->event('again')->{message}{dynamic_variables}{due}, 1.5,
       'the new stream is served, its token is good';
    $second->recv_audio(160);
    $second->stop;
    $second->recv_close;
    log_has(qr/reason=handed_off/);
    log_has(qr/exited with code 0/);



=== also where its agent is reached only then
--- main_config
    worker_shutdown_timeout 3s;
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_shutdown_handoff on;
    }
--- agent
    my $socket = $agent->request;

    $socket->note(event => 'asked');
    $socket->await_cue;
    $socket->upgrade;
    $socket->expect_initiation;
    $socket->metadata(output => 'ulaw_8000', input => 'ulaw_8000');
    $socket->recv_close;
--- twilio
    return {};
--- test
    my $phone = phone()->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });
    agent()->event('asked');

    # core tells idle connections that it exits; this one is not there yet
    kill HUP => nginx_pid();
    log_has(qr/gracefully shutting down/);
    agent()->cue;

    like twilio()->event('request')->{path},
         qr{/Calls/$phone->{call_sid}\.json$}, 'it is redirected all the same';

    $phone->stop;
    is(($phone->recv_close)[0], 1001, 'and goes on elsewhere');
    $phone->send_close(1001);
    $phone->recv_eof;
    log_has(qr/call $phone->{call_sid}: Call ended.*reason=handed_off/);
--- no_error_log
[error]



=== not without being asked
--- main_config
    worker_shutdown_timeout 1s;
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    my $socket = $agent->socket;
    $socket->expect_initiation;
    $socket->metadata(output => 'ulaw_8000', input => 'ulaw_8000');
    $socket->recv_audio(160);
    $socket->note(event => 'live');
    $socket->recv_close;
--- test
    my $phone = phone();

    $phone->connect->connected;
    $phone->start(parameters => { agent_id => 'agent_1' });
    $phone->media("\xff" x 160);

    agent()->event('live');
    kill HUP => nginx_pid();

    is agent()->event('close')->{code}, 1001, 'the agent is told';
    is +($phone->recv_close)[0], 1001, 'and the phone';
    log_has(qr/reason=shutdown/);
    log_has(qr/exited with code 0/);
