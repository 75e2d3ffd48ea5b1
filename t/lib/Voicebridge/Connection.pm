package Voicebridge::Connection;

# What a peer accepts: HTTP/1.1 requests and, where one asks for it, a
# WebSocket from then on.

use strict;
use warnings;

use parent 'Voicebridge::WebSocket';

use Voicebridge::WebSocket qw( accept_key json );

our %reason = (
    101 => 'Switching Protocols', 200 => 'OK', 201 => 'Created',
    204 => 'No Content', 400 => 'Bad Request', 401 => 'Unauthorized',
    403 => 'Forbidden', 404 => 'Not Found', 422 => 'Unprocessable Entity',
    429 => 'Too Many Requests', 500 => 'Internal Server Error',
    503 => 'Service Unavailable',
);


# The next request: { method, target, path, query, headers, body, form };
# names of headers in lower case, query and form decoded.  undef at the end.

sub recv_request {
    my ($self, $timeout) = @_;

    my $head = $self->recv_head($timeout) // return undef;

    my $request = parse_head($head)
        or die "not a request: $head\n";

    my $length = $request->{headers}{'content-length'};

    $request->{body} = $length ? $self->recv_bytes($length, $timeout) : '';

    $request->{form} = parse_form($request->{body})
        if ($request->{headers}{'content-type'} // '')
               =~ m{^application/x-www-form-urlencoded};

    $self->{request} = $request;

    return $request;
}


sub parse_head {
    my ($line, @lines) = split /\r\n/, shift;

    my ($method, $target) = $line =~ m{^([A-Z]+) (\S+) HTTP/1\.1$}
        or return undef;

    my %headers;

    for (@lines) {
        my ($name, $value) = /^([^\s:]+):[ \t]*(.*?)[ \t]*$/ or return undef;

        $name = lc $name;
        $headers{$name} = defined $headers{$name}
                          ? "$headers{$name}, $value" : $value;
    }

    my ($path, $query) = split /\?/, $target, 2;

    return {
        method  => $method,
        target  => $target,
        path    => $path,
        query   => parse_form($query // ''),
        headers => \%headers,
    };
}


# name => value, or => [ values ] where a name comes more than once

sub parse_form {
    my %form;

    for (split /&/, shift) {
        my ($name, $value) =
            map { tr/+/ /r =~ s/%([0-9a-fA-F]{2})/chr hex $1/ger }
                split(/=/, $_, 2), '';

        if (!exists $form{$name}) {
            $form{$name} = $value;
        } elsif (ref $form{$name}) {
            push @{$form{$name}}, $value;
        } else {
            $form{$name} = [ $form{$name}, $value ];
        }
    }

    return \%form;
}


# body: text, or a reference that becomes JSON

sub response_bytes {
    my ($status, $body, %headers) = @_;

    if (ref $body) {
        $body = json()->encode($body);
        $headers{'Content-Type'} //= 'application/json';
    }

    $body //= '';
    $headers{'Content-Length'} //= length $body if $status >= 200
                                                   && $status != 204;

    return "HTTP/1.1 $status " . ($reason{$status} // 'Whatever') . "\r\n"
           . join('', map { "$_: $headers{$_}\r\n" } sort keys %headers)
           . "\r\n" . $body;
}

sub respond {
    my ($self, @response) = @_;
    return $self->send_bytes(response_bytes(@response));
}


# Answers the request for a WebSocket that was read last.  What may be wrong
# on purpose: accept (the header's value), status, headers (added; undef
# leaves one out); glue: bytes in the same segment as the answer; pieces:
# sizes, the answer is sent in such pieces.

sub upgrade {
    my ($self, %o) = @_;

    my $headers = $self->{request}{headers};

    die "not a WebSocket handshake: $self->{request}{method}"
        . " $self->{request}{target}\n"
        unless $self->{request}{method} eq 'GET'
               && lc($headers->{upgrade} // '') eq 'websocket'
               && ($headers->{connection} // '') =~ /\bupgrade\b/i
               && ($headers->{'sec-websocket-version'} // '') eq '13'
               && ($headers->{'sec-websocket-key'} // '')
                      =~ m{^[A-Za-z0-9+/]{21}[AQgw]==$};

    my %answer = (
        'Upgrade'    => 'websocket',
        'Connection' => 'Upgrade',
        'Sec-WebSocket-Accept' =>
            $o{accept} // accept_key($headers->{'sec-websocket-key'}),
        %{$o{headers} // {}},
    );

    delete @answer{grep { !defined $answer{$_} } keys %answer};

    my $bytes = response_bytes($o{status} // 101, '', %answer)
                . ($o{glue} // '');

    return $self->send_in_pieces($bytes, @{$o{pieces}}) if $o{pieces};
    return $self->send_bytes($bytes);
}


sub note {
    my ($self, %event) = @_;
    $self->{peer}->note(%event);
}

sub await_cue { my $self = shift; return $self->{peer}->await_cue(@_) }


1;
