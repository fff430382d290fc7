#pragma once
/* Fixed-size names of things: 32-byte hashes and 20-byte addresses.  Plain values: copy freely. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

struct hash32 {
    uint8_t bytes[32];
};

struct address {
    uint8_t bytes[20];
};

/* Comparing and viewing: *_compare orders as memcmp does, *_bytes views the value in place and
 * lives as long as it. */
static inline bool hash_equal(const struct hash32 *a, const struct hash32 *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}
static inline bool hash_is_zero(const struct hash32 *hash) {
    static const struct hash32 zero = {{0}};
    return hash_equal(hash, &zero);
}
static inline int hash_compare(const struct hash32 *a, const struct hash32 *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}
static inline bool address_equal(const struct address *a, const struct address *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}
static inline bool address_is_zero(const struct address *address) {
    static const struct address zero = {{0}};
    return address_equal(address, &zero);
}
static inline int address_compare(const struct address *a, const struct address *b) {
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}
static inline struct bytes hash_bytes(const struct hash32 *hash) {
    return (struct bytes){hash->bytes, sizeof hash->bytes};
}
static inline struct bytes address_bytes(const struct address *address) {
    return (struct bytes){address->bytes, sizeof address->bytes};
}

/* hash_map_seed mixes the first bytes of an already uniform hash with a per-process seed; for hash
 * tables whose keys a client chooses.  No result may depend on the order of a table. */
static inline uint64_t hash_map_seed(const struct hash32 *hash, uint64_t seed) {
    uint64_t word;
    memcpy(&word, hash->bytes, sizeof word);
    word ^= seed;
    word *= 0x9e3779b97f4a7c15u;
    return word ^ word >> 29;
}
