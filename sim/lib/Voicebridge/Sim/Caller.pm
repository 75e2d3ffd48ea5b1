package Voicebridge::Sim::Caller;

# The person on the phone, by a script: a list of steps, each an object.
#
#   {"say": WHAT}           text, a .wav file, or {"tone": HZ, "seconds": S}
#   {"wait": S}             says nothing for so long
#   {"until": "speech"}     waits for the other side to speak
#   {"until": "silence", "for": S}
#                           waits for it to speak and then to be silent (0.7)
#   {"dtmf": "12#"}         presses keys
#   {"hang_up": true}
#   {"drop": true}          the stream's connection is lost; "reset": with RST
#   {"stop_reading": S}     nothing is taken from the network for so long
#
# Whoever has no more steps stays on the line and says nothing.  Time is that
# of the audio: a frame of 20 ms is heard and a frame is said at a time.
#
# Emits: says (what, samples), dtmf (digit), hang_up, drop (reset),
# stop_reading (seconds).

use Mojo::Base 'Mojo::EventEmitter', -signatures;

use Voicebridge::Sim::Audio qw( level mulaw_decode mulaw_encode );
use Voicebridge::Sim::Speech;

use constant { FRAME => 160, SILENCE => "\xff" x 160 };

# what is louder is speech, in 1/32768
use constant LOUD => 300;

# frames between two keys
use constant KEYS => 12;

my @STEPS = qw( say wait until dtmf hang_up drop stop_reading );

has script => sub { [] };
has speech => sub { Voicebridge::Sim::Speech->new(who => 'caller') };


# Makes what is to be said, so that no call waits for it.  Dies where a step
# is none.

sub prepare ($self) {
    my @steps;

    for my $step (@{$self->script}) {
        my ($name, @more) = grep { ref $step eq 'HASH' && exists $step->{$_} }
                                 @STEPS;

        die "a step of the caller's script is none of @STEPS\n"
            if !defined $name || @more;

        my %step = (%$step, name => $name);

        if ($name eq 'say') {
            my $samples = $self->speech->samples($step->{say}, 8000);

            @step{qw( samples audio )} = ($samples, mulaw_encode($samples));
            $step{text} //= $step->{text}
                            // (ref $step->{say} ? 'a tone' : $step->{say});
        }

        push @steps, \%step;
    }

    $self->{steps} = \@steps;

    return $self;
}


# 20 ms of what comes out of the phone

sub hear ($self, $frame) {
    my $loud = $frame ne SILENCE && level(mulaw_decode($frame)) > LOUD;

    $self->{quiet} = $loud ? 0 : ($self->{quiet} // 0) + 1;
    $self->{heard} = 1 if $loud;
}


# 20 ms of what is said

sub speak ($self) {
    # what takes no time is done at once
    while ($self->_done) {
        $self->{step} = shift @{$self->{steps}} or last;
        $self->_begin($self->{step});
    }

    return SILENCE unless length($self->{saying} // '');

    my $frame = substr $self->{saying}, 0, FRAME, '';

    # what is heard counts from when one has said one's own
    ($self->{heard}, $self->{quiet}) = (0, 0) unless length $self->{saying};

    return $frame . substr SILENCE, length $frame;
}


sub _begin ($self, $step) {
    my $name = $step->{name};

    if ($name eq 'say') {
        $self->{saying} = $step->{audio};
        $self->emit(says => $step->{text}, $step->{samples});

    } elsif ($name eq 'wait') {
        $self->{frames} = int $step->{wait} * 50;

    } elsif ($name eq 'dtmf') {
        $self->{keys} = [split //, $step->{dtmf}];
        $self->{frames} = 0;

    } elsif ($name ne 'until') {
        $self->emit($name => $name eq 'drop' ? $step->{reset} : $step->{$name});
    }
}


# whether the current step is; called once a frame, at least

sub _done ($self) {
    my $step = $self->{step} // return 1;
    my $name = $step->{name};

    return !length $self->{saying} if $name eq 'say';
    return --$self->{frames} < 0 if $name eq 'wait';

    if ($name eq 'until') {
        return $self->{heard} if $step->{until} eq 'speech';
        return $self->{heard} && $self->{quiet} >= ($step->{for} // 0.7) * 50;
    }

    if ($name eq 'dtmf') {
        return 0 if --$self->{frames} > 0;
        my $key = shift @{$self->{keys}} // return 1;

        $self->emit(dtmf => $key);
        $self->{frames} = KEYS;

        return 0;
    }

    return 1;
}


1;
