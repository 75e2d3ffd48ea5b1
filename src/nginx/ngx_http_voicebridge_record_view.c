
/* What is read of the calls' records in voicebridge_zone */


#include <ngx_http_voicebridge_zone.h>


/* calls that are copied while others wait: some microseconds */
#define NGX_HTTP_VOICEBRIDGE_RECORD_FEW  8


/* a call: which one, and where it is if it still is */
typedef struct {
    ngx_atomic_uint_t               serial;
    ngx_uint_t                      place;
} ngx_http_voicebridge_found_t;


static ngx_array_t *ngx_http_voicebridge_record_live(ngx_shm_zone_t *zone,
    ngx_pool_t *pool, ngx_http_voicebridge_query_t *query);
static ngx_int_t ngx_http_voicebridge_record_find_live(ngx_shm_zone_t *zone,
    ngx_pool_t *pool, ngx_array_t *found);
static void ngx_http_voicebridge_record_take(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_found_t *f, ngx_uint_t n,
    ngx_http_voicebridge_known_t *copies);
static ngx_array_t *ngx_http_voicebridge_record_recent(ngx_shm_zone_t *zone,
    ngx_pool_t *pool, ngx_http_voicebridge_query_t *query);
static ngx_uint_t ngx_http_voicebridge_record_wanted(
    ngx_http_voicebridge_known_t *known, ngx_http_voicebridge_query_t *query);
static ngx_uint_t ngx_http_voicebridge_record_of_agent(
    ngx_http_voicebridge_record_t *record, ngx_str_t *agent_id);
static ngx_uint_t ngx_http_voicebridge_record_is(const char *text,
    ngx_str_t *wanted);
static int ngx_libc_cdecl ngx_http_voicebridge_record_newer(const void *one,
    const void *two);


ngx_array_t *
ngx_http_voicebridge_record_query(ngx_shm_zone_t *zone, ngx_pool_t *pool,
    ngx_uint_t live, ngx_http_voicebridge_query_t *query)
{
    return live ? ngx_http_voicebridge_record_live(zone, pool, query)
                : ngx_http_voicebridge_record_recent(zone, pool, query);
}


/*
 * Many calls may be live, and those who wait for the mutex have audio to
 * relay: it is held for a few of them at a time.  The rest of the work, which
 * is more, leaves others the time to get it.
 */

static ngx_array_t *
ngx_http_voicebridge_record_live(ngx_shm_zone_t *zone, ngx_pool_t *pool,
    ngx_http_voicebridge_query_t *query)
{
    ngx_uint_t                      i, k, n;
    ngx_array_t                    *copies, found;
    ngx_http_voicebridge_known_t   *known;
    ngx_http_voicebridge_found_t   *f;

    /* a worker does one thing at a time */

    static ngx_http_voicebridge_known_t  few[NGX_HTTP_VOICEBRIDGE_RECORD_FEW];

    if (ngx_http_voicebridge_record_find_live(zone, pool, &found) != NGX_OK) {
        return NULL;
    }

    f = found.elts;
    n = ngx_min(found.nelts, query->limit);

    copies = ngx_array_create(pool, ngx_max(n, 1),
                              sizeof(ngx_http_voicebridge_known_t));
    if (copies == NULL) {
        return NULL;
    }

    for (i = 0; i < found.nelts && copies->nelts < n; i += k) {

        k = ngx_min(found.nelts - i, NGX_HTTP_VOICEBRIDGE_RECORD_FEW);

        ngx_http_voicebridge_record_take(zone, &f[i], k, few);

        for (known = few; known < few + k && copies->nelts < n; known++) {

            if (known->serial
                && ngx_http_voicebridge_record_wanted(known, query))
            {
                *(ngx_http_voicebridge_known_t *) ngx_array_push(copies)
                                                                     = *known;
            }
        }
    }

    return copies;
}


/*
 * Which calls there are, newest first.  Owners and serials are words, which
 * may be looked at without the mutex; calls that come meanwhile have to wait.
 */

