
/*
 * The request of the user's system that places a call (contract 1.1).  What
 * it asks for is checked here, in the contract's order; then Twilio is asked,
 * in ..._outbound_twilio.c.
 *
 * A step returns NGX_OK or the status to answer with and a detail.
 */


#include <ngx_http_voicebridge_outbound.h>

#include <vb_api_request.h>
#include <vb_twiml.h>

#include <openssl/crypto.h>


#define NGX_HTTP_VOICEBRIDGE_READ_SIZE  4096


static ngx_int_t ngx_http_voicebridge_outbound_key(ngx_http_request_t *r);
static void ngx_http_voicebridge_outbound_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_voicebridge_outbound_call(ngx_http_request_t *r,
    ngx_str_t *detail);
static ngx_int_t ngx_http_voicebridge_outbound_parse(ngx_http_request_t *r,
    vb_api_request_t *request, ngx_str_t *detail);
static void ngx_http_voicebridge_outbound_cleanup_parser(void *data);
static ngx_int_t ngx_http_voicebridge_outbound_feed(ngx_http_request_t *r,
    vb_api_parser_t *parser);
static ngx_int_t ngx_http_voicebridge_outbound_feed_file(ngx_buf_t *b,
    vb_api_parser_t *parser);
static ngx_int_t ngx_http_voicebridge_outbound_account(ngx_http_request_t *r,
    ngx_http_voicebridge_account_t *account, ngx_str_t *detail);
static ngx_int_t ngx_http_voicebridge_outbound_context(ngx_http_request_t *r,
    vb_api_request_t *request, ngx_str_t *detail);
static ngx_int_t ngx_http_voicebridge_outbound_answer(ngx_http_request_t *r,
    ngx_int_t rc, ngx_str_t *detail);


