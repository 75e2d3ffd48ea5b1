
/* Areas that end where the readable memory ends: a byte too far is a crash */


#ifndef _VB_GUARD_H_INCLUDED_
#define _VB_GUARD_H_INCLUDED_


#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>


/*
 * Returns n bytes that touch an unreadable page, never NULL.  Meant for a
 * few areas in a test: they live as long as the program.
 */
static inline void *
guarded(size_t n)
{
    char    *p;
    size_t   page, size;

    page = sysconf(_SC_PAGESIZE);
    size = (n + page - 1) / page * page;

    p = mmap(NULL, size + page, PROT_READ|PROT_WRITE,
             MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED || mprotect(p + size, page, PROT_NONE) == -1) {
        abort();
    }

    return p + size - n;
}


#endif /* _VB_GUARD_H_INCLUDED_ */
