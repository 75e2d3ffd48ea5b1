
/* voicebridge call: places one call and follows it to its end */


#include <vb_follow.h>
#include <vb_place.h>
#include <vb_request.h>

#include <stdlib.h>


typedef struct {
    vb_settings_t        settings;     /* the first */

    const char          *to;
    const char          *session;
    const char          *key;
    const char          *follow;
    const char          *twilio_url;
    vb_list_t            variables;
    int64_t              poll;
    int64_t              answer_timeout;
    int                  json;
    int                  no_wait;
} vb_call_options_t;


typedef struct {
    vb_call_options_t   *options;
    vb_placed_t          placed;
    vb_followed_t        followed;
    vb_progress_of_call_t  progress;
    int64_t              started;
    vb_follow_conf_t     follow;
    const char          *shown;        /* the last state */
    unsigned             answered:1;
} vb_call_t;


static void vb_call_configure(vb_call_options_t *o, vb_follow_conf_t *follow);
static void vb_call_request(vb_call_options_t *o, vb_text_t *body);
static void vb_call_placed(void *data, const vb_http_answer_t *a);
static vb_follow_t *vb_call_follower(vb_call_t *call, vb_http_t *http);
static void vb_call_follow(vb_call_t *call, vb_follow_t *f, vb_http_t *http);
static void vb_call_progress(void *ctx, vb_followed_t *followed,
    const vb_progress_of_call_t *progress);
static int vb_call_report(vb_call_t *call);
static void vb_call_json(vb_call_t *call, vb_outcome_t outcome);
static int vb_call_not_placed(vb_call_t *call);


static const vb_option_t  vb_call_own_options[] = {

    { "to", 't', VB_OPTION_STRING, offsetof(vb_call_options_t, to), "NUMBER",
      "whom to call, in E.164 form: +14155550123" },

    { "agent", 'a', VB_OPTION_STRING, offsetof(vb_settings_t, agent), "ID",
      "the ElevenLabs agent that speaks; by default the server's own" },

    { "var", 'v', VB_OPTION_LIST, offsetof(vb_call_options_t, variables),
      "NAME=VALUE[:TYPE]",
      "a dynamic variable; TYPE is string, number, boolean or json. May\n"
      "be given more than once" },

    { "session", '\0', VB_OPTION_STRING,
      offsetof(vb_call_options_t, session), "ID",
      "session_id, for the logs" },

    { "idempotency-key", '\0', VB_OPTION_STRING,
      offsetof(vb_call_options_t, key), "KEY",
      "a second request with it places no second call" },

    { "no-wait", '\0', VB_OPTION_FLAG, offsetof(vb_call_options_t, no_wait),
      NULL, "ends once the call is placed" },

    { "follow", '\0', VB_OPTION_STRING, offsetof(vb_call_options_t, follow),
      "HOW",
      "who tells what becomes of the call: calls, the server's list of\n"
      "calls (the default); or twilio, Twilio's REST API with\n"
      "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN of the environment" },

    { "twilio-api-url", '\0', VB_OPTION_STRING,
      offsetof(vb_call_options_t, twilio_url), "URL",
      "of that API (https://api.twilio.com)" },

    { "poll", '\0', VB_OPTION_TIME, offsetof(vb_call_options_t, poll), "TIME",
      "how often it is asked (500ms)" },

    { "answer-timeout", '\0', VB_OPTION_TIME,
      offsetof(vb_call_options_t, answer_timeout), "TIME",
      "a call the server does not tell of by then is unknown (2m)" },

    { "json", 'j', VB_OPTION_FLAG, offsetof(vb_call_options_t, json), NULL,
      "one JSON object at the end instead of text" },

    { NULL, 0, 0, 0, NULL, NULL }
};


static const vb_option_t  *vb_call_options[] = {
    vb_call_own_options, vb_settings_options, NULL
};


static const vb_command_t  vb_call_command = {

    "call",

    "voicebridge call --to NUMBER [--agent ID] [--var NAME=VALUE ...]",

    "Places one call through POST /twilio/outbound-call and follows it to its "
    "end.",

    "voicebridge call --url https://voice.example.com --key-file ~/.vb-key \\\n"
    "    --agent agent_0123 --to +14155550123 \\\n"
    "    --var name=Zo\303\253 --var due=120.50:number --var vip=true:boolean\n"
    "\n"
    "export VOICEBRIDGE_URL=https://voice.example.com\n"
    "export VOICEBRIDGE_API_KEY=...\n"
    "voicebridge call --to +14155550123 --json | jq -r .outcome\n",

    "0  the call took place\n"
    "1  it did not: busy, no answer, a machine, failed, refused\n"
    "2  an option or a setting is wrong\n"
    "3  the server cannot be used; there is no call\n"
    "6  it is not known whether there was a call, or how it ended\n",

    vb_call_options,
    0
};


