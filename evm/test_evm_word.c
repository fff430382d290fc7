/* The handlers' own word functions against base/u256.h, and code whose instructions are joined
 * against the same code run instruction by instruction. */
#include "evm/op_fused.h"
#include "evm/test_run.h"

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state ^ *state >> 29;
}

static struct u256 random_word(uint64_t *random) {
    struct u256 word;
    for (int i = 0; i < 4; i++) {
        const uint64_t limb = next_random(random);
        word.limb[i] = limb % 5 == 0 ? 0 : limb % 5 == 1 ? UINT64_MAX : next_random(random);
    }
    return word;
}

static void check_words(void) {
    uint64_t random = 7;
    for (int i = 0; i < 20000; i++) {
        const struct u256 a = random_word(&random);
        const struct u256 b = random_word(&random);
        const uint64_t bits = i % 3 == 0 ? next_random(&random) : (uint64_t)i % 300;
        struct u256 got = a;
        struct u256 wanted = u256_shl(&a, bits);
        word_shl(&got, bits);
        CHECK(u256_equal(&got, &wanted));
        got = a;
        wanted = u256_shr(&a, bits);
        word_shr(&got, bits);
        CHECK(u256_equal(&got, &wanted));
        got = a;
        wanted = u256_sar(&a, bits);
        word_sar(&got, bits);
        CHECK(u256_equal(&got, &wanted));
        const struct u256 index = i % 50 == 0 ? b : u256_from_u64((uint64_t)i % 40);
        got = a;
        wanted = u256_sign_extend(&index, &a);
        word_sign_extend(&got, &index);
        CHECK(u256_equal(&got, &wanted));
        got = b;
        wanted = u256_mul(&a, &b);
        word_mul(&a, &got);
        CHECK(u256_equal(&got, &wanted));
    }
}

static void ignore_step(void *context, const struct evm_step *step) {
    (void)context;
    (void)step;
}

/* Random programs out of the instructions that are joined, ended by returning the stack's top
 * words: with an observer (nothing joined) and without, all must be equal. */
static void check_programs(struct run *run) {
    static const uint8_t pieces[] = {0x01, 0x03, 0x10, 0x11, 0x14, 0x15, 0x15, 0x16, 0x18, 0x1b,
                                     0x1c, 0x50, 0x50, 0x51, 0x52, 0x56, 0x57, 0x5b, 0x5b, 0x80,
                                     0x81, 0x82, 0x90, 0x91, 0x60, 0x60, 0x60, 0x61, 0x7f, 0x5a};
    const struct evm_tracer tracer = {.step = ignore_step};
    uint64_t random = 11;
    size_t successes = 0;
    for (int i = 0; i < 30000; i++) {
        uint8_t code[200];
        size_t size = 0;
        for (int j = 0; j < 6; j++) { /* something to work on */
            code[size++] = 0x60;
            code[size++] = (uint8_t)(next_random(&random) % 140);
        }
        while (size < 120) {
            const uint8_t piece = pieces[next_random(&random) % sizeof pieces];
            code[size++] = piece;
            for (int j = 0x5f; j < piece && piece >= 0x60 && piece < 0x80; j++)
                code[size++] = (uint8_t)(next_random(&random) % 140);
        }
        const uint8_t end[] = {0x60, 0x00, 0x52, 0x60, 0x20, 0x52, 0x60, 0x60, 0x60, 0x00, 0xf3};
        memcpy(code + size, end, sizeof end);
        size += sizeof end;

        struct evm_result results[2];
        for (int traced = 0; traced < 2; traced++) {
            run_begin(run, FORK_OSAKA);
            world_set_code(run->world, &RUN_TARGET, (struct bytes){code, size});
            const struct evm_host host = world_host(run->world);
            const struct evm_options options = {.tracer = traced ? &tracer : NULL};
            const struct transaction transaction = {
                .gas_limit = 40000, .has_sender = true, .sender = RUN_SENDER, .to = RUN_TARGET};
            CHECK(evm_transaction_run(run->evm, &host, &run->block, &transaction, &options,
                                      &run->arena, &results[traced]) == ERR_OK);
            static uint8_t kept[2][96];
            if (results[traced].output.size == 96) {
                memcpy(kept[traced], results[traced].output.data, 96);
                results[traced].output.data = kept[traced];
            }
        }
        CHECK(results[0].gas_used == results[1].gas_used);
        CHECK((results[0].status == EVM_SUCCESS) == (results[1].status == EVM_SUCCESS));
        CHECK(bytes_equal(results[0].output, results[1].output));
        successes += results[0].status == EVM_SUCCESS;
    }
    CHECK(successes > 200);
}

int main(void) {
    static struct run run;
    check_words();
    check_programs(&run);
    return 0;
}
