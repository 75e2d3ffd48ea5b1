
/*
 * Kept answers, in a table that is made with the zone.
 *
 * A place is free while it expires in the past, and is filled from behind:
 * until that word is written it is as free as before.  What is known of an
 * answer becomes so with one word, too.  So a worker that is killed, wherever
 * that is, leaves every place whole.
 */


#include <ngx_http_voicebridge_idempotency.h>
#include <ngx_http_voicebridge_zone.h>


/* places that a key may have: its own and those behind that */
#define NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_PLACES   128

/* an answer's status and length as one word; 0: under way */
#define NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_UNKNOWN  1

#define ngx_http_voicebridge_answer(status, len)                              \
    ((uint32_t) ((status) << 16 | (len)))
#define ngx_http_voicebridge_answer_status(answer)  ((answer) >> 16)
#define ngx_http_voicebridge_answer_len(answer)     ((answer) & 0xffff)


/* 256 bytes */
typedef struct {
    uint32_t            expires;       /* Unix seconds */
    uint32_t            until;         /* under way, at the longest */
    uint32_t            lifetime;      /* seconds, of the answer */
    volatile uint32_t   answer;
    uint64_t            serial;
    int64_t             pid;           /* while it is under way */
    u_char              key[NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH];
    u_char              body[NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH];
    u_char              text[NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_ROOM];
} ngx_http_voicebridge_place_t;


struct ngx_http_voicebridge_idempotency_sh_s {
    uint64_t                      serial;
    ngx_uint_t                    n;
    ngx_http_voicebridge_place_t  place[1];
};


static ngx_int_t ngx_http_voicebridge_idempotency_known(
    ngx_http_voicebridge_place_t *p, ngx_http_voicebridge_idempotency_t *id,
    ngx_pool_t *pool, ngx_http_voicebridge_kept_t *kept);
static ngx_http_voicebridge_place_t *ngx_http_voicebridge_idempotency_place(
    ngx_http_voicebridge_idempotency_sh_t *sh, u_char *key,
    ngx_http_voicebridge_place_t **free);
static ngx_http_voicebridge_place_t *ngx_http_voicebridge_idempotency_own(
    ngx_shm_zone_t *zone, ngx_http_voicebridge_idempotency_t *id);
static void ngx_http_voicebridge_idempotency_expire(
    ngx_http_voicebridge_place_t *p, uint32_t expires);


ngx_http_voicebridge_idempotency_sh_t *
ngx_http_voicebridge_idempotency_create(ngx_slab_pool_t *shpool, size_t size)
{
    ngx_uint_t                              n;
    ngx_http_voicebridge_idempotency_sh_t  *sh;

    if (size < sizeof(ngx_http_voicebridge_idempotency_sh_t)) {
        return NULL;
    }

    n = (size - offsetof(ngx_http_voicebridge_idempotency_sh_t, place))
        / sizeof(ngx_http_voicebridge_place_t);

    sh = ngx_slab_calloc(shpool, size);
    if (sh == NULL) {
        return NULL;
    }

    sh->n = n;

    return sh;
}


ngx_int_t
ngx_http_voicebridge_idempotency_find(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id, ngx_pool_t *pool,
    ngx_http_voicebridge_kept_t *kept)
{
    ngx_int_t                               rc;
    ngx_http_voicebridge_place_t           *p;
    ngx_http_voicebridge_idempotency_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_idempotency(zone);
    if (sh == NULL) {
        return NGX_DECLINED;
    }

    ngx_http_voicebridge_zone_lock(zone);

    p = ngx_http_voicebridge_idempotency_place(sh, id->key, NULL);

    rc = p ? ngx_http_voicebridge_idempotency_known(p, id, pool, kept)
           : NGX_DECLINED;

    ngx_http_voicebridge_zone_unlock(zone);

    return rc;
}


