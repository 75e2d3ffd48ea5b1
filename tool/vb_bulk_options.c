
/* The options of voicebridge bulk, and what they mean to the dialer */


#include <vb_bulk.h>

#include <stdlib.h>


#define VB_BULK_MAX_INTERVAL  31557600000.0  /* ms: a year */


static void vb_bulk_rows(vb_bulk_options_t *o, vb_rows_t *rows);
static void vb_bulk_pace(vb_bulk_options_t *o, vb_dialer_conf_t *conf);
static void vb_bulk_retries(const char *text, vb_dialer_conf_t *conf);
static void vb_bulk_retry_wrong(const char *text);
static void vb_bulk_limits(vb_bulk_options_t *o, vb_dialer_conf_t *conf);


#define vb_bulk_offset(field)  offsetof(vb_bulk_options_t, field)


static const vb_option_t  vb_bulk_own_options[] = {

    { "agent", 'a', VB_OPTION_STRING, offsetof(vb_settings_t, agent), "ID",
      "the agent of rows without an agent_id" },

    { "types", '\0', VB_OPTION_STRING, vb_bulk_offset(types),
      "COLUMN=TYPE,...",
      "types of columns: string (the default), number, boolean, json" },

    { "var", 'v', VB_OPTION_LIST, vb_bulk_offset(variables),
      "NAME=VALUE[:TYPE]", "a dynamic variable of every row" },

    { "format", '\0', VB_OPTION_STRING, vb_bulk_offset(format), "FORMAT",
      "csv, or jsonl: an object a line; by default as the name ends" },

    { "delimiter", '\0', VB_OPTION_STRING, vb_bulk_offset(delimiter),
      "CHARACTER", "of CSV, instead of the comma; tab for a tabulator" },

    { "live", 'n', VB_OPTION_NUMBER, vb_bulk_offset(live), "N",
      "at most so many calls at a time (10)" },

    { "rate", 'r', VB_OPTION_STRING, vb_bulk_offset(rate), "N[/s|/m|/h]",
      "at most so many calls a second, minute or hour (1/s, what Twilio\n"
      "dials unless it was asked for more); 0: as fast as it goes" },

    { "delay", '\0', VB_OPTION_TIME, vb_bulk_offset(delay), "TIME",
      "the same as the time from call to call" },

    { "retry", '\0', VB_OPTION_STRING, vb_bulk_offset(retry),
      "OUTCOME=N:TIME,...",
      "busy, no-answer, failed, canceled, machine (who answered was hung up\n"
      "on) or broken calls are placed again up to N times, the first time\n"
      "after TIME, then after twice as long each: busy=3:5m,no-answer=1:2h" },

    { "hours", '\0', VB_OPTION_STRING, vb_bulk_offset(hours),
      "FROM-TO,...", "calls are made at these times only: 09:00-20:00" },

    { "days", '\0', VB_OPTION_STRING, vb_bulk_offset(days), "DAYS",
      "and on these days: mon-fri,sun" },

    { "timezone", '\0', VB_OPTION_STRING, vb_bulk_offset(zone), "ZONE",
      "of rows without a timezone, for both: Europe/Berlin; by default\n"
      "this machine's own" },

    { "do-not-call", '\0', VB_OPTION_LIST, vb_bulk_offset(blocked), "FILE",
      "numbers that are not called, one a line" },

    { "unique", '\0', VB_OPTION_FLAG, vb_bulk_offset(unique), NULL,
      "a number in several rows is called for the first of them only; 12\n"
      "bytes of memory for each number" },

    { "journal", '\0', VB_OPTION_STRING, vb_bulk_offset(journal), "FILE",
      "what was done (FILE.journal beside the rows). With it the same\n"
      "command goes on where the last one was" },

    { "idempotency", '\0', VB_OPTION_STRING, vb_bulk_offset(idempotency),
      "TIME",
      "how long the server remembers a call's key, that is its\n"
      "voicebridge_idempotency_lifetime (24h): so long a call without an\n"
      "answer is asked for again; off: never, and no key is sent" },

    { "max-failures", '\0', VB_OPTION_STRING, vb_bulk_offset(max_failures),
      "N|P%",
      "stops after more than N failures, or more than P percent of the last\n"
      "100 calls: failed, broken, refused, unknown" },

    { "max-waiting", '\0', VB_OPTION_NUMBER, vb_bulk_offset(max_waiting),
      "N",
      "rows that wait for their hours or for another try, in memory; at\n"
      "so many no more are read (10000)" },

    { "test-call", '\0', VB_OPTION_STRING, vb_bulk_offset(test_call),
      "NUMBER",
      "first calls this number with the first row's variables, and goes on\n"
      "only if that call was completed, and on a terminal when told so" },

    { "yes", 'y', VB_OPTION_FLAG, vb_bulk_offset(yes), NULL,
      "goes on after it without being told so" },

    { "dry-run", '\0', VB_OPTION_FLAG, vb_bulk_offset(dry_run), NULL,
      "looks at all rows and calls nobody" },

    { "now", '\0', VB_OPTION_STRING, vb_bulk_offset(now), "TIME",
      "of a dry run, for the calling hours: 2026-03-29T00:30:00Z" },

    { "no-wait", '\0', VB_OPTION_FLAG, vb_bulk_offset(no_wait), NULL,
      "ends, with 5, when all that is left has to wait: for cron" },

    { "follow", '\0', VB_OPTION_STRING, vb_bulk_offset(follow), "HOW",
      "who tells what becomes of calls: calls, the server's list (the\n"
      "default); twilio, its REST API, with TWILIO_ACCOUNT_SID and\n"
      "TWILIO_AUTH_TOKEN of the environment; none: nobody, a call that was\n"
      "placed counts as completed" },

    { "twilio-api-url", '\0', VB_OPTION_STRING, vb_bulk_offset(twilio_url),
      "URL", "of that API (https://api.twilio.com)" },

    { "poll", '\0', VB_OPTION_TIME, vb_bulk_offset(poll), "TIME",
      "how often they are asked (1s)" },

    { "answer-timeout", '\0', VB_OPTION_TIME,
      vb_bulk_offset(answer_timeout), "TIME",
      "a call the server does not tell of by then is unknown (2m)" },

    { "progress", '\0', VB_OPTION_TIME, vb_bulk_offset(progress), "TIME",
      "how often it is shown (200ms on a terminal, else 10s)" },

    { "verbose", '\0', VB_OPTION_FLAG, vb_bulk_offset(verbose), NULL,
      "a line for all that happens to a row" },

    { "quiet", 'q', VB_OPTION_FLAG, vb_bulk_offset(quiet), NULL,
      "no progress" },

    { "json", 'j', VB_OPTION_FLAG, vb_bulk_offset(json), NULL,
      "the statistics at the end as one JSON object" },

    { NULL, 0, 0, 0, NULL, NULL }
};


