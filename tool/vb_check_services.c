
/*
 * What the server needs of Twilio and of ElevenLabs: an account with a number,
 * an agent with formats and client events; read over their REST APIs.
 *
 * Sources: Twilio, "REST API: Accounts", GET /2010-04-01/Accounts/{Sid}.json,
 * whose status is "active", "suspended" or "closed"; Twilio,
 * "IncomingPhoneNumber resource", GET .../IncomingPhoneNumbers.json, where
 * PhoneNumber may be a part of a number, so that others may be listed, too.
 */


#include <vb_check.h>
#include <vb_json.h>
#include <vb_transcoder.h>

#include <stdlib.h>
#include <yajl/yajl_tree.h>


static yajl_val vb_check_twilio(vb_check_t *c, const char *path,
    const char *query, long *status, const char **error);
static void vb_check_number(vb_check_t *c);
static yajl_val vb_check_find_number(vb_check_t *c, yajl_val list);
static yajl_val vb_check_parse(const vb_str_t *body);
static yajl_val vb_check_get_agent(vb_check_t *c, long *status,
    const char **error);
static void vb_check_format(vb_check_t *c, yajl_val agent, const char *what,
    const char **path);
static void vb_check_events(vb_check_t *c, yajl_val agent);
static void vb_check_authentication(vb_check_t *c, yajl_val agent);
static const char *vb_check_string(yajl_val v, const char **path);


void
vb_check_account(vb_check_t *c)
{
    long         status;
    yajl_val     v;
    const char  *error, *state;

    static const char  *path[] = { "status", NULL };

    if (c->token == NULL || c->options->account_sid == NULL) {
        vb_check_found(c, "twilio account", VB_CHECK_SKIP, NULL,
                       "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN are not set");
        return;
    }

    v = vb_check_twilio(c, "", "", &status, &error);
    state = vb_check_string(v, path);

    if (status == 0) {
        vb_check_found(c, "twilio account", VB_CHECK_FAIL, "let this machine "
                       "reach it", "%s: %s", c->options->twilio_url, error);

    } else if (status == 401 || status == 403 || status == 404) {
        vb_check_found(c, "twilio account", VB_CHECK_FAIL, "copy SID and auth "
                       "token from the console's first page; both of one "
                       "account and of one region",
                       "Twilio answers %ld: SID and token do not belong "
                       "together", status);

    } else if (status != 200 || state == NULL) {
        vb_check_found(c, "twilio account", VB_CHECK_FAIL, "try again later",
                       "Twilio answers %ld", status);

    } else if (strcmp(state, "active") != 0) {
        vb_check_found(c, "twilio account", VB_CHECK_FAIL, "see its console",
                       "it is %s", state);

    } else {
        vb_check_found(c, "twilio account", VB_CHECK_OK, NULL,
                       "it is active");
        vb_check_number(c);
    }

    yajl_tree_free(v);
}


static void
vb_check_number(vb_check_t *c)
{
    long         status;
    char         query[80];
    yajl_val     v, list, number, voice;
    const char  *error;

    static const char  *numbers[] = { "incoming_phone_numbers", NULL };
    static const char  *capable[] = { "capabilities", "voice", NULL };

    if (c->options->number == NULL
        || !vb_is_e164((u_char *) c->options->number,
                       strlen(c->options->number)))
    {
        vb_check_found(c, "twilio number",
                       c->options->number ? VB_CHECK_FAIL : VB_CHECK_SKIP,
                       c->options->number ? "write it like +14155550100"
                                          : NULL,
                       c->options->number ? "it is not in E.164 form"
                                          : "TWILIO_PHONE_NUMBER is not set");
        return;
    }

    snprintf(query, sizeof(query), "?PhoneNumber=%%2B%s",
             c->options->number + 1);

    v = vb_check_twilio(c, "/IncomingPhoneNumbers", query, &status, &error);
    list = v ? yajl_tree_get(v, numbers, yajl_t_array) : NULL;

    if (status != 200 || list == NULL) {
        vb_check_found(c, "twilio number", VB_CHECK_FAIL, "try again later",
                       "Twilio answers %ld", status);

    } else if ((number = vb_check_find_number(c, list)) == NULL) {
        vb_check_found(c, "twilio number", VB_CHECK_WARN, "buy it, or verify "
                       "it as a caller id, in Twilio's console",
                       "%s is none of the account's",
                       vb_masked(c->options->number));

    } else {
        voice = yajl_tree_get(number, capable, yajl_t_any);

        vb_check_found(c, "twilio number",
                       YAJL_IS_FALSE(voice) ? VB_CHECK_FAIL : VB_CHECK_OK,
                       YAJL_IS_FALSE(voice) ? "take one that has voice" : NULL,
                       "%s %s", vb_masked(c->options->number),
                       YAJL_IS_FALSE(voice) ? "cannot make calls"
                                            : "is the account's");
    }

    yajl_tree_free(v);
}


