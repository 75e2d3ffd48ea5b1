
/*
 * Rows from records: columns with a meaning of their own, and dynamic
 * variables.  A row that is not good is a row all the same; a file that is
 * not good is the end.
 */


#include <vb_rows.h>
#include <vb_jsonl.h>
#include <vb_mask.h>
#include <vb_utf8.h>

#include <errno.h>
#include <stdlib.h>


static int vb_rows_header(vb_rows_t *rows);
static int vb_rows_columns(vb_rows_t *rows);
static int vb_rows_no_column(vb_rows_t *rows, size_t to);
static int vb_rows_column(vb_rows_t *rows, size_t n);
static int vb_rows_types(vb_rows_t *rows);
static int vb_rows_type(vb_rows_t *rows, const char *p, size_t len);
static int vb_rows_is_utf8(const vb_csv_t *csv);
static void vb_rows_record(vb_rows_t *rows);
static void vb_rows_variable(vb_rows_t *rows, const vb_column_t *column,
    const vb_str_t *value);
static size_t vb_rows_separator(const u_char *p, size_t len);
static uint64_t vb_rows_hash(uint64_t hash, const u_char *data, size_t len);


typedef struct {
    const char          *name;
    vb_column_role_t     role;
} vb_rows_role_t;


static const vb_rows_role_t  vb_rows_roles[] = {
    { "phone_number", VB_COLUMN_TO },
    { "to_number", VB_COLUMN_TO },
    { "agent_id", VB_COLUMN_AGENT },
    { "timezone", VB_COLUMN_ZONE },
    { "session_id", VB_COLUMN_SESSION },
    { NULL, 0 }
};


int
vb_rows_open(vb_rows_t *rows)
{
    if (vb_input_open(&rows->in, rows->name) != VB_OK) {
        snprintf(rows->error, sizeof(rows->error), "%s: %s", rows->name,
                 strerror(errno));
        return VB_ERROR;
    }

    rows->number = 0;
    rows->chain = 14695981039346656037ULL;
    rows->again = 0;

    if (rows->jsonl) {

        if (rows->types) {
            snprintf(rows->error, sizeof(rows->error), "--types is for CSV: "
                     "JSON lines have types of their own");
            return VB_ERROR;
        }

        return VB_OK;
    }

    vb_csv_init(&rows->csv, &rows->in, rows->delimiter);

    return vb_rows_header(rows);
}


void
vb_rows_close(vb_rows_t *rows)
{
    size_t  i;

    for (i = 0; i < rows->ncolumns; i++) {
        free(rows->columns[i].name.data);
    }

    free(rows->columns);
    rows->columns = NULL;
    rows->ncolumns = 0;

    if (!rows->jsonl) {
        vb_csv_free(&rows->csv);
    }

    vb_input_close(&rows->in);
}


static int
vb_rows_header(vb_rows_t *rows)
{
    int  rc;

    rc = vb_csv_read(&rows->csv);

    if (rc == VB_OK) {
        return vb_rows_columns(rows);
    }

    snprintf(rows->error, sizeof(rows->error), "%s: %s", rows->name,
             rc == VB_ERROR ? rows->csv.error
                            : "it is empty, there is no header");

    return VB_ERROR;
}


static int
vb_rows_columns(vb_rows_t *rows)
{
    size_t  i, to;

    if (!vb_rows_is_utf8(&rows->csv)) {
        snprintf(rows->error, sizeof(rows->error), "%s: its header is not "
                 "UTF-8", rows->name);
        return VB_ERROR;
    }

    rows->ncolumns = rows->csv.nfields;
    rows->columns = vb_alloc(rows->ncolumns * sizeof(vb_column_t));
    to = 0;

    for (i = 0; i < rows->ncolumns; i++) {
        if (vb_rows_column(rows, i) != VB_OK) {
            return VB_ERROR;
        }

        to += (rows->columns[i].role == VB_COLUMN_TO);
    }

    if (to != 1) {
        return vb_rows_no_column(rows, to);
    }

    return vb_rows_types(rows);
}


/* a file without a header may have a number there, and is not to show it */

