
/*
 * voicebridge_calls: live and recent calls as JSON (contract, section 3),
 * all of them or those that are asked for; and the end of one.
 */


#include <ngx_http_voicebridge_calls.h>

#include <vb_form.h>
#include <vb_twilio_call.h>


/* more than there are names of filters */
#define NGX_HTTP_VOICEBRIDGE_CALLS_FIELDS  16


typedef const char *(*ngx_http_voicebridge_filter_pt)(ngx_str_t *value,
    ngx_http_voicebridge_query_t *query);

typedef struct {
    const char                      *name;
    ngx_http_voicebridge_filter_pt   handler;
} ngx_http_voicebridge_filter_t;


static ngx_int_t ngx_http_voicebridge_calls_method(ngx_http_request_t *r);
static ngx_int_t ngx_http_voicebridge_calls_get(ngx_http_request_t *r);
static ngx_int_t ngx_http_voicebridge_calls_query(ngx_http_request_t *r,
    ngx_http_voicebridge_query_t *query, ngx_str_t *detail);
static const char *ngx_http_voicebridge_filter_sid(ngx_str_t *value,
    ngx_http_voicebridge_query_t *query);
static const char *ngx_http_voicebridge_filter_state(ngx_str_t *value,
    ngx_http_voicebridge_query_t *query);
static const char *ngx_http_voicebridge_filter_agent(ngx_str_t *value,
    ngx_http_voicebridge_query_t *query);
static const char *ngx_http_voicebridge_filter_direction(ngx_str_t *value,
    ngx_http_voicebridge_query_t *query);
static const char *ngx_http_voicebridge_filter_reason(ngx_str_t *value,
    ngx_http_voicebridge_query_t *query);
static const char *ngx_http_voicebridge_filter_limit(ngx_str_t *value,
    ngx_http_voicebridge_query_t *query);
static const char *ngx_http_voicebridge_filter_since(ngx_str_t *value,
    ngx_http_voicebridge_query_t *query);
static ngx_int_t ngx_http_voicebridge_filter_time(ngx_str_t *value,
    uint64_t *ms);
static int64_t ngx_http_voicebridge_filter_days(int64_t year, int64_t month,
    int64_t day);
static ngx_uint_t ngx_http_voicebridge_filter_word(ngx_str_t *value,
    const char **words);


static ngx_http_voicebridge_filter_t  ngx_http_voicebridge_filters[] = {
    { "sid", ngx_http_voicebridge_filter_sid },
    { "state", ngx_http_voicebridge_filter_state },
    { "agent", ngx_http_voicebridge_filter_agent },
    { "direction", ngx_http_voicebridge_filter_direction },
    { "reason", ngx_http_voicebridge_filter_reason },
    { "limit", ngx_http_voicebridge_filter_limit },
    { "since", ngx_http_voicebridge_filter_since },
    { "view", NULL },                                  /* the dashboard's */
    { NULL, NULL }
};


static const char  *ngx_http_voicebridge_filter_states[] = {
    "queued", "dialing", "ringing", "answered",
    "accepted", "connecting", "initiated", "live", "ending", "ended", NULL
};

static const char  *ngx_http_voicebridge_filter_directions[] = {
    "inbound", "outbound", "unknown", NULL
};


ngx_int_t
ngx_http_voicebridge_calls_handler(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_str_t                          detail;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    rc = ngx_http_voicebridge_calls_method(r);
    if (rc != NGX_OK) {
        return rc;
    }

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);

    if (vmcf->zone == NULL) {
        ngx_str_set(&detail, "Calls are not recorded: voicebridge_zone is not "
                             "set");
        return ngx_http_voicebridge_send_detail(r,
                                       NGX_HTTP_SERVICE_UNAVAILABLE, &detail);
    }

    return r->method == NGX_HTTP_POST
           ? ngx_http_voicebridge_hangup(r, vmcf->zone)
           : ngx_http_voicebridge_calls_get(r);
}


/* NGX_OK, or the status to answer with */

