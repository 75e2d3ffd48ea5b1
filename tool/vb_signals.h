
/*
 * Signals as state: INT and TERM interrupt, USR1 pauses, USR2 goes on; each
 * makes a descriptor readable, so that whoever waits is woken up.
 */


#ifndef _VB_SIGNALS_H_INCLUDED_
#define _VB_SIGNALS_H_INCLUDED_


/* takes them over; the descriptor */
int vb_signals_open(void);

int vb_signals_paused(void);

/* how many times so far; also empties the descriptor */
unsigned vb_signals_interrupts(void);


#endif /* _VB_SIGNALS_H_INCLUDED_ */
