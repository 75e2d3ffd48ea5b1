
/*
 * Creates the module's configuration and merges its levels; what the
 * original service read from its environment is read here.
 */


#include <ngx_http_voicebridge_conf.h>
#include <ngx_http_voicebridge_notify.h>
#include <ngx_http_voicebridge_secret.h>

#include <vb_json.h>
#include <vb_twilio_call.h>


#define ngx_http_voicebridge_inherit(conf, prev, field)                       \
    if (conf->field == NULL) {                                                \
        conf->field = prev->field;                                            \
    }


static ngx_int_t ngx_http_voicebridge_merge_secrets(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *prev,
    ngx_http_voicebridge_loc_conf_t *conf);
static ngx_int_t ngx_http_voicebridge_merge_services(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *prev,
    ngx_http_voicebridge_loc_conf_t *conf);
static void ngx_http_voicebridge_merge_limits(
    ngx_http_voicebridge_loc_conf_t *prev,
    ngx_http_voicebridge_loc_conf_t *conf);
static void ngx_http_voicebridge_merge_options(
    ngx_http_voicebridge_loc_conf_t *prev,
    ngx_http_voicebridge_loc_conf_t *conf);
static ngx_int_t ngx_http_voicebridge_merge_location(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *prev,
    ngx_http_voicebridge_loc_conf_t *conf);
static void ngx_http_voicebridge_merge_needs(
    ngx_http_voicebridge_main_conf_t *vmcf,
    ngx_http_voicebridge_loc_conf_t *conf);


void *
ngx_http_voicebridge_create_main_conf(ngx_conf_t *cf)
{
    char                              *value;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    vmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_voicebridge_main_conf_t));
    if (vmcf == NULL) {
        return NULL;
    }

    /* the environment is the master's own and outlives every cycle */

    value = ngx_http_voicebridge_getenv(cf, "ENVIRONMENT");

    if (value && ngx_strcmp(value, "production") == 0) {
        vmcf->production = 1;
    }

    value = ngx_http_voicebridge_getenv(cf, "HOST");

    if (value) {
        vmcf->host.data = (u_char *) value;
        vmcf->host.len = ngx_strlen(value);
    }

    /* OpenSSL follows SSL_CERT_FILE by itself, libcurl as a library not */

    value = ngx_http_voicebridge_getenv(cf, "SSL_CERT_FILE");

    if (value) {
        vmcf->ca_file.data = (u_char *) value;
        vmcf->ca_file.len = ngx_strlen(value);
    }

    (void) ngx_http_voicebridge_getenv(cf, "SSL_CERT_DIR");

    return vmcf;
}


void *
ngx_http_voicebridge_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_voicebridge_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_voicebridge_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc(): all strings, pointers to values, URLs and keys,
     * and what of conf->upstream ngx_http_voicebridge_init_stream() leaves
     */

    conf->upstream.hide_headers = NGX_CONF_UNSET_PTR;
    conf->upstream.pass_headers = NGX_CONF_UNSET_PTR;

    conf->elevenlabs_auth = NGX_CONF_UNSET_UINT;
    conf->max_agent_calls = NGX_CONF_UNSET;
    conf->idempotency = NGX_CONF_UNSET_UINT;
    conf->idempotency_lifetime = NGX_CONF_UNSET;
    conf->ring_timeout = NGX_CONF_UNSET;
    conf->caller_lookup_timeout = NGX_CONF_UNSET_MSEC;
    conf->caller_lookup_failure = NGX_CONF_UNSET_UINT;
    conf->record = NGX_CONF_UNSET_UINT;
    conf->machine_detection = NGX_CONF_UNSET_UINT;
    conf->api_keys_off = NGX_CONF_UNSET;
    conf->verify_signature = NGX_CONF_UNSET;
    conf->ssl_verify = NGX_CONF_UNSET;

    conf->twilio_timeout = NGX_CONF_UNSET_MSEC;
    conf->connect_timeout = NGX_CONF_UNSET_MSEC;
    conf->start_timeout = NGX_CONF_UNSET_MSEC;
    conf->stream_timeout = NGX_CONF_UNSET_MSEC;
    conf->agent_timeout = NGX_CONF_UNSET_MSEC;
    conf->max_call_duration = NGX_CONF_UNSET_MSEC;
    conf->token_lifetime = NGX_CONF_UNSET;
    conf->max_message_size = NGX_CONF_UNSET_SIZE;
    conf->max_stream_message_size = NGX_CONF_UNSET_SIZE;
    conf->max_json_depth = NGX_CONF_UNSET;
    conf->uplink_frame = NGX_CONF_UNSET_SIZE;

    conf->log_transcripts = NGX_CONF_UNSET;
    conf->transcript_log = NGX_CONF_UNSET_PTR;
    conf->webhook = NGX_CONF_UNSET_PTR;
    conf->webhook_timeout = NGX_CONF_UNSET_MSEC;
    conf->webhook_lifetime = NGX_CONF_UNSET;
    conf->shutdown_handoff = NGX_CONF_UNSET;

    return conf;
}


