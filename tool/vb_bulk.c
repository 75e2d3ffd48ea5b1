
/* voicebridge bulk: calls for all rows of a file, each once */


#include <vb_bulk.h>

#include <stdlib.h>
#include <sys/stat.h>


static int vb_bulk_run(vb_bulk_options_t *o, vb_dialer_conf_t *conf);
static void vb_bulk_journal(vb_bulk_options_t *o);
static int vb_bulk_finish(vb_dialer_t *d, int status);
static void vb_bulk_scan_row(const vb_dialer_conf_t *conf, vb_rows_t *rows,
    vb_bulk_scan_t *scan);


int
vb_bulk_main(int argc, char **argv)
{
    size_t             n;
    vb_rows_t          rows;
    const char        *arguments[1];
    vb_dialer_conf_t   conf;
    vb_bulk_options_t  o = { .settings = VB_SETTINGS_INIT,
                             .delay = -1,
                             .live = 10,
                             .poll = 1000,
                             .answer_timeout = 120000,
                             .max_waiting = 10000 };

    memset(&rows, 0, sizeof(vb_rows_t));
    memset(&conf, 0, sizeof(vb_dialer_conf_t));

    n = vb_options_parse(&vb_bulk_command, argc, argv, &o, arguments);

    if (n == 0) {
        vb_die(VB_EXIT_USAGE, "which rows? voicebridge bulk customers.csv");
    }

    o.input = arguments[0];

    vb_bulk_configure(&o, &conf, &rows);

    if (o.dry_run) {
        return vb_bulk_dry_run(&o, &conf);
    }

    vb_settings_complete(&o.settings, 0);
    vb_follow_configure(&conf.follow, o.follow);

    return vb_bulk_run(&o, &conf);
}


static int
vb_bulk_run(vb_bulk_options_t *o, vb_dialer_conf_t *conf)
{
    int              status;
    const char      *why;
    vb_dialer_t     *d;
    vb_journal_t     journal;
    vb_progress_t    progress;
    vb_bulk_scan_t   scan;

    vb_bulk_journal(o);
    vb_bulk_scan(conf, &scan);

    if (scan.invalid) {
        vb_error("%llu of %llu rows will not be dialled, %s",
                 (unsigned long long) scan.invalid,
                 (unsigned long long) scan.rows, scan.first);
    }

    if (vb_rows_open(conf->rows) != VB_OK) {
        vb_die(VB_EXIT_USAGE, "%s", conf->rows->error);
    }

    if (vb_journal_open(&journal, o->journal, o->input) != VB_OK) {
        vb_die(VB_EXIT_USAGE, "%s", journal.error);
    }

    conf->journal = &journal;
    conf->http = vb_http_create(o->settings.cacert, o->settings.insecure);

    vb_progress_init(&progress, scan.rows, o->progress, o->quiet);

    d = vb_dialer_create(conf, vb_progress_show, &progress);
    vb_progress_from(&progress, vb_dialer_tally(d));

    if (vb_dialer_resume(d, &why) != VB_OK) {
        vb_die(VB_EXIT_USAGE, "%s: %s, %s; move the journal away to begin "
               "anew", o->input, why, o->journal);
    }

    if (o->test_call && journal.next == 1) {
        status = vb_bulk_test_call(o, conf, scan.rows);

        if (status != VB_OK) {
            return status;
        }
    }

    status = vb_dialer_run(d, &why);

    vb_progress_report(&progress, vb_dialer_tally(d), o->journal, why,
                       o->json);
    vb_journal_close(&journal);

    return vb_bulk_finish(d, status);
}


/* beside the rows, if nothing else was said */

static void
vb_bulk_journal(vb_bulk_options_t *o)
{
    vb_text_t  name;

    if (o->journal) {
        return;
    }

    if (strcmp(o->input, "-") == 0) {
        vb_die(VB_EXIT_USAGE, "rows from the standard input want a "
               "--journal FILE");
    }

    memset(&name, 0, sizeof(vb_text_t));
    vb_text_printf(&name, "%s.journal", o->input);

    o->journal = (char *) name.data;
}


static int
vb_bulk_finish(vb_dialer_t *d, int status)
{
    size_t             i;
    const vb_tally_t  *tally;

    tally = vb_dialer_tally(d);

    if (status != VB_EXIT_OK) {
        return status;
    }

    for (i = 1; i < VB_OUTCOMES; i++) {
        if (i != VB_OUTCOME_COMPLETED && i != VB_OUTCOME_BLOCKED
            && tally->outcomes[i])
        {
            return VB_EXIT_FAILED;
        }
    }

    return VB_EXIT_OK;
}


void
vb_bulk_scan(const vb_dialer_conf_t *conf, vb_bulk_scan_t *scan)
{
    int               rc;
    vb_rows_t         rows;
    const vb_rows_t  *from;
    struct stat       st;

    from = conf->rows;

    memset(scan, 0, sizeof(vb_bulk_scan_t));
    memset(&rows, 0, sizeof(vb_rows_t));

    /* a pipe can be read only once */

    if (stat(from->name, &st) == 0 && !S_ISREG(st.st_mode)) {
        return;
    }

    if (strcmp(from->name, "-") == 0) {
        return;
    }

    rows.name = from->name;
    rows.jsonl = from->jsonl;
    rows.delimiter = from->delimiter;
    rows.types = from->types;

    rc = vb_rows_open(&rows);

    while (rc == VB_OK) {
        rc = vb_rows_read(&rows);

        if (rc == VB_OK) {
            vb_bulk_scan_row(conf, &rows, scan);
        }
    }

    if (rc == VB_ERROR) {
        vb_die(VB_EXIT_USAGE, "%s", rows.error);
    }

    scan->rows = rows.number;

    vb_rows_close(&rows);
    vb_text_free(&rows.to);
    vb_text_free(&rows.agent);
    vb_text_free(&rows.zone);
    vb_text_free(&rows.session);
    vb_text_free(&rows.members);
    vb_text_free(&rows.line);
}


/* counts a row that will not be dialled */

static void
vb_bulk_scan_row(const vb_dialer_conf_t *conf, vb_rows_t *rows,
    vb_bulk_scan_t *scan)
{
    int64_t  next;

    if (rows->invalid[0] == '\0' && rows->zone.len) {
        next = vb_schedule_next(conf->schedule, (char *) rows->zone.data,
                                vb_wall());

        if (next == VB_ERROR || next == VB_NEVER) {
            vb_schedule_why(next, (char *) rows->zone.data, rows->invalid,
                            sizeof(rows->invalid));
        }
    }

    if (rows->invalid[0] && scan->invalid++ == 0) {
        snprintf(scan->first, sizeof(scan->first), "the first is row %llu: %s",
                 (unsigned long long) rows->number, rows->invalid);
    }
}
