
/*
 * The spool's side of the notification: what is put there, what others have
 * left there, what has waited for too long.
 */


#include <ngx_http_voicebridge_notify_event.h>
#include <ngx_http_voicebridge_time.h>


static ngx_int_t ngx_http_voicebridge_notify_write(
    ngx_http_voicebridge_notifier_t *w, ngx_http_voicebridge_event_t *e,
    ngx_err_t *err);
static void ngx_http_voicebridge_notify_restore(
    ngx_http_voicebridge_notifier_t *w);
static ngx_uint_t ngx_http_voicebridge_notify_adopt(
    ngx_http_voicebridge_notifier_t *w);
static void ngx_http_voicebridge_notify_found(
    ngx_http_voicebridge_notifier_t *w, ngx_http_voicebridge_spool_t *spool,
    ngx_array_t *names);
static void ngx_http_voicebridge_notify_expire(
    ngx_http_voicebridge_notifier_t *w);


void
ngx_http_voicebridge_notify_store(ngx_http_voicebridge_notifier_t *w,
    ngx_http_voicebridge_event_t *e)
{
    ngx_err_t  err;

    if (w->root.len == 0) {
        return;
    }

    err = 0;

    if (ngx_http_voicebridge_notify_write(w, e, &err) == NGX_OK) {

        e->spool = w->own;
        ngx_free(e->body.data);
        ngx_str_null(&e->body);
        w->memory--;

        if (w->failed) {
            w->failed = 0;
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "voicebridge_webhook_spool \"%V\" can be written to "
                          "again", &w->root);
        }

        return;
    }

    if (!w->failed) {
        w->failed = 1;
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, err,
                      "voicebridge_webhook_spool \"%V\" cannot be written to, "
                      "events are kept in memory only until that works again",
                      &w->root);
    }
}


static ngx_int_t
ngx_http_voicebridge_notify_write(ngx_http_voicebridge_notifier_t *w,
    ngx_http_voicebridge_event_t *e, ngx_err_t *err)
{
    ngx_int_t  rc;

    if (w->own == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_voicebridge_spool_write(w->own, (char *) e->name, &e->body,
                                          err);

    if (rc == NGX_OK || *err != NGX_ENOENT || w->own->files) {
        return rc;
    }

    /* somebody has tidied up */

    ngx_http_voicebridge_spool_close(w->own);

    w->own = ngx_http_voicebridge_spool_open(&w->root, NGX_LOG_DEBUG,
                                             ngx_cycle->log);
    if (w->own == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_voicebridge_spool_write(w->own, (char *) e->name,
                                            &e->body, err);
}


void
ngx_http_voicebridge_notify_scan_handler(ngx_event_t *ev)
{
    ngx_uint_t                        more;
    ngx_connection_t                 *dummy;
    ngx_http_voicebridge_notifier_t  *w;

    dummy = ev->data;
    w = dummy->data;
    more = 0;

    if (w->root.len) {
        ngx_http_voicebridge_notify_restore(w);

        if (!ngx_exiting && w->n < w->max) {
            more = ngx_http_voicebridge_notify_adopt(w);
        }
    }

    ngx_http_voicebridge_notify_expire(w);
    ngx_http_voicebridge_notify_bound(w);
    ngx_http_voicebridge_notify_count(w, NULL, 0);

    ngx_add_timer(&w->scan, more ? 1
                                 : NGX_HTTP_VOICEBRIDGE_NOTIFY_SCAN
                                   + ngx_random() % 500);

    ngx_http_voicebridge_notify_run();
}


/* the disk may have room again, or the directory be there */

static void
ngx_http_voicebridge_notify_restore(ngx_http_voicebridge_notifier_t *w)
{
    ngx_queue_t                   *q;
    ngx_http_voicebridge_event_t  *e;

    if (w->own == NULL) {
        w->own = ngx_http_voicebridge_spool_open(&w->root, NGX_LOG_DEBUG,
                                                 ngx_cycle->log);
    }

    for (q = ngx_queue_head(&w->events);
         q != ngx_queue_sentinel(&w->events) && w->memory && w->own;
         q = ngx_queue_next(q))
    {
        e = ngx_queue_data(q, ngx_http_voicebridge_event_t, queue);

        if (e->spool || e->sending) {
            continue;
        }

        ngx_http_voicebridge_notify_store(w, e);

        if (e->spool == NULL) {
            return;
        }
    }
}


/* true if there may be more to take over */

static ngx_uint_t
ngx_http_voicebridge_notify_adopt(ngx_http_voicebridge_notifier_t *w)
{
    ngx_pool_t                    *pool;
    ngx_array_t                   *names;
    ngx_http_voicebridge_spool_t  *spool;

    pool = ngx_create_pool(16384, ngx_cycle->log);
    if (pool == NULL) {
        return 0;
    }

    names = ngx_array_create(pool, 64, sizeof(ngx_str_t));

    spool = names ? ngx_http_voicebridge_spool_adopt(&w->root, names,
                                                     ngx_cycle->log)
                  : NULL;

    if (spool) {
        ngx_http_voicebridge_notify_found(w, spool, names);
    }

    ngx_destroy_pool(pool);

    return spool != NULL;
}


static void
ngx_http_voicebridge_notify_found(ngx_http_voicebridge_notifier_t *w,
    ngx_http_voicebridge_spool_t *spool, ngx_array_t *names)
{
    ngx_str_t                     *name;
    ngx_uint_t                     i, known, unknown;
    ngx_http_voicebridge_event_t  *e;

    known = 0;
    unknown = 0;
    name = names->elts;

    for (i = 0; i < names->nelts; i++) {

        e = ngx_http_voicebridge_event_found(&name[i]);

        if (e == NULL) {
            continue;
        }

        e->receiver = ngx_http_voicebridge_receiver_known(&w->receivers,
                                                          e->key);
        e->spool = spool;

        if (ngx_http_voicebridge_notify_insert(w, e) != NGX_OK) {
            ngx_http_voicebridge_event_free(e);
            continue;
        }

        known++;
        unknown += (e->receiver == NULL);
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "%ui events for \"voicebridge_webhook\" that a process left "
                  "are taken over", known);

    if (unknown) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "%ui of them are for a URL that no "
                      "\"voicebridge_webhook\" has any more: they wait until "
                      "they are a day old", unknown);
    }

    /* a directory is given back with its last event */

    if (known == 0) {
        ngx_http_voicebridge_spool_close(spool);
    }
}


static void
ngx_http_voicebridge_notify_expire(ngx_http_voicebridge_notifier_t *w)
{
    time_t                         lifetime;
    uint64_t                       now;
    ngx_queue_t                   *q, *next;
    ngx_http_voicebridge_event_t  *e;

    now = ngx_http_voicebridge_now();

    for (q = ngx_queue_head(&w->events);
         q != ngx_queue_sentinel(&w->events);
         q = next)
    {
        next = ngx_queue_next(q);
        e = ngx_queue_data(q, ngx_http_voicebridge_event_t, queue);

        lifetime = e->receiver ? e->receiver->webhook.lifetime : 86400;

        if (e->sending || e->created + (uint64_t) lifetime * 1000 > now) {
            continue;
        }

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "call %s: event %s (%s) is given up: nobody has taken "
                      "it for %T s, see \"voicebridge_webhook_lifetime\"",
                      e->sid, e->type, e->id, lifetime);

        ngx_http_voicebridge_notify_done(e, "given_up");
    }
}
