# TLS records that come in part: what is behind them does not stand still until
# something else comes.  Several that come at a time leave as one.

use strict;
use warnings;

use Voicebridge::Test;
use Voicebridge::Certificates qw( certificate );
use Voicebridge::HTTP qw( http );
use Voicebridge::WebSocket ();

run_tests();


# bytes of the record that come first: a part of its header, its header, and
# something of what is in it

sub cuts { return (3, 5, 12) }


# At one end of a leg: a whole record and a part of the next; once the worker
# has taken them $pause returns; then its rest and one more, as one segment.

sub burst {
    my ($socket, $cut, $pause) = @_;

    my ($first, $second, $third) = $socket->tls_records(
        map { my $word = $_; sub { $_[0]->send_ping($word) } }
            qw( first second third ));

    $socket->send_raw($first . substr $second, 0, $cut);
    pong($socket, 'first');
    $pause->();
    $socket->send_raw(substr($second, $cut) . $third);
    pong($socket, $_) for qw( second third );
}

sub pong {
    my ($socket, $word) = @_;

    while (my $message = $socket->recv_message) {
        next unless $message->{opcode} == Voicebridge::WebSocket::PONG;

        return if $message->{payload} eq $word;
        die "the pong \"$message->{payload}\" instead of \"$word\"\n";
    }

    die "the connection ended instead of the pong \"$word\"\n";
}

# by then the only worker has done all that came before

sub round { http(GET => '/round') }

__DATA__

=== of the phone's
--- config
    listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
    ssl_certificate      $TEST_NGINX_CERTIFICATES/good.crt;
    ssl_certificate_key  $TEST_NGINX_CERTIFICATES/good.key;

    $TEST_NGINX_VOICEBRIDGE

    location = /round { return 204; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->recv_close;
--- test
    my $phone = phone(port => $ENV{TEST_NGINX_TLS_PORT},
                      tls => { ca => certificate('good')->{ca} });

    $phone->connect->start(parameters => { agent_id => 'agent_1' });
    agent()->event('initiation');

    for my $cut (cuts()) {
        burst($phone, $cut, \&round);
        pass("cut behind $cut bytes");
    }

    $phone->stop;
    is(($phone->recv_close)[0], 1000, 'the call ends');
--- no_error_log
[error]



=== several at a time
--- config
    listen 127.0.0.1:$TEST_NGINX_TLS_PORT ssl;
    ssl_certificate      $TEST_NGINX_CERTIFICATES/good.crt;
    ssl_certificate_key  $TEST_NGINX_CERTIFICATES/good.key;

    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->recv_close;
--- test
    my $phone = phone(port => $ENV{TEST_NGINX_TLS_PORT},
                      tls => { ca => certificate('good')->{ca} });

    $phone->connect->start(parameters => { agent_id => 'agent_1' });
    agent()->event('initiation');

    $phone->send_raw(join '', $phone->tls_records(
        map { my $word = $_; sub { $_[0]->send_ping($word) } }
            qw( first second third )));

    # a read brings one record

    pong($phone, 'first');
    is(length $phone->{in}, length "..second..third", 'one record of pongs');
    pong($phone, $_) for qw( second third );

    $phone->stop;
    is(($phone->recv_close)[0], 1000, 'the call ends');
--- no_error_log
[error]



=== of the agent's
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;

    location = /round { return 204; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }
--- agent_options
    tls => 'good'
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');

    for my $cut (cuts()) {
        burst($socket, $cut, sub {
            $socket->note(event => 'first');
            $socket->await_cue;
        });
        $socket->note(event => 'last');
    }

    $socket->recv_close;
--- test
    my $phone = phone()->connect->start(parameters => { agent_id => 'a' });

    for my $cut (cuts()) {
        agent()->event('first');
        round();
        agent()->cue;
        agent()->event('last');
        pass("cut behind $cut bytes");
    }

    $phone->stop;
    is(($phone->recv_close)[0], 1000, 'the call ends');
--- no_error_log
[error]
