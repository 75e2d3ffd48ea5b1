
/*
 * The load rig: one measurement of one gateway.
 *
 *     rig -p PORT -l FD -w PID [-r] [-s CERT -k KEY] [-f FORMAT] [-c CALLS]
 *         [-t SECONDS] [-b BYTES] [-x TURN/TURNS]
 *
 * Plays CALLS phones that call 127.0.0.1:PORT, and their far ends, which
 * accept on the listening socket FD.  -r: the gateway is a relay; -s: TLS on
 * both legs; -f: the agent's audio format; -b: once all is measured the far
 * ends send a message of so many bytes, and memory is taken before and after;
 * -x: this is one of TURNS rigs, whose gateways share a core.  When the calls
 * are set up it says "ready", reads the moment when the first turn begins (ns,
 * CLOCK_MONOTONIC), and then talks in its own turns only, for SECONDS of them
 * in all.  Prints name=value pairs.
 */


#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <rig.h>


#define RIG_MS          1000000ULL
#define RIG_SECOND      1000000000ULL

/* of a rig's; short, so that whatever makes the machine slow is in all */
#define RIG_TURN        (RIG_SECOND / 4)

/* the way into and out of idle takes a core as long as a message does, and
 * where the rig sleeps the gateway wakes it: it sleeps for no less */
#define RIG_SLEEP       (2 * RIG_MS)

/* calls whose far ends send a large message, one at a time */
#define RIG_BIG_CALLS   4
#define RIG_BIG_TIME    (RIG_SECOND / 2)

/* all calls must be set up within this, and 10 ms more for each */
#define RIG_SETUP_TIME  (5 * RIG_SECOND)

/* for the audio that is still under way when measuring ends */
#define RIG_DRAIN       (3 * RIG_SECOND)


/*
 * Evenly spread: unit n of all calls together is due at start + n * step, in
 * the rig's own turns, once there are turns.
 */
typedef struct {
    uint64_t       start;
    double         step;
    uint64_t       n;
    void         (*send)(rig_call_t *call);
    uint64_t      *count;
} rig_schedule_t;


static void rig_prepare(rig_t *rig);
static int rig_start(rig_t *rig);
static int rig_setup(rig_t *rig, rig_schedule_t schedule[2],
    rig_process_t *first);
static int rig_next_call(rig_t *rig);
static int rig_begin(rig_t *rig, rig_schedule_t schedule[2]);
static void rig_run(rig_t *rig, rig_schedule_t schedule[2], uint64_t until);
static uint64_t rig_due(rig_t *rig, rig_schedule_t *schedule);
static uint64_t rig_moment(rig_t *rig, uint64_t own);
static void rig_wait(rig_t *rig, uint64_t until);
static int rig_measure(rig_t *rig, rig_schedule_t schedule[2],
    rig_sample_t *begin, rig_sample_t *end);
static int rig_sample(rig_t *rig, rig_sample_t *sample);
static void rig_large(rig_t *rig);
static void rig_finish(rig_t *rig);
static uint64_t rig_under_way(rig_t *rig);


int
main(int argc, char **argv)
{
    uint64_t         now;
    rig_sample_t     begin, end;
    rig_process_t    first;
    rig_schedule_t   schedule[2];
    static rig_t     rig;

    if (rig_options(&rig, argc, argv) != VB_OK) {
        fprintf(stderr, "usage: rig -p PORT -l FD -w PID [-r] [-s CERT -k KEY] "
                "[-f FORMAT] [-c CALLS] [-t SECONDS] [-b BYTES] "
                "[-x TURN/TURNS]\n");
        return 2;
    }

    if (rig_start(&rig) != VB_OK) {
        fprintf(stderr, "rig: cannot start\n");
        return 1;
    }

    now = rig_clock();

    schedule[0] = (rig_schedule_t) { now, RIG_UPLINK_MS * 1e6 / rig.ncalls, 0,
                                     rig_call_frame, &rig.frames };
    schedule[1] = (rig_schedule_t) { now,
                                     RIG_DOWNLINK_MS * 1e6 / rig.ncalls, 0,
                                     rig_call_speak, &rig.messages };

    if (rig_setup(&rig, schedule, &first) != VB_OK) {
        fprintf(stderr, "rig: %u of %u calls: %s\n", rig.lives, rig.ncalls,
                rig.error[0] ? rig.error : "not set up in time");
        return 1;
    }

    if (rig_begin(&rig, schedule) != VB_OK) {
        fprintf(stderr, "rig: nobody said when to begin\n");
        return 1;
    }

    if (rig_measure(&rig, schedule, &begin, &end) != VB_OK) {
        fprintf(stderr, "rig: /proc does not tell of the worker\n");
        return 1;
    }

    rig_finish(&rig);
    rig_print(&rig, &first, &begin, &end);

    return 0;
}


