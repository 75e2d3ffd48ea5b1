
/* The words for what became of a call, ours, the module's and Twilio's */


#include <vb_outcome.h>


typedef struct {
    const char      *name;
    vb_outcome_t     outcome;
} vb_outcome_word_t;


/* in the order of vb_outcome_t */
static const char *const  vb_outcome_names[] = {
    "none", "completed", "busy", "no-answer", "failed", "canceled", "machine",
    "broken", "refused", "unknown", "invalid", "blocked"
};


/* Twilio's final statuses; then the module's reasons, docs/troubleshooting.md,
 * "What the log says".  Any other reason is that of a call that broke down. */
static const vb_outcome_word_t  vb_outcome_words[] = {
    { "completed", VB_OUTCOME_COMPLETED },
    { "busy", VB_OUTCOME_BUSY },
    { "no-answer", VB_OUTCOME_NO_ANSWER },
    { "no_answer", VB_OUTCOME_NO_ANSWER },
    { "failed", VB_OUTCOME_FAILED },
    { "canceled", VB_OUTCOME_CANCELED },

    { "queued", VB_OUTCOME_NONE },
    { "initiated", VB_OUTCOME_NONE },
    { "ringing", VB_OUTCOME_NONE },
    { "in-progress", VB_OUTCOME_NONE },

    { "caller_hung_up", VB_OUTCOME_COMPLETED },
    { "agent_ended", VB_OUTCOME_COMPLETED },
    { "too_long", VB_OUTCOME_COMPLETED },
    { "caller_lost", VB_OUTCOME_COMPLETED },
    { "caller_silent", VB_OUTCOME_COMPLETED },
    { "machine", VB_OUTCOME_MACHINE },
    { "operator", VB_OUTCOME_CANCELED },
    { "no_callback", VB_OUTCOME_UNKNOWN },
    { "handed_off", VB_OUTCOME_NONE }
};


const char *
vb_outcome_name(vb_outcome_t outcome)
{
    return vb_outcome_names[outcome];
}


int
vb_outcome_says(vb_outcome_t outcome, const char *reason)
{
    const char  *name;

    if (*reason == '\0') {
        return 1;
    }

    /* the module writes _ where Twilio writes - */

    for (name = vb_outcome_names[outcome]; *name && *reason; name++) {
        if (*name != (*reason == '_' ? '-' : *reason)) {
            return 0;
        }

        reason++;
    }

    return *name == *reason;
}


vb_outcome_t
vb_outcome_find(const u_char *name, size_t len)
{
    size_t  i;

    for (i = 1; i < VB_OUTCOMES; i++) {
        if (strlen(vb_outcome_names[i]) == len
            && memcmp(vb_outcome_names[i], name, len) == 0)
        {
            return i;
        }
    }

    return VB_OUTCOME_NONE;
}


int
vb_outcome_is_failure(vb_outcome_t outcome)
{
    return outcome == VB_OUTCOME_FAILED || outcome == VB_OUTCOME_BROKEN
           || outcome == VB_OUTCOME_REFUSED || outcome == VB_OUTCOME_UNKNOWN;
}


vb_outcome_t
vb_outcome_of(const u_char *word, size_t len)
{
    size_t                    i;
    const vb_outcome_word_t  *w;

    for (i = 0; i < sizeof(vb_outcome_words) / sizeof(vb_outcome_words[0]);
         i++)
    {
        w = &vb_outcome_words[i];

        if (strlen(w->name) == len && memcmp(w->name, word, len) == 0) {
            return w->outcome;
        }
    }

    return VB_OUTCOME_BROKEN;
}
