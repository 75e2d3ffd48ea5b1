
/*
 * Twilio Media Streams, both ways: the messages inside the WebSocket.
 * Source: Twilio's documentation, "Media Streams - WebSocket Messages".
 */


#ifndef _VB_TWILIO_STREAM_H_INCLUDED_
#define _VB_TWILIO_STREAM_H_INCLUDED_


#include <vb_core.h>
#include <vb_json.h>
#include <vb_twilio_call.h>


typedef enum {
    VB_TWILIO_UNKNOWN = 0,             /* well-formed, to be ignored */
    VB_TWILIO_CONNECTED,
    VB_TWILIO_START,
    VB_TWILIO_MEDIA,
    VB_TWILIO_DTMF,
    VB_TWILIO_MARK,
    VB_TWILIO_STOP
} vb_twilio_event_t;


/* strings point into the message and are still escaped where .escaped */
typedef struct {
    vb_twilio_event_t  event;
    vb_str_t           stream_sid;     /* MZ...; empty in connected */

    /* start */
    vb_str_t           account_sid;
    vb_str_t           call_sid;
    vb_json_value_t    parameters;     /* customParameters, or ABSENT */

    /* media: base64 of mu-law; always of the inbound track, a message of
       another one is an unknown event */
    vb_json_value_t    payload;

    /* dtmf, mark: of any type, or ABSENT */
    vb_json_value_t    digit;
    vb_json_value_t    mark;
} vb_twilio_message_t;


/*
 * Parses one text message.  VB_OK; VB_ERROR with *error a plain reason
 * (static) when it is not JSON, or a message of a known event lacks what it
 * must have: streamSid, callSid and a mediaFormat of audio/x-mulaw 8000 1 in
 * start, payload in media.  SIDs of a start, the accountSid too if there is
 * one, must have Twilio's shape (two letters, 32 hex digits).  Unknown
 * events and extra members are accepted.
 */
int vb_twilio_message_parse(vb_twilio_message_t *m, const vb_str_t *text,
    size_t depth, const char **error);


/*
 * Writers of the three messages Twilio takes; each returns the end of what
 * it wrote.  Nothing but the members Twilio names is ever written (31951).
 * A media message is prefix, base64 text, suffix.
 */

#define vb_twilio_media_length(base64_length)                                 \
    (sizeof("{\"event\":\"media\",\"streamSid\":\"\",\"media\":"              \
            "{\"payload\":\"\"}}") - 1 + VB_TWILIO_SID_LENGTH + (base64_length))

u_char *vb_twilio_media_prefix(u_char *p, const vb_str_t *stream_sid);
u_char *vb_twilio_media_suffix(u_char *p);

/* of a name, which needs no escaping, no more bytes than this are used */
#define VB_TWILIO_MARK_NAME    32
#define VB_TWILIO_MARK_LENGTH  128
u_char *vb_twilio_mark(u_char *p, const vb_str_t *stream_sid,
    const vb_str_t *name);

#define VB_TWILIO_CLEAR_LENGTH  96
u_char *vb_twilio_clear(u_char *p, const vb_str_t *stream_sid);


#endif /* _VB_TWILIO_STREAM_H_INCLUDED_ */
