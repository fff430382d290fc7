#pragma once
/* What tests of one whole node share: a chain whose only validator it is, a port, and the end of
 * its directory. */
#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "chain/genesis.h"
#include "workloads/system_contracts.h"

#define SINGLE_BALANCE_GWEI 1000000000000ull

/* single_genesis is a chain of the validator with `key`, who has SINGLE_BALANCE_GWEI.  Its accounts
 * are memory of this program's. */
static inline struct genesis single_genesis(const struct secp_key *key, uint64_t block_time_ms) {
    static struct genesis_account accounts[SYSTEM_CONTRACTS_COUNT + 1];
    const struct u256 gwei = u256_from_u64(1000000000), count = u256_from_u64(SINGLE_BALANCE_GWEI);
    const struct address address = secp_key_address(key);
    struct chain_config config = chain_config_for_fork(FORK_OSAKA);
    config.chain_id = 31337;
    config.is_rollup = true;
    config.rollup = (struct rollup_config){.fault_model = FAULT_MODEL_CRASH,
                                           .blocks_per_rotation = 100,
                                           .timeout_blocks = 10,
                                           .block_time_ms = block_time_ms,
                                           .batch_blocks = 50,
                                           .batch_bytes_max = 1u << 20};
    config.rollup.validators.count = 1;
    config.rollup.validators.validators[0] = (struct validator){.address = address, .power = 1};
    config.rollup.validators.validators[0].peer_id.bytes[31] = 1;
    system_contracts_list(accounts);
    accounts[SYSTEM_CONTRACTS_COUNT] =
        (struct genesis_account){.address = address, .balance = u256_mul(&gwei, &count)};
    struct header header = header_empty(FORK_OSAKA);
    header.gas_limit = 30000000;
    header.base_fee = gwei;
    return (struct genesis){
        .config = config,
        .header = header,
        .accounts = accounts,
        .accounts_count = SYSTEM_CONTRACTS_COUNT + 1,
    };
}

/* single_port asks the kernel for a port that nobody uses. */
static inline uint16_t single_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    CHECK(close(fd) == 0);
    return ntohs(address.sin_port);
}

static inline int single_remove_one(const char *path, const struct stat *about, int kind,
                                    struct FTW *at) {
    (void)about, (void)kind, (void)at;
    return remove(path);
}

/* single_remove takes a directory away, with all that is in it. */
static inline void single_remove(const char *directory) {
    CHECK(nftw(directory, single_remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
}
