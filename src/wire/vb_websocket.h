
/*
 * WebSocket framing, RFC 6455: bytes to messages and back, for either role.
 * No sockets, no policy, no allocation: the caller owns one buffer a leg.
 */


#ifndef _VB_WEBSOCKET_H_INCLUDED_
#define _VB_WEBSOCKET_H_INCLUDED_


#include <vb_core.h>


/* opcodes, RFC 6455 section 5.2 */
#define VB_WS_CONTINUATION  0x0
#define VB_WS_TEXT          0x1
#define VB_WS_BINARY        0x2
#define VB_WS_CLOSE         0x8
#define VB_WS_PING          0x9
#define VB_WS_PONG          0xa

/* status codes, section 7.4 */
#define VB_WS_NORMAL            1000
#define VB_WS_GOING_AWAY        1001
#define VB_WS_PROTOCOL_ERROR    1002
#define VB_WS_UNSUPPORTED_DATA  1003
#define VB_WS_NO_STATUS         1005   /* never on the wire */
#define VB_WS_ABNORMAL          1006   /* never on the wire */
#define VB_WS_INVALID_DATA      1007
#define VB_WS_POLICY            1008
#define VB_WS_TOO_BIG           1009
#define VB_WS_INTERNAL_ERROR    1011

#define VB_WS_MAX_HEADER        14     /* 2 + 8 length + 4 mask */
#define VB_WS_MAX_CONTROL       125    /* payload of a control frame */
#define VB_WS_KEY_LENGTH        24     /* 16 bytes in base64 */
#define VB_WS_ACCEPT_LENGTH     28


/* start <= message <= pos <= last <= end; the caller reads bytes to last */
typedef struct {
    u_char          *start;            /* of the memory */
    u_char          *message;          /* of the message being put together */
    u_char          *pos;              /* of what is not yet looked at */
    u_char          *last;             /* behind the last byte read */
    u_char          *end;              /* of the memory */
} vb_ws_buf_t;


typedef struct {
    /* set by vb_ws_reader_init() */
    size_t           max_message;      /* bytes of a whole message */
    unsigned         masked:1;         /* the peer is a client: it masks */

    /* the frame and message under way */
    unsigned         in_frame:1;
    unsigned         fin:1;
    unsigned         opcode:4;         /* of the frame */
    unsigned         message_opcode:4; /* 0: none under way */
    unsigned         closed:1;         /* a Close was read: nothing more */
    u_char           mask[4];
    uint64_t         left;             /* payload bytes of the frame to come */
    size_t           length;           /* payload bytes of the message so far */
    uint32_t         mask_phase;
    uint32_t         utf8;             /* state of the UTF-8 check */
    size_t           control_length;

    /* after VB_ERROR */
    const char      *error;            /* plain reason, static */
    unsigned         status;           /* to close with: 1002, 1007, 1009 */

    /* last: data frames need none of it */
    u_char           control[VB_WS_MAX_CONTROL];
} vb_ws_reader_t;


typedef struct {
    unsigned         opcode;           /* TEXT, BINARY, CLOSE, PING or PONG */
    unsigned         status;           /* of a CLOSE; 1005 where it had none */
    vb_str_t         payload;          /* in the buffer (data) or in the reader
                                          (control; of a CLOSE, the reason);
                                          valid until the next call */
} vb_ws_event_t;


void vb_ws_reader_init(vb_ws_reader_t *r, unsigned masked, size_t max_message);


/*
 * Takes bytes from b->pos until a whole message or control frame is there.
 * Fragments are joined in place, masks undone in place.
 *
 *   VB_OK     *ev is set; call again before reading more bytes
 *   VB_AGAIN  all bytes used: b->message..b->last must be kept (and may be
 *             moved, with b adjusted), read more behind b->last
 *   VB_ERROR  the peer broke RFC 6455 or a limit: r->status and r->error
 *
 * After VB_OK of a data message b->message == b->pos again.  Checked: RSV
 * bits, opcodes, mask (5.1), fragmentation (5.4), control frames (5.5),
 * minimal lengths (5.2), UTF-8 of text and of close reasons, incrementally
 * (8.1), close codes (7.4), max_message (1009).
 */
int vb_ws_read(vb_ws_reader_t *r, vb_ws_buf_t *b, vb_ws_event_t *ev);


/*
 * After VB_AGAIN: bytes of room behind b->last that hold the rest of the
 * frame under way (0 when its header is not complete), so that a large
 * message needs few enlargements.  Never more than max_message + 14.
 */
size_t vb_ws_wanted(const vb_ws_reader_t *r, const vb_ws_buf_t *b);


/*
 * Writes a frame's header, FIN set, right before payload and masks the len
 * payload bytes in place when mask is not NULL (section 5.3: a client's
 * mask is fresh and random for each frame).  At least VB_WS_MAX_HEADER bytes
 * before payload must be free.  Returns where the frame begins.
 */
u_char *vb_ws_frame(u_char *payload, size_t len, unsigned opcode,
    const u_char mask[4]);


/*
 * Writes the payload of a Close: status, then at most 123 bytes of reason
 * (never cutting a UTF-8 character; NULL: none).  Returns its length, which
 * is 0 for VB_WS_NO_STATUS.
 */
size_t vb_ws_close_payload(u_char *dst, unsigned status,
    const vb_str_t *reason);


/* XORs n bytes with the mask, starting at its byte phase (0..3) */
void vb_ws_mask(u_char *p, size_t n, const u_char mask[4], unsigned phase);


/*
 * Sec-WebSocket-Accept for a Sec-WebSocket-Key (section 4.2.2), whose 24
 * characters the caller has checked: 28 characters to dst.
 */
void vb_ws_accept(u_char dst[VB_WS_ACCEPT_LENGTH], const vb_str_t *key);


#endif /* _VB_WEBSOCKET_H_INCLUDED_ */
