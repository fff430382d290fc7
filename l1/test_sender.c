/* The sender against an endpoint that says what the test wants: fees and gas out of all proportion,
 * and nonces that L1 takes back. */
#include "l1/sender.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hex.h"
#include "chain/transaction.h"

#define GWEI 1000000000ull

/* What the endpoint was given. */
struct sent {
    unsigned count;
    uint64_t nonce;
    struct u256 max_fee, tip;
};

static struct {
    int fd;
    pthread_t thread;
    atomic_bool is_stopping;
    /* under lock: what the endpoint says, and the last transaction that it was given */
    pthread_mutex_t lock;
    uint64_t nonce;
    const char *tip, *gas;
    struct sent sent;
} l1 = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void l1_say(uint64_t nonce, const char *tip, const char *gas) {
    CHECK(pthread_mutex_lock(&l1.lock) == 0);
    l1.nonce = nonce;
    l1.tip = tip;
    l1.gas = gas;
    CHECK(pthread_mutex_unlock(&l1.lock) == 0);
}

static struct sent l1_sent(void) {
    CHECK(pthread_mutex_lock(&l1.lock) == 0);
    const struct sent sent = l1.sent;
    CHECK(pthread_mutex_unlock(&l1.lock) == 0);
    return sent;
}

static void take_transaction(const json_t *params) {
    static uint8_t memory[8192], raw_memory[4096];
    struct arena arena = arena_over(memory, sizeof memory);
    struct buffer raw = buffer_over(raw_memory, sizeof raw_memory);
    struct transaction transaction;
    const char *text = json_string_value(json_array_get(params, 0));
    CHECK(text != NULL && hex_decode(bytes_from_string(text), false, &raw) == ERR_OK);
    CHECK(transaction_decode(buffer_bytes(&raw), &arena, &transaction) == VERDICT_ACCEPTED);
    l1.sent = (struct sent){l1.sent.count + 1, transaction.nonce, transaction.max_fee,
                            transaction.max_priority_fee};
}

static json_t *result_of(const char *method, const json_t *params) {
    char text[32];
    if (strcmp(method, "eth_getTransactionCount") == 0) {
        (void)snprintf(text, sizeof text, "0x%llx", (unsigned long long)l1.nonce);
        return json_string(text);
    }
    if (strcmp(method, "eth_maxPriorityFeePerGas") == 0) return json_string(l1.tip);
    if (strcmp(method, "eth_estimateGas") == 0) return json_string(l1.gas);
    if (strcmp(method, "eth_sendRawTransaction") == 0) take_transaction(params);
    return json_null(); /* no receipts */
}

static char *answer_to(const char *body) {
    json_t *calls = json_loads(body, 0, NULL);
    json_t *answers = json_array();
    CHECK(json_is_array(calls));
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *call = json_array_get(calls, i);
        const char *method = json_string_value(json_object_get(call, "method"));
        json_t *answer = json_object();
        CHECK(json_object_set(answer, "id", json_object_get(call, "id")) == 0);
        CHECK(json_object_set_new(answer, "result",
                                  result_of(method, json_object_get(call, "params"))) == 0);
        CHECK(json_array_append_new(answers, answer) == 0);
    }
    char *text = json_dumps(answers, JSON_COMPACT);
    json_decref(calls);
    json_decref(answers);
    return text;
}

/* read_request reads a whole request and returns its body; NULL: it ended before. */
static const char *read_request(int fd, char *room, size_t room_bytes) {
    size_t size = 0;
    for (;;) {
        const ssize_t got = recv(fd, room + size, room_bytes - 1 - size, 0);
        if (got <= 0) return NULL;
        size += (size_t)got;
        room[size] = 0;
        const char *end = strstr(room, "\r\n\r\n");
        const char *length = strstr(room, "Content-Length: ");
        if (end == NULL || length == NULL) continue;
        const size_t wanted = (size_t)(end + 4 - room) + strtoull(length + 16, NULL, 10);
        CHECK(wanted < room_bytes);
        if (size >= wanted) return end + 4;
    }
}

static void *l1_main(void *unused) {
    static char room[65536];
    (void)unused;
    while (!atomic_load(&l1.is_stopping)) {
        struct pollfd waiting = {.fd = l1.fd, .events = POLLIN};
        if (poll(&waiting, 1, 20) <= 0) continue;
        const int fd = accept(l1.fd, NULL, NULL);
        CHECK(fd >= 0);
        const char *body = read_request(fd, room, sizeof room);
        CHECK(pthread_mutex_lock(&l1.lock) == 0);
        char *text = body == NULL ? NULL : answer_to(body);
        CHECK(pthread_mutex_unlock(&l1.lock) == 0);
        if (text != NULL) {
            (void)dprintf(fd,
                          "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                          strlen(text), text);
        }
        free(text);
        (void)close(fd);
    }
    return NULL;
}

static void l1_begin(char url[64]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    l1.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(l1.fd, (const struct sockaddr *)&address, size) == 0 && listen(l1.fd, 8) == 0);
    CHECK(getsockname(l1.fd, (struct sockaddr *)&address, &size) == 0);
    (void)snprintf(url, 64, "http://127.0.0.1:%u", ntohs(address.sin_port));
    CHECK(pthread_create(&l1.thread, NULL, l1_main, NULL) == 0);
}

