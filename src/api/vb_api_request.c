
/* The body of POST /twilio/outbound-call, over yajl */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <yajl/yajl_parse.h>

#include <vb_api_request.h>
#include <vb_json.h>
#include <vb_twilio_call.h>


#define VB_API_MAX_ID    256
#define VB_API_MAX_NAME  64            /* of a member, in an error */


/* where in the body a value stands */
typedef enum {
    VB_API_OUTSIDE = 0,                /* not in the object yet */
    VB_API_TOP,
    VB_API_METADATA,
    VB_API_VARIABLES,
    VB_API_SKIP                        /* in a member nobody asked for */
} vb_api_place_t;


typedef struct {
    u_char          *data;
    size_t           len;
    size_t           size;
} vb_api_buf_t;


struct vb_api_parser_s {
    yajl_handle      yajl;
    vb_api_place_t   place;
    unsigned         depth;
    unsigned         below;            /* depth where SKIP or an array of a
                                          variable began */
    unsigned         array;            /* nested arrays of a variable */

    char             name[VB_API_MAX_NAME + 1];    /* of the member, cut */
    vb_api_buf_t    *member;           /* where a wanted string goes */

    vb_api_buf_t     agent_id;
    vb_api_buf_t     session_id;
    vb_api_buf_t     to_number;
    vb_api_buf_t     variables;

    size_t           fed;
    char             syntax[160];      /* the first error of each kind */
    char             type[160];
    char             variable[160];
    vb_str_t         detail;
};


static int vb_api_scalar(vb_api_parser_t *p, const char *text, size_t len);
static int vb_api_null(void *ctx);
static int vb_api_boolean(void *ctx, int value);
static int vb_api_number(void *ctx, const char *text, size_t len);
static int vb_api_string(void *ctx, const unsigned char *text, size_t len);
static int vb_api_start_map(void *ctx);
static int vb_api_key(void *ctx, const unsigned char *text, size_t len);
static int vb_api_end_map(void *ctx);
static int vb_api_start_array(void *ctx);
static int vb_api_end_array(void *ctx);

static int vb_api_deeper(vb_api_parser_t *p);
static int vb_api_wrong_type(vb_api_parser_t *p, const char *wanted);
static int vb_api_variable_name(vb_api_parser_t *p, const u_char *text,
    size_t len);
static int vb_api_variable_value(vb_api_parser_t *p, const char *text,
    size_t len);
static int vb_api_reserve(vb_api_buf_t *b, size_t len);
static int vb_api_put(vb_api_buf_t *b, const void *data, size_t len);
static int vb_api_put_string(vb_api_buf_t *b, const u_char *data, size_t len);
static int vb_api_separate(vb_api_buf_t *b);
static int vb_api_is(const u_char *text, size_t len, const char *name);
static void vb_api_say(char *dst, size_t size, const char *format, ...);
static void vb_api_syntax(vb_api_parser_t *p, const u_char *data, size_t len);
static int vb_api_check_id(vb_api_parser_t *p, const char *name,
    const vb_api_buf_t *id);
static vb_str_t vb_api_str(const vb_api_buf_t *b);


static const yajl_callbacks  vb_api_callbacks = {
    vb_api_null, vb_api_boolean, NULL, NULL, vb_api_number, vb_api_string,
    vb_api_start_map, vb_api_key, vb_api_end_map, vb_api_start_array,
    vb_api_end_array
};


vb_api_parser_t *
vb_api_parser_create(void)
{
    vb_api_parser_t  *p;

    p = calloc(1, sizeof(vb_api_parser_t));
    if (p == NULL) {
        return NULL;
    }

    p->yajl = yajl_alloc(&vb_api_callbacks, NULL, p);
    if (p->yajl == NULL) {
        free(p);
        return NULL;
    }

    return p;
}


void
vb_api_parser_destroy(vb_api_parser_t *p)
{
    yajl_free(p->yajl);

    free(p->agent_id.data);
    free(p->session_id.data);
    free(p->to_number.data);
    free(p->variables.data);
    free(p);
}


int
vb_api_parser_feed(vb_api_parser_t *p, const u_char *data, size_t len)
{
    if (p->syntax[0]) {
        return VB_ERROR;
    }

    if (yajl_parse(p->yajl, data, len) != yajl_status_ok) {
        vb_api_syntax(p, data, len);
        return VB_ERROR;
    }

    p->fed += len;

    return VB_OK;
}


