
/*
 * Twilio's voice webhook: somebody calls, and the answer is TwiML that opens
 * a media stream (contract 1.2).
 */


#include <ngx_http_voicebridge_incoming.h>
#include <vb_twiml.h>


static void ngx_http_voicebridge_incoming_call_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_voicebridge_incoming_call(ngx_http_request_t *r,
    vb_form_field_t *fields, ngx_uint_t n);
static ngx_int_t ngx_http_voicebridge_incoming_twiml(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, vb_agent_looked_up_t *found,
    ngx_str_t *twiml);
static ngx_int_t ngx_http_voicebridge_incoming_log(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx);


ngx_int_t
ngx_http_voicebridge_incoming_call_handler(ngx_http_request_t *r)
{
    return ngx_http_voicebridge_webhook(r,
                                      ngx_http_voicebridge_incoming_call_body);
}


static void
ngx_http_voicebridge_incoming_call_body(ngx_http_request_t *r)
{
    ngx_http_voicebridge_webhook_run(r, ngx_http_voicebridge_incoming_call);
}


ngx_int_t
ngx_http_voicebridge_incoming_call_parse(ngx_http_request_t *r,
    ngx_http_voicebridge_taken_t *taken)
{
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = ngx_http_voicebridge_webhook_parse(r, taken);
    if (ctx == NULL) {
        return taken->rc;
    }

    /* whatever Twilio calls it, to the agent this call comes in */

    ngx_str_set(&ctx->direction, "inbound");

    ctx->defaults = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_incoming_call(ngx_http_request_t *r,
    vb_form_field_t *fields, ngx_uint_t n)
{
    /* may be a map on a number, which is therefore known by now */

    if (ngx_http_voicebridge_defaults(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_voicebridge_caller_lookup(r);
}


ngx_int_t
ngx_http_voicebridge_incoming_answer(ngx_http_request_t *r,
    vb_agent_looked_up_t *found)
{
    ngx_int_t                    rc;
    ngx_str_t                    twiml, agent_id;
    ngx_http_voicebridge_ctx_t  *ctx;

    static ngx_str_t  type = ngx_string("text/xml");

    ctx = ngx_http_voicebridge_ctx(r);

    agent_id = ctx->agent_id;

    rc = ngx_http_voicebridge_incoming_twiml(r, ctx, found, &twiml);

    if (rc == NGX_DECLINED && found) {
        ctx->agent_id = agent_id;
        return NGX_DECLINED;
    }

    if (rc != NGX_OK || ngx_http_voicebridge_incoming_log(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_voicebridge_placed(r, ctx, NGX_HTTP_VOICEBRIDGE_STEP_INCOMING,
                                NULL);

    return ngx_http_voicebridge_send(r, NGX_HTTP_OK, &type, &twiml);
}


/* NGX_DECLINED: it does not fit */

static ngx_int_t
ngx_http_voicebridge_incoming_twiml(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, vb_agent_looked_up_t *found,
    ngx_str_t *twiml)
{
    ngx_str_t  variables;

    ngx_str_null(&variables);

    if (found) {
        variables = found->dynamic_variables;

        if (found->agent_id.len) {
            ctx->agent_id.len = found->agent_id.len;
            ctx->agent_id.data = ngx_pstrdup(r->pool, &found->agent_id);

            if (ctx->agent_id.data == NULL) {
                return NGX_ERROR;
            }
        }
    }

    if (ngx_http_voicebridge_client_data(r, found ? &found->client : NULL,
                                         &ctx->client_data)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->session_id.len == 0
        && ngx_http_voicebridge_session_id(r, &ctx->session_id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_voicebridge_twiml(r, ctx, &variables, VB_TWIML_MAX_WEBHOOK,
                                      twiml);
}


/* NGX_DECLINED: no agent is known, the number's fallback URL shall run */

static ngx_int_t
ngx_http_voicebridge_incoming_log(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx)
{
    ngx_str_t  sid, from, to;

    static ngx_str_t  none = ngx_string("-");

    if (ngx_http_voicebridge_masked(r->pool, &ctx->from, &from) != NGX_OK
        || ngx_http_voicebridge_masked(r->pool, &ctx->to, &to) != NGX_OK)
    {
        return NGX_ERROR;
    }

    sid = ctx->call_sid.len ? ctx->call_sid : none;
    from = from.len ? from : none;
    to = to.len ? to : none;

    if (ctx->agent_id.len == 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "no agent for the incoming call %V from %V to %V: set "
                      "\"voicebridge_agent\", which may be a map on "
                      "$voicebridge_to or $voicebridge_from",
                      &sid, &from, &to);
        return NGX_DECLINED;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "Incoming call %V from %V to %V for agent %V",
                  &sid, &from, &to, &ctx->agent_id);

    return NGX_OK;
}