static ngx_int_t
ngx_http_voicebridge_calls_method(ngx_http_request_t *r)
{
    static ngx_str_t  allow = ngx_string("GET, HEAD, POST");
    static ngx_str_t  no_store = ngx_string("no-store");

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))) {
        return ngx_http_voicebridge_add_header(r, "Allow", &allow) == NGX_OK
               ? NGX_HTTP_NOT_ALLOWED : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_voicebridge_add_header(r, "Cache-Control", &no_store)
           == NGX_OK ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static ngx_int_t
ngx_http_voicebridge_calls_get(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    ngx_str_t                          text;
    ngx_array_t                       *live, *recent;
    ngx_http_voicebridge_query_t       query;
    ngx_http_voicebridge_main_conf_t  *vmcf;

    static ngx_str_t  type = ngx_string("application/json");

    rc = ngx_http_voicebridge_calls_query(r, &query, &text);

    if (rc == NGX_DECLINED) {
        return ngx_http_voicebridge_send_detail(r, NGX_HTTP_BAD_REQUEST,
                                                &text);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    vmcf = ngx_http_get_module_main_conf(r, ngx_http_voicebridge_module);

    ngx_http_voicebridge_stats_reap(vmcf->zone, 0);

    live = ngx_http_voicebridge_record_query(vmcf->zone, r->pool, 1, &query);
    recent = ngx_http_voicebridge_record_query(vmcf->zone, r->pool, 0, &query);

    if (live == NULL || recent == NULL
        || ngx_http_voicebridge_calls_json(r, live, recent,
                                           query.call_sid.len, &text)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_voicebridge_send(r, NGX_HTTP_OK, &type, &text);
}


/* NGX_OK; NGX_DECLINED with a detail that says what is wrong; NGX_ERROR */

static ngx_int_t
ngx_http_voicebridge_calls_query(ngx_http_request_t *r,
    ngx_http_voicebridge_query_t *query, ngx_str_t *detail)
{
    u_char                         *args;
    ssize_t                         i, n;
    const char                     *error;
    vb_form_field_t                 fields[NGX_HTTP_VOICEBRIDGE_CALLS_FIELDS];
    ngx_http_voicebridge_filter_t  *f;

    ngx_memzero(query, sizeof(ngx_http_voicebridge_query_t));
    query->limit = NGX_MAX_INT32_VALUE;

    args = ngx_pnalloc(r->pool, r->args.len + 1);
    if (args == NULL) {
        return NGX_ERROR;
    }

    if (r->args.len) {
        ngx_memcpy(args, r->args.data, r->args.len);
    }

    n = vb_form_parse(fields, NGX_HTTP_VOICEBRIDGE_CALLS_FIELDS, args,
                      r->args.len);

    error = n < 0 ? "the query has too many fields or a broken percent escape"
                  : NULL;

    for (i = 0; i < n && error == NULL; i++) {

        for (f = ngx_http_voicebridge_filters; f->name; f++) {
            if (fields[i].name.len == ngx_strlen(f->name)
                && ngx_strncmp(fields[i].name.data, f->name,
                               fields[i].name.len)
                   == 0)
            {
                break;
            }
        }

        if (f->name == NULL) {
            error = "the query may have sid, state, agent, direction, reason, "
                    "limit and since";

        } else if (f->handler && fields[i].value.len) {
            error = f->handler(&fields[i].value, query);
        }
    }

    if (error == NULL) {
        return NGX_OK;
    }

    detail->data = (u_char *) error;
    detail->len = ngx_strlen(error);

    return NGX_DECLINED;
}


/* each returns NULL, or what is wrong */

static const char *
ngx_http_voicebridge_filter_sid(ngx_str_t *value,
    ngx_http_voicebridge_query_t *query)
{
    if (!vb_twilio_sid(value, "CA")) {
        return "sid must be a call's SID: CA and 32 hexadecimal digits";
    }

    query->call_sid = *value;

    return NULL;
}


static const char *
ngx_http_voicebridge_filter_state(ngx_str_t *value,
    ngx_http_voicebridge_query_t *query)
{
    if (!ngx_http_voicebridge_filter_word(value,
                                          ngx_http_voicebridge_filter_states))
    {
        return "state must be one of queued, dialing, ringing, answered, "
               "accepted, connecting, initiated, live, ending, ended";
    }

    query->state = *value;

    return NULL;
}


static const char *
ngx_http_voicebridge_filter_agent(ngx_str_t *value,
    ngx_http_voicebridge_query_t *query)
{
    query->agent_id = *value;

    return NULL;
}


static const char *
ngx_http_voicebridge_filter_direction(ngx_str_t *value,
    ngx_http_voicebridge_query_t *query)
{
    if (!ngx_http_voicebridge_filter_word(value,
                                      ngx_http_voicebridge_filter_directions))
    {
        return "direction must be one of inbound, outbound, unknown";
    }

    query->direction = *value;

    return NULL;
}


static const char *
ngx_http_voicebridge_filter_reason(ngx_str_t *value,
    ngx_http_voicebridge_query_t *query)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if ((value->data[i] < 'a' || value->data[i] > 'z')
            && value->data[i] != '_')
        {
            return "reason must be one of the log's, such as caller_hung_up";
        }
    }

    query->end_reason = *value;

    return NULL;
}


static const char *
ngx_http_voicebridge_filter_limit(ngx_str_t *value,
    ngx_http_voicebridge_query_t *query)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n == NGX_ERROR) {
        return "limit must be a number";
    }

    query->limit = ngx_min((ngx_uint_t) n, NGX_MAX_INT32_VALUE);

    return NULL;
}


