
/* The transcoder: what the telephone's mu-law leaves of a tone in all formats
 * and directions, and that no way of cutting the bytes makes a difference */


#include <tap.h>
#include <guard.h>
#include <tone.h>
#include <vb_g711.h>
#include <vb_transcoder.h>


#define FORMATS    7

/* room for two seconds of the fastest format */
#define LONGEST    (2 * 96000 + 64)

/* -6 dB of full scale, where mu-law's own noise is 38 dB below */
#define AMPLITUDE  16000


static const char  *names[FORMATS] = {
    "ulaw_8000", "pcm_8000", "pcm_16000", "pcm_22050", "pcm_24000",
    "pcm_44100", "pcm_48000"
};

static vb_audio_format_t  formats[FORMATS];

static u_char   in[LONGEST], out[LONGEST], back[LONGEST], expected[LONGEST];
static int16_t  pcm[LONGEST / 2];


static void check_names(void);
static void check_pairs(const vb_resampler_bank_t *bank);
static void check_tones(const vb_resampler_bank_t *bank, int i, double hz);
static void check_images(const vb_resampler_bank_t *bank, int i);
static void check_aliases(const vb_resampler_bank_t *bank, int i);
static void check_levels(const vb_resampler_bank_t *bank, int i);
static void check_cuts(vb_transcoder_t *tc, const char *from, const char *to);
static void check_count(const vb_resampler_bank_t *bank, int i);
static size_t transcode(const vb_resampler_bank_t *bank, u_char *dst,
    const u_char *src, size_t n, const vb_audio_format_t *from,
    const vb_audio_format_t *to);
static size_t tone(u_char *dst, const vb_audio_format_t *format, double hz,
    double amplitude, double seconds);
static tone_t measure(const u_char *src, size_t n,
    const vb_audio_format_t *format, double hz);
static size_t samples(const u_char *src, size_t n,
    const vb_audio_format_t *format);
static void noise(u_char *p, size_t n);


int
main(void)
{
    int                   i;
    vb_transcoder_t       tc;
    vb_resampler_bank_t  *bank;

    bank = vb_resampler_bank_create();

    if (!ok(bank != NULL, "the bank is made")) {
        return done_testing();
    }

    check_names();
    check_pairs(bank);

    for (i = 0; i < FORMATS; i++) {
        check_tones(bank, i, 1004);
        check_tones(bank, i, 1000);
        check_images(bank, i);
        check_aliases(bank, i);
        check_levels(bank, i);

        (void) vb_transcoder_init(&tc, bank, &formats[0], &formats[i]);
        check_cuts(&tc, names[0], names[i]);

        (void) vb_transcoder_init(&tc, bank, &formats[i], &formats[0]);
        check_cuts(&tc, names[i], names[0]);

        check_count(bank, i);
    }

    vb_resampler_bank_destroy(bank);

    return done_testing();
}


static void
check_names(void)
{
    int                i, refused;
    size_t             n;
    vb_str_t           name;
    vb_audio_format_t  format;

    static const unsigned  rates[FORMATS] = {
        8000, 8000, 16000, 22050, 24000, 44100, 48000
    };

    static const char  *strange[] = {
        "", "pcm", "pcm_", "pcm_8001", "pcm_32000", "pcm_480000", "pcm_16000 ",
        "PCM_16000", "ulaw_16000", "alaw_8000", "mp3_44100_128", "ulaw_800"
    };

    for (i = 0; i < FORMATS; i++) {
        name.data = (u_char *) names[i];
        name.len = strlen(names[i]);

        is_int(vb_audio_format_parse(&formats[i], &name), VB_OK,
               "%s is a format", names[i]);
        ok(formats[i].rate == rates[i]
           && formats[i].codec == (i ? VB_AUDIO_PCM : VB_AUDIO_ULAW),
           "%s: codec and rate", names[i]);
        is_int(vb_audio_bytes_per_second(&formats[i]),
               i ? 2 * rates[i] : rates[i], "%s: bytes per second", names[i]);
    }

    ok(vb_audio_ulaw_8000.codec == formats[0].codec
       && vb_audio_ulaw_8000.rate == formats[0].rate, "the line's format");

    refused = 1;

    for (n = 0; n < sizeof(strange) / sizeof(strange[0]); n++) {
        name.data = (u_char *) strange[n];
        name.len = strlen(strange[n]);

        refused &= (vb_audio_format_parse(&format, &name) == VB_DECLINED);
    }

    ok(refused, "other names are declined");
}


