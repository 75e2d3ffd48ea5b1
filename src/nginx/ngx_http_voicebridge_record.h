
/*
 * What is remembered of each call, in the zone: what it is, what happened to
 * it, and what Twilio says of it.  It begins when a call is placed or its
 * stream begins, is changed at the call's turns, and kept for a while when
 * the call is over.
 *
 * Functions with "_locked" are for who has the zone's mutex.
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_RECORD_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_RECORD_H_INCLUDED_


#include <ngx_http_voicebridge.h>


/* calls that have ended and are remembered, at most */
#define NGX_HTTP_VOICEBRIDGE_RECORD_RECENT   100

/* events of a call that are kept, the newest */
#define NGX_HTTP_VOICEBRIDGE_RECORD_EVENTS   48

/* the owner of a call that waits for its stream; no pid */
#define NGX_HTTP_VOICEBRIDGE_RECORD_WAITING  ((ngx_atomic_uint_t) -1)

/* how long nothing has to be heard of a call that rings, of one that was
 * answered and has no stream: ms.  Twilio rings for 600 s at most */
#define NGX_HTTP_VOICEBRIDGE_RECORD_RING     660000
#define NGX_HTTP_VOICEBRIDGE_RECORD_ANSWER   120000


/* what may happen to a call; names are in ..._record.c, in this order */
typedef enum {
    NGX_HTTP_VOICEBRIDGE_STEP_NONE = 0,
    NGX_HTTP_VOICEBRIDGE_STEP_PLACED,         /* Twilio has taken it */
    NGX_HTTP_VOICEBRIDGE_STEP_INCOMING,       /* its TwiML was sent */
    NGX_HTTP_VOICEBRIDGE_STEP_CALL_STATUS,    /* value: a call status */
    NGX_HTTP_VOICEBRIDGE_STEP_STREAM_STATUS,  /* value: a stream status */
    NGX_HTTP_VOICEBRIDGE_STEP_ANSWERED_BY,
    NGX_HTTP_VOICEBRIDGE_STEP_ACCEPTED,       /* the stream's 101 */
    NGX_HTTP_VOICEBRIDGE_STEP_CONNECTING,     /* to the agent */
    NGX_HTTP_VOICEBRIDGE_STEP_RETRY,
    NGX_HTTP_VOICEBRIDGE_STEP_INITIATED,      /* initiation sent */
    NGX_HTTP_VOICEBRIDGE_STEP_METADATA,
    NGX_HTTP_VOICEBRIDGE_STEP_FIRST_AUDIO,
    NGX_HTTP_VOICEBRIDGE_STEP_USER,           /* the caller said something */
    NGX_HTTP_VOICEBRIDGE_STEP_AGENT,
    NGX_HTTP_VOICEBRIDGE_STEP_CORRECTION,
    NGX_HTTP_VOICEBRIDGE_STEP_INTERRUPTION,
    NGX_HTTP_VOICEBRIDGE_STEP_TOOL,
    NGX_HTTP_VOICEBRIDGE_STEP_DTMF,           /* which key is not kept */
    NGX_HTTP_VOICEBRIDGE_STEP_ERROR,          /* the agent's */
    NGX_HTTP_VOICEBRIDGE_STEP_HANGUP,         /* an operator's wish */
    NGX_HTTP_VOICEBRIDGE_STEP_ENDING,
    NGX_HTTP_VOICEBRIDGE_STEP_REDIRECTED,     /* value: Twilio's answer */
    NGX_HTTP_VOICEBRIDGE_STEP_ENDED,
    NGX_HTTP_VOICEBRIDGE_STEPS
} ngx_http_voicebridge_step_e;

/* Twilio's CallStatus, in the order of a call's life; from COMPLETED on it
 * is over */
