
/* The life of a call: states and events */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <ngx_http_voicebridge_call.h>
#include <ngx_http_voicebridge_time.h>


static ngx_http_voicebridge_call_t *ngx_http_voicebridge_call_create(
    ngx_http_request_t *r, ngx_http_voicebridge_ctx_t *ctx);
static ngx_int_t ngx_http_voicebridge_call_register(
    ngx_http_voicebridge_call_t *call);
static void ngx_http_voicebridge_call_callbacks(
    ngx_http_voicebridge_call_t *call);
static void ngx_http_voicebridge_call_take(ngx_http_voicebridge_call_t *call);
static void ngx_http_voicebridge_call_give_back(
    ngx_http_voicebridge_call_t *call);
static void ngx_http_voicebridge_call_phone_handler(ngx_event_t *ev);
static void ngx_http_voicebridge_call_handler(ngx_http_request_t *r);
static void ngx_http_voicebridge_call_peer_handler(
    ngx_http_voicebridge_agent_peer_t *peer);
static ngx_int_t ngx_http_voicebridge_call_flush_header(
    ngx_http_voicebridge_call_t *call);
static ngx_int_t ngx_http_voicebridge_call_wait(
    ngx_http_voicebridge_call_t *call, ngx_uint_t again);
static void ngx_http_voicebridge_call_finalize(
    ngx_http_voicebridge_call_t *call, ngx_int_t rc);
static void ngx_http_voicebridge_call_cleanup(void *data);


/*
 * The calls that are taken, in the order of the worker's connections: the way
 * through a request and its contexts is three lines of memory that audio needs
 * nothing of.
 */

static ngx_http_voicebridge_call_t  **ngx_http_voicebridge_calls;
static ngx_connection_t              *ngx_http_voicebridge_connections;

/* all there are, taken or not */
static ngx_queue_t                    ngx_http_voicebridge_all;


ngx_int_t
ngx_http_voicebridge_call_start(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, ngx_str_t auth_tokens[2],
    ngx_uint_t ntokens, ngx_http_voicebridge_twiml_pt twiml)
{
    ngx_connection_t             *c;
    ngx_http_voicebridge_call_t  *call;

    c = r->connection;

    call = ngx_http_voicebridge_call_create(r, ctx);
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->auth_tokens[0] = auth_tokens[0];
    call->auth_tokens[1] = auth_tokens[1];
    call->ntokens = ntokens;
    call->twiml = twiml;

    if (ngx_http_voicebridge_call_register(call) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_voicebridge_leg_init(&call->phone, c, 0,
                                  call->conf->max_stream_message_size);

    if (ngx_http_voicebridge_leg_preread(&call->phone, r->header_in->pos,
                                     r->header_in->last - r->header_in->pos)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->header_in->pos = r->header_in->last;

    ctx->call = call;
    ctx->stream = 1;
    ctx->first_audio = (ngx_msec_t) -1;

    r->main->count++;

    ngx_http_voicebridge_stats_begin(&call->stats, call->zone);
    ngx_http_voicebridge_report(call, NGX_HTTP_VOICEBRIDGE_STEP_NONE, 0);

    ngx_http_voicebridge_call_set_handlers(call);

    if (!r->buffered && !c->buffered) {
        ngx_http_voicebridge_call_take(call);
    }

    ngx_http_voicebridge_call_arm(call);

    /* what came with the handshake makes no event of its own */

    ngx_post_event(c->read, &ngx_posted_events);

    return NGX_OK;
}


static ngx_http_voicebridge_call_t *
ngx_http_voicebridge_call_create(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx)
{
    ngx_http_voicebridge_call_t       *call;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    call = ngx_pmemalign(r->pool, sizeof(ngx_http_voicebridge_call_t),
                         NGX_CPU_CACHE_LINE);
    if (call == NULL) {
        return NULL;
    }

    ngx_memzero(call, sizeof(ngx_http_voicebridge_call_t));

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);

    call->request = r;
    call->ctx = ctx;
    call->conf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);
    call->bank = vmcf->bank;
    call->zone = vmcf->zone;
    call->interrupted = -1;
    call->started = ngx_http_voicebridge_now();
    call->accepted = ngx_current_msec;
    call->played = ngx_current_msec;
    call->relay.left = NGX_HTTP_VOICEBRIDGE_RELAY_EVERY;

    ngx_http_voicebridge_call_callbacks(call);

    return call;
}


