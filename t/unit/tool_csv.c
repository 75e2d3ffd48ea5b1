
/* vb_csv: RFC 4180 as it is met, also in pieces of any size */


#include <tap.h>
#include <vb_csv.h>
#include <vb_numbers.h>
#include <vb_rows.h>

#include <fcntl.h>
#include <unistd.h>


/* a record as [a|b], one after the other; at the end the error, if any */

static void
show(vb_text_t *out, vb_csv_t *csv)
{
    int     rc;
    size_t  i;

    while ((rc = vb_csv_read(csv)) == VB_OK) {

        vb_text_puts(out, "[");

        for (i = 0; i < csv->nfields; i++) {
            vb_text_add(out, i ? "|" : "", i ? 1 : 0);
            vb_text_add(out, csv->fields[i].data, csv->fields[i].len);
        }

        vb_text_puts(out, "]");
    }

    if (rc == VB_ERROR) {
        vb_text_printf(out, "!%d", (int) csv->line);
    }
}


static void
is_csv(const char *text, size_t len, const char *expected)
{
    vb_csv_t    csv;
    vb_text_t   out;
    vb_input_t  in;

    memset(&out, 0, sizeof(vb_text_t));

    vb_input_memory(&in, (u_char *) text, len);
    vb_csv_init(&csv, &in, ',');
    show(&out, &csv);

    is_mem(out.data ? out.data : (u_char *) "", out.len, expected,
           strlen(expected), "%s", expected);

    vb_csv_free(&csv);
    vb_text_free(&out);
}

#define csv(text, expected)  is_csv(text, sizeof(text) - 1, expected)


static void
test_records(void)
{
    csv("", "");
    csv("\n\r\n\r", "");
    csv("a,b\nc,d\n", "[a|b][c|d]");
    csv("a,b\r\nc,d", "[a|b][c|d]");
    csv("a,b\rc,d\r", "[a|b][c|d]");
    csv("\xef\xbb\xbf" "a,b\n", "[a|b]");
    csv("a,\n,b\n,\n", "[a|][|b][|]");
    csv("a,", "[a|]");
    csv("\"a\",\"b,c\"\n", "[a|b,c]");
    csv("\"a\"\"b\",\"\"\"\"\n", "[a\"b|\"]");
    csv("\"a\r\nb\",c\n", "[a\r\nb|c]");
    csv("a\"b,c\n", "[a\"b|c]");
    csv("\"\",\"\"", "[|]");
    csv(" a , b \n", "[ a | b ]");
    csv("a\n\n\nb", "[a][b]");

    csv("a\n\"b", "[a]!2");
    csv("a\n\"b\"c\n", "[a]!2");
    csv("a,\"b\nc\"\n\"d\"e", "[a|b\nc]!3");
    csv("a\n\"b\" ,c", "[a]!2");
    csv("a\0b", "!1");
    csv("\xff\xfe" "a\0", "!1");
    csv("\xef" "a", "!1");
}


/* bytes that come one at a time over a pipe are the same */

static void
test_pieces(void)
{
    int         fd[2];
    size_t      i;
    vb_csv_t    csv;
    vb_text_t   out;
    vb_input_t  in;

    static const char  text[] = "\xef\xbb\xbf" "a,\"b\"\"\r\n\"\r\nc,d\r\n";

    memset(&out, 0, sizeof(vb_text_t));
    memset(&in, 0, sizeof(vb_input_t));

    if (pipe(fd) != 0) {
        ok(0, "a pipe");
        return;
    }

    if (fork() == 0) {
        for (i = 0; i < sizeof(text) - 1; i++) {
            if (write(fd[1], text + i, 1) != 1) {
                _exit(1);
            }
        }

        _exit(0);
    }

    close(fd[1]);

    in.fd = fd[0];
    in.start = vb_alloc(VB_INPUT_BUFFER);

    vb_csv_init(&csv, &in, ',');
    show(&out, &csv);

    is_mem(out.data, out.len, "[a|b\"\r\n][c|d]", 13, "byte by byte");
    is_int(vb_input_offset(&in), sizeof(text) - 1, "all were taken");

    vb_csv_free(&csv);
    vb_text_free(&out);
    vb_input_close(&in);
}


