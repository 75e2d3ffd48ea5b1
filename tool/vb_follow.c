
/*
 * Calls that are going on, and who is asked for them: the server for all at
 * once, or Twilio for each.
 */


#include <vb_follow.h>
#include <vb_calls.h>

#include <stdlib.h>


/* questions to Twilio at a time */
#define VB_FOLLOW_MAX_ASKED  16

/* ms, the longest that nobody is asked since that would be too often */
#define VB_FOLLOW_MAX_PAUSE  60000

/* answers in a row that do not tell of a call which others did, until it is
 * believed: behind one address there may be two servers, or an old one still
 * beside a new */
#define VB_FOLLOW_MAX_MISSES  10

/* calls that have ended, of which a server tells: one may be forgotten then */
#define VB_FOLLOW_RECENT      100

/* there is no such call: Twilio says so to who may ask for calls only */
#define VB_FOLLOW_NO_CALL    "CA00000000000000000000000000000000"


struct vb_follow_s {
    vb_http_t               *http;
    const vb_settings_t     *settings;
    vb_follow_conf_t         conf;
    vb_follow_pt             handler;
    void                    *ctx;

    vb_followed_t           *calls;
    size_t                   ncalls;

    size_t                   asked;    /* questions without an answer yet */
    size_t                   ended;    /* calls in the last answer */
    int64_t                  due;      /* of the next one to the server */
    int64_t                  hold;     /* nobody is asked before */
    int64_t                  pause;    /* ms, of the last hold */
    long                     status;   /* of the last bad answer */
    unsigned                 checked:1;
    unsigned                 good:1;
    char                     error[320];
};


static void vb_follow_ask_server(vb_follow_t *f);
static void vb_follow_server_answer(void *data, const vb_http_answer_t *a);
static void vb_follow_server_call(void *data, const char *call_sid,
    const vb_progress_of_call_t *progress);
static void vb_follow_missing(vb_follow_t *f);
static void vb_follow_overdue(vb_follow_t *f);
static void vb_follow_ask_twilio(vb_follow_t *f, const char *call_sid,
    vb_http_done_pt done, void *data);
static void vb_follow_twilio_answer(void *data, const vb_http_answer_t *a);
static void vb_follow_twilio_checked(void *data, const vb_http_answer_t *a);
static void vb_follow_tell(vb_follow_t *f, vb_followed_t *call,
    const vb_progress_of_call_t *progress);
static void vb_follow_end(vb_follow_t *f, vb_followed_t *call,
    vb_outcome_t outcome, const char *reason);
static void vb_follow_bad(vb_follow_t *f, const vb_http_answer_t *a);
static const char *vb_follow_remedy(long status);
static void vb_follow_pause(vb_follow_t *f, const vb_http_answer_t *a);


void
vb_follow_configure(vb_follow_conf_t *conf, const char *how)
{
    if (conf->poll < VB_FOLLOW_MIN_POLL) {
        vb_die(VB_EXIT_USAGE, "--poll is 10ms at least");
    }

    if (how == NULL || strcmp(how, "calls") == 0) {
        conf->how = VB_FOLLOW_CALLS;
        return;
    }

    if (strcmp(how, "none") == 0) {
        conf->how = VB_FOLLOW_NONE;
        return;
    }

    if (strcmp(how, "twilio") != 0) {
        vb_die(VB_EXIT_USAGE, "--follow wants calls, twilio or none, not "
               "\"%s\"", how);
    }

    conf->how = VB_FOLLOW_TWILIO;
    conf->account_sid = getenv("TWILIO_ACCOUNT_SID");
    conf->auth_token = getenv("TWILIO_AUTH_TOKEN");

    if (conf->account_sid == NULL || conf->auth_token == NULL) {
        vb_die(VB_EXIT_USAGE, "--follow twilio wants TWILIO_ACCOUNT_SID and "
               "TWILIO_AUTH_TOKEN in the environment");
    }
}


