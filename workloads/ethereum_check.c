/* A block checked against its parent and by executing it. */
#include <string.h>

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "workloads/ethereum.h"
#include "workloads/ethereum_internal.h"

#define GAS_LIMIT_MIN           5000u
#define GAS_LIMIT_MAX           ((uint64_t)INT64_MAX)
#define GAS_LIMIT_BOUND_DIVISOR 1024u
#define GAS_PER_BLOB            131072u
#define OMMERS_MAX              2u
#define OMMER_DEPTH_MAX         6u
#define BLOCK_RLP_BYTES_MAX     8388608u /* EIP-7934: 10 MiB less 2 MiB for the beacon block */
#define DAO_EXTRA_BLOCKS        10u

/* Header rules return the reason of a fault, NULL for none. */
static const char *check_gas_limit(enum fork fork, enum fork parent_fork,
                                   const struct header *parent, const struct header *header) {
    uint64_t parent_limit = parent->gas_limit;
    if (fork >= FORK_LONDON && parent_fork < FORK_LONDON) parent_limit *= 2; /* EIP-1559 */
    const uint64_t limit = header->gas_limit;
    const uint64_t difference = limit > parent_limit ? limit - parent_limit : parent_limit - limit;
    if (difference >= parent_limit / GAS_LIMIT_BOUND_DIVISOR) return "gas limit moves too far";
    if (limit < GAS_LIMIT_MIN) return "gas limit is too low";
    if (limit > GAS_LIMIT_MAX) return "gas limit is too high";
    if (header->gas_used > limit) return "gas used exceeds gas limit";
    return NULL;
}

static const char *check_paris(const struct header *header) {
    static const uint8_t zeros[8] = {0};
    if (!u256_is_zero(&header->difficulty)) return "difficulty is not zero";
    if (memcmp(header->nonce, zeros, sizeof zeros) != 0) return "nonce is not zero";
    if (!hash_equal(&header->ommers_hash, &KECCAK_EMPTY_LIST)) return "ommers are not empty";
    return NULL;
}

static const char *check_blob_gas(const struct chain_config *config, enum fork fork,
                                  const struct header *parent, const struct header *header) {
    const struct blob_schedule schedule = fork_blob_schedule(config, fork);
    if (header->blob_gas_used % GAS_PER_BLOB != 0) return "blob gas used is not whole blobs";
    if (header->blob_gas_used > schedule.max_blobs * GAS_PER_BLOB) return "blob gas is too much";
    if (header->excess_blob_gas != header_next_excess_blob_gas(config, fork, parent)) {
        return "excess blob gas differs";
    }
    return NULL;
}

static const char *check_tail(const struct chain_config *config, enum fork fork,
                              const struct header *parent, const struct header *header) {
    if (header->tail_fields != header_tail_fields(fork)) return "header fields are not the fork's";
    if (fork >= FORK_LONDON) {
        const struct u256 base_fee = header_next_base_fee(parent);
        if (!u256_equal(&header->base_fee, &base_fee)) return "base fee differs";
    }
    if (fork >= FORK_CANCUN) return check_blob_gas(config, fork, parent, header);
    return NULL;
}

static const char *check_dao_extra(const struct chain_config *config, const struct header *header) {
    if (config->dao_fork_block == FORK_NEVER || !config->is_dao_fork_supported) return NULL;
    if (header->number < config->dao_fork_block) return NULL;
    if (header->number - config->dao_fork_block >= DAO_EXTRA_BLOCKS) return NULL;
    const struct bytes extra = {header->extra, header->extra_bytes};
    return bytes_equal(extra, BYTES_STRING("dao-hard-fork")) ? NULL
                                                             : "extra data is not the fork's";
}

static const char *check_chain(const struct chain_config *config, const struct header *parent,
                               const struct header *header) {
    if (parent->number == UINT64_MAX || header->number != parent->number + 1) {
        return "number does not follow the parent's";
    }
    const struct hash32 parent_hash = header_hash(parent);
    if (!hash_equal(&header->parent_hash, &parent_hash)) return "parent hash differs";
    /* The rollup's blocks may share a second; its frames tell them apart (chain/frame.h). */
    const uint64_t earliest = parent->timestamp + (config->is_rollup ? 0 : 1);
    if (header->timestamp < earliest || parent->timestamp == UINT64_MAX) {
        return "timestamp is not after the parent's";
    }
    return NULL;
}

static const char *check_work(const struct chain_config *config, enum fork fork,
                              const struct header *parent, const struct header *header) {
    const struct u256 difficulty = ethereum_difficulty(config, fork, parent, header);
    return u256_equal(&difficulty, &header->difficulty) ? NULL : "difficulty differs";
}

