package Voicebridge::Sim::TwiML;

# TwiML as Twilio reads it: an XML parser for what TwiML may be, which takes
# nothing that is not well-formed (XML 1.0), and the rules of the verbs that
# matter here.  A lenient parser would hide a bridge's mistakes.
#
#     my $verbs = twiml($text, 4000);    # dies with [code, reason]
#
# An element is { name, attributes, children }, a child of it an element or a
# string.

use Mojo::Base -strict, -signatures;

use Exporter qw( import );
use Mojo::URL ();
use Mojo::Util qw( decode );

our @EXPORT_OK = qw( twiml );

# verbs and nouns with the attributes they may have
my %ELEMENT = (
    Connect   => [qw( action method )],
    Stream    => [qw( url name track statusCallback statusCallbackMethod )],
    Parameter => [qw( name value )],
    Say       => [qw( voice language loop )],
    Play      => [qw( loop digits )],
    Pause     => [qw( length )],
    Redirect  => [qw( method )],
    Reject    => [qw( reason )],
    Hangup    => [],
);

my %NESTED = (Stream => 'Connect', Parameter => 'Stream');

# of name and value together, in characters
use constant MAX_PARAMETER => 500;


sub twiml ($bytes, $max) {
    my $text = decode('UTF-8', $bytes) // die [12100, 'not UTF-8'];

    die [$max == 4000 ? 32018 : 11750,
         'has ' . length($text) . " characters, $max are allowed"]
        if length($text) > $max;

    my $root = eval { parse($text) };

    if (!$root) {
        chomp(my $error = $@);
        die [12100, "no well-formed XML: $error"];
    }

    die [12200, "root is <$root->{name}>, not <Response>"]
        if $root->{name} ne 'Response';

    die [12200, '<Response> has attributes'] if %{$root->{attributes}};

    my @verbs = _elements($root);

    _check($_, 'Response') for @verbs;

    return \@verbs;
}


sub _elements ($element) {
    die [12200, "text within <$element->{name}>"]
        if grep { !ref && /\S/ } @{$element->{children}};

    return grep { ref } @{$element->{children}};
}


