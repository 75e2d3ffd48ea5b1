
/* A bulk's rows: as jobs, as those not dialled, and where a journal was left */


#include <vb_dialer_core.h>

#include <stdarg.h>
#include <stdlib.h>
#include <time.h>


static int vb_dialer_take_up(vb_dialer_t *d, vb_journal_row_t *row);
static int vb_dialer_trusts(vb_dialer_t *d, int64_t intent);


vb_dialer_t *
vb_dialer_create(const vb_dialer_conf_t *conf, vb_dialer_progress_pt progress,
    void *ctx)
{
    vb_dialer_t   *d;
    vb_journal_t  *j;

    d = vb_alloc(sizeof(vb_dialer_t));

    d->conf = *conf;
    d->progress = progress;
    d->ctx = ctx;
    d->follow = vb_follow_create(conf->http, conf->settings, &conf->follow,
                                 vb_dialer_followed, d);

    j = conf->journal;

    memcpy(d->tally.outcomes, j->outcomes, sizeof(d->tally.outcomes));
    d->tally.calls = j->calls;
    d->tally.retries = j->retries;
    d->tally.duration = j->duration;
    d->tally.timed = j->timed;

    return d;
}


const vb_tally_t *
vb_dialer_tally(vb_dialer_t *d)
{
    return &d->tally;
}


void
vb_dialer_body(const vb_dialer_conf_t *conf, const char *to, vb_text_t *body)
{
    char           session[64];
    vb_rows_t     *rows;
    vb_request_t   request;

    rows = conf->rows;
    memset(&request, 0, sizeof(vb_request_t));

    request.to.data = to ? (u_char *) to : rows->to.data;
    request.to.len = strlen((char *) request.to.data);

    request.agent.data = rows->agent.data;
    request.agent.len = rows->agent.len;

    if (request.agent.len == 0 && conf->settings->agent) {
        request.agent.data = (u_char *) conf->settings->agent;
        request.agent.len = strlen(conf->settings->agent);
    }

    request.session.data = rows->session.data;
    request.session.len = rows->session.len;

    /* so that a line of the server's log leads to its row */

    if (request.session.len == 0) {
        snprintf(session, sizeof(session), "bulk-%.8s-%llu",
                 conf->journal->id, (unsigned long long) rows->number);
        request.session.data = (u_char *) session;
        request.session.len = strlen(session);
    }

    request.variables.data = rows->members.data;
    request.variables.len = rows->members.len;

    vb_request_write(body, &request);
}


vb_job_t *
vb_dialer_job(vb_dialer_t *d)
{
    size_t      to, zone;
    vb_job_t   *job;
    vb_text_t   body;
    vb_rows_t  *rows;

    rows = d->conf.rows;
    memset(&body, 0, sizeof(vb_text_t));

    vb_dialer_body(&d->conf, NULL, &body);

    to = rows->to.len + 1;
    zone = rows->zone.len + 1;

    job = vb_alloc(sizeof(vb_job_t) + to + zone + body.len + 1);

    job->to = (char *) job + sizeof(vb_job_t);
    job->zone = job->to + to;
    job->body = job->zone + zone;

    memcpy(job->to, rows->to.data, to);
    memcpy(job->body, body.data, body.len + 1);

    if (rows->zone.len) {
        memcpy(job->zone, rows->zone.data, zone);
    }

    job->number = rows->number;
    job->chain = rows->chain;
    job->attempt = 1;
    job->dialer = d;

    vb_text_free(&body);

    return job;
}


int
vb_dialer_resume(vb_dialer_t *d, const char **why)
{
    vb_rows_t         *rows;
    vb_journal_t      *j;
    vb_journal_row_t  *row;

    rows = d->conf.rows;
    j = d->conf.journal;

    /* nothing is written before they are known to be the journal's rows */

    j->held = 1;

    while (rows->number + 1 < j->next) {

        switch (vb_rows_read(rows)) {

        case VB_OK:
            break;

        case VB_DECLINED:
            *why = "it has fewer rows than its journal";
            return VB_ERROR;

        default:
            *why = rows->error;
            return VB_ERROR;
        }

        d->tally.rows++;

        if (d->conf.once && rows->invalid[0] == '\0') {
            vb_numbers_add(d->conf.once, rows->to.data);
        }

        row = vb_journal_find(j, rows->number);

        if (row && vb_dialer_take_up(d, row) != VB_OK) {
            *why = "no memory";
            return VB_ERROR;
        }
    }

    if (j->next > 1 && rows->chain != j->chain) {
        *why = "its rows are not those its journal knows";
        return VB_ERROR;
    }

    j->held = 0;

    return VB_OK;
}


/* a row that was not done */

