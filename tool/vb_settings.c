
/* Options, environment and configuration file: the server and its key */


#include <vb_settings.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>


#define VB_SETTINGS_MAX_FILE  65536
#define VB_SETTINGS_MAX_KEY   4096
#define VB_SETTINGS_MAX_TIMEOUT  3600000   /* ms */


typedef struct {
    const char  *name;                 /* in the configuration file */
    size_t       offset;
} vb_setting_t;


static void vb_settings_file(vb_settings_t *s);
static void vb_settings_line(vb_settings_t *s, const char *file,
    unsigned number, char *line);
static void vb_settings_key(vb_settings_t *s);
static void vb_settings_check_url(const vb_settings_t *s);
static char *vb_settings_trim(char *p);


const vb_option_t  vb_settings_options[] = {

    { "url", 'u', VB_OPTION_STRING, offsetof(vb_settings_t, url), "URL",
      "the server: https://voice.example.com (VOICEBRIDGE_URL)" },

    { "key-file", 'k', VB_OPTION_STRING, offsetof(vb_settings_t, key_file),
      "FILE",
      "its API key is the file's first line (VOICEBRIDGE_API_KEY_FILE, or\n"
      "the key itself in VOICEBRIDGE_API_KEY)" },

    { "key", '\0', VB_OPTION_STRING, offsetof(vb_settings_t, key), "KEY",
      "the key itself: others on this machine can see it, so rather not" },

    { "config", '\0', VB_OPTION_STRING, offsetof(vb_settings_t, config),
      "FILE",
      "settings, by default ~/.config/voicebridge.conf, else\n"
      "/etc/voicebridge.conf (VOICEBRIDGE_CONFIG)" },

    { "outbound-path", '\0', VB_OPTION_STRING,
      offsetof(vb_settings_t, outbound_path), "PATH",
      "the location of voicebridge_outbound_call\n"
      "(/twilio/outbound-call)" },

    { "calls-path", '\0', VB_OPTION_STRING,
      offsetof(vb_settings_t, calls_path), "PATH",
      "the location of voicebridge_calls (/voicebridge/calls); where it\n"
      "has auth_basic, VOICEBRIDGE_CALLS_AUTH is user:password" },

    { "timeout", '\0', VB_OPTION_TIME, offsetof(vb_settings_t, timeout),
      "TIME", "of a request to the server (30s)" },

    { "cacert", '\0', VB_OPTION_STRING, offsetof(vb_settings_t, cacert),
      "FILE", "certificates to trust instead of the system's" },

    { "insecure", '\0', VB_OPTION_FLAG, offsetof(vb_settings_t, insecure),
      NULL, "the server's certificate is not verified: for tests" },

    { NULL, 0, 0, 0, NULL, NULL }
};


static const vb_setting_t  vb_settings[] = {
    { "url", offsetof(vb_settings_t, url) },
    { "api_key", offsetof(vb_settings_t, key) },
    { "api_key_file", offsetof(vb_settings_t, key_file) },
    { "outbound_path", offsetof(vb_settings_t, outbound_path) },
    { "calls_path", offsetof(vb_settings_t, calls_path) },
    { "calls_auth", offsetof(vb_settings_t, calls_auth) },
    { "agent", offsetof(vb_settings_t, agent) },
    { "cacert", offsetof(vb_settings_t, cacert) }
};


#define vb_settings_env(field, name)                                          \
    if ((field) == NULL && getenv(name) && *getenv(name)) {                   \
        (field) = getenv(name);                                               \
    }


void
vb_settings_complete(vb_settings_t *s, int need_key)
{
    char  *p;

    if (s->key) {
        vb_error("warning: a key among the arguments can be seen by others; "
                 "use --key-file or VOICEBRIDGE_API_KEY");

        p = (char *) s->key;
        s->key = vb_strndup((u_char *) p, strlen(p));
        memset(p, 'x', strlen(p));

    } else if (s->key_file == NULL) {
        vb_settings_env(s->key, "VOICEBRIDGE_API_KEY");
        vb_settings_env(s->key_file, "VOICEBRIDGE_API_KEY_FILE");
    }

    vb_settings_env(s->url, "VOICEBRIDGE_URL");
    vb_settings_env(s->calls_auth, "VOICEBRIDGE_CALLS_AUTH");
    vb_settings_env(s->config, "VOICEBRIDGE_CONFIG");

    vb_settings_file(s);

    if (s->outbound_path == NULL) {
        s->outbound_path = "/twilio/outbound-call";
    }

    if (s->calls_path == NULL) {
        s->calls_path = "/voicebridge/calls";
    }

    if (s->timeout < 1 || s->timeout > VB_SETTINGS_MAX_TIMEOUT) {
        vb_die(VB_EXIT_USAGE, "--timeout is an hour at most, and not 0");
    }

    vb_settings_check_url(s);
    vb_settings_key(s);

    if (need_key && s->key == NULL) {
        vb_die(VB_EXIT_USAGE, "there is no API key: --key-file FILE, or "
               "VOICEBRIDGE_API_KEY in the environment");
    }
}


