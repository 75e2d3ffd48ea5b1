
/*
 * The tables of calls in voicebridge_zone.
 *
 * They are whole at every instruction, see ngx_http_voicebridge_zone.h: a
 * call that begins is there with the last word of it, and one that ends is
 * counted, gone and among the recent ones with all of them or with none.
 */


#include <ngx_http_voicebridge_zone.h>

#include <vb_utf8.h>


static uint32_t ngx_http_voicebridge_record_key(const char *call_sid);
static void ngx_http_voicebridge_record_add(
    ngx_http_voicebridge_trail_t *trail, ngx_http_voicebridge_step_t *event);


const char  *ngx_http_voicebridge_step_names[] = {
    "none",
    "placed",
    "incoming",
    "call_status",
    "stream_status",
    "answered_by",
    "accepted",
    "agent_connecting",
    "agent_retry",
    "agent_initiated",
    "agent_metadata",
    "first_audio",
    "user_said",
    "agent_response",
    "agent_response_corrected",
    "interruption",
    "tool_call",
    "dtmf",
    "agent_error",
    "hangup_requested",
    "ending",
    "redirected",
    "ended"
};

const char  *ngx_http_voicebridge_status_names[] = {
    "",
    "queued",
    "initiated",
    "ringing",
    "in-progress",
    "completed",
    "busy",
    "no-answer",
    "failed",
    "canceled"
};

const char  *ngx_http_voicebridge_stream_names[] = {
    "",
    "stream-started",
    "stream-stopped",
    "stream-error"
};


void
ngx_http_voicebridge_records_create(ngx_http_voicebridge_records_t *records,
    ngx_slab_pool_t *shpool)
{
    size_t   size;
    u_char  *p;

    size = shpool->pfree * ngx_pagesize;

    records->nlive = size / 4 / (sizeof(ngx_http_voicebridge_known_t)
                                 + sizeof(ngx_atomic_t) + sizeof(uint32_t));
    records->nrecent = ngx_min(NGX_HTTP_VOICEBRIDGE_RECORD_RECENT,
                           size / 8 / sizeof(ngx_http_voicebridge_known_t));

    p = ngx_slab_calloc(shpool,
                        (records->nlive + records->nrecent)
                        * sizeof(ngx_http_voicebridge_known_t)
                        + records->nlive * (sizeof(ngx_atomic_t)
                                            + sizeof(uint32_t)));
    if (p == NULL) {
        records->nlive = 0;
        records->nrecent = 0;

        return;
    }

    records->live = (ngx_http_voicebridge_known_t *) p;
    records->recent = records->live + records->nlive;
    records->owner = (ngx_atomic_t *) (records->recent + records->nrecent);
    records->key = (uint32_t *) (records->owner + records->nlive);
}


ngx_http_voicebridge_known_t *
ngx_http_voicebridge_record_place_locked(ngx_shm_zone_t *zone,
    ngx_uint_t stream)
{
    ngx_uint_t                       i, n, oldest;
    ngx_http_voicebridge_known_t    *known;
    ngx_http_voicebridge_records_t  *records;

    records = ngx_http_voicebridge_zone_records(zone);

    oldest = records->nlive;
    n = records->hand;

    for (i = 0; i < records->nlive; i++) {

        n = (n + 1) % records->nlive;

        if (records->owner[n] == 0) {
            break;
        }

        if (records->owner[n] == NGX_HTTP_VOICEBRIDGE_RECORD_WAITING
            && (oldest == records->nlive
                || records->live[n].serial < records->live[oldest].serial))
        {
            oldest = n;
        }
    }

    if (i == records->nlive) {

        if (!stream || oldest == records->nlive) {
            return NULL;
        }

        n = oldest;
        records->owner[n] = 0;

        ngx_http_voicebridge_stats_full(zone, "a call is not shown any more "
                                              "before it is answered");
    }

    records->hand = n;

    known = &records->live[n];

    ngx_memory_barrier();
    ngx_memzero(known, sizeof(ngx_http_voicebridge_known_t));

    records->key[n] = 0;

    known->serial = ++records->begun;
    known->trail.created = ngx_http_voicebridge_record_now();
    known->trail.moment = ngx_current_msec;
    known->started = ngx_current_msec;
    known->record.started = known->trail.created;
    known->record.first_audio = NGX_MAX_UINT32_VALUE;

    return known;
}


