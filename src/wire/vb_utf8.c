
/* UTF-8 as of RFC 3629 section 4, checked piece by piece */


#include <vb_utf8.h>

/* -DVB_PORTABLE: as on machines without SSE2, for tests */
#if (__SSE2__ && !VB_PORTABLE)
#include <emmintrin.h>
#define VB_UTF8_SSE2  1
#endif


/* inside of a character: bytes to come, and the bounds of the next one */
#define vb_utf8_state(n, low, high)                                           \
    ((uint32_t) (n) << 16 | (uint32_t) (low) << 8 | (uint32_t) (high))


static uint32_t vb_utf8_lead(u_char c);
static const u_char *vb_utf8_ascii(const u_char *p, const u_char *end);


int
vb_utf8_check(uint32_t *state, const u_char *p, size_t n)
{
    u_char         c;
    uint32_t       s;
    const u_char  *end;

    s = *state;
    end = p + n;

    for ( ;; ) {

        if (s == 0 && p < end && *p < 0x80) {
            p = vb_utf8_ascii(p, end);
        }

        if (p == end) {
            break;
        }

        c = *p++;

        if (s == 0) {
            s = vb_utf8_lead(c);

            if (s == 0) {
                return VB_ERROR;
            }

            continue;
        }

        if (c < (s >> 8 & 0xff) || c > (s & 0xff)) {
            return VB_ERROR;
        }

        s = (s >> 16 == 1) ? 0 : vb_utf8_state((s >> 16) - 1, 0x80, 0xbf);
    }

    *state = s;

    return VB_OK;
}


size_t
vb_utf8_whole(const u_char *p, size_t n)
{
    size_t    i;
    uint32_t  state;

    /* the last character begins at one of the last four bytes */

    for (i = n; i && n - i < 4; i--) {

        if ((p[i - 1] & 0xc0) == 0x80) {
            continue;
        }

        state = 0;

        (void) vb_utf8_check(&state, p + i - 1, n - (i - 1));

        return state ? i - 1 : n;
    }

    return n;
}


int
vb_utf8_is_plain(const u_char *p, size_t n)
{
    size_t    i;
    uint32_t  state;

    /* what is absent has no data */

    if (n == 0) {
        return 1;
    }

    state = 0;

    if (vb_utf8_check(&state, p, n) != VB_OK || state) {
        return 0;
    }

    for (i = 0; i < n; i++) {

        if (p[i] < 0x20 || p[i] == 0x7f
            || (p[i] == 0xc2 && p[i + 1] < 0xa0)
            || (p[i] == 0xef && p[i + 1] == 0xbf && p[i + 2] >= 0xbe))
        {
            return 0;
        }
    }

    return 1;
}


void
vb_utf8_plain(u_char *p, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {

        if (p[i] < 0x20 || p[i] == 0x7f) {
            p[i] = ' ';

        } else if (p[i] == 0xc2 && i + 1 < n && p[i + 1] >= 0x80
                   && p[i + 1] < 0xa0)
        {
            p[i++] = ' ';
            p[i] = ' ';
        }
    }
}


/*
 * The state behind a lead byte; 0 for bytes that are none.  The first
 * continuation byte has narrower bounds where longer forms of shorter
 * characters (E0, F0), surrogates (ED) and code points above 10FFFF (F4)
 * would lie.
 */

static uint32_t
vb_utf8_lead(u_char c)
{
    if (c < 0xc2) {
        return 0;
    }

    if (c < 0xe0) {
        return vb_utf8_state(1, 0x80, 0xbf);
    }

    if (c < 0xf0) {
        return vb_utf8_state(2, (c == 0xe0) ? 0xa0 : 0x80,
                                (c == 0xed) ? 0x9f : 0xbf);
    }

    if (c < 0xf5) {
        return vb_utf8_state(3, (c == 0xf0) ? 0x90 : 0x80,
                                (c == 0xf4) ? 0x8f : 0xbf);
    }

    return 0;
}


/* where the first byte that is not ASCII is */

static const u_char *
vb_utf8_ascii(const u_char *p, const u_char *end)
{
    uint64_t  word;

#if (VB_UTF8_SSE2)

    int       high;

    while (end - p >= 16) {
        high = _mm_movemask_epi8(_mm_loadu_si128((const __m128i *) p));

        if (high) {
            return p + __builtin_ctz(high);
        }

        p += 16;
    }

#endif

    while (end - p >= 8) {
        memcpy(&word, p, 8);

        if (word & 0x8080808080808080ULL) {
            break;
        }

        p += 8;
    }

    while (p < end && *p < 0x80) {
        p++;
    }

    return p;
}
