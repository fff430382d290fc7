/* Rounds, locks, decisions and handovers of one machine, input by input. */
#include "consensus/test_machine.h"

static void test_commit(void) {
    start();
    CHECK(find(CONSENSUS_EFFECT_ROUND) != NULL);
    propose(0, 0, A, -1);
    CHECK(hash_equal(&found(CONSENSUS_EFFECT_CHECK)->block, &A));
    CHECK(!sent_any()); /* nobody votes for what it has not executed */
    checked(A, true);
    CHECK(sent(VOTE_PREVOTE, 0, A));
    vote(0, VOTE_PREVOTE, 0, A);
    CHECK(!sent_any()); /* two of four are no polka */
    vote(3, VOTE_PREVOTE, 0, A);
    CHECK(sent(VOTE_PRECOMMIT, 0, A));
    CHECK(found(CONSENSUS_EFFECT_PERSIST)->record.has_locked);
    CHECK(found(CONSENSUS_EFFECT_PERSIST)->commit->signatures_count == 3);
    vote(2, VOTE_PRECOMMIT, 0, A);
    CHECK(find(CONSENSUS_EFFECT_COMMIT) == NULL);
    vote(3, VOTE_PRECOMMIT, 0, A);
    const struct consensus_effect *effect = find(CONSENSUS_EFFECT_COMMIT);
    CHECK(effect != NULL);
    CHECK(hash_equal(&effect->block, &A));
    CHECK(effect->commit->signatures_count == 3);
    CHECK(effect->commit->signatures[0].voter_index == OWN);
    CHECK(consensus_status(core).step == 4);
    CHECK(consensus_deadline_ms(core) == UINT64_MAX);
    tick(100000);
    CHECK(fx.count == 0);
}

static void test_invalid_block(void) {
    start();
    propose(0, 0, A, -1);
    checked(A, false);
    CHECK(sent(VOTE_PREVOTE, 0, nil));
}

/* Refused in one round, proposed again in a later one: it is executed again, because what was wrong
 * may have been our view of L1. */
static void test_refusal_holds_for_one_round(void) {
    start();
    propose(0, 0, A, -1);
    checked(A, false);
    CHECK(sent(VOTE_PREVOTE, 0, nil));
    vote(0, VOTE_PREVOTE, 2, nil);
    vote(3, VOTE_PREVOTE, 2, nil);
    propose(2, 2, A, -1);
    CHECK(find(CONSENSUS_EFFECT_CHECK) != NULL);
    checked(A, true);
    CHECK(sent(VOTE_PREVOTE, 2, A));
}

static void test_wrong_proposer(void) {
    start();
    propose(2, 0, A, -1);
    CHECK(fx.count == 0);
    propose(0, 0, nil, -1);
    CHECK(fx.count == 0);
}

static void test_we_propose(void) {
    start();
    to_round_1();
    CHECK(find(CONSENSUS_EFFECT_BUILD) != NULL);
    CHECK(found(CONSENSUS_EFFECT_BUILD)->round == 1);
    step((struct consensus_input){.kind = CONSENSUS_INPUT_BUILT, .block = B, .round = 0});
    CHECK(!sent_any()); /* built for another round */
    step((struct consensus_input){.kind = CONSENSUS_INPUT_BUILT, .block = B, .round = 1});
    CHECK(sent(VOTE_PROPOSAL, 1, B));
    CHECK(sent(VOTE_PREVOTE, 1, B));
    step((struct consensus_input){.kind = CONSENSUS_INPUT_BUILT, .block = A, .round = 1});
    CHECK(!sent_any()); /* one proposal a round */
}

static void test_proposer_waits_for_block_time(void) {
    create(FAULT_MODEL_BYZANTINE, 0);
    begin(11, NULL, NULL);
    CHECK(find(CONSENSUS_EFFECT_BUILD) == NULL);
    CHECK(consensus_deadline_ms(core) == now_ms + 50);
    tick(50);
    CHECK(find(CONSENSUS_EFFECT_BUILD) != NULL);
    tick(10);
    CHECK(find(CONSENSUS_EFFECT_BUILD) == NULL);
}

/* lock_a locks A in round 0 and leaves the machine in round 1. */
static void lock_a(void) {
    start_locked_on_a();
    vote(0, VOTE_PRECOMMIT, 0, nil);
    vote(2, VOTE_PRECOMMIT, 0, nil);
    CHECK(consensus_status(core).round == 0);
    tick(300);
    CHECK(consensus_status(core).round == 1);
}

