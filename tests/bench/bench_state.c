/* What a block of transfers costs in the state and the store: overlay, root, list of writes,
 * durable commit, on states of different sizes.
 *
 *   bench_state --dir DIR [--accounts N] [--transfers N] [--blocks N] [--hot N] [--keep]
 *
 * makes a store of N accounts in DIR (or, with --keep, takes the one that is there) and commits
 * blocks of transfers between accounts chosen evenly (--hot N: among the first N only).  One line
 * per block, then the medians.  Signature recovery and the EVM are not part of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/keccak.h"
#include "chain/block.h"
#include "state/state.h"
#include "store/store.h"

#define BLOCKS_MAX    1000
#define LOAD_ACCOUNTS 100000
#define ARENA_BYTES   (3ull << 30) /* address space; what is used is printed */
#define PACKAGE_BYTES 110          /* of one signed transfer in its block */

enum phase { PHASE_EXECUTE, PHASE_ROOT, PHASE_WRITES, PHASE_COMMIT, PHASE_SYNC, PHASE_COUNT };

struct options {
    const char *directory;
    uint64_t accounts, transfers, blocks, hot;
    bool is_kept;
};

struct bench {
    struct options options;
    struct store *store;
    struct arena arena, scratch;
    uint64_t random;
    uint8_t *package;
    struct hash32 *hashes;
    struct receipt *receipts;
    double times[PHASE_COUNT][BLOCKS_MAX];
};

static double now_ms(void) {
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static uint64_t next_random(struct bench *bench) {
    bench->random ^= bench->random << 13;
    bench->random ^= bench->random >> 7;
    bench->random ^= bench->random << 17;
    return bench->random * 0x2545f4914f6cdd1du >> 16;
}

static void *reserve(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

static struct address address_at(uint64_t index) {
    struct address address = {{0x5e}};
    be_write(address.bytes + 12, 8, index * 0x9e3779b97f4a7c15u);
    return address;
}

/* written_bytes is what the kernel has sent towards the disk for this process. */
static uint64_t written_bytes(void) {
    FILE *file = fopen("/proc/self/io", "r");
    char line[128];
    unsigned long long bytes = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "write_bytes: %llu", &bytes) == 1) break;
    }
    if (file != NULL) (void)fclose(file);
    return bytes;
}

static void stop_on(enum err err, const char *what) {
    if (err == ERR_OK) return;
    (void)fprintf(stderr, "bench_state: %s: %s\n", what, err_text(err));
    exit(1);
}

/* --- the genesis, in pieces */

struct hashed {
    uint64_t start; /* of the address's hash */
    uint64_t index;
};

static int compare_hashed(const void *a, const void *b) {
    const struct hashed *left = a, *right = b;
    return left->start < right->start ? -1 : left->start > right->start;
}

/* hashed_accounts lists all accounts in the order of their hashes, so that loading appends. */
static struct hashed *hashed_accounts(uint64_t count) {
    struct hashed *accounts = reserve(count * sizeof *accounts);
    for (uint64_t i = 0; i < count; i++) {
        const struct address address = address_at(i);
        const struct hash32 hash = keccak256(address_bytes(&address));
        accounts[i] = (struct hashed){be_read(hash.bytes, 8), i};
    }
    qsort(accounts, count, sizeof *accounts, compare_hashed);
    return accounts;
}

static struct hash32 load_piece(struct bench *bench, const struct hashed *accounts,
                                uint64_t accounts_count) {
    struct store_view *view;
    struct store_state latest;
    struct state *state;
    arena_reset(&bench->arena);
    stop_on(store_view_open(bench->store, &view), "view");
    store_state_latest(view, &latest);
    stop_on(state_begin(&bench->arena, &latest.reader, &state), "state");
    const struct u256 rich = {{0, 1u << 30, 0, 0}};
    for (uint64_t i = 0; i < accounts_count; i++) {
        const struct address address = address_at(accounts[i].index);
        state_set_balance(state, &address, &rich);
        if (i % 1000 == 0) state_end_transaction(state, true);
    }
    struct hash32 root;
    const struct kv_write *writes;
    size_t count;
    stop_on(state_root(state, &root), "root");
    stop_on(state_writes(state, &writes, &count), "writes");
    stop_on(store_load_state(bench->store, writes, count), "load");
    store_view_close(view);
    return root;
}

