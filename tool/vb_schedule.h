
/* Calling hours: when may somebody in a time zone be called? */


#ifndef _VB_SCHEDULE_H_INCLUDED_
#define _VB_SCHEDULE_H_INCLUDED_


#include <vb_tool.h>


typedef struct vb_schedule_s  vb_schedule_t;


/*
 * hours: "09:00-20:00", "09:00-12:00,14:00-18:30", "22:00-06:00" over
 * midnight; NULL: all day.  days: "mon-fri", "mon,wed,sat-sun"; NULL: every
 * day.  zone: an IANA name for rows that have none; NULL: this machine's own.
 * NULL with *why, static.  There is one schedule at a time: it sets TZ.
 */
vb_schedule_t *vb_schedule_create(const char *hours, const char *days,
    const char *zone, const char **why);
void vb_schedule_destroy(vb_schedule_t *s);

/*
 * ms since the epoch from which on a call may be made: now or later;
 * VB_NEVER: not in the next 8 days; VB_ERROR: there is no such zone.  zone is
 * "" for the default one.
 */
int64_t vb_schedule_next(vb_schedule_t *s, const char *zone, int64_t now);

/* its VB_NEVER or VB_ERROR for a zone, in words, to why */
void vb_schedule_why(int64_t next, const char *zone, char *why, size_t size);


#endif /* _VB_SCHEDULE_H_INCLUDED_ */
