
/* Speech on a telephone line, by its level */


#include <vb_activity.h>


/*
 * A mu-law code without its sign is the magnitude's complement.  This one is
 * 99 of 8031, -38 dB of full scale; speech is at -26 dB, a quiet line's noise
 * below -50.
 */
#define VB_ACTIVITY_CODE  (0x7f - 0x20)

/* of the samples, so many have to be as loud: 1/8 */
#define VB_ACTIVITY_SHARE  8


vb_activity_change_t
vb_activity(vb_activity_t *a, const uint8_t *ulaw, size_t len, uint32_t now)
{
    size_t    i, loud;
    uint32_t  begin;

    loud = 0;

    for (i = 0; i < len; i++) {
        loud += (ulaw[i] & 0x7f) <= VB_ACTIVITY_CODE;
    }

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
