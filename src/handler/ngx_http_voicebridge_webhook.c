
/* Takes a request of Twilio's in: method, signature, form */


#include <ngx_http_voicebridge_webhook.h>
#include <vb_twilio_call.h>


static u_char *ngx_http_voicebridge_webhook_log(ngx_http_request_t *r,
    ngx_http_request_t *sr, u_char *buf, size_t len);
static ngx_int_t ngx_http_voicebridge_webhook_form(ngx_http_request_t *r,
    ngx_str_t *form);
static ngx_int_t ngx_http_voicebridge_webhook_type(ngx_http_request_t *r);
static ngx_int_t ngx_http_voicebridge_webhook_body(ngx_http_request_t *r,
    ngx_str_t *form);
static ngx_int_t ngx_http_voicebridge_webhook_piece(void *data,
    const u_char *piece, size_t len);
static ngx_http_voicebridge_ctx_t *ngx_http_voicebridge_webhook_ctx(
    ngx_http_request_t *r, vb_form_field_t *fields, ngx_uint_t n);


ngx_int_t
ngx_http_voicebridge_webhook(ngx_http_request_t *r,
    ngx_http_client_body_handler_pt post_handler)
{
    ngx_int_t                      rc;
    ngx_http_voicebridge_taken_t  *taken;

    static ngx_str_t  allow = ngx_string("GET, POST");

    taken = ngx_http_voicebridge_admit(r);

    rc = taken ? taken->rc : NGX_HTTP_INTERNAL_SERVER_ERROR;

    if (rc == NGX_HTTP_NOT_ALLOWED
        && ngx_http_voicebridge_add_header(r, "Allow", &allow) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_read_client_request_body(r, post_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


ngx_int_t
ngx_http_voicebridge_webhook_admit(ngx_http_request_t *r,
    ngx_http_voicebridge_taken_t *taken)
{
    ngx_int_t  rc;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    r->log_handler = ngx_http_voicebridge_webhook_log;

    rc = ngx_http_voicebridge_signature_present(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (r->headers_in.content_length_n > NGX_HTTP_VOICEBRIDGE_WEBHOOK_MAX) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    return ngx_http_voicebridge_webhook_type(r);
}


/*
 * What core adds to a line of the error log, but for the query: a webhook's
 * has phone numbers in it.
 */

static u_char *
ngx_http_voicebridge_webhook_log(ngx_http_request_t *r, ngx_http_request_t *sr,
    u_char *buf, size_t len)
{
    u_char                    *p, *last;
    ngx_str_t                  path;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    path = r->unparsed_uri;

    p = ngx_strlchr(path.data, path.data + path.len, '?');

    if (p) {
        path.len = p - path.data;
    }

    last = buf + len;

    p = ngx_slprintf(buf, last, ", server: %V, request: \"%V %V\"",
                     &cscf->server_name, &r->method_name, &path);

    if (r->headers_in.host) {
        p = ngx_slprintf(p, last, ", host: \"%V\"",
                         &r->headers_in.host->value);
    }

    return p;
}


static ngx_int_t
ngx_http_voicebridge_webhook_type(ngx_http_request_t *r)
{
    size_t      len;
    ngx_str_t  *type;

    if (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked) {
        return NGX_OK;
    }

    if (r->headers_in.content_type == NULL) {
        return NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
    }

    type = &r->headers_in.content_type->value;
    len = sizeof("application/x-www-form-urlencoded") - 1;

    if (type->len < len
        || ngx_strncasecmp(type->data,
                           (u_char *) "application/x-www-form-urlencoded", len)
           != 0)
    {
        return NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
    }

    if (type->len > len && type->data[len] != ';' && type->data[len] != ' ') {
        return NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
    }

    return NGX_OK;
}


void
ngx_http_voicebridge_webhook_run(ngx_http_request_t *r,
    ngx_http_voicebridge_webhook_pt handler)
{
    ngx_int_t                      rc;
    ngx_http_voicebridge_taken_t  *taken;

    r->connection->log->action = "answering a webhook";

    taken = ngx_http_voicebridge_parse(r);

    rc = taken ? taken->rc : NGX_HTTP_INTERNAL_SERVER_ERROR;

    if (rc == NGX_OK) {
        rc = handler(r, taken->data, taken->nfields);
    }

    if (rc != NGX_AGAIN) {
        ngx_http_finalize_request(r, rc);
    }
}


ngx_http_voicebridge_ctx_t *
ngx_http_voicebridge_webhook_parse(ngx_http_request_t *r,
    ngx_http_voicebridge_taken_t *taken)
{
    ssize_t           n;
    ngx_str_t         form;
    vb_form_field_t  *fields;

    taken->rc = ngx_http_voicebridge_webhook_form(r, &form);

    if (taken->rc != NGX_OK) {
        return NULL;
    }

    fields = ngx_palloc(r->pool, VB_FORM_MAX_FIELDS * sizeof(vb_form_field_t));
    if (fields == NULL) {
        taken->rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
        return NULL;
    }

    n = vb_form_parse(fields, VB_FORM_MAX_FIELDS, form.data, form.len);

    if (n < 0) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "the request's form has too many fields or a broken "
                      "percent escape");
        taken->rc = NGX_HTTP_BAD_REQUEST;
        return NULL;
    }

    /* what is in the query is signed with the URL */

    taken->rc = ngx_http_voicebridge_check_signature(r, fields,
                                                     r->method == NGX_HTTP_POST
                                                     ? n : 0,
                                                     0);
    if (taken->rc != NGX_OK) {
        return NULL;
    }

    taken->data = fields;
    taken->nfields = n;

    return ngx_http_voicebridge_webhook_ctx(r, fields, n);
}


/* a writable copy of the form or of the query */

static ngx_int_t
ngx_http_voicebridge_webhook_form(ngx_http_request_t *r, ngx_str_t *form)
{
    if (r->method == NGX_HTTP_POST) {
        return ngx_http_voicebridge_webhook_body(r, form);
    }

    if (r->args.len == 0) {
        ngx_str_null(form);
        return NGX_OK;
    }

    if (r->args.len > NGX_HTTP_VOICEBRIDGE_WEBHOOK_MAX) {
        return NGX_HTTP_REQUEST_URI_TOO_LARGE;
    }

    form->len = r->args.len;
    form->data = ngx_pnalloc(r->pool, r->args.len);

    if (form->data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(form->data, r->args.data, r->args.len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_webhook_body(ngx_http_request_t *r, ngx_str_t *form)
{
    off_t  len;

    len = ngx_http_voicebridge_body_length(r);

    if (len > NGX_HTTP_VOICEBRIDGE_WEBHOOK_MAX) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    form->len = 0;
    form->data = ngx_pnalloc(r->pool, (size_t) len);

    if (form->data == NULL
        || ngx_http_voicebridge_body_each(r,
                                          ngx_http_voicebridge_webhook_piece,
                                          form)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_webhook_piece(void *data, const u_char *piece, size_t len)
{
    ngx_str_t *form = data;

    ngx_memcpy(form->data + form->len, piece, len);
    form->len += len;

    return NGX_OK;
}


ngx_str_t
ngx_http_voicebridge_webhook_field(vb_form_field_t *fields, ngx_uint_t n,
    const char *name)
{
    const vb_form_field_t  *f;

    static ngx_str_t  empty = ngx_null_string;

    f = vb_form_find(fields, n, name);

    return f ? f->value : empty;
}


/* of what looks like a SID only one of Twilio's shape is taken */

static ngx_http_voicebridge_ctx_t *
ngx_http_voicebridge_webhook_ctx(ngx_http_request_t *r,
    vb_form_field_t *fields, ngx_uint_t n)
{
    ngx_str_t                    sid, direction;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_voicebridge_ctx(r);

    sid = ngx_http_voicebridge_webhook_field(fields, n, "CallSid");

    if (vb_twilio_sid(&sid, "CA")) {
        ctx->call_sid = sid;
    }

    ctx->from = ngx_http_voicebridge_webhook_field(fields, n, "From");
    ctx->to = ngx_http_voicebridge_webhook_field(fields, n, "To");
    ctx->status = ngx_http_voicebridge_webhook_field(fields, n, "CallStatus");

    /* "inbound", "outbound-api", "outbound-dial" */

    direction = ngx_http_voicebridge_webhook_field(fields, n, "Direction");

    if (direction.len >= sizeof("outbound") - 1
        && ngx_strncmp(direction.data, "outbound", sizeof("outbound") - 1) == 0)
    {
        ngx_str_set(&ctx->direction, "outbound");

    } else if (direction.len) {
        ngx_str_set(&ctx->direction, "inbound");
    }

    return ctx;
}
