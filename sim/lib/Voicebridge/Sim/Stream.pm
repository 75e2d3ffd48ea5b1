package Voicebridge::Sim::Stream;

# One bidirectional Media Stream: the WebSocket that Twilio opens for a call,
# its playback buffer, and a strict look at all that comes.
#
# Whoever owns the stream keeps the time: every 20 ms it takes what is to be
# heard by play() and gives what was said to media().
#
# Emits: open, failed (code, text), closed (code, reason).

use Mojo::Base 'Mojo::EventEmitter', -signatures;

use Mojo::IOLoop;
use Mojo::JSON qw( decode_json encode_json );
use Mojo::URL;
use Mojo::Util qw( b64_decode b64_encode );
use Scalar::Util qw( weaken );
use Socket qw( SOL_SOCKET SO_LINGER );
use Voicebridge::Sim::Shape qw( json_type plain_json shape );
use Voicebridge::Sim::Signature qw( sign_stream );
use Voicebridge::Sim::Socket;

# 20 ms of mu-law
use constant FRAME => 160;

use constant SILENCE => "\xff";

# ten minutes: more is thrown away (31931)
use constant BUFFER => 600 * 8000;

# about 12 s of frames: a server that reads slower loses caller audio (31930)
use constant BACKLOG => 256 * 1024;

use constant { CONTINUATION => 0, TEXT => 1, BINARY => 2, CLOSE => 8,
               PONG => 10 };

has [qw( sid call_sid account_sid url parameters log ua tx )];

# what signs the handshake; undef: no signature
has 'token';

# "host:port" to connect to instead of the URL's own
has 'connect_to';

# where the recording stands, in samples: for the log
has position => sub { sub { 0 } };

has stats => sub { {
    media_sent => 0, media_received => 0, bytes_received => 0,
    marks_received => 0, marks_returned => 0, clears => 0, unplayed => 0,
} };


sub new ($class, @args) {
    my $self = $class->SUPER::new(@args);

    @$self{qw( buffer queued played marks sequence chunk elapsed )} =
        ('', 0, 0, [], 0, 0, 100);

    return $self;
}


# a WebSocket handshake as Twilio makes it: no Origin, no extension

sub open ($self) {
    my $ua = $self->ua;
    my $url = Mojo::URL->new($self->url);
    my $host = $url->host_port;

    if (my $to = $self->connect_to) {
        @{$ua->tls_options}{qw( SSL_hostname SSL_verifycn_name )} =
            ($url->host) x 2;

        my ($name, $port) = $to =~ /^(.*):(\d+)$/;
        $url->host($name)->port($port);
    }

    my $tx = $ua->build_websocket_tx($url => {
        'Host'            => $host,
        'User-Agent'      => 'Twilio.TmeWs/1.0',
        'Accept-Encoding' => 'identity',
        defined $self->token
            ? ('X-Twilio-Signature' => sign_stream($self->token, $self->url))
            : (),
    });

    $tx->req->headers->remove('Accept-Encoding');

    # no longer than a webhook may take
    $ua->connect_timeout(5)->request_timeout(15)->inactivity_timeout(0)
       ->max_redirects(0);

    weaken $self;
    $ua->start($tx => sub ($ua, $tx) { $self->_opened($tx) if $self });

    return $self;
}


sub _opened ($self, $tx) {
    if (!$tx->is_websocket) {
        my $error = $tx->error // { message => 'refused' };
        my $text = $error->{message};

        my $code = $error->{code} || $tx->res->code ? 31920
                 : $text =~ /refused/i ? 31902
                 : $text =~ /timeout/i ? 31901
                 : $text =~ /SSL|TLS|certificate/i ? 31910 : 31900;

        $text = $tx->res->code . " $text" if $tx->res->code;

        return $self->emit(failed => $code, $text);
    }

    $self->tx(Voicebridge::Sim::Socket->adopt($tx));

    # the call was over sooner
    return $self->drop if $self->{stopping};

    for my $header (qw( Sec-WebSocket-Extensions Sec-WebSocket-Protocol )) {
        $self->_warn(31924, "the 101 has $header")
            if defined $tx->res->headers->header($header);
    }

    $tx->max_websocket_size(64 * 1024 * 1024);

    weaken $self;
    $tx->on(frame => sub ($tx, $frame) { $self->_frame($frame) });
    $tx->on(text => sub ($tx, $bytes) { $self->_message($bytes) });
    $tx->on(binary => sub ($tx, $bytes) {
        $self->_warn(31950, 'a binary message');
    });
    $tx->on(finish => sub ($tx, $code, $reason) {
        $self->_closed($code, $reason) if $self;
    });

    $self->_send({ event => 'connected', protocol => 'Call',
                   version => '1.0.0' });

    $self->_send_numbered({ event => 'start', start => {
        accountSid => $self->account_sid,
        streamSid  => $self->sid,
        callSid    => $self->call_sid,
        tracks     => ['inbound'],
        mediaFormat => { encoding => 'audio/x-mulaw', sampleRate => 8000,
                         channels => 1 },
        customParameters => $self->parameters // {},
    } });

    $self->emit('open');
}


