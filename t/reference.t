#!/usr/bin/perl

# What the documents say there is and what the code has: directives with their
# syntax, variables, metrics, makefile targets.  Neither has what the other
# does not know.

use strict;
use warnings;

use File::Basename qw( dirname );
use Test::More;

chdir dirname(__FILE__) . '/..' or die;

my %docs = map { $_ => slurp($_) } 'README.md', glob 'docs/*.md';
my $docs = join "\n", @docs{sort keys %docs};

my $door = slurp('ngx_http_voicebridge_module.c');
my $code = join "\n", map { slurp($_) } glob 'src/*/*.c';


# directives: name and context of each entry of the front door's table

my %directive;

while ($door =~ /\{\s*ngx_string\("(voicebridge_\w+)"\),\s*
                 (\w+(?:\s*\|\s*\w+)*),/xg)
{
    $directive{$1} = $2;
}

cmp_ok scalar keys %directive, '>', 20, 'the table of directives is read';

# its name for all three contexts
s/NGX_HTTP_VOICEBRIDGE_ANYWHERE
 /NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF/x
    for values %directive;

my %entry;

while ($docs =~ /^\#{3,4}\ (voicebridge_\w+)\n(.*?)(?=^\#\#|\z)/gmsx) {
    $entry{$1} = $2;
}

same([keys %directive], [keys %entry], 'directives');

for my $name (sort keys %directive) {
    my $entry = $entry{$name} // next;
    my $flags = $directive{$name};

    my ($context) = $entry =~ /^\s+context:\s+(.*)$/m;
    my %in = map { $_ => 1 } split /,\s*/, $context // '';

    is join(' ', map { $in{$_} ? $_ : () } qw( http server location )),
       join(' ', $flags =~ /NGX_HTTP_MAIN_CONF/ ? 'http' : (),
                 $flags =~ /NGX_HTTP_SRV_CONF/ ? 'server' : (),
                 $flags =~ /NGX_HTTP_LOC_CONF/ ? 'location' : ()),
       "$name: context";

    if ($flags !~ /NGX_CONF_NOARGS/) {
        like $entry, qr/^\s+syntax:\s+\Q$name\E\s/m, "$name: syntax";
        like $entry, qr/^\s+default:\s+\S/m, "$name: default";
    }
}


# variables

my %variable;

$variable{$1} = 1 while $code =~ /ngx_http_voicebridge_text\("(\w+)"/g;
$variable{$1} = 1
    while $code =~ /\{\s*ngx_string\("voicebridge_(\w+)"\),\s*NULL/g;

cmp_ok scalar keys %variable, '>', 10, 'the table of variables is read';

my ($section) = $docs =~ /^\#\#\ Variables\n(.*?)(?=^\#\#\ )/ms;

my %told = map { $_ => 1 }
           map { /\$voicebridge_(\w+)/g } grep { /^\|/ } split /\n/, $section;

same([keys %variable], [keys %told], 'variables');


# metrics: every name that is printed, without a histogram's endings

my %metric = map { $_ => 1 }
             slurp_all('src/handler/*metrics*.c')
                 =~ /"(voicebridge_[a-z_]+(?:total|seconds|live|bytes|ratio
                                             |info|size))\b/gx;

cmp_ok scalar keys %metric, '>', 8, 'metrics are read';

for my $name (sort keys %metric) {
    like $docs, qr/^\|\ `\Q$name\E\b/m, "$name is told of";
}


# what the documents let somebody type

my $make = slurp('Makefile');

my %target = map { $_ => 1 }
             $docs =~ /(?:`|^\s{4}(?:\$\ )?)(?:[A-Z_]+=\S+\ )*
                       make\ ([a-z][a-z0-9-]+)/gmx;

for my $name (sort keys %target) {
    like $make, qr/^\Q$name\E:/m, "make $name";
}


# where a document leads to

for my $file (sort keys %docs) {
    while ($docs{$file} =~ /\]\(([^)\s]+)\)/g) {
        my ($path, $anchor) = split /#/, $1, 2;

        next if $path =~ /^\w+:/;

        my $to = $path eq '' ? $file : dirname($file) . "/$path";
        $to =~ s{^\./}{};
        1 while $to =~ s{[^/]+/\.\./}{};

        ok -e $to, "$file: $to" or next;

        if (defined $anchor) {
            ok grep({ $_ eq $anchor } anchors($docs{$to} // slurp($to))),
               "$file: $to has #$anchor";
        }
    }
}

done_testing();


sub same {
    my ($code, $told, $name) = @_;

    is join("\n", sort @$told), join("\n", sort @$code),
       "$name: those of the code";
}


# as they are made of headings
sub anchors {
    my ($text) = @_;
    my @anchors;

    while ($text =~ /^\#+\ (.*)$/gm) {
        my $anchor = lc $1;

        $anchor =~ s/[^\w\s-]//g;
        $anchor =~ s/\s/-/g;
        push @anchors, $anchor;
    }

    return @anchors;
}


sub slurp {
    my ($file) = @_;

    open my $fh, '<:encoding(UTF-8)', $file or die "$file: $!";
    local $/;
    return scalar <$fh>;
}


sub slurp_all {
    return join "\n", map { slurp($_) } map { glob } @_;
}
