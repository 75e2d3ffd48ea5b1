
/* Inside JSON values: members one after the other, integers, escapes */


#include <tap.h>
#include <vb_json.h>


#define S(s)  s, sizeof(s) - 1


static uint32_t  seed = 1;


static uint32_t
any(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;

    return (uint32_t) (((uint64_t) (seed >> 8) * n) >> 24);
}


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


/* objects, and their members as name=value */

static const struct {
    const char  *text;
    const char  *expected;
} objects[] = {
    { "{}", "" },
    { "{ \t }", "" },
    { "{\"a\":1}", "a=1 " },
    { "{\"a\":1,\"b\":\"x\\ny\",\"c\":{\"d\":[2,{}]},\"a\":null}",
      "a=1 b=x\\ny c={\"d\":[2,{}]} a=null " },
    { " { \"a\" : 1 , \"\\u0062\" : [ ] \t, \"\" : -0.5 } ",
      "a=1 \\u0062=[ ] =-0.5 " },
    { "{\",\":\",\",\"}\":\"}\"}", ",=, }=} " }
};


static void
test_next(void)
{
    int               rc;
    char              out[256], *p;
    u_char           *pos;
    size_t            i;
    vb_str_t          s;
    vb_json_value_t   object, name, value;

    for (i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        s = copy(objects[i].text, strlen(objects[i].text));

        object.type = VB_JSON_OBJECT;
        object.text = s;

        while (object.text.data[0] == ' ') {
            object.text.data++;
            object.text.len--;
        }

        while (object.text.data[object.text.len - 1] == ' ') {
            object.text.len--;
        }

        p = out;
        *p = '\0';
        pos = object.text.data;

        while ((rc = vb_json_next(&object, &pos, &name, &value)) == VB_OK) {
            p += sprintf(p, "%.*s=%.*s ",
                         (int) name.text.len, name.text.data,
                         (int) value.text.len, value.text.data);

            if (name.type != VB_JSON_STRING
                || name.escaped != (memchr(name.text.data, '\\', name.text.len)
                                    != NULL))
            {
                p += sprintf(p, "name is wrong ");
            }
        }

        if (!ok(rc == VB_DECLINED && strcmp(out, objects[i].expected) == 0
                && vb_json_next(&object, &pos, &name, &value) == VB_DECLINED,
                "members of %s", objects[i].text))
        {
            printf("# got %d: %s\n", rc, out);
        }

        free(s.data);
    }

    object.type = VB_JSON_ARRAY;
    object.text = copy("[1]", 3);
    pos = object.text.data;
    is_int(vb_json_next(&object, &pos, &name, &value), VB_DECLINED,
           "an array has no members");
    free(object.text.data);
}


static void
test_next_types(void)
{
    u_char           *pos;
    size_t            k;
    vb_json_value_t   object, name, value;

    object.type = VB_JSON_OBJECT;
    object.text = copy(S("{\"\":null,\"\":false,\"\":true,\"\":1,\"\":\"\","
                         "\"\":[],\"\":{}}"));
    pos = object.text.data;

    for (k = VB_JSON_NULL; k <= VB_JSON_OBJECT; k++) {
        if (vb_json_next(&object, &pos, &name, &value) != VB_OK
            || value.type != k)
        {
            break;
        }
    }

    is_int(k, VB_JSON_OBJECT + 1, "values of members have their types");
    free(object.text.data);

    /* never given, but it must not be read beyond */

    object.text = copy("{\"a\":1,\"b\"", 10);
    pos = object.text.data;
    ok(vb_json_next(&object, &pos, &name, &value) == VB_OK
       && vb_json_next(&object, &pos, &name, &value) == VB_DECLINED,
       "an object that is cut");
    free(object.text.data);
}


static void
test_integer(void)
{
    int               rc;
    size_t            i;
    int64_t           n;
    vb_json_value_t   value;

    static const struct {
        vb_json_type_t  type;
        const char     *text;
        int             rc;
        int64_t         n;
    } t[] = {
        { VB_JSON_NUMBER, "0", VB_OK, 0 },
        { VB_JSON_NUMBER, "-0", VB_OK, 0 },
        { VB_JSON_NUMBER, "42", VB_OK, 42 },
        { VB_JSON_NUMBER, "-42", VB_OK, -42 },
        { VB_JSON_NUMBER, "9223372036854775807", VB_OK, INT64_MAX },
        { VB_JSON_NUMBER, "-9223372036854775808", VB_OK, INT64_MIN },
        { VB_JSON_NUMBER, "9223372036854775808", VB_DECLINED, 7 },
        { VB_JSON_NUMBER, "-9223372036854775809", VB_DECLINED, 7 },
        { VB_JSON_NUMBER, "9223372036854775810", VB_DECLINED, 7 },
        { VB_JSON_NUMBER, "18446744073709551616", VB_DECLINED, 7 },
        { VB_JSON_NUMBER, "99999999999999999999999999", VB_DECLINED, 7 },
        { VB_JSON_NUMBER, "1.0", VB_DECLINED, 7 },
        { VB_JSON_NUMBER, "1e3", VB_DECLINED, 7 },
        { VB_JSON_STRING, "0", VB_OK, 0 },
        { VB_JSON_STRING, "4", VB_OK, 4 },
        { VB_JSON_STRING, "0000000000000000000000012", VB_OK, 12 },
        { VB_JSON_STRING, "9223372036854775807", VB_OK, INT64_MAX },
        { VB_JSON_STRING, "9223372036854775808", VB_DECLINED, 7 },
        { VB_JSON_STRING, "", VB_DECLINED, 7 },
        { VB_JSON_STRING, "-1", VB_DECLINED, 7 },
        { VB_JSON_STRING, "+1", VB_DECLINED, 7 },
        { VB_JSON_STRING, " 1", VB_DECLINED, 7 },
        { VB_JSON_STRING, "1x", VB_DECLINED, 7 },
        { VB_JSON_STRING, "/", VB_DECLINED, 7 },
        { VB_JSON_STRING, ":", VB_DECLINED, 7 },
        { VB_JSON_ABSENT, "", VB_DECLINED, 7 },
        { VB_JSON_NULL, "null", VB_DECLINED, 7 },
        { VB_JSON_TRUE, "true", VB_DECLINED, 7 },
        { VB_JSON_ARRAY, "[1]", VB_DECLINED, 7 }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        n = 7;
        value.type = t[i].type;
        value.text = copy(t[i].text, strlen(t[i].text));

        rc = vb_json_integer(&value, &n);

        ok(rc == t[i].rc && n == t[i].n, "integer of %s (type %d)",
           t[i].text, (int) t[i].type);

        free(value.text.data);
    }
}


