
/* voicebridge_media_stream: Twilio's WebSocket, from handshake to call */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <vb_base64.h>

#include <ngx_http_voicebridge_call.h>
#include <ngx_http_voicebridge_handler.h>


/* bytes of a Sec-WebSocket-Key before base64 */
#define NGX_HTTP_VOICEBRIDGE_NONCE  16


static ngx_table_elt_t *ngx_http_voicebridge_media_stream_header(
    ngx_http_request_t *r, const char *name);
static ngx_int_t ngx_http_voicebridge_media_stream_check(
    ngx_http_request_t *r, ngx_str_t *key);
static ngx_int_t ngx_http_voicebridge_media_stream_accept(
    ngx_http_request_t *r, ngx_str_t *key);
static ngx_int_t ngx_http_voicebridge_media_stream_push(ngx_http_request_t *r,
    char *name, u_char *value, size_t len);


ngx_int_t
ngx_http_voicebridge_media_stream_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc, n;
    ngx_str_t                    key, tokens[2];
    ngx_http_voicebridge_ctx_t  *ctx;

    if (r != r->main) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* also says that whoever refuses from here on is this handler */

    ctx = ngx_http_voicebridge_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method != NGX_HTTP_GET) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_voicebridge_check_signature(r, NULL, 0, 1);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_voicebridge_media_stream_check(r, &key);
    if (rc != NGX_OK) {
        return rc;
    }

    if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {

        /* its bytes and the frames could not be told apart */

        return NGX_HTTP_BAD_REQUEST;
    }

    n = ngx_http_voicebridge_auth_tokens(r, tokens);

    if (n == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_voicebridge_media_stream_accept(r, &key);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_voicebridge_call_start(r, ctx, tokens, n,
                                        ngx_http_voicebridge_twiml)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_DONE;
}


/* the opening handshake, RFC 6455 section 4.2.1 */

static ngx_int_t
ngx_http_voicebridge_media_stream_check(ngx_http_request_t *r, ngx_str_t *key)
{
    u_char            nonce[vb_base64_decoded_length(VB_WS_KEY_LENGTH)];
    ngx_table_elt_t  *h;

    if (r->http_version != NGX_HTTP_VERSION_11
        || r->headers_in.upgrade == NULL
        || ngx_strcasestrn(r->headers_in.upgrade->value.data, "websocket",
                           sizeof("websocket") - 2)
           == NULL)
    {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "not a WebSocket handshake: this location is for "
                      "Twilio's media stream");

        if (ngx_http_voicebridge_media_stream_push(r, "Upgrade",
                                                   (u_char *) "websocket",
                                                   sizeof("websocket") - 1)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return 426;
    }

    h = ngx_http_voicebridge_media_stream_header(r, "Connection");

    if (h == NULL
        || ngx_strlcasestrn(h->value.data, h->value.data + h->value.len,
                            (u_char *) "upgrade", sizeof("upgrade") - 2)
           == NULL)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    h = ngx_http_voicebridge_media_stream_header(r, "Sec-WebSocket-Version");

    if (h == NULL || h->value.len != 2
        || ngx_strncmp(h->value.data, "13", 2) != 0)
    {
        if (ngx_http_voicebridge_media_stream_push(r, "Sec-WebSocket-Version",
                                                   (u_char *) "13", 2)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return 426;
    }

    h = ngx_http_voicebridge_media_stream_header(r, "Sec-WebSocket-Key");

    if (h == NULL || h->value.len != VB_WS_KEY_LENGTH
        || vb_base64_decode(nonce, h->value.data, h->value.len)
           != NGX_HTTP_VOICEBRIDGE_NONCE)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    *key = h->value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_media_stream_accept(ngx_http_request_t *r,
    ngx_str_t *key)
{
    u_char     *p;
    ngx_int_t   rc;

    p = ngx_pnalloc(r->pool, VB_WS_ACCEPT_LENGTH);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    vb_ws_accept(p, key);

    if (ngx_http_voicebridge_media_stream_push(r, "Upgrade",
                                               (u_char *) "websocket",
                                               sizeof("websocket") - 1)
        != NGX_OK
        || ngx_http_voicebridge_media_stream_push(r, "Sec-WebSocket-Accept",
                                                  p, VB_WS_ACCEPT_LENGTH)
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


static ngx_table_elt_t *
ngx_http_voicebridge_media_stream_header(ngx_http_request_t *r,
    const char *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == ngx_strlen(name)
            && ngx_strncasecmp(h[i].key.data, (u_char *) name, h[i].key.len)
               == 0)
        {
            return &h[i];
        }
    }
}


static ngx_int_t
ngx_http_voicebridge_media_stream_push(ngx_http_request_t *r, char *name,
    u_char *value, size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value.len = len;
    h->value.data = value;

    return NGX_OK;
}
