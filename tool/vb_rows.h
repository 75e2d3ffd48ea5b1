
/* The rows of a bulk's input, CSV or JSON lines: whom to call, with what */


#ifndef _VB_ROWS_H_INCLUDED_
#define _VB_ROWS_H_INCLUDED_


#include <vb_csv.h>
#include <vb_request.h>


typedef enum {
    VB_COLUMN_VARIABLE = 0,
    VB_COLUMN_TO,
    VB_COLUMN_AGENT,
    VB_COLUMN_ZONE,
    VB_COLUMN_SESSION
} vb_column_role_t;


typedef struct {
    vb_column_role_t     role;
    vb_type_t            type;
    vb_str_t             name;
} vb_column_t;


typedef struct {
    /* set by the caller */
    const char          *name;         /* of the file, or "-" */
    int                  jsonl;
    int                  delimiter;
    const char          *types;        /* "due=number,vip=boolean", or NULL */
    const char          *variables;    /* JSON members for all rows, or NULL */

    vb_input_t           in;
    vb_csv_t             csv;
    vb_text_t            line;         /* of JSON lines */
    size_t               ncolumns;
    vb_column_t         *columns;

    /* the row */
    uint64_t             number;       /* from 1 */
    uint64_t             chain;        /* a hash of all rows up to this one */
    vb_text_t            to;           /* E.164, where the row is good */
    vb_text_t            agent;        /* these are empty where absent */
    vb_text_t            zone;
    vb_text_t            session;
    vb_text_t            members;      /* of dynamic_variables */
    char                 invalid[200]; /* why it is not good, or "" */

    char                 error[300];   /* after VB_ERROR */
    unsigned             again:1;
} vb_rows_t;


/* VB_OK, or VB_ERROR: the file, its header or types are wrong */
int vb_rows_open(vb_rows_t *rows);
void vb_rows_close(vb_rows_t *rows);

/* VB_OK, a row, good or not; VB_DECLINED, there is no more; VB_ERROR */
int vb_rows_read(vb_rows_t *rows);

/* the row at hand is read once more */
#define vb_rows_unread(rows)  ((rows)->again = 1)


/*
 * A number as people write it, "+1 (415) 555-0123", as E.164; VB_DECLINED
 * where it is none.
 */
int vb_rows_number(vb_text_t *number, const vb_str_t *text);


#endif /* _VB_ROWS_H_INCLUDED_ */
