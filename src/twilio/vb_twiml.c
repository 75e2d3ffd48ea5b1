
/* TwiML: XML that is well-formed whatever the values are */


#include <stdio.h>
#include <vb_twiml.h>
#include <vb_utf8.h>
#include <vb_writer.h>


/* of the number of a piece */
#define VB_TWIML_MAX_DIGITS  4


static size_t vb_xml_char(const u_char *p, const u_char *end);
static const char *vb_xml_entity(u_char c);
static void vb_xml_write(vb_writer_t *w, const u_char *src, size_t len,
    int escape);

static int vb_twiml_parameter(vb_writer_t *w, const vb_twiml_parameter_t *p);
static size_t vb_twiml_cut(const vb_str_t *s, size_t max);
static int vb_twiml_is_document(const vb_str_t *s);
static ssize_t vb_twiml_length(const vb_writer_t *w);


size_t
vb_xml_escape(u_char *dst, const u_char *src, size_t len)
{
    vb_writer_t  w;

    vb_writer_init(&w, dst);
    vb_xml_write(&w, src, len, 1);

    return w.len;
}


ssize_t
vb_twiml_stream(u_char *dst, size_t size, const vb_twiml_stream_t *s)
{
    size_t       i;
    vb_writer_t  w;

    w.dst = dst;
    w.size = size;
    w.len = 0;

    vb_write_literal(&w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
                         "<Response><Connect><Stream url=\"");
    vb_xml_write(&w, s->url.data, s->url.len, 1);

    if (s->status_callback.len) {
        vb_write_literal(&w, "\" statusCallback=\"");
        vb_xml_write(&w, s->status_callback.data, s->status_callback.len, 1);
    }

    vb_write_literal(&w, "\">");

    for (i = 0; i < s->n; i++) {
        if (vb_twiml_parameter(&w, &s->parameters[i]) != VB_OK) {
            return VB_ERROR;
        }
    }

    vb_write_literal(&w, "</Stream></Connect></Response>");

    return vb_twiml_length(&w);
}


ssize_t
vb_twiml_verbs(u_char *dst, size_t size, const vb_str_t *verbs)
{
    int          document;
    vb_str_t     s;
    vb_writer_t  w;

    w.dst = dst;
    w.size = size;
    w.len = 0;

    s = *verbs;

    /* an XML declaration must be the very first */

    while (s.len && (s.data[0] == ' ' || s.data[0] == '\t'
                     || s.data[0] == '\r' || s.data[0] == '\n'))
    {
        s.data++;
        s.len--;
    }

    document = vb_twiml_is_document(&s);

    if (!document) {
        vb_write_literal(&w, "<Response>");
    }

    vb_xml_write(&w, s.data, s.len, 0);

    if (!document) {
        vb_write_literal(&w, "</Response>");
    }

    return vb_twiml_length(&w);
}


static int
vb_twiml_parameter(vb_writer_t *w, const vb_twiml_parameter_t *p)
{
    char      suffix[16];
    size_t    n, len, used;
    unsigned  part;
    vb_str_t  rest;

    rest = p->value;
    len = 0;

    for (part = 2; rest.len; part++) {

        used = p->name.len + len;

        /* the longest character of UTF-8 has four bytes */

        if (used + 4 >= VB_TWIML_MAX_PARAMETER) {
            return VB_ERROR;
        }

        n = vb_twiml_cut(&rest, VB_TWIML_MAX_PARAMETER - 1 - used);

        vb_write_literal(w, "<Parameter name=\"");
        vb_xml_write(w, p->name.data, p->name.len, 1);
        vb_write(w, suffix, len);
        vb_write_literal(w, "\" value=\"");
        vb_xml_write(w, rest.data, n, 1);
        vb_write_literal(w, "\"/>");

        rest.data += n;
        rest.len -= n;

        len = snprintf(suffix, sizeof(suffix), "_%u", part);
    }

    return VB_OK;
}


