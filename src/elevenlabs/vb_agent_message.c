
/* What an ElevenLabs agent says, and what is said back */


#include <stdio.h>

#include <vb_agent_message.h>


enum {
    VB_AGENT_F_TYPE = 0,
    VB_AGENT_F_AUDIO_EVENT,
    VB_AGENT_F_AUDIO,
    VB_AGENT_F_AUDIO_ID,
    VB_AGENT_F_PING_EVENT,
    VB_AGENT_F_PING_ID,
    VB_AGENT_F_INTERRUPTION_EVENT,
    VB_AGENT_F_INTERRUPTION_ID,
    VB_AGENT_F_METADATA_EVENT,
    VB_AGENT_F_CONVERSATION_ID,
    VB_AGENT_F_OUTPUT,
    VB_AGENT_F_INPUT,
    VB_AGENT_F_RESPONSE_EVENT,
    VB_AGENT_F_RESPONSE,
    VB_AGENT_F_CORRECTION_EVENT,
    VB_AGENT_F_CORRECTED,
    VB_AGENT_F_USER_EVENT,
    VB_AGENT_F_USER,
    VB_AGENT_F_TOOL,
    VB_AGENT_F_TOOL_NAME,
    VB_AGENT_F_TOOL_ID,
    VB_AGENT_F_TOOL_EXPECTS,
    VB_AGENT_F_ERROR_EVENT,
    VB_AGENT_F_CODE,
    VB_AGENT_F_MESSAGE,
    VB_AGENT_F_ERROR_TYPE,
    VB_AGENT_F_ERROR_NAME,
    VB_AGENT_F_QUEUE_EVENT,
    VB_AGENT_F_QUEUE,
    VB_AGENT_F_OLD_AUDIO,
    VB_AGENT_F_CHUNK,
    VB_AGENT_FIELDS
};


static void vb_agent_message_event_id(vb_agent_message_t *m,
    const vb_json_value_t *v);
static int vb_agent_message_metadata(vb_agent_message_t *m,
    const vb_json_value_t *v, const char **error);
static void vb_agent_message_error(vb_agent_message_t *m,
    const vb_json_value_t *v);
static void vb_agent_message_tool(vb_agent_message_t *m,
    const vb_json_value_t *v);
static u_char *vb_agent_write(u_char *p, const char *s, size_t len);
static void vb_agent_clean(vb_str_t *out, u_char *buf, size_t size,
    const vb_json_value_t *v);


static const vb_json_field_t  vb_agent_fields[VB_AGENT_FIELDS] = {
    { VB_JSON_ROOT, vb_str("type") },
    { VB_JSON_ROOT, vb_str("audio_event") },
    { VB_AGENT_F_AUDIO_EVENT, vb_str("audio_base_64") },
    { VB_AGENT_F_AUDIO_EVENT, vb_str("event_id") },
    { VB_JSON_ROOT, vb_str("ping_event") },
    { VB_AGENT_F_PING_EVENT, vb_str("event_id") },
    { VB_JSON_ROOT, vb_str("interruption_event") },
    { VB_AGENT_F_INTERRUPTION_EVENT, vb_str("event_id") },
    { VB_JSON_ROOT, vb_str("conversation_initiation_metadata_event") },
    { VB_AGENT_F_METADATA_EVENT, vb_str("conversation_id") },
    { VB_AGENT_F_METADATA_EVENT, vb_str("agent_output_audio_format") },
    { VB_AGENT_F_METADATA_EVENT, vb_str("user_input_audio_format") },
    { VB_JSON_ROOT, vb_str("agent_response_event") },
    { VB_AGENT_F_RESPONSE_EVENT, vb_str("agent_response") },
    { VB_JSON_ROOT, vb_str("agent_response_correction_event") },
    { VB_AGENT_F_CORRECTION_EVENT, vb_str("corrected_agent_response") },
    { VB_JSON_ROOT, vb_str("user_transcription_event") },
    { VB_AGENT_F_USER_EVENT, vb_str("user_transcript") },
    { VB_JSON_ROOT, vb_str("client_tool_call") },
    { VB_AGENT_F_TOOL, vb_str("tool_name") },
    { VB_AGENT_F_TOOL, vb_str("tool_call_id") },
    { VB_AGENT_F_TOOL, vb_str("expects_response") },
    { VB_JSON_ROOT, vb_str("error_event") },
    { VB_AGENT_F_ERROR_EVENT, vb_str("code") },
    { VB_AGENT_F_ERROR_EVENT, vb_str("message") },
    { VB_AGENT_F_ERROR_EVENT, vb_str("error_type") },
    { VB_AGENT_F_ERROR_EVENT, vb_str("error_name") },
    { VB_JSON_ROOT, vb_str("queue_status_event") },
    { VB_AGENT_F_QUEUE_EVENT, vb_str("status") },
    { VB_JSON_ROOT, vb_str("audio") },             /* before 2025 */
    { VB_AGENT_F_OLD_AUDIO, vb_str("chunk") }
};


