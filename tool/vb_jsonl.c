
/*
 * Rows of JSON lines.  Variables keep their types, and every digit as it is
 * written.
 */


#include <vb_jsonl.h>
#include <vb_json.h>
#include <vb_utf8.h>


static int vb_jsonl_line(vb_rows_t *rows);
static void vb_jsonl_row(vb_rows_t *rows);
static void vb_jsonl_member(vb_rows_t *rows, const vb_json_value_t *name,
    const vb_json_value_t *value);
static void vb_jsonl_number(vb_text_t *to);
static vb_text_t *vb_jsonl_own(vb_rows_t *rows, const vb_str_t *name);


int
vb_jsonl_read(vb_rows_t *rows)
{
    int  rc;

    do {
        rc = vb_jsonl_line(rows);

        if (rc != VB_OK) {
            return rc;
        }

    } while (strspn((char *) rows->line.data, " \t\r") == rows->line.len);

    vb_jsonl_row(rows);

    return VB_OK;
}


static int
vb_jsonl_line(vb_rows_t *rows)
{
    int     c;
    u_char  byte;

    vb_text_reset(&rows->line);
    vb_text_add(&rows->line, "", 0);

    rows->csv.lines++;

    for ( ;; ) {
        c = vb_input_get(&rows->in);

        if (c == '\n') {
            return VB_OK;
        }

        if (c == VB_INPUT_END) {
            return rows->line.len ? VB_OK : VB_DECLINED;
        }

        if (c <= 0 || rows->line.len == VB_JSONL_MAX_LINE) {
            snprintf(rows->error, sizeof(rows->error), "%s, line %llu: %s",
                     rows->name, (unsigned long long) rows->csv.lines,
                     c == VB_INPUT_FAILED ? rows->in.error
                     : c == 0 ? "a NUL: is it text?"
                              : "a line of more than a megabyte");
            return VB_ERROR;
        }

        byte = c;
        vb_text_add(&rows->line, &byte, 1);
    }
}


static void
vb_jsonl_row(vb_rows_t *rows)
{
    u_char          *pos;
    size_t           offset;
    vb_str_t         text;
    uint32_t         state;
    const char      *error;
    vb_json_value_t  root, name, value;

    static const vb_json_field_t  any = { VB_JSON_ROOT, vb_str("") };

    text.data = rows->line.data;
    text.len = rows->line.len;

    /* a BOM, and the CR of CRLF, which is white space */

    if (rows->csv.lines == 1 && text.len >= 3
        && memcmp(text.data, "\xef\xbb\xbf", 3) == 0)
    {
        text.data += 3;
        text.len -= 3;
    }

    state = 0;

    if (vb_utf8_check(&state, text.data, text.len) != VB_OK || state) {
        snprintf(rows->invalid, sizeof(rows->invalid), "line %llu is not "
                 "UTF-8", (unsigned long long) rows->csv.lines);
        return;
    }

    /* for its syntax: the members are walked below */

    if (vb_json_select(&text, &any, 1, &value, &error, &offset) != VB_OK) {
        snprintf(rows->invalid, sizeof(rows->invalid), "line %llu is no JSON "
                 "object: %s near byte %zu",
                 (unsigned long long) rows->csv.lines, error, offset);
        return;
    }

    while (text.data[0] != '{') {
        text.data++;
        text.len--;
    }

    root.type = VB_JSON_OBJECT;
    root.text = text;
    pos = text.data;

    while (vb_json_next(&root, &pos, &name, &value) == VB_OK) {
        vb_jsonl_member(rows, &name, &value);
    }

    if (rows->invalid[0] == '\0' && !vb_is_e164(rows->to.data, rows->to.len)) {
        snprintf(rows->invalid, sizeof(rows->invalid), "phone_number is no "
                 "number in E.164 form such as +14155550123");
    }
}


static void
vb_jsonl_member(vb_rows_t *rows, const vb_json_value_t *name,
    const vb_json_value_t *value)
{
    vb_text_t  *own;

    own = vb_jsonl_own(rows, &name->text);

    if (own) {
        if (value->type == VB_JSON_NULL) {
            return;
        }

        if (value->type != VB_JSON_STRING) {
            snprintf(rows->invalid, sizeof(rows->invalid), "%.*s must be a "
                     "string", (int) vb_min(name->text.len, 100),
                     name->text.data);
            return;
        }

        vb_text_reset(own);
        vb_text_add(own, value->text.data, value->text.len);
        own->len = vb_json_unescape(own->data, &value->text);
        own->data[own->len] = '\0';

        if (own == &rows->to) {
            vb_jsonl_number(own);
        }

        return;
    }

    if (value->type == VB_JSON_OBJECT) {
        snprintf(rows->invalid, sizeof(rows->invalid), "%.*s is an object, "
                 "which no dynamic variable may be",
                 (int) vb_min(name->text.len, 100), name->text.data);
        return;
    }

    if (rows->members.len) {
        vb_text_puts(&rows->members, ", ");
    }

    /* both are as they were in a JSON text */

    vb_text_printf(&rows->members, "\"%.*s\": ", (int) name->text.len,
                   name->text.data);

    if (value->type == VB_JSON_STRING) {
        vb_text_puts(&rows->members, "\"");
        vb_text_add(&rows->members, value->text.data, value->text.len);
        vb_text_puts(&rows->members, "\"");

    } else {
        vb_text_add(&rows->members, value->text.data, value->text.len);
    }
}


static void
vb_jsonl_number(vb_text_t *to)
{
    vb_str_t   text;
    vb_text_t  number;

    memset(&number, 0, sizeof(vb_text_t));

    text.data = to->data;
    text.len = to->len;

    if (vb_rows_number(&number, &text) == VB_OK) {
        vb_text_reset(to);
        vb_text_add(to, number.data, number.len);
    }

    vb_text_free(&number);
}


static vb_text_t *
vb_jsonl_own(vb_rows_t *rows, const vb_str_t *name)
{
    if (vb_str_eq(name, "phone_number") || vb_str_eq(name, "to_number")) {
        return &rows->to;
    }

    if (vb_str_eq(name, "agent_id")) {
        return &rows->agent;
    }

    if (vb_str_eq(name, "timezone")) {
        return &rows->zone;
    }

    return vb_str_eq(name, "session_id") ? &rows->session : NULL;
}
