
/*
 * What the pure rooms do for one frame, a stage at a time, to be counted in
 * instructions: t/guard.t runs this under callgrind and compares with
 * bench/guard.figures.
 *
 *     guard            runs all stages, a dump of callgrind's for each
 *     guard --about    what the figures depend on
 *
 * A phone's frame is 20 ms; an agent's message has 100 ms.  Each stage works
 * on copies made before: what is done in place is not undone in between.
 */


#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>

#include <vb_agent_message.h>
#include <vb_base64.h>
#include <vb_resampler_kernel.h>
#include <vb_transcoder.h>
#include <vb_twilio_stream.h>
#include <vb_websocket.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#define GUARD_CALLGRIND  1
#endif


#define GUARD_FRAMES     20
#define GUARD_ROOM       32768

/* bytes of 20 and 100 ms: mu-law, and PCM at 16000 Hz */
#define GUARD_ULAW       160
#define GUARD_PCM        640
#define GUARD_SPEECH     3200


typedef struct guard_stage_s  guard_stage_t;

struct guard_stage_s {
    const char              *name;
    size_t                 (*prepare)(u_char *p);
    void                   (*run)(u_char *p, size_t len);
};


static u_char                        copies[GUARD_FRAMES][GUARD_ROOM];
static u_char                        out[GUARD_ROOM];
static const u_char                  mask[4] = { 0x9d, 0x21, 0x6f, 0xe8 };
static vb_str_t                      stream_sid =
                                vb_str("MZ0123456789abcdef0123456789abcdef");
static vb_transcoder_t               transcoder;


static void
die(const char *what)
{
    fprintf(stderr, "guard: %s\n", what);
    exit(1);
}


/* bytes that repeat late, all values among them */

static size_t
noise(u_char *p, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        p[i] = (u_char) (i * 73 + i / 256 * 31);
    }

    return n;
}


static size_t
base64(u_char *p, size_t n)
{
    u_char  bytes[GUARD_SPEECH];

    return vb_base64_encode(p, bytes, noise(bytes, n));
}


/* what goes in */

static size_t
prepare_ulaw(u_char *p)
{
    return noise(p, GUARD_ULAW);
}


static size_t
prepare_pcm(u_char *p)
{
    return noise(p, GUARD_PCM);
}


static size_t
prepare_ulaw_text(u_char *p)
{
    return base64(p, GUARD_ULAW);
}


static size_t
prepare_speech_text(u_char *p)
{
    return base64(p, GUARD_SPEECH);
}


static size_t
prepare_media(u_char *p)
{
    u_char  *last;

    last = p + sprintf((char *) p, "{\"event\":\"media\",\"sequenceNumber\":"
                       "\"1234\",\"media\":{\"track\":\"inbound\",\"chunk\":"
                       "\"1233\",\"timestamp\":\"24661\",\"payload\":\"");
    last += base64(last, GUARD_ULAW);
    last += sprintf((char *) last, "\"},\"streamSid\":\"%s\"}",
                    (char *) stream_sid.data);

    return last - p;
}


static size_t
prepare_speech(u_char *p)
{
    u_char  *last;

    last = p + sprintf((char *) p, "{\"audio_event\":{\"audio_base_64\":\"");
    last += base64(last, GUARD_SPEECH);
    last += sprintf((char *) last, "\",\"event_id\":1234},\"type\":\"audio\"}");

    return last - p;
}


static size_t
frame(u_char *p, size_t (*prepare)(u_char *p), const u_char *key)
{
    size_t   len;
    u_char  *first;

    len = prepare(p + VB_WS_MAX_HEADER);
    first = vb_ws_frame(p + VB_WS_MAX_HEADER, len, VB_WS_TEXT, key);

    len += p + VB_WS_MAX_HEADER - first;
    memmove(p, first, len);

    return len;
}


static size_t
prepare_media_frame(u_char *p)
{
    return frame(p, prepare_media, mask);
}


static size_t
prepare_speech_frame(u_char *p)
{
    return frame(p, prepare_speech, NULL);
}


