
/*
 * RFC 6455, framing: bytes, however they were cut, to messages, and back.
 *
 * The reader works in the caller's buffer.  The payload of a message's first
 * frame stays where it was read; those of later fragments are moved down
 * behind it, each byte once, so that
 *
 *     start    message                pos          last       end
 *     |        |=== r->length ===|    |............|          |
 *                                  gap
 *
 * holds whenever a frame begins.  The gap is what headers and control frames
 * between fragments took; before more is read it is closed.
 */


#include <vb_websocket.h>
#include <vb_base64.h>
#include <vb_utf8.h>

#include <openssl/sha.h>

/* -DVB_PORTABLE: as on machines without SSE2, for tests */
#if (__SSE2__ && !VB_PORTABLE)
#include <emmintrin.h>
#define VB_WS_SSE2  1
#endif


#define VB_WS_FIN       0x80
#define VB_WS_RSV       0x70
#define VB_WS_OPCODE    0x0f
#define VB_WS_CONTROL   0x08
#define VB_WS_MASKED    0x80
#define VB_WS_LENGTH    0x7f
#define VB_WS_LENGTH16  126
#define VB_WS_LENGTH64  127

#define VB_WS_GUID      "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


static int vb_ws_read_header(vb_ws_reader_t *r, vb_ws_buf_t *b);
static int vb_ws_check_header(vb_ws_reader_t *r, u_char first, u_char second);
static int vb_ws_read_length(vb_ws_reader_t *r, const u_char *p, size_t bytes);
static void vb_ws_begin_frame(vb_ws_reader_t *r, vb_ws_buf_t *b);
static size_t vb_ws_take(vb_ws_reader_t *r, vb_ws_buf_t *b, u_char *dst);
static int vb_ws_read_data(vb_ws_reader_t *r, vb_ws_buf_t *b,
    vb_ws_event_t *ev);
static int vb_ws_read_control(vb_ws_reader_t *r, vb_ws_buf_t *b,
    vb_ws_event_t *ev);
static int vb_ws_read_close(vb_ws_reader_t *r, vb_ws_event_t *ev);
static void vb_ws_close_gap(vb_ws_reader_t *r, vb_ws_buf_t *b);
static int vb_ws_error(vb_ws_reader_t *r, unsigned status, const char *error);


void
vb_ws_reader_init(vb_ws_reader_t *r, unsigned masked, size_t max_message)
{
    memset(r, 0, sizeof(vb_ws_reader_t));

    r->masked = (masked != 0);
    r->max_message = max_message;
}


int
vb_ws_read(vb_ws_reader_t *r, vb_ws_buf_t *b, vb_ws_event_t *ev)
{
    int  rc;

    if (r->status) {
        return VB_ERROR;
    }

    if (r->closed) {

        /* section 1.4: what follows a Close is discarded */

        b->pos = b->last;
        b->message = b->last;

        return VB_AGAIN;
    }

    do {
        rc = r->in_frame ? VB_OK : vb_ws_read_header(r, b);

        if (rc != VB_OK) {
            break;
        }

        rc = (r->opcode & VB_WS_CONTROL) ? vb_ws_read_control(r, b, ev)
                                         : vb_ws_read_data(r, b, ev);

    } while (rc == VB_DECLINED);

    if (rc == VB_AGAIN) {
        vb_ws_close_gap(r, b);
    }

    return rc;
}


size_t
vb_ws_wanted(const vb_ws_reader_t *r, const vb_ws_buf_t *b)
{
    return r->in_frame ? (size_t) r->left : 0;
}


/*
 * Takes a header when it is there in full: VB_OK with b->pos at the payload,
 * VB_AGAIN with nothing taken.
 */

