/* What a full block costs on one core, signatures excluded: decoding and executing its transactions
 * in the EVM, receipts and state root, the list of writes, and making it durable.
 *
 *   bench_block --dir DIR [--accounts N] [--transactions N] [--blocks N] [--token]
 *
 * makes a store of N funded accounts in DIR, which must be empty or missing, and commits blocks of
 * transfers between accounts chosen evenly, of ether or (--token) of an ERC-20 token.  A line per
 * block, then the medians. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/check.h"
#include "base/keccak.h"
#include "chain/block.h"
#include "chain/transaction.h"
#include "store/store.h"
#include "workloads/ethereum.h"
#include "workloads/system_contracts.h"

#define BLOCKS_MAX    1000
#define LOAD_ACCOUNTS 100000
#define ARENA_BYTES   ((size_t)6 << 30) /* address space */
#define ITEM_BYTES    256               /* room for one encoded transaction */

/* PHASE_PROCESSOR is not a phase: processor time of all of them, which other programs on the
 * machine do not stretch. */
enum phase { PHASE_EXECUTE, PHASE_SEAL, PHASE_WRITES, PHASE_COMMIT, PHASE_PROCESSOR, PHASE_COUNT };

struct bench {
    const char *directory;
    uint64_t accounts, transactions, blocks;
    bool is_token;
    struct store *store;
    struct evm *evm;
    struct arena arena, scratch, items;
    struct chain_config config;
    struct header head;
    uint32_t *nonces; /* by account */
    struct bytes *encoded;
    struct address *senders;
    struct hash32 *hashes;
    uint64_t random;
    double times[PHASE_COUNT][BLOCKS_MAX];
};

static const struct address token = {{0x70, 0x6b, 0x6e}};

/* transfer(address,uint256) of a token without checks: balances by keccak(owner . 0), an event. */
static const uint8_t token_code[] = {
    0x33, 0x5f, 0x52, 0x60, 0x40, 0x5f, 0x20, 0x80, 0x54, 0x60, 0x24, 0x35, 0x90, 0x03, 0x90,
    0x55, 0x60, 0x04, 0x35, 0x5f, 0x52, 0x60, 0x40, 0x5f, 0x20, 0x80, 0x54, 0x60, 0x24, 0x35,
    0x01, 0x90, 0x55, 0x60, 0x24, 0x35, 0x5f, 0x52, 0x60, 0x04, 0x35, 0x33, 0x7f, 0xdd, 0xf2,
    0x52, 0xad, 0x1b, 0xe2, 0xc8, 0x9b, 0x69, 0xc2, 0xb0, 0x68, 0xfc, 0x37, 0x8d, 0xaa, 0x95,
    0x2b, 0xa7, 0xf1, 0x63, 0xc4, 0xa1, 0x16, 0x28, 0xf5, 0x5a, 0x4d, 0xf5, 0x23, 0xb3, 0xef,
    0x60, 0x20, 0x5f, 0xa3, 0x60, 0x01, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3};

