
/* What the agent says */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <vb_mask.h>
#include <vb_utf8.h>

#include <ngx_http_voicebridge_call.h>


static void ngx_http_voicebridge_agent_notice(
    ngx_http_voicebridge_call_t *call, vb_agent_message_t *m);
static ngx_int_t ngx_http_voicebridge_agent_metadata(
    ngx_http_voicebridge_call_t *call, vb_agent_message_t *m);
static ngx_int_t ngx_http_voicebridge_agent_audio(
    ngx_http_voicebridge_call_t *call, vb_agent_message_t *m);
static ngx_int_t ngx_http_voicebridge_agent_interruption(
    ngx_http_voicebridge_call_t *call, vb_agent_message_t *m);
static ngx_int_t ngx_http_voicebridge_agent_pong(
    ngx_http_voicebridge_call_t *call, vb_agent_message_t *m);
static ngx_int_t ngx_http_voicebridge_agent_tool(
    ngx_http_voicebridge_call_t *call, vb_agent_message_t *m);
static void ngx_http_voicebridge_agent_tool_done(
    ngx_http_voicebridge_call_t *call, vb_agent_message_t *m);
static void ngx_http_voicebridge_agent_said(ngx_http_voicebridge_call_t *call,
    vb_agent_message_t *m);
static void ngx_http_voicebridge_agent_error(ngx_http_voicebridge_call_t *call,
    vb_agent_message_t *m);
static void ngx_http_voicebridge_agent_text(vb_json_value_t *value);


void
ngx_http_voicebridge_agent_message(ngx_http_voicebridge_call_t *call,
    ngx_str_t *text)
{
    ngx_int_t           rc;
    const char         *error;
    vb_agent_message_t  m;

    if (vb_agent_message_parse(&m, text, call->conf->max_json_depth, &error)
        != VB_OK)
    {
        call->agent.reader.error = error;
        call->agent.reader.status = VB_WS_INVALID_DATA;
        ngx_http_voicebridge_agent_violation(call);
        return;
    }

    rc = NGX_OK;

    switch (m.type) {

    case VB_AGENT_METADATA:
        rc = ngx_http_voicebridge_agent_metadata(call, &m);
        break;

    case VB_AGENT_AUDIO:
        rc = ngx_http_voicebridge_agent_audio(call, &m);
        break;

    case VB_AGENT_INTERRUPTION:
        rc = ngx_http_voicebridge_agent_interruption(call, &m);
        break;

    case VB_AGENT_PING:
        rc = ngx_http_voicebridge_agent_pong(call, &m);
        break;

    case VB_AGENT_CLIENT_TOOL_CALL:
        rc = ngx_http_voicebridge_agent_tool(call, &m);
        break;

    default:
        ngx_http_voicebridge_agent_notice(call, &m);
    }

    if (rc == NGX_DECLINED) {
        ngx_http_voicebridge_agent_violation(call);

    } else if (rc == NGX_ERROR) {
        ngx_http_voicebridge_end(call, NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR,
                                 "no memory");
    }
}


/* what is only told, and asks for nothing */

static void
ngx_http_voicebridge_agent_notice(ngx_http_voicebridge_call_t *call,
    vb_agent_message_t *m)
{
    switch (m->type) {

    case VB_AGENT_TOOL_RESPONSE:
        ngx_http_voicebridge_agent_tool_done(call, m);
        break;

    case VB_AGENT_USER_TRANSCRIPT:
    case VB_AGENT_RESPONSE:
    case VB_AGENT_RESPONSE_CORRECTION:
        ngx_http_voicebridge_agent_said(call, m);
        break;

    case VB_AGENT_ERROR:
        ngx_http_voicebridge_agent_error(call, m);
        break;

    case VB_AGENT_QUEUE_STATUS:
        ngx_http_voicebridge_agent_text(&m->text);

        ngx_log_error(NGX_LOG_INFO, ngx_http_voicebridge_call_log(call), 0,
                      "call %V: ElevenLabs queue: %V", &call->ctx->call_sid,
                      &m->text.text);
        break;

    default:
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_http_voicebridge_call_log(call),
                       0, "voicebridge: agent message \"%V\"", &m->name);
    }
}


