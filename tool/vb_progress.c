
/* The progress of a bulk, and its statistics */


#include <vb_progress.h>

#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>


#define VB_PROGRESS_BAR  20


static uint64_t vb_progress_done(const vb_tally_t *tally);
static void vb_progress_text(vb_progress_t *p, const vb_tally_t *tally,
    vb_text_t *text);
static size_t vb_progress_fit(vb_progress_t *p, const vb_tally_t *tally,
    vb_text_t *text);
static void vb_progress_bar(vb_progress_t *p, uint64_t done, vb_text_t *text);
static void vb_progress_json(vb_progress_t *p, const vb_tally_t *tally,
    const char *journal, const char *why);


void
vb_progress_init(vb_progress_t *p, uint64_t total, int64_t interval,
    int quiet)
{
    memset(p, 0, sizeof(vb_progress_t));

    p->tty = isatty(STDERR_FILENO);
    p->quiet = quiet;
    p->total = total;
    p->interval = interval ? interval : p->tty ? 200 : 10000;
    p->started = vb_now();
    p->shown = p->started;
}


void
vb_progress_from(vb_progress_t *p, const vb_tally_t *tally)
{
    p->done = vb_progress_done(tally);
}


void
vb_progress_show(void *ctx, const vb_tally_t *tally, const char *line)
{
    int64_t         now;
    vb_text_t       text;
    vb_progress_t  *p = ctx;

    now = vb_now();

    if (line) {
        vb_progress_clear(p);
        fprintf(stderr, "%s\n", line);
        return;
    }

    if (p->quiet || now - p->shown < p->interval) {
        return;
    }

    p->shown = now;

    memset(&text, 0, sizeof(vb_text_t));
    vb_progress_text(p, tally, &text);

    if (p->tty) {
        fprintf(stderr, "\r%.*s\033[K",
                (int) vb_progress_fit(p, tally, &text), text.data);
        fflush(stderr);
        p->drawn = 1;

    } else if (strncmp(p->last, (char *) text.data, sizeof(p->last) - 1)
               != 0)
    {
        fprintf(stderr, "%s\n", text.data);
        snprintf(p->last, sizeof(p->last), "%s", text.data);
    }

    vb_text_free(&text);
}


/*
 * A line that is wider than the terminal would stay there each time it is
 * drawn: from then on without the bar, and without its end.
 */

static size_t
vb_progress_fit(vb_progress_t *p, const vb_tally_t *tally, vb_text_t *text)
{
    size_t          columns;
    struct winsize  size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == -1 || size.ws_col == 0) {
        return text->len;
    }

    /* in the last column some terminals begin the next line */

    columns = size.ws_col - 1;

    if (text->len > columns) {
        vb_text_reset(text);

        p->narrow = 1;
        vb_progress_text(p, tally, text);
    }

    return vb_min(text->len, columns);
}


void
vb_progress_clear(vb_progress_t *p)
{
    if (p->drawn) {
        fprintf(stderr, "\r\033[K");
        p->drawn = 0;
    }
}


static uint64_t
vb_progress_done(const vb_tally_t *tally)
{
    size_t    i;
    uint64_t  done;

    done = 0;

    for (i = 0; i < VB_OUTCOMES; i++) {
        done += tally->outcomes[i];
    }

    return done;
}


static void
vb_progress_text(vb_progress_t *p, const vb_tally_t *tally, vb_text_t *text)
{
    char        until[16];
    double      rate;
    size_t      i;
    time_t      due;
    int64_t     elapsed;
    uint64_t    done;
    struct tm   tm;

    done = vb_progress_done(tally);
    elapsed = vb_now() - p->started;

    vb_progress_bar(p, done, text);

    rate = elapsed > 0 ? (done - p->done) * 1e3 / elapsed : 0;

    vb_text_printf(text, "  %zu live  %.1f/s", tally->live, rate);

    for (i = 1; i < VB_OUTCOMES; i++) {
        if (tally->outcomes[i]) {
            vb_text_printf(text, "  %s %llu", vb_outcome_name(i),
                           (unsigned long long) tally->outcomes[i]);
        }
    }

    if (tally->stopping) {
        vb_text_puts(text, "  stopping");

    } else if (tally->paused) {
        vb_text_puts(text, "  paused");

    } else if (p->total > done && rate > 0 && tally->live) {
        vb_text_printf(text, "  %s left",
                       vb_duration_print((p->total - done) / rate * 1e3));
    }

    if (tally->waiting) {
        vb_text_printf(text, "  %zu waiting", tally->waiting);

        if (tally->live == 0) {
            due = tally->next_due / 1000;
            gmtime_r(&due, &tm);
            strftime(until, sizeof(until), "%a %H:%M", &tm);
            vb_text_printf(text, " until %s UTC", until);
        }
    }
}


