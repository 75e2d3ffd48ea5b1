package Voicebridge::Sim::Process;

# Programs that are started, and that are all gone afterwards, whatever happens
# in between.

use Mojo::Base -base, -signatures;

use POSIX qw( WNOHANG );
use Time::HiRes qw( sleep time );

has [qw( name pid out status )];

my @all;


# What it prints goes to the file log; its standard output can be read from
# out where piped is true.

sub start ($class, $name, $command, %option) {
    my ($read, $write);

    if ($option{piped}) {
        pipe $read, $write or die "pipe: $!\n";
    }

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        # a terminal's INT is for us, who will see to the others
        setpgrp;
        $SIG{$_} = 'DEFAULT' for qw( INT TERM HUP ALRM PIPE );
        alarm 0;

        open STDIN, '<', '/dev/null';
        open STDERR, '>>', $option{log};
        open STDOUT, '>&', $write // *STDERR;

        if (!exec { $command->[0] } @$command) {
            print STDERR "$command->[0]: $!\n";
            POSIX::_exit(127);
        }
    }

    my $self = $class->new(name => $name, pid => $pid, out => $read);
    push @all, $self;

    return $self;
}


# its exit status, or undef while it runs

sub ended ($self) {
    return $self->status if defined $self->status;
    return undef if waitpid($self->pid, WNOHANG) != $self->pid;

    $self->status($? & 127 ? 128 + ($? & 127) : $? >> 8);

    return $self->status;
}


# signals in turn, each given some seconds; the last means all its children

sub stop ($self, @signals) {
    for my $signal (@signals ? @signals : 'TERM', 'KILL') {
        return $self->status if defined $self->ended;

        kill $signal, $signal eq 'KILL' ? -$self->pid : $self->pid;

        for (my $until = time() + 5; time() < $until; sleep 0.02) {
            last if defined $self->ended;
        }
    }

    return $self->ended;
}


sub stop_all () {
    $_->stop for reverse @all;

    # whoever outlived its parent, nginx's workers after a crash
    kill 'KILL', map { -$_->pid } @all;
    @all = ();
}


1;
