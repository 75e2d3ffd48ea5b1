
/*
 * Who speaks, as the dashboard shows it: the caller by the level of the line,
 * the agent by when Twilio plays what it was sent.  The zone is told when that
 * changes.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <ngx_http_voicebridge_call.h>


/* the agent's audio comes in pieces: a shorter gap is no end, ms */
#define NGX_HTTP_VOICEBRIDGE_SPEECH_GAP  300


static uint32_t ngx_http_voicebridge_speech_since(
    ngx_http_voicebridge_call_t *call, ngx_msec_t moment);
static void ngx_http_voicebridge_speech_played(
    ngx_http_voicebridge_call_t *call, ngx_msec_t end);


void
ngx_http_voicebridge_speech_begin(ngx_http_voicebridge_call_t *call)
{
    ngx_http_voicebridge_main_conf_t  *vmcf;

    vmcf = ngx_http_get_module_main_conf(call->request,
                                         ngx_http_voicebridge_module);

    if (call->zone == NULL || !vmcf->talks) {
        return;
    }

    ngx_http_voicebridge_talk_begin(&call->talk, call->zone,
                                    &call->ctx->call_sid,
                                    &call->ctx->stream_sid,
                                    call->conf->log_transcripts);
}


void
ngx_http_voicebridge_speech_caller(ngx_http_voicebridge_call_t *call,
    u_char *ulaw, size_t len)
{
    vb_activity_t  *a;

    if (call->talk.place == NULL) {
        return;
    }

    a = &call->activity;

    switch (vb_activity(a, ulaw, len,
                        ngx_http_voicebridge_speech_since(call,
                                                          ngx_current_msec)))
    {

    case VB_ACTIVITY_BEGAN:
        ngx_http_voicebridge_talk_span(&call->talk, NGX_HTTP_VOICEBRIDGE_CALLER,
                                       a->since, 0);
        break;

    case VB_ACTIVITY_ENDED:
        ngx_http_voicebridge_talk_span(&call->talk, NGX_HTTP_VOICEBRIDGE_CALLER,
                                       a->since, a->last);
        break;

    default:
        break;
    }

    /* the phone's audio is the clock by which the end of the agent's is seen */

    if (call->speaking
        && (ngx_msec_int_t) (ngx_current_msec - call->played)
           > NGX_HTTP_VOICEBRIDGE_SPEECH_GAP)
    {
        ngx_http_voicebridge_speech_played(call, call->played);
    }
}


void
ngx_http_voicebridge_speech_agent(ngx_http_voicebridge_call_t *call)
{
    ngx_msec_int_t  silent;

    if (call->talk.place == NULL) {
        return;
    }

    silent = ngx_current_msec - call->played;

    if (call->speaking) {

        if (silent <= NGX_HTTP_VOICEBRIDGE_SPEECH_GAP) {
            return;
        }

        ngx_http_voicebridge_speech_played(call, call->played);
    }

    call->speaking = 1;
    call->speaking_since = ngx_http_voicebridge_speech_since(call,
                                                           ngx_current_msec);

    ngx_http_voicebridge_talk_span(&call->talk, NGX_HTTP_VOICEBRIDGE_AGENT,
                                   call->speaking_since, 0);
}


void
ngx_http_voicebridge_speech_clear(ngx_http_voicebridge_call_t *call)
{
    if (call->speaking) {
        ngx_http_voicebridge_speech_played(call, ngx_current_msec);
    }
}


void
ngx_http_voicebridge_speech_turn(ngx_http_voicebridge_call_t *call,
    ngx_http_voicebridge_who_t who, ngx_str_t *text)
{
    ngx_http_voicebridge_talk_turn(&call->talk, who,
                                   ngx_http_voicebridge_speech_since(call,
                                                           ngx_current_msec),
                                   text);
}


void
ngx_http_voicebridge_speech_end(ngx_http_voicebridge_call_t *call)
{
    if (call->speaking
        && (ngx_msec_int_t) (ngx_current_msec - call->played) > 0)
    {
        ngx_http_voicebridge_speech_played(call, call->played);
    }

    ngx_http_voicebridge_talk_end(&call->talk,
                                  ngx_http_voicebridge_speech_since(call,
                                                           ngx_current_msec));
}


static uint32_t
ngx_http_voicebridge_speech_since(ngx_http_voicebridge_call_t *call,
    ngx_msec_t moment)
{
    return moment - call->accepted;
}


static void
ngx_http_voicebridge_speech_played(ngx_http_voicebridge_call_t *call,
    ngx_msec_t end)
{
    uint32_t  since;

    call->speaking = 0;

    since = ngx_http_voicebridge_speech_since(call, end);

    ngx_http_voicebridge_talk_span(&call->talk, NGX_HTTP_VOICEBRIDGE_AGENT,
                                   call->speaking_since,
                                   ngx_max(since, call->speaking_since + 1));
}
