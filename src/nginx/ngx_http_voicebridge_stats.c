
/*
 * Counters, histograms and records of calls in voicebridge_zone.
 *
 * Numbers are atomic.  Records, queues and the calls of each process are
 * changed under the zone's mutex, which core unlocks when its holder dies.
 */


#include <ngx_http_voicebridge_stats.h>
#include <ngx_http_voicebridge_zone.h>


#define ngx_http_voicebridge_stats_pool(zone)                                 \
    ((ngx_slab_pool_t *) (zone)->shm.addr)


static ngx_http_voicebridge_worker_t *ngx_http_voicebridge_stats_worker(
    ngx_shm_zone_t *zone);
static ngx_http_voicebridge_record_t *ngx_http_voicebridge_stats_record(
    ngx_shm_zone_t *zone, ngx_http_voicebridge_worker_t *worker);
static void ngx_http_voicebridge_stats_reap_locked(ngx_shm_zone_t *zone,
    ngx_uint_t own);
static void ngx_http_voicebridge_stats_lost(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_worker_t *worker);
static void ngx_http_voicebridge_stats_retire(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_record_t *record);
static void ngx_http_voicebridge_stats_forget(ngx_shm_zone_t *zone);
static void ngx_http_voicebridge_stats_add(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record);
static void ngx_http_voicebridge_stats_write(
    ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record);
static void ngx_http_voicebridge_stats_count_locked(
    ngx_http_voicebridge_stats_sh_t *sh,
    ngx_http_voicebridge_stats_family_t family, const char *a, const char *b);
static uint64_t ngx_http_voicebridge_stats_now(void);


ngx_msec_t  ngx_http_voicebridge_stats_bounds[] = {
    25, 50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 10000
};


ngx_http_voicebridge_stats_sh_t *
ngx_http_voicebridge_stats_create(ngx_slab_pool_t *shpool, size_t size)
{
    ngx_http_voicebridge_stats_sh_t  *sh;

    sh = ngx_slab_calloc(shpool, sizeof(ngx_http_voicebridge_stats_sh_t));
    if (sh == NULL) {
        return NULL;
    }

    ngx_queue_init(&sh->live);
    ngx_queue_init(&sh->recent);

    /* most of a small zone is for what goes on */

    sh->max_recent = ngx_min(NGX_HTTP_VOICEBRIDGE_STATS_RECENT,
                             size / 8 / sizeof(ngx_http_voicebridge_record_t));

    return sh;
}


void
ngx_http_voicebridge_stats_begin(ngx_http_voicebridge_stats_t *stats,
    ngx_shm_zone_t *zone)
{
    ngx_slab_pool_t                *shpool;
    ngx_http_voicebridge_record_t  *record;

    if (zone == NULL) {
        return;
    }

    stats->zone = zone;
    stats->started = ngx_http_voicebridge_stats_now();

    shpool = ngx_http_voicebridge_stats_pool(zone);

    ngx_shmtx_lock(&shpool->mutex);

    stats->worker = ngx_http_voicebridge_stats_worker(zone);
    stats->worker->live++;

    record = ngx_http_voicebridge_stats_record(zone, stats->worker);

    if (record) {
        record->pid = ngx_pid;
        record->started = stats->started;

        ngx_queue_insert_head(&ngx_http_voicebridge_zone_stats(zone)->live,
                              &record->queue);
    }

    stats->record = record;

    ngx_shmtx_unlock(&shpool->mutex);
}


void
ngx_http_voicebridge_stats_update(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record)
{
    ngx_slab_pool_t  *shpool;

    if (stats->zone == NULL) {
        return;
    }

    ngx_http_voicebridge_stats_add(stats, record);

    if (stats->record == NULL) {
        return;
    }

    shpool = ngx_http_voicebridge_stats_pool(stats->zone);

    ngx_shmtx_lock(&shpool->mutex);

    ngx_http_voicebridge_stats_write(stats, record);

    ngx_shmtx_unlock(&shpool->mutex);
}


