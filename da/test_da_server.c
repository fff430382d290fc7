/* The DA server as a process, asked over HTTP and WebSocket by our client, by curl and by hand. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/merkle.h"
#include "da/base64.h"
#include "da/square.h"
#include "threads/clock.h"

#define WAIT_MS 15000

static char dir[] = "/tmp/baton-da-server-XXXXXX";
static char token_path[64], log_path[64];

struct server {
    pid_t pid;
    int port;
    char url[64];
};

static int dial(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) return fd;
    (void)close(fd);
    return -1;
}

static struct server start_server(int port, const char *option, const char *value) {
    struct server server = {.port = port};
    (void)snprintf(server.url, sizeof server.url, "http://127.0.0.1:%d", port);
    server.pid = fork();
    CHECK(server.pid >= 0);
    if (server.pid == 0) {
        CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
        char text[16];
        (void)snprintf(text, sizeof text, "%d", port);
        char *arguments[] = {"da",
                             "--port",
                             text,
                             "--dir",
                             dir,
                             "--block-time-ms",
                             "50",
                             (char *)(uintptr_t)option,
                             (char *)(uintptr_t)value};
        _exit(da_server_main(option == NULL ? 7 : value == NULL ? 8 : 9, arguments));
    }
    const uint64_t deadline_ms = monotonic_ms() + WAIT_MS;
    for (int fd = -1; fd < 0;) {
        CHECK(monotonic_ms() < deadline_ms);
        CHECK(waitpid(server.pid, NULL, WNOHANG) == 0);
        fd = dial(port);
        if (fd >= 0) (void)close(fd);
        (void)poll(NULL, 0, 10);
    }
    return server;
}

static void stop_server(struct server *server, int signal_number) {
    int status = 0;
    CHECK(kill(server->pid, signal_number) == 0);
    CHECK(waitpid(server->pid, &status, 0) == server->pid);
    CHECK(signal_number == SIGKILL || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

/* --- raw requests --- */

static struct {
    char data[1 << 20];
    size_t size;
} body;

static size_t on_body(char *data, size_t unit, size_t count, void *context) {
    (void)context;
    const size_t size = unit * count;
    if (size > sizeof body.data - 1 - body.size) return 0;
    memcpy(body.data + body.size, data, size);
    body.size += size;
    body.data[body.size] = 0;
    return size;
}

