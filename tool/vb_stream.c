
/*
 * The client's side of RFC 6455: the handshake of section 4.1, and frames as
 * vb_websocket reads and writes them.
 */


#include <vb_stream.h>
#include <vb_base64.h>

#include <curl/curl.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdlib.h>
#include <strings.h>


#define VB_STREAM_BUFFER       65536
#define VB_STREAM_MAX_HEAD     16384
#define VB_STREAM_MAX_MESSAGE  4194304


struct vb_stream_s {
    CURL            *easy;
    curl_socket_t    fd;
    vb_ws_reader_t   reader;
    vb_ws_buf_t      in;
    vb_text_t        out;
    char             key[VB_WS_KEY_LENGTH + 1];
};


static int vb_stream_connect(vb_stream_t *s, const vb_stream_conf_t *conf,
    char *why, size_t size);
static int vb_stream_handshake(vb_stream_t *s, const vb_stream_conf_t *conf,
    char *why, size_t size, long *status);
static int vb_stream_request(vb_stream_t *s, const vb_stream_conf_t *conf);
static int vb_stream_answer(vb_stream_t *s, char *head, char *why,
    size_t size, long *status);
static const char *vb_stream_header(const char *head, const char *name,
    size_t *len);
static int vb_stream_fill(vb_stream_t *s);
static int vb_stream_write(vb_stream_t *s, const u_char *data, size_t len);


vb_stream_t *
vb_stream_open(const vb_stream_conf_t *conf, char *why, size_t size,
    long *status)
{
    vb_stream_t  *s;

    s = vb_alloc(sizeof(vb_stream_t));
    *status = 0;

    s->in.start = vb_alloc(VB_STREAM_BUFFER);
    s->in.message = s->in.start;
    s->in.pos = s->in.start;
    s->in.last = s->in.start;
    s->in.end = s->in.start + VB_STREAM_BUFFER;

    vb_ws_reader_init(&s->reader, 0, VB_STREAM_MAX_MESSAGE);

    if (vb_stream_connect(s, conf, why, size) != VB_OK
        || vb_stream_handshake(s, conf, why, size, status) != VB_OK)
    {
        vb_stream_close(s);
        return NULL;
    }

    return s;
}


void
vb_stream_close(vb_stream_t *s)
{
    if (s->easy) {
        curl_easy_cleanup(s->easy);
    }

    free(s->in.start);
    vb_text_free(&s->out);
    free(s);
}


static int
vb_stream_connect(vb_stream_t *s, const vb_stream_conf_t *conf, char *why,
    size_t size)
{
    CURL       *easy;
    CURLcode    code;
    char        error[CURL_ERROR_SIZE];
    vb_text_t   url;

    curl_global_init(CURL_GLOBAL_DEFAULT);

    easy = curl_easy_init();
    s->easy = easy;

    if (easy == NULL) {
        vb_die(VB_EXIT_SERVER, "no memory");
    }

    /* ws:// is http:// to those who only connect, and wss:// https:// */

    memset(&url, 0, sizeof(vb_text_t));
    vb_text_printf(&url, "http%s", conf->url + 2);

    error[0] = '\0';

    curl_easy_setopt(easy, CURLOPT_URL, url.data);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);

    /* where there is a proxy the frames go through it, not to it */
    curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);

    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) conf->timeout);

    if (conf->cacert) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, conf->cacert);
    }

    if (conf->insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }

    code = curl_easy_perform(easy);
    vb_text_free(&url);

    if (code != CURLE_OK
        || curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &s->fd) != CURLE_OK)
    {
        snprintf(why, size, "%s", error[0] ? error
                                           : curl_easy_strerror(code));
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
        return VB_ERROR;
    }

    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);

    return VB_OK;
}


static int
vb_stream_handshake(vb_stream_t *s, const vb_stream_conf_t *conf, char *why,
    size_t size, long *status)
{
    int       rc;
    char     *end;
    int64_t   deadline;

    if (vb_stream_request(s, conf) != VB_OK) {
        snprintf(why, size, "the connection was lost");
        return VB_ERROR;
    }

    deadline = vb_now() + conf->timeout;

    for ( ;; ) {
        rc = vb_stream_fill(s);

        *s->in.last = '\0';
        end = strstr((char *) s->in.start, "\r\n\r\n");

        if (end) {
            break;
        }

        if (rc == VB_ERROR || rc == VB_DECLINED
            || s->in.last - s->in.start > VB_STREAM_MAX_HEAD)
        {
            snprintf(why, size, "the connection ended instead of an answer");
            return VB_ERROR;
        }

        if (vb_now() > deadline) {
            snprintf(why, size, "no answer to the handshake");
            return VB_ERROR;
        }

        vb_stream_wait(s, 200, -1);
    }

    end[2] = '\0';

    rc = vb_stream_answer(s, (char *) s->in.start, why, size, status);

    /* frames may have come with it */

    s->in.pos = (u_char *) end + 4;
    s->in.message = s->in.pos;

    return rc;
}


static int
vb_stream_request(vb_stream_t *s, const vb_stream_conf_t *conf)
{
    int          rc;
    size_t       host;
    u_char       nonce[16];
    vb_text_t    text;
    const char  *p;

    RAND_bytes(nonce, sizeof(nonce));
    vb_base64_encode((u_char *) s->key, nonce, sizeof(nonce));

    p = strstr(conf->url, "://") + 3;
    host = strcspn(p, "/?");

    memset(&text, 0, sizeof(vb_text_t));

    vb_text_printf(&text, "GET %s%s HTTP/1.1\r\n"
                   "Host: %.*s\r\n"
                   "User-Agent: voicebridge/" VB_TOOL_VERSION "\r\n"
                   "Connection: Upgrade\r\n"
                   "Upgrade: websocket\r\n"
                   "Sec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: %s\r\n",
                   p[host] == '/' ? "" : "/", p + host, (int) host, p,
                   s->key);

    if (conf->signature) {
        vb_text_printf(&text, "X-Twilio-Signature: %s\r\n", conf->signature);
    }

    vb_text_puts(&text, "\r\n");

    rc = vb_stream_write(s, text.data, text.len);

    vb_text_free(&text);

    return rc;
}


