
/* ElevenLabs' side of the agent leg: its messages read, ours written */


#include <stdio.h>
#include <strings.h>
#include <vb_agent_client.h>
#include <vb_agent_message.h>
#include <vb_utf8.h>


#define vb_agent_write(p, s)                                                  \
    ((u_char *) memcpy(p, s, sizeof(s) - 1) + sizeof(s) - 1)


/* the message itself; audio, which is most and largest, is read with it */

enum {
    VB_AGENT_F_TYPE = 0,
    VB_AGENT_F_AUDIO,
    VB_AGENT_F_AUDIO_BASE64,
    VB_AGENT_F_AUDIO_EVENT_ID,
    VB_AGENT_F_PING,
    VB_AGENT_F_INTERRUPTION,
    VB_AGENT_F_RESPONSE,
    VB_AGENT_F_TRANSCRIPT,
    VB_AGENT_F_CORRECTION,
    VB_AGENT_F_METADATA,
    VB_AGENT_F_TOOL_CALL,
    VB_AGENT_F_TOOL_RESPONSE,
    VB_AGENT_F_TOOL_PAYLOAD,
    VB_AGENT_F_ERROR,
    VB_AGENT_F_QUEUE,
    VB_AGENT_F_OLD_AUDIO,
    VB_AGENT_F_OLD_CHUNK,
    VB_AGENT_FIELDS
};


static const vb_json_field_t  vb_agent_fields[VB_AGENT_FIELDS] = {
    { VB_JSON_ROOT, vb_str("type") },
    { VB_JSON_ROOT, vb_str("audio_event") },
    { VB_AGENT_F_AUDIO, vb_str("audio_base_64") },
    { VB_AGENT_F_AUDIO, vb_str("event_id") },
    { VB_JSON_ROOT, vb_str("ping_event") },
    { VB_JSON_ROOT, vb_str("interruption_event") },
    { VB_JSON_ROOT, vb_str("agent_response_event") },
    { VB_JSON_ROOT, vb_str("user_transcription_event") },
    { VB_JSON_ROOT, vb_str("agent_response_correction_event") },
    { VB_JSON_ROOT, vb_str("conversation_initiation_metadata_event") },
    { VB_JSON_ROOT, vb_str("client_tool_call") },
    { VB_JSON_ROOT, vb_str("agent_tool_response") },
    { VB_JSON_ROOT, vb_str("agent_tool_response_full_payload") },
    { VB_JSON_ROOT, vb_str("error_event") },
    { VB_JSON_ROOT, vb_str("queue_status_event") },

    /* {"type":"audio","audio":{"chunk":...}}, before 2025 */
    { VB_JSON_ROOT, vb_str("audio") },
    { VB_AGENT_F_OLD_AUDIO, vb_str("chunk") }
};


/* what the events of all other types hold, whichever it is */

enum {
    VB_AGENT_E_ID = 0,
    VB_AGENT_E_RESPONSE,
    VB_AGENT_E_TRANSCRIPT,
    VB_AGENT_E_CORRECTED,
    VB_AGENT_E_ORIGINAL,
    VB_AGENT_E_CONVERSATION_ID,
    VB_AGENT_E_OUTPUT,
    VB_AGENT_E_INPUT,
    VB_AGENT_E_TOOL_NAME,
    VB_AGENT_E_TOOL_CALL_ID,
    VB_AGENT_E_EXPECTS_RESPONSE,
    VB_AGENT_E_IS_ERROR,
    VB_AGENT_E_CODE,
    VB_AGENT_E_MESSAGE,
    VB_AGENT_E_REASON,
    VB_AGENT_E_ERROR_TYPE,
    VB_AGENT_E_ERROR_NAME,
    VB_AGENT_E_STATUS,
    VB_AGENT_EVENT_FIELDS
};


static const vb_json_field_t  vb_agent_event_fields[VB_AGENT_EVENT_FIELDS] = {
    { VB_JSON_ROOT, vb_str("event_id") },
    { VB_JSON_ROOT, vb_str("agent_response") },
    { VB_JSON_ROOT, vb_str("user_transcript") },
    { VB_JSON_ROOT, vb_str("corrected_agent_response") },
    { VB_JSON_ROOT, vb_str("original_agent_response") },
    { VB_JSON_ROOT, vb_str("conversation_id") },
    { VB_JSON_ROOT, vb_str("agent_output_audio_format") },
    { VB_JSON_ROOT, vb_str("user_input_audio_format") },
    { VB_JSON_ROOT, vb_str("tool_name") },
    { VB_JSON_ROOT, vb_str("tool_call_id") },
    { VB_JSON_ROOT, vb_str("expects_response") },
    { VB_JSON_ROOT, vb_str("is_error") },
    { VB_JSON_ROOT, vb_str("code") },
    { VB_JSON_ROOT, vb_str("message") },
    { VB_JSON_ROOT, vb_str("reason") },
    { VB_JSON_ROOT, vb_str("error_type") },
    { VB_JSON_ROOT, vb_str("error_name") },
    { VB_JSON_ROOT, vb_str("status") }
};


