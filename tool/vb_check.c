
/* voicebridge check: the command, and its findings for people and programs */


#include <vb_check.h>
#include <vb_sign.h>

#include <stdarg.h>
#include <stdlib.h>


static void vb_check_prepare(vb_check_t *c);
static void vb_check_report(vb_check_t *c);


#define vb_check_offset(field)  offsetof(vb_check_options_t, field)


static const vb_option_t  vb_check_own_options[] = {

    { "agent", 'a', VB_OPTION_STRING, vb_check_offset(agent), "ID",
      "the agent to look at, with ELEVENLABS_API_KEY of the environment" },

    { "number", '\0', VB_OPTION_STRING, vb_check_offset(number), "NUMBER",
      "Twilio's number, instead of TWILIO_PHONE_NUMBER" },

    { "auth-token-file", '\0', VB_OPTION_STRING,
      vb_check_offset(token_file), "FILE",
      "Twilio's auth token, instead of TWILIO_AUTH_TOKEN" },

    { "media-stream-path", '\0', VB_OPTION_STRING,
      vb_check_offset(stream_path), "PATH",
      "the location of voicebridge_media_stream (/twilio/media-stream)" },

    { "call-status-path", '\0', VB_OPTION_STRING,
      vb_check_offset(status_path), "PATH",
      "the location of voicebridge_call_status (/twilio/call-status)" },

    { "twilio-api-url", '\0', VB_OPTION_STRING, vb_check_offset(twilio_url),
      "URL", "Twilio's REST API (https://api.twilio.com)" },

    { "elevenlabs-url", '\0', VB_OPTION_STRING,
      vb_check_offset(elevenlabs_url), "URL",
      "ElevenLabs' (https://api.elevenlabs.io)" },

    { "cacert", '\0', VB_OPTION_STRING, vb_check_offset(cacert), "FILE",
      "certificates to trust for the server instead of the system's. Twilio\n"
      "trusts those of public CAs only" },

    { "timeout", '\0', VB_OPTION_TIME, vb_check_offset(timeout), "TIME",
      "of a request (10s)" },

    { "json", 'j', VB_OPTION_FLAG, vb_check_offset(json), NULL,
      "one JSON object instead of text" },

    { NULL, 0, 0, 0, NULL, NULL }
};


static const vb_option_t  *vb_check_options[] = { vb_check_own_options, NULL };


static const vb_command_t  vb_check_command = {

    "check",

    "voicebridge check https://HOST [OPTION ...]",

    "Looks at a server as Twilio does, and at what it needs: its address and\n"
    "certificate, the upgrade to a WebSocket, signatures; Twilio's account\n"
    "and number; the agent, its audio formats and client events. Calls\n"
    "nobody. What is wrong is told with what to do about it. What needs a\n"
    "credential that was not given is skipped.",

    "set -a; . /etc/voicebridge.env; set +a\n"
    "voicebridge check https://voice.example.com --agent agent_0123\n"
    "voicebridge check https://voice.example.com --json | jq .failures\n",

    "0  nothing is wrong; there may be warnings\n"
    "1  something is\n"
    "2  an option is wrong\n",

    vb_check_options,
    1
};


int
vb_check_main(int argc, char **argv)
{
    vb_check_t          c;
    const char         *arguments[1];
    vb_check_options_t  o = { .stream_path = "/twilio/media-stream",
                              .status_path = "/twilio/call-status",
                              .twilio_url = "https://api.twilio.com",
                              .elevenlabs_url = "https://api.elevenlabs.io",
                              .timeout = 10000 };

    if (vb_options_parse(&vb_check_command, argc, argv, &o, arguments) == 0) {
        vb_die(VB_EXIT_USAGE, "which server? voicebridge check "
               "https://voice.example.com");
    }

    o.url = arguments[0];

    memset(&c, 0, sizeof(vb_check_t));
    c.options = &o;

    vb_check_prepare(&c);

    if (vb_check_reach(&c)) {
        vb_check_server(&c);
    }

    vb_check_account(&c);
    vb_check_agent(&c);

    vb_check_report(&c);

    return c.found[VB_CHECK_FAIL] ? VB_EXIT_FAILED : VB_EXIT_OK;
}


static void
vb_check_prepare(vb_check_t *c)
{
    size_t               len;
    vb_check_options_t  *o;

    o = c->options;
    len = strlen(o->url);

    if ((strncmp(o->url, "https://", 8) != 0
         && strncmp(o->url, "http://", 7) != 0)
        || strpbrk(o->url, " ?#\r\n"))
    {
        vb_die(VB_EXIT_USAGE, "a server is like https://voice.example.com, "
               "not \"%s\"", o->url);
    }

    while (len && o->url[len - 1] == '/') {
        ((char *) o->url)[--len] = '\0';
    }

    c->token = vb_sign_token(o->token_file);
    o->account_sid = getenv("TWILIO_ACCOUNT_SID");
    o->api_key = getenv("ELEVENLABS_API_KEY");

    if (o->number == NULL) {
        o->number = getenv("TWILIO_PHONE_NUMBER");
    }

    c->http = vb_http_create(o->cacert, 0);
    c->services = vb_http_create(NULL, 0);
}


void
vb_check_found(vb_check_t *c, const char *what, vb_check_result_t result,
    const char *remedy, const char *fmt, ...)
{
    char     detail[400];
    va_list  args;

    static const char  *names[] = { "ok", "warning", "failed", "skipped" };

    va_start(args, fmt);
    vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);

    /* words of services are in it */

    vb_printable(detail);
    c->found[result]++;

    if (!c->options->json) {
        printf("%-8s %s: %s\n", names[result], what, detail);

        if (remedy) {
            printf("         -> %s\n", remedy);
        }

        fflush(stdout);
        return;
    }

    vb_text_printf(&c->json, "%s{\"check\": \"%s\", \"result\": \"%s\", "
                   "\"detail\": ", c->json.len ? ", " : "", what,
                   names[result]);
    vb_text_json(&c->json, detail, strlen(detail));

    if (remedy) {
        vb_text_puts(&c->json, ", \"remedy\": ");
        vb_text_json(&c->json, remedy, strlen(remedy));
    }

    vb_text_puts(&c->json, "}");
}


static void
vb_check_report(vb_check_t *c)
{
    if (c->options->json) {
        printf("{\"failures\": %u, \"warnings\": %u, \"skipped\": %u, "
               "\"findings\": [%s]}\n", c->found[VB_CHECK_FAIL],
               c->found[VB_CHECK_WARN], c->found[VB_CHECK_SKIP],
               c->json.data ? (char *) c->json.data : "");
        return;
    }

    printf("%u failed, %u warnings, %u skipped, %u ok.\n",
           c->found[VB_CHECK_FAIL], c->found[VB_CHECK_WARN],
           c->found[VB_CHECK_SKIP], c->found[VB_CHECK_OK]);
}
