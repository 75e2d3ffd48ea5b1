
/* TwiML, forms and the bodies of Twilio's REST calls */


#include <tap.h>

#include <vb_form.h>
#include <vb_twilio_call.h>
#include <vb_twiml.h>


static void document(void);
static void long_values(void);
static void verbs(void);
static void forms(void);
static void calls(void);
static void numbers(void);
static size_t unescape(char *dst, const char *src, size_t len);
static vb_str_t str(const char *s);


int
main(void)
{
    document();
    long_values();
    verbs();
    forms();
    calls();
    numbers();

    done_testing();
}


static void
document(void)
{
    u_char                buf[4096];
    ssize_t               n;
    vb_twiml_stream_t     s;
    vb_twiml_parameter_t  p[] = {
        { vb_str("agent_id"), vb_str("a & b <\"'>\x01\t\n") },
        { vb_str("nothing"), vb_str("") },
        { vb_str("name"), vb_str("Zo\303\253") }
    };

    static const char  expected[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Connect>"
        "<Stream url=\"wss://gw.example.com/m\" "
        "statusCallback=\"https://gw.example.com/s?a=1&amp;b=2\">"
        "<Parameter name=\"agent_id\" "
        "value=\"a &amp; b &lt;&quot;&#39;&gt;&#9;&#10;\"/>"
        "<Parameter name=\"name\" value=\"Zo\303\253\"/>"
        "</Stream></Connect></Response>";

    s.url = str("wss://gw.example.com/m");
    s.status_callback = str("https://gw.example.com/s?a=1&b=2");
    s.parameters = p;
    s.n = 3;

    n = vb_twiml_stream(buf, sizeof(buf), &s);
    is_mem(buf, n, expected, sizeof(expected) - 1, "a document");

    is_int(vb_twiml_stream(NULL, sizeof(buf), &s), n, "counted alike");
    is_int(vb_twiml_stream(buf, n, &s), n, "it fits exactly");

    memset(buf, 'x', sizeof(buf));
    is_int(vb_twiml_stream(buf, n - 1, &s), VB_ERROR, "a byte less");
    is_int(buf[n - 1], 'x', "and nothing written behind it");
}


/* what is cut comes together again, and no piece is too long */

static void
long_values(void)
{
    char                  value[6000], joined[6000], *p, *end, *name;
    u_char                buf[20000];
    size_t                i, len, pieces, n;
    ssize_t               size;
    vb_twiml_stream_t     s;
    vb_twiml_parameter_t  param;

    for (len = 480; len < 5000; len += 97) {

        for (i = 0; i < len; i += n) {
            n = i % 4 == 0 ? 3 : 1;
            memcpy(value + i, n == 3 ? "\342\202\254" : "<", n);
        }

        value[i] = '\0';

        param.name = str("dynamic_variables");
        param.value = str(value);

        s.url = str("wss://h/");
        s.status_callback = str("");
        s.parameters = &param;
        s.n = 1;

        size = vb_twiml_stream(buf, sizeof(buf) - 1, &s);
        if (!ok(size > 0, "%zu bytes are written", len)) {
            continue;
        }

        buf[size] = '\0';
        n = 0;
        pieces = 0;

        for (p = (char *) buf; (p = strstr(p, "name=\"")) != NULL; p = end) {
            char  expected[32];

            name = p + 6;
            end = strchr(name, '"');

            pieces++;
            snprintf(expected, sizeof(expected),
                     pieces == 1 ? "dynamic_variables"
                                   : "dynamic_variables_%zu", pieces);
            is_mem(name, end - name, expected, strlen(expected), "%s",
                   expected);

            p = end + sizeof("\" value=\"") - 1;
            end = strchr(p, '"');
            i = unescape(joined + n, p, end - p);

            ok(strlen(expected) + i < VB_TWIML_MAX_PARAMETER
               && (joined[n] & 0xc0) != 0x80, "a good piece");
            n += i;
        }

        is_mem(joined, n, value, strlen(value), "%zu bytes are whole", len);
    }
}


static void
verbs(void)
{
    u_char    buf[256];
    ssize_t   n;
    vb_str_t  v;

    v = str(" <Say>Sorry</Say>");
    n = vb_twiml_verbs(buf, sizeof(buf), &v);
    is_mem(buf, n, "<Response><Say>Sorry</Say></Response>", 37, "verbs");

    v = str("<Response><Hangup/></Response>");
    n = vb_twiml_verbs(buf, sizeof(buf), &v);
    is_mem(buf, n, v.data, v.len, "a document");

    is_int(vb_twiml_verbs(buf, 10, &v), VB_ERROR, "too long");
}


static void
forms(void)
{
    u_char           body[256], out[64];
    size_t           i, n;
    ssize_t          rc;
    vb_form_field_t  f[4];

    static const char  *bad[] = { "a=%", "a=%4", "a=%zz", "%=1", "a=1&b=%g0",
                                  "a&b&c&d&e" };

    strcpy((char *) body, "&To=%2B1415&name=Zo%C3%AB+x&&empty=&flag&");
    rc = vb_form_parse(f, 4, body, strlen((char *) body));

    is_int(rc, 4, "four fields");
    is_mem(f[0].value.data, f[0].value.len, "+1415", 5, "percent");
    is_mem(f[1].value.data, f[1].value.len, "Zo\303\253 x", 6, "UTF-8, plus");
    is_int(f[2].value.len, 0, "an empty value");
    is_mem(f[3].name.data, f[3].name.len, "flag", 4, "no value");
    ok(vb_form_find(f, 4, "name") == &f[1], "found");
    ok(vb_form_find(f, 4, "nam") == NULL, "not found");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        strcpy((char *) body, bad[i]);
        is_int(vb_form_parse(f, 4, body, strlen(bad[i])), VB_ERROR, "%s",
               bad[i]);
    }

    n = vb_form_escape(out, (u_char *) "a +&=%\303\253~-._*", 13);
    is_mem(out, n, "a+%2B%26%3D%25%C3%AB%7E-._*", 27, "escaped");
    is_int(vb_form_escape(NULL, (u_char *) "a +&=%\303\253~-._*", 13), n,
           "and counted");
}