vb_follow_t *
vb_follow_create(vb_http_t *http, const vb_settings_t *s,
    const vb_follow_conf_t *conf, vb_follow_pt handler, void *ctx)
{
    vb_follow_t  *f;

    f = vb_alloc(sizeof(vb_follow_t));

    f->http = http;
    f->settings = s;
    f->conf = *conf;
    f->handler = handler;
    f->ctx = ctx;

    return f;
}


void
vb_follow_add(vb_follow_t *f, vb_followed_t *call)
{
    call->follow = f;
    call->since = vb_now();
    call->due = call->since + f->conf.poll;
    call->misses = 0;
    call->seen = 0;
    call->live = 0;
    call->told = 0;
    call->asked = 0;

    if (f->calls == NULL) {
        f->due = call->due;
    }

    call->next = f->calls;
    f->calls = call;
    f->ncalls++;
}


int64_t
vb_follow_run(vb_follow_t *f)
{
    int64_t         now, wait;
    vb_followed_t  *call, *next;

    now = vb_now();
    wait = f->conf.poll;

    if (f->calls == NULL) {
        return wait;
    }

    if (f->hold > now) {
        return f->hold - now;
    }

    if (f->conf.how == VB_FOLLOW_CALLS) {

        if (f->asked) {
            return wait;
        }

        if (f->due <= now) {
            vb_follow_ask_server(f);
            return wait;
        }

        return f->due - now;
    }

    for (call = f->calls; call; call = next) {
        next = call->next;

        if (call->asked) {
            continue;
        }

        if (now - call->since > f->conf.call_timeout) {
            vb_follow_end(f, call, VB_OUTCOME_UNKNOWN, "still going on");
            continue;
        }

        if (call->due > now) {
            wait = vb_min(wait, call->due - now);

        } else if (f->asked < VB_FOLLOW_MAX_ASKED) {
            call->asked = 1;
            vb_follow_ask_twilio(f, call->call_sid, vb_follow_twilio_answer,
                                 call);
        }
    }

    return wait;
}


const char *
vb_follow_error(const vb_follow_t *f)
{
    return f->error[0] ? f->error : NULL;
}


int
vb_follow_is_lost(const vb_follow_t *f)
{
    return f->error[0] && f->status >= 400 && f->status < 500
           && f->status != 408 && f->status != 429;
}


int
vb_follow_check(vb_follow_t *f)
{
    f->checked = 0;

    switch (f->conf.how) {

    case VB_FOLLOW_CALLS:
        vb_follow_ask_server(f);
        break;

    case VB_FOLLOW_TWILIO:
        vb_follow_ask_twilio(f, VB_FOLLOW_NO_CALL, vb_follow_twilio_checked,
                             f);
        break;

    default: /* VB_FOLLOW_NONE */
        return VB_OK;
    }

    while (!f->checked) {
        vb_http_run(f->http, 1000, -1);
    }

    return f->good ? VB_OK : f->status ? VB_DECLINED : VB_ERROR;
}


static void
vb_follow_ask_server(vb_follow_t *f)
{
    vb_text_t           url;
    const char         *headers[2];
    vb_text_t           key;
    vb_http_request_t   request;

    memset(&request, 0, sizeof(vb_http_request_t));
    memset(&url, 0, sizeof(vb_text_t));
    memset(&key, 0, sizeof(vb_text_t));

    vb_settings_url(f->settings, f->settings->calls_path, &url);

    /* one call is asked for alone: the server has less to tell; but where it
     * is missing all are, to see whether there are too many */

    if (f->ncalls == 1 && f->calls->misses == 0) {
        vb_text_printf(&url, "?sid=%s", f->calls->call_sid);
    }

    headers[0] = NULL;
    headers[1] = NULL;

    if (f->settings->key) {
        vb_text_printf(&key, "X-API-Key: %s", f->settings->key);
        headers[0] = (char *) key.data;
    }

    request.url = (char *) url.data;
    request.headers = headers;
    request.userpwd = f->settings->calls_auth;
    request.timeout = f->settings->timeout;

    f->asked++;
    vb_http_send(f->http, &request, vb_follow_server_answer, f);

    vb_text_free(&url);
    vb_text_free(&key);
}


