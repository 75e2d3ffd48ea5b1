
/* vb_token: good once made, bad once anything about it changes */


#include <tap.h>
#include <text.h>
#include <vb_token.h>


#define NOW  1700000000


static vb_token_claims_t  claims;
static vb_str_t           key = vb_str("secret");


static vb_token_verdict_t
check(const u_char *token, size_t len, const vb_token_claims_t *c,
    const char *auth_token, uint64_t now)
{
    u_char              nonce[VB_TOKEN_NONCE];
    uint64_t            expiry;
    vb_str_t            t, k;
    vb_token_verdict_t  verdict;

    t = copy(token, len);
    k = text(auth_token);

    verdict = vb_token_check(&t, c, &k, 1, now, nonce, &expiry);

    free(t.data);

    return verdict;
}


static void
test_time(const u_char *token)
{
    is_int(check(token, VB_TOKEN_LENGTH, &claims, "secret", 0),
           VB_TOKEN_GOOD, "good");
    is_int(check(token, VB_TOKEN_LENGTH, &claims, "secret", NOW + 60),
           VB_TOKEN_GOOD, "good in its last second");
    is_int(check(token, VB_TOKEN_LENGTH, &claims, "secret", NOW + 61),
           VB_TOKEN_EXPIRED, "too old");
    is_int(check(token, VB_TOKEN_LENGTH, &claims, "secret", UINT64_MAX),
           VB_TOKEN_EXPIRED, "far too old");
    is_int(check(token, VB_TOKEN_LENGTH, &claims, "other", NOW + 61),
           VB_TOKEN_FORGED, "forged comes before too old");
}


static void
test_keys(u_char *token)
{
    u_char    nonce[VB_TOKEN_NONCE], second[VB_TOKEN_NONCE];
    u_char    other[VB_TOKEN_LENGTH];
    uint64_t  expiry;
    vb_str_t  t, keys[3];

    keys[0] = text("new");
    keys[1] = text("secret");
    keys[2] = text("");

    t.data = token;
    t.len = VB_TOKEN_LENGTH;

    expiry = 0;
    is_int(vb_token_check(&t, &claims, keys, 2, NOW, nonce, &expiry),
           VB_TOKEN_GOOD, "by the second of two keys");
    is_int(expiry, NOW + 60, "its expiry");

    is_int(vb_token_check(&t, &claims, keys, 1, NOW, nonce, &expiry),
           VB_TOKEN_FORGED, "not by the first");
    is_int(vb_token_check(&t, &claims, keys, 0, NOW, nonce, &expiry),
           VB_TOKEN_FORGED, "not by none");
    is_int(check(token, VB_TOKEN_LENGTH, &claims, "secre", NOW),
           VB_TOKEN_FORGED, "not by the beginning of the right one");

    is_int(vb_token_make(other, &claims, &keys[2], NOW), VB_ERROR,
           "nothing is signed with an empty key");
    is_int(vb_token_check(&t, &claims, &keys[2], 1, NOW, nonce, &expiry),
           VB_TOKEN_FORGED, "nor is anything good by one");

    is_int(vb_token_make(other, &claims, &key, 10000000000), VB_ERROR,
           "a time of eleven digits");
    is_int(vb_token_make(other, &claims, &key, 9999999999), VB_OK,
           "one of ten");
    is_int(check(other, VB_TOKEN_LENGTH, &claims, "secret", 9999999999),
           VB_TOKEN_GOOD, "is good until then");

    is_int(vb_token_make(other, &claims, &key, 7), VB_OK, "a time of one");
    is_int(check(other, VB_TOKEN_LENGTH, &claims, "secret", 7),
           VB_TOKEN_GOOD, "is good until then");

    t.data = other;
    vb_token_check(&t, &claims, &key, 1, 7, nonce, &expiry);
    is_int(expiry, 7, "and is told");

    t.data = token;
    vb_token_check(&t, &claims, &key, 1, NOW, second, &expiry);
    ok(memcmp(nonce, second, VB_TOKEN_NONCE) != 0, "no nonce comes twice");

    vb_token_check(&t, &claims, &key, 1, NOW, nonce, &expiry);
    ok(memcmp(nonce, second, VB_TOKEN_NONCE) == 0, "each token has its own");
}


/* each character is another one, of any kind */

