
/* The start of a media stream: whose call it is, and which agent is asked */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <vb_agent_client.h>
#include <vb_token.h>
#include <vb_twilio_stream.h>
#include <vb_twiml.h>

#include <ngx_http_voicebridge_call.h>
#include <ngx_http_voicebridge_zone.h>


/* most that a parameter can have been cut into: a start's message has no room
 * for more */
#define NGX_HTTP_VOICEBRIDGE_MAX_PIECES  256

/* parameters that may be longer than Twilio's are, and come in pieces */
#define NGX_HTTP_VOICEBRIDGE_CUT         2


static ngx_int_t ngx_http_voicebridge_phone_take(
    ngx_http_voicebridge_call_t *call, vb_twilio_message_t *m,
    ngx_str_t *token);
static ngx_int_t ngx_http_voicebridge_phone_names(
    ngx_http_voicebridge_call_t *call);
static ngx_int_t ngx_http_voicebridge_phone_sids(
    ngx_http_voicebridge_call_t *call, vb_twilio_message_t *m);
static ngx_int_t ngx_http_voicebridge_phone_parameters(
    ngx_http_voicebridge_call_t *call, vb_json_value_t *parameters,
    ngx_str_t *token);
static ngx_int_t ngx_http_voicebridge_phone_join(
    ngx_http_voicebridge_call_t *call, ngx_str_t *pieces, ngx_str_t *whole);
static ngx_int_t ngx_http_voicebridge_phone_piece(ngx_str_t *name,
    ngx_str_t *value, ngx_str_t *pieces);
static ngx_int_t ngx_http_voicebridge_phone_parameter(
    ngx_http_voicebridge_call_t *call, ngx_str_t *name, ngx_str_t *value,
    ngx_str_t *token, ngx_str_t *pieces);
static ngx_int_t ngx_http_voicebridge_phone_token(
    ngx_http_voicebridge_call_t *call, ngx_str_t *token);
static const char *ngx_http_voicebridge_phone_token_bad(
    ngx_http_voicebridge_call_t *call, ngx_str_t *token, u_char *nonce,
    uint64_t *expiry);
static ngx_int_t ngx_http_voicebridge_phone_agent(
    ngx_http_voicebridge_call_t *call);
static void ngx_http_voicebridge_phone_extra(ngx_http_voicebridge_call_t *call,
    char *name, ngx_str_t *value);
static ngx_int_t ngx_http_voicebridge_phone_copy(
    ngx_http_voicebridge_call_t *call, ngx_str_t *dst, vb_json_value_t *src);


void
ngx_http_voicebridge_phone_start(ngx_http_voicebridge_call_t *call,
    vb_twilio_message_t *m)
{
    ngx_str_t                    token;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = call->ctx;

    if (ngx_http_voicebridge_phone_take(call, m, &token) != NGX_OK
        || ngx_http_voicebridge_phone_token(call, &token) != NGX_OK
        || ngx_http_voicebridge_phone_names(call) != NGX_OK)
    {
        return;
    }

    if (ctx->direction.len == 0) {
        ngx_str_set(&ctx->direction, "inbound");
    }

    ngx_str_set(&ctx->status, "in-progress");

    if (ngx_http_voicebridge_phone_agent(call) != NGX_OK) {
        return;
    }

    call->nparameters = call->nextra;

    ngx_http_voicebridge_phone_extra(call, "caller_number", &ctx->from);
    ngx_http_voicebridge_phone_extra(call, "called_number", &ctx->to);
    ngx_http_voicebridge_phone_extra(call, "call_sid", &ctx->call_sid);
    ngx_http_voicebridge_phone_extra(call, "call_direction", &ctx->direction);
    ngx_http_voicebridge_phone_extra(call, "session_id", &ctx->session_id);

    ngx_log_error(NGX_LOG_INFO, ngx_http_voicebridge_call_log(call), 0,
                  "call %V: Media stream started, stream %V, %V",
                  &ctx->call_sid, &ctx->stream_sid, &ctx->direction);

    ngx_http_voicebridge_speech_begin(call);
    ngx_http_voicebridge_event(call, NGX_HTTP_VOICEBRIDGE_EVENT_STARTED, NULL,
                               NULL);

    call->connecting = ngx_current_msec;

    ngx_http_voicebridge_agent_connect(call);
}


/* what the start brings; without NGX_OK the call ends, here as below */

static ngx_int_t
ngx_http_voicebridge_phone_take(ngx_http_voicebridge_call_t *call,
    vb_twilio_message_t *m, ngx_str_t *token)
{
    ngx_int_t  rc;

    ngx_str_null(token);

    rc = ngx_http_voicebridge_phone_sids(call, m);

    if (rc == NGX_OK) {
        rc = ngx_http_voicebridge_phone_parameters(call, &m->parameters,
                                                   token);
    }

    if (rc == NGX_DECLINED) {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_BAD_START,
                                 "more parameters than can be taken");

    } else if (rc == NGX_ERROR) {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR,
                                 "no memory");
    }

    return rc;
}


