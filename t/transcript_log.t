# voicebridge_transcript_log: what is said, as whole lines of JSON, whatever
# happens to the file.

use Voicebridge::Test;
use Voicebridge::Metrics qw( until_metric );
use Voicebridge::WebSocket qw( deadline_after json );

use File::Path qw( make_path );
use File::Temp qw( tempdir );
use Time::HiRes qw( sleep time );

binmode Test::More->builder->$_, ':utf8'
    for qw( output failure_output todo_output );

my $dir = tempdir(CLEANUP => 1);

# nginx's workers may not be who we are
chmod 0777, $dir;

$ENV{TEST_NGINX_DIR} = $dir;

my $small = "$dir/small";

sub dir { return $dir }

# a file system with room for a few lines: true if there can be one

sub mount_small {
    make_path($small);

    my $said = qx(mount -t tmpfs -o size=16k,mode=0777 none $small 2>&1);

    return $? == 0;
}

END { local $?; system "umount $small 2>/dev/null" if -d $small; }

$ENV{TEST_NGINX_SMALL} = mount_small() ? $small : $dir;

sub have_small { return $ENV{TEST_NGINX_SMALL} eq $small }

add_block_preprocessor(sub {
    my $block = shift;

    my $many = $block->name =~ /workers/;

    master_on() if $many || $block->name =~ /reopened/;
    master_off() unless $many || $block->name =~ /reopened/;
    workers($many ? 2 : 1);

    $block->set_value('http_config', ($block->http_config // '') . <<'EOC');
    voicebridge_zone voicebridge:1m;
EOC

    my $name = $block->name =~ /reopened/ ? 'reopened' : 'said';

    $block->set_value('config', sprintf <<'EOC', $name) unless $block->config;
    location = /metrics { voicebridge_metrics; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_log_transcripts off;
        voicebridge_transcript_log $TEST_NGINX_DIR/%s.log;
    }
EOC
});


sub call {
    my %o = @_;
    my %parameters = (agent_id => 'agent_1', session_id => 'session "1"',
                      lines => '' . (delete $o{lines} // 0));

    my $phone = phone(%o)->connect;

    $phone->start(parameters => \%parameters);
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

# the lines of a file, once there are as many as this

sub lines {
    my ($file, $n, $timeout) = @_;

    my $deadline = deadline_after($timeout);

    while (1) {
        my $text = content($file);
        my @lines = split /^/, $text;

        return map { json()->decode($_) } @lines
            if @lines >= $n && $text =~ /\n\z/;

        die "$file has " . @lines . " lines instead of $n\n"
            if time() > $deadline;

        sleep 0.02;
    }
}

sub content {
    open my $in, '<', shift or return '';
    local $/;
    return <$in> // '';
}

run_tests();

__DATA__

=== what is said, and what was heard of it
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->audio('a' x 80, 1);
    $socket->agent_response("Hello \"Zo\x{eb}\",\nit is I.");
    $agent->await_cue;
    $socket->user_transcript("Yes \\ no \x{1f600}");
    $socket->send_json({
        type => 'agent_response_correction',
        agent_response_correction_event => {
            original_agent_response => 'Hello Zo, it is I.',
            corrected_agent_response => 'Hello', event_id => 1 },
    });
    $socket->recv_close;
--- test
    my $file = dir() . '/said.log';
    my $phone = call();

    # while the call goes on
    my ($first) = lines($file, 1);

    sleep 0.05;
    agent()->cue;
    lines($file, 3);
    hang_up($phone);

    my @said = lines($file, 3);

    for (@said) {
        is $_->{call_sid}, $phone->{call_sid}, 'its call';
        is $_->{stream_sid}, $phone->{stream_sid}, 'its stream';
        is $_->{conversation_id}, 'conv_0123456789abcdef', 'conversation';
        is $_->{session_id}, 'session "1"', 'session';
        is $_->{agent_id}, 'agent_1', 'agent';
        like $_->{started}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
             'when the call began';
        is $_->{started}, $first->{started}, 'which is the same for all';
    }

    is join(' ', map { $_->{speaker} } @said), 'agent user agent', 'speakers';
    is $said[0]{text}, "Hello \"Zo\x{eb}\",\nit is I.", 'what the agent said';
    is $said[1]{text}, "Yes \\ no \x{1f600}", 'what the caller said';
    is $said[2]{text}, 'Hello', 'what was heard';
    is $said[2]{original}, 'Hello Zo, it is I.', 'of what was said';
    ok !exists $said[0]{original}, 'of which others know nothing';
    cmp_ok $said[1]{offset} - $said[0]{offset}, '>', 0.04, 'in time';
    cmp_ok $said[1]{offset}, '<', 60, 'of the call';

    is scalar(grep { /Hello|Yes/ } content($Test::Nginx::Util::ErrLogFile)), 0,
       'the error log has none of it';



=== of one location, and not of another
--- config
    voicebridge_transcript_log $TEST_NGINX_DIR/some.log;

    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;

    location = /twilio/media-stream {
        voicebridge_media_stream;
    }

    location = /quiet {
        voicebridge_media_stream;
        voicebridge_transcript_log off;
    }
--- agent
    $agent->upgrade;
    $agent->expect_initiation;
    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $agent->agent_response('Hello');
    $agent->audio('a' x 80, 1);
    $agent->recv_close;
--- agent_options
    each => 1
--- test
    hang_up(call(path => '/quiet'));

    my $phone = call();

    hang_up($phone);

    # by the call's end, long before a second is over
    my ($line, @more) = lines(dir() . '/some.log', 1);

    is $line->{call_sid}, $phone->{call_sid}, 'the call that has a log';
    is scalar(@more), 0, 'and no other';



=== is reopened
--- agent
    $agent->upgrade;
    $agent->expect_initiation;
    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $agent->agent_response('Hello');
    $agent->audio('a' x 80, 1);
    $agent->recv_close;
--- agent_options
    each => 1
--- test
    my $file = dir() . '/reopened.log';

    kill USR1 => nginx_pid();
    log_has(qr/worker.*reopening logs|reopening logs/);

    my $deadline = deadline_after();

    sleep 0.02 until -e $file || time() > $deadline;

    my $one = call();

    rename $file, "$file.1" or die;

    # what is in the buffer belongs to the old file
    kill USR1 => nginx_pid();
    lines("$file.1", 1);

    sleep 0.02 until -e $file || time() > $deadline;

    # the worker has its own moment
    my $two;

    for (1 .. 200) {
        $two = call();
        hang_up($two);
        last if -s $file;
    }

    my ($old) = lines("$file.1", 1);
    my @new = lines($file, 1);

    is $old->{call_sid}, $one->{call_sid}, 'the old file has the old line';
    is $new[-1]{call_sid}, $two->{call_sid}, 'the new one the new';

    hang_up($one);



=== workers that write at the same time
--- config
    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_log_transcripts off;
        voicebridge_transcript_log $TEST_NGINX_DIR/many.log;
    }
--- agent
    $agent->upgrade;
    $agent->expect_initiation;
    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');

    # shorter than a buffer, and longer
    $agent->agent_response("$_ " . 'x' x ($_ * 9000)) for 1 .. 12;

    $agent->audio('a' x 80, 1);
    $agent->recv_close;
--- agent_options
    each => 1
--- test
    my @phones = map { call() } 1 .. 12;

    hang_up(@phones);

    my @said = lines(dir() . '/many.log', 144);
    my %of;

    for (@said) {
        my ($n, $text) = split / /, $_->{text};
        die "line $n is not whole\n" if length $text != $n * 9000;
        $of{$_->{call_sid}} .= "$n ";
    }

    is scalar(@said), 144, 'all lines';
    is scalar(keys %of), 12, 'of all calls';
    is scalar(grep { $_ ne join '', map { "$_ " } 1 .. 12 } values %of), 0,
       'each in its order';



=== a disk that is full from the beginning
--- config
    location = /metrics { voicebridge_metrics; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_transcript_log /dev/full;
    }
--- agent
    $agent->upgrade;
    $agent->expect_initiation;
    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $agent->agent_response('Hello');
    $agent->user_transcript('Good-bye');
    $agent->audio('a' x 80, 1);
    $agent->recv_close;
--- agent_options
    each => 1
--- test
    hang_up(call()) for 1 .. 3;

    until_metric('voicebridge_transcript_lines_lost_total', 6);

    my @said = content($Test::Nginx::Util::ErrLogFile)
               =~ m{\[crit\].*write to "/dev/full" failed.*}g;

    is scalar(@said), 1, 'is told once';
    like $said[0], qr/its lines are lost .*calls go on .28: No space left/,
         'in these words';



=== a disk that becomes full, and has room again
--- config
    location = /metrics { voicebridge_metrics; }

    location = /twilio/media-stream {
        voicebridge_media_stream;
        $TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_log_transcripts off;
        voicebridge_transcript_log $TEST_NGINX_SMALL/small.log;
    }
--- agent
    $agent->upgrade;
    my $lines = $agent->expect_initiation->{dynamic_variables}{lines};

    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $agent->agent_response($_ . 'x' x 500) for 1 .. $lines;
    $agent->audio('a' x 80, 1);
    $agent->recv_close;
--- agent_options
    each => 1
--- test
    SKIP: {
        skip 'no file system can be mounted', 6 unless have_small();

        my $file = "$ENV{TEST_NGINX_SMALL}/small.log";

        hang_up(call(lines => 35));
        log_has(qr/\[crit\].*write to ".*small.log" failed/);
        my $m = until_metric('voicebridge_calls_live', 0);

        my $text = content($file);
        my @lines = split /^/, $text;

        cmp_ok length $text, '>', 12000, 'what fits is there';
        like $text, qr/\n\z/, 'in whole lines';
        is scalar(grep { eval { json()->decode($_); 1 } } @lines),
           scalar(@lines), 'of JSON';
        is $m->{voicebridge_transcript_lines_lost_total}, 35 - @lines,
           'the others are counted';

        # somebody makes room
        truncate $file, 0;
        hang_up(call(lines => 5));

        my $line = log_has(qr/is written to again/);
        like $line, qr/\[notice\].*, ${\(35 - @lines)} lines were lost/,
             'it works again';

        is scalar(lines($file, 5)), 5, 'new lines are there, and whole';
    }