# whether there is somebody to talk to

sub is_open ($self) { return $self->tx && !$self->{stopping} }


# what the phone plays now: 160 bytes, silence where there is nothing

sub play ($self) {
    $self->_return_marks;

    my $bytes = substr $self->{buffer}, 0, FRAME, '';
    my $length = length $bytes;

    $self->{played} += $length;

    if ($length && !$self->{playing}) {
        $self->{playing} = 1;
        $self->log->event(playing => { stream_sid => $self->sid,
                                       position => $self->position->() });

    } elsif (!$length && $self->{playing}) {
        $self->{playing} = 0;
        $self->log->event(played => { stream_sid => $self->sid,
                                      position => $self->position->() });
    }

    return $bytes . SILENCE x (FRAME - $length);
}


# what the caller says

sub media ($self, $bytes) {
    return unless $self->is_open;

    $self->{elapsed} += length($bytes) / 8;

    my $socket = Mojo::IOLoop->stream($self->tx->connection);

    if ($socket && $socket->bytes_waiting > BACKLOG) {
        $self->_warn(31930, 'caller audio is not read in time')
            unless $self->{slow}++;
        $self->stats->{media_dropped}++;
        return;
    }

    $self->stats->{media_sent}++;

    $self->_send_numbered({ event => 'media', media => {
        track => 'inbound', chunk => ++$self->{chunk} . '',
        timestamp => int($self->{elapsed}) . '',
        payload => b64_encode($bytes, ''),
    } });
}


sub dtmf ($self, $digit) {
    $self->_send_numbered({ event => 'dtmf', dtmf => {
        track => 'inbound_track', digit => $digit,
    } }) if $self->is_open;
}


# the call is over, or goes on without the stream

sub stop ($self) {
    return if $self->{stopping}++ || !$self->tx;

    $self->_send_numbered({ event => 'stop', stop => {
        accountSid => $self->account_sid, callSid => $self->call_sid,
    } });

    $self->_count_unplayed;

    # seen as 1005 by the server
    $self->tx->finish;

    weaken $self;
    Mojo::IOLoop->timer(5 => sub {
        return unless $self && $self->tx;
        $self->_warn(31924, 'no answer to the close frame in 5 s');
        $self->drop;
    });
}


# the network is gone; with a reset the server knows at once

sub drop ($self, $reset = 0) {
    my $socket = $self->tx && Mojo::IOLoop->stream($self->tx->connection)
        or return;

    $self->{dropped} = 1;

    setsockopt $socket->handle, SOL_SOCKET, SO_LINGER, pack 'll', 1, 0
        if $reset;

    $socket->close;
}


# a phone network that takes nothing for a while

sub stop_reading ($self, $seconds) {
    my $socket = $self->tx && Mojo::IOLoop->stream($self->tx->connection)
        or return;

    $socket->stop;
    Mojo::IOLoop->timer($seconds => sub { $socket->start });
}


sub _send ($self, $message) {
    $self->tx->send({ text => plain_json($message) });
}


sub _send_numbered ($self, $message) {
    return unless $self->tx;

    $self->_send({ %$message, streamSid => $self->sid,
                   sequenceNumber => ++$self->{sequence} . '' });
}


# framing, as far as the library shows it