static const vb_option_t  *vb_bulk_options[] = {
    vb_bulk_own_options, vb_settings_options, NULL
};


const vb_command_t  vb_bulk_command = {

    "bulk",

    "voicebridge bulk FILE [OPTION ...]",

    "Places a call for each row of FILE, once. Its columns phone_number (or\n"
    "to_number), agent_id, timezone and session_id have a meaning, all others\n"
    "are dynamic variables of the agent.\n\n"
    "USR1 pauses, USR2 goes on. INT (Ctrl-C) and TERM let the calls that are\n"
    "going on end, a second one leaves them alone. Whatever has happened, the\n"
    "same command goes on where it was, and dials nobody twice.",

    "voicebridge bulk customers.csv --dry-run\n"
    "voicebridge bulk customers.csv --test-call +14155550111\n"
    "voicebridge bulk customers.csv --types due=number,vip=boolean \\\n"
    "    --live 20 --rate 5/s --retry busy=3:5m,no-answer=1:2h \\\n"
    "    --hours 09:00-20:00 --days mon-sat --timezone Europe/Berlin \\\n"
    "    --do-not-call stop.txt --max-failures 20%\n"
    "zcat rows.jsonl.gz | voicebridge bulk - --format jsonl \\\n"
    "    --journal rows.journal --json | jq .outcomes\n",

    "0  all rows are done: completed, or on the do-not-call list\n"
    "1  all rows are done, some of them not completed\n"
    "2  an option, a setting, the file or its journal is wrong\n"
    "3  the server cannot be used\n"
    "4  stopped: too many failures\n"
    "5  interrupted: there is more to do\n",

    vb_bulk_options,
    1
};


