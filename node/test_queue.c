/* The queue: order, lanes, limits, waiting, many writers. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "node/queue.h"
#include "threads/clock.h"

#define WRITERS           4
#define MESSAGES_A_WRITER 20000

static struct bytes view(const char *text) {
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void expect(struct queue *queue, uint32_t kind, const char *header, const char *body) {
    uint32_t found_kind;
    struct bytes found_header, found_body;
    CHECK(queue_pop(queue, 0, &found_kind, &found_header, &found_body));
    CHECK(found_kind == kind);
    CHECK(bytes_equal(found_header, view(header)));
    CHECK(bytes_equal(found_body, view(body)));
    CHECK((uintptr_t)found_header.data % 16 == 0);
    queue_release(queue);
}

static void test_lanes(void) {
    struct queue *queue;
    CHECK(queue_create(4096, 4096, &queue) == ERR_OK);
    CHECK(queue_push(queue, QUEUE_BULK, 1, view("a"), view("bulk")) == ERR_OK);
    CHECK(queue_push(queue, QUEUE_URGENT, 2, view("b"), view("urgent")) == ERR_OK);
    CHECK(queue_push(queue, QUEUE_INTERNAL, 3, view("c"), view("")) == ERR_OK);
    CHECK(queue_push(queue, QUEUE_URGENT, 4, view(""), view("second")) == ERR_OK);
    expect(queue, 3, "c", "");
    expect(queue, 2, "b", "urgent");
    expect(queue, 4, "", "second");
    expect(queue, 1, "a", "bulk");
    CHECK(!queue_has_more(queue, QUEUE_BULK));
    queue_destroy(queue);
}

static void *push_bulk(void *context) {
    CHECK(queue_push(context, QUEUE_BULK, 7, view("late"), BYTES_EMPTY) == ERR_OK);
    return NULL;
}

/* What a patient reader is not woken for it finds by its deadline; a distant one does not matter.
 */
static void test_patience(void) {
    const uint64_t deadlines_ms[] = {1, 5, 3600000};
    struct queue *queue;
    CHECK(queue_create(4096, 4096, &queue) == ERR_OK);
    queue_set_patience(queue, 10);
    for (int i = 0; i < 300; i++) {
        const uint64_t deadline = monotonic_ms() + deadlines_ms[i % 3];
        pthread_t writer;
        uint32_t kind;
        struct bytes header, body;
        CHECK(pthread_create(&writer, NULL, push_bulk, queue) == 0);
        if (!queue_pop(queue, deadline, &kind, &header, &body)) { /* the writer was slower */
            CHECK(monotonic_ms() >= deadline);
            CHECK(queue_pop(queue, UINT64_MAX, &kind, &header, &body));
        }
        CHECK(kind == 7);
        queue_release(queue);
        CHECK(pthread_join(writer, NULL) == 0);
    }
    queue_destroy(queue);
}

static void test_has_more(void) {
    struct queue *queue;
    uint32_t kind;
    struct bytes header, body;
    CHECK(queue_create(4096, 4096, &queue) == ERR_OK);
    CHECK(!queue_has_more(queue, QUEUE_BULK));
    CHECK(queue_push(queue, QUEUE_BULK, 1, view("a"), BYTES_EMPTY) == ERR_OK);
    CHECK(queue_push(queue, QUEUE_BULK, 2, view("b"), BYTES_EMPTY) == ERR_OK);
    CHECK(queue_pop(queue, 0, &kind, &header, &body));
    CHECK(queue_has_more(queue, QUEUE_BULK));
    CHECK(!queue_has_more(queue, QUEUE_URGENT));
    queue_release(queue);
    CHECK(queue_pop(queue, 0, &kind, &header, &body));
    CHECK(!queue_has_more(queue, QUEUE_BULK));
    queue_release(queue);
    queue_destroy(queue);
}

/* A full ring refuses; what is taken out makes room; wrapping keeps messages whole. */
static void test_full_and_wrap(void) {
    struct queue *queue;
    char body[200];
    memset(body, 'x', sizeof body);
    const struct bytes long_body = {(const uint8_t *)body, sizeof body};
    CHECK(queue_create(64, 1024, &queue) == ERR_OK);
    unsigned fitted = 0;
    while (queue_push(queue, QUEUE_BULK, fitted, BYTES_EMPTY, long_body) == ERR_OK)
        fitted += 1;
    CHECK(fitted == 4);
    for (unsigned round = 0; round < 1000; round++) {
        uint32_t kind;
        struct bytes header, found;
        CHECK(queue_pop(queue, 0, &kind, &header, &found));
        CHECK(kind == round);
        CHECK(bytes_equal(found, long_body));
        queue_release(queue);
        CHECK(queue_push(queue, QUEUE_BULK, fitted + round, BYTES_EMPTY, long_body) == ERR_OK);
    }
    CHECK(queue_push(queue, QUEUE_URGENT, 9, BYTES_EMPTY, long_body) == ERR_LIMIT);
    queue_destroy(queue);
}

static void test_deadline_and_close(void) {
    struct queue *queue;
    uint32_t kind;
    struct bytes header, body;
    CHECK(queue_create(1024, 1024, &queue) == ERR_OK);
    const uint64_t begin = monotonic_ms();
    CHECK(!queue_pop(queue, begin + 30, &kind, &header, &body));
    CHECK(monotonic_ms() >= begin + 29);
    CHECK(queue_push(queue, QUEUE_BULK, 7, view("h"), view("b")) == ERR_OK);
    queue_close(queue);
    CHECK(queue_push(queue, QUEUE_BULK, 8, view("h"), view("b")) == ERR_STOPPED);
    CHECK(queue_pop(queue, UINT64_MAX, &kind, &header, &body));
    queue_release(queue);
    CHECK(!queue_pop(queue, UINT64_MAX, &kind, &header, &body));
    queue_destroy(queue);
}

