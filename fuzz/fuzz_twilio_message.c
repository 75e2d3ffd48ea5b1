
/* Twilio's messages: whatever parses points into what was given */


#include <stdlib.h>

#include <vb_twilio_stream.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char               *copy, *pos, *out;
    vb_str_t              text;
    const char           *error;
    vb_json_value_t       name, value;
    vb_twilio_message_t   m;

    copy = malloc(size ? size : 1);
    out = malloc(size ? size : 1);
    memcpy(copy, data, size);

    text.data = copy;
    text.len = size;

    if (vb_twilio_message_parse(&m, &text, &error) == VB_OK) {

        if (m.parameters.type == VB_JSON_OBJECT) {
            pos = m.parameters.text.data;

            while (vb_json_next(&m.parameters, &pos, &name, &value) == VB_OK) {
                (void) vb_json_unescape(out, &name.text);
                (void) vb_json_unescape(out, &value.text);
            }
        }

        if (m.event == VB_TWILIO_START
            && (m.stream_sid.len != VB_TWILIO_SID_LENGTH
                || m.call_sid.len != VB_TWILIO_SID_LENGTH))
        {
            abort();
        }
    }

    free(copy);
    free(out);

    return 0;
}