void
vb_bulk_configure(vb_bulk_options_t *o, vb_dialer_conf_t *conf,
    vb_rows_t *rows)
{
    size_t            i;
    const char       *why;
    vb_follow_conf_t  follow = VB_FOLLOW_CONF_INIT;

    conf->settings = &o->settings;
    conf->rows = rows;
    conf->follow = follow;
    conf->follow.poll = o->poll;
    conf->follow.answer_timeout = o->answer_timeout;

    if (o->twilio_url) {
        conf->follow.twilio_url = o->twilio_url;
    }

    vb_bulk_rows(o, rows);
    vb_bulk_pace(o, conf);
    vb_bulk_limits(o, conf);

    if (o->retry) {
        vb_bulk_retries(o->retry, conf);
    }

    conf->schedule = vb_schedule_create(o->hours, o->days, o->zone, &why);

    if (conf->schedule == NULL) {
        vb_die(VB_EXIT_USAGE, "%s", why);
    }

    conf->blocked = vb_alloc(sizeof(vb_numbers_t));

    for (i = 0; i < o->blocked.n; i++) {
        vb_numbers_load(conf->blocked, o->blocked.value[i]);
    }

    if (o->unique) {
        conf->once = vb_alloc(sizeof(vb_numbers_t));
    }

    conf->no_wait = o->no_wait;
    conf->verbose = o->verbose;
}


static void
vb_bulk_rows(vb_bulk_options_t *o, vb_rows_t *rows)
{
    size_t       i, len;
    vb_text_t    members;
    const char  *why;

    len = strlen(o->input);
    rows->name = o->input;

    if (o->format == NULL) {
        rows->jsonl = (len > 6 && strcmp(o->input + len - 6, ".jsonl") == 0)
                      || (len > 7
                          && strcmp(o->input + len - 7, ".ndjson") == 0);

    } else if (strcmp(o->format, "jsonl") == 0) {
        rows->jsonl = 1;

    } else if (strcmp(o->format, "csv") != 0) {
        vb_die(VB_EXIT_USAGE, "--format is csv or jsonl, not \"%s\"",
               o->format);
    }

    rows->delimiter = ',';

    if (o->delimiter) {
        rows->delimiter = strcmp(o->delimiter, "tab") == 0
                          ? '\t' : (u_char) o->delimiter[0];

        if ((strlen(o->delimiter) != 1 && rows->delimiter != '\t')
            || strchr("\"\r\n", rows->delimiter))
        {
            vb_die(VB_EXIT_USAGE, "--delimiter is one character, or tab");
        }
    }

    rows->types = o->types;

    memset(&members, 0, sizeof(vb_text_t));

    for (i = 0; i < o->variables.n; i++) {
        if (vb_variable_argument(&members, o->variables.value[i], &why)
            != VB_OK)
        {
            vb_die(VB_EXIT_USAGE, "--var \"%s\" %s", o->variables.value[i],
                   why);
        }
    }

    rows->variables = (char *) members.data;
}


