
/* Twilio's side of the phone leg: its messages read, ours written */


#include <vb_twilio_stream.h>
#include <vb_json_plain.h>


#define vb_twilio_write(p, s)                                                 \
    ((u_char *) memcpy(p, s, sizeof(s) - 1) + sizeof(s) - 1)

#define vb_twilio_write_sid(p, sid)                                           \
    ((u_char *) memcpy(p, (sid)->data, VB_TWILIO_SID_LENGTH)                  \
     + VB_TWILIO_SID_LENGTH)


enum {
    VB_TWILIO_F_EVENT = 0,
    VB_TWILIO_F_MEDIA,
    VB_TWILIO_F_PAYLOAD,
    VB_TWILIO_F_TRACK,
    VB_TWILIO_F_STREAM_SID,
    VB_TWILIO_F_MARK,
    VB_TWILIO_F_NAME,
    VB_TWILIO_F_DTMF,
    VB_TWILIO_F_DIGIT,
    VB_TWILIO_F_START,
    VB_TWILIO_F_START_STREAM_SID,
    VB_TWILIO_F_ACCOUNT_SID,
    VB_TWILIO_F_CALL_SID,
    VB_TWILIO_F_PARAMETERS,
    VB_TWILIO_F_FORMAT,
    VB_TWILIO_F_ENCODING,
    VB_TWILIO_F_RATE,
    VB_TWILIO_F_CHANNELS,
    VB_TWILIO_FIELDS
};


static int vb_twilio_media_plain(vb_twilio_message_t *m, const vb_str_t *text);
static u_char *vb_twilio_skip(u_char *p, u_char *end, const vb_str_t *s);
static u_char *vb_twilio_skip_digits(u_char *p, u_char *end);
static vb_twilio_event_t vb_twilio_event(const vb_json_value_t *name);
static int vb_twilio_media(vb_twilio_message_t *m, const vb_json_value_t *v,
    const char **error);
static int vb_twilio_start(vb_twilio_message_t *m, const vb_json_value_t *v,
    const char **error);
static void vb_twilio_text(vb_str_t *s, const vb_json_value_t *value);


/* those of media first: fields are looked for in this order */

static const vb_json_field_t  vb_twilio_fields[VB_TWILIO_FIELDS] = {
    { VB_JSON_ROOT, vb_str("event") },
    { VB_JSON_ROOT, vb_str("media") },
    { VB_TWILIO_F_MEDIA, vb_str("payload") },
    { VB_TWILIO_F_MEDIA, vb_str("track") },
    { VB_JSON_ROOT, vb_str("streamSid") },
    { VB_JSON_ROOT, vb_str("mark") },
    { VB_TWILIO_F_MARK, vb_str("name") },
    { VB_JSON_ROOT, vb_str("dtmf") },
    { VB_TWILIO_F_DTMF, vb_str("digit") },
    { VB_JSON_ROOT, vb_str("start") },
    { VB_TWILIO_F_START, vb_str("streamSid") },
    { VB_TWILIO_F_START, vb_str("accountSid") },
    { VB_TWILIO_F_START, vb_str("callSid") },
    { VB_TWILIO_F_START, vb_str("customParameters") },
    { VB_TWILIO_F_START, vb_str("mediaFormat") },
    { VB_TWILIO_F_FORMAT, vb_str("encoding") },
    { VB_TWILIO_F_FORMAT, vb_str("sampleRate") },
    { VB_TWILIO_F_FORMAT, vb_str("channels") }
};


