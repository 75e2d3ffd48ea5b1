
/*
 * What the resampler costs and what it does to the sound, pair by pair, by
 * the vector units there are; beside other libraries where compiled with
 * -DHAVE_SPEEXDSP, -DHAVE_SOXR, -DHAVE_SAMPLERATE and linked with them.
 *
 *     time     CPU of a 20 ms frame, the best of many; and of that a sample
 *              on the side with more of them
 *     SNR      1010 Hz at -6 dB, against all that comes out beside it
 *     stop     downwards the worst alias of tones from 4200 Hz, upwards the
 *              worst image of tones to 3400 Hz
 *     ripple   the worst deviation of tones to 3400 Hz
 *     delay    of the sound, and of what is held back until more comes
 *
 * With --responses, frequencies and dB for bench/responses.gp instead: of our
 * filters from their taps, of other libraries from tones, 16000 to 8000 Hz.
 */


#include <complex.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <tone.h>
#include <vb_g711.h>
#include <vb_transcoder.h>

#include "resamplers.h"


#define BENCH_ROUNDS   30
#define BENCH_FRAMES   100

/* of the responses, Hz */
#define BENCH_BAND     8000
#define BENCH_STEP     25


typedef struct {
    double                        lag;      /* held back, seconds */
    size_t                        n;
} bench_output_t;


static int16_t               in[BENCH_LONGEST], out[BENCH_LONGEST + 4096];


static double
now(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return t.tv_sec * 1e9 + t.tv_nsec;
}


/* half a second of in[] in frames of 20 ms */

static bench_output_t
bench_run(bench_t *b)
{
    size_t          i, frame;
    double          held;
    bench_output_t  output;

    frame = b->in_rate / 50;

    output.n = 0;
    output.lag = 0;

    b->state = b->start(b);

    for (i = 0; i < 25; i++) {
        output.n += b->run(b, out + output.n, in + i * frame, frame);

        held = (i + 1) / 50.0 - (double) output.n / b->out_rate;
        output.lag = fmax(output.lag, held);
    }

    b->stop(b->state);

    return output;
}


static double
bench_time(bench_t *b)
{
    int      i, k;
    size_t   frame;
    double   start, best;

    frame = b->in_rate / 50;
    best = 1e12;

    tone_write(in, 0, frame, b->in_rate, 1000, 16000);

    b->state = b->start(b);

    for (i = 0; i < BENCH_ROUNDS; i++) {
        start = now();

        for (k = 0; k < BENCH_FRAMES; k++) {
            (void) b->run(b, out, in, frame);
        }

        best = fmin(best, now() - start);
    }

    b->stop(b->state);

    return best / BENCH_FRAMES;
}


/* a tone's way: the last 100 ms, where nothing begins or ends */

static tone_t
bench_tone(bench_t *b, double hz, double amplitude)
{
    size_t          window;
    bench_output_t  output;

    window = b->out_rate / 10;

    tone_write(in, 0, b->in_rate / 2, b->in_rate, hz, amplitude);
    output = bench_run(b);

    return tone_measure(out + output.n - window, window, b->out_rate, hz);
}


static double
bench_stop(bench_t *b)
{
    double  hz, worst;
    tone_t  t;

    worst = -200;

    if (b->in_rate == 8000) {

        for (hz = 50; hz <= 3400; hz += 50) {
            t = bench_tone(b, hz, 30000);
            worst = fmax(worst, tone_db(t.noise, 30000 / sqrt(2)));
        }

        return worst;
    }

    for (hz = 4200; hz < b->in_rate / 2; hz += 50) {
        t = bench_tone(b, hz, 30000);
        worst = fmax(worst, tone_db(hypot(t.noise, t.amplitude / sqrt(2)),
                                    30000 / sqrt(2)));
    }

    return worst;
}


static double
bench_ripple(bench_t *b)
{
    double  hz, worst;

    worst = 0;

    for (hz = 50; hz <= 3400; hz += 50) {
        worst = fmax(worst, fabs(tone_db(bench_tone(b, hz, 20000).amplitude,
                                         20000)));
    }

    return worst;
}


static double
bench_delay(bench_t *b)
{
    size_t          i, window;
    bench_output_t  output;

    window = b->out_rate / 10;

    for (i = 0; i < b->in_rate / 2; i++) {
        in[i] = lrint(tone_voice((double) i / b->in_rate));
    }

    output = bench_run(b);

    return output.lag + tone_delay(out + output.n - window, output.n - window,
                                   window, b->out_rate);
}


static void
bench_pair(unsigned in_rate, unsigned out_rate)
{
    double    snr, time;
    bench_t  *b;

    printf("\n%5u to %5u Hz", in_rate, out_rate);

    for (b = benches; b->name; b++) {

#if (VB_RESAMPLER_X86)

        if (b->kernel == vb_resampler_kernel_avx2
            && !__builtin_cpu_supports("avx2"))
        {
            continue;
        }

#endif

        b->in_rate = in_rate;
        b->out_rate = out_rate;

        snr = bench_tone(b, 1010, 16000).snr;
        time = bench_time(b);

        printf("%*s%-13s %6.0f ns  %5.2f ns  %6.1f dB  %6.1f dB  %7.4f dB"
               "  %6.2f ms\n",
               (b == benches) ? 2 : 18, "", b->name, time,
               time * 50 / fmax(in_rate, out_rate), snr, bench_stop(b),
               bench_ripple(b), bench_delay(b) * 1e3);
    }
}


