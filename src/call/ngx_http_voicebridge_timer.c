
/* The deadlines of a call */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <ngx_http_voicebridge_call.h>


#define ngx_http_voicebridge_left(moment)                                     \
    ((ngx_msec_int_t) ((moment) - ngx_current_msec))

#define ngx_http_voicebridge_over(moment)                                     \
    (ngx_http_voicebridge_left(moment) <= 0)

#define ngx_http_voicebridge_sooner(left, moment)                             \
    ngx_min(left, ngx_http_voicebridge_left(moment))


static ngx_msec_int_t ngx_http_voicebridge_call_left(
    ngx_http_voicebridge_call_t *call);
static ngx_msec_int_t ngx_http_voicebridge_call_agent_left(
    ngx_http_voicebridge_call_t *call);
static void ngx_http_voicebridge_call_deadlines(
    ngx_http_voicebridge_call_t *call);
static void ngx_http_voicebridge_call_agent_deadlines(
    ngx_http_voicebridge_call_t *call);
static void ngx_http_voicebridge_call_agent_alive(
    ngx_http_voicebridge_call_t *call);


void
ngx_http_voicebridge_call_timer_handler(ngx_event_t *ev)
{
    ngx_connection_t              *c;
    ngx_http_request_t            *r;
    ngx_http_voicebridge_call_t   *call;
    ngx_http_voicebridge_ident_t  *ident;

    ident = ev->data;
    call = ident->data;
    r = call->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ev->timedout = 0;

    call->calm = 0;

    ngx_http_voicebridge_leg_wake(&call->phone);
    ngx_http_voicebridge_leg_wake(&call->agent);

    ngx_http_voicebridge_call_deadlines(call);
    (void) ngx_http_voicebridge_call_pump(call);

    ngx_http_run_posted_requests(c);
}


void
ngx_http_voicebridge_call_arm(ngx_http_voicebridge_call_t *call)
{
    ngx_uint_t      calm;
    ngx_msec_int_t  left;

    /* while audio flows the deadlines only move away */

    calm = call->state == NGX_HTTP_VOICEBRIDGE_LIVE
           && !call->exiting && !call->agent_closing
           && call->early_pos == call->early_last
           && ngx_http_voicebridge_leg_queued(&call->agent) == 0;

    if (calm && call->calm) {
        return;
    }

    call->calm = calm;

    left = ngx_http_voicebridge_call_left(call);
    left = ngx_max(left, 1);

    /* a timer that fires too early finds nothing to do and is set again */

    if (call->timer.timer_set) {
        if (ngx_http_voicebridge_left(call->timer.timer.key) <= left) {
            return;
        }

        ngx_del_timer(&call->timer);
    }

    ngx_add_timer(&call->timer, (ngx_msec_t) left);
}


/* until the next deadline */

static ngx_msec_int_t
ngx_http_voicebridge_call_left(ngx_http_voicebridge_call_t *call)
{
    ngx_msec_int_t  left;

    switch (call->state) {

    case NGX_HTTP_VOICEBRIDGE_ACCEPTED:
        left = ngx_http_voicebridge_left(call->accepted
                                         + call->conf->start_timeout);
        break;

    case NGX_HTTP_VOICEBRIDGE_CONNECTING:
    case NGX_HTTP_VOICEBRIDGE_INITIATED:
        left = ngx_http_voicebridge_left(call->connecting
                                         + call->conf->connect_timeout);
        break;

    case NGX_HTTP_VOICEBRIDGE_LIVE:
        left = ngx_http_voicebridge_call_agent_left(call);
        break;

    default:
        left = ngx_http_voicebridge_left(call->deadline);
    }

    if (call->state > NGX_HTTP_VOICEBRIDGE_ACCEPTED
        && call->state < NGX_HTTP_VOICEBRIDGE_DRAINING)
    {
        left = ngx_http_voicebridge_sooner(left, call->phone.last_read
                                                 + call->conf->stream_timeout);
        left = ngx_http_voicebridge_sooner(left, call->accepted
                                              + call->conf->max_call_duration);
    }

    if (call->agent_closing) {
        left = ngx_http_voicebridge_sooner(left, call->agent_deadline);
    }

    return left;
}


/* what a live call expects of its agent, or has to do with it */

static ngx_msec_int_t
ngx_http_voicebridge_call_agent_left(ngx_http_voicebridge_call_t *call)
{
    ngx_msec_t      timeout;
    ngx_msec_int_t  left;

    timeout = call->conf->agent_timeout;

    left = ngx_http_voicebridge_left(call->agent.last_read
                                     + (call->agent_pinged ? timeout
                                                           : timeout / 3));

    if (ngx_http_voicebridge_leg_queued(&call->agent)) {
        left = ngx_http_voicebridge_sooner(left, call->agent.last_sent
                                                 + timeout);
    }

    if (ngx_http_voicebridge_media_joining(call)) {
        left = ngx_http_voicebridge_sooner(left, call->joined
                                         + NGX_HTTP_VOICEBRIDGE_JOIN_TIMEOUT);
    }

    if (call->exiting) {
        left = ngx_http_voicebridge_sooner(left, call->handoff);
    }

    return left;
}


