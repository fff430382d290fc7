/* What a decision costs, by the number of validators: time from proposal to durable commit, blocks
 * per second, messages and bytes per block.
 *
 * usage: bench_consensus VALIDATORS SECONDS empty|full [PORT]
 *        bench_consensus limits
 *
 * A whole node (sequencer, executor, database, write-ahead file, p2p over real sockets) runs
 * VALIDATORS times, all in this one process, full mesh over the loopback device; what is missing of
 * `baton node` is RPC, L1 and DA.  `empty`: blocks as fast as they go.  `full`: the pools of all
 * nodes are filled beforehand, only blocks of at least nine tenths of the gas limit count, and
 * block time is long enough for one.  `limits` measures what no protocol can go below on this
 * machine: one write that is durable, one signature, one recovery of a signer. */
#include <curl/curl.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "node/log.h"
#include "node/node.h"
#include "threads/clock.h"
#include "workloads/system_contracts.h"
#include "workloads/workload.h"

#define ACCOUNTS     128
#define GAS_LIMIT    30000000u
#define TRANSFER_GAS 21000u
#define BLOCK_ITEMS  (GAS_LIMIT / TRANSFER_GAS)
#define PEERS_TEXT   (VALIDATORS_MAX * 96)
#define SAMPLES_MAX  (VALIDATORS_MAX * DECIDE_NEWEST_MAX)
#define CONNECT_MS   300000
#define CHAIN_ID     31337
#define LIMIT_TRIES  400

struct cluster {
    uint32_t count;
    char directory[64];
    struct genesis genesis;
    struct genesis_account accounts[ACCOUNTS + SYSTEM_CONTRACTS_COUNT];
    struct secp_key account_keys[ACCOUNTS];
    struct secp_key keys[VALIDATORS_MAX];
    struct ed25519_key peers[VALIDATORS_MAX];
    struct settings settings[VALIDATORS_MAX];
    char directories[VALIDATORS_MAX][128];
    char peer_lists[VALIDATORS_MAX][PEERS_TEXT];
    struct node *nodes[VALIDATORS_MAX];
};

static void fail(const char *what) {
    fprintf(stderr, "bench_consensus: %s\n", what);
    exit(1);
}

static struct secp_key key_at(uint32_t number) {
    struct secp_key key = {{0}};
    be_write(key.secret + 24, 8, 1000000 + (uint64_t)number);
    return key;
}

static void make_keys(struct cluster *cluster) {
    for (uint32_t i = 0; i < cluster->count; i++) {
        uint8_t seed[32] = {[0] = 1, [30] = (uint8_t)(i >> 8), [31] = (uint8_t)i};
        cluster->keys[i] = key_at(i);
        cluster->peers[i] = ed25519_key_from_seed(seed);
    }
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        cluster->account_keys[i] = key_at(1000 + i);
}

static int by_address(const void *a, const void *b) {
    const struct validator *left = a, *right = b;
    return memcmp(left->address.bytes, right->address.bytes, sizeof left->address.bytes);
}

static void make_genesis(struct cluster *cluster, uint64_t block_time_ms) {
    struct chain_config config = chain_config_for_fork(FORK_OSAKA);
    struct validator_set *set = &config.rollup.validators;
    config.chain_id = CHAIN_ID;
    config.is_rollup = true;
    config.rollup = (struct rollup_config){
        .fault_model = cluster->count >= 4 ? FAULT_MODEL_BYZANTINE : FAULT_MODEL_CRASH,
        .blocks_per_rotation = 100,
        .timeout_blocks = 10,
        .block_time_ms = block_time_ms,
        .batch_blocks = 50,
        .batch_bytes_max = 1u << 20,
    };
    set->count = cluster->count;
    for (uint32_t i = 0; i < cluster->count; i++) {
        set->validators[i] = (struct validator){secp_key_address(&cluster->keys[i]),
                                                cluster->peers[i].public_key, 1000, 0};
    }
    qsort(set->validators, set->count, sizeof set->validators[0], by_address);
    const struct u256 wealth = {{0, 0, 1, 0}};
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        cluster->accounts[i].address = secp_key_address(&cluster->account_keys[i]);
        cluster->accounts[i].balance = wealth;
    }
    system_contracts_list(cluster->accounts + ACCOUNTS);
    cluster->genesis = (struct genesis){
        .config = config,
        .header = header_empty(FORK_OSAKA),
        .accounts = cluster->accounts,
        .accounts_count = ACCOUNTS + SYSTEM_CONTRACTS_COUNT,
    };
    cluster->genesis.header.gas_limit = GAS_LIMIT;
    cluster->genesis.header.base_fee = u256_from_u64(1000000000);
}

