# vb_token: what proves that a stream belongs to a call of this module's.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );
use Voicebridge::WebSocket qw( json );

use Digest::SHA qw( hmac_sha256 sha256 );
use MIME::Base64 qw( decode_base64 encode_base64 );


# a call that came in: the parameters that its stream will have

sub parameters {
    my ($path, %o) = @_;

    my @form = (CallSid => 'CA' . '0' x 32, From => '+15005550007',
                To => '+15005550006', Direction => 'inbound');

    my $answer = http(POST => $path, form => \@form,
                      token => $ENV{TEST_NGINX_AUTH_TOKEN}, %o);

    is $answer->{status}, 200, 'the call is answered';

    return twiml_parameters($answer->{body});
}

sub twiml_parameters {
    my $twiml = shift;

    my %entity = (amp => '&', lt => '<', gt => '>', quot => '"', apos => "'");

    return map { s/&(\w+);/$entity{$1}/gr =~ s/&#x?(\d+);/chr $1/ger }
               $twiml =~ /<Parameter name="([^"]*)" value="([^"]*)"/g;
}


# the formula in Perl: a token for these parameters

sub token {
    my ($expiry, $parameters, $auth_token) = @_;

    my $head = "$expiry." . base64url(join '', map { chr rand 256 } 1 .. 16);
    my $key = hmac_sha256('voicebridge vb_token',
                          $auth_token // $ENV{TEST_NGINX_AUTH_TOKEN});

    my $claims = sha256(join '', map { pack 'Q>a*', length, $_ }
        map { $parameters->{$_} // '' }
            qw( agent_id session_id direction from to dynamic_variables ));

    return "$head." . base64url(hmac_sha256($head . $claims, $key));
}

sub base64url { return encode_base64($_[0], '') =~ tr{+/=}{-_}dr }


# a stream with these parameters that is served

sub served {
    my ($name, $parameters, %o) = @_;

    my $phone = phone(%o)->connect;

    $phone->start(parameters => $parameters);

    my $got = eval { agent()->event('initiation', 5) };

    ok $got, $name;
    $phone->stop;
    $phone->recv_close;

    return $got && $got->{message}{dynamic_variables};
}


# and one that is not: nobody has asked the agent

sub refused {
    my ($name, $why, $parameters, %o) = @_;

    my $asked = requests();
    my $phone = phone(%o)->connect;

    $phone->start(parameters => $parameters);
    is(($phone->recv_close)[0], 1008, "$name: the stream is closed");
    $phone->send_close(1008);
    $phone->recv_eof;

    like log_has(qr/\[warn\].*call $phone->{call_sid}: Call ended/), $why,
         "$name: the log says why";

    is requests(), $asked, "$name: the agent is left alone";
}

sub requests { return scalar grep { $_->{event} eq 'request' } agent()->events }

sub serve {
    my $socket = shift;

    $socket->upgrade;
    $socket->expect_initiation;
    $socket->recv_close;

    return 1;
}

run_tests();

__DATA__

=== of a call that came in
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    voicebridge_agent agent_1;

    location = /twilio/incoming-call {
        voicebridge_incoming_call;
    }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        access_log $TEST_NGINX_CALLS_LOG calls;
    }
--- agent_options
    each => 1
--- agent
    serve($agent);
--- test
    my %call = parameters('/twilio/incoming-call');

    like $call{vb_token}, qr/^\d{10}\.[\w-]{22}\.[\w-]{43}$/, 'it has a token';

    my $got = served('that opens a stream', \%call);

    is $got->{caller_number}, '+15005550007', 'of the caller';
    is $got->{vb_token}, undef, 'which the agent does not see';

    refused('again', qr/vb_token was used before/, \%call);
    like calls_log_has(qr/reason=bad_token/), qr/status=failed/,
         'the access log';



=== of a call that was placed, with variables
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;

    location = /twilio/outbound-call {
        voicebridge_outbound_call;
    }

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }
--- agent_options
    each => 1
--- agent
    serve($agent);
--- twilio
    return {};
--- test
    # long enough for several parameters
    my %variables = (name => "Zo\x{eb} <&>\"'\x{1f600}", long => '<&>"' x 150,
                     price => 1.5, ok => JSON::PP::true, none => undef);

    my $answer = http(POST => '/twilio/outbound-call',
                      headers => { 'X-API-Key' => $ENV{TEST_NGINX_API_KEY} },
                      json => { agent_id => 'agent_2',
                                session_id => 'session-2',
                                metadata => { to_number => '+15005550009',
                                    dynamic_variables => \%variables } });

    is $answer->{status}, 200, 'a call is placed';

    my $twiml = twilio()->event('request')->{form}{Twiml};

    utf8::decode($twiml);

    my %call = twiml_parameters($twiml);

    cmp_ok scalar(grep { /^dynamic_variables/ } keys %call), '>', 1,
           'its variables are cut';

    my $got = served('its stream is served', \%call);

    is_deeply { map { $_ => $got->{$_} } keys %variables }, \%variables,
              'with all of the variables';
    is $got->{called_number}, '+15005550009', 'and the number';



=== what a token binds
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }

    location = /off {
        voicebridge_media_stream;
        voicebridge_verify_signature off;
    }

    location = /both {
        voicebridge_media_stream;
        voicebridge_twilio_auth_token another-token-0123456789
                                      $TEST_NGINX_AUTH_TOKEN;
    }
