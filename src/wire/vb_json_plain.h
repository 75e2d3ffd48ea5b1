
/* JSON's characters: white space, digits, those that stand for themselves */


#ifndef _VB_JSON_PLAIN_H_INCLUDED_
#define _VB_JSON_PLAIN_H_INCLUDED_


#include <vb_core.h>

/* -DVB_PORTABLE: as on machines without SSE2, for tests */
#if (__SSE2__ && !VB_PORTABLE)
#include <emmintrin.h>
#define VB_JSON_SSE2  1
#endif


#define vb_json_is_space(c)                                                   \
    ((c) == ' ' || (c) == '\n' || (c) == '\r' || (c) == '\t')

#define vb_json_is_digit(c)  ((c) >= '0' && (c) <= '9')

#define vb_json_is_hex(c)                                                     \
    (vb_json_is_digit(c) || (((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'f'))

/* c in each byte of a word; is any byte of the word below n, or is it c? */
#define vb_json_each(c)      (0x0101010101010101ULL * (c))
#define vb_json_below(w, n)                                                   \
    (((w) - vb_json_each(n)) & ~(w) & vb_json_each(0x80))
#define vb_json_has(w, c)    vb_json_below((w) ^ vb_json_each(c), 1)


static inline u_char *
vb_json_space(u_char *p, u_char *end)
{
    while (p < end && vb_json_is_space(*p)) {
        p++;
    }

    return p;
}


/*
 * Where the first quote, backslash or control character (below 20, RFC 8259
 * section 7) in p..end is, or end.
 */

static inline const u_char *
vb_json_plain(const u_char *p, const u_char *end)
{
    uint64_t  w;

#if (VB_JSON_SSE2)

    int       found;
    __m128i   v, quote, backslash, control;

    quote = _mm_set1_epi8('"');
    backslash = _mm_set1_epi8('\\');
    control = _mm_set1_epi8(0x1f);

    while (end - p >= 16) {
        v = _mm_loadu_si128((const __m128i *) p);

        found = _mm_movemask_epi8(
                    _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote),
                                              _mm_cmpeq_epi8(v, backslash)),
                                 _mm_cmpeq_epi8(_mm_max_epu8(v, control),
                                                control)));
        if (found) {
            return p + __builtin_ctz(found);
        }

        p += 16;
    }

#endif

    while (end - p >= 8) {
        memcpy(&w, p, 8);

        if (vb_json_has(w, '"') | vb_json_has(w, '\\')
            | vb_json_below(w, 0x20))
        {
            break;
        }

        p += 8;
    }

    while (p < end && *p >= 0x20 && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}


#endif /* _VB_JSON_PLAIN_H_INCLUDED_ */
