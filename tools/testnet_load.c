/* Transactions for a test network: transfers of one wei of an account to itself, spread over the
 * nodes.  An account whose nonce is in doubt (a refusal, or no answer) asks for it first. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "chain/transaction.h"
#include "tools/testnet.h"

#define TRANSFER_GAS   21000
#define FEE_WEI        1000000000000u
#define PRIORITY_WEI   1000000000u
#define TRANSFER_BYTES 512

/* encode writes a signed transfer as hex; false when it does not fit. */
static bool encode(const struct testnet_account *account, char out[2 * TRANSFER_BYTES + 3]) {
    uint8_t memory[4096];
    struct arena arena = arena_over(memory, sizeof memory);
    struct transaction transaction = {
        .type = TRANSACTION_DYNAMIC_FEE,
        .is_protected = true,
        .chain_id = TESTNET_CHAIN_ID,
        .nonce = account->nonce,
        .max_priority_fee = u256_from_u64(PRIORITY_WEI),
        .max_fee = u256_from_u64(FEE_WEI),
        .gas_limit = TRANSFER_GAS,
        .to = secp_key_address(&account->key),
        .value = u256_from_u64(1),
    };
    if (transaction_sign(&transaction, &account->key, &arena) != ERR_OK) return false;
    if (transaction.encoded.size > TRANSFER_BYTES) return false;
    hex_string(transaction.encoded, out);
    return true;
}

/* next_node is a node that answers, in turn; false when none does. */
static bool next_node(struct testnet *net, uint32_t *out) {
    for (uint32_t i = 0; i < net->options.validators; i++) {
        const uint32_t index = net->next_node++ % net->options.validators;
        if (!net->members[index].is_answering || !net->members[index].is_ready) continue;
        *out = index;
        return true;
    }
    return false;
}

static void add_one(struct testnet *net) {
    const uint32_t index = net->next_account++ % TESTNET_ACCOUNTS;
    struct testnet_account *account = &net->accounts[index];
    char raw[2 * TRANSFER_BYTES + 3], params[2 * TRANSFER_BYTES + 8], address[43];
    uint32_t node;
    if (!next_node(net, &node)) return;
    if (account->is_unsure) {
        const struct address own = secp_key_address(&account->key);
        snprintf(params, sizeof params, "\"%s\",\"pending\"",
                 hex_string(address_bytes(&own), address));
        (void)testnet_request(net, node, (struct testnet_purpose){TESTNET_NONCE, index},
                              "eth_getTransactionCount", params);
        return;
    }
    if (!encode(account, raw)) return;
    snprintf(params, sizeof params, "\"%s\"", raw);
    if (testnet_request(net, node, (struct testnet_purpose){TESTNET_SEND, index},
                        "eth_sendRawTransaction", params) == NULL) {
        return;
    }
    account->nonce += 1;
    net->sent += 1;
}

void testnet_load_add(struct testnet *net, uint64_t now_us) {
    const uint64_t tps = net->options.load_tps;
    if (tps == 0) return;
    const uint64_t due = (now_us - net->load_at_us) * tps / 1000000;
    const uint64_t count = due < TESTNET_LOAD_MAX ? due : TESTNET_LOAD_MAX;
    for (uint64_t i = 0; i < count; i++)
        add_one(net);
    net->load_at_us += due * 1000000 / tps; /* what a turn has no room for is given up */
}

void testnet_load_take(struct testnet *net, size_t request) {
    const struct testnet_purpose purpose = net->purposes[request];
    struct testnet_account *account = &net->accounts[purpose.index];
    json_t *root = json_loads(net->requests[request].answer, 0, NULL);
    const char *result = json_string_value(json_object_get(root, "result"));
    if (purpose.kind == TESTNET_NONCE && result != NULL) {
        account->nonce = strtoull(result, NULL, 16);
        account->is_unsure = false;
    }
    if (purpose.kind == TESTNET_SEND) {
        if (result != NULL) {
            net->accepted += 1;
        } else {
            net->refused += 1;
            account->is_unsure = true;
        }
    }
    json_decref(root);
}
