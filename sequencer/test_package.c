/* One package for each hash: whatever else comes with a header is told apart from it by the hash
 * alone. */
#include "sequencer/package.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/keccak.h"

#define MEMORY_BYTES (1u << 17)

struct parts {
    struct block_package package;
    struct frame frame;
    struct block block;
    struct bytes transactions[8];
    uint8_t last_commit[64], next_validators[64];
};

static struct hash32 item_hashes[8];

/* parts_make is a package that binds: four items, a last commit, a next set. */
static void parts_make(struct parts *parts) {
    static const uint8_t legacy[] = {0xc3, 1, 2, 3}, typed[] = {2, 0xc1, 7}, other[] = {1, 0xc0};
    memset(parts, 0, sizeof *parts);
    memset(parts->last_commit, 0xaa, sizeof parts->last_commit);
    memset(parts->next_validators, 0xbb, sizeof parts->next_validators);
    parts->transactions[0] = parts->transactions[3] = BYTES_OF(legacy);
    parts->transactions[1] = BYTES_OF(typed);
    parts->transactions[2] = BYTES_OF(other);
    parts->block.transactions = parts->transactions;
    parts->block.transactions_count = 4;
    parts->block.has_withdrawals = true;
    parts->block.header.number = 7;
    parts->block.header.tail_fields = HEADER_TAIL_PRAGUE;
    parts->package.last_commit = BYTES_OF(parts->last_commit);
    parts->package.next_validators = BYTES_OF(parts->next_validators);
    struct hash32 hashes[4];
    for (int i = 0; i < 4; i++)
        hashes[i] = keccak256(parts->transactions[i]);
    parts->frame = (struct frame){.version = FRAME_VERSION,
                                  .height = 7,
                                  .last_commit_hash = keccak256(parts->package.last_commit),
                                  .next_validators_hash = keccak256(parts->package.next_validators),
                                  .items_root = package_items_root(hashes, 4)};
    parts->block.header.parent_beacon_root = frame_hash(&parts->frame);
}

static struct bytes parts_encode(struct parts *parts) {
    static uint8_t block_memory[MEMORY_BYTES], frame_memory[FRAME_BYTES_MAX], memory[MEMORY_BYTES];
    struct buffer out = buffer_over(frame_memory, sizeof frame_memory);
    frame_encode(&parts->frame, &out);
    parts->package.frame_encoded = buffer_bytes(&out);
    out = buffer_over(block_memory, sizeof block_memory);
    block_encode(&parts->block, &out);
    parts->package.ethereum_block = buffer_bytes(&out);
    out = buffer_over(memory, sizeof memory);
    block_package_encode(&parts->package, &out);
    CHECK(!out.overflow);
    return buffer_bytes(&out);
}

static const char *bind(struct parts *parts, const struct hash32 *hash, bool carries_next) {
    struct package_parts found;
    const char *fault =
        package_bind(parts_encode(parts), hash, carries_next, item_hashes, 4, &found);
    if (fault != NULL) return fault;
    CHECK(found.items_count == parts->block.transactions_count);
    CHECK(found.package.frame.height == parts->frame.height);
    for (size_t i = 0; i < found.items_count; i++) {
        const struct hash32 expected = keccak256(parts->transactions[i]);
        CHECK(hash_equal(&item_hashes[i], &expected));
    }
    return NULL;
}

static void change_header(struct parts *parts) {
    parts->block.header.gas_used += 1;
}

static void change_frame(struct parts *parts) {
    parts->frame.round += 1;
}

static void drop_item(struct parts *parts) {
    parts->block.transactions_count -= 1;
}

static void add_item(struct parts *parts) {
    parts->transactions[parts->block.transactions_count++] = BYTES_STRING("\x02");
}

static void swap_items(struct parts *parts) {
    const struct bytes first = parts->transactions[0];
    parts->transactions[0] = parts->transactions[1];
    parts->transactions[1] = first;
}

static void change_commit(struct parts *parts) {
    parts->last_commit[5] ^= 1;
}

static void drop_commit(struct parts *parts) {
    parts->package.last_commit = BYTES_EMPTY;
}

static void change_next(struct parts *parts) {
    parts->next_validators[9] ^= 1;
}

static void drop_next(struct parts *parts) {
    parts->package.next_validators = BYTES_EMPTY;
}

static void add_ommer(struct parts *parts) {
    static struct header ommer;
    parts->block.ommers = &ommer;
    parts->block.ommers_count = 1;
}

static void add_withdrawal(struct parts *parts) {
    static const struct withdrawal withdrawal = {.index = 1};
    parts->block.withdrawals = &withdrawal;
    parts->block.withdrawals_count = 1;
}

static void drop_withdrawals(struct parts *parts) {
    parts->block.has_withdrawals = false;
}

static void test_bind(void) {
    static const struct {
        void (*change)(struct parts *parts);
        const char *fault;
    } rows[] = {
        {change_header, "another block than expected"},
        {change_frame, "parent beacon root is not the frame's hash"},
        {drop_item, "items root differs"},
        {add_item, "block has too many items"},
        {swap_items, "items root differs"},
        {change_commit, "last commit is not the frame's"},
        {drop_commit, "last commit is not the frame's"},
        {change_next, "next validator set differs"},
        {drop_next, "next validator set differs"},
        {add_ommer, "block has ommers"},
        {add_withdrawal, "block has withdrawals"},
        {drop_withdrawals, "block does not decode"},
    };
    struct parts parts;
    parts_make(&parts);
    const struct hash32 hash = header_hash(&parts.block.header);
    CHECK(bind(&parts, &hash, true) == NULL);
    CHECK(strcmp(bind(&parts, &hash, false), "next validators are carried in the wrong block") ==
          0);
    drop_next(&parts);
    CHECK(bind(&parts, &hash, false) == NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        parts_make(&parts);
        rows[i].change(&parts);
        const char *fault = bind(&parts, &hash, true);
        CHECK(fault != NULL);
        CHECK(strcmp(fault, rows[i].fault) == 0);
    }
}

/* Any bit of a package changed, or an end missing: not the package of that hash. */
static void test_bits(void) {
    struct parts parts;
    struct package_parts found;
    parts_make(&parts);
    const struct hash32 hash = header_hash(&parts.block.header);
    const struct bytes encoded = parts_encode(&parts);
    uint8_t *copy = malloc(encoded.size);
    CHECK(copy != NULL);
    memcpy(copy, encoded.data, encoded.size);
    for (size_t bit = 0; bit < 8 * encoded.size; bit++) {
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(package_bind((struct bytes){copy, encoded.size}, &hash, true, item_hashes, 4,
                           &found) != NULL);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t size = 0; size < encoded.size; size++) {
        CHECK(package_bind((struct bytes){copy, size}, &hash, true, item_hashes, 4, &found) !=
              NULL);
    }
    CHECK(package_bind((struct bytes){copy, encoded.size}, &hash, true, item_hashes, 4, &found) ==
          NULL);
    free(copy);
}

int main(void) {
    test_bind();
    test_bits();
    printf("ok\n");
    return 0;
}