/*
 * Core tells an idle connection, as the agent's claims to be, twice that its
 * worker is to exit: at the start, and when worker_shutdown_timeout is over.
 */

void
ngx_http_voicebridge_call_exiting(ngx_http_voicebridge_call_t *call,
    ngx_connection_t *c)
{
    if (c->error) {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_SHUTDOWN,
                                 NULL);
        return;
    }

    c->close = 0;
    c->idle = 0;

    ngx_http_voicebridge_call_handoff(call, ngx_current_msec);
}


void
ngx_http_voicebridge_call_handoff(ngx_http_voicebridge_call_t *call,
    ngx_msec_t since)
{
    ngx_msec_t        before;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    if (!call->conf->shutdown_handoff || ccf->shutdown_timeout == 0) {
        return;
    }

    /* as late as Twilio's answer and the end of the stream allow */

    before = call->conf->twilio_timeout + NGX_HTTP_VOICEBRIDGE_REDIRECT_WAIT;
    before = ngx_min(before, ccf->shutdown_timeout / 2);

    call->exiting = 1;
    call->handoff = since + ccf->shutdown_timeout - before;
}


static void
ngx_http_voicebridge_call_deadlines(ngx_http_voicebridge_call_t *call)
{
    if (call->agent_closing && ngx_http_voicebridge_over(call->agent_deadline))
    {
        ngx_http_voicebridge_agent_peer_close(&call->peer);
        ngx_http_voicebridge_call_set_handlers(call);
    }

    if (call->state >= NGX_HTTP_VOICEBRIDGE_DRAINING) {

        /* ngx_http_voicebridge_end_step() looks at the rest */

        return;
    }

    if (call->state == NGX_HTTP_VOICEBRIDGE_ACCEPTED) {
        if (ngx_http_voicebridge_over(call->accepted
                                      + call->conf->start_timeout))
        {
            ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_NO_START,
                                     NULL);
        }

        return;
    }

    /* a phone that is not being read is not silent */

    if (ngx_http_voicebridge_call_phone_paused(call)) {
        call->phone.last_read = ngx_current_msec;

        /* but it may be gone, which not all event methods tell */

        if (ngx_http_voicebridge_leg_left(&call->phone)) {
            call->phone.connection->read->pending_eof = 1;
        }
    }

    if (ngx_http_voicebridge_over(call->phone.last_read
                                  + call->conf->stream_timeout)
        && !call->phone.connection->read->ready)
    {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_CALLER_SILENT,
                                 "%Mms without a frame",
                                 call->conf->stream_timeout);

    } else if (ngx_http_voicebridge_over(call->accepted
                                         + call->conf->max_call_duration))
    {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_TOO_LONG,
                                 NULL);

    } else {
        ngx_http_voicebridge_call_agent_deadlines(call);
    }
}


static void
ngx_http_voicebridge_call_agent_deadlines(ngx_http_voicebridge_call_t *call)
{
    if (call->state < NGX_HTTP_VOICEBRIDGE_LIVE) {
        if (ngx_http_voicebridge_over(call->connecting
                                      + call->conf->connect_timeout))
        {
            ngx_http_voicebridge_report_failure(call, "elevenlabs", "timeout");
            ngx_http_voicebridge_end(call,
                                     NGX_HTTP_VOICEBRIDGE_END_AGENT_TIMEOUT,
                                     "no metadata within %Mms",
                                     call->conf->connect_timeout);
        }

        return;
    }

    if (call->exiting && ngx_http_voicebridge_over(call->handoff)) {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_HANDOFF, NULL);

    } else {
        ngx_http_voicebridge_call_agent_alive(call);
    }
}


/* whether a live call's agent shows signs of life; it is asked for one */

static void
ngx_http_voicebridge_call_agent_alive(ngx_http_voicebridge_call_t *call)
{
    /* one whose last message has no room yet is not silent */

    if (call->speech.len) {
        call->agent.last_read = ngx_current_msec;
    }

    if (ngx_http_voicebridge_over(call->agent.last_read
                                  + call->conf->agent_timeout))
    {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_AGENT_SILENT,
                                 "nothing came for %Mms",
                                 call->conf->agent_timeout);
        return;
    }

    if (ngx_http_voicebridge_leg_queued(&call->agent)
        && ngx_http_voicebridge_over(call->agent.last_sent
                                     + call->conf->agent_timeout))
    {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_AGENT_SILENT,
                                 "nothing was taken for %Mms",
                                 call->conf->agent_timeout);
        return;
    }

    if (call->agent_pinged
        || !ngx_http_voicebridge_over(call->agent.last_read
                                      + call->conf->agent_timeout / 3))
    {
        return;
    }

    call->agent_pinged = 1;

    if (ngx_http_voicebridge_leg_urgent(&call->agent, VB_WS_PING,
                                        (u_char *) "", 0)
        != NGX_OK)
    {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR,
                                 "no memory");
    }
}
