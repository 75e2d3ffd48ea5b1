
/* Base64 with the alphabet of RFC 4648 section 4, and of section 5 (url) */


#ifndef _VB_BASE64_H_INCLUDED_
#define _VB_BASE64_H_INCLUDED_


#include <vb_core.h>


/* length of n bytes as padded base64 */
#define vb_base64_encoded_length(n)  (((n) + 2) / 3 * 4)

/* most bytes that n characters decode to */
#define vb_base64_decoded_length(n)  (((n) + 3) / 4 * 3)


/*
 * Encodes n bytes with padding; returns the characters written,
 * vb_base64_encoded_length(n).  The areas must not overlap.
 */
size_t vb_base64_encode(u_char *dst, const u_char *src, size_t n);


/*
 * Decodes len characters, padding optional but complete, anything outside the
 * alphabet (white space too) refused.  Returns the bytes written or VB_ERROR.
 * dst may be src: the output never overtakes the input.
 */
ssize_t vb_base64_decode(u_char *dst, const u_char *src, size_t len);


/*
 * The same in the URL-safe alphabet, without padding: for tokens.  There each
 * value has one spelling: bits left behind the last byte must be zero, RFC
 * 4648 section 3.5.
 */
size_t vb_base64url_encode(u_char *dst, const u_char *src, size_t n);
ssize_t vb_base64url_decode(u_char *dst, const u_char *src, size_t len);


#endif /* _VB_BASE64_H_INCLUDED_ */
