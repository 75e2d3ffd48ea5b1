
/* One attempt: an event is signed, posted, and the answer judged */


#include <ngx_http_voicebridge_notify_event.h>
#include <ngx_http_voicebridge_fetch.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>


/* of the signed text, in front of the body: the time and a point */
#define NGX_HTTP_VOICEBRIDGE_SIGNED_TIME  (NGX_TIME_T_LEN + 1)

/* a receiver cannot put off an event for longer by Retry-After, ms */
#define NGX_HTTP_VOICEBRIDGE_RETRY_AFTER  3600000


static ngx_int_t ngx_http_voicebridge_notify_load(
    ngx_http_voicebridge_event_t *e, ngx_http_voicebridge_fetch_t *f);
static ngx_int_t ngx_http_voicebridge_notify_headers(
    ngx_http_voicebridge_event_t *e, ngx_http_voicebridge_fetch_t *f);
static u_char *ngx_http_voicebridge_notify_sign(u_char *p, ngx_str_t *secret,
    ngx_str_t *body);
static void ngx_http_voicebridge_notify_unsent(
    ngx_http_voicebridge_event_t *e);
static void ngx_http_voicebridge_notify_sent(ngx_http_voicebridge_fetch_t *f);
static void ngx_http_voicebridge_notify_failed(
    ngx_http_voicebridge_event_t *e, ngx_http_voicebridge_fetch_t *f);


void
ngx_http_voicebridge_notify_send(ngx_http_voicebridge_event_t *e)
{
    ngx_int_t                        rc;
    ngx_http_voicebridge_fetch_t    *f;
    ngx_http_voicebridge_webhook_t  *webhook;

    f = ngx_http_voicebridge_fetch_create();

    if (f == NULL) {
        ngx_http_voicebridge_notify_unsent(e);
        return;
    }

    rc = ngx_http_voicebridge_notify_load(e, f);

    if (rc == NGX_OK) {
        rc = ngx_http_voicebridge_notify_headers(e, f);
    }

    if (rc != NGX_OK) {
        ngx_destroy_pool(f->pool);

        if (rc == NGX_DECLINED) {
            ngx_http_voicebridge_notify_done(e, "lost");

        } else {
            ngx_http_voicebridge_notify_unsent(e);
        }

        return;
    }

    webhook = &e->receiver->webhook;

    f->url = webhook->url;
    f->timeout = webhook->timeout;
    f->ssl_verify = webhook->ssl_verify;
    f->trusted_certificate = webhook->trusted_certificate;
    f->repeatable = 1;
    f->handler = ngx_http_voicebridge_notify_sent;
    f->data = e;

    if (ngx_http_voicebridge_fetch_start(f) != NGX_OK) {
        ngx_http_voicebridge_notify_unsent(e);
        return;
    }

    e->sending = 1;
    e->receiver->running++;
}


/* an attempt that could not be begun: the reason is in the log */

static void
ngx_http_voicebridge_notify_unsent(ngx_http_voicebridge_event_t *e)
{
    (void) ngx_http_voicebridge_notify_later(e, 0);

    if (ngx_exiting && e->spool == NULL) {
        ngx_http_voicebridge_notify_gone(e->receiver);
    }
}


/* the body, with room for the time in front of it; NGX_DECLINED: it is gone */