static void
calls(void)
{
    u_char              buf[1024];
    size_t              n;
    vb_str_t            v;
    vb_twilio_call_t    call;
    vb_twilio_answer_t  a;

    static const char  expected[] =
        "To=%2B15550100&From=%2B15550199&Twiml=%3CResponse%2F%3E&TimeLimit=60"
        "&StatusCallback=https%3A%2F%2Fh%2Fs&StatusCallbackEvent=initiated"
        "&StatusCallbackEvent=ringing&StatusCallbackEvent=answered"
        "&StatusCallbackEvent=completed";

    call.to = str("+15550100");
    call.from = str("+15550199");
    call.twiml = str("<Response/>");
    call.status_callback = str("https://h/s");
    call.time_limit = 60;

    n = vb_twilio_call_create(buf, &call);
    is_mem(buf, n, expected, sizeof(expected) - 1, "a create");
    is_int(vb_twilio_call_create(NULL, &call), n, "counted");

    v = str("");
    n = vb_twilio_call_update(buf, &v);
    is_mem(buf, n, "Status=completed", 16, "a hang-up");

    v = str("{\"sid\":\"CA0123456789abcdef0123456789abcdef\",\"status\":"
            "\"queued\",\"to\":\"+15550100\",\"code\":null}");
    is_int(vb_twilio_answer_parse(&a, &v), VB_OK, "a call");
    is_int(a.sid.len, 34, "its SID");
    is_mem(a.status.data, a.status.len, "queued", 6, "its status");

    v = str("{\"code\":21211,\"message\":\"The 'To'\\nnumber\",\"status\":400}");
    is_int(vb_twilio_answer_parse(&a, &v), VB_OK, "an error");
    is_int(a.code, 21211, "its code");
    is_mem(a.message.data, a.message.len, "The 'To' number", 15,
           "its message on one line");
    is_int(a.sid.len, 0, "no SID");

    v = str("{\"sid\":\"CAshort\",\"status\":\"queued\"}");
    is_int(vb_twilio_answer_parse(&a, &v), VB_ERROR, "a SID that is none");
    v = str("<html>");
    is_int(vb_twilio_answer_parse(&a, &v), VB_ERROR, "not JSON");
}


static void
numbers(void)
{
    size_t    i;
    u_char    buf[64];
    vb_str_t  v;

    static const struct {
        const char  *number;
        int          e164;
        const char  *masked;
    } t[] = {
        { "+14155550123", 1, "+*******0123" },
        { "+12", 1, "+12" },
        { "+123456789012345", 1, "+***********2345" },
        { "+1234567890123456", 0, "+************3456" },
        { "+1", 0, "+1" },
        { "+0123", 0, "+0123" },
        { "14155550123", 0, "*******0123" },
        { "+1415 5550123", 0, "+**** ***0123" },
        { "client:alice", 0, "cl**********" },
        { "", 0, "" }
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        v = str(t[i].number);
        is_int(vb_e164(&v), t[i].e164, "\"%s\"", t[i].number);
        is_mem(buf, vb_mask_number(buf, &v), t[i].masked,
               strlen(t[i].masked), "masked: %s", t[i].masked);
    }
}


static size_t
unescape(char *dst, const char *src, size_t len)
{
    size_t       n;
    const char  *last;

    last = src + len;

    for (n = 0; src < last; n++) {
        if (strncmp(src, "&lt;", 4) == 0) {
            dst[n] = '<';
            src += 4;

        } else {
            dst[n] = *src++;
        }
    }

    return n;
}


static vb_str_t
str(const char *s)
{
    vb_str_t  v;

    v.data = (u_char *) s;
    v.len = strlen(s);

    return v;
}