--- agent_options
    each => 1
--- agent
    serve($agent);
--- test
    my %call = (agent_id => 'agent_1', session_id => 'session-1',
                direction => 'outbound', from => '+15005550006',
                to => '+15005550009',
                dynamic_variables => '{"name":"A","n":1}');

    my $later = time + 600;
    my $good = sub { return { %call, vb_token => token($later, \%call) } };
    my $forged = qr/made with another auth token, or the parameters were/;

    is served('a good one', $good->())->{name}, 'A', 'its variables';

    # pieces are put together again
    my %cut = (%{$good->()}, dynamic_variables => '{"name":');

    served('in two pieces', { %cut, dynamic_variables_2 => '"A","n":1}' });

    my %altered = (agent_id => 'agent_2', session_id => 'session-2',
                   direction => 'inbound', from => '+15005550007',
                   to => '+15005550008',
                   dynamic_variables => '{"name":"B","n":1}');

    for my $name (sort keys %altered) {
        refused("another $name", $forged,
                { %{$good->()}, $name => $altered{$name} });
    }

    my %less = %{$good->()};

    delete $less{session_id};
    refused('one parameter less', $forged, \%less);

    # what it does not bind is the caller's own affair
    is served('a parameter more', { %{$good->()}, more => 'x' })->{more}, 'x',
       'is a variable';

    refused('of another account', $forged,
            { %call, vb_token => token($later, \%call, 'f00d' x 8) });
    refused('expired', qr/vb_token is too old/,
            { %call, vb_token => token(time - 2, \%call) });

    my $token = token($later, \%call);

    for (['too short', substr $token, 1], ['too long', "${token}A"],
         ['one character', 'x'], ['no dots', $token =~ tr/./_/r],
         ['no number', $token =~ s/^\d{10}/abcdefghij/r],
         ['huge', 'x' x 400])
    {
        refused($_->[0], qr/vb_token is malformed/,
                { %call, vb_token => $_->[1] });
    }

    my $wrong = $token =~ s/(.)$/$1 eq 'A' ? 'E' : 'A'/er;

    refused('one bit', qr/vb_token/, { %call, vb_token => $wrong });

    # with or without Twilio's signature a token that is there must be good
    refused('where nobody signs', $forged,
            { %call, agent_id => 'agent_2', vb_token => $token },
            path => '/off', auth_token => undef);
    served('but not where there is none', \%call, path => '/off',
           auth_token => undef);

    secret('another-token-0123456789');
    served('while tokens are replaced', $good->(), path => '/both');
    served('with the new one', { %call, vb_token =>
           token($later, \%call, 'another-token-0123456789') },
           path => '/both');

    served('no token but a signature', \%call);



=== without a zone
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }
--- agent_options
    each => 1
--- agent
    serve($agent);
--- test
    my %call = (agent_id => 'agent_1');

    $call{vb_token} = token(time + 600, \%call);

    served('a token is good', \%call);
    served('more than once', \%call);
