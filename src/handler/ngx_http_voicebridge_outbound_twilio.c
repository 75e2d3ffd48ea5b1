
/*
 * Asks Twilio to place a call, and makes of its answer one line in the log
 * and, if the client still waits, an answer (contract 1.1).
 */


#include <ngx_http_voicebridge_outbound.h>
#include <ngx_http_voicebridge_fetch.h>

#include <vb_json.h>


#define NGX_HTTP_VOICEBRIDGE_DETAIL_SIZE   1536
#define NGX_HTTP_VOICEBRIDGE_MESSAGE_SIZE  512
#define NGX_HTTP_VOICEBRIDGE_SESSION_SIZE  128

#define NGX_HTTP_VOICEBRIDGE_MAY_EXIST  ", the call may exist"


/* in the fetch's pool, for it may outlive the request */
typedef struct {
    ngx_http_request_t   *request;     /* NULL: has gone */
    ngx_pool_cleanup_t   *cleanup;     /* of the request, sets it to NULL */
    ngx_str_t             to;          /* these for the log */
    ngx_str_t             session_id;
} ngx_http_voicebridge_outbound_t;


typedef struct {
    ngx_uint_t            status;      /* to answer with */
    ngx_str_t             detail;      /* why not, else */
    ngx_str_t             message;     /* Twilio's, fit to be shown */
    vb_twilio_answer_t    answer;
} ngx_http_voicebridge_result_t;


static ngx_int_t ngx_http_voicebridge_outbound_fetch(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f, vb_twilio_call_t *call,
    ngx_http_voicebridge_account_t *account);
static ngx_int_t ngx_http_voicebridge_outbound_url(
    ngx_http_voicebridge_fetch_t *f, ngx_str_t *base, ngx_str_t *sid);
static ngx_pool_cleanup_t *ngx_http_voicebridge_outbound_keep(
    ngx_http_request_t *r, ngx_http_voicebridge_fetch_t *f);
static void ngx_http_voicebridge_outbound_detach(void *data);
static void ngx_http_voicebridge_outbound_done(
    ngx_http_voicebridge_fetch_t *f);
static void ngx_http_voicebridge_outbound_read(
    ngx_http_voicebridge_fetch_t *f, ngx_http_voicebridge_result_t *result);
static u_char *ngx_http_voicebridge_outbound_no_answer(
    ngx_http_voicebridge_fetch_t *f, ngx_http_voicebridge_result_t *result,
    u_char *p, u_char *last);
static u_char *ngx_http_voicebridge_outbound_failure(
    ngx_http_voicebridge_fetch_t *f, ngx_http_voicebridge_result_t *result,
    u_char *p, u_char *last);
static u_char *ngx_http_voicebridge_outbound_code(
    ngx_http_voicebridge_result_t *result, u_char *p, u_char *last);
static void ngx_http_voicebridge_outbound_log(ngx_log_t *log,
    ngx_http_voicebridge_outbound_t *o, ngx_http_voicebridge_result_t *result);
static ngx_int_t ngx_http_voicebridge_outbound_send(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f, ngx_http_voicebridge_result_t *result);
static ngx_int_t ngx_http_voicebridge_outbound_placed(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx);
static u_char *ngx_http_voicebridge_outbound_member(u_char *p,
    const char *name, ngx_str_t *value);
static ngx_int_t ngx_http_voicebridge_outbound_copy(ngx_http_request_t *r,
    ngx_str_t *dst, ngx_str_t *src);