/* the stages */

static void
run_read(u_char *p, size_t len, unsigned masked)
{
    vb_ws_buf_t     b;
    vb_ws_event_t   ev;
    vb_ws_reader_t  reader;

    vb_ws_reader_init(&reader, masked, 65536);

    b.start = b.message = b.pos = p;
    b.last = p + len;
    b.end = p + GUARD_ROOM;

    if (vb_ws_read(&reader, &b, &ev) != VB_OK) {
        die("a frame is not read");
    }
}


static void
run_read_phone(u_char *p, size_t len)
{
    run_read(p, len, 1);
}


static void
run_read_agent(u_char *p, size_t len)
{
    run_read(p, len, 0);
}


static void
run_twilio_parse(u_char *p, size_t len)
{
    vb_str_t             text;
    const char          *error;
    vb_twilio_message_t  m;

    text.data = p;
    text.len = len;

    if (vb_twilio_message_parse(&m, &text, VB_JSON_DEPTH, &error) != VB_OK
        || m.event != VB_TWILIO_MEDIA)
    {
        die("a media message is not understood");
    }
}


static void
run_agent_parse(u_char *p, size_t len)
{
    vb_str_t            text;
    const char         *error;
    vb_agent_message_t  m;

    text.data = p;
    text.len = len;

    if (vb_agent_message_parse(&m, &text, VB_JSON_DEPTH, &error) != VB_OK
        || m.type != VB_AGENT_AUDIO)
    {
        die("an audio message is not understood");
    }
}


static void
run_decode(u_char *p, size_t len)
{
    if (vb_base64_decode(p, p, len) == VB_ERROR) {
        die("base64 is not decoded");
    }
}


static void
run_encode(u_char *p, size_t len)
{
    (void) vb_base64_encode(out, p, len);
}


static void
run_transcode(u_char *p, size_t len)
{
    (void) vb_transcode(&transcoder, out, p, len);
}


/* a message to the agent around 20 ms, but for their base64 */

static void
run_agent_print(u_char *p, size_t len)
{
    u_char  *last;

    last = vb_agent_audio_prefix(out);
    (void) vb_agent_audio_suffix(last + vb_base64_encoded_length(len));
}


static void
run_twilio_print(u_char *p, size_t len)
{
    u_char  *last;

    last = vb_twilio_media_prefix(out, &stream_sid);
    (void) vb_twilio_media_suffix(last + vb_base64_encoded_length(len));
}


static void
run_frame_masked(u_char *p, size_t len)
{
    size_t  size;

    size = vb_agent_audio_length(vb_base64_encoded_length(len));

    (void) vb_ws_frame(p + VB_WS_MAX_HEADER, size, VB_WS_TEXT, mask);
}


static void
run_frame(u_char *p, size_t len)
{
    size_t  size;

    size = vb_twilio_media_length(vb_base64_encoded_length(len));

    (void) vb_ws_frame(p + VB_WS_MAX_HEADER, size, VB_WS_TEXT, NULL);
}


static const guard_stage_t  stages[] = {
    { "websocket-read-phone", prepare_media_frame, run_read_phone },
    { "twilio-parse-media", prepare_media, run_twilio_parse },
    { "base64-decode-ulaw", prepare_ulaw_text, run_decode },
    { "base64-encode-ulaw", prepare_ulaw, run_encode },
    { "base64-encode-pcm_16000", prepare_pcm, run_encode },
    { "agent-print-audio", prepare_pcm, run_agent_print },
    { "websocket-frame-masked", prepare_pcm, run_frame_masked },
    { "websocket-read-agent-100ms", prepare_speech_frame, run_read_agent },
    { "agent-parse-audio-100ms", prepare_speech, run_agent_parse },
    { "base64-decode-100ms", prepare_speech_text, run_decode },
    { "twilio-print-media", prepare_ulaw, run_twilio_print },
    { "websocket-frame", prepare_ulaw, run_frame }
};


