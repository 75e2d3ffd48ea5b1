
/*
 * What the ends of a call say.  Through the module a phone speaks Twilio's
 * protocol and the far end ElevenLabs'; through a relay both hear the
 * messages that the other end would have sent to a module.
 */


#include <stdio.h>
#include <stdlib.h>

#include <rig.h>
#include <vb_agent_message.h>
#include <vb_base64.h>
#include <vb_twilio_stream.h>


#define RIG_CALL_MESSAGE  65536

#define rig_call_put(p, s)                                                    \
    ((u_char *) memcpy(p, s, sizeof(s) - 1) + sizeof(s) - 1)


static int rig_call_phone_open(rig_peer_t *peer, u_char *data, size_t len);
static int rig_call_far_open(rig_peer_t *peer, u_char *data, size_t len);
static void rig_call_live(rig_call_t *call);
static void rig_call_twilio(rig_peer_t *peer, vb_str_t *text);
static void rig_call_elevenlabs(rig_peer_t *peer, vb_str_t *text);
static void rig_call_user(rig_peer_t *peer, vb_str_t *text);
static void rig_call_metadata(rig_peer_t *peer);
static void rig_call_audio(rig_peer_t *peer, vb_str_t *base64);
static u_char *rig_call_number(u_char *p, uint64_t n);


