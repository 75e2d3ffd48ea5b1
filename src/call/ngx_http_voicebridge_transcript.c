
/* What is said in a call, for voicebridge_transcript_log and webhooks */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <vb_writer.h>

#include <ngx_http_voicebridge_call.h>
#include <ngx_http_voicebridge_lines.h>
#include <ngx_http_voicebridge_time.h>


static void ngx_http_voicebridge_transcript_plain(vb_json_value_t *value);
static void ngx_http_voicebridge_transcript_keep(
    ngx_http_voicebridge_call_t *call, vb_agent_message_t *m);
static void ngx_http_voicebridge_transcript_line(vb_writer_t *w,
    ngx_http_voicebridge_call_t *call, vb_agent_message_t *m);
static void ngx_http_voicebridge_transcript_said(vb_writer_t *w,
    ngx_http_voicebridge_call_t *call, vb_agent_message_t *m);


void
ngx_http_voicebridge_transcript(ngx_http_voicebridge_call_t *call,
    vb_agent_message_t *m)
{
    u_char       *line;
    vb_writer_t   w;

    ngx_http_voicebridge_transcript_plain(&m->text);
    ngx_http_voicebridge_transcript_plain(&m->original);

    if (ngx_http_voicebridge_event_wanted(call,
                                       NGX_HTTP_VOICEBRIDGE_EVENT_TRANSCRIPT))
    {
        ngx_http_voicebridge_transcript_keep(call, m);
    }

    if (call->conf->transcript_log == NULL) {
        return;
    }

    vb_writer_init(&w, NULL);
    ngx_http_voicebridge_transcript_line(&w, call, m);

    line = ngx_alloc(w.len, ngx_http_voicebridge_call_log(call));
    if (line == NULL) {
        return;
    }

    vb_writer_init(&w, line);
    ngx_http_voicebridge_transcript_line(&w, call, m);

    ngx_http_voicebridge_lines_add(call->conf->transcript_log, line, w.len);

    ngx_free(line);
}


void
ngx_http_voicebridge_transcript_end(ngx_http_voicebridge_call_t *call)
{
    if (call->conf->transcript_log) {
        ngx_http_voicebridge_lines_flush(call->conf->transcript_log);
    }
}


/* undoes JSON's escapes, in place, for those who come after as well */

static void
ngx_http_voicebridge_transcript_plain(vb_json_value_t *value)
{
    if (value->type == VB_JSON_STRING && value->escaped) {
        value->text.len = vb_json_unescape(value->text.data, &value->text);
        value->escaped = 0;
    }
}


/* for the event of the call's end; what comes too late or is too much is not
 * there */

static void
ngx_http_voicebridge_transcript_keep(ngx_http_voicebridge_call_t *call,
    vb_agent_message_t *m)
{
    ngx_str_t    *said;
    vb_writer_t   w;

    vb_writer_init(&w, NULL);
    ngx_http_voicebridge_transcript_said(&w, call, m);

    if (w.len > NGX_HTTP_VOICEBRIDGE_MAX_SAID - call->said_size) {
        call->said_cut = 1;
        return;
    }

    if (call->said == NULL) {
        call->said = ngx_array_create(call->request->pool, 16,
                                      sizeof(ngx_str_t));
    }

    said = call->said ? ngx_array_push(call->said) : NULL;

    if (said == NULL) {
        call->said_cut = 1;
        return;
    }

    said->len = 0;

    said->data = ngx_pnalloc(call->request->pool, w.len);
    if (said->data == NULL) {
        call->said_cut = 1;
        return;
    }

    vb_writer_init(&w, said->data);
    ngx_http_voicebridge_transcript_said(&w, call, m);

    said->len = w.len;
    call->said_size += w.len;
}


static void
ngx_http_voicebridge_transcript_line(vb_writer_t *w,
    ngx_http_voicebridge_call_t *call, vb_agent_message_t *m)
{
    u_char                      *p, buf[NGX_HTTP_VOICEBRIDGE_TIME_LEN];
    ngx_http_voicebridge_ctx_t  *ctx;

    ctx = call->ctx;

    vb_write_member(w, "{\"call_sid\": ", &ctx->call_sid);
    vb_write_member(w, ", \"stream_sid\": ", &ctx->stream_sid);
    vb_write_member(w, ", \"conversation_id\": ", &ctx->conversation_id);
    vb_write_member(w, ", \"session_id\": ", &ctx->session_id);
    vb_write_member(w, ", \"agent_id\": ", &ctx->agent_id);

    p = ngx_http_voicebridge_print_time(buf, call->started);

    vb_write_literal(w, ", \"started\": \"");
    vb_write(w, buf, p - buf);
    vb_write_literal(w, "\", ");

    ngx_http_voicebridge_transcript_said(w, call, m);

    vb_write_literal(w, "}\n");
}


/* the members of one thing that was said, without braces */

static void
ngx_http_voicebridge_transcript_said(vb_writer_t *w,
    ngx_http_voicebridge_call_t *call, vb_agent_message_t *m)
{
    u_char      *p, buf[NGX_INT64_LEN + sizeof("\"offset\": .000")];
    ngx_msec_t   ms;

    ms = ngx_current_msec - call->accepted;

    p = ngx_sprintf(buf, "\"offset\": %M.%03M", ms / 1000, ms % 1000);
    vb_write(w, buf, p - buf);

    if (m->type == VB_AGENT_USER_TRANSCRIPT) {
        vb_write_literal(w, ", \"speaker\": \"user\"");

    } else {
        vb_write_literal(w, ", \"speaker\": \"agent\"");
    }

    vb_write_member(w, ", \"text\": ", &m->text.text);

    if (m->type == VB_AGENT_RESPONSE_CORRECTION) {
        vb_write_member(w, ", \"original\": ", &m->original.text);
    }
}
