# voicebridge_dashboard: the page as a browser gets it, who speaks when, and
# what is said, from whichever worker.  The page itself is looked at in a real
# browser by make check-dashboard.

use Voicebridge::Test;
use Voicebridge::Events;
use Voicebridge::HTTP qw( http );
use Voicebridge::Process qw( children );
use Voicebridge::WebSocket qw( deadline_after );

use Digest::SHA qw( sha256_base64 );
use Time::HiRes qw( sleep time );

add_block_preprocessor(sub {
    my $block = shift;

    my $many = $block->name =~ /workers|reload|killed/;

    master_on() if $many;
    master_off() unless $many;
    workers($many ? 2 : 1);

    my $size = $block->name =~ /small/ ? '400k' : '1m';

    $block->set_value('http_config', <<"EOC") unless $block->http_config;
    voicebridge_zone voicebridge:$size;
EOC

    $block->set_value('config', <<'EOC') unless $block->config;
    location = /dashboard { voicebridge_dashboard; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }

    location = /silent/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_log_transcripts off;
    }
EOC
});


# an agent that says what its cues tell it to, in one call after another

sub talk {
    my ($agent, @calls) = @_;

    for my $turns (@calls) {
        my $socket = $agent->socket;

        $socket->expect_initiation;
        $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');

        for my $turn (@$turns) {
            my ($who, $text) = @$turn;

            $agent->await_cue, next if $who eq 'cue';
            eval { $socket->recv_close }, return if $who eq 'lost';
            $socket->user_transcript($text) if $who eq 'caller';
            $socket->agent_response($text) if $who eq 'agent';
            $socket->audio($text, 1) if $who eq 'audio';
            $socket->interruption(1) if $who eq 'interruption';
            $socket->send_json({
                type => 'agent_response_correction',
                agent_response_correction_event => {
                    original_agent_response => 'x',
                    corrected_agent_response => $text } })
                if $who eq 'correction';
        }

        $socket->recv_close;
    }
}


sub call {
    my $phone = phone(@_)->connect;

    $phone->start(parameters => { agent_id => 'agent_1' });

    return $phone;
}

sub hang_up {
    for (@_) {
        $_->stop;
        $_->recv_close;
        $_->send_close(1000);
        $_->recv_eof;
    }
}


sub view {
    my ($query) = @_;

    my $answer = http(GET => "/dashboard?view=$query");

    die "$query: status $answer->{status}: $answer->{body}\n"
        unless $answer->{status} == 200;

    return $answer->{json};
}


# what is known of a phone's call, once it is as expected

sub until_talk {
    my ($phone, $done) = @_;

    my $deadline = deadline_after();

    while (1) {
        my ($call) = grep { $_->{stream_sid} eq $phone->{stream_sid} }
                          @{view('talk')->{calls}};

        return $call if $call && $done->($call);

        die "talk never became what it should\n" if time() > $deadline;
        sleep 0.02;
    }
}


sub transcript {
    my ($phone, %o) = @_;

    return Voicebridge::Events->open(
        "/dashboard?view=transcript&sid=$phone->{call_sid}", %o);
}


# whether a text is in memory that processes share; undef: cannot be seen

sub shared {
    my ($text, $pid) = @_;

    open my $maps, '<', "/proc/$pid/maps" or return undef;
    open my $memory, '<:raw', "/proc/$pid/mem" or return undef;

    for (<$maps>) {
        my ($from, $to) = /^([0-9a-f]+)-([0-9a-f]+) rw-s/ or next;

        no warnings qw( portable );
        $_ = hex for $from, $to;
        sysseek $memory, $from, 0 or return undef;
        sysread $memory, my $bytes, $to - $from or return undef;

        return 1 if index($bytes, $text) >= 0;
    }

    return 0;
}

