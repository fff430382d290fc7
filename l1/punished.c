#include "l1/punished.h"

#include <assert.h>

#include "base/keccak.h"
#include "chain/typed_data.h"
#include "l1/abi.h"
#include "l1/endpoint.h"

struct hash32 l1_offence_id(const struct l1_offence *offence) {
    uint8_t memory[4 * ABI_WORD_BYTES];
    struct buffer out = buffer_over(memory, sizeof memory);
    abi_word_address(&out, &offence->validator);
    abi_word_u64(&out, offence->kind);
    abi_word_u64(&out, offence->height);
    abi_word_u64(&out, offence->round);
    CHECK(!out.overflow && out.size == sizeof memory);
    return keccak256(buffer_bytes(&out));
}

static enum err ask(struct l1_endpoints *endpoints, int endpoint, const struct address *contract,
                    struct bytes data, bool *out, char error[L1_ERROR_BYTES]) {
    const struct json_t *result;
    uint8_t word[ABI_WORD_BYTES];
    struct buffer answer = buffer_over(word, sizeof word);
    l1_batch_begin(endpoints);
    struct json_writer *json = l1_call_begin(endpoints, "eth_call");
    json_object_begin(json);
    json_key(json, "to");
    json_address(json, contract);
    json_key(json, "data");
    json_data(json, data);
    json_object_end(json);
    json_write_string(json, "latest");
    const size_t index = l1_call_end(endpoints);
    TRY(l1_batch_send(endpoints, endpoint, error));
    TRY(l1_batch_result(endpoints, index, &result, error));
    TRY(l1_answer_data(result, &answer));
    if (answer.size != ABI_WORD_BYTES || word[ABI_WORD_BYTES - 1] > 1) return ERR_ENCODING;
    for (size_t i = 0; i < ABI_WORD_BYTES - 1; i++) {
        if (word[i] != 0) return ERR_ENCODING;
    }
    *out = word[ABI_WORD_BYTES - 1] == 1;
    return ERR_OK;
}

enum err l1_is_punished(const struct l1_config *config, const struct l1_offence *offence, bool *out,
                        char error[256]) {
    struct l1_endpoints *endpoints;
    uint8_t call[4 + ABI_WORD_BYTES];
    struct buffer data = buffer_over(call, sizeof call);
    const struct hash32 id = l1_offence_id(offence);
    l1_abi_selector("isPunished(bytes32)", call);
    data.size = 4;
    buffer_append(&data, hash_bytes(&id));
    static_assert(L1_ERROR_BYTES <= 256, "a line of an endpoint fits");
    TRY(l1_endpoints_create(config, &endpoints));
    enum err err = ERR_CONFIG;
    for (size_t i = 0; i < config->endpoints_count && err != ERR_OK; i++) {
        err = ask(endpoints, (int)i, &config->consensus, buffer_bytes(&data), out, error);
    }
    l1_endpoints_destroy(endpoints);
    return err;
}
