
/* What a request's members have to be, in words their sender understands */


#include <stdarg.h>
#include <stdio.h>
#include <vb_api_members.h>
#include <vb_api_scan.h>
#include <vb_utf8.h>


/* of what a sender wrote, bytes shown in an error */
#define VB_API_MAX_SHOWN   64

#define vb_api_type(type)  (1u << (type))


static int vb_api_check_types(vb_api_values_t *v);
static int vb_api_check_text(vb_api_values_t *v, int member);
static int vb_api_check_number(vb_api_values_t *v, int member);
static int vb_api_check_variables(vb_api_values_t *v);
static int vb_api_check_options(vb_api_values_t *v, vb_api_request_t *request);
static int vb_api_check_timeout(vb_api_values_t *v, uint32_t *timeout);
static int vb_api_check_detection(vb_api_values_t *v, int *detection);
static int vb_api_check_record(vb_api_values_t *v, int *record);
static int vb_api_check_answered(vb_api_values_t *v,
    vb_twilio_answered_t *answered);


const vb_api_member_t  vb_api_members[VB_API_MEMBERS] = {
    { vb_str("agent_id"), 1, vb_api_type(VB_JSON_STRING), "a string" },
    { vb_str("session_id"), 1, vb_api_type(VB_JSON_STRING), "a string" },
    { vb_str("metadata"), 1, vb_api_type(VB_JSON_OBJECT), "an object" },
    { vb_str("to_number"), 2, vb_api_type(VB_JSON_STRING), "a string" },
    { vb_str("dynamic_variables"), 2, vb_api_type(VB_JSON_OBJECT),
      "an object" },
    { vb_str("from_number"), 2, vb_api_type(VB_JSON_STRING), "a string" },
    { vb_str("ring_timeout"), 2, vb_api_type(VB_JSON_NUMBER), "a number" },
    { vb_str("send_digits"), 2, vb_api_type(VB_JSON_STRING), "a string" },
    { vb_str("record"), 2,
      vb_api_type(VB_JSON_TRUE)|vb_api_type(VB_JSON_FALSE)
      |vb_api_type(VB_JSON_STRING), "true, false or \"dual\"" },
    { vb_str("machine_detection"), 2, vb_api_type(VB_JSON_STRING),
      "a string" },
    { vb_str("answered_by"), 2, vb_api_type(VB_JSON_OBJECT), "an object" },
    { vb_str("conversation_config_override"), 2, vb_api_type(VB_JSON_OBJECT),
      "an object" },
    { vb_str("user_id"), 2, vb_api_type(VB_JSON_STRING), "a string" },
    { vb_str("environment"), 2, vb_api_type(VB_JSON_STRING), "a string" },
    { vb_str("branch_id"), 2, vb_api_type(VB_JSON_STRING), "a string" }
};


vb_api_variables_t *
vb_api_capture(vb_api_values_t *v, int member)
{
    switch (member) {

    case VB_API_VARIABLES:
        return &v->variables;

    case VB_API_OVERRIDE:
        return &v->override;

    case VB_API_ANSWERED_BY:
        return &v->answered_by;
    }

    return NULL;
}


void
vb_api_keep(vb_api_values_t *v, int member, const void *text, size_t len)
{
    vb_str_t  *s;

    s = &v->text[member];

    s->data = v->buf[member];
    s->len = vb_min(len, VB_API_MAX_ID + 1);

    if (s->len) {
        memcpy(s->data, text, s->len);
    }
}


int
vb_api_check(vb_api_values_t *v, int have_agent, vb_api_request_t *request)
{
    if (vb_api_check_types(v) != VB_OK) {
        return VB_ERROR;
    }

    if (v->text[VB_API_AGENT_ID].len == 0 && !have_agent) {
        return vb_api_error(v, "agent_id is required");
    }

    if (vb_api_check_text(v, VB_API_AGENT_ID) != VB_OK
        || vb_api_check_text(v, VB_API_SESSION_ID) != VB_OK)
    {
        return VB_ERROR;
    }

    if (v->text[VB_API_TO_NUMBER].len == 0) {
        return vb_api_error(v, "to_number is required");
    }

    if (vb_api_check_number(v, VB_API_TO_NUMBER) != VB_OK
        || vb_api_check_variables(v) != VB_OK)
    {
        return VB_ERROR;
    }

    request->agent_id = v->text[VB_API_AGENT_ID];
    request->session_id = v->text[VB_API_SESSION_ID];
    request->to_number = v->text[VB_API_TO_NUMBER];
    request->dynamic_variables = v->text[VB_API_VARIABLES];

    return vb_api_check_options(v, request);
}


