
/* Twilio's and ElevenLabs' messages, read and written */


#define _GNU_SOURCE

#include <tap.h>

#include <vb_agent_init.h>
#include <vb_agent_message.h>
#include <vb_twilio_stream.h>


#define MZ  "MZ0123456789abcdef0123456789abcdef"
#define CA  "CA0123456789abcdef0123456789abcdef"
#define AC  "AC0123456789abcdef0123456789abcdef"

#define START(format, sid, call)                                              \
    "{\"event\":\"start\",\"sequenceNumber\":\"1\",\"start\":{"               \
    "\"accountSid\":\"" AC "\",\"callSid\":\"" call "\",\"mediaFormat\":"     \
    format ",\"customParameters\":{\"agent_id\":\"x\"}},\"streamSid\":\""     \
    sid "\"}"

#define ULAW  "{\"encoding\":\"audio/x-mulaw\",\"sampleRate\":8000,"          \
              "\"channels\":1}"


static void twilio(void);
static void twilio_writers(void);
static void agent(void);
static void agent_details(void);
static void initiation(void);
static void variables(void);
static vb_str_t str(const char *s);


int
main(void)
{
    twilio();
    twilio_writers();
    agent();
    agent_details();
    initiation();
    variables();

    done_testing();
}


static void
twilio(void)
{
    size_t               i;
    vb_str_t             v;
    const char          *error;
    vb_twilio_message_t  m;

    static const struct {
        const char  *text;
        int          rc;
        int          event;
    } t[] = {
        { "{\"event\":\"connected\",\"protocol\":\"Call\"}", VB_OK,
          VB_TWILIO_CONNECTED },
        { START(ULAW, MZ, CA), VB_OK, VB_TWILIO_START },
        { START(ULAW, "MZ1", CA), VB_ERROR, 0 },
        { START(ULAW, MZ, "CA0123456789abcdef0123456789abcdeg"), VB_ERROR, 0 },
        { START("{\"encoding\":\"audio/x-mulaw\",\"sampleRate\":16000,"
                "\"channels\":1}", MZ, CA), VB_ERROR, 0 },
        { START("{}", MZ, CA), VB_ERROR, 0 },
        { START("null", MZ, CA), VB_ERROR, 0 },
        { "{\"media\":{\"payload\":\"/w==\"},\"event\":\"media\"}", VB_OK,
          VB_TWILIO_MEDIA },
        { "{\"event\":\"media\",\"media\":{\"payload\":5}}", VB_ERROR, 0 },
        { "{\"event\":\"media\",\"payload\":\"/w==\"}", VB_ERROR, 0 },
        { "{\"event\":\"dtmf\",\"dtmf\":{\"digit\":\"#\"}}", VB_OK,
          VB_TWILIO_DTMF },
        { "{\"event\":\"mark\",\"mark\":{\"name\":\"end\"}}", VB_OK,
          VB_TWILIO_MARK },
        { "{\"event\":\"stop\",\"stop\":{}}", VB_OK, VB_TWILIO_STOP },
        { "{\"event\":\"tomorrow\"}", VB_OK, VB_TWILIO_UNKNOWN },
        { "{\"event\":5}", VB_ERROR, 0 },
        { "{}", VB_ERROR, 0 },
        { "[]", VB_ERROR, 0 },
        { "{\"event\":\"stop\"", VB_ERROR, 0 },
        { "", VB_ERROR, 0 }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        v = str(t[i].text);
        error = NULL;

        is_int(vb_twilio_message_parse(&m, &v, &error), t[i].rc, "%s",
               t[i].text);

        if (t[i].rc == VB_OK) {
            is_int(m.event, t[i].event, "its event");

        } else {
            ok(error != NULL, "says why");
        }
    }

    v = str(START(ULAW, MZ, CA));
    vb_twilio_message_parse(&m, &v, &error);
    is_mem(m.stream_sid.data, m.stream_sid.len, MZ, 34, "stream");
    is_mem(m.call_sid.data, m.call_sid.len, CA, 34, "call");
    is_mem(m.account_sid.data, m.account_sid.len, AC, 34, "account");
    is_mem(m.parameters.text.data, m.parameters.text.len,
           "{\"agent_id\":\"x\"}", 16, "parameters");
}


