
/* The way to the agent, and the end of its connection */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <vb_agent_client.h>
#include <vb_agent_message.h>
#include <vb_form.h>
#include <vb_mask.h>
#include <vb_utf8.h>

#include <ngx_http_voicebridge_call.h>


#define NGX_HTTP_VOICEBRIDGE_CONVERSATION  "/v1/convai/conversation"


static ngx_int_t ngx_http_voicebridge_agent_key(ngx_pool_t *pool,
    ngx_str_t *key, ngx_str_t *header);
static ngx_int_t ngx_http_voicebridge_agent_signed_url(
    ngx_http_voicebridge_call_t *call, ngx_str_t *key);
static void ngx_http_voicebridge_agent_signed_url_done(
    ngx_http_voicebridge_fetch_t *f);
static void ngx_http_voicebridge_agent_signed_url_take(
    ngx_http_voicebridge_call_t *call, ngx_str_t *answer);
static ngx_int_t ngx_http_voicebridge_agent_url(
    ngx_http_voicebridge_call_t *call, const char *path, ngx_str_t *url);
static void ngx_http_voicebridge_agent_open(ngx_http_voicebridge_call_t *call,
    ngx_str_t *url, ngx_str_t *header);
static void ngx_http_voicebridge_agent_retry(ngx_http_voicebridge_call_t *call,
    const char *why, const char *more);
static ngx_int_t ngx_http_voicebridge_agent_initiate(
    ngx_http_voicebridge_call_t *call);
static void ngx_http_voicebridge_agent_closed(
    ngx_http_voicebridge_call_t *call, vb_ws_event_t *ev);


void
ngx_http_voicebridge_agent_connect(ngx_http_voicebridge_call_t *call)
{
    ngx_str_t            key, url, header;
    ngx_http_request_t  *r;

    r = call->request;

    call->state = NGX_HTTP_VOICEBRIDGE_CONNECTING;

    ngx_http_voicebridge_report(call, NGX_HTTP_VOICEBRIDGE_STEP_CONNECTING,
                                0);

    ngx_log_error(NGX_LOG_INFO, ngx_http_voicebridge_call_log(call), 0,
                  "call %V: Connecting to ElevenLabs agent \"%V\"",
                  &call->ctx->call_sid, &call->ctx->agent_id);

    if (ngx_http_voicebridge_value(r, call->conf->elevenlabs_api_key, &key)
        != NGX_OK)
    {
        goto failed;
    }

    if (call->conf->elevenlabs_auth == NGX_HTTP_VOICEBRIDGE_AUTH_SIGNED_URL) {
        if (ngx_http_voicebridge_agent_signed_url(call, &key) != NGX_OK) {
            goto failed;
        }

        return;
    }

    if (ngx_http_voicebridge_agent_url(call, NGX_HTTP_VOICEBRIDGE_CONVERSATION,
                                       &url)
        != NGX_OK)
    {
        goto failed;
    }

    ngx_str_null(&header);

    if (call->conf->elevenlabs_auth == NGX_HTTP_VOICEBRIDGE_AUTH_HEADER
        && ngx_http_voicebridge_agent_key(r->pool, &key, &header) != NGX_OK)
    {
        goto failed;
    }

    ngx_http_voicebridge_agent_open(call, &url, &header);

    return;

failed:

    ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR,
                             "no memory");
}


void
ngx_http_voicebridge_agent_opened(ngx_http_voicebridge_call_t *call)
{
    char                                status[32];
    ngx_http_voicebridge_agent_peer_t  *peer;

    peer = &call->peer;

    ngx_http_voicebridge_call_set_handlers(call);

    if (call->cause != NGX_HTTP_VOICEBRIDGE_END_NONE) {
        return;
    }

    if (peer->state == NGX_HTTP_VOICEBRIDGE_PEER_FAILED) {
        status[0] = '\0';

        if (peer->status) {
            *ngx_sprintf((u_char *) status, ", status %ui", peer->status)
                                                                      = '\0';
        }

        ngx_http_voicebridge_report_failure(call, "elevenlabs", peer->failure);
        ngx_http_voicebridge_agent_retry(call, peer->error, status);
        return;
    }

    ngx_http_voicebridge_leg_init(&call->agent, peer->connection, 1,
                                  call->conf->max_message_size);

    if (ngx_http_voicebridge_leg_preread(&call->agent, peer->preread.data,
                                         peer->preread.len)
        != NGX_OK
        || ngx_http_voicebridge_agent_initiate(call) != NGX_OK)
    {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR,
                                 "no memory");
        return;
    }

    call->state = NGX_HTTP_VOICEBRIDGE_INITIATED;
    ngx_http_voicebridge_report(call, NGX_HTTP_VOICEBRIDGE_STEP_INITIATED, 0);

    if (ngx_exiting) {

        /* core has told the idle connections already, this is a new one */

        ngx_http_voicebridge_call_handoff(call, call->accepted);
    }

    ngx_log_error(NGX_LOG_INFO, ngx_http_voicebridge_call_log(call), 0,
                  "call %V: Sent initialization to ElevenLabs",
                  &call->ctx->call_sid);
}


