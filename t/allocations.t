# Nothing is allocated for a frame: malloc() is counted in the worker of a
# real nginx (lib/allocations.c) while a call is going on.
#
# Memory from a pool is not malloc()'s, but pools are of 512 bytes here and
# give nothing back: a byte for each frame would soon make new blocks.

use Voicebridge::Test;
use Voicebridge::Certificates qw( certificate );
use Voicebridge::HTTP qw( http );

use File::Basename qw( dirname );
use File::Temp qw( tempdir );

use constant {
    ROUNDS => 600,
    WARM   => 50,
};

my $dir = tempdir(CLEANUP => 1);
my $page = "$dir/page";

BEGIN {
    # these have an allocator of their own
    if (($ENV{TEST_NGINX_BINARY} // '') =~ /nginx-(?:sanitize|valgrind)$/) {
        plan(skip_all => 'not with sanitizers or valgrind');
    }
}

my @cc = ($ENV{CC} || 'cc', qw( -O2 -W -Wall -Wextra -Werror -shared -fPIC ),
          '-o', "$dir/allocations.so", dirname(__FILE__)
          . '/lib/allocations.c');

system(@cc) == 0 or die "@cc failed\n";

write_page("\0" x 4096);
chmod 0755, $dir;
chmod 0666, $page;

$ENV{VOICEBRIDGE_ALLOCATIONS} = $page;
$ENV{TEST_NGINX_LD_PRELOAD} = "$dir/allocations.so";


sub write_page {
    my $bytes = shift;

    open my $out, -e $page ? '+<' : '>', $page or die "$page: $!\n";
    syswrite $out, $bytes;
    close $out;
}


# counts what nginx allocates while code runs: of OpenSSL, of all others,
# and who the first of these were

sub allocations {
    my $code = shift;

    # Test::Nginx has it without a master
    write_page("\0" x 4096);
    write_page(pack 'L', nginx_pid());
    $code->();
    write_page(pack 'L', 0);

    my (undef, $openssl, $others, undef, @callers) = unpack 'L4(Z128)8',
                                                            slurp($page);

    return $openssl, $others, join ', ', grep { length } @callers;
}

sub slurp {
    open my $in, '<:raw', $_[0] or die "$_[0]: $!\n";
    local $/;
    return scalar <$in>;
}


# An agent that answers each message with one of its own, until told that it
# is enough: one frame up and one message down are a round.

sub echo {
    my ($agent, $format, $bytes) = @_;

    my $socket = $agent->socket;

    $socket->expect_initiation;
    $socket->metadata(input => $format, output => $format);
    $socket->audio("\1" x $bytes, 1);

    while (my $message = eval { $socket->recv_json }) {
        $socket->audio("\1" x $bytes, 1)
            if exists $message->{user_audio_chunk};
    }
}


# a call with that agent: what is allocated in all the rounds

sub rounds {
    my ($phone, $frames) = @_;

    my $round = sub {
        $phone->media("\xaa" x 160) for 1 .. $frames;
        $phone->recv_event('media');
    };

    $phone->start(parameters => { agent_id => 'agent_1' });
    $phone->recv_event('media');

    $round->() for 1 .. WARM;

    my @allocated = allocations(sub { $round->() for 1 .. ROUNDS });

    $phone->stop;

    return @allocated;
}

add_block_preprocessor(sub {
    my $block = shift;

    certificate('good');

    my $frame = $block->frame // '20ms';

    $block->set_value(http_config => <<'EOC');
    request_pool_size 512;
    connection_pool_size 512;
    voicebridge_zone calls:1m;
EOC
    $block->set_value(config => <<"EOC");
    listen \$TEST_NGINX_TLS_PORT ssl;
    ssl_certificate \$TEST_NGINX_CERTIFICATES/good.crt;
    ssl_certificate_key \$TEST_NGINX_CERTIFICATES/good.key;

    location = /twilio/media-stream {
        voicebridge_media_stream;
        \$TEST_NGINX_VOICEBRIDGE
        voicebridge_elevenlabs_auth none;
        voicebridge_ssl_trusted_certificate \$TEST_NGINX_CERTIFICATES/ca.crt;
        voicebridge_uplink_frame $frame;
    }

    location = /voicebridge/calls {
        voicebridge_calls;
    }
EOC
});

run_tests();

__DATA__

=== the count counts
--- test
    my (undef, $count, $callers) = allocations(sub {
        http(GET => '/voicebridge/calls');
    });

    cmp_ok $count, '>', 0, 'a request needs memory';
    like $callers, qr/nginx/, 'for nginx';



=== mu-law, 20 ms messages
--- agent: echo($agent, 'ulaw_8000', 160)
--- test
    my (undef, $count, $callers) = rounds(phone()->connect, 1);

    is $count, 0, 'no allocation in ' . ROUNDS . ' frames' or diag($callers);
--- no_error_log
[error]



=== PCM with a filter, 100 ms messages
--- agent: echo($agent, 'pcm_44100', 8820)
--- test
    my (undef, $count, $callers) = rounds(phone()->connect, 1);

    is $count, 0, 'no allocation in ' . ROUNDS . ' frames' or diag($callers);
--- no_error_log
[error]



=== frames joined
--- frame: 60ms
--- agent: echo($agent, 'pcm_16000', 640)
--- test
    my (undef, $count, $callers) = rounds(phone()->connect, 3);

    is $count, 0, 'no allocation in ' . 3 * ROUNDS . ' frames' or diag($callers);
--- no_error_log
[error]



=== TLS on both legs
--- agent_options: tls => 'good'
--- agent: echo($agent, 'pcm_16000', 640)
--- test
    my $phone = phone(port => $ENV{TEST_NGINX_TLS_PORT},
                      tls => { ca => "$ENV{TEST_NGINX_CERTIFICATES}/ca.crt" });

    my ($openssl, $count, $callers) = rounds($phone->connect, 1);

    is $count, 0, 'no allocation of ours in ' . ROUNDS . ' frames' or diag($callers);

    # buffers that nginx has it release while it is idle, and what it makes
    # for each record it writes

    cmp_ok $openssl, '<=', 16 * ROUNDS,
           sprintf 'of OpenSSL %.2f for a frame and a message',
                   $openssl / ROUNDS;
--- no_error_log
[error]
