package Voicebridge::Peer;

# A server in a process of its own, on a random port of the loopback
# addresses, that reports what it sees as events: one JSON object a line in a
# file, so that it never waits for the test to read them.  Voicebridge::Agent
# and Voicebridge::Twilio are such peers.
#
# In the test:  start, port, event, cue, finish, stop.
# In the peer:  accept, note, await_cue.

use strict;
use warnings;

use Carp qw( croak );
use File::Temp ();
use IO::Select ();
use IO::Socket::IP ();
use POSIX qw( WNOHANG );
use Socket qw( SOMAXCONN );
use Time::HiRes qw( time );
use Voicebridge::Certificates qw( certificate );
use Voicebridge::Connection ();
use Voicebridge::WebSocket qw( deadline_after json );

my %running;


# Options: tls => name of a certificate, or { cert, key };
# each => 1: every connection in a process of its own, at the same time.

sub start {
    my ($class, %o) = @_;

    my $self = bless { timeout => $Voicebridge::WebSocket::Timeout,
                       events => [], %o }, $class;

    $self->listen;

    pipe my $read, my $write or die "pipe: $!\n";
    pipe my $lifeline, my $alive or die "pipe: $!\n";
    pipe my $cue, my $cues or die "pipe: $!\n";

    # a byte in the pipe for each event: there is more in the file
    my $file = File::Temp->new;

    open my $reports, '>>', $file or die "$file: $!\n";
    open my $reported, '<', $file or die "$file: $!\n";

    $_->blocking(0) for $read, $write;

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        close $_ for $read, $alive, $cues, $reported;

        $SIG{$_} = 'DEFAULT' for qw( TERM INT HUP CHLD );
        $SIG{PIPE} = 'IGNORE';

        @$self{qw( reports out lifeline cues )} =
            ($reports, $write, $lifeline, $cue);
        %running = ();

        $self->run;

        # no END block or destructor of the test's is ours
        POSIX::_exit(0);
    }

    close $_ for $write, $reports, $lifeline, $cue, @{delete $self->{listeners}};

    @$self{qw( pid in reported alive cues buffer )} =
        ($pid, $read, $reported, $alive, $cues, '');
    $running{$pid} = 1;

    return $self;
}


sub port { return $_[0]{port} }

sub tls { return defined $_[0]{tls} }


# an address for directives; the name is one that the certificate has

