
/*
 * RIFF WAVE: chunks of four letters and a length, little-endian, padded to an
 * even one; "fmt " says what "data" is (Microsoft, Multimedia Programming
 * Interface and Data Specifications 1.0).
 */


#include <vb_wav.h>
#include <vb_g711.h>
#include <vb_transcoder.h>

#include <errno.h>
#include <stdlib.h>


#define VB_WAV_PCM         1
#define VB_WAV_EXTENSIBLE  0xfffe
#define VB_WAV_HEADER      44

/* samples that are converted at a time */
#define VB_WAV_BLOCK       800

#define vb_wav_16(p)  ((uint32_t) (p)[0] | (uint32_t) (p)[1] << 8)
#define vb_wav_32(p)  (vb_wav_16(p) | vb_wav_16((p) + 2) << 16)


typedef struct {
    uint32_t         codec;
    uint32_t         channels;
    uint32_t         rate;
    uint32_t         bits;
    vb_str_t         data;
} vb_wav_parts_t;


static int vb_wav_parts(const vb_str_t *file, vb_wav_parts_t *parts,
    const char **why);
static int vb_wav_convert(const vb_wav_parts_t *parts, vb_text_t *ulaw,
    const char **why);
static size_t vb_wav_mix(u_char *dst, const vb_wav_parts_t *parts,
    size_t from, size_t n);
static void vb_wav_put_32(u_char *p, uint32_t n);
static void vb_wav_header(u_char header[VB_WAV_HEADER], uint32_t bytes);


int
vb_wav_read(const char *name, vb_text_t *ulaw, const char **why)
{
    int        rc;
    vb_str_t   bytes;
    vb_text_t  file;

    memset(&file, 0, sizeof(vb_text_t));

    if (vb_file_read(name, VB_WAV_MAX_FILE, &file) != VB_OK) {
        *why = strerror(errno);
        vb_text_free(&file);
        return VB_ERROR;
    }

    bytes.data = file.data;
    bytes.len = file.len;

    rc = vb_wav_parse(&bytes, ulaw, why);

    vb_text_free(&file);

    return rc;
}


int
vb_wav_parse(const vb_str_t *file, vb_text_t *ulaw, const char **why)
{
    vb_wav_parts_t  parts;

    if (vb_wav_parts(file, &parts, why) != VB_OK) {
        return VB_ERROR;
    }

    if (parts.codec != VB_WAV_PCM || parts.bits != 16
        || parts.channels < 1 || parts.channels > 2)
    {
        *why = "not 16-bit PCM of one channel or two";
        return VB_ERROR;
    }

    return vb_wav_convert(&parts, ulaw, why);
}


static int
vb_wav_parts(const vb_str_t *file, vb_wav_parts_t *parts, const char **why)
{
    size_t         len;
    const u_char  *p, *end;

    memset(parts, 0, sizeof(vb_wav_parts_t));

    p = file->data;
    end = p + file->len;

    if (file->len < 12 || memcmp(p, "RIFF", 4) != 0
        || memcmp(p + 8, "WAVE", 4) != 0)
    {
        *why = "not a WAV file";
        return VB_ERROR;
    }

    for (p += 12; end - p >= 8; p += vb_min(len + (len & 1),
                                            (size_t) (end - p)))
    {
        len = vb_wav_32(p + 4);

        if (memcmp(p, "data", 4) == 0) {
            p += 8;

            /* who wrote it to a pipe did not know its length */

            parts->data.data = (u_char *) p;
            parts->data.len = vb_min(len, (size_t) (end - p));
            break;
        }

        if (memcmp(p, "fmt ", 4) == 0 && len >= 16 && end - p >= 24) {
            parts->codec = vb_wav_16(p + 8);
            parts->channels = vb_wav_16(p + 10);
            parts->rate = vb_wav_32(p + 12);
            parts->bits = vb_wav_16(p + 22);

            if (parts->codec == VB_WAV_EXTENSIBLE && len >= 26
                && end - p >= 34)
            {
                parts->codec = vb_wav_16(p + 32);
            }
        }

        p += 8;
    }

    if (parts->rate == 0 || parts->data.data == NULL) {
        *why = "a WAV file without its format or its samples";
        return VB_ERROR;
    }

    return VB_OK;
}


