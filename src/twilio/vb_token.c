
/* vb_token: what proves that a stream belongs to a call of ours */


#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <vb_base64.h>
#include <vb_token.h>


#define VB_TOKEN_EXPIRY_LENGTH  10
#define VB_TOKEN_NONCE_LENGTH   22
#define VB_TOKEN_MAC            32

/* the part that is signed together with the claims: EXPIRY.NONCE */
#define VB_TOKEN_HEAD                                                         \
    (VB_TOKEN_EXPIRY_LENGTH + 1 + VB_TOKEN_NONCE_LENGTH)


static int vb_token_mac(u_char mac[VB_TOKEN_MAC], const u_char *head,
    const vb_token_claims_t *claims, const vb_str_t *auth_token);


int
vb_token_make(u_char *dst, const vb_token_claims_t *claims,
    const vb_str_t *auth_token, uint64_t expiry)
{
    char    text[32];
    u_char  nonce[VB_TOKEN_NONCE], mac[VB_TOKEN_MAC];

    if (RAND_bytes(nonce, sizeof(nonce)) != 1
        || snprintf(text, sizeof(text), "%010llu.",
                    (unsigned long long) expiry)
           != VB_TOKEN_EXPIRY_LENGTH + 1)
    {
        return VB_ERROR;
    }

    memcpy(dst, text, VB_TOKEN_EXPIRY_LENGTH + 1);
    (void) vb_base64url_encode(dst + VB_TOKEN_EXPIRY_LENGTH + 1, nonce,
                               sizeof(nonce));

    if (vb_token_mac(mac, dst, claims, auth_token) != VB_OK) {
        return VB_ERROR;
    }

    dst[VB_TOKEN_HEAD] = '.';
    (void) vb_base64url_encode(dst + VB_TOKEN_HEAD + 1, mac, sizeof(mac));

    return VB_OK;
}


vb_token_verdict_t
vb_token_check(const vb_str_t *token, const vb_token_claims_t *claims,
    const vb_str_t *auth_tokens, size_t ntokens, uint64_t now, u_char *nonce,
    uint64_t *expiry)
{
    int       good;
    size_t    i;
    u_char   *p, mac[VB_TOKEN_MAC], theirs[VB_TOKEN_MAC + 3];
    uint64_t  until;

    p = token->data;

    if (token->len != VB_TOKEN_LENGTH || p[VB_TOKEN_EXPIRY_LENGTH] != '.'
        || p[VB_TOKEN_HEAD] != '.')
    {
        return VB_TOKEN_MALFORMED;
    }

    until = 0;

    for (i = 0; i < VB_TOKEN_EXPIRY_LENGTH; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return VB_TOKEN_MALFORMED;
        }

        until = until * 10 + (p[i] - '0');
    }

    /* both decode to exactly their size: nothing is written beyond */

    if (vb_base64url_decode(theirs, p + VB_TOKEN_EXPIRY_LENGTH + 1,
                            VB_TOKEN_NONCE_LENGTH)
        != VB_TOKEN_NONCE)
    {
        return VB_TOKEN_MALFORMED;
    }

    memcpy(nonce, theirs, VB_TOKEN_NONCE);

    if (vb_base64url_decode(theirs, p + VB_TOKEN_HEAD + 1,
                            VB_TOKEN_LENGTH - VB_TOKEN_HEAD - 1)
        != VB_TOKEN_MAC)
    {
        return VB_TOKEN_MALFORMED;
    }

    good = 0;

    for (i = 0; i < ntokens; i++) {

        if (vb_token_mac(mac, p, claims, &auth_tokens[i]) == VB_OK) {
            good |= CRYPTO_memcmp(mac, theirs, VB_TOKEN_MAC) == 0;
        }
    }

    if (!good) {
        return VB_TOKEN_FORGED;
    }

    *expiry = until;

    return until < now ? VB_TOKEN_EXPIRED : VB_TOKEN_GOOD;
}


/* HMAC-SHA256 over the head and the claims, each with its length before it */

static int
vb_token_mac(u_char mac[VB_TOKEN_MAC], const u_char *head,
    const vb_token_claims_t *claims, const vb_str_t *auth_token)
{
    int              i, j, rc;
    u_char          *buf, *p, key[EVP_MAX_MD_SIZE];
    size_t           len;
    unsigned int     n;
    const vb_str_t  *part[6];

    static const char  label[] = "voicebridge vb_token 1";

    part[0] = &claims->agent_id;
    part[1] = &claims->session_id;
    part[2] = &claims->direction;
    part[3] = &claims->from;
    part[4] = &claims->to;
    part[5] = &claims->dynamic_variables;

    len = VB_TOKEN_HEAD;

    for (i = 0; i < 6; i++) {
        len += 8 + part[i]->len;
    }

    buf = malloc(len);
    if (buf == NULL) {
        return VB_ERROR;
    }

    memcpy(buf, head, VB_TOKEN_HEAD);
    p = buf + VB_TOKEN_HEAD;

    for (i = 0; i < 6; i++) {

        for (j = 56; j >= 0; j -= 8) {
            *p++ = (u_char) ((uint64_t) part[i]->len >> j);
        }

        if (part[i]->len) {
            memcpy(p, part[i]->data, part[i]->len);
            p += part[i]->len;
        }
    }

    rc = HMAC(EVP_sha256(), auth_token->data, (int) auth_token->len,
              (const u_char *) label, sizeof(label) - 1, key, &n)
         && HMAC(EVP_sha256(), key, (int) n, buf, len, mac, &n)
         ? VB_OK : VB_ERROR;

    OPENSSL_cleanse(key, sizeof(key));
    free(buf);

    return rc;
}
