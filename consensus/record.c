/* The record's encoding: rlp([height, round, step, last, prevote, precommit, locked, valid]), where
 * a vote is one or "" and a lock is [round, block] or "". */
#include "base/check.h"
#include "base/rlp.h"
#include "consensus/consensus.h"

static void write_vote(struct buffer *out, const struct vote *vote) {
    if (vote->kind == 0) {
        rlp_write_string(out, BYTES_EMPTY);
    } else {
        vote_encode(vote, out);
    }
}

static void write_lock(struct buffer *out, bool is_set, uint32_t round,
                       const struct hash32 *block) {
    if (!is_set) {
        rlp_write_string(out, BYTES_EMPTY);
        return;
    }
    const size_t list = rlp_list_begin(out);
    rlp_write_u64(out, round);
    rlp_write_hash(out, block);
    rlp_list_end(out, list);
}

void consensus_record_encode(const struct consensus_record *record, struct buffer *out) {
    const size_t list = rlp_list_begin(out);
    rlp_write_u64(out, record->height);
    rlp_write_u64(out, record->round);
    rlp_write_u64(out, record->step);
    write_vote(out, &record->last);
    write_vote(out, &record->prevote);
    write_vote(out, &record->precommit);
    write_lock(out, record->has_locked, record->locked_round, &record->locked);
    write_lock(out, record->has_valid, record->valid_round, &record->valid);
    rlp_list_end(out, list);
}

static enum err read_vote(struct bytes *in, struct vote *out) {
    struct bytes item;
    if (!rlp_is_list(*in)) {
        TRY(rlp_read_string(in, &item));
        return item.size == 0 ? ERR_OK : ERR_ENCODING;
    }
    TRY(rlp_read_item(in, &item));
    return vote_decode(item, out);
}

static enum err read_lock(struct bytes *in, bool *is_set, uint32_t *round, struct hash32 *block) {
    struct bytes fields;
    uint64_t number;
    if (!rlp_is_list(*in)) {
        TRY(rlp_read_string(in, &fields));
        return fields.size == 0 ? ERR_OK : ERR_ENCODING;
    }
    TRY(rlp_read_list(in, &fields));
    TRY(rlp_read_u64(&fields, &number));
    TRY(rlp_read_hash(&fields, block));
    if (fields.size != 0 || number > INT32_MAX) return ERR_ENCODING;
    *is_set = true;
    *round = (uint32_t)number;
    return ERR_OK;
}

/* is_consistent: what a machine can have written.  A disk that lies is found out here, not in a
 * vote. */
static bool is_consistent(const struct consensus_record *record) {
    if ((record->step == 0) != (record->last.kind == 0)) return false;
    if (record->last.kind != 0 && record->last.height != record->height) return false;
    if (record->last.kind != 0 && record->last.round != record->round) return false;
    if (record->prevote.kind != 0 && record->prevote.kind != VOTE_PREVOTE) return false;
    if (record->precommit.kind != 0 && record->precommit.kind != VOTE_PRECOMMIT) return false;
    if (record->prevote.kind != 0 && record->prevote.height != record->height) return false;
    if (record->precommit.kind != 0 && record->precommit.height != record->height) return false;
    if (record->has_locked && !record->has_valid) return false;
    if (record->has_locked && record->locked_round > record->valid_round) return false;
    return record->valid_round <= record->round;
}

enum err consensus_record_decode(struct bytes in, struct consensus_record *out) {
    struct consensus_record record = {.height = 0};
    struct bytes fields;
    uint64_t round, step;
    TRY(rlp_read_list(&in, &fields));
    if (in.size != 0) return ERR_ENCODING;
    TRY(rlp_read_u64(&fields, &record.height));
    TRY(rlp_read_u64(&fields, &round));
    TRY(rlp_read_u64(&fields, &step));
    TRY(read_vote(&fields, &record.last));
    TRY(read_vote(&fields, &record.prevote));
    TRY(read_vote(&fields, &record.precommit));
    TRY(read_lock(&fields, &record.has_locked, &record.locked_round, &record.locked));
    TRY(read_lock(&fields, &record.has_valid, &record.valid_round, &record.valid));
    if (fields.size != 0 || round > INT32_MAX || step > 3) return ERR_ENCODING;
    record.round = (uint32_t)round;
    record.step = (uint8_t)step;
    if (!is_consistent(&record)) return ERR_ENCODING;
    *out = record;
    return ERR_OK;
}
