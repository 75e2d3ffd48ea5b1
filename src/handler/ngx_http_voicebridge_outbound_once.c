
/*
 * A call is placed once for each Idempotency-Key, however often it is asked
 * for (the IETF's draft-ietf-httpapi-idempotency-key-header): the answer to
 * the first request is that to all.
 *
 * A step returns NGX_OK or the status to answer with and a detail.
 */


#include <ngx_http_voicebridge_outbound.h>

#include <openssl/evp.h>


/* longest key; seconds for which a call may take its time beyond Twilio's */
#define NGX_HTTP_VOICEBRIDGE_ONCE_KEY   255
#define NGX_HTTP_VOICEBRIDGE_ONCE_WAIT  5


/* what is told, by a header and by the session id */
static ngx_str_t  ngx_http_voicebridge_once_under_way[] = {
    ngx_string("A request with this Idempotency-Key is under way"),
    ngx_string("A request with this session_id is under way")
};

static ngx_str_t  ngx_http_voicebridge_once_used[] = {
    ngx_string("This Idempotency-Key was used with another body"),
    ngx_string("This session_id was used with another body")
};

static ngx_str_t  ngx_http_voicebridge_once_unknown[] = {
    ngx_string("What became of the first request with this Idempotency-Key "
               "is not known, the call may exist"),
    ngx_string("What became of the first request with this session_id is not "
               "known, the call may exist")
};


static ngx_int_t ngx_http_voicebridge_once_placed(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order, ngx_str_t *body);
static ngx_int_t ngx_http_voicebridge_once_key(ngx_http_request_t *r,
    ngx_str_t *session_id, ngx_str_t *key, ngx_str_t *detail);
static ngx_int_t ngx_http_voicebridge_once_id(ngx_http_request_t *r,
    ngx_str_t *key, ngx_http_voicebridge_once_t *once);
static ngx_int_t ngx_http_voicebridge_once_hash_key(ngx_http_request_t *r,
    EVP_MD_CTX *md, ngx_str_t *key, ngx_uint_t session);
static ngx_int_t ngx_http_voicebridge_once_part(EVP_MD_CTX *md,
    ngx_str_t *part);
static ngx_int_t ngx_http_voicebridge_once_piece(void *data,
    const u_char *piece, size_t len);


ngx_int_t
ngx_http_voicebridge_outbound_first(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order, ngx_str_t *detail)
{
    ngx_int_t                          rc;
    ngx_str_t                          key;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    rc = ngx_http_voicebridge_once_key(r, &order->request.session_id, &key,
                                       detail);

    if (rc != NGX_OK || key.len == 0) {
        return rc;
    }

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);

    if (vmcf->zone == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "a call with an Idempotency-Key cannot be placed "
                      "without \"voicebridge_zone\"");

        ngx_str_set(detail, "Idempotency-Key cannot be honoured: this server "
                            "has no voicebridge_zone; no call was placed");
        return NGX_HTTP_NOT_IMPLEMENTED;
    }

    order->once.session = (key.data == order->request.session_id.data);

    if (ngx_http_voicebridge_once_id(r, &key, &order->once) != NGX_OK) {
        return NGX_ERROR;
    }

    order->once.zone = vmcf->zone;
    order->once.made = (order->request.session_id.len == 0);

    switch (ngx_http_voicebridge_idempotency_find(vmcf->zone, &order->once.id,
                                                  r->pool, &order->kept))
    {
    case NGX_DECLINED:
        return NGX_OK;

    case NGX_OK:
        return NGX_DONE;

    case NGX_AGAIN:
        *detail = ngx_http_voicebridge_once_under_way[order->once.session];
        return ngx_http_voicebridge_outbound_later(r, NGX_HTTP_CONFLICT, "1");

    case NGX_ABORT:
        *detail = ngx_http_voicebridge_once_used[order->once.session];
        return NGX_HTTP_VOICEBRIDGE_UNPROCESSABLE;

    default:
        return NGX_ERROR;
    }
}


