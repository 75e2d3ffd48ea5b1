package Voicebridge::Sim::Verdict;

# Whether a simulated call was complete, in numbers: from the events that the
# two simulators logged and from what either side heard.
#
# Speech is compared in the band of a telephone, up to 3.4 kHz: the recording
# against its source, which sox has brought to the phone's 8 kHz.  mu-law alone
# leaves about 37 dB.

use Mojo::Base -base, -signatures;

use List::Util qw( first sum0 );
use Mojo::JSON qw( encode_json );
use Mojo::Util qw( decode );
use Voicebridge::Sim::Audio qw( audio_format compare level low_pass read_wav
                                resample seconds );
use Voicebridge::Sim::Shape qw( json_type );
use Voicebridge::Sim::Speech;

use constant { RATE => 8000, BAND => 3400 };

# dB over all of a turn, and over its worst 200 ms; dB off the source's level
use constant { SNR => 35, WORST => 28, GAIN => 0.3 };

# seconds that playing may have stopped for within a turn, on a busy machine
use constant GAPS => 0.3;

# events of the two simulators, and of both in the order of time
has [qw( twilio elevenlabs )];

# WAV files
has [qw( caller_heard agent_heard )];

# of the agent's output, "pcm_24000"
has 'output';

# what was sent as dynamic variables
has 'variables';

# where speech is kept
has 'speech';

has lines => sub { [] };
has failures => 0;


sub _check ($self, $ok, $text) {
    $self->failures($self->failures + 1) unless $ok;
    push @{$self->lines}, ($ok ? '  ok      ' : '  WRONG   ') . $text;

    return $ok;
}


sub _events ($self, $side, $name) {
    return grep { $_->{event} eq $name } @{$self->$side};
}


sub _event ($self, $side, $name) {
    return (($self->_events($side, $name))[0]) // {};
}


# all that can be said; true where the call was complete

sub reach ($self) {
    $self->_call;
    $self->_variables;
    $self->_agent_turns;
    $self->_caller_turns;
    $self->_interruption;
    $self->_goodbye;
    $self->_protocol;

    return !$self->failures;
}


