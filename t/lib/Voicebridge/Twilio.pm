package Voicebridge::Twilio;

# Twilio's REST API for tests, in a process of its own: it answers requests,
# as many at a time as come and as late as it is told to, and reports each as
# an event "request" with method, path, form (or body), headers, user and
# password.
#
#     my $twilio = Voicebridge::Twilio->start(
#         answer => sub {
#             my $request = shift;                 # in the peer's process
#             return { status => 400, delay => 0.5,
#                      body => { code => 21211, message => '...' } };
#         });
#
#     voicebridge_twilio_api_url  $twilio->url;    # in the configuration
#
#     is $twilio->event('request')->{form}{To}, '+15005550009';
#
# Of an answer anything may be left out; without one a call is created as
# Twilio does.  raw => bytes is sent as it is, close => 1 closes the
# connection after it, without an answer if there is nothing else; never => 1
# answers not at all; cue => 1 waits for cue(), each of them for one.

use strict;
use warnings;

use parent 'Voicebridge::Peer';

use IO::Select ();
use MIME::Base64 qw( decode_base64 );
use Time::HiRes qw( time );

my $calls = 0;


# one process for all connections: what is late waits here, not the peer

sub serve {
    my $self = shift;

    my $select = IO::Select->new($self->{lifeline}, $self->{cues},
                                 @{$self->{listeners}});
    my (%connections, @late);
    my $cues = 0;

    while (1) {
        while ($cues) {
            my ($next) = grep { !defined $_->{due} } @late or last;

            $next->{due} = 0;
            $cues--;
        }

        @late = sort { ($a->{due} // 'inf') <=> ($b->{due} // 'inf') } @late;

        my $left = @late && defined $late[0]{due} ? $late[0]{due} - time()
                                                  : undef;

        for my $ready ($select->can_read(defined $left && $left < 0
                                         ? 0 : $left))
        {
            return if $ready == $self->{lifeline};

            if ($ready == $self->{cues}) {
                $cues += sysread($ready, my $given, 1024) || return;
                next;
            }

            if (!$connections{$ready}) {
                my $sock = $ready->accept or next;
                my $connection = $self->connection($sock) or next;

                $sock = $connection->sock;
                $connections{$sock} = $connection;
                $select->add($sock);

                # TLS may have read more than it gave
                next unless $self->tls && $sock->pending;
                $ready = $sock;
            }

            my $connection = $connections{$ready};
            my $request = eval { $connection->recv_request };

            if (!$request) {
                $self->note(event => 'error', error => "$@") if $@;

                $select->remove($ready);
                delete $connections{$ready};
                @late = grep { $_->{connection} != $connection } @late;
                close $ready;
                next;
            }

            push @late, $self->take($connection, $request);
        }

        while (@late && defined $late[0]{due} && $late[0]{due} <= time()) {
            my $answer = shift @late;
            my $sock = $answer->{connection}->sock;

            # who asked may have gone
            eval { $answer->{connection}->send_bytes($answer->{bytes}) };

            if ($answer->{close}) {
                $select->remove($sock);
                delete $connections{$sock};
                close $sock;
            }
        }
    }
}


# the answer to a request, to be sent when it is due

sub take {
    my ($self, $connection, $request) = @_;

    my ($user, $password) =
        ($request->{headers}{authorization} // '') =~ /^Basic (\S+)$/
        ? split(/:/, decode_base64($1), 2) : ();

    $self->note(event => 'request', user => $user, password => $password,
                (defined $request->{form} ? () : (body => $request->{body})),
                map { $_ => $request->{$_} }
                    qw( method target path query headers form ));

    my $answer = ($self->{answer} ? $self->{answer}->($request) : undef) // {};

    return if $answer->{never};

    my $bytes = $answer->{raw} // ($answer->{close} && !$answer->{status}
                                   && !$answer->{body}
                ? '' : response($request, $answer));

    return {
        connection => $connection,
        due        => $answer->{cue} ? undef
                                     : time() + ($answer->{delay} // 0),
        bytes      => $bytes,
        close      => $answer->{close},
    };
}


sub response {
    my ($request, $answer) = @_;

    my $form = $request->{form} // {};
    my ($account, $call) =
        $request->{path}
            =~ m{^/2010-04-01/Accounts/([^/]+)/Calls(?:/([^/]+))?\.json$};

    my $status = $answer->{status}
                 // (!defined $account ? 404 : defined $call ? 200 : 201);

    my $body = $answer->{body} // (
        $status < 400
        ? {
              sid         => $call // sprintf('CA%032x', ++$calls + $$ * 1e6),
              account_sid => $account,
              to          => $form->{To},
              from        => $form->{From},
              status      => defined $call ? 'completed' : 'queued',
              direction   => 'outbound-api',
              duration    => undef,
              queue_time  => '0',
          }
        : {
              code      => 20404,
              message   => 'The requested resource was not found',
              more_info => 'https://www.twilio.com/docs/errors/20404',
              status    => $status,
          });

    return Voicebridge::Connection::response_bytes(
        $status, $body, %{$answer->{headers} // {}});
}


1;
