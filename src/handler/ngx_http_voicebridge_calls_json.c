
/* The JSON of voicebridge_calls (contract, section 3) */


#include <ngx_http_voicebridge_calls.h>

#include <vb_writer.h>


#define ngx_http_voicebridge_calls_member(w, record, name)                    \
    ngx_http_voicebridge_calls_text(w, #name, (record)->name)


static ngx_int_t ngx_http_voicebridge_calls_prepare(ngx_http_request_t *r,
    ngx_array_t *entries);
static void ngx_http_voicebridge_calls_write(vb_writer_t *w,
    ngx_array_t *entries, ngx_uint_t events);
static void ngx_http_voicebridge_calls_record(vb_writer_t *w,
    ngx_http_voicebridge_record_t *record);
static void ngx_http_voicebridge_calls_trail(vb_writer_t *w,
    ngx_http_voicebridge_trail_t *trail);
static void ngx_http_voicebridge_calls_events(vb_writer_t *w,
    ngx_http_voicebridge_trail_t *trail);
static void ngx_http_voicebridge_calls_value(vb_writer_t *w,
    ngx_http_voicebridge_step_t *event);
static void ngx_http_voicebridge_calls_text(vb_writer_t *w, const char *name,
    const char *value);
static void ngx_http_voicebridge_calls_number(vb_writer_t *w,
    const char *name, uint32_t value);
static void ngx_http_voicebridge_calls_seconds(vb_writer_t *w,
    const char *name, uint64_t ms);
static void ngx_http_voicebridge_calls_time(vb_writer_t *w, const char *name,
    uint64_t ms);


ngx_int_t
ngx_http_voicebridge_calls_json(ngx_http_request_t *r, ngx_array_t *live,
    ngx_array_t *recent, ngx_uint_t events, ngx_str_t *json)
{
    ngx_uint_t   i;
    vb_writer_t  w;

    if (ngx_http_voicebridge_calls_prepare(r, live) != NGX_OK
        || ngx_http_voicebridge_calls_prepare(r, recent) != NGX_OK)
    {
        return NGX_ERROR;
    }

    json->data = NULL;

    for (i = 0; i < 2; i++) {
        vb_writer_init(&w, json->data);

        vb_write_literal(&w, "{\"live\": [");
        ngx_http_voicebridge_calls_write(&w, live, events);
        vb_write_literal(&w, "],\n \"recent\": [");
        ngx_http_voicebridge_calls_write(&w, recent, events);
        vb_write_literal(&w, "]}\n");

        if (json->data == NULL) {
            json->len = w.len;
            json->data = ngx_pnalloc(r->pool, w.len);

            if (json->data == NULL) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static void
ngx_http_voicebridge_calls_write(vb_writer_t *w, ngx_array_t *entries,
    ngx_uint_t events)
{
    ngx_uint_t                     i;
    ngx_http_voicebridge_known_t  *entry;

    entry = entries->elts;

    for (i = 0; i < entries->nelts; i++) {

        if (i) {
            vb_write_literal(w, ",\n  ");
        }

        vb_write_literal(w, "{");

        ngx_http_voicebridge_calls_record(w, &entry[i].record);
        ngx_http_voicebridge_calls_trail(w, &entry[i].trail);

        if (events) {
            ngx_http_voicebridge_calls_events(w, &entry[i].trail);
        }

        vb_write_literal(w, "}");
    }
}


static void
ngx_http_voicebridge_calls_record(vb_writer_t *w,
    ngx_http_voicebridge_record_t *record)
{
    u_char  *p, buf[sizeof(", \"interruptions\": ") + NGX_INT32_LEN];

    vb_write_literal(w, "\"state\": \"");
    vb_write(w, record->state, ngx_strlen(record->state));
    vb_write_literal(w, "\"");

    ngx_http_voicebridge_calls_member(w, record, call_sid);
    ngx_http_voicebridge_calls_member(w, record, stream_sid);
    ngx_http_voicebridge_calls_member(w, record, session_id);
    ngx_http_voicebridge_calls_member(w, record, conversation_id);
    ngx_http_voicebridge_calls_member(w, record, agent_id);
    ngx_http_voicebridge_calls_member(w, record, direction);
    ngx_http_voicebridge_calls_member(w, record, from);
    ngx_http_voicebridge_calls_member(w, record, to);

    ngx_http_voicebridge_calls_time(w, "started", record->started);
    ngx_http_voicebridge_calls_seconds(w, "duration", record->duration);
    ngx_http_voicebridge_calls_member(w, record, end_reason);

    p = ngx_sprintf(buf, ", \"interruptions\": %uD", record->interruptions);
    vb_write(w, buf, p - buf);

    if (record->first_audio == NGX_MAX_UINT32_VALUE) {
        vb_write_literal(w, ", \"first_audio_seconds\": null");

    } else {
        ngx_http_voicebridge_calls_seconds(w, "first_audio_seconds",
                                           record->first_audio);
    }

    ngx_http_voicebridge_calls_seconds(w, "caller_audio_seconds",
                                       record->caller_audio);
    ngx_http_voicebridge_calls_seconds(w, "agent_audio_seconds",
                                       record->agent_audio);

    ngx_http_voicebridge_calls_member(w, record, error);
}


/* what Twilio says of it */

static void
ngx_http_voicebridge_calls_trail(vb_writer_t *w,
    ngx_http_voicebridge_trail_t *trail)
{
    ngx_http_voicebridge_calls_time(w, "created", trail->created);

    ngx_http_voicebridge_calls_text(w, "call_status",
                          ngx_http_voicebridge_status_names[trail->status]);

    ngx_http_voicebridge_calls_number(w, "sip_response_code", trail->sip);
    ngx_http_voicebridge_calls_number(w, "error_code", trail->error_code);
    ngx_http_voicebridge_calls_member(w, trail, answered_by);
}


static void
ngx_http_voicebridge_calls_events(vb_writer_t *w,
    ngx_http_voicebridge_trail_t *trail)
{
    u_char                       *p, buf[128];
    uint32_t                      i, first;
    ngx_http_voicebridge_step_t  *event;

    first = trail->nevents > NGX_HTTP_VOICEBRIDGE_RECORD_EVENTS
            ? trail->nevents - NGX_HTTP_VOICEBRIDGE_RECORD_EVENTS : 0;

    p = ngx_sprintf(buf, ", \"events_dropped\": %uD, \"events\": [", first);
    vb_write(w, buf, p - buf);

    for (i = first; i < trail->nevents; i++) {

        event = &trail->event[i % NGX_HTTP_VOICEBRIDGE_RECORD_EVENTS];

        p = ngx_sprintf(buf, "%s\n    {\"at\": %uD.%03uD, \"event\": \"%s\"",
                        i == first ? "" : ",", event->at / 1000,
                        event->at % 1000,
                        ngx_http_voicebridge_step_names[event->type]);
        vb_write(w, buf, p - buf);

        ngx_http_voicebridge_calls_value(w, event);

        vb_write_literal(w, "}");
    }

    vb_write_literal(w, "]");
}


/* more of an event, where there is more to say */

static void
ngx_http_voicebridge_calls_value(vb_writer_t *w,
    ngx_http_voicebridge_step_t *event)
{
    switch (event->type) {

    case NGX_HTTP_VOICEBRIDGE_STEP_CALL_STATUS:
        ngx_http_voicebridge_calls_text(w, "status",
                             ngx_http_voicebridge_status_names[event->value]);
        return;

    case NGX_HTTP_VOICEBRIDGE_STEP_STREAM_STATUS:
        ngx_http_voicebridge_calls_text(w, "status",
                             ngx_http_voicebridge_stream_names[event->value]);
        return;

    case NGX_HTTP_VOICEBRIDGE_STEP_ERROR:
    case NGX_HTTP_VOICEBRIDGE_STEP_REDIRECTED:
        ngx_http_voicebridge_calls_number(w, "code", event->value);
        return;

    default:
        return;
    }
}


/* what is not known is null */

static void
ngx_http_voicebridge_calls_text(vb_writer_t *w, const char *name,
    const char *value)
{
    vb_write_literal(w, ", \"");
    vb_write(w, name, ngx_strlen(name));

    if (value[0] == '\0') {
        vb_write_literal(w, "\": null");
        return;
    }

    vb_write_literal(w, "\": \"");
    vb_write_json(w, (u_char *) value, ngx_strlen(value));
    vb_write_literal(w, "\"");
}


static void
ngx_http_voicebridge_calls_number(vb_writer_t *w, const char *name,
    uint32_t value)
{
    u_char  *p, buf[64 + NGX_INT64_LEN];

    if (value == 0) {
        ngx_http_voicebridge_calls_text(w, name, "");
        return;
    }

    p = ngx_snprintf(buf, sizeof(buf), ", \"%s\": %uD", name, value);

    vb_write(w, buf, p - buf);
}


static void
ngx_http_voicebridge_calls_seconds(vb_writer_t *w, const char *name,
    uint64_t ms)
{
    u_char  *p, buf[64 + NGX_INT64_LEN];

    p = ngx_snprintf(buf, sizeof(buf), ", \"%s\": %uL.%03uL", name, ms / 1000,
                     ms % 1000);

    vb_write(w, buf, p - buf);
}


/* RFC 3339 */

static void
ngx_http_voicebridge_calls_time(vb_writer_t *w, const char *name,
    uint64_t ms)
{
    u_char    *p, buf[96 + 7 * NGX_INT64_LEN];
    ngx_tm_t   tm;

    ngx_gmtime((time_t) (ms / 1000), &tm);

    p = ngx_sprintf(buf, ", \"%s\": \"%4d-%02d-%02dT%02d:%02d:%02d.%03uLZ\"",
                    name, tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                    tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec, ms % 1000);

    vb_write(w, buf, p - buf);
}


/*
 * Errors are the agent's words, in which there may be numbers of phones; and
 * a live call's duration is that of now.
 */

static ngx_int_t
ngx_http_voicebridge_calls_prepare(ngx_http_request_t *r, ngx_array_t *entries)
{
    ngx_str_t                       error;
    ngx_uint_t                      i;
    ngx_http_voicebridge_known_t   *entry;
    ngx_http_voicebridge_record_t  *record;

    entry = entries->elts;

    for (i = 0; i < entries->nelts; i++) {

        record = &entry[i].record;

        if (record->end_reason[0] == '\0') {
            record->duration =
                       ngx_http_voicebridge_record_since(entry[i].started);
        }

        error.data = (u_char *) record->error;
        error.len = ngx_strlen(error.data);

        if (ngx_http_voicebridge_plain_text(r->pool, &error, error.len, &error)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_http_voicebridge_record_text(record->error, sizeof(record->error),
                                         &error);
    }

    return NGX_OK;
}
