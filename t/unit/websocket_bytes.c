
/*
 * RFC 6455 byte by byte: the RFC's examples, headers and masks as written,
 * UTF-8 and close statuses exhaustively, where messages lie in memory.
 */


#include <tap.h>
#include <vb_websocket.h>
#include <vb_utf8.h>


static uint32_t  seed = 1;


static uint32_t
any(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;

    return (uint32_t) (((uint64_t) (seed >> 8) * n) >> 24);
}


/* a buffer that holds what is given, and nothing behind it */

static void
fill(vb_ws_buf_t *b, u_char *memory, const void *data, size_t len)
{
    memcpy(memory, data, len);

    b->start = memory;
    b->message = memory;
    b->pos = memory;
    b->last = memory + len;
    b->end = b->last;
}


static void
test_bytes(void)
{
    u_char          memory[32];
    vb_ws_buf_t     b;
    vb_ws_event_t   ev;
    vb_ws_reader_t  r;

    static const u_char  mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
    static const u_char  masked[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51"
                                    "\x58";
    static const u_char  plain[] = "\x81\x05Hello";

    vb_ws_reader_init(&r, 1, 5);
    fill(&b, memory, masked, 11);

    is_int(vb_ws_read(&r, &b, &ev), VB_OK, "rfc: a masked text message");
    is_int(ev.opcode, VB_WS_TEXT, "its opcode");
    is_mem(ev.payload.data, ev.payload.len, "Hello", 5, "its payload");
    ok(ev.payload.data == memory + 6, "is where it was read");
    ok(b.message == b.pos && b.pos == b.last, "all bytes are used");
    is_int(vb_ws_read(&r, &b, &ev), VB_AGAIN, "and no more is there");

    vb_ws_reader_init(&r, 0, 5);
    fill(&b, memory, plain, 7);

    is_int(vb_ws_read(&r, &b, &ev), VB_OK, "rfc: an unmasked text message");
    ok(ev.payload.data == memory + 2, "stays where it was read");

    memcpy(memory + 14, "Hello", 5);
    ok(vb_ws_frame(memory + 14, 5, VB_WS_TEXT, mask) == memory + 8
       && memcmp(memory + 8, masked, 11) == 0,
       "rfc: writing the masked text message");

    memcpy(memory + 14, "Hello", 5);
    ok(vb_ws_frame(memory + 14, 5, VB_WS_TEXT, NULL) == memory + 12
       && memcmp(memory + 12, plain, 7) == 0,
       "rfc: writing the unmasked text message");

    memcpy(memory + 14, "Hello", 5);
    ok(vb_ws_frame(memory + 14, 5, VB_WS_PONG, mask) == memory + 8
       && memcmp(memory + 8, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
                 11) == 0,
       "rfc: writing the masked pong");
}


static void
test_header(size_t len, const char *header, size_t n)
{
    u_char          *p, *frame;
    vb_ws_buf_t      b;
    vb_ws_event_t    ev;
    vb_ws_reader_t   r;

    static const u_char  mask[4] = { 1, 2, 3, 0x80 };

    p = calloc(1, VB_WS_MAX_HEADER + len + 1);

    frame = vb_ws_frame(p + VB_WS_MAX_HEADER, len, VB_WS_BINARY, NULL);
    is_mem(frame, p + VB_WS_MAX_HEADER - frame, header, n,
           "header of %zu bytes", len);

    frame = vb_ws_frame(p + VB_WS_MAX_HEADER, len, VB_WS_BINARY, mask);
    ok(frame + n + 4 == p + VB_WS_MAX_HEADER
       && frame[1] == (0x80 | (u_char) header[1])
       && memcmp(frame + 2, header + 2, n - 2) == 0
       && memcmp(frame + n, mask, 4) == 0,
       "header of %zu masked bytes", len);

    b.start = b.message = b.pos = frame;
    b.last = b.end = p + VB_WS_MAX_HEADER + len;

    vb_ws_reader_init(&r, 1, len);
    ok(vb_ws_read(&r, &b, &ev) == VB_OK && ev.payload.len == len
       && (len == 0 || (ev.payload.data[0] == 0
                        && memcmp(ev.payload.data, ev.payload.data + 1,
                                  len - 1) == 0)),
       "reading them back");

    free(p);
}


static void
test_writer(void)
{
    u_char    dst[VB_WS_MAX_CONTROL + 1];
    size_t    i, n;
    u_char    text[130];
    vb_str_t  reason;

    test_header(0, "\x82\x00", 2);
    test_header(1, "\x82\x01", 2);
    test_header(125, "\x82\x7d", 2);
    test_header(126, "\x82\x7e\x00\x7e", 4);
    test_header(65535, "\x82\x7e\xff\xff", 4);
    test_header(65536, "\x82\x7f\0\0\0\0\0\x01\0\0", 10);
    test_header(0x123456, "\x82\x7f\0\0\0\0\0\x12\x34\x56", 10);

    reason.data = (u_char *) "going";
    reason.len = 5;

    n = vb_ws_close_payload(dst, VB_WS_GOING_AWAY, &reason);
    is_mem(dst, n, "\x03\xe9going", 7, "payload of a close");
    is_int(vb_ws_close_payload(dst, VB_WS_NORMAL, NULL), 2, "without reason");
    is_int(vb_ws_close_payload(dst, VB_WS_NO_STATUS, &reason), 0,
           "1005 is not written");

    /* 123 bytes end in each place of a character of four bytes */

    for (i = 0; i < 4; i++) {
        memset(text, 'a', i);

        for (n = i; n + 4 <= sizeof(text); n += 4) {
            memcpy(text + n, "\xf0\x9f\x98\x80", 4);
        }

        reason.data = text;
        reason.len = n;

        memset(dst, 0xee, sizeof(dst));
        n = vb_ws_close_payload(dst, VB_WS_NORMAL, &reason);

        ok(n == 2 + i + (123 - i) / 4 * 4 && memcmp(dst + 2, text, n - 2) == 0
           && dst[VB_WS_MAX_CONTROL] == 0xee,
           "a reason too long is cut between characters: %zu", n);
    }

    memset(text, 'a', 123);
    reason.len = 123;
    is_int(vb_ws_close_payload(dst, VB_WS_NORMAL, &reason), 125,
           "the longest reason");
}


static void
test_mask(void)
{
    size_t    i, n, at, bad;
    u_char    data[160], copy[160], mask[4];
    unsigned  phase;

    bad = 0;

    for (i = 0; i < 4; i++) {
        mask[i] = (u_char) any(256);
    }

    for (at = 0; at < 16; at++) {
        for (n = 0; n < 120; n++) {
            for (phase = 0; phase < 4; phase++) {

                for (i = 0; i < sizeof(data); i++) {
                    data[i] = copy[i] = (u_char) any(256);
                }

                vb_ws_mask(data + at, n, mask, phase);

                for (i = 0; i < n; i++) {
                    copy[at + i] ^= mask[(phase + i) % 4];
                }

                bad += (memcmp(data, copy, sizeof(data)) != 0);
            }
        }
    }

    is_int(bad, 0, "masks of any phase at any place, and nothing around it");
}


/* what 1..4 bytes stand for, by arithmetic: RFC 3629 sections 3 and 4 */

static size_t
decode(const u_char *p, size_t n)
{
    size_t    i, size;
    uint32_t  c;

    static const uint32_t  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    size = (p[0] < 0x80) ? 1 : (p[0] & 0xe0) == 0xc0 ? 2
           : (p[0] & 0xf0) == 0xe0 ? 3 : (p[0] & 0xf8) == 0xf0 ? 4 : 0;

    if (size == 0 || size > n) {
        return 0;
    }

    c = (size == 1) ? p[0] : p[0] & (0x7f >> size);

    for (i = 1; i < size; i++) {

        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        c = c << 6 | (p[i] & 0x3f);
    }

    return (c >= least[size] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff))
           ? size : 0;
}


