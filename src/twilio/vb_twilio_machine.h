
/*
 * Who answers a call, as Twilio's answering machine detection tells it, and
 * what is to be done then.
 * Source: Twilio's documentation, "Answering Machine Detection".
 */


#ifndef _VB_TWILIO_MACHINE_H_INCLUDED_
#define _VB_TWILIO_MACHINE_H_INCLUDED_


#include <vb_core.h>


/* AnsweredBy */
typedef enum {
    VB_TWILIO_HUMAN = 0,
    VB_TWILIO_MACHINE_START,
    VB_TWILIO_MACHINE_END_BEEP,
    VB_TWILIO_MACHINE_END_SILENCE,
    VB_TWILIO_MACHINE_END_OTHER,
    VB_TWILIO_FAX,
    VB_TWILIO_NOT_KNOWN,
    VB_TWILIO_MACHINE,                 /* all of machine_..., ours */
    VB_TWILIO_CLASSES
} vb_twilio_class_t;

typedef enum {
    VB_TWILIO_UNDECIDED = 0,
    VB_TWILIO_CONTINUE,
    VB_TWILIO_HANG_UP,
    VB_TWILIO_MESSAGE
} vb_twilio_action_t;


/* a vb_twilio_action_t for each class */
typedef struct {
    u_char           action[VB_TWILIO_CLASSES];
} vb_twilio_answered_t;


/* a class or an action by its name, or VB_ERROR */
int vb_twilio_class(const vb_str_t *name);
int vb_twilio_action(const vb_str_t *name);

/* the name of a class but the last */
const char *vb_twilio_class_name(int class);


/*
 * Decides for each class but the last: what first says, of the class or of
 * VB_TWILIO_MACHINE, then what second says, else VB_TWILIO_CONTINUE.
 */
void vb_twilio_decide(vb_twilio_answered_t *decided,
    const vb_twilio_answered_t *first, const vb_twilio_answered_t *second);


/*
 * Writes what was decided for the query of a URL: class=action&..., those
 * that continue left out.  Returns the length; with dst NULL only counts.
 */
size_t vb_twilio_decided(u_char *dst, const vb_twilio_answered_t *decided);


#endif /* _VB_TWILIO_MACHINE_H_INCLUDED_ */
