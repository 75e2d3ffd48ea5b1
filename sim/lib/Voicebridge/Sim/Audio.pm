package Voicebridge::Sim::Audio;

# Samples, WAV files, mu-law, and how well a recording matches its source.
#
# Audio is kept as a string of native 16-bit samples, mono: 2 bytes a sample.
# The codec is written out from ITU-T G.711 and shares nothing with the
# module's, so that each is a check of the other.

use Mojo::Base -strict, -signatures;

use Exporter qw( import );
use File::Temp ();
use List::Util qw( max min sum0 );
use Mojo::File qw( path );

our @EXPORT_OK = qw(
    audio_format compare decibel decode encode level low_pass mulaw_decode
    mulaw_encode read_wav resample seconds tone write_wav
);


# every format an ElevenLabs agent may have

my @FORMATS = qw(
    ulaw_8000 pcm_8000 pcm_16000 pcm_22050 pcm_24000 pcm_44100 pcm_48000
);


# (codec, rate, bytes a sample) of a format's name

sub audio_format ($name) {
    die "\"$name\" is none of @FORMATS\n" unless grep { $_ eq $name } @FORMATS;

    my ($codec, $rate) = split /_/, $name;

    return ($codec, $rate, $codec eq 'ulaw' ? 1 : 2);
}


# bytes as a format has them on the wire, from samples and back

sub encode ($format, $samples) {
    return $format =~ /^ulaw/ ? mulaw_encode($samples)
                              : pack 's<*', unpack 's*', $samples;
}


sub decode ($format, $bytes) {
    return $format =~ /^ulaw/ ? mulaw_decode($bytes)
                              : pack 's*', unpack 's<*', $bytes;
}


# G.711 mu-law: sign, three bits of segment, four of step, all inverted; the
# segments are those of a 14-bit sample with a bias of 33, here in 16 bits

my @DECODE = map {
    my $code = ~$_ & 0xff;
    my $value = ((($code & 0x0f) << 3) + 0x84 << (($code >> 4) & 7)) - 0x84;

    $code & 0x80 ? -$value : $value;
} 0 .. 255;

# indexed by the sample as an unsigned number
my @ENCODE = map {
    my $sample = $_ < 32768 ? $_ : $_ - 65536;
    my $value = min(abs $sample, 32635) + 0x84;

    my $segment = 7;
    $segment-- while $segment && !($value & (0x80 << $segment));

    ~(($sample < 0 ? 0x80 : 0) | $segment << 4
      | ($value >> ($segment + 3)) & 0x0f) & 0xff;
} 0 .. 65535;


sub mulaw_encode ($samples) {
    return pack 'C*', @ENCODE[unpack 'S*', $samples];
}


sub mulaw_decode ($bytes) {
    return pack 's*', @DECODE[unpack 'C*', $bytes];
}


# a WAV file of 16-bit mono PCM: (samples, rate)

sub read_wav ($file) {
    my $data = path($file)->slurp;

    die "$file: not a WAV file\n" unless $data =~ /^RIFF....WAVE/s;

    my ($pos, $rate) = (12);

    while ($pos + 8 <= length $data) {
        my ($id, $size) = unpack "x$pos a4 V", $data;
        $pos += 8;

        if ($id eq 'fmt ') {
            my ($codec, $channels, $hz, $bits) =
                unpack "x$pos v v V x6 v", $data;

            die "$file: not 16-bit mono PCM\n"
                unless $codec == 1 && $channels == 1 && $bits == 16;

            $rate = $hz;
        }

        if ($id eq 'data') {
            die "$file: data before its format\n" unless $rate;

            # a writer to a pipe does not know the size
            my $samples = substr $data, $pos, $size & ~1;

            return (pack('s*', unpack 's<*', $samples), $rate);
        }

        $pos += $size + ($size & 1);
    }

    die "$file: no audio in it\n";
}


sub write_wav ($file, $samples, $rate) {
    my $data = pack 's<*', unpack 's*', $samples;

    my $head = pack 'a4 V a4 a4 V v v V V v v a4 V',
        'RIFF', 36 + length $data, 'WAVE',
        'fmt ', 16, 1, 1, $rate, $rate * 2, 2, 16,
        'data', length $data;

    return _write($file, $head . $data);
}


