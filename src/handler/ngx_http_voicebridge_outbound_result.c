
/*
 * What Twilio has answered, in words and in JSON for who wanted the call
 * (contract 1.1).
 */


#include <ngx_http_voicebridge_outbound.h>

#include <vb_json.h>


#define NGX_HTTP_VOICEBRIDGE_DETAIL_SIZE   1536
#define NGX_HTTP_VOICEBRIDGE_MESSAGE_SIZE  512

#define NGX_HTTP_VOICEBRIDGE_MAY_EXIST  ", the call may exist"


static u_char *ngx_http_voicebridge_outbound_no_answer(
    ngx_http_voicebridge_fetch_t *f, ngx_http_voicebridge_result_t *result,
    u_char *p, u_char *last);
static u_char *ngx_http_voicebridge_outbound_failure(
    ngx_http_voicebridge_fetch_t *f, ngx_http_voicebridge_result_t *result,
    u_char *p, u_char *last);
static u_char *ngx_http_voicebridge_outbound_code(
    ngx_http_voicebridge_result_t *result, u_char *p, u_char *last);
static size_t ngx_http_voicebridge_outbound_json_size(
    vb_twilio_answer_t *answer, ngx_str_t *to, ngx_str_t *session_id);
static void ngx_http_voicebridge_outbound_cut(ngx_str_t *detail, size_t max);
static u_char *ngx_http_voicebridge_outbound_member(u_char *p,
    const char *name, ngx_str_t *value);


static ngx_str_t  ngx_http_voicebridge_outbound_message =
    ngx_string("Outbound call initiated successfully");

/* what to do where a call may exist */
static const char  ngx_http_voicebridge_outbound_see[] =
    "see Twilio's log of calls before it is placed once more";


void
ngx_http_voicebridge_outbound_result(ngx_http_voicebridge_fetch_t *f,
    ngx_http_voicebridge_result_t *result)
{
    u_char     *p, *last;
    ngx_int_t   rc;

    ngx_str_null(&result->message);
    ngx_str_null(&result->detail);

    result->no_call = 0;
    result->remedy = NULL;

    rc = vb_twilio_answer_parse(&result->answer, &f->answer);

    if (rc != VB_OK) {
        ngx_memzero(&result->answer, sizeof(vb_twilio_answer_t));
    }

    if (f->status >= 200 && f->status < 300 && result->answer.sid.len) {
        result->status = NGX_HTTP_OK;
        return;
    }

    if (ngx_http_voicebridge_plain_text(f->pool, &result->answer.message,
                                        NGX_HTTP_VOICEBRIDGE_MESSAGE_SIZE,
                                        &result->message)
        != NGX_OK)
    {
        ngx_str_null(&result->message);
    }

    p = ngx_pnalloc(f->pool, NGX_HTTP_VOICEBRIDGE_DETAIL_SIZE);

    if (p == NULL) {
        result->status = NGX_HTTP_BAD_GATEWAY;
        return;
    }

    result->detail.data = p;
    last = p + NGX_HTTP_VOICEBRIDGE_DETAIL_SIZE;

    p = f->status ? ngx_http_voicebridge_outbound_failure(f, result, p, last)
                  : ngx_http_voicebridge_outbound_no_answer(f, result, p, last);

    result->detail.len = p - result->detail.data;
}


static u_char *
ngx_http_voicebridge_outbound_no_answer(ngx_http_voicebridge_fetch_t *f,
    ngx_http_voicebridge_result_t *result, u_char *p, u_char *last)
{
    if (!f->maybe_sent) {

        /* without a connection there was no request, hence there is no call */

        result->no_call = 1;
        result->remedy = "look at resolver, network and CA certificates";
        result->status = f->timed_out ? NGX_HTTP_GATEWAY_TIME_OUT
                                      : NGX_HTTP_BAD_GATEWAY;

        return ngx_slprintf(p, last, "Twilio could not be reached%s, there is "
                                     "no call: %s",
                            f->timed_out ? " in time" : "", f->error);
    }

    result->remedy = ngx_http_voicebridge_outbound_see;

    if (f->timed_out) {
        result->status = NGX_HTTP_GATEWAY_TIME_OUT;

        return ngx_slprintf(p, last, "Twilio did not answer in time"
                                     NGX_HTTP_VOICEBRIDGE_MAY_EXIST);
    }

    result->status = NGX_HTTP_BAD_GATEWAY;

    return ngx_slprintf(p, last, "Twilio gave no complete answer"
                                 NGX_HTTP_VOICEBRIDGE_MAY_EXIST ": %s",
                        f->error);
}


