
/* The options of a command, over getopt_long(), and its --help */


#include <vb_options.h>

#include <getopt.h>
#include <stdlib.h>


#define VB_OPTIONS_MAX  64

/* what getopt_long() returns for the first option without a letter */
#define VB_OPTIONS_LONG  256


static size_t vb_options_table(const vb_command_t *command, char *letters,
    struct option *options, const vb_option_t **all);
static void vb_options_set(const vb_command_t *command,
    const vb_option_t *option, void *data, char *value);
static void vb_options_help(const vb_command_t *command);
static void vb_options_print(const vb_option_t *option);
static void vb_options_indent(const char *text, int columns, int first);


size_t
vb_options_parse(const vb_command_t *command, int argc, char **argv,
    void *data, const char **arguments)
{
    int                  c;
    char                 letters[2 * VB_OPTIONS_MAX + 4];
    size_t               i, n, nargs;
    struct option        options[VB_OPTIONS_MAX + 2];
    const vb_option_t   *all[VB_OPTIONS_MAX];

    n = vb_options_table(command, letters, options, all);

    for ( ;; ) {
        c = getopt_long(argc, argv, letters, options, NULL);

        if (c == -1) {
            break;
        }

        if (c == 'h') {
            vb_options_help(command);
            exit(VB_EXIT_OK);
        }

        if (c == '?') {
            vb_die(VB_EXIT_USAGE, "see voicebridge %s --help", command->name);
        }

        for (i = 0; i < n; i++) {
            if (c == (int) (VB_OPTIONS_LONG + i) || c == all[i]->letter) {
                vb_options_set(command, all[i], data, optarg);
                break;
            }
        }
    }

    nargs = argc - optind;

    if (nargs > command->max_arguments) {
        vb_die(VB_EXIT_USAGE, "\"%s\" is not understood, see voicebridge %s "
               "--help", argv[optind + command->max_arguments],
               command->name);
    }

    for (i = 0; i < nargs; i++) {
        arguments[i] = argv[optind + i];
    }

    return nargs;
}


/* the command's tables as getopt_long() wants them; how many options */

static size_t
vb_options_table(const vb_command_t *command, char *letters,
    struct option *options, const vb_option_t **all)
{
    size_t              i, n;
    const vb_option_t  *option;

    *letters++ = 'h';
    n = 0;

    for (i = 0; command->options[i]; i++) {
        for (option = command->options[i]; option->name; option++) {

            all[n] = option;
            options[n].name = option->name;
            options[n].has_arg = (option->type != VB_OPTION_FLAG);
            options[n].flag = NULL;
            options[n].val = VB_OPTIONS_LONG + n;
            n++;

            if (option->letter) {
                *letters++ = option->letter;

                if (option->type != VB_OPTION_FLAG) {
                    *letters++ = ':';
                }
            }
        }
    }

    *letters = '\0';

    memset(&options[n], 0, 2 * sizeof(struct option));
    options[n].name = "help";
    options[n].val = 'h';

    return n;
}


static void
vb_options_set(const vb_command_t *command, const vb_option_t *option,
    void *data, char *value)
{
    char       *end, *field;
    int64_t     n;
    vb_list_t  *list;

    field = (char *) data + option->offset;

    switch (option->type) {

    case VB_OPTION_FLAG:
        *(int *) field = 1;
        return;

    case VB_OPTION_STRING:
        *(const char **) field = value;
        return;

    case VB_OPTION_LIST:
        list = (vb_list_t *) field;
        list->value = vb_realloc(list->value,
                                 (list->n + 1) * sizeof(const char *));
        list->value[list->n++] = value;
        return;

    case VB_OPTION_NUMBER:
        n = strtoll(value, &end, 10);

        if (end == value || *end != '\0' || n < 0 || n == INT64_MAX) {
            vb_die(VB_EXIT_USAGE, "--%s wants a number, not \"%s\"",
                   option->name, value);
        }

        break;

    default: /* VB_OPTION_TIME */
        n = vb_duration_parse(value);

        if (n == VB_ERROR) {
            vb_die(VB_EXIT_USAGE, "--%s wants a time such as 500ms, 30s, 5m "
                   "or 2h, not \"%s\"", option->name, value);
        }
    }

    *(int64_t *) field = n;
}


static void
vb_options_help(const vb_command_t *command)
{
    size_t              i;
    const vb_option_t  *option;

    printf("Usage: ");
    vb_options_indent(command->synopsis, 7, 0);

    printf("\n%s\n\nOptions:\n", command->about);

    for (i = 0; command->options[i]; i++) {
        for (option = command->options[i]; option->name; option++) {
            vb_options_print(option);
        }
    }

    printf("  -h, --help\n        this text\n");
    printf("\nExamples:\n");
    vb_options_indent(command->examples, 2, 2);

    printf("\nExit status:\n");
    vb_options_indent(command->exits, 2, 2);
}


static void
vb_options_print(const vb_option_t *option)
{
    if (option->letter) {
        printf("  -%c, --%s", option->letter, option->name);

    } else {
        printf("  --%s", option->name);
    }

    printf("%s%s\n", option->argument ? " " : "",
           option->argument ? option->argument : "");

    vb_options_indent(option->help, 8, 8);
}


/* the lines of a text, the first with an indentation of its own */

static void
vb_options_indent(const char *text, int columns, int first)
{
    size_t  len;

    do {
        len = strcspn(text, "\n");

        printf("%*s%.*s\n", len ? first : 0, "", (int) len, text);

        text += len;
        first = columns;

    } while (*text++ == '\n' && *text);
}
