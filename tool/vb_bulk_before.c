
/* Before a bulk is let loose: what it would do, and one call to try it */


#include <vb_bulk.h>

#include <stdlib.h>
#include <unistd.h>


/* with --json the standard output has the object and nothing else */
#define vb_bulk_dry_lines(o)  ((o)->json ? stderr : stdout)


typedef struct {
    uint64_t             rows;
    uint64_t             now;
    uint64_t             later;
    uint64_t             invalid;
    uint64_t             blocked;
    int64_t              first;        /* of those that have to wait */
    int64_t              last;
} vb_bulk_dry_t;


typedef struct {
    vb_placed_t              placed;
    vb_followed_t            followed;
    vb_progress_of_call_t    progress;
    int                      answered;
} vb_bulk_test_t;


static void vb_bulk_dry_row(vb_bulk_options_t *o, vb_dialer_conf_t *conf,
    vb_bulk_dry_t *dry, int64_t now);
static void vb_bulk_dry_say(vb_bulk_options_t *o, vb_rows_t *rows,
    const char *what, int64_t until);
static void vb_bulk_dry_report(vb_bulk_options_t *o, vb_bulk_dry_t *dry);
static void vb_bulk_test_body(vb_bulk_options_t *o, vb_dialer_conf_t *conf,
    vb_text_t *body);
static vb_outcome_t vb_bulk_test_follow(vb_dialer_conf_t *conf,
    vb_follow_t *follow, vb_bulk_test_t *test);
static void vb_bulk_test_placed(void *data, const vb_http_answer_t *a);
static void vb_bulk_test_progress(void *ctx, vb_followed_t *call,
    const vb_progress_of_call_t *progress);
static int vb_bulk_go_on(uint64_t rows);


int
vb_bulk_dry_run(vb_bulk_options_t *o, vb_dialer_conf_t *conf)
{
    int            rc;
    int64_t        now;
    vb_rows_t     *rows;
    vb_bulk_dry_t  dry;

    rows = conf->rows;
    now = vb_wall();

    if (o->now) {
        now = vb_time_parse((u_char *) o->now, strlen(o->now));

        if (now == VB_ERROR) {
            vb_die(VB_EXIT_USAGE, "--now is like 2026-03-29T00:30:00Z");
        }
    }

    if (vb_rows_open(rows) != VB_OK) {
        vb_die(VB_EXIT_USAGE, "%s", rows->error);
    }

    memset(&dry, 0, sizeof(vb_bulk_dry_t));
    dry.first = VB_NEVER;

    while ((rc = vb_rows_read(rows)) == VB_OK) {
        vb_bulk_dry_row(o, conf, &dry, now);
    }

    vb_bulk_dry_report(o, &dry);

    if (rc == VB_ERROR) {
        vb_die(VB_EXIT_USAGE, "%s", rows->error);
    }

    return dry.invalid ? VB_EXIT_FAILED : VB_EXIT_OK;
}


static void
vb_bulk_dry_row(vb_bulk_options_t *o, vb_dialer_conf_t *conf,
    vb_bulk_dry_t *dry, int64_t now)
{
    int64_t      next;
    vb_rows_t   *rows;
    const char  *zone;

    rows = conf->rows;
    zone = rows->zone.len ? (char *) rows->zone.data : "";
    dry->rows++;

    if (rows->invalid[0] == '\0'
        && (vb_numbers_has(conf->blocked, rows->to.data)
            || (conf->once
                && vb_numbers_add(conf->once, rows->to.data) != VB_OK)))
    {
        dry->blocked++;
        vb_bulk_dry_say(o, rows, "is not to be called", 0);
        return;
    }

    next = now;

    if (rows->invalid[0] == '\0') {
        next = vb_schedule_next(conf->schedule, zone, now);
    }

    if (next == VB_ERROR || next == VB_NEVER) {
        vb_schedule_why(next, zone, rows->invalid, sizeof(rows->invalid));
    }

    if (rows->invalid[0]) {

        /* the first ones tell what is wrong with the file */

        if (++dry->invalid <= 10 && !o->verbose && !o->quiet) {
            fprintf(vb_bulk_dry_lines(o), "row %llu: %s\n",
                    (unsigned long long) rows->number, rows->invalid);
        }

        vb_bulk_dry_say(o, rows, rows->invalid, 0);
        return;
    }

    if (next == now) {
        dry->now++;
        vb_bulk_dry_say(o, rows, "would be called", 0);
        return;
    }

    dry->later++;
    dry->first = vb_min(dry->first, next);
    dry->last = next > dry->last ? next : dry->last;

    vb_bulk_dry_say(o, rows, "would wait until ", next);
}


static void
vb_bulk_dry_say(vb_bulk_options_t *o, vb_rows_t *rows, const char *what,
    int64_t until)
{
    vb_text_t  text;

    if (!o->verbose) {
        return;
    }

    memset(&text, 0, sizeof(vb_text_t));
    vb_text_puts(&text, what);

    if (until) {
        vb_text_time(&text, until);
    }

    fprintf(vb_bulk_dry_lines(o), "row %llu, %s: %s\n",
            (unsigned long long) rows->number,
            rows->to.len && vb_is_e164(rows->to.data, rows->to.len)
            ? vb_masked((char *) rows->to.data) : "no number", text.data);

    vb_text_free(&text);
}


