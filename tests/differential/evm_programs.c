/* Makes random programs, runs them, and prints what came out, for compare.mjs to hold against
 * another engine.
 *
 *   evm_programs --seed N --count N [--contracts]
 *
 * A program is built of pieces that mostly make sense: operands before operations, jumps to real
 * destinations, calls to itself, to precompiled contracts and to accounts without code, creations,
 * storage, memory, logs; some are then damaged in a few bytes.  With --contracts, programs call
 * precompiled contracts with inputs that mean something.  One JSON line each: code, input,
 * gas limit, status, gas, output, logs, and the slots that it left. */
#include "base/hex.h"
#include "evm/opcodes.h"
#include "evm/rules.h"
#include "evm/test_world.h"
#include "tests/differential/contract_inputs.h"

#define CODE_MAX  600
#define GAS_LIMIT 400000
#define SLOTS     4 /* programs mostly use the first slots, which are compared */

static const struct address sender = {{[0] = 0x11, [19] = 0xaa}};
static const struct address target = {{[18] = 0xc0, [19] = 0xde}};

struct generator {
    uint64_t random;
    uint8_t code[CODE_MAX + 64];
    size_t size;
    unsigned height;
    size_t labels[32];
    size_t labels_count;
};

static uint64_t next(struct generator *g) {
    g->random += 0x9e3779b97f4a7c15u;
    uint64_t z = g->random;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void put(struct generator *g, uint8_t byte) {
    if (g->size < CODE_MAX) g->code[g->size++] = byte;
}

static void push(struct generator *g, uint64_t value, unsigned bytes) {
    put(g, (uint8_t)(OP_PUSH1 + bytes - 1));
    for (unsigned i = bytes; i-- > 0;)
        put(g, (uint8_t)(i < 8 ? value >> (8 * i) : next(g)));
    g->height++;
}

/* push_operand pushes a number of a kind that matters: small, a power, nearly one, anything. */
static void push_operand(struct generator *g) {
    switch (next(g) % 8) {
    case 0: push(g, next(g), 32); break;
    case 1: push(g, next(g), (unsigned)(next(g) % 20) + 9); break;
    case 2: push(g, (uint64_t)1 << next(g) % 64, 8); break;
    case 3: push(g, ((uint64_t)1 << next(g) % 64) - 1, 8); break;
    case 4:
        push(g, 0, 1);
        put(g, OP_NOT);
        break;
    default: push(g, next(g) % 128, 1); break;
    }
}

static void push_address(struct generator *g) {
    switch (next(g) % 5) {
    case 0:
        put(g, OP_ADDRESS);
        g->height++;
        break;
    case 1: push(g, next(g) % 0x14, 1); break;
    case 2: push(g, 0x100, 2); break;
    default: push(g, next(g), 20); break;
    }
}

static void call_piece(struct generator *g) {
    static const uint8_t calls[] = {OP_CALL, OP_CALLCODE, OP_DELEGATECALL, OP_STATICCALL};
    const uint8_t call = calls[next(g) % 4];
    push(g, next(g) % 64, 1);  /* output size */
    push(g, next(g) % 128, 1); /* output offset */
    push(g, next(g) % 200, 1); /* input size */
    push(g, next(g) % 128, 1); /* input offset */
    if (call == OP_CALL || call == OP_CALLCODE) push(g, next(g) % 5 == 0, 1);
    push_address(g);
    if (next(g) % 2 == 0) {
        put(g, OP_GAS);
    } else {
        push(g, next(g) % 100000, 3);
    }
    put(g, call);
    g->height = g->height > 7 ? g->height - 6 : 1;
}

static void create_piece(struct generator *g) {
    const bool is_second = next(g) % 2 == 0;
    if (is_second) push(g, next(g) % 4, 1);
    push(g, next(g) % 100, 1);
    push(g, next(g) % 100, 1);
    push(g, next(g) % 7 == 0, 1);
    put(g, is_second ? OP_CREATE2 : OP_CREATE);
    g->height = g->height > 4 ? g->height - 2 : 1;
}

static void jump_piece(struct generator *g) {
    const bool forward = next(g) % 2 == 0 || g->labels_count == 0;
    if (forward) { /* over a few bytes that are code, too */
        push_operand(g);
        const size_t skip = next(g) % 6;
        push(g, g->size + 4 + skip, 2);
        put(g, OP_JUMPI);
        g->height = g->height > 2 ? g->height - 2 : 0;
        for (size_t i = 0; i < skip; i++)
            put(g, OP_JUMPDEST);
    } else {
        put(g, OP_GAS); /* back, as long as there is much gas */
        push(g, GAS_LIMIT / 2, 3);
        put(g, OP_LT);
        push(g, g->labels[next(g) % g->labels_count], 2);
        put(g, OP_JUMPI);
        g->height = g->height > 0 ? g->height : 0;
    }
    if (g->labels_count < 32) g->labels[g->labels_count++] = g->size;
    put(g, OP_JUMPDEST);
}

/* What says something of the chain that the other engine's block has otherwise. */
static bool depends_on_chain(uint8_t opcode) {
    return opcode == OP_BLOCKHASH || opcode == OP_COINBASE || opcode == OP_TIMESTAMP ||
           opcode == OP_NUMBER || opcode == OP_PREVRANDAO || opcode == OP_GASLIMIT ||
           opcode == OP_BASEFEE || opcode == OP_BLOBBASEFEE;
}

static void simple_piece(struct generator *g, const struct rules *rules) {
    uint8_t opcode = (uint8_t)next(g);
    while (!rules->opcodes[opcode].is_defined || (opcode >= 0x56 && opcode <= 0x5b) ||
           (opcode >= OP_PUSH1 && opcode <= OP_PUSH32) || opcode >= OP_CREATE ||
           opcode == OP_STOP || depends_on_chain(opcode))
        opcode = (uint8_t)next(g);
    const struct opcode_rule *rule = &rules->opcodes[opcode];
    while (g->height < rule->stack_in)
        push_operand(g);
    if (opcode == OP_MSTORE || opcode == OP_MSTORE8 || opcode == OP_MLOAD ||
        (opcode >= OP_LOG0 && opcode <= OP_LOG4) || opcode == OP_KECCAK256) {
        push(g, next(g) % 100, 1);
        push(g, next(g) % 160, 1);
    } else if (rule->stack_in == 3 && rule->stack_out == 0) { /* copies */
        push(g, next(g) % 100, 1);
        push(g, next(g) % 100, 1);
        push(g, next(g) % 160, 1);
    } else if (opcode == OP_EXTCODECOPY) {
        push(g, next(g) % 100, 1);
        push(g, next(g) % 100, 1);
        push(g, next(g) % 160, 1);
        push_address(g);
    } else if (opcode == OP_SSTORE || opcode == OP_SLOAD || opcode == OP_TLOAD ||
               opcode == OP_TSTORE) {
        push(g, next(g) % 3, 1);
        push(g, next(g) % SLOTS, 1);
    }
    put(g, opcode);
    g->height = g->height - rule->stack_in + rule->stack_out;
}

static void generate(struct generator *g, const struct rules *rules) {
    g->size = g->height = 0;
    g->labels_count = 0;
    const size_t length = 20 + next(g) % (CODE_MAX - 100);
    while (g->size < length) {
        const uint64_t kind = next(g) % 40;
        if (kind == 0) {
            call_piece(g);
        } else if (kind == 1 && next(g) % 2 == 0) {
            create_piece(g);
        } else if (kind <= 4) {
            jump_piece(g);
        } else if (kind <= 9) {
            push_operand(g);
        } else {
            simple_piece(g, rules);
        }
    }
    static const uint8_t ends[] = {OP_RETURN, OP_RETURN, OP_RETURN, OP_REVERT, OP_STOP, OP_INVALID};
    push(g, 128, 1);
    push(g, 0, 1);
    put(g, next(g) % 30 == 0 ? OP_SELFDESTRUCT : ends[next(g) % 6]);
    if (next(g) % 8 == 0) { /* damage */
        for (int i = 0; i < 3; i++)
            g->code[next(g) % g->size] = (uint8_t)next(g);
    }
}

struct engine {
    struct world *world;
    struct evm *evm;
    struct arena arena;
    struct chain_config config;
    struct evm_block block;
};

static void print_hex(const char *name, struct bytes in) {
    printf("\"%s\":\"0x", name);
    for (size_t i = 0; i < in.size; i++)
        printf("%02x", in.data[i]);
    printf("\",");
}

static void print_logs(const struct evm_result *result) {
    printf("\"logs\":[");
    for (size_t i = 0; i < result->logs_count; i++) {
        const struct evm_log *log = &result->logs[i];
        printf("%s{", i == 0 ? "" : ",");
        print_hex("address", address_bytes(&log->address));
        print_hex("data", log->data);
        printf("\"topics\":%u}", log->topics_count);
    }
    printf("],");
}

/* execute runs the program in a fresh world. */
static void execute(struct engine *e, struct bytes code, struct bytes input,
                    const struct evm_tracer *tracer, struct evm_result *result) {
    world_clear(e->world);
    arena_reset(&e->arena);
    const struct evm_host host = world_host(e->world);
    const struct u256 balance = u256_from_u64(1000000000000000000u);
    host.set_balance(e->world, &sender, &balance);
    world_set_code(e->world, &target, code);
    const struct evm_options options = {.skip_nonce = true, .tracer = tracer};
    const struct transaction transaction = {
        .gas_limit = GAS_LIMIT, .has_sender = true, .sender = sender, .to = target, .data = input};
    CHECK(evm_transaction_run(e->evm, &host, &e->block, &transaction, &options, &e->arena,
                              result) == ERR_OK);
}

static void look_at_step(void *context, const struct evm_step *step) {
    bool *depends = context;
    *depends = *depends || depends_on_chain(step->opcode);
}

static void run_one(struct engine *e, const struct generator *g, struct bytes input) {
    const struct bytes code = {g->code, g->size};
    struct evm_result result;
    /* Damaged or created code may ask for what differs between the two engines' blocks. */
    bool depends = false;
    const struct evm_tracer tracer = {.context = &depends, .step = look_at_step};
    execute(e, code, input, &tracer, &result);
    if (depends) return;
    execute(e, code, input, NULL, &result);
    printf("{");
    print_hex("code", code);
    print_hex("input", input);
    print_hex("output", result.output);
    print_logs(&result);
    printf("\"slots\":[");
    for (uint64_t i = 0; i < SLOTS; i++) {
        const struct u256 key_word = u256_from_u64(i);
        const struct hash32 key = u256_to_hash(&key_word);
        struct u256 value;
        world_storage(e->world, &target, &key, &value);
        const struct hash32 bytes = u256_to_hash(&value);
        char text[67];
        printf("%s\"%s\"", i == 0 ? "" : ",", hex_string(hash_bytes(&bytes), text));
    }
    printf("],\"gas_limit\":%d,\"gas\":%llu,\"status\":\"%s\"}\n", GAS_LIMIT,
           (unsigned long long)result.gas_used,
           result.status == EVM_SUCCESS  ? "success"
           : result.status == EVM_REVERT ? "revert"
                                         : "failure");
}

/* run_contract calls a precompiled contract with the whole input and returns what it returned, the
 * outcome, and the gas that is left. */
static void run_contract(struct engine *e, struct generator *g) {
    uint8_t input[2048];
    struct buffer out = buffer_over(input, sizeof input);
    const uint16_t address = contract_input(&g->random, &out);
    g->size = g->height = 0;
    put(g, OP_CALLDATASIZE);
    push(g, 0, 1);
    push(g, 0, 1);
    put(g, OP_CALLDATACOPY);
    push(g, 0, 1);
    push(g, 0, 1);
    put(g, OP_CALLDATASIZE);
    push(g, 0, 1);
    push(g, address, 2);
    push(g, GAS_LIMIT - 50000, 3);
    put(g, OP_STATICCALL);
    put(g, OP_RETURNDATASIZE);
    push(g, 0, 1);
    push(g, 0, 1);
    put(g, OP_RETURNDATACOPY);
    put(g, OP_RETURNDATASIZE);
    put(g, OP_MSTORE);
    push(g, 32, 1);
    put(g, OP_RETURNDATASIZE);
    put(g, OP_ADD);
    push(g, 0, 1);
    put(g, OP_RETURN);
    run_one(e, g, buffer_bytes(&out));
}

int main(int argc, char **argv) {
    unsigned long long seed = 1;
    unsigned long long count = 1000;
    const bool calls_contracts = argc > 1 && strcmp(argv[argc - 1], "--contracts") == 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0) seed = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--count") == 0) count = strtoull(argv[i + 1], NULL, 10);
    }
    static struct engine engine;
    engine.world = world_new();
    engine.evm = world_evm();
    engine.arena = arena_over(world_map((size_t)64 << 20), (size_t)64 << 20);
    engine.config = chain_config_for_fork(FORK_PRAGUE);
    engine.config.chain_id = 31337;
    engine.block = (struct evm_block){.config = &engine.config,
                                      .fork = FORK_PRAGUE,
                                      .gas_limit = 30000000,
                                      .blob_base_fee = U256_ONE};
    static struct rules rules;
    rules_of(FORK_PRAGUE, &rules);
    static struct generator generator;
    generator.random = seed * 1000003;
    for (unsigned long long i = 0; i < count && calls_contracts; i++)
        run_contract(&engine, &generator);
    if (calls_contracts) return 0;
    for (unsigned long long i = 0; i < count; i++) {
        uint8_t input[64];
        for (size_t j = 0; j < sizeof input; j++)
            input[j] = (uint8_t)next(&generator);
        generate(&generator, &rules);
        run_one(&engine, &generator, (struct bytes){input, next(&generator) % 65});
    }
    return 0;
}
