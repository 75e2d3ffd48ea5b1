
/* What an ElevenLabs agent says, and what is said back */


#include <tap.h>
#include <text.h>
#include <vb_agent_message.h>


#define parse(m, s, error)  vb_agent_message_parse(m, s, VB_JSON_DEPTH, error)


#define NONE  -1


/* the message, its type, event_id and text */

static const struct {
    const char       *text;
    vb_agent_type_t   type;
    int64_t           event_id;
    const char       *value;
} good[] = {
    { "{\"type\":\"audio\",\"audio_event\":{\"audio_base_64\":\"AAA=\","
      "\"event_id\":7}}", VB_AGENT_AUDIO, 7, "AAA=" },
    { "{\"audio_event\":{\"alignment\":{\"chars\":[\"a\"],"
      "\"char_start_times_ms\":[0],\"event_id\":9},\"event_id\":7,"
      "\"audio_base_64\":\"AAA=\"},\"type\":\"audio\"}",
      VB_AGENT_AUDIO, 7, "AAA=" },
    { "{\"type\":\"audio\",\"audio_event\":{\"audio_base_64\":\"\","
      "\"event_id\":\"8\",\"is_final\":true}}", VB_AGENT_AUDIO, 8, "" },
    { "{\"type\":\"audio\",\"audio_event\":{\"audio_base_64\":\"a\\/b=\"}}",
      VB_AGENT_AUDIO, NONE, "a\\/b=" },
    { "{\"type\":\"audio\",\"audio\":{\"chunk\":\"AAA=\"}}",
      VB_AGENT_AUDIO, NONE, "AAA=" },
    { "{\"type\":\"audio\",\"audio_event\":{\"audio_base_64\":null,"
      "\"event_id\":9223372036854775807}}",
      VB_AGENT_AUDIO, 9223372036854775807, NULL },
    { "{\"type\":\"audio\",\"audio_event\":{\"event_id\":"
      "9223372036854775808}}", VB_AGENT_AUDIO, NONE, NULL },
    { "{\"type\":\"audio\"}", VB_AGENT_AUDIO, NONE, NULL },
    { "{\"type\":\"audi\\u006f\",\"audio_event\":{\"audio_base_64\":\"A\"}}",
      VB_AGENT_AUDIO, NONE, "A" },

    { "{\"ping_event\":{\"event_id\":3,\"ping_ms\":null},\"type\":\"ping\"}",
      VB_AGENT_PING, 3, NULL },
    { "{\"type\":\"ping\",\"ping_event\":{\"event_id\":0,\"ping_ms\":50}}",
      VB_AGENT_PING, 0, NULL },
    { "{\"type\":\"ping\",\"ping_event\":{\"event_id\":\"12\"}}",
      VB_AGENT_PING, 12, NULL },
    { "{\"type\":\"interruption\",\"interruption_event\":{\"event_id\":3,"
      "\"reason\":\"user\"}}", VB_AGENT_INTERRUPTION, 3, NULL },
    { "{\"type\":\"interruption\"}", VB_AGENT_INTERRUPTION, NONE, NULL },

    { "{\"type\":\"user_transcript\",\"user_transcription_event\":{"
      "\"user_transcript\":\"Hi \\ud83d\\ude00\",\"event_id\":1}}",
      VB_AGENT_USER_TRANSCRIPT, 1, "Hi \\ud83d\\ude00" },
    { "{\"type\":\"agent_response\",\"agent_response_event\":{"
      "\"agent_response\":\"Hello\"}}", VB_AGENT_RESPONSE, NONE, "Hello" },
    { "{\"type\":\"agent_response\"}", VB_AGENT_RESPONSE, NONE, NULL },
    { "{\"type\":\"agent_response\",\"agent_response_event\":[]}",
      VB_AGENT_RESPONSE, NONE, NULL },
    { "{\"type\":\"agent_response_correction\","
      "\"agent_response_correction_event\":{\"original_agent_response\":\"a\","
      "\"corrected_agent_response\":\"b\",\"event_id\":2}}",
      VB_AGENT_RESPONSE_CORRECTION, 2, "b" },
    { "{\"type\":\"tentative_user_transcript\","
      "\"tentative_user_transcription_event\":{\"user_transcript\":\"H\"}}",
      VB_AGENT_UNKNOWN, NONE, NULL },

    { "{\"type\":\"queue_status\",\"queue_status_event\":{\"status\":"
      "\"waiting\"}}", VB_AGENT_QUEUE_STATUS, NONE, "waiting" },
    { "{\"type\":\"dtmf_request\",\"dtmf\":\"1\"}", VB_AGENT_DTMF_REQUEST,
      NONE, NULL },
    { "{\"type\":\"agent_response_complete\","
      "\"agent_response_complete_event\":{\"event_id\":5}}",
      VB_AGENT_UNKNOWN, NONE, NULL },
    { "{\"type\":\"mcp_tool_call\",\"mcp_tool_call\":{\"state\":\"loading\"}}",
      VB_AGENT_UNKNOWN, NONE, NULL },
    { "{\"type\":\"\"}", VB_AGENT_UNKNOWN, NONE, NULL }
};


