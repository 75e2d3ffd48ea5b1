# Calls that nobody tells of any more are over in the end; and what there is
# of calls stands whoever sets the time of day (lib/clock.c).

use Voicebridge::Test;
use Voicebridge::HTTP qw( http );
use Voicebridge::Metrics qw( calls metrics );

use File::Basename qw( dirname );
use File::Temp qw( tempdir );

my $dir = tempdir(CLEANUP => 1);
my $page = "$dir/page";

BEGIN {
    if (($ENV{TEST_NGINX_BINARY} // '') =~ /nginx-(?:sanitize|valgrind)$/) {
        plan(skip_all => 'not with sanitizers or valgrind');
    }
}

my @cc = ($ENV{CC} || 'cc', qw( -O2 -W -Wall -Wextra -Werror -shared -fPIC ),
          '-o', "$dir/clock.so", dirname(__FILE__) . '/lib/clock.c');

system(@cc) == 0 or die "@cc failed\n";

# nginx's workers may not be who we are
chmod 0755, $dir;

$ENV{VOICEBRIDGE_CLOCK} = $page;
$ENV{TEST_NGINX_LD_PRELOAD} = "$dir/clock.so";

my ($day, $passed) = (0, 0);

# the time of day is set this much ahead, or back

sub set { $day += shift; write_page() }

# so many seconds go by

sub go_by { my $s = shift; $day += $s; $passed += $s; write_page() }

sub write_page {
    open my $out, -e $page ? '+<' : '>', $page or die "$page: $!\n";
    syswrite $out, pack 'l2', $day, $passed;
    close $out;
}

add_block_preprocessor(sub {
    my $block = shift;

    ($day, $passed) = (0, 0);
    write_page();

    $block->set_value(http_config => 'voicebridge_zone voicebridge:1m;');
    $block->set_value(config => <<'EOC');
    $TEST_NGINX_VOICEBRIDGE
    voicebridge_elevenlabs_auth none;

    location = /calls { voicebridge_calls; }
    location = /metrics { voicebridge_metrics; }
    location = /twilio/outbound-call { voicebridge_outbound_call; }
    location = /twilio/call-status { voicebridge_call_status; }
    location = /twilio/media-stream { voicebridge_media_stream; }
EOC
    $block->set_value(twilio => 'return {};');
});

sub place {
    my $answer = http(POST => '/twilio/outbound-call',
                      headers => { 'X-API-Key' => $ENV{TEST_NGINX_API_KEY} },
                      json => { agent_id => 'agent_1',
                                metadata => { to_number => '+15005550009' } });

    die "not placed: $answer->{body}\n" unless $answer->{status} == 200;

    return $answer->{json}{call_sid};
}

sub status {
    my ($of, $status) = @_;

    my $answer = http(POST => '/twilio/call-status',
                      token => $ENV{TEST_NGINX_AUTH_TOKEN},
                      form => [ CallSid => $of, Direction => 'outbound-api',
                                From => '+15005550006', To => '+15005550009',
                                CallStatus => $status ]);

    die "callback: $answer->{status}\n" unless $answer->{status} == 204;
}

# the one call of a SID

sub one {
    my $calls = calls('?sid=' . shift);
    my @all = (@{$calls->{live}}, @{$calls->{recent}});

    die scalar(@all) . " calls\n" unless @all == 1;

    return $all[0];
}

sub ended {
    return metrics()->{qq(voicebridge_calls_total{direction="outbound",)
                       . qq(reason="$_[0]"})} // 0;
}

run_tests();

__DATA__

=== a call that rings and rings
--- test
    my $call = place();

    go_by(600);
    is one($call)->{state}, 'queued', 'Twilio lets it ring for ten minutes';
    status($call, 'ringing');

    go_by(659);
    is metrics()->{voicebridge_calls_waiting}, 1, 'it rings';
    is one($call)->{end_reason}, undef, 'and waits';

    go_by(2);
    is metrics()->{voicebridge_calls_waiting}, 0,
       'eleven minutes after the last word of it it is over';
    is ended('no_callback'), 1, 'counted';

    my $is = one($call);

    is $is->{state}, 'ended', 'ended';
    is $is->{end_reason}, 'no_callback', 'since nobody told of it';
    is int($is->{duration}), 1261, 'after that time';

    status($call, 'completed');
    go_by(1000);
    is ended('no_callback'), 1, 'and once';



=== a call that was answered and has no stream
--- test
    my $call = place();

    status($call, 'in-progress');
    go_by(119);
    is metrics()->{voicebridge_calls_waiting}, 1, 'it may still come';

    go_by(2);
    is metrics()->{voicebridge_calls_waiting}, 0, 'not after two minutes';
    is one($call)->{end_reason}, 'no_stream', 'there was none';
    is ended('no_stream'), 1, 'counted';



=== a time of day that is set ahead, and back
--- agent
    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $socket->audio('a' x 80, 1);
    $socket->recv_close;
--- test
    my $call = place();

    set(3600);
    is metrics()->{voicebridge_calls_waiting}, 1, 'a call that rings still does';
    status($call, 'ringing');

    set(-7200);
    status($call, 'in-progress');

    my $phone = phone(call_sid => $call)->connect;

    $phone->start(parameters => { agent_id => 'agent_1',
                                  direction => 'outbound' });
    $phone->recv_audio(80);

    set(3600);
    cmp_ok one($call)->{duration}, '<', 60, 'how long it takes';
    set(-3600);

    $phone->stop;
    $phone->recv_close;
    $phone->send_close(1000);
    $phone->recv_eof;

    my $is = one($call);

    is $is->{end_reason}, 'caller_hung_up', 'a good call';
    cmp_ok $is->{duration}, '<', 60, 'how long it took';

    my @at = map { $_->{at} } @{$is->{events}};

    is_deeply \@at, [ sort { $a <=> $b } @at ], 'events are in their order';
    cmp_ok $at[-1], '<', 60, 'and as far from each other as they were';
