
/*
 * Asks Twilio to place a call, and makes of its answer one line in the log,
 * what is kept for a repeated request and, if the client still waits, an
 * answer.
 */


#include <ngx_http_voicebridge_outbound.h>


#define NGX_HTTP_VOICEBRIDGE_SESSION_SIZE  128


/* in the fetch's pool, for it may outlive the request */
typedef struct {
    ngx_http_request_t           *request;     /* NULL: has gone */
    ngx_pool_cleanup_t           *cleanup;     /* of the request, sets it to
                                                  NULL */
    ngx_http_voicebridge_once_t   once;
    ngx_http_voicebridge_hold_t   hold;
    ngx_str_t                     to;          /* these for an answer */
    ngx_str_t                     session_id;
    ngx_str_t                     masked;      /* and these for the log */
    ngx_str_t                     session;
    ngx_shm_zone_t               *zone;
    ngx_http_voicebridge_record_t record;      /* these for the zone */
} ngx_http_voicebridge_outbound_t;


static ngx_int_t ngx_http_voicebridge_outbound_fetch(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f, vb_twilio_call_t *call,
    ngx_http_voicebridge_account_t *account);
static ngx_pool_cleanup_t *ngx_http_voicebridge_outbound_attach(
    ngx_http_request_t *r, ngx_http_voicebridge_fetch_t *f,
    ngx_http_voicebridge_order_t *order);
static void ngx_http_voicebridge_outbound_detach(void *data);
static void ngx_http_voicebridge_outbound_done(
    ngx_http_voicebridge_fetch_t *f);
static void ngx_http_voicebridge_outbound_tell(
    ngx_http_voicebridge_fetch_t *f, ngx_http_voicebridge_outbound_t *o,
    ngx_http_voicebridge_result_t *result);
static void ngx_http_voicebridge_outbound_log(ngx_log_t *log,
    ngx_http_voicebridge_outbound_t *o, ngx_http_voicebridge_result_t *result);
static ngx_int_t ngx_http_voicebridge_outbound_send(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f, ngx_http_voicebridge_result_t *result,
    ngx_str_t *body);
static ngx_int_t ngx_http_voicebridge_outbound_retry(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f);
static ngx_int_t ngx_http_voicebridge_outbound_copy(ngx_pool_t *pool,
    ngx_str_t *dst, ngx_str_t *src);