static void make_settings(struct cluster *cluster, uint32_t index, uint16_t port) {
    struct settings *settings = &cluster->settings[index];
    char name[] = "node", error[512], id[67];
    char *arguments[] = {name, NULL};
    size_t size = 0;
    if (settings_read(COMMAND_NODE, 1, arguments, settings, error) != ERR_OK) fail(error);
    for (uint32_t i = 0; i < cluster->count; i++) {
        if (i == index) continue;
        size +=
            (size_t)snprintf(cluster->peer_lists[index] + size, PEERS_TEXT - size,
                             "%s%s@127.0.0.1:%u", size > 0 ? "," : "",
                             hex_string(hash_bytes(&cluster->peers[i].public_key), id), port + i);
    }
    settings->p2p_peers = cluster->peer_lists[index];
    settings->p2p_host = "127.0.0.1";
    settings->p2p_port = port + index;
    settings->rpc_port = settings->ws_port = settings->metrics_port = 0;
    settings->rpc_threads = settings->rpc_workers = 1;
    settings->sync = "blocks"; /* nobody is ahead: a start does not look for a snapshot */
    settings->map_gib = 8;
    settings->timeout_propose_ms = 60000; /* a slow round is to be measured, not given up */
    settings->timeout_vote_ms = 30000;
}

static void start_node(struct cluster *cluster, uint32_t index) {
    char error[512];
    snprintf(cluster->directories[index], sizeof cluster->directories[index], "%s/%u",
             cluster->directory, index);
    const struct node_options options = {
        .settings = &cluster->settings[index],
        .genesis = &cluster->genesis,
        .data_dir = cluster->directories[index],
        .has_validator_key = true,
        .validator_key = cluster->keys[index],
        .peer_key = cluster->peers[index],
        .has_p2p = true,
    };
    cluster->nodes[index] = calloc(1, sizeof *cluster->nodes[index]);
    if (cluster->nodes[index] == NULL) fail("out of memory");
    if (node_start(&options, cluster->nodes[index], error) != ERR_OK) fail(error);
}

static uint64_t height_of(struct node *node) {
    pthread_mutex_lock(&node->status_lock);
    const uint64_t height = node->status.head_height;
    pthread_mutex_unlock(&node->status_lock);
    return height;
}

static uint64_t lowest(const struct cluster *cluster) {
    uint64_t height = UINT64_MAX;
    for (uint32_t i = 0; i < cluster->count; i++) {
        const uint64_t own = height_of(cluster->nodes[i]);
        if (own < height) height = own;
    }
    return height;
}

/* wait_mesh returns when everybody is connected to everybody and has a block. */
static void wait_mesh(const struct cluster *cluster) {
    const uint64_t until = monotonic_ms() + CONNECT_MS;
    for (bool is_whole = false; !is_whole; usleep(20000)) {
        is_whole = lowest(cluster) > 0;
        for (uint32_t i = 0; i < cluster->count && is_whole; i++) {
            is_whole = p2p_counters(cluster->nodes[i]->p2p).peers_connected == cluster->count - 1;
        }
        if (monotonic_ms() > until) fail("the nodes do not come together");
    }
}

/* --- load */

/* give_transfer puts one signed transfer into every pool, as if some peer had sent it. */
static void give_transfer(const struct cluster *cluster, const struct secp_key *key,
                          uint64_t nonce) {
    uint8_t memory[8192], room[4096];
    struct arena arena = arena_over(memory, sizeof memory);
    struct arena item_arena = arena_over(room, sizeof room);
    const struct workload *evm = workload_by_kind(WORKLOAD_KIND_EVM);
    struct driver_item carried = {.peer = {{1}}};
    struct transaction transaction = {
        .type = TRANSACTION_DYNAMIC_FEE,
        .is_protected = true,
        .chain_id = CHAIN_ID,
        .nonce = nonce,
        .max_priority_fee = u256_from_u64(1000000000),
        .max_fee = u256_from_u64(100000000000000),
        .gas_limit = TRANSFER_GAS,
        .to = secp_key_address(key),
        .value = u256_from_u64(1),
    };
    if (transaction_sign(&transaction, key, &arena) != ERR_OK) fail("cannot sign");
    if (evm->inspect(&cluster->genesis.config, FORK_OSAKA, transaction.encoded, &item_arena,
                     &carried.item) != VERDICT_ACCEPTED) {
        fail("a transfer is not accepted");
    }
    for (uint32_t i = 0; i < cluster->count; i++) {
        while (driver_push(cluster->nodes[i], QUEUE_BULK, DRIVER_ITEM, VALUE_BYTES(carried),
                           carried.item.encoded) != ERR_OK) {
            usleep(1000);
        }
    }
}