int
vb_api_parser_finish(vb_api_parser_t *p, int have_agent,
    vb_api_request_t *request, vb_str_t *detail)
{
    vb_str_t     to;
    const char  *error;

    if (!p->syntax[0] && yajl_complete_parse(p->yajl) != yajl_status_ok) {
        vb_api_say(p->syntax, sizeof(p->syntax),
                   "the body is not a JSON object: it ends too early, after "
                   "%zu bytes", p->fed);
    }

    to = vb_api_str(&p->to_number);
    error = NULL;

    if (p->syntax[0]) {
        error = p->syntax;

    } else if (p->type[0]) {
        error = p->type;

    } else if (p->agent_id.len == 0 && !have_agent) {
        error = "agent_id is required";

    } else if (vb_api_check_id(p, "agent_id", &p->agent_id) != VB_OK
               || vb_api_check_id(p, "session_id", &p->session_id) != VB_OK)
    {
        error = p->type;

    } else if (to.len == 0) {
        error = "to_number is required";

    } else if (!vb_e164(&to)) {
        error = "to_number must be an E.164 number: +, then 2 to 15 digits, "
                "the first not 0";

    } else if (p->variable[0]) {
        error = p->variable;
    }

    if (error) {
        detail->data = (u_char *) error;
        detail->len = strlen(error);
        return VB_ERROR;
    }

    request->agent_id = vb_api_str(&p->agent_id);
    request->session_id = vb_api_str(&p->session_id);
    request->to_number = to;
    request->dynamic_variables = vb_api_str(&p->variables);

    return VB_OK;
}


static int
vb_api_null(void *ctx)
{
    vb_api_parser_t  *p = ctx;

    /* a wanted member that is null counts as absent */

    if (p->place == VB_API_TOP || p->place == VB_API_METADATA) {
        p->member = NULL;
        p->name[0] = '\0';
        return 1;
    }

    return vb_api_scalar(p, "null", 4);
}


static int
vb_api_boolean(void *ctx, int value)
{
    return vb_api_scalar(ctx, value ? "true" : "false", value ? 4 : 5);
}


static int
vb_api_number(void *ctx, const char *text, size_t len)
{
    return vb_api_scalar(ctx, text, len);
}


/* any value but a string, an object or an array */

static int
vb_api_scalar(vb_api_parser_t *p, const char *text, size_t len)
{
    switch (p->place) {

    case VB_API_OUTSIDE:
        return 0;

    case VB_API_VARIABLES:
        return vb_api_variable_value(p, text, len);

    case VB_API_TOP:
    case VB_API_METADATA:

        if (p->member) {
            return vb_api_wrong_type(p, "a string");
        }

        if (strcmp(p->name, "metadata") == 0
            || strcmp(p->name, "dynamic_variables") == 0)
        {
            return vb_api_wrong_type(p, "an object");
        }

        return 1;

    default:
        return 1;
    }
}


static int
vb_api_string(void *ctx, const unsigned char *text, size_t len)
{
    vb_api_parser_t  *p = ctx;

    if (p->place == VB_API_VARIABLES) {
        return vb_api_separate(&p->variables)
               && vb_api_put_string(&p->variables, text, len);
    }

    if ((p->place == VB_API_TOP || p->place == VB_API_METADATA) && p->member) {
        p->member->len = 0;
        return vb_api_put(p->member, text, len);
    }

    return vb_api_scalar(p, "", 0);
}


static int
vb_api_start_map(void *ctx)
{
    vb_api_parser_t  *p = ctx;

    if (!vb_api_deeper(p)) {
        return 0;
    }

    switch (p->place) {

    case VB_API_OUTSIDE:
        p->place = VB_API_TOP;
        return 1;

    case VB_API_TOP:

        if (strcmp(p->name, "metadata") == 0) {
            p->place = VB_API_METADATA;
            return 1;
        }

        break;

    case VB_API_METADATA:

        if (strcmp(p->name, "dynamic_variables") == 0) {
            p->place = VB_API_VARIABLES;
            p->variables.len = 0;
            p->variable[0] = '\0';
            return vb_api_put(&p->variables, "{", 1);
        }

        break;

    case VB_API_VARIABLES:

        if (!p->variable[0]) {
            vb_api_say(p->variable, sizeof(p->variable),
                       "dynamic variable \"%s\" must not be an object",
                       p->name);
        }

        /* it is refused: only its end is looked for */

        if (!vb_api_variable_value(p, "null", 4)) {
            return 0;
        }

        p->below = p->depth;
        p->place = VB_API_SKIP;
        return 1;

    default:
        return 1;
    }

    if (p->member && !vb_api_wrong_type(p, "a string")) {
        return 0;
    }

    p->below = p->depth + (p->place == VB_API_TOP ? 0x10000 : 0x20000);
    p->place = VB_API_SKIP;

    return 1;
}


