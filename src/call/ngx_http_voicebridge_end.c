
/* The one way out: what each cause of an ending means */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <vb_utf8.h>

#include <ngx_http_voicebridge_call.h>


typedef struct {
    char        *reason;          /* $voicebridge_end_reason */
    char        *text;            /* in the log */
    ngx_uint_t   level;
    ngx_uint_t   agent;           /* status of the Close to the agent */
    ngx_uint_t   phone;           /* and to the phone; 0: call->phone_status */
    unsigned     drain:1;         /* the caller hears all that was sent */
    unsigned     redirect:1;      /* then other TwiML is put on the call */
} ngx_http_voicebridge_ending_t;


static ngx_http_voicebridge_cause_t ngx_http_voicebridge_end_wished(
    ngx_http_voicebridge_call_t *call);
static void ngx_http_voicebridge_end_hurry(ngx_http_voicebridge_call_t *call,
    ngx_http_voicebridge_cause_t cause);
static ngx_int_t ngx_http_voicebridge_end_drain(
    ngx_http_voicebridge_call_t *call);
static void ngx_http_voicebridge_end_agent(ngx_http_voicebridge_call_t *call,
    ngx_uint_t status);
static void ngx_http_voicebridge_end_drained(
    ngx_http_voicebridge_call_t *call);


/* in the order of ngx_http_voicebridge_cause_t */

static ngx_http_voicebridge_ending_t  ngx_http_voicebridge_endings[] = {

    { "none", "", NGX_LOG_INFO, 1000, 1000, 0, 0 },

    { "caller_hung_up", "the caller hung up",
      NGX_LOG_INFO, 1000, 1000, 0, 0 },

    { "operator", "an operator ended the call",
      NGX_LOG_INFO, 1000, 1000, 0, 0 },

    { "machine", "who answered was hung up on",
      NGX_LOG_INFO, 1000, 1000, 0, 0 },

    { "caller_lost", "the phone's connection was lost",
      NGX_LOG_WARN, 1000, 1001, 0, 0 },

    { "caller_silent", "the phone sends nothing any more",
      NGX_LOG_WARN, 1000, 1001, 0, 0 },

    { "phone_protocol", "the phone broke the protocol",
      NGX_LOG_ERR, 1000, 0, 0, 0 },

    { "no_start", "no start came on the media stream in time",
      NGX_LOG_WARN, 1000, 1008, 0, 0 },

    { "bad_start", "the media stream cannot be served",
      NGX_LOG_ERR, 1000, 1008, 0, 0 },

    { "bad_token", "the media stream was refused",
      NGX_LOG_WARN, 1000, 1008, 0, 0 },

    { "agent_ended", "the agent ended the conversation",
      NGX_LOG_INFO, 1000, 1000, 1, 0 },

    { "agent_failed", "the agent broke down",
      NGX_LOG_ERR, 1000, 1011, 1, 1 },

    { "agent_lost", "the agent's connection was lost",
      NGX_LOG_ERR, 1000, 1011, 1, 1 },

    { "agent_silent", "the agent shows no sign of life",
      NGX_LOG_ERR, 1001, 1011, 1, 1 },

    { "agent_protocol", "the agent broke the protocol",
      NGX_LOG_ERR, 1002, 1011, 1, 1 },

    { "agent_unreachable", "the agent could not be reached",
      NGX_LOG_ERR, 1000, 1011, 0, 1 },

    { "agent_timeout", "the agent did not answer in time",
      NGX_LOG_ERR, 1000, 1011, 0, 1 },

    { "too_long", "the call reached voicebridge_max_call_duration",
      NGX_LOG_WARN, 1000, 1000, 0, 0 },

    { "handed_off", "this worker has to exit: the call goes to another",
      NGX_LOG_INFO, 1001, 1001, 0, 1 },

    { "shutdown", "this worker had to exit",
      NGX_LOG_WARN, 1001, 1001, 0, 0 },

    { "internal_error", "something failed here",
      NGX_LOG_CRIT, 1011, 1011, 0, 1 }
};


