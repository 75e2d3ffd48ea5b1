
/*
 * The module's configuration: what the front door fills in and every room
 * from nginx/ upwards reads.  Nothing here changes while serving.
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <vb_core.h>
#include <vb_transcoder.h>
#include <vb_twilio_machine.h>


#define NGX_HTTP_VOICEBRIDGE_AUTH_SIGNED_URL  0
#define NGX_HTTP_VOICEBRIDGE_AUTH_HEADER      1
#define NGX_HTTP_VOICEBRIDGE_AUTH_NONE        2

#define NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_OFF      0
#define NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HEADER   1
#define NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_SESSION  2

/* when a caller could not be looked up */
#define NGX_HTTP_VOICEBRIDGE_LOOKUP_CONTINUE  0
#define NGX_HTTP_VOICEBRIDGE_LOOKUP_REJECT    1
#define NGX_HTTP_VOICEBRIDGE_LOOKUP_FALLBACK  2

/* RFC 9110, section 15.5.21; core has no name for it */
#define NGX_HTTP_VOICEBRIDGE_UNPROCESSABLE  422


/* an absolute http or https URL of a service, taken apart */
typedef struct {
    ngx_str_t                   url;       /* without a trailing slash */
    ngx_str_t                   host;      /* without the port */
    ngx_str_t                   host_header;  /* with the port where given */
    ngx_str_t                   uri;       /* path prefix, may be empty */
    in_port_t                   port;
    unsigned                    no_port:1; /* none was written */
    unsigned                    ssl:1;
} ngx_http_voicebridge_url_t;


typedef struct ngx_http_voicebridge_webhook_s  ngx_http_voicebridge_webhook_t;


typedef struct {
    vb_resampler_bank_t        *bank;      /* of the cycle, shared by calls */
    ngx_shm_zone_t             *zone;      /* NULL: no voicebridge_zone */
    unsigned                    fetches:1; /* some location needs libcurl */
    unsigned                    streams:1; /* some location bridges calls */
    unsigned                    views:1;   /* some location shows the zone */
    unsigned                    keeps:1;   /* some location keeps answers */
    unsigned                    sessions:1;    /* some location keeps answers
                                                  by session_id */
    unsigned                    talks:1;   /* some location shows who speaks */
    unsigned                    holds:1;   /* some location counts calls */
    unsigned                    production:1;  /* ENVIRONMENT=production */
    unsigned                    resolver_done:1;
    ngx_str_t                   host;      /* the environment's HOST */
    ngx_str_t                   ca_file;   /* its SSL_CERT_FILE, for libcurl */
    ngx_resolver_t             *resolver;  /* the system's name servers */
    ngx_str_t                   dashboard_etag;    /* its page's headers */
    ngx_str_t                   dashboard_csp;
    ngx_path_t                 *webhook_spool;     /* NULL: none */
    ngx_uint_t                  webhook_max;       /* events there, of one
                                                      worker */
    void                       *webhook_threads;   /* ngx_thread_pool_t, or
                                                      NULL */
    ngx_array_t                *webhooks;  /* of those below, each URL once;
                                              NULL: none */
} ngx_http_voicebridge_main_conf_t;


/* TLS sessions with agents, see nginx/ngx_http_voicebridge_agent_session.c */
typedef struct ngx_http_voicebridge_sessions_s  ngx_http_voicebridge_sessions_t;


/* what has come with a request, see handler/ngx_http_voicebridge_handler.h */
typedef struct ngx_http_voicebridge_taken_s  ngx_http_voicebridge_taken_t;

typedef ngx_int_t (*ngx_http_voicebridge_take_pt)(ngx_http_request_t *r,
    ngx_http_voicebridge_taken_t *taken);


/* what a location with one of the module's handlers needs */
typedef struct {
    ngx_http_handler_pt         handler;
    ngx_http_voicebridge_take_pt  admit;   /* what comes before a body, and */
    ngx_http_voicebridge_take_pt  parse;   /* of it; NULL: there is none */
    unsigned                    fetches:1; /* REST requests */
    unsigned                    streams:1; /* an upstream, filters */
    unsigned                    keys:1;    /* an API: keys, errors in JSON */
    unsigned                    views:1;   /* shows what is in the zone */
    unsigned                    talks:1;   /* shows who speaks */
} ngx_http_voicebridge_location_t;


/* a header of a request that is sent */
typedef struct {
    ngx_str_t                   name;
    ngx_http_complex_value_t   *value;
} ngx_http_voicebridge_header_conf_t;


