
/* Texts that are counted and written by the same code */


#include <tap.h>
#include <text.h>
#include <vb_writer.h>


static void
write_some(vb_writer_t *w)
{
    vb_write_literal(w, "{\"");
    vb_write_json(w, (u_char *) "a\"\n\x01", 4);
    vb_write(w, NULL, 0);
    vb_write_literal(w, "\"}");
}


static const char  some[] = "{\"a\\\"\\n\\u0001\"}";


/* an area of any size holds the beginning, and len is always the whole */

static void
test_areas(void)
{
    u_char       *buf;
    size_t        size;
    vb_writer_t   w;

    vb_writer_init(&w, NULL);
    write_some(&w);
    is_int(w.len, sizeof(some) - 1, "counted");

    for (size = 0; size < sizeof(some) + 2; size++) {
        buf = malloc(size + 1);
        buf[size] = 'x';

        w.dst = buf;
        w.size = size;
        w.len = 0;

        write_some(&w);

        is_int(w.len, sizeof(some) - 1, "counted with room for %zu", size);
        is_mem(buf, vb_min(size, w.len), some, vb_min(size, w.len), "written");
        is_int(buf[size], 'x', "and no more");

        free(buf);
    }
}


static void
test_member(void)
{
    u_char       buf[64];
    vb_str_t     s;
    vb_writer_t  w;

    static const char  members[] = "{\"a\": \"\\\"\", \"b\": null";

    vb_writer_init(&w, buf);

    s = text("\"");
    vb_write_member(&w, "{\"a\": ", &s);

    s.len = 0;
    vb_write_member(&w, ", \"b\": ", &s);

    is_mem(buf, w.len, members, sizeof(members) - 1, "members of an object");
}


/* JSON strings longer than what is escaped at a time */

static void
test_long(void)
{
    size_t        i, n;
    u_char        plain[1000], *buf;
    vb_str_t      s;
    vb_writer_t   w;

    for (i = 0; i < sizeof(plain); i++) {
        plain[i] = (u_char) any(128);
    }

    for (n = 0; n <= sizeof(plain); n += 37) {
        buf = malloc(6 * n + 1);

        vb_writer_init(&w, buf);
        vb_write_json(&w, plain, n);

        is_int(w.len, vb_json_escape(NULL, plain, n), "%zu bytes escaped", n);

        s.data = buf;
        s.len = w.len;
        s.len = vb_json_unescape(buf, &s);
        is_mem(buf, s.len, plain, n, "and the same unescaped");

        free(buf);
    }
}


int
main(void)
{
    test_areas();
    test_member();
    test_long();

    return done_testing();
}