/* what goes into log lines; that it is signed has been looked at */

static ngx_int_t
ngx_http_voicebridge_phone_names(ngx_http_voicebridge_call_t *call)
{
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = call->ctx;

    if (vb_agent_is_id(&ctx->agent_id) && vb_agent_is_id(&ctx->session_id)
        && vb_agent_is_id(&ctx->direction))
    {
        return NGX_OK;
    }

    ngx_str_null(&ctx->agent_id);
    ngx_str_null(&ctx->session_id);
    ngx_str_null(&ctx->direction);

    ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_BAD_START,
                             "agent_id, session_id or direction has a "
                             "control character or more than 256 bytes");

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_voicebridge_phone_sids(ngx_http_voicebridge_call_t *call,
    vb_twilio_message_t *m)
{
    u_char                      *p;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = call->ctx;

    p = ngx_pnalloc(call->request->pool, m->call_sid.len + m->stream_sid.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->call_sid.data = p;
    ctx->call_sid.len = m->call_sid.len;
    p = ngx_cpymem(p, m->call_sid.data, m->call_sid.len);

    ctx->stream_sid.data = p;
    ctx->stream_sid.len = m->stream_sid.len;
    ngx_memcpy(p, m->stream_sid.data, m->stream_sid.len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_phone_parameters(ngx_http_voicebridge_call_t *call,
    vb_json_value_t *parameters, ngx_str_t *token)
{
    u_char           *pos;
    ngx_int_t         rc;
    ngx_str_t         name, text;
    ngx_str_t         pieces[NGX_HTTP_VOICEBRIDGE_CUT
                             * NGX_HTTP_VOICEBRIDGE_MAX_PIECES];
    vb_json_value_t   key, value;

    if (parameters->type != VB_JSON_OBJECT) {
        return NGX_OK;
    }

    ngx_memzero(pieces, sizeof(pieces));

    pos = parameters->text.data;

    while (vb_json_next(parameters, &pos, &key, &value) == VB_OK) {

        if (value.type != VB_JSON_STRING) {
            continue;
        }

        if (ngx_http_voicebridge_phone_copy(call, &name, &key) != NGX_OK
            || ngx_http_voicebridge_phone_copy(call, &text, &value) != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_http_voicebridge_phone_parameter(call, &name, &text, token,
                                                  pieces);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_http_voicebridge_phone_join(call, pieces,
                                         &call->dynamic_variables);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_voicebridge_phone_join(call, pieces
                                           + NGX_HTTP_VOICEBRIDGE_MAX_PIECES,
                                           &call->ctx->client_data);
}


/* NAME, NAME_2, ..., told in whatever order */

static ngx_int_t
ngx_http_voicebridge_phone_join(ngx_http_voicebridge_call_t *call,
    ngx_str_t *pieces, ngx_str_t *whole)
{
    u_char      *p;
    size_t       len;
    ngx_uint_t   i;

    len = 0;

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_MAX_PIECES; i++) {
        len += pieces[i].len;
    }

    if (len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(call->request->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    whole->data = p;
    whole->len = len;

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_MAX_PIECES; i++) {
        if (pieces[i].len) {
            p = ngx_cpymem(p, pieces[i].data, pieces[i].len);
        }
    }

    return NGX_OK;
}


/* NGX_OK: it was one; NGX_AGAIN: it was none; NGX_DECLINED: one too many */

static ngx_int_t
ngx_http_voicebridge_phone_piece(ngx_str_t *name, ngx_str_t *value,
    ngx_str_t *pieces)
{
    ngx_uint_t  i, piece;

    static const char  *cut[NGX_HTTP_VOICEBRIDGE_CUT] = {
        "dynamic_variables", "vb_client_data"
    };

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_CUT; i++) {

        piece = vb_twiml_piece(name, cut[i]);

        if (piece == 0) {
            continue;
        }

        if (piece > NGX_HTTP_VOICEBRIDGE_MAX_PIECES) {
            return NGX_DECLINED;
        }

        pieces[i * NGX_HTTP_VOICEBRIDGE_MAX_PIECES + piece - 1] = *value;

        return NGX_OK;
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_voicebridge_phone_parameter(ngx_http_voicebridge_call_t *call,
    ngx_str_t *name, ngx_str_t *value, ngx_str_t *token, ngx_str_t *pieces)
{
    ngx_int_t                    rc;
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = call->ctx;
    rc = ngx_http_voicebridge_phone_piece(name, value, pieces);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    if (vb_str_eq(name, "agent_id")) {
        ctx->agent_id = *value;

    } else if (vb_str_eq(name, "session_id")) {
        ctx->session_id = *value;

    } else if (vb_str_eq(name, "direction")) {
        ctx->direction = *value;

    } else if (vb_str_eq(name, "from")) {
        ctx->from = *value;

    } else if (vb_str_eq(name, "to")) {
        ctx->to = *value;

    } else if (vb_str_eq(name, "vb_token")) {
        *token = *value;

    } else {

        /* five places are kept for the module's own */

        if (call->nextra == NGX_HTTP_VOICEBRIDGE_MAX_EXTRA - 5) {
            return NGX_DECLINED;
        }

        call->extra[call->nextra].name = *name;
        call->extra[call->nextra++].value = *value;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_phone_token(ngx_http_voicebridge_call_t *call,
    ngx_str_t *token)
{
    u_char       nonce[VB_TOKEN_NONCE];
    uint64_t     expiry;
    ngx_uint_t   full;
    const char  *why;

    if (token->len == 0) {

        /* the handshake's signature, or the operator's word, is enough */

        return NGX_OK;
    }

    why = ngx_http_voicebridge_phone_token_bad(call, token, nonce, &expiry);

    if (why == NULL && call->zone) {

        if (ngx_http_voicebridge_zone_use_nonce(call->zone, nonce,
                                                (time_t) expiry, &full)
            == NGX_DECLINED)
        {
            why = "vb_token was used before";

        } else if (full) {
            ngx_http_voicebridge_stats_full(call->zone,
                                        "not all used tokens are remembered");
        }
    }

    if (why) {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_BAD_TOKEN,
                                 "%s", why);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* what is wrong with a token, or NULL with its nonce and expiry */

static const char *
ngx_http_voicebridge_phone_token_bad(ngx_http_voicebridge_call_t *call,
    ngx_str_t *token, u_char *nonce, uint64_t *expiry)
{
    vb_token_claims_t  claims;

    claims.agent_id = call->ctx->agent_id;
    claims.session_id = call->ctx->session_id;
    claims.direction = call->ctx->direction;
    claims.from = call->ctx->from;
    claims.to = call->ctx->to;
    claims.dynamic_variables = call->dynamic_variables;
    claims.client_data = call->ctx->client_data;

    switch (vb_token_check(token, &claims, call->auth_tokens, call->ntokens,
                           ngx_time(), nonce, expiry))
    {
    case VB_TOKEN_GOOD:
        return NULL;

    case VB_TOKEN_EXPIRED:
        return "vb_token is too old (see voicebridge_token_lifetime)";

    case VB_TOKEN_FORGED:
        return "vb_token was made with another auth token, or the parameters "
               "were altered";

    default:
        return "vb_token is malformed";
    }
}


/* which agent, and whether the variables are fit for it */

static ngx_int_t
ngx_http_voicebridge_phone_agent(ngx_http_voicebridge_call_t *call)
{
    ngx_str_t    name;
    const char  *error;

    if (call->ctx->agent_id.len == 0
        && ngx_http_voicebridge_value(call->request, call->conf->agent,
                                      &call->ctx->agent_id)
           != NGX_OK)
    {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR,
                                 "no memory");
        return NGX_ERROR;
    }

    if (call->ctx->agent_id.len == 0) {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_BAD_START,
                                 "no agent: give <Parameter name=\"agent_id\"> "
                                 "or set voicebridge_agent");
        return NGX_DECLINED;
    }

    if (!vb_agent_is_id(&call->ctx->agent_id)) {
        ngx_str_null(&call->ctx->agent_id);

        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_BAD_START,
                                 "voicebridge_agent has more than 256 bytes, "
                                 "a control character or is not UTF-8");
        return NGX_DECLINED;
    }

    if (call->dynamic_variables.len
        && vb_agent_variables_check(&call->dynamic_variables, &name, &error)
           != VB_OK)
    {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_BAD_START,
                                 "dynamic_variables is not an object of "
                                 "variables");
        return NGX_DECLINED;
    }

    if (call->ctx->client_data.len
        && vb_agent_client_check(&call->ctx->client_data, &error) != VB_OK)
    {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_BAD_START,
                                 "vb_client_data: %s", error);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_http_voicebridge_phone_extra(ngx_http_voicebridge_call_t *call,
    char *name, ngx_str_t *value)
{
    vb_agent_variable_t  *v;

    if (call->nextra == NGX_HTTP_VOICEBRIDGE_MAX_EXTRA) {
        return;
    }

    v = &call->extra[call->nextra++];

    v->name.len = ngx_strlen(name);
    v->name.data = (u_char *) name;
    v->value = *value;
}


static ngx_int_t
ngx_http_voicebridge_phone_copy(ngx_http_voicebridge_call_t *call,
    ngx_str_t *dst, vb_json_value_t *src)
{
    dst->data = ngx_pnalloc(call->request->pool, src->text.len + 1);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    dst->len = vb_json_unescape(dst->data, &src->text);

    return NGX_OK;
}