static int
vb_ws_read_header(vb_ws_reader_t *r, vb_ws_buf_t *b)
{
    size_t   n, len, bytes;
    u_char  *p;

    p = b->pos;
    n = b->last - p;

    if (n < 2) {
        return VB_AGAIN;
    }

    if (vb_ws_check_header(r, p[0], p[1]) != VB_OK) {
        return VB_ERROR;
    }

    len = p[1] & VB_WS_LENGTH;
    bytes = (len == VB_WS_LENGTH64) ? 8 : (len == VB_WS_LENGTH16) ? 2 : 0;

    if (n < 2 + bytes + (r->masked ? 4 : 0)) {
        return VB_AGAIN;
    }

    r->opcode = p[0] & VB_WS_OPCODE;
    r->fin = ((p[0] & VB_WS_FIN) != 0);
    r->left = len;

    if (bytes && vb_ws_read_length(r, p + 2, bytes) != VB_OK) {
        return VB_ERROR;
    }

    if (!(r->opcode & VB_WS_CONTROL) && r->left > r->max_message - r->length) {
        return vb_ws_error(r, VB_WS_TOO_BIG, "message too big");
    }

    p += 2 + bytes;

    if (r->masked) {
        memcpy(r->mask, p, 4);
        p += 4;
    }

    b->pos = p;

    vb_ws_begin_frame(r, b);

    return VB_OK;
}


static void
vb_ws_begin_frame(vb_ws_reader_t *r, vb_ws_buf_t *b)
{
    r->in_frame = 1;
    r->mask_phase = 0;
    r->control_length = 0;

    if (r->opcode & VB_WS_CONTROL) {
        return;
    }

    if (r->opcode != VB_WS_CONTINUATION) {
        r->message_opcode = r->opcode;
    }

    if (r->length == 0) {
        b->message = b->pos;
    }
}


static int
vb_ws_check_header(vb_ws_reader_t *r, u_char first, u_char second)
{
    unsigned  opcode;

    opcode = first & VB_WS_OPCODE;

    if (first & VB_WS_RSV) {
        return vb_ws_error(r, VB_WS_PROTOCOL_ERROR, "reserved bit set");
    }

    switch (opcode) {

    case VB_WS_CONTINUATION:
        if (r->message_opcode == 0) {
            return vb_ws_error(r, VB_WS_PROTOCOL_ERROR,
                               "continuation without a message");
        }

        break;

    case VB_WS_TEXT:
    case VB_WS_BINARY:
        if (r->message_opcode) {
            return vb_ws_error(r, VB_WS_PROTOCOL_ERROR,
                               "new message inside a fragmented one");
        }

        break;

    case VB_WS_CLOSE:
    case VB_WS_PING:
    case VB_WS_PONG:
        if (!(first & VB_WS_FIN)) {
            return vb_ws_error(r, VB_WS_PROTOCOL_ERROR,
                               "fragmented control frame");
        }

        if ((second & VB_WS_LENGTH) > VB_WS_MAX_CONTROL) {
            return vb_ws_error(r, VB_WS_PROTOCOL_ERROR,
                               "control frame longer than 125 bytes");
        }

        break;

    default:
        return vb_ws_error(r, VB_WS_PROTOCOL_ERROR, "reserved opcode");
    }

    if (r->masked != ((second & VB_WS_MASKED) != 0)) {
        return vb_ws_error(r, VB_WS_PROTOCOL_ERROR,
                           r->masked ? "client frame without a mask"
                                     : "server frame with a mask");
    }

    return VB_OK;
}


/* a length of more than seven bits */

static int
vb_ws_read_length(vb_ws_reader_t *r, const u_char *p, size_t bytes)
{
    size_t  i;

    r->left = 0;

    for (i = 0; i < bytes; i++) {
        r->left = r->left << 8 | p[i];
    }

    if (r->left >> 63) {
        return vb_ws_error(r, VB_WS_PROTOCOL_ERROR,
                           "length with its highest bit set");
    }

    if (r->left < ((bytes == 2) ? VB_WS_LENGTH16 : 65536)) {
        return vb_ws_error(r, VB_WS_PROTOCOL_ERROR,
                           "length not in its shortest form");
    }

    return VB_OK;
}


