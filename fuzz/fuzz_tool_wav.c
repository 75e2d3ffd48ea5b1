
/*
 * A WAV file of any bytes: it is refused with a reason, or becomes as much
 * mu-law as it has samples for.
 */


#include <vb_wav.h>

#include <stdlib.h>


#define check(cond)  do { if (!(cond)) { abort(); } } while (0)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vb_str_t     file;
    vb_text_t    ulaw;
    const char  *why;

    memset(&ulaw, 0, sizeof(vb_text_t));

    file.data = (u_char *) data;
    file.len = size;
    why = NULL;

    if (vb_wav_parse(&file, &ulaw, &why) != VB_OK) {
        check(why != NULL && ulaw.len == 0);
        vb_text_free(&ulaw);
        return 0;
    }

    /* no rate is lower than that of mu-law */

    check(ulaw.len <= size / 2);

    vb_text_free(&ulaw);

    return 0;
}
