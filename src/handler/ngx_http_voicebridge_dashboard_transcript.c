
/*
 * What is said in a call, as it is known: server-sent events.
 *
 *   id: MZ...-17
 *   event: turn
 *   data: {"at": 3.214, "who": "agent", "text": "..."}
 *
 * and "event: end" when the call is over.  The call may be another worker's,
 * so the zone is looked at five times a second, which costs one read of a
 * number while nothing is said.  A worker that is to exit ends the answer:
 * the browser asks the next one, with the last id it has seen.
 */


#include <ngx_http_voicebridge_dashboard.h>
#include <ngx_http_voicebridge_zone.h>

#include <vb_json.h>


#define NGX_HTTP_VOICEBRIDGE_LISTENERS        32     /* of a worker */
#define NGX_HTTP_VOICEBRIDGE_LISTENER_POLL    200    /* ms */
#define NGX_HTTP_VOICEBRIDGE_LISTENER_IDLE    15     /* s, then a comment */

/* room for a turn at least: six bytes for one, and what is around it */
#define NGX_HTTP_VOICEBRIDGE_LISTENER_BUFFER                                  \
    (6 * NGX_HTTP_VOICEBRIDGE_TALK_TURN + 256)


typedef struct {
    ngx_connection_t                     ident;     /* the timer's data */
    ngx_event_t                          timer;
    ngx_http_request_t                  *request;
    ngx_shm_zone_t                      *zone;
    ngx_str_t                            sid;
    char                                 stream_sid[36];
    uint32_t                             last;      /* id of a turn */
    ngx_atomic_uint_t                    changed;
    time_t                               sent;

    /* the one buffer, which is free when all of it has been sent */
    ngx_buf_t                            buf;
    ngx_chain_t                          out;
    u_char                              *start;

    unsigned                             more:1;    /* did not fit */
    unsigned                             ended:1;
} ngx_http_voicebridge_listener_t;


static ngx_int_t ngx_http_voicebridge_listener_refuse(ngx_http_request_t *r,
    ngx_http_voicebridge_talk_copy_t *copy, ngx_str_t *sid, ngx_int_t known);
static ngx_http_voicebridge_listener_t *ngx_http_voicebridge_listener_create(
    ngx_http_request_t *r, ngx_shm_zone_t *zone, ngx_str_t *sid);
static void ngx_http_voicebridge_listener_resume(
    ngx_http_voicebridge_listener_t *l);
static ngx_int_t ngx_http_voicebridge_listener_begin(ngx_http_request_t *r);
static void ngx_http_voicebridge_listener_cleanup(void *data);
static void ngx_http_voicebridge_listener_timer(ngx_event_t *ev);
static void ngx_http_voicebridge_listener_writer(ngx_http_request_t *r);
static void ngx_http_voicebridge_listener_run(
    ngx_http_voicebridge_listener_t *l);
static void ngx_http_voicebridge_listener_finish(
    ngx_http_voicebridge_listener_t *l, ngx_int_t rc);
static ngx_uint_t ngx_http_voicebridge_listener_fill(
    ngx_http_voicebridge_listener_t *l);
static ngx_int_t ngx_http_voicebridge_listener_turns(
    ngx_http_voicebridge_listener_t *l,
    ngx_http_voicebridge_talk_copy_t *copy);
static ngx_int_t ngx_http_voicebridge_listener_turn(
    ngx_http_voicebridge_listener_t *l, ngx_http_voicebridge_turn_t *turn,
    ngx_pool_t *pool);
static ngx_int_t ngx_http_voicebridge_listener_send(
    ngx_http_voicebridge_listener_t *l);


static ngx_uint_t  ngx_http_voicebridge_listeners;


