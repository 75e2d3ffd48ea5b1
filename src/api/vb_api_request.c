
/*
 * The request to place a call: JSON read as it comes, in memory of a fixed
 * size, and what is wrong with it said in words its sender understands.
 */


#include <stdlib.h>
#include <yajl/yajl_parse.h>
#include <vb_api_members.h>
#include <vb_api_scan.h>


struct vb_api_parser_s {
    yajl_handle          yajl;
    vb_api_scan_t        scan;
    size_t               fed;          /* bytes before the piece at hand */
    size_t               taken;        /* and those yajl has told us of */

    size_t               depth;        /* objects and arrays open */
    size_t               max_depth;
    unsigned             in_metadata:1;    /* at depth 2 */
    vb_api_variables_t  *capture;      /* at depth 3 or deeper, or NULL */
    int                  member;       /* the next value's, or -1 */

    vb_api_values_t      values;
};


static int vb_api_null(void *ctx);
static int vb_api_boolean(void *ctx, int value);
static int vb_api_number(void *ctx, const char *text, size_t len);
static int vb_api_string(void *ctx, const u_char *text, size_t len);
static int vb_api_start_map(void *ctx);
static int vb_api_key(void *ctx, const u_char *text, size_t len);
static int vb_api_end_map(void *ctx);
static int vb_api_start_array(void *ctx);
static int vb_api_end_array(void *ctx);

static void vb_api_taken(vb_api_parser_t *p);
static int vb_api_is_wanted(vb_api_parser_t *p);
static int vb_api_value(vb_api_parser_t *p, vb_json_type_t type);
static int vb_api_scalar(vb_api_parser_t *p, vb_json_type_t type,
    const char *text, size_t len);
static int vb_api_deeper(vb_api_parser_t *p);
static int vb_api_higher(vb_api_parser_t *p, const char *bracket);

static void vb_api_syntax(vb_api_parser_t *p, const char *why, size_t at);
static void vb_api_yajl_syntax(vb_api_parser_t *p);


static const yajl_callbacks  vb_api_callbacks = {
    vb_api_null, vb_api_boolean, NULL, NULL, vb_api_number, vb_api_string,
    vb_api_start_map, vb_api_key, vb_api_end_map, vb_api_start_array,
    vb_api_end_array
};


