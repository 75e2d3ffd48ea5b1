
/* TwiML: read back by a reader of its own, whatever went in */


#include <tap.h>
#include <text.h>
#include <twiml_reader.h>
#include <vb_twiml.h>


static struct {
    const char  *plain;
    size_t       len;
    const char  *escaped;
} escapes[] = {
    { "", 0, "" },
    { "abc", 3, "abc" },
    { "&<>\"'", 5, "&amp;&lt;&gt;&quot;&#39;" },
    { "&amp;", 5, "&amp;amp;" },
    { "a\tb\nc\rd", 7, "a&#9;b&#10;c&#13;d" },
    { "a\0b\x01\x08\x0b\x1f\x7f", 8, "ab\x7f" },
    { "\xc2\x80\xd7\x90\xe2\x82\xac\xf0\x9f\x98\x80", 11,
      "\xc2\x80\xd7\x90\xe2\x82\xac\xf0\x9f\x98\x80" },
    { "\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbd\xf4\x8f\xbf\xbf", 13,
      "\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbd\xf4\x8f\xbf\xbf" },
    { "a\xef\xbf\xbe" "b\xef\xbf\xbf" "c", 9, "abc" },
    { "\xed\xa0\x80" "a\xc0\x80" "b\xf4\x90\x80\x80" "c\xff", 13, "abc" },
    { "\x80" "a\xc3", 3, "a" },
    { "\xe2\x82", 2, "" },
    { "\xe2\x82&", 3, "&amp;" }
};


static void
test_escape(void)
{
    size_t    i, n;
    u_char   *buf;
    vb_str_t  s;

    for (i = 0; i < NELTS(escapes); i++) {
        s = copy(escapes[i].plain, escapes[i].len);

        n = vb_xml_escape(NULL, s.data, s.len);
        buf = malloc(n ? n : 1);

        is_int(vb_xml_escape(buf, s.data, s.len), n, "escape %zu", i);
        is_mem(buf, n, escapes[i].escaped, strlen(escapes[i].escaped),
               "as %s", escapes[i].escaped);

        free(buf);
        free(s.data);
    }
}


static void
test_document(void)
{
    u_char                buf[4096];
    ssize_t               n;
    vb_twiml_stream_t     s;
    vb_twiml_parameter_t  p[] = {
        { vb_str("agent_id"), vb_str("a & b <\"'>\x01\t\n") },
        { vb_str("nothing"), vb_str("") },
        { vb_str("name"), vb_str("Zo\xc3\xab") }
    };

    static const char  whole[] =
        TWIML_DECLARATION "<Response><Connect>"
        "<Stream url=\"wss://gw.example.com/m\" "
        "statusCallback=\"https://gw.example.com/s?a=1&amp;b=2\">"
        "<Parameter name=\"agent_id\" "
        "value=\"a &amp; b &lt;&quot;&#39;&gt;&#9;&#10;\"/>"
        "<Parameter name=\"name\" value=\"Zo\xc3\xab\"/>"
        "</Stream></Connect></Response>";
    static const char  least[] =
        TWIML_DECLARATION "<Response><Connect><Stream url=\"wss://h/\">"
        "</Stream></Connect></Response>";

    s.url = text("wss://gw.example.com/m");
    s.status_callback = text("https://gw.example.com/s?a=1&b=2");
    s.parameters = p;
    s.n = NELTS(p);

    n = vb_twiml_stream(buf, sizeof(buf), &s);
    is_mem(buf, n, whole, sizeof(whole) - 1, "a document");

    is_int(vb_twiml_stream(NULL, sizeof(buf), &s), n, "counted alike");
    is_int(vb_twiml_stream(NULL, n, &s), n, "it fits exactly");
    is_int(vb_twiml_stream(NULL, n - 1, &s), VB_ERROR, "but not a byte less");

    memset(buf, 'x', sizeof(buf));
    is_int(vb_twiml_stream(buf, n, &s), n, "written exactly");
    is_mem(buf, n, whole, sizeof(whole) - 1, "and the same");
    is_int(buf[n], 'x', "nothing behind it");

    memset(buf, 'x', sizeof(buf));
    is_int(vb_twiml_stream(buf, n - 1, &s), VB_ERROR, "a byte too little");
    is_int(buf[n - 1], 'x', "nothing behind that");

    s.url = text("wss://h/");
    s.status_callback = text("");
    s.n = 0;

    n = vb_twiml_stream(buf, sizeof(buf), &s);
    is_mem(buf, n, least, sizeof(least) - 1, "without all that may be away");
}


