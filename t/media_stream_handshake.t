# Twilio's WebSocket handshake at a location with voicebridge_media_stream.

use Voicebridge::Test;
use Voicebridge::Certificates qw( certificate );
use Voicebridge::HTTP qw( base http );
use Voicebridge::Phone;


# a refusal: its status, and that nothing but HTTP follows it

sub refused {
    my ($phone, $status, $name, %o) = @_;

    is $phone->handshake(%o), $status, $name;

    return $phone;
}


# what was accepted is a WebSocket

sub hang_up {
    my ($phone, $name) = @_;

    $phone->send_close(1000);
    is(($phone->recv_close)[0], 1000, $name);
    $phone->recv_eof;
}

sub signed { return signature => Voicebridge::Phone::signature(@_) }

sub url { return base() =~ s/^http/ws/r . '/twilio/media-stream' }

run_tests();

__DATA__

=== Twilio's handshake
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    my $phone = phone()->connect;

    # some tunnels and Twilio want no more than this
    is_deeply [ sort keys %{$phone->{headers}} ],
              [ qw( connection date sec-websocket-accept server upgrade ) ],
              'the answer has what it needs';
    is lc $phone->{headers}{upgrade}, 'websocket', 'an upgrade';
    is lc $phone->{headers}{connection}, 'upgrade', 'of the connection';

    hang_up($phone, 'and then it is a WebSocket');

    $phone = phone();
    $phone->connect(headers => { 'X-Twilio-Signature' => undef,
                                 'x-twilio-signature' =>
                                     (signed($phone->{auth_token}, url()))[1],
                                 'Upgrade' => 'WebSocket',
                                 'Connection' => 'keep-alive, Upgrade' });
    hang_up($phone, 'in any case of letters');



=== who is not Twilio
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    my $token = $ENV{TEST_NGINX_AUTH_TOKEN};

    refused(phone(), 403, 'no signature', signature => undef);
    like log_has(qr/\[warn\].*refused: the request has no X-Twilio-Signature/),
         qr/only Twilio's requests/, 'which the log tells';

    refused(phone(), 403, 'not a signature', signature => 'x');
    log_has(qr/\[warn\].*refused: the request has a malformed/);

    refused(phone(), 403, 'an empty one', signature => '');
    refused(phone(), 403, 'of another token', signed("${token}0", url()));
    like log_has(qr/\[warn\].*refused: X-Twilio-Signature is not that of/),
         qr/voicebridge_public_url.*proxy.*auth_token/, 'with what to check';

    refused(phone(), 403, 'of another path', signed($token, url() . 's'));
    refused(phone(), 403, 'of a query', signed($token, url() . '?a=b'));
    refused(phone(), 403, 'of a request that is no stream',
            signed($token, base() . '/twilio/media-stream'));

    # before anything is said about the handshake itself
    refused(phone(), 403, 'not even a handshake', signature => undef,
            headers => { Upgrade => undef, 'Sec-WebSocket-Key' => undef });

    hang_up(phone()->connect(signed($token, url())), 'it works when it is');



=== the public URL is what is signed
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_public_url https://voice.example.com;
    }
--- test
    my $url = 'wss://voice.example.com/twilio/media-stream';

    hang_up(phone(url => $url)->connect, 'as it is');
    hang_up(phone(url => "$url/")->connect, 'with a slash');
    hang_up(phone(url => $url =~ s/com/com:443/r)->connect, 'with a port');
    refused(phone(url => $url =~ s/wss/ws/r), 403, 'but not without TLS');
    refused(phone(), 403, 'nor as this server sees it');



=== while a token is being replaced
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }

    location = /both {
        voicebridge_media_stream;
        voicebridge_twilio_auth_token first-token-0123456789
                                      second-token-0123456789;
        voicebridge_elevenlabs_auth none;
    }
--- test
    my $both = sub { phone(path => '/both', auth_token => shift) };

    secret(map { "$_-token-0123456789" } qw( first second ));

    hang_up($both->('first-token-0123456789')->connect, 'the first');
    hang_up($both->('second-token-0123456789')->connect, 'the second');
    refused($both->('third-token-0123456789'), 403, 'no third');
    refused($both->($ENV{TEST_NGINX_AUTH_TOKEN}), 403,
            'nor that of another location');



=== without signatures
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_verify_signature off;
    }
--- test
    my $phone = phone();

    $phone->connect(signature => undef);
    hang_up($phone, 'none is needed');

    $phone = phone();
    $phone->connect(signature => 'x' x 28);
    hang_up($phone, 'none is looked at');



=== what is no handshake
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_verify_signature off;
    }
