
/* One WebSocket connection of a call: its life, its memory, what comes in */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <ngx_http_voicebridge_leg.h>


#define NGX_HTTP_VOICEBRIDGE_LEG_SPARE   8


static ngx_int_t ngx_http_voicebridge_leg_room(ngx_http_voicebridge_leg_t *leg);


/*
 * The worker's spare buffers.  A handler needs four at most, and no two
 * handlers run at a time.
 */

static u_char      *ngx_http_voicebridge_leg_spare[
                                             NGX_HTTP_VOICEBRIDGE_LEG_SPARE];
static ngx_uint_t   ngx_http_voicebridge_leg_spares;


void
ngx_http_voicebridge_leg_init(ngx_http_voicebridge_leg_t *leg,
    ngx_connection_t *c, ngx_uint_t client, size_t max_message)
{
    ngx_memzero(leg, sizeof(ngx_http_voicebridge_leg_t));

    leg->connection = c;
    leg->client = client;
    leg->last_read = ngx_current_msec;

    vb_ws_reader_init(&leg->reader, !client, max_message);

#if (NGX_SSL)
    if (c->ssl) {
        ngx_http_voicebridge_leg_tls_init(leg);
    }
#endif
}


ngx_int_t
ngx_http_voicebridge_leg_preread(ngx_http_voicebridge_leg_t *leg, u_char *data,
    size_t len)
{
    if (len == 0) {
        return NGX_OK;
    }

    if (ngx_http_voicebridge_leg_room(leg) != NGX_OK
        || (size_t) (leg->in.end - leg->in.last) < len)
    {
        return NGX_ERROR;
    }

    leg->in.last = ngx_cpymem(leg->in.last, data, len);

    return NGX_OK;
}


ngx_int_t
ngx_http_voicebridge_leg_read(ngx_http_voicebridge_leg_t *leg)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = leg->connection;

    if (c == NULL || leg->eof) {
        return NGX_DONE;
    }

    if (leg->empty) {
        return NGX_AGAIN;
    }

    if (!c->read->ready) {
        leg->empty = 1;
        return NGX_AGAIN;
    }

    if (ngx_http_voicebridge_leg_room(leg) != NGX_OK) {
        return NGX_ERROR;
    }

#if (NGX_SSL)

    if (leg->direct && !c->read->pending_eof) {
        n = ngx_http_voicebridge_leg_tls_recv(leg, leg->in.last,
                                              leg->in.end - leg->in.last);
    } else

#endif
    {
        n = c->recv(c, leg->in.last, leg->in.end - leg->in.last);
    }

    leg->empty = !c->read->ready;

    if (n == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (n == 0 || n == NGX_ERROR) {
        leg->eof = 1;
        leg->settled = 0;
        return NGX_DONE;
    }

    leg->in.last += n;
    leg->last_read = ngx_current_msec;

    return NGX_OK;
}


ngx_uint_t
ngx_http_voicebridge_leg_left(ngx_http_voicebridge_leg_t *leg)
{
#if (NGX_HAVE_TCP_INFO && NGX_LINUX)

    socklen_t        len;
    struct tcp_info  info;

    len = sizeof(struct tcp_info);

    if (getsockopt(leg->connection->fd, IPPROTO_TCP, TCP_INFO, &info, &len)
        == -1)
    {
        /* not over TCP */

        return 0;
    }

    return info.tcpi_state == TCP_CLOSE_WAIT || info.tcpi_state == TCP_CLOSE;

#else

    return 0;

#endif
}


ngx_int_t
ngx_http_voicebridge_leg_next(ngx_http_voicebridge_leg_t *leg,
    vb_ws_event_t *ev)
{
    if (leg->in.start == NULL) {
        return NGX_AGAIN;
    }

    return vb_ws_read(&leg->reader, &leg->in, ev);
}


