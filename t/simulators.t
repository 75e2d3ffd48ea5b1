#!/usr/bin/perl

# The simulators do not take what the real services would not, and what they
# measure is so.

use Mojo::Base -strict, -signatures;

use FindBin qw( $RealBin );
use lib "$RealBin/../sim/lib";

use Mojo::IOLoop;
use Mojo::JSON qw( decode_json encode_json );
use Mojo::Server::Daemon;
use Mojo::UserAgent;
use Mojo::Util qw( b64_encode encode );
use Mojolicious;
use Test::More;
use Voicebridge::Sim::Agent;
use Voicebridge::Sim::Audio qw( compare level mulaw_decode mulaw_encode tone );
use Voicebridge::Sim::Call;
use Voicebridge::Sim::Conversation;
use Voicebridge::Sim::ElevenLabs;
use Voicebridge::Sim::Log;
use Voicebridge::Sim::Shape qw( plain_json shape );
use Voicebridge::Sim::Signature qw( sign sign_stream );
use Voicebridge::Sim::TwiML qw( twiml );
use Voicebridge::Sim::Webhook;

my $FACTOR = $ENV{VOICEBRIDGE_TIME_FACTOR} || 1;


# TwiML

sub code_of ($text) {
    return eval { twiml(encode('UTF-8', $text), 4000); 1 } ? 0 : $@->[0];
}

sub stream ($attributes, $inner = '') {
    return "<Response><Connect><Stream $attributes>$inner</Stream></Connect>"
           . '</Response>';
}

sub parameter ($name, $value) {
    return qq{<Parameter name="$name" value="$value"/>};
}

my $verbs = twiml(encode('UTF-8', '<?xml version="1.0" encoding="UTF-8"?>'
    . "<Response>\n<!-- a -->" . '<Connect><Stream url="wss://a/b">'
    . parameter('n', 'a &amp; &quot;b&quot; &#x2014;&#10;ü')
    . "</Stream></Connect><Say>1 &lt; 2<![CDATA[ & 3]]></Say></Response>\n"),
    4000);

is $verbs->[0]{children}[0]{children}[0]{attributes}{value},
   "a & \"b\" \x{2014}\nü", 'TwiML: references in a value';
is join('', @{$verbs->[1]{children}}), '1 < 2 & 3', 'TwiML: text and CDATA';

is code_of($_->[1]), $_->[0], "TwiML: $_->[2]" for (
    [12100, '<Response>',                          'not closed'],
    [12100, '<Response><Say></Response></Say>',    'closed crosswise'],
    [12100, '<Response/><Response/>',              'two roots'],
    [12100, '<Response><Say>a & b</Say></Response>', 'a bare &'],
    [12100, '<Response><Say>&nbsp;</Say></Response>', 'an unknown entity'],
    [12100, '<Response><Say a=b/></Response>',     'a value without quotes'],
    [12100, '<Response><Say voice="a<b"/></Response>', '< in a value'],
    [12100, '<Response><Say loop="1" loop="2"/></Response>', 'twice the same'],
    [12100, "<Response><Say>\x01</Say></Response>", 'a control character'],
    [12100, '<Response>&#0;</Response>',           'a reference to NUL'],
    [12100, ' <?xml version="1.0"?><Response/>',   'a late declaration'],
    [12100, 'hello',                               'no XML'],
    [12200, '<response/>',                         'another root'],
    [12200, '<Response><Sing/></Response>',        'an unknown verb'],
    [12200, '<Response><Stream url="wss://a/b"/></Response>', 'a noun alone'],
    [12200, '<Response>hello</Response>',          'text between verbs'],
    [31922, stream('url="http://a/b"'),            'a stream over HTTP'],
    [31923, stream('url="wss:"'),                  'a stream to nowhere'],
    [31920, stream('url="wss://a/b?c=d"'),         'a query string'],
    [31941, stream('url="wss://a/b" track="both_tracks"'), 'both tracks'],
    [0,     stream('url="wss://a/b"', parameter('a', 'ü' x 498)), '499'],
    [12200, stream('url="wss://a/b"', parameter('a', 'ü' x 499)), '500'],
    [32018, '<Response>' . ' ' x 3980 . '</Response>', 'more than 4000'],
);


