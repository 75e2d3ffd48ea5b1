
/*
 * Kept answers, in lists that hang off a table of buckets.
 *
 * Everything is changed under the zone's mutex, which core unlocks when its
 * holder dies, wherever that was.  So each change is one store of a pointer
 * or a number, with all that it leads to written before: whoever finds the
 * lists later finds them whole.
 */


#include <ngx_http_voicebridge_idempotency.h>
#include <ngx_http_voicebridge_zone.h>


/* of an entry with this an object of 512 bytes is made */
#define NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_ROOM   384

/* bytes of the zone for each bucket; buckets looked at by each request */
#define NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_SHARE  4096
#define NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_SWEEP  4


typedef struct ngx_http_voicebridge_entry_s  ngx_http_voicebridge_entry_t;

struct ngx_http_voicebridge_entry_s {
    ngx_http_voicebridge_entry_t  *next;
    ngx_pid_t                      pid;        /* while it is under way */
    time_t                         until;      /* it is, at the longest */
    time_t                         expires;
    time_t                         lifetime;   /* of the answer */
    uint64_t                       serial;
    ngx_uint_t                     status;     /* 0: under way */
    u_char                        *answer;     /* room, or an area of its
                                                  own */
    uint32_t                       len;
    uint32_t                       size;       /* of room */
    u_char                         key[NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH];
    u_char                         body[NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH];
    u_char                         room[1];
};


struct ngx_http_voicebridge_idempotency_sh_s {
    size_t                         used;       /* bytes of entries, about */
    size_t                         max;
    uint64_t                       serial;
    ngx_uint_t                     hand;       /* bucket to sweep next */
    ngx_uint_t                     n;
    ngx_http_voicebridge_entry_t  *bucket[1];
};


static ngx_http_voicebridge_idempotency_sh_t *
    ngx_http_voicebridge_idempotency_table(ngx_shm_zone_t *zone);
static ngx_http_voicebridge_entry_t **ngx_http_voicebridge_idempotency_place(
    ngx_http_voicebridge_idempotency_sh_t *sh, u_char *key);
static ngx_http_voicebridge_entry_t *ngx_http_voicebridge_idempotency_own(
    ngx_http_voicebridge_idempotency_sh_t *sh,
    ngx_http_voicebridge_idempotency_t *id);
static ngx_http_voicebridge_entry_t *ngx_http_voicebridge_idempotency_alloc(
    ngx_shm_zone_t *zone, size_t size);
static void ngx_http_voicebridge_idempotency_lost(
    ngx_http_voicebridge_entry_t *e);
static void ngx_http_voicebridge_idempotency_text(
    ngx_http_voicebridge_entry_t *e, ngx_uint_t status, ngx_str_t *text);
static void ngx_http_voicebridge_idempotency_sweep(ngx_shm_zone_t *zone,
    ngx_uint_t n);
static void ngx_http_voicebridge_idempotency_drop(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_entry_t **place);


#define ngx_http_voicebridge_idempotency_pool(zone)                           \
    ((ngx_slab_pool_t *) (zone)->shm.addr)

#define ngx_http_voicebridge_entry_size(e)                                    \
    (offsetof(ngx_http_voicebridge_entry_t, room) + (e)->size                 \
     + ((e)->answer == (e)->room ? 0 : (e)->len))


ngx_int_t
ngx_http_voicebridge_idempotency_find(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id, ngx_pool_t *pool,
    ngx_http_voicebridge_kept_t *kept)
{
    ngx_int_t                               rc;
    ngx_slab_pool_t                        *shpool;
    ngx_http_voicebridge_entry_t           *e;
    ngx_http_voicebridge_idempotency_sh_t  *sh;

    shpool = ngx_http_voicebridge_idempotency_pool(zone);

    ngx_shmtx_lock(&shpool->mutex);

    sh = *ngx_http_voicebridge_zone_idempotency(zone);
    e = sh ? *ngx_http_voicebridge_idempotency_place(sh, id->key) : NULL;

    if (e == NULL || e->expires < ngx_time()) {
        rc = NGX_DECLINED;
        goto done;
    }

    if (ngx_memcmp(e->body, id->body, NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH)
        != 0)
    {
        rc = NGX_ABORT;
        goto done;
    }

    if (e->status == 0) {

        if (e->until >= ngx_time()
            && (kill(e->pid, 0) == 0 || ngx_errno != ESRCH))
        {
            rc = NGX_AGAIN;
            goto done;
        }

        ngx_http_voicebridge_idempotency_lost(e);
    }

    rc = NGX_ERROR;

    kept->status = e->status;
    kept->body.len = e->len;
    kept->body.data = ngx_pnalloc(pool, e->len);

    if (kept->body.data) {
        ngx_memcpy(kept->body.data, e->answer, e->len);
        rc = NGX_OK;
    }

done:

    ngx_shmtx_unlock(&shpool->mutex);

    return rc;
}


