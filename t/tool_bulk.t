# voicebridge bulk: each row is dialled once, whatever happens in between.

use Voicebridge::Test;
use Voicebridge::Process qw( memory_is_plain );
use Voicebridge::Tool qw( program scratch tool );
use Voicebridge::WebSocket qw( deadline_after json );
use POSIX qw( strftime );

our %twilio = (TWILIO_ACCOUNT_SID => $ENV{TEST_NGINX_ACCOUNT_SID},
               TWILIO_AUTH_TOKEN => $ENV{TEST_NGINX_AUTH_TOKEN});

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('http_config', "    voicebridge_zone voicebridge:4m;\n");
    $block->set_value('config', <<'EOC');
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_agent agent_1;

    location = /twilio/outbound-call { voicebridge_outbound_call; }
    location = /voicebridge/calls    { voicebridge_calls; }
EOC
});

# a file of rows, and no journal beside it

sub rows {
    my ($name, $n, $columns) = @_;

    unlink scratch("$name.csv.journal");

    return scratch("$name.csv", "phone_number,name\n" . join '',
        map { sprintf "+1500555%04d,\"No. %d, \"\"x\"\"\"\n", $_, $_ } 1 .. $n);
}

sub bulk {
    my ($file, @arguments) = @_;

    return ('bulk', $file, '--rate' => 0, '--poll' => '20ms',
            '--progress' => '20ms', @arguments);
}

# how often each number was dialled, and as what

sub dialled {
    my %times;

    $times{$_->{form}{To}}++
        for grep { $_->{event} eq 'request' && $_->{method} eq 'POST' }
                 twilio()->events;

    return \%times;
}

sub until_dialled {
    my $n = shift;

    my $deadline = deadline_after();

    while (keys %{dialled()} < $n) {
        twilio()->event(sub { $_->{event} eq 'request' });
        die "fewer than $n were dialled\n" if time() > $deadline;
    }
}

sub once {
    my ($n, $name) = @_;

    is_deeply dialled(),
              { map { sprintf('+1500555%04d', $_) => 1 } 1 .. $n }, $name;
}

sub journal {
    my $file = shift;

    open my $in, '<', "$file.journal" or die "$file.journal: $!\n";
    return map { json()->decode($_) } <$in>;
}

run_tests();

__DATA__

=== rows, their calls and the statistics
--- twilio
    return $request->{method} eq 'POST'
        ? {} : { body => { sid => 'x', status => 'completed',
                           duration => '12' } };
