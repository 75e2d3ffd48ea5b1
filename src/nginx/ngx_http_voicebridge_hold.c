
/* Calls of an agent are counted, and one more is held until it is a call */


#include <ngx_http_voicebridge_zone.h>


static ngx_uint_t ngx_http_voicebridge_hold_count_locked(ngx_shm_zone_t *zone,
    uint64_t agent, ngx_http_voicebridge_held_t **free);
static ngx_uint_t ngx_http_voicebridge_hold_gone(
    ngx_http_voicebridge_held_t *held);


ngx_int_t
ngx_http_voicebridge_hold_take(ngx_http_voicebridge_hold_t *hold,
    ngx_shm_zone_t *zone, ngx_str_t *agent_id, ngx_uint_t max, ngx_msec_t ms)
{
    uint64_t                       agent;
    ngx_uint_t                     n;
    ngx_http_voicebridge_held_t   *held;
    ngx_http_voicebridge_holds_t  *holds;

    holds = ngx_http_voicebridge_zone_holds(zone);
    agent = ngx_http_voicebridge_record_agent_hash(agent_id);

    /* calls of workers that were killed, and those nothing is heard of */

    ngx_http_voicebridge_stats_reap(zone, 0);

    ngx_http_voicebridge_zone_lock(zone);

    n = ngx_http_voicebridge_hold_count_locked(zone, agent, &held);

    if (n >= max || held == NULL) {
        ngx_http_voicebridge_zone_unlock(zone);
        return n >= max ? NGX_DECLINED : NGX_BUSY;
    }

    held->pid = ngx_pid;
    held->expires = ngx_current_msec + ms;
    held->agent = agent;

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


/* free: a place to hold one more, if there will be one for its record, too */

static ngx_uint_t
ngx_http_voicebridge_hold_count_locked(ngx_shm_zone_t *zone,
    uint64_t agent, ngx_http_voicebridge_held_t **free)
{
    ngx_uint_t                       i, n, room;
    ngx_http_voicebridge_held_t     *held;
    ngx_http_voicebridge_records_t  *records;

    records = ngx_http_voicebridge_zone_records(zone);
    n = 0;
    room = 0;

    for (i = 0; i < records->nlive; i++) {

        if (records->owner[i] == 0) {
            room++;

        } else if (records->live[i].record.agent == agent) {
            n++;
        }
    }

    held = ngx_http_voicebridge_zone_holds(zone)->held;

    *free = NULL;

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_HOLDS; i++) {

        if (ngx_http_voicebridge_hold_gone(&held[i])) {
            held[i].serial = 0;
            *free = &held[i];
            continue;
        }

        room -= (room != 0);
        n += (held[i].agent == agent);
    }

    if (room == 0) {
        *free = NULL;
    }

    return n;
}


static ngx_uint_t
ngx_http_voicebridge_hold_gone(ngx_http_voicebridge_held_t *held)
{
    return held->serial == 0
           || (ngx_msec_int_t) (held->expires - ngx_current_msec) <= 0
           || (held->pid != ngx_pid
               && kill(held->pid, 0) == -1 && ngx_errno == ESRCH);
}
