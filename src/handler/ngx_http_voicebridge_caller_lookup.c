
/*
 * Somebody calls: while the phone rings, a service of the user's is asked who
 * that is, what the agent has to know, and maybe which agent.
 */


#include <ngx_http_voicebridge_incoming.h>
#include <ngx_http_voicebridge_fetch.h>
#include <ngx_http_voicebridge_stats.h>

#include <vb_agent_lookup.h>


/* of the fetch's pool */
typedef struct {
    ngx_http_request_t           *request;     /* NULL: has gone */
    ngx_pool_cleanup_t           *cleanup;     /* of the request, sets it to
                                                  NULL */
} ngx_http_voicebridge_caller_t;


static ngx_int_t ngx_http_voicebridge_caller_fetch(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f, ngx_str_t *url);
static ngx_int_t ngx_http_voicebridge_caller_headers(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f);
static ngx_int_t ngx_http_voicebridge_caller_header(ngx_http_request_t *r,
    ngx_http_voicebridge_header_conf_t *header, ngx_str_t *value);
static ngx_int_t ngx_http_voicebridge_caller_body(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f);
static ngx_pool_cleanup_t *ngx_http_voicebridge_caller_hold(
    ngx_http_request_t *r, ngx_http_voicebridge_fetch_t *f);
static void ngx_http_voicebridge_caller_detach(void *data);
static void ngx_http_voicebridge_caller_done(ngx_http_voicebridge_fetch_t *f);
static ngx_int_t ngx_http_voicebridge_caller_found(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f);
static ngx_int_t ngx_http_voicebridge_caller_failed(ngx_http_request_t *r,
    const char *kind, const char *why);


