
/* Whether a request is Twilio's own: X-Twilio-Signature over what it signs */


#include <stdlib.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <vb_base64.h>
#include <vb_twilio_signature.h>


#define VB_TWILIO_SHA1    20
#define VB_TWILIO_SHA256  32


/*
 * The parameters stand in the buffer behind room for the longest URL; each
 * URL is put right before them, so that both are one text.
 */
typedef struct {
    vb_str_t         scheme;           /* with its :// */
    vb_str_t         host;             /* and user:password@, if any */
    vb_str_t         port;             /* with its colon; empty: none */
    vb_str_t         default_port;

    vb_str_t         target;
    vb_str_t         variant;          /* another form of it; empty: none */

    vb_str_t         parameters;

    const vb_str_t  *signature;
    const vb_str_t  *tokens;
    size_t           ntokens;
} vb_twilio_check_t;


static int vb_twilio_check_base(vb_twilio_check_t *c,
    const vb_twilio_signed_t *s);
static void vb_twilio_check_variant(vb_twilio_check_t *c, u_char *buf,
    int websocket);
static void vb_twilio_check_parameters(vb_twilio_check_t *c, u_char *end,
    const vb_twilio_signed_t *s);
static int vb_twilio_fields_order(const void *one, const void *two);
static int vb_twilio_order(const vb_str_t *one, const vb_str_t *two);

static int vb_twilio_check_ports(vb_twilio_check_t *c,
    const vb_str_t *target);
static int vb_twilio_check_url(vb_twilio_check_t *c, const vb_str_t *port,
    const vb_str_t *target);
static int vb_twilio_check_body(const vb_twilio_signed_t *s);


int
vb_twilio_signature_verify(const vb_twilio_signed_t *s,
    const vb_str_t *signature, const vb_str_t *tokens, size_t ntokens)
{
    int                 rc;
    u_char             *buf;
    size_t              i, size, variant;
    vb_twilio_check_t   c;

    if (signature->len != VB_TWILIO_SIGNATURE_LENGTH
        || s->nfields > VB_FORM_MAX_FIELDS
        || vb_twilio_check_base(&c, s) != VB_OK
        || (s->body && vb_twilio_check_body(s) != VB_OK))
    {
        return VB_DECLINED;
    }

    c.signature = signature;
    c.tokens = tokens;
    c.ntokens = ntokens;
    c.target = s->target;

    /* the variant, the longest URL made of it, the parameters */

    variant = 3 * s->target.len + 1;
    size = variant + c.scheme.len + s->base.len + c.default_port.len + variant;

    for (i = 0; i < s->nfields; i++) {
        size += s->fields[i].name.len + s->fields[i].value.len;
    }

    buf = malloc(size);
    if (buf == NULL) {
        return VB_ERROR;
    }

    vb_twilio_check_variant(&c, buf, s->websocket);
    vb_twilio_check_parameters(&c, buf + size, s);

    rc = vb_twilio_check_ports(&c, &c.target);

    if (rc != VB_OK && c.variant.data) {
        rc = vb_twilio_check_ports(&c, &c.variant);
    }

    free(buf);

    return rc;
}


static int
vb_twilio_check_base(vb_twilio_check_t *c, const vb_twilio_signed_t *s)
{
    u_char                 *p, *start, *last;
    size_t                  len, tls;

    static const vb_str_t   schemes[2][2] = {
        { vb_str("http://"), vb_str("ws://") },
        { vb_str("https://"), vb_str("wss://") }
    };
    static const vb_str_t   ports[2] = { vb_str(":80"), vb_str(":443") };

    for (tls = 0; tls < 2; tls++) {
        len = schemes[tls][0].len;

        if (s->base.len > len
            && memcmp(s->base.data, schemes[tls][0].data, len) == 0)
        {
            break;
        }
    }

    if (tls == 2) {
        return VB_ERROR;
    }

    c->scheme = schemes[tls][s->websocket];
    c->default_port = ports[tls];

    start = s->base.data + schemes[tls][0].len;
    last = s->base.data + s->base.len;

    for (p = last; p > start && p[-1] >= '0' && p[-1] <= '9'; p--) {
        /* void */
    }

    if (p == last || p == start || p[-1] != ':') {
        p = last;

    } else {
        p--;
    }

    c->host.data = start;
    c->host.len = p - start;

    c->port.data = p;
    c->port.len = last - p;

    return VB_OK;
}


/*
 * The other form the target may have been signed in: of a WebSocket's URL
 * that with a slash more or less at its end, of others that with ' in the
 * query escaped.
 */

static void
vb_twilio_check_variant(vb_twilio_check_t *c, u_char *buf, int websocket)
{
    int      query;
    u_char  *p;
    size_t   i;

    c->variant.data = NULL;
    c->variant.len = 0;

    p = buf;
    query = 0;

    for (i = 0; i < c->target.len; i++) {

        if (c->target.data[i] == '?') {
            query = 1;
        }

        if (query && !websocket && c->target.data[i] == '\'') {
            memcpy(p, "%27", 3);
            p += 3;
            continue;
        }

        *p++ = c->target.data[i];
    }

    if (websocket) {

        if (p > buf && p[-1] == '/') {
            p--;

        } else {
            *p++ = '/';
        }
    }

    if ((size_t) (p - buf) != c->target.len) {
        c->variant.data = buf;
        c->variant.len = p - buf;
    }
}


