/* The time per gas of every instruction and precompiled contract, with operands that make it slow:
 * what hostile code can buy.
 *
 *   bench_evm_worst [--gas N]
 *
 * Each program is a loop of one instruction with fresh operands, run until its gas is gone; for
 * contracts, a loop of STATICCALLs with a costly input.  Prints nanoseconds per gas, the worst of
 * Osaka's rules last, and marks what is beyond three times ecrecover. */
#include <time.h>

#include "evm/opcodes.h"
#include "evm/precompile.h"
#include "evm/rules.h"
#include "evm/test_world.h"

#define CODE_MAX  20000
#define REPEATS   40
#define LINES_MAX 300

struct line {
    char name[32];
    double ns_per_gas;
};

struct bench {
    struct world *world;
    struct evm *evm;
    struct arena arena;
    struct rules rules;
    uint64_t gas;
    uint8_t code[CODE_MAX];
    size_t size;
    struct line lines[LINES_MAX];
    size_t lines_count;
};

static const struct address sender = {{[0] = 0x11, [19] = 0xaa}};
static const struct address target = {{[18] = 0xc0, [19] = 0xde}};

static double now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return 1e9 * (double)time.tv_sec + (double)time.tv_nsec;
}

static void put(struct bench *b, uint8_t byte) {
    CHECK(b->size < CODE_MAX);
    b->code[b->size++] = byte;
}

static void push_word(struct bench *b, uint8_t fill, unsigned bytes) {
    put(b, (uint8_t)(OP_PUSH1 + bytes - 1));
    for (unsigned i = 0; i < bytes; i++)
        put(b, (uint8_t)(fill - i));
}

static void push_number(struct bench *b, uint64_t value, unsigned bytes) {
    put(b, (uint8_t)(OP_PUSH1 + bytes - 1));
    for (unsigned i = bytes; i-- > 0;)
        put(b, (uint8_t)(value >> (8 * i)));
}

/* run measures b->code and keeps a line. */
static void run(struct bench *b, const char *name, struct bytes input) {
    world_clear(b->world);
    arena_reset(&b->arena);
    world_set_code(b->world, &target, (struct bytes){b->code, b->size});
    const struct chain_config config = chain_config_for_fork(FORK_OSAKA);
    const struct evm_block block = {.config = &config,
                                    .fork = FORK_OSAKA,
                                    .number = 1000,
                                    .gas_limit = b->gas,
                                    .blob_base_fee = U256_ONE};
    const struct evm_host host = world_host(b->world);
    const struct evm_options options = {.skip_gas_cap = true, .skip_balance = true};
    const struct transaction transaction = {
        .gas_limit = b->gas, .has_sender = true, .sender = sender, .to = target, .data = input};
    struct evm_result result;
    const double start = now_ns();
    CHECK(evm_transaction_run(b->evm, &host, &block, &transaction, &options, &b->arena, &result) ==
          ERR_OK);
    const double time = now_ns() - start;
    CHECK(b->lines_count < LINES_MAX);
    struct line *line = &b->lines[b->lines_count++];
    snprintf(line->name, sizeof line->name, "%s", name);
    line->ns_per_gas = time / (double)result.gas_used;
}