static ngx_int_t
ngx_http_voicebridge_notify_load(ngx_http_voicebridge_event_t *e,
    ngx_http_voicebridge_fetch_t *f)
{
    u_char     *p;
    ngx_err_t   err;
    ngx_int_t   rc;
    ngx_str_t   body;

    body = e->body;

    if (e->spool) {
        err = 0;
        rc = ngx_http_voicebridge_spool_read(e->spool, (char *) e->name,
                                             f->pool,
                                             NGX_HTTP_VOICEBRIDGE_NOTIFY_BODY,
                                             &body, &err);
        if (rc != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, err,
                          "call %s: event %s cannot be read from \"%s/%s\"%s",
                          e->sid, e->type, e->spool->path, e->name,
                          rc == NGX_DECLINED ? ", it is given up" : "");
            return rc;
        }
    }

    p = ngx_pnalloc(f->pool, NGX_HTTP_VOICEBRIDGE_SIGNED_TIME + body.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    p += NGX_HTTP_VOICEBRIDGE_SIGNED_TIME;
    ngx_memcpy(p, body.data, body.len);

    f->body.data = p;
    f->body.len = body.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_notify_headers(ngx_http_voicebridge_event_t *e,
    ngx_http_voicebridge_fetch_t *f)
{
    u_char  *p;

    p = ngx_pnalloc(f->pool, 512);
    if (p == NULL) {
        return NGX_ERROR;
    }

    f->header.data = p;

    /* an "Expect" of libcurl's would cost a round trip, or a second */

    p = ngx_sprintf(p, "Content-Type: application/json\nExpect:\n"
                    "X-Voicebridge-Event: %s\nX-Voicebridge-Event-Id: %s",
                    e->type, e->id);

    if (e->receiver->webhook.secret.len) {
        p = ngx_http_voicebridge_notify_sign(p, &e->receiver->webhook.secret,
                                             &f->body);
        if (p == NULL) {
            return NGX_ERROR;
        }
    }

    f->header.len = p - f->header.data;

    return NGX_OK;
}


/* HMAC-SHA256 of the time, a point and the body */

static u_char *
ngx_http_voicebridge_notify_sign(u_char *p, ngx_str_t *secret,
    ngx_str_t *body)
{
    size_t        len;
    u_char       *text, now[NGX_HTTP_VOICEBRIDGE_SIGNED_TIME];
    u_char        mac[EVP_MAX_MD_SIZE];
    unsigned int  n;

    len = ngx_sprintf(now, "%T.", ngx_time()) - now;

    text = body->data - len;
    ngx_memcpy(text, now, len);

    if (HMAC(EVP_sha256(), secret->data, (int) secret->len, text,
             len + body->len, mac, &n)
        == NULL)
    {
        return NULL;
    }

    p = ngx_sprintf(p, "\nX-Voicebridge-Signature: t=%*s,v1=", len - 1, now);

    return ngx_hex_dump(p, mac, n);
}


static void
ngx_http_voicebridge_notify_sent(ngx_http_voicebridge_fetch_t *f)
{
    ngx_http_voicebridge_event_t     *e;
    ngx_http_voicebridge_receiver_t  *r;

    e = f->data;
    r = e->receiver;

    e->sending = 0;
    r->running--;

    if (f->status == 0 || f->status >= 500
        || f->status == NGX_HTTP_REQUEST_TIME_OUT
        || f->status == NGX_HTTP_TOO_MANY_REQUESTS)
    {
        ngx_http_voicebridge_notify_failed(e, f);
        ngx_http_voicebridge_notify_run();
        return;
    }

    if (r->failures) {
        r->failures = 0;

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "%V answers events again", &r->webhook.origin);
    }

    if (f->status >= 200 && f->status < 300) {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "call %s: event %s (%s) was delivered to %V", e->sid,
                      e->type, e->id, &r->webhook.origin);

        ngx_http_voicebridge_notify_done(e, "delivered");

    } else {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "call %s: event %s (%s) is given up: %V answered with "
                      "status %ui; check the URL of \"voicebridge_webhook\", "
                      "and the secret at both ends", e->sid, e->type, e->id,
                      &r->webhook.origin, f->status);

        ngx_http_voicebridge_notify_done(e, "given_up");
    }

    ngx_http_voicebridge_notify_run();
}


static void
ngx_http_voicebridge_notify_failed(ngx_http_voicebridge_event_t *e,
    ngx_http_voicebridge_fetch_t *f)
{
    u_char      why[256];
    ngx_int_t   seconds;
    ngx_msec_t  ms;
    ngx_uint_t  level;
    ngx_str_t  *origin;

    origin = &e->receiver->webhook.origin;

    if (f->status) {
        *ngx_snprintf(why, sizeof(why) - 1, "status %ui", f->status) = '\0';

    } else {
        *ngx_snprintf(why, sizeof(why) - 1, "%s", f->error) = '\0';
    }

    if (ngx_exiting && e->spool == NULL) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "call %s: event %s (%s) was not taken by %V: %s", e->sid,
                      e->type, e->id, origin, why);

        (void) ngx_http_voicebridge_notify_later(e, 0);
        ngx_http_voicebridge_notify_gone(e->receiver);
        return;
    }

    ms = 0;

    if (f->retry_after.len) {
        seconds = ngx_atoi(f->retry_after.data, f->retry_after.len);

        if (seconds > 0) {
            ms = ngx_min(seconds, NGX_HTTP_VOICEBRIDGE_RETRY_AFTER / 1000)
                 * 1000;
        }
    }

    level = (e->attempts == 0) ? NGX_LOG_WARN : NGX_LOG_INFO;

    ms = ngx_http_voicebridge_notify_later(e, ms);

    ngx_log_error(level, ngx_cycle->log, 0,
                  "call %s: event %s (%s) was not taken by %V: %s, once more "
                  "in %M.%03M s%s", e->sid, e->type, e->id, origin, why,
                  ms / 1000, ms % 1000,
                  f->failure && ngx_strcmp(f->failure, "tls") == 0
                  ? "; certificates are verified by "
                    "\"voicebridge_ssl_trusted_certificate\"" : "");
}
