
/*
 * Any bytes as base64 to read and as bytes to write: what is taken comes back
 * the same, in place as elsewhere, and nothing outside of the areas is used.
 */


#include <stdlib.h>

#include <vb_base64.h>


#define check(cond)  do { if (!(cond)) { abort(); } } while (0)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static u_char *
area(size_t n, const uint8_t *data)
{
    u_char  *p;

    p = malloc(n ? n : 1);
    check(p != NULL);

    if (data) {
        memcpy(p, data, n);
    }

    return p;
}


/* bytes to text to bytes */

static void
forth(const uint8_t *data, size_t size)
{
    u_char  *src, *text, *back;
    size_t   n;

    n = vb_base64_encoded_length(size);

    src = area(size, data);
    text = area(n, NULL);
    back = area(size, NULL);

    check(vb_base64_encode(text, src, size) == n);
    check(vb_base64_decode(back, text, n) == (ssize_t) size);
    check(memcmp(back, data, size) == 0);

    n = vb_base64url_encode(text, src, size);

    check(n == (size * 4 + 2) / 3);
    check(vb_base64url_decode(back, text, n) == (ssize_t) size);
    check(memcmp(back, data, size) == 0);

    free(src);
    free(text);
    free(back);
}


/*
 * Text to bytes to text.  The first pass is by the decoder's bulk and end, the
 * second in groups of four, which only the end sees.
 */

static void
back(const uint8_t *data, size_t size)
{
    u_char   *place, *src, *out, *text, group[3];
    size_t    i, len;
    ssize_t   n, m, part;

    place = area(size, data);
    src = area(size, data);
    out = area(vb_base64_decoded_length(size), NULL);

    n = vb_base64_decode(out, src, size);
    m = vb_base64_decode(place, place, size);

    check(n == m);
    check(n == VB_ERROR || memcmp(out, place, n) == 0);

    m = 0;

    for (i = 0; i < size; i += len) {
        len = vb_min(size - i, 4);
        part = vb_base64_decode(group, src + i, len);

        if (part == VB_ERROR || (part < 3 && i + len < size)) {
            m = VB_ERROR;
            break;
        }

        check(n == VB_ERROR || memcmp(out + m, group, part) == 0);
        m += part;
    }

    check(n == m);

    memcpy(src, data, size);
    n = vb_base64url_decode(out, src, size);

    if (n != VB_ERROR) {

        /* each value has one spelling */

        text = area(size, NULL);

        check(vb_base64url_encode(text, out, n) == size);
        check(memcmp(text, data, size) == 0);

        free(text);
    }

    free(place);
    free(src);
    free(out);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    forth(data, size);
    back(data, size);

    return 0;
}
