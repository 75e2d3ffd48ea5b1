#!/usr/bin/perl

# The packages say the version that CHANGES says, and have the locations that
# the module has handlers for.

use strict;
use warnings;

use File::Basename qw( dirname );
use Test::More;

chdir dirname(__FILE__) . '/..' or die;

my ($version) = slurp('CHANGES') =~ /^Changes with voicebridge ([0-9.]+)/m;

ok $version, 'CHANGES begins with a version';

my ($debian) = slurp('debian/changelog') =~ /^voicebridge \(([0-9.]+)-/;
is $debian, $version, 'debian/changelog';

my $spec = slurp('packaging/rpm/nginx-mod-voicebridge.spec');
my ($rpm) = $spec =~ /^Version:\s+(\S+)$/m;
is $rpm, $version, 'the RPM spec';

my ($logged) = $spec =~ /^%changelog\n\*.* - ([0-9.]+)-\d+$/m;
is $logged, $version, 'and its changelog';

my ($alpine) = slurp('packaging/alpine/APKBUILD') =~ /^pkgver=(\S+)$/m;
is $alpine, $version, 'the APKBUILD';

is system('sh', '-n', 'packaging/alpine/APKBUILD'), 0, 'which a shell can read';

# what they install is in the tree, or made by a target of the makefile
my $make = slurp('Makefile');

for my $pattern (map { split ' ' } $spec =~ /^%(?:doc|license) (.*)$/mg) {
    my @files = glob $pattern;
    ok @files && -e $files[0], "the RPM spec's $pattern";
}

like $make, qr/^\Q$_\E:/m, "make $_"
    for qw( tool install build );

my %handler = map { $_ => 1 }
              slurp('ngx_http_voicebridge_module.c')
                  =~ /ngx_string\("(voicebridge_\w+)"\),\s*
                      NGX_HTTP_LOC_CONF\|NGX_CONF_NOARGS,\s*
                      ngx_http_voicebridge_handler_slot/gx;

my %served = map { $_ => 1 }
             slurp('debian/snippets/voicebridge.conf')
                 =~ /^\s+(voicebridge_\w+);$/mg;

is join(' ', sort keys %served), join(' ', sort keys %handler),
   'the snippet has a location for each handler';

done_testing();


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or die "$file: $!";
    local $/;
    return scalar <$fh>;
}