/* characters of every length, and those that XML has to escape */

static size_t
any_text(u_char *dst, size_t size)
{
    size_t              n;
    const char         *c;

    static const char  *characters[] = { "a", "<", "\"", "&", "\n", "\xc3\xab",
                                         "\xe2\x82\xac", "\xf0\x9f\x98\x80" };

    n = 0;

    for ( ;; ) {
        c = characters[any(NELTS(characters))];

        if (n + strlen(c) > size) {
            return n;
        }

        memcpy(dst + n, c, strlen(c));
        n += strlen(c);
    }
}


/* what is cut comes together again, and no piece is too long */

static void
test_cut(void)
{
    int                    good;
    char                   name[32];
    u_char                *buf, value[8192], joined[8192];
    size_t                 i, k, n, size;
    ssize_t                len;
    vb_str_t               piece;
    twiml_found_t         *found;
    vb_twiml_stream_t      s;
    vb_twiml_parameter_t   parameter;

    found = malloc(sizeof(twiml_found_t));

    for (i = 0; i < 200; i++) {
        size = (i < 64) ? 450 + i : any(sizeof(value));
        n = any_text(value, size);

        parameter.name = text("dynamic_variables");
        parameter.value = copy(value, n);

        s.url = text("wss://h/");
        s.status_callback = text("");
        s.parameters = &parameter;
        s.n = 1;

        len = vb_twiml_stream(NULL, 65536, &s);
        buf = malloc(len + 1);
        is_int(vb_twiml_stream(buf, len, &s), len, "%zu bytes written", n);
        buf[len] = '\0';

        good = twiml_read(found, buf);
        n = 0;

        for (k = 0; good && k < found->n; k++) {
            sprintf(name, k ? "dynamic_variables_%zu" : "dynamic_variables",
                    k + 1);

            piece = text(name);

            good = strcmp(found->names[k], name) == 0
                   && vb_twiml_piece(&piece, "dynamic_variables") == k + 1
                   && strlen(name) + found->lens[k] < VB_TWIML_MAX_PARAMETER
                   && (found->values[k][0] & 0xc0) != 0x80;

            /* and none is shorter than it has to be */

            if (k + 1 < found->n) {
                good &= strlen(name) + found->lens[k]
                        > VB_TWIML_MAX_PARAMETER - 1 - 4;
            }

            memcpy(joined + n, found->values[k], found->lens[k]);
            n += found->lens[k];
        }

        ok(good, "pieces of a right size");
        is_mem(joined, n, parameter.value.data, parameter.value.len,
               "that are the whole");

        free(buf);
        free(parameter.value.data);
    }

    free(found);
}


/* bytes that are no text at all: a document comes out, or none */

static void
test_bytes(void)
{
    int                    good;
    u_char                *buf, value[1500];
    size_t                 i, k, n;
    ssize_t                len;
    twiml_found_t         *found;
    vb_twiml_stream_t      s;
    vb_twiml_parameter_t   parameter;

    found = malloc(sizeof(twiml_found_t));
    good = 1;

    for (i = 0; i < 500; i++) {
        n = any(sizeof(value));

        for (k = 0; k < n; k++) {
            value[k] = (u_char) (any(4) ? 0x80 + any(128) : any(256));
        }

        parameter.name = text("x");
        parameter.value = copy(value, n);

        s.url = text("wss://h/");
        s.status_callback = text("");
        s.parameters = &parameter;
        s.n = 1;

        len = vb_twiml_stream(NULL, 65536, &s);
        buf = malloc(len + 1);
        good &= (vb_twiml_stream(buf, len, &s) == len);
        buf[len] = '\0';

        good &= twiml_read(found, buf);

        free(buf);
        free(parameter.value.data);
    }

    ok(good, "a document whatever the value is");

    free(found);
}


