#!/usr/bin/perl

# config's lists of files against the tree: a file that is not listed is not
# built, or does not cause a rebuild.

use strict;
use warnings;

use File::Basename qw( basename dirname );
use File::Find qw( find );
use File::Temp qw( tempdir );
use Test::More;

chdir dirname(__FILE__) . '/..' or die;

# configure's own scripts, as far as config needs them: every library is
# there, and the module is only printed
my $auto = tempdir(CLEANUP => 1);
my $top = `pwd -P`;
chomp $top;

mkdir "$auto/auto";

write_file("$auto/auto/feature", "ngx_found=yes\n");
write_file("$auto/auto/module", <<'EOS');
for src in $ngx_module_srcs; do echo "src $src"; done
for dep in $ngx_module_deps; do echo "dep $dep"; done
for inc in $ngx_module_incs; do echo "inc $inc"; done
EOS

my $printed = `cd $auto && ngx_addon_dir=$top sh -e $top/config`;

is $?, 0, 'config runs';

my %listed;

for (split /\n/, $printed) {
    my ($what, $file) = m{^(\w+) \Q$top\E/(.*)} or next;
    push @{$listed{$what}}, $file;
}

my (%tree, %dirs);

find({ no_chdir => 1, wanted => sub {
    push @{$tree{$1}}, $_ if -f && /\.([ch])$/;
    $dirs{dirname($_)} = 1 if -f && /\.h$/;
} }, 'src');

push @{$tree{c}}, glob '*.c';

is_list($listed{src}, $tree{c}, 'the sources are those of the tree');
is_list($listed{dep}, $tree{h}, 'the headers are those of the tree');

my %included = map { $_ => 1 } @{$listed{inc}};
ok $included{$_}, "$_ is searched for headers" for sort keys %dirs;

# objects are named by a source's file and its last directory
my %objects;
push @{$objects{join '/', (split m{/}, "main/$_")[-2, -1]}}, $_
    for @{$listed{src}};

is_list([ grep { @{$objects{$_}} > 1 } keys %objects ], [],
        'no two sources have the same object');


# house rules that a compiler does not know

my @pure = grep { m{^src/(?:audio|wire|twilio|elevenlabs|api)/} }
                @{$tree{c}}, @{$tree{h}};

is_list([ grep { read_file($_) =~ /^\s*#\s*include\s*[<"]ngx_/m } @pure ], [],
        'the rooms below nginx include none of its headers');

is_list([ grep { read_file($_) =~ /^\s*#\s*include\s*[<"]ngx_/m }
               glob 'tool/*.[ch]' ], [], 'nor does the tool');

my @all = (@{$tree{c}}, @{$tree{h}}, glob 'tool/*.[ch]');

is_list([ grep { read_file($_) =~ /^.{81}|\t|[ \t]$/m } @all ], [],
        'no line has more than 80 columns, a tab or a blank at its end');

done_testing();


sub is_list {
    my ($got, $expected, $name) = @_;
    is_deeply([ sort @{$got // []} ], [ sort @{$expected // []} ], $name);
}


sub read_file {
    my $name = shift;

    open my $in, '<:encoding(UTF-8)', $name or die "$name: $!";
    local $/;
    return scalar <$in>;
}


sub write_file {
    my ($name, $text) = @_;

    open my $out, '>', $name or die "$name: $!";
    print $out $text;
    close $out;
}
