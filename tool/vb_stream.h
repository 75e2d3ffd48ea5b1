
/* A WebSocket as its client, over a connection of libcurl's, which does TLS */


#ifndef _VB_STREAM_H_INCLUDED_
#define _VB_STREAM_H_INCLUDED_


#include <vb_tool.h>
#include <vb_websocket.h>


typedef struct vb_stream_s  vb_stream_t;


typedef struct {
    const char      *url;              /* ws:// or wss:// */
    const char      *signature;        /* X-Twilio-Signature, or NULL */
    const char      *cacert;
    int              insecure;
    int64_t          timeout;          /* of connection and handshake, ms */
} vb_stream_conf_t;


/*
 * Connects and does the handshake.  NULL with why set: *status is that of the
 * answer, or 0 where there was none.
 */
vb_stream_t *vb_stream_open(const vb_stream_conf_t *conf, char *why,
    size_t size, long *status);
void vb_stream_close(vb_stream_t *s);

/* the next message: VB_OK; VB_AGAIN, none is there yet; VB_DECLINED, the
 * connection has ended; VB_ERROR, the peer broke RFC 6455: vb_stream_error() */
int vb_stream_read(vb_stream_t *s, vb_ws_event_t *ev);
const char *vb_stream_error(const vb_stream_t *s);

/* waits for bytes for at most ms, or until fd (-1: none) can be read */
void vb_stream_wait(vb_stream_t *s, int64_t ms, int fd);

/* a text, a pong, ...: VB_OK, or VB_ERROR, nothing can be sent any more */
int vb_stream_send(vb_stream_t *s, unsigned opcode, const void *data,
    size_t len);


#endif /* _VB_STREAM_H_INCLUDED_ */
