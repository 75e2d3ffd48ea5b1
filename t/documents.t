#!/usr/bin/perl

# nginx takes every configuration that the documents show: each is put where
# its directives belong, and given to nginx -t.

use strict;
use warnings;

use File::Basename qw( dirname );
use File::Path qw( make_path );
use FindBin qw( $RealBin );
use lib "$RealBin/lib";

use Test::More;
use Voicebridge::Certificates qw( certificate );
use Voicebridge::Test ();

chdir "$RealBin/.." or die;

my $build = $ENV{VOICEBRIDGE_BUILD} || "$RealBin/../build";
my $dir = ($ENV{VOICEBRIDGE_TEST_DIR} || "$build/t/documents.t") . '/run';
my $nginx = $ENV{TEST_NGINX_BINARY} // 'nginx';
my $module = $ENV{TEST_NGINX_LOAD_MODULES};     # none in a static build

make_path("$dir/logs", "$dir/build");
certificate('good');

# what the documents take for granted
$ENV{API_KEYS} = 'documents-api-key';
$ENV{TWILIO_ACCOUNT_SID} = 'AC' . '0123456789abcdef' x 2;
$ENV{TWILIO_AUTH_TOKEN} = 'documents-auth-token';
$ENV{TWILIO_PHONE_NUMBER} = '+15005550006';
$ENV{ELEVENLABS_API_KEY} = 'documents-elevenlabs-key';

my $port = Voicebridge::Test::free_port();

# where a directive belongs, if not anywhere; a handler has to be in a location
my %place = (
    map({ $_ => 'main' } qw( daemon env error_log events http load_module pid user
                             worker_processes worker_rlimit_core
                             worker_rlimit_nofile worker_shutdown_timeout
                             working_directory )),
    map({ $_ => 'http' } qw( geo limit_conn_zone limit_req_zone log_format map
                             server upstream voicebridge_webhook_spool
                             voicebridge_zone )),
    map({ $_ => 'location' } qw( proxy_pass )),
);

{
    my $door = slurp('ngx_http_voicebridge_module.c');

    $place{$1} = 'location'
        while $door =~ /ngx_string\("(\w+)"\),\s+NGX_HTTP_LOC_CONF\|/g;
}

my $number = 0;