static ngx_int_t
ngx_http_voicebridge_record_find_live(ngx_shm_zone_t *zone, ngx_pool_t *pool,
    ngx_array_t *found)
{
    ngx_uint_t                       i, n;
    ngx_http_voicebridge_found_t    *f;
    ngx_http_voicebridge_records_t  *records;

    records = ngx_http_voicebridge_zone_records(zone);

    n = ngx_http_voicebridge_stats_owned(zone);

    if (ngx_array_init(found, pool, ngx_max(n, 1),
                       sizeof(ngx_http_voicebridge_found_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < records->nlive && found->nelts < n; i++) {

        if (records->owner[i]) {
            f = ngx_array_push(found);

            f->serial = records->live[i].serial;
            f->place = i;
        }
    }

    ngx_qsort(found->elts, found->nelts, sizeof(ngx_http_voicebridge_found_t),
              ngx_http_voicebridge_record_newer);

    return NGX_OK;
}


/* copies n calls; one that is over or another by now has no serial */

static void
ngx_http_voicebridge_record_take(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_found_t *f, ngx_uint_t n,
    ngx_http_voicebridge_known_t *copies)
{
    ngx_uint_t                       i;
    ngx_http_voicebridge_known_t    *known;
    ngx_http_voicebridge_records_t  *records;

    records = ngx_http_voicebridge_zone_records(zone);

    ngx_http_voicebridge_zone_lock(zone);

    for (i = 0; i < n; i++) {

        known = &records->live[f[i].place];

        if (records->owner[f[i].place] && known->serial == f[i].serial) {
            copies[i] = *known;

        } else {
            copies[i].serial = 0;
        }
    }

    ngx_http_voicebridge_zone_unlock(zone);
}


static ngx_array_t *
ngx_http_voicebridge_record_recent(ngx_shm_zone_t *zone, ngx_pool_t *pool,
    ngx_http_voicebridge_query_t *query)
{
    ngx_uint_t                       i, n, limit;
    ngx_array_t                     *copies;
    ngx_http_voicebridge_known_t    *known;
    ngx_http_voicebridge_records_t  *records;

    records = ngx_http_voicebridge_zone_records(zone);
    limit = ngx_min(query->limit, records->nrecent);

    copies = ngx_array_create(pool, ngx_max(limit, 1),
                              sizeof(ngx_http_voicebridge_known_t));
    if (copies == NULL) {
        return NULL;
    }

    ngx_http_voicebridge_zone_lock(zone);

    n = ngx_min(records->ended, records->nrecent);

    for (i = 1; i <= n && copies->nelts < limit; i++) {

        known = &records->recent[(records->ended - i) % records->nrecent];

        if (known->serial
            && ngx_http_voicebridge_record_wanted(known, query))
        {
            *(ngx_http_voicebridge_known_t *) ngx_array_push(copies) = *known;
        }
    }

    ngx_http_voicebridge_zone_unlock(zone);

    return copies;
}


static ngx_uint_t
ngx_http_voicebridge_record_wanted(ngx_http_voicebridge_known_t *known,
    ngx_http_voicebridge_query_t *query)
{
    ngx_http_voicebridge_record_t  *record;

    record = &known->record;

    return known->trail.created >= query->since
           && ngx_http_voicebridge_record_is(record->call_sid,
                                             &query->call_sid)
           && ngx_http_voicebridge_record_is(record->state, &query->state)
           && ngx_http_voicebridge_record_of_agent(record, &query->agent_id)
           && ngx_http_voicebridge_record_is(record->direction,
                                             &query->direction)
           && ngx_http_voicebridge_record_is(record->end_reason,
                                             &query->end_reason);
}


/* by its id, or by as much of it as is shown */

static ngx_uint_t
ngx_http_voicebridge_record_of_agent(ngx_http_voicebridge_record_t *record,
    ngx_str_t *agent_id)
{
    return ngx_http_voicebridge_record_is(record->agent_id, agent_id)
           || record->agent == ngx_http_voicebridge_record_agent_hash(agent_id);
}


static ngx_uint_t
ngx_http_voicebridge_record_is(const char *text, ngx_str_t *wanted)
{
    return wanted->len == 0
           || (ngx_strlen(text) == wanted->len
               && ngx_memcmp(text, wanted->data, wanted->len) == 0);
}


static int ngx_libc_cdecl
ngx_http_voicebridge_record_newer(const void *one, const void *two)
{
    const ngx_http_voicebridge_found_t  *first = one;
    const ngx_http_voicebridge_found_t  *second = two;

    return first->serial < second->serial ? 1 : -1;
}
