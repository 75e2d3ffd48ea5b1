
/*
 * CSV, RFC 4180, as it is met: CRLF, LF or CR ends a record, a BOM before the
 * first one is passed over, records without any character are no records.
 */


#ifndef _VB_CSV_H_INCLUDED_
#define _VB_CSV_H_INCLUDED_


#include <vb_input.h>


#define VB_CSV_MAX_RECORD  1048576     /* bytes */
#define VB_CSV_MAX_FIELDS  1024    /* as its error says */


typedef struct {
    vb_input_t      *in;
    int              delimiter;

    uint64_t         line;             /* of the record's first character */
    uint64_t         lines;            /* that have ended */

    /* the record: valid until the next one is read */
    size_t           nfields;
    vb_str_t        *fields;

    const char      *error;            /* static */
    unsigned         begun:1;

    vb_text_t        text;
} vb_csv_t;


void vb_csv_init(vb_csv_t *csv, vb_input_t *in, int delimiter);
void vb_csv_free(vb_csv_t *csv);

/*
 * VB_OK, a record; VB_DECLINED, there is no more; VB_ERROR with csv->error,
 * the file is no CSV from csv->line on.
 */
int vb_csv_read(vb_csv_t *csv);


#endif /* _VB_CSV_H_INCLUDED_ */
