
/* A call that comes in: the webhook, and who is asked about the caller */


#ifndef _NGX_HTTP_VOICEBRIDGE_INCOMING_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_INCOMING_H_INCLUDED_


#include <ngx_http_voicebridge_webhook.h>
#include <vb_agent_lookup.h>


/*
 * Answers with the TwiML for the call of r's context, for which the caller
 * was looked up (found) or not (NULL).  Returns what to finalize with, or
 * NGX_DECLINED where what was found does not fit.
 */
ngx_int_t ngx_http_voicebridge_incoming_answer(ngx_http_request_t *r,
    vb_agent_looked_up_t *found);

/*
 * Asks about the caller, where there is somebody to ask, and answers then.
 * Returns what to finalize with, or NGX_AGAIN: r is answered and finalized
 * later.
 */
ngx_int_t ngx_http_voicebridge_caller_lookup(ngx_http_request_t *r);


#endif /* _NGX_HTTP_VOICEBRIDGE_INCOMING_H_INCLUDED_ */
