
/* The first message to an agent: the dynamic variables of the call */


#include <vb_agent_init.h>
#include <vb_json.h>
#include <vb_writer.h>


/* bytes of a variable's name, and of the same with each of them escaped */
#define VB_AGENT_MAX_NAME  256
#define VB_AGENT_MAX_RAW   (6 * VB_AGENT_MAX_NAME)


static void vb_agent_write_variables(vb_writer_t *w,
    const vb_agent_init_t *init);
static size_t vb_agent_copy(vb_writer_t *w, const vb_json_value_t *object,
    size_t n);
static int vb_agent_is_new(const vb_agent_init_t *init,
    const vb_json_value_t *object, size_t i);
static int vb_agent_is_reserved(const vb_str_t *name);
static const char *vb_agent_name(const vb_json_value_t *key, u_char *buf,
    vb_str_t *name);
static void vb_agent_object(vb_json_value_t *object, const vb_str_t *text);


size_t
vb_agent_init(u_char *dst, const vb_agent_init_t *init)
{
    vb_writer_t      w;
    vb_json_value_t  client;

    vb_writer_init(&w, dst);

    vb_write_literal(&w, "{\"type\":\"conversation_initiation_client_data\","
                         "\"dynamic_variables\":");

    vb_agent_write_variables(&w, init);

    vb_agent_object(&client, &init->client);

    (void) vb_agent_copy(&w, &client, 1);

    vb_write_literal(&w, "}");

    return w.len;
}


size_t
vb_agent_variables(u_char *dst, const vb_agent_init_t *init)
{
    vb_writer_t  w;

    vb_writer_init(&w, dst);
    vb_agent_write_variables(&w, init);

    return w.len;
}


static void
vb_agent_write_variables(vb_writer_t *w, const vb_agent_init_t *init)
{
    size_t                      i, n;
    vb_json_value_t             object;
    const vb_agent_variable_t  *v;

    vb_write_literal(w, "{");

    vb_agent_object(&object, &init->dynamic_variables);

    n = vb_agent_copy(w, &object, 0);

    for (i = 0; i < init->nextra; i++) {

        if (!vb_agent_is_new(init, &object, i)) {
            continue;
        }

        v = &init->extra[i];

        if (n++) {
            vb_write_literal(w, ",");
        }

        vb_write_literal(w, "\"");
        vb_write_json(w, v->name.data, v->name.len);
        vb_write_literal(w, "\":\"");
        vb_write_json(w, v->value.data, v->value.len);
        vb_write_literal(w, "\"");
    }

    vb_write_literal(w, "}");
}


/*
 * Writes the object's members, all but the space between them as it is, where
 * n others have been written; returns how many there are then.
 */

static size_t
vb_agent_copy(vb_writer_t *w, const vb_json_value_t *object, size_t n)
{
    size_t            quotes;
    u_char           *pos;
    vb_json_value_t   name, value;

    pos = object->text.data;

    while (vb_json_next(object, &pos, &name, &value) == VB_OK) {

        if (n++) {
            vb_write_literal(w, ",");
        }

        /* the texts of strings are without their quotes */

        vb_write(w, name.text.data - 1, name.text.len + 2);
        vb_write_literal(w, ":");

        quotes = (value.type == VB_JSON_STRING);
        vb_write(w, value.text.data - quotes, value.text.len + 2 * quotes);
    }

    return n;
}


/* whether extra[i] is to be written: neither refused nor named before */

static int
vb_agent_is_new(const vb_agent_init_t *init, const vb_json_value_t *object,
    size_t i)
{
    size_t            k;
    u_char           *pos, buf[VB_AGENT_MAX_RAW];
    vb_str_t          other;
    const vb_str_t   *name;
    vb_json_value_t   key, value;

    name = &init->extra[i].name;

    if (init->extra[i].value.len == 0 || name->len == 0
        || vb_agent_is_reserved(name))
    {
        return 0;
    }

    for (k = 0; k < i; k++) {

        if (init->extra[k].value.len
            && init->extra[k].name.len == name->len
            && memcmp(init->extra[k].name.data, name->data, name->len) == 0)
        {
            return 0;
        }
    }

    pos = object->text.data;

    while (vb_json_next(object, &pos, &key, &value) == VB_OK) {

        if (vb_agent_name(&key, buf, &other) == NULL
            && other.len == name->len
            && memcmp(other.data, name->data, name->len) == 0)
        {
            return 0;
        }
    }

    return 1;
}


int
vb_agent_variables_check(const vb_str_t *text, vb_str_t *name,
    const char **error)
{
    u_char           *pos, buf[VB_AGENT_MAX_RAW];
    vb_str_t          plain;
    vb_json_value_t   object, key, value;

    if (vb_json_check(text, VB_JSON_OBJECT) != VB_OK) {
        *error = "not a JSON object";
        return VB_ERROR;
    }

    vb_agent_object(&object, text);

    pos = object.text.data;

    while (vb_json_next(&object, &pos, &key, &value) == VB_OK) {

        *name = key.text;
        *error = vb_agent_name(&key, buf, &plain);

        if (*error) {
            return VB_DECLINED;
        }

        if (vb_agent_is_reserved(&plain)) {
            *error = "names that start with system__ are reserved";
            return VB_DECLINED;
        }

        if (value.type == VB_JSON_OBJECT
            || (value.type == VB_JSON_ARRAY
                && vb_json_holds(&value.text, '{')))
        {
            *error = "an object is not a variable";
            return VB_DECLINED;
        }
    }

    return VB_OK;
}


static int
vb_agent_is_reserved(const vb_str_t *name)
{
    static const vb_str_t  prefix = vb_str("system__");

    return name->len >= prefix.len
           && memcmp(name->data, prefix.data, prefix.len) == 0;
}


/* unescapes a name; buf has VB_AGENT_MAX_RAW bytes.  NULL, or what is wrong */

static const char *
vb_agent_name(const vb_json_value_t *key, u_char *buf, vb_str_t *name)
{
    *name = key->text;

    if (key->escaped && name->len <= VB_AGENT_MAX_RAW) {
        name->data = buf;
        name->len = vb_json_unescape(buf, &key->text);
    }

    if (name->len == 0) {
        return "an empty name";
    }

    if (name->len > VB_AGENT_MAX_NAME) {
        return "a name longer than 256 bytes";
    }

    return NULL;
}


/* the object that text is; an empty text is one without members */

static void
vb_agent_object(vb_json_value_t *object, const vb_str_t *text)
{
    size_t  i;

    object->type = VB_JSON_OBJECT;
    object->escaped = 0;
    object->text = *text;

    /* vb_json_next() begins at the bracket */

    for (i = 0; i < text->len && text->data[i] != '{'; i++) { /* void */ }

    if (i == text->len) {
        object->type = VB_JSON_ABSENT;
        return;
    }

    object->text.data += i;
    object->text.len -= i;
}
