
/* The end of a call by other TwiML: a fallback, or a stream elsewhere */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <vb_mask.h>
#include <vb_twilio_call.h>
#include <vb_twiml.h>

#include <ngx_http_voicebridge_call.h>


static ngx_int_t ngx_http_voicebridge_redirect_twiml(
    ngx_http_voicebridge_call_t *call, ngx_str_t *twiml);
static ngx_int_t ngx_http_voicebridge_redirect_variables(
    ngx_http_voicebridge_call_t *call, ngx_str_t *variables);
static ngx_int_t ngx_http_voicebridge_redirect_request(
    ngx_http_voicebridge_call_t *call, ngx_http_voicebridge_fetch_t *f,
    ngx_str_t *twiml);
static void ngx_http_voicebridge_redirect_done(
    ngx_http_voicebridge_fetch_t *f);
static void ngx_http_voicebridge_redirect_failed(
    ngx_http_voicebridge_call_t *call, ngx_http_voicebridge_fetch_t *f,
    const char *what);


ngx_int_t
ngx_http_voicebridge_redirect(ngx_http_voicebridge_call_t *call)
{
    ngx_int_t                      rc;
    ngx_str_t                      twiml;
    ngx_http_request_t            *r;
    ngx_http_voicebridge_fetch_t  *f;

    r = call->request;

    rc = ngx_http_voicebridge_redirect_twiml(call, &twiml);
    if (rc != NGX_OK) {
        return rc;
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
        || ngx_http_voicebridge_redirect_request(call, f, &twiml) != NGX_OK)
    {
        ngx_destroy_pool(f->pool);
        return NGX_ERROR;
    }

    f->timeout = call->conf->twilio_timeout;
    f->ssl_verify = call->conf->ssl_verify;
    f->trusted_certificate = call->conf->ssl_trusted_certificate;
    f->handler = ngx_http_voicebridge_redirect_done;
    f->data = call;

    call->fetch = f;

    if (ngx_http_voicebridge_fetch_start(f) != NGX_OK) {
        call->fetch = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the document: a new stream for a hand-off, or the operator's fallback */

static ngx_int_t
ngx_http_voicebridge_redirect_twiml(ngx_http_voicebridge_call_t *call,
    ngx_str_t *twiml)
{
    ssize_t              len;
    ngx_str_t            verbs, variables;
    ngx_http_request_t  *r;

    r = call->request;

    if (call->cause == NGX_HTTP_VOICEBRIDGE_END_HANDOFF) {

        /* the new stream knows no parameters but the module's own */

        if (ngx_http_voicebridge_redirect_variables(call, &variables)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        return call->twiml(r, call->ctx, &variables, VB_TWIML_MAX_REST, twiml)
               == NGX_OK ? NGX_OK : NGX_ERROR;
    }

    if (ngx_http_voicebridge_xml_value(r, call->conf->fallback_twiml, &verbs)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (verbs.len == 0) {
        return NGX_DECLINED;
    }

    twiml->data = ngx_pnalloc(r->pool, VB_TWIML_MAX_REST);
    if (twiml->data == NULL) {
        return NGX_ERROR;
    }

    len = vb_twiml_verbs(twiml->data, VB_TWIML_MAX_REST, &verbs);
    twiml->len = len;

    return len < 0 ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_redirect_variables(ngx_http_voicebridge_call_t *call,
    ngx_str_t *variables)
{
    vb_agent_init_t  init;

    *variables = call->dynamic_variables;

    if (call->nparameters == 0) {
        return NGX_OK;
    }

    init.dynamic_variables = call->dynamic_variables;
    ngx_str_null(&init.client);
    init.extra = call->extra;
    init.nextra = call->nparameters;

    variables->len = vb_agent_variables(NULL, &init);

    variables->data = ngx_pnalloc(call->request->pool, variables->len);
    if (variables->data == NULL) {
        return NGX_ERROR;
    }

    (void) vb_agent_variables(variables->data, &init);

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_redirect_request(ngx_http_voicebridge_call_t *call,
    ngx_http_voicebridge_fetch_t *f, ngx_str_t *twiml)
{
    ngx_str_t  *api, *sid;

    api = &call->conf->twilio_api_url->url;
    sid = &call->ctx->call_sid;

    f->url.len = vb_twilio_calls_url(NULL, api, &f->user, sid);
    f->url.data = ngx_pnalloc(f->pool, f->url.len);

    f->body.len = vb_twilio_call_update(NULL, twiml);
    f->body.data = ngx_pnalloc(f->pool, f->body.len);

    if (f->url.data == NULL || f->body.data == NULL) {
        return NGX_ERROR;
    }

    (void) vb_twilio_calls_url(f->url.data, api, &f->user, sid);
    (void) vb_twilio_call_update(f->body.data, twiml);

    return NGX_OK;
}


static void
ngx_http_voicebridge_redirect_done(ngx_http_voicebridge_fetch_t *f)
{
    const char                   *what;
    ngx_connection_t             *c;
    ngx_http_voicebridge_call_t  *call;

    call = f->data;
    call->fetch = NULL;
    c = call->request->connection;

    ngx_http_set_log_request(c->log, call->request);

    what = call->cause == NGX_HTTP_VOICEBRIDGE_END_HANDOFF
           ? "a new stream" : "voicebridge_fallback_twiml";

    ngx_http_voicebridge_stats_event(&call->stats,
                                     NGX_HTTP_VOICEBRIDGE_STEP_REDIRECTED,
                                     f->status);
    ngx_http_voicebridge_report_failure(call, "twilio", f->failure);

    if (f->status == NGX_HTTP_OK) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "call %V: %s was put on the call", &call->ctx->call_sid,
                      what);

        /* Twilio ends the stream itself */

        call->deadline = ngx_current_msec
                         + NGX_HTTP_VOICEBRIDGE_REDIRECT_WAIT;

    } else {
        ngx_http_voicebridge_redirect_failed(call, f, what);

        if (call->state == NGX_HTTP_VOICEBRIDGE_REDIRECTING) {
            ngx_http_voicebridge_end_phone(call);
        }
    }

    (void) ngx_http_voicebridge_call_pump(call);
    ngx_http_run_posted_requests(c);
}


/* says so, unless the call is over already */

static void
ngx_http_voicebridge_redirect_failed(ngx_http_voicebridge_call_t *call,
    ngx_http_voicebridge_fetch_t *f, const char *what)
{
    ngx_log_t           *log;
    vb_twilio_answer_t   answer;

    log = ngx_http_voicebridge_call_log(call);

    if (f->status == 0) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "call %V: %s was not put on the call: %s; the call ends "
                      "instead",
                      &call->ctx->call_sid, what,
                      f->error ? f->error : "no answer came from Twilio");
        return;
    }

    ngx_memzero(&answer, sizeof(vb_twilio_answer_t));

    (void) vb_twilio_answer_parse(&answer, &f->answer);

    if (answer.code == VB_TWILIO_NOT_IN_PROGRESS
        || answer.code == VB_TWILIO_NOT_FOUND)
    {
        return;
    }

    vb_mask_numbers(answer.message.data, answer.message.len);

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "call %V: %s was not put on the call: Twilio refused, status "
                  "%ui, code %L %V; the call ends instead",
                  &call->ctx->call_sid, what, f->status, answer.code,
                  &answer.message);
}
