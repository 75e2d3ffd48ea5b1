
/*
 * What a location that bridges calls is given when the configuration is
 * loaded: the agent's upstream with TLS, a resolver, the resampler's filters.
 */


#include <ngx_http_voicebridge_agent_peer.h>
#include <ngx_http_voicebridge_conf.h>

#include <netdb.h>

#include <vb_utf8.h>


/* as many as the C library takes from /etc/resolv.conf (MAXNS) */
#define NGX_HTTP_VOICEBRIDGE_NAME_SERVERS  3
#define NGX_HTTP_VOICEBRIDGE_RESOLV_CONF   "/etc/resolv.conf"

#define NGX_HTTP_VOICEBRIDGE_VERIFY_DEPTH  9


static ngx_int_t ngx_http_voicebridge_init_host(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us);
static ngx_uint_t ngx_http_voicebridge_known_host(ngx_str_t *name);
static ngx_uint_t ngx_http_voicebridge_same_host(ngx_str_t *name,
    const char *host);
static ngx_int_t ngx_http_voicebridge_init_auth(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *conf);
static ngx_int_t ngx_http_voicebridge_init_upstream(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *prev,
    ngx_http_voicebridge_loc_conf_t *conf);
static ngx_int_t ngx_http_voicebridge_init_ssl(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *conf);
#if (NGX_HTTP_SSL)
static ngx_int_t ngx_http_voicebridge_trust(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *conf);
#endif
static ngx_int_t ngx_http_voicebridge_init_bank(ngx_conf_t *cf);
static void ngx_http_voicebridge_cleanup_bank(void *data);
static ngx_int_t ngx_http_voicebridge_init_resolver(ngx_conf_t *cf);
static ngx_uint_t ngx_http_voicebridge_name_servers(ngx_conf_t *cf,
    ngx_str_t *names);
static ngx_int_t ngx_http_voicebridge_name_server(ngx_conf_t *cf, char *line,
    ngx_str_t *name);


static ngx_str_t  ngx_http_voicebridge_hide_headers[] = {
    ngx_string("Connection"),
    ngx_string("Upgrade"),
    ngx_string("Sec-WebSocket-Accept"),
    ngx_null_string
};


/*
 * nginx's resolver asks name servers only.  A host of /etc/hosts, localhost
 * above all, becomes an upstream with the addresses it has now, as with
 * proxy_pass; core finds it by host and port when a call connects.
 */

