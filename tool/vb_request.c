
/* A call's request as JSON, from texts and the types they are to have */


#include <vb_request.h>
#include <vb_json.h>
#include <vb_utf8.h>

#include <strings.h>


static int vb_request_literal(const vb_str_t *v, vb_type_t type,
    const char **literal, const char **why);
static const char *vb_request_boolean(const vb_str_t *value);
static vb_str_t vb_request_trim(const vb_str_t *value);


/* in the order of vb_type_t */
static const char *const  vb_type_names[] = {
    "string", "number", "boolean", "json"
};


int
vb_type_find(const char *name, size_t len, vb_type_t *type)
{
    size_t  i;

    for (i = 0; i < VB_TYPES; i++) {
        if (strlen(vb_type_names[i]) == len
            && memcmp(vb_type_names[i], name, len) == 0)
        {
            *type = i;
            return VB_OK;
        }
    }

    return VB_DECLINED;
}


int
vb_variable_write(vb_text_t *members, const vb_str_t *name,
    const vb_str_t *value, vb_type_t type, const char **why)
{
    uint32_t     state;
    vb_str_t     v;
    const char  *literal;

    state = 0;

    if (vb_utf8_check(&state, value->data, value->len) != VB_OK || state) {
        *why = "is not UTF-8";
        return VB_ERROR;
    }

    if (name->len >= 8 && memcmp(name->data, "system__", 8) == 0) {
        *why = "begins with system__, which ElevenLabs keeps for itself";
        return VB_ERROR;
    }

    v = vb_request_trim(value);

    if (vb_request_literal(&v, type, &literal, why) != VB_OK) {
        return VB_ERROR;
    }

    if (members->len) {
        vb_text_puts(members, ", ");
    }

    vb_text_json(members, name->data, name->len);
    vb_text_puts(members, ": ");

    if (literal) {
        vb_text_puts(members, literal);

    } else if (type == VB_TYPE_STRING) {
        vb_text_json(members, value->data, value->len);

    } else {
        vb_text_add(members, v.data, v.len);
    }

    return VB_OK;
}


/* whether v is of a type; *literal is what is written instead, or NULL */

static int
vb_request_literal(const vb_str_t *v, vb_type_t type, const char **literal,
    const char **why)
{
    *literal = NULL;

    if (type == VB_TYPE_STRING) {
        return VB_OK;
    }

    if (v->len == 0) {
        *literal = "null";
        return VB_OK;
    }

    if (type == VB_TYPE_BOOLEAN) {
        *literal = vb_request_boolean(v);
        *why = "is no boolean: true, false, yes, no, 1 or 0";
        return *literal ? VB_OK : VB_ERROR;
    }

    if (type == VB_TYPE_NUMBER) {
        *why = "is no number such as 120.5";
        return vb_json_check(v, VB_JSON_NUMBER);
    }

    *why = "is no JSON";

    return vb_json_check(v, VB_JSON_ABSENT);
}


static const char *
vb_request_boolean(const vb_str_t *value)
{
    size_t  i;

    static const char *const  words[] = {
        "true", "yes", "1", "false", "no", "0"
    };

    for (i = 0; i < 6; i++) {
        if (strlen(words[i]) == value->len
            && strncasecmp(words[i], (char *) value->data, value->len) == 0)
        {
            return i < 3 ? "true" : "false";
        }
    }

    return NULL;
}


static vb_str_t
vb_request_trim(const vb_str_t *value)
{
    vb_str_t  v;

    v = *value;

    while (v.len && (v.data[0] == ' ' || v.data[0] == '\t')) {
        v.data++;
        v.len--;
    }

    while (v.len && (v.data[v.len - 1] == ' ' || v.data[v.len - 1] == '\t')) {
        v.len--;
    }

    return v;
}


int
vb_variable_argument(vb_text_t *members, const char *argument,
    const char **why)
{
    vb_str_t     name, value;
    vb_type_t    type;
    const char  *p;

    p = strchr(argument, '=');

    if (p == NULL || p == argument) {
        *why = "is not name=value";
        return VB_ERROR;
    }

    name.data = (u_char *) argument;
    name.len = p - argument;

    value.data = (u_char *) p + 1;
    value.len = strlen(p + 1);

    type = VB_TYPE_STRING;
    p = strrchr(p + 1, ':');

    if (p && vb_type_find(p + 1, strlen(p + 1), &type) == VB_OK) {
        value.len = (u_char *) p - value.data;
    }

    return vb_variable_write(members, &name, &value, type, why);
}


void
vb_request_write(vb_text_t *body, const vb_request_t *request)
{
    vb_text_puts(body, "{");

    if (request->agent.len) {
        vb_text_puts(body, "\"agent_id\": ");
        vb_text_json(body, request->agent.data, request->agent.len);
        vb_text_puts(body, ", ");
    }

    if (request->session.len) {
        vb_text_puts(body, "\"session_id\": ");
        vb_text_json(body, request->session.data, request->session.len);
        vb_text_puts(body, ", ");
    }

    vb_text_puts(body, "\"metadata\": {\"to_number\": ");
    vb_text_json(body, request->to.data, request->to.len);

    if (request->variables.len) {
        vb_text_puts(body, ", \"dynamic_variables\": {");
        vb_text_add(body, request->variables.data, request->variables.len);
        vb_text_puts(body, "}");
    }

    vb_text_puts(body, "}}");
}
