/* Clients that behave oddly or badly, over real sockets: WebSocket messages in every shape, readers
 * that do not read, half-sent and pipelined requests, more connections than allowed. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "rpc/fake_backend.h"

#define PORT            22510
#define CONNECTIONS_MAX 64
#define TEXT_BYTES      (1u << 20)

static char text[TEXT_BYTES];

static int dial(int receive_bytes) {
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval timeout = {.tv_sec = 20};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    if (receive_bytes > 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    }
    CHECK(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    return fd;
}

static void send_all(int fd, const void *data, size_t size) {
    const char *at = data;
    while (size > 0) {
        const ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0) return; /* the server had enough: the answer tells */
        at += sent;
        size -= (size_t)sent;
    }
}

static void send_text(int fd, const char *line) {
    send_all(fd, line, strlen(line));
}

/* read_answer takes one HTTP answer off the connection, byte by byte as others may follow; the body
 * is in `text`.  Returns the status, 0 when the connection ended. */
static int read_answer(int fd) {
    size_t size = 0, whole = 0;
    while (whole == 0 || size < whole) {
        CHECK(size < TEXT_BYTES - 1);
        if (recv(fd, text + size, 1, 0) != 1) return 0;
        text[++size] = '\0';
        if (whole > 0 || size < 4 || memcmp(text + size - 4, "\r\n\r\n", 4) != 0) continue;
        const char *length = strstr(text, "Content-Length: ");
        whole = size + (length != NULL ? strtoul(length + 16, NULL, 10) : 0);
    }
    return atoi(text + 9);
}

static void write_post(char *out, size_t out_bytes, const char *body) {
    const int size = snprintf(out, out_bytes,
                              "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                              "Content-Length: %zu\r\n\r\n%s",
                              strlen(body), body);
    CHECK(size > 0 && (size_t)size < out_bytes);
}

/* alive asks something on a connection of its own. */
static void check_alive(void) {
    char request[512];
    const int fd = dial(0);
    write_post(request, sizeof request, "{\"id\":1,\"method\":\"eth_chainId\"}");
    send_text(fd, request);
    CHECK(read_answer(fd) == 200 && strstr(text, "\"result\":\"0x1\"") != NULL);
    close(fd);
}

/* --- a WebSocket client */
enum opcode { CONTINUATION = 0, TEXT_FRAME = 1, CLOSE = 8, PING = 9, PONG = 10 };

