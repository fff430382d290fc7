#include "node/queue.h"

#include <assert.h>
#include <stdlib.h>

#include "base/check.h"
#include "threads/clock.h"
#include "threads/gate.h"

#define ALIGNMENT   16
#define SOURCES_MAX 256 /* more than there are connections */
/* After so many messages of the lanes before it the last lane has one turn: a peer that never stops
 * does not keep items out. */
#define BULK_TURN 8

/* A message in a ring; `size` counts everything, padding included.  A record with is_padding fills
 * the end of the ring when the next message would wrap. */
struct record {
    uint64_t size;
    uint64_t header_bytes;
    uint64_t body_bytes;
    uint32_t kind;
    uint16_t is_padding;
    uint16_t source; /* 1 + its place in the ring's `sources`; 0: none */
};
static_assert(sizeof(struct record) % ALIGNMENT == 0, "headers are aligned");

/* What waits of one source; the place is free when nothing does. */
struct source {
    struct hash32 id;
    size_t messages, bytes;
};

struct ring {
    uint8_t *data;
    size_t capacity;
    size_t read_at, write_at; /* offsets */
    size_t used;
    size_t sources_used; /* those after so many are free */
    struct source sources[SOURCES_MAX];
};

struct queue {
    struct gate gate; /* guards all below; wakes the reader */
    struct ring rings[QUEUE_LANES];
    struct ring *held;    /* where the reader's message is */
    size_t held_bytes;    /* 0: the reader holds none */
    uint16_t held_source; /* as in its record */
    uint32_t others_run;  /* messages since the last one of the last lane */
    struct queue_share share;
    bool is_reader_asleep;
    bool is_bulk_waiting; /* the reader wakes soon by itself */
    uint64_t patience_ms;
    bool is_closed;
};

enum err queue_create(size_t urgent_bytes, size_t bulk_bytes, struct queue **out) {
    const size_t capacities[QUEUE_LANES] = {QUEUE_INTERNAL_BYTES, urgent_bytes, bulk_bytes};
    struct queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL) return ERR_MEMORY;
    for (int i = 0; i < QUEUE_LANES; i++) {
        queue->rings[i].capacity = capacities[i] / ALIGNMENT * ALIGNMENT;
        queue->rings[i].data = aligned_alloc(ALIGNMENT, queue->rings[i].capacity);
        if (queue->rings[i].data != NULL) continue;
        for (int made = 0; made < i; made++)
            free(queue->rings[made].data);
        free(queue);
        return ERR_MEMORY;
    }
    gate_create(&queue->gate);
    *out = queue;
    return ERR_OK;
}

void queue_destroy(struct queue *queue) {
    gate_destroy(&queue->gate);
    for (int i = 0; i < QUEUE_LANES; i++)
        free(queue->rings[i].data);
    free(queue);
}

/* room_for makes [write_at, write_at + size) contiguous and free; false when it cannot. */
static bool room_for(struct ring *ring, size_t size) {
    const size_t tail = ring->capacity - ring->write_at;
    if (size <= tail) return ring->capacity - ring->used >= size;
    if (ring->capacity - ring->used < tail + size) return false;
    if (tail >= sizeof(struct record)) {
        const struct record padding = {.size = tail, .is_padding = 1};
        memcpy(ring->data + ring->write_at, &padding, sizeof padding);
    }
    ring->used += tail;
    ring->write_at = 0;
    return true;
}

static void write_record(struct ring *ring, const struct record *record, struct bytes header,
                         struct bytes body) {
    uint8_t *at = ring->data + ring->write_at;
    memcpy(at, record, sizeof *record);
    if (header.size > 0) memcpy(at + sizeof *record, header.data, header.size);
    if (body.size > 0) memcpy(at + sizeof *record + header.size, body.data, body.size);
    ring->write_at = (ring->write_at + record->size) % ring->capacity;
    ring->used += record->size;
}

/* source_take finds or makes the place of a source whose share has room for one more message. */
static struct source *source_take(struct ring *ring, const struct queue_share *share,
                                  const struct hash32 *id, size_t size) {
    struct source *place = NULL;
    for (size_t i = 0; i < ring->sources_used; i++) {
        struct source *source = &ring->sources[i];
        if (source->messages == 0) {
            if (place == NULL) place = source;
        } else if (hash_equal(&source->id, id)) {
            const bool fits =
                source->messages < share->messages_max && source->bytes + size <= share->bytes_max;
            return fits ? source : NULL;
        }
    }
    if (place == NULL && ring->sources_used < SOURCES_MAX) {
        place = &ring->sources[ring->sources_used++];
    }
    if (place != NULL) *place = (struct source){.id = *id};
    return place;
}

static void source_give(struct ring *ring, uint16_t number, size_t size) {
    if (number == 0) return;
    struct source *source = &ring->sources[number - 1];
    CHECK(source->messages > 0);
    source->messages -= 1;
    source->bytes -= size;
    while (ring->sources_used > 0 && ring->sources[ring->sources_used - 1].messages == 0)
        ring->sources_used -= 1;
}

