
/*
 * What waits to be delivered: those of one call one after the other, those of
 * different calls side by side.
 */


#include <ngx_http_voicebridge_notify_event.h>
#include <ngx_http_voicebridge_zone.h>


static ngx_http_voicebridge_notifier_t *ngx_http_voicebridge_notify_create(
    ngx_http_voicebridge_main_conf_t *vmcf, ngx_log_t *log);
static void ngx_http_voicebridge_notify_save(
    ngx_http_voicebridge_notifier_t *w);


/* a worker's own; never there in the master, so never inherited */
ngx_http_voicebridge_notifier_t  *ngx_http_voicebridge_notifier;

ngx_uint_t  ngx_http_voicebridge_notify_ending;


ngx_int_t
ngx_http_voicebridge_notify_init_process(ngx_cycle_t *cycle)
{
    ngx_http_voicebridge_main_conf_t  *vmcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    vmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_voicebridge_module);

    if (vmcf == NULL || vmcf->webhooks == NULL) {
        return NGX_OK;
    }

    ngx_http_voicebridge_notifier = ngx_http_voicebridge_notify_create(vmcf,
                                                                cycle->log);

    return ngx_http_voicebridge_notifier ? NGX_OK : NGX_ERROR;
}


static ngx_http_voicebridge_notifier_t *
ngx_http_voicebridge_notify_create(ngx_http_voicebridge_main_conf_t *vmcf,
    ngx_log_t *log)
{
    size_t                            len;
    ngx_http_voicebridge_notifier_t  *w;

    len = vmcf->webhook_spool ? vmcf->webhook_spool->name.len : 0;

    w = ngx_calloc(sizeof(ngx_http_voicebridge_notifier_t) + len + 1, log);
    if (w == NULL) {
        return NULL;
    }

    ngx_queue_init(&w->events);
    ngx_queue_init(&w->turns);
    ngx_queue_init(&w->receivers);
    ngx_rbtree_init(&w->rbtree, &w->sentinel, ngx_str_rbtree_insert_value);

    w->max = NGX_HTTP_VOICEBRIDGE_NOTIFY_EVENTS;

    w->dummy.data = w;
    w->dummy.fd = (ngx_socket_t) -1;

    w->timer.handler = ngx_http_voicebridge_notify_timer_handler;
    w->timer.data = &w->dummy;
    w->timer.log = log;
    w->timer.cancelable = 1;

    w->scan.handler = ngx_http_voicebridge_notify_scan_handler;
    w->scan.data = &w->dummy;
    w->scan.log = log;
    w->scan.cancelable = 1;

    /* workers start together, and take over what they find one by one */

    ngx_add_timer(&w->scan, 20 + ngx_random() % 200);

    if (len == 0) {
        return w;
    }

    w->max = vmcf->webhook_max;

    w->root.data = (u_char *) w + sizeof(ngx_http_voicebridge_notifier_t);
    w->root.len = len;
    ngx_memcpy(w->root.data, vmcf->webhook_spool->name.data, len);

#if (NGX_THREADS)
    w->thread_pool = vmcf->webhook_threads;
#endif

    w->own = ngx_http_voicebridge_spool_open(&w->root, NGX_LOG_CRIT, log);
    w->failed = (w->own == NULL);

    return w;
}


void
ngx_http_voicebridge_notify_ends(void)
{
    ngx_http_voicebridge_notify_ending = 1;
}


/*
 * What cannot be put on disk is lost, what is there is for the next process;
 * an attempt under way may have been taken, and will be made again.
 */

void
ngx_http_voicebridge_notify_exit_process(ngx_cycle_t *cycle)
{
    ngx_queue_t                      *q;
    ngx_http_voicebridge_event_t     *e;
    ngx_http_voicebridge_notifier_t  *w;

    w = ngx_http_voicebridge_notifier;

    if (w == NULL) {
        return;
    }

    ngx_http_voicebridge_notify_save(w);

    if (w->memory) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "worker exits, %ui events for \"voicebridge_webhook\" "
                      "are lost%s", w->memory,
                      w->root.len ? ""
                                  : ": \"voicebridge_webhook_spool\" would "
                                    "keep them");
        ngx_http_voicebridge_notify_count(w, "lost", w->memory);
    }

    w->n = 0;
    ngx_http_voicebridge_notify_count(w, NULL, 0);

    for (q = ngx_queue_head(&w->events);
         q != ngx_queue_sentinel(&w->events);
         q = ngx_queue_next(q))
    {
        e = ngx_queue_data(q, ngx_http_voicebridge_event_t, queue);

        /* the last file of a directory that was taken over closes it */

        if (e->spool && !e->spool->own && e->spool->files) {
            e->spool->files = 0;
            (void) ngx_close_file(e->spool->lock);
        }
    }

    if (w->own) {
        ngx_http_voicebridge_spool_close(w->own);
    }

    ngx_http_voicebridge_notifier = NULL;
}


/* what is in memory goes to the disk, or was on its way there */

static void
ngx_http_voicebridge_notify_save(ngx_http_voicebridge_notifier_t *w)
{
    ngx_queue_t                   *q;
    ngx_http_voicebridge_event_t  *e;

    for (q = ngx_queue_head(&w->events);
         q != ngx_queue_sentinel(&w->events);
         q = ngx_queue_next(q))
    {
        e = ngx_queue_data(q, ngx_http_voicebridge_event_t, queue);

        if (e->store) {

            if (ngx_http_voicebridge_notify_on_disk(e)) {
                w->memory--;
            }

        } else if (e->spool == NULL) {
            (void) ngx_http_voicebridge_notify_store(w, e);
        }
    }
}


