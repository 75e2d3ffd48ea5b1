
/*
 * libFuzzer: what somebody's service says of a caller.  What is taken of it is
 * fit for the agent's start, where it is looked at once more; what is refused
 * is refused in a line of text.
 */


#include <stdio.h>
#include <stdlib.h>
#include <vb_agent_init.h>
#include <vb_agent_lookup.h>
#include <vb_utf8.h>


#define fuzz_assert(cond)                                                     \
    if (!(cond)) {                                                            \
        fprintf(stderr, "line %d: %s\n", __LINE__, #cond);                    \
        abort();                                                              \
    }


static int
fuzz_is_within(const vb_str_t *s, const u_char *buf, size_t size)
{
    return s->len == 0
           || (s->data >= buf && s->data + s->len <= buf + size);
}


/* a client's members, as they come with the stream */

static void
fuzz_client(const vb_str_t *text)
{
    size_t           i, n;
    u_char          *p;
    vb_str_t         json;
    vb_agent_init_t  init;

    n = vb_agent_client_query(NULL, text);
    p = malloc(n + 1);

    fuzz_assert(vb_agent_client_query(p, text) == n);

    for (i = 0; i < n; i++) {
        fuzz_assert(p[i] > ' ' && p[i] < 0x7f);
    }

    free(p);

    memset(&init, 0, sizeof(init));
    init.client = *text;

    json.len = vb_agent_init(NULL, &init);
    json.data = malloc(json.len);

    fuzz_assert(vb_agent_init(json.data, &init) == json.len);
    fuzz_assert(vb_json_check(&json, VB_JSON_OBJECT) == VB_OK);

    free(json.data);
}


static void
fuzz_found(const vb_agent_looked_up_t *found, const u_char *buf, size_t size)
{
    size_t                    i;
    uint32_t                  state;
    vb_str_t                  text, name;
    const char               *why;
    const vb_agent_client_t  *client;

    client = &found->client;

    const vb_str_t  *ids[] = { &found->agent_id, &client->user_id,
                               &client->environment, &client->branch_id };
    const vb_str_t  *objects[] = { &found->dynamic_variables,
                                   &client->conversation_config_override,
                                   &client->custom_llm_extra_body };

    for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        fuzz_assert(fuzz_is_within(ids[i], buf, size));
        fuzz_assert(vb_agent_is_id(ids[i]));
    }

    for (i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        fuzz_assert(fuzz_is_within(objects[i], buf, size));
        fuzz_assert(objects[i]->len == 0
                    || vb_json_check(objects[i], VB_JSON_OBJECT) == VB_OK);
    }

    fuzz_assert(found->dynamic_variables.len == 0
                || vb_agent_variables_check(&found->dynamic_variables, &name,
                                            &why)
                   == VB_OK);

    text.len = vb_agent_client_write(NULL, client);

    if (text.len == 0) {
        return;
    }

    text.data = malloc(text.len);
    state = 0;

    fuzz_assert(vb_agent_client_write(text.data, client) == text.len);
    fuzz_assert(vb_utf8_check(&state, text.data, text.len) == VB_OK && !state);
    fuzz_assert(vb_agent_client_check(&text, &why) == VB_OK);

    fuzz_client(&text);

    free(text.data);
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                  *error;
    size_t                 i, room, left;
    u_char                *buf;
    vb_str_t               text;
    const char            *why;
    vb_agent_looked_up_t   found;

    text.len = size;
    text.data = malloc(size ? size : 1);

    if (size) {
        memcpy(text.data, data, size);
    }

    room = vb_agent_lookup_room(size);
    buf = malloc(room);

    left = 1 + size % 200;
    error = malloc(left);

    if (vb_agent_lookup_parse(&found, &text, buf, error, left) == VB_OK) {
        fuzz_found(&found, buf, room);

    } else {
        fuzz_assert(strnlen(error, left) < left);

        for (i = 0; error[i]; i++) {
            fuzz_assert((u_char) error[i] >= ' ' && error[i] != 0x7f);
        }
    }

    if (vb_agent_client_check(&text, &why) == VB_OK) {
        fuzz_client(&text);
    }

    free(error);
    free(buf);
    free(text.data);

    return 0;
}
