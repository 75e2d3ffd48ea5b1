
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


#endif /* _NGX_HTTP_VOICEBRIDGE_CALLS_H_INCLUDED_ */