void
ngx_http_voicebridge_notify(ngx_http_voicebridge_webhook_t *webhook,
    ngx_uint_t event, ngx_str_t *call_sid, ngx_str_t *members)
{
    ngx_http_voicebridge_event_t     *e;
    ngx_http_voicebridge_notifier_t  *w;

    w = ngx_http_voicebridge_notifier;

    if (w == NULL) {
        return;
    }

    e = ngx_http_voicebridge_event_create(event, w->count++, webhook, call_sid,
                                          members);
    if (e) {
        e->receiver = ngx_http_voicebridge_receiver(&w->receivers, webhook);
    }

    if (e == NULL || e->receiver == NULL
        || ngx_http_voicebridge_notify_insert(w, e) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "call %V: an event for \"voicebridge_webhook\" is lost: "
                      "no memory", call_sid);

        ngx_http_voicebridge_notify_count(w, "lost", 1);

        if (e) {
            ngx_http_voicebridge_event_free(e);
        }

        return;
    }

    w->memory++;
    w->bytes += e->body.len;

    (void) ngx_http_voicebridge_notify_store(w, e);

    ngx_http_voicebridge_notify_bound(w);
    ngx_http_voicebridge_notify_count(w, NULL, 0);
    ngx_http_voicebridge_notify_run();
}


ngx_int_t
ngx_http_voicebridge_notify_insert(ngx_http_voicebridge_notifier_t *w,
    ngx_http_voicebridge_event_t *e)
{
    uint32_t                       hash;
    ngx_str_t                      sid;
    ngx_http_voicebridge_turns_t  *t;

    /* what is of no call waits for nothing */

    sid.data = (ngx_strcmp(e->sid, "none") == 0) ? e->id : e->sid;
    sid.len = ngx_strlen(sid.data);

    hash = ngx_crc32_short(sid.data, sid.len);

    t = (ngx_http_voicebridge_turns_t *)
            ngx_str_rbtree_lookup(&w->rbtree, &sid, hash);

    if (t == NULL) {
        t = ngx_calloc(sizeof(ngx_http_voicebridge_turns_t), ngx_cycle->log);
        if (t == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(t->sid, sid.data, sid.len);

        t->sn.node.key = hash;
        t->sn.str.data = t->sid;
        t->sn.str.len = sid.len;

        ngx_queue_init(&t->events);
        ngx_rbtree_insert(&w->rbtree, &t->sn.node);
        ngx_queue_insert_tail(&w->turns, &t->queue);
    }

    e->turns = t;

    ngx_queue_insert_tail(&t->events, &e->next);
    ngx_queue_insert_tail(&w->events, &e->queue);
    w->n++;

    return NGX_OK;
}


void
ngx_http_voicebridge_notify_bound(ngx_http_voicebridge_notifier_t *w)
{
    ngx_queue_t                   *q, *next;
    ngx_http_voicebridge_event_t  *e;

    for (q = ngx_queue_head(&w->events);
         q != ngx_queue_sentinel(&w->events)
         && (w->n > w->max
             || w->memory > NGX_HTTP_VOICEBRIDGE_NOTIFY_MEMORY
             || w->bytes > NGX_HTTP_VOICEBRIDGE_NOTIFY_BYTES);
         q = next)
    {
        next = ngx_queue_next(q);
        e = ngx_queue_data(q, ngx_http_voicebridge_event_t, queue);

        /* no more than NOTIFY_STORING are on their way */

        if (e->sending || e->store
            || (e->spool && (w->n <= w->max || w->slow)))
        {
            continue;
        }

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "call %s: event %s (%s) is given up: too many wait for "
                      "their receiver", e->sid, e->type, e->id);

        ngx_http_voicebridge_notify_done(e, "given_up");
    }
}


void
ngx_http_voicebridge_notify_done(ngx_http_voicebridge_event_t *e,
    const char *result)
{
    ngx_http_voicebridge_turns_t     *t;
    ngx_http_voicebridge_notifier_t  *w;

    w = ngx_http_voicebridge_notifier;
    t = e->turns;

    if (e->spool == NULL) {
        w->memory--;
        w->bytes -= e->body.len;

    } else if (!w->slow) {

        /* on a disk that hangs the file stays, and its event comes again */

        ngx_http_voicebridge_spool_remove(e->spool, (char *) e->name);

        if (e->spool->files == 0 && !e->spool->own) {
            ngx_http_voicebridge_spool_close(e->spool);
        }
    }

    ngx_queue_remove(&e->queue);
    ngx_queue_remove(&e->next);
    w->n--;

    if (ngx_queue_empty(&t->events)) {
        ngx_queue_remove(&t->queue);
        ngx_rbtree_delete(&w->rbtree, &t->sn.node);
        ngx_free(t);
    }

    w->again = 1;

    ngx_http_voicebridge_event_free(e);
    ngx_http_voicebridge_notify_count(w, result, 1);
}


void
ngx_http_voicebridge_notify_count(ngx_http_voicebridge_notifier_t *w,
    const char *result, ngx_uint_t n)
{
    ngx_http_voicebridge_main_conf_t  *vmcf;

    vmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_voicebridge_module);

    if (vmcf == NULL || vmcf->zone == NULL) {
        return;
    }

    ngx_http_voicebridge_stats_waiting(vmcf->zone, w->n);

    while (n--) {
        ngx_http_voicebridge_stats_count(vmcf->zone,
                                         NGX_HTTP_VOICEBRIDGE_STATS_EVENTS,
                                         result, "");
    }
}
