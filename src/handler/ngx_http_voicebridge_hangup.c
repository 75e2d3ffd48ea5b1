
/*
 * POST ?sid=CA...&action=hangup: an operator ends a call.  Twilio is asked
 * to, so that it works for the calls of every worker, and for one that still
 * rings; the call's own worker then sees the caller leave, and the wish in
 * the call's record.
 */


#include <ngx_http_voicebridge_calls.h>
#include <ngx_http_voicebridge_fetch.h>

#include <vb_form.h>
#include <vb_twilio_call.h>


#define NGX_HTTP_VOICEBRIDGE_HANGUP_FIELDS   8
#define NGX_HTTP_VOICEBRIDGE_HANGUP_MESSAGE  512
#define NGX_HTTP_VOICEBRIDGE_HANGUP_DETAIL   768


/* in the fetch's pool, for it may outlive the request */
typedef struct {
    ngx_http_request_t   *request;     /* NULL: has gone */
    ngx_pool_cleanup_t   *cleanup;     /* of the request, sets it to NULL */
    ngx_shm_zone_t       *zone;
    ngx_str_t             sid;
} ngx_http_voicebridge_hangup_t;


static ngx_int_t ngx_http_voicebridge_hangup_query(ngx_http_request_t *r,
    ngx_str_t *sid, ngx_str_t *detail);
static ngx_int_t ngx_http_voicebridge_hangup_ask(ngx_http_request_t *r,
    ngx_shm_zone_t *zone, ngx_str_t *sid, ngx_str_t *detail);
static ngx_int_t ngx_http_voicebridge_hangup_request(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f, ngx_str_t *sid);
static ngx_pool_cleanup_t *ngx_http_voicebridge_hangup_hold(
    ngx_http_request_t *r, ngx_http_voicebridge_fetch_t *f,
    ngx_shm_zone_t *zone, ngx_str_t *sid);
static void ngx_http_voicebridge_hangup_detach(void *data);
static void ngx_http_voicebridge_hangup_done(ngx_http_voicebridge_fetch_t *f);
static ngx_uint_t ngx_http_voicebridge_hangup_result(
    ngx_http_voicebridge_fetch_t *f, ngx_str_t *detail);
static ngx_int_t ngx_http_voicebridge_hangup_send(ngx_http_request_t *r,
    ngx_str_t *sid, const char *status);


ngx_int_t
ngx_http_voicebridge_hangup(ngx_http_request_t *r, ngx_shm_zone_t *zone)
{
    ngx_int_t  rc;
    ngx_str_t  sid, detail;

    if (ngx_http_voicebridge_api_key(r) != NGX_OK) {
        ngx_str_set(&detail, "Invalid or missing API key");
        return ngx_http_voicebridge_send_detail(r, NGX_HTTP_UNAUTHORIZED,
                                                &detail);
    }

    rc = ngx_http_voicebridge_hangup_query(r, &sid, &detail);

    if (rc != NGX_OK) {
        return rc == NGX_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR
                               : ngx_http_voicebridge_send_detail(r, rc,
                                                                  &detail);
    }

    ngx_http_voicebridge_stats_reap(zone, 0);

    rc = ngx_http_voicebridge_stats_wish(zone, &sid,
                                         NGX_HTTP_VOICEBRIDGE_WISH_OPERATOR, 0);

    switch (rc) {

    case NGX_OK:
        break;

    case NGX_DONE:
        return ngx_http_voicebridge_hangup_send(r, &sid, "ended");

    default:
        ngx_str_set(&detail, "No such call");
        return ngx_http_voicebridge_send_detail(r, NGX_HTTP_NOT_FOUND,
                                                &detail);
    }

    /* of a body there is no use, and core reads it while Twilio is asked */

    rc = ngx_http_discard_request_body(r);

    if (rc == NGX_OK) {
        rc = ngx_http_voicebridge_hangup_ask(r, zone, &sid, &detail);
    }

    if (rc == NGX_OK) {
        r->main->count++;
        return NGX_DONE;
    }

    (void) ngx_http_voicebridge_stats_wish(zone, &sid,
                                           NGX_HTTP_VOICEBRIDGE_WISH_OPERATOR,
                                           1);

    return rc == NGX_DECLINED
           ? ngx_http_voicebridge_send_detail(r,
                                              NGX_HTTP_INTERNAL_SERVER_ERROR,
                                              &detail)
           : rc == NGX_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
}


