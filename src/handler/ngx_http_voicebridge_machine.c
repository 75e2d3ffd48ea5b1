
/*
 * Twilio has found out who answers a call: what was decided for that case is
 * done to the live call, by REST.
 */


#include <ngx_http_voicebridge_webhook.h>
#include <ngx_http_voicebridge_fetch.h>

#include <vb_twilio_call.h>
#include <vb_twilio_machine.h>
#include <vb_twiml.h>


/* in the fetch's pool: it outlives the request */
typedef struct {
    ngx_shm_zone_t   *zone;        /* of the wish; NULL: there is none */
    ngx_str_t         sid;
} ngx_http_voicebridge_machine_t;


static ngx_int_t ngx_http_voicebridge_machine_variables(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx);
static ngx_int_t ngx_http_voicebridge_machine_arg(ngx_http_request_t *r,
    char *name, ngx_str_t *value);
static ngx_int_t ngx_http_voicebridge_machine_twiml(ngx_http_request_t *r,
    ngx_str_t *twiml);
static ngx_int_t ngx_http_voicebridge_machine_act(ngx_http_request_t *r,
    ngx_str_t *sid, ngx_str_t *twiml);
static ngx_int_t ngx_http_voicebridge_machine_request(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f, ngx_str_t *sid, ngx_str_t *twiml);
static ngx_http_voicebridge_machine_t *ngx_http_voicebridge_machine_hold(
    ngx_http_request_t *r, ngx_http_voicebridge_fetch_t *f, ngx_str_t *sid,
    ngx_str_t *twiml);
static void ngx_http_voicebridge_machine_wish(ngx_shm_zone_t *zone,
    ngx_str_t *sid, ngx_uint_t failed);
static void ngx_http_voicebridge_machine_done(ngx_http_voicebridge_fetch_t *f);


void
ngx_http_voicebridge_machine(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, ngx_str_t *answered_by)
{
    int        class, action;
    ngx_str_t  value, twiml;

    class = vb_twilio_class(answered_by);

    if (class == VB_ERROR || class >= VB_TWILIO_MACHINE
        || ngx_http_voicebridge_machine_arg(r,
                                       (char *) vb_twilio_class_name(class),
                                            &value)
           != NGX_OK)
    {
        return;
    }

    action = vb_twilio_action(&value);

    if ((action != VB_TWILIO_HANG_UP && action != VB_TWILIO_MESSAGE)
        || ctx->call_sid.len == 0)
    {
        return;
    }

    ngx_str_null(&twiml);

    if (ngx_http_voicebridge_machine_variables(r, ctx) != NGX_OK
        || (action == VB_TWILIO_MESSAGE
            && ngx_http_voicebridge_machine_twiml(r, &twiml) != NGX_OK)
        || ngx_http_voicebridge_machine_act(r, &ctx->call_sid, &twiml)
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "call %V: answered by %s, which was to %s, and goes on",
                      &ctx->call_sid, vb_twilio_class_name(class),
                      action == VB_TWILIO_MESSAGE ? "get a message"
                                                  : "end the call");
        return;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "call %V: answered by %s: %s", &ctx->call_sid,
                  vb_twilio_class_name(class),
                  action == VB_TWILIO_MESSAGE ? "a message is left"
                                              : "hanging up");
}


/* what the message may depend on */

