
/*
 * Hours and days by local time.  Which minute of which zone is open is asked
 * of localtime(), a minute after the other: so clocks that are put forward or
 * back are right by themselves.  What was found is kept for each zone until
 * its next change.
 */


#include <vb_schedule.h>

#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>


#define VB_SCHEDULE_MINUTES  1440
#define VB_SCHEDULE_AHEAD    (8 * VB_SCHEDULE_MINUTES)
#define VB_SCHEDULE_ZONES    512
#define VB_SCHEDULE_NAME     64


typedef struct {
    char             name[VB_SCHEDULE_NAME];
    unsigned         open:1;
    unsigned         unknown:1;
    int64_t          from;             /* of the state, ms since the epoch */
    int64_t          until;
} vb_schedule_zone_t;


struct vb_schedule_s {
    u_char               minutes[VB_SCHEDULE_MINUTES];
    u_char               days[7];      /* from Sunday on */
    unsigned             always:1;
    const char          *zone;
    char                *own;          /* TZ as it was, or NULL */
    size_t               nzones;
    vb_schedule_zone_t   zones[VB_SCHEDULE_ZONES];
};


static int vb_schedule_hours(vb_schedule_t *s, const char *hours);
static int vb_schedule_days(vb_schedule_t *s, const char *days);
static int vb_schedule_day(const char *p);
static int vb_schedule_exists(const char *zone);
static vb_schedule_zone_t *vb_schedule_zone(vb_schedule_t *s,
    const char *name, int64_t now);
static void vb_schedule_look(vb_schedule_t *s, vb_schedule_zone_t *zone,
    int64_t now);
static int vb_schedule_open(vb_schedule_t *s, int64_t minute);


vb_schedule_t *
vb_schedule_create(const char *hours, const char *days, const char *zone,
    const char **why)
{
    const char     *own;
    vb_schedule_t  *s;

    s = vb_alloc(sizeof(vb_schedule_t));

    s->always = (hours == NULL && days == NULL);
    s->zone = zone ? zone : "";
    own = getenv("TZ");

    if (own) {
        s->own = vb_strndup((u_char *) own, strlen(own));
    }

    *why = NULL;

    if (vb_schedule_hours(s, hours) != VB_OK) {
        *why = "--hours is like 09:00-20:00 or 09:00-12:00,14:00-18:30";

    } else if (vb_schedule_days(s, days) != VB_OK) {
        *why = "--days is like mon-fri or mon,wed,sat-sun";

    } else if (*s->zone && !vb_schedule_exists(s->zone)) {
        *why = "--timezone has to be like Europe/Berlin, there is no such zone";
    }

    if (*why) {
        vb_schedule_destroy(s);
        return NULL;
    }

    return s;
}


void
vb_schedule_destroy(vb_schedule_t *s)
{
    free(s->own);
    free(s);
}


static int
vb_schedule_hours(vb_schedule_t *s, const char *hours)
{
    int       n;
    unsigned  h1, m1, h2, m2, from, to, i;

    if (hours == NULL) {
        memset(s->minutes, 1, sizeof(s->minutes));
        return VB_OK;
    }

    for ( ;; ) {
        n = 0;

        if (sscanf(hours, "%2u:%2u-%2u:%2u%n", &h1, &m1, &h2, &m2, &n) != 4
            || n == 0 || h1 > 23 || m1 > 59 || m2 > 59
            || h2 * 60 + m2 > VB_SCHEDULE_MINUTES)
        {
            return VB_ERROR;
        }

        from = h1 * 60 + m1;
        to = h2 * 60 + m2;

        if (from == to) {
            return VB_ERROR;
        }

        if (to < from) {
            to += VB_SCHEDULE_MINUTES;
        }

        for (i = from; i < to; i++) {
            s->minutes[i % VB_SCHEDULE_MINUTES] = 1;
        }

        hours += n;

        if (*hours == '\0') {
            return VB_OK;
        }

        if (*hours++ != ',') {
            return VB_ERROR;
        }
    }
}


static int
vb_schedule_days(vb_schedule_t *s, const char *days)
{
    int  from, to;

    if (days == NULL) {
        memset(s->days, 1, sizeof(s->days));
        return VB_OK;
    }

    for ( ;; ) {
        from = vb_schedule_day(days);

        if (from == VB_ERROR) {
            return VB_ERROR;
        }

        days += 3;
        to = from;

        if (*days == '-') {
            to = vb_schedule_day(days + 1);

            if (to == VB_ERROR) {
                return VB_ERROR;
            }

            days += 4;
        }

        for ( ;; ) {
            s->days[from] = 1;

            if (from == to) {
                break;
            }

            from = (from + 1) % 7;
        }

        if (*days == '\0') {
            return VB_OK;
        }

        if (*days++ != ',') {
            return VB_ERROR;
        }
    }
}