/* what has come of the payload goes to dst, unmasked; returns its length */

static size_t
vb_ws_take(vb_ws_reader_t *r, vb_ws_buf_t *b, u_char *dst)
{
    size_t  n;

    n = vb_min((size_t) (b->last - b->pos), r->left);

    if (dst != b->pos) {
        memmove(dst, b->pos, n);
    }

    if (r->masked) {
        vb_ws_mask(dst, n, r->mask, r->mask_phase);
        r->mask_phase = (r->mask_phase + n) & 3;
    }

    b->pos += n;
    r->left -= n;

    return n;
}


/* VB_DECLINED: a fragment is complete and the message is not */

static int
vb_ws_read_data(vb_ws_reader_t *r, vb_ws_buf_t *b, vb_ws_event_t *ev)
{
    size_t   n;
    u_char  *p;

    p = b->message + r->length;
    n = vb_ws_take(r, b, p);

    if (r->message_opcode == VB_WS_TEXT
        && vb_utf8_check(&r->utf8, p, n) != VB_OK)
    {
        return vb_ws_error(r, VB_WS_INVALID_DATA, "text is not UTF-8");
    }

    r->length += n;

    if (r->left) {
        return VB_AGAIN;
    }

    r->in_frame = 0;

    if (!r->fin) {
        return VB_DECLINED;
    }

    if (r->utf8) {
        return vb_ws_error(r, VB_WS_INVALID_DATA,
                           "text ends inside a UTF-8 character");
    }

    ev->opcode = r->message_opcode;
    ev->status = 0;
    ev->payload.data = b->message;
    ev->payload.len = r->length;

    r->message_opcode = 0;
    r->length = 0;
    b->message = b->pos;

    return VB_OK;
}


/* the payload is taken out of the buffer, as fragments may be around it */

static int
vb_ws_read_control(vb_ws_reader_t *r, vb_ws_buf_t *b, vb_ws_event_t *ev)
{
    r->control_length += vb_ws_take(r, b, r->control + r->control_length);

    if (r->left) {
        return VB_AGAIN;
    }

    r->in_frame = 0;

    if (r->length == 0) {
        b->message = b->pos;
    }

    ev->opcode = r->opcode;
    ev->status = 0;
    ev->payload.data = r->control;
    ev->payload.len = r->control_length;

    return (r->opcode == VB_WS_CLOSE) ? vb_ws_read_close(r, ev) : VB_OK;
}


static int
vb_ws_read_close(vb_ws_reader_t *r, vb_ws_event_t *ev)
{
    uint32_t  state;
    unsigned  status;

    r->closed = 1;

    if (r->control_length == 0) {
        ev->status = VB_WS_NO_STATUS;
        return VB_OK;
    }

    if (r->control_length == 1) {
        return vb_ws_error(r, VB_WS_PROTOCOL_ERROR,
                           "close status of one byte");
    }

    status = r->control[0] << 8 | r->control[1];

    /* section 7.4 and IANA's registry; 3000 and above belong to others */

    if (status < 1000 || status > 4999
        || (status > 1003 && status < 1007) || (status > 1014 && status < 3000))
    {
        return vb_ws_error(r, VB_WS_PROTOCOL_ERROR, "invalid close status");
    }

    ev->status = status;
    ev->payload.data += 2;
    ev->payload.len -= 2;

    state = 0;

    if (vb_utf8_check(&state, ev->payload.data, ev->payload.len) != VB_OK
        || state)
    {
        return vb_ws_error(r, VB_WS_INVALID_DATA, "close reason is not UTF-8");
    }

    return VB_OK;
}


/* all that is left behind the gap here is at most a part of a header */

