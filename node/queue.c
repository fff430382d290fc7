#include "node/queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"

#define ALIGNMENT 16

/* A message in the ring; `size` counts everything, padding included.  A record of kind PADDING
 * fills the end of the ring when the next message would wrap. */
struct record {
    uint64_t size;
    uint32_t kind;
    uint32_t is_padding;
    uint64_t header_bytes;
    uint64_t body_bytes;
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    uint8_t *ring;
    size_t capacity;
    size_t read_at, write_at; /* offsets */
    size_t used;
    size_t pending_release; /* bytes of the message that the reader holds */
    bool is_closed;
};

enum err queue_create(size_t capacity, struct queue **out) {
    struct queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL) return ERR_MEMORY;
    queue->capacity = capacity / ALIGNMENT * ALIGNMENT;
    queue->ring = malloc(queue->capacity);
    if (queue->ring == NULL) {
        free(queue);
        return ERR_MEMORY;
    }
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->filled, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&queue->lock, NULL);
    *out = queue;
    return ERR_OK;
}

void queue_destroy(struct queue *queue) {
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
    free(queue->ring);
    free(queue);
}

/* room_for makes [write_at, write_at + size) contiguous and free; false when it cannot. */
static bool room_for(struct queue *queue, size_t size) {
    const size_t tail = queue->capacity - queue->write_at;
    if (size <= tail) return queue->capacity - queue->used >= size;
    if (queue->capacity - queue->used < tail + size) return false;
    if (tail >= sizeof(struct record)) {
        const struct record padding = {.size = tail, .is_padding = 1};
        memcpy(queue->ring + queue->write_at, &padding, sizeof padding);
    }
    queue->used += tail;
    queue->write_at = 0;
    return true;
}

enum err queue_push(struct queue *queue, uint32_t kind, struct bytes header, struct bytes body) {
    const size_t bytes = sizeof(struct record) + header.size + body.size;
    const size_t size = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    pthread_mutex_lock(&queue->lock);
    enum err err = queue->is_closed ? ERR_STOPPED : ERR_OK;
    if (err == ERR_OK && !room_for(queue, size)) err = ERR_LIMIT;
    if (err == ERR_OK) {
        const struct record record = {size, kind, 0, header.size, body.size};
        uint8_t *at = queue->ring + queue->write_at;
        memcpy(at, &record, sizeof record);
        if (header.size > 0) memcpy(at + sizeof record, header.data, header.size);
        if (body.size > 0) memcpy(at + sizeof record + header.size, body.data, body.size);
        queue->write_at = (queue->write_at + size) % queue->capacity;
        queue->used += size;
        pthread_cond_signal(&queue->filled);
    }
    pthread_mutex_unlock(&queue->lock);
    return err;
}

/* skip_padding moves the reader over what filled the ring's end. */
static void skip_padding(struct queue *queue) {
    const size_t tail = queue->capacity - queue->read_at;
    bool skip = tail < sizeof(struct record);
    if (!skip) {
        struct record record;
        memcpy(&record, queue->ring + queue->read_at, sizeof record);
        skip = record.is_padding == 1;
    }
    if (!skip) return;
    queue->used -= tail;
    queue->read_at = 0;
}

bool queue_pop(struct queue *queue, uint64_t deadline_ms, uint32_t *kind, struct bytes *header,
               struct bytes *body) {
    pthread_mutex_lock(&queue->lock);
    CHECK(queue->pending_release == 0);
    const struct timespec until = {(time_t)(deadline_ms / 1000),
                                   (long)(deadline_ms % 1000) * 1000000};
    while (queue->used == 0 && !queue->is_closed) {
        if (deadline_ms == UINT64_MAX) {
            pthread_cond_wait(&queue->filled, &queue->lock);
        } else if (pthread_cond_timedwait(&queue->filled, &queue->lock, &until) != 0) {
            break;
        }
    }
    const bool found = queue->used > 0;
    if (found) {
        skip_padding(queue);
        struct record record;
        const uint8_t *at = queue->ring + queue->read_at;
        memcpy(&record, at, sizeof record);
        *kind = record.kind;
        *header = (struct bytes){at + sizeof record, record.header_bytes};
        *body = (struct bytes){at + sizeof record + record.header_bytes, record.body_bytes};
        queue->pending_release = record.size;
    }
    pthread_mutex_unlock(&queue->lock);
    return found;
}

void queue_release(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    CHECK(queue->pending_release > 0);
    queue->read_at = (queue->read_at + queue->pending_release) % queue->capacity;
    queue->used -= queue->pending_release;
    queue->pending_release = 0;
    pthread_mutex_unlock(&queue->lock);
}

void queue_close(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    queue->is_closed = true;
    pthread_cond_broadcast(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

size_t queue_used(struct queue *queue) {
    pthread_mutex_lock(&queue->lock);
    const size_t used = queue->used;
    pthread_mutex_unlock(&queue->lock);
    return used;
}