static int
vb_rows_no_column(vb_rows_t *rows, size_t to)
{
    size_t      len;
    char       *first;
    vb_str_t   *name;

    if (to) {
        snprintf(rows->error, sizeof(rows->error), "%s: there are a column "
                 "phone_number and one to_number", rows->name);
        return VB_ERROR;
    }

    name = &rows->columns[0].name;

    for (len = vb_min(name->len, 60);
         len < name->len && (name->data[len] & 0xc0) == 0x80;
         len--)
    {
        /* between two characters */
    }

    first = vb_strndup(name->data, len);
    vb_mask_numbers((u_char *) first, len);
    vb_printable(first);

    snprintf(rows->error, sizeof(rows->error), "%s: there is no column "
             "phone_number or to_number, the first is \"%s\"%s", rows->name,
             first, rows->ncolumns == 1 ? "; is the --delimiter right?" : "");

    free(first);

    return VB_ERROR;
}


static int
vb_rows_column(vb_rows_t *rows, size_t n)
{
    size_t                 i;
    vb_str_t              *field;
    vb_column_t           *column;
    const vb_rows_role_t  *role;

    field = &rows->csv.fields[n];
    column = &rows->columns[n];

    column->name.data = (u_char *) vb_strndup(field->data, field->len);
    column->name.len = field->len;

    for (role = vb_rows_roles; role->name; role++) {
        if (strcmp(role->name, (char *) column->name.data) == 0) {
            column->role = role->role;
        }
    }

    if (field->len == 0) {
        snprintf(rows->error, sizeof(rows->error), "%s: column %zu has no "
                 "name", rows->name, n + 1);
        return VB_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (rows->columns[i].name.len == field->len
            && memcmp(rows->columns[i].name.data, field->data, field->len)
               == 0)
        {
            snprintf(rows->error, sizeof(rows->error),
                     "%s: there are two columns \"%.100s\"", rows->name,
                     column->name.data);
            return VB_ERROR;
        }
    }

    return VB_OK;
}


static int
vb_rows_types(vb_rows_t *rows)
{
    size_t       len;
    const char  *p;

    for (p = rows->types; p && *p; p += len + (p[len] == ',')) {
        len = strcspn(p, ",");

        if (vb_rows_type(rows, p, len) != VB_OK) {
            return VB_ERROR;
        }
    }

    return VB_OK;
}


static int
vb_rows_type(vb_rows_t *rows, const char *p, size_t len)
{
    size_t        i, n;
    vb_type_t     type;
    vb_column_t  *column;

    n = len;

    while (n && p[n - 1] != '=') {
        n--;
    }

    if (n < 2 || vb_type_find(p + n, len - n, &type) != VB_OK) {
        snprintf(rows->error, sizeof(rows->error), "--types wants "
                 "column=string|number|boolean|json, not \"%.*s\"",
                 (int) vb_min(len, 100), p);
        return VB_ERROR;
    }

    for (i = 0; i < rows->ncolumns; i++) {
        column = &rows->columns[i];

        if (column->role == VB_COLUMN_VARIABLE && column->name.len == n - 1
            && memcmp(column->name.data, p, n - 1) == 0)
        {
            column->type = type;
            return VB_OK;
        }
    }

    snprintf(rows->error, sizeof(rows->error), "--types: %s has no variable "
             "\"%.*s\"", rows->name, (int) vb_min(n - 1, 100), p);

    return VB_ERROR;
}


int
vb_rows_read(vb_rows_t *rows)
{
    int  rc;

    if (rows->again) {
        rows->again = 0;
        return VB_OK;
    }

    vb_text_reset(&rows->to);
    vb_text_reset(&rows->agent);
    vb_text_reset(&rows->zone);
    vb_text_reset(&rows->session);
    vb_text_reset(&rows->members);
    rows->invalid[0] = '\0';

    if (rows->variables) {
        vb_text_puts(&rows->members, rows->variables);
    }

    if (rows->jsonl) {
        rc = vb_jsonl_read(rows);

        if (rc == VB_OK) {
            rows->chain = vb_rows_hash(rows->chain, rows->line.data,
                                       rows->line.len);
        }

    } else {
        rc = vb_csv_read(&rows->csv);

        if (rc == VB_ERROR) {
            snprintf(rows->error, sizeof(rows->error), "%s, line %llu: %s",
                     rows->name, (unsigned long long) rows->csv.line,
                     rows->csv.error);
        }

        if (rc == VB_OK) {
            vb_rows_record(rows);
        }
    }

    if (rc == VB_OK) {
        rows->number++;
    }

    return rc;
}


