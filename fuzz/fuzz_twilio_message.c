
/*
 * libFuzzer: Twilio's messages.  What is taken, yajl takes too and reads the
 * same in it; a start has SIDs of the right shape; what is told is in the
 * message.
 */


#include <stdio.h>
#include <vb_twilio_stream.h>
#include <yajl_oracle.h>


#define fuzz_assert(cond)                                                     \
    if (!(cond)) {                                                            \
        fprintf(stderr, "line %d: %s\n", __LINE__, #cond);                    \
        abort();                                                              \
    }


#define NFIELDS  (sizeof(fields) / sizeof(fields[0]))

static const vb_json_field_t  fields[] = {
    { VB_JSON_ROOT, vb_str("event") },
    { VB_JSON_ROOT, vb_str("media") },
    { 1, vb_str("payload") },
    { 1, vb_str("track") },
    { VB_JSON_ROOT, vb_str("mark") },
    { 4, vb_str("name") },
    { VB_JSON_ROOT, vb_str("start") },
    { 6, vb_str("customParameters") }
};

static const char  *names[] = { "", "connected", "start", "media", "dtmf",
                                "mark", "stop" };


static int
fuzz_is_in(const vb_str_t *text, const vb_str_t *s)
{
    return s->len == 0
           || (s->data >= text->data
               && s->data + s->len <= text->data + text->len);
}


static void
fuzz_good(const vb_str_t *text, const vb_twilio_message_t *m)
{
    size_t            offset;
    oracle_t          o;
    const char       *error;
    vb_json_value_t   v[NFIELDS];

    fuzz_assert(oracle_parse(&o, text, fields, NFIELDS));
    fuzz_assert(vb_json_select(text, fields, NFIELDS, v, &error, &offset)
                == VB_OK);
    fuzz_assert(oracle_compare(&o, v) == NULL);

    if (m->event != VB_TWILIO_UNKNOWN) {
        fuzz_assert(o.values[0].type == VB_JSON_STRING
                    && o.values[0].len == strlen(names[m->event])
                    && memcmp(o.values[0].data, names[m->event],
                              o.values[0].len) == 0);
    }

    fuzz_assert(fuzz_is_in(text, &m->stream_sid));
    fuzz_assert(fuzz_is_in(text, &m->call_sid));
    fuzz_assert(fuzz_is_in(text, &m->account_sid));
    fuzz_assert(fuzz_is_in(text, &m->payload.text));
    fuzz_assert(fuzz_is_in(text, &m->digit.text));
    fuzz_assert(fuzz_is_in(text, &m->mark.text));
    fuzz_assert(fuzz_is_in(text, &m->parameters.text));

    switch (m->event) {

    case VB_TWILIO_MEDIA:
        fuzz_assert(m->payload.type == VB_JSON_STRING
                    && m->payload.text.data == v[2].text.data);
        break;

    case VB_TWILIO_START:
        fuzz_assert(vb_twilio_sid(&m->stream_sid, "MZ")
                    && vb_twilio_sid(&m->call_sid, "CA"));
        fuzz_assert((m->parameters.type == VB_JSON_OBJECT)
                    == (v[7].type == VB_JSON_OBJECT));
        break;

    case VB_TWILIO_MARK:
        fuzz_assert(m->mark.type == v[5].type);
        break;

    default:
        break;
    }

    oracle_free(&o);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vb_str_t              text;
    const char           *error;
    vb_twilio_message_t   m;

    text.data = malloc(size ? size : 1);
    text.len = size;

    if (size) {
        memcpy(text.data, data, size);
    }

    error = NULL;

    if (vb_twilio_message_parse(&m, &text, VB_JSON_DEPTH, &error) == VB_OK) {
        fuzz_good(&text, &m);

    } else {
        fuzz_assert(error && error[0]);
    }

    fuzz_assert(size == 0 || memcmp(text.data, data, size) == 0);

    free(text.data);

    return 0;
}