/* from now on it is one of the worker's, until its request is cleaned up */

static ngx_int_t
ngx_http_voicebridge_call_register(ngx_http_voicebridge_call_t *call)
{
    ngx_http_cleanup_t  *cln;

    cln = ngx_http_cleanup_add(call->request, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_voicebridge_call_cleanup;
    cln->data = call;

    if (ngx_http_voicebridge_all.next == NULL) {
        ngx_queue_init(&ngx_http_voicebridge_all);
    }

    ngx_queue_insert_tail(&ngx_http_voicebridge_all, &call->queue);

    return NGX_OK;
}


static void
ngx_http_voicebridge_call_callbacks(ngx_http_voicebridge_call_t *call)
{
    call->ident.data = call;
    call->ident.fd = (ngx_socket_t) -1;

    call->timer.handler = ngx_http_voicebridge_call_timer_handler;
    call->timer.data = &call->ident;
    call->timer.log = ngx_http_voicebridge_call_log(call);

    call->peer.request = call->request;
    call->peer.conf = &call->conf->upstream;
    call->peer.handler = ngx_http_voicebridge_call_peer_handler;
    call->peer.closing = ngx_http_voicebridge_agent_closing;
    call->peer.data = call;
}


void
ngx_http_voicebridge_call_set_handlers(ngx_http_voicebridge_call_t *call)
{
    call->request->read_event_handler = ngx_http_voicebridge_call_handler;
    call->request->write_event_handler = ngx_http_voicebridge_call_handler;
    call->request->connection->log->action = "relaying a call";
}


/*
 * Once the 101 has left, core has no business with the connection until the
 * call is over: its events come right here.  Core's buffer of 16 KiB, made
 * for the 101, can go, ours are shared.
 */

static void
ngx_http_voicebridge_call_take(ngx_http_voicebridge_call_t *call)
{
    ngx_connection_t  *c;

    if (ngx_http_voicebridge_calls == NULL) {

        ngx_http_voicebridge_calls = ngx_pcalloc(ngx_cycle->pool,
                                       ngx_cycle->connection_n
                                       * sizeof(ngx_http_voicebridge_call_t *));

        if (ngx_http_voicebridge_calls == NULL) {
            return;
        }

        ngx_http_voicebridge_connections = ngx_cycle->connections;
    }

    c = call->request->connection;

    ngx_http_voicebridge_calls[c - ngx_http_voicebridge_connections] = call;

    call->handlers[0] = c->read->handler;
    call->handlers[1] = c->write->handler;
    call->taken = 1;

    c->read->handler = ngx_http_voicebridge_call_phone_handler;
    c->write->handler = ngx_http_voicebridge_call_phone_handler;

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        ngx_ssl_free_buffer(c);
    }
#endif
}


static void
ngx_http_voicebridge_call_give_back(ngx_http_voicebridge_call_t *call)
{
    ngx_connection_t  *c;

    if (!call->taken) {
        return;
    }

    c = call->request->connection;

    call->taken = 0;

    c->read->handler = call->handlers[0];
    c->write->handler = call->handlers[1];
}


