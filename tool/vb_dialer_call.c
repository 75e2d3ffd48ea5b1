
/* A row's call: its intent, the request, the answer, its outcome */


#include <vb_dialer_core.h>

#include <stdarg.h>
#include <stdlib.h>


/* answers that leave open whether there is a call: then it is UNKNOWN */
#define VB_DIALER_DOUBTS       4

/* nobody there, or no answer that tells of a call, that many times in a row:
 * it is time to stop */
#define VB_DIALER_UNREACHABLE  10

#define VB_DIALER_MAX_HOLD     60000   /* ms */
#define VB_DIALER_MAX_DELAY    86400000


static void vb_dialer_send(vb_dialer_t *d, vb_job_t *job);
static void vb_dialer_answer(void *data, const vb_http_answer_t *a);
static void vb_dialer_placed(vb_dialer_t *d, vb_job_t *job,
    const vb_placed_t *placed);
static void vb_dialer_fatal(vb_dialer_t *d, vb_job_t *job,
    const vb_placed_t *placed);
static void vb_dialer_later(vb_dialer_t *d, vb_job_t *job,
    const vb_placed_t *placed);
static void vb_dialer_doubt(vb_dialer_t *d, vb_job_t *job,
    const vb_placed_t *placed);
static void vb_dialer_unknown(vb_dialer_t *d, vb_job_t *job,
    const char *detail);
static void vb_dialer_repeat(vb_dialer_t *d, vb_job_t *job, int64_t wait);
static void vb_dialer_again(vb_dialer_t *d, vb_job_t *job, int64_t due,
    vb_outcome_t outcome, int64_t duration, const char *detail);
static int64_t vb_dialer_delay(int64_t first, unsigned times, int64_t most);


void
vb_dialer_intend(vb_dialer_t *d, vb_job_t *job, int64_t wall)
{
    if (job->repeat) {
        return;
    }

    job->intent = wall;

    vb_journal_intent(d->conf.journal, job->number, job->chain, job->attempt,
                      wall);
    job->chain = 0;
}


void
vb_dialer_dial(vb_dialer_t *d, vb_job_t **jobs, size_t n)
{
    size_t  i;

    if (n == 0) {
        return;
    }

    /* from here on the next run will know of them */

    vb_journal_sync(d->conf.journal);

    for (i = 0; i < n; i++) {
        vb_dialer_send(d, jobs[i]);
    }
}


static void
vb_dialer_send(vb_dialer_t *d, vb_job_t *job)
{
    char  key[80];

    snprintf(key, sizeof(key), "%s-%llu-%u", d->conf.journal->id,
             (unsigned long long) job->number, job->attempt);

    vb_place_send(d->conf.http, d->conf.settings, job->body,
                  d->conf.idempotency ? key : NULL, vb_dialer_answer, job);
}


static void
vb_dialer_answer(void *data, const vb_http_answer_t *a)
{
    vb_job_t     *job = data;
    vb_dialer_t  *d;
    vb_placed_t   placed;

    d = job->dialer;

    vb_place_read(a, &placed);

    if (a->status) {
        d->unreachable = 0;
    }

    if (placed.result == VB_PLACED || placed.result == VB_PLACE_REFUSED) {
        d->unknown = 0;
    }

    switch (placed.result) {

    case VB_PLACED:
        vb_dialer_placed(d, job, &placed);
        return;

    case VB_PLACE_REFUSED:

        /* the row was asked for with other options before, which may have
         * placed a call: no other one can have this key */

        if (a->status == 422 && d->conf.idempotency) {
            vb_dialer_unknown(d, job, placed.detail);
            return;
        }

        vb_dialer_outcome(d, job, VB_OUTCOME_REFUSED, -1, placed.detail);
        return;

    case VB_PLACE_LATER:
        vb_dialer_later(d, job, &placed);
        return;

    case VB_PLACE_DOUBT:
        vb_dialer_doubt(d, job, &placed);
        return;

    default: /* VB_PLACE_FATAL */
        vb_dialer_fatal(d, job, &placed);
    }
}


static void
vb_dialer_placed(vb_dialer_t *d, vb_job_t *job, const vb_placed_t *placed)
{
    memcpy(job->followed.call_sid, placed->call_sid,
           sizeof(job->followed.call_sid));

    vb_journal_placed(d->conf.journal, job->number, placed->call_sid);
    d->tally.calls++;

    vb_dialer_say(d, job->number, job->to, "%s", placed->call_sid);
    vb_dialer_follow(d, job);
}


/* the row waits for a run with another server, key or account */

static void
vb_dialer_fatal(vb_dialer_t *d, vb_job_t *job, const vb_placed_t *placed)
{
    if (job->repeat) {
        vb_dialer_repeat(d, job, 0);

    } else {
        vb_dialer_again(d, job, vb_wall(), VB_OUTCOME_NONE, -1,
                        placed->detail);
    }

    vb_dialer_stop(d, VB_EXIT_SERVER, "%s: %s%s", d->conf.settings->url,
                   placed->detail, vb_place_remedy(placed));
}


void
vb_dialer_follow(vb_dialer_t *d, vb_job_t *job)
{
    if (d->conf.follow.how == VB_FOLLOW_NONE) {
        vb_dialer_outcome(d, job, VB_OUTCOME_COMPLETED, -1, "placed");
        return;
    }

    job->followed.data = job;
    vb_follow_add(d->follow, &job->followed);
}


/* nobody was dialled: the same again, and the others wait as well */

