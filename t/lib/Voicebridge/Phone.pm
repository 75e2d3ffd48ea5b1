package Voicebridge::Phone;

# Twilio's end of a media stream for tests: an answered phone on a raw socket.
#
#     my $phone = Voicebridge::Phone->new(port => server_port(),
#                                         auth_token => $token);
#     $phone->connect;                  # handshake, dies if not answered 101
#     $phone->connected->start(parameters => { agent_id => 'agent_1' });
#     $phone->media("\xff" x 160);
#     my $message = $phone->recv_json;
#     $phone->stop->send_close;
#
# Options of new: port; host and path of the request; tls => { ca, name };
# auth_token: signs the handshake; url: what is signed, by default of scheme,
# host, port and path; receive_buffer: bytes, for a phone that is to be slow;
# call_sid, stream_sid, account_sid; timeout.

use strict;
use warnings;

use parent 'Voicebridge::WebSocket';

use Digest::SHA qw( hmac_sha1 );
use IO::Socket::IP ();
use MIME::Base64 qw( decode_base64 encode_base64 );
use Socket qw( SOL_SOCKET SO_RCVBUF );
use Voicebridge::WebSocket qw( accept_key deadline_after new_key );

my $calls = 0;


sub new {
    my ($class, %o) = @_;

    my $id = sprintf '%08x%08x%08x%08x', $$, ++$calls, time(), rand 1 << 32;

    return bless {
        timeout     => $Voicebridge::WebSocket::Timeout,
        address     => '127.0.0.1',
        path        => '/twilio/media-stream',
        client      => 1,
        in          => '',
        messages    => [],
        audio       => '',
        marks       => [],
        account_sid => 'AC' . '0' x 31 . '1',
        call_sid    => "CA$id",
        stream_sid  => "MZ$id",
        sequence    => 0,
        chunk       => 0,
        %o,
    }, $class;
}


# as Twilio signs a request: the URL alone, or with a form's fields

sub signature {
    my ($token, $url, %form) = @_;

    return encode_base64(hmac_sha1(join('', $url, map { $_, $form{$_} }
                                                  sort keys %form), $token),
                         '');
}


