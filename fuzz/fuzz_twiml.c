
/*
 * libFuzzer: TwiML.  Whatever the values are, a strict reader finds in the
 * document what went in, less what is not XML; and no piece is too long.
 *
 * The first byte is the length of a parameter's name, which follows; the rest
 * is its value.
 */


#include <stdio.h>
#include <stdlib.h>
#include <twiml_reader.h>
#include <vb_twiml.h>
#include <vb_utf8.h>


#define fuzz_assert(cond)                                                     \
    if (!(cond)) {                                                            \
        fprintf(stderr, "line %d: %s\n", __LINE__, #cond);                    \
        abort();                                                              \
    }


static twiml_found_t  found;


/* whether XML has all of it: by code points, not by bytes as in the writer */

static int
fuzz_is_xml(const vb_str_t *s)
{
    size_t    i;
    uint32_t  state, c;

    state = 0;
    c = 0;

    if (s->len && (vb_utf8_check(&state, s->data, s->len) != VB_OK || state)) {
        return 0;
    }

    for (i = 0; i < s->len; i++) {

        if ((s->data[i] & 0xc0) == 0x80) {
            c = c << 6 | (s->data[i] & 0x3f);

        } else {
            c = s->data[i] < 0x80 ? s->data[i]
                : s->data[i] < 0xe0 ? (s->data[i] & 0x1f)
                : s->data[i] < 0xf0 ? (s->data[i] & 0x0f)
                                    : (s->data[i] & 0x07);
        }

        if (c == 0xfffe || c == 0xffff
            || (s->data[i] < 0x20 && c != '\t' && c != '\n' && c != '\r'))
        {
            return 0;
        }
    }

    return 1;
}


static void
fuzz_stream(const vb_twiml_parameter_t *parameter)
{
    char                name[600];
    size_t              i, n;
    u_char             *buf, *joined;
    ssize_t             len;
    vb_twiml_stream_t   s;

    s.url.data = (u_char *) "wss://h/";
    s.url.len = 8;
    s.status_callback.len = 0;
    s.parameters = parameter;
    s.n = 1;

    len = vb_twiml_stream(NULL, VB_TWIML_MAX_WEBHOOK, &s);

    if (len == VB_ERROR) {
        return;
    }

    buf = malloc(len + 1);

    fuzz_assert(vb_twiml_stream(buf, len, &s) == len);
    fuzz_assert(vb_twiml_stream(buf, len - 1, &s) == VB_ERROR);
    fuzz_assert(vb_twiml_stream(buf, len, &s) == len);

    buf[len] = '\0';

    fuzz_assert(twiml_read(&found, buf));

    joined = malloc(parameter->value.len + 1);
    n = 0;

    for (i = 0; i < found.n; i++) {
        fuzz_assert(strlen(found.names[i]) + found.lens[i]
                    < VB_TWIML_MAX_PARAMETER);

        memcpy(joined + n, found.values[i], found.lens[i]);
        n += found.lens[i];
    }

    if (fuzz_is_xml(&parameter->value) && fuzz_is_xml(&parameter->name)) {
        fuzz_assert(n == parameter->value.len
                    && (n == 0 || memcmp(joined, parameter->value.data, n)
                                  == 0));

        for (i = 0; i < found.n; i++) {
            snprintf(name, sizeof(name), i ? "%.*s_%zu" : "%.*s",
                     (int) parameter->name.len, parameter->name.data, i + 1);

            fuzz_assert(strcmp(found.names[i], name) == 0);
        }

    } else {
        fuzz_assert(n <= parameter->value.len);
    }

    free(joined);
    free(buf);
}


static void
fuzz_verbs(const vb_str_t *verbs)
{
    u_char    *buf;
    size_t     i;
    ssize_t    len;

    len = vb_twiml_verbs(NULL, 65536, verbs);

    if (len == VB_ERROR) {
        return;
    }

    buf = malloc(len);

    fuzz_assert(vb_twiml_verbs(buf, len, verbs) == len);

    for (i = 0; i < (size_t) len; i++) {
        fuzz_assert(buf[i] >= 0x20 || buf[i] == '\t' || buf[i] == '\n'
                    || buf[i] == '\r');
    }

    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                n;
    vb_twiml_parameter_t  parameter;

    if (size == 0 || size > 16384) {
        return 0;
    }

    n = vb_min(data[0], size - 1);

    parameter.name.data = (u_char *) data + 1;
    parameter.name.len = n;
    parameter.value.data = (u_char *) data + 1 + n;
    parameter.value.len = size - 1 - n;

    fuzz_stream(&parameter);
    fuzz_verbs(&parameter.value);

    return 0;
}
