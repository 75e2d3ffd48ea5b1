
/*
 * voicebridge_metrics: the zone's counters in Prometheus' text format,
 * version 0.0.4; and the counting of what never becomes a call, when it is
 * logged.
 */


#include <ngx_http_voicebridge_handler.h>
#include <ngx_http_voicebridge_zone.h>

#include <vb_writer.h>


/* the longest piece that is printed at a time */
#define NGX_HTTP_VOICEBRIDGE_METRICS_LINE  256


typedef struct {
    ngx_uint_t            id;
    const char           *name;
    const char           *label[2];
    const char           *help;
} ngx_http_voicebridge_metric_t;


static ngx_int_t ngx_http_voicebridge_metrics_text(ngx_http_request_t *r,
    ngx_shm_zone_t *zone, ngx_str_t *text);
static void ngx_http_voicebridge_metrics_write(vb_writer_t *w,
    ngx_http_voicebridge_stats_sh_t *sh, ngx_uint_t live);
static void ngx_http_voicebridge_metrics_outside(vb_writer_t *w,
    ngx_http_voicebridge_stats_sh_t *sh);
static void ngx_http_voicebridge_metrics_counters(vb_writer_t *w,
    ngx_http_voicebridge_stats_sh_t *sh);
static void ngx_http_voicebridge_metrics_histogram(vb_writer_t *w,
    ngx_http_voicebridge_metric_t *m, ngx_http_voicebridge_histogram_t *h);
static void ngx_http_voicebridge_metrics_bound(vb_writer_t *w,
    ngx_msec_t ms);
static void ngx_http_voicebridge_metrics_head(vb_writer_t *w,
    const char *name, const char *type, const char *help);
static void ngx_http_voicebridge_metrics_printf(vb_writer_t *w,
    const char *fmt, ...);
static ngx_int_t ngx_http_voicebridge_metrics_log(ngx_http_request_t *r);
static const char *ngx_http_voicebridge_metrics_refused(ngx_http_request_t *r);


static ngx_http_voicebridge_metric_t  ngx_http_voicebridge_counters[] = {
    { NGX_HTTP_VOICEBRIDGE_STATS_CALLS,
      "voicebridge_calls_total", { "direction", "reason" },
      "Calls that have ended, by how; worker_lost: their worker died." },

    { NGX_HTTP_VOICEBRIDGE_STATS_OUTBOUND,
      "voicebridge_outbound_requests_total", { "status", NULL },
      "Requests to place a call, by the status they were answered with." },

    { NGX_HTTP_VOICEBRIDGE_STATS_REFUSED,
      "voicebridge_handshakes_refused_total", { "reason", NULL },
      "Media streams that were refused before they became calls." },

    { NGX_HTTP_VOICEBRIDGE_STATS_EVENTS,
      "voicebridge_webhook_events_total", { "result", NULL },
      "Events: delivered, given_up, lost; and attempts that failed." },

    { 0, NULL, { NULL, NULL }, NULL }
};


static ngx_http_voicebridge_metric_t  ngx_http_voicebridge_histograms[] = {
    { NGX_HTTP_VOICEBRIDGE_STATS_SETUP,
      "voicebridge_setup_seconds", { NULL, NULL },
      "From Twilio's handshake to the initiation sent to the agent." },

    { NGX_HTTP_VOICEBRIDGE_STATS_FIRST_AUDIO,
      "voicebridge_first_audio_seconds", { NULL, NULL },
      "From Twilio's handshake to the first audio of the agent, told at the "
      "call's next event." },

    { NGX_HTTP_VOICEBRIDGE_STATS_ANSWER,
      "voicebridge_answer_seconds", { NULL, NULL },
      "From the caller's transcript, which the agent sends when the caller "
      "stops, to the agent's next audio." },

    { 0, NULL, { NULL, NULL }, NULL }
};


