/* The whole server over real sockets, with a backend in memory: answers, errors, limits. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/hex.h"
#include "rpc/fake_backend.h"

#define PORT         22010
#define ANSWER_BYTES (4u << 20)

static char answer[ANSWER_BYTES];

static int dial(void) {
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval timeout = {.tv_sec = 15};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    return fd;
}

static void send_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        const ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent <= 0) return; /* the server had enough: the answer tells */
        data += sent;
        size -= (size_t)sent;
    }
}

/* receive_answer reads one HTTP answer; returns its body in `answer`, the status as result. */
static int receive_answer(int fd) {
    size_t size = 0;
    for (;;) {
        const ssize_t got = recv(fd, answer + size, ANSWER_BYTES - 1 - size, 0);
        CHECK(got > 0);
        size += (size_t)got;
        answer[size] = '\0';
        const char *body = strstr(answer, "\r\n\r\n");
        const char *length = strstr(answer, "Content-Length: ");
        if (body == NULL) continue;
        CHECK(length != NULL && length < body);
        const size_t whole = (size_t)(body + 4 - answer) + strtoul(length + 16, NULL, 10);
        if (size < whole) continue;
        CHECK(size == whole);
        return atoi(answer + 9);
    }
}

static const char *body_of(void) {
    return strstr(answer, "\r\n\r\n") + 4;
}

static int post_on(int fd, const char *body, const char *headers) {
    char header[512];
    const int size = snprintf(header, sizeof header,
                              "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                              "%sContent-Length: %zu\r\n\r\n",
                              headers, strlen(body));
    send_all(fd, header, (size_t)size);
    send_all(fd, body, strlen(body));
    return receive_answer(fd);
}

static const char *post(const char *body) {
    const int fd = dial();
    CHECK(post_on(fd, body, "") == 200);
    close(fd);
    return body_of();
}

static int get(const char *path) {
    char request[256];
    const int fd = dial();
    const int size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    send_all(fd, request, (size_t)size);
    const int status = receive_answer(fd);
    close(fd);
    return status;
}

/* Calls and what their answers must contain. */
static void test_answers(void) {
    static const struct {
        const char *method, *params, *expected;
    } cases[] = {
        {"eth_blockNumber", "[]", "\"result\":\"0x1\""},
        {"eth_chainId", "[]", "\"result\":\"0x1\""},
        {"eth_getBalance", "[\"0x0000000000000000000000000000000000000042\",\"latest\"]",
         "\"0x42\""},
        {"eth_getBalance", "[\"0x00\"]", "-32602"},
        {"eth_getBalance", "[]", "missing value for required argument 0"},
        {"eth_getTransactionCount", "[\"0x0000000000000000000000000000000000000042\",\"pending\"]",
         "\"0x9\""},
        {"eth_getTransactionCount", "[\"0x0000000000000000000000000000000000000042\",\"0x1\"]",
         "\"0x5\""},
        {"eth_getTransactionCount", "[\"0x0000000000000000000000000000000000000042\",\"0x2\"]",
         "header not found"},
        {"eth_getBlockByNumber", "[\"0x7\",false]", "\"result\":null"},
        {"eth_getBlockByNumber", "[\"latest\",true]", "\"maxFeePerGas\":\"0x64\""},
        {"eth_getBlockByNumber", "[\"latest\",3]", "-32602"},
        {"eth_getLogs", "[{\"fromBlock\":\"0x0\"}]", "\"logIndex\":\"0x0\""},
        {"eth_getLogs",
         "[{\"topics\":[\"0x0000000000000000000000000000000000000000000000000000000000000001\"]}]",
         "\"result\":[]"},
        {"eth_getLogs", "[{\"fromBlock\":\"0x1\",\"toBlock\":\"0x0\"}]", "invalid block range"},
        {"eth_getLogs", "[{\"toBlock\":\"0x9\"}]", "extends beyond current head block"},
        {"eth_baseFee", "[]", "\"result\":\"0x"},
        {"eth_getUncleByBlockNumberAndIndex", "[\"0x1\",\"0x0\"]", "\"result\":null"},
        {"eth_call", "[{\"data\":\"0x0102\"},\"latest\"]", "\"result\":\"0x0102\""},
        {"eth_call", "[{\"data\":\"0xff\"},\"latest\"]",
         "\"code\":3,\"message\":\"execution reverted: no\",\"data\":\"0x08c379a0"},
        {"eth_estimateGas", "[{}]", "\"result\":\"0xc350\""},
        {"eth_estimateGas", "[{\"gas\":\"0x100\"}]", "gas required exceeds allowance (256)"},
        {"eth_getStorageAt", "[\"0x0000000000000000000000000000000000000042\",\"0x5\"]",
         "0000000005\""},
        {"eth_getProof", "[\"0x0000000000000000000000000000000000000042\",[\"0x5\"]]",
         "\"storageProof\":[{\"key\":\"0x5\",\"value\":\"0x5\""},
        {"eth_getBlockReceipts", "[\"0x1\"]", "\"status\":\"0x1\""},
        {"eth_feeHistory", "[\"0x2\",\"latest\",[50]]", "\"oldestBlock\":\"0x0\""},
        {"eth_sendRawTransaction", "[\"0x02\"]",
         "\"result\":\"0xf2ee15ea639b73fa3db9b34a245bdfa015c260c598b211bf05a1ecc4b3e3b4f2\""},
        {"eth_sendRawTransaction", "[\"0x\"]", "typed transaction too short"},
        {"eth_newBlockFilter", "[]", "\"result\":\"0x1"},
        {"eth_getFilterChanges", "[\"0x77\"]", "filter not found"},
        {"eth_subscribe", "[\"newHeads\"]", "notifications not supported"},
        {"txpool_status", "[]", "\"pending\":\"0x2\",\"queued\":\"0x1\""},
        {"txpool_content", "[]", "\"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf\":{\"0\":"},
        {"net_version", "[]", "\"result\":\"1\""},
        {"web3_sha3", "[\"0x\"]", "c5d2460186f7233c"},
        {"no_such_method", "[]", "-32601"},
        {"eth_chainId", "[1]", "too many arguments"},
        {"baton_getCommit", "[\"0x1\"]", "\"result\":null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[1024];
        snprintf(body, sizeof body,
                 "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":%s}", cases[i].method,
                 cases[i].params);
        const char *text = post(body);
        if (strstr(text, cases[i].expected) == NULL) {
            fprintf(stderr, "%s %s\n  got  %s\n  want %s\n", cases[i].method, cases[i].params, text,
                    cases[i].expected);
        }
        CHECK(strstr(text, cases[i].expected) != NULL);
        CHECK(strstr(text, "\"id\":7") != NULL);
    }
}

