
/*
 * RFC 8259 in one pass over a text that stays where it is: the scanner and
 * the walk over an object's members.  How deep a text nests decides nothing
 * but an index in a table of fixed size.
 */


#include <vb_json.h>
#include <vb_json_plain.h>


/* an array or object that is open */
typedef struct {
    u_char                   close;
    uint32_t                 members;  /* fields looked for in it: bits */
    vb_json_value_t         *value;
} vb_json_level_t;


typedef struct {
    u_char                  *end;
    size_t                   depth;    /* at most */

    const vb_json_field_t   *fields;
    vb_json_value_t         *values;
    vb_json_value_t          other;    /* takes what nobody looks for */

    /* [0]: fields looked for in the root, [i + 1]: in field i */
    uint32_t                 members[VB_JSON_MAX_FIELDS + 1];

    const char              *error;
    u_char                  *error_pos;
} vb_json_scan_t;


static u_char *vb_json_value(vb_json_scan_t *s, u_char *p,
    vb_json_value_t *value, uint32_t members);
static void vb_json_open(vb_json_level_t *level, u_char *p,
    vb_json_value_t *value, uint32_t members);
static u_char *vb_json_scalar(vb_json_scan_t *s, u_char *p,
    vb_json_value_t *value);
static u_char *vb_json_element(vb_json_scan_t *s, u_char *p,
    vb_json_level_t *level, int first, vb_json_value_t **value,
    uint32_t *members);
static u_char *vb_json_name(vb_json_scan_t *s, u_char *p,
    vb_json_value_t *name);
static int vb_json_is_name(const vb_json_value_t *name, const vb_str_t *field);
static int vb_json_is_escaped(const vb_str_t *name, const vb_str_t *field);
static void vb_json_forget(vb_json_scan_t *s, size_t i);
static u_char *vb_json_string(vb_json_scan_t *s, u_char *p,
    vb_json_value_t *value);
static u_char *vb_json_backslash(vb_json_scan_t *s, u_char *p);
static u_char *vb_json_number(vb_json_scan_t *s, u_char *p,
    vb_json_value_t *value);
static u_char *vb_json_digits(vb_json_scan_t *s, u_char *p);
static u_char *vb_json_literal(vb_json_scan_t *s, u_char *p,
    vb_json_value_t *value);
static u_char *vb_json_error(vb_json_scan_t *s, u_char *p, const char *error);


int
vb_json_select(const vb_str_t *text, const vb_json_field_t *fields, size_t n,
    vb_json_value_t *values, const char **error, size_t *offset)
{
    return vb_json_select_deep(text, VB_JSON_DEPTH, fields, n, values, error,
                               offset);
}


int
vb_json_select_deep(const vb_str_t *text, size_t depth,
    const vb_json_field_t *fields, size_t n, vb_json_value_t *values,
    const char **error, size_t *offset)
{
    size_t           i;
    u_char          *p;
    vb_json_scan_t   s;
    vb_json_value_t  root;

    *error = NULL;
    *offset = 0;

    if (text->len == 0) {
        *error = "empty text";
        return VB_ERROR;
    }

    if (n > VB_JSON_MAX_FIELDS) {
        *error = "too many fields";
        return VB_ERROR;
    }

    memset(values, 0, n * sizeof(vb_json_value_t));
    memset(s.members, 0, (n + 1) * sizeof(uint32_t));

    for (i = 0; i < n; i++) {
        s.members[fields[i].parent + 1] |= (uint32_t) 1 << i;
    }

    s.end = text->data + text->len;
    s.depth = vb_min(depth, VB_JSON_MAX_DEPTH);
    s.fields = fields;
    s.values = values;

    p = vb_json_space(text->data, s.end);

    if (p == s.end || *p != '{') {
        *error = "not an object";
        *offset = p - text->data;
        return VB_ERROR;
    }

    p = vb_json_value(&s, p, &root, s.members[0]);

    if (p) {
        p = vb_json_space(p, s.end);

        if (p == s.end) {
            return VB_OK;
        }

        vb_json_error(&s, p, "something after the end");
    }

    *error = s.error;
    *offset = s.error_pos - text->data;

    return VB_ERROR;
}


int
vb_json_check(const vb_str_t *text, vb_json_type_t type)
{
    u_char           *p;
    vb_json_scan_t    s;
    vb_json_value_t   root;

    if (text->len == 0) {
        return VB_ERROR;
    }

    s.end = text->data + text->len;
    s.depth = VB_JSON_DEPTH;

    p = vb_json_space(text->data, s.end);
    p = vb_json_value(&s, p, &root, 0);

    if (p == NULL || vb_json_space(p, s.end) != s.end) {
        return VB_ERROR;
    }

    return (type == VB_JSON_ABSENT || type == root.type) ? VB_OK : VB_ERROR;
}


