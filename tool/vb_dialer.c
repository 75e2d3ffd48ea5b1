
/*
 * The loop of a bulk: which row is next, whether it may be called now, and
 * how long there is nothing to do.
 */


#include <vb_dialer_core.h>
#include <vb_signals.h>

#include <stdlib.h>


/* rows that are looked at before the calls are looked after again */
#define VB_DIALER_ROWS   1000

/* calls whose intents are written together */
#define VB_DIALER_BATCH  64

#define VB_DIALER_TICK   500           /* ms */


static void vb_dialer_signals(vb_dialer_t *d);
static int64_t vb_dialer_fill(vb_dialer_t *d);
static int64_t vb_dialer_idle(vb_dialer_t *d, int64_t now);
static int vb_dialer_next(vb_dialer_t *d, int64_t wall, vb_job_t **job);
static vb_job_t *vb_dialer_new(vb_dialer_t *d);
static int vb_dialer_may_call(vb_dialer_t *d, vb_job_t *job, int64_t wall);
static int vb_dialer_is_over(vb_dialer_t *d);
static void vb_dialer_show(vb_dialer_t *d);


int
vb_dialer_run(vb_dialer_t *d, const char **why)
{
    int      fd;
    int64_t  wait, follow;

    fd = vb_signals_open();

    switch (vb_follow_check(d->follow)) {

    case VB_OK:
        break;

    case VB_DECLINED:
        vb_dialer_stop(d, VB_EXIT_SERVER, "calls cannot be followed: %s%s",
                       vb_follow_error(d->follow),
                       d->conf.follow.how == VB_FOLLOW_CALLS
                       ? "; --follow twilio or --follow none can do without"
                       : "");
        break;

    default:
        vb_dialer_stop(d, VB_EXIT_SERVER, "%s", vb_follow_error(d->follow));
    }

    for ( ;; ) {
        vb_dialer_signals(d);

        wait = vb_dialer_fill(d);
        follow = vb_follow_run(d->follow);

        vb_dialer_show(d);

        if (vb_dialer_is_over(d)) {
            break;
        }

        vb_journal_flush(d->conf.journal);

        wait = vb_min(wait, follow);
        vb_http_run(d->conf.http, vb_min(wait, VB_DIALER_TICK), fd);
    }

    vb_journal_sync(d->conf.journal);

    *why = d->why[0] ? d->why : NULL;

    return d->status;
}


static void
vb_dialer_signals(vb_dialer_t *d)
{
    unsigned  n;

    d->tally.paused = vb_signals_paused();
    n = vb_signals_interrupts();

    if (n && d->interrupts == 0) {
        vb_dialer_stop(d, VB_EXIT_INTERRUPTED, "interrupted");

        if (d->tally.live) {
            d->progress(d->ctx, &d->tally, "interrupted: waiting for the calls "
                        "that are going on; once more leaves them alone");
        }
    }

    d->interrupts = n;
}


/* dials whoever may be dialled; returns ms for which there is nobody */

static int64_t
vb_dialer_fill(vb_dialer_t *d)
{
    size_t     n, looked;
    int64_t    now, wall;
    vb_job_t  *job, *batch[VB_DIALER_BATCH];

    now = vb_now();
    n = 0;

    /* what was not used of the pace while there was nobody is not made up */

    if (d->next < now - d->conf.interval) {
        d->next = now;
    }

    for (looked = 0; looked < VB_DIALER_ROWS; looked++) {

        if (d->tally.stopping || d->tally.paused || n == VB_DIALER_BATCH) {
            break;
        }

        if (d->tally.live >= (size_t) d->conf.max_live) {
            break;
        }

        if (now < d->hold || d->next > now) {
            break;
        }

        wall = vb_wall();

        if (vb_dialer_next(d, wall, &job) != VB_OK) {
            break;
        }

        if (job && vb_dialer_may_call(d, job, wall)) {
            vb_dialer_intend(d, job, wall);
            batch[n++] = job;
            d->tally.live++;
            d->next += d->conf.interval;
        }
    }

    vb_dialer_dial(d, batch, n);

    if (looked == VB_DIALER_ROWS || n == VB_DIALER_BATCH) {
        return 0;
    }

    return vb_dialer_idle(d, now);
}


/*
 * An answer or an end wakes up; what comes by time is a hold, the pace, and a
 * row that waits: ms until the first of them.
 */

static int64_t
vb_dialer_idle(vb_dialer_t *d, int64_t now)
{
    int64_t    wall;
    vb_job_t  *job;

    if (now < d->hold) {
        return d->hold - now;
    }

    if (d->next > now) {
        return (int64_t) (d->next - now) + 1;
    }

    job = vb_waiting_top(&d->waiting);
    wall = vb_wall();

    return job && job->due > wall ? vb_min(job->due - wall, VB_DIALER_TICK)
                                  : VB_DIALER_TICK;
}


