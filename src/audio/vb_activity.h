
/*
 * Whether somebody speaks on a telephone line, by the level alone: good
 * enough to draw who spoke when, and nothing else depends on it.
 */


#ifndef _VB_ACTIVITY_H_INCLUDED_
#define _VB_ACTIVITY_H_INCLUDED_


#include <vb_core.h>


/* shorter sounds are no speech; shorter pauses do not end it: ms */
#define VB_ACTIVITY_ONSET  60
#define VB_ACTIVITY_PAUSE  600


typedef enum {
    VB_ACTIVITY_NONE = 0,              /* nothing has changed */
    VB_ACTIVITY_BEGAN,                 /* at since */
    VB_ACTIVITY_ENDED                  /* at last */
} vb_activity_change_t;


/* all zero at first */
typedef struct {
    uint32_t         since;            /* speech, or what may become some */
    uint32_t         last;             /* the end of the last loud sound */
    unsigned         sound:1;          /* since is set */
    unsigned         speech:1;         /* it has lasted for long enough */
} vb_activity_t;


/*
 * Takes len mu-law bytes (8 a ms) that end at the moment now, ms from any
 * start that stays the same and less than 2^31 ms ago.
 */
vb_activity_change_t vb_activity(vb_activity_t *a, const uint8_t *ulaw,
    size_t len, uint32_t now);


#endif /* _VB_ACTIVITY_H_INCLUDED_ */
