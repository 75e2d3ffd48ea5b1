
/* X-Twilio-Signature against the vectors of Twilio's SDKs */


#include <tap.h>

#include <vb_twilio_signature.h>

#include "twilio_signature_vectors.h"


static int verify(size_t i, const vb_str_t *tokens, size_t ntokens,
    const char *signature);
static vb_str_t str(const char *s);


int
main(void)
{
    char      bad[VB_TWILIO_SIGNATURE_LENGTH + 1];
    size_t    i, n;
    vb_str_t  good = vb_str("12345");
    vb_str_t  both[2] = { vb_str("another"), vb_str("12345") };
    vb_str_t  other[2] = { vb_str("another"), vb_str("1234") };

    n = sizeof(vb_signature_vectors) / sizeof(vb_signature_vectors[0]);

    is_int(n, 34, "all vectors are here");

    for (i = 0; i < n; i++) {
        const char  *name = vb_signature_vectors[i].name;
        const char  *signature = vb_signature_vectors[i].signature;

        is_int(verify(i, &good, 1, signature),
               vb_signature_vectors[i].match ? VB_OK : VB_DECLINED, "%s", name);

        if (!vb_signature_vectors[i].match) {
            continue;
        }

        is_int(verify(i, both, 2, signature), VB_OK,
               "%s: by the second of two tokens", name);
        is_int(verify(i, other, 2, signature), VB_DECLINED,
               "%s: by neither", name);
        is_int(verify(i, &good, 0, signature), VB_DECLINED,
               "%s: no token at all", name);

        memcpy(bad, signature, sizeof(bad));
        bad[3] = bad[3] == 'A' ? 'B' : 'A';

        is_int(verify(i, &good, 1, bad), VB_DECLINED, "%s: altered", name);
        is_int(verify(i, &good, 1, signature + 1), VB_DECLINED,
               "%s: too short", name);
    }

    done_testing();
}


static int
verify(size_t i, const vb_str_t *tokens, size_t ntokens,
    const char *signature)
{
    char                body[2048];
    ssize_t             nfields;
    vb_str_t            text, sig;
    vb_form_field_t     fields[32];
    vb_twilio_signed_t  s;

    memset(&s, 0, sizeof(s));

    s.base = str(vb_signature_vectors[i].base);
    s.target = str(vb_signature_vectors[i].target);
    s.websocket = strcmp(vb_signature_vectors[i].kind, "wss") == 0;

    snprintf(body, sizeof(body), "%s", vb_signature_vectors[i].body);
    text = str(body);

    if (strcmp(vb_signature_vectors[i].kind, "json") == 0) {
        s.body = &text;

    } else {
        nfields = vb_form_parse(fields, 32, text.data, text.len);
        s.fields = fields;
        s.nfields = nfields < 0 ? 0 : nfields;
    }

    sig = str(signature);

    return vb_twilio_signature_verify(&s, &sig, tokens, ntokens);
}


static vb_str_t
str(const char *s)
{
    vb_str_t  v;

    v.data = (u_char *) s;
    v.len = strlen(s);

    return v;
}
