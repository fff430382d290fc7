#include "chain/transaction.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "chain/transaction_internal.h"

/* The fields of a transaction are written once, to a sink that counts, hashes or keeps the bytes:
 * the signing hash of a megabyte of call data needs no memory, and list headers are known in
 * advance. */
struct sink {
    size_t size;           /* bytes put so far */
    struct keccak *hash;   /* NULL: do not hash */
    struct buffer *buffer; /* NULL: do not keep */
};

enum signature_part { WITH_SIGNATURE, WITHOUT_SIGNATURE };

static void put(struct sink *sink, struct bytes raw) {
    sink->size += raw.size;
    if (sink->hash != NULL) keccak_update(sink->hash, raw);
    if (sink->buffer != NULL) buffer_append(sink->buffer, raw);
}

static void put_small(struct sink *sink, struct buffer *encoded) {
    CHECK(!encoded->overflow);
    put(sink, buffer_bytes(encoded));
    encoded->size = 0;
}

static void put_u256(struct sink *sink, const struct u256 *value) {
    uint8_t memory[33];
    struct buffer encoded = buffer_over(memory, sizeof memory);
    rlp_write_u256(&encoded, value);
    put_small(sink, &encoded);
}

static void put_u64(struct sink *sink, uint64_t value) {
    const struct u256 wide = u256_from_u64(value);
    put_u256(sink, &wide);
}

/* put_head writes the header of a list whose payload is `payload_bytes` long. */
static void put_head(struct sink *sink, uint8_t tag, size_t payload_bytes) {
    uint8_t memory[9];
    struct buffer head = buffer_over(memory, sizeof memory);
    if (payload_bytes <= 55) {
        buffer_append_byte(&head, (uint8_t)(tag + payload_bytes));
    } else {
        size_t length_bytes = 1;
        while (length_bytes < 8 && payload_bytes >> (8 * length_bytes) != 0)
            length_bytes++;
        buffer_append_byte(&head, (uint8_t)(tag + 55 + length_bytes));
        buffer_append_be(&head, length_bytes, payload_bytes);
    }
    put_small(sink, &head);
}

static void put_list(struct sink *sink, size_t payload_bytes) {
    put_head(sink, 0xc0, payload_bytes);
}

static void put_string(struct sink *sink, struct bytes in) {
    if (in.size != 1 || in.data[0] >= 0x80) put_head(sink, 0x80, in.size);
    put(sink, in);
}

static void put_hash(struct sink *sink, const struct hash32 *hash) {
    put_string(sink, hash_bytes(hash));
}

static void put_address(struct sink *sink, const struct address *address) {
    put_string(sink, address_bytes(address));
}

static size_t tuple_bytes(const struct access_tuple *tuple) {
    return 21 + rlp_list_size(33 * tuple->keys_count);
}

static void put_access_list(struct sink *sink, const struct transaction *transaction) {
    size_t payload_bytes = 0;
    for (size_t i = 0; i < transaction->access_list_count; i++) {
        payload_bytes += rlp_list_size(tuple_bytes(&transaction->access_list[i]));
    }
    put_list(sink, payload_bytes);
    for (size_t i = 0; i < transaction->access_list_count; i++) {
        const struct access_tuple *tuple = &transaction->access_list[i];
        put_list(sink, tuple_bytes(tuple));
        put_address(sink, &tuple->address);
        put_list(sink, 33 * tuple->keys_count);
        for (size_t key = 0; key < tuple->keys_count; key++)
            put_hash(sink, &tuple->keys[key]);
    }
}

static void put_authorization_fields(struct sink *sink, const struct authorization *in,
                                     enum signature_part part) {
    put_u256(sink, &in->chain_id);
    put_address(sink, &in->address);
    put_u64(sink, in->nonce);
    if (part == WITHOUT_SIGNATURE) return;
    put_u256(sink, &in->y_parity);
    put_u256(sink, &in->r);
    put_u256(sink, &in->s);
}

static size_t authorization_bytes(const struct authorization *in, enum signature_part part) {
    struct sink counter = {0, NULL, NULL};
    put_authorization_fields(&counter, in, part);
    return counter.size;
}

static void put_authorizations(struct sink *sink, const struct transaction *transaction) {
    size_t payload_bytes = 0;
    for (size_t i = 0; i < transaction->authorizations_count; i++) {
        const struct authorization *in = &transaction->authorizations[i];
        payload_bytes += rlp_list_size(authorization_bytes(in, WITH_SIGNATURE));
    }
    put_list(sink, payload_bytes);
    for (size_t i = 0; i < transaction->authorizations_count; i++) {
        const struct authorization *in = &transaction->authorizations[i];
        put_list(sink, authorization_bytes(in, WITH_SIGNATURE));
        put_authorization_fields(sink, in, WITH_SIGNATURE);
    }
}