/* Operands that make an instruction slow: wide divisors, high exponents, short hashes. */
static void push_operands(struct bench *b, uint8_t opcode, const struct opcode_rule *rule) {
    const bool is_memory = (opcode >= OP_MLOAD && opcode <= OP_MSTORE8) || opcode == OP_KECCAK256 ||
                           opcode == OP_MCOPY || (opcode >= OP_LOG0 && opcode <= OP_LOG4) ||
                           opcode == OP_CALLDATACOPY || opcode == OP_CODECOPY;
    for (unsigned i = rule->stack_in; i-- > 0;) {
        if (is_memory) {
            push_number(b, i == 0 ? 1 : 33, 1);
        } else if (opcode == OP_RETURNDATACOPY) {
            push_number(b, 0, 1);
        } else if (opcode == OP_EXTCODECOPY) {
            push_number(b, 1, 1);
        } else if (opcode == OP_SSTORE || opcode == OP_TSTORE || opcode == OP_SLOAD ||
                   opcode == OP_TLOAD) {
            push_number(b, b->size & 0xff,
                        1); /* another slot each time; disks are not measured here */
        } else if (opcode == OP_BALANCE || opcode == OP_EXTCODESIZE || opcode == OP_EXTCODEHASH ||
                   opcode == OP_BLOCKHASH) {
            push_number(b, 999, 2);
        } else if (opcode == OP_BYTE || opcode == OP_SIGNEXTEND || opcode == OP_SHL ||
                   opcode == OP_SHR || opcode == OP_SAR) {
            if (i == 0) {
                push_number(b, 13, 1);
            } else {
                push_word(b, 0xf7, 32);
            }
        } else {
            push_word(b, (uint8_t)(0xf7 - i), i % 2 == 0 ? 32 : 17);
        }
    }
}

static void measure_opcode(struct bench *b, uint8_t opcode) {
    const struct opcode_rule *rule = &b->rules.opcodes[opcode];
    if (!rule->is_defined || opcode == OP_STOP || opcode == OP_RETURN || opcode == OP_REVERT ||
        opcode == OP_INVALID || opcode == OP_SELFDESTRUCT || opcode == OP_JUMP ||
        opcode == OP_JUMPI || (opcode >= OP_CREATE && opcode <= OP_STATICCALL)) {
        return;
    }
    b->size = 0;
    put(b, OP_JUMPDEST);
    for (int i = 0; i < REPEATS; i++) {
        if (opcode >= OP_PUSH1 && opcode <= OP_PUSH32) {
            push_word(b, 0xf7, (unsigned)(opcode - OP_PUSH0));
        } else {
            push_operands(b, opcode, rule);
            put(b, opcode);
        }
        for (unsigned j = 0; j < rule->stack_out; j++)
            put(b, OP_POP);
    }
    push_number(b, 0, 1);
    put(b, OP_JUMP);
    run(b, opcode_name(opcode), BYTES_EMPTY);
}

/* A contract that calls itself, or creates, as deep and as often as gas allows. */
static void measure_recursion(struct bench *b, uint8_t opcode) {
    b->size = 0;
    put(b, OP_JUMPDEST);
    if (opcode == OP_CREATE || opcode == OP_CREATE2) {
        for (int i = 0; i < 3 + (opcode == OP_CREATE2); i++)
            push_number(b, 0, 1);
    } else {
        for (int i = 0; i < (opcode == OP_CALL || opcode == OP_CALLCODE ? 5 : 4); i++)
            push_number(b, 0, 1);
        put(b, OP_ADDRESS);
        put(b, OP_GAS);
    }
    put(b, opcode);
    put(b, OP_POP);
    push_number(b, 0, 1);
    put(b, OP_JUMP);
    run(b, opcode_name(opcode), BYTES_EMPTY);
}

/* measure_contract calls a precompiled contract with `input`, copied to memory once. */
static void measure_contract(struct bench *b, uint16_t address, const char *name,
                             struct bytes input) {
    b->size = 0;
    put(b, OP_CALLDATASIZE);
    push_number(b, 0, 1);
    push_number(b, 0, 1);
    put(b, OP_CALLDATACOPY);
    const size_t loop = b->size;
    put(b, OP_JUMPDEST);
    push_number(b, 0, 1);
    push_number(b, 0, 1);
    put(b, OP_CALLDATASIZE);
    push_number(b, 0, 1);
    push_number(b, address, 2);
    put(b, OP_GAS);
    put(b, OP_STATICCALL);
    put(b, OP_POP);
    push_number(b, loop, 1);
    put(b, OP_JUMP);
    run(b, name, input);
}

