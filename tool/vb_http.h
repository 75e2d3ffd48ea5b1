
/* HTTP requests, as many at a time as wanted: libcurl's multi interface */


#ifndef _VB_HTTP_H_INCLUDED_
#define _VB_HTTP_H_INCLUDED_


#include <vb_tool.h>


/* of an answer's body; more is an error */
#define VB_HTTP_MAX_BODY  16777216


typedef struct vb_http_s  vb_http_t;


typedef struct {
    long             status;           /* 0: there is no answer */
    vb_str_t         body;             /* NUL behind it */
    int64_t          retry_after;      /* ms of Retry-After, or -1 */
    const char      *error;            /* where there is no answer: why */
    unsigned         sent:1;           /* the request may have arrived */
    unsigned         tls_failed:1;     /* of the server's certificate */
    const char      *version;          /* "HTTP/1.1" */
    const char      *location;         /* a redirect leads there, or NULL */
} vb_http_answer_t;


/* what *a points to is gone afterwards */
typedef void (*vb_http_done_pt)(void *data, const vb_http_answer_t *a);


typedef struct {
    const char      *url;
    const char      *post;             /* body, or NULL: GET */
    const char     **headers;          /* "Name: value", up to a NULL */
    const char      *userpwd;          /* Basic, or NULL */
    const char      *resolve;          /* "host:port:address", or NULL */
    int64_t          timeout;          /* ms */
    unsigned         fresh:1;          /* on a connection of its own: curl
                                          sends again what it sent on a reused
                                          one that is closed */
} vb_http_request_t;


vb_http_t *vb_http_create(const char *cacert, int insecure);
void vb_http_destroy(vb_http_t *http);

/* the request's strings may go at once; done is called by vb_http_run() */
void vb_http_send(vb_http_t *http, const vb_http_request_t *request,
    vb_http_done_pt done, void *data);

/* requests that are under way */
size_t vb_http_active(const vb_http_t *http);

/*
 * Moves all requests on; waits for at most ms, or until something happens on
 * one of them or on fd (-1: none) can be read.
 */
void vb_http_run(vb_http_t *http, int64_t ms, int fd);

/* one request, waited for; the answer's body is the caller's to free */
void vb_http_fetch(vb_http_t *http, const vb_http_request_t *request,
    vb_http_answer_t *a);


#endif /* _VB_HTTP_H_INCLUDED_ */
