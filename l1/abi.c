#include "l1/abi.h"

#include "base/keccak.h"
#include "chain/typed_data.h"

#define WORD ABI_WORD_BYTES

const char L1_ABI_GET_VALIDATOR_SET[] = "getValidatorSet()";
const char L1_ABI_LAST_SETTLED_BLOCK[] = "lastSettledBlock()";
const char L1_ABI_GENESIS_HASH[] = "genesisHash()";
const char L1_ABI_FORCE_REQUESTED[] =
    "ForceInclusionRequested(uint256,address,bytes,bytes32,uint256)";
static const char GET_PENDING[] = "getPendingForceInclusions(uint256,uint256)";
static const char SUBMIT_BATCH[] =
    "submitBatch((uint64,uint64,bytes32,bytes32,bytes32,uint64,bytes32),bytes[])";

struct hash32 l1_abi_topic(const char *signature) {
    return keccak256(bytes_from_string(signature));
}

void l1_abi_selector(const char *signature, uint8_t out[4]) {
    const struct hash32 hash = l1_abi_topic(signature);
    memcpy(out, hash.bytes, 4);
}

/* --- reading --- */

static bool all_zero(const uint8_t *data, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (data[i] != 0) return false;
    }
    return true;
}

/* Readers take one word off the front of *in. */
static enum err read_word(struct bytes *in, const uint8_t **out) {
    if (in->size < WORD) return ERR_TRUNCATED;
    *out = in->data;
    *in = (struct bytes){in->data + WORD, in->size - WORD};
    return ERR_OK;
}

static enum err read_u64(struct bytes *in, uint64_t *out) {
    const uint8_t *word;
    TRY(read_word(in, &word));
    if (!all_zero(word, WORD - 8)) return ERR_ENCODING;
    *out = be_read(word + WORD - 8, 8);
    return ERR_OK;
}

static enum err read_hash(struct bytes *in, struct hash32 *out) {
    const uint8_t *word;
    TRY(read_word(in, &word));
    memcpy(out->bytes, word, 32);
    return ERR_OK;
}

static enum err read_address(struct bytes *in, struct address *out) {
    const uint8_t *word;
    TRY(read_word(in, &word));
    if (!all_zero(word, WORD - 20)) return ERR_ENCODING;
    memcpy(out->bytes, word + WORD - 20, 20);
    return ERR_OK;
}

/* expect_offset reads an offset that must be where the encoder puts the next dynamic part. */
static enum err expect_offset(struct bytes *in, uint64_t expected) {
    uint64_t offset;
    TRY(read_u64(in, &offset));
    return offset == expected ? ERR_OK : ERR_ENCODING;
}

/* read_bytes reads a size and as many bytes, padded with zeros to whole words. */
static enum err read_bytes(struct bytes *in, size_t size_max, struct bytes *out) {
    struct bytes rest = *in;
    uint64_t size;
    TRY(read_u64(&rest, &size));
    if (size > size_max) return ERR_LIMIT;
    const size_t padded = (size + WORD - 1) / WORD * WORD;
    if (rest.size < padded) return ERR_TRUNCATED;
    if (!all_zero(rest.data + size, padded - size)) return ERR_ENCODING;
    *out = (struct bytes){rest.data, size};
    *in = (struct bytes){rest.data + padded, rest.size - padded};
    return ERR_OK;
}

/* read_validator reads (address, bytes32, uint256, string) from the front of *in. */
static enum err read_validator(struct bytes *in, struct l1_validator *out) {
    struct bytes endpoint;
    TRY(read_address(in, &out->address));
    TRY(read_hash(in, &out->peer_id));
    TRY(read_u64(in, &out->power));
    TRY(expect_offset(in, 4 * WORD));
    TRY(read_bytes(in, VALIDATOR_ENDPOINT_BYTES_MAX, &endpoint));
    for (size_t i = 0; i < endpoint.size; i++) {
        const uint8_t byte = endpoint.data[i];
        out->endpoint[i] = byte > ' ' && byte <= '~' ? (char)byte : '?';
    }
    out->endpoint[endpoint.size] = 0;
    return ERR_OK;
}