/* a moment (RFC 3339, UTC), or how long ago */

static const char *
ngx_http_voicebridge_filter_since(ngx_str_t *value,
    ngx_http_voicebridge_query_t *query)
{
    uint64_t   now;
    ngx_int_t  ago;

    if (ngx_http_voicebridge_filter_time(value, &query->since) == NGX_OK) {
        return NULL;
    }

    ago = ngx_parse_time(value, 0);

    if (ago == (ngx_int_t) NGX_ERROR) {
        return "since must be a time such as 10m, or one like "
               "2026-01-31T23:59:59Z";
    }

    now = ngx_http_voicebridge_record_now();

    query->since = now - ngx_min(now, (uint64_t) ago);

    return NULL;
}


static ngx_int_t
ngx_http_voicebridge_filter_time(ngx_str_t *value, uint64_t *ms)
{
    size_t      i;
    int64_t     days;
    ngx_int_t   n[6];

    static const struct {
        size_t  pos;
        size_t  len;
        u_char  before;
        int     min;
        int     max;
    } part[] = {
        { 0, 4, 0, 1970, 9999 },
        { 5, 2, '-', 1, 12 },
        { 8, 2, '-', 1, 31 },
        { 11, 2, 'T', 0, 23 },
        { 14, 2, ':', 0, 59 },
        { 17, 2, ':', 0, 60 }
    };

    if (value->len < sizeof("2026-01-31T23:59:59Z") - 1
        || value->data[value->len - 1] != 'Z')
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < 6; i++) {
        n[i] = ngx_atoi(value->data + part[i].pos, part[i].len);

        if (n[i] < part[i].min || n[i] > part[i].max
            || (i && value->data[part[i].pos - 1] != part[i].before))
        {
            return NGX_DECLINED;
        }
    }

    /* a fraction may be there, and does not matter */

    for (i = 19; i < value->len - 1; i++) {
        if (i == 19 ? value->data[i] != '.'
                    : (value->data[i] < '0' || value->data[i] > '9'))
        {
            return NGX_DECLINED;
        }
    }

    days = ngx_http_voicebridge_filter_days(n[0], n[1], n[2]);

    *ms = (uint64_t) (((days * 24 + n[3]) * 60 + n[4]) * 60 + n[5]) * 1000;

    return NGX_OK;
}


/* days since 1970; as in ngx_gmtime(), the year begins with March */

static int64_t
ngx_http_voicebridge_filter_days(int64_t year, int64_t month, int64_t day)
{
    month -= 2;

    if (month <= 0) {
        month += 12;
        year -= 1;
    }

    return 365 * year + year / 4 - year / 100 + year / 400
           + 367 * month / 12 - 30 + day - 1 - 719527 + 31 + 28;
}


static ngx_uint_t
ngx_http_voicebridge_filter_word(ngx_str_t *value, const char **words)
{
    for ( /* void */ ; *words; words++) {
        if (value->len == ngx_strlen(*words)
            && ngx_strncmp(value->data, *words, value->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
