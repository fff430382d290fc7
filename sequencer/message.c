#include "sequencer/message.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "chain/block.h"
#include "sequencer/message_snapshot.h"

struct hash32 handover_digest(const struct signing_domain *domain, uint64_t height) {
    uint8_t message[64];
    struct buffer out = buffer_over(message, sizeof message);
    buffer_append_byte(&out, 0x19);
    buffer_append(&out, BYTES_STRING("baton handover"));
    buffer_append(&out, hash_bytes(&domain->separator));
    buffer_append_be(&out, 8, height);
    CHECK(!out.overflow);
    return keccak256(buffer_bytes(&out));
}

/* --- reading: each function reads the fields of one kind; ERR_SIGNATURE is a stranger's signature
 */

static enum err signature_read(struct bytes *in, struct secp_signature *out) {
    uint8_t wire[SECP_SIGNATURE_BYTES];
    TRY(rlp_read_fixed(in, wire, sizeof wire));
    return secp_signature_read(BYTES_OF(wire), out);
}

static enum err u32_read(struct bytes *in, uint32_t *out) {
    uint64_t wide;
    TRY(rlp_read_u64(in, &wide));
    if (wide > UINT32_MAX) return ERR_ENCODING;
    *out = (uint32_t)wide;
    return ERR_OK;
}

static enum err vote_read(const struct message_context *context, struct bytes *in,
                          struct vote *out) {
    struct bytes encoded;
    TRY(rlp_read_item(in, &encoded));
    TRY(vote_decode(encoded, out));
    return vote_recover(&context->recoverer, &context->domain, out);
}

static enum err proposal_read(const struct message_context *context, struct bytes *in,
                              struct message *out) {
    TRY(vote_read(context, in, &out->vote));
    if (out->vote.kind != VOTE_PROPOSAL) return ERR_ENCODING;
    TRY(rlp_read_string(in, &out->package));
    out->height = out->vote.height;
    return out->package.size > BLOCK_PACKAGE_BYTES_MAX ? ERR_LIMIT : ERR_OK;
}

static enum err ballot_read(const struct message_context *context, struct bytes *in,
                            struct message *out) {
    TRY(vote_read(context, in, &out->vote));
    out->height = out->vote.height;
    return out->vote.kind == VOTE_PROPOSAL ? ERR_ENCODING : ERR_OK;
}

static enum err items_read(struct bytes *in, struct message *out) {
    struct bytes list;
    TRY(rlp_read_list(in, &list));
    while (list.size != 0) {
        if (out->count == MESSAGE_ITEMS_MAX) return ERR_LIMIT;
        TRY(rlp_read_string(&list, &out->items[out->count]));
        const size_t size = out->items[out->count].size;
        if (size < 2) return ERR_ENCODING;
        if (size > ITEM_BYTES_MAX + 1) return ERR_LIMIT;
        out->count += 1;
    }
    return out->count == 0 ? ERR_ENCODING : ERR_OK;
}

static enum err blocks_read(struct bytes *in, struct message *out) {
    struct bytes list;
    TRY(rlp_read_list(in, &list));
    while (list.size != 0) {
        if (out->count == MESSAGE_BLOCKS_MAX) return ERR_LIMIT;
        struct bytes pair;
        TRY(rlp_read_list(&list, &pair));
        TRY(rlp_read_string(&pair, &out->blocks[out->count].package));
        TRY(rlp_read_string(&pair, &out->blocks[out->count].commit));
        if (pair.size != 0) return ERR_ENCODING;
        if (out->blocks[out->count].package.size > BLOCK_PACKAGE_BYTES_MAX) return ERR_LIMIT;
        if (out->blocks[out->count].commit.size > COMMIT_BYTES_MAX) return ERR_LIMIT;
        out->count += 1;
    }
    return ERR_OK;
}

static enum err handover_read(const struct message_context *context, struct bytes *in,
                              struct message *out) {
    TRY(rlp_read_u64(in, &out->height));
    TRY(signature_read(in, &out->vote.signature));
    out->vote.height = out->height;
    const struct hash32 digest = handover_digest(&context->domain, out->height);
    return context->recoverer.recover(context->recoverer.context, &digest, &out->vote.signature,
                                      &out->vote.voter);
}

