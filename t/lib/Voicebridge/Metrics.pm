package Voicebridge::Metrics;

# What operators see: Prometheus' text, read by rules of its format 0.0.4, and
# the calls' JSON.
#
#     my $m = metrics();                       # /metrics, dies if not valid
#     is $m->{'voicebridge_calls_live'}, 0;    # series as they are written
#     until_metric('voicebridge_calls_live', 2);
#     my $calls = calls('?limit=1');           # /calls

use strict;
use warnings;

use Exporter qw( import );
use File::Temp ();
use Time::HiRes qw( sleep time );
use Voicebridge::HTTP qw( http );
use Voicebridge::WebSocket qw( deadline_after );

our @EXPORT_OK = qw( calls metrics parse promtool until_calls until_metric );

my $name = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $label = qr/[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"/;
my $number = qr/[+-]?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|Inf|NaN)/;


sub metrics {
    my $answer = http(GET => '/metrics');

    die "metrics: status $answer->{status}\n" unless $answer->{status} == 200;

    my $type = $answer->{headers}{'content-type'};

    die "metrics are $type\n"
        unless $type eq 'text/plain; version=0.0.4; charset=utf-8';

    return parse($answer->{body});
}


# every series with its value

sub parse {
    my $text = shift;

    die "the last line has no end\n" unless $text =~ /\n\z/;

    my (%value, %type, %help, $family);

    for (split /\n/, $text) {

        if (/^# HELP ($name) (\S.*)$/) {
            die "a second HELP of $1\n" if $help{$1}++;
            $family = $1;
            next;
        }

        if (/^# TYPE ($name) (counter|gauge|histogram)$/) {
            die "a second TYPE of $1\n" if $type{$1};
            die "TYPE of $1 is not behind its HELP\n" if $1 ne $family;
            $type{$1} = $2;

            die "$1 is a $2\n" if ($2 eq 'counter') != ($1 =~ /_total$/);
            next;
        }

        /^($name)(?:\{($label(?:,$label)*)\})? ($number)$/
            or die "not a sample: $_\n";

        my ($of, $series, $value) = ($1, $1 . (defined $2 ? "{$2}" : ''), $3);

        $of =~ s/_(?:bucket|sum|count)$//
            if ($type{$family} // '') eq 'histogram';

        die "$series is not of $family\n" if $of ne $family;
        die "a second $series\n" if exists $value{$series};
        die "$series is negative\n" if $value < 0;

        $value{$series} = 0 + $value;
    }

    # one for each set of labels but le
    my %bucket;

    for (keys %value) {
        $bucket{"$1\0" . ($2 // '')}{$3} = $value{$_}
            if /^($name)_bucket\{(?:(.*),)?le="(.*)"\}$/;
    }

    for (sort keys %bucket) {
        my ($histogram, $labels) = split /\0/;
        my ($last, $bound) = (0, $bucket{$_});

        # in the order of their bounds, they never fall
        for my $le (sort { $a <=> $b } keys %$bound) {
            die "$histogram falls at $le\n" if $bound->{$le} < $last;
            $last = $bound->{$le};
        }

        my $count = "${histogram}_count" . ($labels ? "{$labels}" : '');

        die "$histogram has no +Inf that is its count\n"
            unless ($bound->{'+Inf'} // -1) == $value{$count};

        delete $type{$histogram};
    }

    die "$_ has no buckets\n"
        for grep { $type{$_} eq 'histogram' } keys %type;

    return \%value;
}


# promtool's complaints

sub promtool {
    my $text = shift;

    my ($tool) = grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH};

    die "no promtool: tools/deps test installs it\n" unless $tool;

    my $file = File::Temp->new;

    print $file $text;
    close $file or die "$file: $!\n";

    my $said = qx($tool check metrics < $file 2>&1);

    return $? ? "status $?: $said" : $said;
}


# what a call's end changes comes after the test has seen the end

sub until_metric {
    my ($series, $expected) = @_;

    my $deadline = deadline_after();

    while (1) {
        my $m = metrics();
        my $value = $m->{$series} // 0;

        return $m if $value == $expected;

        die "$series is $value, not $expected\n" if time() > $deadline;
        sleep 0.02;
    }
}


sub calls {
    my $answer = http(GET => '/calls' . (shift // ''));

    die "calls: status $answer->{status}\n" unless $answer->{status} == 200;

    return $answer->{json};
}

sub until_calls {
    my ($query, $done) = @_;

    my $deadline = deadline_after();

    while (1) {
        my $calls = calls($query);

        return $calls if $done->($calls);

        die "calls never became what they should\n" if time() > $deadline;
        sleep 0.02;
    }
}


1;
