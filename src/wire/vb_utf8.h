
/* UTF-8 as of RFC 3629 section 4, checked piece by piece */


#ifndef _VB_UTF8_H_INCLUDED_
#define _VB_UTF8_H_INCLUDED_


#include <vb_core.h>


/*
 * Checks n bytes that follow what was checked before: *state is 0 at the
 * start, and 0 again whenever the bytes so far end with a whole character.
 * VB_OK, or VB_ERROR as soon as no continuation could make them good.
 */
int vb_utf8_check(uint32_t *state, const u_char *p, size_t n);

/*
 * How much of n bytes of UTF-8, which may have been cut anywhere at their end,
 * is whole characters.
 */
size_t vb_utf8_whole(const u_char *p, size_t n);

/*
 * Whether n bytes are UTF-8 that may stand in a log's line and in XML: without
 * control characters (C0, DEL, C1), U+FFFE and U+FFFF.
 */
int vb_utf8_is_plain(const u_char *p, size_t n);

/*
 * Makes n bytes of UTF-8 fit for a log's line: control characters (C0, DEL,
 * C1), by which terminals are told something, become spaces.
 */
void vb_utf8_plain(u_char *p, size_t n);


#endif /* _VB_UTF8_H_INCLUDED_ */
