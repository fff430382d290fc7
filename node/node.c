/* `baton node`: reads settings, opens everything, waits for a signal, takes it apart again. */
#include "node/node.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/keccak.h"
#include "node/backend.h"
#include "node/descriptors.h"
#include "node/log.h"
#include "node/memory.h"
#include "node/version.h"
#include "threads/clock.h"
#include "threads/gate.h"

#define URGENT_BYTES ((size_t)64 << 20)
#define BULK_BYTES   ((size_t)32 << 20)
#define SLOT_BYTES   ((size_t)4 << 30) /* address space: pages cost only when touched */
#define CLIENTS_MAX  1024              /* connections to RPC, WebSocket and metrics */
#define BATON_MS_MAX 5000              /* to pass the baton on a signal */
/* What one peer may have waiting: the time of some votes, the room of two blocks. */
#define SHARE       ((struct queue_share){256, 2 * (size_t)MESSAGE_BYTES_MAX})
#define STOP_MS_MAX 9500 /* from the signal to the end of the process */
#define WATCH_MS    1000 /* how often a running node looks whether it is behind */

static void on_executed(void *context, const struct block_outcome *outcome) {
    struct node *node = context;
    histogram_observe(&node->counters.execute_time,
                      executing_times(node->executing).execute_last_us);
    driver_push(node, QUEUE_INTERNAL, DRIVER_EXECUTED, VALUE_BYTES(outcome), BYTES_EMPTY);
}

static void on_committed(void *context, enum err err, struct ledger_view *view,
                         const struct block_outcome *outcome) {
    struct node *node = context;
    const struct driver_committed carried = {err, view, outcome};
    histogram_observe(&node->counters.commit_time, executing_times(node->executing).commit_last_us);
    if (driver_push(node, QUEUE_INTERNAL, DRIVER_COMMITTED, VALUE_BYTES(carried), BYTES_EMPTY) ==
            ERR_OK ||
        view == NULL) {
        return;
    }
    ledger_view_close(view); /* the sequencer is gone */
    free(view);
}

static void on_peer_message(void *context, const struct hash32 *peer, struct bytes message) {
    struct node *node = context;
    traffic_received(&node->counters.traffic, message);
    if (message.size > 0 && message_is_snapshot_request((enum message_kind)message.data[0])) {
        snapshot_serve_ask(node->serving, peer, message);
        return;
    }
    if (message.size > 0 && message.data[0] == MESSAGE_ITEMS) {
        /* signatures to recover: not on the sequencer's time */
        workers_inspect(node, peer, false, message);
        return;
    }
    driver_push_message(node, peer, message);
}

/* Guests may ask for what everybody may have, and send transactions as clients do. */
static void on_guest_message(void *context, const struct hash32 *guest, struct bytes message) {
    struct node *node = context;
    traffic_received(&node->counters.traffic, message);
    const enum message_kind kind = message.size > 0 ? message.data[0] : MESSAGE_STATUS;
    if (message_is_snapshot_request(kind) || kind == MESSAGE_GET_BLOCKS) {
        snapshot_serve_ask(node->serving, guest, message);
    } else if (kind == MESSAGE_ITEMS) {
        workers_inspect(node, guest, true, message);
    }
}

static void on_guest_connected(void *context, const struct hash32 *guest, bool is_connected) {
    struct node *node = context;
    if (is_connected) {
        snapshot_serve_guest(node->serving, guest);
    } else {
        snapshot_serve_gone(node->serving, guest);
    }
}

static void on_peer_connected(void *context, const struct hash32 *peer, bool is_connected) {
    driver_push_peer(context, peer, is_connected);
}

/* A validator with another genesis file, or another version of the protocol: somebody has to act.
 */
static void on_peer_other_chain(void *context, const struct hash32 *peer) {
    struct node *node = context;
    atomic_store(&node->other_chain_ms, monotonic_ms());
    char peer_text[67];
    char genesis_text[67];
    LOG(LOG_WARN, "p2p", "peer %s runs another genesis or protocol; ours: genesis %s, protocol %d",
        hex_string(hash_bytes(peer), peer_text),
        hex_string(hash_bytes(&node->ledger.genesis_hash), genesis_text), BATON_PROTOCOL_VERSION);
}

