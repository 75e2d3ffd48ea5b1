
/*
 * The journal of a bulk: which rows were dialled, and what became of them.
 * JSON lines, appended only; an intent is on the disk before its call is
 * placed, so that after any end the next run knows what may have happened.
 */


#ifndef _VB_JOURNAL_H_INCLUDED_
#define _VB_JOURNAL_H_INCLUDED_


#include <vb_outcome.h>


typedef enum {
    VB_ROW_WAITS = 0,                  /* until at: hours, or one more try */
    VB_ROW_DOUBT,                      /* an intent since at, no answer */
    VB_ROW_PLACED,                     /* a call without an outcome */
    VB_ROW_DONE
} vb_row_state_t;


/* a row that is not done */
typedef struct {
    uint64_t             number;
    vb_row_state_t       state;
    unsigned             attempt;      /* of the next or of this intent */
    unsigned char        retries[VB_OUTCOMES];
    int64_t              at;           /* ms since the epoch */
    char                 call_sid[36];
} vb_journal_row_t;


typedef struct {
    const char          *name;
    char                 id[33];
    int                  fd;
    vb_text_t            out;          /* records that are not written yet */
    unsigned             held:1;       /* they are not to be, so far */

    /* what was found in it */
    uint64_t             next;         /* first row it does not know, from 1 */
    uint64_t             chain;        /* vb_rows_t's, of the row before it */
    size_t               nrows;        /* those not done, by number */
    size_t               size;
    size_t               ndone;        /* among them, not yet taken out */
    vb_journal_row_t    *rows;
    uint64_t             outcomes[VB_OUTCOMES];
    uint64_t             calls;        /* that were placed */
    int64_t              duration;     /* of all of them, ms */
    uint64_t             timed;        /* those with a duration */
    uint64_t             retries;

    char                 error[300];
} vb_journal_t;


/*
 * Opens, or with nothing there makes, the journal name; input is the name in
 * its first record.  A record at its end that was not written whole is cut
 * off.  VB_OK, or VB_ERROR with j->error: it is another file, damaged, or in
 * use.
 */
int vb_journal_open(vb_journal_t *j, const char *name, const char *input);
void vb_journal_close(vb_journal_t *j);

/* a row that is not done, or NULL */
vb_journal_row_t *vb_journal_find(vb_journal_t *j, uint64_t number);


/*
 * Records.  chain is that of the row, for the first record of each, or 0; the
 * first records of rows are in the order of rows.
 */

/* the row has to wait until a time */
void vb_journal_wait(vb_journal_t *j, uint64_t row, uint64_t chain,
    int64_t until);

/* its call is about to be placed */
void vb_journal_intent(vb_journal_t *j, uint64_t row, uint64_t chain,
    unsigned attempt, int64_t now);

void vb_journal_placed(vb_journal_t *j, uint64_t row, const char *call_sid);

/*
 * Its outcome; again is when it is dialled once more, or VB_NEVER: then it is
 * done.  NONE and again: nobody was dialled, it is no outcome.
 */
void vb_journal_result(vb_journal_t *j, uint64_t row, uint64_t chain,
    vb_outcome_t outcome, int64_t again, int64_t duration,
    const char *detail);


/* writes what there is; vb_journal_sync() waits until it is on the disk.
 * Where that fails the program ends: there is no call without an intent. */
void vb_journal_flush(vb_journal_t *j);
void vb_journal_sync(vb_journal_t *j);


#endif /* _VB_JOURNAL_H_INCLUDED_ */
