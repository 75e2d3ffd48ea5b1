
/* From what a request says of a call to the call's record in the zone */


#include <ngx_http_voicebridge_handler.h>
#include <ngx_http_voicebridge_zone.h>

#include <vb_mask.h>


#define ngx_http_voicebridge_placed_text(member, s)                           \
    ngx_http_voicebridge_record_text(member, sizeof(member), s)


static void ngx_http_voicebridge_placed_number(char *dst, size_t size,
    ngx_str_t *number);
static ngx_uint_t ngx_http_voicebridge_placed_find(const char **names,
    ngx_uint_t n, ngx_str_t *name);


void
ngx_http_voicebridge_record_of(ngx_http_voicebridge_ctx_t *ctx,
    ngx_http_voicebridge_record_t *record)
{
    ngx_str_t  direction;

    ngx_memzero(record, sizeof(ngx_http_voicebridge_record_t));

    direction = ctx->direction;

    if (direction.len == 0) {
        ngx_str_set(&direction, "unknown");
    }

    ngx_http_voicebridge_placed_text(record->direction, &direction);
    ngx_http_voicebridge_placed_text(record->call_sid, &ctx->call_sid);
    ngx_http_voicebridge_placed_text(record->session_id, &ctx->session_id);
    ngx_http_voicebridge_record_agent(record, &ctx->agent_id);

    ngx_http_voicebridge_placed_number(record->from, sizeof(record->from),
                                       &ctx->from);
    ngx_http_voicebridge_placed_number(record->to, sizeof(record->to),
                                       &ctx->to);
}


void
ngx_http_voicebridge_placed(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, ngx_http_voicebridge_step_e event,
    ngx_str_t *status)
{
    ngx_http_voicebridge_record_t      record;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);

    if (vmcf->zone == NULL) {
        return;
    }

    ngx_http_voicebridge_record_of(ctx, &record);
    ngx_http_voicebridge_stats_placed(vmcf->zone, &record, event,
                        status ? ngx_http_voicebridge_call_status_of(status)
                               : NGX_HTTP_VOICEBRIDGE_STATUS_NONE);
}


static void
ngx_http_voicebridge_placed_number(char *dst, size_t size, ngx_str_t *number)
{
    u_char     masked[64];
    ngx_str_t  s;

    s = *number;
    s.len = ngx_min(s.len, sizeof(masked));

    s.len = vb_mask_number(masked, &s);
    s.data = masked;

    ngx_http_voicebridge_record_text(dst, size, &s);
}


ngx_http_voicebridge_status_e
ngx_http_voicebridge_call_status_of(ngx_str_t *status)
{
    return ngx_http_voicebridge_placed_find(ngx_http_voicebridge_status_names,
                                            NGX_HTTP_VOICEBRIDGE_STATUSES,
                                            status);
}


ngx_http_voicebridge_stream_e
ngx_http_voicebridge_stream_event(ngx_str_t *event)
{
    return ngx_http_voicebridge_placed_find(ngx_http_voicebridge_stream_names,
                                            NGX_HTTP_VOICEBRIDGE_STREAM_EVENTS,
                                            event);
}


/* the first name is that of nothing */

static ngx_uint_t
ngx_http_voicebridge_placed_find(const char **names, ngx_uint_t n,
    ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 1; i < n; i++) {
        if (name->len == ngx_strlen(names[i])
            && ngx_strncmp(name->data, names[i], name->len) == 0)
        {
            return i;
        }
    }

    return 0;
}
