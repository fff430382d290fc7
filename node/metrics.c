/* The metrics page: names as operators' dashboards have them, `ande_` being the chain's name. */
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/hex.h"
#include "node/node.h"
#include "threads/clock.h"

/* A page being written. */
struct page {
    struct buffer *out;
    const char *ns;
};

static void put(struct page *page, const char *text) {
    buffer_append(page->out, bytes_from_string(text));
}

static void head(struct page *page, const char *name, const char *type, const char *help) {
    char line[320];
    snprintf(line, sizeof line, "# HELP %s_%s %s\n# TYPE %s_%s %s\n", page->ns, name, help,
             page->ns, name, type);
    put(page, line);
}

static void sample(struct page *page, const char *name, const char *labels, double value) {
    char line[320];
    snprintf(line, sizeof line, "%s_%s%s %.17g\n", page->ns, name, labels, value);
    put(page, line);
}

static void gauge(struct page *page, const char *name, const char *help, double value) {
    head(page, name, "gauge", help);
    sample(page, name, "", value);
}

static void counter(struct page *page, const char *name, const char *help, double value) {
    head(page, name, "counter", help);
    sample(page, name, "", value);
}

static void histogram(struct page *page, struct histogram *values, const char *name,
                      const char *help) {
    char full[128];
    snprintf(full, sizeof full, "%s_%s", page->ns, name);
    histogram_write(values, full, help, page->out);
}

static void write_consensus(struct page *page, struct node *node,
                            const struct sequencer_status *status) {
    char labels[80], address[43];
    gauge(page, "consensus_active_validators", "Validators in the active set.",
          status->validators_count);
    head(page, "consensus_current_proposer", "gauge", "1 for the validator that leads now.");
    snprintf(labels, sizeof labels, "{address=\"%s\"}",
             hex_checksum_address(&status->proposer, address));
    sample(page, "consensus_current_proposer", labels, 1);
    gauge(page, "consensus_is_proposer", "1 when this node leads.", status->is_proposer);
    gauge(page, "consensus_rotation_count", "Number of the current rotation.",
          (double)status->rotation);
    counter(page, "consensus_timeout_events_total", "Rounds that failed.",
            (double)status->timeouts_total);
    gauge(page, "consensus_round", "Round of the current height.", status->round);
    head(page, "consensus_votes_total", "counter", "Votes received and counted.");
    sample(page, "consensus_votes_total", "{kind=\"prevote\"}",
           (double)status->votes_prevote_total);
    sample(page, "consensus_votes_total", "{kind=\"precommit\"}",
           (double)status->votes_precommit_total);
    gauge(page, "consensus_total_voting_power", "Sum of the active set's power.",
          (double)status->power_total);
    counter(page, "consensus_blocks_produced_total", "Blocks this node proposed that committed.",
            (double)status->blocks_produced_total);
    counter(page, "consensus_evidence_total", "Double signatures seen.",
            (double)status->evidence_total);
    const struct evidence_counts evidence = evidence_keeper_counts(node->keeper);
    gauge(page, "consensus_evidence_kept", "Double signatures in the database.",
          (double)evidence.kept);
    gauge(page, "consensus_evidence_punished", "Of them, those that L1 has punished.",
          (double)evidence.on_l1);
    counter(page, "consensus_blocks_refused_total", "Proposed blocks that were not valid.",
            (double)atomic_load(&node->counters.blocks_invalid));
    const uint64_t now = unix_ms() / 1000;
    const double lag = status->l1_timestamp == 0 || now < status->l1_timestamp
                           ? 0
                           : (double)(now - status->l1_timestamp);
    gauge(page, "consensus_l1_origin_lag_seconds", "Age of the L1 block that the chain reads.",
          lag);
    histogram(page, &node->counters.block_time, "consensus_block_time_seconds",
              "Time between two committed blocks.");
    histogram(page, &node->counters.decide.seconds, "consensus_decide_seconds",
              "Time from the first proposal for a height to its durable block.");
    histogram(page, &node->counters.rotation_gap, "consensus_rotation_gap_seconds",
              "Time from a rotation's last block to the next one's first.");
}

