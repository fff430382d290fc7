/* A whole node on a disk that ends it, fails, is full or forgets, at one write after the other:
 * every start finds the blocks that were seen, and the transactions that were acknowledged; one
 * that took a snapshot goes on with it, or begins it anew.
 *
 * The disk is here: this program's own pwrite, fdatasync and so on stand before those of the system
 * for the write-ahead file, the pool's log and LMDB alike.  A cut of the power takes back what was
 * written since the last sync of its file, all of it or some.  A program of its own runs each node
 * (a fork), and what it was told is in memory that outlives it.
 *
 *   test_crash [ROUNDS [FIRST]]   each round has another fault at another write */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hex.h"
#include "chain/transaction.h"
#include "node/keys.h"
#include "node/log.h"
#include "node/node.h"
#include "node/test_single.h"
#include "threads/clock.h"

#define WAIT_MS         60000
#define ROUNDS_DEFAULT  30
#define FRESH_ROUNDS    10 /* so many rounds share a directory */
#define ITEMS_A_ROUND   12
#define WRITES_MAX      97 /* faults are at one of the first so many writes */
#define WRITES_STEP     11 /* all of them in as many rounds */
#define UNDO_MAX        65536
#define TRANSFER_BYTES  256
#define ANSWER_BYTES    2048
#define REQUEST_BYTES   2048
#define BLOCK_MS        5
#define SNAPSHOT_ROUNDS 6
#define SNAPSHOT_HEIGHT 250 /* rotations have 100 blocks */
#define SNAPSHOT_WRITES 24  /* faults are at one of the first so many writes of one */
#define SNAPSHOT_STEP   5
#define BUDGET_MS       45000 /* without ROUNDS no new round begins later */

enum fault {
    FAULT_NONE,
    FAULT_KILL,       /* instead of the write */
    FAULT_TORN,       /* in the middle of it */
    FAULT_POWER,      /* what is not synced is gone */
    FAULT_POWER_SOME, /* some of it is */
    FAULT_BROKEN,     /* this one write fails */
    FAULT_FULL,       /* all do from here on */
    FAULT_KINDS
};

/* --- what was seen, by whichever process */

struct seen {
    uint64_t acknowledged; /* transactions with nonces below */
    uint64_t head;
    struct hash32 head_hash;
    unsigned strikes;       /* rounds in which the disk did what it was to do */
    atomic_int server_port; /* of the node that serves snapshots, once it has some blocks */
    bool is_unkept; /* the pool's log could not be written: the other nodes are to hold the items */
};
static struct seen *seen;

/* --- the disk */

struct undo {
    int fd;
    ino_t inode;
    off_t offset;
    size_t size;
    uint8_t *former;
};

static struct {
    pthread_mutex_t lock;
    atomic_bool is_active;
    enum fault fault;
    unsigned at, calls;
    size_t undo_count;
    struct undo undo[UNDO_MAX];
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_file(int fd, ino_t *inode) {
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) return false;
    *inode = about.st_ino;
    return true;
}

static bool is_struck(void) {
    if (!disk.is_active || disk.fault == FAULT_NONE) return false;
    const unsigned call = disk.calls++;
    seen->strikes += call == disk.at;
    return disk.fault == FAULT_FULL ? call >= disk.at : call == disk.at;
}

