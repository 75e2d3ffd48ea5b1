
/* What operators see of a call, while it is going on and afterwards */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <vb_mask.h>

#include <ngx_http_voicebridge_call.h>


#define ngx_http_voicebridge_report_text(member, s)                           \
    ngx_http_voicebridge_record_text(member, sizeof(member), s)


static void ngx_http_voicebridge_report_times(
    ngx_http_voicebridge_call_t *call);
static void ngx_http_voicebridge_report_record(
    ngx_http_voicebridge_call_t *call, ngx_http_voicebridge_record_t *record);
static void ngx_http_voicebridge_report_error(
    ngx_http_voicebridge_call_t *call, ngx_http_voicebridge_record_t *record);
static void ngx_http_voicebridge_report_number(char *dst, size_t size,
    ngx_str_t *number);


/* in the order of ngx_http_voicebridge_state_t, up to where calls end */

static ngx_str_t  ngx_http_voicebridge_report_states[] = {
    ngx_string("accepted"),
    ngx_string("connecting"),
    ngx_string("initiated"),
    ngx_string("live")
};


void
ngx_http_voicebridge_report(ngx_http_voicebridge_call_t *call,
    ngx_http_voicebridge_step_e event, ngx_uint_t value)
{
    ngx_http_voicebridge_record_t  record;

    if (call->stats.zone == NULL) {
        return;
    }

    ngx_http_voicebridge_report_times(call);
    ngx_http_voicebridge_report_record(call, &record);

    if (call->accounted) {
        ngx_http_voicebridge_stats_end(&call->stats, &record);

    } else {
        ngx_http_voicebridge_stats_update(&call->stats, &record, event, value);
    }

    ngx_http_voicebridge_relay_tell(call->zone);
}


void
ngx_http_voicebridge_report_failure(ngx_http_voicebridge_call_t *call,
    const char *service, const char *kind)
{
    if (kind) {
        ngx_http_voicebridge_stats_count(call->zone,
                                         NGX_HTTP_VOICEBRIDGE_STATS_FAILURES,
                                         service, kind);
    }
}


void
ngx_http_voicebridge_report_heard(ngx_http_voicebridge_call_t *call)
{
    call->heard = ngx_current_msec;
    call->answering = 1;
}


void
ngx_http_voicebridge_report_answer(ngx_http_voicebridge_call_t *call)
{
    if (!call->answering) {
        return;
    }

    call->answering = 0;

    ngx_http_voicebridge_stats_observe(call->zone,
                                       NGX_HTTP_VOICEBRIDGE_STATS_ANSWER,
                                       ngx_current_msec - call->heard);
}


/* each once */

static void
ngx_http_voicebridge_report_times(ngx_http_voicebridge_call_t *call)
{
    if (call->state == NGX_HTTP_VOICEBRIDGE_INITIATED && !call->setup_told) {
        call->setup_told = 1;

        ngx_http_voicebridge_stats_observe(call->zone,
                                           NGX_HTTP_VOICEBRIDGE_STATS_SETUP,
                                           ngx_current_msec - call->accepted);
    }

    if (call->agent_bytes && !call->audio_told) {
        call->audio_told = 1;

        ngx_http_voicebridge_stats_observe(call->zone,
                                      NGX_HTTP_VOICEBRIDGE_STATS_FIRST_AUDIO,
                                      call->ctx->first_audio);
    }
}


static void
ngx_http_voicebridge_report_record(ngx_http_voicebridge_call_t *call,
    ngx_http_voicebridge_record_t *record)
{
    ngx_str_t                   *state, *direction;
    ngx_http_voicebridge_ctx_t  *ctx;

    static ngx_str_t  ending = ngx_string("ending");
    static ngx_str_t  ended = ngx_string("ended");
    static ngx_str_t  unknown = ngx_string("unknown");

    ctx = call->ctx;

    ngx_memzero(record, sizeof(ngx_http_voicebridge_record_t));

    record->duration = ngx_current_msec - call->accepted;
    record->interruptions = ctx->interruptions;
    record->caller_audio = call->caller_bytes / 8;
    record->agent_audio = call->agent_bytes / 8;

    /* msec_t has no room for more than 49 days where it has 32 bits */

    record->first_audio = call->agent_bytes ? (uint32_t) ctx->first_audio
                                            : NGX_MAX_UINT32_VALUE;

    state = call->accounted ? &ended
            : call->cause != NGX_HTTP_VOICEBRIDGE_END_NONE ? &ending
            : &ngx_http_voicebridge_report_states[call->state];

    /* somebody else's TwiML may say anything, and a label must not */

    direction = &ctx->direction;

    if (!vb_str_eq(direction, "inbound") && !vb_str_eq(direction, "outbound"))
    {
        direction = &unknown;
    }

    ngx_http_voicebridge_report_text(record->state, state);
    ngx_http_voicebridge_report_text(record->direction, direction);
    ngx_http_voicebridge_report_text(record->end_reason, &ctx->end_reason);
    ngx_http_voicebridge_report_text(record->call_sid, &ctx->call_sid);
    ngx_http_voicebridge_report_text(record->stream_sid, &ctx->stream_sid);
    ngx_http_voicebridge_report_text(record->session_id, &ctx->session_id);
    ngx_http_voicebridge_report_text(record->conversation_id,
                                     &ctx->conversation_id);
    ngx_http_voicebridge_record_agent(record, &ctx->agent_id);

    ngx_http_voicebridge_report_number(record->from, sizeof(record->from),
                                       &ctx->from);
    ngx_http_voicebridge_report_number(record->to, sizeof(record->to),
                                       &ctx->to);

    ngx_http_voicebridge_report_error(call, record);
}


/* what went wrong: the agent's own words, or why the call failed */

static void
ngx_http_voicebridge_report_error(ngx_http_voicebridge_call_t *call,
    ngx_http_voicebridge_record_t *record)
{
    ngx_str_t  error;

    error.data = (u_char *) call->agent_error;

    if (error.data[0] == '\0' && call->accounted
        && vb_str_eq(&call->ctx->status, "failed"))
    {
        error.data = (u_char *) call->detail;
    }

    error.len = ngx_strlen(error.data);

    ngx_http_voicebridge_report_text(record->error, &error);
}


static void
ngx_http_voicebridge_report_number(char *dst, size_t size, ngx_str_t *number)
{
    u_char     masked[64];
    ngx_str_t  s;

    s = *number;
    s.len = ngx_min(s.len, sizeof(masked));

    s.len = vb_mask_number(masked, &s);
    s.data = masked;

    ngx_http_voicebridge_record_text(dst, size, &s);
}
