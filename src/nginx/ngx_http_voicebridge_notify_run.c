
/*
 * When what waits is tried.  An event that is not taken waits longer each
 * time; a receiver that takes nothing is asked with one event at a time, and
 * less and less often.
 */


#include <ngx_http_voicebridge_notify_event.h>


static ngx_msec_t ngx_http_voicebridge_notify_backoff(ngx_uint_t n);
static void ngx_http_voicebridge_notify_exiting(
    ngx_http_voicebridge_notifier_t *w);
static ngx_uint_t ngx_http_voicebridge_notify_held(
    ngx_http_voicebridge_notifier_t *w);
static ngx_msec_t ngx_http_voicebridge_notify_ready(
    ngx_http_voicebridge_notifier_t *w);
static ngx_msec_int_t ngx_http_voicebridge_notify_wait(
    ngx_http_voicebridge_event_t *e);


ngx_msec_t
ngx_http_voicebridge_notify_later(ngx_http_voicebridge_event_t *e,
    ngx_msec_t wait)
{
    ngx_msec_t                        ms;
    ngx_http_voicebridge_receiver_t  *r;

    r = e->receiver;

    e->attempts++;

    ms = ngx_http_voicebridge_notify_backoff(e->attempts);
    ms = ngx_max(ms, wait);

    e->due = ngx_current_msec + ms;

    /* attempts that were under way together fail together: once */

    if (r->failures == 0
        || (ngx_msec_int_t) (ngx_current_msec - r->paused) >= 0)
    {
        r->failures++;
        r->paused = ngx_current_msec
                    + ngx_http_voicebridge_notify_backoff(r->failures);
    }

    ngx_http_voicebridge_notifier->again = 1;
    ngx_http_voicebridge_notify_count(ngx_http_voicebridge_notifier, "failed",
                                      1);
    return ms;
}


/* twice as long each time, and not together with others: "equal jitter" */

static ngx_msec_t
ngx_http_voicebridge_notify_backoff(ngx_uint_t n)
{
    ngx_msec_t  ms;

    n = ngx_min(n, 16);

    ms = NGX_HTTP_VOICEBRIDGE_NOTIFY_FIRST << (n - 1);
    ms = ngx_min(ms, NGX_HTTP_VOICEBRIDGE_NOTIFY_LONGEST);

    return ms / 2 + (ngx_msec_t) ngx_random() % (ms / 2);
}


void
ngx_http_voicebridge_notify_run(void)
{
    ngx_msec_t                        next;
    ngx_http_voicebridge_notifier_t  *w;

    w = ngx_http_voicebridge_notifier;

    if (w == NULL || ngx_http_voicebridge_notify_ending) {
        return;
    }

    /* an attempt that cannot be made ends at once */

    do {
        w->again = 0;

        if (ngx_exiting) {
            ngx_http_voicebridge_notify_exiting(w);
        }

        next = ngx_http_voicebridge_notify_ready(w);
    } while (w->again);

    if (w->memory) {

        /* to see in time that the worker is to exit */

        next = ngx_min(next, 1000);
    }

    if (w->timer.timer_set) {
        ngx_del_timer(&w->timer);
    }

    w->timer.cancelable = !ngx_http_voicebridge_notify_held(w);

    if (next != NGX_TIMER_INFINITE) {
        ngx_add_timer(&w->timer, next);
    }
}


/*
 * In a worker that is to exit what is in memory gets one attempt, which has
 * to begin within the time that it may take: after that, or when its receiver
 * has failed, it is lost.
 */