--- test
    my $file = scratch('mixed.csv', "\xef\xbb\xbfto_number,agent_id,note,due,"
        . "vip\r\n\"+1 (500) 555-0009\",agent_7,\"two\r\nlines, \"\"x\"\"\","
        . "120.50,yes\r\n+15005550010,,,,\r\n\r\n12,a,b,1,no\r\n"
        . "+15005550011,a,b,many,no\r\n+15005550012,a,b,1\r\n"
        . "+15005550013,a,b,1,no");
    my $stop = scratch('stop.txt', "# these\n+1 500 555 0013\n");
    unlink "$file.journal";

    my $run = tool(\%main::twilio, bulk($file, '--types' =>
        'due=number,vip=boolean', '--do-not-call' => $stop, '--var' => 'c=1',
        '--follow' => 'twilio', '--twilio-api-url' => twilio()->url,
        '--verbose'));

    is $run->{status}, 1, 'not all rows are good';
    like $run->{err}, qr/3 of 6 rows will not be dialled, the first is row 3/,
         'which is said before anybody is called';
    like $run->{err}, qr/row 3, no number: invalid: to_number is no number/,
         'a number that is none';
    like $run->{err}, qr/row 4, \+\*+0011: invalid: due is no number/,
         'a value that is none';
    like $run->{err}, qr/row 5, .* has 4 fields, the header has 5/,
         'too few fields';
    like $run->{err}, qr/row 6, .*: blocked: on the do-not-call list/,
         'nobody who is not to be called';
    like $run->{err}, qr/row 1, .*0009: completed$/m, 'a word once';
    like $run->{out}, qr/^completed +2 +33\.3 %$/m, 'two calls';
    like $run->{out}, qr/^calls +2  0 of them again, 12 s each/m, 'how long';

    is_deeply dialled(), { '+15005550009' => 1, '+15005550010' => 1 },
              'who was dialled';

    my ($first) = grep { ($_->{form}{To} // '') =~ /09$/ } twilio()->events;
    my $twiml = $first->{form}{Twiml};

    like $twiml, qr/"agent_id" value="agent_7"/, 'the row\'s agent';
    like $twiml, qr/note&quot;: ?&quot;two\\r\\nlines, \\&quot;x\\&quot;/,
         'a variable of two lines';
    like $twiml, qr/due&quot;: ?120\.50\b.*vip&quot;: ?true/, 'their types';
    like $twiml, qr/session_id" value="bulk-[0-9a-f]{8}-1"/, 'its session';
    unlike $run->{err} . $run->{out}, qr/\+1500555/, 'no whole number';

    $run = tool(\%main::twilio, bulk($file, '--types' =>
        'due=number,vip=boolean', '--do-not-call' => $stop, '--var' => 'c=1',
        '--follow' => 'twilio', '--twilio-api-url' => twilio()->url,
        '--json'));

    is $run->{status}, 1, 'once more: all is done' or diag $run->{err};
    is json()->decode($run->{out})->{outcomes}{completed}, 2, 'as before';
    is keys %{dialled()}, 2, 'nobody is dialled again';

    $run = tool('bulk', $file, '--types' => 'due=number', '--dry-run',
                '--json');
    is json()->decode($run->{out})->{invalid}, 3,
       'a dry run\'s object has its output for itself';
    like $run->{err}, qr/^row 4: due is no number/m, 'rows are told beside it';
    is +(stat "$file.journal")[2] & 07777, 0600, 'the journal is private';



=== numbers as people and their programs write them
--- twilio
    return {};
--- test
    my @good = ("+1 500-555-0001", " (+1) 500.555/0002 ",
                "+1\xe2\x80\x91500\xe2\x80\x93555\xe2\x88\x920003",
                "\xe2\x80\xaa+1\xe2\x80\xaf500\xc2\xa0555\xe2\x80\x890004"
                . "\xe2\x80\xac\xe2\x81\xa0");
    my @bad = ('+49 (0)30 5550005', '5005550006', "+1500555\xc3\xb60007",
               "+1500\xe2\x80\xa25550008", "+1500555\xc2\xb20009");
    my $file = scratch('written.csv', join "\n", 'phone_number', @good, @bad);
    unlink "$file.journal";

    my $run = tool(bulk($file, '--follow' => 'none', '--json'));
    my $outcomes = json()->decode($run->{out})->{outcomes};

    is $outcomes->{completed}, 4, 'are dialled';
    is $outcomes->{invalid}, 5, 'or not, rather than another one';
    once(4, 'as meant');



=== files that are closed
--- twilio
    return {};
--- test
    my $file = rows('closed', 3);
    my $command = "VOICEBRIDGE_API_KEY=$ENV{TEST_NGINX_API_KEY} "
        . join ' ', program(), bulk($file, '--follow' => 'none', '--verbose',
            '--url' => "http://127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}");

    is system("$command <&- >&- 2>&-"), 0, 'a bulk without any';
    once(3, 'dials');
    is scalar(grep { ($_->{event} // '') eq 'result' } journal($file)), 3,
       'and has a journal with nothing else in it';

    like `@{[ program() ]} --help 2>&1 >/dev/full`,
         qr/^voicebridge: the output could not be written whole$/, 'a full disk';
    is `@{[ program() ]} bulk --help 2>&1 >/dev/null | true`, '', 'a pipe';

    my $many = rows('large', 40);
    $command =~ s/\Q$file\E/$many/;
    like `sh -c 'ulimit -f 1; $command' 2>&1`,
         qr/journal: File too large; nobody more .*; once that is mended, the sa/,
         'a journal that may not grow';



=== kill -9 again and again, and between an intent and its answer
--- twilio
    # slow enough to be killed in between
    return { delay => 0.02 };
--- test
    my $file = rows('kill', 40);
    my @bulk = bulk($file, '--follow' => 'none', '--live' => 4);

    for my $n (3, 9, 10, 17, 29) {
        my $tool = Voicebridge::Tool->start(@bulk);

        until_dialled($n);
        $tool->kill('KILL');
        is $tool->finish->{signal}, 9, "killed at $n rows";

        # what a crash may leave: a record that was not written whole
        open my $out, '>>', "$file.journal" or die;
        print $out '{"row": 99, "ev' if $n == 9;
    }

    my $run = tool(@bulk, '--json');

    is $run->{status}, 0, 'then it is let alone'
        or diag $run->{err};
    is json()->decode($run->{out})->{outcomes}{completed}, 40, 'all are done';
    once(40, 'each was dialled once');

    my %keys;
    $keys{$_->{row}}{$_->{attempt}}++
        for grep { ($_->{event} // '') eq 'intent' } journal($file);
    is_deeply [ grep { join(',', %{$keys{$_}}) ne '1,1' } keys %keys ], [],
              'each had one intent';



=== the key of a call without an answer is sent again, others are their own
--- twilio
    our %seen;
    my $key = $request->{headers}{'idempotency-key'} // '-';

    # the first connection is lost when the call may be there
    return { close => 1 } if !$seen{$key}++ && $key =~ /-2-1$/;
    return { status => 504, body => { detail => 'may exist' } }
        if $key =~ /-3-/;

    return { status => 200, body => { success => \1,
                                      call_sid => 'CA' . 'a' x 32 } };
--- test
    my $file = rows('keys', 4);
    my %api = (VOICEBRIDGE_URL => twilio()->url);

    my $run = tool(\%api, bulk($file, '--follow' => 'none', '--json'));
    my @keys = map { $_->{headers}{'idempotency-key'} }
                   grep { $_->{event} eq 'request' } twilio()->events;

    is $run->{status}, 1, 'one stays unknown' or diag $run->{err};
    is json()->decode($run->{out})->{outcomes}{unknown}, 1, 'that one';

    my ($id) = journal($file);
    $id = $id->{journal};

    is scalar(grep { $_ eq "$id-1-1" } @keys), 1, 'a row and its attempt';
    is scalar(grep { $_ eq "$id-2-1" } @keys), 2, 'the same key once more';
    is scalar(grep { /^$id-3-1$/ } @keys), 4, 'and not for ever';
    is scalar(grep { !/^$id-[1-4]-1$/ } @keys), 0, 'there are no others';

    # an intent that is too old, or may not be repeated at all
    for my $how (['--idempotency' => 'off'], ['--idempotency' => '1m']) {
        my $file = rows('old', 2);
        my $row = json()->encode({});

        scratch('old.csv.journal', <<'EOJ' . <<'EOJ2');
{"journal": "0123456789abcdef0123456789abcdef", "version": 1}
EOJ
{"row": 1, "event": "intent", "chain": "CHAIN", "attempt": 1, "at": "2026-01-01T00:00:00.000Z"}
EOJ2
        # the chain of the row is what the tool itself writes
        my $other = rows('chain', 2);
        tool(\%api, bulk($other, '--follow' => 'none'));
        my ($chain) = map { $_->{chain} // () } journal($other);

        open my $in, '<', "$file.journal" or die;
        my $text = join('', <$in>) =~ s/CHAIN/$chain/r;
        scratch('old.csv.journal', $text);

        my $run = tool(\%api, bulk($file, '--follow' => 'none', '--json',
                                   @$how));
        my $result = json()->decode($run->{out});

        is $result->{outcomes}{unknown}, 1, "@$how: is not dialled again";
        is $result->{outcomes}{completed}, 1, 'the next one is';
    }



=== a thousand rows, so many live at a time
--- twilio
    our (%live, $most, %polls);

    if ($request->{method} eq 'POST') {
        my $sid = sprintf 'CA%032d', $request->{form}{To} =~ /(\d{4})$/;
        $live{$sid} = 1;
        $most = keys %live if keys %live > ($most // 0);
        return { body => { sid => $sid, status => 'queued' } };
    }

    my ($sid) = $request->{path} =~ m{/(CA\w+)\.json};
    return { status => 200, body => { most => $most } } unless $sid;
    delete $live{$sid};
    return { body => { sid => $sid, status => 'completed', duration => '1' } };
--- test
    my $file = rows('many', 1000);

    my $run = Voicebridge::Tool->start(\%main::twilio,
        bulk($file, '--live' => 25, '--follow' => 'twilio', '--json',
             '--twilio-api-url' => twilio()->url))
        ->finish(sub { twilio()->events });

    is $run->{status}, 0, 'all are done' or diag $run->{err};
    is json()->decode($run->{out})->{outcomes}{completed}, 1000, 'a thousand';
    once(1000, 'each was dialled once');

    require Voicebridge::HTTP;
    my $peer = Voicebridge::HTTP->connect(port => twilio()->port);
    $peer->send_request(GET => '/most');
    my $most = $peer->response->{json}{most};

    cmp_ok $most, '<=', 25, 'no more at a time than that';
    cmp_ok $most, '>', 5, 'but several';
    like $run->{err}, qr/^\d+ of 1000, \d+ %  \d+ live  \d+\.\d\/s  completed \d+/m,
         'plain lines of progress';



=== retries of what can be tried again, with their delays
--- twilio
    our %posts;

    if ($request->{method} eq 'POST') {
        my ($n) = $request->{form}{To} =~ /(\d{4})$/;
        return { body => { sid => sprintf('CA%04d%028d', $n, ++$posts{$n}),
                           status => 'queued' } };
    }

    my ($n, $times) = $request->{path} =~ m{/CA(\d{4})(\d+)\.json};
    my %how = (1 => 'busy', 2 => $times < 2 ? 'no-answer' : 'completed',
               3 => 'failed', 4 => 'completed');

    return { body => { sid => 'x', status => $how{$n + 0},
                       duration => $n + 0 } };
--- test
    my $file = rows('retry', 4);
    my $run = tool(\%main::twilio, bulk($file, '--follow' => 'twilio',
        '--twilio-api-url' => twilio()->url, '--json',
        '--retry' => 'busy=2:100ms,no-answer=1:50ms'));

    my $result = json()->decode($run->{out});

    is $run->{status}, 1, 'not all were reached' or diag $run->{err};
    is_deeply [ @{$result->{outcomes}}{qw( completed busy failed )} ],
              [ 2, 1, 1 ], 'in the end';
    is $result->{calls}, 7, 'calls in all';
    is $result->{retries}, 3, 'of them again';
    is_deeply dialled(), { '+15005550001' => 3, '+15005550002' => 2,
                           '+15005550003' => 1, '+15005550004' => 1 },
              'who how often';

    my @busy = grep { $_->{row} && $_->{row} == 1 } journal($file);
    my @at = map { $_->{at} // () } @busy;
    my ($s1, $s2, $s3) = map { /:(\d\d\.\d+)Z/ } @at;

    cmp_ok +($s2 - $s1) - 60 * int(($s2 - $s1) / 60), '>=', 0.1,
           'after the first delay' if $s2 > $s1;
    cmp_ok $s3 - $s2, '>=', 0.2, 'then twice that' if $s3 > $s2;
    is scalar @at, 3, 'three intents';

    # 14 seconds in 7 calls, also where the journal tells of them
    $run = tool(\%main::twilio, bulk($file, '--follow' => 'twilio',
        '--twilio-api-url' => twilio()->url));
    like $run->{out}, qr/^calls +7  3 of them again, 2 s each/m, 'once more';



=== Ctrl-C lets calls end, and the same command goes on
--- twilio
    our ($posts, $over);

    return { body => { sid => sprintf('CA%032d', ++$posts),
                       status => 'queued' } }
        if $request->{method} eq 'POST';

    $over = 1 if $request->{path} eq '/over';
    return { body => { sid => 'x',
                       status => $over ? 'completed' : 'in-progress' } };
--- test
    my $file = rows('int', 12);
    my @bulk = ({ %main::twilio }, bulk($file, '--live' => 3, '--follow' =>
        'twilio', '--twilio-api-url' => twilio()->url));
    my $over = sub {
        require Voicebridge::HTTP;
        my $peer = Voicebridge::HTTP->connect(port => twilio()->port);
        $peer->send_request(GET => '/over');
        $peer->response;
    };

    my $tool = Voicebridge::Tool->start(@bulk);
    until_dialled(3);
    $tool->has(err => qr/3 live/)->kill('INT');
    $tool->has(err => qr/interrupted: waiting for the calls/);
    $tool->kill('INT');

    my $run = $tool->finish;
    is $run->{status}, 5, 'twice: it ends at once';
    like $run->{out}, qr/^Stopped: interrupted\.\nThe same command goes on/m,
         'and says what to do';

    # those three are still on the line
    $tool = Voicebridge::Tool->start(@bulk);
    $tool->has(err => qr/3 live/)->kill('INT');
    $tool->has(err => qr/interrupted: waiting for the calls/);
    is keys %{dialled()}, 3, 'nobody else is dialled meanwhile';
    $over->();

    $run = $tool->finish;
    is $run->{status}, 5, 'once: it waits for them';
    like $run->{out}, qr/^completed +3 /m, 'their outcome';

    $run = tool(@bulk);
    is $run->{status}, 0, 'then all others' or diag $run->{err};
    once(12, 'each was dialled once');



=== pause and resume by signals
--- twilio
    return {};
--- test
    my $file = rows('pause', 500);
    my $tool = Voicebridge::Tool->start(
        bulk($file, '--follow' => 'none', '--live' => 1));

    until_dialled(5);
    $tool->kill('USR1');
    $tool->has(err => qr/paused/);

    my $then = keys %{dialled()};
    cmp_ok $then, '<', 500, 'it pauses';

    $tool->kill('USR2');
    my $run = $tool->finish(sub { twilio()->events });

    is $run->{status}, 0, 'and goes on';
    once(500, 'each was dialled once');



=== too many failures, a server that does not want us, one that is busy
--- twilio
    our $requests;
    my ($n) = ($request->{form}{To} // '') =~ /(\d{4})$/;

    return { status => 400, body => { code => 21211, message => 'no' } };
--- test
    my $file = rows('fail', 200);

    my $run = tool(bulk($file, '--follow' => 'none', '--live' => 1,
                        '--max-failures' => 3));

    is $run->{status}, 4, 'stops by itself';
    like $run->{out}, qr/^Stopped: too many failures: 4 of the last 4\./m, 'why';
    like $run->{out}, qr/^The first failure: row 1, refused: .*21211: no; all /m,
         'and why they failed';
    is keys %{dialled()}, 4, 'after so many';

    $file = rows('percent', 200);
    $run = tool(bulk($file, '--follow' => 'none', '--live' => 1,
                     '--max-failures' => '50%'));
    is $run->{status}, 4, 'percent';
    like $run->{out}, qr/too many failures: 20 of the last 20/, 'of enough';

    $file = rows('key', 3);
    $run = tool({ VOICEBRIDGE_API_KEY => 'other' },
                bulk($file, '--follow' => 'none'));
    is $run->{status}, 3, 'a wrong key';
    like $run->{out}, qr/^Stopped: .*Invalid or missing API key; VOICEBRIDGE_A/m,
         'is told';

    $run = tool({ VOICEBRIDGE_URL => 'http://127.0.0.1:1' },
                bulk(rows('nobody', 3)));
    is $run->{status}, 3, 'nobody there';
    like $run->{out}, qr{^Stopped: http://127\.0\.0\.1:1: .*connect}mi, 'is told';
    unlike $run->{out}, qr/--follow/, 'with what does not help left out';

    $run = tool(bulk(rows('calls', 3), '--calls-path' => '/none'));
    is $run->{status}, 3, 'no list of calls';
    like $run->{out}, qr/^Stopped: calls cannot be followed: .*--calls-path is/m,
         'is told';

    # with the right key the rows are still to be done
    $run = tool(bulk($file, '--follow' => 'none', '--json'));
    is json()->decode($run->{out})->{outcomes}{refused}, 3, 'all three';



=== a server that asks to wait
--- twilio
    our $requests;

    return { status => 429, headers => { 'Retry-After' => 1 },
             body => { detail => 'Too many requests' } } if ++$requests == 2;
    return { status => 503 } if $requests == 3;
    return { status => 200, body => { success => \1,
                                      call_sid => sprintf 'CA%032d',
                                                          $requests } };
--- test
    my $file = rows('later', 3);
    my $run = tool({ VOICEBRIDGE_URL => twilio()->url },
        bulk($file, '--follow' => 'none', '--live' => 1, '--json'));

    is $run->{status}, 0, 'it is done in the end' or diag $run->{err};
    is json()->decode($run->{out})->{calls}, 3, 'by three calls';

    my @at = map { $_->{again} // () } journal($file);
    is scalar @at, 1, 'one was told that there is no call';

    my @keys = map { $_->{headers}{'idempotency-key'} =~ /(\d+-\d+)$/ }
                   grep { $_->{event} eq 'request' } twilio()->events;
    is_deeply [ @keys ], [ qw( 1-1 2-1 2-2 2-2 3-1 ) ],
              'in order; a 503 without words leaves it open';



=== rows without an agent
--- twilio
    return { status => 400, body => { detail => 'agent_id is required' } }
        if $request->{body} !~ /agent_id/;
    return { status => 200, body => { call_sid => 'CA' . 'a' x 32 } };
--- test
    my @bulk = bulk(rows('agents', 3), '--follow' => 'none');
    my %server = (VOICEBRIDGE_URL => twilio()->url);

    my $run = tool(\%server, @bulk);
    is $run->{status}, 3, 'are not used up';
    like $run->{out}, qr/^Stopped: .*agent_id is required; --agent, or/m,
         'but told, with what to do';
    like $run->{out}, qr/^rows +0  of 3$/m, 'and wait';

    $run = tool(\%server, @bulk, '--agent' => 'a');
    is $run->{status}, 0, 'until there is one' or diag $run->{out};
    like $run->{out}, qr/^completed +3 /m, 'for all';



=== calling hours, also where clocks are changed
--- twilio
    return {};
--- test
    my $file = scratch('hours.csv', "phone_number,timezone\n"
        . "+15005550001,Europe/Berlin\n+15005550002,America/New_York\n"
        . "+15005550003,Nowhere/City\n+15005550004,\n");

    my $at = sub {
        my ($now, @options) = @_;

        my $run = tool('bulk', $file, '--dry-run', '--verbose', '--timezone' =>
            'Asia/Kolkata', '--now' => $now, @options);

        return map { s/^row \d+, [^:]+: //r }
                   grep { /^row/ } split /\n/, $run->{out};
    };

    # the night in which Berlin's clocks go from 2 to 3
    is_deeply [ $at->('2026-03-28T22:00:00Z', '--hours' => '09:00-20:00') ],
        [ 'would wait until 2026-03-29T07:00:00.000Z',
          'would be called',
          'there is no time zone "Nowhere/City", it has to be like '
          . 'Europe/Berlin',
          'would wait until 2026-03-29T03:30:00.000Z' ], 'an hour earlier';
    is +($at->('2026-03-27T22:00:00Z', '--hours' => '09:00-20:00'))[0],
        'would wait until 2026-03-28T08:00:00.000Z', 'than the day before';

    is +($at->('2026-03-28T22:00:00Z', '--hours' => '02:15-02:45'))[0],
        'would wait until 2026-03-30T00:15:00.000Z', 'an hour there is not';

    # and back from 3 to 2, so that there is 2:30 twice
    is +($at->('2026-10-25T00:30:00Z', '--hours' => '02:15-02:45'))[0],
        'would be called', 'the first 2:30';
    is +($at->('2026-10-25T00:50:00Z', '--hours' => '02:15-02:45'))[0],
        'would wait until 2026-10-25T01:15:00.000Z', 'between them';
    is +($at->('2026-10-25T01:30:00Z', '--hours' => '02:15-02:45'))[0],
        'would be called', 'the second 2:30';

    # 2026-03-27 is a Friday
    is +($at->('2026-03-27T21:00:00Z', '--hours' => '08:00-12:00,14:00-18:00',
               '--days' => 'mon-fri'))[0],
        'would wait until 2026-03-30T06:00:00.000Z', 'a weekend';
    is +($at->('2026-03-28T23:30:00Z', '--hours' => '22:00-06:00'))[0],
        'would be called', 'over midnight';

    # for real: nobody is called now, and that is not the end
    my $other = strftime '%H:00-%H:59', gmtime(time() + 7200);
    my $rows = rows('wait', 3);
    my @bulk = bulk($rows, '--follow' => 'none', '--timezone' => 'UTC');

    my $run = tool(@bulk, '--hours' => $other, '--no-wait');
    is $run->{status}, 5, 'there is more to do';
    like $run->{out}, qr/what is left has to wait/, 'later';
    is_deeply dialled(), {}, 'nobody is called';

    my $tool = Voicebridge::Tool->start(@bulk, '--hours' => $other);
    $tool->has(err => qr/3 waiting until \w+ \d\d:\d\d UTC/);
    $tool->kill('TERM');
    is $tool->finish->{status}, 5, 'or it waits';

    is tool(@bulk)->{status}, 0, 'without hours they are called';
    once(3, 'each once');



=== a test call first
--- twilio
    our $posts;

    return { body => { sid => sprintf('CA%032d', ++$posts),
                       status => 'queued' } }
        if $request->{method} eq 'POST';

    my ($n) = $request->{path} =~ m{/CA0*(\d+)\.json};
    return { body => { sid => 'x', status => $n == 1 ? 'busy' : 'completed' } };
--- test
    my $file = rows('test', 3);
    my @bulk = (\%main::twilio, bulk($file, '--follow' => 'twilio',
        '--twilio-api-url' => twilio()->url, '--test-call' => '+15005550099'));

    my $run = tool(@bulk);
    is $run->{status}, 1, 'it was busy';
    like $run->{err}, qr/the test call was busy$/m, 'is told';
    is_deeply dialled(), { '+15005550099' => 1 }, 'nobody else is called';

    $run = tool(@bulk);
    is $run->{status}, 0, 'it was answered' or diag $run->{err};
    is_deeply dialled(), { '+15005550099' => 2, '+15005550001' => 1,
        '+15005550002' => 1, '+15005550003' => 1 }, 'and so were all';

    my ($test) = grep { $_->{form}{To} && $_->{form}{To} =~ /99$/ }
                      twilio()->events;
    like $test->{form}{Twiml}, qr/No\. 1, /, 'with the first row\'s variables';



=== JSON lines, the standard input, rows that come twice
--- twilio
    return {};
--- test
    my $file = scratch('rows.jsonl', <<'EOJ');
{"phone_number": "+15005550001", "name": "Zo\u00eb \"x\"", "due": 120.50, "n": null}

{"to_number": "+1 500 555 0002", "agent_id": "agent_2", "tags": ["a", 1]}
{"phone_number": "+15005550001"}
{"phone_number": "+15005550004", "o": {"a": 1}}
{"phone_number": 15005550005}
no JSON
EOJ
    unlink "$file.journal";

    my $run = tool(bulk($file, '--follow' => 'none', '--unique', '--verbose'));

    is $run->{status}, 1, 'some are bad';
    is_deeply dialled(), { '+15005550001' => 1, '+15005550002' => 1 },
              'the others are called';
    like $run->{err}, qr/row 3, .*: blocked: the number was in a row before/,
         'once';
    like $run->{err}, qr/row 4, .*: invalid: o is an object/, 'an object';
    like $run->{err}, qr/row 5, .*: invalid: phone_number must be a string/,
         'a number that is not a string';
    like $run->{err}, qr/row 6, .*: invalid: line 7 is no JSON object/, 'none';

    my ($first) = grep { ($_->{form}{To} // '') =~ /01$/ } twilio()->events;
    like $first->{form}{Twiml}, qr/due&quot;: ?120\.50\b/, 'as it was written';

    my $journal = scratch('stdin.journal');
    unlink $journal;
    my $quoted = join ' ', map { "'$_'" } program(), bulk('-', '--format' =>
        'jsonl', '--follow' => 'none', '--journal' => $journal, '--url' =>
        "http://127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}");

    for (1, 2) {
        my $out = `echo '{"phone_number": "+15005550077"}' \\
            | VOICEBRIDGE_API_KEY=$ENV{TEST_NGINX_API_KEY} $quoted 2>&1`;
        is $?, 0, 'from a pipe' or diag $out;
    }

    is dialled()->{'+15005550077'}, 1, 'also twice';



=== a file that is not that of its journal, and other mistakes
--- twilio
    return {};
--- test
    my $file = rows('changed', 5);
    my @bulk = bulk($file, '--follow' => 'none');

    is tool(@bulk)->{status}, 0, 'five rows';

    open my $out, '>>', $file or die;
    print $out "+15005550006,more\n";
    close $out;
    is tool(@bulk)->{status}, 0, 'more may come';
    once(6, 'and is dialled');

    scratch('changed.csv', "phone_number,name\n+15005550009,other\n" x 1);
    my $run = tool(@bulk);
    is $run->{status}, 2, 'fewer are a mistake';
    like $run->{err}, qr/fewer rows than its journal/, 'it is told';

    scratch('changed.csv', "phone_number,name\n" . join '', map {
        "+1500555000$_,other\n" } 1 .. 6);
    $run = tool(@bulk);
    is $run->{status}, 2, 'and so are others';
    like $run->{err}, qr/its rows are not those its journal knows/, 'too';

    # two runs at a time
    my $many = rows('lock', 1000);
    my $first = Voicebridge::Tool->start(bulk($many, '--follow' => 'none',
                                              '--rate' => '100/s'));
    until_dialled(8);
    $run = tool(bulk($many, '--follow' => 'none'));
    is $run->{status}, 2, 'one after the other';
    like $run->{err}, qr/in use by another run/, 'is told';
    $first->kill('TERM');
    is $first->finish->{status}, 5, 'TERM';

    for ([ "name\nx\n",                     qr/no column phone_number/ ],
         [ "phone_number;name\nx;y\n",      qr/is the --delimiter right/ ],
         [ "Phone_Number,a\n",              qr/, the first is "Phone_Number"$/ ],
         [ "+15005550009,a\n",              qr/, the first is "\+\*+0009"$/ ],
         [ "phone_number,a,a\n",            qr/two columns "a"/ ],
         [ "phone_number" . ',' x 1024,     qr/more than 1024 fields/ ],
         [ "",                              qr/there is no header/ ],
         [ "phone_number\n\"+1500",         qr/line 2: a quote that is not/ ],
         [ "phone_number\n\"+1500\"x\n",    qr/line 2: something between/ ],
         [ "phone_number\n+1\0",            qr/a NUL/ ],
         [ "\xff\xfep\0h\0",                qr/UTF-16/ ])
    {
        my ($text, $says) = @$_;
        my $bad = scratch('bad.csv', $text);

        $run = tool(bulk($bad, '--follow' => 'none'));
        is $run->{status}, 2, 'a bad file';
        like $run->{err}, $says, 'is told';
        ok !-e "$bad.journal", 'before there is a journal';
    }

    for ([ ['--types' => 'due=number'],   qr/no variable "due"/ ],
         [ ['--types' => 'name=text'],    qr/--types wants/ ],
         [ ['--hours' => '9-5'],          qr/--hours is like/ ],
         [ ['--days' => 'monday'],        qr/--days is like/ ],
         [ ['--timezone' => 'Mars/Base'], qr/there is no such zone/ ],
         [ ['--retry' => 'completed=1:1s'], qr/of busy, .*, machine and / ],
         [ ['--journal' => '/nowhere/x'], qr/; --journal FILE has it elsewh/ ],
         [ ['--fast'],                    qr/^voicebridge: unrec.* '--fast'$/m ],
         [ ['--rate' => 'fast'],          qr/--rate is like/ ],
         [ ['--live' => 0],               qr/--live is a number/ ],
         [ ['--max-failures' => 'many'],  qr/--max-failures is/ ],
         [ ['--follow' => 'me'],          qr/--follow wants/ ],
         [ ['--do-not-call' => $file],    qr/line 1: no number/ ],
         [ ['--idempotency' => 'on'],     qr/--idempotency is/ ])
    {
        my ($arguments, $says) = @$_;

        $run = tool('bulk', rows('ok', 1), @$arguments);
        is $run->{status}, 2, "@$arguments";
        like $run->{err}, $says, 'is told';
    }



=== a million rows in constant memory, and a bar on a terminal
--- twilio
    return {};
--- test
    my $file = scratch('million.csv');
    open my $out, '>', $file or die;
    print $out "phone_number,name,due,timezone\n";
    my @zones = qw( Europe/Berlin America/New_York Asia/Kolkata UTC );
    printf $out "+4915%08d,\"Zo\xc3\xab, %d\",%d.50,%s\n", $_, $_, $_,
           $zones[$_ & 3] for 1 .. 1000000;
    close $out;

    my $run = tool('bulk', $file, '--dry-run', '--types' => 'due=number',
                   '--hours' => '09:00-20:00', '--json');
    my $result = json()->decode($run->{out});

    is $run->{status}, 0, 'a dry run';
    is $result->{rows}, 1000000, 'of a million rows';
    is $result->{now} + $result->{later}, 1000000, 'which are all good';

    my $limited = `ulimit -d 4000; ${\ program()} bulk $file --dry-run 2>&1`;
    like $limited, qr/1000000 would be called now/, 'in little memory'
        if memory_is_plain($$);

    unlink $file;

    my $rows = rows('bar', 20);
    my $command = join ' ', program(), bulk($rows, '--follow' => 'none',
        '--url' => "http://127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}");
    my $shown = `VOICEBRIDGE_API_KEY=$ENV{TEST_NGINX_API_KEY} script -qec \\
                 "$command --rate 100" /dev/null </dev/null 2>&1`;

    like $shown, qr/\[#+-+\] \d+ of 20, \d+ %/, 'a bar';
    once(20, 'and its calls');

    for my $columns (60, 30) {
        unlink "$rows.journal";

        $shown = `VOICEBRIDGE_API_KEY=$ENV{TEST_NGINX_API_KEY} script -qec \\
                  "stty cols $columns; $command --rate 100" /dev/null \\
                  </dev/null 2>&1`;

        my @lines = grep { / of 20, / && !/^rows/ } split /\r\n|\r|\e\[K/,
                                                        $shown;

        cmp_ok scalar(@lines), '>', 2, "$columns columns: is shown";
        is_deeply [ grep { length >= $columns } @lines ], [],
                  'in one line of the terminal';
        unlike $shown, qr/[-#]\]/, 'without the bar' if $columns < 40;
    }
