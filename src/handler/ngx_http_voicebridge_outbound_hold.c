
/* voicebridge_max_agent_calls: whether the agent may have one call more */


#include <ngx_http_voicebridge_outbound.h>


/* seconds for which a call may take its time beyond Twilio's; bytes shown */
#define NGX_HTTP_VOICEBRIDGE_HOLD_WAIT   5
#define NGX_HTTP_VOICEBRIDGE_HOLD_AGENT  128


static ngx_int_t ngx_http_voicebridge_hold_log(ngx_http_request_t *r,
    ngx_int_t rc);


ngx_int_t
ngx_http_voicebridge_outbound_hold(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order, ngx_str_t *detail)
{
    u_char                            *p;
    ngx_int_t                          rc;
    ngx_http_voicebridge_loc_conf_t   *vlcf;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);
    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);

    if (vlcf->max_agent_calls == 0) {
        return NGX_OK;
    }

    rc = ngx_http_voicebridge_hold_take(&order->hold, vmcf->zone,
                                        &ngx_http_voicebridge_ctx(r)->agent_id,
                                        vlcf->max_agent_calls,
                                        vlcf->twilio_timeout
                                        + NGX_HTTP_VOICEBRIDGE_HOLD_WAIT
                                          * 1000);
    if (rc == NGX_OK) {
        return NGX_OK;
    }

    if (ngx_http_voicebridge_hold_log(r, rc) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rc == NGX_BUSY) {
        ngx_str_set(detail, "Too many calls are being placed at the moment");

    } else {
        p = ngx_pnalloc(r->pool, sizeof("The agent has  calls, no more are "
                                        "placed at the moment (see "
                                        "voicebridge_max_agent_calls)") - 1
                                 + NGX_INT_T_LEN);
        if (p == NULL) {
            return NGX_ERROR;
        }

        detail->data = p;
        detail->len = ngx_sprintf(p, "The agent has %i calls, no more are "
                                     "placed at the moment (see "
                                     "voicebridge_max_agent_calls)",
                                  vlcf->max_agent_calls)
                      - p;
    }

    return ngx_http_voicebridge_outbound_later(r, NGX_HTTP_TOO_MANY_REQUESTS,
                                               "5");
}


static ngx_int_t
ngx_http_voicebridge_hold_log(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_str_t                         agent_id, to;
    ngx_http_voicebridge_ctx_t       *ctx;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);
    ctx = ngx_http_voicebridge_ctx(r);

    if (ngx_http_voicebridge_masked(r->pool, &ctx->to, &to) != NGX_OK
        || ngx_http_voicebridge_plain_text(r->pool, &ctx->agent_id,
                                           NGX_HTTP_VOICEBRIDGE_HOLD_AGENT,
                                           &agent_id)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (rc == NGX_BUSY) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "Outbound call to %V is not placed: Twilio is being "
                      "asked for %d calls already, or \"voicebridge_zone\" is "
                      "full: no more are counted",
                      &to, NGX_HTTP_VOICEBRIDGE_HOLDS);
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "Outbound call to %V is not placed: agent %V has %i calls, "
                  "see \"voicebridge_max_agent_calls\"",
                  &to, &agent_id, vlcf->max_agent_calls);

    return NGX_OK;
}