ngx_int_t
ngx_http_voicebridge_metrics_handler(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_str_t                          text;
    ngx_uint_t                         status;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    static ngx_str_t  type =
                       ngx_string("text/plain; version=0.0.4; charset=utf-8");
    static ngx_str_t  no_zone =
                    ngx_string("# no metrics: \"voicebridge_zone\" is not set"
                               CRLF);

    rc = ngx_http_voicebridge_view(r);
    if (rc != NGX_OK) {
        return rc;
    }

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);

    status = NGX_HTTP_OK;

    if (vmcf->zone == NULL) {
        status = NGX_HTTP_SERVICE_UNAVAILABLE;
        text = no_zone;

    } else if (ngx_http_voicebridge_metrics_text(r, vmcf->zone, &text)
               != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_voicebridge_send(r, status, &type, &text);
}


ngx_int_t
ngx_http_voicebridge_view(ngx_http_request_t *r)
{
    static ngx_str_t  allow = ngx_string("GET, HEAD");
    static ngx_str_t  no_store = ngx_string("no-store");

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_voicebridge_add_header(r, "Allow", &allow) == NGX_OK
               ? NGX_HTTP_NOT_ALLOWED : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_voicebridge_add_header(r, "Cache-Control", &no_store)
           == NGX_OK ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static ngx_int_t
ngx_http_voicebridge_metrics_text(ngx_http_request_t *r, ngx_shm_zone_t *zone,
    ngx_str_t *text)
{
    size_t                            size;
    ngx_uint_t                        live;
    vb_writer_t                       w;
    ngx_http_voicebridge_stats_sh_t  *sh;

    ngx_http_voicebridge_stats_reap(zone, 0);

    sh = ngx_http_voicebridge_zone_stats(zone);
    live = ngx_http_voicebridge_stats_live(zone);

    vb_writer_init(&w, NULL);
    ngx_http_voicebridge_metrics_write(&w, sh, live);

    /* numbers grow while they are written, and counters are added */

    size = w.len + w.len / 4 + 1024;

    text->data = ngx_pnalloc(r->pool, size);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    w.dst = text->data;
    w.size = size;
    w.len = 0;

    ngx_http_voicebridge_metrics_write(&w, sh, live);

    if (w.len > size) {
        return NGX_ERROR;
    }

    text->len = w.len;

    return NGX_OK;
}


static void
ngx_http_voicebridge_metrics_write(vb_writer_t *w,
    ngx_http_voicebridge_stats_sh_t *sh, ngx_uint_t live)
{
    uint64_t                        caller, agent;
    ngx_http_voicebridge_metric_t  *m;

    ngx_http_voicebridge_metrics_head(w, "voicebridge_calls_live", "gauge",
                                      "Calls that are going on.");
    ngx_http_voicebridge_metrics_printf(w, "voicebridge_calls_live %ui\n",
                                        live);

    ngx_http_voicebridge_metrics_counters(w, sh);

    ngx_http_voicebridge_metrics_head(w, "voicebridge_interruptions_total",
                                      "counter",
                                      "Times a caller interrupted the agent.");
    ngx_http_voicebridge_metrics_printf(w,
                                   "voicebridge_interruptions_total %uA\n",
                                   sh->interruptions);

    caller = sh->caller_audio;
    agent = sh->agent_audio;

    ngx_http_voicebridge_metrics_head(w, "voicebridge_audio_seconds_total",
                                      "counter",
                                      "Audio relayed, told at each turn of a "
                                      "call and at its end.");
    ngx_http_voicebridge_metrics_printf(w,
                  "voicebridge_audio_seconds_total"
                  "{direction=\"caller_to_agent\"} %uL.%03uL\n"
                  "voicebridge_audio_seconds_total"
                  "{direction=\"agent_to_caller\"} %uL.%03uL\n",
                  caller / 1000, caller % 1000, agent / 1000, agent % 1000);

    for (m = ngx_http_voicebridge_histograms; m->name; m++) {
        ngx_http_voicebridge_metrics_histogram(w, m, &sh->histogram[m->id]);
    }

    ngx_http_voicebridge_metrics_outside(w, sh);

    ngx_http_voicebridge_metrics_head(w, "voicebridge_zone_full_total",
                                      "counter",
                                      "Calls without a record and events "
                                      "without a counter: voicebridge_zone "
                                      "is too small.");
    ngx_http_voicebridge_metrics_printf(w, "voicebridge_zone_full_total %uA\n",
                                        sh->full);
}


/* what leaves this server for other systems */

static void
ngx_http_voicebridge_metrics_outside(vb_writer_t *w,
    ngx_http_voicebridge_stats_sh_t *sh)
{
    ngx_uint_t  i, waiting;

    waiting = 0;

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_STATS_WORKERS; i++) {
        if (sh->worker[i].pid) {
            waiting += sh->worker[i].waiting;
        }
    }

    ngx_http_voicebridge_metrics_head(w, "voicebridge_webhook_events_waiting",
                                      "gauge",
                                      "Events that are not delivered yet.");
    ngx_http_voicebridge_metrics_printf(w,
                                   "voicebridge_webhook_events_waiting %ui\n",
                                   waiting);

    ngx_http_voicebridge_metrics_head(w,
                                    "voicebridge_transcript_lines_lost_total",
                                    "counter",
                                    "Lines that could not be written to "
                                    "voicebridge_transcript_log.");
    ngx_http_voicebridge_metrics_printf(w,
                              "voicebridge_transcript_lines_lost_total %uA\n",
                              sh->lines_lost);
}


