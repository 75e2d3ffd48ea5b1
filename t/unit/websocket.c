
/*
 * RFC 6455 by cases in the manner of the Autobahn test suite: every stream
 * is read whole, frame by frame, byte by byte and at random cuts, from a
 * client (masked) and from a server, and must give the same events always.
 */


#include <tap.h>
#include <vb_websocket.h>


#define MAX_FRAMES   8
#define MAX_MESSAGE  1000
#define READINGS     24

/* how a frame differs from what its payload calls for */
#define MASK_WRONG   0x01              /* masked where it must not be, or not
                                          masked where it must */
#define LEN_16       0x02              /* length in 16 bits although short */
#define LEN_64       0x04              /* in 64 bits although short */
#define LEN_TOP      0x08              /* in 64 bits, the highest one set */
#define LEN_HUGE     0x10              /* says 2^62 */
#define NO_PAYLOAD   0x20              /* only the header comes */
#define LEN_MORE     0x40              /* says 10 more than come */

/* payloads of many bytes: the same one so many times */
#define MANY(n)      NULL, n


typedef struct {
    unsigned         first;            /* FIN, RSV, opcode */
    const char      *payload;          /* NULL: len times '*' */
    size_t           len;
    unsigned         flags;
} test_frame_t;

#define S(s)         s, sizeof(s) - 1


typedef struct {
    const char      *name;
    test_frame_t     frames[MAX_FRAMES];
    const char      *expected;
} test_case_t;


/* a stream, and where its frames end */
typedef struct {
    u_char          *data;
    size_t           len;
    size_t           ends[MAX_FRAMES];
    size_t           nends;
} test_stream_t;


/*
 * In what is expected T, B, i, o and C are text, binary, ping, pong and
 * close; "..." stands for a reader that waits, E1002 for an error.
 */

