
/* Twilio's Calls over REST, and what their numbers and SIDs look like */


#include <stdio.h>
#include <vb_form.h>
#include <vb_json.h>
#include <vb_twilio_call.h>
#include <vb_utf8.h>
#include <vb_writer.h>


/* of an answer's number; the message gets what is left */
#define VB_TWILIO_MAX_TO      64

/* of SendDigits */
#define VB_TWILIO_MAX_DIGITS  32

#define vb_twilio_is_digit(c)  ((c) >= '0' && (c) <= '9')


static void vb_twilio_call_segment(vb_writer_t *w, const vb_str_t *value);
static void vb_twilio_call_options(vb_writer_t *w,
    const vb_twilio_call_t *call);
static void vb_twilio_call_number(vb_writer_t *w, const char *name,
    uint32_t n);
static void vb_twilio_call_field(vb_writer_t *w, const vb_str_t *value);
static u_char *vb_twilio_answer_text(vb_str_t *dst, u_char *p, size_t size,
    const vb_json_value_t *value);


size_t
vb_twilio_calls_url(u_char *dst, const vb_str_t *base,
    const vb_str_t *account, const vb_str_t *sid)
{
    vb_writer_t  w;

    vb_writer_init(&w, dst);

    vb_write(&w, base->data, base->len);
    vb_write_literal(&w, "/2010-04-01/Accounts/");
    vb_twilio_call_segment(&w, account);
    vb_write_literal(&w, "/Calls");

    if (sid->len) {
        vb_write_literal(&w, "/");
        vb_write(&w, sid->data, sid->len);
    }

    vb_write_literal(&w, ".json");

    return w.len;
}


/* of a path, RFC 3986 section 3.3: all but the unreserved is escaped */

static void
vb_twilio_call_segment(vb_writer_t *w, const vb_str_t *value)
{
    char    escape[sizeof("%00")];
    size_t  i;
    u_char  c;

    for (i = 0; i < value->len; i++) {
        c = value->data[i];

        if (vb_twilio_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
            || c == '-' || c == '.' || c == '_' || c == '~')
        {
            vb_write(w, &c, 1);

        } else {
            vb_write(w, escape, snprintf(escape, sizeof(escape), "%%%02X", c));
        }
    }
}


size_t
vb_twilio_call_create(u_char *dst, const vb_twilio_call_t *call)
{
    vb_writer_t  w;

    vb_writer_init(&w, dst);

    vb_write_literal(&w, "To=");
    vb_twilio_call_field(&w, &call->to);
    vb_write_literal(&w, "&From=");
    vb_twilio_call_field(&w, &call->from);
    vb_write_literal(&w, "&Twiml=");
    vb_twilio_call_field(&w, &call->twiml);

    vb_twilio_call_number(&w, "&TimeLimit=", call->time_limit);

    if (call->status_callback.len) {
        vb_write_literal(&w, "&StatusCallback=");
        vb_twilio_call_field(&w, &call->status_callback);
        vb_write_literal(&w, "&StatusCallbackEvent=initiated"
                             "&StatusCallbackEvent=ringing"
                             "&StatusCallbackEvent=answered"
                             "&StatusCallbackEvent=completed");
    }

    vb_twilio_call_options(&w, call);

    return w.len;
}


static void
vb_twilio_call_options(vb_writer_t *w, const vb_twilio_call_t *call)
{
    vb_twilio_call_number(w, "&Timeout=", call->ring_timeout);

    if (call->send_digits.len) {
        vb_write_literal(w, "&SendDigits=");
        vb_twilio_call_field(w, &call->send_digits);
    }

    if (call->record != VB_TWILIO_RECORD_OFF) {
        vb_write_literal(w, "&Record=true");

        if (call->record == VB_TWILIO_RECORD_DUAL) {
            vb_write_literal(w, "&RecordingChannels=dual");
        }

        if (call->status_callback.len) {
            vb_write_literal(w, "&RecordingStatusCallback=");
            vb_twilio_call_field(w, &call->status_callback);
        }
    }

    if (call->detection != VB_TWILIO_DETECTION_OFF) {
        vb_write_literal(w, "&MachineDetection=");

        if (call->detection == VB_TWILIO_DETECTION_START) {
            vb_write_literal(w, "Enable");

        } else {
            vb_write_literal(w, "DetectMessageEnd");
        }

        vb_write_literal(w, "&AsyncAmd=true&AsyncAmdStatusCallback=");
        vb_twilio_call_field(w, &call->machine_callback);
    }
}


static void
vb_twilio_call_number(vb_writer_t *w, const char *name, uint32_t n)
{
    char  text[sizeof("4294967295")];

    if (n) {
        vb_write(w, name, strlen(name));
        vb_write(w, text, snprintf(text, sizeof(text), "%u", (unsigned) n));
    }
}