int
vb_call_main(int argc, char **argv)
{
    vb_text_t           body;
    vb_call_t           call;
    vb_http_t          *http;
    const char         *arguments[1];
    vb_follow_t        *follow;
    vb_call_options_t   o = { .settings = VB_SETTINGS_INIT, .poll = 500,
                              .answer_timeout = 120000 };

    vb_options_parse(&vb_call_command, argc, argv, &o, arguments);

    vb_settings_complete(&o.settings, 0);

    memset(&body, 0, sizeof(vb_text_t));
    memset(&call, 0, sizeof(vb_call_t));

    vb_call_request(&o, &body);
    vb_call_configure(&o, &call.follow);

    call.options = &o;
    call.started = vb_now();

    http = vb_http_create(o.settings.cacert, o.settings.insecure);
    follow = vb_call_follower(&call, http);

    vb_place_send(http, &o.settings, (char *) body.data, o.key,
                  vb_call_placed, &call);

    while (!call.answered) {
        vb_http_run(http, 1000, -1);
    }

    vb_text_free(&body);

    if (call.placed.result != VB_PLACED) {
        return vb_call_not_placed(&call);
    }

    if (!o.json) {
        printf("Placed: %s to %s\n", call.placed.call_sid, vb_masked(o.to));
        fflush(stdout);
    }

    if (!o.no_wait) {
        vb_call_follow(&call, follow, http);
    }

    vb_http_destroy(http);

    return vb_call_report(&call);
}


/* before the call is placed: nobody is called with a wrong option */

static void
vb_call_configure(vb_call_options_t *o, vb_follow_conf_t *follow)
{
    vb_follow_conf_t  conf = VB_FOLLOW_CONF_INIT;

    conf.poll = o->poll;
    conf.answer_timeout = o->answer_timeout;

    if (o->twilio_url) {
        conf.twilio_url = o->twilio_url;
    }

    vb_follow_configure(&conf, o->follow);

    if (conf.how == VB_FOLLOW_NONE) {
        o->no_wait = 1;
    }

    *follow = conf;
}


static void
vb_call_request(vb_call_options_t *o, vb_text_t *body)
{
    size_t         i;
    vb_text_t      variables;
    const char    *why;
    vb_request_t   request;

    memset(&variables, 0, sizeof(vb_text_t));
    memset(&request, 0, sizeof(vb_request_t));

    if (o->to == NULL) {
        vb_die(VB_EXIT_USAGE, "whom to call? --to +14155550123");
    }

    if (!vb_is_e164((u_char *) o->to, strlen(o->to))) {
        vb_die(VB_EXIT_USAGE, "--to wants a number in E.164 form such as "
               "+14155550123");
    }

    for (i = 0; i < o->variables.n; i++) {
        if (vb_variable_argument(&variables, o->variables.value[i], &why)
            != VB_OK)
        {
            vb_die(VB_EXIT_USAGE, "--var \"%s\" %s", o->variables.value[i],
                   why);
        }
    }

    request.to.data = (u_char *) o->to;
    request.to.len = strlen(o->to);

    if (o->settings.agent) {
        request.agent.data = (u_char *) o->settings.agent;
        request.agent.len = strlen(o->settings.agent);
    }

    if (o->session) {
        request.session.data = (u_char *) o->session;
        request.session.len = strlen(o->session);
    }

    request.variables.data = variables.data;
    request.variables.len = variables.len;

    vb_request_write(body, &request);
    vb_text_free(&variables);
}


static void
vb_call_placed(void *data, const vb_http_answer_t *a)
{
    vb_call_t  *call = data;

    vb_place_read(a, &call->placed);
    call->answered = 1;
}


/* Twilio's key is tried before there is a call that nobody could follow */

static vb_follow_t *
vb_call_follower(vb_call_t *call, vb_http_t *http)
{
    vb_follow_t  *f;

    f = vb_follow_create(http, &call->options->settings, &call->follow,
                         vb_call_progress, call);

    if (call->follow.how == VB_FOLLOW_TWILIO && !call->options->no_wait
        && vb_follow_check(f) != VB_OK)
    {
        vb_die(VB_EXIT_SERVER, "the call could not be followed: %s",
               vb_follow_error(f));
    }

    return f;
}


static void
vb_call_follow(vb_call_t *call, vb_follow_t *f, vb_http_t *http)
{
    int64_t      wait;
    const char  *error, *told;

    memcpy(call->followed.call_sid, call->placed.call_sid,
           sizeof(call->followed.call_sid));
    vb_follow_add(f, &call->followed);

    told = NULL;

    while (call->progress.outcome == VB_OUTCOME_NONE) {
        wait = vb_follow_run(f);
        vb_http_run(http, wait, -1);

        error = vb_follow_error(f);

        if (error && told == NULL) {
            vb_error("the call goes on, but cannot be followed%s: %s",
                     vb_follow_is_lost(f) ? "" : " at the moment", error);
            told = error;
        }

        /* a list of calls that is not there will not come */

        if (vb_follow_is_lost(f)) {
            call->progress.outcome = VB_OUTCOME_UNKNOWN;
            snprintf(call->progress.reason, sizeof(call->progress.reason),
                     "not followed");
            call->progress.duration = -1;
        }
    }
}