static void test_locked_proposer_proposes_its_valid_value(void) {
    lock_a();
    CHECK(find(CONSENSUS_EFFECT_BUILD) == NULL);
    CHECK(sent(VOTE_PROPOSAL, 1, A));
    CHECK(sent(VOTE_PREVOTE, 1, A));
    size_t polka_votes = 0; /* go with it, so that everybody can check the valid round */
    for (size_t i = 0; i < fx.count; i++) {
        const struct consensus_effect *effect = &fx.list[i];
        if (effect->kind != CONSENSUS_EFFECT_BROADCAST || effect->vote.round != 0) continue;
        if (effect->vote.kind == VOTE_PREVOTE) polka_votes++;
        if (effect->vote.kind == VOTE_PROPOSAL) CHECK(effect->vote.valid_round == 0);
    }
    CHECK(polka_votes == 3);
}

static void test_lock_refuses_another_block(void) {
    lock_a();
    vote(0, VOTE_PRECOMMIT, 1, nil);
    vote(2, VOTE_PRECOMMIT, 1, nil);
    vote(3, VOTE_PRECOMMIT, 1, nil);
    CHECK(consensus_status(core).round == 2);
    propose(2, 2, B, -1);
    CHECK(sent(VOTE_PREVOTE, 2, nil)); /* at once: the lock forbids it whatever a check says */
}

/* A lock outlives whatever others propose in rounds to come: its block is not forgotten for them.
 */
static void test_lock_keeps_its_block(void) {
    lock_a();
    for (uint32_t round = 2; round < 29; round++) {
        if (round % 8 == 2) skip_to(round); /* none of ours */
        if (round % 4 != OWN) propose(round % 4, round, (struct hash32){{0, (uint8_t)round}}, -1);
    }
    skip_to(29);
    CHECK(sent(VOTE_PROPOSAL, 29, A));
}

static void test_lock_accepts_the_same_block(void) {
    lock_a();
    vote(0, VOTE_PRECOMMIT, 1, nil);
    vote(2, VOTE_PRECOMMIT, 1, nil);
    vote(3, VOTE_PRECOMMIT, 1, nil);
    propose(2, 2, A, -1);
    CHECK(sent(VOTE_PREVOTE, 2, A));

    /* and again with the polka of a round before the lock's: the lock is on this very block */
    lock_a();
    vote(0, VOTE_PREVOTE, 1, A);
    vote(2, VOTE_PREVOTE, 1, A);
    CHECK(sent(VOTE_PRECOMMIT, 1, A));
    vote(0, VOTE_PRECOMMIT, 1, nil);
    vote(2, VOTE_PRECOMMIT, 1, nil);
    tick(400);
    propose(2, 2, A, 0);
    CHECK(sent(VOTE_PREVOTE, 2, A));
}

/* unlock_to drives a machine locked on A in round 0 to a proposal of B with valid round 1. */
static void unlock_to(bool with_polka) {
    lock_a();
    vote(0, VOTE_PRECOMMIT, 1, nil);
    vote(2, VOTE_PRECOMMIT, 1, nil);
    vote(3, VOTE_PRECOMMIT, 1, nil);
    vote(0, VOTE_PREVOTE, 1, B);
    vote(2, VOTE_PREVOTE, 1, B);
    propose(2, 2, B, 1);
    CHECK(!sent_any()); /* no polka, no vote */
    if (with_polka) vote(3, VOTE_PREVOTE, 1, B);
}

static void test_later_polka_unlocks(void) {
    unlock_to(true);
    CHECK(find(CONSENSUS_EFFECT_CHECK) != NULL);
    checked(B, true);
    CHECK(sent(VOTE_PREVOTE, 2, B));
}

static void test_valid_round_without_polka(void) {
    unlock_to(false);
    tick(1000 + 2 * 500);
    CHECK(sent(VOTE_PREVOTE, 2, nil));
}