static ngx_int_t
ngx_http_voicebridge_idempotency_known(ngx_http_voicebridge_place_t *p,
    ngx_http_voicebridge_idempotency_t *id, ngx_pool_t *pool,
    ngx_http_voicebridge_kept_t *kept)
{
    uint32_t  answer;

    if (ngx_memcmp(p->body, id->body, NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH)
        != 0)
    {
        return NGX_ABORT;
    }

    if (p->answer == 0) {

        if ((time_t) p->until >= ngx_time()
            && (kill((ngx_pid_t) p->pid, 0) == 0 || ngx_errno != ESRCH))
        {
            return NGX_AGAIN;
        }

        /* from now on, whatever comes of it */

        p->answer = NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_UNKNOWN;
    }

    answer = p->answer;

    kept->status = ngx_http_voicebridge_answer_status(answer);
    ngx_str_null(&kept->text);

    if (kept->status) {
        kept->text.len = ngx_http_voicebridge_answer_len(answer);
        kept->text.data = ngx_pnalloc(pool, kept->text.len);

        if (kept->text.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(kept->text.data, p->text, kept->text.len);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_voicebridge_idempotency_reserve(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id, time_t wait, time_t lifetime)
{
    ngx_int_t                               rc;
    ngx_http_voicebridge_place_t           *p;
    ngx_http_voicebridge_idempotency_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_idempotency(zone);

    p = NULL;
    rc = NGX_DECLINED;

    if (sh) {
        ngx_http_voicebridge_zone_lock(zone);

        if (ngx_http_voicebridge_idempotency_place(sh, id->key, &p)) {
            rc = NGX_AGAIN;

        } else if (p) {
            id->serial = ++sh->serial;

            p->until = (uint32_t) (ngx_time() + wait);
            p->lifetime = (uint32_t) ngx_min(lifetime, NGX_MAX_INT32_VALUE);
            p->answer = 0;
            p->serial = id->serial;
            p->pid = ngx_pid;

            ngx_memcpy(p->key, id->key, NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH);
            ngx_memcpy(p->body, id->body,
                       NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH);

            ngx_http_voicebridge_idempotency_expire(p, p->until + p->lifetime);

            rc = NGX_OK;
        }

        ngx_http_voicebridge_zone_unlock(zone);
    }

    if (rc == NGX_DECLINED) {
        ngx_http_voicebridge_stats_full(zone, "a call with an Idempotency-Key "
                                              "is not placed");
    }

    return rc;
}


void
ngx_http_voicebridge_idempotency_keep(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id, ngx_uint_t status,
    ngx_str_t *text)
{
    ngx_http_voicebridge_place_t  *p;

    ngx_http_voicebridge_zone_lock(zone);

    p = ngx_http_voicebridge_idempotency_own(zone, id);

    /* somebody may have been told already that nobody knows */

    if (p && p->answer == 0) {
        ngx_memcpy(p->text, text->data, text->len);

        ngx_memory_barrier();

        p->answer = ngx_http_voicebridge_answer(status, text->len);

        ngx_http_voicebridge_idempotency_expire(p, (uint32_t) ngx_time()
                                                   + p->lifetime);
    }

    ngx_http_voicebridge_zone_unlock(zone);
}


void
ngx_http_voicebridge_idempotency_forget(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id)
{
    ngx_http_voicebridge_place_t  *p;

    ngx_http_voicebridge_zone_lock(zone);

    p = ngx_http_voicebridge_idempotency_own(zone, id);

    if (p) {
        ngx_http_voicebridge_idempotency_expire(p, 0);
    }

    ngx_http_voicebridge_zone_unlock(zone);
}


/* the place of a key, or NULL with one that it may take, or with none */

static ngx_http_voicebridge_place_t *
ngx_http_voicebridge_idempotency_place(
    ngx_http_voicebridge_idempotency_sh_t *sh, u_char *key,
    ngx_http_voicebridge_place_t **free)
{
    uint32_t                       hash;
    ngx_uint_t                     i, n;
    ngx_http_voicebridge_place_t  *p;

    ngx_memcpy(&hash, key, sizeof(uint32_t));

    n = ngx_min(sh->n, NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_PLACES);

    for (i = 0; i < n; i++) {

        p = &sh->place[((uint64_t) hash + i) % sh->n];

        if ((time_t) p->expires < ngx_time()) {

            if (free && *free == NULL) {
                *free = p;
            }

            continue;
        }

        if (ngx_memcmp(p->key, key, NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH)
            == 0)
        {
            return p;
        }
    }

    return NULL;
}


/* the place that was reserved, unless it has expired meanwhile */

static ngx_http_voicebridge_place_t *
ngx_http_voicebridge_idempotency_own(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id)
{
    ngx_http_voicebridge_place_t           *p;
    ngx_http_voicebridge_idempotency_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_idempotency(zone);
    p = ngx_http_voicebridge_idempotency_place(sh, id->key, NULL);

    return (p && p->serial == id->serial) ? p : NULL;
}


/* with all that was written before it */

static void
ngx_http_voicebridge_idempotency_expire(ngx_http_voicebridge_place_t *p,
    uint32_t expires)
{
    ngx_memory_barrier();
    *(volatile uint32_t *) &p->expires = expires;
}