/* push writes the message when it fits the ring and, if it has one, its source's share. */
static enum err push(struct queue *queue, struct ring *ring, struct record *record,
                     const struct hash32 *source_id, struct bytes header, struct bytes body) {
    struct source *source = NULL;
    if (queue->is_closed) return ERR_STOPPED;
    if (source_id != NULL) {
        source = source_take(ring, &queue->share, source_id, record->size);
        if (source == NULL) return ERR_LIMIT;
        record->source = (uint16_t)(source - ring->sources + 1);
    }
    if (!room_for(ring, record->size)) return ERR_LIMIT;
    if (source != NULL) {
        source->messages += 1;
        source->bytes += record->size;
    }
    write_record(ring, record, header, body);
    return ERR_OK;
}

enum err queue_push(struct queue *queue, enum queue_lane lane, uint32_t kind, struct bytes header,
                    struct bytes body) {
    return queue_push_from(queue, lane, kind, NULL, header, body);
}

enum err queue_push_from(struct queue *queue, enum queue_lane lane, uint32_t kind,
                         const struct hash32 *source, struct bytes header, struct bytes body) {
    const size_t bytes = sizeof(struct record) + header.size + body.size;
    const size_t size = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct record record = {size, header.size, body.size, kind, 0, 0};
    gate_lock(&queue->gate);
    const enum err err = push(queue, &queue->rings[lane], &record, source, header, body);
    bool must_wake = false;
    if (err == ERR_OK) {
        must_wake = queue->is_reader_asleep && !(lane == QUEUE_BULK && queue->is_bulk_waiting);
        if (must_wake) queue->is_reader_asleep = false; /* one call is enough */
    }
    gate_unlock(&queue->gate);
    if (must_wake) gate_wake_one(&queue->gate);
    return err;
}

/* skip_padding moves the reader over what filled the ring's end. */
static void skip_padding(struct ring *ring) {
    const size_t tail = ring->capacity - ring->read_at;
    bool skip = tail < sizeof(struct record);
    if (!skip) {
        struct record record;
        memcpy(&record, ring->data + ring->read_at, sizeof record);
        skip = record.is_padding == 1;
    }
    if (!skip) return;
    ring->used -= tail;
    ring->read_at = 0;
}

/* first_filled returns the first ring that holds something, or NULL. */
static struct ring *first_filled(struct queue *queue) {
    struct ring *last = &queue->rings[QUEUE_LANES - 1];
    if (queue->others_run >= BULK_TURN && last->used > 0) return last;
    for (int i = 0; i < QUEUE_LANES; i++) {
        if (queue->rings[i].used > 0) return &queue->rings[i];
    }
    return NULL;
}

/* wait_filled sleeps until a ring has something, the deadline, or the end.  The lock is held. */
static void wait_filled(struct queue *queue, uint64_t deadline_ms) {
    if (first_filled(queue) != NULL) return;
    queue->is_bulk_waiting = queue->patience_ms > 0 && deadline_ms != GATE_FOREVER &&
                             deadline_ms <= monotonic_ms() + queue->patience_ms;
    while (first_filled(queue) == NULL && !queue->is_closed) {
        queue->is_reader_asleep = true;
        if (!gate_wait(&queue->gate, deadline_ms)) return;
    }
}

bool queue_pop(struct queue *queue, uint64_t deadline_ms, uint32_t *kind, struct bytes *header,
               struct bytes *body) {
    gate_lock(&queue->gate);
    CHECK(queue->held_bytes == 0);
    wait_filled(queue, deadline_ms);
    queue->is_reader_asleep = false;
    struct ring *ring = first_filled(queue);
    if (ring != NULL) {
        struct record record;
        skip_padding(ring);
        const uint8_t *at = ring->data + ring->read_at;
        memcpy(&record, at, sizeof record);
        *kind = record.kind;
        *header = (struct bytes){at + sizeof record, record.header_bytes};
        *body = (struct bytes){at + sizeof record + record.header_bytes, record.body_bytes};
        queue->held = ring;
        queue->held_bytes = record.size;
        queue->held_source = record.source;
        queue->others_run = ring == &queue->rings[QUEUE_LANES - 1] ? 0 : queue->others_run + 1;
    }
    gate_unlock(&queue->gate);
    return ring != NULL;
}

void queue_release(struct queue *queue) {
    gate_lock(&queue->gate);
    CHECK(queue->held_bytes > 0);
    struct ring *ring = queue->held;
    ring->read_at = (ring->read_at + queue->held_bytes) % ring->capacity;
    ring->used -= queue->held_bytes;
    source_give(ring, queue->held_source, queue->held_bytes);
    queue->held_bytes = 0;
    if (ring->used == 0) ring->read_at = ring->write_at = 0; /* touch few pages while idle */
    gate_unlock(&queue->gate);
}

void queue_set_share(struct queue *queue, struct queue_share share) {
    queue->share = share;
}

void queue_set_patience(struct queue *queue, uint64_t patience_ms) {
    queue->patience_ms = patience_ms;
}

bool queue_has_more(struct queue *queue, enum queue_lane lane) {
    gate_lock(&queue->gate);
    const struct ring *ring = &queue->rings[lane];
    const size_t held_bytes = queue->held == ring ? queue->held_bytes : 0;
    const bool has_more = ring->used > held_bytes;
    gate_unlock(&queue->gate);
    return has_more;
}

void queue_close(struct queue *queue) {
    gate_lock(&queue->gate);
    queue->is_closed = true;
    gate_wake(&queue->gate);
    gate_unlock(&queue->gate);
}
