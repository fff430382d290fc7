#pragma once
/* The Ethereum Virtual Machine: runs one transaction, or one call, on a host.
 *
 * Every revision from Frontier on is described by tables (evm/opcodes.h: name, stack, gas, first
 * fork; evm/rules.c: what each fork changes; evm/precompile.c), chosen once per block.  Execution
 * allocates nothing: frames, stacks and memories come out of the arena given to evm_create, sized
 * by EVM_ARENA_BYTES; logs and return data live in the transaction's arena.  One evm per thread. */
#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/u256.h"
#include "base/verdict.h"
#include "chain/fork.h"
#include "chain/transaction.h"
#include "evm/host.h"

#define EVM_CALL_DEPTH_MAX 1024
/* Virtual memory for one executor: 1,025 frames' stacks (32 KiB each), EVM memory (more than 1 MiB
 * in each of 1,024 frames, as official tests have it with 2 G gas), code analyses, logs. Reserved,
 * not committed: pages cost only when touched. */
#define EVM_ARENA_BYTES ((size_t)1536 << 20)

struct evm; /* boot lifetime; holds the frames' memory and the cache of code analyses */

/* Why an execution ended. */
enum evm_status {
    EVM_SUCCESS,
    EVM_REVERT,
    EVM_OUT_OF_GAS,
    EVM_INVALID_INSTRUCTION,
    EVM_UNDEFINED_INSTRUCTION,
    EVM_STACK_OVERFLOW,
    EVM_STACK_UNDERFLOW,
    EVM_BAD_JUMP_DESTINATION,
    EVM_STATIC_MODE_VIOLATION,
    EVM_INVALID_MEMORY_ACCESS, /* RETURNDATACOPY out of bounds */
    EVM_CALL_DEPTH_EXCEEDED,
    EVM_CONTRACT_COLLISION,
    EVM_CODE_SIZE_EXCEEDED,
    EVM_CODE_PREFIX_EF,
    EVM_INSUFFICIENT_BALANCE,
    EVM_PRECOMPILE_FAILURE,
    EVM_NONCE_OVERFLOW,
    EVM_CODE_STORE_OUT_OF_GAS, /* a creation that cannot pay for its code */
    EVM_STATUS_COUNT
};

/* evm_status_text is what geth says ("out of gas", "execution reverted", "invalid jump
 * destination", ...); static storage. */
const char *evm_status_text(enum evm_status status);

struct evm_block {
    const struct chain_config *config;
    enum fork fork;
    uint64_t number;
    uint64_t timestamp; /* seconds */
    uint64_t gas_limit;
    struct address coinbase;
    struct u256 difficulty; /* before Paris */
    struct hash32 randao;   /* since Paris */
    struct u256 base_fee;   /* zero before London */
    uint64_t excess_blob_gas;
    struct u256 blob_base_fee;
};

/* What an observer of single steps gets (EIP-3155, debug traces); NULL for none. */
struct evm_step {
    uint64_t pc;
    uint8_t opcode;
    uint64_t gas;             /* before the instruction */
    uint64_t gas_cost;        /* as known before it runs; of calls with the gas that they hand on */
    unsigned depth;           /* 1 for the transaction's own frame */
    const struct u256 *stack; /* bottom first */
    size_t stack_count;
    struct bytes memory;
    struct bytes return_data;
    uint64_t refund;
    struct address address; /* whose storage this frame uses */
    enum evm_status fault;  /* why it cannot run, as far as gas and stack tell; else EVM_SUCCESS */
};
struct evm_frame_event {
    bool is_enter;  /* else: leave */
    uint8_t opcode; /* CALL, CREATE, ... ; 0 for the transaction itself */
    unsigned depth;
    struct address from, to;
    struct u256 value;
    struct bytes data;      /* enter: input; leave: output */
    uint64_t gas;           /* enter: gas given; leave: gas used */
    enum evm_status status; /* leave only */
};
struct evm_tracer {
    void *context;
    void (*step)(void *context, const struct evm_step *step);          /* may be NULL */
    void (*frame)(void *context, const struct evm_frame_event *event); /* may be NULL */
    /* Looked at after each step; once true, the execution is abandoned with ERR_LIMIT.  May be
     * NULL. */
    const bool *is_stopped;
};

