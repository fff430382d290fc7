#pragma once
/* What the tests of this folder share: a set of validators, a signer without cryptography, and a
 * cursor over the vector files that the contract's tests read too. */
#include <stdio.h>

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"
#include "consensus/consensus.h"

/* test_address makes addresses that ascend with `index`. */
static inline struct address test_address(uint32_t index) {
    struct address address = {{0}};
    be_write(address.bytes + 16, 4, index + 1);
    return address;
}

static inline struct hash32 test_hash(uint8_t tag) {
    struct hash32 hash = {{0}};
    hash.bytes[0] = tag;
    return hash;
}

static inline struct validator_set test_set(uint32_t count, const uint64_t *powers) {
    struct validator_set set = {.count = count};
    for (uint32_t i = 0; i < count; i++) {
        set.validators[i].address = test_address(i);
        set.validators[i].power = powers == NULL ? 1 : powers[i];
    }
    return set;
}

/* A signature is the signer's address and a hash over it: whoever signed can be told. */
static inline void test_tag(const struct address *address, const struct hash32 *digest,
                            struct secp_signature *out) {
    struct keccak context;
    keccak_init(&context);
    keccak_update(&context, address_bytes(address));
    keccak_update(&context, hash_bytes(digest));
    const struct hash32 tag = keccak_final(&context);
    *out = (struct secp_signature){{0}, {0}, 0};
    memcpy(out->r, tag.bytes, sizeof out->r);
    out->r[0] = 1; /* below the curve's order */
    memcpy(out->s + 12, address->bytes, sizeof address->bytes);
}

static inline void test_sign(void *context, const struct hash32 *digest,
                             struct secp_signature *out) {
    test_tag(context, digest, out);
}

static inline enum err test_recover(void *context, const struct hash32 *digest,
                                    const struct secp_signature *signature, struct address *out) {
    (void)context;
    struct address address;
    struct secp_signature expected;
    memcpy(address.bytes, signature->s + 12, sizeof address.bytes);
    test_tag(&address, digest, &expected);
    if (memcmp(expected.r, signature->r, sizeof expected.r) != 0) return ERR_SIGNATURE;
    *out = address;
    return ERR_OK;
}

/* test_read_file returns a vector file's text; aborts when it is not there. */
static inline struct bytes test_read_file(const char *path, uint8_t *data, size_t capacity) {
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    const size_t size = fread(data, 1, capacity, file);
    CHECK(size < capacity);
    CHECK(fclose(file) == 0);
    data[size] = 0;
    return (struct bytes){data, size};
}

/* test_value finds the text of the next member `key` after *at and moves *at behind it; quotes are
 * taken off.  The files hold no escapes.  False: no further one. */
static inline bool test_value(const char **at, const char *key, struct bytes *out) {
    char quoted[64];
    CHECK(snprintf(quoted, sizeof quoted, "\"%s\":", key) < (int)sizeof quoted);
    const char *found = strstr(*at, quoted);
    if (found == NULL) return false;
    found += strlen(quoted);
    while (*found == ' ' || *found == '"')
        found++;
    size_t size = strcspn(found, ",\"}]");
    *out = (struct bytes){(const uint8_t *)found, size};
    *at = found + size;
    return true;
}

static inline int64_t test_number(struct bytes text) {
    CHECK(text.size != 0);
    const bool is_negative = text.data[0] == '-';
    uint64_t value = 0; /* unsigned, because the vectors hold numbers up to 2^64 - 1 */
    for (size_t i = is_negative ? 1 : 0; i < text.size; i++) {
        CHECK(text.data[i] >= '0');
        CHECK(text.data[i] <= '9');
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    return (int64_t)(is_negative ? 0 - value : value);
}