static void
vb_follow_server_answer(void *data, const vb_http_answer_t *a)
{
    vb_follow_t    *f = data;
    vb_followed_t  *call;

    f->asked--;
    f->due = vb_now() + f->conf.poll;
    f->checked = 1;
    f->good = 0;
    f->ended = 0;

    for (call = f->calls; call; call = call->next) {
        call->told = 0;
    }

    if (a->status == 200
        && vb_calls_read(&a->body, vb_follow_server_call, f) == VB_OK)
    {
        f->good = 1;
        f->pause = 0;
        f->error[0] = '\0';
        vb_follow_missing(f);

    } else {
        vb_follow_bad(f, a);
    }

    vb_follow_overdue(f);
}


static void
vb_follow_server_call(void *data, const char *call_sid,
    const vb_progress_of_call_t *progress)
{
    vb_follow_t    *f = data;
    vb_followed_t  *call;

    f->ended += (progress->outcome != VB_OUTCOME_NONE);

    for (call = f->calls; call; call = call->next) {

        if (strcmp(call->call_sid, call_sid) == 0) {
            call->seen = 1;
            call->told = 1;
            call->misses = 0;
            call->live |= (strcmp(progress->state, "live") == 0);
            vb_follow_tell(f, call, progress);
            return;
        }
    }
}


/*
 * Those the server does not tell of: it is another one of a fleet, has no room
 * for them, was restarted, or they are over for so long that it has forgotten
 * them.
 */

static void
vb_follow_missing(vb_follow_t *f)
{
    int64_t         now, age;
    vb_followed_t  *call, *next;

    now = vb_now();

    for (call = f->calls; call; call = next) {
        next = call->next;
        age = now - call->since;

        if (call->told) {
            continue;
        }

        /* one that was added while the question was under way waits */

        if (!call->seen) {
            if (age > f->conf.answer_timeout) {
                vb_follow_end(f, call, VB_OUTCOME_UNKNOWN,
                              "the server does not tell of it");
            }

            continue;
        }

        if (++call->misses < VB_FOLLOW_MAX_MISSES) {
            continue;
        }

        if (call->live && f->ended >= VB_FOLLOW_RECENT) {
            vb_follow_end(f, call, VB_OUTCOME_COMPLETED, "ended");

        } else {
            vb_follow_end(f, call, VB_OUTCOME_UNKNOWN,
                          "the server does not know it any more");
        }
    }
}


/* whatever the server says of them, or does not */

static void
vb_follow_overdue(vb_follow_t *f)
{
    int64_t         now;
    vb_followed_t  *call, *next;

    now = vb_now();

    for (call = f->calls; call; call = next) {
        next = call->next;

        if (now - call->since > f->conf.call_timeout) {
            vb_follow_end(f, call, VB_OUTCOME_UNKNOWN,
                          f->good ? "still going on" : "not followed");
        }
    }
}


static void
vb_follow_ask_twilio(vb_follow_t *f, const char *call_sid,
    vb_http_done_pt done, void *data)
{
    vb_text_t          url, userpwd;
    vb_http_request_t  request;

    memset(&request, 0, sizeof(vb_http_request_t));
    memset(&url, 0, sizeof(vb_text_t));
    memset(&userpwd, 0, sizeof(vb_text_t));

    vb_text_printf(&url, "%s/2010-04-01/Accounts/%s/Calls/%s.json",
                   f->conf.twilio_url, f->conf.account_sid, call_sid);
    vb_text_printf(&userpwd, "%s:%s", f->conf.account_sid,
                   f->conf.auth_token);

    request.url = (char *) url.data;
    request.userpwd = (char *) userpwd.data;
    request.timeout = f->settings->timeout;

    f->asked++;
    vb_http_send(f->http, &request, done, data);

    vb_text_free(&url);
    vb_text_free(&userpwd);
}


