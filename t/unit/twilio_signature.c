
/* X-Twilio-Signature: the vectors of Twilio's SDKs, and every form of a URL */


#include <openssl/hmac.h>
#include <tap.h>
#include <text.h>
#include <twilio_signature_vectors.h>
#include <vb_base64.h>
#include <vb_twilio_signature.h>


static int
verify(size_t i, const vb_str_t *tokens, size_t ntokens, const char *signature)
{
    int                 rc;
    ssize_t             n;
    vb_str_t            body, s;
    vb_form_field_t     fields[32];
    vb_twilio_signed_t  request;

    memset(&request, 0, sizeof(request));

    request.base = text(vb_signature_vectors[i].base);
    request.target = copy(vb_signature_vectors[i].target,
                          strlen(vb_signature_vectors[i].target));
    request.websocket = (strcmp(vb_signature_vectors[i].kind, "wss") == 0);

    body = copy(vb_signature_vectors[i].body,
                strlen(vb_signature_vectors[i].body));

    if (strcmp(vb_signature_vectors[i].kind, "json") == 0) {
        request.body = &body;

    } else {
        n = vb_form_parse(fields, 32, body.data, body.len);

        request.fields = fields;
        request.nfields = (n < 0) ? 0 : n;
    }

    s = copy(signature, strlen(signature));

    rc = vb_twilio_signature_verify(&request, &s, tokens, ntokens);

    free(s.data);
    free(body.data);
    free(request.target.data);

    return rc;
}


static void
test_vectors(void)
{
    char         other[VB_TWILIO_SIGNATURE_LENGTH + 1];
    size_t       i;
    const char  *name, *signature;

    const vb_str_t  right[] = { vb_str("12345") };
    const vb_str_t  second[] = { vb_str("another"), vb_str("12345") };
    const vb_str_t  wrong[] = { vb_str("another"), vb_str("1234") };

    is_int(NELTS(vb_signature_vectors), 34, "all vectors are here");

    for (i = 0; i < NELTS(vb_signature_vectors); i++) {
        name = vb_signature_vectors[i].name;
        signature = vb_signature_vectors[i].signature;

        is_int(verify(i, right, 1, signature),
               vb_signature_vectors[i].match ? VB_OK : VB_DECLINED, "%s", name);

        if (!vb_signature_vectors[i].match) {
            continue;
        }

        is_int(verify(i, second, 2, signature), VB_OK,
               "%s: by the second of two tokens", name);
        is_int(verify(i, wrong, 2, signature), VB_DECLINED, "%s: by neither",
               name);
        is_int(verify(i, right, 0, signature), VB_DECLINED, "%s: by none",
               name);

        strcpy(other, signature);
        other[i % (VB_TWILIO_SIGNATURE_LENGTH - 1)] ^= 1;

        is_int(verify(i, right, 1, other), VB_DECLINED, "%s: altered", name);
        is_int(verify(i, right, 1, signature + 1), VB_DECLINED,
               "%s: too short", name);
    }
}


/* what Twilio may have signed, and what of it is good for a request */

