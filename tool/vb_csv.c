
/* CSV, a record at a time, from any number of bytes */


#include <vb_csv.h>

#include <stdlib.h>


static int vb_csv_begin(vb_csv_t *csv);
static int vb_csv_field(vb_csv_t *csv);
static int vb_csv_quoted(vb_csv_t *csv);
static int vb_csv_plain(vb_csv_t *csv);
static int vb_csv_add(vb_csv_t *csv, int c);
static int vb_csv_failed(vb_csv_t *csv, int c);


/* what ends a field */
#define VB_CSV_DELIMITER  1
#define VB_CSV_RECORD     2
#define VB_CSV_END        3


void
vb_csv_init(vb_csv_t *csv, vb_input_t *in, int delimiter)
{
    memset(csv, 0, sizeof(vb_csv_t));

    csv->in = in;
    csv->delimiter = delimiter;
    csv->fields = vb_alloc(VB_CSV_MAX_FIELDS * sizeof(vb_str_t));

    /* a field without a byte is somewhere, too */

    vb_text_add(&csv->text, "", 0);
}


void
vb_csv_free(vb_csv_t *csv)
{
    free(csv->fields);
    vb_text_free(&csv->text);
}


int
vb_csv_read(vb_csv_t *csv)
{
    int      end;
    u_char  *p;
    size_t   i;

    if (!csv->begun && vb_csv_begin(csv) != VB_OK) {
        return VB_ERROR;
    }

    do {
        csv->line = csv->lines + 1;
        csv->nfields = 0;
        vb_text_reset(&csv->text);

        do {
            if (csv->nfields == VB_CSV_MAX_FIELDS) {
                csv->error = "more than 1024 fields";
                return VB_ERROR;
            }

            csv->fields[csv->nfields].len = csv->text.len;

            end = vb_csv_field(csv);

            if (end == VB_ERROR) {
                return VB_ERROR;
            }

            csv->fields[csv->nfields].len = csv->text.len
                                          - csv->fields[csv->nfields].len;
            csv->nfields++;

        } while (end == VB_CSV_DELIMITER);

        if (end == VB_CSV_END && csv->nfields == 1 && csv->text.len == 0) {
            return VB_DECLINED;
        }

    } while (csv->nfields == 1 && csv->text.len == 0);

    /* the text may have moved while it grew */

    p = csv->text.data;

    for (i = 0; i < csv->nfields; i++) {
        csv->fields[i].data = p;
        p += csv->fields[i].len;
    }

    return VB_OK;
}


/* what a spreadsheet may have put before the first character */

static int
vb_csv_begin(vb_csv_t *csv)
{
    int  c;

    csv->begun = 1;

    c = vb_input_peek(csv->in);

    if (c == 0xff || c == 0xfe) {
        csv->line = 1;
        csv->error = "not UTF-8, but UTF-16: save it as UTF-8";
        return VB_ERROR;
    }

    if (c != 0xef) {
        return VB_OK;
    }

    if (vb_input_get(csv->in) != 0xef || vb_input_get(csv->in) != 0xbb
        || vb_input_get(csv->in) != 0xbf)
    {
        csv->line = 1;
        csv->error = "not UTF-8";
        return VB_ERROR;
    }

    return VB_OK;
}


static int
vb_csv_field(vb_csv_t *csv)
{
    if (vb_input_peek(csv->in) == '"') {
        vb_input_get(csv->in);
        return vb_csv_quoted(csv);
    }

    return vb_csv_plain(csv);
}


static int
vb_csv_quoted(vb_csv_t *csv)
{
    int  c;

    for ( ;; ) {
        c = vb_input_get(csv->in);

        if (c == VB_INPUT_END) {
            csv->error = "a quote that is not closed";
            return VB_ERROR;
        }

        if (c == '"' && vb_input_peek(csv->in) != '"') {
            break;
        }

        if (c == '"') {
            vb_input_get(csv->in);
        }

        if (c == '\n') {
            csv->lines++;
        }

        if (vb_csv_add(csv, c) != VB_OK) {
            return VB_ERROR;
        }
    }

    c = vb_input_peek(csv->in);

    if (c != csv->delimiter && c != '\n' && c != '\r' && c != VB_INPUT_END) {
        csv->error = "something between a closing quote and the delimiter";
        return VB_ERROR;
    }

    return vb_csv_plain(csv);
}


static int
vb_csv_plain(vb_csv_t *csv)
{
    int  c;

    for ( ;; ) {
        c = vb_input_get(csv->in);

        if (c == csv->delimiter) {
            return VB_CSV_DELIMITER;
        }

        switch (c) {

        case '\r':
            if (vb_input_peek(csv->in) == '\n') {
                vb_input_get(csv->in);
            }

            /* fall through */

        case '\n':
            csv->lines++;
            return VB_CSV_RECORD;

        case VB_INPUT_END:
            return VB_CSV_END;
        }

        if (vb_csv_add(csv, c) != VB_OK) {
            return VB_ERROR;
        }
    }
}


static int
vb_csv_add(vb_csv_t *csv, int c)
{
    u_char  byte;

    if (c <= 0) {
        return vb_csv_failed(csv, c);
    }

    if (csv->text.len == VB_CSV_MAX_RECORD) {
        csv->error = "a record of more than a megabyte: is a quote missing?";
        return VB_ERROR;
    }

    if (csv->text.len + 1 < csv->text.size) {
        csv->text.data[csv->text.len++] = c;
        return VB_OK;
    }

    byte = c;
    vb_text_add(&csv->text, &byte, 1);

    return VB_OK;
}


static int
vb_csv_failed(vb_csv_t *csv, int c)
{
    csv->error = c == 0 ? "a NUL: is it text?" : csv->in->error;

    return VB_ERROR;
}
