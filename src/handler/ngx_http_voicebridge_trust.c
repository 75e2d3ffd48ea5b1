
/*
 * Who is asking, and under which URL: the public URL of this server, the
 * auth tokens, Twilio's signature (contract, section 4).
 */


#include <ngx_http_voicebridge_handler.h>
#include <vb_twilio_signature.h>

#include <openssl/crypto.h>


static ngx_int_t ngx_http_voicebridge_base_url(ngx_http_request_t *r,
    ngx_str_t *url, ngx_uint_t *known);
static ngx_int_t ngx_http_voicebridge_set_url(ngx_http_request_t *r,
    ngx_str_t *url);
static ngx_int_t ngx_http_voicebridge_own_url(ngx_http_request_t *r,
    ngx_str_t *url);
static ngx_int_t ngx_http_voicebridge_join(ngx_http_request_t *r,
    const char *scheme, ngx_str_t *rest, ngx_str_t *url);
static ngx_int_t ngx_http_voicebridge_verify(ngx_http_request_t *r,
    vb_twilio_signed_t *s);
static void ngx_http_voicebridge_forbidden(ngx_http_request_t *r,
    ngx_str_t *base);


static ngx_str_t  ngx_http_voicebridge_signature_header =
    ngx_string("x-twilio-signature");


ngx_int_t
ngx_http_voicebridge_public_url(ngx_http_request_t *r, ngx_str_t *url)
{
    ngx_uint_t  known;

    return ngx_http_voicebridge_base_url(r, url, &known);
}


ngx_int_t
ngx_http_voicebridge_stream_base(ngx_http_request_t *r, ngx_str_t *url)
{
    ngx_str_t   rest;
    ngx_uint_t  known;

    if (ngx_http_voicebridge_base_url(r, url, &known) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!known
        || ngx_strncmp(url->data, "http://", 7) != 0)
    {
        return NGX_OK;
    }

    rest.data = url->data + 7;
    rest.len = url->len - 7;

    return ngx_http_voicebridge_join(r, "https://", &rest, url);
}


/*
 * known: a public URL is configured, or this is production, so the request's
 * own scheme says nothing about the outside
 */

static ngx_int_t
ngx_http_voicebridge_base_url(ngx_http_request_t *r, ngx_str_t *url,
    ngx_uint_t *known)
{
    ngx_http_voicebridge_loc_conf_t   *vlcf;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);
    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    *known = 1;

    if (ngx_http_voicebridge_value(r, vlcf->public_url, url) != NGX_OK) {
        return NGX_ERROR;
    }

    if (url->len) {
        return ngx_http_voicebridge_set_url(r, url);
    }

    if (vmcf->production && vmcf->host.len) {
        return ngx_http_voicebridge_join(r, "https://", &vmcf->host, url);
    }

    *known = vmcf->production;

    return ngx_http_voicebridge_own_url(r, url);
}


/* what somebody has written down: to Twilio a scheme has small letters */

static ngx_int_t
ngx_http_voicebridge_set_url(ngx_http_request_t *r, ngx_str_t *url)
{
    size_t       len;
    ngx_str_t    rest;
    const char  *scheme;

    scheme = "http://";

    if (url->len > 6
        && ngx_strncasecmp(url->data, (u_char *) "https:", 6) == 0)
    {
        scheme = "https://";
    }

    len = ngx_strlen(scheme);

    while (url->len > len && url->data[url->len - 1] == '/') {
        url->len--;
    }

    if (url->len <= len
        || ngx_strncasecmp(url->data, (u_char *) scheme, len) != 0)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "\"voicebridge_public_url\" is \"%V\", it must begin "
                      "with \"http://\" or \"https://\" and name a host",
                      url);
        return NGX_ERROR;
    }

    if (ngx_strncmp(url->data, scheme, len) == 0) {
        return NGX_OK;
    }

    rest.data = url->data + len;
    rest.len = url->len - len;

    return ngx_http_voicebridge_join(r, scheme, &rest, url);
}


static ngx_int_t
ngx_http_voicebridge_own_url(ngx_http_request_t *r, ngx_str_t *url)
{
    char                      *scheme;
    ngx_str_t                 *host;
    ngx_http_core_srv_conf_t  *cscf;

    scheme = "http://";

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        scheme = "https://";
    }
#endif

    /* the header has the port, which headers_in.server has not */

    if (r->headers_in.host && r->headers_in.host->value.len) {
        host = &r->headers_in.host->value;

    } else if (r->headers_in.server.len) {
        host = &r->headers_in.server;

    } else {
        cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
        host = &cscf->server_name;
    }

    if (host->len == 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "the request has no Host header, "
                      "set \"voicebridge_public_url\"");
        return NGX_ERROR;
    }

    return ngx_http_voicebridge_join(r, scheme, host, url);
}