vb_api_parser_t *
vb_api_parser_create(size_t depth)
{
    vb_api_parser_t  *p;

    p = calloc(1, sizeof(vb_api_parser_t));
    if (p == NULL) {
        return NULL;
    }

    p->max_depth = depth;

    p->yajl = yajl_alloc(&vb_api_callbacks, NULL, p);
    if (p->yajl == NULL) {
        free(p);
        return NULL;
    }

    /* vb_api_scan() does, and better */

    yajl_config(p->yajl, yajl_dont_validate_strings, 1);

    p->member = -1;

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

    if (p->values.error[0]) {
        return VB_ERROR;
    }

    if (len == 0) {
        return VB_OK;
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
    if (p->values.error[0] == '\0'
        && (yajl_complete_parse(p->yajl) != yajl_status_ok || p->scan.string)
        && p->values.error[0] == '\0')
    {
        vb_api_error(&p->values, "the body is not a JSON object: it ends too "
                                 "early, after %zu bytes", p->fed);
    }

    if (p->values.error[0]
        || vb_api_check(&p->values, have_agent, request) != VB_OK)
    {
        detail->data = (u_char *) p->values.error;
        detail->len = strlen(p->values.error);

        return VB_ERROR;
    }

    return VB_OK;
}


static int
vb_api_null(void *ctx)
{
    /* a member that is null is absent, a variable may be null */

    return vb_api_scalar(ctx, VB_JSON_NULL, "null", 4);
}


static int
vb_api_boolean(void *ctx, int value)
{
    return value ? vb_api_scalar(ctx, VB_JSON_TRUE, "true", 4)
                 : vb_api_scalar(ctx, VB_JSON_FALSE, "false", 5);
}


static int
vb_api_number(void *ctx, const char *text, size_t len)
{
    vb_api_parser_t  *p = ctx;

    if (p->capture == NULL && vb_api_is_wanted(p)) {
        vb_api_keep(&p->values, p->member, text, len);
    }

    return vb_api_scalar(p, VB_JSON_NUMBER, text, len);
}


static int
vb_api_string(void *ctx, const u_char *text, size_t len)
{
    vb_api_parser_t  *p = ctx;

    vb_api_taken(p);

    if (p->capture) {
        vb_api_variables_string(p->capture, text, len);
        return 1;
    }

    if (vb_api_is_wanted(p)) {
        vb_api_keep(&p->values, p->member, text, len);
    }

    return vb_api_value(p, VB_JSON_STRING);
}


static int
vb_api_start_map(void *ctx)
{
    vb_api_parser_t  *p = ctx;

    if (p->capture) {
        vb_api_variables_open(p->capture, "{");
        return vb_api_deeper(p);
    }

    if (vb_api_is_wanted(p)) {

        if (p->member == VB_API_METADATA) {
            p->in_metadata = 1;

        } else {
            p->capture = vb_api_capture(&p->values, p->member);

            if (p->capture) {
                vb_api_variables_begin(p->capture);
            }
        }
    }

    return vb_api_value(p, VB_JSON_OBJECT) && vb_api_deeper(p);
}


static int
vb_api_key(void *ctx, const u_char *text, size_t len)
{
    int               i;
    vb_api_parser_t  *p = ctx;

    vb_api_taken(p);

    if (p->capture) {
        vb_api_variables_name(p->capture, text, len);
        return 1;
    }

    if (p->depth > 2 || (p->depth == 2 && !p->in_metadata)) {
        return 1;
    }

    p->member = -1;

    for (i = 0; i < VB_API_MEMBERS; i++) {

        if (vb_api_members[i].depth == p->depth
            && vb_api_members[i].name.len == len
            && memcmp(vb_api_members[i].name.data, text, len) == 0)
        {
            p->member = i;
            break;
        }
    }

    /* what an earlier one held does not count */

    for (i = 0; p->member == VB_API_METADATA && i < VB_API_MEMBERS; i++) {
        if (vb_api_members[i].depth == 2) {
            p->values.type[i] = VB_JSON_ABSENT;
        }
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

    if (p->capture) {
        vb_api_variables_open(p->capture, "[");
        return vb_api_deeper(p);
    }

    return vb_api_value(p, VB_JSON_ARRAY) && vb_api_deeper(p);
}


static int
vb_api_end_array(void *ctx)
{
    return vb_api_higher(ctx, "]");
}


static void
vb_api_taken(vb_api_parser_t *p)
{
    p->taken = p->fed + yajl_get_bytes_consumed(p->yajl);
}


/* whether a value that begins here is that of p->member */

static int
vb_api_is_wanted(vb_api_parser_t *p)
{
    return p->member != -1 && vb_api_members[p->member].depth == p->depth;
}


/* notes of what type the value of a member is */

static int
vb_api_value(vb_api_parser_t *p, vb_json_type_t type)
{
    if (p->depth == 0 && type != VB_JSON_OBJECT) {
        vb_api_error(&p->values, "the body is not a JSON object but another "
                                 "value");
        return 0;
    }

    if (vb_api_is_wanted(p)) {
        p->values.type[p->member] = type;
    }

    return 1;
}


static int
vb_api_scalar(vb_api_parser_t *p, vb_json_type_t type, const char *text,
    size_t len)
{
    vb_api_taken(p);

    if (p->capture) {
        vb_api_variables_value(p->capture, text, len);
        return 1;
    }

    return vb_api_value(p, type);
}


static int
vb_api_deeper(vb_api_parser_t *p)
{
    vb_api_taken(p);

    if (++p->depth > p->max_depth) {
        vb_api_syntax(p, "it is nested too deep (see "
                         "voicebridge_max_json_depth)", p->taken);
        return 0;
    }

    return 1;
}


static int
vb_api_higher(vb_api_parser_t *p, const char *bracket)
{
    vb_api_taken(p);

    p->depth--;

    if (p->capture) {
        vb_api_variables_close(p->capture, bracket);

        if (p->depth == 2) {
            p->capture = NULL;
        }

    } else if (p->depth == 1) {
        p->in_metadata = 0;
    }

    return 1;
}


static void
vb_api_syntax(vb_api_parser_t *p, const char *why, size_t at)
{
    vb_api_error(&p->values, "the body is not a JSON object: %s, near byte "
                             "%zu", why, at);
}


/* unless a callback has stopped it, which has said why */

static void
vb_api_yajl_syntax(vb_api_parser_t *p)
{
    char    *text, *why;
    size_t   at;

    if (p->values.error[0]) {
        return;
    }

    /* such as "lexical error: invalid char in json text.\n" */

    text = (char *) yajl_get_error(p->yajl, 0, NULL, 0);

    if (text == NULL) {
        vb_api_syntax(p, "parse error", p->taken);
        return;
    }

    why = text + strcspn(text, ":");
    why += strspn(why, ": ");
    why[strcspn(why, ".\n")] = '\0';

    /* what it tells of other errors depends on where the pieces end */

    at = (strncmp(text, "lexical", 7) == 0)
         ? p->fed + yajl_get_bytes_consumed(p->yajl) : p->taken;

    vb_api_syntax(p, why, at);

    yajl_free_error(p->yajl, (u_char *) text);
}