void
rig_call_request(rig_peer_t *peer)
{
    int    len;
    char   request[512];

    len = snprintf(request, sizeof(request),
                   "GET /?agent_id=%u HTTP/1.1\r\n"
                   "Host: 127.0.0.1:%u\r\n"
                   "User-Agent: Twilio.TmeWs/1.0\r\n"
                   "Connection: Upgrade\r\n"
                   "Upgrade: websocket\r\n"
                   "Sec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                   peer->call->id, peer->rig->port);

    peer->call->began = rig_clock();

    rig_peer_write(peer, (u_char *) request, len);
}


int
rig_call_header(rig_peer_t *peer, u_char *data, size_t len)
{
    return peer->phone ? rig_call_phone_open(peer, data, len)
                       : rig_call_far_open(peer, data, len);
}


static int
rig_call_phone_open(rig_peer_t *peer, u_char *data, size_t len)
{
    int          n;
    u_char       message[1024], *p;
    rig_call_t  *call;

    call = peer->call;

    if (len < 12 || memcmp(data, "HTTP/1.1 101", 12) != 0) {
        rig_failed(peer->rig, "the gateway answered \"%.*s\"",
                   (int) vb_min(len, 20), data);
        return VB_ERROR;
    }

    if (peer->rig->relay) {
        rig_count(&peer->rig->setup, peer->rig->now - call->began);
        rig_call_live(call);
        return VB_OK;
    }

    p = message + VB_WS_MAX_HEADER;

    n = snprintf((char *) p, 512, "{\"event\":\"connected\","
                 "\"protocol\":\"Call\",\"version\":\"1.0.0\"}");
    rig_peer_text(peer, p, n);

    n = snprintf((char *) p, sizeof(message) - VB_WS_MAX_HEADER,
                 "{\"event\":\"start\",\"sequenceNumber\":\"1\",\"start\":{"
                 "\"accountSid\":\"AC%032x\",\"streamSid\":\"MZ%032x\","
                 "\"callSid\":\"CA%032x\",\"tracks\":[\"inbound\"],"
                 "\"mediaFormat\":{\"encoding\":\"audio/x-mulaw\","
                 "\"sampleRate\":8000,\"channels\":1},"
                 "\"customParameters\":{\"agent_id\":\"%u\"}},"
                 "\"streamSid\":\"MZ%032x\"}",
                 1, call->id, call->id, call->id, call->id);
    rig_peer_text(peer, p, n);

    return VB_OK;
}


/* whose far end this is stands in the URL */

static int
rig_call_far_open(rig_peer_t *peer, u_char *data, size_t len)
{
    int          n;
    char        *p, *key, answer[256];
    u_char       accept[VB_WS_ACCEPT_LENGTH];
    vb_str_t     text;
    unsigned     id;

    data[len - 1] = '\0';

    p = strstr((char *) data, "agent_id=");
    key = strcasestr((char *) data, "\nSec-WebSocket-Key: ");

    if (p == NULL || key == NULL
        || sscanf(p, "agent_id=%u", &id) != 1 || id >= peer->rig->started
        || peer->rig->calls[id].far)
    {
        rig_failed(peer->rig, "a handshake at the far end of no call");
        return VB_ERROR;
    }

    text.data = (u_char *) key + sizeof("\nSec-WebSocket-Key: ") - 1;
    text.len = VB_WS_KEY_LENGTH;

    vb_ws_accept(accept, &text);

    n = snprintf(answer, sizeof(answer),
                 "HTTP/1.1 101 Switching Protocols\r\n"
                 "Upgrade: websocket\r\n"
                 "Connection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: %.*s\r\n\r\n",
                 VB_WS_ACCEPT_LENGTH, accept);

    peer->call = &peer->rig->calls[id];
    peer->call->far = peer;

    rig_peer_write(peer, (u_char *) answer, n);

    return VB_OK;
}


static void
rig_call_live(rig_call_t *call)
{
    rig_t  *rig;

    rig = call->phone->rig;

    call->live = 1;
    call->sequence = 2;
    snprintf(call->stream_sid, sizeof(call->stream_sid), "MZ%032x", call->id);
    rig->lives++;

    rig_track_init(&call->up, &rig->uplink, 7 * call->id);
    rig_track_init(&call->down, &rig->downlink, 3 * call->id);
}


/* 20 ms of what the caller says; printf() would cost more than TLS does */

void
rig_call_frame(rig_call_t *call)
{
    u_char           message[VB_WS_MAX_HEADER + 1024], *payload, *p;
    const vb_str_t  *audio;

    audio = rig_track_next(&call->up, rig_clock());

    payload = message + VB_WS_MAX_HEADER;

    p = rig_call_put(payload, "{\"event\":\"media\",\"sequenceNumber\":\"");
    p = rig_call_number(p, call->sequence);
    p = rig_call_put(p, "\",\"media\":{\"track\":\"inbound\",\"chunk\":\"");
    p = rig_call_number(p, call->sequence - 1);
    p = rig_call_put(p, "\",\"timestamp\":\"");
    p = rig_call_number(p, call->sequence * RIG_UPLINK_MS);
    p = rig_call_put(p, "\",\"payload\":\"");
    p = (u_char *) memcpy(p, audio->data, audio->len) + audio->len;
    p = rig_call_put(p, "\"},\"streamSid\":\"");
    p = (u_char *) memcpy(p, call->stream_sid, 34) + 34;
    p = rig_call_put(p, "\"}");

    call->sequence++;

    rig_peer_text(call->phone, payload, p - payload);
}


static u_char *
rig_call_number(u_char *p, uint64_t n)
{
    u_char  digits[20], *last;

    last = digits + sizeof(digits);

    do {
        *--last = '0' + n % 10;
        n /= 10;
    } while (n);

    n = digits + sizeof(digits) - last;

    return (u_char *) memcpy(p, last, n) + n;
}


/* 100 ms of what the agent says */

void
rig_call_speak(rig_call_t *call)
{
    u_char            *payload, *p;
    const vb_str_t    *audio;
    static u_char      message[VB_WS_MAX_HEADER + RIG_CALL_MESSAGE];

    audio = rig_track_next(&call->down, rig_clock());

    payload = message + VB_WS_MAX_HEADER;

    p = rig_call_put(payload, "{\"type\":\"audio\",\"audio_event\":{"
                              "\"audio_base_64\":\"");
    p = (u_char *) memcpy(p, audio->data, audio->len) + audio->len;
    p = rig_call_put(p, "\",\"event_id\":1}}");

    rig_peer_text(call->far, payload, p - payload);
}


int
rig_call_big(rig_call_t *call, size_t len)
{
    u_char  *message, *payload;

    static const char  head[] = "{\"type\":\"large\",\"text\":\"";

    message = malloc(VB_WS_MAX_HEADER + sizeof(head) + len + 2);
    if (message == NULL) {
        return VB_ERROR;
    }

    payload = message + VB_WS_MAX_HEADER;

    memset(payload, 'x', len);
    memcpy(payload, head, sizeof(head) - 1);
    memcpy(payload + len - 2, "\"}", 2);

    rig_peer_text(call->far, payload, len);

    free(message);

    return VB_OK;
}


void
rig_call_message(rig_peer_t *peer, vb_ws_event_t *ev)
{
    if (ev->opcode == VB_WS_CLOSE) {
        rig_peer_close(peer, "a Close");
        return;
    }

    if (ev->opcode != VB_WS_TEXT) {
        return;
    }

    if (peer->rig->relay) {
        if (peer->phone) {
            rig_call_elevenlabs(peer, &ev->payload);

        } else {
            rig_call_twilio(peer, &ev->payload);
        }

        return;
    }

    if (peer->phone) {
        rig_call_twilio(peer, &ev->payload);

    } else {
        rig_call_user(peer, &ev->payload);
    }
}


static void
rig_call_twilio(rig_peer_t *peer, vb_str_t *text)
{
    const char           *error;
    vb_twilio_message_t   m;

    if (vb_twilio_message_parse(&m, text, VB_JSON_DEPTH, &error) != VB_OK
        || m.event != VB_TWILIO_MEDIA)
    {
        peer->rig->wrong++;
        return;
    }

    rig_call_audio(peer, &m.payload.text);
}


static void
rig_call_elevenlabs(rig_peer_t *peer, vb_str_t *text)
{
    const char          *error;
    vb_agent_message_t   m;

    if (vb_agent_message_parse(&m, text, VB_JSON_DEPTH, &error) != VB_OK
        || m.type != VB_AGENT_AUDIO || m.audio.type != VB_JSON_STRING)
    {
        peer->rig->wrong++;
        return;
    }

    rig_call_audio(peer, &m.audio.text);
}


/* what a module says to an agent: once the initiation, then audio */

static void
rig_call_user(rig_peer_t *peer, vb_str_t *text)
{
    size_t                        offset;
    const char                   *error;
    vb_json_value_t               v[2];
    static const vb_json_field_t  fields[2] = {
        { VB_JSON_ROOT, vb_str("user_audio_chunk") },
        { VB_JSON_ROOT, vb_str("type") }
    };

    if (vb_json_select(text, fields, 2, v, &error, &offset) != VB_OK) {
        peer->rig->wrong++;
        return;
    }

    if (v[0].type == VB_JSON_STRING) {
        rig_call_audio(peer, &v[0].text);
        return;
    }

    if (v[1].type == VB_JSON_STRING
        && vb_str_eq(&v[1].text, "conversation_initiation_client_data")
        && !peer->call->live)
    {
        rig_count(&peer->rig->setup, peer->rig->now - peer->call->began);
        rig_call_metadata(peer);
        return;
    }

    peer->rig->wrong++;
}


static void
rig_call_metadata(rig_peer_t *peer)
{
    int      n;
    u_char   message[VB_WS_MAX_HEADER + 512], *p;

    p = message + VB_WS_MAX_HEADER;

    n = snprintf((char *) p, 512,
                 "{\"type\":\"conversation_initiation_metadata\","
                 "\"conversation_initiation_metadata_event\":{"
                 "\"conversation_id\":\"conv_%u\","
                 "\"agent_output_audio_format\":\"%s\","
                 "\"user_input_audio_format\":\"%s\"}}",
                 peer->call->id, peer->rig->format_name,
                 peer->rig->format_name);

    rig_peer_text(peer, p, n);
    rig_call_live(peer->call);
}


static void
rig_call_audio(rig_peer_t *peer, vb_str_t *base64)
{
    ssize_t      len;
    rig_t       *rig;
    rig_call_t  *call;

    rig = peer->rig;
    call = peer->call;

    len = vb_base64_decode(base64->data, base64->data, base64->len);

    if (len == VB_ERROR || !call->live) {
        rig->wrong++;
        return;
    }

    if (peer->phone) {
        rig_track_arrived(rig, &call->down, &rig->down, base64->data, len);

    } else {
        rig_track_arrived(rig, &call->up, &rig->up, base64->data, len);
    }
}
