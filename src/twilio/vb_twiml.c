
/* TwiML: the document both call directions answer with */


#include <stdio.h>

#include <vb_twiml.h>


/* a writer that counts, and writes as long as there is room */
typedef struct {
    u_char          *dst;              /* NULL: only count */
    size_t           size;
    size_t           len;
} vb_twiml_out_t;


static void vb_twiml_add(vb_twiml_out_t *out, const void *data, size_t len);
static void vb_twiml_text(vb_twiml_out_t *out, const u_char *data, size_t len);
static void vb_twiml_parameter(vb_twiml_out_t *out,
    const vb_twiml_parameter_t *p);
static size_t vb_twiml_cut(const u_char *data, size_t len, size_t max);
static ssize_t vb_twiml_done(vb_twiml_out_t *out);


#define vb_twiml_literal(out, s)  vb_twiml_add(out, s, sizeof(s) - 1)


size_t
vb_xml_escape(u_char *dst, const u_char *src, size_t len)
{
    size_t       i, n, size;
    const char  *s;

    n = 0;

    for (i = 0; i < len; i++) {

        switch (src[i]) {

        case '&':
            s = "&amp;";
            break;

        case '<':
            s = "&lt;";
            break;

        case '>':
            s = "&gt;";
            break;

        case '"':
            s = "&quot;";
            break;

        case '\'':
            s = "&#39;";
            break;

        case '\t':
            s = "&#9;";
            break;

        case '\n':
            s = "&#10;";
            break;

        case '\r':
            s = "&#13;";
            break;

        default:

            if (src[i] >= 0x20) {
                if (dst) {
                    dst[n] = src[i];
                }

                n++;
            }

            continue;
        }

        size = strlen(s);

        if (dst) {
            memcpy(dst + n, s, size);
        }

        n += size;
    }

    return n;
}


ssize_t
vb_twiml_stream(u_char *dst, size_t size, const vb_twiml_stream_t *s)
{
    size_t          i;
    vb_twiml_out_t  out;

    out.dst = dst;
    out.size = size;
    out.len = 0;

    vb_twiml_literal(&out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
                           "<Response><Connect><Stream url=\"");
    vb_twiml_text(&out, s->url.data, s->url.len);

    if (s->status_callback.len) {
        vb_twiml_literal(&out, "\" statusCallback=\"");
        vb_twiml_text(&out, s->status_callback.data, s->status_callback.len);
    }

    vb_twiml_literal(&out, "\">");

    for (i = 0; i < s->n; i++) {
        vb_twiml_parameter(&out, &s->parameters[i]);
    }

    vb_twiml_literal(&out, "</Stream></Connect></Response>");

    return vb_twiml_done(&out);
}


ssize_t
vb_twiml_verbs(u_char *dst, size_t size, const vb_str_t *verbs)
{
    u_char          *p, *last;
    vb_twiml_out_t   out;

    out.dst = dst;
    out.size = size;
    out.len = 0;

    p = verbs->data;
    last = p + verbs->len;

    while (p < last && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) {
        p++;
    }

    if ((last - p >= 5 && memcmp(p, "<?xml", 5) == 0)
        || (last - p >= 9 && memcmp(p, "<Response", 9) == 0))
    {
        vb_twiml_add(&out, p, last - p);

    } else {
        vb_twiml_literal(&out, "<Response>");
        vb_twiml_add(&out, p, last - p);
        vb_twiml_literal(&out, "</Response>");
    }

    return vb_twiml_done(&out);
}


static void
vb_twiml_parameter(vb_twiml_out_t *out, const vb_twiml_parameter_t *p)
{
    int       suffix;
    char      number[16];
    u_char   *data;
    size_t    len, n, i;

    data = p->value.data;
    len = p->value.len;

    for (i = 1; len; i++) {

        suffix = i == 1 ? 0
                        : snprintf(number, sizeof(number), "_%u", (unsigned) i);

        if (p->name.len + suffix + 4 >= VB_TWIML_MAX_PARAMETER) {

            /* no room for a character behind such a name */

            out->len = out->size + 1;
            return;
        }

        n = vb_twiml_cut(data, len, VB_TWIML_MAX_PARAMETER - 1 - p->name.len
                                    - suffix);

        vb_twiml_literal(out, "<Parameter name=\"");
        vb_twiml_text(out, p->name.data, p->name.len);
        vb_twiml_add(out, number, suffix);
        vb_twiml_literal(out, "\" value=\"");
        vb_twiml_text(out, data, n);
        vb_twiml_literal(out, "\"/>");

        data += n;
        len -= n;
    }
}


/* at most max of len bytes, not within a UTF-8 character */

static size_t
vb_twiml_cut(const u_char *data, size_t len, size_t max)
{
    size_t  n;

    if (len <= max) {
        return len;
    }

    for (n = max; n > max - 3 && (data[n] & 0xc0) == 0x80; n--) {
        /* void */
    }

    return (data[n] & 0xc0) == 0x80 ? max : n;
}


static void
vb_twiml_add(vb_twiml_out_t *out, const void *data, size_t len)
{
    if (out->dst && out->len + len <= out->size) {
        memcpy(out->dst + out->len, data, len);
    }

    out->len += len;
}


static void
vb_twiml_text(vb_twiml_out_t *out, const u_char *data, size_t len)
{
    size_t  n;

    n = vb_xml_escape(NULL, data, len);

    if (out->dst && out->len + n <= out->size) {
        (void) vb_xml_escape(out->dst + out->len, data, len);
    }

    out->len += n;
}


static ssize_t
vb_twiml_done(vb_twiml_out_t *out)
{
    return out->len > out->size ? VB_ERROR : (ssize_t) out->len;
}
