package Voicebridge::Sim::Shape;

# Whether a decoded JSON value has the shape its protocol gives it.
#
#     my $wrong = shape($message, {
#         'type' => 'string', 'event_id' => 'integer', 'note?' => 'string',
#     });
#
# A hash names the members there may be, those with ? need not be; a string
# names a type; an array of one shape is a list; code gets the value and
# returns what is wrong with it.  Returns the first thing that is wrong, or
# undef.

use Mojo::Base -strict, -signatures;

use B ();
use Exporter qw( import );
use Mojo::JSON ();
use Mojo::Util qw( b64_decode b64_encode );

our @EXPORT_OK = qw( json_type plain_json shape );


# JSON as both services write it: no slash is escaped

sub plain_json ($value) {
    return Mojo::JSON::encode_json($value)
           =~ s{\\(.)}{$1 eq '/' ? '/' : "\\$1"}ger;
}


# string, integer, number, boolean, null, array, object

sub json_type ($value) {
    return 'null' unless defined $value;

    if (my $ref = ref $value) {
        return $ref eq 'HASH' ? 'object' : $ref eq 'ARRAY' ? 'array'
                                                           : 'boolean';
    }

    my $flags = B::svref_2object(\$value)->FLAGS;

    return 'string' if $flags & B::SVp_POK;
    return $flags & B::SVp_IOK ? 'integer' : 'number';
}


sub shape ($value, $shape, $path = '') {
    my $type = json_type($value);
    my $what = $path eq '' ? 'the message' : $path;

    if (ref $shape eq 'CODE') {
        my $wrong = $shape->($value);
        return defined $wrong ? "$what $wrong" : undef;
    }

    if (ref $shape eq 'HASH') {
        return "$what is no object" unless $type eq 'object';
        return _members($value, $shape, $path);
    }

    if (ref $shape eq 'ARRAY') {
        return "$what is no array" unless $type eq 'array';

        for my $i (0 .. $#$value) {
            my $wrong = shape($value->[$i], $shape->[0], "$path\[$i]");
            return $wrong if defined $wrong;
        }

        return undef;
    }

    if ($shape eq 'base64') {
        return "$what is no string" unless $type eq 'string';
        return "$what is no base64"
            if b64_encode(b64_decode($value), '') ne $value;
        return undef;
    }

    return undef if $type eq $shape
                    || $shape eq 'number' && $type eq 'integer';

    return "$what is " . ($type eq 'null' ? $type : "of type $type")
           . ", not $shape";
}


sub _members ($value, $shape, $path) {
    my %known;

    for my $key (sort keys %$shape) {
        my $name = $key =~ s/\?$//r;
        my $member = $path eq '' ? $name : "$path.$name";

        $known{$name} = 1;

        if (!exists $value->{$name}) {
            return "$member is missing" if $name eq $key;
            next;
        }

        my $wrong = shape($value->{$name}, $shape->{$key}, $member);
        return $wrong if defined $wrong;
    }

    for my $name (sort keys %$value) {
        next if $known{$name};
        return '"' . ($path eq '' ? $name : "$path.$name") . '" is unknown';
    }

    return undef;
}


1;