/* end is the end of the process, and of the machine if it is the power. */
static _Noreturn void end(void) {
    const bool is_cut = disk.fault == FAULT_POWER || disk.fault == FAULT_POWER_SOME;
    for (size_t i = disk.undo_count; is_cut && i-- > 0;) {
        const struct undo *undo = &disk.undo[i];
        if (disk.fault == FAULT_POWER_SOME && (i * 2654435761u >> 7) % 2 == 0) continue;
        (void)syscall(SYS_pwrite64, undo->fd, undo->former, undo->size, undo->offset);
    }
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

static int fail(void) {
    errno = disk.fault == FAULT_FULL ? ENOSPC : EIO;
    return -1;
}

static bool ends_process(void) {
    return disk.fault != FAULT_BROKEN && disk.fault != FAULT_FULL;
}

/* remember keeps what a write is about to replace; one that is synced by itself replaces it. */
static void remember(int fd, ino_t inode, off_t offset, size_t size) {
    if (disk.fault != FAULT_POWER && disk.fault != FAULT_POWER_SOME) return;
    if ((fcntl(fd, F_GETFL) & O_DSYNC) != 0) return;
    CHECK(disk.undo_count < UNDO_MAX);
    uint8_t *former = calloc(1, size + 1);
    CHECK(former != NULL);
    CHECK(syscall(SYS_pread64, fd, former, size, offset) >= 0);
    disk.undo[disk.undo_count++] = (struct undo){fd, inode, offset, size, former};
}

static void forget(ino_t inode) {
    size_t kept = 0;
    for (size_t i = 0; i < disk.undo_count; i++) {
        if (disk.undo[i].inode == inode) {
            free(disk.undo[i].former);
        } else {
            disk.undo[kept++] = disk.undo[i];
        }
    }
    disk.undo_count = kept;
}

static ssize_t write_parts(int fd, const struct iovec *parts, int count, off_t offset) {
    ino_t inode;
    size_t size = 0;
    if (!is_file(fd, &inode)) return syscall(SYS_pwritev, fd, parts, count, offset, 0);
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    CHECK(pthread_mutex_lock(&disk.lock) == 0);
    const bool struck = is_struck();
    if (struck && disk.fault == FAULT_TORN) {
        const size_t first = count > 1 ? parts[0].iov_len : parts[0].iov_len / 2;
        (void)syscall(SYS_pwrite64, fd, parts[0].iov_base, first, offset);
    }
    if (struck && ends_process()) end();
    ssize_t result = -1;
    if (struck) {
        (void)fail();
    } else {
        remember(fd, inode, offset, size);
        result = syscall(SYS_pwritev, fd, parts, count, offset, 0);
    }
    const int number = errno;
    CHECK(pthread_mutex_unlock(&disk.lock) == 0);
    errno = number;
    return result;
}

static int sync_all(int fd) {
    ino_t inode;
    if (!is_file(fd, &inode)) return (int)syscall(SYS_fsync, fd);
    CHECK(pthread_mutex_lock(&disk.lock) == 0);
    const bool struck = is_struck();
    if (struck && ends_process()) end();
    if (!struck) forget(inode); /* this disk has it now; the real one is not waited for */
    const int result = struck ? fail() : 0;
    const int number = errno;
    CHECK(pthread_mutex_unlock(&disk.lock) == 0);
    errno = number;
    return result;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    const struct iovec part = {(void *)(uintptr_t)data, size};
    return write_parts(fd, &part, 1, offset);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    return write_parts(fd, parts, count, offset);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    ino_t inode;
    if (!is_file(fd, &inode)) return syscall(SYS_writev, fd, parts, count);
    const ssize_t written = write_parts(fd, parts, count, lseek(fd, 0, SEEK_CUR));
    if (written > 0) (void)lseek(fd, written, SEEK_CUR);
    return written;
}
int fdatasync(int fd) {
    return sync_all(fd);
}
int fsync(int fd) {
    return sync_all(fd);
}

/* --- the node */

static char directory[] = "/tmp/baton-crash-XXXXXX";
static char server_directory[] = "/tmp/baton-crash-server-XXXXXX";
static struct settings settings;
static struct genesis genesis;
static struct node_options options;
static struct node node;

static void look(void) {
    const struct store_head head = store_head(node.ledger.store);
    if (head.number <= seen->head) return;
    seen->head = head.number;
    seen->head_hash = head.hash;
}

/* --- transactions */

static void make_transfer(uint64_t nonce, uint8_t memory[4096], struct transaction *out) {
    struct arena arena = arena_over(memory, 4096);
    *out = (struct transaction){
        .type = TRANSACTION_DYNAMIC_FEE,
        .is_protected = true,
        .chain_id = genesis.config.chain_id,
        .nonce = nonce,
        .max_priority_fee = u256_from_u64(1),
        .max_fee = u256_from_u64(100000000000u),
        .gas_limit = 21000,
        .to = {{[19] = 0x77}},
        .value = u256_from_u64(nonce + 1),
    };
    CHECK(transaction_sign(out, &options.validator_key, &arena) == ERR_OK);
}

/* post sends a request and returns whether an answer came. */
static bool post(const char *body, char answer[ANSWER_BYTES]) {
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)settings.rpc_port),
                                        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char request[REQUEST_BYTES];
    const int size = snprintf(request, sizeof request,
                              "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                              "application/json\r\nContent-Length: %zu\r\n\r\n%s",
                              strlen(body), body);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && size < (int)sizeof request);
    size_t got = 0;
    bool is_whole = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
                    send(fd, request, (size_t)size, MSG_NOSIGNAL) == size;
    while (is_whole && (got == 0 || answer[got - 1] != '}')) {
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        const bool is_there = poll(&waiting, 1, 2000) == 1;
        const ssize_t more = is_there ? recv(fd, answer + got, ANSWER_BYTES - 1 - got, 0) : -1;
        if (more <= 0) is_whole = false;
        if (more > 0) got += (size_t)more;
    }
    answer[got] = '\0';
    (void)close(fd);
    return is_whole;
}