sub _write ($file, $bytes) {
    open my $out, '>:raw', $file or die "$file: $!\n";

    print $out $bytes;
    close $out or die "$file: $!\n";

    return $file;
}


sub seconds ($samples, $rate) { return length($samples) / 2 / $rate }


# a sine of an amplitude in 1/32768

sub tone ($rate, $hz, $seconds, $amplitude = 8000) {
    my $step = 2 * atan2(0, -1) * $hz / $rate;

    return pack 's*', map { int $amplitude * sin($_ * $step) + 0.5 }
                          0 .. $seconds * $rate - 1;
}


# the root mean square of samples, in 1/32768

sub level ($samples) {
    my $n = length($samples) / 2 or return 0;
    my $sum = 0;

    $sum += $_ * $_ for unpack 's*', $samples;

    return sqrt($sum / $n);
}


# a ratio of powers as text, whatever the powers

sub decibel ($ratio) { return $ratio > 0 ? 10 * log($ratio) / log(10) : -999 }


# sox does what needs a reference: converting rates, cutting a band

sub resample ($samples, $from, $to) {
    return $samples if $from == $to;
    return _sox($samples, $from, ['rate', '-v', $to], $to);
}


# what is above hz goes, as far as 16 bits can tell

sub low_pass ($samples, $rate, $hz) {
    return _sox($samples, $rate, ['sinc', '-a', 90, -$hz], $rate);
}


sub _sox ($samples, $rate, $effect, $to) {
    my $in = File::Temp->new(SUFFIX => '.raw');
    my $out = File::Temp->new(SUFFIX => '.raw');

    my @raw = qw( -t raw -e signed-integer -b 16 -c 1 -L );

    _write("$in", pack 's<*', unpack 's*', $samples);

    # what was full scale may overshoot: no dither, a little room
    system('sox', '-V1', '-D', @raw, -r => $rate, "$in", @raw, -r => $to,
           "$out", @$effect) == 0
        or die "sox failed: is it installed?\n";

    return pack 's*', unpack 's<*', path("$out")->slurp;
}


# How a recording differs from its source, both at the same rate.  Returns
# undef where the source is not in the recording, else
#
#   start, end   where its first sample is, in samples, and the last compared
#   gain         of the recording, in dB
#   snr          of everything compared, in dB
#   worst        [snr, position in seconds] of the piece that fares worst
#   gaps         [position in the source, seconds of nothing] where playing
#                stopped in between
#
# Pieces of 200 ms are compared one by one.  One delay, to a fraction of a
# sample, and one gain are fitted for the whole; a piece that lies elsewhere
# is a gap.  from and to, in samples, say where to look.

use constant PIECE => 0.2;