static void l1_end(void) {
    atomic_store(&l1.is_stopping, true);
    CHECK(pthread_join(l1.thread, NULL) == 0);
    (void)close(l1.fd);
}

static struct l1_block block_at(uint64_t number, uint64_t base_fee_wei) {
    return (struct l1_block){.number = number, .base_fee = u256_from_u64(base_fee_wei)};
}

struct bench {
    struct l1_config config;
    struct secp_key key;
    struct l1_sender sender;
    struct l1_endpoints *endpoints;
};

static void bench_begin(struct bench *bench, const char *url) {
    memset(bench, 0, sizeof *bench);
    bench->key.secret[31] = 1;
    bench->config = (struct l1_config){
        .endpoints = {url}, .endpoints_count = 1, .chain_id = 1, .key = &bench->key};
    l1_sender_init(&bench->sender, &bench->config);
    CHECK(l1_endpoints_create(&bench->config, &bench->endpoints) == ERR_OK);
    const struct l1_call call = {.to = {{7}}, .size = 1};
    CHECK(l1_sender_push(&bench->sender, &call) == ERR_OK);
}

static void bench_end(struct bench *bench) {
    l1_endpoints_destroy(bench->endpoints);
    l1_sender_destroy(&bench->sender);
}

static enum err step(struct bench *bench, uint64_t number, uint64_t base_fee_wei) {
    char error[L1_ERROR_BYTES] = "";
    const struct l1_block latest = block_at(number, base_fee_wei);
    return l1_sender_step(&bench->sender, bench->endpoints, 0, &latest, error);
}

static bool is_at_most(const struct u256 *fee, uint64_t wei) {
    const struct u256 limit = u256_from_u64(wei);
    return u256_compare(fee, &limit) <= 0;
}

/* An endpoint that names fees out of all proportion does not make us pay them, however often they
 * are raised. */
static void test_fees(struct bench *bench, const char *url) {
    l1_say(5, "0xffffffffffffffffffffffffffffffffffffffffffffffff", "0x5208");
    bench_begin(bench, url);
    CHECK(step(bench, 100, 7 * GWEI) == ERR_OK);
    for (uint64_t block = 104; block < 200; block += 4)
        CHECK(step(bench, block, UINT64_MAX) == ERR_OK);
    struct sent sent = l1_sent();
    CHECK(sent.count > 5 && sent.nonce == 5);
    CHECK(is_at_most(&sent.max_fee, 2000 * GWEI));
    CHECK(u256_compare(&sent.tip, &sent.max_fee) <= 0);
    bench_end(bench);

    l1_say(5, "0x3b9aca00", "0x5208");
    bench_begin(bench, url);
    CHECK(step(bench, 100, 7 * GWEI) == ERR_OK);
    sent = l1_sent();
    CHECK(!is_at_most(&sent.max_fee, 15 * GWEI - 1) && is_at_most(&sent.max_fee, 15 * GWEI));
    bench_end(bench);

    l1_say(5, "0x3b9aca00", "0xffffffffffffffff");
    bench_begin(bench, url);
    CHECK(step(bench, 100, 7 * GWEI) == ERR_LIMIT);
    CHECK(l1_sent().count == sent.count);
    bench_end(bench);
}

/* A nonce that L1 takes back leaves the transactions behind it waiting for ever: the call begins
 * anew with the nonce that L1 expects then. */
static void test_gap(struct bench *bench, const char *url) {
    l1_say(9, "0x3b9aca00", "0x5208");
    bench_begin(bench, url);
    CHECK(step(bench, 100, GWEI) == ERR_OK);
    CHECK(l1_sent().nonce == 9);
    l1_say(8, "0x3b9aca00", "0x5208");
    CHECK(step(bench, 101, GWEI) == ERR_OK); /* it may be the endpoint that lags */
    CHECK(l1_sent().nonce == 9);
    for (uint64_t block = 104; block < 112; block++)
        CHECK(step(bench, block, GWEI) == ERR_OK);
    CHECK(l1_sent().nonce == 8);
    bench_end(bench);
}

int main(void) {
    static struct bench bench;
    char url[64];
    l1_begin(url);
    test_fees(&bench, url);
    test_gap(&bench, url);
    l1_end();
    (void)puts("l1 sender: ok");
    return 0;
}
