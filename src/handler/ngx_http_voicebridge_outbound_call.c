
/*
 * The request of the user's system that places a call (contract 1.1).  What
 * it asks for is checked here, in the contract's order; then Twilio is asked,
 * in ..._outbound_twilio.c.
 *
 * A step returns NGX_OK or the status to answer with and a detail.
 */


#include <ngx_http_voicebridge_outbound.h>

#include <vb_twiml.h>


/* bytes shown */
#define NGX_HTTP_VOICEBRIDGE_DENY_SIZE     512
#define NGX_HTTP_VOICEBRIDGE_SESSION_SIZE  128


static void ngx_http_voicebridge_outbound_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_voicebridge_outbound_order(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order, ngx_str_t *detail);
static ngx_int_t ngx_http_voicebridge_outbound_parse(ngx_http_request_t *r,
    vb_api_request_t *request, ngx_str_t *detail);
static void ngx_http_voicebridge_outbound_cleanup_parser(void *data);
static ngx_int_t ngx_http_voicebridge_outbound_feed(void *data,
    const u_char *piece, size_t len);
static ngx_int_t ngx_http_voicebridge_outbound_account(ngx_http_request_t *r,
    ngx_http_voicebridge_account_t *account, ngx_str_t *detail);
static ngx_int_t ngx_http_voicebridge_outbound_context(ngx_http_request_t *r,
    ngx_str_t *detail);
static ngx_int_t ngx_http_voicebridge_outbound_denied(ngx_http_request_t *r,
    ngx_str_t *detail);
static ngx_int_t ngx_http_voicebridge_outbound_call(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order, ngx_str_t *detail);
static ngx_int_t ngx_http_voicebridge_outbound_answer(ngx_http_request_t *r,
    ngx_int_t rc, ngx_str_t *detail);