static void
test_names(void)
{
    char                  name[600];
    u_char                buf[8192];
    ssize_t               len;
    vb_twiml_stream_t     s;
    vb_twiml_parameter_t  parameter;

    memset(name, 'n', sizeof(name));

    s.url = text("wss://h/");
    s.status_callback = text("");
    s.parameters = &parameter;
    s.n = 1;

    parameter.value = text("x");
    parameter.name.data = (u_char *) name;

    parameter.name.len = 495;
    len = vb_twiml_stream(buf, sizeof(buf), &s);
    ok(len > 0, "a name that leaves room for a character");

    parameter.name.len = 496;
    is_int(vb_twiml_stream(buf, sizeof(buf), &s), VB_ERROR,
           "one that does not");

    parameter.name.len = 600;
    is_int(vb_twiml_stream(buf, sizeof(buf), &s), VB_ERROR,
           "one that is too long itself");

    parameter.value = text("");
    ok(vb_twiml_stream(buf, sizeof(buf), &s) > 0, "which needs a value");
}


static const struct {
    const char  *name;
    unsigned     piece;
} pieces[] = {
    { "vars", 1 },
    { "vars_2", 2 },
    { "vars_3", 3 },
    { "vars_10", 10 },
    { "vars_9999", 9999 },
    { "vars_10000", 0 },
    { "vars_99999999999999999999", 0 },
    { "vars_1", 0 },
    { "vars_0", 0 },
    { "vars_02", 0 },
    { "vars_", 0 },
    { "vars_x", 0 },
    { "vars_2x", 0 },
    { "vars_-2", 0 },
    { "vars2", 0 },
    { "var", 0 },
    { "Vars", 0 },
    { "", 0 }
};


static void
test_pieces(void)
{
    size_t    i;
    vb_str_t  name;

    for (i = 0; i < NELTS(pieces); i++) {
        name = copy(pieces[i].name, strlen(pieces[i].name));

        is_int(vb_twiml_piece(&name, "vars"), pieces[i].piece,
               "\"%s\" of vars", pieces[i].name);

        free(name.data);
    }
}


static const struct {
    const char  *verbs;
    const char  *document;
} verbs[] = {
    { "<Say>Sorry</Say>", "<Response><Say>Sorry</Say></Response>" },
    { " \t\r\n<Hangup/>\n", "<Response><Hangup/>\n</Response>" },
    { "", "<Response></Response>" },
    { "<Say>a &amp; b\x01</Say>", "<Response><Say>a &amp; b</Say></Response>" },
    { "<Say>Zo\xc3\xab \xff</Say>",
      "<Response><Say>Zo\xc3\xab </Say></Response>" },
    { "<Response><Hangup/></Response>", "<Response><Hangup/></Response>" },
    { "<Response/>", "<Response/>" },
    { "<Response >x</Response>", "<Response >x</Response>" },
    { " " TWIML_DECLARATION "<Response/>", TWIML_DECLARATION "<Response/>" },
    { "<Responses/>", "<Response><Responses/></Response>" },
    { "<Response", "<Response><Response</Response>" },
    { "<?xml", "<Response><?xml</Response>" }
};


static void
test_verbs(void)
{
    u_char    buf[256];
    size_t    i;
    ssize_t   n;
    vb_str_t  s;

    for (i = 0; i < NELTS(verbs); i++) {
        s = copy(verbs[i].verbs, strlen(verbs[i].verbs));

        n = vb_twiml_verbs(buf, sizeof(buf), &s);
        is_mem(buf, n, verbs[i].document, strlen(verbs[i].document), "%s",
               verbs[i].document);

        is_int(vb_twiml_verbs(NULL, n, &s), n, "counted");
        is_int(vb_twiml_verbs(buf, n - 1, &s), VB_ERROR, "a byte too little");

        free(s.data);
    }
}


int
main(void)
{
    test_escape();
    test_document();
    test_cut();
    test_bytes();
    test_names();
    test_pieces();
    test_verbs();

    return done_testing();
}