static yajl_val
vb_check_find_number(vb_check_t *c, yajl_val list)
{
    size_t       i;
    const char  *number;

    static const char  *path[] = { "phone_number", NULL };

    for (i = 0; i < list->u.array.len; i++) {
        number = vb_check_string(list->u.array.values[i], path);

        if (number && strcmp(number, c->options->number) == 0) {
            return list->u.array.values[i];
        }
    }

    return NULL;
}


/* yajl frees a tree by recursion: one that is too deep is not made */

static yajl_val
vb_check_parse(const vb_str_t *body)
{
    size_t           offset;
    const char      *error;
    vb_json_value_t  value;

    static const vb_json_field_t  any = { VB_JSON_ROOT, vb_str("") };

    if (vb_json_select_deep(body, VB_JSON_MAX_DEPTH, &any, 1, &value, &error,
                            &offset)
        != VB_OK)
    {
        return NULL;
    }

    return yajl_tree_parse((char *) body->data, NULL, 0);
}


static yajl_val
vb_check_twilio(vb_check_t *c, const char *path, const char *query,
    long *status, const char **error)
{
    yajl_val           v;
    vb_text_t          url, userpwd;
    vb_http_answer_t   a;
    vb_http_request_t  request;

    memset(&request, 0, sizeof(vb_http_request_t));
    memset(&url, 0, sizeof(vb_text_t));
    memset(&userpwd, 0, sizeof(vb_text_t));

    vb_text_printf(&url, "%s/2010-04-01/Accounts/%s%s.json%s",
                   c->options->twilio_url, c->options->account_sid, path,
                   query);
    vb_text_printf(&userpwd, "%s:%s", c->options->account_sid, c->token);

    request.url = (char *) url.data;
    request.userpwd = (char *) userpwd.data;
    request.timeout = c->options->timeout;

    vb_http_fetch(c->services, &request, &a);

    *status = a.status;
    *error = a.error;

    v = a.status ? vb_check_parse(&a.body) : NULL;

    free(a.body.data);
    vb_text_free(&url);
    vb_text_free(&userpwd);

    return v;
}


void
vb_check_agent(vb_check_t *c)
{
    long         status;
    yajl_val     v;
    const char  *error;

    static const char  *output[] = {
        "conversation_config", "tts", "agent_output_audio_format", NULL
    };

    static const char  *input[] = {
        "conversation_config", "asr", "user_input_audio_format", NULL
    };

    if (c->options->agent == NULL || c->options->api_key == NULL) {
        vb_check_found(c, "agent", VB_CHECK_SKIP, NULL, "%s",
                       c->options->agent ? "ELEVENLABS_API_KEY is not set"
                                         : "there is no --agent");
        return;
    }

    v = vb_check_get_agent(c, &status, &error);

    if (status == 0) {
        vb_check_found(c, "agent", VB_CHECK_FAIL, "let this machine reach it",
                       "%s: %s", c->options->elevenlabs_url, error);

    } else if (status == 401 || status == 403) {
        vb_check_found(c, "agent", VB_CHECK_FAIL, "use an API key that may "
                       "use agents", "ElevenLabs answers %ld: the API key is "
                       "not accepted", status);

    } else if (status == 404 || status == 422) {
        vb_check_found(c, "agent", VB_CHECK_FAIL, "copy its id from "
                       "ElevenLabs' console; keys and agents belong to one "
                       "workspace and region", "ElevenLabs answers %ld: there "
                       "is no such agent", status);

    } else if (status != 200 || v == NULL) {
        vb_check_found(c, "agent", VB_CHECK_FAIL, "try again later",
                       "ElevenLabs answers %ld", status);

    } else {
        vb_check_found(c, "agent", VB_CHECK_OK, NULL, "%s is there",
                       c->options->agent);
        vb_check_format(c, v, "agent output format", output);
        vb_check_format(c, v, "agent input format", input);
        vb_check_events(c, v);
        vb_check_authentication(c, v);
    }

    yajl_tree_free(v);
}