static void
check_pairs(const vb_resampler_bank_t *bank)
{
    int                i, j, good;
    vb_transcoder_t    tc;
    vb_audio_format_t  strange = { VB_AUDIO_PCM, 32000 };

    good = 1;

    for (i = 0; i < FORMATS; i++) {
        for (j = 0; j < FORMATS; j++) {
            good &= (vb_transcoder_init(&tc, bank, &formats[i], &formats[j])
                     == (i == 0 || j == 0 ? VB_OK : VB_DECLINED));

            if (i == 0 || j == 0) {
                good &= ((vb_transcoder_passthrough(&tc) != 0)
                         == (i == 0 && j == 0));
            }
        }
    }

    ok(good, "pairs with the line's format are taken, others declined");

    is_int(vb_transcoder_init(&tc, bank, &formats[0], &strange), VB_DECLINED,
           "a rate without a filter");

    strange.codec = VB_AUDIO_ULAW;
    strange.rate = 16000;

    is_int(vb_transcoder_init(&tc, bank, &strange, &formats[0]), VB_DECLINED,
           "mu-law of another rate");
    is_int(vb_transcoder_init(&tc, NULL, &formats[0], &formats[1]), VB_OK,
           "8000 Hz needs no bank");
    is_int(vb_transcoder_init(&tc, NULL, &formats[0], &formats[2]),
           VB_DECLINED, "other rates do");
}


/* each time through mu-law adds noise 38 dB or so below the tone */

static void
check_tones(const vb_resampler_bank_t *bank, int i, double hz)
{
    size_t  n, m;
    tone_t  to, from, round, echo;

    n = tone(in, &formats[0], hz, AMPLITUDE, 2);
    m = transcode(bank, out, in, n, &formats[0], &formats[i]);
    to = measure(out, m, &formats[i], hz);

    ok(to.snr >= 35, "%s: SNR of %g Hz from the line %.1f dB", names[i], hz,
       to.snr);
    ok(fabs(tone_db(to.amplitude, AMPLITUDE)) < 0.2,
       "%s: it is as loud as it was", names[i]);

    m = transcode(bank, back, out, m, &formats[i], &formats[0]);
    echo = measure(back, m, &formats[0], hz);

    ok(echo.snr >= 35, "%s: SNR of %g Hz from the line and back %.1f dB",
       names[i], hz, echo.snr);

    n = tone(in, &formats[i], hz, AMPLITUDE, 2);
    m = transcode(bank, out, in, n, &formats[i], &formats[0]);
    from = measure(out, m, &formats[0], hz);

    ok(from.snr >= 35, "%s: SNR of %g Hz to the line %.1f dB", names[i], hz,
       from.snr);
    ok(fabs(tone_db(from.amplitude, AMPLITUDE)) < 0.2,
       "%s: it is as loud as it was", names[i]);

    m = transcode(bank, back, out, m, &formats[0], &formats[i]);
    round = measure(back, m, &formats[i], hz);

    ok(round.snr >= 35, "%s: SNR of %g Hz to the line and back %.1f dB",
       names[i], hz, round.snr);
}


/* towards the agent: no copies of the tone about the multiples of 8000 Hz */

