
/* The audio of a call, both ways */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <vb_agent_message.h>
#include <vb_base64.h>
#include <vb_twilio_stream.h>

#include <ngx_http_voicebridge_call.h>


/*
 * One outgoing message is made from at most this much: 200 ms of the
 * caller's mu-law, 12 KiB of the agent's bytes.  Divisible by 3, so that a
 * long base64 text can be cut between its groups.
 */
#define NGX_HTTP_VOICEBRIDGE_UPLINK_SLICE    1602
#define NGX_HTTP_VOICEBRIDGE_DOWNLINK_SLICE  12288

/* the early audio is sent in messages of 100 ms; the least memory for it */
#define NGX_HTTP_VOICEBRIDGE_EARLY_SLICE     800
#define NGX_HTTP_VOICEBRIDGE_EARLY_SIZE      1024


static ngx_int_t ngx_http_voicebridge_media_caller(
    ngx_http_voicebridge_call_t *call, u_char *ulaw, size_t len,
    ngx_str_t *text);
static ngx_int_t ngx_http_voicebridge_media_keep(
    ngx_http_voicebridge_call_t *call, u_char *ulaw, size_t len);
static ngx_int_t ngx_http_voicebridge_media_to_phone(
    ngx_http_voicebridge_call_t *call, u_char *ulaw, size_t len,
    ngx_str_t *text);
static u_char *ngx_http_voicebridge_media_text(u_char *p, u_char *audio,
    size_t len, ngx_str_t *text);


