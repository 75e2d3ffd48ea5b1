package Voicebridge::Sim::Socket;

# A WebSocket that closes as RFC 6455, 7.1, wants it: whoever sends the first
# close frame waits for the other one before the connection goes.  The
# library's closes the connection right after its own, so that what is still on
# its way meets a reset.

use Mojo::Base 'Mojo::Transaction::WebSocket', -signatures;

use Mojo::Util qw( encode );
use Mojo::WebSocket qw( WS_CLOSE );


# makes one of the library's

sub adopt ($class, $tx) { return bless $tx, $class }


sub finish ($self, $code = undef, $reason = undef) {
    return $self if $self->{sent_close}++;

    my $payload = $code ? pack 'n', $code : '';
    $payload .= encode 'UTF-8', $reason if $code && defined $reason;

    $self->{close} = [$code // 1005, $reason];
    $self->send([1, 0, 0, 0, WS_CLOSE, $payload]);
    $self->{closing} = 1 if $self->{got_close};

    return $self;
}


sub parse_message ($self, $frame) {
    if ($frame->[4] == WS_CLOSE) {
        $self->{got_close} = 1;

        if ($self->{sent_close}) {
            $self->emit(frame => $frame);
            $self->{closing} = 1;
            return $self->emit('resume');
        }
    }

    return $self->SUPER::parse_message($frame);
}


1;
