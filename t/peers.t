#!/usr/bin/perl

# The peers that other tests stand on, talking to each other.

use strict;
use warnings;

use IO::Select ();
use IO::Socket::IP ();
use Test::More;
use Time::HiRes qw( time );

use Voicebridge::Agent ();
use Voicebridge::Certificates qw( certificate );
use Voicebridge::Phone ();
use Voicebridge::Twilio ();
use Voicebridge::WebSocket qw( frame mask );

# a call that fails must fail soon here
$Voicebridge::WebSocket::Timeout = 2 * ($ENV{VOICEBRIDGE_TIME_FACTOR} || 1);


# frames as in RFC 6455, 5.7

is frame(1, 'Hello'), "\x81\x05Hello", 'a text frame';
is frame(1, 'Hello', mask => "\x37\xfa\x21\x3d"),
   "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 'a masked one';
is frame(2, 'x' x 256), "\x82\x7e\x01\x00" . 'x' x 256, 'of 256 bytes';
is frame(2, 'x' x 65536), "\x82\x7f\0\0\0\0\0\1\0\0" . 'x' x 65536,
   'of 64 KiB';
is frame(9, 'a', form => 64, fin => 0, rsv => 4),
   "\x49\x7f\0\0\0\0\0\0\0\1a", 'one that is wrong on purpose';
is mask(mask('some bytes', 'abcd'), 'abcd'), 'some bytes',
   'unmasking is masking again';


# Twilio's own example

is Voicebridge::Phone::signature('12345',
       'https://mycompany.com/myapp.php?foo=1&bar=2',
       CallSid => 'CA1234567890ABCDE', Caller => '+14158675309',
       Digits => '1234', From => '+14158675309', To => '+18005551212'),
   'RSOYDt4T1cUTdK1PDd93/VVr8B8=', 'a signature';


# a conversation in which nothing is wrong

{
    my $agent = Voicebridge::Agent->start(script => sub {
        my $socket = shift->socket;

        $socket->expect_initiation;
        $socket->metadata(output => 'ulaw_8000', id => 'conv_1');
        $socket->note(event => 'heard', audio => $socket->recv_audio(320),
                      chunks => $socket->{chunks},
                      others => $socket->{others});
        $socket->send_ping('are you there');
        $socket->audio('abc', 7);
        $socket->recv_close;
    });

    my $caller = caller_of($agent)->connect;

    $caller->send_json({ type => 'conversation_initiation_client_data' });

    is received($caller)->{conversation_initiation_metadata_event}
           {agent_output_audio_format}, 'ulaw_8000', 'metadata';

    $caller->send_json({ user_audio_chunk => 'YWFh' x 40 });
    $caller->send_json({ type => 'pong', event_id => 1 });
    $caller->send_fragments('{"user_audio_chunk":"' . 'YmJi' x 70 . '"}', 7,
                            between => $caller->frame_bytes(9, 'now'));

    my $audio = received($caller);

    is_deeply $audio->{audio_event}, { audio_base_64 => 'YWJj',
                                       event_id => 7 }, 'audio';

    is scalar(grep { $_->{opcode} == 9 } @{$caller->{messages}}), 1,
       'a ping came before it';

    $caller->send_close(1000, 'bye');
    is_deeply [ $caller->recv_close ], [ 1000, '' ], 'the close is answered';
    ok $caller->recv_eof, 'and the connection ended';

    is $agent->event('initiation')->{message}{type},
       'conversation_initiation_client_data', 'the agent saw the initiation';

    my $heard = $agent->event('heard');

    is $heard->{audio}, 'a' x 120 . 'b' x 200, 'the agent heard the caller';
    is_deeply $heard->{others}, [ { type => 'pong', event_id => 1 } ],
       'and what came between';

    is_deeply [ map { $_->{event} } $agent->finish ],
       [ qw( request open initiation heard close done ) ],
       'every event, in its order';
}


# of two that connect, the first asks last: no one is forgotten

{
    my $agent = Voicebridge::Agent->start(script => sub {
        my $agent = shift;
        my $answered = 0;

        while ($answered < 2) {
            my @ready = IO::Select->new($agent->waiting)->can_read;
            my $caller = $agent->arrived or next;

            $caller->open_socket;
            $answered++;
        }
    });

    my ($late, $early) = map { caller_of($agent)->open } 1 .. 2;

    is $early->handshake, 101, 'who asks first';
    is $late->handshake, 101, 'and who connected before';

    $agent->finish;
}


