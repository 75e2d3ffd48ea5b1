package Voicebridge::Sim::Agent;

# Who talks in a conversation: an agent that keeps to a script, a list of
# steps, each an object.
#
#   {"say": WHAT}       text, a .wav file (its "text" may be given), or
#                       {"tone": HZ, "seconds": S}; {{name}} in a text is that
#                       dynamic variable.  Lasts as long as it would take to
#                       play.  The caller may interrupt it, unless
#                       "interruptible" is false; then "late" messages (2) of
#                       the old audio still follow
#   {"hear": TEXT}      waits for the caller to speak and to be silent again
#                       for "for" seconds (0.6); TEXT is the transcript.  What
#                       interrupted the agent is heard so, too
#   {"wait": S}
#   {"tool": NAME, "parameters": {}, "expects_response": true}
#                       calls a client tool and waits for the result
#   {"queue": S}        the caller waits in a queue for so long
#   {"goodbye": WHAT}   says it, waits for nothing and ends with 1000
#   {"send": {}}        any message
#   {"interrupt": true} takes back what was said
#   {"error": CODE, "message": TEXT}
#   {"close": CODE, "reason": TEXT}
#   {"drop": true}      the connection is lost; with "reset": true by RST
#   {"silence": true}   nothing more is sent or answered
#
# After the last step the conversation is closed with 1000.

use Mojo::Base -base, -signatures;

use Mojo::JSON qw( encode_json );
use Mojo::Util qw( decode );
use Voicebridge::Sim::Audio qw( seconds tone );
use Voicebridge::Sim::Log;
use Voicebridge::Sim::Speech;

my @STEPS = qw( say hear wait tool queue goodbye send interrupt error close
                drop silence );

# a Voicebridge::Sim::Conversation
has 'conversation';

has script => sub { [] };
has speech => sub { Voicebridge::Sim::Speech->new(who => 'agent') };

# what happens whatever the script says: [step, seconds after the metadata]
has faults => sub { [] };


sub check_script ($script) {
    die "the agent's script is no list of steps\n" if ref $script ne 'ARRAY';

    for my $step (@$script) {
        my @names = grep { ref $step eq 'HASH' && exists $step->{$_} } @STEPS;

        die "a step of the agent's script is none of @STEPS: "
            . encode_json($step) . "\n" if @names != 1;
    }
}


sub start ($self) {
    my $conversation = $self->conversation;

    $self->{steps} = [@{$self->script}];
    $self->{heard} = 0;

    $conversation->on(initiated => sub ($conversation) { $self->_prepare });
    $conversation->on(ready => sub ($conversation) { $self->_ready });
    $conversation->on(speech => sub ($conversation) { $self->_interrupted });

    $conversation->on(silence => sub ($conversation) {
        $self->{heard} = 1;
        $self->_hear;
    });

    $conversation->on(tool_result => sub ($conversation, $message) {
        $self->_tool_result($message);
    });

    $conversation->start;

    return $self;
}


# what is to be said with the caller's variables in it is made now, so that
# nothing waits for it later

sub _prepare ($self) {
    for my $step (@{$self->{steps}}) {
        my $what = $step->{say} // $step->{goodbye} // next;

        $what = $self->_filled_in($what) // next unless is_sound($what);
        $self->speech->samples($what, $self->conversation->output_rate);
    }
}


# a file or a tone, and no text

sub is_sound ($what) { return ref $what || $what =~ /\.wav$/i }


sub _ready ($self) {
    for my $fault (@{$self->faults}) {
        my ($step, $seconds) = @$fault;

        $self->conversation->later('fault ' . encode_json($step), $seconds,
                                   sub { $self->_begin($step) });
    }

    $self->_next;
}


# the steps, one after the other

