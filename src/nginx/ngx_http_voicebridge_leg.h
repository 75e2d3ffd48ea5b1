
/*
 * One WebSocket connection of a call: bytes in and out of a socket, frames in
 * between.  It knows no telephony and never blocks.
 *
 * Memory: while a handler runs a leg uses buffers that the worker shares
 * out; ngx_http_voicebridge_leg_release() takes them back and leaves a leg
 * only what is unfinished.  An idle leg owns no buffer.
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_LEG_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_LEG_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <vb_websocket.h>


/* bytes of a buffer the worker shares out */
#define NGX_HTTP_VOICEBRIDGE_LEG_BUFFER  65536

/* output that waits for a slow peer; at the limit its source is not read */
#define NGX_HTTP_VOICEBRIDGE_LEG_QUEUE  65536


typedef struct {
    u_char                    *start;
    u_char                    *frame;      /* the first frame not all sent */
    u_char                    *pos;        /* first byte not sent, in it */
    u_char                    *last;
    u_char                    *end;
    u_char                    *urgent;     /* behind the last urgent frame */
    size_t                     pinned;     /* bytes from pos TLS has seen */
} ngx_http_voicebridge_out_t;


/*
 * What a message costs is for a good part memory that is not in the CPU's
 * cache: what a frame of audio needs of a leg is in its first three lines.
 */

typedef struct {
    ngx_connection_t          *connection; /* NULL: not there (any more) */
#if (NGX_SSL)
    SSL                       *ssl;        /* its, or NULL */
#endif
    ngx_msec_t                 last_read;  /* when bytes last came */
    ngx_msec_t                 last_sent;  /* when the peer last took bytes, or
                                              the first of those queued came */
    unsigned                   client:1;   /* this side is the client: masks */
    unsigned                   held:1;     /* a message in the buffer is still
                                              needed: keep it where it is */
    unsigned                   close_sent:1;
    unsigned                   close_received:1;
    unsigned                   eof:1;      /* the peer's end, or an error */
    unsigned                   broken:1;   /* nothing can be sent any more,
                                              what has come can be read */
    unsigned                   empty:1;    /* the socket was: only an event
                                              tells of more */
    unsigned                   direct:1;   /* OpenSSL is asked without core */
    unsigned                   settled:1;  /* the events asked for are those
                                              of a leg with nothing queued */
    ngx_http_voicebridge_out_t out;
    vb_ws_buf_t                in;
    vb_ws_reader_t             reader;
} ngx_http_voicebridge_leg_t;


/*
 * Starts a leg on a connection whose opening handshake is done.  max_message
 * bounds what the peer may send as one message.
 */
void ngx_http_voicebridge_leg_init(ngx_http_voicebridge_leg_t *leg,
    ngx_connection_t *c, ngx_uint_t client, size_t max_message);

/* takes bytes that came glued to the handshake; NGX_OK or NGX_ERROR */
ngx_int_t ngx_http_voicebridge_leg_preread(ngx_http_voicebridge_leg_t *leg,
    u_char *data, size_t len);

/* an event of the connection's, or a timer's that looks at it: may be read */
#define ngx_http_voicebridge_leg_wake(leg)  (leg)->empty = 0

/*
 * Reads once.  NGX_OK: bytes came, and leg->empty says whether there may be
 * more; NGX_AGAIN: none now; NGX_DONE: the peer is gone (leg->eof);
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_voicebridge_leg_read(ngx_http_voicebridge_leg_t *leg);

/*
 * Whether the peer has ended its side, or all of the connection, behind bytes
 * that were not read yet: for event methods that do not tell.
 */
ngx_uint_t ngx_http_voicebridge_leg_left(ngx_http_voicebridge_leg_t *leg);

/*
 * The next message or control frame that was read: NGX_OK, NGX_AGAIN, or
 * NGX_ERROR for a violation (leg->reader.status and .error).
 */