static void
vb_rows_record(vb_rows_t *rows)
{
    size_t        i;
    vb_str_t     *field;
    vb_column_t  *column;

    for (i = 0; i < rows->csv.nfields; i++) {
        field = &rows->csv.fields[i];
        rows->chain = vb_rows_hash(rows->chain, field->data, field->len);
    }

    if (rows->csv.nfields != rows->ncolumns) {
        snprintf(rows->invalid, sizeof(rows->invalid),
                 "line %llu has %zu fields, the header has %zu",
                 (unsigned long long) rows->csv.line, rows->csv.nfields,
                 rows->ncolumns);
        return;
    }

    if (!vb_rows_is_utf8(&rows->csv)) {
        snprintf(rows->invalid, sizeof(rows->invalid), "line %llu is not "
                 "UTF-8", (unsigned long long) rows->csv.line);
        return;
    }

    for (i = 0; i < rows->ncolumns; i++) {
        field = &rows->csv.fields[i];
        column = &rows->columns[i];

        switch (column->role) {

        case VB_COLUMN_TO:
            if (vb_rows_number(&rows->to, field) != VB_OK) {
                snprintf(rows->invalid, sizeof(rows->invalid),
                         "%s is no number in E.164 form such as +14155550123",
                         column->name.data);
            }

            break;

        case VB_COLUMN_AGENT:
            vb_text_add(&rows->agent, field->data, field->len);
            break;

        case VB_COLUMN_ZONE:
            vb_text_add(&rows->zone, field->data, field->len);
            break;

        case VB_COLUMN_SESSION:
            vb_text_add(&rows->session, field->data, field->len);
            break;

        default:
            vb_rows_variable(rows, column, field);
        }
    }
}


static int
vb_rows_is_utf8(const vb_csv_t *csv)
{
    size_t    i;
    uint32_t  state;

    state = 0;

    for (i = 0; i < csv->nfields; i++) {
        if (vb_utf8_check(&state, csv->fields[i].data, csv->fields[i].len)
            != VB_OK
            || state)
        {
            return 0;
        }
    }

    return 1;
}


static void
vb_rows_variable(vb_rows_t *rows, const vb_column_t *column,
    const vb_str_t *value)
{
    const char  *why;

    if (vb_variable_write(&rows->members, &column->name, value, column->type,
                          &why)
        != VB_OK)
    {
        snprintf(rows->invalid, sizeof(rows->invalid), "%.100s %s",
                 column->name.data, why);
    }
}


int
vb_rows_number(vb_text_t *number, const vb_str_t *text)
{
    size_t         len, n;
    const u_char  *p;

    p = text->data;

    for (len = text->len; len && number->len < 32; len -= n) {

        /* "+49 (0)170": a zero that is dialled within the country only */

        if (len >= 3 && memcmp(p, "(0)", 3) == 0) {
            return VB_DECLINED;
        }

        n = vb_rows_separator(p, len);

        if (n == 0) {
            vb_text_add(number, p, 1);
            n = 1;
        }

        p += n;
    }

    return number->len && vb_is_e164(number->data, number->len)
           ? VB_OK : VB_DECLINED;
}


/*
 * How many bytes of UTF-8 are what people and their programs group digits
 * with: the spaces and dashes of ASCII and of Unicode's General Punctuation,
 * and marks of direction, which are copied along and which nobody sees.
 */

static size_t
vb_rows_separator(const u_char *p, size_t len)
{
    if (*p && *p < 0x80) {
        return strchr(" -()./\t", *p) != NULL;
    }

    if (len >= 2 && p[0] == 0xc2) {
        return p[1] == 0xa0 ? 2 : 0;                       /* no-break space */
    }

    if (len < 3 || p[0] != 0xe2) {
        return 0;
    }

    if (p[1] == 0x80) {
        return p[2] <= 0x95 || (p[2] >= 0xa8 && p[2] <= 0xaf) ? 3 : 0;
    }

    return (p[1] == 0x81 && p[2] >= 0xa0 && p[2] <= 0xaf)   /* U+2060... */
           || (p[1] == 0x88 && p[2] == 0x92) ? 3 : 0;       /* minus sign */
}


/*
 * FNV-1a, 64 bits, <http://www.isthe.com/chongo/tech/comp/fnv/>; with a byte
 * behind each text that no text has, so that where one ends makes a difference
 */

static uint64_t
vb_rows_hash(uint64_t hash, const u_char *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        hash = (hash ^ data[i]) * 1099511628211ULL;
    }

    return (hash ^ 0xff) * 1099511628211ULL;
}