static int
vb_schedule_day(const char *p)
{
    int  i;

    static const char  *names[] = {
        "sun", "mon", "tue", "wed", "thu", "fri", "sat"
    };

    for (i = 0; i < 7; i++) {
        if (strncasecmp(p, names[i], 3) == 0) {
            return i;
        }
    }

    return VB_ERROR;
}


/*
 * To localtime() a zone that is not there is UTC, and so is a directory of
 * zones: "TZif" is what RFC 9636 has one begin with.
 */

static int
vb_schedule_exists(const char *zone)
{
    int          fd;
    char         path[256], magic[4];
    size_t       len;
    ssize_t      n;
    const char  *dir;

    len = strlen(zone);

    if (len == 0 || len >= VB_SCHEDULE_NAME || zone[0] == '/'
        || strstr(zone, "..")
        || strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789/_+-") != len)
    {
        return 0;
    }

    dir = getenv("TZDIR");

    snprintf(path, sizeof(path), "%.180s/%s",
             dir ? dir : "/usr/share/zoneinfo", zone);

    fd = open(path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

    if (fd == -1) {
        return 0;
    }

    n = read(fd, magic, sizeof(magic));
    close(fd);

    return n == sizeof(magic) && memcmp(magic, "TZif", sizeof(magic)) == 0;
}


int64_t
vb_schedule_next(vb_schedule_t *s, const char *zone, int64_t now)
{
    vb_schedule_zone_t  *z;

    if (*zone == '\0') {
        zone = s->zone;
    }

    if (strlen(zone) >= VB_SCHEDULE_NAME) {
        return VB_ERROR;
    }

    if (s->always && *zone == '\0') {
        return now;
    }

    z = vb_schedule_zone(s, zone, now);

    if (z->unknown) {
        return VB_ERROR;
    }

    return (s->always || z->open) ? now : z->until;
}


void
vb_schedule_why(int64_t next, const char *zone, char *why, size_t size)
{
    if (next == VB_NEVER) {
        snprintf(why, size, "there are no calling hours");
        return;
    }

    snprintf(why, size, "there is no time zone \"%.80s\", it has to be like "
             "Europe/Berlin", zone);
    vb_printable(why);
}


static vb_schedule_zone_t *
vb_schedule_zone(vb_schedule_t *s, const char *name, int64_t now)
{
    size_t               i;
    vb_schedule_zone_t  *z;

    for (i = 0; i < vb_min(s->nzones, VB_SCHEDULE_ZONES); i++) {
        z = &s->zones[i];

        if (strcmp(z->name, name) == 0) {

            if (!z->unknown && (now < z->from || now >= z->until)) {
                vb_schedule_look(s, z, now);
            }

            return z;
        }
    }

    /* more than there are: the oldest makes room */

    z = &s->zones[s->nzones++ % VB_SCHEDULE_ZONES];

    snprintf(z->name, sizeof(z->name), "%s", name);
    z->unknown = (*name && !vb_schedule_exists(name));

    if (!z->unknown) {
        vb_schedule_look(s, z, now);
    }

    return z;
}


static void
vb_schedule_look(vb_schedule_t *s, vb_schedule_zone_t *zone, int64_t now)
{
    int64_t  minute, end;

    if (zone->name[0]) {
        setenv("TZ", zone->name, 1);

    } else if (s->own) {
        setenv("TZ", s->own, 1);

    } else {
        unsetenv("TZ");
    }

    tzset();

    minute = now / 60000;
    end = minute + VB_SCHEDULE_AHEAD;

    zone->from = now;
    zone->until = VB_NEVER;
    zone->open = vb_schedule_open(s, minute);

    while (!s->always && ++minute < end) {
        if (vb_schedule_open(s, minute) != zone->open) {
            zone->until = minute * 60000;
            break;
        }
    }

    /* nothing changes as far as was looked: look again then */

    if (zone->until == VB_NEVER && zone->open) {
        zone->until = end * 60000;
    }
}


static int
vb_schedule_open(vb_schedule_t *s, int64_t minute)
{
    time_t     t;
    struct tm  tm;

    t = minute * 60;
    localtime_r(&t, &tm);

    return s->days[tm.tm_wday] && s->minutes[tm.tm_hour * 60 + tm.tm_min];
}
