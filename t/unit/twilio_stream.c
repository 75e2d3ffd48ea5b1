
/* Twilio Media Streams: messages read and written */


#include <tap.h>
#include <text.h>
#include <vb_twilio_stream.h>


#define parse(m, s, error)  vb_twilio_message_parse(m, s, VB_JSON_DEPTH, error)


#define MZ  "MZ0123456789abcdef0123456789abcdef"
#define CA  "CA0123456789abcdef0123456789abcdef"
#define AC  "AC0123456789abcdef0123456789abcdef"

#define ULAW  "\"mediaFormat\":{\"encoding\":\"audio/x-mulaw\","              \
              "\"sampleRate\":8000,\"channels\":1}"

#define START(members)                                                        \
    "{\"event\":\"start\",\"sequenceNumber\":\"1\",\"start\":{" members "},"  \
    "\"streamSid\":\"" MZ "\"}"

#define SIDS  "\"accountSid\":\"" AC "\",\"callSid\":\"" CA "\""


/* the event, and what the message says about it */

static const struct {
    const char         *text;
    vb_twilio_event_t   event;
    const char         *value;
} good[] = {
    { "{\"event\":\"connected\",\"protocol\":\"Call\",\"version\":\"1.0.0\"}",
      VB_TWILIO_CONNECTED, NULL },

    { START(SIDS ",\"tracks\":[\"inbound\"]," ULAW
            ",\"customParameters\":{\"agent_id\":\"x\"}"),
      VB_TWILIO_START, "{\"agent_id\":\"x\"}" },
    { START(SIDS "," ULAW ",\"customParameters\":{}"),
      VB_TWILIO_START, "{}" },
    { START(SIDS "," ULAW), VB_TWILIO_START, NULL },
    { START(SIDS "," ULAW ",\"customParameters\":null"),
      VB_TWILIO_START, NULL },
    { START("\"callSid\":\"" CA "\"," ULAW), VB_TWILIO_START, NULL },
    { "{\"start\":{\"streamSid\":\"" MZ "\"," SIDS ",\"mediaFormat\":{"
      "\"channels\":\"1\",\"sampleRate\":\"8000\",\"encoding\":"
      "\"audio\\/x-mulaw\",\"more\":[]}},\"event\":\"start\"}",
      VB_TWILIO_START, NULL },

    { "{\"event\":\"media\",\"sequenceNumber\":\"3\",\"media\":{\"track\":"
      "\"inbound\",\"chunk\":\"1\",\"timestamp\":\"155\",\"payload\":\"/w==\"}"
      ",\"streamSid\":\"" MZ "\"}", VB_TWILIO_MEDIA, "/w==" },
    { "{\"streamSid\":\"" MZ "\",\"media\":{\"payload\":\"\"},"
      "\"event\":\"media\"}", VB_TWILIO_MEDIA, "" },
    { "{\"event\":\"m\\u0065dia\",\"media\":{\"payload\":\"\\/w==\"}}",
      VB_TWILIO_MEDIA, "\\/w==" },
    { "{\"event\":\"media\",\"media\":{\"track\":\"outbound\",\"payload\":"
      "\"/w==\"}}", VB_TWILIO_UNKNOWN, NULL },
    { "{\"event\":\"media\",\"media\":{\"payload\":\"a\"},\"media\":{"
      "\"payload\":\"b\"}}", VB_TWILIO_MEDIA, "b" },

    { "{\"event\":\"dtmf\",\"streamSid\":\"" MZ "\",\"sequenceNumber\":\"5\","
      "\"dtmf\":{\"track\":\"inbound_track\",\"digit\":\"#\"}}",
      VB_TWILIO_DTMF, "#" },
    { "{\"event\":\"dtmf\"}", VB_TWILIO_DTMF, NULL },
    { "{\"event\":\"mark\",\"sequenceNumber\":\"4\",\"streamSid\":\"" MZ "\","
      "\"mark\":{\"name\":\"turn-3\"}}", VB_TWILIO_MARK, "turn-3" },
    { "{\"event\":\"mark\",\"mark\":\"x\"}", VB_TWILIO_MARK, NULL },
    { "{\"event\":\"stop\",\"streamSid\":\"" MZ "\",\"stop\":{" SIDS "}}",
      VB_TWILIO_STOP, NULL },
    { "{\"event\":\"stop\"}", VB_TWILIO_STOP, NULL },

    { "{\"event\":\"tomorrow\",\"media\":5}", VB_TWILIO_UNKNOWN, NULL },
    { "{\"event\":\"\"}", VB_TWILIO_UNKNOWN, NULL },
    { "{\"event\":\"Media\"}", VB_TWILIO_UNKNOWN, NULL },
    { "{\"event\":\"\\u006d\\u006d\\u006d\\u006d\\u006d\\u006d\\u006d\\u006d"
      "\\u006d\\u006d\\u006d\\u006d\\u006d\\u006d\\u006d\"}",
      VB_TWILIO_UNKNOWN, NULL }
};


/* what is not, and a word of the reason */

