
/* Reads a journal back: which rows it knows, and which are not done */


#ifndef _VB_JOURNAL_READ_H_INCLUDED_
#define _VB_JOURNAL_READ_H_INCLUDED_


#include <vb_journal.h>


/*
 * Reads j->fd from its beginning.  Returns the bytes of whole records, 0 for
 * an empty file, or VB_ERROR with j->error.
 */
off_t vb_journal_read(vb_journal_t *j);


#endif /* _VB_JOURNAL_READ_H_INCLUDED_ */
