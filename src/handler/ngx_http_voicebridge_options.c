
/*
 * How a call is placed and what its agent is told: what was asked for, and
 * where nothing was, what the location says.
 */


#include <ngx_http_voicebridge_outbound.h>

#include <vb_form.h>
#include <vb_json.h>


static ngx_int_t ngx_http_voicebridge_options_digits(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order);
static ngx_int_t ngx_http_voicebridge_options_machine(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order);
static ngx_int_t ngx_http_voicebridge_options_callback(ngx_http_request_t *r,
    vb_twilio_answered_t *decided, ngx_str_t *url);
static ngx_int_t ngx_http_voicebridge_options_client(ngx_http_request_t *r,
    vb_agent_client_t *given, vb_agent_client_t *client);
static ngx_int_t ngx_http_voicebridge_options_default(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv, ngx_str_t *value);


ngx_int_t
ngx_http_voicebridge_outbound_options(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order)
{
    vb_twilio_call_t                 *call;
    vb_api_request_t                 *request;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    call = &order->call;
    request = &order->request;

    call->to = request->to_number;
    call->from = ngx_http_voicebridge_ctx(r)->from;

    call->ring_timeout = request->ring_timeout
                         ? request->ring_timeout
                         : (uint32_t) vlcf->ring_timeout;

    call->record = request->record != VB_API_UNSET ? request->record
                                                   : (int) vlcf->record;

    if (ngx_http_voicebridge_options_digits(r, order) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_voicebridge_options_machine(r, order);
}


static ngx_int_t
ngx_http_voicebridge_options_digits(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order)
{
    ngx_str_t                        *digits;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    digits = &order->call.send_digits;
    *digits = order->request.send_digits;

    /* who asks for a detection wants it more than a location's digits */

    if (order->request.machine_detection <= VB_TWILIO_DETECTION_OFF
        && ngx_http_voicebridge_options_default(r, vlcf->send_digits, digits)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (digits->len && !vb_twilio_digits(digits)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "\"voicebridge_send_digits\" must be 1 to 32 of 0-9, "
                      "A-D, #, *, w and W");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_options_machine(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order)
{
    vb_twilio_call_t                 *call;
    vb_twilio_answered_t              decided;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    call = &order->call;

    call->detection = order->request.machine_detection != VB_API_UNSET
                      ? order->request.machine_detection
                      : (int) vlcf->machine_detection;

    /* Twilio detects nothing where digits are sent */

    if (call->send_digits.len) {
        call->detection = VB_TWILIO_DETECTION_OFF;
    }

    if (call->detection == VB_TWILIO_DETECTION_OFF) {
        return NGX_OK;
    }

    vb_twilio_decide(&decided, &order->request.answered_by,
                     &vlcf->answered_by);

    return ngx_http_voicebridge_options_callback(r, &decided,
                                                 &call->machine_callback);
}


/*
 * What was decided comes back with the query, which Twilio signs, so that any
 * worker of any server can do it; and so does what a message may depend on.
 */

static ngx_int_t
ngx_http_voicebridge_options_callback(ngx_http_request_t *r,
    vb_twilio_answered_t *decided, ngx_str_t *url)
{
    u_char                           *p;
    size_t                            len, n;
    ngx_str_t                         base;
    ngx_http_voicebridge_ctx_t       *ctx;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);
    ctx = ngx_http_voicebridge_ctx(r);

    if (ngx_http_voicebridge_public_url(r, &base) != NGX_OK) {
        return NGX_ERROR;
    }

    len = base.len + vlcf->call_status_path.len
          + sizeof("?&agent_id=&session_id=")
          + vb_twilio_decided(NULL, decided)
          + 3 * ctx->agent_id.len + 3 * ctx->session_id.len;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    url->data = p;

    p = ngx_sprintf(p, "%V%V?", &base, &vlcf->call_status_path);

    n = vb_twilio_decided(p, decided);
    p += n;

    p = ngx_sprintf(p, "%sagent_id=", n ? "&" : "");
    p += vb_form_escape(p, ctx->agent_id.data, ctx->agent_id.len);
    p = ngx_cpymem(p, "&session_id=", sizeof("&session_id=") - 1);
    p += vb_form_escape(p, ctx->session_id.data, ctx->session_id.len);

    url->len = p - url->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_voicebridge_client_data(ngx_http_request_t *r,
    vb_agent_client_t *given, ngx_str_t *text)
{
    vb_agent_client_t                 client;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    ngx_memzero(&client, sizeof(vb_agent_client_t));

    if (given) {
        client = *given;
    }

    if (ngx_http_voicebridge_options_default(r, vlcf->override,
                                        &client.conversation_config_override)
        != NGX_OK
        || ngx_http_voicebridge_options_default(r, vlcf->user_id,
                                                &client.user_id)
           != NGX_OK
        || ngx_http_voicebridge_options_default(r, vlcf->environment,
                                                &client.environment)
           != NGX_OK
        || ngx_http_voicebridge_options_default(r, vlcf->branch_id,
                                                &client.branch_id)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_voicebridge_options_client(r, given, &client) != NGX_OK) {
        return NGX_ERROR;
    }

    text->len = vb_agent_client_write(NULL, &client);

    if (text->len == 0) {
        ngx_str_null(text);
        return NGX_OK;
    }

    text->data = ngx_pnalloc(r->pool, text->len);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    (void) vb_agent_client_write(text->data, &client);

    return NGX_OK;
}


/* what was given has been looked at; what a variable holds has not */

static ngx_int_t
ngx_http_voicebridge_options_client(ngx_http_request_t *r,
    vb_agent_client_t *given, vb_agent_client_t *client)
{
    if ((given == NULL || given->conversation_config_override.len == 0)
        && client->conversation_config_override.len
        && vb_json_check(&client->conversation_config_override,
                         VB_JSON_OBJECT)
           != VB_OK)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "\"voicebridge_conversation_config_override\" must be a "
                      "JSON object");
        return NGX_ERROR;
    }

    if (!vb_agent_is_id(&client->user_id)
        || !vb_agent_is_id(&client->environment)
        || !vb_agent_is_id(&client->branch_id))
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "\"voicebridge_user_id\", \"voicebridge_environment\" or "
                      "\"voicebridge_branch_id\" has more than 256 bytes, a "
                      "control character or is not UTF-8");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the location's value, unless there is one */

static ngx_int_t
ngx_http_voicebridge_options_default(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv, ngx_str_t *value)
{
    return value->len ? NGX_OK : ngx_http_voicebridge_value(r, cv, value);
}
