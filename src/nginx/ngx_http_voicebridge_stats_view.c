
/* What is read of the calls' records in voicebridge_zone */


#include <ngx_http_voicebridge_stats.h>
#include <ngx_http_voicebridge_zone.h>


/* of a call, most that are looked for by its SID: its streams */
#define NGX_HTTP_VOICEBRIDGE_STATS_STREAMS  16


/* a live call: which one, and where it is if it still is */
typedef struct {
    ngx_atomic_uint_t               serial;
    ngx_uint_t                      place;
} ngx_http_voicebridge_found_t;


static ngx_array_t *ngx_http_voicebridge_stats_live_records(
    ngx_shm_zone_t *zone, ngx_pool_t *pool, ngx_str_t *sid, ngx_uint_t limit);
static ngx_array_t *ngx_http_voicebridge_stats_recent_records(
    ngx_shm_zone_t *zone, ngx_pool_t *pool, ngx_str_t *sid, ngx_uint_t limit);
static ngx_uint_t ngx_http_voicebridge_stats_is(
    ngx_http_voicebridge_record_t *record, ngx_str_t *sid);
static int ngx_libc_cdecl ngx_http_voicebridge_stats_newer(const void *one,
    const void *two);


ngx_uint_t
ngx_http_voicebridge_stats_live(ngx_shm_zone_t *zone)
{
    ngx_uint_t                        i, n;
    ngx_http_voicebridge_stats_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_stats(zone);
    n = 0;

    ngx_http_voicebridge_zone_lock(zone);

    for (i = 0; i < sh->nlive; i++) {
        n += (sh->owner[i] != 0);
    }

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_STATS_WORKERS; i++) {
        n += sh->worker[i].unseen;
    }

    ngx_http_voicebridge_zone_unlock(zone);

    return n;
}


ngx_array_t *
ngx_http_voicebridge_stats_records(ngx_shm_zone_t *zone, ngx_pool_t *pool,
    ngx_uint_t live, ngx_str_t *sid, ngx_uint_t limit)
{
    if (sid->len) {
        limit = ngx_min(limit, NGX_HTTP_VOICEBRIDGE_STATS_STREAMS);
    }

    return live ? ngx_http_voicebridge_stats_live_records(zone, pool, sid,
                                                          limit)
                : ngx_http_voicebridge_stats_recent_records(zone, pool, sid,
                                                            limit);
}


/* memory is there before the lock; calls that come meanwhile have to wait */

static ngx_array_t *
ngx_http_voicebridge_stats_live_records(ngx_shm_zone_t *zone,
    ngx_pool_t *pool, ngx_str_t *sid, ngx_uint_t limit)
{
    ngx_uint_t                        i, n;
    ngx_array_t                      *records, found;
    ngx_http_voicebridge_found_t     *f;
    ngx_http_voicebridge_record_t    *record;
    ngx_http_voicebridge_stats_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_stats(zone);
    n = ngx_http_voicebridge_stats_live(zone);

    if (ngx_array_init(&found, pool, ngx_max(n, 1),
                       sizeof(ngx_http_voicebridge_found_t))
        != NGX_OK)
    {
        return NULL;
    }

    ngx_http_voicebridge_zone_lock(zone);

    for (i = 0; i < sh->nlive && found.nelts < n; i++) {

        if (sh->owner[i]
            && ngx_http_voicebridge_stats_is(&sh->live[i], sid))
        {
            f = ngx_array_push(&found);

            f->serial = sh->live[i].serial;
            f->place = i;
        }
    }

    ngx_http_voicebridge_zone_unlock(zone);

    ngx_qsort(found.elts, found.nelts, sizeof(ngx_http_voicebridge_found_t),
              ngx_http_voicebridge_stats_newer);

    n = ngx_min(found.nelts, limit);

    records = ngx_array_create(pool, ngx_max(n, 1),
                               sizeof(ngx_http_voicebridge_record_t));
    if (records == NULL) {
        return NULL;
    }

    f = found.elts;

    ngx_http_voicebridge_zone_lock(zone);

    for (i = 0; i < n; i++) {

        record = &sh->live[f[i].place];

        if (sh->owner[f[i].place] && record->serial == f[i].serial) {
            *(ngx_http_voicebridge_record_t *) ngx_array_push(records)
                                                                    = *record;
        }
    }

    ngx_http_voicebridge_zone_unlock(zone);

    return records;
}


static ngx_array_t *
ngx_http_voicebridge_stats_recent_records(ngx_shm_zone_t *zone,
    ngx_pool_t *pool, ngx_str_t *sid, ngx_uint_t limit)
{
    ngx_uint_t                        i, n;
    ngx_array_t                      *records;
    ngx_http_voicebridge_record_t    *record;
    ngx_http_voicebridge_stats_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_stats(zone);
    limit = ngx_min(limit, sh->nrecent);

    records = ngx_array_create(pool, ngx_max(limit, 1),
                               sizeof(ngx_http_voicebridge_record_t));
    if (records == NULL) {
        return NULL;
    }

    ngx_http_voicebridge_zone_lock(zone);

    n = ngx_min(sh->ended, sh->nrecent);

    for (i = 1; i <= n && records->nelts < limit; i++) {

        record = &sh->recent[(sh->ended - i) % sh->nrecent];

        if (record->serial && ngx_http_voicebridge_stats_is(record, sid)) {
            *(ngx_http_voicebridge_record_t *) ngx_array_push(records)
                                                                    = *record;
        }
    }

    ngx_http_voicebridge_zone_unlock(zone);

    return records;
}


static ngx_uint_t
ngx_http_voicebridge_stats_is(ngx_http_voicebridge_record_t *record,
    ngx_str_t *sid)
{
    return sid->len == 0
           || (ngx_strlen(record->call_sid) == sid->len
               && ngx_strncmp(record->call_sid, sid->data, sid->len) == 0);
}


static int ngx_libc_cdecl
ngx_http_voicebridge_stats_newer(const void *one, const void *two)
{
    const ngx_http_voicebridge_found_t  *first = one;
    const ngx_http_voicebridge_found_t  *second = two;

    return first->serial < second->serial ? 1 : -1;
}