static enum err evidence_read(const struct message_context *context, struct bytes *in,
                              struct message *out) {
    TRY(vote_read(context, in, &out->vote));
    TRY(vote_read(context, in, &out->conflicting));
    const struct vote *a = &out->vote, *b = &out->conflicting;
    const bool is_double = a->kind == b->kind && a->height == b->height && a->round == b->round &&
                           address_equal(&a->voter, &b->voter) && !hash_equal(&a->block, &b->block);
    out->height = a->height;
    return is_double ? ERR_OK : ERR_ENCODING;
}

static enum err receipt_read(struct bytes *in, struct batch_statement *out) {
    TRY(rlp_read_u64(in, &out->first));
    TRY(rlp_read_u64(in, &out->last));
    TRY(rlp_read_u64(in, &out->da_height));
    TRY(rlp_read_hash(in, &out->da_commitment));
    return out->first != 0 && out->first <= out->last ? ERR_OK : ERR_ENCODING;
}

static enum err batch_sign_read(const struct message_context *context, struct bytes *in,
                                struct message *out) {
    TRY(receipt_read(in, &out->batch));
    TRY(rlp_read_hash(in, &out->batch.parent_hash));
    TRY(rlp_read_hash(in, &out->batch.last_hash));
    TRY(rlp_read_hash(in, &out->batch.state_root));
    TRY(signature_read(in, &out->batch_signature.signature));
    const struct hash32 digest = batch_digest(&context->batch_domain.separator, &out->batch);
    return context->recoverer.recover(context->recoverer.context, &digest,
                                      &out->batch_signature.signature,
                                      &out->batch_signature.signer);
}

static enum err held_read(struct bytes *in, struct message *out) {
    TRY(rlp_read_string(in, &out->hashes));
    const size_t count = out->hashes.size / sizeof(struct hash32);
    if (out->hashes.size % sizeof(struct hash32) != 0) return ERR_ENCODING;
    if (count == 0 || count > MESSAGE_HELD_MAX) return ERR_ENCODING;
    out->count = (uint32_t)count;
    return ERR_OK;
}

static enum err fields_read(const struct message_context *context, struct bytes *in,
                            struct message *out) {
    switch (out->kind) {
    case MESSAGE_STATUS: TRY(rlp_read_u64(in, &out->height)); return rlp_read_hash(in, &out->hash);
    case MESSAGE_PROPOSAL: return proposal_read(context, in, out);
    case MESSAGE_VOTE: return ballot_read(context, in, out);
    case MESSAGE_ITEMS: return items_read(in, out);
    case MESSAGE_GET_BLOCKS:
        TRY(rlp_read_u64(in, &out->height));
        TRY(u32_read(in, &out->count));
        return out->count == 0 || out->count > MESSAGE_BLOCKS_MAX ? ERR_ENCODING : ERR_OK;
    case MESSAGE_BLOCKS: return blocks_read(in, out);
    case MESSAGE_GET_PROPOSAL:
        TRY(rlp_read_u64(in, &out->height));
        TRY(u32_read(in, &out->round));
        return rlp_read_hash(in, &out->hash);
    case MESSAGE_HANDOVER: return handover_read(context, in, out);
    case MESSAGE_EVIDENCE: return evidence_read(context, in, out);
    case MESSAGE_BATCH_RECEIPT: return receipt_read(in, &out->batch);
    case MESSAGE_BATCH_SIGN: return batch_sign_read(context, in, out);
    case MESSAGE_ITEMS_HELD: return held_read(in, out);
    default: return message_snapshot_read(in, out);
    }
}

/* message_clear sets everything but the large arrays, which `count` bounds. */
static void message_clear(struct message *out) {
    memset(out, 0, offsetof(struct message, blocks));
    memset(&out->hashes, 0, sizeof *out - offsetof(struct message, hashes));
}

