#pragma once
/* Random inputs for precompiled contracts that get past their first checks: real points, numbers
 * near their bounds, then sometimes damaged. */
#include "base/bytes.h"

/* contract_input writes an input for a contract that it picks; returns the contract's address. */
uint16_t contract_input(uint64_t *random, struct buffer *out);
