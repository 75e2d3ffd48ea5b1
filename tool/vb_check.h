
/* voicebridge check: what is found, part by part, and what to do about it */


#ifndef _VB_CHECK_H_INCLUDED_
#define _VB_CHECK_H_INCLUDED_


#include <vb_http.h>
#include <vb_options.h>


typedef enum {
    VB_CHECK_OK = 0,
    VB_CHECK_WARN,                     /* it works, but */
    VB_CHECK_FAIL,
    VB_CHECK_SKIP                      /* what it needs was not given */
} vb_check_result_t;


typedef struct {
    const char          *url;
    const char          *stream_path;
    const char          *status_path;
    const char          *token_file;
    const char          *account_sid;
    const char          *number;
    const char          *twilio_url;
    const char          *agent;
    const char          *api_key;
    const char          *elevenlabs_url;
    const char          *cacert;
    int64_t              timeout;
    int                  json;
} vb_check_options_t;


typedef struct {
    vb_check_options_t  *options;
    const char          *token;        /* Twilio's auth token, or NULL */
    vb_http_t           *http;         /* to the server, with --cacert */
    vb_http_t           *services;     /* to Twilio and ElevenLabs */
    long                 status;       /* of the media stream's location */
    vb_text_t            json;
    unsigned             found[4];     /* by vb_check_result_t */
} vb_check_t;


/* what: the part; remedy: what to do, or NULL; then what was found */
void vb_check_found(vb_check_t *c, const char *what, vb_check_result_t result,
    const char *remedy, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* whether the server is where Twilio can reach it: its URL, its address, its
 * certificate; then whether the rest is worth a try */
int vb_check_reach(vb_check_t *c);

/* the media stream and the webhooks: signatures, upgrade */
void vb_check_server(vb_check_t *c);

/* Twilio's account and number */
void vb_check_account(vb_check_t *c);

/* ElevenLabs' agent */
void vb_check_agent(vb_check_t *c);


#endif /* _VB_CHECK_H_INCLUDED_ */
