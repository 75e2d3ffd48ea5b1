
/* Bytes from and to a socket, as they are or in TLS */


#include <errno.h>

#include <sys/socket.h>

#include <openssl/err.h>

#include <rig.h>


static SSL_CTX *rig_socket_context(rig_t *rig, const SSL_METHOD *method);
static ssize_t rig_socket_again(SSL *ssl, int n);


int
rig_socket_tls(rig_t *rig)
{
    rig->client = rig_socket_context(rig, TLS_client_method());
    rig->server = rig_socket_context(rig, TLS_server_method());

    if (rig->client == NULL || rig->server == NULL
        || SSL_CTX_use_certificate_chain_file(rig->server, rig->certificate)
           != 1
        || SSL_CTX_use_PrivateKey_file(rig->server, rig->key,
                                       SSL_FILETYPE_PEM)
           != 1)
    {
        return VB_ERROR;
    }

    return VB_OK;
}


/* one version and one cipher, so that relay and module pay the same for it */

static SSL_CTX *
rig_socket_context(rig_t *rig, const SSL_METHOD *method)
{
    SSL_CTX  *ctx;

    ctx = SSL_CTX_new(method);

    if (ctx == NULL
        || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1
        || SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1)
    {
        return NULL;
    }

    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                          |SSL_MODE_RELEASE_BUFFERS);

    return ctx;
}


ssize_t
rig_socket_recv(rig_peer_t *peer, u_char *p, size_t size)
{
    ssize_t  n;

    if (peer->ssl == NULL) {
        n = recv(peer->fd, p, size, 0);

        return n == -1 && errno == EAGAIN ? VB_AGAIN : n;
    }

    n = SSL_read(peer->ssl, p, size);

    return n > 0 ? n : rig_socket_again(peer->ssl, n);
}


ssize_t
rig_socket_send(rig_peer_t *peer, const u_char *p, size_t size)
{
    ssize_t  n;

    if (peer->ssl == NULL) {
        n = send(peer->fd, p, size, MSG_NOSIGNAL);

        return n == -1 && errno == EAGAIN ? VB_AGAIN : n;
    }

    n = SSL_write(peer->ssl, p, size);

    return n > 0 ? n : rig_socket_again(peer->ssl, n);
}


/* OpenSSL's errors are cleared only here: it takes a while, and none is left
 * behind */

static ssize_t
rig_socket_again(SSL *ssl, int n)
{
    int  error;

    error = SSL_get_error(ssl, n);

    ERR_clear_error();

    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE
           ? VB_AGAIN : 0;
}
