
/*
 * Who speaks when, and what is said, in voicebridge_zone.
 *
 * What is said is nobody's business but the operator's: it is wiped when it
 * goes, and goes two minutes after the call, by a worker's timer or with the
 * next look at any call.  A worker that exits waits for nothing: those that
 * come after it see to what it leaves, and to the calls it still has.
 */


#include <ngx_http_voicebridge_talk.h>
#include <ngx_http_voicebridge_stats.h>
#include <ngx_http_voicebridge_zone.h>


static ngx_http_voicebridge_talk_place_t *ngx_http_voicebridge_talk_free(
    ngx_http_voicebridge_talk_sh_t *sh);
static void ngx_http_voicebridge_talk_wipe(ngx_http_voicebridge_talk_sh_t *sh,
    ngx_http_voicebridge_talk_place_t *place);
static size_t ngx_http_voicebridge_talk_cut(
    ngx_http_voicebridge_talk_place_t *place, u_char *text, size_t size);
static ngx_http_voicebridge_span_t *ngx_http_voicebridge_talk_open(
    ngx_http_voicebridge_talk_place_t *place, ngx_uint_t agent);
static void ngx_http_voicebridge_talk_retire(
    ngx_http_voicebridge_talk_sh_t *sh,
    ngx_http_voicebridge_talk_place_t *place, uint32_t end);
static time_t ngx_http_voicebridge_talk_left(
    ngx_http_voicebridge_talk_place_t *place);
static void ngx_http_voicebridge_talk_look(ngx_shm_zone_t *zone,
    ngx_uint_t own);
static void ngx_http_voicebridge_talk_wait(time_t seconds);
static void ngx_http_voicebridge_talk_timer(ngx_event_t *ev);


/* a worker's own, for all of its calls; a worker that exits need not wait */

static ngx_event_t       ngx_http_voicebridge_talk_event;
static ngx_connection_t  ngx_http_voicebridge_talk_ident;


ngx_http_voicebridge_talk_sh_t *
ngx_http_voicebridge_talk_create(ngx_slab_pool_t *shpool, size_t size)
{
    size_t                           one;
    ngx_http_voicebridge_talk_sh_t  *sh;

    sh = ngx_slab_calloc(shpool, sizeof(ngx_http_voicebridge_talk_sh_t));
    if (sh == NULL) {
        return NULL;
    }

    one = sizeof(ngx_http_voicebridge_talk_place_t)
          + NGX_HTTP_VOICEBRIDGE_TALK_TEXT;

    if (size < one) {
        return sh;
    }

    sh->place = ngx_slab_calloc(shpool, size / one * one);

    if (sh->place) {
        sh->n = size / one;
        sh->text = (u_char *) (sh->place + sh->n);
    }

    return sh;
}


void
ngx_http_voicebridge_talk_begin(ngx_http_voicebridge_talk_t *talk,
    ngx_shm_zone_t *zone, ngx_str_t *call_sid, ngx_str_t *stream_sid,
    ngx_uint_t texts)
{
    ngx_http_voicebridge_talk_sh_t     *sh;
    ngx_http_voicebridge_talk_place_t  *place;

    sh = ngx_http_voicebridge_zone_talk(zone);

    if (sh == NULL) {
        return;
    }

    ngx_http_voicebridge_zone_lock(zone);

    (void) ngx_http_voicebridge_talk_sweep(sh, 0);

    place = ngx_http_voicebridge_talk_free(sh);

    if (place) {
        ngx_http_voicebridge_talk_wipe(sh, place);

        place->ended = 0;

        ngx_memory_barrier();

        place->seq = ++sh->seq;
        place->nspans = 0;
        place->nturns = 0;
        place->texts = texts;

        ngx_http_voicebridge_record_text(place->call_sid,
                                         sizeof(place->call_sid), call_sid);
        ngx_http_voicebridge_record_text(place->stream_sid,
                                         sizeof(place->stream_sid),
                                         stream_sid);

        ngx_memory_barrier();

        place->owner = ngx_pid;
    }

    ngx_http_voicebridge_zone_unlock(zone);

    talk->zone = zone;
    talk->place = place;
}


void
ngx_http_voicebridge_talk_span(ngx_http_voicebridge_talk_t *talk,
    ngx_http_voicebridge_who_t who, uint32_t start, uint32_t end)
{
    ngx_uint_t                          agent;
    ngx_http_voicebridge_span_t        *span;
    ngx_http_voicebridge_talk_sh_t     *sh;
    ngx_http_voicebridge_talk_place_t  *place;

    place = talk->place;

    if (place == NULL) {
        return;
    }

    sh = ngx_http_voicebridge_zone_talk(talk->zone);
    agent = (who != NGX_HTTP_VOICEBRIDGE_CALLER);

    ngx_http_voicebridge_zone_lock(talk->zone);

    place->seq = ++sh->seq;

    span = ngx_http_voicebridge_talk_open(place, agent);

    if (span) {
        span->end = end;
        span->seq = place->seq;

    } else {
        span = &place->span[place->nspans % NGX_HTTP_VOICEBRIDGE_TALK_SPANS];

        span->seq = place->seq;
        span->agent = agent;
        span->start = start;
        span->end = end;

        ngx_memory_barrier();

        place->nspans++;
    }

    ngx_http_voicebridge_zone_unlock(talk->zone);
}