--- test
    my @cases = (
        [ 426, Upgrade => undef ],
        [ 426, Upgrade => 'h2c' ],
        [ 400, Connection => undef ],
        [ 400, Connection => 'keep-alive' ],
        [ 426, 'Sec-WebSocket-Version' => undef ],
        [ 426, 'Sec-WebSocket-Version' => '8' ],
        [ 426, 'Sec-WebSocket-Version' => '130' ],
        [ 400, 'Sec-WebSocket-Key' => undef ],
        [ 400, 'Sec-WebSocket-Key' => '' ],
        [ 400, 'Sec-WebSocket-Key' => 'x' x 23 . '=' ],
        [ 400, 'Sec-WebSocket-Key' => 'x' x 24 . '==' ],
        [ 400, 'Sec-WebSocket-Key' => '!' x 22 . '==' ],
        [ 400, 'Sec-WebSocket-Key' => 'x' x 22 ],
    );

    for (@cases) {
        my ($status, $header, $value) = @$_;

        my $phone = refused(phone(), $status,
                            "$header: " . ($value // 'left out'),
                            headers => { $header => $value });

        next if $status != 426;

        # RFC 7231, 6.5.15 and RFC 6455, 4.4
        is lc($phone->{headers}{upgrade} // ''), 'websocket',
           'with what is wanted instead' if $header eq 'Upgrade';
        is $phone->{headers}{'sec-websocket-version'}, 13,
           'with the version there is' if $header =~ /Version/;
    }

    is http(POST => '/twilio/media-stream', body => 'x')->{status}, 405,
       'a POST';
    is http(GET => '/twilio/media-stream')->{status}, 426, 'a browser';



=== over HTTP/2
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_TLS_PORT http2;

        location = /twilio/media-stream {
            voicebridge_media_stream;
            $TEST_NGINX_VOICEBRIDGE
            voicebridge_verify_signature off;
        }
    }
--- config
--- test
    my $url = "http://127.0.0.1:$ENV{TEST_NGINX_TLS_PORT}"
              . '/twilio/media-stream';

    # an answer with a header of HTTP/1.1 would be none
    open my $out, '-|', 'curl', '-s', '--http2-prior-knowledge', '-o',
         '/dev/null', '-w', '%{http_version} %{http_code} %{exitcode}', $url
        or die "curl: $!\n";

    is readline $out, '2 426 0', 'a browser';



=== a handshake in pieces
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    hang_up(phone()->connect(pieces => [ 1 ]), 'byte by byte');
    hang_up(phone()->connect(pieces => [ 3, 50, 1, 100 ]), 'in pieces');



=== frames glued to the handshake
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    for (1 .. 3) {
        my $socket = $agent->socket;

        $socket->expect_initiation;
        $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');

        my ($size) = $socket->{request}{query}{agent_id} =~ /(\d+)$/;
        my $audio = $socket->recv_audio($size);

        $socket->note(event => 'heard', size => $size, right =>
                      $audio eq substr('abcdefghijklmnopqrs' x $size, 0, $size)
                      ? 1 : 0);
        $socket->recv_close;
    }
--- test
    # nothing, a header's worth, and more than any buffer of a header
    for my $size (1, 1600, 160_000) {
        my $phone = phone();

        my $bytes = join '', map { $phone->frame_bytes(1, json()->encode($_)) }
            $phone->start_message(parameters => { agent_id => "agent_$size" }),
            map { $phone->media_message($_) }
                unpack '(a160)*', substr 'abcdefghijklmnopqrs' x $size, 0,
                                         $size;

        $phone->connect(glue => $bytes);

        my $heard = agent->event('heard');

        is $heard->{size}, $size, "$size bytes of audio";
        ok $heard->{right}, 'are what was sent';

        $phone->send_close;
        $phone->recv_close;
    }

    sub json { return Voicebridge::WebSocket::json() }



=== over TLS
--- config
    listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
    ssl_certificate      $TEST_NGINX_CERTIFICATES/good.crt;
    ssl_certificate_key  $TEST_NGINX_CERTIFICATES/good.key;

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->note(event => 'heard', right =>
                  $socket->recv_audio(16_000) eq 'ab' x 8000 ? 1 : 0);
    $socket->audio('cde' x 100_000, 1);
    $socket->close_with(1000);
--- test
    my $phone = phone(port => $ENV{TEST_NGINX_TLS_PORT},
                      tls => { ca => certificate('good')->{ca} });

    refused($phone, 403, 'no signature', signature => undef);

    $phone = phone(port => $ENV{TEST_NGINX_TLS_PORT}, return_marks => 1,
                   tls => { ca => certificate('good')->{ca} });

    $phone->connect->start(parameters => { agent_id => 'agent_1' });
    $phone->speak('ab' x 8000);

    ok agent->event('heard')->{right}, 'the agent hears the caller';
    ok $phone->recv_audio(300_000) eq 'cde' x 100_000,
       'the caller hears the agent';

    $phone->recv_event('mark');
    is(($phone->recv_close)[0], 1000, 'until it ends');
    $phone->send_close(1000);
    $phone->recv_eof;
