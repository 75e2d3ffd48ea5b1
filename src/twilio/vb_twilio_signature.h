
/*
 * X-Twilio-Signature: base64(HMAC-SHA1(auth token, URL and parameters)).
 * Source: Twilio's documentation, "Security", and its SDKs' validators.
 */


#ifndef _VB_TWILIO_SIGNATURE_H_INCLUDED_
#define _VB_TWILIO_SIGNATURE_H_INCLUDED_


#include <vb_core.h>
#include <vb_form.h>


#define VB_TWILIO_SIGNATURE_LENGTH  28


typedef struct {
    vb_str_t                base;      /* https://host[:port], no slash */
    vb_str_t                target;    /* path and query, exactly as sent */
    unsigned                websocket:1;  /* base's scheme becomes wss / ws */

    const vb_form_field_t  *fields;    /* POST form, else none */
    size_t                  nfields;

    const vb_str_t         *body;      /* raw JSON body when the query has
                                          bodySHA256=, else NULL */
} vb_twilio_signed_t;


/*
 * Whether signature is right for the request under one of the ntokens auth
 * tokens, for any of the URL forms Twilio is known to sign (reference: with
 * and without the port, :443 or :80 added, %27 for ' in the query; for a
 * WebSocket also with a trailing slash added or removed).  Compared in
 * constant time.  VB_OK, or VB_DECLINED; VB_ERROR without memory.
 */
int vb_twilio_signature_verify(const vb_twilio_signed_t *s,
    const vb_str_t *signature, const vb_str_t *tokens, size_t ntokens);


#endif /* _VB_TWILIO_SIGNATURE_H_INCLUDED_ */
