#include "chain/header.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/merkle.h"
#include "base/rlp.h"

#define BASE_FEE_INITIAL            1000000000u /* EIP-1559 */
#define BASE_FEE_CHANGE_DENOMINATOR 8u
#define GAS_LIMIT_ELASTICITY        2u
#define GAS_PER_BLOB                131072u /* EIP-4844 */
#define BLOB_BASE_COST              8192u   /* EIP-7918 */
#define BLOB_BASE_FEE_MIN           1u

unsigned header_tail_fields(enum fork fork) {
    if (fork >= FORK_PRAGUE) return HEADER_TAIL_PRAGUE;
    if (fork >= FORK_CANCUN) return HEADER_TAIL_CANCUN;
    if (fork >= FORK_SHANGHAI) return HEADER_TAIL_SHANGHAI;
    if (fork >= FORK_LONDON) return HEADER_TAIL_LONDON;
    return 0;
}

struct header header_empty(enum fork fork) {
    struct header header;
    memset(&header, 0, sizeof header);
    header.ommers_hash = KECCAK_EMPTY_LIST;
    header.transactions_root = header.receipts_root = KECCAK_EMPTY_TRIE;
    header.tail_fields = header_tail_fields(fork);
    if (fork >= FORK_SHANGHAI) header.withdrawals_root = KECCAK_EMPTY_TRIE;
    if (fork >= FORK_PRAGUE) header.requests_hash = sha256(BYTES_EMPTY); /* EIP-7685 */
    return header;
}

static void tail_encode(const struct header *header, struct buffer *out) {
    CHECK(header->tail_fields <= HEADER_TAIL_PRAGUE);
    if (header->tail_fields > 0) rlp_write_u256(out, &header->base_fee);
    if (header->tail_fields > 1) rlp_write_hash(out, &header->withdrawals_root);
    if (header->tail_fields > 2) rlp_write_u64(out, header->blob_gas_used);
    if (header->tail_fields > 3) rlp_write_u64(out, header->excess_blob_gas);
    if (header->tail_fields > 4) rlp_write_hash(out, &header->parent_beacon_root);
    if (header->tail_fields > 5) rlp_write_hash(out, &header->requests_hash);
}

void header_encode(const struct header *header, struct buffer *out) {
    const size_t list = rlp_list_begin(out);
    rlp_write_hash(out, &header->parent_hash);
    rlp_write_hash(out, &header->ommers_hash);
    rlp_write_address(out, &header->coinbase);
    rlp_write_hash(out, &header->state_root);
    rlp_write_hash(out, &header->transactions_root);
    rlp_write_hash(out, &header->receipts_root);
    rlp_write_string(out, BYTES_OF(header->bloom.bytes));
    rlp_write_u256(out, &header->difficulty);
    rlp_write_u64(out, header->number);
    rlp_write_u64(out, header->gas_limit);
    rlp_write_u64(out, header->gas_used);
    rlp_write_u64(out, header->timestamp);
    rlp_write_string(out, (struct bytes){header->extra, header->extra_bytes});
    rlp_write_hash(out, &header->mix_hash);
    rlp_write_string(out, BYTES_OF(header->nonce));
    tail_encode(header, out);
    rlp_list_end(out, list);
}

static enum err extra_decode(struct bytes *in, struct header *header) {
    struct bytes extra;
    TRY(rlp_read_string(in, &extra));
    if (extra.size > HEADER_EXTRA_BYTES_MAX) return ERR_LIMIT;
    if (extra.size != 0) memcpy(header->extra, extra.data, extra.size);
    header->extra_bytes = extra.size;
    return ERR_OK;
}

static enum err body_decode(struct bytes *in, struct header *header) {
    TRY(rlp_read_hash(in, &header->parent_hash));
    TRY(rlp_read_hash(in, &header->ommers_hash));
    TRY(rlp_read_address(in, &header->coinbase));
    TRY(rlp_read_hash(in, &header->state_root));
    TRY(rlp_read_hash(in, &header->transactions_root));
    TRY(rlp_read_hash(in, &header->receipts_root));
    TRY(rlp_read_fixed(in, header->bloom.bytes, BLOOM_BYTES));
    TRY(rlp_read_u256(in, &header->difficulty));
    TRY(rlp_read_u64(in, &header->number));
    TRY(rlp_read_u64(in, &header->gas_limit));
    TRY(rlp_read_u64(in, &header->gas_used));
    TRY(rlp_read_u64(in, &header->timestamp));
    TRY(extra_decode(in, header));
    TRY(rlp_read_hash(in, &header->mix_hash));
    return rlp_read_fixed(in, header->nonce, sizeof header->nonce);
}

static enum err tail_field_decode(struct bytes *in, struct header *header) {
    switch (header->tail_fields) {
    case 0: return rlp_read_u256(in, &header->base_fee);
    case 1: return rlp_read_hash(in, &header->withdrawals_root);
    case 2: return rlp_read_u64(in, &header->blob_gas_used);
    case 3: return rlp_read_u64(in, &header->excess_blob_gas);
    case 4: return rlp_read_hash(in, &header->parent_beacon_root);
    case 5: return rlp_read_hash(in, &header->requests_hash);
    default: return ERR_ENCODING;
    }
}

enum err header_decode(struct bytes in, struct header *out) {
    struct header header;
    memset(&header, 0, sizeof header);
    struct bytes fields;
    TRY(rlp_read_list(&in, &fields));
    if (in.size != 0) return ERR_ENCODING;
    TRY(body_decode(&fields, &header));
    while (fields.size != 0) {
        TRY(tail_field_decode(&fields, &header));
        header.tail_fields++;
    }
    *out = header;
    return ERR_OK;
}

