
/*
 * What operators see of calls, in the zone: counters, histograms, and a
 * record of each call.  Touched when a call changes and at its turns, never
 * for a frame of audio; a zone that is full or not there costs numbers and
 * no call.
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_STATS_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_STATS_H_INCLUDED_


#include <ngx_http_voicebridge.h>
#include <ngx_http_voicebridge_record.h>


#define NGX_HTTP_VOICEBRIDGE_STATS_COUNTERS  128
#define NGX_HTTP_VOICEBRIDGE_STATS_WORKERS   128
#define NGX_HTTP_VOICEBRIDGE_STATS_LABEL     24

/* bounds of a histogram, beside infinity */
#define NGX_HTTP_VOICEBRIDGE_STATS_BOUNDS    13


/* counters with labels */
typedef enum {
    NGX_HTTP_VOICEBRIDGE_STATS_NONE = 0,
    NGX_HTTP_VOICEBRIDGE_STATS_CALLS,          /* direction, reason */
    NGX_HTTP_VOICEBRIDGE_STATS_OUTBOUND,       /* status */
    NGX_HTTP_VOICEBRIDGE_STATS_REFUSED,        /* reason */
    NGX_HTTP_VOICEBRIDGE_STATS_FAILURES,       /* service, kind */
    NGX_HTTP_VOICEBRIDGE_STATS_EVENTS          /* result */
} ngx_http_voicebridge_stats_family_t;

typedef enum {
    NGX_HTTP_VOICEBRIDGE_STATS_SETUP = 0,      /* 101 to initiation sent */
    NGX_HTTP_VOICEBRIDGE_STATS_FIRST_AUDIO,    /* 101 to first agent audio */
    NGX_HTTP_VOICEBRIDGE_STATS_ANSWER,         /* transcript to audio */
    NGX_HTTP_VOICEBRIDGE_STATS_TO_AGENT,       /* read to written, samples */
    NGX_HTTP_VOICEBRIDGE_STATS_TO_CALLER,
    NGX_HTTP_VOICEBRIDGE_STATS_HISTOGRAMS
} ngx_http_voicebridge_stats_histogram_t;

/* the most bytes there ever were */
typedef enum {
    NGX_HTTP_VOICEBRIDGE_STATS_PEAK_CALLER = 0,    /* queued for a phone */
    NGX_HTTP_VOICEBRIDGE_STATS_PEAK_AGENT,         /* for an agent */
    NGX_HTTP_VOICEBRIDGE_STATS_PEAK_EARLY,         /* before it is there */
    NGX_HTTP_VOICEBRIDGE_STATS_PEAKS
} ngx_http_voicebridge_stats_peak_t;


/* once added, a counter's family and labels do not change */
typedef struct {
    ngx_uint_t                          family;
    char                                label[2]
                                          [NGX_HTTP_VOICEBRIDGE_STATS_LABEL];
    ngx_atomic_t                        value;
} ngx_http_voicebridge_counter_t;


typedef struct {
    ngx_atomic_t                        bucket
                                     [NGX_HTTP_VOICEBRIDGE_STATS_BOUNDS + 1];
    ngx_atomic_t                        sum;               /* us */
} ngx_http_voicebridge_histogram_t;


/* the same in a worker, before the zone is told */
typedef struct {
    uint32_t                            bucket
                                     [NGX_HTTP_VOICEBRIDGE_STATS_BOUNDS + 1];
    uint32_t                            n;
    uint64_t                            sum;               /* us */
} ngx_http_voicebridge_samples_t;


/* a process, and its calls that have no record, so that they end with it */
typedef struct {
    ngx_pid_t                           pid;               /* 0: free */
    ngx_atomic_t                        unseen;
    ngx_atomic_t                        waiting;   /* its webhook's events */
} ngx_http_voicebridge_worker_t;


typedef struct {
    ngx_http_voicebridge_records_t      records;

    ngx_atomic_t                        full;      /* no room for something */
    time_t                              complained;    /* in the log of it */
    ngx_atomic_t                        interruptions;
    ngx_atomic_t                        lines_lost;        /* of transcripts */
    ngx_atomic_t                        caller_audio;      /* ms */
    ngx_atomic_t                        agent_audio;       /* ms */
    ngx_atomic_t                        peak
                                   [NGX_HTTP_VOICEBRIDGE_STATS_PEAKS];

    ngx_http_voicebridge_histogram_t    histogram
                                   [NGX_HTTP_VOICEBRIDGE_STATS_HISTOGRAMS];
    ngx_http_voicebridge_counter_t      counter
                                   [NGX_HTTP_VOICEBRIDGE_STATS_COUNTERS];

    /* the first is that of processes which have found no other, and has no
     * pid */
    ngx_http_voicebridge_worker_t       worker
                                   [NGX_HTTP_VOICEBRIDGE_STATS_WORKERS];
} ngx_http_voicebridge_stats_sh_t;


/* a call's side of it, in its worker */
typedef struct {
    ngx_shm_zone_t                     *zone;      /* NULL: nothing to do */
    ngx_http_voicebridge_worker_t      *worker;
    ngx_http_voicebridge_known_t       *known;     /* NULL: no room for it */
    ngx_atomic_t                       *owner;     /* of its place */

    /* told so far */
    uint32_t                            interruptions;
    uint32_t                            caller_audio;
    uint32_t                            agent_audio;
} ngx_http_voicebridge_stats_t;


