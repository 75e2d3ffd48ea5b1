# What nginx takes for configuration of this module, what it refuses with
# which words, and where values come from.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );

use File::Temp qw( tempdir );

my $dir = tempdir(CLEANUP => 1);

# where an nginx with its own default opens its log
mkdir "$dir/logs";

# what the module looks for in the environment
my @names = qw( API_KEYS ELEVENLABS_API_KEY ENVIRONMENT HOST SSL_CERT_DIR
                SSL_CERT_FILE TWILIO_ACCOUNT_SID TWILIO_AUTH_TOKEN
                TWILIO_PHONE_NUMBER );


# nginx -t with directives in http and in a location: true if it is content,
# and what it says

sub nginx_t {
    my ($http, $location, %env) = @_;

    my $modules = join '', map { "load_module $_;\n" }
                           split ' ', $ENV{TEST_NGINX_LOAD_MODULES};

    write_file('nginx.conf', <<"EOC");
$modules
error_log stderr;
pid $dir/nginx.pid;

events {
}

http {
    access_log off;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;

    $http

    server {
        listen unix:$dir/socket;

        location = /here {
            $location
        }
    }
}
EOC

    local @ENV{@names};
    delete @ENV{@names};
    local @ENV{keys %env} = values %env;

    my $nginx = $ENV{TEST_NGINX_BINARY} // 'nginx';

    open my $output, '-|', "$nginx -t -p $dir -c $dir/nginx.conf 2>&1"
        or die "$nginx: $!\n";

    my $said = join '', grep { !/syntax is ok/ } <$output>;

    return close $output, $said;
}

sub dir { return $dir }

sub write_file {
    my ($name, $text) = @_;

    open my $out, '>', "$dir/$name" or die "$dir/$name: $!\n";
    print $out $text;
    close $out or die "$dir/$name: $!\n";

    return "$dir/$name";
}

sub refused {
    my ($http, $location, $words, %env) = @_;

    my ($good, $said) = nginx_t($http, $location, %env);

    my $name = "$http | $location" =~ s/\Q$dir\E/DIR/gr;

    ok !$good, "$name: refused";
    like $said, qr/\[emerg\].*$words/, "$name: $words";
    unlike $said, qr/\[alert\]|AddressSanitizer
                     |(?:voicebridge|vb_)\S*:[ ]runtime[ ]error/x,
           "$name: and no more";
}

