
/* vb_token: good once made, bad once anything about it changes */


#include <tap.h>

#include <vb_token.h>


#define NOW  1700000000


static vb_token_verdict_t check(u_char *token, size_t len,
    const vb_token_claims_t *claims, const char *key, uint64_t now);
static vb_str_t str(const char *s);


int
main(void)
{
    size_t              i;
    u_char              token[VB_TOKEN_LENGTH + 1], second[VB_TOKEN_LENGTH];
    u_char              nonce[VB_TOKEN_NONCE], c;
    uint64_t            expiry;
    vb_str_t            key, text, *part;
    vb_token_claims_t   claims, moved;
    vb_str_t            keys[2] = { vb_str("new"), vb_str("secret") };

    claims.agent_id = str("agent_1");
    claims.session_id = str("s");
    claims.direction = str("outbound");
    claims.from = str("+15550199");
    claims.to = str("+15550100");
    claims.dynamic_variables = str("{\"a\":1}");

    key = str("secret");

    is_int(vb_token_make(token, &claims, &key, NOW + 60), VB_OK, "made");
    is_int(vb_token_make(second, &claims, &key, NOW + 60), VB_OK, "another");
    ok(memcmp(token, second, VB_TOKEN_LENGTH) != 0, "no two are alike");

    is_int(check(token, VB_TOKEN_LENGTH, &claims, "secret", NOW),
           VB_TOKEN_GOOD, "good");
    is_int(check(token, VB_TOKEN_LENGTH, &claims, "secret", NOW + 60),
           VB_TOKEN_GOOD, "good in its last second");
    is_int(check(token, VB_TOKEN_LENGTH, &claims, "secret", NOW + 61),
           VB_TOKEN_EXPIRED, "too old");
    is_int(check(token, VB_TOKEN_LENGTH, &claims, "secres", NOW),
           VB_TOKEN_FORGED, "another key");
    is_int(check(token, VB_TOKEN_LENGTH - 1, &claims, "secret", NOW),
           VB_TOKEN_MALFORMED, "a character less");

    text.data = token;
    text.len = VB_TOKEN_LENGTH;
    is_int(vb_token_check(&text, &claims, keys, 2, NOW, nonce, &expiry),
           VB_TOKEN_GOOD, "by the second key");
    is_int(expiry, NOW + 60, "its expiry");

    for (i = 0; i < VB_TOKEN_LENGTH; i++) {
        c = token[i];
        token[i] = c == '1' ? '2' : '1';
        ok(check(token, VB_TOKEN_LENGTH, &claims, "secret", NOW)
           != VB_TOKEN_GOOD, "character %zu altered", i);
        token[i] = c;
    }

    for (i = 0; i < 6; i++) {
        moved = claims;
        part = (vb_str_t *) &moved + i;
        part->len--;
        is_int(check(token, VB_TOKEN_LENGTH, &moved, "secret", NOW),
               VB_TOKEN_FORGED, "claim %zu altered", i);
    }

    /* the same bytes, another border between two claims */

    moved = claims;
    moved.agent_id = str("agent_");
    moved.session_id = str("1s");
    is_int(check(token, VB_TOKEN_LENGTH, &moved, "secret", NOW),
           VB_TOKEN_FORGED, "a border moved");

    done_testing();
}


static vb_token_verdict_t
check(u_char *token, size_t len, const vb_token_claims_t *claims,
    const char *key, uint64_t now)
{
    u_char    nonce[VB_TOKEN_NONCE];
    uint64_t  expiry;
    vb_str_t  text, k;

    text.data = token;
    text.len = len;
    k = str(key);

    return vb_token_check(&text, claims, &k, 1, now, nonce, &expiry);
}


static vb_str_t
str(const char *s)
{
    vb_str_t  v;

    v.data = (u_char *) s;
    v.len = strlen(s);

    return v;
}
