/* What comes at the wrong time or from a liar does nothing to one machine, and what it asks for and
 * waits for is what is needed and no more. */
#include "consensus/test_machine.h"

/* Votes of rounds long past are not kept: they would take the places of those that count. */
static void test_old_rounds_take_no_place(void) {
    start();
    skip_to(26);
    propose(2, 26, A, -1);
    checked(A, true);
    vote(0, VOTE_PREVOTE, 26, A);
    for (uint32_t round = 0; round < 18; round++)
        vote(3, VOTE_PREVOTE, round, nil);
    vote(2, VOTE_PREVOTE, 26, A);
    CHECK(sent(VOTE_PRECOMMIT, 26, A));
}

/* A proposal of a round that is far ahead is not kept, and says how far its proposer is. */
static void test_proposals_tell_rounds(void) {
    start();
    propose(3, 39, A, -1);
    CHECK(find(CONSENSUS_EFFECT_CHECK) == NULL);
    CHECK(consensus_status(core).round == 0); /* one may lie */
    vote(0, VOTE_PREVOTE, 39, nil);
    CHECK(consensus_status(core).round == 39);
}

/* The leader of round 0 hands over that round: it does not cut those of others short. */
static void test_handover_of_round_0_only(void) {
    start();
    skip_to(2);
    step((struct consensus_input){.kind = CONSENSUS_INPUT_HANDOVER,
                                  .vote = vote_of(0, VOTE_PROPOSAL, 0, nil)});
    CHECK(!sent_any());
}

/* A block that was not asked for is not proposed. */
static void test_built_unasked(void) {
    start();
    tick(100);
    step((struct consensus_input){.kind = CONSENSUS_INPUT_BUILT, .block = A, .round = 0});
    CHECK(!sent_any());
    to_round_1();
    step((struct consensus_input){.kind = CONSENSUS_INPUT_BUILT, .block = A, .round = 0});
    CHECK(!sent_any()); /* of a round that is over */
    step((struct consensus_input){.kind = CONSENSUS_INPUT_BUILT, .block = A, .round = 1});
    CHECK(sent(VOTE_PROPOSAL, 1, A));
}

/* A quorum for nil names no block that could be missing. */
static void test_nil_is_not_needed(void) {
    start();
    tick(1050);
    vote(0, VOTE_PREVOTE, 0, nil);
    vote(2, VOTE_PREVOTE, 0, nil);
    CHECK(sent(VOTE_PRECOMMIT, 0, nil));
    CHECK(find(CONSENSUS_EFFECT_NEED) == NULL);
    vote(0, VOTE_PRECOMMIT, 0, nil);
    vote(2, VOTE_PRECOMMIT, 0, nil);
    CHECK(find(CONSENSUS_EFFECT_NEED) == NULL);
}

/* What a quorum voted for is checked whatever our own view of L1 is; what a proposer alone says is
 * not.  A second block of a proposer is looked at once somebody correct has voted for it. */
static void test_backed_and_wanted(void) {
    start();
    propose(0, 0, A, -1);
    CHECK(!found(CONSENSUS_EFFECT_CHECK)->is_backed);
    for (int kind = VOTE_PREVOTE; kind <= VOTE_PRECOMMIT; kind++) {
        start();
        vote(0, (enum vote_kind)kind, 0, A);
        vote(2, (enum vote_kind)kind, 0, A);
        vote(3, (enum vote_kind)kind, 0, A);
        propose(0, 0, A, -1);
        CHECK(found(CONSENSUS_EFFECT_CHECK)->is_backed);

        start();
        propose(0, 0, A, -1);
        vote(0, (enum vote_kind)kind, 0, B);
        propose(0, 0, B, -1);
        vote(2, (enum vote_kind)kind, 0, B);
        vote(3, (enum vote_kind)kind, 0, B);
        CHECK(find(CONSENSUS_EFFECT_CHECK) == NULL); /* it came before two had voted for it */

        start();
        propose(0, 0, A, -1);
        vote(0, (enum vote_kind)kind, 0, B);
        vote(2, (enum vote_kind)kind, 0, B);
        propose(0, 0, B, -1);
        vote(3, (enum vote_kind)kind, 0, B);
        CHECK(hash_equal(&found(CONSENSUS_EFFECT_CHECK)->block, &B));
    }
}

/* The machine is woken when something is due, and not before. */
static void test_deadlines(void) {
    start();
    const uint64_t begin_ms = now_ms;
    CHECK(consensus_deadline_ms(core) == begin_ms + 700); /* to send again */
    tick(700);
    CHECK(consensus_deadline_ms(core) == begin_ms + 1050); /* the proposal */
    tick(350);
    CHECK(sent(VOTE_PREVOTE, 0, nil));
    CHECK(consensus_deadline_ms(core) == begin_ms + 1400);
    vote(0, VOTE_PREVOTE, 0, nil);
    vote(2, VOTE_PREVOTE, 0, A);
    tick(350);
    CHECK(consensus_deadline_ms(core) == begin_ms + 1450); /* prevotes for different things */
    tick(50);
    CHECK(sent(VOTE_PRECOMMIT, 0, nil));
    vote(0, VOTE_PRECOMMIT, 0, nil);
    vote(2, VOTE_PRECOMMIT, 0, A);
    CHECK(consensus_deadline_ms(core) == begin_ms + 1750); /* and precommits */
    tick(300);
    CHECK(consensus_status(core).round == 1);

    create(FAULT_MODEL_BYZANTINE, 0); /* the proposer waits for its block's time */
    begin(11, NULL, NULL);
    CHECK(consensus_deadline_ms(core) == now_ms + 50);
    tick(50);
    CHECK(find(CONSENSUS_EFFECT_BUILD) != NULL);
    CHECK(consensus_deadline_ms(core) == now_ms + 650);
    tick(650);
    CHECK(!sent_any()); /* while it is built there is no proposal to send again */
}

int main(void) {
    test_old_rounds_take_no_place();
    test_proposals_tell_rounds();
    test_handover_of_round_0_only();
    test_built_unasked();
    test_nil_is_not_needed();
    test_backed_and_wanted();
    test_deadlines();
    return 0;
}
