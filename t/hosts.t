# An agent's host that stands in /etc/hosts with two addresses, as localhost
# does on most machines: a hosts file for this test alone.

use strict;
use warnings;

use File::Path qw( make_path );

BEGIN {
    my $file = "$ENV{VOICEBRIDGE_TEST_DIR}/hosts";

    if (!$ENV{VOICEBRIDGE_HOSTS}) {
        make_path($ENV{VOICEBRIDGE_TEST_DIR});
        open my $hosts, '>', $file or die "$file: $!";
        print $hosts "127.0.0.1 localhost\n::1 localhost\n";
        close $hosts or die "$file: $!";

        my @private = ('unshare', '--mount', 'sh', '-c',
                       'mount --bind "$0" /etc/hosts && exec "$@"', $file);

        if (system("@private[0, 1] mount --bind '$file' /etc/hosts "
                   . '2>/dev/null') != 0)
        {
            print "1..0 # SKIP cannot mount a hosts file of its own\n";
            exit;
        }

        $ENV{VOICEBRIDGE_HOSTS} = 1;
        exec @private, $^X, (map { "-I$_" } @INC), $0;
    }
}

use Voicebridge::Test;

run_tests();

__DATA__

=== a call that fails is no reason to refuse the next
--- config
    $TEST_NGINX_VOICEBRIDGE

    location = /twilio/media-stream {
        voicebridge_media_stream;
        voicebridge_elevenlabs_auth none;
        voicebridge_elevenlabs_url http://localhost:$TEST_NGINX_AGENT_PORT;
    }
--- agent_options
each => 1
--- agent
    # the connection ends without an answer
    return 1 if $agent->{request}{query}{agent_id} eq 'gone';

    $agent->upgrade;
    $agent->expect_initiation;
    $agent->metadata(input => 'ulaw_8000', output => 'ulaw_8000');
    $agent->recv_close;
    return 1;
--- test
    my $first = phone()->connect;

    $first->start(parameters => { agent_id => 'gone' });
    is(($first->recv_close)[0], 1011, 'an agent that is not there');
    $first->send_close(1011);

    is scalar(grep { $_->{event} eq 'request' } agent()->events), 4,
       'both addresses were tried, twice';

    my $second = phone()->connect;

    $second->start(parameters => { agent_id => 'good' });
    agent()->event('initiation');
    pass('one that is');

    $second->stop;
    is(($second->recv_close)[0], 1000, 'to the end');
--- error_log
reason=agent_unreachable
--- no_error_log
no live upstreams