ngx_int_t
ngx_http_voicebridge_call_pump(ngx_http_voicebridge_call_t *call)
{
    ngx_int_t   rc;
    ngx_uint_t  again;

    if (call->state == NGX_HTTP_VOICEBRIDGE_DONE || call->pumping) {
        return NGX_OK;
    }

    if (!call->taken) {
        rc = ngx_http_voicebridge_call_flush_header(call);

        if (rc != NGX_OK) {
            return rc == NGX_AGAIN ? NGX_OK : NGX_DONE;
        }
    }

    call->pumping = 1;

    ngx_http_voicebridge_relay_begin(call);

    again = ngx_http_voicebridge_call_move(call);

    ngx_http_voicebridge_end_step(call);
    (void) ngx_http_voicebridge_call_flush(call);

    ngx_http_voicebridge_relay_end(call);

    call->pumping = 0;

    if (ngx_http_voicebridge_end_reached(call)) {
        ngx_http_voicebridge_end_account(call);
        ngx_http_voicebridge_agent_peer_close(&call->peer);

        /* unread bytes behind a violation must not cost the Close frame */

        call->request->lingering_close = call->cause
                                   == NGX_HTTP_VOICEBRIDGE_END_PHONE_PROTOCOL;

        ngx_http_voicebridge_call_finalize(call, call->phone.eof ? NGX_ERROR
                                                                 : NGX_OK);
        return NGX_DONE;
    }

    return ngx_http_voicebridge_call_wait(call, again);
}


static void
ngx_http_voicebridge_call_phone_handler(ngx_event_t *ev)
{
    ngx_connection_t             *c;
    ngx_http_voicebridge_call_t  *call;

    c = ev->data;
    call = ngx_http_voicebridge_calls[c - ngx_http_voicebridge_connections];

    if (ngx_exiting && c->close) {

        /* worker_shutdown_timeout is over: core ends the request */

        ngx_http_voicebridge_call_give_back(call);
        ev->handler(ev);
        return;
    }

    ngx_http_voicebridge_leg_wake(&call->phone);

    if (ev->write) {
        call->phone.settled = 0;
    }

    if (ngx_http_voicebridge_call_pump(call) == NGX_DONE) {
        ngx_http_run_posted_requests(c);
    }
}


/* before the 101 has left, and after the call */

static void
ngx_http_voicebridge_call_handler(ngx_http_request_t *r)
{
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_voicebridge_module);

    if (ctx->call) {
        (void) ngx_http_voicebridge_call_pump(ctx->call);
    }
}


static void
ngx_http_voicebridge_call_peer_handler(ngx_http_voicebridge_agent_peer_t *peer)
{
    ngx_http_voicebridge_call_t  *call;

    call = peer->data;

    if (call->state == NGX_HTTP_VOICEBRIDGE_DONE) {
        return;
    }

    if (peer->state == NGX_HTTP_VOICEBRIDGE_PEER_FAILED
        || (peer->state == NGX_HTTP_VOICEBRIDGE_PEER_OPEN
            && call->agent.connection == NULL))
    {
        ngx_http_voicebridge_agent_opened(call);

    } else if (peer->state == NGX_HTTP_VOICEBRIDGE_PEER_NONE) {

        ngx_http_voicebridge_call_set_handlers(call);

        ngx_log_error(NGX_LOG_INFO, ngx_http_voicebridge_call_log(call), 0,
                      "call %V: the agent's connection was lost before there "
                      "was a URL for it, it is opened again when there is",
                      &call->ctx->call_sid);

    } else if (peer->connection && peer->connection->close) {
        ngx_http_voicebridge_call_exiting(call, peer->connection);
    }

    ngx_http_voicebridge_leg_wake(&call->agent);
    call->agent.settled = 0;

    (void) ngx_http_voicebridge_call_pump(call);
}


/*
 * The 101 goes through core's filters; nothing of ours may pass it.  NGX_OK,
 * or NGX_AGAIN or NGX_DONE: come back later, or never.
 */

static ngx_int_t
ngx_http_voicebridge_call_flush_header(ngx_http_voicebridge_call_t *call)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = call->request;
    c = r->connection;

    if (!r->buffered && !c->buffered) {
        return NGX_OK;
    }

    if (ngx_http_output_filter(r, NULL) == NGX_ERROR) {
        call->phone.eof = 1;
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_CALLER_LOST,
                                 NULL);
        ngx_http_voicebridge_call_finalize(call, NGX_ERROR);
        return NGX_DONE;
    }

    if (r->buffered || c->buffered) {

        if (ngx_http_voicebridge_end_reached(call)) {
            ngx_http_voicebridge_call_finalize(call, NGX_ERROR);
            return NGX_DONE;
        }

        return ngx_http_voicebridge_call_wait(call, 0) == NGX_OK ? NGX_AGAIN
                                                                 : NGX_DONE;
    }

    ngx_http_voicebridge_call_take(call);

    return NGX_OK;
}