static const struct {
    const char  *text;
    const char  *error;
} bad[] = {
    { "", "" },
    { "pong", "" },
    { "[]", "" },
    { "{\"type\":\"audio\"", "" },
    { "{}", "type" },
    { "{\"type\":null}", "type" },
    { "{\"type\":{\"type\":\"ping\"}}", "type" },
    { "{\"user_audio_chunk\":\"AAA=\"}", "type" },
    { "{\"type\":\"ping\"}", "event_id" },
    { "{\"type\":\"ping\",\"ping_event\":{}}", "event_id" },
    { "{\"type\":\"ping\",\"ping_event\":{\"event_id\":null}}", "event_id" },
    { "{\"type\":\"ping\",\"ping_event\":{\"event_id\":1.5}}", "event_id" },
    { "{\"type\":\"ping\",\"ping_event\":{\"event_id\":1},"
      "\"ping_event\":{}}", "event_id" },
    { "{\"type\":\"conversation_initiation_metadata\"}", "audio_format" },
    { "{\"type\":\"conversation_initiation_metadata\","
      "\"conversation_initiation_metadata_event\":{\"conversation_id\":\"c\","
      "\"user_input_audio_format\":\"pcm_16000\"}}", "audio_format" },
    { "{\"type\":\"conversation_initiation_metadata\","
      "\"conversation_initiation_metadata_event\":{"
      "\"agent_output_audio_format\":16000}}", "audio_format" }
};


static void
test_good(void)
{
    size_t               i;
    vb_str_t             s;
    const char          *error;
    vb_json_value_t     *value;
    vb_agent_message_t   m;

    for (i = 0; i < NELTS(good); i++) {
        s = copy(good[i].text, strlen(good[i].text));

        if (is_int(parse(&m, &s, &error), VB_OK, "%s",
                   good[i].text))
        {
            is_int(m.type, good[i].type, "its type");
            is_int(m.has_event_id ? m.event_id : NONE, good[i].event_id,
                   "its event_id");

            value = (m.type == VB_AGENT_AUDIO) ? &m.audio : &m.text;

            if (good[i].value) {
                is_mem(value->text.data, value->text.len, good[i].value,
                       strlen(good[i].value), "its text");

            } else {
                is_int(value->type, VB_JSON_ABSENT, "no text");
            }
        }

        free(s.data);
    }
}


