
/* What moves in a call: messages in, through, and out */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <ngx_http_voicebridge_call.h>


/* a busy peer does not keep a worker from its other calls */
#define NGX_HTTP_VOICEBRIDGE_ROUNDS  16


static ngx_int_t ngx_http_voicebridge_pump_phone(
    ngx_http_voicebridge_call_t *call);
static ngx_int_t ngx_http_voicebridge_pump_phone_messages(
    ngx_http_voicebridge_call_t *call);
static ngx_int_t ngx_http_voicebridge_pump_agent(
    ngx_http_voicebridge_call_t *call);
static ngx_int_t ngx_http_voicebridge_pump_agent_messages(
    ngx_http_voicebridge_call_t *call);
static ngx_uint_t ngx_http_voicebridge_pump_queues(
    ngx_http_voicebridge_call_t *call);


ngx_uint_t
ngx_http_voicebridge_call_move(ngx_http_voicebridge_call_t *call)
{
    ngx_int_t   phone;
    ngx_uint_t  i, moved;

    /* first what is queued: it makes room */

    (void) ngx_http_voicebridge_call_flush(call);

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_ROUNDS; i++) {

        phone = ngx_http_voicebridge_pump_phone(call);

        moved = (phone == NGX_OK);
        moved |= (ngx_http_voicebridge_pump_agent(call) == NGX_OK);
        moved |= ngx_http_voicebridge_pump_queues(call);

        /* sent when all is read: what came as several records leaves as one */

        if (moved || ngx_http_voicebridge_call_flush(call)) {
            continue;
        }

        /* no event tells of a phone that was paused and is not any more */

        if (phone != NGX_DECLINED
            || ngx_http_voicebridge_call_phone_paused(call))
        {
            return 0;
        }
    }

    return 1;
}


/*
 * One read, where nothing is left of the one before, and all that came with
 * it.  NGX_OK: there may be more; NGX_AGAIN: an event will tell of it;
 * NGX_DECLINED: the phone is paused.
 */

static ngx_int_t
ngx_http_voicebridge_pump_phone(ngx_http_voicebridge_call_t *call)
{
    ngx_int_t  rc;

    rc = ngx_http_voicebridge_pump_phone_messages(call);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    switch (ngx_http_voicebridge_leg_read(&call->phone)) {

    case NGX_OK:
        rc = ngx_http_voicebridge_pump_phone_messages(call);

        if (rc == NGX_AGAIN && !call->phone.empty) {
            return NGX_OK;
        }

        return rc;

    case NGX_DONE:
        ngx_http_voicebridge_end(call, call->phone.close_received
                                 ? NGX_HTTP_VOICEBRIDGE_END_CALLER_HUNG_UP
                                 : NGX_HTTP_VOICEBRIDGE_END_CALLER_LOST,
                                 NULL);
        return NGX_AGAIN;

    case NGX_ERROR:
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR,
                                 "no memory");
        return NGX_AGAIN;

    default: /* NGX_AGAIN */
        return NGX_AGAIN;
    }
}


/*
 * NGX_AGAIN: there is no whole message; NGX_DECLINED: it must wait; NGX_OK:
 * look again.
 */

