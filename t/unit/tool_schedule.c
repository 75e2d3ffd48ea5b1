
/*
 * vb_schedule across the days on which clocks are put forward and back, and
 * the other small languages: durations, times, the heap of rows that wait
 */


#include <tap.h>
#include <vb_request.h>
#include <vb_schedule.h>
#include <vb_waiting.h>

#include <stdlib.h>


static int64_t
at(const char *text)
{
    return vb_time_parse((u_char *) text, strlen(text));
}


static void
is_next(const char *hours, const char *days, const char *zone, const char *now,
    const char *expected)
{
    int64_t         next;
    vb_text_t       text;
    const char     *why;
    vb_schedule_t  *s;

    memset(&text, 0, sizeof(vb_text_t));

    s = vb_schedule_create(hours, days, NULL, &why);
    next = vb_schedule_next(s, zone, at(now));
    vb_text_time(&text, next);

    is_mem(text.data, text.len, expected, strlen(expected), "%s %s in %s at "
           "%s", hours ? hours : "all day", days ? days : "daily", zone, now);

    vb_text_free(&text);
    vb_schedule_destroy(s);
}

#define Z  ":00.000Z"


static void
test_clocks(void)
{
    static const char  berlin[] = "Europe/Berlin";
    static const char  york[] = "America/New_York";

    /* put forward on 29 March 2026 at 01:00 UTC */

    is_next("09:00-20:00", NULL, berlin, "2026-03-28T07:59" Z,
            "2026-03-28T08:00" Z);
    is_next("09:00-20:00", NULL, berlin, "2026-03-28T19:00" Z,
            "2026-03-29T07:00" Z);
    is_next("02:15-02:45", NULL, berlin, "2026-03-28T12:00" Z,
            "2026-03-30T00:15" Z);
    is_next("01:30-03:30", NULL, berlin, "2026-03-29T01:00" Z,
            "2026-03-29T01:00" Z);
    is_next("01:30-03:30", NULL, berlin, "2026-03-29T01:30" Z,
            "2026-03-29T23:30" Z);

    /* put back on 25 October 2026 at 01:00 UTC */

    is_next("09:00-20:00", NULL, berlin, "2026-10-24T18:00" Z,
            "2026-10-25T08:00" Z);
    is_next("02:15-02:45", NULL, berlin, "2026-10-25T00:45" Z,
            "2026-10-25T01:15" Z);
    is_next("02:15-02:45", NULL, berlin, "2026-10-25T01:45" Z,
            "2026-10-26T01:15" Z);

    is_next("08:00-21:00", NULL, york, "2026-03-08T05:00" Z,
            "2026-03-08T12:00" Z);
    is_next("08:00-21:00", NULL, york, "2026-11-01T05:30" Z,
            "2026-11-01T13:00" Z);
    is_next("08:00-21:00", NULL, "Australia/Lord_Howe", "2026-04-04T14:00" Z,
            "2026-04-04T21:30" Z);
}


static void
test_days(void)
{
    is_next("09:00-17:00", "mon-fri", "UTC", "2026-03-27T17:00" Z,
            "2026-03-30T09:00" Z);
    is_next(NULL, "sun", "UTC", "2026-03-27T17:00" Z, "2026-03-29T00:00" Z);
    is_next(NULL, "sat-mon", "UTC", "2026-03-27T17:00" Z,
            "2026-03-28T00:00" Z);
    is_next("22:00-06:00", NULL, "UTC", "2026-03-27T23:10" Z,
            "2026-03-27T23:10" Z);
    is_next("22:00-06:00", NULL, "UTC", "2026-03-27T06:00" Z,
            "2026-03-27T22:00" Z);
    is_next("00:00-24:00", NULL, "UTC", "2026-03-27T06:00" Z,
            "2026-03-27T06:00" Z);
    is_next("09:00-12:00,14:00-18:00", NULL, "Asia/Kolkata",
            "2026-03-27T07:00" Z, "2026-03-27T08:30" Z);
}


static void
test_zones(void)
{
    size_t          i;
    const char     *why;
    vb_schedule_t  *s;

    static const char  *bad[] = {
        "Nowhere/City", "../../etc/passwd", "/etc/localtime", ":UTC", "E T"
    };

    s = vb_schedule_create("09:00-20:00", NULL, "UTC", &why);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_int(vb_schedule_next(s, bad[i], at("2026-03-27T07:00" Z)),
               VB_ERROR, "no zone: %s", bad[i]);
    }

    ok(vb_schedule_next(s, "", at("2026-03-27T10:00" Z))
       == at("2026-03-27T10:00" Z), "the default zone");

    /* time goes on, and what was found before is looked at again */

    ok(vb_schedule_next(s, "", at("2026-03-27T21:00" Z))
       == at("2026-03-28T09:00" Z), "the same zone, later");
    ok(vb_schedule_next(s, "", at("2026-03-27T10:00" Z))
       == at("2026-03-27T10:00" Z), "and earlier");
    vb_schedule_destroy(s);

    ok(vb_schedule_create("9-5", NULL, NULL, &why) == NULL, "no hours");
    ok(vb_schedule_create("09:00-09:00", NULL, NULL, &why) == NULL,
       "no time at all");
    ok(vb_schedule_create("09:00-25:00", NULL, NULL, &why) == NULL,
       "an hour there is not");
    ok(vb_schedule_create(NULL, "mon-", NULL, &why) == NULL, "no days");
}


