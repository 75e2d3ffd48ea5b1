
/* The directives of webhooks, and what a location's come to */


#include <ngx_http_voicebridge_conf.h>
#include <ngx_http_voicebridge_notify_event.h>
#include <ngx_http_voicebridge_secret.h>

#include <openssl/evp.h>


static ngx_int_t ngx_http_voicebridge_webhook_url(ngx_conf_t *cf,
    ngx_str_t *value, ngx_http_voicebridge_webhook_t *webhook);
static char *ngx_http_voicebridge_webhook_directory(ngx_conf_t *cf,
    ngx_str_t *name);
static ngx_int_t ngx_http_voicebridge_webhook_key(ngx_conf_t *cf,
    ngx_http_voicebridge_webhook_t *webhook);
static ngx_int_t ngx_http_voicebridge_webhook_register(ngx_conf_t *cf,
    ngx_http_voicebridge_webhook_t *webhook);


static ngx_conf_bitmask_t  ngx_http_voicebridge_webhook_events[] = {
    { ngx_string("started"), NGX_HTTP_VOICEBRIDGE_EVENT_STARTED },
    { ngx_string("answered"), NGX_HTTP_VOICEBRIDGE_EVENT_ANSWERED },
    { ngx_string("ended"), NGX_HTTP_VOICEBRIDGE_EVENT_ENDED },
    { ngx_string("transcript"), NGX_HTTP_VOICEBRIDGE_EVENT_ENDED
                                |NGX_HTTP_VOICEBRIDGE_EVENT_TRANSCRIPT },
    { ngx_string("tool_failed"), NGX_HTTP_VOICEBRIDGE_EVENT_TOOL_FAILED },
    { ngx_string("not_answered"), NGX_HTTP_VOICEBRIDGE_EVENT_NOT_ANSWERED },
    { ngx_null_string, 0 }
};


char *
ngx_http_voicebridge_webhook_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_voicebridge_loc_conf_t *vlcf = conf;

    ngx_str_t                       *value;
    ngx_uint_t                       i;
    ngx_conf_bitmask_t              *e;
    ngx_http_voicebridge_webhook_t  *webhook;

    if (vlcf->webhook != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0 && cf->args->nelts == 2) {
        vlcf->webhook = NULL;
        return NGX_CONF_OK;
    }

    webhook = ngx_pcalloc(cf->pool, sizeof(ngx_http_voicebridge_webhook_t));
    if (webhook == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_voicebridge_webhook_url(cf, &value[1], webhook) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        for (e = ngx_http_voicebridge_webhook_events; e->name.len; e++) {
            if (ngx_strcmp(e->name.data, value[i].data) == 0) {
                break;
            }
        }

        if (e->name.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid event \"%V\", there are \"started\", "
                               "\"answered\", \"ended\", \"transcript\", "
                               "\"tool_failed\" and \"not_answered\"",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        webhook->events |= e->mask;
    }

    if (webhook->events == 0) {
        webhook->events = (ngx_uint_t) -1;
    }

    vlcf->webhook = webhook;

    return NGX_CONF_OK;
}


/* as of the services, and a query may follow */

static ngx_int_t
ngx_http_voicebridge_webhook_url(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_voicebridge_webhook_t *webhook)
{
    u_char                      *p;
    size_t                       len;
    ngx_str_t                    base;
    ngx_uint_t                   i;
    ngx_http_voicebridge_url_t  *url;

    p = ngx_strlchr(value->data, value->data + value->len, '?');

    base.data = value->data;
    base.len = p ? (size_t) (p - value->data) : value->len;

    for (i = base.len; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] >= 0x7f
            || ngx_strchr("#\"<>\\", value->data[i]))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid URL \"%V\": in a query \"%c\" has to "
                               "be percent-encoded", value, value->data[i]);
            return NGX_ERROR;
        }
    }

    if (ngx_http_voicebridge_parse_url(cf, &base, &url) != NGX_OK) {
        return NGX_ERROR;
    }

    webhook->url = *value;

    len = sizeof("https://") + url->host_header.len;

    webhook->origin.data = ngx_pnalloc(cf->pool, len);
    if (webhook->origin.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(webhook->origin.data, "%s://%V",
                    url->ssl ? "https" : "http", &url->host_header);
    webhook->origin.len = p - webhook->origin.data;

    return NGX_OK;
}


