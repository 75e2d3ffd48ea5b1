
/*
 * The resampler: what its filters pass, stop and delay, and that all ways of
 * cutting the input and all kernels give the same to the bit.
 */


#include <tap.h>
#include <guard.h>
#include <tone.h>
#include <vb_resampler_kernel.h>


#define PASS     3400
#define STOP     4200

/* room for the longest piece in and out: a second */
#define LONGEST  (48000 + 16)


typedef struct {
    const char              *name;
    vb_resampler_kernel_pt   run;
} kernel_t;


static const kernel_t  kernels[] = {
    { "portable", vb_resampler_kernel_portable },
#if (VB_RESAMPLER_X86)
    { "sse2", vb_resampler_kernel_sse2 },
    { "avx2", vb_resampler_kernel_avx2 },
#endif
#if (VB_RESAMPLER_NEON)
    { "neon", vb_resampler_kernel_neon },
#endif
};

static const unsigned  rates[] = { 16000, 22050, 24000, 44100, 48000 };

static int16_t  in[LONGEST], out[LONGEST], expected[LONGEST];


static void check_taps(const vb_resampler_filter_t *f, const char *name);
static void check_response(const vb_resampler_filter_t *f, const char *name);
static void check_pass(const vb_resampler_filter_t *f, const char *name);
static void check_aliases(const vb_resampler_filter_t *f, const char *name);
static void check_images(const vb_resampler_filter_t *f, const char *name);
static void check_delay(const vb_resampler_filter_t *f, const char *name);
static void check_levels(const vb_resampler_filter_t *f, const char *name);
static void check_cuts(const vb_resampler_filter_t *f, const char *name);
static void check_count(const vb_resampler_filter_t *f, const char *name);
static void check_kernels(const vb_resampler_filter_t *f, const char *name);
static void check_kernel(const vb_resampler_filter_t *f, const char *name,
    const kernel_t *kernel);
static void check_loudest(const vb_resampler_filter_t *f, const char *name,
    const kernel_t *kernel);
static void reference(int16_t *dst, const int16_t *x,
    const vb_resampler_filter_t *f, uint32_t phase, size_t n);
static void noise(int16_t *x, size_t n);
static size_t resample(const vb_resampler_filter_t *f, size_t n);


int
main(void)
{
    char                          name[32];
    unsigned                      i, from, to;
    vb_resampler_bank_t          *bank;
    const vb_resampler_filter_t  *f;

    bank = vb_resampler_bank_create();

    if (!ok(bank != NULL, "the bank is made")) {
        return done_testing();
    }

    for (i = 0; i < 10; i++) {
        from = (i < 5) ? 8000 : rates[i - 5];
        to = (i < 5) ? rates[i] : 8000;

        snprintf(name, sizeof(name), "%u to %u", from, to);

        f = vb_resampler_filter(bank, from, to);

        if (!ok(f != NULL, "%s: there is a filter", name)) {
            continue;
        }

        check_taps(f, name);
        check_response(f, name);
        check_pass(f, name);

        if (from == 8000) {
            check_images(f, name);

        } else {
            check_aliases(f, name);
        }

        check_delay(f, name);
        check_levels(f, name);
        check_cuts(f, name);
        check_count(f, name);
        check_kernels(f, name);
    }

    ok(vb_resampler_filter(bank, 8000, 8000) == NULL, "no filter for equals");
    ok(vb_resampler_filter(bank, 16000, 48000) == NULL,
       "no filter without the line's rate");
    ok(vb_resampler_filter(bank, 8000, 11025) == NULL,
       "no filter for a rate that no agent speaks");

    vb_resampler_bank_destroy(bank);

    return done_testing();
}


/* what the taps promise: the same gain for all phases, and symmetry */

