
/* The body of a request for a call, in pieces of any size */


#include <tap.h>
#include <text.h>
#include <api_parse.h>


#define BODY(variables)                                                       \
    "{\"agent_id\":\"a\",\"metadata\":{\"dynamic_variables\":" variables ","  \
    TO "}}"


static const struct {
    const char  *body;
    const char  *agent_id;
    const char  *session_id;
    const char  *variables;
} good[] = {
    { "{\"agent_id\":\"a\",\"metadata\":{" TO "}}", "a", "", "" },
    { " {\n\"metadata\" : { " TO " } , \"session_id\" : \"s 1\",\r\n\t"
      "\"agent_id\" : \"Zo\\u00eb\" } ", "Zo\xc3\xab", "s 1", "" },
    { "{\"agent_id\":\"a\",\"session_id\":null,\"metadata\":{"
      "\"dynamic_variables\":null," TO "}}", "a", "", "" },
    { "{\"agent_id\":\"a\",\"session_id\":\"\",\"metadata\":{" TO "}}",
      "a", "", "" },
    { BODY("{}"), "a", "", "{}" },

    /* every type, as it was written */

    { BODY("{ \"s\" : \"x\", \"t\":true,\n\"f\":false,\"n\":null, \"e\":\"\"}"),
      "a", "", "{\"s\":\"x\",\"t\":true,\"f\":false,\"n\":null,\"e\":\"\"}" },
    { BODY("{\"a\":1,\"b\":-0,\"c\":120.50,\"d\":12345678901234567890123,"
           "\"e\":1E400,\"f\":1e-7,\"g\":0.1000}"), "a", "",
      "{\"a\":1,\"b\":-0,\"c\":120.50,\"d\":12345678901234567890123,"
      "\"e\":1E400,\"f\":1e-7,\"g\":0.1000}" },
    { BODY("{\"l\":[1, \"b\" ,true,null,-2.0],\"m\":[]}"), "a", "",
      "{\"l\":[1,\"b\",true,null,-2.0],\"m\":[]}" },
    { BODY("{\"n\":\"Zo\\u00eb \\ud83d\\ude00 \\/\\\"\\\\\\b\\f\\n\\r\\t\\u0000"
           "\\u001f\x7f\"}"), "a", "",
      "{\"n\":\"Zo\xc3\xab \xf0\x9f\x98\x80 /\\\"\\\\\\b\\f\\n\\r\\t\\u0000"
      "\\u001f\x7f\"}" },
    { BODY("{\"\\ufffe\":\"a\\uffff\xef\xbf\xbe\\ufffd\"}"), "a", "",
      "{\"\\ufffe\":\"a\\uffff\\ufffe\xef\xbf\xbd\"}" },
    { BODY("{\"a{\\\"\":\"[,:\",\"b\":[\"[{\"]}"), "a", "",
      "{\"a{\\\"\":\"[,:\",\"b\":[\"[{\"]}" },

    /* the last of members that have one name */

    { "{\"agent_id\":7,\"agent_id\":\"b\",\"agent_id\":\"a\",\"metadata\":{"
      TO "}}", "a", "", "" },
    { "{\"agent_id\":\"a\",\"session_id\":\"x\",\"session_id\":null,"
      "\"metadata\":{" TO "}}", "a", "", "" },
    { "{\"agent_id\":\"a\",\"metadata\":\"x\",\"metadata\":{\"to_number\":5,"
      "\"dynamic_variables\":{\"x\":1}},\"metadata\":{" TO "}}", "a", "", "" },
    { "{\"agent_id\":\"a\",\"metadata\":{\"dynamic_variables\":[],"
      "\"to_number\":\"1\"," TO ",\"dynamic_variables\":{\"a\":1}}}",
      "a", "", "{\"a\":1}" },
    { BODY("{\"a\":1,\"b\":2,\"\\u0061\":3,\"c\":4,\"b\":{},\"b\":[5],"
           "\"a\":6}"), "a", "", "{\"c\":4,\"b\":[5],\"a\":6}" },
    { BODY("{\"a\":1,\"a\":2}"), "a", "", "{\"a\":2}" },

    /* what nobody asked for, wherever it stands */

    { "{\"x\":{\"agent_id\":5,\"metadata\":{\"to_number\":5}},\"y\":[{"
      "\"agent_id\":6}],\"metadata\":{\"z\":{\"to_number\":7,\"metadata\":{},"
      "\"dynamic_variables\":8},\"agent_id\":9," TO "},\"agent_id\":\"a\","
      "\"to_number\":1,\"dynamic_variables\":2}", "a", "", "" }
};


