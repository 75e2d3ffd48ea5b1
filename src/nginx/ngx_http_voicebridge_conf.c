
/* Reads and checks the values of the module's directives */


#include <ngx_http_voicebridge_conf.h>
#include <ngx_http_voicebridge_secret.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>


static void ngx_http_voicebridge_url_parts(ngx_http_voicebridge_url_t *url,
    ngx_url_t *u);
static ngx_int_t ngx_http_voicebridge_url_scheme(ngx_str_t *value,
    ngx_uint_t *ssl);
static ngx_uint_t ngx_http_voicebridge_url_chars(ngx_str_t *value);
static ngx_int_t ngx_http_voicebridge_url_error(ngx_conf_t *cf,
    ngx_str_t *value, const char *why);
static ngx_int_t ngx_http_voicebridge_test_certificate(ngx_conf_t *cf,
    ngx_str_t *file);


char *
ngx_http_voicebridge_handler_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_voicebridge_loc_conf_t *vlcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    if (vlcf->location == cmd->post) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "conflicts with another handler of this location";
    }

    vlcf->location = cmd->post;
    clcf->handler = vlcf->location->handler;

    return NGX_CONF_OK;
}


char *
ngx_http_voicebridge_url_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t                    *value;
    ngx_http_voicebridge_url_t  **url;

    url = (ngx_http_voicebridge_url_t **) (p + cmd->offset);

    if (*url != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_voicebridge_parse_url(cf, &value[1], url) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_voicebridge_public_url_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char                        *rv;
    ngx_str_t                   *value;
    ngx_http_complex_value_t    *cv;
    ngx_http_voicebridge_url_t  *url;

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    cv = *(ngx_http_complex_value_t **) ((char *) conf + cmd->offset);

    if (cv->lengths == NULL) {
        value = cf->args->elts;

        if (ngx_http_voicebridge_parse_url(cf, &value[1], &url) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        cv->value = url->url;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_voicebridge_parse_url(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_voicebridge_url_t **result)
{
    size_t                       scheme;
    ngx_url_t                    u;
    ngx_uint_t                   ssl;
    ngx_http_voicebridge_url_t  *url;

    if (ngx_http_voicebridge_url_scheme(value, &ssl) != NGX_OK) {
        return ngx_http_voicebridge_url_error(cf, value,
                               "must begin with \"http://\" or \"https://\"");
    }

    if (!ngx_http_voicebridge_url_chars(value)) {
        return ngx_http_voicebridge_url_error(cf, value,
                                  "may have a host, a port and a path only");
    }

    url = ngx_pcalloc(cf->pool, sizeof(ngx_http_voicebridge_url_t));
    if (url == NULL) {
        return NGX_ERROR;
    }

    url->url = *value;
    url->ssl = ssl;

    scheme = ssl ? sizeof("https://") - 1 : sizeof("http://") - 1;

    while (url->url.len > scheme && url->url.data[url->url.len - 1] == '/') {
        url->url.len--;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url.len = url->url.len - scheme;
    u.url.data = url->url.data + scheme;
    u.default_port = ssl ? 443 : 80;
    u.uri_part = 1;
    u.no_resolve = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        return ngx_http_voicebridge_url_error(cf, value,
                                              u.err ? u.err : "cannot be read");
    }

    if (u.family == AF_UNIX) {
        return ngx_http_voicebridge_url_error(cf, value,
                                              "must not be a unix socket");
    }

    ngx_http_voicebridge_url_parts(url, &u);

    *result = url;

    return NGX_OK;
}


static void
ngx_http_voicebridge_url_parts(ngx_http_voicebridge_url_t *url, ngx_url_t *u)
{
    url->host = u->host;
    url->port = u->port;
    url->no_port = u->no_port;
    url->uri = u->uri;

    url->host_header.data = u->url.data;
    url->host_header.len = u->uri.len ? (size_t) (u->uri.data - u->url.data)
                                     : u->url.len;
}


static ngx_int_t
ngx_http_voicebridge_url_scheme(ngx_str_t *value, ngx_uint_t *ssl)
{
    if (value->len >= 7
        && ngx_strncasecmp(value->data, (u_char *) "http://", 7) == 0)
    {
        *ssl = 0;
        return NGX_OK;
    }

    if (value->len >= 8
        && ngx_strncasecmp(value->data, (u_char *) "https://", 8) == 0)
    {
        *ssl = 1;
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_voicebridge_url_chars(ngx_str_t *value)
{
    ngx_uint_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] >= 0x7f
            || ngx_strchr("?#@\"<>\\", value->data[i]))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_voicebridge_url_error(ngx_conf_t *cf, ngx_str_t *value,
    const char *why)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid URL \"%V\": %s",
                       value, why);

    return NGX_ERROR;
}


char *
ngx_http_voicebridge_auth_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voicebridge_loc_conf_t *vlcf = conf;

    ngx_str_t  *value;

    if (vlcf->elevenlabs_auth != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "signed_url") == 0) {
        vlcf->elevenlabs_auth = NGX_HTTP_VOICEBRIDGE_AUTH_SIGNED_URL;

    } else if (ngx_strcmp(value[1].data, "header") == 0) {
        vlcf->elevenlabs_auth = NGX_HTTP_VOICEBRIDGE_AUTH_HEADER;

    } else if (ngx_strcmp(value[1].data, "none") == 0) {
        vlcf->elevenlabs_auth = NGX_HTTP_VOICEBRIDGE_AUTH_NONE;

    } else {
        return "must be \"signed_url\", \"header\" or \"none\"";
    }

    return NGX_CONF_OK;
}