/* submit says whether the node has the transaction, of this time or an earlier one. */
static bool submit(uint64_t nonce) {
    uint8_t memory[4096];
    char hex[2 * TRANSFER_BYTES + 3], body[REQUEST_BYTES / 2], answer[ANSWER_BYTES];
    struct transaction transfer;
    make_transfer(nonce, memory, &transfer);
    CHECK(transfer.encoded.size <= TRANSFER_BYTES);
    (void)snprintf(body, sizeof body,
                   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_sendRawTransaction\","
                   "\"params\":[\"%s\"]}",
                   hex_string(transfer.encoded, hex));
    if (!post(body, answer)) return false;
    return strstr(answer, "\"result\"") != NULL || strstr(answer, "already known") != NULL ||
           strstr(answer, "nonce too low") != NULL;
}

/* --- one node */

static enum err start(char error[512]) {
    enum err err = ERR_ADDRESS_IN_USE;
    while (err == ERR_ADDRESS_IN_USE) { /* somebody was faster */
        settings.rpc_port = single_port();
        err = node_start(&options, &node, error);
    }
    return err;
}

/* work runs a node until the disk strikes, or does not. */
static void work(enum fault fault, unsigned at) {
    char error[512] = "";
    const bool is_cut = fault == FAULT_POWER || fault == FAULT_POWER_SOME;
    disk.fault = fault;
    disk.at = at;
    disk.is_active = !is_cut; /* what a first start loses to a cut is nobody's yet */
    const enum err err = start(error);
    if (err != ERR_OK) { /* the disk is full or broken: it has said so, and ended */
        CHECK(fault == FAULT_BROKEN || fault == FAULT_FULL);
        CHECK(error[0] != '\0');
        return;
    }
    disk.is_active = true;
    const uint64_t first = is_cut ? 0 : seen->acknowledged;
    const uint64_t last = seen->acknowledged + ITEMS_A_ROUND;
    for (uint64_t nonce = first; nonce < last && atomic_load(&node.failure) == ERR_OK; nonce++) {
        if (!submit(nonce)) break;
        if (nonce >= seen->acknowledged) seen->acknowledged = nonce + 1;
        if (atomic_load(&node.counters.pool_log_failures) > 0) seen->is_unkept = true;
        look();
    }
    node_stop(&node);
}

/* check_record: what was signed is known at least up to the newest block. */
static void check_record(void) {
    static struct ledger ledger;
    static struct ledger_view view;
    static uint8_t memory[16u << 20];
    struct arena arena = arena_over(memory, sizeof memory);
    struct sequencer_restore restore;
    char error[512] = "";
    CHECK(ledger_open(directory, settings.map_gib, &genesis, &ledger, error) == ERR_OK);
    CHECK(ledger_view_open(&ledger, &view) == ERR_OK);
    CHECK(ledger_restore(&ledger, &view, &arena, &restore, error) == ERR_OK);
    const uint64_t head = view.chain.head.number;
    CHECK(head >= seen->head);
    CHECK(head == 0 || (restore.has_record && restore.record.height >= head));
    ledger_view_close(&view);
    ledger_close(&ledger);
}

