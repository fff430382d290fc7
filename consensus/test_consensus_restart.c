/* What a machine keeps over a restart: its lock, its valid block, and that it signs nothing twice.
 */
#include "base/rlp.h"
#include "consensus/test_machine.h"

/* restart makes a new machine out of what the last PERSIST named. */
static void restart(void) {
    const struct consensus_effect *effect = find(CONSENSUS_EFFECT_PERSIST);
    CHECK(effect != NULL);
    uint8_t data[CONSENSUS_RECORD_BYTES_MAX];
    struct buffer out = buffer_over(data, sizeof data);
    consensus_record_encode(&effect->record, &out);
    CHECK(!out.overflow);
    struct consensus_record record;
    CHECK(consensus_record_decode(buffer_bytes(&out), &record) == ERR_OK);
    static struct commit polka;
    const bool has_polka = effect->commit != NULL;
    if (has_polka) polka = *effect->commit;
    create(FAULT_MODEL_BYZANTINE, OWN);
    begin(11, &record, has_polka ? &polka : NULL);
}

static void test_restart_keeps_the_lock(void) {
    start_locked_on_a();
    restart();
    CHECK(consensus_status(core).step == 3);
    CHECK(hash_equal(&found(CONSENSUS_EFFECT_CHECK)->block, &A)); /* the stored valid block */
    bool is_resent = false;
    for (size_t i = 0; i < fx.count; i++) {
        if (fx.list[i].kind != CONSENSUS_EFFECT_BROADCAST) continue;
        is_resent = is_resent || fx.list[i].vote.kind == VOTE_PRECOMMIT;
    }
    CHECK(is_resent);
    CHECK(find(CONSENSUS_EFFECT_PERSIST) == NULL); /* sent again, not signed again */
    checked(A, true);
    for (uint32_t voter = 0; voter < 4; voter++) {
        if (voter != OWN) vote(voter, VOTE_PRECOMMIT, 0, nil);
    }
    CHECK(sent(VOTE_PROPOSAL, 1, A)); /* with its polka, from the record */
    CHECK(found(CONSENSUS_EFFECT_PERSIST)->commit != NULL);
}

/* The stored bytes are those of another block: it is asked for, and checked when it comes. */
static void test_restart_without_the_block(void) {
    start_locked_on_a();
    restart();
    CHECK(hash_equal(&found(CONSENSUS_EFFECT_CHECK)->block, &A));
    step((struct consensus_input){.kind = CONSENSUS_INPUT_MISSING, .block = A});
    CHECK(hash_equal(&found(CONSENSUS_EFFECT_NEED)->block, &A));
    CHECK(found(CONSENSUS_EFFECT_NEED)->round == 0);
    tick(700);
    CHECK(hash_equal(&found(CONSENSUS_EFFECT_NEED)->block, &A)); /* again and again */
    for (uint32_t voter = 0; voter < 4; voter++) {
        if (voter != OWN) vote(voter, VOTE_PRECOMMIT, 0, nil);
    }
    CHECK(!sent(VOTE_PROPOSAL, 1, A)); /* its turn, and nothing to propose */
    propose(0, 0, A, -1);
    CHECK(hash_equal(&found(CONSENSUS_EFFECT_CHECK)->block, &A));
    checked(A, true);
    CHECK(sent(VOTE_PROPOSAL, 1, A));
}

static void test_restart_does_not_sign_twice(void) {
    start();
    tick(1050);
    CHECK(sent(VOTE_PREVOTE, 0, nil));
    restart();
    CHECK(consensus_status(core).step == 2);
    propose(0, 0, A, -1);
    checked(A, true);
    CHECK(!sent_any()); /* it prevoted nil in this round already */
}

static void test_restart_without_polka_proposes_afresh(void) {
    start_locked_on_a();
    struct consensus_record record = found(CONSENSUS_EFFECT_PERSIST)->record;
    create(FAULT_MODEL_BYZANTINE, OWN);
    begin(11, &record, NULL);
    checked(A, true);
    for (uint32_t voter = 0; voter < 4; voter++) {
        if (voter != OWN) vote(voter, VOTE_PRECOMMIT, 0, nil);
    }
    for (size_t i = 0; i < fx.count; i++) {
        if (fx.list[i].kind != CONSENSUS_EFFECT_BROADCAST) continue;
        if (fx.list[i].vote.kind != VOTE_PROPOSAL) continue;
        CHECK(fx.list[i].vote.valid_round == VALID_ROUND_NONE);
        return;
    }
    CHECK(false);
}

/* A data directory from before: what the network shows of our own signatures is binding. */
static void test_own_votes_from_outside(void) {
    start();
    vote(OWN, VOTE_PRECOMMIT, 2, A);
    CHECK(found(CONSENSUS_EFFECT_PERSIST)->record.step == 3);
    CHECK(found(CONSENSUS_EFFECT_PERSIST)->record.has_locked);
    CHECK(consensus_status(core).round == 2);
    tick(1000 + 2 * 500);
    CHECK(!sent(VOTE_PREVOTE, 2, nil));
    vote(0, VOTE_PREVOTE, 3, nil);
    vote(2, VOTE_PREVOTE, 3, nil);
    CHECK(consensus_status(core).round == 3);
    propose(3, 3, B, -1);
    CHECK(sent(VOTE_PREVOTE, 3, nil)); /* locked on A */

    /* and one of a later height forbids all signing until there */
    start();
    struct vote later = vote_of(OWN, VOTE_PREVOTE, 0, A);
    later.height = 500;
    step((struct consensus_input){.kind = CONSENSUS_INPUT_VOTE, .vote = later});
    tick(5000);
    CHECK(!sent_any());
}

/* Of what we signed elsewhere only a precommit for a block locks, and only forward; the polka of
 * the lock before is none for it. */