void
ngx_http_voicebridge_talk_turn(ngx_http_voicebridge_talk_t *talk,
    ngx_http_voicebridge_who_t who, uint32_t at, ngx_str_t *text)
{
    u_char                             *p, *base;
    size_t                              len;
    ngx_http_voicebridge_talk_sh_t     *sh;
    ngx_http_voicebridge_talk_head_t    head;
    ngx_http_voicebridge_talk_place_t  *place;
    char                                buf[NGX_HTTP_VOICEBRIDGE_TALK_TURN + 1];

    place = talk->place;

    if (place == NULL || !place->texts || text->len == 0) {
        return;
    }

    ngx_http_voicebridge_record_text(buf, sizeof(buf), text);

    sh = ngx_http_voicebridge_zone_talk(talk->zone);

    ngx_http_voicebridge_zone_lock(talk->zone);

    head.id = place->nturns + 1;
    head.at = at;
    head.who = who;
    head.len = ngx_strlen(buf);

    base = ngx_http_voicebridge_talk_text(sh, place);

    len = ngx_http_voicebridge_talk_cut(place, base, sizeof(head) + head.len);

    p = ngx_cpymem(base + len, &head, sizeof(head));
    ngx_memcpy(p, buf, head.len);

    ngx_memory_barrier();

    place->len = len + sizeof(head) + head.len;
    place->nturns = head.id;
    sh->changed++;

    ngx_http_voicebridge_zone_unlock(talk->zone);
}


void
ngx_http_voicebridge_talk_end(ngx_http_voicebridge_talk_t *talk, uint32_t end)
{
    if (talk->place == NULL) {
        return;
    }

    ngx_http_voicebridge_zone_lock(talk->zone);

    ngx_http_voicebridge_talk_retire(ngx_http_voicebridge_zone_talk(talk->zone),
                                     talk->place, end);

    ngx_http_voicebridge_zone_unlock(talk->zone);

    talk->place = NULL;

    ngx_http_voicebridge_talk_wait(NGX_HTTP_VOICEBRIDGE_TALK_KEEP);
}


/* what follows, up to the timer, is called with the lock held */

/* a place that is free, or that of the call which ended first; or NULL */

static ngx_http_voicebridge_talk_place_t *
ngx_http_voicebridge_talk_free(ngx_http_voicebridge_talk_sh_t *sh)
{
    ngx_uint_t                          i, n;
    ngx_http_voicebridge_talk_place_t  *place, *free, *first;

    free = NULL;
    first = NULL;
    n = 0;

    for (i = 0; i < sh->n; i++) {
        place = &sh->place[i];

        if (place->owner) {
            continue;
        }

        if (place->ended == 0) {
            free = place;
            continue;
        }

        n++;

        if (first == NULL || place->seq < first->seq) {
            first = place;
        }
    }

    return (free && n < NGX_HTTP_VOICEBRIDGE_TALK_ENDED) ? free : first;
}


static void
ngx_http_voicebridge_talk_wipe(ngx_http_voicebridge_talk_sh_t *sh,
    ngx_http_voicebridge_talk_place_t *place)
{
    place->len = 0;
    place->texts = 0;

    ngx_explicit_memzero(ngx_http_voicebridge_talk_text(sh, place),
                         NGX_HTTP_VOICEBRIDGE_TALK_TEXT);

    sh->changed++;
}


/* lets the oldest turns go until there are size bytes; what is left */

static size_t
ngx_http_voicebridge_talk_cut(ngx_http_voicebridge_talk_place_t *place,
    u_char *text, size_t size)
{
    size_t                            len, cut;
    ngx_http_voicebridge_talk_head_t  head;

    len = place->len;

    for (cut = 0;
         len - cut + size > NGX_HTTP_VOICEBRIDGE_TALK_TEXT;
         cut += sizeof(head) + head.len)
    {
        ngx_memcpy(&head, text + cut, sizeof(head));
    }

    if (cut) {

        /* for who comes after a worker that is killed here there is nothing */

        place->len = 0;

        ngx_memory_barrier();

        len -= cut;
        ngx_memmove(text, text + cut, len);
        ngx_memzero(text + len, cut);
    }

    return len;
}


/* the span of a speaker that goes on: it is among the last two */

