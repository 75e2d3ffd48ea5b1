
/*
 * Reads and parses the body of a request before limit_req and limit_conn look
 * at it, so that a call's variables are keys for them: what they go by is
 * then known to be from somebody with a key, or from Twilio.
 *
 * A phase's handlers run in the reverse order of their registration, and the
 * limits are part of nginx, registered before any module is that is added.
 */


#include <ngx_http_voicebridge_handler.h>


static ngx_int_t ngx_http_voicebridge_preaccess(ngx_http_request_t *r);
static void ngx_http_voicebridge_preaccess_body(ngx_http_request_t *r);


ngx_int_t
ngx_http_voicebridge_add_preaccess_handler(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_voicebridge_preaccess;

    return NGX_OK;
}


/* a request that is refused is refused by the content handler, as ever, where
 * nobody else refuses it before */

static ngx_int_t
ngx_http_voicebridge_preaccess(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    ngx_http_voicebridge_ctx_t       *ctx;
    ngx_http_voicebridge_taken_t     *taken;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (vlcf->location == NULL) {
        return NGX_DECLINED;
    }

    if (r == r->main) {
        ctx = ngx_http_voicebridge_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        /* for the log, where an error page may lead it elsewhere */

        ctx->location = vlcf->location;
    }

    if (vlcf->location->parse == NULL) {
        return NGX_DECLINED;
    }

    taken = ngx_http_voicebridge_admit(r);
    if (taken == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (taken->rc != NGX_OK || taken->parsed) {
        return NGX_DECLINED;
    }

    if (taken->reading) {
        return NGX_DONE;
    }

    taken->reading = 1;

    rc = ngx_http_read_client_request_body(r,
                                          ngx_http_voicebridge_preaccess_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    /* gives back what reading has taken of the request's count */

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_http_voicebridge_preaccess_body(ngx_http_request_t *r)
{
    if (ngx_http_voicebridge_parse(r) == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


ngx_http_voicebridge_taken_t *
ngx_http_voicebridge_admit(ngx_http_request_t *r)
{
    ngx_http_voicebridge_ctx_t       *ctx;
    ngx_http_voicebridge_taken_t     *taken;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    ctx = ngx_http_voicebridge_ctx(r);
    if (ctx == NULL) {
        return NULL;
    }

    if (ctx->taken && ctx->taken->request == r) {
        return ctx->taken;
    }

    taken = ngx_pcalloc(r->pool, sizeof(ngx_http_voicebridge_taken_t));
    if (taken == NULL) {
        return NULL;
    }

    taken->request = r;
    ctx->taken = taken;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    taken->rc = vlcf->location->admit(r, taken);

    return taken;
}


ngx_http_voicebridge_taken_t *
ngx_http_voicebridge_parse(ngx_http_request_t *r)
{
    ngx_http_voicebridge_taken_t     *taken;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    taken = ngx_http_voicebridge_admit(r);

    if (taken == NULL || taken->parsed || taken->rc != NGX_OK) {
        return taken;
    }

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    taken->parsed = 1;
    taken->rc = vlcf->location->parse(r, taken);

    return taken;
}
