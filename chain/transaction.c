#include "chain/transaction.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "chain/transaction_internal.h"

#define LIST_ITEMS_MAX            ((size_t)1 << 20) /* more than any gas limit pays for */
#define V_UNPROTECTED             27u
#define V_PROTECTED               35u
#define AUTHORIZATION_PARITY_BITS 8u /* EIP-7702: y_parity < 2^8 */

static enum err to_decode(struct bytes *in, struct transaction *out) {
    struct bytes to;
    TRY(rlp_read_string(in, &to));
    out->is_create = to.size == 0;
    if (out->is_create) return ERR_OK;
    if (to.size != sizeof out->to.bytes) return ERR_ENCODING;
    memcpy(out->to.bytes, to.data, sizeof out->to.bytes);
    return ERR_OK;
}

static enum err hashes_decode(struct bytes *in, struct arena *arena, const struct hash32 **out,
                              size_t *count_out) {
    struct bytes list;
    size_t count;
    TRY(rlp_read_list(in, &list));
    TRY(rlp_list_count(list, LIST_ITEMS_MAX, &count));
    struct hash32 *hashes = arena_array(arena, count, sizeof *hashes);
    if (hashes == NULL && count != 0) return ERR_LIMIT;
    for (size_t i = 0; i < count; i++)
        TRY(rlp_read_hash(&list, &hashes[i]));
    *out = hashes;
    *count_out = count;
    return ERR_OK;
}

static enum err access_list_decode(struct bytes *in, struct arena *arena, struct transaction *out) {
    struct bytes list;
    size_t count;
    TRY(rlp_read_list(in, &list));
    TRY(rlp_list_count(list, LIST_ITEMS_MAX, &count));
    struct access_tuple *tuples = arena_array(arena, count, sizeof *tuples);
    if (tuples == NULL && count != 0) return ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        struct bytes fields;
        TRY(rlp_read_list(&list, &fields));
        TRY(rlp_read_address(&fields, &tuples[i].address));
        TRY(hashes_decode(&fields, arena, &tuples[i].keys, &tuples[i].keys_count));
        if (fields.size != 0) return ERR_ENCODING;
    }
    out->access_list = tuples;
    out->access_list_count = count;
    return ERR_OK;
}

static enum err authorization_decode(struct bytes *in, struct authorization *out) {
    struct bytes fields;
    TRY(rlp_read_list(in, &fields));
    TRY(rlp_read_u256(&fields, &out->chain_id));
    TRY(rlp_read_address(&fields, &out->address));
    TRY(rlp_read_u64(&fields, &out->nonce));
    TRY(rlp_read_u256(&fields, &out->y_parity));
    if (u256_bits(&out->y_parity) > AUTHORIZATION_PARITY_BITS) return ERR_ENCODING;
    TRY(rlp_read_u256(&fields, &out->r));
    TRY(rlp_read_u256(&fields, &out->s));
    return fields.size == 0 ? ERR_OK : ERR_ENCODING;
}

static enum err authorizations_decode(struct bytes *in, struct arena *arena,
                                      struct transaction *out) {
    struct bytes list;
    size_t count;
    TRY(rlp_read_list(in, &list));
    TRY(rlp_list_count(list, LIST_ITEMS_MAX, &count));
    struct authorization *authorizations = arena_array(arena, count, sizeof *authorizations);
    if (authorizations == NULL && count != 0) return ERR_LIMIT;
    for (size_t i = 0; i < count; i++)
        TRY(authorization_decode(&list, &authorizations[i]));
    out->authorizations = authorizations;
    out->authorizations_count = count;
    return ERR_OK;
}

static enum err signature_decode(struct bytes *in, struct transaction *out) {
    TRY(rlp_read_u256(in, &out->v));
    TRY(rlp_read_u256(in, &out->r));
    TRY(rlp_read_u256(in, &out->s));
    return in->size == 0 ? ERR_OK : ERR_ENCODING;
}

/* legacy_chain_id reads EIP-155's chain id out of v; a v that means nothing is left to recovery. */
static enum err legacy_chain_id(struct transaction *out) {
    const struct u256 base = u256_from_u64(V_PROTECTED);
    if (u256_less(&out->v, &base)) return ERR_OK;
    const struct u256 twice = u256_sub(&out->v, &base);
    const struct u256 chain_id = u256_shr(&twice, 1);
    if (!u256_fits_u64(&chain_id)) return ERR_ENCODING;
    out->is_protected = true;
    out->chain_id = chain_id.limb[0];
    return ERR_OK;
}

static enum err legacy_decode(struct bytes fields, struct transaction *out) {
    TRY(rlp_read_u64(&fields, &out->nonce));
    TRY(rlp_read_u256(&fields, &out->max_fee));
    out->max_priority_fee = out->max_fee;
    TRY(rlp_read_u64(&fields, &out->gas_limit));
    TRY(to_decode(&fields, out));
    TRY(rlp_read_u256(&fields, &out->value));
    TRY(rlp_read_string(&fields, &out->data));
    TRY(signature_decode(&fields, out));
    return legacy_chain_id(out);
}

