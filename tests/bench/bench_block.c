/* What a full block costs on one core, signatures excluded: decoding and executing its transactions
 * in the EVM, receipts and state root, the list of writes, and making it durable.
 *
 *   bench_block --dir DIR [--accounts N] [--transactions N] [--blocks N] [--warm N] [--token]
 *               [--keep] [--row]
 *
 * makes a store of N accounts in DIR, each with ether and tokens (with --keep it takes the one that
 * is there), and commits blocks of transfers between accounts chosen evenly, of ether or (--token)
 * of an ERC-20 token.  A line per block, then the medians without the first --warm blocks (default
 * 0); --row prints one row of a table instead.  Wall time and processor time: what else the machine
 * does stretches the first. */
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

enum phase { PHASE_EXECUTE, PHASE_ROOTS, PHASE_WRITES, PHASE_COMMIT, PHASE_COUNT };

/* What one block cost. */
struct sample {
    double wall_ms[PHASE_COUNT], processor_ms[PHASE_COUNT];
    double read_bytes;    /* keys and values that the state asked the store for */
    double written_bytes; /* what the kernel sent towards the disk */
    double gas;
    double writes; /* entries that the block changed */
};

struct bench {
    const char *directory;
    uint64_t accounts, transactions, blocks, warm;
    bool is_token, is_kept, is_row;
    struct store *store;
    struct evm *evm;
    struct arena arena, scratch, items;
    struct chain_config config;
    struct header head;
    uint32_t *nonces; /* by account, 1 more than the nonce; 0: not read yet */
    struct bytes *encoded;
    struct address *senders;
    struct hash32 *hashes;
    uint64_t random;
    struct kv_reader inner; /* of the block under way */
    uint64_t read_bytes;
    struct sample samples[BLOCKS_MAX];
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

/* Something to load, named by the hash that orders it: loading in order appends. */
struct hashed {
    uint64_t start; /* of the hash */
    uint64_t index; /* of the account */
};

static int compare_hashed(const void *a, const void *b) {
    const struct hashed *left = a, *right = b;
    return left->start < right->start ? -1 : left->start > right->start;
}

/* slot_of is where the token keeps an account's balance. */
static struct hash32 slot_of(const struct address *owner) {
    uint8_t words[64] = {0};
    memcpy(words + 12, owner->bytes, sizeof owner->bytes);
    return keccak256(BYTES_OF(words));
}

static struct hashed *hashed_list(uint64_t count, bool of_slots) {
    struct hashed *list = reserve(count * sizeof *list);
    for (uint64_t i = 0; i < count; i++) {
        const struct address address = address_at(i);
        const struct hash32 slot = slot_of(&address);
        const struct hash32 hash =
            keccak256(of_slots ? hash_bytes(&slot) : address_bytes(&address));
        list[i] = (struct hashed){be_read(hash.bytes, 8), i};
    }
    qsort(list, count, sizeof *list, compare_hashed);
    return list;
}

static struct hash32 load_piece(struct bench *bench, const struct hashed *list, uint64_t count,
                                bool of_slots) {
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
    if (!of_slots) set_contracts(state);
    for (uint64_t i = 0; i < count; i++) {
        const struct address address = address_at(list[i].index);
        const struct hash32 slot = slot_of(&address);
        if (of_slots) state_set_storage(state, &token, &slot, &rich);
        if (!of_slots) state_set_balance(state, &address, &rich);
        if (i % 1000 == 0) state_end_transaction(state, true);
    }
    state_end_transaction(state, true);
    stop_on(state_root(state, &root), "root");
    stop_on(state_writes(state, &writes, &writes_count), "writes");
    stop_on(store_load_state(bench->store, writes, writes_count), "load");
    store_view_close(view);
    return root;
}

static void load_genesis(struct bench *bench) {
    struct header *header = &bench->head;
    *header = header_empty(FORK_PRAGUE);
    header->gas_limit = (uint64_t)1 << 40;
    header->base_fee = u256_from_u64(1000000000);
    stop_on(store_set_durable(bench->store, false), "durability");
    for (int of_slots = 0; of_slots < 2; of_slots++) {
        struct hashed *list = hashed_list(bench->accounts, of_slots != 0);
        for (uint64_t from = 0; from < bench->accounts; from += LOAD_ACCOUNTS) {
            const uint64_t rest = bench->accounts - from;
            header->state_root = load_piece(
                bench, list + from, rest < LOAD_ACCOUNTS ? rest : LOAD_ACCOUNTS, of_slots != 0);
        }
        CHECK(munmap(list, bench->accounts * sizeof *list) == 0);
    }
    const struct store_block block = {
        .header = header, .hash = header_hash(header), .package = BYTES_STRING("genesis")};
    stop_on(store_commit_block(bench->store, &block, &bench->scratch), "genesis");
    stop_on(store_set_durable(bench->store, true), "durability");
}

/* open_chain takes the chain that is there, or makes one. */
static void open_chain(struct bench *bench) {
    const struct store_head head = store_head(bench->store);
    struct store_view *view;
    if (!head.has_block) {
        load_genesis(bench);
        return;
    }
    if (!bench->is_kept) stop_on(ERR_EXISTS, bench->directory);
    stop_on(store_view_open(bench->store, &view), "view");
    stop_on(store_header(view, head.number, &bench->head, NULL), "header");
    store_view_close(view);
}

/* --- blocks */

/* next_nonce is the account's nonce, and counts it as used. */
static uint64_t next_nonce(struct bench *bench, const struct kv_reader *reader, uint64_t index) {
    if (bench->nonces[index] == 0) {
        const struct address address = address_at(index);
        const struct hash32 hash = keccak256(address_bytes(&address));
        struct bytes encoded;
        struct account account;
        stop_on(reader->get(reader->context, KV_ACCOUNTS, hash_bytes(&hash), &encoded), "account");
        stop_on(account_decode(encoded, &account), "account");
        bench->nonces[index] = (uint32_t)account.nonce + 1;
    }
    return bench->nonces[index]++ - 1;
}

static void make_transactions(struct bench *bench) {
    struct store_view *view;
    struct store_state latest;
    stop_on(store_view_open(bench->store, &view), "view");
    store_state_latest(view, &latest);
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
                                                .nonce = next_nonce(bench, &latest.reader, from),
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
    store_view_close(view);
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
                   const struct header *header, const struct kv_write *writes, size_t count,
                   const struct store_view *view) {
    const struct store_block stored = {.header = header,
                                       .hash = header_hash(header),
                                       .package = {bench->items.data, bench->items.used},
                                       .commit = BYTES_STRING("commit"),
                                       .transaction_hashes = bench->hashes,
                                       .transactions_count = bench->transactions,
                                       .receipts = block->receipts,
                                       .receipts_count = block->receipts_count,
                                       .writes = writes,
                                       .writes_count = count,
                                       .view = view};
    stop_on(store_commit_block(bench->store, &stored, &bench->scratch), "commit");
}

static enum err counting_get(void *context, enum kv_table table, struct bytes key,
                             struct bytes *value) {
    struct bench *bench = context;
    TRY(bench->inner.get(bench->inner.context, table, key, value));
    bench->read_bytes += key.size + value->size;
    return ERR_OK;
}

static enum err counting_seek(void *context, enum kv_table table, struct bytes key,
                              struct bytes *key_found, struct bytes *value) {
    struct bench *bench = context;
    TRY(bench->inner.seek(bench->inner.context, table, key, key_found, value));
    bench->read_bytes += key_found->size + value->size;
    return ERR_OK;
}

/* process_number reads a number after `name` in a file about this process. */
static double process_number(const char *path, const char *name) {
    FILE *file = fopen(path, "r");
    char line[128];
    double number = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) number = atof(line + strlen(name));
    }
    if (file != NULL) (void)fclose(file);
    return number;
}

