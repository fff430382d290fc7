/* What storage costs: the tables of EIP-2200 and EIP-1283, EIP-2929's cold prices, refunds and
 * their cap (EIP-3529), transient storage (EIP-1153). */
#include "evm/test_run.h"

struct store_case {
    const char *code;
    enum fork fork;
    uint64_t gas;    /* execution gas before refunds */
    uint64_t refund; /* before the cap */
    uint64_t original;
};

/* The table of EIP-2200 (PUSH1 PUSH1 SSTORE each: 6 gas beside the store). */
static const struct store_case cases[] = {
    {"60006000556000600055", FORK_ISTANBUL, 1612, 0, 0},
    {"60006000556001600055", FORK_ISTANBUL, 20812, 0, 0},
    {"60016000556000600055", FORK_ISTANBUL, 20812, 19200, 0},
    {"60016000556002600055", FORK_ISTANBUL, 20812, 0, 0},
    {"60016000556001600055", FORK_ISTANBUL, 20812, 0, 0},
    {"60006000556000600055", FORK_ISTANBUL, 5812, 15000, 1},
    {"60006000556001600055", FORK_ISTANBUL, 5812, 4200, 1},
    {"60006000556002600055", FORK_ISTANBUL, 5812, 0, 1},
    {"60026000556000600055", FORK_ISTANBUL, 5812, 15000, 1},
    {"60026000556003600055", FORK_ISTANBUL, 5812, 0, 1},
    {"60026000556001600055", FORK_ISTANBUL, 5812, 4200, 1},
    {"60026000556002600055", FORK_ISTANBUL, 5812, 0, 1},
    {"60016000556000600055", FORK_ISTANBUL, 5812, 15000, 1},
    {"60016000556002600055", FORK_ISTANBUL, 5812, 0, 1},
    {"60016000556001600055", FORK_ISTANBUL, 1612, 0, 1},
    {"600160005560006000556001600055", FORK_ISTANBUL, 40818, 19200, 0},
    {"600060005560016000556000600055", FORK_ISTANBUL, 10818, 19200, 1},
    /* EIP-1283, only in Constantinople; its predecessor's price came back in Petersburg. */
    {"60006000556000600055", FORK_CONSTANTINOPLE, 412, 0, 0},
    {"60016000556000600055", FORK_CONSTANTINOPLE, 20212, 19800, 0},
    {"60006000556001600055", FORK_CONSTANTINOPLE, 5212, 4800, 1},
    {"60016000556000600055", FORK_PETERSBURG, 25012, 15000, 0},
    {"60006000556000600055", FORK_FRONTIER, 10012, 0, 0},
    /* EIP-2929, EIP-3529. */
    {"60006000556000600055", FORK_BERLIN, 2312, 0, 0},
    {"60016000556000600055", FORK_BERLIN, 22212, 19900, 0},
    {"60006000556001600055", FORK_BERLIN, 5112, 2800, 1},
    {"60006000556000600055", FORK_BERLIN, 5112, 15000, 1},
    {"60006000556000600055", FORK_LONDON, 5112, 4800, 1},
    {"6000546001600055", FORK_LONDON, 2100 + 3 + 2900 + 6, 0, 9},
};

static void check_store(struct run *run, const struct store_case *c) {
    run_begin(run, c->fork);
    run_code(run, &RUN_TARGET, c->code);
    struct world_slot *slot = world_slot(run->world, &RUN_TARGET, &(struct hash32){{0}});
    slot->value = slot->original = u256_from_u64(c->original);
    struct transaction transaction = {.gas_limit = 1000000, .to = RUN_TARGET};
    run_transaction(run, &transaction);
    CHECK(run->verdict == VERDICT_ACCEPTED && run->result.status == EVM_SUCCESS);
    const uint64_t used = 21000 + c->gas;
    const uint64_t cap = used / (c->fork >= FORK_LONDON ? 5 : 2);
    const uint64_t refunded = c->refund < cap ? c->refund : cap;
    if (run->result.gas_used != used - refunded) {
        fprintf(stderr, "%s: %llu, expected %llu\n", c->code,
                (unsigned long long)run->result.gas_used, (unsigned long long)(used - refunded));
    }
    CHECK(run->result.gas_refunded == refunded);
    CHECK(run->result.gas_used == used - refunded);
}

/* EIP-2200: with 2300 gas or less left, a store fails. */
static void check_sentry(struct run *run) {
    run_begin(run, FORK_ISTANBUL);
    run_code(run, &RUN_TARGET, "6001600055");
    struct transaction transaction = {.gas_limit = 21000 + 6 + 2300, .to = RUN_TARGET};
    run_transaction(run, &transaction);
    CHECK(run->result.status == EVM_OUT_OF_GAS);
}

/* What a reverted call stored, transiently or not, is gone; refunds too. */
static void check_revert(struct run *run) {
    const struct address inner = {{[19] = 0x11}};
    run_begin(run, FORK_OSAKA);
    run_code(run, &inner,
             "600160005560016000"
             "5d60006000fd");
    /* Delegatecalls inner, then returns SLOAD(0) + TLOAD(0). */
    run_code(run, &RUN_TARGET,
             "60006000600060006011"
             "5af4506000546000"
             "5c0160005260206000f3");
    struct transaction transaction = {.gas_limit = 1000000, .to = RUN_TARGET};
    run_transaction(run, &transaction);
    CHECK(run->result.status == EVM_SUCCESS);
    const struct u256 word = run_word(run);
    CHECK(u256_is_zero(&word));
}

int main(void) {
    static struct run run;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_store(&run, &cases[i]);
    check_sentry(&run);
    check_revert(&run);
    return 0;
}