static void fill_pools(const struct cluster *cluster, uint32_t blocks, uint64_t *nonce) {
    const uint32_t each = blocks * BLOCK_ITEMS / ACCOUNTS + 1;
    for (uint32_t i = 0; i < each; i++) {
        for (uint32_t j = 0; j < ACCOUNTS; j++)
            give_transfer(cluster, &cluster->account_keys[j], *nonce);
        *nonce += 1;
    }
}

/* --- figures */

/* Sums over all nodes at one moment. */
struct sums {
    uint64_t at_us, height, messages, bytes;
    uint64_t decided[VALIDATORS_MAX]; /* durations noted so far */
};

static struct sums take_sums(const struct cluster *cluster) {
    struct sums sums = {.at_us = monotonic_us(), .height = lowest(cluster)};
    for (uint32_t i = 0; i < cluster->count; i++) {
        const struct p2p_counters p2p = p2p_counters(cluster->nodes[i]->p2p);
        sums.messages += p2p.messages_sent;
        sums.bytes += p2p.bytes_sent;
        sums.decided[i] = atomic_load(&cluster->nodes[i]->counters.decide.count);
    }
    return sums;
}

static int by_value(const void *a, const void *b) {
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static double percentile_ms(const uint64_t *sorted, size_t count, unsigned percent) {
    if (count == 0) return 0;
    const size_t at = (count * percent + 99) / 100;
    return (double)sorted[at == 0 ? 0 : at - 1] / 1000;
}

/* is_full says whether a block used nine tenths of its gas. */
static bool is_full(struct node *node, uint64_t height) {
    struct store_view *view;
    struct header header = {.gas_used = 0};
    if (store_view_open(node->ledger.store, &view) != ERR_OK) return false;
    const enum err err = store_header(view, height, &header, NULL);
    store_view_close(view);
    return err == ERR_OK && header.gas_used >= GAS_LIMIT / 10 * 9;
}

/* collect takes all durations between two moments, of blocks that count; the drivers have ended. */
static size_t collect(const struct cluster *cluster, const struct sums *before,
                      const struct sums *after, const bool *counts, uint64_t heights_max,
                      uint64_t *out) {
    size_t count = 0;
    for (uint32_t i = 0; i < cluster->count; i++) {
        const struct decide *decide = &cluster->nodes[i]->counters.decide;
        uint64_t from = before->decided[i];
        if (after->decided[i] - from > DECIDE_NEWEST_MAX / 2) {
            from = after->decided[i] - DECIDE_NEWEST_MAX / 2;
        }
        for (uint64_t j = from; j < after->decided[i]; j++) {
            const uint64_t height = decide->newest_heights[j % DECIDE_NEWEST_MAX];
            if (height < heights_max && counts[height]) {
                out[count++] = decide->newest_us[j % DECIDE_NEWEST_MAX];
            }
        }
    }
    qsort(out, count, sizeof *out, by_value);
    return count;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *at) {
    (void)about, (void)kind, (void)at;
    return remove(path);
}

static void report(const struct cluster *cluster, const struct sums *before,
                   const struct sums *after, const bool *counts, uint64_t heights_max,
                   bool is_full_run) {
    static uint64_t samples[SAMPLES_MAX];
    const size_t count = collect(cluster, before, after, counts, heights_max, samples);
    const uint64_t blocks = after->height - before->height;
    const double seconds = (double)(after->at_us - before->at_us) / 1e6;
    uint64_t counted = 0;
    for (uint64_t height = before->height + 1; height <= after->height; height++)
        counted += height < heights_max && counts[height];
    if (blocks == 0 || count == 0) fail("no block was decided in that time");
    printf("| %u | %s | %llu | %.1f | %.1f | ", cluster->count, is_full_run ? "full" : "empty",
           (unsigned long long)counted, percentile_ms(samples, count, 50),
           percentile_ms(samples, count, 99));
    if (is_full_run) {
        printf("- | ");
    } else {
        printf("%.1f | ", (double)blocks / seconds);
    }
    printf("%.0f | %.1f |\n", (double)(after->messages - before->messages) / (double)blocks,
           (double)(after->bytes - before->bytes) / (double)blocks / 1000);
}

static void run(struct cluster *cluster, uint64_t seconds, bool is_full_run) {
    uint64_t nonce = 0;
    const uint32_t full_blocks = cluster->count > 40 ? 4 : 12;
    wait_mesh(cluster);
    if (is_full_run) fill_pools(cluster, full_blocks + 4, &nonce);
    if (!is_full_run) usleep(500000);
    const struct sums before = take_sums(cluster);
    if (is_full_run) { /* until the pools are empty, or the time is over */
        const uint64_t until = monotonic_ms() + seconds * 1000;
        while (monotonic_ms() < until && lowest(cluster) < before.height + full_blocks)
            usleep(10000);
    } else {
        usleep((useconds_t)(seconds * 1000000));
    }
    const struct sums after = take_sums(cluster);
    const uint64_t heights_max = after.height + 1;
    bool *counts = calloc(heights_max + 1, sizeof *counts);
    if (counts == NULL) fail("out of memory");
    for (uint64_t height = before.height + 1; height < heights_max; height++)
        counts[height] = !is_full_run || is_full(cluster->nodes[0], height);
    for (uint32_t i = 0; i < cluster->count; i++)
        node_stop(cluster->nodes[i]);
    report(cluster, &before, &after, counts, heights_max, is_full_run);
    free(counts);
}

/* --- what no protocol can go below */

static uint64_t durable_write_us(const char *directory) {
    char path[128];
    static uint64_t times[LIMIT_TRIES];
    uint8_t block[4096] = {0};
    snprintf(path, sizeof path, "%s/write", directory);
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || posix_fallocate(file, 0, sizeof block) != 0) fail("cannot write");
    for (int i = 0; i < LIMIT_TRIES; i++) {
        const uint64_t began = monotonic_us();
        block[0] = (uint8_t)i;
        if (pwrite(file, block, sizeof block, 0) != sizeof block || fdatasync(file) != 0) {
            fail("cannot write");
        }
        times[i] = monotonic_us() - began;
    }
    close(file);
    qsort(times, LIMIT_TRIES, sizeof times[0], by_value);
    return times[LIMIT_TRIES / 2];
}

