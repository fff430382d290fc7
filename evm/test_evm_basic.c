/* Programs as hex with their outcome, one table line each: arithmetic, flow, memory, gas. */
#include "evm/test_run.h"

#define RETURN_TOP "60005260206000f3" /* PUSH1 0 MSTORE PUSH1 32 PUSH1 0 RETURN: 15 gas */

struct program_case {
    const char *name;
    enum fork fork;
    const char *code;
    const char *input;
    enum evm_status status;
    uint64_t word; /* what it returns, when it succeeds and returns 32 bytes */
    uint64_t gas;  /* execution gas, without 21,000 and call data; 0: not compared */
};

static const struct program_case cases[] = {
    {"empty", FORK_OSAKA, "", "", EVM_SUCCESS, 0, 0},
    {"add", FORK_OSAKA, "6002600301" RETURN_TOP, "", EVM_SUCCESS, 5, 9 + 15},
    {"sub", FORK_OSAKA, "6002600303" RETURN_TOP, "", EVM_SUCCESS, 1, 0},
    {"loop 10", FORK_OSAKA,
     "600a5b6001900380600257586000526020"
     "6000f3",
     "", EVM_SUCCESS, 11, 0},
    {"jump into push data", FORK_OSAKA, "6003565b", "", EVM_SUCCESS, 0, 0},
    {"bad jump", FORK_OSAKA, "6001565b", "", EVM_BAD_JUMP_DESTINATION, 0, 0},
    {"jump to data", FORK_OSAKA, "600456605b00", "", EVM_BAD_JUMP_DESTINATION, 0, 0},
    {"underflow", FORK_OSAKA, "01", "", EVM_STACK_UNDERFLOW, 0, 0},
    {"invalid", FORK_OSAKA, "fe", "", EVM_INVALID_INSTRUCTION, 0, 0},
    {"undefined", FORK_OSAKA, "0c", "", EVM_UNDEFINED_INSTRUCTION, 0, 0},
    {"push0 before shanghai", FORK_PARIS, "5f", "", EVM_UNDEFINED_INSTRUCTION, 0, 0},
    {"push0", FORK_SHANGHAI, "5f" RETURN_TOP, "", EVM_SUCCESS, 0, 2 + 15},
    {"clz before osaka", FORK_PRAGUE, "60011e", "", EVM_UNDEFINED_INSTRUCTION, 0, 0},
    {"clz", FORK_OSAKA, "60011e" RETURN_TOP, "", EVM_SUCCESS, 255, 3 + 5 + 15},
    {"gas", FORK_OSAKA, "5a5a9003" RETURN_TOP, "", EVM_SUCCESS, 2, 0},
    {"pc", FORK_OSAKA, "60005058" RETURN_TOP, "", EVM_SUCCESS, 3, 0},
    {"revert", FORK_OSAKA, "60206000fd", "", EVM_REVERT, 0, 9},
    {"call data", FORK_OSAKA, "600035" RETURN_TOP,
     "0000000000000000000000000000000000000000000000000000000000000007", EVM_SUCCESS, 7, 0},
    {"memory far away", FORK_OSAKA, "6001650fffffffffff52", "", EVM_OUT_OF_GAS, 0, 0},
    {"msize", FORK_OSAKA, "600160415259" RETURN_TOP, "", EVM_SUCCESS, 128, 0},
    {"mcopy", FORK_OSAKA,
     "602a60005260206000602"
     "05e602051" RETURN_TOP,
     "", EVM_SUCCESS, 42, 0},
    {"sload cold", FORK_OSAKA, "600054" RETURN_TOP, "", EVM_SUCCESS, 0, 3 + 2100 + 15},
    {"sload istanbul", FORK_ISTANBUL, "600054" RETURN_TOP, "", EVM_SUCCESS, 0, 818},
    {"sload tangerine", FORK_TANGERINE, "600054" RETURN_TOP, "", EVM_SUCCESS, 0, 218},
    {"sload frontier", FORK_FRONTIER, "600054" RETURN_TOP, "", EVM_SUCCESS, 0, 68},
    {"sstore new", FORK_OSAKA, "6001600055", "", EVM_SUCCESS, 0, 6 + 22100},
    {"tstore tload", FORK_CANCUN, "602a60005d60005c" RETURN_TOP, "", EVM_SUCCESS, 42, 0},
    {"exp", FORK_OSAKA, "6002600a0a" RETURN_TOP, "", EVM_SUCCESS, 100, 6 + 60 + 15},
    {"selfbalance", FORK_OSAKA, "47" RETURN_TOP, "", EVM_SUCCESS, 0, 0},
    {"chain id", FORK_OSAKA, "46" RETURN_TOP, "", EVM_SUCCESS, 1, 0},
    {"blockhash out of range", FORK_OSAKA, "6103e840" RETURN_TOP, "", EVM_SUCCESS, 0, 0},
    {"returndatacopy beyond", FORK_OSAKA,
     "60016000600"
     "03e",
     "", EVM_INVALID_MEMORY_ACCESS, 0, 0},
    {"endless recursion", FORK_FRONTIER, "600060006000600060006000305af1" RETURN_TOP, "",
     EVM_OUT_OF_GAS, 0, 0},
    {"recursion by 64ths", FORK_OSAKA, "60006000600060006000305af1" RETURN_TOP, "", EVM_SUCCESS, 1,
     0},
};