/* what a callback of Twilio's says of a call; texts may be empty */
typedef struct {
    ngx_str_t                           answered_by;
    ngx_http_voicebridge_status_e       status;
    ngx_http_voicebridge_stream_e       stream;
    ngx_int_t                           sequence;  /* SequenceNumber, or
                                                      NGX_ERROR */
    ngx_uint_t                          sip;       /* response code, or 0 */
    ngx_uint_t                          error_code;    /* or 0 */
} ngx_http_voicebridge_callback_t;


/*
 * Upper bounds of a histogram's buckets, us:
 * NGX_HTTP_VOICEBRIDGE_STATS_BOUNDS of them.
 */
const uint32_t *ngx_http_voicebridge_stats_bounds(
    ngx_http_voicebridge_stats_histogram_t histogram);

/* makes the root of it all in a new zone; NULL: no room */
ngx_http_voicebridge_stats_sh_t *ngx_http_voicebridge_stats_create(
    ngx_slab_pool_t *shpool);


/* _stats.c: numbers; zone may be NULL */

/* adds one to a counter with labels (b: "" where the family has one) */
void ngx_http_voicebridge_stats_count(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_family_t family, const char *a, const char *b);

/* the same when the change of who has the mutex is committed */
void ngx_http_voicebridge_stats_increment_locked(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_family_t family, const char *a, const char *b);

/* a time in ms */
void ngx_http_voicebridge_stats_observe(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_histogram_t histogram, ngx_msec_t ms);

/* one in us, kept in the worker; and all that are kept, which are no more */
void ngx_http_voicebridge_stats_sample(ngx_http_voicebridge_samples_t *samples,
    ngx_http_voicebridge_stats_histogram_t histogram, uint64_t us);
void ngx_http_voicebridge_stats_samples(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_histogram_t histogram,
    ngx_http_voicebridge_samples_t *samples);

void ngx_http_voicebridge_stats_peak(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_peak_t peak, size_t bytes);

/*
 * There was no room in the zone for something: counted, and in the log once
 * a minute.  what: the rest of the sentence.
 */
void ngx_http_voicebridge_stats_full(ngx_shm_zone_t *zone, const char *what);


/* _stats_call.c: a call's stream, in its worker */

/* it begins; zone may be NULL */
void ngx_http_voicebridge_stats_begin(ngx_http_voicebridge_stats_t *stats,
    ngx_shm_zone_t *zone);

/*
 * What the call is now: all members of record but started.  Numbers never
 * become smaller.  event, with its value, is what has happened, or NONE.
 */
void ngx_http_voicebridge_stats_update(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record, ngx_http_voicebridge_step_e event,
    ngx_uint_t value);

/* the same for the last time: end_reason and duration are set */
void ngx_http_voicebridge_stats_end(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record);

/* an event that changes nothing else */
void ngx_http_voicebridge_stats_event(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_step_e event, ngx_uint_t value);

/* how many events wait in this process for their delivery */
void ngx_http_voicebridge_stats_waiting(ngx_shm_zone_t *zone, ngx_uint_t n);

/* who has wished the call to end */
ngx_http_voicebridge_wish_e ngx_http_voicebridge_stats_hangup(
    ngx_http_voicebridge_stats_t *stats);

/*
 * Ends the calls of processes that are no more, as "worker_lost"; own: also
 * those of a process before this one that had its pid.  And calls of which
 * nothing was heard for too long.
 */
void ngx_http_voicebridge_stats_reap(ngx_shm_zone_t *zone, ngx_uint_t own);

/* streams that are going on; calls that wait for theirs; and places of either
 * that are taken */
ngx_uint_t ngx_http_voicebridge_stats_live(ngx_shm_zone_t *zone);
ngx_uint_t ngx_http_voicebridge_stats_ringing(ngx_shm_zone_t *zone);
ngx_uint_t ngx_http_voicebridge_stats_owned(ngx_shm_zone_t *zone);


/* _stats_status.c: a call without its stream; zone may be NULL */

/*
 * Twilio has a call: event says whether it was PLACED, with Twilio's status
 * as value, or is INCOMING.  record: its texts, but for state.
 */
void ngx_http_voicebridge_stats_placed(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_record_t *record, ngx_http_voicebridge_step_e event,
    ngx_uint_t value);

/*
 * Twilio tells of a call, maybe twice and in any order.  record: its texts,
 * which are used for one that ended and was not known.
 */
void ngx_http_voicebridge_stats_callback(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_record_t *record,
    ngx_http_voicebridge_callback_t *callback);

/* copies the record of the call of that SID; NGX_OK, or NGX_DECLINED: it is
 * not known */
ngx_int_t ngx_http_voicebridge_stats_known(ngx_shm_zone_t *zone,
    ngx_str_t *call_sid, ngx_http_voicebridge_record_t *record);

/*
 * Somebody wishes the call to end, or failed: could not end it, and has no such
 * wish any more.  NGX_OK; NGX_DONE: it is over; NGX_DECLINED: it is not known.
 */
ngx_int_t ngx_http_voicebridge_stats_wish(ngx_shm_zone_t *zone,
    ngx_str_t *call_sid, ngx_http_voicebridge_wish_e wish, ngx_uint_t failed);

/* calls of which nothing was heard for too long are over */
void ngx_http_voicebridge_stats_expire_locked(ngx_shm_zone_t *zone);


#endif /* _NGX_HTTP_VOICEBRIDGE_STATS_H_INCLUDED_ */
