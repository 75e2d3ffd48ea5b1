#!/usr/bin/perl

# nginx.conf.example serves whole calls, which the simulators find nothing
# wrong with, from and to a phone.

use Mojo::Base -strict, -signatures;

use FindBin qw( $RealBin );
use lib "$RealBin/../sim/lib";

use Cwd qw( abs_path );
use File::Path qw( make_path );
use HTTP::Tiny;
use IO::Select;
use IO::Socket::IP;
use Mojo::File qw( path );
use Mojo::JSON qw( decode_json encode_json );
use Mojo::Util qw( encode );
use Test::More;
use Time::HiRes qw( sleep time );
use Voicebridge::Certificates qw( certificate );
use Voicebridge::Phone ();
use Voicebridge::Sim::Config qw( adapt );
use Voicebridge::Sim::Process;
use Voicebridge::Test ();

my $FACTOR = $ENV{VOICEBRIDGE_TIME_FACTOR} || 1;

my $root = abs_path("$RealBin/..");
my $build = $ENV{VOICEBRIDGE_BUILD} || "$root/build";
my $dir = ($ENV{VOICEBRIDGE_TEST_DIR} || "$build/t/example.t") . '/run';

make_path($dir);

END {
    my $status = $?;
    Voicebridge::Sim::Process::stop_all();
    $? = $status;
}

$SIG{TERM} = $SIG{INT} = sub { exit 1 };

my $key = 'example-api-key';
my $account = 'AC' . '0123456789abcdef' x 2;

$ENV{API_KEYS} = $key;
$ENV{TWILIO_ACCOUNT_SID} = $account;
$ENV{TWILIO_AUTH_TOKEN} = 'example-auth-token';
$ENV{TWILIO_PHONE_NUMBER} = '+15005550006';
$ENV{ELEVENLABS_API_KEY} = 'example-elevenlabs-key';

# they play no speech: that is the demo's part
my %script = (
    elevenlabs => [
        { say => { tone => 440, seconds => 0.6 } },
        { hear => 'hello' },
        { say => { tone => 500, seconds => 30 } },
        { hear => 'stop' },
        { tool => 'look_up' },
        { goodbye => { tone => 600, seconds => 0.8 } },
    ],
    twilio => [
        { until => 'silence', for => 0.3 },
        { say => { tone => 700, seconds => 0.4 } },
        { until => 'speech' },
        { wait => 0.3 },
        { dtmf => '1' },
        { say => { tone => 700, seconds => 0.4 } },
    ],
);


sub wait_for ($what, $process, $done) {
    for (my $until = time() + 60 * $FACTOR; !$done->(); sleep 0.02) {
        die "$what: @{[$process->name]} ended\n" if defined $process->ended;
        die "no $what\n" if time() > $until;
    }
}


sub events ($name) {
    return map { decode_json($_) }
               grep { /\}$/ } split /\n/, path("$dir/$name.jsonl")->slurp;
}


sub events_of ($name, $event) {
    return grep { $_->{event} eq $event } events($name);
}


sub write_file ($file, $text) {
    open my $out, '>', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
}


sub simulator ($program, $name, @arguments) {
    write_file("$dir/$program.json", encode_json($script{$program}));

    return Voicebridge::Sim::Process->start($name, [
        "$root/sim/$program", '--script', "$dir/$program.json",
        '--log', "$dir/$name.jsonl", '--ready', "$dir/$name.url", @arguments,
    ], log => "$dir/$name.out");
}


sub url_of ($process) {
    my $name = $process->name;

    wait_for("URL of $name", $process, sub { -s "$dir/$name.url" });

    return path("$dir/$name.url")->slurp =~ s/\s+$//r;
}


my $twilio = simulator('twilio', 'twilio');
my $elevenlabs = simulator('elevenlabs', 'elevenlabs',
                           '--output-format', 'pcm_24000', '--record', $dir);

certificate('good');

# two more for the port of TLS and the one of plain HTTP that redirects
my $port = Voicebridge::Test::free_port();

my $conf = adapt(path("$root/nginx.conf.example")->slurp, {
    dir => $dir, module => $ENV{TEST_NGINX_LOAD_MODULES},
    certificate => "$build/certificates/good.crt",
    key => "$build/certificates/good.key",
    http => $port, https => $port + 1, other => $port + 2,
    twilio => url_of($twilio), elevenlabs => url_of($elevenlabs),
});

# the one thing an inbound call needs
$conf =~ s/^(\s*voicebridge_agent)\s+[^;]+;/$1 agent_inbound;/m
    or die "no voicebridge_agent in nginx.conf.example\n";

# what is to be changed when all was tried
$conf =~ s/^(\s*)\# (limit_req zone=number [^;]+;)/$1$2/m
    or die "no limit for a number in nginx.conf.example\n";
# as few as can be opened here
$conf =~ s/^(\s*limit_conn calls) 1000;/$1 2;/m
    or die "no limit_conn in nginx.conf.example\n";

write_file("$dir/nginx.conf", $conf);

my $nginx = Voicebridge::Sim::Process->start('nginx', [
    $ENV{TEST_NGINX_BINARY} // 'nginx', '-p', "$dir/",
    '-c', "$dir/nginx.conf", '-g', 'daemon off;',
], log => "$dir/nginx.out");

wait_for('pid of nginx', $nginx, sub { -s "$dir/nginx.pid" });


