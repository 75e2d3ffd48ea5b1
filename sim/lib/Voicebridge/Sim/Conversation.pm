package Voicebridge::Sim::Conversation;

# An ElevenLabs agent's end of one WebSocket: what goes over it in which shape,
# and a strict look at what the client sends.  What is said, and when, is up to
# somebody else.
#
# Emits: initiated, ready (the metadata has been sent), speech and silence of
# the caller, tool_result (message), over.

use Mojo::Base 'Mojo::EventEmitter', -signatures;

use Mojo::IOLoop;
use Mojo::JSON qw( decode_json encode_json );
use Mojo::Util qw( b64_decode b64_encode decode );
use Mojo::WebSocket qw( WS_PING WS_PONG );
use Socket qw( SOL_SOCKET SO_LINGER );
use Voicebridge::Sim::Audio ();
use Voicebridge::Sim::Ear;
use Voicebridge::Sim::Initiation qw( initiation_shape );
use Voicebridge::Sim::Log;
use Voicebridge::Sim::Shape qw( plain_json shape );

has [qw( tx log id )];

# formats of the two directions
has output => 'pcm_16000';
has input => 'pcm_16000';

# seconds of audio a message, how much faster than it plays it is sent, and
# between two pings
has piece => 0.1;
has speed => 10;
has ping_interval => 2;

# instead of the metadata: a close code, or none
has 'metadata';

# a client that breaks the protocol is kept
has 'lenient';

# directory for a WAV of what the agent heard; undef: none
has 'record';

# of the last audio message
has event_id => 0;

# what the initiation message brought
has variables => sub { {} };

has stats => sub { { audio_messages => 0, audio_seconds => 0,
                     caller_messages => 0, interruptions => 0,
                     pongs => 0, slowest_pong => 0 } };

has ear => sub ($self) {
    Voicebridge::Sim::Ear->new(rate => $self->input_rate);
};


sub output_rate ($self) {
    return (Voicebridge::Sim::Audio::audio_format($self->output))[1];
}


sub input_rate ($self) {
    return (Voicebridge::Sim::Audio::audio_format($self->input))[1];
}


sub is_over ($self) { return $self->{over} }


# waits for the client's initiation

sub start ($self) {
    $self->{recording} = '';
    $self->{timers} = {};
    $self->{pieces} = [];

    for my $what (qw( speech silence )) {
        $self->ear->on($what => sub ($ear, $position) {
            $self->note("caller_$what" => { position => $position });
            $self->emit($what);
        });
    }

    my $tx = $self->tx;

    $tx->on(text => sub ($tx, $bytes) { $self->_message($bytes) });
    $tx->on(binary => sub ($tx, $bytes) { $self->wrong('a binary message') });

    # a ping is answered by itself, and a pong by nothing
    $tx->on(frame => sub ($tx, $frame) {
        $frame->[4] = WS_PONG if $self->{silent} && $frame->[4] == WS_PING;
    });

    $tx->on(finish => sub ($tx, $code, $reason) {
        $self->_over($code, $reason);
    });

    return $self;
}


sub note ($self, $name, $fields = {}, $text = undef) {
    $self->log->event($name => { conversation_id => $self->id, %$fields },
                      $text);
}


# the client broke the protocol, at which the real one ends the conversation

sub wrong ($self, $text) {
    $self->log->warning(1008, $text, { conversation_id => $self->id });
    $self->close(1008, 'Invalid message received') unless $self->lenient;
}


sub send ($self, $message) {
    return if $self->{over} || $self->{silent} || $self->{closing};
    $self->tx->send({ text => plain_json($message) });
}


# Audio goes out in pieces, faster than it plays but not all at once; sent is
# called after the last.  What was going out before no longer is.

