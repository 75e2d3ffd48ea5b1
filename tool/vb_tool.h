
/* What all of the tool's files share: exit codes, texts that grow, clocks */


#ifndef _VB_TOOL_H_INCLUDED_
#define _VB_TOOL_H_INCLUDED_


#include <vb_core.h>

#include <stdio.h>


#ifndef VB_TOOL_VERSION
#define VB_TOOL_VERSION  "0"
#endif


/* what the program ends with; documented in voicebridge(1) */
#define VB_EXIT_OK           0
#define VB_EXIT_FAILED       1    /* a call, a row or a check did not succeed */
#define VB_EXIT_USAGE        2    /* an option, a setting or a file is wrong */
#define VB_EXIT_SERVER       3    /* the server cannot be used */
#define VB_EXIT_THRESHOLD    4    /* too many failures */
#define VB_EXIT_INTERRUPTED  5    /* there is more to do: run it again */
#define VB_EXIT_UNKNOWN      6    /* the call may exist */

/* seconds and milliseconds are int64_t: this is none */
#define VB_NEVER             INT64_MAX


/* a text that grows; all zero is an empty one.  data has a NUL behind it */
typedef struct {
    size_t           len;
    size_t           size;
    u_char          *data;
} vb_text_t;


/* prints "voicebridge: ..." on the standard error */
void vb_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* the same, and ends the program */
void vb_die(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* without memory the program ends */
void *vb_alloc(size_t size);
void *vb_realloc(void *p, size_t size);
char *vb_strndup(const u_char *data, size_t len);


void vb_text_add(vb_text_t *t, const void *data, size_t len);
void vb_text_puts(vb_text_t *t, const char *s);
void vb_text_printf(vb_text_t *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* a JSON string with its quotes */
void vb_text_json(vb_text_t *t, const void *data, size_t len);

/* RFC 3339 in UTC, with milliseconds, of ms since the epoch */
void vb_text_time(vb_text_t *t, int64_t ms);

void vb_text_reset(vb_text_t *t);
void vb_text_free(vb_text_t *t);


/* milliseconds: of a clock that never jumps, and since the epoch */
int64_t vb_now(void);
int64_t vb_wall(void);

/* ms since the epoch of what vb_text_time() writes, or VB_ERROR */
int64_t vb_time_parse(const u_char *data, size_t len);

/* "90", "90s", "1.5m", "2h", "1d", "250ms": ms, or VB_ERROR */
int64_t vb_duration_parse(const char *s);

/* "1 h 02 m", "42 s": a text for people, static */
const char *vb_duration_print(int64_t ms);


/* whether s is E.164: +, then 2 to 15 digits, the first not 0 */
int vb_is_e164(const u_char *data, size_t len);

/* a number for a log or a terminal: all but its last four digits masked;
 * static, of the last call */
const char *vb_masked(const char *number);


/* what a terminal would take for a command, C0, DEL and C1 in UTF-8, becomes
 * blanks */
void vb_printable(char *s);


/*
 * Reads a whole file of at most max bytes into t; VB_OK, or VB_ERROR with
 * errno, which is EFBIG for a longer one.
 */
int vb_file_read(const char *name, size_t max, vb_text_t *t);


/* the commands: argv[0] is the command's name; each returns an exit code */
int vb_call_main(int argc, char **argv);
int vb_bulk_main(int argc, char **argv);
int vb_phone_main(int argc, char **argv);
int vb_check_main(int argc, char **argv);


#endif /* _VB_TOOL_H_INCLUDED_ */