static void
test_utf8(void)
{
    size_t    i, k, n, size, at, bad, good;
    u_char    text[32];
    uint32_t  state;
    int       expected, whole, cut;

    static const u_char  bytes[] = {
        0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2,
        0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5,
        0xf8, 0xff
    };

    bad = 0;
    good = 0;
    n = sizeof(bytes);

    /* four bytes of each kind, behind so many others that they lie across
     * all the steps of the fast path */

    for (i = 0; i < n * n * n * n; i++) {
        at = i % 28;
        memset(text, 'a', sizeof(text));

        text[at] = bytes[i % n];
        text[at + 1] = bytes[i / n % n];
        text[at + 2] = bytes[i / n / n % n];
        text[at + 3] = bytes[i / n / n / n];

        for (k = 0; k < sizeof(text); k += size) {
            size = decode(text + k, sizeof(text) - k);

            if (size == 0) {
                break;
            }
        }

        expected = (k == sizeof(text));

        state = 0;
        whole = vb_utf8_check(&state, text, sizeof(text)) == VB_OK
                && state == 0;

        state = 0;
        cut = vb_utf8_check(&state, text, at + 1 + i % 3) == VB_OK
              && vb_utf8_check(&state, text + at + 1 + i % 3,
                               sizeof(text) - at - 1 - i % 3) == VB_OK
              && state == 0;

        good += expected;
        bad += (whole != expected || cut != expected);
    }

    is_int(bad, 0, "UTF-8: %zu texts of all kinds of bytes", i);
    ok(good > 1000 && good < i / 2, "%zu of them are good", good);
}


static void
test_statuses(void)
{
    int              rc, good;
    u_char           memory[8];
    unsigned         status, bad;
    vb_ws_buf_t      b;
    vb_ws_event_t    ev;
    vb_ws_reader_t   r;

    bad = 0;

    for (status = 0; status < 65536; status++) {
        memory[4] = (u_char) (status >> 8);
        memory[5] = (u_char) status;

        b.start = b.message = b.pos = vb_ws_frame(memory + 4, 2, VB_WS_CLOSE,
                                                  NULL);
        b.last = b.end = memory + 6;

        vb_ws_reader_init(&r, 0, 0);
        rc = vb_ws_read(&r, &b, &ev);

        switch (status) {
        case 1000: case 1001: case 1002: case 1003: case 1007: case 1008:
        case 1009: case 1010: case 1011: case 1012: case 1013: case 1014:
            good = 1;
            break;

        default:
            good = (status >= 3000 && status < 5000);
        }

        bad += good ? (rc != VB_OK || ev.status != status)
                    : (rc != VB_ERROR || r.status != VB_WS_PROTOCOL_ERROR);
    }

    is_int(bad, 0, "each close status there can be");
}