static int
vb_api_key(void *ctx, const unsigned char *text, size_t len)
{
    size_t            n;
    vb_api_parser_t  *p = ctx;

    if (p->place == VB_API_SKIP) {
        return 1;
    }

    n = vb_min(len, VB_API_MAX_NAME);

    while (n && n < len && (text[n] & 0xc0) == 0x80) {
        n--;
    }

    memcpy(p->name, text, n);
    p->name[n] = '\0';

    if (p->place == VB_API_VARIABLES) {
        return vb_api_variable_name(p, text, len);
    }

    p->member = NULL;

    if (p->place == VB_API_TOP) {

        if (vb_api_is(text, len, "agent_id")) {
            p->member = &p->agent_id;

        } else if (vb_api_is(text, len, "session_id")) {
            p->member = &p->session_id;
        }

    } else if (vb_api_is(text, len, "to_number")) {
        p->member = &p->to_number;
    }

    if (p->member) {
        p->member->len = 0;
    }

    return 1;
}


static int
vb_api_end_map(void *ctx)
{
    unsigned          began;
    vb_api_parser_t  *p = ctx;

    switch (p->place) {

    case VB_API_SKIP:
        began = p->below & 0xffff;

        if (p->depth == began) {
            p->place = p->below & 0x10000 ? VB_API_TOP
                       : p->below & 0x20000 ? VB_API_METADATA
                       : VB_API_VARIABLES;
        }

        break;

    case VB_API_VARIABLES:
        p->place = VB_API_METADATA;

        if (!vb_api_put(&p->variables, "}", 1)) {
            return 0;
        }

        break;

    case VB_API_METADATA:
        p->place = VB_API_TOP;
        break;

    default:
        break;
    }

    p->depth--;
    p->member = NULL;
    p->name[0] = '\0';

    return 1;
}


static int
vb_api_start_array(void *ctx)
{
    vb_api_parser_t  *p = ctx;

    if (!vb_api_deeper(p)) {
        return 0;
    }

    switch (p->place) {

    case VB_API_OUTSIDE:
        return 0;

    case VB_API_VARIABLES:

        if (p->array++ && !p->variable[0]) {
            vb_api_say(p->variable, sizeof(p->variable),
                       "dynamic variable \"%s\" must not hold an array within "
                       "an array", p->name);
        }

        return vb_api_separate(&p->variables)
               && vb_api_put(&p->variables, "[", 1);

    case VB_API_TOP:
    case VB_API_METADATA:

        if (!vb_api_scalar(p, "", 0)) {
            return 0;
        }

        p->below = p->depth + (p->place == VB_API_TOP ? 0x10000 : 0x20000);
        p->place = VB_API_SKIP;
        return 1;

    default:
        return 1;
    }
}


static int
vb_api_end_array(void *ctx)
{
    vb_api_parser_t  *p = ctx;

    if (p->place == VB_API_VARIABLES) {
        p->array--;
        p->depth--;
        return vb_api_put(&p->variables, "]", 1);
    }

    return vb_api_end_map(p);
}


static int
vb_api_deeper(vb_api_parser_t *p)
{
    if (++p->depth <= VB_JSON_MAX_DEPTH) {
        return 1;
    }

    vb_api_say(p->syntax, sizeof(p->syntax),
               "the body is nested more than %d levels deep",
               VB_JSON_MAX_DEPTH);

    return 0;
}


static int
vb_api_wrong_type(vb_api_parser_t *p, const char *wanted)
{
    if (!p->type[0]) {
        vb_api_say(p->type, sizeof(p->type), "%s must be %s", p->name, wanted);
    }

    return 1;
}


