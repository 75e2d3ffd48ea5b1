
/*
 * One direction of a call: bytes of one ElevenLabs or Twilio audio format
 * to bytes of another.  One side is always mu-law at 8 kHz.
 */


#ifndef _VB_TRANSCODER_H_INCLUDED_
#define _VB_TRANSCODER_H_INCLUDED_


#include <vb_resampler.h>


typedef enum {
    VB_AUDIO_ULAW = 0,
    VB_AUDIO_PCM                       /* signed 16 bit, little-endian */
} vb_audio_codec_t;


typedef struct {
    vb_audio_codec_t   codec;
    unsigned           rate;           /* Hz, one channel */
} vb_audio_format_t;


typedef struct {
    vb_audio_format_t  from;
    vb_audio_format_t  to;
    vb_resampler_t     resampler;      /* filter NULL where rates are equal */
    unsigned           odd:1;          /* half a PCM sample is held */
    uint8_t            half;
} vb_transcoder_t;


extern const vb_audio_format_t  vb_audio_ulaw_8000;


/*
 * Reads a format's name, "ulaw_8000" or "pcm_" and one of 8000, 16000,
 * 22050, 24000, 44100, 48000 (ElevenLabs ASRInputFormat, TTSOutputFormat).
 * VB_OK, or VB_DECLINED for any other name.
 */
int vb_audio_format_parse(vb_audio_format_t *format, const vb_str_t *name);


/* bytes that one second of the format takes */
size_t vb_audio_bytes_per_second(const vb_audio_format_t *format);


/*
 * Prepares a direction.  VB_OK, or VB_DECLINED when neither side is mu-law
 * at 8 kHz or the bank has no filter for the pair.
 */
int vb_transcoder_init(vb_transcoder_t *tc, const vb_resampler_bank_t *bank,
    const vb_audio_format_t *from, const vb_audio_format_t *to);


/* forgets the past, as before the first byte: after an interruption */
void vb_transcoder_reset(vb_transcoder_t *tc);


/* true when bytes pass unchanged, so base64 text may pass untouched */
#define vb_transcoder_passthrough(tc)                                         \
    ((tc)->from.codec == (tc)->to.codec && (tc)->from.rate == (tc)->to.rate)


/* most bytes that n more input bytes can give */
size_t vb_transcoder_bound(const vb_transcoder_t *tc, size_t n);


/*
 * Takes all n bytes at src, writes what has become due to dst (aligned in
 * no way) and returns its length, at most vb_transcoder_bound(tc, n).  The
 * output is the same however the input is cut, even within a sample.  No
 * overlap, no allocation.
 */
size_t vb_transcode(vb_transcoder_t *tc, u_char *dst, const u_char *src,
    size_t n);


#endif /* _VB_TRANSCODER_H_INCLUDED_ */
