
/*
 * A call that has no stream, or none yet, as the zone is told of it: by who
 * placed it, by Twilio's callbacks, and by who wants it to end.
 */


#include <ngx_http_voicebridge_zone.h>


static void ngx_http_voicebridge_stats_placed_locked(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_record_t *record, ngx_http_voicebridge_step_e event,
    ngx_uint_t value);
static ngx_http_voicebridge_known_t *ngx_http_voicebridge_stats_wait(
    ngx_shm_zone_t *zone, ngx_http_voicebridge_record_t *record);
static void ngx_http_voicebridge_stats_callback_locked(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_record_t *record,
    ngx_http_voicebridge_callback_t *callback);
static ngx_uint_t ngx_http_voicebridge_stats_told(
    ngx_http_voicebridge_known_t *known,
    ngx_http_voicebridge_callback_t *callback);
static void ngx_http_voicebridge_stats_progress(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_known_t *known, ngx_uint_t status);
static void ngx_http_voicebridge_stats_over(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_known_t *known, const char *reason);


/* what a call without a stream is, or why it ended, by Twilio's status */

static const char  *ngx_http_voicebridge_stats_states[] = {
    "queued",
    "queued",
    "dialing",
    "ringing",
    "answered",
    "no_stream",
    "busy",
    "no_answer",
    "failed",
    "canceled"
};


void
ngx_http_voicebridge_stats_placed(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_record_t *record, ngx_http_voicebridge_step_e event,
    ngx_uint_t value)
{
    if (zone == NULL || record->call_sid[0] == '\0') {
        return;
    }

    ngx_http_voicebridge_zone_lock(zone);

    ngx_http_voicebridge_stats_expire_locked(zone);
    ngx_http_voicebridge_stats_placed_locked(zone, record, event, value);

    ngx_http_voicebridge_zone_unlock(zone);
}


static void
ngx_http_voicebridge_stats_placed_locked(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_record_t *record, ngx_http_voicebridge_step_e event,
    ngx_uint_t value)
{
    ngx_uint_t                     status;
    ngx_http_voicebridge_known_t  *known;

    known = ngx_http_voicebridge_record_find_locked(zone, record->call_sid);

    if (known) {

        /* a callback was faster than Twilio's answer; or a second TwiML */

        if (known->record.session_id[0] == '\0') {
            ngx_memcpy(known->record.session_id, record->session_id,
                       sizeof(record->session_id));
            ngx_memcpy(known->record.agent_id, record->agent_id,
                       sizeof(record->agent_id));
            known->record.agent = record->agent;
        }

        ngx_http_voicebridge_record_event_locked(known, event, 0);
        return;
    }

    known = ngx_http_voicebridge_stats_wait(zone, record);

    if (known == NULL) {
        return;
    }

    ngx_http_voicebridge_record_event_locked(known, event, 0);

    status = event == NGX_HTTP_VOICEBRIDGE_STEP_INCOMING
             ? NGX_HTTP_VOICEBRIDGE_STATUS_IN_PROGRESS
             : ngx_max(value, NGX_HTTP_VOICEBRIDGE_STATUS_QUEUED);

    ngx_http_voicebridge_stats_progress(zone, known, status);
}


/* a new known that waits for its stream, or for its end */

static ngx_http_voicebridge_known_t *
ngx_http_voicebridge_stats_wait(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_record_t *record)
{
    uint64_t                       started;
    ngx_http_voicebridge_known_t  *known;

    known = ngx_http_voicebridge_record_place_locked(zone, 0);

    if (known == NULL) {
        ngx_http_voicebridge_stats_full(zone, "a call is not shown before it "
                                              "is answered");
        return NULL;
    }

    started = known->record.started;

    known->record = *record;
    known->record.started = started;
    known->record.first_audio = NGX_MAX_UINT32_VALUE;

    ngx_http_voicebridge_record_key_locked(zone, known);

    ngx_http_voicebridge_zone_store(zone,
                               ngx_http_voicebridge_record_owner(zone, known),
                               NGX_HTTP_VOICEBRIDGE_RECORD_WAITING);
    ngx_http_voicebridge_zone_commit(zone);

    return known;
}


