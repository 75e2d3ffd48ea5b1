
/* Twilio Media Streams, both ways */


#include <vb_twilio_call.h>
#include <vb_twilio_stream.h>


enum {
    VB_TWILIO_F_EVENT = 0,
    VB_TWILIO_F_STREAM_SID,
    VB_TWILIO_F_MEDIA,
    VB_TWILIO_F_PAYLOAD,
    VB_TWILIO_F_START,
    VB_TWILIO_F_START_STREAM_SID,
    VB_TWILIO_F_ACCOUNT_SID,
    VB_TWILIO_F_CALL_SID,
    VB_TWILIO_F_PARAMETERS,
    VB_TWILIO_F_FORMAT,
    VB_TWILIO_F_ENCODING,
    VB_TWILIO_F_RATE,
    VB_TWILIO_F_CHANNELS,
    VB_TWILIO_F_DTMF,
    VB_TWILIO_F_DIGIT,
    VB_TWILIO_F_MARK,
    VB_TWILIO_F_NAME,
    VB_TWILIO_FIELDS
};


static int vb_twilio_start(vb_twilio_message_t *m,
    const vb_json_value_t *v, const char **error);
static u_char *vb_twilio_write(u_char *p, const char *s, size_t len);


static const vb_json_field_t  vb_twilio_fields[VB_TWILIO_FIELDS] = {
    { VB_JSON_ROOT, vb_str("event") },
    { VB_JSON_ROOT, vb_str("streamSid") },
    { VB_JSON_ROOT, vb_str("media") },
    { VB_TWILIO_F_MEDIA, vb_str("payload") },
    { VB_JSON_ROOT, vb_str("start") },
    { VB_TWILIO_F_START, vb_str("streamSid") },
    { VB_TWILIO_F_START, vb_str("accountSid") },
    { VB_TWILIO_F_START, vb_str("callSid") },
    { VB_TWILIO_F_START, vb_str("customParameters") },
    { VB_TWILIO_F_START, vb_str("mediaFormat") },
    { VB_TWILIO_F_FORMAT, vb_str("encoding") },
    { VB_TWILIO_F_FORMAT, vb_str("sampleRate") },
    { VB_TWILIO_F_FORMAT, vb_str("channels") },
    { VB_JSON_ROOT, vb_str("dtmf") },
    { VB_TWILIO_F_DTMF, vb_str("digit") },
    { VB_JSON_ROOT, vb_str("mark") },
    { VB_TWILIO_F_MARK, vb_str("name") }
};


static const struct {
    vb_str_t           name;
    vb_twilio_event_t  event;
} vb_twilio_events[] = {
    { vb_str("media"), VB_TWILIO_MEDIA },
    { vb_str("mark"), VB_TWILIO_MARK },
    { vb_str("start"), VB_TWILIO_START },
    { vb_str("stop"), VB_TWILIO_STOP },
    { vb_str("dtmf"), VB_TWILIO_DTMF },
    { vb_str("connected"), VB_TWILIO_CONNECTED }
};


int
vb_twilio_message_parse(vb_twilio_message_t *m, const vb_str_t *text,
    const char **error)
{
    size_t           i, offset;
    vb_str_t        *event;
    vb_json_value_t  v[VB_TWILIO_FIELDS];

    memset(m, 0, sizeof(vb_twilio_message_t));

    if (vb_json_select(text, vb_twilio_fields, VB_TWILIO_FIELDS, v, error,
                       &offset)
        != VB_OK)
    {
        return VB_ERROR;
    }

    if (v[VB_TWILIO_F_EVENT].type != VB_JSON_STRING) {
        *error = "a message without an event";
        return VB_ERROR;
    }

    event = &v[VB_TWILIO_F_EVENT].text;

    for (i = 0; i < sizeof(vb_twilio_events) / sizeof(vb_twilio_events[0]);
         i++)
    {
        if (vb_twilio_events[i].name.len == event->len
            && memcmp(vb_twilio_events[i].name.data, event->data, event->len)
               == 0)
        {
            m->event = vb_twilio_events[i].event;
            break;
        }
    }

    if (v[VB_TWILIO_F_STREAM_SID].type == VB_JSON_STRING) {
        m->stream_sid = v[VB_TWILIO_F_STREAM_SID].text;
    }

    switch (m->event) {

    case VB_TWILIO_MEDIA:

        if (v[VB_TWILIO_F_PAYLOAD].type != VB_JSON_STRING) {
            *error = "media without a payload";
            return VB_ERROR;
        }

        m->payload = v[VB_TWILIO_F_PAYLOAD];
        return VB_OK;

    case VB_TWILIO_START:
        return vb_twilio_start(m, v, error);

    case VB_TWILIO_MARK:
        m->mark = v[VB_TWILIO_F_NAME];
        return VB_OK;

    case VB_TWILIO_DTMF:
        m->digit = v[VB_TWILIO_F_DIGIT];
        return VB_OK;

    default:
        return VB_OK;
    }
}