static void load_genesis(struct bench *bench) {
    if (store_head(bench->store).has_block) return;
    struct header header = {.number = 0};
    stop_on(store_set_durable(bench->store, false), "durability");
    struct hashed *accounts = hashed_accounts(bench->options.accounts);
    for (uint64_t from = 0; from < bench->options.accounts; from += LOAD_ACCOUNTS) {
        const uint64_t rest = bench->options.accounts - from;
        header.state_root =
            load_piece(bench, accounts + from, rest < LOAD_ACCOUNTS ? rest : LOAD_ACCOUNTS);
    }
    CHECK(munmap(accounts, bench->options.accounts * sizeof *accounts) == 0);
    const struct store_block block = {
        .header = &header, .hash = header_hash(&header), .package = BYTES_STRING("genesis")};
    stop_on(store_commit_block(bench->store, &block, &bench->scratch), "genesis");
    stop_on(store_set_durable(bench->store, true), "durability");
}

/* --- blocks */

static void transfer(struct bench *bench, struct state *state) {
    const struct options *options = &bench->options;
    const uint64_t range = options->hot == 0 ? options->accounts : options->hot;
    const struct address from = address_at(next_random(bench) % range);
    const struct address to = address_at(next_random(bench) % range);
    const struct address coinbase = {{0xcb}};
    const struct u256 value = u256_from_u64(1000), fee = u256_from_u64(21000);
    struct u256 balance;
    const size_t checkpoint = state_checkpoint(state);
    CHECK(checkpoint == 0);
    state_set_nonce(state, &from, state_nonce(state, &from) + 1);
    state_balance(state, &from, &balance);
    balance = u256_sub(&balance, &value);
    balance = u256_sub(&balance, &fee);
    state_set_balance(state, &from, &balance);
    state_balance(state, &to, &balance);
    balance = u256_add(&balance, &value);
    state_set_balance(state, &to, &balance);
    state_balance(state, &coinbase, &balance);
    balance = u256_add(&balance, &fee);
    state_set_balance(state, &coinbase, &balance);
    state_end_transaction(state, true);
}

static struct store_block make_block(struct bench *bench, const struct header *header) {
    for (uint64_t i = 0; i < bench->options.transfers; i++) {
        for (size_t at = 0; at < 32; at += 8) {
            be_write(bench->hashes[i].bytes + at, 8, next_random(bench) << 16 ^ next_random(bench));
        }
        bench->receipts[i] = (struct receipt){.type = 2,
                                              .succeeded = true,
                                              .cumulative_gas_used = 21000 * (i + 1),
                                              .gas_used = 21000};
    }
    return (struct store_block){
        .header = header,
        .hash = header_hash(header),
        .package = {bench->package, bench->options.transfers * PACKAGE_BYTES},
        .commit = BYTES_STRING("commit"),
        .transaction_hashes = bench->hashes,
        .transactions_count = bench->options.transfers,
        .receipts = bench->receipts,
        .receipts_count = bench->options.transfers};
}

static void run_block(struct bench *bench, uint64_t index) {
    struct store_view *view;
    struct store_state latest;
    struct state *state;
    struct header header = {.number = 0};
    const struct store_head head = store_head(bench->store);
    header.number = head.number + 1;
    header.parent_hash = head.hash;
    arena_reset(&bench->arena);
    const uint64_t written = written_bytes();
    const double begun = now_ms();
    stop_on(store_view_open(bench->store, &view), "view");
    store_state_latest(view, &latest);
    stop_on(state_begin(&bench->arena, &latest.reader, &state), "state");
    for (uint64_t i = 0; i < bench->options.transfers; i++)
        transfer(bench, state);
    const double executed = now_ms();
    stop_on(state_root(state, &header.state_root), "root");
    const double rooted = now_ms();
    struct store_block block = make_block(bench, &header);
    const double made = now_ms();
    stop_on(state_writes(state, &block.writes, &block.writes_count), "writes");
    const double listed = now_ms();
    stop_on(store_commit_block(bench->store, &block, &bench->scratch), "commit");
    const double committed = now_ms();
    store_view_close(view);
    const double sync = (double)store_stats(bench->store).sync_last_ns / 1e6;
    const double times[PHASE_COUNT] = {executed - begun, rooted - executed, listed - made,
                                       committed - listed - sync, sync};
    for (int i = 0; i < PHASE_COUNT; i++)
        bench->times[i][index] = times[i];
    printf("block %3lu: execute %7.2f  root %7.2f  writes %7.2f  put %7.2f  sync %7.2f ms; "
           "%zu writes, %.1f MiB to disk, arena %.1f MiB\n",
           (unsigned long)header.number, times[0], times[1], times[2], times[3], times[4],
           block.writes_count, (double)(written_bytes() - written) / 1048576.0,
           (double)bench->arena.used / 1048576.0);
}

