
/* What was measured, as name=value pairs, and whether it is worth anything */


#include <stdio.h>

#include <rig.h>


/* the rig is on time if 99 of 100 of its messages are no later than this */
#define RIG_LATE        1000          /* microseconds */

/* and if it never was away for longer than this */
#define RIG_AWAY        20000


static void rig_print_histogram(const char *name, rig_histogram_t *histogram);
static uint64_t rig_quantile(rig_histogram_t *histogram, double q);


void
rig_print(rig_t *rig, rig_process_t *first, rig_sample_t *begin,
    rig_sample_t *end)
{
    double       elapsed;
    const char  *invalid;

    elapsed = (double) (end->time - begin->time) / rig->turns;

    invalid = rig_quantile(&rig->late, 0.99) > RIG_LATE ? "late"
              : rig->late.max > RIG_AWAY ? "away"
              : "no";

    printf("cpu=%.3f ", (end->worker.cpu - begin->worker.cpu) / 1e3
                        / rig->frames);
    printf("load=%.3f ", (end->worker.cpu - begin->worker.cpu) / elapsed);
    printf("waited=%.4f ", (end->worker.waited - begin->worker.waited)
                           / elapsed);
    printf("memory=%.2f ", ((double) end->worker.dirty - (double) first->dirty)
                           / 1024 / (rig->ncalls - RIG_FIRST_CALLS));
    printf("grown=%.2f ", ((double) end->worker.dirty
                           - (double) begin->worker.dirty)
                          / 1024 / rig->ncalls);
    printf("frames=%llu messages=%llu lost=%llu wrong=%llu failed=%llu ",
           (unsigned long long) rig->frames,
           (unsigned long long) rig->messages,
           (unsigned long long) rig->lost, (unsigned long long) rig->wrong,
           (unsigned long long) rig->failed);

    rig_print_histogram("setup", &rig->setup);
    rig_print_histogram("up", &rig->up);
    rig_print_histogram("down", &rig->down);
    rig_print_histogram("late", &rig->late);

    printf("large=%.1f invalid=%s error=%s\n", rig->large, invalid,
           rig->error);
}


static void
rig_print_histogram(const char *name, rig_histogram_t *histogram)
{
    printf("%s_p50=%llu %s_p99=%llu %s_p999=%llu %s_max=%llu ",
           name, (unsigned long long) rig_quantile(histogram, 0.5),
           name, (unsigned long long) rig_quantile(histogram, 0.99),
           name, (unsigned long long) rig_quantile(histogram, 0.999),
           name, (unsigned long long) histogram->max);
}


static uint64_t
rig_quantile(rig_histogram_t *histogram, double q)
{
    uint64_t  i, n, wanted;

    wanted = (uint64_t) (histogram->n * q);

    for (i = 0, n = 0; i < 65535; i++) {
        n += histogram->counts[i];

        if (n > wanted) {
            return i;
        }
    }

    return histogram->max;
}


void
rig_count(rig_histogram_t *histogram, uint64_t ns)
{
    uint64_t  us;

    us = ns / 1000;

    histogram->n++;
    histogram->counts[vb_min(us, 65535)]++;

    if (us > histogram->max) {
        histogram->max = us;
    }
}