# somebody is called

my $answer = HTTP::Tiny->new(timeout => 20 * $FACTOR)->post(
    "http://127.0.0.1:$port/twilio/outbound-call",
    { headers => { 'Content-Type' => 'application/json', 'X-API-Key' => $key },
      content => encode 'UTF-8',
                 '{"agent_id": "agent_outbound", "metadata": {"to_number": '
                 . '"+14155550123", "dynamic_variables": {"name": "Zoë", '
                 . '"amount": 120.50, "vip": true, "note": null}}}' });

is $answer->{status}, 200, 'an outbound call is taken'
    or die "$answer->{content}\n";

my $sid = decode_json($answer->{content})->{call_sid};

wait_for('end of the call', $twilio, sub { events_of(twilio => 'call_ended') });
wait_for('end of the conversation', $elevenlabs,
         sub { events_of(elevenlabs => 'conversation_ended') });

my ($ended) = events_of(twilio => 'call_ended');

is $ended->{call_sid}, $sid, 'the call is that of the answer';
is $ended->{status}, 'completed', 'it was completed';
is $ended->{clears}, 1, 'the interruption cleared what was queued';
is $ended->{marks_returned}, $ended->{marks_received}, 'all marks came back';

my ($initiation) = events_of(elevenlabs => 'initiation');

like $initiation->{raw}, qr/"amount": ?120\.50\b/,
     'a number is as it was written';
is_deeply [@{$initiation->{message}{dynamic_variables}}{qw( name vip note )}],
          ["Zo\x{eb}", Mojo::JSON->true, undef],
          'other variables keep their types';

my ($closed) = events_of(twilio => 'stream_closed');

is $closed->{code}, 1000, 'the stream was closed with 1000';
is $closed->{unplayed}, 0, 'when all had been played';

is join(' ', map { $_->{status} // 0 } events_of(twilio => 'call_status'),
                                       events_of(twilio => 'stream_status')),
   join(' ', (204) x 6), 'status callbacks got 204';

is join(', ', map { $_->{what} } events_of(twilio => 'warning')), '',
   'the phone found nothing wrong';


# somebody calls, over TLS

my $phone = simulator('twilio', 'phone', '--ca', "$build/certificates/ca.crt",
    '--inbound', 'https://localhost:' . ($port + 1) . '/twilio/incoming-call');

wait_for('end of the inbound call', $nginx, sub { defined $phone->ended });

is $phone->ended, 0, 'an inbound call took place, with nothing wrong';

wait_for('end of its conversation', $elevenlabs,
         sub { events_of(elevenlabs => 'conversation_ended') == 2 });

is +(events_of(elevenlabs => 'conversation'))[-1]{agent_id}, 'agent_inbound',
   'with the agent of the configuration';

# the limits: who is not called is refused, and who asks too often as well

sub ask ($to) {
    return HTTP::Tiny->new(timeout => 20 * $FACTOR)->post(
        "http://127.0.0.1:$port/twilio/outbound-call",
        { headers => { 'X-API-Key' => $key },
          content => '{"agent_id": "a", "metadata": {"to_number": "'
                     . $to . '"}}' });
}

my $began = time();
my $denied = ask('+14155550199');

is $denied->{status}, 403, 'a number that does not want to be called';
is decode_json($denied->{content})->{detail},
   'this number has asked not to be called', 'is not called';
is ask('+19005550100')->{status}, 403, 'nor one that costs too much';

# nginx counts milliseconds from when its events began
cmp_ok time() - $began, '>=', 0.98, 'one a second is as many as Twilio dials';

is ask('+14155550199')->{status}, 403, 'a number once more';
is ask('+14155550199')->{status}, 429, 'but not again and again';

# all at once, and nobody waits for those that have to wait
my @asking = map {
    my $sock = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port)
        or die "connect: $@\n";
    my $body = '{"agent_id": "a", "metadata": {"to_number": "+1900555'
               . (1000 + $_) . '"}}';

    print $sock "POST /twilio/outbound-call HTTP/1.1\r\nHost: localhost\r\n"
                . "X-API-Key: $key\r\nContent-Length: ${\length $body}\r\n"
                . "\r\n$body";
    $sock;
} 1 .. 12;

# those that have to wait say nothing yet
my @refused = grep { /^HTTP\S+ 429 / } map { scalar readline $_ }
              grep { IO::Select->new($_)->can_read(0.5 * $FACTOR) } @asking;

cmp_ok scalar @refused, '>', 0, 'who asks too often is told so';
close $_ for @asking;

my @phones = map { Voicebridge::Phone->new(port => $port, auth_token =>
                       $ENV{TWILIO_AUTH_TOKEN})->open } 1 .. 3;

is join(' ', map { $_->handshake } @phones), '101 101 503',
   'no more calls at a time than there may be';

$_->disconnect for @phones;

is $twilio->stop, 0, 'Twilio has no warnings';
is $elevenlabs->stop, 0, 'nor has ElevenLabs';
is $nginx->stop('QUIT', 'TERM', 'KILL'), 0, 'nginx ends';

is join('', grep { /\[(?:error|crit|alert|emerg)\]/
                   && !/setrlimit|limiting/ }
            map { "$_\n" } split /\n/, path("$dir/error.log")->slurp),
   '', 'and logged no errors';

done_testing();
