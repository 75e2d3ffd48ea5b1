
/* Handlers that note what came and write a byte to a pipe */


#include <vb_signals.h>
#include <vb_tool.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>


static void vb_signals_handler(int signo);


static int                    vb_signals_pipe[2] = { -1, -1 };
static volatile sig_atomic_t  vb_signals_pause;
static volatile sig_atomic_t  vb_signals_count;


int
vb_signals_open(void)
{
    size_t            i;
    struct sigaction  sa;

    static const int  signals[] = { SIGINT, SIGTERM, SIGUSR1, SIGUSR2 };

    if (vb_signals_pipe[0] != -1) {
        return vb_signals_pipe[0];
    }

    if (pipe2(vb_signals_pipe, O_CLOEXEC|O_NONBLOCK) == -1) {
        vb_die(VB_EXIT_SERVER, "pipe: %s", strerror(errno));
    }

    memset(&sa, 0, sizeof(struct sigaction));
    sa.sa_handler = vb_signals_handler;
    sa.sa_flags = SA_RESTART;

    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        sigaction(signals[i], &sa, NULL);
    }

    return vb_signals_pipe[0];
}


static void
vb_signals_handler(int signo)
{
    int      err;
    ssize_t  n;

    err = errno;

    switch (signo) {

    case SIGUSR1:
        vb_signals_pause = 1;
        break;

    case SIGUSR2:
        vb_signals_pause = 0;
        break;

    default:
        vb_signals_count++;
    }

    /* one that is full wakes up as well */

    n = write(vb_signals_pipe[1], "", 1);
    (void) n;

    errno = err;
}


int
vb_signals_paused(void)
{
    return vb_signals_pause;
}


unsigned
vb_signals_interrupts(void)
{
    char  buf[64];

    if (vb_signals_pipe[0] != -1) {
        while (read(vb_signals_pipe[0], buf, sizeof(buf)) > 0) { /* void */ }
    }

    return vb_signals_count;
}
