package Voicebridge::Sim::ElevenLabs;

# ElevenLabs' door: signed URLs over REST, and who may open the socket.

use Mojo::Base -base, -signatures;

use Digest::SHA qw( sha1_hex );
use Mojo::IOLoop;
use Mojo::Util qw( encode secure_compare url_escape );
use Time::HiRes qw( time );
use Voicebridge::Sim::Socket;

has [qw( api_key log )];

# agents that need nothing to be talked to
has public => 0;

# agents there are; empty: any
has agents => sub { [] };

# of the socket in a signed URL, "wss://host"; undef: the request's own host
has 'signed_base';

# makes and starts a Voicebridge::Sim::Conversation
has 'new_conversation';

# of agents' audio, output and input
has formats => sub { [qw( pcm_16000 pcm_16000 )] };

has faults => sub { [] };

# signatures that have been given out, and until when they are good
has signatures => sub { {} };

use constant LIFETIME => 15 * 60;

my %WANTS = (
    'signed-url' => qr/^(?:[45]\d\d|garbage|timeout|drop)$/,
    handshake    => qr/^(?:[2345]\d\d|timeout|drop|wrong-accept)$/,
    metadata     => qr/^(?:\d{4}|none)$/,
    close        => qr/^\d{4}$/,
    error        => qr/^\d{4}$/,
    drop         => undef,
    silence      => undef,
);


# NAME[=VALUE][@SECONDS][:TIMES]

