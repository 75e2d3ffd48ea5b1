
/* vb_activity: speech on a line by its level */


#include <math.h>

#include <tap.h>

#include <vb_activity.h>
#include <vb_g711.h>


#define FRAME  160


static uint8_t  loud[FRAME];
static uint8_t  quiet[FRAME];

static uint32_t  now;


/* feeds ms of a sound in frames of 20 ms; the first change, and when */

static vb_activity_change_t
feed(vb_activity_t *a, const uint8_t *frame, uint32_t ms, uint32_t *when)
{
    uint32_t              t;
    vb_activity_change_t  change, first;

    first = VB_ACTIVITY_NONE;

    for (t = 0; t < ms; t += 20) {
        now += 20;
        change = vb_activity(a, frame, FRAME, now);

        if (change != VB_ACTIVITY_NONE && first == VB_ACTIVITY_NONE) {
            first = change;
            *when = now;
        }
    }

    return first;
}


static void
tone(uint8_t *frame, double db)
{
    int      i;
    int16_t  pcm[FRAME];

    for (i = 0; i < FRAME; i++) {
        pcm[i] = 32124 * pow(10, db / 20) * sin(i * 2 * M_PI * 300 / 8000);
    }

    vb_g711_ulaw_encode(frame, pcm, FRAME);
}


int
main(void)
{
    int            i;
    uint8_t        silence[FRAME];
    uint32_t       when;
    vb_activity_t  a;

    tone(loud, -23);
    tone(quiet, -47);
    memset(silence, VB_G711_ULAW_SILENCE, FRAME);
    memset(&a, 0, sizeof(a));

    now = 0;

    is_int(feed(&a, silence, 1000, &when), VB_ACTIVITY_NONE, "silence");
    is_int(feed(&a, quiet, 1000, &when), VB_ACTIVITY_NONE, "a line's noise");

    is_int(feed(&a, loud, 40, &when), VB_ACTIVITY_NONE, "a click");
    is_int(feed(&a, quiet, 1000, &when), VB_ACTIVITY_NONE, "is no speech");

    now = 5000;

    is_int(feed(&a, loud, 1000, &when), VB_ACTIVITY_BEGAN, "speech");
    is_int(a.since, 5000, "since its first sample");
    is_int(when, 5000 + VB_ACTIVITY_ONSET, "known soon");

    is_int(feed(&a, quiet, VB_ACTIVITY_PAUSE - 20, &when), VB_ACTIVITY_NONE,
           "a pause");
    is_int(feed(&a, loud, 400, &when), VB_ACTIVITY_NONE, "and on");
    is_int(feed(&a, quiet, 1000, &when), VB_ACTIVITY_ENDED, "the end");
    is_int(a.last, 6980, "at its last sample");

    memset(&a, 0, sizeof(a));

    is_int(vb_activity(&a, loud, FRAME, 5), VB_ACTIVITY_NONE,
           "audio from before the beginning");
    is_int(a.since, 0, "begins there");

    memset(&a, 0, sizeof(a));

    for (i = 0; i < FRAME; i++) {
        silence[i] = i % 2 ? 0x5f : 0xdf;
    }

    is_int(feed(&a, silence, 200, &when), VB_ACTIVITY_BEGAN, "just loud");

    memset(&a, 0, sizeof(a));

    for (i = 0; i < FRAME; i++) {
        silence[i] = i % 2 ? 0x60 : 0xe0;
    }

    is_int(feed(&a, silence, 200, &when), VB_ACTIVITY_NONE, "not quite");

    memset(silence, VB_G711_ULAW_SILENCE, FRAME);
    memset(&a, 0, sizeof(a));

    is_int(vb_activity(&a, loud, 0, 100), VB_ACTIVITY_NONE, "no audio");
    is_int(a.sound, 0, "is no sound");

    /* one sample in eight is not enough, whatever its sign */

    for (i = 0; i < FRAME; i += 8) {
        silence[i] = i % 16 ? 0x80 : 0x00;
    }

    is_int(feed(&a, silence, 200, &when), VB_ACTIVITY_NONE, "clicks");

    silence[1] = 0x80;

    is_int(feed(&a, silence, 200, &when), VB_ACTIVITY_BEGAN, "more of them");

    return done_testing();
}
