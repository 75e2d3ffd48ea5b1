
/* vb_journal_read: what a run before has left, and what is none of ours */


#include <tap.h>
#include <text.h>
#include <vb_journal_read.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>


#define HEAD   "{\"journal\": \"0123456789abcdef0123456789abcdef\", "          \
               "\"version\": 1}\n"

#define CHAIN  ", \"chain\": \"0123456789abcdef\""


static off_t
read_journal(vb_journal_t *j, const char *bytes)
{
    off_t   end;
    size_t  len;

    len = strlen(bytes);
    memset(j, 0, sizeof(vb_journal_t));

    j->name = "journal";
    j->next = 1;
    j->fd = memfd_create(j->name, 0);

    if (write(j->fd, bytes, len) != (ssize_t) len
        || lseek(j->fd, 0, SEEK_SET) != 0)
    {
        exit(1);
    }

    end = vb_journal_read(j);

    close(j->fd);

    return end;
}


static void
test_rows(void)
{
    off_t          end;
    vb_journal_t   j;

    static const char  rows[] = HEAD
        "{\"row\": 1, \"event\": \"intent\"" CHAIN ", \"attempt\": 2, "
        "\"at\": \"2026-03-29T00:30:01.250Z\"}\n"
        "{\"row\": 2, \"event\": \"result\"" CHAIN ", \"outcome\": "
        "\"completed\", \"ms\": 1500}\n"
        "{\"row\": 3, \"event\": \"wait\"" CHAIN ", "
        "\"until\": \"2026-03-29T08:00:00.000Z\"}\n"
        "{\"row\": 1, \"event\": \"placed\", \"call_sid\": \"CA1\"}\n";

    end = read_journal(&j, rows);

    is_int(end, sizeof(rows) - 1, "all of it");
    is_int(j.next, 4, "three rows");
    is_int(j.nrows, 2, "two of them are not done");
    is_int(j.outcomes[VB_OUTCOME_COMPLETED], 1, "one is");
    is_int(j.duration, 1500, "its duration");
    is_int(j.rows[0].state, VB_ROW_PLACED, "there is a call");
    ok(strcmp(j.rows[0].call_sid, "CA1") == 0, "which has a SID");
    is_int(j.rows[1].state, VB_ROW_WAITS, "another row waits");
    free(j.rows);

    is_int(read_journal(&j, HEAD "{\"row\": 1, \"ev"), sizeof(HEAD) - 1,
           "a record that was cut");
    free(j.rows);

    is_int(read_journal(&j, "{\"jou"), 0, "a head that was");
    is_int(read_journal(&j, ""), 0, "nothing");
}


static void
test_bad(void)
{
    size_t        i;
    vb_journal_t  j;

    static const char  *bad[] = {
        "a,b\n",
        "{\"journal\": \"0123\", \"version\": 1}\n",
        "{\"journal\": \"0123456789abcdef0123456789abcdef\"}\n",
        "{\"journal\": \"0123456789abcdef01234567\\u0000ab\", "
        "\"version\": 1}\n",
        "{\"journal\": \"0123456789abcdef0123456789abcde/\", "
        "\"version\": 1}\n",
        HEAD HEAD,
        HEAD "\n",
        HEAD "{\"row\": 2, \"event\": \"wait\"" CHAIN ", "
        "\"until\": \"2026-03-29T08:00:00Z\"}\n",
        HEAD "{\"row\": 1, \"event\": \"wait\", "
        "\"until\": \"2026-03-29T08:00:00Z\"}\n",
        HEAD "{\"row\": 1, \"event\": \"wait\"" CHAIN ", \"until\": \"x\"}\n",
        HEAD "{\"row\": 1, \"event\": \"result\"" CHAIN "}\n",
        HEAD "{\"row\": 1, \"event\": \"result\"" CHAIN ", \"outcome\": "
        "\"completed\", \"ms\": -1}\n",
        HEAD "{\"row\": 1, \"event\": \"result\"" CHAIN ", \"outcome\": "
        "\"completed\", \"ms\": 9223372036854775807}\n",
        HEAD "{\"row\": 1, \"event\": \"placed\"" CHAIN ", \"call_sid\": "
        "\"CA01234567890123456789012345678901234\"}\n"
    };

    for (i = 0; i < NELTS(bad); i++) {
        is_int(read_journal(&j, bad[i]), VB_ERROR, "%zu: %s", i, j.error);
        ok(j.error[0], "it says so");
        free(j.rows);
    }
}


int
main(void)
{
    test_rows();
    test_bad();

    return done_testing();
}