typedef struct {
    vb_str_t          name;
    vb_agent_type_t   type;
    int               event;           /* its object, or -1 */
    int               text;            /* in that object, or -1 */
} vb_agent_kind_t;


static const vb_agent_kind_t  vb_agent_kinds[] = {
    { vb_str("audio"), VB_AGENT_AUDIO, -1, -1 },
    { vb_str("ping"), VB_AGENT_PING, VB_AGENT_F_PING, -1 },
    { vb_str("interruption"), VB_AGENT_INTERRUPTION, VB_AGENT_F_INTERRUPTION,
      -1 },
    { vb_str("agent_response"), VB_AGENT_RESPONSE, VB_AGENT_F_RESPONSE,
      VB_AGENT_E_RESPONSE },
    { vb_str("user_transcript"), VB_AGENT_USER_TRANSCRIPT,
      VB_AGENT_F_TRANSCRIPT, VB_AGENT_E_TRANSCRIPT },
    { vb_str("agent_response_correction"), VB_AGENT_RESPONSE_CORRECTION,
      VB_AGENT_F_CORRECTION, VB_AGENT_E_CORRECTED },
    { vb_str("conversation_initiation_metadata"), VB_AGENT_METADATA,
      VB_AGENT_F_METADATA, -1 },
    { vb_str("client_tool_call"), VB_AGENT_CLIENT_TOOL_CALL,
      VB_AGENT_F_TOOL_CALL, -1 },
    { vb_str("agent_tool_response"), VB_AGENT_TOOL_RESPONSE,
      VB_AGENT_F_TOOL_RESPONSE, -1 },
    { vb_str("agent_tool_response_full_payload"), VB_AGENT_TOOL_RESPONSE,
      VB_AGENT_F_TOOL_PAYLOAD, -1 },
    { vb_str("error"), VB_AGENT_ERROR, VB_AGENT_F_ERROR, VB_AGENT_E_MESSAGE },
    { vb_str("client_error"), VB_AGENT_ERROR, VB_AGENT_F_ERROR,
      VB_AGENT_E_MESSAGE },
    { vb_str("queue_status"), VB_AGENT_QUEUE_STATUS, VB_AGENT_F_QUEUE,
      VB_AGENT_E_STATUS },
    { vb_str("dtmf_request"), VB_AGENT_DTMF_REQUEST, -1, -1 },
    { vb_str(""), VB_AGENT_UNKNOWN, -1, -1 }
};


static const vb_agent_kind_t *vb_agent_kind(const vb_json_value_t *name);
static void vb_agent_audio(vb_agent_message_t *m, const vb_json_value_t *v);
static int vb_agent_event(vb_agent_message_t *m, const vb_agent_kind_t *kind,
    const vb_json_value_t *object, const char **error);
static void vb_agent_event_id(vb_agent_message_t *m,
    const vb_json_value_t *value);
static void vb_agent_conversation(vb_str_t *s, const vb_json_value_t *value);
static void vb_agent_string(vb_str_t *s, const vb_json_value_t *value);
static int vb_agent_is_socket(const vb_str_t *url, int secure);
static void vb_agent_first_msg(vb_json_value_t *value);


