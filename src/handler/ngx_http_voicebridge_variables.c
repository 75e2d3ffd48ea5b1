
/* What a request is about, and the variables that tell it */


#include <ngx_http_voicebridge_handler.h>

#include <vb_twiml.h>


static void ngx_http_voicebridge_cleanup_ctx(void *data);
static ngx_int_t ngx_http_voicebridge_default(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, ngx_str_t *s);
static ngx_int_t ngx_http_voicebridge_text_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_voicebridge_masked_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_voicebridge_set_text(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, ngx_http_variable_value_t *v,
    ngx_str_t *s);
static ngx_int_t ngx_http_voicebridge_first_audio_variable(
    ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_voicebridge_interruptions_variable(
    ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_voicebridge_audio_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_voicebridge_seconds(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uint64_t msec);
static void ngx_http_voicebridge_set_variable(ngx_http_variable_value_t *v,
    u_char *data, size_t len);


#define ngx_http_voicebridge_text(name, field)                                \
    { ngx_string("voicebridge_" name), NULL,                                  \
      ngx_http_voicebridge_text_variable,                                     \
      offsetof(ngx_http_voicebridge_ctx_t, field),                            \
      NGX_HTTP_VAR_NOCACHEABLE, 0 }


/* all change while a request is served */

static ngx_http_variable_t  ngx_http_voicebridge_vars[] = {

    ngx_http_voicebridge_text("call_sid", call_sid),
    ngx_http_voicebridge_text("stream_sid", stream_sid),
    ngx_http_voicebridge_text("session_id", session_id),
    ngx_http_voicebridge_text("agent_id", agent_id),
    ngx_http_voicebridge_text("conversation_id", conversation_id),
    ngx_http_voicebridge_text("direction", direction),
    ngx_http_voicebridge_text("from", from),
    ngx_http_voicebridge_text("to", to),
    ngx_http_voicebridge_text("status", status),
    ngx_http_voicebridge_text("end_reason", end_reason),

    { ngx_string("voicebridge_from_masked"), NULL,
      ngx_http_voicebridge_masked_variable,
      offsetof(ngx_http_voicebridge_ctx_t, from),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voicebridge_to_masked"), NULL,
      ngx_http_voicebridge_masked_variable,
      offsetof(ngx_http_voicebridge_ctx_t, to),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voicebridge_first_audio_time"), NULL,
      ngx_http_voicebridge_first_audio_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voicebridge_interruptions"), NULL,
      ngx_http_voicebridge_interruptions_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voicebridge_caller_audio_time"), NULL,
      ngx_http_voicebridge_audio_variable,
      offsetof(ngx_http_voicebridge_ctx_t, caller_audio),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("voicebridge_agent_audio_time"), NULL,
      ngx_http_voicebridge_audio_variable,
      offsetof(ngx_http_voicebridge_ctx_t, agent_audio),
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_voicebridge_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_voicebridge_vars; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


ngx_http_voicebridge_ctx_t *
ngx_http_voicebridge_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t          *cln;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_voicebridge_find_ctx(r);

    if (ctx == NULL) {

        cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_voicebridge_ctx_t));
        if (cln == NULL) {
            return NULL;
        }

        ctx = cln->data;

        ngx_memzero(ctx, sizeof(ngx_http_voicebridge_ctx_t));
        ctx->first_audio = (ngx_msec_t) -1;

        cln->handler = ngx_http_voicebridge_cleanup_ctx;
    }

    if (ngx_http_get_module_ctx(r, ngx_http_voicebridge_module) == NULL) {

        /* of another location, where it was not made right now */

        ctx->taken = NULL;
        ctx->defaults = 0;
        ngx_http_set_ctx(r, ctx, ngx_http_voicebridge_module);
    }

    return ctx;
}


/*
 * An internal redirect resets the contexts of modules, and a subrequest has
 * its own; the cleanup, which does nothing, is still to be found in the pool
 * they share.
 */

ngx_http_voicebridge_ctx_t *
ngx_http_voicebridge_find_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t          *cln;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_voicebridge_module);

    if (ctx || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_voicebridge_cleanup_ctx) {
            return cln->data;
        }
    }

    return NULL;
}


