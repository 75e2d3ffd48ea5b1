
/*
 * Phone numbers in logs, and in somebody else's words.
 *
 * A number is looked for as a run of groups of digits, each with one of
 * " -." or brackets before it.  With a plus in front it is one, whatever its
 * groups are; without, their sizes tell it from a date or a version.
 */


#include <vb_mask.h>


/* digits of a phone number; without a plus, and with nothing but spaces */
#define VB_MASK_MIN      7
#define VB_MASK_MAX      15
#define VB_MASK_SPACED   9

/* a group of so many is the last one, and of so many a number of its own */
#define VB_MASK_LAST     7
#define VB_MASK_WHOLE    9

#define VB_MASK_GROUPS   8
#define VB_MASK_AREA     5                  /* digits in brackets */
#define VB_MASK_COUNTRY  3                  /* and before them */

#define vb_mask_is_digit(c)  ((c) >= '0' && (c) <= '9')


typedef struct {
    const u_char  *digits;
    size_t         size;
    u_char         gap;                     /* what is before it, or 0 */
} vb_mask_group_t;

typedef struct {
    int              plus;
    size_t           len;                   /* bytes */
    size_t           digits;
    size_t           n;
    vb_mask_group_t  group[VB_MASK_GROUPS];
} vb_mask_run_t;


static int vb_mask_is_number(const vb_str_t *s);
static int vb_mask_is_word(u_char c);
static size_t vb_mask_word(const u_char *p, const u_char *last);
static void vb_mask_run(vb_mask_run_t *run, const u_char *data,
    const u_char *last);
static int vb_mask_fits(const vb_mask_run_t *run, const vb_mask_group_t *g);
static int vb_mask_is_phone(const vb_mask_run_t *run, const u_char *p,
    const u_char *last);
static int vb_mask_is_date(const vb_mask_run_t *run);
static int vb_mask_is_dotted(const vb_mask_run_t *run);
static int vb_mask_is_spaced(const vb_mask_run_t *run);
static void vb_mask_digits(u_char *data, size_t len);


size_t
vb_mask_number(u_char *dst, const vb_str_t *s)
{
    size_t  i;
    u_char  c;

    if (vb_mask_is_number(s)) {

        if (s->len) {
            memcpy(dst, s->data, s->len);
        }

        vb_mask_digits(dst, s->len);

        return s->len;
    }

    for (i = 0; i < s->len; i++) {
        c = s->data[i];
        dst[i] = (i < 2 && c > 0x20 && c < 0x7f) ? c : '*';
    }

    return s->len;
}


static int
vb_mask_is_number(const vb_str_t *s)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if (!vb_mask_is_digit(c) && c != '+' && c != '-' && c != '.'
            && c != ' ' && c != '(' && c != ')')
        {
            return 0;
        }
    }

    return 1;
}


void
vb_mask_numbers(u_char *data, size_t len)
{
    size_t         n;
    u_char        *p, *last;
    vb_mask_run_t  run;

    /* what is absent has no data */

    if (len == 0) {
        return;
    }

    last = data + len;

    for (p = data; p < last; p += n) {

        vb_mask_run(&run, p, last);

        if (run.n == 0) {
            n = vb_mask_word(p, last);
            n += (n == 0);
            continue;
        }

        n = run.len;

        if (vb_mask_is_phone(&run, p + n, last)) {
            vb_mask_digits(p, n);

        } else {

            /* if its end is one of a word's, that is no number, either */

            n += vb_mask_word(p + n, last);
        }
    }
}


static int
vb_mask_is_word(u_char c)
{
    return vb_mask_is_digit(c) || (c >= 'A' && c <= 'Z')
           || (c >= 'a' && c <= 'z') || c == '-';
}


static size_t
vb_mask_word(const u_char *p, const u_char *last)
{
    size_t  n;

    for (n = 0; p + n < last && vb_mask_is_word(p[n]); n++) { /* void */ }

    return n;
}


/* the run that begins at data, where no word is going on */

