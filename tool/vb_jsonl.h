
/* JSON lines: an object a line, its members as those of a CSV's columns */


#ifndef _VB_JSONL_H_INCLUDED_
#define _VB_JSONL_H_INCLUDED_


#include <vb_rows.h>


#define VB_JSONL_MAX_LINE  1048576


/* the next row, see vb_rows_read(); blank lines are passed over */
int vb_jsonl_read(vb_rows_t *rows);


#endif /* _VB_JSONL_H_INCLUDED_ */