/* A precompiled contract that is not where it belongs, for calls that ask for it. */
struct evm_precompile_move {
    struct address at;
    bool is_gone;         /* none is at this address */
    struct address moved; /* else: the one that belongs to this address is */
};

/* How a call differs from a transaction in a block: eth_call, eth_estimateGas, system calls. */
struct evm_options {
    bool skip_nonce;      /* do not compare the nonce */
    bool skip_code_check; /* the sender may have code (EIP-3607) */
    bool skip_balance;  /* the sender need not pay for gas (system calls, eth_call without price) */
    bool skip_base_fee; /* max_fee 0 is allowed below the base fee */
    bool skip_gas_cap;  /* EIP-7825's cap and the block's gas limit do not apply */
    const struct evm_precompile_move *moves;
    size_t moves_count;
    const struct evm_tracer *tracer;
};

struct evm_result {
    enum evm_status status;
    uint64_t gas_used; /* after refunds and EIP-7623's floor */
    uint64_t gas_peak; /* the same before refunds */
    uint64_t gas_refunded;
    struct bytes output;        /* return or revert data; in the transaction's arena */
    const struct evm_log *logs; /* empty unless status is EVM_SUCCESS */
    size_t logs_count;
    bool has_contract_address;
    struct address contract_address;
    struct u256 effective_gas_price;
};

/* evm_create puts an evm into `memory` of at least EVM_ARENA_BYTES (zeroed or fresh from mmap).
 * ERR_LIMIT: too small. */
MUST_USE enum err evm_create(void *memory, size_t memory_bytes, struct evm **out);

/* evm_spare lists, between executions, the memory that the last ones touched beyond what most need:
 * its content is gone already.  Returns how many. */
#define EVM_SPARES_MAX 8
size_t evm_spare(struct evm *evm, struct stretch out[EVM_SPARES_MAX]);

/* evm_transaction_check says whether `transaction` (sender known) may run in `block` now: the rules
 * of its fork about type, chain id, nonce, fees, funds, intrinsic and floor gas, caps, initcode
 * size, sender's code.  `block_gas_left` bounds its gas limit.  Changes nothing. */
enum verdict evm_transaction_check(struct evm *evm, const struct evm_host *host,
                                   const struct evm_block *block,
                                   const struct transaction *transaction,
                                   const struct evm_options *options, uint64_t block_gas_left);

/* evm_transaction_check_static is the part of the check that needs no state: for the pool's door.
 */
enum verdict evm_transaction_check_static(const struct chain_config *config, enum fork fork,
                                          const struct transaction *transaction);

/* evm_transaction_run runs a transaction that evm_transaction_check accepted in this same state:
 * buys gas, applies authorizations, executes, refunds, pays the coinbase.  Does not end the
 * transaction in the host (state_end_transaction is the caller's).  `arena` keeps output and logs.
 * ERR_LIMIT: `arena` is exhausted; the caller abandons the block. */
MUST_USE enum err evm_transaction_run(struct evm *evm, const struct evm_host *host,
                                      const struct evm_block *block,
                                      const struct transaction *transaction,
                                      const struct evm_options *options, struct arena *arena,
                                      struct evm_result *out);

/* evm_system_call runs code at `to` as SYSTEM_ADDRESS with 30,000,000 gas, no fees, no nonce
 * (EIP-4788, 2935, 7002, 7251).  No code at `to`: succeeds with empty output. */
MUST_USE enum err evm_system_call(struct evm *evm, const struct evm_host *host,
                                  const struct evm_block *block, const struct address *to,
                                  struct bytes input, struct arena *arena, struct evm_result *out);

/* evm_is_precompile says whether a precompiled contract belongs to the address in `fork`. */
bool evm_is_precompile(enum fork fork, const struct address *address);

/* evm_precompile_name is its name ("ECREC", "MODEXP", ...); NULL: there is none at this address. */
const char *evm_precompile_name(enum fork fork, const struct address *address);

/* evm_intrinsic_gas and evm_floor_gas: what the transaction pays before it runs, and at least
 * (EIP-7623; 0 before Prague). */
uint64_t evm_intrinsic_gas(enum fork fork, const struct transaction *transaction);
uint64_t evm_floor_gas(enum fork fork, const struct transaction *transaction);
