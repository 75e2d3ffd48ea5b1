
/* The inner loop of the resampler, see vb_resampler_kernel.h */


#include <vb_resampler_walk.h>

#if (VB_RESAMPLER_NEON)
#include <arm_neon.h>
#endif


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