static void
check_images(const vb_resampler_bank_t *bank, int i)
{
    size_t  n, m, image;
    double  hz, worst;
    tone_t  t;

    if (formats[i].rate == 8000) {
        return;
    }

    worst = -200;

    for (hz = 500; hz <= 3500; hz += 500) {
        n = tone(in, &formats[0], hz, AMPLITUDE, 2);
        m = transcode(bank, out, in, n, &formats[0], &formats[i]);

        for (image = 8000; image < formats[i].rate; image += 8000) {
            t = measure(out, m, &formats[i], image - hz);
            worst = fmax(worst, tone_db(t.amplitude, AMPLITUDE));

            t = measure(out, m, &formats[i], image + hz);
            worst = fmax(worst, tone_db(t.amplitude, AMPLITUDE));
        }
    }

    ok(worst <= -60, "%s: images %.1f dB", names[i], worst);
}


/*
 * Towards the line: mu-law cannot say anything below -72 dB of full scale, so
 * a tone above 4200 Hz, 60 dB down, leaves silence or the smallest steps.
 */

static void
check_aliases(const vb_resampler_bank_t *bank, int i)
{
    size_t  n, m, start;
    double  hz, worst;

    if (formats[i].rate == 8000) {
        return;
    }

    worst = -200;

    for (hz = 4200; hz < formats[i].rate / 2; hz += 150) {
        n = tone(in, &formats[i], hz, 32767, 0.2);
        m = transcode(bank, out, in, n, &formats[i], &formats[0]);

        start = m - 800;
        worst = fmax(worst, tone_db(tone_rms(pcm, samples(out + start, 800,
                                                          &formats[0])),
                                    32767 / sqrt(2)));
    }

    ok(worst <= -60, "%s: aliases %.1f dB", names[i], worst);
}


static void
check_levels(const vb_resampler_bank_t *bank, int i)
{
    int     good;
    size_t  n, m, k;

    n = vb_audio_bytes_per_second(&formats[i]);

    memset(in, i ? 0 : VB_G711_ULAW_SILENCE, n);
    m = transcode(bank, out, in, n, &formats[i], &formats[0]);

    for (k = 0, good = 1; k < m; k++) {
        good &= (out[k] == VB_G711_ULAW_SILENCE);
    }

    ok(good && m == 8000, "%s: silence to the line", names[i]);

    memset(in, VB_G711_ULAW_SILENCE, 8000);
    m = transcode(bank, out, in, 8000, &formats[0], &formats[i]);

    for (k = 0, good = 1; k < m; k++) {
        good &= (out[k] == (i ? 0 : VB_G711_ULAW_SILENCE));
    }

    ok(good && m == n, "%s: silence from the line", names[i]);

    /* a square wave of 50 Hz: where it has settled it has the sign it had */

    for (k = 0; k < 8000; k++) {
        in[k] = (k / 80 % 2) ? 0x00 : 0x80;
    }

    m = samples(out, transcode(bank, out, in, 8000, &formats[0], &formats[i]),
                &formats[i]);

    for (k = 0, good = 1; k < m; k++) {
        n = (uint64_t) k * 8000 / formats[i].rate;

        if (n > 80 && n % 80 > 25 && n % 80 < 80) {
            good &= (n / 80 % 2) ? pcm[k] < -20000 : pcm[k] > 20000;
        }
    }

    ok(good, "%s: full scale is not wrapped", names[i]);
}


