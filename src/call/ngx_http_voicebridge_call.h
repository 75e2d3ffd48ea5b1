
/*
 * One call: a phone, an agent, and what lies between them.
 *
 *   _call.c   its life: states and events; _timer.c  its deadlines
 *   _pump.c   what moves
 *   _agent.c  the way to the agent; _agent_message.c  what it says
 *   _phone.c  what the phone says; _phone_start.c  its start
 *   _media.c  audio, both ways
 *   _end.c    the one way out; _remedy.c  what to do about it
 *   _redirect.c  other TwiML instead
 *   _report.c what operators see of it; _relay.c  how fast it was
 *   _transcript.c  what is said; _speech.c  who speaks
 *   _event.c  what a webhook is told
 */


#ifndef _NGX_HTTP_VOICEBRIDGE_CALL_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_CALL_H_INCLUDED_


#include <ngx_http_voicebridge.h>
#include <ngx_http_voicebridge_agent_peer.h>
#include <ngx_http_voicebridge_fetch.h>
#include <ngx_http_voicebridge_leg.h>
#include <ngx_http_voicebridge_notify.h>
#include <ngx_http_voicebridge_stats.h>
#include <ngx_http_voicebridge_talk.h>

#include <vb_activity.h>
#include <vb_agent_init.h>
#include <vb_agent_message.h>
#include <vb_transcoder.h>
#include <vb_twilio_stream.h>


/* caller audio kept while the agent is not ready, bytes of mu-law: 16 s */
#define NGX_HTTP_VOICEBRIDGE_EARLY_AUDIO    131072

/* how long part of a frame waits for a phone that is silent: ms */
#define NGX_HTTP_VOICEBRIDGE_JOIN_TIMEOUT   200

/* playing out, beyond the time that is known to be queued; the closing
 * handshake; a redirected call's own end: ms */
#define NGX_HTTP_VOICEBRIDGE_DRAIN_MARGIN   5000
#define NGX_HTTP_VOICEBRIDGE_CLOSE_TIMEOUT  3000
#define NGX_HTTP_VOICEBRIDGE_REDIRECT_WAIT  5000

#define NGX_HTTP_VOICEBRIDGE_MAX_EXTRA      32

/* bytes of JSON that a call keeps of what is said, for a webhook */
#define NGX_HTTP_VOICEBRIDGE_MAX_SAID       262144

/* runs of the pump of which one is timed */
#define NGX_HTTP_VOICEBRIDGE_RELAY_EVERY    16


typedef enum {
    NGX_HTTP_VOICEBRIDGE_ACCEPTED = 0,  /* the 101 is sent, no start yet */
    NGX_HTTP_VOICEBRIDGE_CONNECTING,    /* signed URL, socket, handshake */
    NGX_HTTP_VOICEBRIDGE_INITIATED,     /* initiation sent, no metadata yet */
    NGX_HTTP_VOICEBRIDGE_LIVE,
    NGX_HTTP_VOICEBRIDGE_DRAINING,      /* no agent; the phone plays out */
    NGX_HTTP_VOICEBRIDGE_REDIRECTING,   /* the fallback is put on the call */
    NGX_HTTP_VOICEBRIDGE_CLOSING,       /* Close sent to the phone */
    NGX_HTTP_VOICEBRIDGE_DONE           /* nothing may happen any more */
} ngx_http_voicebridge_state_t;


/* why a call ends: an index of the table in _end.c */
typedef enum {
    NGX_HTTP_VOICEBRIDGE_END_NONE = 0,
    NGX_HTTP_VOICEBRIDGE_END_CALLER_HUNG_UP,
    NGX_HTTP_VOICEBRIDGE_END_OPERATOR,
    NGX_HTTP_VOICEBRIDGE_END_MACHINE,
    NGX_HTTP_VOICEBRIDGE_END_CALLER_LOST,
    NGX_HTTP_VOICEBRIDGE_END_CALLER_SILENT,
    NGX_HTTP_VOICEBRIDGE_END_PHONE_PROTOCOL,
    NGX_HTTP_VOICEBRIDGE_END_NO_START,
    NGX_HTTP_VOICEBRIDGE_END_BAD_START,
    NGX_HTTP_VOICEBRIDGE_END_BAD_TOKEN,
    NGX_HTTP_VOICEBRIDGE_END_AGENT_ENDED,
    NGX_HTTP_VOICEBRIDGE_END_AGENT_FAILED,
    NGX_HTTP_VOICEBRIDGE_END_AGENT_LOST,
    NGX_HTTP_VOICEBRIDGE_END_AGENT_SILENT,
    NGX_HTTP_VOICEBRIDGE_END_AGENT_PROTOCOL,
    NGX_HTTP_VOICEBRIDGE_END_AGENT_UNREACHABLE,
    NGX_HTTP_VOICEBRIDGE_END_AGENT_TIMEOUT,
    NGX_HTTP_VOICEBRIDGE_END_TOO_LONG,
    NGX_HTTP_VOICEBRIDGE_END_HANDOFF,
    NGX_HTTP_VOICEBRIDGE_END_SHUTDOWN,
    NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR
} ngx_http_voicebridge_cause_t;


