
/*
 * The spool's side of the notification: what is put there, what others have
 * left there, what has waited for too long.
 */


#include <ngx_http_voicebridge_notify_event.h>
#include <ngx_http_voicebridge_time.h>


struct ngx_http_voicebridge_store_s {
    ngx_http_voicebridge_event_t   *event;
    ngx_http_voicebridge_spool_t   *spool;
    ngx_int_t                       rc;        /* NGX_AGAIN: under way */
    ngx_err_t                       err;
    ngx_http_voicebridge_notifier_t  *notifier;
    void                           *task;
};


/* files of a directory that was taken over */
typedef struct {
    ngx_uint_t                      known;     /* are events, */
    ngx_uint_t                      unknown;   /* of them without receiver */
    ngx_uint_t                      others;    /* are not */
    ngx_uint_t                      left;      /* without memory for them */
} ngx_http_voicebridge_adopted_t;


#if (NGX_THREADS)
static ngx_int_t ngx_http_voicebridge_notify_post(
    ngx_http_voicebridge_notifier_t *w, ngx_http_voicebridge_event_t *e);
static void ngx_http_voicebridge_notify_written(ngx_event_t *ev);
#endif
static void ngx_http_voicebridge_notify_write(void *data, ngx_log_t *log);
static void ngx_http_voicebridge_notify_stored(
    ngx_http_voicebridge_notifier_t *w, ngx_http_voicebridge_store_t *store);
static void ngx_http_voicebridge_notify_unstored(
    ngx_http_voicebridge_notifier_t *w, ngx_err_t err);
static ngx_uint_t ngx_http_voicebridge_notify_slow(
    ngx_http_voicebridge_notifier_t *w);
static void ngx_http_voicebridge_notify_restore(
    ngx_http_voicebridge_notifier_t *w);
static ngx_uint_t ngx_http_voicebridge_notify_adopt(
    ngx_http_voicebridge_notifier_t *w);
static ngx_uint_t ngx_http_voicebridge_notify_found(
    ngx_http_voicebridge_notifier_t *w, ngx_http_voicebridge_spool_t *spool,
    ngx_array_t *names);
static void ngx_http_voicebridge_notify_adopted(
    ngx_http_voicebridge_spool_t *spool, ngx_http_voicebridge_adopted_t *n);
static void ngx_http_voicebridge_notify_expire(
    ngx_http_voicebridge_notifier_t *w);


ngx_int_t
ngx_http_voicebridge_notify_store(ngx_http_voicebridge_notifier_t *w,
    ngx_http_voicebridge_event_t *e)
{
    ngx_http_voicebridge_store_t  store;

    if (w->root.len == 0) {
        return NGX_ERROR;
    }

#if (NGX_THREADS)

    if (!ngx_http_voicebridge_notify_ending
        && w->storing == NGX_HTTP_VOICEBRIDGE_NOTIFY_STORING)
    {
        return NGX_ERROR;
    }

#endif

    if (w->own == NULL) {
        ngx_http_voicebridge_notify_unstored(w, 0);
        return NGX_ERROR;
    }

#if (NGX_THREADS)

    if (!ngx_http_voicebridge_notify_ending) {
        return ngx_http_voicebridge_notify_post(w, e);
    }

#endif

    w->own->files++;

    store.event = e;
    store.spool = w->own;

    ngx_http_voicebridge_notify_write(&store, NULL);
    ngx_http_voicebridge_notify_stored(w, &store);

    return store.rc;
}


#if (NGX_THREADS)

/* where the threads have enough to do the event waits for one of them */

static ngx_int_t
ngx_http_voicebridge_notify_post(ngx_http_voicebridge_notifier_t *w,
    ngx_http_voicebridge_event_t *e)
{
    ngx_thread_task_t             *task;
    ngx_http_voicebridge_store_t  *store;

    task = ngx_calloc(sizeof(ngx_thread_task_t)
                      + sizeof(ngx_http_voicebridge_store_t),
                      ngx_cycle->log);
    if (task == NULL) {
        return NGX_ERROR;
    }

    store = (ngx_http_voicebridge_store_t *) (task + 1);

    store->event = e;
    store->spool = w->own;
    store->notifier = w;
    store->rc = NGX_AGAIN;
    store->task = task;

    task->ctx = store;
    task->handler = ngx_http_voicebridge_notify_write;
    task->event.handler = ngx_http_voicebridge_notify_written;
    task->event.data = store;
    task->event.log = ngx_cycle->log;

    if (ngx_thread_task_post(w->thread_pool, task) != NGX_OK) {
        ngx_free(task);
        return NGX_ERROR;
    }

    if (w->storing++ == 0) {
        w->stored = ngx_current_msec;
    }

    w->own->files++;
    e->store = store;

    return NGX_OK;
}


static void
ngx_http_voicebridge_notify_written(ngx_event_t *ev)
{
    ngx_http_voicebridge_store_t     *store;
    ngx_http_voicebridge_notifier_t  *w;

    store = ev->data;
    w = store->notifier;

    store->event->store = NULL;

    w->storing--;
    w->stored = ngx_current_msec;
    w->slow = 0;

    ngx_http_voicebridge_notify_stored(w, store);

    ngx_free(store->task);

    /* what had no room before, or came while the disk was full */

    if (!w->failed) {
        ngx_http_voicebridge_notify_restore(w);
    }

    ngx_http_voicebridge_notify_bound(w);
    ngx_http_voicebridge_notify_run();
}

#endif


ngx_uint_t
ngx_http_voicebridge_notify_on_disk(ngx_http_voicebridge_event_t *e)
{
    return e->store->rc == NGX_OK;
}


/* maybe in a thread: nothing but the store is changed */

