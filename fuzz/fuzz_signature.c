
/* Forms, signatures, TwiML and tokens of anything */


#include <stdlib.h>

#include <vb_token.h>
#include <vb_twilio_signature.h>
#include <vb_twiml.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char               *copy, *out, nonce[VB_TOKEN_NONCE];
    size_t                half, i;
    ssize_t               n, len;
    uint64_t              expiry;
    vb_str_t              text, key = vb_str("12345");
    vb_form_field_t       fields[VB_FORM_MAX_FIELDS];
    vb_token_claims_t     claims;
    vb_twiml_stream_t     s;
    vb_twilio_signed_t    request;
    vb_twiml_parameter_t  parameter;

    copy = malloc(size ? size : 1);
    out = malloc(32768);
    memcpy(copy, data, size);

    half = size / 2;
    text.data = copy;
    text.len = size;

    memset(&claims, 0, sizeof(claims));
    (void) vb_token_check(&text, &claims, &key, 1, 0, nonce, &expiry);

    parameter.name.data = copy;
    parameter.name.len = vb_min(half, 40);
    parameter.value.data = copy + half;
    parameter.value.len = size - half;

    s.url = parameter.name;
    s.status_callback = parameter.name;
    s.parameters = &parameter;
    s.n = 1;

    len = vb_twiml_stream(NULL, 32768, &s);

    if (len >= 0 && vb_twiml_stream(out, len, &s) != len) {
        abort();
    }

    for (i = 0; len > 0 && i < (size_t) len; i++) {
        if (out[i] < ' ') {
            abort();
        }
    }

    n = vb_form_parse(fields, VB_FORM_MAX_FIELDS, copy + half, size - half);

    memset(&request, 0, sizeof(request));
    request.base.data = copy;
    request.base.len = half / 2;
    request.target.data = copy + half / 2;
    request.target.len = half - half / 2;
    request.fields = fields;
    request.nfields = n > 0 ? n : 0;
    request.websocket = size & 1;
    request.body = size & 2 ? &text : NULL;

    text.data = (u_char *) "0123456789012345678901234567";
    text.len = VB_TWILIO_SIGNATURE_LENGTH;

    (void) vb_twilio_signature_verify(&request, &text, &key, 1);

    free(copy);
    free(out);

    return 0;
}
