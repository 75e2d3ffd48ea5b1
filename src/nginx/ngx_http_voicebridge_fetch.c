
/* A REST request from its description to its answer, by libcurl */


#include <ngx_http_voicebridge_fetch.h>
#include <ngx_http_voicebridge_curl.h>
#include <ngx_http_voicebridge_fetch_policy.h>

#include <openssl/err.h>


typedef struct {
    ngx_queue_t                    queue;      /* of requests under way */
    ngx_http_voicebridge_fetch_t  *fetch;
    CURL                          *easy;
    struct curl_slist             *headers;
    size_t                         size;       /* allocated for the answer */
    unsigned                       too_large:1;
    char                           error[CURL_ERROR_SIZE];
} ngx_http_voicebridge_job_t;


typedef struct {
    ngx_queue_t                    jobs;
    ngx_http_voicebridge_trust_t   trust;
} ngx_http_voicebridge_fetcher_t;


static ngx_int_t ngx_http_voicebridge_fetch_prepare(
    ngx_http_voicebridge_fetch_t *f);
static CURLcode ngx_http_voicebridge_fetch_request(
    ngx_http_voicebridge_fetch_t *f, CURL *easy);
static ngx_int_t ngx_http_voicebridge_fetch_headers(
    ngx_http_voicebridge_fetch_t *f, ngx_http_voicebridge_job_t *job);
static char *ngx_http_voicebridge_fetch_text(ngx_http_voicebridge_fetch_t *f,
    ngx_str_t *s);
static size_t ngx_http_voicebridge_fetch_write(char *data, size_t size,
    size_t n, void *arg);
static void ngx_http_voicebridge_fetch_done(CURL *easy, CURLcode result);
static void ngx_http_voicebridge_fetch_result(ngx_http_voicebridge_job_t *job,
    CURLcode result);
static void ngx_http_voicebridge_fetch_release(ngx_http_voicebridge_job_t *job);


/* a worker's own; never there in the master, so never inherited */
static ngx_http_voicebridge_fetcher_t  *ngx_http_voicebridge_fetcher;


ngx_int_t
ngx_http_voicebridge_fetch_init_process(ngx_cycle_t *cycle)
{
    ngx_http_voicebridge_fetcher_t    *w;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    vmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_voicebridge_module);

    if (vmcf == NULL || !vmcf->fetches) {
        return NGX_OK;
    }

    w = ngx_calloc(sizeof(ngx_http_voicebridge_fetcher_t), cycle->log);
    if (w == NULL) {
        return NGX_ERROR;
    }

    /* half of worker_connections is for those who wait for an answer */

    if (ngx_http_voicebridge_curl_init(ngx_max(cycle->connection_n / 2, 1),
                                       ngx_http_voicebridge_fetch_done)
        != NGX_OK)
    {
        ngx_free(w);
        return NGX_ERROR;
    }

    ngx_queue_init(&w->jobs);

    ngx_http_voicebridge_trust_init(&w->trust, &vmcf->ca_file);

    ngx_http_voicebridge_fetcher = w;

    return NGX_OK;
}


void
ngx_http_voicebridge_fetch_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                       level;
    ngx_queue_t                     *q;
    ngx_http_voicebridge_job_t      *job;
    ngx_http_voicebridge_fetcher_t  *w;

    w = ngx_http_voicebridge_fetcher;

    if (w == NULL) {
        return;
    }

    ngx_http_voicebridge_fetcher = NULL;

    while (!ngx_queue_empty(&w->jobs)) {
        q = ngx_queue_head(&w->jobs);
        job = ngx_queue_data(q, ngx_http_voicebridge_job_t, queue);

        level = job->fetch->repeatable ? NGX_LOG_INFO : NGX_LOG_ERR;

        ngx_log_error(level, job->fetch->log, 0,
                      "worker exits before the answer to a REST request, "
                      "which may have been carried out");

        ngx_queue_remove(q);
        ngx_http_voicebridge_curl_remove(job->easy);
        ngx_http_voicebridge_fetch_release(job);
        ngx_destroy_pool(job->fetch->pool);
    }

    ngx_http_voicebridge_curl_exit();

    ngx_free(w);
}


ngx_uint_t
ngx_http_voicebridge_fetch_running(void)
{
    return ngx_http_voicebridge_curl_running();
}


