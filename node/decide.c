#include "node/decide.h"

#include "base/rlp.h"
#include "consensus/signing.h"
#include "sequencer/message.h"

void decide_proposed(struct decide *decide, uint64_t height, uint64_t now_us) {
    const uint64_t at = height % DECIDE_HEIGHTS;
    if (height <= decide->heights[at]) return;
    decide->heights[at] = height;
    decide->began_us[at] = now_us;
}

void decide_proposal_seen(struct decide *decide, struct bytes message, uint64_t now_us) {
    struct vote proposal;
    struct bytes list, fields, vote;
    if (message.size < 2 || message.data[0] != MESSAGE_PROPOSAL) return;
    list = bytes_slice(message, 1, message.size - 1);
    if (rlp_read_list(&list, &fields) != ERR_OK || rlp_read_item(&fields, &vote) != ERR_OK) return;
    if (vote_decode(vote, &proposal) != ERR_OK) return;
    decide_proposed(decide, proposal.height, now_us);
}

void decide_committed(struct decide *decide, uint64_t height, uint64_t now_us) {
    const uint64_t at = height % DECIDE_HEIGHTS;
    if (decide->heights[at] != height) return;
    const uint64_t duration = now_us - decide->began_us[at];
    const uint64_t place = atomic_load(&decide->count) % DECIDE_NEWEST_MAX;
    decide->newest_us[place] = duration;
    decide->newest_heights[place] = height;
    atomic_fetch_add(&decide->count, 1);
    histogram_observe(&decide->seconds, duration);
}
