
/*
 * Numbers in a hash table with linear probing.  E.164 has at most 15 digits,
 * so a number with its + left out fits 64 bits.
 */


#include <vb_numbers.h>
#include <vb_rows.h>

#include <errno.h>
#include <stdlib.h>


static uint64_t vb_numbers_value(const u_char *number);
static size_t vb_numbers_slot(const vb_numbers_t *set, uint64_t value);
static void vb_numbers_grow(vb_numbers_t *set);


static uint64_t
vb_numbers_value(const u_char *number)
{
    uint64_t  value;

    value = 0;

    for (number++; *number; number++) {
        value = value * 10 + (*number - '0');
    }

    return value;
}


/* where value is, or is to be */

static size_t
vb_numbers_slot(const vb_numbers_t *set, uint64_t value)
{
    size_t  i;

    i = (value * 0x9e3779b97f4a7c15ULL) >> 20;

    for (i &= set->size - 1;
         set->slots[i] && set->slots[i] != value;
         i = (i + 1) & (set->size - 1))
    {
        /* void */
    }

    return i;
}


int
vb_numbers_add(vb_numbers_t *set, const u_char *number)
{
    size_t    i;
    uint64_t  value;

    if (set->n * 4 >= set->size * 3) {
        vb_numbers_grow(set);
    }

    value = vb_numbers_value(number);
    i = vb_numbers_slot(set, value);

    if (set->slots[i]) {
        return VB_DECLINED;
    }

    set->slots[i] = value;
    set->n++;

    return VB_OK;
}


static void
vb_numbers_grow(vb_numbers_t *set)
{
    size_t     i, size;
    uint64_t  *slots;

    slots = set->slots;
    size = set->size;

    set->size = size ? 2 * size : 1024;
    set->slots = vb_alloc(set->size * sizeof(uint64_t));

    for (i = 0; i < size; i++) {
        if (slots[i]) {
            set->slots[vb_numbers_slot(set, slots[i])] = slots[i];
        }
    }

    free(slots);
}


int
vb_numbers_has(const vb_numbers_t *set, const u_char *number)
{
    return set->n
           && set->slots[vb_numbers_slot(set, vb_numbers_value(number))] != 0;
}


void
vb_numbers_load(vb_numbers_t *set, const char *name)
{
    int         rc;
    vb_csv_t    csv;
    vb_text_t   number;
    vb_input_t  in;

    if (vb_input_open(&in, name) != VB_OK) {
        vb_die(VB_EXIT_USAGE, "%s: %s", name, strerror(errno));
    }

    memset(&number, 0, sizeof(vb_text_t));
    vb_csv_init(&csv, &in, ',');

    while ((rc = vb_csv_read(&csv)) == VB_OK) {

        if (csv.fields[0].len && csv.fields[0].data[0] == '#') {
            continue;
        }

        vb_text_reset(&number);

        if (vb_rows_number(&number, &csv.fields[0]) != VB_OK) {
            vb_die(VB_EXIT_USAGE, "%s, line %llu: no number in E.164 form "
                   "such as +14155550123", name,
                   (unsigned long long) csv.line);
        }

        vb_numbers_add(set, number.data);
    }

    if (rc == VB_ERROR) {
        vb_die(VB_EXIT_USAGE, "%s, line %llu: %s", name,
               (unsigned long long) csv.line, csv.error);
    }

    vb_csv_free(&csv);
    vb_text_free(&number);
    vb_input_close(&in);
}
