
/* The handlers of the module's locations, and what they share */


#ifndef _NGX_HTTP_VOICEBRIDGE_HANDLER_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_HANDLER_H_INCLUDED_


#include <ngx_http_voicebridge.h>
#include <ngx_http_voicebridge_stats.h>
#include <vb_agent_client.h>
#include <vb_form.h>


/*
 * What has come with a request: parsed once, before nginx's limits look at it
 * or, if somebody skips that phase, by the content handler.
 */
struct ngx_http_voicebridge_taken_s {
    ngx_http_request_t  *request;          /* a context may be shared with
                                              subrequests */
    ngx_int_t            rc;               /* NGX_OK, or what to answer with */
    ngx_str_t            detail;           /* an API's, for an answer */
    void                *data;             /* an order, or a form's fields */
    ngx_uint_t           nfields;
    unsigned             reading:1;
    unsigned             parsed:1;
};


/* hooks of the module, _cycle.c */
ngx_int_t ngx_http_voicebridge_init(ngx_conf_t *cf);
ngx_int_t ngx_http_voicebridge_init_process(ngx_cycle_t *cycle);
void ngx_http_voicebridge_exit_process(ngx_cycle_t *cycle);


/* content handlers */
ngx_int_t ngx_http_voicebridge_outbound_call_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_voicebridge_incoming_call_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_voicebridge_media_stream_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_voicebridge_call_status_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_voicebridge_metrics_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_voicebridge_calls_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_voicebridge_dashboard_handler(ngx_http_request_t *r);

/*
 * What is said of a request before its body is read, and once it was read:
 * NGX_OK, or what to answer with.  They log why, and fill r's context.
 */
ngx_int_t ngx_http_voicebridge_outbound_call_admit(ngx_http_request_t *r,
    ngx_http_voicebridge_taken_t *taken);
ngx_int_t ngx_http_voicebridge_outbound_call_parse(ngx_http_request_t *r,
    ngx_http_voicebridge_taken_t *taken);
ngx_int_t ngx_http_voicebridge_webhook_admit(ngx_http_request_t *r,
    ngx_http_voicebridge_taken_t *taken);
ngx_int_t ngx_http_voicebridge_incoming_call_parse(ngx_http_request_t *r,
    ngx_http_voicebridge_taken_t *taken);
ngx_int_t ngx_http_voicebridge_call_status_parse(ngx_http_request_t *r,
    ngx_http_voicebridge_taken_t *taken);

/* the same for whatever location it is, each done once for a request; NULL
 * without memory */
ngx_http_voicebridge_taken_t *ngx_http_voicebridge_admit(
    ngx_http_request_t *r);
ngx_http_voicebridge_taken_t *ngx_http_voicebridge_parse(
    ngx_http_request_t *r);

/* does so before nginx's limits look at a request; a postconfiguration hook */
ngx_int_t ngx_http_voicebridge_add_preaccess_handler(ngx_conf_t *cf);


/* bytes of r's body, which has been read */
off_t ngx_http_voicebridge_body_length(ngx_http_request_t *r);

/* takes a piece of a body: NGX_OK, or NGX_DECLINED for no more of them */
typedef ngx_int_t (*ngx_http_voicebridge_piece_pt)(void *data,
    const u_char *piece, size_t len);

/*
 * Hands out r's body, from wherever it is, in pieces that live as long as the
 * call of handler: NGX_OK, or NGX_ERROR.
 */
ngx_int_t ngx_http_voicebridge_body_each(ngx_http_request_t *r,
    ngx_http_voicebridge_piece_pt handler, void *data);


/* r's context, made when it is not there yet; NULL without memory */
ngx_http_voicebridge_ctx_t *ngx_http_voicebridge_ctx(ngx_http_request_t *r);

/* the same, also behind an internal redirect; NULL where it was not made */
ngx_http_voicebridge_ctx_t *ngx_http_voicebridge_find_ctx(
    ngx_http_request_t *r);

/*
 * Fills what r's context still lacks and its location says: the agent and, in
 * an API's, the number that calls.  NGX_OK, or NGX_ERROR.
 */
ngx_int_t ngx_http_voicebridge_defaults(ngx_http_request_t *r);

/* adds the module's variables; a preconfiguration hook */
ngx_int_t ngx_http_voicebridge_add_variables(ngx_conf_t *cf);


/* makes core's own error pages of an API's location JSON; a postconfiguration
 * hook */
void ngx_http_voicebridge_add_error_filter(void);

/* counts requests that never become calls, when they are logged; a
 * postconfiguration hook, for where there is a zone */
ngx_int_t ngx_http_voicebridge_add_log_handler(ngx_conf_t *cf);


/* makes the headers of the dashboard's page; a postconfiguration hook, for
 * where there is one */
ngx_int_t ngx_http_voicebridge_dashboard_init(ngx_conf_t *cf);


/*
 * What locations for operators have in common: GET and HEAD only, and the
 * answer is not to be stored.  NGX_OK, or the status to answer with.
 */
ngx_int_t ngx_http_voicebridge_view(ngx_http_request_t *r);


/*
 * The public base URL of this server as Twilio knows it, without a slash at
 * its end (contract: voicebridge_public_url).  NGX_OK, or NGX_ERROR.
 */