static void
vb_bulk_dry_report(vb_bulk_options_t *o, vb_bulk_dry_t *dry)
{
    vb_text_t  text;

    memset(&text, 0, sizeof(vb_text_t));

    if (o->json) {
        vb_text_printf(&text, "{\"rows\": %llu, \"now\": %llu, "
                       "\"later\": %llu, \"invalid\": %llu, "
                       "\"blocked\": %llu}\n",
                       (unsigned long long) dry->rows,
                       (unsigned long long) dry->now,
                       (unsigned long long) dry->later,
                       (unsigned long long) dry->invalid,
                       (unsigned long long) dry->blocked);

    } else {
        vb_text_printf(&text, "%10llu rows\n%10llu would be called now\n",
                       (unsigned long long) dry->rows,
                       (unsigned long long) dry->now);

        if (dry->later) {
            vb_text_printf(&text, "%10llu would wait, from ",
                           (unsigned long long) dry->later);
            vb_text_time(&text, dry->first);
            vb_text_puts(&text, " to ");
            vb_text_time(&text, dry->last);
            vb_text_puts(&text, "\n");
        }

        vb_text_printf(&text, "%10llu are not to be called\n"
                       "%10llu are invalid\n",
                       (unsigned long long) dry->blocked,
                       (unsigned long long) dry->invalid);
    }

    fputs((char *) text.data, stdout);
    vb_text_free(&text);
}


int
vb_bulk_test_call(vb_bulk_options_t *o, vb_dialer_conf_t *conf, uint64_t rows)
{
    char             key[80];
    vb_text_t        body;
    vb_follow_t     *follow;
    vb_bulk_test_t   test;

    memset(&body, 0, sizeof(vb_text_t));
    memset(&test, 0, sizeof(vb_bulk_test_t));

    if (!vb_is_e164((u_char *) o->test_call, strlen(o->test_call))) {
        vb_die(VB_EXIT_USAGE, "--test-call wants a number in E.164 form such "
               "as +14155550123");
    }

    follow = vb_follow_create(conf->http, conf->settings, &conf->follow,
                              vb_bulk_test_progress, &test);

    if (vb_follow_check(follow) != VB_OK) {
        vb_error("calls cannot be followed: %s", vb_follow_error(follow));
        return VB_EXIT_SERVER;
    }

    vb_bulk_test_body(o, conf, &body);

    snprintf(key, sizeof(key), "%s-test-%lld", conf->journal->id,
             (long long) vb_wall());

    vb_place_send(conf->http, conf->settings, (char *) body.data,
                  conf->idempotency ? key : NULL, vb_bulk_test_placed, &test);

    while (!test.answered) {
        vb_http_run(conf->http, 1000, -1);
    }

    vb_text_free(&body);

    if (test.placed.result != VB_PLACED) {
        vb_error("the test call was not placed: %s%s", test.placed.detail,
                 vb_place_remedy(&test.placed));
        return VB_EXIT_SERVER;
    }

    if (conf->follow.how != VB_FOLLOW_NONE
        && vb_bulk_test_follow(conf, follow, &test) != VB_OUTCOME_COMPLETED)
    {
        return VB_EXIT_FAILED;
    }

    if (!o->yes && isatty(STDIN_FILENO) && !vb_bulk_go_on(rows)) {
        return VB_EXIT_INTERRUPTED;
    }

    return VB_OK;
}


/* the first good row, with another number */

static void
vb_bulk_test_body(vb_bulk_options_t *o, vb_dialer_conf_t *conf,
    vb_text_t *body)
{
    if (conf->rows->in.size == 0) {
        vb_die(VB_EXIT_USAGE, "--test-call wants rows in a file, which can "
               "be read twice");
    }

    do {
        if (vb_rows_read(conf->rows) != VB_OK) {
            vb_die(VB_EXIT_USAGE, "%s has no row to try", o->input);
        }
    } while (conf->rows->invalid[0]);

    vb_dialer_body(conf, o->test_call, body);

    /* the rows are read from the first one on */

    vb_rows_close(conf->rows);

    if (vb_rows_open(conf->rows) != VB_OK) {
        vb_die(VB_EXIT_USAGE, "%s", conf->rows->error);
    }
}


static vb_outcome_t
vb_bulk_test_follow(vb_dialer_conf_t *conf, vb_follow_t *follow,
    vb_bulk_test_t *test)
{
    int           said;
    vb_outcome_t  outcome;

    memcpy(test->followed.call_sid, test->placed.call_sid,
           sizeof(test->followed.call_sid));
    vb_follow_add(follow, &test->followed);

    while (test->progress.outcome == VB_OUTCOME_NONE) {
        vb_http_run(conf->http, vb_follow_run(follow), -1);
    }

    outcome = test->progress.outcome;
    said = vb_outcome_says(outcome, test->progress.reason);

    vb_error("the test call was %s%s%s%s%s", vb_outcome_name(outcome),
             said ? "" : ": ", said ? "" : test->progress.reason,
             test->progress.error[0] ? ": " : "", test->progress.error);

    return outcome;
}


static void
vb_bulk_test_placed(void *data, const vb_http_answer_t *a)
{
    vb_bulk_test_t  *test = data;

    vb_place_read(a, &test->placed);
    test->answered = 1;
}


static void
vb_bulk_test_progress(void *ctx, vb_followed_t *call,
    const vb_progress_of_call_t *progress)
{
    vb_bulk_test_t  *test = ctx;

    test->progress = *progress;
}


static int
vb_bulk_go_on(uint64_t rows)
{
    char  answer[16];

    fprintf(stderr, "Call all %llu rows? [y/N] ", (unsigned long long) rows);

    return fgets(answer, sizeof(answer), stdin) != NULL
           && (answer[0] == 'y' || answer[0] == 'Y');
}
