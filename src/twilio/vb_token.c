
/* The one-time proof that a stream is of a call of ours: EXPIRY.NONCE.MAC */


#include <stdio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <vb_base64.h>
#include <vb_token.h>


#define VB_TOKEN_EXPIRY_LENGTH  10
#define VB_TOKEN_NONCE_LENGTH   22
#define VB_TOKEN_MAC_LENGTH     43

#define VB_TOKEN_SHA256         32

/* EXPIRY.NONCE: what is signed together with the claims */
#define VB_TOKEN_HEAD_LENGTH                                                  \
    (VB_TOKEN_EXPIRY_LENGTH + 1 + VB_TOKEN_NONCE_LENGTH)


static int vb_token_decode(const vb_str_t *token, uint64_t *expiry,
    u_char *nonce, u_char *mac);
static int vb_token_digest(u_char *digest, const vb_token_claims_t *claims);
static int vb_token_update(EVP_MD_CTX *ctx, const vb_str_t *claim);
static int vb_token_mac(u_char *mac, const u_char *head, const u_char *digest,
    const vb_str_t *auth_token);


int
vb_token_make(u_char *dst, const vb_token_claims_t *claims,
    const vb_str_t *auth_token, uint64_t expiry)
{
    int     n;
    char    text[24];
    u_char  nonce[VB_TOKEN_NONCE], digest[VB_TOKEN_SHA256];
    u_char  mac[VB_TOKEN_SHA256];

    n = snprintf(text, sizeof(text), "%010llu", (unsigned long long) expiry);

    if (n != VB_TOKEN_EXPIRY_LENGTH
        || RAND_bytes(nonce, VB_TOKEN_NONCE) != 1
        || vb_token_digest(digest, claims) != VB_OK)
    {
        return VB_ERROR;
    }

    memcpy(dst, text, VB_TOKEN_EXPIRY_LENGTH);
    dst[VB_TOKEN_EXPIRY_LENGTH] = '.';
    vb_base64url_encode(dst + VB_TOKEN_EXPIRY_LENGTH + 1, nonce,
                        VB_TOKEN_NONCE);

    if (vb_token_mac(mac, dst, digest, auth_token) != VB_OK) {
        return VB_ERROR;
    }

    dst[VB_TOKEN_HEAD_LENGTH] = '.';
    vb_base64url_encode(dst + VB_TOKEN_HEAD_LENGTH + 1, mac, VB_TOKEN_SHA256);

    return VB_OK;
}


vb_token_verdict_t
vb_token_check(const vb_str_t *token, const vb_token_claims_t *claims,
    const vb_str_t *auth_tokens, size_t ntokens, uint64_t now, u_char *nonce,
    uint64_t *expiry)
{
    int       good;
    u_char    digest[VB_TOKEN_SHA256], mac[VB_TOKEN_SHA256];
    u_char    its_nonce[VB_TOKEN_NONCE], its_mac[VB_TOKEN_SHA256];
    size_t    i;
    uint64_t  its_expiry;

    if (vb_token_decode(token, &its_expiry, its_nonce, its_mac) != VB_OK) {
        return VB_TOKEN_MALFORMED;
    }

    if (vb_token_digest(digest, claims) != VB_OK) {
        return VB_TOKEN_FORGED;
    }

    /* all of them, so that the time does not tell which one it was */

    good = 0;

    for (i = 0; i < ntokens; i++) {

        if (vb_token_mac(mac, token->data, digest, &auth_tokens[i]) == VB_OK) {
            good |= (CRYPTO_memcmp(mac, its_mac, VB_TOKEN_SHA256) == 0);
        }
    }

    if (!good) {
        return VB_TOKEN_FORGED;
    }

    if (its_expiry < now) {
        return VB_TOKEN_EXPIRED;
    }

    memcpy(nonce, its_nonce, VB_TOKEN_NONCE);
    *expiry = its_expiry;

    return VB_TOKEN_GOOD;
}


