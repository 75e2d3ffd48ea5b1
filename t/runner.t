#!/usr/bin/perl

# t/lib/prove and t/lib/run: who sees the last lines of a run that failed, sees
# what failed, and nothing of another run.

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use Test::More;

my $lib = abs_path(dirname(__FILE__) . '/lib');
my $dir = tempdir(CLEANUP => 1);

test('good.t', 'pass "a good one";');
test('bad.t', <<'EOT');
    pass "test $_" for 1 .. 50;
    is 7 * 6, 41, "the answer";
    pass "test $_" for 52 .. 90;
    note "a note";
EOT


my ($status, @lines) = prove('good.t', 'bad.t');

is $status, 1, "prove's status";
like last_lines(@lines), qr/not ok 51 - the answer/, 'what failed';
like last_lines(@lines), qr/got: '42'\n#\s+expected: '41'/, 'and how';
like last_lines(@lines), qr/^Result: FAIL\n(?:.*\n)*.*\bbad\.t\n/m,
     "behind prove's summary";
unlike last_lines(@lines), qr/test 50/, 'and nothing of what did not';

test('long.t', <<'EOT');
    print STDERR "WARNING: what Test::Nginx says of a log\n" x 1000;
    print STDERR "nginx: [warn] of a configuration\n" x 1000;
    is "a\n" x 500 . "x" x 5000, "b", "something long";
    is 1, 2, "test $_" for 1 .. 1000;
EOT

($status, @lines) = prove('long.t');

is $status, 1, 'a lot that failed';
like last_lines(@lines), qr/not ok 1 - something long/, 'what failed first';
like last_lines(@lines), qr/failed 1001 tests of 1001/, 'and how much';
like last_lines(@lines), qr/\[\d+ lines in .*long\.t\.failed\]/,
     'and where more of it is';

my $kept = kept('long.t');

cmp_ok $kept =~ tr/\n//, '<', 130, 'bounded in lines';
cmp_ok length $kept, '<', 130 * 210, 'and in bytes';

test('dies.t', 'pass; print STDERR "x" x 5000, "y"; kill KILL => $$; sleep 1;');

($status, @lines) = prove('dies.t');

is $status, 1, 'one that is killed';
like last_lines(@lines), qr/^x{200}\.\.\.\n# signal 9$/m,
     'its last words, cut, and how it ended';

unlike last_lines(@lines), qr/long\.t|bad\.t/, 'nothing of runs before';

test('todo.t', 'TODO: { local $TODO = "later"; ok 0, "not yet"; }'
               . ' fail "at once";');

($status, @lines) = prove('todo.t');

unlike kept('todo.t'), qr/^not ok.*not yet/m, 'what may fail is not told';
like kept('todo.t'), qr/^not ok 2 - at once/m, 'but what may not';

($status, @lines) = prove(map { "$_.t" } qw( bad long dies todo ));

is $status, 1, 'several';
like join('', @lines), qr/the answer(?s:.*)something long(?s:.*)at once/,
     'each says what failed';

test('bad.t', 'pass "mended";');

($status, @lines) = prove('bad.t');

is $status, 0, 'a status of 0';
like $lines[-1], qr/^Result: PASS$/, 'the last line is the result';
ok !-e "$dir/build/t/bad.t.failed", 'nothing is kept of what passed';

done_testing();


sub test {
    my ($name, $text) = @_;

    open my $out, '>', "$dir/$name" or die "$dir/$name: $!";
    print $out "use strict; use warnings; use Test::More;\n",
               "$text\ndone_testing();\n";
    close $out;
}


sub prove {
    my @files = map { "$dir/$_" } @_;

    local $ENV{VOICEBRIDGE_BUILD} = "$dir/build";
    delete local $ENV{VOICEBRIDGE_TEST_DIR};
    delete local $ENV{HARNESS_ACTIVE};

    my @said = qx($lib/prove -j 2 @files 2>&1);

    return ($? >> 8, @said);
}


# make adds some of its own

sub last_lines { return join '', @_ > 22 ? @_[-22 .. -1] : @_ }


sub kept {
    my $name = shift;

    open my $in, '<', "$dir/build/t/$name.failed" or return '';
    local $/;
    return scalar <$in>;
}
