
/*
 * Tones and what is left of them: for tests and figures of the audio room.
 *
 * Tones are measured over a whole number of their periods, where a tone, a
 * constant and other tones of that kind are orthogonal: in 100 ms those are
 * the multiples of 10 Hz, in a second those of 1 Hz.
 */


#ifndef _VB_TONE_H_INCLUDED_
#define _VB_TONE_H_INCLUDED_


#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>


/* a tone's amplitude and all power beside it */
typedef struct {
    double  amplitude;
    double  noise;              /* root mean square */
    double  snr;                /* dB */
} tone_t;


/* writes n samples of a tone of f Hz, from sample first on */
static inline void
tone_write(int16_t *dst, size_t first, size_t n, double rate, double f,
    double amplitude)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        dst[i] = lrint(amplitude * sin(2 * M_PI * f * (first + i) / rate));
    }
}


/* a level as decibels of another */
static inline double
tone_db(double level, double of)
{
    return 20 * log10((level + 1e-9) / of);
}


static inline double
tone_rms(const int16_t *x, size_t n)
{
    size_t  i;
    double  sum;

    sum = 0;

    for (i = 0; i < n; i++) {
        sum += (double) x[i] * x[i];
    }

    return sqrt(sum / n);
}


/* n samples must be a whole number of periods */
static inline tone_t
tone_measure(const int16_t *x, size_t n, double rate, double f)
{
    size_t         i;
    double         re, im, c, s, turn_c, turn_s, t, rms;
    tone_t  tone;

    re = im = s = 0;
    c = 1;
    turn_c = cos(2 * M_PI * f / rate);
    turn_s = sin(2 * M_PI * f / rate);

    for (i = 0; i < n; i++) {
        re += x[i] * c;
        im += x[i] * s;

        t = c * turn_c - s * turn_s;
        s = s * turn_c + c * turn_s;
        c = t;
    }

    rms = tone_rms(x, n);

    tone.amplitude = 2 * sqrt(re * re + im * im) / n;
    tone.noise = sqrt(fmax(0, rms * rms
                              - tone.amplitude * tone.amplitude / 2));
    tone.snr = tone_db(tone.amplitude / sqrt(2), tone.noise + 1e-9);

    return tone;
}


/* something like speech: what a correlation can tell the delay of */
static inline double
tone_voice(double t)
{
    return 9000 * sin(2 * M_PI * 310 * t) + 7000 * sin(2 * M_PI * 737 * t + 1)
           + 5000 * sin(2 * M_PI * 1511 * t + 2)
           + 4000 * sin(2 * M_PI * 2477 * t + 3);
}


/*
 * By how many seconds x, n samples from sample first on, is later than
 * tone_voice(): where their correlation is highest, to a microsecond.
 */
static inline double
tone_delay(const int16_t *x, size_t first, size_t n, double rate)
{
    int     us, step, from, to, best;
    size_t  i;
    double  sum, highest;

    from = 0;
    to = 8000;
    best = 0;

    for (step = 50; step; step /= 7) {
        highest = -1e30;

        for (us = from; us <= to; us += step) {
            sum = 0;

            for (i = 0; i < n; i++) {
                sum += x[i] * tone_voice((first + i) / rate - us * 1e-6);
            }

            if (sum > highest) {
                highest = sum;
                best = us;
            }
        }

        from = best - step;
        to = best + step;
    }

    return best * 1e-6;
}


/* a reproducible sequence */
static inline uint32_t
tone_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;

    return *state >> 8;
}


#endif /* _VB_TONE_H_INCLUDED_ */
