
/*
 * libFuzzer: the WebSocket reader, in both roles.
 *
 * The stream is decoded by a reference that has all of it before it and cares
 * for nothing but the letter of RFC 6455.  The reader must find the same
 * events and the same end, whole, byte by byte and in pieces of any size, in
 * memory that moves and ends where its bytes end.  What it found is written
 * again and read again.
 *
 * Input: a byte of options, a byte for the cuts, the stream.
 */


#include <stdio.h>
#include <stdlib.h>
#include <vb_websocket.h>


#define FUZZ_MASKED  0x01
#define FUZZ_SMALL   0x02              /* a limit that is easily reached */

/* what the reference makes of a part of the stream besides statuses */
#define FUZZ_MORE    1
#define FUZZ_END     2

/* an event of no bytes takes two of the stream and eight here */
#define fuzz_trace_size(n)  (6 * (n) + 64)

#define fuzz_assert(cond)                                                     \
    if (!(cond)) {                                                            \
        fprintf(stderr, "line %d: %s\n", __LINE__, #cond);                    \
        abort();                                                              \
    }


/* events one behind the other: opcode, status, length, payload */
typedef struct {
    u_char         *data;
    size_t          len;
} fuzz_trace_t;


typedef struct {
    const u_char   *p;
    const u_char   *end;
    unsigned        masked;
    size_t          max_message;

    /* the message under way */
    u_char         *message;
    size_t          length;
    unsigned        message_opcode;

    /* the frame */
    unsigned        fin;
    unsigned        opcode;
    u_char          mask[4];
    uint64_t        len;
} fuzz_reference_t;


static void
fuzz_add(fuzz_trace_t *t, unsigned opcode, unsigned status, const u_char *p,
    size_t len)
{
    uint32_t  n;

    n = (uint32_t) len;

    t->data[t->len++] = (u_char) opcode;
    t->data[t->len++] = 0;
    t->data[t->len++] = (u_char) (status >> 8);
    t->data[t->len++] = (u_char) status;
    memcpy(t->data + t->len, &n, 4);
    t->len += 4;

    if (len) {
        memcpy(t->data + t->len, p, len);
        t->len += len;
    }
}


/*
 * How many of n bytes may begin a text in UTF-8, read as whole characters of
 * RFC 3629's syntax; *whole: do they end with a character?
 */

static size_t
fuzz_utf8(const u_char *p, size_t n, int *whole)
{
    size_t    i, k, size;
    uint32_t  low, high;

    *whole = 1;

    for (i = 0; i < n; i += size) {

        size = p[i] < 0x80 ? 1 : p[i] >= 0xc2 && p[i] <= 0xdf ? 2
               : p[i] >= 0xe0 && p[i] <= 0xef ? 3
               : p[i] >= 0xf0 && p[i] <= 0xf4 ? 4 : 0;

        if (size == 0) {
            return i;
        }

        for (k = 1; k < size; k++) {

            if (i + k == n) {
                *whole = 0;
                return n;
            }

            low = (k == 1 && p[i] == 0xe0) ? 0xa0
                  : (k == 1 && p[i] == 0xf0) ? 0x90 : 0x80;
            high = (k == 1 && p[i] == 0xed) ? 0x9f
                   : (k == 1 && p[i] == 0xf4) ? 0x8f : 0xbf;

            if (p[i + k] < low || p[i + k] > high) {
                return i;
            }
        }
    }

    return n;
}


static int
fuzz_is_status(unsigned status)
{
    return (status >= 1000 && status <= 1003)
           || (status >= 1007 && status <= 1014)
           || (status >= 3000 && status <= 4999);
}


/*
 * These return 0 where all is well, FUZZ_MORE where the stream does not hold
 * all of it, FUZZ_END after a Close, else the status of the error.
 */

static unsigned
fuzz_header(fuzz_reference_t *f)
{
    size_t         i, bytes;
    const u_char  *p = f->p;

    if (f->end - p < 2) {
        return FUZZ_MORE;
    }

    f->fin = p[0] >> 7;
    f->opcode = p[0] & 15;
    f->len = p[1] & 127;

    if ((p[0] & 0x70) || (f->opcode > 2 && f->opcode < 8) || f->opcode > 10
        || p[1] >> 7 != f->masked
        || (f->opcode >= 8 && (f->len > 125 || !f->fin))
        || (f->opcode == 0 && f->message_opcode == 0)
        || ((f->opcode == 1 || f->opcode == 2) && f->message_opcode != 0))
    {
        return 1002;
    }

    bytes = (f->len == 127) ? 8 : (f->len == 126) ? 2 : 0;
    p += 2;

    if ((size_t) (f->end - p) < bytes + 4 * f->masked) {
        return FUZZ_MORE;
    }

    if (bytes) {
        for (i = 0, f->len = 0; i < bytes; i++) {
            f->len = f->len * 256 + *p++;
        }

        if (f->len < 126 || (bytes == 8 && f->len < 65536)
            || f->len >= 1ULL << 63)
        {
            return 1002;
        }
    }

    if (f->opcode < 8 && f->length + f->len > f->max_message) {
        return 1009;
    }

    memset(f->mask, 0, 4);

    if (f->masked) {
        memcpy(f->mask, p, 4);
        p += 4;
    }

    f->p = p;

    return 0;
}


static unsigned
fuzz_data(fuzz_reference_t *f, fuzz_trace_t *t)
{
    int     whole;
    size_t  i, n;

    if (f->opcode) {
        f->message_opcode = f->opcode;
    }

    n = vb_min((uint64_t) (f->end - f->p), f->len);

    for (i = 0; i < n; i++) {
        f->message[f->length++] = *f->p++ ^ f->mask[i % 4];
    }

    if (f->message_opcode == 1
        && (fuzz_utf8(f->message, f->length, &whole) != f->length
            || (f->fin && n == f->len && !whole)))
    {
        return 1007;
    }

    if (n < f->len) {
        return FUZZ_MORE;
    }

    if (f->fin) {
        fuzz_add(t, f->message_opcode, 0, f->message, f->length);
        f->message_opcode = 0;
        f->length = 0;
    }

    return 0;
}


static unsigned
fuzz_control(fuzz_reference_t *f, fuzz_trace_t *t)
{
    int       whole;
    size_t    i, n;
    u_char    p[125];
    unsigned  status;

    n = f->len;

    if ((size_t) (f->end - f->p) < n) {
        return FUZZ_MORE;
    }

    for (i = 0; i < n; i++) {
        p[i] = *f->p++ ^ f->mask[i % 4];
    }

    if (f->opcode != 8) {
        fuzz_add(t, f->opcode, 0, p, n);
        return 0;
    }

    if (n == 0) {
        fuzz_add(t, 8, 1005, NULL, 0);
        return FUZZ_END;
    }

    status = (n == 1) ? 0 : p[0] << 8 | p[1];

    if (!fuzz_is_status(status)) {
        return 1002;
    }

    if (fuzz_utf8(p + 2, n - 2, &whole) != n - 2 || !whole) {
        return 1007;
    }

    fuzz_add(t, 8, status, p + 2, n - 2);

    return FUZZ_END;
}


static void
fuzz_reference(fuzz_trace_t *t, const u_char *data, size_t size,
    unsigned masked, size_t max_message)
{
    unsigned          rc;
    fuzz_reference_t  f;

    memset(&f, 0, sizeof(f));

    f.p = data;
    f.end = data + size;
    f.masked = masked;
    f.max_message = max_message;
    f.message = malloc(size + 1);

    do {
        rc = fuzz_header(&f);

        if (rc == 0) {
            rc = (f.opcode < 8) ? fuzz_data(&f, t) : fuzz_control(&f, t);
        }

    } while (rc == 0);

    fuzz_add(t, 15, (rc >= 1000) ? rc : 0, NULL, 0);

    free(f.message);
}


/* what is kept moves to memory that ends where the new bytes end */

static void
fuzz_append(vb_ws_buf_t *b, const u_char *data, size_t n)
{
    size_t   keep;
    u_char  *p;

    keep = b->last - b->message;
    p = malloc(keep + n);

    if (keep) {
        memcpy(p, b->message, keep);
    }

    memcpy(p + keep, data, n);

    b->pos = p + (b->pos - b->message);
    free(b->start);

    b->start = p;
    b->message = p;
    b->last = p + keep + n;
    b->end = b->last;
}


static void
fuzz_check_event(vb_ws_reader_t *r, vb_ws_buf_t *b, vb_ws_event_t *ev)
{
    u_char  *p = ev->payload.data;
    size_t   n = ev->payload.len;

    fuzz_assert(b->start <= b->message && b->message <= b->pos
                && b->pos <= b->last && b->last <= b->end);

    if (ev->opcode < VB_WS_CLOSE) {
        fuzz_assert(n <= r->max_message && b->message == b->pos);
        fuzz_assert(p >= b->start && p + n <= b->message);

    } else {
        fuzz_assert(p >= r->control && p + n <= r->control + 125);
    }
}


/* reads in pieces of 1..most bytes, or whole */

static void
fuzz_read(fuzz_trace_t *t, const u_char *data, size_t size, unsigned masked,
    size_t max_message, size_t most, uint32_t seed)
{
    int             rc;
    size_t          n, at;
    vb_ws_buf_t     b;
    vb_ws_event_t   ev;
    vb_ws_reader_t  r;

    memset(&b, 0, sizeof(b));
    vb_ws_reader_init(&r, masked, max_message);

    rc = VB_AGAIN;

    for (at = 0; at < size && rc == VB_AGAIN; at += n) {

        seed = seed * 1664525 + 1013904223;
        n = most ? 1 + (seed >> 16) % most : size;
        n = vb_min(n, size - at);

        fuzz_append(&b, data + at, n);

        while ((rc = vb_ws_read(&r, &b, &ev)) == VB_OK) {
            fuzz_check_event(&r, &b, &ev);
            fuzz_add(t, ev.opcode, ev.status, ev.payload.data, ev.payload.len);
        }

        if (rc == VB_AGAIN) {
            fuzz_assert(vb_ws_wanted(&r, &b) <= max_message + 14);
            fuzz_assert((size_t) (b.last - b.message) <= max_message + 14);
        }
    }

    if (rc == VB_ERROR) {
        fuzz_assert(r.error != NULL && r.error[0] != '\0');
        fuzz_assert(vb_ws_read(&r, &b, &ev) == VB_ERROR);
    }

    fuzz_add(t, 15, r.status, NULL, 0);

    free(b.start);
}


/* each event written as a frame and read by the peer */

static void
fuzz_write(const fuzz_trace_t *t, unsigned masked)
{
    size_t           at;
    u_char          *memory, *payload, mask[4];
    vb_str_t         reason;
    uint32_t         n;
    unsigned         opcode, status;
    vb_ws_buf_t      b;
    vb_ws_event_t    ev;
    vb_ws_reader_t   r;

    for (at = 0; at < t->len; at += 8 + n) {
        opcode = t->data[at];
        status = t->data[at + 2] << 8 | t->data[at + 3];
        memcpy(&n, t->data + at + 4, 4);
        memcpy(mask, t->data + at + 1, 4);

        if (opcode == 15) {
            break;
        }

        memory = malloc(VB_WS_MAX_HEADER + 2 + n);
        payload = memory + VB_WS_MAX_HEADER;

        reason.data = t->data + at + 8;
        reason.len = n;

        if (opcode == VB_WS_CLOSE) {
            b.last = payload + vb_ws_close_payload(payload, status, &reason);

        } else {
            memcpy(payload, reason.data, n);
            b.last = payload + n;
        }

        b.start = memory;
        b.end = b.last;
        b.pos = vb_ws_frame(payload, b.last - payload, opcode,
                            masked ? mask : NULL);
        b.message = b.pos;

        fuzz_assert(b.pos >= memory);

        vb_ws_reader_init(&r, masked, n);
        fuzz_assert(vb_ws_read(&r, &b, &ev) == VB_OK);
        fuzz_assert(ev.opcode == opcode && ev.status == status
                    && ev.payload.len == n && b.pos == b.last
                    && memcmp(ev.payload.data, reason.data, n) == 0);

        free(memory);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t        i, max_message;
    unsigned      masked;
    uint32_t      seed;
    fuzz_trace_t  expected, got;

    if (size < 2) {
        return 0;
    }

    masked = (data[0] & FUZZ_MASKED) != 0;
    max_message = (data[0] & FUZZ_SMALL) ? 200 : 1 << 20;
    seed = data[1];

    data += 2;
    size -= 2;

    expected.data = malloc(fuzz_trace_size(size));
    expected.len = 0;
    got.data = malloc(fuzz_trace_size(size));

    fuzz_reference(&expected, data, size, masked, max_message);

    for (i = 0; i < 5; i++) {
        got.len = 0;
        fuzz_read(&got, data, size, masked, max_message,
                  i == 0 ? 0 : i == 1 ? 1 : i == 2 ? 9 : i == 3 ? 64 : size + 1,
                  seed + (uint32_t) i);

        fuzz_assert(got.len == expected.len
                    && memcmp(got.data, expected.data, got.len) == 0);
    }

    fuzz_write(&expected, 0);
    fuzz_write(&expected, 1);

    free(expected.data);
    free(got.data);

    return 0;
}
