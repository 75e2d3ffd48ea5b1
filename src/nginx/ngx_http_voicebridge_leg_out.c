
/* One WebSocket connection of a call: what goes out */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <openssl/rand.h>

#include <ngx_http_voicebridge_leg.h>


#define NGX_HTTP_VOICEBRIDGE_LEG_RECORD  16384     /* most in a TLS record */

#define ngx_http_voicebridge_leg_empty(out)                                   \
    ((out)->frame = (out)->pos = (out)->last = (out)->urgent = (out)->start)


static u_char *ngx_http_voicebridge_leg_make(ngx_http_voicebridge_leg_t *leg,
    ngx_uint_t opcode, u_char *payload, size_t len);
static ssize_t ngx_http_voicebridge_leg_send(ngx_http_voicebridge_leg_t *leg,
    size_t size);
static ngx_int_t ngx_http_voicebridge_leg_reserve(
    ngx_http_voicebridge_leg_t *leg, size_t size);
static u_char *ngx_http_voicebridge_leg_overtake(
    ngx_http_voicebridge_leg_t *leg);
static void ngx_http_voicebridge_leg_sent(ngx_http_voicebridge_leg_t *leg,
    size_t n);
static size_t ngx_http_voicebridge_leg_header(ngx_http_voicebridge_leg_t *leg,
    size_t len);
static size_t ngx_http_voicebridge_leg_frame(u_char *p);
static ngx_int_t ngx_http_voicebridge_leg_mask(u_char *mask);


/* random bytes for masks, fetched in bulk */
static u_char       ngx_http_voicebridge_leg_random[1024];
static ngx_uint_t   ngx_http_voicebridge_leg_random_left;


u_char *
ngx_http_voicebridge_leg_begin(ngx_http_voicebridge_leg_t *leg, size_t len)
{
    size_t  header;

    header = ngx_http_voicebridge_leg_header(leg, len);

    if (ngx_http_voicebridge_leg_reserve(leg, header + len) != NGX_OK) {
        return NULL;
    }

    return leg->out.last + header;
}


ngx_int_t
ngx_http_voicebridge_leg_end(ngx_http_voicebridge_leg_t *leg, u_char *payload,
    size_t len)
{
    u_char  mask[4];

    if (leg->client && ngx_http_voicebridge_leg_mask(mask) != NGX_OK) {
        return NGX_ERROR;
    }

    (void) vb_ws_frame(payload, len, VB_WS_TEXT, leg->client ? mask : NULL);

    leg->out.last = payload + len;

    return NGX_OK;
}


ngx_int_t
ngx_http_voicebridge_leg_urgent(ngx_http_voicebridge_leg_t *leg,
    ngx_uint_t opcode, u_char *data, size_t len)
{
    size_t   size;
    u_char  *p, *frame, buf[VB_WS_MAX_HEADER + 4096];

    if (leg->close_sent || leg->eof || leg->connection == NULL || len > 4096) {
        return NGX_OK;
    }

    if (ngx_http_voicebridge_leg_queued(leg)
        >= 2 * NGX_HTTP_VOICEBRIDGE_LEG_QUEUE)
    {
        /* who asks and does not read gets no answer (RFC 6455, 5.5.3) */

        return NGX_OK;
    }

    ngx_memcpy(buf + VB_WS_MAX_HEADER, data, len);

    frame = ngx_http_voicebridge_leg_make(leg, opcode, buf + VB_WS_MAX_HEADER,
                                          len);
    if (frame == NULL) {
        return NGX_ERROR;
    }

    size = buf + VB_WS_MAX_HEADER + len - frame;

    p = ngx_max(ngx_http_voicebridge_leg_overtake(leg), leg->out.urgent);

    ngx_memmove(p + size, p, leg->out.last - p);
    ngx_memcpy(p, frame, size);

    leg->out.urgent = p + size;
    leg->out.last += size;

    return NGX_OK;
}