struct hash32 header_hash(const struct header *header) {
    uint8_t encoded[HEADER_BYTES_MAX];
    struct buffer out = buffer_over(encoded, sizeof encoded);
    header_encode(header, &out);
    CHECK(!out.overflow);
    return keccak256(buffer_bytes(&out));
}

/* scale returns value * part / whole. */
static struct u256 scale(const struct u256 *value, uint64_t part, uint64_t whole) {
    const struct u256 multiplier = u256_from_u64(part);
    const struct u256 divisor = u256_from_u64(whole);
    const struct u256 product = u256_mul(value, &multiplier);
    return u256_div(&product, &divisor);
}

struct u256 header_next_base_fee(const struct header *parent) {
    if (parent->tail_fields < HEADER_TAIL_LONDON) return u256_from_u64(BASE_FEE_INITIAL);
    const uint64_t target = parent->gas_limit / GAS_LIMIT_ELASTICITY;
    const struct u256 fee = parent->base_fee;
    if (parent->gas_used == target || target == 0) return fee;
    const struct u256 denominator = u256_from_u64(BASE_FEE_CHANGE_DENOMINATOR);
    if (parent->gas_used < target) {
        const struct u256 share = scale(&fee, target - parent->gas_used, target);
        const struct u256 decrease = u256_div(&share, &denominator);
        return u256_sub(&fee, &decrease);
    }
    const struct u256 share = scale(&fee, parent->gas_used - target, target);
    struct u256 increase = u256_div(&share, &denominator);
    if (u256_is_zero(&increase)) increase = U256_ONE;
    return u256_add(&fee, &increase);
}

uint64_t header_next_excess_blob_gas(const struct chain_config *config, enum fork fork,
                                     const struct header *parent) {
    const struct blob_schedule schedule = fork_blob_schedule(config, fork);
    if (parent->tail_fields < HEADER_TAIL_CANCUN || schedule.max_blobs == 0) return 0;
    const uint64_t target_gas = schedule.target_blobs * GAS_PER_BLOB;
    uint64_t excess;
    if (__builtin_add_overflow(parent->excess_blob_gas, parent->blob_gas_used, &excess)) {
        excess = UINT64_MAX;
    }
    if (excess < target_gas) return 0;
    if (fork >= FORK_OSAKA) {
        /* EIP-7918: while a blob costs less than its execution would, the excess grows only in
         * proportion, so that the blob fee does not sink into nothing. */
        const struct u256 cost = u256_from_u64(BLOB_BASE_COST);
        const struct u256 blob = u256_from_u64(GAS_PER_BLOB);
        const struct u256 reserve = u256_mul(&cost, &parent->base_fee);
        const struct u256 fee = blob_base_fee(config, fork, parent->excess_blob_gas);
        const struct u256 price = u256_mul(&blob, &fee);
        if (u256_less(&price, &reserve)) {
            const uint64_t spare = schedule.max_blobs - schedule.target_blobs;
            const unsigned __int128 growth =
                (unsigned __int128)parent->blob_gas_used * spare / schedule.max_blobs;
            return parent->excess_blob_gas + (uint64_t)growth;
        }
    }
    return excess - target_gas;
}

struct u256 blob_base_fee(const struct chain_config *config, enum fork fork,
                          uint64_t excess_blob_gas) {
    const struct blob_schedule schedule = fork_blob_schedule(config, fork);
    if (schedule.base_fee_update_fraction == 0) return u256_from_u64(BLOB_BASE_FEE_MIN);
    /* EIP-4844's fake_exponential: the Taylor series of e^(excess / fraction) in integers.  A fee
     * that does not fit a word is more than anyone can pay: it saturates. */
    const struct u256 numerator = u256_from_u64(excess_blob_gas);
    const struct u256 fraction = u256_from_u64(schedule.base_fee_update_fraction);
    struct u256 term = u256_from_u64(BLOB_BASE_FEE_MIN * schedule.base_fee_update_fraction);
    struct u256 sum = U256_ZERO;
    for (uint64_t i = 1; !u256_is_zero(&term); i++) {
        bool overflow;
        sum = u256_add_overflow(&sum, &term, &overflow);
        if (overflow) return U256_MAX;
        const struct u256 index = u256_from_u64(i);
        const struct u256 divisor = u256_mul(&fraction, &index);
        term = u256_mul_overflow(&term, &numerator, &overflow);
        if (overflow) return U256_MAX;
        term = u256_div(&term, &divisor);
    }
    return u256_div(&sum, &fraction);
}

/* bloom_bits finds the three of 2,048 bits that stand for an entry (Yellow Paper, section 4.3.1).
 */
void bloom_add(struct bloom *bloom, struct bytes entry) {
    const struct hash32 hash = keccak256(entry);
    for (unsigned i = 0; i < 3; i++) {
        const unsigned bit = (unsigned)be_read(hash.bytes + 2 * i, 2) % (8 * BLOOM_BYTES);
        uint8_t *byte = &bloom->bytes[BLOOM_BYTES - 1 - bit / 8];
        *byte = (uint8_t)(*byte | 1u << bit % 8);
    }
}

void bloom_merge(struct bloom *into, const struct bloom *from) {
    for (size_t i = 0; i < BLOOM_BYTES; i++)
        into->bytes[i] |= from->bytes[i];
}
