
/* application/x-www-form-urlencoded, read and written */


#include <tap.h>
#include <text.h>
#include <vb_form.h>


/* what a body is, as NAME=VALUE; of each field, or NULL where it is refused */

static const struct {
    const char  *body;
    const char  *fields;
} bodies[] = {
    { "", "" },
    { "&", "" },
    { "a", "a=;" },
    { "=", "=;" },
    { "=b", "=b;" },
    { "a=b", "a=b;" },
    { "a=b=c", "a=b=c;" },
    { "a=b&", "a=b;" },
    { "&&a=b&&c=d&", "a=b;c=d;" },
    { "a=1&a=2", "a=1;a=2;" },
    { "To=%2B14155550123&x=a+b", "To=+14155550123;x=a b;" },
    { "%61=%2b&%41%3d=%26", "a=+;A==&;" },
    { "n=Zo%C3%AB+%26+Co", "n=Zo\xc3\xab & Co;" },
    { "n=Zo\xc3\xab", "n=Zo\xc3\xab;" },
    { "a=%", NULL },
    { "a=%4", NULL },
    { "a=%4&b=1", NULL },
    { "a=%zz", NULL },
    { "a=%0g", NULL },
    { "a=% 1", NULL },
    { "%=1", NULL },
    { "%2=1", NULL },
    { "a=1&b=2&c=3&d=4&e=5", NULL }
};


static void
test_parse(void)
{
    char              out[256], *p;
    size_t            i, k;
    ssize_t           n;
    vb_str_t          body;
    vb_form_field_t   fields[4];

    for (i = 0; i < NELTS(bodies); i++) {
        body = copy(bodies[i].body, strlen(bodies[i].body));

        n = vb_form_parse(fields, 4, body.data, body.len);

        if (bodies[i].fields == NULL) {
            is_int(n, VB_ERROR, "refused: %s", bodies[i].body);
            free(body.data);
            continue;
        }

        p = out;

        for (k = 0; (ssize_t) k < n; k++) {
            p += sprintf(p, "%.*s=%.*s;",
                         (int) fields[k].name.len, fields[k].name.data,
                         (int) fields[k].value.len, fields[k].value.data);
        }

        is_mem(out, p - out, bodies[i].fields, strlen(bodies[i].fields),
               "fields of \"%s\"", bodies[i].body);

        free(body.data);
    }

    is_int(vb_form_parse(fields, 4, NULL, 0), 0, "no body");
}


static void
test_find(void)
{
    u_char           body[] = "CallSid=1&CallSidAccount=2&CallSid=3&e=";
    vb_form_field_t  fields[8];

    is_int(vb_form_parse(fields, 8, body, sizeof(body) - 1), 4, "four fields");

    ok(vb_form_find(fields, 4, "CallSid") == &fields[0], "the first of two");
    ok(vb_form_find(fields, 4, "CallSidAccount") == &fields[1], "a longer one");
    ok(vb_form_find(fields, 4, "e") == &fields[3], "an empty one");
    ok(vb_form_find(fields, 4, "Call") == NULL, "a shorter one");
    ok(vb_form_find(fields, 4, "callsid") == NULL, "another case");
    ok(vb_form_find(fields, 0, "CallSid") == NULL, "among none");
}


static void
test_escape(void)
{
    size_t           i, n;
    u_char           all[256], out[3 * 256], name[2 + 3 * 256];
    vb_form_field_t  field;

    static const char  plain[] = "*-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
                                 "abcdefghijklmnopqrstuvwxyz";

    for (i = 0; i < 256; i++) {
        all[i] = (u_char) i;
    }

    n = vb_form_escape(out, all, 256);
    is_int(n, 3 * 256 - 2 * sizeof(plain), "each byte's length");
    is_int(vb_form_escape(NULL, all, 256), n, "counted");

    memcpy(name, "a=", 2);
    memcpy(name + 2, out, n);

    is_int(vb_form_parse(&field, 1, name, n + 2), 1, "one field");
    is_mem(field.value.data, field.value.len, all, 256, "each byte is back");

    n = vb_form_escape(out, (u_char *) plain, sizeof(plain) - 1);
    is_mem(out, n, plain, sizeof(plain) - 1, "what needs no escape");

    n = vb_form_escape(out, (u_char *) "a b+c~/\xc3\xab", 9);
    is_mem(out, n, "a+b%2Bc%7E%2F%C3%AB", 19, "what does");
}


int
main(void)
{
    test_parse();
    test_find();
    test_escape();

    return done_testing();
}
