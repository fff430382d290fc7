#pragma once
/* The contracts that Ethereum's own rules call, with the code that is deployed on mainnet: a
 * genesis at Prague or later must hold all four, or its blocks are invalid (EIP-7002, EIP-7251). */
#include "base/bytes.h"
#include "base/hash.h"
#include "chain/genesis.h"

struct system_contract {
    struct address address;
    struct bytes code; /* nonce 1, no balance */
};

extern const struct system_contract system_beacon_roots;           /* EIP-4788, Cancun */
extern const struct system_contract system_history;                /* EIP-2935, Prague */
extern const struct system_contract system_withdrawal_requests;    /* EIP-7002, Prague */
extern const struct system_contract system_consolidation_requests; /* EIP-7251, Prague */

/* system_contracts lists all of them. */
#define SYSTEM_CONTRACTS_COUNT 4
extern const struct system_contract *const system_contracts[SYSTEM_CONTRACTS_COUNT];
/* system_contracts_list writes them as accounts of a genesis. */
void system_contracts_list(struct genesis_account out[SYSTEM_CONTRACTS_COUNT]);