static void
vb_bulk_pace(vb_bulk_options_t *o, vb_dialer_conf_t *conf)
{
    char    *end;
    double   rate, unit;

    conf->interval = 1000;

    if (o->delay >= 0) {
        conf->interval = o->delay;
    }

    if (o->rate == NULL) {
        return;
    }

    if (o->delay >= 0) {
        vb_die(VB_EXIT_USAGE, "--rate or --delay, not both");
    }

    rate = strtod(o->rate, &end);
    unit = 1000;

    if (strcmp(end, "/m") == 0) {
        unit = 60000;

    } else if (strcmp(end, "/h") == 0) {
        unit = 3600000;

    } else if (*end && strcmp(end, "/s") != 0) {
        end = (char *) o->rate;
    }

    if (end == o->rate || !(rate >= 0)) {
        vb_die(VB_EXIT_USAGE, "--rate is like 5, 5/s, 30/m or 100/h, not "
               "\"%s\"", o->rate);
    }

    conf->interval = rate > 0 ? unit / rate : 0;

    if (conf->interval > VB_BULK_MAX_INTERVAL) {
        vb_die(VB_EXIT_USAGE, "--rate \"%s\" is less than a call a year",
               o->rate);
    }
}


static void
vb_bulk_retries(const char *text, vb_dialer_conf_t *conf)
{
    char          one[64], *p, *end;
    size_t        len;
    vb_retry_t   *retry;
    vb_outcome_t  outcome;

    for ( /* void */ ; *text; text += len + (text[len] == ',')) {
        len = strcspn(text, ",");

        snprintf(one, sizeof(one), "%.*s", (int) len, text);

        p = strchr(one, '=');
        outcome = p ? vb_outcome_find((u_char *) one, p - one)
                    : VB_OUTCOME_NONE;

        if (outcome < VB_OUTCOME_BUSY || outcome > VB_OUTCOME_BROKEN) {
            vb_bulk_retry_wrong(one);
        }

        retry = &conf->retry[outcome];
        retry->max = strtoul(p + 1, &end, 10);
        retry->delay = (*end == ':') ? vb_duration_parse(end + 1) : VB_ERROR;

        if (end == p + 1 || retry->max > 100 || retry->delay == VB_ERROR) {
            vb_bulk_retry_wrong(one);
        }
    }
}


static void
vb_bulk_retry_wrong(const char *text)
{
    vb_die(VB_EXIT_USAGE, "--retry is like busy=3:5m,no-answer=1:2h, of busy, "
           "no-answer, failed, canceled, machine and broken, up to 100 times, "
           "not \"%s\"", text);
}


static void
vb_bulk_limits(vb_bulk_options_t *o, vb_dialer_conf_t *conf)
{
    char  *end;

    if (o->live < 1 || o->live > 10000) {
        vb_die(VB_EXIT_USAGE, "--live is a number from 1 to 10000");
    }

    if (o->max_waiting < 1 || o->max_waiting > 10000000) {
        vb_die(VB_EXIT_USAGE, "--max-waiting is a number from 1 to 10000000");
    }

    conf->max_live = o->live;
    conf->max_waiting = o->max_waiting;

    conf->idempotency = 24 * 3600000;

    if (o->idempotency) {
        conf->idempotency = strcmp(o->idempotency, "off") == 0
                            ? 0 : vb_duration_parse(o->idempotency);
    }

    if (conf->idempotency == VB_ERROR) {
        vb_die(VB_EXIT_USAGE, "--idempotency is a time such as 24h, or off");
    }

    if (o->max_failures) {
        conf->max_failures = strtoll(o->max_failures, &end, 10);
        conf->percent = (*end == '%');

        if (end == o->max_failures || *(end + conf->percent)
            || conf->max_failures < 1
            || (conf->percent && conf->max_failures > 99))
        {
            vb_die(VB_EXIT_USAGE, "--max-failures is a number, or percent "
                   "such as 20%%");
        }
    }
}
