
/* A personalisation webhook's request and answer */


#include <stdio.h>
#include <vb_agent_init.h>
#include <vb_agent_lookup.h>
#include <vb_utf8.h>


/* of a name somebody else has chosen, bytes shown in an error */
#define VB_AGENT_MAX_SHOWN  64


enum {
    VB_LOOKUP_TYPE = 0,
    VB_LOOKUP_AGENT_ID,
    VB_LOOKUP_USER_ID,
    VB_LOOKUP_ENVIRONMENT,
    VB_LOOKUP_BRANCH_ID,
    VB_LOOKUP_VARIABLES,
    VB_LOOKUP_OVERRIDE,
    VB_LOOKUP_EXTRA_BODY,
    VB_LOOKUP_MEMBERS
};


static const char *vb_agent_lookup_member(vb_str_t *dst, u_char **pos,
    const vb_json_value_t *value, int string);
static int vb_agent_lookup_variables(const vb_str_t *variables, char *error,
    size_t size);
static int vb_agent_lookup_error(char *error, size_t size, const char *name,
    const char *why);


/* up to the variables strings, then objects */

static const vb_json_field_t  vb_agent_lookup_fields[VB_LOOKUP_MEMBERS] = {
    { VB_JSON_ROOT, vb_str("type") },
    { VB_JSON_ROOT, vb_str("agent_id") },
    { VB_JSON_ROOT, vb_str("user_id") },
    { VB_JSON_ROOT, vb_str("environment") },
    { VB_JSON_ROOT, vb_str("branch_id") },
    { VB_JSON_ROOT, vb_str("dynamic_variables") },
    { VB_JSON_ROOT, vb_str("conversation_config_override") },
    { VB_JSON_ROOT, vb_str("custom_llm_extra_body") }
};


size_t
vb_agent_lookup_write(u_char *dst, const vb_agent_lookup_t *lookup)
{
    vb_writer_t  w;

    vb_writer_init(&w, dst);

    vb_write_literal(&w, "{\"caller_id\":");
    vb_agent_write_string(&w, lookup->caller_id.data, lookup->caller_id.len);
    vb_write_literal(&w, ",\"agent_id\":");
    vb_agent_write_string(&w, lookup->agent_id.data, lookup->agent_id.len);
    vb_write_literal(&w, ",\"called_number\":");
    vb_agent_write_string(&w, lookup->called_number.data,
                          lookup->called_number.len);
    vb_write_literal(&w, ",\"call_sid\":");
    vb_agent_write_string(&w, lookup->call_sid.data, lookup->call_sid.len);
    vb_write_literal(&w, "}");

    return w.len;
}


int
vb_agent_lookup_parse(vb_agent_looked_up_t *found, const vb_str_t *answer,
    u_char *buf, char *error, size_t size)
{
    int               i;
    u_char           *p;
    size_t            offset;
    uint32_t          state;
    const char       *why;
    vb_str_t          s[VB_LOOKUP_MEMBERS];
    vb_json_value_t   v[VB_LOOKUP_MEMBERS];

    state = 0;

    if (answer->len == 0
        || vb_utf8_check(&state, answer->data, answer->len) != VB_OK || state
        || vb_json_select(answer, vb_agent_lookup_fields, VB_LOOKUP_MEMBERS, v,
                          &why, &offset)
           != VB_OK)
    {
        return vb_agent_lookup_error(error, size, "the answer",
                                     "is not a JSON object");
    }

    memset(s, 0, sizeof(s));
    p = buf;

    for (i = 0; i < VB_LOOKUP_MEMBERS; i++) {

        if (v[i].type == VB_JSON_ABSENT || v[i].type == VB_JSON_NULL) {
            continue;
        }

        why = vb_agent_lookup_member(&s[i], &p, &v[i],
                                     i < VB_LOOKUP_VARIABLES);
        if (why) {
            return vb_agent_lookup_error(error, size,
                                (char *) vb_agent_lookup_fields[i].name.data,
                                why);
        }
    }

    if (s[VB_LOOKUP_TYPE].len
        && !vb_str_eq(&s[VB_LOOKUP_TYPE],
                      "conversation_initiation_client_data"))
    {
        return vb_agent_lookup_error(error, size, "type", "is not "
                                     "conversation_initiation_client_data");
    }

    found->agent_id = s[VB_LOOKUP_AGENT_ID];
    found->dynamic_variables = s[VB_LOOKUP_VARIABLES];
    found->client.conversation_config_override = s[VB_LOOKUP_OVERRIDE];
    found->client.custom_llm_extra_body = s[VB_LOOKUP_EXTRA_BODY];
    found->client.user_id = s[VB_LOOKUP_USER_ID];
    found->client.environment = s[VB_LOOKUP_ENVIRONMENT];
    found->client.branch_id = s[VB_LOOKUP_BRANCH_ID];

    return vb_agent_lookup_variables(&found->dynamic_variables, error, size);
}


/* copies a string or an object to *pos; NULL, or what is wrong with it */

static const char *
vb_agent_lookup_member(vb_str_t *dst, u_char **pos,
    const vb_json_value_t *value, int string)
{
    vb_writer_t  w;

    dst->data = *pos;

    if (string) {

        if (value->type != VB_JSON_STRING) {
            return "is not a string";
        }

        dst->len = vb_json_unescape(dst->data, &value->text);

        if (!vb_agent_is_id(dst)) {
            return "has a control character or more than 256 bytes";
        }

    } else {

        if (value->type != VB_JSON_OBJECT) {
            return "is not an object";
        }

        vb_writer_init(&w, dst->data);
        vb_agent_write_compact(&w, &value->text);

        dst->len = w.len;
    }

    *pos += dst->len;

    return NULL;
}


static int
vb_agent_lookup_variables(const vb_str_t *variables, char *error, size_t size)
{
    size_t       n;
    u_char       shown[VB_AGENT_MAX_SHOWN];
    vb_str_t     name;
    const char  *why;

    if (variables->len == 0
        || vb_agent_variables_check(variables, &name, &why) == VB_OK)
    {
        return VB_OK;
    }

    n = vb_json_print(shown, sizeof(shown), &name);

    (void) snprintf(error, size, "dynamic variable \"%.*s\" is refused: %s",
                    (int) n, shown, why);

    return VB_ERROR;
}


static int
vb_agent_lookup_error(char *error, size_t size, const char *name,
    const char *why)
{
    (void) snprintf(error, size, "%s %s", name, why);

    return VB_ERROR;
}
