package Voicebridge::NameServer;

# A name server on a random port, in a process of its own:
#
#     my $dns = Voicebridge::NameServer->start(sub { ... });
#
#     resolver  127.0.0.1:PORT ipv6=off;           # $dns->port
#
# The sub is given a name, "host.example.test", and returns its IPv4 address,
# undef where there is no such name, or '' where nobody answers; it may take
# its time.

use strict;
use warnings;

use IO::Socket::INET ();
use POSIX ();


sub start {
    my ($class, $address) = @_;

    my $socket = IO::Socket::INET->new(Proto => 'udp',
                                       LocalAddr => '127.0.0.1')
        or die "cannot open a socket: $!\n";

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        $SIG{TERM} = 'DEFAULT';

        while (defined(my $from = $socket->recv(my $query, 512))) {
            my $answer = answer($query, $address) // next;
            $socket->send($answer, 0, $from);
        }

        POSIX::_exit(0);
    }

    return bless { pid => $pid, port => $socket->sockport, owner => $$ },
                 $class;
}


sub port { return $_[0]{port} }


# RFC 1035 section 4.1

sub answer {
    my ($query, $address) = @_;

    my $id = unpack 'n', $query;
    my @name;
    my $at = 12;

    while (my $length = unpack "x$at C", $query) {
        push @name, substr $query, $at + 1, $length;
        $at += 1 + $length;
    }

    my $type = unpack 'x' . ($at + 1) . ' n', $query;
    my $question = substr $query, 12, $at + 5 - 12;

    my $found = $address->(join '.', @name);

    return undef if defined $found && $found eq '';

    # of type A; a name that exists may have none of another type
    my $record = defined $found && $type == 1
                 ? pack 'nnnNnC4', 0xc00c, 1, 1, 60, 4, split /\./, $found
                 : '';

    return pack('n6', $id, 0x8180 | (defined $found ? 0 : 3), 1,
                length $record ? 1 : 0, 0, 0) . $question . $record;
}


sub DESTROY {
    my $self = shift;

    return unless $self->{owner} == $$;

    local $?;

    kill TERM => $self->{pid};
    waitpid $self->{pid}, 0;
}


1;