static void
twilio_writers(void)
{
    u_char    buf[256], *p;
    vb_str_t  sid = vb_str(MZ);
    vb_str_t  name = vb_str("end");

    static const char  media[] = "{\"event\":\"media\",\"streamSid\":\"" MZ
                                 "\",\"media\":{\"payload\":\"/w==\"}}";
    static const char  mark[] = "{\"event\":\"mark\",\"streamSid\":\"" MZ
                                "\",\"mark\":{\"name\":\"end\"}}";
    static const char  clear[] = "{\"event\":\"clear\",\"streamSid\":\"" MZ
                                 "\"}";

    p = vb_twilio_media_prefix(buf, &sid);
    memcpy(p, "/w==", 4);
    p = vb_twilio_media_suffix(p + 4);
    is_mem(buf, p - buf, media, sizeof(media) - 1, "media");
    is_int(vb_twilio_media_length(4), sizeof(media) - 1, "its length");

    p = vb_twilio_mark(buf, &sid, &name);
    is_mem(buf, p - buf, mark, sizeof(mark) - 1, "mark");

    p = vb_twilio_clear(buf, &sid);
    is_mem(buf, p - buf, clear, sizeof(clear) - 1, "clear");
    ok(sizeof(clear) <= VB_TWILIO_CLEAR_LENGTH, "it fits its buffer");
}


static void
agent(void)
{
    size_t              i;
    vb_str_t            v;
    const char         *error;
    vb_agent_message_t  m;

    static const struct {
        const char  *text;
        int          rc;
        int          type;
        int          event_id;         /* -1: none */
    } t[] = {
        { "{\"audio_event\":{\"audio_base_64\":\"AAA=\",\"event_id\":7},"
          "\"type\":\"audio\"}", VB_OK, VB_AGENT_AUDIO, 7 },
        { "{\"type\":\"audio\",\"audio_event\":{\"audio_base_64\":\"\","
          "\"event_id\":\"8\",\"is_final\":true}}", VB_OK, VB_AGENT_AUDIO, 8 },
        { "{\"type\":\"audio\",\"audio\":{\"chunk\":\"AAA=\"}}", VB_OK,
          VB_AGENT_AUDIO, -1 },
        { "{\"ping_event\":{\"event_id\":0,\"ping_ms\":null},"
          "\"type\":\"ping\"}", VB_OK, VB_AGENT_PING, 0 },
        { "{\"type\":\"ping\"}", VB_ERROR, 0, 0 },
        { "{\"type\":\"interruption\",\"interruption_event\":{\"event_id\":3,"
          "\"reason\":\"user\"}}", VB_OK, VB_AGENT_INTERRUPTION, 3 },
        { "{\"type\":\"conversation_initiation_metadata\","
          "\"conversation_initiation_metadata_event\":{\"conversation_id\":"
          "\"c\",\"agent_output_audio_format\":\"pcm_16000\"}}", VB_OK,
          VB_AGENT_METADATA, -1 },
        { "{\"type\":\"conversation_initiation_metadata\","
          "\"conversation_initiation_metadata_event\":{}}", VB_ERROR, 0, 0 },
        { "{\"type\":\"agent_response\"}", VB_OK, VB_AGENT_RESPONSE, -1 },
        { "{\"type\":\"error\"}", VB_OK, VB_AGENT_ERROR, -1 },
        { "{\"type\":\"mcp_tool_call\",\"mcp_tool_call\":{}}", VB_OK,
          VB_AGENT_UNKNOWN, -1 },
        { "{\"type\":null}", VB_ERROR, 0, 0 },
        { "pong", VB_ERROR, 0, 0 }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        v = str(t[i].text);
        error = NULL;

        is_int(vb_agent_message_parse(&m, &v, &error), t[i].rc, "%s",
               t[i].text);

        if (t[i].rc != VB_OK) {
            ok(error != NULL, "says why");
            continue;
        }

        is_int(m.type, t[i].type, "its type");
        is_int(m.has_event_id ? m.event_id : -1, t[i].event_id, "its event");
    }
}