/* sorted by name and value, each pair once, up to the end of the buffer */

static void
vb_twilio_check_parameters(vb_twilio_check_t *c, u_char *end,
    const vb_twilio_signed_t *s)
{
    size_t                  i;
    const vb_form_field_t  *f, *last, *fields[VB_FORM_MAX_FIELDS];

    for (i = 0; i < s->nfields; i++) {
        fields[i] = &s->fields[i];
    }

    if (s->nfields) {
        qsort(fields, s->nfields, sizeof(fields[0]), vb_twilio_fields_order);
    }

    c->parameters.data = end;
    last = NULL;

    for (i = s->nfields; i; i--) {
        f = fields[i - 1];

        if (last && vb_twilio_fields_order(&f, &last) == 0) {
            continue;
        }

        c->parameters.data -= f->value.len;
        memcpy(c->parameters.data, f->value.data, f->value.len);

        c->parameters.data -= f->name.len;
        memcpy(c->parameters.data, f->name.data, f->name.len);

        last = f;
    }

    c->parameters.len = end - c->parameters.data;
}


static int
vb_twilio_fields_order(const void *one, const void *two)
{
    int                     rc;
    const vb_form_field_t  *a, *b;

    a = *(const vb_form_field_t * const *) one;
    b = *(const vb_form_field_t * const *) two;

    rc = vb_twilio_order(&a->name, &b->name);

    return rc ? rc : vb_twilio_order(&a->value, &b->value);
}


/* by bytes; a string stands before those it is the beginning of */

static int
vb_twilio_order(const vb_str_t *one, const vb_str_t *two)
{
    int  rc;

    rc = memcmp(one->data, two->data, vb_min(one->len, two->len));

    return rc ? rc : (one->len > two->len) - (one->len < two->len);
}


/* the URL as it is, without its port, with the default one */

static int
vb_twilio_check_ports(vb_twilio_check_t *c, const vb_str_t *target)
{
    int                    rc;

    static const vb_str_t  none = vb_str("");

    rc = vb_twilio_check_url(c, &c->port, target);

    if (rc != VB_OK && c->port.len) {
        rc = vb_twilio_check_url(c, &none, target);
    }

    if (rc != VB_OK) {
        rc = vb_twilio_check_url(c, &c->default_port, target);
    }

    return rc;
}


static int
vb_twilio_check_url(vb_twilio_check_t *c, const vb_str_t *port,
    const vb_str_t *target)
{
    int              good;
    u_char          *p, mac[VB_TWILIO_SHA1];
    u_char           text[vb_base64_encoded_length(VB_TWILIO_SHA1)];
    size_t           i, len;
    const vb_str_t  *parts[4];

    parts[0] = &c->scheme;
    parts[1] = &c->host;
    parts[2] = port;
    parts[3] = target;

    p = c->parameters.data;

    for (i = 4; i; i--) {
        len = parts[i - 1]->len;

        if (len) {
            p -= len;
            memcpy(p, parts[i - 1]->data, len);
        }
    }

    len = c->parameters.data + c->parameters.len - p;
    good = 0;

    for (i = 0; i < c->ntokens; i++) {

        /* anybody could sign with an empty one */

        if (c->tokens[i].len == 0
            || HMAC(EVP_sha1(), c->tokens[i].data, (int) c->tokens[i].len, p,
                    len, mac, NULL)
               == NULL)
        {
            continue;
        }

        vb_base64_encode(text, mac, VB_TWILIO_SHA1);

        good |= (CRYPTO_memcmp(text, c->signature->data, sizeof(text)) == 0);
    }

    return good ? VB_OK : VB_DECLINED;
}


/* whether bodySHA256 in the query is that of the body */

static int
vb_twilio_check_body(const vb_twilio_signed_t *s)
{
    u_char                 *p, *end, digest[VB_TWILIO_SHA256];
    u_char                  hex[2 * VB_TWILIO_SHA256];
    size_t                  i;

    static const vb_str_t   name = vb_str("bodySHA256=");
    static const char       digits[] = "0123456789abcdef";

    if (EVP_Digest(s->body->data, s->body->len, digest, NULL, EVP_sha256(),
                   NULL)
        != 1)
    {
        return VB_ERROR;
    }

    for (i = 0; i < VB_TWILIO_SHA256; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 0x0f];
    }

    if (s->target.len == 0) {
        return VB_DECLINED;
    }

    p = memchr(s->target.data, '?', s->target.len);
    end = s->target.data + s->target.len;

    while (p && (size_t) (end - ++p) >= name.len + sizeof(hex)) {

        if (memcmp(p, name.data, name.len) == 0) {
            p += name.len;

            return (CRYPTO_memcmp(p, hex, sizeof(hex)) == 0
                    && (p + sizeof(hex) == end || p[sizeof(hex)] == '&'))
                   ? VB_OK : VB_DECLINED;
        }

        p = memchr(p, '&', end - p);
    }

    return VB_DECLINED;
}
