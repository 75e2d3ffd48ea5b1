
/* The API's body: cut anywhere it means the same, and what is taken over as
 * variables is JSON that an agent may be given */


#include <stdlib.h>

#include <vb_agent_init.h>
#include <vb_api_request.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int               rc[2];
    size_t            i, at, cut;
    vb_str_t          detail, name, *v;
    const char       *error;
    vb_api_parser_t  *p[2];
    vb_api_request_t  r[2];

    cut = size ? data[0] % 16 + 1 : 1;

    for (i = 0; i < 2; i++) {
        p[i] = vb_api_parser_create();

        for (at = 0; at < size; at += cut) {
            if (vb_api_parser_feed(p[i], data + at, vb_min(cut, size - at))
                != VB_OK)
            {
                break;
            }
        }

        rc[i] = vb_api_parser_finish(p[i], 0, &r[i], &detail);
        cut = size + 1;
    }

    if (rc[0] != rc[1]) {
        abort();
    }

    if (rc[0] == VB_OK) {
        v = &r[0].dynamic_variables;

        if (v->len != r[1].dynamic_variables.len
            || (v->len && memcmp(v->data, r[1].dynamic_variables.data, v->len))
            || (v->len && vb_agent_variables_check(v, &name, &error) != VB_OK))
        {
            abort();
        }
    }

    vb_api_parser_destroy(p[0]);
    vb_api_parser_destroy(p[1]);

    return 0;
}
