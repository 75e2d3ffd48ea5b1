
/*
 * The load rig: phones on one side of a gateway, what they talk to on the
 * other, in one process with one clock.  README.md says what it measures.
 */


#ifndef _RIG_H_INCLUDED_
#define _RIG_H_INCLUDED_


#include <openssl/ssl.h>

#include <vb_transcoder.h>
#include <vb_websocket.h>


#define RIG_UPLINK_MS     20          /* a phone's frame */
#define RIG_DOWNLINK_MS   100         /* an agent's message */

/* calls that are being set up at a time */
#define RIG_SETUPS        2

/* calls there are when the memory of a worker is taken for the first time */
#define RIG_FIRST_CALLS   10


/*
 * One direction's audio: a loop of different units, what a gateway must make
 * of it, and so which unit it is that has come.  See rig_audio.c.
 */
typedef struct {
    unsigned           units;         /* of the loop */
    size_t             out_unit;      /* bytes that a unit becomes */
    size_t             held;          /* bytes a resampler holds back */
    vb_str_t          *base64;        /* [units], what is sent */
    u_char            *expected;      /* [units * out_unit] */
} rig_loop_t;


/* where a call is in a loop, at both ends */
typedef struct {
    const rig_loop_t  *loop;
    unsigned           first;         /* unit of the loop it began with */
    uint64_t           sent;          /* units */
    uint64_t           arrived;       /* units */
    uint64_t           pos;           /* bytes that came */
    uint64_t           when[256];     /* units were sent, ns, by unit % 256 */
} rig_track_t;


/* microseconds, each on its own up to 65 ms */
typedef struct {
    uint64_t           n;
    uint64_t           max;
    uint32_t           counts[65536];
} rig_histogram_t;


typedef struct rig_s       rig_t;
typedef struct rig_call_s  rig_call_t;


typedef enum {
    RIG_CONNECTING = 0,
    RIG_TLS,
    RIG_HANDSHAKE,                    /* HTTP */
    RIG_OPEN,
    RIG_CLOSED
} rig_state_t;


typedef struct {
    rig_t             *rig;
    rig_call_t        *call;          /* of a far end: once it is known */
    int                fd;
    SSL               *ssl;
    rig_state_t        state;
    unsigned           phone:1;       /* else the far end */
    unsigned           blocked:1;     /* waits to write */
    vb_ws_reader_t     reader;
    vb_ws_buf_t        in;            /* the rig's, or own */
    u_char            *own;           /* the beginning of a message, or NULL */
    u_char            *out;           /* what the socket did not take */
    size_t             out_size;
    size_t             out_pos;
    size_t             out_last;
} rig_peer_t;


struct rig_call_s {
    unsigned           id;
    unsigned           live:1;        /* both ends are there */
    rig_peer_t        *phone;
    rig_peer_t        *far;
    uint64_t           began;         /* the handshake was sent, ns */
    uint64_t           sequence;      /* Twilio's sequenceNumber */
    char               stream_sid[35];
    rig_track_t        up;
    rig_track_t        down;
};


/* what /proc tells of a process */
typedef struct {
    uint64_t           cpu;           /* ns of user and system */
    uint64_t           waited;        /* ns it was ready and did not run */
    uint64_t           dirty;         /* bytes, private */
} rig_process_t;


/* a moment */
typedef struct {
    uint64_t           time;
    rig_process_t      worker;
} rig_sample_t;


struct rig_s {
    /* options */
    unsigned           relay:1;       /* the gateway understands nothing */
    unsigned           tls:1;
    unsigned           port;          /* of the gateway */
    int                listen;        /* socket of the far end, inherited */
    const char        *certificate;
    const char        *key;
    const char        *format_name;
    vb_audio_format_t  format;        /* the agent's */
    unsigned           ncalls;
    double             seconds;
    pid_t              pid;           /* the gateway's worker */
    size_t             big;           /* bytes of a last, large message */
    unsigned           turn;          /* of the rigs that take turns, or 0 */
    unsigned           turns;         /* or 1 */