void
ngx_http_voicebridge_agent_closing(ngx_http_voicebridge_agent_peer_t *peer)
{
    ngx_http_voicebridge_call_t  *call;

    call = peer->data;

    if (call->agent.connection == NULL) {
        return;
    }

    (void) ngx_http_voicebridge_leg_close(&call->agent, VB_WS_GOING_AWAY,
                                          NULL);
    (void) ngx_http_voicebridge_leg_flush(&call->agent);

    ngx_http_voicebridge_leg_free(&call->agent);

    call->speech.len = 0;
    call->agent_closing = 0;
}


void
ngx_http_voicebridge_agent_event(ngx_http_voicebridge_call_t *call,
    vb_ws_event_t *ev)
{
    uint32_t   state;
    ngx_int_t  rc;

    switch (ev->opcode) {

    case VB_WS_PING:
        rc = ngx_http_voicebridge_leg_urgent(&call->agent, VB_WS_PONG,
                                             ev->payload.data,
                                             ev->payload.len);

        if (rc != NGX_OK) {
            ngx_http_voicebridge_end(call,
                                   NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR,
                                   "no memory");
        }

        return;

    case VB_WS_PONG:
        return;

    case VB_WS_CLOSE:
        ngx_http_voicebridge_agent_closed(call, ev);
        return;

    case VB_WS_BINARY:

        /* is decoded as text, and has to be some */

        state = 0;

        if (vb_utf8_check(&state, ev->payload.data, ev->payload.len) != VB_OK
            || state)
        {
            call->agent.reader.error = "a binary message that is not UTF-8";
            call->agent.reader.status = VB_WS_INVALID_DATA;
            ngx_http_voicebridge_agent_violation(call);
            return;
        }

        /* fall through */

    default: /* VB_WS_TEXT */

        if (call->cause == NGX_HTTP_VOICEBRIDGE_END_NONE) {
            ngx_http_voicebridge_agent_message(call, &ev->payload);
        }
    }
}


void
ngx_http_voicebridge_agent_lost(ngx_http_voicebridge_call_t *call)
{
    ngx_uint_t  closing;

    closing = call->agent_closing || call->agent.close_received;

    ngx_http_voicebridge_agent_peer_close(&call->peer);
    ngx_http_voicebridge_call_set_handlers(call);

    if (closing) {
        return;
    }

    if (call->state < NGX_HTTP_VOICEBRIDGE_LIVE) {
        ngx_http_voicebridge_report_failure(call, "elevenlabs", "closed");
        ngx_http_voicebridge_agent_retry(call,
                                         "closed the connection before its "
                                         "metadata", "");
        return;
    }

    ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_AGENT_LOST, NULL);
}


void
ngx_http_voicebridge_agent_violation(ngx_http_voicebridge_call_t *call)
{
    ngx_str_t  reason;

    reason.data = (u_char *) call->agent.reader.error;
    reason.len = ngx_strlen(reason.data);

    (void) ngx_http_voicebridge_leg_close(&call->agent,
                                          call->agent.reader.status
                                          ? call->agent.reader.status
                                          : VB_WS_INVALID_DATA, &reason);

    /* there are no frames to look for any more, only the end */

    call->agent.close_received = 1;
    call->speech.len = 0;

    ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_AGENT_PROTOCOL,
                             "%s%s", call->agent.reader.error,
                             call->agent.reader.status == VB_WS_TOO_BIG
                             ? " (see voicebridge_max_message_size)" : "");
}