static const struct {
    vb_str_t         name;
    vb_agent_type_t  type;
    int              event_id;         /* the field, or -1 */
    int              text;
} vb_agent_types[] = {
    { vb_str("audio"), VB_AGENT_AUDIO, VB_AGENT_F_AUDIO_ID, -1 },
    { vb_str("ping"), VB_AGENT_PING, VB_AGENT_F_PING_ID, -1 },
    { vb_str("interruption"), VB_AGENT_INTERRUPTION,
      VB_AGENT_F_INTERRUPTION_ID, -1 },
    { vb_str("user_transcript"), VB_AGENT_USER_TRANSCRIPT, -1,
      VB_AGENT_F_USER },
    { vb_str("agent_response"), VB_AGENT_RESPONSE, -1, VB_AGENT_F_RESPONSE },
    { vb_str("agent_response_correction"), VB_AGENT_RESPONSE_CORRECTION, -1,
      VB_AGENT_F_CORRECTED },
    { vb_str("conversation_initiation_metadata"), VB_AGENT_METADATA, -1, -1 },
    { vb_str("client_tool_call"), VB_AGENT_CLIENT_TOOL_CALL, -1, -1 },
    { vb_str("agent_tool_response"), VB_AGENT_TOOL_RESPONSE, -1, -1 },
    { vb_str("agent_tool_response_full_payload"), VB_AGENT_TOOL_RESPONSE, -1,
      -1 },
    { vb_str("error"), VB_AGENT_ERROR, -1, VB_AGENT_F_MESSAGE },
    { vb_str("client_error"), VB_AGENT_ERROR, -1, VB_AGENT_F_MESSAGE },
    { vb_str("queue_status"), VB_AGENT_QUEUE_STATUS, -1, VB_AGENT_F_QUEUE },
    { vb_str("dtmf_request"), VB_AGENT_DTMF_REQUEST, -1, -1 }
};


int
vb_agent_message_parse(vb_agent_message_t *m, const vb_str_t *text,
    const char **error)
{
    size_t           i, offset;
    vb_json_value_t  v[VB_AGENT_FIELDS];

    memset(m, 0, sizeof(vb_agent_message_t));

    if (vb_json_select(text, vb_agent_fields, VB_AGENT_FIELDS, v, error,
                       &offset)
        != VB_OK)
    {
        return VB_ERROR;
    }

    if (v[VB_AGENT_F_TYPE].type != VB_JSON_STRING) {
        *error = "a message without a type";
        return VB_ERROR;
    }

    m->name = v[VB_AGENT_F_TYPE].text;

    for (i = 0; i < sizeof(vb_agent_types) / sizeof(vb_agent_types[0]); i++) {

        if (vb_agent_types[i].name.len != m->name.len
            || memcmp(vb_agent_types[i].name.data, m->name.data, m->name.len)
               != 0)
        {
            continue;
        }

        m->type = vb_agent_types[i].type;

        if (vb_agent_types[i].event_id >= 0) {
            vb_agent_message_event_id(m, &v[vb_agent_types[i].event_id]);
        }

        if (vb_agent_types[i].text >= 0) {
            m->text = v[vb_agent_types[i].text];
        }

        break;
    }

    switch (m->type) {

    case VB_AGENT_AUDIO:
        m->audio = v[VB_AGENT_F_AUDIO].type == VB_JSON_ABSENT
                   ? v[VB_AGENT_F_CHUNK] : v[VB_AGENT_F_AUDIO];
        return VB_OK;

    case VB_AGENT_PING:

        if (!m->has_event_id) {
            *error = "a ping without an event_id";
            return VB_ERROR;
        }

        return VB_OK;

    case VB_AGENT_METADATA:
        return vb_agent_message_metadata(m, v, error);

    case VB_AGENT_ERROR:
        vb_agent_message_error(m, v);
        return VB_OK;

    case VB_AGENT_CLIENT_TOOL_CALL:
        vb_agent_message_tool(m, v);
        return VB_OK;

    default:
        return VB_OK;
    }
}


u_char *
vb_agent_audio_prefix(u_char *p)
{
    return vb_agent_write(p, "{\"user_audio_chunk\":\"",
                          sizeof("{\"user_audio_chunk\":\"") - 1);
}