static void
test_good(void)
{
    size_t             i;
    vb_str_t           body;
    vb_api_parser_t   *parser;

    for (i = 0; i < NELTS(good); i++) {
        body = text(good[i].body);

        if (is_int(parse(&parser, &body, body.len, 0), VB_OK, "%s",
                   good[i].body))
        {
            is_mem(request.agent_id.data, request.agent_id.len,
                   good[i].agent_id, strlen(good[i].agent_id), "agent_id");
            is_mem(request.session_id.data, request.session_id.len,
                   good[i].session_id, strlen(good[i].session_id),
                   "session_id");
            is_mem(request.to_number.data, request.to_number.len,
                   "+15005550009", 12, "to_number");
            is_mem(request.dynamic_variables.data,
                   request.dynamic_variables.len, good[i].variables,
                   strlen(good[i].variables), "variables");

        } else {
            printf("# %.*s\n", (int) detail.len, detail.data);
        }

        vb_api_parser_destroy(parser);

        ok(is_same_in_pieces(&body), "the same in pieces");
    }
}


static const struct {
    const char  *body;
    const char  *detail;
} bad[] = {

    /* no JSON object */

    { "", "the body is not a JSON object: it ends too early, after 0 bytes" },
    { " \n",
      "the body is not a JSON object: it ends too early, after 2 bytes" },
    { "{\"agent_id\":\"a",
      "the body is not a JSON object: it ends too early, after 14 bytes" },
    { "{\"agent_id\":tru",
      "the body is not a JSON object: it ends too early, after 15 bytes" },
    { "[]", "the body is not a JSON object but another value" },
    { " \"agent_id\"", "the body is not a JSON object but another value" },
    { "12", "the body is not a JSON object but another value" },
    { "null", "the body is not a JSON object but another value" },
    { "agent_id=a", "the body is not a JSON object: invalid char in json text, "
                    "near byte 1" },
    { "{\"a\":1,}", "the body is not a JSON object: invalid object key (must "
                    "be a string), near byte 6" },
    { "{} {}", "the body is not a JSON object: trailing garbage, near byte 2" },
    { "{} \"", "the body is not a JSON object: it ends too early, after 4 "
               "bytes" },
    { "{}\v", "the body is not a JSON object: a control character, near byte "
              "2" },
    { "{\f}", "the body is not a JSON object: a control character, near byte "
              "1" },
    { "{\"a\":\"\xff\"}",
      "the body is not a JSON object: this is not UTF-8, near byte 6" },
    { "{\"a\":\"\xc3\"}",
      "the body is not a JSON object: this is not UTF-8, near byte 7" },
    { "{\"a\":\"\xed\xa0\x80\"}",
      "the body is not a JSON object: this is not UTF-8, near byte 7" },
    { "{\"a\":1]\xff", "the body is not a JSON object: after key and value, "
                       "inside map, I expect ',' or '}', near byte 6" },

    /* half a pair: what yajl would make of it is something else, or worse */

    { "{\"a\":\"\\ud800\"}",
      "the body is not a JSON object: half a surrogate pair, near byte 12" },
    { "{\"a\":\"\\ud800x\"}",
      "the body is not a JSON object: half a surrogate pair, near byte 12" },
    { "{\"a\":\"\\ud800\\n\"}",
      "the body is not a JSON object: half a surrogate pair, near byte 13" },
    { "{\"a\":\"\\ud800\\\\u12\"}",
      "the body is not a JSON object: half a surrogate pair, near byte 13" },
    { "{\"a\":\"\\ud800\\ud800\"}",
      "the body is not a JSON object: half a surrogate pair, near byte 17" },
    { "{\"a\":\"\\udc00\"}",
      "the body is not a JSON object: half a surrogate pair, near byte 11" },
    { "{\"a\":\"\\uDBFF\\u0041\"}",
      "the body is not a JSON object: half a surrogate pair, near byte 17" },
    { "{\"\\ud83d\\ude00\\ude00\":1}",
      "the body is not a JSON object: half a surrogate pair, near byte 19" },

    /* wrong types */

    { "{\"agent_id\":5}", "agent_id must be a string" },
    { "{\"agent_id\":{\"agent_id\":\"a\"},\"metadata\":{" TO "}}",
      "agent_id must be a string" },
    { "{\"agent_id\":[\"a\"]}", "agent_id must be a string" },
    { "{\"agent_id\":\"a\",\"agent_id\":true}", "agent_id must be a string" },
    { "{\"agent_id\":\"a\",\"session_id\":1}", "session_id must be a string" },
    { "{\"metadata\":\"x\"}", "metadata must be an object" },
    { "{\"metadata\":[{" TO "}]}", "metadata must be an object" },
    { "{\"metadata\":{\"to_number\":15005550009}}",
      "metadata.to_number must be a string" },
    { "{\"metadata\":{\"to_number\":[" TO "]}}", "the body is not a JSON "
      "object: after array element, I expect ',' or ']', near byte 37" },
    { "{\"metadata\":{\"to_number\":{" TO "}}}",
      "metadata.to_number must be a string" },
    { BODY("[]"), "metadata.dynamic_variables must be an object" },
    { BODY("\"{}\""), "metadata.dynamic_variables must be an object" },
    { BODY("false"), "metadata.dynamic_variables must be an object" },

    /* what is missing */

    { "{}", "agent_id is required" },
    { "{\"agent_id\":null}", "agent_id is required" },
    { "{\"agent_id\":\"\"}", "agent_id is required" },
    { "{\"agent_id\":\"a\",\"agent_id\":null}", "agent_id is required" },
    { "{\"agent_id\":\"a\"}", "to_number is required" },
    { "{\"agent_id\":\"a\",\"metadata\":null}", "to_number is required" },
    { "{\"agent_id\":\"a\",\"metadata\":{}}", "to_number is required" },
    { "{\"agent_id\":\"a\",\"metadata\":{\"to_number\":\"\"}}",
      "to_number is required" },
    { "{\"agent_id\":\"a\"," TO "}", "to_number is required" },
    { "{\"agent_id\":\"a\",\"metadata\":{" TO "},\"metadata\":{}}",
      "to_number is required" },

    /* what is there and not good */

    { "{\"agent_id\":\"a\\u0000b\",\"metadata\":{" TO "}}",
      "agent_id must not contain control characters" },
    { "{\"agent_id\":\"a\\u009b\",\"metadata\":{" TO "}}",
      "agent_id must not contain control characters" },
    { "{\"agent_id\":\"a\\uffff\",\"metadata\":{" TO "}}",
      "agent_id must not contain control characters" },
    { "{\"agent_id\":\"a\",\"session_id\":\"x\\ny\",\"metadata\":{" TO "}}",
      "session_id must not contain control characters" },
    { "{\"agent_id\":\"a\",\"session_id\":\"x\x7f\"}",
      "session_id must not contain control characters" },
    { "{\"agent_id\":\"a\",\"metadata\":{\"to_number\":\"15005550009\"}}",
      "to_number must be in E.164 format: + and 2 to 15 digits, the first not "
      "0" },
    { "{\"agent_id\":\"a\",\"metadata\":{\"to_number\":"
      "\"+15005550009\\u0000\",\"dynamic_variables\":{\"a\":{}}}}",
      "to_number must be in E.164 format: + and 2 to 15 digits, the first not "
      "0" },

    /* variables */

    { BODY("{\"a\":1,\"o\":{\"p\":[]}}"),
      "dynamic variable \"o\" is refused: an object is not a variable" },
    { BODY("{\"o\":1,\"o\":{}}"),
      "dynamic variable \"o\" is refused: an object is not a variable" },
    { BODY("{\"l\":[{}]}"),
      "dynamic variable \"l\" is refused: an object is not a variable" },
    { BODY("{\"l\":[1,[]]}"),
      "dynamic variable \"l\" is refused: an array in an array" },
    { BODY("{\"system__time\":1}"), "dynamic variable \"system__time\" is "
      "refused: names that start with system__ are reserved" },
    { BODY("{\"\\u0073ystem__\\u00eb\":1}"), "dynamic variable "
      "\"system__\xc3\xab\" is refused: names that start with system__ are "
      "reserved" },
    { BODY("{\"\":1}"), "dynamic variable \"\" is refused: an empty name" },
    { BODY("{\"a\\n\\\"\":{}}"),
      "dynamic variable \"a \"\" is refused: an object is not a variable" }
};


