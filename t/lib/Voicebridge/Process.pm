package Voicebridge::Process;

# What the kernel says of a process: its children, descriptors, memory and
# time.

use strict;
use warnings;

use Exporter qw( import );

our @EXPORT_OK = qw( children cpu_time descriptors memory memory_is_plain
                     peak_memory reset_peak );


sub children {
    my $pid = shift;

    return grep { parent($_) == $pid }
                map { m{^/proc/(\d+)$} } glob '/proc/[0-9]*';
}

sub parent { return (stat_of($_[0]))[1] // 0 }


# seconds that a process has computed

sub cpu_time {
    my ($user, $system) = (stat_of($_[0]))[11, 12];

    # USER_HZ, which is not what the kernel counts with
    return ($user + $system) / 100;
}


# what follows the name in /proc/PID/stat: state, parent, ...

sub stat_of {
    my $pid = shift;

    open my $in, '<', "/proc/$pid/stat" or return;

    my ($rest) = <$in> =~ /^\d+ \(.*\) (.*)$/s;

    return split ' ', $rest;
}


sub descriptors {
    my @open = glob "/proc/$_[0]/fd/*";

    return scalar @open;
}


# KiB that are resident now, and at most since the last reset

sub memory { return status_of($_[0], 'VmRSS') }

sub peak_memory { return status_of($_[0], 'VmHWM') }

sub status_of {
    my ($pid, $name) = @_;

    open my $in, '<', "/proc/$pid/status" or die "/proc/$pid/status: $!\n";

    my ($value) = map { /^\Q$name\E:\s+(\d+) kB/ } <$in>;

    return $value // die "/proc/$pid/status has no $name\n";
}

sub reset_peak {
    my $pid = shift;

    open my $out, '>', "/proc/$pid/clear_refs"
        or die "/proc/$pid/clear_refs: $!\n";

    print $out "5\n";
    close $out or die "/proc/$pid/clear_refs: $!\n";
}


# whether memory is what the program asks for; sanitizers and valgrind take
# and keep more

sub memory_is_plain {

    # tools/reports runs us, its sanitizers are a part of the program
    return 0 if defined $ENV{REPORTS};

    open my $in, '<', "/proc/$_[0]/maps" or return 0;

    return !grep { /libasan|libclang_rt|valgrind/ } <$in>;
}


1;
