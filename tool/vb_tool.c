
/* Texts that grow, clocks, durations, numbers: what every command needs */


#include <vb_tool.h>
#include <vb_json.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>


static int64_t vb_clock(clockid_t id);


void
vb_error(const char *fmt, ...)
{
    va_list  args;

    fflush(stdout);
    fputs("voicebridge: ", stderr);

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fputc('\n', stderr);
}


void
vb_die(int status, const char *fmt, ...)
{
    va_list  args;

    fflush(stdout);
    fputs("voicebridge: ", stderr);

    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);

    fputc('\n', stderr);
    exit(status);
}


void *
vb_alloc(size_t size)
{
    void  *p;

    p = calloc(1, size ? size : 1);

    if (p == NULL) {
        vb_die(VB_EXIT_SERVER, "no memory");
    }

    return p;
}


void *
vb_realloc(void *p, size_t size)
{
    p = realloc(p, size ? size : 1);

    if (p == NULL) {
        vb_die(VB_EXIT_SERVER, "no memory");
    }

    return p;
}


char *
vb_strndup(const u_char *data, size_t len)
{
    char  *p;

    p = vb_alloc(len + 1);

    if (len) {
        memcpy(p, data, len);
    }

    return p;
}


void
vb_text_add(vb_text_t *t, const void *data, size_t len)
{
    if (t->size - t->len < len + 1 || t->data == NULL) {
        t->size = (t->len + len + 1) * 2;
        t->data = vb_realloc(t->data, t->size);
    }

    if (len) {
        memcpy(t->data + t->len, data, len);
    }

    t->len += len;
    t->data[t->len] = '\0';
}


void
vb_text_puts(vb_text_t *t, const char *s)
{
    vb_text_add(t, s, strlen(s));
}


void
vb_text_printf(vb_text_t *t, const char *fmt, ...)
{
    int      n;
    char     buf[512], *p;
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(buf, sizeof(buf), fmt, args);
    va_end(args);

    if (n < (int) sizeof(buf)) {
        vb_text_add(t, buf, n > 0 ? n : 0);
        return;
    }

    p = vb_alloc((size_t) n + 1);

    va_start(args, fmt);
    vsnprintf(p, (size_t) n + 1, fmt, args);
    va_end(args);

    vb_text_add(t, p, n);
    free(p);
}


void
vb_text_json(vb_text_t *t, const void *data, size_t len)
{
    u_char  *p;

    p = vb_alloc(6 * len + 2);

    p[0] = '"';
    len = vb_json_escape(p + 1, data, len);
    p[len + 1] = '"';

    vb_text_add(t, p, len + 2);
    free(p);
}


void
vb_text_time(vb_text_t *t, int64_t ms)
{
    time_t     sec;
    struct tm  tm;

    sec = ms / 1000;
    gmtime_r(&sec, &tm);

    vb_text_printf(t, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                   tm.tm_hour, tm.tm_min, tm.tm_sec, (int) (ms % 1000));
}


void
vb_text_reset(vb_text_t *t)
{
    t->len = 0;

    if (t->data) {
        t->data[0] = '\0';
    }
}


void
vb_text_free(vb_text_t *t)
{
    free(t->data);
    memset(t, 0, sizeof(vb_text_t));
}


static int64_t
vb_clock(clockid_t id)
{
    struct timespec  ts;

    clock_gettime(id, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


int64_t
vb_now(void)
{
    return vb_clock(CLOCK_MONOTONIC);
}


int64_t
vb_wall(void)
{
    return vb_clock(CLOCK_REALTIME);
}


int64_t
vb_time_parse(const u_char *data, size_t len)
{
    int        ms, n, fraction;
    char       buf[32];
    struct tm  tm;

    if (len >= sizeof(buf)) {
        return VB_ERROR;
    }

    memcpy(buf, data, len);
    buf[len] = '\0';

    memset(&tm, 0, sizeof(struct tm));
    ms = 0;
    n = 0;
    fraction = 0;

    if (sscanf(buf, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon,
               &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) != 6
        || n != 19)
    {
        return VB_ERROR;
    }

    (void) sscanf(buf + n, ".%3d%n", &ms, &fraction);

    if (fraction % 4 != 0 || strcmp(buf + n + fraction, "Z") != 0) {
        return VB_ERROR;
    }

    tm.tm_year -= 1900;
    tm.tm_mon--;

    return (int64_t) timegm(&tm) * 1000 + ms;
}


int64_t
vb_duration_parse(const char *s)
{
    char    *end;
    double   n;
    size_t   i;

    static const struct {
        const char  *name;
        double       ms;
    } units[] = {
        { "", 1e3 }, { "ms", 1 }, { "s", 1e3 }, { "m", 6e4 }, { "h", 3.6e6 },
        { "d", 8.64e7 }
    };

    if (!((*s >= '0' && *s <= '9') || *s == '.')) {
        return VB_ERROR;
    }

    n = strtod(s, &end);

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {

        if (strcmp(end, units[i].name) == 0) {
            n *= units[i].ms;

            /* a hundred years */
            return (n >= 0 && n < 3.2e12) ? (int64_t) llround(n) : VB_ERROR;
        }
    }

    return VB_ERROR;
}


const char *
vb_duration_print(int64_t ms)
{
    int64_t      s;
    static char  buf[32];

    s = (ms + 500) / 1000;

    if (s < 60) {
        snprintf(buf, sizeof(buf), "%d s", (int) s);

    } else if (s < 3600) {
        snprintf(buf, sizeof(buf), "%d m %02d s", (int) (s / 60),
                 (int) (s % 60));

    } else if (s < 48 * 3600) {
        snprintf(buf, sizeof(buf), "%d h %02d m", (int) (s / 3600),
                 (int) (s / 60 % 60));

    } else {
        snprintf(buf, sizeof(buf), "%lld d %02d h", (long long) (s / 86400),
                 (int) (s / 3600 % 24));
    }

    return buf;
}


int
vb_is_e164(const u_char *data, size_t len)
{
    size_t  i;

    if (len < 3 || len > 16 || data[0] != '+' || data[1] == '0') {
        return 0;
    }

    for (i = 1; i < len; i++) {
        if (data[i] < '0' || data[i] > '9') {
            return 0;
        }
    }

    return 1;
}


const char *
vb_masked(const char *number)
{
    size_t       i, len;
    static char  buf[24];

    len = vb_min(strlen(number), sizeof(buf) - 1);

    for (i = 0; i < len; i++) {
        buf[i] = (i + 4 >= len || (i == 0 && number[0] == '+')) ? number[i]
                                                                : '*';
    }

    buf[len] = '\0';

    return buf;
}


void
vb_printable(char *s)
{
    u_char  *p;

    for (p = (u_char *) s; *p; p++) {

        if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) {
            *p++ = ' ';
            *p = ' ';

        } else if (*p < ' ' || *p == 0x7f) {
            *p = ' ';
        }
    }
}


int
vb_file_read(const char *name, size_t max, vb_text_t *t)
{
    int      fd, err;
    char     buf[16384];
    ssize_t  n;

    fd = open(name, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return VB_ERROR;
    }

    vb_text_add(t, "", 0);

    for ( ;; ) {
        n = read(fd, buf, sizeof(buf));

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n > 0 && t->len + n > max) {
            errno = EFBIG;
            n = -1;
        }

        if (n <= 0) {
            break;
        }

        vb_text_add(t, buf, n);
    }

    err = errno;
    close(fd);
    errno = err;

    return n == 0 ? VB_OK : VB_ERROR;
}
