
/*
 * voicebridge_calls: live and recent calls as JSON (contract, section 3),
 * all, the newest (limit), or one (sid).
 */


#include <ngx_http_voicebridge_handler.h>
#include <ngx_http_voicebridge_zone.h>

#include <vb_writer.h>


#define ngx_http_voicebridge_calls_member(w, record, name)                    \
    ngx_http_voicebridge_calls_text(w, #name, (record)->name)


static ngx_int_t ngx_http_voicebridge_calls_limit(ngx_http_request_t *r,
    ngx_uint_t *limit);
static ngx_int_t ngx_http_voicebridge_calls_send(ngx_http_request_t *r,
    ngx_array_t *live, ngx_array_t *recent);
static void ngx_http_voicebridge_calls_write(vb_writer_t *w,
    ngx_array_t *records);
static void ngx_http_voicebridge_calls_record(vb_writer_t *w,
    ngx_http_voicebridge_record_t *record);
static void ngx_http_voicebridge_calls_text(vb_writer_t *w, const char *name,
    const char *value);
static void ngx_http_voicebridge_calls_seconds(vb_writer_t *w,
    const char *name, uint64_t ms);
static void ngx_http_voicebridge_calls_started(vb_writer_t *w, uint64_t ms);
static ngx_int_t ngx_http_voicebridge_calls_prepare(ngx_http_request_t *r,
    ngx_array_t *records);


ngx_int_t
ngx_http_voicebridge_calls_handler(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_str_t                          sid, detail;
    ngx_uint_t                         limit;
    ngx_array_t                       *live, *recent;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    rc = ngx_http_voicebridge_view(r);
    if (rc != NGX_OK) {
        return rc;
    }

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);

    if (vmcf->zone == NULL) {
        ngx_str_set(&detail, "Calls are not recorded: voicebridge_zone is not "
                             "set");
        return ngx_http_voicebridge_send_detail(r,
                                       NGX_HTTP_SERVICE_UNAVAILABLE, &detail);
    }

    if (ngx_http_voicebridge_calls_limit(r, &limit) != NGX_OK) {
        ngx_str_set(&detail, "limit must be a number");
        return ngx_http_voicebridge_send_detail(r, NGX_HTTP_BAD_REQUEST,
                                                &detail);
    }

    if (ngx_http_arg(r, (u_char *) "sid", 3, &sid) != NGX_OK) {
        ngx_str_null(&sid);
    }

    ngx_http_voicebridge_stats_reap(vmcf->zone, 0);

    live = ngx_http_voicebridge_stats_records(vmcf->zone, r->pool, 1, &sid,
                                              limit);
    recent = ngx_http_voicebridge_stats_records(vmcf->zone, r->pool, 0, &sid,
                                                limit);

    if (live == NULL || recent == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_voicebridge_calls_send(r, live, recent);
}


static ngx_int_t
ngx_http_voicebridge_calls_limit(ngx_http_request_t *r, ngx_uint_t *limit)
{
    ngx_int_t  n;
    ngx_str_t  value;

    *limit = NGX_MAX_INT32_VALUE;

    if (ngx_http_arg(r, (u_char *) "limit", 5, &value) != NGX_OK) {
        return NGX_OK;
    }

    n = ngx_atoi(value.data, value.len);

    if (n == NGX_ERROR) {
        return NGX_DECLINED;
    }

    *limit = ngx_min(*limit, (ngx_uint_t) n);

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_calls_send(ngx_http_request_t *r, ngx_array_t *live,
    ngx_array_t *recent)
{
    ngx_str_t    body;
    ngx_uint_t   i;
    vb_writer_t  w;

    static ngx_str_t  type = ngx_string("application/json");

    if (ngx_http_voicebridge_calls_prepare(r, live) != NGX_OK
        || ngx_http_voicebridge_calls_prepare(r, recent) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = NULL;

    for (i = 0; i < 2; i++) {
        vb_writer_init(&w, body.data);

        vb_write_literal(&w, "{\"live\": [");
        ngx_http_voicebridge_calls_write(&w, live);
        vb_write_literal(&w, "],\n \"recent\": [");
        ngx_http_voicebridge_calls_write(&w, recent);
        vb_write_literal(&w, "]}\n");

        if (body.data == NULL) {
            body.len = w.len;
            body.data = ngx_pnalloc(r->pool, w.len);

            if (body.data == NULL) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }
        }
    }

    return ngx_http_voicebridge_send(r, NGX_HTTP_OK, &type, &body);
}


static void
ngx_http_voicebridge_calls_write(vb_writer_t *w, ngx_array_t *records)
{
    ngx_uint_t                      i;
    ngx_http_voicebridge_record_t  *record;

    record = records->elts;

    for (i = 0; i < records->nelts; i++) {

        if (i) {
            vb_write_literal(w, ",\n  ");
        }

        ngx_http_voicebridge_calls_record(w, &record[i]);
    }
}


static void
ngx_http_voicebridge_calls_record(vb_writer_t *w,
    ngx_http_voicebridge_record_t *record)
{
    u_char  *p, buf[sizeof(", \"interruptions\": ") + NGX_INT32_LEN];

    vb_write_literal(w, "{\"state\": \"");
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

    ngx_http_voicebridge_calls_started(w, record->started);
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

    vb_write_literal(w, "}");
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
ngx_http_voicebridge_calls_started(vb_writer_t *w, uint64_t ms)
{
    u_char    *p, buf[64 + 7 * NGX_INT64_LEN];
    ngx_tm_t   tm;

    ngx_gmtime((time_t) (ms / 1000), &tm);

    p = ngx_sprintf(buf, ", \"started\": \"%4d-%02d-%02dT%02d:%02d:%02d.%03uLZ"
                    "\"", tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                    tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec, ms % 1000);

    vb_write(w, buf, p - buf);
}


/*
 * Errors are the agent's words, in which there may be numbers of phones; and
 * a live call's duration is that of now.
 */

static ngx_int_t
ngx_http_voicebridge_calls_prepare(ngx_http_request_t *r, ngx_array_t *records)
{
    uint64_t                        now;
    ngx_str_t                       error;
    ngx_uint_t                      i;
    ngx_time_t                     *tp;
    ngx_http_voicebridge_record_t  *record;

    tp = ngx_timeofday();
    now = (uint64_t) tp->sec * 1000 + tp->msec;

    record = records->elts;

    for (i = 0; i < records->nelts; i++) {

        if (record[i].end_reason[0] == '\0') {
            record[i].duration = now - ngx_min(now, record[i].started);
        }

        error.data = (u_char *) record[i].error;
        error.len = ngx_strlen(error.data);

        if (ngx_http_voicebridge_plain_text(r->pool, &error, error.len, &error)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_http_voicebridge_stats_text(record[i].error,
                                        sizeof(record[i].error), &error);
    }

    return NGX_OK;
}
