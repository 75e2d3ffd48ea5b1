
/* Calls of a bulk that are not yet to be placed, the earliest first */


#ifndef _VB_WAITING_H_INCLUDED_
#define _VB_WAITING_H_INCLUDED_


#include <vb_follow.h>


typedef struct vb_job_s  vb_job_t;


/* a row that is to be dialled, or is being */
struct vb_job_s {
    uint64_t         number;           /* of the row */
    uint64_t         chain;            /* until the journal knows the row */
    int64_t          due;              /* ms since the epoch */
    int64_t          intent;           /* when it was dialled, the same */
    unsigned         attempt;          /* from 1, a part of its key */
    unsigned         doubts;           /* answers that left it open */
    unsigned         repeat:1;         /* asked before, with the same key */
    unsigned char    retries[VB_OUTCOMES];

    char            *to;               /* all in the job's own memory */
    char            *zone;
    char            *body;

    void            *dialer;
    vb_followed_t    followed;
};


/* a binary heap by due, then by row */
typedef struct {
    size_t           n;
    size_t           size;
    vb_job_t       **jobs;
} vb_waiting_t;


void vb_waiting_push(vb_waiting_t *w, vb_job_t *job);

/* the earliest, or NULL; it is taken out by vb_waiting_pop() */
vb_job_t *vb_waiting_top(const vb_waiting_t *w);
vb_job_t *vb_waiting_pop(vb_waiting_t *w);


#endif /* _VB_WAITING_H_INCLUDED_ */
