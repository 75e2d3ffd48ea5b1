package Voicebridge::Test;

# Test::Nginx::Socket for voicebridge: everything it exports, on a port and in
# a directory of the test file's own, with the module loaded and an empty
# environment, and with these sections besides:
#
#     --- agent           Perl: what a Voicebridge::Agent does, given $agent
#     --- agent_options   Perl: options of its start, tls => 'good'
#     --- twilio          Perl: how a Voicebridge::Twilio answers $request
#     --- twilio_options  Perl: options of its start
#     --- test            Perl: the test itself, instead of a request
#
# For configurations there are $TEST_NGINX_VOICEBRIDGE, directives with
# credentials and the peers' addresses, and each of them alone:
# $TEST_NGINX_AGENT_URL, _AGENT_PORT, _TWILIO_URL, _TWILIO_PORT,
# _ACCOUNT_SID, _AUTH_TOKEN, _PHONE_NUMBER, _XI_API_KEY, _API_KEY,
# _CERTIFICATES (a directory, see Voicebridge::Certificates), _TLS_PORT (a
# second port to listen on), _CALLS_LOG (for an access log with the format
# calls, which has a call's variables).
#
# In the test section: agent(), twilio() are the block's peers, phone() makes
# a Voicebridge::Phone that calls this server; log_has(qr/.../) waits for a
# line of the error log, calls_log_has(qr/.../) of that of calls; nginx_pid().
#
# Without a plan, which is the better way, tests are counted as they come.
# Every block is also a test that its error log, from start to exit, has no
# alert, no secret and no whole phone number, but for what error_log expects;
# and that no other log, no page of an operator's and no error's answer has.

use strict;
use warnings;

use Carp qw( croak );
use Cwd qw( abs_path );
use File::Basename qw( basename dirname );
use File::Path qw( make_path );
use Time::HiRes qw( sleep time );

my ($build, $dir);

BEGIN {
    $build = $ENV{VOICEBRIDGE_BUILD}
             || abs_path(dirname(__FILE__) . '/../../..') . '/build';
    $dir = $ENV{VOICEBRIDGE_TEST_DIR} || "$build/t/" . basename($0);

    make_path($dir);

    # what the module would take for configuration
    delete @ENV{grep { /^(?:TWILIO|ELEVENLABS)_/ } keys %ENV};
    delete @ENV{qw( API_KEYS ENVIRONMENT HOST SSL_CERT_FILE SSL_CERT_DIR )};
    delete @ENV{grep { /_proxy$/i } keys %ENV};

    $ENV{PATH} .= ':/usr/sbin';
    $ENV{TEST_NGINX_SERVROOT} = "$dir/servroot";
    $ENV{TEST_NGINX_LOAD_MODULES} //= "$build/ngx_http_voicebridge_module.so";
    $ENV{TEST_NGINX_CERTIFICATES} = "$build/certificates";
    $ENV{TEST_NGINX_CALLS_LOG} = "$dir/servroot/logs/calls.log";

    # Test::Nginx starts an nginx that fails again and again for 30 s
    no warnings qw( once );
    *Test::Nginx::Util::system = \&start_once;
}

use Test::Nginx::Socket ();
use Test::Nginx::Util ();
use Voicebridge::Agent ();
use Voicebridge::Certificates qw( certificate );
use Voicebridge::Phone ();
use Voicebridge::Twilio ();
use Voicebridge::WebSocket qw( deadline_after );

our @EXPORT = qw( agent calls_log_has log_has nginx_pid phone run_tests secret
                  twilio );

# invented; none may ever show up in a log
my %credentials = (
    ACCOUNT_SID  => 'AC0a1b2c3d4e5f60718293a4b5c6d7e8f9',
    AUTH_TOKEN   => 'f00dfeedf00dfeedf00dfeedf00dfeed',
    PHONE_NUMBER => '+15005550006',
    XI_API_KEY   => 'sk_5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e',
    API_KEY      => 'key-0ddba11-0ddba11-0ddba11',
);

my @secrets = @credentials{qw( AUTH_TOKEN XI_API_KEY API_KEY )};

