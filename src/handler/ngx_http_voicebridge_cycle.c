
/*
 * What is done once for a configuration and once for a process: the module's
 * hooks into nginx
 */


#include <ngx_http_voicebridge_call.h>
#include <ngx_http_voicebridge_handler.h>
#include <ngx_http_voicebridge_fetch.h>
#include <ngx_http_voicebridge_leg.h>
#include <ngx_http_voicebridge_notify.h>
#include <ngx_http_voicebridge_talk.h>
#include <ngx_http_voicebridge_zone.h>


static void ngx_http_voicebridge_flush_files(ngx_cycle_t *cycle);


ngx_int_t
ngx_http_voicebridge_init(ngx_conf_t *cf)
{
    ngx_http_voicebridge_main_conf_t  *vmcf;

    vmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_voicebridge_module);

    ngx_http_voicebridge_add_error_filter();

    if (ngx_http_voicebridge_add_preaccess_handler(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (vmcf->sessions && vmcf->zone == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"voicebridge_idempotency session_id\" needs "
                      "\"voicebridge_zone\"");
        return NGX_ERROR;
    }

    if (vmcf->holds && vmcf->zone == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"voicebridge_max_agent_calls\" needs "
                      "\"voicebridge_zone\"");
        return NGX_ERROR;
    }

    if (vmcf->streams && vmcf->zone == NULL) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "no \"voicebridge_zone\": the token of a call is good "
                      "for more than one stream until it expires");
    }

    if (vmcf->views && vmcf->zone == NULL) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "no \"voicebridge_zone\": \"voicebridge_metrics\", "
                      "\"voicebridge_calls\" and \"voicebridge_dashboard\" "
                      "have nothing to show");
    }

    if (vmcf->talks && ngx_http_voicebridge_dashboard_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (vmcf->zone == NULL) {
        return NGX_OK;
    }

    return ngx_http_voicebridge_add_log_handler(cf);
}


ngx_int_t
ngx_http_voicebridge_init_process(ngx_cycle_t *cycle)
{
    ngx_http_voicebridge_main_conf_t  *vmcf;

    vmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_voicebridge_module);

    if (vmcf && vmcf->zone) {

        /* this process may be in the place of one that died */

        ngx_http_voicebridge_stats_reap(vmcf->zone, 1);
        ngx_http_voicebridge_talk_init_process(vmcf->zone);
    }

    if (ngx_http_voicebridge_fetch_init_process(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_voicebridge_notify_init_process(cycle);
}


void
ngx_http_voicebridge_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_voicebridge_notify_ends();
    ngx_http_voicebridge_call_exit_process(cycle);
    ngx_http_voicebridge_notify_exit_process(cycle);
    ngx_http_voicebridge_fetch_exit_process(cycle);
    ngx_http_voicebridge_leg_exit_process(cycle);
    ngx_http_voicebridge_flush_files(cycle);
}


/* core has done so before there was the last line of a call in their buffers */

static void
ngx_http_voicebridge_flush_files(ngx_cycle_t *cycle)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_open_file_t  *file;

    for (part = &cycle->open_files.part; part; part = part->next) {

        file = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (file[i].flush) {
                file[i].flush(&file[i], cycle->log);
            }
        }
    }
}