void
ngx_http_voicebridge_end(ngx_http_voicebridge_call_t *call,
    ngx_http_voicebridge_cause_t cause, const char *detail, ...)
{
    u_char                         *p;
    va_list                         args;
    ngx_http_voicebridge_ending_t  *e;

    if (call->state == NGX_HTTP_VOICEBRIDGE_DONE) {
        return;
    }

    if (call->cause != NGX_HTTP_VOICEBRIDGE_END_NONE) {
        ngx_http_voicebridge_end_hurry(call, cause);
        return;
    }

    /* Twilio was asked to hang up, and that is all there is to be seen */

    if (cause == NGX_HTTP_VOICEBRIDGE_END_CALLER_HUNG_UP) {
        cause = ngx_http_voicebridge_end_wished(call);
    }

    call->cause = cause;
    e = &ngx_http_voicebridge_endings[cause];

    if (detail) {
        va_start(args, detail);
        p = ngx_vslprintf((u_char *) call->detail,
                          (u_char *) call->detail + sizeof(call->detail) - 1,
                          detail, args);
        va_end(args);

        call->detail[vb_utf8_whole((u_char *) call->detail,
                                   p - (u_char *) call->detail)] = '\0';
    }

    if (e->phone) {
        call->phone_status = e->phone;
    }

    ngx_http_voicebridge_report(call, NGX_HTTP_VOICEBRIDGE_STEP_ENDING, 0);

    ngx_http_voicebridge_end_agent(call, e->agent);

    if (!e->drain || ngx_http_voicebridge_end_drain(call) != NGX_OK) {
        ngx_http_voicebridge_end_drained(call);
    }
}


static ngx_http_voicebridge_cause_t
ngx_http_voicebridge_end_wished(ngx_http_voicebridge_call_t *call)
{
    switch (ngx_http_voicebridge_stats_hangup(&call->stats)) {

    case NGX_HTTP_VOICEBRIDGE_WISH_OPERATOR:
        return NGX_HTTP_VOICEBRIDGE_END_OPERATOR;

    case NGX_HTTP_VOICEBRIDGE_WISH_MACHINE:
        return NGX_HTTP_VOICEBRIDGE_END_MACHINE;

    default:
        return NGX_HTTP_VOICEBRIDGE_END_CALLER_HUNG_UP;
    }
}


/* it ends already; without a phone there is nothing to wait for */

static void
ngx_http_voicebridge_end_hurry(ngx_http_voicebridge_call_t *call,
    ngx_http_voicebridge_cause_t cause)
{
    if (call->state < NGX_HTTP_VOICEBRIDGE_CLOSING
        && (cause <= NGX_HTTP_VOICEBRIDGE_END_PHONE_PROTOCOL
            || cause >= NGX_HTTP_VOICEBRIDGE_END_SHUTDOWN))
    {
        ngx_http_voicebridge_end_phone(call);
    }
}


/*
 * Waits until the caller has heard all, also where all should have been
 * played: the way to Twilio is long; but for no longer than a call may be.
 * NGX_DECLINED: there is nothing to hear.
 */

