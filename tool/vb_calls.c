
/*
 * {"live": [call, ...], "recent": [call, ...]} over yajl: whatever else a
 * call may have in it is passed over.
 */


#include <vb_calls.h>
#include <vb_json.h>
#include <vb_mask.h>

#include <stdlib.h>
#include <yajl/yajl_parse.h>


/* an array in the root's object, and in it the object of a call */
#define VB_CALLS_DEPTH  3


typedef struct {
    vb_calls_pt              each;
    void                    *data;

    unsigned                 depth;
    unsigned                 lists;    /* arrays that have been seen */
    char                     key[32];

    char                     call_sid[40];
    char                     state[32];
    char                     answered_by[24];
    vb_progress_of_call_t    progress;
} vb_calls_t;


static int vb_calls_open(void *ctx);
static int vb_calls_open_array(void *ctx);
static int vb_calls_close(void *ctx);
static int vb_calls_close_map(void *ctx);
static int vb_calls_key(void *ctx, const u_char *data, size_t len);
static int vb_calls_string(void *ctx, const u_char *data, size_t len);
static int vb_calls_number(void *ctx, const char *data, size_t len);
static void vb_calls_copy(char *dst, size_t size, const void *data,
    size_t len);
static void vb_calls_one(vb_calls_t *c);
static const char *vb_calls_state(const char *name);


static yajl_callbacks  vb_calls_callbacks = {
    .yajl_number = vb_calls_number,
    .yajl_string = vb_calls_string,
    .yajl_start_map = vb_calls_open,
    .yajl_map_key = vb_calls_key,
    .yajl_end_map = vb_calls_close_map,
    .yajl_start_array = vb_calls_open_array,
    .yajl_end_array = vb_calls_close
};


int
vb_calls_read(const vb_str_t *body, vb_calls_pt each, void *data)
{
    int          rc;
    vb_calls_t   c;
    yajl_handle  yajl;

    memset(&c, 0, sizeof(vb_calls_t));
    c.each = each;
    c.data = data;

    yajl = yajl_alloc(&vb_calls_callbacks, NULL, &c);

    if (yajl == NULL) {
        vb_die(VB_EXIT_SERVER, "no memory");
    }

    rc = VB_ERROR;

    if (yajl_parse(yajl, body->data, body->len) == yajl_status_ok
        && yajl_complete_parse(yajl) == yajl_status_ok
        && c.lists)
    {
        rc = VB_OK;
    }

    yajl_free(yajl);

    return rc;
}


static int
vb_calls_open(void *ctx)
{
    vb_calls_t  *c = ctx;

    if (++c->depth == VB_CALLS_DEPTH) {
        memset(c->call_sid, 0, sizeof(c->call_sid));
        memset(c->state, 0, sizeof(c->state));
        memset(c->answered_by, 0, sizeof(c->answered_by));
        memset(&c->progress, 0, sizeof(vb_progress_of_call_t));
        c->progress.duration = -1;
    }

    return 1;
}


static int
vb_calls_open_array(void *ctx)
{
    vb_calls_t  *c = ctx;

    if (++c->depth == VB_CALLS_DEPTH - 1) {
        c->lists++;
    }

    return 1;
}


static int
vb_calls_close(void *ctx)
{
    vb_calls_t  *c = ctx;

    c->depth--;

    return 1;
}


static int
vb_calls_close_map(void *ctx)
{
    vb_calls_t  *c = ctx;

    if (c->depth-- == VB_CALLS_DEPTH && c->call_sid[0]) {
        vb_calls_one(c);
    }

    return 1;
}


static int
vb_calls_key(void *ctx, const u_char *data, size_t len)
{
    vb_calls_t  *c = ctx;

    if (c->depth == VB_CALLS_DEPTH) {
        vb_calls_copy(c->key, sizeof(c->key), data, len);
    }

    return 1;
}


