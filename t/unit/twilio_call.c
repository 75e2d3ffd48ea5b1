
/* Twilio's Calls: requests, answers, SIDs and numbers */


#include <tap.h>
#include <text.h>
#include <vb_twilio_call.h>


#define SID  "CA0123456789abcdef0123456789abcdef"


static void
test_create(void)
{
    u_char            *buf;
    size_t             n;
    vb_twilio_call_t   call;

    static const char  whole[] =
        "To=%2B15005550009&From=%2B15005550006&Twiml=%3CResponse%2F%3E"
        "&TimeLimit=4294967295&StatusCallback=https%3A%2F%2Fh%2Fs%3Fa%3D1"
        "&StatusCallbackEvent=initiated&StatusCallbackEvent=ringing"
        "&StatusCallbackEvent=answered&StatusCallbackEvent=completed";
    static const char  options[] =
        "To=&From=&Twiml=&Timeout=600&SendDigits=ww1%23&Record=true"
        "&RecordingChannels=dual&MachineDetection=DetectMessageEnd"
        "&AsyncAmd=true&AsyncAmdStatusCallback=https%3A%2F%2Fh%2F%3Ffax%3D1";
    static const char  least[] = "To=client%3Aa+b&From=%2B15005550006&Twiml=";

    memset(&call, 0, sizeof(call));

    call.to = text("+15005550009");
    call.from = text("+15005550006");
    call.twiml = text("<Response/>");
    call.status_callback = text("https://h/s?a=1");
    call.time_limit = UINT32_MAX;

    n = vb_twilio_call_create(NULL, &call);
    is_int(n, sizeof(whole) - 1, "a create is counted");

    buf = malloc(n);
    is_int(vb_twilio_call_create(buf, &call), n, "and written");
    is_mem(buf, n, whole, sizeof(whole) - 1, "with all that may be in it");
    free(buf);

    call.to = text("client:a b");
    call.twiml = text("");
    call.status_callback = text("");
    call.time_limit = 0;

    n = vb_twilio_call_create(NULL, &call);
    buf = malloc(n);
    is_int(vb_twilio_call_create(buf, &call), n, "another one");
    is_mem(buf, n, least, sizeof(least) - 1, "with what must be in it");
    free(buf);

    memset(&call, 0, sizeof(call));

    call.ring_timeout = 600;
    call.send_digits = text("ww1#");
    call.record = VB_TWILIO_RECORD_DUAL;
    call.detection = VB_TWILIO_DETECTION_END;
    call.machine_callback = text("https://h/?fax=1");

    n = vb_twilio_call_create(NULL, &call);
    buf = malloc(n);
    is_int(vb_twilio_call_create(buf, &call), n, "one with options");
    is_mem(buf, n, options, sizeof(options) - 1, "has all of them");
    free(buf);
}


static void
test_digits(void)
{
    size_t    i;
    vb_str_t  s;

    static const struct {
        const char  *digits;
        int          good;
    } digits[] = {
        { "", 0 }, { "0", 1 }, { "0123456789*#wWAD", 1 }, { "E", 0 },
        { "a", 0 }, { "1 2", 0 }, { "1,", 0 },
        { "12345678901234567890123456789012", 1 },
        { "123456789012345678901234567890123", 0 }
    };

    for (i = 0; i < NELTS(digits); i++) {
        s = text(digits[i].digits);
        is_int(vb_twilio_digits(&s), digits[i].good, "digits \"%s\"",
               digits[i].digits);
    }

    s = text("off");
    is_int(vb_twilio_detection(&s), VB_TWILIO_DETECTION_OFF, "off");
    s = text("start");
    is_int(vb_twilio_detection(&s), VB_TWILIO_DETECTION_START, "start");
    s = text("message_end");
    is_int(vb_twilio_detection(&s), VB_TWILIO_DETECTION_END, "message_end");
    s = text("Enable");
    is_int(vb_twilio_detection(&s), VB_ERROR, "Twilio's own name");
}


