
/* An agent's messages, and its answers over REST */


#include <stdlib.h>

#include <vb_agent_init.h>
#include <vb_agent_message.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t               n;
    u_char              *copy, *out;
    vb_str_t             text, result, name;
    const char          *error;
    vb_agent_init_t      init;
    vb_agent_message_t   m;
    vb_agent_variable_t  extra = { vb_str("a"), vb_str("\"\\\n") };

    copy = malloc(size ? size : 1);
    out = malloc(size ? size : 1);
    memcpy(copy, data, size);

    text.data = copy;
    text.len = size;

    if (vb_agent_message_parse(&m, &text, &error) == VB_OK
        && m.audio.type == VB_JSON_STRING)
    {
        (void) vb_json_unescape(out, &m.audio.text);
    }

    (void) vb_agent_signed_url_parse(&text, out, size, &result);
    vb_agent_error_parse(&text, out, size, &result);

    if (vb_agent_variables_check(&text, &name, &error) == VB_OK) {
        init.dynamic_variables = text;
        init.extra = &extra;
        init.nextra = 1;

        n = vb_agent_init(NULL, &init);

        result.data = malloc(n);
        result.len = n;

        if (vb_agent_init(result.data, &init) != n
            || vb_json_check(&result, VB_JSON_OBJECT) != VB_OK)
        {
            abort();
        }

        free(result.data);
    }

    free(copy);
    free(out);

    return 0;
}
