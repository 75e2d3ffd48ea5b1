
/*
 * What operators see of calls, in the zone: counters, histograms, and a
 * record of each call, live and recent.  Touched when a call changes and at
 * its turns, never for a frame of audio; a zone that is full or not there
 * costs numbers and no call.
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_STATS_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_STATS_H_INCLUDED_


#include <ngx_http_voicebridge.h>


/* calls that have ended and are remembered, at most */
#define NGX_HTTP_VOICEBRIDGE_STATS_RECENT    100

#define NGX_HTTP_VOICEBRIDGE_STATS_COUNTERS  96
#define NGX_HTTP_VOICEBRIDGE_STATS_WORKERS   128
#define NGX_HTTP_VOICEBRIDGE_STATS_LABEL     24

/* bounds of the histograms: those of the array below, and infinity */
#define NGX_HTTP_VOICEBRIDGE_STATS_BOUNDS    13


/* counters with labels */
typedef enum {
    NGX_HTTP_VOICEBRIDGE_STATS_NONE = 0,
    NGX_HTTP_VOICEBRIDGE_STATS_CALLS,          /* direction, reason */
    NGX_HTTP_VOICEBRIDGE_STATS_OUTBOUND,       /* status */
    NGX_HTTP_VOICEBRIDGE_STATS_REFUSED,        /* reason */
    NGX_HTTP_VOICEBRIDGE_STATS_EVENTS          /* result */
} ngx_http_voicebridge_stats_family_t;

typedef enum {
    NGX_HTTP_VOICEBRIDGE_STATS_SETUP = 0,      /* 101 to initiation sent */
    NGX_HTTP_VOICEBRIDGE_STATS_FIRST_AUDIO,    /* 101 to first agent audio */
    NGX_HTTP_VOICEBRIDGE_STATS_ANSWER,         /* transcript to audio */
    NGX_HTTP_VOICEBRIDGE_STATS_HISTOGRAMS
} ngx_http_voicebridge_stats_histogram_t;


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
    ngx_atomic_t                        sum;               /* ms */
} ngx_http_voicebridge_histogram_t;


/* a process, and its calls that have no record, so that they end with it */
typedef struct {
    ngx_pid_t                           pid;               /* 0: free */
    ngx_atomic_t                        unseen;
    ngx_atomic_t                        waiting;   /* its webhook's events */
} ngx_http_voicebridge_worker_t;


/*
 * A call.  Texts end with a NUL, longer ones are cut between characters.
 * Numbers of phones are masked.
 */
typedef struct {
    ngx_atomic_t                        serial;    /* the zone's own */

    uint32_t                            interruptions;
    uint64_t                            started;   /* ms since the epoch */
    uint64_t                            duration;  /* ms, once ended */
    uint32_t                            first_audio;   /* ms, or UINT32_MAX */
    uint32_t                            caller_audio;  /* ms */
    uint32_t                            agent_audio;   /* ms */

    char                                state[12];
    char                                end_reason[24];
    char                                direction[12];
    char                                call_sid[36];
    char                                stream_sid[36];
    char                                session_id[64];
    char                                conversation_id[48];
    char                                agent_id[64];
    char                                from[24];
    char                                to[24];
    char                                error[96];
} ngx_http_voicebridge_record_t;


/*
 * A call is live while its place in the table of owners has the pid of its
 * process, and so has the record of that place: where a process ends in the
 * middle of something, nothing else says what is true.
 */
typedef struct {
    ngx_http_voicebridge_record_t      *live;
    ngx_atomic_t                       *owner;
    ngx_uint_t                          nlive;
    ngx_uint_t                          hand;      /* a free place is near */
    ngx_atomic_t                        begun;     /* with a record */

    /* a ring: the n-th that has ended is at n modulo nrecent, its serial is
     * n + 1, or 0 while it is written */
    ngx_http_voicebridge_record_t      *recent;
    ngx_uint_t                          nrecent;
    ngx_atomic_t                        ended;

    ngx_atomic_t                        full;      /* no room for something */
    ngx_atomic_t                        interruptions;
    ngx_atomic_t                        lines_lost;        /* of transcripts */
    ngx_atomic_t                        caller_audio;      /* ms */
    ngx_atomic_t                        agent_audio;       /* ms */

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
    ngx_http_voicebridge_record_t      *record;    /* NULL: no room for it */
    ngx_atomic_t                       *owner;     /* of the record */

    uint64_t                            started;   /* ms since the epoch */

    /* told so far */
    uint32_t                            interruptions;
    uint32_t                            caller_audio;
    uint32_t                            agent_audio;
} ngx_http_voicebridge_stats_t;


/* upper bounds of a histogram's buckets, ms */
extern ngx_msec_t  ngx_http_voicebridge_stats_bounds[];


/*
 * Makes the root of it all in a new zone; NULL: no room.  Records of calls
 * take an eighth of what is free then, those of the last hundred another one
 * at most.
 */
ngx_http_voicebridge_stats_sh_t *ngx_http_voicebridge_stats_create(
    ngx_slab_pool_t *shpool);

/*
 * Ends the calls of processes that are no more, as "worker_lost"; own: also
 * those of a process before this one that had its pid.
 */
void ngx_http_voicebridge_stats_reap(ngx_shm_zone_t *zone, ngx_uint_t own);


/* a call begins; zone may be NULL */
void ngx_http_voicebridge_stats_begin(ngx_http_voicebridge_stats_t *stats,
    ngx_shm_zone_t *zone);

/*
 * What the call is now: all members of record but serial and started.
 * Numbers never become smaller.
 */
void ngx_http_voicebridge_stats_update(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record);

/* the same for the last time: end_reason and duration are set */
void ngx_http_voicebridge_stats_end(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record);

/* copies a text into a record's member of size bytes */
void ngx_http_voicebridge_stats_text(char *dst, size_t size, ngx_str_t *src);


/* adds one to a counter with labels (b: "" where the family has one) */
void ngx_http_voicebridge_stats_count(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_family_t family, const char *a, const char *b);

/* a time in ms; zone may be NULL */
void ngx_http_voicebridge_stats_observe(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_histogram_t histogram, ngx_msec_t ms);


/* how many events wait in this process for their delivery */
void ngx_http_voicebridge_stats_waiting(ngx_shm_zone_t *zone, ngx_uint_t n);

/* calls that are going on */
ngx_uint_t ngx_http_voicebridge_stats_live(ngx_shm_zone_t *zone);

/*
 * Copies of up to limit records, newest first, live or recent ones, with
 * this call_sid where it is not empty: an array of
 * ngx_http_voicebridge_record_t in pool, or NULL without memory.
 */
ngx_array_t *ngx_http_voicebridge_stats_records(ngx_shm_zone_t *zone,
    ngx_pool_t *pool, ngx_uint_t live, ngx_str_t *sid, ngx_uint_t limit);


#endif /* _NGX_HTTP_VOICEBRIDGE_STATS_H_INCLUDED_ */
