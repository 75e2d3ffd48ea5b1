
/*
 * voicebridge_zone: what the workers share.  Calls are served without it
 * and in spite of it: when it is full, things are counted and go on.
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_ZONE_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_ZONE_H_INCLUDED_


#include <ngx_http_voicebridge.h>
#include <ngx_http_voicebridge_hold.h>
#include <ngx_http_voicebridge_idempotency.h>
#include <ngx_http_voicebridge_stats.h>
#include <ngx_http_voicebridge_talk.h>


/* most that one change of the zone can store at once */
#define NGX_HTTP_VOICEBRIDGE_ZONE_STORES  8


/* voicebridge_zone name:size; (http only) */
char *ngx_http_voicebridge_zone_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/*
 * The zone's mutex, which core unlocks for a worker that was killed, wherever
 * that was.  So what is shared is made to be whole at every instruction: a
 * change writes what nobody looks at yet, and then one word; or, where more
 * than one word belong together, it gives them to ..._store(), at most
 * NGX_HTTP_VOICEBRIDGE_ZONE_STORES, each once.  They are stored by
 * ..._commit() and by ..._unlock(): if not by this worker, then by the next
 * one that has the mutex.  ..._store() alone changes nothing.
 */
void ngx_http_voicebridge_zone_lock(ngx_shm_zone_t *zone);
void ngx_http_voicebridge_zone_store(ngx_shm_zone_t *zone, ngx_atomic_t *word,
    ngx_atomic_uint_t value);
void ngx_http_voicebridge_zone_commit(ngx_shm_zone_t *zone);
void ngx_http_voicebridge_zone_unlock(ngx_shm_zone_t *zone);


/*
 * Uses a token's nonce (16 bytes) up until expiry (Unix seconds).  NGX_OK the
 * first time, NGX_DECLINED when it was used before.  When there is no room for
 * it NGX_OK with *full set: the caller logs.
 */
ngx_int_t ngx_http_voicebridge_zone_use_nonce(ngx_shm_zone_t *zone,
    u_char *nonce, time_t expiry, ngx_uint_t *full);


/* the root of what operators see, in a zone that is in use */
ngx_http_voicebridge_stats_sh_t *ngx_http_voicebridge_zone_stats(
    ngx_shm_zone_t *zone);

#define ngx_http_voicebridge_zone_records(zone)                               \
    (&ngx_http_voicebridge_zone_stats(zone)->records)

/* the table of kept answers; NULL where there is none */
ngx_http_voicebridge_idempotency_sh_t *ngx_http_voicebridge_zone_idempotency(
    ngx_shm_zone_t *zone);

/* calls that are asked for; NULL where no location counts them */
ngx_http_voicebridge_holds_t *ngx_http_voicebridge_zone_holds(
    ngx_shm_zone_t *zone);

/* the root of who speaks and what is said; NULL where there is none */
ngx_http_voicebridge_talk_sh_t *ngx_http_voicebridge_zone_talk(
    ngx_shm_zone_t *zone);


#endif /* _NGX_HTTP_VOICEBRIDGE_ZONE_H_INCLUDED_ */
