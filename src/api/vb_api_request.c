
/*
 * The request to place a call: JSON read as it comes, in memory of a fixed
 * size, and what is wrong with it said in words its sender understands.
 */


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>
#include <vb_agent_init.h>
#include <vb_api_request.h>
#include <vb_json.h>
#include <vb_twilio_call.h>
#include <vb_utf8.h>
#include <vb_writer.h>


/* longer than any number of E.164 */
#define VB_API_MAX_NUMBER  32

/* of what a sender wrote, bytes shown in an error */
#define VB_API_MAX_SHOWN   64


enum {
    VB_API_AGENT_ID = 0,
    VB_API_SESSION_ID,
    VB_API_METADATA,
    VB_API_TO_NUMBER,
    VB_API_VARIABLES,
    VB_API_MEMBERS
};


typedef struct {
    uint32_t         utf8;             /* of vb_utf8_check() */
    size_t           token;            /* bytes of the one at hand */
    unsigned         string:1;
    unsigned         backslash:1;
    unsigned         high:1;           /* behind a high surrogate */
    unsigned         digits:3;         /* of \uXXXX, still to come */
    uint32_t         unit;
} vb_api_scan_t;


struct vb_api_parser_s {
    yajl_handle      yajl;
    vb_api_scan_t    scan;
    size_t           fed;              /* bytes before the piece at hand */

    size_t           depth;            /* objects and arrays open */
    unsigned         metadata:1;       /* in it, at depth 2 */
    unsigned         variables:1;      /* in it, at depth 3 or deeper */
    unsigned         comma:1;          /* behind a value */
    int              member;           /* the next value's, or -1 */

    vb_json_type_t   type[VB_API_MEMBERS];
    vb_str_t         text[VB_API_MEMBERS];
    vb_writer_t      writer;           /* of dynamic_variables */

    /* a byte more than allowed, to tell when there is more */
    u_char           agent_id[VB_API_MAX_ID + 1];
    u_char           session_id[VB_API_MAX_ID + 1];
    u_char           to_number[VB_API_MAX_NUMBER];
    u_char           json[VB_API_MAX_VARIABLES];

    char             error[256];       /* empty: none yet */
};


static size_t vb_api_scan(vb_api_scan_t *s, const u_char *data, size_t len,
    const char **why);
static const char *vb_api_scan_byte(vb_api_scan_t *s, u_char c);
static const char *vb_api_scan_unit(vb_api_scan_t *s);

static int vb_api_null(void *ctx);
static int vb_api_boolean(void *ctx, int value);
static int vb_api_number(void *ctx, const char *text, size_t len);
static int vb_api_string(void *ctx, const u_char *text, size_t len);
static int vb_api_start_map(void *ctx);
static int vb_api_key(void *ctx, const u_char *text, size_t len);
static int vb_api_end_map(void *ctx);
static int vb_api_start_array(void *ctx);
static int vb_api_end_array(void *ctx);

static int vb_api_is_wanted(vb_api_parser_t *p);
static int vb_api_value(vb_api_parser_t *p, vb_json_type_t type,
    const char *text, size_t len);
static int vb_api_deeper(vb_api_parser_t *p);
static int vb_api_higher(vb_api_parser_t *p, const char *bracket);
static void vb_api_separate(vb_api_parser_t *p);
static void vb_api_write_string(vb_writer_t *w, const u_char *text,
    size_t len);

static int vb_api_check(vb_api_parser_t *p, int have_agent);
static int vb_api_check_id(vb_api_parser_t *p, int member);
static int vb_api_check_variables(vb_api_parser_t *p);
static void vb_api_unique(vb_str_t *json);

