#pragma once
/* The insides of the executor, shared by executor.c (slots, common parts), executor_build.c and
 * executor_check.c. */
#include "sequencer/executor.h"

/* Commits that were verified lately: the same one is in a block and before it in its votes. */
#define EXECUTOR_COMMITS_KNOWN 8

struct executor {
    struct executor_config config;
    struct evm *evm;
    struct arena slots[EXECUTOR_SLOTS];
    struct hash32 commits_known[EXECUTOR_COMMITS_KNOWN];
    uint32_t commits_next;
    uint64_t height;                       /* of the last job */
    uint64_t slot_heights[EXECUTOR_SLOTS]; /* of the last job in each slot */
    size_t slot_bytes_usual;               /* what jobs took of late */
    struct ethereum_block block;           /* the one being executed */
};

/* executor_build and executor_check do one job each, as executor.h says; *out is zero but for its
 * names, and what it points at lives in `arena`. */
void executor_build(struct executor *executor, const struct block_job *job, struct arena *arena,
                    struct block_outcome *out);
/* executor_check: see executor_build. */
void executor_check(struct executor *executor, const struct block_job *job, struct arena *arena,
                    struct block_outcome *out);

/* executor_randao is keccak256(l1_hash || height as 8 bytes). */
struct hash32 executor_randao(const struct frame *frame);

/* executor_commit_verify decodes and verifies a commit, unless the same was verified lately. */
MUST_USE enum err executor_commit_verify(struct executor *executor, struct bytes encoded,
                                         uint64_t height, const struct hash32 *block,
                                         const struct validator_set *set);

/* executor_finish fills receipts and writes of an executed block. */
MUST_USE enum err executor_finish(struct executor *executor, struct arena *arena,
                                  struct block_outcome *out);

/* executor_write_begin and _end write something of unknown size at the arena's end: begin hands out
 * all that is left, end keeps what was written.  ERR_LIMIT when it did not fit. */
struct buffer executor_write_begin(struct arena *arena, size_t *mark);
MUST_USE enum err executor_write_end(struct arena *arena, size_t mark, struct buffer *buffer,
                                     struct bytes *out);
