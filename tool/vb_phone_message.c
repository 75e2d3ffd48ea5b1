
/* Twilio's messages over a media stream, there and back */


#include <vb_phone.h>
#include <vb_base64.h>
#include <vb_json.h>

#include <stdarg.h>
#include <stdlib.h>


static void vb_phone_send(vb_phone_t *phone);
static void vb_phone_audio(vb_phone_t *phone, vb_json_value_t *payload);
static void vb_phone_mark(vb_phone_t *phone, vb_json_value_t *name);


void
vb_phone_event(vb_phone_t *phone, const char *event, const char *fmt, ...)
{
    char       detail[400];
    double     at;
    va_list    args;
    vb_text_t  text;

    va_start(args, fmt);
    vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);

    vb_printable(detail);
    at = (vb_now() - phone->began) / 1e3;

    if (!phone->options->json) {
        printf("%8.2f  %s%s%s\n", at, event, *detail ? ": " : "", detail);
        fflush(stdout);
        return;
    }

    memset(&text, 0, sizeof(vb_text_t));

    vb_text_printf(&text, "{\"time\": %.3f, \"event\": \"%s\"", at, event);

    if (*detail) {
        vb_text_puts(&text, ", \"detail\": ");
        vb_text_json(&text, detail, strlen(detail));
    }

    printf("%s}\n", text.data);
    fflush(stdout);

    vb_text_free(&text);
}


static void
vb_phone_send(vb_phone_t *phone)
{
    if (vb_stream_send(phone->stream, VB_WS_TEXT, phone->out.data,
                       phone->out.len)
        != VB_OK)
    {
        phone->over = 1;
    }

    vb_text_reset(&phone->out);
}


void
vb_phone_start(vb_phone_t *phone)
{
    size_t       i;
    vb_list_t   *list;
    vb_text_t   *out;
    const char  *p;

    out = &phone->out;
    list = &phone->options->parameters;

    vb_text_puts(out, "{\"event\":\"connected\",\"protocol\":\"Call\","
                      "\"version\":\"1.0.0\"}");
    vb_phone_send(phone);

    vb_text_printf(out, "{\"event\":\"start\",\"sequenceNumber\":\"%llu\","
                   "\"start\":{\"accountSid\":\"%s\",\"streamSid\":\"%s\","
                   "\"callSid\":\"%s\",\"tracks\":[\"inbound\"],"
                   "\"mediaFormat\":{\"encoding\":\"audio/x-mulaw\","
                   "\"sampleRate\":8000,\"channels\":1},"
                   "\"customParameters\":{",
                   (unsigned long long) ++phone->sequence, phone->account_sid,
                   phone->stream_sid, phone->call_sid);

    for (i = 0; i < list->n; i++) {
        p = strchr(list->value[i], '=');

        if (i) {
            vb_text_puts(out, ",");
        }

        vb_text_json(out, list->value[i], p - list->value[i]);
        vb_text_puts(out, ":");
        vb_text_json(out, p + 1, strlen(p + 1));
    }

    vb_text_printf(out, "}},\"streamSid\":\"%s\"}", phone->stream_sid);
    vb_phone_send(phone);

    vb_phone_event(phone, "start", "stream %s of call %s", phone->stream_sid,
                   phone->call_sid);
}


void
vb_phone_frame(vb_phone_t *phone, const u_char *ulaw)
{
    char  payload[vb_base64_encoded_length(VB_PHONE_FRAME) + 1];

    payload[vb_base64_encode((u_char *) payload, ulaw, VB_PHONE_FRAME)] = '\0';

    vb_text_printf(&phone->out, "{\"event\":\"media\",\"sequenceNumber\":"
                   "\"%llu\",\"media\":{\"track\":\"inbound\",\"chunk\":"
                   "\"%llu\",\"timestamp\":\"%llu\",\"payload\":\"%s\"},"
                   "\"streamSid\":\"%s\"}",
                   (unsigned long long) ++phone->sequence,
                   (unsigned long long) phone->frames + 1,
                   (unsigned long long) phone->frames * 20 + 135, payload,
                   phone->stream_sid);
    vb_phone_send(phone);
}


void
vb_phone_digit(vb_phone_t *phone, int digit)
{
    vb_text_printf(&phone->out, "{\"event\":\"dtmf\",\"streamSid\":\"%s\","
                   "\"sequenceNumber\":\"%llu\",\"dtmf\":{\"track\":"
                   "\"inbound_track\",\"digit\":\"%c\"}}", phone->stream_sid,
                   (unsigned long long) ++phone->sequence, digit);
    vb_phone_send(phone);
}


