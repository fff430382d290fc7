/* The client against anvil with the real contracts, and against endpoints that lie.  Needs the
 * tools of scripts/install-foundry (skipped without them). */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/keccak.h"
#include "chain/typed_data.h"
#include "l1/l1.h"
#include "threads/clock.h"

#define ANVIL_URL  "http://127.0.0.1:21060"
#define LIAR_URL   "http://user:secret@127.0.0.1:21061/api-key"
#define DEAD_URL   "http://127.0.0.1:21062"
#define WAIT_MS    60000
#define VIEWS_MAX  4096
#define VALIDATORS 3

static char dir[] = "/tmp/baton-l1-XXXXXX";
static struct address consensus, coordinator;
static struct secp_key keys[VALIDATORS + 1]; /* anvil's accounts; the first one deploys */

/* The first accounts of anvil's default mnemonic: published development keys. */
static const char *const KEYS[VALIDATORS + 1] = {
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
};

#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        const uint64_t deadline_ = monotonic_ms() + WAIT_MS;                                       \
        while (!(condition)) {                                                                     \
            CHECK(monotonic_ms() < deadline_);                                                     \
            (void)poll(NULL, 0, 5);                                                                \
        }                                                                                          \
    } while (0)

/* --- anvil --- */

static size_t on_body(char *data, size_t unit, size_t count, void *context) {
    struct buffer *out = context;
    buffer_append(out, (struct bytes){(const uint8_t *)data, unit * count});
    return unit * count;
}

/* rpc calls anvil and returns the result; NULL when it does not answer. */
static json_t *rpc(const char *method, const char *params) {
    static uint8_t memory[1 << 20];
    struct buffer out = buffer_over(memory, sizeof memory);
    char text[4096];
    (void)snprintf(text, sizeof text,
                   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method,
                   params);
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    CHECK(curl != NULL && headers != NULL);
    CHECK(curl_easy_setopt(curl, CURLOPT_URL, ANVIL_URL) == CURLE_OK);
    CHECK(curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text) == CURLE_OK);
    CHECK(curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK);
    CHECK(curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK);
    CHECK(curl_easy_setopt(curl, CURLOPT_WRITEDATA, &out) == CURLE_OK);
    const CURLcode code = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK) return NULL;
    json_t *root = json_loadb((const char *)out.data, out.size, 0, NULL);
    json_t *result = json_incref(json_object_get(root, "result"));
    json_decref(root);
    return result;
}

static void mine(unsigned count) {
    char params[32];
    (void)snprintf(params, sizeof params, "[\"0x%x\"]", count);
    json_decref(rpc("anvil_mine", params));
}

static pid_t start_anvil(void) {
    const pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
        (void)execl("contracts/node_modules/.bin/anvil", "anvil", "--port", "21060", "--silent",
                    "--slots-in-an-epoch", "1", (char *)NULL);
        _exit(127);
    }
    json_t *answer = NULL;
    WAIT_UNTIL((answer = rpc("eth_chainId", "[]")) != NULL);
    json_decref(answer);
    return pid;
}

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...) {
    char command[4096];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    const int status = system(command);
    if (status != 0) (void)fprintf(stderr, "failed: %s\n", command);
    CHECK(status == 0);
}

static void write_key(const char *name, const char *key) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fputs(key, file) > 0 && fclose(file) == 0);
    CHECK(chmod(path, 0600) == 0);
}

static struct address address_field(const json_t *json, const char *key) {
    struct address address;
    const char *text = json_string_value(json_object_get(json, key));
    CHECK(text != NULL && hex_to_address(bytes_from_string(text), &address) == ERR_OK);
    return address;
}