void
ngx_http_voicebridge_stats_callback(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_record_t *record,
    ngx_http_voicebridge_callback_t *callback)
{
    if (zone == NULL || record->call_sid[0] == '\0') {
        return;
    }

    ngx_http_voicebridge_zone_lock(zone);

    ngx_http_voicebridge_stats_callback_locked(zone, record, callback);

    ngx_http_voicebridge_zone_unlock(zone);
}


static void
ngx_http_voicebridge_stats_callback_locked(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_record_t *record,
    ngx_http_voicebridge_callback_t *callback)
{
    ngx_http_voicebridge_known_t  *known;

    known = ngx_http_voicebridge_record_find_locked(zone, record->call_sid);

    if (known == NULL) {

        /* placed elsewhere, or forgotten: its end is news, all else is not */

        if (callback->status <= NGX_HTTP_VOICEBRIDGE_STATUS_COMPLETED) {
            return;
        }

        known = ngx_http_voicebridge_stats_wait(zone, record);

        if (known == NULL) {
            ngx_http_voicebridge_stats_increment_locked(zone,
                          NGX_HTTP_VOICEBRIDGE_STATS_CALLS, record->direction,
                          ngx_http_voicebridge_stats_states[callback->status]);
            return;
        }
    }

    if (ngx_http_voicebridge_stats_told(known, callback)
        && callback->status > (ngx_uint_t) known->trail.status)
    {
        ngx_http_voicebridge_stats_progress(zone, known, callback->status);
    }
}


/* takes what is new; false where that is not the status */

static ngx_uint_t
ngx_http_voicebridge_stats_told(ngx_http_voicebridge_known_t *known,
    ngx_http_voicebridge_callback_t *callback)
{
    uint32_t                       bit;
    ngx_http_voicebridge_trail_t  *trail;

    trail = &known->trail;

    if (callback->stream) {
        ngx_http_voicebridge_record_event_locked(known,
                                    NGX_HTTP_VOICEBRIDGE_STEP_STREAM_STATUS,
                                    callback->stream);
    }

    if (callback->answered_by.len && trail->answered_by[0] == '\0') {
        ngx_http_voicebridge_record_text(trail->answered_by,
                                         sizeof(trail->answered_by),
                                         &callback->answered_by);
        ngx_http_voicebridge_record_event_locked(known,
                                   NGX_HTTP_VOICEBRIDGE_STEP_ANSWERED_BY, 0);
    }

    if (callback->sip) {
        trail->sip = (uint16_t) callback->sip;
    }

    if (callback->error_code) {
        trail->error_code = (uint32_t) callback->error_code;
    }

    if (callback->status == NGX_HTTP_VOICEBRIDGE_STATUS_NONE) {
        return 0;
    }

    if (callback->sequence >= 0 && callback->sequence < 32) {
        bit = (uint32_t) 1 << callback->sequence;

        if (trail->seen & bit) {
            return 0;
        }

        trail->seen |= bit;

    } else if (callback->status == (ngx_uint_t) trail->status) {
        return 0;
    }

    ngx_http_voicebridge_record_event_locked(known,
                                      NGX_HTTP_VOICEBRIDGE_STEP_CALL_STATUS,
                                      callback->status);

    return 1;
}


/* a call has come further; one with a stream is told of by that */

