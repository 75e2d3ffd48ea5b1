
/* Who answers, and what is done then */


#include <tap.h>
#include <text.h>
#include <vb_twilio_machine.h>


static void
test_names(void)
{
    size_t    i;
    vb_str_t  s;

    static const char  *classes[] = {
        "human", "machine_start", "machine_end_beep", "machine_end_silence",
        "machine_end_other", "fax", "unknown", "machine"
    };
    static const char  *none[] = { "", "Human", "machine_", "machine_start_" };

    for (i = 0; i < NELTS(classes); i++) {
        s = text(classes[i]);
        is_int(vb_twilio_class(&s), i, "%s", classes[i]);
    }

    for (i = 0; i < NELTS(none); i++) {
        s = text(none[i]);
        is_int(vb_twilio_class(&s), VB_ERROR, "\"%s\" is no class", none[i]);
        is_int(vb_twilio_action(&s), VB_ERROR, "nor an action");
    }

    s = text("continue");
    is_int(vb_twilio_action(&s), VB_TWILIO_CONTINUE, "continue");
    s = text("hang_up");
    is_int(vb_twilio_action(&s), VB_TWILIO_HANG_UP, "hang_up");
    s = text("message");
    is_int(vb_twilio_action(&s), VB_TWILIO_MESSAGE, "message");
}


static void
is_decided(const vb_twilio_answered_t *first,
    const vb_twilio_answered_t *second, const char *expected)
{
    u_char                buf[256];
    size_t                n;
    vb_twilio_answered_t  decided;

    vb_twilio_decide(&decided, first, second);

    n = vb_twilio_decided(buf, &decided);
    is_mem(buf, n, expected, strlen(expected), "\"%s\"", expected);
    is_int(vb_twilio_decided(NULL, &decided), n, "counted");
}


static void
test_decide(void)
{
    vb_twilio_answered_t  request, location;

    memset(&request, 0, sizeof(request));
    memset(&location, 0, sizeof(location));

    is_decided(&request, &location, "");

    location.action[VB_TWILIO_MACHINE] = VB_TWILIO_HANG_UP;
    location.action[VB_TWILIO_MACHINE_END_BEEP] = VB_TWILIO_MESSAGE;
    location.action[VB_TWILIO_FAX] = VB_TWILIO_HANG_UP;

    is_decided(&request, &location,
               "machine_start=hang_up&machine_end_beep=message"
               "&machine_end_silence=hang_up&machine_end_other=hang_up"
               "&fax=hang_up");

    /* the request's word for all machines counts more than a location's for
     * one */

    request.action[VB_TWILIO_MACHINE] = VB_TWILIO_CONTINUE;
    request.action[VB_TWILIO_MACHINE_START] = VB_TWILIO_MESSAGE;
    request.action[VB_TWILIO_HUMAN] = VB_TWILIO_HANG_UP;

    is_decided(&request, &location,
               "human=hang_up&machine_start=message&fax=hang_up");
}


int
main(void)
{
    test_names();
    test_decide();

    return done_testing();
}