static const test_case_t  cases[] = {

    /* the examples of RFC 6455 section 5.7 */

    { "rfc: a text message in one frame",
      { { 0x81, S("Hello"), 0 } },
      "T(Hello) ..." },
    { "rfc: a fragmented text message",
      { { 0x01, S("Hel"), 0 }, { 0x80, S("lo"), 0 } },
      "T(Hello) ..." },
    { "rfc: ping and pong",
      { { 0x89, S("Hello"), 0 }, { 0x8a, S("Hello"), 0 } },
      "i(Hello) o(Hello) ..." },
    { "rfc: 256 bytes of binary data",
      { { 0x82, MANY(256), 0 } },
      "B(256*) ..." },

    /* 1: framing */

    { "1.1.1: empty text", { { 0x81, S(""), 0 } }, "T() ..." },
    { "1.1.2: text of 125", { { 0x81, MANY(125), 0 } }, "T(125*) ..." },
    { "1.1.3: text of 126", { { 0x81, MANY(126), 0 } }, "T(126*) ..." },
    { "1.1.4: text of 127", { { 0x81, MANY(127), 0 } }, "T(127*) ..." },
    { "1.1.5: text of 128", { { 0x81, MANY(128), 0 } }, "T(128*) ..." },
    { "1.2.1: empty binary", { { 0x82, S(""), 0 } }, "B() ..." },
    { "1.2.2: binary of 125", { { 0x82, MANY(125), 0 } }, "B(125*) ..." },
    { "1.2.3: binary of 126", { { 0x82, MANY(126), 0 } }, "B(126*) ..." },
    { "1.2: three messages in a row",
      { { 0x81, S("one"), 0 }, { 0x82, S("\x00\xff"), 0 },
        { 0x81, S("three"), 0 } },
      "T(one) B(\\00\\ff) T(three) ..." },
    { "1.3: 125 in 16 bits is not the shortest form",
      { { 0x81, MANY(125), LEN_16 } }, "E1002" },
    { "1.3: 0 in 16 bits is not the shortest form",
      { { 0x82, S(""), LEN_16 } }, "E1002" },
    { "1.3: 5 in 64 bits is not the shortest form",
      { { 0x82, S("Hello"), LEN_64 } }, "E1002" },
    { "1.3: 256 in 64 bits is not the shortest form",
      { { 0x82, MANY(256), LEN_64 } }, "E1002" },
    { "1.3: 65535 in 64 bits is not the shortest form",
      { { 0x82, MANY(65535), LEN_64 | NO_PAYLOAD } }, "E1002" },
    { "1.3: highest bit of a length",
      { { 0x82, S("Hello"), LEN_TOP } }, "E1002" },
    { "1.3: highest bit of a ping's length",
      { { 0x89, S("Hello"), LEN_TOP } }, "E1002" },
    { "1.4: mask where none may be, or none where one must be",
      { { 0x81, S("Hello"), MASK_WRONG } }, "E1002" },
    { "1.4: the same with the second frame",
      { { 0x81, S("one"), 0 }, { 0x81, S("two"), MASK_WRONG } },
      "T(one) E1002" },
    { "1.4: the same with a ping",
      { { 0x89, S(""), MASK_WRONG } }, "E1002" },
    { "1.4: the same with a continuation",
      { { 0x01, S("a"), 0 }, { 0x80, S("b"), MASK_WRONG } }, "E1002" },

    /* 2: pings and pongs */

    { "2.1: ping without payload", { { 0x89, S(""), 0 } }, "i() ..." },
    { "2.3: ping of binary bytes",
      { { 0x89, S("\x00\xff\xfe\xfd\xfc"), 0 } },
      "i(\\00\\ff\\fe\\fd\\fc) ..." },
    { "2.4: ping of 125", { { 0x89, MANY(125), 0 } }, "i(125*) ..." },
    { "2.5: ping of 126", { { 0x89, MANY(126), 0 } }, "E1002" },
    { "2.5: ping that says 2^62", { { 0x89, S(""), LEN_HUGE } }, "E1002" },
    { "2.7: pong nobody asked for", { { 0x8a, S(""), 0 } }, "o() ..." },
    { "2.8: the same with payload", { { 0x8a, S("pong"), 0 } },
      "o(pong) ..." },
    { "2.9: pong, then ping",
      { { 0x8a, S("x"), 0 }, { 0x89, S("ping"), 0 } },
      "o(x) i(ping) ..." },
    { "2.10: pings in a row",
      { { 0x89, S("1"), 0 }, { 0x89, S("2"), 0 }, { 0x89, S("3"), 0 },
        { 0x89, S("4"), 0 }, { 0x89, S("5"), 0 }, { 0x89, S("6"), 0 },
        { 0x81, S("t"), 0 } },
      "i(1) i(2) i(3) i(4) i(5) i(6) T(t) ..." },
    { "2: pong of 126", { { 0x8a, MANY(126), 0 } }, "E1002" },

    /* 3: reserved bits */

    { "3.1: RSV3", { { 0x91, S("x"), 0 } }, "E1002" },
    { "3.2: RSV2 after a good message",
      { { 0x81, S("x"), 0 }, { 0xa1, S("x"), 0 }, { 0x89, S(""), 0 } },
      "T(x) E1002" },
    { "3.4: RSV1 and RSV2 after a message and before a ping",
      { { 0x81, S("x"), 0 }, { 0xe1, S("x"), 0 }, { 0x89, S(""), 0 } },
      "T(x) E1002" },
    { "3.5: RSV1 with binary", { { 0xc2, MANY(64), 0 } }, "E1002" },
    { "3.6: RSV1 and RSV3 with a ping", { { 0xd9, S("x"), 0 } }, "E1002" },
    { "3.7: all of them with a close", { { 0xf8, S(""), 0 } }, "E1002" },
    { "3: RSV1 with a continuation",
      { { 0x01, S("x"), 0 }, { 0xc0, S("x"), 0 } }, "E1002" },

    /* 4: opcodes */

    { "4.1.1: opcode 3", { { 0x83, S(""), 0 } }, "E1002" },
    { "4.1.2: opcode 4 with payload", { { 0x84, S("x"), 0 } }, "E1002" },
    { "4.1.3: opcode 5 after a message",
      { { 0x81, S("x"), 0 }, { 0x85, S(""), 0 }, { 0x89, S(""), 0 } },
      "T(x) E1002" },
    { "4.1.4: opcode 6", { { 0x86, S("x"), 0 } }, "E1002" },
    { "4.1.5: opcode 7", { { 0x87, S("x"), 0 } }, "E1002" },
    { "4.2.1: opcode 11", { { 0x8b, S(""), 0 } }, "E1002" },
    { "4.2.2: opcode 12", { { 0x8c, S("x"), 0 } }, "E1002" },
    { "4.2.3: opcode 13 after a message",
      { { 0x81, S("x"), 0 }, { 0x8d, S(""), 0 } }, "T(x) E1002" },
    { "4.2.4: opcode 14", { { 0x8e, S("x"), 0 } }, "E1002" },
    { "4.2.5: opcode 15", { { 0x8f, S("x"), 0 } }, "E1002" },

    /* 5: fragmentation */

    { "5.1: fragmented ping",
      { { 0x09, S("frag"), 0 }, { 0x80, S("ment"), 0 } }, "E1002" },
    { "5.2: fragmented pong",
      { { 0x0a, S("frag"), 0 }, { 0x80, S("ment"), 0 } }, "E1002" },
    { "5: fragmented close", { { 0x08, S(""), 0 } }, "E1002" },
    { "5.3: text in two fragments",
      { { 0x01, S("fragment1"), 0 }, { 0x80, S("fragment2"), 0 } },
      "T(fragment1fragment2) ..." },
    { "5.6: ping between two fragments",
      { { 0x01, S("fragment1"), 0 }, { 0x89, S("ping"), 0 },
        { 0x80, S("fragment2"), 0 } },
      "i(ping) T(fragment1fragment2) ..." },
    { "5.9: continuation of nothing, FIN",
      { { 0x80, S("x"), 0 }, { 0x81, S("y"), 0 } }, "E1002" },
    { "5.12: continuation of nothing, no FIN",
      { { 0x00, S("x"), 0 }, { 0x81, S("y"), 0 } }, "E1002" },
    { "5.15: a message, then a continuation",
      { { 0x01, S("f1"), 0 }, { 0x80, S("f2"), 0 }, { 0x00, S("f3"), 0 },
        { 0x01, S("f4"), 0 }, { 0x80, S("f5"), 0 } },
      "T(f1f2) E1002" },
    { "5.16: continuation first, then text",
      { { 0x00, S("x"), 0 }, { 0x01, S("y"), 0 }, { 0x80, S("z"), 0 } },
      "E1002" },
    { "5.18: text in the place of a continuation",
      { { 0x01, S("f1"), 0 }, { 0x81, S("f2"), 0 } }, "E1002" },
    { "5: binary in the place of a continuation",
      { { 0x01, S("f1"), 0 }, { 0x02, S("f2"), 0 } }, "E1002" },
    { "5.19: five fragments and two pings",
      { { 0x01, S("f1"), 0 }, { 0x00, S("f2"), 0 }, { 0x89, S("p1"), 0 },
        { 0x00, S("f3"), 0 }, { 0x00, S("f4"), 0 }, { 0x89, S("p2"), 0 },
        { 0x80, S("f5"), 0 } },
      "i(p1) i(p2) T(f1f2f3f4f5) ..." },
    { "5: empty fragments only",
      { { 0x01, S(""), 0 }, { 0x00, S(""), 0 }, { 0x80, S(""), 0 } },
      "T() ..." },
    { "5: empty fragments around others",
      { { 0x02, S(""), 0 }, { 0x8a, S("pong"), 0 }, { 0x00, S("ab"), 0 },
        { 0x00, S(""), 0 }, { 0x89, S(""), 0 }, { 0x00, S("c"), 0 },
        { 0x80, S(""), 0 }, { 0x81, S("next"), 0 } },
      "o(pong) i() B(abc) T(next) ..." },
    { "5: fragments that are longer than what is before them",
      { { 0x02, S("a"), 0 }, { 0x89, MANY(125), 0 }, { 0x00, MANY(300), 0 },
        { 0x8a, MANY(125), 0 }, { 0x80, MANY(400), 0 },
        { 0x81, S("next"), 0 } },
      "i(125*) o(125*) B(a 700*) T(next) ..." },
    { "5: pongs as long as can be before an end in one byte",
      { { 0x01, MANY(200), 0 }, { 0x8a, MANY(125), 0 }, { 0x8a, MANY(125), 0 },
        { 0x8a, MANY(125), 0 }, { 0x80, S("."), 0 } },
      "o(125*) o(125*) o(125*) T(200* .) ..." },

    /* 6: UTF-8; what each byte may be followed by is tested below */

    { "6.2.1: text of two and more bytes a character",
      { { 0x81, S("Hello-\xc2\xb5@\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80"), 0 } },
      "T(Hello-\\c2\\b5@\\c3\\9f\\e2\\82\\ac\\f0\\9f\\98\\80) ..." },
    { "6.2.3: a character over two fragments",
      { { 0x01, S("\xe2\x82"), 0 }, { 0x80, S("\xac"), 0 } },
      "T(\\e2\\82\\ac) ..." },
    { "6.2.4: a character a byte a fragment, a ping between",
      { { 0x01, S("\xf0"), 0 }, { 0x00, S("\x9f"), 0 }, { 0x00, S(""), 0 },
        { 0x89, S("\xff"), 0 }, { 0x00, S("\x98"), 0 },
        { 0x80, S("\x80"), 0 } },
      "i(\\ff) T(\\f0\\9f\\98\\80) ..." },
    { "6.3.1: a surrogate in the middle",
      { { 0x81, S("\xce\xba\xe1\xbd\xb9\xed\xa0\x80" "edited"), 0 } },
      "E1007" },
    { "6.3.2: the same over fragments",
      { { 0x01, S("\xce\xba\xe1\xbd\xb9"), 0 }, { 0x00, S("\xed\xa0"), 0 },
        { 0x80, S("\x80"), 0 } },
      "E1007" },
    { "6.4.1: found before the message is complete",
      { { 0x01, S("\xce\xba"), 0 }, { 0x00, S("\xf4\x90"), 0 } },
      "E1007" },
    { "6.4.3: found before the frame is complete",
      { { 0x81, S("abc\xff"), LEN_MORE } }, "E1007" },
    { "6: a character that is not yet complete",
      { { 0x81, S("abc\xe2\x82"), LEN_MORE } }, "..." },
    { "6: text that ends inside a character",
      { { 0x81, S("abc\xe2\x82"), 0 } }, "E1007" },
    { "6: the same over fragments",
      { { 0x01, S("abc\xe2"), 0 }, { 0x80, S(""), 0 } }, "E1007" },
    { "6: each message begins anew",
      { { 0x81, S("a"), 0 }, { 0x81, S("\x82"), 0 } }, "T(a) E1007" },
    { "6: no character goes over two messages",
      { { 0x81, S("\xe2"), 0 }, { 0x81, S("\x82\xac"), 0 } }, "E1007" },
    { "6: binary is not looked at",
      { { 0x02, S("\xff"), 0 }, { 0x80, S("\xe2"), 0 } },
      "B(\\ff\\e2) ..." },
    { "6: a byte order mark and noncharacters are characters",
      { { 0x81, S("\xef\xbb\xbf\xef\xbf\xbf\xf4\x8f\xbf\xbf"), 0 } },
      "T(\\ef\\bb\\bf\\ef\\bf\\bf\\f4\\8f\\bf\\bf) ..." },
    { "6: NUL is a character",
      { { 0x81, S("a\0b"), 0 } }, "T(a\\00b) ..." },

    /* 7: close */

    { "7.1.1: a message, then a close",
      { { 0x81, S("Hello"), 0 }, { 0x88, S(""), 0 } },
      "T(Hello) C1005() ..." },
    { "7.1.2: two closes",
      { { 0x88, S(""), 0 }, { 0x88, S(""), 0 } }, "C1005() ..." },
    { "7.1.3: a ping after a close",
      { { 0x88, S("\x03\xe8"), 0 }, { 0x89, S(""), 0 } }, "C1000() ..." },
    { "7.1.4: text after a close",
      { { 0x88, S("\x03\xe8"), 0 }, { 0x81, S("x"), 0 } }, "C1000() ..." },
    { "7.1.5: a close inside a message",
      { { 0x01, S("f1"), 0 }, { 0x88, S("\x03\xe8"), 0 },
        { 0x80, S("f2"), 0 } },
      "C1000() ..." },
    { "7.1.6: a great deal after a close",
      { { 0x88, S("\x03\xe9"), 0 }, { 0x82, MANY(2000), 0 },
        { 0xff, S("rubbish"), 0 } },
      "C1001() ..." },
    { "7.3.1: close without payload", { { 0x88, S(""), 0 } }, "C1005() ..." },
    { "7.3.2: close of one byte", { { 0x88, S("a"), 0 } }, "E1002" },
    { "7.3.3: close with a status",
      { { 0x88, S("\x03\xe8"), 0 } }, "C1000() ..." },
    { "7.3.4: close with a reason",
      { { 0x88, S("\x03\xe8Hello World!"), 0 } }, "C1000(Hello World!) ..." },
    { "7.3.5: close with a reason of 123",
      { { 0x88, S("\x03\xe8" "123456789 123456789 123456789 123456789 "
                  "123456789 123456789 123456789 123456789 123456789 "
                  "123456789 123456789 123456789 123"), 0 } },
      "C1000(123456789 123456789 123456789 123456789 123456789 123456789 "
      "123456789 123456789 123456789 123456789 123456789 123456789 123) ..." },
    { "7.3.6: close of 126", { { 0x88, MANY(126), 0 } }, "E1002" },
    { "7.5.1: close with a reason that is not UTF-8",
      { { 0x88, S("\x03\xe8\xce\xba\xed\xa0\x80"), 0 } }, "E1007" },
    { "7.5: close with a reason that ends inside a character",
      { { 0x88, S("\x03\xe8\xe2\x82"), 0 } }, "E1007" },

    /* 9: limits; max_message is 1000 */

    { "9: text of the limit", { { 0x81, MANY(1000), 0 } }, "T(1000*) ..." },
    { "9: one more", { { 0x81, MANY(1001), 0 } }, "E1009" },
    { "9: known from the header alone",
      { { 0x82, MANY(1001), NO_PAYLOAD } }, "E1009" },
    { "9: 2^62", { { 0x82, S(""), LEN_HUGE } }, "E1009" },
    { "9: 2^62 in a continuation",
      { { 0x02, S("x"), 0 }, { 0x80, S(""), LEN_HUGE } }, "E1009" },
    { "9: fragments up to the limit",
      { { 0x02, MANY(400), 0 }, { 0x00, MANY(599), 0 }, { 0x89, S("p"), 0 },
        { 0x80, S("*"), 0 } },
      "i(p) B(1000*) ..." },
    { "9: fragments over the limit",
      { { 0x02, MANY(400), 0 }, { 0x00, MANY(600), 0 }, { 0x89, S("p"), 0 },
        { 0x80, S("*"), NO_PAYLOAD } },
      "i(p) E1009" },
    { "9: the limit is for each message",
      { { 0x81, MANY(1000), 0 }, { 0x82, MANY(1000), 0 },
        { 0x01, MANY(500), 0 }, { 0x80, MANY(500), 0 } },
      "T(1000*) B(1000*) T(1000*) ..." }
};