ngx_int_t
ngx_http_voicebridge_outbound_place(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order)
{
    u_char                           *p;
    ngx_str_t                         base;
    vb_twilio_call_t                 *call;
    ngx_pool_cleanup_t               *cln;
    ngx_http_voicebridge_fetch_t     *f;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    call = &order->call;

    call->time_limit = (uint32_t) ngx_min((vlcf->max_call_duration + 999)
                                          / 1000,
                                          NGX_MAX_INT32_VALUE);

    if (ngx_http_voicebridge_public_url(r, &base) != NGX_OK) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(r->pool, base.len + vlcf->call_status_path.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    call->status_callback.data = p;
    call->status_callback.len = ngx_sprintf(p, "%V%V", &base,
                                            &vlcf->call_status_path)
                                - p;

    f = ngx_http_voicebridge_fetch_create();
    if (f == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_voicebridge_outbound_fetch(r, f, call, &order->account)
        != NGX_OK)
    {
        ngx_destroy_pool(f->pool);
        return NGX_ERROR;
    }

    cln = ngx_http_voicebridge_outbound_attach(r, f, order);
    if (cln == NULL) {
        ngx_destroy_pool(f->pool);
        return NGX_ERROR;
    }

    r->connection->log->action = "placing a call";

    if (ngx_http_voicebridge_fetch_start(f) != NGX_OK) {
        cln->handler = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_outbound_fetch(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f, vb_twilio_call_t *call,
    ngx_http_voicebridge_account_t *account)
{
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    static ngx_str_t  none = ngx_null_string;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (ngx_http_voicebridge_calls_url(f->pool, &vlcf->twilio_api_url->url,
                                       &account->sid, &none, &f->url)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    f->body.len = vb_twilio_call_create(NULL, call);
    f->body.data = ngx_pnalloc(f->pool, f->body.len);

    if (f->body.data == NULL) {
        return NGX_ERROR;
    }

    (void) vb_twilio_call_create(f->body.data, call);

    f->user = account->sid;
    f->password = account->token;

    f->timeout = vlcf->twilio_timeout;
    f->ssl_verify = vlcf->ssl_verify;
    f->trusted_certificate = vlcf->ssl_trusted_certificate;

    return NGX_OK;
}


/* what is needed when the answer comes, with or without the request */

static ngx_pool_cleanup_t *
ngx_http_voicebridge_outbound_attach(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f, ngx_http_voicebridge_order_t *order)
{
    ngx_pool_cleanup_t                *cln;
    ngx_http_voicebridge_ctx_t        *ctx;
    ngx_http_voicebridge_outbound_t   *o;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);

    ctx = ngx_http_voicebridge_ctx(r);
    if (ctx == NULL) {
        return NULL;
    }

    o = ngx_pcalloc(f->pool, sizeof(ngx_http_voicebridge_outbound_t));
    if (o == NULL) {
        return NULL;
    }

    if (ngx_http_voicebridge_outbound_copy(f->pool, &o->to, &ctx->to) != NGX_OK
        || ngx_http_voicebridge_outbound_copy(f->pool, &o->session_id,
                                              &ctx->session_id)
           != NGX_OK
        || ngx_http_voicebridge_masked(f->pool, &ctx->to, &o->masked) != NGX_OK
        || ngx_http_voicebridge_plain_text(f->pool, &ctx->session_id,
                                           NGX_HTTP_VOICEBRIDGE_SESSION_SIZE,
                                           &o->session)
           != NGX_OK)
    {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_voicebridge_outbound_detach;
    cln->data = o;

    o->request = r;
    o->cleanup = cln;
    o->once = order->once;
    o->hold = order->hold;
    o->zone = vmcf->zone;

    ngx_http_voicebridge_record_of(ctx, &o->record);

    f->handler = ngx_http_voicebridge_outbound_done;
    f->data = o;

    return cln;
}


static void
ngx_http_voicebridge_outbound_detach(void *data)
{
    ngx_http_voicebridge_outbound_t *o = data;

    o->request = NULL;
}


static void
ngx_http_voicebridge_outbound_done(ngx_http_voicebridge_fetch_t *f)
{
    ngx_str_t                         body;
    ngx_connection_t                 *c;
    ngx_http_request_t               *r;
    ngx_http_voicebridge_result_t     result;
    ngx_http_voicebridge_outbound_t  *o;

    o = f->data;
    r = o->request;

    ngx_http_voicebridge_outbound_result(f, &result);
    ngx_http_voicebridge_outbound_tell(f, o, &result);
    ngx_http_voicebridge_hold_release(&o->hold);

    /* what cannot be kept is not said the first time */

    if (ngx_http_voicebridge_outbound_json(f->pool, &result, &o->to,
                                           &o->session_id, o->once.zone
                                 ? NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_ROOM
                                 : NGX_MAX_SIZE_T_VALUE, &body)
        != NGX_OK)
    {
        ngx_str_null(&body);
    }

    ngx_http_voicebridge_outbound_remember(&o->once, &result, &o->session_id,
                                           &body);

    if (r == NULL) {
        ngx_http_voicebridge_outbound_log(f->log, o, &result);
        return;
    }

    /* o goes with the fetch, maybe before the request */

    o->cleanup->handler = NULL;

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_voicebridge_outbound_log(c->log, o, &result);

    c->log->action = "sending to client";

    ngx_http_finalize_request(r,
                    ngx_http_voicebridge_outbound_send(r, f, &result, &body));

    /* nobody else does, this being no event of the client's connection */

    ngx_http_run_posted_requests(c);
}


/* for operators: a call that waits, or a request that failed */

static void
ngx_http_voicebridge_outbound_tell(ngx_http_voicebridge_fetch_t *f,
    ngx_http_voicebridge_outbound_t *o, ngx_http_voicebridge_result_t *result)
{
    if (result->status == NGX_HTTP_OK) {
        ngx_http_voicebridge_record_text(o->record.call_sid,
                                         sizeof(o->record.call_sid),
                                         &result->answer.sid);

        ngx_http_voicebridge_stats_placed(o->zone, &o->record,
                 NGX_HTTP_VOICEBRIDGE_STEP_PLACED,
                 ngx_http_voicebridge_call_status_of(&result->answer.status));
        return;
    }

    ngx_http_voicebridge_stats_count(o->zone,
                                     NGX_HTTP_VOICEBRIDGE_STATS_FAILURES,
                                     "twilio",
                                     f->failure ? f->failure : "invalid");
}


static void
ngx_http_voicebridge_outbound_log(ngx_log_t *log,
    ngx_http_voicebridge_outbound_t *o, ngx_http_voicebridge_result_t *result)
{
    if (result->status == NGX_HTTP_OK) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "Outbound call initiated: %V to %V, session %V%s",
                      &result->answer.sid, &o->masked, &o->session,
                      o->request ? "" : ", the client has gone");
        return;
    }

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "Outbound call to %V, session %V, failed: %V%s%s%s",
                  &o->masked, &o->session, &result->detail,
                  o->request ? "" : ", the client has gone",
                  result->remedy ? "; " : "",
                  result->remedy ? result->remedy : "");
}


static ngx_int_t
ngx_http_voicebridge_outbound_send(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f, ngx_http_voicebridge_result_t *result,
    ngx_str_t *body)
{
    u_char                      *p;
    ngx_str_t                    answer;
    ngx_http_voicebridge_ctx_t  *ctx;

    static ngx_str_t  type = ngx_string("application/json");

    ctx = ngx_http_voicebridge_ctx(r);

    if (ctx == NULL || body->len == 0
        || ngx_http_voicebridge_outbound_copy(r->pool, &answer, body)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (result->status == NGX_HTTP_OK) {

        if (ngx_http_voicebridge_outbound_copy(r->pool, &ctx->call_sid,
                                               &result->answer.sid)
            != NGX_OK
            || ngx_http_voicebridge_outbound_copy(r->pool, &ctx->status,
                                                  &result->answer.status)
               != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else if (f->status) {
        p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
        if (p == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->status.data = p;
        ctx->status.len = ngx_sprintf(p, "%ui", f->status) - p;
    }

    if (result->status == NGX_HTTP_TOO_MANY_REQUESTS
        && ngx_http_voicebridge_outbound_retry(r, f) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_voicebridge_send(r, result->status, &type, &answer);
}


static ngx_int_t
ngx_http_voicebridge_outbound_retry(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f)
{
    ngx_str_t  retry_after;

    /* Twilio says so at times; a second is the pace of its call queue */

    ngx_str_set(&retry_after, "1");

    if (f->retry_after.len
        && ngx_http_voicebridge_outbound_copy(r->pool, &retry_after,
                                              &f->retry_after)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_voicebridge_add_header(r, "Retry-After", &retry_after);
}


/* the fetch and its answer go before the request and its variables */

static ngx_int_t
ngx_http_voicebridge_outbound_copy(ngx_pool_t *pool, ngx_str_t *dst,
    ngx_str_t *src)
{
    if (src->len == 0) {
        ngx_str_null(dst);
        return NGX_OK;
    }

    dst->data = ngx_pstrdup(pool, src);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    dst->len = src->len;

    return NGX_OK;
}
