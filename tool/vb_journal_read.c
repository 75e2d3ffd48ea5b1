
/*
 * The journal's records, one after the other.  Rows appear in their order for
 * the first time, so what is known of a million of them is a number, and
 * those that are not done.
 */


#include <vb_journal_read.h>
#include <vb_input.h>
#include <vb_json.h>

#include <ctype.h>
#include <stdlib.h>


/* of one record; a longer one is none of ours */
#define VB_JOURNAL_MAX_RECORD  65536


enum {
    VB_JOURNAL_ID = 0,
    VB_JOURNAL_VERSION,
    VB_JOURNAL_ROW,
    VB_JOURNAL_EVENT,
    VB_JOURNAL_CHAIN,
    VB_JOURNAL_ATTEMPT,
    VB_JOURNAL_AT,
    VB_JOURNAL_UNTIL,
    VB_JOURNAL_AGAIN,
    VB_JOURNAL_CALL_SID,
    VB_JOURNAL_OUTCOME,
    VB_JOURNAL_MS,
    VB_JOURNAL_FIELDS
};


static const vb_json_field_t  vb_journal_fields[] = {
    { VB_JSON_ROOT, vb_str("journal") },
    { VB_JSON_ROOT, vb_str("version") },
    { VB_JSON_ROOT, vb_str("row") },
    { VB_JSON_ROOT, vb_str("event") },
    { VB_JSON_ROOT, vb_str("chain") },
    { VB_JSON_ROOT, vb_str("attempt") },
    { VB_JSON_ROOT, vb_str("at") },
    { VB_JSON_ROOT, vb_str("until") },
    { VB_JSON_ROOT, vb_str("again") },
    { VB_JSON_ROOT, vb_str("call_sid") },
    { VB_JSON_ROOT, vb_str("outcome") },
    { VB_JSON_ROOT, vb_str("ms") }
};


static off_t vb_journal_lines(vb_journal_t *j, vb_input_t *in,
    vb_text_t *text);
static int vb_journal_line(vb_journal_t *j, const vb_str_t *line);
static int vb_journal_head(vb_journal_t *j, const vb_json_value_t *v);
static int vb_journal_record(vb_journal_t *j, const vb_json_value_t *v);
static int vb_journal_call(vb_journal_t *j, vb_journal_row_t *row,
    const vb_json_value_t *sid);
static vb_journal_row_t *vb_journal_row(vb_journal_t *j, uint64_t number,
    const vb_json_value_t *v);
static int vb_journal_outcome(vb_journal_t *j, vb_journal_row_t *row,
    const vb_json_value_t *v);
static void vb_journal_compact(vb_journal_t *j);
static int64_t vb_journal_time(const vb_json_value_t *value);


off_t
vb_journal_read(vb_journal_t *j)
{
    off_t       end;
    vb_text_t   text;
    vb_input_t  in;

    memset(&in, 0, sizeof(vb_input_t));
    memset(&text, 0, sizeof(vb_text_t));

    in.fd = j->fd;
    in.start = vb_alloc(VB_INPUT_BUFFER);

    end = vb_journal_lines(j, &in, &text);

    /* text of another kind must not be taken for a record that was cut */

    if (end == 0 && text.len
        && strncmp((char *) text.data, "{\"journal\": ",
                   vb_min(text.len, 12)) != 0)
    {
        snprintf(j->error, sizeof(j->error), "%s: not a journal", j->name);
        end = VB_ERROR;
    }

    vb_journal_compact(j);
    vb_text_free(&text);
    free(in.start);

    return end;
}


/* bytes of whole records; text has the beginning of one that is not */

static off_t
vb_journal_lines(vb_journal_t *j, vb_input_t *in, vb_text_t *text)
{
    int        c;
    off_t      end;
    u_char     byte;
    vb_str_t   line;
    unsigned   number;

    end = 0;
    number = 0;

    while ((c = vb_input_get(in)) >= 0) {

        if (c != '\n') {
            if (text->len < VB_JOURNAL_MAX_RECORD) {
                byte = c;
                vb_text_add(text, &byte, 1);
            }

            continue;
        }

        number++;
        line.data = text->data;
        line.len = text->len;

        if (vb_journal_line(j, &line) != VB_OK) {
            snprintf(j->error, sizeof(j->error), "%s, line %u: not a record "
                     "of a journal", j->name, number);
            return VB_ERROR;
        }

        end = vb_input_offset(in);
        vb_text_reset(text);
    }

    if (c == VB_INPUT_FAILED) {
        snprintf(j->error, sizeof(j->error), "%s: %s", j->name, in->error);
        return VB_ERROR;
    }

    return end;
}


static int
vb_journal_line(vb_journal_t *j, const vb_str_t *line)
{
    size_t           offset;
    const char      *error;
    vb_json_value_t  v[VB_JOURNAL_FIELDS];

    if (line->len == 0
        || vb_json_select(line, vb_journal_fields, VB_JOURNAL_FIELDS, v,
                          &error, &offset)
           != VB_OK)
    {
        return VB_ERROR;
    }

    return j->id[0] ? vb_journal_record(j, v) : vb_journal_head(j, v);
}


static int
vb_journal_head(vb_journal_t *j, const vb_json_value_t *v)
{
    size_t    i;
    int64_t   version;
    vb_str_t  id;

    if (v[VB_JOURNAL_ID].type != VB_JSON_STRING
        || v[VB_JOURNAL_ID].text.len != sizeof(j->id) - 1
        || vb_json_integer(&v[VB_JOURNAL_VERSION], &version) != VB_OK
        || version != 1)
    {
        return VB_ERROR;
    }

    id = v[VB_JOURNAL_ID].text;

    /* the calls' keys are made of it */

    for (i = 0; i < id.len; i++) {
        if (!isxdigit(id.data[i])) {
            return VB_ERROR;
        }
    }

    memcpy(j->id, id.data, id.len);

    return VB_OK;
}


