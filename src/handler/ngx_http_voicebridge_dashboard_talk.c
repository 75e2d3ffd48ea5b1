
/*
 * Who speaks when, as JSON for the dashboard:
 *
 *   {"seq": 812, "calls": [
 *      {"call_sid": "CA...", "stream_sid": "MZ...", "live": true,
 *       "transcript": true, "spans": [[0, 1230, 4560], [1, 5000, null]]}]}
 *
 * A span is who (0 the caller, 1 the agent), when it begins and when it ends,
 * ms since the call's start; null goes on.  With ?since= the seq of an answer
 * before: the calls and spans that have changed.  A span that is there already
 * by who and its beginning is replaced.
 */


#include <ngx_http_voicebridge_dashboard.h>
#include <ngx_http_voicebridge_zone.h>

#include <vb_writer.h>


static ngx_int_t ngx_http_voicebridge_dashboard_since(ngx_http_request_t *r);
static void ngx_http_voicebridge_dashboard_call(vb_writer_t *w,
    ngx_http_voicebridge_talk_place_t *place, uint64_t since);


ngx_int_t
ngx_http_voicebridge_dashboard_talk(ngx_http_request_t *r,
    ngx_shm_zone_t *zone)
{
    u_char                             *p;
    u_char                              buf[64 + NGX_INT64_LEN];
    uint64_t                            seq;
    ngx_int_t                           since;
    ngx_str_t                           body, detail;
    ngx_uint_t                          i, n;
    ngx_array_t                        *places;
    vb_writer_t                         w;
    ngx_http_voicebridge_talk_place_t  *place;

    static ngx_str_t  type = ngx_string("application/json");

    since = ngx_http_voicebridge_dashboard_since(r);

    if (since == NGX_ERROR) {
        ngx_str_set(&detail, "since must be a number");
        return ngx_http_voicebridge_send_detail(r, NGX_HTTP_BAD_REQUEST,
                                                &detail);
    }

    places = ngx_http_voicebridge_talk_places(zone, r->pool, since, &seq);
    if (places == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    place = places->elts;
    body.data = NULL;

    for (n = 0; n < 2; n++) {
        vb_writer_init(&w, body.data);

        p = ngx_sprintf(buf, "{\"seq\": %uL, \"calls\": [", seq);
        vb_write(&w, buf, p - buf);

        for (i = 0; i < places->nelts; i++) {
            if (i) {
                vb_write_literal(&w, ",\n ");
            }

            ngx_http_voicebridge_dashboard_call(&w, &place[i], since);
        }

        vb_write_literal(&w, "]}\n");

        if (body.data == NULL) {
            body.len = w.len;
            body.data = ngx_pnalloc(r->pool, w.len);

            if (body.data == NULL) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }
        }
    }

    return ngx_http_voicebridge_send(r, NGX_HTTP_OK, &type, &body);
}


/* the seq of an answer before, 0 where none is told of, or NGX_ERROR */

static ngx_int_t
ngx_http_voicebridge_dashboard_since(ngx_http_request_t *r)
{
    ngx_str_t  arg;

    return ngx_http_arg(r, (u_char *) "since", 5, &arg) == NGX_OK
           ? ngx_atoi(arg.data, arg.len) : 0;
}


static void
ngx_http_voicebridge_dashboard_call(vb_writer_t *w,
    ngx_http_voicebridge_talk_place_t *place, uint64_t since)
{
    u_char                       *p;
    u_char                        buf[32 + 2 * NGX_INT32_LEN];
    uint32_t                      i;
    ngx_uint_t                    n;
    ngx_http_voicebridge_span_t  *span;

    vb_write_literal(w, "{\"call_sid\": \"");
    vb_write_json(w, (u_char *) place->call_sid, ngx_strlen(place->call_sid));
    vb_write_literal(w, "\", \"stream_sid\": \"");
    vb_write_json(w, (u_char *) place->stream_sid,
                  ngx_strlen(place->stream_sid));

    p = ngx_sprintf(buf, "\", \"live\": %s, ", place->owner ? "true" : "false");
    vb_write(w, buf, p - buf);

    p = ngx_sprintf(buf, "\"transcript\": %s, ",
                    place->texts ? "true" : "false");
    vb_write(w, buf, p - buf);

    vb_write_literal(w, "\"spans\": [");

    i = place->nspans - ngx_min(place->nspans, NGX_HTTP_VOICEBRIDGE_TALK_SPANS);
    n = 0;

    for ( /* void */ ; i < place->nspans; i++) {
        span = &place->span[i % NGX_HTTP_VOICEBRIDGE_TALK_SPANS];

        if (span->seq <= since) {
            continue;
        }

        p = ngx_sprintf(buf, "%s[%d, %uD, ", n++ ? ", " : "",
                        (int) span->agent, (uint32_t) span->start);
        vb_write(w, buf, p - buf);

        if (span->end == 0) {
            vb_write_literal(w, "null]");

        } else {
            p = ngx_sprintf(buf, "%uD]", span->end);
            vb_write(w, buf, p - buf);
        }
    }

    vb_write_literal(w, "]}");
}