static const struct {
    const char  *base;
    const char  *target;
    int          websocket;
    const char  *url;
    int          good;
} urls[] = {
    { "https://h", "/a", 0, "https://h/a", 1 },
    { "https://h", "/a", 0, "https://h:443/a", 1 },
    { "https://h", "/a", 0, "https://h:80/a", 0 },
    { "https://h", "/a", 0, "https://h/a/", 0 },
    { "https://h", "/a", 0, "http://h/a", 0 },
    { "https://h", "/a", 0, "https://H/a", 0 },
    { "https://h", "/a", 0, "https://h/A", 0 },
    { "https://h", "/a", 0, "https://h/a?", 0 },
    { "https://h:8443", "/a", 0, "https://h:8443/a", 1 },
    { "https://h:8443", "/a", 0, "https://h/a", 1 },
    { "https://h:8443", "/a", 0, "https://h:443/a", 1 },
    { "https://h:8443", "/a", 0, "https://h:8444/a", 0 },
    { "http://h", "/a", 0, "http://h:80/a", 1 },
    { "http://h", "/a", 0, "http://h:443/a", 0 },
    { "https://h", "/a%20b//c?x=%41&y=", 0, "https://h/a%20b//c?x=%41&y=", 1 },
    { "https://h", "/a%20b//c?x=%41&y=", 0, "https://h/a b/c?x=A&y=", 0 },
    { "https://h", "/it's?b='c'", 0, "https://h/it's?b='c'", 1 },
    { "https://h", "/it's?b='c'", 0, "https://h/it's?b=%27c%27", 1 },
    { "https://h", "/it's?b='c'", 0, "https://h:443/it's?b=%27c%27", 1 },
    { "https://h", "/it's?b='c'", 0, "https://h/it%27s?b=%27c%27", 0 },
    { "https://[::1]", "/a", 0, "https://[::1]/a", 1 },
    { "https://[::1]", "/a", 0, "https://[::1]:443/a", 1 },
    { "https://[::1]:8443", "/a", 0, "https://[::1]/a", 1 },
    { "https://u:12@h", "/a", 0, "https://u:12@h/a", 1 },
    { "https://h", "/a", 1, "wss://h/a", 1 },
    { "https://h", "/a", 1, "wss://h/a/", 1 },
    { "https://h", "/a", 1, "wss://h:443/a", 1 },
    { "https://h", "/a", 1, "wss://h:443/a/", 1 },
    { "https://h", "/a", 1, "wss://h/a//", 0 },
    { "https://h", "/a", 1, "https://h/a", 0 },
    { "https://h", "/a", 1, "ws://h/a", 0 },
    { "https://h", "/a/", 1, "wss://h/a", 1 },
    { "https://h", "/a/", 1, "wss://h/a/", 1 },
    { "https://h", "/", 1, "wss://h", 1 },
    { "https://h:8443", "/a", 1, "wss://h:8443/a", 1 },
    { "https://h:8443", "/a", 1, "wss://h/a", 1 },
    { "http://h", "/a", 1, "ws://h/a", 1 },
    { "http://h", "/a", 1, "ws://h:80/a", 1 },
    { "http://h", "/a", 1, "wss://h/a", 0 },
    { "ftp://h", "/a", 0, "ftp://h/a", 0 },
    { "https://", "/a", 0, "https:///a", 0 },
    { "h", "/a", 0, "h/a", 0 },
    { "", "", 0, "", 0 },
    { "https://h", "", 0, "https://h", 1 },
    { "https://h", "", 1, "wss://h/", 1 }
};


static void
sign(u_char *signature, const char *token, const char *data)
{
    u_char  mac[20];

    HMAC(EVP_sha1(), token, strlen(token), (const u_char *) data, strlen(data),
         mac, NULL);

    vb_base64_encode(signature, mac, sizeof(mac));
}


static void
test_urls(void)
{
    size_t              i;
    u_char              s[VB_TWILIO_SIGNATURE_LENGTH];
    vb_str_t            signature, token;
    vb_twilio_signed_t  request;

    token = text("12345");
    signature.data = s;
    signature.len = sizeof(s);

    memset(&request, 0, sizeof(request));

    for (i = 0; i < NELTS(urls); i++) {
        sign(s, "12345", urls[i].url);

        request.base = copy(urls[i].base, strlen(urls[i].base));
        request.target = copy(urls[i].target, strlen(urls[i].target));
        request.websocket = urls[i].websocket;

        is_int(vb_twilio_signature_verify(&request, &signature, &token, 1),
               urls[i].good ? VB_OK : VB_DECLINED, "%s%s as %s",
               urls[i].base, urls[i].target, urls[i].url);

        free(request.base.data);
        free(request.target.data);
    }
}


/* an empty token is no secret */

