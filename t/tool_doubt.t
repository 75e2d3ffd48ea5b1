# voicebridge bulk: a call that may be there is asked for by its own key only,
# whatever is answered meanwhile.

use Voicebridge::Test;
use Voicebridge::Tool qw( scratch tool );
use Voicebridge::WebSocket qw( json );

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', "    location = /none { return 404; }\n");
});

sub rows {
    my ($name, @numbers) = @_;

    unlink scratch("$name.csv.journal");

    return scratch("$name.csv", join "\n", 'phone_number,name',
                   map { "$_,x" } @numbers);
}

sub number { return sprintf '+1500555%04d', shift }

# of a server that is the peer itself

sub bulk {
    my ($file, @arguments) = @_;

    return tool({ VOICEBRIDGE_URL => twilio()->url }, 'bulk', $file,
                '--rate' => 0, '--follow' => 'none', '--json', @arguments);
}

sub result { return eval { json()->decode($_[0]{out}) } // {} }

# what was asked for, as "row-attempt"

sub keys_asked {
    return [ map { $_->{headers}{'idempotency-key'} =~ /(\d+-\d+)$/ }
                 grep { $_->{event} eq 'request' } twilio()->events ];
}

sub journal {
    my $file = shift;

    open my $in, '<', "$file.journal" or die "$file.journal: $!\n";
    return map { json()->decode($_) } <$in>;
}

run_tests();

__DATA__

=== busy, and away, before the call that may be there is told of
--- twilio
    our $n;
    my @answers = ({ close => 1 },
        { status => 503, headers => { 'Retry-After' => 1 },
          body => { detail => 'The service is not available' } },
        { status => 429, headers => { 'Retry-After' => 1 },
          body => { detail => 'Too many requests' } },
        { status => 502, body => { detail => 'there is no call' } });

    return $answers[$n++] // { status => 200, body => { call_sid => 'CA' . 'a' x 32 } };
--- test
    my $file = rows('busy', number(1));
    my $run = bulk($file);

    is $run->{status}, 0, 'it is there' or diag $run->{err};
    is_deeply keys_asked(), [ ('1-1') x 5 ], 'its key, every time';



=== a server that refuses everybody meanwhile
--- twilio
    our $n;

    $n++;
    return { close => 1 } if $n == 1;
    return { status => 401, body => { detail => 'Invalid' } } if $n == 2;
    return { status => 200, body => { call_sid => 'CA' . 'a' x 32 } };
--- test
    my $file = rows('refused', number(1));

    is bulk($file)->{status}, 3, 'a key that is wrong';
    is bulk($file)->{status}, 0, 'and is right again';
    is_deeply keys_asked(), [ ('1-1') x 3 ], 'the same call';



=== an answer that is not the server's own
--- twilio
    our $n;

    $n++;
    return { status => 503, headers => { 'Retry-After' => 1 },
             raw => "HTTP/1.1 503 x\r\nContent-Length: 5\r\n"
                    . "Retry-After: 1\r\n\r\nreset" } if $n == 1;
    return { status => 202, body => {} } if $n == 2;
    return { status => 200, body => { call_sid => 'CA' . 'a' x 32 } };
--- test
    my $file = rows('proxy', number(1));
    my $run = bulk($file);

    is $run->{status}, 0, 'of something between them' or diag $run->{out};
    is_deeply keys_asked(), [ ('1-1') x 3 ],
              'says nothing about the call';



=== the row is asked for with other variables
--- twilio
    our $n;

    return $n++ ? { status => 422, body => { detail =>
                    'This Idempotency-Key was used with another body' } }
                : { never => 1 };
--- test
    my $file = rows('other', number(1));
    my $tool = Voicebridge::Tool->start({ VOICEBRIDGE_URL => twilio()->url },
        'bulk', $file, '--follow' => 'none');

    twilio()->event('request');
    $tool->kill('KILL')->finish;

    my $run = bulk($file, '--var' => 'a=1');

    is result($run)->{outcomes}{unknown}, 1, 'there may be a call'
        or diag $run->{out};
    is result($run)->{outcomes}{refused}, 0, 'it is not one refused';



=== answers that leave all calls open
--- twilio
    return { status => 504, body => { detail => 'may exist' } };
--- test
    my $file = rows('open', map { number($_) } 1 .. 30);
    my $run = Voicebridge::Tool->start({ VOICEBRIDGE_URL => twilio()->url },
        'bulk', $file, '--rate' => 0, '--follow' => 'none', '--json')
        ->finish(sub { twilio()->events });

    is $run->{status}, 3, 'end it';
    like result($run)->{stopped}, qr/10 calls after the other/, 'why';
    cmp_ok result($run)->{outcomes}{unknown} // 30, '<', 20, 'soon';



=== a number that asked not to be called while its row waited
--- twilio
    return { status => 200, body => { call_sid => 'CA' . 'a' x 32 } };
--- test
    my $hour = (gmtime)[2];
    my $later = sprintf '%02d:00-%02d:59', ($hour + 2) % 24, ($hour + 2) % 24;
    my $file = rows('stop', number(1), number(2));
    my $stop = scratch('stop.txt', number(1));

    is bulk($file, '--timezone' => 'UTC', '--hours' => $later,
            '--no-wait')->{status}, 5, 'both wait';

    my $run = bulk($file, '--do-not-call' => $stop);

    is $run->{status}, 0, 'then one is called';
    is result($run)->{outcomes}{blocked}, 1, 'the other is not';
    is_deeply keys_asked(), [ '2-1' ], 'at all';



=== a zone that is only a place for zones
--- twilio
    return {};
--- test
    my $file = scratch('zone.csv', "phone_number,timezone\n+15005550001,Europe"
                       . "\n+15005550002,Europe/Berlin\n");
    my $run = tool('bulk', $file, '--dry-run', '--verbose', '--hours' =>
                   '00:00-24:00');

    like $run->{out}, qr/^row 1, .*: there is no time zone "Europe", it has/m,
         'is none';
    like $run->{out}, qr/^row 2, .*: would be called$/m, 'a real one is one';
    is tool('bulk', $file, '--dry-run', '--timezone' => 'America')->{status},
       2, 'for all rows';

    $run = tool('bulk', $file, '--rate' => 0, '--follow' => 'none');
    like $run->{err}, qr/1 of 2 rows will not be dialled, .* zone "Europe"/,
         'said before anybody is called';



=== a header without a name, text that is not UTF-8
--- twilio
    return {};
--- test
    my $run = tool('bulk', scratch('h.csv', "phone_number,name,\n+1500,x,\n"),
                   '--dry-run');
    is $run->{status}, 2, 'a column without a name';
    like $run->{err}, qr/column 3 has no name/, 'is told';

    $run = tool('bulk', scratch('h.csv', "phone_number,n\xe4me\n"),
                '--dry-run');
    is $run->{status}, 2, 'a name in Latin 1';
    like $run->{err}, qr/not UTF-8/, 'is told';

    $run = tool('bulk', scratch('h.csv', "phone_number,session_id\n"
                . "+15005550001,\xe4\n"), '--dry-run');
    is $run->{status}, 1, 'a session in Latin 1';
    like $run->{out}, qr/row 1: line 2 is not UTF-8/, 'is told';
