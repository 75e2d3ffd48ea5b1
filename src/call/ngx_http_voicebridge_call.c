
/* The life of a call: states and events */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <ngx_http_voicebridge_call.h>
#include <ngx_http_voicebridge_time.h>


static void ngx_http_voicebridge_call_callbacks(
    ngx_http_voicebridge_call_t *call);
static void ngx_http_voicebridge_call_handler(ngx_http_request_t *r);
static void ngx_http_voicebridge_call_peer_handler(
    ngx_http_voicebridge_agent_peer_t *peer);
static ngx_int_t ngx_http_voicebridge_call_flush_header(
    ngx_http_voicebridge_call_t *call);
static void ngx_http_voicebridge_call_free_buffer(ngx_connection_t *c);
static void ngx_http_voicebridge_call_wait(ngx_http_voicebridge_call_t *call,
    ngx_uint_t again);
static void ngx_http_voicebridge_call_cleanup(void *data);


ngx_int_t
ngx_http_voicebridge_call_start(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, ngx_str_t auth_tokens[2],
    ngx_uint_t ntokens, ngx_http_voicebridge_twiml_pt twiml)
{
    ngx_connection_t                  *c;
    ngx_http_cleanup_t                *cln;
    ngx_http_voicebridge_call_t       *call;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    c = r->connection;

    call = ngx_pcalloc(r->pool, sizeof(ngx_http_voicebridge_call_t));
    if (call == NULL) {
        return NGX_ERROR;
    }

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);

    call->request = r;
    call->ctx = ctx;
    call->conf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);
    call->bank = vmcf->bank;
    call->zone = vmcf->zone;
    call->auth_tokens[0] = auth_tokens[0];
    call->auth_tokens[1] = auth_tokens[1];
    call->ntokens = ntokens;
    call->twiml = twiml;
    call->interrupted = -1;
    call->started = ngx_http_voicebridge_now();
    call->accepted = ngx_current_msec;
    call->played = ngx_current_msec;
    call->relay.left = NGX_HTTP_VOICEBRIDGE_RELAY_EVERY;

    ngx_http_voicebridge_call_callbacks(call);

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_voicebridge_call_cleanup;
    cln->data = call;

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

    if (!r->buffered && !c->buffered) {
        ngx_http_voicebridge_call_free_buffer(c);
    }

    ngx_http_voicebridge_stats_begin(&call->stats, call->zone);
    ngx_http_voicebridge_report(call, NGX_HTTP_VOICEBRIDGE_STEP_NONE, 0);

    ngx_http_voicebridge_call_set_handlers(call);
    ngx_http_voicebridge_call_arm(call);

    /* what came with the handshake makes no event of its own */

    ngx_post_event(c->read, &ngx_posted_events);

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


void
ngx_http_voicebridge_call_pump(ngx_http_voicebridge_call_t *call)
{
    ngx_uint_t           again;
    ngx_http_request_t  *r;

    if (call->state == NGX_HTTP_VOICEBRIDGE_DONE || call->pumping) {
        return;
    }

    r = call->request;

    if (ngx_http_voicebridge_call_flush_header(call) != NGX_OK) {
        return;
    }

    call->pumping = 1;

    ngx_http_voicebridge_relay_begin(call);

    again = ngx_http_voicebridge_call_move(call);

    ngx_http_voicebridge_end_step(call);
    (void) ngx_http_voicebridge_call_flush(call);

    ngx_http_voicebridge_relay_end(call);

    call->pumping = 0;

    if (ngx_http_voicebridge_end_reached(call)) {
        call->state = NGX_HTTP_VOICEBRIDGE_DONE;

        ngx_http_voicebridge_end_account(call);
        ngx_http_voicebridge_agent_peer_close(&call->peer);

        /* unread bytes behind a violation must not cost the Close frame */

        r->lingering_close = call->cause
                             == NGX_HTTP_VOICEBRIDGE_END_PHONE_PROTOCOL;

        ngx_http_finalize_request(r, call->phone.eof ? NGX_ERROR : NGX_OK);
        return;
    }

    ngx_http_voicebridge_call_wait(call, again);
}


static void
ngx_http_voicebridge_call_handler(ngx_http_request_t *r)
{
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_voicebridge_module);

    if (ctx->call) {
        ngx_http_voicebridge_call_pump(ctx->call);
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

    } else if (peer->connection && peer->connection->close) {
        ngx_http_voicebridge_call_exiting(call, peer->connection);
    }

    ngx_http_voicebridge_call_pump(call);
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
        call->state = NGX_HTTP_VOICEBRIDGE_DONE;
        ngx_http_finalize_request(r, NGX_ERROR);
        return NGX_DONE;
    }

    if (r->buffered || c->buffered) {

        if (ngx_http_voicebridge_end_reached(call)) {
            call->state = NGX_HTTP_VOICEBRIDGE_DONE;
            ngx_http_finalize_request(r, NGX_ERROR);
            return NGX_DONE;
        }

        ngx_http_voicebridge_call_wait(call, 0);
        return NGX_AGAIN;
    }

    ngx_http_voicebridge_call_free_buffer(c);

    return NGX_OK;
}


/* of 16 KiB, which core made for the 101: ours are shared */

static void
ngx_http_voicebridge_call_free_buffer(ngx_connection_t *c)
{
#if (NGX_HTTP_SSL)
    if (c->ssl) {
        ngx_ssl_free_buffer(c);
    }
#endif
}


static void
ngx_http_voicebridge_call_wait(ngx_http_voicebridge_call_t *call,
    ngx_uint_t again)
{
    ngx_http_request_t  *r;

    r = call->request;

    call->agent.held = call->speech.len != 0;

    ngx_http_voicebridge_leg_release(&call->phone);
    ngx_http_voicebridge_leg_release(&call->agent);

    if (ngx_http_voicebridge_leg_wait(&call->phone) != NGX_OK
        || ngx_http_voicebridge_leg_wait(&call->agent) != NGX_OK)
    {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR,
                                 "no events for a connection");
        call->state = NGX_HTTP_VOICEBRIDGE_DONE;
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    ngx_http_voicebridge_call_arm(call);

    if (again) {
        ngx_post_event(r->connection->read, &ngx_posted_next_events);
    }
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