char *
ngx_http_voicebridge_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_voicebridge_loc_conf_t *prev = parent;
    ngx_http_voicebridge_loc_conf_t *conf = child;

    if (ngx_http_voicebridge_merge_secrets(cf, prev, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_voicebridge_merge_services(cf, prev, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_voicebridge_merge_limits(prev, conf);
    ngx_http_voicebridge_merge_options(prev, conf);

    if (ngx_http_voicebridge_merge_location(cf, prev, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_voicebridge_merge_webhook(cf, prev, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_voicebridge_merge_secrets(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *prev,
    ngx_http_voicebridge_loc_conf_t *conf)
{
    ngx_str_t    value;
    const char  *keys;

    ngx_http_voicebridge_inherit(conf, prev, account_sid);
    ngx_http_voicebridge_inherit(conf, prev, phone_number);
    ngx_http_voicebridge_inherit(conf, prev, elevenlabs_api_key);

    if (conf->auth_token == NULL) {
        conf->auth_token = prev->auth_token;
        conf->auth_token2 = prev->auth_token2;
    }

    if (conf->account_sid == NULL) {
        conf->account_sid = ngx_http_voicebridge_secret_env(cf,
                                                       "TWILIO_ACCOUNT_SID");
    }

    if (conf->auth_token == NULL) {
        conf->auth_token = ngx_http_voicebridge_secret_env(cf,
                                                       "TWILIO_AUTH_TOKEN");
    }

    if (conf->phone_number == NULL) {
        conf->phone_number = ngx_http_voicebridge_secret_env(cf,
                                                      "TWILIO_PHONE_NUMBER");
    }

    if (conf->elevenlabs_api_key == NULL) {
        conf->elevenlabs_api_key = ngx_http_voicebridge_secret_env(cf,
                                                       "ELEVENLABS_API_KEY");
    }

    if (conf->api_keys_off == NGX_CONF_UNSET) {
        conf->api_keys = prev->api_keys;
        conf->api_keys_off = prev->api_keys_off;
    }

    if (conf->api_keys_off == NGX_CONF_UNSET) {
        conf->api_keys_off = 0;

        keys = ngx_http_voicebridge_getenv(cf, "API_KEYS");

        if (keys) {
            value.data = (u_char *) keys;
            value.len = ngx_strlen(keys);

            return ngx_http_voicebridge_add_keys(cf, &value, &conf->api_keys);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_merge_services(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *prev,
    ngx_http_voicebridge_loc_conf_t *conf)
{
    ngx_http_complex_value_t  *key;

    static ngx_str_t  twilio = ngx_string("https://api.twilio.com");
    static ngx_str_t  elevenlabs = ngx_string("https://api.elevenlabs.io");

    ngx_http_voicebridge_inherit(conf, prev, agent);
    ngx_http_voicebridge_inherit(conf, prev, deny);
    ngx_http_voicebridge_inherit(conf, prev, public_url);
    ngx_http_voicebridge_inherit(conf, prev, fallback_twiml);
    ngx_http_voicebridge_inherit(conf, prev, twilio_api_url);
    ngx_http_voicebridge_inherit(conf, prev, elevenlabs_url);

    if (conf->twilio_api_url == NULL
        && ngx_http_voicebridge_parse_url(cf, &twilio, &conf->twilio_api_url)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->elevenlabs_url == NULL
        && ngx_http_voicebridge_parse_url(cf, &elevenlabs,
                                          &conf->elevenlabs_url)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!prev->auth_default) {
        ngx_conf_merge_uint_value(conf->elevenlabs_auth, prev->elevenlabs_auth,
                                  NGX_CONF_UNSET_UINT);
    }

    if (conf->elevenlabs_auth == NGX_CONF_UNSET_UINT) {

        /* depends on the key, which a nested level may have of its own */

        conf->auth_default = 1;

        key = conf->elevenlabs_api_key;

        conf->elevenlabs_auth = (key && key->value.len)
                                ? NGX_HTTP_VOICEBRIDGE_AUTH_SIGNED_URL
                                : NGX_HTTP_VOICEBRIDGE_AUTH_NONE;
    }

    ngx_conf_merge_str_value(conf->media_stream_path, prev->media_stream_path,
                             "/twilio/media-stream");
    ngx_conf_merge_str_value(conf->call_status_path, prev->call_status_path,
                             "/twilio/call-status");

    ngx_conf_merge_value(conf->ssl_verify, prev->ssl_verify, 1);
    ngx_conf_merge_str_value(conf->ssl_trusted_certificate,
                             prev->ssl_trusted_certificate, "");

    return NGX_OK;
}


static void
ngx_http_voicebridge_merge_limits(ngx_http_voicebridge_loc_conf_t *prev,
    ngx_http_voicebridge_loc_conf_t *conf)
{
    ngx_conf_merge_msec_value(conf->twilio_timeout, prev->twilio_timeout,
                              10000);
    ngx_conf_merge_msec_value(conf->connect_timeout, prev->connect_timeout,
                              10000);
    ngx_conf_merge_msec_value(conf->start_timeout, prev->start_timeout, 10000);
    ngx_conf_merge_msec_value(conf->stream_timeout, prev->stream_timeout,
                              15000);
    ngx_conf_merge_msec_value(conf->agent_timeout, prev->agent_timeout, 60000);
    ngx_conf_merge_msec_value(conf->max_call_duration, prev->max_call_duration,
                              3600000);
    ngx_conf_merge_sec_value(conf->token_lifetime, prev->token_lifetime, 3600);
    ngx_conf_merge_size_value(conf->max_message_size, prev->max_message_size,
                              16 * 1024 * 1024);
    ngx_conf_merge_size_value(conf->max_stream_message_size,
                              prev->max_stream_message_size, 128 * 1024);
    ngx_conf_merge_value(conf->max_json_depth, prev->max_json_depth,
                         VB_JSON_DEPTH);
    ngx_conf_merge_size_value(conf->uplink_frame, prev->uplink_frame, 0);

    ngx_conf_merge_value(conf->max_agent_calls, prev->max_agent_calls, 0);
    ngx_conf_merge_uint_value(conf->idempotency, prev->idempotency,
                              NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HEADER);
    ngx_conf_merge_sec_value(conf->idempotency_lifetime,
                             prev->idempotency_lifetime, 86400);

    ngx_conf_merge_value(conf->verify_signature, prev->verify_signature, 1);
    ngx_conf_merge_value(conf->log_transcripts, prev->log_transcripts, 1);
    ngx_conf_merge_ptr_value(conf->transcript_log, prev->transcript_log, NULL);
    ngx_conf_merge_value(conf->shutdown_handoff, prev->shutdown_handoff, 0);
}


static void
ngx_http_voicebridge_merge_options(ngx_http_voicebridge_loc_conf_t *prev,
    ngx_http_voicebridge_loc_conf_t *conf)
{
    ngx_http_voicebridge_inherit(conf, prev, send_digits);
    ngx_http_voicebridge_inherit(conf, prev, message_twiml);
    ngx_http_voicebridge_inherit(conf, prev, override);
    ngx_http_voicebridge_inherit(conf, prev, user_id);
    ngx_http_voicebridge_inherit(conf, prev, environment);
    ngx_http_voicebridge_inherit(conf, prev, branch_id);
    ngx_http_voicebridge_inherit(conf, prev, caller_lookup);
    ngx_http_voicebridge_inherit(conf, prev, caller_lookup_headers);

    ngx_conf_merge_msec_value(conf->caller_lookup_timeout,
                              prev->caller_lookup_timeout, 2000);
    ngx_conf_merge_uint_value(conf->caller_lookup_failure,
                              prev->caller_lookup_failure,
                              NGX_HTTP_VOICEBRIDGE_LOOKUP_CONTINUE);

    ngx_conf_merge_sec_value(conf->ring_timeout, prev->ring_timeout, 0);
    ngx_conf_merge_uint_value(conf->record, prev->record,
                              VB_TWILIO_RECORD_OFF);
    ngx_conf_merge_uint_value(conf->machine_detection, prev->machine_detection,
                              VB_TWILIO_DETECTION_OFF);

    if (!conf->answered_by_set) {
        conf->answered_by = prev->answered_by;
        conf->answered_by_set = prev->answered_by_set;
    }
}


static ngx_int_t
ngx_http_voicebridge_merge_location(ngx_conf_t *cf,
    ngx_http_voicebridge_loc_conf_t *prev,
    ngx_http_voicebridge_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t          *clcf;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    vmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_voicebridge_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == NULL && (clcf->noname || clcf->lmt_excpt)) {

        /*
         * within "if" the location's handler runs with this configuration;
         * within "limit_except" it has to be given it as well
         */

        conf->location = prev->location;

        if (clcf->lmt_excpt && conf->location) {
            clcf->handler = conf->location->handler;
        }
    }

    if (conf->location == NULL) {
        return NGX_OK;
    }

    if (clcf->handler && clcf->handler != conf->location->handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "location \"%V\" has a voicebridge handler and "
                           "another one, which would replace it", &clcf->name);
        return NGX_ERROR;
    }

    ngx_http_voicebridge_merge_needs(vmcf, conf);

    if (conf->location->keys
        && conf->api_keys == NULL && !conf->api_keys_off)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "no \"voicebridge_api_keys\" and no API_KEYS in "
                           "the environment: every API request will be "
                           "refused");
    }

    return conf->location->streams
           ? ngx_http_voicebridge_init_stream(cf, prev, conf)
           : NGX_OK;
}


/* what some location needs the process has to have */

static void
ngx_http_voicebridge_merge_needs(ngx_http_voicebridge_main_conf_t *vmcf,
    ngx_http_voicebridge_loc_conf_t *conf)
{
    ngx_http_voicebridge_location_t  *location;

    location = conf->location;

    vmcf->fetches |= location->fetches;
    vmcf->streams |= location->streams;
    vmcf->views |= location->views;
    vmcf->talks |= location->talks;

    if (location->keys) {
        vmcf->holds |= conf->max_agent_calls != 0;
        vmcf->keeps |=
                   conf->idempotency != NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_OFF;
        vmcf->sessions |=
               conf->idempotency == NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_SESSION;
    }
}
