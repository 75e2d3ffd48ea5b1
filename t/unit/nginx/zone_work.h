
/*
 * What a worker does to the zone, step by step, and how far it has come with
 * that.
 *
 * Who includes this has zone, pool and now; DEAD and WORKER, two processes.
 */


#ifndef _ZONE_WORK_H_INCLUDED_
#define _ZONE_WORK_H_INCLUDED_


/* what the worker does; of the calls some are placed before, some ring in
 * vain */
#define CALLS     9
#define PLACED    2
#define BUSY      2
#define TOKENS    6
#define KEYS      4
#define NUMBERS   5


/* what the worker has done, and what it has begun to do */
typedef struct {
    ngx_uint_t                  placed[2];
    ngx_uint_t                  busy[2];
    ngx_uint_t                  begins[2];
    ngx_uint_t                  inherits[2];
    ngx_uint_t                  ends[2];
    ngx_uint_t                  tokens[2];
    ngx_uint_t                  reserved[2];
    ngx_uint_t                  kept[2];
    ngx_uint_t                  numbers[2];
    ngx_uint_t                  counts[2];
} progress_t;


static progress_t  *progress;          /* shared, too */


static void
token(u_char *nonce, ngx_uint_t n)
{
    /* all of them are for the same places of the table */

    ngx_memset(nonce, 'n', NGX_HTTP_VOICEBRIDGE_NONCE_LEN);
    nonce[NGX_HTTP_VOICEBRIDGE_NONCE_LEN - 1] = n;
}


static ngx_int_t
use(ngx_uint_t n)
{
    u_char      nonce[NGX_HTTP_VOICEBRIDGE_NONCE_LEN];
    ngx_uint_t  full;

    token(nonce, n);

    return ngx_http_voicebridge_zone_use_nonce(&zone, nonce, now.sec + 60,
                                               &full);
}


/* a request that is done once; all of them are for the same places, too */

static ngx_str_t  answer = ngx_string("an answer");

static void
request(ngx_http_voicebridge_idempotency_t *id, ngx_uint_t n)
{
    ngx_memset(id->key, 'k', NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH);
    ngx_memset(id->body, 'b', NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH);
    id->key[NGX_HTTP_VOICEBRIDGE_IDEMPOTENCY_HASH - 1] = n;
}


static ngx_int_t
find(ngx_uint_t n, ngx_http_voicebridge_kept_t *kept)
{
    ngx_http_voicebridge_idempotency_t  id;

    request(&id, n);

    return ngx_http_voicebridge_idempotency_find(&zone, &id, pool, kept);
}


static void
keep(void)
{
    ngx_uint_t                          i;
    ngx_http_voicebridge_idempotency_t  id;

    for (i = 0; i < KEYS; i++) {
        request(&id, i);

        progress->reserved[1]++;
        (void) ngx_http_voicebridge_idempotency_reserve(&zone, &id, 10, 60);
        progress->reserved[0]++;

        progress->kept[1]++;

        if (i % 2) {
            ngx_http_voicebridge_idempotency_forget(&zone, &id);

        } else {
            ngx_http_voicebridge_idempotency_keep(&zone, &id, 200, &answer);
        }

        progress->kept[0]++;
    }
}


static void
fill(ngx_http_voicebridge_record_t *record, const char *state,
    const char *reason)
{
    ngx_memzero(record, sizeof(ngx_http_voicebridge_record_t));

    (void) snprintf(record->state, sizeof(record->state), "%s", state);
    (void) snprintf(record->end_reason, sizeof(record->end_reason), "%s",
                    reason);
    (void) snprintf(record->direction, sizeof(record->direction), "inbound");
    memset(record->session_id, 's', sizeof(record->session_id) - 1);
}


/* three calls that nobody ends */

static void
die(void)
{
    ngx_uint_t                     i;
    ngx_http_voicebridge_stats_t   stats;
    ngx_http_voicebridge_record_t  record;

    ngx_pid = DEAD;

    for (i = 0; i < 3; i++) {
        ngx_memzero(&stats, sizeof(ngx_http_voicebridge_stats_t));
        ngx_http_voicebridge_stats_begin(&stats, &zone);
        fill(&record, "live", "");
        ngx_http_voicebridge_stats_update(&stats, &record,
                                       NGX_HTTP_VOICEBRIDGE_STEP_METADATA, 0);
    }
}


