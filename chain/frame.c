#include "chain/frame.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"

void frame_encode(const struct frame *frame, struct buffer *out) {
    CHECK(frame->workload_roots_count <= FRAME_WORKLOADS_MAX);
    const size_t list = rlp_list_begin(out);
    rlp_write_u64(out, frame->version);
    rlp_write_u64(out, frame->height);
    rlp_write_u64(out, frame->round);
    rlp_write_address(out, &frame->proposer);
    rlp_write_u64(out, frame->time_ms);
    rlp_write_u64(out, frame->l1_number);
    rlp_write_hash(out, &frame->l1_hash);
    rlp_write_hash(out, &frame->validators_hash);
    rlp_write_hash(out, &frame->next_validators_hash);
    rlp_write_hash(out, &frame->last_commit_hash);
    rlp_write_hash(out, &frame->items_root);
    const size_t roots = rlp_list_begin(out);
    for (uint32_t i = 0; i < frame->workload_roots_count; i++) {
        rlp_write_hash(out, &frame->workload_roots[i]);
    }
    rlp_list_end(out, roots);
    rlp_list_end(out, list);
}

static enum err roots_decode(struct bytes *in, struct frame *frame) {
    struct bytes roots;
    TRY(rlp_read_list(in, &roots));
    while (roots.size != 0) {
        if (frame->workload_roots_count == FRAME_WORKLOADS_MAX) return ERR_ENCODING;
        TRY(rlp_read_hash(&roots, &frame->workload_roots[frame->workload_roots_count]));
        frame->workload_roots_count++;
    }
    return ERR_OK;
}

static enum err fields_decode(struct bytes in, struct frame *frame) {
    struct bytes fields;
    uint64_t round;
    TRY(rlp_read_list(&in, &fields));
    if (in.size != 0) return ERR_ENCODING;
    TRY(rlp_read_u64(&fields, &frame->version));
    if (frame->version != FRAME_VERSION) return ERR_ENCODING;
    TRY(rlp_read_u64(&fields, &frame->height));
    TRY(rlp_read_u64(&fields, &round));
    if (round > UINT32_MAX) return ERR_ENCODING;
    frame->round = (uint32_t)round;
    TRY(rlp_read_address(&fields, &frame->proposer));
    TRY(rlp_read_u64(&fields, &frame->time_ms));
    TRY(rlp_read_u64(&fields, &frame->l1_number));
    TRY(rlp_read_hash(&fields, &frame->l1_hash));
    TRY(rlp_read_hash(&fields, &frame->validators_hash));
    TRY(rlp_read_hash(&fields, &frame->next_validators_hash));
    TRY(rlp_read_hash(&fields, &frame->last_commit_hash));
    TRY(rlp_read_hash(&fields, &frame->items_root));
    TRY(roots_decode(&fields, frame));
    return fields.size == 0 ? ERR_OK : ERR_ENCODING;
}

enum err frame_decode(struct bytes in, struct frame *out) {
    struct frame frame = {.workload_roots_count = 0};
    if (fields_decode(in, &frame) != ERR_OK) return ERR_ENCODING;
    *out = frame;
    return ERR_OK;
}

struct hash32 frame_hash(const struct frame *frame) {
    uint8_t encoded[FRAME_BYTES_MAX];
    struct buffer out = buffer_over(encoded, sizeof encoded);
    frame_encode(frame, &out);
    CHECK(!out.overflow);
    return keccak256(buffer_bytes(&out));
}
