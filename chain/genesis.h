#pragma once
/* A genesis: the chain's settings, the first header and the accounts, as geth's genesis.json says
 * (the file is parsed by genesis/genesis_json.h; this is what it means). */
#include "base/arena.h"
#include "base/err.h"
#include "chain/fork.h"
#include "chain/header.h"

struct genesis_slot {
    struct hash32 key;
    struct u256 value;
};

struct genesis_account {
    struct address address;
    uint64_t nonce;
    struct u256 balance;
    struct bytes code;
    const struct genesis_slot *storage;
    size_t storage_count;
};

struct genesis {
    struct chain_config config;
    struct header header; /* all but state_root, which the state computes */
    const struct genesis_account *accounts;
    size_t accounts_count;
    struct hash32 file_hash; /* keccak of the file's bytes, to tell people which file it was */
};
