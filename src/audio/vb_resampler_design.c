
/*
 * The filters of the ten pairs.
 *
 * One side of each pair is a telephone line, 8000 Hz, so all filters have the
 * same shape: pass to 3400 Hz, stop from 4200 Hz.  Downwards this removes what
 * would alias, upwards the images of the band.  From one rate to another the
 * ideal way is over a common multiple: put zeros between the samples, filter,
 * keep every step-th.  Most products are then by zero or for nothing; those
 * that count use every phases-th tap of the filter, one "phase" of it:
 *
 *     8000 to 22050 Hz is 441/160: 441 phases of 48 taps, step 160
 *     22050 to 8000 Hz is 160/441: 160 phases of 128 taps, step 441
 *
 * The taps of a phase are as many as 6 ms allow in whole vectors, the delay
 * of the symmetric filter is half of that at all frequencies.  With Kaiser's
 * window this length gives a stop band of 75 dB, of which rounding the taps
 * to 16 bits leaves 71 dB or more.
 */


#include <vb_resampler_kernel.h>

#include <math.h>
#include <stdlib.h>


#define VB_RESAMPLER_PASS       3400.0
#define VB_RESAMPLER_STOP       4200.0

#define VB_RESAMPLER_PAIRS      10

/* taps of the longest phase, and of the longest filter */
#define VB_RESAMPLER_TAPS       288
#define VB_RESAMPLER_PROTOTYPE  (441 * 48)

#define VB_RESAMPLER_SHIFT      17

/* 32768 times this is the largest sum of products that 32 bits hold */
#define VB_RESAMPLER_SUM        65535

#define VB_RESAMPLER_CACHELINE  64


typedef struct {
    uint32_t                in_rate;
    uint32_t                out_rate;
    uint32_t                phases;
    uint32_t                step;
    uint32_t                taps;
} vb_resampler_pair_t;


struct vb_resampler_bank_s {
    vb_resampler_filter_t   filters[VB_RESAMPLER_PAIRS];
};


static void vb_resampler_design(vb_resampler_filter_t *filter, int16_t *taps,
    double *prototype);
static void vb_resampler_prototype(double *h, double rate, size_t n);
static double vb_resampler_bessel(double x);
static int vb_resampler_quantise(const vb_resampler_filter_t *filter,
    int16_t *taps, const double *prototype);
static void vb_resampler_round(int32_t *rounded, double *row, size_t n,
    int32_t sum);
static int vb_resampler_fits(const int32_t *row, size_t n);


static const vb_resampler_pair_t  vb_resampler_pairs[VB_RESAMPLER_PAIRS] = {
    {  8000, 16000,   2,   1,  48 },
    {  8000, 22050, 441, 160,  48 },
    {  8000, 24000,   3,   1,  48 },
    {  8000, 44100, 441,  80,  48 },
    {  8000, 48000,   6,   1,  48 },
    { 16000,  8000,   1,   2,  96 },
    { 22050,  8000, 160, 441, 128 },
    { 24000,  8000,   1,   3, 144 },
    { 44100,  8000,  80, 441, 256 },
    { 48000,  8000,   1,   6, 288 }
};


vb_resampler_bank_t *
vb_resampler_bank_create(void)
{
    size_t                      i, size, head;
    double                     *prototype;
    int16_t                    *taps;
    vb_resampler_bank_t        *bank;
    vb_resampler_filter_t      *filter;
    const vb_resampler_pair_t  *pair;

    head = (sizeof(vb_resampler_bank_t) + VB_RESAMPLER_CACHELINE - 1)
           / VB_RESAMPLER_CACHELINE * VB_RESAMPLER_CACHELINE;

    size = head;

    for (i = 0; i < VB_RESAMPLER_PAIRS; i++) {
        pair = &vb_resampler_pairs[i];
        size += pair->phases * pair->taps * sizeof(int16_t);
    }

    prototype = malloc(VB_RESAMPLER_PROTOTYPE * sizeof(double));
    if (prototype == NULL) {
        return NULL;
    }

    if (posix_memalign((void **) &bank, VB_RESAMPLER_CACHELINE, size) != 0) {
        free(prototype);
        return NULL;
    }

    taps = (int16_t *) ((u_char *) bank + head);

    for (i = 0; i < VB_RESAMPLER_PAIRS; i++) {
        pair = &vb_resampler_pairs[i];
        filter = &bank->filters[i];

        filter->in_rate = pair->in_rate;
        filter->out_rate = pair->out_rate;
        filter->phases = pair->phases;
        filter->step = pair->step;
        filter->taps = pair->taps;
        filter->kernel = vb_resampler_kernel();
        filter->coefficients = taps;

        vb_resampler_design(filter, taps, prototype);

        taps += pair->phases * pair->taps;
    }

    free(prototype);

    return bank;
}


void
vb_resampler_bank_destroy(vb_resampler_bank_t *bank)
{
    free(bank);
}


const vb_resampler_filter_t *
vb_resampler_filter(const vb_resampler_bank_t *bank, unsigned in_rate,
    unsigned out_rate)
{
    size_t                        i;
    const vb_resampler_filter_t  *filter;

    for (i = 0; i < VB_RESAMPLER_PAIRS; i++) {
        filter = &bank->filters[i];

        if (filter->in_rate == in_rate && filter->out_rate == out_rate) {
            return filter;
        }
    }

    return NULL;
}


