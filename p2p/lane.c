#include "p2p/lane.h"

#include "pages/pages.h"

#define SIZE_BYTES     4
#define KEEP_BYTES_MAX (64u << 10) /* pages that an empty lane keeps */

enum err p2p_lane_create(struct p2p_lane_ring *lane, size_t capacity) {
    uint8_t *data = pages_reserve(capacity);
    if (data == NULL) return ERR_MEMORY;
    *lane = (struct p2p_lane_ring){.data = data, .capacity = capacity};
    return ERR_OK;
}

void p2p_lane_destroy(struct p2p_lane_ring *lane) {
    pages_release(lane->data, lane->capacity);
    *lane = (struct p2p_lane_ring){0};
}

/* ring_write and ring_read copy to and from the ring at `offset` bytes behind the head, around its
 * end. */
static void ring_write(struct p2p_lane_ring *lane, size_t offset, struct bytes in) {
    const size_t at = (lane->head + offset) % lane->capacity;
    const size_t first = in.size < lane->capacity - at ? in.size : lane->capacity - at;
    memcpy(lane->data + at, in.data, first);
    if (first < in.size) memcpy(lane->data, in.data + first, in.size - first);
    const size_t touched = first < in.size ? lane->capacity : at + in.size;
    if (touched > lane->peak) lane->peak = touched;
}

static void ring_read(const struct p2p_lane_ring *lane, size_t offset, uint8_t *out, size_t size) {
    const size_t at = (lane->head + offset) % lane->capacity;
    const size_t first = size < lane->capacity - at ? size : lane->capacity - at;
    memcpy(out, lane->data + at, first);
    if (first < size) memcpy(out + first, lane->data, size - first);
}

static size_t front_size(const struct p2p_lane_ring *lane) {
    uint8_t size[SIZE_BYTES];
    ring_read(lane, 0, size, sizeof size);
    return (size_t)be_read(size, sizeof size);
}

static void drop_front(struct p2p_lane_ring *lane, size_t message_bytes) {
    CHECK(lane->count > 0);
    CHECK(lane->used >= SIZE_BYTES + message_bytes);
    lane->head = (lane->head + SIZE_BYTES + message_bytes) % lane->capacity;
    lane->used -= SIZE_BYTES + message_bytes;
    lane->count -= 1;
    if (lane->count == 0) p2p_lane_clear(lane);
}

uint32_t p2p_lane_push(struct p2p_lane_ring *lane, struct bytes message) {
    CHECK(message.size > 0);
    if (lane->capacity < SIZE_BYTES || message.size > lane->capacity - SIZE_BYTES) return 1;
    if (message.size > UINT32_MAX) return 1;
    uint32_t dropped = 0;
    while (lane->capacity - lane->used < SIZE_BYTES + message.size) {
        drop_front(lane, front_size(lane));
        dropped += 1;
    }
    uint8_t size[SIZE_BYTES];
    be_write(size, sizeof size, message.size);
    ring_write(lane, lane->used, BYTES_OF(size));
    ring_write(lane, lane->used + SIZE_BYTES, message);
    lane->used += SIZE_BYTES + message.size;
    lane->count += 1;
    return dropped;
}

size_t p2p_lane_pop(struct p2p_lane_ring *lane, uint8_t *out, size_t out_bytes_max) {
    if (lane->count == 0) return 0;
    const size_t size = front_size(lane);
    CHECK(size <= out_bytes_max);
    ring_read(lane, SIZE_BYTES, out, size);
    drop_front(lane, size);
    return size;
}

void p2p_lane_clear(struct p2p_lane_ring *lane) {
    lane->head = 0;
    lane->used = 0;
    lane->count = 0;
    if (lane->peak <= KEEP_BYTES_MAX) return;
    pages_forget(lane->data, KEEP_BYTES_MAX, lane->peak);
    lane->peak = KEEP_BYTES_MAX;
}
