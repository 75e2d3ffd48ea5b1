
/* The journal's file: records out, in one write each time, and on the disk */


#include <vb_journal.h>
#include <vb_journal_read.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>


static int vb_journal_create(vb_journal_t *j, const char *input);
static void vb_journal_sync_directory(const char *name);
static void vb_journal_begin(vb_journal_t *j, uint64_t row, uint64_t chain,
    const char *event);
static void vb_journal_end(vb_journal_t *j);
static void vb_journal_die(vb_journal_t *j);


#define vb_journal_failed(j, what)                                            \
    (snprintf((j)->error, sizeof((j)->error), "%s: %s", (j)->name, what),     \
     VB_ERROR)


int
vb_journal_open(vb_journal_t *j, const char *name, const char *input)
{
    off_t        end;
    struct stat  st;

    memset(j, 0, sizeof(vb_journal_t));

    j->name = name;
    j->next = 1;

    /* numbers of telephones are not in it, but calls are */

    j->fd = open(name, O_RDWR|O_CREAT|O_CLOEXEC, 0600);

    if (j->fd == -1) {
        snprintf(j->error, sizeof(j->error), "%s: %s; --journal FILE has it "
                 "elsewhere", j->name, strerror(errno));
        return VB_ERROR;
    }

    if (flock(j->fd, LOCK_EX|LOCK_NB) == -1) {
        return vb_journal_failed(j, errno == EWOULDBLOCK
                                    ? "in use by another run"
                                    : strerror(errno));
    }

    if (fstat(j->fd, &st) == -1) {
        return vb_journal_failed(j, strerror(errno));
    }

    if (!S_ISREG(st.st_mode)) {
        return vb_journal_failed(j, "not a regular file");
    }

    end = vb_journal_read(j);

    if (end == VB_ERROR) {
        return VB_ERROR;
    }

    /* a record without its end had no effect yet */

    if (end < st.st_size && ftruncate(j->fd, end) == -1) {
        return vb_journal_failed(j, strerror(errno));
    }

    if (lseek(j->fd, end, SEEK_SET) == -1) {
        return vb_journal_failed(j, strerror(errno));
    }

    return end == 0 ? vb_journal_create(j, input) : VB_OK;
}


static int
vb_journal_create(vb_journal_t *j, const char *input)
{
    size_t  i;
    u_char  id[16];

    if (RAND_bytes(id, sizeof(id)) != 1) {
        return vb_journal_failed(j, "no random numbers");
    }

    for (i = 0; i < sizeof(id); i++) {
        snprintf(j->id + 2 * i, 3, "%02x", id[i]);
    }

    vb_text_printf(&j->out, "{\"journal\": \"%s\", \"version\": 1, "
                   "\"at\": \"", j->id);
    vb_text_time(&j->out, vb_wall());
    vb_text_puts(&j->out, "\", \"input\": ");
    vb_text_json(&j->out, input, strlen(input));
    vb_text_puts(&j->out, "}\n");

    vb_journal_sync(j);
    vb_journal_sync_directory(j->name);

    return VB_OK;
}


/* or the file's name may be gone with the power */

static void
vb_journal_sync_directory(const char *name)
{
    int    fd;
    char  *copy;

    copy = vb_strndup((u_char *) name, strlen(name));

    fd = open(dirname(copy), O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd != -1) {
        fsync(fd);
        close(fd);
    }

    free(copy);
}


void
vb_journal_close(vb_journal_t *j)
{
    vb_journal_sync(j);
    close(j->fd);
    free(j->rows);
    vb_text_free(&j->out);
}


static void
vb_journal_begin(vb_journal_t *j, uint64_t row, uint64_t chain,
    const char *event)
{
    vb_text_printf(&j->out, "{\"row\": %llu, \"event\": \"%s\"",
                   (unsigned long long) row, event);

    if (chain) {
        vb_text_printf(&j->out, ", \"chain\": \"%016llx\"",
                       (unsigned long long) chain);
    }
}


static void
vb_journal_end(vb_journal_t *j)
{
    vb_text_puts(&j->out, "}\n");

    if (j->out.len > 65536 && !j->held) {
        vb_journal_flush(j);
    }
}


void
vb_journal_wait(vb_journal_t *j, uint64_t row, uint64_t chain, int64_t until)
{
    vb_journal_begin(j, row, chain, "wait");

    vb_text_puts(&j->out, ", \"until\": \"");
    vb_text_time(&j->out, until);
    vb_text_puts(&j->out, "\"");

    vb_journal_end(j);
}


void
vb_journal_intent(vb_journal_t *j, uint64_t row, uint64_t chain,
    unsigned attempt, int64_t now)
{
    vb_journal_begin(j, row, chain, "intent");

    vb_text_printf(&j->out, ", \"attempt\": %u, \"at\": \"", attempt);
    vb_text_time(&j->out, now);
    vb_text_puts(&j->out, "\"");

    vb_journal_end(j);
}


void
vb_journal_placed(vb_journal_t *j, uint64_t row, const char *call_sid)
{
    vb_journal_begin(j, row, 0, "placed");

    vb_text_puts(&j->out, ", \"call_sid\": ");
    vb_text_json(&j->out, call_sid, strlen(call_sid));

    vb_journal_end(j);
}


void
vb_journal_result(vb_journal_t *j, uint64_t row, uint64_t chain,
    vb_outcome_t outcome, int64_t again, int64_t duration, const char *detail)
{
    vb_journal_begin(j, row, chain, "result");

    vb_text_printf(&j->out, ", \"outcome\": \"%s\"",
                   vb_outcome_name(outcome));

    if (again != VB_NEVER) {
        vb_text_puts(&j->out, ", \"again\": \"");
        vb_text_time(&j->out, again);
        vb_text_puts(&j->out, "\"");
    }

    if (duration >= 0) {
        vb_text_printf(&j->out, ", \"ms\": %lld", (long long) duration);
    }

    if (detail && *detail) {
        vb_text_puts(&j->out, ", \"detail\": ");
        vb_text_json(&j->out, detail, strlen(detail));
    }

    vb_journal_end(j);
}


void
vb_journal_flush(vb_journal_t *j)
{
    ssize_t  n;
    size_t   sent;

    for (sent = 0; sent < j->out.len; sent += n) {
        n = write(j->fd, j->out.data + sent, j->out.len - sent);

        if (n == -1 && errno == EINTR) {
            n = 0;

        } else if (n == -1) {
            vb_journal_die(j);
        }
    }

    vb_text_reset(&j->out);
}


static void
vb_journal_die(vb_journal_t *j)
{
    vb_die(VB_EXIT_USAGE, "%s: %s; nobody more is called, calls that are going "
           "on go on; once that is mended, the same command goes on from here",
           j->name, strerror(errno));
}


void
vb_journal_sync(vb_journal_t *j)
{
    vb_journal_flush(j);

    if (fdatasync(j->fd) == -1) {
        vb_journal_die(j);
    }
}
