
/* The body of POST /twilio/outbound-call, and the variables in it */


#ifndef _VB_REQUEST_H_INCLUDED_
#define _VB_REQUEST_H_INCLUDED_


#include <vb_tool.h>


typedef enum {
    VB_TYPE_STRING = 0,
    VB_TYPE_NUMBER,
    VB_TYPE_BOOLEAN,
    VB_TYPE_JSON,                      /* as it is written */
    VB_TYPES
} vb_type_t;


typedef struct {
    vb_str_t         to;
    vb_str_t         agent;            /* empty: the server's own */
    vb_str_t         session;          /* empty: the server makes one */
    vb_str_t         variables;        /* members of an object, no braces */
} vb_request_t;


/* VB_OK, or VB_DECLINED: there is no type of that name */
int vb_type_find(const char *name, size_t len, vb_type_t *type);


/*
 * Appends "name": value to the members of an object.  A number or a boolean
 * that is empty is null.  VB_OK; or VB_ERROR with *why, static, and *members
 * as before.
 */
int vb_variable_write(vb_text_t *members, const vb_str_t *name,
    const vb_str_t *value, vb_type_t type, const char **why);

/*
 * The same of "name=value", "name=value:number", as --var has it; all else
 * that follows a colon belongs to the value.
 */
int vb_variable_argument(vb_text_t *members, const char *argument,
    const char **why);


void vb_request_write(vb_text_t *body, const vb_request_t *request);


#endif /* _VB_REQUEST_H_INCLUDED_ */
