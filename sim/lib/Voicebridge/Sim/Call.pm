package Voicebridge::Sim::Call;

# One call on Twilio's side: it rings, is answered, runs its TwiML and ends,
# tells the status callbacks so, and keeps the time of its audio.
#
# Emits: over, when all its callbacks have been answered, too.

use Mojo::Base 'Mojo::EventEmitter', -signatures;

use Mojo::IOLoop;
use Mojo::Promise;
use Mojo::URL;
use Mojo::UserAgent;
use POSIX qw( strftime );
use Time::HiRes qw( time );
use Voicebridge::Sim::Audio qw( mulaw_decode write_wav );
use Voicebridge::Sim::Caller;
use Voicebridge::Sim::Log;
use Voicebridge::Sim::Stream;
use Voicebridge::Sim::TwiML qw( twiml );

use constant FRAME => 0.02;

has [qw( sid account_sid from to log webhook stream )];
has direction => 'outbound-api';
has status => 'queued';
has created => sub { time };
has [qw( answered ended stream_failed )];

# seconds
has ring => 0.2;
has 'time_limit';

# instead of an answer: busy, no-answer, failed
has 'outcome';

# { url, method, events } or undef
has 'callback';

# a Voicebridge::Sim::Caller, prepared
has person => sub { Voicebridge::Sim::Caller->new->prepare };

# directory for a WAV of what the caller heard; undef: none
has 'record';

# how a stream connects, for tests of refusals: url is replaced, token is what
# signs (undef: nothing does)
has stream_options => sub { {} };

my $ids = 0;


sub new_sid ($letters) {
    return $letters . sprintf '%08x%08x%08x%08x', time, $$ & 0xffffffff,
                              ++$ids, int rand 0xffffffff;
}


sub is_over ($self) { return defined $self->ended }
sub is_live ($self) { return $self->status eq 'in-progress' }


# dials; verbs are run when somebody answers

sub dial ($self, $verbs) {
    $self->{pending} = [];

    $self->_later(0, sub { $self->_progress('initiated') });
    $self->_later($self->ring / 2, sub {
        $self->status('ringing');
        $self->_progress('ringing');
    });

    $self->_later($self->ring, sub {
        return $self->end($self->outcome) if $self->outcome;
        $self->answer($verbs);
    });

    return $self;
}


sub answer ($self, $verbs) {
    $self->status('in-progress')->answered(time);
    $self->log->event(answered => { call_sid => $self->sid },
                      'Phone: answered');
    $self->_progress('answered');

    $self->_later($self->time_limit, sub {
        $self->log->event(time_limit => { call_sid => $self->sid },
                          'Twilio: 32015, the call\'s time limit');
        $self->end('completed');
    }) if $self->time_limit;

    $self->_start_clock;
    $self->run($verbs);
}


# replaces what is running

sub redirect ($self, $verbs) {
    if (my $stream = $self->stream) {
        $self->stream(undef);
        $stream->unsubscribe('closed')->stop;
        $self->_stream_callback($stream, 'stream-stopped');
        push @{$self->{streams}}, $stream;
    }

    $self->run($verbs);
}


sub run ($self, $verbs) {
    $self->{verbs} = [@$verbs];
    $self->{run}++;
    $self->_next;
}


# the next verb; those that take time come back here

