
/* The first message to an agent, and what may be a variable in it */


#include <tap.h>
#include <text.h>
#include <vb_agent_init.h>
#include <vb_json.h>


#define INIT(members)                                                         \
    "{\"type\":\"conversation_initiation_client_data\","                      \
    "\"dynamic_variables\":{" members "}}"


static const vb_agent_variable_t  extra[] = {
    { vb_str("name"), vb_str("ours") },
    { vb_str("call_sid"), vb_str("CA\"1\"\n") },
    { vb_str("empty"), vb_str("") },
    { vb_str("empty"), vb_str("not") },
    { vb_str("call_sid"), vb_str("second") },
    { vb_str("system__time"), vb_str("now") },
    { vb_str(""), vb_str("nameless") },
    { vb_str("system_"), vb_str("Zo\xc3\xab") }
};

#define OURS  "\"call_sid\":\"CA\\\"1\\\"\\n\",\"empty\":\"not\","           \
              "\"system_\":\"Zo\xc3\xab\""


static const struct {
    const char  *variables;
    size_t       nextra;
    const char  *message;
} messages[] = {
    { "", 0, INIT("") },
    { "{}", 0, INIT("") },
    { "{\"a\":1}", 0, INIT("\"a\":1") },
    { "", 1, INIT("\"name\":\"ours\"") },
    { "{}", NELTS(extra), INIT("\"name\":\"ours\"," OURS) },
    { "{\"name\":null}", NELTS(extra), INIT("\"name\":null," OURS) },
    { " {\"n\\u0061me\": \"Zo\\u00eb\", \"due\" :120.50,\"big\":"
      "12345678901234567890,\n\"vip\":true,\"l\":[1, \"a\", [null]]} ", 2,
      INIT("\"n\\u0061me\":\"Zo\\u00eb\",\"due\":120.50,\"big\":"
           "12345678901234567890,\"vip\":true,\"l\":[1, \"a\", [null]],"
           "\"call_sid\":\"CA\\\"1\\\"\\n\"") }
};


static void
test_messages(void)
{
    size_t            i, n;
    u_char           *buf;
    vb_str_t          s;
    vb_agent_init_t   init;

    for (i = 0; i < NELTS(messages); i++) {
        s = copy(messages[i].variables, strlen(messages[i].variables));

        init.dynamic_variables = s;
        init.client = text("");
        init.extra = messages[i].nextra ? extra : NULL;
        init.nextra = messages[i].nextra;

        n = vb_agent_init(NULL, &init);
        buf = malloc(n);

        is_int(vb_agent_init(buf, &init), n, "counted and written alike");
        is_mem(buf, n, messages[i].message, strlen(messages[i].message), "%s",
               messages[i].message);

        free(s.data);

        s.data = buf;
        s.len = n;
        is_int(vb_json_check(&s, VB_JSON_OBJECT), VB_OK, "which is JSON");

        free(buf);
    }
}


/* whether a text may be variables, and which of them is to blame */

static const struct {
    const char  *text;
    int          rc;
    const char  *name;
} checks[] = {
    { "{}", VB_OK, NULL },
    { " { } ", VB_OK, NULL },
    { "{\"a\":1,\"b\":\"{\",\"c\":[1,[\"{\\\"{\"]],\"d\":null,\"e\":false}",
      VB_OK, NULL },
    { "{\"system_\":1,\"systems__\":1,\"System__x\":1}", VB_OK, NULL },
    { "{\"secret__key\":\"x\"}", VB_OK, NULL },
    { "{\"a\":1,\"b\":{}}", VB_DECLINED, "b" },
    { "{\"a\":[1,{}]}", VB_DECLINED, "a" },
    { "{\"a\":[[[{}]]],\"b\":1}", VB_DECLINED, "a" },
    { "{\"system__\":1}", VB_DECLINED, "system__" },
    { " {\"system__x\":1}", VB_DECLINED, "system__x" },
    { "{\"\\u0073ystem__x\":1}", VB_DECLINED, "\\u0073ystem__x" },
    { "{\"\":1}", VB_DECLINED, "" },
    { "[]", VB_ERROR, NULL },
    { "null", VB_ERROR, NULL },
    { "{\"a\":1", VB_ERROR, NULL },
    { "{\"a\":1}x", VB_ERROR, NULL },
    { "{a:1}", VB_ERROR, NULL },
    { " ", VB_ERROR, NULL },
    { "", VB_ERROR, NULL }
};


static void
test_checks(void)
{
    int          rc;
    size_t       i;
    vb_str_t     s, name;
    const char  *error;

    for (i = 0; i < NELTS(checks); i++) {
        s = copy(checks[i].text, strlen(checks[i].text));
        error = NULL;

        rc = vb_agent_variables_check(&s, &name, &error);

        if (is_int(rc, checks[i].rc, "%s", checks[i].text)
            && rc == VB_DECLINED)
        {
            is_mem(name.data, name.len, checks[i].name,
                   strlen(checks[i].name), "the one to blame");
        }

        ok(rc == VB_OK || (error && error[0]), "it says: %s",
           error ? error : "nothing");

        free(s.data);
    }
}


/* a name's length is counted without its escapes */

static void
test_names(void)
{
    char         json[2048], *p;
    size_t       i, k, n;
    vb_str_t     s, name;
    const char  *error;

    static const char  *characters[] = { "a", "\\\\", "\\u0061" };

    for (i = 0; i < NELTS(characters); i++) {

        for (n = 256; n <= 257; n++) {
            p = json + sprintf(json, "{\"");

            for (k = 0; k < n; k++) {
                p += sprintf(p, "%s", characters[i]);
            }

            p += sprintf(p, "\":1}");

            s = copy(json, p - json);
            is_int(vb_agent_variables_check(&s, &name, &error),
                   n == 256 ? VB_OK : VB_DECLINED, "a name of %zu %s", n,
                   characters[i]);
            free(s.data);
        }
    }
}


int
main(void)
{
    test_messages();
    test_checks();
    test_names();

    return done_testing();
}
