
/* The members of an agent's start, on their way through a call's TwiML */


#include <vb_agent_client.h>
#include <vb_form.h>
#include <vb_json_plain.h>
#include <vb_utf8.h>


enum {
    VB_AGENT_OVERRIDE = 0,
    VB_AGENT_EXTRA_BODY,
    VB_AGENT_USER_ID,
    VB_AGENT_ENVIRONMENT,
    VB_AGENT_BRANCH_ID,
    VB_AGENT_MEMBERS
};


static int vb_agent_client_member(const vb_json_value_t *name);
static const char *vb_agent_client_wrong(int member,
    const vb_json_value_t *value);
static void vb_agent_client_select(const vb_str_t *text,
    vb_json_value_t *values);
static size_t vb_agent_string_end(const u_char *p, size_t len);


static const vb_json_field_t  vb_agent_client_fields[VB_AGENT_MEMBERS] = {
    { VB_JSON_ROOT, vb_str("conversation_config_override") },
    { VB_JSON_ROOT, vb_str("custom_llm_extra_body") },
    { VB_JSON_ROOT, vb_str("user_id") },
    { VB_JSON_ROOT, vb_str("environment") },
    { VB_JSON_ROOT, vb_str("branch_id") }
};


size_t
vb_agent_client_write(u_char *dst, const vb_agent_client_t *client)
{
    int              i;
    vb_writer_t      w;
    const vb_str_t  *members[VB_AGENT_MEMBERS];

    members[VB_AGENT_OVERRIDE] = &client->conversation_config_override;
    members[VB_AGENT_EXTRA_BODY] = &client->custom_llm_extra_body;
    members[VB_AGENT_USER_ID] = &client->user_id;
    members[VB_AGENT_ENVIRONMENT] = &client->environment;
    members[VB_AGENT_BRANCH_ID] = &client->branch_id;

    vb_writer_init(&w, dst);

    for (i = 0; i < VB_AGENT_MEMBERS; i++) {

        if (members[i]->len == 0) {
            continue;
        }

        vb_write(&w, w.len ? ",\"" : "{\"", 2);
        vb_write(&w, vb_agent_client_fields[i].name.data,
                 vb_agent_client_fields[i].name.len);
        vb_write_literal(&w, "\":");

        if (i < VB_AGENT_USER_ID) {
            vb_agent_write_compact(&w, members[i]);

        } else {
            vb_agent_write_string(&w, members[i]->data, members[i]->len);
        }
    }

    if (w.len) {
        vb_write_literal(&w, "}");
    }

    return w.len;
}


int
vb_agent_client_check(const vb_str_t *text, const char **error)
{
    int               member;
    u_char           *pos;
    vb_json_value_t   object, name, value;

    if (text->len == 0 || text->data[0] != '{'
        || vb_json_check(text, VB_JSON_OBJECT) != VB_OK)
    {
        *error = "not a JSON object";
        return VB_ERROR;
    }

    object.type = VB_JSON_OBJECT;
    object.escaped = 0;
    object.text = *text;

    pos = text->data;

    while (vb_json_next(&object, &pos, &name, &value) == VB_OK) {

        member = vb_agent_client_member(&name);

        if (member == VB_ERROR) {
            *error = "a member that is not known";
            return VB_ERROR;
        }

        *error = vb_agent_client_wrong(member, &value);

        if (*error) {
            return VB_ERROR;
        }
    }

    return VB_OK;
}


static int
vb_agent_client_member(const vb_json_value_t *name)
{
    int              i;
    const vb_str_t  *s;

    for (i = 0; i < VB_AGENT_MEMBERS; i++) {
        s = &vb_agent_client_fields[i].name;

        if (s->len == name->text.len
            && memcmp(s->data, name->text.data, s->len) == 0)
        {
            return i;
        }
    }

    return VB_ERROR;
}


static const char *
vb_agent_client_wrong(int member, const vb_json_value_t *value)
{
    if (member < VB_AGENT_USER_ID) {
        return value->type == VB_JSON_OBJECT ? NULL
                                             : "a member that is no object";
    }

    if (value->type != VB_JSON_STRING) {
        return "a member that is no string";
    }

    return value->text.len <= 6 * VB_AGENT_MAX_ID ? NULL
                                             : "a string that is too long";
}


size_t
vb_agent_client_query(u_char *dst, const vb_str_t *text)
{
    u_char            buf[6 * VB_AGENT_MAX_ID];
    size_t            i, n, len;
    vb_json_value_t  *value, values[VB_AGENT_MEMBERS];

    static const char  *names[] = { "&environment=", "&branch_id=" };

    vb_agent_client_select(text, values);

    len = 0;

    for (i = 0; i < 2; i++) {
        value = &values[VB_AGENT_ENVIRONMENT + i];

        if (value->type != VB_JSON_STRING || value->text.len == 0) {
            continue;
        }

        n = strlen(names[i]);

        if (dst) {
            memcpy(dst + len, names[i], n);
        }

        len += n;

        n = vb_json_unescape(buf, &value->text);
        len += vb_form_escape(dst ? dst + len : NULL, buf, n);
    }

    return len;
}


static void
vb_agent_client_select(const vb_str_t *text, vb_json_value_t *values)
{
    size_t       offset;
    const char  *error;

    if (text->len == 0
        || vb_json_select(text, vb_agent_client_fields, VB_AGENT_MEMBERS,
                          values, &error, &offset)
           != VB_OK)
    {
        memset(values, 0, VB_AGENT_MEMBERS * sizeof(vb_json_value_t));
    }
}


int
vb_agent_is_id(const vb_str_t *s)
{
    return s->len <= VB_AGENT_MAX_ID && vb_utf8_is_plain(s->data, s->len);
}


void
vb_agent_write_string(vb_writer_t *w, const u_char *text, size_t len)
{
    const u_char  *p, *end;

    if (len == 0) {
        vb_write_literal(w, "\"\"");
        return;
    }

    end = text + len;

    vb_write_literal(w, "\"");

    for (p = text; end - p >= 3; p++) {

        if (p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe) {
            vb_write_json(w, text, p - text);
            vb_write(w, (p[2] == 0xbe) ? "\\ufffe" : "\\uffff", 6);

            p += 2;
            text = p + 1;
        }
    }

    vb_write_json(w, text, end - text);
    vb_write_literal(w, "\"");
}


void
vb_agent_write_compact(vb_writer_t *w, const vb_str_t *json)
{
    size_t         n;
    const u_char  *p, *q, *end;

    end = json->data + json->len;

    for (p = json->data; p < end; p += n) {

        n = 1;

        if (vb_json_is_space(*p)) {
            continue;
        }

        if (*p != '"') {
            vb_write(w, p, 1);
            continue;
        }

        /* escapes stay as they are; two characters are escaped, too */

        n = vb_agent_string_end(p, end - p);

        for (q = p; q < p + n; q++) {

            if (p + n - q >= 3 && q[0] == 0xef && q[1] == 0xbf
                && q[2] >= 0xbe)
            {
                vb_write(w, (q[2] == 0xbe) ? "\\ufffe" : "\\uffff", 6);
                q += 2;
                continue;
            }

            vb_write(w, q, 1);
        }
    }
}


/* bytes of the string that begins here, with its quotes */

static size_t
vb_agent_string_end(const u_char *p, size_t len)
{
    size_t  i;

    for (i = 1; i < len; i++) {

        if (p[i] == '\\') {
            i++;

        } else if (p[i] == '"') {
            return i + 1;
        }
    }

    return len;
}