static void
ngx_http_voicebridge_metrics_counters(vb_writer_t *w,
    ngx_http_voicebridge_stats_sh_t *sh)
{
    ngx_uint_t                       i;
    ngx_http_voicebridge_metric_t   *m;
    ngx_http_voicebridge_counter_t  *c;

    for (m = ngx_http_voicebridge_counters; m->name; m++) {

        ngx_http_voicebridge_metrics_head(w, m->name, "counter", m->help);

        for (i = 0; i < NGX_HTTP_VOICEBRIDGE_STATS_COUNTERS; i++) {

            c = &sh->counter[i];

            if (c->family != m->id) {
                continue;
            }

            /* labels are words of ours: nothing to be escaped */

            ngx_http_voicebridge_metrics_printf(w, "%s{%s=\"%s\"", m->name,
                                                m->label[0], c->label[0]);

            if (m->label[1]) {
                ngx_http_voicebridge_metrics_printf(w, ",%s=\"%s\"",
                                                    m->label[1], c->label[1]);
            }

            ngx_http_voicebridge_metrics_printf(w, "} %uA\n", c->value);
        }
    }
}


/* the count is the sum of what was read of the buckets, so that they agree */

static void
ngx_http_voicebridge_metrics_histogram(vb_writer_t *w,
    ngx_http_voicebridge_metric_t *m, ngx_http_voicebridge_histogram_t *h)
{
    uint64_t    n, sum;
    ngx_uint_t  i;

    ngx_http_voicebridge_metrics_head(w, m->name, "histogram", m->help);

    sum = h->sum;
    n = 0;

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_STATS_BOUNDS; i++) {
        n += h->bucket[i];

        ngx_http_voicebridge_metrics_printf(w, "%s_bucket{le=\"", m->name);
        ngx_http_voicebridge_metrics_bound(w,
                                        ngx_http_voicebridge_stats_bounds[i]);
        ngx_http_voicebridge_metrics_printf(w, "\"} %uL\n", n);
    }

    n += h->bucket[i];

    ngx_http_voicebridge_metrics_printf(w, "%s_bucket{le=\"+Inf\"} %uL\n",
                                        m->name, n);
    ngx_http_voicebridge_metrics_printf(w, "%s_sum %uL.%03uL\n", m->name,
                                        sum / 1000, sum % 1000);
    ngx_http_voicebridge_metrics_printf(w, "%s_count %uL\n", m->name, n);
}


