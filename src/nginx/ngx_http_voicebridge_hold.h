
/*
 * How many calls an agent has at a time, for voicebridge_max_agent_calls:
 * those the zone has records of, and those Twilio is being asked for, which
 * are held for as long.
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_HOLD_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_HOLD_H_INCLUDED_


#include <ngx_http_voicebridge.h>


/* calls of all agents that Twilio is asked for at a time, at most */
#define NGX_HTTP_VOICEBRIDGE_HOLDS  256


typedef struct {
    ngx_atomic_t                        serial;    /* 0: free */
    ngx_pid_t                           pid;       /* ends with it, */
    ngx_msec_t                          expires;   /* or then */
    uint64_t                            agent;     /* a hash of its id */
} ngx_http_voicebridge_held_t;


/* in the zone */
typedef struct {
    ngx_atomic_t                        taken;
    ngx_http_voicebridge_held_t         held[NGX_HTTP_VOICEBRIDGE_HOLDS];
} ngx_http_voicebridge_holds_t;


/* one call more, for who asks for it */
typedef struct {
    ngx_shm_zone_t                     *zone;      /* NULL: none is held */
    ngx_http_voicebridge_held_t        *held;
    ngx_atomic_uint_t                   serial;
} ngx_http_voicebridge_hold_t;


/*
 * Holds one call more of an agent that has fewer than max, for ms at most:
 * NGX_OK; NGX_DECLINED: it has as many; NGX_BUSY: there is no room to hold it,
 * or for its record, whoever's it is.  Calls are never more; for a moment, when
 * one is placed or answered, it may count twice.
 */
ngx_int_t ngx_http_voicebridge_hold_take(ngx_http_voicebridge_hold_t *hold,
    ngx_shm_zone_t *zone, ngx_str_t *agent_id, ngx_uint_t max, ngx_msec_t ms);

/* the call is known to the zone by now, or there is none */
void ngx_http_voicebridge_hold_release(ngx_http_voicebridge_hold_t *hold);


#endif /* _NGX_HTTP_VOICEBRIDGE_HOLD_H_INCLUDED_ */