int
vb_json_next(const vb_json_value_t *object, u_char **pos,
    vb_json_value_t *name, vb_json_value_t *value)
{
    int              first;
    u_char          *p;
    vb_json_scan_t   s;

    if (object->type != VB_JSON_OBJECT) {
        return VB_DECLINED;
    }

    s.end = object->text.data + object->text.len;
    s.depth = VB_JSON_MAX_DEPTH;

    first = (*pos == object->text.data);
    p = vb_json_space(*pos + first, s.end);

    if (!first && p < s.end && *p == ',') {
        p = vb_json_space(p + 1, s.end);
    }

    /* the brace that closes is no name */

    p = vb_json_name(&s, p, name);

    if (p) {
        p = vb_json_value(&s, p, value, 0);
    }

    if (p == NULL) {
        return VB_DECLINED;
    }

    *pos = p;

    return VB_OK;
}


/*
 * Takes the value at p whole, with all it contains, and tells *value about
 * it; members are the fields looked for in it, if it is an object.  Returns
 * what is behind the value, or NULL after an error, as all below do.
 */

static u_char *
vb_json_value(vb_json_scan_t *s, u_char *p, vb_json_value_t *value,
    uint32_t members)
{
    int               first;
    size_t            depth;
    vb_json_level_t  *level, levels[VB_JSON_MAX_DEPTH];

    depth = 0;
    level = NULL;

    for ( ;; ) {

        /* a value begins */

        if (p < s->end && (*p == '{' || *p == '[')) {

            if (depth == s->depth) {
                return vb_json_error(s, p, "nested too deep (see "
                                           "voicebridge_max_json_depth)");
            }

            vb_json_open(&levels[depth++], p++, value, members);
            first = 1;

        } else {
            p = vb_json_scalar(s, p, value);

            if (p == NULL) {
                return NULL;
            }

            first = 0;
        }

        /* all that end here */

        while (depth) {
            level = &levels[depth - 1];
            p = vb_json_space(p, s->end);

            if (p == s->end || *p != level->close) {
                break;
            }

            p++;
            level->value->text.len = p - level->value->text.data;

            depth--;
            first = 0;
        }

        if (depth == 0) {
            return p;
        }

        p = vb_json_element(s, p, level, first, &value, &members);

        if (p == NULL) {
            return NULL;
        }
    }
}


static void
vb_json_open(vb_json_level_t *level, u_char *p, vb_json_value_t *value,
    uint32_t members)
{
    value->escaped = 0;
    value->text.data = p;

    level->value = value;

    if (*p == '{') {
        value->type = VB_JSON_OBJECT;
        level->close = '}';
        level->members = members;

    } else {
        value->type = VB_JSON_ARRAY;
        level->close = ']';
    }
}


/* fills all of *value but the length of an array or object */

static u_char *
vb_json_scalar(vb_json_scan_t *s, u_char *p, vb_json_value_t *value)
{
    value->escaped = 0;
    value->text.data = p;

    if (p == s->end) {
        return vb_json_error(s, p, "a value is missing");
    }

    if (*p == '"') {
        return vb_json_string(s, p, value);
    }

    if (*p == '-' || vb_json_is_digit(*p)) {
        p = vb_json_number(s, p, value);

    } else {
        p = vb_json_literal(s, p, value);
    }

    if (p) {
        value->text.len = p - value->text.data;
    }

    return p;
}


/*
 * Goes on to the next value in an array or object: takes the comma before it
 * and a member's name.  Points at where the value is to go and at the fields
 * looked for in it.
 */

static u_char *
vb_json_element(vb_json_scan_t *s, u_char *p, vb_json_level_t *level,
    int first, vb_json_value_t **value, uint32_t *members)
{
    size_t           i;
    uint32_t         among;
    vb_json_value_t  name;

    if (!first) {

        if (p == s->end || *p != ',') {
            return vb_json_error(s, p, "a comma or closing bracket is missing");
        }

        p = vb_json_space(p + 1, s->end);
    }

    *value = &s->other;
    *members = 0;

    if (level->close == ']') {
        return p;
    }

    p = vb_json_name(s, p, &name);

    if (p == NULL) {
        return NULL;
    }

    for (among = level->members; among; among &= among - 1) {
        i = __builtin_ctz(among);

        if (vb_json_is_name(&name, &s->fields[i].name)) {
            vb_json_forget(s, i);

            *value = &s->values[i];
            *members = s->members[i + 1];

            break;
        }
    }

    return p;
}