ngx_int_t
ngx_http_voicebridge_leg_close(ngx_http_voicebridge_leg_t *leg,
    ngx_uint_t status, ngx_str_t *reason)
{
    size_t   len;
    u_char  *frame, buf[VB_WS_MAX_HEADER + VB_WS_MAX_CONTROL];

    if (leg->close_sent || leg->eof || leg->connection == NULL) {
        return NGX_OK;
    }

    leg->close_sent = 1;

    len = vb_ws_close_payload(buf + VB_WS_MAX_HEADER, status, reason);

    frame = ngx_http_voicebridge_leg_make(leg, VB_WS_CLOSE,
                                          buf + VB_WS_MAX_HEADER, len);
    if (frame == NULL) {
        return NGX_ERROR;
    }

    leg->out.last = ngx_cpymem(leg->out.last, frame,
                               buf + VB_WS_MAX_HEADER + len - frame);

    return NGX_OK;
}


void
ngx_http_voicebridge_leg_drop(ngx_http_voicebridge_leg_t *leg)
{
    size_t   size;
    u_char  *p, *last;

    if (leg->out.start == NULL) {
        return;
    }

    p = ngx_http_voicebridge_leg_overtake(leg);
    last = p;

    while (p < leg->out.last) {
        size = ngx_http_voicebridge_leg_frame(p);

        if (p[0] & 0x08) {
            ngx_memmove(last, p, size);
            last += size;
        }

        p += size;
    }

    leg->out.last = last;
    leg->out.urgent = last;
}


ngx_int_t
ngx_http_voicebridge_leg_flush(ngx_http_voicebridge_leg_t *leg)
{
    size_t             size;
    ssize_t            n;
    ngx_connection_t  *c;

    c = leg->connection;

    if (c == NULL || leg->eof || leg->broken) {
        ngx_http_voicebridge_leg_empty(&leg->out);
        return NGX_ERROR;
    }

    while (leg->out.pos < leg->out.last) {

        if (!c->write->ready) {
            return NGX_AGAIN;
        }

        size = leg->out.last - leg->out.pos;

#if (NGX_SSL)

        /* TLS pins what it was given until that is written: give it little */

        if (leg->ssl) {
            size = ngx_min(size, NGX_HTTP_VOICEBRIDGE_LEG_RECORD);
            size = ngx_max(size, leg->out.pinned);
        }

#endif

        n = ngx_http_voicebridge_leg_send(leg, size);

        if (n == NGX_AGAIN) {
#if (NGX_SSL)
            leg->out.pinned = leg->ssl ? size : 0;
#endif
            return NGX_AGAIN;
        }

        if (n == NGX_ERROR || n == 0) {
            leg->broken = 1;
            ngx_http_voicebridge_leg_empty(&leg->out);
            return NGX_ERROR;
        }

        ngx_http_voicebridge_leg_sent(leg, n);
    }

    return NGX_OK;
}


/* core's send(), of which TLS needs the first half as long as all goes well */

static ssize_t
ngx_http_voicebridge_leg_send(ngx_http_voicebridge_leg_t *leg, size_t size)
{
    ngx_connection_t  *c;

    c = leg->connection;

#if (NGX_SSL)

    if (leg->direct) {
        int  n;

        n = SSL_write(leg->ssl, leg->out.pos, size);

        if (n > 0) {
            c->sent += n;
            return n;
        }
    }

#endif

    return c->send(c, leg->out.pos, size);
}


/*
 * Makes a frame of a payload that has VB_WS_MAX_HEADER bytes before it, and
 * room for it in the queue; where it begins, or NULL.
 */

static u_char *
ngx_http_voicebridge_leg_make(ngx_http_voicebridge_leg_t *leg,
    ngx_uint_t opcode, u_char *payload, size_t len)
{
    u_char  *frame, mask[4];

    if (leg->client && ngx_http_voicebridge_leg_mask(mask) != NGX_OK) {
        return NULL;
    }

    frame = vb_ws_frame(payload, len, opcode, leg->client ? mask : NULL);

    if (ngx_http_voicebridge_leg_reserve(leg, payload + len - frame)
        != NGX_OK)
    {
        return NULL;
    }

    return frame;
}