typedef enum {
    NGX_HTTP_VOICEBRIDGE_STATUS_NONE = 0,
    NGX_HTTP_VOICEBRIDGE_STATUS_QUEUED,
    NGX_HTTP_VOICEBRIDGE_STATUS_INITIATED,
    NGX_HTTP_VOICEBRIDGE_STATUS_RINGING,
    NGX_HTTP_VOICEBRIDGE_STATUS_IN_PROGRESS,
    NGX_HTTP_VOICEBRIDGE_STATUS_COMPLETED,
    NGX_HTTP_VOICEBRIDGE_STATUS_BUSY,
    NGX_HTTP_VOICEBRIDGE_STATUS_NO_ANSWER,
    NGX_HTTP_VOICEBRIDGE_STATUS_FAILED,
    NGX_HTTP_VOICEBRIDGE_STATUS_CANCELED,
    NGX_HTTP_VOICEBRIDGE_STATUSES
} ngx_http_voicebridge_status_e;

/* its StreamEvent */
typedef enum {
    NGX_HTTP_VOICEBRIDGE_STREAM_NONE = 0,
    NGX_HTTP_VOICEBRIDGE_STREAM_STARTED,
    NGX_HTTP_VOICEBRIDGE_STREAM_STOPPED,
    NGX_HTTP_VOICEBRIDGE_STREAM_ERROR,
    NGX_HTTP_VOICEBRIDGE_STREAM_EVENTS
} ngx_http_voicebridge_stream_e;


typedef struct {
    uint32_t                            at;        /* ms since created */
    uint16_t                            type;
    uint16_t                            value;
} ngx_http_voicebridge_step_t;


/*
 * What a call's own worker tells, or who placed it.  Texts end with a NUL,
 * longer ones are cut between characters.  Numbers of phones are masked.
 */
typedef struct {
    uint64_t                            started;   /* ms since the epoch: its
                                                      stream, else created */
    uint64_t                            duration;  /* ms, once ended */
    uint32_t                            interruptions;
    uint32_t                            first_audio;   /* ms, or UINT32_MAX */
    uint32_t                            caller_audio;  /* ms */
    uint32_t                            agent_audio;   /* ms */
    uint64_t                            agent;     /* a hash of its id */

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
    char                                error[160];
} ngx_http_voicebridge_record_t;


/* what others tell of it, and when what happened */
typedef struct {
    uint64_t                            created;   /* ms since the epoch */
    ngx_msec_t                          moment;    /* the same moment */
    uint32_t                            nevents;   /* all there were */
    uint32_t                            seen;      /* SequenceNumbers, bits */
    uint32_t                            error_code;    /* Twilio's, or 0 */
    uint16_t                            status;    /* Twilio's CallStatus */
    uint16_t                            sip;       /* response code, or 0 */
    char                                answered_by[24];
    ngx_http_voicebridge_step_t         event
                                        [NGX_HTTP_VOICEBRIDGE_RECORD_EVENTS];
} ngx_http_voicebridge_trail_t;


/* who has it that a call ends, where Twilio is asked to hang up: bits, and an
 * operator's counts for more */
typedef enum {
    NGX_HTTP_VOICEBRIDGE_WISH_NONE = 0,
    NGX_HTTP_VOICEBRIDGE_WISH_OPERATOR = 1,
    NGX_HTTP_VOICEBRIDGE_WISH_MACHINE = 2     /* who answered: not a person */
} ngx_http_voicebridge_wish_e;


/*
 * The place of a call.  Moments are of ngx_current_msec, which all workers
 * have in common and which nobody sets, as they do the time of day.
 */
typedef struct {
    ngx_atomic_t                        serial;    /* the table's own */
    ngx_atomic_t                        hangup;    /* ..._wish_e */
    ngx_msec_t                          started;   /* the record's moment */
    ngx_msec_t                          expires;   /* while it waits */
    ngx_http_voicebridge_record_t       record;
    ngx_http_voicebridge_trail_t        trail;
} ngx_http_voicebridge_known_t;


/*
 * All of them.  A call is live while its place in the table of owners has the
 * pid of its process, or waits for its stream: where a process ends in the
 * middle of something, nothing else says what is true.
 */