/*
 * TwiML that opens a media stream for the call once more, with a fresh
 * token: the handlers know how.  As ngx_http_voicebridge_twiml().
 */
typedef ngx_int_t (*ngx_http_voicebridge_twiml_pt)(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, ngx_str_t *dynamic_variables, size_t max,
    ngx_str_t *twiml);


/* the run of the pump that is being timed */
typedef struct {
    uint64_t                           begin;      /* ns; 0: none is */
    uint64_t                           caller_bytes;   /* at its beginning */
    uint64_t                           agent_bytes;
    uint32_t                           left;       /* runs to the next */
    unsigned                           to_agent:1; /* it has moved audio */
    unsigned                           to_caller:1;
} ngx_http_voicebridge_relay_t;


typedef struct {
    /* shaped as the beginning of an ngx_connection_t: nginx's debug log
     * takes an fd from whatever a timer's data points at */
    void                              *data;
    ngx_event_t                       *read;
    ngx_event_t                       *write;
    ngx_socket_t                       fd;
} ngx_http_voicebridge_ident_t;


/*
 * What a frame of audio needs stands together, from a line of the CPU's cache
 * on: a worker of a thousand calls finds none of it there.
 */

typedef struct {
    ngx_http_request_t                *request;
    ngx_http_voicebridge_loc_conf_t   *conf;
    ngx_http_voicebridge_ctx_t        *ctx;        /* SIDs, counts */
    ngx_http_voicebridge_state_t       state;
    ngx_http_voicebridge_cause_t       cause;

    unsigned                           pumping:1;
    unsigned                           taken:1;    /* events come right here */
    unsigned                           calm:1;     /* the timer fits a call
                                                      whose audio flows */
    unsigned                           speaking:1; /* the agent is heard */
    unsigned                           exiting:1;  /* handoff is set */
    unsigned                           retried:1;
    unsigned                           answering:1;    /* heard is set */
    unsigned                           setup_told:1;   /* to the zone */
    unsigned                           audio_told:1;   /* the first */
    unsigned                           agent_closing:1;
    unsigned                           agent_pinged:1;
    unsigned                           stopped:1;  /* Twilio's stop came */
    unsigned                           mark_sent:1;
    unsigned                           mark_back:1;
    unsigned                           accounted:1;    /* the end is logged */
    unsigned                           begun:1;    /* its start was good */
    unsigned                           said_cut:1; /* more was said */

    ngx_str_t                          speech;     /* base64 still to go, in
                                                      the agent leg's buffer */
    uint64_t                           caller_bytes;   /* mu-law */

    u_char                            *early;      /* mu-law that came before
                                                      it could be sent, or is
                                                      to be joined; or NULL */
    size_t                             early_pos;
    size_t                             early_last;
    size_t                             early_size;
    ngx_http_voicebridge_relay_t       relay;

    ngx_http_voicebridge_leg_t         phone;
    ngx_http_voicebridge_leg_t         agent;

    ngx_http_voicebridge_talk_t        talk;
    uint64_t                           agent_bytes;    /* mu-law */
    ngx_msec_t                         played;     /* when all is played */
    vb_transcoder_t                    uplink;     /* caller to agent */
    vb_transcoder_t                    downlink;
    ngx_msec_t                         accepted;   /* the handshake */
    vb_activity_t                      activity;   /* of the caller */
    uint32_t                           speaking_since; /* the agent, ms since
                                                          accepted */

    ngx_queue_t                        queue;      /* of the worker's calls */
    ngx_http_voicebridge_ident_t       ident;
    ngx_event_t                        timer;      /* never cancelable: it
                                                      holds a worker that is
                                                      to exit */
    ngx_event_handler_pt               handlers[2];    /* core's, of the
                                                      phone's events */
    ngx_http_voicebridge_twiml_pt      twiml;
    vb_resampler_bank_t               *bank;
    ngx_shm_zone_t                    *zone;

    char                               detail[128];    /* of the cause */
    ngx_uint_t                         phone_status;   /* to close with */

    ngx_http_voicebridge_agent_peer_t  peer;
    ngx_http_voicebridge_fetch_t      *fetch;      /* under way, or NULL */

    /* taken from the configuration and the start message */
    ngx_str_t                          auth_tokens[2];
    ngx_uint_t                         ntokens;
    ngx_str_t                          dynamic_variables;
    vb_agent_variable_t                extra[NGX_HTTP_VOICEBRIDGE_MAX_EXTRA];
    ngx_uint_t                         nextra;
    ngx_uint_t                         nparameters;    /* of them, Twilio's */
    char                               agent_error[160];  /* its last word */

    int64_t                            interrupted;    /* last event id, -1 */

    uint64_t                           started;    /* ms since the epoch */
    ngx_uint_t                         events;     /* told to a webhook */
    ngx_array_t                       *said;       /* ngx_str_t, for one; NULL:
                                                      nothing yet */
    size_t                             said_size;  /* bytes of it */

    /* moments, ngx_current_msec */
    ngx_msec_t                         joined;     /* when the last early audio
                                                      came */
    ngx_msec_t                         connecting; /* first request to the
                                                      agent */
    ngx_msec_t                         deadline;   /* of DRAINING and on */
    ngx_msec_t                         agent_deadline; /* its closing */
    ngx_msec_t                         handoff;    /* when exiting */
    ngx_msec_t                         heard;      /* the caller's last words,
                                                      while not answered */

    ngx_http_voicebridge_stats_t       stats;
} ngx_http_voicebridge_call_t;