static const struct {
    const char  *text;
    const char  *error;
} bad[] = {
    { "", "" },
    { "media", "" },
    { "[]", "" },
    { "{\"event\":\"stop\"", "" },
    { "{\"event\":\"stop\"}{}", "" },
    { "{}", "event" },
    { "{\"event\":5}", "event" },
    { "{\"event\":[\"media\"]}", "event" },
    { "{\"media\":{\"event\":\"media\"}}", "event" },

    { "{\"event\":\"media\"}", "payload" },
    { "{\"event\":\"media\",\"media\":{\"payload\":5}}", "payload" },
    { "{\"event\":\"media\",\"media\":[\"/w==\"]}", "payload" },
    { "{\"event\":\"media\",\"payload\":\"/w==\"}", "payload" },
    { "{\"event\":\"media\",\"media\":{\"payload\":\"a\"},\"media\":{}}",
      "payload" },

    { "{\"event\":\"start\",\"start\":{" SIDS "," ULAW "}}", "streamSid" },
    { "{\"event\":\"start\",\"streamSid\":\"MZ1\",\"start\":{" SIDS "," ULAW
      "}}", "streamSid" },
    { "{\"event\":\"start\",\"streamSid\":\"" CA "\",\"start\":{" SIDS "," ULAW
      "}}", "streamSid" },
    { START("\"accountSid\":\"" AC "\"," ULAW), "callSid" },
    { START("\"callSid\":\"CA0123456789abcdef0123456789abcdeg\"," ULAW),
      "callSid" },
    { START("\"callSid\":\"\\u0043A0123456789abcdef0123456789abcdef\"," ULAW),
      "callSid" },
    { START("\"callSid\":5," ULAW), "callSid" },
    { START("\"accountSid\":\"AC1\",\"callSid\":\"" CA "\"," ULAW),
      "accountSid" },
    { START(SIDS), "mediaFormat" },
    { START(SIDS ",\"mediaFormat\":null"), "mediaFormat" },
    { START(SIDS ",\"mediaFormat\":{\"encoding\":\"audio/x-alaw\","
            "\"sampleRate\":8000,\"channels\":1}"), "mediaFormat" },
    { START(SIDS ",\"mediaFormat\":{\"encoding\":\"audio/x-mulaw\","
            "\"sampleRate\":16000,\"channels\":1}"), "mediaFormat" },
    { START(SIDS ",\"mediaFormat\":{\"encoding\":\"audio/x-mulaw\","
            "\"sampleRate\":8000,\"channels\":2}"), "mediaFormat" },
    { START(SIDS ",\"mediaFormat\":{\"encoding\":\"audio/x-mulaw\","
            "\"sampleRate\":8000}"), "mediaFormat" }
};


static void
test_good(void)
{
    size_t                i;
    vb_str_t              s;
    const char           *error;
    vb_json_value_t      *value;
    vb_twilio_message_t   m;

    for (i = 0; i < NELTS(good); i++) {
        s = copy(good[i].text, strlen(good[i].text));

        if (!is_int(parse(&m, &s, &error), VB_OK, "%s",
                    good[i].text))
        {
            free(s.data);
            continue;
        }

        is_int(m.event, good[i].event, "its event");

        value = (m.event == VB_TWILIO_START) ? &m.parameters
                : (m.event == VB_TWILIO_MARK) ? &m.mark
                : (m.event == VB_TWILIO_DTMF) ? &m.digit : &m.payload;

        if (good[i].value) {
            is_mem(value->text.data, value->text.len, good[i].value,
                   strlen(good[i].value), "its value");

        } else {
            is_int(value->type, VB_JSON_ABSENT, "no value");
        }

        if (m.event == VB_TWILIO_START) {
            is_mem(m.stream_sid.data, m.stream_sid.len, MZ, 34, "stream");
            is_mem(m.call_sid.data, m.call_sid.len, CA, 34, "call");
            ok(m.account_sid.len == 0
               || (m.account_sid.len == 34
                   && memcmp(m.account_sid.data, AC, 34) == 0), "account");
        }

        free(s.data);
    }
}


static void
test_bad(void)
{
    size_t                i;
    vb_str_t              s;
    const char           *error;
    vb_twilio_message_t   m;

    for (i = 0; i < NELTS(bad); i++) {
        s = copy(bad[i].text, strlen(bad[i].text));
        error = NULL;

        is_int(parse(&m, &s, &error), VB_ERROR, "%s",
               bad[i].text);
        ok(error && strstr(error, bad[i].error), "it says: %s",
           error ? error : "nothing");

        free(s.data);
    }
}


/* a message cut anywhere is an error, and nothing behind it is read */

static void
test_cut(void)
{
    int                   refused;
    size_t                i, len;
    vb_str_t              s;
    const char           *error;
    vb_twilio_message_t   m;

    len = strlen(good[1].text);
    refused = 0;

    for (i = 0; i < len; i++) {
        s = copy(good[1].text, i);
        refused += (parse(&m, &s, &error) == VB_ERROR);
        free(s.data);
    }

    is_int(refused, len, "none of a message's beginnings is one");
}


