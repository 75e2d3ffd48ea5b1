
/*
 * A worker that is killed at any of its instructions leaves voicebridge_zone
 * whole.
 *
 * A process is traced while it uses tokens, keeps answers, places, begins and
 * ends calls, and takes those of a dead one away.  After each instruction that
 * has changed the shared memory it might have died: then another worker comes,
 * finds all that was done, counts every call once, and goes on.  Then the memory
 * is put back, and the process does its next step.
 */


#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <signal.h>
#include <tap.h>

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

static int is_running(ngx_pid_t pid, int signal);

#define kill  is_running

#include "../../../src/nginx/ngx_http_voicebridge_zone.c"
#include "../../../src/nginx/ngx_http_voicebridge_idempotency.c"
#include "../../../src/nginx/ngx_http_voicebridge_record.c"
#include "../../../src/nginx/ngx_http_voicebridge_record_view.c"
#include "../../../src/nginx/ngx_http_voicebridge_stats.c"
#include "../../../src/nginx/ngx_http_voicebridge_stats_call.c"
#include "../../../src/nginx/ngx_http_voicebridge_stats_status.c"


/* of the zone, more than the counters: some few records, some nonces */
#define SIZE      (sizeof(ngx_http_voicebridge_stats_sh_t) + 28672)

#define DEAD      1000
#define WORKER    1001
#define AFTER     1002


static u_char           *memory;        /* shared: the zone's */
static u_char           *next;          /* free, of it */
static ngx_shm_zone_t    zone;
static ngx_pool_t       *pool;

static ngx_time_t        now = { 1000000, 0, 0 };
static ngx_log_t         nolog;
static ngx_cycle_t       cycle = { .log = &nolog };


#include "zone_nginx.h"
#include "zone_work.h"


static void
make_zone(void)
{
    ngx_slab_pool_t                         *shpool;
    static ngx_http_voicebridge_zone_ctx_t   ctx;
    static ngx_http_voicebridge_main_conf_t  vmcf;

    next = memory;

    shpool = (ngx_slab_pool_t *) next;
    next += ngx_align(sizeof(ngx_slab_pool_t) + sizeof(ngx_atomic_t), 64);

    shpool->mutex.lock = (ngx_atomic_t *) (shpool + 1);

    zone.shm.addr = memory;
    zone.shm.size = SIZE;
    zone.data = &ctx;
    ctx.vmcf = &vmcf;

    ctx.vmcf = &vmcf;
    vmcf.keeps = 1;

    if (ngx_http_voicebridge_init_zone(&zone, NULL) != NGX_OK) {
        ok(0, "there is a zone");
        exit(1);
    }
}


/* whether what is known of a request is what may be known */

static ngx_uint_t
is_kept(ngx_uint_t n)
{
    ngx_int_t                           rc;
    ngx_uint_t                          known;
    ngx_http_voicebridge_kept_t         kept;
    ngx_http_voicebridge_idempotency_t  id;

    rc = find(n, &kept);

    request(&id, n);

    known = rc == NGX_OK && kept.status == 200
            && kept.text.len == answer.len
            && ngx_memcmp(kept.text.data, answer.data, answer.len) == 0;

    /* whoever comes next is told, or is the first */

    if (ngx_http_voicebridge_idempotency_reserve(&zone, &id, 10, 60)
        != (rc == NGX_OK ? NGX_AGAIN : NGX_OK))
    {
        return 0;
    }

    if (n >= progress->reserved[1]) {
        return rc == NGX_DECLINED;
    }

    if (n < progress->kept[0]) {
        return (n % 2) ? rc == NGX_DECLINED : known;
    }

    if (n < progress->reserved[0] && n >= progress->kept[1]) {
        return rc == NGX_OK && kept.status == 0;
    }

    return rc == NGX_DECLINED || known || (rc == NGX_OK && kept.status == 0);
}


static ngx_uint_t
counter(ngx_uint_t family, const char *b)
{
    ngx_uint_t                        i, n;
    ngx_http_voicebridge_counter_t   *c;
    ngx_http_voicebridge_stats_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_stats(&zone);
    n = 0;

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_STATS_COUNTERS; i++) {
        c = &sh->counter[i];

        if (c->family == family
            && (b == NULL || strcmp(c->label[1], b) == 0))
        {
            n += c->value;
        }
    }

    return n;
}


/* what was done is there; what was being done may be */
#define is_between(n, what, more)                                             \
    ((n) >= (what)[0] + (more) && (n) <= (what)[1] + (more))

static ngx_uint_t  wrong[10];

/* what another worker finds, and does */

