
/* What a stream of samples remembers between two pieces of input */


#include <vb_resampler_kernel.h>


void
vb_resampler_init(vb_resampler_t *rs, const vb_resampler_filter_t *filter)
{
    memset(rs, 0, sizeof(vb_resampler_t));

    rs->filter = filter;
    rs->n = filter->taps - 1;
}


/*
 * That is exactly those whose newest sample is among the n: on the grid of
 * phases they lie from rs->phase on, step apart.
 */

size_t
vb_resampler_bound(const vb_resampler_t *rs, size_t n)
{
    uint64_t                      last;
    const vb_resampler_filter_t  *filter;

    if (n <= rs->skip) {
        return 0;
    }

    filter = rs->filter;
    last = (uint64_t) (n - rs->skip) * filter->phases - 1;

    return (last - rs->phase) / filter->step + 1;
}


size_t
vb_resampler_process(vb_resampler_t *rs, int16_t *dst, const int16_t *src,
    size_t n)
{
    size_t                        due, take;
    int16_t                      *out;
    int16_t                       window[VB_RESAMPLER_HISTORY
                                         + VB_RESAMPLER_BLOCK];
    uint64_t                      next;
    const vb_resampler_filter_t  *filter;

    out = dst;
    filter = rs->filter;

    while (n) {
        take = vb_min(n, VB_RESAMPLER_BLOCK);

        memcpy(window, rs->history, rs->n * sizeof(int16_t));
        memcpy(window + rs->n, src, take * sizeof(int16_t));

        due = vb_resampler_bound(rs, take);

        if (due) {
            filter->kernel(out, window + rs->skip, filter, rs->phase, due);
            out += due;
        }

        memcpy(rs->history, window + take, rs->n * sizeof(int16_t));

        next = rs->phase + (uint64_t) due * filter->step;

        rs->skip += next / filter->phases - take;
        rs->phase = next % filter->phases;

        src += take;
        n -= take;
    }

    return out - dst;
}