char *
ngx_http_voicebridge_webhook_secret_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_voicebridge_loc_conf_t *vlcf = conf;

    ngx_int_t   rc;
    ngx_str_t  *value;

    if (vlcf->webhook_secret.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        ngx_str_set(&vlcf->webhook_secret, "");
        return NGX_CONF_OK;
    }

    rc = ngx_http_voicebridge_secret(cf, &value[1], &vlcf->webhook_secret);

    if (rc == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "environment variable \"%s\" is not set",
                           value[1].data + 4);
        return NGX_CONF_ERROR;
    }

    if (vlcf->webhook_secret.len == 0) {
        return "is empty, \"off\" is for events that are not signed";
    }

    return NGX_CONF_OK;
}


/* nginx makes the directory, and gives it to its workers' user */

char *
ngx_http_voicebridge_webhook_spool_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_voicebridge_main_conf_t *vmcf = conf;

    char             *rv;
    ngx_int_t         n;
    ngx_str_t        *value;

    vmcf->webhook_max = NGX_HTTP_VOICEBRIDGE_NOTIFY_EVENTS;

    if (cf->args->nelts == 3) {
        value = cf->args->elts;

        if (ngx_strncmp(value[2].data, "max=", 4) != 0) {
            return "has no other parameter than \"max=number\"";
        }

        n = ngx_atoi(value[2].data + 4, value[2].len - 4);

        if (n == NGX_ERROR || n == 0) {
            return "has an invalid \"max\"";
        }

        vmcf->webhook_max = n;

        /* there are no levels as of nginx's own paths */

        cf->args->nelts = 2;
    }

    rv = ngx_conf_set_path_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

#if (NGX_THREADS)

    vmcf->webhook_threads = ngx_thread_pool_add(cf, NULL);

    if (vmcf->webhook_threads == NULL) {
        return NGX_CONF_ERROR;
    }

#endif

    return ngx_http_voicebridge_webhook_directory(cf,
                                                  &vmcf->webhook_spool->name);
}


