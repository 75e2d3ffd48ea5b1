
/* What the phone says: Twilio's messages, but for the start */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <vb_twilio_stream.h>

#include <ngx_http_voicebridge_call.h>


static void ngx_http_voicebridge_phone_message(
    ngx_http_voicebridge_call_t *call, ngx_str_t *text);
static void ngx_http_voicebridge_phone_media(ngx_http_voicebridge_call_t *call,
    vb_twilio_message_t *m);


void
ngx_http_voicebridge_phone_event(ngx_http_voicebridge_call_t *call,
    vb_ws_event_t *ev)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    switch (ev->opcode) {

    case VB_WS_PING:
        rc = ngx_http_voicebridge_leg_urgent(&call->phone, VB_WS_PONG,
                                             ev->payload.data,
                                             ev->payload.len);
        break;

    case VB_WS_PONG:
        break;

    case VB_WS_CLOSE:
        call->phone.close_received = 1;

        rc = ngx_http_voicebridge_leg_close(&call->phone,
                                            ev->status == VB_WS_NO_STATUS
                                            ? VB_WS_NORMAL : ev->status,
                                            NULL);

        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_CALLER_HUNG_UP,
                                 NULL);
        break;

    case VB_WS_BINARY:
        call->phone_status = VB_WS_UNSUPPORTED_DATA;
        ngx_http_voicebridge_end(call,
                                 NGX_HTTP_VOICEBRIDGE_END_PHONE_PROTOCOL,
                                 "a binary message");
        break;

    default: /* VB_WS_TEXT */
        ngx_http_voicebridge_phone_message(call, &ev->payload);
    }

    if (rc != NGX_OK) {
        ngx_http_voicebridge_end(call,
                                 NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR,
                                 "no memory");
    }
}


static void
ngx_http_voicebridge_phone_message(ngx_http_voicebridge_call_t *call,
    ngx_str_t *text)
{
    const char           *error;
    vb_twilio_message_t   m;

    if (vb_twilio_message_parse(&m, text, call->conf->max_json_depth, &error)
        != VB_OK) {
        call->phone_status = VB_WS_INVALID_DATA;
        ngx_http_voicebridge_end(call,
                                 NGX_HTTP_VOICEBRIDGE_END_PHONE_PROTOCOL,
                                 "%s", error);
        return;
    }

    switch (m.event) {

    case VB_TWILIO_START:

        if (call->state == NGX_HTTP_VOICEBRIDGE_ACCEPTED) {
            ngx_http_voicebridge_phone_start(call, &m);

        } else if (call->cause == NGX_HTTP_VOICEBRIDGE_END_NONE) {
            call->phone_status = VB_WS_POLICY;
            ngx_http_voicebridge_end(call,
                                     NGX_HTTP_VOICEBRIDGE_END_PHONE_PROTOCOL,
                                     "a second start");
        }

        return;

    case VB_TWILIO_MEDIA:
        ngx_http_voicebridge_phone_media(call, &m);
        return;

    case VB_TWILIO_MARK:
        call->mark_back = call->mark_sent;
        return;

    case VB_TWILIO_DTMF:

        ngx_http_voicebridge_stats_event(&call->stats,
                                         NGX_HTTP_VOICEBRIDGE_STEP_DTMF, 0);

        /* a key may be part of a PIN or a card number: not in the log */

        ngx_log_error(NGX_LOG_INFO, ngx_http_voicebridge_call_log(call), 0,
                      "call %V: a key was pressed", &call->ctx->call_sid);
        return;

    case VB_TWILIO_STOP:
        call->stopped = 1;
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_CALLER_HUNG_UP,
                                 NULL);
        return;

    default: /* connected, and what Twilio may add */
        return;
    }
}


static void
ngx_http_voicebridge_phone_media(ngx_http_voicebridge_call_t *call,
    vb_twilio_message_t *m)
{
    ngx_int_t  rc;

    if (call->state == NGX_HTTP_VOICEBRIDGE_ACCEPTED) {
        call->phone_status = VB_WS_POLICY;
        ngx_http_voicebridge_end(call,
                                 NGX_HTTP_VOICEBRIDGE_END_PHONE_PROTOCOL,
                                 "media before start");
        return;
    }

    if (call->cause != NGX_HTTP_VOICEBRIDGE_END_NONE) {
        return;
    }

    if (m->payload.escaped) {
        m->payload.text.len = vb_json_unescape(m->payload.text.data,
                                               &m->payload.text);
    }

    rc = ngx_http_voicebridge_media_uplink(call, &m->payload.text);

    if (rc == NGX_DECLINED) {
        call->phone_status = VB_WS_INVALID_DATA;
        ngx_http_voicebridge_end(call,
                                 NGX_HTTP_VOICEBRIDGE_END_PHONE_PROTOCOL,
                                 "media that is not base64");

    } else if (rc == NGX_ERROR) {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR,
                                 "no memory");
    }
}