char *
ngx_http_voicebridge_elevenlabs_url_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char                          *rv;
    ngx_url_t                      u;
    ngx_http_voicebridge_url_t    *url;
    ngx_http_upstream_srv_conf_t  *uscf;

    rv = ngx_http_voicebridge_url_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    url = *(ngx_http_voicebridge_url_t **) ((char *) conf + cmd->offset);

    if (!ngx_http_voicebridge_known_host(&url->host)) {
        return NGX_CONF_OK;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = url->host_header;
    u.default_port = url->port;
    u.no_resolve = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    uscf = ngx_http_upstream_add(cf, &u, 0);
    if (uscf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (uscf->peer.init_upstream == NULL) {
        uscf->peer.init_upstream = ngx_http_voicebridge_init_host;
    }

    return NGX_CONF_OK;
}


/*
 * A call that fails must not touch another: no address of such a host is
 * taken for dead because an attempt failed.  An upstream block of that name,
 * which may stand further down, has servers and keeps its own max_fails.
 */

static ngx_int_t
ngx_http_voicebridge_init_host(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_uint_t                     implicit;
    ngx_http_upstream_rr_peer_t   *peer;
    ngx_http_upstream_rr_peers_t  *peers;

    implicit = us->servers == NULL;

    if (ngx_http_upstream_init_round_robin(cf, us) != NGX_OK) {
        return NGX_ERROR;
    }

    if (implicit) {
        peers = us->peer.data;

        for (peer = peers->peer; peer; peer = peer->next) {
            peer->max_fails = 0;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_voicebridge_known_host(ngx_str_t *name)
{
    char           **alias;
    ngx_uint_t       known;
    struct hostent  *h;

    known = 0;

    sethostent(0);

    while (!known && (h = gethostent()) != NULL) {

        known = ngx_http_voicebridge_same_host(name, h->h_name);

        for (alias = h->h_aliases; !known && *alias; alias++) {
            known = ngx_http_voicebridge_same_host(name, *alias);
        }
    }

    endhostent();

    return known;
}


static ngx_uint_t
ngx_http_voicebridge_same_host(ngx_str_t *name, const char *host)
{
    return ngx_strlen(host) == name->len
           && ngx_strncasecmp(name->data, (u_char *) host, name->len) == 0;
}


ngx_int_t
ngx_http_voicebridge_init_stream(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *prev,
    ngx_http_voicebridge_loc_conf_t *conf)
{
    if (ngx_http_voicebridge_init_auth(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_voicebridge_init_upstream(cf, prev, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_voicebridge_init_ssl(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_voicebridge_init_resolver(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_voicebridge_init_bank(cf);
}


static ngx_int_t
ngx_http_voicebridge_init_auth(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *conf)
{
    ngx_http_complex_value_t  *key;

    if (conf->elevenlabs_auth == NGX_HTTP_VOICEBRIDGE_AUTH_NONE) {
        return NGX_OK;
    }

    key = conf->elevenlabs_api_key;

    if (key && key->value.len) {

        if (vb_utf8_is_plain(key->value.data, key->value.len)) {
            return NGX_OK;
        }

        /* it becomes a header, which would end there */

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the API key of ElevenLabs has a control character: "
                           "a file it is read from may have one line only");
        return NGX_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"voicebridge_elevenlabs_auth %s\" needs an API key: "
                       "set \"voicebridge_elevenlabs_api_key\" or "
                       "ELEVENLABS_API_KEY in nginx's environment",
                       conf->elevenlabs_auth
                       == NGX_HTTP_VOICEBRIDGE_AUTH_HEADER ? "header"
                                                           : "signed_url");

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_voicebridge_init_upstream(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *prev,
    ngx_http_voicebridge_loc_conf_t *conf)
{
    ngx_hash_init_t            hash;
    ngx_http_upstream_conf_t  *u;

    u = &conf->upstream;

    /*
     * what is not set here is zero and means "off" to core in every version:
     * no store, no cache, no buffering, no bind, no client certificate
     */

    u->connect_timeout = conf->connect_timeout;
    u->send_timeout = conf->connect_timeout;
    u->read_timeout = conf->connect_timeout;

    u->next_upstream = NGX_CONF_BITMASK_SET
                       |NGX_HTTP_UPSTREAM_FT_ERROR
                       |NGX_HTTP_UPSTREAM_FT_TIMEOUT;
    u->next_upstream_timeout = conf->connect_timeout;

    u->buffer_size = ngx_pagesize;

    /* the module itself sees the phone leave while the agent is connected */

    u->ignore_client_abort = 1;

    ngx_str_set(&u->module, "voicebridge");

    /* never looked into while the handshake is taken over, but an empty
     * table would be a division by zero if core ever did */

    hash.max_size = 512;
    hash.bucket_size = ngx_align(64, ngx_cacheline_size);
    hash.name = "voicebridge_hide_headers_hash";

    return ngx_http_upstream_hide_headers_hash(cf, u, &prev->upstream,
                                           ngx_http_voicebridge_hide_headers,
                                           &hash);
}


#if (NGX_HTTP_SSL)

static ngx_int_t
ngx_http_voicebridge_init_ssl(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *conf)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    static ngx_str_t  ciphers = ngx_string("DEFAULT");

    /* made for http:// as well: a signed URL carries its own scheme */

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (ssl == NULL) {
        return NGX_ERROR;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    conf->sessions = ngx_http_voicebridge_agent_session_create(cf);
    if (conf->sessions == NULL) {
        return NGX_ERROR;
    }

    conf->upstream.ssl = ssl;
    conf->upstream.ssl_session_reuse = 1;
    conf->upstream.ssl_server_name = 1;
    conf->upstream.ssl_verify = conf->ssl_verify;

    if (ngx_ssl_ciphers(cf, ssl, &ciphers, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    if (conf->ssl_verify && ngx_http_voicebridge_trust(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_ssl_client_session_cache(cf, ssl, 1);
}


static ngx_int_t
ngx_http_voicebridge_trust(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *conf)
{
    /* loads nothing where no file is given */

    if (ngx_ssl_trusted_certificate(cf, conf->upstream.ssl,
                                    &conf->ssl_trusted_certificate,
                                    NGX_HTTP_VOICEBRIDGE_VERIFY_DEPTH)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->ssl_trusted_certificate.len) {
        return NGX_OK;
    }

    /* the system's store; OpenSSL follows SSL_CERT_FILE and SSL_CERT_DIR */

    if (SSL_CTX_set_default_verify_paths(conf->upstream.ssl->ctx) == 0) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_default_verify_paths() failed");
        return NGX_ERROR;
    }

    ERR_clear_error();

    return NGX_OK;
}

#else

static ngx_int_t
ngx_http_voicebridge_init_ssl(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *conf)
{
    if (!conf->elevenlabs_url->ssl) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"voicebridge_elevenlabs_url %V\" needs an nginx "
                       "built with --with-http_ssl_module",
                       &conf->elevenlabs_url->url);

    return NGX_ERROR;
}

#endif


static ngx_int_t
ngx_http_voicebridge_init_bank(ngx_conf_t *cf)
{
    ngx_pool_cleanup_t                *cln;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    vmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_voicebridge_module);

    if (vmcf->bank) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    vmcf->bank = vb_resampler_bank_create();
    if (vmcf->bank == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_voicebridge_cleanup_bank;
    cln->data = vmcf->bank;

    return NGX_OK;
}


static void
ngx_http_voicebridge_cleanup_bank(void *data)
{
    vb_resampler_bank_destroy(data);
}


/*
 * A signed URL may name any host, so names are resolved while serving.  Where
 * no "resolver" is configured the system's name servers are asked.
 */

static ngx_int_t
ngx_http_voicebridge_init_resolver(ngx_conf_t *cf)
{
    ngx_str_t                          names[NGX_HTTP_VOICEBRIDGE_NAME_SERVERS];
    ngx_uint_t                         n;
    ngx_http_core_loc_conf_t          *clcf;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->resolver && clcf->resolver->connections.nelts) {
        return NGX_OK;
    }

    vmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_voicebridge_module);

    if (!vmcf->resolver_done) {
        vmcf->resolver_done = 1;

        n = ngx_http_voicebridge_name_servers(cf, names);

        if (n) {
            vmcf->resolver = ngx_resolver_create(cf, names, n);
            if (vmcf->resolver == NULL) {
                return NGX_ERROR;
            }
        }
    }

    if (vmcf->resolver) {
        clcf->resolver = vmcf->resolver;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_voicebridge_name_servers(ngx_conf_t *cf, ngx_str_t *names)
{
    FILE        *fp;
    char         line[256];
    ngx_uint_t   n;

    fp = fopen(NGX_HTTP_VOICEBRIDGE_RESOLV_CONF, "r");

    if (fp == NULL) {
        return 0;
    }

    n = 0;

    while (n < NGX_HTTP_VOICEBRIDGE_NAME_SERVERS
           && fgets(line, sizeof(line), fp) != NULL)
    {
        if (ngx_http_voicebridge_name_server(cf, line, &names[n]) == NGX_OK) {
            n++;
        }
    }

    (void) fclose(fp);

    return n;
}


/* a line of resolv.conf(5); an address with a zone is nothing to nginx */

static ngx_int_t
ngx_http_voicebridge_name_server(ngx_conf_t *cf, char *line, ngx_str_t *name)
{
    u_char     *p;
    size_t      len;
    ngx_str_t   addr;
    ngx_addr_t  parsed;

    len = sizeof("nameserver") - 1;

    if (ngx_strncmp(line, "nameserver", len) != 0
        || (line[len] != ' ' && line[len] != '\t'))
    {
        return NGX_DECLINED;
    }

    addr.data = (u_char *) line + len + strspn(line + len, " \t");
    addr.len = strcspn((char *) addr.data, " \t\r\n");

    if (ngx_parse_addr(cf->temp_pool, &parsed, addr.data, addr.len) != NGX_OK) {
        return NGX_DECLINED;
    }

    name->data = ngx_pnalloc(cf->pool, addr.len + sizeof("[]"));
    if (name->data == NULL) {
        return NGX_DECLINED;
    }

    p = ngx_sprintf(name->data,
                    parsed.sockaddr->sa_family == AF_INET ? "%V" : "[%V]",
                    &addr);

    name->len = p - name->data;
    *p = '\0';

    return NGX_OK;
}