static int ws_dial(int receive_bytes) {
    const int fd = dial(receive_bytes);
    send_text(fd, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                  "\r\n");
    size_t size = 0;
    while (size < 4 || memcmp(text + size - 4, "\r\n\r\n", 4) != 0) {
        CHECK(size < TEXT_BYTES - 1 && recv(fd, text + size, 1, 0) == 1);
        size += 1;
    }
    text[size] = '\0';
    CHECK(strncmp(text, "HTTP/1.1 101", 12) == 0);
    CHECK(strstr(text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != NULL); /* RFC 6455, 1.3 */
    return fd;
}

static void ws_send(int fd, enum opcode opcode, bool is_final, const char *payload, size_t size) {
    static const uint8_t mask[4] = {0x11, 0x22, 0x33, 0x44};
    uint8_t *frame = malloc(size + 16);
    size_t at = 0;
    CHECK(frame != NULL);
    frame[at++] = (uint8_t)((is_final ? 0x80 : 0) | opcode);
    if (size < 126) {
        frame[at++] = (uint8_t)(0x80 | size);
    } else {
        CHECK(size < 65536);
        frame[at++] = 0x80 | 126;
        frame[at++] = (uint8_t)(size >> 8);
        frame[at++] = (uint8_t)size;
    }
    memcpy(frame + at, mask, sizeof mask);
    at += sizeof mask;
    for (size_t i = 0; i < size; i++)
        frame[at + i] = (uint8_t)payload[i] ^ mask[i % 4];
    send_all(fd, frame, at + size);
    free(frame);
}

static bool read_exactly(int fd, void *out, size_t size) {
    size_t have = 0;
    while (have < size) {
        const ssize_t got = recv(fd, (char *)out + have, size - have, 0);
        if (got <= 0) return false;
        have += (size_t)got;
    }
    return true;
}

/* ws_read reads one message into `text`; its opcode, or -1 when the connection ended. */
static int ws_read(int fd) {
    size_t size = 0;
    int opcode = -1;
    for (;;) {
        uint8_t head[2], more[8] = {0};
        if (!read_exactly(fd, head, 2)) return -1;
        size_t part = head[1] & 0x7f;
        const size_t length_bytes = part == 126 ? 2 : part == 127 ? 8 : 0;
        if (!read_exactly(fd, more, length_bytes)) return -1;
        if (length_bytes > 0) part = 0;
        for (size_t i = 0; i < length_bytes; i++)
            part = part << 8 | more[i];
        CHECK((head[1] & 0x80) == 0 && size + part < TEXT_BYTES);
        if (!read_exactly(fd, text + size, part)) return -1;
        size += part;
        text[size] = '\0';
        if (opcode < 0) opcode = head[0] & 0x0f;
        if ((head[0] & 0x80) != 0) return opcode;
    }
}

static const char *ws_ask(int fd, const char *request) {
    ws_send(fd, TEXT_FRAME, true, request, strlen(request));
    CHECK(ws_read(fd) == TEXT_FRAME);
    return text;
}

static void test_messages(void) {
    const char *request = "{\"id\":1,\"method\":\"eth_chainId\"}";
    const int fd = ws_dial(0);
    CHECK(strcmp(ws_ask(fd, request), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x1\"}") == 0);
    ws_send(fd, PING, true, "are you there", 13);
    CHECK(ws_read(fd) == PONG && strcmp(text, "are you there") == 0);
    /* one message in three frames, with a ping between */
    ws_send(fd, TEXT_FRAME, false, request, 5);
    ws_send(fd, CONTINUATION, false, request + 5, 5);
    ws_send(fd, PING, true, "x", 1);
    ws_send(fd, CONTINUATION, true, request + 10, strlen(request) - 10);
    bool has_pong = false, has_answer = false;
    while (!has_pong || !has_answer) {
        const int opcode = ws_read(fd);
        CHECK(opcode == PONG || opcode == TEXT_FRAME);
        if (opcode == PONG) has_pong = true;
        if (opcode == TEXT_FRAME) has_answer = strstr(text, "\"result\":\"0x1\"") != NULL;
    }
    CHECK(strstr(ws_ask(fd, "nonsense"), "-32700") != NULL);
    CHECK(strstr(ws_ask(fd, "{\"id\":2,\"method\":\"eth_call\",\"params\":[{\"data\":\"0x07\"}]}"),
                 "\"result\":\"0x07\"") != NULL);
    ws_send(fd, CLOSE, true, "\x03\xe8", 2);
    CHECK(ws_read(fd) == CLOSE && ws_read(fd) == -1);
    close(fd);
}

static uint64_t id_in(const char *answer) {
    const char *at = strstr(answer, "\"result\":\"0x");
    CHECK(at != NULL);
    return strtoull(at + 12, NULL, 16);
}

static void subscribe(int fd, const char *params, uint64_t *id) {
    char request[256];
    snprintf(request, sizeof request, "{\"id\":3,\"method\":\"eth_subscribe\",\"params\":[%s]}",
             params);
    *id = id_in(ws_ask(fd, request));
}

static const char *unsubscribe(int fd, uint64_t id) {
    char request[256];
    snprintf(request, sizeof request,
             "{\"id\":4,\"method\":\"eth_unsubscribe\",\"params\":[\"0x%llx\"]}",
             (unsigned long long)id);
    return ws_ask(fd, request);
}

static bool is_notice(uint64_t id, const char *what) {
    char name[64];
    snprintf(name, sizeof name, "\"subscription\":\"0x%llx\"", (unsigned long long)id);
    return strstr(text, name) != NULL && strstr(text, what) != NULL;
}

static void commit_block(struct fake *fake) {
    const uint64_t number = atomic_fetch_add(&fake->head, 1) + 1;
    rpc_block_committed(fake->rpc, number);
}

static void test_subscriptions(struct fake *fake) {
    const int fd = ws_dial(0), other = ws_dial(0);
    uint64_t heads, logs, none, items;
    subscribe(fd, "\"newHeads\"", &heads);
    subscribe(fd, "\"logs\",{}", &logs);
    subscribe(fd, "\"logs\",{\"address\":\"0x00000000000000000000000000000000000000aa\"}", &none);
    subscribe(fd, "\"newPendingTransactions\"", &items);
    CHECK(strstr(ws_ask(fd, "{\"id\":1,\"method\":\"eth_subscribe\",\"params\":[\"dreams\"]}"),
                 "no \\\"dreams\\\" subscription") != NULL);
    commit_block(fake);
    CHECK(ws_read(fd) == TEXT_FRAME && is_notice(heads, "\"number\":\"0x2\""));
    CHECK(ws_read(fd) == TEXT_FRAME && is_notice(logs, "\"blockNumber\":\"0x2\""));
    rpc_item_admitted(fake->rpc, &fake->hash, fake->transaction);
    CHECK(ws_read(fd) == TEXT_FRAME && is_notice(items, "\"result\":\"0x"));
    CHECK(strstr(unsubscribe(other, heads), "subscription not found") != NULL);
    CHECK(strstr(unsubscribe(fd, heads), "\"result\":true") != NULL);
    CHECK(strstr(unsubscribe(fd, heads), "subscription not found") != NULL);
    commit_block(fake); /* the unsubscribed one hears nothing of it */
    CHECK(ws_read(fd) == TEXT_FRAME && is_notice(logs, "\"blockNumber\":\"0x3\""));
    close(fd);
    close(other);
}

/* A subscriber that does not read is cut off while memory is still small; others notice nothing. */
static void test_slow_subscriber(struct fake *fake) {
    const int subscriptions = 128, blocks = 250;
    const int fd = ws_dial(4096);
    uint64_t id;
    size_t received = 0;
    ssize_t got;
    for (int i = 0; i < subscriptions; i++)
        subscribe(fd, "\"newHeads\"", &id);
    CHECK(strstr(ws_ask(fd, "{\"id\":1,\"method\":\"eth_subscribe\",\"params\":[\"newHeads\"]}"),
                 "too many subscriptions") != NULL);
    for (int i = 0; i < blocks; i++)
        commit_block(fake);
    const int witness = ws_dial(0); /* what it subscribes to comes after all of the above */
    subscribe(witness, "\"newHeads\"", &id);
    commit_block(fake);
    CHECK(ws_read(witness) == TEXT_FRAME && is_notice(id, "\"number\""));
    check_alive();
    while ((got = recv(fd, text, TEXT_BYTES, 0)) > 0)
        received += (size_t)got;
    CHECK(got == 0 || errno == ECONNRESET);
    CHECK(received < (size_t)subscriptions * (size_t)blocks * 1000); /* a notice has more */
    close(fd);
    close(witness);
}

/* --- HTTP */
/* Requests sent before the answer to the one before: answered in order or hung up on, but no thread
 * is kept busy by them. */
static void test_pipelining(void) {
    char light[512], all[2048];
    write_post(light, sizeof light, "{\"id\":2,\"method\":\"eth_chainId\"}");
    snprintf(all, sizeof all, "%s%s%s", light, light, light);
    for (int i = 0; i < 8; i++) { /* more than there are service threads */
        const int fd = dial(0);
        send_text(fd, all);
        for (int status = 200, answers = 0; status == 200 && answers < 3; answers++) {
            status = read_answer(fd);
            CHECK(status == 0 || status == 200);
            CHECK(status == 0 || strstr(text, "\"id\":2,\"result\":\"0x1\"") != NULL);
        }
        close(fd);
    }
    check_alive();
}

static void test_odd_requests(void) {
    static const struct {
        const char *request;
        int status; /* 0: the connection is closed, answered or not */
    } cases[] = {
        {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405},
        {"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", 405},
        {"OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: http://a.example\r\n\r\n", 204},
        {"nonsense\r\n\r\n", 0},
        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
         "10\r\n{\"id\":1,\"method\"\r\nf\r\n:\"eth_chainId\"}\r\n0\r\n\r\n",
         411},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int fd = dial(0);
        send_text(fd, cases[i].request);
        const int status = read_answer(fd);
        if (cases[i].status != 0 && status != cases[i].status) {
            fprintf(stderr, "%s: %d\n", cases[i].request, status);
        }
        CHECK(cases[i].status == 0 || status == cases[i].status);
        close(fd);
    }
    check_alive();
}