sub compare ($source, $recording, $rate, %option) {
    my @s = unpack 's*', $source;
    my @r = unpack 's*', $recording;

    my $from = max(0, int($option{from} // 0));
    my $to = min(scalar @r, int($option{to} // @r));

    my $size = int(PIECE * $rate);
    my ($loudest, $delay);

    # the gap may be just there
    for my $at (_loudest(\@s, $size)) {
        $delay = _locate(\@s, \@r, $rate, $loudest = $at, $from, $to);
        last if defined $delay;
    }

    return undef unless defined $delay;

    my $fraction = _fraction(\@s, \@r, $loudest, $size, $delay);
    my $shifted = _shift(\@s, $fraction);

    my $audible = _power($shifted, $loudest, $size) / 1e4;

    my ($signal, $noise, $cross, $end) = (0, 0, 0, 0);
    my (@pieces, @gaps);

    # the beginning is earlier where a gap comes before the loudest piece
    my $first = 0;
    $first += $size while _power($shifted, $first, $size) <= $audible;

    my $now = $delay;
    my $piece = _piece($shifted, \@r, $first, $size, $now);

    if (!$piece || $piece->{rho} < 0.95) {
        my $other = _search($shifted, \@r, $rate, $first, $size,
                            $delay - $rate, $delay - 1);
        $now = $other->[0] if $other;
    }

    my $start = $now;

    # the last piece is whole, too, though some of it is in the one before
    for my $at (_every($size, @s - $size), @s - $size) {
        my $power = _power($shifted, $at, $size);
        my $piece = _piece($shifted, \@r, $at, $size, $now);

        if ($power > $audible && (!$piece || $piece->{rho} < 0.95)) {
            my $other = _search($shifted, \@r, $rate, $at, $size, $now + 1,
                                $now + $rate);

            if ($other) {
                push @gaps, [$at / $rate, ($other->[0] - $now) / $rate];
                $now = $other->[0];
                $piece = _piece($shifted, \@r, $at, $size, $now);

                # the gap may have begun within the piece before
                pop @pieces if @pieces && $pieces[-1]{rho} < 0.95;
            }
        }

        $piece //= { signal => $power, cross => 0, heard => 0, rho => 0 };

        push @pieces, { %$piece, at => $at, audible => $power > $audible };

        $end = $at + $size + $now;
    }

    for my $p (@pieces) {
        $signal += $p->{signal};
        $cross += $p->{cross};
    }

    my $gain = $cross / ($signal || 1);
    my ($worst, $worst_at) = (999, 0);

    for my $p (@pieces) {
        my $n = $p->{heard} - 2 * $gain * $p->{cross}
                + $gain ** 2 * $p->{signal};

        $noise += $n;

        next unless $p->{audible};

        my $snr = decibel($gain ** 2 * $p->{signal} / max($n, 1));

        ($worst, $worst_at) = ($snr, $p->{at} / $rate) if $snr < $worst;
    }

    return {
        start => $start,
        end   => $end,
        gain  => decibel($gain ** 2),
        snr   => decibel($gain ** 2 * $signal / max($noise, 1)),
        worst => [$worst, $worst_at],
        gaps  => \@gaps,
    };
}


sub _every ($step, $end) {
    return map { $_ * $step } 0 .. ($end - 1) / $step;
}


sub _power ($s, $at, $size) {
    my $sum = 0;
    $sum += $_ * $_ for @$s[$at .. min($at + $size, scalar @$s) - 1];
    return $sum;
}


# the three pieces with most power, of those that have any

sub _loudest ($s, $size) {
    my %power;

    for (my $at = 0; $at + $size <= @$s; $at += $size) {
        my $power = _power($s, $at, $size);
        $power{$at} = $power if $power;
    }

    my @loudest = sort { $power{$b} <=> $power{$a} } keys %power;

    return @loudest > 3 ? @loudest[0 .. 2] : @loudest;
}


# sums over one piece of the source and what stands delay after it; undef
# where the recording has less

sub _piece ($s, $r, $at, $size, $delay) {
    return undef if $at + $delay < 0 || $at + $delay + $size > @$r;

    my ($ss, $sr, $rr) = (0, 0, 0);

    for my $i ($at .. $at + $size - 1) {
        my ($x, $y) = ($s->[$i], $r->[$i + $delay]);

        $ss += $x * $x;
        $sr += $x * $y;
        $rr += $y * $y;
    }

    my $rho = $ss && $rr ? $sr / sqrt($ss * $rr) : 0;

    return { signal => $ss, cross => $sr, heard => $rr, rho => $rho };
}


# The delay at which one piece fits best, and how well; undef where it fits
# nowhere.  First every second sample of every second delay; what looks best
# there need not be best, since a fit is as narrow as a sample.

sub _search ($s, $r, $rate, $at, $size, $from, $to) {
    my @x = map { $s->[$at + 2 * $_] // 0 } 0 .. $size / 2 - 1;
    my $xx = sum0 map { $_ * $_ } @x;

    return undef unless $xx;

    my @fit;

    $from = max($from, -$at);
    $to = min($to, @$r - $at - $size);

    for (my $delay = $from; $delay <= $to; $delay += 2) {
        my ($xy, $yy, $i) = (0, 0, $at + $delay);

        for my $x (@x) {
            my $y = $r->[$i];

            $xy += $x * $y;
            $yy += $y * $y;
            $i += 2;
        }

        push @fit, [$delay, $xy / sqrt($xx * $yy)] if $xy > 0;
    }

    @fit = sort { $b->[1] <=> $a->[1] } @fit;

    my %near = map { $_ => 1 } map { $_->[0] - 2 .. $_->[0] + 2 }
                               @fit > 20 ? @fit[0 .. 19] : @fit;
    my ($best, $rho) = (undef, 0.9);

    for my $delay (sort { $a <=> $b } keys %near) {
        my $piece = _piece($s, $r, $at, $size, $delay) or next;
        ($best, $rho) = ($delay, $piece->{rho}) if $piece->{rho} > $rho;
    }

    return defined $best ? [$best, $rho] : undef;
}


# Where the loudest piece is: candidates by the loudness of 10 ms steps over
# up to two seconds of the source, then sample by sample around the best.

sub _locate ($s, $r, $rate, $loudest, $from, $to) {
    my $step = int($rate / 100);
    my $size = int(PIECE * $rate);

    my $first = max(0, $loudest - $rate);
    my $last = min(scalar @$s, $loudest + $rate);

    my @source = _envelope($s, $first, $last, $step);
    my @heard = _envelope($r, $from, $to, $step);

    my $mean = sum0(@source) / (@source || 1);
    $_ -= $mean for @source;

    my @fit;

    # a recording may begin or end within the source
    for my $lag (-@source + 20 .. @heard - 20) {
        my ($xy, $xx, $y1, $yy, $n) = (0, 0, 0, 0, 0);

        for my $i (max(0, -$lag) .. min($#source, $#heard - $lag)) {
            my ($x, $y) = ($source[$i], $heard[$i + $lag]);

            $xy += $x * $y;
            $xx += $x * $x;
            $y1 += $y;
            $yy += $y * $y;
            $n++;
        }

        my $variance = $n ? $yy - $y1 * $y1 / $n : 0;
        next unless $variance > 0 && $xx > 0 && $n >= 20;

        # what covers more of the source is better than what covers less
        push @fit, [$xy / sqrt($xx * $variance) * sqrt($n / @source), $lag];
    }

    my (@tried, $best);

    for my $fit (sort { $b->[0] <=> $a->[0] } @fit) {
        my $lag = $fit->[1];

        next if grep { abs($_ - $lag) < 4 } @tried;
        last if push(@tried, $lag) > 12;

        my $delay = $from + $lag * $step - $first;
        my $found = _search($s, $r, $rate, $loudest, $size,
                            $delay - 3 * $step, $delay + 3 * $step);

        next if !$found || $found->[0] + $loudest < $from
                || $found->[0] + $loudest + $size > $to;

        # a vowel is much like itself a little later: the first fit need not
        # be the right one
        $best = $found if !$best || $found->[1] > $best->[1];
        last if $best->[1] > 0.99;
    }

    return $best ? $best->[0] : undef;
}


sub _envelope ($s, $from, $to, $step) {
    my @envelope;

    for (my $at = $from; $at + $step <= $to; $at += $step) {
        push @envelope, sqrt(_power($s, $at, $step) / $step);
    }

    return @envelope;
}


# the part of the delay that is less than a sample, by halving the interval

sub _fraction ($s, $r, $at, $size, $delay) {
    my $quality = sub ($fraction) {
        my $piece = _piece(_shift($s, $fraction, $at, $size), $r, $at, $size,
                           $delay);
        return $piece ? $piece->{rho} : -1;
    };

    my ($best, $width) = (0, 0.5);
    my $rho = $quality->(0);

    while ($width > 0.004) {
        for my $try ($best - $width, $best + $width) {
            my $p = $quality->($try);
            ($best, $rho) = ($try, $p) if $p > $rho;
        }

        $width /= 2;
    }

    return $best;
}


# the source a fraction of a sample later, by a windowed sinc

sub _shift ($s, $fraction, $at = 0, $size = @$s) {
    return $s if abs $fraction < 1e-9;

    my $pi = atan2 0, -1;
    my $half = 16;

    my @h = map {
        my $x = $_ - $fraction;
        my $window = 0.5 + 0.5 * cos $pi * $x / ($half + 1);
        $window * (abs $x < 1e-9 ? 1 : sin($pi * $x) / ($pi * $x));
    } -$half .. $half;

    my @shifted;
    $shifted[$at + $size - 1] = 0;

    for my $n ($at .. $at + $size - 1) {
        my ($sum, $i) = (0, $n + $half);

        for my $h (@h) {
            $sum += $h * ($s->[$i] // 0) if $i >= 0;
            $i--;
        }

        $shifted[$n] = $sum;
    }

    return \@shifted;
}


1;
