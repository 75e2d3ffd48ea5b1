# voicebridge_webhook: events of calls, signed, in order, until they are taken,
# whatever dies meanwhile.

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );
use Voicebridge::Metrics qw( metrics until_metric );
use Voicebridge::Process qw( children );
use Voicebridge::Receiver;
use Voicebridge::WebSocket qw( deadline_after );

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Path qw( make_path remove_tree );
use File::Temp qw( tempdir );
use Time::HiRes qw( sleep time );

# threads wake a worker by what poll has not
plan(skip_all => 'nginx has no thread pools with poll')
    if ($ENV{TEST_NGINX_EVENT_TYPE} // '') eq 'poll';

my $secret = 'whsec-0badc0de0badc0de';
my $root = abs_path(dirname(__FILE__) . '/..');
my $dir = tempdir(CLEANUP => 1);
my $receiver;

secret($secret);

# nginx's workers may not be who we are
chmod 0755, $dir;

$ENV{TEST_NGINX_SPOOL} = "$dir/spool";
$ENV{TEST_NGINX_SECRET} = $secret;

sub spool { return $ENV{TEST_NGINX_SPOOL} }

# a file system with next to no room: true if there can be one

my $small = "$dir/small";

sub have_small {
    make_path($small);

    qx(mount -t tmpfs -o size=32k,mode=0777 none $small 2>&1);

    return $? == 0;
}

$ENV{TEST_NGINX_SMALL} = have_small() ? $small : "$dir/spool";

sub is_small { return $ENV{TEST_NGINX_SMALL} eq $small }

END {
    local $?;

    $receiver->stop if $receiver;
    system "umount $small 2>/dev/null" if -d $small;
}

add_block_preprocessor(sub {
    my $block = shift;

    my $master = $block->name =~ /worker|killed|reload/;

    master_on() if $master;
    master_off() unless $master;
    workers($block->name =~ /workers/ ? 2 : 1);

    remove_tree("$dir/spool");
    receive(code($block));

    $ENV{TEST_NGINX_RECEIVER_URL} = $receiver->url;

    $block->set_value('http_config', ($block->http_config // '') . <<'EOC');
    voicebridge_zone voicebridge:1m;
EOC

    $block->set_value('http_config', $block->http_config . <<'EOC')
    voicebridge_webhook_spool $TEST_NGINX_SPOOL;
EOC
        unless $block->http_config =~ /webhook_spool/
               || $block->name =~ /without a spool/;

    $block->set_value('config', ($block->config // '') . <<'EOC');
    location = /metrics { voicebridge_metrics; }

    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;
    voicebridge_webhook_secret $TEST_NGINX_SECRET;

    location = /twilio/media-stream { voicebridge_media_stream; }
    location = /twilio/call-status { voicebridge_call_status; }
EOC

    $block->set_value('config', $block->config . <<'EOC')
    voicebridge_webhook $TEST_NGINX_RECEIVER_URL/calls?a=b;
EOC
        unless $block->config =~ /voicebridge_webhook http|_URL/;

    $block->set_value('agent', <<'EOS') unless $block->agent;
    $agent->upgrade;
    $agent->expect_initiation;
    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $agent->agent_response('Hello');
    $agent->audio('a' x 80, 1);
    eval { $agent->recv_close };
EOS

    $block->set_value('agent_options', 'each => 1')
        unless $block->agent =~ /socket/;
});

sub code {
    my $text = shift->receiver // return undef;

    return eval "sub { my (\$message, \$n) = \@_; $text }" // die $@;
}

# the receiver, on its old port where there was one before

sub receive {
    my ($answer, @port) = @_;

    $receiver->stop if $receiver;
    $receiver = Voicebridge::Receiver->start(secret => $secret, raw => 1,
                                             answer => $answer, @port);
}

sub receiver { return $receiver }

sub call {
    my $phone = phone(@_)->connect;

    $phone->start(parameters => { agent_id => 'agent_1', session_id => 's-1',
                                  direction => 'outbound',
                                  from => '+15005550006',
                                  to => '+15005550009' });
    $phone->recv_audio(80);

    return $phone;
}

sub hang_up {
    for (@_) {
        $_->stop;
        $_->recv_close;
        $_->send_close(1000);
        $_->recv_eof;
    }
}

# the next n events that were told

sub told { return map { $receiver->event('told') } 1 .. shift }

sub types { return join ' ', map { $_->{message}{type} =~ s/^call\.//r } @_ }

# those that are whole: another is not there yet

sub files { return grep { !m{/(?:lock|tmp-.*)$} } glob spool() . '/*/*' }

# waits until the spool holds n events

sub until_files {
    my $n = shift;
    my $deadline = deadline_after();

    while (files() != $n) {
        die 'the spool holds ' . files() . " events, not $n\n"
            if time() > $deadline;
        sleep 0.02;
    }
}

sub pid_of {
    my $pattern = shift;
    return log_has($pattern) =~ / (\d+)#/ ? $1 : die;
}

# the worker there is now, and was not before

sub new_worker {
    my ($old) = @_;
    my $deadline = deadline_after();

    while (1) {
        my ($new) = grep { $_ != $old } children(nginx_pid());
        return $new if $new;
        die "no new worker\n" if time() > $deadline;
        sleep 0.02;
    }
}

sub slurp {
    my $name = shift;

    open my $in, '<:raw', "$root/$name" or die "$name: $!\n";
    local $/;
    return <$in>;
}

# what a command says to this input

sub output {
    my ($command, $input) = @_;

    my $file = "$dir/input";

    open my $out, '>:raw', $file or die "$file: $!\n";
    print $out $input;
    close $out or die "$file: $!\n";

    return scalar qx($command < $file 2>&1);
}

run_tests();

__DATA__

=== a call, from its start to its end
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->agent_response("Hello \"you\"");
    $socket->user_transcript('Yes');
    $socket->send_json({ type => 'agent_tool_response', agent_tool_response =>
        { tool_name => 'book', tool_call_id => 't', tool_type => 'webhook',
          is_error => JSON::PP::true() } });
    $socket->send_json({ type => 'agent_tool_response', agent_tool_response =>
        { tool_name => 'good', is_error => JSON::PP::false() } });
    $socket->audio('a' x 80, 1);
    $socket->close_with(1000);
--- test
    my $phone = call(return_marks => 1);

    $phone->recv_event('mark');
    $phone->recv_close;
    $phone->send_close(1000);

    my @told = told(4);
    my $sid = $phone->{call_sid};

    is types(@told), 'started answered tool_failed ended', 'the story';

    for (@told) {
        my $message = $_->{message};

        ok $_->{signed}, 'signed';
        is $_->{path}, '/calls?a=b', 'to the URL';
        is $_->{headers}{'content-type'}, 'application/json', 'JSON';
        is $_->{headers}{'x-voicebridge-event'}, $message->{type}, 'type';
        is $_->{headers}{'x-voicebridge-event-id'}, $message->{id}, 'id';
        like $message->{id}, qr/^evt_[0-9a-f]{32}$/, 'an id';
        like $message->{created}, qr/^2\d{3}-.*\.\d{3}Z$/, 'a time';
        is $message->{call}{call_sid}, $sid, 'the call';
        is $message->{call}{session_id}, 's-1', 'session';
        is $message->{call}{to}, '+15005550009', 'number';
    }

    is join(' ', map { $_->{message}{sequence} } @told), '1 2 3 4', 'counted';

    my ($started, $answered, $tool, $ended) = map { $_->{message} } @told;

    is $started->{call}{conversation_id}, undef, 'no conversation yet';
    is $answered->{call}{conversation_id}, 'conv_0123456789abcdef', 'now';
    is $tool->{tool}{name}, 'book', 'the tool that failed';
    is $ended->{call}{end_reason}, 'agent_ended', 'why it ended';
    is $ended->{call}{status}, 'completed', 'how';
    is $ended->{call}{agent_audio_seconds}, 0.01, 'audio';
    cmp_ok $ended->{call}{duration}, '>', 0, 'duration';

    is_deeply [ map { "$_->{speaker}: $_->{text}" } @{$ended->{transcript}} ],
              [ 'agent: Hello "you"', 'user: Yes' ], 'what was said';
    ok $ended->{transcript_complete}, 'all of it';

    until_files(0);

    my $m = metrics();

    is $m->{'voicebridge_webhook_events_total{result="delivered"}'}, 4,
       'counted as delivered';
    is $m->{voicebridge_webhook_events_waiting}, 0, 'none waits';

    log_has(qr/\[info\].*call $sid: event call.$_ .* was delivered to http:/)
        for qw( started answered tool_failed ended );



=== only some events, of one location
--- config
    location = /quiet {
        voicebridge_media_stream;
        voicebridge_webhook off;
    }

    voicebridge_webhook $TEST_NGINX_RECEIVER_URL/some ended;
--- test
    hang_up(call(path => '/quiet'));

    my $phone = call();
    hang_up($phone);

    my ($told) = told(1);

    is types($told), 'ended', 'the event that was asked for';
    is $told->{message}{call}{call_sid}, $phone->{call_sid},
       'of the location that has a webhook';
    ok !exists $told->{message}{transcript}, 'which has no transcript';
    is $told->{message}{sequence}, 1, 'counted alone';



=== calls that nobody answers
--- test
    my $sid = 'CA' . '0123456789abcdef' x 2;

    my $status = sub {
        http(POST => '/twilio/call-status', token =>
             $ENV{TEST_NGINX_AUTH_TOKEN}, form => [
                 CallSid => $sid, From => '+15005550006',
                 To => '+15005550009', @_ ])->{status};
    };

    is $status->(Direction => 'outbound-api', @$_), 204, "@$_"
        for [ CallStatus => 'initiated' ], [ CallStatus => 'ringing' ],
            [ CallStatus => 'busy', SipResponseCode => 486 ],
            [ CallStatus => 'no-answer' ], [ CallStatus => 'completed' ],
            [ CallStatus => 'failed', SipResponseCode => 404,
              ErrorCode => 13224 ];

    is $status->(Direction => 'inbound', CallStatus => 'busy'), 204, 'inbound';

    my @told = told(3);

    is types(@told), 'not_answered not_answered not_answered', 'as events';
    is join(' ', map { $_->{message}{call}{status} } @told),
       'busy no-answer failed', 'which say why';
    is join(' ', map { $_->{message}{call}{sip_code} // '-' } @told),
       '486 - 404', 'with the SIP code';
    is $told[2]{message}{call}{error_code}, 13224, 'and Twilio\'s';
    is $told[0]{message}{call}{call_sid}, $sid, 'of the call';
    is $told[0]{message}{call}{to}, '+15005550009', 'to this number';
    until_files(0);
    is scalar(grep { $_->{event} eq 'told' } receiver()->events), 3,
       'and no others';



=== a receiver that fails at first
--- receiver
    return $n == 1 ? 500 : $n == 2 ? { status => 429,
                                       headers => { 'Retry-After' => 1 } }
                   : $n == 4 ? 410 : 200;
--- test
    my $phone = call();
    hang_up($phone);

    # the second has to wait for the first, and the third is not to be had
    my @told = told(5);

    is types(@told), 'started started started answered ended', 'in order';
    is $told[0]{message}{id}, $told[2]{message}{id}, 'one id for each attempt';

    my @wait = map { $told[$_ + 1]{time} - $told[$_]{time} } 0 .. 3;

    cmp_ok $wait[0], '>=', 0.49, 'half a second at least';
    cmp_ok $wait[1], '>=', 0.99, 'then twice that';
    ok $told[2]{signed}, 'signed each time';

    my $sid = $phone->{call_sid};

    log_has(qr/\[warn\].*call $sid: event call.started .*status 500, once more/);
    log_has(qr/\[info\].*call $sid: event call.started .*status 429, once more/);
    log_has(qr/\[error\].*call $sid: event call.answered .* is given up: .*410/);
    log_has(qr/\[notice\].*answers events again/);

    my $m = until_metric('voicebridge_webhook_events_total'
                         . '{result="delivered"}', 2);
    is $m->{'voicebridge_webhook_events_total{result="failed"}'}, 2, 'failed';
    is $m->{'voicebridge_webhook_events_total{result="given_up"}'}, 1,
       'given up';
    until_files(0);



=== a receiver that starts again while many are on their way to it
--- receiver
    return { never => 1 };
--- test
    my $port = receiver()->port;
    my @phones = map { call() } 1 .. 8;

    told(8);

    # all of them fail at once, which is one failure of the receiver

    receive(undef, port => $port);
    hang_up(@phones);

    is types(told(1)), 'started', 'it is tried again soon';
    told(23);
    until_files(0);



=== a worker that is killed
--- test
    my $port = receiver()->port;

    receiver()->stop;

    my $phone = call();
    my $sid = $phone->{call_sid};
    my $old = pid_of(qr/call $sid: Media stream started/);

    hang_up($phone);
    until_files(3);
    until_metric('voicebridge_webhook_events_waiting', 3);

    kill KILL => $old;
    log_has(qr/worker process $old exited on signal 9/);

    receive(undef, port => $port);

    my @told = told(3);

    is types(@told), 'started answered ended', 'another delivers, in order';
    is $told[0]{message}{call}{call_sid}, $sid, 'what it left';
    ok $told[2]{signed}, 'and signs it';
    log_has(qr/\[notice\].*taken over: 3/);
    until_files(0);
    until_metric('voicebridge_webhook_events_waiting', 0);

    is scalar(glob(spool() . "/worker-$old-*") // ''), '', 'and tidies up';
--- error_log eval
qr/exited on signal 9/



=== a worker that is to exit at once
--- test
    my $port = receiver()->port;

    receiver()->stop;

    my @phones = map { call() } 1 .. 20;
    my $sid = $phones[0]{call_sid};
    my $old = pid_of(qr/call $sid: Media stream started/);

    kill TERM => $old;
    log_has(qr/worker process $old exited with code 0/);

    receive(undef, port => $port);

    my %of;

    push @{$of{$_->{message}{call}{call_sid}}}, $_ for told(60);

    for my $phone (@phones) {
        my @its = @{$of{$phone->{call_sid}}};

        is types(@its), 'started answered ended', 'all events, in order';
        is $its[2]{message}{call}{end_reason}, 'shutdown', 'and why it ended';
    }

    until_files(0);
    is scalar(glob(spool() . "/worker-$old-*") // ''), '', 'and tidies up';
--- no_error_log
[alert]
are lost



=== nginx itself, killed between an event and its delivery
--- test
    my $port = receiver()->port;

    receiver()->stop;

    my @phones = map { call() } 1 .. 2;
    hang_up(@phones);
    until_files(6);

    my $master = nginx_pid();
    my @all = ($master, children($master));

    kill KILL => @all;
    sleep 0.02 while grep { kill 0 => $_ } $master;

    receive(undef, port => $port);

    no warnings 'once';
    system("$Test::Nginx::Util::NginxBinary -p $Test::Nginx::Util::ServRoot/"
           . " -c $Test::Nginx::Util::ConfFile > /dev/null 2>&1") == 0
        or die "nginx does not start again\n";

    my @told = told(6);

    for my $phone (@phones) {
        my @its = grep { $_->{message}{call}{call_sid} eq $phone->{call_sid} }
                       @told;
        is types(@its), 'started answered ended', 'all events, in order';
    }

    until_files(0);



=== a reload in between
--- test
    my $port = receiver()->port;

    receiver()->stop;

    my $phone = call();
    my $old = pid_of(qr/call $phone->{call_sid}: Media stream started/);

    hang_up($phone);
    until_files(3);

    kill HUP => nginx_pid();
    log_has(qr/worker process $old exited with code 0/);

    receive(undef, port => $port);
    is types(told(3)), 'started answered ended', 'the new worker delivers';
    until_files(0);



=== workers that share the spool
--- receiver
    return { status => 200, delay => 0.05 };
--- test
    my @phones = map { call() } 1 .. 12;

    hang_up(@phones);

    my @told = told(36);
    my %of;

    push @{$of{$_->{message}{call}{call_sid}}}, $_ for @told;

    is scalar(keys %of), 12, 'all calls';
    is scalar(grep { types(@$_) ne 'started answered ended' } values %of), 0,
       'each in its order';
    until_files(0);
    is scalar(grep { $_->{event} eq 'told' } receiver()->events), 36,
       'nothing twice';



=== more than the spool may hold
--- http_config
    voicebridge_webhook_spool $TEST_NGINX_SPOOL max=4;
--- test
    my $port = receiver()->port;

    receiver()->stop;

    my @phones = map { my $phone = call(); hang_up($phone); $phone } 1 .. 3;

    my $first = $phones[0]{call_sid};

    log_has(qr/\[error\].*call $first: event call.started .*: too many wait/);
    until_files(4);

    my $m = metrics();
    is $m->{'voicebridge_webhook_events_total{result="given_up"}'}, 5,
       'the oldest are given up';
    is $m->{voicebridge_webhook_events_waiting}, 4, 'the newest wait';

    receive(undef, port => $port);

    is types(told(4)), 'ended started answered ended', 'and are delivered';



=== a disk that is full
--- http_config
    voicebridge_webhook_spool $TEST_NGINX_SMALL;
--- test
    SKIP: {
        skip 'no file system can be mounted', 4 unless is_small();

        my $port = receiver()->port;

        receiver()->stop;

        open my $fill, '>', "$ENV{TEST_NGINX_SMALL}/fill" or die;
        $fill->autoflush(1);
        1 while print $fill 'x' x 4096;
        close $fill;

        hang_up(call());

        my $line = log_has(qr/\[crit\].*spool ".*" cannot be written to/);
        like $line, qr/in memory only.*No space left/, 'is told';

        unlink "$ENV{TEST_NGINX_SMALL}/fill";

        log_has(qr/\[notice\].*can be written to again/, 15);

        my @kept = grep { !/lock$/ } glob "$ENV{TEST_NGINX_SMALL}/*/*";

        is scalar(@kept), 3, 'what was kept in memory is written';

        receive(undef, port => $port);
        is types(told(3)), 'started answered ended', 'and delivered';

        my @said = do {
            open my $log, '<', $Test::Nginx::Util::ErrLogFile or die;
            grep { /cannot be written to/ } <$log>;
        };

        is scalar(@said), 1, 'told once';
    }



=== a worker that has to exit without a spool
--- test
    my $port = receiver()->port;

    receiver()->stop;

    my $phone = call();
    my $sid = $phone->{call_sid};

    hang_up($phone);
    log_has(qr/call $sid: event call.started .*, once more in/);

    kill HUP => nginx_pid();

    log_has(qr/\[error\].*$sid: event call.$_ .*since this worker has to exit/)
        for qw( started answered ended );

    # and with a receiver that is there
    receive(undef, port => $port);

    $phone = call();
    hang_up($phone);
    is types(told(3)), 'started answered ended', 'delivered from memory';



=== a long transcript
--- agent
    $agent->upgrade;
    $agent->expect_initiation;
    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $agent->agent_response("$_" . 'x' x 20000) for 1 .. 20;
    $agent->audio('a' x 80, 1);
    $agent->recv_close;
--- test
    hang_up(call());

    my $told = (told(3))[2];

    is types($told), 'ended', 'the end';
    ok $told->{signed}, 'is signed';
    is $told->{message}{transcript}, 13, 'has what a call keeps of it';
    ok !$told->{message}{transcript_complete}, 'and says so';
    cmp_ok $told->{length}, '>', 260000, 'all bytes of it';



=== words of many bytes
--- agent
    $agent->upgrade;
    $agent->expect_initiation;
    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $agent->audio('a' x 80, 1);
    $agent->await_cue;

    if ($agent->{request}{query}{agent_id} eq 'agent_2') {
        $agent->send_json({ type => 'client_error', error_event => {
            code => 1011, message => "\x{20ac}" x 100 } });
        $agent->close_with(1011, '');

    } else {
        $agent->close_with(1011, "\xc3\xa9" x 61);
    }
--- test
    for my $n (1, 2) {
        my $phone = phone()->connect;

        $phone->start(parameters => { agent_id => "agent_$n" });
        $phone->recv_audio(80);
        agent()->cue;
        $phone->recv_close;
        $phone->send_close(1000);
        $phone->recv_eof;

        my ($error) = map { $_->{message}{call}{error} // () } told(3);

        like $error, $n == 1 ? qr/^closed with 1011 "\x{e9}{50,61}$/
                             : qr/^1011  \x{20ac}{45,52}$/,
             'what is too long is cut between characters';
    }
--- error_log
the agent broke down



=== the manual's receivers
--- test
    hang_up(call());

    my ($told) = told(1);

    my %programs = (
        python => [ 'python3', '-', <<'EOP' ],
import os, sys
args = (os.environ["SECRET"], os.environ["HEADER"])
body = os.environ["BODY"].encode()
print(verify(*args, body), verify(*args, body + b" "),
      verify("another", args[1], body),
      verify(args[0], args[1].replace("t=", "t=1"), body))
EOP
        js => [ 'node', '-', <<'EOP' ],
const { SECRET, HEADER, BODY } = process.env;
const body = Buffer.from(BODY);
console.log([verify(SECRET, HEADER, body), verify(SECRET, HEADER, BODY + " "),
             verify("another", HEADER, body),
             verify(SECRET, HEADER.replace("t=", "t=1"), body)]
            .join(" ").replaceAll("t", "T").replaceAll("f", "F"));
EOP
    );

    local @ENV{qw( SECRET HEADER BODY )} = (
        $ENV{TEST_NGINX_SECRET},
        $told->{headers}{'x-voicebridge-signature'}, $told->{raw});

    my $page = slurp('docs/webhooks.md');

    for my $language (sort keys %programs) {
        my ($program, $stdin, $test) = @{$programs{$language}};
        my ($example) = $page =~ /^```$language\n(.*?)^```/ms;

        SKIP: {
            skip "there is no $program", 1
                if system("command -v $program > /dev/null") != 0;

            is output("$program $stdin", "$example\n$test"),
               "True False False False\n", "$program agrees";
        }
    }
