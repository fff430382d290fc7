/* Hostile ranges: `from` and `to` begin with the first bytes, then nodes and entries, each after
 * two bytes of its size.  The root is the first node's hash, so that the proof is read. */
#include "base/check.h"
#include "base/keccak.h"
#include "state/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIST_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t arena_room[1 << 20] __attribute__((aligned(16)));
    struct arena arena = arena_over(arena_room, sizeof arena_room);
    struct bytes nodes[LIST_MAX];
    struct range_entry entries[LIST_MAX] = {0};
    struct range range = {.entries = entries, .proof = {nodes, 0}};
    if (size < 6) return 0;
    memcpy(range.from.bytes, data, 2);
    memset(range.to.bytes, data[5], sizeof range.to.bytes);
    memcpy(range.to.bytes, data + 2, 2);
    struct bytes rest = {data + 6, size - 6};
    while (rest.size >= 2 && range.proof.nodes_count < 1u + data[4] % 8) {
        const size_t node_bytes = be_read(rest.data, 2) % 600;
        nodes[range.proof.nodes_count++] = bytes_slice(rest, 2, node_bytes);
        rest = bytes_slice(rest, 2 + node_bytes, rest.size);
    }
    while (rest.size >= 4 && range.entries_count < LIST_MAX) {
        struct range_entry *entry = &entries[range.entries_count++];
        memcpy(entry->key.bytes, rest.data, 3);
        entry->value = bytes_slice(rest, 4, rest.data[3] % 64);
        rest = bytes_slice(rest, 4 + rest.data[3] % 64, rest.size);
    }
    if (range.proof.nodes_count == 0) return 0;
    const struct hash32 root = keccak256(nodes[0]);
    const enum err err = range_verify(&root, data[4] % 2 == 0, &range, &arena);
    CHECK(err == ERR_OK || err == ERR_MISMATCH || err == ERR_LIMIT);
    return 0;
}
