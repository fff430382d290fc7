/* The publisher against the real server and its faults: every blob lands, once. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "da/da.h"
#include "threads/clock.h"

#define PORT      21045
#define URL       "http://127.0.0.1:21045"
#define WAIT_MS   60000
#define BLOBS_MAX 64
#define BLOCK_MS  "40"

static char dir[] = "/tmp/baton-da-publisher-XXXXXX";
static const struct da_namespace NS = {{[19] = 'p', 'u', 'b', 'l', 'i', 's', 'h', 'e', 'r', '1'}};

static struct {
    pthread_mutex_t lock;
    size_t count;
    struct da_receipt receipts[BLOBS_MAX];
} taken = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_receipt(void *context, const struct da_receipt *receipt) {
    (void)context;
    CHECK(pthread_mutex_lock(&taken.lock) == 0);
    CHECK(taken.count < BLOBS_MAX);
    taken.receipts[taken.count++] = *receipt;
    CHECK(pthread_mutex_unlock(&taken.lock) == 0);
}

static size_t receipts_count(void) {
    CHECK(pthread_mutex_lock(&taken.lock) == 0);
    const size_t count = taken.count;
    CHECK(pthread_mutex_unlock(&taken.lock) == 0);
    return count;
}

static const struct da_receipt *wait_receipt(size_t count) {
    const uint64_t deadline_ms = monotonic_ms() + WAIT_MS;
    while (receipts_count() < count) {
        CHECK(monotonic_ms() < deadline_ms);
        (void)poll(NULL, 0, 5);
    }
    CHECK(receipts_count() == count);
    return &taken.receipts[count - 1];
}

/* start_server runs the server in this program's own image, started anew: a mere fork of a process
 * with threads is no place to run a program in. */