sub _next ($self) {
    return if $self->conversation->is_over;

    $self->_begin(shift @{$self->{steps}} // { close => 1000 });
}


sub _begin ($self, $step) {
    my ($name) = grep { exists $step->{$_} } @STEPS;

    @$self{qw( step current )} = ($step, $name);

    my $method = "_$name";
    $self->$method;
}


# the step of that name, if it is the current one, is done

sub _done ($self, $name) {
    return if $self->{current} ne $name;

    $self->{current} = '';
    $self->conversation->cancel('step');
    $self->_next;
}


sub _done_in ($self, $seconds) {
    my $name = $self->{current};

    $self->conversation->later(step => $seconds, sub { $self->_done($name) });
}


sub _say ($self) {
    my $seconds = $self->_speak($self->{step}{say}) // return;

    # until it has been heard
    $self->_done_in($seconds);
}


sub _interrupted ($self) {
    my $step = $self->{step};

    return if ($self->{current} // '') ne 'say'
              || !($step->{interruptible} // 1);

    $self->_take_back($step->{late} // 2);
    $self->_done('say');
}


# of the caller's speech, which may have begun, or be over, before the step

sub _hear ($self) {
    return if ($self->{current} // '') ne 'hear';

    my $step = $self->{step};

    $self->conversation->ear->release($step->{for} // 0.6);

    return unless $self->{heard};
    $self->{heard} = 0;

    $self->conversation->note(user_transcript => { what => $step->{hear} },
                              "Agent hears: $step->{hear}");

    for my $kind (qw( tentative_user user )) {
        $self->conversation->send({
            type => "${kind}_transcript",
            "${kind}_transcription_event" => {
                user_transcript => $step->{hear},
                event_id => $self->conversation->event_id,
            },
        });
    }

    $self->_done('hear');
}


sub _wait ($self) { $self->_done_in($self->{step}{wait}) }


sub _tool ($self) {
    my $step = $self->{step};
    my $conversation = $self->conversation;
    my $expects = $step->{expects_response} // 1;

    $self->{tool_call_id} = 'tool_call_' . ++$self->{tools};

    $conversation->note(tool_call => { tool => $step->{tool} },
                        "Agent: calls the tool $step->{tool}");

    $conversation->send({ type => 'client_tool_call', client_tool_call => {
        tool_name => $step->{tool}, tool_call_id => $self->{tool_call_id},
        parameters => $step->{parameters} // {},
        event_id => $conversation->event_id,
        expects_response => $expects ? Mojo::JSON->true : Mojo::JSON->false,
    } });

    return $self->_done('tool') unless $expects;

    $conversation->later(step => $step->{timeout} // 20, sub {
        $conversation->wrong("no result of the tool $step->{tool}");
        $self->_done('tool');
    });
}


sub _tool_result ($self, $message) {
    my $conversation = $self->conversation;

    $conversation->note(tool_result => { is_error => $message->{is_error} },
                        'Agent: the tool answered'
                        . ($message->{is_error} ? ' with an error' : '')
                        . ": $message->{result}");

    return $conversation->wrong('client_tool_result: another tool_call_id')
        if $message->{tool_call_id} ne ($self->{tool_call_id} // '');

    $self->_done('tool');
}


sub _queue ($self) {
    my $conversation = $self->conversation;
    my $seconds = $self->{step}{queue};

    $self->_queue_status('waiting');
    $conversation->play(tone($conversation->output_rate, 440, $seconds));

    $conversation->later(step => $seconds, sub {
        $self->_queue_status('admitted');
        $self->_done('queue');
    });
}


sub _queue_status ($self, $status) {
    $self->conversation->note(queue => { status => $status },
                              "Agent: the caller in its queue: $status");
    $self->conversation->send({ type => 'queue_status',
                                queue_status_event => { status => $status } });
}


# the close is right behind the last audio, which nobody has heard yet

sub _goodbye ($self) {
    my $conversation = $self->conversation;

    $self->_speak($self->{step}{goodbye}, sub {
        $conversation->send({
            type => 'agent_tool_response', agent_tool_response => {
                tool_name => 'end_call', tool_call_id => 'end_call_1',
                tool_type => 'system', is_error => Mojo::JSON->false,
                is_called => Mojo::JSON->true,
                event_id => $conversation->event_id,
            },
        });
        $conversation->close(1000);
    });
}


sub _send ($self) {
    $self->conversation->send($self->{step}{send});
    $self->_done('send');
}


sub _interrupt ($self) {
    $self->_take_back($self->{step}{late} // 0);
    $self->_done('interrupt');
}


sub _error ($self) {
    my ($code, $text) = @{$self->{step}}{qw( error message )};

    $self->_fail($code, 'llm_error', $text // 'simulated');
}


sub _fail ($self, $code, $type, $text) {
    $self->conversation->send({ type => 'error', error_event => {
        code => 0 + $code, message => $text, error_type => $type,
    } });
    $self->conversation->close($code, $text);
}


sub _close ($self) {
    my $step = $self->{step};

    $self->conversation->close($step->{close}, $step->{reason} // '');
}


sub _drop ($self) { $self->conversation->drop($self->{step}{reset}) }

sub _silence ($self) { $self->conversation->fall_silent }


# Says something; the seconds it takes to hear it, or undef where it cannot be
# said.  sent is called when all of it has been sent.

sub _speak ($self, $what, $sent = undef) {
    my $conversation = $self->conversation;
    my $text = is_sound($what) ? $self->{step}{text} : $what;

    if (defined $text) {
        $text = $self->_filled_in($text) // return $self->_missing($text);
        $what = $text unless is_sound($what);
    }

    my $rate = $conversation->output_rate;
    my $samples = $self->speech->samples($what, $rate);
    my $seconds = seconds($samples, $rate);
    my $id = $conversation->event_id + 1;

    $text //= ref $what ? 'a tone' : $what;

    @$self{qw( said began seconds )} = ($text, Voicebridge::Sim::Log::now(),
                                        $seconds);

    $conversation->note(agent_says => {
        what => $text, source => $what, seconds => $seconds, event_id => $id,
    }, "Agent: $text");

    $conversation->send({ type => 'agent_response', agent_response_event => {
        agent_response => $text, event_id => $id,
    } });

    $conversation->play($samples, $sent);

    return $seconds;
}


# a text with the caller's variables in it; undef where one is missing

my $VARIABLE = qr/\{\{\s*(\w+)\s*\}\}/;

sub _filled_in ($self, $text) {
    my $variables = $self->conversation->variables;

    return undef if grep { !exists $variables->{$_} } $text =~ /$VARIABLE/g;
    return $text =~ s/$VARIABLE/_spoken($variables->{$1})/ger;
}


# which ends the conversation

sub _missing ($self, $text) {
    my $variables = $self->conversation->variables;
    my $names = join ', ', map { "'$_'" } grep { !exists $variables->{$_} }
                                               $text =~ /$VARIABLE/g;

    $self->_fail(1008, 'missing_dynamic_variable',
                 'Missing required dynamic variables in first message: '
                 . "{$names}");

    return undef;
}


sub _spoken ($value) {
    return $value if defined $value && !ref $value;
    return decode 'UTF-8', encode_json($value);
}


sub _take_back ($self, $late) {
    my $conversation = $self->conversation;
    my $said = $self->{said} // '';
    my $heard = Voicebridge::Sim::Log::now() - ($self->{began} // 0);

    my $id = $conversation->interrupt($late);

    $conversation->note(interruption => { event_id => $id, late => $late },
                        'Agent: is interrupted');

    # about as much of the text as has been heard of the audio
    my $share = $self->{seconds} ? $heard / $self->{seconds} : 1;
    my $part = substr $said, 0, length($said) * ($share < 1 ? $share : 1);

    $conversation->send({
        type => 'agent_response_correction',
        agent_response_correction_event => {
            original_agent_response => $said,
            corrected_agent_response => $part =~ s/\s+\S*$/.../r,
            event_id => $id,
        },
    });
}


1;
