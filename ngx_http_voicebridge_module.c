
/*
 * The front door: the module's directives, and what nginx is to call.  Nothing
 * here runs while a call is going on.
 */


#include <ngx_http_voicebridge.h>
#include <ngx_http_voicebridge_conf.h>
#include <ngx_http_voicebridge_handler.h>
#include <ngx_http_voicebridge_lines.h>
#include <ngx_http_voicebridge_notify.h>
#include <ngx_http_voicebridge_secret.h>
#include <ngx_http_voicebridge_zone.h>
#include <vb_json.h>

#include <vb_twilio_call.h>


#define NGX_HTTP_VOICEBRIDGE_ANYWHERE                                         \
    NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF


static ngx_http_voicebridge_location_t  ngx_http_voicebridge_outbound_call = {
    ngx_http_voicebridge_outbound_call_handler,
    ngx_http_voicebridge_outbound_call_admit,
    ngx_http_voicebridge_outbound_call_parse, 1, 0, 1, 0, 0
};

static ngx_http_voicebridge_location_t  ngx_http_voicebridge_incoming_call = {
    ngx_http_voicebridge_incoming_call_handler,
    ngx_http_voicebridge_webhook_admit,
    ngx_http_voicebridge_incoming_call_parse, 1, 0, 0, 0, 0
};

static ngx_http_voicebridge_location_t  ngx_http_voicebridge_media_stream = {
    ngx_http_voicebridge_media_stream_handler, NULL, NULL, 1, 1, 0, 0, 0
};

static ngx_http_voicebridge_location_t  ngx_http_voicebridge_call_status = {
    ngx_http_voicebridge_call_status_handler,
    ngx_http_voicebridge_webhook_admit,
    ngx_http_voicebridge_call_status_parse, 1, 0, 0, 0, 0
};

static ngx_http_voicebridge_location_t  ngx_http_voicebridge_metrics = {
    ngx_http_voicebridge_metrics_handler, NULL, NULL, 0, 0, 0, 1, 0
};

static ngx_http_voicebridge_location_t  ngx_http_voicebridge_calls = {
    ngx_http_voicebridge_calls_handler, NULL, NULL, 1, 0, 0, 1, 0
};

static ngx_http_voicebridge_location_t  ngx_http_voicebridge_dashboard = {
    ngx_http_voicebridge_dashboard_handler, NULL, NULL, 1, 0, 0, 1, 1
};


static ngx_conf_post_t  ngx_http_voicebridge_path = {
    ngx_http_voicebridge_path_post
};

static ngx_conf_post_t  ngx_http_voicebridge_msec = {
    ngx_http_voicebridge_msec_post
};

static ngx_conf_post_t  ngx_http_voicebridge_sec = {
    ngx_http_voicebridge_sec_post
};

static ngx_conf_post_t  ngx_http_voicebridge_size = {
    ngx_http_voicebridge_size_post
};

static ngx_conf_num_bounds_t  ngx_http_voicebridge_depth = {
    ngx_conf_check_num_bounds, 8, VB_JSON_MAX_DEPTH
};


static ngx_conf_post_t  ngx_http_voicebridge_ring_timeout = {
    ngx_http_voicebridge_ring_timeout_post
};


static ngx_conf_enum_t  ngx_http_voicebridge_idempotency[] = {
    { ngx_string("off"), NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_OFF },
    { ngx_string("header"), NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HEADER },
    { ngx_string("session_id"), NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_SESSION },
    { ngx_null_string, 0 }
};


static ngx_conf_post_t  ngx_http_voicebridge_lookup_timeout = {
    ngx_http_voicebridge_lookup_timeout_post
};


