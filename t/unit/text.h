
/* Counted strings for tests, and numbers that are the same in every run */


#ifndef _TEXT_H_INCLUDED_
#define _TEXT_H_INCLUDED_


#include <stdlib.h>
#include <vb_core.h>


#define NELTS(a)  (sizeof(a) / sizeof((a)[0]))


static inline vb_str_t
text(const char *s)
{
    vb_str_t  v;

    v.data = (u_char *) s;
    v.len = strlen(s);

    return v;
}


/* a copy with nothing behind it, so that a sanitizer sees any reading there */

static inline vb_str_t
copy(const void *data, size_t len)
{
    vb_str_t  v;

    v.len = len;
    v.data = malloc(len ? len : 1);

    if (len) {
        memcpy(v.data, data, len);
    }

    return v;
}


static inline uint32_t
any(uint32_t n)
{
    static uint32_t  seed = 1;

    seed = seed * 1664525 + 1013904223;

    return (uint32_t) (((uint64_t) (seed >> 8) * n) >> 24);
}


#endif /* _TEXT_H_INCLUDED_ */