static int
vb_stream_answer(vb_stream_t *s, char *head, char *why, size_t size,
    long *status)
{
    u_char       accept[VB_WS_ACCEPT_LENGTH];
    size_t       len;
    vb_str_t     key;
    const char  *p;

    if (sscanf(head, "HTTP/1.1 %3ld", status) != 1) {
        snprintf(why, size, "the answer is not HTTP/1.1");
        return VB_ERROR;
    }

    if (*status != 101) {
        snprintf(why, size, "the handshake was answered %ld", *status);
        return VB_ERROR;
    }

    key.data = (u_char *) s->key;
    key.len = VB_WS_KEY_LENGTH;
    vb_ws_accept(accept, &key);

    p = vb_stream_header(head, "Sec-WebSocket-Accept", &len);

    if (p == NULL || len != sizeof(accept) || memcmp(p, accept, len) != 0) {
        snprintf(why, size, "Sec-WebSocket-Accept is wrong");
        return VB_ERROR;
    }

    if (vb_stream_header(head, "Sec-WebSocket-Extensions", &len)
        || vb_stream_header(head, "Sec-WebSocket-Protocol", &len))
    {
        snprintf(why, size, "an extension or a protocol nobody asked for");
        return VB_ERROR;
    }

    return VB_OK;
}


static const char *
vb_stream_header(const char *head, const char *name, size_t *len)
{
    size_t       n;
    const char  *p;

    n = strlen(name);

    for (p = strstr(head, "\r\n"); p; p = strstr(p, "\r\n")) {
        p += 2;

        if (strncasecmp(p, name, n) == 0 && p[n] == ':') {
            p += n + 1;
            p += strspn(p, " \t");
            *len = strcspn(p, " \t\r");
            return p;
        }
    }

    return NULL;
}


int
vb_stream_read(vb_stream_t *s, vb_ws_event_t *ev)
{
    int  rc;

    for ( ;; ) {
        rc = vb_ws_read(&s->reader, &s->in, ev);

        if (rc != VB_AGAIN) {
            return rc;
        }

        rc = vb_stream_fill(s);

        if (rc != VB_OK) {
            return rc;
        }
    }
}


const char *
vb_stream_error(const vb_stream_t *s)
{
    return s->reader.error ? s->reader.error : "the connection was lost";
}


/* reads what is there behind what is kept */

static int
vb_stream_fill(vb_stream_t *s)
{
    size_t        n, size, message;
    CURLcode      code;
    vb_ws_buf_t  *b;

    b = &s->in;

    /* what is before the message is done with */

    message = b->message - b->start;

    if (message) {
        memmove(b->start, b->message, b->last - b->message);
        b->message -= message;
        b->pos -= message;
        b->last -= message;
    }

    n = vb_ws_wanted(&s->reader, b);

    if ((size_t) (b->end - b->last) < n + 1024) {
        size = (b->last - b->start) + n + VB_STREAM_BUFFER;

        message = b->pos - b->start;
        n = b->last - b->start;

        b->start = vb_realloc(b->start, size);
        b->message = b->start;
        b->pos = b->start + message;
        b->last = b->start + n;
        b->end = b->start + size;
    }

    /* one byte is left for a NUL */

    code = curl_easy_recv(s->easy, b->last, b->end - b->last - 1, &n);

    if (code == CURLE_AGAIN) {
        return VB_AGAIN;
    }

    if (code != CURLE_OK || n == 0) {
        return VB_DECLINED;
    }

    b->last += n;

    return VB_OK;
}


void
vb_stream_wait(vb_stream_t *s, int64_t ms, int fd)
{
    struct pollfd  fds[2];

    fds[0].fd = s->fd;
    fds[0].events = POLLIN;
    fds[1].fd = fd;
    fds[1].events = POLLIN;

    poll(fds, fd == -1 ? 1 : 2, (int) vb_min(ms, 60000));
}


int
vb_stream_send(vb_stream_t *s, unsigned opcode, const void *data, size_t len)
{
    u_char  mask[4], *p;

    RAND_bytes(mask, sizeof(mask));

    /* room for its header is before it */

    vb_text_reset(&s->out);
    vb_text_add(&s->out, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", VB_WS_MAX_HEADER);
    vb_text_add(&s->out, data, len);

    p = vb_ws_frame(s->out.data + VB_WS_MAX_HEADER, len, opcode, mask);

    return vb_stream_write(s, p, s->out.data + s->out.len - p);
}


static int
vb_stream_write(vb_stream_t *s, const u_char *data, size_t len)
{
    size_t         n;
    CURLcode       code;
    struct pollfd  fd;

    while (len) {
        n = 0;
        code = curl_easy_send(s->easy, data, len, &n);

        if (code == CURLE_AGAIN) {
            fd.fd = s->fd;
            fd.events = POLLOUT;

            /* a server that takes nothing for so long takes nothing more */

            if (poll(&fd, 1, 5000) <= 0) {
                return VB_ERROR;
            }

            continue;
        }

        if (code != CURLE_OK) {
            return VB_ERROR;
        }

        data += n;
        len -= n;
    }

    return VB_OK;
}
