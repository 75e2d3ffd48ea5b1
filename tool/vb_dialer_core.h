
/* What the parts of the dialer share: rows in, calls out, outcomes back */


#ifndef _VB_DIALER_CORE_H_INCLUDED_
#define _VB_DIALER_CORE_H_INCLUDED_


#include <vb_dialer.h>


struct vb_dialer_s {
    vb_dialer_conf_t         conf;
    vb_dialer_progress_pt    progress;
    void                    *ctx;

    vb_follow_t             *follow;
    vb_waiting_t             waiting;
    vb_tally_t               tally;

    double                   next;     /* of the pace: monotonic ms */
    int64_t                  hold;     /* nobody is dialled before: the same */
    unsigned                 unreachable;  /* answers in a row that were none */
    unsigned                 unknown;  /* calls in a row that are left open */

    u_char                   window[VB_DIALER_WINDOW];
    size_t                   judged;
    size_t                   failures; /* in the window, or in all */

    unsigned                 end:1;    /* of the rows */
    unsigned                 blind:1;  /* calls cannot be followed */
    unsigned                 interrupts;
    int                      status;   /* to exit with, once it stops */
    char                     why[480];
};


/* the row at hand as a job */
vb_job_t *vb_dialer_job(vb_dialer_t *d);

/* a row's last word: counts it, and judges whether it is time to stop */
void vb_dialer_count(vb_dialer_t *d, uint64_t row, vb_outcome_t outcome,
    const char *detail);

/* a row that is not dialled at all */
void vb_dialer_skip(vb_dialer_t *d, uint64_t number, uint64_t chain,
    const char *to, vb_outcome_t outcome, const char *detail);

/* a job is going to be dialled, for which the journal has to have its intent */
void vb_dialer_intend(vb_dialer_t *d, vb_job_t *job, int64_t wall);

/* places the calls of jobs once their intents are on the disk */
void vb_dialer_dial(vb_dialer_t *d, vb_job_t **jobs, size_t n);

/* a call that is on already is followed */
void vb_dialer_follow(vb_dialer_t *d, vb_job_t *job);

/* what became of a call; with it the job may be over */
void vb_dialer_outcome(vb_dialer_t *d, vb_job_t *job, vb_outcome_t outcome,
    int64_t duration, const char *detail);

/* of vb_follow_t */
void vb_dialer_followed(void *ctx, vb_followed_t *call,
    const vb_progress_of_call_t *progress);

/* dials nobody more; the first reason counts */
void vb_dialer_stop(vb_dialer_t *d, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* a line for people, where they want to see every row */
void vb_dialer_say(vb_dialer_t *d, uint64_t row, const char *to,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));


#endif /* _VB_DIALER_CORE_H_INCLUDED_ */
