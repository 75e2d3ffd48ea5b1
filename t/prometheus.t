# What Prometheus and Grafana are given: the metrics by promtool's rules, and
# the alerts and the dashboard in examples/prometheus, which are of metrics
# that exist.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );
use Voicebridge::Metrics qw( promtool until_metric );

use FindBin qw( $Bin );
use IPC::Run ();
use JSON::PP ();

workers(1);

my $examples = "$Bin/../examples/prometheus";


# promtool's word on a file

sub checks {
    my ($what, $file) = @_;

    my $ok = IPC::Run::run([ 'promtool', split(/ /, $what),
                             "$examples/$file" ],
                           '<', \undef, '>&', \my $said);

    ok $ok, "promtool $what $file" or diag $said;
}

sub content {
    open my $in, '<', "$examples/$_[0]" or die "$_[0]: $!\n";
    local $/;
    return <$in>;
}


# the names of series in PromQL, with the values that labels are compared to

sub series {
    my ($text, $label) = @_;

    return $text =~ /\b$label=~?"([^"\$]+)"/g if $label;
    return $text =~ /\b(voicebridge_\w+)\b(?!\.rules|\.yml)/g;
}

run_tests();

__DATA__

=== all there is
--- http_config
    voicebridge_zone voicebridge:1m;
--- config
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;

    location = /metrics { voicebridge_metrics; }
    location = /twilio/media-stream { voicebridge_media_stream; }

    location = /nobody {
        voicebridge_media_stream;
        voicebridge_elevenlabs_url http://127.0.0.1:1;
    }
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->audio('a' x 80, 1);
    $socket->close_with(1000, 'bye');
--- test
    for my $path ('/twilio/media-stream', '/nobody') {
        my $phone = phone(path => $path)->connect;

        $phone->start(parameters => { agent_id => 'agent_1' });
        my ($code) = $phone->recv_close;
        $phone->send_close($code);
        $phone->recv_eof;
    }

    is phone()->handshake(signature => undef), 403, 'one is refused';

    until_metric('voicebridge_handshakes_refused_total{reason="signature"}',
                 1);
    until_metric('voicebridge_calls_live', 0);

    my $text = http(GET => '/metrics')->{body};

    is promtool($text), '', 'promtool has nothing to say of the metrics';

    checks('check rules', 'voicebridge.rules.yml');
    checks('test rules', 'voicebridge.rules.test.yml');

    my %type = $text =~ /^# TYPE (\w+) (\w+)$/mg;

    my $dashboard = JSON::PP->new->decode(content('dashboard.json'));

    my @queries = map { $_->{expr} }
                  map { @{$_->{targets} // []} } @{$dashboard->{panels}};
    push @queries, map { ref $_->{query} ? $_->{query}{query} : () }
                   @{$dashboard->{templating}{list}};

    cmp_ok scalar @queries, '>', 20, 'queries of the dashboard';

    my $rules = content('voicebridge.rules.yml');

    # what descriptions speak of has to be there as well, but directives
    my %directive = map { $_ => 1 } qw( voicebridge_zone voicebridge_webhook
        voicebridge_webhook_spool voicebridge_caller_lookup
        voicebridge_public_url voicebridge_transcript_log );

    my %seen;

    for (series(join "\n", @queries, $rules)) {
        next if $directive{$_} || $seen{$_}++;

        my $family = s/_(?:bucket|sum|count)$//r;

        ok $type{$_} || ($type{$family} // '') eq 'histogram',
           "$_ is a metric";
    }

    for (sort keys %type) {
        ok $seen{$_} || $seen{"${_}_bucket"}, "$_ is shown";
    }

    # ids are what Grafana tells panels apart by
    my %ids = map { $_->{id} => 1 } @{$dashboard->{panels}};

    is scalar keys %ids, @{$dashboard->{panels}}, 'each panel has its id';

    # Grafana's own variables become what promtool can read
    my $n = 0;
    my $all = "groups:\n- name: dashboard\n  rules:\n";

    for (map { $_->{expr} } map { @{$_->{targets} // []} }
         @{$dashboard->{panels}})
    {
        my $expr = s/\$__rate_interval/5m/gr =~ s/\$\w+/x/gr;

        $all .= "  - record: query_" . $n++ . "\n    expr: '$expr'\n";
    }

    my $ok = IPC::Run::run([ qw( promtool check rules /dev/stdin ) ],
                           '<', \$all, '>&', \my $said);

    ok $ok, "promtool reads the dashboard's $n queries" or diag $said;
--- error_log
refused: 