sub host { return $_[0]{host} // "$_[0]{address}:$_[0]{port}" }


# the TCP connection alone, TLS if asked for

sub open {
    my $self = shift;

    my $sock = IO::Socket::IP->new(
        PeerHost => $self->{address},
        PeerPort => $self->{port},
        Timeout  => $self->{timeout},
        # before it connects, or the window would be larger already
        Sockopts => [ $self->{receive_buffer}
                      ? [ SOL_SOCKET, SO_RCVBUF, $self->{receive_buffer} ]
                      : () ],
    ) or die "cannot connect to port $self->{port}: $@\n";

    if ($self->{tls}) {
        require IO::Socket::SSL;

        $sock->blocking(1);

        $sock = IO::Socket::SSL->start_SSL($sock,
            SSL_ca_file         => $self->{tls}{ca},
            SSL_hostname        => $self->{tls}{name} // 'localhost',
            SSL_verifycn_name   => $self->{tls}{name} // 'localhost',
            SSL_verifycn_scheme => 'http',
            Timeout             => $self->{timeout},
        ) or die "TLS: $IO::Socket::SSL::SSL_ERROR\n";
    }

    my $socket = Voicebridge::WebSocket->new(sock => $sock, client => 1);

    $self->{sock} = $socket->{sock};

    return $self;
}


# The bytes of the handshake.  signature => a text or undef for none at all;
# headers => more of them, or other values; undef leaves one out.

sub handshake_bytes {
    my ($self, %o) = @_;

    my $url = $self->{url}
              // ($self->{tls} ? 'wss://' : 'ws://') . $self->host
                 . $self->{path};
    my $key = $self->{key} = new_key();

    my %headers = (
        'Host'                  => $self->host,
        'User-Agent'            => 'Twilio.TmeWs/1.0',
        'Connection'            => 'Upgrade',
        'Upgrade'               => 'websocket',
        'Sec-WebSocket-Version' => '13',
        'Sec-WebSocket-Key'     => $key,
        'X-Twilio-Signature'    =>
            exists $o{signature} ? $o{signature}
            : defined $self->{auth_token}
                ? signature($self->{auth_token}, $url) : undef,
        %{$o{headers} // {}},
    );

    return "GET $self->{path} HTTP/1.1\r\n"
           . join('', map { "$_: $headers{$_}\r\n" }
                      grep { defined $headers{$_} } sort keys %headers)
           . "\r\n";
}


# Sends a handshake and reads the answer's head: its status.  Options as of
# handshake_bytes; glue: bytes in the same segment; pieces: sizes, the
# handshake is sent in such pieces.

sub handshake {
    my ($self, %o) = @_;

    $self->open unless $self->{sock};

    my $bytes = $self->handshake_bytes(%o) . ($o{glue} // '');

    if ($o{pieces}) {
        $self->send_in_pieces($bytes, @{$o{pieces}});
    } else {
        $self->send_bytes($bytes);
    }

    my $head = $self->recv_head
               // die "the connection ended instead of an answer\n";

    my ($status, @lines) = split /\r\n/, $head;

    ($self->{status}) = $status =~ m{^HTTP/1\.1 (\d{3}) }
        or die "not an answer: $status\n";

    $self->{headers} = { map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () }
                             @lines };

    return $self->{status};
}


# a handshake that must succeed

sub connect {
    my ($self, %o) = @_;

    my $status = $self->handshake(%o);

    die "the handshake was answered $status\n" unless $status == 101;

    my $headers = $self->{headers};
    my $accept = $headers->{'sec-websocket-accept'} // 'nothing';

    die "Sec-WebSocket-Accept is $accept\n"
        unless $accept eq accept_key($self->{key});

    for my $header (qw( sec-websocket-extensions sec-websocket-protocol )) {
        die "$header was not asked for\n" if exists $headers->{$header};
    }

    return $self;
}


# Twilio's messages; each may have its members changed by %more

sub connected {
    my $self = shift;

    return $self->send_json({ event => 'connected', protocol => 'Call',
                              version => '1.0.0' });
}


sub start {
    my ($self, %o) = @_;

    return $self->send_json($self->start_message(%o));
}

sub start_message {
    my ($self, %o) = @_;

    my $parameters = delete $o{parameters} // {};

    return {
        event          => 'start',
        sequenceNumber => '' . ++$self->{sequence},
        streamSid      => $self->{stream_sid},
        start          => {
            accountSid       => $self->{account_sid},
            streamSid        => $self->{stream_sid},
            callSid          => $self->{call_sid},
            tracks           => [ 'inbound' ],
            mediaFormat      => { encoding => 'audio/x-mulaw',
                                  sampleRate => 8000, channels => 1 },
            customParameters => $parameters,
            %o,
        },
    };
}


sub media {
    my ($self, $bytes) = @_;
    return $self->send_json($self->media_message($bytes));
}

sub media_message {
    my ($self, $bytes) = @_;

    return {
        event          => 'media',
        sequenceNumber => '' . ++$self->{sequence},
        streamSid      => $self->{stream_sid},
        media          => {
            track     => 'inbound',
            chunk     => '' . ++$self->{chunk},
            timestamp => '' . (135 + 20 * $self->{chunk}),
            payload   => encode_base64($bytes, ''),
        },
    };
}


# audio of any length as frames of 20 ms

sub speak {
    my ($self, $bytes, $size) = @_;

    $size //= 160;

    for (my $at = 0; $at < length $bytes; $at += $size) {
        $self->media(substr $bytes, $at, $size);
    }

    return $self;
}


sub dtmf {
    my ($self, $digit) = @_;

    return $self->send_json({
        event          => 'dtmf',
        sequenceNumber => '' . ++$self->{sequence},
        streamSid      => $self->{stream_sid},
        dtmf           => { track => 'inbound_track', digit => $digit },
    });
}


# says that everything up to a mark has been played

sub mark {
    my ($self, $name) = @_;

    return $self->send_json({
        event          => 'mark',
        sequenceNumber => '' . ++$self->{sequence},
        streamSid      => $self->{stream_sid},
        mark           => { name => $name },
    });
}


sub stop {
    my $self = shift;

    return $self->send_json({
        event          => 'stop',
        sequenceNumber => '' . ++$self->{sequence},
        streamSid      => $self->{stream_sid},
        stop           => { accountSid => $self->{account_sid},
                            callSid => $self->{call_sid} },
    });
}


# The next of the server's messages.  It must be one that Twilio takes, with
# all of its members and no others; audio is appended to {audio}, names of
# marks to {marks}, a clear empties {audio}.

my %shape = (
    media => { media => { payload => 1 } },
    mark  => { mark => { name => 1 } },
    clear => {},
);

sub recv_json {
    my ($self, $timeout) = @_;

    my $message = $self->SUPER::recv_json($timeout);

    my $event = $message->{event} // 'none';
    my $shape = $shape{$event} or die "the server sent the event $event\n";

    for my $part ([ $message, { event => 1, streamSid => 1, %$shape } ],
                  map { [ $message->{$_}, $shape->{$_} ] } keys %$shape)
    {
        my ($got, $expected) = map { join ' ', sort keys %$_ } @$part;

        die "$event has the members $got\n" if $got ne $expected;
    }

    die "$event is for the stream $message->{streamSid}\n"
        if $message->{streamSid} ne $self->{stream_sid};

    if ($event eq 'media') {
        $self->{audio} .= decode_base64($message->{media}{payload});

    } elsif ($event eq 'mark') {
        push @{$self->{marks}}, $message->{mark}{name};
        $self->mark($message->{mark}{name}) if $self->{return_marks};

    } else {
        $self->{audio} = '';
    }

    return $message;
}


# $n bytes of what the caller hears

sub recv_audio {
    my ($self, $n, $timeout) = @_;

    my $deadline = deadline_after($timeout // $self->{timeout});

    while (length $self->{audio} < $n) {
        $self->recv_json($deadline - Time::HiRes::time());
    }

    return substr $self->{audio}, 0, $n, '';
}


# messages up to the next one of this event

sub recv_event {
    my ($self, $event, $timeout) = @_;

    my $deadline = deadline_after($timeout // $self->{timeout});

    while (1) {
        my $message = $self->recv_json($deadline - Time::HiRes::time());

        return $message if $message->{event} eq $event;
    }
}


1;