/* _call.c */

/*
 * Begins a call on a request whose 101 has been sent; auth_tokens are what
 * a vb_token may be signed with.  It holds a reference to the request from
 * then on.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_voicebridge_call_start(ngx_http_request_t *r,
    ngx_http_voicebridge_ctx_t *ctx, ngx_str_t auth_tokens[2],
    ngx_uint_t ntokens, ngx_http_voicebridge_twiml_pt twiml);

/*
 * Moves everything that can be moved, then waits for what is next: NGX_OK.
 * NGX_DONE: the request was let go, and the call may be no more.
 */
ngx_int_t ngx_http_voicebridge_call_pump(ngx_http_voicebridge_call_t *call);

/*
 * Ends the calls of a process that is to exit at once: both sides are told as
 * far as their sockets take it, requests are logged, nothing is waited for.
 * In one that has waited for its calls there are none.
 */
void ngx_http_voicebridge_call_exit_process(ngx_cycle_t *cycle);

/* puts the request's handlers back after core has taken them away */
void ngx_http_voicebridge_call_set_handlers(ngx_http_voicebridge_call_t *call);


/* _pump.c */

/*
 * Reads, passes on and sends until nothing moves; true if that was not
 * reached and there is more to be done at once.
 */
ngx_uint_t ngx_http_voicebridge_call_move(ngx_http_voicebridge_call_t *call);

/* sends what is queued; true if there is room now where there was none */
ngx_uint_t ngx_http_voicebridge_call_flush(ngx_http_voicebridge_call_t *call);

/*
 * Whether the phone must not be read for now: what it sends has nowhere to
 * go.
 */
ngx_uint_t ngx_http_voicebridge_call_phone_paused(
    ngx_http_voicebridge_call_t *call);


/* _timer.c */

/* the timer's handler */
void ngx_http_voicebridge_call_timer_handler(ngx_event_t *ev);

/* sees to it that the timer fires no later than the next deadline */
void ngx_http_voicebridge_call_arm(ngx_http_voicebridge_call_t *call);

/*
 * Plans the hand-off of a call whose worker has been exiting since a moment
 * (or somewhat later), where voicebridge_shutdown_handoff is on.
 */
void ngx_http_voicebridge_call_handoff(ngx_http_voicebridge_call_t *call,
    ngx_msec_t since);