static bool has_transfer(uint64_t nonce) {
    uint8_t memory[4096];
    struct transaction transfer;
    struct store_view *view;
    struct store_location place;
    make_transfer(nonce, memory, &transfer);
    CHECK(store_view_open(node.ledger.store, &view) == ERR_OK);
    const enum err err = store_transaction(view, &transfer.hash, &place);
    store_view_close(view);
    CHECK(err == ERR_OK || err == ERR_NOT_FOUND);
    return err == ERR_OK;
}

/* check is the next start: everything is there.  What waited in the pool a cut of the power may
 * take, or a disk that could not keep it; it is sent again. */
static void check(enum fault fault, unsigned at) {
    (void)at;
    struct hash32 hash;
    struct store_view *view;
    char error[512] = "";
    check_record();
    CHECK(start(error) == ERR_OK);
    CHECK(store_view_open(node.ledger.store, &view) == ERR_OK);
    CHECK(seen->head == 0 || (store_block_hash(view, seen->head, &hash) == ERR_OK &&
                              hash_equal(&hash, &seen->head_hash)));
    store_view_close(view);
    const bool is_cut = fault == FAULT_POWER || fault == FAULT_POWER_SOME;
    const uint64_t until_ms = monotonic_ms() + WAIT_MS;
    for (uint64_t nonce = 0; nonce < seen->acknowledged; nonce++) {
        const bool is_sent_again = is_cut || seen->is_unkept;
        while (is_sent_again && !has_transfer(nonce) && !submit(nonce))
            CHECK(monotonic_ms() < until_ms);
        while (!has_transfer(nonce)) {
            CHECK(monotonic_ms() < until_ms);
            (void)poll(NULL, 0, 1);
        }
    }
    look();
    seen->is_unkept = false;
    node_stop(&node);
}

/* --- rounds */

/* --- snapshots: the same disk under a node that takes one */

/* serve is the node that has the state, in a process of its own until it is killed. */
static _Noreturn void serve(void) {
    char error[512] = "";
    const uint8_t seed[32] = {1};
    CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    options.data_dir = server_directory;
    options.has_p2p = true;
    options.peer_key = ed25519_key_from_seed(seed);
    settings.idle_block_time_ms = BLOCK_MS;
    settings.p2p_port = single_port();
    CHECK(start(error) == ERR_OK);
    while (store_head(node.ledger.store).number < SNAPSHOT_HEIGHT)
        (void)poll(NULL, 0, 5);
    atomic_store(&seen->server_port, (int)settings.p2p_port);
    for (;;)
        (void)pause();
}

/* take takes a snapshot, on a disk that strikes or does not. */
static void take(enum fault fault, unsigned at) {
    static struct ledger ledger;
    static char peers[100];
    char error[512] = "", peer[67];
    const uint8_t server[32] = {1}, own[32] = {2};
    const struct ed25519_key server_key = ed25519_key_from_seed(server);
    options.has_validator_key = false;
    options.has_p2p = options.is_state_only = true;
    options.peer_key = ed25519_key_from_seed(own);
    settings.p2p_port = single_port();
    settings.sync = "snapshot";
    (void)snprintf(peers, sizeof peers, "%s@127.0.0.1:%d",
                   hex_string(hash_bytes(&server_key.public_key), peer),
                   atomic_load(&seen->server_port));
    settings.p2p_peers = peers;
    CHECK(ledger_open(directory, settings.map_gib, &genesis, &ledger, error) == ERR_OK);
    ledger_close(&ledger);
    disk.fault = fault;
    disk.at = at;
    disk.is_active = true;
    const enum err err = start(error);
    CHECK((err == ERR_OK) == (error[0] == '\0'));
    disk.is_active = false;
    CHECK(err == ERR_OK || fault == FAULT_BROKEN || fault == FAULT_FULL);
    if (err != ERR_OK) return;
    look();
    node_stop(&node);
}

/* check_taken is the next start: it goes on where the last one was, or begins anew, and has the
 * whole of a state, whose root is that of its block, in the end. */
static void check_taken(enum fault fault, unsigned at) {
    (void)fault, (void)at;
    struct store_view *view;
    static struct ledger ledger;
    char error[512] = "";
    take(FAULT_NONE, 0);
    CHECK(ledger_open(directory, settings.map_gib, &genesis, &ledger, error) == ERR_OK);
    CHECK(store_view_open(ledger.store, &view) == ERR_OK);
    CHECK(!store_is_loading(view));
    CHECK(store_view_head(view).number >= seen->head && seen->head > 0);
    store_view_close(view);
    ledger_close(&ledger);
}

