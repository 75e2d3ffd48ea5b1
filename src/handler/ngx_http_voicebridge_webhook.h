
/* What Twilio's webhooks have in common: a form, signed */


#ifndef _NGX_HTTP_VOICEBRIDGE_WEBHOOK_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_WEBHOOK_H_INCLUDED_


#include <ngx_http_voicebridge_handler.h>


/* most bytes of a form */
#define NGX_HTTP_VOICEBRIDGE_WEBHOOK_MAX  65536


/* answers a webhook whose fields are known to be Twilio's; returns what to
 * finalize the request with, or NGX_AGAIN: it will do so itself later */
typedef ngx_int_t (*ngx_http_voicebridge_webhook_pt)(ngx_http_request_t *r,
    vb_form_field_t *fields, ngx_uint_t n);


/*
 * A content handler: answers what ..._webhook_admit() has refused, else reads
 * the body and calls post_handler, which is to call
 * ngx_http_voicebridge_webhook_run().
 */
ngx_int_t ngx_http_voicebridge_webhook(ngx_http_request_t *r,
    ngx_http_client_body_handler_pt post_handler);

/* calls handler where ..._webhook_parse() has found nothing wrong, finalizes */
void ngx_http_voicebridge_webhook_run(ngx_http_request_t *r,
    ngx_http_voicebridge_webhook_pt handler);

/*
 * Parses the form (or a GET's query) and verifies it.  Returns r's context,
 * with the call's SID, numbers, direction and status in it; NULL where
 * taken->rc says what to answer with.
 */
ngx_http_voicebridge_ctx_t *ngx_http_voicebridge_webhook_parse(
    ngx_http_request_t *r, ngx_http_voicebridge_taken_t *taken);

/* a field's value, or an empty string */
ngx_str_t ngx_http_voicebridge_webhook_field(vb_form_field_t *fields,
    ngx_uint_t n, const char *name);


/*
 * Who answers the call is known: does what was decided for that when the call
 * was placed.  Nobody waits for it; what comes of it is logged.
 */
void ngx_http_voicebridge_machine(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, ngx_str_t *answered_by);


/*
 * Tells the location's voicebridge_webhook, if there is one that wants to
 * know, of an outbound call that was not answered, where that is what the
 * form says.
 */
void ngx_http_voicebridge_not_answered(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, vb_form_field_t *fields, ngx_uint_t n);


#endif /* _NGX_HTTP_VOICEBRIDGE_WEBHOOK_H_INCLUDED_ */
