
/* The inner loop of the resampler for SSE2, which all have, and AVX2 */


#include <vb_resampler_walk.h>

#if (VB_RESAMPLER_X86)

#include <immintrin.h>


#define vb_avx2         __attribute__((target("avx2")))
#define vb_avx2_inline  static inline __attribute__((target("avx2"),          \
                                                     always_inline))

/* taps of a phase in the filters upwards */
#define VB_RESAMPLER_UP_TAPS  48


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


#define load(p)     _mm_loadu_si128((const __m128i *) (p))
#define taps(p)     _mm_load_si128((const __m128i *) (p))
#define madd(x, h)  _mm_madd_epi16(x, h)
#define add(a, b)   _mm_add_epi32(a, b)


/*
 * Any filter.  Loads are what this costs.  One of a single phase has the same
 * taps for all outputs: the compiler is told by a constant, and loads them
 * once for four.
 */

static inline __attribute__((always_inline)) void
vb_resampler_any_sse2(int16_t *dst, const int16_t *x,
    const vb_resampler_filter_t *filter, uint32_t phase, size_t n, int single)
{
    __m128i              a, b, c, d;
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

        a = b = c = d = _mm_setzero_si128();

        for (k = 0; k < w.taps; k += 8) {
            a = add(a, madd(load(at[0].x + k), taps(at[0].h + k)));
            b = add(b, madd(load(at[1].x + k), taps(at[1].h + k)));
            c = add(c, madd(load(at[2].x + k), taps(at[2].h + k)));
            d = add(d, madd(load(at[3].x + k), taps(at[3].h + k)));
        }

        vb_resampler_store_sse2(dst, a, b, c, d, filter->shift);
        dst += 4;
    }

    vb_resampler_kernel_portable(dst, w.x, filter, w.phase, n);
}


/*
 * As many outputs as there are phases, and as many again: those that are so
 * far apart have the same taps.  There are an even number of phases.
 */

static void
vb_resampler_turn_sse2(int16_t *dst, vb_resampler_walk_t *w,
    const vb_resampler_filter_t *filter)
{
    __m128i            a, b, c, d, h;
    int16_t            y[4];
    uint32_t           i, k, step;
    vb_resampler_at_t  at[2];

    step = filter->step;

    for (i = 0; i < filter->phases; i += 2) {
        at[0] = vb_resampler_next(w);
        at[1] = vb_resampler_next(w);

        a = b = c = d = _mm_setzero_si128();

        for (k = 0; k < w->taps; k += 8) {
            h = taps(at[0].h + k);
            a = add(a, madd(load(at[0].x + k), h));
            c = add(c, madd(load(at[0].x + step + k), h));

            h = taps(at[1].h + k);
            b = add(b, madd(load(at[1].x + k), h));
            d = add(d, madd(load(at[1].x + step + k), h));
        }

        vb_resampler_store_sse2(y, a, b, c, d, filter->shift);

        memcpy(dst + i, y, 2 * sizeof(int16_t));
        memcpy(dst + i + filter->phases, y + 2, 2 * sizeof(int16_t));
    }

    w->x += step;
}


static void
vb_resampler_turns_sse2(int16_t *dst, const int16_t *x,
    const vb_resampler_filter_t *filter, uint32_t phase, size_t n)
{
    size_t               turn;
    vb_resampler_walk_t  w;

    turn = 2 * filter->phases;

    vb_resampler_walk(&w, x, filter, phase);

    for ( /* void */ ; n >= turn; n -= turn) {
        vb_resampler_turn_sse2(dst, &w, filter);
        dst += turn;
    }

    vb_resampler_any_sse2(dst, w.x, filter, w.phase, n, 0);
}


/*
 * Upwards, with phases of 48 taps: outputs in a row that differ only by their
 * phase have the same input, which stays in six registers.
 */

typedef struct {
    const int16_t  *x;
    uint32_t        phase;
    __m128i         x0;
    __m128i         x1;
    __m128i         x2;
    __m128i         x3;
    __m128i         x4;
    __m128i         x5;
} vb_resampler_up_sse2_t;


static inline void
vb_resampler_up_load_sse2(vb_resampler_up_sse2_t *up)
{
    up->x0 = load(up->x);
    up->x1 = load(up->x + 8);
    up->x2 = load(up->x + 16);
    up->x3 = load(up->x + 24);
    up->x4 = load(up->x + 32);
    up->x5 = load(up->x + 40);
}


static inline __m128i
vb_resampler_up_next_sse2(vb_resampler_up_sse2_t *up,
    const vb_resampler_filter_t *filter)
{
    __m128i         s;
    const int16_t  *h;

    if (up->phase >= filter->phases) {
        up->phase -= filter->phases;
        up->x++;

        vb_resampler_up_load_sse2(up);
    }

    h = filter->coefficients + up->phase * VB_RESAMPLER_UP_TAPS;
    up->phase += filter->step;

    s = add(madd(up->x0, taps(h)), madd(up->x1, taps(h + 8)));
    s = add(s, add(madd(up->x2, taps(h + 16)), madd(up->x3, taps(h + 24))));

    return add(s, add(madd(up->x4, taps(h + 32)), madd(up->x5, taps(h + 40))));
}


static void
vb_resampler_up_sse2(int16_t *dst, const int16_t *x,
    const vb_resampler_filter_t *filter, uint32_t phase, size_t n)
{
    __m128i                 a, b, c, d;
    vb_resampler_up_sse2_t  up;

    up.x = x;
    up.phase = phase;

    vb_resampler_up_load_sse2(&up);

    for ( /* void */ ; n >= 4; n -= 4) {
        a = vb_resampler_up_next_sse2(&up, filter);
        b = vb_resampler_up_next_sse2(&up, filter);
        c = vb_resampler_up_next_sse2(&up, filter);
        d = vb_resampler_up_next_sse2(&up, filter);

        vb_resampler_store_sse2(dst, a, b, c, d, filter->shift);
        dst += 4;
    }

    if (up.phase >= filter->phases) {
        up.phase -= filter->phases;
        up.x++;
    }

    vb_resampler_kernel_portable(dst, up.x, filter, up.phase, n);
}


#undef load
#undef taps
#undef madd
#undef add


void
vb_resampler_kernel_sse2(int16_t *dst, const int16_t *x,
    const vb_resampler_filter_t *filter, uint32_t phase, size_t n)
{
    if (filter->phases == 1) {
        vb_resampler_any_sse2(dst, x, filter, phase, n, 1);

    } else if (filter->taps == VB_RESAMPLER_UP_TAPS) {
        vb_resampler_up_sse2(dst, x, filter, phase, n);

    } else {
        vb_resampler_turns_sse2(dst, x, filter, phase, n);
    }
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