$ENV{"TEST_NGINX_$_"} = $credentials{$_} for keys %credentials;

my ($agent, $twilio, $must_die, @bad_answers);


sub import {
    my $caller = caller;

    strict->import;
    warnings->import;

    no strict 'refs';

    # what stands here already is not exported over
    *{"${caller}::$_"} = \&$_ for @EXPORT;

    @_ = ('Test::Nginx::Socket', -package => $caller);
    goto &{Test::Nginx::Socket->can('import')};
}


sub agent { return $agent // croak 'the block has no agent section' }

sub twilio { return $twilio // croak 'the block has no twilio section' }


# more that must not be logged

sub secret { push @secrets, @_ }


sub phone {
    return Voicebridge::Phone->new(
        port        => Test::Nginx::Util::server_port(),
        auth_token  => $credentials{AUTH_TOKEN},
        account_sid => $credentials{ACCOUNT_SID},
        @_,
    );
}


# the master writes it after nginx, as a command, has ended

sub nginx_pid {
    my $deadline = deadline_after();

    sleep 0.01 until -s $Test::Nginx::Util::PidFile || time() > $deadline;

    return Test::Nginx::Util::get_pid_from_pidfile('nginx_pid');
}


# waits until the error log has a line that matches: the line

sub log_has { return file_has($Test::Nginx::Util::ErrLogFile, @_) }

sub calls_log_has { return file_has($ENV{TEST_NGINX_CALLS_LOG}, @_) }

sub file_has {
    my ($file, $pattern, $timeout) = @_;

    $pattern = qr/\Q$pattern\E/ unless ref $pattern;

    my $deadline = deadline_after($timeout);

    open my $log, '<', $file or croak "$file: $!";

    my $line = '';

    while (1) {
        while (defined(my $more = <$log>)) {
            $line .= $more;
            next unless $line =~ /\n\z/;

            return $line if $line =~ $pattern;
            $line = '';
        }

        croak basename($file) . " has no line like $pattern"
            if time() > $deadline;

        # the log says nothing when it grows
        sleep 0.01;
        seek $log, 0, 1;
    }
}


sub run_tests {
    certificate('ca');

    # a TLS socket that is closed writes once more; not ignored, for programs
    # that are started inherit that
    $SIG{PIPE} = sub { };

    my $port = free_port();

    Test::Nginx::Util::server_port($port);
    Test::Nginx::Util::server_port_for_client($port);

    $ENV{TEST_NGINX_SERVER_PORT} = $port;

    # Test::Nginx locks the three that follow, too
    $ENV{TEST_NGINX_TLS_PORT} = $port + 1;

    # sanitizers in a worker read these
    Test::Nginx::Util::env_to_nginx($_)
        for grep { defined $ENV{$_} } qw( UBSAN_OPTIONS LSAN_OPTIONS );

    Test::Nginx::Util::worker_connections(512)
        if Test::Nginx::Util::worker_connections() == 64;

    Test::Nginx::Util::timeout($Voicebridge::WebSocket::Timeout / 2)
        unless $ENV{TEST_NGINX_TIMEOUT};

    Test::Nginx::Util::run_tests();

    Test::More::done_testing() unless planned();
}


# A free port that the kernel does not give away: the peers' own ports and
# those of connections come from above it.  Test::Nginx locks it.

sub free_port {
    my $first = 32768;

    if (open my $range, '<', '/proc/sys/net/ipv4/ip_local_port_range') {
        ($first) = <$range> =~ /^(\d+)/;
    }

    for (1 .. 100) {
        my $port = Test::Nginx::Util::gen_rand_port() // last;

        return $port if $port < $first - 4 || $first < 5000;
    }

    die "no port is free\n";
}


sub planned { return defined Test::More->builder->has_plan }


# a configuration that is refused will be refused again

sub start_once {
    my $status = CORE::system(@_);

    return $status if $status == 0 || $must_die || $_[0] !~ /nginx\.conf/;

    if (open my $log, '<', $Test::Nginx::Util::ErrLogFile) {
        return $status if grep { /Address already in use/ } <$log>;
    }

    give_up('nginx does not start');
}


# a file that cannot go on must not stop the others

sub give_up {
    Test::Nginx::Util::cleanup();
    die "@_\n";
}

{
    no warnings qw( prototype redefine );
    *Test::Nginx::Util::bail_out = \&give_up;
    *Test::Nginx::Socket::bail_out = \&give_up;
}


# before a block: its peers, whose addresses the configuration needs

&Test::Nginx::Util::add_block_preprocessor(sub {
    my $block = shift;

    ($agent, $twilio) = ();
    $must_die = defined $block->must_die;

    if (defined $block->agent) {
        my $script = code($block, 'agent', '$agent');

        $agent = Voicebridge::Agent->start(
            script => $script, code($block, 'agent_options')->());
    }

    if (defined $block->twilio) {
        my $answer = code($block, 'twilio', '$request');

        $twilio = Voicebridge::Twilio->start(
            answer => $answer, code($block, 'twilio_options')->());
    }

    $block->set_value('http_config', ($block->http_config // '') . <<'EOC');

    log_format  calls  'call=$voicebridge_call_sid agent=$voicebridge_agent_id '
                       'http=$status status=$voicebridge_status '
                       'reason=$voicebridge_end_reason '
                       'conversation=$voicebridge_conversation_id '
                       'first_audio=$voicebridge_first_audio_time '
                       'caller=$voicebridge_caller_audio_time '
                       'agent=$voicebridge_agent_audio_time '
                       'interruptions=$voicebridge_interruptions';
EOC

    my %peers = (AGENT => $agent, TWILIO => $twilio);

    while (my ($name, $peer) = each %peers) {
        # a port that nobody listens on
        $ENV{"TEST_NGINX_${name}_URL"} = $peer ? $peer->url
                                               : 'http://127.0.0.1:1';
        $ENV{"TEST_NGINX_${name}_PORT"} = $peer ? $peer->port : 1;
    }

    $ENV{TEST_NGINX_VOICEBRIDGE} = <<"EOC";

    voicebridge_twilio_account_sid   $credentials{ACCOUNT_SID};
    voicebridge_twilio_auth_token    $credentials{AUTH_TOKEN};
    voicebridge_twilio_phone_number  $credentials{PHONE_NUMBER};
    voicebridge_twilio_api_url       $ENV{TEST_NGINX_TWILIO_URL};
    voicebridge_elevenlabs_api_key   $credentials{XI_API_KEY};
    voicebridge_elevenlabs_url       $ENV{TEST_NGINX_AGENT_URL};
    voicebridge_api_keys             $credentials{API_KEY};
EOC
});


# a section's text as a sub with one argument

sub code {
    my ($block, $section, $argument) = @_;

    my $text = $block->$section // '';
    my $name = $block->name =~ tr/"//dr;
    my $take = defined $argument ? "my $argument = shift;" : '';

    # as in the test file's own Perl: its imports are main's
    my $code = eval "package main; use strict; use warnings;"
                    . " sub { $take\n#line 1 \"$name, $section\"\n$text\n}";

    die "$name: $@" unless $code;

    return $code;
}


# instead of a request: the test section, then the log's sections

my $send_requests = $Test::Nginx::Util::RunTestHelper;

$Test::Nginx::Util::RunTestHelper = sub {
    my ($block, $dry_run, $repeated) = @_;

    return $send_requests->(@_) unless defined $block->test;

    my $name = $block->name;
    my $test = code($block, 'test');

    if (!eval { $test->(); 1 }) {
        chomp(my $error = $@);
        Test::More::fail("$name - $error");
    }

    # what a call's end logs comes after the test has seen the end
    for my $pattern (patterns($block->error_log)) {
        eval { log_has($pattern) } or last;
    }

    $Test::Nginx::Util::CheckErrorLog->($block, undef, $dry_run, $repeated, 0);
};


# a section's patterns, as Test::Nginx reads them

sub patterns {
    my $section = shift // return;

    return ref $section eq 'ARRAY' ? @$section
         : ref $section            ? ($section)
         :                           grep { length } split /\n+/, $section;
}


# after a block: its peers' errors, and the whole of its log

&Test::Nginx::Util::add_test_cleanup_handler(sub {
    my $block = shift;
    my $name = $block->name;

    for my $peer (grep { defined } $agent, $twilio) {
        for my $event (grep { $_->{event} eq 'error' && !$_->{seen} }
                            $peer->events)
        {
            Test::More::fail("$name - " . ref($peer) . ": $event->{error}");
        }

        $peer->stop;
    }

    stop_nginx($name);

    my @bad = bad_lines($block);

    if (@bad) {
        Test::More::fail("$name - the error log is clean");
        Test::More::diag($_) for @bad > 5 ? @bad[0 .. 4] : @bad;

    } elsif (!planned()) {
        Test::More::pass("$name - the error log is clean");
    }
});


# so that what nginx logs while it exits can be read too

sub stop_nginx {
    my $name = shift;

    return if $Test::Nginx::Util::UseHup || $ENV{TEST_NGINX_USE_VALGRIND}
              || $ENV{TEST_NGINX_NO_CLEAN};

    return unless -s $Test::Nginx::Util::PidFile;

    my $pid = Test::Nginx::Util::get_pid_from_pidfile($name);

    Test::Nginx::Util::kill_process($pid, 1, $name)
        if Test::Nginx::Util::is_running($pid);
}


# What nobody may read anywhere: a secret, the token of a call, that of a
# signed URL; nor a whole phone number, but where somebody has asked for it.

my $token = qr/\b\d{10}\.[\w-]{22}\.[\w-]{43}/;
my $signed = qr/\bcvtkn_\w+/;
my $number = qr/(?:\+|%2[Bb])[1-9]\d{7,14}\b/;

sub is_secret {
    my $text = shift;

    my $secrets = join '|', map { quotemeta } @secrets;

    return $text =~ /$secrets|$token|$signed/;
}


# the log's lines that no test may cause; all lines are kept for a person to
# read in the test's directory

sub bad_lines {
    my $block = shift;

    open my $log, '<', $Test::Nginx::Util::ErrLogFile or return;
    open my $all, '>>', "$dir/error.log" or die "$dir/error.log: $!\n";

    my @expected = map { ref ? $_ : qr/\Q$_\E/ } patterns($block->error_log);

    # a worker that is to be killed may hold a lock, which the master takes away
    push @expected, qr/shared memory zone "[^"]*" was locked by \d+/
        if grep { 'exited on signal 9' =~ $_ } @expected;

    print $all "=== ", $block->name, "\n";

    my @bad;

    while (my $line = <$log>) {
        print $all $line;

        # nginx itself prints requests and values for those who debug it
        next if $line =~ /\[debug\]/ && $line !~ /voicebridge/;

        # a request's own line is nginx's, too
        (my $ours = $line) =~ s/, request: "[^"]*"//;

        next unless is_secret($ours) || $ours =~ $number
                    || $ours =~ /\[(?:alert|emerg)\]/
                    || $ours =~ /runtime error:|Sanitizer/;

        push @bad, $line unless grep { $line =~ $_ } @expected;
    }

    return @bad, bad_files($block), splice @bad_answers;
}


# Other logs; a section "numbers" is for those that are to have whole ones.

sub bad_files {
    my $block = shift;

    my @bad;

    for my $file (grep { $_ ne $Test::Nginx::Util::ErrLogFile }
                       glob "$ENV{TEST_NGINX_SERVROOT}/logs/*.log")
    {
        open my $in, '<', $file or next;

        while (my $line = <$in>) {
            push @bad, basename($file) . ": $line"
                if is_secret($line)
                   || (!defined $block->numbers && $line =~ $number);
        }
    }

    return @bad;
}


# answers of what anybody may look at, and those that say what is wrong

sub look_at_answer {
    my ($path, $answer) = @_;

    my $body = $answer->{body} // '';

    return unless $path =~ m{^/(?:metrics|calls|voicebridge|status)\b}
                  || $answer->{status} >= 400;

    push @bad_answers, "$path: $body"
        if is_secret($body) || $body =~ $number;
}

$Voicebridge::HTTP::Look = \&look_at_answer;


1;
