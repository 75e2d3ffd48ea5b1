
/*
 * vb_token (contract section 4): what proves that a stream belongs to a
 * call this module started or answered.  It travels as a TwiML parameter,
 * so any worker of any node can check it.
 */


#ifndef _VB_TOKEN_H_INCLUDED_
#define _VB_TOKEN_H_INCLUDED_


#include <vb_core.h>


/* EXPIRY.NONCE.MAC: 10 + 1 + 22 + 1 + 43, without the final null */
#define VB_TOKEN_LENGTH  77
#define VB_TOKEN_NONCE   16


/* what a token binds: each part is hashed with its length before it */
typedef struct {
    vb_str_t         agent_id;
    vb_str_t         session_id;
    vb_str_t         direction;
    vb_str_t         from;
    vb_str_t         to;
    vb_str_t         dynamic_variables;    /* the whole JSON text */
    vb_str_t         client_data;          /* the same; hashed where there is
                                              one */
} vb_token_claims_t;


typedef enum {
    VB_TOKEN_GOOD = 0,
    VB_TOKEN_MALFORMED,
    VB_TOKEN_FORGED,                   /* another key, or altered claims */
    VB_TOKEN_EXPIRED
} vb_token_verdict_t;


/*
 * Makes a token that is good until expiry (Unix seconds): VB_TOKEN_LENGTH
 * characters to dst.  The key is HMAC-SHA256(auth token, a fixed label).
 * VB_OK, or VB_ERROR when the system has no randomness or memory, the auth
 * token is empty, or expiry has more than ten digits.
 */
int vb_token_make(u_char *dst, const vb_token_claims_t *claims,
    const vb_str_t *auth_token, uint64_t expiry);


/*
 * Checks a token against each of ntokens auth tokens, in constant time; an
 * empty auth token is good for none.  Expired is what was good before now.
 * nonce (VB_TOKEN_NONCE bytes) and expiry are set when good: what a
 * single-use store needs.
 */
vb_token_verdict_t vb_token_check(const vb_str_t *token,
    const vb_token_claims_t *claims, const vb_str_t *auth_tokens,
    size_t ntokens, uint64_t now, u_char *nonce, uint64_t *expiry);


#endif /* _VB_TOKEN_H_INCLUDED_ */