static ngx_conf_enum_t  ngx_http_voicebridge_lookup_failure[] = {
    { ngx_string("continue"), NGX_HTTP_VOICEBRIDGE_LOOKUP_CONTINUE },
    { ngx_string("reject"), NGX_HTTP_VOICEBRIDGE_LOOKUP_REJECT },
    { ngx_string("fallback"), NGX_HTTP_VOICEBRIDGE_LOOKUP_FALLBACK },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_voicebridge_record[] = {
    { ngx_string("off"), VB_TWILIO_RECORD_OFF },
    { ngx_string("on"), VB_TWILIO_RECORD_MONO },
    { ngx_string("dual"), VB_TWILIO_RECORD_DUAL },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_voicebridge_detection[] = {
    { ngx_string("off"), VB_TWILIO_DETECTION_OFF },
    { ngx_string("start"), VB_TWILIO_DETECTION_START },
    { ngx_string("message_end"), VB_TWILIO_DETECTION_END },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_voicebridge_commands[] = {

    { ngx_string("voicebridge_outbound_call"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_voicebridge_handler_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_voicebridge_outbound_call },

    { ngx_string("voicebridge_incoming_call"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_voicebridge_handler_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_voicebridge_incoming_call },

    { ngx_string("voicebridge_media_stream"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_voicebridge_handler_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_voicebridge_media_stream },

    { ngx_string("voicebridge_call_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_voicebridge_handler_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_voicebridge_call_status },

    { ngx_string("voicebridge_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_voicebridge_handler_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_voicebridge_metrics },

    { ngx_string("voicebridge_calls"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_voicebridge_handler_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_voicebridge_calls },

    { ngx_string("voicebridge_dashboard"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_voicebridge_handler_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      &ngx_http_voicebridge_dashboard },

    { ngx_string("voicebridge_twilio_account_sid"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_voicebridge_secret_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, account_sid),
      NULL },

    { ngx_string("voicebridge_twilio_auth_token"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE12,
      ngx_http_voicebridge_auth_token_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voicebridge_twilio_phone_number"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_voicebridge_secret_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, phone_number),
      NULL },

    { ngx_string("voicebridge_twilio_api_url"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_voicebridge_url_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, twilio_api_url),
      NULL },

    { ngx_string("voicebridge_twilio_timeout"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, twilio_timeout),
      &ngx_http_voicebridge_msec },

    { ngx_string("voicebridge_elevenlabs_api_key"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_voicebridge_secret_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, elevenlabs_api_key),
      NULL },

    { ngx_string("voicebridge_elevenlabs_url"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_voicebridge_elevenlabs_url_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, elevenlabs_url),
      NULL },

    { ngx_string("voicebridge_elevenlabs_auth"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_voicebridge_auth_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voicebridge_api_keys"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_voicebridge_api_keys_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voicebridge_agent"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, agent),
      NULL },

    { ngx_string("voicebridge_deny"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_1MORE,
      ngx_http_voicebridge_deny_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voicebridge_max_agent_calls"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, max_agent_calls),
      NULL },

    { ngx_string("voicebridge_idempotency"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, idempotency),
      &ngx_http_voicebridge_idempotency },

    { ngx_string("voicebridge_idempotency_lifetime"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, idempotency_lifetime),
      &ngx_http_voicebridge_sec },

    { ngx_string("voicebridge_ring_timeout"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, ring_timeout),
      &ngx_http_voicebridge_ring_timeout },

    { ngx_string("voicebridge_send_digits"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_voicebridge_send_digits_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, send_digits),
      NULL },

    { ngx_string("voicebridge_record"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, record),
      &ngx_http_voicebridge_record },

    { ngx_string("voicebridge_machine_detection"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, machine_detection),
      &ngx_http_voicebridge_detection },

    { ngx_string("voicebridge_answered_by"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE2,
      ngx_http_voicebridge_answered_by_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voicebridge_message_twiml"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, message_twiml),
      NULL },

    { ngx_string("voicebridge_conversation_config_override"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_voicebridge_override_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, override),
      NULL },

    { ngx_string("voicebridge_user_id"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, user_id),
      NULL },

    { ngx_string("voicebridge_environment"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, environment),
      NULL },

    { ngx_string("voicebridge_branch_id"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, branch_id),
      NULL },

    { ngx_string("voicebridge_caller_lookup"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_voicebridge_caller_lookup_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, caller_lookup),
      NULL },

    { ngx_string("voicebridge_caller_lookup_header"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE2,
      ngx_http_voicebridge_caller_header_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voicebridge_caller_lookup_timeout"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, caller_lookup_timeout),
      &ngx_http_voicebridge_lookup_timeout },

    { ngx_string("voicebridge_caller_lookup_failure"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, caller_lookup_failure),
      &ngx_http_voicebridge_lookup_failure },

    { ngx_string("voicebridge_public_url"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_voicebridge_public_url_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, public_url),
      NULL },

    { ngx_string("voicebridge_media_stream_path"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, media_stream_path),
      &ngx_http_voicebridge_path },

    { ngx_string("voicebridge_call_status_path"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, call_status_path),
      &ngx_http_voicebridge_path },

    { ngx_string("voicebridge_verify_signature"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, verify_signature),
      NULL },

    { ngx_string("voicebridge_connect_timeout"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, connect_timeout),
      &ngx_http_voicebridge_msec },

    { ngx_string("voicebridge_start_timeout"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, start_timeout),
      &ngx_http_voicebridge_msec },

    { ngx_string("voicebridge_stream_timeout"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, stream_timeout),
      &ngx_http_voicebridge_msec },

    { ngx_string("voicebridge_agent_timeout"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, agent_timeout),
      &ngx_http_voicebridge_msec },

    { ngx_string("voicebridge_token_lifetime"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, token_lifetime),
      &ngx_http_voicebridge_sec },

    { ngx_string("voicebridge_max_call_duration"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, max_call_duration),
      &ngx_http_voicebridge_msec },

    { ngx_string("voicebridge_max_message_size"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, max_message_size),
      &ngx_http_voicebridge_size },

    { ngx_string("voicebridge_max_stream_message_size"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, max_stream_message_size),
      &ngx_http_voicebridge_size },

    { ngx_string("voicebridge_max_json_depth"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, max_json_depth),
      &ngx_http_voicebridge_depth },

    { ngx_string("voicebridge_uplink_frame"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_voicebridge_uplink_frame_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voicebridge_ssl_verify"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, ssl_verify),
      NULL },

    { ngx_string("voicebridge_ssl_trusted_certificate"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_voicebridge_certificate_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voicebridge_fallback_twiml"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, fallback_twiml),
      NULL },

    { ngx_string("voicebridge_log_transcripts"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, log_transcripts),
      NULL },

    { ngx_string("voicebridge_transcript_log"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_voicebridge_lines_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, transcript_log),
      NULL },

    { ngx_string("voicebridge_webhook"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_1MORE,
      ngx_http_voicebridge_webhook_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voicebridge_webhook_secret"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_voicebridge_webhook_secret_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("voicebridge_webhook_timeout"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, webhook_timeout),
      &ngx_http_voicebridge_msec },

    { ngx_string("voicebridge_webhook_lifetime"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, webhook_lifetime),
      &ngx_http_voicebridge_sec },

    { ngx_string("voicebridge_webhook_spool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_voicebridge_webhook_spool_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_main_conf_t, webhook_spool),
      NULL },

    { ngx_string("voicebridge_shutdown_handoff"),
      NGX_HTTP_VOICEBRIDGE_ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_voicebridge_loc_conf_t, shutdown_handoff),
      NULL },

    { ngx_string("voicebridge_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_voicebridge_zone_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_voicebridge_module_ctx = {
    ngx_http_voicebridge_add_variables,    /* preconfiguration */
    ngx_http_voicebridge_init,             /* postconfiguration */

    ngx_http_voicebridge_create_main_conf, /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_voicebridge_create_loc_conf,  /* create location configuration */
    ngx_http_voicebridge_merge_loc_conf    /* merge location configuration */
};


ngx_module_t  ngx_http_voicebridge_module = {
    NGX_MODULE_V1,
    &ngx_http_voicebridge_module_ctx,      /* module context */
    ngx_http_voicebridge_commands,         /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_voicebridge_init_process,     /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_voicebridge_exit_process,     /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};