ngx_int_t
ngx_http_voicebridge_idempotency_reserve(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id, size_t size, time_t wait,
    time_t lifetime)
{
    ngx_int_t                               rc;
    ngx_slab_pool_t                        *shpool;
    ngx_http_voicebridge_entry_t           *e, **place;
    ngx_http_voicebridge_idempotency_sh_t  *sh;

    shpool = ngx_http_voicebridge_idempotency_pool(zone);

    ngx_shmtx_lock(&shpool->mutex);

    rc = NGX_DECLINED;

    sh = ngx_http_voicebridge_idempotency_table(zone);
    if (sh == NULL) {
        goto done;
    }

    place = ngx_http_voicebridge_idempotency_place(sh, id->key);

    if (*place && (*place)->expires >= ngx_time()) {
        rc = NGX_AGAIN;
        goto done;
    }

    if (*place) {
        ngx_http_voicebridge_idempotency_drop(zone, place);
    }

    ngx_http_voicebridge_idempotency_sweep(zone,
                                       NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_SWEEP);

    size = ngx_max(size, NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_ROOM);

    e = ngx_http_voicebridge_idempotency_alloc(zone, size);
    if (e == NULL) {
        goto done;
    }

    id->serial = ++sh->serial;

    e->pid = ngx_pid;
    e->until = ngx_time() + wait;
    e->expires = e->until + lifetime;
    e->lifetime = lifetime;
    e->serial = id->serial;
    e->status = 0;
    e->answer = e->room;
    e->len = 0;
    e->size = (uint32_t) size;

    ngx_memcpy(e->key, id->key, NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH);
    ngx_memcpy(e->body, id->body, NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH);

    /* what has been swept may have been the end of this list */

    place = ngx_http_voicebridge_idempotency_place(sh, id->key);

    e->next = *place;
    ngx_memory_barrier();
    *place = e;

    sh->used += ngx_http_voicebridge_entry_size(e);

    rc = NGX_OK;

done:

    ngx_shmtx_unlock(&shpool->mutex);

    return rc;
}


void
ngx_http_voicebridge_idempotency_keep(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id, ngx_uint_t status,
    ngx_str_t *body)
{
    u_char                                 *p;
    ngx_slab_pool_t                        *shpool;
    ngx_http_voicebridge_entry_t           *e;
    ngx_http_voicebridge_idempotency_sh_t  *sh;

    static ngx_str_t  not_kept = ngx_string("{\"detail\": \"The answer to "
                                   "the first request was too long to be "
                                   "kept, see the server's error log; the "
                                   "call may exist\"}");

    shpool = ngx_http_voicebridge_idempotency_pool(zone);

    ngx_shmtx_lock(&shpool->mutex);

    sh = *ngx_http_voicebridge_zone_idempotency(zone);
    e = ngx_http_voicebridge_idempotency_own(sh, id);

    if (e == NULL) {
        goto done;
    }

    e->expires = ngx_time() + e->lifetime;

    if (body->len <= e->size) {
        ngx_http_voicebridge_idempotency_text(e, status, body);
        goto done;
    }

    p = ngx_slab_alloc_locked(shpool, body->len);

    if (p == NULL) {
        ngx_http_voicebridge_idempotency_text(e, status, &not_kept);
        goto done;
    }

    ngx_memcpy(p, body->data, body->len);

    e->answer = p;
    e->len = (uint32_t) body->len;
    ngx_memory_barrier();
    e->status = status;

    sh->used += e->len;

done:

    ngx_shmtx_unlock(&shpool->mutex);
}


void
ngx_http_voicebridge_idempotency_forget(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_idempotency_t *id)
{
    ngx_slab_pool_t                        *shpool;
    ngx_http_voicebridge_idempotency_sh_t  *sh;

    shpool = ngx_http_voicebridge_idempotency_pool(zone);

    ngx_shmtx_lock(&shpool->mutex);

    sh = *ngx_http_voicebridge_zone_idempotency(zone);

    if (ngx_http_voicebridge_idempotency_own(sh, id)) {
        ngx_http_voicebridge_idempotency_drop(zone,
                         ngx_http_voicebridge_idempotency_place(sh, id->key));
    }

    ngx_shmtx_unlock(&shpool->mutex);
}


/* made when it is needed: a zone may serve who has no keys */

static ngx_http_voicebridge_idempotency_sh_t *
ngx_http_voicebridge_idempotency_table(ngx_shm_zone_t *zone)
{
    ngx_uint_t                               n;
    ngx_http_voicebridge_idempotency_sh_t   *sh, **root;

    root = ngx_http_voicebridge_zone_idempotency(zone);

    if (*root) {
        return *root;
    }

    n = zone->shm.size / NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_SHARE;

    sh = ngx_slab_calloc_locked(ngx_http_voicebridge_idempotency_pool(zone),
                             sizeof(ngx_http_voicebridge_idempotency_sh_t)
                             + n * sizeof(ngx_http_voicebridge_entry_t *));
    if (sh == NULL) {
        return NULL;
    }

    sh->n = n;
    sh->max = zone->shm.size / 2;

    ngx_memory_barrier();
    *root = sh;

    return sh;
}


