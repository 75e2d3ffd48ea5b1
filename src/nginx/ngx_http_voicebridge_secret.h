
/* Secrets in directives: literal, env:NAME or file:/path (contract 2) */


#ifndef _NGX_HTTP_VOICEBRIDGE_SECRET_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_SECRET_H_INCLUDED_


#include <ngx_http_voicebridge.h>


/*
 * The value of a variable of the master's environment, or NULL; at
 * configuration time only.  name, which has to live as long as the cycle, is
 * kept for workers and for a new binary (USR2), as by an "env" directive.
 */
char *ngx_http_voicebridge_getenv(ngx_conf_t *cf, const char *name);

/*
 * Reads the text behind env: or file: into *secret, or takes value, which is
 * null-terminated, as it is; at configuration time only.  One trailing LF or
 * CRLF of a file is cut.
 * NGX_OK; NGX_DECLINED for an env: that is not set or empty; NGX_ERROR, with
 * the reason logged at emerg, for a file that cannot be read, is empty, is
 * larger than 4096 bytes or holds a null.
 */
ngx_int_t ngx_http_voicebridge_secret(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *secret);

/*
 * A directive's slot (NGX_CONF_TAKE1) for a ngx_http_complex_value_t * that
 * is a secret: a literal may hold variables.
 */
char *ngx_http_voicebridge_secret_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * The same for value, an argument of a directive: NGX_CONF_OK with *cv set,
 * to an empty text where an env: is not set (a warning says so).
 */
char *ngx_http_voicebridge_secret_value(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t **cv);

/* the same value from an environment variable, for defaults in merge: NULL
 * where it is not set */
ngx_http_complex_value_t *ngx_http_voicebridge_secret_env(ngx_conf_t *cf,
    const char *name);


#endif /* _NGX_HTTP_VOICEBRIDGE_SECRET_H_INCLUDED_ */
