
/*
 * Counters, histograms and records of calls in voicebridge_zone.
 *
 * Everything but the sums of audio is changed under the zone's mutex and is
 * whole at every instruction, see ngx_http_voicebridge_zone.h: a call that
 * begins is there with the last word of it, and one that ends is counted,
 * gone and among the recent ones with all of them or with none.
 */


#include <ngx_http_voicebridge_stats.h>
#include <ngx_http_voicebridge_zone.h>


static ngx_http_voicebridge_worker_t *ngx_http_voicebridge_stats_worker(
    ngx_shm_zone_t *zone);
static void ngx_http_voicebridge_stats_place(
    ngx_http_voicebridge_stats_t *stats);
static void ngx_http_voicebridge_stats_reap_locked(ngx_shm_zone_t *zone,
    ngx_uint_t own);
static void ngx_http_voicebridge_stats_lost(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_worker_t *worker);
static void ngx_http_voicebridge_stats_retire(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_record_t *record, ngx_atomic_t *owner);
static void ngx_http_voicebridge_stats_unseen(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_worker_t *worker, const char *direction,
    const char *reason);
static void ngx_http_voicebridge_stats_add(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record);
static void ngx_http_voicebridge_stats_increment(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_family_t family, const char *a, const char *b);
static uint64_t ngx_http_voicebridge_stats_now(void);


ngx_msec_t  ngx_http_voicebridge_stats_bounds[] = {
    25, 50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 10000
};


ngx_http_voicebridge_stats_sh_t *
ngx_http_voicebridge_stats_create(ngx_slab_pool_t *shpool)
{
    size_t                            size;
    ngx_http_voicebridge_stats_sh_t  *sh;

    sh = ngx_slab_calloc(shpool, sizeof(ngx_http_voicebridge_stats_sh_t));
    if (sh == NULL) {
        return NULL;
    }

    size = shpool->pfree * ngx_pagesize / 8;

    sh->nlive = size / (sizeof(ngx_http_voicebridge_record_t)
                        + sizeof(ngx_atomic_t));
    sh->nrecent = ngx_min(NGX_HTTP_VOICEBRIDGE_STATS_RECENT,
                          size / sizeof(ngx_http_voicebridge_record_t));

    sh->live = ngx_slab_calloc(shpool,
                               (sh->nlive + sh->nrecent)
                               * sizeof(ngx_http_voicebridge_record_t)
                               + sh->nlive * sizeof(ngx_atomic_t));

    if (sh->live == NULL) {
        sh->nlive = 0;
        sh->nrecent = 0;

        return sh;
    }

    sh->recent = sh->live + sh->nlive;
    sh->owner = (ngx_atomic_t *) (sh->recent + sh->nrecent);

    return sh;
}


void
ngx_http_voicebridge_stats_begin(ngx_http_voicebridge_stats_t *stats,
    ngx_shm_zone_t *zone)
{
    if (zone == NULL) {
        return;
    }

    stats->zone = zone;
    stats->started = ngx_http_voicebridge_stats_now();

    ngx_http_voicebridge_zone_lock(zone);

    stats->worker = ngx_http_voicebridge_stats_worker(zone);

    ngx_http_voicebridge_stats_place(stats);

    ngx_http_voicebridge_zone_unlock(zone);
}


void
ngx_http_voicebridge_stats_update(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record)
{
    if (stats->zone == NULL) {
        return;
    }

    ngx_http_voicebridge_stats_add(stats, record);

    if (stats->record == NULL) {
        return;
    }

    record->started = stats->started;

    ngx_http_voicebridge_zone_lock(stats->zone);

    record->serial = stats->record->serial;

    *stats->record = *record;

    ngx_http_voicebridge_zone_unlock(stats->zone);
}


void
ngx_http_voicebridge_stats_end(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record)
{
    if (stats->zone == NULL) {
        return;
    }

    ngx_http_voicebridge_stats_add(stats, record);

    record->started = stats->started;

    ngx_http_voicebridge_zone_lock(stats->zone);

    if (stats->record) {
        ngx_http_voicebridge_stats_retire(stats->zone, record, stats->owner);

    } else {
        ngx_http_voicebridge_stats_unseen(stats->zone, stats->worker,
                                          record->direction,
                                          record->end_reason);
    }

    ngx_http_voicebridge_zone_unlock(stats->zone);

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
            free->waiting = 0;
            free->pid = ngx_pid;
            return free;
        }

        ngx_http_voicebridge_stats_reap_locked(zone, 0);
    }

    return &worker[0];
}


/* a record for a call that begins, or one more that has none */

static void
ngx_http_voicebridge_stats_place(ngx_http_voicebridge_stats_t *stats)
{
    ngx_uint_t                        i, n;
    ngx_http_voicebridge_record_t    *record;
    ngx_http_voicebridge_stats_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_stats(stats->zone);

    /* without a pid nobody would take it away after a process that dies */

    n = stats->worker->pid ? sh->nlive : 0;

    for (i = 0; i < n; i++) {

        sh->hand = (sh->hand + 1) % sh->nlive;

        if (sh->owner[sh->hand] == 0) {
            break;
        }
    }

    if (i == n) {
        stats->record = NULL;
        stats->worker->unseen++;

        (void) ngx_atomic_fetch_add(&sh->full, 1);

        return;
    }

    record = &sh->live[sh->hand];

    ngx_memzero(record, sizeof(ngx_http_voicebridge_record_t));

    record->serial = ++sh->begun;
    record->started = stats->started;

    stats->record = record;
    stats->owner = &sh->owner[sh->hand];

    ngx_http_voicebridge_zone_store(stats->zone, stats->owner, ngx_pid);
}


