
/* voicebridge: which command is meant */


#include <vb_tool.h>

#include <signal.h>


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


static void vb_main_help(FILE *out);


int
main(int argc, char **argv)
{
    const char               *name;
    const vb_main_command_t  *command;

    signal(SIGPIPE, SIG_IGN);

    name = argc > 1 ? argv[1] : "";

    for (command = vb_main_commands; command->name; command++) {
        if (strcmp(command->name, name) == 0) {
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
