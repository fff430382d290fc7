/* Durations of decisions: first proposal to commit, height by height. */
#include <stdio.h>

#include "base/check.h"
#include "node/decide.h"
#include "sequencer/message.h"

static void test_first_proposal_counts(void) {
    static struct decide decide;
    decide_proposed(&decide, 7, 100);
    decide_proposed(&decide, 7, 300); /* another round's */
    decide_proposed(&decide, 8, 400); /* the next height's may come early */
    decide_committed(&decide, 7, 1100);
    decide_committed(&decide, 8, 1400);
    CHECK(decide.count == 2 && decide.newest_us[0] == 1000 && decide.newest_us[1] == 1000);
}

static void test_no_proposal_no_duration(void) {
    static struct decide decide;
    decide_committed(&decide, 3, 50);
    decide_proposed(&decide, 3, 60); /* late: the height is known only from now on */
    decide_committed(&decide, 7, 70);
    CHECK(decide.count == 0);
}

static void test_messages(void) {
    static struct decide decide;
    static struct message message = {.kind = MESSAGE_PROPOSAL};
    uint8_t memory[512];
    message.vote = (struct vote){
        .kind = VOTE_PROPOSAL, .height = 5, .valid_round = VALID_ROUND_NONE, .block = {{1}}};
    struct buffer out = buffer_over(memory, sizeof memory);
    message_encode(&message, &out);
    CHECK(!out.overflow);
    decide_proposal_seen(&decide, buffer_bytes(&out), 1000);
    decide_proposal_seen(&decide, bytes_slice(buffer_bytes(&out), 0, 9), 2000); /* torn */
    decide_proposal_seen(&decide, BYTES_STRING("\x03 a vote"), 2000);
    decide_proposal_seen(&decide, BYTES_EMPTY, 2000);
    decide_committed(&decide, 5, 3500);
    CHECK(decide.count == 1 && decide.newest_us[0] == 2500);
}

int main(void) {
    test_first_proposal_counts();
    test_no_proposal_no_duration();
    test_messages();
    puts("decide: ok");
    return 0;
}
