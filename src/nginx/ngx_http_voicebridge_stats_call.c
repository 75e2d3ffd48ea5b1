
/*
 * A call's stream, as the zone is told of it by its worker: and what becomes
 * of its record when that worker is no more.
 */


#include <ngx_http_voicebridge_zone.h>


static ngx_http_voicebridge_worker_t *ngx_http_voicebridge_stats_worker(
    ngx_shm_zone_t *zone);
static void ngx_http_voicebridge_stats_reap_locked(ngx_shm_zone_t *zone,
    ngx_uint_t own);
static void ngx_http_voicebridge_stats_lost(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_worker_t *worker);
static void ngx_http_voicebridge_stats_unseen(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_worker_t *worker, const char *direction,
    const char *reason);
static void ngx_http_voicebridge_stats_add(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record);
static void ngx_http_voicebridge_stats_write(
    ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record);


void
ngx_http_voicebridge_stats_begin(ngx_http_voicebridge_stats_t *stats,
    ngx_shm_zone_t *zone)
{
    if (zone == NULL) {
        return;
    }

    stats->zone = zone;

    ngx_http_voicebridge_zone_lock(zone);

    stats->worker = ngx_http_voicebridge_stats_worker(zone);

    /* without a pid nobody would take it away after a process that dies */

    stats->known = stats->worker->pid
                   ? ngx_http_voicebridge_record_place_locked(zone, 1) : NULL;

    if (stats->known) {
        stats->owner = ngx_http_voicebridge_record_owner(zone, stats->known);

        ngx_http_voicebridge_record_event_locked(stats->known,
                                      NGX_HTTP_VOICEBRIDGE_STEP_ACCEPTED, 0);
        ngx_http_voicebridge_zone_store(zone, stats->owner, ngx_pid);

    } else {
        stats->worker->unseen++;

        ngx_http_voicebridge_stats_full(zone, "a call is not shown");
    }

    ngx_http_voicebridge_zone_unlock(zone);
}


void
ngx_http_voicebridge_stats_update(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record, ngx_http_voicebridge_step_e event,
    ngx_uint_t value)
{
    if (stats->zone == NULL) {
        return;
    }

    ngx_http_voicebridge_stats_add(stats, record);

    if (stats->known == NULL) {
        return;
    }

    ngx_http_voicebridge_zone_lock(stats->zone);

    ngx_http_voicebridge_stats_write(stats, record);

    if (event != NGX_HTTP_VOICEBRIDGE_STEP_NONE) {
        ngx_http_voicebridge_record_event_locked(stats->known, event, value);
    }

    ngx_http_voicebridge_zone_unlock(stats->zone);
}


void
ngx_http_voicebridge_stats_end(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record)
{
    ngx_http_voicebridge_known_t  known;

    if (stats->zone == NULL) {
        return;
    }

    ngx_http_voicebridge_stats_add(stats, record);

    ngx_http_voicebridge_zone_lock(stats->zone);

    if (stats->known) {
        ngx_http_voicebridge_stats_write(stats, record);

        known = *stats->known;

        ngx_http_voicebridge_record_retire_locked(stats->zone, &known,
                                                  stats->owner, NULL);

    } else {
        ngx_http_voicebridge_stats_unseen(stats->zone, stats->worker,
                                          record->direction,
                                          record->end_reason);
    }

    ngx_http_voicebridge_zone_unlock(stats->zone);

    stats->zone = NULL;
    stats->known = NULL;
}


void
ngx_http_voicebridge_stats_event(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_step_e event, ngx_uint_t value)
{
    if (stats->zone == NULL || stats->known == NULL) {
        return;
    }

    ngx_http_voicebridge_zone_lock(stats->zone);

    ngx_http_voicebridge_record_event_locked(stats->known, event, value);

    ngx_http_voicebridge_zone_unlock(stats->zone);
}