ngx_int_t
ngx_http_voicebridge_dashboard_transcript(ngx_http_request_t *r,
    ngx_shm_zone_t *zone)
{
    ngx_int_t                          rc;
    ngx_str_t                          sid;
    ngx_http_voicebridge_listener_t   *l;
    ngx_http_voicebridge_talk_copy_t   copy;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_arg(r, (u_char *) "sid", 3, &sid) != NGX_OK) {
        ngx_str_null(&sid);
    }

    rc = ngx_http_voicebridge_talk_copy(zone, &sid, &copy);

    if (rc != NGX_OK || !copy.texts
        || ngx_http_voicebridge_listeners >= NGX_HTTP_VOICEBRIDGE_LISTENERS)
    {
        return ngx_http_voicebridge_listener_refuse(r, &copy, &sid, rc);
    }

    l = ngx_http_voicebridge_listener_create(r, zone, &sid);
    if (l == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_voicebridge_listener_begin(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_voicebridge_listener_writer;
    r->connection->log->action = "showing a transcript";

    r->main->count++;

    ngx_http_voicebridge_listener_run(l);

    return NGX_DONE;
}


static ngx_int_t
ngx_http_voicebridge_listener_refuse(ngx_http_request_t *r,
    ngx_http_voicebridge_talk_copy_t *copy, ngx_str_t *sid, ngx_int_t known)
{
    ngx_str_t  detail;

    if (sid->len == 0) {
        ngx_str_set(&detail, "sid is required");
        return ngx_http_voicebridge_send_detail(r, NGX_HTTP_BAD_REQUEST,
                                                &detail);
    }

    if (known != NGX_OK) {
        ngx_str_set(&detail, "No such call");
        return ngx_http_voicebridge_send_detail(r, NGX_HTTP_NOT_FOUND,
                                                &detail);
    }

    if (!copy->texts) {
        ngx_str_set(&detail, "There is no transcript: "
                             "voicebridge_log_transcripts is off, or the call "
                             "has ended a while ago");
        return ngx_http_voicebridge_send_detail(r, NGX_HTTP_NOT_FOUND,
                                                &detail);
    }

    ngx_str_set(&detail, "Too many transcripts are being read");
    return ngx_http_voicebridge_send_detail(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            &detail);
}


static ngx_http_voicebridge_listener_t *
ngx_http_voicebridge_listener_create(ngx_http_request_t *r,
    ngx_shm_zone_t *zone, ngx_str_t *sid)
{
    ngx_http_cleanup_t               *cln;
    ngx_http_voicebridge_listener_t  *l;

    l = ngx_pcalloc(r->pool, sizeof(ngx_http_voicebridge_listener_t));
    if (l == NULL) {
        return NULL;
    }

    l->start = ngx_palloc(r->pool, NGX_HTTP_VOICEBRIDGE_LISTENER_BUFFER);
    if (l->start == NULL) {
        return NULL;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_voicebridge_listener_cleanup;
    cln->data = l;

    ngx_http_voicebridge_listeners++;

    l->request = r;
    l->zone = zone;
    l->sid = *sid;
    l->more = 1;
    l->sent = ngx_time();

    /* a worker may go at any time: where the next one is asked at once */

    l->buf.start = l->start;
    l->buf.pos = l->start;
    l->buf.last = ngx_cpymem(l->start, "retry: 500\n\n",
                             sizeof("retry: 500\n\n") - 1);
    l->buf.end = l->start + NGX_HTTP_VOICEBRIDGE_LISTENER_BUFFER;
    l->out.buf = &l->buf;

    l->ident.data = l;
    l->ident.fd = (ngx_socket_t) -1;

    l->timer.handler = ngx_http_voicebridge_listener_timer;
    l->timer.data = &l->ident;
    l->timer.log = r->connection->log;

    ngx_http_voicebridge_listener_resume(l);

    return l;
}


/* Last-Event-ID: the stream it was of, and the turn; else from the beginning */

static void
ngx_http_voicebridge_listener_resume(ngx_http_voicebridge_listener_t *l)
{
    u_char     *p;
    ngx_int_t   n;
    ngx_str_t  *id, stream;

    static ngx_str_t  name = ngx_string("last-event-id");

    id = ngx_http_voicebridge_header(l->request, &name);

    if (id == NULL) {
        return;
    }

    p = ngx_strlchr(id->data, id->data + id->len, '-');

    if (p == NULL) {
        return;
    }

    n = ngx_atoi(p + 1, id->data + id->len - p - 1);

    stream.data = id->data;
    stream.len = p - id->data;

    if (n == NGX_ERROR || n > NGX_MAX_INT32_VALUE
        || stream.len >= sizeof(l->stream_sid))
    {
        return;
    }

    ngx_memcpy(l->stream_sid, stream.data, stream.len);
    l->last = n;
}


static ngx_int_t
ngx_http_voicebridge_listener_begin(ngx_http_request_t *r)
{
    static ngx_str_t  no = ngx_string("no");

    r->headers_out.status = NGX_HTTP_OK;

    ngx_str_set(&r->headers_out.content_type, "text/event-stream");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    ngx_http_clear_content_length(r);

    /* for an nginx in front of this one */

    if (ngx_http_voicebridge_add_header(r, "X-Accel-Buffering", &no)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_send_header(r);
}


static void
ngx_http_voicebridge_listener_cleanup(void *data)
{
    ngx_http_voicebridge_listener_t *l = data;

    ngx_http_voicebridge_listeners--;

    if (l->timer.timer_set) {
        ngx_del_timer(&l->timer);
    }

    ngx_explicit_memzero(l->start, NGX_HTTP_VOICEBRIDGE_LISTENER_BUFFER);
}


static void
ngx_http_voicebridge_listener_timer(ngx_event_t *ev)
{
    ngx_connection_t                 *c, *ident;
    ngx_http_voicebridge_listener_t  *l;

    ident = ev->data;
    l = ident->data;
    c = l->request->connection;

    ngx_http_voicebridge_listener_run(l);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_voicebridge_listener_writer(ngx_http_request_t *r)
{
    ngx_http_cleanup_t  *cln;

    if (r->connection->write->timedout) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, NGX_ETIMEDOUT,
                      "client timed out");
        r->connection->timedout = 1;

        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    for (cln = r->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_voicebridge_listener_cleanup) {
            ngx_http_voicebridge_listener_run(cln->data);
            return;
        }
    }
}


static void
ngx_http_voicebridge_listener_run(ngx_http_voicebridge_listener_t *l)
{
    ngx_http_request_t  *r;

    r = l->request;

    for ( ;; ) {

        if (ngx_http_voicebridge_listener_send(l) != NGX_OK) {
            ngx_http_voicebridge_listener_finish(l, NGX_ERROR);
            return;
        }

        if (l->buf.pos != l->buf.last || r->buffered
            || r->connection->buffered)
        {
            break;
        }

        if (l->ended || ngx_exiting || ngx_terminate) {
            ngx_http_voicebridge_listener_finish(l,
                                    ngx_http_send_special(r, NGX_HTTP_LAST));
            return;
        }

        if (!ngx_http_voicebridge_listener_fill(l)) {
            break;
        }
    }

    if (!l->timer.timer_set) {
        ngx_add_timer(&l->timer, NGX_HTTP_VOICEBRIDGE_LISTENER_POLL);
    }
}


static void
ngx_http_voicebridge_listener_finish(ngx_http_voicebridge_listener_t *l,
    ngx_int_t rc)
{
    if (l->timer.timer_set) {
        ngx_del_timer(&l->timer);
    }

    ngx_http_finalize_request(l->request, rc);
}


/* what there is to send, into the buffer, which is empty; 0: nothing */

static ngx_uint_t
ngx_http_voicebridge_listener_fill(ngx_http_voicebridge_listener_t *l)
{
    ngx_buf_t                         *b;
    ngx_atomic_uint_t                  changed;
    ngx_http_voicebridge_talk_copy_t   copy;

    static char  end[] = "event: end\ndata: {}\n\n";

    b = &l->buf;
    b->pos = b->last = b->start;

    changed = ngx_http_voicebridge_talk_changed(l->zone);

    if (changed == l->changed && !l->more) {

        if (ngx_time() - l->sent < NGX_HTTP_VOICEBRIDGE_LISTENER_IDLE) {
            return 0;
        }

        /* whoever has gone without a word is found out */

        b->last = ngx_cpymem(b->last, ":\n\n", 3);
        return 1;
    }

    l->changed = changed;
    l->more = 0;

    if (ngx_http_voicebridge_talk_copy(l->zone, &l->sid, &copy) != NGX_OK) {
        copy.live = 0;

    } else if (ngx_http_voicebridge_listener_turns(l, &copy) != NGX_OK) {
        l->more = 1;
        return b->last != b->pos;
    }

    if (!copy.live) {
        b->last = ngx_cpymem(b->last, end, sizeof(end) - 1);
        l->ended = 1;
    }

    return b->last != b->pos;
}


/* NGX_OK: all that are new; NGX_AGAIN: some of them */

static ngx_int_t
ngx_http_voicebridge_listener_turns(ngx_http_voicebridge_listener_t *l,
    ngx_http_voicebridge_talk_copy_t *copy)
{
    size_t                        pos;
    ngx_int_t                     rc;
    ngx_pool_t                   *pool;
    ngx_http_voicebridge_turn_t   turn;

    if (ngx_strcmp(copy->stream_sid, l->stream_sid) != 0) {

        /* another stream of that call */

        ngx_memcpy(l->stream_sid, copy->stream_sid, sizeof(l->stream_sid));
        l->last = 0;
    }

    /* the request may last for as long as the call */

    pool = ngx_create_pool(1024, l->request->connection->log);
    if (pool == NULL) {
        return NGX_AGAIN;
    }

    rc = NGX_OK;
    pos = 0;

    while (ngx_http_voicebridge_talk_next(copy, &pos, &turn) == NGX_OK) {

        if (turn.id > l->last) {
            rc = ngx_http_voicebridge_listener_turn(l, &turn, pool);

            if (rc != NGX_OK) {
                break;
            }
        }
    }

    ngx_destroy_pool(pool);

    return rc;
}


static ngx_int_t
ngx_http_voicebridge_listener_turn(ngx_http_voicebridge_listener_t *l,
    ngx_http_voicebridge_turn_t *turn, ngx_pool_t *pool)
{
    ngx_str_t   text;
    ngx_buf_t  *b;

    static char  *who[] = { "caller", "agent", "correction" };

    b = &l->buf;

    /* there may be numbers of phones in it */

    if (ngx_http_voicebridge_plain_text(pool, &turn->text, turn->text.len,
                                        &text)
        != NGX_OK)
    {
        return NGX_AGAIN;
    }

    /* what is around it, and the end of the call */

    if ((size_t) (b->end - b->last)
        < 256 + vb_json_escape(NULL, text.data, text.len))
    {
        return NGX_AGAIN;
    }

    b->last = ngx_sprintf(b->last, "id: %s-%uD\nevent: turn\n"
                          "data: {\"at\": %uD.%03uD, \"who\": \"%s\", "
                          "\"text\": \"",
                          l->stream_sid, turn->id, turn->at / 1000,
                          turn->at % 1000, who[turn->who % 3]);
    b->last += vb_json_escape(b->last, text.data, text.len);
    b->last = ngx_cpymem(b->last, "\"}\n\n", 4);

    l->last = turn->id;

    return NGX_OK;
}


/* what the buffer has, and what core has kept of it */

static ngx_int_t
ngx_http_voicebridge_listener_send(ngx_http_voicebridge_listener_t *l)
{
    ngx_int_t                  rc;
    ngx_event_t               *wev;
    ngx_chain_t               *out;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = l->request;
    wev = r->connection->write;
    out = NULL;

    if (l->buf.pos != l->buf.last && !l->buf.flush) {
        l->buf.memory = 1;
        l->buf.flush = 1;
        l->out.next = NULL;
        l->sent = ngx_time();
        out = &l->out;
    }

    rc = ngx_http_output_filter(r, out);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (r->buffered || r->connection->buffered) {
        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

        if (!wev->delayed && !wev->timer_set) {
            ngx_add_timer(wev, clcf->send_timeout);
        }

        return ngx_handle_write_event(wev, clcf->send_lowat);
    }

    if (wev->timer_set && !wev->delayed) {
        ngx_del_timer(wev);
    }

    if (l->buf.pos == l->buf.last) {
        l->buf.flush = 0;
    }

    return NGX_OK;
}
