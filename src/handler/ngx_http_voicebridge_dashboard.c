
/*
 * voicebridge_dashboard: a page that shows calls to a person.
 *
 * Its own location answers what it asks for, by ?view=, so that it needs to
 * know no other, and what guards the page guards its data: "calls" and
 * "metrics" are those of voicebridge_calls and voicebridge_metrics.
 */


#include <ngx_http_voicebridge_dashboard.h>

#include <openssl/sha.h>


static ngx_int_t ngx_http_voicebridge_dashboard_args(ngx_http_request_t *r,
    ngx_str_t *view);
static ngx_int_t ngx_http_voicebridge_dashboard_send(ngx_http_request_t *r);
static ngx_int_t ngx_http_voicebridge_dashboard_hash(ngx_conf_t *cf,
    const char *begin, const char *end, ngx_str_t *hash);


ngx_int_t
ngx_http_voicebridge_dashboard_handler(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_str_t                          view, detail;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    if (ngx_http_arg(r, (u_char *) "view", 4, &view) != NGX_OK) {
        return ngx_http_voicebridge_dashboard_send(r);
    }

    if (vb_str_eq(&view, "calls")) {

        if (ngx_http_voicebridge_dashboard_args(r, &view) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_voicebridge_calls_handler(r);
    }

    if (vb_str_eq(&view, "metrics")) {
        return ngx_http_voicebridge_metrics_handler(r);
    }

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

    if (vb_str_eq(&view, "talk")) {
        return ngx_http_voicebridge_dashboard_talk(r, vmcf->zone);
    }

    if (vb_str_eq(&view, "transcript")) {
        return ngx_http_voicebridge_dashboard_transcript(r, vmcf->zone);
    }

    ngx_str_set(&detail, "view must be calls, metrics, talk or transcript");
    return ngx_http_voicebridge_send_detail(r, NGX_HTTP_BAD_REQUEST, &detail);
}


/* takes view out of the request's arguments: the others are for calls */

static ngx_int_t
ngx_http_voicebridge_dashboard_args(ngx_http_request_t *r, ngx_str_t *view)
{
    u_char  *p, *begin, *end, *last;

    begin = view->data - (sizeof("view=") - 1);
    end = view->data + view->len;
    last = r->args.data + r->args.len;

    if (end < last) {
        end++;

    } else if (begin > r->args.data) {
        begin--;
    }

    p = ngx_pnalloc(r->pool, r->args.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = ngx_cpymem(ngx_cpymem(p, r->args.data, begin - r->args.data), end,
                      last - end);

    r->args.data = p;
    r->args.len = last - p;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_dashboard_send(ngx_http_request_t *r)
{
    ngx_str_t                          page;
    ngx_table_elt_t                   *h;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    static ngx_str_t  allow = ngx_string("GET, HEAD");
    static ngx_str_t  type = ngx_string("text/html");
    static ngx_str_t  no_cache = ngx_string("no-cache");
    static ngx_str_t  nosniff = ngx_string("nosniff");
    static ngx_str_t  no_referrer = ngx_string("no-referrer");

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_voicebridge_add_header(r, "Allow", &allow) == NGX_OK
               ? NGX_HTTP_NOT_ALLOWED : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);

    /* core compares it with If-None-Match, and weakens it where it gzips */

    if (ngx_http_voicebridge_add_header(r, "ETag", &vmcf->dashboard_etag)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    h = r->headers_out.headers.last->elts;
    r->headers_out.etag = &h[r->headers_out.headers.last->nelts - 1];

    if (ngx_http_voicebridge_add_header(r, "Content-Security-Policy",
                                        &vmcf->dashboard_csp)
           != NGX_OK
        || ngx_http_voicebridge_add_header(r, "Cache-Control", &no_cache)
           != NGX_OK
        || ngx_http_voicebridge_add_header(r, "X-Content-Type-Options",
                                           &nosniff)
           != NGX_OK
        || ngx_http_voicebridge_add_header(r, "Referrer-Policy", &no_referrer)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&r->headers_out.charset, "utf-8");

    page.data = (u_char *) ngx_http_voicebridge_dashboard_page;
    page.len = ngx_http_voicebridge_dashboard_page_size;

    return ngx_http_voicebridge_send(r, NGX_HTTP_OK, &type, &page);
}


/* the page's headers: made from the page, they cannot differ from it */

ngx_int_t
ngx_http_voicebridge_dashboard_init(ngx_conf_t *cf)
{
    u_char                            *p;
    u_char                             digest[SHA256_DIGEST_LENGTH];
    ngx_str_t                          style, script, *etag, *csp;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    vmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_voicebridge_module);

    (void) SHA256(ngx_http_voicebridge_dashboard_page,
                  ngx_http_voicebridge_dashboard_page_size, digest);

    etag = &vmcf->dashboard_etag;

    etag->len = sizeof("\"0123456789abcdef\"") - 1;
    etag->data = ngx_pnalloc(cf->pool, etag->len);

    if (etag->data == NULL) {
        return NGX_ERROR;
    }

    p = etag->data;
    *p++ = '"';
    p = ngx_hex_dump(p, digest, 8);
    *p = '"';

    if (ngx_http_voicebridge_dashboard_hash(cf, "<style>", "</style>", &style)
        != NGX_OK
        || ngx_http_voicebridge_dashboard_hash(cf, "<script type=\"module\">",
                                               "</script>", &script)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    csp = &vmcf->dashboard_csp;

    csp->data = ngx_pnalloc(cf->pool, 512);
    if (csp->data == NULL) {
        return NGX_ERROR;
    }

    csp->len = ngx_snprintf(csp->data, 512,
                            "default-src 'none'; script-src 'sha256-%V'; "
                            "style-src 'sha256-%V'; connect-src 'self'; "
                            "img-src data:; base-uri 'none'; "
                            "form-action 'none'; frame-ancestors 'none'",
                            &script, &style)
               - csp->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_dashboard_hash(ngx_conf_t *cf, const char *begin,
    const char *end, ngx_str_t *hash)
{
    u_char     *p, *q, *last;
    u_char      digest[SHA256_DIGEST_LENGTH];
    ngx_str_t   src;

    p = (u_char *) ngx_http_voicebridge_dashboard_page;
    last = p + ngx_http_voicebridge_dashboard_page_size;

    p = ngx_strlcasestrn(p, last, (u_char *) begin, ngx_strlen(begin) - 1);
    q = p ? ngx_strlcasestrn(p, last, (u_char *) end, ngx_strlen(end) - 1)
          : NULL;

    if (q == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "the dashboard's page has no \"%s\"", begin);
        return NGX_ERROR;
    }

    p += ngx_strlen(begin);

    (void) SHA256(p, q - p, digest);

    src.data = digest;
    src.len = sizeof(digest);

    hash->data = ngx_pnalloc(cf->pool, ngx_base64_encoded_length(src.len));
    if (hash->data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64(hash, &src);

    return NGX_OK;
}
