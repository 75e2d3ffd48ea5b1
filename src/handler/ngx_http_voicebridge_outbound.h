
/* An outbound call: the request of it, Twilio, and what is made of its word */


#ifndef _NGX_HTTP_VOICEBRIDGE_OUTBOUND_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_OUTBOUND_H_INCLUDED_


#include <ngx_http_voicebridge_handler.h>
#include <ngx_http_voicebridge_fetch.h>
#include <ngx_http_voicebridge_hold.h>
#include <ngx_http_voicebridge_idempotency.h>

#include <vb_api_request.h>
#include <vb_twilio_call.h>


/* who pays for the call, neither of them empty */
typedef struct {
    ngx_str_t                           sid;
    ngx_str_t                           token;
} ngx_http_voicebridge_account_t;


/* what makes a request one that is done once; may outlive it */
typedef struct {
    ngx_shm_zone_t                     *zone;      /* NULL: it has no key */
    ngx_http_voicebridge_idempotency_t  id;
    ngx_uint_t                          made;      /* the session id is ours */
    ngx_uint_t                          session;   /* it is the key */
} ngx_http_voicebridge_once_t;


/* a request on its way to Twilio; of its pool */
typedef struct {
    vb_api_request_t                    request;
    vb_twilio_call_t                    call;
    ngx_http_voicebridge_account_t      account;
    ngx_http_voicebridge_hold_t         hold;
    ngx_http_voicebridge_once_t         once;
    ngx_http_voicebridge_kept_t         kept;      /* of the first one's
                                                      answer */
} ngx_http_voicebridge_order_t;


/* what Twilio has made of it; strings are of the fetch */
typedef struct {
    ngx_uint_t                          status;    /* to answer with */
    ngx_str_t                           detail;    /* why not, else */
    ngx_str_t                           message;   /* Twilio's, fit to be
                                                      shown */
    const char                         *remedy;    /* for the log */
    vb_twilio_answer_t                  answer;
    unsigned                            no_call:1; /* for sure, and another
                                                      attempt may have more
                                                      luck */
} ngx_http_voicebridge_result_t;


/* _outbound_call.c */

/*
 * Method and API key, which come before all else: NGX_OK, or the status to
 * answer with and a detail.
 */
ngx_int_t ngx_http_voicebridge_outbound_admit(ngx_http_request_t *r,
    ngx_str_t *detail);

/* adds what a 405 has to say */
ngx_int_t ngx_http_voicebridge_outbound_allow(ngx_http_request_t *r);


/* _outbound_once.c */

/*
 * Whether a request like this was here before.  NGX_OK: no, go on, with
 * order->once set where it has a key; NGX_DONE: yes, order->kept is of its
 * answer; NGX_ERROR; or the status to answer with and a detail.
 */
ngx_int_t ngx_http_voicebridge_outbound_first(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order, ngx_str_t *detail);

/*
 * Takes the place for its answer, right before Twilio is asked: NGX_OK,
 * NGX_ERROR, or the status to answer with and a detail.
 */
ngx_int_t ngx_http_voicebridge_outbound_reserve(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order, ngx_str_t *detail);

/*
 * Twilio has answered: what is to be known of it for the next request, whose
 * answer body is, is kept, or forgotten.
 */
void ngx_http_voicebridge_outbound_remember(ngx_http_voicebridge_once_t *once,
    ngx_http_voicebridge_result_t *result, ngx_str_t *session_id,
    ngx_str_t *body);

/* the same with a Retry-After: NGX_ERROR or status */
ngx_int_t ngx_http_voicebridge_outbound_later(ngx_http_request_t *r,
    ngx_uint_t status, char *seconds);

/* answers as the first was; returns what to finalize with */
ngx_int_t ngx_http_voicebridge_outbound_repeat(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order);


/*
 * _outbound_hold.c: holds one call more of the agent, where their number is
 * limited: NGX_OK, NGX_ERROR, or the status to answer with and a detail.
 */
ngx_int_t ngx_http_voicebridge_outbound_hold(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order, ngx_str_t *detail);


/* _options.c: fills order->call, but for what place() does */
ngx_int_t ngx_http_voicebridge_outbound_options(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order);


/* _outbound_twilio.c */

/*
 * Asks Twilio to place the call that r's context describes; sets the call's
 * time limit and callback.  NGX_OK: r will be answered and finalized when
 * Twilio has answered, and its count is kept until then.  NGX_ERROR: nothing
 * was asked.
 */
ngx_int_t ngx_http_voicebridge_outbound_place(ngx_http_request_t *r,
    ngx_http_voicebridge_order_t *order);


/* _outbound_result.c */

/* reads Twilio's answer, or why there is none */
void ngx_http_voicebridge_outbound_result(ngx_http_voicebridge_fetch_t *f,
    ngx_http_voicebridge_result_t *result);

/*
 * The JSON to answer with, in pool: of result, for a call to this number and
 * of this session.  The detail of one that is none is cut where the JSON would
 * have more than max bytes.
 */
ngx_int_t ngx_http_voicebridge_outbound_json(ngx_pool_t *pool,
    ngx_http_voicebridge_result_t *result, ngx_str_t *to,
    ngx_str_t *session_id, size_t max, ngx_str_t *body);


#endif /* _NGX_HTTP_VOICEBRIDGE_OUTBOUND_H_INCLUDED_ */
