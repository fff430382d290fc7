/* How fast the interpreter runs programs: gas and time of each, as JSON lines.
 *
 *   bench_evm [--runs N] [--case TEXT] FILE...
 *
 * FILE is a state test (each of its transactions is one program), a blockchain test (the first
 * transaction of its last block is), or runtime code as hex, whose call data may stand in
 * FILE.input.  A program runs in a world in memory, without blocks and tries: what is timed is
 * evm_transaction_run, the fastest of N runs (default: as many as fit in a second). A line holds
 * name, to, input, gas_limit (of execution), accounts, gas (of execution), ns, status;
 * tests/bench/evm-compare.mjs runs the same lines on another machine. */
#include <jansson.h>
#include <time.h>

#include "base/hex.h"
#define WORLD_ACCOUNTS 65536 /* some programs create thousands */
#include "evm/test_world.h"

#define ARENA_BYTES ((size_t)256 << 20)
#define GAS_LIMIT   ((uint64_t)1 << 40)

struct bench {
    struct world *world;
    struct evm *evm;
    struct arena arena, results;
    int runs;
    const char *only;
};

static const struct address sender = {{[19] = 0xaa}};
static const struct address target = {{[18] = 0xc0, [19] = 0xde}};

static double now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return 1e9 * (double)time.tv_sec + (double)time.tv_nsec;
}

static struct bytes read_hex(struct bench *bench, const char *text) {
    size_t size = strlen(text);
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == ' '))
        size--;
    uint8_t *at = arena_alloc(&bench->arena, size / 2 + 1);
    CHECK(at != NULL);
    struct buffer out = buffer_over(at, size / 2 + 1);
    CHECK(hex_decode((struct bytes){(const uint8_t *)text, size}, true, &out) == ERR_OK);
    return buffer_bytes(&out);
}

struct program {
    const char *name;
    struct address to;
    struct bytes input;
    uint64_t gas_limit; /* of the transaction */
    json_t *accounts;   /* as in a fixture: address -> code, balance, nonce, storage */
};

static struct address read_address(struct bench *bench, const char *text) {
    struct address address;
    const struct bytes bytes = read_hex(bench, text);
    CHECK(bytes.size == sizeof address.bytes);
    memcpy(address.bytes, bytes.data, sizeof address.bytes);
    return address;
}

static struct u256 read_number(struct bench *bench, const char *text) {
    char padded[67];
    const char *digits = strncmp(text, "0x", 2) == 0 ? text + 2 : text;
    snprintf(padded, sizeof padded, "%s%s", strlen(digits) % 2 == 1 ? "0" : "", digits);
    return u256_from_be(read_hex(bench, padded));
}

/* set_world fills the empty world with the program's accounts. */
static void set_world(struct bench *bench, const struct program *program) {
    const size_t mark = arena_mark(&bench->arena);
    const char *name, *key;
    json_t *account, *value;
    json_object_foreach(program->accounts, name, account) {
        const struct address address = read_address(bench, name);
        const char *balance = json_string_value(json_object_get(account, "balance"));
        const char *code = json_string_value(json_object_get(account, "code"));
        if (balance != NULL) {
            const struct u256 number = read_number(bench, balance);
            world_set_balance(bench->world, &address, &number);
        }
        world_set_nonce(bench->world, &address, 1);
        if (code != NULL) world_set_code(bench->world, &address, read_hex(bench, code));
        json_object_foreach(json_object_get(account, "storage"), key, value) {
            const struct u256 slot = read_number(bench, key);
            const struct u256 number = read_number(bench, json_string_value(value));
            struct hash32 place;
            u256_to_be(&slot, place.bytes);
            world_set_storage(bench->world, &address, &place, &number);
        }
    }
    world_end_transaction(bench->world);
    arena_release(&bench->arena, mark);
}

/* run_once runs the program in a fresh world; returns its time. */
static double run_once(struct bench *bench, const struct program *program,
                       struct evm_result *result) {
    world_clear(bench->world);
    arena_reset(&bench->results);
    set_world(bench, program);

    const struct chain_config config = chain_config_for_fork(FORK_OSAKA);
    const struct evm_block block = {.config = &config,
                                    .fork = FORK_OSAKA,
                                    .number = 1,
                                    .timestamp = 1000,
                                    .gas_limit = GAS_LIMIT,
                                    .blob_base_fee = U256_ONE};
    const struct evm_host host = world_host(bench->world);
    const struct evm_options options = {.skip_gas_cap = true};
    const struct transaction transaction = {.gas_limit = program->gas_limit,
                                            .has_sender = true,
                                            .sender = sender,
                                            .to = program->to,
                                            .data = program->input};
    const double start = now_ns();
    CHECK(evm_transaction_run(bench->evm, &host, &block, &transaction, &options, &bench->results,
                              result) == ERR_OK);
    return now_ns() - start;
}

