/* Any bytes: pieces of snapshot messages never crash their readers, and a range that is accepted
 * encodes to the same bytes. */
#include <stdlib.h>

#include "base/keccak.h"
#include "sequencer/snapshot_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t room[4u << 20] __attribute__((aligned(16)));
    static struct snapshot_light light;
    struct arena arena = arena_over(room, sizeof room);
    const struct bytes in = {data, size};
    struct snapshot_range range;
    if (snapshot_light_decode(in, &light) == ERR_OK) {
        CHECK(light.frame.height == light.header.number);
        CHECK(light.commit.signatures_count <= VALIDATORS_MAX);
    }
    if (snapshot_range_decode(in, &arena, &range) != ERR_OK) return 0;
    const struct hash32 *owner = range.is_storage ? &range.owner : NULL;
    uint8_t *memory = malloc(size + 16);
    CHECK(memory != NULL);
    struct buffer out = buffer_over(memory, size + 16);
    snapshot_range_encode(owner, &range.range, &out);
    CHECK(!out.overflow);
    CHECK(bytes_equal(buffer_bytes(&out), in));
    free(memory);
    if (range.range.proof.nodes_count == 0) return 0;
    const struct hash32 root = keccak256(range.range.proof.nodes[0]);
    if (range_verify(&root, range.is_storage, &range.range, &arena) == ERR_OK) {
        CHECK(hash_compare(&range.range.from, &range.range.to) <= 0);
    }
    return 0;
}