/* milliseconds as seconds, and as short as they can be: it is a label */

static void
ngx_http_voicebridge_metrics_bound(vb_writer_t *w, ngx_msec_t ms)
{
    u_char  *p, buf[NGX_TIME_T_LEN + sizeof(".000")];

    p = ngx_sprintf(buf, "%M.%03M", ms / 1000, ms % 1000);

    while (p[-1] == '0') {
        p--;
    }

    if (p[-1] == '.') {
        p--;
    }

    vb_write(w, buf, p - buf);
}


static void
ngx_http_voicebridge_metrics_head(vb_writer_t *w, const char *name,
    const char *type, const char *help)
{
    vb_write_literal(w, "# HELP ");
    vb_write(w, name, ngx_strlen(name));
    vb_write_literal(w, " ");
    vb_write(w, help, ngx_strlen(help));
    vb_write_literal(w, "\n# TYPE ");
    vb_write(w, name, ngx_strlen(name));
    vb_write_literal(w, " ");
    vb_write(w, type, ngx_strlen(type));
    vb_write_literal(w, "\n");
}


static void
ngx_http_voicebridge_metrics_printf(vb_writer_t *w, const char *fmt, ...)
{
    u_char   *p, buf[NGX_HTTP_VOICEBRIDGE_METRICS_LINE];
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(buf, buf + sizeof(buf), fmt, args);
    va_end(args);

    vb_write(w, buf, p - buf);
}


ngx_int_t
ngx_http_voicebridge_add_log_handler(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);

    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_voicebridge_metrics_log;

    return NGX_OK;
}


/*
 * Where a request is logged its status is known, whoever has refused it:
 * this module, limit_req, or core before any handler.
 */

static ngx_int_t
ngx_http_voicebridge_metrics_log(ngx_http_request_t *r)
{
    char                              *status;
    u_char                             buf[NGX_INT_T_LEN + 1];
    const char                        *reason;
    ngx_http_voicebridge_loc_conf_t   *vlcf;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    vlcf = ngx_http_get_module_loc_conf(r, ngx_http_voicebridge_module);

    if (vlcf->location == NULL || r != r->main) {
        return NGX_OK;
    }

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);

    if (vlcf->location->keys) {
        *ngx_sprintf(buf, "%03ui", r->err_status ? r->err_status
                                               : r->headers_out.status)
            = '\0';
        status = (char *) buf;

        ngx_http_voicebridge_stats_count(vmcf->zone,
                                         NGX_HTTP_VOICEBRIDGE_STATS_OUTBOUND,
                                         status, "");

    } else if (vlcf->location->streams) {
        reason = ngx_http_voicebridge_metrics_refused(r);

        if (reason) {
            ngx_http_voicebridge_stats_count(vmcf->zone,
                                          NGX_HTTP_VOICEBRIDGE_STATS_REFUSED,
                                          reason, "");
        }
    }

    return NGX_OK;
}


/* why, or NULL where it was not; the handler leaves a context behind */

static const char *
ngx_http_voicebridge_metrics_refused(ngx_http_request_t *r)
{
    ngx_uint_t  status, ours;

    ours = ngx_http_get_module_ctx(r, ngx_http_voicebridge_module) != NULL;
    status = r->err_status ? r->err_status : r->headers_out.status;

    switch (status) {

    case NGX_HTTP_SWITCHING_PROTOCOLS:
        return NULL;

    case NGX_HTTP_FORBIDDEN:
        return ours ? "signature" : "denied";

    case NGX_HTTP_NOT_ALLOWED:
    case 426:
        return "not_websocket";

    case NGX_HTTP_BAD_REQUEST:
        return "malformed";

    case NGX_HTTP_TOO_MANY_REQUESTS:
    case NGX_HTTP_SERVICE_UNAVAILABLE:
        return "limited";

    case NGX_HTTP_INTERNAL_SERVER_ERROR:
        return "internal_error";

    default:
        return "other";
    }
}