static enum err typed_decode(struct bytes fields, struct arena *arena, struct transaction *out) {
    out->is_protected = true;
    TRY(rlp_read_u64(&fields, &out->chain_id));
    TRY(rlp_read_u64(&fields, &out->nonce));
    if (out->type >= TRANSACTION_DYNAMIC_FEE) {
        TRY(rlp_read_u256(&fields, &out->max_priority_fee));
    }
    TRY(rlp_read_u256(&fields, &out->max_fee));
    if (out->type < TRANSACTION_DYNAMIC_FEE) out->max_priority_fee = out->max_fee;
    TRY(rlp_read_u64(&fields, &out->gas_limit));
    TRY(to_decode(&fields, out));
    TRY(rlp_read_u256(&fields, &out->value));
    TRY(rlp_read_string(&fields, &out->data));
    TRY(access_list_decode(&fields, arena, out));
    if (out->type == TRANSACTION_BLOB) {
        TRY(rlp_read_u256(&fields, &out->max_fee_per_blob_gas));
        TRY(hashes_decode(&fields, arena, &out->blob_hashes, &out->blob_hashes_count));
    }
    if (out->type == TRANSACTION_SET_CODE) TRY(authorizations_decode(&fields, arena, out));
    return signature_decode(&fields, out);
}

static enum err envelope_decode(struct bytes in, struct arena *arena, struct transaction *out) {
    struct bytes fields;
    if (out->type != TRANSACTION_LEGACY) in = bytes_slice(in, 1, in.size);
    TRY(rlp_read_list(&in, &fields));
    if (in.size != 0) return ERR_ENCODING;
    if (out->type == TRANSACTION_LEGACY) return legacy_decode(fields, out);
    return typed_decode(fields, arena, out);
}

enum verdict transaction_decode(struct bytes in, struct arena *arena, struct transaction *out) {
    if (in.size == 0) return VERDICT_MALFORMED;
    const uint8_t tag = in.data[0];
    struct transaction transaction;
    memset(&transaction, 0, sizeof transaction);
    if (tag >= 0xc0) {
        transaction.type = TRANSACTION_LEGACY;
    } else if (tag >= TRANSACTION_ACCESS_LIST && tag <= TRANSACTION_SET_CODE) {
        transaction.type = (enum transaction_type)tag;
    } else {
        return tag <= 0x7f ? VERDICT_TYPE_UNSUPPORTED : VERDICT_MALFORMED;
    }
    const size_t mark = arena_mark(arena);
    const enum err err = envelope_decode(in, arena, &transaction);
    if (err != ERR_OK) {
        arena_release(arena, mark);
        return err == ERR_LIMIT ? VERDICT_OVERSIZED : VERDICT_MALFORMED;
    }
    transaction.encoded = in;
    transaction.hash = keccak256(in);
    *out = transaction;
    return VERDICT_ACCEPTED;
}

struct u256 transaction_legacy_v_base(const struct transaction *transaction) {
    if (!transaction->is_protected) return u256_from_u64(V_UNPROTECTED);
    const struct u256 chain_id = u256_from_u64(transaction->chain_id);
    const struct u256 twice = u256_shl(&chain_id, 1);
    const struct u256 base = u256_from_u64(V_PROTECTED);
    return u256_add(&twice, &base);
}

enum verdict transaction_recover_at(struct transaction *transaction, enum fork fork) {
    struct u256 parity = transaction->v;
    if (transaction->type == TRANSACTION_LEGACY) {
        const struct u256 base = transaction_legacy_v_base(transaction);
        if (u256_less(&parity, &base)) return VERDICT_SIGNATURE;
        parity = u256_sub(&parity, &base);
    }
    if (u256_bits(&parity) > 1) return VERDICT_SIGNATURE;
    struct secp_signature signature = {.y_parity = (uint8_t)parity.limb[0]};
    u256_to_be(&transaction->r, signature.r);
    u256_to_be(&transaction->s, signature.s);
    if (fork >= FORK_HOMESTEAD && !secp_is_low_s(&signature)) return VERDICT_SIGNATURE;

    struct address sender;
    const struct hash32 digest = transaction_signing_hash(transaction);
    if (secp_recover(&digest, &signature, &sender) != ERR_OK) return VERDICT_SIGNATURE;
    transaction->sender = sender;
    transaction->has_sender = true;
    return VERDICT_ACCEPTED;
}

enum verdict transaction_recover(struct transaction *transaction) {
    return transaction_recover_at(transaction, FORK_HOMESTEAD);
}

struct u256 transaction_effective_tip(const struct transaction *transaction,
                                      const struct u256 *base_fee) {
    bool borrowed;
    const struct u256 room = u256_sub_overflow(&transaction->max_fee, base_fee, &borrowed);
    if (borrowed) return U256_ZERO;
    return u256_less(&room, &transaction->max_priority_fee) ? room : transaction->max_priority_fee;
}
