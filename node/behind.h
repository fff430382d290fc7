#pragma once
/* Falling behind while running: when the blocks of peers do not bring a node back.
 *
 * The sequencer fetches what it missed block by block.  That takes long when it is far behind
 * (sync_behind_blocks), and leads nowhere when no peer has the blocks that come next: who took a
 * snapshot has none before it.  This watch looks at the heights now and then and says when the node
 * should take a snapshot, as it would if it started now.  What a liar can do with heights is
 * bounded: those of more peers than may lie count, and each try is at least twice as long after the
 * one before, until the node has been at the head.
 *
 * Pure: the caller hands in heights and time. */
#include <stdbool.h>
#include <stdint.h>

#define BEHIND_FAR_MS       3000   /* far behind for so long */
#define BEHIND_STUCK_MS     30000  /* no block for so long, and others have them */
#define BEHIND_STUCK_BLOCKS 16     /* behind at least so much to be stuck */
#define BEHIND_PAUSE_MS     300000 /* from the first try to the second */
#define BEHIND_PAUSES_MAX   6      /* doublings */

enum behind_verdict { BEHIND_NOT, BEHIND_FAR, BEHIND_STUCK };

struct behind_seen {
    uint64_t now_ms;
    uint64_t head_height;
    uint64_t peers_height; /* that enough peers say they have */
};

struct behind {
    uint64_t far_blocks;
    uint64_t stuck_ms; /* at least BEHIND_STUCK_MS */
    /* what was seen */
    uint64_t head_height, stuck_since_ms; /* the head does not move; 0: it does */
    uint64_t far_since_ms;                /* 0: not far behind */
    uint64_t not_before_ms;               /* the next try */
    uint32_t tries;
};

/* behind_begin starts watching; a chain with slow blocks is not stuck before three of them. */
void behind_begin(struct behind *behind, uint64_t far_blocks, uint64_t block_time_ms);
/* behind_look takes what is seen now. */
enum behind_verdict behind_look(struct behind *behind, const struct behind_seen *seen);
/* behind_tried: a snapshot is being tried because of what behind_look said. */
void behind_tried(struct behind *behind, uint64_t now_ms);
