
/* The resamplers that are measured: ours by each kernel, and those of others */


#ifndef _RESAMPLERS_H_INCLUDED_
#define _RESAMPLERS_H_INCLUDED_


#include <stdlib.h>
#include <string.h>

#include <vb_resampler_kernel.h>

#if (HAVE_SPEEXDSP)
#include <speex/speex_resampler.h>
#endif

#if (HAVE_SOXR)
#include <soxr.h>
#endif

#if (HAVE_SAMPLERATE)
#include <samplerate.h>
#endif


/* samples that one of them takes or gives at a time, at most */
#define BENCH_LONGEST  48000


typedef struct bench_s  bench_t;

struct bench_s {
    const char                   *name;
    void                       *(*start)(bench_t *b);
    size_t                      (*run)(bench_t *b, int16_t *dst,
                                       const int16_t *src, size_t n);
    void                        (*stop)(void *state);
    vb_resampler_kernel_pt        kernel;

    unsigned                      in_rate;
    unsigned                      out_rate;
    void                         *state;
};


/* of our filters */
static vb_resampler_bank_t  *bank;


/* ours, by one kernel */

typedef struct {
    vb_resampler_t                resampler;
    vb_resampler_filter_t         filter;
} bench_own_t;


static void *
own_start(bench_t *b)
{
    bench_own_t  *own;

    own = malloc(sizeof(bench_own_t));

    own->filter = *vb_resampler_filter(bank, b->in_rate, b->out_rate);
    own->filter.kernel = b->kernel;

    vb_resampler_init(&own->resampler, &own->filter);

    return own;
}


static size_t
own_run(bench_t *b, int16_t *dst, const int16_t *src, size_t n)
{
    bench_own_t  *own = b->state;

    return vb_resampler_process(&own->resampler, dst, src, n);
}


#if (HAVE_SPEEXDSP)

static void *
speex_start(bench_t *b)
{
    return speex_resampler_init(1, b->in_rate, b->out_rate, 7, NULL);
}


static size_t
speex_run(bench_t *b, int16_t *dst, const int16_t *src, size_t n)
{
    spx_uint32_t  in_len, out_len;

    in_len = n;
    out_len = BENCH_LONGEST;

    speex_resampler_process_int(b->state, 0, src, &in_len, dst, &out_len);

    return out_len;
}


static void
speex_stop(void *state)
{
    speex_resampler_destroy(state);
}

#endif


#if (HAVE_SOXR)

static void *
sox_start(bench_t *b)
{
    soxr_io_spec_t       io;
    soxr_quality_spec_t  quality;

    io = soxr_io_spec(SOXR_INT16_I, SOXR_INT16_I);
    quality = soxr_quality_spec(SOXR_MQ, 0);

    return soxr_create(b->in_rate, b->out_rate, 1, NULL, &io, &quality, NULL);
}


static size_t
sox_run(bench_t *b, int16_t *dst, const int16_t *src, size_t n)
{
    size_t  done;

    soxr_process(b->state, src, n, NULL, dst, BENCH_LONGEST, &done);

    return done;
}


static void
sox_stop(void *state)
{
    soxr_delete(state);
}

#endif


#if (HAVE_SAMPLERATE)

static void *
src_start(bench_t *b)
{
    int  error;

    return src_new(SRC_SINC_FASTEST, 1, &error);
}


static size_t
src_run(bench_t *b, int16_t *dst, const int16_t *src, size_t n)
{
    SRC_DATA      data;
    static float  from[BENCH_LONGEST], to[BENCH_LONGEST];

    src_short_to_float_array(src, from, n);

    memset(&data, 0, sizeof(SRC_DATA));
    data.data_in = from;
    data.input_frames = n;
    data.data_out = to;
    data.output_frames = BENCH_LONGEST;
    data.src_ratio = (double) b->out_rate / b->in_rate;

    src_process(b->state, &data);
    src_float_to_short_array(to, dst, data.output_frames_gen);

    return data.output_frames_gen;
}


static void
src_stop(void *state)
{
    src_delete(state);
}

#endif


static bench_t  benches[] = {
#if (VB_RESAMPLER_X86)
    { "avx2", own_start, own_run, free, vb_resampler_kernel_avx2, 0, 0, NULL },
    { "sse2", own_start, own_run, free, vb_resampler_kernel_sse2, 0, 0, NULL },
#endif
#if (VB_RESAMPLER_NEON)
    { "neon", own_start, own_run, free, vb_resampler_kernel_neon, 0, 0, NULL },
#endif
    { "portable", own_start, own_run, free, vb_resampler_kernel_portable,
      0, 0, NULL },
#if (HAVE_SPEEXDSP)
    { "speexdsp 7", speex_start, speex_run, speex_stop, NULL, 0, 0, NULL },
#endif
#if (HAVE_SOXR)
    { "soxr MQ", sox_start, sox_run, sox_stop, NULL, 0, 0, NULL },
#endif
#if (HAVE_SAMPLERATE)
    { "libsamplerate", src_start, src_run, src_stop, NULL, 0, 0, NULL },
#endif
    { NULL, NULL, NULL, NULL, NULL, 0, 0, NULL }
};


#endif /* _RESAMPLERS_H_INCLUDED_ */
