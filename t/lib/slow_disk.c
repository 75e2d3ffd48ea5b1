
/*
 * A disk that hangs, for t/webhook_disk.t: preloaded, who makes a file of
 * the spool waits as long as there is a file that the test has made.
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>


typedef int (*open_pt)(const char *path, int flags, ...);


static int
slow_open(const char *symbol, const char *path, int flags, mode_t mode)
{
    open_pt      next;
    const char  *hold;

    next = (open_pt) dlsym(RTLD_NEXT, symbol);
    hold = getenv("VOICEBRIDGE_HOLD");

    if (hold && (flags & O_CREAT) && strstr(path, "/tmp-")) {
        while (access(hold, F_OK) == 0) {
            usleep(10000);
        }
    }

    return next(path, flags, mode);
}


int
open(const char *path, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;
    va_end(args);

    return slow_open("open", path, flags, mode);
}


int
open64(const char *path, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;
    va_end(args);

    return slow_open("open64", path, flags, mode);
}