static void
agent_details(void)
{
    u_char              buf[256], *p;
    vb_str_t            v, out;
    const char         *error;
    vb_json_value_t     id;
    vb_agent_message_t  m;

    v = str("{\"type\":\"client_error\",\"error_event\":{\"code\":1008,"
            "\"error_name\":\"bad\",\"message\":\"no\"}}");
    is_int(vb_agent_message_parse(&m, &v, &error), VB_OK, "an error");
    is_int(m.code, 1008, "its code");
    is_mem(m.reason.text.data, m.reason.text.len, "bad", 3, "its name");
    is_mem(m.text.text.data, m.text.text.len, "no", 2, "its message");

    v = str("{\"type\":\"client_tool_call\",\"client_tool_call\":{"
            "\"tool_name\":\"t\",\"tool_call_id\":\"i\\\"d\","
            "\"expects_response\":true}}");
    is_int(vb_agent_message_parse(&m, &v, &error), VB_OK, "a tool call");
    ok(m.expects_response, "it waits");

    id = m.tool_call_id;
    p = vb_agent_tool_error(buf, &id);
    v.data = buf;
    v.len = p - buf;
    is_int(vb_json_check(&v, VB_JSON_OBJECT), VB_OK, "the answer is JSON");
    ok(memmem(buf, v.len, "\"tool_call_id\":\"i\\\"d\"", 21) != NULL,
       "its id unchanged");

    p = vb_agent_pong(buf, INT64_MIN);
    ok(p - buf < VB_AGENT_PONG_LENGTH, "the longest pong fits");
    p = vb_agent_pong(buf, 42);
    is_mem(buf, p - buf, "{\"type\":\"pong\",\"event_id\":42}", 29, "a pong");

    v = str("{\"signed_url\":\"wss:\\/\\/h\\/p?a=1\"}");
    is_int(vb_agent_signed_url_parse(&v, buf, sizeof(buf), &out), VB_OK,
           "a signed URL");
    is_mem(out.data, out.len, "wss://h/p?a=1", 13, "unescaped");
    is_int(vb_agent_signed_url_parse(&v, buf, 4, &out), VB_ERROR, "no room");
    v = str("{\"signed_url\":null}");
    is_int(vb_agent_signed_url_parse(&v, buf, sizeof(buf), &out), VB_ERROR,
           "none");

    v = str("{\"detail\":{\"status\":\"x\",\"message\":\"over quota\"}}");
    vb_agent_error_parse(&v, buf, sizeof(buf), &out);
    is_mem(out.data, out.len, "over quota", 10, "an error's message");
    v = str("{\"detail\":[{\"msg\":\"no such agent\"}]}");
    vb_agent_error_parse(&v, buf, sizeof(buf), &out);
    is_mem(out.data, out.len, "no such agent", 13, "a list");
    v = str("<html>");
    vb_agent_error_parse(&v, buf, sizeof(buf), &out);
    is_int(out.len, 0, "none");
}


static void
initiation(void)
{
    u_char               buf[512];
    size_t               n;
    vb_agent_init_t      init;
    vb_agent_variable_t  extra[] = {
        { vb_str("name"), vb_str("ours") },
        { vb_str("call_sid"), vb_str("CA\"1") },
        { vb_str("empty"), vb_str("") }
    };

    static const char  none[] =
        "{\"type\":\"conversation_initiation_client_data\","
        "\"dynamic_variables\":{}}";
    static const char  both[] =
        "{\"type\":\"conversation_initiation_client_data\","
        "\"dynamic_variables\":{\"n\\u0061me\":\"Zo\\u00eb\",\"due\":120.50,"
        "\"vip\":true,\"x\":null,\"l\":[1, \"a\"],\"call_sid\":\"CA\\\"1\"}}";

    init.dynamic_variables = str("");
    init.extra = NULL;
    init.nextra = 0;
    n = vb_agent_init(buf, &init);
    is_mem(buf, n, none, sizeof(none) - 1, "nothing to say");

    init.dynamic_variables = str(" {\"n\\u0061me\": \"Zo\\u00eb\", "
                                 "\"due\":120.50,\"vip\":true,\"x\":null,"
                                 "\"l\":[1, \"a\"]} ");
    init.extra = extra;
    init.nextra = 3;
    n = vb_agent_init(buf, &init);
    is_mem(buf, n, both, sizeof(both) - 1, "types are kept, names not doubled");
    is_int(vb_agent_init(NULL, &init), n, "counted");
}


static void
variables(void)
{
    size_t       i, k;
    vb_str_t     v, name;
    const char  *error;

    static const struct {
        const char  *text;
        int          rc;
    } t[] = {
        { "{}", VB_OK },
        { "{\"a\":1,\"b\":\"x\",\"c\":[1,[\"{\"]],\"d\":null}", VB_OK },
        { "{\"a\":{}}", VB_DECLINED },
        { "{\"a\":[{}]}", VB_DECLINED },
        { "{\"system__x\":1}", VB_DECLINED },
        { "{\"\\u0073ystem__x\":1}", VB_DECLINED },
        { "{\"\":1}", VB_DECLINED },
        { "[]", VB_ERROR },
        { "{\"a\":1", VB_ERROR },
        { "", VB_ERROR }
    };

    char         text[2048];

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        v = str(t[i].text);
        is_int(vb_agent_variables_check(&v, &name, &error), t[i].rc, "%s",
               t[i].text);
    }

    /* a name's length is counted without its escapes */

    for (i = 256; i <= 257; i++) {
        memcpy(text, "{\"", 2);

        for (k = 0; k < i; k++) {
            memcpy(text + 2 + 2 * k, "\\\\", 2);
        }

        strcpy(text + 2 + 2 * i, "\":1}");

        v = str(text);
        is_int(vb_agent_variables_check(&v, &name, &error),
               i == 256 ? VB_OK : VB_DECLINED, "a name of %zu", i);
    }
}


static vb_str_t
str(const char *s)
{
    vb_str_t  v;

    v.data = (u_char *) s;
    v.len = strlen(s);

    return v;
}