ngx_http_voicebridge_fetch_t *
ngx_http_voicebridge_fetch_create(void)
{
    ngx_pool_t                    *pool;
    ngx_http_voicebridge_fetch_t  *f;

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    f = ngx_pcalloc(pool, sizeof(ngx_http_voicebridge_fetch_t));
    if (f == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    f->pool = pool;
    f->log = ngx_cycle->log;

    return f;
}


ngx_int_t
ngx_http_voicebridge_fetch_start(ngx_http_voicebridge_fetch_t *f)
{
    ngx_http_voicebridge_job_t      *job;
    ngx_http_voicebridge_fetcher_t  *w;

    w = ngx_http_voicebridge_fetcher;

    if (w == NULL) {
        goto failed;
    }

    if (ngx_http_voicebridge_curl_running() >= ngx_cycle->connection_n) {
        ngx_log_error(NGX_LOG_ERR, f->log, 0,
                      "as many REST requests are under way as there are "
                      "worker_connections, no more are sent");
        goto failed;
    }

    if (ngx_http_voicebridge_fetch_prepare(f) != NGX_OK) {
        goto failed;
    }

    job = f->priv;

    if (ngx_http_voicebridge_curl_add(job->easy, f->log) != NGX_OK) {
        ngx_http_voicebridge_fetch_release(job);
        goto failed;
    }

    ngx_queue_insert_tail(&w->jobs, &job->queue);

    return NGX_OK;

failed:

    ngx_destroy_pool(f->pool);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_voicebridge_fetch_prepare(ngx_http_voicebridge_fetch_t *f)
{
    CURLcode                     rc;
    ngx_http_voicebridge_job_t  *job;

    job = ngx_pcalloc(f->pool, sizeof(ngx_http_voicebridge_job_t));
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->fetch = f;
    f->priv = job;

    job->easy = curl_easy_init();
    if (job->easy == NULL) {
        ngx_log_error(NGX_LOG_ERR, f->log, 0, "curl_easy_init() failed");
        return NGX_ERROR;
    }

    rc = ngx_http_voicebridge_fetch_request(f, job->easy);

    if (rc == CURLE_OK) {
        rc = ngx_http_voicebridge_fetch_policy(f, job->easy,
                                        &ngx_http_voicebridge_fetcher->trust);
    }

    if (rc != CURLE_OK) {
        ngx_log_error(NGX_LOG_ERR, f->log, 0, "curl_easy_setopt() failed: %s",
                      curl_easy_strerror(rc));
        ngx_http_voicebridge_fetch_release(job);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static CURLcode
ngx_http_voicebridge_fetch_request(ngx_http_voicebridge_fetch_t *f, CURL *easy)
{
    char                        *url, *user, *password;
    ngx_http_voicebridge_job_t  *job;

    job = f->priv;

    url = ngx_http_voicebridge_fetch_text(f, &f->url);
    user = ngx_http_voicebridge_fetch_text(f, &f->user);
    password = ngx_http_voicebridge_fetch_text(f, &f->password);

    if (url == NULL || user == NULL || password == NULL) {
        return CURLE_OUT_OF_MEMORY;
    }

    ngx_http_voicebridge_setopt(easy, CURLOPT_URL, url);

    if (f->user.len) {
        ngx_http_voicebridge_setopt(easy, CURLOPT_HTTPAUTH,
                                    (long) CURLAUTH_BASIC);
        ngx_http_voicebridge_setopt(easy, CURLOPT_USERNAME, user);
        ngx_http_voicebridge_setopt(easy, CURLOPT_PASSWORD, password);
    }

    if (ngx_http_voicebridge_fetch_headers(f, job) != NGX_OK) {
        return CURLE_OUT_OF_MEMORY;
    }

    if (job->headers) {
        ngx_http_voicebridge_setopt(easy, CURLOPT_HTTPHEADER, job->headers);
    }

    if (f->body.len) {
        ngx_http_voicebridge_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                    (curl_off_t) f->body.len);
        ngx_http_voicebridge_setopt(easy, CURLOPT_COPYPOSTFIELDS,
                                    (char *) f->body.data);
    }

    if (f->body.len && !f->repeatable) {

        /*
         * When a connection that was kept from another request breaks,
         * libcurl sends the request again on a new one.  The first may have
         * had its effect, and a phone must not ring twice: a POST has a
         * connection of its own.
         */

        ngx_http_voicebridge_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        ngx_http_voicebridge_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    }

    ngx_http_voicebridge_setopt(easy, CURLOPT_PRIVATE, (char *) job);
    ngx_http_voicebridge_setopt(easy, CURLOPT_ERRORBUFFER, job->error);
    ngx_http_voicebridge_setopt(easy, CURLOPT_WRITEFUNCTION,
                                ngx_http_voicebridge_fetch_write);
    ngx_http_voicebridge_setopt(easy, CURLOPT_WRITEDATA, job);

    return CURLE_OK;
}


static ngx_int_t
ngx_http_voicebridge_fetch_headers(ngx_http_voicebridge_fetch_t *f,
    ngx_http_voicebridge_job_t *job)
{
    char               *text, *line, *rest;
    struct curl_slist  *list;

    text = ngx_http_voicebridge_fetch_text(f, &f->header);
    if (text == NULL) {
        return NGX_ERROR;
    }

    for (line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest))
    {
        list = curl_slist_append(job->headers, line);
        if (list == NULL) {
            return NGX_ERROR;
        }

        job->headers = list;
    }

    return NGX_OK;
}


static char *
ngx_http_voicebridge_fetch_text(ngx_http_voicebridge_fetch_t *f, ngx_str_t *s)
{
    char  *text;

    text = ngx_pnalloc(f->pool, s->len + 1);
    if (text == NULL) {
        return NULL;
    }

    if (s->len) {
        ngx_memcpy(text, s->data, s->len);
    }

    text[s->len] = '\0';

    return text;
}


static size_t
ngx_http_voicebridge_fetch_write(char *data, size_t size, size_t n, void *arg)
{
    ngx_http_voicebridge_job_t *job = arg;

    u_char                        *p;
    ngx_http_voicebridge_fetch_t  *f;

    f = job->fetch;
    n *= size;

    if (n > NGX_HTTP_VOICEBRIDGE_FETCH_MAX_BODY - f->answer.len) {
        job->too_large = 1;
        return 0;
    }

    if (f->answer.len + n > job->size) {

        job->size = ngx_max(2 * job->size, f->answer.len + n);

        p = ngx_pnalloc(f->pool, job->size);
        if (p == NULL) {
            return 0;
        }

        if (f->answer.len) {
            ngx_memcpy(p, f->answer.data, f->answer.len);
        }

        f->answer.data = p;
    }

    ngx_memcpy(f->answer.data + f->answer.len, data, n);
    f->answer.len += n;

    return n;
}


static void
ngx_http_voicebridge_fetch_done(CURL *easy, CURLcode result)
{
    char                          *private;
    ngx_http_voicebridge_job_t    *job;
    ngx_http_voicebridge_fetch_t  *f;

    private = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);

    job = (ngx_http_voicebridge_job_t *) private;
    f = job->fetch;

    ngx_http_voicebridge_fetch_result(job, result);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, f->log, 0,
                   "voicebridge fetch done: %ui, %uz bytes, libcurl: %d \"%s\"",
                   f->status, f->answer.len, (int) result,
                   f->error ? f->error : "");

    ngx_queue_remove(&job->queue);
    ngx_http_voicebridge_fetch_release(job);

    if (f->handler) {
        f->handler(f);
    }

    ngx_destroy_pool(f->pool);
}