/*
 * The next that is due, or a new row, which may turn out to be NULL; or
 * VB_DECLINED: there is none at the moment.
 */

static int
vb_dialer_next(vb_dialer_t *d, int64_t wall, vb_job_t **job)
{
    *job = vb_waiting_top(&d->waiting);

    if (*job && (*job)->due <= wall) {
        vb_waiting_pop(&d->waiting);
        return VB_OK;
    }

    if (d->end || d->waiting.n >= (size_t) d->conf.max_waiting) {
        return VB_DECLINED;
    }

    *job = vb_dialer_new(d);

    return VB_OK;
}


/* a row that is to be dialled, or NULL: this one is not */

static vb_job_t *
vb_dialer_new(vb_dialer_t *d)
{
    vb_rows_t  *rows;

    rows = d->conf.rows;

    switch (vb_rows_read(rows)) {

    case VB_OK:
        break;

    case VB_DECLINED:
        d->end = 1;
        return NULL;

    default:
        d->end = 1;
        vb_dialer_stop(d, VB_EXIT_USAGE, "%s", rows->error);
        return NULL;
    }

    d->tally.rows++;

    if (rows->invalid[0]) {
        vb_dialer_skip(d, rows->number, rows->chain, (char *) rows->to.data,
                       VB_OUTCOME_INVALID, rows->invalid);
        return NULL;
    }

    if (vb_numbers_has(d->conf.blocked, rows->to.data)) {
        vb_dialer_skip(d, rows->number, rows->chain, (char *) rows->to.data,
                       VB_OUTCOME_BLOCKED, "on the do-not-call list");
        return NULL;
    }

    if (d->conf.once
        && vb_numbers_add(d->conf.once, rows->to.data) != VB_OK)
    {
        vb_dialer_skip(d, rows->number, rows->chain, (char *) rows->to.data,
                       VB_OUTCOME_BLOCKED, "the number was in a row before");
        return NULL;
    }

    return vb_dialer_job(d);
}


static int
vb_dialer_may_call(vb_dialer_t *d, vb_job_t *job, int64_t wall)
{
    char     why[160];
    int64_t  next;

    /* one in doubt that the server may have forgotten is left alone */

    if (job->repeat && wall - job->intent > d->conf.idempotency) {
        d->tally.live++;
        vb_dialer_outcome(d, job, VB_OUTCOME_UNKNOWN, -1,
                          "there was no answer, and it is too late to ask "
                          "again");
        return 0;
    }

    next = vb_schedule_next(d->conf.schedule, job->zone, wall);

    if (next == wall) {
        return 1;
    }

    if (next == VB_ERROR || next == VB_NEVER) {
        vb_schedule_why(next, job->zone, why, sizeof(why));
        vb_dialer_skip(d, job->number, job->chain, job->to,
                       VB_OUTCOME_INVALID, why);
        free(job);
        return 0;
    }

    /* a journal's "wait" would make a row in doubt one that was not dialled */

    if (!job->repeat) {
        vb_journal_wait(d->conf.journal, job->number, job->chain, next);
        job->chain = 0;
    }

    vb_dialer_say(d, job->number, job->to, "waits for its calling hours");

    job->due = next;
    vb_waiting_push(&d->waiting, job);

    return 0;
}


static int
vb_dialer_is_over(vb_dialer_t *d)
{
    if (d->interrupts > 1) {
        return 1;
    }

    if (d->tally.live) {
        return 0;
    }

    if (d->tally.stopping) {
        return 1;
    }

    if (!d->end && d->waiting.n < (size_t) d->conf.max_waiting) {
        return 0;
    }

    if (d->waiting.n == 0) {
        return 1;
    }

    if (d->conf.no_wait && vb_waiting_top(&d->waiting)->due > vb_wall()) {
        vb_dialer_stop(d, VB_EXIT_INTERRUPTED, "what is left has to wait");
        return 1;
    }

    return 0;
}


static void
vb_dialer_show(vb_dialer_t *d)
{
    char         line[400];
    const char  *error;

    error = vb_follow_error(d->follow);

    if (error && !d->blind && d->tally.live) {
        snprintf(line, sizeof(line), "calls cannot be followed at the moment: "
                 "%s", error);
        d->progress(d->ctx, &d->tally, line);
    }

    d->blind = (error != NULL);

    d->tally.waiting = d->waiting.n;
    d->tally.next_due = d->waiting.n ? vb_waiting_top(&d->waiting)->due : 0;

    d->progress(d->ctx, &d->tally, NULL);
}
