
/* The inner loop of the resampler, see vb_resampler_kernel.h */


#include <vb_resampler_kernel.h>

#if (VB_RESAMPLER_X86)
#include <immintrin.h>
#elif (VB_RESAMPLER_NEON)
#include <arm_neon.h>
#endif


#define vb_avx2         __attribute__((target("avx2")))
#define vb_avx2_inline  static inline __attribute__((target("avx2"),          \
                                                     always_inline))

/* taps of a phase in the filters upwards */
#define VB_RESAMPLER_UP_TAPS  48


/* where an output sample's input and taps are */

typedef struct {
    const int16_t  *x;
    const int16_t  *h;
} vb_resampler_at_t;


/* walks over the outputs; whole and rest are those of step / phases */

typedef struct {
    const int16_t  *x;
    const int16_t  *coefficients;
    uint32_t        phase;
    uint32_t        phases;
    uint32_t        taps;
    uint32_t        whole;
    uint32_t        rest;
} vb_resampler_walk_t;


static inline void
vb_resampler_walk(vb_resampler_walk_t *w, const int16_t *x,
    const vb_resampler_filter_t *filter, uint32_t phase)
{
    w->x = x;
    w->coefficients = filter->coefficients;
    w->phase = phase;
    w->phases = filter->phases;
    w->taps = filter->taps;
    w->whole = filter->step / filter->phases;
    w->rest = filter->step % filter->phases;
}


static inline vb_resampler_at_t
vb_resampler_next(vb_resampler_walk_t *w)
{
    vb_resampler_at_t  at;

    at.x = w->x;
    at.h = w->coefficients + w->phase * w->taps;

    w->x += w->whole;
    w->phase += w->rest;

    if (w->phase >= w->phases) {
        w->phase -= w->phases;
        w->x++;
    }

    return at;
}


static inline int16_t
vb_resampler_sample(const int16_t *x, const int16_t *h, uint32_t taps,
    uint32_t shift)
{
    int32_t   s0, s1, s2, s3, y;
    uint32_t  k;

    s0 = s1 = s2 = s3 = 0;

    for (k = 0; k < taps; k += 8) {
        s0 += x[k] * h[k] + x[k + 1] * h[k + 1];
        s1 += x[k + 2] * h[k + 2] + x[k + 3] * h[k + 3];
        s2 += x[k + 4] * h[k + 4] + x[k + 5] * h[k + 5];
        s3 += x[k + 6] * h[k + 6] + x[k + 7] * h[k + 7];
    }

    y = (s0 >> 2) + (s1 >> 2) + (s2 >> 2) + (s3 >> 2);
    y = (y + (1 << (shift - 3))) >> (shift - 2);

    return (y > INT16_MAX) ? INT16_MAX : (y < INT16_MIN) ? INT16_MIN : y;
}


void
vb_resampler_kernel_portable(int16_t *dst, const int16_t *x,
    const vb_resampler_filter_t *filter, uint32_t phase, size_t n)
{
    vb_resampler_at_t    at;
    vb_resampler_walk_t  w;

    vb_resampler_walk(&w, x, filter, phase);

    while (n--) {
        at = vb_resampler_next(&w);
        *dst++ = vb_resampler_sample(at.x, at.h, filter->taps, filter->shift);
    }
}


#if (VB_RESAMPLER_X86)

static inline void
vb_resampler_clip_sse2(int16_t *dst, __m128i y, uint32_t shift)
{
    y = _mm_add_epi32(y, _mm_set1_epi32(1 << (shift - 3)));
    y = _mm_sra_epi32(y, _mm_cvtsi32_si128(shift - 2));

    _mm_storel_epi64((__m128i *) dst, _mm_packs_epi32(y, y));
}


/* four samples from four times four sums */