static void
vb_call_progress(void *ctx, vb_followed_t *followed,
    const vb_progress_of_call_t *progress)
{
    vb_call_t  *call = ctx;

    if (!call->options->json
        && progress->outcome == VB_OUTCOME_NONE
        && (call->shown == NULL || strcmp(call->shown, progress->state) != 0))
    {
        printf("%7.1f s  %s\n", (vb_now() - call->started) / 1e3,
               progress->state);
        fflush(stdout);
    }

    call->progress = *progress;

    free((char *) call->shown);
    call->shown = vb_strndup((u_char *) progress->state,
                             strlen(progress->state));
}


static int
vb_call_report(vb_call_t *call)
{
    vb_outcome_t            outcome;
    vb_progress_of_call_t  *p;

    p = &call->progress;
    outcome = p->outcome;

    if (call->options->json) {
        vb_call_json(call, outcome);

    } else if (!call->options->no_wait) {
        printf("%7.1f s  %s", (vb_now() - call->started) / 1e3,
               vb_outcome_name(outcome));

        if (!vb_outcome_says(outcome, p->reason)) {
            printf(": %s", p->reason);
        }

        if (p->error[0]) {
            printf(": %s", p->error);
        }

        if (p->duration >= 0) {
            printf(", %.1f s", p->duration / 1e3);
        }

        printf("\n");
    }

    switch (outcome) {

    case VB_OUTCOME_NONE:
    case VB_OUTCOME_COMPLETED:
        return VB_EXIT_OK;

    case VB_OUTCOME_UNKNOWN:
        return VB_EXIT_UNKNOWN;

    default:
        return VB_EXIT_FAILED;
    }
}


static int
vb_call_not_placed(vb_call_t *call)
{
    int           status;
    vb_placed_t  *placed;

    placed = &call->placed;

    switch (placed->result) {

    case VB_PLACE_REFUSED:
        status = VB_EXIT_FAILED;
        vb_error("refused: %s", placed->detail);
        break;

    case VB_PLACE_DOUBT:
        status = VB_EXIT_UNKNOWN;
        vb_error("%s%s", placed->detail, vb_place_remedy(placed));
        break;

    case VB_PLACE_LATER:
        status = VB_EXIT_SERVER;

        if (placed->retry_after > 0) {
            vb_error("%s; try again in %s", placed->detail,
                     vb_duration_print(placed->retry_after));
            break;
        }

        /* fall through */

    default: /* VB_PLACE_FATAL */
        status = VB_EXIT_SERVER;
        vb_error("%s: %s%s", call->options->settings.url, placed->detail,
                 vb_place_remedy(placed));
    }

    if (call->options->json) {
        call->progress.duration = -1;
        vb_call_json(call, status == VB_EXIT_UNKNOWN ? VB_OUTCOME_UNKNOWN
                                                     : VB_OUTCOME_REFUSED);
    }

    return status;
}


static void
vb_call_json(vb_call_t *call, vb_outcome_t outcome)
{
    vb_text_t               text;
    const char             *name;
    vb_placed_t            *placed;
    vb_progress_of_call_t  *p;

    placed = &call->placed;
    p = &call->progress;

    memset(&text, 0, sizeof(vb_text_t));

    name = outcome == VB_OUTCOME_NONE ? "placed" : vb_outcome_name(outcome);
    vb_text_printf(&text, "{\"outcome\": \"%s\", \"call_sid\": ", name);

    if (placed->call_sid[0]) {
        vb_text_json(&text, placed->call_sid, strlen(placed->call_sid));

    } else {
        vb_text_puts(&text, "null");
    }

    if (placed->session_id[0]) {
        vb_text_puts(&text, ", \"session_id\": ");
        vb_text_json(&text, placed->session_id, strlen(placed->session_id));
    }

    if (placed->status && placed->result != VB_PLACED) {
        vb_text_printf(&text, ", \"status\": %ld", placed->status);
    }

    if (placed->detail[0]) {
        vb_text_puts(&text, ", \"detail\": ");
        vb_text_json(&text, placed->detail, strlen(placed->detail));
    }

    if (p->reason[0]) {
        vb_text_puts(&text, ", \"reason\": ");
        vb_text_json(&text, p->reason, strlen(p->reason));
    }

    if (p->error[0]) {
        vb_text_puts(&text, ", \"error\": ");
        vb_text_json(&text, p->error, strlen(p->error));
    }

    if (outcome != VB_OUTCOME_NONE && p->duration >= 0) {
        vb_text_printf(&text, ", \"duration\": %.3f", p->duration / 1e3);
    }

    vb_text_puts(&text, "}\n");

    fputs((char *) text.data, stdout);
    vb_text_free(&text);
}
