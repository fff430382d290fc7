/* Whatever lists come behind a header that names them: package_bind takes only what block_decode
 * takes, with as many items, and what it takes encodes to the same bytes. */
#include <string.h>

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "sequencer/package.h"

#define BODY_BYTES_MAX 4096u
#define ITEMS_MAX      BODY_BYTES_MAX

static struct hash32 hashes[ITEMS_MAX];

/* items_root_of is the root of what the first list seems to have. */
static struct hash32 items_root_of(struct bytes body) {
    struct bytes list, item;
    size_t count = 0;
    if (rlp_read_list(&body, &list) != ERR_OK) list = BYTES_EMPTY;
    while (list.size != 0 && (rlp_is_list(list) ? rlp_read_item(&list, &item)
                                                : rlp_read_string(&list, &item)) == ERR_OK) {
        hashes[count++] = keccak256(item);
    }
    return package_items_root(hashes, count);
}

/* wrap makes the package whose header names everything in it, with `body` for the block's lists. */
static struct bytes wrap(struct bytes body, bool carries_next, struct hash32 *hash) {
    static uint8_t block[HEADER_BYTES_MAX + BODY_BYTES_MAX + 16];
    static uint8_t package_memory[2 * sizeof block + FRAME_BYTES_MAX],
        frame_memory[FRAME_BYTES_MAX];
    const struct bytes next = BYTES_STRING("next validators");
    struct block_package package = {.last_commit = BYTES_STRING("last commit")};
    if (carries_next) package.next_validators = next;
    package.frame = (struct frame){.version = FRAME_VERSION,
                                   .items_root = items_root_of(body),
                                   .last_commit_hash = keccak256(package.last_commit),
                                   .next_validators_hash = keccak256(next)};
    struct buffer out = buffer_over(frame_memory, sizeof frame_memory);
    frame_encode(&package.frame, &out);
    package.frame_encoded = buffer_bytes(&out);
    const struct header header = {.tail_fields = HEADER_TAIL_PRAGUE,
                                  .parent_beacon_root = frame_hash(&package.frame)};
    *hash = header_hash(&header);
    out = buffer_over(block, sizeof block);
    const size_t list = rlp_list_begin(&out);
    header_encode(&header, &out);
    rlp_write_raw(&out, body);
    rlp_list_end(&out, list);
    package.ethereum_block = buffer_bytes(&out);
    out = buffer_over(package_memory, sizeof package_memory);
    block_package_encode(&package, &out);
    CHECK(!out.overflow);
    return buffer_bytes(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t arena_memory[1u << 20];
    static struct hash32 found[ITEMS_MAX];
    if (size < 1 || size > BODY_BYTES_MAX) return 0;
    struct hash32 hash;
    const bool carries_next = data[0] % 2 == 1;
    const struct bytes encoded = wrap((struct bytes){data + 1, size - 1}, carries_next, &hash);
    struct package_parts parts;
    CHECK(package_bind(encoded, &hash, !carries_next, found, ITEMS_MAX, &parts) != NULL);
    if (package_bind(encoded, &hash, carries_next, found, ITEMS_MAX, &parts) != NULL) return 0;
    struct arena arena = arena_over(arena_memory, sizeof arena_memory);
    struct block block;
    CHECK(block_decode(parts.package.ethereum_block, &arena, &block) == ERR_OK);
    CHECK(block.transactions_count == parts.items_count);
    CHECK(hash_equal(&block.hash, &hash));
    for (size_t i = 0; i < parts.items_count; i++) {
        const struct hash32 item = keccak256(block.transactions[i]);
        CHECK(hash_equal(&item, &found[i]));
    }
    static uint8_t memory[1u << 16];
    struct buffer out = buffer_over(memory, sizeof memory);
    block_package_encode(&parts.package, &out);
    CHECK(bytes_equal(buffer_bytes(&out), encoded));
    return 0;
}
