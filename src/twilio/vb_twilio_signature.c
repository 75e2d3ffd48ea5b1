
/* X-Twilio-Signature */


#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <vb_base64.h>
#include <vb_twilio_signature.h>


/* a URL's parts; a candidate is scheme, host, port, target in this order */
typedef struct {
    vb_str_t         scheme;           /* with :// */
    vb_str_t         host;             /* with user:password@, without port */
    vb_str_t         port;             /* with its colon, or empty */
    unsigned         tls:1;
} vb_twilio_base_t;


typedef struct {
    const vb_str_t  *signature;
    const vb_str_t  *tokens;
    size_t           ntokens;
    u_char          *params;           /* right behind room for a URL */
    size_t           nparams;          /* their length */
} vb_twilio_check_t;


static int vb_twilio_base(vb_twilio_base_t *b, const vb_twilio_signed_t *s);
static size_t vb_twilio_params_length(const vb_twilio_signed_t *s);
static size_t vb_twilio_params(u_char *dst, const vb_twilio_signed_t *s);
static int vb_twilio_params_compare(const void *one, const void *two);
static int vb_twilio_compare(const vb_str_t *a, const vb_str_t *b);
static size_t vb_twilio_targets(vb_str_t targets[2], u_char *buf,
    const vb_twilio_signed_t *s);
static int vb_twilio_try(const vb_twilio_check_t *check,
    const vb_twilio_base_t *b, const vb_str_t *port, const vb_str_t *target);
static int vb_twilio_body(const vb_twilio_signed_t *s);


int
vb_twilio_signature_verify(const vb_twilio_signed_t *s,
    const vb_str_t *signature, const vb_str_t *tokens, size_t ntokens)
{
    int                 rc;
    u_char             *buf, *target;
    size_t              i, j, room, ntargets, nports;
    vb_str_t            targets[2], ports[4];
    vb_twilio_base_t    base;
    vb_twilio_check_t   check;

    static const vb_str_t  none = vb_str("");
    static const vb_str_t  http = vb_str(":80");
    static const vb_str_t  https = vb_str(":443");

    if (signature->len != VB_TWILIO_SIGNATURE_LENGTH
        || vb_twilio_base(&base, s) != VB_OK
        || (s->body && vb_twilio_body(s) != VB_OK))
    {
        return VB_DECLINED;
    }

    /* a target, escaped; a URL; the parameters */

    room = s->base.len + 3 * s->target.len + 16;

    buf = malloc(3 * s->target.len + 16 + room + vb_twilio_params_length(s));
    if (buf == NULL) {
        return VB_ERROR;
    }

    target = buf;

    check.signature = signature;
    check.tokens = tokens;
    check.ntokens = ntokens;
    check.params = buf + 3 * s->target.len + 16 + room;
    check.nparams = vb_twilio_params(check.params, s);

    ntargets = vb_twilio_targets(targets, target, s);

    /* the SDKs' "with the port" of a wss URL has :80 */

    nports = 0;
    ports[nports++] = base.port;
    ports[nports++] = base.tls ? https : http;

    if (base.port.len) {
        ports[nports++] = none;
    }

    if (s->websocket && base.tls) {
        ports[nports++] = http;
    }

    rc = VB_DECLINED;

    for (i = 0; i < ntargets && rc != VB_OK; i++) {
        for (j = 0; j < nports && rc != VB_OK; j++) {
            rc = vb_twilio_try(&check, &base, &ports[j], &targets[i]);
        }
    }

    free(buf);

    return rc;
}


static int
vb_twilio_base(vb_twilio_base_t *b, const vb_twilio_signed_t *s)
{
    u_char    *p, *last;
    vb_str_t  *host;

    static const vb_str_t  http = vb_str("http://");
    static const vb_str_t  https = vb_str("https://");
    static const vb_str_t  ws = vb_str("ws://");
    static const vb_str_t  wss = vb_str("wss://");

    host = &b->host;

    if (s->base.len > https.len
        && memcmp(s->base.data, https.data, https.len) == 0)
    {
        b->tls = 1;
        b->scheme = s->websocket ? wss : https;
        host->data = s->base.data + https.len;

    } else if (s->base.len > http.len
               && memcmp(s->base.data, http.data, http.len) == 0)
    {
        b->tls = 0;
        b->scheme = s->websocket ? ws : http;
        host->data = s->base.data + http.len;

    } else {
        return VB_ERROR;
    }

    last = s->base.data + s->base.len;

    host->len = last - host->data;
    b->port.data = last;
    b->port.len = 0;

    for (p = last; p > host->data && p[-1] >= '0' && p[-1] <= '9'; p--) {
        /* void */
    }

    if (p < last && p > host->data && p[-1] == ':') {
        b->port.data = p - 1;
        b->port.len = last - b->port.data;
        host->len -= b->port.len;
    }

    return VB_OK;
}


static size_t
vb_twilio_params_length(const vb_twilio_signed_t *s)
{
    size_t  i, len;

    len = 1;

    for (i = 0; i < s->nfields; i++) {
        len += s->fields[i].name.len + s->fields[i].value.len;
    }

    return len;
}


