# voicebridge_webhook where something has an end: receivers that do not answer
# a worker that exits, memory, certificates, files of others in the spool.

use Voicebridge::Test;
use Voicebridge::Certificates qw( certificate );
use Voicebridge::HTTP qw( http );
use Voicebridge::Metrics qw( metrics until_metric );
use Voicebridge::Process qw( children );
use Voicebridge::Receiver;
use Voicebridge::WebSocket qw( deadline_after );

use File::Path qw( make_path remove_tree );
use File::Temp qw( tempdir );
use Time::HiRes qw( sleep time );

# threads wake a worker by what poll has not
plan(skip_all => 'nginx has no thread pools with poll')
    if ($ENV{TEST_NGINX_EVENT_TYPE} // '') eq 'poll';

my $secret = 'whsec-0badc0de0badc0de';
my $dir = tempdir(CLEANUP => 1);
my $receiver;

secret($secret);

# nginx's workers may not be who we are
chmod 0755, $dir;

$ENV{TEST_NGINX_SPOOL} = "$dir/spool";
$ENV{TEST_NGINX_SECRET} = $secret;

END {
    local $?;

    $receiver->stop if $receiver;
}

add_block_preprocessor(sub {
    my $block = shift;

    $block->name =~ /worker/ ? master_on() : master_off();
    workers(1);
    worker_connections($block->name =~ /cannot ask/ ? 32 : 512);

    remove_tree("$dir/spool");
    make_path("$dir/spool");
    strange('worker-x', qw( lock 1 notes )) if $block->name =~ /of others/;

    receive($block->name =~ /certificate/ ? (tls => 'good') : (),
            answer => code($block));

    $ENV{TEST_NGINX_RECEIVER_URL} = $receiver->url;

    $block->set_value('http_config', ($block->http_config // '') . <<'EOC');
    voicebridge_zone voicebridge:1m;
EOC

    $block->set_value('config', ($block->config // '') . <<'EOC');
    location = /metrics { voicebridge_metrics; }

    $TEST_NGINX_VOICEBRIDGE
    voicebridge_webhook_secret $TEST_NGINX_SECRET;

    location = /twilio/call-status { voicebridge_call_status; }
EOC

    $block->set_value('config', $block->config . <<'EOC')
    voicebridge_webhook $TEST_NGINX_RECEIVER_URL/calls;
EOC
        unless $block->config =~ /webhook \S*_URL/;
});

sub code {
    my $text = shift->receiver // return undef;

    return eval "sub { my (\$message, \$n) = \@_; $text }" // die $@;
}

sub receive {
    $receiver->stop if $receiver;
    $receiver = Voicebridge::Receiver->start(secret => $secret, @_);
}

sub receiver { return $receiver }

# a directory in the spool, with such files

sub strange {
    my ($name, @files) = @_;

    make_path("$dir/spool/$name");
    touch("$dir/spool/$name/$_") for @files;
    chmod 0777, "$dir/spool", "$dir/spool/$name";
}

sub touch {
    open my $out, '>', $_[0] or die "$_[0]: $!\n";
    close $out;
    chmod 0666, $_[0];
}

sub files { return grep { !/lock$/ } glob "$dir/spool/*/*" }

sub until_files {
    my $n = shift;
    my $deadline = deadline_after();

    while (files() != $n) {
        die 'the spool holds ' . files() . " files, not $n\n"
            if time() > $deadline;
        sleep 0.02;
    }
}

# calls that were placed and that nobody answers: an event each

sub busy {
    my ($n, %o) = @_;

    for (1 .. $n) {
        my $path = $o{path} // '/twilio/call-status';

        my $status = http(
            POST => $path, token => $ENV{TEST_NGINX_AUTH_TOKEN}, form => [
                CallSid => $o{sid} // sid(), From => '+15005550006',
                To => $o{to} // '+15005550009',
                Direction => 'outbound-api', CallStatus => 'busy' ])->{status};

        die "$path: status $status\n" unless $status == 204;
    }
}

my $calls = 0;

sub sid { return sprintf 'CA%032x', ++$calls }

sub events { return "voicebridge_webhook_events_total{result=\"$_[0]\"}" }

sub worker { return (children(nginx_pid()))[0] }

# other words in the configuration, for the next reload

sub configure {
    my %words = @_;

    open my $in, '<', $Test::Nginx::Util::ConfFile or die;
    my $text = do { local $/; <$in> };

    while (my ($old, $new) = each %words) {
        $text =~ s/$old/$new/ or die "the configuration has no $old\n";
    }

    open my $out, '>', $Test::Nginx::Util::ConfFile or die;
    print $out $text;
    close $out or die;
}

sub lines {
    my $pattern = shift;

    open my $log, '<', $Test::Nginx::Util::ErrLogFile or die;
    return scalar grep { $_ =~ $pattern } <$log>;
}

run_tests();

__DATA__

=== files of others in the spool of a worker
--- http_config
    voicebridge_webhook_spool $TEST_NGINX_SPOOL;
--- test
    my $spool = "$ENV{TEST_NGINX_SPOOL}";

    log_has(qr/\[warn\].*1 file.* in "$spool\/worker-x" .*no events/);

    my $port = receiver()->port;

    receiver()->stop;
    busy(1);
    until_files(3);

    my $worker = worker();
    my ($own) = glob "$spool/worker-$worker-*";

    touch("$own/20-and-no-event");

    kill KILL => $worker;
    log_has(qr/\[notice\].*taken over: 1/);

    receive(port => $port);
    is receiver()->event('told')->{message}{type}, 'call.not_answered',
       'what is an event is delivered';
    until_metric('voicebridge_webhook_events_waiting', 0);
    until_files(3);

    is join(' ', sort map { s{.*/}{}r } files()), '1 20-and-no-event notes',
       'what is none stays where it is';

    my $deadline = deadline_after();

    sleep 0.02 while -e "$own/lock" && time() < $deadline;

    ok !-e "$spool/worker-x/lock" && !-e "$own/lock", 'and is left alone';
    is lines(qr/no events/), 2, 'which is told once for each directory';
    is lines(qr/taken over: 0/), 0, 'and nothing was taken over for nothing';
--- error_log eval
qr/exited on signal 9/



=== a worker that exits and cannot ask
--- config
    voicebridge_webhook_timeout 3s;

    location = /0 {
        voicebridge_call_status;
        voicebridge_webhook $TEST_NGINX_RECEIVER_URL/0;
    }

    location = /1 {
        voicebridge_call_status;
        voicebridge_webhook $TEST_NGINX_RECEIVER_URL/1;
    }

    location = /2 {
        voicebridge_call_status;
        voicebridge_webhook $TEST_NGINX_RECEIVER_URL/2;
    }

    location = /3 {
        voicebridge_call_status;
        voicebridge_webhook $TEST_NGINX_RECEIVER_URL/3;
    }

    location = /4 {
        voicebridge_call_status;
        voicebridge_webhook $TEST_NGINX_RECEIVER_URL/4;
    }
--- receiver
    return { never => 1 };
--- test
    busy(8, path => "/$_") for 0 .. 3;
    busy(3, path => '/4');
    log_has(qr/as many REST requests are under way/);

    my $worker = worker();

    kill HUP => nginx_pid();
    log_has(qr/worker process $worker exited with code 0/);

    until_metric('voicebridge_webhook_events_waiting', 0);
    is metrics()->{events('lost')}, 35, 'all are lost';
    is lines(qr/\[error\].*is given up, since this worker has to exit/), 35,
       'as the log says';



=== a worker that exits, and nobody answers
--- config
    voicebridge_webhook_timeout 1s;
--- receiver
    return { never => 1 };
--- test
    busy(400);

    my $worker = worker();

    # it would take a minute to try with each of them
    kill HUP => nginx_pid();
    log_has(qr/worker process $worker exited with code 0/);

    is metrics()->{events('lost')}, 400, 'all are lost';
    is lines(qr/\[error\].*is given up, since this worker has to exit/), 400,
       'as the log says';



=== a worker that exits, and a slow receiver
--- config
    voicebridge_webhook_timeout 4s;
--- receiver
    return { status => 200, delay => 2 };
--- test
    busy(400);

    my $worker = worker();

    # and as long to deliver them all
    kill HUP => nginx_pid();
    log_has(qr/worker process $worker exited with code 0/);

    my $m = metrics();

    cmp_ok $m->{events('delivered')}, '>=', 8, 'some are delivered';
    is $m->{events('delivered')} + $m->{events('lost')}, 400,
       'the others are lost';



=== more bytes than may wait in memory
--- test
    receiver()->stop;

    busy(320, to => '1' x 60000);

    my $m = metrics();
    my $waiting = $m->{voicebridge_webhook_events_waiting};

    cmp_ok $waiting, '<=', 16 * 1024 * 1024 / 60000, 'what is in memory';
    cmp_ok $waiting, '>', 250, 'is no less than that';
    is $waiting + $m->{events('given_up')}, 320, 'the oldest are given up';
    log_has(qr/\[error\].*is given up: too many wait for their receiver/);



=== one URL, and how its certificate is looked at; a worker
--- http_config
    voicebridge_webhook_spool $TEST_NGINX_SPOOL;
--- config
    location = /off {
        voicebridge_call_status;
        voicebridge_webhook $TEST_NGINX_RECEIVER_URL/calls;
        voicebridge_ssl_verify off;
    }

    location = /system {
        voicebridge_call_status;
        voicebridge_webhook $TEST_NGINX_RECEIVER_URL/calls;
    }

    location = /trusted {
        voicebridge_call_status;
        voicebridge_webhook $TEST_NGINX_RECEIVER_URL/calls;
        voicebridge_ssl_trusted_certificate $TEST_NGINX_CERTIFICATES/ca.crt;
    }
--- test
    my %sid = map { $_ => sid() } qw( off system trusted );

    busy(1, path => "/$_", sid => $sid{$_}) for qw( off system trusted );

    my %told = map { $_->{message}{call}{call_sid} => $_ }
               map { receiver()->event('told') } 1 .. 2;

    ok $told{$sid{off}}, 'not at all';
    ok $told{$sid{trusted}}, 'by the location\'s CA';
    ok $told{$sid{trusted}}{signed}, 'signed';

    like log_has(qr/\[warn\].*call $sid{system}: event .* was not taken/),
         qr/certificate.*once more in .*ssl_trusted_certificate/,
         'by the system\'s, which do not know it: what to do is told';

    # there is one file left, for which another worker goes by the same rule
    until_metric(events('delivered'), 2);
    until_files(1);

    kill KILL => worker();
    log_has(qr/\[notice\].*taken over: 1/);

    my $deadline = deadline_after();

    sleep 0.02 until lines(qr/$sid{system}: event .* was not taken/) > 1
                     || time() > $deadline;

    cmp_ok lines(qr/$sid{system}: event .* was not taken/), '>', 1,
           'refused again';
    is metrics()->{voicebridge_webhook_events_waiting}, 1, 'and it waits';
    is scalar(files()), 1, 'on disk';
    is lines(qr/$sid{system}: event .* was delivered/), 0,
       'but is never delivered';
--- error_log eval
qr/exited on signal 9/



=== other ways to the URL after a reload; a worker
--- http_config
    voicebridge_webhook_spool $TEST_NGINX_SPOOL;
--- config
    voicebridge_webhook_timeout 9s;
--- test
    my $port = receiver()->port;

    receiver()->stop;
    busy(2);
    until_files(2);

    my $other = 'whsec-another-0badc0de';

    secret($other);
    configure(qr/webhook_timeout 9s/ => 'webhook_timeout 8s',
              qr/webhook_secret \S+;/ => "webhook_secret $other;");

    my $worker = worker();

    kill HUP => nginx_pid();
    log_has(qr/worker process $worker exited with code 0/);

    receive(port => $port, secret => $other);

    ok receiver()->event('told')->{signed}, 'signed with the new secret'
        for 1 .. 2;
    until_files(0);
    is lines(qr/for a URL that no/), 0, 'the URL is known';



=== the session of a call that nobody answers
--- config
    location = /twilio/outbound-call { voicebridge_outbound_call; }
--- twilio
    return {};
--- test
    my $answer = http(POST => '/twilio/outbound-call',
                      headers => { 'X-API-Key' => $ENV{TEST_NGINX_API_KEY} },
                      json => { agent_id => 'agent_1', session_id => 'order-1',
                                metadata => { to_number => '+15005550009' } });

    busy(1, sid => $answer->{json}{call_sid});

    my $call = receiver()->event('told')->{message}{call};

    is $call->{call_sid}, $answer->{json}{call_sid}, 'the call';
    is $call->{session_id}, 'order-1', 'and its session';
    is $call->{agent_id}, 'agent_1', 'and its agent';

    busy(1);
    $call = receiver()->event('told')->{message}{call};

    ok exists $call->{session_id}, 'of a call of somebody else\'s';
    is $call->{session_id}, undef, 'it is not known';
