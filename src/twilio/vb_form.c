
/* application/x-www-form-urlencoded, both ways */


#include <vb_form.h>


static int vb_form_decode(vb_str_t *s);
static int vb_form_hex(u_char c);


ssize_t
vb_form_parse(vb_form_field_t *fields, size_t max, u_char *body, size_t len)
{
    size_t            n;
    u_char           *p, *last, *end, *equals;
    vb_form_field_t  *f;

    if (len == 0) {
        return 0;
    }

    n = 0;
    p = body;
    last = body + len;

    for ( ;; ) {
        end = memchr(p, '&', last - p);

        if (end == NULL) {
            end = last;
        }

        if (end > p) {

            if (n == max) {
                return VB_ERROR;
            }

            f = &fields[n++];

            equals = memchr(p, '=', end - p);

            if (equals == NULL) {
                equals = end;
            }

            f->name.data = p;
            f->name.len = equals - p;

            f->value.data = (equals == end) ? end : equals + 1;
            f->value.len = end - f->value.data;

            if (vb_form_decode(&f->name) != VB_OK
                || vb_form_decode(&f->value) != VB_OK)
            {
                return VB_ERROR;
            }
        }

        if (end == last) {
            return n;
        }

        p = end + 1;
    }
}


const vb_form_field_t *
vb_form_find(const vb_form_field_t *fields, size_t n, const char *name)
{
    size_t  i, len;

    len = strlen(name);

    for (i = 0; i < n; i++) {
        if (fields[i].name.len == len
            && memcmp(fields[i].name.data, name, len) == 0)
        {
            return &fields[i];
        }
    }

    return NULL;
}


size_t
vb_form_escape(u_char *dst, const u_char *value, size_t len)
{
    u_char             c;
    size_t             i, n;

    static const char  hex[] = "0123456789ABCDEF";

    n = 0;

    for (i = 0; i < len; i++) {
        c = value[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9')
            || c == '*' || c == '-' || c == '.' || c == '_' || c == ' ')
        {
            if (dst) {
                dst[n] = (c == ' ') ? '+' : c;
            }

            n++;
            continue;
        }

        if (dst) {
            dst[n] = '%';
            dst[n + 1] = hex[c >> 4];
            dst[n + 2] = hex[c & 0x0f];
        }

        n += 3;
    }

    return n;
}


/* in place: what is decoded is never longer */

static int
vb_form_decode(vb_str_t *s)
{
    int      high, low;
    u_char  *p, *dst, *last;

    dst = s->data;
    last = s->data + s->len;

    for (p = s->data; p < last; p++) {

        if (*p == '+') {
            *dst++ = ' ';
            continue;
        }

        if (*p != '%') {
            *dst++ = *p;
            continue;
        }

        if (last - p < 3) {
            return VB_ERROR;
        }

        high = vb_form_hex(p[1]);
        low = vb_form_hex(p[2]);

        if (high == VB_ERROR || low == VB_ERROR) {
            return VB_ERROR;
        }

        *dst++ = (u_char) (high << 4 | low);
        p += 2;
    }

    s->len = dst - s->data;

    return VB_OK;
}


static int
vb_form_hex(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    return VB_ERROR;
}
