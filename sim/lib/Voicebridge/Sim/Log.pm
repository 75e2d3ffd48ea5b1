package Voicebridge::Sim::Log;

# What happened, for programs (a JSON object a line) and for people.
#
# Every event has "t", seconds of the machine's monotonic clock, which is the
# same for every process, and "event"; what it says to people is "text".

use Mojo::Base -base, -signatures;

use Mojo::JSON qw( encode_json );
use Mojo::Util qw( encode );
use Time::HiRes qw( clock_gettime CLOCK_MONOTONIC );

# of a violation of the protocol by the other side
has warnings => 0;

# where people read; nothing where undef
has out => sub { \*STDOUT };

has started => sub { now() };

# by 31951 and the like, or a name: how often
has counts => sub { {} };


sub now { return clock_gettime(CLOCK_MONOTONIC) }


# JSON lines go to a file, or to the standard output instead of text

sub to ($self, $file) {
    return $self unless defined $file;

    if ($file eq '-') {
        $self->{json} = \*STDOUT;
        $self->out(undef);

    } else {
        open $self->{json}, '>', $file or die "$file: $!\n";
    }

    $self->{json}->autoflush(1);

    return $self;
}


sub event ($self, $name, $fields = {}, $text = undef) {
    my $t = now();

    $self->counts->{$name}++;

    if (my $json = $self->{json}) {
        print $json encode_json({
            %$fields, t => 0 + sprintf('%.6f', $t), event => $name,
            defined $text ? (text => $text) : (),
        }), "\n";
    }

    if (defined $text && (my $out = $self->out)) {
        $out->autoflush(1);
        printf $out "%9.3f  %s\n", $t - $self->started, encode 'UTF-8', $text;
    }

    return $self;
}


# the other side broke its protocol

sub warning ($self, $code, $text, $fields = {}) {
    $self->warnings($self->warnings + 1);

    return $self->event(warning => { %$fields, code => $code, what => $text },
                        "Protocol warning $code: $text");
}


1;