static void write_chain(struct page *page, struct node *node,
                        const struct sequencer_status *status) {
    struct rpc_health health;
    health_read(node, &health);
    gauge(page, "chain_block_height", "Height of the last committed block.",
          (double)status->head_height);
    gauge(page, "chain_sync_lag_blocks", "Blocks behind the highest height seen.",
          (double)(health.highest_block - status->head_height));
    gauge(page, "chain_safe_block", "Last block on the DA layer.", (double)status->published_block);
    gauge(page, "chain_finalized_block", "Last block settled in a finalized L1 block.",
          (double)status->settled_block);
    gauge(page, "chain_ready", "1 when /ready answers 200.", health.is_ready);
    counter(page, "evm_transactions_total", "Transactions in committed blocks since start.",
            (double)atomic_load(&node->counters.transactions));
    counter(page, "evm_gas_used_total", "Gas used in committed blocks since start.",
            (double)atomic_load(&node->counters.gas_used));
    gauge(page, "evm_txpool_pending", "Transactions that can be in the next block.",
          status->pool_pending);
    gauge(page, "evm_txpool_queued", "Transactions that wait for an earlier nonce.",
          status->pool_queued);
    gauge(page, "evm_txpool_bytes", "Bytes of the pool's transactions.",
          (double)status->pool_bytes);
    histogram(page, &node->counters.execute_time, "evm_block_execute_seconds",
              "Time to build or check a block.");
    histogram(page, &node->counters.commit_time, "store_commit_seconds",
              "Time to make a block durable.");
    head(page, "evm_txpool_verdicts_total", "counter", "What was said of submitted items.");
    for (int i = 0; i < VERDICT_COUNT; i++) {
        char labels[80];
        if (status->verdicts_total[i] == 0 && i != VERDICT_ACCEPTED) continue;
        snprintf(labels, sizeof labels, "{verdict=\"%s\"}", verdict_name((enum verdict)i));
        sample(page, "evm_txpool_verdicts_total", labels, (double)status->verdicts_total[i]);
    }
}

static void write_traffic(struct page *page, const char *name, const char *help,
                          atomic_uint_fast64_t counts[TRAFFIC_KINDS]) {
    head(page, name, "counter", help);
    for (unsigned kind = 0; kind < TRAFFIC_KINDS; kind++) {
        char labels[64];
        snprintf(labels, sizeof labels, "{type=\"%s\"}", traffic_name(kind));
        sample(page, name, labels, (double)atomic_load(&counts[kind]));
    }
}

static void write_p2p(struct page *page, struct node *node) {
    const struct p2p_counters p2p =
        node->p2p != NULL ? p2p_counters(node->p2p) : (struct p2p_counters){0};
    gauge(page, "p2p_peers_count", "Connected peers.", p2p.peers_connected);
    write_traffic(page, "p2p_messages_received_total", "Messages from peers, by type.",
                  node->counters.traffic.received);
    write_traffic(page, "p2p_messages_sent_total", "Messages to peers, by type.",
                  node->counters.traffic.sent);
    counter(page, "p2p_bytes_received_total", "Bytes from peers.", (double)p2p.bytes_received);
    counter(page, "p2p_bytes_sent_total", "Bytes to peers.", (double)p2p.bytes_sent);
    counter(page, "p2p_messages_dropped_total", "Messages that a full queue dropped.",
            (double)p2p.messages_dropped);
    counter(page, "p2p_handshakes_refused_total", "Connections of strangers or other chains.",
            (double)p2p.handshakes_refused);
    counter(page, "p2p_messages_bad_total", "Messages that no correct node sends.",
            (double)(p2p.records_bad + atomic_load(&node->counters.bad_peers)));
    counter(page, "node_queue_full_total", "Inputs that a full queue refused.",
            (double)atomic_load(&node->counters.queue_full));
    counter(page, "pool_log_failures_total", "Failures to keep waiting transactions on disk.",
            (double)atomic_load(&node->counters.pool_log_failures));
}

