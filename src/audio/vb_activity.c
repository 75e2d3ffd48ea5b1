
/* Speech on a telephone line, by its level */


#include <vb_activity.h>


/*
 * A mu-law code without its sign is the magnitude's complement.  From this
 * one on, 99 of 8031, -38 dB of full scale, it is quiet; speech is at -26 dB,
 * a quiet line's noise below -50.
 */
#define VB_ACTIVITY_QUIET  0x60

/* of the samples, so many have to be as loud: 1/8 */
#define VB_ACTIVITY_SHARE  8


static size_t vb_activity_loud(const uint8_t *ulaw, size_t len);


vb_activity_change_t
vb_activity(vb_activity_t *a, const uint8_t *ulaw, size_t len, uint32_t now)
{
    size_t    loud;
    uint32_t  begin;

    loud = vb_activity_loud(ulaw, len);
    begin = now - vb_min(now, len / 8);

    if (loud * VB_ACTIVITY_SHARE > len) {

        if (!a->sound) {
            a->sound = 1;
            a->since = begin;
        }

        a->last = now;

        if (!a->speech && now - a->since >= VB_ACTIVITY_ONSET) {
            a->speech = 1;
            return VB_ACTIVITY_BEGAN;
        }

        return VB_ACTIVITY_NONE;
    }

    if (!a->speech) {
        a->sound = 0;

    } else if (now - a->last >= VB_ACTIVITY_PAUSE) {
        a->sound = 0;
        a->speech = 0;
        return VB_ACTIVITY_ENDED;
    }

    return VB_ACTIVITY_NONE;
}


/* how many samples are loud: eight at a time, each in a byte of its own */

static size_t
vb_activity_loud(const uint8_t *ulaw, size_t len)
{
    size_t    quiet, i;
    uint64_t  x;

    quiet = 0;

    for (i = 0; i + 8 <= len; i += 8) {
        memcpy(&x, ulaw + i, 8);

        x &= 0x7f7f7f7f7f7f7f7f;
        x += 0x0101010101010101 * (0x80 - VB_ACTIVITY_QUIET);

        /* the upper bits of the bytes, and their sum in the uppermost byte */

        x = (x & 0x8080808080808080) >> 7;
        quiet += (x * 0x0101010101010101) >> 56;
    }

    for ( /* void */ ; i < len; i++) {
        quiet += (ulaw[i] & 0x7f) >= VB_ACTIVITY_QUIET;
    }

    return len - quiet;
}
