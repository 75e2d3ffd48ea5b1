
/* base64: RFC 4648, both alphabets, and the vector code against the portable */


#include <tap.h>
#include <guard.h>
#include <vb_base64.h>

/* the portable code under names of its own */

#ifndef VB_PORTABLE
#define VB_PORTABLE  1
#endif

#define vb_base64_encode     portable_encode
#define vb_base64_decode     portable_decode
#define vb_base64url_encode  portable_url_encode
#define vb_base64url_decode  portable_url_decode

#include "../../src/wire/vb_base64.c"

#undef vb_base64_encode
#undef vb_base64_decode
#undef vb_base64url_encode
#undef vb_base64url_decode


#define LONGEST  300


typedef struct {
    const char  *text;
    const char  *bytes;         /* NULL where the text is refused */
} vector_t;


/* RFC 4648 section 10, and what padding may be */

static const vector_t  vectors[] = {
    { "", "" },
    { "Zg==", "f" },
    { "Zm8=", "fo" },
    { "Zm9v", "foo" },
    { "Zm9vYg==", "foob" },
    { "Zm9vYmE=", "fooba" },
    { "Zm9vYmFy", "foobar" },
    { "Zg", "f" },
    { "Zm8", "fo" },
    { "Zm9vYg", "foob" },
    { "Zh==", "f" },
    { "Zg=", NULL },
    { "Zm8==", NULL },
    { "Zm9v=", NULL },
    { "Zm9v====", NULL },
    { "Z", NULL },
    { "Z===", NULL },
    { "Zm9vY", NULL },
    { "=", NULL },
    { "==", NULL },
    { "====", NULL },
    { "Zg==Zg==", NULL },
    { "Z=9v", NULL },
    { "Zm9v ", NULL },
    { " Zm9v", NULL },
    { "Zm\\/v", NULL },
    { "Zm-_", NULL },
    { NULL, NULL }
};

static const vector_t  url_vectors[] = {
    { "", "" },
    { "Zg", "f" },
    { "Zm8", "fo" },
    { "Zm9v", "foo" },
    { "-_-_", "\xfb\xff\xbf" },
    { "Zh", NULL },             /* Zg with bits behind the byte */
    { "Zm9", NULL },
    { "Zg==", NULL },
    { "+/+/", NULL },
    { "Z", NULL },
    { NULL, NULL }
};


static void check_vectors(const vector_t *v, const char *name,
    ssize_t (*decode)(u_char *, const u_char *, size_t));
static void check_lengths(void);
static void check_alphabet(ssize_t (*decode)(u_char *, const u_char *, size_t),
    const char *more, const char *name);
static void fill(u_char *p, size_t n);


/* bit by bit, as the RFC describes it */

static size_t
reference_encode(char *dst, const u_char *src, size_t n, const char *last)
{
    int          value;
    char        *p;
    size_t       bit, i;

    p = dst;

    for (bit = 0; bit < n * 8; bit += 6) {
        value = 0;

        for (i = bit; i < bit + 6; i++) {
            value = value * 2 + (i < n * 8 ? src[i / 8] >> (7 - i % 8) & 1 : 0);
        }

        *p++ = value < 26 ? 'A' + value
               : value < 52 ? 'a' + value - 26
               : value < 62 ? '0' + value - 52 : last[value - 62];
    }

    while (last[2] && (p - dst) % 4) {
        *p++ = last[2];
    }

    return p - dst;
}


int
main(void)
{
    is_int(vb_base64_encode(NULL, NULL, 0), 0, "nothing to encode");
    is_int(vb_base64_decode(NULL, NULL, 0), 0, "nothing to decode");
    is_int(vb_base64url_encode(NULL, NULL, 0), 0, "nothing to encode, url");
    is_int(vb_base64url_decode(NULL, NULL, 0), 0, "nothing to decode, url");

    check_vectors(vectors, "base64", vb_base64_decode);
    check_vectors(vectors, "portable base64", portable_decode);
    check_vectors(url_vectors, "base64url", vb_base64url_decode);

    check_lengths();

    check_alphabet(vb_base64_decode, "+/", "base64");
    check_alphabet(portable_decode, "+/", "portable base64");
    check_alphabet(vb_base64url_decode, "-_", "base64url");

    return done_testing();
}


