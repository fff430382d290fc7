#pragma once
/* Watches whether a block's transactions look at EIP-4788's contract.
 *
 * The frame's hash is in the header and, by EIP-4788's system call at the block's begin, in the
 * state; but the frame names the block's items, which a builder knows only at the end.  The builder
 * therefore executes with a stand-in hash and puts the true one into the contract's storage
 * afterwards, which gives the same state as if it had been there from the start, as long as nobody
 * has read it.  A watch forwards an evm_host and notes whether somebody has (then the builder
 * executes once more). */
#include "evm/host.h"

struct beacon_watch {
    struct evm_host inner;
    bool was_used; /* the contract's storage was read or written by a transaction */
};

/* beacon_watch_begin returns a host that forwards to `inner`; `watch` must outlive it. */
struct evm_host beacon_watch_begin(struct beacon_watch *watch, const struct evm_host *inner);
