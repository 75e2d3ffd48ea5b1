
/* What became of a call, a row: the words of journals and statistics */


#ifndef _VB_OUTCOME_H_INCLUDED_
#define _VB_OUTCOME_H_INCLUDED_


#include <vb_tool.h>


/* a call is no longer, whatever is told, in seconds */
#define VB_OUTCOME_MAX_DURATION  1000000


typedef enum {
    VB_OUTCOME_NONE = 0,               /* it is not over */
    VB_OUTCOME_COMPLETED,
    VB_OUTCOME_BUSY,
    VB_OUTCOME_NO_ANSWER,
    VB_OUTCOME_FAILED,                 /* could not be dialled */
    VB_OUTCOME_CANCELED,
    VB_OUTCOME_MACHINE,                /* answered, and was hung up on */
    VB_OUTCOME_BROKEN,                 /* answered, but the agent failed */
    VB_OUTCOME_REFUSED,                /* by the server or by Twilio */
    VB_OUTCOME_UNKNOWN,                /* there may have been a call */
    VB_OUTCOME_INVALID,                /* the row: nobody was dialled */
    VB_OUTCOME_BLOCKED,                /* on the do-not-call list */
    VB_OUTCOMES
} vb_outcome_t;


/* a call as its server or Twilio tells it */
typedef struct {
    vb_outcome_t     outcome;          /* NONE: it is going on */
    const char      *state;            /* a word for people, static */
    char             reason[40];       /* end_reason, or Twilio's status */
    char             error[160];
    int64_t          duration;         /* ms, or -1 */
} vb_progress_of_call_t;


/* "no-answer" and such, static */
const char *vb_outcome_name(vb_outcome_t outcome);

/* whether a reason says no more than the outcome's name: "", "no_answer" */
int vb_outcome_says(vb_outcome_t outcome, const char *reason);

/* VB_OUTCOME_NONE: there is none of that name */
vb_outcome_t vb_outcome_find(const u_char *name, size_t len);

/* whether somebody is to look at it */
int vb_outcome_is_failure(vb_outcome_t outcome);

/*
 * Of the module's end_reason, or of a status of Twilio's;
 * VB_OUTCOME_NONE where it is not over yet.
 */
vb_outcome_t vb_outcome_of(const u_char *word, size_t len);


#endif /* _VB_OUTCOME_H_INCLUDED_ */