static char *
ngx_http_voicebridge_webhook_directory(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_file_info_t  fi;

    /* room for what is below it */

    if (name->len + 2 * NGX_HTTP_VOICEBRIDGE_SPOOL_NAME
        > NGX_MAX_PATH)
    {
        return "has a name that is too long";
    }

    if (ngx_file_info(name->data, &fi) == NGX_FILE_ERROR) {
        return NGX_CONF_OK;
    }

    if (!ngx_is_dir(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" is not a directory",
                           name);
        return NGX_CONF_ERROR;
    }

    if (geteuid() != 0
        && access((char *) name->data, R_OK|W_OK|X_OK) == -1)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "directory \"%V\" cannot be written to", name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_voicebridge_merge_webhook(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *prev,
    ngx_http_voicebridge_loc_conf_t *conf)
{
    ngx_http_voicebridge_webhook_t  *webhook;

    ngx_conf_merge_ptr_value(conf->webhook, prev->webhook, NULL);
    ngx_conf_merge_msec_value(conf->webhook_timeout, prev->webhook_timeout,
                              10000);
    ngx_conf_merge_sec_value(conf->webhook_lifetime, prev->webhook_lifetime,
                             86400);

    if (conf->webhook_secret.data == NULL) {
        conf->webhook_secret = prev->webhook_secret;
    }

    if (conf->webhook == NULL || conf->location == NULL) {
        return NGX_OK;
    }

    if (conf->webhook_secret.data == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"voicebridge_webhook\" to \"%V\" needs a "
                      "\"voicebridge_webhook_secret\", by which the receiver "
                      "knows who has sent an event, or \"off\" as one",
                      &conf->webhook->origin);
        return NGX_ERROR;
    }

    webhook = ngx_palloc(cf->pool, sizeof(ngx_http_voicebridge_webhook_t));
    if (webhook == NULL) {
        return NGX_ERROR;
    }

    *webhook = *conf->webhook;

    webhook->secret = conf->webhook_secret;
    webhook->timeout = conf->webhook_timeout;
    webhook->lifetime = conf->webhook_lifetime;
    webhook->ssl_verify = conf->ssl_verify;
    webhook->trusted_certificate = conf->ssl_trusted_certificate;

    conf->webhook = webhook;

    if (ngx_http_voicebridge_webhook_key(cf, webhook) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_voicebridge_webhook_register(cf, webhook);
}


/*
 * What waits on disk knows its webhook by this.  The secret has no part in it:
 * it may be another one when the event is sent.
 */

static ngx_int_t
ngx_http_voicebridge_webhook_key(ngx_conf_t *cf,
    ngx_http_voicebridge_webhook_t *webhook)
{
    u_char  *p, *way;
    u_char   url[EVP_MAX_MD_SIZE], rest[EVP_MAX_MD_SIZE];

    way = ngx_pnalloc(cf->pool, 3 * NGX_INT64_LEN
                                + webhook->trusted_certificate.len);
    if (way == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(way, "%M %T %i %V", webhook->timeout, webhook->lifetime,
                    webhook->ssl_verify, &webhook->trusted_certificate);

    if (EVP_Digest(webhook->url.data, webhook->url.len, url, NULL,
                   EVP_sha256(), NULL)
        != 1
        || EVP_Digest(way, p - way, rest, NULL, EVP_sha256(), NULL) != 1)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "EVP_Digest() failed");
        return NGX_ERROR;
    }

    p = ngx_hex_dump(webhook->key, url,
                     NGX_HTTP_VOICEBRIDGE_WEBHOOK_URL_KEY / 2);

    (void) ngx_hex_dump(p, rest, (NGX_HTTP_VOICEBRIDGE_WEBHOOK_KEY
                                  - NGX_HTTP_VOICEBRIDGE_WEBHOOK_URL_KEY) / 2);

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_webhook_register(ngx_conf_t *cf,
    ngx_http_voicebridge_webhook_t *webhook)
{
    ngx_uint_t                          i;
    ngx_http_voicebridge_webhook_t    **w;
    ngx_http_voicebridge_main_conf_t   *vmcf;

    vmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_voicebridge_module);

    if (vmcf->webhooks == NULL) {
        vmcf->webhooks = ngx_array_create(cf->pool, 2,
                                   sizeof(ngx_http_voicebridge_webhook_t *));
        if (vmcf->webhooks == NULL) {
            return NGX_ERROR;
        }
    }

    vmcf->fetches = 1;

    w = vmcf->webhooks->elts;

    for (i = 0; i < vmcf->webhooks->nelts; i++) {

        if (ngx_http_voicebridge_webhook_same(w[i], webhook)) {
            return NGX_OK;
        }

        if (ngx_memn2cmp(w[i]->url.data, webhook->url.data, w[i]->url.len,
                         webhook->url.len)
            == 0
            && ngx_memn2cmp(w[i]->secret.data, webhook->secret.data,
                            w[i]->secret.len, webhook->secret.len)
               != 0)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"voicebridge_webhook\" to \"%V\" has one "
                          "\"voicebridge_webhook_secret\" here and another "
                          "there", &webhook->origin);
            return NGX_ERROR;
        }
    }

    w = ngx_array_push(vmcf->webhooks);
    if (w == NULL) {
        return NGX_ERROR;
    }

    *w = webhook;

    return NGX_OK;
}
