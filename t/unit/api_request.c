
/* The body of an outbound call, whole and in pieces */


#define _GNU_SOURCE

#include <tap.h>

#include <vb_api_request.h>


static int parse(const char *body, size_t piece, int have_agent);
static void good(void);
static void bad(void);
static void deep(void);


static vb_api_parser_t   *parser;
static vb_api_request_t   request;
static vb_str_t           detail;


#define TO  "\"to_number\":\"+14155550123\""


int
main(void)
{
    good();
    bad();
    deep();

    done_testing();
}


static void
good(void)
{
    size_t  i, piece;

    static const struct {
        const char  *body;
        const char  *variables;
    } t[] = {
        { "{\"agent_id\":\"a\",\"metadata\":{" TO "}}", "" },
        { "{\"agent_id\":\"a\",\"metadata\":{" TO
          ",\"dynamic_variables\":null}}", "" },
        { "{\"agent_id\":\"a\",\"metadata\":{" TO
          ",\"dynamic_variables\":{}}}", "{}" },
        { " {\"x\":{\"agent_id\":5,\"metadata\":[]},\"metadata\":{"
          "\"dynamic_variables\": {\"n\" : \"Zo\\u00eb \\\"q\\\"\\n\","
          "\"due\": 120.50,\"big\":12345678901234567890,\"e\":1E400,\"vip\":"
          "true,\"no\":false,\"nil\":null,\"l\":[1, \"a\",[]]}," TO
          "},\"agent_id\":\"a\"} ", NULL },
        { "{\"agent_id\":7,\"agent_id\":\"a\",\"metadata\":{" TO "}}", "" },
        { "{\"agent_id\":\"a\",\"metadata\":{\"dynamic_variables\":{\"a\":1},"
          "\"dynamic_variables\":{\"l\":[1,\"b\"],\"n\":\"Zo\\u00eb\","
          "\"d\":1.50}," TO "}}",
          "{\"l\":[1,\"b\"],\"n\":\"Zo\303\253\",\"d\":1.50}" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        for (piece = 1; piece < 200; piece += piece < 8 ? 1 : 61) {

            if (t[i].variables == NULL) {
                is_int(parse(t[i].body, piece, 0), VB_ERROR,
                       "refused: %s", t[i].body);
                vb_api_parser_destroy(parser);
                continue;
            }

            if (is_int(parse(t[i].body, piece, 0), VB_OK, "%s in pieces of "
                       "%zu", t[i].body, piece))
            {
                is_mem(request.agent_id.data, request.agent_id.len, "a", 1,
                       "agent_id");
                is_mem(request.to_number.data, request.to_number.len,
                       "+14155550123", 12, "to_number");
                is_mem(request.dynamic_variables.data,
                       request.dynamic_variables.len, t[i].variables,
                       strlen(t[i].variables), "variables");
            }

            vb_api_parser_destroy(parser);
        }
    }
}


static void
bad(void)
{
    size_t  i;
    char    text[512];

    static const struct {
        const char  *body;
        const char  *says;
    } t[] = {
        { "", "not a JSON object" },
        { "[]", "not a JSON object" },
        { "\"x\"", "not a JSON object" },
        { "{\"agent_id\":", "not a JSON object" },
        { "{\"agent_id\":\"a\",}", "at byte" },
        { "{} {}", "not a JSON object" },
        { "{}", "agent_id is required" },
        { "{\"agent_id\":\"\"}", "agent_id is required" },
        { "{\"agent_id\":null}", "agent_id is required" },
        { "{\"agent_id\":5}", "agent_id must be a string" },
        { "{\"agent_id\":{}}", "agent_id must be a string" },
        { "{\"agent_id\":[]}", "agent_id must be a string" },
        { "{\"agent_id\":\"a\\u0000\",\"metadata\":{" TO "}}",
          "control characters" },
        { "{\"agent_id\":\"a\",\"session_id\":1,\"metadata\":{" TO "}}",
          "session_id must be a string" },
        { "{\"agent_id\":\"a\"}", "to_number is required" },
        { "{\"agent_id\":\"a\",\"metadata\":{}}", "to_number is required" },
        { "{\"agent_id\":\"a\",\"metadata\":\"x\"}",
          "metadata must be an object" },
        { "{\"agent_id\":\"a\",\"metadata\":{\"to_number\":1415}}",
          "to_number must be a string" },
        { "{\"agent_id\":\"a\",\"metadata\":{\"to_number\":\"1415\"}}",
          "E.164" },
        { "{\"agent_id\":\"a\",\"metadata\":{" TO
          ",\"dynamic_variables\":[]}}",
          "dynamic_variables must be an object" },
        { "{\"agent_id\":\"a\",\"metadata\":{" TO
          ",\"dynamic_variables\":{\"o\":{\"p\":1}}}}", "\"o\"" },
        { "{\"agent_id\":\"a\",\"metadata\":{" TO
          ",\"dynamic_variables\":{\"l\":[[1]]}}}", "\"l\"" },
        { "{\"agent_id\":\"a\",\"metadata\":{" TO
          ",\"dynamic_variables\":{\"l\":[{}]}}}", "\"l\"" },
        { "{\"agent_id\":\"a\",\"metadata\":{" TO
          ",\"dynamic_variables\":{\"system__x\":1}}}", "system__" },
        { "{\"agent_id\":\"a\",\"metadata\":{" TO
          ",\"dynamic_variables\":{\"\":1}}}", "empty name" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        is_int(parse(t[i].body, 1000, 0), VB_ERROR, "%s", t[i].body);

        snprintf(text, sizeof(text), "%.*s", (int) detail.len, detail.data);
        ok(strstr(text, t[i].says) != NULL, "\"%s\" says \"%s\"", text,
           t[i].says);

        vb_api_parser_destroy(parser);
    }

    is_int(parse("{\"metadata\":{" TO "}}", 1000, 1), VB_OK,
           "the server knows an agent");
    vb_api_parser_destroy(parser);
}


static void
deep(void)
{
    size_t  i;
    char    body[4096];

    memset(body, '[', 2000);
    memcpy(body, "{\"x\":", 5);
    body[2000] = '\0';

    is_int(parse(body, 7, 0), VB_ERROR, "nested 1995 deep");
    ok(detail.len && memmem(detail.data, detail.len, "nested", 6) != NULL,
       "says so");
    vb_api_parser_destroy(parser);

    strcpy(body, "{\"agent_id\":\"");
    for (i = strlen(body); i < 400; i++) {
        body[i] = 'a';
    }
    strcpy(body + i, "\",\"metadata\":{" TO "}}");

    is_int(parse(body, 1000, 0), VB_ERROR, "an agent_id too long");
    ok(detail.len && memmem(detail.data, detail.len, "256", 3) != NULL,
       "says how long it may be");
    vb_api_parser_destroy(parser);
}


static int
parse(const char *body, size_t piece, int have_agent)
{
    size_t  i, n, len;

    parser = vb_api_parser_create();
    len = strlen(body);

    memset(&detail, 0, sizeof(detail));

    for (i = 0; i < len; i += n) {
        n = vb_min(piece, len - i);

        if (vb_api_parser_feed(parser, (u_char *) body + i, n) != VB_OK) {
            break;
        }
    }

    return vb_api_parser_finish(parser, have_agent, &request, &detail);
}
