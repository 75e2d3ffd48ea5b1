package Voicebridge::Sim::Twilio;

# Twilio's REST resource Calls, as far as a bridge uses it, over the calls it
# starts.

use Mojo::Base -base, -signatures;

use Mojo::IOLoop;
use Mojo::URL;
use Mojo::Util qw( encode secure_compare );
use POSIX qw( strftime );
use Voicebridge::Sim::Call;
use Voicebridge::Sim::TwiML qw( twiml );

has [qw( account_sid auth_token log )];

# numbers that may call; empty: any
has numbers => sub { [] };

# makes a Voicebridge::Sim::Call with what it is given
has 'new_call';

# milliseconds before any answer of REST
has delay => 0;

# { name, times left } of what goes wrong with a create
has 'fault';

has calls => sub { {} };

my %MESSAGE = (
    20003 => 'Authenticate',
    20404 => 'The requested resource was not found',
    20429 => 'Too Many Requests',
    20500 => 'An internal server error has occurred',
    21201 => 'No \'To\' number is specified',
    21205 => 'Url parameter is required',
    21206 => 'Invalid SendDigits',
    21208 => 'Invalid Timeout',
    21209 => 'Invalid Method',
    21210 => '\'From\' phone number not verified',
    21211 => 'The phone number you are attempting to call is not valid',
    21212 => 'The \'From\' number is not a valid phone number',
    21213 => 'No \'From\' number is specified',
    21214 => 'The phone number you are attempting to call cannot be reached',
    21215 => 'Account not authorized to call this number',
    21216 => 'Account not allowed to call this number',
    21220 => 'Call is not in-progress. Cannot redirect.',
    20422 => 'Invalid parameter',
    32018 => 'Twiml is longer than 4000 characters',
);

my %STATUS = (20003 => 401, 20404 => 404, 20429 => 429, 20500 => 500);

# numbers that bring about something; the rest of the world answers
my %MAGIC = (
    '+15005550001' => { fault => 21211 },
    '+15005550002' => { fault => 21214 },
    '+15005550003' => { fault => 21215 },
    '+15005550004' => { fault => 21216 },
    '+15005550011' => { outcome => 'busy' },
    '+15005550012' => { outcome => 'no-answer' },
    '+15005550013' => { outcome => 'failed' },
    '+15005550020' => { fault => 20003 },
    '+15005550029' => { fault => 20429 },
    '+15005550050' => { fault => 20500 },
    '+15005550051' => { fault => 'garbage' },
    '+15005550052' => { fault => 'timeout' },
    '+15005550053' => { fault => 'drop' },
);


sub mount ($self, $app) {
    my $base = '/2010-04-01/Accounts/<account>';

    $app->routes->post("$base/Calls.json" => sub ($c) {
        $self->_answer($c, sub { $self->_create($c) });
    });

    $app->routes->any([qw( GET POST )] => "$base/Calls/<sid>.json" => sub ($c) {
        $self->_answer($c, sub { $self->_call($c) });
    });

    # what a pre-flight reads; without a list every number is the account's
    $app->routes->get('/2010-04-01/Accounts/<account>.json' => sub ($c) {
        $self->_answer($c, sub { $self->_account($c) });
    });

    $app->routes->get("$base/IncomingPhoneNumbers.json" => sub ($c) {
        $self->_answer($c, sub { $self->_numbers($c) });
    });

    # resource names are case-sensitive
    $app->routes->any('/*any' => { any => '' } => sub ($c) {
        $self->_error($c, 20404);
    });

    return $self;
}


sub _account ($self, $c) {
    return $self->_error($c, 20404)
        if $c->param('account') ne $self->account_sid;

    $c->render(json => { sid => $self->account_sid, status => 'active',
                         type => 'Full', friendly_name => 'simulated' });
}


sub _numbers ($self, $c) {
    my $number = $c->req->query_params->param('PhoneNumber');

    my @numbers = @{$self->numbers} ? @{$self->numbers}
                : defined $number   ? ($number) : ();
    @numbers = grep { $_ eq $number } @numbers if defined $number;

    $c->render(json => { incoming_phone_numbers => [map { {
        phone_number => $_, account_sid => $self->account_sid,
        capabilities => { voice => \1, sms => \0, mms => \0 },
    } } @numbers] });
}