static void deploy(void) {
    char path[128];
    for (int i = 0; i <= VALIDATORS; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "key%d", i);
        write_key(name, KEYS[i]);
        CHECK(hex_decode_fixed(bytes_from_string(KEYS[i]), keys[i].secret, 32) == ERR_OK);
    }
    run("scripts/deploy-contracts --rpc-url " ANVIL_URL
        " --private-key-file %s/key0 --out %s/addresses.json >%s/log 2>&1",
        dir, dir, dir);
    run("scripts/register-validators --rpc-url " ANVIL_URL " --addresses %s/addresses.json "
        "--funder-key-file %s/key0 --validator %s/key1,%064x,http://one:8545 "
        "--validator %s/key2,%064x,http://two:8545 --validator %s/key3,%064x,http://three:8545 "
        ">>%s/log 2>&1",
        dir, dir, dir, 0xa1, dir, 0xa2, dir, 0xa3, dir);
    (void)snprintf(path, sizeof path, "%s/addresses.json", dir);
    json_t *addresses = json_load_file(path, 0, NULL);
    consensus = address_field(addresses, "consensus");
    coordinator = address_field(addresses, "coordinator");
    json_decref(addresses);
}

/* --- an endpoint that answers whatever the test wants --- */

static struct {
    int fd;
    pthread_t thread;
    atomic_bool is_stopping;
    _Atomic(const char *) body; /* NULL: 5 MiB of spaces */
    atomic_uint requests;
} liar;

static void answer_one(int fd) {
    char request[8192];
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    if (poll(&waiting, 1, 1000) != 1 || recv(fd, request, sizeof request, 0) <= 0) return;
    const char *body = atomic_load(&liar.body);
    const size_t size = body == NULL ? 5u << 20 : strlen(body);
    char head[128];
    const int head_bytes =
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", size);
    if (send(fd, head, (size_t)head_bytes, MSG_NOSIGNAL) != head_bytes) return;
    static char spaces[65536];
    memset(spaces, ' ', sizeof spaces);
    for (size_t at = 0; at < size;) {
        const size_t rest = size - at;
        const ssize_t sent =
            body != NULL
                ? send(fd, body + at, rest, MSG_NOSIGNAL)
                : send(fd, spaces, rest < sizeof spaces ? rest : sizeof spaces, MSG_NOSIGNAL);
        if (sent <= 0) return;
        at += (size_t)sent;
    }
}

static void *liar_main(void *unused) {
    (void)unused;
    while (!atomic_load(&liar.is_stopping)) {
        struct pollfd waiting = {.fd = liar.fd, .events = POLLIN};
        if (poll(&waiting, 1, 20) <= 0) continue;
        const int fd = accept(liar.fd, NULL, NULL);
        if (fd < 0) continue;
        atomic_fetch_add(&liar.requests, 1);
        answer_one(fd);
        (void)close(fd);
    }
    return NULL;
}