unsigned
vb_resampler_delay(const vb_resampler_filter_t *filter)
{
    uint64_t  rate, length;

    rate = (uint64_t) filter->in_rate * filter->phases;
    length = (uint64_t) filter->taps * filter->phases - 1;

    return (length * 500000 + rate / 2) / rate;
}


/* with as many bits behind the point as the taps and their sums allow */

static void
vb_resampler_design(vb_resampler_filter_t *filter, int16_t *taps,
    double *prototype)
{
    vb_resampler_prototype(prototype, (double) filter->in_rate * filter->phases,
                           filter->phases * filter->taps);

    filter->shift = VB_RESAMPLER_SHIFT;

    while (vb_resampler_quantise(filter, taps, prototype) != VB_OK) {
        filter->shift--;
    }
}


/*
 * A sinc under Kaiser's window.  The stop band that n taps reach, and from it
 * the window's beta, are Kaiser's formulas: Oppenheim and Schafer, "Discrete-
 * Time Signal Processing", 7.5.3, there for 14.36 = 2 pi 2.285 and above 50 dB.
 */

static void
vb_resampler_prototype(double *h, double rate, size_t n)
{
    size_t  i;
    double  attenuation, beta, cutoff, middle, t, edge;

    attenuation = 7.95 + 14.36 * (n - 1)
                         * (VB_RESAMPLER_STOP - VB_RESAMPLER_PASS) / rate;
    beta = 0.1102 * (attenuation - 8.7);

    cutoff = (VB_RESAMPLER_PASS + VB_RESAMPLER_STOP) / rate;
    middle = (n - 1) / 2.0;

    for (i = 0; i < n; i++) {
        t = i - middle;
        edge = t / middle;

        /* n is even: t is never zero */

        h[i] = sin(M_PI * cutoff * t) / (M_PI * t)
               * vb_resampler_bessel(beta * sqrt(1 - edge * edge));
    }
}


/* the modified Bessel function of the first kind of order zero */

static double
vb_resampler_bessel(double x)
{
    double  k, sum, term;

    sum = 1;
    term = 1;

    for (k = 1; term > sum * 1e-17; k++) {
        term *= x * x / (4 * k * k);
        sum += term;
    }

    return sum;
}


/*
 * Rounds the taps, phase by phase, so that each phase has the same gain at
 * 0 Hz: otherwise a constant would come out as a tone.  A phase backwards is
 * another phase, the middle one of an odd number itself: rounding only one
 * of the two keeps the whole filter symmetric.
 */

static int
vb_resampler_quantise(const vb_resampler_filter_t *filter, int16_t *taps,
    const double *prototype)
{
    size_t     k, n;
    double     row[VB_RESAMPLER_TAPS];
    int16_t   *mirror;
    int32_t    rounded[VB_RESAMPLER_TAPS], sum;
    uint32_t   phase, last;

    last = filter->phases - 1;

    for (phase = 0; phase * 2 <= last; phase++) {

        for (k = 0; k < filter->taps; k++) {
            row[k] = prototype[phase
                               + (filter->taps - 1 - k) * filter->phases];
        }

        n = filter->taps;
        sum = 1 << filter->shift;

        if (phase * 2 == last) {
            n /= 2;
            sum /= 2;
        }

        vb_resampler_round(rounded, row, n, sum);

        for (k = n; k < filter->taps; k++) {
            rounded[k] = rounded[filter->taps - 1 - k];
        }

        if (vb_resampler_fits(rounded, filter->taps) != VB_OK) {
            return VB_DECLINED;
        }

        mirror = taps + (last - phase) * filter->taps;

        for (k = 0; k < filter->taps; k++) {
            taps[phase * filter->taps + k] = rounded[k];
            mirror[filter->taps - 1 - k] = rounded[k];
        }
    }

    return VB_OK;
}


/* scales and rounds to integers of the given sum: the largest rests go up */

static void
vb_resampler_round(int32_t *rounded, double *row, size_t n, int32_t sum)
{
    size_t  k, largest;
    double  total, scale;

    total = 0;

    for (k = 0; k < n; k++) {
        total += row[k];
    }

    scale = sum / total;

    for (k = 0; k < n; k++) {
        row[k] *= scale;
        rounded[k] = floor(row[k]);
        row[k] -= rounded[k];
        sum -= rounded[k];
    }

    while (sum > 0) {
        largest = 0;

        for (k = 1; k < n; k++) {
            if (row[k] > row[largest]) {
                largest = k;
            }
        }

        rounded[largest]++;
        row[largest] = -1;
        sum--;
    }
}


/* whether samples of 16 bits can never exceed the kernels' sums */

static int
vb_resampler_fits(const int32_t *row, size_t n)
{
    size_t    k;
    uint32_t  sums[4] = { 0, 0, 0, 0 }, *sum;

    for (k = 0; k < n; k++) {
        if (row[k] > INT16_MAX || row[k] < -INT16_MAX) {
            return VB_DECLINED;
        }

        sum = &sums[k / 2 % 4];
        *sum += (row[k] < 0) ? -row[k] : row[k];

        if (*sum > VB_RESAMPLER_SUM) {
            return VB_DECLINED;
        }
    }

    return VB_OK;
}