/* A stopwatch over the phases of a block. */
struct watch {
    struct sample *sample;
    double wall_ms, processor_ms;
};

static void watch_phase(struct watch *watch, enum phase phase) {
    const double wall = clock_ms(CLOCK_MONOTONIC);
    const double processor = clock_ms(CLOCK_PROCESS_CPUTIME_ID);
    watch->sample->wall_ms[phase] = wall - watch->wall_ms;
    watch->sample->processor_ms[phase] = processor - watch->processor_ms;
    watch->wall_ms = wall;
    watch->processor_ms = processor;
}

static void run_block(struct bench *bench, struct sample *sample) {
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
    bench->read_bytes = 0;
    const double written = process_number("/proc/self/io", "write_bytes:");
    struct watch watch = {sample, clock_ms(CLOCK_MONOTONIC), clock_ms(CLOCK_PROCESS_CPUTIME_ID)};
    stop_on(store_view_open(bench->store, &view), "view");
    store_state_latest(view, &latest);
    bench->inner = latest.reader;
    const struct kv_reader counting = {bench, counting_get, counting_seek};
    stop_on(state_begin(&bench->arena, &counting, &state), "state");
    stop_on(ethereum_block_begin(&block, bench->evm, state, &bench->arena, &bench->config,
                                 &ancestors, &header, bench->transactions),
            "begin");
    apply_all(bench, &block);
    watch_phase(&watch, PHASE_EXECUTE);
    stop_on(ethereum_block_end(&block, NULL, 0, NULL, 0, &header, &fault), "end");
    CHECK(fault.verdict == VERDICT_ACCEPTED);
    stop_on(transactions_root(bench->encoded, bench->transactions, &bench->arena,
                              &header.transactions_root),
            "transactions root");
    watch_phase(&watch, PHASE_ROOTS);
    stop_on(state_writes(state, &writes, &writes_count), "writes");
    watch_phase(&watch, PHASE_WRITES);
    commit(bench, &block, &header, writes, writes_count, view);
    watch_phase(&watch, PHASE_COMMIT);
    store_view_close(view);
    bench->head = header;
    sample->read_bytes = (double)bench->read_bytes;
    sample->written_bytes = process_number("/proc/self/io", "write_bytes:") - written;
    sample->gas = (double)header.gas_used;
    sample->writes = (double)writes_count;
    if (bench->is_row) return;
    printf("block %3lu: execute %7.2f  roots %7.2f  writes %7.2f  commit %7.2f ms; processor "
           "%.2f %.2f %.2f %.2f; %.0f writes, %.1f MiB to disk\n",
           (unsigned long)header.number, sample->wall_ms[0], sample->wall_ms[1], sample->wall_ms[2],
           sample->wall_ms[3], sample->processor_ms[0], sample->processor_ms[1],
           sample->processor_ms[2], sample->processor_ms[3], sample->writes,
           sample->written_bytes / 1048576.0);
}

