
/*
 * voicebridge_metrics: the zone's counters in Prometheus' text format,
 * version 0.0.4
 */


#include <ngx_http_voicebridge_handler.h>
#include <ngx_http_voicebridge_zone.h>

#include <vb_writer.h>


/* the longest piece that is printed at a time */
#define NGX_HTTP_VOICEBRIDGE_METRICS_LINE  256


/* one that has no name is another series of the one before */
typedef struct {
    ngx_uint_t            id;
    const char           *name;
    const char           *label[2];    /* a counter's names; else a name and
                                          a value */
    const char           *help;
} ngx_http_voicebridge_metric_t;


static ngx_int_t ngx_http_voicebridge_metrics_text(ngx_http_request_t *r,
    ngx_shm_zone_t *zone, ngx_str_t *text);
static void ngx_http_voicebridge_metrics_write(vb_writer_t *w,
    ngx_http_voicebridge_stats_sh_t *sh, ngx_uint_t live, ngx_uint_t waiting);
static void ngx_http_voicebridge_metrics_outside(vb_writer_t *w,
    ngx_http_voicebridge_stats_sh_t *sh);
static void ngx_http_voicebridge_metrics_counters(vb_writer_t *w,
    ngx_http_voicebridge_stats_sh_t *sh);
static void ngx_http_voicebridge_metrics_audio(vb_writer_t *w,
    ngx_http_voicebridge_stats_sh_t *sh);
static void ngx_http_voicebridge_metrics_histograms(vb_writer_t *w,
    ngx_http_voicebridge_stats_sh_t *sh);
static void ngx_http_voicebridge_metrics_histogram(vb_writer_t *w,
    const char *name, ngx_http_voicebridge_metric_t *m,
    ngx_http_voicebridge_histogram_t *h);
static void ngx_http_voicebridge_metrics_bound(vb_writer_t *w, uint32_t us);
static void ngx_http_voicebridge_metrics_peaks(vb_writer_t *w,
    ngx_http_voicebridge_stats_sh_t *sh);
static void ngx_http_voicebridge_metrics_single(vb_writer_t *w,
    const char *name, const char *type, ngx_uint_t value, const char *help);
static void ngx_http_voicebridge_metrics_head(vb_writer_t *w,
    const char *name, const char *type, const char *help);
static void ngx_http_voicebridge_metrics_printf(vb_writer_t *w,
    const char *fmt, ...);


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

    { NGX_HTTP_VOICEBRIDGE_STATS_FAILURES,
      "voicebridge_request_failures_total", { "service", "kind" },
      "Requests that failed, by whom they were for; each attempt." },

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
      "From Twilio's handshake to the first audio of the agent." },

    { NGX_HTTP_VOICEBRIDGE_STATS_ANSWER,
      "voicebridge_answer_seconds", { NULL, NULL },
      "From the caller's transcript, which the agent sends when the caller "
      "stops, to the agent's next audio." },

    { NGX_HTTP_VOICEBRIDGE_STATS_TO_AGENT,
      "voicebridge_relay_seconds", { "direction", "caller_to_agent" },
      "From the arrival of audio to its being written on the other side; a "
      "sample, about one message in 16." },

    { NGX_HTTP_VOICEBRIDGE_STATS_TO_CALLER,
      NULL, { "direction", "agent_to_caller" }, "" },

    { 0, NULL, { NULL, NULL }, NULL }
};


static ngx_http_voicebridge_metric_t  ngx_http_voicebridge_peaks[] = {
    { NGX_HTTP_VOICEBRIDGE_STATS_PEAK_CALLER,
      "voicebridge_queue_peak_bytes", { "queue", "to_caller" },
      "The most that ever waited in such a queue of one call." },

    { NGX_HTTP_VOICEBRIDGE_STATS_PEAK_AGENT,
      NULL, { "queue", "to_agent" }, "" },

    { NGX_HTTP_VOICEBRIDGE_STATS_PEAK_EARLY,
      NULL, { "queue", "before_agent" }, "" },

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
    ngx_uint_t                        live, waiting;
    vb_writer_t                       w;
    ngx_http_voicebridge_stats_sh_t  *sh;

    ngx_http_voicebridge_stats_reap(zone, 0);

    sh = ngx_http_voicebridge_zone_stats(zone);
    live = ngx_http_voicebridge_stats_live(zone);
    waiting = ngx_http_voicebridge_stats_ringing(zone);

    vb_writer_init(&w, NULL);
    ngx_http_voicebridge_metrics_write(&w, sh, live, waiting);

    /* numbers grow while they are written, and counters are added */

    size = w.len + w.len / 4 + 1024;

    text->data = ngx_pnalloc(r->pool, size);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    w.dst = text->data;
    w.size = size;
    w.len = 0;

    ngx_http_voicebridge_metrics_write(&w, sh, live, waiting);

    if (w.len > size) {
        return NGX_ERROR;
    }

    text->len = w.len;

    return NGX_OK;
}