int
vb_agent_message_parse(vb_agent_message_t *m, const vb_str_t *text,
    size_t depth, const char **error)
{
    int                     rc;
    size_t                  offset;
    vb_json_value_t         v[VB_AGENT_FIELDS];
    const vb_agent_kind_t  *kind;

    memset(m, 0, sizeof(vb_agent_message_t));

    if (vb_json_select_deep(text, depth, vb_agent_fields, VB_AGENT_FIELDS, v,
                            error, &offset)
        != VB_OK)
    {
        return VB_ERROR;
    }

    if (v[VB_AGENT_F_TYPE].type != VB_JSON_STRING) {
        *error = "a message without a type";
        return VB_ERROR;
    }

    kind = vb_agent_kind(&v[VB_AGENT_F_TYPE]);

    m->type = kind->type;
    m->name = v[VB_AGENT_F_TYPE].text;

    if (m->type == VB_AGENT_AUDIO) {
        vb_agent_audio(m, v);
        return VB_OK;
    }

    /* an error without its error_event has been seen */

    if (kind->event != -1 && v[kind->event].type == VB_JSON_OBJECT) {
        rc = vb_agent_event(m, kind, &v[kind->event], error);

        if (rc != VB_OK) {
            return rc;
        }
    }

    if (m->type == VB_AGENT_PING && !m->has_event_id) {
        *error = "a ping without an event_id";
        return VB_ERROR;
    }

    if (m->type == VB_AGENT_METADATA && m->output_format.len == 0) {
        *error = "metadata without agent_output_audio_format";
        return VB_ERROR;
    }

    return VB_OK;
}


static const vb_agent_kind_t *
vb_agent_kind(const vb_json_value_t *name)
{
    u_char                  buf[64];
    vb_str_t                plain;
    const vb_agent_kind_t  *kind;

    plain = name->text;

    if (name->escaped && plain.len <= sizeof(buf)) {
        plain.data = buf;
        plain.len = vb_json_unescape(buf, &name->text);
    }

    for (kind = vb_agent_kinds; kind->name.len; kind++) {

        if (kind->name.len == plain.len
            && memcmp(kind->name.data, plain.data, plain.len) == 0)
        {
            break;
        }
    }

    return kind;
}


static void
vb_agent_audio(vb_agent_message_t *m, const vb_json_value_t *v)
{
    if (v[VB_AGENT_F_AUDIO_BASE64].type == VB_JSON_STRING) {
        m->audio = v[VB_AGENT_F_AUDIO_BASE64];

    } else if (v[VB_AGENT_F_OLD_CHUNK].type == VB_JSON_STRING) {
        m->audio = v[VB_AGENT_F_OLD_CHUNK];
    }

    vb_agent_event_id(m, &v[VB_AGENT_F_AUDIO_EVENT_ID]);
}


static int
vb_agent_event(vb_agent_message_t *m, const vb_agent_kind_t *kind,
    const vb_json_value_t *object, const char **error)
{
    size_t           offset;
    vb_json_value_t  v[VB_AGENT_EVENT_FIELDS];

    if (vb_json_select_deep(&object->text, VB_JSON_MAX_DEPTH,
                            vb_agent_event_fields, VB_AGENT_EVENT_FIELDS, v,
                            error, &offset)
        != VB_OK)
    {
        return VB_ERROR;
    }

    vb_agent_event_id(m, &v[VB_AGENT_E_ID]);

    vb_agent_conversation(&m->conversation_id,
                          &v[VB_AGENT_E_CONVERSATION_ID]);

    vb_agent_string(&m->output_format, &v[VB_AGENT_E_OUTPUT]);
    vb_agent_string(&m->input_format, &v[VB_AGENT_E_INPUT]);

    m->original = v[VB_AGENT_E_ORIGINAL];

    m->tool_name = v[VB_AGENT_E_TOOL_NAME];
    m->tool_call_id = v[VB_AGENT_E_TOOL_CALL_ID];
    m->expects_response = (v[VB_AGENT_E_EXPECTS_RESPONSE].type
                           == VB_JSON_TRUE);
    m->tool_error = (v[VB_AGENT_E_IS_ERROR].type == VB_JSON_TRUE);

    if (kind->text != -1) {
        m->text = v[kind->text];
    }

    if (m->type == VB_AGENT_ERROR) {

        if (m->text.type != VB_JSON_STRING) {
            m->text = v[VB_AGENT_E_REASON];
        }

        m->reason = v[VB_AGENT_E_ERROR_TYPE].type == VB_JSON_STRING
                    ? v[VB_AGENT_E_ERROR_TYPE] : v[VB_AGENT_E_ERROR_NAME];

        if (vb_json_integer(&v[VB_AGENT_E_CODE], &m->code) != VB_OK) {
            m->code = 0;
        }
    }

    return VB_OK;
}


static void
vb_agent_event_id(vb_agent_message_t *m, const vb_json_value_t *value)
{
    m->has_event_id = (vb_json_integer(value, &m->event_id) == VB_OK);
}


/* it goes into lines of the log: what is no id is as if it were absent */

static void
vb_agent_conversation(vb_str_t *s, const vb_json_value_t *value)
{
    if (value->type == VB_JSON_STRING && !value->escaped
        && vb_agent_is_id(&value->text))
    {
        *s = value->text;
    }
}


