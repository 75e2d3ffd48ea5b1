
/*
 * The shared memory of voicebridge_zone.  What all workers see hangs off one
 * root, which a reload takes over and a bigger feature adds a member to.
 */


#include <ngx_http_voicebridge_zone.h>


#define NGX_HTTP_VOICEBRIDGE_NONCE_LEN  16


/*
 * Used nonces lie in one tree in the order in which they expire, equals by
 * their bytes.  A token's MAC binds its nonce to its expiry, so the pair is
 * as unique as the nonce, and the tree is both the set and the queue.
 */

typedef struct {
    ngx_rbtree_node_t             node;        /* key: expiry */
    u_char                        nonce[NGX_HTTP_VOICEBRIDGE_NONCE_LEN];
} ngx_http_voicebridge_nonce_t;


typedef struct {
    ngx_rbtree_t                            nonces;
    ngx_rbtree_node_t                       sentinel;
    ngx_http_voicebridge_stats_sh_t        *stats;
    ngx_http_voicebridge_idempotency_sh_t  *idempotency;
} ngx_http_voicebridge_zone_sh_t;


typedef struct {
    ngx_http_voicebridge_zone_sh_t  *sh;
    ngx_slab_pool_t                 *shpool;
} ngx_http_voicebridge_zone_ctx_t;


static ngx_int_t ngx_http_voicebridge_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_voicebridge_nonce_cmp(time_t expiry, u_char *nonce,
    ngx_rbtree_node_t *node);
static void ngx_http_voicebridge_nonce_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_uint_t ngx_http_voicebridge_nonce_used(
    ngx_http_voicebridge_zone_sh_t *sh, u_char *nonce, time_t expiry);
static void ngx_http_voicebridge_nonce_expire(
    ngx_http_voicebridge_zone_ctx_t *ctx, ngx_uint_t n);


char *
ngx_http_voicebridge_zone_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voicebridge_main_conf_t *vmcf = conf;

    u_char                           *p;
    ssize_t                           size;
    ngx_str_t                        *value, name, s;
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    if (vmcf->zone) {
        return "is duplicate";
    }

    value = cf->args->elts;

    p = (u_char *) ngx_strchr(value[1].data, ':');

    if (p == NULL || p == value[1].data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone \"%V\", it must be name:size, "
                           "for example calls:1m", &value[1]);
        return NGX_CONF_ERROR;
    }

    name.data = value[1].data;
    name.len = p - name.data;

    s.data = p + 1;
    s.len = value[1].data + value[1].len - s.data;

    size = ngx_parse_size(&s);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, it must have %uz bytes "
                           "at least", &value[1], (size_t) 8 * ngx_pagesize);
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

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_voicebridge_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_voicebridge_zone_ctx_t *octx = data;

    size_t                            len;
    ngx_http_voicebridge_zone_sh_t   *sh;
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = shm_zone->data;

    if (octx) {
        ctx->sh = octx->sh;
        ctx->shpool = octx->shpool;

        return NGX_OK;
    }

    ctx->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        ctx->sh = ctx->shpool->data;

        return NGX_OK;
    }

    sh = ngx_slab_calloc(ctx->shpool, sizeof(ngx_http_voicebridge_zone_sh_t));
    if (sh == NULL) {
        return NGX_ERROR;
    }

    ctx->sh = sh;
    ctx->shpool->data = sh;

    ngx_rbtree_init(&sh->nonces, &sh->sentinel,
                    ngx_http_voicebridge_nonce_insert);

    sh->stats = ngx_http_voicebridge_stats_create(ctx->shpool,
                                                  shm_zone->shm.size);
    if (sh->stats == NULL) {
        return NGX_ERROR;
    }

    len = sizeof(" in voicebridge_zone \"\"") + shm_zone->shm.name.len;

    ctx->shpool->log_ctx = ngx_slab_alloc(ctx->shpool, len);
    if (ctx->shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(ctx->shpool->log_ctx, " in voicebridge_zone \"%V\"%Z",
                &shm_zone->shm.name);

    /* a full zone is no failure, and whoever meets it says what it means */

    ctx->shpool->log_nomem = 0;

    return NGX_OK;
}