static int compare_doubles(const void *a, const void *b) {
    const double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

/* median of a field of the samples that count. */
static double median(const struct bench *bench, size_t offset) {
    double values[BLOCKS_MAX];
    const size_t count = bench->blocks - bench->warm;
    for (size_t i = 0; i < count; i++) {
        memcpy(&values[i], (const uint8_t *)&bench->samples[bench->warm + i] + offset,
               sizeof values[i]);
    }
    qsort(values, count, sizeof *values, compare_doubles);
    return values[count / 2];
}

#define MEDIAN(field) median(bench, offsetof(struct sample, field))

static void report(struct bench *bench) {
    static const char *const names[PHASE_COUNT] = {"execute", "roots", "writes", "commit"};
    double wall[PHASE_COUNT], processor[PHASE_COUNT], wall_all = 0, processor_all = 0;
    for (size_t i = 0; i < PHASE_COUNT; i++) {
        wall[i] = median(bench, offsetof(struct sample, wall_ms) + i * sizeof(double));
        processor[i] = median(bench, offsetof(struct sample, processor_ms) + i * sizeof(double));
        wall_all += wall[i];
        processor_all += processor[i];
    }
    const double per_second = 1e3 * (double)bench->transactions / processor_all;
    const double resident = process_number("/proc/self/status", "RssAnon:") / 1024;
    const char *what = bench->is_token ? "ERC-20" : "ether";
    if (bench->is_row) {
        printf("| %lu | %lu %s | %.0f | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %.0f |\n",
               (unsigned long)bench->accounts, (unsigned long)bench->transactions, what, per_second,
               processor_all, wall_all, processor[PHASE_ROOTS], processor[PHASE_COMMIT],
               MEDIAN(read_bytes) / 1048576, MEDIAN(written_bytes) / 1048576, resident);
        return;
    }
    printf("median of %lu blocks of %lu %s transfers over %lu accounts, wall (processor) ms:",
           (unsigned long)(bench->blocks - bench->warm), (unsigned long)bench->transactions, what,
           (unsigned long)bench->accounts);
    for (size_t i = 0; i < PHASE_COUNT; i++)
        printf(" %s %.1f (%.1f)", names[i], wall[i], processor[i]);
    printf(" = %.1f (%.1f): %.0f transactions and %.0f Mgas per second of processor; %.0f writes, "
           "read %.1f MiB, written %.1f MiB; resident %.0f MiB, file %.0f MiB\n",
           wall_all, processor_all, per_second, MEDIAN(gas) / processor_all / 1e3, MEDIAN(writes),
           MEDIAN(read_bytes) / 1048576, MEDIAN(written_bytes) / 1048576, resident,
           (double)store_stats(bench->store).file_bytes / 1048576);
}

static bool parse(int argc, char **argv, struct bench *out) {
    for (int i = 1; i < argc; i++) {
        uint64_t *number = NULL;
        bool *flag = NULL;
        if (strcmp(argv[i], "--token") == 0) flag = &out->is_token;
        if (strcmp(argv[i], "--keep") == 0) flag = &out->is_kept;
        if (strcmp(argv[i], "--row") == 0) flag = &out->is_row;
        if (flag != NULL) {
            *flag = true;
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
        else if (strcmp(argv[i], "--warm") == 0)
            number = &out->warm;
        else
            return false;
        if (number != NULL) *number = strtoull(argv[++i], NULL, 10);
    }
    return out->directory != NULL && out->accounts != 0 && out->warm < out->blocks &&
           out->blocks <= BLOCKS_MAX && out->transactions != 0 &&
           out->transactions <= BLOCK_TRANSACTIONS_MAX;
}

int main(int argc, char **argv) {
    static struct bench bench = {.accounts = 100000, .transactions = 20000, .blocks = 5};
    char error[STORE_ERROR_BYTES] = "";
    if (!parse(argc, argv, &bench)) {
        (void)fprintf(stderr, "usage: bench_block --dir DIR [--accounts N] [--transactions N] "
                              "[--blocks N] [--warm N] [--token] [--keep] [--row]\n");
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
    open_chain(&bench);
    for (uint64_t i = 0; i < bench.blocks; i++)
        run_block(&bench, &bench.samples[i]);
    report(&bench);
    store_close(bench.store);
    return 0;
}
