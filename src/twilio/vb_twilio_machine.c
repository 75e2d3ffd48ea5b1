
/* Who answers a call, and what is to be done then: names and precedence */


#include <vb_twilio_machine.h>
#include <vb_writer.h>


static int vb_twilio_name(const vb_str_t *name, const char **names, int n);
static int vb_twilio_of(const vb_twilio_answered_t *answered, int class);


static const char  *vb_twilio_classes[VB_TWILIO_CLASSES] = {
    "human", "machine_start", "machine_end_beep", "machine_end_silence",
    "machine_end_other", "fax", "unknown", "machine"
};

static const char  *vb_twilio_actions[] = {
    "continue", "hang_up", "message"
};


int
vb_twilio_class(const vb_str_t *name)
{
    return vb_twilio_name(name, vb_twilio_classes, VB_TWILIO_CLASSES);
}


int
vb_twilio_action(const vb_str_t *name)
{
    int  i;

    i = vb_twilio_name(name, vb_twilio_actions, 3);

    return i == VB_ERROR ? VB_ERROR : VB_TWILIO_CONTINUE + i;
}


static int
vb_twilio_name(const vb_str_t *name, const char **names, int n)
{
    int  i;

    for (i = 0; i < n; i++) {
        if (name->len == strlen(names[i])
            && memcmp(name->data, names[i], name->len) == 0)
        {
            return i;
        }
    }

    return VB_ERROR;
}


const char *
vb_twilio_class_name(int class)
{
    return vb_twilio_classes[class];
}


void
vb_twilio_decide(vb_twilio_answered_t *decided,
    const vb_twilio_answered_t *first, const vb_twilio_answered_t *second)
{
    int  i, action;

    memset(decided, 0, sizeof(vb_twilio_answered_t));

    for (i = 0; i < VB_TWILIO_MACHINE; i++) {

        action = vb_twilio_of(first, i);

        if (action == VB_TWILIO_UNDECIDED) {
            action = vb_twilio_of(second, i);
        }

        decided->action[i] = action == VB_TWILIO_UNDECIDED ? VB_TWILIO_CONTINUE
                                                           : action;
    }
}


static int
vb_twilio_of(const vb_twilio_answered_t *answered, int class)
{
    if (answered->action[class] == VB_TWILIO_UNDECIDED
        && class >= VB_TWILIO_MACHINE_START
        && class <= VB_TWILIO_MACHINE_END_OTHER)
    {
        return answered->action[VB_TWILIO_MACHINE];
    }

    return answered->action[class];
}


size_t
vb_twilio_decided(u_char *dst, const vb_twilio_answered_t *decided)
{
    int          i;
    const char  *action;
    vb_writer_t  w;

    vb_writer_init(&w, dst);

    for (i = 0; i < VB_TWILIO_MACHINE; i++) {

        if (decided->action[i] <= VB_TWILIO_CONTINUE) {
            continue;
        }

        if (w.len) {
            vb_write_literal(&w, "&");
        }

        action = vb_twilio_actions[decided->action[i] - VB_TWILIO_CONTINUE];

        vb_write(&w, vb_twilio_classes[i], strlen(vb_twilio_classes[i]));
        vb_write_literal(&w, "=");
        vb_write(&w, action, strlen(action));
    }

    return w.len;
}
