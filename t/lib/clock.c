
/*
 * Clocks that a test sets, for t/clock.t: preloaded, the time of day and the
 * monotonic time are as many seconds ahead as a page says that the test
 * shares.
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


/* the test's pack() has the same members */
typedef struct {
    int32_t    day;
    int32_t    monotonic;
} page_t;

typedef int (*gettimeofday_pt)(struct timeval *tv, void *tz);
typedef int (*clock_gettime_pt)(clockid_t clock, struct timespec *ts);


static page_t  none, *page = &none;


static __attribute__((constructor)) void
clock_init(void)
{
    int          fd;
    void        *p;
    const char  *name;

    name = getenv("VOICEBRIDGE_CLOCK");
    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDONLY);
    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(page_t), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);

    if (p != MAP_FAILED) {
        page = p;
    }
}


int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    int              rc;
    gettimeofday_pt  next;

    next = (gettimeofday_pt) dlsym(RTLD_NEXT, "gettimeofday");

    rc = next(tv, tz);
    tv->tv_sec += page->day;

    return rc;
}


int
clock_gettime(clockid_t clock, struct timespec *ts)
{
    int               rc;
    clock_gettime_pt  next;

    next = (clock_gettime_pt) dlsym(RTLD_NEXT, "clock_gettime");

    rc = next(clock, ts);

    if (rc == 0) {
        ts->tv_sec += (clock == CLOCK_REALTIME) ? page->day : page->monotonic;
    }

    return rc;
}
