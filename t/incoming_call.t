# Twilio's voice webhook at a location with voicebridge_incoming_call:
# contract 1.2, and section 4 for who may ask.

use Voicebridge::Test;
use Voicebridge::HTTP qw( base http );

my $sid = 'CA' . '0123456789abcdef' x 2;


# what Twilio sends, but for what is said

sub call {
    my %form = (
        AccountSid => $ENV{TEST_NGINX_ACCOUNT_SID},
        ApiVersion => '2010-04-01',
        CallSid    => $sid,
        CallStatus => 'ringing',
        CallerName => '',
        Direction  => 'inbound',
        From       => '+15005550009',
        FromCity   => 'São Paulo & Umgebung',
        To         => '+15005550006',
        @_,
    );

    return [ map { $_ => $form{$_} } sort keys %form ];
}

sub incoming {
    my ($path, @form) = @_;

    return http(POST => $path, form => call(@form),
                token => $ENV{TEST_NGINX_AUTH_TOKEN});
}


# the call as a query

sub query { return Voicebridge::HTTP::form_bytes(@{call(@_)}) }


# a parameter of the TwiML

sub parameter {
    my ($answer, $name) = @_;

    my ($value) = $answer->{body}
                  =~ /<Parameter name="\Q$name\E" value="([^"]*)"/;

    return $value;
}

sub sid { return $sid }


# an env section, names and values, is what nginx is started with

add_block_preprocessor(sub {
    my $block = shift;

    delete @ENV{qw( ENVIRONMENT HOST )};

    for (split /\n/, $block->env // '') {
        my ($name, $value) = split /=/, $_, 2;
        $ENV{$name} = $value;
    }
});

run_tests();

__DATA__