static uint32_t  seed = 1;


static uint32_t
any(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;

    return (uint32_t) (((uint64_t) (seed >> 8) * n) >> 24);
}


/* a frame by the letter of section 5.2, apart from the code that is tested */

static void
put_frame(test_stream_t *s, const test_frame_t *f, unsigned masked)
{
    int        bytes;
    size_t     i;
    u_char    *p, c, mask[4];
    uint64_t   len;

    s->data = realloc(s->data, s->len + 14 + f->len);
    p = s->data + s->len;

    masked ^= (f->flags & MASK_WRONG);
    len = (f->flags & LEN_HUGE) ? 1ULL << 62
          : (f->flags & LEN_MORE) ? f->len + 10 : f->len;

    if (f->flags & LEN_TOP) {
        len |= 1ULL << 63;
    }

    bytes = len > 65535 || (f->flags & LEN_64) ? 8
            : len > 125 || (f->flags & LEN_16) ? 2 : 0;

    *p++ = (u_char) f->first;
    *p++ = (masked ? 0x80 : 0) | (bytes == 8 ? 127 : bytes == 2 ? 126 : len);

    while (bytes) {
        *p++ = (u_char) (len >> (8 * --bytes));
    }

    for (i = 0; i < 4; i++) {
        mask[i] = masked ? (u_char) any(256) : 0;

        if (masked) {
            *p++ = mask[i];
        }
    }

    for (i = 0; i < f->len && !(f->flags & NO_PAYLOAD); i++) {
        c = f->payload ? (u_char) f->payload[i] : '*';
        *p++ = c ^ mask[i % 4];
    }

    s->len = p - s->data;
    s->ends[s->nends++] = s->len;
}