static void test_older_polka_does_not_unlock(void) {
    /* Locked on B in round 1, a polka for A in round 0 proves nothing. */
    start();
    to_round_1();
    step((struct consensus_input){.kind = CONSENSUS_INPUT_BUILT, .block = B, .round = 1});
    vote(0, VOTE_PREVOTE, 1, B);
    vote(2, VOTE_PREVOTE, 1, B);
    CHECK(sent(VOTE_PRECOMMIT, 1, B));
    vote(0, VOTE_PRECOMMIT, 1, nil);
    vote(2, VOTE_PRECOMMIT, 1, nil);
    vote(3, VOTE_PRECOMMIT, 1, nil);
    for (uint32_t voter = 0; voter < 4; voter++) {
        if (voter != OWN) vote(voter, VOTE_PREVOTE, 0, A);
    }
    propose(2, 2, A, 0);
    CHECK(sent(VOTE_PREVOTE, 2, nil));
}

static void test_prevote_timeout(void) {
    start();
    propose(0, 0, A, -1);
    checked(A, true);
    vote(0, VOTE_PREVOTE, 0, A);
    vote(2, VOTE_PREVOTE, 0, nil);
    tick(399);
    CHECK(!sent(VOTE_PRECOMMIT, 0, nil));
    tick(1);
    CHECK(sent(VOTE_PRECOMMIT, 0, nil));
    CHECK(consensus_deadline_ms(core) > now_ms); /* nothing is due any more */
}

static void test_precommit_stands_for_a_prevote(void) {
    start();
    tick(1050);
    vote(0, VOTE_PRECOMMIT, 0, nil);
    vote(2, VOTE_PREVOTE, 0, A);
    tick(400);
    CHECK(sent(VOTE_PRECOMMIT, 0, nil));
}

static void test_late_polka_sets_valid_only(void) {
    start();
    propose(0, 0, A, -1);
    checked(A, true);
    vote(0, VOTE_PREVOTE, 0, A);
    vote(2, VOTE_PREVOTE, 0, nil);
    tick(400);
    CHECK(sent(VOTE_PRECOMMIT, 0, nil));
    vote(3, VOTE_PREVOTE, 0, A);
    const struct consensus_effect *effect = find(CONSENSUS_EFFECT_PERSIST);
    CHECK(effect != NULL);
    CHECK(!effect->record.has_locked);
    CHECK(effect->record.has_valid);
    vote(0, VOTE_PRECOMMIT, 0, nil);
    vote(2, VOTE_PRECOMMIT, 0, nil);
    CHECK(sent(VOTE_PROPOSAL, 1, A)); /* our round: the valid value, not a new block */
}

static void test_timeouts_grow(void) {
    start();
    to_round_1();
    CHECK(consensus_deadline_ms(core) <= now_ms + 1500);
    tick(1499);
    CHECK(!sent(VOTE_PREVOTE, 1, nil));
    tick(1);
    CHECK(sent(VOTE_PREVOTE, 1, nil));
}

static void test_skip_round(void) {
    start();
    vote(0, VOTE_PREVOTE, 5, A);
    CHECK(consensus_status(core).round == 0); /* one voter may be faulty */
    vote(2, VOTE_PREVOTE, 40, A);             /* out of the window, and yet past round 5 */
    CHECK(consensus_status(core).round == 5);
    CHECK(sent(VOTE_PRECOMMIT, 4, nil)); /* nobody leaves without one */
    vote(3, VOTE_PRECOMMIT, 40, A);
    CHECK(consensus_status(core).round == 40);

    start(); /* an old vote that comes late does not take back how far its voter is */
    vote(0, VOTE_PREVOTE, 5, A);
    vote(0, VOTE_PREVOTE, 1, A);
    vote(2, VOTE_PREVOTE, 5, A);
    CHECK(consensus_status(core).round == 5);
}

static void test_evidence(void) {
    start();
    vote(3, VOTE_PREVOTE, 0, A);
    vote(3, VOTE_PREVOTE, 0, B);
    const struct consensus_effect *effect = find(CONSENSUS_EFFECT_EVIDENCE);
    CHECK(effect != NULL);
    CHECK(hash_equal(&effect->vote.block, &A));
    CHECK(hash_equal(&effect->conflicting.block, &B));
    vote(3, VOTE_PREVOTE, 0, B);
    CHECK(find(CONSENSUS_EFFECT_EVIDENCE) == NULL); /* once */
    propose(0, 0, A, -1);
    propose(0, 0, B, -1);
    CHECK(find(CONSENSUS_EFFECT_EVIDENCE) != NULL);
    CHECK(find(CONSENSUS_EFFECT_CHECK) == NULL); /* the first one counts */
}

