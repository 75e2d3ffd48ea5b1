
/* vb_wav and vb_playout: what a telephone says and hears */


#include <tap.h>
#include <vb_g711.h>
#include <vb_playout.h>
#include <vb_wav.h>

#include <math.h>
#include <stdlib.h>
#include <unistd.h>


static void
put(vb_text_t *t, uint32_t n, size_t bytes)
{
    u_char  c;

    for ( /* void */ ; bytes; bytes--) {
        c = n & 0xff;
        vb_text_add(t, &c, 1);
        n >>= 8;
    }
}


/* a tone of 1 kHz, a quarter of a second, in every channel */

static void
wav(vb_text_t *t, unsigned rate, unsigned channels, unsigned bits,
    unsigned codec)
{
    unsigned  i, c, n;

    vb_text_reset(t);
    n = rate / 4;

    vb_text_puts(t, "RIFF");
    put(t, 36 + n * channels * 2, 4);
    vb_text_puts(t, "WAVEfmt ");
    put(t, 16, 4);
    put(t, codec, 2);
    put(t, channels, 2);
    put(t, rate, 4);
    put(t, rate * channels * 2, 4);
    put(t, channels * 2, 2);
    put(t, bits, 2);
    vb_text_puts(t, "data");
    put(t, n * channels * 2, 4);

    for (i = 0; i < n; i++) {
        for (c = 0; c < channels; c++) {
            put(t, (int16_t) (16000 * sin(2 * M_PI * 1000 * i / rate)), 2);
        }
    }
}


static int
parse(vb_text_t *file, vb_text_t *ulaw, const char **why)
{
    vb_str_t  bytes;

    bytes.data = file->data;
    bytes.len = file->len;

    vb_text_reset(ulaw);

    return vb_wav_parse(&bytes, ulaw, why);
}


/* how much of the sound is the tone, in percent of its level as it was */

static int
percent(const vb_text_t *ulaw)
{
    double   s, c;
    size_t   i, n;
    int16_t  sample;

    s = 0;
    c = 0;
    n = 0;

    for (i = 400; i + 400 < ulaw->len; i++, n++) {
        vb_g711_ulaw_decode(&sample, ulaw->data + i, 1);
        s += sample * sin(2 * M_PI * 1000 * i / 8000);
        c += sample * cos(2 * M_PI * 1000 * i / 8000);
    }

    return n ? 2 * sqrt(s * s + c * c) / n / 160 + 0.5 : 0;
}


static void
test_formats(void)
{
    size_t       i;
    vb_text_t    file, ulaw;
    const char  *why;

    static const unsigned  rates[] = {
        8000, 16000, 22050, 24000, 44100, 48000
    };

    memset(&file, 0, sizeof(vb_text_t));
    memset(&ulaw, 0, sizeof(vb_text_t));

    for (i = 0; i < 12; i++) {
        wav(&file, rates[i / 2], 1 + i % 2, 16, 1);

        is_int(parse(&file, &ulaw, &why), VB_OK, "%u Hz, %u channels",
               rates[i / 2], (unsigned) (1 + i % 2));
        ok(labs((long) ulaw.len - 2000) < 40, "a quarter of a second");
        ok(abs(percent(&ulaw) - 100) < 3, "as loud as it was");
    }

    wav(&file, 11025, 1, 16, 1);
    is_int(parse(&file, &ulaw, &why), VB_ERROR, "another rate");

    wav(&file, 8000, 1, 8, 1);
    is_int(parse(&file, &ulaw, &why), VB_ERROR, "8 bits");

    wav(&file, 8000, 3, 16, 1);
    is_int(parse(&file, &ulaw, &why), VB_ERROR, "three channels");

    wav(&file, 8000, 1, 16, 7);
    is_int(parse(&file, &ulaw, &why), VB_ERROR, "another codec");

    /* every cut of a file is an error or a shorter file, and no more */

    wav(&file, 8000, 1, 16, 1);

    while (file.len) {
        file.len -= file.len > 200 ? 97 : 1;
        file.data = vb_realloc(file.data, file.len + 1);
        file.size = file.len + 1;

        if (parse(&file, &ulaw, &why) == VB_OK && file.len < 44) {
            break;
        }
    }

    is_int(file.len, 0, "files that are cut");

    vb_text_free(&file);
    vb_text_free(&ulaw);
}


static void
test_round(void)
{
    u_char       ulaw[1000];
    size_t       i;
    vb_wav_t     wav;
    vb_text_t    back;
    const char  *why;
    char         name[] = "/tmp/tool_wav.XXXXXX";

    memset(&back, 0, sizeof(vb_text_t));

    /* 0x7f is the other zero */

    for (i = 0; i < sizeof(ulaw); i++) {
        ulaw[i] = (i & 0xff) == 0x7f ? 0xff : i & 0xff;
    }

    close(mkstemp(name));

    is_int(vb_wav_create(&wav, name), VB_OK, "created");
    is_int(vb_wav_write(&wav, ulaw, sizeof(ulaw)), VB_OK, "written");
    is_int(vb_wav_close(&wav), VB_OK, "closed");

    is_int(vb_wav_read(name, &back, &why), VB_OK, "read back");
    is_mem(back.data, back.len, ulaw, sizeof(ulaw), "the same");

    unlink(name);
    vb_text_free(&back);
}


static void
is_due(vb_playout_t *p, const char *expected)
{
    char  *name;

    name = vb_playout_due(p);

    ok(expected ? (name && strcmp(name, expected) == 0) : name == NULL,
       "due: %s", expected ? expected : "none");

    free(name);
}


static void
test_playout(void)
{
    u_char         frame[160], sound[400];
    vb_playout_t  *p;

    p = vb_alloc(sizeof(vb_playout_t));
    memset(sound, 'a', sizeof(sound));

    is_int(vb_playout_play(p, frame, 160), 0, "nothing to play");
    is_int(frame[0], 0xff, "is silence");

    vb_playout_mark(p, "at once");
    is_due(p, "at once");

    vb_playout_add(p, sound, 400);
    vb_playout_mark(p, "one");
    vb_playout_add(p, sound, 100);
    vb_playout_mark(p, "two");
    vb_playout_mark(p, "three");
    is_due(p, NULL);

    is_int(vb_playout_play(p, frame, 160), 160, "20 ms");
    is_int(vb_playout_play(p, frame, 160), 160, "20 ms more");
    is_due(p, NULL);
    is_int(vb_playout_play(p, frame, 160), 160, "and more");
    is_due(p, "one");
    is_due(p, NULL);

    is_int(vb_playout_clear(p), 20, "what is left is dropped");
    is_due(p, "two");
    is_due(p, "three");
    is_due(p, NULL);

    vb_playout_add(p, sound, 10);
    is_int(vb_playout_play(p, frame, 160), 10, "less than a frame");
    is_int(frame[9], 'a', "then");
    is_int(frame[10], 0xff, "silence");

    while (vb_playout_queued(p) + 400 <= VB_PLAYOUT_MAX) {
        vb_playout_add(p, sound, 400);
    }

    is_int(vb_playout_add(p, sound, 400), 400, "it is full");
    free(p->queue.data);
    free(p);
}


int
main(void)
{
    test_formats();
    test_round();
    test_playout();

    return done_testing();
}
