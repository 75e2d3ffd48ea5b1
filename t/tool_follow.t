# The command-line tool and who tells it what became of calls: a key that is
# wrong, questions that are too many, words with whole numbers.

use Voicebridge::Test;
use Voicebridge::Tool qw( scratch tool );
use Voicebridge::WebSocket qw( json );

our $sid = 'CA' . 'c' x 32;
our $number = '+15005550009';

our %twilio = (TWILIO_ACCOUNT_SID => 'AC' . 'a' x 32,
               TWILIO_AUTH_TOKEN => 'token');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', "    location = /none { return 404; }\n");
});

# the peer is Twilio, and the server of the calls as well

sub server { return (%twilio, VOICEBRIDGE_URL => twilio()->url) }

sub call {
    return tool({ server() }, 'call', '--to' => $number, '--poll' => '20ms',
                '--twilio-api-url' => twilio()->url, @_);
}

sub bulk {
    my ($file, @arguments) = @_;

    unlink "$file.journal";

    return tool({ server() }, 'bulk', $file, '--rate' => 0, '--agent' => 'a',
                '--poll' => '20ms', '--twilio-api-url' => twilio()->url,
                @arguments);
}

sub requests {
    my $method = shift;

    return grep { $_->{event} eq 'request' && $_->{method} eq $method }
                twilio()->events;
}

run_tests();

__DATA__

=== Twilio does not know the key: nobody is dialled
--- twilio
    return { status => 401, body => { code => 20003 } }
        if $request->{method} eq 'GET';
    return { status => 200, body => { call_sid => $main::sid } };
--- test
    my @follow = ('--follow' => 'twilio');
    my $file = scratch('rows.csv', "phone_number\n$main::number\n");

    my $run = call(@follow);
    is $run->{status}, 3, 'call';
    like $run->{err}, qr/could not be followed: Twilio answers 401/, 'says why';

    $run = bulk($file, @follow);
    is $run->{status}, 3, 'bulk';
    like $run->{out}, qr/cannot be followed: Twilio answers 401/, 'says why';

    $run = bulk($file, @follow, '--test-call' => '+15005550001');
    is $run->{status}, 3, 'its test call';
    like $run->{err}, qr/cannot be followed: Twilio answers 401/, 'says why';

    is scalar(requests('POST')), 0, 'there is no call';
    is +(requests('GET'))[0]{user}, $main::twilio{TWILIO_ACCOUNT_SID},
       'who asked';

    is call(@follow, '--no-wait')->{status}, 0,
       'where nobody is asked it does not matter';



=== Twilio is asked too often
--- twilio
    return { status => 200, body => { call_sid => $main::sid } }
        if $request->{method} eq 'POST';

    our $asked;
    return { status => 429, body => { code => 20429 } } if ++$asked < 5;
    return { body => { sid => $main::sid, status => 'completed',
                       duration => '12' } };
--- test
    my $run = call('--follow' => 'twilio');

    is $run->{status}, 0, 'is asked again' or diag $run->{out} . $run->{err};
    like $run->{out}, qr/completed, 12\.0 s$/m, 'and tells';
    is $run->{err}, "voicebridge: the call goes on, but cannot be followed at "
                    . "the moment: Twilio answers 429\n", 'which is told once';
    is scalar(requests('GET')), 5, 'no more than that';



=== the server is
--- twilio
    return { status => 200, body => { call_sid => $main::sid } }
        if $request->{method} eq 'POST';

    our $asked;
    return { status => 429, headers => { 'Retry-After' => 1 } }
        if ++$asked == 1;
    return { status => 408 } if $asked == 2;
    return { status => 404 } if $asked > 3;
    return { status => 200, body => { recent => [], live => [ {
             call_sid => $main::sid, state => 'live' } ] } };
--- test
    my $start = Voicebridge::WebSocket::time();
    my $run = call();

    cmp_ok Voicebridge::WebSocket::time() - $start, '>=', 1,
           'is asked again when it said';
    like $run->{out}, qr/ s  live$/m, 'and tells';
    is $run->{status}, 6, 'until it is not there any more';
    like $run->{out}, qr/unknown: not followed$/m, 'which is final';



=== words with a whole number
--- twilio
    my $word = "is +1500555 no. $main::number? 15005550009!";

    return { status => 400, body => { detail => "to_number $word" } }
        if $request->{method} eq 'POST' && $request->{body} =~ /0001/;
    return { status => 200, body => { call_sid => $main::sid } }
        if $request->{method} eq 'POST';
    return { status => 200, body => { live => [], recent => [ {
             call_sid => $main::sid, state => 'ended', end_reason => 'failed',
             error => "the line $word" } ] } };