static void measure_contracts(struct bench *b) {
    static uint8_t in[4096];
    /* A signature that recovers: r = Gx, small s and digest. */
    static const uint8_t gx[32] = {0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62,
                                   0x95, 0xce, 0x87, 0x0b, 0x07, 0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce,
                                   0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98};
    memset(in, 0x5a, 32);
    in[63] = 27;
    memcpy(in + 64, gx, 32);
    memset(in + 96, 0x5a, 32);
    measure_contract(b, 1, "ecrecover", (struct bytes){in, 128});
    memset(in, 0x5a, sizeof in);
    measure_contract(b, 2, "sha256", (struct bytes){in, 32});
    measure_contract(b, 2, "sha256 4096 bytes", (struct bytes){in, 4096});
    measure_contract(b, 3, "ripemd160", (struct bytes){in, 32});
    measure_contract(b, 4, "identity", (struct bytes){in, 32});
    for (int even = 0; even < 2; even++) { /* 32 and 128 bytes, odd and even */
        for (unsigned size = 32; size <= 256; size *= 2) {
            memset(in, 0, 96);
            in[30] = in[94] = (uint8_t)(size >> 8);
            in[31] = in[95] = (uint8_t)size;
            in[63] = 32;
            memset(in + 96, 0xff, 2 * size + 32);
            if (even) in[96 + 2 * size + 31] = 0xf0;
            char name[32];
            snprintf(name, sizeof name, "modexp %u %s", size, even ? "even" : "odd");
            measure_contract(b, 5, name, (struct bytes){in, 96 + 2 * size + 32});
        }
    }
    memset(in, 0, sizeof in);
    in[31] = in[95] = 1; /* (1, 2) is the generator */
    in[63] = in[127] = 2;
    measure_contract(b, 6, "bn254 add", (struct bytes){in, 128});
    memset(in + 64, 0xff, 32);
    measure_contract(b, 7, "bn254 mul", (struct bytes){in, 96});
    memset(in, 0, 213);
    in[1] = 1; /* 65,536 rounds */
    measure_contract(b, 9, "blake2f", (struct bytes){in, 213});
    memset(in, 0, sizeof in);
    in[63] = 7;
    measure_contract(b, 0x10, "bls map fp", (struct bytes){in, 64});
    measure_contract(b, 0x11, "bls map fp2", (struct bytes){in, 128});
}

static int by_time(const void *a, const void *b) {
    const double x = ((const struct line *)a)->ns_per_gas;
    const double y = ((const struct line *)b)->ns_per_gas;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
    static struct bench bench;
    bench.gas = 20000000;
    if (argc == 3 && strcmp(argv[1], "--gas") == 0) bench.gas = strtoull(argv[2], NULL, 10);
    bench.world = world_new();
    bench.evm = world_evm();
    bench.arena = arena_over(world_map((size_t)256 << 20), (size_t)256 << 20);
    rules_of(FORK_OSAKA, &bench.rules);
    for (unsigned opcode = 0; opcode < 256; opcode++)
        measure_opcode(&bench, (uint8_t)opcode);
    static const uint8_t recursive[] = {OP_CALL,       OP_CALLCODE, OP_DELEGATECALL,
                                        OP_STATICCALL, OP_CREATE,   OP_CREATE2};
    for (size_t i = 0; i < sizeof recursive; i++)
        measure_recursion(&bench, recursive[i]);
    const size_t contracts = bench.lines_count;
    measure_contracts(&bench);
    const double common = bench.lines[contracts].ns_per_gas;
    qsort(bench.lines, bench.lines_count, sizeof bench.lines[0], by_time);
    for (size_t i = 0; i < bench.lines_count; i++) {
        const struct line *line = &bench.lines[i];
        printf("%-24s %7.2f ns/gas%s\n", line->name, line->ns_per_gas,
               line->ns_per_gas > 3 * common ? "  beyond three times ecrecover" : "");
    }
    return 0;
}