ngx_atomic_t *
ngx_http_voicebridge_record_owner(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_known_t *known)
{
    ngx_http_voicebridge_records_t  *records;

    records = ngx_http_voicebridge_zone_records(zone);

    return known >= records->live && known < records->live + records->nlive
           ? &records->owner[known - records->live] : NULL;
}


ngx_http_voicebridge_known_t *
ngx_http_voicebridge_record_find_locked(ngx_shm_zone_t *zone,
    const char *call_sid)
{
    uint32_t                         key;
    ngx_uint_t                       i, n;
    ngx_http_voicebridge_known_t    *known, *found;
    ngx_http_voicebridge_records_t  *records;

    records = ngx_http_voicebridge_zone_records(zone);

    key = ngx_http_voicebridge_record_key(call_sid);
    found = NULL;

    for (i = 0; i < records->nlive; i++) {

        if (records->key[i] != key || records->owner[i] == 0) {
            continue;
        }

        known = &records->live[i];

        if (ngx_strcmp(known->record.call_sid, call_sid) == 0
            && (found == NULL || known->serial > found->serial))
        {
            found = known;
        }
    }

    n = found ? 0 : ngx_min(records->ended, records->nrecent);

    for (i = 1; i <= n; i++) {

        known = &records->recent[(records->ended - i) % records->nrecent];

        if (known->serial
            && ngx_strcmp(known->record.call_sid, call_sid) == 0)
        {
            return known;
        }
    }

    return found;
}


/* FNV-1a, but for 0 */

static uint32_t
ngx_http_voicebridge_record_key(const char *call_sid)
{
    uint32_t  key;

    for (key = 2166136261; *call_sid; call_sid++) {
        key = (key ^ (u_char) *call_sid) * 16777619;
    }

    return key ? key : 1;
}


void
ngx_http_voicebridge_record_key_locked(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_known_t *known)
{
    ngx_http_voicebridge_records_t  *records;

    if (known->record.call_sid[0]) {
        records = ngx_http_voicebridge_zone_records(zone);

        records->key[known - records->live] =
                     ngx_http_voicebridge_record_key(known->record.call_sid);
    }
}


void
ngx_http_voicebridge_record_inherit_locked(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_known_t *known)
{
    ngx_uint_t                     i;
    ngx_atomic_t                  *owner;
    ngx_http_voicebridge_step_t    event;
    ngx_http_voicebridge_trail_t   trail, *own;
    ngx_http_voicebridge_known_t  *old;

    old = ngx_http_voicebridge_record_find_locked(zone,
                                                  known->record.call_sid);
    if (old == NULL) {
        return;
    }

    owner = ngx_http_voicebridge_record_owner(zone, old);

    if (owner == NULL || *owner != NGX_HTTP_VOICEBRIDGE_RECORD_WAITING) {
        return;
    }

    own = &known->trail;
    trail = old->trail;

    for (i = 0; i < own->nevents; i++) {
        event = own->event[i % NGX_HTTP_VOICEBRIDGE_RECORD_EVENTS];
        event.at += (uint32_t) (own->moment - trail.moment);

        ngx_http_voicebridge_record_add(&trail, &event);
    }

    known->hangup = old->hangup;

    /* rather a call without its events than one that is counted twice */

    *owner = 0;

    ngx_memory_barrier();

    known->trail = trail;
}


void
ngx_http_voicebridge_record_event_locked(ngx_http_voicebridge_known_t *known,
    ngx_http_voicebridge_step_e type, ngx_uint_t value)
{
    ngx_http_voicebridge_step_t  event;

    event.at = (uint32_t)
                     ngx_http_voicebridge_record_since(known->trail.moment);
    event.type = (uint16_t) type;
    event.value = (uint16_t) value;

    ngx_http_voicebridge_record_add(&known->trail, &event);
}


