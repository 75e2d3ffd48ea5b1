
/*
 * What is kept of answers in voicebridge_zone, so that a request that is sent
 * once more gets its answer once more, and has no effect a second time.
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_H_INCLUDED_


#include <ngx_http_voicebridge.h>


/* the first bytes of a SHA-256 */
#define NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH  16

/* bytes that are kept of an answer */
#define NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_ROOM  192


typedef struct ngx_http_voicebridge_idempotency_sh_s
                                         ngx_http_voicebridge_idempotency_sh_t;


/* a request, as it is told from others */
typedef struct {
    u_char         key[NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH];
    u_char         body[NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH];
    uint64_t       serial;             /* set by reserve() */
} ngx_http_voicebridge_idempotency_t;


typedef struct {
    ngx_uint_t     status;             /* 0: nobody knows what came of it */
    ngx_str_t      text;               /* as it was given to keep() */
} ngx_http_voicebridge_kept_t;


/*
 * Makes a table in a zone, of size bytes at most, which is found by
 * ngx_http_voicebridge_zone_idempotency(); NULL where there is no room.
 */
ngx_http_voicebridge_idempotency_sh_t *
    ngx_http_voicebridge_idempotency_create(ngx_slab_pool_t *shpool,
    size_t size);

/*
 * Looks for a request with this key: NGX_OK, there was one, and *kept is what
 * is known of its answer, in pool; NGX_DECLINED, there was none; NGX_AGAIN,
 * it is under way; NGX_ABORT, it had another body; NGX_ERROR without memory.
 *
 * Of a request whose process has died, or which is under way for longer than
 * it can be, nobody knows what came of it.
 */
ngx_int_t ngx_http_voicebridge_idempotency_find(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id, ngx_pool_t *pool,
    ngx_http_voicebridge_kept_t *kept);

/*
 * Takes a place for a request that was not found; wait: seconds until its
 * answer must be there; lifetime: seconds for which that is kept.  NGX_OK;
 * NGX_AGAIN: another worker has had it meanwhile; NGX_DECLINED: the zone has
 * no room.
 */
ngx_int_t ngx_http_voicebridge_idempotency_reserve(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id, time_t wait, time_t lifetime);

/*
 * What is to be known of the answer to a request that has its place: at most
 * NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_ROOM bytes.
 */
void ngx_http_voicebridge_idempotency_keep(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id, ngx_uint_t status,
    ngx_str_t *text);

/* it had no effect: the next one with this key is the first */
void ngx_http_voicebridge_idempotency_forget(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id);


#endif /* _NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_H_INCLUDED_ */
