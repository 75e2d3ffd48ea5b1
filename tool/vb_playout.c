
/* The queue of a telephone's audio, and the marks in it */


#include <vb_playout.h>
#include <vb_g711.h>


size_t
vb_playout_add(vb_playout_t *p, const u_char *ulaw, size_t n)
{
    size_t  left, room;

    left = vb_playout_queued(p);
    room = vb_min(n, VB_PLAYOUT_MAX - left);

    /* what was played makes room now and then */

    if (p->played > 65536 && p->played > left) {
        memmove(p->queue.data, p->queue.data + p->played, left);
        p->queue.len = left;
        p->played = 0;
    }

    vb_text_add(&p->queue, ulaw, room);

    return n - room;
}


int
vb_playout_mark(vb_playout_t *p, const char *name)
{
    vb_playout_mark_t  *mark;

    if (p->nmarks == VB_PLAYOUT_MARKS) {
        return VB_DECLINED;
    }

    mark = &p->marks[p->nmarks++];
    mark->at = p->total + vb_playout_queued(p);
    mark->name = vb_strndup((u_char *) name, strlen(name));

    return VB_OK;
}


size_t
vb_playout_play(vb_playout_t *p, u_char *dst, size_t n)
{
    size_t  some;

    some = vb_min(n, vb_playout_queued(p));

    if (some) {
        memcpy(dst, p->queue.data + p->played, some);
    }

    memset(dst + some, VB_G711_ULAW_SILENCE, n - some);

    p->played += some;
    p->total += some;

    return some;
}


size_t
vb_playout_clear(vb_playout_t *p)
{
    size_t  i, dropped;

    dropped = vb_playout_queued(p);

    vb_text_reset(&p->queue);
    p->played = 0;

    for (i = 0; i < p->nmarks; i++) {
        p->marks[i].at = p->total;
    }

    return dropped;
}


char *
vb_playout_due(vb_playout_t *p)
{
    char  *name;

    if (p->nmarks == 0 || p->marks[0].at > p->total) {
        return NULL;
    }

    name = p->marks[0].name;

    p->nmarks--;
    memmove(p->marks, p->marks + 1, p->nmarks * sizeof(vb_playout_mark_t));

    return name;
}