static void
test_empty_token(void)
{
    u_char              s[VB_TWILIO_SIGNATURE_LENGTH];
    vb_str_t            signature, tokens[2];
    vb_twilio_signed_t  request;

    memset(&request, 0, sizeof(request));

    request.base = text("https://h");
    request.target = text("/a");

    tokens[0] = text("");
    tokens[1] = text("12345");
    signature.data = s;
    signature.len = sizeof(s);

    sign(s, "", "https://h/a");
    is_int(vb_twilio_signature_verify(&request, &signature, tokens, 2),
           VB_DECLINED, "signed with an empty token");

    sign(s, "12345", "https://h/a");
    is_int(vb_twilio_signature_verify(&request, &signature, tokens, 2),
           VB_OK, "with the one behind it");
}


static void
test_many_fields(void)
{
    char                *data, *p;
    u_char               s[VB_TWILIO_SIGNATURE_LENGTH], *body;
    size_t               i;
    ssize_t              n;
    vb_str_t             signature, token;
    vb_form_field_t     *fields;
    vb_twilio_signed_t   request;

    memset(&request, 0, sizeof(request));

    fields = malloc((VB_FORM_MAX_FIELDS + 1) * sizeof(vb_form_field_t));
    data = malloc(16384);
    body = malloc(16384);

    p = (char *) body;

    for (i = VB_FORM_MAX_FIELDS; i; i--) {
        p += sprintf(p, "f%03zu=v%zu&", i, i);
    }

    n = vb_form_parse(fields, VB_FORM_MAX_FIELDS, body, p - (char *) body);
    is_int(n, VB_FORM_MAX_FIELDS, "as many fields as there may be");

    p = data + sprintf(data, "https://h/a");

    for (i = 1; i <= VB_FORM_MAX_FIELDS; i++) {
        p += sprintf(p, "f%03zuv%zu", i, i);
    }

    sign(s, "12345", data);

    request.base = text("https://h");
    request.target = text("/a");
    request.fields = fields;
    request.nfields = n;

    token = text("12345");
    signature.data = s;
    signature.len = sizeof(s);

    is_int(vb_twilio_signature_verify(&request, &signature, &token, 1), VB_OK,
           "they are all signed");

    fields[n] = fields[n - 1];
    request.nfields++;

    is_int(vb_twilio_signature_verify(&request, &signature, &token, 1),
           VB_DECLINED, "more are refused");

    free(fields);
    free(data);
    free(body);
}


static const struct {
    const char  *target;
    int          good;
} hashes[] = {
#define SHA  "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    { "/?bodySHA256=" SHA, 1 },
    { "/?a=1&bodySHA256=" SHA "&b=2", 1 },
    { "/?bodySHA256=" SHA "0", 0 },
    { "/?bodySHA256=" SHA "%", 0 },
    { "/?xbodySHA256=" SHA, 0 },
    { "/bodySHA256=" SHA, 0 },
    { "/?bodysha256=" SHA, 0 },
    { "/?bodySHA256=54136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61"
      "caaff8a", 0 },
    { "/?bodySHA256=", 0 },
    { "/?", 0 },
    { "/", 0 }
};


/* the hash of the body {} in the query of a URL that is signed */

static void
test_hashes(void)
{
    char                url[256];
    u_char              s[VB_TWILIO_SIGNATURE_LENGTH];
    size_t              i;
    vb_str_t            signature, token, body;
    vb_twilio_signed_t  request;

    memset(&request, 0, sizeof(request));

    token = text("12345");
    body = text("{}");
    signature.data = s;
    signature.len = sizeof(s);

    for (i = 0; i < NELTS(hashes); i++) {
        sprintf(url, "https://h%s", hashes[i].target);
        sign(s, "12345", url);

        request.base = text("https://h");
        request.target = copy(hashes[i].target, strlen(hashes[i].target));
        request.body = &body;

        is_int(vb_twilio_signature_verify(&request, &signature, &token, 1),
               hashes[i].good ? VB_OK : VB_DECLINED, "body with %s",
               hashes[i].target);

        free(request.target.data);
    }
}


int
main(void)
{
    test_vectors();
    test_urls();
    test_empty_token();
    test_many_fields();
    test_hashes();

    return done_testing();
}
