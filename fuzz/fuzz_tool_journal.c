
/*
 * A journal with any bytes in it: what was read of it can be gone on with, and
 * its whole records read once more tell the same.
 */


#include <vb_journal_read.h>

#include <ctype.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>


#define check(cond)  do { if (!(cond)) { abort(); } } while (0)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static off_t
read_journal(vb_journal_t *j, const uint8_t *data, size_t size)
{
    off_t  end;

    memset(j, 0, sizeof(vb_journal_t));

    j->name = "journal";
    j->next = 1;
    j->fd = memfd_create(j->name, 0);

    check(j->fd != -1 && write(j->fd, data, size) == (ssize_t) size);
    check(lseek(j->fd, 0, SEEK_SET) == 0);

    end = vb_journal_read(j);

    close(j->fd);

    return end;
}


static void
check_journal(vb_journal_t *j)
{
    size_t             i;
    vb_journal_row_t  *row;

    /* it becomes a part of headers and of URLs */

    for (i = 0; i < sizeof(j->id) - 1; i++) {
        check(isxdigit((u_char) j->id[i]));
    }

    check(j->id[i] == '\0');
    check(j->duration >= 0 && j->ndone == 0);

    for (i = 0; i < j->nrows; i++) {
        row = &j->rows[i];

        check(row->number >= (i ? row[-1].number + 1 : 1)
              && row->number < j->next);
        check(row->state != VB_ROW_DONE && row->at != VB_ERROR);
        check(memchr(row->call_sid, '\0', sizeof(row->call_sid)) != NULL);
        check(vb_journal_find(j, row->number) == row);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    off_t         end;
    vb_journal_t  one, other;

    end = read_journal(&one, data, size);

    if (end == VB_ERROR) {
        check(one.error[0]);
        free(one.rows);
        return 0;
    }

    check(end >= 0 && (size_t) end <= size);

    if (end) {
        check(data[end - 1] == '\n');
        check_journal(&one);
    }

    check(read_journal(&other, data, end) == end);

    check(one.next == other.next && one.chain == other.chain
          && one.nrows == other.nrows && one.calls == other.calls
          && one.duration == other.duration && one.retries == other.retries);
    check(memcmp(one.outcomes, other.outcomes, sizeof(one.outcomes)) == 0);

    free(one.rows);
    free(other.rows);

    return 0;
}
