
/*
 * Twilio's REST resource Calls: its URL, the bodies sent, the answers read.
 * Source: Twilio's OpenAPI, CreateCall and UpdateCall.
 */


#ifndef _VB_TWILIO_CALL_H_INCLUDED_
#define _VB_TWILIO_CALL_H_INCLUDED_


#include <vb_core.h>


typedef enum {
    VB_TWILIO_RECORD_OFF = 0,
    VB_TWILIO_RECORD_MONO,
    VB_TWILIO_RECORD_DUAL              /* a channel for each side */
} vb_twilio_record_t;

typedef enum {
    VB_TWILIO_DETECTION_OFF = 0,
    VB_TWILIO_DETECTION_START,         /* Enable: a machine, as soon as known */
    VB_TWILIO_DETECTION_END            /* DetectMessageEnd: when it may be
                                          spoken to */
} vb_twilio_detection_t;


typedef struct {
    vb_str_t         to;
    vb_str_t         from;
    vb_str_t         twiml;
    vb_str_t         status_callback;  /* empty: none */
    vb_str_t         machine_callback; /* of detection */
    vb_str_t         send_digits;      /* empty: none */
    uint32_t         time_limit;       /* seconds; 0: none */
    uint32_t         ring_timeout;     /* the same */
    int              record;           /* vb_twilio_record_t */
    int              detection;        /* vb_twilio_detection_t; asynchronous */
} vb_twilio_call_t;


/*
 * Writes the URL of the Calls of an account, which may hold any bytes, below
 * an API's base; or with sid, which has the shape of one, that of the call.
 * Returns the length; with dst NULL only counts.
 */
size_t vb_twilio_calls_url(u_char *dst, const vb_str_t *base,
    const vb_str_t *account, const vb_str_t *sid);


/*
 * Writes the form body of a create: To, From, Twiml, TimeLimit,
 * StatusCallback with its four events, and what else is set.  The status
 * callback is told of a recording, too.  Returns the length; with dst NULL
 * only counts.
 */
size_t vb_twilio_call_create(u_char *dst, const vb_twilio_call_t *call);

/* writes Twiml=... , or Status=completed where twiml is empty: an update */
size_t vb_twilio_call_update(u_char *dst, const vb_str_t *twiml);


#define VB_TWILIO_MAX_STATUS  32

/*
 * An answer of either kind; strings are copies in buf, without control
 * characters, and may be logged and shown.
 */
typedef struct {
    vb_str_t         sid;              /* CA...; empty in an error */
    vb_str_t         status;           /* at most VB_TWILIO_MAX_STATUS */
    vb_str_t         to;               /* at most 64 */
    int64_t          code;             /* Twilio's error code, or 0 */
    vb_str_t         message;          /* Twilio's, or empty */
    u_char           buf[1024];
} vb_twilio_answer_t;


/*
 * Reads an answer's JSON.  VB_OK with sid set (of Twilio's shape) or code or
 * message set; VB_ERROR when it is neither, or not UTF-8.  A long string is
 * cut.  An error of RFC 9457 is read too: its detail, or title, is the
 * message.
 */
int vb_twilio_answer_parse(vb_twilio_answer_t *a, const vb_str_t *body);


/* codes that mean the call to be ended is over already */
#define VB_TWILIO_NOT_IN_PROGRESS  21220
#define VB_TWILIO_NOT_FOUND        20404


#define VB_TWILIO_SID_LENGTH  34

/* whether s is two given letters and 32 hex digits, e.g. "CA" */
int vb_twilio_sid(const vb_str_t *s, const char *letters);


/* "off", "start" or "message_end", or VB_ERROR */
int vb_twilio_detection(const vb_str_t *name);

/* whether s is 1 to 32 of what Twilio sends as digits: 0-9 A-D # * w W */
int vb_twilio_digits(const vb_str_t *s);


/* whether s is E.164: +, then 2 to 15 digits of which the first is not 0 */
int vb_e164(const vb_str_t *s);


#endif /* _VB_TWILIO_CALL_H_INCLUDED_ */
