
/* How requests to REST services travel: for how long, how, and to whom */


#include <ngx_http_voicebridge_fetch_policy.h>
#include <ngx_http_voicebridge_curl.h>


static CURLcode ngx_http_voicebridge_fetch_trust(
    ngx_http_voicebridge_fetch_t *f, CURL *easy,
    ngx_http_voicebridge_trust_t *trust);


void
ngx_http_voicebridge_trust_init(ngx_http_voicebridge_trust_t *trust,
    ngx_str_t *ca_file)
{
    trust->ca_file = *ca_file;

#if (LIBCURL_VERSION_NUM >= 0x074600)                          /* 7.70.0 */
    trust->ca_path = (curl_version_info(CURLVERSION_NOW)->cainfo == NULL);
#else
    trust->ca_path = 1;
#endif
}


CURLcode
ngx_http_voicebridge_fetch_policy(ngx_http_voicebridge_fetch_t *f, CURL *easy,
    ngx_http_voicebridge_trust_t *trust)
{
    long  msec;

    msec = (long) ngx_min(f->timeout, NGX_MAX_INT32_VALUE);

    ngx_http_voicebridge_setopt(easy, CURLOPT_TIMEOUT_MS, msec);
    ngx_http_voicebridge_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, msec);

    /* signals are nginx's */
    ngx_http_voicebridge_setopt(easy, CURLOPT_NOSIGNAL, 1L);

#if (LIBCURL_VERSION_NUM >= 0x075700)                          /* 7.87.0 */
    /* the end of a request must not wait for getaddrinfo() in its thread */
    ngx_http_voicebridge_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif

#if (LIBCURL_VERSION_NUM >= 0x075500)                          /* 7.85.0 */
    ngx_http_voicebridge_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    ngx_http_voicebridge_setopt(easy, CURLOPT_PROTOCOLS,
                                (long) (CURLPROTO_HTTP|CURLPROTO_HTTPS));
#endif

    /* requests must not wait for each other on one HTTP/2 connection */
    ngx_http_voicebridge_setopt(easy, CURLOPT_HTTP_VERSION,
                                (long) CURL_HTTP_VERSION_1_1);

    /* the environment's proxies are for others */
    ngx_http_voicebridge_setopt(easy, CURLOPT_PROXY, "");

    ngx_http_voicebridge_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    ngx_http_voicebridge_setopt(easy, CURLOPT_USERAGENT, "nginx-voicebridge");

    ngx_http_voicebridge_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION,
                                ngx_http_voicebridge_curl_close);

    return ngx_http_voicebridge_fetch_trust(f, easy, trust);
}


static CURLcode
ngx_http_voicebridge_fetch_trust(ngx_http_voicebridge_fetch_t *f, CURL *easy,
    ngx_http_voicebridge_trust_t *trust)
{
    u_char     *file;
    ngx_str_t  *ca;

    ngx_http_voicebridge_setopt(easy, CURLOPT_SSLVERSION,
                                (long) CURL_SSLVERSION_TLSv1_2);
    ngx_http_voicebridge_setopt(easy, CURLOPT_SSL_VERIFYPEER,
                                f->ssl_verify ? 1L : 0L);
    ngx_http_voicebridge_setopt(easy, CURLOPT_SSL_VERIFYHOST,
                                f->ssl_verify ? 2L : 0L);

    ca = f->trusted_certificate.len ? &f->trusted_certificate
                                    : &trust->ca_file;

    if (ca->len) {
        file = ngx_pnalloc(f->pool, ca->len + 1);
        if (file == NULL) {
            return CURLE_OUT_OF_MEMORY;
        }

        (void) ngx_cpystrn(file, ca->data, ca->len + 1);

        ngx_http_voicebridge_setopt(easy, CURLOPT_CAINFO, (char *) file);
    }

    if (ca->len || !trust->ca_path) {

        /*
         * nothing but the file is trusted; and only where no directory is
         * looked into as well is a parsed file kept for the next connection
         */

        ngx_http_voicebridge_setopt(easy, CURLOPT_CAPATH, NULL);
    }

    return CURLE_OK;
}
