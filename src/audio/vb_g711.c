
/*
 * mu-law is a floating-point number in a byte: sign, three bits of exponent,
 * four of mantissa, all inverted on the line.  A bias of 33 (132 at 16 bits)
 * makes the leading one of each of the eight segments implicit:
 *
 *     |sample| + 132         segment  step
 *
 *     0000 0000 1wxy z...       0        8
 *     0000 0001 wxyz ....       1       16
 *     ...
 *     01wx yz.. .... ....       7     1024
 */


#include <vb_g711.h>

/* -DVB_PORTABLE: as on machines without SSE2, for tests */
#if (__SSE2__ && !VB_PORTABLE)
#include <emmintrin.h>
#define VB_G711_SSE2  1
#endif


#define VB_G711_BIAS  132
#define VB_G711_CLIP  32635


static inline uint8_t vb_g711_ulaw(int32_t sample);

#if (VB_G711_SSE2)
static void vb_g711_ulaw_encode_sse2(uint8_t *dst, const int16_t *src);
#endif


static const int16_t  vb_g711_ulaw_table[256] = {
    -32124, -31100, -30076, -29052, -28028, -27004, -25980, -24956,
    -23932, -22908, -21884, -20860, -19836, -18812, -17788, -16764,
    -15996, -15484, -14972, -14460, -13948, -13436, -12924, -12412,
    -11900, -11388, -10876, -10364,  -9852,  -9340,  -8828,  -8316,
     -7932,  -7676,  -7420,  -7164,  -6908,  -6652,  -6396,  -6140,
     -5884,  -5628,  -5372,  -5116,  -4860,  -4604,  -4348,  -4092,
     -3900,  -3772,  -3644,  -3516,  -3388,  -3260,  -3132,  -3004,
     -2876,  -2748,  -2620,  -2492,  -2364,  -2236,  -2108,  -1980,
     -1884,  -1820,  -1756,  -1692,  -1628,  -1564,  -1500,  -1436,
     -1372,  -1308,  -1244,  -1180,  -1116,  -1052,   -988,   -924,
      -876,   -844,   -812,   -780,   -748,   -716,   -684,   -652,
      -620,   -588,   -556,   -524,   -492,   -460,   -428,   -396,
      -372,   -356,   -340,   -324,   -308,   -292,   -276,   -260,
      -244,   -228,   -212,   -196,   -180,   -164,   -148,   -132,
      -120,   -112,   -104,    -96,    -88,    -80,    -72,    -64,
       -56,    -48,    -40,    -32,    -24,    -16,     -8,      0,
     32124,  31100,  30076,  29052,  28028,  27004,  25980,  24956,
     23932,  22908,  21884,  20860,  19836,  18812,  17788,  16764,
     15996,  15484,  14972,  14460,  13948,  13436,  12924,  12412,
     11900,  11388,  10876,  10364,   9852,   9340,   8828,   8316,
      7932,   7676,   7420,   7164,   6908,   6652,   6396,   6140,
      5884,   5628,   5372,   5116,   4860,   4604,   4348,   4092,
      3900,   3772,   3644,   3516,   3388,   3260,   3132,   3004,
      2876,   2748,   2620,   2492,   2364,   2236,   2108,   1980,
      1884,   1820,   1756,   1692,   1628,   1564,   1500,   1436,
      1372,   1308,   1244,   1180,   1116,   1052,    988,    924,
       876,    844,    812,    780,    748,    716,    684,    652,
       620,    588,    556,    524,    492,    460,    428,    396,
       372,    356,    340,    324,    308,    292,    276,    260,
       244,    228,    212,    196,    180,    164,    148,    132,
       120,    112,    104,     96,     88,     80,     72,     64,
        56,     48,     40,     32,     24,     16,      8,      0
};


void
vb_g711_ulaw_decode(int16_t *dst, const uint8_t *src, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        dst[i] = vb_g711_ulaw_table[src[i]];
    }
}


void
vb_g711_ulaw_encode(uint8_t *dst, const int16_t *src, size_t n)
{
    size_t  i;

    i = 0;

#if (VB_G711_SSE2)

    for ( /* void */ ; n - i >= 8; i += 8) {
        vb_g711_ulaw_encode_sse2(dst + i, src + i);
    }

#endif

    for ( /* void */ ; i < n; i++) {
        dst[i] = vb_g711_ulaw(src[i]);
    }
}


static inline uint8_t
vb_g711_ulaw(int32_t sample)
{
    int32_t   magnitude;
    uint32_t  segment, mask;

    mask = (sample < 0) ? 0x7f : 0xff;

    magnitude = (sample < 0) ? -sample : sample;
    magnitude = vb_min(magnitude, VB_G711_CLIP) + VB_G711_BIAS;

    segment = 24 - __builtin_clz(magnitude);

    return (segment << 4 | (magnitude >> (segment + 3) & 0x0f)) ^ mask;
}


#if (VB_G711_SSE2)

/*
 * Eight samples.  The CPU makes floating-point numbers of them, whose bits are
 * an exponent and the beginning of the mantissa, too: those 134 to 141 are
 * segments 0 to 7.
 */

static void
vb_g711_ulaw_encode_sse2(uint8_t *dst, const int16_t *src)
{
    __m128i  v, sign, low, high, zero;

    zero = _mm_setzero_si128();

    v = _mm_loadu_si128((const __m128i *) src);
    v = _mm_max_epi16(v, _mm_set1_epi16(-VB_G711_CLIP));
    v = _mm_min_epi16(v, _mm_set1_epi16(VB_G711_CLIP));

    sign = _mm_srai_epi16(v, 15);
    v = _mm_sub_epi16(_mm_xor_si128(v, sign), sign);
    v = _mm_add_epi16(v, _mm_set1_epi16(VB_G711_BIAS));

    low = _mm_castps_si128(_mm_cvtepi32_ps(_mm_unpacklo_epi16(v, zero)));
    high = _mm_castps_si128(_mm_cvtepi32_ps(_mm_unpackhi_epi16(v, zero)));

    v = _mm_packs_epi32(_mm_srli_epi32(low, 19), _mm_srli_epi32(high, 19));
    v = _mm_sub_epi16(v, _mm_set1_epi16(134 << 4));

    /* 0xff, or 0x7f where the sample is negative */

    sign = _mm_xor_si128(_mm_and_si128(sign, _mm_set1_epi16(0x80)),
                         _mm_set1_epi16(0xff));
    v = _mm_xor_si128(v, sign);

    _mm_storel_epi64((__m128i *) dst, _mm_packus_epi16(v, v));
}

#endif
