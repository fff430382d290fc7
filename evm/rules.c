#include "evm/rules.h"

#include <stddef.h>
#include <string.h>

#include "base/check.h"
#include "evm/opcodes.h"

struct rule_change {
    enum fork fork;
    enum rule rule;
    int64_t value;
};

/* In order of activation. */
static const struct rule_change rule_changes[] = {
    {FORK_FRONTIER, RULE_EXP_BYTE_GAS, 10},
    {FORK_FRONTIER, RULE_SSTORE_SET_GAS, 20000},
    {FORK_FRONTIER, RULE_SSTORE_RESET_GAS, 5000},
    {FORK_FRONTIER, RULE_SSTORE_CLEAR_REFUND, 15000},
    {FORK_FRONTIER, RULE_SELFDESTRUCT_REFUND, 24000},
    {FORK_FRONTIER, RULE_CODE_BYTES_MAX, INT64_MAX},
    {FORK_FRONTIER, RULE_INITCODE_BYTES_MAX, INT64_MAX},
    {FORK_FRONTIER, RULE_TX_DATA_NONZERO_GAS, 68},
    {FORK_FRONTIER, RULE_REFUND_QUOTIENT, 2},

    {FORK_HOMESTEAD, RULE_CREATE_DEPOSIT_MUST_PAY, 1},
    {FORK_HOMESTEAD, RULE_TX_CREATE_GAS, 32000},

    {FORK_TANGERINE, RULE_CALL_KEEPS_64TH, 1},
    {FORK_TANGERINE, RULE_SELFDESTRUCT_NEW_GAS, 25000},

    {FORK_SPURIOUS, RULE_EXP_BYTE_GAS, 50},
    {FORK_SPURIOUS, RULE_CALL_NEW_IF_EMPTY, 1},
    {FORK_SPURIOUS, RULE_CREATE_NONCE, 1},
    {FORK_SPURIOUS, RULE_CODE_BYTES_MAX, 24576},
    {FORK_SPURIOUS, RULE_STATE_CLEARING, 1},
    {FORK_SPURIOUS, RULE_TX_PROTECTED, 1},

    {FORK_CONSTANTINOPLE, RULE_SSTORE_NET, 1},
    {FORK_CONSTANTINOPLE, RULE_SSTORE_NOOP_GAS, 200},

    {FORK_PETERSBURG, RULE_SSTORE_NET, 0},

    {FORK_ISTANBUL, RULE_SSTORE_NET, 1},
    {FORK_ISTANBUL, RULE_SSTORE_NOOP_GAS, 800},
    {FORK_ISTANBUL, RULE_SSTORE_SENTRY_GAS, 2300},
    {FORK_ISTANBUL, RULE_TX_DATA_NONZERO_GAS, 16},

    {FORK_BERLIN, RULE_ACCESS_LISTS, 1},
    {FORK_BERLIN, RULE_ACCESS_WARM_GAS, 100},
    {FORK_BERLIN, RULE_ACCESS_COLD_GAS, 2600},
    {FORK_BERLIN, RULE_ACCOUNT_COLD_GAS, 2500},
    {FORK_BERLIN, RULE_SLOT_COLD_GAS, 2000},
    {FORK_BERLIN, RULE_SSTORE_COLD_GAS, 2100},
    {FORK_BERLIN, RULE_SSTORE_NOOP_GAS, 100},
    {FORK_BERLIN, RULE_SSTORE_RESET_GAS, 2900},
    {FORK_BERLIN, RULE_TX_TYPE_MAX, 1},

    {FORK_LONDON, RULE_SSTORE_CLEAR_REFUND, 4800},
    {FORK_LONDON, RULE_SELFDESTRUCT_REFUND, 0},
    {FORK_LONDON, RULE_CODE_NO_EF, 1},
    {FORK_LONDON, RULE_TX_TYPE_MAX, 2},
    {FORK_LONDON, RULE_TX_BASE_FEE, 1},
    {FORK_LONDON, RULE_TX_SENDER_EOA, 1},
    {FORK_LONDON, RULE_REFUND_QUOTIENT, 5},

    {FORK_PARIS, RULE_PREVRANDAO, 1},

    {FORK_SHANGHAI, RULE_INITCODE_BYTES_MAX, 49152},
    {FORK_SHANGHAI, RULE_INITCODE_WORD_GAS, 2},
    {FORK_SHANGHAI, RULE_TX_COINBASE_WARM, 1},

    {FORK_CANCUN, RULE_SELFDESTRUCT_SAME_TRANSACTION, 1},
    {FORK_CANCUN, RULE_TX_TYPE_MAX, 3},

    {FORK_PRAGUE, RULE_TX_TYPE_MAX, 4},
    {FORK_PRAGUE, RULE_TX_FLOOR_TOKEN_GAS, 10},
    {FORK_PRAGUE, RULE_DELEGATION, 1},

    {FORK_OSAKA, RULE_TX_GAS_MAX, 1 << 24},
    {FORK_OSAKA, RULE_TX_BLOBS_MAX, 6},
};