static int
vb_token_decode(const vb_str_t *token, uint64_t *expiry, u_char *nonce,
    u_char *mac)
{
    size_t   i;
    u_char  *p;
    u_char   buf[vb_base64_decoded_length(VB_TOKEN_MAC_LENGTH)];

    p = token->data;

    if (token->len != VB_TOKEN_LENGTH || p[VB_TOKEN_EXPIRY_LENGTH] != '.'
        || p[VB_TOKEN_HEAD_LENGTH] != '.')
    {
        return VB_ERROR;
    }

    *expiry = 0;

    for (i = 0; i < VB_TOKEN_EXPIRY_LENGTH; i++) {

        if (p[i] < '0' || p[i] > '9') {
            return VB_ERROR;
        }

        *expiry = *expiry * 10 + (p[i] - '0');
    }

    if (vb_base64url_decode(buf, p + VB_TOKEN_EXPIRY_LENGTH + 1,
                            VB_TOKEN_NONCE_LENGTH)
        != VB_TOKEN_NONCE)
    {
        return VB_ERROR;
    }

    memcpy(nonce, buf, VB_TOKEN_NONCE);

    if (vb_base64url_decode(buf, p + VB_TOKEN_HEAD_LENGTH + 1,
                            VB_TOKEN_MAC_LENGTH)
        != VB_TOKEN_SHA256)
    {
        return VB_ERROR;
    }

    memcpy(mac, buf, VB_TOKEN_SHA256);

    return VB_OK;
}


/* SHA-256 over the claims, each with its length before it */

static int
vb_token_digest(u_char *digest, const vb_token_claims_t *claims)
{
    int          rc;
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return VB_ERROR;
    }

    rc = (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1
          && vb_token_update(ctx, &claims->agent_id) == VB_OK
          && vb_token_update(ctx, &claims->session_id) == VB_OK
          && vb_token_update(ctx, &claims->direction) == VB_OK
          && vb_token_update(ctx, &claims->from) == VB_OK
          && vb_token_update(ctx, &claims->to) == VB_OK
          && vb_token_update(ctx, &claims->dynamic_variables) == VB_OK
          && (claims->client_data.len == 0
              || vb_token_update(ctx, &claims->client_data) == VB_OK)
          && EVP_DigestFinal_ex(ctx, digest, NULL) == 1)
         ? VB_OK : VB_ERROR;

    EVP_MD_CTX_free(ctx);

    return rc;
}


static int
vb_token_update(EVP_MD_CTX *ctx, const vb_str_t *claim)
{
    size_t    i;
    u_char    len[8];
    uint64_t  n;

    n = claim->len;

    for (i = 8; i; i--) {
        len[i - 1] = (u_char) n;
        n >>= 8;
    }

    if (EVP_DigestUpdate(ctx, len, 8) != 1) {
        return VB_ERROR;
    }

    return (claim->len == 0
            || EVP_DigestUpdate(ctx, claim->data, claim->len) == 1)
           ? VB_OK : VB_ERROR;
}


/*
 * The key is HMAC-SHA256(auth token, label): what a token tells is of no use
 * where Twilio signs with the same auth token.
 */

static int
vb_token_mac(u_char *mac, const u_char *head, const u_char *digest,
    const vb_str_t *auth_token)
{
    int                rc;
    u_char             key[VB_TOKEN_SHA256];
    u_char             text[VB_TOKEN_HEAD_LENGTH + VB_TOKEN_SHA256];

    static const char  label[] = "voicebridge vb_token";

    /* anybody could sign with an empty one */

    if (auth_token->len == 0) {
        return VB_ERROR;
    }

    memcpy(text, head, VB_TOKEN_HEAD_LENGTH);
    memcpy(text + VB_TOKEN_HEAD_LENGTH, digest, VB_TOKEN_SHA256);

    rc = (HMAC(EVP_sha256(), auth_token->data, (int) auth_token->len,
               (const u_char *) label, sizeof(label) - 1, key, NULL)
          && HMAC(EVP_sha256(), key, sizeof(key), text, sizeof(text), mac,
                  NULL))
         ? VB_OK : VB_ERROR;

    OPENSSL_cleanse(key, sizeof(key));

    return rc;
}
