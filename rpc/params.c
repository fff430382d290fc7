#include "rpc/params.h"

#include <string.h>

#include "base/hex.h"

static json_t *param(const struct call *call, size_t index) {
    return json_array_get(call->params, index);
}

struct bytes rpc_text(const json_t *value) {
    if (!json_is_string(value)) return BYTES_EMPTY;
    return (struct bytes){(const uint8_t *)json_string_value(value), json_string_length(value)};
}

static bool refuse(struct call *call, size_t index, const char *what) {
    rpc_call_error(call, RPC_INVALID_PARAMS, "invalid argument %zu: %s", index, what);
    return false;
}

bool rpc_param_is_given(const struct call *call, size_t index) {
    json_t *value = param(call, index);
    return value != NULL && !json_is_null(value);
}

bool rpc_param_address(struct call *call, size_t index, struct address *out) {
    if (hex_to_address(rpc_text(param(call, index)), out) == ERR_OK) return true;
    return refuse(call, index, "not an address: \"0x\" and 40 hex digits are wanted");
}

bool rpc_param_hash(struct call *call, size_t index, struct hash32 *out) {
    if (hex_to_hash(rpc_text(param(call, index)), out) == ERR_OK) return true;
    return refuse(call, index, "not a hash: \"0x\" and 64 hex digits are wanted");
}

bool rpc_param_quantity(struct call *call, size_t index, uint64_t *out) {
    json_t *value = param(call, index);
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *out = (uint64_t)json_integer_value(value);
        return true;
    }
    if (hex_to_u64(rpc_text(value), out) == ERR_OK) return true;
    return refuse(call, index, "not a quantity: \"0x\" and hex digits without leading zeros");
}

bool rpc_param_bool(struct call *call, size_t index, bool fallback, bool *out) {
    json_t *value = param(call, index);
    *out = fallback;
    if (value == NULL || json_is_null(value)) return true;
    if (!json_is_boolean(value)) return refuse(call, index, "true or false is wanted");
    *out = json_is_true(value);
    return true;
}

/* decode_data reads DATA into the arena. */
static bool decode_data(struct call *call, struct bytes text, struct bytes *out) {
    const size_t capacity = text.size / 2 + 1;
    uint8_t *memory = arena_alloc(call->arena, capacity);
    if (memory == NULL) return false;
    struct buffer buffer = buffer_over(memory, capacity);
    if (hex_decode(text, false, &buffer) != ERR_OK) return false;
    *out = buffer_bytes(&buffer);
    return true;
}

bool rpc_param_data(struct call *call, size_t index, struct bytes *out) {
    if (decode_data(call, rpc_text(param(call, index)), out)) return true;
    return refuse(call, index, "not data: \"0x\" and an even number of hex digits are wanted");
}

bool rpc_param_slot_value(struct call *call, json_t *value, struct hash32 *out) {
    const struct bytes text = rpc_text(value);
    uint8_t digits[66];
    if (text.size < 3 || text.size > 66 || text.data[0] != '0' || text.data[1] != 'x') {
        rpc_call_error(call, RPC_INVALID_PARAMS,
                       "unable to decode storage key: \"0x\" and at most 64 "
                       "hex digits are wanted");
        return false;
    }
    memset(digits, '0', sizeof digits);
    digits[1] = 'x';
    memcpy(digits + sizeof digits - (text.size - 2), text.data + 2, text.size - 2);
    if (hex_to_hash((struct bytes){digits, sizeof digits}, out) == ERR_OK) return true;
    rpc_call_error(call, RPC_INVALID_PARAMS, "unable to decode storage key: invalid hex");
    return false;
}

static bool refuse_field(struct call *call, const char *name, const char *what) {
    rpc_call_error(call, RPC_INVALID_PARAMS, "invalid argument: field \"%s\": %s", name, what);
    return false;
}

/* field finds a field that is there and not null. */
static json_t *field(json_t *object, const char *name, bool *is_given) {
    json_t *value = json_object_get(object, name);
    const bool given = value != NULL && !json_is_null(value);
    if (is_given != NULL) *is_given = given;
    return given ? value : NULL;
}

bool rpc_field_address(struct call *call, json_t *object, const char *name, struct address *out,
                       bool *is_given) {
    json_t *value = field(object, name, is_given);
    if (value == NULL || hex_to_address(rpc_text(value), out) == ERR_OK) return true;
    return refuse_field(call, name, "not an address");
}

bool rpc_field_quantity(struct call *call, json_t *object, const char *name, uint64_t *out,
                        bool *is_given) {
    json_t *value = field(object, name, is_given);
    if (value == NULL || hex_to_u64(rpc_text(value), out) == ERR_OK) return true;
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *out = (uint64_t)json_integer_value(value);
        return true;
    }
    return refuse_field(call, name, "not a quantity of at most 64 bits");
}

