
/* voicebridge phone: one call to a media stream's location, without Twilio */


#include <vb_phone.h>
#include <vb_sign.h>
#include <vb_signals.h>

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>


/* for the server's Close, or for it to close the connection */
#define VB_PHONE_CLOSING  5000         /* ms */

/* messages that are read before the clock is looked at again */
#define VB_PHONE_MESSAGES  256


static void vb_phone_prepare(vb_phone_t *phone);
static void vb_phone_sid(char *dst, size_t size, const char *given,
    const char *prefix);
static int vb_phone_connect(vb_phone_t *phone);
static const char *vb_phone_remedy(long status, const char *token);
static void vb_phone_run(vb_phone_t *phone, int fd);
static void vb_phone_tick(vb_phone_t *phone);
static int vb_phone_is_over(vb_phone_t *phone);
static void vb_phone_receive(vb_phone_t *phone);
static void vb_phone_closed(vb_phone_t *phone, const vb_ws_event_t *ev);
static void vb_phone_hang_up(vb_phone_t *phone);
static int vb_phone_report(vb_phone_t *phone);


#define vb_phone_offset(field)  offsetof(vb_phone_options_t, field)


static const vb_option_t  vb_phone_own_options[] = {

    { "param", 'p', VB_OPTION_LIST, vb_phone_offset(parameters),
      "NAME=VALUE",
      "a <Parameter> of the stream: agent_id=..., or a variable. May be\n"
      "given more than once" },

    { "play", '\0', VB_OPTION_LIST, vb_phone_offset(play), "FILE",
      "what is said: WAV, 16 bits, 8 to 48 kHz, one channel or two. May be\n"
      "given more than once; silence before, between and after is sent too" },

    { "record", '\0', VB_OPTION_STRING, vb_phone_offset(record), "FILE",
      "what is heard, as WAV of 8 kHz" },

    { "dtmf", '\0', VB_OPTION_STRING, vb_phone_offset(dtmf), "DIGITS",
      "keys that are pressed, one every half second" },

    { "for", '\0', VB_OPTION_TIME, vb_phone_offset(length), "TIME",
      "hangs up then" },

    { "quiet-for", '\0', VB_OPTION_TIME, vb_phone_offset(quiet), "TIME",
      "hangs up when all was said and nothing was heard for so long (10s)" },

    { "auth-token-file", '\0', VB_OPTION_STRING,
      vb_phone_offset(token_file), "FILE",
      "Twilio's auth token, which signs the handshake; else that of\n"
      "TWILIO_AUTH_TOKEN" },

    { "sign-url", '\0', VB_OPTION_STRING, vb_phone_offset(sign_url), "URL",
      "what is signed where that is another URL: the server's public one" },

    { "unsigned", '\0', VB_OPTION_FLAG, vb_phone_offset(unsigned_), NULL,
      "the handshake has no signature" },

    { "account-sid", '\0', VB_OPTION_STRING, vb_phone_offset(account_sid),
      "SID", "instead of TWILIO_ACCOUNT_SID, or one that is made up" },

    { "call-sid", '\0', VB_OPTION_STRING, vb_phone_offset(call_sid), "SID",
      "instead of one that is made up" },

    { "timeout", '\0', VB_OPTION_TIME, vb_phone_offset(timeout), "TIME",
      "of connection and handshake (10s)" },

    { "cacert", '\0', VB_OPTION_STRING, vb_phone_offset(cacert), "FILE",
      "certificates to trust instead of the system's" },

    { "insecure", '\0', VB_OPTION_FLAG, vb_phone_offset(insecure), NULL,
      "the server's certificate is not verified: for tests" },

    { "json", 'j', VB_OPTION_FLAG, vb_phone_offset(json), NULL,
      "a JSON object a line instead of text" },

    { NULL, 0, 0, 0, NULL, NULL }
};


static const vb_option_t  *vb_phone_options[] = { vb_phone_own_options, NULL };