/* NGX_OK or NGX_DONE, as the pump */

static ngx_int_t
ngx_http_voicebridge_call_wait(ngx_http_voicebridge_call_t *call,
    ngx_uint_t again)
{
    call->agent.held = call->speech.len != 0;

    ngx_http_voicebridge_leg_release(&call->phone);
    ngx_http_voicebridge_leg_release(&call->agent);

    if (ngx_http_voicebridge_leg_wait(&call->phone) != NGX_OK
        || ngx_http_voicebridge_leg_wait(&call->agent) != NGX_OK)
    {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR,
                                 "no events for a connection");
        ngx_http_voicebridge_call_finalize(call, NGX_ERROR);
        return NGX_DONE;
    }

    ngx_http_voicebridge_call_arm(call);

    if (again) {
        ngx_post_event(call->request->connection->read,
                       &ngx_posted_next_events);
    }

    return NGX_OK;
}


static void
ngx_http_voicebridge_call_finalize(ngx_http_voicebridge_call_t *call,
    ngx_int_t rc)
{
    call->state = NGX_HTTP_VOICEBRIDGE_DONE;

    ngx_http_voicebridge_call_give_back(call);
    ngx_http_finalize_request(call->request, rc);
}


/* whatever ends the request, this runs once, before it is logged */

static void
ngx_http_voicebridge_call_cleanup(void *data)
{
    ngx_http_voicebridge_call_t  *call = data;

    if (call->cause == NGX_HTTP_VOICEBRIDGE_END_NONE) {

        /* core ends the request over our heads: say good-bye all the same */

        ngx_http_voicebridge_end(call, ngx_exiting || ngx_terminate
                                     ? NGX_HTTP_VOICEBRIDGE_END_SHUTDOWN
                                     : NGX_HTTP_VOICEBRIDGE_END_CALLER_LOST,
                                 NULL);
        (void) ngx_http_voicebridge_call_flush(call);
    }

    if (!call->accounted) {
        ngx_http_voicebridge_end_account(call);
    }

    call->state = NGX_HTTP_VOICEBRIDGE_DONE;

    ngx_queue_remove(&call->queue);
    ngx_http_voicebridge_call_give_back(call);

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    if (call->fetch) {
        call->fetch->handler = NULL;
        call->fetch = NULL;
    }

    ngx_http_voicebridge_agent_peer_close(&call->peer);

    ngx_http_voicebridge_leg_free(&call->agent);
    ngx_http_voicebridge_leg_free(&call->phone);

    if (call->early) {
        ngx_free(call->early);
        call->early = NULL;
    }

    call->ctx->call = NULL;
}


void
ngx_http_voicebridge_call_exit_process(ngx_cycle_t *cycle)
{
    ngx_queue_t                  *q;
    ngx_connection_t             *c;
    ngx_http_voicebridge_call_t  *call;

    if (ngx_http_voicebridge_all.next == NULL) {
        return;
    }

    while (!ngx_queue_empty(&ngx_http_voicebridge_all)) {

        q = ngx_queue_head(&ngx_http_voicebridge_all);
        call = ngx_queue_data(q, ngx_http_voicebridge_call_t, queue);
        c = call->request->connection;

        /* whatever becomes of the request, this one had its turn */

        ngx_queue_remove(q);
        ngx_queue_init(q);

        ngx_http_set_log_request(c->log, call->request);

        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_SHUTDOWN,
                                 NULL);

        /* a socket that is closed with something to read in it is reset */

        if (ngx_http_voicebridge_call_pump(call) == NGX_OK) {
            ngx_http_voicebridge_call_finalize(call, NGX_ERROR);
        }

        ngx_http_run_posted_requests(c);
    }
}