ngx_int_t
ngx_http_voicebridge_caller_lookup(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    ngx_str_t                         url;
    ngx_pool_cleanup_t               *cln;
    ngx_http_voicebridge_fetch_t     *f;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (ngx_http_voicebridge_value(r, vlcf->caller_lookup, &url) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (url.len == 0) {
        return ngx_http_voicebridge_incoming_answer(r, NULL);
    }

    if (!ngx_http_voicebridge_is_url(&url)) {
        return ngx_http_voicebridge_caller_failed(r, "other",
                                       "its URL does not begin with "
                                       "\"http://\" or \"https://\", or has "
                                       "spaces");
    }

    f = ngx_http_voicebridge_fetch_create();
    if (f == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_voicebridge_caller_fetch(r, f, &url);

    if (rc != NGX_OK) {
        ngx_destroy_pool(f->pool);

        return rc == NGX_DECLINED
               ? ngx_http_voicebridge_caller_failed(r, "other",
                                                    "it cannot be asked")
               : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln = ngx_http_voicebridge_caller_hold(r, f);
    if (cln == NULL) {
        ngx_destroy_pool(f->pool);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->connection->log->action = "looking up a caller";

    if (ngx_http_voicebridge_fetch_start(f) != NGX_OK) {
        cln->handler = NULL;
        return ngx_http_voicebridge_caller_failed(r, "other",
                                                  "it cannot be asked");
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_voicebridge_caller_fetch(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f, ngx_str_t *url)
{
    ngx_int_t                         rc;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    f->url = *url;

    /* it only tells something: to be asked twice does no harm */

    f->repeatable = 1;

    f->timeout = vlcf->caller_lookup_timeout;
    f->ssl_verify = vlcf->ssl_verify;
    f->trusted_certificate = vlcf->ssl_trusted_certificate;

    rc = ngx_http_voicebridge_caller_headers(r, f);

    return rc == NGX_OK ? ngx_http_voicebridge_caller_body(r, f) : rc;
}


/* what the body is, and who is asking */

static ngx_int_t
ngx_http_voicebridge_caller_headers(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f)
{
    u_char                              *p;
    size_t                               len;
    ngx_int_t                            rc;
    ngx_str_t                           *value;
    ngx_uint_t                           i, n;
    ngx_http_voicebridge_header_conf_t  *header;
    ngx_http_voicebridge_loc_conf_t     *vlcf;

    static ngx_str_t  type = ngx_string("Content-Type: application/json");

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    f->header = type;

    if (vlcf->caller_lookup_headers == NULL) {
        return NGX_OK;
    }

    header = vlcf->caller_lookup_headers->elts;
    n = vlcf->caller_lookup_headers->nelts;

    value = ngx_palloc(f->pool, n * sizeof(ngx_str_t));
    if (value == NULL) {
        return NGX_ERROR;
    }

    len = type.len;

    for (i = 0; i < n; i++) {
        rc = ngx_http_voicebridge_caller_header(r, &header[i], &value[i]);

        if (rc != NGX_OK) {
            return rc;
        }

        len += sizeof("\n: ") - 1 + header[i].name.len + value[i].len;
    }

    p = ngx_pnalloc(f->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    f->header.data = p;

    p = ngx_cpymem(p, type.data, type.len);

    for (i = 0; i < n; i++) {
        if (value[i].len) {
            p = ngx_sprintf(p, "\n%V: %V", &header[i].name, &value[i]);
        }
    }

    f->header.len = p - f->header.data;

    return NGX_OK;
}


/* NGX_DECLINED: what its variables hold would be more than one line */

static ngx_int_t
ngx_http_voicebridge_caller_header(ngx_http_request_t *r,
    ngx_http_voicebridge_header_conf_t *header, ngx_str_t *value)
{
    size_t  i;

    if (ngx_http_voicebridge_value(r, header->value, value) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < value->len; i++) {

        if (value->data[i] < ' ' || value->data[i] == 0x7f) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "\"voicebridge_caller_lookup_header %V\" has a "
                          "control character", &header->name);
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_caller_body(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f)
{
    vb_agent_lookup_t            lookup;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_voicebridge_ctx(r);

    lookup.caller_id = ctx->from;
    lookup.agent_id = ctx->agent_id;
    lookup.called_number = ctx->to;
    lookup.call_sid = ctx->call_sid;

    f->body.len = vb_agent_lookup_write(NULL, &lookup);
    f->body.data = ngx_pnalloc(f->pool, f->body.len);

    if (f->body.data == NULL) {
        return NGX_ERROR;
    }

    (void) vb_agent_lookup_write(f->body.data, &lookup);

    return NGX_OK;
}


static ngx_pool_cleanup_t *
ngx_http_voicebridge_caller_hold(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f)
{
    ngx_pool_cleanup_t             *cln;
    ngx_http_voicebridge_caller_t  *caller;

    caller = ngx_palloc(f->pool, sizeof(ngx_http_voicebridge_caller_t));
    if (caller == NULL) {
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_voicebridge_caller_detach;
    cln->data = caller;

    caller->request = r;
    caller->cleanup = cln;

    f->handler = ngx_http_voicebridge_caller_done;
    f->data = caller;

    return cln;
}


static void
ngx_http_voicebridge_caller_detach(void *data)
{
    ngx_http_voicebridge_caller_t *caller = data;

    caller->request = NULL;
}


static void
ngx_http_voicebridge_caller_done(ngx_http_voicebridge_fetch_t *f)
{
    char                            why[128];
    ngx_int_t                       rc;
    ngx_connection_t               *c;
    ngx_http_request_t             *r;
    ngx_http_voicebridge_caller_t  *caller;

    caller = f->data;
    r = caller->request;

    if (r == NULL) {
        return;
    }

    caller->cleanup->handler = NULL;

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    c->log->action = "answering a webhook";

    if (f->timed_out) {
        rc = ngx_http_voicebridge_caller_failed(r, "timeout",
                                        "no answer within "
                                        "voicebridge_caller_lookup_timeout");

    } else if (f->status == 0) {
        rc = ngx_http_voicebridge_caller_failed(r, f->failure, f->error);

    } else if (f->status != NGX_HTTP_OK) {
        *ngx_sprintf((u_char *) why, "it answered with status %ui", f->status)
                                                                      = '\0';
        rc = ngx_http_voicebridge_caller_failed(r, f->failure, why);

    } else {
        rc = ngx_http_voicebridge_caller_found(r, f);
    }

    ngx_http_finalize_request(r, rc);

    /* nobody else does, this being no event of the client's connection */

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_voicebridge_caller_found(ngx_http_request_t *r,
    ngx_http_voicebridge_fetch_t *f)
{
    char                   why[256];
    u_char                *buf;
    ngx_int_t              rc;
    vb_agent_looked_up_t   found;

    buf = ngx_pnalloc(f->pool, vb_agent_lookup_room(f->answer.len));
    if (buf == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (vb_agent_lookup_parse(&found, &f->answer, buf, why, sizeof(why))
        != VB_OK)
    {
        return ngx_http_voicebridge_caller_failed(r, NULL, why);
    }

    rc = ngx_http_voicebridge_incoming_answer(r, &found);

    if (rc == NGX_DECLINED) {
        return ngx_http_voicebridge_caller_failed(r, NULL,
                                       "its answer does not fit the call's "
                                       "TwiML, which Twilio limits to 64 KiB");
    }

    return rc;
}


/* kind: the failure of the fetch; NULL: its answer cannot be used */

static ngx_int_t
ngx_http_voicebridge_caller_failed(ngx_http_request_t *r, const char *kind,
    const char *why)
{
    ngx_http_voicebridge_ctx_t        *ctx;
    ngx_http_voicebridge_loc_conf_t   *vlcf;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    static ngx_str_t    type = ngx_string("text/xml");
    static ngx_str_t    reject = ngx_string("<?xml version=\"1.0\" "
                                   "encoding=\"UTF-8\"?><Response><Reject/>"
                                   "</Response>");
    static const char  *rules[] = {
        "it goes on without", "it is rejected", "its fallback URL takes it"
    };

    ctx = ngx_http_voicebridge_ctx(r);
    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);
    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);

    ngx_http_voicebridge_stats_count(vmcf->zone,
                                     NGX_HTTP_VOICEBRIDGE_STATS_FAILURES,
                                     "caller_lookup", kind ? kind : "invalid");

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "call %V: the caller could not be looked up: %s; %s",
                  &ctx->call_sid, why, rules[vlcf->caller_lookup_failure]);

    switch (vlcf->caller_lookup_failure) {

    case NGX_HTTP_VOICEBRIDGE_LOOKUP_REJECT:
        return ngx_http_voicebridge_send(r, NGX_HTTP_OK, &type, &reject);

    case NGX_HTTP_VOICEBRIDGE_LOOKUP_FALLBACK:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;

    default:
        return ngx_http_voicebridge_incoming_answer(r, NULL);
    }
}