enum verdict message_decode(const struct message_context *context, struct bytes in,
                            struct message *out) {
    if (in.size > MESSAGE_BYTES_MAX) return VERDICT_OVERSIZED;
    if (in.size < 2) return VERDICT_MALFORMED;
    message_clear(out);
    out->kind = in.data[0];
    struct bytes rest = bytes_slice(in, 1, in.size - 1);
    struct bytes fields;
    if (rlp_read_list(&rest, &fields) != ERR_OK || rest.size != 0) return VERDICT_MALFORMED;
    const enum err err = fields_read(context, &fields, out);
    if (err == ERR_SIGNATURE) return VERDICT_SIGNATURE;
    if (err == ERR_LIMIT) return VERDICT_OVERSIZED;
    return err != ERR_OK || fields.size != 0 ? VERDICT_MALFORMED : VERDICT_ACCEPTED;
}

/* --- writing */

static void signature_write(struct buffer *out, const struct secp_signature *signature) {
    uint8_t wire[SECP_SIGNATURE_BYTES];
    secp_signature_write(signature, wire);
    rlp_write_string(out, BYTES_OF(wire));
}

static void blocks_write(const struct message *message, struct buffer *out) {
    const size_t list = rlp_list_begin(out);
    for (uint32_t i = 0; i < message->count; i++) {
        const size_t pair = rlp_list_begin(out);
        rlp_write_string(out, message->blocks[i].package);
        rlp_write_string(out, message->blocks[i].commit);
        rlp_list_end(out, pair);
    }
    rlp_list_end(out, list);
}

static void items_write(const struct message *message, struct buffer *out) {
    const size_t list = rlp_list_begin(out);
    for (uint32_t i = 0; i < message->count; i++)
        rlp_write_string(out, message->items[i]);
    rlp_list_end(out, list);
}

static void receipt_write(const struct batch_statement *batch, struct buffer *out) {
    rlp_write_u64(out, batch->first);
    rlp_write_u64(out, batch->last);
    rlp_write_u64(out, batch->da_height);
    rlp_write_hash(out, &batch->da_commitment);
}

static void fields_write(const struct message *message, struct buffer *out) {
    switch (message->kind) {
    case MESSAGE_STATUS:
        rlp_write_u64(out, message->height);
        rlp_write_hash(out, &message->hash);
        break;
    case MESSAGE_PROPOSAL:
        vote_encode(&message->vote, out);
        rlp_write_string(out, message->package);
        break;
    case MESSAGE_VOTE: vote_encode(&message->vote, out); break;
    case MESSAGE_ITEMS: items_write(message, out); break;
    case MESSAGE_GET_BLOCKS:
        rlp_write_u64(out, message->height);
        rlp_write_u64(out, message->count);
        break;
    case MESSAGE_BLOCKS: blocks_write(message, out); break;
    case MESSAGE_GET_PROPOSAL:
        rlp_write_u64(out, message->height);
        rlp_write_u64(out, message->round);
        rlp_write_hash(out, &message->hash);
        break;
    case MESSAGE_HANDOVER:
        rlp_write_u64(out, message->height);
        signature_write(out, &message->vote.signature);
        break;
    case MESSAGE_EVIDENCE:
        vote_encode(&message->vote, out);
        vote_encode(&message->conflicting, out);
        break;
    case MESSAGE_BATCH_RECEIPT: receipt_write(&message->batch, out); break;
    case MESSAGE_ITEMS_HELD: rlp_write_string(out, message->hashes); break;
    case MESSAGE_BATCH_SIGN:
        receipt_write(&message->batch, out);
        rlp_write_hash(out, &message->batch.parent_hash);
        rlp_write_hash(out, &message->batch.last_hash);
        rlp_write_hash(out, &message->batch.state_root);
        signature_write(out, &message->batch_signature.signature);
        break;
    default: message_snapshot_write(message, out); break;
    }
}

void message_encode(const struct message *message, struct buffer *out) {
    buffer_append_byte(out, (uint8_t)message->kind);
    const size_t list = rlp_list_begin(out);
    fields_write(message, out);
    rlp_list_end(out, list);
}
