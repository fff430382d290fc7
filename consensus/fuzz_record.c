#include "base/check.h"
#include "consensus/consensus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A record that decodes encodes to as many bytes within its limit, and a machine starts from it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct consensus_record record, again;
    if (consensus_record_decode((struct bytes){data, size}, &record) != ERR_OK) return 0;
    uint8_t encoded[CONSENSUS_RECORD_BYTES_MAX];
    struct buffer out = buffer_over(encoded, sizeof encoded);
    consensus_record_encode(&record, &out);
    CHECK(!out.overflow);
    CHECK(out.size == size);
    CHECK(consensus_record_decode(buffer_bytes(&out), &again) == ERR_OK);
    CHECK(again.round == record.round);
    if (record.height == 0 || record.height > UINT32_MAX) return 0;

    static _Alignas(16) uint8_t memory[4 << 20];
    static struct consensus_effects effects;
    CHECK(consensus_bytes() <= sizeof memory);
    const struct consensus_config config = {.fault_model = FAULT_MODEL_CRASH,
                                            .signer = {.address = {{1}}}};
    struct consensus *core = consensus_create(memory, &config);
    struct validator_set set = {.count = 1};
    set.validators[0].address.bytes[0] = 2;
    set.validators[0].power = 1;
    struct consensus_input input = {.kind = CONSENSUS_INPUT_HEIGHT};
    input.begin.height = record.height;
    input.begin.set = &set;
    input.begin.record = &record;
    effects.count = 0;
    consensus_step(core, &input, &effects);
    consensus_check_invariants(core);
    return 0;
}
