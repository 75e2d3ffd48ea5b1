
/*
 * The gate between an agent's connection and what is to be said there: a
 * connection can be opened before it is known what to ask for.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <ngx_http_voicebridge_agent_peer.h>


static void ngx_http_voicebridge_agent_gate_read(ngx_http_request_t *r,
    ngx_http_upstream_t *u);


/*
 * Core has connected, TLS included, and sends its request: nothing, while the
 * peer is being prepared.  NGX_AGAIN has it come back when it is told to
 * write, as a peer has that does not take everything at once.
 */

ngx_int_t
ngx_http_voicebridge_agent_gate_output(void *data, ngx_chain_t *in)
{
    ngx_http_voicebridge_agent_peer_t *peer = data;

    ngx_http_upstream_t  *u;

    u = peer->request->upstream;

    if (peer->state == NGX_HTTP_VOICEBRIDGE_PEER_PREPARING) {

        if (!peer->waiting) {
            peer->waiting = 1;
            peer->read = u->read_event_handler;
            u->read_event_handler = ngx_http_voicebridge_agent_gate_read;
        }

        peer->request->connection->log->action = "waiting for a signed URL";

        return NGX_AGAIN;
    }

    if (peer->waiting) {
        peer->waiting = 0;
        in = u->request_bufs;
    }

    return ngx_chain_writer(&u->writer, in);
}


ngx_uint_t
ngx_http_voicebridge_agent_gate_fits(ngx_http_voicebridge_agent_peer_t *peer,
    ngx_url_t *u, ngx_uint_t ssl)
{
    ngx_http_upstream_resolved_t  *resolved;

    resolved = peer->request->upstream->resolved;

    /* where no port is written an upstream block may have that name */

    return resolved->port == u->port
           && resolved->no_port == u->no_port
           && resolved->host.len == u->host.len
           && ngx_strncasecmp(resolved->host.data, u->host.data, u->host.len)
              == 0
#if (NGX_HTTP_SSL)
           && peer->request->upstream->ssl == ssl
#endif
           ;
}


ngx_int_t
ngx_http_voicebridge_agent_gate_open(ngx_http_voicebridge_agent_peer_t *peer)
{
    ngx_connection_t     *c;
    ngx_http_upstream_t  *u;

    u = peer->request->upstream;
    c = u->peer.connection;

    if (u->create_request(peer->request) != NGX_OK) {
        return NGX_ERROR;
    }

    peer->state = NGX_HTTP_VOICEBRIDGE_PEER_CONNECTING;

    /* from now on a failure is one of the call's */

    u->peer.log_error = NGX_ERROR_ERR;

    if (c) {
        c->log_error = NGX_ERROR_ERR;
    }

    if (peer->waiting) {
        u->read_event_handler = peer->read;

        ngx_post_event(c->write, &ngx_posted_events);
    }

    return NGX_OK;
}


/*
 * Nothing is to be read yet but what TLS needs for itself, its sessions above
 * all; a server that says anything more, or leaves, is of no use any more.
 */

static void
ngx_http_voicebridge_agent_gate_read(ngx_http_request_t *r,
    ngx_http_upstream_t *u)
{
    u_char                              buf[1];
    ngx_connection_t                   *c;
    ngx_http_voicebridge_agent_peer_t  *peer;

    c = u->peer.connection;
    peer = u->input_filter_ctx;

    if (c->recv(c, buf, sizeof(buf)) == NGX_AGAIN
        && ngx_handle_read_event(c->read, 0) == NGX_OK)
    {
        return;
    }

    ngx_http_voicebridge_agent_peer_close(peer);

    ngx_post_event(&peer->event, &ngx_posted_events);
}
