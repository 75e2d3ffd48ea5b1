
/* What is inside JSON strings: escapes undone and made, and integers */


#include <vb_json.h>
#include <vb_json_plain.h>


static u_char *vb_json_unescape_one(u_char *dst, const u_char **pos,
    const u_char *end);
static int vb_json_unit(const u_char *p, const u_char *end, uint32_t *unit);
static u_char *vb_json_utf8(u_char *dst, uint32_t c);
static size_t vb_json_escape_one(u_char dst[6], u_char c);


int
vb_json_integer(const vb_json_value_t *value, int64_t *n)
{
    int        negative;
    u_char    *p, *end;
    unsigned   digit;
    uint64_t   u, max;

    if (value->type != VB_JSON_NUMBER && value->type != VB_JSON_STRING) {
        return VB_DECLINED;
    }

    p = value->text.data;
    end = p + value->text.len;

    negative = (value->type == VB_JSON_NUMBER && p < end && *p == '-');

    if (negative) {
        p++;
    }

    if (p == end) {
        return VB_DECLINED;
    }

    max = (uint64_t) INT64_MAX + negative;
    u = 0;

    for ( /* void */ ; p < end; p++) {

        if (!vb_json_is_digit(*p)) {
            return VB_DECLINED;
        }

        digit = *p - '0';

        if (u > (max - digit) / 10) {
            return VB_DECLINED;
        }

        u = u * 10 + digit;
    }

    /* -2^63 has no positive counterpart */

    *n = (negative && u) ? -(int64_t) (u - 1) - 1 : (int64_t) u;

    return VB_OK;
}


int
vb_json_holds(const vb_str_t *text, u_char c)
{
    int     string;
    size_t  i;

    string = 0;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] == '"') {
            string = !string;

        } else if (!string) {

            if (text->data[i] == c) {
                return 1;
            }

        } else if (text->data[i] == '\\') {
            i++;
        }
    }

    return 0;
}


size_t
vb_json_unescape(u_char *dst, const vb_str_t *src)
{
    size_t         n;
    u_char        *d;
    const u_char  *p, *end, *backslash;

    if (src->len == 0) {
        return 0;
    }

    d = dst;
    p = src->data;
    end = p + src->len;

    while (p < end) {
        backslash = memchr(p, '\\', end - p);
        n = (backslash ? backslash : end) - p;

        memmove(d, p, n);
        d += n;
        p += n;

        if (backslash) {
            d = vb_json_unescape_one(d, &p, end);
        }
    }

    return d - dst;
}


size_t
vb_json_print(u_char *dst, size_t size, const vb_str_t *src)
{
    size_t         n, len;
    u_char         c[4];
    const u_char  *p, *end;

    len = 0;

    if (src->len == 0) {
        return 0;
    }

    p = src->data;
    end = p + src->len;

    while (p < end) {

        if (*p == '\\') {
            n = vb_json_unescape_one(c, &p, end) - c;

        } else {
            n = 0;

            do {
                c[n++] = *p++;
            } while (n < 4 && p < end && c[0] >= 0xc0 && (*p & 0xc0) == 0x80);
        }

        if ((n == 1 && (c[0] < 0x20 || c[0] == 0x7f))
            || (n == 2 && c[0] == 0xc2 && c[1] < 0xa0))
        {
            c[0] = ' ';
            n = 1;
        }

        if (n > size - len) {
            break;
        }

        memcpy(dst + len, c, n);
        len += n;
    }

    return len;
}


/* *pos is at a backslash, and after this behind its escape */

static u_char *
vb_json_unescape_one(u_char *dst, const u_char **pos, const u_char *end)
{
    u_char         c;
    uint32_t       unit, low;
    const u_char  *p;

    p = *pos;

    if (vb_json_unit(p, end, &unit) == VB_OK) {
        p += 6;

        if (unit >= 0xd800 && unit < 0xdc00
            && vb_json_unit(p, end, &low) == VB_OK
            && low >= 0xdc00 && low < 0xe000)
        {
            p += 6;
            unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);

        } else if (unit >= 0xd800 && unit < 0xe000) {
            unit = 0xfffd;
        }

        *pos = p;

        return vb_json_utf8(dst, unit);
    }

    c = *p++;

    /* a backslash at the very end is in no scanned string; it stays */

    if (p < end) {
        c = *p++;

        switch (c) {
        case 'b': c = '\b'; break;
        case 'f': c = '\f'; break;
        case 'n': c = '\n'; break;
        case 'r': c = '\r'; break;
        case 't': c = '\t'; break;
        }
    }

    *dst++ = c;
    *pos = p;

    return dst;
}


/* reads \uXXXX */

static int
vb_json_unit(const u_char *p, const u_char *end, uint32_t *unit)
{
    size_t  i;
    u_char  c;

    if (end - p < 6 || p[0] != '\\' || p[1] != 'u') {
        return VB_ERROR;
    }

    *unit = 0;

    for (i = 2; i < 6; i++) {
        c = p[i];

        if (c >= '0' && c <= '9') {
            c -= '0';

        } else {
            c |= 0x20;

            if (c < 'a' || c > 'f') {
                return VB_ERROR;
            }

            c -= 'a' - 10;
        }

        *unit = *unit << 4 | c;
    }

    return VB_OK;
}


/* RFC 3629 section 3 */

static u_char *
vb_json_utf8(u_char *dst, uint32_t c)
{
    if (c < 0x80) {
        *dst++ = (u_char) c;
        return dst;
    }

    if (c < 0x800) {
        *dst++ = (u_char) (0xc0 | c >> 6);

    } else {

        if (c < 0x10000) {
            *dst++ = (u_char) (0xe0 | c >> 12);

        } else {
            *dst++ = (u_char) (0xf0 | c >> 18);
            *dst++ = (u_char) (0x80 | (c >> 12 & 0x3f));
        }

        *dst++ = (u_char) (0x80 | (c >> 6 & 0x3f));
    }

    *dst++ = (u_char) (0x80 | (c & 0x3f));

    return dst;
}


size_t
vb_json_escape(u_char *dst, const u_char *src, size_t len)
{
    size_t         n, size;
    u_char         escape[6];
    const u_char  *p, *q, *end;

    if (len == 0) {
        return 0;
    }

    n = 0;
    p = src;
    end = src + len;

    for ( ;; ) {
        q = vb_json_plain(p, end);
        size = q - p;

        if (dst) {
            memcpy(dst + n, p, size);
        }

        n += size;

        if (q == end) {
            return n;
        }

        size = vb_json_escape_one(escape, *q);

        if (dst) {
            memcpy(dst + n, escape, size);
        }

        n += size;
        p = q + 1;
    }
}


static size_t
vb_json_escape_one(u_char dst[6], u_char c)
{
    static const u_char  hex[] = "0123456789abcdef";

    dst[0] = '\\';

    switch (c) {
    case '"':  dst[1] = '"';  return 2;
    case '\\': dst[1] = '\\'; return 2;
    case '\b': dst[1] = 'b';  return 2;
    case '\f': dst[1] = 'f';  return 2;
    case '\n': dst[1] = 'n';  return 2;
    case '\r': dst[1] = 'r';  return 2;
    case '\t': dst[1] = 't';  return 2;
    }

    dst[1] = 'u';
    dst[2] = '0';
    dst[3] = '0';
    dst[4] = hex[c >> 4];
    dst[5] = hex[c & 0x0f];

    return 6;
}