static ngx_http_voicebridge_span_t *
ngx_http_voicebridge_talk_open(ngx_http_voicebridge_talk_place_t *place,
    ngx_uint_t agent)
{
    uint32_t                      i;
    ngx_http_voicebridge_span_t  *span;

    for (i = 1; i <= 2 && i <= place->nspans; i++) {
        span = &place->span[(place->nspans - i)
                            % NGX_HTTP_VOICEBRIDGE_TALK_SPANS];

        if (span->agent == agent && span->end == 0) {
            return span;
        }
    }

    return NULL;
}


static void
ngx_http_voicebridge_talk_retire(ngx_http_voicebridge_talk_sh_t *sh,
    ngx_http_voicebridge_talk_place_t *place, uint32_t end)
{
    ngx_uint_t                    agent;
    ngx_http_voicebridge_span_t  *span;

    place->seq = ++sh->seq;

    for (agent = 0; agent < 2; agent++) {
        span = ngx_http_voicebridge_talk_open(place, agent);

        if (span) {
            span->end = ngx_max(end, (uint32_t) span->start + 1);
            span->seq = place->seq;
        }
    }

    place->ended = ngx_time();

    ngx_memory_barrier();

    place->owner = 0;
    sh->changed++;
}


time_t
ngx_http_voicebridge_talk_sweep(ngx_http_voicebridge_talk_sh_t *sh,
    ngx_uint_t own)
{
    time_t                              left, next;
    ngx_pid_t                           alive, pid;
    ngx_uint_t                          i;
    ngx_http_voicebridge_talk_place_t  *place;

    static time_t                       last;

    if (last == ngx_time() && !own) {
        return 1;
    }

    last = ngx_time();
    alive = own ? 0 : ngx_pid;
    next = 0;

    for (i = 0; i < sh->n; i++) {
        place = &sh->place[i];
        pid = place->owner;

        if (pid && pid != alive) {

            if (pid == ngx_pid ? !own
                : (kill(pid, 0) == 0 || ngx_errno != ESRCH))
            {
                alive = pid;

            } else {

                /* how long it went on nobody knows */

                ngx_http_voicebridge_talk_retire(sh, place, 0);
            }
        }

        left = ngx_http_voicebridge_talk_left(place);

        if (left == 0) {
            ngx_http_voicebridge_talk_wipe(sh, place);

        } else if (left > 0 && (next == 0 || left < next)) {
            next = left;
        }
    }

    return next;
}


/* seconds until a place has to be looked at; 0: to be wiped; -1: need not */

static time_t
ngx_http_voicebridge_talk_left(ngx_http_voicebridge_talk_place_t *place)
{
    time_t  left;

    if (place->owner) {

        /* of a worker that may exit, and not see to it: often enough to be
         * there in time when it ends right after this */

        return (ngx_pid_t) place->owner == ngx_pid
               ? -1 : NGX_HTTP_VOICEBRIDGE_TALK_KEEP / 2;
    }

    if (place->len == 0) {
        return -1;
    }

    left = place->ended + NGX_HTTP_VOICEBRIDGE_TALK_KEEP - ngx_time();

    return (place->ended && left > 0) ? left : 0;
}


void
ngx_http_voicebridge_talk_init_process(ngx_shm_zone_t *zone)
{
    ngx_http_voicebridge_talk_look(zone, 1);
}


/* wipes what is left when its time has come, whether anybody looks or not */

static void
ngx_http_voicebridge_talk_look(ngx_shm_zone_t *zone, ngx_uint_t own)
{
    time_t                           next;
    ngx_http_voicebridge_talk_sh_t  *sh;

    sh = ngx_http_voicebridge_zone_talk(zone);

    if (sh == NULL) {
        return;
    }

    ngx_http_voicebridge_zone_lock(zone);

    next = ngx_http_voicebridge_talk_sweep(sh, own);

    ngx_http_voicebridge_zone_unlock(zone);

    if (next) {
        ngx_http_voicebridge_talk_wait(next);
    }
}


/* nothing that is there has to be wiped later than what is added */

static void
ngx_http_voicebridge_talk_wait(time_t seconds)
{
    ngx_event_t  *ev;

    ev = &ngx_http_voicebridge_talk_event;

    if (ev->timer_set || ngx_exiting) {
        return;
    }

    ngx_http_voicebridge_talk_ident.fd = (ngx_socket_t) -1;

    ev->handler = ngx_http_voicebridge_talk_timer;
    ev->data = &ngx_http_voicebridge_talk_ident;
    ev->log = ngx_cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, (ngx_msec_t) seconds * 1000);
}


static void
ngx_http_voicebridge_talk_timer(ngx_event_t *ev)
{
    ngx_http_voicebridge_main_conf_t  *vmcf;

    vmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_voicebridge_module);

    if (vmcf && vmcf->zone) {
        ngx_http_voicebridge_talk_look(vmcf->zone, 0);
    }
}