sub _next ($self) {
    return if $self->is_over;

    my $verb = shift @{$self->{verbs}}
        or return $self->end('completed');

    my $name = $verb->{name};
    my $attributes = $verb->{attributes};
    my $text = join '', grep { !ref } @{$verb->{children}};
    my $run = $self->{run};
    my $next = sub { $self->_next if $run == $self->{run} };

    $text =~ s/^\s+|\s+$//g;

    $self->log->event(verb => { call_sid => $self->sid, verb => $name,
                                length $text ? (value => $text) : () },
                      $name eq 'Say' ? "Twilio says: $text" : undef);

    return $self->_connect($verb) if $name eq 'Connect';
    return $self->end('completed') if $name eq 'Hangup';
    return $self->end(($attributes->{reason} // '') eq 'busy' ? 'busy'
                                                              : 'no-answer')
        if $name eq 'Reject';
    return $self->_later($attributes->{length} // 1, $next)
        if $name eq 'Pause';
    return $self->fetch($text, $attributes->{method}) if $name eq 'Redirect';

    # as if spoken at once, but never in the same breath
    return $self->_later(0, $next);
}


# TwiML from a server, for an inbound call, <Redirect> or action=

sub fetch ($self, $url, $method = undef, @extra) {
    my $run = $self->{run} // 0;

    $self->webhook->send(voice_webhook => $method // 'POST', $url, [
        $self->parameters, @extra,
    ])->then(sub ($res) {
        return if $self->is_over || $run != ($self->{run} // 0);

        my $verbs = $res && $res->code < 400 && $self->_read_twiml($res);

        return $self->end($self->status eq 'in-progress' ? 'completed'
                                                         : 'failed')
            unless $verbs;

        return $self->run($verbs) if $self->is_live;
        return $self->answer($verbs);
    })->catch(sub ($error) { warn $error });
}


sub _read_twiml ($self, $res) {
    my $type = $res->headers->content_type;

    if (!defined $type) {
        $self->log->warning(12300, 'the answer has no Content-Type');
        return undef;
    }

    $self->log->warning(12300, "the answer's Content-Type is $type")
        unless $type =~ m{^(?:text/xml|application/xml|text/html)\s*(?:;|$)}i;

    my $verbs = eval { twiml($res->body, 65536) };

    $self->log->warning(@{$@}) unless $verbs;

    return $verbs;
}


sub _connect ($self, $verb) {
    my ($noun) = grep { ref } @{$verb->{children}};
    my $attributes = $noun->{attributes};

    my %parameters = map { $_->{attributes}{name} => $_->{attributes}{value} }
                     grep { ref } @{$noun->{children}};

    my $webhook = $self->webhook;

    my $stream = Voicebridge::Sim::Stream->new(
        sid => new_sid('MZ'), call_sid => $self->sid,
        account_sid => $self->account_sid, log => $self->log,
        url => $attributes->{url}, parameters => \%parameters,
        token => $webhook->token, connect_to => $webhook->connect_to,
        position => sub { ($self->{ticks} // 0) * 160 },
        ua => Mojo::UserAgent->new(ca => $webhook->ua->ca,
                                   insecure => $webhook->ua->insecure),
        %{$self->stream_options},
    );

    $stream->{attributes} = $attributes;
    $self->stream($stream);

    my $action = $verb->{attributes}{action};
    my $method = $verb->{attributes}{method};

    my $after = sub {
        return if !$self->stream || $self->stream != $stream;

        push @{$self->{streams}}, $stream;
        $self->stream(undef);

        return $self->fetch(Mojo::URL->new($action)->to_abs(
            Mojo::URL->new($attributes->{url}) =~ s/^ws/http/r), $method)
            if defined $action;
        $self->_next;
    };

    $stream->on(open => sub ($stream) {
        $self->log->event(stream_started => {
            call_sid => $self->sid, stream_sid => $stream->sid,
            url => $stream->url, parameters => \%parameters,
            position => $stream->position->(),
        }, 'Phone: media stream ' . $stream->url);
        $self->_stream_callback($stream, 'stream-started');
    });

    $stream->on(failed => sub ($stream, $code, $text) {
        $self->log->event(stream_error => {
            call_sid => $self->sid, code => $code, error => $text,
        }, "Twilio: $code, the stream's handshake failed: $text");

        $self->stream_failed(1);
        $self->_stream_callback($stream, 'stream-error', "$code $text");
        $after->();
    });

    $stream->on(closed => sub ($stream, $code, $reason) {
        $self->log->event(stream_closed => {
            call_sid => $self->sid, code => $code, reason => $reason // '',
            unplayed => $stream->stats->{unplayed},
            position => $stream->position->(),
        }, "Phone: the stream was closed with $code"
           . (length($reason // '') ? " ($reason)" : ''));

        $self->log->warning(31903, 'the connection was lost')
            if $code == 1006 && !$stream->{dropped};
        $self->_stream_callback($stream, 'stream-stopped');
        $after->();
    });

    $stream->open;
}


# What is heard and what is said, 20 ms at a time.  A frame has its time from
# the beginning, so that nothing adds up; what is late is made up for one frame
# at a time, so that what has come meanwhile is read in between.

sub _start_clock ($self) {
    $self->{ticks} = 0;
    $self->{recording} = '';

    my $person = $self->person;

    $person->on(says => sub ($person, $text, $samples) {
        $self->log->event(caller_says => {
            call_sid => $self->sid, what => $text,
            seconds => length($samples) / 2 / 8000,
            position => $self->{ticks} * 160,
        }, "Caller: $text");
    });

    $person->on(dtmf => sub ($person, $digit) {
        $self->log->event(caller_dtmf => { call_sid => $self->sid,
                                           digit => $digit },
                          "Caller presses $digit");
        $self->stream->dtmf($digit) if $self->stream;
    });

    $person->on(hang_up => sub ($person, @) {
        $self->log->event(hang_up => { call_sid => $self->sid },
                          'Caller hangs up');
        $self->end('completed');
    });

    $person->on(drop => sub ($person, $reset) {
        $self->stream->drop($reset) if $self->stream;
    });

    $person->on(stop_reading => sub ($person, $seconds) {
        $self->stream->stop_reading($seconds) if $self->stream;
    });

    $self->{began} = Voicebridge::Sim::Log::now();
    $self->_tick;
}


sub _tick ($self) {
    return if $self->is_over;

    my $heard = $self->stream && $self->stream->tx ? $self->stream->play
                                                   : "\xff" x 160;
    my $person = $self->person;

    $self->{recording} .= $heard if defined $self->record;
    $person->hear($heard);

    my $said = $person->speak;

    # the caller may just have hung up
    return if $self->is_over;

    $self->stream->media($said) if $self->stream;

    my $due = $self->{began} + ++$self->{ticks} * FRAME;
    my $late = Voicebridge::Sim::Log::now() - $due;

    $self->{late} = $late if $late > ($self->{late} // 0);

    $self->_later($late < 0 ? -$late : 0, sub { $self->_tick });
}


sub end ($self, $status) {
    return if $self->is_over;

    $self->status($status)->ended(time);

    if (my $stream = $self->stream) {
        $self->stream(undef);
        push @{$self->{streams}}, $stream;

        # until the server has answered the close
        my $closed = Mojo::Promise->new;
        $stream->unsubscribe('closed');
        $stream->on(closed => sub { $closed->resolve });
        push @{$self->{pending}}, $closed if $stream->tx;

        $stream->stop;
        $self->_stream_callback($stream, 'stream-stopped')
            if $stream->{started};
    }

    my $file = $self->_write_recording;

    $self->_progress('completed');

    my %sum;
    for my $stream (@{$self->{streams} // []}) {
        $sum{$_} += $stream->stats->{$_} for keys %{$stream->stats};
    }

    Mojo::Promise->all(Mojo::Promise->resolve, @{$self->{pending} // []})
        ->finally(sub {
            $self->log->event(call_ended => {
                call_sid => $self->sid, status => $status, %sum,
                seconds => $self->duration, late => $self->{late} // 0,
                defined $file ? (recording => $file) : (),
            }, sprintf 'Phone: the call is over (%s, %.1f s)', $status,
                       $self->duration);
            $self->emit('over');
        });
}


sub duration ($self) {
    return 0 unless $self->answered;
    return ($self->ended // time) - $self->answered;
}


sub _write_recording ($self) {
    return undef unless defined $self->record && $self->answered;

    return write_wav($self->record . '/' . $self->sid . '.wav',
                     mulaw_decode($self->{recording}), 8000);
}


# the form parameters of every request about this call

sub parameters ($self) {
    return (
        CallSid => $self->sid, AccountSid => $self->account_sid,
        From => $self->from, To => $self->to,
        Caller => $self->from, Called => $self->to,
        CallStatus => $self->status, ApiVersion => '2010-04-01',
        Direction => $self->direction,
        (map { ("From$_" => '', "To$_" => '') } qw( City State Zip Country )),
    );
}


sub _progress ($self, $event) {
    my $callback = $self->callback or return;

    my $sequence = $self->{progress}++ // 0;

    return unless grep { $_ eq $event } @{$callback->{events}};

    my %status = (initiated => 'initiated', ringing => 'ringing',
                  answered => 'in-progress');

    my %parameters = $self->parameters;

    $parameters{CallStatus} = $status{$event} // $self->status;

    $self->_callback(call_status => $callback->{method}, $callback->{url}, [
        %parameters,
        Timestamp => strftime('%a, %d %b %Y %H:%M:%S +0000', gmtime),
        CallbackSource => 'call-progress-events',
        SequenceNumber => $sequence,
        $event eq 'completed' ? (
            CallDuration => int($self->duration + 0.5),
            Duration => int($self->duration / 60 + 0.999),
            SipResponseCode => 200,
        ) : (),
    ]);
}


sub _stream_callback ($self, $stream, $event, $error = undef) {
    $stream->{started} = 1 if $event eq 'stream-started';
    $stream->{started} = 0 if $event eq 'stream-stopped';

    my $attributes = $stream->{attributes};
    my $url = $attributes->{statusCallback} // return;

    $self->_callback(stream_status => $attributes->{statusCallbackMethod}
                                      // 'POST', $url, [
        AccountSid => $self->account_sid, CallSid => $self->sid,
        StreamSid => $stream->sid, StreamEvent => $event,
        StreamName => $attributes->{name} // $stream->sid,
        Timestamp => strftime('%Y-%m-%dT%H:%M:%S', gmtime) . '.000000000Z',
        defined $error ? (StreamError => $error) : (),
    ]);
}


sub _callback ($self, @request) {
    push @{$self->{pending}}, $self->webhook->send(@request);
}


sub _later ($self, $seconds, $code) {
    Mojo::IOLoop->timer($seconds => sub { $code->() unless $self->is_over });
}


1;
