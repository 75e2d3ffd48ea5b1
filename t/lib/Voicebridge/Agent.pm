package Voicebridge::Agent;

# An ElevenLabs agent for tests, in a process of its own, that does what its
# script says and reports what it saw:
#
#     my $agent = Voicebridge::Agent->start(script => sub {
#         my $agent = shift;                       # in the peer's process
#
#         my $socket = $agent->socket;             # signed URL, handshake
#         $socket->expect_initiation;
#         $socket->metadata(output => 'ulaw_8000');
#         $socket->audio("\xff" x 160, 1);
#         $socket->recv_close;
#     });
#
#     voicebridge_elevenlabs_url  $agent->url;     # in the configuration
#
#     is $agent->event('initiation')->{message}{type}, ...;   # in the test
#     $agent->finish;
#
# With each => 1 the script runs for every connection in a process of its own
# and is given the connection, whose first request has been read, instead.
#
# Events: request, open, initiation, close, tls, tls_failed, error, done, and
# the script's own by note(); from the initiation on with the SID of the call.

use strict;
use warnings;

use parent 'Voicebridge::Peer';

use POSIX qw( WNOHANG );

use constant {
    SIGNED_URL => '/v1/convai/conversation/get-signed-url',
    SOCKET     => '/v1/convai/conversation',
};


sub connection_class { return 'Voicebridge::Agent::Socket' }


sub serve {
    my $self = shift;

    return $self->{script}->($self) unless $self->{each};

    while (1) {
        my $connection = $self->accept;

        my $pid = fork() // die "fork: $!\n";

        if ($pid == 0) {
            close $_ for @{$self->{listeners}};

            if (!eval {
                while ($connection->next_request) {
                    last if $self->{script}->($connection);
                }
                1;
            }) {
                chomp(my $error = $@);
                $self->note(event => 'error', error => $error);
            }

            POSIX::_exit(0);
        }

        # TLS would say good-bye for the other process
        my $sock = $connection->sock;

        $sock->isa('IO::Socket::SSL') ? $sock->close(SSL_no_shutdown => 1)
                                      : close $sock;

        1 while waitpid(-1, WNOHANG) > 0;
    }
}


# the next connection's first request; a connection may be there long before

sub request {
    my ($self, $timeout) = @_;

    while (1) {
        my $connection = $self->arrived($timeout);

        return $connection if $connection;
    }
}


# One step towards it, for a script that has more to do: a connection whose
# first request has been read, or undef where somebody has only connected, or
# left again.  The next step waits for nothing when one of waiting() can be
# read, unless that is the lifeline.

sub arrived {
    my ($self, $timeout) = @_;

    my $silent = $self->{silent} //= [];
    my $connection = $self->accept($timeout, @$silent);

    if (!grep { $_ == $connection } @$silent) {
        push @$silent, $connection;
        return undef;
    }

    @$silent = grep { $_ != $connection } @$silent;

    # some only connect to see whether they can
    return $connection->next_request && $connection;
}


