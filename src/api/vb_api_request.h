
/*
 * The body of POST /twilio/outbound-call (contract 1.1), over yajl; fed in
 * pieces, so a body may come in any number of buffers or from a file.
 */


#ifndef _VB_API_REQUEST_H_INCLUDED_
#define _VB_API_REQUEST_H_INCLUDED_


#include <vb_core.h>


typedef struct vb_api_parser_s  vb_api_parser_t;


/* strings belong to the parser, UTF-8, unescaped; empty where absent */
typedef struct {
    vb_str_t         agent_id;
    vb_str_t         session_id;
    vb_str_t         to_number;
    vb_str_t         dynamic_variables;    /* compact JSON object, numbers as
                                              they were written; or empty */
} vb_api_request_t;


/* NULL without memory */
vb_api_parser_t *vb_api_parser_create(void);
void vb_api_parser_destroy(vb_api_parser_t *p);


/* takes a piece; VB_OK, or VB_ERROR as vb_api_parser_finish() */
int vb_api_parser_feed(vb_api_parser_t *p, const u_char *data, size_t len);


/*
 * Ends the body and checks it in the contract's order: JSON object (says
 * where parsing failed), types of members (names it), agent_id (unless
 * have_agent), to_number, E.164, dynamic variables.  VB_OK with *request set,
 * or VB_ERROR with *detail: the text of the answer, owned by the parser.
 */
int vb_api_parser_finish(vb_api_parser_t *p, int have_agent,
    vb_api_request_t *request, vb_str_t *detail);


#endif /* _VB_API_REQUEST_H_INCLUDED_ */
