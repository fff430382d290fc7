#include "l1/stake.h"

#include "base/rlp.h"
#include "l1/abi.h"
#include "l1/once.h"

#define WORD 32

/* word views word `index` of `in`. */
static bool word(struct bytes in, size_t index, const uint8_t **out) {
    if (in.size < (index + 1) * WORD) return false;
    *out = in.data + index * WORD;
    return true;
}

static bool is_small(const uint8_t *at, uint64_t max, uint64_t *out) {
    for (size_t i = 0; i < WORD - 8; i++) {
        if (at[i] != 0) return false;
    }
    *out = be_read(at + WORD - 8, 8);
    return *out <= max;
}

/* A dynamic struct: offset 32, then status, peerId, offset of endpoint, stake, ... */
enum err l1_stake_decode(struct bytes in, struct l1_stake *out) {
    const uint8_t *at[5];
    uint64_t offset, status;
    for (size_t i = 0; i < 5; i++) {
        if (!word(in, i, &at[i])) return ERR_TRUNCATED;
    }
    if (!is_small(at[0], WORD, &offset) || offset != WORD) return ERR_ENCODING;
    if (!is_small(at[1], L1_STAKE_EXITING, &status)) return ERR_ENCODING;
    out->status = (enum l1_stake_status)status;
    memcpy(out->peer_id.bytes, at[2], WORD);
    out->stake = u256_from_be((struct bytes){at[4], WORD});
    return ERR_OK;
}

static size_t call(struct l1_endpoints *endpoints, const struct address *to, const char *signature,
                   const struct address *argument) {
    uint8_t data[4 + WORD] = {0};
    l1_abi_selector(signature, data);
    if (argument != NULL) memcpy(data + 4 + WORD - 20, argument->bytes, 20);
    struct json_writer *json = l1_call_begin(endpoints, "eth_call");
    json_object_begin(json);
    json_key(json, "to");
    json_address(json, to);
    json_key(json, "data");
    json_data(json, (struct bytes){data, argument != NULL ? sizeof data : 4});
    json_object_end(json);
    json_write_string(json, "latest");
    return l1_call_end(endpoints);
}

static enum err result_of(struct l1_reader *reader, size_t index, struct bytes *out,
                          char error[L1_ERROR_BYTES]) {
    const struct json_t *result;
    TRY(l1_batch_result(reader->endpoints, index, &result, error));
    reader->data.size = 0;
    reader->data.overflow = false;
    TRY(l1_answer_data(result, &reader->data));
    *out = buffer_bytes(&reader->data);
    return ERR_OK;
}

static enum err ask(struct l1_reader *reader, int endpoint, const struct address *validator,
                    struct l1_stake *out, char error[L1_ERROR_BYTES]) {
    const struct address *contract = &reader->config->consensus;
    struct l1_heads heads; /* is it the right chain at all? */
    struct bytes data;
    TRY(l1_reader_heads(reader, endpoint, &heads, error));
    l1_batch_begin(reader->endpoints);
    const size_t info = call(reader->endpoints, contract, "getValidatorInfo(address)", validator);
    const size_t least = call(reader->endpoints, contract, "MIN_STAKE()", NULL);
    const size_t token = call(reader->endpoints, contract, "stakeToken()", NULL);
    TRY(l1_batch_send(reader->endpoints, endpoint, error));
    TRY(result_of(reader, info, &data, error));
    TRY(l1_stake_decode(data, out));
    TRY(result_of(reader, least, &data, error));
    if (data.size != WORD) return ERR_ENCODING;
    out->stake_min = u256_from_be(data);
    TRY(result_of(reader, token, &data, error));
    if (data.size != WORD) return ERR_ENCODING;
    memcpy(out->token.bytes, data.data + WORD - 20, 20);
    return ERR_OK;
}

/* What ask_stake wants to know, and where it goes. */
struct stake_question {
    const struct address *validator;
    struct l1_stake found;
};

static enum err ask_stake(struct l1_reader *reader, int endpoint, void *context,
                          char error[L1_ERROR_BYTES]) {
    struct stake_question *stake = context;
    return ask(reader, endpoint, stake->validator, &stake->found, error);
}

enum err l1_stake_read(const struct l1_config *config, const struct address *validator,
                       struct l1_stake *out, char error[256]) {
    struct stake_question stake = {.validator = validator};
    const struct l1_question question = {ask_stake, &stake};
    TRY(l1_once(config, &question, error));
    *out = stake.found;
    return ERR_OK;
}