u_char *
vb_agent_audio_suffix(u_char *p)
{
    return vb_agent_write(p, "\"}", 2);
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
    static const char  head[] = "{\"type\":\"client_tool_result\","
                                "\"tool_call_id\":\"";
    static const char  tail[] = "\",\"result\":\"This tool is not available on "
                                "a phone call.\",\"is_error\":true}";

    p = vb_agent_write(p, head, sizeof(head) - 1);
    p = vb_agent_write(p, (char *) id->text.data, id->text.len);

    return vb_agent_write(p, tail, sizeof(tail) - 1);
}


int
vb_agent_signed_url_parse(const vb_str_t *body, u_char *buf, size_t size,
    vb_str_t *out)
{
    size_t                        offset;
    const char                   *error;
    vb_json_value_t               v;

    static const vb_json_field_t  field = {
        VB_JSON_ROOT, vb_str("signed_url")
    };

    if (vb_json_select(body, &field, 1, &v, &error, &offset) != VB_OK
        || v.type != VB_JSON_STRING || v.text.len == 0 || v.text.len > size)
    {
        return VB_ERROR;
    }

    out->data = buf;
    out->len = vb_json_unescape(buf, &v.text);

    return VB_OK;
}


void
vb_agent_error_parse(const vb_str_t *body, u_char *buf, size_t size,
    vb_str_t *out)
{
    size_t                        offset;
    const char                   *error;
    vb_json_value_t               v[2];

    static const vb_json_field_t  fields[2] = {
        { VB_JSON_ROOT, vb_str("detail") },
        { 0, vb_str("message") }
    };

    out->data = buf;
    out->len = 0;

    if (vb_json_select(body, fields, 2, v, &error, &offset) != VB_OK) {
        return;
    }

    /* a message, a plain text, or a list, which is shown as it is */

    vb_agent_clean(out, buf, size, v[1].type == VB_JSON_STRING ? &v[1] : &v[0]);
}


static void
vb_agent_message_event_id(vb_agent_message_t *m, const vb_json_value_t *v)
{
    m->has_event_id = vb_json_integer(v, &m->event_id) == VB_OK;
}


static int
vb_agent_message_metadata(vb_agent_message_t *m, const vb_json_value_t *v,
    const char **error)
{
    if (v[VB_AGENT_F_OUTPUT].type != VB_JSON_STRING) {
        *error = "metadata without agent_output_audio_format";
        return VB_ERROR;
    }

    m->output_format = v[VB_AGENT_F_OUTPUT].text;

    if (v[VB_AGENT_F_INPUT].type == VB_JSON_STRING) {
        m->input_format = v[VB_AGENT_F_INPUT].text;
    }

    if (v[VB_AGENT_F_CONVERSATION_ID].type == VB_JSON_STRING) {
        m->conversation_id = v[VB_AGENT_F_CONVERSATION_ID].text;
    }

    return VB_OK;
}


static void
vb_agent_message_error(vb_agent_message_t *m, const vb_json_value_t *v)
{
    m->reason = v[VB_AGENT_F_ERROR_TYPE].type == VB_JSON_STRING
                ? v[VB_AGENT_F_ERROR_TYPE] : v[VB_AGENT_F_ERROR_NAME];

    if (vb_json_integer(&v[VB_AGENT_F_CODE], &m->code) != VB_OK) {
        m->code = 0;
    }
}


static void
vb_agent_message_tool(vb_agent_message_t *m, const vb_json_value_t *v)
{
    m->tool_name = v[VB_AGENT_F_TOOL_NAME];
    m->tool_call_id = v[VB_AGENT_F_TOOL_ID];
    m->expects_response = v[VB_AGENT_F_TOOL_EXPECTS].type == VB_JSON_TRUE;
}


static u_char *
vb_agent_write(u_char *p, const char *s, size_t len)
{
    memcpy(p, s, len);

    return p + len;
}


/* a copy for the log: cut to size, without control characters */

static void
vb_agent_clean(vb_str_t *out, u_char *buf, size_t size,
    const vb_json_value_t *v)
{
    size_t  i;

    if (v->type == VB_JSON_ABSENT) {
        return;
    }

    out->len = vb_min(v->text.len, size);

    while (out->len && out->len < v->text.len
           && (v->text.data[out->len] & 0xc0) == 0x80)
    {
        out->len--;
    }

    for (i = 0; i < out->len; i++) {
        buf[i] = v->text.data[i] < ' ' || v->text.data[i] == 0x7f
                 ? ' ' : v->text.data[i];
    }
}
