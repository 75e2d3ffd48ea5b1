
/* Phone numbers in logs, and what terminals must not be told */


#include <tap.h>
#include <text.h>
#include <vb_mask.h>
#include <vb_utf8.h>


static const struct {
    const char  *text;
    const char  *masked;
} numbers[] = {
    { "", "" },
    { "+", "+" },
    { "+12", "+12" },
    { "0123", "0123" },
    { "+123456789012345", "+***********2345" },
    { "+1234567890123456", "+************3456" },
    { "14155550123", "*******0123" },
    { "+1415555012a", "+1**********" },
    { "+1415 555-0123", "+**** ***-0123" },
    { "+1 (415) 555.0123", "+* (***) ***.0123" },
    { "+1415555\xd9\xa0\xd9\xa1", "+1**********" },
    { "++14155550123", "++*******0123" },
    { "+14155550123\n", "+1***********" },
    { "client:alice", "cl**********" },
    { "sip:+14155550123@h", "si****************" },
    { "anonymous", "an*******" },
    { "\xc3\xab\xc3\xab", "****" },
    { "a\x01z", "a**" },
    { "x", "x" }
};


/* NULL: nothing is masked */

static const struct {
    const char  *text;
    const char  *masked;
} words[] = {

    /* one word */

    { "", NULL },
    { "1234567", "***4567" },
    { "123456", NULL },
    { "The number +15005550009 is not valid.",
      "The number +*******0009 is not valid." },
    { "+15005550006+15005550009", "+*******0006+*******0009" },
    { "\xc3\xab" "15005550009\n", "\xc3\xab" "*******0009\n" },
    { "15005550009, 15005550006", "*******0009, *******0006" },
    { "(15005550009)", "(*******0009)" },
    { "tel:+15005550009;ext=1", "tel:+*******0009;ext=1" },

    /* as people write them */

    { "+1 (500) 555-0006", "+* (***) ***-0006" },
    { "+1-500-555-0006", "+*-***-***-0006" },
    { "+1 500 555 0006", "+* *** *** 0006" },
    { "+1.500.555.0006", "+*.***.***.0006" },
    { "+1(500)555-0006", "+*(***)***-0006" },
    { "(500) 555-0006", "(***) ***-0006" },
    { "(500)5550006", "(***)***0006" },
    { "500-555-0006", "***-***-0006" },
    { "500.555.0006", "***.***.0006" },
    { "500 555 0006", "*** *** 0006" },
    { "1-800-555-0006", "*-***-***-0006" },
    { "555-0006", "***-0006" },
    { "+44 (0)20 7946 0958", "+** (*)** **** 0958" },
    { "020 7946 0958", "*** **** 0958" },
    { "+49 30 12345678", "+** ** ****5678" },
    { "+49 30 1234567-89", "+** ** ***4567-89" },
    { "0171 1234567", "**** ***4567" },
    { "0171-1234567", "****-***4567" },
    { "+33 6 12 34 56 78", "+** * ** ** 56 78" },
    { "06.12.34.56.78", "**.**.**.56.78" },
    { "+91 98765 43210", "+** ***** *3210" },
    { "98765 43210", "***** *3210" },
    { "+1 5005550006", "+* ******0006" },
    { "To +1 (500) 555-0006 from (500) 555-0009: blocked (21610)",
      "To +* (***) ***-0006 from (***) ***-0009: blocked (21610)" },
    { "\"500-555-0006\"", "\"***-***-0006\"" },
    { "500-555-0006.", "***-***-0006." },
    { "number 500-555-0006: busy", "number ***-***-0006: busy" },
    { "+15005550006 21211", "+*******0006 21211" },
    { "error 21211 15005550006", "error 21211 *******0006" },
    { "code 21211 +15005550006", "code 21211 +*******0006" },
    { "+1 500 555 0006 (21211)", "+* *** *** 0006 (21211)" },

    /* what one looks for */

    { "CA01234567890123456789012345678901 of a15005550009", NULL },
    { "01234567-0123-4567", NULL },
    { "12345678-1234-4234-8234-1234567890ab", NULL },
    { "01234567-89ab-4def-8123-012345678901", NULL },
    { "order-500-555-0006", NULL },

    /* moments and durations */

    { "2026-11-26", NULL },
    { "2026-11-26 14:30:00", NULL },
    { "2026-11-26T14:30:00.123Z", NULL },
    { "2026-11-26 14:30:00 +0000 2026", NULL },
    { "26.11.2026 14:30", NULL },
    { "26-11-2026", NULL },
    { "11-26-2026 14", NULL },
    { "Thu, 26 Nov 2026 13:52:51 +0000", NULL },
    { "day 5 2026-11-26", NULL },
    { "12345.678 s", NULL },
    { "3600.000", NULL },
    { "120000ms", NULL },
    { "1 234 567 ms", NULL },

    /* codes, ports, addresses, versions */

    { "Error 21211 (400)", NULL },
    { "status 400: 21211", NULL },
    { "HTTP 429 (20429)", NULL },
    { "31920 31921 31922", NULL },
    { "127.0.0.1:8080", NULL },
    { "192.168.100.200", NULL },
    { "192.168.100.200 port 5061", NULL },
    { "localhost:8443 8080", NULL },
    { "10.0.0.1 8080 443", NULL },
    { "Chrome/128.0.6613.84", NULL },
    { "10.0.19045", NULL },
    { "1008 1011", NULL },
    { "-", NULL },
    { "+", NULL },
    { "(", NULL },
    { "+(", NULL },
    { "(((1", NULL },
    { "1 (", NULL },
    { "1 (2", NULL },
    { "1 (2)", NULL },
    { "1 (2) ", NULL }
};