/* What is no call gets the code that the specification has for it. */
static void test_malformed(void) {
    static const struct {
        const char *body, *expected;
    } cases[] = {
        {"", "-32700"},
        {"{", "-32700"},
        {"nonsense", "-32700"},
        {"1", "-32600"},
        {"{}", "-32600"},
        {"[]", "-32600"},
        {"[1]", "[{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600"},
        {"{\"method\":1,\"id\":1}", "-32600"},
        {"{\"method\":\"eth_chainId\",\"id\":{},\"params\":[]}", "-32600"},
        {"{\"method\":\"eth_chainId\",\"id\":1,\"params\":{}}", "-32600"},
        {"{\"method\":\"eth_chainId\",\"id\":\"a\\\"b\"}", "\"id\":\"a\\\"b\",\"result\""},
        {"{\"method\":\"eth_chainId\",\"id\":1.5}", "\"id\":1.5"},
        {"{\"method\":\"eth_chainId\",\"id\":1,\"id\":2}", "-32700"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = post(cases[i].body);
        if (strstr(text, cases[i].expected) == NULL) {
            fprintf(stderr, "%s\n  got  %s\n  want %s\n", cases[i].body, text, cases[i].expected);
        }
        CHECK(strstr(text, cases[i].expected) != NULL);
    }
    /* a notification gets no answer */
    CHECK(strcmp(post("{\"jsonrpc\":\"2.0\",\"method\":\"eth_chainId\",\"params\":[]}"), "") == 0);
}

static void test_batches_and_limits(void) {
    CHECK(strcmp(post("[{\"id\":1,\"method\":\"eth_chainId\"},{\"method\":\"eth_chainId\"},"
                      "{\"id\":2,\"method\":\"eth_sendRawTransaction\",\"params\":[\"0x\"]},"
                      "{\"id\":3,\"method\":\"eth_call\",\"params\":[{\"data\":\"0x01\"}]}]"),
                 "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0x1\"},"
                 "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32000,\"message\":\"typed "
                 "transaction too short\"}},"
                 "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":\"0x01\"}]") == 0);
    char *many = malloc(1u << 20);
    CHECK(many != NULL);
    size_t at = 0;
    many[at++] = '[';
    for (int i = 0; i < 101; i++) {
        at += (size_t)sprintf(many + at, "%s{\"id\":%d,\"method\":\"eth_chainId\"}",
                              i > 0 ? "," : "", i);
    }
    many[at++] = ']';
    many[at] = '\0';
    CHECK(strstr(post(many), "batch too large") != NULL);
    memset(many, '[', 1000);
    many[1000] = '\0';
    CHECK(strstr(post(many), "nested too deeply") != NULL);
    memset(many, ' ', 300000);
    many[300000] = '\0';
    const int fd = dial();
    CHECK(post_on(fd, many, "") == 413);
    close(fd);
    free(many);
}

static void test_pages(struct fake *fake) {
    CHECK(get("/health") == 200 && strstr(body_of(), "alive") != NULL);
    CHECK(get("/ready") == 200 && strstr(body_of(), "\"ready\":true") != NULL);
    fake->submit_verdict = VERDICT_NONCE_TOO_LOW;
    CHECK(get("/ready") == 503 && strstr(body_of(), "said so") != NULL);
    CHECK(strstr(post("{\"id\":1,\"method\":\"eth_sendRawTransaction\",\"params\":[\"0x02\"]}"),
                 "{\"code\":-32000,\"message\":\"nonce too low\"}") != NULL);
    char again[2048], raw[1024];
    snprintf(again, sizeof again,
             "{\"id\":1,\"method\":\"eth_sendRawTransaction\",\"params\":[\"%s\"]}",
             hex_string(fake->transaction, raw)); /* it is in a block */
    CHECK(strstr(post(again), "{\"code\":-32000,\"message\":\"already known\"}") != NULL);
    fake->submit_verdict = VERDICT_ACCEPTED;
    CHECK(get("/metrics") == 200 && strstr(body_of(), "fake_metric 1") != NULL);
    CHECK(strstr(body_of(), "ande_rpc_requests_total{method=\"eth_chainId\"}") != NULL);
    CHECK(get("/nothing") == 404);
}

static void test_cors_and_keep_alive(void) {
    const int fd = dial();
    for (int i = 0; i < 3; i++) {
        CHECK(post_on(fd, "{\"id\":1,\"method\":\"eth_chainId\"}",
                      "Origin: http://a.example\r\n") == 200);
        CHECK(strstr(answer, "Access-Control-Allow-Origin: http://a.example\r\n") != NULL);
    }
    CHECK(post_on(fd, "{\"id\":1,\"method\":\"eth_chainId\"}", "Origin: http://b.example\r\n") ==
          200);
    CHECK(strstr(answer, "Access-Control") == NULL);
    close(fd);
}

/* A request that names a height is answered from a block that is not older, or not at all. */
static void test_heights(struct fake *fake) {
    static const char body[] = "{\"id\":1,\"method\":\"eth_blockNumber\"}";
    const int fd = dial(), waiting = dial();
    char request[256];
    CHECK(post_on(fd, body, "") == 200 && strstr(answer, "Baton-Height") == NULL);
    CHECK(post_on(fd, body, "Baton-Height: x\r\n") == 200);
    CHECK(strstr(answer, "Baton-Height") == NULL);
    CHECK(post_on(fd, body, "Baton-Height: 0\r\n") == 200);
    CHECK(strstr(answer, "Baton-Height: 1\r\n") != NULL);
    CHECK(post_on(fd, body, "Baton-Height: 1\r\n") == 200);
    CHECK(strstr(answer, "Baton-Height: 1\r\n") != NULL);
    CHECK(post_on(fd, body, "Baton-Height: 2\r\n") == 503); /* after a second */
    CHECK(strstr(body_of(), "this node is behind") != NULL);
    const int size = snprintf(request, sizeof request,
                              "POST / HTTP/1.1\r\nHost: x\r\nBaton-Height: 2\r\n"
                              "Content-Length: %zu\r\n\r\n%s",
                              strlen(body), body);
    send_all(waiting, request, (size_t)size);
    send_all(fd, request, (size_t)size);
    close(fd); /* goes away while it waits */
    atomic_store(&fake->head, 2);
    rpc_block_committed(fake->rpc, 2);
    CHECK(receive_answer(waiting) == 200 && strstr(body_of(), "\"0x2\"") != NULL);
    CHECK(strstr(answer, "Baton-Height: 2\r\n") != NULL);
    close(waiting);
}

/* A second server on the port is refused, and the message names the setting. */
static void test_port_in_use(const struct rpc_config *config) {
    struct rpc *second;
    char error[256];
    CHECK(rpc_start(config, &second, error) == ERR_ADDRESS_IN_USE);
    CHECK(strstr(error, "rpc_port") != NULL && strstr(error, "22010") != NULL);
}

int main(void) {
    static struct fake fake;
    struct rpc_config config = {.http_host = "127.0.0.1",
                                .http_port = PORT,
                                .cors_origins = "http://a.example",
                                .metrics_namespace = "ande",
                                .limits = {.body_bytes_max = 262144, .batch_calls_max = 100}};
    char error[256];
    fake_init(&fake, &config.backend);
    CHECK(rpc_start(&config, &fake.rpc, error) == ERR_OK);
    test_answers();
    test_malformed();
    test_batches_and_limits();
    test_pages(&fake);
    test_cors_and_keep_alive();
    test_port_in_use(&config);
    test_heights(&fake);
    rpc_stop(fake.rpc);
    puts("rpc: ok");
    return 0;
}