/* white space before a message changes nothing but the way it is read */

static int
same_with_space(const char *text, size_t len)
{
    int                   rc[2], same;
    size_t                i;
    vb_str_t              s[2];
    const char           *error;
    vb_twilio_message_t   m[2];

    s[0] = copy(text, len);
    s[1] = copy(" ", 1);
    s[1].data = realloc(s[1].data, len + 1);
    s[1].len = len + 1;
    memcpy(s[1].data + 1, text, len);

    for (i = 0; i < 2; i++) {
        rc[i] = parse(&m[i], &s[i], &error);
    }

    same = (rc[0] == rc[1]);

    if (same && rc[0] == VB_OK) {
        same = (m[0].event == m[1].event
                && m[0].payload.type == m[1].payload.type
                && m[0].payload.escaped == m[1].payload.escaped
                && m[0].payload.text.len == m[1].payload.text.len
                && m[0].stream_sid.len == m[1].stream_sid.len);
    }

    if (same && rc[0] == VB_OK && m[0].payload.type == VB_JSON_STRING) {
        same = (m[0].payload.text.data - s[0].data
                == m[1].payload.text.data - s[1].data - 1);
    }

    if (same && rc[0] == VB_OK && m[0].stream_sid.len) {
        same = (m[0].stream_sid.data - s[0].data
                == m[1].stream_sid.data - s[1].data - 1);
    }

    free(s[0].data);
    free(s[1].data);

    return same;
}


/* media as Twilio writes it is read in a way of its own, to the same end */

static void
test_media(void)
{
    int         same;
    char        text[512];
    size_t      i, n, len, tried;

    static const char  media[] =
        "{\"event\":\"media\",\"sequenceNumber\":\"3\",\"media\":{"
        "\"track\":\"inbound\",\"chunk\":\"12\",\"timestamp\":\"155\","
        "\"payload\":\"abcdefghijklmnopqrstuvwx//w=\"},"
        "\"streamSid\":\"" MZ "\"}";

    static const char  other[] = "\"\\{}:, 5x\x01\xc3";

    len = sizeof(media) - 1;

    for (i = 0, same = 0; i <= len; i++) {
        same += same_with_space(media, i);
    }

    is_int(same, len + 1, "cut anywhere");

    for (i = 0, same = 0, tried = 0; i < len; i++) {
        for (n = 0; n < sizeof(other) - 1; n++) {

            memcpy(text, media, len);
            text[i] = other[n];
            same += same_with_space(text, len);
            tried++;

            memcpy(text, media, i);
            text[i] = other[n];
            memcpy(text + i + 1, media + i, len - i);
            same += same_with_space(text, len + 1);
            tried++;
        }
    }

    is_int(same, tried, "with any character changed or added");
}


static void
test_writers(void)
{
    u_char               *buf, *p;
    vb_str_t              sid, name, s;
    const char           *error;
    vb_twilio_message_t   m;

    static const char  media[] = "{\"event\":\"media\",\"streamSid\":\"" MZ
                                 "\",\"media\":{\"payload\":\"/w==\"}}";
    static const char  mark[] = "{\"event\":\"mark\",\"streamSid\":\"" MZ
                                "\",\"mark\":{\"name\":\"end\"}}";
    static const char  longest[] =
                                "{\"event\":\"mark\",\"streamSid\":\"" MZ
                                "\",\"mark\":{\"name\":"
                                "\"0123456789abcdef0123456789abcdef\"}}";
    static const char  clear[] = "{\"event\":\"clear\",\"streamSid\":\"" MZ
                                 "\"}";

    sid = copy(MZ, 34);

    buf = malloc(vb_twilio_media_length(4));
    p = vb_twilio_media_prefix(buf, &sid);
    memcpy(p, "/w==", 4);
    p = vb_twilio_media_suffix(p + 4);
    is_mem(buf, p - buf, media, sizeof(media) - 1, "media");
    is_int(p - buf, vb_twilio_media_length(4), "its length");

    s.data = buf;
    s.len = p - buf;
    is_int(parse(&m, &s, &error), VB_OK, "it is a message");
    is_mem(m.payload.text.data, m.payload.text.len, "/w==", 4, "and is read");
    free(buf);

    buf = malloc(VB_TWILIO_MARK_LENGTH);
    name = text("end");
    p = vb_twilio_mark(buf, &sid, &name);
    is_mem(buf, p - buf, mark, sizeof(mark) - 1, "mark");

    name = text("0123456789abcdef0123456789abcdefX");
    p = vb_twilio_mark(buf, &sid, &name);
    is_mem(buf, p - buf, longest, sizeof(longest) - 1, "mark, cut");
    free(buf);

    buf = malloc(VB_TWILIO_CLEAR_LENGTH);
    p = vb_twilio_clear(buf, &sid);
    is_mem(buf, p - buf, clear, sizeof(clear) - 1, "clear");
    free(buf);

    free(sid.data);
}


int
main(void)
{
    test_good();
    test_bad();
    test_cut();
    test_media();
    test_writers();

    return done_testing();
}