sub _call ($self) {
    my $ended = $self->_event(twilio => 'call_ended');
    my $over = $self->_event(elevenlabs => 'conversation_ended');

    $self->_check(($ended->{status} // '') eq 'completed',
        sprintf 'the call was %s after %.1f s', $ended->{status} // 'not ended',
                $ended->{seconds} // 0);

    $self->_check(($over->{code} // 0) == 1000 && $over->{by} eq 'agent',
        sprintf 'the conversation was closed with %s by the %s',
                $over->{code} // 'nothing', $over->{by} // 'nobody');
}


# with the types they had, all the way

sub _variables ($self) {
    my $got = ($self->_event(elevenlabs => 'initiation')->{message} // {})
              ->{dynamic_variables} // {};
    my $sent = $self->variables;

    for my $name (sort keys %$sent) {
        my ($was, $is) = map { exists $_->{$name} ? json_type($_->{$name})
                                                  : 'nothing' } $sent, $got;
        my ($wanted, $value) = map { decode 'UTF-8', encode_json($_->{$name}) }
                                   $sent, $got;

        $self->_check($was eq $is && $wanted eq $value,
                      "variable $name arrived as the $is $value");
    }
}


sub _heard ($self, $file) {
    my ($samples, $rate) = read_wav($file);

    return low_pass(resample($samples, $rate, RATE), RATE, BAND);
}


# what the caller heard of each thing the agent said

sub _agent_turns ($self) {
    my $heard = $self->_heard($self->caller_heard);
    my (undef, $rate) = audio_format($self->output);
    my $speech = Voicebridge::Sim::Speech->new(dir => $self->speech,
                                               who => 'agent');
    my $from = 0;

    for my $turn ($self->_events(elevenlabs => 'agent_says')) {
        my $source = resample($speech->samples($turn->{source}, $rate), $rate,
                              RATE);
        my $cleared = $self->_cleared($turn);

        # of what was interrupted the beginning
        $source = substr $source, 0, 2 * $cleared if defined $cleared;

        my $end = $self->_turn('caller', 'agent', $turn->{what}, $source,
                               $heard, $from);

        $from = $end - 0.1 * RATE if defined $end;
        $self->{goodbye_end} = $end;
    }
}


# how many samples of a turn had been played when it was cleared, or undef

sub _cleared ($self, $turn) {
    my $interruption = first { $_->{t} > $turn->{t} }
                             $self->_events(elevenlabs => 'interruption');
    my $next = first { $_->{t} > $turn->{t} }
                     $self->_events(elevenlabs => 'agent_says');

    return undef if !$interruption || $next && $next->{t} < $interruption->{t};

    my $began = first { $_->{t} >= $turn->{t} }
                      $self->_events(twilio => 'playing');
    my $clear = first { $_->{t} >= $interruption->{t} }
                      $self->_events(twilio => 'clear');

    return $began && $clear ? $clear->{position} - $began->{position} : undef;
}


sub _caller_turns ($self) {
    my $heard = $self->_heard($self->agent_heard);
    my $speech = Voicebridge::Sim::Speech->new(dir => $self->speech,
                                               who => 'caller');
    my $from = 0;

    for my $turn ($self->_events(twilio => 'caller_says')) {
        my $end = $self->_turn('agent', 'caller', $turn->{what},
                               $speech->samples($turn->{what}, RATE), $heard,
                               $from);

        $from = $end - 0.1 * RATE if defined $end;
    }
}


# one turn; where it ends in the recording, in samples

sub _turn ($self, $hearer, $speaker, $what, $source, $heard, $from) {
    my $result = compare(low_pass($source, RATE, BAND), $heard, RATE,
                         from => $from);
    my $short = length $what > 28 ? substr($what, 0, 25) . '...' : $what;

    if (!$result) {
        $self->_check(0, "the $hearer did not hear \"$short\"");
        return undef;
    }

    my $gaps = sum0 map { $_->[1] } @{$result->{gaps}};

    $self->_check($result->{snr} >= SNR && $result->{worst}[0] >= WORST
                  && abs $result->{gain} <= GAIN && $gaps <= GAPS,
        sprintf '%-6s heard %5.2f s of %-30s SNR %4.1f dB (worst 200 ms %4.1f)'
                . ', %+.2f dB%s', $hearer, seconds($source, RATE), "\"$short\"",
                $result->{snr}, $result->{worst}[0], $result->{gain},
                $gaps ? sprintf ', %.2f s of gaps', $gaps : '');

    return $result->{end};
}


# silence from the clear on, until the agent says something else

sub _interruption ($self) {
    my ($samples) = read_wav($self->caller_heard);
    my @interruptions = $self->_events(elevenlabs => 'interruption');
    my @clears = $self->_events(twilio => 'clear');

    $self->_check(@clears == @interruptions,
        @interruptions . ' interruption(s), ' . @clears . ' clear(s)');

    for my $clear (@clears) {
        my $next = first { $_->{position} > $clear->{position} }
                         $self->_events(twilio => 'playing');
        my $to = $next ? $next->{position} : length($samples) / 2;

        my $silence = substr $samples, 2 * $clear->{position},
                             2 * ($to - $clear->{position});

        my $cause = first { $_->{t} <= $clear->{t} } reverse @interruptions;

        $self->_check(level($silence) == 0 && length $silence,
            sprintf 'after the clear, which came %.0f ms after the '
                    . 'interruption, %.2f s of %s',
                    1000 * ($clear->{t} - ($cause // $clear)->{t}),
                    seconds($silence, RATE),
                    level($silence) ? 'what is no silence' : 'silence');
    }
}


# the agent closed when it had sent all, long before it had been heard

sub _goodbye ($self) {
    my $closed = $self->_event(twilio => 'stream_closed');
    my $agent_closed = $self->_event(elevenlabs => 'agent_closes');
    my $mark = ($self->_events(twilio => 'mark_returned'))[-1];

    return $self->_check(0, 'nobody closed the stream')
        unless $closed->{t} && $agent_closed->{t};

    $self->_check($closed->{code} == 1000,
                  "the stream was closed with $closed->{code}");

    $self->_check(!$closed->{unplayed} && defined $self->{goodbye_end}
                  && $closed->{position} >= $self->{goodbye_end} - 0.2 * RATE,
        sprintf 'the goodbye was heard to its end: the line was let go %.2f s '
                . 'after the agent closed, %.2f s unplayed',
                $closed->{t} - $agent_closed->{t}, $closed->{unplayed} // 0);

    $self->_check($mark && $mark->{t} <= $closed->{t},
        $mark ? sprintf 'the last mark had come back %.0f ms before',
                        1000 * ($closed->{t} - $mark->{t})
              : 'no mark ever came back');
}


sub _protocol ($self) {
    my @warnings = map { $self->_events($_ => 'warning') }
                       qw( twilio elevenlabs );

    $self->_check(0, "protocol warning $_->{code}: $_->{what}") for @warnings;

    my $ended = $self->_event(twilio => 'call_ended');
    my $over = $self->_event(elevenlabs => 'conversation_ended');

    $self->_check(!@warnings,
        sprintf '%d protocol warnings; %d frames from the phone, %d audio '
                . 'messages from the agent, %d pongs in at most %.0f ms',
        scalar @warnings, $ended->{media_sent} // 0,
        $over->{audio_messages} // 0, $over->{pongs} // 0,
        1000 * ($over->{slowest_pong} // 0));

    my @callbacks = map { $self->_events(twilio => $_) }
                        qw( call_status stream_status );

    my @answers = grep { ($_->{status} // 0) == 204 } @callbacks;

    $self->_check(@callbacks && @answers == @callbacks,
        @answers . ' of ' . @callbacks . ' status callbacks answered with 204');
}


1;
