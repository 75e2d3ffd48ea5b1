package Voicebridge::Certificates;

# Certificates for tests, made with the openssl command when they are first
# asked for and kept under the build directory:
#
#     ca            signs the others
#     good          localhost, *.test and the loopback addresses
#     wrong-host    signed by ca, for a name that nobody here has
#     expired       signed by ca, for the right names, of last year
#     self-signed   for the right names, signed by itself
#     client        signed by ca, to show to a server
#
# certificate("good") is { cert, key, ca }, three paths of PEM files.

use strict;
use warnings;

use Cwd qw( abs_path );
use Exporter qw( import );
use Fcntl qw( LOCK_EX );
use File::Basename qw( dirname );
use File::Path qw( make_path );
use POSIX ();

our @EXPORT_OK = qw( certificate );

my $build = $ENV{VOICEBRIDGE_BUILD}
            || abs_path(dirname(__FILE__) . '/../../..') . '/build';
my $dir = "$build/certificates";

my $here = 'DNS:localhost,DNS:*.test,IP:127.0.0.1,IP:::1';

# name => [ subject alternative names, signed by, first and last day ]
my %made = (
    'good'        => [ $here, 'ca' ],
    'wrong-host'  => [ 'DNS:wrong.invalid', 'ca' ],
    'expired'     => [ $here, 'ca', '20240101000000Z', '20240201000000Z' ],
    'self-signed' => [ $here, 'self-signed' ],
    'client'      => [ 'DNS:client.test', 'ca' ],
);


sub certificate {
    my $name = shift;

    die "there is no certificate \"$name\"\n"
        unless $made{$name} || $name eq 'ca';

    make_all();

    return {
        cert => "$dir/$name.crt",
        key  => "$dir/$name.key",
        ca   => "$dir/ca.crt",
    };
}


# several test files may come here at the same time

sub make_all {
    return if -e "$dir/done";

    make_path($dir);

    open my $lock, '>', "$dir/lock" or die "$dir/lock: $!\n";
    flock $lock, LOCK_EX or die "$dir/lock: $!\n";

    return if -e "$dir/done";

    openssl('req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
            . ' -days 3650 -subj', '/CN=voicebridge test CA',
            '-keyout ca.key -out ca.crt');

    write_file('ca.conf', <<'EOC');
[ca]
default_ca = test

[test]
database = index.txt
new_certs_dir = .
certificate = ca.crt
private_key = ca.key
default_md = sha256
default_days = 3650
unique_subject = no
rand_serial = yes
copy_extensions = copy
policy = any

[any]
commonName = supplied
EOC

    write_file('index.txt', '');

    for my $name (sort keys %made) {
        my ($names, $signer, $from, $to) = @{$made{$name}};

        my $request = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
                      . " -keyout $name.key -subj";

        if ($signer eq $name) {
            openssl("req -x509 -days 3650 $request", "/CN=$name",
                    "-out $name.crt -addext", "subjectAltName=$names");
            next;
        }

        openssl("req $request", "/CN=$name", "-out $name.csr -addext",
                "subjectAltName=$names");

        openssl('ca -batch -notext -config ca.conf'
                . " -in $name.csr -out $name.crt"
                . ($from ? " -startdate $from -enddate $to" : ''));
    }

    # nginx's workers may not be who we are
    chmod 0644, glob "$dir/*.key";

    write_file('done', '');
}


# every other argument is a list of words, the ones between are one word each

sub openssl {
    my @words = @_;

    my @command = map { $_ % 2 ? $words[$_] : split ' ', $words[$_] }
                      0 .. $#words;

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        chdir $dir;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "openssl.log";
        open STDERR, '>&', \*STDOUT;

        exec('openssl', @command) or POSIX::_exit(127);
    }

    waitpid $pid, 0;

    return if $? == 0;

    open my $log, '<', "$dir/openssl.log";
    die "openssl @command failed: ", $log ? <$log> : (), "\n";
}


sub write_file {
    my ($name, $text) = @_;

    open my $out, '>', "$dir/$name" or die "$dir/$name: $!\n";
    print $out $text;
    close $out or die "$dir/$name: $!\n";
}


1;