static int
rig_start(rig_t *rig)
{
    rig_prepare(rig);

    rig->random = rig_clock();
    rig->calls = calloc(rig->ncalls, sizeof(rig_call_t));

    return rig->calls != NULL && rig_audio_init(rig) == VB_OK
           && rig_peer_init(rig) == VB_OK ? VB_OK : VB_ERROR;
}


/* to be on time: sleeps end when they are said to; as root, others wait */

static void
rig_prepare(rig_t *rig)
{
    struct rlimit  limit;

    (void) prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);

    /* not in real time: of that the kernel takes 50 ms in every second back
     * from a process that uses all of its core */
    (void) setpriority(PRIO_PROCESS, 0, -20);

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
    }
}


/*
 * A few calls are set up at a time and nobody talks meanwhile, so that the
 * time it takes is a call's own.
 */

static int
rig_setup(rig_t *rig, rig_schedule_t schedule[2], rig_process_t *first)
{
    uint64_t  now, deadline;
    unsigned  limit;

    limit = RIG_FIRST_CALLS;
    deadline = rig_clock() + RIG_SETUP_TIME + 10 * RIG_MS * rig->ncalls;

    while (rig->lives < rig->ncalls) {

        now = rig_clock();

        if (rig->failed || now > deadline) {
            return VB_ERROR;
        }

        if (rig->lives == RIG_FIRST_CALLS && limit == RIG_FIRST_CALLS) {

            /* once these have talked the worker has what it needs once */

            rig->talkers = RIG_FIRST_CALLS;
            rig_run(rig, schedule, now + RIG_SECOND / 2);
            rig->talkers = 0;

            if (rig_process(first, rig->pid, 1) != VB_OK) {
                return VB_ERROR;
            }

            limit = rig->ncalls;
        }

        while (rig->started < limit && rig->started - rig->lives < RIG_SETUPS)
        {
            if (rig_next_call(rig) != VB_OK) {
                return VB_ERROR;
            }
        }

        rig_run(rig, schedule, now + RIG_MS);
    }

    rig->talkers = rig->ncalls;

    return rig->failed ? VB_ERROR : VB_OK;
}


static int
rig_next_call(rig_t *rig)
{
    rig_call_t  *call;

    call = &rig->calls[rig->started];

    call->id = rig->started++;
    call->phone = rig_peer_connect(rig, call);

    return call->phone ? VB_OK : VB_ERROR;
}


/* waits for the other rigs; from now on all calls talk */

static int
rig_begin(rig_t *rig, rig_schedule_t schedule[2])
{
    unsigned long long  begin;

    rig->begin = rig_clock();

    if (rig->turns > 1) {
        printf("ready\n");
        fflush(stdout);

        if (scanf("%llu", &begin) != 1) {
            return VB_ERROR;
        }

        rig->begin = begin;
    }

    schedule[0].start = schedule[1].start = 0;
    schedule[0].n = schedule[1].n = 0;

    return VB_OK;
}


static void
rig_run(rig_t *rig, rig_schedule_t schedule[2], uint64_t until)
{
    uint64_t  due, other;

    while (rig_clock() < until) {
        due = rig_due(rig, &schedule[0]);
        other = rig_due(rig, &schedule[1]);

        due = vb_min(due, other);

        rig_wait(rig, vb_min(due, until));
    }
}


/* sends what is due, and returns when the next is */

static uint64_t
rig_due(rig_t *rig, rig_schedule_t *schedule)
{
    uint64_t     now, due;
    rig_call_t  *call;

    for ( ;; ) {
        due = schedule->start + (uint64_t) (schedule->n * schedule->step);
        due = rig_moment(rig, due);
        now = rig_clock();

        if (now < due) {
            return due;
        }

        call = &rig->calls[schedule->n++ % rig->ncalls];

        if (!call->live || call->id >= rig->talkers) {
            continue;
        }

        schedule->send(call);

        if (rig->measuring) {
            rig_count(&rig->late, now - due);
            ++*schedule->count;
        }
    }
}