static int compare_doubles(const void *a, const void *b) {
    const double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static void report(struct bench *bench) {
    static const char *const names[PHASE_COUNT] = {"execute", "root", "writes", "put", "sync"};
    double total = 0;
    printf("median of %lu blocks of %lu transfers over %lu accounts:",
           (unsigned long)bench->options.blocks, (unsigned long)bench->options.transfers,
           (unsigned long)bench->options.accounts);
    for (int i = 0; i < PHASE_COUNT; i++) {
        qsort(bench->times[i], bench->options.blocks, sizeof(double), compare_doubles);
        const double median = bench->times[i][bench->options.blocks / 2];
        printf(" %s %.2f", names[i], median);
        total += median;
    }
    printf(" = %.2f ms, %.0f transfers/s; file %.1f MiB\n", total,
           1e3 * (double)bench->options.transfers / total,
           (double)store_stats(bench->store).file_bytes / 1048576.0);
}

static struct options parse(int argc, char **argv) {
    struct options options = {.accounts = 10000, .transfers = 1000, .blocks = 20};
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--keep") == 0) {
            options.is_kept = true;
            continue;
        }
        if (i + 1 == argc) stop_on(ERR_CONFIG, name);
        const char *value = argv[++i];
        uint64_t *number = NULL;
        if (strcmp(name, "--dir") == 0) options.directory = value;
        if (strcmp(name, "--accounts") == 0) number = &options.accounts;
        if (strcmp(name, "--transfers") == 0) number = &options.transfers;
        if (strcmp(name, "--blocks") == 0) number = &options.blocks;
        if (strcmp(name, "--hot") == 0) number = &options.hot;
        if (number == NULL && options.directory != value) stop_on(ERR_CONFIG, name);
        if (number != NULL) *number = strtoull(value, NULL, 10);
    }
    const bool is_good = options.directory != NULL && options.accounts != 0 &&
                         options.blocks >= 1 && options.blocks <= BLOCKS_MAX &&
                         options.transfers <= BLOCK_TRANSACTIONS_MAX;
    if (!is_good) stop_on(ERR_CONFIG, "usage: bench_state --dir DIR [--accounts N] ...");
    return options;
}

int main(int argc, char **argv) {
    static struct bench bench;
    bench.options = parse(argc, argv);
    bench.random = 88172645463325252u;
    bench.arena = arena_over(reserve(ARENA_BYTES), ARENA_BYTES);
    bench.scratch = arena_over(reserve(64u << 20), 64u << 20);
    const uint64_t transfers = bench.options.transfers;
    bench.package = reserve(transfers * PACKAGE_BYTES + 1);
    bench.hashes = reserve(transfers * sizeof *bench.hashes + 1);
    bench.receipts = reserve(transfers * sizeof *bench.receipts + 1);
    memset(bench.package, 0x5a, transfers * PACKAGE_BYTES + 1);
    const struct store_config config = {bench.options.directory, 0, 8, 0};
    char error[STORE_ERROR_BYTES] = "";
    const enum err err = store_open(&config, &bench.store, error);
    if (err != ERR_OK) stop_on(err, error);
    if (!bench.options.is_kept) stop_on(store_reset(bench.store), "reset");
    const double begun = now_ms();
    load_genesis(&bench);
    printf("%lu accounts loaded in %.1f s\n", (unsigned long)bench.options.accounts,
           (now_ms() - begun) / 1e3);
    for (uint64_t i = 0; i < bench.options.blocks; i++)
        run_block(&bench, i);
    report(&bench);
    store_close(bench.store);
    return 0;
}
