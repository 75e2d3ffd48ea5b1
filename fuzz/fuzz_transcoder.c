
/*
 * Any bytes through any direction: the whole at once, and by the portable
 * kernel in pieces, must be the same and as long as was said.
 */


#include <stdlib.h>

#include <vb_resampler_kernel.h>
#include <vb_transcoder.h>


#define check(cond)  do { if (!(cond)) { abort(); } } while (0)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const vb_audio_format_t  formats[] = {
    { VB_AUDIO_ULAW, 8000 },
    { VB_AUDIO_PCM, 8000 },
    { VB_AUDIO_PCM, 16000 },
    { VB_AUDIO_PCM, 22050 },
    { VB_AUDIO_PCM, 24000 },
    { VB_AUDIO_PCM, 44100 },
    { VB_AUDIO_PCM, 48000 }
};


/* in an area of just the size that was promised */

static u_char *
transcode(vb_transcoder_t *tc, const uint8_t *data, size_t size, size_t *n)
{
    u_char  *src, *dst;
    size_t   bound;

    bound = vb_transcoder_bound(tc, size);

    src = malloc(size ? size : 1);
    dst = malloc(bound ? bound : 1);
    check(src != NULL && dst != NULL);

    memcpy(src, data, size);

    *n = vb_transcode(tc, dst, src, size);
    check(*n == bound);

    free(src);

    return dst;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                        n, have, take, part;
    u_char                       *whole, *piece;
    uint32_t                      cut;
    vb_transcoder_t               tc;
    vb_resampler_filter_t         filter;
    const vb_audio_format_t      *from, *to;

    static vb_resampler_bank_t   *bank;

    if (bank == NULL) {
        bank = vb_resampler_bank_create();
    }

    if (size < 3) {
        return 0;
    }

    from = &formats[data[0] % 7];
    to = &formats[data[0] / 7 % 7];
    cut = data[1] << 8 | data[2];
    data += 3;
    size -= 3;

    if (vb_transcoder_init(&tc, bank, from, to) != VB_OK) {
        check(from->codec == VB_AUDIO_PCM && to->codec == VB_AUDIO_PCM);
        return 0;
    }

    whole = transcode(&tc, data, size, &n);

    if (tc.resampler.filter) {
        filter = *tc.resampler.filter;
        filter.kernel = vb_resampler_kernel_portable;
        tc.resampler.filter = &filter;
    }

    vb_transcoder_reset(&tc);

    for (have = 0; size; size -= take, data += take) {
        cut = cut * 1664525 + 1013904223;

        take = (cut & 0x80000000) ? cut >> 20 & 0x3ff : cut >> 28 & 0x07;
        take = vb_min(take, size);

        piece = transcode(&tc, data, take, &part);

        check(have + part <= n && memcmp(whole + have, piece, part) == 0);
        have += part;

        free(piece);
    }

    check(have == n);

    free(whole);

    return 0;
}
