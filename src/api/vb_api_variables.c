
/* Dynamic variables as they will travel: one compact JSON object */


#include <vb_agent_client.h>
#include <vb_agent_init.h>
#include <vb_api_variables.h>
#include <vb_json.h>


static void vb_api_variables_separate(vb_api_variables_t *v);
static void vb_api_variables_unique(vb_json_value_t *object);
static int vb_api_variables_named(const vb_json_value_t *object, u_char *pos,
    const vb_str_t *name);


void
vb_api_variables_begin(vb_api_variables_t *v)
{
    v->writer.dst = v->json;
    v->writer.size = VB_API_MAX_VARIABLES;
    v->writer.len = 0;

    v->comma = 0;
    vb_api_variables_open(v, "{");
}


void
vb_api_variables_value(vb_api_variables_t *v, const char *text, size_t len)
{
    vb_api_variables_separate(v);
    vb_write(&v->writer, text, len);
    v->comma = 1;
}


void
vb_api_variables_open(vb_api_variables_t *v, const char *bracket)
{
    vb_api_variables_separate(v);
    vb_write(&v->writer, bracket, 1);
    v->comma = 0;
}


void
vb_api_variables_close(vb_api_variables_t *v, const char *bracket)
{
    vb_write(&v->writer, bracket, 1);
    v->comma = 1;
}


void
vb_api_variables_string(vb_api_variables_t *v, const u_char *text, size_t len)
{
    vb_api_variables_separate(v);
    vb_agent_write_string(&v->writer, text, len);
    v->comma = 1;
}


void
vb_api_variables_name(vb_api_variables_t *v, const u_char *text, size_t len)
{
    vb_api_variables_separate(v);
    vb_agent_write_string(&v->writer, text, len);
    vb_write_literal(&v->writer, ":");
    v->comma = 0;
}


static void
vb_api_variables_separate(vb_api_variables_t *v)
{
    if (v->comma) {
        vb_write_literal(&v->writer, ",");
    }
}


int
vb_api_variables_end(vb_api_variables_t *v, vb_str_t *json, vb_str_t *name,
    const char **error)
{
    u_char           *pos;
    vb_json_value_t   object, key, value;

    if (vb_api_variables_object(v, json) != VB_OK) {
        return VB_OK;
    }

    object.type = VB_JSON_OBJECT;
    object.text = *json;

    if (vb_agent_variables_check(json, name, error) != VB_OK) {
        return VB_DECLINED;
    }

    pos = json->data;

    while (vb_json_next(&object, &pos, &key, &value) == VB_OK) {

        if (value.type != VB_JSON_ARRAY) {
            continue;
        }

        value.text.data++;
        value.text.len--;

        if (vb_json_holds(&value.text, '[')) {
            *name = key.text;
            *error = "an array in an array";

            return VB_DECLINED;
        }
    }

    return VB_OK;
}


int
vb_api_variables_object(vb_api_variables_t *v, vb_str_t *json)
{
    vb_json_value_t  object;

    json->data = v->json;
    json->len = vb_min(v->writer.len, v->writer.size);

    if (v->writer.len > v->writer.size) {
        return VB_DECLINED;
    }

    object.type = VB_JSON_OBJECT;
    object.text = *json;

    vb_api_variables_unique(&object);

    *json = object.text;

    return VB_OK;
}


/* takes out each member that a later one has the name of */

static void
vb_api_variables_unique(vb_json_value_t *object)
{
    u_char           *pos, *start;
    vb_json_value_t   name, value;

    pos = object->text.data;

    while (vb_json_next(object, &pos, &name, &value) == VB_OK) {

        if (!vb_api_variables_named(object, pos, &name.text)) {
            continue;
        }

        /* from its quote to behind the comma */

        start = name.text.data - 1;
        pos++;

        memmove(start, pos, object->text.data + object->text.len - pos);
        object->text.len -= pos - start;

        pos = start;
    }
}


static int
vb_api_variables_named(const vb_json_value_t *object, u_char *pos,
    const vb_str_t *name)
{
    vb_json_value_t  other, value;

    while (vb_json_next(object, &pos, &other, &value) == VB_OK) {

        if (other.text.len == name->len
            && memcmp(other.text.data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
