
/* voicebridge bulk: its options, and the runs they ask for */


#ifndef _VB_BULK_H_INCLUDED_
#define _VB_BULK_H_INCLUDED_


#include <vb_dialer.h>
#include <vb_options.h>
#include <vb_progress.h>


typedef struct {
    vb_settings_t        settings;     /* the first */

    const char          *input;
    const char          *format;
    const char          *delimiter;
    const char          *types;
    vb_list_t            variables;
    const char          *rate;
    int64_t              delay;
    int64_t              live;
    const char          *follow;
    const char          *twilio_url;
    int64_t              poll;
    int64_t              answer_timeout;
    const char          *retry;
    const char          *hours;
    const char          *days;
    const char          *zone;
    vb_list_t            blocked;
    int                  unique;
    const char          *journal;
    const char          *idempotency;
    const char          *max_failures;
    int64_t              max_waiting;
    const char          *test_call;
    int                  yes;
    int                  dry_run;
    const char          *now;
    int                  no_wait;
    int                  verbose;
    int                  quiet;
    int                  json;
    int64_t              progress;
} vb_bulk_options_t;


typedef struct {
    uint64_t             rows;
    uint64_t             invalid;
    char                 first[240];   /* of those, and why */
} vb_bulk_scan_t;


extern const vb_command_t  vb_bulk_command;


/* what of the options is a little language of its own; ends the program where
 * one is wrong */
void vb_bulk_configure(vb_bulk_options_t *o, vb_dialer_conf_t *conf,
    vb_rows_t *rows);

/* looks at all rows of a file before anybody is dialled */
void vb_bulk_scan(const vb_dialer_conf_t *conf, vb_bulk_scan_t *scan);

/* says what would be done; returns an exit code */
int vb_bulk_dry_run(vb_bulk_options_t *o, vb_dialer_conf_t *conf);

/* one call to a number of the user's own, before all others; VB_OK, or an exit
 * code */
int vb_bulk_test_call(vb_bulk_options_t *o, vb_dialer_conf_t *conf,
    uint64_t rows);


#endif /* _VB_BULK_H_INCLUDED_ */