/* "(abc)", what many times '*' is shortened */

static char *
show(char *out, const vb_str_t *s)
{
    size_t  i, n;

    out += sprintf(out, "(");

    for (i = 0; i < s->len; i++) {

        for (n = 0; i + n < s->len && s->data[i + n] == '*'; n++) { /**/ }

        if (n > 1) {
            out += sprintf(out, "%s%zu*%s", i ? " " : "", n,
                           i + n < s->len ? " " : "");
            i += n - 1;

        } else if (s->data[i] < 0x20 || s->data[i] > 0x7e) {
            out += sprintf(out, "\\%02x", s->data[i]);

        } else {
            *out++ = (char) s->data[i];
        }
    }

    return out + sprintf(out, ")");
}


static char *
show_event(char *out, const vb_ws_event_t *ev)
{
    static const char  names[] = " TB     Cio";

    *out++ = names[ev->opcode];

    if (ev->opcode == VB_WS_CLOSE) {
        out += sprintf(out, "%u", ev->status);
    }

    out = show(out, &ev->payload);

    return out + sprintf(out, " ");
}


/*
 * What must be kept moves to memory of its exact size, so that a sanitizer
 * sees any other use of the buffer.
 */

static void
append(vb_ws_buf_t *b, const u_char *data, size_t n)
{
    size_t   keep;
    u_char  *old;

    keep = b->last - b->message;
    old = b->start;

    b->start = malloc(keep + n);
    memcpy(b->start, keep ? b->message : data, keep);
    memcpy(b->start + keep, data, n);
    b->pos = b->start + (b->pos - b->message);
    b->message = b->start;
    b->last = b->start + keep + n;
    b->end = b->last;

    free(old);
}