/* the SID of the n-th call that was placed */

static void
place(ngx_http_voicebridge_record_t *record, ngx_uint_t n)
{
    fill(record, "", "");
    (void) snprintf(record->call_sid, sizeof(record->call_sid), "CA%zu",
                    (size_t) n);
}


static void
call_back(ngx_uint_t n, ngx_http_voicebridge_status_e status)
{
    ngx_http_voicebridge_record_t    record;
    ngx_http_voicebridge_callback_t  callback;

    place(&record, n);

    ngx_memzero(&callback, sizeof(ngx_http_voicebridge_callback_t));
    callback.status = status;
    callback.sequence = NGX_ERROR;
    callback.sip = 486;

    ngx_http_voicebridge_stats_callback(&zone, &record, &callback);
}


/* calls that are placed; the last of them are busy */

static void
ring(void)
{
    ngx_uint_t                     i;
    ngx_http_voicebridge_record_t  record;

    for (i = 0; i < PLACED + BUSY; i++) {
        place(&record, i);

        progress->placed[1]++;
        ngx_http_voicebridge_stats_placed(&zone, &record,
                                          NGX_HTTP_VOICEBRIDGE_STEP_PLACED,
                                          NGX_HTTP_VOICEBRIDGE_STATUS_QUEUED);
        progress->placed[0]++;

        call_back(i, NGX_HTTP_VOICEBRIDGE_STATUS_RINGING);
    }

    for (i = PLACED; i < PLACED + BUSY; i++) {
        progress->busy[1]++;
        call_back(i, NGX_HTTP_VOICEBRIDGE_STATUS_BUSY);
        call_back(i, NGX_HTTP_VOICEBRIDGE_STATUS_BUSY);
        progress->busy[0]++;
    }
}


static void
work(void)
{
    ngx_uint_t                     i;
    ngx_http_voicebridge_stats_t   stats[CALLS];
    ngx_http_voicebridge_record_t  record;

    ngx_pid = WORKER;

    ngx_http_voicebridge_stats_reap(&zone, 1);

    ngx_memzero(stats, sizeof(stats));

    ring();

    for (i = 0; i < CALLS; i++) {
        progress->begins[1]++;
        ngx_http_voicebridge_stats_begin(&stats[i], &zone);
        progress->begins[0]++;

        fill(&record, "live", "");

        if (i < PLACED) {
            (void) snprintf(record.call_sid, sizeof(record.call_sid), "CA%zu",
                            (size_t) i);
            progress->inherits[1]++;
        }

        ngx_http_voicebridge_stats_update(&stats[i], &record,
                                       NGX_HTTP_VOICEBRIDGE_STEP_METADATA, 0);

        if (i < PLACED) {
            progress->inherits[0]++;
        }
    }

    for (i = 0; i < TOKENS; i++) {
        progress->tokens[1]++;
        (void) use(i);
        progress->tokens[0]++;
    }

    keep();

    for (i = 0; i < NUMBERS; i++) {
        progress->numbers[1]++;
        ngx_http_voicebridge_stats_observe(&zone,
                                       NGX_HTTP_VOICEBRIDGE_STATS_SETUP, 100);
        progress->numbers[0]++;

        progress->counts[1]++;
        ngx_http_voicebridge_stats_count(&zone,
                                         NGX_HTTP_VOICEBRIDGE_STATS_OUTBOUND,
                                         "200", "");
        progress->counts[0]++;
    }

    /* those with a record, and those without; some are left */

    for (i = 0; i < CALLS; i += 2) {
        fill(&record, "ended", "caller_hung_up");

        progress->ends[1]++;
        ngx_http_voicebridge_stats_end(&stats[i], &record);
        progress->ends[0]++;
    }
}


#endif /* _ZONE_WORK_H_INCLUDED_ */