static void
come_after(void)
{
    ngx_uint_t                         i, n, calls, more, waiting;
    ngx_array_t                       *records;
    ngx_http_voicebridge_known_t      *known;
    ngx_http_voicebridge_query_t       query;
    ngx_http_voicebridge_stats_t       stats;
    ngx_http_voicebridge_record_t      record, *r;
    ngx_http_voicebridge_stats_sh_t   *sh;
    ngx_http_voicebridge_histogram_t  *h;

    ngx_pid = AFTER;

    ngx_memzero(&query, sizeof(ngx_http_voicebridge_query_t));
    query.limit = 100;

    sh = ngx_http_voicebridge_zone_stats(&zone);

    ngx_http_voicebridge_stats_reap(&zone, 1);

    wrong[0] += (ngx_http_voicebridge_stats_live(&zone) != 0);

    /* those that were placed wait, have a stream, or were busy */

    more = counter(NGX_HTTP_VOICEBRIDGE_STATS_CALLS, "busy")
           + counter(NGX_HTTP_VOICEBRIDGE_STATS_CALLS, "no_callback");
    waiting = ngx_http_voicebridge_stats_ringing(&zone);

    n = waiting + more;

    wrong[8] += n + progress->inherits[1] < progress->placed[0]
                || n + progress->inherits[0] > progress->placed[1]
                || !is_between(counter(NGX_HTTP_VOICEBRIDGE_STATS_CALLS,
                                       "busy"), progress->busy, 0);

    calls = counter(NGX_HTTP_VOICEBRIDGE_STATS_CALLS, NULL);

    wrong[1] += !is_between(calls - more, progress->begins, 3);

    n = counter(NGX_HTTP_VOICEBRIDGE_STATS_CALLS, "caller_hung_up");

    wrong[2] += !is_between(n, progress->ends, 0)
                || calls - more - n
                   != counter(NGX_HTTP_VOICEBRIDGE_STATS_CALLS,
                              "worker_lost");

    n = counter(NGX_HTTP_VOICEBRIDGE_STATS_OUTBOUND, NULL);

    wrong[3] += !is_between(n, progress->counts, 0);

    h = &sh->histogram[NGX_HTTP_VOICEBRIDGE_STATS_SETUP];

    for (i = 0, n = 0; i <= NGX_HTTP_VOICEBRIDGE_STATS_BOUNDS; i++) {
        n += h->bucket[i];
    }

    wrong[4] += !is_between(n, progress->numbers, 0) || h->sum != n * 100000;

    for (i = 0; i < TOKENS; i++) {
        n = use(i);

        wrong[5] += (i < progress->tokens[0] && n != (ngx_uint_t) NGX_DECLINED)
                    || (i >= progress->tokens[1] && n != NGX_OK)
                    || use(i) != NGX_DECLINED;
    }

    for (i = 0; i < KEYS; i++) {
        wrong[9] += !is_kept(i);
    }

    records = ngx_http_voicebridge_record_query(&zone, pool, 0, &query);
    known = records->elts;

    /* the oldest may have had to make room for one that did not come */

    n = ngx_min(sh->records.ended, sh->records.nrecent);

    wrong[6] += (records->nelts != n && records->nelts + 1 != n);

    for (i = 0; i < records->nelts; i++) {
        r = &known[i].record;

        wrong[6] += strcmp(r->state, "ended") != 0
                    || strlen(r->session_id) >= sizeof(r->session_id)
                    || (strcmp(r->end_reason, "worker_lost") != 0
                        && strcmp(r->end_reason, "caller_hung_up") != 0
                        && strcmp(r->end_reason, "busy") != 0
                        && strcmp(r->end_reason, "no_callback") != 0);
    }

    /* life goes on */

    ngx_memzero(&stats, sizeof(ngx_http_voicebridge_stats_t));
    ngx_http_voicebridge_stats_begin(&stats, &zone);

    wrong[7] += ngx_http_voicebridge_stats_live(&zone) != 1;

    fill(&record, "ended", "caller_hung_up");
    ngx_http_voicebridge_stats_end(&stats, &record);

    wrong[7] += ngx_http_voicebridge_stats_live(&zone) != 0
                || counter(NGX_HTTP_VOICEBRIDGE_STATS_CALLS, NULL)
                   != calls + 1;
}


/* one step of the worker; false when it has ended */

static int
step(pid_t pid)
{
    int  status;

    if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == -1
        || waitpid(pid, &status, 0) != pid)
    {
        return 0;
    }

    return WIFSTOPPED(status);
}


int
main(void)
{
    int           status;
    pid_t         pid;
    u_char       *before;
    ngx_uint_t    i, steps, states;

    static const char  *what[] = {
        "no call is left", "each call that has begun is counted, once",
        "for what has ended it", "requests are counted",
        "a histogram has its sum", "a token that was used is used",
        "the calls that were last", "a new call begins and ends",
        "calls that were placed wait, or are busy, once",
        "an answer is kept, or nobody knows it, or it was never reserved"
    };

    memory = mmap(NULL, SIZE, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                  -1, 0);
    progress = mmap(NULL, sizeof(progress_t), PROT_READ|PROT_WRITE,
                    MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    before = malloc(SIZE);

    if (memory == MAP_FAILED || progress == MAP_FAILED || before == NULL) {
        return 1;
    }

    make_zone();
    die();

    pid = fork();

    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
            _exit(1);
        }

        raise(SIGSTOP);
        work();
        _exit(0);
    }

    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
        printf("1..0 # SKIP processes cannot be traced here\n");
        return 0;
    }

    memcpy(before, memory, SIZE);
    states = 0;

    for (steps = 0; step(pid); steps++) {

        if (memcmp(before, memory, SIZE) == 0) {
            continue;
        }

        states++;
        memcpy(before, memory, SIZE);
        come_after();
        memcpy(memory, before, SIZE);
    }

    i = ngx_http_voicebridge_zone_records(&zone)->nlive;

    ok(i > 0 && i < CALLS, "%zu of %d calls have a record", (size_t) i, CALLS);

    is_int(progress->ends[0], (CALLS + 1) / 2, "the worker has come to its end");
    ok(states > 300, "%zu instructions, %zu of them changed the zone",
       (size_t) steps, (size_t) states);

    for (i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
        is_int(wrong[i], 0, "%s", what[i]);
    }

    free(before);

    return done_testing();
}
