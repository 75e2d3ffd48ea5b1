
/* What the handlers answer with: JSON details, TwiML, and plain text */


#include <ngx_http_voicebridge_handler.h>

#include <vb_json.h>
#include <vb_mask.h>
#include <vb_token.h>
#include <vb_twilio_call.h>
#include <vb_twiml.h>
#include <vb_utf8.h>

#include <openssl/rand.h>


static ngx_int_t ngx_http_voicebridge_token(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, ngx_str_t *dynamic_variables,
    ngx_str_t *token);
static ngx_int_t ngx_http_voicebridge_urls(ngx_http_request_t *r,
    vb_twiml_stream_t *stream);


ngx_int_t
ngx_http_voicebridge_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_str_t *body)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    r->headers_out.status = status;

    if (status == NGX_HTTP_NO_CONTENT) {
        r->header_only = 1;
        return ngx_http_send_header(r);
    }

    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.content_length_n = body->len;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_http_voicebridge_send_detail(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *detail)
{
    ngx_str_t  body;

    static ngx_str_t  type = ngx_string("application/json");

    if (ngx_http_voicebridge_detail(r->pool, detail, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_voicebridge_send(r, status, &type, &body);
}


ngx_int_t
ngx_http_voicebridge_detail(ngx_pool_t *pool, ngx_str_t *detail,
    ngx_str_t *body)
{
    u_char  *p;
    size_t   len;

    len = sizeof("{\"detail\": \"\"}") - 1
          + vb_json_escape(NULL, detail->data, detail->len);

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    body->len = len;

    p = ngx_cpymem(p, "{\"detail\": \"", sizeof("{\"detail\": \"") - 1);
    p += vb_json_escape(p, detail->data, detail->len);
    ngx_memcpy(p, "\"}", 2);

    return NGX_OK;
}


ngx_int_t
ngx_http_voicebridge_add_header(ngx_http_request_t *r, const char *key,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    /* nginx 1.23.0 has added a member */

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) key;
    h->key.len = ngx_strlen(key);
    h->value = *value;

    return NGX_OK;
}


ngx_int_t
ngx_http_voicebridge_twiml(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, ngx_str_t *dynamic_variables, size_t max,
    ngx_str_t *twiml)
{
    ssize_t               len;
    ngx_str_t             token;
    vb_twiml_stream_t     stream;
    vb_twiml_parameter_t  parameters[] = {
        { vb_str("agent_id"), ctx->agent_id },
        { vb_str("session_id"), ctx->session_id },
        { vb_str("direction"), ctx->direction },
        { vb_str("from"), ctx->from },
        { vb_str("to"), ctx->to },
        { vb_str("dynamic_variables"), *dynamic_variables },
        { vb_str("vb_client_data"), ctx->client_data },
        { vb_str("vb_token"), ngx_null_string }
    };

    if (ngx_http_voicebridge_token(r, ctx, dynamic_variables, &token)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    parameters[7].value = token;

    stream.parameters = parameters;
    stream.n = sizeof(parameters) / sizeof(parameters[0]);

    if (ngx_http_voicebridge_urls(r, &stream) != NGX_OK) {
        return NGX_ERROR;
    }

    len = vb_twiml_stream(NULL, max, &stream);

    if (len < 0) {
        return NGX_DECLINED;
    }

    twiml->len = len;
    twiml->data = ngx_pnalloc(r->pool, len);

    if (twiml->data == NULL) {
        return NGX_ERROR;
    }

    (void) vb_twiml_stream(twiml->data, len, &stream);

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_urls(ngx_http_request_t *r, vb_twiml_stream_t *stream)
{
    u_char                           *p;
    ngx_str_t                         base, *url;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (ngx_http_voicebridge_stream_base(r, &base) != NGX_OK) {
        return NGX_ERROR;
    }

    url = &stream->url;

    p = ngx_pnalloc(r->pool, base.len + vlcf->media_stream_path.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    /* "http" becomes "ws", so that "https" becomes "wss" */

    base.data += sizeof("http") - 1;
    base.len -= sizeof("http") - 1;

    url->data = p;
    url->len = ngx_sprintf(p, "ws%V%V", &base, &vlcf->media_stream_path) - p;

    if (ngx_http_voicebridge_public_url(r, &base) != NGX_OK) {
        return NGX_ERROR;
    }

    url = &stream->status_callback;

    p = ngx_pnalloc(r->pool, base.len + vlcf->call_status_path.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    url->data = p;
    url->len = ngx_sprintf(p, "%V%V", &base, &vlcf->call_status_path) - p;

    return NGX_OK;
}


/* without an auth token nothing can be signed, nor is a signature verified */

static ngx_int_t
ngx_http_voicebridge_token(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, ngx_str_t *dynamic_variables,
    ngx_str_t *token)
{
    ngx_int_t                         n;
    ngx_str_t                         keys[2];
    vb_token_claims_t                 claims;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    ngx_str_null(token);

    n = ngx_http_voicebridge_auth_tokens(r, keys);

    if (n <= 0) {
        return n;
    }

    token->data = ngx_pnalloc(r->pool, VB_TOKEN_LENGTH);
    if (token->data == NULL) {
        return NGX_ERROR;
    }

    claims.agent_id = ctx->agent_id;
    claims.session_id = ctx->session_id;
    claims.direction = ctx->direction;
    claims.from = ctx->from;
    claims.to = ctx->to;
    claims.dynamic_variables = *dynamic_variables;
    claims.client_data = ctx->client_data;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (vb_token_make(token->data, &claims, &keys[0],
                      ngx_time() + vlcf->token_lifetime)
        != VB_OK)
    {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "no randomness for a token");
        return NGX_ERROR;
    }

    token->len = VB_TOKEN_LENGTH;

    return NGX_OK;
}


ngx_int_t
ngx_http_voicebridge_calls_url(ngx_pool_t *pool, ngx_str_t *base,
    ngx_str_t *account, ngx_str_t *sid, ngx_str_t *url)
{
    url->len = vb_twilio_calls_url(NULL, base, account, sid);

    url->data = ngx_pnalloc(pool, url->len);
    if (url->data == NULL) {
        return NGX_ERROR;
    }

    (void) vb_twilio_calls_url(url->data, base, account, sid);

    return NGX_OK;
}


ngx_int_t
ngx_http_voicebridge_session_id(ngx_http_request_t *r, ngx_str_t *id)
{
    u_char      *p, b[16];
    ngx_uint_t   i;

    if (RAND_bytes(b, sizeof(b)) != 1) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "no randomness for a session id");
        return NGX_ERROR;
    }

    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;

    p = ngx_pnalloc(r->pool, 36);
    if (p == NULL) {
        return NGX_ERROR;
    }

    id->data = p;
    id->len = 36;

    for (i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *p++ = '-';
        }

        p = ngx_hex_dump(p, &b[i], 1);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_voicebridge_masked(ngx_pool_t *pool, ngx_str_t *number,
    ngx_str_t *masked)
{
    masked->data = ngx_pnalloc(pool, number->len);
    if (masked->data == NULL) {
        return NGX_ERROR;
    }

    masked->len = vb_mask_number(masked->data, number);

    return NGX_OK;
}


ngx_int_t
ngx_http_voicebridge_plain_text(ngx_pool_t *pool, ngx_str_t *text, size_t max,
    ngx_str_t *plain)
{
    u_char  *p;
    size_t   len;

    if (text->len == 0) {
        ngx_str_null(plain);
        return NGX_OK;
    }

    len = ngx_min(text->len, max);

    if (len < text->len) {

        /* not within a UTF-8 character */

        while (len && (text->data[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, text->data, len);

    plain->data = p;
    plain->len = len;

    vb_mask_numbers(p, len);
    vb_utf8_plain(p, len);

    return NGX_OK;
}