static void
test_unescape(void)
{
    size_t    i, n;
    u_char    dst[64];
    vb_str_t  s, empty = { 0, NULL };

    static const struct {
        const char  *text;
        size_t       len;
        const char  *expected;
        size_t       n;
    } t[] = {
        { S(""), S("") },
        { S("abc"), S("abc") },
        { S("\\\"\\\\\\/\\b\\f\\n\\r\\t"), S("\"\\/\b\f\n\r\t") },
        { S("a\\nb\\\\n"), S("a\nb\\n") },
        { S("\\u0041\\u007f"), S("A\x7f") },
        { S("\\u0000"), S("\0") },
        { S("\\u0080\\u07ff"), S("\xc2\x80\xdf\xbf") },
        { S("\\u0800\\uFFFF\\uffff"), S("\xe0\xa0\x80\xef\xbf\xbf\xef\xbf"
                                        "\xbf") },
        { S("\\ud7ff\\ue000"), S("\xed\x9f\xbf\xee\x80\x80") },
        { S("\\ud800\\udc00"), S("\xf0\x90\x80\x80") },
        { S("\\uD83D\\uDE00!"), S("\xf0\x9f\x98\x80!") },
        { S("\\uDBFF\\uDFFF"), S("\xf4\x8f\xbf\xbf") },

        /* lone surrogates */
        { S("\\ud800"), S("\xef\xbf\xbd") },
        { S("\\udfff"), S("\xef\xbf\xbd") },
        { S("a\\udbffb"), S("a\xef\xbf\xbd" "b") },
        { S("\\ud800\\n"), S("\xef\xbf\xbd\n") },
        { S("\\ud800\\u0041"), S("\xef\xbf\xbd" "A") },
        { S("\\ud800x\\udc00"), S("\xef\xbf\xbdx\xef\xbf\xbd") },
        { S("\\udc00\\ud800"), S("\xef\xbf\xbd\xef\xbf\xbd") },
        { S("\\ud800\\ud800\\udc00"), S("\xef\xbf\xbd\xf0\x90\x80\x80") },
        { S("\\ud800\\udc00\\udc00"), S("\xf0\x90\x80\x80\xef\xbf\xbd") },

        /* in no string that was scanned: nothing is read beyond the end */
        { S("\\"), S("\\") },
        { S("a\\u12"), S("au12") },
        { S("\\u004g"), S("u004g") },
        { S("\\ud800\\udc0"), S("\xef\xbf\xbdudc0") }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        s = copy(t[i].text, t[i].len);

        n = vb_json_unescape(dst, &s);
        is_mem(dst, n, t[i].expected, t[i].n, "unescaped %s", t[i].text);

        n = vb_json_unescape(s.data, &s);
        is_mem(s.data, n, t[i].expected, t[i].n, "the same in place");

        free(s.data);
    }

    is_int(vb_json_unescape(dst, &empty), 0, "unescaped nothing");
}


static void
test_escape(void)
{
    u_char    dst[64];
    size_t    i, n, bad, size;
    u_char    src[100];
    vb_str_t  s, s2;

    static const char  expected[] = "a\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f"
                                    "\x7f\xc3\xa9";

    n = vb_json_escape(dst, (u_char *) S("a\"\\/\b\f\n\r\t\0\x1f\x7f\xc3\xa9"));
    is_mem(dst, n, expected, sizeof(expected) - 1, "escaped");
    is_int(vb_json_escape(NULL, NULL, 0), 0, "escaped nothing");

    /* and back, with a check that between quotes it is a string */

    bad = 0;

    for (i = 0; i < 20000; i++) {
        n = any(sizeof(src));

        for (size = 0; size < n; size++) {
            src[size] = (u_char) (any(3) ? any(256) : any(0x30));
        }

        size = vb_json_escape(NULL, src, n);

        s.len = size + 2;
        s.data = malloc(s.len);
        s.data[0] = '"';
        s.data[size + 1] = '"';

        bad += (vb_json_escape(s.data + 1, src, n) != size || size > 6 * n
                || vb_json_check(&s, VB_JSON_STRING) != VB_OK);

        s2.data = s.data + 1;
        s2.len = size;

        bad += (vb_json_unescape(s2.data, &s2) != n
                || memcmp(s2.data, src, n) != 0);

        free(s.data);
    }

    is_int(bad, 0, "20000 strings escaped and back");
}


int
main(void)
{
    test_next();
    test_next_types();
    test_integer();
    test_unescape();
    test_escape();

    return done_testing();
}
