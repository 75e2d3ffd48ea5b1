package Voicebridge::Sim::Initiation;

# What conversation_initiation_client_data may have in it: flat, and nothing
# that ElevenLabs does not know.

use Mojo::Base -strict, -signatures;

use Exporter qw( import );
use Voicebridge::Sim::Shape qw( json_type );

our @EXPORT_OK = qw( initiation_shape );

my %OVERRIDE = (
    'agent?' => {
        'first_message?' => 'string', 'language?' => 'string',
        'max_conversation_duration_message?' => 'string',
        'prompt?' => {
            'prompt?' => 'string', 'llm?' => 'string',
            'tool_ids?' => ['string'], 'native_mcp_server_ids?' => ['string'],
            'knowledge_base?' => 'array',
        },
    },
    'tts?' => {
        'model_id?' => 'string', 'voice_id?' => 'string',
        'stability?' => 'number', 'speed?' => 'number',
        'similarity_boost?' => 'number',
        'pronunciation_dictionary_locators?' => 'array',
    },
    'asr?' => { 'keywords?' => ['string'] },
    'turn?' => { 'soft_timeout_config?' => 'object' },
    'conversation?' => { 'text_only?' => 'boolean',
                         'max_duration_seconds?' => 'integer' },
);


sub initiation_shape () {
    return {
        type => \&_is_initiation,
        'conversation_config_override?' => \%OVERRIDE,
        'custom_llm_extra_body?' => 'object',
        'dynamic_variables?' => \&_variables,
        'user_id?' => 'string',
        'source_info?' => { 'source?' => 'string', 'version?' => 'string' },
        'branch_id?' => 'string',
        'environment?' => 'string',
        'starting_workflow_node_id?' => 'string',
        'procedure_ids?' => ['string'],
        'tool_mock_config?' => 'object',
    };
}


sub _is_initiation ($value) {
    return undef if ($value // '') eq 'conversation_initiation_client_data';
    return 'is not that of an initiation, which has to be first';
}


sub _variables ($value) {
    return 'is no object' unless json_type($value) eq 'object';

    for my $name (sort keys %$value) {
        return 'has a variable without a name' if $name eq '';
        return "has \"$name\", which is reserved" if $name =~ /^system__/;

        my $wrong = _scalar($value->{$name});
        return "has \"$name\", which $wrong" if defined $wrong;
    }

    return undef;
}


# strings, numbers, booleans, null, and arrays of them

sub _scalar ($value) {
    my $type = json_type($value);

    return 'is an object' if $type eq 'object';
    return undef if $type ne 'array';

    for my $element (@$value) {
        my $wrong = _scalar($element);
        return $wrong if defined $wrong;
    }

    return undef;
}


1;
