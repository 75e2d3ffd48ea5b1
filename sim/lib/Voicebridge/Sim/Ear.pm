package Voicebridge::Sim::Ear;

# Hears when somebody speaks, by loudness, and on the clock of the samples: how
# late they come changes nothing.
#
# Emits: speech, silence (both with the position in samples).

use Mojo::Base 'Mojo::EventEmitter', -signatures;

use Voicebridge::Sim::Audio qw( level );

has rate => 8000;

# what is louder is speech, in 1/32768
has loud => 300;

# seconds of loudness that make speech, of quiet that make silence
has attack => 0.1;
has release => 0.6;

has 'speaking';


sub hear ($self, $samples) {
    $self->{samples} .= $samples;

    # 20 ms at a time
    my $size = 2 * int $self->rate / 50;

    while (length $self->{samples} >= $size) {
        my $frame = substr $self->{samples}, 0, $size, '';

        $self->{position} += $size / 2;
        $self->_judge(!!(level($frame) > $self->loud));
    }
}


sub _judge ($self, $loud) {
    # frames in a row that say otherwise than what is thought now
    $self->{other} = $loud == !!$self->speaking ? 0 : ($self->{other} // 0) + 1;

    my $enough = $self->speaking ? $self->release : $self->attack;

    return if $self->{other} < $enough * 50;

    $self->{other} = 0;
    $self->speaking($loud);
    $self->emit($loud ? 'speech' : 'silence', $self->{position});
}


1;