static double clock_ms(clockid_t clock) {
    struct timespec now;
    CHECK(clock_gettime(clock, &now) == 0);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static double now_ms(void) {
    return clock_ms(CLOCK_MONOTONIC);
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
    struct address address = {{0xb1}};
    be_write(address.bytes + 12, 8, index * 0x9e3779b97f4a7c15u);
    return address;
}

static void stop_on(enum err err, const char *what) {
    if (err == ERR_OK) return;
    (void)fprintf(stderr, "bench_block: %s: %s\n", what, err_text(err));
    exit(1);
}

/* --- the genesis, in pieces */

static void set_contracts(struct state *state) {
    for (size_t i = 0; i < SYSTEM_CONTRACTS_COUNT; i++) {
        state_set_nonce(state, &system_contracts[i]->address, 1);
        state_set_code(state, &system_contracts[i]->address, system_contracts[i]->code);
    }
    state_set_nonce(state, &token, 1);
    state_set_code(state, &token, BYTES_OF(token_code));
}

static struct hash32 load_piece(struct bench *bench, uint64_t from, uint64_t count) {
    const struct u256 rich = {{0, 1u << 30, 0, 0}};
    struct store_view *view;
    struct store_state latest;
    struct state *state;
    struct hash32 root;
    const struct kv_write *writes;
    size_t writes_count;
    arena_reset(&bench->arena);
    stop_on(store_view_open(bench->store, &view), "view");
    store_state_latest(view, &latest);
    stop_on(state_begin(&bench->arena, &latest.reader, &state), "state");
    if (from == 0) set_contracts(state);
    for (uint64_t i = from; i < from + count; i++) {
        const struct address address = address_at(i);
        state_set_balance(state, &address, &rich);
        if (i % 1000 == 0) state_end_transaction(state, true);
    }
    stop_on(state_root(state, &root), "root");
    stop_on(state_writes(state, &writes, &writes_count), "writes");
    stop_on(store_load_state(bench->store, writes, writes_count), "load");
    store_view_close(view);
    return root;
}

static void load_genesis(struct bench *bench) {
    struct header *header = &bench->head;
    if (store_head(bench->store).has_block) stop_on(ERR_EXISTS, bench->directory);
    header->gas_limit = (uint64_t)1 << 40;
    header->tail_fields = HEADER_TAIL_PRAGUE;
    header->base_fee = u256_from_u64(1000000000);
    stop_on(store_set_durable(bench->store, false), "durability");
    for (uint64_t from = 0; from < bench->accounts; from += LOAD_ACCOUNTS) {
        const uint64_t rest = bench->accounts - from;
        header->state_root = load_piece(bench, from, rest < LOAD_ACCOUNTS ? rest : LOAD_ACCOUNTS);
    }
    const struct store_block block = {
        .header = header, .hash = header_hash(header), .package = BYTES_STRING("genesis")};
    stop_on(store_commit_block(bench->store, &block, &bench->scratch), "genesis");
    stop_on(store_set_durable(bench->store, true), "durability");
}

/* --- blocks */

static void make_transactions(struct bench *bench) {
    arena_reset(&bench->items);
    for (uint64_t i = 0; i < bench->transactions; i++) {
        const uint64_t from = next_random(bench) % bench->accounts;
        const struct address to = address_at(next_random(bench) % bench->accounts);
        uint8_t data[68] = {0xa9, 0x05, 0x9c, 0xbb};
        memcpy(data + 16, to.bytes, sizeof to.bytes);
        data[67] = 1;
        /* Nobody checks this signature: the sender is handed in, as recovery runs elsewhere. */
        const struct transaction transaction = {.type = TRANSACTION_DYNAMIC_FEE,
                                                .chain_id = bench->config.chain_id,
                                                .nonce = bench->nonces[from]++,
                                                .max_priority_fee = U256_ONE,
                                                .max_fee = u256_from_u64(2000000000),
                                                .gas_limit = bench->is_token ? 80000 : 21000,
                                                .to = bench->is_token ? token : to,
                                                .value = u256_from_u64(bench->is_token ? 0 : 1),
                                                .data =
                                                    bench->is_token ? BYTES_OF(data) : BYTES_EMPTY,
                                                .r = U256_ONE,
                                                .s = U256_ONE};
        uint8_t *memory = arena_alloc(&bench->items, ITEM_BYTES);
        CHECK(memory != NULL);
        struct buffer out = buffer_over(memory, ITEM_BYTES);
        transaction_encode(&transaction, &out);
        CHECK(!out.overflow);
        bench->encoded[i] = buffer_bytes(&out);
        bench->senders[i] = address_at(from);
    }
}

static void apply_all(struct bench *bench, struct ethereum_block *block) {
    for (uint64_t i = 0; i < bench->transactions; i++) {
        struct transaction transaction;
        struct evm_result result;
        enum verdict verdict = transaction_decode(bench->encoded[i], &bench->arena, &transaction);
        CHECK(verdict == VERDICT_ACCEPTED);
        transaction.sender = bench->senders[i];
        transaction.has_sender = true;
        stop_on(ethereum_block_apply(block, &transaction, &verdict, &result), "apply");
        CHECK(verdict == VERDICT_ACCEPTED);
        CHECK(result.status == EVM_SUCCESS);
        bench->hashes[i] = transaction.hash;
    }
}

static void commit(struct bench *bench, const struct ethereum_block *block,
                   const struct header *header, const struct kv_write *writes, size_t count) {
    const struct store_block stored = {.header = header,
                                       .hash = header_hash(header),
                                       .package = {bench->items.data, bench->items.used},
                                       .commit = BYTES_STRING("commit"),
                                       .transaction_hashes = bench->hashes,
                                       .transactions_count = bench->transactions,
                                       .receipts = block->receipts,
                                       .receipts_count = block->receipts_count,
                                       .writes = writes,
                                       .writes_count = count};
    stop_on(store_commit_block(bench->store, &stored, &bench->scratch), "commit");
}

static void run_block(struct bench *bench, uint64_t index) {
    static struct ethereum_block block;
    const struct ethereum_ancestors ancestors = {NULL, NULL};
    struct header header = bench->head;
    struct store_view *view;
    struct store_state latest;
    struct state *state;
    struct block_fault fault;
    const struct kv_write *writes;
    size_t writes_count;
    make_transactions(bench);
    header.number += 1;
    header.timestamp += 2;
    header.parent_hash = header_hash(&bench->head);
    header.base_fee = header_next_base_fee(&bench->head);
    arena_reset(&bench->arena);
    const double processor = clock_ms(CLOCK_PROCESS_CPUTIME_ID);
    const double begun = now_ms();
    stop_on(store_view_open(bench->store, &view), "view");
    store_state_latest(view, &latest);
    stop_on(state_begin(&bench->arena, &latest.reader, &state), "state");
    stop_on(ethereum_block_begin(&block, bench->evm, state, &bench->arena, &bench->config,
                                 &ancestors, &header, bench->transactions),
            "begin");
    apply_all(bench, &block);
    const double executed = now_ms();
    stop_on(ethereum_block_end(&block, NULL, 0, NULL, 0, &header, &fault), "end");
    CHECK(fault.verdict == VERDICT_ACCEPTED);
    stop_on(transactions_root(bench->encoded, bench->transactions, &bench->arena,
                              &header.transactions_root),
            "transactions root");
    const double sealed = now_ms();
    stop_on(state_writes(state, &writes, &writes_count), "writes");
    const double listed = now_ms();
    commit(bench, &block, &header, writes, writes_count);
    const double committed = now_ms();
    store_view_close(view);
    bench->head = header;
    const double times[PHASE_COUNT] = {executed - begun, sealed - executed, listed - sealed,
                                       committed - listed,
                                       clock_ms(CLOCK_PROCESS_CPUTIME_ID) - processor};
    for (int i = 0; i < PHASE_COUNT; i++)
        bench->times[i][index] = times[i];
    printf("block %3lu: execute %7.2f  roots %7.2f  writes %7.2f  commit %7.2f ms; %lu gas, %zu "
           "writes\n",
           (unsigned long)header.number, times[0], times[1], times[2], times[3],
           (unsigned long)header.gas_used, writes_count);
}

static int compare_doubles(const void *a, const void *b) {
    const double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static void report(struct bench *bench) {
    static const char *const names[PHASE_COUNT] = {"execute", "roots", "writes", "commit", ""};
    double total = 0, processor = 0;
    printf("median of %lu blocks of %lu %s over %lu accounts:", (unsigned long)bench->blocks,
           (unsigned long)bench->transactions, bench->is_token ? "token transfers" : "transfers",
           (unsigned long)bench->accounts);
    for (int i = 0; i < PHASE_COUNT; i++) {
        qsort(bench->times[i], bench->blocks, sizeof(double), compare_doubles);
        const double median = bench->times[i][bench->blocks / 2];
        if (i == PHASE_PROCESSOR) {
            processor = median;
            continue;
        }
        printf(" %s %.2f", names[i], median);
        total += median;
    }
    printf(" = %.2f ms, of which %.2f ms on the processor: %.0f transactions/s\n", total, processor,
           1e3 * (double)bench->transactions / total);
}

static bool parse(int argc, char **argv, struct bench *out) {
    for (int i = 1; i < argc; i++) {
        uint64_t *number = NULL;
        if (strcmp(argv[i], "--token") == 0) {
            out->is_token = true;
            continue;
        }
        if (i + 1 == argc) return false;
        if (strcmp(argv[i], "--dir") == 0)
            out->directory = argv[++i];
        else if (strcmp(argv[i], "--accounts") == 0)
            number = &out->accounts;
        else if (strcmp(argv[i], "--transactions") == 0)
            number = &out->transactions;
        else if (strcmp(argv[i], "--blocks") == 0)
            number = &out->blocks;
        else
            return false;
        if (number != NULL) *number = strtoull(argv[++i], NULL, 10);
    }
    return out->directory != NULL && out->accounts != 0 && out->blocks != 0 &&
           out->blocks <= BLOCKS_MAX && out->transactions != 0 &&
           out->transactions <= BLOCK_TRANSACTIONS_MAX;
}

int main(int argc, char **argv) {
    static struct bench bench = {.accounts = 100000, .transactions = 20000, .blocks = 5};
    char error[STORE_ERROR_BYTES] = "";
    if (!parse(argc, argv, &bench)) {
        (void)fprintf(stderr, "usage: bench_block --dir DIR [--accounts N] [--transactions N] "
                              "[--blocks N] [--token]\n");
        return 2;
    }
    bench.random = 0x9e3779b97f4a7c15u;
    bench.config = chain_config_for_fork(FORK_PRAGUE);
    bench.arena = arena_over(reserve(ARENA_BYTES), ARENA_BYTES);
    bench.scratch = arena_over(reserve(ARENA_BYTES), ARENA_BYTES);
    bench.items = arena_over(reserve(BLOCK_TRANSACTIONS_MAX * 2 * ITEM_BYTES),
                             BLOCK_TRANSACTIONS_MAX * 2 * ITEM_BYTES);
    bench.nonces = reserve(bench.accounts * sizeof *bench.nonces);
    bench.encoded = reserve(bench.transactions * sizeof *bench.encoded);
    bench.senders = reserve(bench.transactions * sizeof *bench.senders);
    bench.hashes = reserve(bench.transactions * sizeof *bench.hashes);
    stop_on(evm_create(reserve(EVM_ARENA_BYTES), EVM_ARENA_BYTES, &bench.evm), "evm");
    const struct store_config config = {.directory = bench.directory, .views_max = 4};
    const enum err err = store_open(&config, &bench.store, error);
    if (err != ERR_OK) {
        (void)fprintf(stderr, "bench_block: %s\n", error);
        return 1;
    }
    load_genesis(&bench);
    for (uint64_t i = 0; i < bench.blocks; i++)
        run_block(&bench, i);
    report(&bench);
    store_close(bench.store);
    return 0;
}
