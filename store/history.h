#pragma once
/* State at old blocks: what precedes a value in its table, and what an entry of the history holds.
 *
 * A stored account or slot is a value between the two ends of its stamp, so that who has a view of
 * the value finds the stamp beside it, without a search.  The stamp counts the key's changes since
 * genesis and names the block of the latest change of each level: change number k is of every level
 * i with 4^i dividing k.  A change at block b appends an entry under (b, table, key): for each of
 * its levels the block of the change before it on that level, then the value before it.  So the
 * entries of a key form a skip list that is read from the newest back, in O(log changes) steps, and
 * written without reading any old entry.  When a key is deleted its stamp goes to the table of
 * graves, as a record with an empty value.
 *
 *   record: mark u1 and levels u7, value, [count u32, levels x block u40]
 *   entry: levels u8, levels x block u40, value
 *
 * Pure functions over bytes; store_history.c reads and writes the tables. */
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

#define HISTORY_LEVELS_MAX      16 /* 4^16 changes: as many as a u32 can count */
#define HISTORY_BLOCK_BYTES     5
#define HISTORY_MARK            0x80 /* in a record's first byte: a word of the table's own */
#define HISTORY_STAMP_BYTES_MAX (1 + 4 + HISTORY_LEVELS_MAX * HISTORY_BLOCK_BYTES)
#define HISTORY_ENTRY_BYTES_MAX (1 + HISTORY_LEVELS_MAX * HISTORY_BLOCK_BYTES) /* and the value */

struct history_stamp {
    uint32_t count;                    /* changes since genesis */
    uint8_t levels;                    /* 0 when count is 0 */
    uint64_t last[HISTORY_LEVELS_MAX]; /* block of the latest change of each level */
};

struct history_entry {
    uint8_t levels;
    uint64_t before[HISTORY_LEVELS_MAX]; /* block of the change before, 0: none */
    struct bytes value;                  /* before the change; empty: the key was absent */
};

/* history_record_decode takes a record apart; *value views it.  The mark is ignored.  ERR_CORRUPT.
 */
MUST_USE enum err history_record_decode(struct bytes in, struct history_stamp *stamp,
                                        struct bytes *value);
void history_record_encode(const struct history_stamp *stamp, struct bytes value,
                           struct buffer *out);
/* history_record_around is the record that `value` is a part of: not empty, and a view that
 * history_record_decode gave.
 */
struct bytes history_record_around(struct bytes value);
MUST_USE enum err history_entry_decode(struct bytes in, struct history_entry *out);
void history_entry_encode(const struct history_entry *entry, struct buffer *out);
/* history_change advances the stamp by a change at `block` (above last[0]: CHECK) and fills the
 * entry's links. */
void history_change(struct history_stamp *stamp, uint64_t block, struct history_entry *entry);