static void
ngx_http_voicebridge_stats_progress(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_known_t *known, ngx_uint_t status)
{
    const char    *state;
    ngx_atomic_t  *owner;

    known->trail.status = (uint16_t) status;

    owner = ngx_http_voicebridge_record_owner(zone, known);

    if (owner == NULL || *owner != NGX_HTTP_VOICEBRIDGE_RECORD_WAITING) {
        return;
    }

    state = ngx_http_voicebridge_stats_states[status];

    if (status >= NGX_HTTP_VOICEBRIDGE_STATUS_COMPLETED) {
        ngx_http_voicebridge_stats_over(zone, known, state);
        return;
    }

    ngx_cpystrn((u_char *) known->record.state, (u_char *) state,
                sizeof(known->record.state));

    known->expires = ngx_current_msec
                     + (status == NGX_HTTP_VOICEBRIDGE_STATUS_IN_PROGRESS
                        ? NGX_HTTP_VOICEBRIDGE_RECORD_ANSWER
                        : NGX_HTTP_VOICEBRIDGE_RECORD_RING);
}


static void
ngx_http_voicebridge_stats_over(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_known_t *known, const char *reason)
{
    ngx_http_voicebridge_known_t  copy;

    copy = *known;

    if (known->hangup & NGX_HTTP_VOICEBRIDGE_WISH_OPERATOR) {
        reason = "operator";

    } else if (known->hangup & NGX_HTTP_VOICEBRIDGE_WISH_MACHINE) {
        reason = "machine";
    }

    ngx_http_voicebridge_record_retire_locked(zone, &copy,
                               ngx_http_voicebridge_record_owner(zone, known),
                               reason);
}


void
ngx_http_voicebridge_stats_expire_locked(ngx_shm_zone_t *zone)
{
    ngx_uint_t                       i;
    ngx_http_voicebridge_known_t    *known;
    ngx_http_voicebridge_records_t  *records;

    records = ngx_http_voicebridge_zone_records(zone);

    for (i = 0; i < records->nlive; i++) {

        known = &records->live[i];

        if (records->owner[i] == NGX_HTTP_VOICEBRIDGE_RECORD_WAITING
            && (ngx_msec_int_t) (known->expires - ngx_current_msec) <= 0)
        {
            ngx_http_voicebridge_stats_over(zone, known,
                 known->trail.status == NGX_HTTP_VOICEBRIDGE_STATUS_IN_PROGRESS
                 ? "no_stream" : "no_callback");
        }
    }
}


ngx_int_t
ngx_http_voicebridge_stats_known(ngx_shm_zone_t *zone, ngx_str_t *call_sid,
    ngx_http_voicebridge_record_t *record)
{
    ngx_http_voicebridge_known_t  *known;

    if (zone == NULL) {
        return NGX_DECLINED;
    }

    ngx_http_voicebridge_record_text(record->call_sid,
                                     sizeof(record->call_sid), call_sid);

    ngx_http_voicebridge_zone_lock(zone);

    known = ngx_http_voicebridge_record_find_locked(zone, record->call_sid);

    if (known) {
        *record = known->record;
    }

    ngx_http_voicebridge_zone_unlock(zone);

    return known ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_voicebridge_stats_wish(ngx_shm_zone_t *zone, ngx_str_t *call_sid,
    ngx_http_voicebridge_wish_e wish, ngx_uint_t failed)
{
    ngx_int_t                       rc;
    ngx_http_voicebridge_known_t   *known;
    ngx_http_voicebridge_record_t   record;

    ngx_http_voicebridge_record_text(record.call_sid, sizeof(record.call_sid),
                                     call_sid);

    ngx_http_voicebridge_zone_lock(zone);

    known = ngx_http_voicebridge_record_find_locked(zone, record.call_sid);

    if (known == NULL) {
        rc = NGX_DECLINED;

    } else if (known->record.end_reason[0]) {
        rc = NGX_DONE;

    } else {
        rc = NGX_OK;

        known->hangup = failed ? known->hangup & ~wish : known->hangup | wish;

        if (wish == NGX_HTTP_VOICEBRIDGE_WISH_OPERATOR && !failed) {
            ngx_http_voicebridge_record_event_locked(known,
                                        NGX_HTTP_VOICEBRIDGE_STEP_HANGUP, 0);
        }
    }

    ngx_http_voicebridge_zone_unlock(zone);

    return rc;
}
