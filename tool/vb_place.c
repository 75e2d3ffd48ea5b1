
/*
 * What the answers of POST /twilio/outbound-call mean for who wants a call
 * placed once: docs/reference.md, "POST /twilio/outbound-call".
 */


#include <vb_place.h>
#include <vb_json.h>
#include <vb_mask.h>


#define VB_PLACE_SID                                                          \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"


static void vb_place_text(char *dst, size_t size,
    const vb_json_value_t *value);
static vb_place_result_t vb_place_result(const vb_http_answer_t *a,
    const vb_placed_t *placed);


void
vb_place_send(vb_http_t *http, const vb_settings_t *s, const char *body,
    const char *key, vb_http_done_pt done, void *data)
{
    size_t              n;
    vb_text_t           url, api_key, idempotency;
    const char         *headers[4];
    vb_http_request_t   request;

    memset(&request, 0, sizeof(vb_http_request_t));
    memset(&url, 0, sizeof(vb_text_t));
    memset(&api_key, 0, sizeof(vb_text_t));
    memset(&idempotency, 0, sizeof(vb_text_t));

    vb_settings_url(s, s->outbound_path, &url);

    n = 0;
    headers[n++] = "Content-Type: application/json";

    if (s->key) {
        vb_text_printf(&api_key, "X-API-Key: %s", s->key);
        headers[n++] = (char *) api_key.data;
    }

    if (key) {
        vb_text_printf(&idempotency, "Idempotency-Key: %s", key);
        headers[n++] = (char *) idempotency.data;
    }

    headers[n] = NULL;

    request.url = (char *) url.data;
    request.post = body;
    request.headers = headers;
    request.timeout = s->timeout;
    request.fresh = 1;

    vb_http_send(http, &request, done, data);

    vb_text_free(&url);
    vb_text_free(&api_key);
    vb_text_free(&idempotency);
}


void
vb_place_read(const vb_http_answer_t *a, vb_placed_t *placed)
{
    int              json;
    size_t           offset;
    const char      *error;
    vb_json_value_t  values[3];

    static const vb_json_field_t  fields[] = {
        { VB_JSON_ROOT, vb_str("call_sid") },
        { VB_JSON_ROOT, vb_str("session_id") },
        { VB_JSON_ROOT, vb_str("detail") }
    };

    memset(placed, 0, sizeof(vb_placed_t));

    placed->status = a->status;
    placed->retry_after = a->retry_after;

    json = a->status
           && vb_json_select(&a->body, fields, 3, values, &error, &offset)
              == VB_OK;

    if (json) {
        vb_place_text(placed->call_sid, sizeof(placed->call_sid), &values[0]);

        /* it becomes a part of URLs */

        if (strspn(placed->call_sid, VB_PLACE_SID)
            != strlen(placed->call_sid))
        {
            placed->call_sid[0] = '\0';
        }

        vb_place_text(placed->session_id, sizeof(placed->session_id),
                      &values[1]);
        vb_place_text(placed->detail, sizeof(placed->detail), &values[2]);
        vb_mask_numbers((u_char *) placed->detail, strlen(placed->detail));

        placed->own = (placed->detail[0] != '\0');
    }

    if (a->status == 0) {
        snprintf(placed->detail, sizeof(placed->detail), "%s", a->error);

    } else if (a->location) {
        snprintf(placed->detail, sizeof(placed->detail), "the server answered "
                 "%ld, it is at %.120s", a->status, a->location);
        vb_printable(placed->detail);

    } else if (placed->detail[0] == '\0' && a->status != 200) {
        snprintf(placed->detail, sizeof(placed->detail),
                 "the server answered %ld", a->status);
    }

    placed->result = vb_place_result(a, placed);

    if (placed->result == VB_PLACE_DOUBT && a->status == 200) {
        snprintf(placed->detail, sizeof(placed->detail), "the server's answer "
                 "has no call_sid%s", json ? "" : " and is no JSON: is it the "
                 "right --url?");
    }
}


static void
vb_place_text(char *dst, size_t size, const vb_json_value_t *value)
{
    size_t  n;

    if (value->type == VB_JSON_STRING) {
        n = vb_json_print((u_char *) dst, size - 1, &value->text);
        dst[n] = '\0';
    }
}


static vb_place_result_t
vb_place_result(const vb_http_answer_t *a, const vb_placed_t *placed)
{
    switch (a->status) {

    case 0:
        return a->tls_failed ? VB_PLACE_FATAL
                             : a->sent ? VB_PLACE_DOUBT : VB_PLACE_LATER;

    case 200:
        return placed->call_sid[0] ? VB_PLACED : VB_PLACE_DOUBT;

    /* an option would give it, to all rows that have none */
    case 400:
        return strcmp(placed->detail, "agent_id is required") == 0
               ? VB_PLACE_FATAL : VB_PLACE_REFUSED;

    /* a request with this key is under way */
    case 409:
        return VB_PLACE_DOUBT;

    case 408:
    case 429:
    case 503:
        return VB_PLACE_LATER;

    /* voicebridge_deny refuses one call, access rules all of them */
    case 403:
        return strcmp(placed->detail, "Access is denied") == 0
               || placed->detail[0] == '\0' ? VB_PLACE_FATAL
                                            : VB_PLACE_REFUSED;

    case 401:
    case 404:
    case 405:
    case 501:
        return VB_PLACE_FATAL;

    case 500:
        return strstr(placed->detail, "not configured") ? VB_PLACE_FATAL
                                                        : VB_PLACE_DOUBT;

    case 502:
        if (strstr(placed->detail, "does not accept")) {
            return VB_PLACE_FATAL;
        }

        return strstr(placed->detail, "there is no call") ? VB_PLACE_LATER
                                                          : VB_PLACE_DOUBT;
    }

    if (a->status < 400) {
        return a->status < 300 ? VB_PLACE_DOUBT : VB_PLACE_FATAL;
    }

    return a->status < 500 ? VB_PLACE_REFUSED : VB_PLACE_DOUBT;
}


const char *
vb_place_remedy(const vb_placed_t *placed)
{
    if (placed->result == VB_PLACE_DOUBT) {
        return strstr(placed->detail, "the call may exist")
               ? "; look at Twilio's calls before you call again"
               : "; the call may exist, look at Twilio's calls before you "
                 "call again";
    }

    if (placed->result != VB_PLACE_FATAL) {
        return "";
    }

    switch (placed->status) {

    case 0:
        return "; does it speak https, and is its CA known here, or given by "
               "--cacert?";

    case 301:
    case 302:
    case 307:
    case 308:
        return "; --url has to lead there itself";

    case 400:
        return "; --agent, or in a bulk a column agent_id, names it";

    case 401:
        return "; VOICEBRIDGE_API_KEY or --key-file has to give one of the "
               "server's voicebridge_api_keys";

    case 403:
        return "; look at the location's allow, deny and auth_request";

    case 404:
    case 405:
        return "; --outbound-path is the location of "
               "voicebridge_outbound_call";

    case 500:
    case 502:
        return "; the server's error log says which directive";

    default:
        return "";
    }
}
