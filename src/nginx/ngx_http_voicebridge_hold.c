
/* Calls of an agent are counted, and one more is held until it is a call */


#include <ngx_http_voicebridge_zone.h>


static ngx_uint_t ngx_http_voicebridge_hold_count_locked(ngx_shm_zone_t *zone,
    ngx_str_t *agent_id, uint64_t hash, ngx_http_voicebridge_held_t **free);
static uint64_t ngx_http_voicebridge_hold_hash(ngx_str_t *agent_id);
static ngx_uint_t ngx_http_voicebridge_hold_gone(
    ngx_http_voicebridge_held_t *held);


ngx_int_t
ngx_http_voicebridge_hold_take(ngx_http_voicebridge_hold_t *hold,
    ngx_shm_zone_t *zone, ngx_str_t *agent_id, ngx_uint_t max, ngx_msec_t ms)
{
    uint64_t                       hash;
    ngx_uint_t                     n;
    ngx_http_voicebridge_held_t   *held;
    ngx_http_voicebridge_holds_t  *holds;

    holds = ngx_http_voicebridge_zone_holds(zone);
    hash = ngx_http_voicebridge_hold_hash(agent_id);

    /* calls of workers that were killed, and those nothing is heard of */

    ngx_http_voicebridge_stats_reap(zone, 0);

    ngx_http_voicebridge_zone_lock(zone);

    n = ngx_http_voicebridge_hold_count_locked(zone, agent_id, hash, &held);

    if (n >= max || held == NULL) {
        ngx_http_voicebridge_zone_unlock(zone);
        return n >= max ? NGX_DECLINED : NGX_BUSY;
    }

    held->pid = ngx_pid;
    held->expires = ngx_current_msec + ms;
    held->agent = hash;

    ngx_memory_barrier();

    held->serial = ++holds->taken;

    hold->zone = zone;
    hold->held = held;
    hold->serial = held->serial;

    ngx_http_voicebridge_zone_unlock(zone);

    return NGX_OK;
}


void
ngx_http_voicebridge_hold_release(ngx_http_voicebridge_hold_t *hold)
{
    if (hold->zone == NULL) {
        return;
    }

    ngx_http_voicebridge_zone_lock(hold->zone);

    if (hold->held->serial == hold->serial) {
        hold->held->serial = 0;
    }

    ngx_http_voicebridge_zone_unlock(hold->zone);

    hold->zone = NULL;
}


static ngx_uint_t
ngx_http_voicebridge_hold_count_locked(ngx_shm_zone_t *zone,
    ngx_str_t *agent_id, uint64_t hash, ngx_http_voicebridge_held_t **free)
{
    ngx_uint_t                        i, n;
    ngx_http_voicebridge_held_t      *held;
    ngx_http_voicebridge_record_t     record;
    ngx_http_voicebridge_records_t   *records;

    records = ngx_http_voicebridge_zone_records(zone);
    n = 0;

    ngx_http_voicebridge_record_text(record.agent_id, sizeof(record.agent_id),
                                     agent_id);

    for (i = 0; i < records->nlive; i++) {

        if (records->owner[i]
            && ngx_strcmp(records->live[i].record.agent_id, record.agent_id)
               == 0)
        {
            n++;
        }
    }

    held = ngx_http_voicebridge_zone_holds(zone)->held;

    *free = NULL;

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_HOLDS; i++) {

        if (ngx_http_voicebridge_hold_gone(&held[i])) {
            held[i].serial = 0;
            *free = &held[i];

        } else if (held[i].agent == hash) {
            n++;
        }
    }

    return n;
}


/* FNV-1a */

static uint64_t
ngx_http_voicebridge_hold_hash(ngx_str_t *agent_id)
{
    size_t    i;
    uint64_t  hash;

    hash = 14695981039346656037U;

    for (i = 0; i < agent_id->len; i++) {
        hash = (hash ^ agent_id->data[i]) * 1099511628211U;
    }

    return hash;
}


static ngx_uint_t
ngx_http_voicebridge_hold_gone(ngx_http_voicebridge_held_t *held)
{
    return held->serial == 0
           || (ngx_msec_int_t) (held->expires - ngx_current_msec) <= 0
           || (held->pid != ngx_pid
               && kill(held->pid, 0) == -1 && ngx_errno == ESRCH);
}
