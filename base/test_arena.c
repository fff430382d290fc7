#include "base/arena.h"

#include "base/check.h"

static void test_alignment_and_exhaustion(void) {
    _Alignas(16) uint8_t memory[64];
    struct arena arena = arena_over(memory, sizeof memory);
    uint8_t *first = arena_alloc(&arena, 1);
    uint8_t *second = arena_alloc(&arena, 16);
    CHECK(first == memory);
    CHECK(second == memory + 16);
    CHECK(arena_alloc(&arena, 33) == NULL);
    CHECK(arena.used == 32);
    CHECK(arena_alloc(&arena, 32) == memory + 32);
    CHECK(arena_alloc(&arena, 1) == NULL);
    CHECK(arena_alloc(&arena, SIZE_MAX) == NULL);
    CHECK(arena.peak == 64);
}

static void test_unaligned_memory(void) {
    _Alignas(16) uint8_t memory[64];
    struct arena arena = arena_over(memory + 3, sizeof memory - 3);
    for (size_t size = 1; size < 5; size++) {
        void *at = arena_alloc(&arena, size);
        CHECK(at == NULL || (uintptr_t)at % 16 == 0);
    }
    CHECK(arena.used <= arena.capacity);
}

static void test_mark_and_reset(void) {
    _Alignas(16) uint8_t memory[128];
    struct arena arena = arena_over(memory, sizeof memory);
    void *kept = arena_alloc(&arena, 16);
    const size_t mark = arena_mark(&arena);
    void *nested = arena_alloc(&arena, 64);
    arena_release(&arena, mark);
    CHECK(arena_alloc(&arena, 64) == nested);
    arena_reset(&arena);
    CHECK(arena_alloc(&arena, 16) == kept);
    CHECK(arena.peak == 80);
}

static void test_array_and_copy(void) {
    _Alignas(16) uint8_t memory[96];
    memset(memory, 0xee, sizeof memory);
    struct arena arena = arena_over(memory, sizeof memory);
    const uint64_t *words = arena_array(&arena, 4, sizeof *words);
    for (int i = 0; i < 4; i++)
        CHECK(words[i] == 0);
    CHECK(arena_array(&arena, SIZE_MAX / 2, 4) == NULL);
    CHECK(arena_array(&arena, 9, 8) == NULL);

    struct bytes copy = BYTES_EMPTY;
    CHECK(arena_copy(&arena, BYTES_STRING("block"), &copy));
    CHECK(bytes_equal(copy, BYTES_STRING("block")));
    CHECK(copy.data >= memory && copy.data < memory + sizeof memory);
    CHECK(arena_copy(&arena, BYTES_EMPTY, &copy));
    CHECK(copy.size == 0);
    const uint8_t large[97] = {0};
    CHECK(!arena_copy(&arena, BYTES_OF(large), &copy));
    CHECK(copy.size == 0);
}

static void test_spare(void) {
    _Alignas(16) static uint8_t memory[256];
    struct arena arena = arena_over(memory, sizeof memory);
    CHECK(arena_alloc(&arena, 200) != NULL);
    CHECK(arena_spare(&arena, 0).size == 0); /* in use */
    arena_release(&arena, 64);
    struct stretch spare = arena_spare(&arena, 0);
    CHECK(spare.data == memory + 64 && spare.size == 136);
    CHECK(arena_spare(&arena, 0).size == 0); /* told once */
    CHECK(arena_alloc(&arena, 128) != NULL);
    arena_reset(&arena);
    spare = arena_spare(&arena, 160);
    CHECK(spare.data == memory + 160 && spare.size == 32);
}

int main(void) {
    test_alignment_and_exhaustion();
    test_unaligned_memory();
    test_mark_and_reset();
    test_array_and_copy();
    test_spare();
    return 0;
}