# X-Twilio-Signature: the examples of Twilio's documentation and its libraries

my @form = (CallSid => 'CA1234567890ABCDE', Caller => '+14158675309',
            Digits => '1234', From => '+14158675309', To => '+18005551212');

is sign('12345', 'https://mycompany.com/myapp.php?foo=1&bar=2', \@form),
   'RSOYDt4T1cUTdK1PDd93/VVr8B8=', 'signature: a form';
is sign('12345', 'https://u:p@mycompany.com:8443/myapp.php?foo=1&bar=2#rc=2',
        \@form),
   'RSOYDt4T1cUTdK1PDd93/VVr8B8=', 'signature: what HTTPS leaves out';
is sign('12345', 'http://mycompany.com:1234/myapp.php?foo=1&bar=2', \@form),
   'Zmvh+3yNM1Phv2jhDCwEM3q5ebU=', 'signature: HTTP keeps its port';
is sign('12345', 'https://mycompany.com/myapp.php?foo=1&bar=2',
        [Sid => 'CA123', SidAccount => 'AC123', Digits => '5678',
         Digits => '1234', Digits => '1234']),
   'IK+Dwps556ElfBT0I3Rgjkr1wJU=', 'signature: a name that repeats';
is sign_stream('12345', 'wss://gw.example.com/twilio/media'),
   'xOtUNom2O6Ixz0xt8ODDv8MkQUY=', 'signature: a stream';


# G.711, by its tables

is unpack('s', mulaw_decode("\xff")), 0, 'mu-law: silence';
is unpack('s', mulaw_decode("\x00")), -32124, 'mu-law: the lowest';
is unpack('s', mulaw_decode("\x80")), 32124, 'mu-law: the highest';
is unpack('C', mulaw_encode(pack 's', 32767)), 0x80, 'mu-law: clipped';
is unpack('C', mulaw_encode(pack 's', -32768)), 0x00, 'mu-law: clipped below';

# 0x7f is the other zero
my $codes = join '', map { chr } grep { $_ != 0x7f } 0 .. 255;

is mulaw_encode(mulaw_decode($codes)), $codes, 'mu-law: there and back';


# how much alike two recordings are

my $random = 1;

sub noise ($n, $amplitude) {
    return map {
        $random = ($random * 1103515245 + 12345) % 2147483648;
        $amplitude * ($random / 1073741824 - 1);
    } 1 .. $n;
}

# two seconds that are nowhere like themselves, with words and pauses in them
my @words = noise(16000, 1);
my $held = 0;

$_ = $held = 0.6 * $held + $_ for @words;
$words[$_] *= 3000 * (1 + sin $_ / 900) for 0 .. $#words;

my $source = pack 's*', @words;
my $heard = mulaw_decode(mulaw_encode($source));
my $silence = pack 's*', (0) x 4321;

my $result = compare($source, $silence . $heard . $silence, 8000);

is $result->{start}, 4321, 'compare: where it starts';
cmp_ok abs($result->{end} - 4321 - 16000), '<=', 1600, 'and where it ends';
cmp_ok abs($result->{snr} - 37.5), '<', 1.5, "and mu-law's $result->{snr} dB";
cmp_ok $result->{worst}[0], '>', 34, "the worst piece's $result->{worst}[0] dB";
cmp_ok abs $result->{gain}, '<', 0.05, 'and its gain';
is_deeply $result->{gaps}, [], 'and no gap';

my $torn = $heard;
substr $torn, 2 * 7000, 0, pack 's*', (0) x 800;

$result = compare($source, $silence . $torn, 8000);

is_deeply [map { sprintf '%.3f', $_->[1] } @{$result->{gaps}}], ['0.100'],
          'compare: a gap of 100 ms';
cmp_ok $result->{snr}, '>', 34, 'and what is around it as it was';

my $quiet = pack 's*', map { $_ / 2 } unpack 's*', $heard;

cmp_ok abs(compare($source, $quiet, 8000)->{gain} + 6.02), '<', 0.1,
       'compare: half as loud';

my @spoilt = unpack 's*', $heard;
my @crackle = noise(800, 4000);
$spoilt[$_ + 9000] += $crackle[$_] for 0 .. $#crackle;