sub waiting {
    my $self = shift;

    return ($self->{lifeline}, @{$self->{listeners}},
            map { $_->sock } @{$self->{silent} // []});
}


# Gives a signed URL to whoever asks for it next.  Options: url, status, body.

sub signed_url {
    my ($self, %o) = @_;

    my $connection = $self->request;

    die "asked for $connection->{request}{target} instead of a signed URL\n"
        unless $connection->{request}{path} eq SIGNED_URL;

    return $connection->answer_signed_url(%o);
}


# The next WebSocket, a signed URL given before it where one is asked for.
# Options as of upgrade().

sub socket {
    my ($self, %o) = @_;

    while (1) {
        my $connection = $self->request;

        if ($connection->{request}{path} eq SIGNED_URL) {
            $connection->answer_signed_url;
            next;
        }

        return $connection->open_socket(%o);
    }
}


package Voicebridge::Agent::Socket;

# The agent's end of one connection: ElevenLabs' messages.

use strict;
use warnings;

use parent -norequire, 'Voicebridge::Connection';

use MIME::Base64 qw( decode_base64 encode_base64 );
use Voicebridge::WebSocket qw( deadline_after json );


sub next_request {
    my ($self, $timeout) = @_;

    my $request = $self->recv_request($timeout) or return undef;

    $self->note(event => 'request', map { $_ => $request->{$_} }
                qw( method target path query headers ));

    return $request;
}


sub answer_signed_url {
    my ($self, %o) = @_;

    my $peer = $self->{peer};
    my $id = $self->{request}{query}{agent_id} // '';

    my $url = $o{url} // do {
        my $base = $peer->url;
        $base =~ s/^http/ws/;
        $base . Voicebridge::Agent::SOCKET
              . "?agent_id=$id&conversation_signature=cvtkn_0123456789";
    };

    return $self->respond($o{status} // 200,
                          $o{body} // { signed_url => $url });
}


# the WebSocket that its request asks for

sub open_socket {
    my ($self, %o) = @_;

    die "asked for $self->{request}{target} instead of a socket\n"
        unless $self->{request}{path} eq Voicebridge::Agent::SOCKET;

    $self->upgrade(%o);
    $self->note(event => 'open');

    return $self;
}


# the first message, which says what the conversation is about

sub expect_initiation {
    my ($self, $timeout) = @_;

    my $message = $self->recv_json($timeout);

    die "the first message is " . json()->encode($message) . "\n"
        unless ($message->{type} // '')
               eq 'conversation_initiation_client_data';

    $self->{call_sid} = $message->{dynamic_variables}{call_sid};
    $self->note(event => 'initiation', message => $message);

    return $message;
}


# every event says which call it is of, as soon as that is known

sub note {
    my ($self, %event) = @_;

    $event{call} //= $self->{call_sid} if defined $self->{call_sid};

    return $self->SUPER::note(%event);
}


sub metadata {
    my ($self, %o) = @_;

    return $self->send_json({
        type => 'conversation_initiation_metadata',
        conversation_initiation_metadata_event => {
            conversation_id           => $o{id} // 'conv_0123456789abcdef',
            agent_output_audio_format => $o{output} // 'pcm_16000',
            user_input_audio_format   => $o{input} // 'pcm_16000',
        },
    });
}


sub audio {
    my ($self, $bytes, $event, %more) = @_;

    return $self->send_json({
        type        => 'audio',
        audio_event => { audio_base_64 => encode_base64($bytes, ''),
                         event_id => $event, %more },
    });
}


sub interruption {
    my ($self, $event) = @_;

    return $self->send_json({ type => 'interruption',
                              interruption_event => { event_id => $event } });
}


# ElevenLabs' own ping, a message; the protocol's is send_ping

sub ping {
    my ($self, $event, $ms) = @_;

    return $self->send_json({ type => 'ping',
                              ping_event => { event_id => $event,
                                              ping_ms => $ms } });
}


sub agent_response {
    my ($self, $text, $event) = @_;

    return $self->send_json({
        type => 'agent_response',
        agent_response_event => { agent_response => $text,
                                  event_id => $event // 1 },
    });
}


sub user_transcript {
    my ($self, $text, $event) = @_;

    return $self->send_json({
        type => 'user_transcript',
        user_transcription_event => { user_transcript => $text,
                                      event_id => $event // 1 },
    });
}


# the next message that is not the caller's audio; the audio is kept

sub recv_other {
    my ($self, $timeout) = @_;

    my $deadline = deadline_after($timeout // $self->{timeout});

    while (1) {
        my $message = $self->recv_json($deadline - Time::HiRes::time());

        return $message unless $self->take_audio($message);
    }
}


# $n bytes of the caller's audio; what else comes meanwhile is in {others}

sub recv_audio {
    my ($self, $n, $timeout) = @_;

    my $deadline = deadline_after($timeout // $self->{timeout});

    while (length($self->{audio} // '') < $n) {
        my $message = $self->recv_json($deadline - Time::HiRes::time());

        $self->take_audio($message) or push @{$self->{others}}, $message;
    }

    return substr $self->{audio}, 0, $n, '';
}


sub take_audio {
    my ($self, $message) = @_;

    return 0 unless exists $message->{user_audio_chunk};

    die "a caller's audio has more than itself: "
        . json()->encode($message) . "\n" if keys %$message > 1;

    $self->{audio} .= decode_base64($message->{user_audio_chunk});
    $self->{chunks}++;

    return 1;
}


# the other side's close frame, answered and reported

sub recv_close {
    my ($self, $timeout) = @_;

    my ($code, $reason) = $self->SUPER::recv_close($timeout);

    $self->note(event => 'close', code => $code, reason => $reason);
    eval { $self->send_close($code) };

    return ($code, $reason);
}


# closes and waits for the answer

sub close_with {
    my ($self, $code, $reason) = @_;

    $self->send_close($code, $reason);

    my ($answer) = $self->SUPER::recv_close;

    $self->note(event => 'close', code => $answer);

    return $answer;
}


1;
