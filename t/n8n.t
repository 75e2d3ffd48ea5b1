# The n8n workflow in examples/, loaded with n8n's own classes and run by its
# own engine against nginx: "make check-n8n", which installs them.

use Voicebridge::Test;

use Cwd qw( abs_path );
use File::Basename qw( dirname );
use File::Temp qw( tempdir );
use JSON::PP ();

my $dir = tempdir(CLEANUP => 1);
my $root = abs_path(dirname(__FILE__) . '/..');
my $modules = ($ENV{VOICEBRIDGE_BUILD} || "$root/build") . '/n8n';
my $workflow = "$root/examples/n8n/call-customers.json";

BEGIN {
    my $build = $ENV{VOICEBRIDGE_BUILD} || dirname(__FILE__) . '/../build';

    plan(skip_all => 'n8n is not there: make check-n8n')
        unless -d "$build/n8n/node_modules/n8n-core";
}


# what the workflow makes of these customers, asking that server

sub run_workflow {
    my ($url, @rows) = @_;

    my $input = "$dir/input";

    open my $out, '>', $input or die "$input: $!\n";
    print $out JSON::PP->new->utf8->encode({
        url => $url, key => $ENV{TEST_NGINX_API_KEY}, rows => \@rows });
    close $out or die "$input: $!\n";

    my $answer = `node '$root/t/n8n/run.js' '$modules' '$workflow' <'$input'`;
    die "the workflow does not run\n" if $?;

    return JSON::PP->new->utf8->decode($answer);
}

sub customer {
    my ($id, $number) = @_;

    # as PostgreSQL's driver gives a bigint and a numeric
    return { id => "$id", attempt => 1, phone_number => $number,
             customer_name => "Zo\x{eb}", amount_due => '120.50' };
}


# what was to be written about each customer

sub written {
    my $result = shift;

    return { map { my $w = $_; ($w->{values}[0] => [
                       $w->{node}, @{$w->{values}}[1 .. $#{$w->{values}}] ]) }
                 @{$result->{written}} };
}

run_tests();

__DATA__

=== a call is placed, one is refused, one has to wait
--- http_config
    voicebridge_zone calls:1m;
--- config
    location = /twilio/outbound-call {
        voicebridge_outbound_call;
        $TEST_NGINX_VOICEBRIDGE
    }
--- twilio
    my $to = $request->{form}{To};

    return $to eq '+15005550002' ? {
        status => 400,
        body => { code => 21211, status => 400,
                  message => "Invalid 'To' Phone Number" },
    } : $to eq '+15005550003' ? {
        status => 429, headers => { 'Retry-After' => 7 },
        body => { code => 20429, status => 429,
                  message => 'Too Many Requests' },
    } : undef;
--- test
    my $result = run_workflow('http://127.0.0.1:' . server_port(),
                              map { customer($_, "+1500555000$_") } 1 .. 3);

    is_deeply $result->{issues}, {}, 'n8n finds nothing wrong';
    is $result->{error}, undef, 'and runs it';
    is_deeply [ map { scalar @$_ } @{$result->{outputs}} ], [ 1, 1, 1 ],
              'each outcome has its way';

    my $written = written($result);

    is $written->{1}[0], 'Record the call', 'the call is recorded';
    like $written->{1}[1], qr/^CA[0-9a-f]{32}$/, 'with its SID';
    is $written->{2}[0], 'Record the refusal', 'the refusal is recorded';
    like $written->{2}[1], qr/^Twilio refused the call.*error 21211/,
         'with its reason';
    is_deeply [ @{$written->{3}}[0, 1] ], [ 'Try again later', 7 ],
              'Retry-After is honoured';

    my ($request) = twilio()->event(sub { $_->{event} eq 'request'
                                          && $_->{form}{To} =~ /1$/ });

    like $request->{form}{Twiml}, qr/customer_name.*Zo\xc3\xab/,
         'the variables reach the call';
    like $request->{form}{Twiml}, qr/amount_due&quot;:120\.5\}/,
         'a number as a number';

    # the same once more: the key is the same, nobody is called twice

    my $again = written(run_workflow('http://127.0.0.1:' . server_port(),
                                     customer(1, '+15005550001')));

    is_deeply $again->{1}, $written->{1}, 'a repeated call is the same call';



=== nobody answers
--- config
--- test
    my $result = run_workflow('http://127.0.0.1:'
                              . Voicebridge::Test::free_port(),
                              customer(1, '+15005550001'));

    my $written = written($result);

    is_deeply [ @{$written->{1}}[0, 1] ], [ 'Try again later', 60 ],
              'is tried again';
    like $written->{1}[2], qr/ECONNREFUSED/, 'with its reason';
