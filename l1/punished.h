#pragma once
/* Whether L1 has punished an offence: AndeConsensus.isPunished(offenceId(...)). */
#include "l1/l1.h"

/* What names an offence: one validator, one kind of vote, one height and round. */
struct l1_offence {
    struct address validator;
    uint8_t kind;
    uint64_t height;
    uint32_t round;
};

/* l1_offence_id is keccak256(abi.encode(validator, kind, height, round)), as the contract has it.
 */
struct hash32 l1_offence_id(const struct l1_offence *offence);

/* l1_is_punished asks the endpoints of `config` in order, blocking, about L1's newest block.
 * ERR_NETWORK and others as the last endpoint said; `error` has one line. */
MUST_USE enum err l1_is_punished(const struct l1_config *config, const struct l1_offence *offence,
                                 bool *out, char error[256]);