static int
vb_api_variable_name(vb_api_parser_t *p, const u_char *text, size_t len)
{
    if (!p->variable[0]) {

        if (len == 0) {
            vb_api_say(p->variable, sizeof(p->variable),
                       "a dynamic variable has an empty name");

        } else if (len >= 8 && memcmp(text, "system__", 8) == 0) {
            vb_api_say(p->variable, sizeof(p->variable),
                       "dynamic variable \"%s\": names that start with "
                       "system__ are reserved", p->name);

        } else if (len > VB_API_MAX_ID) {
            vb_api_say(p->variable, sizeof(p->variable),
                       "dynamic variable \"%s...\": the name is longer than "
                       "%d bytes", p->name, VB_API_MAX_ID);
        }
    }

    return vb_api_separate(&p->variables)
           && vb_api_put_string(&p->variables, text, len)
           && vb_api_put(&p->variables, ":", 1);
}


static int
vb_api_variable_value(vb_api_parser_t *p, const char *text, size_t len)
{
    return vb_api_separate(&p->variables)
           && vb_api_put(&p->variables, text, len);
}


static int
vb_api_reserve(vb_api_buf_t *b, size_t len)
{
    u_char  *p;
    size_t   size;

    if (b->size - b->len >= len) {
        return 1;
    }

    size = b->size * 2 + len + 64;

    p = realloc(b->data, size);
    if (p == NULL) {
        return 0;
    }

    b->data = p;
    b->size = size;

    return 1;
}


static int
vb_api_put(vb_api_buf_t *b, const void *data, size_t len)
{
    if (!vb_api_reserve(b, len)) {
        return 0;
    }

    if (len) {
        memcpy(b->data + b->len, data, len);
    }

    b->len += len;

    return 1;
}


static int
vb_api_put_string(vb_api_buf_t *b, const u_char *data, size_t len)
{
    if (!vb_api_reserve(b, vb_json_escape(NULL, data, len) + 2)) {
        return 0;
    }

    b->data[b->len++] = '"';
    b->len += vb_json_escape(b->data + b->len, data, len);
    b->data[b->len++] = '"';

    return 1;
}


/* a comma, unless a value or name is the first in its place: then what
 * stands before it is an opening bracket or a colon */

static int
vb_api_separate(vb_api_buf_t *b)
{
    u_char  c;

    c = b->data[b->len - 1];

    if (c == '{' || c == '[' || c == ':') {
        return 1;
    }

    return vb_api_put(b, ",", 1);
}


static int
vb_api_is(const u_char *text, size_t len, const char *name)
{
    return len == strlen(name) && memcmp(text, name, len) == 0;
}


static void
vb_api_say(char *dst, size_t size, const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    (void) vsnprintf(dst, size, format, args);
    va_end(args);
}


static void
vb_api_syntax(vb_api_parser_t *p, const u_char *data, size_t len)
{
    char    *s, *text;
    size_t   at;

    if (p->syntax[0]) {
        return;
    }

    at = p->fed + yajl_get_bytes_consumed(p->yajl);

    if (p->place == VB_API_OUTSIDE && p->depth == 0
        && yajl_get_bytes_consumed(p->yajl) > 0)
    {
        vb_api_say(p->syntax, sizeof(p->syntax),
                   "the body is not a JSON object, at byte %zu", at);
        return;
    }

    /* "parse error: unexpected token\n": its second half will do */

    text = (char *) yajl_get_error(p->yajl, 0, data, len);
    s = text ? strchr(text, ':') : NULL;

    vb_api_say(p->syntax, sizeof(p->syntax),
               "the body is not a JSON object: %.*s at byte %zu",
               s ? (int) strcspn(s + 2, "\n") : 11, s ? s + 2 : "parse error",
               at);

    if (text) {
        yajl_free_error(p->yajl, (unsigned char *) text);
    }
}


static int
vb_api_check_id(vb_api_parser_t *p, const char *name, const vb_api_buf_t *id)
{
    size_t  i;

    if (id->len > VB_API_MAX_ID) {
        vb_api_say(p->type, sizeof(p->type),
                   "%s must not be longer than %d bytes", name, VB_API_MAX_ID);
        return VB_ERROR;
    }

    for (i = 0; i < id->len; i++) {
        if (id->data[i] < ' ' || id->data[i] == 0x7f) {
            vb_api_say(p->type, sizeof(p->type),
                       "%s must not hold control characters", name);
            return VB_ERROR;
        }
    }

    return VB_OK;
}


static vb_str_t
vb_api_str(const vb_api_buf_t *b)
{
    vb_str_t  s;

    s.data = b->data;
    s.len = b->len;

    return s;
}