void
ngx_http_voicebridge_stats_reap(ngx_shm_zone_t *zone, ngx_uint_t own)
{
    ngx_http_voicebridge_zone_lock(zone);

    ngx_http_voicebridge_stats_reap_locked(zone, own);

    ngx_http_voicebridge_zone_unlock(zone);
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
    ngx_uint_t                        i;
    ngx_http_voicebridge_record_t     record;
    ngx_http_voicebridge_stats_sh_t  *sh;

    static ngx_str_t  ended = ngx_string("ended");
    static ngx_str_t  reason = ngx_string("worker_lost");
    static ngx_str_t  unknown = ngx_string("unknown");

    sh = ngx_http_voicebridge_zone_stats(zone);
    now = ngx_http_voicebridge_stats_now();

    for (i = 0; i < sh->nlive; i++) {

        if (sh->owner[i] != (ngx_atomic_uint_t) worker->pid) {
            continue;
        }

        record = sh->live[i];

        ngx_http_voicebridge_stats_text(record.state, sizeof(record.state),
                                        &ended);
        ngx_http_voicebridge_stats_text(record.end_reason,
                                        sizeof(record.end_reason), &reason);

        record.duration = now - ngx_min(now, record.started);

        /* it may have been written in part, and a label must be one of ours */

        if (ngx_strcmp(record.direction, "inbound") != 0
            && ngx_strcmp(record.direction, "outbound") != 0)
        {
            ngx_http_voicebridge_stats_text(record.direction,
                                            sizeof(record.direction),
                                            &unknown);
        }

        ngx_http_voicebridge_stats_retire(zone, &record, &sh->owner[i]);
    }

    while (worker->unseen) {
        ngx_http_voicebridge_stats_unseen(zone, worker, "unknown",
                                          (char *) reason.data);
    }

    worker->pid = 0;
}


/* a call with a record has ended: it is counted, and one of the recent */

static void
ngx_http_voicebridge_stats_retire(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_record_t *record, ngx_atomic_t *owner)
{
    ngx_http_voicebridge_record_t    *recent;
    ngx_http_voicebridge_stats_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_stats(zone);

    ngx_http_voicebridge_stats_increment(zone,
                                         NGX_HTTP_VOICEBRIDGE_STATS_CALLS,
                                         record->direction,
                                         record->end_reason);

    if (sh->nrecent) {
        recent = &sh->recent[sh->ended % sh->nrecent];
        recent->serial = 0;

        ngx_memory_barrier();

        record->serial = 0;
        *recent = *record;

        ngx_http_voicebridge_zone_store(zone, &recent->serial, sh->ended + 1);
        ngx_http_voicebridge_zone_store(zone, &sh->ended, sh->ended + 1);
    }

    ngx_http_voicebridge_zone_store(zone, owner, 0);

    ngx_http_voicebridge_zone_commit(zone);
}


/* one without a record */

static void
ngx_http_voicebridge_stats_unseen(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_worker_t *worker, const char *direction,
    const char *reason)
{
    ngx_http_voicebridge_stats_increment(zone,
                                         NGX_HTTP_VOICEBRIDGE_STATS_CALLS,
                                         direction, reason);

    ngx_http_voicebridge_zone_store(zone, &worker->unseen, worker->unseen - 1);

    ngx_http_voicebridge_zone_commit(zone);
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


void
ngx_http_voicebridge_stats_count(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_family_t family, const char *a, const char *b)
{
    ngx_http_voicebridge_zone_lock(zone);

    ngx_http_voicebridge_stats_increment(zone, family, a, b);

    ngx_http_voicebridge_zone_unlock(zone);
}


/* one more with these labels, when the change is committed */

static void
ngx_http_voicebridge_stats_increment(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_family_t family, const char *a, const char *b)
{
    ngx_uint_t                        i;
    ngx_http_voicebridge_counter_t   *c;
    ngx_http_voicebridge_stats_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_stats(zone);

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
            ngx_http_voicebridge_zone_store(zone, &c->value, c->value + 1);
            return;
        }
    }

    (void) ngx_atomic_fetch_add(&sh->full, 1);
}


void
ngx_http_voicebridge_stats_waiting(ngx_shm_zone_t *zone, ngx_uint_t n)
{
    ngx_http_voicebridge_worker_t  *worker;

    ngx_http_voicebridge_zone_lock(zone);

    worker = ngx_http_voicebridge_stats_worker(zone);

    /* the place that is shared is nobody's to set */

    if (worker->pid) {
        worker->waiting = n;
    }

    ngx_http_voicebridge_zone_unlock(zone);
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

    ngx_http_voicebridge_zone_lock(zone);

    ngx_http_voicebridge_zone_store(zone, &h->bucket[i], h->bucket[i] + 1);
    ngx_http_voicebridge_zone_store(zone, &h->sum, h->sum + ms);

    ngx_http_voicebridge_zone_unlock(zone);
}


static uint64_t
ngx_http_voicebridge_stats_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}