static void
check_taps(const vb_resampler_filter_t *f, const char *name)
{
    int             even, symmetric;
    int32_t         sum;
    uint32_t        p, k;
    const int16_t  *h, *back;

    even = symmetric = 1;

    for (p = 0; p < f->phases; p++) {
        h = f->coefficients + p * f->taps;
        back = f->coefficients + (f->phases - 1 - p) * f->taps;
        sum = 0;

        for (k = 0; k < f->taps; k++) {
            sum += h[k];
            symmetric &= (h[k] == back[f->taps - 1 - k]);
        }

        even &= (sum == 1 << f->shift);
    }

    ok(even, "%s: all phases have a gain of one", name);
    ok(symmetric, "%s: the filter is symmetric, so its phase is linear", name);
}


/* the response of the whole filter, at its own rate, from its rounded taps */

static void
check_response(const vb_resampler_filter_t *f, const char *name)
{
    double    hz, step, top, rate, re, c, s, t, turn_c, turn_s, worst, ripple;
    double    level;
    uint32_t  p, k, n;

    rate = (double) f->in_rate * f->phases;
    n = f->phases * f->taps;

    /* above 32 kHz the window has long fallen off */

    top = fmin(rate / 2, 32000);
    step = (n > 1000) ? 20 : 4;

    worst = ripple = -200;

    for (hz = 0; hz <= top; hz += step) {
        if (hz > PASS && hz < STOP) {
            continue;
        }

        turn_c = cos(2 * M_PI * hz / rate);
        turn_s = sin(2 * M_PI * hz / rate);
        c = cos(M_PI * hz * (n - 1) / rate);
        s = -sin(M_PI * hz * (n - 1) / rate);
        re = 0;

        /* about its middle a symmetric filter is real */

        for (k = 0; k < f->taps; k++) {
            for (p = 0; p < f->phases; p++) {
                re += c * f->coefficients[p * f->taps + f->taps - 1 - k];

                t = c * turn_c - s * turn_s;
                s = s * turn_c + c * turn_s;
                c = t;
            }
        }

        level = tone_db(fabs(re), (double) f->phases * (1 << f->shift));

        if (hz <= PASS) {
            ripple = fmax(ripple, fabs(level));

        } else {
            worst = fmax(worst, level);
        }
    }

    ok(worst <= -70, "%s: stop band %.1f dB", name, worst);
    ok(ripple <= 0.1, "%s: pass band within %.4f dB", name, ripple);
}


/* tones through the filter come out as they went in */

static void
check_pass(const vb_resampler_filter_t *f, const char *name)
{
    size_t  n, m, window;
    double  hz, ripple, level;
    tone_t  tone;

    n = f->in_rate / 5;
    window = f->out_rate / 10;
    ripple = 0;

    for (hz = 50; hz <= PASS; hz += 50) {
        tone_write(in, 0, n, f->in_rate, hz, 20000);
        m = resample(f, n);

        tone = tone_measure(out + m - window, window, f->out_rate, hz);
        level = tone_db(tone.amplitude, 20000);
        ripple = fmax(ripple, fabs(level));
    }

    ok(ripple <= 0.1, "%s: 50 to %d Hz within %.4f dB", name, PASS, ripple);
}


/* downwards: all that is left of a tone too high for the line */

static void
check_aliases(const vb_resampler_filter_t *f, const char *name)
{
    size_t  n, m, window;
    double  hz, worst;

    n = f->in_rate / 5;
    window = f->out_rate / 10;
    worst = -200;

    for (hz = STOP; hz < f->in_rate / 2; hz += 50) {
        tone_write(in, 0, n, f->in_rate, hz, 30000);
        m = resample(f, n);

        worst = fmax(worst, tone_db(tone_rms(out + m - window, window),
                                    30000 / sqrt(2)));
    }

    ok(worst <= -70, "%s: aliases %.1f dB", name, worst);
}


/* upwards: all that comes out beside the tone */