for my $file ('README.md', sort glob 'docs/*.md') {
    for my $block (blocks(slurp($file))) {
        my $where = "$file, line $block->{line}";

        # a directive's own description, and text that has nothing of nginx's
        next if $block->{text} =~ /^\s*syntax:/;
        next unless $block->{text} =~ /^\s*(?:voicebridge_\w+|location|map|
                                        server|http|limit_\w+|\w+_log|allow)
                                       \s[^;{]*[;{]\s*(?:\#.*)?$/mx;

        my @statements = eval { statements($block->{text}) };

        if (!@statements) {
            fail "$where: is nginx's syntax";
            diag $@ || $block->{text};
            next;
        }

        my $said = check(\@statements);

        is $said, '', "$where: nginx takes it" or diag $block->{text};
        $number++;
    }
}

cmp_ok $number, '>=', 15, 'configurations were found';

# and this is a test
isnt check([ statements('voicebridge_agent a b;') ]), '',
     'what is no configuration is not taken';

done_testing();


# paragraphs that are indented, or between fences of no other language

sub blocks {
    my @lines = split /\n/, shift;
    my ($fence, $block, @blocks);

    for my $n (0 .. $#lines) {
        my $line = $lines[$n];

        if ($line =~ /^```(\w*)/) {
            $fence = defined $fence ? undef : $1;
            $block = undef;
            next;
        }

        next if $fence && $fence ne 'nginx';

        if (defined $fence || $line =~ /^ {4}/ || $block && $line eq '') {
            push @blocks, $block = { line => $n + 1, text => '' } if !$block;
            $block->{text} .= "$line\n";
        } else {
            $block = undef;
        }
    }

    return @blocks;
}


# the outermost ones: name and text

sub statements {
    my $text = shift;

    my ($depth, $start, $name, @statements) = (0, 0);

    while ($text =~ /\G(?: (?<blank> \s+ | \#[^\n]* ) | (?<mark> [;{}] )
                         | (?<word> "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*'
                                  | (?:[^\s;{}"']|\$\{\w+\})[^\s;{]* ) )/gx)
    {
        next if defined $+{blank};

        if (defined $+{word}) {
            ($name, $start) = ($+{word}, $-[0]) if !defined $name;
            next;
        }

        die "a mark and no directive\n" if !defined $name;

        $depth += { '{' => 1, '}' => -1, ';' => 0 }->{$+{mark}};
        next if $depth;

        push @statements, [ $name, substr $text, $start, $+[0] - $start ];
        $name = undef;
    }

    die "a directive that does not end: $name\n" if defined $name;

    return @statements;
}


# what nginx says against it

sub check {
    my $statements = shift;

    my %text = map { $_ => '' } qw( main http server location );

    $text{$place{$_->[0]} // 'server'} .= adapted("$_->[1]\n")
        for @$statements;

    my $all = join '', values %text;

    my $conf = '';
    $conf .= "load_module $module;\n"
        if $module && $all !~ /^\s*load_module /m;
    $conf .= "error_log $dir/logs/error.log;\n" unless $all =~ /^error_log /m;
    $conf .= "pid $dir/nginx.pid;\n" unless $all =~ /^pid /m;
    $conf .= "$text{main}\n";
    $conf .= "events { }\n" unless $all =~ /^\s*events /m;

    if ($all !~ /^http /m) {
        $conf .= "http {\n$text{http}\n";
        $conf .= "access_log $dir/logs/access.log;\n";
        $conf .= "voicebridge_zone documents:1m;\n"
            unless $all =~ /voicebridge_zone /;
        $conf .= "log_format voicebridge '\$voicebridge_call_sid';\n"
            unless $all =~ /log_format /;
        $conf .= "server {\nlisten 127.0.0.1:$port;\n$text{server}\n"
                 . ($text{location} ? "location /documents {\n"
                                      . "$text{location}\n}\n" : '') . "}\n"
            unless $all =~ /^server /m;
        $conf .= "}\n";
    }

    write_file("$dir/nginx.conf", $conf);

    my $said = `$nginx -t -q -p '$dir/' -c '$dir/nginx.conf' 2>&1`;

    return $? ? $said : '';
}


# its files are put in place, and it listens where it may

sub adapted {
    my $text = shift;

    $text =~ s{\bload_module\s+[^;]+;}{$module ? "load_module $module;" : ''}ge;
    $text =~ s{(\bssl_certificate\s+)[^;]+;}
              {$1$build/certificates/good.crt;}g;
    $text =~ s{(\bssl_certificate_key\s+)[^;]+;}
              {$1$build/certificates/good.key;}g;
    $text =~ s{(\b\w+_trusted_certificate\s+)[^;]+;}
              {$1$build/certificates/ca.crt;}g;
    $text =~ s{(\blisten\s+)[^;\s]*}{${1}127.0.0.1:$port}g;

    # a name that nobody knows
    $text =~ s{(\bserver\s+)[\w.-]+\.example\.\w+}{${1}127.0.0.1}g;

    $text =~ s{(\s|file:|include\s+)(/(?:etc|var)/[^;\s]+)}{
        my ($before, $path) = ($1, $2);

        make_path(dirname("$dir$path"));
        write_file("$dir$path", $before eq 'file:' ? "secret\n" : '')
            if $before =~ /\w/;
        "$before$dir$path";
    }ge;

    return $text;
}


sub slurp {
    my $name = shift;

    open my $in, '<', $name or die "$name: $!\n";
    local $/;
    return scalar readline $in;
}


sub write_file {
    my ($name, $text) = @_;

    open my $out, '>', $name or die "$name: $!\n";
    print $out $text;
    close $out or die "$name: $!\n";
}