void node_fail(struct node *node, enum err err, const char *what) {
    int expected = ERR_OK;
    if (!atomic_compare_exchange_strong(&node->failure, &expected, (int)err)) return;
    LOG(LOG_ERROR, "node", "stopping: %s: %s", what, err_text(err));
    kill(getpid(), SIGTERM);
}

static uint64_t executor_now(void *context) {
    (void)context;
    return monotonic_ms();
}

/* chain_digest is what two nodes must have in common to talk: genesis, protocol, settings of the
 * chain (they are in the genesis file). */
static struct hash32 chain_digest(const struct node *node) {
    uint8_t memory[72];
    struct buffer out = buffer_over(memory, sizeof memory);
    buffer_append(&out, hash_bytes(&node->ledger.genesis_hash));
    buffer_append(&out, hash_bytes(&node->options.genesis->file_hash));
    buffer_append_be(&out, 8, BATON_PROTOCOL_VERSION);
    return keccak256(buffer_bytes(&out));
}

static void make_domains(struct node *node) {
    const struct rollup_config *rollup = &node->config->rollup;
    const uint64_t chain_id =
        rollup->l1_chain_id != 0 ? rollup->l1_chain_id : node->config->chain_id;
    node->domain = signing_domain_make("AndeConsensus", chain_id, &rollup->consensus_contract);
    node->batch_domain =
        signing_domain_make("AndeSequencerCoordinator", chain_id, &rollup->coordinator_contract);
    node->recoverer = recover_cache_recoverer(node->recovered, secp_recoverer());
    if (node->options.has_validator_key) node->signer = secp_signer(&node->options.validator_key);
}

static enum err start_executing(struct node *node) {
    const struct executor_config config = {
        .chain = node->config,
        .domain = node->domain,
        .recoverer = node->recoverer,
        .now_ms = executor_now,
    };
    const struct executing_events events = {node, on_executed, on_committed};
    return executing_start(&node->ledger, &config, SLOT_BYTES, &events, &node->executing);
}

static enum err start_p2p(struct node *node, char error[512]) {
    const struct settings *settings = node->options.settings;
    const struct p2p_config config = {
        .key = node->options.peer_key,
        .listen_host = settings->p2p_host,
        .listen_port = (uint16_t)settings->p2p_port,
        .chain_digest = chain_digest(node),
        .guests_max = (uint32_t)settings->p2p_guests,
        .events = {node, on_peer_message, on_peer_connected, on_peer_other_chain, on_guest_message,
                   on_guest_connected},
    };
    if (!node->options.has_p2p) return ERR_OK;
    struct p2p *p2p;
    const enum err err = p2p_start(&config, &p2p);
    if (err != ERR_OK) {
        snprintf(error, 512, "p2p_port: cannot listen on %s:%llu: %s", settings->p2p_host,
                 (unsigned long long)settings->p2p_port, err_text(err));
        return err;
    }
    node->p2p = p2p;
    return peers_configure(node, error);
}

/* clients_max keeps descriptors back for peers, L1, DA and the database. */
static uint32_t clients_max(void) {
    const uint64_t limit = descriptors_raise();
    const uint32_t clients = descriptors_for_clients(limit, CLIENTS_MAX);
    if (clients < CLIENTS_MAX) {
        LOG(LOG_WARN, "node", "ulimit -n is %llu: at most %u clients at once instead of %d",
            (unsigned long long)limit, clients, CLIENTS_MAX);
    }
    return clients;
}

