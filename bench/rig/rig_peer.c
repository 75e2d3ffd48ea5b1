
/* One end of a call on its socket: TCP or TLS, HTTP until it is WebSocket */


#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include <rig.h>


/* holds the largest message, 100 ms of pcm_48000 in base64, several times */
#define RIG_PEER_BUFFER  65536


static rig_peer_t *rig_peer_create(rig_t *rig, int fd, unsigned phone);
static void rig_peer_watch(rig_peer_t *peer, int op);
static void rig_peer_handshake(rig_peer_t *peer);
static void rig_peer_opened(rig_peer_t *peer);
static int rig_peer_read(rig_peer_t *peer);
static int rig_peer_keep(rig_peer_t *peer);
static int rig_peer_header(rig_peer_t *peer);
static void rig_peer_messages(rig_peer_t *peer);
static void rig_peer_flush(rig_peer_t *peer);


int
rig_peer_init(rig_t *rig)
{
    struct epoll_event  ee;

    rig->epoll = epoll_create1(0);
    rig->buffer = malloc(RIG_PEER_BUFFER);

    ee.events = EPOLLIN;
    ee.data.ptr = NULL;

    if (rig->epoll == -1 || rig->buffer == NULL
        || fcntl(rig->listen, F_SETFL, O_NONBLOCK) == -1
        || epoll_ctl(rig->epoll, EPOLL_CTL_ADD, rig->listen, &ee) == -1)
    {
        return VB_ERROR;
    }

    return rig->tls ? rig_socket_tls(rig) : VB_OK;
}


rig_peer_t *
rig_peer_connect(rig_t *rig, rig_call_t *call)
{
    int                  fd;
    rig_peer_t          *peer;
    struct sockaddr_in   sin;

    fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return NULL;
    }

    memset(&sin, 0, sizeof(struct sockaddr_in));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons(rig->port);

    if (connect(fd, (struct sockaddr *) &sin, sizeof(struct sockaddr_in)) == -1
        && errno != EINPROGRESS)
    {
        close(fd);
        return NULL;
    }

    peer = rig_peer_create(rig, fd, 1);
    if (peer == NULL) {
        return NULL;
    }

    peer->call = call;
    peer->blocked = 1;

    rig_peer_watch(peer, EPOLL_CTL_ADD);

    return peer;
}


void
rig_peer_accept(rig_t *rig)
{
    int          fd;
    rig_peer_t  *peer;

    for ( ;; ) {
        fd = accept4(rig->listen, NULL, NULL, SOCK_NONBLOCK|SOCK_CLOEXEC);
        if (fd == -1) {
            return;
        }

        peer = rig_peer_create(rig, fd, 0);
        if (peer == NULL) {
            return;
        }

        peer->state = rig->tls ? RIG_TLS : RIG_HANDSHAKE;

        rig_peer_watch(peer, EPOLL_CTL_ADD);
    }
}


static rig_peer_t *
rig_peer_create(rig_t *rig, int fd, unsigned phone)
{
    int          on;
    rig_peer_t  *peer;

    on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(int));

    peer = calloc(1, sizeof(rig_peer_t));

    if (peer == NULL) {
        close(fd);
        return NULL;
    }

    peer->rig = rig;
    peer->fd = fd;
    peer->phone = phone;

    vb_ws_reader_init(&peer->reader, !phone, RIG_PEER_BUFFER / 2);

    if (rig->tls) {
        peer->ssl = SSL_new(phone ? rig->client : rig->server);

        if (peer->ssl == NULL || SSL_set_fd(peer->ssl, fd) != 1) {
            close(fd);
            return NULL;
        }

        if (phone) {
            SSL_set_connect_state(peer->ssl);

        } else {
            SSL_set_accept_state(peer->ssl);
        }
    }

    return peer;
}


static void
rig_peer_watch(rig_peer_t *peer, int op)
{
    struct epoll_event  ee;

    ee.events = EPOLLIN | (peer->blocked ? EPOLLOUT : 0);
    ee.data.ptr = peer;

    (void) epoll_ctl(peer->rig->epoll, op, peer->fd, &ee);
}