static void test_second_proposal_can_be_decided(void) {
    start();
    propose(0, 0, A, -1);
    checked(A, true);
    CHECK(sent(VOTE_PREVOTE, 0, A));
    vote(0, VOTE_PREVOTE, 0, B);
    vote(2, VOTE_PREVOTE, 0, B);
    vote(3, VOTE_PREVOTE, 0, B);
    const struct consensus_effect *effect = find(CONSENSUS_EFFECT_NEED);
    CHECK(effect != NULL);
    CHECK(hash_equal(&effect->block, &B));
    vote(0, VOTE_PRECOMMIT, 0, B);
    vote(2, VOTE_PRECOMMIT, 0, B);
    vote(3, VOTE_PRECOMMIT, 0, B);
    CHECK(find(CONSENSUS_EFFECT_COMMIT) == NULL);
    tick(700);
    CHECK(find(CONSENSUS_EFFECT_NEED) != NULL); /* asked again */
    propose(0, 0, B, -1);
    CHECK(find(CONSENSUS_EFFECT_CHECK) != NULL);
    checked(B, true);
    CHECK(hash_equal(&found(CONSENSUS_EFFECT_COMMIT)->block, &B));

    start(); /* precommits alone make it wanted, too */
    propose(0, 0, A, -1);
    vote(0, VOTE_PRECOMMIT, 0, B);
    vote(2, VOTE_PRECOMMIT, 0, B);
    propose(0, 0, B, -1);
    vote(3, VOTE_PRECOMMIT, 0, B);
    CHECK(hash_equal(&found(CONSENSUS_EFFECT_CHECK)->block, &B));
}

static void test_decides_in_an_earlier_round(void) {
    start();
    vote(0, VOTE_PREVOTE, 1, nil);
    vote(2, VOTE_PREVOTE, 1, nil);
    CHECK(consensus_status(core).round == 1);
    propose(0, 0, A, -1);
    vote(0, VOTE_PRECOMMIT, 0, A);
    vote(2, VOTE_PRECOMMIT, 0, A);
    vote(3, VOTE_PRECOMMIT, 0, A);
    checked(A, true);
    const struct consensus_effect *effect = find(CONSENSUS_EFFECT_COMMIT);
    CHECK(effect != NULL);
    CHECK(effect->commit->round == 0);
}

static void test_decided_but_invalid_here_is_checked_again(void) {
    start();
    propose(0, 0, A, -1);
    checked(A, false);
    for (uint32_t voter = 0; voter < 4; voter++) {
        if (voter != OWN) vote(voter, VOTE_PRECOMMIT, 0, A);
    }
    CHECK(find(CONSENSUS_EFFECT_COMMIT) == NULL);
    tick(700);
    tick(1);
    checked(A, true);
    CHECK(find(CONSENSUS_EFFECT_COMMIT) != NULL);
}

static void test_next_height_is_kept(void) {
    start();
    struct vote early = vote_of(0, VOTE_PROPOSAL, 0, B);
    early.height = 12;
    CHECK(consensus_is_later(core, &early));
    step((struct consensus_input){.kind = CONSENSUS_INPUT_PROPOSAL, .vote = early});
    early = vote_of(2, VOTE_PREVOTE, 0, B);
    early.height = 12;
    step((struct consensus_input){.kind = CONSENSUS_INPUT_VOTE, .vote = early});
    CHECK(fx.count == 0);
    begin(12, NULL, NULL);
    CHECK(find(CONSENSUS_EFFECT_CHECK) != NULL);
    CHECK(consensus_status(core).prevote_power == 1);

    start(); /* of each voter the newest */
    early.round = 3;
    step((struct consensus_input){.kind = CONSENSUS_INPUT_VOTE, .vote = early});
    early.round = 1;
    step((struct consensus_input){.kind = CONSENSUS_INPUT_VOTE, .vote = early});
    struct vote votes[CONSENSUS_VOTES_OF_MAX];
    CHECK(consensus_votes_of(core, &early.voter, votes) == 1);
    CHECK(votes[0].height == 12);
    CHECK(votes[0].round == 3);
}