/* as the phone sends it, or joined to bytes of mu-law at 8000 Hz */

char *
ngx_http_voicebridge_uplink_frame_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_voicebridge_loc_conf_t *vlcf = conf;

    ngx_str_t        *value;
    ngx_conf_enum_t  *e;

    static ngx_conf_enum_t  frames[] = {
        { ngx_string("20ms"), 0 },
        { ngx_string("40ms"), 320 },
        { ngx_string("60ms"), 480 },
        { ngx_string("100ms"), 800 },
        { ngx_null_string, 0 }
    };

    if (vlcf->uplink_frame != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (e = frames; e->name.len; e++) {

        if (ngx_strcmp(value[1].data, e->name.data) == 0) {
            vlcf->uplink_frame = e->value;
            return NGX_CONF_OK;
        }
    }

    return "must be \"20ms\", \"40ms\", \"60ms\" or \"100ms\"";
}


char *
ngx_http_voicebridge_auth_token_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_voicebridge_loc_conf_t *vlcf = conf;

    char       *rv;
    ngx_str_t  *value;

    if (vlcf->auth_token != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rv = ngx_http_voicebridge_secret_value(cf, &value[1], &vlcf->auth_token);

    if (rv != NGX_CONF_OK || cf->args->nelts == 2) {
        return rv;
    }

    return ngx_http_voicebridge_secret_value(cf, &value[2],
                                             &vlcf->auth_token2);
}