static void
test_plain(void)
{
    size_t    i;
    vb_str_t  s;

    static const struct {
        const char  *text;
        const char  *plain;
    } texts[] = {
        { "", "" },
        { "Zo\xc3\xab\n\x7f", "Zo\xc3\xab  " },
        { "\xc2\x9b" "31m", "  31m" },
        { "\xc2\xa0\x1b", "\xc2\xa0 " },
        { "\xc2", "\xc2" },
        { "\xc2\n", "\xc2 " }
    };

    for (i = 0; i < NELTS(texts); i++) {
        s = copy(texts[i].text, strlen(texts[i].text));

        vb_utf8_plain(s.data, s.len);
        is_mem(s.data, s.len, texts[i].plain, strlen(texts[i].plain),
               "plain: %s", texts[i].plain);

        free(s.data);
    }
}


static void
test_numbers(void)
{
    u_char    *masked;
    size_t     i, n;
    vb_str_t   s;

    for (i = 0; i < NELTS(numbers); i++) {
        s = copy(numbers[i].text, strlen(numbers[i].text));

        masked = malloc(s.len ? s.len : 1);
        n = vb_mask_number(masked, &s);
        is_mem(masked, n, numbers[i].masked, strlen(numbers[i].masked),
               "masked: %s", numbers[i].masked);

        free(masked);
        free(s.data);
    }
}


static void
test_words(void)
{
    size_t       i;
    vb_str_t     s;
    const char  *masked;

    for (i = 0; i < NELTS(words); i++) {
        s = copy(words[i].text, strlen(words[i].text));
        masked = words[i].masked ? words[i].masked : words[i].text;

        vb_mask_numbers(s.data, s.len);
        is_mem(s.data, s.len, masked, strlen(masked), "\"%s\"", masked);

        free(s.data);
    }
}


/* whatever there is, but for digits nothing changes, and a plus is no secret */

static void
test_anything(void)
{
    size_t    i, k, changed;
    vb_str_t  s, before;

    static const char  letters[] = "0123456789009911+-.() :a\n";

    changed = 0;

    for (i = 0; i < 200000; i++) {
        s = copy(letters, any(24));

        for (k = 0; k < s.len; k++) {
            s.data[k] = letters[any(sizeof(letters) - 1)];
        }

        before = copy(s.data, s.len);

        vb_mask_numbers(s.data, s.len);

        for (k = 0; k < s.len; k++) {
            changed += s.data[k] != before.data[k]
                       && (s.data[k] != '*' || before.data[k] < '0'
                           || before.data[k] > '9');
        }

        free(before.data);
        free(s.data);
    }

    is_int(changed, 0, "nothing but digits changes");

    vb_mask_numbers(NULL, 0);
    ok(1, "nor what is not there");
}


int
main(void)
{
    test_numbers();
    test_words();
    test_anything();
    test_plain();

    return done_testing();
}
