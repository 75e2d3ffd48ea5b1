#!/usr/bin/perl

# The programs in the README as they stand there, run against nginx and the
# simulators: each places a call that takes place, and says why one is refused.

use Mojo::Base -strict, -signatures;

use FindBin qw( $RealBin );
use lib "$RealBin/../sim/lib";

use Cwd qw( abs_path );
use File::Path qw( make_path );
use Mojo::File qw( path );
use Mojo::JSON qw( decode_json encode_json );
use Test::More;
use Time::HiRes qw( sleep time );
use Voicebridge::Certificates qw( certificate );
use Voicebridge::Sim::Config qw( adapt );
use Voicebridge::Sim::Process;
use Voicebridge::Test ();

my $FACTOR = $ENV{VOICEBRIDGE_TIME_FACTOR} || 1;

my $root = abs_path("$RealBin/..");
my $build = $ENV{VOICEBRIDGE_BUILD} || "$root/build";
my $dir = ($ENV{VOICEBRIDGE_TEST_DIR} || "$build/t/readme.t") . '/run';

make_path($dir);

END {
    my $status = $?;
    Voicebridge::Sim::Process::stop_all();
    $? = $status;
}

$SIG{TERM} = $SIG{INT} = sub { exit 1 };

$ENV{API_KEYS} = 'example-api-key';
$ENV{TWILIO_ACCOUNT_SID} = 'AC' . '0123456789abcdef' x 2;
$ENV{TWILIO_AUTH_TOKEN} = 'example-auth-token';
$ENV{TWILIO_PHONE_NUMBER} = '+15005550006';
$ENV{ELEVENLABS_API_KEY} = 'example-elevenlabs-key';


sub wait_for ($what, $process, $done) {
    for (my $until = time() + 60 * $FACTOR; !$done->(); sleep 0.02) {
        die "$what: @{[$process->name]} ended\n" if defined $process->ended;
        die "no $what\n" if time() > $until;
    }
}


sub events_of ($name, $event) {
    return grep { $_->{event} eq $event }
           map { decode_json($_) }
           grep { /\}$/ } split /\n/, path("$dir/$name.jsonl")->slurp;
}


# a simulator and its URL

sub simulator ($name, $script) {
    path("$dir/$name.json")->spurt(encode_json($script));

    my $process = Voicebridge::Sim::Process->start($name, [
        "$root/sim/$name", '--script', "$dir/$name.json",
        '--log', "$dir/$name.jsonl", '--ready', "$dir/$name.url",
    ], log => "$dir/$name.out");

    wait_for("URL of $name", $process, sub { -s "$dir/$name.url" });

    return $process, path("$dir/$name.url")->slurp =~ s/\s+$//r;
}


# the README's program in a language: fenced, or curl's, which is indented

sub program ($language) {
    my $readme = path("$root/README.md")->slurp;

    my ($program) = $language eq 'curl'
        ? $readme =~ /^\#\# Placing a call\n\n(    curl .*\n(?:     .*\n)*)/m
        : $readme =~ /^```$language\n(.*?)^```$/ms;

    return $program // die "the README has no program in $language\n";
}


# runs it: status, and what it says on each of its outputs

sub run ($language, $key) {
    my %command = (
        curl   => [qw( sh -s )],
        python => [qw( python3 - )],
        js     => [qw( node --input-type=module - )],
    );

    path("$dir/program")->spurt(program($language));

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        $ENV{VOICEBRIDGE_API_KEY} = $key;
        delete @ENV{grep { /_proxy$/i } keys %ENV};

        open STDIN, '<', "$dir/program";
        open STDOUT, '>', "$dir/stdout";
        open STDERR, '>', "$dir/stderr";

        exec @{$command{$language}} or POSIX::_exit(127);
    }

    waitpid $pid, 0;

    return $?, map { path("$dir/$_")->slurp } qw( stdout stderr );
}


my ($twilio, $twilio_url) = simulator(twilio => []);
my ($elevenlabs, $elevenlabs_url) = simulator(elevenlabs => [
    { goodbye => { tone => 600, seconds => 0.3 } },
]);

certificate('good');

my $port = Voicebridge::Test::free_port();

path("$dir/nginx.conf")->spurt(adapt(path("$root/nginx.conf.example")->slurp, {
    dir => $dir, module => $ENV{TEST_NGINX_LOAD_MODULES},
    certificate => "$build/certificates/good.crt",
    key => "$build/certificates/good.key",
    http => $port, https => $port + 1, other => $port + 2,
    twilio => $twilio_url, elevenlabs => $elevenlabs_url,
}));

my $nginx = Voicebridge::Sim::Process->start('nginx', [
    $ENV{TEST_NGINX_BINARY} // 'nginx', '-p', "$dir/",
    '-c', "$dir/nginx.conf", '-g', 'daemon off;',
], log => "$dir/nginx.out");

wait_for('pid of nginx', $nginx, sub { -s "$dir/nginx.pid" });

$ENV{VOICEBRIDGE_URL} = "http://127.0.0.1:$port";

my %sids;

for my $language (qw( curl python js )) {
    my ($status, $out, $error) = run($language, 'example-api-key');

    is $status, 0, "$language: a call is placed" or diag("$out$error");

    if ($language eq 'curl') {
        my $answer = decode_json($out);

        is_deeply { %$answer, call_sid => 'CA' },
                  { success => Mojo::JSON->true, call_sid => 'CA',
                    to => '+14155550123', status => 'queued',
                    message => 'Outbound call initiated successfully',
                    session_id => 'order-4711' },
                  "$language: the answer";
        $out = $answer->{call_sid};
    }

    like $out, qr/^CA[0-9a-f]{32}$/, "$language: its SID";
    chomp $out;
    $sids{$out} = $language;
}

is scalar keys %sids, 3, 'three calls';

wait_for('end of the calls', $twilio,
         sub { events_of(twilio => 'call_ended') == 3 });

for (events_of(twilio => 'call_ended')) {
    is $_->{status}, 'completed', "$sids{$_->{call_sid}}: the call took place";
}

my @variables = map { $_->{message}{dynamic_variables} }
                    events_of(elevenlabs => 'initiation');

is scalar @variables, 3, 'each with an agent';

for (@variables) {
    my $language = $sids{$_->{call_sid}};

    is $_->{customer_name}, "Zo\x{eb}", "$language: the agent knows who";
    cmp_ok $_->{amount_due}, '==', 120.5, "$language: and what";
}


# refused, and says so

my (undef, $out) = run(curl => 'wrong');

is_deeply decode_json($out), { detail => 'Invalid or missing API key' },
          'curl: shows why a call is refused';

for my $language (qw( python js )) {
    my ($status, undef, $error) = run($language, 'wrong');

    isnt $status, 0, "$language: fails where a call is refused";
    like $error, qr/401: Invalid or missing API key/, "$language: and says why";
}

is $twilio->stop, 0, 'Twilio has no warnings';
is $elevenlabs->stop, 0, 'nor has ElevenLabs';
is $nginx->stop('QUIT', 'TERM', 'KILL'), 0, 'nginx ends';

done_testing();