ngx_int_t ngx_http_voicebridge_leg_next(ngx_http_voicebridge_leg_t *leg,
    vb_ws_event_t *ev);


/*
 * Queues one text message of exactly len bytes: begin returns where to write
 * them (NULL without memory), end makes the frame around them.
 */
u_char *ngx_http_voicebridge_leg_begin(ngx_http_voicebridge_leg_t *leg,
    size_t len);
ngx_int_t ngx_http_voicebridge_leg_end(ngx_http_voicebridge_leg_t *leg,
    u_char *payload, size_t len);

/*
 * Queues a small frame (at most 4096 bytes) ahead of all that is queued
 * and can still be overtaken, but behind other urgent ones: pongs, clear.
 * NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_voicebridge_leg_urgent(ngx_http_voicebridge_leg_t *leg,
    ngx_uint_t opcode, u_char *data, size_t len);

/* queues a Close, once, behind everything */
ngx_int_t ngx_http_voicebridge_leg_close(ngx_http_voicebridge_leg_t *leg,
    ngx_uint_t status, ngx_str_t *reason);

/* takes back the queued messages (not control frames) that are not on
 * their way yet */
void ngx_http_voicebridge_leg_drop(ngx_http_voicebridge_leg_t *leg);

/* bytes queued */
#define ngx_http_voicebridge_leg_queued(leg)                                  \
    ((size_t) ((leg)->out.last - (leg)->out.pos))

#define ngx_http_voicebridge_leg_full(leg)                                    \
    (ngx_http_voicebridge_leg_queued(leg) >= NGX_HTTP_VOICEBRIDGE_LEG_QUEUE)

/*
 * Sends what is queued: NGX_OK all, NGX_AGAIN not all; NGX_ERROR: it is lost,
 * broken is set.
 */
ngx_int_t ngx_http_voicebridge_leg_flush(ngx_http_voicebridge_leg_t *leg);

/*
 * Asks nginx for the events a leg needs (settled must be 0 where others may
 * have asked for some), and gives shared memory back.
 */
ngx_int_t ngx_http_voicebridge_leg_wait(ngx_http_voicebridge_leg_t *leg);
void ngx_http_voicebridge_leg_release(ngx_http_voicebridge_leg_t *leg);

#if (NGX_SSL)

/*
 * _leg_tls.c: a leg's begin on TLS; a read of it, as c->recv(), but where more
 * may have come, and only there, c->read->ready is set; a worker's end.
 */
void ngx_http_voicebridge_leg_tls_init(ngx_http_voicebridge_leg_t *leg);
ssize_t ngx_http_voicebridge_leg_tls_recv(ngx_http_voicebridge_leg_t *leg,
    u_char *buf, size_t size);
void ngx_http_voicebridge_leg_tls_exit_process(ngx_cycle_t *cycle);

#endif

/* frees all memory and forgets the connection, which it does not close */
void ngx_http_voicebridge_leg_free(ngx_http_voicebridge_leg_t *leg);

/*
 * The worker's shared buffers of NGX_HTTP_VOICEBRIDGE_LEG_BUFFER bytes: takes
 * one (NULL without memory), and gives one, or other memory, back.
 */
u_char *ngx_http_voicebridge_leg_get(void);
void ngx_http_voicebridge_leg_put(u_char *start, u_char *end);

/* a hook of the worker's life: frees what its legs share */
void ngx_http_voicebridge_leg_exit_process(ngx_cycle_t *cycle);

/* whether there is nothing more to wait for before the socket is closed */
#define ngx_http_voicebridge_leg_done(leg)                                    \
    ((leg)->connection == NULL || (leg)->eof                                  \
     || ((leg)->close_sent && (leg)->broken)                                  \
     || ((leg)->close_sent && (leg)->close_received                           \
         && ngx_http_voicebridge_leg_queued(leg) == 0))


#endif /* _NGX_HTTP_VOICEBRIDGE_LEG_H_INCLUDED_ */