static void
ngx_http_voicebridge_cleanup_ctx(void *data)
{
    return;
}


ngx_int_t
ngx_http_voicebridge_defaults(ngx_http_request_t *r)
{
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_voicebridge_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_voicebridge_default(r, ctx, &ctx->from) != NGX_OK
        || ngx_http_voicebridge_default(r, ctx, &ctx->agent_id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->defaults = 0;

    return NGX_OK;
}


/*
 * What the location says where the request says nothing is asked for when
 * somebody wants to know, and not before: it may depend on what is known only
 * when access was allowed.
 */

static ngx_int_t
ngx_http_voicebridge_default(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, ngx_str_t *s)
{
    ngx_int_t                         rc;
    ngx_http_complex_value_t         *value;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (s->len || !ctx->defaults || vlcf->location == NULL) {
        return NGX_OK;
    }

    if (s == &ctx->agent_id) {
        value = vlcf->agent;

    } else if (s == &ctx->from && vlcf->location->keys) {
        value = vlcf->phone_number;

    } else {
        return NGX_OK;
    }

    /* a value that has itself in it */

    ctx->defaults = 0;

    rc = ngx_http_voicebridge_value(r, value, s);

    ctx->defaults = 1;

    if (rc == NGX_OK && s == &ctx->agent_id && !vb_agent_is_id(s)) {
        ngx_str_null(s);

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "\"voicebridge_agent\" has more than 256 bytes, a "
                      "control character or is not UTF-8");
        return NGX_ERROR;
    }

    return rc;
}


static ngx_int_t
ngx_http_voicebridge_text_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                   *s;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_voicebridge_find_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    s = (ngx_str_t *) ((char *) ctx + data);

    if (ngx_http_voicebridge_default(r, ctx, s) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_voicebridge_set_text(r, ctx, v, s);
}


static ngx_int_t
ngx_http_voicebridge_masked_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                   *s, masked;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_voicebridge_find_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    s = (ngx_str_t *) ((char *) ctx + data);

    if (ngx_http_voicebridge_default(r, ctx, s) != NGX_OK
        || ngx_http_voicebridge_masked(r->pool, s, &masked) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_voicebridge_set_text(r, ctx, v, &masked);
}


static ngx_int_t
ngx_http_voicebridge_set_text(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, ngx_http_variable_value_t *v,
    ngx_str_t *s)
{
    u_char  *p;
    size_t   len;

    if (!ctx->xml) {
        ngx_http_voicebridge_set_variable(v, s->data, s->len);
        return NGX_OK;
    }

    len = vb_xml_escape(NULL, s->data, s->len);

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) vb_xml_escape(p, s->data, s->len);

    ngx_http_voicebridge_set_variable(v, p, len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_first_audio_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_voicebridge_find_ctx(r);

    if (ctx == NULL || !ctx->stream || ctx->first_audio == (ngx_msec_t) -1) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_voicebridge_seconds(r, v, ctx->first_audio);
}


static ngx_int_t
ngx_http_voicebridge_interruptions_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                      *p;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_voicebridge_find_ctx(r);

    if (ctx == NULL || !ctx->stream) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_http_voicebridge_set_variable(v, p,
                                      ngx_sprintf(p, "%ui", ctx->interruptions)
                                      - p);

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_audio_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_voicebridge_find_ctx(r);

    if (ctx == NULL || !ctx->stream) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_voicebridge_seconds(r, v,
                                        *(uint64_t *) ((char *) ctx + data));
}


static ngx_int_t
ngx_http_voicebridge_seconds(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uint64_t msec)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN + sizeof(".000") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_http_voicebridge_set_variable(v, p,
                                      ngx_sprintf(p, "%uL.%03uL", msec / 1000,
                                                  msec % 1000)
                                      - p);

    return NGX_OK;
}


/* an empty value is none: "-" in a log */

static void
ngx_http_voicebridge_set_variable(ngx_http_variable_value_t *v, u_char *data,
    size_t len)
{
    if (len == 0) {
        v->not_found = 1;
        return;
    }

    v->data = data;
    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
}