static void
check_cuts(vb_transcoder_t *tc, const char *from, const char *to)
{
    int       good, within, round;
    size_t    n, m, have, take, give, bound;
    u_char   *src, *dst;
    uint32_t  state;

    static const size_t  most[] = { 1, 2, 3, 321, 5000, 100000 };

    n = vb_audio_bytes_per_second(&tc->from) / 4 + 1;

    noise(in, n);

    m = vb_transcode(tc, expected, in, n);

    good = within = 1;
    state = n;

    for (round = 0; round < 6; round++) {
        vb_transcoder_reset(tc);
        give = 0;

        for (have = 0; have < n; have += take) {
            take = tone_random(&state) % most[round] + 1;
            take = vb_min(take, n - have);
            bound = vb_transcoder_bound(tc, take);

            if (give + bound > m) {
                within = 0;
                break;
            }

            /* the larger pieces in areas that end where memory does */

            src = (round > 3) ? memcpy(guarded(take), in + have, take)
                              : in + have;
            dst = (round > 3) ? guarded(bound) : out + give;

            within &= (vb_transcode(tc, dst, src, take) == bound);

            memmove(out + give, dst, bound);
            give += bound;
        }

        good &= (give == m && memcmp(out, expected, m) == 0);
    }

    ok(good, "%s to %s: the same however the input is cut", from, to);
    ok(within, "%s to %s: as many bytes as the bound says", from, to);

    is_int(vb_transcode(tc, out, in, 0), 0, "%s to %s: nothing", from, to);

    vb_transcoder_reset(tc);
    give = vb_transcode(tc, out, in, n);

    is_mem(out, give, expected, m, "%s to %s: the same after a reset", from,
           to);
}


static void
check_count(const vb_resampler_bank_t *bank, int i)
{
    size_t           n, k, to, from, step;
    vb_transcoder_t  up, down;

    (void) vb_transcoder_init(&up, bank, &formats[0], &formats[i]);
    (void) vb_transcoder_init(&down, bank, &formats[i], &formats[0]);

    to = from = 0;
    step = vb_audio_bytes_per_second(&formats[i]) / 50;

    noise(in, step);

    for (k = 0; k < 3000; k++) {
        to += vb_transcode(&up, out, in, 160);
        from += vb_transcode(&down, out, in, step);
    }

    n = vb_audio_bytes_per_second(&formats[i]);

    is_int(to, n * 60, "%s: a minute from the line is a minute", names[i]);
    is_int(from, 8000 * 60, "%s: a minute to the line is a minute", names[i]);
}


static size_t
transcode(const vb_resampler_bank_t *bank, u_char *dst, const u_char *src,
    size_t n, const vb_audio_format_t *from, const vb_audio_format_t *to)
{
    vb_transcoder_t  tc;

    (void) vb_transcoder_init(&tc, bank, from, to);

    return vb_transcode(&tc, dst, src, n);
}


/* a tone as bytes of a format */

static size_t
tone(u_char *dst, const vb_audio_format_t *format, double hz,
    double amplitude, double seconds)
{
    size_t  i, n;

    n = lrint(format->rate * seconds);
    tone_write(pcm, 0, n, format->rate, hz, amplitude);

    if (format->codec == VB_AUDIO_ULAW) {
        vb_g711_ulaw_encode(dst, pcm, n);
        return n;
    }

    for (i = 0; i < n; i++) {
        dst[2 * i] = pcm[i] & 0xff;
        dst[2 * i + 1] = pcm[i] >> 8 & 0xff;
    }

    return 2 * n;
}


/* the last second of what was written */

static tone_t
measure(const u_char *src, size_t n, const vb_audio_format_t *format, double hz)
{
    size_t  second;

    second = vb_audio_bytes_per_second(format);

    return tone_measure(pcm, samples(src + n - second, second, format),
                        format->rate, hz);
}


/* bytes of a format to pcm */

static size_t
samples(const u_char *src, size_t n, const vb_audio_format_t *format)
{
    size_t  i;

    if (format->codec == VB_AUDIO_ULAW) {
        vb_g711_ulaw_decode(pcm, src, n);
        return n;
    }

    for (i = 0; i < n / 2; i++) {
        pcm[i] = (int16_t) (src[2 * i] | src[2 * i + 1] << 8);
    }

    return n / 2;
}


static void
noise(u_char *p, size_t n)
{
    static uint32_t  state = 441;

    while (n--) {
        *p++ = tone_random(&state);
    }
}
