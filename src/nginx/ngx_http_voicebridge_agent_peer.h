
/*
 * The opening of a WebSocket to a server through nginx's upstream: balanced,
 * resolved, verified, retried by core; taken over once the 101 is checked.
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_AGENT_PEER_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_AGENT_PEER_H_INCLUDED_


#include <ngx_http_voicebridge.h>
#include <vb_websocket.h>


typedef struct ngx_http_voicebridge_agent_peer_s
                                              ngx_http_voicebridge_agent_peer_t;

typedef void (*ngx_http_voicebridge_agent_peer_pt)(
    ngx_http_voicebridge_agent_peer_t *peer);

typedef enum {
    NGX_HTTP_VOICEBRIDGE_PEER_NONE = 0,
    NGX_HTTP_VOICEBRIDGE_PEER_PREPARING,
    NGX_HTTP_VOICEBRIDGE_PEER_CONNECTING,
    NGX_HTTP_VOICEBRIDGE_PEER_OPEN,
    NGX_HTTP_VOICEBRIDGE_PEER_FAILED
} ngx_http_voicebridge_peer_state_t;


struct ngx_http_voicebridge_agent_peer_s {
    ngx_http_request_t                 *request;
    ngx_http_upstream_conf_t           *conf;

    /* called when the peer has opened or failed, or one that was prepared is
     * lost (NONE again), and then for each event of an open peer's connection;
     * from the event loop, never from within connect() or prepare() */
    ngx_http_voicebridge_agent_peer_pt  handler;

    /* called right before an open peer's socket is closed, whoever closes */
    ngx_http_voicebridge_agent_peer_pt  closing;
    void                               *data;

    ngx_http_voicebridge_peer_state_t   state;
    ngx_connection_t                   *connection;  /* when open */
    ngx_str_t                           preread;     /* came with the 101 */
    ngx_uint_t                          status;      /* when failed: the HTTP
                                                        status, or 0 */
    const char                         *error;       /* plain words */
    const char                         *failure;     /* one word, as that of
                                                        a fetch; or
                                                        handshake */

    ngx_event_t                         event;
    ngx_resolver_handler_pt             resolved;    /* core's */
    ngx_recv_pt                         recv;
    ngx_http_upstream_handler_pt        read;        /* core's, while the
                                                        gate waits */
    ngx_http_status_t                   line;
    ngx_buf_t                          *buf;         /* the request, or NULL
                                                        while there is none */
    unsigned                            waiting:1;   /* connected, for the
                                                        request */
    unsigned                            status_done:1;
    unsigned                            upgrade:1;
    unsigned                            connection_upgrade:1;
    unsigned                            accepted:1;
    unsigned                            extension:1;
    u_char                              accept[VB_WS_ACCEPT_LENGTH];
};


/*
 * Opens a WebSocket to url (ws, wss, http or https; host, port, path and
 * query) with one more header line where header is not empty.  Everything
 * comes from the request's pool.  NGX_OK: handler will be called;
 * NGX_DECLINED: url is not usable; NGX_ERROR: no memory.  The peer holds a
 * reference of its own to the request until it is closed or has failed.  A
 * peer that was prepared for the same scheme, host and port is made use of,
 * however far it has come; any other one is closed.
 */
ngx_int_t ngx_http_voicebridge_agent_peer_connect(
    ngx_http_voicebridge_agent_peer_t *peer, ngx_str_t *url,
    ngx_str_t *header);

/*
 * Resolves the host of url, connects, does TLS, and then waits for connect()
 * without having sent anything.  It is only an attempt: when it fails, at once
 * or later, the state is NONE again and connect() begins anew.  A peer that
 * is being prepared already stays as it is.  The request's event handlers have
 * to be set again, as after connect().
 */
void ngx_http_voicebridge_agent_peer_prepare(
    ngx_http_voicebridge_agent_peer_t *peer, ngx_str_t *url);

/*
 * Closes or gives up, in any state; handler is not called any more.  The
 * request's event handlers have to be set again: core takes them away.
 */
void ngx_http_voicebridge_agent_peer_close(
    ngx_http_voicebridge_agent_peer_t *peer);


/*
 * The handshake itself, in agent_handshake.c: takes a URL apart (NGX_OK, or
 * NGX_DECLINED where it is not usable); makes the request for u with one more
 * header line where header is not empty (NGX_OK or NGX_ERROR); takes a header
 * line of the answer that core has just parsed; says whether the answer is a
 * good 101, else peer->error and peer->status why not.
 */
ngx_int_t ngx_http_voicebridge_agent_peer_url(ngx_http_request_t *r,
    ngx_url_t *u, ngx_str_t *url, ngx_uint_t *ssl);
ngx_int_t ngx_http_voicebridge_agent_peer_request(
    ngx_http_voicebridge_agent_peer_t *peer, ngx_url_t *u, ngx_str_t *header);
void ngx_http_voicebridge_agent_peer_header(ngx_http_request_t *r,
    ngx_http_voicebridge_agent_peer_t *peer);
ngx_int_t ngx_http_voicebridge_agent_peer_check(ngx_http_request_t *r,
    ngx_http_voicebridge_agent_peer_t *peer);


/*
 * The gate before which a prepared peer waits, in agent_gate.c: what core
 * sends goes through output(), data is the peer.  fits() says whether a
 * prepared peer's connection leads to u, with TLS or not; open() gives it the
 * request and lets it go on (NGX_OK, or NGX_ERROR without memory).
 */
ngx_int_t ngx_http_voicebridge_agent_gate_output(void *data, ngx_chain_t *in);
ngx_uint_t ngx_http_voicebridge_agent_gate_fits(
    ngx_http_voicebridge_agent_peer_t *peer, ngx_url_t *u, ngx_uint_t ssl);
ngx_int_t ngx_http_voicebridge_agent_gate_open(
    ngx_http_voicebridge_agent_peer_t *peer);


#if (NGX_HTTP_SSL)

/*
 * TLS sessions, in agent_session.c, are kept for each host of a location, at
 * most 8, in each worker: what keeps them, from cf->pool, or NULL without
 * memory.
 */
ngx_http_voicebridge_sessions_t *ngx_http_voicebridge_agent_session_create(
    ngx_conf_t *cf);

/* right after ngx_http_upstream_init(): has a session taken up and kept */
void ngx_http_voicebridge_agent_session(
    ngx_http_voicebridge_agent_peer_t *peer);

/* an open peer's sessions are kept as well, whenever they come */
void ngx_http_voicebridge_agent_session_open(ngx_connection_t *c);

#endif


#endif /* _NGX_HTTP_VOICEBRIDGE_AGENT_PEER_H_INCLUDED_ */
