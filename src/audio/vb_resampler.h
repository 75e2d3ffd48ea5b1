
/*
 * A streaming polyphase FIR resampler between 8 kHz and the PCM rates an
 * ElevenLabs agent speaks: 16, 22.05, 24, 44.1 and 48 kHz, either way.
 */


#ifndef _VB_RESAMPLER_H_INCLUDED_
#define _VB_RESAMPLER_H_INCLUDED_


#include <vb_core.h>


/* longest filter history of any pair, in input samples */
#define VB_RESAMPLER_HISTORY  512

/* most input samples taken by one internal step: 20 ms at 48000 Hz */
#define VB_RESAMPLER_BLOCK    960


/* the filters of all ten pairs: read-only once made, shared by all calls */
typedef struct vb_resampler_bank_s    vb_resampler_bank_t;

/* the filter of one pair */
typedef struct vb_resampler_filter_s  vb_resampler_filter_t;


/* what one direction of one call remembers; plain data, no destructor */
typedef struct {
    const vb_resampler_filter_t  *filter;
    uint32_t                      phase;
    uint32_t                      skip;     /* input samples to step over */
    uint32_t                      n;        /* samples in history */
    int16_t                       history[VB_RESAMPLER_HISTORY];
} vb_resampler_t;


/*
 * Designs the filters (Kaiser-windowed sinc, pass band to 3.4 kHz, stop band
 * from 4.2 kHz) and returns them, or NULL without memory.  Takes
 * milliseconds: meant for configuration time.
 */
vb_resampler_bank_t *vb_resampler_bank_create(void);
void vb_resampler_bank_destroy(vb_resampler_bank_t *bank);


/*
 * The filter from in_rate to out_rate in Hz, one of them 8000; NULL for a
 * pair the bank does not have.  Owned by the bank.
 */
const vb_resampler_filter_t *vb_resampler_filter(
    const vb_resampler_bank_t *bank, unsigned in_rate, unsigned out_rate);


/* group delay of a filter in microseconds */
unsigned vb_resampler_delay(const vb_resampler_filter_t *filter);


/* starts, or starts again, in silence */
void vb_resampler_init(vb_resampler_t *rs, const vb_resampler_filter_t *filter);


/* most samples that n more input samples can give */
size_t vb_resampler_bound(const vb_resampler_t *rs, size_t n);


/*
 * Takes all n samples at src, writes to dst the samples that have become
 * due and returns their number, at most vb_resampler_bound(rs, n).  The
 * output is the same to the bit however the input is cut.  No overlap.
 */
size_t vb_resampler_process(vb_resampler_t *rs, int16_t *dst,
    const int16_t *src, size_t n);


#endif /* _VB_RESAMPLER_H_INCLUDED_ */