ngx_int_t ngx_http_voicebridge_public_url(ngx_http_request_t *r,
    ngx_str_t *url);

/*
 * The same for the media stream: always https://, but for a request over
 * plain HTTP where nothing says what the public URL is (contract 1.2).
 */
ngx_int_t ngx_http_voicebridge_stream_base(ngx_http_request_t *r,
    ngx_str_t *url);

/*
 * Whether X-API-Key is one of voicebridge_api_keys, or all requests are
 * taken: NGX_OK or NGX_DECLINED.
 */
ngx_int_t ngx_http_voicebridge_api_key(ngx_http_request_t *r);

/* the value of the request's first header of that name (lower case), or
 * NULL */
ngx_str_t *ngx_http_voicebridge_header(ngx_http_request_t *r,
    ngx_str_t *name);

/*
 * What can be said before a webhook's body is read: NGX_OK where signatures
 * are not verified or there is one to verify, else NGX_HTTP_FORBIDDEN, with
 * a line in the log.
 */
ngx_int_t ngx_http_voicebridge_signature_present(ngx_http_request_t *r);

/*
 * Checks X-Twilio-Signature where verification is on.  fields are the POST
 * form's (0 for GET and WebSocket).  NGX_OK; NGX_HTTP_FORBIDDEN with a line
 * in the log that says what to fix; NGX_HTTP_INTERNAL_SERVER_ERROR.
 */
ngx_int_t ngx_http_voicebridge_check_signature(ngx_http_request_t *r,
    vb_form_field_t *fields, size_t nfields, ngx_uint_t websocket);

/*
 * The auth tokens that may have signed, primary first: at most two.  Returns
 * their number, or NGX_ERROR.
 */
ngx_int_t ngx_http_voicebridge_auth_tokens(ngx_http_request_t *r,
    ngx_str_t tokens[2]);

/*
 * TwiML that makes Twilio open the media stream for the call ctx describes
 * (agent_id, session_id, direction, from, to, client_data) with
 * dynamic_variables (JSON or empty) and a fresh vb_token.  max: bytes the
 * document may have.  NGX_OK; NGX_DECLINED: it does not fit; NGX_ERROR.
 */
ngx_int_t ngx_http_voicebridge_twiml(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, ngx_str_t *dynamic_variables, size_t max,
    ngx_str_t *twiml);

/*
 * What the agent is told besides variables, as vb_agent_client.h has it: what
 * is given (may be NULL), and where it has nothing, what the location says;
 * empty where neither says anything.  In r->pool; NGX_ERROR with the reason
 * logged.
 */
ngx_int_t ngx_http_voicebridge_client_data(ngx_http_request_t *r,
    vb_agent_client_t *given, ngx_str_t *text);

/*
 * The URL of Twilio's Calls below an API's base, or of the one of that SID
 * (empty: none), in pool.
 */
ngx_int_t ngx_http_voicebridge_calls_url(ngx_pool_t *pool, ngx_str_t *base,
    ngx_str_t *account, ngx_str_t *sid, ngx_str_t *url);

/* a random UUID (RFC 4122, version 4) as text, in r->pool */
ngx_int_t ngx_http_voicebridge_session_id(ngx_http_request_t *r,
    ngx_str_t *id);

/* a phone number as logs may have it */
ngx_int_t ngx_http_voicebridge_masked(ngx_pool_t *pool, ngx_str_t *number,
    ngx_str_t *masked);

/*
 * A copy of somebody else's text for a log line or an answer: control
 * characters become spaces, it has max bytes at most, and what looks like a
 * phone number is masked.
 */
ngx_int_t ngx_http_voicebridge_plain_text(ngx_pool_t *pool, ngx_str_t *text,
    size_t max, ngx_str_t *plain);

/*
 * What ctx says of a call, as a record has it: texts, with masked numbers.
 */
void ngx_http_voicebridge_record_of(ngx_http_voicebridge_ctx_t *ctx,
    ngx_http_voicebridge_record_t *record);

/*
 * Twilio has the call that ctx describes: event says how (PLACED, INCOMING),
 * status is Twilio's CallStatus or NULL.  Nothing where there is no zone.
 */
void ngx_http_voicebridge_placed(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, ngx_http_voicebridge_step_e event,
    ngx_str_t *status);

/* what Twilio's words mean; NONE (0) where they are not known */
ngx_http_voicebridge_status_e ngx_http_voicebridge_call_status_of(
    ngx_str_t *status);
ngx_http_voicebridge_stream_e ngx_http_voicebridge_stream_event(
    ngx_str_t *event);

/* adds a header to the answer; key and value are static or of r->pool */
ngx_int_t ngx_http_voicebridge_add_header(ngx_http_request_t *r,
    const char *key, ngx_str_t *value);

/* sends status with a body and its content type, and finalizes nothing:
 * returns what to finalize with.  send_detail wraps text as {"detail": ...} */
ngx_int_t ngx_http_voicebridge_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *type, ngx_str_t *body);
ngx_int_t ngx_http_voicebridge_send_detail(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *detail);

/* the body that send_detail sends, in pool */
ngx_int_t ngx_http_voicebridge_detail(ngx_pool_t *pool, ngx_str_t *detail,
    ngx_str_t *body);


#endif /* _NGX_HTTP_VOICEBRIDGE_HANDLER_H_INCLUDED_ */