/* core has a word for the agent's connection: the worker is to exit */
void ngx_http_voicebridge_call_exiting(ngx_http_voicebridge_call_t *call,
    ngx_connection_t *c);


/* _agent.c */

/* goes for the agent: a signed URL first, where it needs one */
void ngx_http_voicebridge_agent_connect(ngx_http_voicebridge_call_t *call);

/* the socket has opened, or could not be opened */
void ngx_http_voicebridge_agent_opened(ngx_http_voicebridge_call_t *call);

/* one message or control frame of the agent */
void ngx_http_voicebridge_agent_event(ngx_http_voicebridge_call_t *call,
    vb_ws_event_t *ev);

/* the peer's hook: its socket is about to be closed by core */
void ngx_http_voicebridge_agent_closing(
    ngx_http_voicebridge_agent_peer_t *peer);

/* the agent's socket ended without a Close, or broke RFC 6455 */
void ngx_http_voicebridge_agent_lost(ngx_http_voicebridge_call_t *call);
void ngx_http_voicebridge_agent_violation(ngx_http_voicebridge_call_t *call);


/* _agent_message.c: one text message */
void ngx_http_voicebridge_agent_message(ngx_http_voicebridge_call_t *call,
    ngx_str_t *text);


/* _phone.c */

/* one message or control frame of the phone */
void ngx_http_voicebridge_phone_event(ngx_http_voicebridge_call_t *call,
    vb_ws_event_t *ev);


/* _phone_start.c: takes what a start brings, checks it, goes for the agent */
void ngx_http_voicebridge_phone_start(ngx_http_voicebridge_call_t *call,
    vb_twilio_message_t *m);


/* _media.c: each returns NGX_OK; NGX_DECLINED where the audio is no base64;
 * NGX_ERROR without memory */

/* caller audio, base64 of mu-law, in the phone leg's buffer */
ngx_int_t ngx_http_voicebridge_media_uplink(ngx_http_voicebridge_call_t *call,
    ngx_str_t *base64);

/*
 * Caller audio that waits for the agent, or to be joined: as much of it as
 * the leg takes; what is less than a frame only with flush, or when it has
 * waited long enough.
 */
ngx_int_t ngx_http_voicebridge_media_early(ngx_http_voicebridge_call_t *call,
    ngx_uint_t flush);

/* whether part of a frame waits, for nothing but the phone */
ngx_uint_t ngx_http_voicebridge_media_joining(
    ngx_http_voicebridge_call_t *call);

/* call->speech: as much as the phone leg takes; empty when all has gone */
ngx_int_t ngx_http_voicebridge_media_downlink(
    ngx_http_voicebridge_call_t *call);

/* the agent was interrupted: Twilio's queue and ours are emptied */
ngx_int_t ngx_http_voicebridge_media_clear(ngx_http_voicebridge_call_t *call);

/* a mark behind the last audio; its echo says that all was heard */
ngx_int_t ngx_http_voicebridge_media_mark(ngx_http_voicebridge_call_t *call);


/* _end.c */

/*
 * Ends the call; the first cause counts, later ones only hurry.  detail
 * (printf) is for the log.  The caller goes on to the pump or returns.
 */
void ngx_http_voicebridge_end(ngx_http_voicebridge_call_t *call,
    ngx_http_voicebridge_cause_t cause, const char *detail, ...);

/* the next step of an ending, when something it waits for has happened or a
 * deadline is over */
void ngx_http_voicebridge_end_step(ngx_http_voicebridge_call_t *call);

/* closes the phone's stream, with the status that goes with the cause */
void ngx_http_voicebridge_end_phone(ngx_http_voicebridge_call_t *call);

/*
 * _redirect.c: asks Twilio for other TwiML on the call, a new stream or the
 * operator's fallback.  NGX_OK: under way, end_phone() follows if it fails;
 * NGX_DECLINED: there is none; NGX_ERROR.
 */
ngx_int_t ngx_http_voicebridge_redirect(ngx_http_voicebridge_call_t *call);

/* whether the request can be let go */
ngx_uint_t ngx_http_voicebridge_end_reached(ngx_http_voicebridge_call_t *call);

/* _remedy.c: what to do about a call that ended so, or an empty text */
const char *ngx_http_voicebridge_remedy(ngx_http_voicebridge_cause_t cause);