char *
ngx_http_voicebridge_api_keys_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_voicebridge_loc_conf_t *vlcf = conf;

    ngx_int_t   rc;
    ngx_str_t  *value, list;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (vlcf->api_keys_off != NGX_CONF_UNSET) {
            return vlcf->api_keys_off ? "is duplicate"
                                      : "is both \"off\" and has keys";
        }

        vlcf->api_keys_off = 1;

        return NGX_CONF_OK;
    }

    if (vlcf->api_keys_off == 1) {
        return "is both \"off\" and has keys";
    }

    vlcf->api_keys_off = 0;

    rc = ngx_http_voicebridge_secret(cf, &value[1], &list);

    if (rc == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "environment variable \"%s\" is not set",
                           value[1].data + 4);
        ngx_str_null(&list);
    }

    if (ngx_http_voicebridge_add_keys(cf, &list, &vlcf->api_keys) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_voicebridge_add_keys(ngx_conf_t *cf, ngx_str_t *list,
    ngx_array_t **keys)
{
    u_char     *p, *start, *end, *last;
    ngx_str_t  *key;

    if (*keys == NULL) {
        *keys = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
        if (*keys == NULL) {
            return NGX_ERROR;
        }
    }

    if (list->len == 0) {
        return NGX_OK;
    }

    last = list->data + list->len;

    for (start = list->data; start < last; start = p + 1) {

        /* a file may well have a key a line */

        for (p = start; p < last && *p != ',' && *p != LF; p++) {
            /* void */
        }

        end = p;

        while (start < end && *start <= ' ') {
            start++;
        }

        while (start < end && end[-1] <= ' ') {
            end--;
        }

        if (start == end) {
            continue;
        }

        key = ngx_array_push(*keys);
        if (key == NULL) {
            return NGX_ERROR;
        }

        key->data = start;
        key->len = end - start;
    }

    return NGX_OK;
}


char *
ngx_http_voicebridge_deny_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_voicebridge_loc_conf_t *vlcf = conf;

    ngx_str_t                          *value;
    ngx_uint_t                          i;
    ngx_http_complex_value_t          **cv;
    ngx_http_compile_complex_value_t    ccv;

    if (vlcf->deny == NULL) {
        vlcf->deny = ngx_array_create(cf->pool, 2,
                                      sizeof(ngx_http_complex_value_t *));
        if (vlcf->deny == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        cv = ngx_array_push(vlcf->deny);
        if (cv == NULL) {
            return NGX_CONF_ERROR;
        }

        *cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
        if (*cv == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &value[i];
        ccv.complex_value = *cv;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_voicebridge_certificate_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_voicebridge_loc_conf_t *vlcf = conf;

    ngx_str_t  *value;

    if (vlcf->ssl_trusted_certificate.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    vlcf->ssl_trusted_certificate = value[1];

    if (ngx_conf_full_name(cf->cycle, &vlcf->ssl_trusted_certificate, 1)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_voicebridge_test_certificate(cf,
                                              &vlcf->ssl_trusted_certificate)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * libcurl reads the file when a call is placed: a bad one is to be found
 * now.
 */

static ngx_int_t
ngx_http_voicebridge_test_certificate(ngx_conf_t *cf, ngx_str_t *file)
{
    int          ok;
    ngx_fd_t     fd;
    X509_STORE  *store;

    fd = ngx_open_file(file->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", file);
        return NGX_ERROR;
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", file);
    }

    store = X509_STORE_new();
    if (store == NULL) {
        return NGX_ERROR;
    }

    ok = X509_STORE_load_locations(store, (char *) file->data, NULL);

    X509_STORE_free(store);
    ERR_clear_error();

    if (!ok) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no certificate could be loaded from \"%V\", "
                           "it must be in PEM format", file);
        return NGX_ERROR;
    }

    return NGX_OK;
}


char *
ngx_http_voicebridge_path_post(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t *path = data;

    ngx_uint_t  i;

    if (path->len == 0 || path->data[0] != '/') {
        return "must be a path that begins with \"/\"";
    }

    for (i = 0; i < path->len; i++) {
        if (path->data[i] <= ' ' || path->data[i] >= 0x7f
            || path->data[i] == '?' || path->data[i] == '#')
        {
            return "must be a path without spaces, \"?\" and \"#\"";
        }
    }

    return NGX_CONF_OK;
}


char *
ngx_http_voicebridge_msec_post(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t *msec = data;

    return *msec ? NGX_CONF_OK : "must not be zero";
}


char *
ngx_http_voicebridge_sec_post(ngx_conf_t *cf, void *post, void *data)
{
    time_t *sec = data;

    return *sec ? NGX_CONF_OK : "must not be zero";
}


char *
ngx_http_voicebridge_size_post(ngx_conf_t *cf, void *post, void *data)
{
    size_t *size = data;

    return *size >= 1024 ? NGX_CONF_OK : "must not be less than 1k";
}
