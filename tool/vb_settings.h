
/*
 * Where the server is and how it is spoken to: from options, the environment
 * (VOICEBRIDGE_URL, VOICEBRIDGE_API_KEY, VOICEBRIDGE_API_KEY_FILE,
 * VOICEBRIDGE_CALLS_AUTH, VOICEBRIDGE_CONFIG) and a configuration file, in
 * this order.
 */


#ifndef _VB_SETTINGS_H_INCLUDED_
#define _VB_SETTINGS_H_INCLUDED_


#include <vb_options.h>


typedef struct {
    const char  *url;                  /* https://host[:port][/prefix] */
    const char  *key;
    const char  *key_file;
    const char  *config;
    const char  *outbound_path;
    const char  *calls_path;
    const char  *calls_auth;           /* user:password of calls_path */
    const char  *agent;
    const char  *cacert;
    int64_t      timeout;              /* of a request, ms */
    int          insecure;
} vb_settings_t;


#define VB_SETTINGS_INIT                                                      \
    { .timeout = 30000, .outbound_path = NULL, .calls_path = NULL }


/* options whose structure begins with a vb_settings_t */
extern const vb_option_t  vb_settings_options[];


/*
 * Fills what the options left open, and checks it; ends the program where the
 * URL is missing or wrong, or, with need_key set, there is no key.  argv's
 * copy of a key is overwritten.
 */
void vb_settings_complete(vb_settings_t *s, int need_key);

/* s->url and a path */
void vb_settings_url(const vb_settings_t *s, const char *path, vb_text_t *url);


#endif /* _VB_SETTINGS_H_INCLUDED_ */
