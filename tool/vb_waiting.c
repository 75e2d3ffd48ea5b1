
/* A binary heap of rows that wait */


#include <vb_waiting.h>


#define vb_waiting_before(a, b)                                               \
    ((a)->due < (b)->due                                                      \
     || ((a)->due == (b)->due && (a)->number < (b)->number))


void
vb_waiting_push(vb_waiting_t *w, vb_job_t *job)
{
    size_t  i, parent;

    if (w->n == w->size) {
        w->size = w->size ? 2 * w->size : 64;
        w->jobs = vb_realloc(w->jobs, w->size * sizeof(vb_job_t *));
    }

    for (i = w->n++; i; i = parent) {
        parent = (i - 1) / 2;

        if (!vb_waiting_before(job, w->jobs[parent])) {
            break;
        }

        w->jobs[i] = w->jobs[parent];
    }

    w->jobs[i] = job;
}


vb_job_t *
vb_waiting_top(const vb_waiting_t *w)
{
    return w->n ? w->jobs[0] : NULL;
}


vb_job_t *
vb_waiting_pop(vb_waiting_t *w)
{
    size_t     i, child;
    vb_job_t  *top, *last;

    if (w->n == 0) {
        return NULL;
    }

    top = w->jobs[0];
    last = w->jobs[--w->n];

    for (i = 0; (child = 2 * i + 1) < w->n; i = child) {

        if (child + 1 < w->n
            && vb_waiting_before(w->jobs[child + 1], w->jobs[child]))
        {
            child++;
        }

        if (!vb_waiting_before(w->jobs[child], last)) {
            break;
        }

        w->jobs[i] = w->jobs[child];
    }

    w->jobs[i] = last;

    return top;
}
