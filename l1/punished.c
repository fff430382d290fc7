#include "l1/punished.h"

#include <assert.h>

#include "base/keccak.h"
#include "l1/abi.h"
#include "l1/endpoint.h"

#define WORD_BYTES 32

static void write_word(struct buffer *out, uint64_t value) {
    for (int i = 0; i < 3; i++)
        buffer_append_be(out, 8, 0);
    buffer_append_be(out, 8, value);
}

struct hash32 l1_offence_id(const struct l1_offence *offence) {
    uint8_t memory[4 * WORD_BYTES];
    struct buffer out = buffer_over(memory, sizeof memory);
    buffer_append_be(&out, 4, 0);
    buffer_append_be(&out, 8, 0);
    buffer_append(&out, address_bytes(&offence->validator));
    write_word(&out, offence->kind);
    write_word(&out, offence->height);
    write_word(&out, offence->round);
    CHECK(!out.overflow && out.size == sizeof memory);
    return keccak256(buffer_bytes(&out));
}

static enum err ask(struct l1_endpoints *endpoints, int endpoint, const struct address *contract,
                    struct bytes data, bool *out, char error[L1_ERROR_BYTES]) {
    const struct json_t *result;
    uint8_t word[WORD_BYTES];
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
    if (answer.size != WORD_BYTES || word[WORD_BYTES - 1] > 1) return ERR_ENCODING;
    for (size_t i = 0; i < WORD_BYTES - 1; i++) {
        if (word[i] != 0) return ERR_ENCODING;
    }
    *out = word[WORD_BYTES - 1] == 1;
    return ERR_OK;
}

enum err l1_is_punished(const struct l1_config *config, const struct l1_offence *offence, bool *out,
                        char error[256]) {
    struct l1_endpoints *endpoints;
    uint8_t call[4 + WORD_BYTES];
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
