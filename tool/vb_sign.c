
/* Twilio's signature over OpenSSL's HMAC */


#include <vb_sign.h>
#include <vb_base64.h>

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>


void
vb_sign(char dst[VB_SIGN_LENGTH + 1], const char *token, const char *text)
{
    u_char    md[EVP_MAX_MD_SIZE];
    size_t    n;
    unsigned  len;

    len = 0;

    HMAC(EVP_sha1(), token, strlen(token), (u_char *) text, strlen(text), md,
         &len);

    n = vb_base64_encode((u_char *) dst, md, len);
    dst[n] = '\0';
}


const char *
vb_sign_token(const char *file)
{
    vb_text_t    text;
    const char  *token;

    if (file == NULL) {
        token = getenv("TWILIO_AUTH_TOKEN");

        return token && *token ? token : NULL;
    }

    memset(&text, 0, sizeof(vb_text_t));

    if (vb_file_read(file, 4096, &text) != VB_OK) {
        vb_die(VB_EXIT_USAGE, "%s: %s", file, strerror(errno));
    }

    text.data[strcspn((char *) text.data, "\r\n")] = '\0';

    return (char *) text.data;
}