/* the line at the end of a call and the numbers in its ctx; once */
void ngx_http_voicebridge_end_account(ngx_http_voicebridge_call_t *call);


/* _report.c */

/*
 * Tells the zone what the call is now, or was when it is accounted; and what
 * has happened, with its value (..._record.h), or NONE.
 */
void ngx_http_voicebridge_report(ngx_http_voicebridge_call_t *call,
    ngx_http_voicebridge_step_e event, ngx_uint_t value);

/* counts a request to a service ("elevenlabs", "twilio") that failed; nothing
 * where kind is NULL */
void ngx_http_voicebridge_report_failure(ngx_http_voicebridge_call_t *call,
    const char *service, const char *kind);

/* the caller has said something; audio of the agent is on its way */
void ngx_http_voicebridge_report_heard(ngx_http_voicebridge_call_t *call);
void ngx_http_voicebridge_report_answer(ngx_http_voicebridge_call_t *call);


/* _transcript.c */

/*
 * Something was said: what is said of it goes where it is wanted.  Of m the
 * texts are of use, and not escaped afterwards.
 */
void ngx_http_voicebridge_transcript(ngx_http_voicebridge_call_t *call,
    vb_agent_message_t *m);

/* nothing more will be said */
void ngx_http_voicebridge_transcript_end(ngx_http_voicebridge_call_t *call);


/* _speech.c: where there is a dashboard, and nothing otherwise */

/* the call's SIDs are known */
void ngx_http_voicebridge_speech_begin(ngx_http_voicebridge_call_t *call);

/* a frame of the caller, mu-law; before a frame of the agent is queued; after
 * Twilio's queue was emptied */
void ngx_http_voicebridge_speech_caller(ngx_http_voicebridge_call_t *call,
    u_char *ulaw, size_t len);
void ngx_http_voicebridge_speech_agent(ngx_http_voicebridge_call_t *call);
void ngx_http_voicebridge_speech_clear(ngx_http_voicebridge_call_t *call);

/* what was said, fit for a log line */
void ngx_http_voicebridge_speech_turn(ngx_http_voicebridge_call_t *call,
    ngx_http_voicebridge_who_t who, ngx_str_t *text);

void ngx_http_voicebridge_speech_end(ngx_http_voicebridge_call_t *call);


/* _event.c */

/*
 * Tells the location's webhook, if there is one that wants to know, one of
 * NGX_HTTP_VOICEBRIDGE_EVENT_...; tool and error are of a tool that failed,
 * else NULL.
 */
void ngx_http_voicebridge_event(ngx_http_voicebridge_call_t *call,
    ngx_uint_t event, ngx_str_t *tool, ngx_str_t *error);

#define ngx_http_voicebridge_event_wanted(call, event)                        \
    ((call)->conf->webhook && ((call)->conf->webhook->events & (event)))


/*
 * _relay.c: around one run of the pump of a live call.  One run in
 * NGX_HTTP_VOICEBRIDGE_RELAY_EVERY is timed, until what it moved has been
 * written.
 */
#define ngx_http_voicebridge_relay_begin(call)                                \
    if (--(call)->relay.left == 0) {                                          \
        ngx_http_voicebridge_relay_start(call);                               \
    }

#define ngx_http_voicebridge_relay_end(call)                                  \
    if ((call)->relay.begin) {                                                \
        ngx_http_voicebridge_relay_stop(call);                                \
    }                                                                         \
                                                                              \
    if (ngx_http_voicebridge_leg_queued(&(call)->phone)                       \
        || ngx_http_voicebridge_leg_queued(&(call)->agent) || (call)->early)  \
    {                                                                         \
        ngx_http_voicebridge_relay_peaks(call);                               \
    }

void ngx_http_voicebridge_relay_start(ngx_http_voicebridge_call_t *call);
void ngx_http_voicebridge_relay_stop(ngx_http_voicebridge_call_t *call);
void ngx_http_voicebridge_relay_peaks(ngx_http_voicebridge_call_t *call);

/* tells the zone (or nobody, when it is NULL) what this worker has seen */
void ngx_http_voicebridge_relay_tell(ngx_shm_zone_t *zone);


#define ngx_http_voicebridge_call_log(call)  ((call)->request->connection->log)


#endif /* _NGX_HTTP_VOICEBRIDGE_CALL_H_INCLUDED_ */
