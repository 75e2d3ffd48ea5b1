
/* The server as Twilio meets it: an address, a certificate, two signatures */


#include <vb_check.h>
#include <vb_sign.h>
#include <vb_stream.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>


#define VB_CHECK_REDIRECT                                                     \
    "give the URL that the redirect leads to: streams follow none"

#define VB_CHECK_TRUST                                                        \
    "the server's voicebridge_twilio_auth_token has to be this token, its "   \
    "voicebridge_public_url this URL"


static int vb_check_address(vb_check_t *c, const char *host);
static int vb_check_is_private(const struct sockaddr *sa);
static int vb_check_certificate(vb_check_t *c);
static void vb_check_stream(vb_check_t *c);
static long vb_check_handshake(vb_check_t *c, int sign, char *why,
    size_t size);
static void vb_check_webhook(vb_check_t *c);
static const char *vb_check_webhook_remedy(long status);
static long vb_check_post(vb_check_t *c, const char *signature);


int
vb_check_reach(vb_check_t *c)
{
    char         host[256];
    size_t       len;
    const char  *p;

    p = strstr(c->options->url, "://") + 3;
    len = (*p == '[') ? strcspn(p, "]") + 1 : strcspn(p, ":/");

    snprintf(host, sizeof(host), "%.*s", (int) len, p);

    if (strncmp(c->options->url, "https", 5) != 0) {
        vb_check_found(c, "url", VB_CHECK_FAIL, "give the server a "
                       "certificate and an https:// URL",
                       "Twilio opens media streams over TLS only");

    } else if (p[len] == ':' && strncmp(p + len, ":443", 5) != 0) {
        vb_check_found(c, "url", VB_CHECK_WARN, "let nginx listen on 443",
                       "Twilio connects to port 443 for media streams, not "
                       "to %s", p + len + 1);

    } else if (strchr(host, '_')) {
        vb_check_found(c, "url", VB_CHECK_FAIL, "use a name without _",
                       "Twilio refuses status callbacks to %s", host);

    } else {
        vb_check_found(c, "url", VB_CHECK_OK, NULL, "%s", c->options->url);
    }

    return vb_check_address(c, host) && vb_check_certificate(c);
}


static int
vb_check_address(vb_check_t *c, const char *host)
{
    int               rc;
    char              text[64], name[256];
    struct addrinfo   hints, *list, *ai;

    memset(&hints, 0, sizeof(struct addrinfo));
    hints.ai_socktype = SOCK_STREAM;

    /* an address of IPv6 is in brackets only within a URL */

    snprintf(name, sizeof(name), "%s", host + (host[0] == '['));
    name[strcspn(name, "]")] = '\0';

    rc = getaddrinfo(name, NULL, &hints, &list);

    if (rc != 0) {
        vb_check_found(c, "address", VB_CHECK_FAIL, "let its name point to "
                       "the server in DNS", "%s has none: %s", host,
                       gai_strerror(rc));
        return 0;
    }

    for (ai = list; ai; ai = ai->ai_next) {
        if (vb_check_is_private(ai->ai_addr)) {
            break;
        }
    }

    rc = getnameinfo(ai ? ai->ai_addr : list->ai_addr,
                     ai ? ai->ai_addrlen : list->ai_addrlen, text,
                     sizeof(text), NULL, 0, NI_NUMERICHOST);

    vb_check_found(c, "address", ai ? VB_CHECK_FAIL : VB_CHECK_OK,
                   ai ? "its name has to lead to a public address, for "
                        "everybody; looked at from within, ask DNS outside"
                      : NULL,
                   "%s is %s%s", host, rc == 0 ? text : "there",
                   ai ? ", which Twilio cannot reach" : "");

    freeaddrinfo(list);

    return 1;
}


/* RFC 1918, RFC 6598, RFC 4193, loopback and link-local */