static void test_lock_of_own_votes_from_outside(void) {
    start();
    vote(OWN, VOTE_PRECOMMIT, 2, nil);
    CHECK(!found(CONSENSUS_EFFECT_PERSIST)->record.has_locked);
    vote(OWN, VOTE_PREVOTE, 3, A);
    CHECK(!found(CONSENSUS_EFFECT_PERSIST)->record.has_locked);
    start_locked_on_a();
    CHECK(found(CONSENSUS_EFFECT_PERSIST)->commit != NULL);
    vote(OWN, VOTE_PRECOMMIT, 2, A);
    const struct consensus_effect *effect = found(CONSENSUS_EFFECT_PERSIST);
    CHECK(effect->record.locked_round == 2);
    CHECK(effect->record.valid_round == 2);
    CHECK(effect->commit == NULL);
    vote(OWN, VOTE_PRECOMMIT, 3, B);
    effect = found(CONSENSUS_EFFECT_PERSIST);
    CHECK(effect->record.locked_round == 3);
    CHECK(hash_equal(&effect->record.locked, &B));
    CHECK(hash_equal(&effect->record.valid, &B));
}

/* Whoever signs nothing at a height keeps the record as it is: it shows again, after a restart,
 * that it is old. */
static void test_silence_keeps_the_record(void) {
    start();
    step((struct consensus_input){.kind = CONSENSUS_INPUT_SILENCE});
    vote(OWN, VOTE_PRECOMMIT, 2, A);
    CHECK(find(CONSENSUS_EFFECT_PERSIST) == NULL);
    tick(5000);
    CHECK(!sent_any());
    start(); /* nor does it send again what it has signed before */
    tick(1050);
    CHECK(sent(VOTE_PREVOTE, 0, nil));
    step((struct consensus_input){.kind = CONSENSUS_INPUT_SILENCE});
    tick(700);
    CHECK(!sent_any());
}

static void test_record_of_a_later_height(void) {
    start();
    tick(1050);
    struct consensus_record record = found(CONSENSUS_EFFECT_PERSIST)->record;
    record.height = record.last.height = record.prevote.height = 20;
    create(FAULT_MODEL_BYZANTINE, OWN);
    begin(11, &record, NULL);
    tick(5000);
    CHECK(!sent_any());
    begin(21, NULL, NULL);
    tick(5000);
    CHECK(sent_any());
}

static enum err record_reread(const struct consensus_record *record) {
    uint8_t data[CONSENSUS_RECORD_BYTES_MAX];
    struct buffer out = buffer_over(data, sizeof data);
    struct consensus_record back;
    consensus_record_encode(record, &out);
    CHECK(!out.overflow);
    return consensus_record_decode(buffer_bytes(&out), &back);
}

/* What no machine writes is not read. */
static void test_record_refusals(void) {
    struct consensus_record record = {.height = 11, .round = 3, .step = 3};
    record.prevote = vote_of(OWN, VOTE_PREVOTE, 3, A);
    record.precommit = record.last = vote_of(OWN, VOTE_PRECOMMIT, 3, A);
    record.has_locked = record.has_valid = true;
    record.locked_round = record.valid_round = 3;
    CHECK(record_reread(&record) == ERR_OK);
    struct consensus_record bad[12];
    for (size_t i = 0; i < 12; i++)
        bad[i] = record;
    bad[0].last.kind = 0; /* a step without its vote, and the reverse */
    bad[1].step = 0;
    bad[2].step = 4;
    bad[3].last.height = 12;
    bad[4].last.round = 2;
    bad[5].prevote.kind = VOTE_PRECOMMIT;
    bad[6].precommit.kind = VOTE_PREVOTE;
    bad[7].prevote.height = 10;
    bad[8].precommit.height = 10;
    bad[9].has_valid = false; /* a lock without a valid value, or of a later round */
    bad[10].valid_round = 2;
    bad[11].valid_round = 4; /* of a round still to come */
    for (size_t i = 0; i < 12; i++)
        CHECK(record_reread(&bad[i]) == ERR_ENCODING);
}

/* A lock is a round and a block: bytes that nobody wrote are found out. */
static void test_record_of_further_fields(void) {
    const struct hash32 block = test_hash(1);
    for (int at = 0; at < 6; at++) {
        uint8_t data[256];
        struct consensus_record record;
        struct buffer out = buffer_over(data, sizeof data);
        const size_t list = rlp_list_begin(&out);
        rlp_write_u64(&out, 5);
        rlp_write_u64(&out, at == 3 ? (uint64_t)INT32_MAX + 1 : 0);
        for (int i = 0; i < 5; i++) /* step, votes, lock */
            rlp_write_string(&out, BYTES_EMPTY);
        const size_t valid = rlp_list_begin(&out);
        rlp_write_u64(&out, at == 4 ? (uint64_t)1 << 32 : 0);
        rlp_write_hash(&out, &block);
        if (at == 1) rlp_write_u64(&out, 7);
        rlp_list_end(&out, valid);
        if (at == 2) rlp_write_u64(&out, 7);
        rlp_list_end(&out, list);
        if (at == 5) rlp_write_u64(&out, 7);
        CHECK(!out.overflow);
        const enum err err = consensus_record_decode(buffer_bytes(&out), &record);
        CHECK(err == (at == 0 ? ERR_OK : ERR_ENCODING));
    }
}

int main(void) {
    test_restart_keeps_the_lock();
    test_restart_without_the_block();
    test_restart_does_not_sign_twice();
    test_restart_without_polka_proposes_afresh();
    test_own_votes_from_outside();
    test_lock_of_own_votes_from_outside();
    test_silence_keeps_the_record();
    test_record_of_a_later_height();
    test_record_refusals();
    test_record_of_further_fields();
    return 0;
}