static const char *check_header(const struct chain_config *config, const struct header *parent,
                                const struct header *header) {
    const enum fork fork = ethereum_fork(config, header);
    const enum fork parent_fork = ethereum_fork(config, parent);
    const char *reason = check_chain(config, parent, header);
    if (reason == NULL) reason = check_gas_limit(fork, parent_fork, parent, header);
    if (reason == NULL && (fork >= FORK_PARIS || parent_fork >= FORK_PARIS)) {
        reason = check_paris(header);
    } else if (reason == NULL) {
        reason = check_work(config, fork, parent, header);
    }
    if (reason == NULL) reason = check_tail(config, fork, parent, header);
    if (reason == NULL) reason = check_dao_extra(config, header);
    return reason;
}

void ethereum_header_check(const struct chain_config *config, const struct header *parent,
                           const struct header *header, struct block_fault *fault) {
    const char *reason = check_header(config, parent, header);
    *fault =
        reason == NULL ? (struct block_fault){.verdict = VERDICT_ACCEPTED} : ethereum_fault(reason);
}

static struct hash32 ommers_hash(const struct block *block) {
    /* The protocol's two ommers fit; check_body has refused more. */
    uint8_t encoded[OMMERS_MAX * HEADER_BYTES_MAX + 8];
    struct buffer out = buffer_over(encoded, sizeof encoded);
    const size_t list = rlp_list_begin(&out);
    for (size_t i = 0; i < block->ommers_count; i++)
        header_encode(&block->ommers[i], &out);
    rlp_list_end(&out, list);
    CHECK(!out.overflow);
    return keccak256(buffer_bytes(&out));
}

/* check_ommer holds an ommer against the block's own ancestors: it must be a sibling of one of the
 * last six, not one itself (Yellow Paper, section 11.1).  Whether an earlier block has rewarded it
 * already, ethereum_ommers_are_new tells. */
static const char *check_ommer(const struct block *block,
                               const struct ethereum_ancestors *ancestors,
                               const struct header *ommer) {
    if (ommer->number == 0 || ommer->number >= block->header.number) {
        return "ommer is not older than the block";
    }
    if (block->header.number - ommer->number > OMMER_DEPTH_MAX) return "ommer is too old";
    if (ancestors->hash == NULL) return NULL;
    struct hash32 ancestor, parent;
    memset(&ancestor, 0, sizeof ancestor);
    memset(&parent, 0, sizeof parent);
    ancestors->hash(ancestors->context, ommer->number, &ancestor);
    ancestors->hash(ancestors->context, ommer->number - 1, &parent);
    const struct hash32 hash = header_hash(ommer);
    if (hash_equal(&hash, &ancestor)) return "ommer is an ancestor";
    return hash_equal(&ommer->parent_hash, &parent) ? NULL : "ommer's parent is not an ancestor";
}

static const char *check_ommers(const struct block *block,
                                const struct ethereum_ancestors *ancestors) {
    if (block->ommers_count > OMMERS_MAX) return "too many ommers";
    struct hash32 hashes[OMMERS_MAX];
    for (size_t i = 0; i < block->ommers_count; i++) {
        const char *reason = check_ommer(block, ancestors, &block->ommers[i]);
        if (reason != NULL) return reason;
        hashes[i] = header_hash(&block->ommers[i]);
    }
    if (block->ommers_count == OMMERS_MAX && hash_equal(&hashes[0], &hashes[1])) {
        return "ommer is there twice";
    }
    const struct hash32 hash = ommers_hash(block);
    return hash_equal(&hash, &block->header.ommers_hash) ? NULL : "ommers hash differs";
}

size_t ethereum_ommers_add(const struct block *ancestor, struct hash32 *hashes, size_t count) {
    for (size_t i = 0; i < ancestor->ommers_count && count < ETHEREUM_OMMERS_MAX; i++)
        hashes[count++] = header_hash(&ancestor->ommers[i]);
    return count;
}

bool ethereum_ommers_are_new(const struct block *block, const struct hash32 *earlier,
                             size_t count) {
    for (size_t i = 0; i < block->ommers_count; i++) {
        const struct hash32 hash = header_hash(&block->ommers[i]);
        for (size_t at = 0; at < count; at++) {
            if (hash_equal(&hash, &earlier[at])) return false;
        }
    }
    return true;
}

