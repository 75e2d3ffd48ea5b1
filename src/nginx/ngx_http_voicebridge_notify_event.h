
/* What the parts of the notification share: events, and their receivers */


#ifndef _NGX_HTTP_VOICEBRIDGE_NOTIFY_EVENT_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_NOTIFY_EVENT_H_INCLUDED_


#include <ngx_http_voicebridge_notify.h>
#include <ngx_http_voicebridge_spool.h>

#if (NGX_THREADS)
#include <ngx_thread_pool.h>
#endif


/* events that wait in a worker: in all, unless the spool has another max, and
 * of them in memory; bytes of these, and of one */
#define NGX_HTTP_VOICEBRIDGE_NOTIFY_EVENTS  10000
#define NGX_HTTP_VOICEBRIDGE_NOTIFY_MEMORY  1000
#define NGX_HTTP_VOICEBRIDGE_NOTIFY_BYTES   (16 * 1024 * 1024)
#define NGX_HTTP_VOICEBRIDGE_NOTIFY_BODY    (4 * 1024 * 1024)

/* files that are written at a time; and how long the disk may take until it
 * counts as one that hangs, ms */
#define NGX_HTTP_VOICEBRIDGE_NOTIFY_STORING  16
#define NGX_HTTP_VOICEBRIDGE_NOTIFY_SLOW    5000

/* at a time to one receiver */
#define NGX_HTTP_VOICEBRIDGE_NOTIFY_RUNNING  8

/* between attempts: the first, and the longest, ms */
#define NGX_HTTP_VOICEBRIDGE_NOTIFY_FIRST   1000
#define NGX_HTTP_VOICEBRIDGE_NOTIFY_LONGEST  300000

/* how often the spool is looked through for what others left, ms */
#define NGX_HTTP_VOICEBRIDGE_NOTIFY_SCAN    5000


/* whom a worker delivers to; a copy of a webhook */
typedef struct {
    ngx_queue_t                     queue;
    ngx_http_voicebridge_webhook_t  webhook;
    ngx_uint_t                      running;   /* attempts under way */
    ngx_uint_t                      failures;  /* since something was taken */
    ngx_msec_t                      paused;    /* until then, if failures */
    unsigned                        gone:1;    /* failed in a worker that is
                                                  to exit */
} ngx_http_voicebridge_receiver_t;


/* the events of one call, which are delivered one after the other */
typedef struct {
    ngx_str_node_t                  sn;        /* by the call's SID */
    ngx_queue_t                     queue;     /* of all */
    ngx_queue_t                     events;
    u_char                          sid[40];
} ngx_http_voicebridge_turns_t;


/* an event on its way to the disk */
typedef struct ngx_http_voicebridge_store_s  ngx_http_voicebridge_store_t;


/* name is that of its file: CREATED-COUNT-KEY-SID-ID.TYPE, with the key of
 * its webhook */
typedef struct {
    ngx_queue_t                     queue;     /* of all, oldest first */
    ngx_queue_t                     next;      /* of its turns */
    ngx_http_voicebridge_turns_t   *turns;
    ngx_http_voicebridge_receiver_t  *receiver;    /* NULL: not configured */
    ngx_http_voicebridge_spool_t   *spool;     /* NULL: body is in memory */
    ngx_http_voicebridge_store_t   *store;     /* NULL: not on its way */
    ngx_str_t                       body;
    uint64_t                        created;   /* ms since the epoch */
    ngx_msec_t                      made;      /* or found */
    ngx_msec_t                      due;
    ngx_uint_t                      attempts;
    unsigned                        sending:1;
    u_char                          key[NGX_HTTP_VOICEBRIDGE_WEBHOOK_KEY];
    u_char                          sid[40];   /* the call's, or "none" */
    u_char                          id[40];
    u_char                          type[24];
    u_char                          name[NGX_HTTP_VOICEBRIDGE_SPOOL_NAME + 1];
} ngx_http_voicebridge_event_t;


/* what a worker has to deliver */
typedef struct {
    ngx_queue_t                      events;       /* all, oldest first */
    ngx_uint_t                       n;
    ngx_uint_t                       max;
    ngx_uint_t                       memory;       /* of them, not on disk */
    size_t                           bytes;        /* of these */
    ngx_uint_t                       storing;      /* of these, on their way */
    ngx_msec_t                       stored;       /* the last, or when the
                                                      first was begun */
    ngx_uint_t                       count;        /* ever made here */
    ngx_msec_t                       exit;         /* since then, if exiting */

    ngx_queue_t                      turns;
    ngx_rbtree_t                     rbtree;
    ngx_rbtree_node_t                sentinel;

    ngx_queue_t                      receivers;

    ngx_str_t                        root;         /* empty: no spool */
    ngx_http_voicebridge_spool_t    *own;          /* NULL: cannot be used */
#if (NGX_THREADS)
    ngx_thread_pool_t               *thread_pool;
#endif
    ngx_event_t                      timer;        /* the next attempt */
    ngx_event_t                      scan;
    ngx_connection_t                 dummy;        /* what their data looks
                                                      like */
    unsigned                         exiting:1;
    unsigned                         failed:1;     /* of the disk, and told */
    unsigned                         slow:1;       /* the disk hangs */
    unsigned                         again:1;      /* something has changed */
} ngx_http_voicebridge_notifier_t;