/* when the rig's own time will have come so far */

static uint64_t
rig_moment(rig_t *rig, uint64_t own)
{
    uint64_t  turn;

    if (rig->begin == 0) {
        return own;
    }

    turn = own / RIG_TURN * rig->turns + rig->turn;

    return rig->begin + turn * RIG_TURN + own % RIG_TURN;
}


static void
rig_wait(rig_t *rig, uint64_t until)
{
    int                 n, i;
    uint64_t            now;
    struct timespec     ts;
    struct epoll_event  events[64];

    now = rig_clock();
    until = until > now + RIG_SLEEP ? until - now - RIG_SLEEP : 0;

    ts.tv_sec = until / RIG_SECOND;
    ts.tv_nsec = until % RIG_SECOND;

    n = epoll_pwait2(rig->epoll, events, 64, &ts, NULL);

    if (n == -1 && errno == ENOSYS) {

        /* before Linux 5.11; never longer than asked for */

        n = epoll_wait(rig->epoll, events, 64, until / RIG_MS);
    }

    for (i = 0; i < n; i++) {
        if (events[i].data.ptr) {
            rig_peer_event(events[i].data.ptr, events[i].events);

        } else {
            rig_peer_accept(rig);
        }
    }
}


/* from half a second of the rig's own time on, for as long as was asked for */

static int
rig_measure(rig_t *rig, rig_schedule_t schedule[2], rig_sample_t *begin,
    rig_sample_t *end)
{
    uint64_t  from;

    from = rig->begin + rig->turns * RIG_SECOND / 2;

    rig_run(rig, schedule, from);

    rig->measuring = 1;

    if (rig_sample(rig, begin) != VB_OK) {
        return VB_ERROR;
    }

    rig_run(rig, schedule, from + (uint64_t) (rig->turns * rig->seconds
                                              * RIG_SECOND));

    return rig_sample(rig, end);
}


static int
rig_sample(rig_t *rig, rig_sample_t *sample)
{
    sample->time = rig_clock();

    return rig_process(&sample->worker, rig->pid, 1);
}


/* what large messages leave in a worker's memory, once they are over */

static void
rig_large(rig_t *rig)
{
    uint64_t       until;
    unsigned       i;
    rig_process_t  before, after;

    if (rig_process(&before, rig->pid, 1) != VB_OK) {
        return;
    }

    for (i = 0; i < RIG_BIG_CALLS; i++) {

        if (rig_call_big(&rig->calls[i], rig->big) != VB_OK) {
            rig_failed(rig, "no memory");
        }

        until = rig_clock() + RIG_BIG_TIME;

        while (rig_clock() < until) {
            rig_wait(rig, until);
        }
    }

    if (rig_process(&after, rig->pid, 1) == VB_OK) {
        rig->large = ((double) after.dirty - (double) before.dirty) / 1024;
    }
}


/* nothing more is sent; what does not arrive now is lost */

static void
rig_finish(rig_t *rig)
{
    uint64_t     now, next, until;
    unsigned     i;
    rig_call_t  *call;

    now = rig_clock();
    until = now + RIG_DRAIN;

    while (now < until && rig_under_way(rig)) {
        next = now + 10 * RIG_MS;

        while (now < next) {
            rig_wait(rig, next);
            now = rig_clock();
        }
    }

    rig->measuring = 0;
    rig->lost += rig_under_way(rig);

    if (rig->big) {
        rig_large(rig);
    }

    for (i = 0; i < rig->ncalls; i++) {
        call = &rig->calls[i];

        rig_peer_close(call->phone, NULL);
        rig_peer_close(call->far, NULL);
    }
}


/* units that were sent and have not arrived */

static uint64_t
rig_under_way(rig_t *rig)
{
    uint64_t     n;
    unsigned     i;
    rig_call_t  *call;

    for (n = 0, i = 0; i < rig->ncalls; i++) {
        call = &rig->calls[i];

        n += call->up.sent - call->up.arrived;
        n += call->down.sent - call->down.arrived;
    }

    return n;
}


uint64_t
rig_clock(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * RIG_SECOND + ts.tv_nsec;
}


void
rig_failed(rig_t *rig, const char *format, ...)
{
    va_list  args;

    if (rig->failed++ == 0) {
        va_start(args, format);
        vsnprintf(rig->error, sizeof(rig->error), format, args);
        va_end(args);
    }
}