static void
check_vectors(const vector_t *v, const char *name,
    ssize_t (*decode)(u_char *, const u_char *, size_t))
{
    u_char   out[16];
    ssize_t  n;

    for ( /* void */ ; v->text; v++) {
        n = decode(out, (const u_char *) v->text, strlen(v->text));

        if (v->bytes == NULL) {
            is_int(n, VB_ERROR, "%s refuses \"%s\"", name, v->text);
            continue;
        }

        is_mem(out, n, v->bytes, strlen(v->bytes), "%s reads \"%s\"", name,
               v->text);
    }
}


/* all lengths, in areas of exactly that size */

static void
check_lengths(void)
{
    int      good, same, back, place, url, portable;
    char     expected[LONGEST * 2];
    size_t   n, m, len;
    u_char  *src, *text, *out;

    good = same = back = place = url = portable = 1;

    for (n = 1; n <= LONGEST; n++) {
        m = vb_base64_encoded_length(n);

        src = guarded(n);
        text = guarded(m);
        out = guarded(n);

        fill(src, n);

        len = reference_encode(expected, src, n, "+/=");
        good &= (len == m && vb_base64_encode(text, src, n) == m
                 && memcmp(text, expected, m) == 0);
        back &= (vb_base64_decode(out, text, m) == (ssize_t) n
                 && memcmp(out, src, n) == 0);

        memset(text, 0, m);
        memset(out, 0, n);

        same &= (portable_encode(text, src, n) == m
                 && memcmp(text, expected, m) == 0);
        portable &= (portable_decode(out, text, m) == (ssize_t) n
                     && memcmp(out, src, n) == 0);

        place &= (vb_base64_decode(text, text, m) == (ssize_t) n
                  && memcmp(text, src, n) == 0);

        len = reference_encode(expected, src, n, "-_");
        text = guarded(len);
        url &= (vb_base64url_encode(text, src, n) == len
                && memcmp(text, expected, len) == 0
                && vb_base64url_decode(text, text, len) == (ssize_t) n
                && memcmp(text, src, n) == 0);
    }

    ok(good, "1 to %d bytes are encoded as the RFC says", LONGEST);
    ok(back, "and decoded to what they were");
    ok(same, "the portable code encodes the same");
    ok(portable, "and decodes the same");
    ok(place, "decoding in place gives the same");
    ok(url, "1 to %d bytes in the URL-safe alphabet, and back", LONGEST);
}


/* every byte at every place of a text: taken only where it is a character */

static void
check_alphabet(ssize_t (*decode)(u_char *, const u_char *, size_t),
    const char *more, const char *name)
{
    int      c, member, good;
    size_t   i, len;
    u_char   out[128], text[128];
    ssize_t  n;

    good = 1;

    for (len = 4; len <= 76; len += 24) {
        for (i = 0; i < len; i++) {
            for (c = 0; c < 256; c++) {
                memset(text, 'A', len);
                text[i] = c;

                member = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
                         || (c >= 'a' && c <= 'z') || c == more[0]
                         || c == more[1];

                if (c == '=' && i == len - 1 && more[0] == '+') {
                    continue;
                }

                n = decode(out, text, len);
                good &= (n == (member ? (ssize_t) len / 4 * 3 : VB_ERROR));
            }
        }
    }

    ok(good, "%s takes the alphabet's characters and no others", name);
}


static void
fill(u_char *p, size_t n)
{
    static uint32_t  state = 1;

    while (n--) {
        state = state * 1664525 + 1013904223;
        *p++ = state >> 24;
    }
}
