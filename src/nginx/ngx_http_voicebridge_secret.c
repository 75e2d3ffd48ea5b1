
/*
 * Reads secrets where the configuration points at them, so that none has
 * to be written into it.
 */


#include <ngx_http_voicebridge_secret.h>


#define NGX_HTTP_VOICEBRIDGE_SECRET_SIZE  4096


static ngx_int_t ngx_http_voicebridge_secret_getenv(ngx_conf_t *cf,
    const char *name, ngx_str_t *secret);
static ngx_int_t ngx_http_voicebridge_secret_file(ngx_conf_t *cf,
    ngx_str_t *path, ngx_str_t *secret);
static ngx_int_t ngx_http_voicebridge_secret_read(ngx_conf_t *cf, ngx_fd_t fd,
    ngx_str_t *path, ngx_str_t *secret);
static ngx_http_complex_value_t *ngx_http_voicebridge_secret_constant(
    ngx_conf_t *cf, ngx_str_t *secret);


ngx_int_t
ngx_http_voicebridge_secret(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *secret)
{
    ngx_str_t  path;

    /* an argument of a directive is null-terminated */

    if (ngx_strncmp(value->data, "env:", 4) == 0) {
        return ngx_http_voicebridge_secret_getenv(cf,
                                                  (char *) value->data + 4,
                                                  secret);
    }

    if (ngx_strncmp(value->data, "file:", 5) == 0) {
        path.len = value->len - 5;
        path.data = value->data + 5;

        return ngx_http_voicebridge_secret_file(cf, &path, secret);
    }

    *secret = *value;

    return NGX_OK;
}


/*
 * The master has the whole environment, a worker and a binary that takes its
 * place only what "env" directives name: hence at configuration time, and it
 * is as if there were one.
 */

char *
ngx_http_voicebridge_getenv(ngx_conf_t *cf, const char *name)
{
    char             *value;
    size_t            len;
    ngx_str_t        *var;
    ngx_uint_t        i;
    ngx_core_conf_t  *ccf;

    value = getenv(name);

    if (value == NULL) {
        return NULL;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);
    var = ccf->env.elts;
    len = ngx_strlen(name);

    for (i = 0; i < ccf->env.nelts; i++) {
        if (ngx_strncmp(var[i].data, name, len) == 0
            && (var[i].data[len] == '\0' || var[i].data[len] == '='))
        {
            return value;
        }
    }

    var = ngx_array_push(&ccf->env);

    if (var) {
        var->data = (u_char *) name;
        var->len = len;
    }

    return value;
}


static ngx_int_t
ngx_http_voicebridge_secret_getenv(ngx_conf_t *cf, const char *name,
    ngx_str_t *secret)
{
    ngx_str_t  value;

    value.data = (u_char *) ngx_http_voicebridge_getenv(cf, name);

    if (value.data == NULL || value.data[0] == '\0') {
        return NGX_DECLINED;
    }

    value.len = ngx_strlen(value.data);

    secret->len = value.len;
    secret->data = ngx_pstrdup(cf->pool, &value);

    return secret->data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_voicebridge_secret_file(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *secret)
{
    ngx_fd_t   fd;
    ngx_int_t  rc;

    if (path->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no file name after \"file:\"");
        return NGX_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(path->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", path);
        return NGX_ERROR;
    }

    rc = ngx_http_voicebridge_secret_read(cf, fd, path, secret);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", path);
    }

    return rc;
}


static ngx_int_t
ngx_http_voicebridge_secret_read(ngx_conf_t *cf, ngx_fd_t fd, ngx_str_t *path,
    ngx_str_t *secret)
{
    u_char   *buf;
    size_t    len;
    ssize_t   n;

    buf = ngx_pnalloc(cf->pool, NGX_HTTP_VOICEBRIDGE_SECRET_SIZE + 1);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    for (len = 0; len <= NGX_HTTP_VOICEBRIDGE_SECRET_SIZE; len += n) {

        n = ngx_read_fd(fd, buf + len,
                        NGX_HTTP_VOICEBRIDGE_SECRET_SIZE + 1 - len);

        if (n == -1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               ngx_read_fd_n " \"%V\" failed", path);
            return NGX_ERROR;
        }

        if (n == 0) {
            break;
        }
    }

    if (len > NGX_HTTP_VOICEBRIDGE_SECRET_SIZE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "secret file \"%V\" is larger than %d bytes",
                           path, NGX_HTTP_VOICEBRIDGE_SECRET_SIZE);
        return NGX_ERROR;
    }

    if (ngx_strlchr(buf, buf + len, '\0') != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "secret file \"%V\" holds a null byte", path);
        return NGX_ERROR;
    }

    if (len && buf[len - 1] == LF) {
        len--;

        if (len && buf[len - 1] == CR) {
            len--;
        }
    }

    if (len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "secret file \"%V\" is empty", path);
        return NGX_ERROR;
    }

    secret->len = len;
    secret->data = buf;

    return NGX_OK;
}


char *
ngx_http_voicebridge_secret_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t                  *value;
    ngx_http_complex_value_t  **cv;

    cv = (ngx_http_complex_value_t **) (p + cmd->offset);

    if (*cv != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    return ngx_http_voicebridge_secret_value(cf, &value[1], cv);
}


char *
ngx_http_voicebridge_secret_value(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t **cv)
{
    ngx_int_t                         rc;
    ngx_str_t                         secret;
    ngx_http_compile_complex_value_t  ccv;

    rc = ngx_http_voicebridge_secret(cf, value, &secret);

    if (rc == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "environment variable \"%s\" is not set",
                           value->data + 4);
        ngx_str_null(&secret);
    }

    if (rc == NGX_DECLINED || secret.data != value->data) {

        /* what was read is no configuration text: a "$" in it stands */

        *cv = ngx_http_voicebridge_secret_constant(cf, &secret);

        return *cv ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    *cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*cv == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = *cv;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_http_complex_value_t *
ngx_http_voicebridge_secret_env(ngx_conf_t *cf, const char *name)
{
    ngx_str_t  secret;

    if (ngx_http_voicebridge_secret_getenv(cf, name, &secret) != NGX_OK) {
        return NULL;
    }

    return ngx_http_voicebridge_secret_constant(cf, &secret);
}


/* a complex value without variables: only its text is ever looked at */

static ngx_http_complex_value_t *
ngx_http_voicebridge_secret_constant(ngx_conf_t *cf, ngx_str_t *secret)
{
    ngx_http_complex_value_t  *cv;

    cv = ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (cv == NULL) {
        return NULL;
    }

    cv->value = *secret;

    return cv;
}
