
/*
 * libcurl owns its sockets and says which events it waits for; nginx watches
 * them, level-triggered since libcurl does not read until EAGAIN, and drives
 * libcurl from the event and timer handlers only.  Starting a transfer merely
 * arms the timer, so none ends inside the handler that started it.
 */


#include <ngx_http_voicebridge_curl.h>

#include <openssl/err.h>


/* idle connections kept by a worker */
#define NGX_HTTP_VOICEBRIDGE_CURL_IDLE  16L


/* a socket of libcurl's that nginx knows */
typedef struct {
    ngx_queue_t                    queue;
    curl_socket_t                  fd;
    ngx_connection_t              *connection;
} ngx_http_voicebridge_watch_t;


typedef struct {
    CURLM                         *multi;
    ngx_uint_t                     running;
    ngx_http_voicebridge_curl_pt   done;

    ngx_queue_t                    watches;
    ngx_event_t                    timer;
    ngx_connection_t               dummy;      /* what timer.data looks like */
} ngx_http_voicebridge_curl_t;


static void ngx_http_voicebridge_curl_count(ngx_http_voicebridge_curl_t *w,
    ngx_int_t n);
static int ngx_http_voicebridge_curl_socket(CURL *easy, curl_socket_t fd,
    int what, void *data, void *known);
static int ngx_http_voicebridge_curl_timer(CURLM *multi, long msec,
    void *data);
static ngx_http_voicebridge_watch_t *ngx_http_voicebridge_watch(
    ngx_http_voicebridge_curl_t *w, curl_socket_t fd);
static ngx_http_voicebridge_watch_t *ngx_http_voicebridge_watch_find(
    ngx_http_voicebridge_curl_t *w, curl_socket_t fd);
static void ngx_http_voicebridge_watch_event(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t wanted);
static void ngx_http_voicebridge_unwatch(ngx_http_voicebridge_watch_t *watch,
    ngx_uint_t open);
static void ngx_http_voicebridge_curl_event_handler(ngx_event_t *ev);
static void ngx_http_voicebridge_curl_timer_handler(ngx_event_t *ev);
static void ngx_http_voicebridge_curl_act(ngx_http_voicebridge_curl_t *w,
    curl_socket_t fd, int events);
static void ngx_http_voicebridge_curl_drain(ngx_http_voicebridge_curl_t *w);


/* a worker's own; never there in the master, so never inherited */
static ngx_http_voicebridge_curl_t  *ngx_http_voicebridge_curl;


ngx_int_t
ngx_http_voicebridge_curl_init(ngx_uint_t connections,
    ngx_http_voicebridge_curl_pt done)
{
    long                          limit;
    ngx_http_voicebridge_curl_t  *w;

    w = ngx_calloc(sizeof(ngx_http_voicebridge_curl_t), ngx_cycle->log);
    if (w == NULL) {
        return NGX_ERROR;
    }

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        ngx_log_error(NGX_LOG_EMERG, ngx_cycle->log, 0,
                      "curl_global_init() failed");
        ngx_free(w);
        return NGX_ERROR;
    }

    w->multi = curl_multi_init();
    if (w->multi == NULL) {
        ngx_log_error(NGX_LOG_EMERG, ngx_cycle->log, 0,
                      "curl_multi_init() failed");
        ngx_free(w);
        return NGX_ERROR;
    }

    w->done = done;

    ngx_queue_init(&w->watches);

    w->dummy.fd = (ngx_socket_t) -1;

    w->timer.handler = ngx_http_voicebridge_curl_timer_handler;
    w->timer.data = &w->dummy;
    w->timer.log = ngx_cycle->log;
    w->timer.cancelable = 1;

    limit = (long) connections;

    curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION,
                      ngx_http_voicebridge_curl_socket);
    curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w);
    curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION,
                      ngx_http_voicebridge_curl_timer);
    curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w);
    curl_multi_setopt(w->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, limit);
    curl_multi_setopt(w->multi, CURLMOPT_MAX_HOST_CONNECTIONS, limit);
    curl_multi_setopt(w->multi, CURLMOPT_MAXCONNECTS,
                      NGX_HTTP_VOICEBRIDGE_CURL_IDLE);

    ERR_clear_error();

    ngx_http_voicebridge_curl = w;

    return NGX_OK;
}


void
ngx_http_voicebridge_curl_exit(void)
{
    ngx_queue_t                   *q;
    ngx_http_voicebridge_watch_t  *watch;
    ngx_http_voicebridge_curl_t   *w;

    w = ngx_http_voicebridge_curl;

    if (w == NULL) {
        return;
    }

    /* closes what is idle, and may call back to the socket function */

    curl_multi_cleanup(w->multi);

    ngx_http_voicebridge_curl = NULL;

    while (!ngx_queue_empty(&w->watches)) {
        q = ngx_queue_head(&w->watches);
        watch = ngx_queue_data(q, ngx_http_voicebridge_watch_t, queue);
        ngx_http_voicebridge_unwatch(watch, 0);
    }

    if (w->timer.timer_set) {
        ngx_del_timer(&w->timer);
    }

    curl_global_cleanup();
    ERR_clear_error();

    ngx_free(w);
}


