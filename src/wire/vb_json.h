
/*
 * JSON (RFC 8259) as the streams need it: a one-pass scanner that checks a
 * whole text and points at the chosen values in place.  Nothing is copied
 * and nothing allocated; nesting is bounded.
 */


#ifndef _VB_JSON_H_INCLUDED_
#define _VB_JSON_H_INCLUDED_


#include <vb_core.h>


/*
 * Objects and arrays open at a time: where nothing else is said, and the most
 * that may be said.  More are an error, never a recursion.
 */
#define VB_JSON_DEPTH       64
#define VB_JSON_MAX_DEPTH   256

/* most members looked for at a time, and bytes of the name of one */
#define VB_JSON_MAX_FIELDS  32
#define VB_JSON_MAX_NAME    64


typedef enum {
    VB_JSON_ABSENT = 0,
    VB_JSON_NULL,
    VB_JSON_FALSE,
    VB_JSON_TRUE,
    VB_JSON_NUMBER,
    VB_JSON_STRING,
    VB_JSON_ARRAY,
    VB_JSON_OBJECT
} vb_json_type_t;


typedef struct {
    vb_json_type_t   type;
    unsigned         escaped:1;        /* a string that holds a backslash */
    vb_str_t         text;             /* in place: a string without its
                                          quotes, all else whole */
} vb_json_value_t;


#define VB_JSON_ROOT  -1

/* a member to look for: its name, in the object that field parent selects
 * (an index in the same table, smaller than its own) or in the root */
typedef struct {
    int              parent;
    vb_str_t         name;
} vb_json_field_t;


/*
 * Scans text, which must be one JSON object, and fills values[i] for
 * fields[i]; VB_JSON_ABSENT where a member is not there.  A name given
 * twice: the last one counts.  VB_OK, or VB_ERROR with *error a plain
 * reason (static) and *offset where; values are then of no use.  n is at
 * most VB_JSON_MAX_FIELDS.  The text's UTF-8 is not checked here (the
 * WebSocket layer did).
 */
int vb_json_select(const vb_str_t *text, const vb_json_field_t *fields,
    size_t n, vb_json_value_t *values, const char **error, size_t *offset);

/* the same for another depth than VB_JSON_DEPTH, VB_JSON_MAX_DEPTH at most */
int vb_json_select_deep(const vb_str_t *text, size_t depth,
    const vb_json_field_t *fields, size_t n, vb_json_value_t *values,
    const char **error, size_t *offset);


/*
 * Walks the members of an object: *pos starts as object.text.data (of a
 * value scanned before, so syntax is known to be good).  VB_OK with name
 * and value set, VB_DECLINED at the end.
 */
int vb_json_next(const vb_json_value_t *object, u_char **pos,
    vb_json_value_t *name, vb_json_value_t *value);


/*
 * Checks that text is one complete JSON value of the given type
 * (VB_JSON_ABSENT: any), not deeper than VB_JSON_DEPTH.  VB_OK or VB_ERROR.
 */
int vb_json_check(const vb_str_t *text, vb_json_type_t type);


/*
 * Whether c, say a bracket, is in the text of a scanned value, but not within
 * its strings.
 */
int vb_json_holds(const vb_str_t *text, u_char c);


/* reads an integer written as a number or, as Twilio does, as a string of
 * decimal digits; VB_OK, or VB_DECLINED for anything else or out of range */
int vb_json_integer(const vb_json_value_t *value, int64_t *n);


/*
 * Undoes the escapes of a scanned string: UTF-8 out, surrogate pairs
 * joined, a lone surrogate becomes U+FFFD.  Returns the length, never more
 * than src->len; dst may be src->data.
 */
size_t vb_json_unescape(u_char *dst, const vb_str_t *src);


/*
 * The same for a log or an error's text: at most size bytes, cut between
 * characters, and control characters (C0, DEL, C1) become spaces.
 */
size_t vb_json_print(u_char *dst, size_t size, const vb_str_t *src);


/*
 * Escapes len bytes for use between quotes: ", \ and control characters;
 * all else passes.  Returns the length written, or with dst NULL the length
 * needed (at most 6 * len).
 */
size_t vb_json_escape(u_char *dst, const u_char *src, size_t len);


#endif /* _VB_JSON_H_INCLUDED_ */
