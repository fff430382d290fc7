#pragma once
/* Which package belongs to a block's hash.
 *
 * The hash is that of the header, and the header names everything else that travels with it
 * (chain/block.h): the frame by parent_beacon_root, and through the frame the items in their order
 * (items_root), the parent's commit with these very signatures (last_commit_hash) and the next
 * validator set (next_validators_hash; it is carried by a rotation's first block only).  There are
 * no ommers and no withdrawals, and RLP has one form.  So a hash has at most one package, byte for
 * byte, and whoever has it can tell without executing anything.
 *
 * Whatever is kept, executed or refused under a block's hash binds first.  Else a liar who sends a
 * header with other things behind it would have the block refused that others vote for.  A package
 * that binds may still be invalid: that is for the executor to say, and then it holds for the hash.
 */
#include "base/hash.h"
#include "chain/block.h"

/* The parts of a package that binds; bytes view it. */
struct package_parts {
    struct block_package package;
    size_t items_count;
};

/* package_bind holds an encoded package against its block's hash.  `carries_next`: the height is a
 * rotation's first.  NULL: it is the package of that hash, *out has its parts and `item_hashes` the
 * hashes of its items, at most `items_max`.  Otherwise why it is not, a static text; *out is
 * untouched, and item_hashes mean nothing. */
const char *package_bind(struct bytes encoded, const struct hash32 *hash, bool carries_next,
                         struct hash32 *item_hashes, size_t items_max, struct package_parts *out);

/* package_items_root is the frame's items_root: RFC 6962 over the items' hashes. */
struct hash32 package_items_root(const struct hash32 *item_hashes, size_t count);
