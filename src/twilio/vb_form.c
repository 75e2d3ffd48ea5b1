
/* application/x-www-form-urlencoded */


#include <vb_form.h>


static int vb_form_decode(vb_str_t *s);
static int vb_form_hex(u_char c);


ssize_t
vb_form_parse(vb_form_field_t *fields, size_t max, u_char *body, size_t len)
{
    size_t   n;
    u_char  *p, *last, *end, *eq;

    n = 0;
    last = body + len;

    for (p = body; p < last; p = end + 1) {

        end = memchr(p, '&', last - p);
        if (end == NULL) {
            end = last;
        }

        if (end == p) {
            continue;
        }

        if (n == max) {
            return VB_ERROR;
        }

        eq = memchr(p, '=', end - p);
        if (eq == NULL) {
            eq = end;
        }

        fields[n].name.data = p;
        fields[n].name.len = eq - p;

        fields[n].value.data = eq < end ? eq + 1 : end;
        fields[n].value.len = end - fields[n].value.data;

        if (vb_form_decode(&fields[n].name) != VB_OK
            || vb_form_decode(&fields[n].value) != VB_OK)
        {
            return VB_ERROR;
        }

        n++;
    }

    return n;
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
    u_char              c;
    size_t              i, n;

    static const char   hex[] = "0123456789ABCDEF";

    n = 0;

    for (i = 0; i < len; i++) {
        c = value[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'
            || c == '*' || c == ' ')
        {
            if (dst) {
                dst[n] = c == ' ' ? '+' : c;
            }

            n++;
            continue;
        }

        if (dst) {
            dst[n] = '%';
            dst[n + 1] = hex[c >> 4];
            dst[n + 2] = hex[c & 0xf];
        }

        n += 3;
    }

    return n;
}


static int
vb_form_decode(vb_str_t *s)
{
    int      high, low;
    u_char  *src, *dst, *last;

    dst = s->data;
    last = s->data + s->len;

    for (src = s->data; src < last; src++) {

        if (*src == '+') {
            *dst++ = ' ';
            continue;
        }

        if (*src != '%') {
            *dst++ = *src;
            continue;
        }

        if (last - src < 3) {
            return VB_ERROR;
        }

        high = vb_form_hex(src[1]);
        low = vb_form_hex(src[2]);

        if (high < 0 || low < 0) {
            return VB_ERROR;
        }

        *dst++ = (u_char) (high << 4 | low);
        src += 2;
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

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