/* reads a stream in pieces: up to the ends of frames, or of 1..most bytes */

static void
read_stream(char *out, const test_stream_t *s, unsigned masked, size_t most)
{
    int              rc;
    size_t           n, at, nend;
    vb_ws_buf_t      b;
    vb_ws_event_t    ev;
    vb_ws_reader_t   r;

    vb_ws_reader_init(&r, masked, MAX_MESSAGE);
    memset(&b, 0, sizeof(b));

    nend = 0;
    rc = VB_AGAIN;

    for (at = 0; at < s->len; at += n) {

        n = (most == 0) ? s->ends[nend++] - at : 1 + any((uint32_t) most);
        n = vb_min(n, s->len - at);

        if (vb_ws_wanted(&r, &b) > MAX_MESSAGE + 14) {
            rc = 1;
            break;
        }

        append(&b, s->data + at, n);

        while ((rc = vb_ws_read(&r, &b, &ev)) == VB_OK) {
            out = show_event(out, &ev);

            if (b.message > b.pos || b.pos > b.last
                || (ev.opcode < VB_WS_CLOSE && b.message != b.pos))
            {
                out += sprintf(out, "b->message is wrong ");
            }
        }

        if (rc != VB_AGAIN) {
            break;
        }

        if (b.message > b.pos || b.pos > b.last
            || b.last - b.message > MAX_MESSAGE + VB_WS_MAX_HEADER)
        {
            out += sprintf(out, "keeps the wrong bytes ");
        }
    }

    if (rc == VB_ERROR) {
        sprintf(out, "E%u%s", r.status,
                r.error && vb_ws_read(&r, &b, &ev) == VB_ERROR ? "" : "?");

    } else {
        sprintf(out, rc == VB_AGAIN ? "..." : "result %d", rc);
    }

    free(b.start);
}


/* the frames that were not written down are all zeroes */

static int
is_frame(const test_case_t *c, size_t k)
{
    return k < MAX_FRAMES && (c->frames[k].payload || c->frames[k].len);
}


static void
test_cases(void)
{
    size_t              i, k, most;
    unsigned            masked;
    test_stream_t       s;
    const test_case_t  *c;
    static char         out[16384];

    for (i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        c = &cases[i / 2];
        masked = i % 2;

        memset(&s, 0, sizeof(s));

        for (k = 0; is_frame(c, k); k++) {
            put_frame(&s, &c->frames[k], masked);
        }

        for (k = 0; k < READINGS; k++) {
            most = (k == 0) ? 0 : (k == 1) ? 1 : (k == 2) ? 1 << 20
                   : (k % 2) ? 8 : s.len;

            read_stream(out, &s, masked, most);

            if (strcmp(out, c->expected) != 0) {
                break;
            }
        }

        ok(k == READINGS, "%s, from a %s", c->name,
           masked ? "client" : "server");

        if (k < READINGS) {
            printf("# reading no. %zu: %s\n# expected: %s\n", k, out,
                   c->expected);
        }

        free(s.data);
    }
}


int
main(void)
{
    test_cases();

    return done_testing();
}
