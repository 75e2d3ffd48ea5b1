
/* What to do about a call that failed, for the line in the log */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <ngx_http_voicebridge_call.h>


const char *
ngx_http_voicebridge_remedy(ngx_http_voicebridge_cause_t cause)
{
    switch (cause) {

    case NGX_HTTP_VOICEBRIDGE_END_CALLER_LOST:
    case NGX_HTTP_VOICEBRIDGE_END_CALLER_SILENT:
        return "look at the network between Twilio and this server";

    case NGX_HTTP_VOICEBRIDGE_END_PHONE_PROTOCOL:
    case NGX_HTTP_VOICEBRIDGE_END_NO_START:
        return "see who connects here instead of Twilio";

    case NGX_HTTP_VOICEBRIDGE_END_BAD_START:
        return "correct the TwiML that opens the stream";

    case NGX_HTTP_VOICEBRIDGE_END_BAD_TOKEN:
        return "have one voicebridge_twilio_auth_token on all servers; "
               "otherwise somebody tries";

    case NGX_HTTP_VOICEBRIDGE_END_AGENT_FAILED:
        return "see the conversation at ElevenLabs";

    case NGX_HTTP_VOICEBRIDGE_END_AGENT_LOST:
    case NGX_HTTP_VOICEBRIDGE_END_AGENT_SILENT:
        return "look at the network between this server and ElevenLabs";

    case NGX_HTTP_VOICEBRIDGE_END_AGENT_PROTOCOL:
        return "set voicebridge_max_message_size where a message is too "
               "large, report anything else";

    case NGX_HTTP_VOICEBRIDGE_END_AGENT_UNREACHABLE:
        return "check voicebridge_elevenlabs_api_key where the status is 401 "
               "or 403 or the code 3000, the agent's id and variables where "
               "it is 400, 404 or 1008, else resolver, network, CA "
               "certificates and ElevenLabs' state";

    case NGX_HTTP_VOICEBRIDGE_END_AGENT_TIMEOUT:
        return "look at the network and at ElevenLabs' state, "
               "voicebridge_connect_timeout may be longer";

    case NGX_HTTP_VOICEBRIDGE_END_TOO_LONG:
        return "set voicebridge_max_call_duration longer if the call was a "
               "good one";

    case NGX_HTTP_VOICEBRIDGE_END_SHUTDOWN:
        return "set worker_shutdown_timeout longer than calls are, or "
               "voicebridge_shutdown_handoff on";

    case NGX_HTTP_VOICEBRIDGE_END_INTERNAL_ERROR:
        return "look at the machine: memory, and nginx's worker_connections";

    default: /* nothing is wrong */
        return "";
    }
}