ngx_int_t
ngx_http_voicebridge_outbound_call_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;
    ngx_str_t  detail;

    rc = ngx_http_voicebridge_outbound_admit(r, &detail);

    if (rc != NGX_OK) {
        return ngx_http_voicebridge_outbound_answer(r, rc, &detail);
    }

    rc = ngx_http_read_client_request_body(r,
                                           ngx_http_voicebridge_outbound_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


ngx_int_t
ngx_http_voicebridge_outbound_admit(ngx_http_request_t *r, ngx_str_t *detail)
{
    static ngx_str_t  allow = ngx_string("POST");

    if (r->method != NGX_HTTP_POST) {
        if (ngx_http_voicebridge_add_header(r, "Allow", &allow) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_str_set(detail, "Method not allowed, use POST");
        return NGX_HTTP_NOT_ALLOWED;
    }

    if (ngx_http_voicebridge_outbound_key(r) != NGX_OK) {
        ngx_str_set(detail, "Invalid or missing API key");
        return NGX_HTTP_UNAUTHORIZED;
    }

    return NGX_OK;
}


/* all keys are looked at, and each in constant time */

static ngx_int_t
ngx_http_voicebridge_outbound_key(ngx_http_request_t *r)
{
    ngx_str_t                        *given, *key;
    ngx_uint_t                        i, good;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    static ngx_str_t  name = ngx_string("x-api-key");

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (vlcf->api_keys_off) {
        return NGX_OK;
    }

    given = ngx_http_voicebridge_header(r, &name);

    if (given == NULL || vlcf->api_keys == NULL) {
        return NGX_DECLINED;
    }

    good = 0;
    key = vlcf->api_keys->elts;

    for (i = 0; i < vlcf->api_keys->nelts; i++) {

        if (key[i].len == given->len
            && CRYPTO_memcmp(key[i].data, given->data, given->len) == 0)
        {
            good = 1;
        }
    }

    return good ? NGX_OK : NGX_DECLINED;
}


static void
ngx_http_voicebridge_outbound_body(ngx_http_request_t *r)
{
    ngx_int_t  rc;
    ngx_str_t  detail;

    rc = ngx_http_voicebridge_outbound_call(r, &detail);

    if (rc == NGX_OK) {

        /*
         * Twilio is being asked.  Whether the client is still there is not
         * watched meanwhile: the call cannot be taken back, and the access
         * log shall have its SID.
         */

        return;
    }

    ngx_http_finalize_request(r,
                        ngx_http_voicebridge_outbound_answer(r, rc, &detail));
}


static ngx_int_t
ngx_http_voicebridge_outbound_call(ngx_http_request_t *r, ngx_str_t *detail)
{
    ngx_int_t                        rc;
    ngx_str_t                        twiml;
    vb_api_request_t                 request;
    vb_twilio_call_t                 call;
    ngx_http_voicebridge_account_t   account;

    rc = ngx_http_voicebridge_outbound_parse(r, &request, detail);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_voicebridge_outbound_context(r, &request, detail);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_voicebridge_outbound_account(r, &account, detail);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_voicebridge_twiml(r, ngx_http_voicebridge_ctx(r),
                                    &request.dynamic_variables,
                                    VB_TWIML_MAX_REST, &twiml);

    if (rc == NGX_DECLINED) {
        ngx_str_set(detail, "agent_id, session_id and dynamic_variables do not "
                            "fit the call's TwiML, which Twilio limits to 4000 "
                            "characters");
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&call, sizeof(vb_twilio_call_t));

    call.to = request.to_number;
    call.from = account.number;
    call.twiml = twiml;

    return ngx_http_voicebridge_outbound_place(r, &call, &account);
}


static ngx_int_t
ngx_http_voicebridge_outbound_parse(ngx_http_request_t *r,
    vb_api_request_t *request, ngx_str_t *detail)
{
    int                               have_agent;
    vb_api_parser_t                  *parser;
    ngx_pool_cleanup_t               *cln;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    parser = vb_api_parser_create();
    if (parser == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_voicebridge_outbound_cleanup_parser;
    cln->data = parser;

    if (ngx_http_voicebridge_outbound_feed(r, parser) != NGX_OK) {
        return NGX_ERROR;
    }

    /* a default may depend on the number, and is asked for when that is
     * known to be good */

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    have_agent = (vlcf->agent && vlcf->agent->value.len);

    if (vb_api_parser_finish(parser, have_agent, request, detail) != VB_OK) {
        return NGX_HTTP_BAD_REQUEST;
    }

    return NGX_OK;
}


static void
ngx_http_voicebridge_outbound_cleanup_parser(void *data)
{
    vb_api_parser_destroy(data);
}


/* a piece the parser does not like is reported by vb_api_parser_finish() */

static ngx_int_t
ngx_http_voicebridge_outbound_feed(ngx_http_request_t *r,
    vb_api_parser_t *parser)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            rc = vb_api_parser_feed(parser, b->pos, b->last - b->pos) == VB_OK
                 ? NGX_OK : NGX_DECLINED;

        } else if (b->in_file) {
            rc = ngx_http_voicebridge_outbound_feed_file(b, parser);

        } else {
            continue;
        }

        if (rc != NGX_OK) {
            return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_outbound_feed_file(ngx_buf_t *b, vb_api_parser_t *parser)
{
    off_t    offset;
    u_char   buf[NGX_HTTP_VOICEBRIDGE_READ_SIZE];
    ssize_t  n;

    for (offset = b->file_pos; offset < b->file_last; offset += n) {

        n = ngx_read_file(b->file, buf,
                          (size_t) ngx_min(b->file_last - offset,
                                           NGX_HTTP_VOICEBRIDGE_READ_SIZE),
                          offset);

        if (n <= 0) {
            return NGX_ERROR;
        }

        if (vb_api_parser_feed(parser, buf, n) != VB_OK) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* what the call is about, for its TwiML and for variables */

static ngx_int_t
ngx_http_voicebridge_outbound_context(ngx_http_request_t *r,
    vb_api_request_t *request, ngx_str_t *detail)
{
    ngx_http_voicebridge_ctx_t       *ctx;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    ctx = ngx_http_voicebridge_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    ngx_str_set(&ctx->direction, "outbound");

    ctx->to = request->to_number;
    ctx->agent_id = request->agent_id;
    ctx->session_id = request->session_id;

    if (ngx_http_voicebridge_value(r, vlcf->phone_number, &ctx->from)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->agent_id.len == 0
        && ngx_http_voicebridge_value(r, vlcf->agent, &ctx->agent_id)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->agent_id.len == 0) {
        ngx_str_set(detail, "agent_id is required");
        return NGX_HTTP_BAD_REQUEST;
    }

    if (ctx->session_id.len == 0
        && ngx_http_voicebridge_session_id(r, &ctx->session_id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_outbound_account(ngx_http_request_t *r,
    ngx_http_voicebridge_account_t *account, ngx_str_t *detail)
{
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (ngx_http_voicebridge_value(r, vlcf->account_sid, &account->sid)
        != NGX_OK
        || ngx_http_voicebridge_value(r, vlcf->auth_token, &account->token)
           != NGX_OK
        || ngx_http_voicebridge_value(r, vlcf->phone_number, &account->number)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (account->sid.len && account->token.len && account->number.len) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "Twilio credentials not configured: no \"%s\"",
                  account->sid.len == 0 ? "voicebridge_twilio_account_sid"
                  : account->token.len == 0 ? "voicebridge_twilio_auth_token"
                  : "voicebridge_twilio_phone_number");

    ngx_str_set(detail, "Twilio credentials not configured");

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static ngx_int_t
ngx_http_voicebridge_outbound_answer(ngx_http_request_t *r, ngx_int_t rc,
    ngx_str_t *detail)
{
    if (rc == NGX_ERROR) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
        ngx_str_set(detail, "Internal error, see the server's error log");
    }

    return ngx_http_voicebridge_send_detail(r, rc, detail);
}