static int
vb_calls_string(void *ctx, const u_char *data, size_t len)
{
    vb_calls_t  *c = ctx;

    if (c->depth != VB_CALLS_DEPTH) {
        return 1;
    }

    if (strcmp(c->key, "call_sid") == 0) {
        vb_calls_copy(c->call_sid, sizeof(c->call_sid), data, len);

    } else if (strcmp(c->key, "state") == 0) {
        vb_calls_copy(c->state, sizeof(c->state), data, len);

    } else if (strcmp(c->key, "end_reason") == 0) {
        vb_calls_copy(c->progress.reason, sizeof(c->progress.reason), data,
                      len);

    } else if (strcmp(c->key, "answered_by") == 0) {
        vb_calls_copy(c->answered_by, sizeof(c->answered_by), data, len);

    } else if (strcmp(c->key, "error") == 0) {
        vb_calls_copy(c->progress.error, sizeof(c->progress.error), data,
                      len);
        vb_mask_numbers((u_char *) c->progress.error,
                        strlen(c->progress.error));
    }

    return 1;
}


static int
vb_calls_number(void *ctx, const char *data, size_t len)
{
    char         buf[40];
    double       seconds;
    vb_calls_t  *c = ctx;

    if (c->depth == VB_CALLS_DEPTH && strcmp(c->key, "duration") == 0) {
        vb_calls_copy(buf, sizeof(buf), data, len);
        seconds = strtod(buf, NULL);

        if (seconds >= 0 && seconds < VB_OUTCOME_MAX_DURATION) {
            c->progress.duration = seconds * 1000;
        }
    }

    return 1;
}


static void
vb_calls_copy(char *dst, size_t size, const void *data, size_t len)
{
    const u_char  *p = data;

    if (len > size - 1) {

        /* between two characters */

        for (len = size - 1; len && (p[len] & 0xc0) == 0x80; len--) {
            /* void */
        }
    }

    memcpy(dst, p, len);
    dst[len] = '\0';

    vb_printable(dst);
}


static void
vb_calls_one(vb_calls_t *c)
{
    vb_progress_of_call_t  *p;

    p = &c->progress;
    p->state = vb_calls_state(c->state);

    if (p->reason[0]) {
        p->outcome = vb_outcome_of((u_char *) p->reason, strlen(p->reason));
    }

    /* which kind of machine says more than that it was one */

    if (p->outcome == VB_OUTCOME_MACHINE && c->answered_by[0]) {
        snprintf(p->reason, sizeof(p->reason), "%s", c->answered_by);
    }

    c->each(c->data, c->call_sid, p);
}


static const char *
vb_calls_state(const char *name)
{
    size_t  i;

    static const char *const  states[] = {
        "queued", "dialing", "ringing", "answered", "accepted", "connecting",
        "initiated", "live", "ending", "ended"
    };

    for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (strcmp(states[i], name) == 0) {
            return states[i];
        }
    }

    return "there";
}


int
vb_calls_read_one(const vb_str_t *body, vb_progress_of_call_t *progress)
{
    size_t           n, offset;
    int64_t          seconds;
    const char      *error;
    vb_json_value_t  values[2];

    static const vb_json_field_t  fields[] = {
        { VB_JSON_ROOT, vb_str("status") },
        { VB_JSON_ROOT, vb_str("duration") }
    };

    if (vb_json_select(body, fields, 2, values, &error, &offset) != VB_OK
        || values[0].type != VB_JSON_STRING)
    {
        return VB_ERROR;
    }

    n = vb_json_print((u_char *) progress->reason,
                      sizeof(progress->reason) - 1, &values[0].text);
    progress->reason[n] = '\0';

    progress->outcome = vb_outcome_of((u_char *) progress->reason, n);
    progress->state = progress->reason;

    /* a status that Twilio has not had so far */

    if (progress->outcome == VB_OUTCOME_BROKEN) {
        progress->outcome = VB_OUTCOME_NONE;
    }

    progress->duration = -1;

    if (vb_json_integer(&values[1], &seconds) == VB_OK
        && seconds >= 0 && seconds < VB_OUTCOME_MAX_DURATION)
    {
        progress->duration = seconds * 1000;
    }

    return VB_OK;
}