sub serving { return (children(nginx_pid()))[0] // nginx_pid() }

run_tests();

__DATA__

=== the page
--- test
    my $answer = http(GET => '/dashboard');
    my $head = $answer->{headers};

    is $answer->{status}, 200, 'is there';
    is $head->{'content-type'}, 'text/html; charset=utf-8', 'is a page';
    is $head->{'content-length'}, length $answer->{body}, 'of that length';
    is $head->{'cache-control'}, 'no-cache', 'is asked for each time';
    is $head->{'x-content-type-options'}, 'nosniff', 'is nothing else';
    is $head->{'referrer-policy'}, 'no-referrer', 'says nothing of itself';

    is $answer->{body}, scalar qx(sh src/handler/dashboard/embed page),
       'is made of its sources';

    my %policy = map { /^(\S+) (.*)$/ }
                 split /; /, $head->{'content-security-policy'};

    is $policy{'default-src'}, q('none'), 'may load nothing';
    is $policy{'connect-src'}, q('self'), 'but ask its own server';
    is $policy{$_}, q('none'), "$_ none"
        for qw( base-uri form-action frame-ancestors );

    for my $name (qw( style script )) {
        my @blocks = $answer->{body} =~ m{<$name\b[^>]*>(.*?)</$name>}sg;

        is scalar @blocks, 1, "one $name";
        is $policy{"$name-src"},
           q('sha256-) . sha256_base64($blocks[0]) . q(='),
           "the $name by its hash";
    }

    my $outside = $answer->{body} =~ s{http://www\.w3\.org/2000/svg}{}gr;

    unlike $outside, qr{https?://|(?:src|href)="(?!data:|\?)|url\(|\@import},
           'nothing comes from elsewhere';
    unlike $outside, qr{\s(?:on\w+|style)="}, 'nothing that the policy stops';

    my $etag = $head->{etag};

    like $etag, qr/^"[0-9a-f]{16}"$/, 'has an ETag';

    $answer = http(GET => '/dashboard', headers => { 'If-None-Match' => $etag });

    is $answer->{status}, 304, 'is not sent twice';
    is $answer->{body}, '', 'without a body';

    $answer = http(GET => '/dashboard', headers => { 'If-None-Match' => '"x"' });

    is $answer->{status}, 200, 'another is';

    $answer = http(HEAD => '/dashboard');

    is $answer->{status}, 200, 'HEAD';
    is $answer->{headers}{etag}, $etag, 'has the same headers';

    $answer = http(POST => '/dashboard', body => 'x');

    is $answer->{status}, 405, 'POST';
    is $answer->{headers}{allow}, 'GET, HEAD', 'is told what is allowed';



=== gzip
--- config
    gzip on;
    gzip_min_length 1;

    location = /dashboard { voicebridge_dashboard; }
--- test
    my %accept = (headers => { 'Accept-Encoding' => 'gzip' });
    my $client = Voicebridge::HTTP->connect;

    $client->send_request(GET => '/dashboard', %accept);

    my $head = $client->recv_head;

    like $head, qr/^Content-Encoding: gzip\r$/m, 'can be packed';

    my ($etag) = $head =~ m{^ETag: (.*)\r$}m;

    like $etag, qr{^W/"}, 'with a weak ETag';

    $accept{headers}{'If-None-Match'} = $etag;

    is http(GET => '/dashboard', %accept)->{status}, 304,
       'by which it is known';



=== its data
--- test
    my $answer = http(GET => '/dashboard?view=calls');

    is $answer->{status}, 200, 'calls';
    is_deeply $answer->{json}, { live => [], recent => [] }, 'as of calls';
    is $answer->{headers}{'cache-control'}, 'no-store', 'not stored';

    my $sid = "CA" . "0" x 32;

    is http(GET => "/dashboard?$_")->{status}, 200, "as a view: $_"
        for "view=calls&limit=1", "limit=1&view=calls",
            "limit=1&view=calls&sid=$sid";

    is http(GET => '/dashboard?limit=x&view=calls')->{status}, 400,
       'its arguments are those of calls';

    $answer = http(GET => '/dashboard?view=metrics');

    is $answer->{status}, 200, 'metrics';
    like $answer->{body}, qr/^voicebridge_calls_live 0$/m, 'as of metrics';

    $answer = http(GET => '/dashboard?view=talk');

    is $answer->{status}, 200, 'talk';
    is_deeply $answer->{json}, { seq => 0, calls => [] }, 'nobody yet';
    is $answer->{headers}{'cache-control'}, 'no-store', 'not stored';

    for my $bad ([ 'talk&since=x', 400, 'since must be a number' ],
                 [ 'talk&since=-1', 400, 'since must be a number' ],
                 [ 'transcript', 400, 'sid is required' ],
                 [ 'transcript&sid=CA0', 404, 'No such call' ],
                 [ 'transcript&sid=' . 'C' x 500, 404, 'No such call' ],
                 [ 'nothing', 400,
                   'view must be calls, metrics, talk or transcript' ])
    {
        my ($query, $status, $detail) = @$bad;

        $answer = http(GET => "/dashboard?view=$query");
        $query = substr $query, 0, 40;

        is $answer->{status}, $status, "$query: status";
        is $answer->{json}{detail}, $detail, "$query: detail";
    }

    is http(POST => '/dashboard?view=talk', body => 'x')->{status}, 405,
       'only asked for';



=== without a zone
--- http_config
    #
--- config
    location = /dashboard { voicebridge_dashboard; }
--- test
    is http(GET => '/dashboard')->{status}, 200, 'there is a page';

    for my $view (qw( talk transcript calls )) {
        my $answer = http(GET => "/dashboard?view=$view&sid=CA0");

        is $answer->{status}, 503, "but no $view";
        like $answer->{json}{detail}, qr/voicebridge_zone is not set/,
             'and it is said why';
    }
--- error_log
"voicebridge_dashboard" have nothing to show



=== who speaks when
--- agent
    talk($agent, [ [ audio => "\x10" x 4000 ], [ 'cue' ],
                   [ audio => "\x10" x 80000 ], [ 'cue' ],
                   [ 'interruption' ] ]);
--- test
    my $phone = call();

    $phone->recv_audio(4000);

    my $call = until_talk($phone, sub { @{$_[0]{spans}} });

    is $call->{call_sid}, $phone->{call_sid}, 'the call';
    is $call->{live}, 1, 'is live';
    is scalar @{$call->{spans}}, 1, 'one has spoken';

    my ($who, $start, $end) = @{$call->{spans}[0]};

    is $who, 1, 'the agent';
    is $end, undef, 'and still speaks';

    # the phone's audio is the clock
    my $seq = view('talk')->{seq};
    my $quiet = sub { $phone->speak("\xff" x 160); $_[0]->() };

    $call = until_talk($phone, sub {
        my $call = shift;
        $quiet->(sub { defined $call->{spans}[0][2] });
    });

    ($who, $start, $end) = @{$call->{spans}[0]};

    is $end - $start, 500, 'for as long as what was sent plays';

    $call = until_talk($phone, sub {
        $phone->speak("\x10" x 160);
        @{$_[0]{spans}} == 2;
    });

    is $call->{spans}[1][0], 0, 'then the caller';
    cmp_ok $call->{spans}[1][1], '>=', $end, 'later';
    is $call->{spans}[1][2], undef, 'and still speaks';

    my $news = view("talk&since=$seq");

    is scalar @{$news->{calls}}, 1, 'of the news';
    is scalar(grep { $_->[0] == 1 && $_->[2] == $end }
              @{$news->{calls}[0]{spans}}), 1, "is the agent's end";
    is_deeply view("talk&since=$news->{seq}")->{calls}, [],
              'and nothing later';

    agent()->cue;
    $phone->recv_audio(80000);
    agent()->cue;
    $phone->recv_event('clear');

    $call = until_talk($phone, sub {
        my $call = shift;
        $quiet->(sub { 3 == grep { defined $_->[2] } @{$call->{spans}} });
    });

    cmp_ok $call->{spans}[2][2] - $call->{spans}[2][1], '<', 10000,
           'an interruption ends what the agent says';
    cmp_ok $call->{spans}[1][2], '>', $call->{spans}[1][1],
           "the caller's has an end, too";

    hang_up($phone);

    $call = until_talk($phone, sub { !$_[0]{live} });

    is scalar(grep { !defined $_->[2] } @{$call->{spans}}), 0,
       'no span is left open';



=== what is said, from workers
--- agent
    talk($agent, [ [ audio => "\x10" x 80 ],
                   [ agent => 'Hello "Zoë", call +14155550123 or 4155550123' ],
                   [ 'cue' ], [ caller => "Yes\n\ndata: no" ],
                   [ agent => 'Well then' ], [ correction => 'Well' ] ]);
--- test
    my $phone = call();

    $phone->recv_audio(80);

    my $call = until_talk($phone, sub { 1 });

    ok $call->{transcript}, 'can be read';

    # more connections than one worker would take alone
    my @readers = map { transcript($phone) } 1 .. 6;

    for my $events (@readers) {
        is $events->status, 200, 'a reader';
        is $events->headers->{'content-type'}, 'text/event-stream',
           'of events';
        is $events->headers->{'cache-control'}, 'no-store', 'not stored';
        is $events->headers->{'x-accel-buffering'}, 'no', 'nor kept back';
        is $events->headers->{'content-length'}, undef, 'no end is known';

        my $event = $events->next;

        is $event->{id}, "$phone->{stream_sid}-1", 'the first turn';
        is $event->{event}, 'turn', 'is one';
        is $event->{data}{who}, 'agent', 'of the agent';
        is $event->{data}{text},
           'Hello "Zoë", call +*******0123 or ******0123',
           'without numbers of phones';
        like $event->{data}{at}, qr/^\d+\.?\d*$/, 'at a moment';
        is $events->{retry}, 500, 'and to be asked soon again';
    }

    agent()->cue;

    for my $events (@readers) {
        my $event = $events->next;

        is $event->{data}{text}, 'Yes  data: no',
           'what is said does not become an event';
        is $event->{data}{who}, 'caller', 'of the caller';
        is $events->next->{data}{text}, 'Well then', 'and on';
        is $events->next->{data}{who}, 'correction', 'and what was heard';
    }

    my $late = transcript($phone, last => "$phone->{stream_sid}-2");

    is $late->next->{id}, "$phone->{stream_sid}-3", 'from where one was';

    for my $last ('', '-', "$phone->{stream_sid}-", "$phone->{stream_sid}-x",
                  "$phone->{stream_sid}-99999999999999999999", 'MZ0-3',
                  'x' x 200 . '-2')
    {
        is transcript($phone, last => $last)->next->{id},
           "$phone->{stream_sid}-1", 'else from the beginning: '
           . substr($last, 0, 50);
    }

    my $again = Voicebridge::Events->open(
        "/dashboard?view=transcript&sid=$phone->{stream_sid}");

    is $again->next->{id}, "$phone->{stream_sid}-1", 'by the stream as well';

    my $head = http(HEAD => "/dashboard?view=transcript"
                            . "&sid=$phone->{call_sid}");

    is $head->{status}, 200, 'HEAD';

    hang_up($phone);

    for my $events (@readers, $again) {
        my $event;

        do { $event = $events->next } until $event->{event} eq 'end';

        is_deeply $event->{data}, {}, 'the end';
        is $events->next, undef, 'is the end';
    }

    $late = transcript($phone);

    is $late->next->{data}{who}, 'agent', 'it can be read for a while';
--- error_log
Agent response: Hello



=== transcripts are off
--- agent
    talk($agent, [ [ audio => "\x10" x 80 ], [ agent => 'unheard-of-1' ],
                   [ caller => 'unheard-of-2' ], [ audio => "\x10" x 80 ] ],
                 [ [ audio => "\x10" x 80 ], [ agent => 'unheard-of-3' ],
                   [ audio => "\x10" x 80 ] ]);
--- test
    my $phone = call(path => '/silent/media-stream');

    $phone->recv_audio(160);

    my $call = until_talk($phone, sub { @{$_[0]{spans}} });

    ok !$call->{transcript}, 'cannot be read';

    my $answer = http(GET => "/dashboard?view=transcript"
                             . "&sid=$phone->{call_sid}");

    is $answer->{status}, 404, 'is refused';
    like $answer->{json}{detail}, qr/voicebridge_log_transcripts is off/,
         'and told why';

    hang_up($phone);

    my $other = call();

    $other->recv_audio(160);
    is transcript($other)->next->{data}{text}, 'unheard-of-3', 'another is on';

    SKIP: {
        my $seen = shared('unheard-of-3', serving());

        skip "memory of other processes cannot be read", 3
            unless defined $seen;

        is $seen, 1, 'what is said is in the zone';
        is shared("unheard-of-$_", serving()), 0, 'but there is nothing of it'
            for 1 .. 2;
    }

    hang_up($other);



=== where nobody looks nothing is kept
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
    }
--- agent
    talk($agent, [ [ audio => "\x10" x 80 ], [ agent => 'unheard-of-4' ],
                   [ audio => "\x10" x 80 ] ]);
--- test
    my $phone = call();

    $phone->recv_audio(160);

    SKIP: {
        my $seen = shared('unheard-of-4', serving());

        skip "memory of other processes cannot be read", 1
            unless defined $seen;

        is $seen, 0, 'not without a dashboard';
    }

    hang_up($phone);



=== a small zone
--- agent
    talk($agent, map { [ [ agent => "word-$_-" . 'x' x 1400 ], ([ agent =>
        'y' x 2000 ]) x 4, [ agent => "last-$_-é" . 'z' x 1600 ],
        [ audio => "\x10" x 80 ] ] } 1 .. 40);
--- test
    my @phones;

    for my $i (1 .. 40) {
        my $phone = call();

        $phone->recv_audio(80);

        my $events = transcript($phone);

        if ($i == 1) {
            like $events->next->{data}{text}, qr/^y{1500}$/,
                 'the oldest turns make room, long ones are cut';
            my $event = $events->next;
            like $event->{data}{text}, qr/^last-1-éz+$/, 'the last is there';
            is $event->{id}, "$phone->{stream_sid}-6", 'with its own id';
        }

        is $events->status, 200, "call $i has a transcript";

        hang_up($phone);
        until_talk($phone, sub { !$_[0]{live} });

        push @phones, $phone;
    }

    my %known = map { $_->{stream_sid} => $_ } @{view('talk')->{calls}};

    ok $known{$phones[-1]{stream_sid}}, 'the last call is known';
    ok !$known{$phones[0]{stream_sid}}, 'the first has made room';

    SKIP: {
        my $seen = shared('last-40-', serving());

        skip "memory of other processes cannot be read", 2
            unless defined $seen;

        is $seen, 1, 'what was said at last is there';
        is shared('last-1-', serving()), 0, 'what was said at first is wiped';
    }



=== not more readers than there may be
--- agent
    talk($agent, [ [ audio => "\x10" x 80 ], [ agent => 'Hello' ] ]);
--- test
    my $phone = call();

    $phone->recv_audio(80);

    my @readers = map { transcript($phone) } 1 .. 32;

    is scalar(grep { $_->status == 200 && $_->next } @readers), 32, '32 read';

    my $answer = http(GET => "/dashboard?view=transcript"
                             . "&sid=$phone->{call_sid}");

    is $answer->{status}, 503, 'one more does not';
    is $answer->{json}{detail}, 'Too many transcripts are being read', 'why';

    $readers[0]->disconnect;

    my $deadline = deadline_after();
    my $events;

    do { $events = transcript($phone) }
        until $events->status == 200 || time() > $deadline;

    is $events->status, 200, 'until another has gone';

    hang_up($phone);



=== a reload
--- agent
    talk($agent, [ [ audio => "\x10" x 80 ], [ agent => 'Before' ], [ 'cue' ],
                   [ agent => 'After' ] ]);
--- test
    my $phone = call();

    $phone->recv_audio(80);

    my @readers = map { transcript($phone) } 1 .. 4;
    my @ids = map { $_->next->{id} } @readers;

    my %old = map { $_ => 1 } children(nginx_pid());

    kill HUP => nginx_pid();

    my $began = time();

    is $_->next, undef, 'its readers are let go' for @readers;
    cmp_ok time() - $began, '<', deadline_after() - time(), 'at once';

    # the call holds its worker, and nothing else holds the other

    my $deadline = deadline_after();

    sleep 0.02 until 1 >= grep { $old{$_} } children(nginx_pid())
                     or time() > $deadline;

    is scalar(grep { $old{$_} } children(nginx_pid())), 1,
       'one old worker is left, that of the call';

    @readers = map { transcript($phone, last => $_) } @ids;
    agent()->cue;

    is $_->next->{data}{text}, 'After', 'they go on from where they were'
        for @readers;

    hang_up($phone);

    is $_->next->{event}, 'end', 'to the end' for @readers;



=== a worker that is killed
--- agent
    talk($agent, [ [ audio => "\x10" x 80 ], [ agent => 'Last words' ],
                   [ audio => "\x10" x 80 ], [ 'lost' ] ]);
--- test
    my $phone = call();

    $phone->recv_audio(160);
    until_talk($phone, sub { $_[0]{live} });

    my $line = log_has(qr/Media stream started/);

    kill KILL => $line =~ / (\d+)#/;

    my $call = until_talk($phone, sub { !$_[0]{live} });

    is scalar(grep { !defined $_->[2] } @{$call->{spans}}), 0,
       'nobody speaks any more';

    my $events = transcript($phone);

    is $events->next->{data}{text}, 'Last words', 'the last words are there';
    is $events->next->{event}, 'end', 'and the end';
--- error_log
exited on signal 9
