#pragma once
/* What contracts say when they revert. */
#include <stdbool.h>

#include "base/bytes.h"

#define REVERT_REASON_BYTES 512

/* revert_reason reads Error(string) or Panic(uint256) as text; false when the data is neither. */
bool revert_reason(struct bytes data, char out[REVERT_REASON_BYTES]);