static void
ngx_http_voicebridge_record_add(ngx_http_voicebridge_trail_t *trail,
    ngx_http_voicebridge_step_t *event)
{
    trail->event[trail->nevents % NGX_HTTP_VOICEBRIDGE_RECORD_EVENTS] = *event;

    ngx_memory_barrier();

    trail->nevents++;
}


void
ngx_http_voicebridge_record_retire_locked(ngx_shm_zone_t *zone,
    ngx_http_voicebridge_known_t *known, ngx_atomic_t *owner,
    const char *reason)
{
    ngx_http_voicebridge_known_t    *recent;
    ngx_http_voicebridge_record_t   *record;
    ngx_http_voicebridge_records_t  *records;

    records = ngx_http_voicebridge_zone_records(zone);
    record = &known->record;

    if (record->end_reason[0] == '\0') {
        record->duration = ngx_http_voicebridge_record_since(known->started);

        ngx_cpystrn((u_char *) record->state, (u_char *) "ended",
                    sizeof(record->state));
        ngx_cpystrn((u_char *) record->end_reason, (u_char *) reason,
                    sizeof(record->end_reason));
    }

    /* it may have been written in part, and a label must be one of ours */

    if (ngx_strcmp(record->direction, "inbound") != 0
        && ngx_strcmp(record->direction, "outbound") != 0)
    {
        ngx_cpystrn((u_char *) record->direction, (u_char *) "unknown",
                    sizeof(record->direction));
    }

    ngx_http_voicebridge_record_event_locked(known,
                                        NGX_HTTP_VOICEBRIDGE_STEP_ENDED, 0);

    ngx_http_voicebridge_stats_increment_locked(zone,
                                           NGX_HTTP_VOICEBRIDGE_STATS_CALLS,
                                           record->direction,
                                           record->end_reason);

    if (records->nrecent) {
        recent = &records->recent[records->ended % records->nrecent];
        recent->serial = 0;

        ngx_memory_barrier();

        known->serial = 0;
        *recent = *known;

        ngx_http_voicebridge_zone_store(zone, &recent->serial,
                                        records->ended + 1);
        ngx_http_voicebridge_zone_store(zone, &records->ended,
                                        records->ended + 1);
    }

    ngx_http_voicebridge_zone_store(zone, owner, 0);

    ngx_http_voicebridge_zone_commit(zone);
}


void
ngx_http_voicebridge_record_text(char *dst, size_t size, ngx_str_t *src)
{
    size_t    i, len;
    uint32_t  state;

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

    state = 0;

    if (vb_utf8_check(&state, (u_char *) dst, len) == VB_OK && state == 0) {
        return;
    }

    /* what one call has must not make the JSON of all of them unreadable */

    for (i = 0; i < len; i++) {
        if ((u_char) dst[i] >= 0x80) {
            dst[i] = '?';
        }
    }
}


void
ngx_http_voicebridge_record_agent(ngx_http_voicebridge_record_t *record,
    ngx_str_t *agent_id)
{
    record->agent = ngx_http_voicebridge_record_agent_hash(agent_id);

    ngx_http_voicebridge_record_text(record->agent_id,
                                     sizeof(record->agent_id), agent_id);
}


/* FNV-1a */

uint64_t
ngx_http_voicebridge_record_agent_hash(ngx_str_t *agent_id)
{
    size_t    i;
    uint64_t  hash;

    hash = 14695981039346656037U;

    for (i = 0; i < agent_id->len; i++) {
        hash = (hash ^ agent_id->data[i]) * 1099511628211U;
    }

    return hash;
}


uint64_t
ngx_http_voicebridge_record_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}


ngx_msec_t
ngx_http_voicebridge_record_since(ngx_msec_t moment)
{
    ngx_msec_int_t  ms;

    ms = ngx_current_msec - moment;

    return ngx_max(ms, 0);
}
