
/*
 * Inside of the resampler: what a filter is, and the inner loop in portable C
 * and for the vector units.  For vb_resampler*.c and their tests only.
 */


#ifndef _VB_RESAMPLER_KERNEL_H_INCLUDED_
#define _VB_RESAMPLER_KERNEL_H_INCLUDED_


#include <vb_resampler.h>

/* -DVB_PORTABLE: as on machines without a vector unit, for tests */
#if (__x86_64__ && !VB_PORTABLE)
#define VB_RESAMPLER_X86   1
#elif (__ARM_NEON && __aarch64__ && !VB_PORTABLE)
#define VB_RESAMPLER_NEON  1
#endif


/* taps are a multiple of this, so that no kernel has a remainder */
#define VB_RESAMPLER_TAPS_ALIGN  16


/*
 * Writes n output samples, at least one, to dst.  x is where the oldest input
 * sample of the first one lies, phase is its phase.
 *
 * All kernels give the same to the bit, by this definition of a sample:
 *
 *     s[j] = sum of x[k] * h[k] over taps k with k / 2 % 4 = j, j = 0 to 3
 *     y    = ((s[0] >> 2) + ... + (s[3] >> 2) + 2^(shift - 3)) >> (shift - 2)
 *
 * clipped to 16 bits.  The design makes sure that no s[j] exceeds 32 bits,
 * so the order within the sums does not matter.
 */
typedef void (*vb_resampler_kernel_pt)(int16_t *dst, const int16_t *x,
    const vb_resampler_filter_t *filter, uint32_t phase, size_t n);


/*
 * Output sample m lies at m * step / phases input samples.  Its newest input
 * is the whole part of that, its phase the numerator of the rest.
 */
struct vb_resampler_filter_s {
    uint32_t                 in_rate;
    uint32_t                 out_rate;

    uint32_t                 phases;
    uint32_t                 step;
    uint32_t                 taps;          /* of one phase */
    uint32_t                 shift;         /* they sum to 2^shift */

    vb_resampler_kernel_pt   kernel;
    const int16_t           *coefficients;  /* [phases][taps], oldest first */
};


/* the fastest kernel for this CPU */
vb_resampler_kernel_pt vb_resampler_kernel(void);


void vb_resampler_kernel_portable(int16_t *dst, const int16_t *x,
    const vb_resampler_filter_t *filter, uint32_t phase, size_t n);

#if (VB_RESAMPLER_X86)
void vb_resampler_kernel_sse2(int16_t *dst, const int16_t *x,
    const vb_resampler_filter_t *filter, uint32_t phase, size_t n);
void vb_resampler_kernel_avx2(int16_t *dst, const int16_t *x,
    const vb_resampler_filter_t *filter, uint32_t phase, size_t n);
#endif

#if (VB_RESAMPLER_NEON)
void vb_resampler_kernel_neon(int16_t *dst, const int16_t *x,
    const vb_resampler_filter_t *filter, uint32_t phase, size_t n);
#endif


#endif /* _VB_RESAMPLER_KERNEL_H_INCLUDED_ */
