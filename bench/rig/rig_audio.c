
/*
 * Audio that says what it is.  A direction's audio is a loop of units, all
 * different; the same transcoder that the module uses says what must arrive,
 * to the byte.  So a unit is known by its sound, and its place in the loop,
 * with the units before it counted, is its number.
 *
 * A resampler begins in silence: what is expected is taken from the second
 * turn of the loop, and the first RIG_AUDIO_SKIP units of a call, in which
 * the first turn differs, are counted but not compared.
 */


#include <stdlib.h>

#include <rig.h>
#include <vb_base64.h>


/* primes: no beat between the loops */
#define RIG_AUDIO_UPLINK_UNITS    101
#define RIG_AUDIO_DOWNLINK_UNITS  23

#define RIG_AUDIO_SKIP            5


static int rig_audio_loop(rig_loop_t *loop, const vb_resampler_bank_t *bank,
    const vb_audio_format_t *from, const vb_audio_format_t *to, unsigned units,
    unsigned ms, uint64_t seed);
static int rig_audio_expected(rig_loop_t *loop,
    const vb_resampler_bank_t *bank, const vb_audio_format_t *from,
    const vb_audio_format_t *to, const u_char *audio, size_t unit);
static void rig_audio_noise(u_char *p, size_t n, uint64_t *state);
static int rig_track_equal(const rig_track_t *track, uint64_t pos,
    const u_char *audio, size_t len);
static void rig_track_search(rig_t *rig, rig_track_t *track,
    const u_char *audio, size_t len);


int
rig_audio_init(rig_t *rig)
{
    vb_resampler_bank_t      *bank;
    const vb_audio_format_t  *phone, *up, *down;

    bank = vb_resampler_bank_create();
    if (bank == NULL) {
        return VB_ERROR;
    }

    /* a relay changes nothing */

    phone = &vb_audio_ulaw_8000;
    up = rig->relay ? phone : &rig->format;
    down = rig->relay ? &rig->format : phone;

    if (rig_audio_loop(&rig->uplink, bank, phone, up, RIG_AUDIO_UPLINK_UNITS,
                       RIG_UPLINK_MS, 1)
        != VB_OK
        || rig_audio_loop(&rig->downlink, bank, &rig->format, down,
                          RIG_AUDIO_DOWNLINK_UNITS, RIG_DOWNLINK_MS, 2)
           != VB_OK)
    {
        return VB_ERROR;
    }

    vb_resampler_bank_destroy(bank);

    return VB_OK;
}


static int
rig_audio_loop(rig_loop_t *loop, const vb_resampler_bank_t *bank,
    const vb_audio_format_t *from, const vb_audio_format_t *to, unsigned units,
    unsigned ms, uint64_t seed)
{
    int        rc;
    size_t     unit, size;
    u_char    *audio, *text;
    unsigned   i;

    unit = vb_audio_bytes_per_second(from) * ms / 1000;
    size = vb_base64_encoded_length(unit);

    loop->units = units;
    loop->out_unit = vb_audio_bytes_per_second(to) * ms / 1000;
    loop->base64 = calloc(units, sizeof(vb_str_t));

    audio = malloc(units * unit);
    text = malloc(units * size);

    if (loop->base64 == NULL || audio == NULL || text == NULL) {
        return VB_ERROR;
    }

    rig_audio_noise(audio, units * unit, &seed);

    for (i = 0; i < units; i++) {
        loop->base64[i].data = text + i * size;
        loop->base64[i].len = vb_base64_encode(text + i * size,
                                               audio + i * unit, unit);
    }

    rc = rig_audio_expected(loop, bank, from, to, audio, unit);

    free(audio);

    return rc;
}


/* two turns and a unit, so that all of the second turn has come out */