static ngx_int_t
ngx_http_voicebridge_agent_key(ngx_pool_t *pool, ngx_str_t *key,
    ngx_str_t *header)
{
    header->data = ngx_pnalloc(pool, sizeof("xi-api-key: ") + key->len);
    if (header->data == NULL) {
        return NGX_ERROR;
    }

    header->len = ngx_sprintf(header->data, "xi-api-key: %V", key)
                  - header->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_agent_signed_url(ngx_http_voicebridge_call_t *call,
    ngx_str_t *key)
{
    ngx_msec_int_t                 left;
    ngx_http_voicebridge_fetch_t  *f;

    f = ngx_http_voicebridge_fetch_create();
    if (f == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_voicebridge_agent_key(f->pool, key, &f->header) != NGX_OK
        || ngx_http_voicebridge_agent_url(call,
                        NGX_HTTP_VOICEBRIDGE_CONVERSATION "/get-signed-url",
                                          &f->url)
           != NGX_OK)
    {
        ngx_destroy_pool(f->pool);
        return NGX_ERROR;
    }

    left = call->connecting + call->conf->connect_timeout - ngx_current_msec;

    f->timeout = ngx_max(left, 1);
    f->ssl_verify = call->conf->ssl_verify;
    f->trusted_certificate = call->conf->ssl_trusted_certificate;
    f->handler = ngx_http_voicebridge_agent_signed_url_done;
    f->data = call;

    call->fetch = f;

    if (ngx_http_voicebridge_fetch_start(f) != NGX_OK) {
        call->fetch = NULL;
        return NGX_ERROR;
    }

    /* meanwhile: what is to be asked for there will most likely be there */

    ngx_http_voicebridge_agent_peer_prepare(&call->peer,
                                            &call->conf->elevenlabs_url->url);
    ngx_http_voicebridge_call_set_handlers(call);

    return NGX_OK;
}


static void
ngx_http_voicebridge_agent_signed_url_done(ngx_http_voicebridge_fetch_t *f)
{
    u_char                       *p, text[128];
    char                          why[256];
    ngx_str_t                     said;
    ngx_connection_t             *c;
    ngx_http_voicebridge_call_t  *call;

    call = f->data;
    call->fetch = NULL;
    c = call->request->connection;

    ngx_http_set_log_request(c->log, call->request);

    ngx_http_voicebridge_report_failure(call, "elevenlabs", f->failure);

    if (f->status == NGX_HTTP_OK) {
        ngx_http_voicebridge_agent_signed_url_take(call, &f->answer);

    } else if (f->timed_out) {

        /* it was given all the time that was left */

        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_AGENT_TIMEOUT,
                                 "no signed URL within %Mms",
                                 call->conf->connect_timeout);

    } else if (f->status == 0) {
        ngx_http_voicebridge_agent_retry(call, "no signed URL: ", f->error);

    } else {
        vb_agent_error_parse(&f->answer, text, sizeof(text), &said);
        vb_mask_numbers(said.data, said.len);

        p = ngx_snprintf((u_char *) why, sizeof(why) - 1,
                         "status %ui %V", f->status, &said);
        *p = '\0';

        /* it will not be otherwise a second time */

        call->retried |= f->status >= 400 && f->status < 500
                         && f->status != 429;

        ngx_http_voicebridge_agent_retry(call, "no signed URL: ", why);
    }

    (void) ngx_http_voicebridge_call_pump(call);
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_voicebridge_agent_signed_url_take(ngx_http_voicebridge_call_t *call,
    ngx_str_t *answer)
{
    int         rc;
    u_char     *p;
    ngx_str_t   url, none;

    ngx_str_null(&none);

    p = ngx_pnalloc(call->request->pool, answer->len + 1);

    rc = p ? vb_agent_signed_url_parse(answer, call->conf->elevenlabs_url->ssl,
                                       p, answer->len + 1, &url)
           : VB_ERROR;

    if (rc == VB_DECLINED) {
        ngx_str_null(&url);    /* no more of use than that */
    }

    if (rc != VB_ERROR) {
        ngx_http_voicebridge_agent_open(call, &url, &none);
        return;
    }

    ngx_http_voicebridge_report_failure(call, "elevenlabs", "invalid");
    ngx_http_voicebridge_agent_retry(call, "no signed URL in the answer", "");
}


static ngx_int_t
ngx_http_voicebridge_agent_url(ngx_http_voicebridge_call_t *call,
    const char *path, ngx_str_t *url)
{
    u_char     *p;
    size_t      len;
    ngx_str_t  *base, *agent, *client;

    base = &call->conf->elevenlabs_url->url;
    agent = &call->ctx->agent_id;
    client = &call->ctx->client_data;

    len = base->len + ngx_strlen(path) + sizeof("?agent_id=")
          + 3 * agent->len + vb_agent_client_query(NULL, client);

    p = ngx_pnalloc(call->request->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    url->data = p;

    p = ngx_sprintf(p, "%V%s?agent_id=", base, path);
    p += vb_form_escape(p, agent->data, agent->len);
    p += vb_agent_client_query(p, client);

    url->len = p - url->data;

    return NGX_OK;
}


static void
ngx_http_voicebridge_agent_open(ngx_http_voicebridge_call_t *call,
    ngx_str_t *url, ngx_str_t *header)
{
    switch (ngx_http_voicebridge_agent_peer_connect(&call->peer, url, header))
    {
    case NGX_OK:
        ngx_http_voicebridge_call_set_handlers(call);
        return;

    case NGX_DECLINED:
        ngx_http_voicebridge_report_failure(call, "elevenlabs", "invalid");
        ngx_http_voicebridge_end(call,
                                 NGX_HTTP_VOICEBRIDGE_END_AGENT_UNREACHABLE,
                                 "the signed URL cannot be used");
        return;

    default:
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR,
                                 "no memory");
    }
}


/* the start failed: once more, with a signed URL of its own, or the end */

static void
ngx_http_voicebridge_agent_retry(ngx_http_voicebridge_call_t *call,
    const char *why, const char *more)
{
    if (call->cause != NGX_HTTP_VOICEBRIDGE_END_NONE) {
        return;
    }

    if (call->retried) {
        ngx_http_voicebridge_end(call,
                                 NGX_HTTP_VOICEBRIDGE_END_AGENT_UNREACHABLE,
                                 "%s%s", why, more);
        return;
    }

    call->retried = 1;

    ngx_http_voicebridge_stats_event(&call->stats,
                                     NGX_HTTP_VOICEBRIDGE_STEP_RETRY, 0);

    ngx_log_error(NGX_LOG_WARN, ngx_http_voicebridge_call_log(call), 0,
                  "call %V: ElevenLabs agent \"%V\": %s%s, trying once more",
                  &call->ctx->call_sid, &call->ctx->agent_id, why, more);

    ngx_http_voicebridge_agent_connect(call);
}


static ngx_int_t
ngx_http_voicebridge_agent_initiate(ngx_http_voicebridge_call_t *call)
{
    size_t           len;
    u_char          *p;
    vb_agent_init_t  init;

    init.dynamic_variables = call->dynamic_variables;
    init.client = call->ctx->client_data;
    init.extra = call->extra;
    init.nextra = call->nextra;

    len = vb_agent_init(NULL, &init);

    p = ngx_http_voicebridge_leg_begin(&call->agent, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) vb_agent_init(p, &init);

    return ngx_http_voicebridge_leg_end(&call->agent, p, len);
}


static void
ngx_http_voicebridge_agent_closed(ngx_http_voicebridge_call_t *call,
    vb_ws_event_t *ev)
{
    char     why[256];
    u_char  *p;

    call->agent.close_received = 1;

    /* how the connection ends after its Close is nobody's fault */

    call->agent.connection->log_error = NGX_ERROR_INFO;

    p = ngx_snprintf((u_char *) why, sizeof(why) - 1, "closed with %ui",
                     ev->status);

    if (ev->payload.len) {
        p = ngx_snprintf(p, why + sizeof(why) - 1 - (char *) p, " \"%V\"",
                         &ev->payload);

    } else if (call->agent_error[0]) {
        p = ngx_snprintf(p, why + sizeof(why) - 1 - (char *) p, " \"%s\"",
                         call->agent_error);
    }

    *p = '\0';

    vb_mask_numbers((u_char *) why, p - (u_char *) why);
    vb_utf8_plain((u_char *) why, p - (u_char *) why);

    (void) ngx_http_voicebridge_leg_close(&call->agent,
                                          ev->status == VB_WS_NO_STATUS
                                          ? VB_WS_NORMAL : ev->status,
                                          NULL);

    if (call->cause != NGX_HTTP_VOICEBRIDGE_END_NONE) {
        return;
    }

    if (call->state < NGX_HTTP_VOICEBRIDGE_LIVE) {
        (void) ngx_http_voicebridge_leg_flush(&call->agent);
        ngx_http_voicebridge_agent_peer_close(&call->peer);
        ngx_http_voicebridge_call_set_handlers(call);
        ngx_http_voicebridge_report_failure(call, "elevenlabs", "closed");
        ngx_http_voicebridge_agent_retry(call, why, " before its metadata");
        return;
    }

    ngx_http_voicebridge_end(call, ev->status == VB_WS_NORMAL
                                   || ev->status == VB_WS_NO_STATUS
                                   ? NGX_HTTP_VOICEBRIDGE_END_AGENT_ENDED
                                   : NGX_HTTP_VOICEBRIDGE_END_AGENT_FAILED,
                             "%s", why);
}