ngx_int_t
ngx_http_voicebridge_outbound_reserve(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order, ngx_str_t *detail)
{
    time_t                            wait;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    if (order->once.zone == NULL) {
        return NGX_OK;
    }

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    wait = vlcf->twilio_timeout / 1000 + 1 + NGX_HTTP_VOICEBRIDGE_ONCE_WAIT;

    switch (ngx_http_voicebridge_idempotency_reserve(order->once.zone,
                                                     &order->once.id, wait,
                                                 vlcf->idempotency_lifetime))
    {
    case NGX_OK:
        return NGX_OK;

    case NGX_AGAIN:
        *detail = ngx_http_voicebridge_once_under_way[order->once.session];
        return ngx_http_voicebridge_outbound_later(r, NGX_HTTP_CONFLICT, "1");

    default:
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "no room in \"voicebridge_zone\" for another "
                      "Idempotency-Key, the call is not placed: make it "
                      "larger, or \"voicebridge_idempotency_lifetime\" "
                      "shorter");

        ngx_str_set(detail, "There is no room for another Idempotency-Key at "
                            "the moment; no call was placed");
        return ngx_http_voicebridge_outbound_later(r,
                                       NGX_HTTP_SERVICE_UNAVAILABLE, "60");
    }
}


/*
 * Of a call that was placed only what the next request does not say itself is
 * kept: SID, status, and a session id that was made up.
 */

void
ngx_http_voicebridge_outbound_remember(ngx_http_voicebridge_once_t *once,
    ngx_http_voicebridge_result_t *result, ngx_str_t *session_id,
    ngx_str_t *body)
{
    u_char     buf[NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_ROOM];
    ngx_str_t  text;

    static ngx_str_t  none = ngx_null_string;

    if (once->zone == NULL) {
        return;
    }

    if (result->no_call) {
        ngx_http_voicebridge_idempotency_forget(once->zone, &once->id);
        return;
    }

    if (result->status == NGX_HTTP_OK) {
        text.data = buf;
        text.len = ngx_snprintf(buf, sizeof(buf), "%V\n%V\n%V",
                                &result->answer.sid, &result->answer.status,
                                once->made ? session_id : &none)
                   - buf;

    } else {
        text = *body;
    }

    /* without memory for it there is nothing that could be said again */

    if (text.len) {
        ngx_http_voicebridge_idempotency_keep(once->zone, &once->id,
                                              result->status, &text);
    }
}


