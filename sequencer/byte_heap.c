#include "sequencer/byte_heap.h"

#include "base/check.h"

#define NONE UINT32_MAX

/* A tag is 0 inside a block; at its begin, its order + 1, with a bit for free ones. */
#define TAG_FREE 0x80u

/* What a free block holds in its own memory. */
struct free_link {
    uint32_t next;
    uint32_t previous;
};

static uint8_t *unit_at(const struct byte_heap *heap, uint32_t unit) {
    return heap->data + (size_t)unit * heap->unit_bytes;
}

static struct free_link link_read(const struct byte_heap *heap, uint32_t unit) {
    struct free_link link;
    memcpy(&link, unit_at(heap, unit), sizeof link);
    return link;
}

static void link_write(const struct byte_heap *heap, uint32_t unit, struct free_link link) {
    memcpy(unit_at(heap, unit), &link, sizeof link);
}

static void free_push(struct byte_heap *heap, uint32_t unit, uint32_t order) {
    const uint32_t head = heap->free_head[order];
    link_write(heap, unit, (struct free_link){head, NONE});
    if (head != NONE) {
        struct free_link link = link_read(heap, head);
        link.previous = unit;
        link_write(heap, head, link);
    }
    heap->free_head[order] = unit;
    heap->tags[unit] = (uint8_t)(TAG_FREE | (order + 1));
}

static void free_take(struct byte_heap *heap, uint32_t unit, uint32_t order) {
    const struct free_link link = link_read(heap, unit);
    if (link.previous == NONE) {
        heap->free_head[order] = link.next;
    } else {
        struct free_link before = link_read(heap, link.previous);
        before.next = link.next;
        link_write(heap, link.previous, before);
    }
    if (link.next != NONE) {
        struct free_link after = link_read(heap, link.next);
        after.previous = link.previous;
        link_write(heap, link.next, after);
    }
    heap->tags[unit] = 0;
}

static uint32_t order_of(const struct byte_heap *heap, size_t size) {
    uint32_t order = 0;
    while (((size_t)heap->unit_bytes << order) < size)
        order++;
    return order;
}

size_t byte_heap_bytes(uint64_t capacity, uint32_t unit_bytes) {
    return (size_t)capacity + (size_t)(capacity / unit_bytes) + 64;
}

void byte_heap_create(struct byte_heap *heap, struct arena *arena, uint64_t capacity,
                      uint32_t unit_bytes, size_t string_bytes_max) {
    CHECK(unit_bytes >= 64);
    CHECK((unit_bytes & (unit_bytes - 1)) == 0);
    CHECK(capacity / unit_bytes < NONE);
    memset(heap, 0, sizeof *heap);
    heap->unit_bytes = unit_bytes;
    heap->units = (uint32_t)(capacity / unit_bytes);
    heap->order_max = order_of(heap, string_bytes_max);
    CHECK(heap->order_max < BYTE_HEAP_ORDERS);
    heap->tags = arena_alloc_zero(arena, heap->units);
    heap->data = arena_alloc(arena, (size_t)heap->units * unit_bytes);
    CHECK(heap->tags != NULL);
    CHECK(heap->data != NULL);
    for (uint32_t order = 0; order < BYTE_HEAP_ORDERS; order++)
        heap->free_head[order] = NONE;
    heap->fresh_end = heap->units >> heap->order_max << heap->order_max;
    CHECK(heap->fresh_end != 0);
}

uint8_t *byte_heap_alloc(struct byte_heap *heap, size_t size) {
    const uint32_t wanted = order_of(heap, size == 0 ? 1 : size);
    if (wanted > heap->order_max) return NULL;
    uint32_t order = wanted;
    while (order <= heap->order_max && heap->free_head[order] == NONE)
        order++;
    uint32_t unit;
    if (order <= heap->order_max) {
        unit = heap->free_head[order];
        free_take(heap, unit, order);
    } else {
        if (heap->fresh == heap->fresh_end) return NULL;
        order = heap->order_max;
        unit = heap->fresh;
        heap->fresh += 1u << order;
    }
    while (order > wanted) {
        order--;
        free_push(heap, unit + (1u << order), order);
    }
    heap->tags[unit] = (uint8_t)(wanted + 1);
    heap->bytes_used += (uint64_t)heap->unit_bytes << wanted;
    return unit_at(heap, unit);
}

void byte_heap_free(struct byte_heap *heap, const uint8_t *data) {
    CHECK(data >= heap->data);
    const size_t offset = (size_t)(data - heap->data);
    CHECK(offset % heap->unit_bytes == 0);
    uint32_t unit = (uint32_t)(offset / heap->unit_bytes);
    CHECK(unit < heap->units);
    const uint8_t tag = heap->tags[unit];
    CHECK(tag != 0);
    CHECK((tag & TAG_FREE) == 0);
    uint32_t order = tag - 1u;
    heap->bytes_used -= (uint64_t)heap->unit_bytes << order;
    heap->tags[unit] = 0;
    while (order < heap->order_max) {
        const uint32_t buddy = unit ^ (1u << order);
        if (buddy >= heap->units || heap->tags[buddy] != (TAG_FREE | (order + 1))) break;
        free_take(heap, buddy, order);
        unit = unit < buddy ? unit : buddy;
        order++;
    }
    free_push(heap, unit, order);
}