/* check_body holds the lists against the roots that the header gives for them. */
static enum err check_body(const struct block *block, enum fork fork,
                           const struct ethereum_ancestors *ancestors, struct arena *arena,
                           struct block_fault *fault) {
    struct hash32 root;
    const char *reason = check_ommers(block, ancestors);
    if (reason == NULL && block->has_withdrawals != (fork >= FORK_SHANGHAI)) {
        reason = "withdrawals are not the fork's";
    }
    if (reason == NULL && fork >= FORK_OSAKA && block_encoded_bytes(block) > BLOCK_RLP_BYTES_MAX) {
        reason = "block is too long";
    }
    if (reason == NULL) {
        TRY(transactions_root(block->transactions, block->transactions_count, arena, &root));
        if (!hash_equal(&root, &block->header.transactions_root)) {
            reason = "transactions root differs";
        }
    }
    if (reason == NULL && block->has_withdrawals) {
        TRY(withdrawals_root(block->withdrawals, block->withdrawals_count, arena, &root));
        if (!hash_equal(&root, &block->header.withdrawals_root))
            reason = "withdrawals root differs";
    }
    if (reason != NULL) *fault = ethereum_fault(reason);
    return ERR_OK;
}

static enum err apply_encoded(struct ethereum_block *scratch, struct bytes encoded,
                              const struct address *sender, enum verdict *verdict) {
    struct transaction transaction;
    struct evm_result result;
    *verdict = transaction_decode(encoded, scratch->arena, &transaction);
    if (*verdict == VERDICT_OVERSIZED) return ERR_LIMIT; /* the arena is ours */
    if (*verdict != VERDICT_ACCEPTED) return ERR_OK;
    if (sender != NULL && !address_is_zero(sender)) {
        transaction.sender = *sender;
        transaction.has_sender = true;
    } else {
        *verdict = transaction_recover_at(&transaction, scratch->env.fork);
        if (*verdict != VERDICT_ACCEPTED) return ERR_OK;
    }
    return ethereum_block_apply(scratch, &transaction, verdict, &result);
}

static enum err apply_all(struct ethereum_block *scratch, const struct block *block,
                          const struct address *senders, struct block_fault *fault) {
    for (size_t i = 0; i < block->transactions_count; i++) {
        enum verdict verdict;
        TRY(apply_encoded(scratch, block->transactions[i], senders == NULL ? NULL : &senders[i],
                          &verdict));
        if (verdict == VERDICT_ACCEPTED) continue;
        *fault = ethereum_fault("transaction is not valid");
        fault->transaction_index = i;
        fault->transaction_verdict = verdict;
        return ERR_OK;
    }
    return ERR_OK;
}

/* compare holds the outcome of execution against what the header says. */
static const char *compare(const struct header *got, const struct header *header) {
    if (got->gas_used != header->gas_used) return "gas used differs";
    if (got->blob_gas_used != header->blob_gas_used) return "blob gas used differs";
    if (memcmp(&got->bloom, &header->bloom, sizeof got->bloom) != 0) return "bloom differs";
    if (!hash_equal(&got->receipts_root, &header->receipts_root)) return "receipts root differs";
    if (!hash_equal(&got->requests_hash, &header->requests_hash)) return "requests hash differs";
    if (!hash_equal(&got->state_root, &header->state_root)) return "state root differs";
    return NULL;
}

enum err ethereum_block_check_traced(struct ethereum_block *scratch, struct evm *evm,
                                     struct state *state, struct arena *arena,
                                     const struct chain_config *config,
                                     const struct ethereum_ancestors *ancestors,
                                     const struct header *parent, const struct block *block,
                                     const struct address *senders, const struct evm_tracer *tracer,
                                     struct block_fault *fault) {
    ethereum_header_check(config, parent, &block->header, fault);
    if (fault->verdict != VERDICT_ACCEPTED) return ERR_OK;
    TRY(check_body(block, ethereum_fork(config, &block->header), ancestors, arena, fault));
    if (fault->verdict != VERDICT_ACCEPTED) return ERR_OK;
    TRY(ethereum_block_begin(scratch, evm, state, arena, config, ancestors, &block->header,
                             block->transactions_count));
    scratch->tracer = tracer;
    TRY(apply_all(scratch, block, senders, fault));
    if (fault->verdict != VERDICT_ACCEPTED) return ERR_OK;
    struct header got = block->header;
    TRY(ethereum_block_end(scratch, block->ommers, block->ommers_count, block->withdrawals,
                           block->withdrawals_count, &got, fault));
    if (fault->verdict != VERDICT_ACCEPTED) return ERR_OK;
    const char *reason = compare(&got, &block->header);
    if (reason != NULL) *fault = ethereum_fault(reason);
    return ERR_OK;
}

enum err ethereum_block_check(struct ethereum_block *scratch, struct evm *evm, struct state *state,
                              struct arena *arena, const struct chain_config *config,
                              const struct ethereum_ancestors *ancestors,
                              const struct header *parent, const struct block *block,
                              const struct address *senders, struct block_fault *fault) {
    return ethereum_block_check_traced(scratch, evm, state, arena, config, ancestors, parent, block,
                                       senders, NULL, fault);
}
