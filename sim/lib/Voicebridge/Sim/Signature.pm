package Voicebridge::Sim::Signature;

# X-Twilio-Signature: what Twilio signs its requests with.

use Mojo::Base -strict, -signatures;

use Digest::SHA qw( hmac_sha1_base64 );
use Exporter qw( import );
use Mojo::Util qw( encode );

our @EXPORT_OK = qw( sign sign_stream );


# Of a request: its URL to the letter, but without user, password and fragment
# and, over HTTPS, the port; then every form parameter, sorted.  params are
# names and values in turn.

sub sign ($token, $url, $params = []) {
    my $data = encode 'UTF-8',
        $url =~ s/#.*//sr =~ s{^(https?://)[^/?\@]*\@}{$1}r
             =~ s{^(https://(?:\[[^\]]*\]|[^/?:]*)):[0-9]+}{$1}r;

    my %values;

    for (my $i = 0; $i < @$params; $i += 2) {
        my ($name, $value) = map { encode 'UTF-8', $_ } @$params[$i, $i + 1];
        $values{$name}{$value} = 1;
    }

    for my $name (sort keys %values) {
        $data .= $name . $_ for sort keys %{$values{$name}};
    }

    return hmac_sha1_base64($data, $token) . '=';
}


# of a WebSocket handshake: the URL of <Stream>, to the letter

sub sign_stream ($token, $url) {
    return hmac_sha1_base64(encode('UTF-8', $url), $token) . '=';
}


1;