ngx_uint_t
ngx_http_voicebridge_curl_running(void)
{
    return ngx_http_voicebridge_curl ? ngx_http_voicebridge_curl->running : 0;
}


ngx_int_t
ngx_http_voicebridge_curl_add(CURL *easy, ngx_log_t *log)
{
    CURLMcode                     rc;
    ngx_http_voicebridge_curl_t  *w;

    w = ngx_http_voicebridge_curl;

    ngx_http_voicebridge_curl_count(w, 1);

    /* makes libcurl ask for the timer, nothing more */

    rc = curl_multi_add_handle(w->multi, easy);
    ERR_clear_error();

    if (rc != CURLM_OK) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "curl_multi_add_handle() failed: %s",
                      curl_multi_strerror(rc));
        ngx_http_voicebridge_curl_count(w, -1);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_voicebridge_curl_remove(CURL *easy)
{
    ngx_http_voicebridge_curl_t  *w;

    w = ngx_http_voicebridge_curl;

    curl_multi_remove_handle(w->multi, easy);
    ERR_clear_error();

    ngx_http_voicebridge_curl_count(w, -1);
}


/*
 * A worker that is to exit waits for timers that are not cancelable: for
 * transfers under way, and not for a timer of idle connections.
 */

static void
ngx_http_voicebridge_curl_count(ngx_http_voicebridge_curl_t *w, ngx_int_t n)
{
    w->running += n;
    w->timer.cancelable = (w->running == 0);
}


/*
 * What libcurl waits for on a socket.  It finds no harm in a return value of
 * 0 only: -1 would make the multi handle, with all its requests, unusable
 * for ever.
 */

static int
ngx_http_voicebridge_curl_socket(CURL *easy, curl_socket_t fd, int what,
    void *data, void *known)
{
    ngx_http_voicebridge_curl_t *w = data;

    ngx_http_voicebridge_watch_t  *watch;

    watch = ngx_http_voicebridge_watch_find(w, fd);

    if (what == CURL_POLL_REMOVE) {

        /* some versions close first and say so afterwards */

        if (watch) {
            ngx_http_voicebridge_unwatch(watch, fcntl(fd, F_GETFD) != -1);
        }

        return 0;
    }

    if (watch && known == NULL) {

        /* a new socket under the number of one whose end was not told */

        ngx_http_voicebridge_unwatch(watch, 0);
        watch = NULL;
    }

    if (watch == NULL) {
        watch = ngx_http_voicebridge_watch(w, fd);

        if (watch == NULL) {

            /* the request will time out, the others go on */

            return 0;
        }

        curl_multi_assign(w->multi, fd, watch);
    }

    ngx_http_voicebridge_watch_event(watch->connection->read, NGX_READ_EVENT,
                                     what & CURL_POLL_IN);
    ngx_http_voicebridge_watch_event(watch->connection->write, NGX_WRITE_EVENT,
                                     what & CURL_POLL_OUT);

    return 0;
}


/* the last chance to forget a socket before its number is given away */

int
ngx_http_voicebridge_curl_close(void *data, curl_socket_t fd)
{
    ngx_http_voicebridge_watch_t  *watch;

    watch = ngx_http_voicebridge_watch_find(ngx_http_voicebridge_curl, fd);

    if (watch) {
        ngx_http_voicebridge_unwatch(watch, 1);
    }

    return ngx_close_socket(fd);
}


/* only notes the wish: libcurl must not be called from its own callback */

static int
ngx_http_voicebridge_curl_timer(CURLM *multi, long msec, void *data)
{
    ngx_http_voicebridge_curl_t *w = data;

    if (w->timer.timer_set) {
        ngx_del_timer(&w->timer);
    }

    if (msec >= 0) {
        w->timer.log = ngx_cycle->log;
        ngx_add_timer(&w->timer, (ngx_msec_t) msec);
    }

    return 0;
}


static ngx_http_voicebridge_watch_t *
ngx_http_voicebridge_watch(ngx_http_voicebridge_curl_t *w, curl_socket_t fd)
{
    ngx_connection_t              *c;
    ngx_http_voicebridge_watch_t  *watch;

    watch = ngx_alloc(sizeof(ngx_http_voicebridge_watch_t), ngx_cycle->log);
    if (watch == NULL) {
        return NULL;
    }

    /* logs that there are not enough of them */

    c = ngx_get_connection(fd, ngx_cycle->log);
    if (c == NULL) {
        ngx_free(watch);
        return NULL;
    }

    c->data = w;
    c->read->log = ngx_cycle->log;
    c->write->log = ngx_cycle->log;
    c->read->handler = ngx_http_voicebridge_curl_event_handler;
    c->write->handler = ngx_http_voicebridge_curl_event_handler;

    watch->fd = fd;
    watch->connection = c;

    ngx_queue_insert_head(&w->watches, &watch->queue);

    return watch;
}