/* in_child runs one node in a process of its own; its end is as it should be, or that of a kill. */
static void in_child(void (*run)(enum fault fault, unsigned at), enum fault fault, unsigned at,
                     bool may_be_killed) {
    int status;
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        (void)alarm(100); /* a node that hangs is a failure, too */
        run(fault, at);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    const bool is_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && may_be_killed;
    const bool is_good = is_killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (!is_good) (void)fprintf(stderr, "fault %d at write %u: status %x\n", fault, at, status);
    CHECK(is_good);
}

static void forget_all(void) {
    single_remove(directory);
    CHECK(mkdir(directory, 0700) == 0);
    seen->head = seen->acknowledged = 0;
    seen->is_unkept = false;
}

/* snapshot_rounds takes a snapshot in each, into an empty directory, with a fault. */
static void snapshot_rounds(unsigned rounds) {
    CHECK(mkdtemp(server_directory) != NULL);
    const pid_t server = fork();
    CHECK(server >= 0);
    if (server == 0) serve();
    const uint64_t until_ms = monotonic_ms() + WAIT_MS;
    while (atomic_load(&seen->server_port) == 0) {
        CHECK(monotonic_ms() < until_ms);
        (void)poll(NULL, 0, 5);
    }
    const unsigned before = seen->strikes;
    for (unsigned round = 0; round < rounds; round++) {
        const enum fault fault = (enum fault)(1 + round % (FAULT_KINDS - 1));
        const unsigned at = round * SNAPSHOT_STEP % SNAPSHOT_WRITES;
        forget_all();
        in_child(take, fault, at, true);
        in_child(check_taken, fault, at, false);
    }
    CHECK(seen->strikes > before + rounds / 2);
    CHECK(kill(server, SIGKILL) == 0 && waitpid(server, NULL, 0) == server);
    single_remove(server_directory);
    (void)printf("node crash: %u of %u snapshots had their fault\n", seen->strikes - before,
                 rounds);
}

int main(int argc, char **argv) {
    char *arguments[] = {"node", "--ws-port=0", "--metrics-port=0", "--log-level=error"};
    char error[512] = "";
    sigset_t signals;
    const unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : ROUNDS_DEFAULT;
    const unsigned first = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM); /* a node that has failed sends it to itself */
    CHECK(pthread_sigmask(SIG_BLOCK, &signals, NULL) == 0);
    CHECK(ed25519_init() == ERR_OK && mkdtemp(directory) != NULL);
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(seen != MAP_FAILED);
    CHECK(settings_read(COMMAND_NODE, sizeof arguments / sizeof *arguments, arguments, &settings,
                        error) == ERR_OK);
    CHECK(log_configure(settings.log_level, settings.log_format));
    options = (struct node_options){
        .settings = &settings, .data_dir = directory, .has_validator_key = true};
    keys_development(&options.validator_key, 1);
    genesis = single_genesis(&options.validator_key, BLOCK_MS);
    options.genesis = &genesis;
    const uint64_t begun_ms = monotonic_ms();
    unsigned done = 0;
    for (unsigned round = first; round < first + rounds; round++, done++) {
        if (argc <= 1 && monotonic_ms() - begun_ms > BUDGET_MS) break;
        const enum fault fault = (enum fault)(1 + round % (FAULT_KINDS - 1));
        if (round % FRESH_ROUNDS == 0 && round > first) {
            single_remove(directory);
            *seen = (struct seen){.strikes = seen->strikes};
        }
        const unsigned at = round * WRITES_STEP % WRITES_MAX;
        in_child(work, fault, at, true);
        in_child(check, fault, at, false);
    }
    CHECK(seen->strikes > done / 2); /* the others came to their end before that write */
    const unsigned blocks_strikes = seen->strikes;
    snapshot_rounds(argc > 1 ? rounds : SNAPSHOT_ROUNDS);
    single_remove(directory);
    (void)printf("node crash: ok, %u of %u rounds had their fault\n", blocks_strikes, done);
    return 0;
}