static void
ngx_http_voicebridge_notify_exiting(ngx_http_voicebridge_notifier_t *w)
{
    ngx_msec_t                        since;
    ngx_queue_t                      *q, *next;
    ngx_http_voicebridge_event_t     *e;
    ngx_http_voicebridge_receiver_t  *r;

    if (!w->exiting) {
        w->exiting = 1;
        w->exit = ngx_current_msec;
    }

    for (q = ngx_queue_head(&w->events);
         q != ngx_queue_sentinel(&w->events) && w->memory;
         q = next)
    {
        next = ngx_queue_next(q);
        e = ngx_queue_data(q, ngx_http_voicebridge_event_t, queue);
        r = e->receiver;

        if (e->spool || e->sending || e->store) {
            continue;
        }

        since = (ngx_msec_int_t) (e->made - w->exit) > 0 ? e->made : w->exit;

        if (!r->gone && ngx_current_msec - since < r->webhook.timeout) {
            continue;
        }

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "call %s: event %s (%s) is given up, since this worker "
                      "has to exit: %V %s%s", e->sid, e->type, e->id,
                      &r->webhook.origin,
                      r->gone ? "does not take events"
                              : "takes events too slowly",
                      w->root.len ? "" : "; \"voicebridge_webhook_spool\" "
                                         "would keep it");

        ngx_http_voicebridge_notify_done(e, "lost");
    }

    /* what is still to come is tried again */

    for (q = ngx_queue_head(&w->receivers);
         q != ngx_queue_sentinel(&w->receivers);
         q = ngx_queue_next(q))
    {
        r = ngx_queue_data(q, ngx_http_voicebridge_receiver_t, queue);
        r->gone = 0;
    }

    w->again = 0;
}


void
ngx_http_voicebridge_notify_gone(ngx_http_voicebridge_receiver_t *r)
{
    r->gone = 1;
    ngx_http_voicebridge_notifier->again = 1;
}


/*
 * Whether a worker that is to exit has to wait: for what it alone has.  Files
 * are for the next one, and for those on their way the exit of the threads
 * waits.
 */

static ngx_uint_t
ngx_http_voicebridge_notify_held(ngx_http_voicebridge_notifier_t *w)
{
    return w->memory > (ngx_exiting ? w->storing : 0);
}


/* starts all attempts that can be; in how many ms there will be another */

static ngx_msec_t
ngx_http_voicebridge_notify_ready(ngx_http_voicebridge_notifier_t *w)
{
    ngx_msec_t                        next;
    ngx_queue_t                      *q, *tail;
    ngx_msec_int_t                    wait;
    ngx_http_voicebridge_event_t     *e;
    ngx_http_voicebridge_turns_t     *t;

    next = NGX_TIMER_INFINITE;

    for (q = ngx_queue_head(&w->turns);
         q != ngx_queue_sentinel(&w->turns);
         q = tail)
    {
        tail = ngx_queue_next(q);
        t = ngx_queue_data(q, ngx_http_voicebridge_turns_t, queue);

        e = ngx_queue_data(ngx_queue_head(&t->events),
                           ngx_http_voicebridge_event_t, next);

        if (e->sending || e->store || e->receiver == NULL
            || (e->spool && w->slow) || e->receiver->gone)
        {
            continue;
        }

        wait = ngx_http_voicebridge_notify_wait(e);

        if (wait > 0) {
            next = ngx_min(next, (ngx_msec_t) wait);

        } else if (wait == 0) {
            ngx_http_voicebridge_notify_send(e);
        }
    }

    return next;
}


/* ms; -1: until another attempt has ended */

static ngx_msec_int_t
ngx_http_voicebridge_notify_wait(ngx_http_voicebridge_event_t *e)
{
    ngx_msec_int_t                    ms;
    ngx_http_voicebridge_receiver_t  *r;

    r = e->receiver;
    ms = 0;

    /* the last attempt of a worker that is to exit cannot wait */

    if (!ngx_exiting || e->spool) {
        ms = e->due - ngx_current_msec;

        if (r->failures) {
            ms = ngx_max(ms, (ngx_msec_int_t) (r->paused - ngx_current_msec));
        }
    }

    if (ms > 0) {
        return ms;
    }

    return r->running < (r->failures ? 1 : NGX_HTTP_VOICEBRIDGE_NOTIFY_RUNNING)
           ? 0 : -1;
}


void
ngx_http_voicebridge_notify_timer_handler(ngx_event_t *ev)
{
    ngx_http_voicebridge_notify_run();
}