ngx_http_voicebridge_stats_sh_t *
ngx_http_voicebridge_zone_stats(ngx_shm_zone_t *zone)
{
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = zone->data;

    return ctx->sh->stats;
}


ngx_http_voicebridge_idempotency_sh_t **
ngx_http_voicebridge_zone_idempotency(ngx_shm_zone_t *zone)
{
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = zone->data;

    return &ctx->sh->idempotency;
}


ngx_int_t
ngx_http_voicebridge_zone_use_nonce(ngx_shm_zone_t *zone, u_char *nonce,
    time_t expiry, ngx_uint_t *full)
{
    ngx_int_t                         rc;
    ngx_http_voicebridge_nonce_t     *n;
    ngx_http_voicebridge_zone_ctx_t  *ctx;

    ctx = zone->data;
    *full = 0;

    ngx_shmtx_lock(&ctx->shpool->mutex);

    if (ngx_http_voicebridge_nonce_used(ctx->sh, nonce, expiry)) {
        rc = NGX_DECLINED;
        goto done;
    }

    rc = NGX_OK;

    /* two go for one that comes, so the dead never pile up */

    ngx_http_voicebridge_nonce_expire(ctx, 2);

    n = ngx_slab_alloc_locked(ctx->shpool,
                              sizeof(ngx_http_voicebridge_nonce_t));
    if (n == NULL) {
        ngx_http_voicebridge_nonce_expire(ctx, NGX_MAX_UINT32_VALUE);

        n = ngx_slab_alloc_locked(ctx->shpool,
                                  sizeof(ngx_http_voicebridge_nonce_t));
        if (n == NULL) {
            *full = 1;
            goto done;
        }
    }

    n->node.key = (ngx_rbtree_key_t) expiry;
    ngx_memcpy(n->nonce, nonce, NGX_HTTP_VOICEBRIDGE_NONCE_LEN);

    ngx_rbtree_insert(&ctx->sh->nonces, &n->node);

done:

    ngx_shmtx_unlock(&ctx->shpool->mutex);

    return rc;
}


static ngx_int_t
ngx_http_voicebridge_nonce_cmp(time_t expiry, u_char *nonce,
    ngx_rbtree_node_t *node)
{
    ngx_http_voicebridge_nonce_t  *n;

    if ((ngx_rbtree_key_t) expiry != node->key) {
        return (ngx_rbtree_key_t) expiry < node->key ? -1 : 1;
    }

    n = (ngx_http_voicebridge_nonce_t *) node;

    return ngx_memcmp(nonce, n->nonce, NGX_HTTP_VOICEBRIDGE_NONCE_LEN);
}


static void
ngx_http_voicebridge_nonce_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t             **p;
    ngx_http_voicebridge_nonce_t   *n;

    n = (ngx_http_voicebridge_nonce_t *) node;

    for ( ;; ) {
        p = ngx_http_voicebridge_nonce_cmp(n->node.key, n->nonce, temp) < 0
            ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static ngx_uint_t
ngx_http_voicebridge_nonce_used(ngx_http_voicebridge_zone_sh_t *sh,
    u_char *nonce, time_t expiry)
{
    ngx_int_t           rc;
    ngx_rbtree_node_t  *node;

    node = sh->nonces.root;

    while (node != sh->nonces.sentinel) {
        rc = ngx_http_voicebridge_nonce_cmp(expiry, nonce, node);

        if (rc == 0) {
            return 1;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return 0;
}


/*
 * Drops up to n nonces of tokens that are refused by their age anyway; a
 * second is left for a worker whose cached time is behind.
 */

static void
ngx_http_voicebridge_nonce_expire(ngx_http_voicebridge_zone_ctx_t *ctx,
    ngx_uint_t n)
{
    ngx_rbtree_t       *nonces;
    ngx_rbtree_node_t  *node;

    nonces = &ctx->sh->nonces;

    while (n-- && nonces->root != nonces->sentinel) {

        node = ngx_rbtree_min(nonces->root, nonces->sentinel);

        if (node->key + 1 >= (ngx_rbtree_key_t) ngx_time()) {
            return;
        }

        ngx_rbtree_delete(nonces, node);
        ngx_slab_free_locked(ctx->shpool, node);
    }
}