ngx_int_t
ngx_http_voicebridge_media_uplink(ngx_http_voicebridge_call_t *call,
    ngx_str_t *base64)
{
    u_char     *p, ulaw[NGX_HTTP_VOICEBRIDGE_UPLINK_SLICE];
    ssize_t     len;
    size_t      n;
    ngx_str_t  *text;

    /* a text that can go on as it is stays */

    text = vb_transcoder_passthrough(&call->uplink)
           && vb_base64_decoded_length(base64->len) <= sizeof(ulaw)
               ? base64 : NULL;

    p = text ? ulaw : base64->data;

    len = vb_base64_decode(p, base64->data, base64->len);
    if (len == VB_ERROR) {
        return NGX_DECLINED;
    }

    if (len == 0) {
        return NGX_OK;
    }

    call->caller_bytes += len;

    ngx_http_voicebridge_speech_caller(call, p, len);

    if (call->state != NGX_HTTP_VOICEBRIDGE_LIVE
        || call->conf->uplink_frame
        || call->early_last != call->early_pos
        || ngx_http_voicebridge_leg_full(&call->agent))
    {
        if (call->early_last - call->early_pos
            >= NGX_HTTP_VOICEBRIDGE_EARLY_AUDIO)
        {
            /* the caller has gone, or this would not have been read */

            return NGX_OK;
        }

        if (ngx_http_voicebridge_media_keep(call, p, len) != NGX_OK) {
            return NGX_ERROR;
        }

        return (call->state == NGX_HTTP_VOICEBRIDGE_LIVE)
                   ? ngx_http_voicebridge_media_early(call, 0) : NGX_OK;
    }

    for ( /* void */ ; len; p += n, len -= n) {
        n = ngx_min((size_t) len, NGX_HTTP_VOICEBRIDGE_UPLINK_SLICE);

        if (ngx_http_voicebridge_media_caller(call, p, n, text) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_voicebridge_media_early(ngx_http_voicebridge_call_t *call,
    ngx_uint_t flush)
{
    size_t          n;
    ngx_msec_int_t  waited;

    waited = ngx_current_msec - call->joined;

    while (call->early_pos < call->early_last
           && !ngx_http_voicebridge_leg_full(&call->agent))
    {
        n = ngx_min(call->early_last - call->early_pos,
                    NGX_HTTP_VOICEBRIDGE_EARLY_SLICE);

        if (n < call->conf->uplink_frame && !flush
            && waited < NGX_HTTP_VOICEBRIDGE_JOIN_TIMEOUT)
        {
            return NGX_OK;
        }

        if (ngx_http_voicebridge_media_caller(call,
                                              call->early + call->early_pos, n,
                                              NULL)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        call->early_pos += n;
    }

    if (call->early && call->early_pos == call->early_last) {
        call->early_pos = call->early_last = 0;

        /* where frames are joined it is needed again at once */

        if (call->conf->uplink_frame == 0
            || call->early_size > NGX_HTTP_VOICEBRIDGE_EARLY_SIZE)
        {
            ngx_free(call->early);

            call->early = NULL;
            call->early_size = 0;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_voicebridge_media_joining(ngx_http_voicebridge_call_t *call)
{
    return call->early_pos < call->early_last
           && call->early_last - call->early_pos < call->conf->uplink_frame
           && !ngx_http_voicebridge_leg_full(&call->agent);
}


ngx_int_t
ngx_http_voicebridge_media_downlink(ngx_http_voicebridge_call_t *call)
{
    u_char   raw[NGX_HTTP_VOICEBRIDGE_DOWNLINK_SLICE];
    u_char   ulaw[NGX_HTTP_VOICEBRIDGE_DOWNLINK_SLICE];
    u_char    *p;
    size_t     n;
    ssize_t    len;
    ngx_str_t  text;

    while (call->speech.len && !ngx_http_voicebridge_leg_full(&call->phone)) {

        n = ngx_min(call->speech.len,
                    NGX_HTTP_VOICEBRIDGE_DOWNLINK_SLICE / 3 * 4);

        len = vb_base64_decode(raw, call->speech.data, n);
        if (len == VB_ERROR) {
            return NGX_DECLINED;
        }

        text.data = call->speech.data;
        text.len = n;

        call->speech.data += n;
        call->speech.len -= n;

        p = raw;

        if (!vb_transcoder_passthrough(&call->downlink)) {
            len = vb_transcode(&call->downlink, ulaw, raw, len);
            text.len = 0;
            p = ulaw;
        }

        if (ngx_http_voicebridge_media_to_phone(call, p, len, &text)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_voicebridge_media_clear(ngx_http_voicebridge_call_t *call)
{
    u_char  *p, buf[VB_TWILIO_CLEAR_LENGTH];

    vb_transcoder_reset(&call->downlink);

    call->speech.len = 0;
    call->played = ngx_current_msec;

    ngx_http_voicebridge_speech_clear(call);

    ngx_http_voicebridge_leg_drop(&call->phone);

    p = vb_twilio_clear(buf, &call->ctx->stream_sid);

    return ngx_http_voicebridge_leg_urgent(&call->phone, VB_WS_TEXT, buf,
                                           p - buf);
}


ngx_int_t
ngx_http_voicebridge_media_mark(ngx_http_voicebridge_call_t *call)
{
    u_char           *p, *last, buf[VB_TWILIO_MARK_LENGTH];
    static ngx_str_t  name = ngx_string("end");

    last = vb_twilio_mark(buf, &call->ctx->stream_sid, &name);

    p = ngx_http_voicebridge_leg_begin(&call->phone, last - buf);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, buf, last - buf);

    return ngx_http_voicebridge_leg_end(&call->phone, p, last - buf);
}


/*
 * One message to the agent, from at most one uplink slice of mu-law, whose
 * base64 text is there already or NULL.
 */

static ngx_int_t
ngx_http_voicebridge_media_caller(ngx_http_voicebridge_call_t *call,
    u_char *ulaw, size_t len, ngx_str_t *text)
{
    u_char  *p, *last, *audio;
    size_t   size;

    /* the largest growth: 8 kHz mu-law to 48 kHz PCM, twelve times */
    u_char   pcm[NGX_HTTP_VOICEBRIDGE_UPLINK_SLICE * 12 + 64];

    audio = ulaw;

    if (!vb_transcoder_passthrough(&call->uplink)) {
        len = vb_transcode(&call->uplink, pcm, ulaw, len);
        audio = pcm;
    }

    if (len == 0) {
        return NGX_OK;
    }

    size = vb_agent_audio_length(vb_base64_encoded_length(len));

    p = ngx_http_voicebridge_leg_begin(&call->agent, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = vb_agent_audio_prefix(p);
    last = ngx_http_voicebridge_media_text(last, audio, len, text);
    (void) vb_agent_audio_suffix(last);

    return ngx_http_voicebridge_leg_end(&call->agent, p, size);
}


/* keeps caller audio until the agent can take it, or it is joined */

static ngx_int_t
ngx_http_voicebridge_media_keep(ngx_http_voicebridge_call_t *call,
    u_char *ulaw, size_t len)
{
    u_char  *p;
    size_t   used, size;

    used = call->early_last - call->early_pos;

    if (call->early_size - call->early_last < len
        && call->early_size - used >= len)
    {
        ngx_memmove(call->early, call->early + call->early_pos, used);

        call->early_pos = 0;
        call->early_last = used;
    }

    if (call->early_size - call->early_last < len) {

        size = ngx_max(call->early_size, NGX_HTTP_VOICEBRIDGE_EARLY_SIZE);

        while (size - used < len) {
            size *= 2;
        }

        p = ngx_alloc(size, ngx_http_voicebridge_call_log(call));
        if (p == NULL) {
            return NGX_ERROR;
        }

        if (call->early) {
            ngx_memcpy(p, call->early + call->early_pos, used);
            ngx_free(call->early);
        }

        call->early = p;
        call->early_pos = 0;
        call->early_last = used;
        call->early_size = size;
    }

    ngx_memcpy(call->early + call->early_last, ulaw, len);

    call->early_last += len;
    call->joined = ngx_current_msec;

    return NGX_OK;
}


static ngx_int_t
ngx_http_voicebridge_media_to_phone(ngx_http_voicebridge_call_t *call,
    u_char *ulaw, size_t len, ngx_str_t *text)
{
    size_t      size;
    u_char     *p, *last;
    ngx_msec_t  now;

    if (len == 0) {
        return NGX_OK;
    }

    size = vb_twilio_media_length(vb_base64_encoded_length(len));

    p = ngx_http_voicebridge_leg_begin(&call->phone, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = vb_twilio_media_prefix(p, &call->ctx->stream_sid);
    last = ngx_http_voicebridge_media_text(last, ulaw, len, text);
    (void) vb_twilio_media_suffix(last);

    now = ngx_current_msec;

    if (call->agent_bytes == 0) {
        call->ctx->first_audio = now - call->accepted;
    }

    call->agent_bytes += len;

    ngx_http_voicebridge_speech_agent(call);

    /* Twilio plays what it has without a pause: 8 bytes a millisecond */

    if ((ngx_msec_int_t) (call->played - now) < 0) {
        call->played = now;
    }

    call->played += (len + 7) / 8;

    return ngx_http_voicebridge_leg_end(&call->phone, p, size);
}


/* base64, as it came where that is as long: padding may have been left out */

static u_char *
ngx_http_voicebridge_media_text(u_char *p, u_char *audio, size_t len,
    ngx_str_t *text)
{
    if (text && text->len == vb_base64_encoded_length(len)) {
        return ngx_cpymem(p, text->data, text->len);
    }

    return p + vb_base64_encode(p, audio, len);
}
