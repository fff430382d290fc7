/* A load generator: signed transfers over JSON-RPC, measured until the last one is in a block.
 *
 * usage: bench_load HOST:PORT[,HOST:PORT...] CHAIN_ID TRANSACTIONS CONNECTIONS SENDERS
 *        bench_load HOST:PORT wait
 *
 * Account 0 of the test mnemonic funds SENDERS accounts; then everybody's transfers are signed
 * before the clock starts and sent over keep-alive connections, each waiting for its answer. Prints
 * one JSON object.  The same program drives every server that is compared.  `wait` asks for the
 * chain id until a server answers, and prints when that was (milliseconds of the wall clock). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/keccak.h"
#include "chain/transaction.h"

#define SENDERS_MAX     1000
#define CONNECTIONS_MAX 256
#define TARGETS_MAX     8
#define REQUEST_BYTES   1024
#define ANSWER_BYTES    8192
#define WAIT_MS_MAX     120000

struct request {
    char text[REQUEST_BYTES];
    size_t size;
};

struct connection {
    int fd;
    const struct request *sent;
    size_t sent_bytes, answer_bytes;
    char answer[ANSWER_BYTES];
};

static struct sockaddr_in targets[TARGETS_MAX];
static size_t targets_count;
static uint64_t errors_count;
static char first_error[200];

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void make_request(struct request *out, const char *method, const char *params) {
    char body[REQUEST_BYTES];
    const int size = snprintf(body, sizeof body,
                              "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":[%s]}",
                              method, params);
    out->size = (size_t)snprintf(out->text, sizeof out->text,
                                 "POST / HTTP/1.1\r\nHost: localhost\r\n"
                                 "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                                 size, body);
    CHECK(out->size < sizeof out->text);
}

/* try_dial connects; -1: nobody listens. */
static int try_dial(size_t target) {
    const int one = 1;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&targets[target % targets_count], sizeof targets[0]) !=
        0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static int dial(size_t target) {
    const int fd = try_dial(target);
    if (fd >= 0) return fd;
    fprintf(stderr, "bench_load: cannot connect: %s\n", strerror(errno));
    exit(1);
}

/* answer_is_whole says whether an HTTP answer has come completely. */
static bool answer_is_whole(struct connection *connection) {
    connection->answer[connection->answer_bytes] = '\0';
    const char *body = strstr(connection->answer, "\r\n\r\n");
    if (body == NULL) return false;
    const char *length = strcasestr(connection->answer, "content-length:");
    if (length == NULL || length > body) return false;
    const size_t whole = (size_t)(body + 4 - connection->answer) + strtoul(length + 15, NULL, 10);
    return connection->answer_bytes >= whole;
}

static void note_answer(const struct connection *connection) {
    const char *error = strstr(connection->answer, "\"error\"");
    if (error == NULL && strncmp(connection->answer + 9, "200", 3) == 0) return;
    errors_count += 1;
    if (first_error[0] == '\0') {
        snprintf(first_error, sizeof first_error, "%.150s",
                 error != NULL ? error : connection->answer);
    }
}

static void send_request(struct connection *connection, const struct request *request) {
    connection->sent = request;
    connection->answer_bytes = 0;
    CHECK(send(connection->fd, request->text, request->size, MSG_NOSIGNAL) ==
          (ssize_t)request->size);
}

/* ask sends one request and waits for its answer's text. */
static const char *ask(struct connection *connection, const char *method, const char *params) {
    struct request request;
    make_request(&request, method, params);
    send_request(connection, &request);
    do {
        const ssize_t got = recv(connection->fd, connection->answer + connection->answer_bytes,
                                 ANSWER_BYTES - 1 - connection->answer_bytes, 0);
        CHECK(got > 0);
        connection->answer_bytes += (size_t)got;
    } while (!answer_is_whole(connection));
    return connection->answer;
}

static uint64_t ask_quantity(struct connection *connection, const char *method,
                             const char *params) {
    const char *result = strstr(ask(connection, method, params), "\"result\":\"0x");
    return result == NULL ? 0 : strtoull(result + 12, NULL, 16);
}