static void
ngx_http_voicebridge_notify_write(void *data, ngx_log_t *log)
{
    ngx_http_voicebridge_store_t *store = data;

    store->err = 0;

    store->rc = ngx_http_voicebridge_spool_write(store->spool,
                                                 (char *) store->event->name,
                                                 &store->event->body,
                                                 &store->err);
}


static void
ngx_http_voicebridge_notify_stored(ngx_http_voicebridge_notifier_t *w,
    ngx_http_voicebridge_store_t *store)
{
    ngx_http_voicebridge_event_t  *e;

    e = store->event;

    if (store->rc != NGX_OK) {
        store->spool->files--;
        ngx_http_voicebridge_notify_unstored(w, store->err);
        return;
    }

    w->memory--;
    w->bytes -= e->body.len;

    e->spool = store->spool;
    ngx_free(e->body.data);
    ngx_str_null(&e->body);

    if (w->failed) {
        w->failed = 0;
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "voicebridge_webhook_spool \"%V\" can be written to "
                      "again", &w->root);
    }
}


static void
ngx_http_voicebridge_notify_unstored(ngx_http_voicebridge_notifier_t *w,
    ngx_err_t err)
{
    if (err == NGX_ENOENT && w->own->files == 0) {

        /* somebody has tidied up; what is in memory is tried again soon */

        ngx_http_voicebridge_spool_close(w->own);
        w->own = NULL;
    }

    if (!w->failed) {
        w->failed = 1;
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, err,
                      "voicebridge_webhook_spool \"%V\" cannot be written to, "
                      "events are kept in memory only until that works again",
                      &w->root);
    }
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

    if (w->root.len && !ngx_http_voicebridge_notify_slow(w)) {
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


/* whether the disk hangs, so that the worker keeps away from it */

static ngx_uint_t
ngx_http_voicebridge_notify_slow(ngx_http_voicebridge_notifier_t *w)
{
    w->slow = (w->storing
               && ngx_current_msec - w->stored
                  >= NGX_HTTP_VOICEBRIDGE_NOTIFY_SLOW);

    if (w->slow && !w->failed) {
        w->failed = 1;
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                      "voicebridge_webhook_spool \"%V\" cannot be written to, "
                      "its disk has not answered for %d s, events are kept in "
                      "memory only until it does", &w->root,
                      NGX_HTTP_VOICEBRIDGE_NOTIFY_SLOW / 1000);
    }

    return w->slow;
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
         q != ngx_queue_sentinel(&w->events) && w->memory > w->storing;
         q = ngx_queue_next(q))
    {
        e = ngx_queue_data(q, ngx_http_voicebridge_event_t, queue);

        if (e->spool || e->sending || e->store) {
            continue;
        }

        /* one, to see whether it works */

        if (ngx_http_voicebridge_notify_store(w, e) != NGX_OK || w->failed) {
            return;
        }
    }
}


/* true if there may be more to take over */

static ngx_uint_t
ngx_http_voicebridge_notify_adopt(ngx_http_voicebridge_notifier_t *w)
{
    ngx_uint_t                     more;
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

    more = spool ? ngx_http_voicebridge_notify_found(w, spool, names) : 0;

    ngx_destroy_pool(pool);

    return more;
}


/*
 * A directory is given back with its last event.  Files that are none are of
 * somebody else's: they stay, and the directory, which is nobody's then.
 */

static ngx_uint_t
ngx_http_voicebridge_notify_found(ngx_http_voicebridge_notifier_t *w,
    ngx_http_voicebridge_spool_t *spool, ngx_array_t *names)
{
    ngx_str_t                       *name;
    ngx_uint_t                       i;
    ngx_http_voicebridge_event_t    *e;
    ngx_http_voicebridge_adopted_t   n;

    ngx_memzero(&n, sizeof(ngx_http_voicebridge_adopted_t));

    name = names->elts;

    for (i = 0; i < names->nelts; i++) {

        e = ngx_http_voicebridge_event_found(&name[i], &n.left);

        if (e == NULL) {
            n.others++;
            continue;
        }

        e->receiver = ngx_http_voicebridge_receiver_known(&w->receivers,
                                                          e->key);
        e->spool = spool;

        if (ngx_http_voicebridge_notify_insert(w, e) != NGX_OK) {
            ngx_http_voicebridge_event_free(e);
            n.left = 1;
            continue;
        }

        n.known++;
        n.unknown += (e->receiver == NULL);
    }

    /* what there is no memory for now is found once more when this is gone */

    spool->files = n.known + n.left;

    ngx_http_voicebridge_notify_adopted(spool, &n);

    if (n.known == 0) {
        ngx_http_voicebridge_spool_close(spool);
    }

    return n.known;
}


static void
ngx_http_voicebridge_notify_adopted(ngx_http_voicebridge_spool_t *spool,
    ngx_http_voicebridge_adopted_t *n)
{
    if (n->others && !n->left) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "%ui files in \"%s\" are no events for "
                      "\"voicebridge_webhook\", and are left alone", n->others,
                      spool->path);
    }

    if (n->known) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "events for \"voicebridge_webhook\" that a process left "
                      "are taken over: %ui", n->known);
    }

    if (n->unknown) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "%ui of them are for a URL that no "
                      "\"voicebridge_webhook\" has any more: they wait until "
                      "they are a day old", n->unknown);
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

        if (e->sending || e->store || (e->spool && w->slow)
            || e->created + (uint64_t) lifetime * 1000 > now)
        {
            continue;
        }

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "call %s: event %s (%s) is given up: nobody has taken "
                      "it for %T s, see \"voicebridge_webhook_lifetime\"",
                      e->sid, e->type, e->id, lifetime);

        ngx_http_voicebridge_notify_done(e, "given_up");
    }
}
