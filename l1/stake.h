#pragma once
/* What the contract knows of one validator, registered or not: for `baton join`, which asks before
 * it makes a validator out of a key. */
#include "base/hash.h"
#include "base/u256.h"
#include "l1/l1.h"

enum l1_stake_status { L1_STAKE_NONE, L1_STAKE_ACTIVE, L1_STAKE_JAILED, L1_STAKE_EXITING };

struct l1_stake {
    enum l1_stake_status status;
    struct hash32 peer_id;
    struct u256 stake;     /* smallest unit */
    struct u256 stake_min; /* MIN_STAKE */
    struct address token;  /* of the stake */
};

/* l1_stake_read asks for the validator at the latest block, blocking; a null coordinator in
 * `config` is fine.  Errors as l1_read: `error` names the endpoint. */
MUST_USE enum err l1_stake_read(const struct l1_config *config, const struct address *validator,
                                struct l1_stake *out, char error[256]);

/* l1_stake_decode reads the result of getValidatorInfo(address).  ERR_ENCODING, ERR_TRUNCATED. */
MUST_USE enum err l1_stake_decode(struct bytes in, struct l1_stake *out);