enum err l1_abi_validator_set(struct bytes in, struct l1_view *view) {
    uint64_t epoch, total, count;
    TRY(read_u64(&in, &epoch));
    TRY(read_u64(&in, &total));
    TRY(expect_offset(&in, 3 * WORD));
    TRY(read_u64(&in, &count));
    if (count > VALIDATORS_MAX) return ERR_LIMIT;
    const size_t table_bytes = count * WORD;
    struct bytes offsets = bytes_slice(in, 0, table_bytes);
    struct bytes rest = bytes_slice(in, table_bytes, in.size);
    uint64_t sum = 0;
    uint64_t expected = table_bytes;
    for (uint64_t i = 0; i < count; i++) {
        struct l1_validator *validator = &view->validators[i];
        const size_t before = rest.size;
        TRY(expect_offset(&offsets, expected));
        TRY(read_validator(&rest, validator));
        expected += before - rest.size;
        if (validator->power == 0 || validator->power > VALIDATOR_POWER_SUM_MAX) {
            return ERR_ENCODING;
        }
        sum += validator->power;
        if (sum > VALIDATOR_POWER_SUM_MAX) return ERR_ENCODING;
        if (i > 0 && address_compare(&validator[-1].address, &validator->address) >= 0) {
            return ERR_ENCODING;
        }
    }
    if (rest.size != 0 || sum != total) return ERR_ENCODING;
    view->epoch = epoch;
    view->validators_count = (uint32_t)count;
    return ERR_OK;
}

enum err l1_abi_settled_block(struct bytes in, uint64_t *number) {
    return read_u64(&in, number);
}

enum err l1_abi_genesis(struct bytes in, struct hash32 *out) {
    TRY(read_hash(&in, out));
    return in.size == 0 ? ERR_OK : ERR_ENCODING;
}

enum err l1_abi_settled(struct bytes in, struct l1_view *view) {
    TRY(read_u64(&in, &view->settled_last_block));
    TRY(read_hash(&in, &view->settled_hash));
    TRY(read_hash(&in, &view->settled_state_root));
    return in.size == 0 ? ERR_OK : ERR_ENCODING;
}

enum err l1_abi_pending(struct bytes in, struct l1_pending *out, size_t count_max, size_t *count) {
    uint64_t rows;
    TRY(expect_offset(&in, WORD));
    TRY(read_u64(&in, &rows));
    if (rows > count_max) return ERR_LIMIT;
    for (uint64_t i = 0; i < rows; i++) {
        TRY(read_u64(&in, &out[i].id));
        TRY(read_address(&in, &out[i].sender));
        TRY(read_hash(&in, &out[i].tx_hash));
        TRY(read_u64(&in, &out[i].l1_block));
        TRY(read_u64(&in, &out[i].deadline_l1_block));
    }
    if (in.size != 0) return ERR_ENCODING;
    *count = (size_t)rows;
    return ERR_OK;
}

enum err l1_abi_forced(struct bytes in, struct bytes *raw, struct hash32 *tx_hash) {
    struct hash32 stated;
    struct bytes found;
    uint64_t l1_block;
    TRY(expect_offset(&in, 3 * WORD));
    TRY(read_hash(&in, &stated));
    TRY(read_u64(&in, &l1_block));
    TRY(read_bytes(&in, L1_RAW_BYTES_MAX, &found));
    if (in.size != 0) return ERR_ENCODING;
    const struct hash32 hash = keccak256(found);
    if (!hash_equal(&hash, &stated)) return ERR_ENCODING;
    *raw = found;
    *tx_hash = stated;
    return ERR_OK;
}

/* --- writing --- */

static void write_selector(struct buffer *out, const char *signature) {
    uint8_t selector[4];
    l1_abi_selector(signature, selector);
    buffer_append(out, BYTES_OF(selector));
}

void l1_abi_get_pending(struct buffer *out, uint64_t offset, uint64_t limit) {
    write_selector(out, GET_PENDING);
    abi_word_u64(out, offset);
    abi_word_u64(out, limit);
}

void l1_abi_submit_batch(struct buffer *out, const struct settlement *settlement) {
    const size_t padded = (SECP_SIGNATURE_BYTES + WORD - 1) / WORD * WORD;
    const size_t count = settlement->signatures_count;
    write_selector(out, SUBMIT_BATCH);
    batch_statement_words(&settlement->batch, out);
    abi_word_u64(out, (BATCH_STATEMENT_WORDS + 1) * WORD);
    abi_word_u64(out, count);
    for (size_t i = 0; i < count; i++)
        abi_word_u64(out, count * WORD + i * (WORD + padded));
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[96] = {0};
        secp_signature_write(&settlement->signatures[i].signature, bytes);
        abi_word_u64(out, SECP_SIGNATURE_BYTES);
        buffer_append(out, BYTES_OF(bytes));
    }
}
