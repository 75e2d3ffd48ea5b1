
/*
 * What a telephone does with the audio it is sent: it is queued and played at
 * 8000 bytes a second, marks come back when all before them was played, and
 * "clear" empties the queue.  Source: Twilio, "Media Streams - WebSocket
 * Messages".
 */


#ifndef _VB_PLAYOUT_H_INCLUDED_
#define _VB_PLAYOUT_H_INCLUDED_


#include <vb_tool.h>


/* Twilio keeps 10 minutes, and discards what comes then, warning 31931 */
#define VB_PLAYOUT_MAX    4800000

/* marks that have not come back */
#define VB_PLAYOUT_MARKS  4096


typedef struct {
    uint64_t         at;               /* of the first byte behind it */
    char            *name;
} vb_playout_mark_t;


typedef struct {
    vb_text_t            queue;
    size_t               played;       /* bytes of the queue */
    uint64_t             total;        /* played, since the beginning */
    size_t               nmarks;
    vb_playout_mark_t    marks[VB_PLAYOUT_MARKS];
} vb_playout_t;


/* bytes that were discarded, because the queue is full */
size_t vb_playout_add(vb_playout_t *p, const u_char *ulaw, size_t n);

/* bytes that wait to be played */
#define vb_playout_queued(p)  ((p)->queue.len - (p)->played)

/* VB_OK, or VB_DECLINED: there are too many */
int vb_playout_mark(vb_playout_t *p, const char *name);

/*
 * Plays n bytes to dst, silence where there is nothing; returns how many were
 * in the queue.
 */
size_t vb_playout_play(vb_playout_t *p, u_char *dst, size_t n);

/* empties the queue: all marks are due; returns the bytes dropped */
size_t vb_playout_clear(vb_playout_t *p);

/* the name of a mark that is due, the caller's to free, or NULL */
char *vb_playout_due(vb_playout_t *p);


#endif /* _VB_PLAYOUT_H_INCLUDED_ */