/* NGX_OK with a SID, NGX_ERROR, or the status to answer with and a detail */

static ngx_int_t
ngx_http_voicebridge_hangup_query(ngx_http_request_t *r, ngx_str_t *sid,
    ngx_str_t *detail)
{
    u_char                 *args;
    ssize_t                 n;
    vb_form_field_t         fields[NGX_HTTP_VOICEBRIDGE_HANGUP_FIELDS];
    const vb_form_field_t  *action, *found;

    args = ngx_pnalloc(r->pool, r->args.len + 1);
    if (args == NULL) {
        return NGX_ERROR;
    }

    if (r->args.len) {
        ngx_memcpy(args, r->args.data, r->args.len);
    }

    n = vb_form_parse(fields, NGX_HTTP_VOICEBRIDGE_HANGUP_FIELDS, args,
                      r->args.len);

    action = n > 0 ? vb_form_find(fields, n, "action") : NULL;
    found = n > 0 ? vb_form_find(fields, n, "sid") : NULL;

    if (action == NULL || !vb_str_eq(&action->value, "hangup")) {
        ngx_str_set(detail, "action must be hangup");
        return NGX_HTTP_BAD_REQUEST;
    }

    if (found == NULL || !vb_twilio_sid(&found->value, "CA")) {
        ngx_str_set(detail, "sid must be a call's SID: CA and 32 hexadecimal "
                            "digits");
        return NGX_HTTP_BAD_REQUEST;
    }

    *sid = found->value;

    return NGX_OK;
}


/* NGX_OK: the answer will come; NGX_DECLINED with a detail; NGX_ERROR */