static void
test_update(void)
{
    u_char    buf[64];
    size_t    n;
    vb_str_t  twiml;

    twiml = text("");
    n = vb_twilio_call_update(buf, &twiml);
    is_mem(buf, n, "Status=completed", 16, "an end");
    is_int(vb_twilio_call_update(NULL, &twiml), n, "counted");

    twiml = text("<Response/>");
    n = vb_twilio_call_update(buf, &twiml);
    is_mem(buf, n, "Twiml=%3CResponse%2F%3E", 23, "a redirect");
    is_int(vb_twilio_call_update(NULL, &twiml), n, "counted");
}


static const struct {
    const char  *body;
    int          rc;
    const char  *sid;
    const char  *status;
    const char  *to;
    int          code;
    const char  *message;
} answers[] = {
    { "{\"sid\":\"" SID "\",\"status\":\"queued\",\"to\":\"+15005550009\","
      "\"code\":null,\"message\":null}", VB_OK, SID, "queued", "+15005550009",
      0, "" },
    { " { \"to\" : null, \"sid\" : \"" SID "\" } ", VB_OK, SID, "", "", 0, "" },
    { "{\"code\":21211,\"message\":\"The 'To'\\nnumber\",\"status\":400}",
      VB_OK, "", "", "", 21211, "The 'To' number" },
    { "{\"code\":\"20003\"}", VB_OK, "", "", "", 20003, "" },
    { "{\"message\":\"Zo\\u00eb \\ud83d\\ude00 \\u0000\\u009b\\u007f.\"}",
      VB_OK, "", "", "", 0, "Zo\xc3\xab \xf0\x9f\x98\x80    ." },
    { "{\"type\":\"x\",\"title\":\"Bad\",\"status\":400,\"detail\":\"Why\","
      "\"code\":20001}", VB_OK, "", "", "", 20001, "Why" },
    { "{\"title\":\"Bad\"}", VB_OK, "", "", "", 0, "Bad" },
    { "{\"title\":\"Bad\",\"message\":\"Worse\"}", VB_OK, "", "", "", 0,
      "Worse" },
    { "{\"sid\":\"CA\",\"code\":1}", VB_OK, "", "", "", 1, "" },
    { "{\"sid\":\"AC0123456789abcdef0123456789abcdef\"}", VB_ERROR, "", "", "",
      0, "" },
    { "{\"sid\":\"" SID "0\"}", VB_ERROR, "", "", "", 0, "" },
    { "{\"code\":0}", VB_ERROR, "", "", "", 0, "" },
    { "{\"message\":[]}", VB_ERROR, "", "", "", 0, "" },
    { "{\"message\":\"\xff\"}", VB_ERROR, "", "", "", 0, "" },
    { "{\"message\":\"x\"", VB_ERROR, "", "", "", 0, "" },
    { "[]", VB_ERROR, "", "", "", 0, "" },
    { "<html>", VB_ERROR, "", "", "", 0, "" },
    { "", VB_ERROR, "", "", "", 0, "" }
};


static void
test_answer(void)
{
    size_t              i;
    vb_str_t            body;
    vb_twilio_answer_t  a;

    for (i = 0; i < NELTS(answers); i++) {
        body = copy(answers[i].body, strlen(answers[i].body));

        if (is_int(vb_twilio_answer_parse(&a, &body), answers[i].rc,
                   "answer %s", answers[i].body)
            && answers[i].rc == VB_OK)
        {
            is_mem(a.sid.data, a.sid.len, answers[i].sid,
                   strlen(answers[i].sid), "its sid");
            is_mem(a.status.data, a.status.len, answers[i].status,
                   strlen(answers[i].status), "its status");
            is_mem(a.to.data, a.to.len, answers[i].to, strlen(answers[i].to),
                   "its number");
            is_int(a.code, answers[i].code, "its code");
            is_mem(a.message.data, a.message.len, answers[i].message,
                   strlen(answers[i].message), "its message");
        }

        free(body.data);
    }
}


/* strings of a size that nobody expects */

