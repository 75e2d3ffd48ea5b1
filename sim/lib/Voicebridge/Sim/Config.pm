package Voicebridge::Sim::Config;

# nginx.conf.example, made to run where it stands: its ports and paths are
# adapted, and nothing else.
#
# What is relied on: a directive that is adapted stands on a line of its own
# with its ";", and "http {" on one line.

use Mojo::Base -strict, -signatures;

use Exporter qw( import );

our @EXPORT_OK = qw( adapt );


# Ports: http for a plain listen, https for one with ssl, other for a plain one
# of port 80.  Paths: dir for logs, the pid and temporary files, module,
# certificate and key; error_log, if it is not to be in dir.  URLs: twilio and
# elevenlabs; what is not given stays, and public says that so does the public
# URL.

sub adapt ($conf, $to) {
    my $dir = $to->{dir};

    my $load = $to->{module} eq '' ? '' : "load_module $to->{module};";

    $conf =~ s{^\s*load_module\s+\S*ngx_http_voicebridge_module\.so;}
              {$load}m
        or $conf = "$load\n$conf";

    $conf = _top($conf, 'pid', "$dir/nginx.pid");

    $conf =~ s{^(\s*error_log\s+)[^\s;]+}{$1$to->{error_log}}mg
        if defined $to->{error_log};

    # the rest of the path keeps files apart
    $conf =~ s{^(\s*\w+_log\s+)/var/log/nginx/}{$1$dir/}mg;
    $conf =~ s{^(\s*voicebridge_transcript_log\s+)\S*/}{$1$dir/}mg;

    $conf =~ s{^(\s*ssl_certificate\s+)[^;]+;}{$1$to->{certificate};}mg;
    $conf =~ s{^(\s*ssl_certificate_key\s+)[^;]+;}{$1$to->{key};}mg;
    $conf =~ s{^\s*ssl_(?:dhparam|trusted_certificate|stapling\w*)\s[^;]+;\n}
              {}mg;

    $conf = _listen($conf, $to);

    # nginx is not always installed for whoever runs this
    for my $kind (qw( client_body proxy fastcgi uwsgi scgi )) {
        $conf = _http($conf, "${kind}_temp_path", "$dir/$kind");
    }

    $conf = _http($conf, 'voicebridge_twilio_api_url', $to->{twilio});
    $conf = _http($conf, 'voicebridge_elevenlabs_url', $to->{elevenlabs});

    # a name that is not ours; the request's own is good enough
    $conf =~ s{^(\s*)(voicebridge_public_url\s)}{$1# $2}mg
        unless defined $to->{public};

    return $conf;
}


# a directive outside of all blocks

sub _top ($conf, $name, $value) {
    $conf =~ s{^$name\s+[^;]+;}{$name $value;}m
        or $conf = "$name $value;\n$conf";

    return $conf;
}


# a directive of http, wherever it stands already

sub _http ($conf, $name, $value) {
    return $conf unless defined $value;

    $conf =~ s{^(\s*)$name\s+[^;]+;}{$1$name $value;}mg
        or $conf =~ s{^(\s*http\s*\{.*)$}{$1\n    $name $value;}m
        or die "nginx.conf.example has no line \"http {\"\n";

    return $conf;
}


# one address and one port for what may be several of a kind

sub _listen ($conf, $to) {
    my (%seen, $plain);

    $conf =~ s{^([ \t]*)listen\s+([^;]+);[^\n]*\n}{
        my ($indent, $what) = ($1, $2);

        my $kind = $what =~ /\bssl\b/                 ? 'https'
                 : $what =~ /^(?:\S*:)?80(?:\s|$)/    ? 'other' : 'http';

        $plain = 1 if $kind eq 'http';

        my $options = $what =~ s/^\S+//r;

        $seen{$kind}++ ? ''
            : "${indent}listen 127.0.0.1:$to->{$kind}$options;\n";
    }gem;

    # behind TLS only: the demo's own door, in the same server
    $conf =~ s{^([ \t]*)(listen [^;]*\bssl\b[^;]*;)\n}
              {$1$2\n$1listen 127.0.0.1:$to->{http};\n}m
        or die "nginx.conf.example listens nowhere\n"
        unless $plain;

    return $conf;
}


1;
