/* Batches there and back, and what is refused. */
#include "sequencer/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

static uint8_t scratch_memory[40u << 20], arena_memory[40u << 20];
static uint8_t blob[BATCH_BLOB_BYTES_MAX];

static struct bytes encode(const struct batch *batch) {
    struct arena scratch = arena_over(scratch_memory, sizeof scratch_memory);
    struct buffer out = buffer_over(blob, sizeof blob);
    CHECK(batch_encode(batch, &scratch, &out) == ERR_OK);
    CHECK(scratch.used == 0);
    return buffer_bytes(&out);
}

static void test_round_trip(void) {
    static uint8_t large[900000];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (uint8_t)(i * 7 % 251);
    const struct bytes packages[] = {
        BYTES_STRING("first"), {large, sizeof large}, BYTES_STRING("x"), BYTES_STRING("")};
    const struct batch batch = {1000, 4, packages, BYTES_STRING("commit of the last")};
    const struct bytes bytes = encode(&batch);
    CHECK(bytes.size < sizeof large / 4);
    struct arena arena = arena_over(arena_memory, sizeof arena_memory);
    struct batch out;
    CHECK(batch_decode(bytes, &arena, &out) == ERR_OK);
    CHECK(out.first == 1000);
    CHECK(out.count == 4);
    for (size_t i = 0; i < 4; i++)
        CHECK(bytes_equal(out.packages[i], packages[i]));
    CHECK(bytes_equal(out.commit, batch.commit));
    uint8_t *copy = malloc(bytes.size);
    CHECK(copy != NULL);
    memcpy(copy, bytes.data, bytes.size);
    const struct bytes again = encode(&batch);
    CHECK(bytes_equal((struct bytes){copy, bytes.size}, again));
    free(copy);
}

static void test_refused(void) {
    const struct bytes packages[] = {BYTES_STRING("a block's bytes"), BYTES_STRING("another's")};
    const struct batch batch = {5, 2, packages, BYTES_STRING("commit")};
    const struct bytes good = encode(&batch);
    uint8_t bad[256];
    CHECK(good.size + 8 <= sizeof bad);
    struct batch out;
    struct arena arena = arena_over(arena_memory, sizeof arena_memory);
    for (size_t size = 0; size < good.size; size++) {
        CHECK(batch_decode(bytes_slice(good, 0, size), &arena, &out) != ERR_OK);
        CHECK(arena.used == 0);
    }
    memcpy(bad, good.data, good.size);
    bad[good.size] = 0; /* more than the frame */
    CHECK(batch_decode((struct bytes){bad, good.size + 1}, &arena, &out) == ERR_ENCODING);
    memcpy(bad + good.size, "\x50\x2a\x4d\x18\0\0\0\0", 8); /* nor a frame to be skipped */
    CHECK(batch_decode((struct bytes){bad, good.size + 8}, &arena, &out) == ERR_ENCODING);
    bad[5] = 0x7f; /* says that it unpacks to 2 GiB */
    CHECK(batch_decode((struct bytes){bad, good.size}, &arena, &out) == ERR_LIMIT);
    memcpy(bad, good.data, good.size);
    bad[4] = 9;
    CHECK(batch_decode((struct bytes){bad, good.size}, &arena, &out) == ERR_ENCODING);
    struct arena small = arena_over(arena_memory, 1000);
    CHECK(batch_decode(good, &small, &out) == ERR_LIMIT);
    const struct batch from_genesis = {0, 2, packages, BYTES_STRING("commit")};
    CHECK(batch_decode(encode(&from_genesis), &arena, &out) == ERR_ENCODING);
    static struct bytes many[BATCH_BLOCKS_MAX + 1];
    const struct batch long_one = {1, BATCH_BLOCKS_MAX + 1, many, BYTES_EMPTY};
    struct buffer sink = buffer_over(blob, sizeof blob);
    struct arena scratch = arena_over(scratch_memory, sizeof scratch_memory);
    CHECK(batch_encode(&long_one, &scratch, &sink) == ERR_LIMIT);
}

int main(void) {
    test_round_trip();
    test_refused();
    printf("ok\n");
    return 0;
}