static ngx_int_t
ngx_http_voicebridge_join(ngx_http_request_t *r, const char *scheme,
    ngx_str_t *rest, ngx_str_t *url)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, ngx_strlen(scheme) + rest->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    url->data = p;
    url->len = ngx_sprintf(p, "%s%V", scheme, rest) - p;

    return NGX_OK;
}


ngx_str_t *
ngx_http_voicebridge_header(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].hash != 0
            && h[i].key.len == name->len
            && ngx_strncasecmp(h[i].key.data, name->data, name->len) == 0)
        {
            return &h[i].value;
        }
    }
}


ngx_int_t
ngx_http_voicebridge_auth_tokens(ngx_http_request_t *r, ngx_str_t tokens[2])
{
    ngx_int_t                         n;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    n = 0;

    if (ngx_http_voicebridge_value(r, vlcf->auth_token, &tokens[n]) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (tokens[n].len) {
        n++;
    }

    if (ngx_http_voicebridge_value(r, vlcf->auth_token2, &tokens[n]) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (tokens[n].len) {
        n++;
    }

    return n;
}


ngx_int_t
ngx_http_voicebridge_signature_present(ngx_http_request_t *r)
{
    ngx_str_t                        *signature;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (!vlcf->verify_signature) {
        return NGX_OK;
    }

    signature = ngx_http_voicebridge_header(r,
                                    &ngx_http_voicebridge_signature_header);

    if (signature && signature->len == VB_TWILIO_SIGNATURE_LENGTH) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "refused: the request has %s X-Twilio-Signature, "
                  "only Twilio's requests are taken here",
                  signature ? "a malformed" : "no");

    return NGX_HTTP_FORBIDDEN;
}


ngx_int_t
ngx_http_voicebridge_check_signature(ngx_http_request_t *r,
    vb_form_field_t *fields, size_t nfields, ngx_uint_t websocket)
{
    ngx_int_t                         rc;
    vb_twilio_signed_t                s;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (!vlcf->verify_signature) {
        return NGX_OK;
    }

    rc = ngx_http_voicebridge_signature_present(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_memzero(&s, sizeof(vb_twilio_signed_t));

    rc = websocket ? ngx_http_voicebridge_stream_base(r, &s.base)
                   : ngx_http_voicebridge_public_url(r, &s.base);

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    s.target = r->unparsed_uri;
    s.websocket = websocket;
    s.fields = fields;
    s.nfields = nfields;

    return ngx_http_voicebridge_verify(r, &s);
}


static ngx_int_t
ngx_http_voicebridge_verify(ngx_http_request_t *r, vb_twilio_signed_t *s)
{
    ngx_int_t  rc, n;
    ngx_str_t  tokens[2];

    n = ngx_http_voicebridge_auth_tokens(r, tokens);

    if (n == 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "cannot verify X-Twilio-Signature without "
                      "\"voicebridge_twilio_auth_token\"");
    }

    if (n <= 0) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = vb_twilio_signature_verify(s,
                 ngx_http_voicebridge_header(r,
                                      &ngx_http_voicebridge_signature_header),
                 tokens, n);

    if (rc == VB_OK) {
        return NGX_OK;
    }

    if (rc == VB_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_voicebridge_forbidden(r, &s->base);

    return NGX_HTTP_FORBIDDEN;
}


static void
ngx_http_voicebridge_forbidden(ngx_http_request_t *r, ngx_str_t *base)
{
    u_char     *p;
    ngx_str_t   path;

    /* the query of a webhook has phone numbers in it */

    path = r->unparsed_uri;

    p = ngx_strlchr(path.data, path.data + path.len, '?');

    if (p) {
        path.len = p - path.data;
    }

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "refused: X-Twilio-Signature is not that of \"%V%V\"; check "
                  "that \"voicebridge_public_url\" is what Twilio has, that no "
                  "proxy changes the path, and that "
                  "\"voicebridge_twilio_auth_token\" is this account's",
                  base, &path);
}


/* all keys are looked at, and each in constant time */

ngx_int_t
ngx_http_voicebridge_api_key(ngx_http_request_t *r)
{
    ngx_str_t                        *given, *key;
    ngx_uint_t                        i, good;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    static ngx_str_t  name = ngx_string("x-api-key");

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (vlcf->api_keys_off) {
        return NGX_OK;
    }

    given = ngx_http_voicebridge_header(r, &name);

    if (given == NULL || vlcf->api_keys == NULL) {
        return NGX_DECLINED;
    }

    good = 0;
    key = vlcf->api_keys->elts;

    for (i = 0; i < vlcf->api_keys->nelts; i++) {

        if (key[i].len == given->len
            && CRYPTO_memcmp(key[i].data, given->data, given->len) == 0)
        {
            good = 1;
        }
    }

    return good ? NGX_OK : NGX_DECLINED;
}
