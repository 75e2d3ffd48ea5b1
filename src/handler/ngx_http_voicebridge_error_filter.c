
/*
 * Every error of the API is JSON (contract 1.1), those of core and of other
 * modules too: a body over client_max_body_size, which core refuses before
 * any handler runs, broken chunks, limit_req, deny.
 *
 * Such a page passes the header filters with r->err_status set.  An
 * error_page of the location's own would be less code, but leads through the
 * location search once more, where core refuses an HTTP/2 request's length
 * for the second time.
 */


#include <ngx_http_voicebridge_outbound.h>


typedef struct {
    ngx_uint_t            status;
    ngx_str_t             detail;
} ngx_http_voicebridge_error_t;


static ngx_int_t ngx_http_voicebridge_error_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_voicebridge_error_detail(ngx_http_request_t *r,
    ngx_str_t *detail);
static ngx_int_t ngx_http_voicebridge_error_too_large(ngx_http_request_t *r,
    ngx_str_t *detail);
static ngx_int_t ngx_http_voicebridge_error_other(ngx_http_request_t *r,
    ngx_str_t *detail);


/* part of the filter chain, as in every filter module; set once a cycle */
static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


static ngx_http_voicebridge_error_t  ngx_http_voicebridge_errors[] = {
    { NGX_HTTP_BAD_REQUEST, ngx_string("The request could not be read") },
    { NGX_HTTP_UNAUTHORIZED, ngx_string("Authorization is required") },
    { NGX_HTTP_FORBIDDEN, ngx_string("Access is denied") },
    { NGX_HTTP_REQUEST_TIME_OUT,
      ngx_string("The request did not come in time") },
    { NGX_HTTP_TOO_MANY_REQUESTS, ngx_string("Too many requests") },
    { NGX_HTTP_INTERNAL_SERVER_ERROR,
      ngx_string("Internal error, see the server's error log") },
    { NGX_HTTP_SERVICE_UNAVAILABLE,
      ngx_string("The service is not available at the moment") },
    { 0, ngx_null_string }
};


void
ngx_http_voicebridge_add_error_filter(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_voicebridge_error_filter;
}


static ngx_int_t
ngx_http_voicebridge_error_filter(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    ngx_buf_t                        *b;
    ngx_str_t                         detail, body;
    ngx_chain_t                       out;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (vlcf->location == NULL || !vlcf->location->keys
        || r->err_status < NGX_HTTP_BAD_REQUEST
        || r != r->main)
    {
        return ngx_http_next_header_filter(r);
    }

    if (ngx_http_voicebridge_error_detail(r, &detail) != NGX_OK
        || ngx_http_voicebridge_detail(r->pool, &detail, &body) != NGX_OK)
    {
        return NGX_ERROR;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body.data;
    b->last = body.data + body.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_content_length(r);

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.content_length_n = body.len;

    rc = ngx_http_next_header_filter(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    rc = ngx_http_output_filter(r, &out);

    /* the page itself, which was to follow, is not to be sent */

    r->header_only = 1;

    return rc;
}


static ngx_int_t
ngx_http_voicebridge_error_detail(ngx_http_request_t *r, ngx_str_t *detail)
{
    ngx_int_t  rc;

    if (r->headers_out.status != NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
        return ngx_http_voicebridge_error_other(r, detail);
    }

    /* core was faster than the checks that come before that of the body */

    rc = ngx_http_voicebridge_outbound_admit(r, detail);

    if (rc == NGX_OK) {
        return ngx_http_voicebridge_error_too_large(r, detail);
    }

    if (rc == NGX_HTTP_NOT_ALLOWED
        && ngx_http_voicebridge_outbound_allow(r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->headers_out.status = rc;
    r->headers_out.status_line.len = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_error_too_large(ngx_http_request_t *r, ngx_str_t *detail)
{
    u_char                    *p;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    p = ngx_pnalloc(r->pool, sizeof("The request's body is larger than "
                                    "client_max_body_size, which is "
                                    " bytes") - 1 + NGX_OFF_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    detail->data = p;
    detail->len = ngx_sprintf(p, "The request's body is larger than "
                                 "client_max_body_size, which is %O bytes",
                              clcf->client_max_body_size)
                  - p;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_error_other(ngx_http_request_t *r, ngx_str_t *detail)
{
    u_char                        *p;
    ngx_http_voicebridge_error_t  *e;

    for (e = ngx_http_voicebridge_errors; e->status; e++) {
        if (e->status == r->headers_out.status) {
            *detail = e->detail;
            return NGX_OK;
        }
    }

    p = ngx_pnalloc(r->pool, sizeof("The request failed with status ") - 1
                             + NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    detail->data = p;
    detail->len = ngx_sprintf(p, "The request failed with status %ui",
                              r->headers_out.status)
                  - p;

    return NGX_OK;
}