static void
vb_mask_run(vb_mask_run_t *run, const u_char *data, const u_char *last)
{
    const u_char     *p;
    vb_mask_group_t   g;

    memset(run, 0, sizeof(vb_mask_run_t));

    p = data;
    g.gap = 0;

    /* no country has a code that begins with 0, a time zone may */

    if (*p == '+' && last - p > 1 && p[1] > '0' && p[1] <= '9') {
        run->plus = 1;
        p++;
    }

    while (run->n < VB_MASK_GROUPS && p < last) {

        if (*p == '(') {
            g.gap = '(';
            p++;
        }

        g.digits = p;

        while (p < last && vb_mask_is_digit(*p)) {
            p++;
        }

        g.size = p - g.digits;

        if (g.gap == '(' && (p == last || *p++ != ')')) {
            return;
        }

        if (!vb_mask_fits(run, &g)) {
            return;
        }

        run->group[run->n++] = g;
        run->digits += g.size;
        run->len = p - data;

        if (p == last || g.size >= VB_MASK_LAST) {
            return;
        }

        if (*p == ' ' || *p == '-' || *p == '.') {
            g.gap = *p++;

        } else if (g.gap == '(') {
            g.gap = ')';

        } else if (*p != '(') {
            return;
        }
    }
}


/* whether the next group may belong to the same number */

static int
vb_mask_fits(const vb_mask_run_t *run, const vb_mask_group_t *g)
{
    if (g->size == 0) {
        return 0;
    }

    if (run->n == 0) {
        return g->gap == 0 || g->size <= VB_MASK_AREA;
    }

    if (run->digits + g->size > VB_MASK_MAX
        || (g->size >= VB_MASK_WHOLE && !run->plus))
    {
        return 0;
    }

    return g->gap != '('
           || (g->size <= VB_MASK_AREA && run->digits <= VB_MASK_COUNTRY);
}


/* p is the run's end */

static int
vb_mask_is_phone(const vb_mask_run_t *run, const u_char *p,
    const u_char *last)
{
    if (run->digits < VB_MASK_MIN || run->group[run->n - 1].gap == '(') {
        return 0;
    }

    if (run->plus) {
        return 1;
    }

    /* a part of a word */

    if (p < last && vb_mask_is_word(*p)
        && (*p != '-' || (last - p > 1 && vb_mask_is_word(p[1]))))
    {
        return 0;
    }

    if (run->n == 1) {
        return 1;
    }

    /* or of a time, or before a port */

    if (last - p > 1 && *p == ':' && vb_mask_is_digit(p[1])) {
        return 0;
    }

    return !vb_mask_is_date(run) && vb_mask_is_dotted(run)
           && vb_mask_is_spaced(run);
}


/* 2026-11-26, 26.11.2026: a year of ours, and two groups of two at most */

static int
vb_mask_is_date(const vb_mask_run_t *run)
{
    size_t                  i, k;
    const vb_mask_group_t  *g, *year;

    for (i = 0; i + 2 < run->n; i++) {

        g = &run->group[i];

        for (k = 0; k <= 2; k += 2) {
            year = &g[k];

            if (year->size == 4 && g[1].size <= 2 && g[2 - k].size <= 2
                && (memcmp(year->digits, "19", 2) == 0
                    || memcmp(year->digits, "20", 2) == 0))
            {
                return 1;
            }
        }
    }

    return 0;
}


/* with points 500.555.0006 and 06.12.34.56.78 are numbers, not 10.0.19045 */

static int
vb_mask_is_dotted(const vb_mask_run_t *run)
{
    size_t                  i, dots, threes, twos;
    const vb_mask_group_t  *g;

    dots = 0;
    threes = 0;
    twos = 0;

    for (i = 0; i < run->n; i++) {
        g = &run->group[i];

        dots += (g->gap == '.');
        twos += (g->size == 2);
        threes += (g->size == 3);
    }

    g = &run->group[run->n - 1];

    return dots == 0 || twos == run->n
           || (g->size == 4 && threes == 2 && run->n <= 4);
}


/* with nothing but spaces it takes more digits, and short groups */

static int
vb_mask_is_spaced(const vb_mask_run_t *run)
{
    size_t  i;

    for (i = 1; i < run->n; i++) {
        if (run->group[i].gap != ' ') {
            return 1;
        }
    }

    for (i = 0; run->n > 2 && i < run->n - 1; i++) {
        if (run->group[i].size >= VB_MASK_AREA) {
            return 0;
        }
    }

    return run->digits >= VB_MASK_SPACED;
}


static void
vb_mask_digits(u_char *data, size_t len)
{
    int  shown;

    for (shown = 4; len; len--) {

        if (!vb_mask_is_digit(data[len - 1])) {
            continue;
        }

        if (shown) {
            shown--;

        } else {
            data[len - 1] = '*';
        }
    }
}