static void
check_images(const vb_resampler_filter_t *f, const char *name)
{
    size_t  n, m, window;
    double  hz, worst;
    tone_t  tone;

    n = f->in_rate / 5;
    window = f->out_rate / 10;
    worst = -200;

    for (hz = 50; hz <= 8000 - STOP; hz += 50) {
        tone_write(in, 0, n, f->in_rate, hz, 30000);
        m = resample(f, n);

        tone = tone_measure(out + m - window, window, f->out_rate, hz);
        worst = fmax(worst, tone_db(tone.noise, 30000 / sqrt(2)));
    }

    ok(worst <= -70, "%s: images %.1f dB", name, worst);
}


static void
check_delay(const vb_resampler_filter_t *f, const char *name)
{
    size_t  i, n, m, window;
    double  delay;

    n = f->in_rate / 5;
    window = f->out_rate / 10;

    for (i = 0; i < n; i++) {
        in[i] = lrint(tone_voice((double) i / f->in_rate));
    }

    m = resample(f, n);
    delay = tone_delay(out + m - window, m - window, window, f->out_rate);

    ok(delay <= 0.003, "%s: delay %.0f us", name, delay * 1e6);
    ok(fabs(delay * 1e6 - vb_resampler_delay(f)) <= 2,
       "%s: %u us are promised", name, vb_resampler_delay(f));
}


static void
check_levels(const vb_resampler_filter_t *f, const char *name)
{
    int     good, k;
    size_t  i, m, n, settled;

    static const int16_t  levels[] = { 0, 1, -1, 1000, -1000, 32767, -32768 };

    n = f->in_rate / 5;
    good = 1;

    for (k = 0; k < 7; k++) {
        for (i = 0; i < n; i++) {
            in[i] = levels[k];
        }

        m = resample(f, n);
        settled = f->taps * f->phases / f->step + 1;

        for (i = settled; i < m; i++) {
            good &= (out[i] == levels[k]);
        }
    }

    ok(good, "%s: silence and constants come out as they are", name);
}


static void
check_cuts(const vb_resampler_filter_t *f, const char *name)
{
    int             good, within;
    size_t          n, m, have, take, give, bound, round;
    uint32_t        state;
    int16_t        *dst, *src;
    vb_resampler_t  rs;

    static const size_t  most[] = { 1, 2, 3, 160, 513, 2000 };

    n = f->in_rate / 4;
    noise(in, n);

    m = resample(f, n);
    memcpy(expected, out, m * sizeof(int16_t));

    state = f->in_rate;
    good = within = 1;

    dst = guarded(13000 * sizeof(int16_t));
    src = guarded(2000 * sizeof(int16_t));

    for (round = 0; round < 6; round++) {
        vb_resampler_init(&rs, f);
        memset(out, 0x55, sizeof(out));

        give = 0;

        for (have = 0; have < n; have += take) {
            take = tone_random(&state) % most[round] + 1;
            take = vb_min(take, n - have);

            bound = vb_resampler_bound(&rs, take);
            within &= (give + bound <= m);

            if (!within) {
                break;
            }

            /* both areas end where the memory does */

            memcpy(src + 2000 - take, in + have, take * sizeof(int16_t));

            within &= (vb_resampler_process(&rs, dst + 13000 - bound,
                                            src + 2000 - take, take) == bound);

            memcpy(out + give, dst + 13000 - bound, bound * sizeof(int16_t));
            give += bound;
        }

        good &= (give == m && memcmp(out, expected, m * 2) == 0);
    }

    ok(good, "%s: the same however the input is cut", name);
    ok(within, "%s: as many samples as the bound says", name);

    vb_resampler_init(&rs, f);
    give = vb_resampler_process(&rs, out, in, n);

    is_mem(out, give * 2, expected, m * 2, "%s: the same started again", name);
}


static void
check_count(const vb_resampler_filter_t *f, const char *name)
{
    size_t          i, n, total;
    vb_resampler_t  rs;

    vb_resampler_init(&rs, f);

    n = f->in_rate / 50;
    noise(in, n);
    total = 0;

    for (i = 0; i < 30000; i++) {
        total += vb_resampler_process(&rs, out, in, n);
    }

    is_int(total, f->out_rate * 600, "%s: ten minutes stay ten minutes", name);
}


