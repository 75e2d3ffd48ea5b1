
/* A command's options: a table that is parsed by, and that --help shows */


#ifndef _VB_OPTIONS_H_INCLUDED_
#define _VB_OPTIONS_H_INCLUDED_


#include <vb_tool.h>


typedef enum {
    VB_OPTION_FLAG,                    /* int: 1 */
    VB_OPTION_STRING,                  /* const char * */
    VB_OPTION_NUMBER,                  /* int64_t, not negative */
    VB_OPTION_TIME,                    /* int64_t, ms */
    VB_OPTION_LIST                     /* vb_list_t */
} vb_option_type_t;


/* values of an option that may be given more than once */
typedef struct {
    size_t               n;
    const char         **value;
} vb_list_t;


typedef struct {
    const char          *name;         /* without the two dashes */
    char                 letter;       /* or '\0' */
    vb_option_type_t     type;
    size_t               offset;       /* in the command's structure */
    const char          *argument;     /* its name in the help, or NULL */
    const char          *help;         /* lines, without indentation */
} vb_option_t;


typedef struct {
    const char          *name;         /* of the command */
    const char          *synopsis;     /* lines */
    const char          *about;        /* text */
    const char          *examples;     /* text */
    const char          *exits;        /* text: exit codes */
    const vb_option_t  **options;      /* tables, each up to a NULL name;
                                          NULL behind the last */
    size_t               max_arguments;
} vb_command_t;


/*
 * Parses argv[1]..: values go into data, the arguments that are no options to
 * arguments, whose number is returned.  --help prints and ends the program
 * with 0; what is wrong is told, and ends it with VB_EXIT_USAGE.
 */
size_t vb_options_parse(const vb_command_t *command, int argc, char **argv,
    void *data, const char **arguments);


#endif /* _VB_OPTIONS_H_INCLUDED_ */