static void put_fields(struct sink *sink, const struct transaction *in, enum signature_part part) {
    const bool is_typed = in->type != TRANSACTION_LEGACY;
    if (is_typed) put_u64(sink, in->chain_id);
    put_u64(sink, in->nonce);
    if (in->type >= TRANSACTION_DYNAMIC_FEE) put_u256(sink, &in->max_priority_fee);
    put_u256(sink, &in->max_fee);
    put_u64(sink, in->gas_limit);
    put_string(sink, in->is_create ? BYTES_EMPTY : address_bytes(&in->to));
    put_u256(sink, &in->value);
    put_string(sink, in->data);
    if (is_typed) put_access_list(sink, in);
    if (in->type == TRANSACTION_BLOB) {
        put_u256(sink, &in->max_fee_per_blob_gas);
        put_list(sink, 33 * in->blob_hashes_count);
        for (size_t i = 0; i < in->blob_hashes_count; i++)
            put_hash(sink, &in->blob_hashes[i]);
    }
    if (in->type == TRANSACTION_SET_CODE) put_authorizations(sink, in);
    if (part == WITH_SIGNATURE) {
        put_u256(sink, &in->v);
        put_u256(sink, &in->r);
        put_u256(sink, &in->s);
    } else if (!is_typed && in->is_protected) { /* EIP-155 */
        put_u64(sink, in->chain_id);
        put_u64(sink, 0);
        put_u64(sink, 0);
    }
}

static void put_transaction(struct sink *sink, const struct transaction *in,
                            enum signature_part part) {
    struct sink counter = {0, NULL, NULL};
    put_fields(&counter, in, part);
    const uint8_t type = (uint8_t)in->type;
    if (in->type != TRANSACTION_LEGACY) put(sink, (struct bytes){&type, 1});
    put_list(sink, counter.size);
    put_fields(sink, in, part);
}

struct hash32 transaction_signing_hash(const struct transaction *transaction) {
    struct keccak hash;
    keccak_init(&hash);
    struct sink sink = {0, &hash, NULL};
    put_transaction(&sink, transaction, WITHOUT_SIGNATURE);
    return keccak_final(&hash);
}

void transaction_encode(const struct transaction *transaction, struct buffer *out) {
    struct sink sink = {0, NULL, out};
    put_transaction(&sink, transaction, WITH_SIGNATURE);
}

enum err transaction_sign(struct transaction *transaction, const struct secp_key *key,
                          struct arena *arena) {
    struct secp_signature signature;
    const struct hash32 digest = transaction_signing_hash(transaction);
    secp_sign(key, &digest, &signature);
    transaction->r = u256_from_be(BYTES_OF(signature.r));
    transaction->s = u256_from_be(BYTES_OF(signature.s));
    transaction->v = u256_from_u64(signature.y_parity);
    if (transaction->type == TRANSACTION_LEGACY) {
        const struct u256 base = transaction_legacy_v_base(transaction);
        transaction->v = u256_add(&transaction->v, &base);
    }
    struct sink counter = {0, NULL, NULL};
    put_transaction(&counter, transaction, WITH_SIGNATURE);
    uint8_t *memory = arena_alloc(arena, counter.size);
    if (memory == NULL) return ERR_LIMIT;
    struct buffer out = buffer_over(memory, counter.size);
    transaction_encode(transaction, &out);
    CHECK(!out.overflow);
    transaction->encoded = buffer_bytes(&out);
    transaction->hash = keccak256(transaction->encoded);
    transaction->sender = secp_key_address(key);
    transaction->has_sender = true;
    return ERR_OK;
}

enum err authorization_recover(const struct authorization *authorization, struct address *out) {
    if (u256_bits(&authorization->y_parity) > 1) return ERR_SIGNATURE;
    uint8_t memory[1 + 9 + 33 + 21 + 9];
    struct buffer buffer = buffer_over(memory, sizeof memory);
    struct sink sink = {0, NULL, &buffer};
    const uint8_t magic = 0x05; /* EIP-7702 */
    put(&sink, (struct bytes){&magic, 1});
    put_list(&sink, authorization_bytes(authorization, WITHOUT_SIGNATURE));
    put_authorization_fields(&sink, authorization, WITHOUT_SIGNATURE);
    CHECK(!buffer.overflow);

    struct secp_signature signature = {.y_parity = (uint8_t)authorization->y_parity.limb[0]};
    u256_to_be(&authorization->r, signature.r);
    u256_to_be(&authorization->s, signature.s);
    if (!secp_is_low_s(&signature)) return ERR_SIGNATURE;
    const struct hash32 digest = keccak256(buffer_bytes(&buffer));
    return secp_recover(&digest, &signature, out);
}

struct address contract_address_create(const struct address *sender, uint64_t nonce) {
    uint8_t memory[1 + 21 + 9];
    struct buffer buffer = buffer_over(memory, sizeof memory);
    const size_t list = rlp_list_begin(&buffer);
    rlp_write_address(&buffer, sender);
    rlp_write_u64(&buffer, nonce);
    rlp_list_end(&buffer, list);
    CHECK(!buffer.overflow);
    const struct hash32 hash = keccak256(buffer_bytes(&buffer));
    struct address out;
    memcpy(out.bytes, hash.bytes + 12, sizeof out.bytes);
    return out;
}

struct address contract_address_create2(const struct address *sender, const struct hash32 *salt,
                                        const struct hash32 *initcode_hash) {
    struct keccak context;
    const uint8_t tag = 0xff;
    keccak_init(&context);
    keccak_update(&context, (struct bytes){&tag, 1});
    keccak_update(&context, address_bytes(sender));
    keccak_update(&context, hash_bytes(salt));
    keccak_update(&context, hash_bytes(initcode_hash));
    const struct hash32 hash = keccak_final(&context);
    struct address out;
    memcpy(out.bytes, hash.bytes + 12, sizeof out.bytes);
    return out;
}
