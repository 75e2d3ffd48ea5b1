
/* Values that may hold variables, while a request is served */


#include <ngx_http_voicebridge.h>


ngx_int_t
ngx_http_voicebridge_value(ngx_http_request_t *r, ngx_http_complex_value_t *cv,
    ngx_str_t *value)
{
    if (cv == NULL) {
        ngx_str_null(value);
        return NGX_OK;
    }

    return ngx_http_complex_value(r, cv, value);
}


ngx_int_t
ngx_http_voicebridge_xml_value(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv, ngx_str_t *value)
{
    ngx_int_t                    rc;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_voicebridge_module);

    if (ctx) {
        ctx->xml = 1;
    }

    rc = ngx_http_voicebridge_value(r, cv, value);

    if (ctx) {
        ctx->xml = 0;
    }

    return rc;
}