/* Who comes back is told its own newest votes, and none that it never cast. */
static void test_votes_of(void) {
    struct vote votes[CONSENSUS_VOTES_OF_MAX];
    const struct address voter = test_address(2), stranger = test_address(70);
    start();
    vote(2, VOTE_PREVOTE, 0, A);
    vote(2, VOTE_PRECOMMIT, 1, B);
    CHECK(consensus_votes_of(core, &voter, votes) == 1);
    CHECK(votes[0].kind == VOTE_PRECOMMIT);
    CHECK(votes[0].round == 1);
    CHECK(hash_equal(&votes[0].block, &B));
    vote(2, VOTE_PREVOTE, 1, nil);
    CHECK(consensus_votes_of(core, &voter, votes) == 2);
    CHECK(consensus_votes_of(core, &stranger, votes) == 0);
}

static void test_handover(void) {
    start();
    step((struct consensus_input){.kind = CONSENSUS_INPUT_HANDOVER,
                                  .vote = vote_of(2, VOTE_PROPOSAL, 0, nil)});
    CHECK(!sent_any()); /* not the proposer */
    step((struct consensus_input){.kind = CONSENSUS_INPUT_HANDOVER,
                                  .vote = vote_of(0, VOTE_PROPOSAL, 0, nil)});
    CHECK(sent(VOTE_PREVOTE, 0, nil));

    start(); /* too late: the proposal is there */
    propose(0, 0, A, -1);
    step((struct consensus_input){.kind = CONSENSUS_INPUT_HANDOVER,
                                  .vote = vote_of(0, VOTE_PROPOSAL, 0, nil)});
    CHECK(!sent_any());

    start(); /* early, for the next height */
    struct vote next = vote_of(0, VOTE_PROPOSAL, 0, nil);
    next.height = 12;
    step((struct consensus_input){.kind = CONSENSUS_INPUT_HANDOVER, .vote = next});
    begin(12, NULL, NULL);
    CHECK(consensus_status(core).height == 12);
    CHECK(found(CONSENSUS_EFFECT_PERSIST)->record.height == 12);
}

static void test_follower_decides_without_signing(void) {
    create(FAULT_MODEL_BYZANTINE, 50);
    begin(11, NULL, NULL);
    propose(0, 0, A, -1);
    checked(A, true);
    for (uint32_t voter = 0; voter < 3; voter++) {
        vote(voter, VOTE_PREVOTE, 0, A);
        CHECK(!sent_any());
    }
    for (uint32_t voter = 0; voter < 3; voter++) {
        vote(voter, VOTE_PRECOMMIT, 0, A);
        CHECK(find(CONSENSUS_EFFECT_PERSIST) == NULL);
    }
    CHECK(find(CONSENSUS_EFFECT_COMMIT) != NULL);
}

static void test_crash_model(void) {
    create(FAULT_MODEL_CRASH, OWN);
    begin(11, NULL, NULL);
    propose(0, 0, A, -1);
    checked(A, true);
    CHECK(sent(VOTE_PREVOTE, 0, A));
    vote(0, VOTE_PREVOTE, 0, A); /* two of three */
    CHECK(sent(VOTE_PRECOMMIT, 0, A));
    vote(0, VOTE_PRECOMMIT, 0, A);
    CHECK(find(CONSENSUS_EFFECT_COMMIT) != NULL);
    CHECK(consensus_set_check(FAULT_MODEL_CRASH, &set) == ERR_OK);
    CHECK(consensus_set_check(FAULT_MODEL_BYZANTINE, &set) == ERR_CONFIG);
    const struct validator_set four = test_set(4, NULL);
    CHECK(consensus_set_check(FAULT_MODEL_BYZANTINE, &four) == ERR_OK);
}

