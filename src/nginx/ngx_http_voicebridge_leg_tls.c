
/*
 * One WebSocket connection of a call: TLS.
 *
 * OpenSSL is asked without core, where it can be: core's recv() goes on until
 * the socket says that there is no more, a system call for each message that
 * brings nothing.  And it is given a way to the socket that is ours.  OpenSSL's
 * own uses read() and write(), for which the kernel looks at what a file has
 * and a socket has no use for, memory that is not in the CPU's cache when there
 * are many calls; nor does it tell whether the socket has been emptied.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include <ngx_http_voicebridge_leg.h>


#if (NGX_SSL)

/* before OpenSSL 3.0 nobody asks for it */
#ifndef BIO_FLAGS_IN_EOF
#define BIO_FLAGS_IN_EOF  0
#endif


static ngx_uint_t ngx_http_voicebridge_leg_direct(ngx_connection_t *c);
static ngx_int_t ngx_http_voicebridge_leg_set_bio(ngx_connection_t *c);
static BIO_METHOD *ngx_http_voicebridge_leg_bio_method(void);
static int ngx_http_voicebridge_leg_bio_read(BIO *bio, char *buf, int size);
static int ngx_http_voicebridge_leg_bio_write(BIO *bio, const char *buf,
    int size);
static long ngx_http_voicebridge_leg_bio_ctrl(BIO *bio, int cmd, long num,
    void *data);


/* the worker's, from its first leg on TLS to its end */
static BIO_METHOD  *ngx_http_voicebridge_leg_method;