static void
test_limits(void)
{
    size_t      n;
    vb_csv_t    csv;
    vb_text_t   text;
    vb_input_t  in;

    memset(&text, 0, sizeof(vb_text_t));

    for (n = 0; n < VB_CSV_MAX_FIELDS - 1; n++) {
        vb_text_puts(&text, ",");
    }

    vb_input_memory(&in, text.data, text.len);
    vb_csv_init(&csv, &in, ',');
    is_int(vb_csv_read(&csv), VB_OK, "as many fields as may be");
    is_int(csv.nfields, VB_CSV_MAX_FIELDS, "all of them");
    vb_csv_free(&csv);

    vb_text_puts(&text, ",");
    vb_input_memory(&in, text.data, text.len);
    vb_csv_init(&csv, &in, ',');
    is_int(vb_csv_read(&csv), VB_ERROR, "one more");
    vb_csv_free(&csv);

    vb_text_reset(&text);
    vb_text_puts(&text, "\"");

    for (n = 0; n < VB_CSV_MAX_RECORD; n += 64) {
        vb_text_add(&text, "0123456789abcdef0123456789abcdef"
                           "0123456789abcdef0123456789abcdef", 64);
    }

    vb_text_puts(&text, "x");
    vb_input_memory(&in, text.data, text.len);
    vb_csv_init(&csv, &in, ',');
    is_int(vb_csv_read(&csv), VB_ERROR, "a record that is too long");
    ok(strstr(csv.error, "megabyte"), "is told");
    vb_csv_free(&csv);
    vb_text_free(&text);
}


static void
test_numbers(void)
{
    size_t        i;
    u_char        number[24];
    vb_text_t     text;
    vb_numbers_t  set;

    static const struct {
        const char  *written;
        const char  *number;
    } written[] = {
        { "+14155550123", "+14155550123" },
        { " +1 (415) 555-0123 ", "+14155550123" },
        { "+49\302\24030/12.34", "+49301234" },
        { "14155550123", NULL }, { "+", NULL }, { "", NULL }, { "+1", NULL },
        { "+04155550123", NULL }, { "+1415555012x", NULL },
        { "+1234567890123456", NULL }, { "++4915", NULL }
    };

    memset(&text, 0, sizeof(vb_text_t));
    memset(&set, 0, sizeof(vb_numbers_t));

    for (i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
        vb_str_t  w = { strlen(written[i].written),
                        (u_char *) written[i].written };

        vb_text_reset(&text);
        is_int(vb_rows_number(&text, &w),
               written[i].number ? VB_OK : VB_DECLINED, "\"%s\"",
               written[i].written);

        if (written[i].number) {
            is_mem(text.data, text.len, written[i].number,
                   strlen(written[i].number), "is %s", written[i].number);
        }
    }

    ok(!vb_numbers_has(&set, (u_char *) "+14155550123"), "an empty set");

    for (i = 0; i < 20000; i++) {
        snprintf((char *) number, sizeof(number), "+4915%09zu", i * 7919);

        if (vb_numbers_add(&set, number) != VB_OK) {
            break;
        }
    }

    is_int(i, 20000, "all are new");

    for (i = 0; i < 20000; i++) {
        snprintf((char *) number, sizeof(number), "+4915%09zu", i * 7919);

        if (!vb_numbers_has(&set, number)
            || vb_numbers_add(&set, number) != VB_DECLINED)
        {
            break;
        }
    }

    is_int(i, 20000, "and all are there");
    ok(!vb_numbers_has(&set, (u_char *) "+4915000000001"), "others are not");

    free(set.slots);
    vb_text_free(&text);
}


int
main(void)
{
    test_records();
    test_pieces();
    test_limits();
    test_numbers();

    return done_testing();
}