/* post sends a body and returns the HTTP status; 0: none came in 2 s. */
static long post(const struct server *server, const char *text, const char *header) {
    CURL *curl = curl_easy_init();
    CHECK(curl != NULL);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (header != NULL) CHECK(curl_slist_append(headers, header) != NULL);
    body.size = 0;
    body.data[0] = 0;
    CHECK(curl_easy_setopt(curl, CURLOPT_URL, server->url) == CURLE_OK);
    CHECK(curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text) == CURLE_OK);
    CHECK(curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK);
    CHECK(curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK);
    CHECK(curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 2000L) == CURLE_OK);
    long status = 0;
    if (curl_easy_perform(curl) == CURLE_OK) {
        CHECK(curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return status;
}

static json_t *call(const struct server *server, const char *method, const char *params) {
    static char text[1 << 20];
    (void)snprintf(text, sizeof text,
                   "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"%s\",\"params\":%s}", method,
                   params);
    CHECK(post(server, text, NULL) == 200);
    json_t *answer = json_loadb(body.data, body.size, 0, NULL);
    CHECK(answer != NULL && json_integer_value(json_object_get(answer, "id")) == 7);
    return answer;
}

static void expect_error(json_t *answer, int code, const char *part) {
    const json_t *error = json_object_get(answer, "error");
    CHECK(json_integer_value(json_object_get(error, "code")) == code);
    CHECK(strstr(json_string_value(json_object_get(error, "message")), part) != NULL);
    json_decref(answer);
}

static void set_fault(const struct server *server, const char *mode, int count) {
    char params[80];
    (void)snprintf(params, sizeof params, "[{\"mode\":\"%s\",\"count\":%d}]", mode, count);
    json_t *answer = call(server, "baton.SetFault", params);
    CHECK(json_object_get(answer, "result") != NULL);
    json_decref(answer);
}

/* --- our client --- */

static const struct da_namespace NS = {{[19] = 'b', 'a', 't', 'o', 'n', 't', 'e', 's', 't', '1'}};
static const struct da_namespace OTHER_NS = {{[19] = 'o', [28] = 1}};

static struct da_client *client_of(const struct server *server, const char *token_file) {
    const struct da_client_config config = {.url = server->url,
                                            .token_file = token_file,
                                            .timeout_ms = 3000,
                                            .submit_timeout_ms = 3000};
    struct da_client *client = NULL;
    CHECK(da_client_create(&config, &client) == ERR_OK);
    return client;
}

static uint8_t blob_bytes[DA_BLOB_BYTES_MAX];
static uint8_t got_bytes[DA_BLOB_BYTES_MAX];

static struct bytes make_blob(uint8_t seed, size_t size) {
    for (size_t i = 0; i < size; i++)
        blob_bytes[i] = (uint8_t)(seed + i * 31);
    return (struct bytes){blob_bytes, size};
}

struct visited {
    size_t count, bytes;
};
static enum err visit(void *context, struct bytes blob) {
    struct visited *visited = context;
    visited->count += 1;
    visited->bytes += blob.size;
    return ERR_OK;
}

static void test_submit_and_get(const struct server *server) {
    struct da_client *client = client_of(server, NULL);
    char error[256] = "";
    const size_t sizes[] = {1, 478, 479, 100000, DA_BLOB_BYTES_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const struct bytes blob = make_blob((uint8_t)i, sizes[i]);
        uint64_t height = 0;
        CHECK(da_submit(client, &NS, blob, DA_FENCE_NONE, &height, error) == ERR_OK);
        const struct hash32 commitment = da_commitment(&NS, blob);
        struct buffer out = buffer_over(got_bytes, sizeof got_bytes);
        CHECK(da_get(client, height, &NS, &commitment, &out, error) == ERR_OK);
        CHECK(bytes_equal(buffer_bytes(&out), blob));
        out = buffer_over(got_bytes, blob.size - 1);
        CHECK(da_get(client, height, &NS, &commitment, &out, error) == ERR_LIMIT);
        CHECK(da_get(client, height, &OTHER_NS, &commitment, &out, error) == ERR_NOT_FOUND);
        struct visited visited = {0};
        CHECK(da_get_all(client, height, &NS, &visited, visit, error) == ERR_OK);
        CHECK(visited.count == 1 && visited.bytes == blob.size);
        visited = (struct visited){0};
        CHECK(da_get_all(client, height, &OTHER_NS, &visited, visit, error) == ERR_OK);
        CHECK(visited.count == 0);
        uint64_t head = 0;
        CHECK(da_head(client, &head, error) == ERR_OK && head >= height);
        CHECK(da_get_all(client, head + 1000, &NS, &visited, visit, error) == ERR_REFUSED);
        CHECK(strstr(error, "from the future") != NULL);
    }
    da_client_destroy(client);
}

static void base64_of(struct bytes in, char *out, size_t capacity) {
    struct buffer buffer = buffer_over((uint8_t *)out, capacity);
    da_base64_write(&buffer, in);
    buffer_append_byte(&buffer, 0);
    CHECK(!buffer.overflow);
}

static void read_nodes(const json_t *list, struct da_node *nodes, size_t count_max, size_t *count) {
    *count = json_array_size(list);
    CHECK(*count <= count_max);
    for (size_t i = 0; i < *count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        CHECK(da_base64_read_fixed(bytes_from_string(text), nodes[i].bytes, DA_NODE_BYTES) ==
              ERR_OK);
    }
}

/* A light client's view: data hash from the header's roots, and the blob from its rows' proofs. */
static void test_proofs(const struct server *server) {
    struct da_client *client = client_of(server, NULL);
    char error[256] = "", ns_text[64], commitment_text[64], params[4096];
    const struct bytes blob = make_blob(9, 20000); /* 42 shares: a width of 8 */
    const struct hash32 commitment = da_commitment(&NS, blob);
    uint64_t height = 0;
    CHECK(da_submit(client, &NS, blob, DA_FENCE_NONE, &height, error) == ERR_OK);
    da_client_destroy(client);

    (void)snprintf(params, sizeof params, "[%llu]", (unsigned long long)height);
    json_t *header = call(server, "header.GetByHeight", params);
    const json_t *dah = json_object_get(json_object_get(header, "result"), "dah");
    static struct da_node roots[2 * 256];
    size_t rows = 0, columns = 0;
    read_nodes(json_object_get(dah, "row_roots"), roots, 256, &rows);
    read_nodes(json_object_get(dah, "column_roots"), roots + rows, 256, &columns);
    CHECK(rows == 16 && columns == 16);
    static struct hash32 leaves[512];
    for (size_t i = 0; i < rows + columns; i++)
        leaves[i] = merkle_leaf(BYTES_OF(roots[i].bytes));
    const struct hash32 data_hash = merkle_root(leaves, rows + columns);
    char hex[65];
    for (size_t i = 0; i < 32; i++)
        (void)snprintf(hex + 2 * i, 3, "%02X", data_hash.bytes[i]);
    const json_t *inner = json_object_get(json_object_get(header, "result"), "header");
    CHECK(strcmp(json_string_value(json_object_get(inner, "data_hash")), hex) == 0);
    CHECK(json_is_string(json_object_get(inner, "height")));
    json_decref(header);

    base64_of(BYTES_OF(NS.bytes), ns_text, sizeof ns_text);
    base64_of(BYTES_OF(commitment.bytes), commitment_text, sizeof commitment_text);
    (void)snprintf(params, sizeof params, "[%llu,\"%s\",\"%s\"]", (unsigned long long)height,
                   ns_text, commitment_text);
    json_t *answer = call(server, "blob.GetProof", params);
    const json_t *proofs = json_object_get(answer, "result");
    CHECK(json_array_size(proofs) == 6);
    size_t share = 0;
    for (size_t row = 0; row < 6; row++) {
        const json_t *json = json_array_get(proofs, row);
        struct da_proof proof = {.start =
                                     (size_t)json_integer_value(json_object_get(json, "start")),
                                 .end = (size_t)json_integer_value(json_object_get(json, "end"))};
        read_nodes(json_object_get(json, "nodes"), proof.nodes, 18, &proof.nodes_count);
        struct da_node nodes[16];
        for (size_t i = proof.start; i < proof.end; i++) {
            uint8_t bytes[DA_SHARE_BYTES];
            da_share_write(&NS, blob, share++, bytes);
            nodes[i - proof.start] = da_node_leaf(&NS, bytes);
        }
        struct da_node root;
        CHECK(da_proof_root(&proof, nodes, 16, &root) == ERR_OK);
        CHECK(memcmp(&root, &roots[row], sizeof root) == 0);
    }
    CHECK(share == 42);

    char *proof_text = json_dumps(proofs, JSON_COMPACT);
    static char long_params[65536];
    (void)snprintf(long_params, sizeof long_params, "[%llu,\"%s\",%s,\"%s\"]",
                   (unsigned long long)height, ns_text, proof_text, commitment_text);
    json_t *included = call(server, "blob.Included", long_params);
    CHECK(json_is_true(json_object_get(included, "result")));
    json_decref(included);
    (void)snprintf(long_params, sizeof long_params, "[%llu,\"%s\",[],\"%s\"]",
                   (unsigned long long)height, ns_text, commitment_text);
    expect_error(call(server, "blob.Included", long_params), 1, "blob: invalid proof");
    free(proof_text);
    json_decref(answer);
}

static void test_protocol(const struct server *server) {
    CHECK(post(server, "{]", NULL) == 500 && strstr(body.data, "-32700") != NULL);
    CHECK(post(server, "[]", NULL) == 400 && strstr(body.data, "-32600") != NULL);
    CHECK(post(server, "{\"id\":1,\"method\":\"no.Such\",\"params\":[]}", NULL) == 500);
    CHECK(strstr(body.data, "-32601") != NULL);
    CHECK(post(server, "{\"id\":1,\"method\":\"blob.Get\",\"params\":[1,2]}", NULL) == 500);
    CHECK(strstr(body.data, "wrong param count (method 'blob.Get'): 2 != 3") != NULL);
    CHECK(post(server, "{\"method\":\"node.Ready\",\"params\":[]}", NULL) == 200);
    CHECK(body.size == 0); /* a notification */
    CHECK(post(server,
               "[{\"id\":1,\"method\":\"node.Ready\",\"params\":[]},"
               "{\"method\":\"node.Ready\",\"params\":[]},"
               "{\"id\":\"x\",\"method\":\"blob.Get\",\"params\":[]}]",
               NULL) == 200);
    json_t *batch = json_loadb(body.data, body.size, 0, NULL);
    CHECK(json_array_size(batch) == 2);
    json_decref(batch);
    json_t *empty =
        call(server, "blob.GetAll", "[1,[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAMTI=\"]]");
    CHECK(json_object_get(empty, "result") != NULL);
    CHECK(json_is_null(json_object_get(empty, "result")));
    json_decref(empty);
    expect_error(call(server, "header.GetByHeight", "[0]"), 1, "height is equal to 0");
    expect_error(call(server, "header.GetByHeight", "[99999999]"), 1, "from the future");
    expect_error(call(server, "blob.Submit", "[[],{}]"), 1, "no blobs provided");
    expect_error(call(server, "blob.Submit",
                      "[[{\"namespace\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"data\":\"YQ="
                      "=\"}],{}]"),
                 1, "not allowed namespace");
    json_t *head = call(server, "header.LocalHead", "[]");
    const json_t *inner = json_object_get(json_object_get(head, "result"), "header");
    const long long height = atoll(json_string_value(json_object_get(inner, "height")));
    char params[32];
    (void)snprintf(params, sizeof params, "[%lld]", height + 1); /* waits for it */
    json_decref(call(server, "header.GetByHeight", params));
    (void)snprintf(params, sizeof params, "[%lld]", height + 5);
    json_decref(call(server, "header.WaitForHeight", params));
    json_decref(head);
    /* Too long a body, and a connection that goes away in the middle of one. */
    const int fd = dial(server->port);
    const char start[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"id\"";
    CHECK(send(fd, start, sizeof start - 1, 0) == (ssize_t)sizeof start - 1);
    (void)close(fd);
    json_decref(call(server, "node.Info", "[]"));
}

static void test_faults(const struct server *server) {
    struct da_client *client = client_of(server, NULL);
    char error[256] = "";
    uint64_t height = 0, head = 0;
    struct visited visited = {0};
    set_fault(server, "hang", 1);
    CHECK(da_head(client, &head, error) == ERR_TIMEOUT);
    set_fault(server, "http500", 1);
    CHECK(da_head(client, &head, error) == ERR_NETWORK);
    set_fault(server, "sequence_mismatch", 1);
    CHECK(da_submit(client, &NS, make_blob(1, 10), DA_FENCE_NONE, &height, error) == ERR_REFUSED);
    CHECK(strstr(error, "incorrect account sequence") != NULL);
    CHECK(da_head(client, &head, error) == ERR_OK);
    set_fault(server, "accept_then_error", 1);
    CHECK(da_submit(client, &NS, make_blob(2, 10), DA_FENCE_NONE, &height, error) == ERR_TIMEOUT);
    set_fault(server, "duplicate", 1);
    CHECK(da_submit(client, &NS, make_blob(3, 10), DA_FENCE_NONE, &height, error) == ERR_OK);
    CHECK(da_get_all(client, height, &NS, &visited, visit, error) == ERR_OK);
    CHECK(visited.count == 2);
    const uint64_t from = head;
    visited = (struct visited){0};
    for (uint64_t at = from; at < height; at++) {
        CHECK(da_get_all(client, at, &NS, &visited, visit, error) == ERR_OK);
    }
    CHECK(visited.count == 1); /* it had landed */
    set_fault(server, "withheld", 1000);
    visited = (struct visited){0};
    CHECK(da_get_all(client, height, &NS, &visited, visit, error) == ERR_OK);
    CHECK(visited.count == 0);
    set_fault(server, "late", 1);
    CHECK(da_submit(client, &NS, make_blob(4, 10), DA_FENCE_NONE, &height, error) == ERR_TIMEOUT);
    CHECK(da_head(client, &head, error) == ERR_OK);
    const uint64_t deadline_ms = monotonic_ms() + WAIT_MS;
    for (uint64_t seen = 0; seen < head + 8;) {
        CHECK(da_head(client, &seen, error) == ERR_OK);
        CHECK(monotonic_ms() < deadline_ms);
        (void)poll(NULL, 0, 20);
    }
    visited = (struct visited){0};
    for (uint64_t at = head + 1; at < head + 8; at++) {
        CHECK(da_get_all(client, at, &NS, &visited, visit, error) == ERR_OK);
    }
    CHECK(visited.count == 1);
    da_client_destroy(client);
}

/* --- WebSocket by hand: one text frame out (masked), frames in --- */

static void websocket_send(int fd, const char *text) {
    uint8_t frame[512];
    const size_t size = strlen(text);
    CHECK(size < 126 + 300);
    size_t at = 0;
    frame[at++] = 0x81;
    if (size < 126) {
        frame[at++] = (uint8_t)(0x80 | size);
    } else {
        frame[at++] = 0x80 | 126;
        be_write(frame + at, 2, size);
        at += 2;
    }
    memset(frame + at, 0, 4); /* a mask of zeros masks nothing */
    at += 4;
    memcpy(frame + at, text, size);
    CHECK(send(fd, frame, at + size, 0) == (ssize_t)(at + size));
}

static void read_exactly(int fd, uint8_t *out, size_t size) {
    for (size_t at = 0; at < size;) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        CHECK(poll(&waiting, 1, WAIT_MS) == 1);
        const ssize_t got = recv(fd, out + at, size - at, 0);
        CHECK(got > 0);
        at += (size_t)got;
    }
}

static json_t *websocket_receive(int fd) {
    static uint8_t text[1 << 20];
    uint8_t head[2], length[8];
    read_exactly(fd, head, 2);
    uint64_t size = head[1] & 0x7f;
    if (size >= 126) {
        const size_t bytes = size == 126 ? 2 : 8;
        read_exactly(fd, length, bytes);
        size = be_read(length, bytes);
    }
    CHECK(size < sizeof text);
    read_exactly(fd, text, size);
    json_t *json = json_loadb((const char *)text, size, 0, NULL);
    CHECK(json != NULL);
    return json;
}

static int websocket_open(const struct server *server) {
    const int fd = dial(server->port);
    CHECK(fd >= 0);
    const char request[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                           "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    CHECK(send(fd, request, sizeof request - 1, 0) == (ssize_t)sizeof request - 1);
    char answer[1024];
    size_t size = 0;
    while (size < 4 || memcmp(answer + size - 4, "\r\n\r\n", 4) != 0) {
        CHECK(size < sizeof answer);
        read_exactly(fd, (uint8_t *)answer + size++, 1);
    }
    CHECK(memcmp(answer, "HTTP/1.1 101", 12) == 0);
    return fd;
}

static void test_subscription(const struct server *server) {
    const int fd = websocket_open(server);
    char ns_text[64], request[256];
    base64_of(BYTES_OF(NS.bytes), ns_text, sizeof ns_text);
    (void)snprintf(
        request, sizeof request,
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"blob.Subscribe\",\"params\":[\"%s\"]}",
        ns_text);
    websocket_send(fd, request);
    json_t *answer = websocket_receive(fd);
    const long long channel = json_integer_value(json_object_get(answer, "result"));
    json_decref(answer);
    struct da_client *client = client_of(server, NULL);
    uint64_t height = 0;
    CHECK(da_submit(client, &NS, make_blob(5, 100), DA_FENCE_NONE, &height, NULL) == ERR_OK);
    da_client_destroy(client);
    uint64_t last = 0;
    bool found = false;
    while (!found) {
        json_t *event = websocket_receive(fd);
        CHECK(strcmp(json_string_value(json_object_get(event, "method")), "xrpc.ch.val") == 0);
        const json_t *params = json_object_get(event, "params");
        CHECK(json_integer_value(json_array_get(params, 0)) == channel);
        const json_t *value = json_array_get(params, 1);
        const uint64_t at = (uint64_t)json_integer_value(json_object_get(value, "Height"));
        CHECK(last == 0 || at == last + 1); /* every height, empty ones too */
        last = at;
        const json_t *blobs = json_object_get(value, "Blobs");
        CHECK(json_is_null(blobs) == (at != height));
        found = at == height;
        json_decref(event);
    }
    websocket_send(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"xrpc.cancel\",\"params\":[5]}");
    websocket_send(fd, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"node.Ready\",\"params\":[]}");
    for (bool answered = false; !answered;) {
        json_t *message = websocket_receive(fd);
        answered = json_integer_value(json_object_get(message, "id")) == 9;
        json_decref(message);
    }
    (void)close(fd);
}

static void test_auth(void) {
    FILE *file = fopen(token_path, "w");
    CHECK(file != NULL && fputs("secret-token\n", file) > 0 && fclose(file) == 0);
    CHECK(chmod(token_path, 0600) == 0);
    struct server server = start_server(21041, "--token-file", token_path);
    const char request[] = "{\"id\":1,\"method\":\"node.Ready\",\"params\":[]}";
    CHECK(post(&server, request, NULL) == 200);
    CHECK(strstr(body.data, "missing permission to invoke 'Ready' (need 'read')") != NULL);
    CHECK(post(&server, request, "Authorization: Bearer wrong") == 401 && body.size == 0);
    CHECK(post(&server, request, "Authorization: secret-token") == 401);
    CHECK(post(&server, request, "Authorization: Bearer secret-token") == 200);
    CHECK(strstr(body.data, "true") != NULL);
    struct da_client *client = client_of(&server, token_path);
    uint64_t head = 0;
    CHECK(da_head(client, &head, NULL) == ERR_OK);
    da_client_destroy(client);
    stop_server(&server, SIGTERM);
    CHECK(chmod(token_path, 0644) == 0);
    const struct da_client_config loose = {.url = server.url, .token_file = token_path};
    CHECK(da_client_create(&loose, &client) == ERR_PERMISSION);
}

/* What was acknowledged is there after kill -9, and heights never go back. */
static void test_kill(void) {
    struct server server = start_server(21042, NULL, NULL);
    struct da_client *client = client_of(&server, NULL);
    uint64_t height = 0, head = 0;
    const struct bytes blob = make_blob(77, 5000);
    const struct hash32 commitment = da_commitment(&NS, blob);
    CHECK(da_submit(client, &NS, blob, DA_FENCE_NONE, &height, NULL) == ERR_OK);
    CHECK(da_head(client, &head, NULL) == ERR_OK);
    stop_server(&server, SIGKILL);
    CHECK(da_head(client, &head, NULL) == ERR_NETWORK);
    const uint64_t before = head;
    server = start_server(21042, NULL, NULL);
    CHECK(da_head(client, &head, NULL) == ERR_OK && head > before);
    struct buffer out = buffer_over(got_bytes, sizeof got_bytes);
    CHECK(da_get(client, height, &NS, &commitment, &out, NULL) == ERR_OK);
    CHECK(bytes_equal(buffer_bytes(&out), blob));
    da_client_destroy(client);
    stop_server(&server, SIGTERM);
}

/* own_ports waits for another run of this test on this machine: its ports are fixed. */
static void own_ports(void) {
    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/baton-test-da-server-%u.lock", getuid());
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0); /* until the process ends */
}

int main(void) {
    own_ports();
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(token_path, sizeof token_path, "%s/token", dir);
    (void)snprintf(log_path, sizeof log_path, "%s/blocks.log", dir);
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    struct server server = start_server(21040, "--faults", NULL);
    test_submit_and_get(&server);
    test_proofs(&server);
    test_protocol(&server);
    test_faults(&server);
    test_subscription(&server);
    stop_server(&server, SIGTERM);
    test_auth();
    test_kill();
    CHECK(unlink(token_path) == 0 && unlink(log_path) == 0 && rmdir(dir) == 0);
    (void)puts("da server: ok");
    return 0;
}
