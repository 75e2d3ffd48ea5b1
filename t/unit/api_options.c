
/* Members of a request's body that say how a call is placed */


#include <tap.h>
#include <text.h>
#include <api_parse.h>


#define META(members)                                                         \
    "{\"agent_id\":\"a\",\"metadata\":{" TO "," members "}}"

static void
test_options(void)
{
    vb_str_t          body;
    vb_api_parser_t  *parser;

    static const char  override[] =
        "{\"agent\":{\"prompt\":{\"prompt\":\"a\\n\\\"b\"},\"n\":1.50}}";

    body = text(META("\"from_number\":\"+15005550006\",\"ring_timeout\":600,"
                     "\"send_digits\":\"ww12#\",\"record\":\"dual\","
                     "\"answered_by\":{\"machine\":\"hang_up\",\"fax\":"
                     "\"continue\",\"fax\":\"message\"},"
                     "\"conversation_config_override\":{ \"agent\" : {"
                     "\"prompt\":{\"prompt\":\"a\\n\\u0022b\"}, \"n\":1.50}},"
                     "\"user_id\":\"Zo\\u00eb\",\"environment\":\"staging\","
                     "\"branch_id\":\"b1\""));

    is_int(parse(&parser, &body, body.len, 0), VB_OK, "all options");

    is_mem(request.from_number.data, request.from_number.len, "+15005550006",
           12, "from_number");
    is_int(request.ring_timeout, 600, "ring_timeout");
    is_mem(request.send_digits.data, request.send_digits.len, "ww12#", 5,
           "send_digits");
    is_int(request.record, VB_TWILIO_RECORD_DUAL, "record");
    is_int(request.machine_detection, VB_API_UNSET, "machine_detection");
    is_int(request.answered_by.action[VB_TWILIO_MACHINE], VB_TWILIO_HANG_UP,
           "answered_by.machine");
    is_int(request.answered_by.action[VB_TWILIO_FAX], VB_TWILIO_MESSAGE,
           "answered_by.fax");
    is_int(request.answered_by.action[VB_TWILIO_HUMAN], VB_TWILIO_UNDECIDED,
           "answered_by.human");
    is_mem(request.client.conversation_config_override.data,
           request.client.conversation_config_override.len, override,
           sizeof(override) - 1, "conversation_config_override");
    is_mem(request.client.user_id.data, request.client.user_id.len,
           "Zo\xc3\xab", 4, "user_id");
    is_mem(request.client.environment.data, request.client.environment.len,
           "staging", 7, "environment");
    is_mem(request.client.branch_id.data, request.client.branch_id.len, "b1",
           2, "branch_id");

    vb_api_parser_destroy(parser);

    ok(is_same_in_pieces(&body), "the same in pieces");

    body = text("{\"agent_id\":\"a\",\"metadata\":{\"record\":1,"
                "\"user_id\":\"x\"},\"record\":2,\"metadata\":{" TO ","
                "\"record\":true,\"machine_detection\":\"start\","
                "\"send_digits\":\"\",\"ring_timeout\":null,"
                "\"environment\":null,\"from_number\":\"\"}}");

    is_int(parse(&parser, &body, body.len, 0), VB_OK, "others");
    is_int(request.record, VB_TWILIO_RECORD_MONO, "record");
    is_int(request.machine_detection, VB_TWILIO_DETECTION_START,
           "machine_detection");
    is_int(request.ring_timeout, 0, "no ring_timeout");
    is_int(request.client.user_id.len, 0, "the last metadata counts");
    is_int(request.from_number.len, 0, "empty is absent");

    vb_api_parser_destroy(parser);
}


static const struct {
    const char  *members;
    const char  *detail;
} bad_options[] = {
    { "\"from_number\":\"15005550006\"", "from_number must be in E.164 "
      "format: + and 2 to 15 digits, the first not 0" },
    { "\"from_number\":1", "metadata.from_number must be a string" },
    { "\"ring_timeout\":\"30\"", "metadata.ring_timeout must be a number" },
    { "\"ring_timeout\":0", "metadata.ring_timeout must be a whole number of "
      "seconds, 1 to 600" },
    { "\"ring_timeout\":601", "metadata.ring_timeout must be a whole number of "
      "seconds, 1 to 600" },
    { "\"ring_timeout\":-1", "metadata.ring_timeout must be a whole number of "
      "seconds, 1 to 600" },
    { "\"ring_timeout\":3.5", "metadata.ring_timeout must be a whole number of "
      "seconds, 1 to 600" },
    { "\"ring_timeout\":4294967297", "metadata.ring_timeout must be a whole "
      "number of seconds, 1 to 600" },
    { "\"record\":\"mono\"",
      "metadata.record must be true, false or \"dual\"" },
    { "\"record\":1", "metadata.record must be true, false or \"dual\"" },
    { "\"send_digits\":\"12a\"", "metadata.send_digits must be 1 to 32 of "
      "0-9, A-D, #, *, w and W" },
    { "\"machine_detection\":true",
      "metadata.machine_detection must be a string" },
    { "\"machine_detection\":\"Enable\"", "metadata.machine_detection must be "
      "\"off\", \"start\" or \"message_end\"" },
    { "\"machine_detection\":\"start\",\"send_digits\":\"1\"",
      "metadata.send_digits and metadata.machine_detection exclude each other: "
      "Twilio detects nothing where digits are sent" },
    { "\"answered_by\":\"machine\"",
      "metadata.answered_by must be an object" },
    { "\"answered_by\":{\"dog\\n\":\"hang_up\"}", "metadata.answered_by has "
      "no \"dog \"; it has human, machine, machine_start, machine_end_beep, "
      "machine_end_silence, machine_end_other, fax and unknown" },
    { "\"answered_by\":{\"fax\":\"stop\"}", "metadata.answered_by.fax must "
      "be \"continue\", \"hang_up\" or \"message\"" },
    { "\"answered_by\":{\"fax\":{}}", "metadata.answered_by.fax must be "
      "\"continue\", \"hang_up\" or \"message\"" },
    { "\"conversation_config_override\":\"{}\"",
      "metadata.conversation_config_override must be an object" },
    { "\"user_id\":7", "metadata.user_id must be a string" },
    { "\"user_id\":\"a\\nb\"",
      "metadata.user_id must not contain control characters" },
    { "\"environment\":[]", "metadata.environment must be a string" },
    { "\"branch_id\":{}", "metadata.branch_id must be a string" }
};


static void
test_bad_options(void)
{
    char              json[1024];
    size_t            i;
    vb_str_t          body;
    vb_api_parser_t  *parser;

    for (i = 0; i < NELTS(bad_options); i++) {
        sprintf(json, META("%s"), bad_options[i].members);

        body = text(json);

        is_int(parse(&parser, &body, body.len, 0), VB_ERROR, "%s", json);

        if (!is_mem(detail.data, detail.len, bad_options[i].detail,
                    strlen(bad_options[i].detail), "%s",
                    bad_options[i].detail))
        {
            printf("# %.*s\n", (int) detail.len, detail.data);
        }

        vb_api_parser_destroy(parser);
    }
}


int
main(void)
{
    test_options();
    test_bad_options();

    return done_testing();
}
