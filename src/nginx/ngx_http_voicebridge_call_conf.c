
/* Reads the values of directives that say how a call is placed and begins */


#include <ngx_http_voicebridge_conf.h>
#include <ngx_http_voicebridge_secret.h>

#include <vb_json.h>
#include <vb_twilio_call.h>


/* Twilio's limits: of ringing; of a webhook's answer, less the way to it */
#define NGX_HTTP_VOICEBRIDGE_RING_TIMEOUT    600
#define NGX_HTTP_VOICEBRIDGE_LOOKUP_TIMEOUT  14000


char *
ngx_http_voicebridge_answered_by_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_voicebridge_loc_conf_t *vlcf = conf;

    int         class, action;
    ngx_str_t  *value;

    value = cf->args->elts;

    class = vb_twilio_class(&value[1]);

    if (class == VB_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" does not answer calls; these do: human, "
                           "machine, machine_start, machine_end_beep, "
                           "machine_end_silence, machine_end_other, fax, "
                           "unknown", &value[1]);
        return NGX_CONF_ERROR;
    }

    action = vb_twilio_action(&value[2]);

    if (action == VB_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid action \"%V\", it must be \"continue\", "
                           "\"hang_up\" or \"message\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    if (vlcf->answered_by.action[class] != VB_TWILIO_UNDECIDED) {
        return "is duplicate";
    }

    vlcf->answered_by.action[class] = (u_char) action;
    vlcf->answered_by_set = 1;

    return NGX_CONF_OK;
}


char *
ngx_http_voicebridge_override_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char                      *rv;
    ngx_http_complex_value_t  *cv;

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    cv = *(ngx_http_complex_value_t **) ((char *) conf + cmd->offset);

    if (cv->lengths == NULL && cv->value.len
        && vb_json_check(&cv->value, VB_JSON_OBJECT) != VB_OK)
    {
        return "must be a JSON object";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_voicebridge_send_digits_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char                      *rv;
    ngx_http_complex_value_t  *cv;

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    cv = *(ngx_http_complex_value_t **) ((char *) conf + cmd->offset);

    if (cv->lengths == NULL && cv->value.len && !vb_twilio_digits(&cv->value))
    {
        return "must be 1 to 32 of 0-9, A-D, #, *, w and W";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_voicebridge_caller_lookup_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char                      *rv;
    ngx_http_complex_value_t  *cv;

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    cv = *(ngx_http_complex_value_t **) ((char *) conf + cmd->offset);

    if (cv->lengths) {
        return NGX_CONF_OK;
    }

    if (cv->value.len == 3 && ngx_strncmp(cv->value.data, "off", 3) == 0) {
        ngx_str_null(&cv->value);
        return NGX_CONF_OK;
    }

    if (!ngx_http_voicebridge_is_url(&cv->value)) {
        return "must be \"off\" or a URL that begins with \"http://\" or "
               "\"https://\"";
    }

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_http_voicebridge_is_url(ngx_str_t *url)
{
    size_t      i, scheme;

    scheme = (url->len > 8
              && ngx_strncasecmp(url->data, (u_char *) "https://", 8) == 0)
             ? 8
             : (url->len > 7
                && ngx_strncasecmp(url->data, (u_char *) "http://", 7) == 0)
             ? 7 : 0;

    if (scheme == 0 || url->data[scheme] == '/') {
        return 0;
    }

    for (i = scheme; i < url->len; i++) {
        if (url->data[i] <= ' ' || url->data[i] >= 0x7f) {
            return 0;
        }
    }

    return 1;
}


char *
ngx_http_voicebridge_caller_header_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_voicebridge_loc_conf_t *vlcf = conf;

    size_t                               i;
    u_char                               c;
    ngx_str_t                           *value;
    ngx_http_voicebridge_header_conf_t  *header;

    value = cf->args->elts;

    for (i = 0; i < value[1].len; i++) {
        c = value[1].data[i];

        if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
              || c == '-' || c == '_'))
        {
            break;
        }
    }

    if (i == 0 || i < value[1].len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name of a header \"%V\", it may have "
                           "letters, digits, \"-\" and \"_\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (vlcf->caller_lookup_headers == NULL) {
        vlcf->caller_lookup_headers = ngx_array_create(cf->pool, 2,
                                 sizeof(ngx_http_voicebridge_header_conf_t));
        if (vlcf->caller_lookup_headers == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    header = ngx_array_push(vlcf->caller_lookup_headers);
    if (header == NULL) {
        return NGX_CONF_ERROR;
    }

    header->name = value[1];

    return ngx_http_voicebridge_secret_value(cf, &value[2], &header->value);
}


char *
ngx_http_voicebridge_lookup_timeout_post(ngx_conf_t *cf, void *post,
    void *data)
{
    ngx_msec_t *msec = data;

    return (*msec > 0 && *msec <= NGX_HTTP_VOICEBRIDGE_LOOKUP_TIMEOUT)
           ? NGX_CONF_OK
           : "must be more than 0 and at most 14s, since Twilio waits 15s";
}


char *
ngx_http_voicebridge_ring_timeout_post(ngx_conf_t *cf, void *post, void *data)
{
    time_t *sec = data;

    return (*sec > 0 && *sec <= NGX_HTTP_VOICEBRIDGE_RING_TIMEOUT)
           ? NGX_CONF_OK : "must be 1s to 600s";
}
