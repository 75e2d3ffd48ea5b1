
/*
 * Texts whose length is not known before they are written: the same code
 * counts, and then writes into an area of that length.
 */


#ifndef _VB_WRITER_H_INCLUDED_
#define _VB_WRITER_H_INCLUDED_


#include <vb_core.h>
#include <vb_json.h>


/*
 * What does not fit the area is counted all the same: len is always that of
 * the whole text, and the first vb_min(len, size) bytes of it are at dst.
 */
typedef struct {
    u_char          *dst;              /* NULL: count only */
    size_t           size;             /* of the area at dst */
    size_t           len;
} vb_writer_t;


/* for areas that a count before has shown to be large enough */
#define vb_writer_init(w, buf)                                                \
    ((w)->dst = (buf), (w)->size = SIZE_MAX, (w)->len = 0)

#define vb_write_literal(w, s)  vb_write(w, s, sizeof(s) - 1)


static inline void
vb_write(vb_writer_t *w, const void *data, size_t len)
{
    if (w->dst && len && w->len < w->size) {
        memcpy(w->dst + w->len, data, vb_min(len, w->size - w->len));
    }

    w->len += len;
}


/* what is inside the quotes of a JSON string */

static inline void
vb_write_json(vb_writer_t *w, const u_char *src, size_t len)
{
    size_t  n;
    u_char  buf[6 * 64];

    for ( /* void */ ; len; len -= n) {
        n = vb_min(len, 64);
        vb_write(w, buf, vb_json_escape(buf, src, n));
        src += n;
    }
}


/* lead, which is a name and what goes before it, and a string behind it: what
 * is empty is not known, hence null */

static inline void
vb_write_member(vb_writer_t *w, const char *lead, const vb_str_t *value)
{
    vb_write(w, lead, strlen(lead));

    if (value->len == 0) {
        vb_write_literal(w, "null");
        return;
    }

    vb_write_literal(w, "\"");
    vb_write_json(w, value->data, value->len);
    vb_write_literal(w, "\"");
}


#endif /* _VB_WRITER_H_INCLUDED_ */
