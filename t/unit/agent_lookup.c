
/* A personalisation webhook: what is asked, and what may be answered */


#include <tap.h>
#include <text.h>
#include <vb_agent_lookup.h>


static void
test_write(void)
{
    u_char              buf[256];
    size_t              n;
    vb_agent_lookup_t   lookup;

    static const char  whole[] =
        "{\"caller_id\":\"+15005550009\",\"agent_id\":\"a\\\"\","
        "\"called_number\":\"sip:Zo\xc3\xab\",\"call_sid\":\"\"}";

    lookup.caller_id = text("+15005550009");
    lookup.agent_id = text("a\"");
    lookup.called_number = text("sip:Zo\xc3\xab");
    lookup.call_sid = text("");

    n = vb_agent_lookup_write(buf, &lookup);
    is_mem(buf, n, whole, sizeof(whole) - 1, "a request");
    is_int(vb_agent_lookup_write(NULL, &lookup), n, "counted");
}


static const struct {
    const char  *answer;
    const char  *error;                /* NULL: good */
    const char  *agent_id;
    const char  *variables;
    const char  *client;
} answers[] = {
    { "{}", NULL, "", "", "" },
    { "{\"type\":\"conversation_initiation_client_data\",\n"
      " \"dynamic_variables\": { \"name\" : \"Zo\\u00eb\\n\", \"n\": 1.50 },\n"
      " \"conversation_config_override\": {\"agent\": {\"language\": \"de\"}},"
      " \"more\": [1]}", NULL, "",
      "{\"name\":\"Zo\\u00eb\\n\",\"n\":1.50}",
      "{\"conversation_config_override\":{\"agent\":{\"language\":\"de\"}}}" },
    { "{\"agent_id\":\"a\\u0062\",\"user_id\":\"u\",\"environment\":null,"
      "\"branch_id\":\"b\",\"custom_llm_extra_body\":{\"x\":[ 1 ]},"
      "\"dynamic_variables\":null,\"type\":null}", NULL, "ab", "",
      "{\"custom_llm_extra_body\":{\"x\":[1]},\"user_id\":\"u\","
      "\"branch_id\":\"b\"}" },
    { "{\"dynamic_variables\":{\"\xef\xbf\xbf\":\"\xef\xbf\xbe\"}}", NULL, "",
      "{\"\\uffff\":\"\\ufffe\"}", "" },

    { "", "the answer is not a JSON object", "", "", "" },
    { "[]", "the answer is not a JSON object", "", "", "" },
    { "{", "the answer is not a JSON object", "", "", "" },
    { "<html>", "the answer is not a JSON object", "", "", "" },
    { "{\"a\":\"\xff\"}", "the answer is not a JSON object", "", "", "" },
    { "{\"a\":\"\xc3\"}", "the answer is not a JSON object", "", "", "" },
    { "{\"type\":\"x\"}", "type is not conversation_initiation_client_data",
      "", "", "" },
    { "{\"agent_id\":7}", "agent_id is not a string", "", "", "" },
    { "{\"agent_id\":\"a\\u0000\"}", "agent_id has a control character or more "
      "than 256 bytes", "", "", "" },
    { "{\"user_id\":{}}", "user_id is not a string", "", "", "" },
    { "{\"dynamic_variables\":[]}", "dynamic_variables is not an object",
      "", "", "" },
    { "{\"conversation_config_override\":\"{}\"}",
      "conversation_config_override is not an object", "", "", "" },
    { "{\"dynamic_variables\":{\"o\":{}}}", "dynamic variable \"o\" is refused: "
      "an object is not a variable", "", "", "" },
    { "{\"dynamic_variables\":{\"system__x\":1}}", "dynamic variable "
      "\"system__x\" is refused: names that start with system__ are reserved",
      "", "", "" }
};


static void
test_answers(void)
{
    int                    rc;
    char                   error[256];
    u_char                *buf, client[512];
    size_t                 i, n;
    vb_str_t               s;
    vb_agent_looked_up_t   found;

    for (i = 0; i < NELTS(answers); i++) {
        s = copy(answers[i].answer, strlen(answers[i].answer));
        buf = malloc(vb_agent_lookup_room(s.len));

        rc = vb_agent_lookup_parse(&found, &s, buf, error, sizeof(error));

        is_int(rc, answers[i].error ? VB_ERROR : VB_OK, "%s",
               answers[i].answer);

        if (rc == VB_OK) {
            is_mem(found.agent_id.data, found.agent_id.len,
                   answers[i].agent_id, strlen(answers[i].agent_id),
                   "its agent");
            is_mem(found.dynamic_variables.data, found.dynamic_variables.len,
                   answers[i].variables, strlen(answers[i].variables),
                   "its variables");

            n = vb_agent_client_write(client, &found.client);
            is_mem(client, n, answers[i].client, strlen(answers[i].client),
                   "what else it has");

        } else {
            is_mem(error, strlen(error), answers[i].error,
                   strlen(answers[i].error), "%s", error);
        }

        free(buf);
        free(s.data);
    }
}


/* nothing but what grows, in the room there is */

static void
test_room(void)
{
    char                   json[1024], error[64], *p;
    size_t                 i;
    u_char                *buf;
    vb_str_t               s;
    vb_agent_looked_up_t   found;

    p = json + sprintf(json, "{\"dynamic_variables\":{\"a\":\"");

    for (i = 0; i < 200; i++) {
        p += sprintf(p, "\xef\xbf\xbf");
    }

    p += sprintf(p, "\"}}");

    s = copy(json, p - json);
    buf = malloc(vb_agent_lookup_room(s.len));

    is_int(vb_agent_lookup_parse(&found, &s, buf, error, sizeof(error)),
           VB_OK, "characters that become longer");
    is_int(found.dynamic_variables.len, 8 + 200 * 6, "are all there");

    free(buf);
    free(s.data);

    /* an error that is cut */

    s = text("{\"conversation_config_override\":1}");
    buf = malloc(vb_agent_lookup_room(s.len));

    is_int(vb_agent_lookup_parse(&found, &s, buf, error, 10), VB_ERROR,
           "an error");
    is_int(strlen(error), 9, "is cut");

    free(buf);
}


int
main(void)
{
    test_write();
    test_answers();
    test_room();

    return done_testing();
}
