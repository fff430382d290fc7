/* Bad days from seeds: kills, cuts and outages under load; afterwards the nodes agree, go on, and
 * have every transfer that was acknowledged exactly once, and every batch is on the DA layer. */
#include "sequencer/test_cluster.h"

static uint64_t random_state;

static uint64_t dice(uint64_t sides) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % sides;
}

struct day {
    struct cluster *cluster;
    uint64_t nonces[ACCOUNTS];
    uint64_t acknowledged; /* transfers of one wei each */
    uint32_t kills, cuts, outages;
};

static struct address sink_of(void) {
    return (struct address){{0xee, 1}};
}

/* spend sends the account's next transfer through a node that is up, again until it is
 * acknowledged: what was sent but not answered may or may not have gone in. */
static void spend(struct day *day) {
    struct cluster *cluster = day->cluster;
    struct cluster_node *node = &cluster->nodes[dice(cluster->count)];
    const struct address sink = sink_of();
    if (!node->is_up || node->is_cut) return;
    const uint32_t account = (uint32_t)dice(ACCOUNTS);
    const uint32_t accepted = node->accepted;
    transfer(node, account, day->nonces[account], &sink, 1, 1);
    for (int ms = 0; ms < 400 && node->accepted == accepted && node->is_up; ms++) {
        cluster_run(cluster, 1);
        if (node->refused != 0) {
            const enum verdict verdict = node->last_verdict;
            const bool is_in = verdict == VERDICT_ALREADY_KNOWN || verdict == VERDICT_NONCE_TOO_LOW;
            CHECK(is_in || verdict == VERDICT_REPLACEMENT_UNDERPRICED);
            node->refused = 0;
            break;
        }
    }
    day->nonces[account] += 1; /* answered, or in the pool of a node that waits for a hung peer */
}

static uint32_t nodes_up(const struct cluster *cluster) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < cluster->count; i++) {
        count += cluster->nodes[i].is_up && !cluster->nodes[i].is_cut ? 1 : 0;
    }
    return count;
}

static void misfortune(struct day *day) {
    struct cluster *cluster = day->cluster;
    struct cluster_node *node = &cluster->nodes[dice(cluster->count)];
    switch (dice(6)) {
    case 0:
    case 1:
        if (!node->is_up) {
            node_restart(node);
        } else if (nodes_up(cluster) == cluster->count) {
            node_kill(node);
            day->kills += 1;
        }
        break;
    case 2:
    case 3:
        if (!node->is_up) break;
        if (node->is_cut) {
            node->is_cut = false;
        } else if (nodes_up(cluster) == cluster->count) {
            node->is_cut = true;
            day->cuts += 1;
        }
        break;
    case 4:
        cluster->is_da_down = !cluster->is_da_down;
        day->outages += 1;
        break;
    default: break;
    }
}

static void heal(struct day *day) {
    struct cluster *cluster = day->cluster;
    cluster->is_da_down = false;
    for (uint32_t i = 0; i < cluster->count; i++) {
        cluster->nodes[i].is_cut = false;
        if (!cluster->nodes[i].is_up) node_restart(&cluster->nodes[i]);
    }
    cluster_run(cluster, 6000);
}

static void check_day(const struct day *day) {
    struct cluster *cluster = day->cluster;
    const struct address sink = sink_of();
    uint64_t sent = 0;
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        sent += day->nonces[i];
    agree(cluster);
    for (uint32_t i = 0; i < cluster->count; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        struct sequencer_status status;
        sequencer_status(node->sequencer, &status);
        CHECK(node->halted == 0);
        CHECK(node->evidence == 0);
        CHECK(status.pool_pending == 0);
        CHECK(status.head_height + 2 >= cluster->nodes[0].view.head.number);
        CHECK(balance_of(node, &sink).limb[0] == sent);
    }
}

static void run_day(uint64_t seed, uint32_t nodes, enum fault_model model) {
    random_state = seed * 7919 + 1;
    const struct cluster_options options = {.nodes = nodes,
                                            .validators = nodes,
                                            .blocks_per_rotation = 7,
                                            .block_time_ms = 100,
                                            .batch_blocks = 9,
                                            .model = model};
    struct day day = {.cluster = cluster_create(&options)};
    cluster_run(day.cluster, 300);
    for (int i = 0; i < 60; i++) {
        cluster_run(day.cluster, dice(150));
        spend(&day);
        if (dice(4) == 0) misfortune(&day);
    }
    const uint64_t before = day.cluster->nodes[0].view.head.number;
    heal(&day);
    CHECK(day.cluster->nodes[0].view.head.number > before + 20);
    check_day(&day);
    printf("seed %llu: %u nodes, %llu blocks, %u kills, %u cuts, %u outages\n",
           (unsigned long long)seed, nodes,
           (unsigned long long)day.cluster->nodes[0].view.head.number, day.kills, day.cuts,
           day.outages);
    cluster_destroy(day.cluster);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        const uint64_t seed = strtoull(argv[1], NULL, 10);
        run_day(seed, seed % 2 == 0 ? 3 : 4,
                seed % 2 == 0 ? FAULT_MODEL_CRASH : FAULT_MODEL_BYZANTINE);
        return 0;
    }
    for (uint64_t seed = 0; seed < 10; seed++) {
        run_day(seed, seed % 2 == 0 ? 3 : 4,
                seed % 2 == 0 ? FAULT_MODEL_CRASH : FAULT_MODEL_BYZANTINE);
    }
    printf("ok\n");
    return 0;
}
