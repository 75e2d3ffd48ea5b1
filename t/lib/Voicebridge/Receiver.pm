package Voicebridge::Receiver;

# Somebody whom voicebridge_webhook tells of calls, in a process of its own:
# it checks signatures by itself and reports what it took as events "told",
# with status, time, headers, signed (true if the signature is good) and the
# body's JSON as message.
#
#     my $receiver = Voicebridge::Receiver->start(
#         secret => 's', answer => sub {
#             my ($message, $n) = @_;          # in the peer's process
#             return $n < 3 ? 500 : 200;       # the n-th request
#         });
#
#     voicebridge_webhook  $receiver->url;
#
#     is $receiver->event('told')->{message}{type}, 'call.started';
#
# An answer may also be one of Voicebridge::Twilio's.  With port => it is there
# again where another one was; raw => 1: events have the body as it came, too.

use strict;
use warnings;

use parent 'Voicebridge::Twilio';

use Digest::SHA qw( hmac_sha256_hex );
use Time::HiRes qw( time );
use Voicebridge::WebSocket qw( json );


sub listen {
    my $self = shift;

    return $self->SUPER::listen unless $self->{port};

    my $listener = Voicebridge::Peer::listener('127.0.0.1', $self->{port})
        or die "port $self->{port} is not free any more\n";

    $self->{listeners} = [ $listener ];
}


sub take {
    my ($self, $connection, $request) = @_;

    my $message = json()->decode($request->{body});
    my $answer = $self->{answer}
                 ? $self->{answer}->($message, ++$self->{told}) : 200;

    $answer = { status => $answer } unless ref $answer;
    $answer->{body} //= 'x' if ($answer->{status} // 0) >= 300;

    # the pipe to the test is small
    my $long = length $request->{body} > 8000;

    $message->{transcript} = @{$message->{transcript}} if $long;

    $self->note(event => 'told', path => $request->{target}, time => time(),
                status => $answer->{status}, message => $message,
                headers => $request->{headers},
                length => length $request->{body},
                $self->{raw} && !$long ? (raw => $request->{body}) : (),
                signed => $self->is_signed($request) ? 1 : 0);

    return if $answer->{never};

    my $status = $answer->{status} // 200;

    return {
        connection => $connection,
        due        => time() + ($answer->{delay} // 0),
        bytes      => Voicebridge::Connection::response_bytes(
                          $status, $answer->{body} // '',
                          %{$answer->{headers} // {}}),
        close      => $answer->{close},
    };
}


# as the manual tells receivers to do it

sub is_signed {
    my ($self, $request) = @_;

    my $header = $request->{headers}{'x-voicebridge-signature'} // '';
    my ($t, $v1) = $header =~ /^t=(\d+),v1=([0-9a-f]{64})$/ or return 0;

    return abs(time() - $t) < 300
           && $v1 eq hmac_sha256_hex("$t.$request->{body}", $self->{secret});
}


1;