static int
rig_audio_expected(rig_loop_t *loop, const vb_resampler_bank_t *bank,
    const vb_audio_format_t *from, const vb_audio_format_t *to,
    const u_char *audio, size_t unit)
{
    int               rc;
    size_t            size, turn;
    u_char           *p, *out;
    unsigned          i;
    vb_transcoder_t  *tc;

    rc = VB_ERROR;

    turn = loop->units * loop->out_unit;
    size = 0;

    loop->expected = malloc(turn);
    out = malloc(3 * turn + 65536);
    tc = malloc(sizeof(vb_transcoder_t));

    if (loop->expected == NULL || out == NULL || tc == NULL) {
        goto done;
    }

    if (from->codec == to->codec && from->rate == to->rate) {
        memcpy(loop->expected, audio, turn);
        rc = VB_OK;
        goto done;
    }

    if (vb_transcoder_init(tc, bank, from, to) != VB_OK) {
        goto done;
    }

    p = out;

    for (i = 0; i < 2 * loop->units + 1; i++) {
        p += vb_transcode(tc, p, audio + i % loop->units * unit, unit);
        size = p - out;
    }

    loop->held = 2 * turn + loop->out_unit - size;

    if (loop->held <= loop->out_unit) {
        memcpy(loop->expected, out + turn, turn);
        rc = VB_OK;
    }

done:

    free(out);
    free(tc);

    return rc;
}


/* any byte is a mu-law sample, any two are a PCM one */

static void
rig_audio_noise(u_char *p, size_t n, uint64_t *state)
{
    while (n--) {
        *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
        *p++ = (u_char) (*state >> 56);
    }
}


void
rig_track_init(rig_track_t *track, const rig_loop_t *loop, unsigned first)
{
    memset(track, 0, sizeof(rig_track_t));

    track->loop = loop;
    track->first = first % loop->units;
}


const vb_str_t *
rig_track_next(rig_track_t *track, uint64_t now)
{
    uint64_t  unit;

    unit = track->sent++;
    track->when[unit % 256] = now;

    return &track->loop->base64[(track->first + unit) % track->loop->units];
}


void
rig_track_arrived(rig_t *rig, rig_track_t *track, rig_histogram_t *latency,
    const u_char *audio, size_t len)
{
    uint64_t           unit;
    const rig_loop_t  *loop;

    loop = track->loop;

    if (track->pos >= RIG_AUDIO_SKIP * loop->out_unit
        && !rig_track_equal(track, track->pos, audio, len))
    {
        rig_track_search(rig, track, audio, len);
    }

    track->pos += len;

    while ((track->arrived + 1) * loop->out_unit <= track->pos + loop->held) {

        unit = track->arrived++;

        if (unit >= track->sent) {
            rig->wrong++;
            rig_failed(rig, "more audio than was sent");
            return;
        }

        if (rig->measuring) {
            rig_count(latency, rig->now - track->when[unit % 256]);
        }
    }
}


static int
rig_track_equal(const rig_track_t *track, uint64_t pos, const u_char *audio,
    size_t len)
{
    size_t             turn, from, n;
    const rig_loop_t  *loop;

    loop = track->loop;
    turn = loop->units * loop->out_unit;
    from = (track->first * loop->out_unit + pos) % turn;

    while (len) {
        n = vb_min(len, turn - from);

        if (memcmp(loop->expected + from, audio, n) != 0) {
            return 0;
        }

        audio += n;
        len -= n;
        from = 0;
    }

    return 1;
}


/*
 * Not what should have come next: what comes later, then all before it is
 * lost?  Through a resampler the first message after a gap is like nothing
 * that is expected, and counts as wrong itself.
 */

static void
rig_track_search(rig_t *rig, rig_track_t *track, const u_char *audio,
    size_t len)
{
    unsigned           i;
    const rig_loop_t  *loop;

    loop = track->loop;

    for (i = 1; i < loop->units && track->arrived + i < track->sent; i++) {

        if (rig_track_equal(track, track->pos + i * loop->out_unit, audio,
                            len))
        {
            rig->lost += i;
            track->arrived += i;
            track->pos += i * loop->out_unit;

            return;
        }
    }

    rig->wrong++;
}
