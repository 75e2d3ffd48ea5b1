
/* Places a call: the request to POST /twilio/outbound-call and its answer */


#ifndef _VB_PLACE_H_INCLUDED_
#define _VB_PLACE_H_INCLUDED_


#include <vb_http.h>
#include <vb_settings.h>


typedef enum {
    VB_PLACED,                         /* there is a call */
    VB_PLACE_REFUSED,                  /* this one never will be */
    VB_PLACE_LATER,                    /* there is none; ask again */
    VB_PLACE_DOUBT,                    /* there may be one */
    VB_PLACE_FATAL                     /* none ever will be: the server, the
                                          key or the account is wrong */
} vb_place_result_t;


typedef struct {
    vb_place_result_t    result;
    long                 status;       /* of HTTP; 0: no answer */
    int64_t              retry_after;  /* ms, or -1 */
    char                 call_sid[36];
    char                 session_id[260];
    char                 detail[300];  /* why not, in words */
    unsigned             own:1;        /* the server's own, not those of a
                                          proxy before it */
} vb_placed_t;


/* key: Idempotency-Key, or NULL */
void vb_place_send(vb_http_t *http, const vb_settings_t *s, const char *body,
    const char *key, vb_http_done_pt done, void *data);

/* what the answer to it means */
void vb_place_read(const vb_http_answer_t *a, vb_placed_t *placed);

/* what to do about one that is no call, to be put behind its detail: static,
 * "" where there is nothing */
const char *vb_place_remedy(const vb_placed_t *placed);


#endif /* _VB_PLACE_H_INCLUDED_ */
