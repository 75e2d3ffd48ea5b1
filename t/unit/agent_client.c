
/* What an agent is told besides variables, on its way through TwiML */


#include <tap.h>
#include <text.h>
#include <vb_agent_client.h>


static vb_agent_client_t  client;


static void
is_written(const char *expected, const char *name)
{
    size_t   n;
    u_char  *buf;

    n = vb_agent_client_write(NULL, &client);
    buf = malloc(n ? n : 1);

    is_int(vb_agent_client_write(buf, &client), n, "%s: counted", name);
    is_mem(buf, n, expected, strlen(expected), "%s", name);

    free(buf);
}


static void
test_write(void)
{
    is_written("", "nothing");

    client.user_id = text("Zo\xc3\xab \"1\"\n\xef\xbf\xbe");
    is_written("{\"user_id\":\"Zo\xc3\xab \\\"1\\\"\\n\\ufffe\"}", "a user");

    client.conversation_config_override =
        text(" { \"a b\" : [ 1 , \"\\\" \xef\xbf\xbf\" ] }\r\n");
    client.custom_llm_extra_body = text("{}");
    client.environment = text("staging");
    client.branch_id = text("b");

    is_written("{\"conversation_config_override\":{\"a b\":[1,\"\\\" \\uffff\"]"
               "},\"custom_llm_extra_body\":{},\"user_id\":\"Zo\xc3\xab "
               "\\\"1\\\"\\n\\ufffe\",\"environment\":\"staging\","
               "\"branch_id\":\"b\"}", "all of it");

    /* cut in the middle, by who had no room for more */

    memset(&client, 0, sizeof(client));
    client.conversation_config_override = text("{\"a\":\"\\");
    is_written("{\"conversation_config_override\":{\"a\":\"\\}", "a piece");
}


static const struct {
    const char  *text;
    int          rc;
    const char  *query;
} checks[] = {
    { "{}", VB_OK, "" },
    { "{\"user_id\":\"u\"}", VB_OK, "" },
    { "{\"environment\":\"a b\",\"branch_id\":\"\\u0026c\"}", VB_OK,
      "&environment=a+b&branch_id=%26c" },
    { "{\"branch_id\":\"\",\"conversation_config_override\":{\"environment\":"
      "\"no\"}}", VB_OK, "" },
    { "", VB_ERROR, NULL },
    { " {}", VB_ERROR, NULL },
    { "[]", VB_ERROR, NULL },
    { "{", VB_ERROR, NULL },
    { "{\"type\":\"x\"}", VB_ERROR, NULL },
    { "{\"dynamic_variables\":{}}", VB_ERROR, NULL },
    { "{\"user_id\":1}", VB_ERROR, NULL },
    { "{\"environment\":null}", VB_ERROR, NULL },
    { "{\"conversation_config_override\":\"{}\"}", VB_ERROR, NULL },
    { "{\"custom_llm_extra_body\":[]}", VB_ERROR, NULL }
};


static void
test_checks(void)
{
    u_char       query[128];
    size_t       i, n;
    vb_str_t     s;
    const char  *error;

    for (i = 0; i < NELTS(checks); i++) {
        s = copy(checks[i].text, strlen(checks[i].text));
        error = NULL;

        is_int(vb_agent_client_check(&s, &error), checks[i].rc, "%s",
               checks[i].text);

        if (checks[i].rc == VB_OK) {
            n = vb_agent_client_query(query, &s);
            is_mem(query, n, checks[i].query, strlen(checks[i].query),
                   "its query");
            is_int(vb_agent_client_query(NULL, &s), n, "counted");

        } else {
            ok(error && error[0], "it says: %s", error ? error : "nothing");
        }

        free(s.data);
    }
}


/* as long as an id may be with all of it escaped, and longer */

static void
test_long(void)
{
    char         json[4096], *p;
    size_t       i, n;
    vb_str_t     s;
    const char  *error;

    for (n = VB_AGENT_MAX_ID; n <= VB_AGENT_MAX_ID + 1; n++) {
        p = json + sprintf(json, "{\"environment\":\"");

        for (i = 0; i < n; i++) {
            p += sprintf(p, "\\u0061");
        }

        p += sprintf(p, "\"}");

        s = copy(json, p - json);

        is_int(vb_agent_client_check(&s, &error),
               n == VB_AGENT_MAX_ID ? VB_OK : VB_ERROR, "%zu characters", n);

        free(s.data);
    }
}


static const struct {
    const char  *text;
    int          id;
} ids[] = {
    { "", 1 },
    { "agent_1", 1 },
    { "Zo\xc3\xab \xf0\x9f\x98\x80 \xc2\xa0 \xef\xbf\xbd", 1 },
    { "a\n", 0 },
    { "a\x7f", 0 },
    { "\xc2\x85", 0 },
    { "a\xef\xbf\xbe", 0 },
    { "a\xef\xbf\xbf", 0 },
    { "\xff", 0 },
    { "a\xc2", 0 },
    { "a\xef\xbf", 0 }
};


static void
test_ids(void)
{
    size_t    i;
    vb_str_t  s;

    for (i = 0; i < NELTS(ids); i++) {
        s = copy(ids[i].text, strlen(ids[i].text));

        is_int(vb_agent_is_id(&s), ids[i].id, "id %zu", i);

        free(s.data);
    }

    s.data = NULL;
    s.len = 0;

    ok(vb_agent_is_id(&s), "one that is absent");
}


int
main(void)
{
    test_write();
    test_checks();
    test_long();
    test_ids();

    return done_testing();
}