static void vb_api_syntax(vb_api_parser_t *p, const char *why, size_t at);
static void vb_api_yajl_syntax(vb_api_parser_t *p);
static int vb_api_error(vb_api_parser_t *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


static const yajl_callbacks  vb_api_callbacks = {
    vb_api_null, vb_api_boolean, NULL, NULL, vb_api_number, vb_api_string,
    vb_api_start_map, vb_api_key, vb_api_end_map, vb_api_start_array,
    vb_api_end_array
};


static const struct {
    int              metadata;         /* whether in it */
    vb_str_t         name;
    vb_json_type_t   type;
    const char      *error;
} vb_api_members[VB_API_MEMBERS] = {
    { 0, vb_str("agent_id"), VB_JSON_STRING, "agent_id must be a string" },
    { 0, vb_str("session_id"), VB_JSON_STRING, "session_id must be a string" },
    { 0, vb_str("metadata"), VB_JSON_OBJECT, "metadata must be an object" },
    { 1, vb_str("to_number"), VB_JSON_STRING,
      "metadata.to_number must be a string" },
    { 1, vb_str("dynamic_variables"), VB_JSON_OBJECT,
      "metadata.dynamic_variables must be an object" }
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

    /* vb_api_scan() does, and better */

    yajl_config(p->yajl, yajl_dont_validate_strings, 1);

    p->member = -1;

    p->text[VB_API_AGENT_ID].data = p->agent_id;
    p->text[VB_API_SESSION_ID].data = p->session_id;
    p->text[VB_API_TO_NUMBER].data = p->to_number;
    p->text[VB_API_VARIABLES].data = p->json;

    p->writer.dst = p->json;
    p->writer.size = VB_API_MAX_VARIABLES;

    return p;
}


void
vb_api_parser_destroy(vb_api_parser_t *p)
{
    yajl_free(p->yajl);
    free(p);
}


int
vb_api_parser_feed(vb_api_parser_t *p, const u_char *data, size_t len)
{
    size_t       good;
    const char  *why;

    if (p->error[0]) {
        return VB_ERROR;
    }

    good = vb_api_scan(&p->scan, data, len, &why);

    if (good && yajl_parse(p->yajl, data, good) != yajl_status_ok) {
        vb_api_yajl_syntax(p);
        return VB_ERROR;
    }

    p->fed += good;

    if (good < len) {
        vb_api_syntax(p, why, p->fed);
        return VB_ERROR;
    }

    return VB_OK;
}


int
vb_api_parser_finish(vb_api_parser_t *p, int have_agent,
    vb_api_request_t *request, vb_str_t *detail)
{
    if (p->error[0] == '\0'
        && yajl_complete_parse(p->yajl) != yajl_status_ok
        && p->error[0] == '\0')
    {
        vb_api_error(p, "the body is not a JSON object: it ends too early, "
                        "after %zu bytes", p->fed);
    }

    if (p->error[0] || vb_api_check(p, have_agent) != VB_OK) {
        detail->data = (u_char *) p->error;
        detail->len = strlen(p->error);

        return VB_ERROR;
    }

    request->agent_id = p->text[VB_API_AGENT_ID];
    request->session_id = p->text[VB_API_SESSION_ID];
    request->to_number = p->text[VB_API_TO_NUMBER];
    request->dynamic_variables = p->text[VB_API_VARIABLES];

    return VB_OK;
}


/*
 * Looks at the bytes before yajl does, for what it takes but should not: text
 * that is not UTF-8, surrogates without their other half, which it does not
 * decode properly, and tokens of any length, which it keeps whole and begins
 * again with each piece.  Returns how many bytes are good, and why not more.
 */

static size_t
vb_api_scan(vb_api_scan_t *s, const u_char *data, size_t len,
    const char **why)
{
    size_t       i, good;
    uint32_t     utf8;
    const char  *error;

    utf8 = s->utf8;
    good = len;

    if (vb_utf8_check(&s->utf8, data, len) != VB_OK) {

        for (good = 0; vb_utf8_check(&utf8, data + good, 1) == VB_OK; good++) {
            /* void */
        }

        *why = "this is not UTF-8";
    }

    for (i = 0; i < good; i++) {
        error = vb_api_scan_byte(s, data[i]);

        if (error) {
            *why = error;
            return i;
        }
    }

    return good;
}


static const char *
vb_api_scan_byte(vb_api_scan_t *s, u_char c)
{
    static const char  surrogate[] = "half a surrogate pair";

    if (!s->string) {
        s->string = (c == '"');

        /* a number's or literal's; whatever else is here is for yajl */

        s->token = (c == '-' || c == '+' || c == '.'
                    || (c >= '0' && c <= '9') || (c | 0x20) == 'e')
                   ? s->token + 1 : 0;

    } else {
        s->token++;

        if (s->digits) {
            c |= 0x20;
            s->unit = s->unit << 4
                      | ((c <= '9') ? c - '0' : c - 'a' + 10);

            if (--s->digits == 0) {
                return vb_api_scan_unit(s);
            }

        } else if (s->backslash) {
            s->backslash = 0;

            if (c == 'u') {
                s->digits = 4;
                s->unit = 0;

            } else if (s->high) {
                return surrogate;
            }

        } else if (c == '\\') {
            s->backslash = 1;

        } else if (s->high) {
            return surrogate;

        } else if (c == '"') {
            s->string = 0;
        }
    }

    if (s->token > VB_API_MAX_TOKEN) {
        return "a string or number that is too long";
    }

    return NULL;
}


/* the unit of UTF-16 that an escape has given */

static const char *
vb_api_scan_unit(vb_api_scan_t *s)
{
    unsigned  low;

    low = (s->unit >= 0xdc00 && s->unit < 0xe000);

    if (low != s->high) {
        return "half a surrogate pair";
    }

    s->high = (s->unit >= 0xd800 && s->unit < 0xdc00);

    return NULL;
}


static int
vb_api_null(void *ctx)
{
    /* a member that is null is absent, a variable may be null */

    return vb_api_value(ctx, VB_JSON_NULL, "null", 4);
}


static int
vb_api_boolean(void *ctx, int value)
{
    return value ? vb_api_value(ctx, VB_JSON_TRUE, "true", 4)
                 : vb_api_value(ctx, VB_JSON_FALSE, "false", 5);
}


static int
vb_api_number(void *ctx, const char *text, size_t len)
{
    return vb_api_value(ctx, VB_JSON_NUMBER, text, len);
}


static int
vb_api_string(void *ctx, const u_char *text, size_t len)
{
    size_t            size;
    vb_str_t         *s;
    vb_api_parser_t  *p = ctx;

    if (p->variables) {
        vb_api_separate(p);
        vb_api_write_string(&p->writer, text, len);
        p->comma = 1;

        return 1;
    }

    if (vb_api_is_wanted(p)
        && vb_api_members[p->member].type == VB_JSON_STRING)
    {
        size = (p->member == VB_API_TO_NUMBER) ? VB_API_MAX_NUMBER
                                               : VB_API_MAX_ID + 1;
        s = &p->text[p->member];
        s->len = vb_min(len, size);

        if (s->len) {
            memcpy(s->data, text, s->len);
        }
    }

    return vb_api_value(p, VB_JSON_STRING, NULL, 0);
}


static int
vb_api_start_map(void *ctx)
{
    vb_api_parser_t  *p = ctx;

    if (!vb_api_value(p, VB_JSON_OBJECT, "{", 1)) {
        return 0;
    }

    p->comma = 0;

    if (!p->variables && vb_api_is_wanted(p)) {

        if (p->member == VB_API_METADATA) {
            p->metadata = 1;

        } else if (p->member == VB_API_VARIABLES) {
            p->variables = 1;
            p->writer.len = 0;
            vb_write_literal(&p->writer, "{");
        }
    }

    return vb_api_deeper(p);
}


static int
vb_api_key(void *ctx, const u_char *text, size_t len)
{
    int               i;
    vb_api_parser_t  *p = ctx;

    if (p->variables) {
        vb_api_separate(p);
        vb_api_write_string(&p->writer, text, len);
        vb_write_literal(&p->writer, ":");
        p->comma = 0;

        return 1;
    }

    if (p->depth > 2 || (p->depth == 2 && !p->metadata)) {
        return 1;
    }

    p->member = -1;

    for (i = 0; i < VB_API_MEMBERS; i++) {

        if (vb_api_members[i].metadata == (p->depth == 2)
            && vb_api_members[i].name.len == len
            && memcmp(vb_api_members[i].name.data, text, len) == 0)
        {
            p->member = i;
            break;
        }
    }

    /* what an earlier one held does not count */

    if (p->member == VB_API_METADATA) {
        p->type[VB_API_TO_NUMBER] = VB_JSON_ABSENT;
        p->type[VB_API_VARIABLES] = VB_JSON_ABSENT;
    }

    return 1;
}


static int
vb_api_end_map(void *ctx)
{
    return vb_api_higher(ctx, "}");
}


static int
vb_api_start_array(void *ctx)
{
    vb_api_parser_t  *p = ctx;

    if (!vb_api_value(p, VB_JSON_ARRAY, "[", 1)) {
        return 0;
    }

    p->comma = 0;

    return vb_api_deeper(p);
}


static int
vb_api_end_array(void *ctx)
{
    return vb_api_higher(ctx, "]");
}


/* whether a value that begins here is that of p->member */

static int
vb_api_is_wanted(vb_api_parser_t *p)
{
    return p->member != -1
           && (p->depth == 1 || (p->depth == 2 && p->metadata))
           && vb_api_members[p->member].metadata == (p->depth == 2);
}


/* a value, or the bracket that one begins with */

static int
vb_api_value(vb_api_parser_t *p, vb_json_type_t type, const char *text,
    size_t len)
{
    if (p->variables) {
        vb_api_separate(p);
        vb_write(&p->writer, text, len);
        p->comma = 1;

        return 1;
    }

    if (p->depth == 0 && type != VB_JSON_OBJECT) {
        vb_api_error(p, "the body is not a JSON object but %s",
                     (type == VB_JSON_ARRAY) ? "an array"
                     : (type == VB_JSON_STRING) ? "a string"
                     : (type == VB_JSON_NUMBER) ? "a number" : "a literal");
        return 0;
    }

    if (vb_api_is_wanted(p)) {
        p->type[p->member] = type;
    }

    return 1;
}


static int
vb_api_deeper(vb_api_parser_t *p)
{
    if (++p->depth > VB_JSON_MAX_DEPTH) {
        vb_api_syntax(p, "it is nested too deep",
                      p->fed + yajl_get_bytes_consumed(p->yajl) - 1);
        return 0;
    }

    return 1;
}


static int
vb_api_higher(vb_api_parser_t *p, const char *bracket)
{
    p->depth--;

    if (p->variables) {
        vb_write(&p->writer, bracket, 1);
        p->comma = 1;
        p->variables = (p->depth > 2);

    } else if (p->depth == 1) {
        p->metadata = 0;
    }

    return 1;
}


static void
vb_api_separate(vb_api_parser_t *p)
{
    if (p->comma) {
        vb_write_literal(&p->writer, ",");
    }
}


/*
 * XML has no way to write U+FFFE and U+FFFF, and this is going to travel in
 * XML: they are escaped.
 */

static void
vb_api_write_string(vb_writer_t *w, const u_char *text, size_t len)
{
    const u_char  *p, *end;

    vb_write_literal(w, "\"");

    end = text + len;

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


static int
vb_api_check(vb_api_parser_t *p, int have_agent)
{
    int        i;
    vb_str_t  *to;

    for (i = 0; i < VB_API_MEMBERS; i++) {

        if (p->type[i] == VB_JSON_ABSENT || p->type[i] == VB_JSON_NULL) {
            p->text[i].len = 0;

        } else if (p->type[i] != vb_api_members[i].type) {
            return vb_api_error(p, "%s", vb_api_members[i].error);

        } else if (i == VB_API_VARIABLES) {
            p->text[i].len = vb_min(p->writer.len, p->writer.size);
        }
    }

    if (p->text[VB_API_AGENT_ID].len == 0 && !have_agent) {
        return vb_api_error(p, "agent_id is required");
    }

    if (vb_api_check_id(p, VB_API_AGENT_ID) != VB_OK
        || vb_api_check_id(p, VB_API_SESSION_ID) != VB_OK)
    {
        return VB_ERROR;
    }

    to = &p->text[VB_API_TO_NUMBER];

    if (to->len == 0) {
        return vb_api_error(p, "to_number is required");
    }

    if (!vb_e164(to)) {
        return vb_api_error(p, "to_number must be in E.164 format: + and 2 to "
                               "15 digits, the first not 0");
    }

    return vb_api_check_variables(p);
}


/* no control characters (C0, DEL, C1), and nothing XML cannot hold */

static int
vb_api_check_id(vb_api_parser_t *p, int member)
{
    u_char    *c, *end;
    vb_str_t  *id;

    id = &p->text[member];

    if (id->len > VB_API_MAX_ID) {
        return vb_api_error(p, "%s must not be longer than %d bytes",
                            vb_api_members[member].name.data, VB_API_MAX_ID);
    }

    end = id->data + id->len;

    for (c = id->data; c < end; c++) {

        if (*c < 0x20 || *c == 0x7f
            || (*c == 0xc2 && c[1] < 0xa0)
            || (*c == 0xef && c[1] == 0xbf && c[2] >= 0xbe))
        {
            return vb_api_error(p, "%s must not contain control characters",
                                vb_api_members[member].name.data);
        }
    }

    return VB_OK;
}


static int
vb_api_check_variables(vb_api_parser_t *p)
{
    size_t            n;
    u_char           *pos, shown[VB_API_MAX_SHOWN];
    vb_str_t         *json, name;
    const char       *error;
    vb_json_value_t   object, key, value;

    json = &p->text[VB_API_VARIABLES];

    if (json->len == 0 || p->writer.len > p->writer.size) {
        return VB_OK;
    }

    vb_api_unique(json);

    if (vb_agent_variables_check(json, &name, &error) != VB_OK) {
        goto refused;
    }

    object.type = VB_JSON_OBJECT;
    object.text = *json;

    pos = json->data;

    while (vb_json_next(&object, &pos, &key, &value) == VB_OK) {

        if (value.type == VB_JSON_ARRAY) {
            value.text.data++;
            value.text.len--;

            if (vb_json_holds(&value.text, '[')) {
                name = key.text;
                error = "an array in an array";

                goto refused;
            }
        }
    }

    return VB_OK;

refused:

    n = vb_json_print(shown, sizeof(shown), &name);

    return vb_api_error(p, "dynamic variable \"%.*s\" is refused: %s", (int) n,
                        shown, error);
}


/* leaves of the members that have the same name only the last */

static void
vb_api_unique(vb_str_t *json)
{
    u_char           *pos, *start, *later;
    vb_json_value_t   object, name, other, value;

    object.type = VB_JSON_OBJECT;
    object.text = *json;

    pos = object.text.data;

    while (vb_json_next(&object, &pos, &name, &value) == VB_OK) {

        later = pos;

        while (vb_json_next(&object, &later, &other, &value) == VB_OK) {

            if (other.text.len != name.text.len
                || memcmp(other.text.data, name.text.data, name.text.len) != 0)
            {
                continue;
            }

            /* from its quote to behind the comma */

            start = name.text.data - 1;
            pos++;

            memmove(start, pos, object.text.data + object.text.len - pos);
            object.text.len -= pos - start;

            pos = start;

            break;
        }
    }

    json->len = object.text.len;
}


static void
vb_api_syntax(vb_api_parser_t *p, const char *why, size_t at)
{
    vb_api_error(p, "the body is not a JSON object: %s, at byte %zu", why, at);
}


/* unless a callback has stopped it, which has said why */

static void
vb_api_yajl_syntax(vb_api_parser_t *p)
{
    char    *text, *why;
    size_t   n;

    if (p->error[0]) {
        return;
    }

    /* such as "lexical error: invalid char in json text.\n" */

    text = (char *) yajl_get_error(p->yajl, 0, NULL, 0);
    why = text ? strstr(text, ": ") : NULL;

    if (why) {
        why += 2;
        n = strcspn(why, ".\n");
        why[n] = '\0';
    }

    vb_api_syntax(p, why ? why : "parse error",
                  p->fed + yajl_get_bytes_consumed(p->yajl));

    if (text) {
        yajl_free_error(p->yajl, (u_char *) text);
    }
}


static int
vb_api_error(vb_api_parser_t *p, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) vsnprintf(p->error, sizeof(p->error), fmt, args);
    va_end(args);

    return VB_ERROR;
}