static void
test_words(void)
{
    ok(at("2026-03-27T10:00:00Z") == 1774605600000LL, "a time");
    ok(at("2026-03-27T10:00:00.250Z") == 1774605600250LL, "to the ms");
    is_int(at("2026-03-27 10:00"), VB_ERROR, "no time");
    is_int(at("2026-03-27T10:00:00+01:00"), VB_ERROR, "of another zone");

    is_int(vb_duration_parse("90"), 90000, "seconds");
    is_int(vb_duration_parse("1.5m"), 90000, "minutes");
    is_int(vb_duration_parse("250ms"), 250, "milliseconds");
    is_int(vb_duration_parse("2d"), 172800000, "days");
    is_int(vb_duration_parse("soon"), VB_ERROR, "no time");
    is_int(vb_duration_parse("-1s"), VB_ERROR, "less than none");
    is_int(vb_duration_parse("1w"), VB_ERROR, "another unit");
    is_int(vb_duration_parse("inf"), VB_ERROR, "for ever");

    is_int(at("6-03-29T08:00:00.000Z"), VB_ERROR, "a short year");
    is_int(at("2026-3-9T8:0:0.1Z"), VB_ERROR, "short numbers");
    is_int(at("2026-03-29T00:30:00.5Z"), VB_ERROR, "a tenth of a second");

    ok(strcmp(vb_masked("+14155550123"), "+*******0123") == 0, "masked");
    ok(strcmp(vb_masked("+123"), "+123") == 0, "too short to be");
}


static void
test_waiting(void)
{
    size_t         i;
    int64_t        last;
    vb_job_t      *job, jobs[500];
    vb_waiting_t   w;

    memset(&w, 0, sizeof(vb_waiting_t));
    ok(vb_waiting_pop(&w) == NULL, "nobody waits");

    for (i = 0; i < 500; i++) {
        jobs[i].due = (i * 7919) % 101;
        jobs[i].number = i;
        vb_waiting_push(&w, &jobs[i]);
    }

    last = -1;

    for (i = 0; i < 500; i++) {
        job = vb_waiting_pop(&w);

        if (job->due * 1000 + (int64_t) job->number < last) {
            break;
        }

        last = job->due * 1000 + job->number;
    }

    is_int(i, 500, "by time, then by row");
    ok(vb_waiting_top(&w) == NULL, "then nobody waits");
    free(w.jobs);
}


static void
is_variable(const char *argument, const char *expected)
{
    int          rc;
    vb_text_t    text;
    const char  *why;

    memset(&text, 0, sizeof(vb_text_t));

    rc = vb_variable_argument(&text, argument, &why);

    if (expected == NULL) {
        is_int(rc, VB_ERROR, "refused: %s", argument);

    } else {
        is_mem(text.data, text.len, expected, strlen(expected), "%s",
               argument);
    }

    vb_text_free(&text);
}


static void
test_variables(void)
{
    is_variable("a=b", "\"a\": \"b\"");
    is_variable("a=", "\"a\": \"\"");
    is_variable("a=b:c", "\"a\": \"b:c\"");
    is_variable("a=10:number", "\"a\": 10");
    is_variable("a= 1.50e3 :number", "\"a\": 1.50e3");
    is_variable("a=:number", "\"a\": null");
    is_variable("a=No:boolean", "\"a\": false");
    is_variable("a=[1, \"x\"]:json", "\"a\": [1, \"x\"]");
    is_variable("a=\"\n", "\"a\": \"\\\"\\n\"");
    is_variable("a=1,5:number", NULL);
    is_variable("a=0x10:number", NULL);
    is_variable("a=NaN:number", NULL);
    is_variable("a=on:boolean", NULL);
    is_variable("a={:json", NULL);
    is_variable("=b", NULL);
    is_variable("a", NULL);
    is_variable("system__x=1", NULL);
    is_variable("a=\xc3", NULL);
}


int
main(void)
{
    test_clocks();
    test_days();
    test_zones();
    test_words();
    test_waiting();
    test_variables();

    return done_testing();
}