typedef struct {
    ngx_http_voicebridge_known_t       *live;
    ngx_atomic_t                       *owner;
    uint32_t                           *key;       /* of their SIDs, 0: none */
    ngx_uint_t                          nlive;
    ngx_uint_t                          hand;      /* a free place is near */
    ngx_atomic_t                        begun;

    /* a ring: the n-th that has ended is at n modulo nrecent, its serial is
     * n + 1, or 0 while it is written */
    ngx_http_voicebridge_known_t       *recent;
    ngx_uint_t                          nrecent;
    ngx_atomic_t                        ended;
} ngx_http_voicebridge_records_t;


/* which calls are wanted; empty: any */
typedef struct {
    ngx_str_t                           call_sid;
    ngx_str_t                           state;
    ngx_str_t                           agent_id;
    ngx_str_t                           direction;
    ngx_str_t                           end_reason;
    uint64_t                            since;     /* created then or later */
    ngx_uint_t                          limit;
} ngx_http_voicebridge_query_t;


/* what they are called, each with a NUL */
extern const char  *ngx_http_voicebridge_step_names[];
extern const char  *ngx_http_voicebridge_status_names[];
extern const char  *ngx_http_voicebridge_stream_names[];


/*
 * The tables, in a new zone: live calls take a quarter of what is free then,
 * recent ones an eighth at most.  Without room there are none.
 */
void ngx_http_voicebridge_records_create(
    ngx_http_voicebridge_records_t *records, ngx_slab_pool_t *shpool);

/*
 * A place that is nobody's yet, made empty; it becomes somebody's when its
 * owner is stored.  NULL: none is free.  For a stream one that waits has to
 * go then, the oldest.
 */
ngx_http_voicebridge_known_t *ngx_http_voicebridge_record_place_locked(
    ngx_shm_zone_t *zone, ngx_uint_t stream);

/* the owner of a live call's place; NULL for one that is over */
ngx_atomic_t *ngx_http_voicebridge_record_owner(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_known_t *known);

/* the newest with that SID, live or recent, or NULL */
ngx_http_voicebridge_known_t *ngx_http_voicebridge_record_find_locked(
    ngx_shm_zone_t *zone, const char *call_sid);

/* makes it known by its record's SID, where it has one */
void ngx_http_voicebridge_record_key_locked(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_known_t *known);

/*
 * The stream of a call has told its SID: what is known of the call that
 * waited for it becomes the stream's.
 */
void ngx_http_voicebridge_record_inherit_locked(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_known_t *known);

/* adds an event that happens now */
void ngx_http_voicebridge_record_event_locked(
    ngx_http_voicebridge_known_t *known, ngx_http_voicebridge_step_e type,
    ngx_uint_t value);

/*
 * A live call is over: it is counted, leaves its place and is one of the
 * recent, all at once.  known is a copy of it, which has its end_reason or
 * gets this one.
 */
void ngx_http_voicebridge_record_retire_locked(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_known_t *known, ngx_atomic_t *owner,
    const char *reason);

/* copies a text into a record's member of size bytes, where it is UTF-8 */
void ngx_http_voicebridge_record_text(char *dst, size_t size, ngx_str_t *src);

/*
 * Sets the agent.  What is kept of an id may be the beginning of another one,
 * too: agents are told apart by the hash of all of it as well.
 */
void ngx_http_voicebridge_record_agent(ngx_http_voicebridge_record_t *record,
    ngx_str_t *agent_id);
uint64_t ngx_http_voicebridge_record_agent_hash(ngx_str_t *agent_id);

/* ms since the epoch */
uint64_t ngx_http_voicebridge_record_now(void);

/* ms since a moment, which may be that of a worker whose time is ahead */
ngx_msec_t ngx_http_voicebridge_record_since(ngx_msec_t moment);


/*
 * _record_view.c: copies of the calls that are wanted, newest first, live or
 * recent ones: an array of ngx_http_voicebridge_known_t in pool, or NULL
 * without memory.
 */
ngx_array_t *ngx_http_voicebridge_record_query(ngx_shm_zone_t *zone,
    ngx_pool_t *pool, ngx_uint_t live, ngx_http_voicebridge_query_t *query);


#endif /* _NGX_HTTP_VOICEBRIDGE_RECORD_H_INCLUDED_ */
