
/*
 * Twilio's callbacks about a call: its progress, its stream, who answered.
 * They are logged, become part of the call's record, and are acknowledged;
 * what is to be done about who answered is begun.
 */


#include <ngx_http_voicebridge_webhook.h>
#include <ngx_http_voicebridge_zone.h>
#include <vb_twilio_call.h>


/* longest value and longest list of values in the log line */
#define NGX_HTTP_VOICEBRIDGE_STATUS_VALUE  128
#define NGX_HTTP_VOICEBRIDGE_STATUS_LINE   1024


typedef struct {
    const char       *field;
    const char       *text;
} ngx_http_voicebridge_status_field_t;


static void ngx_http_voicebridge_call_status_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_voicebridge_call_status(ngx_http_request_t *r,
    vb_form_field_t *fields, ngx_uint_t n);
static ngx_int_t ngx_http_voicebridge_status_line(ngx_http_request_t *r,
    vb_form_field_t *fields, ngx_uint_t n, ngx_str_t *line);
static void ngx_http_voicebridge_status_record(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, vb_form_field_t *fields, ngx_uint_t n);
static ngx_uint_t ngx_http_voicebridge_status_number(vb_form_field_t *fields,
    ngx_uint_t n, const char *name);


static ngx_http_voicebridge_status_field_t
    ngx_http_voicebridge_status_fields[] =
{
    { "CallStatus", "status" },
    { "SipResponseCode", "SIP" },
    { "CallDuration", "duration" },
    { "StreamEvent", "stream" },
    { "StreamError", "error" },
    { "AnsweredBy", "answered by" },
    { "RecordingStatus", "recording" },
    { "RecordingSid", "recording SID" },
    { "RecordingDuration", "recorded" },
    { "ErrorCode", "error code" },
    { NULL, NULL }
};


ngx_int_t
ngx_http_voicebridge_call_status_handler(ngx_http_request_t *r)
{
    return ngx_http_voicebridge_webhook(r,
                                        ngx_http_voicebridge_call_status_body);
}


static void
ngx_http_voicebridge_call_status_body(ngx_http_request_t *r)
{
    ngx_http_voicebridge_webhook_run(r, ngx_http_voicebridge_call_status);
}


ngx_int_t
ngx_http_voicebridge_call_status_parse(ngx_http_request_t *r,
    ngx_http_voicebridge_taken_t *taken)
{
    ngx_str_t                    value;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_voicebridge_webhook_parse(r, taken);
    if (ctx == NULL) {
        return taken->rc;
    }

    value = ngx_http_voicebridge_webhook_field(taken->data, taken->nfields,
                                               "StreamEvent");

    if (value.len) {
        ctx->status = value;
    }

    value = ngx_http_voicebridge_webhook_field(taken->data, taken->nfields,
                                               "StreamSid");

    if (vb_twilio_sid(&value, "MZ")) {
        ctx->stream_sid = value;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_call_status(ngx_http_request_t *r,
    vb_form_field_t *fields, ngx_uint_t n)
{
    ngx_str_t                    event, line, answered_by;
    ngx_uint_t                   level;
    ngx_http_voicebridge_ctx_t  *ctx;

    static ngx_str_t  none = ngx_string("-");

    ctx = ngx_http_voicebridge_ctx(r);

    if (ngx_http_voicebridge_status_line(r, fields, n, &line) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* why a stream could not be opened is told here and nowhere else */

    event = ngx_http_voicebridge_webhook_field(fields, n, "StreamEvent");

    level = vb_str_eq(&event, "stream-error") ? NGX_LOG_ERR : NGX_LOG_INFO;

    ngx_log_error(level, r->connection->log, 0, "Call status of %V:%V",
                  ctx->call_sid.len ? &ctx->call_sid : &none, &line);

    ngx_http_voicebridge_status_record(r, ctx, fields, n);
    ngx_http_voicebridge_not_answered(r, ctx, fields, n);

    answered_by = ngx_http_voicebridge_webhook_field(fields, n, "AnsweredBy");

    if (answered_by.len) {
        ngx_http_voicebridge_machine(r, ctx, &answered_by);
    }

    return ngx_http_voicebridge_send(r, NGX_HTTP_NO_CONTENT, NULL, NULL);
}


static ngx_int_t
ngx_http_voicebridge_status_line(ngx_http_request_t *r,
    vb_form_field_t *fields, ngx_uint_t n, ngx_str_t *line)
{
    u_char                               *p, *last;
    ngx_str_t                             value;
    ngx_http_voicebridge_status_field_t  *f;

    p = ngx_pnalloc(r->pool, NGX_HTTP_VOICEBRIDGE_STATUS_LINE);
    if (p == NULL) {
        return NGX_ERROR;
    }

    line->data = p;
    last = p + NGX_HTTP_VOICEBRIDGE_STATUS_LINE;

    for (f = ngx_http_voicebridge_status_fields; f->field; f++) {

        value = ngx_http_voicebridge_webhook_field(fields, n, f->field);

        if (value.len == 0) {
            continue;
        }

        if (ngx_http_voicebridge_plain_text(r->pool, &value,
                                            NGX_HTTP_VOICEBRIDGE_STATUS_VALUE,
                                            &value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        p = ngx_slprintf(p, last, "%s %s %V", p == line->data ? "" : ",",
                         f->text, &value);
    }

    line->len = p - line->data;

    return NGX_OK;
}


static void
ngx_http_voicebridge_status_record(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, vb_form_field_t *fields, ngx_uint_t n)
{
    ngx_str_t                          status, value;
    ngx_http_voicebridge_record_t      record;
    ngx_http_voicebridge_callback_t    callback;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);

    if (vmcf->zone == NULL || ctx->call_sid.len == 0) {
        return;
    }

    ngx_memzero(&callback, sizeof(ngx_http_voicebridge_callback_t));

    status = ngx_http_voicebridge_webhook_field(fields, n, "CallStatus");
    value = ngx_http_voicebridge_webhook_field(fields, n, "StreamEvent");

    callback.stream = ngx_http_voicebridge_stream_event(&value);

    /* about a stream it is just the state the call is in */

    if (value.len == 0) {
        callback.status = ngx_http_voicebridge_call_status_of(&status);
    }

    callback.answered_by = ngx_http_voicebridge_webhook_field(fields, n,
                                                              "AnsweredBy");
    callback.sip = ngx_http_voicebridge_status_number(fields, n,
                                                      "SipResponseCode");
    callback.error_code = ngx_http_voicebridge_status_number(fields, n,
                                                             "ErrorCode");

    value = ngx_http_voicebridge_webhook_field(fields, n, "SequenceNumber");
    callback.sequence = ngx_atoi(value.data, value.len);

    ngx_http_voicebridge_record_of(ctx, &record);
    ngx_http_voicebridge_stats_callback(vmcf->zone, &record, &callback);
}


/* a small decimal number, or 0 */

static ngx_uint_t
ngx_http_voicebridge_status_number(vb_form_field_t *fields, ngx_uint_t n,
    const char *name)
{
    ngx_int_t  number;
    ngx_str_t  value;

    value = ngx_http_voicebridge_webhook_field(fields, n, name);
    number = ngx_atoi(value.data, value.len);

    return number > 0 && number <= 99999 ? (ngx_uint_t) number : 0;
}