static void
test_wanted(void)
{
    u_char          memory[300];
    vb_ws_buf_t     b;
    vb_ws_event_t   ev;
    vb_ws_reader_t  r;

    memset(memory, '*', sizeof(memory));
    vb_ws_reader_init(&r, 0, 1 << 24);

    fill(&b, memory, "\x82\x7f\0\0\0\0\x01\0\0", 9);
    ok(vb_ws_read(&r, &b, &ev) == VB_AGAIN && vb_ws_wanted(&r, &b) == 0,
       "nothing is wanted before a header is complete");

    memory[9] = 0;
    b.last = memory + 20;
    is_int(vb_ws_read(&r, &b, &ev), VB_AGAIN, "16 MiB begin");
    is_int(vb_ws_wanted(&r, &b), (1 << 24) - 10, "what is left is wanted");
    ok(b.message == memory + 10 && b.pos == b.last,
       "the message begins behind the header");

    vb_ws_reader_init(&r, 0, (1 << 24) - 1);
    fill(&b, memory, "\x82\x7f\0\0\0\0\x01\0\0\0", 10);
    ok(vb_ws_read(&r, &b, &ev) == VB_ERROR && r.status == VB_WS_TOO_BIG,
       "one more than the limit is refused before its payload");

    vb_ws_reader_init(&r, 0, 100);
    fill(&b, memory, "\x02\x03" "abc\x89\x7d" "ping", 11);
    ok(vb_ws_read(&r, &b, &ev) == VB_AGAIN && b.message == memory + 2
       && b.pos == memory + 5 && b.last == b.pos,
       "between fragments only the message is kept");
    is_int(vb_ws_wanted(&r, &b), 121, "the rest of a ping is wanted");
}


/* to n bytes of room behind b->last, where there are fewer */

static int
enlarge(vb_ws_buf_t *b, size_t n)
{
    size_t   keep;
    u_char  *p;

    if (n <= (size_t) (b->end - b->last)) {
        return 0;
    }

    keep = b->last - b->message;

    p = malloc(keep + n);
    memcpy(p, b->message, keep);
    free(b->start);

    b->start = b->message = p;
    b->pos = b->last = p + keep;
    b->end = b->last + n;

    return 1;
}


/* a message of 16 MiB in reads of all sizes, in memory that grows */

static void
test_large(void)
{
    int              rc;
    size_t           i, n, at, len, enlarged, good;
    u_char          *frame, *memory;
    vb_ws_buf_t      b;
    vb_ws_event_t    ev;
    vb_ws_reader_t   r;

    static const u_char  mask[4] = { 0xde, 0xad, 0xbe, 0xef };

    len = 1 << 24;
    memory = malloc(VB_WS_MAX_HEADER + len);

    for (i = 0; i < len; i++) {
        memory[VB_WS_MAX_HEADER + i] = ' ' + i % 89;
    }

    frame = vb_ws_frame(memory + VB_WS_MAX_HEADER, len, VB_WS_TEXT, mask);

    vb_ws_reader_init(&r, 1, len);

    b.start = b.message = b.pos = b.last = malloc(4096);
    b.end = b.start + 4096;

    enlarged = 0;
    at = frame - memory;
    len += VB_WS_MAX_HEADER;

    while ((rc = vb_ws_read(&r, &b, &ev)) == VB_AGAIN && at < len) {

        enlarged += enlarge(&b, vb_ws_wanted(&r, &b));

        n = 1 + any(100000);
        n = vb_min(n, len - at);
        n = vb_min(n, (size_t) (b.end - b.last));

        memcpy(b.last, memory + at, n);
        b.last += n;
        at += n;
    }

    is_int(rc, VB_OK, "a text message of 16 MiB");
    is_int(enlarged, 1, "its memory is enlarged once");

    for (good = 0; good < ev.payload.len; good++) {
        if (ev.payload.data[good] != ' ' + good % 89) {
            break;
        }
    }

    is_int(good, 1 << 24, "all of it is right");

    free(memory);
    free(b.start);
}


static void
test_accept(void)
{
    u_char    accept[VB_WS_ACCEPT_LENGTH + 1];
    vb_str_t  key = vb_str("dGhlIHNhbXBsZSBub25jZQ==");

    accept[VB_WS_ACCEPT_LENGTH] = 0xee;
    vb_ws_accept(accept, &key);

    is_mem(accept, sizeof(accept), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\xee", 29,
           "rfc: Sec-WebSocket-Accept");
}


int
main(void)
{
    test_bytes();
    test_writer();
    test_mask();
    test_utf8();
    test_statuses();
    test_wanted();
    test_large();
    test_accept();

    return done_testing();
}