static void
test_altered(const u_char *token)
{
    u_char              c, other[VB_TOKEN_LENGTH];
    size_t              i, k, good;
    vb_token_verdict_t  verdict;

    static const char   characters[] = "0129AZaz-_.=+/ \x01\xff";

    for (i = 0; i < VB_TOKEN_LENGTH; i++) {
        memcpy(other, token, VB_TOKEN_LENGTH);
        good = 0;

        for (k = 0; k < sizeof(characters); k++) {
            c = characters[k];

            if (c == token[i]) {
                continue;
            }

            other[i] = c;
            verdict = check(other, VB_TOKEN_LENGTH, &claims, "secret", NOW);
            good += (verdict == VB_TOKEN_GOOD || verdict == VB_TOKEN_EXPIRED);
        }

        is_int(good, 0, "character %zu altered", i);
    }

    for (i = 0; i < VB_TOKEN_LENGTH; i += 7) {
        is_int(check(token, i, &claims, "secret", NOW), VB_TOKEN_MALFORMED,
               "%zu characters of it", i);
    }

    memcpy(other, token, VB_TOKEN_LENGTH);
    memset(other, '.', VB_TOKEN_LENGTH);
    is_int(check(other, VB_TOKEN_LENGTH, &claims, "secret", NOW),
           VB_TOKEN_MALFORMED, "dots");
}


static void
test_claims(const u_char *token)
{
    size_t              i;
    vb_str_t           *part;
    vb_token_claims_t   other;

    for (i = 0; i < 6; i++) {
        other = claims;
        part = (vb_str_t *) &other + i;
        part->len--;

        is_int(check(token, VB_TOKEN_LENGTH, &other, "secret", NOW),
               VB_TOKEN_FORGED, "claim %zu cut", i);

        part->len = 0;
        part->data = NULL;

        is_int(check(token, VB_TOKEN_LENGTH, &other, "secret", NOW),
               VB_TOKEN_FORGED, "claim %zu empty", i);
    }

    /* the same bytes, another border between two claims */

    other = claims;
    other.agent_id = text("agent_");
    other.session_id = text("1s");

    is_int(check(token, VB_TOKEN_LENGTH, &other, "secret", NOW),
           VB_TOKEN_FORGED, "a border moved");

    other = claims;
    other.from = claims.to;
    other.to = claims.from;

    is_int(check(token, VB_TOKEN_LENGTH, &other, "secret", NOW),
           VB_TOKEN_FORGED, "two changed places");
}


static void
test_no_claims(void)
{
    u_char             token[VB_TOKEN_LENGTH];
    vb_token_claims_t  none;

    memset(&none, 0, sizeof(none));

    is_int(vb_token_make(token, &none, &key, NOW), VB_OK, "with no claims");
    is_int(check(token, VB_TOKEN_LENGTH, &none, "secret", NOW), VB_TOKEN_GOOD,
           "good");
    is_int(check(token, VB_TOKEN_LENGTH, &claims, "secret", NOW),
           VB_TOKEN_FORGED, "but for these claims only");
}


/* client data is a claim where there is some, and none where there is none */

static void
test_client_data(void)
{
    u_char             token[VB_TOKEN_LENGTH];
    vb_token_claims_t  other;

    other = claims;
    other.client_data = text("{\"user_id\":\"u\"}");

    is_int(vb_token_make(token, &other, &key, NOW), VB_OK, "client data");
    is_int(check(token, VB_TOKEN_LENGTH, &other, "secret", NOW),
           VB_TOKEN_GOOD, "good");
    is_int(check(token, VB_TOKEN_LENGTH, &claims, "secret", NOW),
           VB_TOKEN_FORGED, "not without it");

    other.client_data.len--;
    is_int(check(token, VB_TOKEN_LENGTH, &other, "secret", NOW),
           VB_TOKEN_FORGED, "nor with other data");
}


int
main(void)
{
    u_char  *token, second[VB_TOKEN_LENGTH];

    claims.agent_id = text("agent_1");
    claims.session_id = text("s");
    claims.direction = text("outbound");
    claims.from = text("+15005550006");
    claims.to = text("+15005550009");
    claims.dynamic_variables = text("{\"a\":1}");

    token = malloc(VB_TOKEN_LENGTH);

    is_int(vb_token_make(token, &claims, &key, NOW + 60), VB_OK, "made");
    is_int(vb_token_make(second, &claims, &key, NOW + 60), VB_OK, "another");
    ok(memcmp(token, second, VB_TOKEN_LENGTH) != 0, "no two are alike");
    ok(memcmp(token, "1700000060.", 11) == 0, "it begins with its expiry");

    test_time(token);
    test_keys(token);
    test_altered(token);
    test_claims(token);
    test_no_claims();
    test_client_data();

    free(token);

    return done_testing();
}
