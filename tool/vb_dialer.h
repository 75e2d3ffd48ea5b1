
/*
 * Dials the rows of a bulk: when each may be called, how many at a time, what
 * is done about each outcome; and when it is time to stop.
 */


#ifndef _VB_DIALER_H_INCLUDED_
#define _VB_DIALER_H_INCLUDED_


#include <vb_follow.h>
#include <vb_journal.h>
#include <vb_numbers.h>
#include <vb_place.h>
#include <vb_rows.h>
#include <vb_schedule.h>
#include <vb_waiting.h>


/* outcomes of so many rows are looked at for a threshold in percent, once
 * there are that many of them */
#define VB_DIALER_WINDOW      100
#define VB_DIALER_WINDOW_MIN  20


typedef struct {
    unsigned             max;          /* times after the first */
    int64_t              delay;        /* ms, before the first; it doubles */
} vb_retry_t;


typedef struct {
    const vb_settings_t *settings;
    vb_http_t           *http;
    vb_follow_conf_t     follow;
    vb_rows_t           *rows;
    vb_journal_t        *journal;
    vb_schedule_t       *schedule;
    vb_numbers_t        *blocked;
    vb_numbers_t        *once;         /* NULL: a number may come twice */
    vb_retry_t           retry[VB_OUTCOMES];

    int64_t              max_live;
    int64_t              max_waiting;
    double               interval;     /* ms from call to call */
    int64_t              idempotency;  /* ms for which the server knows a key;
                                          0: it does not look at it */
    int64_t              max_failures; /* 0: any number of them */
    int                  percent;      /* max_failures are percent */
    int                  no_wait;      /* ends when all that is left waits */
    int                  verbose;
} vb_dialer_conf_t;


typedef struct {
    uint64_t             rows;         /* that have been looked at */
    uint64_t             outcomes[VB_OUTCOMES];
    uint64_t             calls;        /* that were placed */
    uint64_t             retries;
    int64_t              duration;     /* of calls, ms */
    uint64_t             timed;        /* calls with a duration */
    size_t               live;
    size_t               waiting;
    int64_t              next_due;     /* of those, ms since the epoch */
    char                 failure[400]; /* the first, "row 1, refused: ..." */
    int                  paused;
    int                  stopping;
} vb_tally_t;


typedef struct vb_dialer_s  vb_dialer_t;


/* called again and again: something may have changed */
typedef void (*vb_dialer_progress_pt)(void *ctx, const vb_tally_t *tally,
    const char *line);


vb_dialer_t *vb_dialer_create(const vb_dialer_conf_t *conf,
    vb_dialer_progress_pt progress, void *ctx);

/*
 * Takes up what the journal left: reads the rows it knows.  VB_OK, or
 * VB_ERROR with *why: it is a journal of other rows.
 */
int vb_dialer_resume(vb_dialer_t *d, const char **why);

/*
 * Dials until all is done, or until it has to stop.  Returns an exit code;
 * *why is the reason where it stopped, else NULL.
 */
int vb_dialer_run(vb_dialer_t *d, const char **why);

const vb_tally_t *vb_dialer_tally(vb_dialer_t *d);

/* the body of a row's request; to: whom to call, if not the row's own */
void vb_dialer_body(const vb_dialer_conf_t *conf, const char *to,
    vb_text_t *body);


#endif /* _VB_DIALER_H_INCLUDED_ */
