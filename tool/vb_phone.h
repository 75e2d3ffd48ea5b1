
/* A simulated telephone at Twilio's end of a media stream */


#ifndef _VB_PHONE_H_INCLUDED_
#define _VB_PHONE_H_INCLUDED_


#include <vb_options.h>
#include <vb_playout.h>
#include <vb_stream.h>
#include <vb_wav.h>


/* 20 ms of mu-law, as Twilio sends it */
#define VB_PHONE_FRAME  160


typedef struct {
    const char          *url;
    vb_list_t            parameters;
    vb_list_t            play;
    const char          *record;
    const char          *token_file;
    const char          *sign_url;
    const char          *account_sid;
    const char          *call_sid;
    const char          *dtmf;
    const char          *cacert;
    int                  insecure;
    int                  unsigned_;    /* no signature */
    int64_t              length;       /* hangs up then, ms; 0: see quiet */
    int64_t              quiet;        /* ... or after so long of nothing */
    int64_t              timeout;
    int                  json;
} vb_phone_options_t;


typedef struct {
    vb_phone_options_t  *options;
    vb_stream_t         *stream;
    vb_playout_t         playout;
    vb_text_t            speech;       /* mu-law that is to be said */
    size_t               said;
    vb_wav_t             wav;

    int64_t              began;        /* of all, for what is told */
    int64_t              started;      /* of the stream */
    int64_t              heard;        /* when last, the same clock */
    uint64_t             frames;
    uint64_t             sequence;
    char                 account_sid[36];
    char                 call_sid[36];
    char                 stream_sid[36];
    vb_text_t            out;

    uint64_t             audio;        /* bytes the server sent */
    unsigned             marks;
    unsigned             clears;
    unsigned             warnings;
    unsigned             status;       /* of the server's Close */
    unsigned             over:1;       /* no more frames */
    unsigned             ended:1;      /* the connection has */
    unsigned             hung_up:1;    /* by us */
} vb_phone_t;


/* a line, or with --json an object: event and its detail */
void vb_phone_event(vb_phone_t *phone, const char *event, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* Twilio's messages, reference "Media Streams - WebSocket Messages" */
void vb_phone_start(vb_phone_t *phone);
void vb_phone_frame(vb_phone_t *phone, const u_char *ulaw);
void vb_phone_digit(vb_phone_t *phone, int digit);
void vb_phone_stop(vb_phone_t *phone);

/* takes a message of the server's */
void vb_phone_message(vb_phone_t *phone, const vb_str_t *text);

/* sends marks that are due */
void vb_phone_marks(vb_phone_t *phone);


#endif /* _VB_PHONE_H_INCLUDED_ */