    int                epoll;
    SSL_CTX           *client;
    SSL_CTX           *server;
    rig_loop_t         uplink;
    rig_loop_t         downlink;
    rig_call_t        *calls;
    unsigned           started;       /* calls */
    unsigned           lives;         /* set up */
    unsigned           talkers;       /* calls with an id below this talk */

    uint64_t           begin;         /* when the turns do, ns; 0: not yet */
    unsigned           measuring:1;
    u_char            *buffer;        /* what is read, if read whole */
    uint64_t           now;           /* when the last bytes were read, ns */
    uint64_t           random;

    /* what was seen */
    uint64_t           frames;        /* sent while measuring */
    uint64_t           messages;
    uint64_t           lost;          /* units, either way */
    uint64_t           wrong;         /* messages with audio not expected */
    uint64_t           failed;        /* calls that ended or did not begin */
    double             large;         /* KiB that large messages left */
    rig_histogram_t    setup;
    rig_histogram_t    up;
    rig_histogram_t    down;
    rig_histogram_t    late;
    char               error[256];    /* the first */
};


/* rig_options.c: VB_OK, or VB_ERROR */
int rig_options(rig_t *rig, int argc, char **argv);


/* rig_audio.c: VB_OK, or VB_ERROR without memory or for an odd format */
int rig_audio_init(rig_t *rig);
void rig_track_init(rig_track_t *track, const rig_loop_t *loop,
    unsigned first);

/* the base64 text of the next unit, which is sent now */
const vb_str_t *rig_track_next(rig_track_t *track, uint64_t now);

/* audio came: compares it and takes the time of the units it completes */
void rig_track_arrived(rig_t *rig, rig_track_t *track,
    rig_histogram_t *latency, const u_char *audio, size_t len);


/* rig_peer.c */
int rig_peer_init(rig_t *rig);
rig_peer_t *rig_peer_connect(rig_t *rig, rig_call_t *call);
void rig_peer_accept(rig_t *rig);
void rig_peer_event(rig_peer_t *peer, unsigned events);
void rig_peer_close(rig_peer_t *peer, const char *why);

/* sends len bytes at payload, before which VB_WS_MAX_HEADER are free */
void rig_peer_text(rig_peer_t *peer, u_char *payload, size_t len);
void rig_peer_write(rig_peer_t *peer, const u_char *data, size_t len);


/*
 * rig_socket.c: the bytes read or written, VB_AGAIN, or 0 or less at the
 * connection's end
 */
int rig_socket_tls(rig_t *rig);
ssize_t rig_socket_recv(rig_peer_t *peer, u_char *p, size_t size);
ssize_t rig_socket_send(rig_peer_t *peer, const u_char *p, size_t size);


/* rig_call.c: what the ends say */
void rig_call_request(rig_peer_t *peer);
void rig_call_frame(rig_call_t *call);
void rig_call_speak(rig_call_t *call);

/* a message of the far end of len bytes, of a type that nobody knows */
int rig_call_big(rig_call_t *call, size_t len);

/* the header is there, len bytes that end with an empty line */
int rig_call_header(rig_peer_t *peer, u_char *data, size_t len);
void rig_call_message(rig_peer_t *peer, vb_ws_event_t *ev);


/* rig_process.c */
int rig_process(rig_process_t *process, pid_t pid, unsigned memory);


/* rig_print.c */
void rig_count(rig_histogram_t *histogram, uint64_t ns);
void rig_print(rig_t *rig, rig_process_t *first, rig_sample_t *begin,
    rig_sample_t *end);


/* rig.c */
uint64_t rig_clock(void);
void rig_failed(rig_t *rig, const char *format, ...)
    __attribute__((format(printf, 2, 3)));


#endif /* _RIG_H_INCLUDED_ */