ngx_int_t
ngx_http_voicebridge_outbound_call_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_http_voicebridge_taken_t  *taken;

    taken = ngx_http_voicebridge_admit(r);
    if (taken == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (taken->rc != NGX_OK) {
        return ngx_http_voicebridge_outbound_answer(r, taken->rc,
                                                    &taken->detail);
    }

    rc = ngx_http_read_client_request_body(r,
                                           ngx_http_voicebridge_outbound_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


ngx_int_t
ngx_http_voicebridge_outbound_call_admit(ngx_http_request_t *r,
    ngx_http_voicebridge_taken_t *taken)
{
    return ngx_http_voicebridge_outbound_admit(r, &taken->detail);
}


ngx_int_t
ngx_http_voicebridge_outbound_admit(ngx_http_request_t *r, ngx_str_t *detail)
{
    if (r->method != NGX_HTTP_POST) {
        ngx_str_set(detail, "Method not allowed, use POST");
        return NGX_HTTP_NOT_ALLOWED;
    }

    if (ngx_http_voicebridge_api_key(r) != NGX_OK) {
        ngx_str_set(detail, "Invalid or missing API key");
        return NGX_HTTP_UNAUTHORIZED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_voicebridge_outbound_call_parse(ngx_http_request_t *r,
    ngx_http_voicebridge_taken_t *taken)
{
    ngx_int_t                      rc;
    ngx_http_voicebridge_ctx_t    *ctx;
    ngx_http_voicebridge_order_t  *order;

    order = ngx_pcalloc(r->pool, sizeof(ngx_http_voicebridge_order_t));
    if (order == NULL) {
        return NGX_ERROR;
    }

    taken->data = order;

    rc = ngx_http_voicebridge_outbound_parse(r, &order->request,
                                             &taken->detail);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_http_voicebridge_ctx(r);

    ngx_str_set(&ctx->direction, "outbound");

    ctx->to = order->request.to_number;
    ctx->from = order->request.from_number;
    ctx->agent_id = order->request.agent_id;
    ctx->session_id = order->request.session_id;

    ctx->defaults = 1;

    return NGX_OK;
}


static void
ngx_http_voicebridge_outbound_body(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_str_t                      detail;
    ngx_http_voicebridge_taken_t  *taken;

    taken = ngx_http_voicebridge_parse(r);

    if (taken == NULL) {
        rc = NGX_ERROR;

    } else if (taken->rc != NGX_OK) {
        rc = taken->rc;
        detail = taken->detail;

    } else {
        rc = ngx_http_voicebridge_outbound_order(r, taken->data, &detail);
    }

    if (rc == NGX_OK) {

        /*
         * Twilio is being asked.  Whether the client is still there is not
         * watched meanwhile: the call cannot be taken back, and the access
         * log shall have its SID.
         */

        return;
    }

    ngx_http_finalize_request(r, rc == NGX_DONE
                  ? ngx_http_voicebridge_outbound_repeat(r, taken->data)
                  : ngx_http_voicebridge_outbound_answer(r, rc, &detail));
}


/* NGX_DONE: it was here before, and order->kept is its answer */

static ngx_int_t
ngx_http_voicebridge_outbound_order(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order, ngx_str_t *detail)
{
    ngx_int_t  rc;

    rc = ngx_http_voicebridge_outbound_context(r, detail);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_voicebridge_outbound_first(r, order, detail);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_voicebridge_outbound_denied(r, detail);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_voicebridge_outbound_account(r, &order->account, detail);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_voicebridge_outbound_call(r, order, detail);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_voicebridge_outbound_hold(r, order, detail);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_voicebridge_outbound_reserve(r, order, detail);

    if (rc == NGX_OK) {
        rc = ngx_http_voicebridge_outbound_place(r, order);

        if (rc != NGX_OK && order->once.zone) {
            ngx_http_voicebridge_idempotency_forget(order->once.zone,
                                                    &order->once.id);
        }
    }

    if (rc != NGX_OK) {
        ngx_http_voicebridge_hold_release(&order->hold);
    }

    return rc;
}


static ngx_int_t
ngx_http_voicebridge_outbound_parse(ngx_http_request_t *r,
    vb_api_request_t *request, ngx_str_t *detail)
{
    int                               have_agent;
    vb_api_parser_t                  *parser;
    ngx_pool_cleanup_t               *cln;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    parser = vb_api_parser_create(vlcf->max_json_depth);
    if (parser == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_voicebridge_outbound_cleanup_parser;
    cln->data = parser;

    if (ngx_http_voicebridge_body_each(r, ngx_http_voicebridge_outbound_feed,
                                       parser)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* a default may depend on the number, and is asked for when that is
     * known to be good */

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
ngx_http_voicebridge_outbound_feed(void *data, const u_char *piece, size_t len)
{
    return vb_api_parser_feed(data, piece, len) == VB_OK ? NGX_OK
                                                         : NGX_DECLINED;
}


/* what the request left to the location, and to us */

static ngx_int_t
ngx_http_voicebridge_outbound_context(ngx_http_request_t *r, ngx_str_t *detail)
{
    ngx_http_voicebridge_ctx_t  *ctx;

    if (ngx_http_voicebridge_defaults(r) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx = ngx_http_voicebridge_ctx(r);

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


/* voicebridge_deny: the first value that says something is why not */

static ngx_int_t
ngx_http_voicebridge_outbound_denied(ngx_http_request_t *r, ngx_str_t *detail)
{
    ngx_str_t                          why, to, session_id;
    ngx_uint_t                         i;
    ngx_http_complex_value_t         **deny;
    ngx_http_voicebridge_ctx_t        *ctx;
    ngx_http_voicebridge_loc_conf_t   *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (vlcf->deny == NULL) {
        return NGX_OK;
    }

    deny = vlcf->deny->elts;

    for (i = 0; /* void */; i++) {

        if (i == vlcf->deny->nelts) {
            return NGX_OK;
        }

        if (ngx_http_complex_value(r, deny[i], &why) != NGX_OK) {
            return NGX_ERROR;
        }

        if (why.len && (why.len > 1 || why.data[0] != '0')) {
            break;
        }
    }

    ctx = ngx_http_voicebridge_ctx(r);

    if (ngx_http_voicebridge_plain_text(r->pool, &why,
                                        NGX_HTTP_VOICEBRIDGE_DENY_SIZE, detail)
        != NGX_OK
        || ngx_http_voicebridge_masked(r->pool, &ctx->to, &to) != NGX_OK
        || ngx_http_voicebridge_plain_text(r->pool, &ctx->session_id,
                                           NGX_HTTP_VOICEBRIDGE_SESSION_SIZE,
                                           &session_id)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "Outbound call to %V, session %V, denied by "
                  "\"voicebridge_deny\": %V", &to, &session_id, detail);

    return NGX_HTTP_FORBIDDEN;
}


static ngx_int_t
ngx_http_voicebridge_outbound_account(ngx_http_request_t *r,
    ngx_http_voicebridge_account_t *account, ngx_str_t *detail)
{
    ngx_str_t                        *from;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (ngx_http_voicebridge_value(r, vlcf->account_sid, &account->sid)
        != NGX_OK
        || ngx_http_voicebridge_value(r, vlcf->auth_token, &account->token)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    from = &ngx_http_voicebridge_ctx(r)->from;

    if (account->sid.len && account->token.len && from->len) {
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


/* what Twilio is to do, and its TwiML */

static ngx_int_t
ngx_http_voicebridge_outbound_call(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order, ngx_str_t *detail)
{
    ngx_int_t                    rc;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_voicebridge_ctx(r);

    if (ngx_http_voicebridge_client_data(r, &order->request.client,
                                         &ctx->client_data)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_voicebridge_twiml(r, ctx,
                                    &order->request.dynamic_variables,
                                    VB_TWIML_MAX_REST, &order->call.twiml);

    if (rc == NGX_DECLINED) {
        ngx_str_set(detail, "agent_id, session_id, dynamic_variables and what "
                            "else the agent is told do not fit the call's "
                            "TwiML, which Twilio limits to 4000 characters");
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_voicebridge_outbound_options(r, order);
}


static ngx_int_t
ngx_http_voicebridge_outbound_answer(ngx_http_request_t *r, ngx_int_t rc,
    ngx_str_t *detail)
{
    if (rc == NGX_ERROR) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
        ngx_str_set(detail, "Internal error, see the server's error log");
    }

    if (rc == NGX_HTTP_NOT_ALLOWED
        && ngx_http_voicebridge_outbound_allow(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_voicebridge_send_detail(r, rc, detail);
}


ngx_int_t
ngx_http_voicebridge_outbound_allow(ngx_http_request_t *r)
{
    static ngx_str_t  allow = ngx_string("POST");

    return ngx_http_voicebridge_add_header(r, "Allow", &allow);
}
