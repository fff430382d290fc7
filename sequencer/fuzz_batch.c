/* Any bytes: batch_decode stays within its arena, and what it accepts can be written again. */
#include <stdlib.h>

#include "base/check.h"
#include "sequencer/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const size_t arena_bytes = BATCH_RAW_BYTES_MAX + (1u << 20);
    static uint8_t *memory;
    if (memory == NULL) memory = malloc(arena_bytes);
    CHECK(memory != NULL);
    struct arena arena = arena_over(memory, arena_bytes);
    struct batch batch;
    if (batch_decode((struct bytes){data, size}, &arena, &batch) != ERR_OK) {
        CHECK(arena.used == 0);
        return 0;
    }
    CHECK(batch.count >= 1);
    CHECK(batch.count <= BATCH_BLOCKS_MAX);
    size_t total = 0;
    for (size_t i = 0; i < batch.count; i++)
        total += batch.packages[i].size;
    CHECK(total <= BATCH_RAW_BYTES_MAX);
    return 0;
}
