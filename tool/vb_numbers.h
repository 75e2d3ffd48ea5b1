
/* A set of telephone numbers: 8 bytes of memory and a little room for each */


#ifndef _VB_NUMBERS_H_INCLUDED_
#define _VB_NUMBERS_H_INCLUDED_


#include <vb_tool.h>


typedef struct {
    size_t           n;
    size_t           size;             /* a power of two, or 0 */
    uint64_t        *slots;            /* 0: free */
} vb_numbers_t;


/* number is E.164; VB_OK, or VB_DECLINED: it was there already */
int vb_numbers_add(vb_numbers_t *set, const u_char *number);

int vb_numbers_has(const vb_numbers_t *set, const u_char *number);

/*
 * Adds those of a file, one a line, the first field of each; what begins with
 * # is a comment.  Ends the program where a line has no number: who is not to
 * be called must not be called because of a typing error.
 */
void vb_numbers_load(vb_numbers_t *set, const char *name);


#endif /* _VB_NUMBERS_H_INCLUDED_ */