static u_char *
vb_json_name(vb_json_scan_t *s, u_char *p, vb_json_value_t *name)
{
    if (p == s->end || *p != '"') {
        return vb_json_error(s, p, "the name of a member is missing");
    }

    p = vb_json_string(s, p, name);

    if (p == NULL) {
        return NULL;
    }

    p = vb_json_space(p, s->end);

    if (p == s->end || *p != ':') {
        return vb_json_error(s, p, "no colon after the name of a member");
    }

    return vb_json_space(p + 1, s->end);
}


static int
vb_json_is_name(const vb_json_value_t *name, const vb_str_t *field)
{
    if (name->escaped) {
        return vb_json_is_escaped(&name->text, field);
    }

    return name->text.len == field->len
           && memcmp(name->text.data, field->data, field->len) == 0;
}


static int
vb_json_is_escaped(const vb_str_t *name, const vb_str_t *field)
{
    size_t  n;
    u_char  buf[6 * VB_JSON_MAX_NAME];

    if (name->len > sizeof(buf)) {
        return 0;
    }

    n = vb_json_unescape(buf, name);

    return n == field->len && memcmp(buf, field->data, n) == 0;
}


/*
 * A name that comes a second time: what was in an earlier object of that
 * name no longer counts.  Fields stand behind those they belong to, so
 * the bits that are added are always higher than the one at hand.
 */

static void
vb_json_forget(vb_json_scan_t *s, size_t i)
{
    uint32_t  mask;

    if (s->values[i].type != VB_JSON_OBJECT) {
        return;
    }

    for (mask = s->members[i + 1]; mask; mask &= mask - 1) {
        i = __builtin_ctz(mask);

        memset(&s->values[i], 0, sizeof(vb_json_value_t));
        mask |= s->members[i + 1];
    }
}


static u_char *
vb_json_string(vb_json_scan_t *s, u_char *p, vb_json_value_t *value)
{
    value->type = VB_JSON_STRING;
    value->escaped = 0;
    value->text.data = ++p;

    for ( ;; ) {
        p = (u_char *) vb_json_plain(p, s->end);

        if (p == s->end) {
            return vb_json_error(s, p, "a string without its end");
        }

        if (*p == '"') {
            value->text.len = p - value->text.data;
            return p + 1;
        }

        if (*p != '\\') {
            return vb_json_error(s, p, "control character in a string");
        }

        value->escaped = 1;

        p = vb_json_backslash(s, p + 1);

        if (p == NULL) {
            return NULL;
        }
    }
}


/* p is behind a backslash */

static u_char *
vb_json_backslash(vb_json_scan_t *s, u_char *p)
{
    size_t  i;

    if (p == s->end) {
        return vb_json_error(s, p, "a string without its end");
    }

    if (*p != 'u') {

        if (memchr("\"\\/bfnrt", *p, 8) == NULL) {
            return vb_json_error(s, p, "unknown escape in a string");
        }

        return p + 1;
    }

    for (i = 0; i < 4; i++) {
        p++;

        if (p == s->end || !vb_json_is_hex(*p)) {
            return vb_json_error(s, p, "\\u without four hex digits");
        }
    }

    return p + 1;
}


static u_char *
vb_json_number(vb_json_scan_t *s, u_char *p, vb_json_value_t *value)
{
    value->type = VB_JSON_NUMBER;

    if (*p == '-') {
        p++;
    }

    if (p < s->end && *p == '0') {
        p++;

    } else {
        p = vb_json_digits(s, p);
    }

    if (p && p < s->end && *p == '.') {
        p = vb_json_digits(s, p + 1);
    }

    if (p && p < s->end && (*p == 'e' || *p == 'E')) {
        p++;

        if (p < s->end && (*p == '+' || *p == '-')) {
            p++;
        }

        p = vb_json_digits(s, p);
    }

    return p;
}


static u_char *
vb_json_digits(vb_json_scan_t *s, u_char *p)
{
    if (p == s->end || !vb_json_is_digit(*p)) {
        return vb_json_error(s, p, "a digit is missing in a number");
    }

    do {
        p++;
    } while (p < s->end && vb_json_is_digit(*p));

    return p;
}


static u_char *
vb_json_literal(vb_json_scan_t *s, u_char *p, vb_json_value_t *value)
{
    size_t  rest;

    rest = s->end - p;

    if (rest >= 4 && memcmp(p, "true", 4) == 0) {
        value->type = VB_JSON_TRUE;
        return p + 4;
    }

    if (rest >= 4 && memcmp(p, "null", 4) == 0) {
        value->type = VB_JSON_NULL;
        return p + 4;
    }

    if (rest >= 5 && memcmp(p, "false", 5) == 0) {
        value->type = VB_JSON_FALSE;
        return p + 5;
    }

    return vb_json_error(s, p, "a value is missing");
}


static u_char *
vb_json_error(vb_json_scan_t *s, u_char *p, const char *error)
{
    s->error = error;
    s->error_pos = p;

    return NULL;
}