static u_char *
ngx_http_voicebridge_outbound_failure(ngx_http_voicebridge_fetch_t *f,
    ngx_http_voicebridge_result_t *result, u_char *p, u_char *last)
{
    if (f->status == NGX_HTTP_TOO_MANY_REQUESTS) {
        result->status = NGX_HTTP_TOO_MANY_REQUESTS;
        result->no_call = 1;
        result->remedy = "place fewer calls a second, limit_req can see to "
                         "it";

        p = ngx_slprintf(p, last, "Twilio takes no more requests at the "
                                  "moment");

        return ngx_http_voicebridge_outbound_code(result, p, last);
    }

    if (f->status == NGX_HTTP_UNAUTHORIZED
        || f->status == NGX_HTTP_FORBIDDEN
        || f->status == NGX_HTTP_NOT_FOUND)
    {
        result->status = NGX_HTTP_BAD_GATEWAY;
        result->no_call = 1;
        result->remedy = "check voicebridge_twilio_account_sid, _auth_token "
                         "and _api_url";

        p = ngx_slprintf(p, last, "Twilio does not accept this server's "
                                  "account (status %ui)", f->status);

        return ngx_http_voicebridge_outbound_code(result, p, last);
    }

    if (f->status >= 400 && f->status < 500) {
        result->status = NGX_HTTP_BAD_REQUEST;

        p = ngx_slprintf(p, last, "Twilio refused the call (status %ui)",
                         f->status);

        return ngx_http_voicebridge_outbound_code(result, p, last);
    }

    result->status = NGX_HTTP_BAD_GATEWAY;
    result->remedy = ngx_http_voicebridge_outbound_see;

    if (f->status >= 500) {
        p = ngx_slprintf(p, last, "Twilio failed (status %ui)"
                                  NGX_HTTP_VOICEBRIDGE_MAY_EXIST, f->status);

        return ngx_http_voicebridge_outbound_code(result, p, last);
    }

    return ngx_slprintf(p, last, "Twilio's answer (status %ui) could not be "
                                 "read" NGX_HTTP_VOICEBRIDGE_MAY_EXIST,
                        f->status);
}


static u_char *
ngx_http_voicebridge_outbound_code(ngx_http_voicebridge_result_t *result,
    u_char *p, u_char *last)
{
    if (result->answer.code) {
        p = ngx_slprintf(p, last, ": error %L", result->answer.code);
    }

    if (result->message.len) {
        p = ngx_slprintf(p, last, ": %V", &result->message);
    }

    return p;
}


ngx_int_t
ngx_http_voicebridge_outbound_json(ngx_pool_t *pool,
    ngx_http_voicebridge_result_t *result, ngx_str_t *to,
    ngx_str_t *session_id, size_t max, ngx_str_t *body)
{
    u_char              *p;
    ngx_str_t            detail;
    vb_twilio_answer_t  *answer;

    if (result->status != NGX_HTTP_OK) {
        detail = result->detail;
        ngx_http_voicebridge_outbound_cut(&detail, max);

        return ngx_http_voicebridge_detail(pool, &detail, body);
    }

    answer = &result->answer;

    p = ngx_pnalloc(pool, ngx_http_voicebridge_outbound_json_size(answer, to,
                                                                 session_id));
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;

    p = ngx_cpymem(p, "{\"success\": true", sizeof("{\"success\": true") - 1);

    p = ngx_http_voicebridge_outbound_member(p, "call_sid", &answer->sid);
    p = ngx_http_voicebridge_outbound_member(p, "to", to);
    p = ngx_http_voicebridge_outbound_member(p, "status", &answer->status);
    p = ngx_http_voicebridge_outbound_member(p, "message",
                                     &ngx_http_voicebridge_outbound_message);
    p = ngx_http_voicebridge_outbound_member(p, "session_id", session_id);

    *p++ = '}';

    body->len = p - body->data;

    return NGX_OK;
}


static size_t
ngx_http_voicebridge_outbound_json_size(vb_twilio_answer_t *answer,
    ngx_str_t *to, ngx_str_t *session_id)
{
    return sizeof("{\"success\": true, \"call_sid\": \"\", \"to\": \"\", "
                  "\"status\": \"\", \"message\": \"\", "
                  "\"session_id\": \"\"}")
           + vb_json_escape(NULL, answer->sid.data, answer->sid.len)
           + vb_json_escape(NULL, to->data, to->len)
           + vb_json_escape(NULL, answer->status.data, answer->status.len)
           + ngx_http_voicebridge_outbound_message.len
           + vb_json_escape(NULL, session_id->data, session_id->len);
}


/* between characters */

static void
ngx_http_voicebridge_outbound_cut(ngx_str_t *detail, size_t max)
{
    size_t  len;

    while (detail->len) {
        len = sizeof("{\"detail\": \"\"}") - 1
              + vb_json_escape(NULL, detail->data, detail->len);

        if (len <= max) {
            return;
        }

        do {
            detail->len--;
        } while (detail->len && (detail->data[detail->len] & 0xc0) == 0x80);
    }
}


static u_char *
ngx_http_voicebridge_outbound_member(u_char *p, const char *name,
    ngx_str_t *value)
{
    p = ngx_sprintf(p, ", \"%s\": \"", name);
    p += vb_json_escape(p, value->data, value->len);
    *p++ = '"';

    return p;
}