static size_t
vb_twilio_params(u_char *dst, const vb_twilio_signed_t *s)
{
    u_char                 *p;
    size_t                  i, n;
    const vb_form_field_t  *sorted[VB_FORM_MAX_FIELDS];

    p = dst;
    n = vb_min(s->nfields, VB_FORM_MAX_FIELDS);

    for (i = 0; i < n; i++) {
        sorted[i] = &s->fields[i];
    }

    qsort(sorted, n, sizeof(sorted[0]), vb_twilio_params_compare);

    for (i = 0; i < n; i++) {

        /* the same name and value twice counts once */

        if (i && vb_twilio_params_compare(&sorted[i - 1], &sorted[i]) == 0) {
            continue;
        }

        memcpy(p, sorted[i]->name.data, sorted[i]->name.len);
        p += sorted[i]->name.len;

        memcpy(p, sorted[i]->value.data, sorted[i]->value.len);
        p += sorted[i]->value.len;
    }

    return p - dst;
}


static int
vb_twilio_params_compare(const void *one, const void *two)
{
    int                     rc;
    const vb_form_field_t  *a, *b;

    a = *(const vb_form_field_t *const *) one;
    b = *(const vb_form_field_t *const *) two;

    rc = vb_twilio_compare(&a->name, &b->name);

    return rc ? rc : vb_twilio_compare(&a->value, &b->value);
}


static int
vb_twilio_compare(const vb_str_t *a, const vb_str_t *b)
{
    int  rc;

    rc = memcmp(a->data, b->data, vb_min(a->len, b->len));

    return rc ? rc : (a->len > b->len) - (a->len < b->len);
}


/* the target as it came, and the other form it may have been signed in */

static size_t
vb_twilio_targets(vb_str_t targets[2], u_char *buf,
    const vb_twilio_signed_t *s)
{
    size_t    i, query;
    u_char   *p;
    vb_str_t  target;

    target = s->target;
    targets[0] = target;
    targets[1].data = buf;

    if (s->websocket) {

        if (target.len && target.data[target.len - 1] == '/') {
            targets[1].data = target.data;
            targets[1].len = target.len - 1;
            return 2;
        }

        memcpy(buf, target.data, target.len);
        buf[target.len] = '/';
        targets[1].len = target.len + 1;
        return 2;
    }

    p = buf;
    query = 0;

    for (i = 0; i < target.len; i++) {
        query |= target.data[i] == '?';

        if (query && target.data[i] == '\'') {
            memcpy(p, "%27", 3);
            p += 3;

        } else {
            *p++ = target.data[i];
        }
    }

    targets[1].len = p - buf;

    return targets[1].len == target.len ? 1 : 2;
}


static int
vb_twilio_try(const vb_twilio_check_t *check, const vb_twilio_base_t *b,
    const vb_str_t *port, const vb_str_t *target)
{
    u_char           *p, *data, mac[EVP_MAX_MD_SIZE];
    u_char            text[VB_TWILIO_SIGNATURE_LENGTH + 1];
    size_t            i;
    unsigned int      len;
    const vb_str_t   *part[4];

    part[0] = &b->scheme;
    part[1] = &b->host;
    part[2] = port;
    part[3] = target;

    data = check->params;

    for (i = 4; i; i--) {
        data -= part[i - 1]->len;
        memcpy(data, part[i - 1]->data, part[i - 1]->len);
    }

    p = check->params + check->nparams;

    for (i = 0; i < check->ntokens; i++) {

        if (HMAC(EVP_sha1(), check->tokens[i].data, (int) check->tokens[i].len,
                 data, p - data, mac, &len)
            == NULL)
        {
            return VB_DECLINED;
        }

        (void) vb_base64_encode(text, mac, len);

        if (CRYPTO_memcmp(text, check->signature->data,
                          VB_TWILIO_SIGNATURE_LENGTH)
            == 0)
        {
            return VB_OK;
        }
    }

    return VB_DECLINED;
}


/* whether the query's bodySHA256 is that of the body */

static int
vb_twilio_body(const vb_twilio_signed_t *s)
{
    u_char                 digest[EVP_MAX_MD_SIZE], text[64], *p, *last;
    size_t                 i;
    unsigned int           len;

    static const vb_str_t  name = vb_str("bodySHA256=");
    static const char      hex[] = "0123456789abcdef";

    if (EVP_Digest(s->body->data, s->body->len, digest, &len, EVP_sha256(),
                   NULL)
        != 1)
    {
        return VB_ERROR;
    }

    for (i = 0; i < len; i++) {
        text[2 * i] = hex[digest[i] >> 4];
        text[2 * i + 1] = hex[digest[i] & 0xf];
    }

    last = s->target.data + s->target.len;

    for (p = s->target.data; (size_t) (last - p) >= name.len + sizeof(text);
         p++)
    {
        if (p > s->target.data && (p[-1] == '?' || p[-1] == '&')
            && memcmp(p, name.data, name.len) == 0)
        {
            p += name.len;

            return CRYPTO_memcmp(p, text, sizeof(text)) == 0
                   && (p + sizeof(text) == last || p[sizeof(text)] == '&')
                   ? VB_OK : VB_ERROR;
        }
    }

    return VB_ERROR;
}
