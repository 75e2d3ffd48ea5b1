
/* Counts what never becomes a call, when it is logged */


#include <ngx_http_voicebridge_handler.h>
#include <ngx_http_voicebridge_zone.h>


static ngx_int_t ngx_http_voicebridge_metrics_log(ngx_http_request_t *r);
static ngx_http_voicebridge_location_t *ngx_http_voicebridge_metrics_location(
    ngx_http_request_t *r);
static const char *ngx_http_voicebridge_metrics_refused(ngx_http_request_t *r);


ngx_int_t
ngx_http_voicebridge_add_log_handler(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);

    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_voicebridge_metrics_log;

    return NGX_OK;
}


/*
 * Where a request is logged its status is known, whoever has refused it:
 * this module, limit_req, or core before any handler.
 */

static ngx_int_t
ngx_http_voicebridge_metrics_log(ngx_http_request_t *r)
{
    char                              *status;
    u_char                             buf[NGX_INT_T_LEN + 1];
    const char                        *reason;
    ngx_http_voicebridge_location_t   *location;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    location = (r == r->main) ? ngx_http_voicebridge_metrics_location(r)
                              : NULL;
    if (location == NULL) {
        return NGX_OK;
    }

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);

    if (location->keys) {
        *ngx_sprintf(buf, "%03ui", r->err_status ? r->err_status
                                               : r->headers_out.status)
            = '\0';
        status = (char *) buf;

        ngx_http_voicebridge_stats_count(vmcf->zone,
                                         NGX_HTTP_VOICEBRIDGE_STATS_OUTBOUND,
                                         status, "");

    } else if (location->streams) {
        reason = ngx_http_voicebridge_metrics_refused(r);

        if (reason) {
            ngx_http_voicebridge_stats_count(vmcf->zone,
                                          NGX_HTTP_VOICEBRIDGE_STATS_REFUSED,
                                          reason, "");
        }
    }

    return NGX_OK;
}


/* the one it is in, or came from: an error page is often elsewhere */

static ngx_http_voicebridge_location_t *
ngx_http_voicebridge_metrics_location(ngx_http_request_t *r)
{
    ngx_http_voicebridge_ctx_t       *ctx;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (vlcf->location) {
        return vlcf->location;
    }

    ctx = ngx_http_voicebridge_find_ctx(r);

    return ctx ? ctx->location : NULL;
}


/* why, or NULL where it was not */

static const char *
ngx_http_voicebridge_metrics_refused(ngx_http_request_t *r)
{
    ngx_uint_t                   status, ours;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_voicebridge_find_ctx(r);

    ours = ctx && ctx->handled;
    status = r->err_status ? r->err_status : r->headers_out.status;

    switch (status) {

    case NGX_HTTP_SWITCHING_PROTOCOLS:
        return NULL;

    case NGX_HTTP_FORBIDDEN:
        return ours ? "signature" : "denied";

    case NGX_HTTP_NOT_ALLOWED:
    case 426:
        return "not_websocket";

    case NGX_HTTP_BAD_REQUEST:
        return "malformed";

    case NGX_HTTP_TOO_MANY_REQUESTS:
    case NGX_HTTP_SERVICE_UNAVAILABLE:
        return "limited";

    case NGX_HTTP_INTERNAL_SERVER_ERROR:
        return "internal_error";

    default:
        return "other";
    }
}