size_t
vb_twilio_call_update(u_char *dst, const vb_str_t *twiml)
{
    vb_writer_t  w;

    vb_writer_init(&w, dst);

    if (twiml->len) {
        vb_write_literal(&w, "Twiml=");
        vb_twilio_call_field(&w, twiml);

    } else {
        vb_write_literal(&w, "Status=completed");
    }

    return w.len;
}


static void
vb_twilio_call_field(vb_writer_t *w, const vb_str_t *value)
{
    w->len += vb_form_escape(w->dst ? w->dst + w->len : NULL, value->data,
                             value->len);
}


int
vb_twilio_answer_parse(vb_twilio_answer_t *a, const vb_str_t *body)
{
    size_t                        i, offset;
    u_char                       *p;
    uint32_t                      state;
    const char                   *error;

    enum { SID, STATUS, TO, CODE, MESSAGE, DETAIL, TITLE, N };

    vb_json_value_t               v[N];

    /* in an error of RFC 9457 one of the last two instead of message */

    static const vb_json_field_t  fields[N] = {
        [SID] = { VB_JSON_ROOT, vb_str("sid") },
        [STATUS] = { VB_JSON_ROOT, vb_str("status") },
        [TO] = { VB_JSON_ROOT, vb_str("to") },
        [CODE] = { VB_JSON_ROOT, vb_str("code") },
        [MESSAGE] = { VB_JSON_ROOT, vb_str("message") },
        [DETAIL] = { VB_JSON_ROOT, vb_str("detail") },
        [TITLE] = { VB_JSON_ROOT, vb_str("title") }
    };

    memset(a, 0, sizeof(vb_twilio_answer_t));

    state = 0;

    if (vb_json_select(body, fields, N, v, &error, &offset) != VB_OK
        || vb_utf8_check(&state, body->data, body->len) != VB_OK || state)
    {
        return VB_ERROR;
    }

    p = a->buf;

    /* room for one more, as a longer one is none */

    p = vb_twilio_answer_text(&a->sid, p, VB_TWILIO_SID_LENGTH + 1, &v[SID]);

    if (!vb_twilio_sid(&a->sid, "CA")) {
        a->sid.len = 0;
    }

    p = vb_twilio_answer_text(&a->status, p, VB_TWILIO_MAX_STATUS, &v[STATUS]);
    p = vb_twilio_answer_text(&a->to, p, VB_TWILIO_MAX_TO, &v[TO]);

    for (i = MESSAGE; i < TITLE && v[i].type != VB_JSON_STRING; i++) {
        /* void */
    }

    vb_twilio_answer_text(&a->message, p, a->buf + sizeof(a->buf) - p, &v[i]);

    if (vb_json_integer(&v[CODE], &a->code) != VB_OK) {
        a->code = 0;
    }

    return (a->sid.len || a->code || a->message.len) ? VB_OK : VB_ERROR;
}


static u_char *
vb_twilio_answer_text(vb_str_t *dst, u_char *p, size_t size,
    const vb_json_value_t *value)
{
    dst->data = p;

    if (value->type == VB_JSON_STRING) {
        dst->len = vb_json_print(p, size, &value->text);
    }

    return p + dst->len;
}


int
vb_twilio_sid(const vb_str_t *s, const char *letters)
{
    size_t  i;
    u_char  c;

    if (s->len != VB_TWILIO_SID_LENGTH || memcmp(s->data, letters, 2) != 0) {
        return 0;
    }

    for (i = 2; i < VB_TWILIO_SID_LENGTH; i++) {
        c = s->data[i];

        if (!vb_twilio_is_digit(c)
            && !((c | 0x20) >= 'a' && (c | 0x20) <= 'f'))
        {
            return 0;
        }
    }

    return 1;
}


int
vb_twilio_detection(const vb_str_t *name)
{
    return vb_str_eq(name, "off") ? VB_TWILIO_DETECTION_OFF
           : vb_str_eq(name, "start") ? VB_TWILIO_DETECTION_START
           : vb_str_eq(name, "message_end") ? VB_TWILIO_DETECTION_END
           : VB_ERROR;
}


int
vb_twilio_digits(const vb_str_t *s)
{
    size_t  i;
    u_char  c;

    if (s->len == 0 || s->len > VB_TWILIO_MAX_DIGITS) {
        return 0;
    }

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if (!vb_twilio_is_digit(c) && !(c >= 'A' && c <= 'D')
            && c != '#' && c != '*' && c != 'w' && c != 'W')
        {
            return 0;
        }
    }

    return 1;
}


int
vb_e164(const vb_str_t *s)
{
    size_t  i;

    if (s->len < 3 || s->len > 16 || s->data[0] != '+' || s->data[1] == '0') {
        return 0;
    }

    for (i = 1; i < s->len; i++) {
        if (!vb_twilio_is_digit(s->data[i])) {
            return 0;
        }
    }

    return 1;
}