typedef struct {
    /* the agent's leg; only ssl, timeouts, next_upstream are the user's */
    ngx_http_upstream_conf_t    upstream;
    ngx_http_voicebridge_sessions_t  *sessions;    /* of TLS */

    /* values may contain variables; a secret's env: or file: is read when
     * the configuration is loaded.  NULL: not configured */
    ngx_http_complex_value_t   *account_sid;
    ngx_http_complex_value_t   *auth_token;
    ngx_http_complex_value_t   *auth_token2;   /* during a rotation */
    ngx_http_complex_value_t   *phone_number;
    ngx_http_complex_value_t   *elevenlabs_api_key;
    ngx_http_complex_value_t   *agent;
    ngx_http_complex_value_t   *public_url;
    ngx_http_complex_value_t   *fallback_twiml;

    /* how a call is placed and what its agent is told */
    ngx_http_complex_value_t   *send_digits;
    ngx_http_complex_value_t   *message_twiml;     /* for a machine */
    ngx_http_complex_value_t   *override;      /* of conversation_config */
    ngx_http_complex_value_t   *user_id;
    ngx_http_complex_value_t   *environment;
    ngx_http_complex_value_t   *branch_id;
    time_t                      ring_timeout;      /* 0: Twilio's own */
    ngx_uint_t                  record;            /* vb_twilio_record_t */
    ngx_uint_t                  machine_detection; /* vb_twilio_detection_t */
    vb_twilio_answered_t        answered_by;

    /* who is asked about somebody who calls; an empty URL: nobody */
    ngx_http_complex_value_t   *caller_lookup;
    ngx_array_t                *caller_lookup_headers;
    ngx_msec_t                  caller_lookup_timeout;
    ngx_uint_t                  caller_lookup_failure;

    ngx_http_voicebridge_url_t *twilio_api_url;
    ngx_http_voicebridge_url_t *elevenlabs_url;
    ngx_msec_t                  twilio_timeout;
    ngx_uint_t                  elevenlabs_auth;

    ngx_array_t                *api_keys;      /* of ngx_str_t */
    ngx_flag_t                  api_keys_off;  /* voicebridge_api_keys off */

    ngx_array_t                *deny;          /* of complex values * */
    ngx_int_t                   max_agent_calls;   /* at a time, 0: any */
    ngx_uint_t                  idempotency;   /* what is the key */
    time_t                      idempotency_lifetime;

    ngx_str_t                   media_stream_path;
    ngx_str_t                   call_status_path;

    ngx_flag_t                  verify_signature;
    ngx_flag_t                  ssl_verify;
    ngx_str_t                   ssl_trusted_certificate;   /* a file */

    ngx_msec_t                  connect_timeout;
    ngx_msec_t                  start_timeout;     /* 101 to start */
    ngx_msec_t                  stream_timeout;    /* silence of the phone */
    ngx_msec_t                  agent_timeout;     /* and of the agent */
    ngx_msec_t                  max_call_duration;
    time_t                      token_lifetime;
    size_t                      max_message_size;  /* the agent's */
    size_t                      max_stream_message_size;   /* the phone's */
    ngx_int_t                   max_json_depth;
    size_t                      uplink_frame;      /* mu-law joined to one
                                                      message, 0: none is */

    ngx_flag_t                  log_transcripts;
    ngx_open_file_t            *transcript_log;    /* NULL: none */
    ngx_http_voicebridge_webhook_t  *webhook;      /* NULL: none */
    ngx_str_t                   webhook_secret;    /* data is NULL: not set */
    ngx_msec_t                  webhook_timeout;
    time_t                      webhook_lifetime;
    ngx_flag_t                  shutdown_handoff;

    ngx_http_voicebridge_location_t  *location;  /* NULL: not one of ours */
    unsigned                    answered_by_set:1;
    unsigned                    auth_default:1;  /* elevenlabs_auth was not
                                                    written down */
} ngx_http_voicebridge_loc_conf_t;


/*
 * What the request is about, for the variables $voicebridge_from, _to, ...:
 * the module's request context.  A webhook or an API request fills it once
 * its body is parsed, before nginx's limits look at it; a media stream when
 * start has come (and later).
 */
typedef struct {
    ngx_str_t      call_sid;
    ngx_str_t      stream_sid;
    ngx_str_t      session_id;
    ngx_str_t      agent_id;
    ngx_str_t      conversation_id;
    ngx_str_t      direction;              /* inbound or outbound */
    ngx_str_t      from;
    ngx_str_t      to;
    ngx_str_t      client_data;            /* of vb_agent_client.h */
    ngx_str_t      status;                 /* of the call or REST answer */
    ngx_str_t      end_reason;
    ngx_msec_t     first_audio;            /* ms, (ngx_msec_t) -1: none */
    ngx_uint_t     interruptions;
    uint64_t       caller_audio;           /* ms of audio moved */
    uint64_t       agent_audio;
    unsigned       stream:1;               /* the numbers above are meant */
    unsigned       handled:1;              /* the handler of streams has had
                                              it */
    unsigned       defaults:1;             /* what is empty may still be the
                                              location's own */
    unsigned       xml:1;                  /* variables are for XML now */
    ngx_http_voicebridge_location_t  *location;    /* of ours that it came to,
                                              see ..._preaccess.c */
    ngx_http_voicebridge_taken_t  *taken;  /* of this location, or NULL */
    void          *call;                   /* the live call, or NULL */
    ngx_http_log_handler_pt  log_handler;  /* core's, of a stream */
} ngx_http_voicebridge_ctx_t;


extern ngx_module_t  ngx_http_voicebridge_module;


/*
 * The value of a complex value for r, empty where cv is NULL; NGX_ERROR
 * without memory.  Allocated from r->pool.
 */
ngx_int_t ngx_http_voicebridge_value(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv, ngx_str_t *value);

/* the same of one that is XML: in it the module's variables are escaped, for
 * what others have chosen must not become TwiML */
ngx_int_t ngx_http_voicebridge_xml_value(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv, ngx_str_t *value);

/* whether a URL is http or https, with a host, and has no space or control
 * character */
ngx_uint_t ngx_http_voicebridge_is_url(ngx_str_t *url);


#endif /* _NGX_HTTP_VOICEBRIDGE_H_INCLUDED_ */
