package Voicebridge::Tone;

# Tones in ElevenLabs' formats, and what has become of them: the formulas of
# G.711 and of least squares, so that the module is not tested against itself.

use strict;
use warnings;

use Exporter qw( import );

our @EXPORT_OK = qw( formats level samples second tone tone_snr );

use constant PI => 4 * atan2(1, 1);

my %rate = (ulaw_8000 => 8000,
            map { ("pcm_$_" => $_) } 8000, 16000, 22050, 24000, 44100, 48000);

my (@decoded, @encoded);

for my $code (0 .. 255) {
    my $c = ~$code & 0xff;
    my $value = ((($c & 15) << 3) + 132 << ($c >> 4 & 7)) - 132;

    $decoded[$code] = $c & 0x80 ? -$value : $value;
}


sub formats { return sort keys %rate }

sub rate { return $rate{$_[0]} // die "there is no format $_[0]\n" }

# bytes of a second
sub second { return rate($_[0]) * ($_[0] eq 'ulaw_8000' ? 1 : 2) }


# bytes of a tone in a format; the level is that of its peak, 1 is the largest

sub tone {
    my ($format, $hz, $seconds, $level) = @_;

    my $rate = rate($format);
    my $step = 2 * PI * $hz / $rate;

    return bytes($format, map { ($level // 0.5) * 32124 * sin $step * $_ }
                              0 .. $rate * $seconds - 1);
}

sub bytes {
    my ($format, @samples) = @_;

    @samples = map { sprintf '%.0f', $_ } @samples;

    return pack 's<*', @samples unless $format eq 'ulaw_8000';
    return pack 'C*', map { $encoded[$_ & 0xffff] //= encode($_) } @samples;
}

sub encode {
    my $value = shift;

    my $sign = $value < 0 ? 0x80 : 0;
    my $size = abs $value > 32635 ? 32635 : abs $value;
    my $exponent = 7;

    $size += 132;
    $exponent-- while $exponent && !($size >> $exponent + 7 & 1);

    return ~($sign | $exponent << 4 | $size >> $exponent + 3 & 15) & 0xff;
}


# 16-bit samples of a format's bytes

sub samples {
    my ($format, $bytes) = @_;

    return unpack 's<*', $bytes unless $format eq 'ulaw_8000';
    return map { $decoded[$_] } unpack 'C*', $bytes;
}


# How much louder than all else a tone is, in dB, and its level.  The
# beginning and the end, where a filter swings in and out, do not count.

sub tone_snr {
    my ($format, $hz, $bytes) = @_;

    my $rate = rate($format);
    my @x = samples($format, $bytes);

    splice @x, 0, $rate / 20;
    splice @x, -$rate / 20;

    my $step = 2 * PI * $hz / $rate;
    my ($ss, $cc, $sc, $xs, $xc) = (0) x 5;

    for my $i (0 .. $#x) {
        my ($s, $c) = (sin $step * $i, cos $step * $i);

        $ss += $s * $s;
        $cc += $c * $c;
        $sc += $s * $c;
        $xs += $x[$i] * $s;
        $xc += $x[$i] * $c;
    }

    my $det = $ss * $cc - $sc * $sc;
    my $a = ($xs * $cc - $xc * $sc) / $det;
    my $b = ($xc * $ss - $xs * $sc) / $det;
    my ($signal, $noise) = (0, 1e-9);

    for my $i (0 .. $#x) {
        my $tone = $a * sin($step * $i) + $b * cos($step * $i);

        $signal += $tone ** 2;
        $noise += ($x[$i] - $tone) ** 2;
    }

    return (decibel($signal / $noise), sqrt($a * $a + $b * $b) / 32124);
}


# the power of all there is, in dB of the loudest sine

sub level {
    my ($format, $bytes) = @_;

    my @x = samples($format, $bytes);
    my $power = 1e-9;

    splice @x, 0, rate($format) / 20;
    splice @x, -rate($format) / 20;

    $power += $_ * $_ for @x;

    return decibel($power / @x / (32124 ** 2 / 2));
}

sub decibel { return 10 * log($_[0]) / log 10 }


1;