ngx_int_t
ngx_http_voicebridge_leg_wait(ngx_http_voicebridge_leg_t *leg)
{
    ngx_connection_t  *c;

    c = leg->connection;

    if (c == NULL
        || (leg->settled && ngx_http_voicebridge_leg_queued(leg) == 0))
    {
        return NGX_OK;
    }

    if (ngx_handle_read_event(c->read, leg->eof ? NGX_CLOSE_EVENT : 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /*
     * With epoll an event that tells of bytes to read tells as well that the
     * socket can be written to, where that was asked for: core would run the
     * handlers of both.  So it is asked for only while something waits for it.
     */

    if ((ngx_event_flags & NGX_USE_EPOLL_EVENT)
        && c->write->active && c->write->ready)
    {
        if (ngx_del_event(c->write, NGX_WRITE_EVENT, NGX_CLEAR_EVENT)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else if (ngx_handle_write_event(c->write, 0) != NGX_OK) {

        /* with level-triggered methods this also switches an idle one off */

        return NGX_ERROR;
    }

    leg->settled = (ngx_event_flags & NGX_USE_EPOLL_EVENT)
                   && c->read->active && !c->write->active && !leg->eof;

    return NGX_OK;
}


void
ngx_http_voicebridge_leg_release(ngx_http_voicebridge_leg_t *leg)
{
    u_char  *p;
    size_t   size, room;

    if (leg->out.start && leg->out.pos == leg->out.last) {
        ngx_http_voicebridge_leg_put(leg->out.start, leg->out.end);
        ngx_memzero(&leg->out, sizeof(ngx_http_voicebridge_out_t));
    }

    if (leg->in.start == NULL || leg->held) {
        return;
    }

    size = leg->in.last - leg->in.message;

    if (size == 0) {
        ngx_http_voicebridge_leg_put(leg->in.start, leg->in.end);
        ngx_memzero(&leg->in, sizeof(vb_ws_buf_t));
        return;
    }

    /* the beginning of a small message: small memory will do for it */

    room = size + ngx_max(vb_ws_wanted(&leg->reader, &leg->in), 512);

    if (room > NGX_HTTP_VOICEBRIDGE_LEG_BUFFER / 2
        || leg->in.end - leg->in.start != NGX_HTTP_VOICEBRIDGE_LEG_BUFFER)
    {
        return;
    }

    p = ngx_alloc(room, leg->connection->log);
    if (p == NULL) {
        return;
    }

    ngx_memcpy(p, leg->in.message, size);
    ngx_http_voicebridge_leg_put(leg->in.start, leg->in.end);

    leg->in.pos = p + (leg->in.pos - leg->in.message);
    leg->in.start = p;
    leg->in.message = p;
    leg->in.last = p + size;
    leg->in.end = p + room;
}


void
ngx_http_voicebridge_leg_free(ngx_http_voicebridge_leg_t *leg)
{
    if (leg->in.start) {
        ngx_http_voicebridge_leg_put(leg->in.start, leg->in.end);
        ngx_memzero(&leg->in, sizeof(vb_ws_buf_t));
    }

    if (leg->out.start) {
        ngx_http_voicebridge_leg_put(leg->out.start, leg->out.end);
        ngx_memzero(&leg->out, sizeof(ngx_http_voicebridge_out_t));
    }

    leg->held = 0;
    leg->connection = NULL;
}


u_char *
ngx_http_voicebridge_leg_get(void)
{
    if (ngx_http_voicebridge_leg_spares) {
        return ngx_http_voicebridge_leg_spare[
                                          --ngx_http_voicebridge_leg_spares];
    }

    return ngx_alloc(NGX_HTTP_VOICEBRIDGE_LEG_BUFFER, ngx_cycle->log);
}


void
ngx_http_voicebridge_leg_put(u_char *start, u_char *end)
{
    if (end - start == NGX_HTTP_VOICEBRIDGE_LEG_BUFFER
        && ngx_http_voicebridge_leg_spares < NGX_HTTP_VOICEBRIDGE_LEG_SPARE)
    {
        ngx_http_voicebridge_leg_spare[ngx_http_voicebridge_leg_spares++]
                                                                     = start;
        return;
    }

    ngx_free(start);
}


void
ngx_http_voicebridge_leg_exit_process(ngx_cycle_t *cycle)
{
    while (ngx_http_voicebridge_leg_spares) {
        ngx_free(ngx_http_voicebridge_leg_spare[
                                          --ngx_http_voicebridge_leg_spares]);
    }

#if (NGX_SSL)
    ngx_http_voicebridge_leg_tls_exit_process(cycle);
#endif
}


/* makes room behind in.last: takes a buffer, moves a rest down or enlarges */

static ngx_int_t
ngx_http_voicebridge_leg_room(ngx_http_voicebridge_leg_t *leg)
{
    u_char       *p;
    size_t        used, wanted, size;
    vb_ws_buf_t  *b;

    b = &leg->in;

    if (b->start == NULL) {
        p = ngx_http_voicebridge_leg_get();
        if (p == NULL) {
            return NGX_ERROR;
        }

        b->start = b->message = b->pos = b->last = p;
        b->end = p + NGX_HTTP_VOICEBRIDGE_LEG_BUFFER;

        return NGX_OK;
    }

    used = b->last - b->message;

    if (used == 0) {
        b->message = b->pos = b->last = b->start;
        return NGX_OK;
    }

    if (b->last < b->end) {
        return NGX_OK;
    }

    p = b->start;

    if ((size_t) (b->message - b->start) < used) {

        /* memory follows what has really come, not what a header claims */

        wanted = ngx_max(vb_ws_wanted(&leg->reader, b), VB_WS_MAX_HEADER);
        size = used + ngx_min(wanted, ngx_max(used, 4096));

        p = ngx_alloc(size, leg->connection->log);
        if (p == NULL) {
            return NGX_ERROR;
        }

    } else {
        size = b->end - b->start;
    }

    ngx_memmove(p, b->message, used);

    b->pos = p + (b->pos - b->message);

    if (p != b->start) {
        ngx_http_voicebridge_leg_put(b->start, b->end);
    }

    b->start = b->message = p;
    b->last = p + used;
    b->end = p + size;

    return NGX_OK;
}
