/* The two outside worlds of a sequencer: Ethereum L1 and the DA layer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/clock.h"
#include "node/log.h"
#include "node/node.h"
#include "workloads/workload.h"

/* push_forced hands a transaction that L1 forces on us to the sequencer, checked like any other.
 * ERR_LIMIT: its queue is full.  One that no block can hold is passed over. */
static enum err push_forced(struct node *node, struct bytes raw) {
    uint8_t memory[4096 + 2 * ITEM_BYTES_MAX];
    struct arena arena = arena_over(memory, sizeof memory);
    struct driver_item carried = {.is_forced = true};
    const struct workload *evm = workload_by_kind(WORKLOAD_KIND_EVM);
    pthread_mutex_lock(&node->status_lock);
    const uint64_t height = node->status.head_height + 1;
    pthread_mutex_unlock(&node->status_lock);
    const enum fork fork = fork_at(node->config, height, UINT64_MAX);
    if (evm->inspect(node->config, fork, raw, &arena, &carried.item) != VERDICT_ACCEPTED) {
        return ERR_OK;
    }
    return driver_push(node, QUEUE_BULK, DRIVER_ITEM, VALUE_BYTES(carried), raw);
}

/* push_new_forced hands on the requests that no earlier view showed; they come oldest first, and
 * stay in the views until they are settled.  What does not fit waits for the next view. */
static void push_new_forced(struct node *node, const struct l1_view *view) {
    for (size_t i = 0; i < view->forced_count; i++) {
        const struct l1_forced *forced = &view->forced[i];
        if (forced->id <= node->forced_id) continue;
        if (push_forced(node, forced->raw) != ERR_OK) return;
        node->forced_id = forced->id;
    }
}

static void on_l1_view(void *context, const struct l1_view *view) {
    struct node *node = context;
    struct l1_facts facts = {
        .number = view->number,
        .hash = view->hash,
        .timestamp = view->timestamp,
        .validators_count = view->validators_count,
        .settled_last_block = view->settled_last_block,
        .settled_hash = view->settled_hash,
    };
    for (uint32_t i = 0; i < view->validators_count; i++) {
        facts.validators[i] = (struct validator){.address = view->validators[i].address,
                                                 .peer_id = view->validators[i].peer_id,
                                                 .power = view->validators[i].power};
    }
    peers_registered(node, view);
    driver_push(node, QUEUE_URGENT, DRIVER_L1, VALUE_BYTES(facts), BYTES_EMPTY);
    push_new_forced(node, view);
}

/* endpoints_split cuts the comma-separated list in place. */
static enum err endpoints_split(char *text, struct l1_config *config) {
    char *rest = NULL;
    for (char *url = strtok_r(text, ",", &rest); url != NULL; url = strtok_r(NULL, ",", &rest)) {
        if (config->endpoints_count == L1_ENDPOINTS_MAX) return ERR_LIMIT;
        config->endpoints[config->endpoints_count++] = url;
    }
    return config->endpoints_count > 0 ? ERR_OK : ERR_CONFIG;
}

enum err outside_l1_config(const struct settings *settings, const struct rollup_config *rollup,
                           struct l1_config *out, char error[512]) {
    char *urls = settings_keep(settings->l1_rpc_url);
    if (urls == NULL) return ERR_MEMORY;
    *out = (struct l1_config){
        .chain_id = rollup->l1_chain_id,
        .consensus = rollup->consensus_contract,
        .coordinator = rollup->coordinator_contract,
        .poll_ms = settings->l1_poll_ms,
        .timeout_ms = settings->l1_timeout_ms,
        .confirmations = settings->l1_confirmations,
    };
    const enum err err = endpoints_split(urls, out);
    if (err == ERR_OK) return ERR_OK;
    snprintf(error, 512,
             err == ERR_LIMIT ? "l1_rpc_url: more than %d endpoints"
                              : "l1_rpc_url: is missing, and the chain has an L1",
             L1_ENDPOINTS_MAX);
    return ERR_CONFIG;
}

static enum err start_l1(struct node *node, char error[512]) {
    const struct settings *settings = node->options.settings;
    if (node->config->rollup.l1_chain_id == 0) return ERR_OK;
    struct l1_config config;
    TRY(outside_l1_config(settings, &node->config->rollup, &config, error));
    config.key = node->options.has_validator_key ? &node->options.validator_key : NULL;
    config.events.context = node;
    config.events.view = on_l1_view;
    char line[256];
    const enum err checked = l1_check(&config, line);
    if (checked == ERR_MISMATCH || checked == ERR_NOT_FOUND) {
        snprintf(error, 512, "l1_rpc_url: %s", line);
        return checked;
    }
    if (checked != ERR_OK) LOG(LOG_WARN, "l1", "not reachable at start, going on: %s", line);
    struct l1 *l1;
    TRY(l1_start(&config, &l1));
    node->l1 = l1;
    return ERR_OK;
}

static enum err start_da(struct node *node, char error[512]) {
    const struct settings *settings = node->options.settings;
    if (settings->da_url[0] == '\0') return ERR_OK;
    struct da_publisher_config config = {
        .client = {.url = settings->da_url,
                   .token_file =
                       settings->da_token_file[0] != '\0' ? settings->da_token_file : NULL,
                   .timeout_ms = settings->da_timeout_ms,
                   .submit_timeout_ms = settings->da_submit_timeout_ms},
        .context = node,
        .receipt = workers_da_receipt,
        .head = workers_da_head,
    };
    memcpy(config.ns.bytes, node->config->rollup.da_namespace, sizeof config.ns.bytes);
    struct da_publisher *da;
    const enum err err = da_publisher_start(&config, &da);
    if (err == ERR_OK) {
        node->da = da;
    } else {
        snprintf(error, 512, "da_url: \"%.200s\": %s", settings->da_url, err_text(err));
    }
    return err;
}

enum err outside_start(struct node *node, char error[512]) {
    TRY(start_da(node, error));
    return start_l1(node, error);
}

void outside_stop(struct node *node) {
    if (node->l1 != NULL) l1_stop(node->l1);
    if (node->da != NULL) da_publisher_stop(node->da);
    node->l1 = NULL;
    node->da = NULL;
}
