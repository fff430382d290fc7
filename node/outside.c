/* The two outside worlds of a sequencer: Ethereum L1 and the DA layer. */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/log.h"
#include "node/node.h"
#include "pages/pages.h"
#include "threads/clock.h"
#include "workloads/workload.h"

#define FORCED_BYTES_MAX (FORCED_ITEMS_MAX * (size_t)ITEM_BYTES_MAX)

/* add_forced inspects what L1 forces on us, like any other transaction, and puts its bytes behind
 * those of the others.  One that no block can hold is passed over: everybody passes it over. */
static void add_forced(struct node *node, const struct l1_view *view, struct l1_facts *facts) {
    struct buffer out = buffer_over(node->forced_bytes, FORCED_BYTES_MAX);
    const bool is_cut = view->forced_count == L1_FORCED_MAX; /* there may be more */
    facts->forced_id_max = is_cut ? view->forced[L1_FORCED_MAX - 1].id : UINT64_MAX;
    for (size_t i = 0; i < view->forced_count; i++) {
        const struct l1_forced *forced = &view->forced[i];
        uint8_t memory[4096 + 2 * ITEM_BYTES_MAX];
        struct arena arena = arena_over(memory, sizeof memory);
        struct forced_item *listed = &facts->forced[facts->forced_count];
        const struct workload *evm = workload_by_kind(WORKLOAD_KIND_EVM);
        const enum fork fork = fork_at(node->config, UINT64_MAX - 1, view->timestamp);
        const enum verdict verdict =
            evm->inspect(node->config, fork, forced->raw, &arena, &listed->item);
        if (verdict != VERDICT_ACCEPTED) continue;
        listed->id = forced->id;
        listed->l1_number = forced->l1_number;
        buffer_append(&out, forced->raw);
        facts->forced_count += 1;
    }
    CHECK(!out.overflow);
    node->forced_size = out.size;
}

static void on_l1_view(void *context, const struct l1_view *view) {
    struct node *node = context;
    static_assert(FORCED_ITEMS_MAX == L1_FORCED_MAX, "a full view is a full list");
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
    add_forced(node, view, &facts);
    const struct bytes raws = {node->forced_bytes, node->forced_size};
    driver_push(node, QUEUE_URGENT, DRIVER_L1, VALUE_BYTES(facts), raws);
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

bool outside_is_signalled(const void *unused) {
    sigset_t pending;
    (void)unused;
    if (sigpending(&pending) != 0) return false;
    return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1;
}

/* check_l1 refuses an L1 that cannot be this chain's; one that does not answer may come back. */
static enum err check_l1(const struct l1_config *config, char error[512]) {
    char line[256];
    const enum err err = l1_check(config, line);
    if (err == ERR_OK || err == ERR_STOPPED) return err;
    if (err == ERR_MISMATCH || err == ERR_NOT_FOUND) {
        snprintf(error, 512, "l1_rpc_url: %s", line);
        return err;
    }
    LOG(LOG_WARN, "l1", "not reachable at start, going on: %s", line);
    return ERR_OK;
}

static enum err config_l1(const struct node *node, struct l1_config *config, char error[512]) {
    TRY(outside_l1_config(node->options.settings, &node->config->rollup, config, error));
    config->genesis_hash = node->ledger.genesis_hash;
    config->is_interrupted = outside_is_signalled;
    return ERR_OK;
}

enum err outside_check(struct node *node, char error[512]) {
    struct l1_config config;
    if (node->config->rollup.l1_chain_id == 0) return ERR_OK;
    if (store_head(node->ledger.store).number > 0) return ERR_OK;
    TRY(config_l1(node, &config, error));
    return check_l1(&config, error);
}

static enum err start_l1(struct node *node, char error[512]) {
    struct l1_config config;
    if (node->config->rollup.l1_chain_id == 0) return ERR_OK;
    TRY(config_l1(node, &config, error));
    config.key = node->options.has_validator_key ? &node->options.validator_key : NULL;
    config.events.context = node;
    config.events.view = on_l1_view;
    TRY(memory_reserve(FORCED_BYTES_MAX, &node->forced_bytes));
    TRY(check_l1(&config, error));
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
    pages_release(node->forced_bytes, FORCED_BYTES_MAX);
    node->forced_bytes = NULL;
}
