
/*
 * Who speaks when, and what is said, in the zone: what voicebridge_dashboard
 * shows beside the records of calls.  Written when somebody begins or ends
 * to speak and when a turn's text is known, never for a frame of audio.
 *
 * A call has one of the places there are, which are made where a dashboard is
 * configured; when all are taken by live calls, the next one is served and not
 * shown.  Whole at every instruction, see ngx_http_voicebridge_zone.h.
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_TALK_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_TALK_H_INCLUDED_


#include <ngx_http_voicebridge.h>


/* of a call the last ones are kept */
#define NGX_HTTP_VOICEBRIDGE_TALK_SPANS  118

/* bytes of text of a call, and of a turn, with a header each */
#define NGX_HTTP_VOICEBRIDGE_TALK_TEXT   4096
#define NGX_HTTP_VOICEBRIDGE_TALK_TURN   1500

/* how long a text stays after its call, seconds; calls that have ended and
 * are remembered, at most */
#define NGX_HTTP_VOICEBRIDGE_TALK_KEEP   120
#define NGX_HTTP_VOICEBRIDGE_TALK_ENDED  100


typedef enum {
    NGX_HTTP_VOICEBRIDGE_CALLER = 0,
    NGX_HTTP_VOICEBRIDGE_AGENT,
    NGX_HTTP_VOICEBRIDGE_CORRECTION    /* of the agent's last turn */
} ngx_http_voicebridge_who_t;


/* times are ms since Twilio's handshake */
typedef struct {
    uint64_t                            seq;       /* of its last change */
    unsigned                            agent:1;
    unsigned                            start:31;
    uint32_t                            end;       /* 0: goes on */
} ngx_http_voicebridge_span_t;


/* free: neither owner nor ended */
typedef struct {
    ngx_atomic_t                        owner;     /* the call's worker */
    time_t                              ended;     /* 0: is live */
    uint64_t                            seq;       /* of the last change */
    uint32_t                            nspans;    /* ever */
    uint32_t                            nturns;    /* ever */
    uint32_t                            len;       /* of the text */
    ngx_uint_t                          texts;     /* are kept */

    char                                call_sid[36];
    char                                stream_sid[36];

    ngx_http_voicebridge_span_t         span
                                           [NGX_HTTP_VOICEBRIDGE_TALK_SPANS];
} ngx_http_voicebridge_talk_place_t;


typedef struct {
    ngx_http_voicebridge_talk_place_t  *place;
    u_char                             *text;      /* TALK_TEXT of each */
    ngx_uint_t                          n;
    uint64_t                            seq;
    ngx_atomic_t                        changed;   /* texts, or an end */
} ngx_http_voicebridge_talk_sh_t;


#define ngx_http_voicebridge_talk_text(sh, p)                                  \
    ((sh)->text + ((p) - (sh)->place) * NGX_HTTP_VOICEBRIDGE_TALK_TEXT)


/* a call's side; all zero at first.  Without a place it is not shown */
typedef struct {
    ngx_shm_zone_t                     *zone;
    ngx_http_voicebridge_talk_place_t  *place;
} ngx_http_voicebridge_talk_t;


/* in front of each turn of a text; not aligned */
typedef struct {
    uint32_t                            id;
    uint32_t                            at;
    uint16_t                            len;
    uint16_t                            who;
} ngx_http_voicebridge_talk_head_t;


/* a turn, in a copy of a call's text */
typedef struct {
    uint32_t                            id;        /* from 1 on */
    uint32_t                            at;        /* ms */
    ngx_http_voicebridge_who_t          who;
    ngx_str_t                           text;
} ngx_http_voicebridge_turn_t;


typedef struct {
    char                                stream_sid[36];
    unsigned                            live:1;
    unsigned                            texts:1;
    size_t                              len;
    u_char                              text[NGX_HTTP_VOICEBRIDGE_TALK_TEXT];
} ngx_http_voicebridge_talk_copy_t;


/*
 * Makes the root of it, with as many places as size bytes have room for;
 * NULL: not even for the root.
 */
ngx_http_voicebridge_talk_sh_t *ngx_http_voicebridge_talk_create(
    ngx_slab_pool_t *shpool, size_t size);


/* a call begins; texts: whether what is said may be kept */
void ngx_http_voicebridge_talk_begin(ngx_http_voicebridge_talk_t *talk,
    ngx_shm_zone_t *zone, ngx_str_t *call_sid, ngx_str_t *stream_sid,
    ngx_uint_t texts);

/* somebody speaks since start; end is 0 until it is known */
void ngx_http_voicebridge_talk_span(ngx_http_voicebridge_talk_t *talk,
    ngx_http_voicebridge_who_t who, uint32_t start, uint32_t end);

/* a turn, known at a moment; longer ones are cut between characters */
void ngx_http_voicebridge_talk_turn(ngx_http_voicebridge_talk_t *talk,
    ngx_http_voicebridge_who_t who, uint32_t at, ngx_str_t *text);

/* the call is over at a moment; spans that go on end there */
void ngx_http_voicebridge_talk_end(ngx_http_voicebridge_talk_t *talk,
    uint32_t end);


/* a worker begins: it sees to what those before it have left */
void ngx_http_voicebridge_talk_init_process(ngx_shm_zone_t *zone);

/*
 * With the lock held: ends the calls of processes that are no more, own: also
 * those of one before this one that had its pid; wipes texts of which the time
 * is over.  In how many seconds that is to be done again; 0: there is nothing
 * to wipe later.
 */
time_t ngx_http_voicebridge_talk_sweep(ngx_http_voicebridge_talk_sh_t *sh,
    ngx_uint_t own);


/* _talk_view.c */

/*
 * Copies of the places that have changed after since, all for 0: an array of
 * ngx_http_voicebridge_talk_place_t in pool, or NULL without memory.  *seq is
 * what to ask with the next time.
 */
ngx_array_t *ngx_http_voicebridge_talk_places(ngx_shm_zone_t *zone,
    ngx_pool_t *pool, uint64_t since, uint64_t *seq);

/*
 * Copies what was said in the call of that SID, of Twilio's call or stream;
 * a live one first.  NGX_OK, or NGX_DECLINED: it is not known.
 */
ngx_int_t ngx_http_voicebridge_talk_copy(ngx_shm_zone_t *zone, ngx_str_t *sid,
    ngx_http_voicebridge_talk_copy_t *copy);

/* the turn at *pos, which begins with 0; NGX_DONE behind the last */
ngx_int_t ngx_http_voicebridge_talk_next(ngx_http_voicebridge_talk_copy_t *copy,
    size_t *pos, ngx_http_voicebridge_turn_t *turn);

/* differs when a copy may; looked at without the lock */
ngx_atomic_uint_t ngx_http_voicebridge_talk_changed(ngx_shm_zone_t *zone);


#endif /* _NGX_HTTP_VOICEBRIDGE_TALK_H_INCLUDED_ */
