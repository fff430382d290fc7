/* A remembered signer is the one that recovering gives, and costs no recovery. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "node/recover_cache.h"

static unsigned recoveries;

static enum err count_and_recover(void *context, const struct hash32 *digest,
                                  const struct secp_signature *signature, struct address *out) {
    (void)context;
    recoveries += 1;
    return secp_recover(digest, signature, out);
}

int main(void) {
    struct recover_cache *cache;
    CHECK(recover_cache_create(&cache) == ERR_OK);
    const struct recoverer recoverer =
        recover_cache_recoverer(cache, (struct recoverer){NULL, count_and_recover});
    const struct secp_key key = {{[31] = 7}};
    const struct address expected = secp_key_address(&key);
    const struct hash32 digest = {{1}}, other = {{2}};
    struct secp_signature signature;
    struct address found;
    secp_sign(&key, &digest, &signature);

    for (int i = 0; i < 3; i++) {
        CHECK(recoverer.recover(recoverer.context, &digest, &signature, &found) == ERR_OK);
        CHECK(address_equal(&found, &expected));
    }
    CHECK(recoveries == 1);

    /* The same signature under another digest is somebody else's, or nobody's. */
    const enum err err = recoverer.recover(recoverer.context, &other, &signature, &found);
    CHECK(recoveries == 2);
    CHECK(err == ERR_SIGNATURE || !address_equal(&found, &expected));

    /* So is one whose other half was changed. */
    signature.y_parity ^= 1;
    const enum err flipped = recoverer.recover(recoverer.context, &digest, &signature, &found);
    CHECK(recoveries == 3);
    CHECK(flipped == ERR_SIGNATURE || !address_equal(&found, &expected));

    /* Refusals are refusals every time. */
    memset(&signature, 0, sizeof signature);
    for (int i = 0; i < 2; i++)
        CHECK(recoverer.recover(recoverer.context, &digest, &signature, &found) == ERR_SIGNATURE);
    CHECK(recoveries == 5);
    recover_cache_destroy(cache);
    puts("recover cache: ok");
    return 0;
}
