
/*
 * Answers that are kept in voicebridge_zone, so that a request that is sent
 * once more gets its answer once more, and has no effect a second time.
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_H_INCLUDED_


#include <ngx_http_voicebridge.h>


#define NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH  32


typedef struct ngx_http_voicebridge_idempotency_sh_s
                                         ngx_http_voicebridge_idempotency_sh_t;


/* a request, as it is told from others */
typedef struct {
    u_char         key[NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH];
    u_char         body[NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH];
    uint64_t       serial;             /* set by reserve() */
} ngx_http_voicebridge_idempotency_t;


typedef struct {
    ngx_uint_t     status;
    ngx_str_t      body;               /* JSON */
} ngx_http_voicebridge_kept_t;


/*
 * Looks for a request with this key: NGX_OK, there was one, and *kept is its
 * answer, the body in pool; NGX_DECLINED, there was none; NGX_AGAIN, it is
 * under way; NGX_ABORT, it was another body's; NGX_ERROR without memory.
 *
 * A request whose process has died, or which is under way for longer than it
 * can be, has an outcome that nobody knows: its answer is a 504 that says so.
 */
ngx_int_t ngx_http_voicebridge_idempotency_find(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id, ngx_pool_t *pool,
    ngx_http_voicebridge_kept_t *kept);

/*
 * Takes a place for the answer of a request that was not found, with room
 * for size bytes at least; wait: seconds until it must be there; lifetime:
 * seconds for which it is kept.  NGX_OK; NGX_AGAIN: another worker has had
 * it meanwhile; NGX_DECLINED: the zone has no room.
 *
 * They take what is free in the zone when the first one comes, about a third
 * of it: the rest is made for tokens and calls.
 */
ngx_int_t ngx_http_voicebridge_idempotency_reserve(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id, size_t size, time_t wait,
    time_t lifetime);

/*
 * The answer of a request that has its place.  One with more bytes than were
 * reserved may find no room: then what is kept is its status, and a detail
 * that says so.
 */
void ngx_http_voicebridge_idempotency_keep(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id, ngx_uint_t status,
    ngx_str_t *body);

/* it had no effect: the next one with this key is the first */
void ngx_http_voicebridge_idempotency_forget(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id);


#endif /* _NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_H_INCLUDED_ */
