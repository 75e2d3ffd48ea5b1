
/* Bytes of a file, a pipe or an area in memory, one after the other */


#ifndef _VB_INPUT_H_INCLUDED_
#define _VB_INPUT_H_INCLUDED_


#include <vb_tool.h>


#define VB_INPUT_BUFFER  65536

/* instead of a byte */
#define VB_INPUT_END     -1
#define VB_INPUT_FAILED  -2


typedef struct {
    int              fd;               /* -1: memory, which is at pos */
    const u_char    *pos;
    const u_char    *last;
    uint64_t         taken;            /* bytes before those in the buffer */
    uint64_t         size;             /* of the file; 0: not known */
    const char      *error;
    u_char          *start;
} vb_input_t;


/* "-" is the standard input; VB_OK, or VB_ERROR with errno */
int vb_input_open(vb_input_t *in, const char *name);
void vb_input_memory(vb_input_t *in, const u_char *data, size_t len);
void vb_input_close(vb_input_t *in);

/* fills an empty buffer: a byte, which is not taken yet, or one of the above */
int vb_input_fill(vb_input_t *in);


/* the next byte, taken or only seen */

#define vb_input_peek(in)                                                     \
    ((in)->pos < (in)->last ? *(in)->pos : vb_input_fill(in))

static inline int
vb_input_get(vb_input_t *in)
{
    int  c;

    c = vb_input_peek(in);

    if (c >= 0) {
        in->pos++;
    }

    return c;
}


/* bytes taken so far */

static inline uint64_t
vb_input_offset(const vb_input_t *in)
{
    return in->taken - (in->last - in->pos);
}


#endif /* _VB_INPUT_H_INCLUDED_ */