static ngx_int_t
ngx_http_voicebridge_hangup_ask(ngx_http_request_t *r, ngx_shm_zone_t *zone,
    ngx_str_t *sid, ngx_str_t *detail)
{
    ngx_int_t                      rc;
    ngx_pool_cleanup_t            *cln;
    ngx_http_voicebridge_fetch_t  *f;

    f = ngx_http_voicebridge_fetch_create();
    if (f == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_voicebridge_hangup_request(r, f, sid);

    if (rc != NGX_OK) {
        ngx_str_set(detail, "Twilio credentials not configured");
        ngx_destroy_pool(f->pool);
        return rc;
    }

    cln = ngx_http_voicebridge_hangup_hold(r, f, zone, sid);
    if (cln == NULL) {
        ngx_destroy_pool(f->pool);
        return NGX_ERROR;
    }

    if (ngx_http_voicebridge_fetch_start(f) != NGX_OK) {
        cln->handler = NULL;
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "call %V: an operator hangs up", sid);

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_hangup_request(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f, ngx_str_t *sid)
{
    ngx_str_t                         none;
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
                      "call %V: an operator cannot hang up: Twilio "
                      "credentials not configured", sid);
        return NGX_DECLINED;
    }

    if (ngx_http_voicebridge_calls_url(f->pool, &vlcf->twilio_api_url->url,
                                       &f->user, sid, &f->url)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_null(&none);

    f->body.len = vb_twilio_call_update(NULL, &none);
    f->body.data = ngx_pnalloc(f->pool, f->body.len);

    if (f->body.data == NULL) {
        return NGX_ERROR;
    }

    (void) vb_twilio_call_update(f->body.data, &none);

    f->timeout = vlcf->twilio_timeout;
    f->ssl_verify = vlcf->ssl_verify;
    f->trusted_certificate = vlcf->ssl_trusted_certificate;

    return NGX_OK;
}


static ngx_pool_cleanup_t *
ngx_http_voicebridge_hangup_hold(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f, ngx_shm_zone_t *zone, ngx_str_t *sid)
{
    ngx_pool_cleanup_t             *cln;
    ngx_http_voicebridge_hangup_t  *h;

    h = ngx_pcalloc(f->pool, sizeof(ngx_http_voicebridge_hangup_t));
    if (h == NULL) {
        return NULL;
    }

    h->sid.len = sid->len;
    h->sid.data = ngx_pstrdup(f->pool, sid);

    if (h->sid.data == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_voicebridge_hangup_detach;
    cln->data = h;

    h->request = r;
    h->cleanup = cln;
    h->zone = zone;

    f->handler = ngx_http_voicebridge_hangup_done;
    f->data = h;

    return cln;
}


static void
ngx_http_voicebridge_hangup_detach(void *data)
{
    ngx_http_voicebridge_hangup_t *h = data;

    h->request = NULL;
}


static void
ngx_http_voicebridge_hangup_done(ngx_http_voicebridge_fetch_t *f)
{
    ngx_int_t                       rc;
    ngx_str_t                       detail;
    ngx_uint_t                      status;
    ngx_connection_t               *c;
    ngx_http_request_t             *r;
    ngx_http_voicebridge_hangup_t  *h;

    h = f->data;
    r = h->request;

    status = ngx_http_voicebridge_hangup_result(f, &detail);

    if (status != NGX_HTTP_OK) {
        (void) ngx_http_voicebridge_stats_wish(h->zone, &h->sid,
                                        NGX_HTTP_VOICEBRIDGE_WISH_OPERATOR, 1);

        ngx_http_voicebridge_stats_count(h->zone,
                                         NGX_HTTP_VOICEBRIDGE_STATS_FAILURES,
                                         "twilio",
                                         f->failure ? f->failure : "invalid");

        ngx_log_error(NGX_LOG_ERR, r ? r->connection->log : f->log, 0,
                      "call %V: an operator could not hang up: %V", &h->sid,
                      &detail);
    }

    if (r == NULL) {
        return;
    }

    h->cleanup->handler = NULL;

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    rc = status == NGX_HTTP_OK
         ? ngx_http_voicebridge_hangup_send(r, &h->sid,
                                            f->status == NGX_HTTP_OK
                                            ? "completed" : "ended")
         : ngx_http_voicebridge_send_detail(r, status, &detail);

    ngx_http_finalize_request(r, rc);

    /* nobody else does, this being no event of the client's connection */

    ngx_http_run_posted_requests(c);
}


/* the status to answer with, and a detail for one that is not 200 */

static ngx_uint_t
ngx_http_voicebridge_hangup_result(ngx_http_voicebridge_fetch_t *f,
    ngx_str_t *detail)
{
    u_char              *p, *last;
    ngx_str_t            message;
    vb_twilio_answer_t   answer;

    if (f->status == NGX_HTTP_OK) {
        return NGX_HTTP_OK;
    }

    if (f->status == 0
        || vb_twilio_answer_parse(&answer, &f->answer) != VB_OK)
    {
        ngx_memzero(&answer, sizeof(vb_twilio_answer_t));
    }

    if (answer.code == VB_TWILIO_NOT_IN_PROGRESS
        || answer.code == VB_TWILIO_NOT_FOUND)
    {
        return NGX_HTTP_OK;
    }

    ngx_str_set(detail, "Twilio could not end the call");

    p = ngx_pnalloc(f->pool, NGX_HTTP_VOICEBRIDGE_HANGUP_DETAIL);

    if (p == NULL
        || ngx_http_voicebridge_plain_text(f->pool, &answer.message,
                                           NGX_HTTP_VOICEBRIDGE_HANGUP_MESSAGE,
                                           &message)
           != NGX_OK)
    {
        return NGX_HTTP_BAD_GATEWAY;
    }

    last = p + NGX_HTTP_VOICEBRIDGE_HANGUP_DETAIL;
    detail->data = p;

    if (f->status) {
        p = ngx_slprintf(p, last, "Twilio could not end the call (status %ui):"
                                  " error %L: %V", f->status, answer.code,
                         &message);

    } else {
        p = ngx_slprintf(p, last, "Twilio could not be asked to end the call: "
                                  "%s", f->error);
    }

    detail->len = p - detail->data;

    return f->timed_out ? NGX_HTTP_GATEWAY_TIME_OUT : NGX_HTTP_BAD_GATEWAY;
}


static ngx_int_t
ngx_http_voicebridge_hangup_send(ngx_http_request_t *r, ngx_str_t *sid,
    const char *status)
{
    u_char     *p;
    ngx_str_t   body;

    static ngx_str_t  type = ngx_string("application/json");

    p = ngx_pnalloc(r->pool, sid->len + 128);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = p;
    body.len = ngx_sprintf(p, "{\"success\": true, \"call_sid\": \"%V\", "
                              "\"status\": \"%s\"}" CRLF, sid, status)
               - p;

    return ngx_http_voicebridge_send(r, NGX_HTTP_OK, &type, &body);
}
