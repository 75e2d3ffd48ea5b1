
/* voicebridge: which command is meant */


#include <vb_tool.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>


typedef struct {
    const char  *name;
    int          (*main)(int argc, char **argv);
    const char  *about;
} vb_main_command_t;


static const vb_main_command_t  vb_main_commands[] = {
    { "call", vb_call_main, "place one call and follow it to its end" },
    { "bulk", vb_bulk_main, "place a call for each row of a file, once" },
    { "phone", vb_phone_main, "be a telephone at a media stream" },
    { "check", vb_check_main, "look at a server, an account and an agent" },
    { NULL, NULL, NULL }
};


static void vb_main_files(void);
static void vb_main_finish(void);
static void vb_main_help(FILE *out);


int
main(int argc, char **argv)
{
    const char               *name;
    const vb_main_command_t  *command;

    vb_main_files();

    /* writes fail instead, which is told */

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);

    atexit(vb_main_finish);

    name = argc > 1 ? argv[1] : "";

    for (command = vb_main_commands; command->name; command++) {
        if (strcmp(command->name, name) == 0) {

            /* of getopt_long()'s messages */

            argv[1] = (char *) "voicebridge";

            return command->main(argc - 1, argv + 1);
        }
    }

    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        printf("voicebridge %s\n", VB_TOOL_VERSION);
        return VB_EXIT_OK;
    }

    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0
        || strcmp(name, "help") == 0)
    {
        vb_main_help(stdout);
        return VB_EXIT_OK;
    }

    if (*name) {
        vb_error("there is no command \"%s\"", name);
    }

    vb_main_help(stderr);

    return VB_EXIT_USAGE;
}


/* where one is closed, another file would have its number: a journal */

static void
vb_main_files(void)
{
    int  fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);

    if (fd > STDERR_FILENO) {
        close(fd);
    }
}


/* not where somebody has read enough; calls were made all the same, so that
 * the status stays what it is */

static void
vb_main_finish(void)
{
    int          failed;
    struct stat  st;

    failed = fflush(stdout) == EOF || ferror(stdout);

    if (failed && fstat(STDOUT_FILENO, &st) == 0 && !S_ISFIFO(st.st_mode)
        && !S_ISSOCK(st.st_mode))
    {
        fputs("voicebridge: the output could not be written whole\n", stderr);
    }
}


static void
vb_main_help(FILE *out)
{
    const vb_main_command_t  *command;

    fprintf(out, "Usage: voicebridge COMMAND [OPTION ...]\n\n"
            "Calls by Twilio and ElevenLabs agents through an nginx with "
            "voicebridge.\n\nCommands:\n");

    for (command = vb_main_commands; command->name; command++) {
        fprintf(out, "  %-6s  %s\n", command->name, command->about);
    }

    fprintf(out, "\n\"voicebridge COMMAND --help\" tells about each, with "
            "examples; so does voicebridge(1).\n");
}