static enum err start_rpc(struct node *node, char error[512]) {
    const struct settings *settings = node->options.settings;
    struct rpc_config config = {
        .http_host = settings->rpc_host,
        .http_port = (uint16_t)settings->rpc_port,
        .websocket_host = settings->ws_host,
        .websocket_port = (uint16_t)settings->ws_port,
        .metrics_host = settings->metrics_host,
        .metrics_port = (uint16_t)settings->metrics_port,
        .cors_origins = settings->cors_origins,
        .metrics_namespace = settings->metrics_namespace,
        .threads = (unsigned)settings->rpc_threads,
        .workers = (unsigned)settings->rpc_workers,
        .limits = {.body_bytes_max = (uint32_t)settings->rpc_body_bytes_max,
                   .batch_calls_max = (uint32_t)settings->rpc_batch_calls_max,
                   .connections_max = clients_max(),
                   .call_gas_max = settings->rpc_call_gas_max,
                   .logs_max = (uint32_t)settings->rpc_logs_max},
    };
    TRY(backend_create(node, &config.backend));
    char line[256] = "";
    const enum err err = rpc_start(&config, &node->rpc, line);
    if (err != ERR_OK) {
        snprintf(error, 512, "%s", line[0] != '\0' ? line : "the RPC server cannot start");
    }
    return err;
}

/* start_archive serves a chain that was imported: nobody orders it, so there is nothing to run but
 * the RPC. */
static enum err start_archive(struct node *node, char error[512]) {
    struct store_view *view;
    TRY(store_view_open(node->ledger.store, &view));
    node->head_at_start = store_view_head(view).number;
    store_view_close(view);
    node->status.head_height = node->head_at_start;
    return start_rpc(node, error);
}

static enum err start_all(struct node *node, char error[512]) {
    const struct settings *settings = node->options.settings;
    TRY(ledger_open(node->options.data_dir, settings->map_gib, node->options.genesis, &node->ledger,
                    error));
    if (!node->config->is_rollup) return start_archive(node, error);
    TRY(recover_cache_create(&node->recovered));
    make_domains(node);
    TRY(queue_create(URGENT_BYTES, BULK_BYTES, &node->inputs));
    queue_set_patience(node->inputs, SEQUENCER_FLUSH_MS);
    queue_set_share(node->inputs, SHARE);
    TRY(evidence_keeper_start(node, &node->keeper));
    TRY(workers_start(node));
    /* before RPC, which tells what it counts */
    if (node->options.has_p2p) TRY(snapshot_serve_start(node, &node->serving));
    if (node->options.is_state_only) { /* node_start returns when the state is there */
        TRY(start_p2p(node, error));
        return snapshot_take(node, error);
    }
    TRY(start_rpc(node, error)); /* before the sequencer: a port in use ends the start early */
    TRY(start_p2p(node, error));
    TRY(snapshot_take(node, error));
    TRY(start_executing(node)); /* from the head that is there now on */
    TRY(outside_check(node, error));
    TRY(driver_start(node, error));
    return outside_start(node, error);
}

enum err node_start(const struct node_options *options, struct node *node, char error[512]) {
    memset(node, 0, sizeof *node);
    node->options = *options;
    node->config = &options->genesis->config;
    node->started_ms = monotonic_ms();
    pthread_mutex_init(&node->status_lock, NULL);
    pthread_mutex_init(&node->peers_lock, NULL);
    peer_events_create(&node->peer_events);
    pthread_cond_init(&node->answered, NULL);
    error[0] = '\0';
    memory_settle();
    const enum err err = start_all(node, error);
    if (err == ERR_OK) {
        atomic_store(&node->is_started, true);
        return ERR_OK;
    }
    if (error[0] == '\0') snprintf(error, 512, "cannot start: %s", err_text(err));
    node_stop(node);
    return err;
}

/* node_stop ends the sequencer first, as it calls all others, then RPC, which asks all others. */
void node_stop(struct node *node) {
    driver_stop(node);
    if (node->rpc != NULL) rpc_stop(node->rpc);
    evidence_keeper_stop(node->keeper);
    workers_stop(node);
    outside_stop(node);
    if (node->executing != NULL) executing_stop(node->executing);
    snapshot_serve_stop(node->serving);
    if (node->p2p != NULL) p2p_stop(node->p2p);
    snapshot_serve_destroy(node->serving);
    free(node->known_peers);
    workers_destroy(node);
    callers_destroy(node->callers);
    ledger_close(&node->ledger);
    if (node->inputs != NULL) queue_destroy(node->inputs);
    peer_events_destroy(&node->peer_events);
    free(node->effects);
    free(node->message);
    recover_cache_destroy(node->recovered);
}

