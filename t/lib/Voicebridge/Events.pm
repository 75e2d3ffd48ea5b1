package Voicebridge::Events;

# Server-sent events, as a browser's EventSource reads them:
#
#     my $events = Voicebridge::Events->open('/dashboard?view=transcript&…',
#                                            last => $id);
#     my $event = $events->next;      # { id, event, data } undef: it has ended
#
# data is what its JSON says.  status and headers are those of the answer.

use strict;
use warnings;

use parent -norequire, 'Voicebridge::HTTP';

use Voicebridge::HTTP ();
use Voicebridge::WebSocket qw( deadline_after json );


sub open {
    my ($class, $path, %o) = @_;

    my $self = $class->connect;

    $self->send_request(GET => $path, headers => {
        Accept => 'text/event-stream',
        defined $o{last} ? ('Last-Event-ID' => $o{last}) : (),
    });

    my ($status, @lines) = split /\r\n/, $self->recv_head // die "no answer\n";

    ($self->{status}) = $status =~ m{^HTTP/1\.1 (\d+)};
    $self->{headers} = { map { /^([^:]+): (.*)$/ ? (lc $1 => $2) : () }
                         @lines };
    $self->{text} = '';

    return $self;
}


sub status { return $_[0]{status} }

sub headers { return $_[0]{headers} }


# a block of lines with something in it: comments are none

sub next {
    my ($self, $timeout) = @_;

    my $deadline = deadline_after($timeout);

    while (1) {
        while ($self->{text} =~ s/^(.*?)\n\n//s) {
            my %event = map { /^(\w+): ?(.*)$/ ? ($1 => $2) : () }
                        split /\n/, $1;

            $self->{retry} = $event{retry} if exists $event{retry};
            next unless exists $event{data};

            $event{data} = json()->decode($event{data});

            return \%event;
        }

        return undef unless $self->chunk($deadline);
    }
}


# the next chunk; false behind the last

sub chunk {
    my ($self, $deadline) = @_;

    return 0 if $self->{done};

    my $end;

    while (($end = index $self->{in}, "\r\n") == -1) {
        $self->fill(1 + length $self->{in}, $deadline, 'an event') or return 0;
    }

    my $size = hex substr $self->{in}, 0, $end;

    $self->fill($end + 2 + $size + 2, $deadline, 'an event') or return 0;

    $self->{text} .= substr $self->{in}, $end + 2, $size;
    substr $self->{in}, 0, $end + 2 + $size + 2, '';

    $self->{done} = $size == 0;

    return !$self->{done};
}


1;
