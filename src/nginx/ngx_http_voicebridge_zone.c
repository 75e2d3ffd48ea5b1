
/*
 * The shared memory of voicebridge_zone.  What all workers see hangs off one
 * root, which a reload takes over and a bigger feature adds a member to.
 */


#include <ngx_http_voicebridge_zone.h>


#define NGX_HTTP_VOICEBRIDGE_NONCE_LEN     16

/*
 * Places a nonce may have: its own and those behind that.  With 256 of them
 * a table has more than four fifths of it filled before the first one finds
 * no place.
 */
#define NGX_HTTP_VOICEBRIDGE_NONCE_PLACES  256


/*
 * A place is free while it expires in the past.  It is filled from behind:
 * until its last word is written it is as free as before.  Nonces are random,
 * and nobody can choose one: so is where they lie in the table.
 */

typedef struct {
    uint32_t                          expires;     /* Unix seconds */
    u_char                            nonce[NGX_HTTP_VOICEBRIDGE_NONCE_LEN];
} ngx_http_voicebridge_nonce_t;


/* one word, and what it is to be */
typedef struct {
    ngx_atomic_t                     *word;
    ngx_atomic_uint_t                 value;
} ngx_http_voicebridge_store_t;


typedef struct {
    ngx_http_voicebridge_stats_sh_t  *stats;

    ngx_http_voicebridge_holds_t     *holds;       /* NULL: nobody counts */

    /* NULL where no calls are placed, or no dashboard is, or there was no room
     * for it */
    ngx_http_voicebridge_idempotency_sh_t  *idempotency;
    ngx_http_voicebridge_talk_sh_t   *talk;

    ngx_http_voicebridge_nonce_t     *nonces;
    ngx_uint_t                        nnonces;

    /* decided are those that are to be done, whatever happens */
    ngx_uint_t                        nstores;
    ngx_uint_t                        decided;
    ngx_http_voicebridge_store_t      store[NGX_HTTP_VOICEBRIDGE_ZONE_STORES];
} ngx_http_voicebridge_zone_sh_t;


typedef struct {
    ngx_http_voicebridge_zone_sh_t   *sh;
    ngx_slab_pool_t                  *shpool;
    ngx_http_voicebridge_main_conf_t *vmcf;
} ngx_http_voicebridge_zone_ctx_t;


static ngx_int_t ngx_http_voicebridge_zone_size(ngx_conf_t *cf,
    ngx_str_t *value, ngx_str_t *name, ssize_t *size);
static ngx_int_t ngx_http_voicebridge_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_voicebridge_zone_root(ngx_shm_zone_t *shm_zone);
static ngx_int_t ngx_http_voicebridge_zone_create(ngx_slab_pool_t *shpool,
    ngx_http_voicebridge_zone_sh_t *sh);
static ngx_int_t ngx_http_voicebridge_zone_add_holds(
    ngx_shm_zone_t *shm_zone);
static void ngx_http_voicebridge_zone_add_idempotency(
    ngx_shm_zone_t *shm_zone);
static void ngx_http_voicebridge_zone_add_talk(ngx_shm_zone_t *shm_zone);
static void ngx_http_voicebridge_zone_redo(ngx_http_voicebridge_zone_sh_t *sh);
static ngx_uint_t ngx_http_voicebridge_nonce_use(
    ngx_http_voicebridge_zone_sh_t *sh, u_char *nonce, uint32_t expires,
    ngx_uint_t *full);


char *
ngx_http_voicebridge_zone_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voicebridge_main_conf_t *vmcf = conf;

    ssize_t                           size;
    ngx_str_t                        *value, name;
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    if (vmcf->zone) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_voicebridge_zone_size(cf, &value[1], &name, &size) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ctx = ngx_pcalloc(cf->pool, sizeof(ngx_http_voicebridge_zone_ctx_t));
    if (ctx == NULL) {
        return NGX_CONF_ERROR;
    }

    vmcf->zone = ngx_shared_memory_add(cf, &name, size,
                                       &ngx_http_voicebridge_module);
    if (vmcf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    vmcf->zone->init = ngx_http_voicebridge_init_zone;
    vmcf->zone->data = ctx;
    ctx->vmcf = vmcf;

    return NGX_CONF_OK;
}


/* NAME:SIZE */

