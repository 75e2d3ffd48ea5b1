
/*
 * Rows of CSV and of JSON lines: whatever is read, a row that is good makes a
 * request that is JSON.
 */


#include <vb_rows.h>
#include <vb_json.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(vb_rows_t *rows)
{
    vb_str_t      text;
    vb_text_t     body;
    vb_request_t  request;

    memset(&body, 0, sizeof(vb_text_t));
    memset(&request, 0, sizeof(vb_request_t));

    request.to.data = rows->to.data;
    request.to.len = rows->to.len;
    request.variables.data = rows->members.data;
    request.variables.len = rows->members.len;

    vb_request_write(&body, &request);

    text.data = body.data;
    text.len = body.len;

    if (vb_json_check(&text, VB_JSON_OBJECT) != VB_OK) {
        abort();
    }

    vb_text_free(&body);
}


/* the first byte chooses the format; a file in memory has a name as well */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int         fd;
    char        name[32];
    vb_rows_t   rows;

    if (size < 1) {
        return 0;
    }

    fd = memfd_create("rows", 0);

    if (fd == -1 || write(fd, data + 1, size - 1) != (ssize_t) size - 1) {
        abort();
    }

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);

    memset(&rows, 0, sizeof(vb_rows_t));
    rows.name = name;
    rows.jsonl = data[0] & 1;
    rows.delimiter = data[0] & 2 ? ';' : ',';
    rows.types = rows.jsonl ? NULL : data[0] & 4 ? "n=number,b=boolean,j=json"
                                                 : NULL;

    if (vb_rows_open(&rows) == VB_OK) {
        while (vb_rows_read(&rows) == VB_OK) {
            if (rows.invalid[0] == '\0') {
                check(&rows);
            }
        }
    }

    vb_rows_close(&rows);
    vb_text_free(&rows.line);
    vb_text_free(&rows.to);
    vb_text_free(&rows.agent);
    vb_text_free(&rows.zone);
    vb_text_free(&rows.session);
    vb_text_free(&rows.members);
    close(fd);

    return 0;
}