ngx_int_t
ngx_http_voicebridge_outbound_repeat(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order)
{
    ngx_str_t   to, body, *unknown;
    ngx_uint_t  status;

    static ngx_str_t  type = ngx_string("application/json");
    static ngx_str_t  yes = ngx_string("true");

    status = order->kept.status;
    body = order->kept.text;

    if (status == 0) {
        status = NGX_HTTP_GATEWAY_TIME_OUT;
        unknown = &ngx_http_voicebridge_once_unknown[order->once.session];

        if (ngx_http_voicebridge_detail(r->pool, unknown, &body) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else if (status == NGX_HTTP_OK
               && ngx_http_voicebridge_once_placed(r, order, &body) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_voicebridge_masked(r->pool, &ngx_http_voicebridge_ctx(r)->to,
                                    &to)
        != NGX_OK
        || ngx_http_voicebridge_add_header(r, "Idempotent-Replayed", &yes)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "Outbound call to %V was asked for before: the first answer "
                  "is repeated, status %ui", &to, status);

    return ngx_http_voicebridge_send(r, status, &type, &body);
}


static ngx_int_t
ngx_http_voicebridge_once_placed(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order, ngx_str_t *body)
{
    u_char                         *p, *last, *end;
    ngx_str_t                       session_id;
    ngx_http_voicebridge_ctx_t     *ctx;
    ngx_http_voicebridge_result_t   result;

    ctx = ngx_http_voicebridge_ctx(r);

    ngx_memzero(&result, sizeof(ngx_http_voicebridge_result_t));

    result.status = NGX_HTTP_OK;

    p = order->kept.text.data;
    last = p + order->kept.text.len;

    end = ngx_strlchr(p, last, LF);
    if (end == NULL) {
        return NGX_ERROR;
    }

    result.answer.sid.data = p;
    result.answer.sid.len = end - p;

    p = end + 1;

    end = ngx_strlchr(p, last, LF);
    if (end == NULL) {
        return NGX_ERROR;
    }

    result.answer.status.data = p;
    result.answer.status.len = end - p;

    session_id.data = end + 1;
    session_id.len = last - session_id.data;

    if (session_id.len) {
        ctx->session_id = session_id;
    }

    ctx->call_sid = result.answer.sid;
    ctx->status = result.answer.status;

    return ngx_http_voicebridge_outbound_json(r->pool, &result, &ctx->to,
                                              &ctx->session_id,
                                              NGX_MAX_SIZE_T_VALUE, body);
}


/* the key, empty where there is none */

static ngx_int_t
ngx_http_voicebridge_once_key(ngx_http_request_t *r, ngx_str_t *session_id,
    ngx_str_t *key, ngx_str_t *detail)
{
    ngx_str_t                        *header;
    ngx_uint_t                        i;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    static ngx_str_t  name = ngx_string("idempotency-key");

    ngx_str_null(key);

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (vlcf->idempotency == NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_OFF) {
        return NGX_OK;
    }

    header = ngx_http_voicebridge_header(r, &name);

    if (header == NULL) {

        if (vlcf->idempotency == NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_SESSION) {
            *key = *session_id;
        }

        return NGX_OK;
    }

    if (header->len == 0 || header->len > NGX_HTTP_VOICEBRIDGE_ONCE_KEY) {
        goto refused;
    }

    for (i = 0; i < header->len; i++) {
        if (header->data[i] <= ' ' || header->data[i] >= 0x7f) {
            goto refused;
        }
    }

    *key = *header;

    return NGX_OK;

refused:

    ngx_str_set(detail, "Idempotency-Key must be 1 to 255 visible ASCII "
                        "characters, for example a UUID");

    return NGX_HTTP_BAD_REQUEST;
}


static ngx_int_t
ngx_http_voicebridge_once_id(ngx_http_request_t *r, ngx_str_t *key,
    ngx_http_voicebridge_once_t *once)
{
    u_char       of_key[EVP_MAX_MD_SIZE], of_body[EVP_MAX_MD_SIZE];
    ngx_int_t    rc;
    EVP_MD_CTX  *md;

    md = EVP_MD_CTX_new();
    if (md == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(of_key, sizeof(of_key));
    ngx_memzero(of_body, sizeof(of_body));

    rc = (EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1
          && ngx_http_voicebridge_once_hash_key(r, md, key, once->session)
             == NGX_OK
          && EVP_DigestFinal_ex(md, of_key, NULL) == 1
          && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1
          && ngx_http_voicebridge_body_each(r, ngx_http_voicebridge_once_piece,
                                            md)
             == NGX_OK
          && EVP_DigestFinal_ex(md, of_body, NULL) == 1)
         ? NGX_OK : NGX_ERROR;

    EVP_MD_CTX_free(md);

    ngx_memcpy(once->id.key, of_key, NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH);
    ngx_memcpy(once->id.body, of_body, NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH);

    return rc;
}


/*
 * What is a key of somebody's is another one of anybody else's, and a session
 * is no header of the same text.
 */

static ngx_int_t
ngx_http_voicebridge_once_hash_key(ngx_http_request_t *r, EVP_MD_CTX *md,
    ngx_str_t *key, ngx_uint_t session)
{
    ngx_str_t                         sid, *api_key;
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_voicebridge_loc_conf_t  *vlcf;

    static ngx_str_t  name = ngx_string("x-api-key");
    static ngx_str_t  none = ngx_null_string;
    static ngx_str_t  kinds[] = { ngx_string("idempotency-key"),
                                  ngx_string("session_id") };

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (ngx_http_voicebridge_value(r, vlcf->account_sid, &sid) != NGX_OK) {
        return NGX_ERROR;
    }

    api_key = vlcf->api_keys_off ? NULL : ngx_http_voicebridge_header(r,
                                                                      &name);

    return (ngx_http_voicebridge_once_part(md, &clcf->name) == NGX_OK
            && ngx_http_voicebridge_once_part(md, &sid) == NGX_OK
            && ngx_http_voicebridge_once_part(md, api_key ? api_key : &none)
               == NGX_OK
            && ngx_http_voicebridge_once_part(md, &kinds[session]) == NGX_OK
            && ngx_http_voicebridge_once_part(md, key) == NGX_OK)
           ? NGX_OK : NGX_ERROR;
}


/* with its length before it */

static ngx_int_t
ngx_http_voicebridge_once_part(EVP_MD_CTX *md, ngx_str_t *part)
{
    uint64_t  len;

    len = part->len;

    return (EVP_DigestUpdate(md, &len, sizeof(uint64_t)) == 1
            && (len == 0 || EVP_DigestUpdate(md, part->data, part->len) == 1))
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_voicebridge_once_piece(void *data, const u_char *piece, size_t len)
{
    EVP_MD_CTX *md = data;

    return (len == 0 || EVP_DigestUpdate(md, piece, len) == 1) ? NGX_OK
                                                               : NGX_ERROR;
}


ngx_int_t
ngx_http_voicebridge_outbound_later(ngx_http_request_t *r, ngx_uint_t status,
    char *seconds)
{
    ngx_str_t  value;

    value.data = (u_char *) seconds;
    value.len = ngx_strlen(seconds);

    return ngx_http_voicebridge_add_header(r, "Retry-After", &value) == NGX_OK
           ? (ngx_int_t) status : NGX_ERROR;
}