static ngx_int_t
ngx_http_voicebridge_end_drain(ngx_http_voicebridge_call_t *call)
{
    ngx_msec_int_t  queued, left;

    if (call->agent_bytes == 0 || call->phone.eof
        || ngx_http_voicebridge_media_mark(call) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    queued = call->played - ngx_current_msec;
    queued = ngx_max(queued, 0) + NGX_HTTP_VOICEBRIDGE_DRAIN_MARGIN;

    left = call->accepted + call->conf->max_call_duration - ngx_current_msec;

    call->mark_sent = 1;
    call->state = NGX_HTTP_VOICEBRIDGE_DRAINING;
    call->deadline = ngx_current_msec + ngx_max(ngx_min(queued, left), 0);

    return NGX_OK;
}


void
ngx_http_voicebridge_end_step(ngx_http_voicebridge_call_t *call)
{
    ngx_uint_t  over;

    if (call->state < NGX_HTTP_VOICEBRIDGE_DRAINING) {
        return;
    }

    over = (ngx_msec_int_t) (call->deadline - ngx_current_msec) <= 0;

    switch (call->state) {

    case NGX_HTTP_VOICEBRIDGE_DRAINING:

        if (call->mark_back || over) {

            if (!call->mark_back) {
                ngx_log_error(NGX_LOG_WARN,
                              ngx_http_voicebridge_call_log(call), 0,
                              "call %V: the last mark did not come back, "
                              "the caller may have missed the agent's end",
                              &call->ctx->call_sid);
            }

            ngx_http_voicebridge_end_drained(call);
        }

        break;

    case NGX_HTTP_VOICEBRIDGE_REDIRECTING:

        if (over) {
            ngx_http_voicebridge_end_phone(call);
        }

        break;

    default:
        break;
    }
}


ngx_uint_t
ngx_http_voicebridge_end_reached(ngx_http_voicebridge_call_t *call)
{
    if (call->state != NGX_HTTP_VOICEBRIDGE_CLOSING) {
        return 0;
    }

    if ((ngx_msec_int_t) (call->deadline - ngx_current_msec) <= 0) {
        return 1;
    }

    /* Twilio may end a stream before it says that other TwiML was taken */

    return call->fetch == NULL
           && ngx_http_voicebridge_leg_done(&call->phone)
           && ngx_http_voicebridge_leg_done(&call->agent);
}


void
ngx_http_voicebridge_end_account(ngx_http_voicebridge_call_t *call)
{
    ngx_msec_t                      ms;
    const char                     *remedy;
    ngx_http_voicebridge_ctx_t     *ctx;
    ngx_http_voicebridge_ending_t  *e;

    static ngx_str_t  none = ngx_string("-");

    ctx = call->ctx;
    remedy = ngx_http_voicebridge_remedy(call->cause);
    e = &ngx_http_voicebridge_endings[call->cause];
    ms = ngx_current_msec - call->accepted;

    call->accounted = 1;

    ctx->caller_audio = call->caller_bytes / 8;
    ctx->agent_audio = call->agent_bytes / 8;

    ctx->end_reason.data = (u_char *) e->reason;
    ctx->end_reason.len = ngx_strlen(e->reason);

    if (e->level >= NGX_LOG_INFO
        || call->cause == NGX_HTTP_VOICEBRIDGE_END_TOO_LONG)
    {
        ngx_str_set(&ctx->status, "completed");

    } else {
        ngx_str_set(&ctx->status, "failed");
    }

    ngx_log_error(e->level, ngx_http_voicebridge_call_log(call), 0,
                  "call %V: Call ended: %s%s%s, reason=%s duration=%M.%03M "
                  "caller_audio=%uL.%03uL agent_audio=%uL.%03uL "
                  "interruptions=%ui%s%s",
                  ctx->call_sid.len ? &ctx->call_sid : &none,
                  e->text, call->detail[0] ? ": " : "",
                  call->detail, e->reason, ms / 1000, ms % 1000,
                  ctx->caller_audio / 1000, ctx->caller_audio % 1000,
                  ctx->agent_audio / 1000, ctx->agent_audio % 1000,
                  ctx->interruptions, remedy[0] ? "; " : "", remedy);

    ngx_http_voicebridge_transcript_end(call);
    ngx_http_voicebridge_event(call, NGX_HTTP_VOICEBRIDGE_EVENT_ENDED, NULL,
                               NULL);
    ngx_http_voicebridge_report(call, NGX_HTTP_VOICEBRIDGE_STEP_ENDED, 0);
    ngx_http_voicebridge_speech_end(call);
}


static void
ngx_http_voicebridge_end_agent(ngx_http_voicebridge_call_t *call,
    ngx_uint_t status)
{
    if (call->fetch) {
        call->fetch->handler = NULL;
        call->fetch = NULL;
    }

    if (call->agent.connection == NULL) {
        ngx_http_voicebridge_agent_peer_close(&call->peer);
        ngx_http_voicebridge_call_set_handlers(call);
        return;
    }

    call->speech.len = 0;

    /* the caller's last words */

    if (call->state == NGX_HTTP_VOICEBRIDGE_LIVE
        && !call->agent.close_received)
    {
        (void) ngx_http_voicebridge_media_early(call, 1);
    }

    (void) ngx_http_voicebridge_leg_close(&call->agent, status, NULL);

    call->agent_closing = 1;
    call->agent_deadline = ngx_current_msec
                           + NGX_HTTP_VOICEBRIDGE_CLOSE_TIMEOUT;
}


/* what was sent to the phone has been played */

static void
ngx_http_voicebridge_end_drained(ngx_http_voicebridge_call_t *call)
{
    if (ngx_http_voicebridge_endings[call->cause].redirect
        && !call->phone.eof && !call->stopped && call->ctx->call_sid.len)
    {
        switch (ngx_http_voicebridge_redirect(call)) {

        case NGX_OK:
            call->state = NGX_HTTP_VOICEBRIDGE_REDIRECTING;
            call->deadline = ngx_current_msec + call->conf->twilio_timeout
                             + NGX_HTTP_VOICEBRIDGE_REDIRECT_WAIT;
            return;

        case NGX_ERROR:
            ngx_log_error(NGX_LOG_ERR, ngx_http_voicebridge_call_log(call), 0,
                          "call %V: no other TwiML could be put on the call: "
                          "credentials are missing, see "
                          "voicebridge_twilio_account_sid and _auth_token, "
                          "or it has more than 4000 characters",
                          &call->ctx->call_sid);
            break;

        default: /* NGX_DECLINED: there is none */
            break;
        }
    }

    ngx_http_voicebridge_end_phone(call);
}


void
ngx_http_voicebridge_end_phone(ngx_http_voicebridge_call_t *call)
{
    ngx_str_t                       reason;
    ngx_http_voicebridge_ending_t  *e;

    e = &ngx_http_voicebridge_endings[call->cause];

    reason.data = (u_char *) e->text;
    reason.len = ngx_strlen(e->text);

    (void) ngx_http_voicebridge_leg_close(&call->phone, call->phone_status,
                                          &reason);

    call->state = NGX_HTTP_VOICEBRIDGE_CLOSING;
    call->deadline = ngx_current_msec + NGX_HTTP_VOICEBRIDGE_CLOSE_TIMEOUT;
}