/* send_all_requests keeps every connection busy with one request until all are answered. */
static void send_all_requests(const struct request *requests, size_t count,
                              size_t connections_count) {
    static struct connection connections[CONNECTIONS_MAX];
    static struct pollfd polls[CONNECTIONS_MAX];
    size_t next = 0, answered = 0;
    for (size_t i = 0; i < connections_count; i++) {
        connections[i].fd = dial(i);
        polls[i] = (struct pollfd){connections[i].fd, POLLIN, 0};
        if (next < count) send_request(&connections[i], &requests[next++]);
    }
    while (answered < count) {
        CHECK(poll(polls, connections_count, 30000) > 0);
        for (size_t i = 0; i < connections_count; i++) {
            struct connection *connection = &connections[i];
            if ((polls[i].revents & POLLIN) == 0) continue;
            const ssize_t got = recv(connection->fd, connection->answer + connection->answer_bytes,
                                     ANSWER_BYTES - 1 - connection->answer_bytes, 0);
            CHECK(got > 0);
            connection->answer_bytes += (size_t)got;
            if (!answer_is_whole(connection)) continue;
            note_answer(connection);
            answered += 1;
            if (next < count) send_request(connection, &requests[next++]);
        }
    }
    for (size_t i = 0; i < connections_count; i++)
        close(connections[i].fd);
}

static void sign_transfer(struct request *out, uint64_t chain_id, const struct secp_key *key,
                          uint64_t nonce, const struct address *to, uint64_t value) {
    uint8_t memory[2048];
    char params[REQUEST_BYTES - 200], text[700];
    struct arena arena = arena_over(memory, sizeof memory);
    struct transaction transaction = {.type = TRANSACTION_DYNAMIC_FEE,
                                      .is_protected = true,
                                      .chain_id = chain_id,
                                      .nonce = nonce,
                                      .gas_limit = 21000,
                                      .to = *to,
                                      .value = u256_from_u64(value)};
    transaction.max_fee = u256_from_u64(20000000000u);
    transaction.max_priority_fee = u256_from_u64(1000000);
    CHECK(transaction_sign(&transaction, key, &arena) == ERR_OK);
    snprintf(params, sizeof params, "\"%s\"", hex_string(transaction.encoded, text));
    make_request(out, "eth_sendRawTransaction", params);
}

static struct secp_key sender_key(size_t index) {
    uint8_t text[16] = "bench sender";
    struct secp_key key;
    be_write(text + 12, 4, index);
    const struct hash32 hash = keccak256(BYTES_OF(text));
    memcpy(key.secret, hash.bytes, 32);
    CHECK(secp_key_is_valid(&key));
    return key;
}

static uint64_t nonce_of(struct connection *connection, const struct address *address,
                         const char *tag) {
    char text[43], params[80];
    snprintf(params, sizeof params, "\"%s\",\"%s\"", hex_string(address_bytes(address), text), tag);
    return ask_quantity(connection, "eth_getTransactionCount", params);
}

/* wait_nonces waits until every sender's transactions are in blocks; returns when that was. */
static double wait_nonces(struct connection *connection, const struct address *senders,
                          const uint64_t *wanted, size_t count) {
    const double until = now_s() + WAIT_MS_MAX / 1000.0;
    for (size_t i = 0; i < count && now_s() < until;) {
        if (nonce_of(connection, &senders[i], "latest") >= wanted[i]) {
            i += 1;
        } else {
            const struct timespec pause = {0, 2000000};
            nanosleep(&pause, NULL);
        }
    }
    return now_s();
}

/* fund gives every sender ether from the well-known first account of the test mnemonic. */
static void fund(struct connection *connection, uint64_t chain_id, const struct address *senders,
                 size_t count) {
    static const char known[] =
        "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    struct secp_key key;
    CHECK(hex_decode_fixed(bytes_from_string(known), key.secret, 32) == ERR_OK);
    const struct address funder = secp_key_address(&key);
    const uint64_t first = nonce_of(connection, &funder, "latest");
    struct request *requests = calloc(count, sizeof *requests);
    CHECK(requests != NULL);
    for (size_t i = 0; i < count; i++) {
        sign_transfer(&requests[i], chain_id, &key, first + i, &senders[i], 1000000000000000000u);
    }
    send_all_requests(requests, count, 1);
    const uint64_t wanted = first + count;
    wait_nonces(connection, &funder, &wanted, 1);
    free(requests);
}