u_char *
vb_twilio_media_prefix(u_char *p, const vb_str_t *stream_sid)
{
    p = vb_twilio_write(p, "{\"event\":\"media\",\"streamSid\":\"",
                        sizeof("{\"event\":\"media\",\"streamSid\":\"") - 1);
    p = vb_twilio_write(p, (char *) stream_sid->data, VB_TWILIO_SID_LENGTH);

    return vb_twilio_write(p, "\",\"media\":{\"payload\":\"",
                           sizeof("\",\"media\":{\"payload\":\"") - 1);
}


u_char *
vb_twilio_media_suffix(u_char *p)
{
    return vb_twilio_write(p, "\"}}", 3);
}


u_char *
vb_twilio_mark(u_char *p, const vb_str_t *stream_sid, const vb_str_t *name)
{
    p = vb_twilio_write(p, "{\"event\":\"mark\",\"streamSid\":\"",
                        sizeof("{\"event\":\"mark\",\"streamSid\":\"") - 1);
    p = vb_twilio_write(p, (char *) stream_sid->data, VB_TWILIO_SID_LENGTH);
    p = vb_twilio_write(p, "\",\"mark\":{\"name\":\"",
                        sizeof("\",\"mark\":{\"name\":\"") - 1);
    p = vb_twilio_write(p, (char *) name->data, vb_min(name->len, 32));

    return vb_twilio_write(p, "\"}}", 3);
}


u_char *
vb_twilio_clear(u_char *p, const vb_str_t *stream_sid)
{
    p = vb_twilio_write(p, "{\"event\":\"clear\",\"streamSid\":\"",
                        sizeof("{\"event\":\"clear\",\"streamSid\":\"") - 1);
    p = vb_twilio_write(p, (char *) stream_sid->data, VB_TWILIO_SID_LENGTH);

    return vb_twilio_write(p, "\"}", 2);
}


static int
vb_twilio_start(vb_twilio_message_t *m, const vb_json_value_t *v,
    const char **error)
{
    int64_t  rate, channels;

    if (m->stream_sid.len == 0
        && v[VB_TWILIO_F_START_STREAM_SID].type == VB_JSON_STRING)
    {
        m->stream_sid = v[VB_TWILIO_F_START_STREAM_SID].text;
    }

    if (!vb_twilio_sid(&m->stream_sid, "MZ")) {
        *error = "start without a streamSid of the form MZ...";
        return VB_ERROR;
    }

    if (v[VB_TWILIO_F_CALL_SID].type == VB_JSON_STRING) {
        m->call_sid = v[VB_TWILIO_F_CALL_SID].text;
    }

    if (!vb_twilio_sid(&m->call_sid, "CA")) {
        *error = "start without a callSid of the form CA...";
        return VB_ERROR;
    }

    if (v[VB_TWILIO_F_ACCOUNT_SID].type == VB_JSON_STRING) {
        m->account_sid = v[VB_TWILIO_F_ACCOUNT_SID].text;
    }

    if (!vb_twilio_sid(&m->account_sid, "AC")) {
        *error = "start without an accountSid of the form AC...";
        return VB_ERROR;
    }

    if (v[VB_TWILIO_F_ENCODING].type != VB_JSON_STRING
        || !vb_str_eq(&v[VB_TWILIO_F_ENCODING].text, "audio/x-mulaw")
        || vb_json_integer(&v[VB_TWILIO_F_RATE], &rate) != VB_OK
        || rate != 8000
        || vb_json_integer(&v[VB_TWILIO_F_CHANNELS], &channels) != VB_OK
        || channels != 1)
    {
        *error = "start with a mediaFormat that is not audio/x-mulaw 8000 1";
        return VB_ERROR;
    }

    if (v[VB_TWILIO_F_PARAMETERS].type == VB_JSON_OBJECT) {
        m->parameters = v[VB_TWILIO_F_PARAMETERS];
    }

    return VB_OK;
}


static u_char *
vb_twilio_write(u_char *p, const char *s, size_t len)
{
    memcpy(p, s, len);

    return p + len;
}
