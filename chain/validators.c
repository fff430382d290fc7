#include "chain/validators.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"

void validator_set_encode(const struct validator_set *set, struct buffer *out) {
    const size_t list = rlp_list_begin(out);
    for (uint32_t i = 0; i < set->count; i++) {
        const struct validator *validator = &set->validators[i];
        const size_t entry = rlp_list_begin(out);
        rlp_write_address(out, &validator->address);
        rlp_write_hash(out, &validator->peer_id);
        rlp_write_u64(out, validator->power);
        rlp_write_u64(out, (uint64_t)validator->priority);
        rlp_list_end(out, entry);
    }
    rlp_list_end(out, list);
}

struct hash32 validator_set_hash(const struct validator_set *set) {
    uint8_t encoded[VALIDATOR_SET_BYTES_MAX];
    struct buffer out = buffer_over(encoded, sizeof encoded);
    validator_set_encode(set, &out);
    CHECK(!out.overflow);
    return keccak256(buffer_bytes(&out));
}

static enum err validator_decode(struct bytes *in, struct validator *out) {
    struct bytes fields;
    uint64_t priority;
    TRY(rlp_read_list(in, &fields));
    TRY(rlp_read_address(&fields, &out->address));
    TRY(rlp_read_hash(&fields, &out->peer_id));
    TRY(rlp_read_u64(&fields, &out->power));
    TRY(rlp_read_u64(&fields, &priority));
    out->priority = (int64_t)priority;
    return fields.size == 0 ? ERR_OK : ERR_ENCODING;
}

enum err validator_set_decode(struct bytes in, struct validator_set *out) {
    struct validator_set set = {.count = 0};
    struct bytes entries;
    uint64_t power_total = 0;
    TRY(rlp_read_list(&in, &entries));
    if (in.size != 0) return ERR_ENCODING;
    while (entries.size != 0) {
        if (set.count == VALIDATORS_MAX) return ERR_ENCODING;
        struct validator *validator = &set.validators[set.count];
        TRY(validator_decode(&entries, validator));
        if (set.count != 0 &&
            address_compare(&set.validators[set.count - 1].address, &validator->address) >= 0) {
            return ERR_ENCODING;
        }
        if (validator->power == 0) return ERR_ENCODING;
        if (validator->power > VALIDATOR_POWER_SUM_MAX - power_total) return ERR_ENCODING;
        power_total += validator->power;
        set.count++;
    }
    if (set.count == 0) return ERR_ENCODING;
    *out = set;
    return ERR_OK;
}

uint64_t validator_set_power(const struct validator_set *set) {
    uint64_t power_total = 0;
    for (uint32_t i = 0; i < set->count; i++)
        power_total += set->validators[i].power;
    return power_total;
}

int validator_set_find(const struct validator_set *set, const struct address *address) {
    for (uint32_t i = 0; i < set->count; i++) {
        if (address_equal(&set->validators[i].address, address)) return (int)i;
    }
    return -1;
}

int validator_set_find_peer(const struct validator_set *set, const struct hash32 *peer_id) {
    for (uint32_t i = 0; i < set->count; i++) {
        if (hash_equal(&set->validators[i].peer_id, peer_id)) return (int)i;
    }
    return -1;
}
