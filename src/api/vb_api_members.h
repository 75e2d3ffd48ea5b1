
/* The members of a request: what was read of each, and whether it is good */


#ifndef _VB_API_MEMBERS_H_INCLUDED_
#define _VB_API_MEMBERS_H_INCLUDED_


#include <vb_api_request.h>
#include <vb_api_variables.h>
#include <vb_json.h>


enum {
    VB_API_AGENT_ID = 0,
    VB_API_SESSION_ID,
    VB_API_METADATA,
    VB_API_TO_NUMBER,
    VB_API_VARIABLES,
    VB_API_FROM_NUMBER,
    VB_API_RING_TIMEOUT,
    VB_API_SEND_DIGITS,
    VB_API_RECORD,
    VB_API_DETECTION,
    VB_API_ANSWERED_BY,
    VB_API_OVERRIDE,
    VB_API_USER_ID,
    VB_API_ENVIRONMENT,
    VB_API_BRANCH_ID,
    VB_API_MEMBERS
};


typedef struct {
    vb_str_t         name;
    size_t           depth;            /* 1: in the body, 2: in metadata */
    unsigned         types;            /* bits: 1 << vb_json_type_t */
    const char      *what;             /* the same in words */
} vb_api_member_t;


extern const vb_api_member_t  vb_api_members[VB_API_MEMBERS];


/* all zero at the start */
typedef struct {
    vb_json_type_t       type[VB_API_MEMBERS];

    /* of strings and numbers, in buf; of objects once they are checked */
    vb_str_t             text[VB_API_MEMBERS];

    /* objects that are taken whole */
    vb_api_variables_t   variables;
    vb_api_variables_t   override;
    vb_api_variables_t   answered_by;

    /* a byte more than allowed, to tell when there is more */
    u_char               buf[VB_API_MEMBERS][VB_API_MAX_ID + 1];

    char                 error[256];   /* empty: none yet */
} vb_api_values_t;


/* where the members of an object are written to, or NULL: nowhere */
vb_api_variables_t *vb_api_capture(vb_api_values_t *v, int member);

/* keeps a string or a number, as far as it fits */
void vb_api_keep(vb_api_values_t *v, int member, const void *text,
    size_t len);

/*
 * Checks everything in the order that vb_api_parser_finish() tells, and fills
 * the request: VB_OK, or VB_ERROR with v->error.
 */
int vb_api_check(vb_api_values_t *v, int have_agent,
    vb_api_request_t *request);

/* writes v->error; returns VB_ERROR */
int vb_api_error(vb_api_values_t *v, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


#endif /* _VB_API_MEMBERS_H_INCLUDED_ */