static void
test_bad(void)
{
    size_t            i;
    vb_str_t          body;
    vb_api_parser_t  *parser;

    for (i = 0; i < NELTS(bad); i++) {
        body = text(bad[i].body);

        is_int(parse(&parser, &body, vb_min(body.len, 1000), 0), VB_ERROR,
               "%s", bad[i].body);

        if (!is_mem(detail.data, detail.len, bad[i].detail,
                    strlen(bad[i].detail), "%s", bad[i].detail))
        {
            printf("# %.*s\n", (int) detail.len, detail.data);
        }

        vb_api_parser_destroy(parser);

        ok(is_same_in_pieces(&body), "the same in pieces");
    }
}


static void
test_default_agent(void)
{
    vb_str_t          body;
    vb_api_parser_t  *parser;

    body = text("{\"metadata\":{" TO "}}");
    is_int(parse(&parser, &body, body.len, 1), VB_OK, "a default agent");
    is_int(request.agent_id.len, 0, "is not in the body");
    vb_api_parser_destroy(parser);

    body = text("{\"agent_id\":5,\"metadata\":{" TO "}}");
    is_int(parse(&parser, &body, body.len, 1), VB_ERROR, "but a wrong one is");
    vb_api_parser_destroy(parser);
}


/* members as long as they may be, and one longer */

