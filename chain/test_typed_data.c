/* What validators sign of a batch, against the vectors of the contracts. */
#include "chain/typed_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hex.h"
#include "chain/settlement.h"

/* The digest separates every field. */
static void test_digest(void) {
    const struct address contract = {{9}};
    const struct hash32 domain = typed_domain("AndeSequencerCoordinator", 31337, &contract);
    const struct batch_statement base = {1, 2, {{3}}, {{4}}, {{5}}, 6, {{7}}};
    const struct hash32 digest = batch_digest(&domain, &base);
    for (int field = 0; field < 7; field++) {
        struct batch_statement other = base;
        if (field == 0) other.first += 1;
        if (field == 1) other.last += 1;
        if (field == 2) other.parent_hash.bytes[31] ^= 1;
        if (field == 3) other.last_hash.bytes[31] ^= 1;
        if (field == 4) other.state_root.bytes[31] ^= 1;
        if (field == 5) other.da_height += 1;
        if (field == 6) other.da_commitment.bytes[31] ^= 1;
        const struct hash32 changed = batch_digest(&domain, &other);
        CHECK(!hash_equal(&digest, &changed));
    }
}

/* text_of finds "key":"value" in a line of the vectors; they are written one case a line. */
static struct bytes text_of(const char *line, const char *key) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":\"", key);
    const char *at = strstr(line, quoted);
    CHECK(at != NULL);
    at += strlen(quoted);
    const char *end = strchr(at, '"');
    CHECK(end != NULL);
    return (struct bytes){(const uint8_t *)at, (size_t)(end - at)};
}

static struct hash32 hash_of(const char *line, const char *key) {
    struct hash32 hash;
    CHECK(hex_to_hash(text_of(line, key), &hash) == ERR_OK);
    return hash;
}

static uint64_t number_of(const char *line, const char *key) {
    return strtoull((const char *)text_of(line, key).data, NULL, 10);
}

/* The vectors that the contract's own tests read: same digest, same signature. */
static void test_vectors(void) {
    FILE *file = fopen("contracts/test/vectors/batches.json", "r");
    CHECK(file != NULL);
    static char line[8192];
    uint32_t count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strstr(line, "\"firstBlock\"") == NULL) continue;
        struct address contract, signer, recovered;
        CHECK(hex_to_address(text_of(line, "contract"), &contract) == ERR_OK);
        CHECK(hex_to_address(text_of(line, "signer"), &signer) == ERR_OK);
        const struct hash32 domain =
            typed_domain("AndeSequencerCoordinator", number_of(line, "chainId"), &contract);
        const struct batch_statement statement = {
            .first = number_of(line, "firstBlock"),
            .last = number_of(line, "lastBlock"),
            .parent_hash = hash_of(line, "parentHash"),
            .last_hash = hash_of(line, "lastBlockHash"),
            .state_root = hash_of(line, "stateRoot"),
            .da_height = number_of(line, "daHeight"),
            .da_commitment = hash_of(line, "daCommitment"),
        };
        const struct hash32 digest = batch_digest(&domain, &statement);
        const struct hash32 expected = hash_of(line, "digest");
        CHECK(hash_equal(&digest, &expected));
        uint8_t wire[SECP_SIGNATURE_BYTES];
        struct secp_signature signature;
        CHECK(hex_decode_fixed(text_of(line, "signature"), wire, sizeof wire) == ERR_OK);
        CHECK(secp_signature_read(BYTES_OF(wire), &signature) == ERR_OK);
        CHECK(secp_recover(&digest, &signature, &recovered) == ERR_OK);
        CHECK(address_equal(&signer, &recovered));
        count += 1;
    }
    fclose(file);
    CHECK(count == 12);
}

int main(void) {
    test_digest();
    test_vectors();
    return 0;
}