/* ends of noise, so that there are groups and all kinds of remainders */

static void
check_kernel(const vb_resampler_filter_t *f, const char *name,
    const kernel_t *kernel)
{
    int       good;
    size_t    i, n, len;
    int16_t  *x, *dst;
    uint32_t  phase;

    phase = f->phases - 1;
    good = 1;

    for (i = 0; i < 40; i++) {
        n = (i < 20) ? i + 1 : 1000 + i;
        len = (phase + (n - 1) * f->step) / f->phases + f->taps;

        x = guarded(len * sizeof(int16_t));
        dst = guarded(n * sizeof(int16_t));

        noise(x, len);

        reference(expected, x, f, phase, n);
        kernel->run(dst, x, f, phase, n);

        good &= (memcmp(dst, expected, n * sizeof(int16_t)) == 0);
    }

    ok(good, "%s: the %s kernel does what is defined", name, kernel->name);
}


/* the input that a phase answers loudest, both ways up, in a group of four */

static void
check_loudest(const vb_resampler_filter_t *f, const char *name,
    const kernel_t *kernel)
{
    int       good, way;
    int16_t   x[VB_RESAMPLER_HISTORY];
    uint32_t  tap, p;

    good = 1;

    for (p = 0; p < f->phases; p++) {
        for (way = -1; way <= 1; way += 2) {
            memset(x, 0, sizeof(x));

            for (tap = 0; tap < f->taps; tap++) {
                x[tap] = (f->coefficients[p * f->taps + tap] * way < 0)
                         ? -32768 : 32767;
            }

            reference(expected, x, f, p, 5);
            kernel->run(out, x, f, p, 5);

            good &= (out[0] == ((way < 0) ? -32768 : 32767)
                     && memcmp(out, expected, 5 * sizeof(int16_t)) == 0);
        }
    }

    ok(good, "%s: the %s kernel clips the loudest and wraps nothing", name,
       kernel->name);
}


static void
check_kernels(const vb_resampler_filter_t *f, const char *name)
{
    size_t  k;

    for (k = 0; k < sizeof(kernels) / sizeof(kernels[0]); k++) {

#if (VB_RESAMPLER_X86)

        if (kernels[k].run == vb_resampler_kernel_avx2
            && !__builtin_cpu_supports("avx2"))
        {
            ok(1, "%s: # SKIP no AVX2 here", name);
            continue;
        }

#endif

        check_kernel(f, name, &kernels[k]);
        check_loudest(f, name, &kernels[k]);
    }
}


/* the definition of a sample in vb_resampler_kernel.h, unable to overflow */

static void
reference(int16_t *dst, const int16_t *x, const vb_resampler_filter_t *f,
    uint32_t phase, size_t n)
{
    size_t    i, at;
    int64_t   s[4], y;
    uint32_t  k;

    for (i = 0; i < n; i++) {
        at = phase + i * f->step;
        memset(s, 0, sizeof(s));

        for (k = 0; k < f->taps; k++) {
            s[k / 2 % 4] += x[at / f->phases + k]
                            * f->coefficients[at % f->phases * f->taps + k];
        }

        y = (s[0] >> 2) + (s[1] >> 2) + (s[2] >> 2) + (s[3] >> 2);
        y = (y + (1 << (f->shift - 3))) >> (f->shift - 2);

        dst[i] = (y > 32767) ? 32767 : (y < -32768) ? -32768 : y;
    }
}


static void
noise(int16_t *x, size_t n)
{
    static uint32_t  state = 8000;

    while (n--) {
        *x++ = tone_random(&state);
    }
}


static size_t
resample(const vb_resampler_filter_t *f, size_t n)
{
    vb_resampler_t  rs;

    vb_resampler_init(&rs, f);

    return vb_resampler_process(&rs, out, in, n);
}