static void write_outside(struct page *page, struct node *node,
                          const struct sequencer_status *status) {
    const struct da_publisher_status da =
        node->da != NULL ? da_publisher_status(node->da) : (struct da_publisher_status){0};
    const struct l1_status l1 = node->l1 != NULL ? l1_status(node->l1) : (struct l1_status){0};
    counter(page, "celestia_da_submissions_total", "Batches this node put on the DA layer.",
            (double)atomic_load(&node->counters.da_submissions));
    counter(page, "celestia_da_failures_total", "Submissions that failed or are in doubt.",
            (double)da.failures);
    counter(page, "celestia_da_bytes_total", "Bytes of batches handed to the DA layer.",
            (double)atomic_load(&node->counters.da_bytes));
    gauge(page, "celestia_da_pending_batches", "Batches that are not known to be on DA.",
          status->batches_pending);
    gauge(page, "celestia_da_reachable", "1 when the last DA request was answered.",
          da.is_reachable);
    histogram(page, &node->counters.da_latency, "celestia_da_latency_seconds",
              "Time from handing a batch over to its receipt.");
    counter(page, "settlement_batches_total", "Settlements this node sent to L1.",
            (double)atomic_load(&node->counters.settlements));
    gauge(page, "l1_reachable", "1 when the last L1 request was answered.", l1.is_reachable);
    gauge(page, "l1_finalized_block", "Newest finalized L1 block seen.",
          (double)l1.finalized_number);
    counter(page, "l1_failures_total", "L1 requests that failed.", (double)l1.failures);
    counter(page, "l1_bad_answers_total", "L1 answers that made no sense.", (double)l1.bad_answers);
}

/* resident_bytes reads what the kernel says; 0 when it says nothing. */
static double resident_bytes(void) {
    unsigned long long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL) return 0;
    const int read = fscanf(file, "%llu %llu", &total, &resident);
    fclose(file);
    return read == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) : 0;
}

/* write_disk says how full the disk of the database is; nothing when the system does not say. */
static void write_disk(struct page *page, const char *data_dir) {
    struct statvfs disk;
    if (statvfs(data_dir, &disk) != 0) return;
    gauge(page, "store_disk_bytes", "Size of the disk that the database is on.",
          (double)disk.f_blocks * (double)disk.f_frsize);
    gauge(page, "store_disk_free_bytes", "What of it this process may still use.",
          (double)disk.f_bavail * (double)disk.f_frsize);
}

static void write_snapshot(struct page *page, struct node *node) {
    struct snapshot_status taken;
    const bool is_taking = snapshot_taking(node, &taken);
    const struct snapshot_serve_counts served = snapshot_serve_counts(node->serving);
    gauge(page, "snapshot_active", "1 while this node takes a snapshot.", is_taking);
    gauge(page, "snapshot_progress_percent", "Of the accounts' key space.", taken.percent);
    gauge(page, "snapshot_pivot_block", "The block whose state is taken.",
          (double)taken.pivot_height);
    counter(page, "snapshot_bytes_total", "State loaded by this run.", (double)taken.bytes);
    counter(page, "snapshot_accounts_total", "Accounts loaded by this run.",
            (double)taken.accounts);
    counter(page, "snapshot_slots_total", "Storage slots loaded by this run.", (double)taken.slots);
    counter(page, "snapshot_bad_peers_total", "Peers that sent what cannot be true.",
            (double)taken.bad_peers_total);
    counter(page, "snapshot_served_requests_total", "Requests of others answered.",
            (double)served.requests);
    counter(page, "snapshot_served_bytes_total", "Bytes of these answers.", (double)served.bytes);
    counter(page, "snapshot_refused_total", "Requests for a state that cannot be given any more.",
            (double)served.refused);
    counter(page, "snapshot_dropped_total", "Requests beyond a requester's limit.",
            (double)served.dropped);
    const uint32_t guests = node->p2p != NULL ? p2p_counters(node->p2p).guests_connected : 0;
    gauge(page, "p2p_guests_connected", "Connected nodes that nobody named.", guests);
}

void metrics_write(struct node *node, struct buffer *out) {
    struct page page = {out, node->options.settings->metrics_namespace};
    pthread_mutex_lock(&node->status_lock);
    const struct sequencer_status status = node->status;
    pthread_mutex_unlock(&node->status_lock);
    write_chain(&page, node, &status);
    write_consensus(&page, node, &status);
    write_p2p(&page, node);
    write_snapshot(&page, node);
    write_outside(&page, node, &status);
    gauge(&page, "process_resident_memory_bytes", "Resident memory.", resident_bytes());
    const struct store_stats store = store_stats(node->ledger.store);
    gauge(&page, "store_file_bytes", "Size of the database file.", (double)store.file_bytes);
    gauge(&page, "store_map_bytes_max", "Largest size it may have.", (double)store.map_bytes_max);
    write_disk(&page, node->options.data_dir);
}