static ngx_int_t
ngx_http_voicebridge_machine_variables(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx)
{
    if (ngx_http_voicebridge_machine_arg(r, "agent_id", &ctx->agent_id)
        == NGX_ERROR
        || ngx_http_voicebridge_machine_arg(r, "session_id", &ctx->session_id)
           == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* an argument of the query, decoded; NGX_DECLINED: it is not there */

static ngx_int_t
ngx_http_voicebridge_machine_arg(ngx_http_request_t *r, char *name,
    ngx_str_t *value)
{
    ssize_t           n;
    u_char           *p;
    ngx_str_t         args;
    vb_form_field_t   field[VB_FORM_MAX_FIELDS];

    const vb_form_field_t  *found;

    if (r->args.len == 0) {
        return NGX_DECLINED;
    }

    args.data = ngx_pstrdup(r->pool, &r->args);
    if (args.data == NULL) {
        return NGX_ERROR;
    }

    p = args.data;
    n = vb_form_parse(field, VB_FORM_MAX_FIELDS, p, r->args.len);

    found = n > 0 ? vb_form_find(field, n, name) : NULL;

    if (found == NULL) {
        return NGX_DECLINED;
    }

    *value = found->value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_machine_twiml(ngx_http_request_t *r, ngx_str_t *twiml)
{
    ssize_t                           len;
    ngx_str_t                         verbs;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (ngx_http_voicebridge_xml_value(r, vlcf->message_twiml, &verbs)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (verbs.len == 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "no message for an answering machine: set "
                      "\"voicebridge_message_twiml\"");
        return NGX_ERROR;
    }

    twiml->data = ngx_pnalloc(r->pool, VB_TWIML_MAX_REST);
    if (twiml->data == NULL) {
        return NGX_ERROR;
    }

    len = vb_twiml_verbs(twiml->data, VB_TWIML_MAX_REST, &verbs);
    twiml->len = len;

    if (len < 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "\"voicebridge_message_twiml\" has more than 4000 "
                      "characters");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* twiml: instead of the stream; empty: the end of the call */

static ngx_int_t
ngx_http_voicebridge_machine_act(ngx_http_request_t *r, ngx_str_t *sid,
    ngx_str_t *twiml)
{
    ngx_shm_zone_t                   *zone;
    ngx_http_voicebridge_fetch_t     *f;
    ngx_http_voicebridge_machine_t   *m;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    f = ngx_http_voicebridge_fetch_create();
    if (f == NULL) {
        return NGX_ERROR;
    }

    m = ngx_http_voicebridge_machine_hold(r, f, sid, twiml);

    if (m == NULL
        || ngx_http_voicebridge_machine_request(r, f, sid, twiml) != NGX_OK)
    {
        ngx_destroy_pool(f->pool);
        return NGX_ERROR;
    }

    f->timeout = vlcf->twilio_timeout;
    f->ssl_verify = vlcf->ssl_verify;
    f->trusted_certificate = vlcf->ssl_trusted_certificate;
    f->handler = ngx_http_voicebridge_machine_done;
    f->data = m;

    /*
     * The call's own worker sees nothing but the caller leave: what was
     * wanted is in the call's record before Twilio may do it.
     */

    zone = m->zone;

    ngx_http_voicebridge_machine_wish(zone, sid, 0);

    if (ngx_http_voicebridge_fetch_start(f) != NGX_OK) {
        ngx_http_voicebridge_machine_wish(zone, sid, 1);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_machine_request(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f, ngx_str_t *sid, ngx_str_t *twiml)
{
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (ngx_http_voicebridge_value(r, vlcf->account_sid, &f->user) != NGX_OK
        || ngx_http_voicebridge_value(r, vlcf->auth_token, &f->password)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (f->user.len == 0 || f->password.len == 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "Twilio credentials not configured");
        return NGX_ERROR;
    }

    if (ngx_http_voicebridge_calls_url(f->pool, &vlcf->twilio_api_url->url,
                                       &f->user, sid, &f->url)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    f->body.len = vb_twilio_call_update(NULL, twiml);
    f->body.data = ngx_pnalloc(f->pool, f->body.len);

    if (f->body.data == NULL) {
        return NGX_ERROR;
    }

    (void) vb_twilio_call_update(f->body.data, twiml);

    return NGX_OK;
}


static ngx_http_voicebridge_machine_t *
ngx_http_voicebridge_machine_hold(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f, ngx_str_t *sid, ngx_str_t *twiml)
{
    ngx_http_voicebridge_machine_t    *m;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    m = ngx_pcalloc(f->pool, sizeof(ngx_http_voicebridge_machine_t));
    if (m == NULL) {
        return NULL;
    }

    m->sid.len = sid->len;
    m->sid.data = ngx_pstrdup(f->pool, sid);

    if (m->sid.data == NULL) {
        return NULL;
    }

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);

    m->zone = twiml->len ? NULL : vmcf->zone;

    return m;
}


static void
ngx_http_voicebridge_machine_wish(ngx_shm_zone_t *zone, ngx_str_t *sid,
    ngx_uint_t failed)
{
    if (zone) {
        (void) ngx_http_voicebridge_stats_wish(zone, sid,
                                           NGX_HTTP_VOICEBRIDGE_WISH_MACHINE,
                                               failed);
    }
}


static void
ngx_http_voicebridge_machine_done(ngx_http_voicebridge_fetch_t *f)
{
    ngx_str_t                        message;
    vb_twilio_answer_t               answer;
    ngx_http_voicebridge_machine_t  *m;

    m = f->data;

    if (f->status >= 200 && f->status < 300) {
        return;
    }

    /* however the call ends, it is not for this */

    ngx_http_voicebridge_machine_wish(m->zone, &m->sid, 1);

    if (f->status == 0
        || vb_twilio_answer_parse(&answer, &f->answer) != VB_OK)
    {
        ngx_memzero(&answer, sizeof(vb_twilio_answer_t));
    }

    if (answer.code == VB_TWILIO_NOT_IN_PROGRESS
        || answer.code == VB_TWILIO_NOT_FOUND)
    {
        ngx_log_error(NGX_LOG_INFO, f->log, 0, "call %V: was over already",
                      &m->sid);
        return;
    }

    if (ngx_http_voicebridge_plain_text(f->pool, &answer.message, 512,
                                        &message)
        != NGX_OK)
    {
        ngx_str_null(&message);
    }

    ngx_log_error(NGX_LOG_ERR, f->log, 0,
                  "call %V: goes on after who answered it was known: %s, "
                  "status %ui, code %L %V", &m->sid,
                  f->error ? f->error : "Twilio refused", f->status,
                  answer.code, &message);
}
