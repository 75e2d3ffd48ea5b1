
/*
 * TLS sessions with agents, so that the next call's handshake is shorter.
 * Core keeps them with the servers of an upstream block; a host whose name is
 * resolved for each call, as that of a signed URL, has no such place.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <ngx_http_voicebridge_agent_peer.h>


#if (NGX_HTTP_SSL)


/* hosts that a location of a worker remembers; the oldest makes room */
#define NGX_HTTP_VOICEBRIDGE_SESSIONS      8

/* the longest name, RFC 1035 section 2.3.4 */
#define NGX_HTTP_VOICEBRIDGE_SESSION_HOST  255


typedef struct {
    ngx_ssl_session_t               *session;  /* NULL: free */
    in_port_t                        port;
    size_t                           len;
    u_char                           host[NGX_HTTP_VOICEBRIDGE_SESSION_HOST];
} ngx_http_voicebridge_session_t;


struct ngx_http_voicebridge_sessions_s {
    ngx_uint_t                       next;     /* to be taken or replaced */
    ngx_http_voicebridge_session_t   hosts[NGX_HTTP_VOICEBRIDGE_SESSIONS];
};


static void ngx_http_voicebridge_agent_session_resolved(
    ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_http_voicebridge_agent_session_set(
    ngx_peer_connection_t *pc, void *data);
static void ngx_http_voicebridge_agent_session_save(ngx_peer_connection_t *pc,
    void *data);
static ngx_http_voicebridge_sessions_t *ngx_http_voicebridge_agent_session_all(
    ngx_peer_connection_t *pc);
static ngx_http_voicebridge_session_t *ngx_http_voicebridge_agent_session_find(
    ngx_peer_connection_t *pc);
static void ngx_http_voicebridge_agent_session_late(ngx_connection_t *c);
static void ngx_http_voicebridge_agent_session_cleanup(void *data);


/*
 * Memory of the configuration, as that of core's peers: each worker writes to
 * a copy of its own.
 */

ngx_http_voicebridge_sessions_t *
ngx_http_voicebridge_agent_session_create(ngx_conf_t *cf)
{
    ngx_pool_cleanup_t               *cln;
    ngx_http_voicebridge_sessions_t  *sessions;

    sessions = ngx_pcalloc(cf->pool, sizeof(ngx_http_voicebridge_sessions_t));
    if (sessions == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_voicebridge_agent_session_cleanup;
    cln->data = sessions;

    return sessions;
}


void
ngx_http_voicebridge_agent_session(ngx_http_voicebridge_agent_peer_t *peer)
{
    ngx_resolver_ctx_t   *ctx;
    ngx_http_upstream_t  *u;

    u = peer->request->upstream;
    ctx = u->resolved->ctx;

    if (ctx) {

        /* core makes its peers, and connects, once the name is resolved */

        peer->resolved = ctx->handler;
        ctx->handler = ngx_http_voicebridge_agent_session_resolved;

        return;
    }

    /* the servers of an upstream block have theirs */

    if (u->upstream == NULL) {
        u->peer.set_session = ngx_http_voicebridge_agent_session_set;
        u->peer.save_session = ngx_http_voicebridge_agent_session_save;
    }
}


static void
ngx_http_voicebridge_agent_session_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_http_request_t                 *r;
    ngx_http_voicebridge_agent_peer_t  *peer;

    r = ctx->data;
    peer = r->upstream->input_filter_ctx;

    /* whatever becomes of it, the call has a reference to the request */

    peer->resolved(ctx);

    ngx_http_voicebridge_agent_session(peer);
}


static ngx_int_t
ngx_http_voicebridge_agent_session_set(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_voicebridge_session_t  *host;

    host = ngx_http_voicebridge_agent_session_find(pc);

    return ngx_ssl_set_session(pc->connection, host ? host->session : NULL);
}


static void
ngx_http_voicebridge_agent_session_save(ngx_peer_connection_t *pc, void *data)
{
    ngx_ssl_session_t                *session;
    ngx_http_request_t               *r;
    ngx_http_upstream_resolved_t     *resolved;
    ngx_http_voicebridge_session_t   *host;
    ngx_http_voicebridge_sessions_t  *sessions;

    r = pc->connection->data;
    resolved = r->upstream->resolved;

    if (resolved->host.len > NGX_HTTP_VOICEBRIDGE_SESSION_HOST) {
        return;
    }

    session = ngx_ssl_get_session(pc->connection);
    if (session == NULL) {
        return;
    }

    host = ngx_http_voicebridge_agent_session_find(pc);

    if (host == NULL) {
        sessions = ngx_http_voicebridge_agent_session_all(pc);

        host = &sessions->hosts[sessions->next++
                                % NGX_HTTP_VOICEBRIDGE_SESSIONS];

        host->port = resolved->port;
        host->len = resolved->host.len;
        ngx_memcpy(host->host, resolved->host.data, host->len);
    }

    if (host->session) {
        ngx_ssl_free_session(host->session);
    }

    host->session = session;
}


/* a location's own: its trust was asked for when the session was made */

static ngx_http_voicebridge_sessions_t *
ngx_http_voicebridge_agent_session_all(ngx_peer_connection_t *pc)
{
    ngx_http_voicebridge_loc_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf((ngx_http_request_t *)
                                        pc->connection->data,
                                        ngx_http_voicebridge_module);
    return conf->sessions;
}


static ngx_http_voicebridge_session_t *
ngx_http_voicebridge_agent_session_find(ngx_peer_connection_t *pc)
{
    ngx_str_t                        *name;
    ngx_uint_t                        i;
    ngx_http_request_t               *r;
    ngx_http_upstream_resolved_t     *resolved;
    ngx_http_voicebridge_session_t   *host;
    ngx_http_voicebridge_sessions_t  *sessions;

    r = pc->connection->data;
    resolved = r->upstream->resolved;
    name = &resolved->host;

    sessions = ngx_http_voicebridge_agent_session_all(pc);

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_SESSIONS; i++) {
        host = &sessions->hosts[i];

        if (host->session
            && host->port == resolved->port
            && host->len == name->len
            && ngx_strncasecmp(host->host, name->data, name->len) == 0)
        {
            return host;
        }
    }

    return NULL;
}


/*
 * A server may give a session at any time (RFC 8446 section 4.6.1).  Core
 * takes an idle connection, as the agent's claims to be, for one that no
 * request has any more, and would not save it.
 */

void
ngx_http_voicebridge_agent_session_open(ngx_connection_t *c)
{
    if (c->ssl && c->ssl->save_session) {
        c->ssl->save_session = ngx_http_voicebridge_agent_session_late;
    }
}


static void
ngx_http_voicebridge_agent_session_late(ngx_connection_t *c)
{
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = c->data;
    u = r->upstream;

    u->peer.save_session(&u->peer, u->peer.data);
}


static void
ngx_http_voicebridge_agent_session_cleanup(void *data)
{
    ngx_http_voicebridge_sessions_t *sessions = data;

    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_SESSIONS; i++) {
        if (sessions->hosts[i].session) {
            ngx_ssl_free_session(sessions->hosts[i].session);
        }
    }
}


#endif
