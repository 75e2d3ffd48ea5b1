#!/usr/bin/perl

# Instructions for a frame in the pure rooms, by callgrind, against the
# figures in bench/guard.figures: no stage may take over 5 % more.  A machine
# need not be quiet for that; but compiler, flags and C library have to be
# those of the figures.
#
#     t/guard.t --update      ("make guard-update") writes the figures anew

use strict;
use warnings;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use Test::More;

use constant TOLERANCE => 1.05;

my $top = abs_path(dirname(__FILE__) . '/..');
my $build = $ENV{VOICEBRIDGE_BUILD} || "$top/build";
my $figures = "$top/bench/guard.figures";
my $update = @ARGV && $ARGV[0] eq '--update';

chomp(my $about = `$build/guard --about`);
die "$build/guard does not run\n" if $?;

my ($made, %figure) = read_figures();

if (!$update) {
    plan skip_all => "no valgrind" if system('valgrind --version >/dev/null');
    plan skip_all => "the figures are those of $made, this is $about"
        if $about ne $made;
}

my ($count, @order) = count();

if ($update) {
    write_figures();
    exit;
}

for my $stage (@order) {
    my ($now, $then) = ($count->{$stage}, delete $figure{$stage});

    if (!defined $then) {
        fail("$stage has no figure: make guard-update");
        next;
    }

    cmp_ok $now, '<=', $then * TOLERANCE,
           sprintf '%s: %d instructions a frame, %+.1f %%', $stage, $now,
                   ($now / $then - 1) * 100;

    diag("$stage takes $now instead of $then: make guard-update keeps that")
        if $now * TOLERANCE < $then;
}

is join(' ', sort keys %figure), '', 'and no figure is left';

done_testing();


# {stage => instructions a frame}, and the stages in order

sub count {
    my $dir = tempdir(CLEANUP => 1);

    my $frames = `valgrind -q --tool=callgrind --callgrind-out-file=$dir/out \\
                           $build/guard`;
    die "valgrind failed\n" if $?;

    my (%count, @order);

    for my $n (1 .. 1000) {
        open my $in, '<', "$dir/out.$n" or last;
        my $dump = join '', <$in>;

        my ($stage) = $dump =~ /^desc: Trigger: Client Request: (\S+)$/m or die;
        my ($total) = $dump =~ /^totals: (\d+)$/m or die;

        push @order, $stage;
        $count{$stage} = sprintf '%.0f', $total / $frames;
    }

    die "callgrind has counted nothing\n" unless @order;

    return \%count, @order;
}


sub read_figures {
    my (%figure, $made);

    open my $in, '<', $figures or return '';

    while (<$in>) {
        chomp;

        if (/^# made with (.*)/) {
            $made = $1;
        } elsif (/^(\S+)\s+(\d+)$/) {
            $figure{$1} = $2;
        }
    }

    return $made, %figure;
}


sub write_figures {
    open my $out, '>', $figures or die "$figures: $!\n";

    print $out "# Instructions for a frame, see guard.c; by make guard-update\n",
               "# made with $about\n\n",
               map { sprintf "%-36s%6d\n", $_, $count->{$_} } @order;

    close $out or die "$figures: $!\n";

    print "$figures\n";
}