--- test
    my $rows = scratch('words.csv',
                       "phone_number\n+15005550001\n$main::number\n");
    my $run = bulk($rows, '--verbose');

    open my $in, '<', "$rows.journal" or die;
    my $journal = join '', <$in>;

    for ([ journal => $journal ], [ line => $run->{err} ]) {
        my ($name, $text) = @$_;

        like $text, qr/to_number is \+\*\*\*0555 no\. \+\*{7}0009\?/,
             "a refusal in the $name";
        like $text, qr/the line is .* \+\*{7}0009\? \*{7}0009!/,
             "a failure in the $name";
        unlike $text, qr/5005550009|15005550001/, 'is masked';
    }

    $run = call('--json');
    unlike $run->{out} . $run->{err}, qr/5005550009/, 'and where one is called';



=== an answering machine that is hung up on
--- twilio
    our @calls;

    if ($request->{method} eq 'POST') {
        push @calls, sprintf 'CA%032x', @calls + 1;
        return { status => 200, body => { call_sid => $calls[-1] } };
    }

    return { status => 200, body => { live => [], recent => [ map { {
        call_sid => $_, state => 'ended', duration => 4.2,
        $_ =~ /[123]$/ ? (end_reason => 'machine',
                         answered_by => 'machine_start')
                      : (end_reason => 'caller_hung_up') } } @calls ] } };
--- test
    my $file = scratch('machine.csv', "phone_number\n$main::number\n");

    my $run = call();

    is $run->{status}, 1, 'nobody was spoken to';
    like $run->{out}, qr/ s  machine: machine_start, 4\.2 s$/m, 'who it was';

    $run = bulk($file, '--max-failures' => 1);

    is $run->{status}, 1, 'not all are completed';
    like $run->{out}, qr/^machine +1 +100\.0 %$/m, 'an outcome of its own';

    open my $in, '<', "$file.journal" or die;
    like +(<$in>)[-1], qr/"outcome": "machine", .*"detail": "machine_start"/,
         'in the journal';

    $run = bulk($file, '--retry' => 'machine=1:10ms');

    is $run->{status}, 0, 'is tried again where that is wanted';
    like $run->{out}, qr/^completed +1 +100\.0 %$/m, 'and then it is a person';



=== a call of which its server knows nothing any more
--- twilio
    our ($asked, $placed);
    my $how = $placed // 0;

    if ($request->{method} eq 'POST') {
        ($asked, $placed) = (0, $how + 1);
        return { status => 200, body => { call_sid => $main::sid } };
    }

    my %live = (live => [ { call_sid => $main::sid, state => 'live' } ],
                recent => []);
    my @over = map { { call_sid => sprintf('CA%032x', $_), state => 'ended',
                       end_reason => 'agent_ended' } } 1 .. 100;

    return { status => 200, body => \%live } if ++$asked == 1;

    # a new zone
    return { status => 200, body => { live => [], recent => [] } } if $how == 1;

    # another server answers as well
    return { status => 200, body => { live => [], recent => [] } }
        if $how == 2 && $asked % 2 == 0;
    return { status => 200, body => $asked < 20 ? \%live :
              { live => [], recent => [ { call_sid => $main::sid,
                 state => 'ended', end_reason => 'agent_ended' } ] } }
        if $how == 2;

    # so many have ended since
    return { status => 200, body => { live => [], recent =>
             $request->{path} =~ /sid=/ ? [] : \@over } };
--- test
    my $run = call();

    is $run->{status}, 6, 'how it ended is not known';
    like $run->{out}, qr/unknown: the server does not know it any more$/m,
         'which is said';
    cmp_ok scalar(requests('GET')), '>=', 10, 'but not at once';

    $run = call();

    is $run->{status}, 0, 'two servers, one of which knows it';
    like $run->{out}, qr/completed: agent_ended$/m, 'which tells its end';

    $run = call();

    is $run->{status}, 0, 'one that was over so long ago that it is forgotten';
    like $run->{out}, qr/completed: ended$/m, 'in words';



=== a call that an operator ended
--- twilio
    return { status => 200, body => { call_sid => $main::sid } }
        if $request->{method} eq 'POST';
    return { status => 200, body => { live => [], recent => [ {
             call_sid => $main::sid, state => 'ended', duration => 3,
             end_reason => 'operator' } ] } };
--- test
    my $run = call();

    is $run->{status}, 1, 'was not completed';
    like $run->{out}, qr/ s  canceled: operator, 3\.0 s$/m,
         'and did not break down';