/* makes room for size bytes behind out.last */

static ngx_int_t
ngx_http_voicebridge_leg_reserve(ngx_http_voicebridge_leg_t *leg, size_t size)
{
    u_char                      *p;
    size_t                       used, total;
    ngx_http_voicebridge_out_t  *out;

    out = &leg->out;

    if (out->pos == out->last) {
        leg->last_sent = ngx_current_msec;
    }

    if (out->start == NULL) {
        p = ngx_http_voicebridge_leg_get();
        if (p == NULL) {
            return NGX_ERROR;
        }

        out->start = out->frame = out->pos = out->last = out->urgent = p;
        out->end = p + NGX_HTTP_VOICEBRIDGE_LEG_BUFFER;
    }

    if ((size_t) (out->end - out->last) >= size) {
        return NGX_OK;
    }

    used = out->last - out->frame;
    total = out->end - out->start;
    p = out->start;

    if (used + size > total) {
        total = used + size + ngx_max(used, 4096);

        p = ngx_alloc(total, leg->connection->log);
        if (p == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_memmove(p, out->frame, used);

    out->pos = p + (out->pos - out->frame);
    out->urgent = p + ngx_max(out->urgent - out->frame, 0);
    out->last = p + used;
    out->frame = p;

    if (p != out->start) {
        ngx_http_voicebridge_leg_put(out->start, out->end);
        out->start = p;
        out->end = p + total;
    }

    return NGX_OK;
}


/* the first frame boundary that nothing has been sent beyond */

static u_char *
ngx_http_voicebridge_leg_overtake(ngx_http_voicebridge_leg_t *leg)
{
    u_char  *p;

    p = leg->out.frame;

    while (p < leg->out.pos + leg->out.pinned) {
        p += ngx_http_voicebridge_leg_frame(p);
    }

    return p;
}


static void
ngx_http_voicebridge_leg_sent(ngx_http_voicebridge_leg_t *leg, size_t n)
{
    size_t                       size;
    ngx_http_voicebridge_out_t  *out;

    out = &leg->out;

    leg->last_sent = ngx_current_msec;

    out->pos += n;
    out->pinned = 0;

    if (out->pos == out->last) {
        ngx_http_voicebridge_leg_empty(out);
        return;
    }

    for ( ;; ) {
        size = ngx_http_voicebridge_leg_frame(out->frame);

        if (out->frame + size > out->pos) {
            return;
        }

        out->frame += size;
    }
}


static size_t
ngx_http_voicebridge_leg_header(ngx_http_voicebridge_leg_t *leg, size_t len)
{
    return 2 + (len < 126 ? 0 : len < 65536 ? 2 : 8) + (leg->client ? 4 : 0);
}


/* the size of a frame of our own making */

static size_t
ngx_http_voicebridge_leg_frame(u_char *p)
{
    size_t      len, header;
    ngx_uint_t  i;

    len = p[1] & 0x7f;
    header = 2;

    if (len == 126) {
        len = (p[2] << 8) | p[3];
        header = 4;

    } else if (len == 127) {
        len = 0;
        header = 10;

        for (i = 2; i < 10; i++) {
            len = (len << 8) | p[i];
        }
    }

    return header + (p[1] & 0x80 ? 4 : 0) + len;
}


static ngx_int_t
ngx_http_voicebridge_leg_mask(u_char *mask)
{
    if (ngx_http_voicebridge_leg_random_left < 4) {

        if (RAND_bytes(ngx_http_voicebridge_leg_random,
                       sizeof(ngx_http_voicebridge_leg_random))
            != 1)
        {
            ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                          "RAND_bytes() failed");
            return NGX_ERROR;
        }

        ngx_http_voicebridge_leg_random_left =
                                      sizeof(ngx_http_voicebridge_leg_random);
    }

    ngx_http_voicebridge_leg_random_left -= 4;

    ngx_memcpy(mask, ngx_http_voicebridge_leg_random
                     + ngx_http_voicebridge_leg_random_left, 4);

    return NGX_OK;
}
