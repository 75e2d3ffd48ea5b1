
/* A request's bytes one by one: UTF-8, surrogates, control characters */


#include <vb_api_scan.h>
#include <vb_utf8.h>


static const char *vb_api_scan_byte(vb_api_scan_t *s, u_char c);
static const char *vb_api_scan_string(vb_api_scan_t *s, u_char c);
static const char *vb_api_scan_unit(vb_api_scan_t *s);


static const char  vb_api_surrogate[] = "half a surrogate pair";


size_t
vb_api_scan(vb_api_scan_t *s, const u_char *data, size_t len,
    const char **why)
{
    size_t       i, good;
    uint32_t     utf8;
    const char  *error;

    utf8 = s->utf8;
    good = len;

    if (vb_utf8_check(&s->utf8, data, len) != VB_OK) {

        for (good = 0; vb_utf8_check(&utf8, data + good, 1) == VB_OK; good++) {
            /* void */
        }

        *why = "this is not UTF-8";
    }

    for (i = 0; i < good; i++) {
        error = vb_api_scan_byte(s, data[i]);

        if (error) {
            *why = error;
            return i;
        }
    }

    return good;
}


static const char *
vb_api_scan_byte(vb_api_scan_t *s, u_char c)
{
    const char  *error;

    error = NULL;

    if (s->string) {
        s->token++;
        error = vb_api_scan_string(s, c);

    } else if (c == '"') {
        s->token = 0;
        s->string = 1;

    } else if ((c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+'
               || (c | 0x20) == 'e')
    {
        s->token++;

    } else {
        s->token = 0;

        if (c == '\v' || c == '\f') {
            return "a control character";
        }
    }

    if (s->token > VB_API_MAX_TOKEN) {
        return "a string or number that is too long";
    }

    return error;
}


static const char *
vb_api_scan_string(vb_api_scan_t *s, u_char c)
{
    if (s->digits) {

        /* one that is no digit is yajl's to refuse */

        c |= 0x20;
        s->unit = s->unit << 4 | ((c <= '9') ? c - '0' : c - 'a' + 10);
        s->digits--;

        return s->digits ? NULL : vb_api_scan_unit(s);
    }

    if (s->backslash) {
        s->backslash = 0;

        if (c == 'u') {
            s->digits = 4;
            s->unit = 0;

            return NULL;
        }

        return s->high ? vb_api_surrogate : NULL;
    }

    if (c == '\\') {
        s->backslash = 1;
        return NULL;
    }

    if (c == '"') {
        s->string = 0;
    }

    return s->high ? vb_api_surrogate : NULL;
}


/* the unit of UTF-16 that an escape has given */

static const char *
vb_api_scan_unit(vb_api_scan_t *s)
{
    unsigned  low;

    low = (s->unit >= 0xdc00 && s->unit < 0xe000);

    if (low != s->high) {
        return vb_api_surrogate;
    }

    s->high = (s->unit >= 0xd800 && s->unit < 0xdc00);

    return NULL;
}
