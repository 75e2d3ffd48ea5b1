
/* The one way out: what each cause of an ending means */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <vb_twilio_call.h>
#include <vb_twiml.h>

#include <ngx_http_voicebridge_call.h>


typedef struct {
    char        *reason;          /* $voicebridge_end_reason */
    char        *text;            /* in the log */
    ngx_uint_t   level;
    ngx_uint_t   agent;           /* status of the Close to the agent */
    ngx_uint_t   phone;           /* and to the phone; 0: call->phone_status */
    unsigned     drain:1;         /* the caller hears all that was sent */
    unsigned     fallback:1;      /* then voicebridge_fallback_twiml */
} ngx_http_voicebridge_ending_t;


static void ngx_http_voicebridge_end_agent(ngx_http_voicebridge_call_t *call,
    ngx_uint_t status);
static void ngx_http_voicebridge_end_drained(
    ngx_http_voicebridge_call_t *call);
static ngx_int_t ngx_http_voicebridge_end_redirect(
    ngx_http_voicebridge_call_t *call);
static ngx_int_t ngx_http_voicebridge_end_redirect_body(
    ngx_http_voicebridge_call_t *call, ngx_str_t *verbs, ngx_pool_t *pool,
    ngx_str_t *body);
static void ngx_http_voicebridge_end_redirected(
    ngx_http_voicebridge_fetch_t *f);
static void ngx_http_voicebridge_end_phone(ngx_http_voicebridge_call_t *call);


/* in the order of ngx_http_voicebridge_cause_t */

static ngx_http_voicebridge_ending_t  ngx_http_voicebridge_endings[] = {

    { "none", "", NGX_LOG_INFO, 1000, 1000, 0, 0 },

    { "caller_hung_up", "the caller hung up",
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

    { "agent_silent", "the agent sends nothing any more",
      NGX_LOG_ERR, 1001, 1011, 1, 1 },

    { "agent_protocol", "the agent broke the protocol",
      NGX_LOG_ERR, 1002, 1011, 1, 1 },

    { "agent_unreachable", "the agent could not be reached",
      NGX_LOG_ERR, 1000, 1011, 0, 1 },

    { "agent_timeout", "the agent did not answer in time",
      NGX_LOG_ERR, 1000, 1011, 0, 1 },

    { "too_long", "the call reached voicebridge_max_call_duration",
      NGX_LOG_WARN, 1000, 1000, 0, 0 },

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

        /* it ends already; without a phone there is nothing to wait for */

        if (call->state < NGX_HTTP_VOICEBRIDGE_CLOSING
            && (cause <= NGX_HTTP_VOICEBRIDGE_END_PHONE_PROTOCOL
                || cause >= NGX_HTTP_VOICEBRIDGE_END_SHUTDOWN))
        {
            ngx_http_voicebridge_end_phone(call);
        }

        return;
    }

    call->cause = cause;
    e = &ngx_http_voicebridge_endings[cause];

    if (detail) {
        va_start(args, detail);
        p = ngx_vslprintf((u_char *) call->detail,
                          (u_char *) call->detail + sizeof(call->detail) - 1,
                          detail, args);
        *p = '\0';
        va_end(args);
    }

    if (e->phone) {
        call->phone_status = e->phone;
    }

    ngx_http_voicebridge_end_agent(call, e->agent);

    if (e->drain && !call->phone.eof
        && (ngx_msec_int_t) (call->played - ngx_current_msec) > 0
        && ngx_http_voicebridge_media_mark(call) == NGX_OK)
    {
        call->mark_sent = 1;
        call->state = NGX_HTTP_VOICEBRIDGE_DRAINING;
        call->deadline = call->played + NGX_HTTP_VOICEBRIDGE_DRAIN_MARGIN;
        return;
    }

    ngx_http_voicebridge_end_drained(call);
}


