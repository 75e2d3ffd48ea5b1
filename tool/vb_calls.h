
/* What is answered of calls: voicebridge_calls of all, Twilio of one */


#ifndef _VB_CALLS_H_INCLUDED_
#define _VB_CALLS_H_INCLUDED_


#include <vb_outcome.h>


typedef void (*vb_calls_pt)(void *data, const char *call_sid,
    const vb_progress_of_call_t *progress);


/* VB_OK, or VB_ERROR: it is no such answer */
int vb_calls_read(const vb_str_t *body, vb_calls_pt each, void *data);

/* the same of Twilio's answer, whose status is the reason; progress is zero */
int vb_calls_read_one(const vb_str_t *body, vb_progress_of_call_t *progress);


#endif /* _VB_CALLS_H_INCLUDED_ */