/* Prices that a fork changed; the first price is in OPCODES. */
struct gas_change {
    enum fork fork;
    enum opcode opcode;
    uint16_t gas;
};

static const struct gas_change gas_changes[] = {
    {FORK_TANGERINE, OP_EXTCODESIZE, 700}, /* EIP-150 */
    {FORK_TANGERINE, OP_EXTCODECOPY, 700},
    {FORK_TANGERINE, OP_BALANCE, 400},
    {FORK_TANGERINE, OP_SLOAD, 200},
    {FORK_TANGERINE, OP_CALL, 700},
    {FORK_TANGERINE, OP_CALLCODE, 700},
    {FORK_TANGERINE, OP_DELEGATECALL, 700},
    {FORK_TANGERINE, OP_SELFDESTRUCT, 5000},
    {FORK_ISTANBUL, OP_BALANCE, 700}, /* EIP-1884 */
    {FORK_ISTANBUL, OP_SLOAD, 800},
    {FORK_ISTANBUL, OP_EXTCODEHASH, 700},
    {FORK_BERLIN, OP_BALANCE, 100}, /* EIP-2929: the warm price; handlers add the cold surcharge */
    {FORK_BERLIN, OP_SLOAD, 100},
    {FORK_BERLIN, OP_EXTCODEHASH, 100},
    {FORK_BERLIN, OP_EXTCODESIZE, 100},
    {FORK_BERLIN, OP_EXTCODECOPY, 100},
    {FORK_BERLIN, OP_CALL, 100},
    {FORK_BERLIN, OP_CALLCODE, 100},
    {FORK_BERLIN, OP_DELEGATECALL, 100},
    {FORK_BERLIN, OP_STATICCALL, 100},
};

struct opcode_origin {
    const char *name;
    enum fork first;
    struct opcode_rule rule;
};

static const struct opcode_origin opcode_origins[256] = {
#define X(code, name, handler, in, out, gas, fork, kind)                                           \
    [code] = {#name, FORK_##fork, {true, in, out, gas}},
    OPCODES(X)
#undef X
};

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

void rules_of(enum fork fork, struct rules *out) {
    CHECK(fork < FORK_COUNT);
    memset(out, 0, sizeof *out);
    out->fork = fork;
    for (size_t i = 0; i < COUNT_OF(rule_changes); i++) {
        const struct rule_change *change = &rule_changes[i];
        if (change->fork <= fork) out->value[change->rule] = change->value;
    }
    for (size_t code = 0; code < 256; code++) {
        const struct opcode_origin *origin = &opcode_origins[code];
        if (origin->name != NULL && origin->first <= fork) out->opcodes[code] = origin->rule;
    }
    for (size_t i = 0; i < COUNT_OF(gas_changes); i++) {
        const struct gas_change *change = &gas_changes[i];
        if (change->fork <= fork) out->opcodes[change->opcode].gas = change->gas;
    }
}

int64_t rule_of(enum fork fork, enum rule rule) {
    int64_t value = 0;
    for (size_t i = 0; i < COUNT_OF(rule_changes); i++) {
        const struct rule_change *change = &rule_changes[i];
        if (change->rule == rule && change->fork <= fork) value = change->value;
    }
    return value;
}

const char *opcode_name(uint8_t code) {
    return opcode_origins[code].name;
}