sub _frame ($self, $frame) {
    my ($fin, $rsv1, $rsv2, $rsv3, $op, $payload) = @$frame;

    $self->_warn(31924, 'reserved bits are set') if $rsv1 || $rsv2 || $rsv3;

    if ($op >= CLOSE) {
        $self->_warn(31924, "control frame of opcode $op")
            if $op > PONG;
        $self->_warn(31924, 'a fragmented or long control frame')
            if !$fin || length $payload > 125;
        return;
    }

    $self->_warn(31924, "frame of opcode $op") if $op > BINARY;
    $self->_warn(31924, 'a continuation of nothing')
        if $op == CONTINUATION && !$self->{fragments};
    $self->_warn(31924, 'a message within a message')
        if $op != CONTINUATION && $self->{fragments};

    $self->{fragments} = !$fin;
}


sub _sid_is ($self) {
    return sub ($value) {
        ($value // '') eq $self->sid ? undef : 'is not this stream\'s';
    };
}


sub _filled ($value) {
    return json_type($value) ne 'string' ? 'is no string'
         : length $value                 ? undef : 'is empty';
}


sub _message ($self, $bytes) {
    my $message = eval { decode_json($bytes) };

    return $self->_warn(31951, 'not JSON') if $@;

    my $event = ref $message eq 'HASH' ? $message->{event} // '' : '';

    my %head = (event => 'string', streamSid => $self->_sid_is);
    my %shape = (
        media => { %head, media => { payload => 'base64' } },
        mark  => { %head, mark => { name => \&_filled } },
        clear => \%head,
    );

    my $shape = ref $event ? undef : $shape{$event};

    return $self->_warn(31951, 'unknown event ' . encode_json([$event]))
        unless $shape;

    my $wrong = shape($message, $shape);

    return $self->_warn(31951, "$event: $wrong") if defined $wrong;
    return if $self->{stopping};

    return $self->_queue(b64_decode $message->{media}{payload})
        if $event eq 'media';
    return $self->_mark($message->{mark}{name}) if $event eq 'mark';
    return $self->_clear;
}


sub _queue ($self, $bytes) {
    my $stats = $self->stats;

    $stats->{media_received}++;
    $stats->{bytes_received} += length $bytes;

    return $self->_warn(31951, 'media: no audio') unless length $bytes;

    my $room = BUFFER - length $self->{buffer};

    if (length $bytes > $room) {
        $self->_warn(31931, 'more than ten minutes are queued')
            unless $self->{full}++;
        $stats->{bytes_dropped} += length($bytes) - $room;
        substr($bytes, $room) = '';
    }

    $self->{buffer} .= $bytes;
    $self->{queued} += length $bytes;
}


sub _mark ($self, $name) {
    $self->stats->{marks_received}++;

    push @{$self->{marks}}, [$self->{queued}, $name];
    $self->log->event(mark => { stream_sid => $self->sid, name => $name,
                                queued => length $self->{buffer} });

    # with nothing before it a mark comes back at once
    $self->_return_marks;
}


# those behind audio that has been played

sub _return_marks ($self) {
    my $marks = $self->{marks};

    while (@$marks && $marks->[0][0] <= $self->{played}) {
        my $mark = shift @$marks;

        $self->stats->{marks_returned}++;
        $self->log->event(mark_returned => { stream_sid => $self->sid,
                                             name => $mark->[1],
                                             position => $self->position->() });

        $self->_send_numbered({ event => 'mark',
                                mark => { name => $mark->[1] } });
    }
}


sub _clear ($self) {
    my $cleared = length $self->{buffer};

    $self->stats->{clears}++;

    $self->log->event(clear => { stream_sid => $self->sid,
                                 cleared => $cleared / 8000,
                                 marks => scalar @{$self->{marks}},
                                 position => $self->position->() },
                      sprintf 'Phone: %.2f s of queued speech cleared',
                              $cleared / 8000);

    $self->{buffer} = '';
    $self->{played} = $self->{queued};

    $self->_return_marks;
}


# seconds that were sent but never heard

sub _count_unplayed ($self) {
    $self->stats->{unplayed} += length($self->{buffer}) / 8000;
    $self->{buffer} = '';
}


sub _closed ($self, $code, $reason) {
    $self->_count_unplayed;
    $self->tx(undef);
    $self->emit(closed => $code, $reason);
}


sub _warn ($self, $code, $text) {
    $self->log->warning($code, $text, { stream_sid => $self->sid });
}


1;
