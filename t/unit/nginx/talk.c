
/*
 * What was said in a call is wiped two minutes after it, whichever worker has
 * had the call and whichever lives then, and with nobody looking.
 *
 * Processes are this one under other pids; time passes from timer to timer.
 */


#include <signal.h>
#include <tap.h>

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

static int is_running(ngx_pid_t pid, int signal);

#define kill  is_running

#include "../../../src/nginx/ngx_http_voicebridge_talk.c"


#define OLD  1000
#define NEW  1001

#define PLACES  4


static u_char                            memory[65536]
                                              __attribute__((aligned(64)));
static ngx_shm_zone_t                    zone;
static ngx_http_voicebridge_talk_sh_t   *sh;
static ngx_http_voicebridge_talk_t       talk;
static ngx_http_voicebridge_main_conf_t  vmcf = { .zone = &zone };
static ngx_pid_t                         dead;

static ngx_time_t                        now = { 1000000, 0, 0 };
static void                             *confs[1];
static ngx_http_conf_ctx_t               http = { .main_conf = confs };
static void                             *contexts[1];
static ngx_log_t                         nolog;
static ngx_cycle_t                       cycle = { .log = &nolog };


/* of nginx, what is needed */

ngx_pid_t             ngx_pid;
ngx_uint_t            ngx_exiting;
volatile ngx_msec_t   ngx_current_msec;
volatile ngx_time_t  *ngx_cached_time = &now;
volatile ngx_cycle_t *ngx_cycle = &cycle;
ngx_rbtree_t          ngx_event_timer_rbtree;
ngx_module_t          ngx_http_module;
ngx_module_t          ngx_http_voicebridge_module;


static int
is_running(ngx_pid_t pid, int signal)
{
    errno = ESRCH;

    return pid == dead ? -1 : 0;
}


void
ngx_rbtree_insert(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
}


void
ngx_rbtree_delete(ngx_rbtree_t *tree, ngx_rbtree_node_t *node)
{
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
}


void
ngx_explicit_memzero(void *buf, size_t n)
{
    ngx_memzero(buf, n);
}


void *
ngx_slab_calloc(ngx_slab_pool_t *shpool, size_t size)
{
    static u_char  *next = memory;

    next += size;

    return next <= memory + sizeof(memory) ? next - size : NULL;
}


/* and of the zone */

ngx_http_voicebridge_talk_sh_t *
ngx_http_voicebridge_zone_talk(ngx_shm_zone_t *shm_zone)
{
    return sh;
}


void
ngx_http_voicebridge_zone_lock(ngx_shm_zone_t *shm_zone)
{
}


void
ngx_http_voicebridge_zone_unlock(ngx_shm_zone_t *shm_zone)
{
}


void
ngx_http_voicebridge_record_text(char *dst, size_t size, ngx_str_t *src)
{
    (void) snprintf(dst, size, "%.*s", (int) src->len, src->data);
}


/* another process: it has no timer yet */

static void
process(ngx_pid_t pid)
{
    ngx_pid = pid;
    ngx_exiting = 0;
    ngx_memzero(&ngx_http_voicebridge_talk_event, sizeof(ngx_event_t));
}


static void
call(ngx_pid_t pid)
{
    ngx_str_t  sid = ngx_string("CA0"), text = ngx_string("a secret");

    process(pid);

    ngx_http_voicebridge_talk_begin(&talk, &zone, &sid, &sid, 1);
    ngx_http_voicebridge_talk_turn(&talk, NGX_HTTP_VOICEBRIDGE_CALLER, 0,
                                   &text);
}


static void
pass(time_t seconds)
{
    now.sec += seconds;
    ngx_current_msec += seconds * 1000;
}


static ngx_uint_t
is_there(void)
{
    size_t  i;

    for (i = 0; i < sizeof(memory) - 8; i++) {
        if (ngx_memcmp(memory + i, "a secret", 8) == 0) {
            return 1;
        }
    }

    return 0;
}


/* timers run until there is none, or for too long: when it was wiped */

static time_t
wiped(void)
{
    time_t       start;
    ngx_event_t *ev;

    start = now.sec;
    ev = &ngx_http_voicebridge_talk_event;

    while (ev->timer_set && is_there() && now.sec < start + 1000) {
        pass((ev->timer.key - ngx_current_msec) / 1000);
        ev->timer_set = 0;
        ev->handler(ev);
    }

    return is_there() ? -1 : now.sec - start;
}


int
main(void)
{
    ngx_http_module.index = 0;
    contexts[0] = &http;
    confs[0] = &vmcf;
    cycle.conf_ctx = (void ****) contexts;

    sh = ngx_http_voicebridge_talk_create(NULL, PLACES
                              * (sizeof(ngx_http_voicebridge_talk_place_t)
                                 + NGX_HTTP_VOICEBRIDGE_TALK_TEXT));

    call(OLD);
    ok(is_there(), "what is said");
    ngx_http_voicebridge_talk_end(&talk, 1);
    is_int(wiped(), 120, "is wiped two minutes after the end");

    /* two calls: the second is not wiped later for the first */

    call(OLD);
    ngx_http_voicebridge_talk_end(&talk, 1);
    pass(50);
    ngx_pid = OLD;
    ngx_http_voicebridge_talk_begin(&talk, &zone, &zone.shm.name,
                                    &zone.shm.name, 1);
    ngx_http_voicebridge_talk_turn(&talk, NGX_HTTP_VOICEBRIDGE_CALLER, 0,
                                   &(ngx_str_t) ngx_string("a secret"));
    ngx_http_voicebridge_talk_end(&talk, 1);
    is_int(wiped(), 120, "each one");

    /* the worker exits, another one is there after it */

    call(OLD);
    ngx_http_voicebridge_talk_end(&talk, 1);
    pass(40);
    process(NEW);
    ngx_http_voicebridge_talk_init_process(&zone);
    is_int(wiped(), 80, "by a worker that has begun after the call");

    /* it exits while the call goes on, beside the other */

    call(OLD);
    process(NEW);
    ngx_http_voicebridge_talk_init_process(&zone);
    pass(59);
    ngx_pid = OLD;
    ngx_exiting = 1;
    ngx_http_voicebridge_talk_end(&talk, 1);
    ngx_pid = NEW;
    ngx_exiting = 0;
    is_int(wiped(), 120, "by one that has begun during the call");

    /* it is killed during the call, or after it */

    call(OLD);
    dead = OLD;
    process(NEW);
    ngx_http_voicebridge_talk_init_process(&zone);
    is_int(wiped(), 120, "where its worker was killed");

    dead = 0;
    process(NEW);
    ngx_http_voicebridge_talk_init_process(&zone);
    ok(!ngx_http_voicebridge_talk_event.timer_set, "then nobody waits");

    done_testing();

    return 0;
}
