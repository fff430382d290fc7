#pragma once
/* EIP-712 typed data: the form of what validators sign for the contracts on L1, which check it with
 * ecrecover.  A domain says for which contract of which chain; a struct of atomic members is its
 * type's hash and one ABI word a member, exactly as the same members stand in call data. */
#include "base/bytes.h"
#include "base/hash.h"

#define ABI_WORD_BYTES 32

/* One member each, as a word at the end of `out`; an int32 is sign-extended. */
void abi_word_u64(struct buffer *out, uint64_t value);
void abi_word_i32(struct buffer *out, int32_t value);
void abi_word_hash(struct buffer *out, const struct hash32 *hash);
void abi_word_address(struct buffer *out, const struct address *address);

/* typed_domain is the separator of the domain (name, version "1", chain id, contract). */
struct hash32 typed_domain(const char *name, uint64_t chain_id, const struct address *contract);

/* typed_digest is what is signed: a struct in a domain.  `words`: the type's hash, the members. */
struct hash32 typed_digest(const struct hash32 *separator, struct bytes words);
