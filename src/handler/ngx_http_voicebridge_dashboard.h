
/* The dashboard's location: a page, and what it asks for under ?view= */


#ifndef _NGX_HTTP_VOICEBRIDGE_DASHBOARD_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_DASHBOARD_H_INCLUDED_


#include <ngx_http_voicebridge_handler.h>


/* made from dashboard/ when the module is built */
extern const u_char  ngx_http_voicebridge_dashboard_page[];
extern const size_t  ngx_http_voicebridge_dashboard_page_size;


/* view=talk: who speaks when, as JSON, what has changed since then */
ngx_int_t ngx_http_voicebridge_dashboard_talk(ngx_http_request_t *r,
    ngx_shm_zone_t *zone);

/* view=transcript: a call's turns as they are known, server-sent events */
ngx_int_t ngx_http_voicebridge_dashboard_transcript(ngx_http_request_t *r,
    ngx_shm_zone_t *zone);


#endif /* _NGX_HTTP_VOICEBRIDGE_DASHBOARD_H_INCLUDED_ */
