
/* Many damaged JSON texts: the scanner must make of them what yajl makes */


#include <tap.h>
#include <vb_json.h>
#include <yajl_oracle.h>


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


/* texts as the streams bring them, and what they are damaged with */

static const char *const  sources[] = {
    "{\"event\":\"media\",\"sequenceNumber\":\"4\",\"media\":{\"track\":"
    "\"inbound\",\"chunk\":\"2\",\"timestamp\":\"5\",\"payload\":\"no+JhoaJjpz"
    "S\"},\"streamSid\":\"MZ18ad3ab5a668481ce02b83e7395059f0\"}",
    "{\"event\": null, \"media\": {\"media\": {\"payload\": [1, -2.5e+3, "
    "{\"payload\": true}]}, \"payload\": \"\\ud83d\\ude00\\n\"}, \"\": false}",
    "{\"media\":{\"payload\":1,\"media\":{\"payload\":{}}},\"media\":{},"
    "\"a\\\"\\n\\u00e9\":[[],[]],\"event\":\"\\\\\"}"
};

static const char *const  damages[] = {
    "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\u00e9", "\\\"", "0",
    "-", ".", "e", "+", "1", "true", "null", "false", " ", "\n", "\t", "\v",
    "\f", "\x01", "\x7f", "\xff", "{}", "[]", "\"\"", "\"media\":",
    "\"payload\":", "\"event\":", "/", "a"
};


/* a source with up to three places cut, replaced or added to */

static size_t
damage(u_char *buf)
{
    size_t       k, n, at, cut;
    const char  *text;

    text = sources[any(3)];
    n = strlen(text);
    memcpy(buf, text, n);

    for (k = any(4); k < 3; k++) {
        at = any((uint32_t) n + 1);
        cut = any(4) ? any(2) : any(20);
        cut = vb_min(cut, n - at);

        text = any(5) ? damages[any(sizeof(damages) / sizeof(damages[0]))] : "";

        memmove(buf + at + strlen(text), buf + at + cut, n - at - cut);
        memcpy(buf + at, text, strlen(text));
        n = n - cut + strlen(text);
    }

    return n;
}


static void
test_damaged(void)
{
    int               rc, oracle;
    size_t            i, n, accepted, offset;
    u_char            buf[1024];
    vb_str_t          s;
    oracle_t          o;
    const char       *error, *differs;
    vb_json_value_t   values[NFIELDS];

    accepted = 0;

    for (i = 0; i < 40000; i++) {
        n = damage(buf);
        s = copy(buf, n);

        rc = vb_json_select(&s, fields, NFIELDS, values, &error, &offset);
        oracle = oracle_parse(&o, &s, fields, NFIELDS);

        /* yajl takes any value, select only an object */

        if (oracle && vb_json_check(&s, VB_JSON_OBJECT) != VB_OK
            && vb_json_check(&s, VB_JSON_ABSENT) == VB_OK)
        {
            oracle = 0;
        }

        differs = (rc == VB_OK) != oracle ? "good or not"
                  : (rc == VB_OK) ? oracle_compare(&o, values)
                  : (offset > n || error == NULL) ? "no reason" : NULL;

        oracle_free(&o);
        accepted += (rc == VB_OK);

        if (differs) {
            printf("# %s\n", differs);
            show_text(&s);
            free(s.data);
            break;
        }

        free(s.data);
    }

    is_int(i, 40000, "damaged texts, the same as yajl");
    ok(accepted > 4000 && accepted < 36000, "%zu of them are good", accepted);
}


int
main(void)
{
    test_damaged();

    return done_testing();
}