static int
vb_check_is_private(const struct sockaddr *sa)
{
    uint32_t        v4;
    const uint8_t  *v6;

    if (sa->sa_family == AF_INET) {
        v4 = ntohl(((const struct sockaddr_in *) sa)->sin_addr.s_addr);

        return v4 >> 24 == 10 || v4 >> 24 == 127 || v4 >> 24 == 0
               || v4 >> 20 == 0xac1 || v4 >> 16 == 0xc0a8
               || v4 >> 16 == 0xa9fe || v4 >> 22 == 0x191;
    }

    if (sa->sa_family == AF_INET6) {
        v6 = ((const struct sockaddr_in6 *) sa)->sin6_addr.s6_addr;

        return (v6[0] & 0xfe) == 0xfc || (v6[0] == 0xfe && v6[1] >= 0x80)
               || IN6_IS_ADDR_LOOPBACK(
                      &((const struct sockaddr_in6 *) sa)->sin6_addr);
    }

    return 0;
}


static int
vb_check_certificate(vb_check_t *c)
{
    vb_text_t          url;
    vb_http_answer_t   a;
    vb_http_request_t  request;

    memset(&url, 0, sizeof(vb_text_t));
    memset(&request, 0, sizeof(vb_http_request_t));

    vb_text_printf(&url, "%s%s", c->options->url, c->options->stream_path);

    request.url = (char *) url.data;
    request.timeout = c->options->timeout;

    vb_http_fetch(c->http, &request, &a);
    vb_text_free(&url);

    if (a.tls_failed) {
        vb_check_found(c, "certificate", VB_CHECK_FAIL, "get one of a public "
                       "CA for this name, and give nginx the full chain",
                       "%s", a.error);
        return 0;
    }

    if (a.status == 0) {
        vb_check_found(c, "connection", VB_CHECK_FAIL, "does nginx listen "
                       "there, and does the firewall let Twilio, that is "
                       "everybody, in?", "%s", a.error);
        return 0;
    }

    vb_check_found(c, "connection", VB_CHECK_OK, NULL, "%s%s", a.version,
                   strncmp(c->options->url, "https", 5) == 0
                   ? ", the certificate is good" : "");

    c->status = a.status;

    return 1;
}


void
vb_check_server(vb_check_t *c)
{
    if (c->status == 404) {
        vb_check_found(c, "media stream", VB_CHECK_FAIL, "is there a location "
                       "with voicebridge_media_stream? --media-stream-path "
                       "says where", "%s answers 404",
                       c->options->stream_path);

    } else if (c->status / 100 == 3) {
        vb_check_found(c, "media stream", VB_CHECK_FAIL, VB_CHECK_REDIRECT,
                       "%s answers %ld", c->options->stream_path, c->status);

    } else {
        vb_check_stream(c);
    }

    vb_check_webhook(c);
}


static void
vb_check_stream(vb_check_t *c)
{
    long  status;
    char  why[300];

    status = vb_check_handshake(c, 0, why, sizeof(why));

    if (status == 403) {
        vb_check_found(c, "unsigned stream", VB_CHECK_OK, NULL,
                       "is refused, 403");

    } else if (status == 101) {
        vb_check_found(c, "unsigned stream", VB_CHECK_FAIL,
                       "voicebridge_verify_signature on, unless something "
                       "else guards the location",
                       "is accepted: anybody can talk to your agents");

    } else {
        vb_check_found(c, "unsigned stream", VB_CHECK_FAIL,
                       "a proxy before nginx has to pass Upgrade and "
                       "Connection over HTTP/1.1", "%s", why);
    }

    if (c->token == NULL) {
        vb_check_found(c, "signed stream", VB_CHECK_SKIP, NULL,
                       "TWILIO_AUTH_TOKEN is not set");
        return;
    }

    status = vb_check_handshake(c, 1, why, sizeof(why));

    if (status == 101) {
        vb_check_found(c, "signed stream", VB_CHECK_OK, NULL,
                       "is accepted, 101");

    } else if (status == 403) {
        vb_check_found(c, "signed stream", VB_CHECK_FAIL, VB_CHECK_TRUST,
                       "is refused, 403");

    } else {
        vb_check_found(c, "signed stream", VB_CHECK_FAIL, "see the server's "
                       "error log", "%s", why);
    }
}