sub _answer ($self, $c, $code) {
    $c->render_later;

    my $run = sub {
        $self->_authorized($c) ? $code->() : $self->_error($c, 20003);
    };

    return $run->() unless $self->delay;

    Mojo::IOLoop->timer($self->delay / 1000 => $run);
}


sub _authorized ($self, $c) {
    my $userinfo = $c->req->url->to_abs->userinfo // '';

    return secure_compare($userinfo,
                          $self->account_sid . ':' . $self->auth_token);
}


sub _error ($self, $c, $code, $more = '') {
    my $status = $STATUS{$code} // 400;
    my $message = $MESSAGE{$code} . (length $more ? ": $more" : '');

    $c->res->headers->header('Retry-After' => 1) if $status == 429;

    $self->log->event(rest_error => { code => $code, status => $status,
                                      message => $message,
                                      path => $c->req->url->path->to_string },
                      "Twilio: $status, $code $message");

    $c->render(status => $status, json => {
        code => $code, message => $message, status => $status,
        more_info => "https://www.twilio.com/docs/errors/$code",
    });
}


# what comes instead of a good answer; true where it did

sub _faulty ($self, $c, $to) {
    my $magic = $MAGIC{$to // ''} // {};
    my $fault = $magic->{fault};

    if (!defined $fault && (my $wanted = $self->fault)) {
        $fault = $wanted->{name}
            if !defined $wanted->{times} || $wanted->{times}-- > 0;
    }

    return 0 unless defined $fault;

    if ($fault =~ /^\d+$/) {
        $self->_error($c, $fault);
        return 1;
    }

    $self->log->event(fault => { fault => $fault }, "Twilio: $fault");

    if ($fault eq 'garbage') {
        $c->render(status => 200, format => 'html',
                   text => '<html><body>Bad Gateway</body>');

    } elsif ($fault eq 'drop') {
        my $socket = Mojo::IOLoop->stream($c->tx->connection);
        $socket->close if $socket;
    }

    # and a timeout is no answer at all

    return 1;
}


sub _create ($self, $c) {
    my $form = $c->req->body_params;
    my %p = map { $_ => $form->param($_) } @{$form->names};

    return $self->_error($c, 20404)
        if $c->param('account') ne $self->account_sid;
    return if $self->_faulty($c, $p{To});

    my ($code, $more) = $self->_wrong_create($c, \%p);
    return $self->_error($c, $code, $more // '') if $code;

    my $call = $self->new_call->(
        account_sid => $self->account_sid, to => $p{To}, from => $p{From},
        direction => 'outbound-api', time_limit => $p{TimeLimit},
        outcome => ($MAGIC{$p{To}} // {})->{outcome},
        callback => length($p{StatusCallback} // '') ? {
            url => $p{StatusCallback},
            method => $p{StatusCallbackMethod} // 'POST',
            events => @{$form->every_param('StatusCallbackEvent')}
                      ? $form->every_param('StatusCallbackEvent')
                      : ['completed'],
        } : undef,
    );

    $self->calls->{$call->sid} = $call;

    $self->log->event(call_created => {
        call_sid => $call->sid, to => $p{To}, from => $p{From},
        twiml => $p{Twiml} // '', parameters => \%p,
    }, "Twilio: calls $p{To} for $p{From}");

    $c->res->headers->header('Twilio-Request-Id' =>
                             Voicebridge::Sim::Call::new_sid('RQ'));
    $c->render(status => 201, json => $self->resource($call));

    $call->dial($self->_verbs(\%p));
}


# what a request wants to have run; an URL wins, and what is wrong with TwiML
# shows when it is run

sub _verbs ($self, $p) {
    return [{ name => 'Redirect', children => [$p->{Url}],
              attributes => { method => $p->{Method} // 'POST' } }]
        if defined $p->{Url};

    my $verbs = eval { twiml(encode('UTF-8', $p->{Twiml}), 4000) };

    $self->log->warning(@{$@}) unless $verbs;

    return $verbs // [];
}


sub _wrong_create ($self, $c, $p) {
    my $e164 = qr/^\+[1-9][0-9]{1,14}$/;

    return (20422, 'no form')
        if ($c->req->headers->content_type // '')
           !~ m{^application/x-www-form-urlencoded\s*(?:;|$)}i;

    return 21201 unless length($p->{To} // '');
    return 21213 unless length($p->{From} // '');
    return 21211 if $p->{To} !~ $e164 || $p->{To} eq $p->{From};
    return 21212 if $p->{From} !~ $e164;
    return 21210 if @{$self->numbers}
                    && !grep { $_ eq $p->{From} } @{$self->numbers};

    return 21205 unless length($p->{Url} // $p->{Twiml} // '');
    return 21205 if defined $p->{Url} && !Mojo::URL->new($p->{Url})->host;
    return 32018 if length($p->{Twiml} // '') > 4000;

    return 21208
        if ($p->{Timeout} // 60) !~ /^\d+$/ || ($p->{Timeout} // 0) > 600;
    return (20422, 'TimeLimit')
        if defined $p->{TimeLimit} && $p->{TimeLimit} !~ /^[1-9]\d*$/;

    for my $method (qw( Method FallbackMethod StatusCallbackMethod )) {
        return (21209, $method)
            if ($p->{$method} // 'POST') !~ /^(?:GET|POST)$/;
    }

    my $events = $c->req->body_params->every_param('StatusCallbackEvent');

    for my $event (@$events) {
        return (20422, "StatusCallbackEvent $event")
            if $event !~ /^(?:initiated|ringing|answered|completed)$/;
    }

    return (20422, 'StatusCallback')
        if defined $p->{StatusCallback}
           && (!Mojo::URL->new($p->{StatusCallback})->host
               || Mojo::URL->new($p->{StatusCallback})->host =~ /_/);

    return;
}


# fetches a call, or changes it

sub _call ($self, $c) {
    my $call = $self->calls->{$c->param('sid')};

    return $self->_error($c, 20404)
        if !$call || $c->param('account') ne $self->account_sid;

    if ($c->req->method eq 'POST') {
        my ($code, $more) = $self->_update($call,
                                           $c->req->body_params->to_hash);
        return $self->_error($c, $code, $more // '') if $code;
    }

    $c->render(json => $self->resource($call));
}


sub _update ($self, $call, $p) {
    my $status = $p->{Status};

    $self->log->event(call_updated => { call_sid => $call->sid,
                                        parameters => $p },
                      'Twilio: the call is to be '
                      . (defined $status ? $status : 'redirected'));

    return 21220 if $call->is_over;

    if (defined $status) {
        return (20422, 'Status') if $status !~ /^(?:completed|canceled)$/;

        $call->end($status)
            if $status eq 'completed' || !$call->is_live;
        return;
    }

    return (20422, 'Url and Twiml')
        if defined $p->{Url} == defined $p->{Twiml};
    return 21220 unless $call->is_live;
    return 32018 if length($p->{Twiml} // '') > 4000;

    return 21205 if defined $p->{Url} && !Mojo::URL->new($p->{Url})->host;

    $call->redirect($self->_verbs($p));

    return;
}


# every scalar is a string, or null

sub resource ($self, $call) {
    my $sid = $call->sid;
    my $path = '/2010-04-01/Accounts/' . $self->account_sid . "/Calls/$sid";

    my $date = sub ($time) {
        return undef unless defined $time;
        return strftime('%a, %d %b %Y %H:%M:%S +0000', gmtime $time);
    };

    my $created = $date->($call->created);

    return {
        sid => $sid, account_sid => $self->account_sid,
        parent_call_sid => undef, api_version => '2010-04-01',
        to => $call->to, to_formatted => $call->to,
        from => $call->from, from_formatted => $call->from,
        phone_number_sid => undef, status => $call->status,
        direction => $call->direction,
        start_time => $date->($call->answered),
        end_time => $date->($call->ended),
        date_created => $created, date_updated => $created,
        duration => $call->is_over ? sprintf('%.0f', $call->duration) : undef,
        price => undef, price_unit => 'USD', answered_by => undef,
        forwarded_from => undef, caller_name => undef, group_sid => undef,
        trunk_sid => undef, queue_time => '0', annotation => undef,
        uri => "$path.json",
        subresource_uris => { streams => "$path/Streams.json" },
    };
}


# how the program was asked for trouble: NAME or NAME:TIMES

sub parse_fault ($text) {
    my ($name, $times) = $text =~ /^([a-z]+|\d{5})(?::(\d+))?$/;

    die "\"$text\" is no fault: 20003, 20429, another code of Twilio's, "
        . "garbage, timeout or drop, and :TIMES\n"
        unless defined $name
               && ($MESSAGE{$name} || $name =~ /^(?:garbage|timeout|drop)$/);

    return { name => $name, times => $times };
}


1;
