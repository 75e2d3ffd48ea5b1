
/* JSON strings made fit to be read by people, and brackets found outside */


#include <tap.h>
#include <text.h>
#include <vb_json.h>


static const struct {
    const char  *text;
    size_t       size;
    const char  *printed;
} prints[] = {
    { "", 9, "" },
    { "abc", 9, "abc" },
    { "abc", 3, "abc" },
    { "abc", 2, "ab" },
    { "abc", 0, "" },
    { "\\\"\\\\\\/", 9, "\"\\/" },
    { "a\\nb\\u0000c\x7f" "d", 9, "a b c d" },
    { "\\u009b[1m\xc2\x85\xc2\xa0", 9, " [1m \xc2\xa0" },
    { "Zo\\u00eb", 4, "Zo\xc3\xab" },
    { "Zo\\u00eb", 3, "Zo" },
    { "Zo\xc3\xab", 4, "Zo\xc3\xab" },
    { "Zo\xc3\xab", 3, "Zo" },
    { "\xe2\x82\xac\xe2\x82\xac", 5, "\xe2\x82\xac" },
    { "\xf0\x9f\x98\x80x", 3, "" },
    { "\\ud83d\\ude00x", 4, "\xf0\x9f\x98\x80" },
    { "\\ud83d\\ude00x", 3, "" },
    { "\\ud83dx", 9, "\xef\xbf\xbdx" },
    { "a\\u00", 9, "au00" },
    { "a\\", 9, "a\\" }
};


static void
test_print(void)
{
    size_t    i, n;
    u_char   *buf;
    vb_str_t  s;

    for (i = 0; i < NELTS(prints); i++) {
        s = copy(prints[i].text, strlen(prints[i].text));
        buf = malloc(prints[i].size ? prints[i].size : 1);

        n = vb_json_print(buf, prints[i].size, &s);
        is_mem(buf, n, prints[i].printed, strlen(prints[i].printed),
               "\"%s\" in %zu bytes", prints[i].text, prints[i].size);

        n = vb_json_print(s.data, vb_min(prints[i].size, s.len), &s);
        is_mem(s.data, n, prints[i].printed, strlen(prints[i].printed),
               "in its own place");

        free(buf);
        free(s.data);
    }
}


static const struct {
    const char  *text;
    int          holds;
} brackets[] = {
    { "", 0 },
    { "{", 1 },
    { "[1,{}]", 1 },
    { "[1,\"{\"]", 0 },
    { "\"\\\"{\"", 0 },
    { "\"\\\\\"{", 1 },
    { "[\"a\",\"b\",[{}]]", 1 },
    { "\"{", 0 },
    { "\"\\", 0 }
};


static void
test_holds(void)
{
    size_t    i;
    vb_str_t  s;

    for (i = 0; i < NELTS(brackets); i++) {
        s = copy(brackets[i].text, strlen(brackets[i].text));

        is_int(vb_json_holds(&s, '{'), brackets[i].holds,
               "a bracket outside of strings in %s", brackets[i].text);

        free(s.data);
    }
}


int
main(void)
{
    test_print();
    test_holds();

    return done_testing();
}
