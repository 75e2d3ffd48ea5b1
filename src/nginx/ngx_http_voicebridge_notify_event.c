
/* One event: its name and its body; and those who are to be told */


#include <ngx_http_voicebridge_notify_event.h>
#include <ngx_http_voicebridge_time.h>

#include <openssl/rand.h>


static ngx_int_t ngx_http_voicebridge_event_body(
    ngx_http_voicebridge_event_t *e, ngx_str_t *members);
static ngx_int_t ngx_http_voicebridge_event_name(
    ngx_http_voicebridge_event_t *e, ngx_str_t *name);
static ngx_http_voicebridge_receiver_t *ngx_http_voicebridge_receiver_copy(
    ngx_http_voicebridge_webhook_t *webhook);
static ngx_uint_t ngx_http_voicebridge_same_text(ngx_str_t *a, ngx_str_t *b);


static const char  *ngx_http_voicebridge_event_types[] = {
    "call.started",
    "call.answered",
    "call.ended",
    "call.tool_failed",
    "call.not_answered"
};


ngx_http_voicebridge_event_t *
ngx_http_voicebridge_event_create(ngx_uint_t event, ngx_uint_t count,
    ngx_http_voicebridge_webhook_t *webhook, ngx_str_t *call_sid,
    ngx_str_t *members)
{
    u_char                         random[16], hex[32];
    ngx_uint_t                     i;
    ngx_http_voicebridge_event_t  *e;

    if (RAND_bytes(random, sizeof(random)) != 1) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0, "RAND_bytes() failed");
        return NULL;
    }

    e = ngx_calloc(sizeof(ngx_http_voicebridge_event_t), ngx_cycle->log);
    if (e == NULL) {
        return NULL;
    }

    for (i = 0; event > 1; i++) {
        event >>= 1;
    }

    e->created = ngx_http_voicebridge_now();
    e->made = ngx_current_msec;
    e->due = ngx_current_msec;

    ngx_memcpy(e->key, webhook->key, NGX_HTTP_VOICEBRIDGE_WEBHOOK_KEY);

    ngx_hex_dump(hex, random, sizeof(random));

    *ngx_snprintf(e->id, sizeof(e->id) - 1, "evt_%*s", sizeof(hex), hex)
        = '\0';
    *ngx_snprintf(e->type, sizeof(e->type) - 1, "%s",
                  ngx_http_voicebridge_event_types[i])
        = '\0';

    if (call_sid->len && call_sid->len < sizeof(e->sid)) {
        *ngx_sprintf(e->sid, "%V", call_sid) = '\0';

    } else {
        *ngx_sprintf(e->sid, "none") = '\0';
    }

    *ngx_snprintf(e->name, sizeof(e->name) - 1, "%013uL-%06ui-%*s-%s-%s.%s",
                  e->created, count % 1000000, sizeof(e->key), e->key, e->sid,
                  e->id, e->type)
        = '\0';

    if (ngx_http_voicebridge_event_body(e, members) != NGX_OK) {
        ngx_free(e);
        return NULL;
    }

    return e;
}