static inline void
vb_resampler_store_sse2(int16_t *dst, __m128i a, __m128i b, __m128i c,
    __m128i d, uint32_t shift)
{
    __m128i  ab, cd, y;

    a = _mm_srai_epi32(a, 2);
    b = _mm_srai_epi32(b, 2);
    c = _mm_srai_epi32(c, 2);
    d = _mm_srai_epi32(d, 2);

    ab = _mm_add_epi32(_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
    cd = _mm_add_epi32(_mm_unpacklo_epi32(c, d), _mm_unpackhi_epi32(c, d));

    y = _mm_add_epi32(_mm_unpacklo_epi64(ab, cd), _mm_unpackhi_epi64(ab, cd));

    vb_resampler_clip_sse2(dst, y, shift);
}


void
vb_resampler_kernel_sse2(int16_t *dst, const int16_t *x,
    const vb_resampler_filter_t *filter, uint32_t phase, size_t n)
{
    __m128i              a, b, c, d;
    uint32_t             k;
    vb_resampler_at_t    at[4];
    vb_resampler_walk_t  w;

#define madd(s, at)                                                           \
    s = _mm_add_epi32(s, _mm_madd_epi16(                                      \
                             _mm_loadu_si128((const __m128i *) (at.x + k)),   \
                             _mm_load_si128((const __m128i *) (at.h + k))))

    vb_resampler_walk(&w, x, filter, phase);

    for ( /* void */ ; n >= 4; n -= 4) {
        at[0] = vb_resampler_next(&w);
        at[1] = vb_resampler_next(&w);
        at[2] = vb_resampler_next(&w);
        at[3] = vb_resampler_next(&w);

        a = b = c = d = _mm_setzero_si128();

        for (k = 0; k < w.taps; k += 8) {
            madd(a, at[0]);
            madd(b, at[1]);
            madd(c, at[2]);
            madd(d, at[3]);
        }

        vb_resampler_store_sse2(dst, a, b, c, d, filter->shift);
        dst += 4;
    }

#undef madd

    vb_resampler_kernel_portable(dst, w.x, filter, w.phase, n);
}


/*
 * These leave the upper halves of the registers clear: otherwise SSE code that
 * runs after them is slow, and not all compilers see to it by themselves.
 */

#define load(p)     _mm256_loadu_si256((const __m256i *) (p))
#define madd(x, h)  _mm256_madd_epi16(x, *(const __m256i *) (h))
#define add(a, b)   _mm256_add_epi32(a, b)


/* four samples from four times eight sums, of which j and j + 4 are one */

vb_avx2_inline void
vb_resampler_store_avx2(int16_t *dst, __m256i a, __m256i b, __m256i c,
    __m256i d, uint32_t shift)
{
    __m128i  low, high, y;
    __m256i  ac, bd, sums;

    ac = add(_mm256_permute2x128_si256(a, c, 0x20),
             _mm256_permute2x128_si256(a, c, 0x31));
    bd = add(_mm256_permute2x128_si256(b, d, 0x20),
             _mm256_permute2x128_si256(b, d, 0x31));

    ac = _mm256_srai_epi32(ac, 2);
    bd = _mm256_srai_epi32(bd, 2);

    sums = add(_mm256_unpacklo_epi32(ac, bd), _mm256_unpackhi_epi32(ac, bd));

    low = _mm256_castsi256_si128(sums);
    high = _mm256_extracti128_si256(sums, 1);

    y = _mm_add_epi32(_mm_unpacklo_epi64(low, high),
                      _mm_unpackhi_epi64(low, high));

    vb_resampler_clip_sse2(dst, y, shift);
}


/*
 * Any filter.  One of a single phase has the same taps for all outputs: the
 * compiler is told by a constant, and loads them once for four.
 */

vb_avx2_inline void
vb_resampler_any_avx2(int16_t *dst, const int16_t *x,
    const vb_resampler_filter_t *filter, uint32_t phase, size_t n, int single)
{
    __m256i              a, b, c, d;
    uint32_t             k;
    vb_resampler_at_t    at[4];
    vb_resampler_walk_t  w;

    vb_resampler_walk(&w, x, filter, phase);

    for ( /* void */ ; n >= 4; n -= 4) {
        at[0] = vb_resampler_next(&w);
        at[1] = vb_resampler_next(&w);
        at[2] = vb_resampler_next(&w);
        at[3] = vb_resampler_next(&w);

        if (single) {
            at[1].h = at[2].h = at[3].h = at[0].h;
        }

        a = b = c = d = _mm256_setzero_si256();

        for (k = 0; k < w.taps; k += 16) {
            a = add(a, madd(load(at[0].x + k), at[0].h + k));
            b = add(b, madd(load(at[1].x + k), at[1].h + k));
            c = add(c, madd(load(at[2].x + k), at[2].h + k));
            d = add(d, madd(load(at[3].x + k), at[3].h + k));
        }

        vb_resampler_store_avx2(dst, a, b, c, d, filter->shift);
        dst += 4;
    }

    _mm256_zeroupper();

    vb_resampler_kernel_portable(dst, w.x, filter, w.phase, n);
}


/*
 * Upwards, with phases of 48 taps: outputs in a row that differ only by their
 * phase have the same input, which stays in three registers.
 */

typedef struct {
    const int16_t  *x;
    uint32_t        phase;
    __m256i         x0;
    __m256i         x1;
    __m256i         x2;
} vb_resampler_up_t;


vb_avx2_inline void
vb_resampler_up_load(vb_resampler_up_t *up)
{
    up->x0 = load(up->x);
    up->x1 = load(up->x + 16);
    up->x2 = load(up->x + 32);
}


vb_avx2_inline __m256i
vb_resampler_up_next(vb_resampler_up_t *up,
    const vb_resampler_filter_t *filter)
{
    const int16_t  *h;

    if (up->phase >= filter->phases) {
        up->phase -= filter->phases;
        up->x++;

        vb_resampler_up_load(up);
    }

    h = filter->coefficients + up->phase * VB_RESAMPLER_UP_TAPS;
    up->phase += filter->step;

    return add(madd(up->x0, h), add(madd(up->x1, h + 16),
                                    madd(up->x2, h + 32)));
}


vb_avx2_inline void
vb_resampler_up_avx2(int16_t *dst, const int16_t *x,
    const vb_resampler_filter_t *filter, uint32_t phase, size_t n)
{
    __m256i            a, b, c, d;
    vb_resampler_up_t  up;

    up.x = x;
    up.phase = phase;

    vb_resampler_up_load(&up);

    for ( /* void */ ; n >= 4; n -= 4) {
        a = vb_resampler_up_next(&up, filter);
        b = vb_resampler_up_next(&up, filter);
        c = vb_resampler_up_next(&up, filter);
        d = vb_resampler_up_next(&up, filter);

        vb_resampler_store_avx2(dst, a, b, c, d, filter->shift);
        dst += 4;
    }

    _mm256_zeroupper();

    if (up.phase >= filter->phases) {
        up.phase -= filter->phases;
        up.x++;
    }

    vb_resampler_kernel_portable(dst, up.x, filter, up.phase, n);
}


#undef load
#undef madd
#undef add


vb_avx2 void
vb_resampler_kernel_avx2(int16_t *dst, const int16_t *x,
    const vb_resampler_filter_t *filter, uint32_t phase, size_t n)
{
    if (filter->phases == 1) {
        vb_resampler_any_avx2(dst, x, filter, phase, n, 1);

    } else if (filter->taps == VB_RESAMPLER_UP_TAPS) {
        vb_resampler_up_avx2(dst, x, filter, phase, n);

    } else {
        vb_resampler_any_avx2(dst, x, filter, phase, n, 0);
    }
}

#endif


#if (VB_RESAMPLER_NEON)

void
vb_resampler_kernel_neon(int16_t *dst, const int16_t *x,
    const vb_resampler_filter_t *filter, uint32_t phase, size_t n)
{
    int16x8_t            v, h;
    int32x4_t            s, round, shift;
    uint32_t             k;
    vb_resampler_at_t    at;
    vb_resampler_walk_t  w;

    round = vdupq_n_s32(1 << (filter->shift - 3));
    shift = vdupq_n_s32(2 - (int32_t) filter->shift);

    vb_resampler_walk(&w, x, filter, phase);

    while (n--) {
        at = vb_resampler_next(&w);
        s = vdupq_n_s32(0);

        for (k = 0; k < w.taps; k += 8) {
            v = vld1q_s16(at.x + k);
            h = vld1q_s16(at.h + k);

            s = vaddq_s32(s, vpaddq_s32(vmull_s16(vget_low_s16(v),
                                                  vget_low_s16(h)),
                                        vmull_high_s16(v, h)));
        }

        s = vdupq_n_s32(vaddvq_s32(vshrq_n_s32(s, 2)));
        s = vshlq_s32(vaddq_s32(s, round), shift);

        *dst++ = vget_lane_s16(vqmovn_s32(s), 0);
    }
}

#endif


vb_resampler_kernel_pt
vb_resampler_kernel(void)
{
#if (VB_RESAMPLER_X86)

    return __builtin_cpu_supports("avx2") ? vb_resampler_kernel_avx2
                                          : vb_resampler_kernel_sse2;

#elif (VB_RESAMPLER_NEON)

    return vb_resampler_kernel_neon;

#else

    return vb_resampler_kernel_portable;

#endif
}
