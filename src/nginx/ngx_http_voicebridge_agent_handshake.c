
/* The opening handshake with a WebSocket server, RFC 6455 section 4.1 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <openssl/rand.h>

#include <vb_base64.h>
#include <ngx_http_voicebridge_agent_peer.h>


#define NGX_HTTP_VOICEBRIDGE_KEY_LENGTH  24


ngx_int_t
ngx_http_voicebridge_agent_peer_url(ngx_http_request_t *r, ngx_url_t *u,
    ngx_str_t *url, ngx_uint_t *ssl)
{
    size_t       i;
    ngx_uint_t   n;

    static const struct {
        ngx_str_t   scheme;
        ngx_uint_t  ssl;
    } schemes[] = {
        { ngx_string("wss://"), 1 },
        { ngx_string("https://"), 1 },
        { ngx_string("ws://"), 0 },
        { ngx_string("http://"), 0 }
    };

    for (n = 0; n < sizeof(schemes) / sizeof(schemes[0]); n++) {

        if (url->len > schemes[n].scheme.len
            && ngx_strncasecmp(url->data, schemes[n].scheme.data,
                               schemes[n].scheme.len)
               == 0)
        {
            break;
        }
    }

    if (n == sizeof(schemes) / sizeof(schemes[0])) {
        return NGX_DECLINED;
    }

    *ssl = schemes[n].ssl;

    /* it becomes a request line: nothing may end that line early */

    for (i = 0; i < url->len; i++) {
        if (url->data[i] <= ' ' || url->data[i] >= 0x7f) {
            return NGX_DECLINED;
        }
    }

    ngx_memzero(u, sizeof(ngx_url_t));

    u->url.len = url->len - schemes[n].scheme.len;
    u->url.data = url->data + schemes[n].scheme.len;
    u->default_port = *ssl ? 443 : 80;
    u->uri_part = 1;
    u->no_resolve = 1;

    if (ngx_parse_url(r->pool, u) != NGX_OK || u->host.len == 0) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_voicebridge_agent_peer_request(
    ngx_http_voicebridge_agent_peer_t *peer, ngx_url_t *u, ngx_str_t *header)
{
    size_t      len;
    u_char      nonce[16], key[NGX_HTTP_VOICEBRIDGE_KEY_LENGTH];
    ngx_buf_t  *b;
    ngx_str_t   host, value;

    static const char  request[] =
        "GET %s%V HTTP/1.1" CRLF
        "Host: %V" CRLF
        "Upgrade: websocket" CRLF
        "Connection: Upgrade" CRLF
        "Sec-WebSocket-Key: %V" CRLF
        "Sec-WebSocket-Version: 13" CRLF
        "User-Agent: voicebridge" CRLF
        "%V%s" CRLF;

    if (RAND_bytes(nonce, sizeof(nonce)) != 1) {
        return NGX_ERROR;
    }

    (void) vb_base64_encode(key, nonce, sizeof(nonce));

    value.len = sizeof(key);
    value.data = key;

    vb_ws_accept(peer->accept, &value);

    /* as it was written, with the port where there was one */

    host.data = u->url.data;
    host.len = u->url.len - u->uri.len;

    len = sizeof(request) + 1 + u->uri.len + host.len + sizeof(key)
          + header->len + 2;

    b = ngx_create_temp_buf(peer->request->pool, len);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_slprintf(b->last, b->end, request,
                           u->uri.len && u->uri.data[0] == '/' ? "" : "/",
                           &u->uri, &host, &value, header,
                           header->len ? CRLF : "");
    b->flush = 1;

    peer->buf = b;

    return NGX_OK;
}


/* a header line that was just parsed, RFC 6455 section 4.1 */

void
ngx_http_voicebridge_agent_peer_header(ngx_http_request_t *r,
    ngx_http_voicebridge_agent_peer_t *peer)
{
    ngx_str_t  name, value;

    name.data = r->header_name_start;
    name.len = r->header_name_end - r->header_name_start;

    value.data = r->header_start;
    value.len = r->header_end - r->header_start;

#define ngx_http_voicebridge_header_is(literal)                               \
    (name.len == sizeof(literal) - 1                                          \
     && ngx_strncasecmp(name.data, (u_char *) literal, name.len) == 0)

    if (ngx_http_voicebridge_header_is("Upgrade")) {
        peer->upgrade = value.len == sizeof("websocket") - 1
                        && ngx_strncasecmp(value.data, (u_char *) "websocket",
                                           value.len)
                           == 0;

    } else if (ngx_http_voicebridge_header_is("Connection")) {
        peer->connection_upgrade |=
            ngx_strlcasestrn(value.data, value.data + value.len,
                             (u_char *) "upgrade", sizeof("upgrade") - 2)
            != NULL;

    } else if (ngx_http_voicebridge_header_is("Sec-WebSocket-Accept")) {
        peer->accepted = value.len == VB_WS_ACCEPT_LENGTH
                         && ngx_memcmp(value.data, peer->accept, value.len)
                            == 0;

    } else if (ngx_http_voicebridge_header_is("Sec-WebSocket-Extensions")
               || ngx_http_voicebridge_header_is("Sec-WebSocket-Protocol"))
    {
        peer->extension = 1;
    }
}


ngx_int_t
ngx_http_voicebridge_agent_peer_check(ngx_http_request_t *r,
    ngx_http_voicebridge_agent_peer_t *peer)
{
    if (peer->line.code != NGX_HTTP_SWITCHING_PROTOCOLS) {
        peer->status = peer->line.code;
        peer->error = "refused the WebSocket";

        r->upstream->state->status = peer->line.code;

    } else if (!peer->upgrade || !peer->connection_upgrade) {
        peer->error = "answered 101 without \"Upgrade: websocket\"";

    } else if (!peer->accepted) {
        peer->error = "sent a wrong Sec-WebSocket-Accept";

    } else if (peer->extension) {
        peer->error = "chose an extension or subprotocol nobody offered";

    } else {
        return NGX_OK;
    }

    return NGX_ERROR;
}
