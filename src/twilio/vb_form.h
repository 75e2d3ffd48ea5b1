
/* application/x-www-form-urlencoded (WHATWG URL, section 5), both ways */


#ifndef _VB_FORM_H_INCLUDED_
#define _VB_FORM_H_INCLUDED_


#include <vb_core.h>


typedef struct {
    vb_str_t         name;             /* decoded */
    vb_str_t         value;
} vb_form_field_t;


/* more fields than Twilio will ever send; more is refused */
#define VB_FORM_MAX_FIELDS  256


/*
 * Splits and decodes len bytes at body IN PLACE; fields point into it.
 * Returns the number of fields, or VB_ERROR: more than max, or a broken
 * percent escape.
 */
ssize_t vb_form_parse(vb_form_field_t *fields, size_t max, u_char *body,
    size_t len);


/* the first field of that name, or NULL */
const vb_form_field_t *vb_form_find(const vb_form_field_t *fields, size_t n,
    const char *name);


/*
 * Writes value percent-encoded, space as +.  Returns the length; with dst
 * NULL only counts (at most 3 * len).
 */
size_t vb_form_escape(u_char *dst, const u_char *value, size_t len);


#endif /* _VB_FORM_H_INCLUDED_ */
