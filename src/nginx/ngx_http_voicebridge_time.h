
/* Moments as JSON and people have them */


#ifndef _NGX_HTTP_VOICEBRIDGE_TIME_H_INCLUDED_
#define _NGX_HTTP_VOICEBRIDGE_TIME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* RFC 3339, UTC, with milliseconds; the year has four digits */
#define NGX_HTTP_VOICEBRIDGE_TIME_LEN                                         \
    (sizeof("2026-01-01T00:00:00.000Z") - 1)


/* ms since the epoch, of the event loop's cached time */

static ngx_inline uint64_t
ngx_http_voicebridge_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (uint64_t) tp->sec * 1000 + tp->msec;
}


/* writes a moment (ms since the epoch); returns the end of what it wrote */

static ngx_inline u_char *
ngx_http_voicebridge_print_time(u_char *p, uint64_t ms)
{
    ngx_tm_t  tm;

    ngx_gmtime((time_t) (ms / 1000), &tm);

    return ngx_sprintf(p, "%4d-%02d-%02dT%02d:%02d:%02d.%03uLZ",
                       tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                       tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                       ms % 1000);
}


#endif /* _NGX_HTTP_VOICEBRIDGE_TIME_H_INCLUDED_ */
