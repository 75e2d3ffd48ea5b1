
/*
 * Base64, RFC 4648.  Audio takes this way twice per message, so on x86-64 the
 * bulk is done sixteen characters at a time where the CPU has SSSE3, by the
 * method of W. Mula and D. Lemire, "Faster Base64 Encoding and Decoding using
 * AVX2 Instructions" (2018).  The portable code does the rest, and everything
 * elsewhere.
 */


#include <vb_base64.h>

/* -DVB_PORTABLE: as on machines without SSSE3, for tests */
#if (__x86_64__ && !VB_PORTABLE)
#include <tmmintrin.h>
#define VB_BASE64_SSSE3  1
#endif


static size_t vb_base64_encode_portable(u_char *dst, const u_char *src,
    size_t n, const u_char *basis, int padding);
static ssize_t vb_base64_decode_portable(u_char *dst, const u_char *src,
    size_t len, const u_char *values, int canonical);

#if (VB_BASE64_SSSE3)
static size_t vb_base64_encode_ssse3(u_char *dst, const u_char *src, size_t n);
static size_t vb_base64_decode_ssse3(u_char *dst, const u_char *src,
    size_t len);
#endif


static const u_char  vb_base64_basis[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static const u_char  vb_base64url_basis[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


/* the values of the first 128 bytes; 77 for those outside of the alphabet */

static const u_char  vb_base64_values[] = {
    77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77,
    77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77,
    77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 62, 77, 77, 77, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 77, 77, 77, 77, 77, 77,
    77,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 77, 77, 77, 77, 77,
    77, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 77, 77, 77, 77, 77
};

static const u_char  vb_base64url_values[] = {
    77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77,
    77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77,
    77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 62, 77, 77,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 77, 77, 77, 77, 77, 77,
    77,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 77, 77, 77, 77, 63,
    77, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 77, 77, 77, 77, 77
};


size_t
vb_base64_encode(u_char *dst, const u_char *src, size_t n)
{
    size_t  done;

    if (n == 0) {
        return 0;
    }

    done = 0;

#if (VB_BASE64_SSSE3)

    if (__builtin_cpu_supports("ssse3")) {
        done = vb_base64_encode_ssse3(dst, src, n);
    }

#endif

    return done / 3 * 4
           + vb_base64_encode_portable(dst + done / 3 * 4, src + done,
                                       n - done, vb_base64_basis, 1);
}


ssize_t
vb_base64_decode(u_char *dst, const u_char *src, size_t len)
{
    size_t   done;
    ssize_t  n;

    if (len == 0) {
        return 0;
    }

    if (len % 4 == 0 && src[len - 1] == '=') {
        len--;

        if (src[len - 1] == '=') {
            len--;
        }
    }

    done = 0;

#if (VB_BASE64_SSSE3)

    if (__builtin_cpu_supports("ssse3")) {
        done = vb_base64_decode_ssse3(dst, src, len);
    }

#endif

    n = vb_base64_decode_portable(dst + done / 4 * 3, src + done, len - done,
                                  vb_base64_values, 0);

    return (n == VB_ERROR) ? VB_ERROR : (ssize_t) (done / 4 * 3) + n;
}


size_t
vb_base64url_encode(u_char *dst, const u_char *src, size_t n)
{
    return vb_base64_encode_portable(dst, src, n, vb_base64url_basis, 0);
}


ssize_t
vb_base64url_decode(u_char *dst, const u_char *src, size_t len)
{
    return vb_base64_decode_portable(dst, src, len, vb_base64url_values, 1);
}


static size_t
vb_base64_encode_portable(u_char *dst, const u_char *src, size_t n,
    const u_char *basis, int padding)
{
    u_char    *p;
    uint32_t   bits;

    p = dst;

    while (n > 2) {
        bits = src[0] << 16 | src[1] << 8 | src[2];

        *p++ = basis[bits >> 18];
        *p++ = basis[bits >> 12 & 0x3f];
        *p++ = basis[bits >> 6 & 0x3f];
        *p++ = basis[bits & 0x3f];

        src += 3;
        n -= 3;
    }

    if (n == 0) {
        return p - dst;
    }

    bits = src[0] << 16 | ((n == 2) ? src[1] << 8 : 0);

    *p++ = basis[bits >> 18];
    *p++ = basis[bits >> 12 & 0x3f];

    if (n == 2) {
        *p++ = basis[bits >> 6 & 0x3f];
    }

    if (padding) {
        *p++ = '=';

        if (n == 1) {
            *p++ = '=';
        }
    }

    return p - dst;
}


/*
 * The length is that without padding.  Bits behind the last byte are ignored,
 * or must be zero where text has to be canonical (RFC 4648 section 3.5).
 */

static ssize_t
vb_base64_decode_portable(u_char *dst, const u_char *src, size_t len,
    const u_char *values, int canonical)
{
    u_char    *p, c0, c1, c2, c3;
    uint32_t   bits, bad;

#define value(c)  ((c) < 0x80 ? values[c] : 77)

    p = dst;
    bad = 0;

    while (len > 3) {
        c0 = value(src[0]);
        c1 = value(src[1]);
        c2 = value(src[2]);
        c3 = value(src[3]);

        bad |= c0 | c1 | c2 | c3;
        bits = c0 << 18 | c1 << 12 | c2 << 6 | c3;

        *p++ = bits >> 16 & 0xff;
        *p++ = bits >> 8 & 0xff;
        *p++ = bits & 0xff;

        src += 4;
        len -= 4;
    }

    if (len == 1) {
        return VB_ERROR;
    }

    if (len) {
        c0 = value(src[0]);
        c1 = value(src[1]);
        c2 = (len == 3) ? value(src[2]) : 0;

        bad |= c0 | c1 | c2;
        bits = c0 << 18 | c1 << 12 | c2 << 6;

        *p++ = bits >> 16 & 0xff;

        if (len == 3) {
            *p++ = bits >> 8 & 0xff;
        }

        if (canonical && (bits & ((len == 3) ? 0xff : 0xffff))) {
            return VB_ERROR;
        }
    }

#undef value

    return (bad & 0x40) ? VB_ERROR : p - dst;
}


#if (VB_BASE64_SSSE3)

/*
 * Encodes twelve bytes a step while sixteen may be read; returns how many
 * bytes were taken.
 */

__attribute__((target("ssse3"))) static size_t
vb_base64_encode_ssse3(u_char *dst, const u_char *src, size_t n)
{
    size_t   done;
    __m128i  v, high, low, range, offset;

    /* A-Z is range 13, a-z 0, digits 1 to 10, + and / 11 and 12 */

    const __m128i  offsets = _mm_setr_epi8('a' - 26,
                                           '0' - 52, '0' - 52, '0' - 52,
                                           '0' - 52, '0' - 52, '0' - 52,
                                           '0' - 52, '0' - 52, '0' - 52,
                                           '0' - 52, '+' - 62, '/' - 63,
                                           'A', 0, 0);

    /* three bytes abc to the 16-bit words ab and bc, high byte last */

    const __m128i  spread = _mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4,
                                          7, 6, 8, 7, 10, 9, 11, 10);

    for (done = 0; n - done >= 16; done += 12) {
        v = _mm_loadu_si128((const __m128i *) (src + done));
        v = _mm_shuffle_epi8(v, spread);

        /* six bits to each byte; the multiplications are shifts */

        high = _mm_mulhi_epu16(_mm_and_si128(v, _mm_set1_epi32(0x0fc0fc00)),
                               _mm_set1_epi32(0x04000040));
        low = _mm_mullo_epi16(_mm_and_si128(v, _mm_set1_epi32(0x003f03f0)),
                              _mm_set1_epi32(0x01000010));
        v = _mm_or_si128(high, low);

        /* each to its character by the offset of its range */

        range = _mm_or_si128(_mm_subs_epu8(v, _mm_set1_epi8(51)),
                             _mm_and_si128(_mm_cmpgt_epi8(_mm_set1_epi8(26),
                                                          v),
                                           _mm_set1_epi8(13)));
        offset = _mm_shuffle_epi8(offsets, range);

        _mm_storeu_si128((__m128i *) dst, _mm_add_epi8(v, offset));
        dst += 16;
    }

    return done;
}


/*
 * Decodes sixteen characters a step to twelve bytes, while sixteen may be
 * written; returns how many characters were taken: it stops before those
 * that hold a bad one and leaves them to the portable code.
 */

__attribute__((target("ssse3"))) static size_t
vb_base64_decode_ssse3(u_char *dst, const u_char *src, size_t len)
{
    size_t   done;
    __m128i  v, high, low, slash, bad;

    /*
     * A character is bad where the sets of its nibbles share a bit: each bit
     * of bad_high stands for some high nibbles, and each entry of bad_low
     * says for which of them that low nibble is outside the alphabet.
     */

    const __m128i  bad_low = _mm_setr_epi8(0x15, 0x11, 0x11, 0x11,
                                           0x11, 0x11, 0x11, 0x11,
                                           0x11, 0x11, 0x13, 0x1a,
                                           0x1b, 0x1b, 0x1b, 0x1a);
    const __m128i  bad_high = _mm_setr_epi8(0x10, 0x10, 0x01, 0x02,
                                            0x04, 0x08, 0x04, 0x08,
                                            0x10, 0x10, 0x10, 0x10,
                                            0x10, 0x10, 0x10, 0x10);

    /* character to value by high nibble; the slash takes entry 1 */

    const __m128i  offsets = _mm_setr_epi8(0, 63 - '/', 62 - '+', 52 - '0',
                                           0 - 'A', 0 - 'A',
                                           26 - 'a', 26 - 'a',
                                           0, 0, 0, 0, 0, 0, 0, 0);

    const __m128i  gather = _mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8,
                                          14, 13, 12, -1, -1, -1, -1);

    /* 22 characters are 16 bytes */

    for (done = 0; len - done >= 22; done += 16) {
        v = _mm_loadu_si128((const __m128i *) (src + done));

        high = _mm_and_si128(_mm_srli_epi32(v, 4), _mm_set1_epi8(0x0f));
        low = _mm_and_si128(v, _mm_set1_epi8(0x0f));

        bad = _mm_and_si128(_mm_shuffle_epi8(bad_low, low),
                            _mm_shuffle_epi8(bad_high, high));

        if (_mm_movemask_epi8(_mm_cmpgt_epi8(bad, _mm_setzero_si128()))) {
            break;
        }

        slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('/'));
        v = _mm_add_epi8(v, _mm_shuffle_epi8(offsets,
                                             _mm_add_epi8(high, slash)));

        /* four times six bits to 24, in the order of the wire */

        v = _mm_maddubs_epi16(v, _mm_set1_epi32(0x01400140));
        v = _mm_madd_epi16(v, _mm_set1_epi32(0x00011000));
        v = _mm_shuffle_epi8(v, gather);

        _mm_storeu_si128((__m128i *) dst, v);
        dst += 12;
    }

    return done;
}

#endif
