
/* Reads the values of directives that say how a call is placed and begins */


#include <ngx_http_voicebridge_conf.h>

#include <vb_json.h>
#include <vb_twilio_call.h>


/* Twilio's limit */
#define NGX_HTTP_VOICEBRIDGE_RING_TIMEOUT  600


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
ngx_http_voicebridge_ring_timeout_post(ngx_conf_t *cf, void *post, void *data)
{
    time_t *sec = data;

    return (*sec > 0 && *sec <= NGX_HTTP_VOICEBRIDGE_RING_TIMEOUT)
           ? NGX_CONF_OK : "must be 1s to 600s";
}