static ngx_int_t
ngx_http_voicebridge_agent_metadata(ngx_http_voicebridge_call_t *call,
    vb_agent_message_t *m)
{
    ngx_str_t          *id;
    vb_audio_format_t   in, out;

    if (call->state == NGX_HTTP_VOICEBRIDGE_LIVE) {
        return NGX_OK;
    }

    /* ElevenLabs' own SDK takes an input format that is not named for this */

    in.codec = VB_AUDIO_PCM;
    in.rate = 16000;

    if ((m->input_format.len
         && vb_audio_format_parse(&in, &m->input_format) != VB_OK)
        || vb_audio_format_parse(&out, &m->output_format) != VB_OK
        || vb_transcoder_init(&call->uplink, call->bank, &vb_audio_ulaw_8000,
                              &in)
           != VB_OK
        || vb_transcoder_init(&call->downlink, call->bank, &out,
                              &vb_audio_ulaw_8000)
           != VB_OK)
    {
        call->agent.reader.error = "an audio format that is not known";
        call->agent.reader.status = VB_WS_POLICY;
        return NGX_DECLINED;
    }

    id = &call->ctx->conversation_id;

    id->data = ngx_pnalloc(call->request->pool, m->conversation_id.len + 1);
    if (id->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(id->data, m->conversation_id.data, m->conversation_id.len);
    id->len = m->conversation_id.len;

    call->state = NGX_HTTP_VOICEBRIDGE_LIVE;
    ngx_http_voicebridge_report(call, NGX_HTTP_VOICEBRIDGE_STEP_METADATA, 0);

    ngx_log_error(NGX_LOG_INFO, ngx_http_voicebridge_call_log(call), 0,
                  "call %V: conversation %V, caller in %V, agent in %V",
                  &call->ctx->call_sid, id, &m->input_format,
                  &m->output_format);

    ngx_http_voicebridge_event(call, NGX_HTTP_VOICEBRIDGE_EVENT_ANSWERED, NULL,
                               NULL);

    return ngx_http_voicebridge_media_early(call, 0);
}


static ngx_int_t
ngx_http_voicebridge_agent_audio(ngx_http_voicebridge_call_t *call,
    vb_agent_message_t *m)
{
    ngx_int_t  rc;

    if (call->state != NGX_HTTP_VOICEBRIDGE_LIVE) {
        call->agent.reader.error = "audio before the metadata";
        call->agent.reader.status = VB_WS_POLICY;
        return NGX_DECLINED;
    }

    /* what was said before an interruption and comes after it */

    if (m->has_event_id && m->event_id <= call->interrupted) {
        return NGX_OK;
    }

    if (m->audio.type != VB_JSON_STRING || m->audio.text.len == 0) {
        return NGX_OK;
    }

    if (m->audio.escaped) {
        m->audio.text.len = vb_json_unescape(m->audio.text.data,
                                             &m->audio.text);
    }

    ngx_http_voicebridge_report_answer(call);

    call->speech = m->audio.text;

    rc = ngx_http_voicebridge_media_downlink(call);

    if (call->agent_bytes && !call->audio_told) {
        ngx_http_voicebridge_report(call,
                                    NGX_HTTP_VOICEBRIDGE_STEP_FIRST_AUDIO, 0);
    }

    if (rc == NGX_DECLINED) {
        call->agent.reader.error = "audio that is not base64";
        call->agent.reader.status = VB_WS_INVALID_DATA;
    }

    return rc;
}


static ngx_int_t
ngx_http_voicebridge_agent_interruption(ngx_http_voicebridge_call_t *call,
    vb_agent_message_t *m)
{
    if (m->has_event_id && m->event_id > call->interrupted) {
        call->interrupted = m->event_id;
    }

    call->ctx->interruptions++;
    ngx_http_voicebridge_report(call, NGX_HTTP_VOICEBRIDGE_STEP_INTERRUPTION,
                                0);

    ngx_log_error(NGX_LOG_INFO, ngx_http_voicebridge_call_log(call), 0,
                  "call %V: the caller interrupted the agent",
                  &call->ctx->call_sid);

    if (call->state != NGX_HTTP_VOICEBRIDGE_LIVE) {
        return NGX_OK;
    }

    return ngx_http_voicebridge_media_clear(call);
}


static ngx_int_t
ngx_http_voicebridge_agent_pong(ngx_http_voicebridge_call_t *call,
    vb_agent_message_t *m)
{
    u_char  *p, buf[VB_AGENT_PONG_LENGTH];

    p = vb_agent_pong(buf, m->event_id);

    return ngx_http_voicebridge_leg_urgent(&call->agent, VB_WS_TEXT, buf,
                                           p - buf);
}


static ngx_int_t
ngx_http_voicebridge_agent_tool(ngx_http_voicebridge_call_t *call,
    vb_agent_message_t *m)
{
    u_char  *p, buf[1024];

    static ngx_str_t  error = ngx_string("client tools do not exist here");

    ngx_http_voicebridge_stats_event(&call->stats,
                                     NGX_HTTP_VOICEBRIDGE_STEP_TOOL, 0);

    ngx_http_voicebridge_agent_text(&m->tool_name);

    ngx_log_error(NGX_LOG_WARN, ngx_http_voicebridge_call_log(call), 0,
                  "call %V: the agent asks for client tool \"%V\", which this "
                  "gateway does not have: make it a webhook tool",
                  &call->ctx->call_sid, &m->tool_name.text);

    ngx_http_voicebridge_event(call, NGX_HTTP_VOICEBRIDGE_EVENT_TOOL_FAILED,
                               &m->tool_name.text, &error);

    if (!m->expects_response || m->tool_call_id.type != VB_JSON_STRING
        || m->tool_call_id.text.len > sizeof(buf) - 192)
    {
        return NGX_OK;
    }

    p = vb_agent_tool_error(buf, &m->tool_call_id);

    return ngx_http_voicebridge_leg_urgent(&call->agent, VB_WS_TEXT, buf,
                                           p - buf);
}


/* a webhook tool of the agent's, which it has asked itself */

static void
ngx_http_voicebridge_agent_tool_done(ngx_http_voicebridge_call_t *call,
    vb_agent_message_t *m)
{
    static ngx_str_t  error = ngx_string("see the conversation at ElevenLabs");

    if (!m->tool_error) {
        return;
    }

    ngx_http_voicebridge_agent_text(&m->tool_name);

    ngx_log_error(NGX_LOG_WARN, ngx_http_voicebridge_call_log(call), 0,
                  "call %V: the agent's tool \"%V\" failed, see conversation "
                  "%V at ElevenLabs for its answer", &call->ctx->call_sid,
                  &m->tool_name.text, &call->ctx->conversation_id);

    ngx_http_voicebridge_event(call, NGX_HTTP_VOICEBRIDGE_EVENT_TOOL_FAILED,
                               &m->tool_name.text, &error);
}


static void
ngx_http_voicebridge_agent_said(ngx_http_voicebridge_call_t *call,
    vb_agent_message_t *m)
{
    const char  *who;

    if (m->type == VB_AGENT_USER_TRANSCRIPT) {
        ngx_http_voicebridge_report_heard(call);
    }

    ngx_http_voicebridge_report(call, m->type == VB_AGENT_USER_TRANSCRIPT
                                      ? NGX_HTTP_VOICEBRIDGE_STEP_USER
                                      : m->type == VB_AGENT_RESPONSE
                                      ? NGX_HTTP_VOICEBRIDGE_STEP_AGENT
                                      : NGX_HTTP_VOICEBRIDGE_STEP_CORRECTION,
                                0);
    ngx_http_voicebridge_transcript(call, m);

    if (!call->conf->log_transcripts) {
        return;
    }

    who = m->type == VB_AGENT_USER_TRANSCRIPT ? "User said"
          : m->type == VB_AGENT_RESPONSE ? "Agent response"
          : "Agent response corrected";

    ngx_http_voicebridge_agent_text(&m->text);

    ngx_log_error(NGX_LOG_INFO, ngx_http_voicebridge_call_log(call), 0,
                  "call %V: %s: %V", &call->ctx->call_sid, who,
                  &m->text.text);

    ngx_http_voicebridge_speech_turn(call,
                       m->type == VB_AGENT_USER_TRANSCRIPT
                       ? NGX_HTTP_VOICEBRIDGE_CALLER
                       : m->type == VB_AGENT_RESPONSE
                       ? NGX_HTTP_VOICEBRIDGE_AGENT
                       : NGX_HTTP_VOICEBRIDGE_CORRECTION,
                       &m->text.text);
}


static void
ngx_http_voicebridge_agent_error(ngx_http_voicebridge_call_t *call,
    vb_agent_message_t *m)
{
    u_char  *p;

    ngx_http_voicebridge_agent_text(&m->text);
    ngx_http_voicebridge_agent_text(&m->reason);

    vb_mask_numbers(m->text.text.data, m->text.text.len);

    p = ngx_snprintf((u_char *) call->agent_error,
                     sizeof(call->agent_error) - 1, "%L %V %V", m->code,
                     &m->reason.text, &m->text.text);

    call->agent_error[vb_utf8_whole((u_char *) call->agent_error,
                                    p - (u_char *) call->agent_error)] = '\0';

    ngx_log_error(NGX_LOG_ERR, ngx_http_voicebridge_call_log(call), 0,
                  "call %V: ElevenLabs error: %s, see conversation %V there",
                  &call->ctx->call_sid, call->agent_error,
                  &call->ctx->conversation_id);

    ngx_http_voicebridge_report(call, NGX_HTTP_VOICEBRIDGE_STEP_ERROR,
                                m->code > 0 ? (ngx_uint_t) m->code : 0);
}


/* makes a scanned string fit for a log line, in place */

static void
ngx_http_voicebridge_agent_text(vb_json_value_t *value)
{
    if (value->type != VB_JSON_STRING) {
        value->text.len = 0;
        return;
    }

    if (value->escaped) {
        value->text.len = vb_json_unescape(value->text.data, &value->text);
        value->escaped = 0;
    }

    vb_utf8_plain(value->text.data, value->text.len);
}
