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

    my $name = join '-', $self->who, $rate,
                    substr sha1_hex(encode 'UTF-8', "$voice $speed $text"), 0, 12;
    my $file = $self->dir . "/$name.wav";

    return $file if -e $file;

    make_path($self->dir);

    # all that is in the making has a name of its own until it is done
    my $raw = "$file.$$.raw";

    system('espeak-ng', -v => $voice, -s => $speed, -w => $raw, '--',
           encode 'UTF-8', $text) == 0
        or die "espeak-ng failed: is it installed?\n";

    my ($samples, $own) = read_wav($raw);

    write_wav("$file.$$", _leveled(resample($samples, $own, $rate)), $rate);

    unlink $raw;
    rename "$file.$$", $file or die "$file: $!\n";

    return $file;
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