static void test_head(void) {
    const int fd = dial(0);
    char request[512];
    send_text(fd, "HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n");
    size_t size = 0;
    while (size < 4 || memcmp(text + size - 4, "\r\n\r\n", 4) != 0) {
        CHECK(recv(fd, text + size, 1, 0) == 1);
        size += 1;
    }
    /* no body follows: the next answer begins at once */
    write_post(request, sizeof request, "{\"id\":1,\"method\":\"eth_chainId\"}");
    send_text(fd, request);
    CHECK(read_answer(fd) == 200 && strncmp(text, "HTTP/1.1 200", 12) == 0);
    close(fd);
}

static void test_huge_header(void) {
    const int fd = dial(0);
    memset(text, 'a', 100000);
    text[100000] = '\0';
    send_text(fd, "GET /health HTTP/1.1\r\nHost: x\r\nX-Long: ");
    send_text(fd, text);
    send_text(fd, "\r\n\r\n");
    const int status = read_answer(fd);
    CHECK(status == 0 || status >= 400);
    close(fd);
    check_alive();
}

/* Requests that never end: others are served meanwhile, and nothing is left of them. */
static void test_unfinished(void) {
    static const char *const beginnings[] = {
        "", "P", "POST / HTTP/1.1\r\nHo",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"};
    int fds[40];
    for (size_t i = 0; i < 40; i++) {
        fds[i] = dial(0);
        send_text(fds[i], beginnings[i % 5]);
    }
    for (int i = 0; i < 20; i++)
        check_alive();
    for (size_t i = 0; i < 40; i++)
        close(fds[i]);
    const int half = ws_dial(0); /* a message that never ends */
    ws_send(half, TEXT_FRAME, false, "{\"id\"", 5);
    check_alive();
    close(half);
}

/* wait_for_room asks until a connection is taken: those of earlier tests are closed a moment later
 * on the server's side. */
static void wait_for_room(void) {
    for (int status = 0; status != 200;) {
        const int fd = dial(0);
        send_text(fd, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
        status = read_answer(fd);
        CHECK(status == 0 || status == 200 || status == 503);
        close(fd);
    }
}

static void test_connections_max(void) {
    enum { EXTRA = 20 };
    int fds[CONNECTIONS_MAX + EXTRA], refused = 0;
    wait_for_room();
    for (size_t i = 0; i < CONNECTIONS_MAX + EXTRA; i++)
        fds[i] = dial(0);
    for (size_t i = 0; i < CONNECTIONS_MAX + EXTRA; i++) {
        send_text(fds[i], "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
        const int status = read_answer(fds[i]);
        CHECK(status == 0 || status == 200 || status == 503);
        if (status != 200) refused += 1;
    }
    CHECK(refused >= EXTRA && refused < EXTRA + 8); /* earlier ones may linger */
    for (size_t i = 0; i < CONNECTIONS_MAX + EXTRA; i++)
        close(fds[i]);
    wait_for_room();
}

/* --- eth_sendRawTransactionSync */
static void write_sync(const struct fake *fake, const char *timeout, char *out, size_t out_bytes) {
    size_t at = (size_t)snprintf(
        out, out_bytes, "{\"id\":9,\"method\":\"eth_sendRawTransactionSync\",\"params\":[\"0x");
    for (size_t i = 0; i < fake->transaction.size; i++)
        at += (size_t)snprintf(out + at, out_bytes - at, "%02x", fake->transaction.data[i]);
    snprintf(out + at, out_bytes - at, "\"%s]}", timeout);
}

static void test_sync(struct fake *fake) {
    char body[2048], request[4096];
    const int fd = dial(0);
    write_sync(fake, "", body, sizeof body);
    write_post(request, sizeof request, body);
    send_text(fd, request);
    struct pollfd answer = {.fd = fd, .events = POLLIN};
    do { /* blocks come until the request was taken up and answered */
        commit_block(fake);
    } while (poll(&answer, 1, 5) == 0);
    CHECK(read_answer(fd) == 200 && strstr(text, "\"transactionHash\":\"0x") != NULL);
    CHECK(strstr(text, "\"id\":9") != NULL && strstr(text, "\"status\":\"0x1\"") != NULL);
    static const char *const timeouts[] = {",\"0x32\"", ",50"};
    fake->is_unmined = true; /* news of the blocks above may still be under way */
    for (size_t i = 0; i < 2; i++) {
        write_sync(fake, timeouts[i], body, sizeof body);
        write_post(request, sizeof request, body);
        send_text(fd, request);
        CHECK(read_answer(fd) == 200 && strstr(text, "\"code\":4,") != NULL);
        CHECK(strstr(text, "\"data\":\"0x") != NULL);
    }
    fake->submit_verdict = VERDICT_NONCE_TOO_LOW;
    send_text(fd, request);
    CHECK(read_answer(fd) == 200 && strstr(text, "nonce too low") != NULL);
    fake->is_unmined = false;
    send_text(fd, request);
    CHECK(read_answer(fd) == 200 && strstr(text, "already known") != NULL);
    fake->submit_verdict = VERDICT_ACCEPTED;
    close(fd);
}

int main(void) {
    static struct fake fake;
    struct rpc_config config = {.http_host = "127.0.0.1",
                                .http_port = PORT,
                                .metrics_namespace = "ande",
                                .limits = {.connections_max = CONNECTIONS_MAX}};
    char error[256];
    fake_init(&fake, &config.backend);
    CHECK(rpc_start(&config, &fake.rpc, error) == ERR_OK);
    test_messages();
    test_subscriptions(&fake);
    test_sync(&fake);
    test_pipelining();
    test_odd_requests();
    test_head();
    test_huge_header();
    test_unfinished();
    test_connections_max();
    test_slow_subscriber(&fake);
    rpc_stop(fake.rpc);
    puts("rpc sockets: ok");
    return 0;
}