static int
vb_journal_record(vb_journal_t *j, const vb_json_value_t *v)
{
    int64_t            number, attempt;
    vb_str_t           event;
    vb_journal_row_t  *row;

    if (vb_json_integer(&v[VB_JOURNAL_ROW], &number) != VB_OK || number < 1
        || v[VB_JOURNAL_EVENT].type != VB_JSON_STRING)
    {
        return VB_ERROR;
    }

    row = vb_journal_row(j, number, v);

    if (row == NULL) {
        return VB_ERROR;
    }

    event = v[VB_JOURNAL_EVENT].text;

    if (vb_str_eq(&event, "wait")) {

        /* for hours, which may be others by now */

        row->state = VB_ROW_WAITS;
        row->at = vb_min(vb_journal_time(&v[VB_JOURNAL_UNTIL]), 0);

    } else if (vb_str_eq(&event, "intent")) {

        if (vb_json_integer(&v[VB_JOURNAL_ATTEMPT], &attempt) != VB_OK) {
            return VB_ERROR;
        }

        row->state = VB_ROW_DOUBT;
        row->attempt = attempt;
        row->at = vb_journal_time(&v[VB_JOURNAL_AT]);

    } else if (vb_str_eq(&event, "placed")) {
        return vb_journal_call(j, row, &v[VB_JOURNAL_CALL_SID]);

    } else if (vb_str_eq(&event, "result")) {
        return vb_journal_outcome(j, row, v);

    } else {
        return VB_ERROR;
    }

    return row->at == VB_ERROR ? VB_ERROR : VB_OK;
}


static int
vb_journal_call(vb_journal_t *j, vb_journal_row_t *row,
    const vb_json_value_t *sid)
{
    if (sid->type != VB_JSON_STRING
        || sid->text.len >= sizeof(row->call_sid))
    {
        return VB_ERROR;
    }

    memcpy(row->call_sid, sid->text.data, sid->text.len);
    row->call_sid[sid->text.len] = '\0';

    row->state = VB_ROW_PLACED;
    j->calls++;

    return VB_OK;
}


/* the row of a record: one that is not done, or the next new one */

static vb_journal_row_t *
vb_journal_row(vb_journal_t *j, uint64_t number, const vb_json_value_t *v)
{
    char               buf[17], *end;
    vb_journal_row_t  *row;

    if (number < j->next) {
        return vb_journal_find(j, number);
    }

    if (number != j->next || v[VB_JOURNAL_CHAIN].type != VB_JSON_STRING
        || v[VB_JOURNAL_CHAIN].text.len != 16)
    {
        return NULL;
    }

    memcpy(buf, v[VB_JOURNAL_CHAIN].text.data, 16);
    buf[16] = '\0';

    j->chain = strtoull(buf, &end, 16);

    if (*end) {
        return NULL;
    }

    if (j->ndone > 1024 && j->ndone > j->nrows / 2) {
        vb_journal_compact(j);
    }

    if (j->nrows == j->size) {
        j->size = j->size ? 2 * j->size : 64;
        j->rows = vb_realloc(j->rows, j->size * sizeof(vb_journal_row_t));
    }

    row = &j->rows[j->nrows++];

    memset(row, 0, sizeof(vb_journal_row_t));
    row->number = j->next++;
    row->attempt = 1;

    return row;
}


static int
vb_journal_outcome(vb_journal_t *j, vb_journal_row_t *row,
    const vb_json_value_t *v)
{
    int64_t       ms;
    vb_outcome_t  outcome;

    outcome = vb_outcome_find(v[VB_JOURNAL_OUTCOME].text.data,
                              v[VB_JOURNAL_OUTCOME].text.len);

    if (vb_json_integer(&v[VB_JOURNAL_MS], &ms) == VB_OK) {
        if (ms < 0 || ms >= VB_OUTCOME_MAX_DURATION * INT64_C(1000)) {
            return VB_ERROR;
        }

        j->duration += ms;
        j->timed++;
    }

    row->call_sid[0] = '\0';

    if (v[VB_JOURNAL_AGAIN].type == VB_JSON_STRING) {
        row->state = VB_ROW_WAITS;
        row->at = vb_journal_time(&v[VB_JOURNAL_AGAIN]);
        row->attempt++;

        if (outcome != VB_OUTCOME_NONE) {
            row->retries[outcome]++;
            j->retries++;
        }

        return row->at == VB_ERROR ? VB_ERROR : VB_OK;
    }

    if (outcome == VB_OUTCOME_NONE) {
        return VB_ERROR;
    }

    j->outcomes[outcome]++;
    row->state = VB_ROW_DONE;
    j->ndone++;

    return VB_OK;
}


static void
vb_journal_compact(vb_journal_t *j)
{
    size_t  i, n;

    for (i = 0, n = 0; i < j->nrows; i++) {
        if (j->rows[i].state != VB_ROW_DONE) {
            j->rows[n++] = j->rows[i];
        }
    }

    j->nrows = n;
    j->ndone = 0;
}


vb_journal_row_t *
vb_journal_find(vb_journal_t *j, uint64_t number)
{
    size_t  low, high, middle;

    low = 0;
    high = j->nrows;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (j->rows[middle].number < number) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    if (low == j->nrows || j->rows[low].number != number
        || j->rows[low].state == VB_ROW_DONE)
    {
        return NULL;
    }

    return &j->rows[low];
}


static int64_t
vb_journal_time(const vb_json_value_t *value)
{
    if (value->type != VB_JSON_STRING) {
        return VB_ERROR;
    }

    return vb_time_parse(value->text.data, value->text.len);
}