static long
vb_check_handshake(vb_check_t *c, int sign, char *why, size_t size)
{
    long               status;
    char               signature[VB_SIGN_LENGTH + 1];
    vb_text_t          url;
    vb_stream_t       *stream;
    vb_stream_conf_t   conf;

    memset(&url, 0, sizeof(vb_text_t));
    memset(&conf, 0, sizeof(vb_stream_conf_t));

    vb_text_printf(&url, "ws%s%s", c->options->url + 4,
                   c->options->stream_path);

    conf.url = (char *) url.data;
    conf.cacert = c->options->cacert;
    conf.timeout = c->options->timeout;

    if (sign) {
        vb_sign(signature, c->token, conf.url);
        conf.signature = signature;
    }

    stream = vb_stream_open(&conf, why, size, &status);

    if (stream) {
        vb_stream_send(stream, VB_WS_CLOSE, "\x03\xe8", 2);
        vb_stream_close(stream);
        status = 101;
    }

    vb_text_free(&url);

    return status;
}


/* a status callback of a call that nobody knows has no effect */

static void
vb_check_webhook(vb_check_t *c)
{
    long        status;
    char        signature[VB_SIGN_LENGTH + 1];
    vb_text_t   text;

    status = vb_check_post(c, NULL);

    if (status == 403) {
        vb_check_found(c, "unsigned webhook", VB_CHECK_OK, NULL,
                       "is refused, 403");

    } else {
        vb_check_found(c, "unsigned webhook", VB_CHECK_FAIL,
                       vb_check_webhook_remedy(status),
                       "%s answers %ld, not 403", c->options->status_path,
                       status);
    }

    if (c->token == NULL || status == 404 || status / 100 == 3) {
        return;
    }

    memset(&text, 0, sizeof(vb_text_t));
    vb_text_printf(&text, "%s%sCallStatusringing", c->options->url,
                   c->options->status_path);
    vb_sign(signature, c->token, (char *) text.data);
    vb_text_free(&text);

    status = vb_check_post(c, signature);

    if (status == 204 || status == 400) {
        vb_check_found(c, "signed webhook", VB_CHECK_OK, NULL,
                       "is accepted, %ld", status);

    } else {
        vb_check_found(c, "signed webhook", VB_CHECK_FAIL,
                       status == 403 ? VB_CHECK_TRUST
                                     : "see the server's error log",
                       "is refused, %ld", status);
    }
}


static const char *
vb_check_webhook_remedy(long status)
{
    if (status / 100 == 2 || status == 400) {
        return "voicebridge_verify_signature on";
    }

    if (status / 100 == 3) {
        return VB_CHECK_REDIRECT;
    }

    if (status == 404) {
        return "is there a location with voicebridge_call_status? "
               "--call-status-path says where";
    }

    return "see the server's error log";
}


static long
vb_check_post(vb_check_t *c, const char *signature)
{
    char                header[80];
    vb_text_t           url;
    const char         *headers[2];
    vb_http_answer_t    a;
    vb_http_request_t   request;

    memset(&url, 0, sizeof(vb_text_t));
    memset(&request, 0, sizeof(vb_http_request_t));

    vb_text_printf(&url, "%s%s", c->options->url, c->options->status_path);

    headers[0] = NULL;
    headers[1] = NULL;

    if (signature) {
        snprintf(header, sizeof(header), "X-Twilio-Signature: %s", signature);
        headers[0] = header;
    }

    request.url = (char *) url.data;
    request.post = "CallStatus=ringing";
    request.headers = headers;
    request.timeout = c->options->timeout;

    vb_http_fetch(c->http, &request, &a);
    vb_text_free(&url);

    return a.status;
}
