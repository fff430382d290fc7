#pragma once
/* What differs between forks, as numbers: prices, limits, refunds and switches.
 *
 * Each fork starts as a copy of the one before and states only its differences (rules.c), so that
 * the interpreter asks for a number and never for a fork.  A switch is a rule of 0 or 1.  To add a
 * fork: its lines in rules.c; nothing else in this folder knows its name. */
#include <stdbool.h>
#include <stdint.h>

#include "chain/fork.h"

enum rule {
    /* --- instructions */
    RULE_EXP_BYTE_GAS,
    RULE_ACCOUNT_COLD_GAS,  /* EIP-2929: what a cold account costs beyond the warm price */
    RULE_SLOT_COLD_GAS,     /* the same for SLOAD */
    RULE_ACCESS_LISTS,      /* switch: accounts and slots are warm or cold */
    RULE_ACCESS_WARM_GAS,   /* a warm access that is priced by the handler (delegation) */
    RULE_ACCESS_COLD_GAS,   /* a cold one */
    RULE_SSTORE_NET,        /* switch: net metering (EIP-1283, EIP-2200) */
    RULE_SSTORE_SENTRY_GAS, /* at most this much gas left: SSTORE fails (EIP-2200) */
    RULE_SSTORE_COLD_GAS,   /* EIP-2929 */
    RULE_SSTORE_NOOP_GAS,   /* net metering: nothing changes, or not for the first time */
    RULE_SSTORE_SET_GAS,    /* zero to non-zero */
    RULE_SSTORE_RESET_GAS,  /* non-zero to anything */
    RULE_SSTORE_CLEAR_REFUND,
    RULE_CALL_KEEPS_64TH,   /* switch: EIP-150 */
    RULE_CALL_NEW_IF_EMPTY, /* switch: EIP-161 charges for a new account by value and emptiness */
    RULE_SELFDESTRUCT_NEW_GAS,
    RULE_SELFDESTRUCT_REFUND,
    RULE_SELFDESTRUCT_SAME_TRANSACTION, /* switch: EIP-6780 */
    RULE_PREVRANDAO,                    /* switch: EIP-4399 */
    /* --- contract creation */
    RULE_CREATE_DEPOSIT_MUST_PAY, /* switch: EIP-2 */
    RULE_CREATE_NONCE,            /* EIP-161: a contract's first nonce */
    RULE_CODE_BYTES_MAX,          /* EIP-170 */
    RULE_CODE_NO_EF,              /* switch: EIP-3541 */
    RULE_INITCODE_BYTES_MAX,      /* EIP-3860 */
    RULE_INITCODE_WORD_GAS,
    /* --- transactions */
    RULE_STATE_CLEARING, /* switch: EIP-161 removes empty accounts that were touched */
    RULE_TX_CREATE_GAS,  /* EIP-2 */
    RULE_TX_DATA_NONZERO_GAS,
    RULE_TX_FLOOR_TOKEN_GAS, /* EIP-7623 */
    RULE_TX_GAS_MAX,         /* EIP-7825; 0: none */
    RULE_TX_TYPE_MAX,
    RULE_TX_PROTECTED,     /* switch: EIP-155 */
    RULE_TX_BASE_FEE,      /* switch: EIP-1559 */
    RULE_TX_SENDER_EOA,    /* switch: EIP-3607 */
    RULE_TX_COINBASE_WARM, /* switch: EIP-3651 */
    RULE_TX_BLOBS_MAX,     /* EIP-7594: blobs of one transaction; 0: the block's limit only */
    RULE_REFUND_QUOTIENT,  /* EIP-3529 */
    RULE_DELEGATION,       /* switch: EIP-7702 */
    RULE_COUNT
};

struct opcode_rule {
    bool is_defined;
    uint8_t stack_in, stack_out;
    uint16_t gas; /* constant part */
};

struct rules {
    enum fork fork;
    int64_t value[RULE_COUNT];
    struct opcode_rule opcodes[256];
};

/* rules_of fills the rules of `fork`: a few hundred steps, so once per block and not per call. */
void rules_of(enum fork fork, struct rules *out);

/* rule_of looks up one number without building the table. */
int64_t rule_of(enum fork fork, enum rule rule);
