
/*
 * Of nginx, what the zone needs in a test: no processes but those the test says
 * there are, no allocator but one that hands out the zone's memory once.
 *
 * Who includes this has memory, SIZE and next; now and cycle; and AFTER, the
 * one process that lives besides the one that asks.
 */


#ifndef _ZONE_NGINX_H_INCLUDED_
#define _ZONE_NGINX_H_INCLUDED_


ngx_pid_t             ngx_pid;
ngx_uint_t            ngx_pagesize = 512;
volatile ngx_msec_t   ngx_current_msec;
volatile ngx_time_t  *ngx_cached_time = &now;
volatile ngx_cycle_t *ngx_cycle = &cycle;
ngx_module_t          ngx_http_voicebridge_module;


static int
is_running(ngx_pid_t pid, int signal)
{
    errno = ESRCH;

    return pid == AFTER ? 0 : -1;
}


void
ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
    *mtx->lock = ngx_pid;
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    *mtx->lock = 0;
}


void *
ngx_slab_calloc(ngx_slab_pool_t *shpool, size_t size)
{
    u_char  *p;

    size = ngx_align(size, sizeof(void *));

    if (size > (size_t) (memory + SIZE - next)) {
        return NULL;
    }

    p = next;
    next += size;
    shpool->pfree = (memory + SIZE - next) / ngx_pagesize;

    ngx_memzero(p, size);

    return p;
}


void *
ngx_slab_alloc(ngx_slab_pool_t *shpool, size_t size)
{
    return ngx_slab_calloc(shpool, size);
}


u_char *
ngx_cpystrn(u_char *dst, u_char *src, size_t n)
{
    (void) snprintf((char *) dst, n, "%s", src);

    return dst + strlen((char *) dst);
}


u_char *
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    return buf;
}


void *
ngx_palloc(ngx_pool_t *p, size_t size)
{
    static u_char  buf[65536] __attribute__((aligned(16))), *last = buf;

    size = ngx_align(size, sizeof(void *));
    last = (size > (size_t) (buf + sizeof(buf) - last)) ? buf : last;
    last += size;

    return last - size;
}


void *
ngx_pnalloc(ngx_pool_t *p, size_t size)
{
    return ngx_palloc(p, size);
}


void *
ngx_pcalloc(ngx_pool_t *p, size_t size)
{
    return NULL;
}


ngx_array_t *
ngx_array_create(ngx_pool_t *p, ngx_uint_t n, size_t size)
{
    ngx_array_t  *a;

    a = ngx_palloc(p, sizeof(ngx_array_t));
    (void) ngx_array_init(a, p, n, size);

    return a;
}


void *
ngx_array_push(ngx_array_t *a)
{
    return (u_char *) a->elts + a->size * a->nelts++;
}


ssize_t
ngx_parse_size(ngx_str_t *line)
{
    return NGX_ERROR;
}


ngx_shm_zone_t *
ngx_shared_memory_add(ngx_conf_t *cf, ngx_str_t *name, size_t size, void *tag)
{
    return NULL;
}


ngx_http_voicebridge_talk_sh_t *
ngx_http_voicebridge_talk_create(ngx_slab_pool_t *shpool, size_t size)
{
    return NULL;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
}


void ngx_cdecl
ngx_conf_log_error(ngx_uint_t level, ngx_conf_t *cf, ngx_err_t err,
    const char *fmt, ...)
{
}


#endif /* _ZONE_NGINX_H_INCLUDED_ */
