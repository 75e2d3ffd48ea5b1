
/* conversation_initiation_client_data */


#include <vb_agent_init.h>
#include <vb_json.h>


/* of a name, and of its longest escaped form */
#define VB_AGENT_MAX_NAME  256
#define VB_AGENT_MAX_RAW   (6 * VB_AGENT_MAX_NAME)


static vb_json_value_t vb_agent_object(const vb_str_t *text);
static int vb_agent_named(const vb_json_value_t *object, const vb_str_t *name);
static size_t vb_agent_name(u_char *dst, const vb_json_value_t *key);
static int vb_agent_holds_object(const vb_str_t *array);
static size_t vb_agent_put(u_char *dst, size_t n, const void *data,
    size_t len);
static size_t vb_agent_put_string(u_char *dst, size_t n, const vb_str_t *s);


#define vb_agent_put_literal(dst, n, s)                                       \
    vb_agent_put(dst, n, s, sizeof(s) - 1)


size_t
vb_agent_init(u_char *dst, const vb_agent_init_t *init)
{
    size_t           i, n, members;
    u_char          *pos;
    vb_json_value_t  object, key, value;

    object = vb_agent_object(&init->dynamic_variables);

    n = vb_agent_put_literal(dst, 0,
                    "{\"type\":\"conversation_initiation_client_data\","
                    "\"dynamic_variables\":{");
    members = 0;

    if (object.text.len) {
        pos = object.text.data;

        while (vb_json_next(&object, &pos, &key, &value) == VB_OK) {

            if (members++) {
                n += vb_agent_put_literal(dst, n, ",");
            }

            n += vb_agent_put_literal(dst, n, "\"");
            n += vb_agent_put(dst, n, key.text.data, key.text.len);
            n += vb_agent_put_literal(dst, n, "\":");

            /* a string's text is without its quotes */

            if (value.type == VB_JSON_STRING) {
                n += vb_agent_put_literal(dst, n, "\"");
                n += vb_agent_put(dst, n, value.text.data, value.text.len);
                n += vb_agent_put_literal(dst, n, "\"");

            } else {
                n += vb_agent_put(dst, n, value.text.data, value.text.len);
            }
        }
    }

    for (i = 0; i < init->nextra; i++) {

        if (init->extra[i].value.len == 0
            || vb_agent_named(&object, &init->extra[i].name))
        {
            continue;
        }

        if (members++) {
            n += vb_agent_put_literal(dst, n, ",");
        }

        n += vb_agent_put_string(dst, n, &init->extra[i].name);
        n += vb_agent_put_literal(dst, n, ":");
        n += vb_agent_put_string(dst, n, &init->extra[i].value);
    }

    return n + vb_agent_put_literal(dst, n, "}}");
}


int
vb_agent_variables_check(const vb_str_t *text, vb_str_t *name,
    const char **error)
{
    size_t           len;
    u_char          *pos, buf[VB_AGENT_MAX_RAW];
    vb_json_value_t  object, key, value;

    if (vb_json_check(text, VB_JSON_OBJECT) != VB_OK) {
        *error = "not a JSON object";
        return VB_ERROR;
    }

    object = vb_agent_object(text);
    pos = object.text.data;

    while (vb_json_next(&object, &pos, &key, &value) == VB_OK) {
        *name = key.text;

        len = key.text.len > sizeof(buf) ? key.text.len
                                         : vb_agent_name(buf, &key);

        if (len == 0 || len > VB_AGENT_MAX_NAME) {
            *error = "a name is empty or too long";
            return VB_DECLINED;
        }

        if (len >= sizeof("system__") - 1
            && memcmp(buf, "system__", sizeof("system__") - 1) == 0)
        {
            *error = "names that start with system__ are reserved";
            return VB_DECLINED;
        }

        if (value.type == VB_JSON_OBJECT
            || (value.type == VB_JSON_ARRAY
                && vb_agent_holds_object(&value.text)))
        {
            *error = "a variable cannot be an object";
            return VB_DECLINED;
        }
    }

    return VB_OK;
}


/* the object in a text that may have white space before it */

static vb_json_value_t
vb_agent_object(const vb_str_t *text)
{
    vb_json_value_t  object;

    object.type = VB_JSON_OBJECT;
    object.escaped = 0;
    object.text = *text;

    while (object.text.len && object.text.data[0] != '{') {
        object.text.data++;
        object.text.len--;
    }

    return object;
}


static int
vb_agent_named(const vb_json_value_t *object, const vb_str_t *name)
{
    size_t           len;
    u_char          *pos, buf[VB_AGENT_MAX_RAW];
    vb_json_value_t  key, value;

    if (object->text.len == 0) {
        return 0;
    }

    pos = object->text.data;

    while (vb_json_next(object, &pos, &key, &value) == VB_OK) {

        if (key.text.len > sizeof(buf)) {
            continue;
        }

        len = vb_agent_name(buf, &key);

        if (len == name->len && memcmp(buf, name->data, len) == 0) {
            return 1;
        }
    }

    return 0;
}


static size_t
vb_agent_name(u_char *dst, const vb_json_value_t *key)
{
    return vb_json_unescape(dst, &key->text);
}


/* an array that was scanned: a brace outside of its strings is an object */

static int
vb_agent_holds_object(const vb_str_t *array)
{
    int     quoted;
    size_t  i;

    quoted = 0;

    for (i = 0; i < array->len; i++) {

        if (quoted && array->data[i] == '\\') {
            i++;

        } else if (array->data[i] == '"') {
            quoted = !quoted;

        } else if (!quoted && array->data[i] == '{') {
            return 1;
        }
    }

    return 0;
}


static size_t
vb_agent_put(u_char *dst, size_t n, const void *data, size_t len)
{
    if (dst && len) {
        memcpy(dst + n, data, len);
    }

    return len;
}


static size_t
vb_agent_put_string(u_char *dst, size_t n, const vb_str_t *s)
{
    size_t  len;

    len = vb_agent_put_literal(dst, n, "\"");
    len += vb_json_escape(dst ? dst + n + len : NULL, s->data, s->len);

    return len + vb_agent_put_literal(dst, n + len, "\"");
}