sub play ($self, $samples, $sent = undef) {
    my $size = 2 * int $self->piece * $self->output_rate;

    $self->{pieces} = [unpack "(a$size)*", $samples];

    my $began = Voicebridge::Sim::Log::now();
    my $interval = $self->piece / $self->speed;
    my $n = 0;

    $self->cancel('audio');

    $self->{timers}{audio} = Mojo::IOLoop->recurring($interval => sub {
        my $due = (Voicebridge::Sim::Log::now() - $began) / $interval;

        while (@{$self->{pieces}} && $n < $due) {
            $self->_send_audio(shift @{$self->{pieces}},
                               $self->event_id($self->event_id + 1)->event_id);
            $n++;
        }

        return if @{$self->{pieces}};

        $self->cancel('audio');
        $sent->() if $sent;
    });
}


# Takes back what was said.  Some messages with the event ids of before, which
# were on their way, follow: what had not been sent yet, or a tone.

sub interrupt ($self, $late) {
    my $id = $self->event_id;
    my @pieces = @{$self->{pieces}};

    $self->{pieces} = [];
    $self->cancel('audio');

    $self->stats->{interruptions}++;
    $self->send({ type => 'interruption',
                  interruption_event => { event_id => $id } });

    for my $n (reverse 0 .. $late - 1) {
        $self->_send_audio(shift @pieces // Voicebridge::Sim::Audio::tone(
                               $self->output_rate, 880, $self->piece),
                           $id > $n ? $id - $n : $id);
    }

    return $id;
}


sub _send_audio ($self, $samples, $id) {
    my $stats = $self->stats;

    $stats->{audio_messages}++;
    $stats->{audio_seconds} +=
        Voicebridge::Sim::Audio::seconds($samples, $self->output_rate);

    my $bytes = Voicebridge::Sim::Audio::encode($self->output, $samples);

    $self->send({ type => 'audio', audio_event => {
        audio_base_64 => b64_encode($bytes, ''), event_id => $id,
        @{$self->{pieces}} ? () : (is_final => Mojo::JSON->true),
    } });
}


sub close ($self, $code, $reason = '') {
    return if $self->{over} || $self->{closing}++;

    $self->note(agent_closes => { code => $code, reason => $reason },
                "Agent: closes with $code"
                . (length $reason ? " ($reason)" : ''));

    $self->tx->finish($code, length $reason ? $reason : ());

    $self->later(close => 5, sub {
        $self->log->warning(1002, 'no answer to the close frame in 5 s',
                            { conversation_id => $self->id });
        $self->drop;
    });
}


# the network is gone; with a reset the client knows at once

sub drop ($self, $reset = 0) {
    my $socket = Mojo::IOLoop->stream($self->tx->connection) or return;

    $self->note(drop => {}, 'Agent: the connection is lost');
    $self->{closing} = 1;

    setsockopt $socket->handle, SOL_SOCKET, SO_LINGER, pack 'll', 1, 0
        if $reset;

    $socket->close;
}


# nothing is sent or answered any more

sub fall_silent ($self) {
    $self->note(silence => {}, 'Agent: says nothing more');
    $self->{silent} = 1;
}


# one timer of a name at a time, none of which outlives the conversation

sub later ($self, $name, $seconds, $code) {
    $self->cancel($name);

    $self->{timers}{$name} = Mojo::IOLoop->timer($seconds => sub {
        delete $self->{timers}{$name};
        $code->();
    });
}


sub cancel ($self, $name) {
    my $timer = delete $self->{timers}{$name} // return;
    Mojo::IOLoop->remove($timer);
}


# what the client sends

my %SHAPE = (
    pong               => { type => 'string', event_id => 'integer' },
    client_tool_result => { type => 'string', tool_call_id => 'string',
                            result => 'string', is_error => 'boolean',
                            'error_type?' => 'string' },
    contextual_update  => { type => 'string', text => 'string',
                            'context_id?' => 'string' },
    user_message       => { type => 'string', 'text?' => 'string',
                            'user_identifier?' => 'string',
                            'rich_content_id?' => 'string' },
    user_activity      => { type => 'string' },
);


