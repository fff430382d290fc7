#include "l1/answer.h"

#include <jansson.h>
#include <stdio.h>

#include "base/hex.h"

enum err l1_answers_open(struct bytes body, json_t **root) {
    /* anvil puts a revert's raw bytes, zeros included, into its message. */
    json_t *parsed = json_loadb((const char *)body.data, body.size,
                                JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    if (parsed == NULL) return ERR_ENCODING;
    *root = parsed;
    return ERR_OK;
}

void l1_answers_close(json_t *root) {
    json_decref(root);
}

static bool has_id(const json_t *answer, uint64_t id) {
    const json_t *found = json_object_get(answer, "id");
    return json_is_integer(found) && json_integer_value(found) == (json_int_t)id;
}

static void write_error(const json_t *failure, char *error) {
    const char *message = json_string_value(json_object_get(failure, "message"));
    const char *data = json_string_value(json_object_get(failure, "data"));
    const char *shown = message == NULL ? "an error without a message" : message;
    if (data == NULL) {
        (void)snprintf(error, L1_ERROR_BYTES, "%.200s", shown);
    } else { /* a revert's selector tells which error it was */
        (void)snprintf(error, L1_ERROR_BYTES, "%.160s (%.74s)", shown, data);
    }
    for (char *at = error; *at != 0; at++) {
        if (*at < ' ' || *at > '~') *at = '?';
    }
}

enum err l1_answer_find(const json_t *root, uint64_t id, const json_t **result, char *error) {
    const json_t *answer = NULL;
    if (json_is_object(root) && has_id(root, id)) answer = root;
    for (size_t i = 0; answer == NULL && i < json_array_size(root); i++) {
        const json_t *one = json_array_get(root, i);
        if (has_id(one, id)) answer = one;
    }
    if (answer == NULL) {
        /* Some refuse a whole batch with one error without an id. */
        const json_t *failure = json_object_get(root, "error");
        if (failure == NULL) return ERR_ENCODING;
        write_error(failure, error);
        return ERR_REFUSED;
    }
    const json_t *failure = json_object_get(answer, "error");
    if (failure != NULL && !json_is_null(failure)) {
        write_error(failure, error);
        return ERR_REFUSED;
    }
    const json_t *found = json_object_get(answer, "result");
    if (found == NULL) return ERR_ENCODING;
    *result = found;
    return ERR_OK;
}

static struct bytes text_of(const json_t *value) {
    if (!json_is_string(value)) return BYTES_EMPTY;
    return (struct bytes){(const uint8_t *)json_string_value(value), json_string_length(value)};
}

enum err l1_answer_u64(const json_t *result, uint64_t *out) {
    return hex_to_u64(text_of(result), out);
}

enum err l1_answer_u256(const json_t *result, struct u256 *out) {
    return hex_to_u256(text_of(result), out);
}

enum err l1_answer_data(const json_t *result, struct buffer *out) {
    return hex_decode(text_of(result), false, out);
}

enum err l1_answer_block(const json_t *result, struct l1_block *out) {
    if (json_is_null(result)) return ERR_NOT_FOUND;
    struct l1_block block = {0};
    TRY(hex_to_u64(text_of(json_object_get(result, "number")), &block.number));
    TRY(hex_to_hash(text_of(json_object_get(result, "hash")), &block.hash));
    TRY(hex_to_u64(text_of(json_object_get(result, "timestamp")), &block.timestamp));
    const json_t *base_fee = json_object_get(result, "baseFeePerGas");
    if (base_fee != NULL) TRY(hex_to_u256(text_of(base_fee), &block.base_fee));
    *out = block;
    return ERR_OK;
}

enum err l1_answer_receipt(const json_t *result, struct l1_receipt *out) {
    struct l1_receipt receipt = {0};
    if (!json_is_null(result)) {
        uint64_t status;
        TRY(hex_to_u64(text_of(json_object_get(result, "status")), &status));
        TRY(hex_to_u64(text_of(json_object_get(result, "blockNumber")), &receipt.number));
        if (status > 1) return ERR_ENCODING;
        receipt.is_mined = true;
        receipt.has_succeeded = status == 1;
    }
    *out = receipt;
    return ERR_OK;
}

enum err l1_answer_log(const json_t *result, const struct address *address,
                       const struct hash32 *topics, size_t topics_count, struct buffer *out) {
    if (!json_is_array(result)) return ERR_ENCODING;
    if (json_array_size(result) == 0) return ERR_NOT_FOUND;
    if (json_array_size(result) != 1) return ERR_ENCODING;
    const json_t *log = json_array_get(result, 0);
    struct address found_address;
    TRY(hex_to_address(text_of(json_object_get(log, "address")), &found_address));
    if (!address_equal(&found_address, address)) return ERR_ENCODING;
    const json_t *found = json_object_get(log, "topics");
    if (json_array_size(found) < topics_count) return ERR_ENCODING;
    for (size_t i = 0; i < topics_count; i++) {
        struct hash32 topic;
        TRY(hex_to_hash(text_of(json_array_get(found, i)), &topic));
        if (!hash_equal(&topic, &topics[i])) return ERR_ENCODING;
    }
    return hex_decode(text_of(json_object_get(log, "data")), false, out);
}
