
/* An outbound call's two halves: the request of it, and Twilio */


#ifndef _NGX_HTTP_VOICEBRIDGE_OUTBOUND_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_OUTBOUND_H_INCLUDED_


#include <ngx_http_voicebridge_handler.h>
#include <vb_twilio_call.h>


/*
 * Method and API key, which come before all else: NGX_OK, or the status to
 * answer with and a detail.
 */
ngx_int_t ngx_http_voicebridge_outbound_admit(ngx_http_request_t *r,
    ngx_str_t *detail);


/* who pays for the call, none of them empty */
typedef struct {
    ngx_str_t             sid;
    ngx_str_t             token;
    ngx_str_t             number;
} ngx_http_voicebridge_account_t;


/*
 * Asks Twilio to place the call that r's context describes; sets the call's
 * time limit and callback.  NGX_OK: r will be answered and finalized when
 * Twilio has answered, and its count is kept until then.  NGX_ERROR: nothing
 * was asked.
 */
ngx_int_t ngx_http_voicebridge_outbound_place(ngx_http_request_t *r,
    vb_twilio_call_t *call, ngx_http_voicebridge_account_t *account);


#endif /* _NGX_HTTP_VOICEBRIDGE_OUTBOUND_H_INCLUDED_ */