struct writer {
    struct queue *queue;
    uint32_t id;
};

static void *write_many(void *context) {
    const struct writer *writer = context;
    for (uint32_t i = 0; i < MESSAGES_A_WRITER; i++) {
        const struct bytes header = {(const uint8_t *)&i, sizeof i};
        const enum queue_lane lane = i % 3 == 0 ? QUEUE_URGENT : QUEUE_BULK;
        while (queue_push(writer->queue, lane, writer->id, header, BYTES_EMPTY) == ERR_LIMIT) {
            sched_yield();
        }
    }
    return NULL;
}

/* Each writer's messages of one lane come in its order, and none is lost. */
static void test_many_writers(void) {
    struct queue *queue;
    pthread_t threads[WRITERS];
    struct writer writers[WRITERS];
    uint32_t last[WRITERS][2];
    memset(last, 0xff, sizeof last);
    CHECK(queue_create(8192, 8192, &queue) == ERR_OK);
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){queue, i};
        CHECK(pthread_create(&threads[i], NULL, write_many, &writers[i]) == 0);
    }
    for (unsigned count = 0; count < WRITERS * MESSAGES_A_WRITER; count++) {
        uint32_t kind, number;
        struct bytes header, body;
        CHECK(queue_pop(queue, monotonic_ms() + 20000, &kind, &header, &body));
        memcpy(&number, header.data, sizeof number);
        uint32_t *before = &last[kind][number % 3 == 0];
        CHECK(*before == UINT32_MAX || number > *before);
        *before = number;
        queue_release(queue);
    }
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    CHECK(!queue_has_more(queue, QUEUE_BULK) && !queue_has_more(queue, QUEUE_URGENT));
    queue_destroy(queue);
}

static enum err push_from(struct queue *queue, uint8_t source, struct bytes body) {
    const struct hash32 id = {{source}};
    return queue_push_from(queue, QUEUE_URGENT, source, &id, BYTES_EMPTY, body);
}

/* One source that sends without end leaves room for the others, and has room again when it is
 * read. */
static void test_shares(void) {
    struct queue *queue;
    uint32_t kind;
    struct bytes header, body;
    uint8_t room[1000] = {0};
    CHECK(queue_create(65536, 4096, &queue) == ERR_OK);
    queue_set_share(queue, (struct queue_share){.messages_max = 4, .bytes_max = 2400});
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < 4; i++)
            CHECK(push_from(queue, 1, BYTES_EMPTY) == ERR_OK);
        CHECK(push_from(queue, 1, BYTES_EMPTY) == ERR_LIMIT);
        CHECK(push_from(queue, 2, BYTES_OF(room)) == ERR_OK);
        CHECK(push_from(queue, 2, BYTES_OF(room)) == ERR_OK);
        CHECK(push_from(queue, 2, BYTES_OF(room)) == ERR_LIMIT); /* in bytes */
        CHECK(queue_push(queue, QUEUE_URGENT, 3, BYTES_EMPTY, BYTES_EMPTY) == ERR_OK);
        CHECK(queue_pop(queue, 0, &kind, &header, &body));
        CHECK(kind == 1);
        CHECK(push_from(queue, 1, BYTES_EMPTY) == ERR_LIMIT); /* the reader has it still */
        queue_release(queue);
        CHECK(push_from(queue, 1, BYTES_EMPTY) == ERR_OK);
        while (queue_pop(queue, 0, &kind, &header, &body))
            queue_release(queue);
    }
    for (int i = 0; i < 256; i++)
        CHECK(push_from(queue, (uint8_t)i, BYTES_EMPTY) == ERR_OK);
    while (queue_pop(queue, 0, &kind, &header, &body))
        queue_release(queue);
    CHECK(push_from(queue, 7, BYTES_EMPTY) == ERR_OK);
    queue_destroy(queue);
}

/* Who comes under one name after the other takes the places of its own lane only. */
static void test_many_names(void) {
    struct queue *queue;
    CHECK(queue_create(65536, 65536, &queue) == ERR_OK);
    queue_set_share(queue, (struct queue_share){.messages_max = 4, .bytes_max = 2400});
    for (int i = 0; i < 400; i++) {
        const struct hash32 guest = {{1, (uint8_t)(i >> 8), (uint8_t)i}};
        (void)!queue_push_from(queue, QUEUE_BULK, 9, &guest, BYTES_EMPTY, BYTES_EMPTY);
    }
    for (int i = 0; i < 200; i++)
        CHECK(push_from(queue, (uint8_t)i, BYTES_EMPTY) == ERR_OK);
    queue_destroy(queue);
}

/* Among urgent messages without end items have a turn. */
static void test_bulk_turn(void) {
    struct queue *queue;
    uint32_t kind, waited = 0;
    struct bytes header, body;
    CHECK(queue_create(65536, 4096, &queue) == ERR_OK);
    CHECK(queue_push(queue, QUEUE_BULK, 2, BYTES_EMPTY, BYTES_EMPTY) == ERR_OK);
    for (kind = 1; kind != 2; waited++) {
        CHECK(waited < 20);
        CHECK(queue_push(queue, QUEUE_URGENT, 1, BYTES_EMPTY, BYTES_EMPTY) == ERR_OK);
        CHECK(queue_pop(queue, 0, &kind, &header, &body));
        queue_release(queue);
    }
    CHECK(waited > 4);
    queue_destroy(queue);
}

int main(void) {
    test_shares();
    test_many_names();
    test_bulk_turn();
    test_lanes();
    test_patience();
    test_has_more();
    test_full_and_wrap();
    test_deadline_and_close();
    test_many_writers();
    puts("node queue: ok");
    return 0;
}