/* few at a time, and the newest are asked for most */

static ngx_http_voicebridge_watch_t *
ngx_http_voicebridge_watch_find(ngx_http_voicebridge_curl_t *w,
    curl_socket_t fd)
{
    ngx_queue_t                   *q;
    ngx_http_voicebridge_watch_t  *watch;

    for (q = ngx_queue_head(&w->watches);
         q != ngx_queue_sentinel(&w->watches);
         q = ngx_queue_next(q))
    {
        watch = ngx_queue_data(q, ngx_http_voicebridge_watch_t, queue);

        if (watch->fd == fd) {
            return watch;
        }
    }

    return NULL;
}


static void
ngx_http_voicebridge_watch_event(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t wanted)
{
    if (wanted && !ev->active) {
        (void) ngx_add_event(ev, event, NGX_LEVEL_EVENT);

    } else if (!wanted && ev->active) {
        (void) ngx_del_event(ev, event, 0);
    }
}


/* gives the connection back, not the socket, which is libcurl's */

static void
ngx_http_voicebridge_unwatch(ngx_http_voicebridge_watch_t *watch,
    ngx_uint_t open)
{
    ngx_uint_t         flags;
    ngx_connection_t  *c;

    c = watch->connection;

    /* the system has forgotten the events of a closed socket already */

    flags = open ? 0 : NGX_CLOSE_EVENT;

    if (c->read->active) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, flags);
    }

    if (c->write->active) {
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, flags);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    ngx_queue_remove(&watch->queue);
    ngx_free(watch);
}


/*
 * Also called for every open connection when worker_shutdown_timeout is
 * over: then libcurl merely finds nothing to read.
 */

static void
ngx_http_voicebridge_curl_event_handler(ngx_event_t *ev)
{
    ngx_connection_t             *c;
    ngx_http_voicebridge_curl_t  *w;

    c = ev->data;
    w = c->data;

    /* c may be gone afterwards */

    ngx_http_voicebridge_curl_act(w, c->fd, ev->write ? CURL_CSELECT_OUT
                                                      : CURL_CSELECT_IN);
}


static void
ngx_http_voicebridge_curl_timer_handler(ngx_event_t *ev)
{
    ngx_connection_t             *dummy;
    ngx_http_voicebridge_curl_t  *w;

    dummy = ev->data;
    w = (ngx_http_voicebridge_curl_t *)
                      ((u_char *) dummy
                       - offsetof(ngx_http_voicebridge_curl_t, dummy));

    ngx_http_voicebridge_curl_act(w, CURL_SOCKET_TIMEOUT, 0);
}


static void
ngx_http_voicebridge_curl_act(ngx_http_voicebridge_curl_t *w,
    curl_socket_t fd, int events)
{
    int        running;
    sigset_t   all, old;
    CURLMcode  rc;

    /*
     * libcurl resolves names in threads, which inherit the mask: a signal
     * that one of them took would not wake the event loop up
     */

    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &old);

    rc = curl_multi_socket_action(w->multi, fd, events, &running);

    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);

    /* left in OpenSSL's queue it would look like an error of nginx's own */

    ERR_clear_error();

    if (rc != CURLM_OK) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "curl_multi_socket_action() failed: %s",
                      curl_multi_strerror(rc));
    }

    ngx_http_voicebridge_curl_drain(w);
}


static void
ngx_http_voicebridge_curl_drain(ngx_http_voicebridge_curl_t *w)
{
    int        left;
    CURL      *easy;
    CURLMsg   *msg;
    CURLcode   result;

    /* a message lives until its handle is removed */

    while ((msg = curl_multi_info_read(w->multi, &left)) != NULL) {

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        easy = msg->easy_handle;
        result = msg->data.result;

        ngx_http_voicebridge_curl_remove(easy);

        w->done(easy, result);
    }
}


const char *
ngx_http_voicebridge_curl_failure(CURLcode result, long status)
{
    switch (result) {

    case CURLE_OK:
        return status >= 500 ? "5xx" : status >= 400 ? "4xx" : NULL;

    case CURLE_COULDNT_RESOLVE_HOST:
        return "resolve";

    case CURLE_COULDNT_CONNECT:
        return "connect";

    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";

    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
        return "tls";

    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
        return "closed";

    default:
        return "other";
    }
}