static void
vb_follow_twilio_answer(void *data, const vb_http_answer_t *a)
{
    vb_follow_t            *f;
    vb_followed_t          *call = data;
    vb_progress_of_call_t   progress;

    f = call->follow;

    f->asked--;
    call->asked = 0;
    call->due = vb_now() + f->conf.poll;

    memset(&progress, 0, sizeof(vb_progress_of_call_t));

    if (a->status == 200
        && vb_calls_read_one(&a->body, &progress) == VB_OK)
    {
        f->pause = 0;
        f->error[0] = '\0';
        vb_follow_tell(f, call, &progress);
        return;
    }

    vb_follow_bad(f, a);

    if (a->status == 404) {
        vb_follow_end(f, call, VB_OUTCOME_UNKNOWN, "Twilio has no such call");
    }
}


static void
vb_follow_twilio_checked(void *data, const vb_http_answer_t *a)
{
    vb_follow_t  *f = data;

    f->asked--;
    f->checked = 1;

    /* asked too often it will tell of calls all the same, later */

    f->good = (a->status == 200 || a->status == 404 || a->status == 429);

    if (!f->good) {
        vb_follow_bad(f, a);
    }
}


static void
vb_follow_tell(vb_follow_t *f, vb_followed_t *call,
    const vb_progress_of_call_t *progress)
{
    vb_followed_t  **p;

    if (progress->outcome != VB_OUTCOME_NONE) {

        for (p = &f->calls; *p != call; p = &(*p)->next) { /* void */ }

        *p = call->next;
        f->ncalls--;
    }

    f->handler(f->ctx, call, progress);
}


static void
vb_follow_end(vb_follow_t *f, vb_followed_t *call, vb_outcome_t outcome,
    const char *reason)
{
    vb_progress_of_call_t  progress;

    memset(&progress, 0, sizeof(vb_progress_of_call_t));

    progress.outcome = outcome;
    progress.state = "ended";
    progress.duration = -1;
    snprintf(progress.reason, sizeof(progress.reason), "%s", reason);

    vb_follow_tell(f, call, &progress);
}


static void
vb_follow_bad(vb_follow_t *f, const vb_http_answer_t *a)
{
    f->status = a->status;

    if (a->status == 429) {
        vb_follow_pause(f, a);
    }

    if (a->status == 0) {
        snprintf(f->error, sizeof(f->error), "%s: %s",
                 f->conf.how == VB_FOLLOW_CALLS ? f->settings->url : "Twilio",
                 a->error);
        return;
    }

    if (f->conf.how != VB_FOLLOW_CALLS) {
        snprintf(f->error, sizeof(f->error), "Twilio answers %ld%s",
                 a->status, a->status == 401
                            ? ": TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN do "
                              "not belong together" : "");
        return;
    }

    snprintf(f->error, sizeof(f->error), "%s answers %ld%s",
             f->settings->calls_path, a->status, vb_follow_remedy(a->status));
}


static const char *
vb_follow_remedy(long status)
{
    switch (status) {

    case 200:
        return " without a list of calls";

    case 401:
        return ": it wants VOICEBRIDGE_CALLS_AUTH";

    case 403:
        return ": this machine may not ask, see the location's allow";

    case 404:
        return ": --calls-path is the location of voicebridge_calls";

    case 503:
        return ": is there a voicebridge_zone?";

    default:
        return status / 100 == 3 ? ": --url has to lead where that does" : "";
    }
}


/* twice as long each time in a row, or as long as was asked for */

static void
vb_follow_pause(vb_follow_t *f, const vb_http_answer_t *a)
{
    int64_t  now;

    now = vb_now();

    /* of the questions that were under way only the first counts */

    if (f->hold > now) {
        return;
    }

    f->pause = vb_min(f->pause ? 2 * f->pause : f->conf.poll,
                      VB_FOLLOW_MAX_PAUSE);

    f->hold = now + (a->retry_after > f->pause ? a->retry_after : f->pause);
}