/* the whole way of one direction, with mu-law and bytes */

static void
bench_path(const vb_audio_format_t *from, const vb_audio_format_t *to)
{
    int               i, k;
    size_t            frame, n, m;
    double            start, best;
    u_char           *src, *dst;
    vb_transcoder_t   tc;

    (void) vb_transcoder_init(&tc, bank, from, to);

    n = vb_audio_bytes_per_second(from) * 3 / 2;
    frame = vb_audio_bytes_per_second(from) / 50;
    src = malloc(n);
    dst = malloc(vb_transcoder_bound(&tc, n));

    if (from->codec == VB_AUDIO_ULAW) {
        tone_write(in, 0, n, from->rate, 1004, 16000);
        vb_g711_ulaw_encode(src, in, n);

    } else {
        tone_write((int16_t *) src, 0, n / 2, from->rate, 1004, 16000);
    }

    best = 1e12;

    for (i = 0; i < BENCH_ROUNDS; i++) {
        start = now();

        for (k = 0; k < BENCH_FRAMES; k++) {
            (void) vb_transcode(&tc, dst, src, frame);
        }

        best = fmin(best, now() - start);
    }

    vb_transcoder_reset(&tc);
    m = vb_transcode(&tc, dst, src, n);
    n = vb_audio_bytes_per_second(to);

    if (to->codec == VB_AUDIO_ULAW) {
        vb_g711_ulaw_decode(out, dst + m - n, n);

    } else {
        memcpy(out, dst + m - n, n);
    }

    printf("  %7.0f ns  %6.1f dB", best / BENCH_FRAMES,
           tone_measure(out, to->rate, to->rate, 1004).snr);

    free(src);
    free(dst);
}


/* a filter's response, from all its phases together */

static void
bench_filter(const vb_resampler_filter_t *f)
{
    size_t          k;
    double          hz, rate;
    uint32_t        phase;
    double complex  h, z, turn;

    rate = (double) f->in_rate * f->phases;

    printf("\"%u to %u Hz\"\n", f->in_rate, f->out_rate);

    for (hz = 0; hz <= BENCH_BAND; hz += BENCH_STEP) {
        h = 0;
        z = 1;
        turn = cexp(-2 * M_PI * I * hz / rate);

        for (k = f->taps; k-- > 0; /* void */ ) {
            for (phase = 0; phase < f->phases; phase++) {
                h += f->coefficients[phase * f->taps + k] * z;
                z *= turn;
            }
        }

        printf("%.0f %.4f\n", hz,
               tone_db(cabs(h), ldexp(f->phases, f->shift)));
    }

    printf("\n\n");
}


/* all that comes out of a tone goes in: above 4000 Hz that is its alias */

static void
bench_others(void)
{
    double   hz;
    tone_t   t;
    bench_t  *b;

    for (b = benches; b->name; b++) {

        if (b->kernel) {
            continue;
        }

        b->in_rate = 16000;
        b->out_rate = 8000;

        printf("\"%s\"\n", b->name);

        for (hz = BENCH_STEP; hz < BENCH_BAND; hz += BENCH_STEP) {
            t = bench_tone(b, hz, 30000);
            printf("%.0f %.4f\n", hz,
                   tone_db(hypot(t.noise, t.amplitude / sqrt(2)),
                           30000 / sqrt(2)));
        }

        printf("\n\n");
    }
}


int
main(int argc, char **argv)
{
    size_t             i;
    vb_audio_format_t  pcm;

    static const unsigned  rates[] = {
        8000, 16000, 22050, 24000, 44100, 48000
    };

    bank = vb_resampler_bank_create();
    if (bank == NULL) {
        return 1;
    }

    if (argc == 2 && strcmp(argv[1], "--responses") == 0) {

        for (i = 1; i < 6; i++) {
            bench_filter(vb_resampler_filter(bank, 8000, rates[i]));
        }

        for (i = 1; i < 6; i++) {
            bench_filter(vb_resampler_filter(bank, rates[i], 8000));
        }

        bench_others();
        vb_resampler_bank_destroy(bank);

        return 0;
    }

    printf("%40s%10s%12s%11s%12s%11s\n", "time", "a sample", "SNR", "stop",
           "ripple", "delay");

    for (i = 1; i < 6; i++) {
        bench_pair(8000, rates[i]);
        fflush(stdout);
    }

    for (i = 1; i < 6; i++) {
        bench_pair(rates[i], 8000);
        fflush(stdout);
    }

    printf("\nwith mu-law         from the line, SNR       to the line, SNR\n");

    for (i = 0; i < 6; i++) {
        pcm.codec = VB_AUDIO_PCM;
        pcm.rate = rates[i];

        printf("pcm_%-14u", rates[i]);
        bench_path(&vb_audio_ulaw_8000, &pcm);
        bench_path(&pcm, &vb_audio_ulaw_8000);
        printf("\n");
    }

    vb_resampler_bank_destroy(bank);

    return 0;
}