static void check_case(struct run *run, const struct program_case *c) {
    run_call(run, c->fork, c->code, c->input);
    const struct transaction data = {.data = run_hex(run, c->input)};
    const uint64_t intrinsic = evm_intrinsic_gas(c->fork, &data);
    const uint64_t gas = run->result.gas_used - intrinsic;
    bool ok = run->verdict == VERDICT_ACCEPTED && run->result.status == c->status;
    if (ok && c->status == EVM_SUCCESS && run->result.output.size == 32) {
        const struct u256 word = run_word(run);
        ok = u256_fits_u64(&word) && word.limb[0] == c->word;
    }
    ok = ok && (c->gas == 0 || gas == c->gas);
    if (!ok) {
        fprintf(stderr, "%s: %s, gas %llu, output %zu bytes\n", c->name,
                evm_status_text(run->result.status), (unsigned long long)gas,
                run->result.output.size);
    }
    CHECK(ok);
}

/* What is spare is told once, and nothing depends on what is in it. */
static void test_spare(struct run *run) {
    struct stretch spares[EVM_SPARES_MAX];
    (void)evm_spare(run->evm, spares);
    CHECK(evm_spare(run->evm, spares) == 0);
    run_call(run, FORK_OSAKA, "6001620a000053", ""); /* 640 KiB of memory */
    CHECK(run->result.status == EVM_SUCCESS);
    const size_t count = evm_spare(run->evm, spares);
    CHECK(count == 1);
    CHECK(spares[0].size >= (size_t)64 << 10);
    memset(spares[0].data, 0xee, spares[0].size);
    CHECK(evm_spare(run->evm, spares) == 0);
    run_call(run, FORK_OSAKA, "60016209ffe052620a000051" RETURN_TOP, ""); /* zeros behind a word */
    const struct u256 word = run_word(run);
    CHECK(u256_is_zero(&word));
    CHECK(evm_spare(run->evm, spares) == 1);
    const char *deep = "60006000600060006000305af100"; /* stacks of many frames */
    run_call(run, FORK_OSAKA, deep, "");
    const size_t stacks = evm_spare(run->evm, spares);
    CHECK(stacks == 1);
    memset(spares[0].data, 0xee, spares[0].size);
}

int main(void) {
    static struct run run;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            check_case(&run, &cases[i]);
        test_spare(&run);
    }
    return 0;
}