static yajl_val
vb_check_get_agent(vb_check_t *c, long *status, const char **error)
{
    yajl_val           v;
    vb_text_t          url, key;
    const char        *headers[2];
    vb_http_answer_t   a;
    vb_http_request_t  request;

    memset(&request, 0, sizeof(vb_http_request_t));
    memset(&url, 0, sizeof(vb_text_t));
    memset(&key, 0, sizeof(vb_text_t));

    vb_text_printf(&url, "%s/v1/convai/agents/%s", c->options->elevenlabs_url,
                   c->options->agent);
    vb_text_printf(&key, "xi-api-key: %s", c->options->api_key);

    headers[0] = (char *) key.data;
    headers[1] = NULL;

    request.url = (char *) url.data;
    request.headers = headers;
    request.timeout = c->options->timeout;

    vb_http_fetch(c->services, &request, &a);

    *status = a.status;
    *error = a.error;

    v = a.status ? vb_check_parse(&a.body) : NULL;

    free(a.body.data);
    vb_text_free(&url);
    vb_text_free(&key);

    return v;
}


static void
vb_check_format(vb_check_t *c, yajl_val agent, const char *what,
    const char **path)
{
    vb_str_t            name;
    const char         *format;
    vb_audio_format_t   f;

    format = vb_check_string(agent, path);

    /* what is not said is ElevenLabs' default */

    if (format == NULL) {
        format = "pcm_16000";
    }

    name.data = (u_char *) format;
    name.len = strlen(format);

    if (vb_audio_format_parse(&f, &name) != VB_OK) {
        vb_check_found(c, what, VB_CHECK_FAIL, "choose another one in its "
                       "settings", "%s is not known here", format);

    } else {
        vb_check_found(c, what, VB_CHECK_OK, NULL, "%s%s", format,
                       f.codec == VB_AUDIO_ULAW
                       ? "" : "; ulaw_8000 would cost less");
    }
}


static void
vb_check_events(vb_check_t *c, yajl_val agent)
{
    size_t       i, j;
    yajl_val     list;
    const char  *name;
    unsigned     has[4];

    static const char  *path[] = {
        "conversation_config", "conversation", "client_events", NULL
    };

    static const char  *wanted[] = {
        "audio", "interruption", "user_transcript", "agent_response"
    };

    static const char  *without[] = {
        "nobody hears the agent", "the agent cannot be interrupted",
        "what callers say is in no log", "what the agent says is in no log"
    };

    list = yajl_tree_get(agent, path, yajl_t_array);

    if (list == NULL) {
        vb_check_found(c, "agent client events", VB_CHECK_OK, NULL,
                       "the default ones");
        return;
    }

    memset(has, 0, sizeof(has));

    for (i = 0; i < list->u.array.len; i++) {
        name = YAJL_GET_STRING(list->u.array.values[i]);

        for (j = 0; name && j < 4; j++) {
            has[j] |= (strcmp(name, wanted[j]) == 0);
        }
    }

    for (j = 0; j < 4; j++) {
        if (!has[j]) {
            vb_check_found(c, "agent client events",
                           j < 2 ? VB_CHECK_FAIL : VB_CHECK_WARN,
                           "add it to the agent's client events, in its "
                           "advanced settings", "%s is missing: %s",
                           wanted[j], without[j]);
        }
    }

    if (has[0] && has[1] && has[2] && has[3]) {
        vb_check_found(c, "agent client events", VB_CHECK_OK, NULL,
                       "audio, interruption and transcripts");
    }
}


static void
vb_check_authentication(vb_check_t *c, yajl_val agent)
{
    yajl_val  v;

    static const char  *path[] = {
        "platform_settings", "auth", "enable_auth", NULL
    };

    v = yajl_tree_get(agent, path, yajl_t_any);

    if (YAJL_IS_TRUE(v)) {
        vb_check_found(c, "agent authentication", VB_CHECK_OK, NULL,
                       "who talks to it needs your key");
        return;
    }

    vb_check_found(c, "agent authentication", VB_CHECK_WARN, "enable "
                   "authentication in the agent's security settings",
                   "anybody who knows its id can talk to it, at your cost");
}


static const char *
vb_check_string(yajl_val v, const char **path)
{
    v = v ? yajl_tree_get(v, path, yajl_t_string) : NULL;

    return YAJL_GET_STRING(v);
}
