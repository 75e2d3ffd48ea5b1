
/* The buffer between read() and who wants a byte at a time */


#include <vb_input.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>


int
vb_input_open(vb_input_t *in, const char *name)
{
    struct stat  st;

    memset(in, 0, sizeof(vb_input_t));

    in->fd = strcmp(name, "-") == 0 ? STDIN_FILENO
                                    : open(name, O_RDONLY|O_CLOEXEC);

    if (in->fd == -1 || fstat(in->fd, &st) == -1) {
        return VB_ERROR;
    }

    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return VB_ERROR;
    }

    if (S_ISREG(st.st_mode)) {
        in->size = st.st_size;
    }

    in->start = vb_alloc(VB_INPUT_BUFFER);

    return VB_OK;
}


void
vb_input_memory(vb_input_t *in, const u_char *data, size_t len)
{
    memset(in, 0, sizeof(vb_input_t));

    in->fd = -1;
    in->pos = data;
    in->last = data + len;
    in->taken = len;
    in->size = len;
}


void
vb_input_close(vb_input_t *in)
{
    if (in->fd > STDIN_FILENO) {
        close(in->fd);
    }

    free(in->start);
    memset(in, 0, sizeof(vb_input_t));
}


int
vb_input_fill(vb_input_t *in)
{
    ssize_t  n;

    if (in->fd == -1) {
        return VB_INPUT_END;
    }

    do {
        n = read(in->fd, in->start, VB_INPUT_BUFFER);
    } while (n == -1 && errno == EINTR);

    if (n == -1) {
        in->error = strerror(errno);
        return VB_INPUT_FAILED;
    }

    if (n == 0) {
        return VB_INPUT_END;
    }

    in->pos = in->start;
    in->last = in->start + n;
    in->taken += n;

    return *in->pos;
}