sub parse_fault ($text) {
    my ($name, $value, $seconds, $times) =
        $text =~ /^([a-z-]+)(?:=([a-z0-9-]+))?(?:\@([0-9.]+))?(?::(\d+))?$/;

    die "\"$text\" is no fault, see --help\n"
        unless defined $name && exists $WANTS{$name}
               && ($WANTS{$name} ? ($value // '') =~ $WANTS{$name}
                                 : !defined $value);

    return { name => $name, value => $value, seconds => $seconds // 0,
             times => $times };
}


sub mount ($self, $app) {
    for my $name (qw( get-signed-url get_signed_url )) {
        $app->routes->get("/v1/convai/conversation/$name" => sub ($c) {
            $self->_signed_url($c);
        });
    }

    $app->routes->get('/v1/convai/agents/<agent>' => sub ($c) {
        $self->_agent($c);
    });

    $app->routes->websocket('/v1/convai/conversation' => sub ($c) {
        $self->_socket($c);
    });

    $app->routes->any('/*any' => { any => '' } => sub ($c) {
        $c->render(status => 404, json => { detail => 'Not Found' });
    });

    return $self;
}


# the value of a fault that is due, or undef

sub _fault ($self, $name) {
    for my $fault (grep { $_->{name} eq $name } @{$self->faults}) {
        return $fault if !defined $fault->{times} || $fault->{times}-- > 0;
    }

    return undef;
}


# what a pre-flight reads of an agent

sub _agent ($self, $c) {
    my $agent = $c->param('agent');

    return $self->_refuse($c, 401) unless $self->_has_key($c);
    return $self->_refuse($c, 404) unless $self->_knows($agent);

    $c->render(json => {
        agent_id => $agent,
        conversation_config => {
            tts => { agent_output_audio_format => $self->formats->[0] },
            asr => { user_input_audio_format => $self->formats->[1] },
            conversation => { client_events => [qw(
                audio interruption user_transcript agent_response
                agent_response_correction conversation_initiation_metadata
                ping )] },
        },
        platform_settings => {
            auth => { enable_auth => $self->public ? \0 : \1 },
        },
    });
}


sub _signed_url ($self, $c) {
    my $agent = $c->req->query_params->param('agent_id');

    $self->log->event(signed_url => { agent_id => $agent });

    if (my $fault = $self->_fault('signed-url')) {
        return $self->_refuse($c, $fault->{value});
    }

    return $self->_refuse($c, 401) unless $self->_has_key($c);
    return $self->_refuse($c, 422) unless length($agent // '');
    return $self->_refuse($c, 404) unless $self->_knows($agent);

    my $signature = sha1_hex(rand . $$ . time);

    $self->signatures->{$signature} = [$agent, time + LIFETIME];

    my $own = $c->req->url->to_abs;
    my $base = $self->signed_base
        // ($own->protocol eq 'https' ? 'wss' : 'ws') . '://' . $own->host_port;

    $c->render(json => { signed_url => "$base/v1/convai/conversation"
        . '?agent_id=' . url_escape(encode 'UTF-8', $agent)
        . "&conversation_signature=cvtkn_$signature" });
}


sub _refuse ($self, $c, $status) {
    $self->log->event(refused => { status => $status,
                                   path => $c->req->url->path->to_string },
                      'Agent: refuses with ' . $status);

    $c->render_later;

    return if $status eq 'timeout';

    if ($status eq 'drop') {
        my $socket = Mojo::IOLoop->stream($c->tx->connection);
        return $socket->close;
    }

    return $c->render(text => '<html>no JSON</html>') if $status eq 'garbage';

    return $c->render(status => 422, json => { detail => [
        { loc => ['query', 'agent_id'], msg => 'field required',
          type => 'value_error.missing' },
    ] }) if $status == 422;

    $c->render(status => $status, json => { detail => {
        status => $status == 401 ? 'invalid_api_key' : 'simulated',
        message => $status == 401 ? 'Invalid API key' : "simulated $status",
    } });
}


sub _has_key ($self, $c) {
    return secure_compare($c->req->headers->header('xi-api-key') // '',
                          $self->api_key);
}


sub _knows ($self, $agent) {
    return !@{$self->agents} || grep { $_ eq $agent } @{$self->agents};
}


sub _socket ($self, $c) {
    my $tx = Voicebridge::Sim::Socket->adopt($c->tx);
    my $headers = $c->req->headers;
    my $query = $c->req->query_params;
    my $agent = $query->param('agent_id');

    $self->log->event(handshake => { agent_id => $agent,
        host => $headers->host, origin => $headers->origin,
        extensions => $headers->sec_websocket_extensions,
        protocol => $headers->sec_websocket_protocol });

    $self->_check_handshake($headers);

    # nothing is too slow for a conversation
    Mojo::IOLoop->stream($tx->connection)->timeout(0);

    my $fault = $self->_fault('handshake');
    my $instead = $fault ? $fault->{value} : '';

    return $self->_refuse($c, $instead)
        if length $instead && $instead ne 'wrong-accept';

    $tx->max_websocket_size(4 * 1024 * 1024);
    $c->res->headers->sec_websocket_accept('d3JvbmcgYWNjZXB0IHZhbHVlIQ==')
        if $instead eq 'wrong-accept';
    $c->rendered(101);

    # a refusal comes after the 101
    my $how = $self->_authorized($c, $agent, $query);

    if (!defined $how) {
        $self->log->event(unauthorized => { agent_id => $agent },
                          'Agent: could not authorize the conversation');
        return $tx->finish(3000, 'Could not authorize the conversation.');
    }

    my $metadata = $self->_fault('metadata');

    $self->new_conversation->(
        tx => $tx, agent_id => $agent, authorized => $how,
        metadata => $metadata ? $metadata->{value} : undef,
        faults => [map { $self->_step($_) } qw( close error drop silence )],
    );
}


# a fault in the conversation, as a step of an agent, and when it is due

sub _step ($self, $name) {
    my $fault = $self->_fault($name) // return;

    return [{ $name => $fault->{value} // 1 }, $fault->{seconds}];
}


# RFC 6455, 4.2.1, as far as the library has not looked

sub _check_handshake ($self, $headers) {
    my $key = $headers->sec_websocket_key // '';

    $self->log->warning(1002, 'Sec-WebSocket-Key is not base64 of 16 bytes')
        unless $key =~ m{^[A-Za-z0-9+/]{22}==$};
    $self->log->warning(1002, 'Sec-WebSocket-Version is not 13')
        if ($headers->sec_websocket_version // '') ne '13';
}


# how the socket was opened, or undef

sub _authorized ($self, $c, $agent, $query) {
    return undef unless length($agent // '') && $self->_knows($agent);

    my $signature = $query->param('conversation_signature');

    if (defined $signature) {
        my $known = delete $self->signatures->{$signature =~ s/^cvtkn_//r};

        return $known && $known->[0] eq $agent && $known->[1] > time
               ? 'signed_url' : undef;
    }

    return $self->_has_key($c) ? 'authorization_header' : undef
        if defined $c->req->headers->header('xi-api-key');

    return $self->public ? 'public' : undef;
}


1;
