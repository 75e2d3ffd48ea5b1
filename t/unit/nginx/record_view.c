
/*
 * Who looks at the live calls does not keep the zone's mutex for long, and
 * what happens meanwhile makes no call look like another.
 *
 * Whatever happens does so when the mutex is free, in this process.
 */


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


/* a quarter of what is more than the counters is for live calls */
#define CALLS  24
#define SIZE   (sizeof(ngx_http_voicebridge_stats_sh_t)                       \
                + 4 * (CALLS + 2) * (sizeof(ngx_http_voicebridge_known_t) + 16))

#define AFTER  1002


static u_char           *memory;
static u_char           *next;
static ngx_shm_zone_t    zone;

static ngx_time_t        now = { 1000000, 0, 0 };
static ngx_log_t         nolog;
static ngx_cycle_t       cycle = { .log = &nolog };


#define ngx_shmtx_unlock  unlock

#include "zone_nginx.h"

#undef ngx_shmtx_unlock


static ngx_uint_t        unlocked;
static void            (*meanwhile)(void);


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    void  (*happens)(void);

    unlock(mtx);
    unlocked++;

    happens = meanwhile;

    if (happens) {
        meanwhile = NULL;
        happens();
        meanwhile = happens;
    }
}


static ngx_http_voicebridge_stats_t  calls[CALLS + 1];


/* every third is of another agent */

static void
begin(ngx_uint_t n)
{
    ngx_http_voicebridge_record_t  record;

    ngx_memzero(&record, sizeof(record));

    (void) snprintf(record.call_sid, sizeof(record.call_sid), "CA%u",
                    (unsigned) n);
    (void) snprintf(record.agent_id, sizeof(record.agent_id), "%s",
                    n % 3 ? "agent" : "other");
    (void) snprintf(record.state, sizeof(record.state), "live");
    (void) snprintf(record.direction, sizeof(record.direction), "inbound");

    ngx_http_voicebridge_stats_begin(&calls[n], &zone);
    ngx_http_voicebridge_stats_update(&calls[n], &record,
                                      NGX_HTTP_VOICEBRIDGE_STEP_NONE, 0);
}


static void
end(ngx_uint_t n)
{
    ngx_http_voicebridge_record_t  record;

    record = calls[n].known->record;

    (void) snprintf(record.end_reason, sizeof(record.end_reason), "operator");

    ngx_http_voicebridge_stats_end(&calls[n], &record);
}


static ngx_array_t *
live(const char *agent, ngx_uint_t limit)
{
    ngx_http_voicebridge_query_t  query;

    ngx_memzero(&query, sizeof(query));

    query.limit = limit;
    query.agent_id.data = (u_char *) agent;
    query.agent_id.len = strlen(agent);

    unlocked = 0;

    return ngx_http_voicebridge_record_query(&zone, NULL, 1, &query);
}


static int
is_call(ngx_array_t *found, ngx_uint_t i, ngx_uint_t n)
{
    char                           sid[16];
    ngx_http_voicebridge_known_t  *known;

    (void) snprintf(sid, sizeof(sid), "CA%u", (unsigned) n);

    known = found->elts;

    return i < found->nelts && strcmp(known[i].record.call_sid, sid) == 0;
}


static void
test_all(void)
{
    ngx_uint_t    i, n;
    ngx_array_t  *found;

    found = live("", NGX_MAX_INT32_VALUE);

    is_int(found->nelts, CALLS, "all calls");

    for (i = 0, n = 0; i < CALLS; i++) {
        n += is_call(found, i, CALLS - 1 - i);
    }

    is_int(n, CALLS, "the newest first");
    ok(unlocked > CALLS / NGX_HTTP_VOICEBRIDGE_RECORD_FEW,
       "others could have had the mutex %u times", (unsigned) unlocked);

    found = live("other", 3);

    is_int(found->nelts, 3, "some of an agent");
    ok(is_call(found, 0, 21) && is_call(found, 1, 18) && is_call(found, 2, 15),
       "the newest");

    is_int(live("other", NGX_MAX_INT32_VALUE)->nelts, CALLS / 3,
           "all of an agent");
    is_int(live("nobody", 3)->nelts, 0, "none");
    is_int(live("", 0)->nelts, 0, "none that are wanted");
}


/* while some have been copied: one of the rest ends, another has its place */

static void
others(void)
{
    if (unlocked == 3) {
        end(2);
        begin(CALLS);
    }
}


static void
test_meanwhile(void)
{
    ngx_uint_t                      i, n;
    ngx_array_t                    *found;
    ngx_http_voicebridge_known_t   *place;

    place = calls[2].known;
    ngx_http_voicebridge_zone_records(&zone)->hand = place
                          - ngx_http_voicebridge_zone_records(&zone)->live - 1;

    meanwhile = others;
    found = live("", NGX_MAX_INT32_VALUE);
    meanwhile = NULL;

    ok(calls[CALLS].known == place, "a new call has the place of an old one");
    is_int(found->nelts, CALLS - 1, "both are not there");

    for (i = 0, n = 0; i < CALLS - 1; i++) {
        n += is_call(found, i, CALLS - 1 - i - (i > CALLS - 4));
    }

    is_int(n, CALLS - 1, "all others are, once");
    ok(is_call(live("", 1), 0, CALLS), "the new one is, the next time");
}


int
main(void)
{
    ngx_uint_t                               i;
    ngx_slab_pool_t                         *shpool;
    static ngx_http_voicebridge_zone_ctx_t   ctx;
    static ngx_http_voicebridge_main_conf_t  vmcf;

    memory = calloc(1, SIZE);
    if (memory == NULL) {
        return 1;
    }

    ngx_pid = AFTER;
    next = memory;

    shpool = (ngx_slab_pool_t *) next;
    next += ngx_align(sizeof(ngx_slab_pool_t) + sizeof(ngx_atomic_t), 64);

    shpool->mutex.lock = (ngx_atomic_t *) (shpool + 1);

    zone.shm.addr = memory;
    zone.shm.size = SIZE;
    zone.data = &ctx;
    ctx.vmcf = &vmcf;

    if (ngx_http_voicebridge_init_zone(&zone, NULL) != NGX_OK
        || ngx_http_voicebridge_zone_records(&zone)->nlive < CALLS)
    {
        ok(0, "there is room");
        return 1;
    }

    for (i = 0; i < CALLS; i++) {
        begin(i);
    }

    test_all();
    test_meanwhile();

    free(memory);

    return done_testing();
}
