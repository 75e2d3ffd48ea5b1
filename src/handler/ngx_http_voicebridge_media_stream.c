
/* voicebridge_media_stream: Twilio's WebSocket, from handshake to call */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <vb_base64.h>

#include <ngx_http_voicebridge_call.h>
#include <ngx_http_voicebridge_handler.h>


/* bytes of a Sec-WebSocket-Key before base64 */
#define NGX_HTTP_VOICEBRIDGE_NONCE  16


static ngx_int_t ngx_http_voicebridge_media_stream_admit(
    ngx_http_request_t *r, ngx_str_t *key);
static ngx_int_t ngx_http_voicebridge_media_stream_check(
    ngx_http_request_t *r, ngx_str_t *key);
static ngx_int_t ngx_http_voicebridge_media_stream_upgrade(
    ngx_http_request_t *r, const char *name, ngx_str_t *value);
static ngx_int_t ngx_http_voicebridge_media_stream_accept(
    ngx_http_request_t *r, ngx_str_t *key);
static u_char *ngx_http_voicebridge_media_stream_log(ngx_http_request_t *r,
    ngx_http_request_t *sr, u_char *buf, size_t len);


static ngx_str_t  ngx_http_voicebridge_media_stream_protocol =
                                                     ngx_string("websocket");
static ngx_str_t  ngx_http_voicebridge_media_stream_version =
                                                            ngx_string("13");


ngx_int_t
ngx_http_voicebridge_media_stream_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc, n;
    ngx_str_t                    key, tokens[2];
    ngx_http_voicebridge_ctx_t  *ctx;

    if (r != r->main) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_voicebridge_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* whoever refuses from here on is this handler */

    ctx->handled = 1;

    rc = ngx_http_voicebridge_media_stream_admit(r, &key);
    if (rc != NGX_OK) {
        return rc;
    }

    n = ngx_http_voicebridge_auth_tokens(r, tokens);

    if (n == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_voicebridge_media_stream_accept(r, &key);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx->log_handler = r->log_handler;
    r->log_handler = ngx_http_voicebridge_media_stream_log;

    if (ngx_http_voicebridge_call_start(r, ctx, tokens, n,
                                        ngx_http_voicebridge_twiml)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_DONE;
}


/* NGX_OK, or the status to refuse with */

static ngx_int_t
ngx_http_voicebridge_media_stream_admit(ngx_http_request_t *r, ngx_str_t *key)
{
    ngx_int_t  rc;

    if (r->method != NGX_HTTP_GET) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_voicebridge_check_signature(r, NULL, 0, 1);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_voicebridge_media_stream_check(r, key);
    if (rc != NGX_OK) {
        return rc;
    }

    if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {

        /* its bytes and the frames could not be told apart */

        return NGX_HTTP_BAD_REQUEST;
    }

    return NGX_OK;
}


/* the opening handshake, RFC 6455 section 4.2.1 */

static ngx_int_t
ngx_http_voicebridge_media_stream_check(ngx_http_request_t *r, ngx_str_t *key)
{
    u_char            nonce[vb_base64_decoded_length(VB_WS_KEY_LENGTH)];
    ngx_str_t        *value;

    static ngx_str_t  connection = ngx_string("connection");
    static ngx_str_t  version = ngx_string("sec-websocket-version");
    static ngx_str_t  name = ngx_string("sec-websocket-key");

    if (r->http_version != NGX_HTTP_VERSION_11
        || r->headers_in.upgrade == NULL
        || ngx_strcasestrn(r->headers_in.upgrade->value.data, "websocket",
                           sizeof("websocket") - 2)
           == NULL)
    {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "not a WebSocket handshake: this location is for "
                      "Twilio's media stream");

        if (r->http_version > NGX_HTTP_VERSION_11) {

            /* where such a header makes an answer malformed, RFC 9113, 8.2.2 */

            return 426;
        }

        return ngx_http_voicebridge_media_stream_upgrade(r, "Upgrade",
                                 &ngx_http_voicebridge_media_stream_protocol);
    }

    value = ngx_http_voicebridge_header(r, &connection);

    if (value == NULL
        || ngx_strlcasestrn(value->data, value->data + value->len,
                            (u_char *) "upgrade", sizeof("upgrade") - 2)
           == NULL)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    value = ngx_http_voicebridge_header(r, &version);

    if (value == NULL || !vb_str_eq(value, "13")) {
        return ngx_http_voicebridge_media_stream_upgrade(r,
                                 "Sec-WebSocket-Version",
                                 &ngx_http_voicebridge_media_stream_version);
    }

    value = ngx_http_voicebridge_header(r, &name);

    if (value == NULL || value->len != VB_WS_KEY_LENGTH
        || vb_base64_decode(nonce, value->data, value->len)
           != NGX_HTTP_VOICEBRIDGE_NONCE)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    *key = *value;

    return NGX_OK;
}


/* 426 with the header that says what would do */

static ngx_int_t
ngx_http_voicebridge_media_stream_upgrade(ngx_http_request_t *r,
    const char *name, ngx_str_t *value)
{
    if (ngx_http_voicebridge_add_header(r, name, value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return 426;
}


static ngx_int_t
ngx_http_voicebridge_media_stream_accept(ngx_http_request_t *r,
    ngx_str_t *key)
{
    ngx_int_t   rc;
    ngx_str_t   accept;

    accept.len = VB_WS_ACCEPT_LENGTH;

    accept.data = ngx_pnalloc(r->pool, VB_WS_ACCEPT_LENGTH);
    if (accept.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    vb_ws_accept(accept.data, key);

    if (ngx_http_voicebridge_add_header(r, "Upgrade",
                                 &ngx_http_voicebridge_media_stream_protocol)
        != NGX_OK
        || ngx_http_voicebridge_add_header(r, "Sec-WebSocket-Accept", &accept)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->keepalive = 0;

    /* a call is as fast as people speak */

    r->limit_rate = 0;
    r->limit_rate_set = 1;

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return NGX_ERROR;
    }

    if (ngx_http_send_special(r, NGX_HTTP_FLUSH) == NGX_ERROR) {
        return NGX_ERROR;
    }

    (void) ngx_tcp_nodelay(r->connection);

    return NGX_OK;
}


/*
 * Lines of nginx itself, of a connection that failed for example, belong to
 * a call as well: every line of the request's ends with its SID.
 */

static u_char *
ngx_http_voicebridge_media_stream_log(ngx_http_request_t *r,
    ngx_http_request_t *sr, u_char *buf, size_t len)
{
    u_char                      *p;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_voicebridge_module);

    if (ctx == NULL) {
        return buf;
    }

    p = ctx->log_handler(r, sr, buf, len);

    if (ctx->call_sid.len) {
        len -= p - buf;
        p = ngx_snprintf(p, len, ", call: %V", &ctx->call_sid);
    }

    return p;
}
