# RFC 6455 on both sides of a call: what is forbidden is answered with the
# right status, in the categories of the Autobahn test suite, and what is
# allowed is understood in all its forms.

use Voicebridge::Test;
use Voicebridge::WebSocket qw( json );

use constant {
    CONTINUATION => 0, TEXT => 1, BINARY => 2, CLOSE => 8, PING => 9,
    PONG => 10,
    LIMIT => 131_072,
};

# a message that means nothing to either side, of any length

sub message {
    my $text = '{"event":"new","type":"new"}';
    my $size = shift // length $text;

    return $text . ' ' x ($size - length $text);
}

sub frames {
    my @frames = @_;

    return sub { my $end = shift; $end->send_frame(@$_) for @frames };
}

# the frames as they are, in pieces of $size bytes
sub in_pieces {
    my ($size, @frames) = @_;

    return sub {
        my $end = shift;

        $end->send_in_pieces(join('', map { $end->frame_bytes(@$_) } @frames),
                             $size);
    };
}

# the first bytes of a frame that never ends
sub beginning {
    my ($n, @frame) = @_;

    return sub {
        my $end = shift;
        $end->send_bytes(substr $end->frame_bytes(@frame), 0, $n);
    };
}

sub closing { return frames([ CLOSE, pack('n', $_[0]) . ($_[1] // '') ]) }


# Each is a name, what one side sends, and the status of the Close it is
# answered with; undef: the connection goes on.

our @cases = (

    # 1 framing

    (map { [ "1 a message of $_ bytes", frames([ TEXT, message($_) ]) ] }
         28, 125, 126, 127, 128, 65_535, 65_536, 65_537, LIMIT),

    (map { [ "1 in pieces of $_ bytes",
             in_pieces($_, ([ TEXT, message(200) ]) x 3) ] } 1, 2, 3, 7, 100),

    [ '1 a mask where there must be none, or none where there must be one',
      sub {
          my $end = shift;
          $end->send_frame(TEXT, message(),
                           mask => $end->{client} ? undef : 'mask');
      }, 1002 ],
    [ '1 the same on a ping',
      sub {
          my $end = shift;
          $end->send_frame(PING, '', mask => $end->{client} ? undef : 'mask');
      }, 1002 ],

    [ '1 a length of 125 in 16 bits', frames([ TEXT, message(125),
                                               form => 16 ]), 1002 ],
    [ '1 a length of 0 in 16 bits', frames([ TEXT, '', form => 16 ]), 1002 ],
    [ '1 a length of 125 in 64 bits', frames([ TEXT, message(125),
                                               form => 64 ]), 1002 ],
    [ '1 a length of 65535 in 64 bits', frames([ TEXT, message(65_535),
                                                 form => 64 ]), 1002 ],
    [ '1 a length of 2^63', frames([ TEXT, message(),
                                     length => 1 << 63 ]), 1002 ],

    # 2 pings and pongs

    [ '2 pings', frames([ PING, '' ], [ PING, "\0\xff\xfe" ],
                        [ PING, 'p' x 125 ]), undef,
      '', "\0\xff\xfe", 'p' x 125 ],
    [ '2 ten pings at once', in_pieces(1000, map { [ PING, $_ ] } 'a' .. 'j'),
      undef, 'a' .. 'j' ],
    [ '2 a ping byte by byte', in_pieces(1, [ PING, 'slow' ]), undef, 'slow' ],
    [ '2 a ping of 126 bytes', frames([ PING, 'p' x 126 ]), 1002 ],
    [ '2 pongs nobody asked for', frames([ PONG, '' ], [ PONG, 'x' x 125 ]) ],
    [ '2 a pong of 126 bytes', frames([ PONG, 'p' x 126 ]), 1002 ],

    # 3 reserved bits

    (map { ([ "3 reserved bits $_", frames([ TEXT, message(), rsv => $_ ]),
              1002 ],
            [ "3 reserved bits $_ of a ping", frames([ PING, '', rsv => $_ ]),
              1002 ]) } 1, 2, 4, 7),
    [ '3 a reserved bit after a good message',
      frames([ TEXT, message() ], [ PING, 'one' ],
             [ TEXT, message(), rsv => 4 ]), 1002 ],

    # 4 opcodes

    (map { ([ "4 opcode $_", frames([ $_, '' ]), 1002 ],
            [ "4 opcode $_, whose payload is still to come",
              beginning(3, $_, 'x' x 100), 1002 ]) } 3, 7, 11, 15),
    (map { [ "4 opcode $_", frames([ $_, 'x' ]), 1002 ] }
         4, 5, 6, 12, 13, 14),

    # 5 fragmentation

    (map { my $n = $_;
           [ "5 $n fragments", sub {
                 $_[0]->send_fragments(message(200), 200 / $n) } ] }
         1, 2, 8, 200),
    [ '5 an empty first fragment', frames([ TEXT, '', fin => 0 ],
                                          [ CONTINUATION, message() ]) ],
    [ '5 empty fragments', frames([ TEXT, '', fin => 0 ],
                                  ([ CONTINUATION, '', fin => 0 ]) x 3,
                                  [ CONTINUATION, message(), fin => 0 ],
                                  [ CONTINUATION, '' ]) ],
    [ '5 control frames between fragments', sub {
          my $end = shift;
          $end->send_fragments(message(40), 10, between =>
              $end->frame_bytes(PING, 'between')
              . $end->frame_bytes(PONG, 'nothing'));
      }, undef, ('between') x 3 ],
    [ '5 the same byte by byte',
      in_pieces(1, [ TEXT, substr(message(), 0, 9), fin => 0 ], [ PING, 'a' ],
                [ CONTINUATION, substr(message(), 9, 9), fin => 0 ],
                [ PING, 'b' ], [ CONTINUATION, substr message(), 18 ]),
      undef, 'a', 'b' ],
    [ '5 a fragmented ping', frames([ PING, 'x', fin => 0 ],
                                    [ CONTINUATION, 'y' ]), 1002 ],
    [ '5 a fragmented pong', frames([ PONG, 'x', fin => 0 ]), 1002 ],
    [ '5 a fragmented close', frames([ CLOSE, '', fin => 0 ]), 1002 ],
    [ '5 a continuation of nothing', frames([ CONTINUATION, 'x' ]), 1002 ],
    [ '5 one that is not the last', frames([ CONTINUATION, 'x', fin => 0 ]),
      1002 ],
    [ '5 a continuation after the last', frames(
          [ TEXT, message() ], [ CONTINUATION, 'x' ]), 1002 ],
    [ '5 a message inside of another', frames(
          [ TEXT, message(), fin => 0 ], [ TEXT, message() ]), 1002 ],
    [ '5 a binary one inside of it', frames(
          [ TEXT, message(), fin => 0 ], [ BINARY, message() ]), 1002 ],

    # 6 UTF-8

    [ '6 characters', frames([ TEXT, '{"event":"new","type":"new","x":"'
          . "\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
          . "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" . '"}' ]) ],
    [ '6 a character in four fragments', frames(
          [ TEXT, '{"event":"new","type":"new","x":"' . "\xf0", fin => 0 ],
          [ CONTINUATION, "\x9f", fin => 0 ],
          [ CONTINUATION, "\x98", fin => 0 ], [ PING, 'x' ],
          [ CONTINUATION, "\x80\"}" ]), undef, 'x' ],
    (map { [ '6 invalid ' . unpack('H*', $_), frames([ TEXT, $_ ]), 1007 ] }
         "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80",
         "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80",
         "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff", "\xe2\x28",
         "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"),
    [ '6 half a character', frames([ TEXT, "\xe2\x82" ]), 1007 ],
    [ '6 half a character at the end of a fragment', frames(
          [ TEXT, "\xe2\x82", fin => 0 ], [ CONTINUATION, 'x' ]), 1007 ],
    [ '6 found before the message is complete', frames(
          [ TEXT, '{"event":"', fin => 0 ],
          [ CONTINUATION, "\xff", fin => 0 ]), 1007 ],
    [ '6 found before the frame is complete',
      beginning(50, TEXT, "\xff" x 60_000), 1007 ],

    # 7 closing

    [ '7 a close without a status', frames([ CLOSE, '' ]), 1000 ],
    (map { [ "7 status $_", closing($_), $_ ] }
         1000 .. 1003, 1007 .. 1014, 3000, 3999, 4000, 4300, 4999),
    (map { [ "7 status $_", closing($_), 1002 ] }
         0, 1, 999, 1004 .. 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535),
    [ '7 a reason', closing(1000, "gr\xc3\xbc\xc3\x9fe"), 1000 ],
    [ '7 a reason of 123 bytes', closing(1000, 'r' x 123), 1000 ],
    [ '7 one of 124', closing(1000, 'r' x 124), 1002 ],
    [ '7 a reason that is not UTF-8', closing(1000, "x\xce"), 1007 ],
    [ '7 a status of one byte', frames([ CLOSE, "\x03" ]), 1002 ],
    [ '7 frames after a close', frames([ CLOSE, pack 'n', 1000 ],
                                       [ PING, 'late' ], [ TEXT, 'x' ],
                                       [ 15, 'x', rsv => 7 ]), 1000 ],
    [ '7 a close inside of a message', frames([ TEXT, '{', fin => 0 ],
                                              [ CLOSE, pack 'n', 1001 ]),
      1001 ],

    # 9 limits

    [ '9 more than may come', frames([ TEXT, message(LIMIT + 1) ]), 1009 ],
    [ '9 more than may come in fragments', sub {
          $_[0]->send_fragments(message(LIMIT + 1), 1000) }, 1009 ],
    [ '9 much more', frames([ TEXT, message(3_000_000) ]), 1009 ],
    [ '9 more than there is', beginning(14, TEXT, '', length => 1 << 62),
      1009 ],

    # and of what a text has to be here

    [ 'JSON not at all', frames([ TEXT, 'hello' ]), 1007 ],
    [ 'JSON of nothing', frames([ TEXT, '' ]), 1007 ],
    [ 'JSON but no object', frames([ TEXT, '[1]' ]), 1007 ],
    [ 'JSON that ends early', frames([ TEXT, '{"event":"new"' ]), 1007 ],
    [ 'JSON that goes on', frames([ TEXT, message() . '{}' ]), 1007 ],
    [ 'JSON without what it is about', frames([ TEXT, '{}' ]), 1007 ],
    [ 'JSON too deep', frames([ TEXT, '{"event":"new","type":"new","x":'
                                      . '[' x 10_000 . ']' x 10_000 . '}' ]),
      1007 ],
);


# one side of a call does it: the status of the Close, 'alive', or what went
# wrong

sub outcome {
    my ($end, $case) = @_;

    my ($name, $send, $status, @pongs) = @$case;

    # the other side may close before all is sent
    my $sent = eval { $send->($end); 1 };

    if (defined $status) {
        my ($code) = eval { $end->Voicebridge::WebSocket::recv_close };

        return $code // "no close: $@";
    }

    return "not sent: $@" unless $sent;

    $end->send_ping('alive');

    while (my $message = $end->recv_message) {
        return "close $message->{code}" if $message->{opcode} == CLOSE;
        next unless $message->{opcode} == PONG;

        if ($message->{payload} eq 'alive') {
            return @pongs ? 'pongs are missing' : 'alive';
        }

        return 'another pong' unless @pongs
                                     && shift @pongs eq $message->{payload};
    }

    return 'lost';
}


# an agent may send text as binary, too

our @agent_cases = (@cases,
    [ 'a binary message', frames([ BINARY, message() ]) ],
    [ 'a binary message that is no UTF-8',
      frames([ BINARY, '{"type": "agent_response", "agent_response_event":'
                       . "{\"agent_response\": \"\xc3\"}}" ]), 1007 ],
);

# the agent's side of it, or of an opening handshake

sub agent_case {
    my $socket = shift;

    my ($n) = $socket->{request}{query}{agent_id};

    $socket->upgrade;
    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->note(event => 'case', n => $n,
                  outcome => outcome($socket, $agent_cases[$n]));

    return 1;
}

# which ends, after its own way, with one of these

our @handshakes = (
    [ 'a wrong accept', sub { $_[0]->upgrade(accept => 'x' x 27 . '=') },
      'wrong Sec-WebSocket-Accept' ],
    [ 'no accept', sub { $_[0]->upgrade(
          headers => { 'Sec-WebSocket-Accept' => undef }) },
      'wrong Sec-WebSocket-Accept' ],
    [ 'no upgrade', sub { $_[0]->upgrade(headers => { Upgrade => undef }) },
      'without "Upgrade: websocket"' ],
    [ 'another upgrade', sub { $_[0]->upgrade(
          headers => { Upgrade => 'h2c' }) },
      'without "Upgrade: websocket"' ],
    [ 'no connection', sub { $_[0]->upgrade(
          headers => { Connection => 'close' }) },
      'without "Upgrade: websocket"' ],
    [ 'an extension', sub { $_[0]->upgrade(headers => {
          'Sec-WebSocket-Extensions' => 'permessage-deflate' }) },
      'an extension or subprotocol nobody offered' ],
    [ 'a subprotocol', sub { $_[0]->upgrade(headers => {
          'Sec-WebSocket-Protocol' => 'convai' }) },
      'an extension or subprotocol nobody offered' ],
    (map { my $status = $_;
           [ "status $status", sub { $_[0]->respond($status, {}) },
             "refused the WebSocket, status $status" ] }
         200, 401, 403, 404, 500, 503),
    [ 'no HTTP', sub { $_[0]->send_bytes("hello\r\n\r\n") }, 'not HTTP' ],
    [ 'a header that never ends', sub {
          $_[0]->send_bytes("HTTP/1.1 101 OK\r\nX: " . 'x' x 20_000) },
      'did not complete the handshake' ],
    [ 'half a header', sub { $_[0]->send_bytes("HTTP/1.1 101 Swi") },
      'did not complete the handshake' ],
    [ 'nothing', sub { }, 'did not complete the handshake' ],
);

our @good_handshakes = (
    [ 'in other letters', headers => {
          Upgrade => undef, Connection => undef, upgrade => 'WebSocket',
          'CONNECTION' => 'keep-alive, UPGRADE', 'X-More' => 'x' } ],
    [ 'byte by byte', pieces => [ 1 ] ],
    [ 'in halves', pieces => [ 40, 70 ] ],
    [ 'with its first message', glue => 1 ],
    [ 'with a long one', glue => 300_000 ],
    [ 'with a long one, in pieces', glue => 100_000, pieces => [ 50, 4096,
                                                                 1000 ] ],
    [ 'with one as long as a header may be', glue => 4096 ],
);

sub good_handshake {
    my $socket = shift;

    my ($name, %o) = @{$good_handshakes[$socket->{request}{query}{agent_id}]};
    my @glued = ('metadata', audio => 'abc' x ($o{glue} // 1));

    # what would be sent is put behind the handshake's answer
    if (my $n = delete $o{glue}) {
        $o{glue} = '';

        no warnings 'redefine';
        local *Voicebridge::WebSocket::send_bytes = sub {
            $o{glue} .= $_[1];
        };

        first_words($socket, $n);
    }

    $socket->upgrade(%o);
    first_words($socket, 1) unless $o{glue};
    $socket->expect_initiation;
    $socket->recv_close;

    return 1;
}

sub first_words {
    my ($socket, $n) = @_;

    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->audio('abc' x $n, 1);
}

run_tests();

__DATA__

=== the phone's side
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- test
    for my $case (our @cases, [ 'a binary message',
                            frames([ BINARY, message() ]), 1003 ])
    {
        my $phone = phone()->connect;

        is outcome($phone, $case), $case->[2] // 'alive', $case->[0];

        # nothing follows a close, however much was on its way
        if (defined $case->[2]) {
            eval { $phone->send_close($case->[2]) };
            eval { $phone->recv_eof } or fail("$case->[0]: $@");
        }

        $phone->disconnect;
    }



=== the phone's side of a call that is on
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent_options
each => 1
--- agent
    $agent->upgrade;
    $agent->expect_initiation;
    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $agent->audio('x' x 160, 1);
    $agent->recv_close;

    return 1;
--- test
    for my $case (grep { defined $_->[2] } our @cases) {
        my $phone = phone()->connect;

        $phone->start(parameters => { agent_id => 'agent_1' });
        $phone->recv_audio(160);

        is outcome($phone, $case), $case->[2], $case->[0];
        is agent->event('close')->{code}, 1000, 'the agent is left politely';
        $phone->disconnect;
    }



=== the agent's side
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_max_message_size 128k;
    }
--- agent_options
each => 1
--- agent
    agent_case($agent);
--- test
    our @agent_cases;

    for my $n (0 .. $#agent_cases) {
        my ($name, undef, $status) = @{$agent_cases[$n]};
        my $phone = phone()->connect;

        $phone->start(parameters => { agent_id => "$n" });

        is agent->event('case')->{outcome}, $status // 'alive', $name;

        # the phone has done nothing wrong
        if (defined $status) {
            is(($phone->recv_close)[0], $status == 1000 ? 1000 : 1011,
               'and the phone is told');
        }

        $phone->disconnect;
    }



=== the agent's handshake
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent_options
each => 1
--- agent
    our @handshakes;
    $handshakes[$agent->{request}{query}{agent_id}][1]->($agent);

    return 1;
--- test
    our @handshakes;

    for my $n (0 .. $#handshakes) {
        my ($name, undef, $why) = @{$handshakes[$n]};
        my $phone = phone()->connect;
        my $sid = $phone->{call_sid};

        $phone->start(parameters => { agent_id => "$n" });
        is(($phone->recv_close)[0], 1011, "$name: the call ends");
        $phone->send_close(1011);
        $phone->recv_eof;

        like log_has(qr/call $sid:.*trying once more/), qr/\Q$why\E/,
             "$name: after a second try";
        like log_has(qr/call $sid: Call ended/),
             qr/could not be reached: .*\Q$why\E.* reason=agent_unreachable/,
             "$name: and the log says why";
    }



=== a good one in all its forms
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent_options
each => 1
--- agent
    good_handshake($agent);
--- test
    our @good_handshakes;

    for my $n (0 .. $#good_handshakes) {
        my ($name, %o) = @{$good_handshakes[$n]};
        my $phone = phone()->connect;
        my $audio = 'abc' x ($o{glue} // 1);

        $phone->start(parameters => { agent_id => "$n" });
        ok eval { $phone->recv_audio(length $audio) eq $audio }, $name;
        agent->event('initiation');
        $phone->stop;
        $phone->recv_close;
        $phone->disconnect;
    }
--- no_error_log
[error]
trying once more



=== a call in pieces
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    my $socket = $agent->socket;
    my $text = sub {
        json()->encode({ type => 'audio', audio_event => {
            event_id => 1, audio_base_64 => MIME::Base64::encode_base64(
                $_[0] x 999, '') } });
    };

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');

    $socket->send_fragments($text->('a'), 1);
    $socket->send_fragments($text->('b'), 50, between =>
                            $socket->frame_bytes(9, 'here'));
    $socket->send_in_pieces($socket->frame_bytes(1, $text->('c')), 1);

    # a frame's header in pieces, two frames in one of them
    $socket->send_in_pieces(join('', map { $socket->frame_bytes(1, $_) }
                                     $text->('d'), $text->('e')), 3, 1405, 9,
                            2000);

    $socket->note(event => 'heard', right =>
                  $socket->recv_audio(4 * 480) eq join('', map { $_ x 480 }
                                                           'k' .. 'n')
                  ? 1 : 0);

    # a mask that can be guessed is none
    my %masks;

    $masks{$socket->recv_frame->{mask}}++ for 1 .. 50;
    $socket->note(event => 'masks', n => scalar keys %masks);
    $socket->recv_close;
--- test
    my $phone = phone()->connect;

    $phone->send_fragments(json()->encode($phone->start_message(
        parameters => { agent_id => 'agent_1' })), 3, between =>
        $phone->frame_bytes(9, 'here'));

    ok $phone->recv_audio(5 * 999) eq join('', map { $_ x 999 } 'a' .. 'e'),
       'the caller hears all';

    my @media = map { json()->encode($phone->media_message($_ x 480)) }
                    'k' .. 'n';

    $phone->send_fragments($media[0], 1);
    $phone->send_fragments($media[1], 99, between =>
                           $phone->frame_bytes(9, 'there'));
    $phone->send_in_pieces($phone->frame_bytes(1, $media[2]), 1);
    $phone->send_in_pieces($phone->frame_bytes(1, $media[3]), 5, 300);

    ok agent->event('heard')->{right}, 'and so does the agent';

    $phone->media('z' x 160) for 1 .. 50;
    cmp_ok agent->event('masks')->{n}, '>', 45, 'each frame has its own mask';

    $phone->stop;
    is(($phone->recv_close)[0], 1000, 'until it ends');
--- no_error_log
[error]
