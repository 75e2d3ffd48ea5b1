
/*
 * HTTP requests to REST services: one libcurl multi handle a worker, driven
 * by nginx's events.  Nothing here blocks; nothing here knows telephony.
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_FETCH_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_FETCH_H_INCLUDED_


#include <ngx_http_voicebridge.h>


/* most bytes of an answer's body that are kept; more is an error */
#define NGX_HTTP_VOICEBRIDGE_FETCH_MAX_BODY  65536


typedef struct ngx_http_voicebridge_fetch_s  ngx_http_voicebridge_fetch_t;

typedef void (*ngx_http_voicebridge_fetch_pt)(ngx_http_voicebridge_fetch_t *f);


struct ngx_http_voicebridge_fetch_s {
    /* what to do: strings need to live until start() returns, it copies */
    ngx_str_t                      url;
    ngx_str_t                      user;       /* with password: HTTP Basic */
    ngx_str_t                      password;
    ngx_str_t                      header;     /* "Name: value", an LF between
                                                  several, or empty */
    ngx_str_t                      body;       /* to POST, a form where no
                                                  header says what it is;
                                                  empty: GET */
    ngx_msec_t                     timeout;    /* of the whole request */
    unsigned                       repeatable:1;   /* a POST that may be sent
                                                      twice */
    ngx_flag_t                     ssl_verify;
    ngx_str_t                      trusted_certificate;  /* empty: system's */

    /* called once, from the event loop, never from within start(); after it
     * returns the fetch is gone.  NULL: nobody waits any more */
    ngx_http_voicebridge_fetch_pt  handler;
    void                          *data;

    /* what came of it, while handler runs */
    ngx_uint_t                     status;     /* HTTP status, 0: no answer */
    ngx_str_t                      answer;     /* its body */
    ngx_str_t                      retry_after;
    unsigned                       timed_out:1;
    unsigned                       maybe_sent:1;   /* the request may have been
                                                      taken by the server */
    char                          *error;      /* plain words, no secrets; of
                                                  status 0 */
    const char                    *failure;    /* in one word, to be counted:
                                                  resolve, connect, tls,
                                                  timeout, closed, 4xx, 5xx,
                                                  other; NULL for 2xx, 3xx */

    ngx_pool_t                    *pool;       /* the job's own */
    ngx_log_t                     *log;        /* outlives any request */
    void                          *priv;
};


/* a new request in a pool of its own; NULL without memory */
ngx_http_voicebridge_fetch_t *ngx_http_voicebridge_fetch_create(void);

/*
 * Starts it.  NGX_OK: handler will be called.  NGX_ERROR: it will not, and
 * the fetch is gone (logged).  A running fetch cannot be cancelled (its
 * request may have had its effect): set handler to NULL to lose interest.
 */
ngx_int_t ngx_http_voicebridge_fetch_start(ngx_http_voicebridge_fetch_t *f);

/* fetches under way in this worker */
ngx_uint_t ngx_http_voicebridge_fetch_running(void);

/* hooks of the worker's life */
ngx_int_t ngx_http_voicebridge_fetch_init_process(ngx_cycle_t *cycle);
void ngx_http_voicebridge_fetch_exit_process(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_VOICEBRIDGE_FETCH_H_INCLUDED_ */
