
/*
 * libcurl's multi interface on nginx's event loop: what the fetch's requests
 * run on.  One in a worker, none in the master.
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_CURL_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_CURL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <curl/curl.h>


/* called from the event loop when a transfer has ended; easy, which is no
 * longer the loop's, and what it points at are to be freed by the callee */
typedef void (*ngx_http_voicebridge_curl_pt)(CURL *easy, CURLcode result);


/*
 * Starts and stops the worker's loop.  connections: how many sockets, each
 * of which takes one of worker_connections, transfers may have; more wait.
 * On exit no transfer may be left.
 */
ngx_int_t ngx_http_voicebridge_curl_init(ngx_uint_t connections,
    ngx_http_voicebridge_curl_pt done);
void ngx_http_voicebridge_curl_exit(void);

/* starts a transfer, which never ends before this returns; NGX_ERROR is
 * logged, and easy is the caller's still */
ngx_int_t ngx_http_voicebridge_curl_add(CURL *easy, ngx_log_t *log);

/* takes a running transfer away, on exit only: done is not called */
void ngx_http_voicebridge_curl_remove(CURL *easy);

/* transfers under way */
ngx_uint_t ngx_http_voicebridge_curl_running(void);

/* why a transfer failed, in one word to be counted (see the fetch's failure);
 * NULL where it did not */
const char *ngx_http_voicebridge_curl_failure(CURLcode result, long status);

/* for CURLOPT_CLOSESOCKETFUNCTION, whose data is not used */
int ngx_http_voicebridge_curl_close(void *data, curl_socket_t fd);


#endif /* _NGX_HTTP_VOICEBRIDGE_CURL_H_INCLUDED_ */
