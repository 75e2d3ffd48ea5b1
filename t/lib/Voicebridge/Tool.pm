package Voicebridge::Tool;

# The command-line tool for tests, run as a user would.
#
#     my $run = tool('call', '--to' => '+15005550009');  # waits for its end
#     is $run->{status}, 0;
#     like $run->{out}, qr/.../;
#
#     my $tool = Voicebridge::Tool->start('bulk', 'a.csv');
#     $tool->has(out => qr/.../);       # waits for that
#     $tool->kill('INT');
#     my $run = $tool->finish;          # finish(sub { ... }): meanwhile that
#
# The environment is that of the test, with VOICEBRIDGE_URL of the server
# under test, and without anybody's own configuration file.  A first argument
# that is a hash adds to it.

use strict;
use warnings;

use Carp qw( croak );
use Exporter qw( import );
use IO::Select ();
use POSIX ();
use Time::HiRes qw( time );
use Voicebridge::WebSocket qw( deadline_after );

our @EXPORT_OK = qw( program scratch tool );

my %running;


sub program { return "$ENV{VOICEBRIDGE_BUILD}/voicebridge" }


# a file in the test's own directory, with this text if there is one

sub scratch {
    my ($name, $text) = @_;

    my $file = "$ENV{VOICEBRIDGE_TEST_DIR}/$name";

    if (defined $text) {
        open my $out, '>:raw', $file or die "$file: $!\n";
        print $out $text;
        close $out or die "$file: $!\n";
    }

    return $file;
}


sub tool {
    return __PACKAGE__->start(@_)->finish;
}


sub start {
    my ($class, @arguments) = @_;

    my %env = ref $arguments[0] ? %{shift @arguments} : ();

    pipe my $out, my $out_w or die "pipe: $!\n";
    pipe my $err, my $err_w or die "pipe: $!\n";

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>&', $out_w;
        open STDERR, '>&', $err_w;

        $SIG{$_} = 'DEFAULT' for qw( INT TERM USR1 USR2 PIPE );

        $ENV{HOME} = $ENV{VOICEBRIDGE_TEST_DIR};

        # a program that ends gives nothing back before
        $ENV{ASAN_OPTIONS} = 'detect_leaks=0'
            . ($ENV{REPORTS} ? ":log_path=$ENV{REPORTS}/tool" : '');

        $ENV{VOICEBRIDGE_URL} //= "http://127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}"
            if $ENV{TEST_NGINX_SERVER_PORT};
        $ENV{VOICEBRIDGE_API_KEY} //= $ENV{TEST_NGINX_API_KEY};

        while (my ($name, $value) = each %env) {
            defined $value ? ($ENV{$name} = $value) : delete $ENV{$name};
        }

        exec { program() } program(), @arguments
            or POSIX::_exit(127);
    }

    $running{$pid} = 1;

    return bless { pid => $pid, pipes => { out => $out, err => $err },
                   out => '', err => '',
                   timeout => 3 * $Voicebridge::WebSocket::Timeout }, $class;
}


sub pid { return $_[0]{pid} }


sub kill {
    my ($self, $signal) = @_;

    CORE::kill $signal, $self->{pid};

    return $self;
}


# waits until what it wrote to out or err matches

sub has {
    my ($self, $name, $pattern) = @_;

    my $deadline = deadline_after($self->{timeout});

    while ($self->{$name} !~ $pattern) {
        $self->read_some($deadline)
            or croak "the tool did not write $pattern to $name, but: "
                     . "$self->{out}$self->{err}";
    }

    return $self;
}


# waits for its end: { status or signal, out, err }

sub finish {
    my ($self, $meanwhile) = @_;

    my $deadline = deadline_after($self->{timeout});

    while ($self->read_some($deadline, $meanwhile ? 0.02 : ())) {
        $meanwhile->() if $meanwhile;
    }

    if (%{$self->{pipes}}) {
        $self->kill('KILL');
        croak "the tool does not end: $self->{out}$self->{err}";
    }

    waitpid $self->{pid}, 0;
    delete $running{delete $self->{pid}};

    return { status => $? >> 8, signal => $? & 127,
             out => $self->{out}, err => $self->{err} };
}


# more of its output; false at its end, or when it is too late

sub read_some {
    my ($self, $deadline, $at_most) = @_;

    my %pipes = %{$self->{pipes}} or return 0;

    my $left = $deadline - time();
    return 0 if $left <= 0;

    $left = $at_most if defined $at_most && $at_most < $left;

    for my $ready (IO::Select->new(values %pipes)->can_read($left)) {
        my ($name) = grep { $pipes{$_} == $ready } keys %pipes;

        sysread $ready, $self->{$name}, 65536, length $self->{$name}
            or delete $self->{pipes}{$name};
    }

    return 1;
}


sub DESTROY {
    my $self = shift;

    local ($?, $@, $!);

    my $pid = $self->{pid} or return;

    if ($running{$pid}) {
        CORE::kill 'KILL', $pid;
        waitpid $pid, 0;
    }
}


1;