$result = compare($source, pack('s*', @spoilt), 8000);

cmp_ok $result->{worst}[0], '<', 12, 'compare: a crackle is the worst piece';
cmp_ok abs($result->{worst}[1] - 1.1), '<=', 0.21, 'and where it is';

is compare($source, pack('s*', noise(30000, 3000)), 8000), undef,
   'compare: something else';
is compare($source, $silence x 8, 8000), undef, 'compare: nothing';


# shapes

my $pong = { type => 'string', event_id => 'integer', 'note?' => 'string' };

is shape(decode_json($_->[0]), $pong), $_->[1], "shape: $_->[0]" for (
    ['{"type":"pong","event_id":0}',            undef],
    ['{"type":"pong","event_id":"0"}',
     'event_id is of type string, not integer'],
    ['{"type":"pong","event_id":null}',
     'event_id is null, not integer'],
    ['{"type":"pong"}',                         'event_id is missing'],
    ['{"type":"pong","event_id":1,"x":1}',      '"x" is unknown'],
    ['{"type":"pong","event_id":1,"note":1}',
     'note is of type integer, not string'],
    ['[]',                                      'the message is no object'],
);

is plain_json({ a => "x/y\\/" }), '{"a":"x/y\\\\/"}', 'JSON without \\/';


# A server on a port of its own, and what a loop that ends by itself takes at
# most.

sub serve ($app) {
    $app->log->level('fatal');

    my $daemon = Mojo::Server::Daemon->new(app => $app, silent => 1,
                                           listen => ['http://127.0.0.1']);
    $daemon->start;

    return ($daemon, '127.0.0.1:' . $daemon->ports->[0]);
}

sub run_loop () {
    my $limit = Mojo::IOLoop->timer(20 * $FACTOR => sub {
        fail('done in time');
        Mojo::IOLoop->stop;
    });

    Mojo::IOLoop->start;
    Mojo::IOLoop->remove($limit);
}

# what has been logged, by codes
sub quiet_log () {
    my $log = Voicebridge::Sim::Log->new(out => undef);
    my $file = File::Temp->new;

    return ($log->to("$file"), sub {
        open my $in, '<', "$file";
        return map { decode_json($_) } <$in>;
    });
}


# one phone call to a server that does as it is told

sub phone_hears ($on_start) {
    my $app = Mojolicious->new;

    $app->routes->websocket('/media' => sub ($c) {
        $c->on(json => sub ($c, $message) {
            $on_start->($c, $message) if $message->{event} eq 'start';
        });
    });

    my ($daemon, $address) = serve($app);
    my ($log, $events) = quiet_log();

    my $call = Voicebridge::Sim::Call->new(
        sid => Voicebridge::Sim::Call::new_sid('CA'), log => $log,
        account_sid => Voicebridge::Sim::Call::new_sid('AC'),
        from => '+15005550199', to => '+15005550100',
        webhook => Voicebridge::Sim::Webhook->new(log => $log, token => 't'),
    );

    $call->on(over => sub { Mojo::IOLoop->stop });
    Mojo::IOLoop->next_tick(sub {
        $call->answer(twiml(stream(qq{url="ws://$address/media"}), 4000));
    });

    run_loop();

    return $events->();
}


sub media ($sid, $bytes) {
    return encode_json({ event => 'media', streamSid => $sid,
                         media => { payload => b64_encode($bytes, '') } });
}

sub mark ($sid, $name) {
    return encode_json({ event => 'mark', streamSid => $sid,
                         mark => { name => $name } });
}

sub warnings_of (@events) {
    return join ' ', map { $_->{code} }
                     grep { $_->{event} eq 'warning' } @events;
}