static const vb_command_t  vb_phone_command = {

    "phone",

    "voicebridge phone ws[s]://HOST/PATH [OPTION ...]",

    "Is a telephone at Twilio's end of a media stream: sends frames of 20 ms\n"
    "in real time, plays what it is sent, returns marks, honours clear, and\n"
    "prints what happens. So a server can be tried without Twilio.",

    "export TWILIO_AUTH_TOKEN=...\n"
    "voicebridge phone wss://voice.example.com/twilio/media-stream \\\n"
    "    --param agent_id=agent_0123 --param name=Zo\303\253 \\\n"
    "    --play question.wav --record answer.wav\n"
    "voicebridge phone ws://127.0.0.1:8080/twilio/media-stream \\\n"
    "    --sign-url wss://voice.example.com/twilio/media-stream --for 20s\n",

    "0  the stream was served, and ended well\n"
    "1  it was refused, or closed with an error\n"
    "2  an option or a file is wrong\n"
    "3  nobody could be reached\n",

    vb_phone_options,
    1
};


int
vb_phone_main(int argc, char **argv)
{
    int                 status;
    vb_phone_t         *phone;
    const char         *arguments[1];
    vb_phone_options_t  o = { .quiet = 10000, .timeout = 10000 };

    if (vb_options_parse(&vb_phone_command, argc, argv, &o, arguments) == 0) {
        vb_die(VB_EXIT_USAGE, "which stream? voicebridge phone "
               "ws://127.0.0.1:8080/twilio/media-stream");
    }

    o.url = arguments[0];

    phone = vb_alloc(sizeof(vb_phone_t));
    phone->options = &o;

    vb_phone_prepare(phone);

    status = vb_phone_connect(phone);

    if (status == VB_EXIT_OK) {
        vb_phone_run(phone, vb_signals_open());
        status = vb_phone_report(phone);
        vb_stream_close(phone->stream);
    }

    if (o.record && vb_wav_close(&phone->wav) != VB_OK) {
        vb_die(VB_EXIT_USAGE, "%s: %s", o.record, strerror(errno));
    }

    return status;
}


static void
vb_phone_prepare(vb_phone_t *phone)
{
    size_t               i;
    const char          *why, *p;
    vb_phone_options_t  *o;

    o = phone->options;

    if ((strncmp(o->url, "ws://", 5) != 0 && strncmp(o->url, "wss://", 6) != 0)
        || strpbrk(o->url, " \r\n"))
    {
        vb_die(VB_EXIT_USAGE, "a stream is like ws://127.0.0.1:8080/twilio/"
               "media-stream, not \"%s\"", o->url);
    }

    for (i = 0; i < o->parameters.n; i++) {
        p = strchr(o->parameters.value[i], '=');

        if (p == NULL || p == o->parameters.value[i]) {
            vb_die(VB_EXIT_USAGE, "--param \"%s\" is not name=value",
                   o->parameters.value[i]);
        }
    }

    if (o->dtmf && strspn(o->dtmf, "0123456789*#ABCD") != strlen(o->dtmf)) {
        vb_die(VB_EXIT_USAGE, "--dtmf has digits, *, # and A to D");
    }

    for (i = 0; i < o->play.n; i++) {
        if (vb_wav_read(o->play.value[i], &phone->speech, &why) != VB_OK) {
            vb_die(VB_EXIT_USAGE, "%s: %s", o->play.value[i], why);
        }
    }

    if (o->record && vb_wav_create(&phone->wav, o->record) != VB_OK) {
        vb_die(VB_EXIT_USAGE, "%s: %s", o->record, strerror(errno));
    }

    if (o->account_sid == NULL) {
        o->account_sid = getenv("TWILIO_ACCOUNT_SID");
    }

    vb_phone_sid(phone->account_sid, sizeof(phone->account_sid),
                 o->account_sid, "AC");
    vb_phone_sid(phone->call_sid, sizeof(phone->call_sid), o->call_sid, "CA");
    vb_phone_sid(phone->stream_sid, sizeof(phone->stream_sid), NULL, "MZ");
}


static void
vb_phone_sid(char *dst, size_t size, const char *given, const char *prefix)
{
    size_t  i;
    u_char  id[16];

    if (given && strlen(given) == 34 && strncmp(given, prefix, 2) == 0
        && strspn(given + 2, "0123456789abcdefABCDEF") == 32)
    {
        memcpy(dst, given, 35);
        return;
    }

    if (given && *given) {
        vb_die(VB_EXIT_USAGE, "a SID is %s and 32 hexadecimal digits", prefix);
    }

    RAND_bytes(id, sizeof(id));

    for (i = 0; i < sizeof(id); i++) {
        snprintf(dst + 2 + 2 * i, size - 2 - 2 * i, "%02x", id[i]);
    }

    memcpy(dst, prefix, 2);
}