void
ngx_http_voicebridge_end_step(ngx_http_voicebridge_call_t *call)
{
    ngx_uint_t  over;

    over = (ngx_msec_int_t) (call->deadline - ngx_current_msec) <= 0;

    switch (call->state) {

    case NGX_HTTP_VOICEBRIDGE_DRAINING:

        if (call->mark_back || over) {

            if (!call->mark_back) {
                ngx_log_error(NGX_LOG_WARN,
                              ngx_http_voicebridge_call_log(call), 0,
                              "call %V: the last mark did not come back",
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

    return ngx_http_voicebridge_leg_done(&call->phone)
           && ngx_http_voicebridge_leg_done(&call->agent);
}


void
ngx_http_voicebridge_end_account(ngx_http_voicebridge_call_t *call)
{
    ngx_msec_t                      ms;
    ngx_http_voicebridge_ctx_t     *ctx;
    ngx_http_voicebridge_ending_t  *e;

    ctx = call->ctx;
    e = &ngx_http_voicebridge_endings[call->cause];
    ms = ngx_current_msec - call->accepted;

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
                  "interruptions=%ui",
                  &ctx->call_sid, e->text, call->detail[0] ? ": " : "",
                  call->detail, e->reason, ms / 1000, ms % 1000,
                  ctx->caller_audio / 1000, ctx->caller_audio % 1000,
                  ctx->agent_audio / 1000, ctx->agent_audio % 1000,
                  ctx->interruptions);
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

    (void) ngx_http_voicebridge_leg_close(&call->agent, status, NULL);

    call->agent_closing = 1;
    call->agent_deadline = ngx_current_msec
                           + NGX_HTTP_VOICEBRIDGE_CLOSE_TIMEOUT;
}


/* what was sent to the phone has been played */

static void
ngx_http_voicebridge_end_drained(ngx_http_voicebridge_call_t *call)
{
    if (ngx_http_voicebridge_endings[call->cause].fallback
        && call->conf->fallback_twiml && !call->fallback_done
        && !call->phone.eof && !call->stopped && call->ctx->call_sid.len)
    {
        call->fallback_done = 1;

        if (ngx_http_voicebridge_end_redirect(call) == NGX_OK) {
            call->state = NGX_HTTP_VOICEBRIDGE_REDIRECTING;
            call->deadline = ngx_current_msec + call->conf->twilio_timeout
                             + NGX_HTTP_VOICEBRIDGE_REDIRECT_WAIT;
            return;
        }

        ngx_log_error(NGX_LOG_ERR, ngx_http_voicebridge_call_log(call), 0,
                      "call %V: voicebridge_fallback_twiml could not be put on "
                      "the call", &call->ctx->call_sid);
    }

    ngx_http_voicebridge_end_phone(call);
}


static ngx_int_t
ngx_http_voicebridge_end_redirect(ngx_http_voicebridge_call_t *call)
{
    u_char                        *p;
    size_t                         len;
    ngx_str_t                      verbs, *api;
    ngx_http_request_t            *r;
    ngx_http_voicebridge_fetch_t  *f;

    r = call->request;
    api = &call->conf->twilio_api_url->url;

    if (ngx_http_voicebridge_value(r, call->conf->fallback_twiml, &verbs)
        != NGX_OK
        || verbs.len == 0)
    {
        return NGX_DECLINED;
    }

    f = ngx_http_voicebridge_fetch_create();
    if (f == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_voicebridge_value(r, call->conf->account_sid, &f->user)
        != NGX_OK
        || ngx_http_voicebridge_value(r, call->conf->auth_token, &f->password)
           != NGX_OK
        || f->user.len == 0 || f->password.len == 0
        || ngx_http_voicebridge_end_redirect_body(call, &verbs, f->pool,
                                                  &f->body)
           != NGX_OK)
    {
        goto failed;
    }

    len = api->len + sizeof("/2010-04-01/Accounts//Calls/.json")
          + f->user.len + call->ctx->call_sid.len;

    f->url.data = ngx_pnalloc(f->pool, len);
    if (f->url.data == NULL) {
        goto failed;
    }

    p = ngx_sprintf(f->url.data, "%V/2010-04-01/Accounts/%V/Calls/%V.json",
                    api, &f->user, &call->ctx->call_sid);
    f->url.len = p - f->url.data;

    f->timeout = call->conf->twilio_timeout;
    f->ssl_verify = call->conf->ssl_verify;
    f->trusted_certificate = call->conf->ssl_trusted_certificate;
    f->handler = ngx_http_voicebridge_end_redirected;
    f->data = call;

    call->fetch = f;

    if (ngx_http_voicebridge_fetch_start(f) != NGX_OK) {
        call->fetch = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;

failed:

    ngx_destroy_pool(f->pool);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_voicebridge_end_redirect_body(ngx_http_voicebridge_call_t *call,
    ngx_str_t *verbs, ngx_pool_t *pool, ngx_str_t *body)
{
    u_char     *p;
    ssize_t     len;
    ngx_str_t   twiml;

    p = ngx_pnalloc(pool, VB_TWIML_MAX_REST);
    if (p == NULL) {
        return NGX_ERROR;
    }

    len = vb_twiml_verbs(p, VB_TWIML_MAX_REST, verbs);
    if (len < 0) {
        return NGX_ERROR;
    }

    twiml.data = p;
    twiml.len = len;

    body->data = ngx_pnalloc(pool, vb_twilio_call_update(NULL, &twiml));
    if (body->data == NULL) {
        return NGX_ERROR;
    }

    body->len = vb_twilio_call_update(body->data, &twiml);

    return NGX_OK;
}


static void
ngx_http_voicebridge_end_redirected(ngx_http_voicebridge_fetch_t *f)
{
    ngx_connection_t             *c;
    vb_twilio_answer_t            answer;
    ngx_http_voicebridge_call_t  *call;

    call = f->data;
    call->fetch = NULL;
    c = call->request->connection;

    ngx_http_set_log_request(c->log, call->request);

    ngx_memzero(&answer, sizeof(vb_twilio_answer_t));

    if (f->status) {
        (void) vb_twilio_answer_parse(&answer, &f->answer);
    }

    if (f->status == NGX_HTTP_OK) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "call %V: voicebridge_fallback_twiml was put on the call",
                      &call->ctx->call_sid);

        /* Twilio ends the stream itself */

        call->deadline = ngx_current_msec
                         + NGX_HTTP_VOICEBRIDGE_REDIRECT_WAIT;

    } else {

        if (answer.code != VB_TWILIO_NOT_IN_PROGRESS
            && answer.code != VB_TWILIO_NOT_FOUND)
        {
            ngx_log_error(NGX_LOG_ERR, c->log, 0,
                          "call %V: voicebridge_fallback_twiml was not put on "
                          "the call: %s, status %ui, code %L %V",
                          &call->ctx->call_sid,
                          f->error ? f->error : "Twilio refused", f->status,
                          answer.code, &answer.message);
        }

        if (call->state == NGX_HTTP_VOICEBRIDGE_REDIRECTING) {
            ngx_http_voicebridge_end_phone(call);
        }
    }

    ngx_http_voicebridge_call_pump(call);
    ngx_http_run_posted_requests(c);
}


static void
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