static void run_program(struct bench *bench, const struct program *program) {
    struct evm_result result;
    double best = run_once(bench, program, &result);
    double total = best;
    for (int i = 1; bench->runs > 0 ? i < bench->runs : total < 1e9 && i < 2000; i++) {
        const double time = run_once(bench, program, &result);
        total += time;
        if (time < best) best = time;
    }
    const struct transaction transaction = {.data = program->input};
    const uint64_t gas =
        result.gas_used + result.gas_refunded - evm_intrinsic_gas(FORK_OSAKA, &transaction);
    char to[2 * 20 + 3];
    char *input = arena_alloc(&bench->arena, 2 * program->input.size + 3);
    char *accounts = json_dumps(program->accounts, JSON_COMPACT);
    CHECK(accounts != NULL && input != NULL);
    printf("{\"name\":\"%s\",\"gas\":%llu,\"ns\":%.0f,\"mgas_per_second\":%.0f,\"status\":\"%s\","
           "\"to\":\"%s\",\"input\":\"%s\",\"gas_limit\":%llu,\"accounts\":%s}\n",
           program->name, (unsigned long long)gas, best, 1e3 * (double)gas / best,
           evm_status_text(result.status), hex_string(address_bytes(&program->to), to),
           hex_string(program->input, input), (unsigned long long)program->gas_limit, accounts);
    fflush(stdout);
    free(accounts);
}

static void run_state_test(struct bench *bench, const char *name, json_t *test) {
    json_t *transaction = json_object_get(test, "transaction");
    const char *to = json_string_value(json_object_get(transaction, "to"));
    json_t *pre = json_object_get(test, "pre");
    size_t i;
    json_t *data;
    json_array_foreach(json_object_get(transaction, "data"), i, data) {
        char label[128];
        snprintf(label, sizeof label, "%s/%zu", name, i);
        const struct bytes input = read_hex(bench, json_string_value(data));
        run_program(bench,
                    &(struct program){label, read_address(bench, to), input, GAS_LIMIT, pre});
    }
}

/* run_blockchain_test: what earlier blocks deployed is taken as the last one left it. */
static void run_blockchain_test(struct bench *bench, const char *name, json_t *test) {
    json_t *blocks = json_object_get(test, "blocks");
    json_t *block = json_array_get(blocks, json_array_size(blocks) - 1);
    json_t *transaction = json_array_get(json_object_get(block, "transactions"), 0);
    if (transaction == NULL) return; /* an empty block */
    const char *to = json_string_value(json_object_get(transaction, "to"));
    const char *gas = json_string_value(json_object_get(transaction, "gasLimit"));
    json_t *accounts = json_deep_copy(json_object_get(test, "postState"));
    CHECK(to != NULL && gas != NULL && accounts != NULL);
    CHECK(json_object_update(accounts, json_object_get(test, "pre")) == 0);
    const struct bytes input =
        read_hex(bench, json_string_value(json_object_get(transaction, "data")));
    const struct program program = {name, read_address(bench, to), input, strtoull(gas, NULL, 16),
                                    accounts};
    run_program(bench, &program);
    json_decref(accounts);
}

static void run_fixture(struct bench *bench, const char *path) {
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    CHECK(root != NULL);
    const char *name;
    json_t *test;
    json_object_foreach(root, name, test) {
        if (bench->only != NULL && strstr(name, bench->only) == NULL) continue;
        if (json_object_get(test, "blocks") != NULL) {
            run_blockchain_test(bench, name, test);
        } else {
            run_state_test(bench, name, test);
        }
    }
    json_decref(root);
}

static char *read_text(struct bench *bench, const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    char *text = arena_alloc_zero(&bench->arena, (size_t)4 << 20);
    CHECK(text != NULL);
    const size_t size = fread(text, 1, ((size_t)4 << 20) - 1, file);
    CHECK(size > 0);
    fclose(file);
    return text;
}

static void run_hex(struct bench *bench, const char *path) {
    char input_path[4096];
    snprintf(input_path, sizeof input_path, "%s.input", path);
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const char *input = read_text(bench, input_path);
    char to[2 * 20 + 3];
    json_t *accounts = json_pack("{s:{s:s}}", hex_string(address_bytes(&target), to), "code",
                                 read_text(bench, path));
    CHECK(accounts != NULL);
    const struct bytes data = read_hex(bench, input != NULL ? input : "");
    run_program(bench, &(struct program){name, target, data, GAS_LIMIT, accounts});
    json_decref(accounts);
}

int main(int argc, char **argv) {
    static struct bench bench;
    bench.world = world_new();
    bench.evm = world_evm();
    bench.arena = arena_over(world_map(ARENA_BYTES), ARENA_BYTES);
    bench.results = arena_over(world_map(ARENA_BYTES), ARENA_BYTES);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc) {
            bench.runs = atoi(argv[++i]);
        } else if (strcmp(argv[i], "--case") == 0 && i + 1 < argc) {
            bench.only = argv[++i];
        } else {
            const size_t size = strlen(argv[i]);
            const bool is_json = size > 5 && strcmp(argv[i] + size - 5, ".json") == 0;
            arena_reset(&bench.arena);
            if (is_json) {
                run_fixture(&bench, argv[i]);
            } else {
                run_hex(&bench, argv[i]);
            }
        }
    }
    return 0;
}