/* is_answered asks a server once. */
static bool is_answered(void) {
    static struct connection connection;
    struct request request;
    connection.fd = try_dial(0);
    if (connection.fd < 0) return false;
    make_request(&request, "eth_chainId", "");
    send_request(&connection, &request);
    ssize_t got;
    do {
        got = recv(connection.fd, connection.answer + connection.answer_bytes,
                   ANSWER_BYTES - 1 - connection.answer_bytes, 0);
        if (got > 0) connection.answer_bytes += (size_t)got;
    } while (got > 0 && !answer_is_whole(&connection));
    close(connection.fd);
    return got > 0 && strstr(connection.answer, "\"result\":\"0x") != NULL;
}

static int wait_for_answer(void) {
    const double until = now_s() + WAIT_MS_MAX / 1000.0;
    const struct timespec pause = {0, 500000};
    while (!is_answered()) {
        if (now_s() > until) return 1;
        nanosleep(&pause, NULL);
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    printf("%lld\n", (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    return 0;
}

static void parse_targets(char *text) {
    char *rest = NULL;
    for (char *part = strtok_r(text, ",", &rest); part != NULL; part = strtok_r(NULL, ",", &rest)) {
        char *colon = strchr(part, ':');
        CHECK(colon != NULL && targets_count < TARGETS_MAX);
        *colon = '\0';
        targets[targets_count] = (struct sockaddr_in){.sin_family = AF_INET,
                                                      .sin_port = htons((uint16_t)atoi(colon + 1))};
        CHECK(inet_pton(AF_INET, part, &targets[targets_count].sin_addr) == 1);
        targets_count += 1;
    }
}

static void run(uint64_t chain_id, size_t count, size_t connections_count, size_t senders_count) {
    static struct address senders[SENDERS_MAX];
    static uint64_t nonces[SENDERS_MAX];
    struct connection control = {.fd = dial(0)};
    struct request *requests = calloc(count, sizeof *requests);
    CHECK(requests != NULL);
    for (size_t i = 0; i < senders_count; i++) {
        const struct secp_key key = sender_key(i);
        senders[i] = secp_key_address(&key);
    }
    fund(&control, chain_id, senders, senders_count);
    for (size_t i = 0; i < senders_count; i++) {
        nonces[i] = nonce_of(&control, &senders[i], "latest");
    }
    for (size_t i = 0; i < count; i++) {
        const size_t sender = i % senders_count;
        const struct secp_key key = sender_key(sender);
        sign_transfer(&requests[i], chain_id, &key, nonces[sender]++, &senders[0], 1);
    }
    errors_count = 0;
    const double begin = now_s();
    send_all_requests(requests, count, connections_count);
    const double sent = now_s();
    const double mined = wait_nonces(&control, senders, nonces, senders_count);
    printf("{\"transactions\":%zu,\"errors\":%llu,\"accepted_per_second\":%.0f,"
           "\"mined_per_second\":%.0f,\"seconds\":%.3f}\n",
           count, (unsigned long long)errors_count, (double)count / (sent - begin),
           (double)count / (mined - begin), mined - begin);
    if (errors_count > 0) fprintf(stderr, "first error: %s\n", first_error);
    free(requests);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[2], "wait") == 0) {
        parse_targets(argv[1]);
        return wait_for_answer();
    }
    if (argc != 6) {
        fprintf(stderr, "usage: bench_load HOST:PORT[,...] CHAIN_ID TRANSACTIONS CONNECTIONS "
                        "SENDERS\n       bench_load HOST:PORT wait\n");
        return 2;
    }
    const size_t connections_count = strtoul(argv[4], NULL, 10);
    const size_t senders_count = strtoul(argv[5], NULL, 10);
    if (connections_count == 0 || connections_count > CONNECTIONS_MAX || senders_count == 0 ||
        senders_count > SENDERS_MAX) {
        fprintf(stderr, "bench_load: 1 to %d connections, 1 to %d senders\n", CONNECTIONS_MAX,
                SENDERS_MAX);
        return 2;
    }
    parse_targets(argv[1]);
    run(strtoull(argv[2], NULL, 10), strtoul(argv[3], NULL, 10), connections_count, senders_count);
    return errors_count == 0 ? 0 : 1;
}