/* One voter of the crash model that lies about its round costs rounds, not the chain. */
static void test_round_of_a_liar(void) {
    create(FAULT_MODEL_CRASH, OWN);
    begin(11, NULL, NULL);
    vote(2, VOTE_PRECOMMIT, INT32_MAX, nil);
    CHECK(consensus_status(core).round == 0);
    vote(0, VOTE_PRECOMMIT, 6, nil);
    CHECK(consensus_status(core).round == 6);
    create(FAULT_MODEL_CRASH, OWN);
    begin(11, NULL, NULL);
    const uint32_t high = 1u << 30;
    vote(2, VOTE_PRECOMMIT, high, nil); /* 2^30 mod 3 is 1: we propose */
    CHECK(consensus_status(core).round == high);
    CHECK(find(CONSENSUS_EFFECT_BUILD) != NULL);
    vote(2, VOTE_PRECOMMIT, high, nil); /* again: it was too far off to count */
    vote(0, VOTE_PRECOMMIT, high, nil); /* round high + 1 belongs to 2, which is gone */
    CHECK(consensus_status(core).round == high + 1);
    CHECK(consensus_deadline_ms(core) <= now_ms + 700);
    tick(1000 + 500 * 1024);
    CHECK(sent(VOTE_PREVOTE, high + 1, nil));
    vote(0, VOTE_PREVOTE, high + 1, nil);
    vote(0, VOTE_PRECOMMIT, high + 1, nil);
    CHECK(consensus_status(core).round == high + 2);
    vote(0, VOTE_PRECOMMIT, high + 12, nil); /* not far: followed */
    CHECK(consensus_status(core).round == high + 12);
}

static void test_single_validator(void) {
    create(FAULT_MODEL_CRASH, 0);
    set = test_set(1, NULL);
    begin(11, NULL, NULL);
    tick(50);
    CHECK(find(CONSENSUS_EFFECT_BUILD) != NULL);
    step((struct consensus_input){.kind = CONSENSUS_INPUT_BUILT, .block = A, .round = 0});
    CHECK(find(CONSENSUS_EFFECT_COMMIT) != NULL);
}

static void test_resend(void) {
    start();
    tick(1050);
    CHECK(sent(VOTE_PREVOTE, 0, nil));
    tick(700);
    CHECK(found(CONSENSUS_EFFECT_BROADCAST)->vote.kind == VOTE_PREVOTE);
    CHECK(find(CONSENSUS_EFFECT_PERSIST) == NULL);
    CHECK(find(CONSENSUS_EFFECT_NEED) == NULL); /* nothing is missing */

    start(); /* a proposal of ours as well */
    to_round_1();
    step((struct consensus_input){.kind = CONSENSUS_INPUT_BUILT, .block = A, .round = 1});
    CHECK(sent(VOTE_PROPOSAL, 1, A));
    tick(700);
    CHECK(found(CONSENSUS_EFFECT_BROADCAST)->vote.kind == VOTE_PROPOSAL);
}

/* A proposal whose valid round is older than the votes kept is judged by the polka sent with it. */
static void test_old_valid_round(void) {
    start();
    vote(0, VOTE_PREVOTE, 22, nil);
    vote(2, VOTE_PREVOTE, 22, nil);
    CHECK(consensus_status(core).round == 22);
    vote(0, VOTE_PREVOTE, 3, A); /* nobody asked for them yet */
    propose(2, 22, A, 3);
    CHECK(!sent_any());
    vote(0, VOTE_PREVOTE, 3, A);
    vote(2, VOTE_PREVOTE, 3, A);
    CHECK(find(CONSENSUS_EFFECT_CHECK) == NULL);
    vote(0, VOTE_PREVOTE, 4, A); /* of a round that the proposal does not name */
    vote(3, VOTE_PRECOMMIT, 3, A);
    CHECK(find(CONSENSUS_EFFECT_CHECK) == NULL); /* prevotes make a polka */
    vote(3, VOTE_PREVOTE, 3, A);
    checked(A, true);
    CHECK(sent(VOTE_PREVOTE, 22, A));
}

int main(void) {
    test_commit();
    test_invalid_block();
    test_refusal_holds_for_one_round();
    test_wrong_proposer();
    test_we_propose();
    test_proposer_waits_for_block_time();
    test_locked_proposer_proposes_its_valid_value();
    test_lock_refuses_another_block();
    test_lock_accepts_the_same_block();
    test_lock_keeps_its_block();
    test_later_polka_unlocks();
    test_valid_round_without_polka();
    test_older_polka_does_not_unlock();
    test_prevote_timeout();
    test_precommit_stands_for_a_prevote();
    test_late_polka_sets_valid_only();
    test_timeouts_grow();
    test_skip_round();
    test_evidence();
    test_second_proposal_can_be_decided();
    test_decides_in_an_earlier_round();
    test_decided_but_invalid_here_is_checked_again();
    test_next_height_is_kept();
    test_votes_of();
    test_handover();
    test_follower_decides_without_signing();
    test_crash_model();
    test_round_of_a_liar();
    test_single_validator();
    test_resend();
    test_old_valid_round();
    return 0;
}