static void
vb_settings_file(vb_settings_t *s)
{
    char         *line, *next;
    unsigned      number;
    const char   *name;
    vb_text_t     text, path;
    struct stat   st;

    memset(&text, 0, sizeof(vb_text_t));
    memset(&path, 0, sizeof(vb_text_t));

    name = s->config;

    if (name == NULL && getenv("HOME")) {
        vb_text_printf(&path, "%s/.config/voicebridge.conf", getenv("HOME"));
        name = (char *) path.data;
    }

    if (name == NULL || (s->config == NULL && stat(name, &st) == -1)) {
        name = "/etc/voicebridge.conf";
    }

    if (vb_file_read(name, VB_SETTINGS_MAX_FILE, &text) != VB_OK) {

        if (s->config || errno != ENOENT) {
            vb_die(VB_EXIT_USAGE, "%s: %s", name, strerror(errno));
        }

        vb_text_free(&path);
        return;
    }

    /* values point into it: it stays */

    number = 0;

    for (line = (char *) text.data; line; line = next) {

        next = strchr(line, '\n');

        if (next) {
            *next++ = '\0';
        }

        vb_settings_line(s, name, ++number, line);
    }

    vb_text_free(&path);
}


static void
vb_settings_line(vb_settings_t *s, const char *file, unsigned number,
    char *line)
{
    char         *value;
    size_t        i;
    struct stat   st;
    const char  **field;

    line = vb_settings_trim(line);

    if (*line == '\0' || *line == '#') {
        return;
    }

    value = strchr(line, '=');

    if (value == NULL) {
        vb_die(VB_EXIT_USAGE, "%s, line %u: not \"name = value\"", file,
               number);
    }

    *value++ = '\0';
    line = vb_settings_trim(line);
    value = vb_settings_trim(value);

    for (i = 0; i < sizeof(vb_settings) / sizeof(vb_settings[0]); i++) {

        if (strcmp(line, vb_settings[i].name) != 0) {
            continue;
        }

        if ((strcmp(line, "api_key") == 0 || strcmp(line, "calls_auth") == 0)
            && stat(file, &st) == 0 && (st.st_mode & 077))
        {
            vb_error("warning: %s has a secret and can be read by others: "
                     "chmod 600", file);
        }

        /* a key or a file of one, whichever came from nearer */

        if (strncmp(line, "api_key", 7) == 0 && (s->key || s->key_file)) {
            return;
        }

        field = (const char **) ((char *) s + vb_settings[i].offset);

        if (*field == NULL) {
            *field = value;
        }

        return;
    }

    vb_die(VB_EXIT_USAGE, "%s, line %u: there is no setting \"%s\"", file,
           number, line);
}


static void
vb_settings_key(vb_settings_t *s)
{
    size_t       i, len;
    vb_text_t    text;
    const char  *p;

    if (s->key == NULL && s->key_file) {
        memset(&text, 0, sizeof(vb_text_t));

        if (vb_file_read(s->key_file, VB_SETTINGS_MAX_KEY, &text) != VB_OK) {
            vb_die(VB_EXIT_USAGE, "%s: %s", s->key_file, strerror(errno));
        }

        len = strcspn((char *) text.data, "\r\n");
        text.data[len] = '\0';

        s->key = vb_settings_trim((char *) text.data);
    }

    if (s->key == NULL) {
        return;
    }

    /* it becomes a header */

    for (i = 0; s->key[i]; i++) {
        if ((u_char) s->key[i] <= ' ' || s->key[i] == 0x7f) {
            vb_die(VB_EXIT_USAGE, "the API key has a blank or a control "
                   "character in it");
        }
    }

    if (i == 0) {
        vb_die(VB_EXIT_USAGE, "the API key is empty");
    }

    p = s->url + sizeof("http://") - 1;

    if (strncmp(s->url, "http://", 7) == 0
        && strncmp(p, "127.", 4) != 0 && strncmp(p, "[::1]", 5) != 0
        && strncmp(p, "localhost", 9) != 0)
    {
        vb_error("warning: the API key goes to %s in the clear", s->url);
    }
}


static void
vb_settings_check_url(const vb_settings_t *s)
{
    size_t       len;
    const char  *p;

    if (s->url == NULL) {
        vb_die(VB_EXIT_USAGE, "which server? --url https://..., or "
               "VOICEBRIDGE_URL in the environment");
    }

    len = strlen(s->url);

    p = strstr(s->url, "://");

    if (p == NULL
        || (strncmp(s->url, "http://", 7) != 0
            && strncmp(s->url, "https://", 8) != 0)
        || p[3] == '\0' || p[3] == '/' || strpbrk(s->url, "?# "))
    {
        vb_die(VB_EXIT_USAGE, "the server's URL has to be like "
               "https://voice.example.com, not \"%s\"", s->url);
    }

    /* paths begin with the slash */

    while (len && s->url[len - 1] == '/') {
        ((char *) s->url)[--len] = '\0';
    }

    if (s->outbound_path[0] != '/' || s->calls_path[0] != '/') {
        vb_die(VB_EXIT_USAGE, "a path begins with /");
    }
}


static char *
vb_settings_trim(char *p)
{
    size_t  len;

    while (isspace((u_char) *p)) {
        p++;
    }

    len = strlen(p);

    while (len && isspace((u_char) p[len - 1])) {
        p[--len] = '\0';
    }

    return p;
}


void
vb_settings_url(const vb_settings_t *s, const char *path, vb_text_t *url)
{
    vb_text_puts(url, s->url);
    vb_text_puts(url, path);
}
