
/* Twilio's REST resource Calls */


#include <stdio.h>

#include <vb_form.h>
#include <vb_json.h>
#include <vb_twilio_call.h>


static size_t vb_twilio_call_add(u_char *dst, size_t n, const char *name,
    const u_char *value, size_t len);
static size_t vb_twilio_call_at(u_char *dst, size_t n, const char *s);
static u_char *vb_twilio_answer_copy(vb_str_t *dst, u_char *p, u_char *last,
    const vb_json_value_t *v);


size_t
vb_twilio_call_create(u_char *dst, const vb_twilio_call_t *call)
{
    int     len;
    char    limit[16];
    size_t  n;

    n = 0;

    n += vb_twilio_call_add(dst, n, "To=", call->to.data, call->to.len);
    n += vb_twilio_call_add(dst, n, "&From=", call->from.data, call->from.len);
    n += vb_twilio_call_add(dst, n, "&Twiml=", call->twiml.data,
                            call->twiml.len);

    if (call->time_limit) {
        len = snprintf(limit, sizeof(limit), "%u", (unsigned) call->time_limit);
        n += vb_twilio_call_add(dst, n, "&TimeLimit=", (u_char *) limit, len);
    }

    if (call->status_callback.len) {
        n += vb_twilio_call_add(dst, n, "&StatusCallback=",
                                call->status_callback.data,
                                call->status_callback.len);
        n += vb_twilio_call_at(dst, n, "&StatusCallbackEvent=initiated"
                                       "&StatusCallbackEvent=ringing"
                                       "&StatusCallbackEvent=answered"
                                       "&StatusCallbackEvent=completed");
    }

    return n;
}


size_t
vb_twilio_call_update(u_char *dst, const vb_str_t *twiml)
{
    if (twiml->len == 0) {
        return vb_twilio_call_at(dst, 0, "Status=completed");
    }

    return vb_twilio_call_add(dst, 0, "Twiml=", twiml->data, twiml->len);
}


int
vb_twilio_answer_parse(vb_twilio_answer_t *a, const vb_str_t *body)
{
    size_t                        i, offset;
    u_char                       *p, *last;
    const char                   *error;
    vb_json_value_t               v[6];

    static const vb_json_field_t  fields[6] = {
        { VB_JSON_ROOT, vb_str("sid") },
        { VB_JSON_ROOT, vb_str("status") },
        { VB_JSON_ROOT, vb_str("to") },
        { VB_JSON_ROOT, vb_str("code") },
        { VB_JSON_ROOT, vb_str("message") },
        { VB_JSON_ROOT, vb_str("detail") }
    };

    memset(a, 0, sizeof(vb_twilio_answer_t));

    if (vb_json_select(body, fields, 6, v, &error, &offset) != VB_OK) {
        return VB_ERROR;
    }

    p = a->buf;
    last = a->buf + sizeof(a->buf);

    p = vb_twilio_answer_copy(&a->sid, p, last, &v[0]);

    if (!vb_twilio_sid(&a->sid, "CA")) {
        a->sid.len = 0;
    }

    p = vb_twilio_answer_copy(&a->status, p, last, &v[1]);
    p = vb_twilio_answer_copy(&a->to, p, last, &v[2]);
    p = vb_twilio_answer_copy(&a->message, p, last,
                              v[4].type == VB_JSON_STRING ? &v[4] : &v[5]);

    if (vb_json_integer(&v[3], &a->code) != VB_OK) {
        a->code = 0;
    }

    for (i = 0; i < (size_t) (p - a->buf); i++) {
        if (a->buf[i] < ' ' || a->buf[i] == 0x7f) {
            a->buf[i] = ' ';
        }
    }

    return a->sid.len || a->code || a->message.len ? VB_OK : VB_ERROR;
}


int
vb_twilio_sid(const vb_str_t *s, const char *letters)
{
    size_t  i;
    u_char  c;

    if (s->len != 34 || s->data[0] != (u_char) letters[0]
        || s->data[1] != (u_char) letters[1])
    {
        return 0;
    }

    for (i = 2; i < 34; i++) {
        c = s->data[i];

        if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a'
                                         && (c | 0x20) <= 'f')))
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
        if (s->data[i] < '0' || s->data[i] > '9') {
            return 0;
        }
    }

    return 1;
}


size_t
vb_mask_number(u_char *dst, const vb_str_t *s)
{
    size_t  i, digits;
    u_char  c;

    digits = 0;

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if (c >= '0' && c <= '9') {
            digits++;

        } else if (c != '+' && c != '-' && c != ' ' && c != '(' && c != ')'
                   && c != '.')
        {
            /* not a number: a name, an address */

            memset(dst, '*', s->len);
            memcpy(dst, s->data, vb_min(s->len, 2));
            return s->len;
        }
    }

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if (c >= '0' && c <= '9') {
            dst[i] = digits > 4 ? '*' : c;
            digits--;

        } else {
            dst[i] = c;
        }
    }

    return s->len;
}


static size_t
vb_twilio_call_add(u_char *dst, size_t n, const char *name,
    const u_char *value, size_t len)
{
    size_t  size;

    size = vb_twilio_call_at(dst, n, name);

    return size + vb_form_escape(dst ? dst + n + size : NULL, value, len);
}


static size_t
vb_twilio_call_at(u_char *dst, size_t n, const char *s)
{
    size_t  len;

    len = strlen(s);

    if (dst) {
        memcpy(dst + n, s, len);
    }

    return len;
}


/* a copy of a string, cut where the room ends, not within a character */

static u_char *
vb_twilio_answer_copy(vb_str_t *dst, u_char *p, u_char *last,
    const vb_json_value_t *v)
{
    u_char    buf[2048];
    size_t    len;
    vb_str_t  src;

    dst->data = p;

    if (v->type != VB_JSON_STRING || v->text.len > sizeof(buf)) {
        dst->len = 0;
        return p;
    }

    src = v->text;
    len = vb_json_unescape(buf, &src);

    if (len > (size_t) (last - p)) {
        len = last - p;

        while (len && (buf[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    memcpy(p, buf, len);
    dst->len = len;

    return p + len;
}