sub taken {
    my ($http, $location, %o) = @_;

    my ($good, $said) = nginx_t($http, $location, %{$o{env} // {}});

    my $name = "$http | $location" =~ s/\Q$dir\E/DIR/gr;

    ok $good, "$name: taken" or diag($said);

    if ($o{warn}) {
        like $said, qr/\[warn\].*$o{warn}/, "$name: $o{warn}";
    } else {
        unlike $said, qr/\[warn\]/, "$name: without a warning";
    }
}

# environment of the block's nginx

add_block_preprocessor(sub {
    my $block = shift;

    delete @ENV{@names};

    for (split /\n/, $block->env // '') {
        my ($name, $value) = split /=/, $_, 2;
        $ENV{$name} = $value;
    }
});


# which credentials Twilio is shown for a call

sub shown {
    my ($path, $key) = @_;

    my $answer = http(POST => $path, headers => { 'X-API-Key' => $key },
                      json => { agent_id => 'agent_1',
                                metadata => { to_number => '+15005550009' } });

    return $answer->{status} unless $answer->{status} == 200;

    my $request = twilio()->event('request');

    return join ' ', @$request{qw( user password )}, $request->{form}{From};
}

run_tests();

__DATA__

=== places of the directives
--- config
--- test
    my $zone = 'voicebridge_zone calls:1m;';
    my $key = 'voicebridge_api_keys k;';

    taken($zone, 'voicebridge_media_stream;');
    taken($key, 'voicebridge_outbound_call;');
    taken('', 'voicebridge_incoming_call;');
    taken('', 'voicebridge_call_status;');

    for my $view (qw( voicebridge_metrics voicebridge_calls )) {
        taken($zone, "$view;");
        taken('', "$view;", warn => 'no "voicebridge_zone".*nothing to show');
    }

    refused('', 'voicebridge_zone calls:1m;', 'is not allowed here');

    refused("$_;", '', "\"$_\" directive is not allowed here")
        for map { "voicebridge_$_" }
            qw( outbound_call incoming_call media_stream call_status
                metrics calls );

    refused('', 'voicebridge_call_status on;', 'invalid number of arguments');

    # everywhere, and once

    my %values = (
        twilio_account_sid      => 'AC1',
        twilio_auth_token       => 'one two',
        twilio_phone_number     => '+15005550006',
        twilio_api_url          => 'https://twilio.example.com',
        twilio_timeout          => '5s',
        elevenlabs_api_key      => 'k',
        elevenlabs_url          => 'https://elevenlabs.example.com',
        elevenlabs_auth         => 'header',
        agent                   => '$arg_agent',
        public_url              => 'https://$host',
        media_stream_path       => '/m',
        call_status_path        => '/s',
        verify_signature        => 'off',
        connect_timeout         => '5s',
        start_timeout           => '5s',
        stream_timeout          => '5s',
        agent_timeout           => '5s',
        token_lifetime          => '10m',
        max_call_duration       => '2h',
        max_message_size        => '1m',
        max_stream_message_size => '1m',
        max_json_depth          => '16',
        uplink_frame            => '60ms',
        ssl_verify              => 'off',
        ssl_trusted_certificate => "$ENV{TEST_NGINX_CERTIFICATES}/ca.crt",
        fallback_twiml          => '<Say>$arg_x</Say>',
        log_transcripts         => 'off',
        transcript_log          => 'off',
        webhook                 => 'https://example.com/calls',
        webhook_secret          => 'w',
        webhook_timeout         => '5s',
        webhook_lifetime        => '2h',
        shutdown_handoff        => 'on',
    );

    my $all = join ' ', map { "voicebridge_$_ '$values{$_}';" }
                        grep { $_ ne 'twilio_auth_token' } sort keys %values;

    $all .= ' voicebridge_twilio_auth_token one two;';

    taken("$zone $all", "voicebridge_media_stream; $all");

    for my $name (sort keys %values) {
        my $set = "voicebridge_$name "
                  . ($name eq 'twilio_auth_token' ? 'one two'
                                                  : "'$values{$name}'") . ';';

        refused("$set $set", '', "\"voicebridge_$name\" directive is dup");
        refused("voicebridge_$name;", '', 'invalid number of arguments');
    }

    refused("$zone $zone", '', '"voicebridge_zone" directive is duplicate');



=== values
--- config
--- test
    my $zone = 'voicebridge_zone calls:1m;';

    for my $url (qw( twilio_api_url elevenlabs_url public_url )) {
        my $set = "voicebridge_$url";

        refused("$set $_;", '', 'invalid URL.*must begin with')
            for qw( example.com //example.com wss://example.com
                    ftp://example.com http:/example.com );

        refused("$set '$_';", '', 'invalid URL.*a host, a port and a path')
            for 'https://u:p@example.com', 'https://example.com?a=b',
                'https://example.com#a', 'https://exa mple.com',
                'https://example.com/\\"';

        refused("$set $_;", '', 'invalid URL.*port')
            for qw( https://a:0 https://a:65536 https://a:x );

        refused("$set $_;", '', 'invalid URL.*host')
            for qw( https:// https:///path https://:443 );

        refused("$set https://unix:/tmp/x;", '', 'invalid URL.*unix');

        taken("$set $_;", '')
            for qw( https://example.com HTTPS://example.com/
                    https://example.com:8443/prefix// http://127.0.0.1:80
                    https://[::1]:8443 );
    }

    for my $path (qw( media_stream_path call_status_path )) {
        refused("voicebridge_$path $_;", '', 'must be a path')
            for 'twilio', 'https://example.com/', "''", '/a?b', "'/a b'",
                "'/a#b'";
    }

    for my $time (qw( twilio_timeout connect_timeout start_timeout
                      stream_timeout agent_timeout token_lifetime
                      max_call_duration webhook_timeout
                      webhook_lifetime ))
    {
        refused("voicebridge_$time 0;", '', 'must not be zero');
        refused("voicebridge_$time $_;", '', 'invalid value')
            for qw( x -1 5x );
    }

    for my $size (qw( max_message_size max_stream_message_size )) {
        refused("voicebridge_$size 1023;", '', 'not be less than 1k');
        refused("voicebridge_$size x;", '', 'invalid value');
    }

    refused("voicebridge_max_json_depth $_;", '', 'value must be') for 7, 257;
    refused('voicebridge_max_json_depth x;', '', 'invalid number');

    my $hook = 'voicebridge_webhook https://example.com/calls?a=b';
    my $secret = 'voicebridge_webhook_secret w;';
    my $stream = 'voicebridge_media_stream;';

    taken("$zone $hook; voicebridge_webhook_secret $_;", $stream)
        for 'w', 'off', "file:${\write_file('hook', \"s\n\")}";
    taken("$zone $hook; $secret", "$stream voicebridge_webhook off;");
    taken("$zone $hook ended transcript; $secret", $stream);
    taken("$zone $hook;", '');
    refused("$zone $hook;", $stream, 'needs a "voicebridge_webhook_secret"');
    refused("$zone $hook; voicebridge_webhook_secret '';", $stream, 'is empty');
    refused("$zone $hook; voicebridge_webhook_secret env:NOBODY_SETS;",
            $stream, 'NOBODY_SETS" is not set');
    refused("$zone $hook; $secret server { listen unix:${\dir()}/other;"
            . " location / { $stream voicebridge_webhook_secret x; } }",
            $stream, 'has one.*here and another there');
    refused("$hook ended finished;", '', 'invalid event "finished"');
    refused("voicebridge_webhook $_;", '', 'invalid URL')
        for 'example.com', 'ftp://example.com', 'https://u:p@example.com',
            "'https://example.com?a b'", "'https://example.com?a#b'",
            'https://';
    refused("voicebridge_webhook_spool ${\dir()}/none/spool;", '',
            'mkdir\(\) ".*/none/spool" failed .2: No such file');
    refused("voicebridge_webhook_spool ${\write_file('file', '')};", '',
            'is not a directory');
    refused("voicebridge_webhook_spool ${\dir()}/spool $_;", '',
            '"voicebridge_webhook_spool" directive has')
        for 'max=0', 'max=x', '1';
    refused("voicebridge_webhook_spool /tmp/${\('x' x 4000)};", '',
            'name that is too long');
    taken("$zone voicebridge_webhook_spool ${\dir()}/spool max=5;", $stream);

    taken("voicebridge_transcript_log ${\dir()}/said.log; $zone",
          "voicebridge_media_stream;"
          . " voicebridge_transcript_log ${\dir()}/said.log;");
    refused("voicebridge_transcript_log ${\dir()}/none/said.log;", '',
            'open\(\) ".*/none/said.log" failed .2: No such file');
    refused("voicebridge_transcript_log ${\dir()};", '',
            'open\(\) ".*" failed .21: Is a directory');
    refused("voicebridge_transcript_log $_;", '', 'must be a file without')
        for 'syslog:server=127.0.0.1', "'/tmp/\$host.log'", "''";
    refused("access_log ${\dir()}/both.log combined buffer=8k;"
            . " voicebridge_transcript_log ${\dir()}/both.log;", '',
            'is a file that another directive writes to');

    for my $flag (qw( verify_signature ssl_verify log_transcripts
                      shutdown_handoff ))
    {
        refused("voicebridge_$flag maybe;", '', 'must be "on" or "off"');
    }

    taken("voicebridge_uplink_frame $_;", '')
        for qw( 20ms 40ms 60ms 100ms );

    refused("voicebridge_uplink_frame $_;", '',
            'must be "20ms", "40ms", "60ms" or "100ms"')
        for qw( 0 20 10ms 30ms 80ms 0.1s 100MS x ), "''";

    refused('voicebridge_elevenlabs_auth token;', '',
            'must be "signed_url", "header" or "none"');

    refused("voicebridge_zone $_;", '', 'zone')
        for qw( calls :1m calls: calls:x calls:1k );
    refused('limit_req_zone $host zone=calls:1m rate=1r/s;'
            . ' voicebridge_zone calls:1m;', '', '"calls" is already');

    my $private = "\$nobody_knows";

    refused("voicebridge_$_ $private;", 'voicebridge_incoming_call;',
            'unknown "nobody_knows" variable')
        for qw( agent public_url fallback_twiml twilio_auth_token );



=== an agent's key
--- config
--- test
    my $stream = 'voicebridge_media_stream;';
    my $zone = 'voicebridge_zone calls:1m;';
    my $auth = sub { "voicebridge_elevenlabs_auth $_[0];" };
    my $needs = 'needs an API key.*voicebridge_elevenlabs_api_key.*'
                . 'ELEVENLABS_API_KEY';

    for my $lines ("key\n\n", "key\nX-Other: 1\n", "key\r", "key\x{7f}") {
        my $file = write_file('key', $lines);

        refused("$zone voicebridge_elevenlabs_api_key file:$file;", $stream,
                'API key of ElevenLabs has a control character');
    }

    taken("$zone voicebridge_elevenlabs_api_key file:"
          . write_file('key', "key\r\n") . ';', $stream);

    for my $way (qw( signed_url header )) {
        my $set = "$zone " . $auth->($way);

        refused($set, $stream, "$way\" $needs");
        refused($set, "$stream voicebridge_elevenlabs_api_key '';", $needs);
        taken($set, "$stream voicebridge_elevenlabs_api_key k;");
        taken($set, "$stream voicebridge_elevenlabs_api_key \$arg_k;");
        taken($set, $stream, env => { ELEVENLABS_API_KEY => 'k' });

        # who bridges no calls needs none
        taken($set, 'voicebridge_call_status;');
    }

    taken("$zone $$_[0]", "$stream $$_[1]")
        for [ '', '' ], [ $auth->('none'), '' ],
            [ $auth->('header'), $auth->('none') ],
            [ 'voicebridge_elevenlabs_api_key k;', '' ];



=== secrets
--- config
--- test
    my $token = 'voicebridge_twilio_auth_token';
    my $status = 'voicebridge_call_status;';
    my $file = sub { 'file:' . write_file('secret', shift) };

    taken("$token " . $file->("secret\n") . ';', $status);
    taken("$token file:secret;", $status);
    taken("$token " . $file->('x' x 4096) . ';', $status);

    refused("$token file:;", $status, 'no file name');
    my $dir = dir();

    refused("$token file:$dir/none;", $status, 'none" failed.*No such file');
    refused("$token file:$dir;", $status, 'failed.*directory');
    refused("$token " . $file->('x' x 4097) . ';', $status, 'larger than 4096');
    refused("$token " . $file->($_) . ';', $status, 'is empty')
        for '', "\n", "\r\n";
    refused("$token " . $file->("a\0b") . ';', $status, 'null byte');

    taken("$token env:SOMETHING;", $status, env => { SOMETHING => 'x' });
    taken("$token env:SOMETHING;", $status, warn => '"SOMETHING" is not set');
    taken("$token x env:SOMETHING;", $status, warn => '"SOMETHING" is not set');

    my $key = 'voicebridge_api_keys';
    my $api = 'voicebridge_outbound_call;';

    taken("$key a,b; $key c;", $api);
    taken("$key off;", $api);
    taken('', $api, env => { API_KEYS => 'a' });
    taken('', $api, warn => 'every API request will be refused');
    taken("$key env:SOMETHING;", $api, warn => '"SOMETHING" is not set');

    refused("$key off; $key off;", $api, 'is duplicate');
    refused("$key off; $key a;", $api, 'both "off" and');
    refused("$key a; $key off;", $api, 'both "off" and');
    refused("$key file:$dir/none;", $api, 'No such file');



=== files of certificates
--- config
--- test
    my $set = 'voicebridge_ssl_trusted_certificate';

    refused("$set none.pem;", '', 'none.pem" failed.*No such file');

    write_file('junk.pem', "junk\n");
    refused("$set junk.pem;", '', 'no certificate.*junk.pem.*PEM');

    taken("$set $ENV{TEST_NGINX_CERTIFICATES}/ca.crt;"
          . ' voicebridge_zone calls:1m;', 'voicebridge_media_stream;');



=== one handler a location
--- config
--- test
    my $ours = 'voicebridge_incoming_call;';

    refused('', "$ours $ours", 'is duplicate');
    refused('', "$ours voicebridge_call_status;", 'conflicts');
    refused('', "proxy_pass http://127.0.0.1; $ours", 'conflicts');
    refused('', "$ours proxy_pass http://127.0.0.1;", 'another one');



=== what goes on without a zone
--- config
--- test
    taken('', 'voicebridge_media_stream;', warn => 'no "voicebridge_zone"');
    taken('', 'voicebridge_incoming_call;');



=== the environment of the service this one replaces
--- env
TWILIO_ACCOUNT_SID=ACenv
TWILIO_AUTH_TOKEN=env$token
TWILIO_PHONE_NUMBER=+15005550001
API_KEYS=one, two
--- config
    voicebridge_twilio_api_url $TEST_NGINX_TWILIO_URL;

    location = /env {
        voicebridge_outbound_call;
    }

    location = /own {
        voicebridge_twilio_account_sid ACown;
        voicebridge_twilio_auth_token own-token;
        voicebridge_twilio_phone_number +15005550002;
        voicebridge_api_keys three;
        voicebridge_outbound_call;
    }

    location = /none {
        voicebridge_twilio_auth_token "";
        voicebridge_outbound_call;
    }
--- twilio
    return {};
--- test
    my $env = 'ACenv env$token +15005550001';

    is shown('/env', 'one'), $env, 'from the environment';
    is shown('/env', 'two'), $env, 'the other key';
    is shown('/env', 'three'), 401, 'no key';

    is shown('/own', 'three'), 'ACown own-token +15005550002',
       'a directive comes first';
    is shown('/own', 'one'), 401, 'keys, too';

    is shown('/none', 'one'), 500, 'an empty value is none';
--- error_log
Twilio credentials not configured



=== env: and file:
--- env
SID=AC$env
NUMBER=+15005550001
KEYS=k1
--- user_files eval
">>> token\nfile\$token\r\n>>> keys\n k2 \nk3,k4\n"
--- config
    voicebridge_twilio_api_url $TEST_NGINX_TWILIO_URL;
    voicebridge_api_keys env:KEYS;
    voicebridge_api_keys file:../html/keys;

    location = /call {
        voicebridge_twilio_account_sid env:SID;
        voicebridge_twilio_auth_token file:$TEST_NGINX_SERVROOT/html/token;
        voicebridge_twilio_phone_number env:NUMBER;
        voicebridge_outbound_call;
    }
--- twilio
    return {};
--- test
    is shown('/call', $_), 'AC$env file$token +15005550001', "key $_"
        for qw( k1 k2 k3 k4 );
    is shown('/call', ''), 401, 'no key';



=== levels
--- http_config
    voicebridge_twilio_account_sid AChttp;
    voicebridge_twilio_auth_token http-token;
    voicebridge_twilio_phone_number +15005550001;
    voicebridge_api_keys http-key;
    voicebridge_twilio_api_url $TEST_NGINX_TWILIO_URL;
--- config
    voicebridge_twilio_auth_token server-token;

    location /call {
        voicebridge_twilio_phone_number +15005550002;
        voicebridge_outbound_call;

        location /call/nested {
            voicebridge_twilio_account_sid ACnested;
            voicebridge_outbound_call;
        }

        if ($arg_other) {
            set $other 1;
        }

        limit_except GET {
            allow all;
        }
    }

    location = /off {
        voicebridge_api_keys off;
        voicebridge_outbound_call;
    }
--- twilio
    return {};
--- test
    is shown('/call', 'http-key'), 'AChttp server-token +15005550002',
       'the innermost counts';
    is shown('/call?other=1', 'http-key'), 'AChttp server-token +15005550002',
       'in an if';
    is shown('/call/nested', 'http-key'),
       'ACnested server-token +15005550002', 'in a nested location';
    is shown('/off', ''), 'AChttp server-token +15005550001', 'off';



=== the system's certificates, as OpenSSL finds them
--- env eval
"SSL_CERT_FILE=$ENV{TEST_NGINX_CERTIFICATES}/ca.crt"
--- config
    location = /call {
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_outbound_call;
    }
--- twilio
    return {};
--- twilio_options
    tls => 'good'
--- test
    isnt shown('/call', $ENV{TEST_NGINX_API_KEY}), 502, 'trusted';



=== an agent on a host that no name server knows
--- http_config
    voicebridge_zone calls:1m;
--- config
    location = /twilio/media-stream {
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;
        voicebridge_verify_signature off;
        voicebridge_agent agent_1;
        voicebridge_media_stream;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(output => 'ulaw_8000', input => 'ulaw_8000');
    $socket->recv_close;
--- agent_options
    tls => 'good'
--- test
    my $phone = phone();

    $phone->connect;
    $phone->connected->start;

    is agent()->event('tls')->{name}, 'localhost', 'asked for by its name';
    is agent()->event('initiation')->{event}, 'initiation', 'and found';

    $phone->stop->send_close;
    agent()->finish;