my %broken = (
    'a binary message'  => [31950, sub ($sid) { { binary => 'x' } }],
    'no JSON'           => [31951, sub ($sid) { 'hello' }],
    'an unknown event'  => [31951, sub ($sid) {
        encode_json({ event => 'ping', streamSid => $sid }) }],
    'another stream'    => [31951, sub ($sid) {
        encode_json({ event => 'clear', streamSid => 'MZ' . 'f' x 32 }) }],
    'no stream'         => [31951, sub ($sid) {
        encode_json({ event => 'clear' }) }],
    'an extra member'   => [31951, sub ($sid) {
        encode_json({ event => 'clear', streamSid => $sid, a => 1 }) }],
    'a number as name'  => [31951, sub ($sid) { mark($sid, 5) }],
    'no base64'         => [31951, sub ($sid) {
        media($sid, 'aaa') =~ s/YWFh/YWF*/r }],
    'a reserved bit'    => [31924, sub ($sid) { [1, 0, 1, 0, 9, ''] }],
    'a long ping'       => [31924, sub ($sid) { [1, 0, 0, 0, 9, 'p' x 126] }],
    'a lost fragment'   => [31924, sub ($sid) { [1, 0, 0, 0, 0, ''] },
                            ' 31950'],
);

for my $name (sort keys %broken) {
    my ($code, $message, $more) = @{$broken{$name}};

    my @events = phone_hears(sub ($c, $start) {
        my $frame = $message->($start->{streamSid});

        ref $frame eq 'ARRAY' ? $c->tx->send($frame) : $c->send($frame);
        $c->finish(1000);
    });

    is warnings_of(@events), $code . ($more // ''), "phone: $name";
}


# playing takes its time; what is cleared is not played, its marks come back

my %at;
my $began;

my @events = phone_hears(sub ($c, $start) {
    my $sid = $start->{streamSid};

    $began = Voicebridge::Sim::Log::now();

    $c->on(json => sub ($c, $message) {
        return unless $message->{event} eq 'mark';

        my $name = $message->{mark}{name};
        $at{$name} = Voicebridge::Sim::Log::now() - $began;

        if ($name eq 'played') {
            $c->send(media($sid, "\x00" x 80000));
            $c->send(mark($sid, "dropped $_")) for 1 .. 2;
            $c->send(encode_json({ event => 'clear', streamSid => $sid }));
        }

        $c->finish(1000) if $name eq 'dropped 2';
    });

    $c->send(mark($sid, 'at once'));
    $c->send(media($sid, "\x00" x 23900));
    $c->send(media($sid, "\x00" x 100));
    $c->send(mark($sid, 'played'));
});

is warnings_of(@events), '', 'phone: all as it should be';
cmp_ok $at{'at once'}, '<', 2 * $FACTOR,
       'a mark with nothing before it comes back at once';
cmp_ok $at{played}, '>=', 3 - 0.02,
       'and one behind audio when it is played';
cmp_ok $at{'dropped 2'} - $at{played}, '<', 5 * $FACTOR,
       'and those of what is cleared at once';

my ($clear) = grep { $_->{event} eq 'clear' } @events;

is $clear->{marks}, 2, 'both of them';
cmp_ok $clear->{cleared}, '>', 9, 'with all that was left to be played';


# an agent, and a client that does as it is told

sub agent_hears ($path, $headers, $on_message,
                 $script = [{ say => { tone => 440, seconds => 0.3 } }]) {
    my ($log, $events) = quiet_log();

    my $door = Voicebridge::Sim::ElevenLabs->new(log => $log, api_key => 'key');

    $door->new_conversation(sub (%about) {
        my $agent = Voicebridge::Sim::Agent->new(
            script => $script,
            conversation => Voicebridge::Sim::Conversation->new(
                tx => $about{tx}, log => $log, id => 'conv_1',
            ),
        );

        $agent->start;
    });

    my $app = Mojolicious->new;
    $door->mount($app);

    my ($daemon, $address) = serve($app);
    my $ua = Mojo::UserAgent->new;
    my $closed;

    $ua->websocket("ws://$address$path" => $headers => sub ($ua, $tx) {
        $tx->on(finish => sub ($tx, $code, $reason) {
            $closed = $code;
            Mojo::IOLoop->stop;
        });
        $tx->on(json => sub ($tx, $message) { $on_message->($tx, $message) });
        $on_message->($tx, { type => 'open' });
    });

    run_loop();

    return ($closed, $events->());
}

my $INITIATION = 'conversation_initiation_client_data';
my $SOCKET = '/v1/convai/conversation?agent_id=a';
my %KEY = ('xi-api-key' => 'key');

my @unwelcome = (
    ['audio first',            { user_audio_chunk => '/w==' }],
    ['a nested initiation',    { type => $INITIATION, $INITIATION => {} }],
    ['a reserved variable',    { type => $INITIATION,
                                 dynamic_variables => { system__a => 1 } }],
    ['an object as variable',  { type => $INITIATION,
                                 dynamic_variables => { a => {} } }],
    ['a format to override',   { type => $INITIATION,
                                 conversation_config_override => {
                                     tts => { output_format => 'a' } } }],
    ['half a sample',          { type => $INITIATION },
                               { user_audio_chunk => '/w==' }],
    ['audio that is no base64', { type => $INITIATION },
                               { user_audio_chunk => '*' }],
    ['audio with a type',      { type => $INITIATION },
                               { type => 'a', user_audio_chunk => '/////w==' }],
    ['a pong for nothing',     { type => $INITIATION },
                               { type => 'pong', event_id => 99 }],
    ['a pong of a string',     { type => $INITIATION },
                               { type => 'pong', event_id => '1' }],
    ['an unknown type',        { type => $INITIATION },
                               { type => 'interrupt' }],
    ['a result no string',     { type => $INITIATION },
                               { type => 'client_tool_result', result => {},
                                 tool_call_id => 'a',
                                 is_error => Mojo::JSON->false }],
);

for my $case (@unwelcome) {
    my ($name, @messages) = @$case;

    my ($code, @events) = agent_hears($SOCKET, \%KEY, sub ($tx, $message) {
        return if $message->{type} ne 'open';
        $tx->send({ json => $_ }) for @messages;
    });

    is "$code " . warnings_of(@events), '1008 1008', "agent: $name";
}

my ($code) = agent_hears($SOCKET, {}, sub ($tx, $message) { });
is $code, 3000, 'agent: no key';

($code) = agent_hears($SOCKET, { 'xi-api-key' => 'another' },
                      sub ($tx, $message) { });
is $code, 3000, 'agent: a wrong key';

my @seen;

($code, @events) = agent_hears($SOCKET, \%KEY, sub ($tx, $message) {
    my $type = $message->{type};

    push @seen, $type unless @seen && $seen[-1] eq $type;

    return $tx->send({ json => { type => $INITIATION, dynamic_variables => {
        text => "ü", number => 1.5, bool => Mojo::JSON->true, nothing => undef,
        list => [1, 'a'] } } }) if $type eq 'open';

    $tx->send({ json => { type => 'pong',
                          event_id => $message->{ping_event}{event_id} } })
        if $type eq 'ping';

    $tx->send({ json => { user_audio_chunk => '/////w==' } })
        if $type eq 'agent_response';
});

is "$code " . warnings_of(@events), '1000 ', 'agent: all as it should be';
is "@seen", 'open conversation_initiation_metadata ping agent_response audio',
   'and in this order';


# one that has fallen silent does not answer a ping either

my $pongs = 0;

($code) = agent_hears($SOCKET, \%KEY, sub ($tx, $message) {
    $tx->send({ json => { type => $INITIATION } })
        if $message->{type} eq 'open';

    if ($message->{type} eq 'conversation_initiation_metadata') {
        $tx->on(frame => sub ($tx, $frame) { $pongs++ if $frame->[4] == 10 });
        $tx->send([1, 0, 0, 0, 9, 'anybody?']);
        $tx->send([1, 0, 0, 0, 8, pack 'n', 1000]);
    }
}, [{ silence => 1 }]);

is "$code, $pongs", '1000, 0', 'agent: silence';


# an id is in a signed URL as in any other

sub signed_url ($id) {
    my ($log) = quiet_log();
    my $door = Voicebridge::Sim::ElevenLabs->new(log => $log, api_key => 'key');
    my $app = Mojolicious->new;
    my $url;

    $door->mount($app);

    my ($daemon, $address) = serve($app);
    my $ua = Mojo::UserAgent->new;

    $ua->get("http://$address/v1/convai/conversation/get-signed-url?agent_id=$id",
             \%KEY, sub ($ua, $tx) {
        $url = $tx->res->json('/signed_url');
        Mojo::IOLoop->stop;
    });

    run_loop();

    return $url;
}

like signed_url('agent_%C3%AB'), qr/\?agent_id=agent_%C3%AB&/, 'agent: its id';

done_testing();