static pid_t start_server(void) {
    const pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl("/proc/self/exe", "test_da_publisher", "server", dir, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static int serve(char *path) {
    char *arguments[] = {"da", "--port",          "21045",  "--dir",
                         path, "--block-time-ms", BLOCK_MS, "--faults"};
    return da_server_main(8, arguments);
}

static void stop_server(pid_t pid, int signal_number) {
    CHECK(kill(pid, signal_number) == 0);
    CHECK(waitpid(pid, NULL, 0) == pid);
}

/* set_fault speaks plain HTTP, so that it works while everything else fails. */
static void set_fault(const char *mode, int count) {
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const uint64_t deadline_ms = monotonic_ms() + WAIT_MS;
    int fd = -1;
    while (fd < 0) {
        CHECK(monotonic_ms() < deadline_ms);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(fd >= 0);
        if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) break;
        (void)close(fd);
        fd = -1;
        (void)poll(NULL, 0, 10);
    }
    char body[160], request[400], answer[400];
    const int body_bytes = snprintf(
        body, sizeof body,
        "{\"id\":1,\"method\":\"baton.SetFault\",\"params\":[{\"mode\":\"%s\",\"count\":%d}]}",
        mode, count);
    const int size =
        snprintf(request, sizeof request,
                 "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", body_bytes, body);
    CHECK(send(fd, request, (size_t)size, 0) == size);
    const ssize_t got = recv(fd, answer, sizeof answer - 1, 0);
    CHECK(got > 0 && memcmp(answer, "HTTP/1.1 200", 12) == 0);
    (void)close(fd);
}

static struct da_publisher *start_publisher(void) {
    const struct da_publisher_config config = {
        .client = {.url = URL, .timeout_ms = 1000, .submit_timeout_ms = 1000},
        .ns = NS,
        .receipt = on_receipt,
    };
    struct da_publisher *publisher = NULL;
    CHECK(da_publisher_start(&config, &publisher) == ERR_OK);
    return publisher;
}

static void publish(struct da_publisher *publisher, uint64_t id) {
    char text[64];
    const int size = snprintf(text, sizeof text, "blob number %llu", (unsigned long long)id);
    const struct bytes blob = {(const uint8_t *)text, (size_t)size};
    const struct da_publication publication = {
        .id = id, .blob = blob, .scan_from = 1, .turn_until = UINT64_MAX};
    const uint64_t deadline_ms = monotonic_ms() + WAIT_MS;
    while (da_publish(publisher, &publication) != ERR_OK) { /* a cancelled one leaves */
        CHECK(monotonic_ms() < deadline_ms);
        (void)poll(NULL, 0, 5);
    }
}

struct counted {
    unsigned counts[BLOBS_MAX];
};
static enum err count_blob(void *context, struct bytes blob) {
    struct counted *counted = context;
    char text[64] = "";
    CHECK(blob.size < sizeof text);
    memcpy(text, blob.data, blob.size);
    unsigned id = 0;
    CHECK(sscanf(text, "blob number %u", &id) == 1 && id < BLOBS_MAX);
    counted->counts[id] += 1;
    return ERR_OK;
}

/* expect_once reads the whole chain: the blobs 1..count are there, each once. */
static void expect_once(unsigned count) {
    const struct da_client_config config = {
        .url = URL, .timeout_ms = 3000, .submit_timeout_ms = 3000};
    struct da_client *client = NULL;
    struct counted counted = {{0}};
    uint64_t head = 0;
    CHECK(da_client_create(&config, &client) == ERR_OK);
    CHECK(da_head(client, &head, NULL) == ERR_OK);
    for (uint64_t height = 1; height <= head; height++) {
        CHECK(da_get_all(client, height, &NS, &counted, count_blob, NULL) == ERR_OK);
    }
    da_client_destroy(client);
    for (unsigned id = 1; id <= count; id++)
        CHECK(counted.counts[id] == 1);
    for (unsigned id = count + 1; id < BLOBS_MAX; id++)
        CHECK(counted.counts[id] == 0);
}

static void test_faults(struct da_publisher *publisher, unsigned *id, size_t *receipts) {
    static const struct {
        const char *mode;
        int count;
        bool is_found; /* it lands by the try that fails */
    } cases[] = {
        {"none", 0, false},
        {"accept_then_error", 1, true},
        {"sequence_mismatch", 2, false},
        {"http500", 2, false},
        {"hang", 1, false},
        {"late", 1, true},
        {"none", 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_fault(cases[i].mode, cases[i].count);
        *id += 1;
        publish(publisher, *id);
        const struct da_receipt *receipt = wait_receipt(++*receipts);
        CHECK(receipt->id == *id);
        /* Late ones land while the publisher makes sure; the others by the retry. */
        CHECK(receipt->was_found == cases[i].is_found);
    }
}

static void test_outage(struct da_publisher *publisher, pid_t *server, unsigned *id,
                        size_t *receipts) {
    stop_server(*server, SIGKILL);
    publish(publisher, ++*id);
    const uint64_t deadline_ms = monotonic_ms() + WAIT_MS;
    while (da_publisher_status(publisher).failures == 0 ||
           da_publisher_status(publisher).is_reachable) {
        CHECK(monotonic_ms() < deadline_ms);
        (void)poll(NULL, 0, 5);
    }
    CHECK(da_publisher_status(publisher).pending == 1);
    CHECK(da_publisher_status(publisher).last_error[0] != 0);
    *server = start_server();
    CHECK(wait_receipt(++*receipts)->id == *id);
    CHECK(da_publisher_status(publisher).is_reachable);
    CHECK(da_publisher_status(publisher).pending == 0);
}

static void test_scan_first(unsigned id, size_t *receipts) {
    struct da_publisher *second = start_publisher(); /* the next proposer, after a crash */
    publish(second, id);
    const struct da_receipt *receipt = wait_receipt(++*receipts);
    CHECK(receipt->was_found && receipt->id == id && receipt->height > 0);
    const struct da_publisher_status status = da_publisher_status(second);
    CHECK(status.submissions == 0 && status.head >= receipt->height);
    da_publisher_stop(second);
}

static void test_cancel_and_stop(unsigned id) {
    struct da_publisher *publisher = start_publisher();
    set_fault("sequence_mismatch", 1000);
    const size_t before = receipts_count();
    publish(publisher, id + 1);
    da_publish_cancel(publisher, id); /* another one's name */
    CHECK(da_publisher_status(publisher).pending == 1);
    da_publish_cancel(publisher, id + 1);
    const uint64_t deadline_ms = monotonic_ms() + WAIT_MS;
    while (da_publisher_status(publisher).pending != 0) {
        CHECK(monotonic_ms() < deadline_ms);
        (void)poll(NULL, 0, 5);
    }
    CHECK(receipts_count() == before);
    set_fault("hang", 1000);
    publish(publisher, id + 1);
    const uint64_t start_ms = monotonic_ms();
    da_publisher_stop(publisher); /* in the middle of a request */
    CHECK(monotonic_ms() - start_ms < 3000);
    set_fault("none", 0);
    CHECK(receipts_count() == before);
}

static uint64_t head_seen(struct da_publisher *publisher) {
    const uint64_t deadline_ms = monotonic_ms() + WAIT_MS;
    while (da_publisher_status(publisher).head == 0) {
        CHECK(monotonic_ms() < deadline_ms);
        (void)poll(NULL, 0, 5);
    }
    return da_publisher_status(publisher).head;
}

static void hand_over(struct da_publisher *publisher, unsigned id, uint64_t from, uint64_t until) {
    char text[64];
    const int size = snprintf(text, sizeof text, "blob number %u", id);
    const struct da_publication publication = {.id = id,
                                               .blob = {(const uint8_t *)text, (size_t)size},
                                               .scan_from = 1,
                                               .turn_from = from,
                                               .turn_until = until};
    CHECK(da_publish(publisher, &publication) == ERR_OK);
}

/* Nothing is posted before the turn begins, and nothing once it is over. */
static void test_turns(unsigned *id, size_t *receipts) {
    struct da_publisher *publisher = start_publisher();
    const uint64_t from = head_seen(publisher) + 20;
    hand_over(publisher, ++*id, from, UINT64_MAX);
    CHECK(wait_receipt(++*receipts)->height > from);
    hand_over(publisher, *id + 1, 1, from); /* a turn that is over */
    const uint64_t deadline_ms = monotonic_ms() + WAIT_MS;
    while (da_publisher_status(publisher).pending != 0) {
        CHECK(monotonic_ms() < deadline_ms);
        (void)poll(NULL, 0, 5);
    }
    CHECK(da_publisher_status(publisher).submissions == 1);
    da_publisher_stop(publisher);
}

/* A request whose last bytes are due after its fence does not leave. */
static void test_fence(unsigned id) {
    const struct da_client_config config = {
        .url = URL, .timeout_ms = 3000, .submit_timeout_ms = 3000};
    struct da_client *client = NULL;
    char text[64];
    const int size = snprintf(text, sizeof text, "blob number %u", id);
    const struct bytes blob = {(const uint8_t *)text, (size_t)size};
    uint64_t height = 0;
    CHECK(da_client_create(&config, &client) == ERR_OK);
    CHECK(da_submit(client, &NS, blob, da_clock_ms(), &height, NULL) == ERR_STOPPED);
    CHECK(da_head(client, &height, NULL) == ERR_OK && height > 0); /* the client goes on */
    da_client_destroy(client);
}

/* own_ports waits for another run of this test on this machine: its ports are fixed. */
static void own_ports(void) {
    char path[64];
    (void)snprintf(path, sizeof path, "/tmp/baton-test-da-publisher-%u.lock", getuid());
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0); /* until the process ends */
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "server") == 0) return serve(argv[2]);
    own_ports();
    CHECK(mkdtemp(dir) != NULL);
    pid_t server = start_server();
    set_fault("none", 0); /* waits until it listens */
    struct da_publisher *publisher = start_publisher();
    unsigned id = 0;
    size_t receipts = 0;
    test_faults(publisher, &id, &receipts);
    test_outage(publisher, &server, &id, &receipts);
    test_scan_first(id, &receipts);
    da_publisher_stop(publisher);
    test_turns(&id, &receipts);
    test_cancel_and_stop(id);
    test_fence(id + 1);
    expect_once(id);
    stop_server(server, SIGTERM);
    char path[80];
    (void)snprintf(path, sizeof path, "%s/blocks.log", dir);
    CHECK(unlink(path) == 0 && rmdir(dir) == 0);
    (void)puts("da publisher: ok");
    return 0;
}
