
/* What a call tells an operator's voicebridge_webhook */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <vb_writer.h>

#include <ngx_http_voicebridge_call.h>
#include <ngx_http_voicebridge_notify.h>
#include <ngx_http_voicebridge_time.h>


static void ngx_http_voicebridge_event_members(vb_writer_t *w,
    ngx_http_voicebridge_call_t *call, ngx_uint_t event, ngx_str_t *tool,
    ngx_str_t *error);
static void ngx_http_voicebridge_event_call(vb_writer_t *w,
    ngx_http_voicebridge_call_t *call, ngx_uint_t event);
static void ngx_http_voicebridge_event_summary(vb_writer_t *w,
    ngx_http_voicebridge_call_t *call);
static void ngx_http_voicebridge_event_transcript(vb_writer_t *w,
    ngx_http_voicebridge_call_t *call);
static void ngx_http_voicebridge_event_seconds(vb_writer_t *w,
    const char *lead, uint64_t ms);


void
ngx_http_voicebridge_event(ngx_http_voicebridge_call_t *call, ngx_uint_t event,
    ngx_str_t *tool, ngx_str_t *error)
{
    vb_writer_t  w;
    ngx_str_t    members;

    if (event == NGX_HTTP_VOICEBRIDGE_EVENT_STARTED) {
        call->begun = 1;
    }

    /* a stream that was refused is no call */

    if (!call->begun || !ngx_http_voicebridge_event_wanted(call, event)) {
        return;
    }

    call->events++;

    vb_writer_init(&w, NULL);
    ngx_http_voicebridge_event_members(&w, call, event, tool, error);

    members.len = w.len;
    members.data = ngx_alloc(w.len, ngx_http_voicebridge_call_log(call));

    if (members.data == NULL) {
        return;
    }

    vb_writer_init(&w, members.data);
    ngx_http_voicebridge_event_members(&w, call, event, tool, error);

    ngx_http_voicebridge_notify(call->conf->webhook, event,
                                &call->ctx->call_sid, &members);

    ngx_free(members.data);
}


static void
ngx_http_voicebridge_event_members(vb_writer_t *w,
    ngx_http_voicebridge_call_t *call, ngx_uint_t event, ngx_str_t *tool,
    ngx_str_t *error)
{
    u_char  *p, buf[sizeof("\"sequence\": , \"call\": {") + NGX_INT_T_LEN];

    p = ngx_sprintf(buf, "\"sequence\": %ui, \"call\": {", call->events);
    vb_write(w, buf, p - buf);

    ngx_http_voicebridge_event_call(w, call, event);

    vb_write_literal(w, "}");

    if (event == NGX_HTTP_VOICEBRIDGE_EVENT_TOOL_FAILED) {
        vb_write_member(w, ", \"tool\": {\"name\": ", tool);
        vb_write_member(w, ", \"error\": ", error);
        vb_write_literal(w, "}");
    }

    if (event == NGX_HTTP_VOICEBRIDGE_EVENT_ENDED
        && ngx_http_voicebridge_event_wanted(call,
                                       NGX_HTTP_VOICEBRIDGE_EVENT_TRANSCRIPT))
    {
        ngx_http_voicebridge_event_transcript(w, call);
    }
}


static void
ngx_http_voicebridge_event_call(vb_writer_t *w,
    ngx_http_voicebridge_call_t *call, ngx_uint_t event)
{
    u_char                      *p, buf[NGX_HTTP_VOICEBRIDGE_TIME_LEN];
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = call->ctx;

    vb_write_member(w, "\"call_sid\": ", &ctx->call_sid);
    vb_write_member(w, ", \"stream_sid\": ", &ctx->stream_sid);
    vb_write_member(w, ", \"session_id\": ", &ctx->session_id);
    vb_write_member(w, ", \"conversation_id\": ", &ctx->conversation_id);
    vb_write_member(w, ", \"agent_id\": ", &ctx->agent_id);
    vb_write_member(w, ", \"direction\": ", &ctx->direction);
    vb_write_member(w, ", \"from\": ", &ctx->from);
    vb_write_member(w, ", \"to\": ", &ctx->to);

    p = ngx_http_voicebridge_print_time(buf, call->started);

    vb_write_literal(w, ", \"started\": \"");
    vb_write(w, buf, p - buf);
    vb_write_literal(w, "\"");

    if (event == NGX_HTTP_VOICEBRIDGE_EVENT_ENDED) {
        ngx_http_voicebridge_event_summary(w, call);
    }
}


/* names and values as in voicebridge_calls */

static void
ngx_http_voicebridge_event_summary(vb_writer_t *w,
    ngx_http_voicebridge_call_t *call)
{
    u_char                      *p, buf[sizeof(", \"interruptions\": ")
                                        + NGX_INT_T_LEN];
    ngx_str_t                    error;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = call->ctx;

    vb_write_member(w, ", \"status\": ", &ctx->status);
    vb_write_member(w, ", \"end_reason\": ", &ctx->end_reason);

    ngx_http_voicebridge_event_seconds(w, ", \"duration\": ",
                                       ngx_current_msec - call->accepted);

    p = ngx_sprintf(buf, ", \"interruptions\": %ui", ctx->interruptions);
    vb_write(w, buf, p - buf);

    if (call->agent_bytes) {
        ngx_http_voicebridge_event_seconds(w, ", \"first_audio_seconds\": ",
                                           ctx->first_audio);

    } else {
        vb_write_literal(w, ", \"first_audio_seconds\": null");
    }

    ngx_http_voicebridge_event_seconds(w, ", \"caller_audio_seconds\": ",
                                       ctx->caller_audio);
    ngx_http_voicebridge_event_seconds(w, ", \"agent_audio_seconds\": ",
                                       ctx->agent_audio);

    error.data = (u_char *) call->agent_error;

    if (error.data[0] == '\0' && vb_str_eq(&ctx->status, "failed")) {
        error.data = (u_char *) call->detail;
    }

    error.len = ngx_strlen(error.data);

    vb_write_member(w, ", \"error\": ", &error);
}


static void
ngx_http_voicebridge_event_transcript(vb_writer_t *w,
    ngx_http_voicebridge_call_t *call)
{
    ngx_str_t   *said;
    ngx_uint_t   i;

    vb_write_literal(w, ", \"transcript\": [");

    if (call->said) {
        said = call->said->elts;

        for (i = 0; i < call->said->nelts; i++) {

            if (i) {
                vb_write_literal(w, ", ");
            }

            vb_write_literal(w, "{");
            vb_write(w, said[i].data, said[i].len);
            vb_write_literal(w, "}");
        }
    }

    if (call->said_cut) {
        vb_write_literal(w, "], \"transcript_complete\": false");

    } else {
        vb_write_literal(w, "], \"transcript_complete\": true");
    }
}


static void
ngx_http_voicebridge_event_seconds(vb_writer_t *w, const char *lead,
    uint64_t ms)
{
    u_char  *p, buf[NGX_INT64_LEN + sizeof(".000")];

    vb_write(w, lead, ngx_strlen(lead));

    p = ngx_sprintf(buf, "%uL.%03uL", ms / 1000, ms % 1000);
    vb_write(w, buf, p - buf);
}
