
/*
 * What an agent is told of a call besides its variables: the members of
 * conversation_initiation_client_data that its start may have.  On their way
 * to the stream they are one JSON object.
 * Source: ElevenLabs' AsyncAPI; "Overrides" in its documentation.
 */


#ifndef _VB_AGENT_CLIENT_H_INCLUDED_
#define _VB_AGENT_CLIENT_H_INCLUDED_


#include <vb_core.h>
#include <vb_json.h>
#include <vb_writer.h>


/* bytes of user_id, environment and branch_id */
#define VB_AGENT_MAX_ID  256


/* UTF-8; empty: not given */
typedef struct {
    vb_str_t         conversation_config_override;  /* a JSON object */
    vb_str_t         custom_llm_extra_body;         /* another one */
    vb_str_t         user_id;                       /* these not escaped */
    vb_str_t         environment;
    vb_str_t         branch_id;
} vb_agent_client_t;


/*
 * Writes the object, compact and fit for XML.  Returns its length, 0 where
 * nothing is given; with dst NULL only counts.
 */
size_t vb_agent_client_write(u_char *dst, const vb_agent_client_t *client);


/*
 * Whether text is such an object, with no other members, each of its type and
 * size.  VB_OK, or VB_ERROR with *error why not.
 */
int vb_agent_client_check(const vb_str_t *text, const char **error);


/*
 * Writes what of the object belongs to the URL of a conversation as well:
 * &environment=...&branch_id=..., percent-encoded, or nothing.  text has
 * passed vb_agent_client_check(), or is empty.  Returns the length; with dst
 * NULL only counts.
 */
size_t vb_agent_client_query(u_char *dst, const vb_str_t *text);


/*
 * Whether s may be one of the three ids, or an agent's: at most MAX_ID bytes
 * of UTF-8, no control characters, and what XML can write.  It may be empty.
 */
int vb_agent_is_id(const vb_str_t *s);


/*
 * A JSON string with its quotes, of UTF-8 that is not escaped.  XML has no
 * way to write U+FFFE and U+FFFF, and this may travel in XML: they are
 * escaped.
 */
void vb_agent_write_string(vb_writer_t *w, const u_char *text, size_t len);

/* a JSON text without the space between its tokens, and the same escapes */
void vb_agent_write_compact(vb_writer_t *w, const vb_str_t *json);


#endif /* _VB_AGENT_CLIENT_H_INCLUDED_ */
