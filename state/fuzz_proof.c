/* Hostile proofs: a key of 32 bytes, then nodes, each after two bytes of its size.  The root is the
 * first node's hash, so that the walk begins; what a proof shows must lie inside its nodes. */
#include "base/check.h"
#include "base/keccak.h"
#include "state/proof.h"
#include "state/trie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_inside(struct bytes value, const struct proof *proof) {
    for (size_t i = 0; i < proof->nodes_count; i++) {
        const struct bytes node = proof->nodes[i];
        if (value.data >= node.data && value.data + value.size <= node.data + node.size)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes nodes[TRIE_PROOF_NODES_MAX + 2];
    struct proof proof = {nodes, 0};
    struct hash32 key;
    if (size < sizeof key.bytes) return 0;
    memcpy(key.bytes, data, sizeof key.bytes);
    struct bytes rest = {data + sizeof key.bytes, size - sizeof key.bytes};
    while (rest.size >= 2 && proof.nodes_count < TRIE_PROOF_NODES_MAX + 2) {
        const size_t node_bytes = be_read(rest.data, 2);
        nodes[proof.nodes_count++] = bytes_slice(rest, 2, node_bytes);
        rest = bytes_slice(rest, 2 + node_bytes, rest.size);
    }
    struct bytes value = BYTES_STRING("untouched");
    const struct bytes before = value;
    const struct hash32 root = proof.nodes_count == 0 ? KECCAK_EMPTY_TRIE : keccak256(nodes[0]);
    const enum err err = proof_verify(&root, &key, &proof, &value);
    CHECK(err == ERR_OK || err == ERR_MISMATCH);
    if (err == ERR_MISMATCH) CHECK(value.data == before.data && value.size == before.size);
    if (err == ERR_OK && value.size != 0) CHECK(is_inside(value, &proof));
    return 0;
}
