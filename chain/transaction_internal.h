#pragma once
/* What transaction.c and transaction_encode.c share. */
#include "chain/transaction.h"

/* transaction_legacy_v_base is what a legacy transaction's v adds to the y parity: 27, or
 * 35 + 2 * chain_id under EIP-155. */
struct u256 transaction_legacy_v_base(const struct transaction *transaction);