/*
 * _notify_event.c
 *
 * An event that has happened now, with its body in memory; count is one more
 * each time.  NULL without memory.
 */
ngx_http_voicebridge_event_t *ngx_http_voicebridge_event_create(
    ngx_uint_t event, ngx_uint_t count,
    ngx_http_voicebridge_webhook_t *webhook, ngx_str_t *call_sid,
    ngx_str_t *members);

/*
 * One whose file of that name was found; NULL: it is no such name, or *error
 * is set: there is no memory.
 */
ngx_http_voicebridge_event_t *ngx_http_voicebridge_event_found(
    ngx_str_t *name, ngx_uint_t *error);

void ngx_http_voicebridge_event_free(ngx_http_voicebridge_event_t *e);

/* the receiver of a webhook, made where it is new; NULL without memory */
ngx_http_voicebridge_receiver_t *ngx_http_voicebridge_receiver(
    ngx_queue_t *receivers, ngx_http_voicebridge_webhook_t *webhook);

/*
 * That of a configured webhook, by its key; where there is none by that of its
 * URL, which may be reached in another way meanwhile; NULL: there is none.
 */
ngx_http_voicebridge_receiver_t *ngx_http_voicebridge_receiver_known(
    ngx_queue_t *receivers, u_char *key);

/* whether two webhooks are one receiver: to the same URL in the same way */
ngx_uint_t ngx_http_voicebridge_webhook_same(
    ngx_http_voicebridge_webhook_t *a, ngx_http_voicebridge_webhook_t *b);


/* _notify.c */

/* a worker's own; NULL where there is none */
extern ngx_http_voicebridge_notifier_t  *ngx_http_voicebridge_notifier;

/* this process exits now */
extern ngx_uint_t  ngx_http_voicebridge_notify_ending;

/* taken, or given up: counted as result, and forgotten */
void ngx_http_voicebridge_notify_done(ngx_http_voicebridge_event_t *e,
    const char *result);

/* behind those that wait, and behind those of its call; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_voicebridge_notify_insert(
    ngx_http_voicebridge_notifier_t *w, ngx_http_voicebridge_event_t *e);

/* gives up the oldest where there are too many */
void ngx_http_voicebridge_notify_bound(ngx_http_voicebridge_notifier_t *w);

/* counts n more with that result; and how many wait now */
void ngx_http_voicebridge_notify_count(ngx_http_voicebridge_notifier_t *w,
    const char *result, ngx_uint_t n);


/* _notify_run.c */

/* lets go on what waits */
void ngx_http_voicebridge_notify_run(void);

/* the handler of the timer that does so */
void ngx_http_voicebridge_notify_timer_handler(ngx_event_t *ev);

/* an attempt has failed: there will be another, in wait ms at the earliest;
 * returns in how many ms */
ngx_msec_t ngx_http_voicebridge_notify_later(ngx_http_voicebridge_event_t *e,
    ngx_msec_t wait);

/* no more of what is in memory is for this receiver: the worker is to exit */
void ngx_http_voicebridge_notify_gone(ngx_http_voicebridge_receiver_t *r);


/* _notify_scan.c */

/*
 * Puts on disk what is in memory; without success it stays there.  NGX_OK: it
 * is on its way; NGX_ERROR: it is not, and the next one will not be, either.
 */
ngx_int_t ngx_http_voicebridge_notify_store(ngx_http_voicebridge_notifier_t *w,
    ngx_http_voicebridge_event_t *e);

/* whether that was done, when all threads have ended */
ngx_uint_t ngx_http_voicebridge_notify_on_disk(
    ngx_http_voicebridge_event_t *e);

/* the handler of the timer scan */
void ngx_http_voicebridge_notify_scan_handler(ngx_event_t *ev);


/* _notify_send.c: starts an attempt, which ends by one of those above */
void ngx_http_voicebridge_notify_send(ngx_http_voicebridge_event_t *e);


#endif /* _NGX_HTTP_VOICEBRIDGE_NOTIFY_EVENT_H_INCLUDED_ */