static int
vb_wav_convert(const vb_wav_parts_t *parts, vb_text_t *ulaw, const char **why)
{
    u_char                        pcm[2 * VB_WAV_BLOCK], *out;
    size_t                        at, n, size;
    vb_transcoder_t               tc;
    vb_audio_format_t             from;

    static vb_resampler_bank_t   *bank;

    from.codec = VB_AUDIO_PCM;
    from.rate = parts->rate;

    /* its filters take longer than most files: all have the same ones */

    if (bank == NULL) {
        bank = vb_resampler_bank_create();
    }

    if (bank == NULL) {
        *why = "no memory";
        return VB_ERROR;
    }

    if (vb_transcoder_init(&tc, bank, &from, &vb_audio_ulaw_8000) != VB_OK) {
        *why = "its rate is none of 8000, 16000, 22050, 24000, 44100 and "
               "48000 Hz";
        return VB_ERROR;
    }

    size = parts->data.len / (2 * parts->channels);
    out = vb_alloc(vb_transcoder_bound(&tc, sizeof(pcm)));

    for (at = 0; at < size; at += VB_WAV_BLOCK) {
        n = vb_wav_mix(pcm, parts, at, vb_min(size - at, VB_WAV_BLOCK));
        vb_text_add(ulaw, out, vb_transcode(&tc, out, pcm, n));
    }

    free(out);

    return VB_OK;
}


/* n samples of one channel, little-endian; their bytes */

static size_t
vb_wav_mix(u_char *dst, const vb_wav_parts_t *parts, size_t from, size_t n)
{
    size_t         i;
    int32_t        sample;
    const u_char  *p;

    for (i = 0; i < n; i++) {
        p = parts->data.data + (from + i) * 2 * parts->channels;

        sample = (int16_t) vb_wav_16(p);

        if (parts->channels == 2) {
            sample = (sample + (int16_t) vb_wav_16(p + 2)) / 2;
        }

        dst[2 * i] = sample & 0xff;
        dst[2 * i + 1] = (sample >> 8) & 0xff;
    }

    return 2 * n;
}


static void
vb_wav_put_32(u_char *p, uint32_t n)
{
    p[0] = n & 0xff;
    p[1] = (n >> 8) & 0xff;
    p[2] = (n >> 16) & 0xff;
    p[3] = n >> 24;
}


static void
vb_wav_header(u_char header[VB_WAV_HEADER], uint32_t bytes)
{
    memcpy(header, "RIFF....WAVEfmt ", 16);
    vb_wav_put_32(header + 4, bytes + VB_WAV_HEADER - 8);
    vb_wav_put_32(header + 16, 16);
    vb_wav_put_32(header + 20, VB_WAV_PCM | 1 << 16);
    vb_wav_put_32(header + 24, 8000);
    vb_wav_put_32(header + 28, 16000);
    vb_wav_put_32(header + 32, 2 | 16 << 16);
    memcpy(header + 36, "data", 4);
    vb_wav_put_32(header + 40, bytes);
}


int
vb_wav_create(vb_wav_t *wav, const char *name)
{
    u_char  header[VB_WAV_HEADER];

    wav->bytes = 0;
    wav->file = fopen(name, "wb");

    if (wav->file == NULL) {
        return VB_ERROR;
    }

    vb_wav_header(header, 0);

    return fwrite(header, sizeof(header), 1, wav->file) == 1 ? VB_OK
                                                             : VB_ERROR;
}


int
vb_wav_write(vb_wav_t *wav, const u_char *ulaw, size_t n)
{
    size_t   i, len;
    u_char   bytes[2 * VB_WAV_BLOCK];
    int16_t  samples[VB_WAV_BLOCK];

    for ( /* void */ ; n; n -= len) {
        len = vb_min(n, VB_WAV_BLOCK);

        vb_g711_ulaw_decode(samples, ulaw, len);

        for (i = 0; i < len; i++) {
            bytes[2 * i] = samples[i] & 0xff;
            bytes[2 * i + 1] = (samples[i] >> 8) & 0xff;
        }

        if (fwrite(bytes, 2, len, wav->file) != len) {
            return VB_ERROR;
        }

        wav->bytes += 2 * len;
        ulaw += len;
    }

    return VB_OK;
}


/* the lengths in its header are known now */

int
vb_wav_close(vb_wav_t *wav)
{
    int     rc;
    u_char  header[VB_WAV_HEADER];

    vb_wav_header(header, wav->bytes);

    rc = fseek(wav->file, 0, SEEK_SET) == 0
         && fwrite(header, sizeof(header), 1, wav->file) == 1 ? VB_OK
                                                              : VB_ERROR;

    if (fclose(wav->file) != 0) {
        rc = VB_ERROR;
    }

    return rc;
}
