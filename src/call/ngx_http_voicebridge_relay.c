
/*
 * How fast audio is relayed, and how much of it has had to wait: measured in
 * the worker, told to the zone at the turns of its calls.
 *
 * A run of the pump is timed with CLOCK_MONOTONIC, whose milliseconds in
 * ngx_current_msec are too coarse, from where its event is handled (or was
 * found, if other calls came first) until what it moved has been written.
 * Two readings of the clock in 16 runs are 3 ns a run, of some 10000.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <ngx_http_voicebridge_call.h>


static uint64_t ngx_http_voicebridge_relay_now(void);
static uint64_t ngx_http_voicebridge_relay_late(uint64_t now);
static void ngx_http_voicebridge_relay_peak(
    ngx_http_voicebridge_stats_peak_t peak, size_t bytes);


/* a worker's own, since it last told the zone */
static ngx_http_voicebridge_samples_t  ngx_http_voicebridge_relay_to_agent;
static ngx_http_voicebridge_samples_t  ngx_http_voicebridge_relay_to_caller;
static size_t  ngx_http_voicebridge_relay_peaked
                                           [NGX_HTTP_VOICEBRIDGE_STATS_PEAKS];


void
ngx_http_voicebridge_relay_start(ngx_http_voicebridge_call_t *call)
{
    uint64_t                       now;
    ngx_http_voicebridge_relay_t  *relay;

    relay = &call->relay;

    relay->left = NGX_HTTP_VOICEBRIDGE_RELAY_EVERY;

    if (relay->begin || call->zone == NULL
        || call->state != NGX_HTTP_VOICEBRIDGE_LIVE)
    {
        return;
    }

    now = ngx_http_voicebridge_relay_now();

    relay->begin = now - ngx_http_voicebridge_relay_late(now);
    relay->caller_bytes = call->caller_bytes;
    relay->agent_bytes = call->agent_bytes;
    relay->to_agent = 0;
    relay->to_caller = 0;
}


void
ngx_http_voicebridge_relay_stop(ngx_http_voicebridge_call_t *call)
{
    uint64_t                       us;
    ngx_http_voicebridge_relay_t  *relay;

    relay = &call->relay;

    if (call->state != NGX_HTTP_VOICEBRIDGE_LIVE) {
        relay->begin = 0;
        return;
    }

    if (!relay->to_agent && !relay->to_caller) {
        relay->to_agent = (call->caller_bytes != relay->caller_bytes);
        relay->to_caller = (call->agent_bytes != relay->agent_bytes);
    }

    if (!relay->to_agent && !relay->to_caller) {

        /* there was no audio: the next run, then */

        relay->begin = 0;
        relay->left = 1;
        return;
    }

    if ((relay->to_agent
         && (call->early || ngx_http_voicebridge_leg_queued(&call->agent)))
        || (relay->to_caller
            && (call->speech.len
                || ngx_http_voicebridge_leg_queued(&call->phone))))
    {
        /* a peer that is slow: until it has taken all of it */

        return;
    }

    us = (ngx_http_voicebridge_relay_now() - relay->begin) / 1000;

    if (relay->to_agent) {
        ngx_http_voicebridge_stats_sample(
                                       &ngx_http_voicebridge_relay_to_agent,
                                       NGX_HTTP_VOICEBRIDGE_STATS_TO_AGENT,
                                       us);
    }

    if (relay->to_caller) {
        ngx_http_voicebridge_stats_sample(
                                       &ngx_http_voicebridge_relay_to_caller,
                                       NGX_HTTP_VOICEBRIDGE_STATS_TO_CALLER,
                                       us);
    }

    relay->begin = 0;
}


static uint64_t
ngx_http_voicebridge_relay_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


/*
 * How long ago the event was found: nginx's time is that moment, cut to a
 * millisecond (or several, by timer_resolution), so up to that much less.
 */

static uint64_t
ngx_http_voicebridge_relay_late(uint64_t now)
{
#if (NGX_HAVE_CLOCK_MONOTONIC)

    ngx_msec_int_t    late;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    late = (ngx_msec_t) (now / 1000000) - ngx_current_msec;
    late -= 1 + (ngx_msec_int_t) ccf->timer_resolution;

    return late > 0 ? (uint64_t) late * 1000000 : 0;

#else

    return 0;

#endif
}


void
ngx_http_voicebridge_relay_peaks(ngx_http_voicebridge_call_t *call)
{
    ngx_http_voicebridge_relay_peak(NGX_HTTP_VOICEBRIDGE_STATS_PEAK_CALLER,
                               ngx_http_voicebridge_leg_queued(&call->phone));
    ngx_http_voicebridge_relay_peak(NGX_HTTP_VOICEBRIDGE_STATS_PEAK_AGENT,
                               ngx_http_voicebridge_leg_queued(&call->agent));
    ngx_http_voicebridge_relay_peak(NGX_HTTP_VOICEBRIDGE_STATS_PEAK_EARLY,
                                    call->early_last - call->early_pos);
}


static void
ngx_http_voicebridge_relay_peak(ngx_http_voicebridge_stats_peak_t peak,
    size_t bytes)
{
    if (bytes > ngx_http_voicebridge_relay_peaked[peak]) {
        ngx_http_voicebridge_relay_peaked[peak] = bytes;
    }
}


void
ngx_http_voicebridge_relay_tell(ngx_shm_zone_t *zone)
{
    ngx_uint_t  i;

    ngx_http_voicebridge_stats_samples(zone,
                                       NGX_HTTP_VOICEBRIDGE_STATS_TO_AGENT,
                                       &ngx_http_voicebridge_relay_to_agent);
    ngx_http_voicebridge_stats_samples(zone,
                                       NGX_HTTP_VOICEBRIDGE_STATS_TO_CALLER,
                                       &ngx_http_voicebridge_relay_to_caller);

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_STATS_PEAKS; i++) {

        if (ngx_http_voicebridge_relay_peaked[i]) {
            ngx_http_voicebridge_stats_peak(zone, i,
                                       ngx_http_voicebridge_relay_peaked[i]);
            ngx_http_voicebridge_relay_peaked[i] = 0;
        }
    }
}
