
/*
 * The body of POST /twilio/outbound-call (contract 1.1), over yajl; fed in
 * pieces, so a body may come in any number of buffers or from a file.
 */


#ifndef _VB_API_REQUEST_H_INCLUDED_
#define _VB_API_REQUEST_H_INCLUDED_


#include <vb_agent_client.h>
#include <vb_core.h>
#include <vb_twilio_call.h>
#include <vb_twilio_machine.h>


/* bytes of agent_id, session_id and all other strings but dynamic variables */
#define VB_API_MAX_ID       256

/* seconds that a phone may ring: Twilio's limit */
#define VB_API_MAX_TIMEOUT  600

/* of what may be off, when nothing was said */
#define VB_API_UNSET        -1


typedef struct vb_api_parser_s  vb_api_parser_t;


/* strings belong to the parser, UTF-8, unescaped; empty where absent */
typedef struct {
    vb_str_t         agent_id;
    vb_str_t         session_id;
    vb_str_t         to_number;

    /*
     * A compact JSON object, its numbers as they were written, each name
     * once; or empty.  Where 4096 bytes are not enough it is cut there and
     * unchecked: no TwiML that is to hold it will fit its limit.
     */
    vb_str_t         dynamic_variables;

    /* how the call is placed: Twilio's, 0 and empty where not said */
    vb_str_t              from_number;
    uint32_t              ring_timeout;        /* seconds */
    vb_str_t              send_digits;
    int                   record;              /* vb_twilio_record_t */
    int                   machine_detection;   /* vb_twilio_detection_t */
    vb_twilio_answered_t  answered_by;

    /* what the agent is told; an override of more than 4096 bytes is cut */
    vb_agent_client_t     client;
} vb_api_request_t;


/* depth: objects and arrays open at a time; NULL without memory */
vb_api_parser_t *vb_api_parser_create(size_t depth);
void vb_api_parser_destroy(vb_api_parser_t *p);


/*
 * Takes a piece; VB_OK, or VB_ERROR: then the rest need not be fed, and
 * vb_api_parser_finish() tells why.  How the body is cut into pieces changes
 * nothing.
 */
int vb_api_parser_feed(vb_api_parser_t *p, const u_char *data, size_t len);


/*
 * Ends the body and checks it in the contract's order: JSON object (says
 * where parsing failed), types of members (names it), agent_id (unless
 * have_agent), session_id, to_number, E.164, dynamic variables, the others.  A
 * member that is null, and an empty string, is absent; of members of one name
 * the last counts.  VB_OK with *request set, or VB_ERROR with *detail: the
 * text of the answer, UTF-8 on one line, owned by the parser.
 */
int vb_api_parser_finish(vb_api_parser_t *p, int have_agent,
    vb_api_request_t *request, vb_str_t *detail);


#endif /* _VB_API_REQUEST_H_INCLUDED_ */