static void
test_bad(void)
{
    size_t               i;
    vb_str_t             s;
    const char          *error;
    vb_agent_message_t   m;

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


static int
is_str(const vb_str_t *s, const char *expected)
{
    return s->len == strlen(expected)
           && memcmp(s->data, expected, s->len) == 0;
}


static void
test_conversation(const char *id, size_t len, const char *name)
{
    char                buf[512];
    vb_str_t            s;
    const char         *error;
    vb_agent_message_t  m;

    snprintf(buf, sizeof(buf), "{\"type\":\"conversation_initiation_metadata\","
             "\"conversation_initiation_metadata_event\":{"
             "\"conversation_id\":\"%s\",\"agent_output_audio_format\":"
             "\"pcm_16000\"}}", id);

    s = text(buf);

    is_int(parse(&m, &s, &error), VB_OK, "%s: metadata", name);
    is_int(m.conversation_id.len, len, "%s", name);
}


static void
test_metadata(void)
{
    char                id[258];
    vb_str_t            s;
    const char         *error;
    vb_agent_message_t  m;

    s = text("{\"conversation_initiation_metadata_event\":{"
             "\"conversation_id\":\"conv_1\",\"agent_output_audio_format\":"
             "\"pcm_24000\",\"user_input_audio_format\":\"ulaw_8000\"},"
             "\"type\":\"conversation_initiation_metadata\"}");

    is_int(parse(&m, &s, &error), VB_OK, "metadata");
    is_int(m.type, VB_AGENT_METADATA, "its type");
    ok(is_str(&m.conversation_id, "conv_1"), "conversation");
    ok(is_str(&m.output_format, "pcm_24000"), "agent to caller");
    ok(is_str(&m.input_format, "ulaw_8000"), "caller to agent");
    ok(is_str(&m.name, "conversation_initiation_metadata"), "its name");

    s = text("{\"type\":\"conversation_initiation_metadata\","
             "\"conversation_initiation_metadata_event\":{"
             "\"agent_output_audio_format\":\"pcm_16000\"}}");

    is_int(parse(&m, &s, &error), VB_OK, "less of it");
    is_int(m.input_format.len, 0, "no input format");
    is_int(m.conversation_id.len, 0, "no conversation");

    test_conversation("conv_\xc3\xab", 7, "a conversation");
    test_conversation("conv_\x7f", 0, "a control character is of none");
    test_conversation("conv_\xc2\x9b", 0, "nor is one of C1");
    test_conversation("conv_\\n", 0, "nor an escape");

    memset(id, 'c', 256);
    id[256] = '\0';
    test_conversation(id, 256, "a long conversation");

    id[256] = 'c';
    id[257] = '\0';
    test_conversation(id, 0, "not a longer one");
}


static void
test_correction(void)
{
    vb_str_t            s;
    const char         *error;
    vb_agent_message_t  m;

    s = text("{\"type\":\"agent_response_correction\","
             "\"agent_response_correction_event\":{"
             "\"original_agent_response\":\"all of it\","
             "\"corrected_agent_response\":\"all\"}}");

    is_int(parse(&m, &s, &error), VB_OK, "a correction");
    ok(is_str(&m.text.text, "all"), "what was heard");
    ok(is_str(&m.original.text, "all of it"), "what was to be heard");
}


static void
test_errors(void)
{
    vb_str_t            s;
    const char         *error;
    vb_agent_message_t  m;

    s = text("{\"type\":\"client_error\",\"error_event\":{\"code\":1008,"
             "\"error_name\":\"bad\",\"message\":\"no\"}}");

    is_int(parse(&m, &s, &error), VB_OK, "client_error");
    is_int(m.type, VB_AGENT_ERROR, "its type");
    is_int(m.code, 1008, "its code");
    ok(is_str(&m.reason.text, "bad"), "its name");
    ok(is_str(&m.text.text, "no"), "its message");

    s = text("{\"type\":\"error\",\"error_event\":{\"code\":1002,\"message\":"
             "null,\"error_type\":\"llm_timeout\",\"reason\":\"slow\","
             "\"details\":{\"message\":\"x\"}}}");

    is_int(parse(&m, &s, &error), VB_OK, "error");
    is_int(m.code, 1002, "its code");
    ok(is_str(&m.reason.text, "llm_timeout"), "its type");
    ok(is_str(&m.text.text, "slow"), "its reason, without a message");

    s = text("{\"type\":\"error\"}");

    is_int(parse(&m, &s, &error), VB_OK, "an empty one");
    is_int(m.code, 0, "no code");
    is_int(m.text.type, VB_JSON_ABSENT, "no message");
}


static void
test_tools(void)
{
    u_char              *buf, *p;
    vb_str_t             s;
    const char          *error;
    vb_agent_message_t   m;

    static const char  answer[] =
        "{\"type\":\"client_tool_result\",\"tool_call_id\":\"i\\\"d\","
        "\"result\":\"This tool is not available on a phone call.\","
        "\"is_error\":true}";

    s = text("{\"type\":\"client_tool_call\",\"client_tool_call\":{"
             "\"tool_name\":\"t\",\"tool_call_id\":\"i\\\"d\",\"parameters\":"
             "{\"tool_name\":\"x\"},\"event_id\":4,"
             "\"expects_response\":true}}");

    is_int(parse(&m, &s, &error), VB_OK, "a tool call");
    is_int(m.type, VB_AGENT_CLIENT_TOOL_CALL, "its type");
    ok(is_str(&m.tool_name.text, "t"), "its name");
    ok(is_str(&m.tool_call_id.text, "i\\\"d"), "its id");
    ok(m.expects_response, "it waits");
    is_int(m.event_id, 4, "its event_id");

    buf = malloc(m.tool_call_id.text.len + 192);
    p = vb_agent_tool_error(buf, &m.tool_call_id);
    is_mem(buf, p - buf, answer, sizeof(answer) - 1, "the answer to it");

    s.data = buf;
    s.len = p - buf;
    is_int(vb_json_check(&s, VB_JSON_OBJECT), VB_OK, "which is JSON");
    free(buf);

    s = text("{\"type\":\"agent_tool_response\",\"agent_tool_response\":{"
             "\"tool_name\":\"end_call\",\"tool_call_id\":\"1\","
             "\"is_error\":true}}");

    is_int(parse(&m, &s, &error), VB_OK, "a tool's answer");
    is_int(m.type, VB_AGENT_TOOL_RESPONSE, "its type");
    ok(is_str(&m.tool_name.text, "end_call"), "its name");
    ok(m.tool_error && !m.expects_response, "an error");

    s = text("{\"type\":\"agent_tool_response_full_payload\","
             "\"agent_tool_response_full_payload\":{\"tool_name\":"
             "\"end_call\",\"is_error\":false,\"full_tool_result\":\"{}\"}}");

    is_int(parse(&m, &s, &error), VB_OK, "the other form");
    is_int(m.type, VB_AGENT_TOOL_RESPONSE, "its type");
    ok(is_str(&m.tool_name.text, "end_call") && !m.tool_error, "its name");
}


static void
test_writers(void)
{
    u_char  *buf, *p;

    static const char  audio[] = "{\"user_audio_chunk\":\"AAA=\"}";
    static const char  pong[] = "{\"type\":\"pong\",\"event_id\":42}";
    static const char  least[] = "{\"type\":\"pong\",\"event_id\":"
                                 "-9223372036854775808}";

    buf = malloc(vb_agent_audio_length(4));
    p = vb_agent_audio_prefix(buf);
    memcpy(p, "AAA=", 4);
    p = vb_agent_audio_suffix(p + 4);
    is_mem(buf, p - buf, audio, sizeof(audio) - 1, "audio");
    is_int(p - buf, vb_agent_audio_length(4), "its length");
    free(buf);

    buf = malloc(VB_AGENT_PONG_LENGTH);
    p = vb_agent_pong(buf, 42);
    is_mem(buf, p - buf, pong, sizeof(pong) - 1, "a pong");
    p = vb_agent_pong(buf, INT64_MIN);
    is_mem(buf, p - buf, least, sizeof(least) - 1, "the longest one");
    free(buf);
}


static const struct {
    const char  *body;
    const char  *url;                  /* NULL: there is none */
    int          secure;
    int          declined;
} signed_urls[] = {
    { "{\"signed_url\":\"wss://h/p?a=1&b=2\"}", "wss://h/p?a=1&b=2", 0, 0 },
    { "{\"x\":1,\"signed_url\":\"wss:\\/\\/h\\u002fp\"}", "wss://h/p", 0, 0 },
    { "{\"signed_url\":\"wss://h/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", NULL,
      0, 0 },
    { "{\"signed_url\":\"WSS://h\"}", "WSS://h", 1, 0 },
    { "{\"signed_url\":\"ws://h\"}", "ws://h", 0, 0 },
    { "{\"signed_url\":\"ws://h\"}", "", 1, 1 },
    { "{\"signed_url\":\"ws://Unix:/run/x:/p\"}", "", 0, 1 },
    { "{\"signed_url\":\"wss://unix:\"}", "", 1, 1 },
    { "{\"signed_url\":\"wss://unix\"}", "wss://unix", 1, 0 },
    { "{\"signed_url\":\"wss://\"}", "", 1, 1 },
    { "{\"signed_url\":\"https://h/\"}", "", 0, 1 },
    { "{\"signed_url\":\"\"}", NULL, 0, 0 },
    { "{\"signed_url\":null}", NULL, 0, 0 },
    { "{\"signed_url\":\"wss://h/\\r\\nX: 1\"}", NULL, 0, 0 },
    { "{\"signed_url\":\"wss://h/ HTTP/1.1\"}", NULL, 0, 0 },
    { "{\"signed_url\":\"wss://h/\\u0000\"}", NULL, 0, 0 },
    { "{\"signed_url\":\"wss://h/\\u007f\"}", NULL, 0, 0 },
    { "{\"signed_url\":\"wss://\xc3\xab/\"}", NULL, 0, 0 },
    { "{\"url\":\"wss://h/\"}", NULL, 0, 0 },
    { "\"wss://h/\"", NULL, 0, 0 },
    { "", NULL, 0, 0 }
};


static const struct {
    const char  *body;
    const char  *said;
} errors[] = {
    { "{\"detail\":{\"status\":\"x\",\"message\":\"over\\nquota\"}}",
      "over quota" },
    { "{\"detail\":\"Not \\u0022Found\\u0022\"}", "Not \"Found\"" },
    { "{\"detail\":[{\"loc\":[\"a\",{\"msg\":\"no\"}],\"msg\":\"why\","
      "\"type\":\"t\"},{\"msg\":\"other\"}]}", "why" },
    { "{\"detail\":[{\"loc\":1},{\"msg\":\"other\"}]}", "" },
    { "{\"detail\":[{\"msg\":5}]}", "" },
    { "{\"detail\":[[],{}]}", "" },
    { "{\"detail\":[]}", "" },
    { "{\"detail\":[1,\"x\"]}", "" },
    { "{\"detail\":{\"message\":{}}}", "" },
    { "{\"detail\":{\"message\":"
      "\"0123456789012345678901234567890\xc3\xab\"}}",
      "0123456789012345678901234567890" },
    { "{\"detail\":\"\xff\"}", "" },
    { "{\"detail\":\"cut \xc3\"}", "" },
    { "{\"detail\":5}", "" },
    { "{}", "" },
    { "<html>", "" },
    { "", "" }
};


static void
test_answers(void)
{
    int        rc;
    size_t     i;
    u_char    *buf;
    vb_str_t   s, out;

    for (i = 0; i < NELTS(signed_urls); i++) {
        s = copy(signed_urls[i].body, strlen(signed_urls[i].body));
        buf = malloc(32);

        rc = vb_agent_signed_url_parse(&s, signed_urls[i].secure, buf, 32,
                                       &out);

        if (signed_urls[i].url == NULL) {
            is_int(rc, VB_ERROR, "no URL in %s", signed_urls[i].body);

        } else if (signed_urls[i].declined) {
            is_int(rc, VB_DECLINED, "none to be used in %s",
                   signed_urls[i].body);

        } else if (is_int(rc, VB_OK, "a URL in %s", signed_urls[i].body)) {
            ok(is_str(&out, signed_urls[i].url), "the right one");
        }

        free(buf);
        free(s.data);
    }

    for (i = 0; i < NELTS(errors); i++) {
        s = copy(errors[i].body, strlen(errors[i].body));
        buf = malloc(32);

        vb_agent_error_parse(&s, buf, 32, &out);
        is_mem(out.data, out.len, errors[i].said, strlen(errors[i].said),
               "said by %s", errors[i].body);

        free(buf);
        free(s.data);
    }
}


int
main(void)
{
    test_good();
    test_bad();
    test_metadata();
    test_correction();
    test_errors();
    test_tools();
    test_writers();
    test_answers();

    return done_testing();
}