/* what libcurl knows dies with the handle */

static void
ngx_http_voicebridge_fetch_result(ngx_http_voicebridge_job_t *job,
    CURLcode result)
{
    long                           status, sent;
    u_char                        *p;
    curl_off_t                     retry_after;
    ngx_http_voicebridge_fetch_t  *f;

    f = job->fetch;

    status = 0;
    sent = 0;
    retry_after = 0;

    curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(job->easy, CURLINFO_REQUEST_SIZE, &sent);
    curl_easy_getinfo(job->easy, CURLINFO_RETRY_AFTER, &retry_after);

    f->maybe_sent = (sent > 0 || status > 0);
    f->failure = ngx_http_voicebridge_curl_failure(result, status);

    if (result == CURLE_OK) {
        f->status = (ngx_uint_t) status;

        if (retry_after > 0) {
            p = ngx_pnalloc(f->pool, NGX_INT64_LEN);

            if (p) {
                f->retry_after.data = p;
                f->retry_after.len = ngx_sprintf(p, "%L",
                                                 (int64_t) retry_after)
                                     - p;
            }
        }

        return;
    }

    f->timed_out = (result == CURLE_OPERATION_TIMEDOUT);
    f->answer.len = 0;

    if (job->too_large) {
        f->error = "the answer is too large";

    } else if (job->error[0]) {
        f->error = job->error;

    } else {
        f->error = (char *) curl_easy_strerror(result);
    }
}


static void
ngx_http_voicebridge_fetch_release(ngx_http_voicebridge_job_t *job)
{
    curl_easy_cleanup(job->easy);
    curl_slist_free_all(job->headers);

    ERR_clear_error();
}
