
/* A request's dynamic variables: written as JSON while they are parsed */


#ifndef _VB_API_VARIABLES_H_INCLUDED_
#define _VB_API_VARIABLES_H_INCLUDED_


#include <vb_core.h>
#include <vb_writer.h>


/* bytes of all dynamic variables as JSON: more than a call's TwiML holds, and
 * so few that each name may be looked for behind all others */
#define VB_API_MAX_VARIABLES  4096


typedef struct {
    vb_writer_t      writer;
    unsigned         comma:1;          /* behind a value */
    u_char           json[VB_API_MAX_VARIABLES];
} vb_api_variables_t;


/* begins anew, with the bracket of the object */
void vb_api_variables_begin(vb_api_variables_t *v);

/* a value of so many bytes that needs no escaping, or an opening bracket */
void vb_api_variables_value(vb_api_variables_t *v, const char *text,
    size_t len);
void vb_api_variables_open(vb_api_variables_t *v, const char *bracket);
void vb_api_variables_close(vb_api_variables_t *v, const char *bracket);

/* a string, or the name of a member with its colon: UTF-8, unescaped */
void vb_api_variables_string(vb_api_variables_t *v, const u_char *text,
    size_t len);
void vb_api_variables_name(vb_api_variables_t *v, const u_char *text,
    size_t len);


/*
 * The object when it is complete: each name once, the last value.  What is
 * longer than VB_API_MAX_VARIABLES is cut there and not looked at.  VB_OK, or
 * VB_DECLINED with *name (in *json, raw) of a variable that is not fit for
 * an agent and *error why.
 */
int vb_api_variables_end(vb_api_variables_t *v, vb_str_t *json,
    vb_str_t *name, const char **error);

/* the same of an object that may be any: VB_OK, or VB_DECLINED: it is cut */
int vb_api_variables_object(vb_api_variables_t *v, vb_str_t *json);


#endif /* _VB_API_VARIABLES_H_INCLUDED_ */