static void
guard(const guard_stage_t *stage)
{
    size_t    len;
    unsigned  i;

    len = 0;

    for (i = 0; i < GUARD_FRAMES; i++) {
        len = stage->prepare(copies[i]);
    }

#if (GUARD_CALLGRIND)
    CALLGRIND_ZERO_STATS;
#endif

    for (i = 0; i < GUARD_FRAMES; i++) {
        stage->run(copies[i], len);
    }

#if (GUARD_CALLGRIND)
    CALLGRIND_DUMP_STATS_AT(stage->name);
#endif
}


static size_t  audio;


static size_t
prepare_audio(u_char *p)
{
    return noise(p, audio);
}


/* one direction of one format by one kernel */

static void
guard_transcode(const vb_resampler_bank_t *bank, const char *kernel_name,
    vb_resampler_kernel_pt kernel, const vb_audio_format_t *from,
    const vb_audio_format_t *to)
{
    char                   name[64];
    guard_stage_t          stage;
    vb_resampler_filter_t  filter;

    if (vb_transcoder_init(&transcoder, bank, from, to) != VB_OK) {
        die("there is no transcoder for a format");
    }

    if (transcoder.resampler.filter) {
        filter = *transcoder.resampler.filter;
        filter.kernel = kernel;

        vb_resampler_init(&transcoder.resampler, &filter);
    }

    sprintf(name, "transcode-%s-pcm_%u%s%s",
            from->codec == VB_AUDIO_PCM ? "from" : "to",
            from->codec == VB_AUDIO_PCM ? from->rate : to->rate,
            transcoder.resampler.filter ? "-" : "",
            transcoder.resampler.filter ? kernel_name : "");

    audio = vb_audio_bytes_per_second(from) / 50;

    stage.name = name;
    stage.prepare = prepare_audio;
    stage.run = run_transcode;

    guard(&stage);
}


static void
guard_formats(void)
{
    size_t                i, k;
    vb_audio_format_t     pcm;
    vb_resampler_bank_t  *bank;

    static const unsigned  rates[] = {
        8000, 16000, 22050, 24000, 44100, 48000
    };

    static const struct {
        const char              *name;
        vb_resampler_kernel_pt   run;
    } kernels[] = {
        { "portable", vb_resampler_kernel_portable },
#if (VB_RESAMPLER_X86)
        { "sse2", vb_resampler_kernel_sse2 },
        { "avx2", vb_resampler_kernel_avx2 }
#endif
    };

    bank = vb_resampler_bank_create();
    if (bank == NULL) {
        die("no memory");
    }

    pcm.codec = VB_AUDIO_PCM;

    for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        for (k = 0; k < sizeof(kernels) / sizeof(kernels[0]); k++) {
            pcm.rate = rates[i];

            guard_transcode(bank, kernels[k].name, kernels[k].run,
                            &vb_audio_ulaw_8000, &pcm);
            guard_transcode(bank, kernels[k].name, kernels[k].run, &pcm,
                            &vb_audio_ulaw_8000);

            if (rates[i] == 8000) {
                break;
            }
        }
    }

    vb_resampler_bank_destroy(bank);
}


static void
about(void)
{
    const char  *compiler, *cpu;

#if (__clang__)
    compiler = "clang";
#else
    compiler = "gcc";
#endif

#if (GUARD_CALLGRIND && __x86_64__)
    cpu = __builtin_cpu_supports("avx2") ? "x86-64 with AVX2"
                                         : "x86-64 without AVX2";
#elif (GUARD_CALLGRIND)
    cpu = "not x86-64";
#else
    cpu = "without valgrind's headers";
#endif

    printf("%s %s, glibc %s, %s, %s\n", compiler, __VERSION__,
           gnu_get_libc_version(), GUARD_FLAGS, cpu);
}


int
main(int argc, char **argv)
{
    size_t  i;

    if (argc == 2 && strcmp(argv[1], "--about") == 0) {
        about();
        return 0;
    }

    for (i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        guard(&stages[i]);
    }

    guard_formats();

    printf("%u\n", GUARD_FRAMES);

    return 0;
}
