
/*
 * What an ElevenLabs agent says over its WebSocket, and what is said back
 * during a conversation.  Source: ElevenLabs' AsyncAPI of the agent socket.
 */


#ifndef _VB_AGENT_MESSAGE_H_INCLUDED_
#define _VB_AGENT_MESSAGE_H_INCLUDED_


#include <vb_core.h>
#include <vb_json.h>


typedef enum {
    VB_AGENT_UNKNOWN = 0,              /* well-formed, to be ignored */
    VB_AGENT_METADATA,                 /* conversation_initiation_metadata */
    VB_AGENT_AUDIO,
    VB_AGENT_INTERRUPTION,
    VB_AGENT_PING,
    VB_AGENT_USER_TRANSCRIPT,
    VB_AGENT_RESPONSE,
    VB_AGENT_RESPONSE_CORRECTION,
    VB_AGENT_CLIENT_TOOL_CALL,
    VB_AGENT_TOOL_RESPONSE,            /* agent_tool_response[_full_payload] */
    VB_AGENT_ERROR,                    /* error, client_error */
    VB_AGENT_QUEUE_STATUS,
    VB_AGENT_DTMF_REQUEST
} vb_agent_type_t;


/*
 * Strings point into the message, still escaped where .escaped says so; a
 * vb_json_value_t is of any type, ABSENT where there is none.
 */
typedef struct {
    vb_agent_type_t   type;
    vb_str_t          name;            /* the type's own name */

    unsigned          has_event_id:1;
    int64_t           event_id;        /* audio, interruption, ping, ... */

    vb_str_t          conversation_id;
    vb_str_t          output_format;   /* agent to caller; empty: absent */
    vb_str_t          input_format;    /* caller to agent */

    vb_json_value_t   audio;           /* base64; may be empty or absent */
    vb_json_value_t   text;            /* transcript, response, corrected
                                          response, error message or, for
                                          queue_status, the status */
    vb_json_value_t   original;        /* response, before its correction */
    vb_json_value_t   reason;          /* of an error: its type or name */
    int64_t           code;            /* of an error; 0: none given */

    vb_json_value_t   tool_name;
    vb_json_value_t   tool_call_id;
    unsigned          expects_response:1;
    unsigned          tool_error:1;
} vb_agent_message_t;


/*
 * Parses one message.  VB_OK, also for types not known; VB_ERROR with
 * *error a plain reason (static): not a JSON object, no type, metadata
 * without its output format (ElevenLabs' own SDK takes one without an input
 * format), a ping without event_id.  type may stand anywhere.
 */
int vb_agent_message_parse(vb_agent_message_t *m, const vb_str_t *text,
    size_t depth, const char **error);


/* writers, each returns the end of what it wrote */

/* {"user_audio_chunk":"BASE64"}: prefix, base64 text, suffix */
#define vb_agent_audio_length(base64_length)                                  \
    (sizeof("{\"user_audio_chunk\":\"\"}") - 1 + (base64_length))

u_char *vb_agent_audio_prefix(u_char *p);
u_char *vb_agent_audio_suffix(u_char *p);

#define VB_AGENT_PONG_LENGTH  64
u_char *vb_agent_pong(u_char *p, int64_t event_id);

/*
 * {"type":"client_tool_result",...}: an answer that the tool is not here;
 * id is a scanned string and goes out as it came.  Needs id->text.len + 192.
 */
u_char *vb_agent_tool_error(u_char *p, const vb_json_value_t *id);


/*
 * {"signed_url":"wss://..."}; out gets a copy (at most size bytes),
 * unescaped, of visible ASCII only.  VB_OK; VB_ERROR: there is none;
 * VB_DECLINED: it leads to something else than a WebSocket at a host, or, if
 * it has to be secure, to one without TLS.
 */
int vb_agent_signed_url_parse(const vb_str_t *body, int secure, u_char *buf,
    size_t size, vb_str_t *out);

/*
 * The text of an error answer, whose detail is {"message":...}, [{"msg":...}]
 * or a string: a copy for the log in buf, at most size bytes; empty where
 * there is none.
 */
void vb_agent_error_parse(const vb_str_t *body, u_char *buf, size_t size,
    vb_str_t *out);


#endif /* _VB_AGENT_MESSAGE_H_INCLUDED_ */