static void
vb_dialer_later(vb_dialer_t *d, vb_job_t *job, const vb_placed_t *placed)
{
    int64_t  wait;

    if (placed->status == 0
        && ++d->unreachable >= VB_DIALER_UNREACHABLE)
    {
        vb_dialer_stop(d, VB_EXIT_SERVER, "%s: %s", d->conf.settings->url,
                       placed->detail);
    }

    wait = placed->retry_after;

    if (wait < 0) {
        wait = vb_dialer_delay(1000, placed->status ? job->doubts
                                                    : d->unreachable,
                               VB_DIALER_MAX_HOLD);
        job->doubts++;
    }

    /* a little longer than this row waits: it is the first one then */

    if (d->hold < vb_now() + wait + 2) {
        d->hold = vb_now() + wait + 2;
    }

    vb_dialer_say(d, job->number, job->to, "again in %s: %s",
                  vb_duration_print(wait), placed->detail);

    /*
     * A row in doubt stays so: another key would dial once more.  And what a
     * proxy answers says nothing about a call, unless nothing was sent.
     */

    if (job->repeat
        || (d->conf.idempotency && placed->status && !placed->own))
    {
        vb_dialer_repeat(d, job, wait);
        return;
    }

    vb_dialer_again(d, job, vb_wall() + wait, VB_OUTCOME_NONE, -1,
                    placed->detail);
}


/* with its key it can be asked again: it is answered, and not dialled */

static void
vb_dialer_doubt(vb_dialer_t *d, vb_job_t *job, const vb_placed_t *placed)
{
    int64_t  wait;

    /* one that is under way at the server has its answer sooner or later */

    if (placed->status != 409) {
        job->doubts++;
    }

    if (d->conf.idempotency == 0 || job->doubts >= VB_DIALER_DOUBTS) {
        vb_dialer_unknown(d, job, placed->detail);
        return;
    }

    wait = placed->retry_after;

    if (wait < 0) {
        wait = vb_dialer_delay(250, job->doubts, VB_DIALER_MAX_HOLD);
    }

    vb_dialer_say(d, job->number, job->to, "is asked for again: %s",
                  placed->detail);

    vb_dialer_repeat(d, job, wait);
}


/* a server that leaves every call open would use up all rows */

static void
vb_dialer_unknown(vb_dialer_t *d, vb_job_t *job, const char *detail)
{
    if (++d->unknown >= VB_DIALER_UNREACHABLE) {
        vb_dialer_stop(d, VB_EXIT_SERVER, "%s: it is not known whether there "
                       "are calls, %u calls after the other: %s",
                       d->conf.settings->url, d->unknown, detail);
    }

    vb_dialer_outcome(d, job, VB_OUTCOME_UNKNOWN, -1, detail);
}


/* the same key again: the journal goes on having the intent only */

static void
vb_dialer_repeat(vb_dialer_t *d, vb_job_t *job, int64_t wait)
{
    job->repeat = 1;
    job->due = vb_wall() + wait;

    vb_waiting_push(&d->waiting, job);
    d->tally.live--;
}


void
vb_dialer_followed(void *ctx, vb_followed_t *call,
    const vb_progress_of_call_t *progress)
{
    vb_dialer_t  *d = ctx;

    if (progress->outcome != VB_OUTCOME_NONE) {
        vb_dialer_outcome(d, call->data, progress->outcome,
                          progress->duration,
                          progress->error[0] ? progress->error
                                             : progress->reason);
    }
}


void
vb_dialer_outcome(vb_dialer_t *d, vb_job_t *job, vb_outcome_t outcome,
    int64_t duration, const char *detail)
{
    int                said;
    int64_t            wait;
    const vb_retry_t  *retry;

    if (duration >= 0) {
        d->tally.duration += duration;
        d->tally.timed++;
    }

    retry = &d->conf.retry[outcome];

    if (job->retries[outcome] < retry->max) {
        wait = vb_dialer_delay(retry->delay, job->retries[outcome],
                               VB_DIALER_MAX_DELAY);
        job->retries[outcome]++;
        d->tally.retries++;

        vb_dialer_say(d, job->number, job->to, "%s; again in %s",
                      vb_outcome_name(outcome), vb_duration_print(wait));
        vb_dialer_again(d, job, vb_wall() + wait, outcome, duration, detail);
        return;
    }

    vb_journal_result(d->conf.journal, job->number, job->chain, outcome,
                      VB_NEVER, duration, detail);

    said = vb_outcome_says(outcome, detail);

    vb_dialer_say(d, job->number, job->to, "%s%s%s", vb_outcome_name(outcome),
                  said ? "" : ": ", said ? "" : detail);
    vb_dialer_count(d, job->number, outcome, detail);

    d->tally.live--;
    free(job);
}


static void
vb_dialer_again(vb_dialer_t *d, vb_job_t *job, int64_t due,
    vb_outcome_t outcome, int64_t duration, const char *detail)
{
    vb_journal_result(d->conf.journal, job->number, job->chain, outcome, due,
                      duration, detail);

    /* a new call has a key of its own: the old one has its answer */

    job->attempt++;
    job->repeat = 0;
    job->due = due;

    if (outcome != VB_OUTCOME_NONE) {
        job->doubts = 0;
    }

    vb_waiting_push(&d->waiting, job);
    d->tally.live--;
}


static int64_t
vb_dialer_delay(int64_t first, unsigned times, int64_t most)
{
    while (times-- && first < most) {
        first *= 2;
    }

    return vb_min(first, most);
}


void
vb_dialer_say(vb_dialer_t *d, uint64_t row, const char *to, const char *fmt,
    ...)
{
    char     text[400], line[480];
    va_list  args;

    if (!d->conf.verbose) {
        return;
    }

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    snprintf(line, sizeof(line), "row %llu, %s: %s", (unsigned long long) row,
             to && vb_is_e164((u_char *) to, strlen(to)) ? vb_masked(to)
                                                         : "no number", text);

    d->progress(d->ctx, &d->tally, line);
}
