
/* Follows calls that were placed to their ends, by asking again and again */


#ifndef _VB_FOLLOW_H_INCLUDED_
#define _VB_FOLLOW_H_INCLUDED_


#include <vb_http.h>
#include <vb_outcome.h>
#include <vb_settings.h>


/* or the server would be asked all the time, in ms */
#define VB_FOLLOW_MIN_POLL  10


typedef struct vb_follow_s    vb_follow_t;
typedef struct vb_followed_s  vb_followed_t;


typedef enum {
    VB_FOLLOW_CALLS = 0,               /* the server's voicebridge_calls */
    VB_FOLLOW_TWILIO,                  /* Twilio's REST API */
    VB_FOLLOW_NONE
} vb_follow_how_t;


/* a call; the owner's, from vb_follow_add() until its outcome is told */
struct vb_followed_s {
    void                *data;
    char                 call_sid[36];

    vb_follow_t         *follow;       /* the rest is vb_follow.c's own */
    vb_followed_t       *next;
    int64_t              since;
    int64_t              due;
    unsigned             misses;          /* answers without it, in a row */
    unsigned             seen:1;
    unsigned             live:1;       /* somebody was spoken to */
    unsigned             told:1;
    unsigned             asked:1;
};


/* with an outcome it is for the last time */
typedef void (*vb_follow_pt)(void *ctx, vb_followed_t *call,
    const vb_progress_of_call_t *progress);


typedef struct {
    vb_follow_how_t      how;
    int64_t              poll;            /* ms from question to question */
    int64_t              answer_timeout;  /* ms until a call has to be seen */
    int64_t              call_timeout;    /* ms until it has to be over */
    const char          *twilio_url;
    const char          *account_sid;     /* of Twilio, and its auth token */
    const char          *auth_token;
} vb_follow_conf_t;


#define VB_FOLLOW_CONF_INIT                                                   \
    { VB_FOLLOW_CALLS, 1000, 120000, 4 * 3600000, "https://api.twilio.com",   \
      NULL, NULL }


/*
 * Sets conf->how by its name, "calls", "twilio" or "none"; NULL: calls.
 * Twilio's credentials are taken from the environment; ends the program where
 * something is wrong or missing.
 */
void vb_follow_configure(vb_follow_conf_t *conf, const char *how);

vb_follow_t *vb_follow_create(vb_http_t *http, const vb_settings_t *s,
    const vb_follow_conf_t *conf, vb_follow_pt handler, void *ctx);

/* call->data and call->call_sid are set */
void vb_follow_add(vb_follow_t *f, vb_followed_t *call);

/* asks what is due; returns ms until it is to be called again */
int64_t vb_follow_run(vb_follow_t *f);

/* why the last question had no good answer, or NULL */
const char *vb_follow_error(const vb_follow_t *f);

/* whether it will not have one later either: the key, or who asks, is wrong */
int vb_follow_is_lost(const vb_follow_t *f);

/*
 * Asks once, and waits, before there is a call to follow: VB_OK; or with
 * vb_follow_error() VB_DECLINED, the answer is no good one, or VB_ERROR, there
 * was none.
 */
int vb_follow_check(vb_follow_t *f);


#endif /* _VB_FOLLOW_H_INCLUDED_ */
