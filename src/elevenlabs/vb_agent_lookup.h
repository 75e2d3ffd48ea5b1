
/*
 * ElevenLabs' personalisation webhook, as the one who asks: what it is asked
 * when somebody calls, and what its answer has for the agent.
 * Source: ElevenLabs' documentation, "Twilio personalization".
 */


#ifndef _VB_AGENT_LOOKUP_H_INCLUDED_
#define _VB_AGENT_LOOKUP_H_INCLUDED_


#include <vb_agent_client.h>
#include <vb_core.h>


/* UTF-8, not escaped */
typedef struct {
    vb_str_t           caller_id;
    vb_str_t           agent_id;
    vb_str_t           called_number;
    vb_str_t           call_sid;
} vb_agent_lookup_t;


/* empty: not said */
typedef struct {
    vb_str_t           agent_id;
    vb_str_t           dynamic_variables;  /* a JSON object, compact */
    vb_agent_client_t  client;
} vb_agent_looked_up_t;


/* writes the JSON to POST; returns its length, with dst NULL only counts */
size_t vb_agent_lookup_write(u_char *dst, const vb_agent_lookup_t *lookup);


/* bytes of buf for an answer of len bytes */
#define vb_agent_lookup_room(len)  (2 * (len) + 1)

/*
 * Reads an answer; what of it is not in place is in buf.  Members that are
 * null count as absent, those nobody knows are ignored.  VB_OK, or VB_ERROR
 * with a line of text in error (size bytes, cut) that says what is wrong.
 */
int vb_agent_lookup_parse(vb_agent_looked_up_t *found, const vb_str_t *answer,
    u_char *buf, char *error, size_t size);


#endif /* _VB_AGENT_LOOKUP_H_INCLUDED_ */