ngx_http_voicebridge_wish_e
ngx_http_voicebridge_stats_hangup(ngx_http_voicebridge_stats_t *stats)
{
    ngx_atomic_uint_t  hangup;

    hangup = stats->zone && stats->known ? stats->known->hangup
                                         : NGX_HTTP_VOICEBRIDGE_WISH_NONE;

    return (hangup & NGX_HTTP_VOICEBRIDGE_WISH_OPERATOR)
           ? NGX_HTTP_VOICEBRIDGE_WISH_OPERATOR : hangup;
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


void
ngx_http_voicebridge_stats_reap(ngx_shm_zone_t *zone, ngx_uint_t own)
{
    ngx_http_voicebridge_zone_lock(zone);

    ngx_http_voicebridge_stats_reap_locked(zone, own);
    ngx_http_voicebridge_stats_expire_locked(zone);

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
    ngx_uint_t                       i;
    ngx_http_voicebridge_known_t     known;
    ngx_http_voicebridge_records_t  *records;

    records = ngx_http_voicebridge_zone_records(zone);

    for (i = 0; i < records->nlive; i++) {

        if (records->owner[i] != (ngx_atomic_uint_t) worker->pid) {
            continue;
        }

        known = records->live[i];

        /* it did not come to its end, even if it had begun to write it */

        known.record.end_reason[0] = '\0';

        ngx_http_voicebridge_record_retire_locked(zone, &known,
                                                  &records->owner[i],
                                                  "worker_lost");
    }

    while (worker->unseen) {
        ngx_http_voicebridge_stats_unseen(zone, worker, "unknown",
                                          "worker_lost");
    }

    worker->pid = 0;
}


/* a call without a record has ended */

static void
ngx_http_voicebridge_stats_unseen(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_worker_t *worker, const char *direction,
    const char *reason)
{
    ngx_http_voicebridge_stats_increment_locked(zone,
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


static void
ngx_http_voicebridge_stats_write(ngx_http_voicebridge_stats_t *stats,
    ngx_http_voicebridge_record_t *record)
{
    ngx_uint_t  named;

    record->started = stats->known->record.started;
    named = stats->known->record.call_sid[0];

    stats->known->record = *record;

    if (!named && record->call_sid[0]) {
        ngx_http_voicebridge_record_inherit_locked(stats->zone, stats->known);
        ngx_http_voicebridge_record_key_locked(stats->zone, stats->known);
    }
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


ngx_uint_t
ngx_http_voicebridge_stats_live(ngx_shm_zone_t *zone)
{
    ngx_uint_t                        i, n;
    ngx_http_voicebridge_stats_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_stats(zone);
    n = 0;

    ngx_http_voicebridge_zone_lock(zone);

    for (i = 0; i < sh->records.nlive; i++) {
        n += (sh->records.owner[i] != 0
              && sh->records.owner[i] != NGX_HTTP_VOICEBRIDGE_RECORD_WAITING);
    }

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_STATS_WORKERS; i++) {
        n += sh->worker[i].unseen;
    }

    ngx_http_voicebridge_zone_unlock(zone);

    return n;
}


ngx_uint_t
ngx_http_voicebridge_stats_ringing(ngx_shm_zone_t *zone)
{
    ngx_uint_t                       i, n;
    ngx_http_voicebridge_records_t  *records;

    records = ngx_http_voicebridge_zone_records(zone);
    n = 0;

    ngx_http_voicebridge_zone_lock(zone);

    for (i = 0; i < records->nlive; i++) {
        n += (records->owner[i] == NGX_HTTP_VOICEBRIDGE_RECORD_WAITING);
    }

    ngx_http_voicebridge_zone_unlock(zone);

    return n;
}


ngx_uint_t
ngx_http_voicebridge_stats_owned(ngx_shm_zone_t *zone)
{
    ngx_uint_t                       i, n;
    ngx_http_voicebridge_records_t  *records;

    records = ngx_http_voicebridge_zone_records(zone);
    n = 0;

    ngx_http_voicebridge_zone_lock(zone);

    for (i = 0; i < records->nlive; i++) {
        n += (records->owner[i] != 0);
    }

    ngx_http_voicebridge_zone_unlock(zone);

    return n;
}