# handshakes with something wrong

{
    my $agent = Voicebridge::Agent->start(script => sub {
        my $agent = shift;

        $agent->socket(status => 403);
        $agent->socket(accept => 'nonsense');
        $agent->socket(headers => { Upgrade => undef });
        $agent->socket(pieces => [ 1 ], glue => frame(1, '{"n":1}'));
        $agent->socket(glue => frame(1, '{"n":2}') . frame(8, "\3\xf0gone"));
        $agent->socket->reset;
        $agent->request->recv_eof(3 * $Voicebridge::WebSocket::Timeout);
    });

    is caller_of($agent)->handshake, 403, 'a handshake refused';
    like error(sub { caller_of($agent)->connect }), qr/Accept is nonsense/,
         'a wrong Sec-WebSocket-Accept';

    my $caller = caller_of($agent);
    $caller->handshake;
    ok !exists $caller->{headers}{upgrade}, 'an answer without Upgrade';

    $caller = caller_of($agent)->connect;
    is received($caller)->{n}, 1, 'one byte at a time';

    $caller = caller_of($agent)->connect;
    is received($caller)->{n}, 2, 'a message in the same segment as the 101';
    like error(sub { received($caller) }), qr/^close 1008 "gone" instead/,
         'and a close frame';

    $caller = caller_of($agent)->connect;
    ok !defined $caller->recv_message, 'a reset';
    ok $caller->{was_reset}, 'seen as such';

    $caller = caller_of($agent);

    my $before = time();
    like error(sub { $caller->handshake }), qr/^timed out waiting for a header/,
         'no answer at all';
    cmp_ok time() - $before, '>=', $Voicebridge::WebSocket::Timeout - 0.1,
           'is waited for';
    $caller->disconnect;

    ok $agent->finish, 'the agent got to its end';
}


# a peer that breaks the protocol is noticed

for ([ 'no mask', sub { frame(1, '{}') }, qr/is not masked/ ],
     [ 'reserved bits', sub { frame(1, '{}', mask => 'abcd', rsv => 4) },
       qr/reserved bits/ ],
     [ 'a long way to write a length',
       sub { frame(1, '{}', mask => 'abcd', form => 16) }, qr/shortest form/ ],
     [ 'a fragmented ping',
       sub { frame(9, '', mask => 'abcd', fin => 0) }, qr/is fragmented/ ],
     [ 'a reserved opcode', sub { frame(3, '', mask => 'abcd') },
       qr/opcode 3 is reserved/ ],
     [ 'bytes that are no UTF-8', sub { frame(1, "\xc0\x80", mask => 'abcd') },
       qr/not UTF-8/ ],
     [ 'half a frame', sub { substr frame(1, '{}', mask => 'abcd'), 0, 7 },
       qr/ended inside a frame/ ])
{
    my ($name, $bytes, $error) = @$_;

    my $agent = Voicebridge::Agent->start(script => sub {
        shift->socket->recv_message;
    });

    my $caller = caller_of($agent)->connect;

    $caller->send_bytes($bytes->());
    $caller->disconnect;

    like error(sub { $agent->finish }), $error, $name;
}


# TLS

{
    my $script = sub {
        my $socket = shift->socket;
        $socket->metadata;
        $socket->recv_close;
    };

    my $agent = Voicebridge::Agent->start(script => $script, tls => 'good');
    my $caller = caller_of($agent, tls => certificate('good'))->connect;

    is received($caller)->{type}, 'conversation_initiation_metadata',
       'a message over TLS';

    $caller->send_close(1000);
    $caller->recv_close;
    $caller->disconnect;

    is $agent->event('tls')->{name}, 'localhost', 'with the name asked for';
    $agent->finish;

    for my $bad (qw( wrong-host expired self-signed )) {
        $agent = Voicebridge::Agent->start(script => $script, tls => $bad);

        like error(sub {
            caller_of($agent, tls => certificate('good'))->connect
        }), qr/^TLS: /, "a certificate that is not accepted: $bad";

        ok $agent->event('tls_failed'), 'which the agent sees';
    }
}


# many calls at a time; signed URLs

