
/* Requests over one libcurl multi handle, each told when it is done */


#include <vb_http.h>

#include <curl/curl.h>
#include <stdlib.h>


/* what a server may ask us to wait, in seconds */
#define VB_HTTP_MAX_RETRY  3600


struct vb_http_s {
    CURLM               *multi;
    const char          *cacert;
    int                  insecure;
    size_t               active;
};


typedef struct {
    CURL                *easy;
    struct curl_slist   *headers;
    vb_text_t            body;
    vb_http_done_pt      done;
    void                *data;
    unsigned             too_large:1;
    char                 error[CURL_ERROR_SIZE];
} vb_http_job_t;


typedef struct {
    vb_http_answer_t     answer;
    char                *body;
    int                  done;
} vb_http_fetched_t;


static void vb_http_options(vb_http_t *http, vb_http_job_t *job,
    const vb_http_request_t *request);
static void vb_http_headers(vb_http_job_t *job,
    const vb_http_request_t *request);
static size_t vb_http_write(char *data, size_t size, size_t n, void *ctx);
static void vb_http_finish(vb_http_t *http, CURL *easy, CURLcode code);
static const char *vb_http_why(vb_http_job_t *job, CURLcode code);
static void vb_http_fetch_done(void *data, const vb_http_answer_t *a);


vb_http_t *
vb_http_create(const char *cacert, int insecure)
{
    vb_http_t  *http;

    curl_global_init(CURL_GLOBAL_DEFAULT);

    http = vb_alloc(sizeof(vb_http_t));

    http->multi = curl_multi_init();

    if (http->multi == NULL) {
        vb_die(VB_EXIT_SERVER, "no memory");
    }

    http->cacert = cacert;
    http->insecure = insecure;

    return http;
}


void
vb_http_destroy(vb_http_t *http)
{
    curl_multi_cleanup(http->multi);
    free(http);
}


void
vb_http_send(vb_http_t *http, const vb_http_request_t *request,
    vb_http_done_pt done, void *data)
{
    vb_http_job_t  *job;

    job = vb_alloc(sizeof(vb_http_job_t));

    job->done = done;
    job->data = data;
    job->easy = curl_easy_init();

    if (job->easy == NULL) {
        vb_die(VB_EXIT_SERVER, "no memory");
    }

    vb_text_add(&job->body, "", 0);
    vb_http_options(http, job, request);

    if (curl_multi_add_handle(http->multi, job->easy) != CURLM_OK) {
        vb_die(VB_EXIT_SERVER, "no memory");
    }

    http->active++;
}


static void
vb_http_options(vb_http_t *http, vb_http_job_t *job,
    const vb_http_request_t *request)
{
    CURL               *easy;
    struct curl_slist  *resolve;

    easy = job->easy;

    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, job);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, job->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, vb_http_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, job);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) request->timeout);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "voicebridge/" VB_TOOL_VERSION);

#if (LIBCURL_VERSION_NUM >= 0x075500)
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
                     (long) (CURLPROTO_HTTP|CURLPROTO_HTTPS));
#endif

    if (http->cacert) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, http->cacert);
    }

    if (http->insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }

    if (request->userpwd) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long) CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERPWD, request->userpwd);
    }

    if (request->resolve) {
        resolve = curl_slist_append(NULL, request->resolve);
        curl_easy_setopt(easy, CURLOPT_RESOLVE, resolve);
    }

    if (request->fresh) {
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    }

    if (request->post) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t) strlen(request->post));
        curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->post);
    }

    vb_http_headers(job, request);
}


static void
vb_http_headers(vb_http_job_t *job, const vb_http_request_t *request)
{
    const char  **header;

    /* a short body goes with its header, without asking for a 100 first */

    job->headers = curl_slist_append(NULL, "Expect:");

    for (header = request->headers; header && *header; header++) {
        job->headers = curl_slist_append(job->headers, *header);
    }

    curl_easy_setopt(job->easy, CURLOPT_HTTPHEADER, job->headers);
}


static size_t
vb_http_write(char *data, size_t size, size_t n, void *ctx)
{
    vb_http_job_t  *job = ctx;

    if (job->body.len + size * n > VB_HTTP_MAX_BODY) {
        job->too_large = 1;
        return 0;
    }

    vb_text_add(&job->body, data, size * n);

    return size * n;
}


size_t
vb_http_active(const vb_http_t *http)
{
    return http->active;
}


void
vb_http_run(vb_http_t *http, int64_t ms, int fd)
{
    int                  running, left;
    CURLMsg             *msg;
    struct curl_waitfd   extra;

    memset(&extra, 0, sizeof(struct curl_waitfd));
    extra.fd = fd;
    extra.events = CURL_WAIT_POLLIN;

    curl_multi_perform(http->multi, &running);

    /* who is done already need not be waited for */

    if ((size_t) running == http->active && ms > 0) {
        curl_multi_poll(http->multi, &extra, fd != -1,
                        (int) vb_min(ms, 3600000), NULL);
        curl_multi_perform(http->multi, &running);
    }

    while ((msg = curl_multi_info_read(http->multi, &left)) != NULL) {
        if (msg->msg == CURLMSG_DONE) {
            vb_http_finish(http, msg->easy_handle, msg->data.result);
        }
    }
}


static void
vb_http_finish(vb_http_t *http, CURL *easy, CURLcode code)
{
    long               version, size;
    curl_off_t         retry;
    vb_http_job_t     *job;
    vb_http_answer_t   a;

    memset(&a, 0, sizeof(vb_http_answer_t));

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &job);
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &size);
    curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry);

    a.body.data = job->body.data;
    a.body.len = job->body.len;
    a.sent = (size > 0);
    a.retry_after = retry > 0 ? vb_min((int64_t) retry, VB_HTTP_MAX_RETRY)
                                * 1000 : -1;
    a.version = version == CURL_HTTP_VERSION_1_0 ? "HTTP/1.0" : "HTTP/1.1";

    if (code == CURLE_OK) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &a.status);
        curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, (char **) &a.location);

    } else {
        a.error = vb_http_why(job, code);
        a.tls_failed = (code == CURLE_PEER_FAILED_VERIFICATION
                        || code == CURLE_SSL_CONNECT_ERROR);
    }

    curl_multi_remove_handle(http->multi, easy);
    http->active--;

    job->done(job->data, &a);

    curl_easy_cleanup(easy);
    curl_slist_free_all(job->headers);
    vb_text_free(&job->body);
    free(job);
}


static const char *
vb_http_why(vb_http_job_t *job, CURLcode code)
{
    if (job->too_large) {
        return "the answer is too large";
    }

    return job->error[0] ? job->error : curl_easy_strerror(code);
}


void
vb_http_fetch(vb_http_t *http, const vb_http_request_t *request,
    vb_http_answer_t *a)
{
    vb_http_fetched_t  fetched;

    memset(&fetched, 0, sizeof(vb_http_fetched_t));

    vb_http_send(http, request, vb_http_fetch_done, &fetched);

    while (!fetched.done) {
        vb_http_run(http, 1000, -1);
    }

    *a = fetched.answer;
}


static void
vb_http_fetch_done(void *data, const vb_http_answer_t *a)
{
    vb_http_fetched_t  *fetched = data;

    fetched->answer = *a;
    fetched->answer.location = NULL;
    fetched->answer.body.data = (u_char *) vb_strndup(a->body.data,
                                                      a->body.len);

    if (a->error) {
        fetched->answer.error = vb_strndup((u_char *) a->error,
                                           strlen(a->error));
    }

    fetched->done = 1;
}