void
rig_peer_event(rig_peer_t *peer, unsigned events)
{
    if (peer->state == RIG_CONNECTING) {
        peer->blocked = 0;
        rig_peer_watch(peer, EPOLL_CTL_MOD);

        if (events & (EPOLLERR|EPOLLHUP)) {
            rig_peer_close(peer, "no connection");
            return;
        }

        if (peer->ssl) {
            peer->state = RIG_TLS;

        } else {
            rig_peer_opened(peer);
        }
    }

    if (peer->state == RIG_TLS) {
        rig_peer_handshake(peer);
        return;
    }

    if (peer->blocked && (events & EPOLLOUT)) {
        rig_peer_flush(peer);
    }

    if (events & (EPOLLIN|EPOLLERR|EPOLLHUP)) {
        while (peer->state != RIG_CLOSED && rig_peer_read(peer)) {
            /* what TLS has read ahead */
        }
    }
}


static void
rig_peer_handshake(rig_peer_t *peer)
{
    int  n;

    ERR_clear_error();

    n = SSL_do_handshake(peer->ssl);

    if (n == 1) {
        rig_peer_opened(peer);
        return;
    }

    /* handshakes are smaller than a socket's buffer: only reading waits */

    if (SSL_get_error(peer->ssl, n) != SSL_ERROR_WANT_READ) {
        rig_peer_close(peer, "no TLS");
    }
}


static void
rig_peer_opened(rig_peer_t *peer)
{
    peer->state = RIG_HANDSHAKE;

    if (peer->phone) {
        rig_call_request(peer);
        return;
    }

    if (peer->ssl) {

        /* the request may have come with the end of the handshake */

        while (peer->state != RIG_CLOSED && SSL_has_pending(peer->ssl)
               && rig_peer_read(peer))
        {
            /* void */
        }
    }
}


/*
 * Reads once; true if there is more that no event will tell of.  What is read
 * goes to one buffer for all, which stays in the core's cache; a peer keeps
 * only the beginning of a message.
 */

static int
rig_peer_read(rig_peer_t *peer)
{
    size_t        used;
    ssize_t       n;
    vb_ws_buf_t  *b;

    b = &peer->in;
    used = b->last - b->message;

    if (used == 0) {
        b->start = peer->rig->buffer;
        b->message = b->pos = b->last = b->start;
        b->end = b->start + RIG_PEER_BUFFER;

    } else if (b->end - b->last < RIG_PEER_BUFFER / 2) {
        memmove(b->start, b->message, used);
        b->pos -= b->message - b->start;
        b->message = b->start;
        b->last = b->start + used;
    }

    n = rig_socket_recv(peer, b->last, b->end - b->last);

    if (n == VB_AGAIN) {
        return 0;
    }

    if (n <= 0) {
        rig_peer_close(peer, "the connection's end");
        return 0;
    }

    peer->rig->now = rig_clock();

    b->last += n;

    if (peer->state == RIG_HANDSHAKE) {
        (void) rig_peer_header(peer);
    }

    if (peer->state == RIG_OPEN) {
        rig_peer_messages(peer);
    }

    return rig_peer_keep(peer) == VB_OK && peer->state != RIG_CLOSED
           && peer->ssl && SSL_has_pending(peer->ssl);
}


static int
rig_peer_keep(rig_peer_t *peer)
{
    size_t        used;
    vb_ws_buf_t  *b;

    b = &peer->in;
    used = b->last - b->message;

    if (used == 0 || b->start != peer->rig->buffer) {
        return VB_OK;
    }

    if (peer->own == NULL && (peer->own = malloc(RIG_PEER_BUFFER)) == NULL) {
        rig_peer_close(peer, "no memory");
        return VB_ERROR;
    }

    memcpy(peer->own, b->message, used);

    b->pos = peer->own + (b->pos - b->message);
    b->start = b->message = peer->own;
    b->last = peer->own + used;
    b->end = peer->own + RIG_PEER_BUFFER;

    return VB_OK;
}