static ngx_int_t
ngx_http_voicebridge_event_body(ngx_http_voicebridge_event_t *e,
    ngx_str_t *members)
{
    u_char  *p, created[NGX_HTTP_VOICEBRIDGE_TIME_LEN];

    if (members->len > NGX_HTTP_VOICEBRIDGE_NOTIFY_BODY - 256) {
        return NGX_ERROR;
    }

    e->body.data = ngx_alloc(256 + members->len, ngx_cycle->log);
    if (e->body.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_http_voicebridge_print_time(created, e->created);

    p = ngx_sprintf(e->body.data,
                    "{\"id\": \"%s\", \"type\": \"%s\", \"created\": \"%*s\", "
                    "%V}\n",
                    e->id, e->type, (size_t) (p - created), created, members);

    e->body.len = p - e->body.data;

    return NGX_OK;
}


ngx_http_voicebridge_event_t *
ngx_http_voicebridge_event_found(ngx_str_t *name, ngx_uint_t *error)
{
    ngx_http_voicebridge_event_t  *e;

    e = ngx_calloc(sizeof(ngx_http_voicebridge_event_t), ngx_cycle->log);
    if (e == NULL) {
        *error = 1;
        return NULL;
    }

    e->made = ngx_current_msec;
    e->due = ngx_current_msec;

    if (ngx_http_voicebridge_event_name(e, name) != NGX_OK) {
        ngx_free(e);
        return NULL;
    }

    return e;
}


/* the name of a file in the spool, which may be of another's making */

static ngx_int_t
ngx_http_voicebridge_event_name(ngx_http_voicebridge_event_t *e,
    ngx_str_t *name)
{
    u_char     *p, *last;
    ngx_int_t   n, i;
    ngx_str_t   part[6];

    static u_char  ends[] = "----.";

    if (name->len > NGX_HTTP_VOICEBRIDGE_SPOOL_NAME) {
        return NGX_ERROR;
    }

    p = name->data;
    last = p + name->len;

    for (i = 0; i < 6; i++) {
        part[i].data = p;

        p = (i < 5) ? ngx_strlchr(p, last, ends[i]) : last;

        if (p == NULL) {
            return NGX_ERROR;
        }

        part[i].len = p++ - part[i].data;
    }

    n = ngx_atoi(part[0].data, part[0].len);

    if (n == NGX_ERROR || part[2].len != sizeof(e->key)
        || part[3].len == 0 || part[3].len >= sizeof(e->sid)
        || part[4].len >= sizeof(e->id) || part[5].len >= sizeof(e->type))
    {
        return NGX_ERROR;
    }

    e->created = n;

    ngx_memcpy(e->key, part[2].data, sizeof(e->key));
    ngx_cpystrn(e->sid, part[3].data, part[3].len + 1);
    ngx_cpystrn(e->id, part[4].data, part[4].len + 1);
    ngx_cpystrn(e->type, part[5].data, part[5].len + 1);
    ngx_cpystrn(e->name, name->data, name->len + 1);

    return NGX_OK;
}


void
ngx_http_voicebridge_event_free(ngx_http_voicebridge_event_t *e)
{
    if (e->body.data) {
        ngx_free(e->body.data);
    }

    ngx_free(e);
}


ngx_http_voicebridge_receiver_t *
ngx_http_voicebridge_receiver(ngx_queue_t *receivers,
    ngx_http_voicebridge_webhook_t *webhook)
{
    ngx_queue_t                      *q;
    ngx_http_voicebridge_receiver_t  *r;

    for (q = ngx_queue_head(receivers);
         q != ngx_queue_sentinel(receivers);
         q = ngx_queue_next(q))
    {
        r = ngx_queue_data(q, ngx_http_voicebridge_receiver_t, queue);

        if (ngx_http_voicebridge_webhook_same(&r->webhook, webhook)) {
            return r;
        }
    }

    r = ngx_http_voicebridge_receiver_copy(webhook);

    if (r) {
        ngx_queue_insert_tail(receivers, &r->queue);
    }

    return r;
}


/* the configuration may go before what waits */

static ngx_http_voicebridge_receiver_t *
ngx_http_voicebridge_receiver_copy(ngx_http_voicebridge_webhook_t *webhook)
{
    u_char                           *p;
    ngx_http_voicebridge_webhook_t   *copy;
    ngx_http_voicebridge_receiver_t  *r;

    r = ngx_calloc(sizeof(ngx_http_voicebridge_receiver_t)
                   + webhook->url.len + webhook->origin.len
                   + webhook->secret.len + webhook->trusted_certificate.len,
                   ngx_cycle->log);
    if (r == NULL) {
        return NULL;
    }

    r->webhook = *webhook;

    copy = &r->webhook;
    p = (u_char *) r + sizeof(ngx_http_voicebridge_receiver_t);

    copy->url.data = p;
    p = ngx_cpymem(p, webhook->url.data, webhook->url.len);

    copy->origin.data = p;
    p = ngx_cpymem(p, webhook->origin.data, webhook->origin.len);

    copy->secret.data = p;
    p = ngx_cpymem(p, webhook->secret.data, webhook->secret.len);

    copy->trusted_certificate.data = p;
    ngx_memcpy(p, webhook->trusted_certificate.data,
               webhook->trusted_certificate.len);

    return r;
}


ngx_http_voicebridge_receiver_t *
ngx_http_voicebridge_receiver_known(ngx_queue_t *receivers, u_char *key)
{
    ngx_uint_t                          i;
    ngx_http_voicebridge_webhook_t     *found, **webhook;
    ngx_http_voicebridge_main_conf_t   *vmcf;

    vmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_voicebridge_module);

    if (vmcf == NULL || vmcf->webhooks == NULL) {
        return NULL;
    }

    found = NULL;
    webhook = vmcf->webhooks->elts;

    for (i = 0; i < vmcf->webhooks->nelts; i++) {

        if (ngx_memcmp(webhook[i]->key, key,
                       NGX_HTTP_VOICEBRIDGE_WEBHOOK_URL_KEY)
            != 0)
        {
            continue;
        }

        if (ngx_memcmp(webhook[i]->key, key, NGX_HTTP_VOICEBRIDGE_WEBHOOK_KEY)
            == 0)
        {
            found = webhook[i];
            break;
        }

        if (found == NULL) {
            found = webhook[i];
        }
    }

    return found ? ngx_http_voicebridge_receiver(receivers, found) : NULL;
}


ngx_uint_t
ngx_http_voicebridge_webhook_same(ngx_http_voicebridge_webhook_t *a,
    ngx_http_voicebridge_webhook_t *b)
{
    return a->timeout == b->timeout && a->lifetime == b->lifetime
           && a->ssl_verify == b->ssl_verify
           && ngx_http_voicebridge_same_text(&a->url, &b->url)
           && ngx_http_voicebridge_same_text(&a->secret, &b->secret)
           && ngx_http_voicebridge_same_text(&a->trusted_certificate,
                                             &b->trusted_certificate);
}


static ngx_uint_t
ngx_http_voicebridge_same_text(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && ngx_memcmp(a->data, b->data, a->len) == 0;
}
