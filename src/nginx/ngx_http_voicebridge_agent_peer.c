
/* The opening of a WebSocket through nginx's upstream */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <ngx_http_voicebridge_agent_peer.h>


static ngx_int_t ngx_http_voicebridge_agent_peer_init(
    ngx_http_voicebridge_agent_peer_t *peer, ngx_url_t *parsed,
    ngx_uint_t ssl, ngx_http_voicebridge_peer_state_t state);
static ngx_int_t ngx_http_voicebridge_agent_peer_upstream(
    ngx_http_voicebridge_agent_peer_t *peer, ngx_url_t *parsed, ngx_uint_t ssl);
static ngx_int_t ngx_http_voicebridge_agent_peer_create_request(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_voicebridge_agent_peer_reinit_request(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_voicebridge_agent_peer_process_header(
    ngx_http_request_t *r);
static void ngx_http_voicebridge_agent_peer_take_over(ngx_http_request_t *r,
    ngx_http_voicebridge_agent_peer_t *peer);
static void ngx_http_voicebridge_agent_peer_settle(ngx_connection_t *c);
static ssize_t ngx_http_voicebridge_agent_peer_recv_once(ngx_connection_t *c,
    u_char *buf, size_t size);
static void ngx_http_voicebridge_agent_peer_event(ngx_http_request_t *r,
    ngx_http_upstream_t *u);
static void ngx_http_voicebridge_agent_peer_abort_request(
    ngx_http_request_t *r);
static void ngx_http_voicebridge_agent_peer_finalize_request(
    ngx_http_request_t *r, ngx_int_t rc);
static void ngx_http_voicebridge_agent_peer_reason(
    ngx_http_voicebridge_agent_peer_t *peer, ngx_int_t rc);
static void ngx_http_voicebridge_agent_peer_failed(ngx_event_t *ev);


ngx_int_t
ngx_http_voicebridge_agent_peer_connect(
    ngx_http_voicebridge_agent_peer_t *peer, ngx_str_t *url,
    ngx_str_t *header)
{
    ngx_int_t   rc;
    ngx_url_t   parsed;
    ngx_uint_t  ssl;

    rc = ngx_http_voicebridge_agent_peer_url(peer->request, &parsed, url,
                                             &ssl);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_voicebridge_agent_peer_request(peer, &parsed, header)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (peer->state == NGX_HTTP_VOICEBRIDGE_PEER_PREPARING) {

        if (ngx_http_voicebridge_agent_gate_fits(peer, &parsed, ssl)) {
            return ngx_http_voicebridge_agent_gate_open(peer);
        }

        ngx_http_voicebridge_agent_peer_close(peer);
    }

    return ngx_http_voicebridge_agent_peer_init(peer, &parsed, ssl,
                                         NGX_HTTP_VOICEBRIDGE_PEER_CONNECTING);
}


void
ngx_http_voicebridge_agent_peer_prepare(
    ngx_http_voicebridge_agent_peer_t *peer, ngx_str_t *url)
{
    ngx_url_t   parsed;
    ngx_uint_t  ssl;

    if (peer->state == NGX_HTTP_VOICEBRIDGE_PEER_PREPARING
        || ngx_http_voicebridge_agent_peer_url(peer->request, &parsed, url,
                                               &ssl)
           != NGX_OK)
    {
        return;
    }

    peer->buf = NULL;

    (void) ngx_http_voicebridge_agent_peer_init(peer, &parsed, ssl,
                                         NGX_HTTP_VOICEBRIDGE_PEER_PREPARING);
}


static ngx_int_t
ngx_http_voicebridge_agent_peer_init(ngx_http_voicebridge_agent_peer_t *peer,
    ngx_url_t *parsed, ngx_uint_t ssl, ngx_http_voicebridge_peer_state_t state)
{
    ngx_http_request_t  *r;

    r = peer->request;

    if (ngx_http_upstream_create(r) != NGX_OK
        || ngx_http_voicebridge_agent_peer_upstream(peer, parsed, ssl)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (state == NGX_HTTP_VOICEBRIDGE_PEER_PREPARING) {

        /* nobody has missed anything if this fails */

        r->upstream->peer.log_error = NGX_ERROR_INFO;
    }

    peer->state = state;
    peer->connection = NULL;
    peer->status = 0;
    peer->error = NULL;
    peer->failure = NULL;

    peer->event.handler = ngx_http_voicebridge_agent_peer_failed;
    peer->event.data = peer;
    peer->event.log = r->connection->log;

    (void) ngx_http_voicebridge_agent_peer_reinit_request(r);

    r->main->count++;

    ngx_http_upstream_init(r);

#if (NGX_HTTP_SSL)
    ngx_http_voicebridge_agent_session(peer);
#endif

    return NGX_OK;
}


void
ngx_http_voicebridge_agent_peer_close(ngx_http_voicebridge_agent_peer_t *peer)
{
    ngx_http_upstream_t  *u;

    if (peer->event.posted) {
        ngx_delete_posted_event(&peer->event);
    }

    if (peer->state == NGX_HTTP_VOICEBRIDGE_PEER_PREPARING
        || peer->state == NGX_HTTP_VOICEBRIDGE_PEER_CONNECTING
        || peer->state == NGX_HTTP_VOICEBRIDGE_PEER_OPEN)
    {
        u = peer->request->upstream;

        /* core finalizes with NGX_DONE, which lets go of the reference */

        if (u->cleanup) {
            (*u->cleanup)(peer->request);
        }
    }

    peer->state = NGX_HTTP_VOICEBRIDGE_PEER_NONE;
    peer->connection = NULL;
}


/* tells core where to connect, and how to call back */

static ngx_int_t
ngx_http_voicebridge_agent_peer_upstream(
    ngx_http_voicebridge_agent_peer_t *peer, ngx_url_t *parsed, ngx_uint_t ssl)
{
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = peer->request;
    u = r->upstream;

    u->resolved = ngx_pcalloc(r->pool, sizeof(ngx_http_upstream_resolved_t));
    if (u->resolved == NULL) {
        return NGX_ERROR;
    }

    u->resolved->host = parsed->host;
    u->resolved->port = parsed->port;
    u->resolved->no_port = parsed->no_port;

    if (parsed->addrs) {
        u->resolved->sockaddr = parsed->addrs[0].sockaddr;
        u->resolved->socklen = parsed->addrs[0].socklen;
        u->resolved->name = parsed->addrs[0].name;
        u->resolved->naddrs = 1;
    }

#if (NGX_HTTP_SSL)
    u->ssl = ssl;
#endif

    ngx_str_set(&u->schema, "http://");

    if (ssl) {
        ngx_str_set(&u->schema, "https://");
    }

    u->conf = peer->conf;
    u->output.tag = (ngx_buf_tag_t) &ngx_http_voicebridge_module;
    u->output.output_filter = ngx_http_voicebridge_agent_gate_output;
    u->output.filter_ctx = peer;

    u->create_request = ngx_http_voicebridge_agent_peer_create_request;
    u->reinit_request = ngx_http_voicebridge_agent_peer_reinit_request;
    u->process_header = ngx_http_voicebridge_agent_peer_process_header;
    u->abort_request = ngx_http_voicebridge_agent_peer_abort_request;
    u->finalize_request = ngx_http_voicebridge_agent_peer_finalize_request;
    u->input_filter_ctx = peer;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_agent_peer_create_request(ngx_http_request_t *r)
{
    ngx_chain_t                        *cl;
    ngx_http_voicebridge_agent_peer_t  *peer;

    peer = r->upstream->input_filter_ctx;

    if (peer->buf == NULL) {

        /* it is being prepared: the gate is given the request later */

        r->upstream->request_bufs = NULL;
        return NGX_OK;
    }

    cl = ngx_alloc_chain_link(r->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf = peer->buf;
    cl->next = NULL;

    r->upstream->request_bufs = cl;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_agent_peer_reinit_request(ngx_http_request_t *r)
{
    ngx_http_voicebridge_agent_peer_t  *peer;

    peer = r->upstream->input_filter_ctx;

    ngx_memzero(&peer->line, sizeof(ngx_http_status_t));

    peer->waiting = 0;
    peer->status_done = 0;
    peer->upgrade = 0;
    peer->connection_upgrade = 0;
    peer->accepted = 0;
    peer->extension = 0;

    r->state = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_agent_peer_process_header(ngx_http_request_t *r)
{
    ngx_int_t                           rc;
    ngx_http_upstream_t                *u;
    ngx_http_voicebridge_agent_peer_t  *peer;

    u = r->upstream;
    peer = u->input_filter_ctx;

    if (!peer->status_done) {
        rc = ngx_http_parse_status_line(r, &u->buffer, &peer->line);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc == NGX_ERROR) {
            peer->error = "answered with something that is not HTTP";
            return NGX_HTTP_UPSTREAM_INVALID_HEADER;
        }

        peer->status_done = 1;
        r->state = 0;
    }

    for ( ;; ) {
        rc = ngx_http_parse_header_line(r, &u->buffer, 1);

        if (rc == NGX_OK) {
            ngx_http_voicebridge_agent_peer_header(r, peer);
            continue;
        }

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc != NGX_HTTP_PARSE_HEADER_DONE) {
            peer->error = "sent an invalid header";
            return NGX_HTTP_UPSTREAM_INVALID_HEADER;
        }

        break;
    }

    if (ngx_http_voicebridge_agent_peer_check(r, peer) != NGX_OK) {
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    ngx_http_voicebridge_agent_peer_take_over(r, peer);

    return NGX_AGAIN;
}


static void
ngx_http_voicebridge_agent_peer_take_over(ngx_http_request_t *r,
    ngx_http_voicebridge_agent_peer_t *peer)
{
    ngx_connection_t     *c;
    ngx_http_upstream_t  *u;

    u = r->upstream;
    c = u->peer.connection;

    u->header_sent = 1;
    u->keepalive = 0;
    u->peer.tries = 0;
    u->state->status = NGX_HTTP_SWITCHING_PROTOCOLS;
    u->state->header_time = ngx_current_msec - u->start_time;

    u->read_event_handler = ngx_http_voicebridge_agent_peer_event;
    u->write_event_handler = ngx_http_voicebridge_agent_peer_event;

    ngx_http_voicebridge_agent_peer_settle(c);

    peer->preread.data = u->buffer.pos;
    peer->preread.len = u->buffer.last - u->buffer.pos;

    /* a buffer that looks full would be a header that is too big */

    u->buffer.pos = u->buffer.last = u->buffer.start;

    peer->connection = c;
    peer->state = NGX_HTTP_VOICEBRIDGE_PEER_OPEN;

    /*
     * Core reads once more when NGX_AGAIN is returned to it: that read must
     * find nothing, or it would take the first messages, or the peer's end,
     * for the header's.
     */

    peer->recv = c->recv;
    c->recv = ngx_http_voicebridge_agent_peer_recv_once;

    ngx_post_event(c->read, &ngx_posted_events);
}


/* a connection of requests and answers becomes one of frames */

static void
ngx_http_voicebridge_agent_peer_settle(ngx_connection_t *c)
{
    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        ngx_ssl_free_buffer(c);
        ngx_http_voicebridge_agent_session_open(c);
    }
#endif

    if (ngx_tcp_nodelay(c) != NGX_OK) {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, c->log, 0,
                       "voicebridge: no TCP_NODELAY");
    }

    c->log->action = "relaying a call";

    /* core tells idle connections when their worker is to exit */

    c->idle = 1;
}


static ssize_t
ngx_http_voicebridge_agent_peer_recv_once(ngx_connection_t *c, u_char *buf,
    size_t size)
{
    ngx_http_request_t                 *r;
    ngx_http_voicebridge_agent_peer_t  *peer;

    r = c->data;
    peer = r->upstream->input_filter_ctx;

    c->recv = peer->recv;

    return NGX_AGAIN;
}


static void
ngx_http_voicebridge_agent_peer_event(ngx_http_request_t *r,
    ngx_http_upstream_t *u)
{
    ngx_http_voicebridge_agent_peer_t  *peer;

    peer = u->input_filter_ctx;

    peer->handler(peer);
}


static void
ngx_http_voicebridge_agent_peer_abort_request(ngx_http_request_t *r)
{
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "abort voicebridge agent request");
}


static void
ngx_http_voicebridge_agent_peer_finalize_request(ngx_http_request_t *r,
    ngx_int_t rc)
{
    ngx_http_upstream_t                *u;
    ngx_http_voicebridge_agent_peer_t  *peer;

    u = r->upstream;
    peer = u->input_filter_ctx;

    if (peer->state == NGX_HTTP_VOICEBRIDGE_PEER_OPEN) {
        peer->state = NGX_HTTP_VOICEBRIDGE_PEER_NONE;

        if (peer->closing) {
            peer->closing(peer);
        }

        peer->connection = NULL;
        return;
    }

    if (rc == NGX_DONE) {
        return;
    }

    /*
     * The client has its 101 long since: core must not send it an error
     * page, only let go of its reference to the request.
     */

    u->header_sent = 1;

    if (peer->state == NGX_HTTP_VOICEBRIDGE_PEER_PREPARING) {
        peer->state = NGX_HTTP_VOICEBRIDGE_PEER_NONE;

    } else {
        ngx_http_voicebridge_agent_peer_reason(peer, rc);
        peer->state = NGX_HTTP_VOICEBRIDGE_PEER_FAILED;
    }

    ngx_post_event(&peer->event, &ngx_posted_events);
}


/* why core has given up, in words and in one */

static void
ngx_http_voicebridge_agent_peer_reason(ngx_http_voicebridge_agent_peer_t *peer,
    ngx_int_t rc)
{
    ngx_http_upstream_t  *u;

    u = peer->request->upstream;

    if (rc == NGX_HTTP_GATEWAY_TIME_OUT) {
        peer->error = "did not answer in time";
        peer->failure = "timeout";

    } else if (peer->error) {

        /* what it answered was wrong */

        peer->failure = peer->status >= 500 ? "5xx"
                        : peer->status >= 400 ? "4xx" : "handshake";

    } else if (u->peer.get == NULL) {

        /* of a second attempt there is a state already, and it says nothing */

        peer->error = "could not be resolved";
        peer->failure = "resolve";

    } else if (u->state && u->state->connect_time != (ngx_msec_t) -1) {
        peer->error = "did not complete the handshake";
        peer->failure = "handshake";

    } else {
        peer->error = "could not connect";
        peer->failure = "connect";

#if (NGX_HTTP_SSL)
        if (u->ssl && u->peer.connection && u->peer.connection->ssl) {
            peer->error = "TLS failed";
            peer->failure = "tls";
        }
#endif
    }
}


static void
ngx_http_voicebridge_agent_peer_failed(ngx_event_t *ev)
{
    ngx_connection_t                   *c;
    ngx_http_request_t                 *r;
    ngx_http_voicebridge_agent_peer_t  *peer;

    peer = ev->data;
    r = peer->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    peer->handler(peer);

    ngx_http_run_posted_requests(c);
}