static int
rig_peer_header(rig_peer_t *peer)
{
    int           rc;
    u_char       *end;
    vb_ws_buf_t  *b;

    b = &peer->in;

    end = memmem(b->message, b->last - b->message, "\r\n\r\n", 4);
    if (end == NULL) {
        return VB_AGAIN;
    }

    end += 4;
    peer->state = RIG_OPEN;

    rc = rig_call_header(peer, b->message, end - b->message);

    if (rc != VB_OK) {
        rig_peer_close(peer, "a bad handshake");
        return rc;
    }

    b->message = b->pos = end;

    return VB_OK;
}


static void
rig_peer_messages(rig_peer_t *peer)
{
    int            rc;
    vb_ws_event_t  ev;

    while (peer->state == RIG_OPEN) {
        rc = vb_ws_read(&peer->reader, &peer->in, &ev);

        if (rc == VB_AGAIN) {
            return;
        }

        if (rc == VB_ERROR) {
            rig_peer_close(peer, peer->reader.error);
            return;
        }

        rig_call_message(peer, &ev);
    }
}


void
rig_peer_text(rig_peer_t *peer, u_char *payload, size_t len)
{
    u_char    mask[4], *frame;
    uint64_t  random;

    /* a phone is a client and masks; the far end is a server */

    random = peer->rig->random * 6364136223846793005ULL + 1;
    peer->rig->random = random;

    memcpy(mask, (u_char *) &random + 4, 4);

    frame = vb_ws_frame(payload, len, VB_WS_TEXT, peer->phone ? mask : NULL);

    rig_peer_write(peer, frame, payload + len - frame);
}


void
rig_peer_write(rig_peer_t *peer, const u_char *data, size_t len)
{
    u_char   *p;
    ssize_t   n;

    if (peer->state == RIG_CLOSED) {
        return;
    }

    if (!peer->blocked) {
        n = rig_socket_send(peer, data, len);

        if (n == (ssize_t) len) {
            return;
        }

        if (n <= 0 && n != VB_AGAIN) {
            rig_peer_close(peer, "sending failed");
            return;
        }

        if (n > 0) {
            data += n;
            len -= n;
        }

        peer->blocked = 1;
        rig_peer_watch(peer, EPOLL_CTL_MOD);
    }

    if (peer->out_size - peer->out_last < len) {
        p = realloc(peer->out, peer->out_last + len);
        if (p == NULL) {
            rig_peer_close(peer, "no memory");
            return;
        }

        peer->out = p;
        peer->out_size = peer->out_last + len;
    }

    memcpy(peer->out + peer->out_last, data, len);
    peer->out_last += len;
}


static void
rig_peer_flush(rig_peer_t *peer)
{
    ssize_t  n;

    while (peer->out_pos < peer->out_last) {
        n = rig_socket_send(peer, peer->out + peer->out_pos,
                          peer->out_last - peer->out_pos);

        if (n == VB_AGAIN) {
            return;
        }

        if (n <= 0) {
            rig_peer_close(peer, "sending failed");
            return;
        }

        peer->out_pos += n;
    }

    peer->out_pos = peer->out_last = 0;
    peer->blocked = 0;

    rig_peer_watch(peer, EPOLL_CTL_MOD);
}


/* the memory stays: events that were already fetched may point at it */

void
rig_peer_close(rig_peer_t *peer, const char *why)
{
    if (peer->state == RIG_CLOSED) {
        return;
    }

    if (why) {
        rig_failed(peer->rig, "%s: %s", peer->phone ? "phone" : "far end",
                   why);
    }

    peer->state = RIG_CLOSED;

    if (peer->ssl) {
        SSL_set_quiet_shutdown(peer->ssl, 1);
        SSL_free(peer->ssl);
        peer->ssl = NULL;
    }

    close(peer->fd);
}
