
/*
 * libFuzzer: an agent's messages, ElevenLabs' answers over REST, and the
 * first message to an agent.  What is taken, yajl takes too and reads the
 * same in it; what is written is JSON, and with the variables that went in.
 */


#include <stdio.h>
#include <vb_agent_client.h>
#include <vb_agent_init.h>
#include <vb_agent_lookup.h>
#include <vb_agent_message.h>
#include <vb_utf8.h>
#include <yajl_oracle.h>


#define fuzz_assert(cond)                                                     \
    if (!(cond)) {                                                            \
        fprintf(stderr, "line %d: %s\n", __LINE__, #cond);                    \
        abort();                                                              \
    }


#define NFIELDS  (sizeof(fields) / sizeof(fields[0]))

static const vb_json_field_t  fields[] = {
    { VB_JSON_ROOT, vb_str("type") },
    { VB_JSON_ROOT, vb_str("audio_event") },
    { 1, vb_str("audio_base_64") },
    { 1, vb_str("event_id") },
    { VB_JSON_ROOT, vb_str("ping_event") },
    { 4, vb_str("event_id") }
};


static int
fuzz_is_in(const vb_str_t *text, const vb_str_t *s)
{
    return s->len == 0
           || (s->data >= text->data
               && s->data + s->len <= text->data + text->len);
}


static void
fuzz_message(const vb_str_t *text)
{
    size_t               offset;
    oracle_t             o;
    const char          *error;
    vb_json_value_t      v[NFIELDS];
    vb_agent_message_t   m;

    error = NULL;

    if (vb_agent_message_parse(&m, text, VB_JSON_DEPTH, &error) != VB_OK) {
        fuzz_assert(error && error[0]);
        return;
    }

    fuzz_assert(oracle_parse(&o, text, fields, NFIELDS));
    fuzz_assert(vb_json_select(text, fields, NFIELDS, v, &error, &offset)
                == VB_OK);
    fuzz_assert(oracle_compare(&o, v) == NULL);
    fuzz_assert(v[0].type == VB_JSON_STRING);

    fuzz_assert(fuzz_is_in(text, &m.name));
    fuzz_assert(fuzz_is_in(text, &m.conversation_id));
    fuzz_assert(fuzz_is_in(text, &m.output_format));
    fuzz_assert(fuzz_is_in(text, &m.input_format));
    fuzz_assert(fuzz_is_in(text, &m.audio.text));
    fuzz_assert(fuzz_is_in(text, &m.text.text));
    fuzz_assert(fuzz_is_in(text, &m.reason.text));
    fuzz_assert(fuzz_is_in(text, &m.tool_name.text));
    fuzz_assert(fuzz_is_in(text, &m.tool_call_id.text));

    if (m.type == VB_AGENT_AUDIO && v[2].type == VB_JSON_STRING) {
        fuzz_assert(m.audio.type == VB_JSON_STRING
                    && m.audio.text.data == v[2].text.data);
    }

    if (m.type == VB_AGENT_PING) {
        fuzz_assert(m.has_event_id && v[5].text.len
                    && m.event_id == strtoll((char *) v[5].text.data, NULL,
                                             10));
    }

    if (m.type == VB_AGENT_METADATA) {
        fuzz_assert(m.output_format.len);
    }

    oracle_free(&o);
}


static void
fuzz_answers(const vb_str_t *text)
{
    size_t     i, size;
    u_char    *buf;
    uint32_t   state;
    vb_str_t   out;

    size = text->len % 40;
    buf = malloc(size + 1);
    buf[size] = 'x';

    if (vb_agent_signed_url_parse(text, size % 2, buf, size, &out) == VB_OK) {
        fuzz_assert(out.len && out.len <= size);

        for (i = 0; i < out.len; i++) {
            fuzz_assert(out.data[i] > ' ' && out.data[i] < 0x7f);
        }
    }

    vb_agent_error_parse(text, buf, size, &out);
    fuzz_assert(out.len <= size);

    for (i = 0; i < out.len; i++) {
        fuzz_assert(out.data[i] >= ' ' && out.data[i] != 0x7f);
    }

    /* and cut between characters, when it is made of those */

    state = 0;

    if (vb_utf8_check(&state, text->data, text->len) == VB_OK && state == 0) {
        fuzz_assert(vb_utf8_check(&state, out.data, out.len) == VB_OK
                    && state == 0);
    }

    fuzz_assert(buf[size] == 'x');

    free(buf);
}


static void
fuzz_init(const vb_str_t *text)
{
    size_t                      n;
    vb_str_t                    name, message;
    const char                 *error;
    vb_agent_init_t             init;
    vb_json_value_t             value[2];

    static const vb_json_field_t  members[] = {
        { VB_JSON_ROOT, vb_str("dynamic_variables") },
        { 0, vb_str("a") }
    };
    static const vb_str_t  client = vb_str("{\"user_id\":\"u\"}");
    static const vb_agent_variable_t  extra[] = {
        { vb_str("a"), vb_str("\"\\\n") },
        { vb_str("b"), vb_str("x") }
    };

    n = 0;
    error = NULL;

    switch (vb_agent_variables_check(text, &name, &error)) {

    case VB_OK:
        break;

    case VB_DECLINED:
        fuzz_assert(fuzz_is_in(text, &name));

        /* fall through */

    default:
        fuzz_assert(error && error[0]);
        return;
    }

    init.dynamic_variables = *text;
    init.client = client;
    init.extra = extra;
    init.nextra = 2;

    message.len = vb_agent_init(NULL, &init);
    message.data = malloc(message.len);

    fuzz_assert(vb_agent_init(message.data, &init) == message.len);
    fuzz_assert(vb_json_select(&message, members, 2, value, &error, &n)
                == VB_OK);
    fuzz_assert(value[0].type == VB_JSON_OBJECT
                && value[1].type != VB_JSON_ABSENT
                && value[1].type != VB_JSON_OBJECT);
    fuzz_assert(vb_agent_variables_check(&value[0].text, &name, &error)
                == VB_OK);

    free(message.data);
}


/* what else a start may have: copied as it is */

static void
fuzz_client(const vb_str_t *text)
{
    u_char           *query;
    size_t            n;
    vb_str_t          message;
    const char       *error;
    vb_agent_init_t   init;

    error = NULL;

    if (vb_agent_client_check(text, &error) != VB_OK) {
        fuzz_assert(error && error[0]);
        return;
    }

    memset(&init, 0, sizeof(init));
    init.client = *text;

    message.len = vb_agent_init(NULL, &init);
    message.data = malloc(message.len);

    fuzz_assert(vb_agent_init(message.data, &init) == message.len);
    fuzz_assert(vb_json_check(&message, VB_JSON_OBJECT) == VB_OK);

    n = vb_agent_client_query(NULL, text);
    query = malloc(n ? n : 1);

    fuzz_assert(vb_agent_client_query(query, text) == n);

    free(query);
    free(message.data);
}


/* a webhook's answer: what is taken is fit for an agent and to travel */

static void
fuzz_lookup(const vb_str_t *text)
{
    char                   error[64];
    u_char                *buf;
    vb_str_t               name, client;
    const char            *why;
    vb_agent_looked_up_t   found;

    buf = malloc(vb_agent_lookup_room(text->len));

    if (vb_agent_lookup_parse(&found, text, buf, error, sizeof(error))
        != VB_OK)
    {
        fuzz_assert(error[0]);
        free(buf);
        return;
    }

    fuzz_assert(found.dynamic_variables.len == 0
                || vb_agent_variables_check(&found.dynamic_variables, &name,
                                            &why)
                   == VB_OK);

    client.len = vb_agent_client_write(NULL, &found.client);
    client.data = malloc(client.len ? client.len : 1);

    fuzz_assert(vb_agent_client_write(client.data, &found.client)
                == client.len);
    fuzz_assert(client.len == 0
                || vb_agent_client_check(&client, &why) == VB_OK);

    free(client.data);
    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vb_str_t  text;

    text.data = malloc(size ? size : 1);
    text.len = size;

    if (size) {
        memcpy(text.data, data, size);
    }

    fuzz_message(&text);
    fuzz_answers(&text);
    fuzz_init(&text);
    fuzz_client(&text);
    fuzz_lookup(&text);

    fuzz_assert(size == 0 || memcmp(text.data, data, size) == 0);

    free(text.data);

    return 0;
}