/* what points at the entry, or where one is to be put */

static ngx_http_voicebridge_entry_t **
ngx_http_voicebridge_idempotency_place(
    ngx_http_voicebridge_idempotency_sh_t *sh, u_char *key)
{
    uint32_t                        n;
    ngx_http_voicebridge_entry_t  **place;

    ngx_memcpy(&n, key, sizeof(uint32_t));

    place = &sh->bucket[n % sh->n];

    while (*place
           && ngx_memcmp((*place)->key, key,
                         NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH)
              != 0)
    {
        place = &(*place)->next;
    }

    return place;
}


/* the entry that was reserved, unless it has been given up meanwhile */

static ngx_http_voicebridge_entry_t *
ngx_http_voicebridge_idempotency_own(ngx_http_voicebridge_idempotency_sh_t *sh,
    ngx_http_voicebridge_idempotency_t *id)
{
    ngx_http_voicebridge_entry_t  *e;

    e = *ngx_http_voicebridge_idempotency_place(sh, id->key);

    return (e && e->serial == id->serial) ? e : NULL;
}


static ngx_http_voicebridge_entry_t *
ngx_http_voicebridge_idempotency_alloc(ngx_shm_zone_t *zone, size_t size)
{
    ngx_uint_t                              i;
    ngx_http_voicebridge_entry_t           *e;
    ngx_http_voicebridge_idempotency_sh_t  *sh;

    sh = *ngx_http_voicebridge_zone_idempotency(zone);

    size += offsetof(ngx_http_voicebridge_entry_t, room);

    for (i = 0; i < 2; i++) {

        if (sh->used + size <= sh->max) {
            e = ngx_slab_alloc_locked(
                          ngx_http_voicebridge_idempotency_pool(zone), size);
            if (e) {
                return e;
            }
        }

        ngx_http_voicebridge_idempotency_sweep(zone, sh->n);
    }

    ngx_http_voicebridge_stats_full(zone, "an answer is not kept for a "
                                          "request that is sent again");

    return NULL;
}


static void
ngx_http_voicebridge_idempotency_lost(ngx_http_voicebridge_entry_t *e)
{
    static ngx_str_t  lost = ngx_string("{\"detail\": \"What became of the "
                                   "first request with this key is not "
                                   "known, the call may exist\"}");

    ngx_http_voicebridge_idempotency_text(e, NGX_HTTP_GATEWAY_TIME_OUT, &lost);
}


static void
ngx_http_voicebridge_idempotency_text(ngx_http_voicebridge_entry_t *e,
    ngx_uint_t status, ngx_str_t *text)
{
    ngx_memcpy(e->room, text->data, text->len);

    e->answer = e->room;
    e->len = (uint32_t) text->len;
    ngx_memory_barrier();
    e->status = status;
}


/* drops what has expired in so many buckets; all of them: counts, too */

static void
ngx_http_voicebridge_idempotency_sweep(ngx_shm_zone_t *zone, ngx_uint_t n)
{
    size_t                                  used;
    ngx_uint_t                              i;
    ngx_http_voicebridge_entry_t          **place;
    ngx_http_voicebridge_idempotency_sh_t  *sh;

    sh = *ngx_http_voicebridge_zone_idempotency(zone);
    used = 0;

    for (i = 0; i < n; i++) {

        sh->hand = (sh->hand + 1) % sh->n;
        place = &sh->bucket[sh->hand];

        while (*place) {

            if ((*place)->expires < ngx_time()) {
                ngx_http_voicebridge_idempotency_drop(zone, place);
                continue;
            }

            used += ngx_http_voicebridge_entry_size(*place);
            place = &(*place)->next;
        }
    }

    if (n == sh->n) {
        sh->used = used;
    }
}


static void
ngx_http_voicebridge_idempotency_drop(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_entry_t **place)
{
    size_t                                  size;
    ngx_slab_pool_t                        *shpool;
    ngx_http_voicebridge_entry_t           *e;
    ngx_http_voicebridge_idempotency_sh_t  *sh;

    sh = *ngx_http_voicebridge_zone_idempotency(zone);
    shpool = ngx_http_voicebridge_idempotency_pool(zone);

    e = *place;
    size = ngx_http_voicebridge_entry_size(e);

    *place = e->next;
    ngx_memory_barrier();

    sh->used -= ngx_min(sh->used, size);

    if (e->answer != e->room) {
        ngx_slab_free_locked(shpool, e->answer);
    }

    ngx_slab_free_locked(shpool, e);
}