static void
test_long_answer(void)
{
    char                body[20000], *p;
    size_t              i;
    vb_str_t            v;
    vb_twilio_answer_t  a;

    p = body + sprintf(body, "{\"sid\":\"" SID "\",\"status\":\"");

    memset(p, 's', 5000);
    p += 5000;
    p += sprintf(p, "\",\"to\":\"");
    memset(p, 't', 5000);
    p += 5000;
    p += sprintf(p, "\",\"message\":\"");

    for (i = 0; i < 2000; i++) {
        p += sprintf(p, "\xe2\x82\xac");
    }

    p += sprintf(p, "\"}");

    v = copy(body, p - body);

    is_int(vb_twilio_answer_parse(&a, &v), VB_OK, "a long answer");
    is_int(a.sid.len, VB_TWILIO_SID_LENGTH, "has its sid");
    ok(a.status.len == 32 && a.to.len == 64, "and the others, cut");
    ok(a.message.len > 800 && a.message.len % 3 == 0,
       "the message between two characters");
    ok(a.message.data + a.message.len <= a.buf + sizeof(a.buf),
       "and within its room");

    free(v.data);
}


static void
test_e164(void)
{
    size_t    i;
    vb_str_t  s;

    static const struct {
        const char  *number;
        int          good;
    } numbers[] = {
        { "", 0 },
        { "+", 0 },
        { "+1", 0 },
        { "+12", 1 },
        { "+02", 0 },
        { "+123456789012345", 1 },
        { "+1234567890123456", 0 },
        { "14155550123", 0 },
        { "+1415555012a", 0 },
        { "+1415 555-0123", 0 },
        { "+1415555\xd9\xa0\xd9\xa1", 0 },
        { "++14155550123", 0 },
        { "+14155550123\n", 0 }
    };

    for (i = 0; i < NELTS(numbers); i++) {
        s = copy(numbers[i].number, strlen(numbers[i].number));

        is_int(vb_e164(&s), numbers[i].good, "E.164: \"%s\"",
               numbers[i].number);

        free(s.data);
    }
}


static void
test_urls(void)
{
    size_t    i, n;
    u_char    buf[256];
    vb_str_t  base, account, sid;

    static const struct {
        const char  *account;
        const char  *sid;
        const char  *url;
    } urls[] = {
        { "AC01", "", "http://h/p/2010-04-01/Accounts/AC01/Calls.json" },
        { "AC01", "CA02",
          "http://h/p/2010-04-01/Accounts/AC01/Calls/CA02.json" },
        { "zZ9-._~", "CA02",
          "http://h/p/2010-04-01/Accounts/zZ9-._~/Calls/CA02.json" },
        { "%/ ?\n\xff@[`{", "", "http://h/p/2010-04-01/Accounts/"
          "%25%2F%20%3F%0A%FF%40%5B%60%7B/Calls.json" },
        { "", "", "http://h/p/2010-04-01/Accounts//Calls.json" }
    };

    base = text("http://h/p");

    for (i = 0; i < NELTS(urls); i++) {
        account = text(urls[i].account);
        sid = text(urls[i].sid);

        n = vb_twilio_calls_url(NULL, &base, &account, &sid);
        is_int(n, strlen(urls[i].url), "length of %s", urls[i].url);

        n = vb_twilio_calls_url(buf, &base, &account, &sid);
        is_mem(buf, n, urls[i].url, strlen(urls[i].url), "%s", urls[i].url);
    }
}


static void
test_sids(void)
{
    size_t    i;
    vb_str_t  s;

    s = copy(SID, VB_TWILIO_SID_LENGTH);

    ok(vb_twilio_sid(&s, "CA"), "a SID");
    ok(!vb_twilio_sid(&s, "MZ"), "of something else");

    for (i = 0; i < VB_TWILIO_SID_LENGTH; i++) {
        s.data[i] ^= 0x40;
        ok(!vb_twilio_sid(&s, "CA"), "character %zu is wrong", i);
        s.data[i] ^= 0x40;
    }

    s.len--;
    ok(!vb_twilio_sid(&s, "CA"), "too short");

    free(s.data);

    s = text("CA0123456789ABCDEF0123456789abcdef");
    ok(vb_twilio_sid(&s, "CA"), "capital digits");

    s = text("");
    ok(!vb_twilio_sid(&s, "CA"), "an empty one");
}


int
main(void)
{
    test_create();
    test_digits();
    test_update();
    test_answer();
    test_long_answer();
    test_e164();
    test_urls();
    test_sids();

    return done_testing();
}