static void
vb_agent_string(vb_str_t *s, const vb_json_value_t *value)
{
    if (value->type == VB_JSON_STRING) {
        *s = value->text;
    }
}


u_char *
vb_agent_audio_prefix(u_char *p)
{
    return vb_agent_write(p, "{\"user_audio_chunk\":\"");
}


u_char *
vb_agent_audio_suffix(u_char *p)
{
    return vb_agent_write(p, "\"}");
}


u_char *
vb_agent_pong(u_char *p, int64_t event_id)
{
    return p + snprintf((char *) p, VB_AGENT_PONG_LENGTH,
                        "{\"type\":\"pong\",\"event_id\":%lld}",
                        (long long) event_id);
}


u_char *
vb_agent_tool_error(u_char *p, const vb_json_value_t *id)
{
    p = vb_agent_write(p, "{\"type\":\"client_tool_result\","
                          "\"tool_call_id\":\"");

    if (id->text.len) {
        p = (u_char *) memcpy(p, id->text.data, id->text.len) + id->text.len;
    }

    return vb_agent_write(p, "\",\"result\":\"This tool is not available on a "
                             "phone call.\",\"is_error\":true}");
}


int
vb_agent_signed_url_parse(const vb_str_t *body, int secure, u_char *buf,
    size_t size, vb_str_t *out)
{
    size_t                        i, offset;
    const char                   *error;
    vb_json_value_t               url;

    static const vb_json_field_t  field = { VB_JSON_ROOT,
                                            vb_str("signed_url") };

    if (vb_json_select(body, &field, 1, &url, &error, &offset) != VB_OK
        || url.type != VB_JSON_STRING || url.text.len == 0
        || url.text.len > size)
    {
        return VB_ERROR;
    }

    out->data = buf;
    out->len = vb_json_unescape(buf, &url.text);

    /* it goes to a request line: no space, no end of line (RFC 3986) */

    for (i = 0; i < out->len; i++) {

        if (buf[i] <= 0x20 || buf[i] >= 0x7f) {
            return VB_ERROR;
        }
    }

    return vb_agent_is_socket(out, secure) ? VB_OK : VB_DECLINED;
}


/* a host of that name would be a path of this system's to nginx */

static int
vb_agent_is_socket(const vb_str_t *url, int secure)
{
    size_t       i;
    const char  *p;

    static const char  *starts[] = { "wss://", "ws://" };

    for (i = 0; i < (secure ? 1 : 2); i++) {
        p = starts[i];

        if (url->len > strlen(p)
            && strncasecmp((char *) url->data, p, strlen(p)) == 0)
        {
            return url->len < strlen(p) + 5
                   || strncasecmp((char *) url->data + strlen(p), "unix:", 5)
                      != 0;
        }
    }

    return 0;
}


void
vb_agent_error_parse(const vb_str_t *body, u_char *buf, size_t size,
    vb_str_t *out)
{
    size_t                        offset;
    uint32_t                      state;
    const char                   *error;
    vb_json_value_t               v[2], *text;

    static const vb_json_field_t  fields[2] = {
        { VB_JSON_ROOT, vb_str("detail") },
        { 0, vb_str("message") }
    };

    out->data = buf;
    out->len = 0;

    state = 0;

    if (vb_json_select(body, fields, 2, v, &error, &offset) != VB_OK
        || vb_utf8_check(&state, body->data, body->len) != VB_OK || state)
    {
        return;
    }

    text = (v[0].type == VB_JSON_OBJECT) ? &v[1] : &v[0];

    if (text->type == VB_JSON_ARRAY) {
        vb_agent_first_msg(text);
    }

    if (text->type == VB_JSON_STRING) {
        out->len = vb_json_print(buf, size, &text->text);
    }
}


/* makes of an array of objects the msg of the first */

static void
vb_agent_first_msg(vb_json_value_t *value)
{
    u_char           *pos;
    vb_str_t          text;
    vb_json_value_t   object, name;

    text = value->text;

    while (text.len && text.data[0] != '{') {
        text.data++;
        text.len--;
    }

    /* its end, if not that of its members, is where the array has its */

    object.type = text.len ? VB_JSON_OBJECT : VB_JSON_ABSENT;
    object.text = text;

    pos = text.data;

    while (vb_json_next(&object, &pos, &name, value) == VB_OK) {

        if (vb_str_eq(&name.text, "msg")) {
            return;
        }
    }

    value->type = VB_JSON_ABSENT;
}
