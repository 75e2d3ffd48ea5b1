
/* Calls that were placed and that nobody answered, for voicebridge_webhook */


#include <ngx_http_voicebridge_webhook.h>
#include <ngx_http_voicebridge_notify.h>
#include <ngx_http_voicebridge_stats.h>
#include <vb_twilio_call.h>
#include <vb_writer.h>


static ngx_uint_t ngx_http_voicebridge_not_answered_status(ngx_str_t *status);
static void ngx_http_voicebridge_not_answered_write(vb_writer_t *w,
    ngx_http_voicebridge_ctx_t *ctx, ngx_http_voicebridge_record_t *record,
    vb_form_field_t *fields, ngx_uint_t n);
static void ngx_http_voicebridge_not_answered_id(vb_writer_t *w,
    const char *lead, char *id, size_t size);
static void ngx_http_voicebridge_not_answered_text(vb_writer_t *w,
    const char *lead, ngx_str_t *value);


void
ngx_http_voicebridge_not_answered(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, vb_form_field_t *fields, ngx_uint_t n)
{
    ngx_str_t                          status, members;
    vb_writer_t                        w;
    ngx_http_voicebridge_record_t      record;
    ngx_http_voicebridge_loc_conf_t   *vlcf;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);
    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    status = ngx_http_voicebridge_webhook_field(fields, n, "CallStatus");

    if (vlcf->webhook == NULL
        || !(vlcf->webhook->events & NGX_HTTP_VOICEBRIDGE_EVENT_NOT_ANSWERED)
        || !vb_str_eq(&ctx->direction, "outbound") || ctx->call_sid.len == 0
        || !ngx_http_voicebridge_not_answered_status(&status))
    {
        return;
    }

    ngx_memzero(&record, sizeof(ngx_http_voicebridge_record_t));

    (void) ngx_http_voicebridge_stats_known(vmcf->zone, &ctx->call_sid,
                                            &record);

    vb_writer_init(&w, NULL);
    ngx_http_voicebridge_not_answered_write(&w, ctx, &record, fields, n);

    members.len = w.len;

    members.data = ngx_pnalloc(r->pool, w.len);
    if (members.data == NULL) {
        return;
    }

    vb_writer_init(&w, members.data);
    ngx_http_voicebridge_not_answered_write(&w, ctx, &record, fields, n);

    ngx_http_voicebridge_notify(vlcf->webhook,
                                NGX_HTTP_VOICEBRIDGE_EVENT_NOT_ANSWERED,
                                &ctx->call_sid, &members);
}


static ngx_uint_t
ngx_http_voicebridge_not_answered_status(ngx_str_t *status)
{
    return vb_str_eq(status, "busy") || vb_str_eq(status, "no-answer")
           || vb_str_eq(status, "failed") || vb_str_eq(status, "canceled");
}


static void
ngx_http_voicebridge_not_answered_write(vb_writer_t *w,
    ngx_http_voicebridge_ctx_t *ctx, ngx_http_voicebridge_record_t *record,
    vb_form_field_t *fields, ngx_uint_t n)
{
    ngx_str_t  value;

    vb_write_member(w, "\"call\": {\"call_sid\": ", &ctx->call_sid);

    ngx_http_voicebridge_not_answered_id(w, ", \"session_id\": ",
                                         record->session_id,
                                         sizeof(record->session_id));
    ngx_http_voicebridge_not_answered_id(w, ", \"agent_id\": ",
                                         record->agent_id,
                                         sizeof(record->agent_id));

    vb_write_member(w, ", \"direction\": ", &ctx->direction);

    ngx_http_voicebridge_not_answered_text(w, ", \"from\": ", &ctx->from);
    ngx_http_voicebridge_not_answered_text(w, ", \"to\": ", &ctx->to);

    value = ngx_http_voicebridge_webhook_field(fields, n, "CallStatus");
    vb_write_member(w, ", \"status\": ", &value);

    value = ngx_http_voicebridge_webhook_field(fields, n, "SipResponseCode");
    ngx_http_voicebridge_not_answered_text(w, ", \"sip_code\": ", &value);

    value = ngx_http_voicebridge_webhook_field(fields, n, "ErrorCode");
    ngx_http_voicebridge_not_answered_text(w, ", \"error_code\": ", &value);

    vb_write_literal(w, "}");
}


/* what a record has no room for is cut in there, and is no id any more */

static void
ngx_http_voicebridge_not_answered_id(vb_writer_t *w, const char *lead,
    char *id, size_t size)
{
    ngx_str_t  value;

    value.data = (u_char *) id;
    value.len = ngx_strlen(id);

    /* between characters, of four bytes at most */

    if (value.len + 4 >= size) {
        value.len = 0;
    }

    vb_write_member(w, lead, &value);
}


/* a form's value is any bytes, JSON's are UTF-8: these are ASCII */

static void
ngx_http_voicebridge_not_answered_text(vb_writer_t *w, const char *lead,
    ngx_str_t *value)
{
    size_t     i;
    ngx_str_t  number;

    number = *value;

    for (i = 0; i < number.len; i++) {
        if (number.data[i] < ' ' || number.data[i] > '~') {
            number.len = 0;
        }
    }

    vb_write_member(w, lead, &number);
}