static ngx_int_t
ngx_http_voicebridge_pump_phone_messages(ngx_http_voicebridge_call_t *call)
{
    ngx_int_t      rc;
    vb_ws_event_t  ev;

    while (!ngx_http_voicebridge_call_phone_paused(call)) {

        if (call->phone.close_received) {

            /* only the end of the connection is of interest */

            call->phone.in.message = call->phone.in.pos = call->phone.in.last;
            return NGX_AGAIN;
        }

        rc = ngx_http_voicebridge_leg_next(&call->phone, &ev);

        if (rc == NGX_OK) {
            ngx_http_voicebridge_phone_event(call, &ev);
            continue;
        }

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        call->phone_status = call->phone.reader.status;
        ngx_http_voicebridge_end(call,
                                 NGX_HTTP_VOICEBRIDGE_END_PHONE_PROTOCOL,
                                 "%s%s", call->phone.reader.error,
                                 call->phone_status == VB_WS_TOO_BIG
                            ? " (see voicebridge_max_stream_message_size)"
                            : "");

        /* after a violation there are no frames to look for any more */

        call->phone.close_received = 1;

        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* the same for the agent, which is paused while the phone has no room */

static ngx_int_t
ngx_http_voicebridge_pump_agent(ngx_http_voicebridge_call_t *call)
{
    ngx_int_t  rc;

    if (call->agent.connection == NULL) {
        return NGX_AGAIN;
    }

    rc = ngx_http_voicebridge_pump_agent_messages(call);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    switch (ngx_http_voicebridge_leg_read(&call->agent)) {

    case NGX_OK:
        call->agent_pinged = 0;

        rc = ngx_http_voicebridge_pump_agent_messages(call);

        if (rc == NGX_AGAIN && !call->agent.empty) {
            return NGX_OK;
        }

        return rc;

    case NGX_DONE:
        ngx_http_voicebridge_agent_lost(call);
        return NGX_OK;

    case NGX_ERROR:
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR,
                                 "no memory");
        return NGX_AGAIN;

    default: /* NGX_AGAIN */
        return NGX_AGAIN;
    }
}


static ngx_int_t
ngx_http_voicebridge_pump_agent_messages(ngx_http_voicebridge_call_t *call)
{
    ngx_int_t      rc;
    vb_ws_event_t  ev;

    while (call->speech.len == 0) {

        if (call->agent.close_received) {

            /* only the end of its connection is awaited */

            call->agent.in.message = call->agent.in.pos = call->agent.in.last;
            return NGX_AGAIN;
        }

        rc = ngx_http_voicebridge_leg_next(&call->agent, &ev);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc == NGX_ERROR) {
            ngx_http_voicebridge_agent_violation(call);
            return NGX_OK;
        }

        ngx_http_voicebridge_agent_event(call, &ev);

        if (call->agent.connection == NULL) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* what waits for room: early caller audio, and the message the agent is at */

static ngx_uint_t
ngx_http_voicebridge_pump_queues(ngx_http_voicebridge_call_t *call)
{
    size_t     before;
    ngx_int_t  rc;

    before = call->speech.len + (call->early_last - call->early_pos);

    if (before == 0) {
        return 0;
    }

    rc = NGX_OK;

    if (call->speech.len) {
        rc = ngx_http_voicebridge_media_downlink(call);

        if (rc == NGX_DECLINED) {
            call->agent.reader.error = "audio that is not base64";
            ngx_http_voicebridge_agent_violation(call);
            return 1;
        }
    }

    if (rc == NGX_OK && call->state == NGX_HTTP_VOICEBRIDGE_LIVE) {
        rc = ngx_http_voicebridge_media_early(call, 0);
    }

    if (rc != NGX_OK) {
        ngx_http_voicebridge_end(call,
                                 NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR,
                                 "no memory");
        return 0;
    }

    return call->speech.len + (call->early_last - call->early_pos) < before;
}


ngx_uint_t
ngx_http_voicebridge_call_phone_paused(ngx_http_voicebridge_call_t *call)
{
    if (call->phone.eof || call->phone.close_received) {
        return call->phone.eof;
    }

    /* a caller who has gone has said so behind what is not read yet */

    return call->state < NGX_HTTP_VOICEBRIDGE_DRAINING
           && (call->early_last - call->early_pos
               >= NGX_HTTP_VOICEBRIDGE_EARLY_AUDIO - 1024
               || ngx_http_voicebridge_leg_full(&call->agent))
           && !call->phone.connection->read->pending_eof;
}


ngx_uint_t
ngx_http_voicebridge_call_flush(ngx_http_voicebridge_call_t *call)
{
    ngx_uint_t  phone, agent;

    phone = ngx_http_voicebridge_leg_full(&call->phone);
    agent = ngx_http_voicebridge_leg_full(&call->agent);

    if (call->phone.connection
        && ngx_http_voicebridge_leg_queued(&call->phone)
        && ngx_http_voicebridge_leg_flush(&call->phone) == NGX_ERROR)
    {
        call->phone.eof = 1;
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_CALLER_LOST,
                                 "sending failed");
    }

    if (call->agent.connection
        && ngx_http_voicebridge_leg_queued(&call->agent))
    {
        /* an agent that cannot be written to may have had a last word */

        (void) ngx_http_voicebridge_leg_flush(&call->agent);
    }

    return (phone && !ngx_http_voicebridge_leg_full(&call->phone))
           || (agent && !ngx_http_voicebridge_leg_full(&call->agent));
}
