
/* voicebridge_calls: the question, and the JSON that answers it */


#ifndef _NGX_HTTP_VOICEBRIDGE_CALLS_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_CALLS_H_INCLUDED_


#include <ngx_http_voicebridge_handler.h>
#include <ngx_http_voicebridge_zone.h>


/*
 * {"live": [call, ...], "recent": [call, ...]} in r->pool, of arrays of
 * ngx_http_voicebridge_known_t, which are changed; events: each call with
 * what happened to it.  NGX_OK, or NGX_ERROR without memory.
 */
ngx_int_t ngx_http_voicebridge_calls_json(ngx_http_request_t *r,
    ngx_array_t *live, ngx_array_t *recent, ngx_uint_t events,
    ngx_str_t *json);

/*
 * Hangs up the call of ?sid=CA...&action=hangup: what to finalize with.  The
 * answer is {"success": true, "call_sid": ..., "status": ...}, with status
 * "completed", or "ended" where it was over before.
 */
ngx_int_t ngx_http_voicebridge_hangup(ngx_http_request_t *r,
    ngx_shm_zone_t *zone);


#endif /* _NGX_HTTP_VOICEBRIDGE_CALLS_H_INCLUDED_ */