static void
test_lengths(void)
{
    char              json[2048], *p;
    size_t            i, n;
    vb_str_t          body;
    vb_api_parser_t  *parser;

    static const char  *names[] = { "agent_id", "session_id" };

    for (i = 0; i < 2; i++) {

        for (n = VB_API_MAX_ID; n <= VB_API_MAX_ID + 1; n++) {
            p = json + sprintf(json, "{\"agent_id\":\"a\",\"metadata\":{" TO
                                     "},\"%s\":\"", names[i]);
            memset(p, 'x', n);
            sprintf(p + n, "\"}");

            body = text(json);

            if (n == VB_API_MAX_ID) {
                is_int(parse(&parser, &body, body.len, 0), VB_OK,
                       "%s of %zu bytes", names[i], n);
                is_int(i ? request.session_id.len : request.agent_id.len, n,
                       "all of it");

            } else {
                is_int(parse(&parser, &body, body.len, 0), VB_ERROR,
                       "%s of %zu bytes", names[i], n);
                ok(strstr((char *) detail.data, names[i])
                   && strstr((char *) detail.data, "256"), "it says: %s",
                   detail.data);
            }

            vb_api_parser_destroy(parser);
        }
    }
}


static void
test_depth(void)
{
    char              json[512], *p;
    size_t            i, n;
    vb_str_t          body;
    vb_api_parser_t  *parser;

    for (n = 63; n <= 64; n++) {
        p = json + sprintf(json, "{\"agent_id\":\"a\",\"x\":");

        for (i = 0; i < n; i++) {
            *p++ = '[';
        }

        for (i = 0; i < n; i++) {
            *p++ = ']';
        }

        sprintf(p, ",\"metadata\":{" TO "}}");
        body = text(json);

        is_int(parse(&parser, &body, body.len, 0),
               n == 63 ? VB_OK : VB_ERROR, "%zu arrays in the body", n);
        vb_api_parser_destroy(parser);

        ok(is_same_in_pieces(&body), "the same in pieces");
    }

    is_int(parse(&parser, &body, 1, 0), VB_ERROR, "once more");
    is_mem(detail.data, detail.len, "the body is not a JSON object: it is "
           "nested too deep (see voicebridge_max_json_depth), near byte 84",
           99, "it says: %s", detail.data);
    vb_api_parser_destroy(parser);
}