sub _check ($element, $parent) {
    my $name = $element->{name};

    my $allowed = $ELEMENT{$name} // die [12200, "unknown verb <$name>"];

    die [12200, "<$name> within <$parent>"]
        if ($NESTED{$name} // 'Response') ne $parent;

    for my $attribute (sort keys %{$element->{attributes}}) {
        die [12200, "<$name> has no attribute \"$attribute\""]
            unless grep { $_ eq $attribute } @$allowed;
    }

    return if $name =~ /^(?:Say|Play|Redirect)$/;

    my @children = _elements($element);

    _check($_, $name) for @children;

    if ($name eq 'Connect') {
        die [12200, '<Connect> needs one <Stream>'] if @children != 1;

    } elsif ($name eq 'Stream') {
        _check_stream($element->{attributes});

    } elsif ($name eq 'Parameter') {
        _check_parameter($element->{attributes});

    } elsif (@children) {
        die [12200, "<$name> has children"];
    }
}


sub _check_stream ($attributes) {
    my $url = Mojo::URL->new($attributes->{url} // '');

    die [31923, 'the stream\'s URL is malformed'] unless $url->host;
    die [31922, 'the stream\'s URL is neither wss nor ws']
        unless ($url->scheme // '') =~ /^wss?$/;
    die [31920, 'the stream\'s URL has a query string']
        if length $url->query->to_string;

    die [31941, "track \"$attributes->{track}\" within <Connect>"]
        if ($attributes->{track} // 'inbound_track') ne 'inbound_track';

    my $callback = $attributes->{statusCallback} // return;

    die [12200, 'statusCallback is no absolute URL']
        unless Mojo::URL->new($callback)->host;
}


sub _check_parameter ($attributes) {
    for my $name (qw( name value )) {
        die [12200, "<Parameter> has no $name"]
            unless defined $attributes->{$name};
    }

    my $length = length($attributes->{name}) + length $attributes->{value};

    die [12200, "parameter \"$attributes->{name}\" has $length characters, "
                . 'fewer than ' . MAX_PARAMETER . ' are allowed']
        if $length >= MAX_PARAMETER;
}


# XML 1.0, but for a document type, which TwiML has no use for

my $NAME = qr/[A-Za-z_:][-A-Za-z0-9._:]*/;
my $SPACE = qr/[ \t\r\n]/;
my $NO_CHARACTER =
    qr/[^\t\n\r\x20-\x{d7ff}\x{e000}-\x{fffd}\x{10000}-\x{10ffff}]/;
my %ENTITY = (amp => '&', lt => '<', gt => '>', quot => '"', apos => "'");

sub parse ($text) {
    die "a control character at $-[0]\n" if $text =~ /$NO_CHARACTER/;

    $text =~ s/\r\n?/\n/g;

    if ($text =~ /\G<\?xml$SPACE/gc) {
        $text =~ /\Gversion$SPACE*=$SPACE*(["'])1\.0\1
                  (?:$SPACE+encoding$SPACE*=$SPACE*(["'])utf-8\2)?
                  (?:$SPACE+standalone$SPACE*=$SPACE*(["'])(?:yes|no)\3)?
                  $SPACE*\?>/gcxi or die "a bad XML declaration\n";
    }

    my $document = { children => [] };
    my @open = ($document);

    until ($text =~ /\G\z/gc) {
        my $children = $open[-1]{children};

        if ($text =~ /\G<!--((?:(?!--).)*)-->/gcs) {
            next;
        }

        if ($text =~ /\G<\?($NAME)(?:$SPACE.*?)?\?>/gcs) {
            die "a second XML declaration\n" if lc $1 eq 'xml';
            next;
        }

        if ($text =~ /\G<!\[CDATA\[(.*?)\]\]>/gcs) {
            die "text outside of the root\n" if @open == 1;
            push @$children, $1;
            next;
        }

        if ($text =~ m{\G</($NAME)$SPACE*>}gc) {
            my $element = pop @open;

            die "</$1> closes nothing\n" unless @open;
            die "</$1> closes <$element->{name}>\n" if $element->{name} ne $1;
            next;
        }

        if ($text =~ /\G<($NAME)/gc) {
            die "a second root\n" if @open == 1 && grep { ref } @$children;

            my $element = { name => $1, children => [],
                            attributes => _attributes($1, \$text) };

            push @$children, $element;
            push @open, $element unless $text =~ m{\G/}gc;

            $text =~ /\G>/gc or die "<$element->{name}> has no end\n";
            next;
        }

        $text =~ /\G([^<]+)/gc or die 'a "<" at ' . (pos($text) // 0) . "\n";

        my $string = _unescaped($1);

        die "text outside of the root\n" if @open == 1 && $string =~ /\S/;
        die "\"]]>\" in text\n" if index($1, ']]>') >= 0;

        push @$children, $string if @open > 1;
    }

    die "<$open[-1]{name}> is not closed\n" if @open > 1;

    my ($root) = grep { ref } @{$document->{children}};

    return $root // die "no element in it\n";
}


# what stands before > or />

sub _attributes ($name, $text) {
    my %attributes;

    while ($$text =~ /\G$SPACE+($NAME)/gc) {
        my $attribute = $1;

        $$text =~ /\G$SPACE*=$SPACE*(?:"([^"<]*)"|'([^'<]*)')/gc
            or die "<$name>: \"$attribute\" has no proper value\n";

        die "<$name>: two of \"$attribute\"\n"
            if exists $attributes{$attribute};

        # a reference keeps its white space, what is written does not
        $attributes{$attribute} = _unescaped(($1 // $2) =~ tr/\t\n/  /r);
    }

    $$text =~ /\G$SPACE+/gc;

    return \%attributes;
}


sub _unescaped ($string) {
    $string =~ s{&(?:#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}));|($NAME);|)}{
        my $code = defined $1 ? hex $1 : $2;

        defined $code ? _character($code)
            : $ENTITY{$3 // ''} // die defined $3 ? "unknown entity \"$3\"\n"
                                                  : "a bare \"&\"\n";
    }ge;

    return $string;
}


sub _character ($code) {
    die "&#$code; is no character of XML\n"
        unless $code == 9 || $code == 10 || $code == 13
               || $code >= 0x20 && $code <= 0xd7ff
               || $code >= 0xe000 && $code <= 0xfffd
               || $code >= 0x10000 && $code <= 0x10ffff;

    return chr $code;
}


1;