void
ngx_http_voicebridge_stats_end(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record)
{
    ngx_slab_pool_t  *shpool;

    if (stats->zone == NULL) {
        return;
    }

    ngx_http_voicebridge_stats_add(stats, record);

    shpool = ngx_http_voicebridge_stats_pool(stats->zone);

    ngx_shmtx_lock(&shpool->mutex);

    ngx_http_voicebridge_stats_count_locked(
                                ngx_http_voicebridge_zone_stats(stats->zone),
                                NGX_HTTP_VOICEBRIDGE_STATS_CALLS,
                                record->direction, record->end_reason);

    if (stats->record) {
        ngx_http_voicebridge_stats_write(stats, record);
        ngx_http_voicebridge_stats_retire(stats->zone, stats->record);
    }

    stats->worker->live--;

    ngx_shmtx_unlock(&shpool->mutex);

    stats->zone = NULL;
    stats->record = NULL;
}


void
ngx_http_voicebridge_stats_text(char *dst, size_t size, ngx_str_t *src)
{
    size_t  len;

    len = ngx_min(src->len, size - 1);

    if (len < src->len) {

        /* not within a UTF-8 character */

        while (len && (src->data[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    if (len) {
        ngx_memcpy(dst, src->data, len);
    }

    dst[len] = '\0';
}


/* the place of this process; any other is better than none */

static ngx_http_voicebridge_worker_t *
ngx_http_voicebridge_stats_worker(ngx_shm_zone_t *zone)
{
    ngx_uint_t                      i, reaped;
    ngx_http_voicebridge_worker_t  *worker, *free;

    worker = ngx_http_voicebridge_zone_stats(zone)->worker;

    for (reaped = 0; reaped < 2; reaped++) {

        free = NULL;

        for (i = 1; i < NGX_HTTP_VOICEBRIDGE_STATS_WORKERS; i++) {

            if (worker[i].pid == ngx_pid) {
                return &worker[i];
            }

            if (worker[i].pid == 0 && free == NULL) {
                free = &worker[i];
            }
        }

        if (free) {
            free->pid = ngx_pid;
            free->live = 0;
            return free;
        }

        ngx_http_voicebridge_stats_reap_locked(zone, 0);
    }

    return &worker[0];
}


static ngx_http_voicebridge_record_t *
ngx_http_voicebridge_stats_record(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_worker_t *worker)
{
    ngx_slab_pool_t                  *shpool;
    ngx_http_voicebridge_record_t    *record;
    ngx_http_voicebridge_stats_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_stats(zone);
    shpool = ngx_http_voicebridge_stats_pool(zone);

    if (worker->pid == 0) {

        /* nobody would take it away after a process that dies */

        (void) ngx_atomic_fetch_add(&sh->full, 1);
        return NULL;
    }

    for ( ;; ) {
        record = ngx_slab_calloc_locked(shpool,
                                       sizeof(ngx_http_voicebridge_record_t));
        if (record) {
            return record;
        }

        if (sh->nrecent == 0) {
            (void) ngx_atomic_fetch_add(&sh->full, 1);
            return NULL;
        }

        ngx_http_voicebridge_stats_forget(zone);
    }
}


/* drops the oldest of the recent records */

static void
ngx_http_voicebridge_stats_forget(ngx_shm_zone_t *zone)
{
    ngx_queue_t                      *q;
    ngx_http_voicebridge_stats_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_stats(zone);

    q = ngx_queue_last(&sh->recent);
    ngx_queue_remove(q);
    sh->nrecent--;

    ngx_slab_free_locked(ngx_http_voicebridge_stats_pool(zone),
                         ngx_queue_data(q, ngx_http_voicebridge_record_t,
                                        queue));
}


static void
ngx_http_voicebridge_stats_retire(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_record_t *record)
{
    ngx_http_voicebridge_stats_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_stats(zone);

    ngx_queue_remove(&record->queue);
    ngx_queue_insert_head(&sh->recent, &record->queue);
    sh->nrecent++;

    while (sh->nrecent > sh->max_recent) {
        ngx_http_voicebridge_stats_forget(zone);
    }
}


void
ngx_http_voicebridge_stats_reap(ngx_shm_zone_t *zone, ngx_uint_t own)
{
    ngx_slab_pool_t  *shpool;

    shpool = ngx_http_voicebridge_stats_pool(zone);

    ngx_shmtx_lock(&shpool->mutex);

    ngx_http_voicebridge_stats_reap_locked(zone, own);

    ngx_shmtx_unlock(&shpool->mutex);
}


static void
ngx_http_voicebridge_stats_reap_locked(ngx_shm_zone_t *zone, ngx_uint_t own)
{
    ngx_uint_t                      i;
    ngx_http_voicebridge_worker_t  *worker;

    worker = ngx_http_voicebridge_zone_stats(zone)->worker;

    for (i = 1; i < NGX_HTTP_VOICEBRIDGE_STATS_WORKERS; i++) {

        if (worker[i].pid == 0) {
            continue;
        }

        if (worker[i].pid == ngx_pid ? !own
            : (kill(worker[i].pid, 0) == 0 || ngx_errno != ESRCH))
        {
            continue;
        }

        ngx_http_voicebridge_stats_lost(zone, &worker[i]);
    }
}


/* a process has gone, and did not say good-bye */

static void
ngx_http_voicebridge_stats_lost(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_worker_t *worker)
{
    uint64_t                          now;
    ngx_queue_t                      *q, *next;
    ngx_http_voicebridge_record_t    *record;
    ngx_http_voicebridge_stats_sh_t  *sh;

    static ngx_str_t  ended = ngx_string("ended");
    static ngx_str_t  reason = ngx_string("worker_lost");

    sh = ngx_http_voicebridge_zone_stats(zone);
    now = ngx_http_voicebridge_stats_now();

    for (q = ngx_queue_head(&sh->live);
         q != ngx_queue_sentinel(&sh->live);
         q = next)
    {
        next = ngx_queue_next(q);
        record = ngx_queue_data(q, ngx_http_voicebridge_record_t, queue);

        if (record->pid != worker->pid) {
            continue;
        }

        ngx_http_voicebridge_stats_text(record->state, sizeof(record->state),
                                        &ended);
        ngx_http_voicebridge_stats_text(record->end_reason,
                                        sizeof(record->end_reason), &reason);

        record->duration = now - ngx_min(now, record->started);

        ngx_http_voicebridge_stats_count_locked(sh,
                              NGX_HTTP_VOICEBRIDGE_STATS_CALLS,
                              record->direction[0] ? record->direction
                                                   : "unknown",
                              record->end_reason);

        ngx_http_voicebridge_stats_retire(zone, record);

        if (worker->live) {
            worker->live--;
        }
    }

    for ( /* those without a record */ ; worker->live; worker->live--) {
        ngx_http_voicebridge_stats_count_locked(sh,
                              NGX_HTTP_VOICEBRIDGE_STATS_CALLS, "unknown",
                              (char *) reason.data);
    }

    worker->pid = 0;
}


static void
ngx_http_voicebridge_stats_add(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record)
{
    ngx_http_voicebridge_stats_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_stats(stats->zone);

    (void) ngx_atomic_fetch_add(&sh->interruptions,
                                record->interruptions - stats->interruptions);
    (void) ngx_atomic_fetch_add(&sh->caller_audio,
                                record->caller_audio - stats->caller_audio);
    (void) ngx_atomic_fetch_add(&sh->agent_audio,
                                record->agent_audio - stats->agent_audio);

    stats->interruptions = record->interruptions;
    stats->caller_audio = record->caller_audio;
    stats->agent_audio = record->agent_audio;
}


static void
ngx_http_voicebridge_stats_write(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record)
{
    record->queue = stats->record->queue;
    record->pid = stats->record->pid;
    record->started = stats->started;

    *stats->record = *record;
}


void
ngx_http_voicebridge_stats_count(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_family_t family, const char *a, const char *b)
{
    ngx_slab_pool_t  *shpool;

    shpool = ngx_http_voicebridge_stats_pool(zone);

    ngx_shmtx_lock(&shpool->mutex);

    ngx_http_voicebridge_stats_count_locked(
                                        ngx_http_voicebridge_zone_stats(zone),
                                        family, a, b);

    ngx_shmtx_unlock(&shpool->mutex);
}


static void
ngx_http_voicebridge_stats_count_locked(ngx_http_voicebridge_stats_sh_t *sh,
    ngx_http_voicebridge_stats_family_t family, const char *a, const char *b)
{
    ngx_uint_t                       i;
    ngx_http_voicebridge_counter_t  *c;

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_STATS_COUNTERS; i++) {

        c = &sh->counter[i];

        if (c->family == NGX_HTTP_VOICEBRIDGE_STATS_NONE) {
            ngx_cpystrn((u_char *) c->label[0], (u_char *) a,
                        NGX_HTTP_VOICEBRIDGE_STATS_LABEL);
            ngx_cpystrn((u_char *) c->label[1], (u_char *) b,
                        NGX_HTTP_VOICEBRIDGE_STATS_LABEL);

            /* readers have no lock: who sees the family sees the labels */

            ngx_memory_barrier();

            c->family = family;
        }

        if (c->family == (ngx_uint_t) family
            && ngx_strcmp(c->label[0], a) == 0
            && ngx_strcmp(c->label[1], b) == 0)
        {
            c->value++;
            return;
        }
    }

    (void) ngx_atomic_fetch_add(&sh->full, 1);
}


void
ngx_http_voicebridge_stats_observe(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_histogram_t histogram, ngx_msec_t ms)
{
    ngx_uint_t                         i;
    ngx_http_voicebridge_histogram_t  *h;

    if (zone == NULL) {
        return;
    }

    h = &ngx_http_voicebridge_zone_stats(zone)->histogram[histogram];

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_STATS_BOUNDS; i++) {
        if (ms <= ngx_http_voicebridge_stats_bounds[i]) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&h->bucket[i], 1);
    (void) ngx_atomic_fetch_add(&h->sum, ms);
}


ngx_uint_t
ngx_http_voicebridge_stats_live(ngx_shm_zone_t *zone)
{
    ngx_uint_t                      i, n;
    ngx_slab_pool_t                *shpool;
    ngx_http_voicebridge_worker_t  *worker;

    shpool = ngx_http_voicebridge_stats_pool(zone);
    worker = ngx_http_voicebridge_zone_stats(zone)->worker;
    n = 0;

    ngx_shmtx_lock(&shpool->mutex);

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_STATS_WORKERS; i++) {
        n += worker[i].live;
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return n;
}


ngx_array_t *
ngx_http_voicebridge_stats_records(ngx_shm_zone_t *zone, ngx_pool_t *pool,
    ngx_uint_t live, ngx_str_t *sid, ngx_uint_t limit)
{
    ngx_uint_t                      n;
    ngx_queue_t                    *q, *queue;
    ngx_array_t                    *records;
    ngx_slab_pool_t                *shpool;
    ngx_http_voicebridge_record_t  *record, *copy;

    shpool = ngx_http_voicebridge_stats_pool(zone);

    queue = live ? &ngx_http_voicebridge_zone_stats(zone)->live
                 : &ngx_http_voicebridge_zone_stats(zone)->recent;

    /* memory is there before the lock; what comes meanwhile has to wait */

    n = live ? ngx_http_voicebridge_stats_live(zone)
             : NGX_HTTP_VOICEBRIDGE_STATS_RECENT;

    if (sid->len) {
        n = ngx_min(n, 16);
    }

    n = ngx_min(n, limit);

    records = ngx_array_create(pool, ngx_max(n, 1),
                               sizeof(ngx_http_voicebridge_record_t));
    if (records == NULL) {
        return NULL;
    }

    ngx_shmtx_lock(&shpool->mutex);

    for (q = ngx_queue_head(queue);
         q != ngx_queue_sentinel(queue) && records->nelts < n;
         q = ngx_queue_next(q))
    {
        record = ngx_queue_data(q, ngx_http_voicebridge_record_t, queue);

        if (sid->len
            && (ngx_strlen(record->call_sid) != sid->len
                || ngx_strncmp(record->call_sid, sid->data, sid->len) != 0))
        {
            continue;
        }

        copy = ngx_array_push(records);
        *copy = *record;
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return records;
}


static uint64_t
ngx_http_voicebridge_stats_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}