static int
vb_api_check_types(vb_api_values_t *v)
{
    int                     i;
    const vb_api_member_t  *m;

    for (i = 0; i < VB_API_MEMBERS; i++) {

        m = &vb_api_members[i];

        if (v->type[i] == VB_JSON_ABSENT || v->type[i] == VB_JSON_NULL) {
            v->text[i].data = v->buf[i];
            v->text[i].len = 0;
            continue;
        }

        if ((m->types & vb_api_type(v->type[i])) == 0) {
            return vb_api_error(v, "%s%s must be %s",
                                m->depth == 2 ? "metadata." : "", m->name.data,
                                m->what);
        }
    }

    return VB_OK;
}


static int
vb_api_check_text(vb_api_values_t *v, int member)
{
    const char             *metadata;
    const vb_api_member_t  *m;

    m = &vb_api_members[member];
    metadata = m->depth == 2 ? "metadata." : "";

    if (v->text[member].len > VB_API_MAX_ID) {
        return vb_api_error(v, "%s%s must not be longer than %d bytes",
                            metadata, m->name.data, VB_API_MAX_ID);
    }

    if (!vb_utf8_is_plain(v->text[member].data, v->text[member].len)) {
        return vb_api_error(v, "%s%s must not contain control characters",
                            metadata, m->name.data);
    }

    return VB_OK;
}


static int
vb_api_check_number(vb_api_values_t *v, int member)
{
    if (vb_e164(&v->text[member])) {
        return VB_OK;
    }

    return vb_api_error(v, "%s must be in E.164 format: + and 2 to 15 digits, "
                           "the first not 0", vb_api_members[member].name.data);
}


static int
vb_api_check_variables(vb_api_values_t *v)
{
    size_t       n;
    u_char       shown[VB_API_MAX_SHOWN];
    vb_str_t     name;
    const char  *error;

    if (v->type[VB_API_VARIABLES] != VB_JSON_OBJECT
        || vb_api_variables_end(&v->variables, &v->text[VB_API_VARIABLES],
                                &name, &error)
           == VB_OK)
    {
        return VB_OK;
    }

    n = vb_json_print(shown, sizeof(shown), &name);

    return vb_api_error(v, "dynamic variable \"%.*s\" is refused: %s", (int) n,
                        shown, error);
}


static int
vb_api_check_options(vb_api_values_t *v, vb_api_request_t *request)
{
    vb_str_t  *text;

    text = v->text;

    request->from_number = text[VB_API_FROM_NUMBER];
    request->send_digits = text[VB_API_SEND_DIGITS];

    if ((request->from_number.len
         && vb_api_check_number(v, VB_API_FROM_NUMBER) != VB_OK)
        || vb_api_check_timeout(v, &request->ring_timeout) != VB_OK
        || vb_api_check_record(v, &request->record) != VB_OK
        || vb_api_check_detection(v, &request->machine_detection) != VB_OK
        || vb_api_check_answered(v, &request->answered_by) != VB_OK
        || vb_api_check_text(v, VB_API_USER_ID) != VB_OK
        || vb_api_check_text(v, VB_API_ENVIRONMENT) != VB_OK
        || vb_api_check_text(v, VB_API_BRANCH_ID) != VB_OK)
    {
        return VB_ERROR;
    }

    if (request->send_digits.len && !vb_twilio_digits(&request->send_digits)) {
        return vb_api_error(v, "metadata.send_digits must be 1 to 32 of 0-9, "
                               "A-D, #, *, w and W");
    }

    if (request->send_digits.len && request->machine_detection > 0) {
        return vb_api_error(v, "metadata.send_digits and metadata."
                               "machine_detection exclude each other: Twilio "
                               "detects nothing where digits are sent");
    }

    if (v->type[VB_API_OVERRIDE] == VB_JSON_OBJECT) {
        vb_api_variables_object(&v->override, &text[VB_API_OVERRIDE]);
    }

    memset(&request->client, 0, sizeof(vb_agent_client_t));

    request->client.conversation_config_override = text[VB_API_OVERRIDE];
    request->client.user_id = text[VB_API_USER_ID];
    request->client.environment = text[VB_API_ENVIRONMENT];
    request->client.branch_id = text[VB_API_BRANCH_ID];

    return VB_OK;
}