static int
vb_phone_connect(vb_phone_t *phone)
{
    long                 status;
    char                 why[300], signature[VB_SIGN_LENGTH + 1];
    const char          *token;
    vb_stream_conf_t     conf;
    vb_phone_options_t  *o;

    o = phone->options;

    memset(&conf, 0, sizeof(vb_stream_conf_t));

    conf.url = o->url;
    conf.cacert = o->cacert;
    conf.insecure = o->insecure;
    conf.timeout = o->timeout;

    token = o->unsigned_ ? NULL : vb_sign_token(o->token_file);

    if (token) {
        vb_sign(signature, token, o->sign_url ? o->sign_url : o->url);
        conf.signature = signature;
    }

    phone->began = vb_now();
    phone->stream = vb_stream_open(&conf, why, sizeof(why), &status);

    if (phone->stream) {
        vb_phone_event(phone, "connected", "%s%s", o->url,
                       token ? ", signed" : "");
        return VB_EXIT_OK;
    }

    vb_phone_event(phone, "refused", "%s%s", why,
                   vb_phone_remedy(status, token));

    return status ? VB_EXIT_FAILED : VB_EXIT_SERVER;
}


static const char *
vb_phone_remedy(long status, const char *token)
{
    switch (status) {

    case 301:
    case 302:
    case 307:
    case 308:
        return ": a redirect, give the URL it leads to";

    case 403:
        return token ? ": the signature is that of another token or URL, see "
                       "--sign-url"
                     : ": it wants a signature, see --auth-token-file";

    case 404:
        return ": there is no such location";

    case 503:
        return ": the location has a limit, see its limit_conn";

    default:
        return "";
    }
}


static void
vb_phone_run(vb_phone_t *phone, int fd)
{
    int64_t  now, due;

    vb_phone_start(phone);

    phone->started = vb_now();
    phone->heard = phone->started;

    while (!phone->over) {
        due = phone->started + (int64_t) phone->frames * 20;
        now = vb_now();

        if (now >= due) {
            vb_phone_tick(phone);
            phone->over |= vb_phone_is_over(phone);

        } else {
            vb_stream_wait(phone->stream, due - now, fd);
        }

        vb_phone_receive(phone);

        if (vb_signals_interrupts()) {
            break;
        }
    }

    if (!phone->ended) {
        vb_phone_hang_up(phone);
    }
}


/* 20 ms of the call: said, and heard */

static void
vb_phone_tick(vb_phone_t *phone)
{
    size_t               n;
    u_char               frame[VB_PHONE_FRAME];
    const char          *dtmf;
    vb_phone_options_t  *o;

    o = phone->options;

    memset(frame, 0xff, sizeof(frame));

    n = vb_min(sizeof(frame), phone->speech.len - phone->said);

    if (n) {
        memcpy(frame, phone->speech.data + phone->said, n);
        phone->said += n;

        if (phone->said == phone->speech.len) {
            vb_phone_event(phone, "said", "%.2f s", phone->said / 8e3);
        }
    }

    vb_phone_frame(phone, frame);
    phone->frames++;

    dtmf = o->dtmf;

    if (dtmf && phone->frames % 25 == 0
        && phone->frames / 25 <= strlen(dtmf))
    {
        vb_phone_digit(phone, dtmf[phone->frames / 25 - 1]);
    }

    if (vb_playout_play(&phone->playout, frame, sizeof(frame))) {
        phone->heard = vb_now();
    }

    if (o->record && vb_wav_write(&phone->wav, frame, sizeof(frame)) != VB_OK)
    {
        vb_die(VB_EXIT_USAGE, "%s: %s", o->record, strerror(errno));
    }

    vb_phone_marks(phone);
}


static int
vb_phone_is_over(vb_phone_t *phone)
{
    int64_t              now;
    vb_phone_options_t  *o;

    o = phone->options;
    now = vb_now();

    if (o->length) {
        return now - phone->started >= o->length;
    }

    return phone->said == phone->speech.len
           && now - phone->heard >= o->quiet
           && now - phone->started
              >= (int64_t) phone->speech.len / 8 + o->quiet;
}


