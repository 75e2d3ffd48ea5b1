
/*
 * Counters, histograms and peaks in voicebridge_zone, whole at every
 * instruction, see ngx_http_voicebridge_zone.h.
 */


#include <ngx_http_voicebridge_zone.h>


static ngx_uint_t ngx_http_voicebridge_stats_bucket(
    ngx_http_voicebridge_stats_histogram_t histogram, uint64_t us);


static const uint32_t  ngx_http_voicebridge_stats_seconds[] = {
    25000, 50000, 100000, 200000, 300000, 500000, 750000, 1000000, 1500000,
    2000000, 3000000, 5000000, 10000000
};

/* a frame is 20 ms: what takes longer than some of them is to be heard */

static const uint32_t  ngx_http_voicebridge_stats_relay[] = {
    50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 250000,
    1000000
};


const uint32_t *
ngx_http_voicebridge_stats_bounds(
    ngx_http_voicebridge_stats_histogram_t histogram)
{
    return histogram == NGX_HTTP_VOICEBRIDGE_STATS_TO_AGENT
           || histogram == NGX_HTTP_VOICEBRIDGE_STATS_TO_CALLER
           ? ngx_http_voicebridge_stats_relay
           : ngx_http_voicebridge_stats_seconds;
}


ngx_http_voicebridge_stats_sh_t *
ngx_http_voicebridge_stats_create(ngx_slab_pool_t *shpool)
{
    ngx_http_voicebridge_stats_sh_t  *sh;

    sh = ngx_slab_calloc(shpool, sizeof(ngx_http_voicebridge_stats_sh_t));
    if (sh == NULL) {
        return NULL;
    }

    ngx_http_voicebridge_records_create(&sh->records, shpool);

    return sh;
}


void
ngx_http_voicebridge_stats_count(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_family_t family, const char *a, const char *b)
{
    if (zone == NULL) {
        return;
    }

    ngx_http_voicebridge_zone_lock(zone);

    ngx_http_voicebridge_stats_increment_locked(zone, family, a, b);

    ngx_http_voicebridge_zone_unlock(zone);
}


void
ngx_http_voicebridge_stats_increment_locked(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_family_t family, const char *a, const char *b)
{
    ngx_uint_t                       i;
    ngx_http_voicebridge_counter_t  *c;

    c = ngx_http_voicebridge_zone_stats(zone)->counter;

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_STATS_COUNTERS; i++, c++) {

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

    ngx_http_voicebridge_stats_full(zone, "an event could not be counted");
}


void
ngx_http_voicebridge_stats_observe(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_histogram_t histogram, ngx_msec_t ms)
{
    uint64_t                           us;
    ngx_uint_t                         i;
    ngx_http_voicebridge_histogram_t  *h;

    if (zone == NULL) {
        return;
    }

    us = (uint64_t) ms * 1000;
    h = &ngx_http_voicebridge_zone_stats(zone)->histogram[histogram];
    i = ngx_http_voicebridge_stats_bucket(histogram, us);

    ngx_http_voicebridge_zone_lock(zone);

    ngx_http_voicebridge_zone_store(zone, &h->bucket[i], h->bucket[i] + 1);
    ngx_http_voicebridge_zone_store(zone, &h->sum, h->sum + us);

    ngx_http_voicebridge_zone_unlock(zone);
}


void
ngx_http_voicebridge_stats_sample(ngx_http_voicebridge_samples_t *samples,
    ngx_http_voicebridge_stats_histogram_t histogram, uint64_t us)
{
    samples->bucket[ngx_http_voicebridge_stats_bucket(histogram, us)]++;
    samples->sum += us;
    samples->n++;
}


void
ngx_http_voicebridge_stats_samples(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_histogram_t histogram,
    ngx_http_voicebridge_samples_t *samples)
{
    ngx_uint_t                         i;
    ngx_http_voicebridge_histogram_t  *h;

    if (zone && samples->n) {
        h = &ngx_http_voicebridge_zone_stats(zone)->histogram[histogram];

        ngx_http_voicebridge_zone_lock(zone);

        ngx_http_voicebridge_zone_store(zone, &h->sum, h->sum + samples->sum);

        for (i = 0; i <= NGX_HTTP_VOICEBRIDGE_STATS_BOUNDS; i++) {
            if (samples->bucket[i]) {
                ngx_http_voicebridge_zone_store(zone, &h->bucket[i],
                                           h->bucket[i] + samples->bucket[i]);
                ngx_http_voicebridge_zone_commit(zone);
            }
        }

        ngx_http_voicebridge_zone_unlock(zone);
    }

    ngx_memzero(samples, sizeof(ngx_http_voicebridge_samples_t));
}


static ngx_uint_t
ngx_http_voicebridge_stats_bucket(
    ngx_http_voicebridge_stats_histogram_t histogram, uint64_t us)
{
    ngx_uint_t       i;
    const uint32_t  *bounds;

    bounds = ngx_http_voicebridge_stats_bounds(histogram);

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_STATS_BOUNDS; i++) {
        if (us <= bounds[i]) {
            break;
        }
    }

    return i;
}


void
ngx_http_voicebridge_stats_peak(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_stats_peak_t peak, size_t bytes)
{
    ngx_atomic_t  *value;

    if (zone == NULL) {
        return;
    }

    value = &ngx_http_voicebridge_zone_stats(zone)->peak[peak];

    ngx_http_voicebridge_zone_lock(zone);

    if (bytes > *value) {
        *value = bytes;
    }

    ngx_http_voicebridge_zone_unlock(zone);
}


void
ngx_http_voicebridge_stats_full(ngx_shm_zone_t *zone, const char *what)
{
    ngx_http_voicebridge_stats_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_stats(zone);

    (void) ngx_atomic_fetch_add(&sh->full, 1);

    if (sh->complained && ngx_time() - sh->complained < 60) {
        return;
    }

    sh->complained = ngx_time();

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "voicebridge_zone \"%V\" is too small: %s; there was no "
                  "room %uA times so far, calls go on; make it larger",
                  &zone->shm.name, what, sh->full);
}
