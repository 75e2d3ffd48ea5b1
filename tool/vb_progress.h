
/* How a bulk gets on: a bar on a terminal, plain lines elsewhere; the end */


#ifndef _VB_PROGRESS_H_INCLUDED_
#define _VB_PROGRESS_H_INCLUDED_


#include <vb_dialer.h>


typedef struct {
    int              tty;
    int              quiet;
    int64_t          interval;         /* ms from line to line */
    uint64_t         total;            /* rows; 0: not known */

    int64_t          started;
    int64_t          shown;
    uint64_t         done;             /* rows before this run */
    unsigned         drawn:1;
    unsigned         narrow:1;         /* no room for a bar */
    char             last[240];
} vb_progress_t;


/* on the standard error; interval 0: one that suits it */
void vb_progress_init(vb_progress_t *p, uint64_t total, int64_t interval,
    int quiet);

/* what was done before this run, which is none of its pace */
void vb_progress_from(vb_progress_t *p, const vb_tally_t *tally);

/* a vb_dialer_progress_pt */
void vb_progress_show(void *ctx, const vb_tally_t *tally, const char *line);

/* takes the bar away */
void vb_progress_clear(vb_progress_t *p);


/* the statistics at the end, for people or as JSON, on the standard output */
void vb_progress_report(vb_progress_t *p, const vb_tally_t *tally,
    const char *journal, const char *why, int json);


#endif /* _VB_PROGRESS_H_INCLUDED_ */