static int
vb_api_check_timeout(vb_api_values_t *v, uint32_t *timeout)
{
    size_t     i;
    vb_str_t  *s;

    s = &v->text[VB_API_RING_TIMEOUT];
    *timeout = 0;

    if (s->len == 0) {
        return VB_OK;
    }

    for (i = 0; i < s->len && s->len <= 3; i++) {

        if (s->data[i] < '0' || s->data[i] > '9') {
            *timeout = 0;
            break;
        }

        *timeout = *timeout * 10 + (s->data[i] - '0');
    }

    if (*timeout == 0 || *timeout > VB_API_MAX_TIMEOUT) {
        return vb_api_error(v, "metadata.ring_timeout must be a whole number "
                               "of seconds, 1 to %d", VB_API_MAX_TIMEOUT);
    }

    return VB_OK;
}


static int
vb_api_check_record(vb_api_values_t *v, int *record)
{
    switch (v->type[VB_API_RECORD]) {

    case VB_JSON_TRUE:
        *record = VB_TWILIO_RECORD_MONO;
        return VB_OK;

    case VB_JSON_FALSE:
        *record = VB_TWILIO_RECORD_OFF;
        return VB_OK;

    case VB_JSON_STRING:
        *record = VB_TWILIO_RECORD_DUAL;

        if (vb_str_eq(&v->text[VB_API_RECORD], "dual")) {
            return VB_OK;
        }

        return vb_api_error(v, "metadata.record must be %s",
                            vb_api_members[VB_API_RECORD].what);

    default:
        *record = VB_API_UNSET;
        return VB_OK;
    }
}


static int
vb_api_check_detection(vb_api_values_t *v, int *detection)
{
    vb_str_t  *s;

    s = &v->text[VB_API_DETECTION];

    if (s->len == 0) {
        *detection = VB_API_UNSET;
        return VB_OK;
    }

    *detection = vb_twilio_detection(s);

    if (*detection == VB_ERROR) {
        return vb_api_error(v, "metadata.machine_detection must be \"off\", "
                               "\"start\" or \"message_end\"");
    }

    return VB_OK;
}


static int
vb_api_check_answered(vb_api_values_t *v, vb_twilio_answered_t *answered)
{
    int               class, action;
    size_t            n;
    u_char           *pos, shown[VB_API_MAX_SHOWN];
    vb_json_value_t   object, name, value;

    memset(answered, 0, sizeof(vb_twilio_answered_t));

    if (v->type[VB_API_ANSWERED_BY] != VB_JSON_OBJECT) {
        return VB_OK;
    }

    object.type = VB_JSON_OBJECT;

    if (vb_api_variables_object(&v->answered_by, &object.text) != VB_OK) {
        return vb_api_error(v, "metadata.answered_by is too long");
    }

    pos = object.text.data;

    while (vb_json_next(&object, &pos, &name, &value) == VB_OK) {

        class = vb_twilio_class(&name.text);

        if (class == VB_ERROR) {
            n = vb_json_print(shown, sizeof(shown), &name.text);

            return vb_api_error(v, "metadata.answered_by has no \"%.*s\"; it "
                                   "has human, machine, machine_start, "
                                   "machine_end_beep, machine_end_silence, "
                                   "machine_end_other, fax and unknown",
                                (int) n, shown);
        }

        action = value.type == VB_JSON_STRING ? vb_twilio_action(&value.text)
                                              : VB_ERROR;

        if (action == VB_ERROR) {
            return vb_api_error(v, "metadata.answered_by.%.*s must be "
                                   "\"continue\", \"hang_up\" or \"message\"",
                                (int) name.text.len, name.text.data);
        }

        answered->action[class] = (u_char) action;
    }

    return VB_OK;
}


int
vb_api_error(vb_api_values_t *v, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(v->error, sizeof(v->error), fmt, args);
    va_end(args);

    return VB_ERROR;
}