/* pass_baton tells the sequencer to let go and waits until it did, or BATON_MS_MAX. */
static void pass_baton(struct node *node) {
    const uint64_t until = monotonic_ms() + BATON_MS_MAX;
    atomic_store(&node->is_stopping, true);
    if (atomic_load(&node->failure) != ERR_OK) return;
    if (driver_push(node, QUEUE_INTERNAL, DRIVER_STOP, BYTES_EMPTY, BYTES_EMPTY) != ERR_OK) return;
    while (!atomic_load(&node->is_stopped) && monotonic_ms() < until)
        usleep(2000);
}

/* The end that must come: when taking the node apart hangs, the process ends without it.  What was
 * acknowledged is durable, as after a crash. */
struct last_resort {
    struct gate gate;
    bool has_ended; /* under gate */
};

static void *last_resort_main(void *context) {
    struct last_resort *resort = context;
    const uint64_t until_ms = monotonic_ms() + STOP_MS_MAX;
    gate_lock(&resort->gate);
    while (!resort->has_ended && gate_wait(&resort->gate, until_ms)) { /* woken for nothing */
    }
    if (!resort->has_ended) {
        LOG(LOG_ERROR, "node", "a thread did not stop in %d ms: ending without it", STOP_MS_MAX);
        _exit(1);
    }
    gate_unlock(&resort->gate);
    return NULL;
}

static void take_apart(struct node *node) {
    struct last_resort resort = {.has_ended = false};
    pthread_t thread;
    gate_create(&resort.gate);
    const bool has_thread = pthread_create(&thread, NULL, last_resort_main, &resort) == 0;
    pass_baton(node);
    node_stop(node);
    gate_lock(&resort.gate);
    resort.has_ended = true;
    gate_wake(&resort.gate);
    gate_unlock(&resort.gate);
    if (has_thread) pthread_join(thread, NULL);
    gate_destroy(&resort.gate);
}

/* is_behind looks whether the running node should take a snapshot. */
static bool is_behind(struct node *node, struct behind *behind) {
    pthread_mutex_lock(&node->status_lock);
    const struct behind_seen seen = {monotonic_ms(), node->status.head_height,
                                     node->status.peers_height};
    pthread_mutex_unlock(&node->status_lock);
    const enum behind_verdict verdict = behind_look(behind, &seen);
    if (verdict == BEHIND_NOT) return false;
    LOG(LOG_WARN, "node", "%s: block %llu is here, peers have %llu: starting again for a snapshot",
        verdict == BEHIND_FAR ? "far behind" : "nobody gives the next block",
        (unsigned long long)seen.head_height, (unsigned long long)seen.peers_height);
    behind_tried(behind, seen.now_ms);
    return true;
}

/* next_signal waits for a signal, at most WATCH_MS; 0: none came. */
static int next_signal(void) {
    const struct timespec most = {WATCH_MS / 1000, (long)(WATCH_MS % 1000) * 1000000};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    const int caught = sigtimedwait(&signals, NULL, &most);
    return caught > 0 ? caught : 0;
}

int node_wait(struct node *node, struct behind *behind) {
    const bool may_take = behind != NULL && node->p2p != NULL && node->config->is_rollup &&
                          strcmp(node->options.settings->sync, "blocks") != 0;
    int caught = 0;
    bool is_again = false;
    while (caught == 0 && !is_again) {
        caught = next_signal();
        is_again = caught == 0 && may_take && is_behind(node, behind);
    }
    const bool has_failed = atomic_load(&node->failure) != ERR_OK; /* that has said so itself */
    if (!has_failed && !is_again) {
        LOG(LOG_INFO, "node", "%s: passing the baton", caught == SIGINT ? "SIGINT" : "SIGTERM");
    }
    take_apart(node);
    if (is_again && atomic_load(&node->failure) == ERR_OK) return NODE_AGAIN;
    LOG(LOG_INFO, "node", "stopped");
    return atomic_load(&node->failure) != ERR_OK ? 1 : 0;
}