ngx_int_t
ngx_http_voicebridge_outbound_place(ngx_http_request_t *r,
    vb_twilio_call_t *call, ngx_http_voicebridge_account_t *account)
{
    u_char                           *p;
    ngx_str_t                         base;
    ngx_pool_cleanup_t               *cln;
    ngx_http_voicebridge_fetch_t     *f;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

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

    if (ngx_http_voicebridge_outbound_fetch(r, f, call, account) != NGX_OK) {
        ngx_destroy_pool(f->pool);
        return NGX_ERROR;
    }

    cln = ngx_http_voicebridge_outbound_keep(r, f);
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

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (ngx_http_voicebridge_outbound_url(f, &vlcf->twilio_api_url->url,
                                          &account->sid)
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


static ngx_int_t
ngx_http_voicebridge_outbound_url(ngx_http_voicebridge_fetch_t *f,
    ngx_str_t *base, ngx_str_t *sid)
{
    u_char     *p;
    uintptr_t   escape;

    /* may come from a variable */

    escape = 2 * ngx_escape_uri(NULL, sid->data, sid->len,
                                NGX_ESCAPE_URI_COMPONENT);

    p = ngx_pnalloc(f->pool, base->len + sid->len + escape
                             + sizeof("/2010-04-01/Accounts//Calls.json"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    f->url.data = p;

    p = ngx_sprintf(p, "%V/2010-04-01/Accounts/", base);
    p = (u_char *) ngx_escape_uri(p, sid->data, sid->len,
                                  NGX_ESCAPE_URI_COMPONENT);
    p = ngx_cpymem(p, "/Calls.json", sizeof("/Calls.json") - 1);

    f->url.len = p - f->url.data;

    return NGX_OK;
}


/* what is needed when the answer comes, with or without the request */

static ngx_pool_cleanup_t *
ngx_http_voicebridge_outbound_keep(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f)
{
    ngx_pool_cleanup_t               *cln;
    ngx_http_voicebridge_ctx_t       *ctx;
    ngx_http_voicebridge_outbound_t  *o;

    ctx = ngx_http_voicebridge_ctx(r);
    if (ctx == NULL) {
        return NULL;
    }

    o = ngx_pcalloc(f->pool, sizeof(ngx_http_voicebridge_outbound_t));
    if (o == NULL) {
        return NULL;
    }

    if (ngx_http_voicebridge_masked(f->pool, &ctx->to, &o->to) != NGX_OK
        || ngx_http_voicebridge_plain_text(f->pool, &ctx->session_id,
                                           NGX_HTTP_VOICEBRIDGE_SESSION_SIZE,
                                           &o->session_id)
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
    ngx_connection_t                 *c;
    ngx_http_request_t               *r;
    ngx_http_voicebridge_result_t     result;
    ngx_http_voicebridge_outbound_t  *o;

    o = f->data;
    r = o->request;

    ngx_http_voicebridge_outbound_read(f, &result);

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
                           ngx_http_voicebridge_outbound_send(r, f, &result));

    /* nobody else does, this being no event of the client's connection */

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_voicebridge_outbound_read(ngx_http_voicebridge_fetch_t *f,
    ngx_http_voicebridge_result_t *result)
{
    u_char     *p, *last;
    ngx_int_t   rc;

    ngx_str_null(&result->message);
    ngx_str_null(&result->detail);

    rc = vb_twilio_answer_parse(&result->answer, &f->answer);

    if (rc != VB_OK) {
        ngx_memzero(&result->answer, sizeof(vb_twilio_answer_t));
    }

    if (f->status >= 200 && f->status < 300 && result->answer.sid.len) {
        result->status = NGX_HTTP_OK;
        return;
    }

    if (ngx_http_voicebridge_plain_text(f->pool, &result->answer.message,
                                        NGX_HTTP_VOICEBRIDGE_MESSAGE_SIZE,
                                        &result->message)
        != NGX_OK)
    {
        ngx_str_null(&result->message);
    }

    p = ngx_pnalloc(f->pool, NGX_HTTP_VOICEBRIDGE_DETAIL_SIZE);

    if (p == NULL) {
        result->status = NGX_HTTP_BAD_GATEWAY;
        return;
    }

    result->detail.data = p;
    last = p + NGX_HTTP_VOICEBRIDGE_DETAIL_SIZE;

    p = f->status ? ngx_http_voicebridge_outbound_failure(f, result, p, last)
                  : ngx_http_voicebridge_outbound_no_answer(f, result, p, last);

    result->detail.len = p - result->detail.data;
}


static u_char *
ngx_http_voicebridge_outbound_no_answer(ngx_http_voicebridge_fetch_t *f,
    ngx_http_voicebridge_result_t *result, u_char *p, u_char *last)
{
    if (!f->maybe_sent) {

        /* without a connection there was no request, hence there is no call */

        result->status = f->timed_out ? NGX_HTTP_GATEWAY_TIME_OUT
                                      : NGX_HTTP_BAD_GATEWAY;

        return ngx_slprintf(p, last, "Twilio could not be reached%s, there is "
                                     "no call: %s",
                            f->timed_out ? " in time" : "", f->error);
    }

    if (f->timed_out) {
        result->status = NGX_HTTP_GATEWAY_TIME_OUT;

        return ngx_slprintf(p, last, "Twilio did not answer in time"
                                     NGX_HTTP_VOICEBRIDGE_MAY_EXIST);
    }

    result->status = NGX_HTTP_BAD_GATEWAY;

    return ngx_slprintf(p, last, "Twilio gave no complete answer"
                                 NGX_HTTP_VOICEBRIDGE_MAY_EXIST ": %s",
                        f->error);
}


static u_char *
ngx_http_voicebridge_outbound_failure(ngx_http_voicebridge_fetch_t *f,
    ngx_http_voicebridge_result_t *result, u_char *p, u_char *last)
{
    if (f->status == NGX_HTTP_TOO_MANY_REQUESTS) {
        result->status = NGX_HTTP_TOO_MANY_REQUESTS;

        p = ngx_slprintf(p, last, "Twilio takes no more requests at the "
                                  "moment");

        return ngx_http_voicebridge_outbound_code(result, p, last);
    }

    if (f->status == NGX_HTTP_UNAUTHORIZED
        || f->status == NGX_HTTP_FORBIDDEN
        || f->status == NGX_HTTP_NOT_FOUND)
    {
        result->status = NGX_HTTP_BAD_GATEWAY;

        p = ngx_slprintf(p, last, "Twilio does not accept this server's "
                                  "account (status %ui)", f->status);

        return ngx_http_voicebridge_outbound_code(result, p, last);
    }

    if (f->status >= 400 && f->status < 500) {
        result->status = NGX_HTTP_BAD_REQUEST;

        p = ngx_slprintf(p, last, "Twilio refused the call (status %ui)",
                         f->status);

        return ngx_http_voicebridge_outbound_code(result, p, last);
    }

    result->status = NGX_HTTP_BAD_GATEWAY;

    if (f->status >= 500) {
        p = ngx_slprintf(p, last, "Twilio failed (status %ui)"
                                  NGX_HTTP_VOICEBRIDGE_MAY_EXIST, f->status);

        return ngx_http_voicebridge_outbound_code(result, p, last);
    }

    return ngx_slprintf(p, last, "Twilio's answer (status %ui) could not be "
                                 "read" NGX_HTTP_VOICEBRIDGE_MAY_EXIST,
                        f->status);
}


static u_char *
ngx_http_voicebridge_outbound_code(ngx_http_voicebridge_result_t *result,
    u_char *p, u_char *last)
{
    if (result->answer.code) {
        p = ngx_slprintf(p, last, ": error %L", result->answer.code);
    }

    if (result->message.len) {
        p = ngx_slprintf(p, last, ": %V", &result->message);
    }

    return p;
}


static void
ngx_http_voicebridge_outbound_log(ngx_log_t *log,
    ngx_http_voicebridge_outbound_t *o, ngx_http_voicebridge_result_t *result)
{
    if (result->status == NGX_HTTP_OK) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "Outbound call initiated: %V to %V, session %V%s",
                      &result->answer.sid, &o->to, &o->session_id,
                      o->request ? "" : ", the client has gone");
        return;
    }

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  "Outbound call to %V, session %V, failed: %V%s",
                  &o->to, &o->session_id, &result->detail,
                  o->request ? "" : ", the client has gone");
}


static ngx_int_t
ngx_http_voicebridge_outbound_send(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f, ngx_http_voicebridge_result_t *result)
{
    u_char                      *p;
    ngx_str_t                    retry_after;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_voicebridge_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (result->status == NGX_HTTP_OK) {

        if (ngx_http_voicebridge_outbound_copy(r, &ctx->call_sid,
                                               &result->answer.sid)
            != NGX_OK
            || ngx_http_voicebridge_outbound_copy(r, &ctx->status,
                                                  &result->answer.status)
               != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_voicebridge_outbound_placed(r, ctx);
    }

    if (f->status) {
        p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
        if (p == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->status.data = p;
        ctx->status.len = ngx_sprintf(p, "%ui", f->status) - p;
    }

    if (result->status == NGX_HTTP_TOO_MANY_REQUESTS) {

        /* Twilio says so at times; a second is the pace of its call queue */

        ngx_str_set(&retry_after, "1");

        if (f->retry_after.len
            && ngx_http_voicebridge_outbound_copy(r, &retry_after,
                                                  &f->retry_after)
               != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (ngx_http_voicebridge_add_header(r, "Retry-After", &retry_after)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_voicebridge_send_detail(r, result->status,
                                            &result->detail);
}


static ngx_int_t
ngx_http_voicebridge_outbound_placed(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx)
{
    u_char     *p;
    size_t      len;
    ngx_str_t   body;

    static ngx_str_t  type = ngx_string("application/json");
    static ngx_str_t  message =
                          ngx_string("Outbound call initiated successfully");

    len = sizeof("{\"success\": true, \"call_sid\": \"\", \"to\": \"\", "
                 "\"status\": \"\", \"message\": \"\", \"session_id\": \"\"}")
          + vb_json_escape(NULL, ctx->call_sid.data, ctx->call_sid.len)
          + vb_json_escape(NULL, ctx->to.data, ctx->to.len)
          + vb_json_escape(NULL, ctx->status.data, ctx->status.len)
          + message.len
          + vb_json_escape(NULL, ctx->session_id.data, ctx->session_id.len);

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = p;

    p = ngx_cpymem(p, "{\"success\": true", sizeof("{\"success\": true") - 1);

    p = ngx_http_voicebridge_outbound_member(p, "call_sid", &ctx->call_sid);
    p = ngx_http_voicebridge_outbound_member(p, "to", &ctx->to);
    p = ngx_http_voicebridge_outbound_member(p, "status", &ctx->status);
    p = ngx_http_voicebridge_outbound_member(p, "message", &message);
    p = ngx_http_voicebridge_outbound_member(p, "session_id",
                                             &ctx->session_id);

    *p++ = '}';

    body.len = p - body.data;

    return ngx_http_voicebridge_send(r, NGX_HTTP_OK, &type, &body);
}


static u_char *
ngx_http_voicebridge_outbound_member(u_char *p, const char *name,
    ngx_str_t *value)
{
    p = ngx_sprintf(p, ", \"%s\": \"", name);
    p += vb_json_escape(p, value->data, value->len);
    *p++ = '"';

    return p;
}


/* the fetch and its answer go before the request and its variables */

static ngx_int_t
ngx_http_voicebridge_outbound_copy(ngx_http_request_t *r, ngx_str_t *dst,
    ngx_str_t *src)
{
    if (src->len == 0) {
        ngx_str_null(dst);
        return NGX_OK;
    }

    dst->data = ngx_pstrdup(r->pool, src);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    dst->len = src->len;

    return NGX_OK;
}
