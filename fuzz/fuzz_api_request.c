
/*
 * libFuzzer: the body of a request for a call.  However it is cut, it means
 * the same; what is taken is what our own scanner reads in it, UTF-8, and fit
 * for an agent and for XML; what is refused is refused in a line of text.
 *
 * The first byte is the size of the pieces.
 */


#include <stdio.h>
#include <stdlib.h>
#include <vb_agent_init.h>
#include <vb_api_request.h>
#include <vb_json.h>
#include <vb_twilio_call.h>
#include <vb_twiml.h>
#include <vb_utf8.h>


#define fuzz_assert(cond)                                                     \
    if (!(cond)) {                                                            \
        fprintf(stderr, "line %d: %s\n", __LINE__, #cond);                    \
        abort();                                                              \
    }


static const vb_json_field_t  fields[] = {
    { VB_JSON_ROOT, vb_str("agent_id") },
    { VB_JSON_ROOT, vb_str("session_id") },
    { VB_JSON_ROOT, vb_str("metadata") },
    { 2, vb_str("to_number") },
    { 2, vb_str("dynamic_variables") },
    { 2, vb_str("from_number") },
    { 2, vb_str("send_digits") },
    { 2, vb_str("user_id") },
    { 2, vb_str("environment") },
    { 2, vb_str("branch_id") },
    { 2, vb_str("conversation_config_override") }
};

#define FUZZ_FIELDS  (sizeof(fields) / sizeof(fields[0]))


static int
fuzz_parse(vb_api_parser_t **p, const vb_str_t *body, size_t piece,
    vb_api_request_t *request, vb_str_t *detail)
{
    size_t   i, n;
    u_char  *copy;

    *p = vb_api_parser_create(VB_JSON_DEPTH);

    for (i = 0; i < body->len; i += n) {
        n = vb_min(piece, body->len - i);

        copy = malloc(n);
        memcpy(copy, body->data + i, n);

        if (vb_api_parser_feed(*p, copy, n) != VB_OK) {
            i = body->len - n;
        }

        free(copy);
    }

    return vb_api_parser_finish(*p, 0, request, detail);
}


static int
fuzz_is_same(const vb_str_t *one, const vb_str_t *two)
{
    return one->len == two->len
           && (one->len == 0 || memcmp(one->data, two->data, one->len) == 0);
}


static int
fuzz_is_utf8(const vb_str_t *s)
{
    uint32_t  state;

    state = 0;

    return s->len == 0
           || (vb_utf8_check(&state, s->data, s->len) == VB_OK && state == 0);
}


static void
fuzz_string(const vb_json_value_t *value, const vb_str_t *s)
{
    size_t   n;
    u_char  *plain;

    if (value->type != VB_JSON_STRING) {
        fuzz_assert(value->type == VB_JSON_ABSENT
                    || value->type == VB_JSON_NULL);
        fuzz_assert(s->len == 0);
        return;
    }

    plain = malloc(value->text.len + 1);
    n = vb_json_unescape(plain, &value->text);

    fuzz_assert(n == s->len && (n == 0 || memcmp(plain, s->data, n) == 0));

    free(plain);
}


/* what the agent is told is fit to travel, and what a stream will take */

static void
fuzz_client(vb_api_request_t *request, int override)
{
    vb_str_t     text;
    const char  *error;

    fuzz_assert((request->client.conversation_config_override.len != 0)
                == override);

    text.len = vb_agent_client_write(NULL, &request->client);
    text.data = malloc(text.len + 1);

    fuzz_assert(vb_agent_client_write(text.data, &request->client)
                == text.len);
    fuzz_assert(vb_xml_escape(NULL, text.data, text.len) >= text.len);

    if (text.len
        && request->client.conversation_config_override.len < 4096)
    {
        fuzz_assert(fuzz_is_utf8(&text));
        fuzz_assert(vb_agent_client_check(&text, &error) == VB_OK);
    }

    free(text.data);
}


static void
fuzz_good(const vb_str_t *body, vb_api_request_t *request)
{
    size_t           offset;
    vb_str_t         name, *variables;
    const char      *error;
    vb_json_value_t  v[FUZZ_FIELDS];

    fuzz_assert(vb_json_select(body, fields, FUZZ_FIELDS, v, &error, &offset)
                == VB_OK);
    fuzz_assert(fuzz_is_utf8(body));

    fuzz_string(&v[0], &request->agent_id);
    fuzz_string(&v[1], &request->session_id);
    fuzz_string(&v[3], &request->to_number);

    fuzz_string(&v[5], &request->from_number);
    fuzz_string(&v[6], &request->send_digits);
    fuzz_string(&v[7], &request->client.user_id);
    fuzz_string(&v[8], &request->client.environment);
    fuzz_string(&v[9], &request->client.branch_id);
    fuzz_client(request, v[10].type == VB_JSON_OBJECT);

    fuzz_assert(request->from_number.len == 0
                || vb_e164(&request->from_number));
    fuzz_assert(request->ring_timeout <= VB_API_MAX_TIMEOUT);
    fuzz_assert(request->agent_id.len && vb_e164(&request->to_number));

    variables = &request->dynamic_variables;

    fuzz_assert((variables->len != 0) == (v[4].type == VB_JSON_OBJECT));

    if (variables->len == 0) {
        return;
    }

    /* nothing of it is dropped by XML, so that a length is a length */

    fuzz_assert(vb_xml_escape(NULL, variables->data, variables->len)
                >= variables->len);

    if (variables->len < 4096) {
        fuzz_assert(vb_agent_variables_check(variables, &name, &error)
                    == VB_OK);
        fuzz_assert(fuzz_is_utf8(variables));
        fuzz_assert(variables->len <= 2 * v[4].text.len);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                rc;
    size_t             i;
    vb_str_t           body, detail[2];
    vb_api_parser_t   *p[2];
    vb_api_request_t   request[2];

    if (size < 2) {
        return 0;
    }

    body.data = (u_char *) data + 1;
    body.len = size - 1;

    rc = fuzz_parse(&p[0], &body, body.len, &request[0], &detail[0]);

    fuzz_assert(fuzz_parse(&p[1], &body, 1 + data[0] % 64, &request[1],
                           &detail[1])
                == rc);

    if (rc == VB_OK) {
        fuzz_assert(fuzz_is_same(&request[0].agent_id, &request[1].agent_id));
        fuzz_assert(fuzz_is_same(&request[0].session_id,
                                 &request[1].session_id));
        fuzz_assert(fuzz_is_same(&request[0].to_number,
                                 &request[1].to_number));
        fuzz_assert(fuzz_is_same(&request[0].dynamic_variables,
                                 &request[1].dynamic_variables));

        fuzz_good(&body, &request[0]);

    } else {
        fuzz_assert(fuzz_is_same(&detail[0], &detail[1]));
        fuzz_assert(detail[0].len && fuzz_is_utf8(&detail[0]));

        for (i = 0; i < detail[0].len; i++) {
            fuzz_assert(detail[0].data[i] >= ' ');
        }
    }

    vb_api_parser_destroy(p[0]);
    vb_api_parser_destroy(p[1]);

    return 0;
}