static void
ngx_http_voicebridge_metrics_write(vb_writer_t *w,
    ngx_http_voicebridge_stats_sh_t *sh, ngx_uint_t live, ngx_uint_t waiting)
{
    ngx_http_voicebridge_metrics_single(w, "voicebridge_calls_live", "gauge",
                                        live, "Calls that are going on.");
    ngx_http_voicebridge_metrics_single(w, "voicebridge_calls_waiting",
                                        "gauge", waiting,
                                        "Calls Twilio knows of that have no "
                                        "media stream yet: queued, ringing.");

    ngx_http_voicebridge_metrics_counters(w, sh);

    ngx_http_voicebridge_metrics_single(w, "voicebridge_interruptions_total",
                                        "counter", sh->interruptions,
                                        "Times a caller interrupted the "
                                        "agent.");

    ngx_http_voicebridge_metrics_audio(w, sh);
    ngx_http_voicebridge_metrics_histograms(w, sh);
    ngx_http_voicebridge_metrics_peaks(w, sh);

    ngx_http_voicebridge_metrics_outside(w, sh);

    ngx_http_voicebridge_metrics_single(w, "voicebridge_zone_full_total",
                                        "counter", sh->full,
                                        "Times voicebridge_zone had no room: "
                                        "calls not shown, events not "
                                        "counted, tokens not remembered.");
}


static void
ngx_http_voicebridge_metrics_audio(vb_writer_t *w,
    ngx_http_voicebridge_stats_sh_t *sh)
{
    uint64_t  caller, agent;

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

    ngx_http_voicebridge_metrics_single(w,
                                        "voicebridge_webhook_events_waiting",
                                        "gauge", waiting,
                                        "Events that are not delivered yet.");
    ngx_http_voicebridge_metrics_single(w,
                                    "voicebridge_transcript_lines_lost_total",
                                    "counter", sh->lines_lost,
                                    "Lines that could not be written to "
                                    "voicebridge_transcript_log.");
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

            /* there is no lock: labels were written before the family */

            ngx_memory_barrier();

            /* they are words of ours: nothing to be escaped */

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


static void
ngx_http_voicebridge_metrics_histograms(vb_writer_t *w,
    ngx_http_voicebridge_stats_sh_t *sh)
{
    const char                     *name;
    ngx_http_voicebridge_metric_t  *m;

    name = NULL;

    for (m = ngx_http_voicebridge_histograms; m->help; m++) {

        if (m->name) {
            name = m->name;

            ngx_http_voicebridge_metrics_head(w, name, "histogram", m->help);
        }

        ngx_http_voicebridge_metrics_histogram(w, name, m,
                                               &sh->histogram[m->id]);
    }
}


/* the count is the sum of what was read of the buckets, so that they agree */

static void
ngx_http_voicebridge_metrics_histogram(vb_writer_t *w, const char *name,
    ngx_http_voicebridge_metric_t *m, ngx_http_voicebridge_histogram_t *h)
{
    u_char           before[64], alone[64];
    uint64_t         n, sum;
    ngx_uint_t       i;
    const uint32_t  *bounds;

    before[0] = '\0';
    alone[0] = '\0';

    if (m->label[0]) {
        *ngx_snprintf(before, sizeof(before) - 1, "%s=\"%s\",", m->label[0],
                      m->label[1]) = '\0';
        *ngx_snprintf(alone, sizeof(alone) - 1, "{%s=\"%s\"}", m->label[0],
                      m->label[1]) = '\0';
    }

    bounds = ngx_http_voicebridge_stats_bounds(m->id);

    sum = h->sum;
    n = 0;

    for (i = 0; i < NGX_HTTP_VOICEBRIDGE_STATS_BOUNDS; i++) {
        n += h->bucket[i];

        ngx_http_voicebridge_metrics_printf(w, "%s_bucket{%sle=\"", name,
                                            before);
        ngx_http_voicebridge_metrics_bound(w, bounds[i]);
        ngx_http_voicebridge_metrics_printf(w, "\"} %uL\n", n);
    }

    n += h->bucket[i];

    ngx_http_voicebridge_metrics_printf(w, "%s_bucket{%sle=\"+Inf\"} %uL\n",
                                        name, before, n);
    ngx_http_voicebridge_metrics_printf(w, "%s_sum%s %uL.%06uL\n", name,
                                        alone, sum / 1000000, sum % 1000000);
    ngx_http_voicebridge_metrics_printf(w, "%s_count%s %uL\n", name, alone,
                                        n);
}


/* microseconds as seconds, and as short as they can be: it is a label */

static void
ngx_http_voicebridge_metrics_bound(vb_writer_t *w, uint32_t us)
{
    u_char  *p, buf[NGX_INT64_LEN + sizeof(".000000")];

    p = ngx_sprintf(buf, "%uD.%06uD", us / 1000000, us % 1000000);

    while (p[-1] == '0') {
        p--;
    }

    if (p[-1] == '.') {
        p--;
    }

    vb_write(w, buf, p - buf);
}


static void
ngx_http_voicebridge_metrics_peaks(vb_writer_t *w,
    ngx_http_voicebridge_stats_sh_t *sh)
{
    const char                     *name;
    ngx_http_voicebridge_metric_t  *m;

    name = ngx_http_voicebridge_peaks[0].name;

    ngx_http_voicebridge_metrics_head(w, name, "gauge",
                                      ngx_http_voicebridge_peaks[0].help);

    for (m = ngx_http_voicebridge_peaks; m->help; m++) {
        ngx_http_voicebridge_metrics_printf(w, "%s{%s=\"%s\"} %uA\n", name,
                                            m->label[0], m->label[1],
                                            sh->peak[m->id]);
    }
}


static void
ngx_http_voicebridge_metrics_single(vb_writer_t *w, const char *name,
    const char *type, ngx_uint_t value, const char *help)
{
    ngx_http_voicebridge_metrics_head(w, name, type, help);
    ngx_http_voicebridge_metrics_printf(w, "%s %ui\n", name, value);
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
