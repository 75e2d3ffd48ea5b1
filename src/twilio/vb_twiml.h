
/*
 * TwiML: the document both call directions answer with (contract 1.2).
 * Source: Twilio's documentation, "TwiML Voice: <Stream>", "<Connect>".
 */


#ifndef _VB_TWIML_H_INCLUDED_
#define _VB_TWIML_H_INCLUDED_


#include <vb_core.h>


/* length(name) + length(value) of a <Parameter> must be below this; the
 * lengths are characters to Twilio, and no more than that in bytes here */
#define VB_TWIML_MAX_PARAMETER  500

/* Twiml= of a REST call; a webhook's answer may have 64 KiB */
#define VB_TWIML_MAX_REST       4000
#define VB_TWIML_MAX_WEBHOOK    65536


typedef struct {
    vb_str_t         name;
    vb_str_t         value;            /* UTF-8, not escaped */
} vb_twiml_parameter_t;


typedef struct {
    vb_str_t                     url;               /* wss://... */
    vb_str_t                     status_callback;   /* empty: none */
    const vb_twiml_parameter_t  *parameters;        /* empty values: left out */
    size_t                       n;
} vb_twiml_stream_t;


/*
 * Escapes len bytes for an attribute value or text: & < > " ' as entities;
 * TAB, LF and CR as character references.  What XML 1.0 has no way to write
 * (other control characters, U+FFFE, U+FFFF, bytes that are not UTF-8) is
 * dropped.  Returns the length; with dst NULL only counts.
 */
size_t vb_xml_escape(u_char *dst, const u_char *src, size_t len);


/*
 * Writes the document to dst (size bytes).  A parameter longer than one may
 * be is cut, never within a UTF-8 character, over NAME, NAME_2, NAME_3 ...
 * Returns the length; with dst NULL only counts.  VB_ERROR: does not fit
 * size, or a name leaves no room for a value.
 */
ssize_t vb_twiml_stream(u_char *dst, size_t size, const vb_twiml_stream_t *s);


/*
 * The same read back: which piece of a parameter, counted from 1, the one of
 * that name is; 0: none of its pieces.  The order in which Twilio tells them
 * is not that of the document.
 */
unsigned vb_twiml_piece(const vb_str_t *name, const char *parameter);


/*
 * The same for verbs of the operator's own, which are XML already: they go
 * out as they are, but for what XML has no way to write.  Writes
 * <Response>verbs</Response> unless verbs is a whole document already, that
 * is, begins with an XML declaration or <Response>.
 */
ssize_t vb_twiml_verbs(u_char *dst, size_t size, const vb_str_t *verbs);


#endif /* _VB_TWIML_H_INCLUDED_ */
