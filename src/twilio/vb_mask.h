
/*
 * Phone numbers in logs: all but their last four digits become *.
 *
 * Pure functions without memory of their own.
 */


#ifndef _VB_MASK_H_INCLUDED_
#define _VB_MASK_H_INCLUDED_


#include <vb_core.h>


/*
 * Masks a phone number: every digit but the last four.  A value that is no
 * number (a client name, a SIP address) is masked but for its first two bytes,
 * and all that is not visible ASCII.  dst has room for s->len; returns its
 * length.
 */
size_t vb_mask_number(u_char *dst, const vb_str_t *s);

/*
 * Masks in place what looks like a phone number in somebody else's words: a
 * word of seven digits or more, or groups of digits with what people write
 * between them.  What one looks for in a log stays: SIDs, UUIDs, moments,
 * durations, codes, addresses and ports.
 */
void vb_mask_numbers(u_char *data, size_t len);


#endif /* _VB_MASK_H_INCLUDED_ */
