#pragma once
/* Reading views: what the contracts say at one L1 block, all parts by that block's hash. */
#include "l1/abi.h"
#include "l1/endpoint.h"

/* Raw transactions of pending requests, kept between views: they are fetched once, from the event.
 */
struct l1_raw {
    uint64_t id; /* 0: the place is free */
    size_t size;
    bool is_wanted; /* by the view that is being read */
    uint8_t *data;  /* L1_RAW_BYTES_MAX reserved */
};

struct l1_reader {
    const struct l1_config *config;
    struct l1_endpoints *endpoints;
    uint64_t bad_answers;
    struct l1_raw raws[L1_FORCED_MAX];
    struct l1_pending pending[L1_PENDING_MAX];
    struct buffer data; /* one result, decoded; reserved pages */
    uint8_t *pages;
};

/* What an endpoint says of its chain. */
struct l1_heads {
    struct l1_block latest;
    struct l1_block finalized;
};

/* l1_reader_create reserves memory; `config` outlives the reader.  ERR_MEMORY, ERR_CONFIG. */
MUST_USE enum err l1_reader_create(const struct l1_config *config, struct l1_reader **out);
void l1_reader_destroy(struct l1_reader *reader);

/* l1_reader_heads asks for chain id, latest and finalized block.  ERR_MISMATCH: another chain. */
MUST_USE enum err l1_reader_heads(struct l1_reader *reader, int endpoint, struct l1_heads *out,
                                  char error[L1_ERROR_BYTES]);
MUST_USE enum err l1_reader_block(struct l1_reader *reader, int endpoint, uint64_t number,
                                  struct l1_block *out, char error[L1_ERROR_BYTES]);
/* l1_reader_code says whether both contracts have code at the latest block.  ERR_NOT_FOUND. */
MUST_USE enum err l1_reader_code(struct l1_reader *reader, int endpoint,
                                 char error[L1_ERROR_BYTES]);
/* l1_reader_genesis says whether the first settled batch, if there is one, is of the chain with the
 * config's genesis_hash.  ERR_MISMATCH. */
MUST_USE enum err l1_reader_genesis(struct l1_reader *reader, int endpoint,
                                    char error[L1_ERROR_BYTES]);
/* l1_reader_view reads the view at a block.  Its raw transactions live until the next call.
 * ERR_NOT_FOUND: the contracts were not there yet. */
MUST_USE enum err l1_reader_view(struct l1_reader *reader, int endpoint,
                                 const struct l1_block *block, struct l1_view *view,
                                 char error[L1_ERROR_BYTES]);