/* variables larger than any document are cut, and the cut one is as large */

static void
test_large_variables(void)
{
    char              *json, *p;
    size_t             n;
    vb_str_t           body;
    vb_api_parser_t   *parser;

    json = malloc(200000);

    for (n = 4070; n < 4100; n++) {
        p = json + sprintf(json, "{\"agent_id\":\"a\",\"metadata\":{" TO
                                 ",\"dynamic_variables\":{\"system__v\":\"");
        memset(p, 'x', n);
        sprintf(p + n, "\"}}}");
        body = text(json);

        /* {"system__v":""} are 16 */

        if (n + 16 <= 4096) {
            if (parse(&parser, &body, body.len, 0) != VB_ERROR) {
                ok(0, "%zu bytes are looked at", n + 16);
            }

        } else if (parse(&parser, &body, body.len, 0) != VB_OK
                   || request.dynamic_variables.len != 4096
                   || memcmp(request.dynamic_variables.data,
                             strstr(json, "{\"system"), 4096) != 0)
        {
            ok(0, "%zu bytes are cut", n + 16);
        }

        vb_api_parser_destroy(parser);
    }

    ok(1, "variables around the limit");

    p = json + sprintf(json, "{\"agent_id\":\"a\",\"metadata\":{" TO
                             ",\"dynamic_variables\":{\"a\":1");

    for (n = 0; n < 10000; n++) {
        p += sprintf(p, ",\"v%zu\":[]", n);
    }

    sprintf(p, "}}}");
    body = text(json);

    is_int(parse(&parser, &body, 4096, 0), VB_OK, "ten thousand variables");
    is_int(request.dynamic_variables.len, 4096, "cut");
    vb_api_parser_destroy(parser);

    free(json);
}


/* a string or number of a megabyte, and one of a byte more */

static void
test_tokens(void)
{
    char              *json, *p;
    size_t             i, n;
    vb_str_t           body;
    vb_api_parser_t   *parser;

    static const char  *quotes[] = { "\"", "" };

    json = malloc(1048576 + 256);

    for (i = 0; i < 2; i++) {

        for (n = 1048575; n <= 1048576; n++) {
            p = json + sprintf(json, "{\"agent_id\":\"a\",\"metadata\":{" TO
                                     "},\"x\":%s", quotes[i]);
            memset(p, '1', n + i);
            sprintf(p + n + i, "%s}", quotes[i]);
            body = text(json);

            is_int(parse(&parser, &body, 65536, 0),
                   n == 1048575 ? VB_OK : VB_ERROR, "%s of %zu bytes",
                   i ? "a number" : "a string", n);

            ok(n == 1048575 || strstr((char *) detail.data, "too long"),
               "it says so");

            vb_api_parser_destroy(parser);
        }
    }

    free(json);
}


int
main(void)
{
    test_good();
    test_bad();
    test_default_agent();
    test_lengths();
    test_depth();
    test_large_variables();
    test_tokens();

    return done_testing();
}