static void limits(const char *directory) {
    const struct secp_key key = key_at(1);
    struct secp_signature signature;
    struct address signer;
    struct hash32 digest = {{0}};
    uint64_t began = monotonic_us();
    for (int i = 0; i < LIMIT_TRIES; i++) {
        digest.bytes[0] = (uint8_t)i;
        secp_sign(&key, &digest, &signature);
    }
    const double sign = (double)(monotonic_us() - began) / LIMIT_TRIES;
    began = monotonic_us();
    for (int i = 0; i < LIMIT_TRIES; i++) {
        if (secp_recover(&digest, &signature, &signer) != ERR_OK) fail("cannot recover");
    }
    const double recover = (double)(monotonic_us() - began) / LIMIT_TRIES;
    printf("one durable write of 4 KiB (median): %llu us; one signature: %.0f us; one recovery: "
           "%.0f us\n",
           (unsigned long long)durable_write_us(directory), sign, recover);
}

static bool read_arguments(int argc, char **argv, struct cluster *cluster, uint64_t *seconds,
                           bool *is_full_run, uint16_t *port) {
    if (argc < 4 || argc > 5) return false;
    cluster->count = (uint32_t)strtoul(argv[1], NULL, 10);
    *seconds = strtoul(argv[2], NULL, 10);
    *is_full_run = strcmp(argv[3], "full") == 0;
    *port = argc == 5 ? (uint16_t)strtoul(argv[4], NULL, 10) : 25000;
    return cluster->count > 0 && cluster->count <= VALIDATORS_MAX && *seconds > 0 &&
           (*is_full_run || strcmp(argv[3], "empty") == 0) && *port > 1023;
}

int main(int argc, char **argv) {
    struct cluster *cluster = calloc(1, sizeof *cluster);
    uint64_t seconds = 0;
    bool is_full_run = false;
    uint16_t port = 0;
    const bool is_limits = argc == 2 && strcmp(argv[1], "limits") == 0;
    if (cluster == NULL) fail("out of memory");
    if (!is_limits && !read_arguments(argc, argv, cluster, &seconds, &is_full_run, &port)) {
        fputs("usage: bench_consensus VALIDATORS SECONDS empty|full [PORT]\n"
              "       bench_consensus limits\n",
              stderr);
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (ed25519_init() != ERR_OK || !log_configure("error", "text")) fail("cannot start");
    snprintf(cluster->directory, sizeof cluster->directory, "%s/bench-consensus-XXXXXX",
             getenv("BENCH_DIR") != NULL ? getenv("BENCH_DIR") : "/tmp");
    if (mkdtemp(cluster->directory) == NULL) fail("cannot make a directory");
    if (is_limits) {
        limits(cluster->directory);
    } else {
        /* A full block costs each node some 50 ms, and all share the machine. */
        const uint64_t block_time = is_full_run ? 400 + 150 * (uint64_t)cluster->count : 1;
        make_keys(cluster);
        make_genesis(cluster, block_time);
        for (uint32_t i = 0; i < cluster->count; i++) {
            make_settings(cluster, i, port);
            start_node(cluster, i);
        }
        run(cluster, seconds, is_full_run);
    }
    nftw(cluster->directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}
