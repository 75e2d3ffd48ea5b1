
/*
 * Events to the outside: JSON that is posted to an operator's URL, signed,
 * again and again until it is taken, and kept on disk meanwhile where there
 * is a spool.  Nothing here knows telephony.
 *
 *   _notify.c        what waits; _notify_run.c  when it is tried
 *   _notify_event.c  one event; _notify_send.c  one attempt
 *   _notify_scan.c   what is on disk
 *   _notify_conf.c   directives
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_NOTIFY_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_NOTIFY_H_INCLUDED_


#include <ngx_http_voicebridge.h>


/* bits of ngx_http_voicebridge_webhook_t.events; the first five are events */
#define NGX_HTTP_VOICEBRIDGE_EVENT_STARTED       0x0001
#define NGX_HTTP_VOICEBRIDGE_EVENT_ANSWERED      0x0002
#define NGX_HTTP_VOICEBRIDGE_EVENT_ENDED         0x0004
#define NGX_HTTP_VOICEBRIDGE_EVENT_TOOL_FAILED   0x0008
#define NGX_HTTP_VOICEBRIDGE_EVENT_NOT_ANSWERED  0x0010

/* the transcript in the event of the end */
#define NGX_HTTP_VOICEBRIDGE_EVENT_TRANSCRIPT    0x0020

/* digits of a webhook's key: of its URL, and of all that there is besides */
#define NGX_HTTP_VOICEBRIDGE_WEBHOOK_URL_KEY     32
#define NGX_HTTP_VOICEBRIDGE_WEBHOOK_KEY         40


/* what a location's voicebridge_webhook and its like come to */
struct ngx_http_voicebridge_webhook_s {
    ngx_str_t                       url;
    ngx_str_t                       origin;    /* for logs: without a path */
    ngx_str_t                       secret;    /* empty: nothing is signed */
    ngx_uint_t                      events;
    ngx_msec_t                      timeout;   /* of an attempt */
    time_t                          lifetime;  /* of an event, seconds */
    ngx_flag_t                      ssl_verify;
    ngx_str_t                       trusted_certificate;

    /* hexadecimal, of SHA-256: of the URL, then of how it is reached */
    u_char                          key[NGX_HTTP_VOICEBRIDGE_WEBHOOK_KEY];
};


/*
 * Notes that something has happened: one of the events, which the webhook is
 * to want; members are JSON's members of it, without braces.  call_sid may
 * be empty.  Failures are logged and no business of the call's.
 */
void ngx_http_voicebridge_notify(ngx_http_voicebridge_webhook_t *webhook,
    ngx_uint_t event, ngx_str_t *call_sid, ngx_str_t *members);

/*
 * This process exits now, its threads have ended: what happens from now on is
 * written to the disk at once, and not sent.
 */
void ngx_http_voicebridge_notify_ends(void);

/* hooks of the worker's life; exit before that of the fetch */
ngx_int_t ngx_http_voicebridge_notify_init_process(ngx_cycle_t *cycle);
void ngx_http_voicebridge_notify_exit_process(ngx_cycle_t *cycle);


/* _notify_conf.c: slots, and what a location's merge calls */

char *ngx_http_voicebridge_webhook_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_voicebridge_webhook_secret_slot(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
char *ngx_http_voicebridge_webhook_spool_slot(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_voicebridge_merge_webhook(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *prev,
    ngx_http_voicebridge_loc_conf_t *conf);


#endif /* _NGX_HTTP_VOICEBRIDGE_NOTIFY_H_INCLUDED_ */
