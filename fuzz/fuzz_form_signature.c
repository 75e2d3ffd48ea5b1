
/*
 * libFuzzer: forms and X-Twilio-Signature.  What was signed as Twilio signs,
 * found here in the most plain way, is good; with a bit of it turned it is
 * not; tokens of anything are not.
 *
 * The input is the target of a request, an end of line, and its form.
 */


#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <vb_base64.h>
#include <vb_token.h>
#include <vb_twilio_signature.h>


#define fuzz_assert(cond)                                                     \
    if (!(cond)) {                                                            \
        fprintf(stderr, "line %d: %s\n", __LINE__, #cond);                    \
        abort();                                                              \
    }


static const vb_str_t  tokens[] = { vb_str("other"), vb_str("12345") };


static int
fuzz_order(const vb_str_t *one, const vb_str_t *two)
{
    size_t  i;

    for (i = 0; i < one->len && i < two->len; i++) {
        if (one->data[i] != two->data[i]) {
            return one->data[i] < two->data[i] ? -1 : 1;
        }
    }

    return (one->len > two->len) - (one->len < two->len);
}


static int
fuzz_fields_order(const vb_form_field_t *one, const vb_form_field_t *two)
{
    int  rc;

    rc = fuzz_order(&one->name, &two->name);

    return rc ? rc : fuzz_order(&one->value, &two->value);
}


static u_char *
fuzz_copy(u_char *p, const vb_str_t *s)
{
    if (s->len == 0) {
        return p;
    }

    return (u_char *) memcpy(p, s->data, s->len) + s->len;
}


/* signs by taking again and again the least of those that are greater */

static void
fuzz_sign(u_char *signature, const vb_twilio_signed_t *s, size_t size)
{
    u_char                 *data, *p, mac[20];
    size_t                  i;
    const vb_form_field_t  *f, *next, *last;

    static const char       base[] = "https://h";
    static const char       websocket[] = "wss://h";

    data = malloc(size + sizeof(base));

    p = s->websocket
        ? (u_char *) memcpy(data, websocket, sizeof(websocket) - 1)
          + sizeof(websocket) - 1
        : (u_char *) memcpy(data, base, sizeof(base) - 1) + sizeof(base) - 1;

    p = fuzz_copy(p, &s->target);

    for (last = NULL; /* void */ ; last = next) {
        next = NULL;

        for (i = 0; i < s->nfields; i++) {
            f = &s->fields[i];

            if ((last == NULL || fuzz_fields_order(f, last) > 0)
                && (next == NULL || fuzz_fields_order(f, next) < 0))
            {
                next = f;
            }
        }

        if (next == NULL) {
            break;
        }

        p = fuzz_copy(p, &next->name);
        p = fuzz_copy(p, &next->value);
    }

    HMAC(EVP_sha1(), "12345", 5, data, p - data, mac, NULL);
    vb_base64_encode(signature, mac, sizeof(mac));

    free(data);
}


/* a form that is written from its fields has the same fields */

static void
fuzz_form(const vb_form_field_t *fields, size_t n)
{
    size_t            i, size;
    u_char           *buf, *p;
    vb_form_field_t   again[VB_FORM_MAX_FIELDS];

    size = 0;

    for (i = 0; i < n; i++) {
        size += vb_form_escape(NULL, fields[i].name.data, fields[i].name.len)
                + vb_form_escape(NULL, fields[i].value.data,
                                 fields[i].value.len) + 2;
    }

    buf = malloc(size + 1);
    p = buf;

    for (i = 0; i < n; i++) {
        p += vb_form_escape(p, fields[i].name.data, fields[i].name.len);
        *p++ = '=';
        p += vb_form_escape(p, fields[i].value.data, fields[i].value.len);
        *p++ = '&';
    }

    fuzz_assert((size_t) (p - buf) == size);
    fuzz_assert(vb_form_parse(again, VB_FORM_MAX_FIELDS, buf, size)
                == (ssize_t) n);

    for (i = 0; i < n; i++) {
        fuzz_assert(fuzz_fields_order(&again[i], &fields[i]) == 0);
    }

    free(buf);
}


static void
fuzz_token(const uint8_t *data, size_t size)
{
    u_char              nonce[VB_TOKEN_NONCE];
    uint64_t            expiry;
    vb_str_t            token;
    vb_token_claims_t   claims;
    vb_token_verdict_t  verdict;

    memset(&claims, 0, sizeof(claims));

    token.data = (u_char *) data;
    token.len = size;

    verdict = vb_token_check(&token, &claims, tokens, 2, 0, nonce, &expiry);

    fuzz_assert(verdict == VB_TOKEN_MALFORMED || verdict == VB_TOKEN_FORGED);
}


static void
fuzz_signature(vb_twilio_signed_t *request, size_t size)
{
    u_char    s[VB_TWILIO_SIGNATURE_LENGTH];
    vb_str_t  signature;

    fuzz_sign(s, request, size);

    signature.data = s;
    signature.len = sizeof(s);

    fuzz_assert(vb_twilio_signature_verify(request, &signature, tokens, 2)
                == VB_OK);
    fuzz_assert(vb_twilio_signature_verify(request, &signature, tokens, 1)
                == VB_DECLINED);

    /* the last character but one: the last is = always */

    s[size % (sizeof(s) - 1)] ^= 1;

    fuzz_assert(vb_twilio_signature_verify(request, &signature, tokens, 2)
                == VB_DECLINED);

    /* hosts, ports and hashes that make no sense */

    request->body = &signature;
    request->base = request->target;
    (void) vb_twilio_signature_verify(request, &signature, tokens, 2);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char             *copy, *line, *form;
    ssize_t             n;
    vb_form_field_t     fields[VB_FORM_MAX_FIELDS];
    vb_twilio_signed_t  request;

    if (size == 0) {
        return 0;
    }

    fuzz_token(data, size);

    copy = malloc(size);
    memcpy(copy, data, size);

    line = memchr(copy, '\n', size);

    memset(&request, 0, sizeof(request));

    request.base.data = (u_char *) "https://h";
    request.base.len = sizeof("https://h") - 1;
    request.target.data = copy;
    request.target.len = line ? (size_t) (line - copy) : size;
    request.websocket = (line == NULL);

    if (line) {
        form = line + 1;
        n = vb_form_parse(fields, VB_FORM_MAX_FIELDS, form,
                          size - (form - copy));

        if (n > 0) {
            fuzz_form(fields, n);

            request.fields = fields;
            request.nfields = n;
        }
    }

    fuzz_signature(&request, size);

    free(copy);

    return 0;
}