sub _message ($self, $bytes) {
    return if $self->{over} || $self->{silent} || $self->{closing};

    my $message = eval { decode_json($bytes) };

    return $self->wrong('not a JSON object') unless ref $message eq 'HASH';

    return $self->_initiation($message, $bytes) unless $self->{initiated};
    return $self->_audio($message) if exists $message->{user_audio_chunk};

    my $type = $message->{type} // '';
    my $shape = ref $type ? undef : $SHAPE{$type};

    return $self->wrong('unknown type ' . encode_json([$type])) unless $shape;

    my $wrong = shape($message, $shape);

    return $self->wrong("$type: $wrong") if defined $wrong;
    return $self->_pong($message->{event_id}) if $type eq 'pong';

    $self->note(client_message => { message => $message });
    $self->emit(tool_result => $message) if $type eq 'client_tool_result';
}


sub _initiation ($self, $message, $bytes) {
    my $wrong = shape($message, initiation_shape());

    return $self->wrong("the initiation message: $wrong") if defined $wrong;

    $self->{initiated} = 1;
    $self->variables($message->{dynamic_variables} // {});

    my $variables = $self->variables;
    my $names = join ', ', map {
        "$_=" . decode 'UTF-8', encode_json($variables->{$_})
    } sort keys %$variables;

    # raw has numbers as they were written
    $self->note(initiation => { message => $message,
                                raw => decode('UTF-8', $bytes) // '' },
                'Agent: initiation'
                . (length $names ? " with $names" : ', no variables'));

    # the time it takes to get ready comes before all that has a time
    $self->emit('initiated');

    if (defined(my $instead = $self->metadata)) {
        $self->close($instead, 'Could not authorize the conversation.')
            if $instead ne 'none';
        return;
    }

    $self->send({
        type => 'conversation_initiation_metadata',
        conversation_initiation_metadata_event => {
            conversation_id => $self->id,
            agent_output_audio_format => $self->output,
            user_input_audio_format => $self->input,
        },
    });

    $self->{timers}{ping} = Mojo::IOLoop->recurring(
        $self->ping_interval => sub { $self->_ping });

    $self->_ping;
    $self->emit('ready');
}


sub _audio ($self, $message) {
    my $wrong = shape($message, { user_audio_chunk => 'base64' });

    return $self->wrong("caller audio: $wrong") if defined $wrong;

    my $bytes = b64_decode $message->{user_audio_chunk};

    return $self->wrong('caller audio: none in it') unless length $bytes;
    return $self->wrong('caller audio: half a sample')
        if $self->input =~ /^pcm/ && length($bytes) % 2;

    $self->stats->{caller_messages}++;

    my $samples = Voicebridge::Sim::Audio::decode($self->input, $bytes);

    $self->{recording} .= $samples if defined $self->record;
    $self->ear->hear($samples);
}


sub _ping ($self) {
    my $id = ++$self->{ping_id};

    $self->{pings}{$id} = Voicebridge::Sim::Log::now();

    # type need not be first
    $self->send({ ping_event => { event_id => $id, ping_ms => undef },
                  type => 'ping' });
}


sub _pong ($self, $id) {
    my $sent = delete $self->{pings}{$id};

    return $self->wrong("pong: event_id $id was not asked for")
        unless defined $sent;

    my $stats = $self->stats;
    my $time = Voicebridge::Sim::Log::now() - $sent;

    $stats->{pongs}++;
    $stats->{slowest_pong} = $time if $time > $stats->{slowest_pong};
}


sub _over ($self, $code, $reason) {
    return if $self->{over}++;

    $self->cancel($_) for keys %{$self->{timers}};

    my @unanswered = grep { $_ < Voicebridge::Sim::Log::now() - 2 }
                          values %{$self->{pings} // {}};

    $self->log->warning(1002, @unanswered . ' pings were not answered',
                        { conversation_id => $self->id })
        if @unanswered && !$self->{silent};

    my $file;

    $file = Voicebridge::Sim::Audio::write_wav(
        $self->record . '/' . $self->id . '.wav', $self->{recording},
        $self->input_rate) if defined $self->record;

    $self->note(conversation_ended => {
        code => $code, reason => $reason // '', %{$self->stats},
        by => $self->{closing} ? 'agent' : 'client',
        defined $file ? (recording => $file) : (),
    }, 'Agent: the conversation is over, closed with '
       . "$code by " . ($self->{closing} ? 'the agent' : 'the client'));

    $self->emit('over');
}


1;