int
vb_twilio_message_parse(vb_twilio_message_t *m, const vb_str_t *text,
    size_t depth, const char **error)
{
    size_t           offset;
    vb_json_value_t  v[VB_TWILIO_FIELDS];

    memset(m, 0, sizeof(vb_twilio_message_t));

    if (vb_twilio_media_plain(m, text) == VB_OK) {
        return VB_OK;
    }

    if (vb_json_select_deep(text, depth, vb_twilio_fields, VB_TWILIO_FIELDS,
                            v, error, &offset)
        != VB_OK)
    {
        return VB_ERROR;
    }

    if (v[VB_TWILIO_F_EVENT].type != VB_JSON_STRING) {
        *error = "a message without an event";
        return VB_ERROR;
    }

    m->event = vb_twilio_event(&v[VB_TWILIO_F_EVENT]);

    vb_twilio_text(&m->stream_sid, &v[VB_TWILIO_F_STREAM_SID]);

    switch (m->event) {

    case VB_TWILIO_MEDIA:
        return vb_twilio_media(m, v, error);

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


/*
 * A media message as Twilio writes it, fifty a second of each call, is
 * compared with what it always is: a tenth of the work of looking for members
 * that may stand anywhere.  VB_DECLINED: it is another message, or the same
 * written otherwise.
 */

static int
vb_twilio_media_plain(vb_twilio_message_t *m, const vb_str_t *text)
{
    u_char  *p, *end, *payload, *sid;

    static const vb_str_t  number =
                     vb_str("{\"event\":\"media\",\"sequenceNumber\":\"");
    static const vb_str_t  chunk =
         vb_str("\",\"media\":{\"track\":\"inbound\",\"chunk\":\"");
    static const vb_str_t  timestamp = vb_str("\",\"timestamp\":\"");
    static const vb_str_t  audio = vb_str("\",\"payload\":\"");
    static const vb_str_t  stream_sid = vb_str("\"},\"streamSid\":\"");

    end = text->data + text->len;

    p = vb_twilio_skip(text->data, end, &number);
    p = vb_twilio_skip(vb_twilio_skip_digits(p, end), end, &chunk);
    p = vb_twilio_skip(vb_twilio_skip_digits(p, end), end, &timestamp);
    p = vb_twilio_skip(vb_twilio_skip_digits(p, end), end, &audio);

    if (p == NULL) {
        return VB_DECLINED;
    }

    payload = p;
    p = (u_char *) vb_json_plain(payload, end);

    sid = vb_twilio_skip(p, end, &stream_sid);

    if (sid == NULL) {
        return VB_DECLINED;
    }

    m->payload.text.data = payload;
    m->payload.text.len = p - payload;

    p = (u_char *) vb_json_plain(sid, end);

    if (end - p != 2 || p[0] != '"' || p[1] != '}') {
        return VB_DECLINED;
    }

    m->event = VB_TWILIO_MEDIA;
    m->payload.type = VB_JSON_STRING;
    m->stream_sid.data = sid;
    m->stream_sid.len = p - sid;

    return VB_OK;
}


/*
 * What is behind s, or behind digits, at p; NULL where that is not there, or
 * where p is NULL.
 */

static u_char *
vb_twilio_skip(u_char *p, u_char *end, const vb_str_t *s)
{
    if (p == NULL || (size_t) (end - p) < s->len
        || memcmp(p, s->data, s->len) != 0)
    {
        return NULL;
    }

    return p + s->len;
}


static u_char *
vb_twilio_skip_digits(u_char *p, u_char *end)
{
    while (p && p < end && vb_json_is_digit(*p)) {
        p++;
    }

    return p;
}


static vb_twilio_event_t
vb_twilio_event(const vb_json_value_t *name)
{
    size_t     i;
    u_char     buf[64];
    vb_str_t   plain;

    static const struct {
        vb_str_t           name;
        vb_twilio_event_t  event;
    } events[] = {
        { vb_str("media"), VB_TWILIO_MEDIA },
        { vb_str("mark"), VB_TWILIO_MARK },
        { vb_str("dtmf"), VB_TWILIO_DTMF },
        { vb_str("connected"), VB_TWILIO_CONNECTED },
        { vb_str("start"), VB_TWILIO_START },
        { vb_str("stop"), VB_TWILIO_STOP }
    };

    plain = name->text;

    if (name->escaped && plain.len <= sizeof(buf)) {
        plain.data = buf;
        plain.len = vb_json_unescape(buf, &name->text);
    }

    for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {

        if (events[i].name.len == plain.len
            && memcmp(events[i].name.data, plain.data, plain.len) == 0)
        {
            return events[i].event;
        }
    }

    return VB_TWILIO_UNKNOWN;
}


static int
vb_twilio_media(vb_twilio_message_t *m, const vb_json_value_t *v,
    const char **error)
{
    const vb_json_value_t  *track;

    if (v[VB_TWILIO_F_PAYLOAD].type != VB_JSON_STRING) {
        *error = "media without a payload";
        return VB_ERROR;
    }

    track = &v[VB_TWILIO_F_TRACK];

    if (track->type == VB_JSON_STRING && !vb_str_eq(&track->text, "inbound")) {

        /* what the caller hears, not what is said: none of our stream's */

        m->event = VB_TWILIO_UNKNOWN;
        return VB_OK;
    }

    m->payload = v[VB_TWILIO_F_PAYLOAD];

    return VB_OK;
}


static int
vb_twilio_start(vb_twilio_message_t *m, const vb_json_value_t *v,
    const char **error)
{
    u_char    buf[sizeof("audio\\/x-mulaw")];
    int64_t   rate, channels;
    vb_str_t  encoding;

    vb_twilio_text(&m->call_sid, &v[VB_TWILIO_F_CALL_SID]);
    vb_twilio_text(&m->account_sid, &v[VB_TWILIO_F_ACCOUNT_SID]);
    vb_twilio_text(&encoding, &v[VB_TWILIO_F_ENCODING]);

    if (encoding.len && encoding.len <= sizeof(buf)) {

        /* a slash may be written with a backslash before it */

        encoding.len = vb_json_unescape(buf, &encoding);
        encoding.data = buf;
    }

    if (m->stream_sid.len == 0) {
        vb_twilio_text(&m->stream_sid, &v[VB_TWILIO_F_START_STREAM_SID]);
    }

    if (!vb_twilio_sid(&m->stream_sid, "MZ")) {
        *error = "start without a streamSid of the form MZ...";
        return VB_ERROR;
    }

    if (!vb_twilio_sid(&m->call_sid, "CA")) {
        *error = "start without a callSid of the form CA...";
        return VB_ERROR;
    }

    if (m->account_sid.len && !vb_twilio_sid(&m->account_sid, "AC")) {
        *error = "start with an accountSid not of the form AC...";
        return VB_ERROR;
    }

    if (!vb_str_eq(&encoding, "audio/x-mulaw")
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


static void
vb_twilio_text(vb_str_t *s, const vb_json_value_t *value)
{
    if (value->type == VB_JSON_STRING) {
        *s = value->text;

    } else {
        s->len = 0;
        s->data = NULL;
    }
}


u_char *
vb_twilio_media_prefix(u_char *p, const vb_str_t *stream_sid)
{
    p = vb_twilio_write(p, "{\"event\":\"media\",\"streamSid\":\"");
    p = vb_twilio_write_sid(p, stream_sid);

    return vb_twilio_write(p, "\",\"media\":{\"payload\":\"");
}


u_char *
vb_twilio_media_suffix(u_char *p)
{
    return vb_twilio_write(p, "\"}}");
}


u_char *
vb_twilio_mark(u_char *p, const vb_str_t *stream_sid, const vb_str_t *name)
{
    size_t  len;

    p = vb_twilio_write(p, "{\"event\":\"mark\",\"streamSid\":\"");
    p = vb_twilio_write_sid(p, stream_sid);
    p = vb_twilio_write(p, "\",\"mark\":{\"name\":\"");

    len = vb_min(name->len, VB_TWILIO_MARK_NAME);
    memcpy(p, name->data, len);

    return vb_twilio_write(p + len, "\"}}");
}


u_char *
vb_twilio_clear(u_char *p, const vb_str_t *stream_sid)
{
    p = vb_twilio_write(p, "{\"event\":\"clear\",\"streamSid\":\"");
    p = vb_twilio_write_sid(p, stream_sid);

    return vb_twilio_write(p, "\"}");
}
