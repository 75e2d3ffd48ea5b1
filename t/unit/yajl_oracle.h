
/*
 * What yajl, a JSON parser that shares nothing with ours, makes of a text:
 * is it good, and what are the values of the fields looked for.
 */


#ifndef _VB_YAJL_ORACLE_H_INCLUDED_
#define _VB_YAJL_ORACLE_H_INCLUDED_


#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>
#include <vb_json.h>


#define ORACLE_MAX_FIELDS  32


typedef struct {
    vb_json_type_t          type;
    u_char                 *data;      /* of a string or number, unescaped */
    size_t                  len;
} oracle_value_t;


typedef struct {
    const vb_json_field_t  *fields;
    size_t                  n;
    oracle_value_t          values[ORACLE_MAX_FIELDS];

    /* by depth: the field an object is (or the root), -2 for others */
    int                     field[VB_JSON_DEPTH + 1];
    int                     depth;
    int                     next;      /* the field the next value is */
} oracle_t;


static void
oracle_free(oracle_t *o)
{
    size_t  i;

    for (i = 0; i < o->n; i++) {
        free(o->values[i].data);
    }
}


static int
oracle_is_inside(oracle_t *o, int i, int parent)
{
    while (i > parent) {
        i = o->fields[i].parent;
    }

    return i == parent;
}


/* what a value is replaces all that was known of its field, and below */

static int
oracle_set(oracle_t *o, vb_json_type_t type, const void *data, size_t len)
{
    int  i;

    if (o->next < 0) {
        return 1;
    }

    for (i = o->next; i < (int) o->n; i++) {

        if (oracle_is_inside(o, i, o->next)) {
            free(o->values[i].data);
            memset(&o->values[i], 0, sizeof(oracle_value_t));
        }
    }

    i = o->next;

    o->values[i].type = type;
    o->values[i].len = len;
    o->values[i].data = malloc(len + 1);
    memcpy(o->values[i].data, data, len);

    /* in an array, what follows is no member */
    o->next = -2;

    return 1;
}


static int
oracle_null(void *ctx)
{
    return oracle_set(ctx, VB_JSON_NULL, "", 0);
}


static int
oracle_boolean(void *ctx, int value)
{
    return oracle_set(ctx, value ? VB_JSON_TRUE : VB_JSON_FALSE, "", 0);
}


static int
oracle_number(void *ctx, const char *p, size_t len)
{
    return oracle_set(ctx, VB_JSON_NUMBER, p, len);
}


static int
oracle_string(void *ctx, const unsigned char *p, size_t len)
{
    return oracle_set(ctx, VB_JSON_STRING, p, len);
}


static int
oracle_open(oracle_t *o, vb_json_type_t type)
{
    int  field;

    if (o->depth == VB_JSON_DEPTH) {
        return 0;
    }

    field = (o->depth == 0) ? VB_JSON_ROOT : o->next;
    oracle_set(o, type, "", 0);

    o->field[++o->depth] = (type == VB_JSON_OBJECT) ? field : -2;
    o->next = -2;

    return 1;
}


static int
oracle_start_map(void *ctx)
{
    return oracle_open(ctx, VB_JSON_OBJECT);
}


static int
oracle_start_array(void *ctx)
{
    return oracle_open(ctx, VB_JSON_ARRAY);
}


static int
oracle_end(void *ctx)
{
    oracle_t  *o = ctx;

    o->depth--;
    o->next = -2;

    return 1;
}


static int
oracle_map_key(void *ctx, const unsigned char *p, size_t len)
{
    int        parent;
    size_t     i;
    oracle_t  *o = ctx;

    parent = o->field[o->depth];
    o->next = -2;

    for (i = 0; i < o->n && parent != -2; i++) {

        if (o->fields[i].parent == parent && o->fields[i].name.len == len
            && memcmp(o->fields[i].name.data, p, len) == 0)
        {
            o->next = (int) i;
            break;
        }
    }

    return 1;
}


/* yajl by itself; each piece is one of a text */

static int
oracle_yajl(oracle_t *o, const vb_str_t *pieces, size_t n)
{
    int          good;
    size_t       i;
    yajl_handle  h;

    static const yajl_callbacks  callbacks = {
        oracle_null, oracle_boolean, NULL, NULL, oracle_number, oracle_string,
        oracle_start_map, oracle_map_key, oracle_end, oracle_start_array,
        oracle_end
    };

    h = yajl_alloc(o ? &callbacks : NULL, NULL, o);
    yajl_config(h, yajl_dont_validate_strings, 1);

    good = 1;

    for (i = 0; i < n && good; i++) {
        good = yajl_parse(h, pieces[i].data, pieces[i].len) == yajl_status_ok;
    }

    good = good && yajl_complete_parse(h) == yajl_status_ok;

    yajl_free(h);

    return good;
}


/*
 * 1 where text is good, with what the fields are in o->values; to be freed
 * by oracle_free() in any case.  yajl 2.1 is laxer than RFC 8259 in two ways,
 * both put right here: vertical tab and form feed are white space to it, and
 * behind the value may be a string that does not end.
 */

static int
oracle_parse(oracle_t *o, const vb_str_t *text, const vb_json_field_t *fields,
    size_t n)
{
    vb_str_t  array[3] = { vb_str("["), *text, vb_str("]") };

    memset(o, 0, sizeof(oracle_t));

    o->fields = fields;
    o->n = n;
    o->next = -2;

    return oracle_yajl(o, text, 1)
           && oracle_yajl(NULL, array, 3)
           && memchr(text->data, '\v', text->len) == NULL
           && memchr(text->data, '\f', text->len) == NULL;
}


/* yajl makes other things of lone surrogates: what may be one is let pass */

static int
oracle_same_string(const oracle_value_t *e, const vb_str_t *text)
{
    int      same;
    size_t   i, len;
    u_char  *p;

    for (i = 0; i + 2 < text->len; i++) {
        if (text->data[i] == 'u' && (text->data[i + 1] | 0x20) == 'd') {
            return 1;
        }
    }

    p = malloc(text->len + 1);
    len = vb_json_unescape(p, text);
    same = (len == e->len && memcmp(p, e->data, len) == 0);
    free(p);

    return same;
}


/* what our scanner found against what yajl found; NULL where it is the same */

static const char *
oracle_compare(const oracle_t *o, const vb_json_value_t *values)
{
    size_t                  i;
    const vb_json_value_t  *v;
    const oracle_value_t   *e;

    for (i = 0; i < o->n; i++) {
        v = &values[i];
        e = &o->values[i];

        if (v->type != e->type) {
            return "another type";
        }

        if (v->type == VB_JSON_ABSENT) {
            continue;
        }

        if (v->type != VB_JSON_STRING && vb_json_check(&v->text, v->type)) {
            return "the text of a value is none";
        }

        if (v->type == VB_JSON_NUMBER
            && (v->text.len != e->len
                || memcmp(v->text.data, e->data, e->len) != 0))
        {
            return "another number";
        }

        if (v->type != VB_JSON_STRING) {
            continue;
        }

        if (v->escaped
            != (v->text.len && memchr(v->text.data, '\\', v->text.len)))
        {
            return "escaped is wrong";
        }

        if (!oracle_same_string(e, &v->text)) {
            return "another string";
        }
    }

    return NULL;
}


#endif /* _VB_YAJL_ORACLE_H_INCLUDED_ */
