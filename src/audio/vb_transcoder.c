
/*
 * mu-law to PCM and back, over the resampler where the rates differ.  A piece
 * goes through in steps of 20 ms, so that what one stage writes is still in
 * the first cache when the next one reads it, and the stack stays small.
 */


#include <vb_transcoder.h>
#include <vb_g711.h>


/* samples of 20 ms at 8000 Hz, and at 48000 Hz */
#define VB_TRANSCODER_ULAW  160
#define VB_TRANSCODER_PCM   960


typedef struct {
    vb_str_t           name;
    vb_audio_format_t  format;
} vb_audio_format_name_t;


static int vb_audio_is_line(const vb_audio_format_t *format);
static size_t vb_transcode_to_pcm(vb_transcoder_t *tc, u_char *dst,
    const u_char *src, size_t n);
static size_t vb_transcode_to_ulaw(vb_transcoder_t *tc, u_char *dst,
    const u_char *src, size_t n);
static void vb_transcoder_order(int16_t *pcm, size_t n);


const vb_audio_format_t  vb_audio_ulaw_8000 = { VB_AUDIO_ULAW, 8000 };


static const vb_audio_format_name_t  vb_audio_format_names[] = {
    { vb_str("ulaw_8000"), { VB_AUDIO_ULAW, 8000 } },
    { vb_str("pcm_8000"), { VB_AUDIO_PCM, 8000 } },
    { vb_str("pcm_16000"), { VB_AUDIO_PCM, 16000 } },
    { vb_str("pcm_22050"), { VB_AUDIO_PCM, 22050 } },
    { vb_str("pcm_24000"), { VB_AUDIO_PCM, 24000 } },
    { vb_str("pcm_44100"), { VB_AUDIO_PCM, 44100 } },
    { vb_str("pcm_48000"), { VB_AUDIO_PCM, 48000 } }
};


int
vb_audio_format_parse(vb_audio_format_t *format, const vb_str_t *name)
{
    size_t                         i, n;
    const vb_audio_format_name_t  *known;

    n = sizeof(vb_audio_format_names) / sizeof(vb_audio_format_names[0]);

    for (i = 0; i < n; i++) {
        known = &vb_audio_format_names[i];

        if (name->len == known->name.len
            && memcmp(name->data, known->name.data, name->len) == 0)
        {
            *format = known->format;
            return VB_OK;
        }
    }

    return VB_DECLINED;
}


size_t
vb_audio_bytes_per_second(const vb_audio_format_t *format)
{
    return (format->codec == VB_AUDIO_PCM) ? format->rate * sizeof(int16_t)
                                           : format->rate;
}


int
vb_transcoder_init(vb_transcoder_t *tc, const vb_resampler_bank_t *bank,
    const vb_audio_format_t *from, const vb_audio_format_t *to)
{
    const vb_audio_format_t      *other;
    const vb_resampler_filter_t  *filter;

    if (vb_audio_is_line(from)) {
        other = to;

    } else if (vb_audio_is_line(to)) {
        other = from;

    } else {
        return VB_DECLINED;
    }

    filter = NULL;

    if (other->rate != vb_audio_ulaw_8000.rate) {

        if (other->codec != VB_AUDIO_PCM || bank == NULL) {
            return VB_DECLINED;
        }

        filter = vb_resampler_filter(bank, from->rate, to->rate);

        if (filter == NULL) {
            return VB_DECLINED;
        }
    }

    memset(tc, 0, sizeof(vb_transcoder_t));

    tc->from = *from;
    tc->to = *to;
    tc->resampler.filter = filter;

    vb_transcoder_reset(tc);

    return VB_OK;
}


void
vb_transcoder_reset(vb_transcoder_t *tc)
{
    tc->odd = 0;

    if (tc->resampler.filter) {
        vb_resampler_init(&tc->resampler, tc->resampler.filter);
    }
}


size_t
vb_transcoder_bound(const vb_transcoder_t *tc, size_t n)
{
    if (tc->from.codec == VB_AUDIO_PCM) {
        n = n / 2 + (n % 2 + tc->odd) / 2;
    }

    if (tc->resampler.filter) {
        n = vb_resampler_bound(&tc->resampler, n);
    }

    return (tc->to.codec == VB_AUDIO_PCM) ? n * sizeof(int16_t) : n;
}


size_t
vb_transcode(vb_transcoder_t *tc, u_char *dst, const u_char *src, size_t n)
{
    if (n == 0) {
        return 0;
    }

    if (vb_transcoder_passthrough(tc)) {
        memcpy(dst, src, n);
        return n;
    }

    return (tc->from.codec == VB_AUDIO_ULAW)
               ? vb_transcode_to_pcm(tc, dst, src, n)
               : vb_transcode_to_ulaw(tc, dst, src, n);
}


static int
vb_audio_is_line(const vb_audio_format_t *format)
{
    return format->codec == vb_audio_ulaw_8000.codec
           && format->rate == vb_audio_ulaw_8000.rate;
}


static size_t
vb_transcode_to_pcm(vb_transcoder_t *tc, u_char *dst, const u_char *src,
    size_t n)
{
    size_t    take, due;
    u_char   *p;
    int16_t   line[VB_TRANSCODER_ULAW], pcm[VB_TRANSCODER_PCM], *out;

    p = dst;

    while (n) {
        take = vb_min(n, VB_TRANSCODER_ULAW);

        vb_g711_ulaw_decode(line, src, take);

        src += take;
        n -= take;

        if (tc->resampler.filter) {
            due = vb_resampler_process(&tc->resampler, pcm, line, take);
            out = pcm;

        } else {
            due = take;
            out = line;
        }

        vb_transcoder_order(out, due);

        memcpy(p, out, due * sizeof(int16_t));
        p += due * sizeof(int16_t);
    }

    return p - dst;
}


static size_t
vb_transcode_to_ulaw(vb_transcoder_t *tc, u_char *dst, const u_char *src,
    size_t n)
{
    size_t    take, have, due;
    u_char   *p, *bytes;
    int16_t   pcm[VB_TRANSCODER_PCM], line[VB_TRANSCODER_PCM], *out;

    p = dst;
    bytes = (u_char *) pcm;

    while (n) {
        have = 0;

        if (tc->odd) {
            bytes[have++] = tc->half;
        }

        take = vb_min(n, sizeof(pcm) - have);

        memcpy(bytes + have, src, take);
        have += take;

        src += take;
        n -= take;

        tc->odd = have % 2;

        if (tc->odd) {
            tc->half = bytes[have - 1];
        }

        have /= 2;

        vb_transcoder_order(pcm, have);

        if (tc->resampler.filter) {
            due = vb_resampler_process(&tc->resampler, line, pcm, have);
            out = line;

        } else {
            due = have;
            out = pcm;
        }

        vb_g711_ulaw_encode(p, out, due);
        p += due;
    }

    return p - dst;
}


/* between the wire's little-endian samples and the CPU's own */

static void
vb_transcoder_order(int16_t *pcm, size_t n)
{
#if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)

    while (n--) {
        *pcm = (int16_t) __builtin_bswap16((uint16_t) *pcm);
        pcm++;
    }

#endif
}