static void
vb_progress_bar(vb_progress_t *p, uint64_t done, vb_text_t *text)
{
    unsigned  i, filled;

    if (p->total == 0) {
        vb_text_printf(text, "%llu rows", (unsigned long long) done);
        return;
    }

    if (p->tty && !p->narrow) {
        filled = done * VB_PROGRESS_BAR / p->total;

        vb_text_puts(text, "[");

        for (i = 0; i < VB_PROGRESS_BAR; i++) {
            vb_text_puts(text, i < filled ? "#" : "-");
        }

        vb_text_puts(text, "] ");
    }

    vb_text_printf(text, "%llu of %llu, %d %%", (unsigned long long) done,
                   (unsigned long long) p->total,
                   (int) (done * 100 / p->total));
}


void
vb_progress_report(vb_progress_t *p, const vb_tally_t *tally,
    const char *journal, const char *why, int json)
{
    size_t    i;
    int64_t   elapsed;
    uint64_t  done;

    vb_progress_clear(p);

    if (json) {
        vb_progress_json(p, tally, journal, why);
        return;
    }

    done = vb_progress_done(tally);
    elapsed = vb_now() - p->started;

    for (i = 1; i < VB_OUTCOMES; i++) {
        if (tally->outcomes[i]) {
            printf("%-10s %10llu  %5.1f %%\n", vb_outcome_name(i),
                   (unsigned long long) tally->outcomes[i],
                   tally->outcomes[i] * 100.0 / done);
        }
    }

    printf("%-10s %10llu", "rows", (unsigned long long) done);

    if (p->total) {
        printf("  of %llu", (unsigned long long) p->total);
    }

    printf("\n%-10s %10llu  %llu of them again", "calls",
           (unsigned long long) tally->calls,
           (unsigned long long) tally->retries);

    if (tally->timed) {
        printf(", %s each", vb_duration_print(tally->duration
                                              / (int64_t) tally->timed));
    }

    printf("; this run took %s\n", vb_duration_print(elapsed));

    if (tally->failure[0]) {
        printf("The first failure: %s; all are in %s\n", tally->failure,
               journal);
    }

    if (why) {
        printf("Stopped: %s.\n", why);
        printf("The same command goes on from here; the journal is %s\n",
               journal);
    }
}


static void
vb_progress_json(vb_progress_t *p, const vb_tally_t *tally,
    const char *journal, const char *why)
{
    size_t     i;
    vb_text_t  text;

    memset(&text, 0, sizeof(vb_text_t));

    vb_text_printf(&text, "{\"rows\": %llu, \"outcomes\": {",
                   (unsigned long long) vb_progress_done(tally));

    for (i = 1; i < VB_OUTCOMES; i++) {
        vb_text_printf(&text, "%s\"%s\": %llu", i > 1 ? ", " : "",
                       vb_outcome_name(i),
                       (unsigned long long) tally->outcomes[i]);
    }

    vb_text_printf(&text, "}, \"calls\": %llu, \"retries\": %llu, "
                   "\"live\": %zu, \"waiting\": %zu, "
                   "\"call_seconds\": %.3f, \"seconds\": %.3f, \"stopped\": ",
                   (unsigned long long) tally->calls,
                   (unsigned long long) tally->retries, tally->live,
                   tally->waiting, tally->duration / 1e3,
                   (vb_now() - p->started) / 1e3);

    if (why) {
        vb_text_json(&text, why, strlen(why));

    } else {
        vb_text_puts(&text, "null");
    }

    if (journal) {
        vb_text_puts(&text, ", \"journal\": ");
        vb_text_json(&text, journal, strlen(journal));
    }

    vb_text_puts(&text, "}\n");

    fputs((char *) text.data, stdout);
    vb_text_free(&text);
}
