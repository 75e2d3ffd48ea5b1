
/* A request's bytes: those yajl must not see, and those an id must not have */


#ifndef _VB_API_SCAN_H_INCLUDED_
#define _VB_API_SCAN_H_INCLUDED_


#include <vb_core.h>


/* bytes of one string or number */
#define VB_API_MAX_TOKEN  1048576


/* all zero at the start of a text */
typedef struct {
    uint32_t         utf8;             /* of vb_utf8_check() */
    size_t           token;            /* bytes of the one at hand */
    uint32_t         unit;             /* of UTF-16, as far as it is known */
    unsigned         digits:3;         /* of \uXXXX, still to come */
    unsigned         string:1;         /* inside of one */
    unsigned         backslash:1;      /* behind one */
    unsigned         high:1;           /* behind a high surrogate */
} vb_api_scan_t;


/*
 * Looks at the len bytes that follow those before: returns how many of them
 * are good, and if not all, *why (static) the next one is not.
 *
 * Not good is what yajl takes but should not: text that is not UTF-8 by RFC
 * 3629; half a surrogate pair, which it decodes to something else, and reads
 * on as an escape what is none; vertical tabs and form feeds as white space;
 * tokens of any length, which it keeps whole and begins again with each
 * piece.  A text that ends with string set is not complete, which yajl does
 * not see behind the value.
 */
size_t vb_api_scan(vb_api_scan_t *s, const u_char *data, size_t len,
    const char **why);


#endif /* _VB_API_SCAN_H_INCLUDED_ */