static void liar_start(void) {
    const int on = 1;
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(21061), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    liar.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(setsockopt(liar.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    CHECK(bind(liar.fd, (const struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(liar.fd, 8) == 0);
    atomic_store(&liar.body, "");
    CHECK(pthread_create(&liar.thread, NULL, liar_main, NULL) == 0);
}

static void liar_stop(void) {
    atomic_store(&liar.is_stopping, true);
    CHECK(pthread_join(liar.thread, NULL) == 0);
    (void)close(liar.fd);
}

/* --- views --- */

static struct {
    pthread_mutex_t lock;
    size_t count;
    uint64_t numbers[VIEWS_MAX];
    struct l1_view last;
    uint8_t forced[L1_FORCED_MAX][256];
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_view(void *context, const struct l1_view *view) {
    (void)context;
    CHECK(pthread_mutex_lock(&seen.lock) == 0);
    CHECK(seen.count < VIEWS_MAX);
    seen.numbers[seen.count++] = view->number;
    seen.last = *view;
    for (size_t i = 0; i < view->forced_count; i++) { /* they die with the view */
        CHECK(view->forced[i].raw.size <= sizeof seen.forced[i]);
        memcpy(seen.forced[i], view->forced[i].raw.data, view->forced[i].raw.size);
        seen.last.forced[i].raw.data = seen.forced[i];
    }
    CHECK(pthread_mutex_unlock(&seen.lock) == 0);
}

static struct l1_view last_view(void) {
    CHECK(pthread_mutex_lock(&seen.lock) == 0);
    const struct l1_view view = seen.last;
    CHECK(pthread_mutex_unlock(&seen.lock) == 0);
    return view;
}

static struct l1_config config_of(const char *url) {
    return (struct l1_config){
        .endpoints = {url},
        .endpoints_count = 1,
        .chain_id = 31337,
        .consensus = consensus,
        .coordinator = coordinator,
        .poll_ms = 50,
        .timeout_ms = 1000,
        .key = &keys[1],
        .events = {NULL, on_view},
    };
}

static void test_check(void) {
    char error[256] = "";
    struct l1_config config = config_of(ANVIL_URL);
    CHECK(l1_check(&config, error) == ERR_OK);
    config.chain_id = 1;
    CHECK(l1_check(&config, error) == ERR_MISMATCH);
    CHECK(strstr(error, ANVIL_URL ": its chain id is 31337, l1_chain_id is 1") != NULL);
    config = config_of(ANVIL_URL);
    config.genesis_hash.bytes[0] = 1; /* nothing is settled: no other chain, either */
    CHECK(l1_check(&config, error) == ERR_OK);
    config.coordinator.bytes[0] ^= 1;
    CHECK(l1_check(&config, error) == ERR_NOT_FOUND);
    CHECK(strstr(error, "coordinator_contract") != NULL);
    config = config_of(DEAD_URL);
    CHECK(l1_check(&config, error) == ERR_NETWORK && strstr(error, DEAD_URL) != NULL);
    config.endpoints[1] = ANVIL_URL;
    config.endpoints_count = 2;
    CHECK(l1_check(&config, error) == ERR_OK);
    config = config_of(LIAR_URL);
    CHECK(l1_check(&config, error) != ERR_OK);
    CHECK(strstr(error, "http://127.0.0.1:21061") != NULL); /* and no secret */
    CHECK(strstr(error, "secret") == NULL && strstr(error, "api-key") == NULL);
}

static bool is_interrupted(const void *at_ms) {
    return monotonic_ms() >= *(const uint64_t *)at_ms;
}

/* Endpoints that never answer do not hold up whoever is told to stop. */
static void test_interrupted(void) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* listens, and says nothing */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    char url[64], error[256] = "";
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 8) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    struct l1_config config = config_of(url);
    config.timeout_ms = 20000;
    config.endpoints[1] = config.endpoints[2] = url;
    config.endpoints_count = 3;
    const uint64_t begun_ms = monotonic_ms(), interrupt_at_ms = begun_ms + 200;
    config.is_interrupted = is_interrupted;
    config.interrupt_context = &interrupt_at_ms;
    CHECK(l1_check(&config, error) == ERR_STOPPED);
    CHECK(monotonic_ms() - begun_ms < 5000);
    (void)close(fd);
}

static bool was_seen(uint64_t number, size_t from) {
    bool is_there = false;
    CHECK(pthread_mutex_lock(&seen.lock) == 0);
    for (size_t i = from; i < seen.count; i++)
        is_there |= seen.numbers[i] == number;
    CHECK(pthread_mutex_unlock(&seen.lock) == 0);
    return is_there;
}

/* A block that was passed over is read by its number; one that is not finalized waits for that. */
static void test_asked(struct l1 *l1) {
    const size_t before = seen.count;
    const uint64_t newest = last_view().number;
    l1_ask(l1, newest - 100);
    WAIT_UNTIL(was_seen(newest - 100, before));
    const uint64_t later = newest + 5;
    l1_ask(l1, later);
    CHECK(!was_seen(later, before));
    mine(20);
    WAIT_UNTIL(was_seen(later, before));
    l1_ask(l1, 1); /* before the contracts: no view, and no harm */
    mine(3);
    const uint64_t number = newest + 10;
    WAIT_UNTIL(was_seen(number, before));
}

static void test_read(void) {
    char error[256] = "";
    static struct l1_view view;
    struct l1_config config = config_of(DEAD_URL);
    CHECK(l1_read(&config, &view, error) == ERR_NETWORK);
    config.endpoints[1] = ANVIL_URL;
    config.endpoints_count = 2;
    mine(3);
    CHECK(l1_read(&config, &view, error) == ERR_OK);
    CHECK(view.validators_count == VALIDATORS && view.number > 0 && view.timestamp > 0);
    CHECK(view.settled_last_block == 0 && view.forced_count == 0);
    uint8_t peers = 0;
    for (size_t i = 0; i < VALIDATORS; i++) {
        CHECK(view.validators[i].power == 1000);
        peers ^= view.validators[i].peer_id.bytes[31];
        if (i > 0) {
            CHECK(address_compare(&view.validators[i - 1].address, &view.validators[i].address) <
                  0);
        }
    }
    CHECK(peers == (0xa1 ^ 0xa2 ^ 0xa3));
    config.confirmations = 4;
    static struct l1_view deeper;
    CHECK(l1_read(&config, &deeper, error) == ERR_OK && deeper.number == view.number - 2);
}

static uint64_t finalized(void) {
    json_t *block = rpc("eth_getBlockByNumber", "[\"finalized\",false]");
    const char *text = json_string_value(json_object_get(block, "number"));
    uint64_t number = 0;
    CHECK(hex_to_u64(bytes_from_string(text), &number) == ERR_OK);
    json_decref(block);
    return number;
}

/* Every finalized block gets a view, also when many come at once; of a long gap the newest 64. */
static void test_views(struct l1 *l1) {
    WAIT_UNTIL(last_view().number == finalized());
    for (int i = 0; i < 5; i++) {
        mine(7);
        WAIT_UNTIL(last_view().number == finalized());
    }
    mine(200);
    WAIT_UNTIL(last_view().number == finalized());
    size_t gaps = 0;
    for (size_t i = 1; i < seen.count; i++) {
        CHECK(seen.numbers[i] > seen.numbers[i - 1]);
        if (seen.numbers[i] != seen.numbers[i - 1] + 1) gaps += 1;
    }
    CHECK(gaps > 0 && gaps < 4); /* only the 200 blocks, in as many looks as they took */
    CHECK(seen.numbers[seen.count - 1] - seen.numbers[seen.count - 64] == 63);
    CHECK(l1_status(l1).finalized_number == finalized() && l1_status(l1).is_reachable);
}

static int compare_signers(const void *left, const void *right) {
    return address_compare(&((const struct batch_signature *)left)->signer,
                           &((const struct batch_signature *)right)->signer);
}

static struct batch_statement make_batch(uint64_t first, uint64_t last, uint8_t parent,
                                         uint8_t hash) {
    struct batch_statement batch = {.first = first, .last = last, .da_height = 9};
    memset(batch.parent_hash.bytes, parent, 32);
    memset(batch.last_hash.bytes, hash, 32);
    memset(batch.state_root.bytes, hash + 1, 32);
    memset(batch.da_commitment.bytes, hash + 2, 32);
    return batch;
}

static enum err submit(struct l1 *l1, const struct batch_statement *batch) {
    struct settlement settlement = {.batch = *batch, .signatures_count = VALIDATORS};
    const struct hash32 separator = typed_domain("AndeSequencerCoordinator", 31337, &coordinator);
    const struct hash32 digest = batch_digest(&separator, batch);
    for (size_t i = 0; i < VALIDATORS; i++) {
        struct batch_signature *signature = &settlement.signatures[i];
        signature->signer = secp_key_address(&keys[1 + i]);
        secp_sign(&keys[1 + i], &digest, &signature->signature);
    }
    qsort(settlement.signatures, VALIDATORS, sizeof settlement.signatures[0], compare_signers);
    return l1_submit_batch(l1, &settlement);
}

static void test_settlement(struct l1 *l1) {
    const struct batch_statement first = make_batch(1, 10, 0x11, 0x22);
    CHECK(submit(l1, &first) == ERR_OK);
    CHECK(submit(l1, &first) == ERR_OK); /* once is enough */
    WAIT_UNTIL(l1_status(l1).transactions_confirmed == 1);
    mine(3);
    WAIT_UNTIL(last_view().settled_last_block == 10);
    CHECK(last_view().settled_hash.bytes[5] == 0x22 &&
          last_view().settled_state_root.bytes[5] == 0x23);
    CHECK(submit(l1, &first) == ERR_OK); /* settled long ago */
    char error[256] = "";
    struct l1_config config = config_of(ANVIL_URL);
    config.genesis_hash = first.parent_hash;
    CHECK(l1_check(&config, error) == ERR_OK);
    config.genesis_hash.bytes[9] ^= 1; /* a chain begun anew with the same contracts */
    CHECK(l1_check(&config, error) == ERR_MISMATCH);
    CHECK(strstr(error, "a new chain needs new contracts") != NULL);
    const struct batch_statement gap = make_batch(12, 20, 0x22, 0x33);
    CHECK(submit(l1, &gap) == ERR_OK); /* not its turn yet: no failure */
    const struct batch_statement fork = make_batch(11, 19, 0x21, 0x33);
    CHECK(submit(l1, &fork) == ERR_OK); /* the contract refuses it */
    WAIT_UNTIL(l1_status(l1).transactions_failed == 1);
    CHECK(strstr(l1_status(l1).last_error, "submitBatch") != NULL);
    CHECK(l1_status(l1).transactions_sent == 1);
}

/* A transaction that the pool loses is sent again, with a higher fee; one that somebody else's
 * transaction of the same nonce displaces is sent anew. */
static void test_fees(struct l1 *l1) {
    json_decref(rpc("evm_setAutomine", "[false]"));
    const struct batch_statement batch = make_batch(11, 20, 0x22, 0x33);
    CHECK(submit(l1, &batch) == ERR_OK);
    WAIT_UNTIL(l1_status(l1).transactions_sent == 2);
    json_decref(rpc("anvil_dropAllTransactions", "[]"));
    mine(4);
    WAIT_UNTIL(l1_status(l1).transactions_sent == 3);
    json_decref(rpc("anvil_dropAllTransactions", "[]"));
    char from[43], params[256];
    const struct address sender = secp_key_address(&keys[1]);
    (void)snprintf(params, sizeof params, "[{\"from\":\"%s\",\"to\":\"%s\",\"value\":\"0x1\"}]",
                   hex_checksum_address(&sender, from), from);
    json_decref(rpc("eth_sendTransaction", params)); /* takes the nonce */
    mine(1);
    WAIT_UNTIL(l1_status(l1).transactions_sent == 4);
    mine(1);
    WAIT_UNTIL(l1_status(l1).transactions_confirmed == 2);
    json_decref(rpc("evm_setAutomine", "[true]"));
    mine(3);
    WAIT_UNTIL(last_view().settled_last_block == 20);
}

/* Somebody else settles the batch in the queue: it is let go of. */
static void test_other_settles(struct l1 *l1) {
    struct l1_config config = config_of(ANVIL_URL);
    config.key = &keys[2];
    config.events.view = NULL;
    struct l1 *other = NULL;
    CHECK(l1_start(&config, &other) == ERR_OK);
    json_decref(rpc("evm_setAutomine", "[false]"));
    const struct batch_statement batch = make_batch(21, 30, 0x33, 0x44);
    const uint64_t sent = l1_status(l1).transactions_sent;
    CHECK(submit(l1, &batch) == ERR_OK);
    WAIT_UNTIL(l1_status(l1).transactions_sent == sent + 1);
    json_decref(rpc("anvil_dropAllTransactions", "[]"));
    CHECK(submit(other, &batch) == ERR_OK);
    WAIT_UNTIL(l1_status(other).transactions_sent == 1);
    mine(1);
    WAIT_UNTIL(l1_status(other).transactions_confirmed == 1);
    mine(3);
    WAIT_UNTIL(last_view().settled_last_block == 30);
    json_decref(rpc("evm_setAutomine", "[true]"));
    const struct batch_statement next = make_batch(31, 40, 0x44, 0x55); /* the queue is free */
    CHECK(submit(l1, &next) == ERR_OK);
    WAIT_UNTIL(l1_status(l1).transactions_confirmed == 3);
    CHECK(l1_status(l1).transactions_failed == 1);
    l1_stop(other);
}

static void test_forced(void) {
    for (int i = 0; i < 3; i++) {
        char text[43];
        run("contracts/node_modules/.bin/cast send --rpc-url " ANVIL_URL
            " --private-key %s %s 'requestForceInclusion(bytes)' 0x02c0ffee0%d --value 0.01ether "
            ">>%s/log 2>&1",
            KEYS[0], hex_checksum_address(&coordinator, text), i, dir);
    }
    mine(3);
    WAIT_UNTIL(last_view().forced_count == 3);
    for (uint8_t i = 0; i < 3; i++) {
        const struct l1_view view = last_view();
        const uint8_t raw[5] = {0x02, 0xc0, 0xff, 0xee, i};
        CHECK(view.forced[i].id == i + 1u && view.forced[i].l1_number > 0);
        CHECK(bytes_equal(view.forced[i].raw, BYTES_OF(raw)));
    }
}

/* anvil hangs, the client says so, and goes on when it is back. */
static void test_outage(struct l1 *l1, pid_t anvil) {
    CHECK(kill(anvil, SIGSTOP) == 0);
    WAIT_UNTIL(!l1_status(l1).is_reachable);
    CHECK(strstr(l1_status(l1).last_error, ANVIL_URL) != NULL);
    CHECK(kill(anvil, SIGCONT) == 0);
    WAIT_UNTIL(l1_status(l1).is_reachable);
    mine(4);
    WAIT_UNTIL(last_view().number == finalized());
}

/* The first endpoint lies in many ways; views come from the second. */
static void test_liar(void) {
    static const char *const bodies[] = {
        "",
        "[]",
        "null",
        "[{\"id\":1,\"result\":\"0x1\"}]",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"no batches\"}}",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
        NULL,
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        atomic_store(&liar.body, bodies[i]);
        struct l1_config config = config_of(LIAR_URL);
        config.endpoints[1] = ANVIL_URL;
        config.endpoints_count = 2;
        config.key = NULL;
        CHECK(pthread_mutex_lock(&seen.lock) == 0);
        seen.count = 0;
        CHECK(pthread_mutex_unlock(&seen.lock) == 0);
        const unsigned requests = atomic_load(&liar.requests);
        struct l1 *l1 = NULL;
        CHECK(l1_start(&config, &l1) == ERR_OK);
        WAIT_UNTIL(l1_status(l1).is_reachable);
        CHECK(last_view().number == finalized());
        CHECK(atomic_load(&liar.requests) > requests);
        const struct l1_status status = l1_status(l1);
        CHECK(status.failures >= 1 && strstr(status.last_error, "21061") != NULL);
        CHECK(strstr(status.last_error, "secret") == NULL);
        const struct batch_statement batch = make_batch(1, 2, 3, 4);
        CHECK(submit(l1, &batch) == ERR_UNSUPPORTED); /* no key */
        l1_stop(l1);
    }
}

/* own_ports waits for another run of this test on this machine: its ports are fixed. */
static void own_ports(void) {
    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/baton-test-l1-%u.lock", getuid());
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0); /* until the process ends */
}

int main(void) {
    const bool has_tools = access("contracts/node_modules/.bin/anvil", X_OK) == 0 &&
                           access("contracts/node_modules/ethers", R_OK) == 0;
    if (!has_tools) {
        (void)puts("l1: skipped: run scripts/install-foundry first");
        return 77;
    }
    own_ports();
    CHECK(mkdtemp(dir) != NULL);
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    const pid_t anvil = start_anvil();
    liar_start();
    deploy();
    test_check();
    test_interrupted();
    test_read();
    struct l1 *l1 = NULL;
    const struct l1_config config = config_of(ANVIL_URL);
    CHECK(l1_start(&config, &l1) == ERR_OK);
    test_views(l1);
    test_asked(l1);
    test_settlement(l1);
    test_fees(l1);
    test_other_settles(l1);
    test_forced();
    test_outage(l1, anvil);
    l1_stop(l1);
    test_liar();
    liar_stop();
    CHECK(kill(anvil, SIGKILL) == 0 && waitpid(anvil, NULL, 0) == anvil);
    run("rm -r %s", dir);
    (void)puts("l1: ok");
    return 0;
}
