
/* What the front door's table of directives is made of */


#ifndef _NGX_HTTP_VOICEBRIDGE_CONF_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_CONF_H_INCLUDED_


#include <ngx_http_voicebridge.h>


/* slots; each refuses a second value of its level as "is duplicate" */

/* a content handler: cmd->post is a ngx_http_voicebridge_location_t * */
char *ngx_http_voicebridge_handler_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* a ngx_http_voicebridge_url_t * */
char *ngx_http_voicebridge_url_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* the same of elevenlabs_url, whose host may be one of /etc/hosts */
char *ngx_http_voicebridge_elevenlabs_url_slot(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);

/* a URL's beginning that may hold variables: ngx_http_complex_value_t * */
char *ngx_http_voicebridge_public_url_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* elevenlabs_auth */
char *ngx_http_voicebridge_auth_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* uplink_frame */
char *ngx_http_voicebridge_uplink_frame_slot(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);

/* auth_token and auth_token2 */
char *ngx_http_voicebridge_auth_token_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* api_keys and api_keys_off; may repeat */
char *ngx_http_voicebridge_api_keys_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* deny: one value or more; may repeat */
char *ngx_http_voicebridge_deny_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* answered_by: class and action; may repeat */
char *ngx_http_voicebridge_answered_by_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* complex values that are looked at where they have no variables: a JSON
 * object, digits to send */
char *ngx_http_voicebridge_override_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_voicebridge_send_digits_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* caller_lookup: a URL that may hold variables, or off */
char *ngx_http_voicebridge_caller_lookup_slot(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);

/* caller_lookup_headers: a name and a secret; may repeat */
char *ngx_http_voicebridge_caller_header_slot(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);

/* ssl_trusted_certificate: a PEM file that can be loaded */
char *ngx_http_voicebridge_certificate_slot(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);


/* post handlers: a path begins with "/", a limit is not zero */
char *ngx_http_voicebridge_path_post(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_voicebridge_msec_post(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_voicebridge_sec_post(ngx_conf_t *cf, void *post, void *data);
char *ngx_http_voicebridge_lookup_timeout_post(ngx_conf_t *cf, void *post,
    void *data);
char *ngx_http_voicebridge_ring_timeout_post(ngx_conf_t *cf, void *post,
    void *data);
char *ngx_http_voicebridge_size_post(ngx_conf_t *cf, void *post, void *data);


/*
 * Takes an absolute http or https URL apart into *url (made in cf->pool);
 * NGX_OK, or NGX_ERROR with the reason logged.
 */
ngx_int_t ngx_http_voicebridge_parse_url(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_voicebridge_url_t **url);

/* adds the keys of a comma separated list to *keys (of ngx_str_t) */
ngx_int_t ngx_http_voicebridge_add_keys(ngx_conf_t *cf, ngx_str_t *list,
    ngx_array_t **keys);


/* creates and merges; hooks of the module's context */
void *ngx_http_voicebridge_create_main_conf(ngx_conf_t *cf);
void *ngx_http_voicebridge_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_voicebridge_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

/*
 * Makes a location with the media stream's handler able to serve: the
 * agent's upstream configuration with TLS, a resolver, the resampler's
 * filters.  NGX_OK, or NGX_ERROR with the reason logged.
 */
ngx_int_t ngx_http_voicebridge_init_stream(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *prev,
    ngx_http_voicebridge_loc_conf_t *conf);


#endif /* _NGX_HTTP_VOICEBRIDGE_CONF_H_INCLUDED_ */
