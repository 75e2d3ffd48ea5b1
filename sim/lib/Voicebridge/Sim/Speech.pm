package Voicebridge::Sim::Speech;

# What a script has somebody say: text, spoken by espeak-ng, a WAV file, or a
# tone.  Spoken text is kept in a directory, so that it is made once.

use Mojo::Base -base, -signatures;

use Digest::SHA qw( sha1_hex );
use File::Path qw( make_path );
use Mojo::Util qw( encode );
use Voicebridge::Sim::Audio qw( read_wav resample tone write_wav );

# two people who cannot be taken for one another: voice, words a minute
my %VOICE = (
    agent  => ['en-gb', 160],
    caller => ['en-us+f3', 170],
);

has dir => 'build/speech';

# a name of %VOICE
has who => 'agent';


# The samples of what is said, at a rate.  Dies where it cannot be had.

sub samples ($self, $what, $rate) {
    return tone($rate, $what->{tone}, $what->{seconds} // 1,
                $what->{amplitude} // 8000)
        if ref $what eq 'HASH';

    return $self->{said}{$rate}{$what} //= do {
        my $file = $what =~ /\.wav$/i ? $what : $self->file($what, $rate);
        my ($samples, $own) = read_wav($file);

        resample($samples, $own, $rate);
    };
}


# the WAV file of a text

sub file ($self, $text, $rate) {
    my ($voice, $speed) = @{$VOICE{$self->who}};

    my $digest = sha1_hex(encode 'UTF-8', "$voice $speed $text");
    my $file = $self->dir . '/'
               . join('-', $self->who, $rate, substr $digest, 0, 12) . '.wav';

    return $file if -e $file;

    make_path($self->dir);

    # all that is in the making has a name of its own until it is done
    my $raw = "$file.$$.raw";

    system('espeak-ng', -v => $voice, -s => $speed, -w => $raw, '--',
           encode 'UTF-8', $text) == 0
        or die "espeak-ng failed: is it installed?\n";

    my ($samples, $own) = read_wav($raw);

    write_wav("$file.$$", _leveled(_trimmed(resample($samples, $own, $rate))),
              $rate);

    unlink $raw;
    rename "$file.$$", $file or die "$file: $!\n";

    return $file;
}


# without the silence that espeak-ng ends with: whoever loses the last word is
# not to get away with it

sub _trimmed ($samples) {
    my $end = length $samples;

    $end -= 2 while $end && abs(unpack "x@{[$end - 2]}s", $samples) < 64;

    return substr $samples, 0, $end;
}


# as loud as a telephone voice is, with its peak at -3 dB

sub _leveled ($samples) {
    my $peak = 1;

    for (unpack 's*', $samples) {
        $peak = abs if abs > $peak;
    }

    my $gain = 0.708 * 32767 / $peak;

    return pack 's*', map { int $_ * $gain } unpack 's*', $samples;
}


1;
