
/*
 * Reads TwiML as vb_twiml_stream() writes it, strictly: what is not exactly
 * such a document is none.  It shares nothing with the writer.
 */


#ifndef _TWIML_READER_H_INCLUDED_
#define _TWIML_READER_H_INCLUDED_


#include <text.h>


#define TWIML_DECLARATION  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"


/* a document's parameters; its writer bounds them, and the URL to 2048 bytes */

typedef struct {
    size_t           n;
    char             names[64][512];
    u_char           values[64][2048];
    size_t           lens[64];
} twiml_found_t;


/* what a document's escapes stand for; 0 when it is not an attribute's text */

static int
twiml_read_text(u_char *dst, size_t *len, const u_char *p, const u_char *end)
{
    size_t  i, n;

    static const struct {
        const char  *entity;
        u_char       c;
    } entities[] = {
        { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' },
        { "&#39;", '\'' }, { "&#9;", '\t' }, { "&#10;", '\n' },
        { "&#13;", '\r' }
    };

    *len = 0;

    while (p < end) {

        if (*p == '<' || *p == '"' || *p < 0x20) {
            return 0;
        }

        if (*p != '&') {
            dst[(*len)++] = *p++;
            continue;
        }

        for (i = 0; i < NELTS(entities); i++) {
            n = strlen(entities[i].entity);

            if ((size_t) (end - p) >= n
                && memcmp(p, entities[i].entity, n) == 0)
            {
                break;
            }
        }

        if (i == NELTS(entities)) {
            return 0;
        }

        dst[(*len)++] = entities[i].c;
        p += n;
    }

    return 1;
}


/* reads NAME="TEXT" at p, returns what is behind it or NULL */

static u_char *
twiml_read_attribute(u_char *p, const char *name, u_char *dst, size_t *len)
{
    u_char  *end;
    size_t   n;

    n = strlen(name);

    if (strncmp((char *) p, name, n) != 0 || p[n] != '=' || p[n + 1] != '"') {
        return NULL;
    }

    p += n + 2;
    end = (u_char *) strchr((char *) p, '"');

    return (end && twiml_read_text(dst, len, p, end)) ? end + 1 : NULL;
}


/* reads a document with nothing behind its final null; 0 when it is none */

static int
twiml_read(twiml_found_t *found, u_char *p)
{
    size_t             len;
    u_char             buf[2048];

    static const char  head[] = TWIML_DECLARATION
                                "<Response><Connect><Stream ";
    static const char  tail[] = "</Stream></Connect></Response>";

    found->n = 0;

    if (strncmp((char *) p, head, sizeof(head) - 1) != 0) {
        return 0;
    }

    p = twiml_read_attribute(p + sizeof(head) - 1, "url", buf, &len);

    if (p == NULL || *p++ != '>') {
        return 0;
    }

    while (strncmp((char *) p, "<Parameter ", 11) == 0) {

        p = twiml_read_attribute(p + 11, "name", buf, &len);

        if (p == NULL || *p++ != ' ' || found->n == 64) {
            return 0;
        }

        memcpy(found->names[found->n], buf, len);
        found->names[found->n][len] = '\0';

        p = twiml_read_attribute(p, "value", found->values[found->n],
                                 &found->lens[found->n]);

        if (p == NULL || strncmp((char *) p, "/>", 2) != 0) {
            return 0;
        }

        found->n++;
        p += 2;
    }

    return strcmp((char *) p, tail) == 0;
}


#endif /* _TWIML_READER_H_INCLUDED_ */
