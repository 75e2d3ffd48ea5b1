package Voicebridge::WebSocket;

# One end of a WebSocket (RFC 6455) on a raw socket, for tests: it can send
# whatever the protocol allows and forbids, checks what it receives, and waits
# for everything with a deadline, never for a time to pass.

use strict;
use warnings;

use Carp qw( croak );
use Digest::SHA qw( sha1_base64 );
use Exporter qw( import );
use IO::Select ();
use IO::Socket qw( IPPROTO_TCP SHUT_WR SOL_SOCKET SO_LINGER );
use JSON::PP ();
use MIME::Base64 qw( encode_base64 );
use POSIX ();
use Socket qw( AF_UNIX SOCK_STREAM TCP_NODELAY );
use Time::HiRes qw( time );

our @EXPORT_OK = qw( accept_key deadline_after frame json mask new_key );

use constant {
    CONTINUATION => 0,
    TEXT         => 1,
    BINARY       => 2,
    CLOSE        => 8,
    PING         => 9,
    PONG         => 10,
};

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# seconds that any single thing may take; valgrind and the like need more
our $Timeout = 10 * ($ENV{VOICEBRIDGE_TIME_FACTOR} || 1);


sub json { return $json }

sub deadline_after { return time() + (shift // $Timeout) }


# the handshake's pieces

sub new_key {
    return encode_base64(join('', map { chr int rand 256 } 1 .. 16), '');
}

sub accept_key {
    return sha1_base64($_[0] . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11') . '=';
}


# $bytes masked by the four bytes of $key

sub mask {
    my ($bytes, $key) = @_;

    my $n = length $bytes;

    return substr($key x ($n / 4 + 1), 0, $n) ^ $bytes;
}


# A frame's bytes.  Options: fin => 1, rsv => 0 (three bits), mask => four
# bytes, or undef for none; what is wrong on purpose: length (claimed instead
# of the payload's), form (7, 16 or 64: how the length is written).

sub frame {
    my ($opcode, $payload, %o) = @_;

    my $fin = $o{fin} // 1;
    my $length = $o{length} // length $payload;
    my $form = $o{form} // ($length < 126 ? 7 : $length < 65536 ? 16 : 64);
    my $masked = defined $o{mask} ? 0x80 : 0;

    my $head = pack 'C', ($fin ? 0x80 : 0) | (($o{rsv} // 0) << 4) | $opcode;

    $head .= $form == 7  ? pack('C', $masked | $length)
           : $form == 16 ? pack('Cn', $masked | 126, $length)
           :               pack('CQ>', $masked | 127, $length);

    return $head . $payload unless defined $o{mask};
    return $head . $o{mask} . mask($payload, $o{mask});
}


# sock: connected.  client => 1: frames to the peer are masked, frames from it
# must not be; otherwise the other way round.

sub new {
    my ($class, %o) = @_;

    my $self = bless {
        timeout  => $Timeout,
        in       => '',
        messages => [],
        %o,
    }, $class;

    $self->{sock}->blocking(0);
    setsockopt $self->{sock}, IPPROTO_TCP, TCP_NODELAY, 1
        if $self->{sock}->sockdomain != Socket::AF_UNIX();

    return $self;
}


sub sock { return $_[0]{sock} }


# sends raw bytes, all of them

sub send_bytes {
    my ($self, $bytes) = @_;

    my $sock = $self->{sock};
    my $deadline = deadline_after($self->{timeout});
    my $at = 0;

    local $SIG{PIPE} = 'IGNORE';

    while ($at < length $bytes) {
        my $n = $sock->syswrite($bytes, length($bytes) - $at, $at);

        if (defined $n) {
            $at += $n;
            next;
        }

        die "sending: $!\n" unless $!{EAGAIN} || $!{EINTR};

        $self->wait_for_socket('write', $deadline, 'the peer to read');
    }

    return $self;
}


# the same cut into pieces: a list of sizes, the last one repeats.  Each piece
# is a segment of its own, as far as the kernel can be told

sub send_in_pieces {
    my ($self, $bytes, @sizes) = @_;

    my $size = 1;

    while (length $bytes) {
        $size = shift @sizes if @sizes;
        $self->send_bytes(substr $bytes, 0, $size, '');
    }

    return $self;
}


# TLS records that are not sent, one for each sub, which is given this end and
# sends one frame.  They have to be the next that send_raw() sends.

sub tls_records {
    my ($self, @send) = @_;

    my $sock = $self->{sock};
    my $ssl = $sock->_get_ssl_object;

    socketpair my $out, my $in, AF_UNIX, SOCK_STREAM, 0
        or die "socketpair: $!\n";

    Net::SSLeay::set_wfd($ssl, fileno $in);

    my @records = map {
        $_->($self);
        sysread $out, my $record, 65536;
        $record;
    } @send;

    Net::SSLeay::set_wfd($ssl, fileno $sock);

    return @records;
}


# bytes past TLS, in one segment

sub send_raw {
    my ($self, $bytes) = @_;

    my $n = POSIX::write(fileno $self->{sock}, $bytes, length $bytes);

    die "sent a part only\n" unless defined $n && $n == length $bytes;

    return $self;
}


# a frame as this end should send it, but for what %o says

sub frame_bytes {
    my ($self, $opcode, $payload, %o) = @_;

    if (!exists $o{mask}) {
        $o{mask} = $self->{client}
                   ? join('', map { chr int rand 256 } 1 .. 4) : undef;
    }

    return frame($opcode, $payload, %o);
}

sub send_frame {
    my ($self, @frame) = @_;
    return $self->send_bytes($self->frame_bytes(@frame));
}

sub send_text { my $self = shift; return $self->send_frame(TEXT, @_) }

sub send_json {
    my ($self, $value, %o) = @_;
    return $self->send_text($json->encode($value), %o);
}

sub send_ping { my $self = shift; return $self->send_frame(PING, $_[0] // '') }

sub send_close {
    my ($self, $code, $reason) = @_;

    my $payload = defined $code ? pack('n', $code) . ($reason // '') : '';

    return $self->send_frame(CLOSE, $payload);
}


# one text message in fragments of $size bytes; between => bytes put between
# the fragments (a control frame, say)

sub send_fragments {
    my ($self, $text, $size, %o) = @_;

    my $opcode = TEXT;

    do {
        my $part = substr $text, 0, $size, '';

        $self->send_frame($opcode, $part, fin => !length $text);
        $self->send_bytes($o{between}) if defined $o{between} && length $text;

        $opcode = CONTINUATION;

    } while (length $text);

    return $self;
}


# half of a close at TCP level, or a reset

sub shutdown_write { $_[0]{sock}->shutdown(SHUT_WR); return $_[0] }

sub disconnect { close $_[0]{sock}; return $_[0] }

sub reset {
    my $self = shift;

    setsockopt $self->{sock}, SOL_SOCKET, SO_LINGER, pack 'II', 1, 0;

    # a TLS close would say goodbye first
    if ($self->{sock}->isa('IO::Socket::SSL')) {
        $self->{sock}->close(SSL_no_shutdown => 1);
    } else {
        close $self->{sock};
    }

    return $self;
}


sub wait_for_socket {
    my ($self, $way, $deadline, $what) = @_;

    my $sock = $self->{sock};

    if ($sock->isa('IO::Socket::SSL')) {
        return if $way eq 'read' && $sock->pending;

        # a TLS record may have to go the other way first
        no warnings 'once';
        $way = $IO::Socket::SSL::SSL_ERROR
                   == IO::Socket::SSL::SSL_WANT_WRITE() ? 'write'
             : $IO::Socket::SSL::SSL_ERROR
                   == IO::Socket::SSL::SSL_WANT_READ()  ? 'read' : $way;
    }

    my $select = IO::Select->new($sock);
    my $left = $deadline - time();

    my @ready = $left <= 0        ? ()
              : $way eq 'read'    ? $select->can_read($left)
              :                     $select->can_write($left);

    return if @ready || time() < $deadline;

    die "timed out waiting for $what\n";
}


# reads until $self->{in} has $n bytes; false at the end of the stream

sub fill {
    my ($self, $n, $deadline, $what) = @_;

    while (length $self->{in} < $n) {
        my $got = $self->{sock}->sysread($self->{in}, 65536,
                                         length $self->{in});

        next if $got;

        if (defined $got) {
            $self->{eof} = 1;
            return 0;
        }

        if ($!{ECONNRESET} || $!{EPIPE}) {
            $self->{eof} = 1;
            $self->{was_reset} = 1;
            return 0;
        }

        die "receiving: $!\n" unless $!{EAGAIN} || $!{EINTR};

        $self->wait_for_socket('read', $deadline, $what);
    }

    return 1;
}


# the bytes up to and including an empty line: a handshake's head

sub recv_head {
    my ($self, $timeout) = @_;

    my $deadline = deadline_after($timeout // $self->{timeout});

    my $end;

    while (($end = index $self->{in}, "\r\n\r\n") == -1) {
        $self->fill(1 + length $self->{in}, $deadline, 'a header')
            or return undef;

        die "the header is too long\n" if length $self->{in} > 1 << 16;
    }

    return substr $self->{in}, 0, $end + 4, '';
}


# exactly $n bytes of what follows
sub recv_bytes {
    my ($self, $n, $timeout) = @_;

    $self->fill($n, deadline_after($timeout // $self->{timeout}),
                "$n bytes")
        or die "the connection ended after " . length($self->{in})
               . " of $n bytes\n";

    return substr $self->{in}, 0, $n, '';
}


# the next frame: { opcode, fin, rsv, payload }, undef at the end of the
# stream.  A frame that breaks the protocol is an error of the test.

sub recv_frame {
    my ($self, $timeout) = @_;

    my $deadline = deadline_after($timeout // $self->{timeout});
    my $head = 2;
    my ($b0, $b1, $length);

    if (!$self->fill($head, $deadline, 'a frame')) {
        die "the connection ended inside a frame\n" if length $self->{in};
        return undef;
    }

    ($b0, $b1) = unpack 'CC', $self->{in};
    $length = $b1 & 0x7f;

    my $form = $length == 126 ? 2 : $length == 127 ? 8 : 0;
    my $masked = $b1 & 0x80 ? 4 : 0;

    $head += $form + $masked;

    $self->fill($head, $deadline, "a frame's header")
        or die "the connection ended inside a frame's header\n";

    if ($form) {
        $length = unpack $form == 2 ? 'n' : 'Q>', substr $self->{in}, 2, $form;

        die "the length $length is not written in the shortest form\n"
            if $length < ($form == 2 ? 126 : 65536);
    }

    $self->fill($head + $length, $deadline, 'the rest of a frame')
        or die "the connection ended inside a frame\n";

    my $key = $masked ? substr $self->{in}, $head - 4, 4 : undef;

    substr $self->{in}, 0, $head, '';

    my $payload = substr $self->{in}, 0, $length, '';

    my $frame = {
        fin     => $b0 >> 7,
        rsv     => ($b0 >> 4) & 7,
        opcode  => $b0 & 15,
        mask    => $key,
        payload => defined $key ? mask($payload, $key) : $payload,
    };

    $self->check_frame($frame);

    return $frame;
}


sub check_frame {
    my ($self, $frame) = @_;

    die "a frame to a client is masked\n"
        if $self->{client} && defined $frame->{mask};

    die "a frame to a server is not masked\n"
        if !$self->{client} && !defined $frame->{mask};

    die "reserved bits are set\n" if $frame->{rsv};

    die "opcode $frame->{opcode} is reserved\n"
        unless $frame->{opcode} =~ /^(?:0|1|2|8|9|10)$/;

    if ($frame->{opcode} >= 8) {
        die "a control frame is fragmented\n" unless $frame->{fin};
        die "a control frame is longer than 125 bytes\n"
            if length $frame->{payload} > 125;
    }
}


# The next message: { opcode, payload } of a text or binary message whose
# fragments are joined, of a ping or a pong; of a close also code and reason.
# undef at the end of the stream.  Pings are answered, unless no_pong is set.

sub recv_message {
    my ($self, $timeout) = @_;

    my $deadline = deadline_after($timeout // $self->{timeout});

    while (1) {
        my $frame = $self->recv_frame($deadline - time()) or return undef;
        my $opcode = $frame->{opcode};

        if ($opcode == PING && !$self->{no_pong}) {
            $self->send_frame(PONG, $frame->{payload});
        }

        if ($opcode >= 8) {
            return $self->keep($frame);
        }

        if ($opcode == CONTINUATION) {
            my $part = $self->{partial}
                       or die "a continuation of no message\n";

            $part->{payload} .= $frame->{payload};
            $part->{fragments}++;

        } else {
            die "a message inside of a fragmented one\n" if $self->{partial};

            $frame->{fragments} = 1;
            $self->{partial} = $frame;
        }

        return $self->keep(delete $self->{partial}) if $frame->{fin};
    }
}


sub keep {
    my ($self, $frame) = @_;

    my $message = {
        opcode    => $frame->{opcode},
        payload   => $frame->{payload},
        fragments => $frame->{fragments} // 1,
        time      => time(),
    };

    if ($frame->{opcode} == CLOSE && length $frame->{payload}) {
        die "a close frame of one byte\n" if length $frame->{payload} == 1;

        @$message{qw( code reason )} = unpack 'na*', $frame->{payload};
    }

    if ($frame->{opcode} == TEXT) {
        my $text = $frame->{payload};
        utf8::decode($text) or die "a text message is not UTF-8\n";
    }

    push @{$self->{messages}}, $message;

    return $message;
}


# the next text message as a value; pings and pongs are passed over

sub recv_json {
    my ($self, $timeout) = @_;

    my $deadline = deadline_after($timeout // $self->{timeout});

    while (1) {
        my $message = $self->recv_message($deadline - time())
            or die "the connection ended instead of a message\n";

        next if $message->{opcode} == PING || $message->{opcode} == PONG;

        die sprintf "close %s \"%s\" instead of a message\n",
                    $message->{code} // 'without a code',
                    $message->{reason} // ''
            if $message->{opcode} == CLOSE;

        die "a binary message\n" if $message->{opcode} == BINARY;

        return $json->decode($message->{payload});
    }
}


# the next close frame, past everything that comes before it: (code, reason)

sub recv_close {
    my ($self, $timeout) = @_;

    my $deadline = deadline_after($timeout // $self->{timeout});

    while (1) {
        my $message = $self->recv_message($deadline - time())
            or die "the connection ended without a close frame\n";

        next unless $message->{opcode} == CLOSE;

        $self->{closed} = $message;

        return ($message->{code}, $message->{reason});
    }
}


# nothing but the end of the TCP connection follows

sub recv_eof {
    my ($self, $timeout) = @_;

    my $deadline = deadline_after($timeout // $self->{timeout});

    die "more bytes instead of the end\n"
        if $self->fill(1, $deadline, 'the end of the connection');

    return 1;
}


1;
