
/*
 * The JSON scanner by tables: what is good and what is not, and what is
 * found; yajl is asked each time as well.
 */


#include <tap.h>
#include <vb_json.h>
#include <yajl_oracle.h>


#define S(s)  s, sizeof(s) - 1


typedef struct {
    const char  *text;
    size_t       len;
} test_text_t;


static const test_text_t  good[] = {
    { S("{}") },
    { S("[]") },
    { S(" \t\r\n{ \t\r\n} \t\r\n") },
    { S("[ ]") },
    { S("null") },
    { S("true") },
    { S("false") },
    { S("\"\"") },
    { S("0") },
    { S("-0") },
    { S("-1") },
    { S("10") },
    { S("1.5") },
    { S("0.0") },
    { S("-0.0e-0") },
    { S("1e5") },
    { S("1E+5") },
    { S("1e-05") },
    { S("1.25E10") },
    { S("123456789012345678901234567890.5e+999999") },
    { S("[1,2]") },
    { S("[1 , 2]") },
    { S("[[],[[]],{}]") },
    { S("[null,true,false,0,\"\",{}]") },
    { S("{\"a\":1}") },
    { S("{\"a\" : 1 , \"b\" : [ 2 ] }") },
    { S("{\"a\":{\"a\":{\"a\":{}}}}") },
    { S("{\"\":0}") },
    { S("{\"a\":1,\"a\":2}") },
    { S("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"") },
    { S("\"\\u0000\\u00e9\\uABCD\\uabcd\\uFFFF\"") },
    { S("\"\\ud83d\\ude00\"") },
    { S("\"\\ud800\"") },
    { S("\"\\udc00\\ud800\"") },
    { S("{\"\\u0061\\\"\":1}") },
    { S("\"\x7f\"") },
    { S("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"") },
    { S("\"0123456789abcdef0123456789abcdef0123456789abcdef01234567\"") },
    { S("\"0123456789abcde\\\"0123456789abcdef\\\\\"") },
    { S("[\"{\",\"}\",\"[\",\"]\",\",\",\":\"]") }
};


static const test_text_t  bad[] = {
    { S("") },
    { S(" ") },
    { S("\n") },
    { S("{") },
    { S("[") },
    { S("}") },
    { S("]") },
    { S("{]") },
    { S("[}") },
    { S("{}}") },
    { S("[]]") },
    { S("{}{}") },
    { S("{},") },
    { S("{} x") },
    { S("{}\"") },
    { S("{}\0") },
    { S("\0{}") },
    { S("\xef\xbb\xbf{}") },
    { S("[1,]") },
    { S("[,1]") },
    { S("[,]") },
    { S("[1,,2]") },
    { S("[1 2]") },
    { S("[1:2]") },
    { S("[1") },
    { S("[1,") },
    { S("[1}") },
    { S("{\"a\":1,}") },
    { S("{,\"a\":1}") },
    { S("{,}") },
    { S("{\"a\"}") },
    { S("{\"a\":}") },
    { S("{\"a\" 1}") },
    { S("{\"a\",1}") },
    { S("{\"a\"::1}") },
    { S("{\"a\":1 \"b\":2}") },
    { S("{\"a\":1;\"b\":2}") },
    { S("{\"a\":1]") },
    { S("{\"a\":1") },
    { S("{\"a\":") },
    { S("{\"a\"") },
    { S("{\"a") },
    { S("{a:1}") },
    { S("{'a':1}") },
    { S("{1:1}") },
    { S("{null:1}") },
    { S("{[]:1}") },
    { S("nul") },
    { S("nulL") },
    { S("NULL") },
    { S("nulll") },
    { S("tru") },
    { S("truefalse") },
    { S("fals") },
    { S("[tru]") },
    { S("undefined") },
    { S("NaN") },
    { S("Infinity") },
    { S("-Infinity") },
    { S("-") },
    { S("+1") },
    { S("--1") },
    { S("01") },
    { S("-01") },
    { S("00") },
    { S(".5") },
    { S("1.") },
    { S("-.5") },
    { S("1.e5") },
    { S("1e") },
    { S("1e+") },
    { S("1e+-5") },
    { S("1e5.5") },
    { S("1.5.5") },
    { S("0x10") },
    { S("1a") },
    { S("1 2") },
    { S("[-]") },
    { S("[1.]") },
    { S("\"") },
    { S("\"abc") },
    { S("\"0123456789abcdef0123456789abcdef") },
    { S("\"abc\"\"") },
    { S("'abc'") },
    { S("\"\\") },
    { S("\"\\\"") },
    { S("\"\\x\"") },
    { S("\"\\0\"") },
    { S("\"\\'\"") },
    { S("\"\\U0041\"") },
    { S("\"\\u\"") },
    { S("\"\\u0\"") },
    { S("\"\\u00\"") },
    { S("\"\\u004\"") },
    { S("\"\\u004g\"") },
    { S("\"\\u004@\"") },
    { S("\"\\u004") },
    { S("\"\\u 041\"") },
    { S("\"\\u-041\"") },
    { S("\"\\\n\"") },
    { S("\"\\\0\"") },
    { S("\"a\tb\"") },
    { S("\"a\nb\"") },
    { S("\"a\0b\"") },
    { S("\"a\x1f\"") },
    { S("\"0123456789abcdef0123456789\x01" "bcdef\"") },
    { S("\"0123456789abcdef0123456789\x1f" "bcdef\"") },
    { S("{\"a\nb\":1}") },
    { S("/**/{}") },
    { S("{}//") },
    { S("{}#") },
    { S("\v{}") },
    { S("{}\f") },
    { S("\xa0{}") },
    { S("\xc2\xa0{}") }
};


/* a copy with nothing behind it, so that a sanitizer sees any reading there */

static vb_str_t
copy(const void *data, size_t len)
{
    vb_str_t  s;

    s.len = len;
    s.data = malloc(len ? len : 1);
    memcpy(s.data, data, len);

    return s;
}


static void
show_text(const vb_str_t *s)
{
    size_t  i;

    printf("# ");

    for (i = 0; i < s->len; i++) {
        printf(s->data[i] < 0x20 || s->data[i] > 0x7e ? "\\x%02x" : "%c",
               s->data[i]);
    }

    printf("\n");
}


static void
test_texts(const test_text_t *t, size_t n, int expected)
{
    int       rc, oracle;
    size_t    i;
    oracle_t  o;
    vb_str_t  s;

    for (i = 0; i < n; i++) {
        s = copy(t[i].text, t[i].len);

        rc = vb_json_check(&s, VB_JSON_ABSENT);

        oracle = oracle_parse(&o, &s, NULL, 0);
        oracle_free(&o);

        if (!ok(rc == (expected ? VB_OK : VB_ERROR) && oracle == expected,
                "%s text no. %zu", expected ? "good" : "bad", i))
        {
            show_text(&s);
        }

        free(s.data);
    }
}


static void
test_types(void)
{
    size_t                i, k;
    vb_str_t              s;

    static const char    *texts[] = { "null", "false", "true", "-1.5", "\"\"",
                                      "[{}]", "{\"a\":[]}" };

    for (i = 0; i < 7; i++) {
        s = copy(texts[i], strlen(texts[i]));

        for (k = VB_JSON_NULL; k <= VB_JSON_OBJECT; k++) {
            if (vb_json_check(&s, k)
                != (k == i + VB_JSON_NULL ? VB_OK : VB_ERROR))
            {
                break;
            }
        }

        ok(k == VB_JSON_OBJECT + 1, "%s is of its type only", texts[i]);
        free(s.data);
    }
}


/* n times open, once middle, n times close */

static vb_str_t
nested(size_t n, const char *open, const char *middle, const char *close)
{
    size_t    i;
    u_char   *p;
    vb_str_t  s;

    s.len = n * (strlen(open) + strlen(close)) + strlen(middle);
    s.data = p = malloc(s.len + 1);

    for (i = 0; i < n; i++) {
        p += sprintf((char *) p, "%s", open);
    }

    p += sprintf((char *) p, "%s", middle);

    for (i = 0; i < n; i++) {
        p += sprintf((char *) p, "%s", close);
    }

    return s;
}


static void
test_depth(void)
{
    int               rc;
    size_t            offset;
    vb_str_t          s;
    const char       *error;
    vb_json_value_t   value;

    static const vb_json_field_t  field = { VB_JSON_ROOT, vb_str("a") };

    s = nested(64, "[", "", "]");
    is_int(vb_json_check(&s, VB_JSON_ARRAY), VB_OK, "64 arrays");
    free(s.data);

    s = nested(65, "[", "", "]");
    is_int(vb_json_check(&s, VB_JSON_ARRAY), VB_ERROR, "65 arrays");
    free(s.data);

    s = nested(64, "{\"a\":", "1", "}");
    rc = vb_json_select(&s, &field, 1, &value, &error, &offset);
    ok(rc == VB_OK && value.type == VB_JSON_OBJECT
       && value.text.len == s.len - 6, "64 objects");
    free(s.data);

    s = nested(64, "{\"a\":", "[]", "}");
    rc = vb_json_select(&s, &field, 1, &value, &error, &offset);
    ok(rc == VB_ERROR && offset == 64 * 5 && strstr(error, "deep"),
       "an array in them is one too much");
    free(s.data);

    s = nested(100000, "[", "", "]");
    is_int(vb_json_check(&s, VB_JSON_ABSENT), VB_ERROR, "100000 arrays");
    free(s.data);

    s = nested(30000, "[],[[],{}],", "[]", "");
    s.len += 2;
    s.data = realloc(s.data, s.len);
    memmove(s.data + 1, s.data, s.len - 2);
    s.data[0] = '[';
    s.data[s.len - 1] = ']';
    is_int(vb_json_check(&s, VB_JSON_ARRAY), VB_OK,
           "many side by side are not deep");
    free(s.data);
}


enum {
    F_EVENT = 0,
    F_SID,
    F_MEDIA,
    F_PAYLOAD,
    F_INNER,
    F_DEEP,
    F_EMPTY,
    F_LAST,
    NFIELDS
};

static const vb_json_field_t  fields[NFIELDS] = {
    { VB_JSON_ROOT, vb_str("event") },
    { VB_JSON_ROOT, vb_str("streamSid") },
    { VB_JSON_ROOT, vb_str("media") },
    { F_MEDIA, vb_str("payload") },
    { F_MEDIA, vb_str("media") },
    { F_INNER, vb_str("payload") },
    { VB_JSON_ROOT, vb_str("") },
    { VB_JSON_ROOT, vb_str("a\"\n\xc3\xa9") }
};


/*
 * What is expected: for each field that is there, in their order, its number,
 * a mark (" or \ for a string without or with escapes, else one of ntf0[{) and
 * its text.
 */

typedef struct {
    const char  *name;
    const char  *text;
    const char  *expected;
} test_select_t;


static const test_select_t  selects[] = {
    { "an empty object", "{}", "" },
    { "nothing of what is looked for", "{\"a\":1,\"Event\":2}", "" },
    { "a message of a phone",
      "{\"event\":\"media\",\"sequenceNumber\":\"4\",\"media\":{\"track\":"
      "\"inbound\",\"payload\":\"AAA=\"},\"streamSid\":\"MZ1\"}",
      "0\"media 1\"MZ1 2{{\"track\":\"inbound\",\"payload\":\"AAA=\"} "
      "3\"AAA= " },
    { "each type, white space around",
      " { \"event\" : null , \"streamSid\" : true , \"\" : false ,\r\n"
      "\t\"media\" : { \"payload\" : -1.5e3 , \"media\" : [ { } ] } } ",
      "0nnull 1ttrue 2{{ \"payload\" : -1.5e3 , \"media\" : [ { } ] } "
      "30-1.5e3 4[[ { } ] 6ffalse " },
    { "names of other levels are others",
      "{\"payload\":1,\"x\":{\"event\":2,\"media\":{\"payload\":3}},"
      "\"media\":{\"event\":4,\"streamSid\":5}}",
      "2{{\"event\":4,\"streamSid\":5} " },
    { "nothing inside of arrays",
      "{\"media\":[{\"payload\":1}],\"event\":[{\"event\":2}]}",
      "0[[{\"event\":2}] 2[[{\"payload\":1}] " },
    { "three levels",
      "{\"media\":{\"media\":{\"payload\":{\"payload\":0}}}}",
      "2{{\"media\":{\"payload\":{\"payload\":0}}} "
      "4{{\"payload\":{\"payload\":0}} 5{{\"payload\":0} " },
    { "a parent that is no object",
      "{\"media\":\"payload\"}", "2\"payload " },
    { "strings with escapes",
      "{\"event\":\"\\\"\",\"streamSid\":\"\\\\\",\"\":\"\\u0022}\"}",
      "0\\\\\" 1\\\\\\ 6\\\\u0022} " },
    { "empty strings",
      "{\"event\":\"\",\"\":\"\"}", "0\" 6\" " },
    { "names with escapes",
      "{\"\\u0065v\\u0065nt\":1,\"a\\\"\\n\\u00E9\":2,"
      "\"\\u006d\\u0065\\u0064\\u0069\\u0061\":{\"p\\u0061yload\":3}}",
      "001 2{{\"p\\u0061yload\":3} 303 702 " },
    { "a name with no escape where one must be is another",
      "{\"a\\\\\\\"\\\\n\\u00E9\":2,\"\\\\u0065vent\":1}", "" },
    { "names that begin or end like others",
      "{\"even\":1,\"events\":2,\"vent\":3,\"event\\u0000\":4}", "" },
    { "a name twice: the last one counts",
      "{\"event\":1,\"event\":\"b\",\"event\":[]}", "0[[] " },
    { "an object twice: what was in the first is gone",
      "{\"media\":{\"payload\":1,\"media\":{\"payload\":2}},"
      "\"media\":{}}", "2{{} " },
    { "the same with another type",
      "{\"media\":{\"payload\":1,\"media\":{\"payload\":2}},"
      "\"m\\u0065dia\":null}", "2nnull " },
    { "the same with members that differ",
      "{\"media\":{\"media\":{\"payload\":2}},\"event\":0,"
      "\"media\":{\"payload\":3}}", "000 2{{\"payload\":3} 303 " },
    { "the same a level below",
      "{\"media\":{\"payload\":1,\"media\":{\"payload\":2},\"media\":5}}",
      "2{{\"payload\":1,\"media\":{\"payload\":2},\"media\":5} 301 405 " },
    { "an object, then an array that holds one like it",
      "{\"media\":{\"payload\":1},\"media\":[{\"payload\":2}]}",
      "2[[{\"payload\":2}] " }
};


static void
test_select(const test_select_t *t)
{
    int                  rc;
    char                 out[1024], *p;
    size_t               i, offset;
    vb_str_t             s;
    oracle_t             o;
    const char          *error, *differs;
    vb_json_value_t      values[NFIELDS];

    static const char    marks[] = " nft0\"[{";

    s = copy(t->text, strlen(t->text));
    p = out;
    *p = '\0';

    memset(values, 0xee, sizeof(values));
    rc = vb_json_select(&s, fields, NFIELDS, values, &error, &offset);

    for (i = 0; rc == VB_OK && i < NFIELDS; i++) {

        if (values[i].type == VB_JSON_ABSENT) {
            continue;
        }

        p += sprintf(p, "%zu%c%.*s ", i,
                     values[i].escaped ? '\\' : marks[values[i].type],
                     (int) values[i].text.len, values[i].text.data);
    }

    if (!ok(rc == VB_OK && strcmp(out, t->expected) == 0, "%s", t->name)) {
        printf("# got:      %s\n# expected: %s\n", out, t->expected);
    }

    if (rc == VB_OK) {
        oracle_parse(&o, &s, fields, NFIELDS);
        differs = oracle_compare(&o, values);
        oracle_free(&o);

        ok(differs == NULL, "yajl finds the same%s%s", differs ? ": " : "",
           differs ? differs : "");
    }

    free(s.data);
}


static void
test_errors(void)
{
    int               rc;
    size_t            i, offset;
    vb_str_t          s;
    const char       *error;
    vb_json_value_t   values[NFIELDS];

    static const struct {
        const char  *text;
        size_t       offset;
        const char  *error;
    } t[] = {
        { "", 0, "empty" },
        { "  ", 2, "not an object" },
        { " [1]", 1, "not an object" },
        { "\"a\"", 0, "not an object" },
        { "{} {}", 3, "after the end" },
        { "{\"a\":1,}", 7, "name" },
        { "{\"a\" 1}", 5, "colon" },
        { "{\"a\":}", 5, "value" },
        { "{\"a\":[1 2]}", 8, "comma" },
        { "{\"a\":01}", 6, "comma" },
        { "{\"a\":1.}", 7, "digit" },
        { "{\"a\":\"\\q\"}", 7, "escape" },
        { "{\"a\":\"\\u12x4\"}", 10, "hex" },
        { "{\"a\":\"b\tc\"}", 7, "control" },
        { "{\"a\":\"bc", 8, "without its end" },
        { "{\"a\":1", 6, "missing" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        s = copy(t[i].text, strlen(t[i].text));

        rc = vb_json_select(&s, fields, NFIELDS, values, &error, &offset);

        if (!ok(rc == VB_ERROR && offset == t[i].offset
                && strstr(error, t[i].error), "why %s is bad, and where",
                t[i].text))
        {
            printf("# got: %d, %s at %zu\n", rc, error, offset);
        }

        free(s.data);
    }
}


int
main(void)
{
    size_t  i;

    test_texts(good, sizeof(good) / sizeof(good[0]), 1);
    test_texts(bad, sizeof(bad) / sizeof(bad[0]), 0);
    test_types();
    test_depth();

    for (i = 0; i < sizeof(selects) / sizeof(selects[0]); i++) {
        test_select(&selects[i]);
    }

    test_errors();

    return done_testing();
}