{
    my $agent = Voicebridge::Agent->start(each => 1, script => sub {
        my $socket = shift;

        return $socket->answer_signed_url && 0
            if $socket->{request}{path} eq Voicebridge::Agent::SIGNED_URL;

        $socket->upgrade;
        $socket->send_text($socket->recv_json->{n});
        $socket->recv_close;
    });

    my $rest = Voicebridge::Twilio->start;
    my $url = http($agent, "GET /v1/convai/conversation/get-signed-url"
                           . "?agent_id=a%20b HTTP/1.1\r\nHost: a\r\n"
                           . "xi-api-key: k\r\n\r\n");

    like $url, qr{"signed_url":"ws://127\.0\.0\.1:\d+/v1/convai/conversation\?},
         'a signed URL';

    my $request = $agent->event('request');

    is $request->{query}{agent_id}, 'a b', 'for the agent asked for';
    is $request->{headers}{'xi-api-key'}, 'k', 'with the key';

    my @callers = map { caller_of($agent)->connect } 1 .. 10;

    # the last one first
    for my $n (reverse 0 .. $#callers) {
        $callers[$n]->send_json({ n => $n });
        is $callers[$n]->recv_message->{payload}, $n, "call $n of many";
        $callers[$n]->send_close(1000);
    }
}


# a Twilio that takes its time

{
    my $twilio = Voicebridge::Twilio->start(answer => sub {
        my $to = shift->{form}{To};

        return { close => 1 } if $to eq 'close';
        return { never => 1 } if $to eq 'never';
        return { status => 429, headers => { 'Retry-After' => 3 },
                 body => { code => 20429 } } if $to eq '429';
        return { delay => 1 };
    });

    my $before = time();
    my @calls = map { post($twilio, "+1500555000$_") } 0 .. 9;

    like $_->recv_head, qr{^HTTP/1.1 201 }, 'a late answer' for @calls;

    cmp_ok time() - $before, '<', 5, 'ten of them wait at the same time';

    my $form = $twilio->event('request');

    is $form->{form}{To}, '+15005550000', 'the form';
    is $form->{form}{Twiml}, '<Response/> &', 'decoded';
    is_deeply $form->{form}{StatusCallbackEvent}, [ 'ringing', 'answered' ],
              'a name that comes twice';
    is "$form->{user}:$form->{password}", 'AC1:secret', 'who asked';

    like post($twilio, '429')->recv_head,
         qr{^HTTP/1.1 429 Too Many Requests\r\n.*Retry-After: 3\r\n}s,
         'another answer';

    my $closed = post($twilio, 'close');
    ok !defined $closed->recv_head, 'a connection closed without one';

    my $never = post($twilio, 'never');
    is $twilio->event(sub { $_->{form}{To} eq 'never' })->{path},
       '/2010-04-01/Accounts/AC1/Calls.json', 'a request';
    like error(sub { $never->recv_head(0.2) }), qr/^timed out/,
         'and no answer';
}


# what is expected in vain is an error that says what came instead

{
    my $agent = Voicebridge::Agent->start(script => sub {
        shift->note(event => 'something');
    });

    like error(sub { $agent->event('else') }),
         qr/no "else", but something, done/, 'an event that never comes';
}


done_testing();


# a client of the agent's; the phone's messages are not used

sub caller_of {
    my ($agent, %o) = @_;

    return Voicebridge::Phone->new(
        port => $agent->port, path => Voicebridge::Agent::SOCKET, %o);
}


sub received { return Voicebridge::WebSocket::recv_json(shift) }


sub error {
    my $code = shift;

    return eval { $code->(); 1 } ? 'no error' : $@;
}


sub client {
    my $peer = shift;

    return Voicebridge::WebSocket->new(sock => IO::Socket::IP->new(
        PeerHost => '127.0.0.1', PeerPort => $peer->port));
}


sub http {
    my ($peer, $request) = @_;

    my $client = client($peer)->send_bytes($request);
    my ($length) = $client->recv_head =~ /Content-Length: (\d+)/;

    return $client->recv_bytes($length);
}


sub post {
    my ($peer, $to) = @_;

    my $form = "To=$to&From=%2B1&Twiml=%3CResponse/%3E+%26"
               . '&StatusCallbackEvent=ringing&StatusCallbackEvent=answered';
    $form =~ s/\+1/%2B1/;

    return client($peer)->send_bytes(
        "POST /2010-04-01/Accounts/AC1/Calls.json HTTP/1.1\r\n"
        . "Host: api\r\nAuthorization: Basic QUMxOnNlY3JldA==\r\n"
        . "Content-Type: application/x-www-form-urlencoded\r\n"
        . 'Content-Length: ' . length($form) . "\r\n\r\n$form");
}
