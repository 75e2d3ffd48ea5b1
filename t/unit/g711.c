
/* mu-law against the decision values of G.711, all codes and all samples */


#include <tap.h>
#include <guard.h>
#include <vb_g711.h>

/* the portable code under names of its own */

#ifndef VB_PORTABLE
#define VB_PORTABLE  1
#endif

#define vb_g711_ulaw_decode  portable_decode
#define vb_g711_ulaw_encode  portable_encode

#include "../../src/audio/vb_g711.c"

#undef vb_g711_ulaw_decode
#undef vb_g711_ulaw_encode


/*
 * The decision values of table 2a, of 14 bits: interval n is from decision[n]
 * to below decision[n + 1], and its value the middle, but 0 for the first.
 */
static int  decision[129];


static void
decisions(void)
{
    int  n;

    decision[0] = 0;
    decision[1] = 1;

    for (n = 1; n < 128; n++) {
        decision[n + 1] = decision[n] + (2 << n / 16);
    }
}


static int
value(int code)
{
    int  n, magnitude;

    n = ~code & 0x7f;
    magnitude = (n == 0) ? 0 : 2 * (decision[n] + decision[n + 1]);

    return (code & 0x80) ? magnitude : -magnitude;
}


static int
code(int sample)
{
    int  n, magnitude;

    magnitude = (sample < 0) ? -sample : sample;

    for (n = 0; n < 127 && magnitude >= 4 * decision[n + 1]; n++) {
        /* void */
    }

    return n ^ ((sample < 0) ? 0x7f : 0xff);
}


static void
check_table(void)
{
    int  i, expected[9];

    static const int  segments[] = {
        0, 31, 95, 223, 479, 991, 2015, 4063, 8159
    };

    for (i = 0; i < 9; i++) {
        expected[i] = decision[i * 16];
    }

    is_mem(expected, sizeof(expected), segments, sizeof(segments),
           "the segments of G.711 end where its table says");
}


static void
check_decode(void)
{
    int       c, good;
    uint8_t   codes[256];
    int16_t   out[256];

    for (c = 0; c < 256; c++) {
        codes[c] = c;
    }

    vb_g711_ulaw_decode(out, codes, 256);

    good = 1;

    for (c = 0; c < 256; c++) {
        good &= (out[c] == value(c));
    }

    ok(good, "256 codes are the values of G.711");
    is_int(out[0x00], -32124, "code 00");
    is_int(out[0x80], 32124, "code 80");
    is_int(out[0xff], 0, "code ff is silence");
    is_int(out[0x7f], 0, "and so is 7f");
    is_int(out[VB_G711_ULAW_SILENCE], 0, "VB_G711_ULAW_SILENCE is silence");
}


static void
check_encode(const char *name,
    void (*encode)(uint8_t *, const int16_t *, size_t))
{
    int       i, good, c;
    int16_t  *in, back;
    uint8_t  *out;

    in = guarded(65536 * sizeof(int16_t));
    out = guarded(65536);

    for (i = 0; i < 65536; i++) {
        in[i] = i - 32768;
    }

    encode(out, in, 65536);

    good = 1;

    for (i = 0; i < 65536; i++) {
        good &= (out[i] == code(in[i]));
    }

    ok(good, "%s: 65536 samples get the codes of G.711", name);

    good = 1;

    for (c = 0; c < 256; c++) {
        back = value(c);
        encode(out, &back, 1);
        good &= (out[0] == ((c == 0x7f) ? 0xff : c));
    }

    ok(good, "%s: a decoded code is encoded to itself", name);
}


static void
check_lengths(void)
{
    int       good;
    size_t    n, i;
    int16_t  *in, *decoded;
    uint8_t  *out, expected[64];

    good = 1;

    for (n = 0; n < 64; n++) {
        in = guarded(n * sizeof(int16_t));
        decoded = guarded(n * sizeof(int16_t));
        out = guarded(n);

        for (i = 0; i < n; i++) {
            in[i] = 32767 - 1031 * i;
            expected[i] = code(in[i]);
        }

        vb_g711_ulaw_encode(out, in, n);
        good &= (memcmp(out, expected, n) == 0);

        vb_g711_ulaw_decode(decoded, out, n);

        for (i = 0; i < n; i++) {
            good &= (decoded[i] == value(out[i]));
        }
    }

    ok(good, "0 to 63 samples, both ways, within their areas");
}


int
main(void)
{
    decisions();

    check_table();
    check_decode();
    check_encode("vector", vb_g711_ulaw_encode);
    check_encode("portable", portable_encode);
    check_lengths();

    return done_testing();
}
