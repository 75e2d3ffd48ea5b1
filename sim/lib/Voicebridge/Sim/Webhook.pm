package Voicebridge::Sim::Webhook;

# Twilio's requests to its customer's server: form parameters, signed.

use Mojo::Base -base, -signatures;

use Mojo::Parameters;
use Mojo::URL;
use Mojo::UserAgent;
use Mojo::Util qw( sha1_sum );
use Voicebridge::Sim::Log;
use Voicebridge::Sim::Signature qw( sign );

has [qw( log token connect_to )];

# all within the 15 s that belong to a call
has ua => sub {
    Mojo::UserAgent->new(connect_timeout => 5, inactivity_timeout => 15,
                         request_timeout => 15, max_redirects => 10);
};


# params: names and values in turn.  A promise of the answer, or of undef where
# there was none; either is logged as name.

sub send ($self, $name, $method, $url, $params) {
    my $target = Mojo::URL->new($url)->fragment(undef);
    my $form = Mojo::Parameters->new(@$params);
    my $signed = $url;

    if ($method eq 'GET') {
        $target->query->append($form);

        my $query = $form->to_string;
        $signed = $url =~ s/#.*//sr;
        $signed .= ($signed =~ /\?/ ? '&' : '?') . $query;
    }

    my %headers = (
        'Host'       => $target->host_port,
        'User-Agent' => 'TwilioProxy/1.1',
        'Accept'     => '*/*',
        'I-Twilio-Idempotency-Token' => sha1_sum("$url $$ " . rand),
        defined $self->token ? ('X-Twilio-Signature' => sign($self->token,
            $signed, $method eq 'GET' ? [] : $params)) : (),
    );

    if (my $to = $self->connect_to) {
        @{$self->ua->tls_options}{qw( SSL_hostname SSL_verifycn_name )} =
            ($target->host) x 2;

        my ($host, $port) = $to =~ /^(.*):(\d+)$/;
        $target->host($host)->port($port);
    }

    my $tx = $self->ua->build_tx($method => $target, \%headers,
                                 $method eq 'GET' ? () : $form->to_string);

    $tx->req->headers->content_type('application/x-www-form-urlencoded')
        if $method ne 'GET';

    my $began = Voicebridge::Sim::Log::now();

    return $self->ua->start_p($tx)->then(
        sub ($tx) { $self->_answered($name, $url, $began, $tx->res) },
        sub ($error) {
            $self->_failed($name, $url, $error);
            return undef;
        },
    );
}


sub _answered ($self, $name, $url, $began, $res) {
    my $status = $res->code;

    $self->log->event($name => {
        url => $url, status => $status,
        seconds => Voicebridge::Sim::Log::now() - $began,
    });

    $self->log->warning($name =~ /status/ ? 15003 : 11200,
                        "$url answered $status") if $status >= 400;

    return $res;
}


sub _failed ($self, $name, $url, $error) {
    $self->log->event($name => { url => $url, error => $error });
    $self->log->warning(11200, "$url: $error");
}


1;