void
vb_phone_stop(vb_phone_t *phone)
{
    vb_text_printf(&phone->out, "{\"event\":\"stop\",\"sequenceNumber\":"
                   "\"%llu\",\"streamSid\":\"%s\",\"stop\":{\"accountSid\":"
                   "\"%s\",\"callSid\":\"%s\"}}",
                   (unsigned long long) ++phone->sequence, phone->stream_sid,
                   phone->account_sid, phone->call_sid);
    vb_phone_send(phone);
}


void
vb_phone_message(vb_phone_t *phone, const vb_str_t *text)
{
    size_t           offset;
    const char      *error;
    vb_str_t         event, sid;
    vb_json_value_t  v[6];

    static const vb_json_field_t  fields[] = {
        { VB_JSON_ROOT, vb_str("event") },
        { VB_JSON_ROOT, vb_str("streamSid") },
        { VB_JSON_ROOT, vb_str("media") },
        { 2, vb_str("payload") },
        { VB_JSON_ROOT, vb_str("mark") },
        { 4, vb_str("name") }
    };

    if (vb_json_select(text, fields, 6, v, &error, &offset) != VB_OK) {
        phone->warnings++;
        vb_phone_event(phone, "warning", "31951, a message that is no JSON "
                       "object: %s", error);
        return;
    }

    sid = v[1].text;

    if (v[1].type != VB_JSON_STRING || sid.len != strlen(phone->stream_sid)
        || memcmp(sid.data, phone->stream_sid, sid.len) != 0)
    {
        phone->warnings++;
        vb_phone_event(phone, "warning", "31951, a message without this "
                       "stream's streamSid");
        return;
    }

    event = v[0].text;

    if (vb_str_eq(&event, "media") && v[3].type == VB_JSON_STRING) {
        vb_phone_audio(phone, &v[3]);

    } else if (vb_str_eq(&event, "mark") && v[5].type == VB_JSON_STRING) {
        vb_phone_mark(phone, &v[5]);

    } else if (vb_str_eq(&event, "clear")) {
        phone->clears++;
        vb_phone_event(phone, "clear", "%.2f s of speech dropped",
                       vb_playout_clear(&phone->playout) / 8e3);
        vb_phone_marks(phone);

    } else {
        phone->warnings++;
        vb_phone_event(phone, "warning", "31951, a message that is not "
                       "media, mark or clear");
    }
}


static void
vb_phone_audio(vb_phone_t *phone, vb_json_value_t *payload)
{
    size_t    lost;
    u_char   *p;
    ssize_t   n;

    /* both are done in place: the message is ours */

    p = payload->text.data;
    n = vb_base64_decode(p, p, vb_json_unescape(p, &payload->text));

    if (n < 0) {
        phone->warnings++;
        vb_phone_event(phone, "warning", "31951, a payload that is no base64");
        return;
    }

    if (phone->audio == 0) {
        vb_phone_event(phone, "audio", "the first");
    }

    phone->audio += n;
    phone->heard = vb_now();

    lost = vb_playout_add(&phone->playout, p, n);

    if (lost) {
        phone->warnings++;
        vb_phone_event(phone, "warning", "31931, more than 10 minutes are "
                       "queued: %.2f s discarded", lost / 8e3);
    }
}


static void
vb_phone_mark(vb_phone_t *phone, vb_json_value_t *value)
{
    char   *name;
    size_t  n;

    name = vb_alloc(value->text.len + 1);

    n = vb_json_unescape((u_char *) name, &value->text);
    name[n] = '\0';

    if (vb_playout_mark(&phone->playout, name) != VB_OK) {
        phone->warnings++;
        vb_phone_event(phone, "warning", "%d marks have not come back yet",
                       VB_PLAYOUT_MARKS);
    }

    free(name);

    /* with nothing queued it is due at once */

    vb_phone_marks(phone);
}


void
vb_phone_marks(vb_phone_t *phone)
{
    char  *name;

    while ((name = vb_playout_due(&phone->playout)) != NULL) {

        vb_text_printf(&phone->out, "{\"event\":\"mark\",\"sequenceNumber\":"
                       "\"%llu\",\"streamSid\":\"%s\",\"mark\":{\"name\":",
                       (unsigned long long) ++phone->sequence,
                       phone->stream_sid);
        vb_text_json(&phone->out, name, strlen(name));
        vb_text_puts(&phone->out, "}}");
        vb_phone_send(phone);

        phone->marks++;
        vb_phone_event(phone, "mark", "%.100s is returned", name);
        free(name);
    }
}