static ngx_int_t
ngx_http_voicebridge_zone_size(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *name, ssize_t *size)
{
    u_char     *p;
    ngx_str_t   s;

    p = (u_char *) ngx_strchr(value->data, ':');

    if (p == NULL || p == value->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone \"%V\", it must be name:size, "
                           "for example calls:1m", value);
        return NGX_ERROR;
    }

    name->data = value->data;
    name->len = p - name->data;

    s.data = p + 1;
    s.len = value->data + value->len - s.data;

    *size = ngx_parse_size(&s);

    if (*size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", value);
        return NGX_ERROR;
    }

    if (*size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, it must have %uz bytes "
                           "at least", value, (size_t) 8 * ngx_pagesize);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_voicebridge_zone_ctx_t *octx = data;

    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = shm_zone->data;

    if (octx) {
        ctx->sh = octx->sh;
        ctx->shpool = octx->shpool;

    } else {
        ctx->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

        if (shm_zone->shm.exists) {
            ctx->sh = ctx->shpool->data;

            return NGX_OK;
        }

        if (ngx_http_voicebridge_zone_root(shm_zone) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_voicebridge_zone_add_holds(shm_zone) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_voicebridge_zone_add_idempotency(shm_zone);
    ngx_http_voicebridge_zone_add_talk(shm_zone);

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_zone_root(ngx_shm_zone_t *shm_zone)
{
    size_t                            len;
    ngx_http_voicebridge_zone_sh_t   *sh;
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = shm_zone->data;

    sh = ngx_slab_calloc(ctx->shpool, sizeof(ngx_http_voicebridge_zone_sh_t));
    if (sh == NULL) {
        return NGX_ERROR;
    }

    ctx->sh = sh;
    ctx->shpool->data = sh;

    len = sizeof(" in voicebridge_zone \"\"") + shm_zone->shm.name.len;

    ctx->shpool->log_ctx = ngx_slab_alloc(ctx->shpool, len);
    if (ctx->shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(ctx->shpool->log_ctx, " in voicebridge_zone \"%V\"%Z",
                &shm_zone->shm.name);

    /* a full zone is no failure, and whoever meets it says what it means */

    ctx->shpool->log_nomem = 0;

    if (ngx_http_voicebridge_zone_create(ctx->shpool, sh) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "voicebridge_zone \"%V\" is too small for its tables, "
                      "make it larger", &shm_zone->shm.name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* with the first configuration that counts an agent's calls */

static ngx_int_t
ngx_http_voicebridge_zone_add_holds(ngx_shm_zone_t *shm_zone)
{
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = shm_zone->data;

    if (!ctx->vmcf->holds || ctx->sh->holds) {
        return NGX_OK;
    }

    ctx->sh->holds = ngx_slab_calloc(ctx->shpool,
                                     sizeof(ngx_http_voicebridge_holds_t));
    if (ctx->sh->holds) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                  "voicebridge_zone \"%V\" is too small for "
                  "\"voicebridge_max_agent_calls\", make it larger",
                  &shm_zone->shm.name);

    return NGX_ERROR;
}


/* half of what is free, with the first configuration that keeps answers */

static void
ngx_http_voicebridge_zone_add_idempotency(ngx_shm_zone_t *shm_zone)
{
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = shm_zone->data;

    if (!ctx->vmcf->keeps || ctx->sh->idempotency) {
        return;
    }

    ctx->sh->idempotency = ngx_http_voicebridge_idempotency_create(ctx->shpool,
                                     ctx->shpool->pfree * ngx_pagesize / 2);

    if (ctx->sh->idempotency == NULL) {
        ngx_log_error(NGX_LOG_ERR, shm_zone->shm.log, 0,
                      "voicebridge_zone \"%V\" has no room for the answers to "
                      "requests with an \"Idempotency-Key\", which are all "
                      "refused: make it larger", &shm_zone->shm.name);
    }
}


/* half of what is free, with the first configuration that has a dashboard */

static void
ngx_http_voicebridge_zone_add_talk(ngx_shm_zone_t *shm_zone)
{
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = shm_zone->data;

    if (!ctx->vmcf->talks || ctx->sh->talk) {
        return;
    }

    ctx->sh->talk = ngx_http_voicebridge_talk_create(ctx->shpool,
                                     ctx->shpool->pfree * ngx_pagesize / 2);

    if (ctx->sh->talk == NULL || ctx->sh->talk->n == 0) {
        ngx_log_error(NGX_LOG_WARN, shm_zone->shm.log, 0,
                      "voicebridge_zone \"%V\" has no room for what "
                      "\"voicebridge_dashboard\" shows of who speaks: make "
                      "it larger", &shm_zone->shm.name);
    }
}


/*
 * What is needed for every call has its memory from the beginning: a worker
 * that is killed while it allocates leaves an allocator in any state.  Core
 * unlocks the mutex for it.
 */

static ngx_int_t
ngx_http_voicebridge_zone_create(ngx_slab_pool_t *shpool,
    ngx_http_voicebridge_zone_sh_t *sh)
{
    size_t  size;

    sh->stats = ngx_http_voicebridge_stats_create(shpool);
    if (sh->stats == NULL) {
        return NGX_ERROR;
    }

    /* the other half is for those who allocate */

    size = shpool->pfree * ngx_pagesize / 2;

    sh->nonces = ngx_slab_calloc(shpool, size);
    if (sh->nonces == NULL) {
        return NGX_ERROR;
    }

    sh->nnonces = size / sizeof(ngx_http_voicebridge_nonce_t);

    return NGX_OK;
}


ngx_http_voicebridge_stats_sh_t *
ngx_http_voicebridge_zone_stats(ngx_shm_zone_t *zone)
{
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = zone->data;

    return ctx->sh->stats;
}


ngx_http_voicebridge_idempotency_sh_t *
ngx_http_voicebridge_zone_idempotency(ngx_shm_zone_t *zone)
{
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = zone->data;

    return ctx->sh->idempotency;
}


ngx_http_voicebridge_holds_t *
ngx_http_voicebridge_zone_holds(ngx_shm_zone_t *zone)
{
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = zone->data;

    return ctx->sh->holds;
}


ngx_http_voicebridge_talk_sh_t *
ngx_http_voicebridge_zone_talk(ngx_shm_zone_t *zone)
{
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = zone->data;

    return ctx->sh->talk;
}


void
ngx_http_voicebridge_zone_lock(ngx_shm_zone_t *zone)
{
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = zone->data;

    ngx_shmtx_lock(&ctx->shpool->mutex);

    /* whoever had it before may have died with it */

    ngx_http_voicebridge_zone_redo(ctx->sh);
}


void
ngx_http_voicebridge_zone_unlock(ngx_shm_zone_t *zone)
{
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = zone->data;

    ngx_http_voicebridge_zone_commit(zone);

    ngx_shmtx_unlock(&ctx->shpool->mutex);
}


void
ngx_http_voicebridge_zone_store(ngx_shm_zone_t *zone, ngx_atomic_t *word,
    ngx_atomic_uint_t value)
{
    ngx_http_voicebridge_store_t     *store;
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = zone->data;

    store = &ctx->sh->store[ctx->sh->nstores];

    store->word = word;
    store->value = value;

    ctx->sh->nstores++;
}


void
ngx_http_voicebridge_zone_commit(ngx_shm_zone_t *zone)
{
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = zone->data;

    /* all that was written so far before, all of the stores after this one */

    ngx_memory_barrier();

    ctx->sh->decided = ctx->sh->nstores;

    ngx_memory_barrier();

    ngx_http_voicebridge_zone_redo(ctx->sh);
}


/* what is decided is done; a second time changes nothing */

static void
ngx_http_voicebridge_zone_redo(ngx_http_voicebridge_zone_sh_t *sh)
{
    ngx_uint_t  i;

    for (i = 0; i < sh->decided; i++) {
        *sh->store[i].word = sh->store[i].value;
    }

    ngx_memory_barrier();

    sh->decided = 0;
    sh->nstores = 0;
}


ngx_int_t
ngx_http_voicebridge_zone_use_nonce(ngx_shm_zone_t *zone, u_char *nonce,
    time_t expiry, ngx_uint_t *full)
{
    ngx_uint_t                        used;
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = zone->data;
    *full = 0;

    ngx_http_voicebridge_zone_lock(zone);

    used = ngx_http_voicebridge_nonce_use(ctx->sh, nonce,
                                   ngx_min(expiry, NGX_MAX_UINT32_VALUE),
                                   full);

    ngx_http_voicebridge_zone_unlock(zone);

    return used ? NGX_DECLINED : NGX_OK;
}


/*
 * Looks at all places the nonce may have, and takes the first that is free:
 * that of a token that is refused by its age anyway.  A second is left for a
 * worker whose cached time is behind.
 */

static ngx_uint_t
ngx_http_voicebridge_nonce_use(ngx_http_voicebridge_zone_sh_t *sh,
    u_char *nonce, uint32_t expires, ngx_uint_t *full)
{
    uint32_t                       hash;
    ngx_uint_t                     i, n;
    ngx_http_voicebridge_nonce_t  *place, *free;

    ngx_memcpy(&hash, nonce, sizeof(uint32_t));

    free = NULL;
    n = ngx_min(sh->nnonces, NGX_HTTP_VOICEBRIDGE_NONCE_PLACES);

    for (i = 0; i < n; i++) {

        place = &sh->nonces[((uint64_t) hash + i) % sh->nnonces];

        if (place->expires == expires
            && ngx_memcmp(place->nonce, nonce, NGX_HTTP_VOICEBRIDGE_NONCE_LEN)
               == 0)
        {
            return 1;
        }

        if (free == NULL && (time_t) place->expires + 1 < ngx_time()) {
            free = place;
        }
    }

    if (free == NULL) {
        *full = 1;
        return 0;
    }

    ngx_memcpy(free->nonce, nonce, NGX_HTTP_VOICEBRIDGE_NONCE_LEN);

    ngx_memory_barrier();

    free->expires = expires;

    return 0;
}