bool rpc_field_u256(struct call *call, json_t *object, const char *name, struct u256 *out,
                    bool *is_given) {
    json_t *value = field(object, name, is_given);
    if (value == NULL || hex_to_u256(rpc_text(value), out) == ERR_OK) return true;
    return refuse_field(call, name, "not a quantity of at most 256 bits");
}

bool rpc_field_data(struct call *call, json_t *object, const char *name, struct bytes *out,
                    bool *is_given) {
    json_t *value = field(object, name, is_given);
    if (value == NULL || decode_data(call, rpc_text(value), out)) return true;
    return refuse_field(call, name, "not data");
}

/* choose_tag resolves a tag; false when the text is none. */
static bool choose_tag(struct call *call, struct bytes text, struct block_choice *out) {
    struct rpc_tags tags;
    call->backend->tags(call->view, &tags);
    const struct {
        const char *name;
        uint64_t number;
    } known[] = {{"latest", tags.latest},
                 {"pending", tags.latest},
                 {"safe", tags.safe},
                 {"finalized", tags.finalized},
                 {"earliest", 0}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!bytes_equal(text, bytes_from_string(known[i].name))) continue;
        *out = (struct block_choice){known[i].number, i == 1};
        return true;
    }
    return false;
}

static bool missing_block(struct call *call, bool null_when_missing, bool *is_missing,
                          const char *text) {
    if (null_when_missing) {
        *is_missing = true;
        return true;
    }
    rpc_call_error(call, RPC_SERVER_ERROR, "%s", text);
    return false;
}

/* choose_hash resolves a block hash. */
static bool choose_hash(struct call *call, const struct hash32 *hash, bool null_when_missing,
                        struct block_choice *out, bool *is_missing) {
    out->is_pending = false;
    const enum err err = call->backend->block_number(call->view, hash, &out->number);
    if (err == ERR_OK) return true;
    if (err == ERR_NOT_FOUND) {
        return missing_block(call, null_when_missing, is_missing, "header for hash not found");
    }
    rpc_call_failed(call, err);
    return false;
}

/* choose_text resolves a tag or a number. */
static bool choose_text(struct call *call, size_t index, struct bytes text, bool null_when_missing,
                        struct block_choice *out, bool *is_missing) {
    struct rpc_tags tags;
    uint64_t number;
    struct hash32 hash;
    if (choose_tag(call, text, out)) return true;
    if (text.size == 66 && hex_to_hash(text, &hash) == ERR_OK) {
        return choose_hash(call, &hash, null_when_missing, out, is_missing);
    }
    if (hex_to_u64(text, &number) != ERR_OK) {
        return refuse(call, index, "not a block: a tag, a number or {\"blockHash\"} is wanted");
    }
    call->backend->tags(call->view, &tags);
    if (number > tags.latest) {
        return missing_block(call, null_when_missing, is_missing, "header not found");
    }
    *out = (struct block_choice){number, false};
    return true;
}

bool rpc_param_block(struct call *call, size_t index, bool null_when_missing,
                     struct block_choice *out, bool *is_missing) {
    bool ignored;
    if (is_missing == NULL) is_missing = &ignored;
    *is_missing = false;
    if (rpc_call_view(call) == NULL) return false;
    json_t *value = param(call, index);
    if (value == NULL || json_is_null(value)) {
        return choose_tag(call, BYTES_STRING("latest"), out);
    }
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *out = (struct block_choice){(uint64_t)json_integer_value(value), false};
        struct rpc_tags tags;
        call->backend->tags(call->view, &tags);
        return out->number <= tags.latest ||
               missing_block(call, null_when_missing, is_missing, "header not found");
    }
    if (!json_is_object(value)) {
        return choose_text(call, index, rpc_text(value), null_when_missing, out, is_missing);
    }
    struct hash32 hash;
    json_t *by_hash = json_object_get(value, "blockHash");
    json_t *by_number = json_object_get(value, "blockNumber");
    if ((by_hash == NULL) == (by_number == NULL)) {
        return refuse(call, index, "cannot specify both BlockHash and BlockNumber, choose one");
    }
    if (by_number != NULL) {
        return choose_text(call, index, rpc_text(by_number), null_when_missing, out, is_missing);
    }
    if (hex_to_hash(rpc_text(by_hash), &hash) != ERR_OK) {
        return refuse(call, index, "field \"blockHash\": not a hash");
    }
    return choose_hash(call, &hash, null_when_missing, out, is_missing);
}