static int
vb_dialer_take_up(vb_dialer_t *d, vb_journal_row_t *row)
{
    vb_job_t  *job;

    if (d->conf.rows->invalid[0]) {
        vb_dialer_skip(d, row->number, 0, NULL, VB_OUTCOME_INVALID,
                       d->conf.rows->invalid);
        return VB_OK;
    }

    /* the list may have grown; a call that is there is followed all the same */

    if (row->state != VB_ROW_PLACED
        && vb_numbers_has(d->conf.blocked, d->conf.rows->to.data))
    {
        vb_dialer_skip(d, row->number, 0, (char *) d->conf.rows->to.data,
                       row->state == VB_ROW_DOUBT ? VB_OUTCOME_UNKNOWN
                                                  : VB_OUTCOME_BLOCKED,
                       "on the do-not-call list");
        return VB_OK;
    }

    job = vb_dialer_job(d);

    job->chain = 0;
    job->attempt = row->attempt;
    job->due = row->at;
    memcpy(job->retries, row->retries, sizeof(job->retries));

    switch (row->state) {

    case VB_ROW_PLACED:
        memcpy(job->followed.call_sid, row->call_sid, sizeof(row->call_sid));
        d->tally.live++;
        vb_dialer_follow(d, job);
        break;

    case VB_ROW_DOUBT:
        job->intent = row->at;

        if (!vb_dialer_trusts(d, row->at)) {
            d->tally.live++;
            vb_dialer_outcome(d, job, VB_OUTCOME_UNKNOWN, -1,
                              "the run before ended without its answer");
            break;
        }

        job->repeat = 1;

        /* fall through */

    default:
        vb_waiting_push(&d->waiting, job);
    }

    return VB_OK;
}


/*
 * Whether the server still knows the key of an intent.  Its keys are in
 * memory: where it is this machine, they are gone with a reboot.
 */

static int
vb_dialer_trusts(vb_dialer_t *d, int64_t intent)
{
    int64_t           booted;
    const char       *p;
    struct timespec   ts;

    if (d->conf.idempotency == 0
        || vb_wall() - intent > d->conf.idempotency)
    {
        return 0;
    }

    clock_gettime(CLOCK_BOOTTIME, &ts);
    booted = vb_wall() - ((int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000);

    p = strstr(d->conf.settings->url, "://") + 3;

    return intent > booted
           || (strncmp(p, "127.", 4) != 0 && strncmp(p, "localhost", 9) != 0
               && strncmp(p, "[::1]", 5) != 0);
}


void
vb_dialer_skip(vb_dialer_t *d, uint64_t number, uint64_t chain,
    const char *to, vb_outcome_t outcome, const char *detail)
{
    vb_journal_result(d->conf.journal, number, chain, outcome, VB_NEVER, -1,
                      detail);
    vb_dialer_say(d, number, to, "%s: %s", vb_outcome_name(outcome), detail);
    vb_dialer_count(d, number, outcome, detail);
}


void
vb_dialer_count(vb_dialer_t *d, uint64_t row, vb_outcome_t outcome,
    const char *detail)
{
    int      failed;
    u_char  *slot;
    size_t   judged;

    d->tally.outcomes[outcome]++;

    /* rows that were not dialled say nothing about calls */

    if (outcome == VB_OUTCOME_INVALID || outcome == VB_OUTCOME_BLOCKED) {
        return;
    }

    failed = vb_outcome_is_failure(outcome);

    if (failed && d->tally.failure[0] == '\0') {
        snprintf(d->tally.failure, sizeof(d->tally.failure),
                 "row %llu, %s%s%s", (unsigned long long) row,
                 vb_outcome_name(outcome),
                 vb_outcome_says(outcome, detail) ? "" : ": ",
                 vb_outcome_says(outcome, detail) ? "" : detail);
    }

    if (d->conf.percent) {
        slot = &d->window[d->judged % VB_DIALER_WINDOW];
        d->failures -= *slot;
        *slot = failed;
    }

    d->judged++;
    d->failures += failed;

    if (d->conf.max_failures == 0 || !failed) {
        return;
    }

    judged = vb_min(d->judged, VB_DIALER_WINDOW);

    if (d->conf.percent
        ? (judged >= VB_DIALER_WINDOW_MIN
           && d->failures * 100 > (size_t) d->conf.max_failures * judged)
        : d->failures > (size_t) d->conf.max_failures)
    {
        vb_dialer_stop(d, VB_EXIT_THRESHOLD, "too many failures: %zu of the "
                       "last %zu", d->failures,
                       d->conf.percent ? judged : d->judged);
    }
}


void
vb_dialer_stop(vb_dialer_t *d, int status, const char *fmt, ...)
{
    va_list  args;

    if (d->tally.stopping) {
        return;
    }

    d->tally.stopping = 1;
    d->status = status;

    va_start(args, fmt);
    vsnprintf(d->why, sizeof(d->why), fmt, args);
    va_end(args);
}
