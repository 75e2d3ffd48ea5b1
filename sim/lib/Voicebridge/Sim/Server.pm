package Voicebridge::Sim::Server;

# What both simulators are as programs: a server on an address of its own, a
# log, an end by INT or TERM, and an exit status that says whether the other
# side kept to its protocol.

use Mojo::Base -base, -signatures;

use Getopt::Long qw( GetOptionsFromArray
                     :config no_auto_abbrev no_ignore_case );
use Mojo::File qw( path );
use Mojo::IOLoop;
use Mojo::JSON qw( decode_json );
use Mojo::Promise;
use Mojo::Server::Daemon;
use Mojolicious;
use Pod::Usage qw( pod2usage );
use Voicebridge::Sim::Log;

has app => sub {
    my $app = Mojolicious->new;
    $app->log->level('fatal');
    $app->secrets(['not used']);
    return $app;
};

has log => sub { Voicebridge::Sim::Log->new };
has options => sub { {} };


# The options both have, and those in more; ends the program where they are
# wrong.

sub getopt ($class, $arguments, $defaults, @more) {
    my %options = (listen => '127.0.0.1:0', %$defaults);

    GetOptionsFromArray($arguments, \%options, 'help|h', 'listen=s', 'ready=s',
                        'cert=s', 'key=s', 'log=s', 'quiet|q', @more)
        or pod2usage(2);

    pod2usage(-verbose => 2, -exitval => 0, -noperldoc => 1)
        if $options{help};
    pod2usage(-message => "\"$arguments->[0]\" is not understood")
        if @$arguments;
    pod2usage(-message => '--cert and --key belong together')
        if !defined $options{cert} != !defined $options{key};

    my $log = Voicebridge::Sim::Log->new;
    $log->out(undef) if $options{quiet};
    $log->to($options{log});

    return $class->new(options => \%options, log => $log);
}


# a file's JSON; dies with its name

sub json_file ($file) {
    my $value = eval { decode_json(path($file)->slurp) };
    my $error = $@ =~ s/ at \S+ line \d+\.?\n//r;

    die "$file: $error\n" unless defined $value;

    return $value;
}


# listens, and tells where

sub start ($self) {
    my $options = $self->options;
    my $listen = $options->{listen} =~ s/^(\d+)$/127.0.0.1:$1/r;

    my $url = Mojo::URL->new("http://$listen");

    $url->scheme('https')
        ->query(cert => $options->{cert}, key => $options->{key})
        if defined $options->{cert};

    my $daemon = Mojo::Server::Daemon->new(
        app => $self->app, listen => [$url->to_string], silent => 1,
        inactivity_timeout => 0, keep_alive_timeout => 60,
    );

    $daemon->start;
    $self->{daemon} = $daemon;

    my $host = $url->host =~ /^(?:\*|0\.0\.0\.0)$/ ? '127.0.0.1' : $url->host;

    $self->{url} = $url->scheme . "://$host:" . $daemon->ports->[0];

    # whole or not at all
    if (defined(my $ready = $options->{ready})) {
        open my $out, '>', "$ready.$$" or die "$ready: $!\n";
        print $out "$self->{url}\n";
        close $out or die "$ready: $!\n";
        rename "$ready.$$", $ready or die "$ready: $!\n";
    }

    return $self->{url};
}


# Until INT, TERM, or stop(); then end is called, and what it returns promises
# of is waited for, not for long.  Returns the exit status.

sub run ($self, $end) {
    my $stop = sub { $self->stop };

    local @SIG{qw( INT TERM )} = ($stop, $stop);
    local $SIG{PIPE} = 'IGNORE';

    # libev waits on where a Perl program would look for signals
    my @watchers = Mojo::IOLoop->singleton->reactor->isa('Mojo::Reactor::EV')
        ? map { EV::signal($_, $stop) } qw( INT TERM ) : ();

    Mojo::IOLoop->start unless $self->{stopped};

    Mojo::Promise->race(Mojo::Promise->timer(3),
                        Mojo::Promise->all(Mojo::Promise->resolve, $end->()))
                 ->wait;

    my $warnings = $self->log->warnings;

    $self->log->event(report => { warnings => $warnings,
                                  counts => $self->log->counts },
                      'Protocol warnings: ' . ($warnings || 'none'));

    return $warnings ? 1 : 0;
}


sub stop ($self) {
    $self->{stopped} = 1;
    Mojo::IOLoop->stop;
}


1;
