#include "chain/settlement.h"

#include "base/check.h"
#include "base/keccak.h"
#include "chain/typed_data.h"

bool batch_statement_equal(const struct batch_statement *a, const struct batch_statement *b) {
    return a->first == b->first && a->last == b->last &&
           hash_equal(&a->parent_hash, &b->parent_hash) &&
           hash_equal(&a->last_hash, &b->last_hash) && hash_equal(&a->state_root, &b->state_root) &&
           a->da_height == b->da_height && hash_equal(&a->da_commitment, &b->da_commitment);
}

void batch_statement_words(const struct batch_statement *statement, struct buffer *out) {
    abi_word_u64(out, statement->first);
    abi_word_u64(out, statement->last);
    abi_word_hash(out, &statement->parent_hash);
    abi_word_hash(out, &statement->last_hash);
    abi_word_hash(out, &statement->state_root);
    abi_word_u64(out, statement->da_height);
    abi_word_hash(out, &statement->da_commitment);
}

struct hash32 batch_digest(const struct hash32 *separator,
                           const struct batch_statement *statement) {
    const struct hash32 type = keccak256(
        BYTES_STRING("Batch(uint64 firstBlock,uint64 lastBlock,bytes32 parentHash,bytes32 "
                     "lastBlockHash,bytes32 stateRoot,uint64 daHeight,bytes32 daCommitment)"));
    uint8_t words[(1 + BATCH_STATEMENT_WORDS) * ABI_WORD_BYTES];
    struct buffer out = buffer_over(words, sizeof words);
    abi_word_hash(&out, &type);
    batch_statement_words(statement, &out);
    CHECK(!out.overflow);
    return typed_digest(separator, buffer_bytes(&out));
}