=== a call comes in
--- config
    location = /twilio/incoming-call {
        voicebridge_incoming_call;
        voicebridge_agent agent_1;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    my $answer = incoming('/twilio/incoming-call');
    my $base = base() =~ s/^http//r;

    is $answer->{status}, 200, 'answered';
    is $answer->{headers}{'content-type'}, 'text/xml', 'with TwiML';

    like $answer->{body}, qr{<Response>\s*<Connect>\s*<Stream [^>]*
                             url="ws\Q$base\E/twilio/media-stream"}x,
         'that opens a stream';
    like $answer->{body}, qr{statusCallback="http\Q$base\E/twilio
                             /call-status"}x, 'and tells how it goes';
    like $answer->{body}, qr{</Connect>\s*</Response>\s*$},
         'and nothing after it';

    is parameter($answer, 'agent_id'), 'agent_1', 'agent_id';
    is parameter($answer, 'direction'), 'inbound', 'direction';
    is parameter($answer, 'from'), '+15005550009', 'from';
    is parameter($answer, 'to'), '+15005550006', 'to';
    like parameter($answer, 'session_id'),
         qr/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'session_id';
    like parameter($answer, 'vb_token'), qr/^.{40,}$/, 'vb_token';
    is parameter($answer, 'dynamic_variables'), undef, 'no variables';

    isnt parameter(incoming('/twilio/incoming-call'), 'session_id'),
         parameter($answer, 'session_id'), 'a session of its own';

    my $line = log_has(qr/\[info\].*Incoming call/);

    like $line, qr/${\sid()}/, 'the log has the SID';
    like $line, qr/0009.*0006/, 'and whose call it is';
    unlike $line, qr/1500555000/, 'but not the numbers';



=== by GET, as a number may be configured
--- numbers
--- config
    location = /twilio/incoming-call {
        voicebridge_incoming_call;
        voicebridge_agent agent_1;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    my $path = '/twilio/incoming-call?' . query();
    my $answer = http(GET => $path, token => $ENV{TEST_NGINX_AUTH_TOKEN});

    is $answer->{status}, 200, 'answered';
    is parameter($answer, 'from'), '+15005550009', 'from';

    unlike log_has(qr/\[info\].*Incoming call/), qr/1500555000/,
           'the log has no numbers, in the request line either';

    is http(GET => "$path&To=1",
            headers => { 'X-Twilio-Signature' => 'x' x 28 })->{status}, 403,
       'another query';



=== who may ask
--- config
    location = /twilio/incoming-call {
        voicebridge_incoming_call;
        voicebridge_agent agent_1;
        $TEST_NGINX_VOICEBRIDGE
    }

    location = /rotation {
        voicebridge_incoming_call;
        voicebridge_agent agent_1;
        voicebridge_twilio_auth_token new-token old-token;
    }

    location = /anyone {
        voicebridge_incoming_call;
        voicebridge_agent agent_1;
        voicebridge_verify_signature off;
    }

    location = /no-token {
        voicebridge_incoming_call;
        voicebridge_agent agent_1;
    }
--- test
    my @post = (POST => '/twilio/incoming-call', form => call());
    my $with = sub { http(@post, headers => {
                              'X-Twilio-Signature' => shift })->{status} };

    my $good = Voicebridge::Phone::signature(
        $ENV{TEST_NGINX_AUTH_TOKEN}, base() . '/twilio/incoming-call',
        @{call()});

    is http(@post)->{status}, 403, 'unsigned';
    log_has(qr/\[warn\].*no X-Twilio-Signature/);

    is $with->($good), 200, 'signed';
    is $with->(lc $good), 403, 'not quite';
    like log_has(qr/\[warn\].*X-Twilio-Signature is not/),
         qr{voicebridge_public_url.*proxy.*voicebridge_twilio_auth_token},
         'the log says what to look at';

    is $with->(substr $good, 1), 403, 'too short';
    is $with->("$good="), 403, 'too long';
    is $with->(''), 403, 'empty';

    is http(POST => '/twilio/incoming-call', form => call(CallStatus => 'x'),
            headers => { 'X-Twilio-Signature' => $good })->{status}, 403,
       'another form';

    is http(POST => '/twilio/incoming-call?x=1', form => call(),
            headers => { 'X-Twilio-Signature' => $good })->{status}, 403,
       'another URL';

    is http(POST => '/twilio/incoming-call?x=1', form => call(),
            token => $ENV{TEST_NGINX_AUTH_TOKEN})->{status}, 200,
       'a URL with a query';

    is http(POST => '/rotation', form => call(), token => $_)->{status},
       /three/ ? 403 : 200, $_
        for qw( new-token old-token token-three );

    my $anyone = http(POST => '/anyone', form => call());

    is $anyone->{status}, 200, 'nothing to verify';
    is parameter($anyone, 'vb_token'), undef, 'nor to sign with';

    is http(POST => '/no-token', form => call())->{status}, 403,
       'no token, no signature';
    is http(POST => '/no-token', form => call(), token => 'x')->{status},
       500, 'no token to verify with';
    log_has(qr/\[error\].*without "voicebridge_twilio_auth_token"/);



=== an unsigned request is refused before its body
--- config
    location = /twilio/incoming-call {
        voicebridge_incoming_call;
        voicebridge_agent agent_1;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    my $client = Voicebridge::HTTP->connect;

    $client->send_request(POST => '/twilio/incoming-call', form => call(),
                          head_only => 1);

    is $client->response->{status}, 403, 'without having read it';



=== what is no webhook
--- config
    voicebridge_verify_signature off;
    voicebridge_agent agent_1;

    location = /twilio/incoming-call {
        voicebridge_incoming_call;
    }
--- test
    my $path = '/twilio/incoming-call';

    for my $method (qw( PUT DELETE OPTIONS )) {
        my $answer = http($method => $path);

        is $answer->{status}, 405, $method;
        is $answer->{headers}{allow}, 'GET, POST', "$method: what is allowed";
    }

    is http(POST => $path, json => {})->{status}, 415, 'JSON';
    is http(POST => $path, body => 'To=1')->{status}, 415, 'no type';

    my $form = 'application/x-www-form-urlencoded';
    my $as = sub { http(POST => $path, body => $_[1],
                        headers => { 'Content-Type' => $_[0] })->{status} };

    is $as->("$form; charset=UTF-8", 'To=1'), 200, 'a character set';
    is $as->("${form}2", 'To=1'), 415, 'another type';
    is $as->($form, 'To=%2'), 400, 'a broken escape';
    is $as->($form, join '&', map { "f$_=1" } 1 .. 300), 400,
       'too many fields';
    is $as->($form, ''), 200, 'nothing at all';

    my $large = 'To=' . 'x' x 70_000;

    is $as->($form, $large), 413, 'too large';
    is http(POST => $path, body => $large, chunked => 1000,
            headers => { 'Content-Type' => $form })->{status}, 413,
       'too large in chunks';



=== bodies in every form
--- config
    client_body_buffer_size 1k;

    location = /twilio/incoming-call {
        voicebridge_incoming_call;
        voicebridge_agent agent_1;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    my @post = (POST => '/twilio/incoming-call',
                token => $ENV{TEST_NGINX_AUTH_TOKEN});

    my %forms = ('in memory' => call(),
                 'in a file' => call(Much => 'x' x 3000));

    for my $where (sort keys %forms) {
        my @form = (form => $forms{$where});

        is parameter(http(@post, @form, @$_), 'to'), '+15005550006',
           join ' ', $where, map { ref ? @$_ : $_ } @$_
            for [], [ chunked => 10 ], [ pieces => [ 200, 3000 ] ],
                [ chunked => 500, pieces => [ 300 ] ];

        is http(@post, @form, chunked => 10, token => 'other')->{status}, 403,
           "$where, mis-signed";
    }



=== an agent for every number
--- http_config
    map $voicebridge_to $by_number {
        +15005550006  agent_six;
        default       "";
    }

    map $voicebridge_from $by_caller {
        ~^\+49        agent_german;
        default       agent_other;
    }
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /to {
        voicebridge_incoming_call;
        voicebridge_agent $by_number;
    }

    location = /from {
        voicebridge_incoming_call;
        voicebridge_agent $by_caller;
    }

    location = /none {
        voicebridge_incoming_call;
    }
--- test
    my $agent = sub { parameter(incoming(@_), 'agent_id') };

    is $agent->('/to'), 'agent_six', 'by the number called';
    is $agent->('/from'), 'agent_other', 'by the caller';
    is $agent->('/from', From => '+4930123456'), 'agent_german',
       'by another caller';

    for (['/to', To => '+15005550007'], ['/none']) {
        is incoming(@$_)->{status}, 500, "none: $$_[0]";
    }

    like log_has(qr/\[error\].*no agent for the incoming call/),
         qr/"voicebridge_agent".*\$voicebridge_to/, 'what to configure';



=== callers without a number
--- config
    location = /twilio/incoming-call {
        voicebridge_incoming_call;
        voicebridge_agent agent_1;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    my %from = (
        'anonymous'                => 'anonymous',
        'client:"Ann" <b&c>'       => 'client:&quot;Ann&quot; &lt;b&amp;c&gt;',
        'sip:zoë@example.com'      => 'sip:zoë@example.com',
        ''                         => undef,
    );

    for my $from (sort keys %from) {
        is parameter(incoming('/twilio/incoming-call', From => $from), 'from'),
           $from{$from}, "\"$from\"";
    }



=== the public URL
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_agent agent_1;

    location = /set {
        voicebridge_incoming_call;
        voicebridge_public_url https://voice.example.com/;
    }

    location = /port {
        voicebridge_incoming_call;
        voicebridge_public_url https://voice.example.com:8443/prefix;
        voicebridge_media_stream_path /m;
        voicebridge_call_status_path /s;
    }

    location = /plain {
        voicebridge_incoming_call;
        voicebridge_public_url http://voice.example.com;
    }

    location = /loud {
        voicebridge_incoming_call;
        voicebridge_public_url HTTPS://voice.example.com;
    }

    location = /variable {
        voicebridge_incoming_call;
        voicebridge_public_url $http_x_url;
    }
--- test
    my %urls = (
        '/set' => [ 'https://voice.example.com',
                    'wss://voice.example.com/twilio/media-stream',
                    'https://voice.example.com/twilio/call-status' ],
        '/port' => [ 'https://voice.example.com:8443/prefix',
                     'wss://voice.example.com:8443/prefix/m',
                     'https://voice.example.com:8443/prefix/s' ],

        # Twilio takes nothing but wss
        '/plain' => [ 'http://voice.example.com',
                      'wss://voice.example.com/twilio/media-stream',
                      'http://voice.example.com/twilio/call-status' ],
    );

    $urls{'/loud'} = $urls{'/set'};

    my $ask = sub {
        my ($path, $base, %headers) = @_;

        return http(POST => $path, form => call(), url => "$base$path",
                    token => $ENV{TEST_NGINX_AUTH_TOKEN},
                    headers => \%headers);
    };

    my $gives = sub {
        my ($answer, $stream, $status, $name) = @_;

        is $answer->{status}, 200, "$name: signed";
        like $answer->{body}, qr{ url="\Q$stream\E"}, "$name: stream";
        like $answer->{body}, qr{ statusCallback="\Q$status\E"},
             "$name: status";
    };

    for my $path (sort keys %urls) {
        my ($base, @urls) = @{$urls{$path}};

        $gives->($ask->($path, $base), @urls, $path);
        is $ask->($path, base())->{status}, 403, "$path: not by our own name";
    }

    my @set = @{$urls{'/set'}};

    $gives->($ask->('/variable', $set[0], 'X-Url' => "$set[0]//"),
             @set[1, 2], 'a variable');
    $gives->($ask->('/variable', $set[0],
                    'X-Url' => $set[0] =~ s/https/HttpS/r),
             @set[1, 2], 'a variable, whatever its case');

    $gives->($ask->('/variable', base()),
             base() =~ s/^http/ws/r . '/twilio/media-stream',
             base() . '/twilio/call-status', 'an empty variable');

    is $ask->('/variable', $set[0], 'X-Url' => $_)->{status}, 500, $_
        for 'voice.example.com', 'https://', 'https:///', 'h',
            'ftp://voice.example.com';

    log_has(qr/\[error\].*"voicebridge_public_url" is "voice\.example\.com"/);

    # behind a proxy that keeps the name

    $gives->($ask->('/variable', 'http://phones.example.com:81',
                    Host => 'phones.example.com:81'),
             'ws://phones.example.com:81/twilio/media-stream',
             'http://phones.example.com:81/twilio/call-status', 'Host');



=== production
--- env
ENVIRONMENT=production
HOST=voice.example.com
--- config
    location = /twilio/incoming-call {
        voicebridge_incoming_call;
        voicebridge_agent agent_1;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    my $answer = http(POST => '/twilio/incoming-call', form => call(),
                      token => $ENV{TEST_NGINX_AUTH_TOKEN},
                      url => 'https://voice.example.com'
                             . '/twilio/incoming-call');

    is $answer->{status}, 200, 'signed for the host';
    like $answer->{body}, qr{ url="wss://voice\.example\.com/twilio
                              /media-stream"}x, 'the stream';
    like $answer->{body}, qr{"https://voice\.example\.com/twilio
                             /call-status"}x, 'its status';



=== production without a host
--- env
ENVIRONMENT=production
--- config
    location = /twilio/incoming-call {
        voicebridge_incoming_call;
        voicebridge_agent agent_1;
        $TEST_NGINX_VOICEBRIDGE
    }
--- test
    my $base = base() =~ s/^http//r;

    like incoming('/twilio/incoming-call')->{body},
         qr{ url="wss\Q$base\E/twilio/media-stream"},
         'production has no plain streams';



=== over TLS
--- config
    listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1 ssl;
    ssl_certificate $TEST_NGINX_CERTIFICATES/good.crt;
    ssl_certificate_key $TEST_NGINX_CERTIFICATES/good.key;

    location = /twilio/incoming-call {
        voicebridge_incoming_call;
        voicebridge_agent agent_1;
        $TEST_NGINX_VOICEBRIDGE
    }

    location = /proxy {
        proxy_ssl_server_name on;
        proxy_set_header Host localhost;
        rewrite ^ /twilio/incoming-call break;
        proxy_pass https://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- test
    my $answer = http(POST => '/proxy', form => call(),
                      token => $ENV{TEST_NGINX_AUTH_TOKEN},
                      url => 'https://localhost/twilio/incoming-call');

    is $answer->{status}, 200, 'signed for https';
    like $answer->{body}, qr{ url="wss://localhost/twilio/media-stream"},
         'the stream';
