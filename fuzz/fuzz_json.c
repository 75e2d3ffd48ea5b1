
/*
 * libFuzzer: the JSON scanner against yajl.
 *
 * The text is good for both or for neither, and the fields looked for are the
 * same.  Members are walked, strings unescaped, escaped and unescaped again,
 * integers read; each time in memory that ends where the text ends.
 */


#include <stdio.h>
#include <vb_json.h>
#include <vb_json_plain.h>
#include <yajl_oracle.h>


#define fuzz_assert(cond)                                                     \
    if (!(cond)) {                                                            \
        fprintf(stderr, "line %d: %s\n", __LINE__, #cond);                    \
        abort();                                                              \
    }


#define NFIELDS  (sizeof(fields) / sizeof(fields[0]))

static const vb_json_field_t  fields[] = {
    { VB_JSON_ROOT, vb_str("event") },
    { VB_JSON_ROOT, vb_str("streamSid") },
    { VB_JSON_ROOT, vb_str("media") },
    { 2, vb_str("payload") },
    { 2, vb_str("media") },
    { 4, vb_str("payload") },
    { VB_JSON_ROOT, vb_str("") },
    { VB_JSON_ROOT, vb_str("a\"\n\xc3\xa9") },
    { 4, vb_str("media") },
    { 8, vb_str("media") },
    { VB_JSON_ROOT, vb_str("type") }
};


static void
fuzz_string(const vb_json_value_t *value)
{
    size_t    n, size;
    u_char   *plain, *escaped;
    vb_str_t  s;

    if (value->type != VB_JSON_STRING) {
        return;
    }

    plain = malloc(value->text.len + 1);
    n = vb_json_unescape(plain, &value->text);

    fuzz_assert(n <= value->text.len);
    fuzz_assert(value->escaped
                || (n == value->text.len
                    && memcmp(plain, value->text.data, n) == 0));

    size = vb_json_escape(NULL, plain, n);
    fuzz_assert(size <= 6 * n);

    escaped = malloc(size + 2);
    fuzz_assert(vb_json_escape(escaped + 1, plain, n) == size);

    escaped[0] = '"';
    escaped[size + 1] = '"';

    s.data = escaped;
    s.len = size + 2;
    fuzz_assert(vb_json_check(&s, VB_JSON_STRING) == VB_OK);

    s.data++;
    s.len = size;
    fuzz_assert(vb_json_unescape(escaped + 1, &s) == n
                && memcmp(escaped + 1, plain, n) == 0);

    free(escaped);
    free(plain);
}


/* the members of a good object, and of the objects in it */

static void
fuzz_members(const vb_json_value_t *object, size_t depth)
{
    int              rc;
    u_char          *pos, *end;
    int64_t          n;
    vb_json_value_t  name, value;

    pos = object->text.data;
    end = pos + object->text.len;

    while ((rc = vb_json_next(object, &pos, &name, &value)) == VB_OK) {

        fuzz_assert(pos > object->text.data && pos < end);
        fuzz_assert(name.type == VB_JSON_STRING);

        fuzz_string(&name);
        fuzz_string(&value);

        vb_json_integer(&value, &n);

        if (value.type != VB_JSON_STRING) {
            fuzz_assert(vb_json_check(&value.text, value.type) == VB_OK);
        }

        /* each level is scanned as often as it is deep: not too deep here */

        if (value.type == VB_JSON_OBJECT && depth < 4) {
            fuzz_members(&value, depth + 1);
        }
    }

    fuzz_assert(rc == VB_DECLINED);

    for ( /* void */ ; pos < end - 1; pos++) {
        fuzz_assert(*pos == '{' || vb_json_is_space(*pos));
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int               rc, good;
    u_char           *raw;
    size_t            offset;
    vb_str_t          text, any;
    oracle_t          o;
    const char       *error, *differs;
    vb_json_value_t   values[NFIELDS], root;

    text.data = malloc(size ? size : 1);
    text.len = size;

    if (size) {
        memcpy(text.data, data, size);
    }

    good = oracle_parse(&o, &text, fields, NFIELDS);
    fuzz_assert(good == (vb_json_check(&text, VB_JSON_ABSENT) == VB_OK));

    rc = vb_json_select(&text, fields, NFIELDS, values, &error, &offset);
    fuzz_assert((rc == VB_OK)
                == (vb_json_check(&text, VB_JSON_OBJECT) == VB_OK));

    if (rc == VB_OK) {
        differs = oracle_compare(&o, values);

        if (differs) {
            fprintf(stderr, "%s\n", differs);
            abort();
        }

        root.type = VB_JSON_OBJECT;
        root.text = text;

        while (root.text.data[0] != '{') {
            root.text.data++;
            root.text.len--;
        }

        while (root.text.data[root.text.len - 1] != '}') {
            root.text.len--;
        }

        fuzz_members(&root, 0);

    } else {
        fuzz_assert(error != NULL && error[0] != '\0' && offset <= size);
    }

    oracle_free(&o);

    /* of a string that was never scanned */

    raw = malloc(size ? size : 1);
    any = text;
    fuzz_assert(vb_json_unescape(raw, &any) <= size);

    free(raw);
    free(text.data);

    return 0;
}