void
ngx_http_voicebridge_leg_tls_init(ngx_http_voicebridge_leg_t *leg)
{
    ngx_connection_t  *c;

    c = leg->connection;

    leg->ssl = c->ssl->connection;

    /* a pending output may be moved to other memory, its bytes unchanged */

    SSL_set_mode(leg->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    leg->direct = ngx_http_voicebridge_leg_direct(c)
                  && ngx_http_voicebridge_leg_set_bio(c) == NGX_OK;
}


void
ngx_http_voicebridge_leg_tls_exit_process(ngx_cycle_t *cycle)
{
    BIO_meth_free(ngx_http_voicebridge_leg_method);
    ngx_http_voicebridge_leg_method = NULL;
}


/*
 * Reads once: a good read does not ask for OpenSSL's errors, of which there
 * hardly ever are any, and so they are not cleared first.
 */

ssize_t
ngx_http_voicebridge_leg_tls_recv(ngx_http_voicebridge_leg_t *leg,
    u_char *buf, size_t size)
{
    int                n;
    SSL               *ssl;
    ngx_connection_t  *c;

    c = leg->connection;
    ssl = leg->ssl;

    n = SSL_read(ssl, buf, size);

    if (n > 0) {

        /* the socket was emptied, but perhaps not what was read ahead */

        if (!c->read->ready) {
            c->read->ready = SSL_has_pending(ssl);
        }

        return n;
    }

    if (SSL_want_read(ssl) && BIO_should_read(SSL_get_rbio(ssl))) {
        return NGX_AGAIN;
    }

    leg->direct = 0;

    if (SSL_get_error(ssl, n) == SSL_ERROR_SSL) {
        ngx_ssl_error(NGX_LOG_INFO, c->log, 0, "SSL_read() failed");

        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;
        c->read->error = 1;

        return NGX_ERROR;
    }

    /* the peer's end, or a rare case: core asks again, from now on */

    ERR_clear_error();

    return c->recv(c, buf, size);
}


/*
 * Whether OpenSSL can be asked without core: a single read does, where an event
 * tells of what comes later.
 */

static ngx_uint_t
ngx_http_voicebridge_leg_direct(ngx_connection_t *c)
{
    SSL  *ssl;

    ssl = c->ssl->connection;

#if (NGX_HAVE_EPOLLRDHUP)

    if ((ngx_event_flags & NGX_USE_EPOLL_EVENT) && !ngx_use_epoll_rdhup) {
        return 0;
    }

#else

    if (ngx_event_flags & NGX_USE_GREEDY_EVENT) {
        return 0;
    }

#endif

#ifdef BIO_get_ktls_recv

    /* the kernel's TLS goes with OpenSSL's way to the socket */

    if (BIO_get_ktls_recv(SSL_get_rbio(ssl))
        || BIO_get_ktls_send(SSL_get_wbio(ssl)))
    {
        return 0;
    }

#endif

    return c->recv == ngx_ssl_recv && c->send == ngx_ssl_write
           && (c->ssl->last == NGX_OK || c->ssl->last == NGX_AGAIN)
           && c->ssl->saved_read_handler == NULL
           && c->ssl->saved_write_handler == NULL
           && !c->ssl->in_early
           && SSL_get_read_ahead(ssl);
}


/* the way stays, for what core does on the connection afterwards */

static ngx_int_t
ngx_http_voicebridge_leg_set_bio(ngx_connection_t *c)
{
    BIO  *bio;

    if (ngx_http_voicebridge_leg_method == NULL) {
        ngx_http_voicebridge_leg_method = ngx_http_voicebridge_leg_bio_method();

        if (ngx_http_voicebridge_leg_method == NULL) {
            return NGX_ERROR;
        }
    }

    bio = BIO_new(ngx_http_voicebridge_leg_method);
    if (bio == NULL) {
        return NGX_ERROR;
    }

    BIO_set_data(bio, c);
    BIO_set_init(bio, 1);

    SSL_set_bio(c->ssl->connection, bio, bio);

    return NGX_OK;
}


static BIO_METHOD *
ngx_http_voicebridge_leg_bio_method(void)
{
    int          index;
    BIO_METHOD  *method;

    index = BIO_get_new_index();
    if (index == -1) {
        return NULL;
    }

    method = BIO_meth_new(index | BIO_TYPE_SOURCE_SINK, "voicebridge");
    if (method == NULL) {
        return NULL;
    }

    if (!BIO_meth_set_read(method, ngx_http_voicebridge_leg_bio_read)
        || !BIO_meth_set_write(method, ngx_http_voicebridge_leg_bio_write)
        || !BIO_meth_set_ctrl(method, ngx_http_voicebridge_leg_bio_ctrl))
    {
        BIO_meth_free(method);
        return NULL;
    }

    return method;
}


/* where less comes than was asked for, an event tells of what comes later */

static int
ngx_http_voicebridge_leg_bio_read(BIO *bio, char *buf, int size)
{
    int                n;
    ngx_err_t          err;
    ngx_connection_t  *c;

    c = BIO_get_data(bio);

    n = recv(c->fd, buf, size, 0);

    BIO_clear_retry_flags(bio);

    if (n > 0) {
        c->read->ready = (n == size);
        return n;
    }

    if (n == 0) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
        return 0;
    }

    err = ngx_socket_errno;

    if (err == NGX_EAGAIN || err == NGX_EINTR) {
        c->read->ready = 0;
        BIO_set_retry_read(bio);
    }

    return -1;
}


static int
ngx_http_voicebridge_leg_bio_write(BIO *bio, const char *buf, int size)
{
    int                n;
    ngx_err_t          err;
    ngx_connection_t  *c;

    c = BIO_get_data(bio);

    n = send(c->fd, buf, size, 0);

    BIO_clear_retry_flags(bio);

    if (n == -1) {
        err = ngx_socket_errno;

        if (err == NGX_EAGAIN || err == NGX_EINTR) {
            BIO_set_retry_write(bio);
        }
    }

    return n;
}


static long
ngx_http_voicebridge_leg_bio_ctrl(BIO *bio, int cmd, long num, void *data)
{
    switch (cmd) {

    case BIO_CTRL_FLUSH:
        return 1;

    case BIO_CTRL_EOF:
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;

    default:
        return 0;
    }
}

#endif
