
/* Inside of the kernels: from one output sample to the next */


#ifndef _VB_RESAMPLER_WALK_H_INCLUDED_
#define _VB_RESAMPLER_WALK_H_INCLUDED_


#include <vb_resampler_kernel.h>


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


/* starts at an output sample whose oldest input is at x, of a phase */
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


/* where this output sample's input and taps are; goes on to the next */
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


#endif /* _VB_RESAMPLER_WALK_H_INCLUDED_ */