static void
vb_ws_close_gap(vb_ws_reader_t *r, vb_ws_buf_t *b)
{
    size_t   n;
    u_char  *p;

    p = b->message + r->length;

    if (p == b->pos) {
        return;
    }

    n = b->last - b->pos;
    memmove(p, b->pos, n);

    b->pos = p;
    b->last = p + n;
}


static int
vb_ws_error(vb_ws_reader_t *r, unsigned status, const char *error)
{
    r->status = status;
    r->error = error;

    return VB_ERROR;
}


u_char *
vb_ws_frame(u_char *payload, size_t len, unsigned opcode, const u_char mask[4])
{
    size_t     i;
    u_char    *p, masked;
    uint64_t   n;

    p = payload;
    masked = 0;

    if (mask) {
        vb_ws_mask(payload, len, mask, 0);

        p -= 4;
        memcpy(p, mask, 4);

        masked = VB_WS_MASKED;
    }

    if (len < VB_WS_LENGTH16) {
        *--p = masked | (u_char) len;

    } else if (len < 65536) {
        *--p = (u_char) len;
        *--p = (u_char) (len >> 8);
        *--p = masked | VB_WS_LENGTH16;

    } else {
        n = len;

        for (i = 0; i < 8; i++) {
            *--p = (u_char) n;
            n >>= 8;
        }

        *--p = masked | VB_WS_LENGTH64;
    }

    *--p = VB_WS_FIN | (u_char) opcode;

    return p;
}


size_t
vb_ws_close_payload(u_char *dst, unsigned status, const vb_str_t *reason)
{
    size_t  n;

    if (status == VB_WS_NO_STATUS) {
        return 0;
    }

    dst[0] = (u_char) (status >> 8);
    dst[1] = (u_char) status;

    if (reason == NULL || reason->len == 0) {
        return 2;
    }

    n = reason->len;

    if (n > VB_WS_MAX_CONTROL - 2) {
        n = VB_WS_MAX_CONTROL - 2;

        while (n && (reason->data[n] & 0xc0) == 0x80) {
            n--;
        }
    }

    memcpy(dst + 2, reason->data, n);

    return n + 2;
}


void
vb_ws_mask(u_char *p, size_t n, const u_char mask[4], unsigned phase)
{
    size_t     i;
    u_char     m[4];
    uint32_t   key;
    uint64_t   word, wide;

#if (VB_WS_SSE2)
    __m128i    v, vkey;
#endif

    /* the mask as it falls on p: steps of 4, 8 and 16 keep the phase */

    for (i = 0; i < 4; i++) {
        m[i] = mask[(phase + i) & 3];
    }

    memcpy(&key, m, 4);

#if (VB_WS_SSE2)

    vkey = _mm_set1_epi32((int) key);

    for ( /* void */ ; n >= 16; n -= 16) {
        v = _mm_loadu_si128((__m128i *) p);
        _mm_storeu_si128((__m128i *) p, _mm_xor_si128(v, vkey));
        p += 16;
    }

#endif

    wide = (uint64_t) key << 32 | key;

    for ( /* void */ ; n >= 8; n -= 8) {
        memcpy(&word, p, 8);
        word ^= wide;
        memcpy(p, &word, 8);
        p += 8;
    }

    for (i = 0; i < n; i++) {
        p[i] ^= m[i & 3];
    }
}


void
vb_ws_accept(u_char dst[VB_WS_ACCEPT_LENGTH], const vb_str_t *key)
{
    size_t  n;
    u_char  text[VB_WS_KEY_LENGTH + sizeof(VB_WS_GUID) - 1];
    u_char  digest[SHA_DIGEST_LENGTH];

    n = vb_min(key->len, VB_WS_KEY_LENGTH);

    memcpy(text, key->data, n);
    memcpy(text + n, VB_WS_GUID, sizeof(VB_WS_GUID) - 1);

    SHA1(text, n + sizeof(VB_WS_GUID) - 1, digest);

    vb_base64_encode(dst, digest, SHA_DIGEST_LENGTH);
}