sub url {
    my ($self, $host) = @_;

    return ($self->tls ? 'https://' : 'http://')
           . ($host // ($self->tls ? 'localhost' : '127.0.0.1'))
           . ":$self->{port}";
}


# the same port on both loopback addresses, for "localhost" may mean either

sub listen {
    my $self = shift;

    for (1 .. 20) {
        my @listeners = listener('127.0.0.1', 0);

        $self->{port} = $listeners[0]->sockport;

        if (have_ipv6()) {
            my $six = listener('::1', $self->{port}) or next;
            push @listeners, $six;
        }

        $self->{listeners} = \@listeners;
        return;
    }

    die "no port is free on 127.0.0.1 and ::1\n";
}


sub listener {
    my ($address, $port) = @_;

    return IO::Socket::IP->new(
        LocalHost => $address,
        LocalPort => $port,
        Listen    => SOMAXCONN,
        ReuseAddr => 1,
    ) // ($port ? undef : die "cannot listen on $address: $@\n");
}


my $ipv6;

sub have_ipv6 {
    $ipv6 //= defined IO::Socket::IP->new(LocalHost => '::1', Listen => 1)
              ? 1 : 0;

    return $ipv6;
}


# the peer's whole life

sub run {
    my $self = shift;

    if (eval { $self->serve; 1 }) {
        $self->note(event => 'done');

    } else {
        chomp(my $error = $@);
        $self->note(event => 'error', error => $error);
    }
}


# Tells the test.  Processes of one peer share the file: each event is written
# at once, and at its end.

sub note {
    my ($self, %event) = @_;

    syswrite $self->{reports}, json()->encode(\%event) . "\n";

    # nobody may be interested any more, or have read the bytes before
    syswrite $self->{out}, '.';
}


# in the test: lets a script go on that waits for its cue

sub cue {
    my $self = shift;

    syswrite $self->{cues}, '.' or croak "cue: $!";
}


sub await_cue {
    my ($self, $timeout) = @_;

    my @ready = IO::Select->new($self->{lifeline}, $self->{cues})
                          ->can_read($timeout // 3 * $self->{timeout});

    POSIX::_exit(0) if grep { $_ == $self->{lifeline} } @ready;

    die "no cue came\n" unless @ready;

    sysread $self->{cues}, my $cue, 1;
}


# the next connection, a Voicebridge::Connection, or whichever of those given
# has something to say before; without an answer in time, or when the test has
# gone, the peer's life is over

sub accept {
    my ($self, $timeout, @silent) = @_;

    my $select = IO::Select->new($self->{lifeline}, @{$self->{listeners}},
                                 map { $_->sock } @silent);
    my $deadline = deadline_after($timeout // 3 * $self->{timeout});

    while (1) {
        my $left = $deadline - time();

        die "nobody connected\n" if $left <= 0;

        my @ready = $select->can_read($left);

        POSIX::_exit(0) if grep { $_ == $self->{lifeline} } @ready;

        for my $connection (@silent) {
            return $connection if grep { $_ == $connection->sock } @ready;
        }

        for my $listener (@ready) {
            my $sock = $listener->accept or next;

            # a TLS handshake that fails is what some tests are about
            my $connection = $self->connection($sock) or next;

            return $connection;
        }
    }
}


sub connection {
    my ($self, $sock) = @_;

    if ($self->tls) {
        $sock = $self->start_tls($sock) or return undef;
    }

    return $self->connection_class->new(sock => $sock, peer => $self,
                                        timeout => $self->{timeout});
}

sub connection_class { return 'Voicebridge::Connection' }


sub start_tls {
    my ($self, $sock) = @_;

    require IO::Socket::SSL;

    my $files = ref $self->{tls} ? $self->{tls} : certificate($self->{tls});

    $sock->blocking(1);

    # one for all connections: a session can be taken up again
    $self->{tls_context} //= IO::Socket::SSL::SSL_Context->new(
        SSL_server    => 1,
        SSL_cert_file => $files->{cert},
        SSL_key_file  => $files->{key},
    );

    my $tls = IO::Socket::SSL->start_SSL($sock,
        SSL_server    => 1,
        SSL_reuse_ctx => $self->{tls_context},
        Timeout       => $self->{timeout},
    );

    if (!$tls) {
        no warnings 'once';
        $self->note(event => 'tls_failed',
                    error => "$IO::Socket::SSL::SSL_ERROR");
        close $sock;
        return undef;
    }

    $self->note(event => 'tls', version => $tls->get_sslversion,
                name => $tls->get_servername,
                resumed => $tls->get_session_reused ? 1 : 0);

    return $tls;
}


# In the test: the next event that matches and was not returned before.
# event("closed") is by its name, event(sub { ... }) by a condition on $_.

sub event {
    my ($self, $match, $timeout) = @_;

    my $deadline = deadline_after($timeout // $self->{timeout});

    while (1) {
        for my $event (@{$self->{events}}) {
            next if $event->{seen};

            my $found = ref $match ? do { local $_ = $event; $match->($event) }
                                   : $event->{event} eq $match;

            if ($found) {
                $event->{seen} = 1;
                return $event;
            }

            if ($event->{event} eq 'error') {
                $event->{seen} = 1;
                croak ref($self) . ": $event->{error}";
            }
        }

        last unless $self->receive($deadline);
    }

    croak sprintf '%s: no "%s", but %s', ref $self,
                  ref $match ? 'such event' : $match,
                  join(', ', map { $_->{event} } @{$self->{events}})
                  || 'nothing at all';
}


# every event so far, without waiting

sub events {
    my $self = shift;

    1 while $self->receive(0);

    return @{$self->{events}};
}


# waits until the peer's script has ended: its events; an error in it is one
# of the test

sub finish {
    my ($self, $timeout) = @_;

    my $deadline = deadline_after($timeout);

    while ($self->receive($deadline)) { }

    croak ref($self) . ': still running' unless $self->{eof};

    $self->stop;

    for my $event (@{$self->{events}}) {
        if ($event->{event} eq 'error' && !$event->{seen}) {
            $event->{seen} = 1;
            croak ref($self) . ": $event->{error}";
        }
    }

    return @{$self->{events}};
}


# more events, true if there are some

sub receive {
    my ($self, $deadline) = @_;

    my $had = @{$self->{events}};

    while (1) {

        # what has been told before the end is in the file by then
        my $eof = $self->{eof};

        1 while sysread $self->{reported}, $self->{buffer}, 65536,
                        length $self->{buffer};

        while ($self->{buffer} =~ s/^(.*)\n//) {
            push @{$self->{events}}, json()->decode($1);
        }

        return 1 if @{$self->{events}} > $had;

        my $left = $deadline - time();
        return 0 if $eof || $left <= 0;

        IO::Select->new($self->{in})->can_read($left);

        my $n = sysread $self->{in}, my $bytes, 65536;

        $self->{eof} = 1 if defined $n && $n == 0;
    }
}


sub stop {
    my $self = shift;

    my $pid = delete $self->{pid} or return;

    delete $running{$pid};

    # the lifeline ends a peer that waits; this also one that does not
    close $self->{alive};
    kill 'TERM', $pid;
    waitpid $pid, 0;
}


sub DESTROY {
    my $self = shift;

    local ($?, $@, $!);

    $self->stop if $self->{pid} && $running{$self->{pid}};
}


1;
