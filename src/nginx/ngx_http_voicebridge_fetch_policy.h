
/* How requests to REST services travel: for how long, how, and to whom */


#ifndef _NGX_HTTP_VOICEBRIDGE_FETCH_POLICY_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_FETCH_POLICY_H_INCLUDED_


#include <ngx_http_voicebridge_fetch.h>

#include <curl/curl.h>


/* who is trusted where a request does not say so; a worker's own */
typedef struct {
    ngx_str_t                      ca_file;    /* of the environment */
    unsigned                       ca_path:1;  /* libcurl knows no CA file */
} ngx_http_voicebridge_trust_t;


/* sets an option and leaves the function with the reason if that fails */

#define ngx_http_voicebridge_setopt(easy, option, value)                      \
    {                                                                         \
        CURLcode  setopt_rc_ = curl_easy_setopt(easy, option, value);         \
                                                                              \
        if (setopt_rc_ != CURLE_OK) {                                         \
            return setopt_rc_;                                                \
        }                                                                     \
    }


/* ca_file may be empty, and has to stay where it is */
void ngx_http_voicebridge_trust_init(ngx_http_voicebridge_trust_t *trust,
    ngx_str_t *ca_file);

/* tells libcurl how f is to travel; what fails is the option's */
CURLcode ngx_http_voicebridge_fetch_policy(ngx_http_voicebridge_fetch_t *f,
    CURL *easy, ngx_http_voicebridge_trust_t *trust);


#endif /* _NGX_HTTP_VOICEBRIDGE_FETCH_POLICY_H_INCLUDED_ */
