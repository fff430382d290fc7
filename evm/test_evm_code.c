/* Code that is read as it runs, and forgotten: far more code than the cache holds, in frames that
 * go on after it was forgotten; jumps that are resolved late; calls in unread code. */
#include "evm/opcodes.h"
#include "evm/test_run.h"

#define CONTRACTS 250
#define JUMPDESTS                                                                                  \
    12000 /* before and behind the call: about 600 KB in the cache for each contract */
#define CODE_BYTES 24100

static struct address contract_at(unsigned index) {
    struct address address = {{0}};
    be_write(address.bytes + 16, 4, 0x10000 + index);
    return address;
}

/* Contract i: JUMPDESTs, a call to contract i + 1, JUMPDESTs, returns one more than it was told. */
static struct bytes make_contract(uint8_t *code, unsigned index) {
    struct buffer out = buffer_over(code, CODE_BYTES);
    for (int i = 0; i < JUMPDESTS; i++)
        buffer_append_byte(&out, OP_JUMPDEST);
    static const uint8_t call[] = {OP_PUSH1, 32, OP_PUSH1, 0, OP_PUSH1, 0,
                                   OP_PUSH1, 0,  OP_PUSH1, 0, OP_PUSH4};
    buffer_append(&out, BYTES_OF(call));
    const struct address next = contract_at(index + 1);
    buffer_append(&out, (struct bytes){next.bytes + 16, 4});
    buffer_append_byte(&out, OP_GAS);
    buffer_append_byte(&out, OP_CALL);
    for (int i = 0; i < JUMPDESTS; i++)
        buffer_append_byte(&out, OP_JUMPDEST);
    static const uint8_t end[] = {OP_PUSH1,  0,        OP_MLOAD, OP_PUSH1, 1, OP_ADD,   OP_PUSH1, 0,
                                  OP_MSTORE, OP_PUSH1, 32,       OP_PUSH1, 0, OP_RETURN};
    buffer_append(&out, BYTES_OF(end));
    CHECK(!out.overflow);
    return buffer_bytes(&out);
}

static void check_forgetting(struct run *run) {
    static uint8_t code[CODE_BYTES];
    run_begin(run, FORK_PRAGUE);
    for (unsigned i = 0; i < CONTRACTS; i++) {
        const struct address address = contract_at(i);
        world_set_code(run->world, &address, make_contract(code, i));
    }
    for (int round = 0; round < 2; round++) { /* the second time with some of it known */
        struct transaction transaction = {.gas_limit = 99000000, .to = contract_at(0)};
        run_transaction(run, &transaction);
        CHECK(run->verdict == VERDICT_ACCEPTED && run->result.status == EVM_SUCCESS);
        const struct u256 word = run_word(run);
        CHECK(word.limb[0] == CONTRACTS);
    }
}

/* Jumps forward and back, constant and computed, over more code than is read at once. */
static void check_jumps(struct run *run) {
    static uint8_t code[CODE_BYTES];
    for (unsigned distance = 1; distance < 300; distance += 7) {
        struct buffer out = buffer_over(code, CODE_BYTES);
        /* PUSH2 far JUMP; filler; far: JUMPDEST PUSH1 5 JUMP ... 4: JUMPDEST -> computed end */
        buffer_append_byte(&out, OP_PUSH2);
        buffer_append_be(&out, 2, 5 + 3 * distance);
        buffer_append_byte(&out, OP_JUMP);
        buffer_append_byte(&out, OP_INVALID);
        for (unsigned i = 0; i < distance; i++) {
            static const uint8_t filler[] = {OP_PUSH1, OP_JUMPDEST, OP_POP};
            buffer_append(&out, BYTES_OF(filler));
        }
        const size_t end = 5 + 3 * distance + 1 + 3 + 3 * distance + 2 + 2 + 2 + 1 + 2;
        buffer_append_byte(&out, OP_JUMPDEST);
        buffer_append_byte(&out, OP_PUSH2);
        buffer_append_be(&out, 2, end);
        for (unsigned i = 0; i < distance; i++) {
            static const uint8_t filler[] = {OP_PUSH1, 1, OP_POP};
            buffer_append(&out, BYTES_OF(filler));
        }
        /* Adds zero in two ways, so that the target is computed. */
        static const uint8_t jump[] = {OP_PUSH1, 0,      OP_DUP1, OP_ADD,    OP_ADD,
                                       OP_DUP1,  OP_POP, OP_JUMP, OP_INVALID};
        buffer_append(&out, BYTES_OF(jump));
        CHECK(out.size == end);
        static const uint8_t tail[] = {OP_JUMPDEST, OP_PUSH1, 7, OP_PUSH1, 0, OP_MSTORE, OP_PUSH1,
                                       32,          OP_PUSH1, 0, OP_RETURN};
        buffer_append(&out, BYTES_OF(tail));
        run_begin(run, FORK_OSAKA);
        world_set_code(run->world, &RUN_TARGET, buffer_bytes(&out));
        struct transaction transaction = {.gas_limit = 100000, .to = RUN_TARGET};
        run_transaction(run, &transaction);
        CHECK(run->result.status == EVM_SUCCESS);
        const struct u256 word = run_word(run);
        CHECK(word.limb[0] == 7);
    }
}

int main(void) {
    static struct run run;
    check_forgetting(&run);
    check_jumps(&run);
    return 0;
}