unsigned
vb_twiml_piece(const vb_str_t *name, const char *parameter)
{
    size_t    i, len;
    unsigned  n;

    len = strlen(parameter);

    if (name->len < len || memcmp(name->data, parameter, len) != 0) {
        return 0;
    }

    if (name->len == len) {
        return 1;
    }

    /* _2 and more, without zeros before it: one name for each piece */

    if (name->len < len + 2 || name->len > len + 1 + VB_TWIML_MAX_DIGITS
        || name->data[len] != '_' || name->data[len + 1] == '0')
    {
        return 0;
    }

    n = 0;

    for (i = len + 1; i < name->len; i++) {

        if (name->data[i] < '0' || name->data[i] > '9') {
            return 0;
        }

        n = n * 10 + (name->data[i] - '0');
    }

    return (n > 1) ? n : 0;
}


/* how much of s fits max bytes and ends with a whole character */

static size_t
vb_twiml_cut(const vb_str_t *s, size_t max)
{
    size_t  n;

    if (s->len <= max) {
        return s->len;
    }

    for (n = max; n > max - 4; n--) {
        if ((s->data[n] & 0xc0) != 0x80) {
            return n;
        }
    }

    /* no UTF-8, of which vb_xml_write() will leave nothing */

    return max;
}


static int
vb_twiml_is_document(const vb_str_t *s)
{
    u_char  c;

    static const char  declaration[] = "<?xml";
    static const char  root[] = "<Response";

    if (s->len > sizeof(declaration) - 1
        && memcmp(s->data, declaration, sizeof(declaration) - 1) == 0)
    {
        return 1;
    }

    if (s->len < sizeof(root) || memcmp(s->data, root, sizeof(root) - 1) != 0) {
        return 0;
    }

    /* and not an element whose name only begins like this */

    c = s->data[sizeof(root) - 1];

    return c == '>' || c == '/' || c == ' ' || c == '\t' || c == '\r'
           || c == '\n';
}


static ssize_t
vb_twiml_length(const vb_writer_t *w)
{
    return (w->len <= w->size) ? (ssize_t) w->len : VB_ERROR;
}


/* writes what XML 1.0 can hold of src, and nothing else */

static void
vb_xml_write(vb_writer_t *w, const u_char *src, size_t len, int escape)
{
    size_t         n;
    const char    *entity;
    const u_char  *p, *start, *end;

    if (len == 0) {
        return;
    }

    start = src;
    end = src + len;

    /* characters that stay as they are go out together */

    for (p = src; p < end; p += n ? n : 1) {

        n = vb_xml_char(p, end);
        entity = (n == 1 && escape) ? vb_xml_entity(*p) : NULL;

        if (n && entity == NULL) {
            continue;
        }

        vb_write(w, start, p - start);
        start = p + 1;

        if (entity) {
            vb_write(w, entity, strlen(entity));
        }
    }

    vb_write(w, start, end - start);
}


static const char *
vb_xml_entity(u_char c)
{
    switch (c) {
    case '&':  return "&amp;";
    case '<':  return "&lt;";
    case '>':  return "&gt;";
    case '"':  return "&quot;";
    case '\'': return "&#39;";
    case '\t': return "&#9;";
    case '\n': return "&#10;";
    case '\r': return "&#13;";
    }

    return NULL;
}


/*
 * The length of the character at p, or 0 when it is none of XML 1.0, section
 * 2.2: not UTF-8, a control character, U+FFFE or U+FFFF.
 */

static size_t
vb_xml_char(const u_char *p, const u_char *end)
{
    size_t    n;
    uint32_t  state;

    if (*p < 0x80) {
        return *p >= 0x20 || *p == '\t' || *p == '\n' || *p == '\r';
    }

    state = 0;
    n = 0;

    do {
        if (n == (size_t) (end - p)
            || vb_utf8_check(&state, p + n, 1) != VB_OK)
        {
            return 0;
        }

        n++;

    } while (state);

    if (n == 3 && p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe) {
        return 0;
    }

    return n;
}
