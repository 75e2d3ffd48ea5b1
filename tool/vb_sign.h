
/*
 * X-Twilio-Signature, as Twilio makes it: base64(HMAC-SHA1(auth token, URL and
 * the sorted fields of a form)).  Source: Twilio's documentation, "Security".
 */


#ifndef _VB_SIGN_H_INCLUDED_
#define _VB_SIGN_H_INCLUDED_


#include <vb_tool.h>


#define VB_SIGN_LENGTH  28


/*
 * text is the URL, with names and values of the fields behind it; a NUL is
 * written behind the signature
 */
void vb_sign(char dst[VB_SIGN_LENGTH + 1], const char *token,
    const char *text);

/* TWILIO_AUTH_TOKEN, or the first line of a file if it is not NULL; NULL:
 * there is none.  Ends the program where the file cannot be read. */
const char *vb_sign_token(const char *file);


#endif /* _VB_SIGN_H_INCLUDED_ */