static void
vb_phone_receive(vb_phone_t *phone)
{
    int            rc;
    unsigned       n;
    vb_ws_event_t  ev;

    for (n = 0; n < VB_PHONE_MESSAGES && !phone->ended; n++) {
        rc = vb_stream_read(phone->stream, &ev);

        if (rc == VB_AGAIN) {
            return;
        }

        if (rc != VB_OK) {
            phone->over = 1;
            phone->ended = 1;

            if (phone->status == 0) {
                phone->status = VB_WS_ABNORMAL;
                vb_phone_event(phone, "closed", "%s",
                               vb_stream_error(phone->stream));
            }

            return;
        }

        switch (ev.opcode) {

        case VB_WS_TEXT:
            vb_phone_message(phone, &ev.payload);
            break;

        case VB_WS_PING:
            vb_stream_send(phone->stream, VB_WS_PONG, ev.payload.data,
                           ev.payload.len);
            break;

        case VB_WS_CLOSE:
            vb_phone_closed(phone, &ev);
            return;

        case VB_WS_BINARY:
            phone->warnings++;
            vb_phone_event(phone, "warning", "31950, a binary message");
        }
    }
}


static void
vb_phone_closed(vb_phone_t *phone, const vb_ws_event_t *ev)
{
    u_char  payload[VB_WS_MAX_CONTROL];
    size_t  n, queued;

    phone->status = ev->status;
    phone->over = 1;
    phone->ended = 1;

    vb_phone_event(phone, "closed", "by the server: %u%s%.*s%s", ev->status,
                   ev->payload.len ? " " : "", (int) ev->payload.len,
                   ev->payload.data, ev->status == VB_WS_NORMAL ? ""
                   : "; its error log has the call's SID and why");

    queued = vb_playout_queued(&phone->playout);

    if (queued && !phone->hung_up) {
        phone->warnings++;
        vb_phone_event(phone, "warning", "%.2f s of speech were still queued: "
                       "nobody hears them", queued / 8e3);
    }

    if (!phone->hung_up) {
        n = vb_ws_close_payload(payload, ev->status, NULL);
        vb_stream_send(phone->stream, VB_WS_CLOSE, payload, n);
    }
}


static void
vb_phone_hang_up(vb_phone_t *phone)
{
    u_char   payload[VB_WS_MAX_CONTROL];
    size_t   n;
    int64_t  deadline;

    phone->hung_up = 1;
    vb_phone_event(phone, "hung up", "%s", "");
    vb_phone_stop(phone);

    n = vb_ws_close_payload(payload, VB_WS_NORMAL, NULL);
    vb_stream_send(phone->stream, VB_WS_CLOSE, payload, n);

    deadline = vb_now() + VB_PHONE_CLOSING;

    while (!phone->ended && vb_now() < deadline) {
        vb_stream_wait(phone->stream, 100, -1);
        vb_phone_receive(phone);
    }

    if (!phone->ended) {
        phone->warnings++;
        vb_phone_event(phone, "warning", "no Close of the server");
    }
}


static int
vb_phone_report(vb_phone_t *phone)
{
    int  good;

    good = (phone->status == VB_WS_NORMAL);

    if (phone->options->json) {
        printf("{\"event\": \"report\", \"said_seconds\": %.3f, "
               "\"heard_seconds\": %.3f, \"sent_seconds\": %.3f, "
               "\"marks\": %u, \"clears\": %u, \"warnings\": %u, "
               "\"status\": %u, \"hung_up\": %s, \"call_sid\": \"%s\", "
               "\"stream_sid\": \"%s\"}\n",
               phone->said / 8e3, phone->playout.total / 8e3,
               phone->audio / 8e3, phone->marks, phone->clears,
               phone->warnings, phone->status,
               phone->hung_up ? "true" : "false", phone->call_sid,
               phone->stream_sid);

    } else {
        printf("Said %.2f s, heard %.2f of %.2f s; marks %u, clears %u, "
               "warnings %u.\n", phone->said / 8e3,
               phone->playout.total / 8e3, phone->audio / 8e3, phone->marks,
               phone->clears, phone->warnings);
    }

    return good ? VB_EXIT_OK : VB_EXIT_FAILED;
}
