
/*
 * conversation_initiation_client_data: the first message to an agent, flat.
 * Source: ElevenLabs' AsyncAPI; "Dynamic variables" in its documentation.
 */


#ifndef _VB_AGENT_INIT_H_INCLUDED_
#define _VB_AGENT_INIT_H_INCLUDED_


#include <vb_core.h>


/* a string variable of our own making */
typedef struct {
    vb_str_t         name;             /* UTF-8, not escaped */
    vb_str_t         value;
} vb_agent_variable_t;


typedef struct {
    vb_str_t                    dynamic_variables;  /* JSON object or empty */
    vb_str_t                    client;     /* of vb_agent_client.h, or empty */

    /*
     * Added where neither the object nor one before names them, the value is
     * not empty and the name neither empty nor reserved (system__...).
     */
    const vb_agent_variable_t  *extra;
    size_t                      nextra;
} vb_agent_init_t;


/*
 * Writes the message.  Returns its length; with dst NULL only counts.
 * dynamic_variables must have passed vb_agent_variables_check(), client
 * vb_agent_client_check().  Members keep their text, so types and digits are
 * untouched.
 */
size_t vb_agent_init(u_char *dst, const vb_agent_init_t *init);


/* writes the object of its variables alone; returns its length as above */
size_t vb_agent_variables(u_char *dst, const vb_agent_init_t *init);


/*
 * Whether text is an object that ElevenLabs takes as dynamic variables:
 * strings, numbers, booleans, null and (nested) arrays of those; no name
 * that is empty, longer than 256 bytes or starts with system__.  VB_OK;
 * VB_DECLINED with *name the offending member (raw, in text) and *error why;
 * VB_ERROR: not a JSON object.
 */
int vb_agent_variables_check(const vb_str_t *text, vb_str_t *name,
    const char **error);


#endif /* _VB_AGENT_INIT_H_INCLUDED_ */
