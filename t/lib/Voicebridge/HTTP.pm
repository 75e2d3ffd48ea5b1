package Voicebridge::HTTP;

# An HTTP/1.1 client on a raw socket, for tests that Test::Nginx's request
# section is too small for: several requests at a time, bodies in pieces,
# clients that leave.
#
#     my $answer = http(POST => '/twilio/outbound-call',
#                       headers => { 'X-API-Key' => $key }, json => {...});
#     is $answer->{status}, 400;
#     is $answer->{json}{detail}, '...';
#
#     my $client = Voicebridge::HTTP->connect;
#     $client->send_request(POST => '/twilio/call-status', form => [...],
#                           token => $auth_token);      # signed as Twilio does
#     my $answer = $client->response;
#
# Options of a request: headers; body, json (a value) or form (a list of names
# and values); chunked => size of the chunks; pieces => sizes of what is sent
# at a time; head_only => 1 leaves the body out; token, url => what the form
# is signed with, and for which URL if it is not the server's own.

use strict;
use warnings;

use parent 'Voicebridge::WebSocket';

use Exporter qw( import );
use IO::Socket::IP ();
use Test::Nginx::Util ();
use Voicebridge::Phone ();
use Voicebridge::WebSocket qw( json );

our @EXPORT_OK = qw( base http );

# is given the path and the answer of every request
our $Look = sub { };


# the server under test

sub base { return 'http://127.0.0.1:' . Test::Nginx::Util::server_port() }


sub http {
    my ($method, $path, %o) = @_;

    my $client = __PACKAGE__->connect;

    $client->send_request($method, $path, %o, close => 1);

    return $client->response;
}


sub connect {
    my ($class, %o) = @_;

    my $port = $o{port} // Test::Nginx::Util::server_port();

    my $sock = IO::Socket::IP->new(
        PeerHost => '127.0.0.1',
        PeerPort => $port,
        Timeout  => $Voicebridge::WebSocket::Timeout,
    ) or die "cannot connect to port $port: $@\n";

    return $class->new(sock => $sock, %o);
}


sub send_request {
    my ($self, @request) = @_;

    my ($bytes, %o) = request_bytes(@request);

    push @{$self->{methods}}, $request[0];
    push @{$self->{paths}}, $request[1];

    return $self->send_in_pieces($bytes, @{$o{pieces}}) if $o{pieces};
    return $self->send_bytes($bytes);
}


sub request_bytes {
    my ($method, $path, %o) = @_;

    my %headers = ('Host' => base() =~ s{^http://}{}r, %{$o{headers} // {}});
    my $body = $o{body};

    if ($o{json}) {
        $body = json()->encode($o{json});
        $headers{'Content-Type'} //= 'application/json';
    }

    if ($o{form}) {
        $body = form_bytes(@{$o{form}});
        $headers{'Content-Type'} //= 'application/x-www-form-urlencoded';
    }

    if (defined $o{token}) {
        $headers{'X-Twilio-Signature'} //= Voicebridge::Phone::signature(
            $o{token}, $o{url} // base() . $path, @{$o{form} // []});
    }

    if (defined $body) {
        if ($o{chunked}) {
            $headers{'Transfer-Encoding'} = 'chunked';
            $body = join '', map({ sprintf "%x\r\n%s\r\n", length, $_ }
                                 unpack "(a$o{chunked})*", $body),
                             "0\r\n\r\n";
        } else {
            $headers{'Content-Length'} //= length $body;
        }
    }

    $headers{Connection} //= 'close' if $o{close};

    return "$method $path HTTP/1.1\r\n"
           . join('', map { "$_: $headers{$_}\r\n" } sort keys %headers)
           . "\r\n" . ($o{head_only} ? '' : $body // ''), %o;
}


sub form_bytes {
    my @fields;

    while (my ($name, $value) = splice @_, 0, 2) {
        push @fields, join '=', map { s/([^A-Za-z0-9_.-])/
                                       sprintf '%%%02X', ord $1/ger }
                                    $name, $value;
    }

    return join '&', @fields;
}


# { status, headers (names in lower case), body, json where it is JSON }; undef
# where the connection ended instead

sub response {
    my ($self, $timeout) = @_;

    my $head = $self->recv_head($timeout) // return undef;

    my ($status, @lines) = split /\r\n/, $head;

    my %answer = (head => $head, body => '');

    ($answer{status}) = $status =~ m{^HTTP/1\.1 (\d{3}) }
        or die "not a response: $head\n";

    for (@lines) {
        my ($name, $value) = /^([^:]+):\s*(.*)$/ or die "not a header: $_\n";

        die "two headers $name\n" if exists $answer{headers}{lc $name};
        $answer{headers}{lc $name} = $value;
    }

    my $length = $answer{headers}{'content-length'};

    # a HEAD is answered with the length alone
    $answer{body} = $self->recv_bytes($length, $timeout)
        if $length && (shift @{$self->{methods}}) ne 'HEAD';

    $answer{json} = json()->decode($answer{body})
        if ($answer{headers}{'content-type'} // '') =~ m{^application/json}
           && length $answer{body};

    $Look->(shift @{$self->{paths}} // '', \%answer);

    return \%answer;
}


1;
